//! Sockets as data: addresses, kinds, states, datagrams (SEMANTICS.md section 7).
//!
//! The table itself is the kernel's, which fills the records.

use super::error::coded_error;
use std::collections::BTreeSet;
use tickernel_systems::wire::Bytes;
use tickernel_systems::{
    FACE_BROADCAST, FACE_REUSE_ADDRESS, FACE_REUSE_PORT, FaceDomain, FaceHost, FaceSocket,
    FaceState,
};

/// The number of a socket: from 1, a number space of its own, not that of descriptors.
pub type SocketId = u64;

/// What a call on a socket answers.
pub type SocketResult<T> = Result<T, SocketTableError>;

coded_error! {
    /// Why a call on a socket was refused.
    SocketTableError, pub(crate)
}

/// What became possible on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketReadinessKind {
    /// There is something to read.
    Data,
    /// There is a connection to accept.
    Accept,
}

/// A socket on which something became possible that was not before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketReadiness {
    /// The socket.
    pub socket_id: SocketId,
    /// What became possible.
    pub kind: SocketReadinessKind,
}

/// An address of the internet family. The host is text and compared as such.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InetSocketAddress {
    host: String,
    port: u16,
}

impl InetSocketAddress {
    /// An address; nothing about the host is checked.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// The host, as given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// The family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketDomain {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
    /// By path.
    Unix,
}

/// How a socket carries data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketType {
    /// As a stream of bytes.
    Stream,
    /// As datagrams.
    Datagram,
}

/// Where a socket is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketState {
    /// Without an address.
    Created,
    /// With an address.
    Bound,
    /// Taking connections.
    Listening,
    /// Connected.
    Connected,
}

impl SocketState {
    /// Whether it counts among the listeners.
    pub const fn counts_as_listener(self) -> bool {
        matches!(self, Self::Listening)
    }

    /// Whether it counts among the connections.
    pub const fn counts_as_connection(self) -> bool {
        matches!(self, Self::Connected)
    }
}

/// The directions that shutdown(2) closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketShutdown {
    /// No more reading.
    Read,
    /// No more writing.
    Write,
    /// Neither.
    Both,
}

/// A switch of a datagram socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatagramSocketOption {
    /// `SO_REUSEADDR`.
    ReuseAddr,
    /// `SO_REUSEPORT`.
    ReusePort,
    /// `SO_BROADCAST`; kept, but nothing is broadcast.
    Broadcast,
}

/// The kind of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketSpec {
    /// Its family.
    pub domain: SocketDomain,
    /// How it carries data.
    pub socket_type: SocketType,
}

impl SocketSpec {
    /// A kind.
    pub const fn new(domain: SocketDomain, socket_type: SocketType) -> Self {
        Self { domain, socket_type }
    }

    fn of(socket: &FaceSocket) -> Self {
        let domain = match socket.domain {
            FaceDomain::Inet => SocketDomain::Inet,
            FaceDomain::Inet6 => SocketDomain::Inet6,
            FaceDomain::Unix => SocketDomain::Unix,
        };
        let kind = if socket.is_datagram { SocketType::Datagram } else { SocketType::Stream };
        Self::new(domain, kind)
    }

    /// A stream over IPv4.
    pub const fn tcp() -> Self {
        Self::new(SocketDomain::Inet, SocketType::Stream)
    }

    /// Datagrams over IPv4.
    pub const fn udp() -> Self {
        Self::new(SocketDomain::Inet, SocketType::Datagram)
    }

    /// A stream by path.
    pub const fn unix_stream() -> Self {
        Self::new(SocketDomain::Unix, SocketType::Stream)
    }

    /// Datagrams by path.
    pub const fn unix_datagram() -> Self {
        Self::new(SocketDomain::Unix, SocketType::Datagram)
    }
}

/// A multicast group that a socket is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketMulticastMembership {
    group_address: String,
    interface_address: Option<String>,
}

impl SocketMulticastMembership {
    /// A membership; the kernel checks the group, trims and lower-cases the interface.
    pub fn new(group_address: impl Into<String>, interface_address: Option<String>) -> Self {
        Self { group_address: group_address.into(), interface_address }
    }

    /// The group.
    pub fn group_address(&self) -> &str {
        &self.group_address
    }

    /// The interface, if one was named.
    pub fn interface_address(&self) -> Option<&str> {
        self.interface_address.as_deref()
    }
}

/// A datagram that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedDatagram {
    pub(crate) source_address: Option<InetSocketAddress>,
    pub(crate) payload: Vec<u8>,
}

impl ReceivedDatagram {
    /// Where it came from.
    pub fn source_address(&self) -> Option<&InetSocketAddress> {
        self.source_address.as_ref()
    }

    /// What it says.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Both.
    pub fn into_parts(self) -> (Option<InetSocketAddress>, Vec<u8>) {
        (self.source_address, self.payload)
    }
}

/// A socket as it is at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketRecord {
    pub(crate) id: SocketId,
    pub(crate) owner_pid: u32,
    pub(crate) spec: SocketSpec,
    pub(crate) state: SocketState,
    pub(crate) local_address: Option<InetSocketAddress>,
    pub(crate) peer_address: Option<InetSocketAddress>,
    pub(crate) local_unix_path: Option<String>,
    pub(crate) peer_unix_path: Option<String>,
    pub(crate) listen_backlog: Option<usize>,
    pub(crate) pending_accept_count: usize,
    pub(crate) peer_socket_id: Option<SocketId>,
    pub(crate) buffered_read_bytes: usize,
    pub(crate) read_shutdown: bool,
    pub(crate) write_shutdown: bool,
    pub(crate) peer_write_shutdown: bool,
    pub(crate) queued_datagrams: usize,
    pub(crate) queued_datagram_bytes: usize,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) broadcast: bool,
    pub(crate) multicast_memberships: BTreeSet<SocketMulticastMembership>,
}

