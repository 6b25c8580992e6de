//! Ends of connections and datagrams that are outside of the kernel: what comes from there
//! ([`Incoming`]) and what goes out ([`Outgoing`]). A tick's first phase, without a task.
//!
//! The other end is nobody's socket here: of it the kernel knows only what it has not received yet
//! (`Socket::sent_bytes`). Who plays it answers as tcp(7) and udp(7) of another machine would. Not
//! here: what the kernel's own sockets do among each other (`tcp.rs`, `udp.rs`).

use super::notices::Reason;
use super::udp::LENGTH_MAX;
use crate::abi::flags::{AF_INET, SOCK_DGRAM, SOCK_STREAM};
use crate::abi::{Address, Errno};
use crate::components::inet::{Endpoint, Reach, as_ipv4, reach};
use crate::components::socket::{Peer, SocketRef, TCP_ROOM_BYTES};
use crate::event::{Answer, Effect, Incoming, Outcome, Outgoing};
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::{RowKind, SocketRow};
use crate::tables::network::{HOSTS_MAX, LISTENERS_MAX};
use crate::tables::sockets::Ports;
use crate::watchers::Wake;
use crate::wire::Bytes;

impl Kernel {
    /// Something comes from outside.
    pub(crate) fn incoming(&mut self, what: Incoming) -> Outcome {
        let done = match what {
            Incoming::Host { host, is_there } => self.set_host(&host, is_there),
            Incoming::Listener { kind, at, is_there } => self.set_listener(kind, &at, is_there),
            Incoming::Connect { from, to } => self.asked_from_outside(&from, &to),
            Incoming::Accepted { socket } => self.accepted_outside(socket),
            Incoming::Failed { socket, errno } => self.failed_outside(socket, errno),
            Incoming::Bytes { socket, data } => self.bytes_from_outside(socket, &data.0),
            Incoming::End { socket } => self.ended_outside(socket),
            Incoming::Taken { socket, count } => self.taken_outside(socket, count),
            Incoming::Datagram { from, to, data } => self.datagram_in(&from, &to, &data.0),
        };
        match done {
            Ok(value) => Outcome::Done(Answer::value(value as i64)),
            Err(errno) => Outcome::Failed(errno),
        }
    }

    fn set_host(&mut self, host: &Address, is_there: bool) -> Result<u64, Errno> {
        let host = Endpoint::of(host).ok_or(Errno::EAFNOSUPPORT)?.host;
        if reach(host) != Reach::Foreign {
            return Err(Errno::EINVAL);
        }
        let hosts = &mut self.sockets.network.hosts;
        if !is_there {
            return if hosts.remove(&host) { Ok(0) } else { Err(Errno::EADDRNOTAVAIL) };
        }
        if hosts.len() >= HOSTS_MAX {
            return Err(Errno::ENOBUFS);
        }
        if hosts.insert(host) { Ok(0) } else { Err(Errno::EEXIST) }
    }

    fn set_listener(&mut self, kind: u32, at: &Address, is_there: bool) -> Result<u64, Errno> {
        let ports = match kind {
            SOCK_STREAM => Ports::Tcp,
            SOCK_DGRAM => Ports::Udp,
            _ => return Err(Errno::ESOCKTNOSUPPORT),
        };
        let at = Endpoint::of(at).ok_or(Errno::EAFNOSUPPORT)?;
        if at.port == 0 {
            return Err(Errno::EINVAL);
        }
        let listeners = &mut self.sockets.network.listeners;
        if !is_there {
            let was_there = listeners.remove(&(ports, at));
            return if was_there { Ok(0) } else { Err(Errno::EADDRNOTAVAIL) };
        }
        if listeners.len() >= LISTENERS_MAX {
            return Err(Errno::ENOBUFS);
        }
        if listeners.insert((ports, at)) { Ok(0) } else { Err(Errno::EADDRINUSE) }
    }

