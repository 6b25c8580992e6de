//! The face's family of sockets, part 1: made, bound, listening, connected, accepted, closed
//! (`shared/contract/SEMANTICS.md`, section 7). What goes through them is
//! `calls/face_streams.rs`'s.
//!
//! Nothing here waits: what cannot be done now is EAGAIN, and who wants to know when it can polls.

use crate::abi::Errno;
use crate::components::face_socket::*;
use crate::event::{Answer, Call, Effect, Output};
use crate::kernel::{CallResult, Changed, Kernel};
use crate::tables::face_sockets::{FaceSockets, NameKind};
use crate::watchers::Wake;
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Longest text of a host (gethostname(2), HOST_NAME_MAX with room for more).
const HOST_BYTES: usize = 255;
/// Longest path of a socket.
const PATH_BYTES: usize = 4096;
/// The ports that are given where none is named (ip(7), `ip_local_port_range` of the contract).
const EPHEMERAL_PORTS: core::ops::RangeInclusive<u16> = 49_152..=65_535;
/// The first of the calls on sockets; all that follow are, too.
const FIRST_OF_SOCKETS: u32 = 65_571;
/// Hosts of which one means the other: the second stands for all of a family.
const WILDCARDS: [(&[u8], &[u8]); 2] = [(b"127.0.0.1", b"0.0.0.0"), (b"::1", b"::")];

