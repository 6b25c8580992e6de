//! Names of hosts (SEMANTICS.md section 8).

use crate::small::Log;
use std::net::IpAddr;
use tickernel::dns::{
    DnsConfig, DnsLookupRequest, DnsRecordLookupRequest, DnsResolutionSource, DnsResolver,
    DnsResolverError, DnsResolverErrorKind, RData, Record, RecordType, format_dns_resource,
    normalize_dns_hostname, resolve_dns, resolve_dns_records,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Writes down what it is asked; knows `twice`, whose answer has a double, and a mail exchanger.
struct Resolver(Log);

impl DnsResolver for Resolver {
    fn lookup_ip(&self, request: &DnsLookupRequest) -> Result<Vec<IpAddr>, DnsResolverError> {
        self.0.add(format!("{} {:?}", request.hostname(), request.name_servers()));
        match request.hostname() {
            "twice" => Ok(vec![ip("1.2.3.4"), ip("::1"), ip("1.2.3.4")]),
            "empty" => Ok(Vec::new()),
            _ => Err(DnsResolverError::lookup_failed("nobody knows")),
        }
    }

    fn lookup_records(
        &self,
        request: &DnsRecordLookupRequest,
    ) -> Result<Vec<Record>, DnsResolverError> {
        self.0.add(format!("{} {}", request.hostname(), request.record_type()));
        if request.record_type() != RecordType::MX {
            return Ok(Vec::new());
        }
        let data = RData::MX { preference: 10, exchange: "mail.example".to_owned() };
        Ok(vec![Record::from_rdata(request.hostname(), 300, data)])
    }
}

fn config() -> DnsConfig {
    let mut config = DnsConfig::default();
    config.name_servers.push("192.0.2.1:53".parse().unwrap());
    let list = |texts: &[&str]| texts.iter().map(|text| ip(text)).collect();
    config.overrides.insert("ours".to_owned(), list(&["9.9.9.9", "::2", "9.9.9.9"]));
    config.overrides.insert("Upper".to_owned(), list(&["9.9.9.9"]));
    config.overrides.insert("8.8.8.8".to_owned(), list(&["9.9.9.9"]));
    config
}

#[test]
fn names_are_trimmed_and_lowered_and_lose_their_last_dots() {
    assert_eq!(normalize_dns_hostname(" ExAmple.COM.. ").unwrap(), "example.com");
    for empty in ["", " ", "...", " . "] {
        let error = normalize_dns_hostname(empty).unwrap_err();
        assert_eq!(error.kind(), DnsResolverErrorKind::InvalidInput, "{empty:?}");
        assert_eq!(error.to_string(), "DNS hostname must not be empty");
    }
}

#[test]
fn the_resource_is_the_name_or_the_address_in_canonical_form() {
    assert_eq!(format_dns_resource(" A.B. ").unwrap(), "dns://a.b");
    assert_eq!(format_dns_resource("0:0::1").unwrap(), "dns://::1");
    assert_eq!(format_dns_resource("127.0.0.1").unwrap(), "dns://127.0.0.1");
    assert!(format_dns_resource(".").is_err());
}

#[test]
fn an_address_is_its_own_answer() {
    let log = Log::default();
    for (text, name) in [("127.0.0.1", "127.0.0.1"), ("0:0::1", "::1"), ("8.8.8.8", "8.8.8.8")] {
        let answer = resolve_dns(&config(), &Resolver(log.clone()), text).unwrap();
        assert_eq!((answer.hostname(), answer.source()), (name, DnsResolutionSource::Literal));
        assert_eq!(answer.addresses(), [ip(name)]);
    }
    assert_eq!(DnsResolutionSource::Literal.as_str(), "literal");
    assert!(log.take().is_empty());
}

#[test]
fn an_override_answers_in_its_order_and_nobody_is_asked() {
    let log = Log::default();
    let answer = resolve_dns(&config(), &Resolver(log.clone()), "OURS.").unwrap();
    assert_eq!((answer.hostname(), answer.source()), ("ours", DnsResolutionSource::Override));
    assert_eq!(answer.addresses(), [ip("9.9.9.9"), ip("::2"), ip("9.9.9.9")]);
    assert!(log.take().is_empty());
    // Only the question is normalised.
    assert!(resolve_dns(&config(), &Resolver(log), "Upper").is_err());
}

#[test]
fn the_resolver_is_asked_with_the_servers_and_loses_doubles() {
    let log = Log::default();
    let answer = resolve_dns(&config(), &Resolver(log.clone()), " Twice. ").unwrap();
    assert_eq!((answer.hostname(), answer.source()), ("twice", DnsResolutionSource::Resolver));
    assert_eq!(answer.addresses(), [ip("1.2.3.4"), ip("::1")]);
    assert_eq!(log.take(), ["twice [192.0.2.1:53]"]);
}

#[test]
fn an_empty_answer_is_a_failure() {
    let resolve = |name| resolve_dns(&config(), &Resolver(Log::default()), name).unwrap_err();
    assert_eq!(resolve("empty").kind(), DnsResolverErrorKind::LookupFailed);
    assert_eq!(resolve("other").to_string(), "nobody knows");
    let error = tickernel::kernel::KernelError::from(resolve("empty"));
    assert_eq!(error.code(), "EHOSTUNREACH");
    assert_eq!(tickernel::kernel::KernelError::from(resolve(".")).code(), "EINVAL");
}

#[test]
fn records_of_addresses_and_overrides_have_a_minute_to_live() {
    let log = Log::default();
    let resolve = |name, kind| resolve_dns_records(&config(), &Resolver(log.clone()), name, kind);
    let records = |name, kind| resolve(name, kind).unwrap().records().to_vec();
    let expected = Record::from_rdata("1.2.3.4", 60, RData::A("1.2.3.4".parse().unwrap()));
    assert_eq!(records("1.2.3.4", RecordType::A), [expected]);
    assert_eq!(records("::1", RecordType::AAAA)[0].record_type(), RecordType::AAAA);
    assert_eq!(records("ours", RecordType::A).len(), 2);
    assert_eq!(records("ours", RecordType::AAAA).len(), 1);
    assert_eq!(records("ours", RecordType::ANY).len(), 3);
    assert!(log.take().is_empty());
}

#[test]
fn records_that_are_not_there_are_asked_of_the_resolver() {
    let log = Log::default();
    let resolve = |name, kind| resolve_dns_records(&config(), &Resolver(log.clone()), name, kind);
    let answer = resolve("ours", RecordType::MX).unwrap();
    assert_eq!(answer.source(), DnsResolutionSource::Resolver);
    let error = resolve("1.2.3.4", RecordType::AAAA).unwrap_err();
    assert_eq!(error.kind(), DnsResolverErrorKind::LookupFailed);
    assert_eq!(error.to_string(), "failed to resolve DNS AAAA record 1.2.3.4");
    assert_eq!(log.take(), ["ours MX", "1.2.3.4 AAAA"]);
}

#[test]
fn record_types_have_the_registrys_numbers() {
    let numbers = [RecordType::A, RecordType::AAAA, RecordType::ANY].map(RecordType::number);
    assert_eq!(numbers, [1, 28, 255]);
    assert_eq!(RecordType::from(15), RecordType::MX);
    assert_eq!(RecordType::from(999).to_string(), "TYPE999");
}

#[test]
fn records_are_shown_as_in_a_zone_file() {
    let text = |data| Record::from_rdata("n.test", 60, data).to_string();
    let txt = RData::TXT(vec![b"a \"b\"\\".to_vec(), vec![0, 200], Vec::new()]);
    assert_eq!(text(txt), r#"n.test 60 TXT "a \"b\"\\" "\000\200" """#);
    let mx = RData::MX { preference: 10, exchange: "mail.test".to_owned() };
    assert_eq!(text(mx), "n.test 60 MX 10 mail.test");
    let target = "host.test".to_owned();
    let srv = RData::SRV { priority: 1, weight: 2, port: 80, target };
    assert_eq!(text(srv), "n.test 60 SRV 1 2 80 host.test");
    assert_eq!(text(RData::A([10, 0, 0, 1].into())), "n.test 60 A 10.0.0.1");
    assert_eq!(text(RData::AAAA(1.into())), "n.test 60 AAAA ::1");
    assert_eq!(text(RData::CNAME("o.test".to_owned())), "n.test 60 CNAME o.test");
    let soa = RData::SOA {
        mname: "ns.test".to_owned(),
        rname: "admin.test".to_owned(),
        serial: 1,
        refresh: 2,
        retry: 3,
        expire: 4,
        minimum: 5,
    };
    assert_eq!(text(soa), "n.test 60 SOA ns.test admin.test 1 2 3 4 5");
    let record_type = RecordType::Unknown(999);
    let other = RData::Other { record_type, text: "\\# 0".to_owned() };
    assert_eq!(text(other), "n.test 60 TYPE999 \\# 0");
}
