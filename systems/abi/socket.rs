//! What socket calls take beside addresses: flags of messages, levels and options (socket(7),
//! unix(7), ip(7), ipv6(7), tcp(7), udp(7)), credentials, and what a message brings.

use super::Address;
use super::flags::{Names, constants};
use crate::components::inet::as_ipv4;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::boxed::Box;
use alloc::vec::Vec;

constants! {
    /// Flags of send(2) and recv(2).
    MESSAGE_FLAGS: u32 {
        MSG_OOB = 1, MSG_PEEK = 2, MSG_DONTROUTE = 4, MSG_CTRUNC = 8, MSG_PROBE = 0x10,
        MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_EOR = 0x80, MSG_WAITALL = 0x100,
        MSG_FIN = 0x200, MSG_SYN = 0x400, MSG_CONFIRM = 0x800, MSG_RST = 0x1000,
        MSG_ERRQUEUE = 0x2000, MSG_NOSIGNAL = 0x4000, MSG_MORE = 0x8000,
        MSG_WAITFORONE = 0x10000, MSG_BATCH = 0x40000, MSG_ZEROCOPY = 0x4000000,
        MSG_FASTOPEN = 0x20000000, MSG_CMSG_CLOEXEC = 0x40000000,
    }
}

constants! {
    /// Levels of getsockopt(2).
    OPTION_LEVELS: u32 {
        SOL_SOCKET = 1, SOL_TCP = 6, SOL_UDP = 17, SOL_IP = 0, SOL_IPV6 = 41, SOL_NETLINK = 270,
        IPPROTO_IP = 0, IPPROTO_TCP = 6, IPPROTO_UDP = 17, IPPROTO_IPV6 = 41,
    }
}

constants! {
    /// Options of `SOL_SOCKET` (socket(7)).
    SOCKET_OPTIONS: u32 {
        SO_DEBUG = 1, SO_REUSEADDR = 2, SO_TYPE = 3, SO_ERROR = 4, SO_DONTROUTE = 5,
        SO_BROADCAST = 6, SO_SNDBUF = 7, SO_RCVBUF = 8, SO_KEEPALIVE = 9, SO_OOBINLINE = 10,
        SO_NO_CHECK = 11, SO_PRIORITY = 12, SO_LINGER = 13, SO_BSDCOMPAT = 14, SO_REUSEPORT = 15,
        SO_PASSCRED = 16, SO_PEERCRED = 17, SO_RCVLOWAT = 18, SO_SNDLOWAT = 19, SO_RCVTIMEO = 20,
        SO_SNDTIMEO = 21, SO_BINDTODEVICE = 25, SO_TIMESTAMP = 29, SO_ACCEPTCONN = 30,
        SO_PEERSEC = 31, SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE = 33, SO_PASSSEC = 34,
        SO_TIMESTAMPNS = 35, SO_MARK = 36, SO_TIMESTAMPING = 37, SO_PROTOCOL = 38,
        SO_DOMAIN = 39, SO_RXQ_OVFL = 40, SO_WIFI_STATUS = 41, SO_PEEK_OFF = 42, SO_NOFCS = 43,
        SO_LOCK_FILTER = 44, SO_SELECT_ERR_QUEUE = 45, SO_BUSY_POLL = 46,
        SO_MAX_PACING_RATE = 47, SO_BPF_EXTENSIONS = 48, SO_INCOMING_CPU = 49,
        SO_INCOMING_NAPI_ID = 56, SO_PEERGROUPS = 59, SO_ZEROCOPY = 60,
        SO_TIMESTAMP_NEW = 63, SO_TIMESTAMPNS_NEW = 64, SO_PREFER_BUSY_POLL = 69,
        SO_BUF_LOCK = 72, SO_TXREHASH = 74, SO_RCVMARK = 75, SO_RCVPRIORITY = 82,
        SO_PASSRIGHTS = 83,
    }
}

constants! {
    /// Options of `SOL_TCP` (tcp(7)).
    TCP_OPTIONS: u32 {
        TCP_NODELAY = 1, TCP_MAXSEG = 2, TCP_CORK = 3, TCP_KEEPIDLE = 4, TCP_KEEPINTVL = 5,
        TCP_KEEPCNT = 6, TCP_SYNCNT = 7, TCP_LINGER2 = 8, TCP_DEFER_ACCEPT = 9,
        TCP_WINDOW_CLAMP = 10, TCP_INFO = 11, TCP_QUICKACK = 12, TCP_CONGESTION = 13,
        TCP_THIN_LINEAR_TIMEOUTS = 16, TCP_THIN_DUPACK = 17, TCP_USER_TIMEOUT = 18,
        TCP_FASTOPEN = 23, TCP_NOTSENT_LOWAT = 25, TCP_SAVE_SYN = 27,
        TCP_FASTOPEN_CONNECT = 30, TCP_FASTOPEN_NO_COOKIE = 34, TCP_INQ = 36, TCP_TX_DELAY = 37,
        TCP_IS_MPTCP = 43,
    }
}

