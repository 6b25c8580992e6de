//! Connections of tcp(7) over the loopback device: connect(2), listen(2), what is sent, shut,
//! reset.
//!
//! Nothing takes time on the way: an end sees at once what the other does. A connection is made
//! when it is asked for, if the listener's list has room; else it is being made until it has.
//! What Linux does later (the reset that answers bytes to an end that is closed) is done with the
//! call that causes it. Not here: names (`inet.rs`), urgent bytes (`urgent.rs`),
//! time-outs of the protocol.

use super::notices::Reason;
use crate::abi::flags::*;
use crate::abi::socket::*;
use crate::abi::{Address, Errno};
use crate::components::Waiting;
use crate::components::inet::{ANY4, ANY6, Endpoint, Reach, as_ipv4};
use crate::components::message::{Manner, Receiving, Taken};
use crate::components::socket::{
    Link, Packet, Peer, RCV_SHUTDOWN, SEND_SHUTDOWN, Socket, SocketRef, State,
};
use crate::event::{Answer, Outgoing};
use crate::kernel::{CallResult, Kernel};
use crate::memory;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use crate::tables::sockets::Ports;
use crate::watchers::Wake;
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// `net.core.somaxconn`.
const SOMAXCONN: u32 = 4096;
/// A segment that is appended to while it lies unread.
const MERGED_BYTES: usize = 16 << 10;

/// This end has said that it sends no more.
pub(super) const FIN_SENT: u32 = 4;
/// The other end has.
pub(super) const FIN_GOT: u32 = 8;
const BOTH: u32 = RCV_SHUTDOWN | SEND_SHUTDOWN;

impl Kernel {
    fn link(&self, socket: SocketRow) -> Link {
        self.rows[socket].more.as_deref().map_or(Link::Unconnected, |more| more.link)
    }

    fn set_link(&mut self, socket: SocketRow, link: Link) {
        self.rows[socket].more_mut().link = link;
    }

    /// connect(2).
    pub(super) fn connect_tcp(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        address: &Address,
    ) -> CallResult {
        if *address == Address::Other(AF_UNSPEC as u16) {
            self.disconnect(socket);
            return Ok(Answer::default());
        }
        let waits = !self.rows[row].nonblocking();
        match self.link(socket) {
            Link::Connected => return Err(Errno::EISCONN.into()),
            Link::Disconnecting => return Err(Errno::EINVAL.into()),
            Link::Connecting => {}
            Link::Unconnected if self.rows[socket].backlog().is_some() => {
                return Err(Errno::EISCONN.into());
            }
            Link::Unconnected => {
                self.ask_for_connection(task, socket, address)?;
                if !waits {
                    return Err(Errno::EINPROGRESS.into());
                }
            }
        }
        match self.try_connection(socket)? {
            true => Ok(Answer::default()),
            false if !waits => Err(Errno::EALREADY.into()),
            false => {
                let (address, at) = (Box::new(address.clone()), SocketRef::default());
                let on = Waiting::Connect { description: row, address, at };
                Err(self.wait_to_send(row, socket, on))
            }
        }
    }

    /// Whether the connection that was asked for is there; the error if it will never be.
    pub(crate) fn try_connection(&mut self, socket: SocketRow) -> Result<bool, Errno> {
        if self.is_connecting(socket) {
            return Ok(false);
        }
        if self.rows[socket].is_connected() {
            self.set_link(socket, Link::Connected);
            return Ok(true);
        }
        let error = self.rows[socket].error.take();
        self.disconnect(socket);
        Err(error.unwrap_or(Errno::ECONNABORTED))
    }

