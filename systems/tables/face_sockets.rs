//! The face's sockets: by number, by owner, by name, and what all of them together have
//! (`shared/contract/SEMANTICS.md`, sections 7 and 10).

use crate::components::WaitQueue;
use crate::components::face_socket::{FaceHost, FaceSocket, FaceState};
use crate::memory::{DATAGRAM_BYTES, FACE_SOCKET_BYTES, KNOCK_BYTES};
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Of which names there are, each kind for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameKind {
    Stream,
    Datagram,
    Path,
}

/// A name that a socket is bound to; a path has the port 0.
type Name = (NameKind, Bytes, u16);

/// What all sockets together have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaceSocketCounts {
    /// Listeners.
    pub listeners: u64,
    /// Connected ones.
    pub connections: u64,
    /// Bytes in them.
    pub buffered_bytes: u64,
    /// Datagrams in them.
    pub datagrams: u64,
    /// What their paths and the connections that wait take of memory.
    pub(crate) kept_bytes: u64,
}

/// The sockets of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaceSockets {
    by_number: BTreeMap<u64, FaceSocket>,
    by_owner: BTreeSet<(u32, u64)>,
    by_name: BTreeMap<Name, BTreeSet<u64>>,
    /// The number given last.
    last: u64,
    counts: FaceSocketCounts,
    /// Calls that wait until all sockets together have room.
    pub(crate) room_waiters: WaitQueue,
}

impl FaceSockets {
    pub(crate) fn len(&self) -> u64 {
        self.by_number.len() as u64
    }

    /// What they take of memory.
    pub(crate) fn held_bytes(&self) -> u64 {
        let counts = &self.counts;
        let data = counts.buffered_bytes + counts.datagrams * DATAGRAM_BYTES;
        self.len() * FACE_SOCKET_BYTES + data + counts.kept_bytes
    }

    pub(crate) const fn counts(&self) -> FaceSocketCounts {
        self.counts
    }

    pub(crate) fn get(&self, number: u64) -> Option<&FaceSocket> {
        self.by_number.get(&number)
    }

    /// To change what is not counted. What is counted is changed by [`FaceSockets::change`].
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut FaceSocket> {
        self.by_number.get_mut(&number)
    }

    /// Changes a socket and what is counted of it.
    pub(crate) fn change<R>(
        &mut self,
        number: u64,
        change: impl FnOnce(&mut FaceSocket) -> R,
    ) -> Option<R> {
        let socket = self.by_number.get_mut(&number)?;
        let before = counts_of(socket);
        let result = change(socket);
        let after = counts_of(socket);
        self.count(before, after);
        Some(result)
    }

    fn count(&mut self, before: FaceSocketCounts, after: FaceSocketCounts) {
        let counts = &mut self.counts;
        counts.listeners = counts.listeners + after.listeners - before.listeners;
        counts.connections = counts.connections + after.connections - before.connections;
        counts.buffered_bytes =
            counts.buffered_bytes + after.buffered_bytes - before.buffered_bytes;
        counts.datagrams = counts.datagrams + after.datagrams - before.datagrams;
        counts.kept_bytes = counts.kept_bytes + after.kept_bytes - before.kept_bytes;
    }

    /// Adds a socket; gives its number. `None` when no number is left.
    pub(crate) fn add(&mut self, socket: FaceSocket) -> Option<u64> {
        let number = self.last.checked_add(1).filter(|number| i32::try_from(*number).is_ok())?;
        self.last = number;
        self.by_owner.insert((socket.owner, number));
        self.count(FaceSocketCounts::default(), counts_of(&socket));
        self.by_number.insert(number, socket);
        Some(number)
    }

    /// Takes a socket out, and its name.
    pub(crate) fn remove(&mut self, number: u64) -> Option<FaceSocket> {
        let socket = self.by_number.remove(&number)?;
        self.by_owner.remove(&(socket.owner, number));
        self.count(counts_of(&socket), FaceSocketCounts::default());
        // Who was accepted has the listener's name, and does not hold it.
        for name in names_of(&socket) {
            if let Some(all) = self.by_name.get_mut(&name)
                && all.remove(&number)
                && all.is_empty()
            {
                self.by_name.remove(&name);
            }
        }
        Some(socket)
    }

    /// The name of a socket, given by bind, is in use.
    pub(crate) fn hold_name(&mut self, number: u64) {
        let Some(socket) = self.by_number.get(&number) else { return };
        for name in names_of(socket) {
            self.by_name.entry(name).or_default().insert(number);
        }
    }

    /// Whether a socket's name is its own, by bind.
    pub(crate) fn holds_name(&self, number: u64) -> bool {
        let names = self.by_number.get(&number).map(names_of);
        let mut names = names.into_iter().flatten();
        names.any(|name| self.by_name.get(&name).is_some_and(|all| all.contains(&number)))
    }

