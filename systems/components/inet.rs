//! Ends of internet sockets (ip(7), ipv6(7)): hosts and ports, as the tables compare them.
//!
//! A host of IPv4 is the address of IPv6 that stands for it (`::ffff:127.0.0.1`), so that both
//! families meet in one table.

use crate::abi::Address;

/// A host, in sixteen bytes.
pub type Host = [u8; 16];

/// What stands before a host of IPv4.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
/// `::`
pub const ANY6: Host = [0; 16];
/// `0.0.0.0`
pub const ANY4: Host = mapped([0; 4]);
/// `127.0.0.1`
pub const LOOPBACK4: Host = mapped([127, 0, 0, 1]);
/// `::1`
pub const LOOPBACK6: Host = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A host and a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// What kind of host an address is for a kernel whose only device is `lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any host of its own.
    Any,
    /// One of its own.
    Local,
    /// All hosts of the device's network: `127.255.255.255`.
    Broadcast,
    /// A group: it may be bound to (`calls/groups.rs`).
    Group,
    /// All hosts of all networks: `255.255.255.255`.
    Everybody,
    /// Elsewhere: no way leads there.
    Foreign,
}

/// The address of IPv6 that stands for one of IPv4.
pub const fn mapped([a, b, c, d]: [u8; 4]) -> Host {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// The host of IPv4 that an address stands for.
pub fn as_ipv4(host: Host) -> Option<[u8; 4]> {
    let (before, last) = host.split_first_chunk::<12>()?;
    if *before == MAPPED { last.try_into().ok() } else { None }
}

/// Where an address lies.
pub fn reach(host: Host) -> Reach {
    match as_ipv4(host) {
        Some([0, 0, 0, 0]) => Reach::Any,
        Some([127, 255, 255, 255]) => Reach::Broadcast,
        Some([127, ..]) => Reach::Local,
        Some([224..=239, ..]) => Reach::Group,
        Some([255, 255, 255, 255]) => Reach::Everybody,
        Some(_) => Reach::Foreign,
        None if host == ANY6 => Reach::Any,
        None if host == LOOPBACK6 => Reach::Local,
        None if host[0] == 0xff => Reach::Group,
        None => Reach::Foreign,
    }
}

impl Endpoint {
    /// That of an address of an internet family.
    pub fn of(address: &Address) -> Option<Self> {
        match address {
            Address::Inet(host, port) => Some(Self { host: mapped(*host), port: *port }),
            Address::Inet6(host, port) => Some(Self { host: *host, port: *port }),
            Address::Unnamed | Address::Unix(_) | Address::Abstract(_) | Address::Other(_) => None,
        }
    }

    /// As a socket of a family shows it.
    pub fn shown(self, is_ipv6: bool) -> Address {
        match as_ipv4(self.host) {
            Some(host) if !is_ipv6 => Address::Inet(host, self.port),
            _ => Address::Inet6(self.host, self.port),
        }
    }

    /// Whether it stands for every host.
    pub fn is_any(self) -> bool {
        reach(self.host) == Reach::Any
    }
}