    /// Sends for a connection: it is there, refused, or waits for room in the listener's list.
    fn ask_for_connection(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        address: &Address,
    ) -> Result<(), Errno> {
        let to = self.own_family(socket, address, false)?;
        let (to, own) = self.route(socket, to)?;
        match self.reach(to.host) {
            Reach::Broadcast | Reach::Everybody | Reach::Group => return Err(Errno::ENETUNREACH),
            Reach::Any | Reach::Local | Reach::Foreign => {}
        }
        self.autobind_inet(socket).map_err(|_| Errno::EADDRNOTAVAIL)?;
        let mut at = self.endpoint(socket);
        if at.is_any() {
            at.host = own;
        }
        let (name, remote) = (self.shown(socket, at), self.shown(socket, to));
        let more = self.rows[socket].more_mut();
        (more.name, more.remote, more.link) = (name, remote, Link::Connecting);
        more.left_bytes = 0;
        (self.rows[socket].shut, self.rows[socket].error) = (0, None);
        self.knock(task, socket, to);
        Ok(())
    }

    /// At the listener's door.
    fn knock(&mut self, task: TaskRow, socket: SocketRow, to: Endpoint) {
        if self.reach(to.host) == Reach::Foreign {
            return self.ask_outside(socket);
        }
        let Some(listener) = self.listener_at(to) else {
            if self.sockets.network.listens(Ports::Tcp, to) {
                return self.ask_outside(socket);
            }
            if to == self.endpoint(socket) {
                return self.meet_itself(socket);
            }
            self.rows[socket].more_mut().left_bytes = 1;
            return self.reset(socket, Errno::ECONNREFUSED);
        };
        if !self.is_backlog_full(listener) && self.has_memory(2 * memory::SOCKET_BYTES) {
            return self.establish(task, socket, listener);
        }
        self.begin_knocking(socket);
        let waiting = self.socket_ref(socket);
        let mut knocking = core::mem::take(&mut self.rows[listener].more_mut().knocking);
        // Those that gave up are forgotten now and then.
        if knocking.len().is_power_of_two() {
            knocking.retain(|other| {
                self.live_socket(*other).is_some_and(|socket| self.is_connecting(socket))
            });
        }
        knocking.push_back(waiting);
        self.rows[listener].more_mut().knocking = knocking;
    }

    /// Who asks for a connection at its own address is what it finds there (RFC 9293, 3.5:
    /// simultaneous opening): it reads what it writes.
    fn meet_itself(&mut self, socket: SocketRow) {
        let own = &mut self.rows[socket];
        own.peer = Peer::At(socket);
        own.more_mut().state = State::Idle;
        self.socket_changed(socket);
    }

    /// Makes the other end, which waits to be accepted.
    fn establish(&mut self, task: TaskRow, socket: SocketRow, listener: SocketRow) {
        self.end_asking(socket);
        let who = &self.rows[task].credentials;
        let owner = [who.fsuid, who.fsgid];
        let ends = [self.remote_endpoint(socket).unwrap_or_default(), self.endpoint(socket)];
        let new = self.new_embryo(listener, owner, ends, Peer::At(socket));
        self.rows[socket].peer = Peer::At(new);
        self.socket_woken(listener, Wake::READABLE);
        self.tell_socket(listener, Reason::Input);
        self.socket_changed(socket);
        self.tell_socket(socket, Reason::Output);
    }

    /// A connection that waits to be accepted: its own name and the other's.
    pub(super) fn new_embryo(
        &mut self,
        listener: SocketRow,
        owner: [u32; 2],
        ends: [Endpoint; 2],
        peer: Peer,
    ) -> SocketRow {
        let state = &self.rows[listener];
        let form = [state.domain, state.kind, state.protocol];
        let options = state.more.as_deref().map(|more| more.options.clone()).unwrap_or_default();
        let id = self.next_id();
        let new = SocketRow::spawn(&mut self.rows, id, Socket::unconnected(id, form, owner));
        let [name, remote] = ends.map(|end| self.shown(new, end));
        let made = &mut self.rows[new];
        made.peer = peer;
        let more = made.more_mut();
        (more.name, more.remote, more.options) = (name, remote, options);
        (more.link, more.listener, more.has_port) = (Link::Connected, Some(listener), true);
        more.is_accepted = true;
        let held = memory::OPTION_BYTES * more.option_count();
        self.hold_bytes(held);
        self.index_port(new);
        self.rows[listener].more_mut().pending.push_back(new);
        new
    }