constants! {
    /// Types of control messages of `SOL_SOCKET` (unix(7)).
    CONTROL_TYPES: u32 { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2 }
}

constants! {
    /// Options of `SOL_UDP` (udp(7)).
    UDP_OPTIONS: u32 {
        UDP_CORK = 1, UDP_NO_CHECK6_TX = 101, UDP_NO_CHECK6_RX = 102, UDP_SEGMENT = 103,
        UDP_GRO = 104,
    }
}

constants! {
    /// Options of `SOL_IP` (ip(7)).
    IP_OPTIONS: u32 {
        IP_TOS = 1, IP_TTL = 2, IP_HDRINCL = 3, IP_OPTIONS_OPTION = 4, IP_ROUTER_ALERT = 5,
        IP_RECVOPTS = 6, IP_RETOPTS = 7, IP_PKTINFO = 8, IP_MTU_DISCOVER = 10, IP_RECVERR = 11,
        IP_RECVTTL = 12, IP_RECVTOS = 13, IP_MTU = 14, IP_FREEBIND = 15, IP_PASSSEC = 18,
        IP_TRANSPARENT = 19, IP_ORIGDSTADDR = 20, IP_MINTTL = 21, IP_NODEFRAG = 22,
        IP_CHECKSUM = 23, IP_BIND_ADDRESS_NO_PORT = 24, IP_RECVFRAGSIZE = 25,
        IP_RECVERR_RFC4884 = 26, IP_MULTICAST_IF = 32, IP_MULTICAST_TTL = 33,
        IP_MULTICAST_LOOP = 34, IP_ADD_MEMBERSHIP = 35, IP_DROP_MEMBERSHIP = 36,
        MCAST_JOIN_GROUP = 42, MCAST_LEAVE_GROUP = 45, IP_MULTICAST_ALL = 49,
    }
}

/// Options of `SOL_IPV6`: those of groups have the same numbers as `SOL_IP`'s.
mod ipv6 {
    use super::super::flags::{Names, constants};

    constants! {
        /// Options of `SOL_IPV6` (ipv6(7)).
        IPV6_OPTIONS: u32 {
            IPV6_2292PKTINFO = 2, IPV6_2292HOPOPTS = 3, IPV6_2292DSTOPTS = 4, IPV6_2292RTHDR = 5,
            IPV6_2292HOPLIMIT = 8, IPV6_UNICAST_HOPS = 16, IPV6_MULTICAST_IF = 17,
            IPV6_MULTICAST_HOPS = 18,
            IPV6_MULTICAST_LOOP = 19, IPV6_ADD_MEMBERSHIP = 20, IPV6_DROP_MEMBERSHIP = 21,
            IPV6_ROUTER_ALERT = 22, IPV6_MTU_DISCOVER = 23, IPV6_MTU = 24, IPV6_RECVERR = 25,
            IPV6_V6ONLY = 26, IPV6_MULTICAST_ALL = 29, IPV6_ROUTER_ALERT_ISOLATE = 30,
            IPV6_RECVERR_RFC4884 = 31, IPV6_FLOWINFO_SEND = 33, MCAST_JOIN_GROUP = 42,
            MCAST_LEAVE_GROUP = 45, IPV6_RECVPKTINFO = 49, IPV6_RECVHOPLIMIT = 51,
            IPV6_RECVHOPOPTS = 53, IPV6_RECVRTHDR = 56, IPV6_RECVDSTOPTS = 58,
            IPV6_RECVPATHMTU = 60, IPV6_DONTFRAG = 62, IPV6_RECVTCLASS = 66, IPV6_TCLASS = 67,
            IPV6_AUTOFLOWLABEL = 70, IPV6_MINHOPCOUNT = 73, IPV6_RECVORIGDSTADDR = 74,
            IPV6_TRANSPARENT = 75, IPV6_RECVFRAGSIZE = 77, IPV6_FREEBIND = 78,
        }
    }
}
pub use ipv6::*;

/// The names of a level's options; none for a level without.
pub fn option_names(level: u32) -> Names {
    match level {
        SOL_SOCKET => SOCKET_OPTIONS,
        SOL_TCP => TCP_OPTIONS,
        SOL_UDP => UDP_OPTIONS,
        SOL_IP => IP_OPTIONS,
        SOL_IPV6 => IPV6_OPTIONS,
        _ => &[],
    }
}

/// `struct ucred` (unix(7)): who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ucred {
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

crate::wire_struct!(Ucred { pid, uid, gid });

impl Ucred {
    /// What is told of nobody.
    pub const NOBODY: Self = Self { pid: 0, uid: u32::MAX, gid: u32::MAX };
}

/// The value of an option (getsockopt(2)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// An `int`.
    Number(i64),
    /// `struct linger` of `SO_LINGER`: on or off, seconds.
    Linger(i32, i32),
    /// `struct timeval` of `SO_RCVTIMEO`: seconds, microseconds.
    Time(i64, i64),
    /// `SO_PEERCRED`.
    Cred(Ucred),
    /// A text: `TCP_CONGESTION`, `SO_BINDTODEVICE`.
    Text(Bytes),
    /// A group of IPv4 (`::ffff:…`) or IPv6, a host of an interface, its index: `struct ip_mreq`,
    /// `ip_mreqn`, `ipv6_mreq`, `group_req`.
    Group([u8; 16], [u8; 4], i64),
}

