//! Socket addresses: unix(7), ip(7), ipv6(7).

use crate::wire::Bytes;

/// An address as bind(2) and connect(2) take it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Address {
    /// AF_UNIX without a name.
    #[default]
    Unnamed,
    /// AF_UNIX with a path, without its NUL.
    Unix(Bytes),
    /// AF_UNIX in the abstract name space, without the leading NUL.
    Abstract(Bytes),
    /// AF_INET: address and port.
    Inet([u8; 4], u16),
    /// AF_INET6: address and port.
    Inet6([u8; 16], u16),
    /// Another family, by its number.
    Other(u16),
}

impl Address {
    /// How long it is in memory, a path with its NUL. One of an unknown family is taken to be
    /// nothing but that.
    pub fn length_bytes(&self) -> u64 {
        match self {
            Address::Unnamed | Address::Other(_) => 2,
            Address::Unix(name) | Address::Abstract(name) => 3 + name.0.len() as u64,
            Address::Inet(..) => 16,
            Address::Inet6(..) => 28,
        }
    }
}

crate::wire_enum!(Address {
    0 Unnamed, 1 Unix(path), 2 Abstract(name), 3 Inet(host, port), 4 Inet6(host, port),
    5 Other(family)
});

/// `stack_t` of sigaltstack(2). Addresses are the guest's: cookies here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AltStack {
    /// `ss_sp`.
    pub sp: u64,
    /// `ss_flags`: `SS_ONSTACK` 1, `SS_DISABLE` 2.
    pub flags: u32,
    /// `ss_size` in bytes.
    pub size: u64,
}

crate::wire_struct!(AltStack { sp, flags, size });