    /// Who listens at an address.
    pub(super) fn listener_at(&self, at: Endpoint) -> Option<SocketRow> {
        self.best(self.sockets.listening(at.port), at.host, |_| Some(0))
    }

    /// Whether so many connections wait to be accepted that a further one has to wait for that.
    pub(super) fn is_backlog_full(&self, listener: SocketRow) -> bool {
        let state = &self.rows[listener];
        state.pending() as u64 > u64::from(state.backlog().unwrap_or(0))
    }

    /// A listener has room: who waited longest gets it.
    pub(super) fn let_in(&mut self, task: TaskRow, listener: SocketRow) {
        loop {
            if self.is_backlog_full(listener) {
                return;
            }
            let more = self.rows[listener].more.as_mut();
            let Some(next) = more.and_then(|more| more.knocking.pop_front()) else { return };
            if let Some(socket) = self.live_socket(next)
                && self.is_connecting(socket)
            {
                self.establish(task, socket, listener);
            }
        }
    }

    /// Back to where no connection was asked for. The port stays.
    fn disconnect(&mut self, socket: SocketRow) {
        self.stop_listening(socket);
        // Who breaks off what is there, or on its way, is told of it as if it were another; what
        // there was to be told before, still is.
        let state = &self.rows[socket];
        let is_broken = self.is_connecting(socket) || state.is_connected();
        let nowhere = if state.domain == AF_INET6 { ANY6 } else { ANY4 };
        let error = if is_broken { Some(Errno::ECONNRESET) } else { state.error };
        let was_connected = state.is_connected() || self.link(socket) == Link::Connected;
        let left_bytes = self.left_bytes(socket, was_connected);
        if let Peer::At(other) = state.peer {
            self.reset_by_peer(other);
        }
        self.end_asking(socket);
        self.reset_outside(socket);
        self.leave_unchosen_port(socket);
        let mut at = self.endpoint(socket);
        let more = self.rows[socket].more_mut();
        if !more.is_host_chosen {
            at.host = nowhere;
        }
        more.remote = Address::Unnamed;
        (more.link, more.state) = (Link::Unconnected, State::Idle);
        more.left_bytes = left_bytes;
        let name = if at.port == 0 { Address::Unnamed } else { self.shown(socket, at) };
        self.rows[socket].more_mut().name = name;
        self.drop_queue(socket);
        let state = &mut self.rows[socket];
        (state.peer, state.shut, state.error) = (Peer::None, 0, error);
        self.socket_changed(socket);
        self.tell_socket(socket, Reason::Error);
    }

    /// What Linux's counters say after a connection is broken off, or one that there never was:
    /// each time they skip 2 and the window of the other end, as it is if nothing was sent.
    fn left_bytes(&self, socket: SocketRow, was_connected: bool) -> u32 {
        /// The window of who accepted, less what the headers of IPv6 take, and of who asked.
        const WINDOWS: [u32; 3] = [65_483, 65_464, 65_536];
        let state = &self.rows[socket];
        let more = state.more.as_deref();
        let is_accepted = more.is_some_and(|more| more.is_accepted);
        let window = match as_ipv4(self.endpoint(socket).host) {
            _ if !was_connected => 0,
            _ if is_accepted => WINDOWS[2],
            Some(_) => WINDOWS[0],
            None => WINDOWS[1],
        };
        let asked = u32::from(self.is_connecting(socket));
        let before = more.map_or(0, |more| more.left_bytes) + asked;
        before.saturating_add(2 + window)
    }

