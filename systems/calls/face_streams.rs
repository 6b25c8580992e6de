//! The face's family of sockets, part 2: bytes, datagrams, shutdown, options, groups, and what a
//! poll says (`shared/contract/SEMANTICS.md`, sections 6 and 7).
//!
//! Not here, because the contract has none of it: waits of reads and writes, parts of writes,
//! SIGPIPE, delivery to groups and by broadcast.

use super::face_sockets::{host_of, port_of};
use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::face_socket::*;
use crate::components::pty::take_front;
use crate::event::{Answer, Call, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::memory::DATAGRAM_BYTES;
use crate::tables::face_sockets::NameKind;
use crate::wire::Bytes;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Groups of one socket at most (ip(7), `igmp_max_memberships`).
const GROUPS_MAX: usize = 20;
/// Longest name of an interface that a membership may have.
const INTERFACE_BYTES: usize = 64;

impl Kernel {
    /// A call on what goes through a socket.
    pub(crate) fn stream_call(&mut self, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FaceSend { target, socket, data } => self.face_send(target, socket, data),
            Call::FaceReceive { target, socket, count } => self.face_receive(target, socket, count),
            Call::FaceShutdown { target, socket, how } => self.face_shutdown(target, socket, how),
            Call::FaceSendTo { target, socket, host, port, data } => {
                self.face_send_to(target, socket, (host, port_of(port)?), data)
            }
            Call::FaceRecvFrom { target, socket, count } => {
                self.face_recv_from(target, socket, count)
            }
            Call::FaceDatagramOption { target, socket, option, enabled } => {
                self.face_datagram_option(target, socket, option, enabled != 0)
            }
            Call::FaceMembership { target, socket, group, interface, join } => {
                self.face_membership(target, socket, (group, interface), join != 0)
            }
            // Calls that only a task makes.
            _ => Err(Errno::ENOSYS.into()),
        }
    }

    /// socket_write: all of it or nothing. EPIPE comes without a signal.
    pub(crate) fn face_send(&mut self, target: u32, number: u64, data: &[u8]) -> CallResult {
        let socket = self.face_socket_of(target, number)?;
        let own = socket.connection.as_ref().ok_or(Errno::ENOTCONN)?;
        let peer = own.peer.filter(|_| !own.write_shut).ok_or(Errno::EPIPE)?;
        let other = self.face.sockets.get(peer).and_then(|of| of.connection.as_ref());
        if other.is_none_or(|other| other.read_shut) {
            return Err(Errno::EPIPE.into());
        }
        self.room_for_data(data.len() as u64)?;
        self.change_sockets(|sockets| {
            sockets.change(peer, |socket| {
                let received = socket.connection.as_mut().map(|of| &mut of.received);
                received.into_iter().for_each(|queue| queue.extend(data));
            })
        });
        let first = self.face.sockets.get(peer).map(FaceSocket::buffered_bytes);
        if !data.is_empty() {
            self.face_socket_changed(peer);
            if first == Some(data.len() as u64) {
                self.tell_ready(peer, false);
            }
        }
        Ok(Answer::value(data.len() as i64))
    }

    /// EAGAIN if all sockets together would have too many bytes.
    fn room_for_data(&self, bytes: u64) -> Result<(), Errno> {
        let most = self.config.face.limits.max_socket_buffered_bytes;
        let have = self.face.sockets.counts().buffered_bytes;
        if bytes > 0 && have.saturating_add(bytes) > most {
            return Err(Errno::EAGAIN);
        }
        if self.has_memory(bytes.saturating_add(DATAGRAM_BYTES)) {
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }

    /// socket_read: no bytes but those that are there; nothing but 0 at the end.
    pub(crate) fn face_receive(&mut self, target: u32, number: u64, count: u64) -> CallResult {
        let socket = self.face_socket_of(target, number)?;
        if count == 0 {
            return Ok(Answer::data(Vec::new()));
        }
        let own = socket.connection.as_ref().ok_or(Errno::ENOTCONN)?;
        if own.received.is_empty() {
            let over = own.read_shut || own.peer.is_none() || own.peer_write_shut;
            return if over { Ok(Answer::default()) } else { Err(Errno::EAGAIN.into()) };
        }
        let taken = self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                socket.connection.as_mut().map(|of| take_front(&mut of.received, count))
            })
        });
        Ok(Answer::data(taken.flatten().unwrap_or_default()))
    }

    /// socket_shutdown: 0 reading, 1 writing, 2 both (shutdown(2)).
    pub(crate) fn face_shutdown(&mut self, target: u32, number: u64, how: u32) -> CallResult {
        let socket = self.face_socket_of(target, number)?;
        let peer = socket.connection.as_ref().ok_or(Errno::ENOTCONN)?.peer;
        let (reads, writes) = (matches!(how, 0 | 2), matches!(how, 1 | 2));
        if !reads && !writes {
            return Err(Errno::EINVAL.into());
        }
        self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                let Some(own) = socket.connection.as_mut() else { return };
                if reads {
                    own.received.clear();
                }
                own.read_shut |= reads;
                own.write_shut |= writes;
            })
        });
        self.face_socket_changed(number);
        let Some(peer) = peer else { return Ok(Answer::default()) };
        if let Some(of) = self.face.sockets.get_mut(peer).and_then(|of| of.connection.as_mut()) {
            of.peer_write_shut |= writes;
        }
        self.face_socket_changed(peer);
        Ok(Answer::default())
    }

    /// A socket of datagrams that has a name: EINVAL for all others.
    fn bound_datagrams(&self, target: u32, number: u64) -> Result<&FaceSocket, Errno> {
        let socket = self.face_socket_of(target, number)?;
        let is_one = socket.is_udp() && socket.state == FaceState::Bound && socket.local.is_some();
        if is_one { Ok(socket) } else { Err(Errno::EINVAL) }
    }

    /// socket_send_to_inet_loopback.
    pub(crate) fn face_send_to(
        &mut self,
        target: u32,
        number: u64,
        (host, port): (&[u8], u16),
        data: &[u8],
    ) -> CallResult {
        let source = self.bound_datagrams(target, number)?.local.clone().ok_or(Errno::EINVAL)?;
        let host = host_of(host)?;
        let receiver = self.behind_host(NameKind::Datagram, &host.0, port);
        let receiver = receiver.ok_or(Errno::ECONNREFUSED)?;
        self.room_for_data(data.len() as u64)?;
        let most = self.config.face.limits.max_socket_datagram_queue_len;
        if self.face.sockets.counts().datagrams >= most {
            return Err(Errno::EAGAIN.into());
        }
        let datagram = FaceDatagram { source, data: Bytes(data.to_vec()) };
        self.change_sockets(|sockets| {
            sockets.change(receiver, |socket| {
                let of = socket.datagrams.get_or_insert_default();
                of.bytes += datagram.data.0.len() as u64;
                of.received.push_back(datagram);
            })
        });
        self.face_socket_changed(receiver);
        if self.face.sockets.get(receiver).map(FaceSocket::datagram_count) == Some(1) {
            self.tell_ready(receiver, false);
        }
        Ok(Answer::value(data.len() as i64))
    }

    /// socket_recv_datagram: what is longer than `count` is cut.
    pub(crate) fn face_recv_from(&mut self, target: u32, number: u64, count: u64) -> CallResult {
        self.bound_datagrams(target, number)?;
        let taken = self.change_sockets(|sockets| {
            sockets.change(number, |socket| {
                let of = socket.datagrams.as_deref_mut()?;
                let datagram = of.received.pop_front()?;
                of.bytes -= datagram.data.0.len() as u64;
                Some(datagram)
            })
        });
        let FaceDatagram { source, mut data } = taken.flatten().ok_or(Errno::EAGAIN)?;
        data.0.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        let value = data.0.len() as i64;
        Ok(Answer { value, payload: Payload::Datagram(source.host, source.port, data) })
    }

    /// socket_set_datagram_option.
    pub(crate) fn face_datagram_option(
        &mut self,
        target: u32,
        number: u64,
        option: u32,
        enabled: bool,
    ) -> CallResult {
        let known = [FACE_REUSE_ADDRESS, FACE_REUSE_PORT, FACE_BROADCAST].contains(&option);
        if !self.face_socket_of(target, number)?.is_udp() || !known {
            return Err(Errno::EINVAL.into());
        }
        if let Some(socket) = self.face.sockets.get_mut(number) {
            let of = socket.datagrams.get_or_insert_default();
            of.options = if enabled { of.options | option } else { of.options & !option };
        }
        Ok(Answer::default())
    }

    /// socket_add_membership, socket_drop_membership: kept; nothing is delivered to a group.
    pub(crate) fn face_membership(
        &mut self,
        target: u32,
        number: u64,
        (group, interface): (&[u8], Option<&[u8]>),
        join: bool,
    ) -> CallResult {
        let socket = self.bound_datagrams(target, number)?;
        if socket.domain != FaceDomain::Inet {
            return Err(Errno::EINVAL.into());
        }
        let group = core::str::from_utf8(group).map_err(|_| Errno::EINVAL)?;
        let group: Ipv4Addr = group.trim().parse().map_err(|_| Errno::EINVAL)?;
        let interface = interface.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        if !group.is_multicast() || interface.len() > INTERFACE_BYTES {
            return Err(Errno::EINVAL.into());
        }
        let group = Bytes(alloc::format!("{group}").into_bytes());
        let member = (group, (!interface.is_empty()).then_some(Bytes(interface)));
        let of = self.face.sockets.get_mut(number).ok_or(Errno::ENOENT)?;
        let groups = &mut of.datagrams.get_or_insert_default().groups;
        match join {
            true if groups.len() >= GROUPS_MAX && !groups.contains(&member) => {
                Err(Errno::ENOBUFS.into())
            }
            true => {
                groups.insert(member);
                Ok(Answer::default())
            }
            false if groups.remove(&member) => Ok(Answer::default()),
            false => Err(Errno::EADDRNOTAVAIL.into()),
        }
    }

    /// What a poll says of a socket: there is no room while all of them together have none.
    pub(crate) fn poll_face_socket(&self, number: u64) -> u32 {
        let Some(socket) = self.face.sockets.get(number) else { return POLLNVAL };
        let [streams_full, datagrams_full] = self.sockets_are_full();
        let out = |full: bool| if full { 0 } else { POLLOUT };
        match (socket.state, &socket.connection) {
            (FaceState::Listening, _) => {
                let list = socket.listening.as_deref();
                if list.is_some_and(|list| !list.pending.is_empty()) { POLLIN } else { 0 }
            }
            (FaceState::Connected, Some(own)) => {
                let readable = if own.received.is_empty() { 0 } else { POLLIN };
                let over = if own.peer.is_none() || own.peer_write_shut { POLLHUP } else { 0 };
                let other = own.peer.and_then(|peer| self.face.sockets.get(peer));
                let other = other.and_then(|other| other.connection.as_ref());
                let writable = match other {
                    _ if own.write_shut => 0,
                    Some(other) if !other.read_shut => out(streams_full),
                    Some(_) | None => POLLERR,
                };
                readable | over | writable
            }
            (FaceState::Bound, _) if socket.is_udp() => {
                let readable = if socket.datagram_count() > 0 { POLLIN } else { 0 };
                readable | out(datagrams_full)
            }
            (FaceState::Created | FaceState::Bound | FaceState::Connected, _) => 0,
        }
    }
}
