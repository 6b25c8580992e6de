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

/// A name server on this machine that answers a few questions, and `HickoryDnsResolver` before it.
#[cfg(feature = "dns")]
mod hickory {
    use super::*;
    use std::net::UdpSocket;
    use tickernel::dns::HickoryDnsResolver;

    /// A server that answers every question of one look-up: 10.1.2.3 for A, an exchanger for MX,
    /// nothing for the rest. It ends with the test's process.
    fn config() -> DnsConfig {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let name_servers = vec![socket.local_addr().unwrap()];
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let _ = socket.send_to(&answer(&question[..length]), from);
            }
        });
        DnsConfig { name_servers, ..DnsConfig::default() }
    }

    /// The answer to a message with one question (RFC 1035 section 4).
    fn answer(question: &[u8]) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
        let record: Option<(u8, &[u8])> = match question[end - 3] {
            1 => Some((1, &[10, 1, 2, 3])),
            15 => Some((15, b"\0\x0a\x04mail\x02ex\0")),
            _ => None,
        };
        let mut answer = question[..end].to_vec();
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        answer[4..12].copy_from_slice(&[0, 1, 0, u8::from(record.is_some()), 0, 0, 0, 0]);
        if let Some((kind, data)) = record {
            answer.extend_from_slice(&[0xc0, 12, 0, kind, 0, 1, 0, 0, 1, 44, 0, data.len() as u8]);
            answer.extend_from_slice(data);
        }
        answer
    }

    #[test]
    fn addresses_come_from_the_named_server() {
        let answer = resolve_dns(&config(), &HickoryDnsResolver, "host.example").unwrap();
        assert_eq!(answer.addresses(), [ip("10.1.2.3")]);
    }

    #[test]
    fn records_come_from_the_named_server() {
        let resolver = HickoryDnsResolver;
        let answer = resolve_dns_records(&config(), &resolver, "ex", RecordType::MX).unwrap();
        let data = RData::MX { preference: 10, exchange: "mail.ex".to_owned() };
        assert_eq!(answer.records(), [Record::from_rdata("ex", 300, data)]);
        let error = resolve_dns_records(&config(), &resolver, "ex", RecordType::TXT).unwrap_err();
        assert_eq!(error.kind(), DnsResolverErrorKind::LookupFailed);
    }

    #[test]
    fn an_executor_around_the_call_is_no_obstacle() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let config = config();
        let answer =
            runtime.block_on(async { resolve_dns(&config, &HickoryDnsResolver, "host.example") });
        assert_eq!(answer.unwrap().addresses(), [ip("10.1.2.3")]);
    }
}
