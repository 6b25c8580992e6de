//! Sockets (socket(2)): what they are, to whom they are connected, and what lies in them.
//!
//! A packet lies with its receiver and counts against its sender's buffer until it is read, by what
//! Linux takes for it and not by its length: so a writer waits after as many writes as there.
//! Not here yet: names, listening, addresses and descriptors that travel with a packet.

use crate::abi::Errno;
use crate::abi::flags::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM,
};
use crate::components::pipe::PAGE_BYTES;
use crate::components::{TextDefault, WaitQueue};
use crate::rows::SocketRow;
use alloc::collections::VecDeque;
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

/// Permission bits of a new socket's inode.
const SOCKET_MODE: u32 = 0o777;

/// No more is received: `SHUT_RD`, or the other end sends no more.
pub const RCV_SHUTDOWN: u32 = 1;
/// No more is sent: `SHUT_WR`, or the other end receives no more.
pub const SEND_SHUTDOWN: u32 = 2;

/// Bytes that one write left: `read` of them are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// The bytes, those read already included.
    pub bytes: Vec<u8>,
    /// How many are read.
    pub read: u32,
}

impl Packet {
    /// Bytes not read yet.
    pub fn left(&self) -> u64 {
        self.bytes.len() as u64 - u64::from(self.read)
    }
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
    /// What the packets in it cost their sender, in bytes.
    pub queue_cost_bytes: u64,
    /// `SO_ERROR`: told once.
    pub error: Option<Errno>,
    /// `RCV_SHUTDOWN`, `SEND_SHUTDOWN`.
    pub shut: u32,
    /// Calls that wait for it.
    pub waiters: WaitQueue,
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
            queue_cost_bytes: 0,
            error: None,
            shut: 0,
            waiters: WaitQueue(Vec::new()),
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

    /// Whether it is connected, or was: what it has lies in it, and not with the host.
    pub const fn is_used(&self) -> bool {
        self.shut != 0 || !matches!(self.peer, Peer::None)
    }

    /// Whether it is as it was made, but for its owner.
    pub fn is_fresh(&self) -> bool {
        !self.is_used() && self.waiters.is_empty() && self.mode == SOCKET_MODE
    }

    /// Bytes that lie in it.
    pub fn queued_bytes(&self) -> u64 {
        self.queue.iter().map(Packet::left).sum()
    }

    /// What a packet of so many bytes costs its sender.
    pub const fn cost_bytes(&self, length: u64) -> u64 {
        if self.is_stream() { stream_cost_bytes(length) } else { datagram_cost_bytes(length) }
    }
}

impl TextDefault for Socket {
    type Cold = ();
}

/// How much of `length` bytes goes into one packet of a stream.
pub const fn stream_packet_bytes(length: u64) -> u64 {
    // Half the buffer is less than this only where SO_SNDBUF made it smaller.
    let most = LINEAR_BYTES + PAGED_BYTES;
    if length < most { length } else { most }
}

/// A stream's packet fills its further pages first, whole if they are all it needs.
const fn stream_cost_bytes(length: u64) -> u64 {
    let paged = length.saturating_sub(LINEAR_BYTES).next_multiple_of(PAGE_BYTES);
    let in_pages = if paged < length { paged } else { length };
    let in_pages = if length <= LINEAR_BYTES { 0 } else { in_pages };
    buffer_bytes(length - in_pages) + in_pages.next_multiple_of(PAGE_BYTES)
}

const fn datagram_cost_bytes(length: u64) -> u64 {
    let beyond = length.saturating_sub(LINEAR_DATAGRAM_BYTES);
    let most = MAX_PAGES * PAGE_BYTES;
    let in_pages = if beyond < most { beyond } else { most }.next_multiple_of(PAGE_BYTES);
    buffer_bytes(length.saturating_sub(in_pages)) + in_pages
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