impl OptionValue {
    /// What is left of it in a place of so many bytes: the rest of that is 0.
    pub fn cut(&mut self, length: u64) {
        let low = |from: u64, bytes: u64, number: i64| match length.saturating_sub(from) {
            there if there >= bytes => number,
            there => number & ((1 << (8 * there)) - 1),
        };
        match self {
            OptionValue::Number(number) => *number = low(0, 4, *number),
            OptionValue::Linger(on, seconds) => {
                *on = low(0, 4, i64::from(*on)) as i32;
                *seconds = low(4, 4, i64::from(*seconds)) as i32;
            }
            OptionValue::Time(seconds, microseconds) => {
                *seconds = low(0, 8, *seconds);
                *microseconds = low(8, 8, *microseconds);
            }
            OptionValue::Cred(cred) => {
                cred.pid = low(0, 4, cred.pid.into()) as u32;
                cred.uid = low(4, 4, cred.uid.into()) as u32;
                cred.gid = low(8, 4, cred.gid.into()) as u32;
            }
            OptionValue::Text(text) => text.0.truncate(length as usize),
            OptionValue::Group(..) => {}
        }
    }

    /// How long it is in memory.
    pub fn length_bytes(&self) -> i64 {
        match self {
            OptionValue::Number(_) => 4,
            OptionValue::Linger(..) => 8,
            OptionValue::Time(..) => 16,
            OptionValue::Cred(_) => 12,
            OptionValue::Text(text) => text.0.len() as i64,
            OptionValue::Group(group, _, index) => match (as_ipv4(*group), index) {
                (None, _) => 20,
                (Some(_), 0) => 8,
                (Some(_), _) => 12,
            },
        }
    }
}

impl Default for OptionValue {
    fn default() -> Self {
        Self::Number(0)
    }
}

crate::wire_enum!(OptionValue {
    0 Number(number), 1 Linger(on, seconds), 2 Time(seconds, microseconds), 3 Cred(cred),
    4 Text(text), 5 Group(group, interface, index)
});

/// What recvfrom(2) or recvmsg(2) gave.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Received {
    /// The bytes.
    pub data: Bytes,
    /// From whom, if that has a name.
    pub addr: Option<Address>,
    /// `msg_flags`; `None` for recvfrom(2).
    pub flags: Option<u32>,
    /// `SCM_RIGHTS`: the new descriptors.
    pub fds: Vec<i32>,
    /// `SCM_CREDENTIALS`.
    pub cred: Option<Ucred>,
    /// `IP_RECVERR`, `IPV6_RECVERR`; it is there with `MSG_ERRQUEUE` in the flags only.
    pub error: Option<Box<ExtendedError>>,
}

impl<'a> Wire<'a> for Received {
    fn put(&self, out: &mut Vec<u8>) {
        self.data.put(out);
        self.addr.put(out);
        self.flags.put(out);
        self.fds.put(out);
        self.cred.put(out);
        if has_error(self.flags) {
            self.error.as_deref().cloned().put(out);
        }
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let (data, addr, flags) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        let (fds, cred) = (Wire::get(from)?, Wire::get(from)?);
        let error = if has_error(flags) { Wire::get(from)? } else { None };
        let error = error.map(Box::new);
        Ok(Self { data, addr, flags, fds, cred, error })
    }
}

fn has_error(flags: Option<u32>) -> bool {
    flags.is_some_and(|flags| flags & MSG_ERRQUEUE != 0)
}

/// `struct sock_extended_err` (ip(7), "IP_RECVERR"), and who sent it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ExtendedError {
    /// `ee_errno`.
    pub errno: u32,
    /// `ee_origin`: 2 is `SO_EE_ORIGIN_ICMP`, 3 is `SO_EE_ORIGIN_ICMP6`.
    pub origin: u8,
    /// `ee_type`.
    pub kind: u8,
    /// `ee_code`.
    pub code: u8,
    /// `ee_info`.
    pub info: u32,
    /// `ee_data`.
    pub data: u32,
    /// `SO_EE_OFFENDER`.
    pub offender: Address,
}

crate::wire_struct!(ExtendedError { errno, origin, kind, code, info, data, offender });

/// One message of sendmmsg(2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message {
    /// The bytes.
    pub data: Bytes,
    /// To whom, if not to the peer.
    pub addr: Option<Address>,
    /// `SCM_RIGHTS`: descriptors.
    pub fds: Option<Vec<i64>>,
    /// `SCM_CREDENTIALS`.
    pub cred: Option<Ucred>,
}

crate::wire_struct!(Message { data, addr, fds, cred });

/// One message that recvmmsg(2) gave.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Got {
    /// `msg_len`: with `MSG_TRUNC` more than there is data.
    pub length: u32,
    /// What it brought.
    pub received: Received,
}

crate::wire_struct!(Got { length, received });
