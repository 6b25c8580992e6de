//! Sockets of the face (`shared/contract/SEMANTICS.md`, section 7): by number, owned by one
//! process, with hosts that are texts.
//!
//! They are no [`Socket`](super::socket::Socket): the contract has no descriptors of them, no
//! packets on their way, and counts what lies in all of them against limits of its own. Which is
//! behind which name is `tables/face_sockets.rs`'s; the calls are `calls/face_sockets.rs`'s and
//! `calls/face_streams.rs`'s.

use super::WaitQueue;
use super::pty::put_queue;
use crate::abi::Errno;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

/// The family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaceDomain {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
    /// By path.
    Unix,
}

crate::wire_enum!(FaceDomain { 0 Inet, 1 Inet6, 2 Unix });

/// Where a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaceState {
    /// Without a name.
    Created,
    /// With one.
    Bound,
    /// Takes connections.
    Listening,
    /// Connected.
    Connected,
}

crate::wire_enum!(FaceState { 0 Created, 1 Bound, 2 Listening, 3 Connected });

/// `SO_REUSEADDR` of datagrams.
pub const FACE_REUSE_ADDRESS: u32 = 1;
/// `SO_REUSEPORT`.
pub const FACE_REUSE_PORT: u32 = 2;
/// `SO_BROADCAST`, which is kept and does nothing.
pub const FACE_BROADCAST: u32 = 4;

/// A host, as its text, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaceHost {
    /// The host.
    pub host: Bytes,
    /// The port.
    pub port: u16,
}

crate::wire_struct!(FaceHost { host, port });

/// A connection that was not accepted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knock {
    /// From outside of the machine: it becomes a socket when it is accepted.
    Outside(FaceHost),
    /// From inside: it is one already.
    Inside(u64),
}

crate::wire_enum!(Knock { 0 Outside(host), 1 Inside(socket) });

/// What a listener has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// How many connections may wait.
    pub backlog: u64,
    /// Those that do.
    pub pending: VecDeque<Knock>,
}

impl Listening {
    /// EAGAIN if the list is full.
    pub(crate) fn has_room(&self) -> Result<(), Errno> {
        if self.pending.len() as u64 >= self.backlog { Err(Errno::EAGAIN) } else { Ok(()) }
    }
}

/// What a connected socket has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The socket at the other end, while it is there.
    pub peer: Option<u64>,
    /// What has come and was not read.
    pub received: VecDeque<u8>,
    /// No more reading.
    pub read_shut: bool,
    /// No more writing.
    pub write_shut: bool,
    /// The other end writes no more.
    pub peer_write_shut: bool,
}

/// A datagram that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceDatagram {
    /// Where it came from.
    pub source: FaceHost,
    /// What it says.
    pub data: Bytes,
}

crate::wire_struct!(FaceDatagram { source, data });

/// What a datagram socket has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Datagrams {
    /// What has come and was not read.
    pub received: VecDeque<FaceDatagram>,
    /// The bytes in it.
    pub bytes: u64,
    /// `FACE_*`.
    pub options: u32,
    /// Groups, each with the interface that was named.
    pub groups: BTreeSet<(Bytes, Option<Bytes>)>,
}

/// A socket of the face.
#[derive(Clone, Debug)]
pub struct FaceSocket {
    /// Whose it is.
    pub owner: u32,
    /// Its family.
    pub domain: FaceDomain,
    /// It carries datagrams, and no stream.
    pub is_datagram: bool,
    /// Where it is in its life.
    pub state: FaceState,
    /// Its own name.
    pub local: Option<FaceHost>,
    /// The other end's.
    pub remote: Option<FaceHost>,
    /// The same by path.
    pub local_path: Option<Bytes>,
    /// The same by path.
    pub remote_path: Option<Bytes>,
    /// Of a listener.
    pub listening: Option<Box<Listening>>,
    /// Of a connected socket.
    pub connection: Option<Connection>,
    /// Of datagrams.
    pub datagrams: Option<Box<Datagrams>>,
    /// The listener in whose list it stands.
    pub accepted_by: Option<u64>,
    /// Calls that wait for it.
    pub waiters: WaitQueue,
}