impl Kernel {
    /// A call on a socket.
    pub(crate) fn socket_call(&mut self, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FaceSocket { target, domain, kind } => self.face_socket(target, domain, kind),
            Call::FaceBind { target, socket, host, port } => {
                self.face_bind(target, socket, host, port_of(port)?)
            }
            Call::FaceBindUnix { target, socket, path } => {
                self.face_bind_unix(target, socket, path)
            }
            Call::FaceListen { target, socket, backlog } => {
                self.face_listen(target, socket, backlog)
            }
            Call::FaceIncoming { target, socket, host, port } => {
                self.face_incoming(target, socket, host, port_of(port)?)
            }
            Call::FaceAccept { target, socket } => self.face_accept(target, socket),
            Call::FaceConnect { target, socket, host, port } => {
                self.face_connect(target, socket, host, port_of(port)?)
            }
            Call::FaceConnectUnix { target, socket, path } => {
                self.face_connect_unix(target, socket, path)
            }
            Call::FaceConnectPair { target, socket, peer } => {
                self.face_connect_pair(target, socket, peer)
            }
            Call::FaceSocketState { target, socket, state } => {
                self.face_socket_state(target, socket, state)
            }
            Call::FaceSocketClose { target, socket } => self.face_socket_close(target, socket),
            Call::FaceTell { on } => {
                self.face.tells_readiness = on != 0;
                Ok(Answer::default())
            }
            Call::FaceResolved { .. } => Ok(Answer::default()),
            ref other => self.stream_call(other),
        }
    }

    /// A socket that is the process's.
    ///
    /// # Errors
    /// `ENOENT` for a number that no socket has, `EPERM` for another process's.
    pub fn face_socket_of(&self, pid: u32, number: u64) -> Result<&FaceSocket, Errno> {
        let socket = self.face.sockets.get(number).ok_or(Errno::ENOENT)?;
        if socket.owner == pid { Ok(socket) } else { Err(Errno::EPERM) }
    }

    /// Changes sockets, and counts what they take. Who waits for room hears of it.
    pub(crate) fn change_sockets<R>(&mut self, change: impl FnOnce(&mut FaceSockets) -> R) -> R {
        let (before, full) = (self.face.sockets.held_bytes(), self.sockets_are_full());
        let result = change(&mut self.face.sockets);
        let after = self.face.sockets.held_bytes();
        self.unhold_bytes(before);
        self.hold_bytes(after);
        if full != self.sockets_are_full() && !self.face.sockets.room_waiters.is_empty() {
            self.woken(Changed::FaceRoom, Wake::ANY);
        }
        result
    }

    /// Whether streams, and whether datagrams, have no room.
    pub(crate) fn sockets_are_full(&self) -> [bool; 2] {
        let (counts, limits) = (self.face.sockets.counts(), &self.config.face.limits);
        let bytes = counts.buffered_bytes >= limits.max_socket_buffered_bytes;
        [bytes, bytes || counts.datagrams >= limits.max_socket_datagram_queue_len]
    }

    /// EAGAIN if there would be too many sockets or too many of them connected.
    fn room_for_sockets(&self, sockets: u64, connections: u64) -> Result<(), Errno> {
        let limits = &self.config.face.limits;
        let have = &self.face.sockets;
        let too_many = have.len().saturating_add(sockets) > limits.max_sockets
            || have.counts().connections.saturating_add(connections) > limits.max_connections;
        if too_many {
            return Err(Errno::EAGAIN);
        }
        let bytes = sockets * (crate::memory::FACE_SOCKET_BYTES + 2 * PATH_BYTES as u64);
        if self.has_memory(bytes) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// socket_create.
    pub(crate) fn face_socket(&mut self, target: u32, domain: u32, kind: u32) -> CallResult {
        let domain = match domain {
            0 => FaceDomain::Inet,
            1 => FaceDomain::Inet6,
            2 => FaceDomain::Unix,
            _ => return Err(Errno::EINVAL.into()),
        };
        if kind > 1 {
            return Err(Errno::EINVAL.into());
        }
        self.pids.process(target).ok_or(Errno::ESRCH)?;
        self.room_for_sockets(1, 0)?;
        self.add_socket(FaceSocket::new(target, domain, kind == 1))
    }

    fn add_socket(&mut self, socket: FaceSocket) -> CallResult {
        let number = self.change_sockets(|sockets| sockets.add(socket)).ok_or(Errno::EAGAIN)?;
        Ok(Answer::value(number as i64))
    }

    /// socket_bind_inet: the same name again is passed over.
    pub(crate) fn face_bind(
        &mut self,
        target: u32,
        number: u64,
        host: &[u8],
        port: u16,
    ) -> CallResult {
        let socket = self.face_socket_of(target, number)?;
        if !socket.is_inet() {
            return Err(Errno::EINVAL.into());
        }
        let kind = if socket.is_datagram { NameKind::Datagram } else { NameKind::Stream };
        let host = host_of(host)?;
        if socket.state == FaceState::Bound
            && socket.local.as_ref().is_some_and(|own| own.host == host && own.port == port)
        {
            return Ok(Answer::default());
        }
        let port = match port {
            0 => EPHEMERAL_PORTS
                .into_iter()
                .find(|port| !self.is_named_already(number, kind, &host.0, *port)),
            named => {
                Some(named).filter(|port| !self.is_named_already(number, kind, &host.0, *port))
            }
        };
        let local = FaceHost { host, port: port.ok_or(Errno::EADDRINUSE)? };
        if socket.state != FaceState::Created {
            return Err(Errno::EINVAL.into());
        }
        self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                (socket.local, socket.state) = (Some(local), FaceState::Bound);
            });
            sockets.hold_name(number);
        });
        Ok(Answer::default())
    }

    /// Whether another socket has the name, or one that means the same, and does not share it.
    fn is_named_already(&self, number: u64, kind: NameKind, host: &[u8], port: u16) -> bool {
        let sockets = &self.face.sockets;
        let shares = |option: u32, other: &FaceSocket| {
            other.has(option) && sockets.get(number).is_some_and(|own| own.has(option))
        };
        let other_name = WILDCARDS.iter().find_map(|(one, all)| match host {
            host if host == *one => Some(*all),
            host if host == *all => Some(*one),
            _ => None,
        });
        let names = [Some(host), other_name].into_iter().flatten();
        let mut others = names.flat_map(|host| sockets.named(kind, host, port));
        others.any(|other| {
            other != number
                && sockets.get(other).is_some_and(|other| {
                    !shares(FACE_REUSE_PORT, other) && !shares(FACE_REUSE_ADDRESS, other)
                })
        })
    }

    /// socket_bind_unix: no file appears.
    pub(crate) fn face_bind_unix(&mut self, target: u32, number: u64, path: &[u8]) -> CallResult {
        let socket = self.face_socket_of(target, number)?;
        if socket.is_inet() || socket.is_datagram {
            return Err(Errno::EINVAL.into());
        }
        let path = path_of(path)?;
        if path.0 == b"/" {
            return Err(Errno::EINVAL.into());
        }
        if socket.state == FaceState::Bound && socket.local_path.as_ref() == Some(&path) {
            return Ok(Answer::default());
        }
        let taken =
            self.face.sockets.named(NameKind::Path, &path.0, 0).any(|other| other != number);
        if taken {
            return Err(Errno::EADDRINUSE.into());
        }
        if socket.state != FaceState::Created {
            return Err(Errno::EINVAL.into());
        }
        self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                (socket.local_path, socket.state) = (Some(path), FaceState::Bound);
            });
            sockets.hold_name(number);
        });
        Ok(Answer::default())
    }

    /// socket_listen.
    pub(crate) fn face_listen(&mut self, target: u32, number: u64, backlog: u64) -> CallResult {
        let socket = self.face_socket_of(target, number)?;
        let named = socket.local.is_some() || socket.local_path.is_some();
        if backlog == 0 || socket.is_datagram || socket.state != FaceState::Bound || !named {
            return Err(Errno::EINVAL.into());
        }
        self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                let pending = socket.listening.take().map_or_else(VecDeque::new, |of| of.pending);
                socket.listening = Some(Box::new(Listening { backlog, pending }));
                socket.state = FaceState::Listening;
            })
        });
        self.face_socket_changed(number);
        Ok(Answer::default())
    }

    /// A listener: EINVAL for all others.
    fn listener(&self, number: u64) -> Result<(&FaceSocket, &Listening), Errno> {
        let socket = self.face.sockets.get(number).ok_or(Errno::ENOENT)?;
        let list = socket.listening.as_deref().ok_or(Errno::EINVAL)?;
        if socket.state == FaceState::Listening { Ok((socket, list)) } else { Err(Errno::EINVAL) }
    }

    /// A connection comes into a listener's list.
    fn add_knock(&mut self, listener: u64, knock: Knock) {
        let pending = self.change_sockets(|sockets| {
            sockets.change(listener, |socket| {
                let Some(list) = socket.listening.as_deref_mut() else { return 0 };
                list.pending.push_back(knock);
                list.pending.len()
            })
        });
        self.face_socket_changed(listener);
        if pending == Some(1) {
            self.tell_ready(listener, true);
        }
    }

    /// socket_queue_incoming_tcp_connection.
    pub(crate) fn face_incoming(
        &mut self,
        target: u32,
        number: u64,
        host: &[u8],
        port: u16,
    ) -> CallResult {
        self.face_socket_of(target, number)?;
        self.listener(number)?.1.has_room()?;
        if host.len() > HOST_BYTES {
            return Err(Errno::EINVAL.into());
        }
        if !self.has_memory(crate::memory::KNOCK_BYTES) {
            return Err(Errno::ENOMEM.into());
        }
        self.add_knock(number, Knock::Outside(FaceHost { host: Bytes(host.to_vec()), port }));
        Ok(Answer::default())
    }

    /// socket_accept: the oldest connection of the list.
    pub(crate) fn face_accept(&mut self, target: u32, number: u64) -> CallResult {
        self.face_socket_of(target, number)?;
        self.room_for_sockets(1, 1)?;
        let (listener, list) = self.listener(number)?;
        let first = list.pending.front().ok_or(Errno::EAGAIN)?.clone();
        let (domain, local) = (listener.domain, listener.local.clone());
        self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                socket.listening.as_deref_mut().and_then(|list| list.pending.pop_front())
            })
        });
        match first {
            Knock::Inside(accepted) => {
                if let Some(socket) = self.face.sockets.get_mut(accepted) {
                    socket.accepted_by = None;
                }
                Ok(Answer::value(accepted as i64))
            }
            Knock::Outside(remote) => self.add_socket(FaceSocket {
                state: FaceState::Connected,
                local,
                remote: Some(remote),
                connection: Some(Connection::default()),
                ..FaceSocket::new(target, domain, false)
            }),
        }
    }

    /// Who is behind a host and a port: under the very name, or under the one for all.
    pub(crate) fn behind_host(&self, kind: NameKind, host: &[u8], port: u16) -> Option<u64> {
        let sockets = &self.face.sockets;
        let all = WILDCARDS.iter().find(|(one, _)| *one == host).map(|(_, all)| *all);
        let mut found = [Some(host), all].into_iter().flatten();
        found.find_map(|host| sockets.named(kind, host, port).next())
    }

    /// socket_connect_inet_loopback.
    pub(crate) fn face_connect(
        &mut self,
        target: u32,
        number: u64,
        host: &[u8],
        port: u16,
    ) -> CallResult {
        self.face_socket_of(target, number)?;
        let host = host_of(host)?;
        let listener = self.behind_host(NameKind::Stream, &host.0, port);
        self.connect_inside(number, listener.ok_or(Errno::ECONNREFUSED)?)
    }

    /// socket_connect_unix.
    pub(crate) fn face_connect_unix(
        &mut self,
        target: u32,
        number: u64,
        path: &[u8],
    ) -> CallResult {
        self.face_socket_of(target, number)?;
        let path = path_of(path)?;
        let listener = self.face.sockets.named(NameKind::Path, &path.0, 0).next();
        self.connect_inside(number, listener.ok_or(Errno::ECONNREFUSED)?)
    }

    /// Connects a client to a listener: what is accepted later is there at once.
    fn connect_inside(&mut self, client: u64, listener: u64) -> CallResult {
        self.room_for_sockets(1, 2)?;
        let (taker, list) = self.listener(listener)?;
        let from = self.may_connect(client)?;
        list.has_room()?;
        let accepted = FaceSocket {
            state: FaceState::Connected,
            local: taker.local.clone(),
            // By the listener's family: a client of another one has no name there.
            remote: from.local.clone().filter(|_| taker.is_inet()),
            local_path: taker.local_path.clone(),
            remote_path: from.local_path.clone().filter(|_| !taker.is_inet()),
            connection: Some(Connection { peer: Some(client), ..Connection::default() }),
            accepted_by: Some(listener),
            ..FaceSocket::new(taker.owner, taker.domain, false)
        };
        let (remote, remote_path) = (accepted.local.clone(), accepted.local_path.clone());
        let accepted = self.change_sockets(|sockets| sockets.add(accepted)).ok_or(Errno::EAGAIN)?;
        self.become_connected(client, Some(accepted), |socket| {
            (socket.remote, socket.remote_path) = (remote, remote_path);
        });
        self.add_knock(listener, Knock::Inside(accepted));
        Ok(Answer::default())
    }

    /// A stream that is not connected yet: EINVAL for all others.
    fn may_connect(&self, number: u64) -> Result<&FaceSocket, Errno> {
        let socket = self.face.sockets.get(number).ok_or(Errno::ENOENT)?;
        match socket.state {
            FaceState::Created | FaceState::Bound if !socket.is_datagram => Ok(socket),
            FaceState::Created | FaceState::Bound | FaceState::Listening | FaceState::Connected => {
                Err(Errno::EINVAL)
            }
        }
    }

    fn become_connected(
        &mut self,
        number: u64,
        peer: Option<u64>,
        more: impl FnOnce(&mut FaceSocket),
    ) {
        self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                socket.state = FaceState::Connected;
                socket.connection = Some(Connection { peer, ..Connection::default() });
                more(socket);
            })
        });
        self.face_socket_changed(number);
    }

    /// socket_connect_pair. Who owns the other one has been asked.
    pub(crate) fn face_connect_pair(&mut self, target: u32, one: u64, other: u64) -> CallResult {
        self.face_socket_of(target, one)?;
        self.face.sockets.get(other).ok_or(Errno::ENOENT)?;
        self.room_for_sockets(0, 2)?;
        if one == other {
            return Err(Errno::EINVAL.into());
        }
        let names = |socket: &FaceSocket| (socket.local.clone(), socket.local_path.clone());
        let ends = [names(self.may_connect(one)?), names(self.may_connect(other)?)];
        let [of_one, of_other] = ends;
        for (number, peer, (remote, path)) in [(one, other, of_other), (other, one, of_one)] {
            self.become_connected(number, Some(peer), |socket| {
                (socket.remote, socket.remote_path) = (remote, path);
            });
        }
        Ok(Answer::default())
    }

    /// socket_set_state: forced, but nothing leaves Connected.
    pub(crate) fn face_socket_state(&mut self, target: u32, number: u64, state: u32) -> CallResult {
        let socket = self.face_socket_of(target, number)?;
        let state = match state {
            0 => FaceState::Created,
            1 => FaceState::Bound,
            2 => FaceState::Listening,
            3 => FaceState::Connected,
            _ => return Err(Errno::EINVAL.into()),
        };
        match (socket.state, state) {
            (FaceState::Connected, FaceState::Connected) => {}
            (FaceState::Connected, _) => return Err(Errno::EINVAL.into()),
            (_, FaceState::Connected) => {
                self.room_for_sockets(0, 1)?;
                let datagram = socket.is_datagram;
                self.become_connected(number, None, |socket| {
                    // A stream has an end that nobody is at; datagrams have none.
                    socket.connection.take_if(|_| datagram);
                });
            }
            _ => {
                self.change_sockets(|sockets| {
                    sockets.change(number, |socket| socket.state = state)
                });
                self.face_socket_changed(number);
            }
        }
        if state != FaceState::Listening {
            self.end_listening(number);
        }
        Ok(Answer::default())
    }

    /// socket_close.
    pub(crate) fn face_socket_close(&mut self, target: u32, number: u64) -> CallResult {
        self.face_socket_of(target, number)?;
        self.drop_socket(number);
        Ok(Answer::default())
    }

    /// A process has ended: its sockets are closed.
    pub(crate) fn drop_sockets_of(&mut self, owner: u32) {
        for number in self.face.sockets.owned_by(owner) {
            self.drop_socket(number);
        }
    }

    /// A socket is gone: its peer sees the end, and so do the clients of those that were not
    /// accepted.
    fn drop_socket(&mut self, number: u64) {
        let Some(socket) = self.change_sockets(|sockets| sockets.remove(number)) else { return };
        if let Some(peer) = socket.connection.and_then(|of| of.peer) {
            if let Some(of) = self.face.sockets.get_mut(peer).and_then(|of| of.connection.as_mut())
            {
                (of.peer, of.peer_write_shut) = (None, true);
            }
            self.face_socket_changed(peer);
        }
        if let Some(listener) = socket.accepted_by {
            self.change_sockets(|sockets| {
                sockets.change(listener, |of| {
                    if let Some(list) = of.listening.as_deref_mut() {
                        list.pending.retain(|knock| *knock != Knock::Inside(number));
                    }
                })
            });
        }
        let waiters: Vec<(u64, u32)> = socket.waiters.0;
        for (since, tid) in waiters {
            self.note(Changed::Waiter { tid, since });
        }
        self.drop_list(socket.listening);
    }

    /// A socket takes no connections any more: those that wait are closed.
    fn end_listening(&mut self, number: u64) {
        let list =
            self.change_sockets(|sockets| sockets.change(number, |socket| socket.listening.take()));
        self.drop_list(list.flatten());
    }

    fn drop_list(&mut self, list: Option<Box<Listening>>) {
        for knock in list.into_iter().flat_map(|list| list.pending) {
            if let Knock::Inside(accepted) = knock {
                if let Some(socket) = self.face.sockets.get_mut(accepted) {
                    socket.accepted_by = None;
                }
                self.drop_socket(accepted);
            }
        }
    }

    /// Who waits for a socket looks again.
    pub(crate) fn face_socket_changed(&mut self, number: u64) {
        let waits = |socket: &FaceSocket| !socket.waiters.is_empty();
        if self.face.sockets.get(number).is_some_and(waits) {
            self.woken(Changed::FaceSocket(number), Wake::ANY);
        }
    }

    /// The host hears that a socket has become ready, if it wants to.
    pub(crate) fn tell_ready(&mut self, socket: u64, accept: bool) {
        if self.face.tells_readiness {
            self.outbox.push_back(Output::Effect(Effect::Ready { socket, accept }));
        }
    }
}

/// Whether a call is one on a socket.
pub(crate) fn is_of_socket(call: &Call<'_>) -> bool {
    call.number() >= FIRST_OF_SOCKETS
}

pub(crate) fn port_of(port: u32) -> Result<u16, Errno> {
    u16::try_from(port).map_err(|_| Errno::EINVAL)
}

/// A host's text: `localhost` is 127.0.0.1, all others stand for themselves.
pub(crate) fn host_of(host: &[u8]) -> Result<Bytes, Errno> {
    if host.len() > HOST_BYTES {
        return Err(Errno::EINVAL);
    }
    let is_local = host.eq_ignore_ascii_case(b"localhost");
    Ok(Bytes(if is_local { b"127.0.0.1".to_vec() } else { host.to_vec() }))
}

/// A path from `/`, its dots resolved.
fn path_of(path: &[u8]) -> Result<Bytes, Errno> {
    let path = super::face_files::normalize(path, b"");
    if path.len() > PATH_BYTES { Err(Errno::ENAMETOOLONG) } else { Ok(Bytes(path)) }
}