    /// Who sends what to whom: both of one family, and with ports.
    fn ends(from: &Address, to: &Address) -> Result<[Endpoint; 2], Errno> {
        let ends = [from, to].map(Endpoint::of);
        let [Some(from), Some(to)] = ends else { return Err(Errno::EAFNOSUPPORT) };
        if as_ipv4(from.host).is_some() != as_ipv4(to.host).is_some() {
            return Err(Errno::EAFNOSUPPORT);
        }
        if from.port == 0 || to.port == 0 || from.is_any() {
            return Err(Errno::EINVAL);
        }
        Ok([from, to])
    }

    /// A connection that is asked for from outside waits to be accepted.
    fn asked_from_outside(&mut self, from: &Address, to: &Address) -> Result<u64, Errno> {
        let [from, to] = Self::ends(from, to)?;
        if self.reach(to.host) != Reach::Local {
            return Err(Errno::EHOSTUNREACH);
        }
        let listener = self.listener_at(to).ok_or(Errno::ECONNREFUSED)?;
        if self.is_backlog_full(listener) {
            return Err(Errno::EAGAIN);
        }
        if !self.has_memory(2 * memory::SOCKET_BYTES) {
            return Err(Errno::ENOBUFS);
        }
        let owner = [self.rows[listener].uid, self.rows[listener].gid];
        let new = self.new_embryo(listener, owner, [to, from], Peer::Outside);
        self.enter_outside(new);
        self.socket_woken(listener, Wake::READABLE);
        self.tell_socket(listener, Reason::Input);
        Ok(self.rows[new].id)
    }

    /// A socket whose other end is outside: ECONNRESET if it has none there, or is gone.
    fn outside_end(&self, id: u64) -> Result<SocketRow, Errno> {
        self.sockets.network.ends.get(&id).copied().ok_or(Errno::ECONNRESET)
    }

    /// The same of one that is connected: ENOTCONN.
    fn outside_connection(&self, id: u64) -> Result<SocketRow, Errno> {
        let socket = self.outside_end(id)?;
        let is_connected = self.rows[socket].peer == Peer::Outside;
        if is_connected { Ok(socket) } else { Err(Errno::ENOTCONN) }
    }

    fn accepted_outside(&mut self, id: u64) -> Result<u64, Errno> {
        let socket = self.outside_end(id)?;
        if !self.is_connecting(socket) {
            return Err(Errno::EISCONN);
        }
        self.end_asking(socket);
        self.rows[socket].peer = Peer::Outside;
        self.socket_changed(socket);
        self.tell_socket(socket, Reason::Output);
        Ok(0)
    }

    fn failed_outside(&mut self, id: u64, errno: Errno) -> Result<u64, Errno> {
        let socket = self.outside_end(id)?;
        if self.is_udp(socket) {
            self.rows[socket].error = Some(errno);
            self.socket_changed(socket);
            self.tell_socket(socket, Reason::Error);
        } else if errno == Errno::ECONNRESET {
            self.reset_by_peer(socket);
        } else {
            self.reset(socket, errno);
        }
        Ok(0)
    }

