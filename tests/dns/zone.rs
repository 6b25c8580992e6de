//! What a server that works gives.

use crate::server::{BIG, Zone};
use hickory_server::net::xfer::Protocol;
use std::net::Ipv4Addr;
use tickernel::dns::{DnsResolverErrorKind, RData, Record, RecordType};
use tickernel::kernel::KernelError;

#[test]
fn addresses_of_both_families_come() {
    let zone = Zone::start();
    let all = |name| zone.addresses(name).expect("it is in the zone");
    assert_eq!(all("four.test"), ["10.1.2.3", "10.1.2.4"]);
    assert_eq!(all("six.test"), ["2001:db8::6"]);
    assert_eq!(all("both.test"), ["10.9.9.9", "2001:db8::9"]);
    assert_eq!(all(" FOUR.Test. "), ["10.1.2.3", "10.1.2.4"]);
    assert!(zone.was_asked_over(Protocol::Udp) && !zone.was_asked_over(Protocol::Tcp));
}

#[test]
fn other_names_are_followed() {
    let zone = Zone::start();
    assert_eq!(zone.addresses("alias.test").expect("three links"), ["10.1.2.3", "10.1.2.4"]);
    let records = zone.records("alias.test", RecordType::CNAME).expect("a record");
    let wanted = Record::from_rdata("alias.test", 300, RData::CNAME("chain.test".to_owned()));
    assert_eq!(records, [wanted]);
    // The links on the way are part of the answer, as a server gives them.
    let records = zone.records("alias.test", RecordType::A).expect("records");
    let count = |kind| records.iter().filter(|record| record.record_type() == kind).count();
    assert_eq!((count(RecordType::CNAME), count(RecordType::A)), (3, 2));
    // One that leads to nothing, and two that lead to each other.
    for name in ["nowhere.test", "round.test"] {
        let error = zone.addresses(name).expect_err(name);
        assert_eq!(error.kind(), DnsResolverErrorKind::LookupFailed, "{error}");
    }
}

#[test]
fn records_come_whole() {
    let zone = Zone::start();
    let all = |name, kind| zone.records(name, kind).expect("it is in the zone");
    let a = all("both.test", RecordType::A);
    assert_eq!(a, [Record::from_rdata("both.test", 300, RData::A(Ipv4Addr::new(10, 9, 9, 9)))]);
    let text = RData::TXT(vec![b"first piece".to_vec(), b"second".to_vec()]);
    assert_eq!(all("words.test", RecordType::TXT), [Record::from_rdata("words.test", 300, text)]);
    let mail = |preference, exchange: &str| {
        let data = RData::MX { preference, exchange: exchange.to_owned() };
        Record::from_rdata("post.test", 300, data)
    };
    let mut mx = all("post.test", RecordType::MX);
    mx.sort_by_key(ToString::to_string);
    assert_eq!(mx, [mail(10, "mail.test"), mail(20, "backup.test")]);
    let target = "four.test".to_owned();
    let service = RData::SRV { priority: 1, weight: 2, port: 7007, target };
    let srv = all("_echo._tcp.test", RecordType::SRV);
    assert_eq!(srv, [Record::from_rdata("_echo._tcp.test", 300, service)]);
    let [soa] = &all("test", RecordType::SOA)[..] else { panic!("one start of the zone") };
    assert!(matches!(&soa.data, RData::SOA { serial: 7, mname, .. } if mname == "ns.test"));
    let server = RData::NS("ns.test".to_owned());
    assert_eq!(all("test", RecordType::NS), [Record::from_rdata("test", 300, server)]);
}

#[test]
fn what_is_not_there_is_said() {
    let zone = Zone::start();
    // No such name, no record of the type, a server that fails, a zone that is another's.
    for (name, kind) in [
        ("missing.test", RecordType::A),
        ("four.test", RecordType::MX),
        ("broken.test", RecordType::A),
        ("host.elsewhere", RecordType::A),
    ] {
        let error = zone.records(name, kind).expect_err(name);
        assert_eq!(error.kind(), DnsResolverErrorKind::LookupFailed, "{error}");
        let text = error.to_string();
        let head = format!("failed to resolve DNS {kind} record {name}: ");
        assert!(text.starts_with(&head) && text.len() > head.len(), "{text}");
        assert_eq!(KernelError::from(error).code(), "EHOSTUNREACH");
    }
    for name in ["missing.test", "broken.test", "host.elsewhere"] {
        let text = zone.addresses(name).expect_err(name).to_string();
        assert!(text.starts_with(&format!("failed to resolve DNS address {name}: ")), "{text}");
    }
}

#[test]
fn an_answer_too_long_for_a_datagram_comes_over_tcp() {
    let zone = Zone::start();
    let records = zone.records("big.test", RecordType::TXT).expect("all of it");
    assert_eq!(records.len(), BIG);
    for record in records {
        let RData::TXT(pieces) = record.data else { panic!("{record}") };
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [204]);
    }
    assert!(zone.was_asked_over(Protocol::Udp) && zone.was_asked_over(Protocol::Tcp));
}

#[test]
fn an_executor_around_the_call_is_no_obstacle() {
    let zone = Zone::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let found = runtime.block_on(async { zone.addresses("six.test") });
    assert_eq!(found.expect("an address"), ["2001:db8::6"]);
}
