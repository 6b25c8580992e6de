//! Sockets (socket(2)): what they are, to whom they are connected, and what lies in them.
//!
//! A packet lies with its receiver and counts against its sender's buffer until it is read, by what
//! Linux takes for it and not by its length: so a writer waits after as many writes as there.
//! What only some sockets have (a name, a queue of connections, options) lies apart, in [`More`].

use crate::abi::flags::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM,
};
use crate::abi::socket::Ucred;
use crate::abi::{Address, Errno};
use crate::components::inet::{Endpoint, Host};
use crate::components::pipe::PAGE_BYTES;
use crate::components::{TextDefault, WaitQueue};
use crate::fs::Place;
use crate::rows::{DescriptionRow, SocketRow};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// What a socket may have on the way: `net.core.wmem_default` (socket(7), SO_SNDBUF).
pub const SNDBUF_BYTES: u64 = 212_992;
/// What a datagram's length may not come near: EMSGSIZE beyond `SNDBUF_BYTES` less this.
pub const SNDBUF_RESERVE_BYTES: u64 = 32;
/// Linux's `struct sk_buff` in whole cache lines.
const HEAD_BYTES: u64 = 256;
/// Its `struct skb_shared_info`, which stands behind the bytes in the same buffer.
const TAIL_BYTES: u64 = 320;
/// A cache line.
const LINE_BYTES: u64 = 64;
/// Bytes in the buffer of one page, before further pages are taken.
const LINEAR_BYTES: u64 = PAGE_BYTES - TAIL_BYTES;
/// Bytes in the buffer of four pages: what a datagram takes before further pages.
const LINEAR_DATAGRAM_BYTES: u64 = 4 * PAGE_BYTES - TAIL_BYTES;
/// Bytes in further pages, at most, of a packet of a stream.
const PAGED_BYTES: u64 = 32 << 10;
/// Further pages of a datagram, at most.
const MAX_PAGES: u64 = 17;

/// What lies between the two ends of a connection over the loopback device before its sender must
/// wait: both buffers as Linux has grown them by then (3.9 to 4.0 million bytes in experiments).
pub const TCP_ROOM_BYTES: u64 = 15 << 18;

/// Permission bits of a new socket's inode.
const SOCKET_MODE: u32 = 0o777;

/// No more is received: `SHUT_RD`, or the other end sends no more.
pub const RCV_SHUTDOWN: u32 = 1;
/// No more is sent: `SHUT_WR`, or the other end receives no more.
pub const SEND_SHUTDOWN: u32 = 2;

/// Bytes that one write left: `read` of them are gone.
#[derive(Debug, Default)]
pub struct Packet {
    /// The bytes, those read already included.
    pub bytes: Vec<u8>,
    /// How many are read.
    pub read: u32,
    /// What it counts as, in bytes, against its sender.
    pub cost_bytes: u32,
    /// Whom it counts against, if that is still there.
    pub sender: SocketRef,
    /// What travels with it.
    pub with: Option<Box<Attached>>,
    /// Its one byte is the urgent one of a stream of unix(7). One that was read so stays, empty.
    pub is_urgent: bool,
}

/// The urgent byte of an end of a tcp(7) connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Urgent {
    /// How many bytes lie before it.
    pub ahead: u64,
    /// The byte.
    pub byte: u8,
    /// It was read (`MSG_OOB`), and lies in its place.
    pub is_read: bool,
}

crate::wire_struct!(Urgent { ahead, byte, is_read });

impl Packet {
    /// Bytes not read yet.
    pub fn left(&self) -> u64 {
        self.bytes.len() as u64 - u64::from(self.read)
    }

    /// The descriptors that travel with it (`SCM_RIGHTS`).
    pub fn rights(&self) -> &[DescriptionRow] {
        self.with.as_deref().map_or(&[], |with| &with.rights)
    }
}

/// What travels with a packet beside its bytes (unix(7), "Ancillary messages").
#[derive(Debug, Default)]
pub struct Attached {
    /// The name of its sender.
    pub from: Address,
    /// Who its sender says to be (`SCM_CREDENTIALS`).
    pub cred: Option<Ucred>,
    /// Open descriptions, held (`SCM_RIGHTS`).
    pub rights: Vec<DescriptionRow>,
}