    fn bytes_from_outside(&mut self, id: u64, bytes: &[u8]) -> Result<u64, Errno> {
        let socket = self.outside_connection(id)?;
        if self.has_shut(socket, super::tcp::FIN_GOT) {
            return Err(Errno::EPIPE);
        }
        let room = TCP_ROOM_BYTES.saturating_sub(self.rows[socket].queued_bytes());
        let taken = bytes.get(..bytes.len().min(room as usize)).unwrap_or_default();
        if taken.is_empty() {
            return if bytes.is_empty() { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        self.queue_segment(socket, SocketRef::default(), taken)?;
        self.socket_woken(socket, Wake::READABLE);
        self.tell_socket(socket, Reason::Input);
        Ok(taken.len() as u64)
    }

    fn ended_outside(&mut self, id: u64) -> Result<u64, Errno> {
        let socket = self.outside_connection(id)?;
        if self.has_shut(socket, super::tcp::FIN_GOT) {
            return Err(Errno::EPIPE);
        }
        self.got_fin(socket);
        Ok(0)
    }

    fn taken_outside(&mut self, id: u64, count: u64) -> Result<u64, Errno> {
        let socket = self.outside_connection(id)?;
        let taken = count.min(self.rows[socket].sent_bytes);
        self.give_bytes(self.socket_ref(socket), taken);
        Ok(taken)
    }

    fn datagram_in(&mut self, from: &Address, to: &Address, data: &[u8]) -> Result<u64, Errno> {
        let [from, to] = Self::ends(from, to)?;
        if data.len() > LENGTH_MAX {
            return Err(Errno::EMSGSIZE);
        }
        match self.reach(to.host) {
            Reach::Local => {
                let other = self.receiver_of(to, from).ok_or(Errno::ECONNREFUSED)?;
                self.give_datagram(other, data, from);
                Ok(1)
            }
            // Nobody is told that nobody of many takes it.
            Reach::Broadcast | Reach::Everybody | Reach::Group => {
                let others = self.receivers(to, from);
                others.iter().for_each(|other| self.give_datagram(*other, data, from));
                Ok(others.len() as u64)
            }
            Reach::Any | Reach::Foreign => Err(Errno::EHOSTUNREACH),
        }
    }

    /// Where an address lies: beside those of `lo` the machine may have hosts on a network.
    pub(super) fn reach(&self, host: crate::components::inet::Host) -> Reach {
        match reach(host) {
            Reach::Foreign if self.sockets.network.hosts.contains(&host) => Reach::Local,
            other => other,
        }
    }

    /// Its other end is outside from now on.
    pub(crate) fn enter_outside(&mut self, socket: SocketRow) {
        self.rows[socket].more_mut().is_outside = true;
        self.sockets.network.ends.insert(socket.own_id(&self.rows), socket);
    }

    /// It is so no more, and nothing that it sent counts. Whether it was.
    pub(super) fn leave_outside(&mut self, socket: SocketRow) -> bool {
        let is_outside = self.is_outside(socket);
        if is_outside {
            let state = &mut self.rows[socket];
            if state.peer == Peer::Outside {
                (state.peer, state.sent_bytes) = (Peer::None, 0);
            }
            state.more_mut().is_outside = false;
            self.sockets.network.ends.remove(&socket.own_id(&self.rows));
        }
        is_outside
    }

    pub(crate) fn is_outside(&self, socket: SocketRow) -> bool {
        self.rows[socket].more.as_deref().is_some_and(|more| more.is_outside)
    }

    /// A connection is asked for outside.
    pub(super) fn ask_outside(&mut self, socket: SocketRow) {
        self.begin_knocking(socket);
        self.enter_outside(socket);
        let state = &self.rows[socket];
        let (from, to) = (state.name().clone(), self.remote_name(socket));
        self.send_out(Outgoing::Connect { socket: self.rows[socket].id, from, to });
    }

    /// A connection with an end outside is thrown away.
    pub(super) fn reset_outside(&mut self, socket: SocketRow) {
        if self.leave_outside(socket) && !self.is_udp(socket) {
            self.send_out(Outgoing::Reset { socket: self.rows[socket].id });
        }
    }

    /// A datagram whose receiver is outside.
    pub(super) fn datagram_out(&mut self, socket: SocketRow, bytes: &[u8], ends: [Endpoint; 2]) {
        let is_ipv6 = self.rows[socket].domain != AF_INET;
        let [from, to] = ends.map(|end| end.shown(is_ipv6));
        let data = Bytes(bytes.to_vec());
        self.send_out(Outgoing::Datagram { socket: self.rows[socket].id, from, to, data });
    }

    pub(super) fn send_out(&mut self, what: Outgoing) {
        self.emit(Effect::Outgoing(what));
    }
}
