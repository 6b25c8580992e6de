//! Servers that never answer: the limit of a resolver, or the host's word that nobody is there.

use crate::hostile::Raw;
use crate::server::{Zone, addresses, config};
use std::net::UdpSocket;
use std::time::Duration;
use tickernel::dns::{DnsConfig, DnsResolverErrorKind, HickoryDnsResolver, RecordType};
use tickernel::dns::{resolve_dns, resolve_dns_records};

/// Long enough to send a question, and for nobody to answer it: only the error is looked at.
const LIMIT: Duration = Duration::from_millis(60);

#[test]
fn a_server_that_never_answers_is_given_up() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let config = config(socket.local_addr().expect("its address"));
    let resolver = HickoryDnsResolver.within(LIMIT);
    let error = resolve_dns(&config, &resolver, "host.test").expect_err("nobody answers");
    assert_eq!(error.kind(), DnsResolverErrorKind::LookupFailed);
    let text = error.to_string();
    assert!(text.starts_with("failed to resolve DNS address host.test: "), "{text}");
    let error = resolve_dns_records(&config, &resolver, "host.test", RecordType::MX);
    let text = error.expect_err("nobody answers").to_string();
    assert!(text.starts_with("failed to resolve DNS MX record host.test: "), "{text}");
}

/// It says by UDP that the answer is too long, takes the connection, and is silent there.
#[test]
fn a_server_that_is_silent_on_a_connection_is_given_up() {
    let server = Raw::start(|question| {
        // QR and TC.
        let mut answer = question.to_vec();
        answer[2] |= 0x82;
        vec![answer]
    });
    let resolver = HickoryDnsResolver.within(LIMIT);
    let error = resolve_dns_records(&config(server.at), &resolver, "host.test", RecordType::A);
    let error = error.expect_err("nobody answers");
    assert_eq!(error.kind(), DnsResolverErrorKind::LookupFailed, "{error}");
}

#[test]
fn a_server_that_is_not_there_is_given_up() {
    // Port 1 (tcpmux), which nobody gets who does not choose it.
    let config = config("127.77.7.7:1".parse().expect("an address"));
    let error = resolve_dns(&config, &HickoryDnsResolver.within(LIMIT), "host.test");
    assert_eq!(error.expect_err("nobody").kind(), DnsResolverErrorKind::LookupFailed);
}

/// The next server is asked where the first is silent.
#[test]
fn another_server_answers_for_a_silent_one() {
    let (zone, socket) = (Zone::start(), UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let silent = socket.local_addr().expect("its address");
    let config = DnsConfig { name_servers: vec![silent, zone.at], ..DnsConfig::default() };
    let found = addresses(&config, &HickoryDnsResolver, "four.test").expect("the second one");
    assert_eq!(found, ["10.1.2.3", "10.1.2.4"]);
}