/// A socket that may be gone by now. Own ids are never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketRef {
    /// Its row, if it was there.
    pub row: Option<SocketRow>,
    /// Its own id.
    pub id: u64,
}

/// The other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Peer {
    /// There never was one, or it is forgotten.
    #[default]
    None,
    /// It is there.
    At(SocketRow),
    /// It was closed.
    Gone,
    /// It is outside of the kernel: what it has not received is what this socket has sent.
    Outside,
}

/// What a socket does beside what its peer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    #[default]
    Idle,
    /// listen(2): so many connections may wait, and one more.
    Listening {
        /// `backlog`.
        backlog: u32,
    },
    /// connect(2) has asked a listener whose list is full.
    Connecting {
        /// When it gives up.
        gives_up_ns: u64,
    },
}

/// What connect(2) has come to, as its caller knows (tcp(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// There was none.
    #[default]
    Unconnected,
    /// It is on its way, or was refused, and nobody has asked.
    Connecting,
    /// It is there, or was.
    Connected,
    /// It was refused, and then shutdown(2): only who connects to `AF_UNSPEC` gets on.
    Disconnecting,
}

crate::wire_enum!(Link { 0 Unconnected, 1 Connecting, 2 Connected, 3 Disconnecting });

/// The memory of a datagram that is gathered or came back, without its bytes.
const CORKED_BYTES: u64 = 128;

/// A datagram of udp(7) that is not whole yet (`MSG_MORE`, `UDP_CORK`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corked {
    /// What there is of it.
    pub bytes: Vec<u8>,
    /// To whom it goes.
    pub to: Endpoint,
    /// The host that it comes from.
    pub own: Host,
}

impl Corked {
    /// The memory that it takes.
    pub fn held_bytes(&self) -> u64 {
        CORKED_BYTES + self.bytes.len() as u64
    }
}

/// A datagram that came back (ip(7), `IP_RECVERR`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueuedError {
    /// What came back of it.
    pub bytes: Vec<u8>,
    /// Where it went to.
    pub to: Endpoint,
    /// What it costs the buffer in which it lies.
    pub cost_bytes: u32,
}

impl QueuedError {
    /// The memory that it takes.
    pub fn held_bytes(&self) -> u64 {
        CORKED_BYTES + self.bytes.len() as u64
    }
}

/// What a socket has that most do not.
#[derive(Debug, Default)]
pub struct More {
    /// Its own name (bind(2)).
    pub name: Address,
    /// The name is the listener's that it was accepted from: nobody finds it by that.
    pub is_borrowed: bool,
    /// The inode of a name that is a path, held.
    pub place: Option<Place>,
    /// The name of a peer that is gone.
    pub remote: Address,
    /// Whether it listens.
    pub state: State,
    /// The listener that has it, while nobody has accepted it.
    pub listener: Option<SocketRow>,
    /// Connections that nobody has accepted, oldest first.
    pub pending: VecDeque<SocketRow>,
    /// Who waits for room in its queue, or in that of its connections.
    pub room_waiters: WaitQueue,
    /// Datagram sockets that are connected to it while it is not to them, by own id.
    pub senders: Vec<SocketRow>,
    /// Who asks for a connection while the list is full, the first first.
    pub knocking: VecDeque<SocketRef>,
    /// What connect(2) has come to.
    pub link: Link,
    /// bind(2) was told the host.
    pub is_host_chosen: bool,
    /// bind(2) was told the port.
    pub is_port_chosen: bool,
    /// It has the port of its name: one that nobody chose is given back when a connection is over,
    /// and the name stays.
    pub has_port: bool,
    /// Options that were set, by level and number.
    pub options: BTreeMap<(u32, u32), i64>,
    /// A connection of tcp(7) that accept(2) gives, and not the end that asked for it.
    pub is_accepted: bool,
    /// The urgent byte of tcp(7).
    pub urgent: Option<Urgent>,
    /// A packet of unix(7) is urgent.
    pub has_urgent: bool,
    /// Urgent bytes of unix(7) that were passed over: Linux goes on counting them.
    pub passed_bytes: u64,
    /// Who gets SIGURG (F_SETOWN).
    pub owner: super::description::Owner,
    /// Groups that it is a member of.
    pub groups: BTreeSet<Host>,
    /// Its other end is outside of the kernel, or is asked for there.
    pub is_outside: bool,
    /// What TIOCOUTQ says while there is no connection: what a refused or broken one left in the
    /// counters of Linux's tcp(7).
    pub left_bytes: u32,
    /// The datagram that it gathers.
    pub corked: Option<Box<Corked>>,
    /// Datagrams that came back, oldest first.
    pub errors: VecDeque<QueuedError>,
}