    /// The sockets that are bound to a name, in the order of their numbers.
    pub(crate) fn named(
        &self,
        kind: NameKind,
        host: &[u8],
        port: u16,
    ) -> impl Iterator<Item = u64> {
        let name = (kind, Bytes(host.to_vec()), port);
        self.by_name.get(&name).into_iter().flatten().copied()
    }

    /// The numbers of a process's sockets, ascending.
    pub(crate) fn owned_by(&self, owner: u32) -> Vec<u64> {
        if self.by_owner.is_empty() {
            return Vec::new();
        }
        self.by_owner.range((owner, 0)..=(owner, u64::MAX)).map(|entry| entry.1).collect()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &FaceSocket)> {
        self.by_number.iter().map(|(number, socket)| (*number, socket))
    }

    /// Whether everything that follows from the sockets is as it must be.
    pub(crate) fn is_indexed(&self) -> bool {
        let mut again = FaceSockets { last: self.last, ..FaceSockets::default() };
        let mut linked = true;
        for (number, socket) in self.all() {
            again.by_owner.insert((socket.owner, number));
            again.count(FaceSocketCounts::default(), counts_of(socket));
            linked &= number <= self.last && self.is_linked(number, socket);
        }
        let named = self.by_name.iter().all(|(name, all)| {
            let is_its = |number: &u64| {
                self.get(*number).is_some_and(|of| names_of(of).any(|of| of == *name))
            };
            !all.is_empty() && all.iter().all(is_its)
        });
        linked && named && again.by_owner == self.by_owner && again.counts == self.counts
    }

    /// A connection has two ends, and who waits to be accepted is known to a listener.
    fn is_linked(&self, number: u64, socket: &FaceSocket) -> bool {
        let peer = socket.connection.as_ref().and_then(|of| of.peer);
        let back = |peer: u64| self.get(peer)?.connection.as_ref()?.peer;
        let state = match socket.state {
            FaceState::Connected => socket.connection.is_some() != socket.is_datagram,
            FaceState::Created | FaceState::Bound | FaceState::Listening => {
                socket.connection.is_none()
            }
        };
        let waits = socket.accepted_by.is_none_or(|listener| {
            use crate::components::face_socket::Knock;
            let listening = self.get(listener).and_then(|of| of.listening.as_deref());
            listening.is_some_and(|of| of.pending.contains(&Knock::Inside(number)))
        });
        state && waits && peer.is_none_or(|peer| back(peer) == Some(number))
    }
}

/// What a socket adds to the counts.
fn counts_of(socket: &FaceSocket) -> FaceSocketCounts {
    FaceSocketCounts {
        listeners: u64::from(socket.state == FaceState::Listening),
        connections: u64::from(socket.state == FaceState::Connected),
        buffered_bytes: socket.buffered_bytes(),
        datagrams: socket.datagram_count(),
        kept_bytes: kept_bytes(socket),
    }
}

fn kept_bytes(socket: &FaceSocket) -> u64 {
    let paths = [&socket.local_path, &socket.remote_path].into_iter().flatten();
    let pending = socket.listening.as_deref().map_or(0, |of| of.pending.len() as u64);
    paths.map(|path| path.0.len() as u64).sum::<u64>() + pending * KNOCK_BYTES
}

/// The names that a socket has, whether it holds them or not.
fn names_of(socket: &FaceSocket) -> impl Iterator<Item = Name> {
    let kind = if socket.is_datagram { NameKind::Datagram } else { NameKind::Stream };
    let host = socket.local.as_ref().map(|FaceHost { host, port }| (kind, host.clone(), *port));
    let path = socket.local_path.as_ref().map(|path| (NameKind::Path, path.clone(), 0));
    host.into_iter().chain(path)
}

impl<'a> Wire<'a> for FaceSockets {
    fn put(&self, out: &mut Vec<u8>) {
        self.last.put(out);
        (self.by_number.len() as u64).put(out);
        for (number, socket) in &self.by_number {
            (*number, self.holds_name(*number)).put(out);
            socket.put(out);
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("sockets in the order of their numbers");
        let mut sockets = FaceSockets::default();
        let last = u64::get(from)?;
        for _ in 0..u64::get(from)? {
            from.charge(FACE_SOCKET_BYTES)?;
            let (number, named): (u64, bool) = Wire::get(from)?;
            let socket = FaceSocket::get(from)?;
            if number == 0 || number > last || sockets.by_number.contains_key(&number) {
                return Err(error);
            }
            sockets.last = number - 1;
            sockets.add(socket).ok_or(error)?;
            if named {
                sockets.hold_name(number);
            }
        }
        sockets.last = last;
        Ok(sockets)
    }
}
