//! Resource records (RFC 1035, 3596, 2782), as much of them as programs ask for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

macro_rules! record_types {
    ($($number:literal $name:ident $doc:literal,)*) => {
        /// The type of a record: a name of the registry of DNS parameters, or a number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum RecordType {
            $(#[doc = $doc] $name,)*
            /// Any other, by number.
            Unknown(u16),
        }

        impl RecordType {
            /// Its number in messages.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Unknown(number) => number,
                }
            }
        }

        impl From<u16> for RecordType {
            fn from(number: u16) -> Self {
                match number {
                    $($number => Self::$name,)*
                    other => Self::Unknown(other),
                }
            }
        }

        impl fmt::Display for RecordType {
            /// Its name, `TYPE` and the number for one without (RFC 3597).
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str(stringify!($name)),)*
                    Self::Unknown(number) => write!(f, "TYPE{number}"),
                }
            }
        }
    };
}

record_types! {
    1 A "An IPv4 address.",
    2 NS "A name server.",
    5 CNAME "Another name.",
    6 SOA "The start of a zone.",
    12 PTR "A name for an address.",
    15 MX "A mail exchanger.",
    16 TXT "Text.",
    28 AAAA "An IPv6 address.",
    33 SRV "A service.",
    35 NAPTR "A naming rule.",
    43 DS "A signer below.",
    44 SSHFP "A host key's fingerprint.",
    46 RRSIG "A signature.",
    48 DNSKEY "A zone's key.",
    52 TLSA "A certificate's fingerprint.",
    64 SVCB "A service's parameters.",
    65 HTTPS "A web service's parameters.",
    255 ANY "Whatever there is.",
    257 CAA "Who may certify.",
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    AAAA(Ipv6Addr),
    /// Another name.
    CNAME(String),
    /// A mail exchanger.
    MX {
        /// The lower, the sooner it is tried.
        preference: u16,
        /// Its name.
        exchange: String,
    },
    /// A name server.
    NS(String),
    /// A name for an address.
    PTR(String),
    /// The start of a zone.
    SOA {
        /// The primary server.
        mname: String,
        /// Who answers for it.
        rname: String,
        /// The zone's version.
        serial: u32,
        /// Seconds between looks for another version.
        refresh: i32,
        /// Seconds between tries.
        retry: i32,
        /// Seconds after which a copy is void.
        expire: i32,
        /// Seconds for which an absence may be kept.
        minimum: u32,
    },
    /// A service.
    SRV {
        /// The lower, the sooner it is tried.
        priority: u16,
        /// Its share among those of one priority.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its host.
        target: String,
    },
    /// Text, in pieces of at most 255 bytes.
    TXT(Vec<Vec<u8>>),
    /// A record of another type, in the text form of zone files.
    Other {
        /// Its type.
        record_type: RecordType,
        /// Its text.
        text: String,
    },
}

impl RData {
    /// The type of such a record.
    pub const fn record_type(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::AAAA(_) => RecordType::AAAA,
            Self::CNAME(_) => RecordType::CNAME,
            Self::MX { .. } => RecordType::MX,
            Self::NS(_) => RecordType::NS,
            Self::PTR(_) => RecordType::PTR,
            Self::SOA { .. } => RecordType::SOA,
            Self::SRV { .. } => RecordType::SRV,
            Self::TXT(_) => RecordType::TXT,
            Self::Other { record_type, .. } => *record_type,
        }
    }
}

impl From<IpAddr> for RData {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::A(address),
            IpAddr::V6(address) => Self::AAAA(address),
        }
    }
}

impl fmt::Display for RData {
    /// As a zone file has it (RFC 1035 section 5.1); names are whole, without a dot at their end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => write!(f, "{address}"),
            Self::AAAA(address) => write!(f, "{address}"),
            Self::CNAME(name) | Self::NS(name) | Self::PTR(name) => f.write_str(name),
            Self::MX { preference, exchange } => write!(f, "{preference} {exchange}"),
            Self::SOA { mname, rname, serial, refresh, retry, expire, minimum } => {
                write!(f, "{mname} {rname} {serial} {refresh} {retry} {expire} {minimum}")
            }
            Self::SRV { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {target}")
            }
            Self::TXT(pieces) => {
                for (at, piece) in pieces.iter().enumerate() {
                    f.write_str(if at == 0 { "\"" } else { " \"" })?;
                    for byte in piece {
                        match byte {
                            b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                            b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
                            _ => write!(f, "\\{byte:03}")?,
                        }
                    }
                    f.write_str("\"")?;
                }
                Ok(())
            }
            Self::Other { text, .. } => f.write_str(text),
        }
    }
}

impl fmt::Display for Record {
    /// As a line of a zone file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.name, self.ttl, self.record_type(), self.data)
    }
}

/// A record of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name.
    pub name: String,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: RData,
}

impl Record {
    /// A record.
    pub fn from_rdata(name: impl Into<String>, ttl: u32, data: RData) -> Self {
        Self { name: name.into(), ttl, data }
    }

    /// Its type.
    pub const fn record_type(&self) -> RecordType {
        self.data.record_type()
    }
}
