//! Bytes and packets of unix sockets (unix(7)): what is sent, received, shut and lost.
//!
//! Checks and their order, room and wake-ups are Linux 6.18's, found by experiment: a packet counts
//! against its sender until it is read (`components/socket.rs`), who has more on the way than
//! the buffer holds waits, and is woken when three quarters are free. Not here: names
//! (`unix_names.rs`), connections (`unix_connect.rs`), urgent bytes (`urgent.rs`).

use super::notices::Reason;
use super::unix_names::check_address;
use crate::abi::flags::*;
use crate::abi::socket::*;
use crate::abi::{Address, Errno, Signal};
use crate::components::message::{Manner, Receiving, Taken};
use crate::components::socket::{
    Attached, Packet, Peer, RCV_SHUTDOWN, SEND_SHUTDOWN, SNDBUF_RESERVE_BYTES, SocketRef,
    pages_cost_bytes,
};
use crate::kernel::{Changed, Kernel};
use crate::memory;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use crate::watchers::Wake;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// `net.unix.max_dgram_qlen`: so many packets lie in a datagram socket, and one more.
const MAX_DGRAM_QLEN: usize = 10;

impl Kernel {
    /// Packets in order are sent by who is connected; all else comes later.
    pub(super) fn check_packets(&mut self, socket: SocketRow) -> Result<(), Errno> {
        let state = &mut self.rows[socket];
        if state.kind != SOCK_SEQPACKET {
            return Ok(());
        }
        state.error.take().map_or(Ok(()), Err)?;
        if state.is_connected() { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    /// What is wrong with a message whatever the room.
    pub(super) fn check_send_unix(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        data: &[u8],
        manner: &mut Manner,
    ) -> Result<(), Errno> {
        let state = &self.rows[socket];
        let (kind, peer) = (state.kind, state.peer);
        let limit = u64::from(state.sndbuf_bytes).saturating_sub(SNDBUF_RESERVE_BYTES);
        let is_urgent = manner.flags & MSG_OOB != 0;
        if kind == SOCK_STREAM && is_urgent && data.is_empty() {
            return Err(Errno::EOPNOTSUPP);
        }
        match kind {
            SOCK_STREAM if manner.to.is_some() => {
                return Err(if peer == Peer::None { Errno::EOPNOTSUPP } else { Errno::EISCONN });
            }
            SOCK_STREAM if peer == Peer::None => return Err(Errno::ENOTCONN),
            SOCK_STREAM if self.has_shut(socket, SEND_SHUTDOWN) => {
                return Err(self.broken_pipe(task, manner.flags));
            }
            SOCK_SEQPACKET => {
                self.check_packets(socket)?;
                manner.to = None;
            }
            _ => {}
        }
        if is_urgent && kind != SOCK_STREAM {
            return Err(Errno::EOPNOTSUPP);
        }
        if let Some(address) = &manner.to {
            check_address(address)?;
        }
        if kind != SOCK_STREAM {
            self.autobind_if_passing(socket)?;
            if data.len() as u64 > limit {
                return Err(Errno::EMSGSIZE);
            }
        }
        Ok(())
    }

    /// One packet; false if there is no room for it.
    pub(super) fn send_unix(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        bytes: &[u8],
        first: bool,
        manner: &mut Manner,
    ) -> Result<bool, Errno> {
        let state = &mut self.rows[socket];
        state.error.take().map_or(Ok(()), Err)?;
        if state.shut & SEND_SHUTDOWN != 0 {
            return Err(Errno::EPIPE);
        }
        let kind = state.kind;
        if state.sent_bytes >= u64::from(state.sndbuf_bytes) {
            self.want_room_of_socket(socket);
            return Ok(false);
        }
        let other = self.receiver(task, socket, manner)?;
        if kind == SOCK_DGRAM && !self.may_send(socket, other) {
            return Err(Errno::EPERM);
        }
        if self.has_shut(other, RCV_SHUTDOWN) {
            let signals = kind == SOCK_STREAM && first;
            let errno = || Errno::EPIPE;
            return Err(if signals { self.broken_pipe(task, manner.flags) } else { errno() });
        }
        manner.at = None;
        if kind == SOCK_DGRAM && self.is_full_for(socket, other) {
            manner.at = Some(self.socket_ref(other));
            return Ok(false);
        }
        let packet = self.packet(task, socket, other, bytes, manner);
        let held = memory::packet_bytes(&packet);
        if !self.has_memory(held) {
            manner.rights = packet.with.map(|with| with.rights).unwrap_or_default();
            return Err(Errno::ENOBUFS);
        }
        self.hold_bytes(held);
        self.launch(other, packet.rights());
        self.rows[socket].sent_bytes += u64::from(packet.cost_bytes);
        self.rows[other].queue.push_back(packet);
        if manner.is_urgent {
            self.mark_urgent_unix(other);
        }
        self.socket_woken(other, Wake::READABLE);
        self.tell_socket(other, Reason::Input);
        Ok(true)
    }

    /// Who gets a message. Who sent to one that is gone has no peer any more, and loses what it was
    /// sent.
    fn receiver(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        manner: &Manner,
    ) -> Result<SocketRow, Errno> {
        if let Some(address) = &manner.to {
            return self.find_unix(task, SOCK_DGRAM, address);
        }
        match self.rows[socket].peer {
            Peer::At(other) => Ok(other),
            Peer::None | Peer::Outside => Err(Errno::ENOTCONN),
            Peer::Gone => {
                self.rows[socket].peer = Peer::None;
                self.drop_queue(socket);
                Err(Errno::ECONNREFUSED)
            }
        }
    }

    /// Whether the queue of a socket that is not connected to this one is full.
    fn is_full_for(&self, socket: SocketRow, other: SocketRow) -> bool {
        let state = &self.rows[other];
        other != socket && state.peer != Peer::At(socket) && state.queue.len() > MAX_DGRAM_QLEN
    }

    /// The packet with what travels with it; credentials do if either end asks for them.
    fn packet(
        &self,
        task: TaskRow,
        socket: SocketRow,
        other: SocketRow,
        bytes: &[u8],
        manner: &mut Manner,
    ) -> Packet {
        let state = &self.rows[socket];
        // Nobody has said what a connection asks for that is not accepted yet.
        let asked = state.passes_cred || self.rows[other].passes_cred || self.is_pending(other);
        let cred = manner.cred.or_else(|| asked.then(|| self.real_cred(task)));
        let rights = core::mem::take(&mut manner.rights);
        let has_more = cred.is_some() || !rights.is_empty() || state.is_named();
        let with =
            has_more.then(|| Box::new(Attached { from: state.name().clone(), cred, rights }));
        let length = bytes.len() as u64;
        let cost_bytes = match manner.is_pages && state.is_stream() {
            true => pages_cost_bytes(length),
            false => state.cost_bytes(length),
        } as u32;
        let sender = self.socket_ref(socket);
        let is_urgent = manner.is_urgent;
        Packet { bytes: bytes.to_vec(), read: 0, cost_bytes, sender, with, is_urgent }
    }

    /// Whether a connection has not been accepted: it is in nobody's hands.
    fn is_pending(&self, socket: SocketRow) -> bool {
        self.rows[socket].more.as_deref().is_some_and(|more| more.listener.is_some())
    }

    /// Who a task is in messages.
    fn real_cred(&self, task: TaskRow) -> Ucred {
        let state = &self.rows[task];
        let pid = self.rows[state.process].pid;
        Ucred { pid, uid: state.credentials.uid, gid: state.credentials.gid }
    }

    /// EPIPE, with its signal unless the message says no.
    pub(super) fn broken_pipe(&mut self, task: TaskRow, flags: u32) -> Errno {
        if flags & MSG_NOSIGNAL == 0 {
            let info = self.own_info(task, Signal::SIGPIPE);
            self.post_to_task(task, Signal::SIGPIPE, info);
        }
        Errno::EPIPE
    }

    /// What is wrong with a call that receives.
    pub(super) fn check_receive_unix(&self, socket: SocketRow, flags: u32) -> Result<(), Errno> {
        let state = &self.rows[socket];
        match state.kind {
            SOCK_STREAM if !state.is_connected() => Err(Errno::EINVAL),
            SOCK_SEQPACKET if !state.is_connected() => Err(Errno::ENOTCONN),
            SOCK_STREAM => Ok(()),
            _ if flags & MSG_OOB != 0 => Err(Errno::EOPNOTSUPP),
            _ => Ok(()),
        }
    }

    /// What lies in a socket, or that it is over; an error; nothing if the call must wait.
    pub(super) fn take_unix(
        &mut self,
        socket: SocketRow,
        waits: bool,
        receiving: &mut Receiving,
    ) -> Result<Option<Taken>, Errno> {
        let state = &mut self.rows[socket];
        if state.is_stream() {
            return self.take_from_stream(socket, receiving);
        }
        state.error.take().map_or(Ok(()), Err)?;
        let is_over = state.shut & RCV_SHUTDOWN != 0;
        // A datagram socket may be written to again by another: only who waits is told.
        let over = is_over && (waits || state.is_connection());
        let taken = self.take_packet(socket, receiving);
        Ok(taken.or_else(|| over.then(Taken::default)))
    }

    /// A stream's error comes behind the bytes, that of packets before them.
    fn take_from_stream(
        &mut self,
        socket: SocketRow,
        receiving: &mut Receiving,
    ) -> Result<Option<Taken>, Errno> {
        if receiving.flags & MSG_OOB != 0 {
            return self.take_urgent_unix(socket, receiving);
        }
        let peeks = receiving.flags & MSG_PEEK != 0;
        let before = if peeks { 0 } else { receiving.taken.len() as u64 };
        let count = (receiving.count - before).min(self.max_bytes);
        let any = self.has_beyond(socket, receiving.flags);
        let taken = self.take_stream(socket, count, peeks, before > 0);
        let here = taken.bytes.len() as u64;
        let got = before + here;
        if !peeks {
            self.move_peek_offset(socket, receiving.flags, here);
        }
        let state = &mut self.rows[socket];
        let lowat = state.option(SOL_SOCKET, SO_RCVLOWAT).unwrap_or(1).unsigned_abs();
        let all = receiving.flags & MSG_WAITALL != 0 && self.max_bytes == u64::MAX;
        let target = if all { receiving.count } else { lowat.min(receiving.count) }.max(1);
        let ends = got >= target || taken.stops || any && receiving.count == 0;
        // A peek never waits for more than there is.
        let ends = ends || got > 0 && peeks;
        let error = if ends { None } else { state.error.take() };
        let over = error.is_some() || state.shut & RCV_SHUTDOWN != 0;
        // What came hides the error.
        if ends || over && got > 0 {
            if peeks {
                self.move_peek_offset(socket, receiving.flags, here);
            }
            return Ok(Some(taken));
        }
        if over {
            // Who asks is told of somebody even then.
            let passes = self.rows[socket].passes_cred;
            let cred = passes.then(Ucred::default);
            return error.map_or(Ok(Some(Taken { cred, ..taken })), Err);
        }
        if !peeks {
            receiving.taken.extend_from_slice(&taken.bytes);
        }
        Ok(None)
    }

    /// Bytes of one sender, up to a packet that brings descriptors.
    pub(super) fn take_stream(
        &mut self,
        socket: SocketRow,
        count: u64,
        peeks: bool,
        has_some: bool,
    ) -> Taken {
        let passes = self.rows[socket].passes_cred;
        let mut taken = Taken::default();
        let (mut at, mut passed) = self.peek_start(socket, peeks);
        while let Some(packet) = self.rows[socket].queue.get(at) {
            if packet.is_urgent || packet.left() == 0 {
                let copied = has_some || !taken.bytes.is_empty();
                let Some(next) = self.pass_urgent(socket, at, peeks, copied) else {
                    taken.stops = copied;
                    break;
                };
                at = next;
            }
            let Some(packet) = self.rows[socket].queue.get(at) else { break };
            let cred = packet.with.as_deref().and_then(|with| with.cred).unwrap_or(UNKNOWN);
            if passes && taken.cred.is_some_and(|first| first != cred) {
                // It is another sender's.
                taken.stops = true;
                break;
            }
            if passes {
                taken.cred = Some(cred);
            }
            if taken.from.is_none() {
                taken.from = self.sender_name(packet);
            }
            let packet = &mut self.rows[socket].queue[at];
            let passed = core::mem::take(&mut passed) as usize;
            let left = packet.left() - passed as u64;
            let wanted = (count - taken.bytes.len() as u64).min(left) as usize;
            let from = packet.read as usize + passed;
            // The buffer of a packet that is all there is so far is given as it is.
            let is_given = !peeks && taken.bytes.is_empty() && wanted == packet.bytes.len();
            if !is_given {
                let bytes = packet.bytes.get(from..from + wanted).unwrap_or_default();
                taken.bytes.extend_from_slice(bytes);
            }
            if peeks {
                taken.rights = packet.rights().to_vec();
                at += 1;
            } else {
                packet.read += wanted as u32;
                let is_left = packet.left() > 0;
                taken.rights = self.detach_rights(socket, at);
                if is_left {
                    break;
                }
                let bytes = self.drop_packet(socket);
                if is_given {
                    taken.bytes = bytes;
                }
            }
            if !taken.rights.is_empty() || taken.bytes.len() as u64 == count {
                break;
            }
        }
        taken.stops |= !taken.rights.is_empty();
        if peeks {
            self.hold_descriptions(&taken.rights);
        }
        taken
    }

    /// What does not fit is lost (recv(2), MSG_TRUNC).
    fn take_packet(&mut self, socket: SocketRow, receiving: &Receiving) -> Option<Taken> {
        let passed = self.peek_offset(socket, receiving.flags);
        let (at, passed) = self.rows[socket].packet_at(passed)?;
        let packet = self.rows[socket].queue.get(at)?;
        let passes = self.rows[socket].passes_cred;
        let cred = packet.with.as_deref().and_then(|with| with.cred).unwrap_or(UNKNOWN);
        let from = self.sender_name(packet);
        let whole = packet.bytes.len() as u64 - passed;
        let count = receiving.count.min(self.max_bytes);
        let (bytes, rights, moved) = if receiving.flags & MSG_PEEK != 0 {
            let bytes = packet.bytes.iter().skip(passed as usize).take(count as usize);
            let bytes: Vec<u8> = bytes.copied().collect();
            let moved = bytes.len() as u64;
            (bytes, packet.rights().to_vec(), moved)
        } else {
            let rights = self.detach_rights(socket, 0);
            let mut bytes = self.drop_packet(socket);
            bytes.truncate(count as usize);
            (bytes, rights, whole)
        };
        self.move_peek_offset(socket, receiving.flags, moved);
        if receiving.flags & MSG_PEEK != 0 {
            self.hold_descriptions(&rights);
        }
        let cut_from = (whole > count).then_some(whole);
        let cred = passes.then_some(cred);
        Some(Taken { bytes, cut_from, from, cred, rights, stops: true, ..Taken::default() })
    }

    fn hold_descriptions(&mut self, rights: &[DescriptionRow]) {
        for row in rights {
            self.rows[*row].refs += 1;
        }
    }

    /// The name of who sent a packet, that it has by now.
    fn sender_name(&self, packet: &Packet) -> Option<Address> {
        let name = match (self.live_socket(packet.sender), packet.with.as_deref()) {
            (Some(sender), _) => self.rows[sender].name(),
            (None, Some(with)) => &with.from,
            (None, None) => return None,
        };
        (*name != Address::Unnamed).then(|| name.clone())
    }

    /// The descriptions that travel with a packet, out of it.
    fn detach_rights(&mut self, socket: SocketRow, at: usize) -> Vec<DescriptionRow> {
        let with = self.rows[socket].queue.get_mut(at).and_then(|packet| packet.with.as_mut());
        let rights = with.map(|with| core::mem::take(&mut with.rights)).unwrap_or_default();
        self.unhold_bytes(memory::rights_bytes(rights.len()));
        self.land(socket, &rights);
        rights
    }

    /// The oldest packet is read: its sender has room again.
    pub(super) fn drop_packet(&mut self, socket: SocketRow) -> Vec<u8> {
        let state = &mut self.rows[socket];
        let Some(packet) = state.queue.pop_front() else { return Vec::new() };
        let was_full = state.domain == AF_UNIX
            && state.kind == SOCK_DGRAM
            && state.queue.len() == MAX_DGRAM_QLEN;
        self.unhold_bytes(memory::packet_bytes(&packet));
        self.give_room(&packet);
        if was_full {
            self.tell_senders(socket);
        }
        packet.bytes
    }

    /// A packet that is read or passed over, behind others.
    pub(super) fn drop_packet_at(&mut self, socket: SocketRow, at: usize) {
        if let Some(packet) = self.rows[socket].queue.remove(at) {
            self.unhold_bytes(memory::packet_bytes(&packet));
            self.give_room(&packet);
        }
    }

    /// A packet does not count against its sender any more.
    fn give_room(&mut self, packet: &Packet) {
        self.give_bytes(packet.sender, u64::from(packet.cost_bytes));
    }

    /// So much does not count against a sender any more.
    pub(super) fn give_bytes(&mut self, sender: SocketRef, bytes: u64) {
        if let Some(sender) = self.live_socket(sender) {
            let state = &mut self.rows[sender];
            // A stream of tcp(7) tells of room only who had none.
            let tells = state.domain == AF_UNIX || !state.has_room();
            state.sent_bytes -= bytes;
            if tells && state.has_room() {
                self.socket_woken(sender, Wake::WRITABLE);
                self.tell_socket_of_room(sender);
            }
        }
    }

    /// Who found this socket's queue full may send to it.
    fn tell_senders(&mut self, socket: SocketRow) {
        self.room_changed(socket);
        let more = self.rows[socket].more.as_deref();
        for sender in more.map(|more| more.senders.clone()).unwrap_or_default() {
            self.socket_changed(sender);
        }
    }

    pub(super) fn has_shut(&self, socket: SocketRow, side: u32) -> bool {
        self.rows[socket].shut & side != 0
    }

    pub(super) fn socket_changed(&mut self, socket: SocketRow) {
        self.socket_woken(socket, Wake::ALL);
    }

    /// A socket changed: which events have just come true, as Linux tells them.
    pub(crate) fn socket_woken(&mut self, socket: SocketRow, wake: Wake) {
        if !self.rows[socket].waiters.is_empty() {
            self.woken(Changed::Socket(socket), wake);
        }
    }

    /// shutdown(2). Of a connection the other end sees it.
    pub(crate) fn shutdown_unix(&mut self, socket: SocketRow, how: u32) {
        let sides = how + 1;
        self.rows[socket].shut |= sides;
        self.socket_changed(socket);
        let state = &self.rows[socket];
        let Peer::At(other) = state.peer else { return };
        if state.is_connection() {
            let crossed = [0, SEND_SHUTDOWN, RCV_SHUTDOWN, RCV_SHUTDOWN | SEND_SHUTDOWN];
            self.rows[other].shut |= crossed[sides as usize & 3];
            self.socket_changed(other);
            match sides {
                SEND_SHUTDOWN => self.tell_socket(other, Reason::Input),
                RCV_SHUTDOWN => {}
                _ => self.tell_socket(other, Reason::HangUp),
            }
        }
    }

    /// The last descriptor of a socket is closed.
    pub(crate) fn close_socket(&mut self, socket: SocketRow) {
        if self.rows[socket].domain != AF_UNIX {
            return self.close_inet(socket);
        }
        let mut more = self.rows[socket].more.take();
        let pending = more.as_mut().map(|more| core::mem::take(&mut more.pending));
        self.rows[socket].more = more;
        for embryo in pending.into_iter().flatten() {
            self.close_one(embryo, true);
        }
        self.close_one(socket, false);
    }

    fn close_one(&mut self, socket: SocketRow, embryo: bool) {
        let state = &self.rows[socket];
        // What is left of an urgent byte that was read is none.
        let unread = embryo
            || match state.queue.front() {
                None => false,
                Some(first) => first.left() > 0 || state.queue.len() > 1,
            };
        let connection = state.is_connection();
        self.drop_queue(socket);
        self.forget_name(socket);
        if connection {
            self.leave_connection(socket, unread);
        } else {
            self.leave_datagrams(socket);
        }
        let more = self.rows[socket].more.take();
        for (_, tid) in more.map(|more| more.room_waiters.0).unwrap_or_default() {
            self.note(Changed::Task(tid));
        }
        socket.remove(&mut self.rows);
    }

    fn close_inet(&mut self, socket: SocketRow) {
        if self.rows[socket].is_stream() {
            return self.end_tcp(socket, false);
        }
        self.end_udp(socket);
        socket.remove(&mut self.rows);
    }

    /// The other end of a connection sees the end, and an error if something was not read.
    fn leave_connection(&mut self, socket: SocketRow, unread: bool) {
        let Peer::At(other) = self.rows[socket].peer else { return };
        self.lose_peer(other, socket);
        let state = &mut self.rows[other];
        state.shut = RCV_SHUTDOWN | SEND_SHUTDOWN;
        if unread {
            state.error = Some(Errno::ECONNRESET);
        }
        self.tell_socket(other, Reason::HangUp);
    }

    /// Who is connected to a datagram socket finds out when it sends.
    fn leave_datagrams(&mut self, socket: SocketRow) {
        self.set_peer(socket, Peer::None);
        let more = self.rows[socket].more.as_mut();
        for sender in more.map(|more| core::mem::take(&mut more.senders)).unwrap_or_default() {
            self.lose_peer(sender, socket);
        }
    }

    /// A socket's peer is gone; its name is remembered (getpeername(2)).
    fn lose_peer(&mut self, socket: SocketRow, gone: SocketRow) {
        self.rows[socket].peer = Peer::Gone;
        if self.rows[gone].is_named() {
            let name = self.rows[gone].name().clone();
            self.set_remote(socket, name);
        }
        self.socket_changed(socket);
    }

    /// Remembers the name of the other end.
    fn set_remote(&mut self, socket: SocketRow, name: Address) {
        let held = memory::name_bytes(&name);
        let old = core::mem::replace(&mut self.rows[socket].more_mut().remote, name);
        self.hold_bytes(held);
        self.unhold_bytes(memory::name_bytes(&old));
    }

    pub(super) fn drop_queue(&mut self, socket: SocketRow) {
        for packet in core::mem::take(&mut self.rows[socket].queue) {
            self.unhold_bytes(memory::packet_bytes(&packet));
            self.give_room(&packet);
            self.lose(socket, packet);
        }
    }

    /// What poll(2) says.
    pub(crate) fn poll_unix(&self, socket: SocketRow) -> u32 {
        let state = &self.rows[socket];
        let listens = state.backlog().is_some();
        let mut events = 0;
        if state.error.is_some() {
            events |= POLLERR;
        }
        let idle = state.is_connection() && !state.is_connected() && !listens;
        if state.shut == RCV_SHUTDOWN | SEND_SHUTDOWN || idle {
            events |= POLLHUP;
        }
        if state.shut & RCV_SHUTDOWN != 0 {
            events |= POLLRDHUP | POLLIN | POLLRDNORM;
        }
        if !state.queue.is_empty() || state.pending() > 0 {
            events |= POLLIN | POLLRDNORM;
        }
        let full = |other| state.kind == SOCK_DGRAM && self.is_full_for(socket, other);
        let is_full = matches!(state.peer, Peer::At(other) if full(other));
        if self.has_urgent(socket) {
            events |= POLLPRI;
        }
        if state.has_room() && !listens && !is_full {
            events |= POLLOUT | POLLWRNORM | POLLWRBAND;
        }
        events
    }

    /// FIONREAD: all bytes of a connection, those of the next datagram (unix(7), "Ioctls").
    pub(crate) fn readable_bytes(&self, socket: SocketRow) -> Result<u64, Errno> {
        let state = &self.rows[socket];
        if state.backlog().is_some() {
            return Err(Errno::EINVAL);
        }
        let passed = state.more.as_deref().map_or(0, |more| more.passed_bytes);
        let inline = state.option(SOL_SOCKET, SO_OOBINLINE).unwrap_or(0) != 0;
        if let Some(urgent) = self.urgent(socket).filter(|_| !inline) {
            return Ok(urgent.ahead);
        }
        Ok(match state.is_connection() {
            true => state.queued_bytes() + passed,
            false => state.queue.front().map_or(0, Packet::left),
        })
    }

    /// TIOCOUTQ: what is on the way, by what it costs.
    pub(crate) fn unread_bytes(&self, socket: SocketRow) -> Result<u64, Errno> {
        let state = &self.rows[socket];
        match state.domain {
            AF_UNIX => Ok(state.sent_bytes),
            _ if state.backlog().is_some() => Err(Errno::EINVAL),
            _ if state.peer == Peer::Outside => Ok(state.sent_bytes),
            _ if self.is_connecting(socket) => Ok(0),
            // What is with the other end's kernel has arrived (tcp(7), SIOCOUTQ).
            _ => Ok(state.more.as_deref().map_or(0, |more| more.left_bytes.into())),
        }
    }
}

/// Who sent a packet that nobody had asked about.
const UNKNOWN: Ucred = Ucred { pid: 0, uid: 65_534, gid: 65_534 };