impl SocketRecord {
    /// A socket of the core's.
    pub(crate) fn of(id: SocketId, socket: &FaceSocket) -> Self {
        let text = |bytes: &Bytes| String::from_utf8_lossy(&bytes.0).into_owned();
        let address = |host: &FaceHost| InetSocketAddress::new(text(&host.host), host.port);
        let listening = socket.listening.as_deref();
        let connection = socket.connection.as_ref();
        let groups = socket.datagrams.iter().flat_map(|datagrams| &datagrams.groups);
        Self {
            id,
            owner_pid: socket.owner,
            spec: SocketSpec::of(socket),
            state: match socket.state {
                FaceState::Created => SocketState::Created,
                FaceState::Bound => SocketState::Bound,
                FaceState::Listening => SocketState::Listening,
                FaceState::Connected => SocketState::Connected,
            },
            local_address: socket.local.as_ref().map(address),
            peer_address: socket.remote.as_ref().map(address),
            local_unix_path: socket.local_path.as_ref().map(text),
            peer_unix_path: socket.remote_path.as_ref().map(text),
            listen_backlog: listening.map(|of| of.backlog as usize),
            pending_accept_count: listening.map_or(0, |of| of.pending.len()),
            peer_socket_id: connection.and_then(|of| of.peer),
            buffered_read_bytes: connection.map_or(0, |of| of.received.len()),
            read_shutdown: connection.is_some_and(|of| of.read_shut),
            write_shutdown: connection.is_some_and(|of| of.write_shut),
            peer_write_shutdown: connection.is_some_and(|of| of.peer_write_shut),
            queued_datagrams: socket.datagram_count() as usize,
            queued_datagram_bytes: socket.datagram_bytes() as usize,
            reuse_address: socket.has(FACE_REUSE_ADDRESS),
            reuse_port: socket.has(FACE_REUSE_PORT),
            broadcast: socket.has(FACE_BROADCAST),
            multicast_memberships: groups
                .map(|(group, interface)| SocketMulticastMembership {
                    group_address: text(group),
                    interface_address: interface.as_ref().map(text),
                })
                .collect(),
        }
    }

    /// Its number.
    pub const fn id(&self) -> SocketId {
        self.id
    }

    /// The process that owns it.
    pub const fn owner_pid(&self) -> u32 {
        self.owner_pid
    }

    /// Its kind.
    pub const fn spec(&self) -> SocketSpec {
        self.spec
    }

    /// Where it is in its life.
    pub const fn state(&self) -> SocketState {
        self.state
    }

    /// Its address.
    pub fn local_address(&self) -> Option<&InetSocketAddress> {
        self.local_address.as_ref()
    }

    /// The other side's address.
    pub fn peer_address(&self) -> Option<&InetSocketAddress> {
        self.peer_address.as_ref()
    }

    /// Its path.
    pub fn local_unix_path(&self) -> Option<&str> {
        self.local_unix_path.as_deref()
    }

    /// The other side's path.
    pub fn peer_unix_path(&self) -> Option<&str> {
        self.peer_unix_path.as_deref()
    }

    /// How many connections may wait, for a listener.
    pub fn listen_backlog(&self) -> Option<usize> {
        self.listen_backlog
    }

    /// How many connections wait.
    pub fn pending_accept_count(&self) -> usize {
        self.pending_accept_count
    }

    /// The other side, when it is a socket here.
    pub fn peer_socket_id(&self) -> Option<SocketId> {
        self.peer_socket_id
    }

    /// Bytes of the stream that wait to be read.
    pub fn buffered_read_bytes(&self) -> usize {
        self.buffered_read_bytes
    }

    /// Whether its reading side is shut.
    pub fn read_shutdown(&self) -> bool {
        self.read_shutdown
    }

    /// Whether its writing side is shut.
    pub fn write_shutdown(&self) -> bool {
        self.write_shutdown
    }

    /// Whether the other side will write no more.
    pub fn peer_write_shutdown(&self) -> bool {
        self.peer_write_shutdown
    }

    /// Datagrams that wait.
    pub fn queued_datagrams(&self) -> usize {
        self.queued_datagrams
    }

    /// Bytes of the datagrams that wait.
    pub fn queued_datagram_bytes(&self) -> usize {
        self.queued_datagram_bytes
    }

    /// Whether `SO_REUSEADDR` is set.
    pub fn reuse_address(&self) -> bool {
        self.reuse_address
    }

    /// Whether `SO_REUSEPORT` is set.
    pub fn reuse_port(&self) -> bool {
        self.reuse_port
    }

    /// Whether `SO_BROADCAST` is set.
    pub fn broadcast_enabled(&self) -> bool {
        self.broadcast
    }

    /// How many multicast groups it is in.
    pub fn multicast_membership_count(&self) -> usize {
        self.multicast_memberships.len()
    }

    /// Whether it is in this group.
    pub fn has_multicast_membership(&self, membership: &SocketMulticastMembership) -> bool {
        self.multicast_memberships.contains(membership)
    }
}