impl More {
    /// How many options it keeps: that it was accepted counts as one.
    pub fn option_count(&self) -> u64 {
        self.options.len() as u64 + u64::from(self.is_accepted)
    }
}

/// A socket.
#[derive(Debug)]
pub struct Socket {
    /// Own id; also what its inode number is.
    pub id: u64,
    /// `AF_*`.
    pub domain: u32,
    /// `SOCK_*` without flags.
    pub kind: u32,
    /// Protocol.
    pub protocol: u32,
    /// Owner of its inode.
    pub uid: u32,
    /// Group of its inode.
    pub gid: u32,
    /// Permission bits of its inode.
    pub mode: u32,
    /// The other end.
    pub peer: Peer,
    /// What came and was not read, oldest first. Those of a stream are not empty.
    pub queue: VecDeque<Packet>,
    /// What it has sent and nobody has read, by what it costs, in bytes.
    pub sent_bytes: u64,
    /// What lies in it, by what it costs its own buffer (udp(7)).
    pub received_bytes: u64,
    /// `SO_SNDBUF` in bytes.
    pub sndbuf_bytes: u32,
    /// `SO_ERROR`: told once.
    pub error: Option<Errno>,
    /// `RCV_SHUTDOWN`, `SEND_SHUTDOWN`.
    pub shut: u32,
    /// `SO_PASSCRED`.
    pub passes_cred: bool,
    /// `SO_PEERCRED`.
    pub peer_cred: Ucred,
    /// Calls that wait for it.
    pub waiters: WaitQueue,
    /// What few have.
    pub more: Option<Box<More>>,
}