    /// listen(2).
    pub(super) fn listen_tcp(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        backlog: i32,
    ) -> CallResult {
        let state = &self.rows[socket];
        if state.backlog().is_none() {
            let idle = self.link(socket) == Link::Unconnected && !state.is_connected();
            if !idle {
                return Err(Errno::EINVAL.into());
            }
            self.autobind_inet(socket).map_err(|_| Errno::EADDRINUSE)?;
            if self.is_taken(socket, self.endpoint(socket)) {
                return Err(Errno::EADDRINUSE.into());
            }
        }
        let backlog = (backlog as u32).min(SOMAXCONN);
        let port = self.endpoint(socket).port;
        self.sockets.enter_listener(port, socket.own_id(&self.rows), socket);
        self.rows[socket].more_mut().state = State::Listening { backlog };
        self.rows[socket].shut = 0;
        self.let_in(task, socket);
        self.socket_changed(socket);
        Ok(Answer::default())
    }

    /// Connections that nobody accepted are reset, and who waits for one is refused.
    fn stop_listening(&mut self, socket: SocketRow) {
        if self.rows[socket].backlog().is_none() {
            return;
        }
        let port = self.endpoint(socket).port;
        self.sockets.leave_listener(port, socket.own_id(&self.rows));
        let more = self.rows[socket].more_mut();
        more.state = State::Idle;
        let (pending, knocking) =
            (core::mem::take(&mut more.pending), core::mem::take(&mut more.knocking));
        for embryo in pending {
            self.end_tcp(embryo, true);
        }
        for waiting in knocking {
            if let Some(other) = self.live_socket(waiting)
                && self.is_connecting(other)
            {
                self.reset(other, Errno::ECONNREFUSED);
            }
        }
        self.socket_changed(socket);
    }

    /// A connection ends with an error; what came before can still be read.
    pub(super) fn reset(&mut self, socket: SocketRow, errno: Errno) {
        self.leave_outside(socket);
        self.end_asking(socket);
        let state = &mut self.rows[socket];
        (state.peer, state.error) = (Peer::None, Some(errno));
        state.shut |= BOTH;
        state.more_mut();
        self.leave_unchosen_port(socket);
        self.socket_changed(socket);
        self.tell_socket(socket, Reason::Error);
    }

    /// The other end threw the connection away: who had heard that it sends no more learns that
    /// it does not receive either.
    pub(super) fn reset_by_peer(&mut self, socket: SocketRow) {
        let heard = self.rows[socket].shut & FIN_GOT != 0;
        self.reset(socket, if heard { Errno::EPIPE } else { Errno::ECONNRESET });
    }

    /// An end sends no more. When both do the connection is over, and the port of the first is
    /// kept.
    fn send_fin(&mut self, socket: SocketRow) {
        if self.rows[socket].shut & FIN_SENT != 0 {
            return;
        }
        self.rows[socket].shut |= FIN_SENT | SEND_SHUTDOWN;
        match self.rows[socket].peer {
            Peer::None => {}
            Peer::Gone => self.finish(socket),
            Peer::Outside => {
                self.send_out(Outgoing::End { socket: self.rows[socket].id });
                if self.rows[socket].shut & FIN_GOT != 0 {
                    self.finish(socket);
                }
            }
            Peer::At(other) => {
                self.got_fin(other);
                if self.rows[other].shut & FIN_SENT != 0 {
                    self.finish(socket);
                }
            }
        }
        self.socket_changed(socket);
    }

    /// The other end sends no more. If this one does neither, it is over, and the port of this one,
    /// which was first, is kept.
    pub(super) fn got_fin(&mut self, socket: SocketRow) {
        self.rows[socket].shut |= RCV_SHUTDOWN | FIN_GOT;
        if self.rows[socket].shut & FIN_SENT != 0 {
            self.keep_port(socket);
            self.finish(socket);
        }
        self.socket_changed(socket);
        let over = self.rows[socket].shut & BOTH == BOTH;
        self.tell_socket(socket, if over { Reason::HangUp } else { Reason::Input });
        self.tell_socket(socket, Reason::Input);
    }