impl FaceSocket {
    /// One just made.
    pub const fn new(owner: u32, domain: FaceDomain, is_datagram: bool) -> Self {
        Self {
            owner,
            domain,
            is_datagram,
            state: FaceState::Created,
            local: None,
            remote: None,
            local_path: None,
            remote_path: None,
            listening: None,
            connection: None,
            datagrams: None,
            accepted_by: None,
            waiters: WaitQueue::EMPTY,
        }
    }

    /// Whether it is of the internet's families.
    pub fn is_inet(&self) -> bool {
        self.domain != FaceDomain::Unix
    }

    /// Whether it carries datagrams of the internet's families.
    pub fn is_udp(&self) -> bool {
        self.is_datagram && self.is_inet()
    }

    /// Whether an option is set.
    pub fn has(&self, option: u32) -> bool {
        self.datagrams.as_deref().is_some_and(|datagrams| datagrams.options & option != 0)
    }

    /// Bytes that lie in it.
    pub fn buffered_bytes(&self) -> u64 {
        let stream = self.connection.as_ref().map_or(0, |of| of.received.len() as u64);
        stream + self.datagram_bytes()
    }

    /// Those of them that datagrams are.
    pub fn datagram_bytes(&self) -> u64 {
        self.datagrams.as_deref().map_or(0, |of| of.bytes)
    }

    /// How many datagrams lie in it.
    pub fn datagram_count(&self) -> u64 {
        self.datagrams.as_deref().map_or(0, |of| of.received.len() as u64)
    }
}

impl<'a> Wire<'a> for Listening {
    fn put(&self, out: &mut Vec<u8>) {
        self.backlog.put(out);
        self.pending.iter().cloned().collect::<Vec<_>>().put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(Self { backlog: Wire::get(from)?, pending: Vec::get(from)?.into() })
    }
}

impl<'a> Wire<'a> for Connection {
    fn put(&self, out: &mut Vec<u8>) {
        self.peer.put(out);
        put_queue(&self.received, out);
        (self.read_shut, self.write_shut).put(out);
        self.peer_write_shut.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let peer = Wire::get(from)?;
        let received = Bytes::get(from)?.0.into();
        let (read_shut, write_shut) = Wire::get(from)?;
        Ok(Self { peer, received, read_shut, write_shut, peer_write_shut: Wire::get(from)? })
    }
}

impl<'a> Wire<'a> for Datagrams {
    fn put(&self, out: &mut Vec<u8>) {
        self.received.iter().cloned().collect::<Vec<_>>().put(out);
        self.options.put(out);
        self.groups.iter().cloned().collect::<Vec<_>>().put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let received: VecDeque<FaceDatagram> = Vec::get(from)?.into();
        let bytes = received.iter().map(|datagram| datagram.data.0.len() as u64).sum();
        let options = Wire::get(from)?;
        let groups: Vec<(Bytes, Option<Bytes>)> = Wire::get(from)?;
        Ok(Self { received, bytes, options, groups: groups.into_iter().collect() })
    }
}

impl<'a> Wire<'a> for FaceSocket {
    fn put(&self, out: &mut Vec<u8>) {
        self.owner.put(out);
        (self.domain, self.is_datagram).put(out);
        self.state.put(out);
        (self.local.clone(), self.remote.clone()).put(out);
        (self.local_path.clone(), self.remote_path.clone()).put(out);
        self.listening.put(out);
        self.connection.put(out);
        self.datagrams.put(out);
        self.accepted_by.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let owner = Wire::get(from)?;
        let (domain, is_datagram) = Wire::get(from)?;
        let state = Wire::get(from)?;
        let (local, remote) = Wire::get(from)?;
        let (local_path, remote_path) = Wire::get(from)?;
        Ok(Self {
            state,
            local,
            remote,
            local_path,
            remote_path,
            listening: Wire::get(from)?,
            connection: Wire::get(from)?,
            datagrams: Wire::get(from)?,
            accepted_by: Wire::get(from)?,
            ..Self::new(owner, domain, is_datagram)
        })
    }
}
