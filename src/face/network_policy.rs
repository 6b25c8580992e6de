//! Addresses and the names that policies see of them (0.3.4's; RFC 1122, 4291, 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that an IPv4-mapped one stands for, so that `::ffff:10.0.0.1` is not let through.
fn unmapped(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Whether it is the machine itself: 127.0.0.0/8 or `::1`.
pub fn is_loopback_ip(ip: IpAddr) -> bool {
    unmapped(ip).is_loopback()
}

/// The loopback range of the address's family.
pub fn loopback_cidr(ip: IpAddr) -> &'static str {
    match unmapped(ip) {
        IpAddr::V4(_) => "127.0.0.0/8",
        IpAddr::V6(_) => "::1/128",
    }
}

/// `tcp://HOST:PORT`, the resource of connecting and listening; the host stays as given.
pub fn format_tcp_resource(host: &str, port: u16) -> String {
    format!("tcp://{host}:{port}")
}

/// A range that is not the public network: its first address, its prefix, its text, what it is.
type Range<A> = (A, u32, &'static str, &'static str);

const RANGES_V4: &[Range<Ipv4Addr>] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "0.0.0.0/8", "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "10.0.0.0/8", "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "100.64.0.0/10", "carrier-grade NAT"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "169.254.0.0/16", "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "172.16.0.0/12", "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "192.0.0.0/24", "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "192.0.2.0/24", "documentation"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "192.168.0.0/16", "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "198.18.0.0/15", "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "198.51.100.0/24", "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "203.0.113.0/24", "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "224.0.0.0/4", "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "240.0.0.0/4", "reserved"),
];

const RANGES_V6: &[Range<Ipv6Addr>] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "::/128", "unspecified"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "2001:db8::/32", "documentation"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "fc00::/7", "unique local"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "fe80::/10", "link-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "ff00::/8", "multicast"),
];

/// The range that keeps an address out of the public network, and what the range is; `None` for
/// public addresses and for loopback.
pub fn restricted_non_loopback_ip_range(ip: IpAddr) -> Option<(&'static str, &'static str)> {
    match unmapped(ip) {
        IpAddr::V4(ip) => RANGES_V4
            .iter()
            .find(|(first, prefix, ..)| (ip.to_bits() ^ first.to_bits()) >> (32 - prefix) == 0)
            .map(|(_, _, range, what)| (*range, *what)),
        IpAddr::V6(ip) => RANGES_V6
            .iter()
            .find(|(first, prefix, ..)| (ip.to_bits() ^ first.to_bits()) >> (128 - prefix) == 0)
            .map(|(_, _, range, what)| (*range, *what)),
    }
}