impl Socket {
    /// What `system.sockprotoname` says (xattr(7) does not name it): the name of its protocol in
    /// /proc/net/protocols.
    pub fn protocol_name(&self) -> Option<&'static str> {
        Some(match (self.domain, self.kind) {
            (AF_UNIX, SOCK_STREAM) => "UNIX-STREAM",
            (AF_UNIX, _) => "UNIX",
            (AF_INET, SOCK_STREAM) => "TCP",
            (AF_INET, SOCK_DGRAM) => "UDP",
            (AF_INET6, SOCK_STREAM) => "TCPv6",
            (AF_INET6, SOCK_DGRAM) => "UDPv6",
            (AF_NETLINK, _) => "NETLINK",
            _ => return None,
        })
    }

    /// One that is connected to nothing: domain, type and protocol, and its owner and group.
    pub const fn unconnected(
        id: u64,
        [domain, kind, protocol]: [u32; 3],
        [uid, gid]: [u32; 2],
    ) -> Self {
        Self {
            id,
            domain,
            kind,
            protocol,
            uid,
            gid,
            mode: SOCKET_MODE,
            peer: Peer::None,
            queue: VecDeque::new(),
            sent_bytes: 0,
            received_bytes: 0,
            sndbuf_bytes: SNDBUF_BYTES as u32,
            error: None,
            shut: 0,
            passes_cred: false,
            peer_cred: Ucred::NOBODY,
            waiters: WaitQueue::EMPTY,
            more: None,
        }
    }

    /// Whether its bytes are one stream, and not packets.
    pub const fn is_stream(&self) -> bool {
        self.kind == SOCK_STREAM
    }

    /// Whether it is connected or nothing (`SOCK_STREAM`, `SOCK_SEQPACKET`).
    pub const fn is_connection(&self) -> bool {
        self.kind == SOCK_STREAM || self.kind == SOCK_SEQPACKET
    }

    /// Whether it is connected, or was.
    pub const fn is_connected(&self) -> bool {
        !matches!(self.peer, Peer::None)
    }

    /// Whether it is as it was made, but for its owner.
    pub fn is_fresh(&self) -> bool {
        let alone = !self.is_connected() && self.waiters.is_empty() && self.queue.is_empty();
        let nothing = self.sent_bytes == 0 && self.received_bytes == 0;
        let plain = self.shut == 0 && self.error.is_none() && nothing;
        let unset = !self.passes_cred && u64::from(self.sndbuf_bytes) == SNDBUF_BYTES;
        alone && plain && unset && self.mode == SOCKET_MODE && self.more.is_none()
    }

    /// Its own name.
    pub fn name(&self) -> &Address {
        const UNNAMED: &Address = &Address::Unnamed;
        self.more.as_deref().map_or(UNNAMED, |more| &more.name)
    }

    /// Whether bind(2) gave it a name.
    pub fn is_named(&self) -> bool {
        *self.name() != Address::Unnamed
    }

    /// What few sockets have, made if it is not there.
    pub fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// How many connections may wait, if it listens.
    pub fn backlog(&self) -> Option<u32> {
        match self.more.as_deref()?.state {
            State::Idle | State::Connecting { .. } => None,
            State::Listening { backlog } => Some(backlog),
        }
    }

    /// Connections that nobody has accepted.
    pub fn pending(&self) -> usize {
        self.more.as_deref().map_or(0, |more| more.pending.len())
    }

    /// The value that an option was set to.
    pub fn option(&self, level: u32, name: u32) -> Option<i64> {
        self.more.as_deref()?.options.get(&(level, name)).copied()
    }

    /// Bytes that lie in it.
    pub fn queued_bytes(&self) -> u64 {
        self.queue.iter().map(Packet::left).sum()
    }

    /// What a packet of so many bytes costs its sender.
    pub const fn cost_bytes(&self, length: u64) -> u64 {
        if self.is_stream() { stream_cost_bytes(length) } else { datagram_cost_bytes(length) }
    }

    /// How much of so many bytes goes into one packet of a stream.
    pub fn packet_bytes(&self, length: u64) -> u64 {
        if self.domain != AF_UNIX {
            return length.min(TCP_ROOM_BYTES.saturating_sub(self.sent_bytes));
        }
        let half = u64::from(self.sndbuf_bytes) / 2 - HALF_RESERVE_BYTES;
        length.min(LINEAR_BYTES + PAGED_BYTES).min(half)
    }

    /// Whether who waits for room is told of it: three quarters are free.
    pub const fn has_room(&self) -> bool {
        if self.domain != AF_UNIX {
            // A third is free.
            return 3 * self.sent_bytes <= 2 * TCP_ROOM_BYTES;
        }
        4 * self.sent_bytes <= self.sndbuf_bytes as u64
    }
}

impl TextDefault for Socket {
    type Cold = ();
}

/// Room that a packet of a stream leaves in half its sender's buffer.
const HALF_RESERVE_BYTES: u64 = 64;

/// How much of a stream's packet lies in further pages.
const fn stream_paged_bytes(length: u64) -> u64 {
    if length <= LINEAR_BYTES {
        return 0;
    }
    let paged = (length - LINEAR_BYTES).next_multiple_of(PAGE_BYTES);
    if paged < length { paged } else { length }
}

/// A stream's packet fills its further pages first, whole if they are all it needs.
const fn stream_cost_bytes(length: u64) -> u64 {
    let in_pages = stream_paged_bytes(length);
    buffer_bytes(length - in_pages) + in_pages.next_multiple_of(PAGE_BYTES)
}

const fn datagram_cost_bytes(length: u64) -> u64 {
    let beyond = length.saturating_sub(LINEAR_DATAGRAM_BYTES);
    let most = MAX_PAGES * PAGE_BYTES;
    let in_pages = if beyond < most { beyond } else { most }.next_multiple_of(PAGE_BYTES);
    buffer_bytes(length.saturating_sub(in_pages)) + in_pages
}