    fn finish(&mut self, socket: SocketRow) {
        self.leave_outside(socket);
        let state = &mut self.rows[socket];
        state.peer = Peer::None;
        state.shut |= BOTH;
        self.leave_unchosen_port(socket);
    }

    /// shutdown(2).
    pub(super) fn shutdown_tcp(&mut self, socket: SocketRow, how: u32) -> Result<(), Errno> {
        let sides = how + 1;
        let is_listening = self.rows[socket].backlog().is_some();
        if is_listening || self.is_connecting(socket) {
            if !is_listening || sides & RCV_SHUTDOWN != 0 {
                self.disconnect(socket);
                self.socket_changed(socket);
            }
            return Ok(());
        }
        let open = self.rows[socket].is_connected();
        if self.link(socket) == Link::Connecting {
            // Who was told that it is on its way need not ask any more.
            self.set_link(socket, if open { Link::Connected } else { Link::Disconnecting });
        }
        self.rows[socket].shut |= sides;
        if open && sides & SEND_SHUTDOWN != 0 {
            self.send_fin(socket);
        }
        self.socket_changed(socket);
        if open { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    /// The last descriptor is closed: what was not read is a reset, and so is `SO_LINGER` with 0.
    pub(super) fn end_tcp(&mut self, socket: SocketRow, embryo: bool) {
        self.end_asking(socket);
        self.stop_listening(socket);
        let linger = |name| self.rows[socket].option(SOL_SOCKET, name);
        let throws = linger(SO_LINGER) == Some(1)
            && linger(super::socket_options::LINGER_SECONDS).unwrap_or(0) == 0;
        let unread = !self.rows[socket].queue.is_empty();
        let asks = !self.rows[socket].is_connected();
        if let Peer::At(other) = self.rows[socket].peer {
            if unread || throws || embryo {
                self.reset_by_peer(other);
            } else {
                self.send_fin(socket);
                // It is over already if the other had sent its own.
                if self.rows[socket].is_connected() {
                    self.keep_port(socket);
                    self.rows[other].peer = Peer::Gone;
                }
            }
        } else if self.is_outside(socket) && (asks || unread || throws || embryo) {
            self.reset_outside(socket);
        } else {
            self.send_fin(socket);
            if self.is_outside(socket) {
                self.keep_port(socket);
                self.leave_outside(socket);
            }
        }
        self.drop_queue(socket);
        self.leave_port(socket);
        self.forget_groups(socket);
        self.forget_name(socket);
        socket.remove(&mut self.rows);
    }

    /// What is wrong with a call that sends. True if it must wait for its connection.
    pub(super) fn check_send_tcp(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        manner: &Manner,
    ) -> Result<bool, Errno> {
        if manner.flags & MSG_FASTOPEN != 0 {
            self.check_fast_open(socket, manner)?;
        }
        if self.is_connecting(socket) {
            return Ok(true);
        }
        let state = &mut self.rows[socket];
        let is_open = state.is_connected() && state.shut & SEND_SHUTDOWN == 0;
        if is_open && state.error.is_none() {
            return Ok(false);
        }
        match state.error.take() {
            None | Some(Errno::EPIPE) => Err(self.broken_pipe(task, manner.flags)),
            Some(errno) => Err(errno),
        }
    }

    /// `MSG_FASTOPEN` is for who has no connection and says to whom.
    fn check_fast_open(&self, socket: SocketRow, manner: &Manner) -> Result<(), Errno> {
        let is_idle = self.link(socket) == Link::Unconnected;
        match &manner.to {
            Some(Address::Other(_)) => Err(Errno::EOPNOTSUPP),
            _ if self.rows[socket].backlog().is_some() => Err(Errno::EISCONN),
            None if is_idle => Err(Errno::EINVAL),
            _ if self.link(socket) == Link::Connected => Err(Errno::EISCONN),
            Some(_) | None => Ok(()),
        }
    }

    /// Bytes for the other end. One that is closed answers with a reset.
    pub(super) fn send_segment(
        &mut self,
        socket: SocketRow,
        bytes: &[u8],
        is_urgent: bool,
    ) -> Result<bool, Errno> {
        let other = match self.rows[socket].peer {
            Peer::At(other) => other,
            Peer::Outside => {
                let data = Bytes(bytes.to_vec());
                self.rows[socket].sent_bytes += bytes.len() as u64;
                let id = self.rows[socket].id;
                self.send_out(Outgoing::Bytes { socket: id, data, is_urgent });
                return Ok(true);
            }
            Peer::None | Peer::Gone => {
                self.rows[socket].more_mut().left_bytes = bytes.len() as u32;
                self.reset(socket, Errno::EPIPE);
                return Ok(true);
            }
        };
        self.queue_segment(other, self.socket_ref(socket), bytes)?;
        self.rows[socket].sent_bytes += bytes.len() as u64;
        if is_urgent {
            self.mark_urgent(other);
        }
        self.socket_woken(other, Wake::READABLE);
        (0..=u32::from(is_urgent)).for_each(|_| self.tell_socket(other, Reason::Input));
        Ok(true)
    }

    /// Bytes lie with their receiver from now on: ENOBUFS.
    pub(super) fn queue_segment(
        &mut self,
        other: SocketRow,
        sender: SocketRef,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        let length = bytes.len() as u64;
        let last = self.rows[other].queue.back();
        let merges = last.is_some_and(|last| {
            last.sender == sender && last.bytes.len() + bytes.len() <= MERGED_BYTES
        });
        let fresh = Packet { cost_bytes: length as u32, sender, ..Packet::default() };
        let held = length + if merges { 0 } else { memory::packet_bytes(&fresh) };
        if !self.has_memory(held) {
            return Err(Errno::ENOBUFS);
        }
        self.hold_bytes(held);
        let queue = &mut self.rows[other].queue;
        match queue.back_mut().filter(|_| merges) {
            Some(last) => {
                last.bytes.extend_from_slice(bytes);
                last.cost_bytes += length as u32;
            }
            None => queue.push_back(Packet { bytes: bytes.to_vec(), ..fresh }),
        }
        Ok(())
    }

    /// What came, or that it is over; an error; nothing if the call must wait.
    pub(super) fn take_tcp(
        &mut self,
        socket: SocketRow,
        waits: bool,
        receiving: &mut Receiving,
    ) -> Result<Option<Taken>, Errno> {
        if self.rows[socket].backlog().is_some() {
            return Err(Errno::ENOTCONN);
        }
        if receiving.flags & MSG_OOB != 0 {
            return self.take_urgent_tcp(socket, receiving);
        }
        let peeks = receiving.flags & MSG_PEEK != 0;
        let before = if peeks { 0 } else { receiving.taken.len() as u64 };
        let count = (receiving.count - before).min(self.max_bytes);
        let passed = self.peek_offset(socket, receiving.flags);
        let wanted = count.saturating_add(passed);
        let (mut bytes, stops) = self.take_segments(socket, wanted, receiving.flags, before);
        if passed > 0 {
            bytes.drain(..(passed as usize).min(bytes.len()));
        }
        if receiving.flags & MSG_TRUNC != 0 {
            // They are thrown away (tcp(7)): what the caller has there stays, which is nothing.
            bytes.fill(0);
        }
        let here = bytes.len() as u64;
        let got = before + here;
        if !peeks {
            self.move_peek_offset(socket, receiving.flags, here);
        }
        let all = receiving.flags & MSG_WAITALL != 0 && self.max_bytes == u64::MAX;
        let connecting = self.is_connecting(socket);
        let any = receiving.count == 0 && self.has_beyond(socket, receiving.flags);
        let state = &mut self.rows[socket];
        let lowat = state.option(SOL_SOCKET, SO_RCVLOWAT).unwrap_or(1).unsigned_abs();
        let target = if all { receiving.count } else { lowat.min(receiving.count) }.max(1);
        let is_closed = !state.is_connected() && !connecting;
        let over = state.shut & RCV_SHUTDOWN != 0 || is_closed || state.error.is_some();
        let is_all = over || stops || peeks && !waits;
        if got >= target || any || got > 0 && is_all {
            if peeks {
                self.move_peek_offset(socket, receiving.flags, here);
            }
            return Ok(Some(Taken { bytes, ..Taken::default() }));
        }
        if got == 0 && over {
            if state.shut & FIN_GOT == 0 {
                state.error.take().map_or(Ok(()), Err)?;
            }
            let ended = state.shut & (RCV_SHUTDOWN | FIN_GOT) != 0;
            return if ended { Ok(Some(Taken::default())) } else { Err(Errno::ENOTCONN) };
        }
        if !peeks {
            receiving.taken.extend_from_slice(&bytes);
        }
        Ok(None)
    }

    /// Bytes in front.
    pub(super) fn take_some(&mut self, socket: SocketRow, count: u64, flags: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut at = 0;
        while let Some(packet) = self.rows[socket].queue.get_mut(at) {
            let wanted = (count - bytes.len() as u64).min(packet.left()) as usize;
            if wanted == 0 {
                break;
            }
            let from = packet.read as usize;
            // The buffer of a segment that is all there is so far is given as it is.
            let peeks = flags & MSG_PEEK != 0;
            let is_given = !peeks && bytes.is_empty() && wanted == packet.bytes.len();
            if !is_given {
                bytes.extend_from_slice(packet.bytes.get(from..from + wanted).unwrap_or_default());
            }
            if peeks {
                at += 1;
                continue;
            }
            packet.read += wanted as u32;
            packet.cost_bytes -= wanted as u32;
            let (is_read, sender) = (packet.left() == 0, packet.sender);
            self.give_bytes(sender, wanted as u64);
            if is_read {
                let segment = self.drop_packet(socket);
                if is_given {
                    bytes = segment;
                }
            }
        }
        bytes
    }

    /// What poll(2) says.
    pub(super) fn poll_tcp(&self, socket: SocketRow) -> u32 {
        let state = &self.rows[socket];
        if state.backlog().is_some() {
            return if state.pending() > 0 { POLLIN | POLLRDNORM } else { 0 };
        }
        let connecting = self.is_connecting(socket);
        let mut events = 0;
        if state.shut & BOTH == BOTH || !state.is_connected() && !connecting {
            events |= POLLHUP;
        }
        if state.shut & RCV_SHUTDOWN != 0 {
            events |= POLLIN | POLLRDNORM | POLLRDHUP;
        }
        if !connecting {
            let lowat = state.option(SOL_SOCKET, SO_RCVLOWAT).unwrap_or(1).unsigned_abs();
            let inline = state.option(SOL_SOCKET, SO_OOBINLINE).unwrap_or(0) != 0;
            let urgent = state.more.as_deref().and_then(|more| more.urgent);
            let is_next = urgent.is_some_and(|urgent| urgent.ahead == 0) && !inline;
            let lowat = lowat + u64::from(is_next);
            if urgent.is_some_and(|urgent| !urgent.is_read) {
                events |= POLLPRI;
            }
            if !state.queue.is_empty() && (lowat <= 1 || state.queued_bytes() >= lowat) {
                events |= POLLIN | POLLRDNORM;
            }
            if state.shut & SEND_SHUTDOWN != 0 || state.has_room() {
                events |= POLLOUT | POLLWRNORM;
            }
        }
        if state.error.is_some() {
            events |= POLLERR;
        }
        events
    }
}