/// What a datagram of udp(7) costs the buffer in which it lies.
pub const fn udp_cost_bytes(length: u64) -> u64 {
    /// The headers, and room for those of a device.
    const HEADERS_BYTES: u64 = 64;
    /// A buffer of the size that most packets have.
    const SMALL_BYTES: u64 = 576;
    /// Above it a datagram lies in pages.
    const LINEAR_BYTES: u64 = 32 << 10;
    let needed = (length + HEADERS_BYTES + TAIL_BYTES).next_multiple_of(LINE_BYTES);
    HEAD_BYTES
        + if needed <= SMALL_BYTES {
            SMALL_BYTES
        } else if needed <= LINEAR_BYTES {
            needed.next_power_of_two()
        } else {
            needed.next_multiple_of(PAGE_BYTES)
        }
}

/// What pages of splice(2) or sendfile(2) cost the sender of a stream: the head of an empty buffer,
/// and their bytes.
pub const fn pages_cost_bytes(length: u64) -> u64 {
    buffer_bytes(0) + length
}

/// The parts of a packet that are not read, as they lie in Linux's memory: a buffer, then pages,
/// as many together as are a power of two. A stream of tcp(7) has pages only.
pub fn pieces_bytes(domain: u32, packet: &Packet) -> impl Iterator<Item = u64> {
    let length = packet.bytes.len() as u64;
    let in_pages = if domain == AF_UNIX { stream_paged_bytes(length) } else { length };
    let mut gone = u64::from(packet.read);
    let mut at = 0;
    core::iter::from_fn(move || {
        while at < length {
            let left = length - at;
            let piece = if at < length - in_pages {
                length - in_pages
            } else {
                let pages = left.div_ceil(PAGE_BYTES).min(PAGED_BYTES / PAGE_BYTES);
                left.min((1 << pages.ilog2()) * PAGE_BYTES)
            };
            at += piece;
            let skipped = gone.min(piece);
            gone -= skipped;
            if skipped < piece {
                return Some(piece - skipped);
            }
        }
        None
    })
}

/// A buffer for so many bytes, which is a power of two, and its head.
const fn buffer_bytes(length: u64) -> u64 {
    (length.next_multiple_of(LINE_BYTES) + TAIL_BYTES).next_power_of_two() + HEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many writes of one length a socket takes on Linux 6.18 before EAGAIN.
    #[test]
    fn as_many_packets_fit_as_on_linux() {
        let fit = |cost: u64| SNDBUF_BYTES.div_ceil(cost);
        let of_stream = [
            (1, 278),
            (192, 278),
            (193, 167),
            (704, 167),
            (705, 93),
            (1728, 93),
            (1729, 49),
            (3776, 49),
            (3777, 44),
            (4096, 44),
            (7872, 26),
            (7873, 24),
            (8192, 24),
            (10_000, 17),
            (16_384, 13),
            (20_000, 11),
            (32_768, 7),
            (36_544, 6),
        ];
        for (length, count) in of_stream {
            assert_eq!(fit(stream_cost_bytes(length)), count, "{length}");
        }
        // Of udp(7): how many a receiver's buffer keeps.
        let of_udp = [
            (0, 256),
            (192, 256),
            (193, 166),
            (600, 166),
            (1000, 92),
            (1500, 92),
            (2000, 48),
            (4000, 25),
            (8000, 12),
            (30_000, 6),
            (65_507, 3),
        ];
        for (length, count) in of_udp {
            assert_eq!(SNDBUF_BYTES / udp_cost_bytes(length), count, "{length}");
        }
        let of_datagrams = [
            (0, 278),
            (192, 278),
            (193, 167),
            (705, 93),
            (3776, 49),
            (3777, 26),
            (7872, 26),
            (7873, 13),
            (16_384, 11),
            (20_000, 11),
            (32_768, 6),
            (40_000, 6),
            (65_536, 4),
            (100_000, 3),
            (106_433, 2),
            (200_000, 2),
            (212_960, 1),
        ];
        for (length, count) in of_datagrams {
            assert_eq!(fit(datagram_cost_bytes(length)), count, "{length}");
        }
    }
}
