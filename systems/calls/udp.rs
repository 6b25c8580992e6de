//! Datagrams of udp(7) over the loopback device: connect(2), what is sent, who receives it.
//!
//! A datagram is with its receiver at once, or lost: when nobody has the port, which a sender that
//! is connected is told (ECONNREFUSED), and when the receiver's buffer is full, which nobody is
//! told. Not here: names (`inet.rs`), groups (`groups.rs`).

use super::inet::needs_scope;
use super::notices::Reason;
use crate::abi::flags::*;
use crate::abi::socket::*;
use crate::abi::{Address, Errno};
use crate::components::inet::{ANY4, ANY6, Endpoint, Host, Reach, as_ipv4, mapped, reach};
use crate::components::message::{Receiving, Taken};
use crate::components::socket::{
    Attached, More, Packet, RCV_SHUTDOWN, SEND_SHUTDOWN, SNDBUF_BYTES, SocketRef, udp_cost_bytes,
};
use crate::event::Answer;
use crate::kernel::{CallResult, Kernel};
use crate::memory;
use crate::rows::SocketRow;
use crate::tables::sockets::Ports;
use crate::watchers::Wake;
use alloc::boxed::Box;

/// Longest that the length of an IP packet can say, and what the headers take of it.
pub(super) const LENGTH_MAX: usize = 65_535;
const HEADERS: usize = 28;
/// The same of IPv6, whose length does not count its own.
const HEADERS6: usize = 8;

/// The headers of a datagram.
pub(super) const fn headers_of(is_ipv4: bool) -> usize {
    if is_ipv4 { HEADERS } else { HEADERS6 }
}

/// What IPv4 looks at first, and IPv6 not at all: urgent datagrams there are sent like others.
pub(super) fn check_ipv4(data: &[u8], flags: u32) -> Result<(), Errno> {
    if data.len() > LENGTH_MAX {
        return Err(Errno::EMSGSIZE);
    }
    if flags & MSG_OOB != 0 { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
}

impl Kernel {
    /// connect(2): whom it sends to, and from whom it receives.
    pub(super) fn connect_udp(&mut self, socket: SocketRow, address: &Address) -> CallResult {
        if *address == Address::Other(AF_UNSPEC as u16) {
            self.disconnect_udp(socket);
            return Ok(Answer::default());
        }
        self.autobind_inet(socket)?;
        let to = self.own_family(socket, address, false)?;
        if needs_scope(to.host)
            && self.rows[socket].option(SOL_IPV6, IPV6_MULTICAST_IF).unwrap_or(0) == 0
        {
            return Err(Errno::EINVAL.into());
        }
        let (to, own) = self.route(socket, to)?;
        self.may_broadcast(socket, to.host)?;
        let mut at = self.endpoint(socket);
        if at.is_any() {
            at.host = own;
        }
        let (name, remote) = (self.shown(socket, at), self.shown(socket, to));
        let more = self.rows[socket].more_mut();
        (more.name, more.remote) = (name, remote);
        self.turn_corked(socket, (to, own));
        self.leave_outside(socket);
        if self.reach(to.host) == Reach::Foreign || self.sockets.network.listens(Ports::Udp, to) {
            self.enter_outside(socket);
        }
        Ok(Answer::default())
    }

    /// What bind(2) was not told is forgotten.
    fn disconnect_udp(&mut self, socket: SocketRow) {
        self.leave_outside(socket);
        let nowhere = if self.rows[socket].domain == AF_INET6 { ANY6 } else { ANY4 };
        let mut at = self.endpoint(socket);
        let more = self.rows[socket].more_mut();
        let (keeps_host, keeps_port) = (more.is_host_chosen, more.is_port_chosen);
        more.remote = Address::Unnamed;
        if !keeps_port {
            self.leave_port(socket);
            at.port = 0;
        }
        if !keeps_host {
            at.host = nowhere;
        }
        let unnamed = at.port == 0 && !keeps_host;
        let name = if unnamed { Address::Unnamed } else { self.shown(socket, at) };
        self.rows[socket].more_mut().name = name;
    }

    fn may_broadcast(&self, socket: SocketRow, host: Host) -> Result<(), Errno> {
        let allowed = self.rows[socket].option(SOL_SOCKET, SO_BROADCAST).unwrap_or(0) != 0;
        let is_broadcast = matches!(reach(host), Reach::Broadcast | Reach::Everybody);
        if is_broadcast && !allowed { Err(Errno::EACCES) } else { Ok(()) }
    }

    /// A datagram of who is connected to another host of `lo`, which is most of them: there is
    /// nothing to look up but its receiver. `None` where more is to be looked at.
    fn send_udp_at_once(&mut self, socket: SocketRow, data: &[u8]) -> Option<()> {
        let state = &self.rows[socket];
        let more = state.more.as_deref()?;
        let Address::Inet([127, second, third, last], port) = more.remote else { return None };
        let Address::Inet([127, own @ ..], own_port) = more.name else { return None };
        let is_broadcast = [second, third, last] == [255; 3];
        let is_open = state.error.is_none() && state.shut & SEND_SHUTDOWN == 0;
        let fits = data.len() <= LENGTH_MAX - HEADERS;
        let gathers = more.corked.is_some() || more.is_corked();
        if is_broadcast || !is_open || !fits || !more.has_port || port == 0 || gathers {
            return None;
        }
        let to = Endpoint { host: mapped([127, second, third, last]), port };
        let from = Endpoint { host: mapped([127, own[0], own[1], own[2]]), port: own_port };
        let other = self.receiver_of(to, from)?;
        self.give_datagram(other, data, from);
        Some(())
    }

    /// A datagram: what is wrong with it whatever becomes of it, then it is on its way.
    pub(super) fn send_udp(
        &mut self,
        socket: SocketRow,
        data: &[u8],
        flags: u32,
        to: Option<&Address>,
    ) -> Result<(), Errno> {
        let is_plain = flags & (MSG_OOB | MSG_MORE) == 0;
        if to.is_none() && is_plain && self.send_udp_at_once(socket, data).is_some() {
            return Ok(());
        }
        self.autobind_inet(socket)?;
        let is_ipv4 = self.rows[socket].domain == AF_INET;
        if is_ipv4 {
            check_ipv4(data, flags)?;
        }
        if self.has_corked(socket) {
            self.check_corked(socket, data, flags, to)?;
            return self.add_corked(socket, data, flags);
        }
        // Of IPv6 no family is no address.
        let to = to.filter(|to| is_ipv4 || **to != Address::Other(AF_UNSPEC as u16));
        let is_given = to.is_some();
        let to = match to {
            Some(address) => self.own_family(socket, address, false)?,
            None => self.remote_endpoint(socket).ok_or(Errno::EDESTADDRREQ)?,
        };
        // A host of IPv4 that a socket of IPv6 is connected to is taken as if it were given.
        let is_mapped = !is_ipv4 && as_ipv4(to.host).is_some();
        if is_mapped {
            check_ipv4(data, flags)?;
        }
        let is_given = is_given || is_mapped;
        if is_given && to.port == 0 {
            return Err(Errno::EINVAL);
        }
        let (to, own) = self.route(socket, to)?;
        self.may_broadcast(socket, to.host)?;
        let headers = headers_of(as_ipv4(to.host).is_some());
        if data.len() > LENGTH_MAX - headers {
            return Err(Errno::EMSGSIZE);
        }
        let state = &mut self.rows[socket];
        state.error.take().map_or(Ok(()), Err)?;
        if state.shut & SEND_SHUTDOWN != 0 {
            return Err(Errno::EPIPE);
        }
        if self.gathers(socket, flags) {
            return self.begin_corked(socket, data, (to, own));
        }
        self.send_datagram(socket, data, (to, own));
        Ok(())
    }

    /// Whether it is a socket of udp(7).
    pub(crate) fn is_udp(&self, socket: SocketRow) -> bool {
        let state = &self.rows[socket];
        matches!(state.domain, AF_INET | AF_INET6) && !state.is_stream()
    }

    /// A datagram that is in order goes to who has the port.
    pub(super) fn send_datagram(
        &mut self,
        socket: SocketRow,
        bytes: &[u8],
        (to, own): (Endpoint, Host),
    ) {
        let mut from = self.endpoint(socket);
        if from.is_any() {
            from.host = own;
        }
        match self.reach(to.host) {
            Reach::Broadcast | Reach::Everybody | Reach::Group => {
                for other in self.receivers(to, from) {
                    self.give_datagram(other, bytes, from);
                }
                return;
            }
            Reach::Foreign => return self.datagram_out(socket, bytes, [from, to]),
            Reach::Any | Reach::Local => {}
        }
        match self.receiver_of(to, from) {
            Some(other) => self.give_datagram(other, bytes, from),
            None if self.sockets.network.listens(Ports::Udp, to) => {
                self.datagram_out(socket, bytes, [from, to]);
            }
            None => self.datagram_refused(socket, bytes, to),
        }
    }

    /// Who gets what a socket sends to an address, or listens there.
    pub(crate) fn reached_inet(&self, socket: SocketRow, to: Endpoint) -> Option<SocketRow> {
        let (to, own) = self.route(socket, to).ok()?;
        if self.reach(to.host) == Reach::Foreign {
            return None;
        }
        if self.rows[socket].is_stream() {
            return self.listener_at(to);
        }
        let mut from = self.endpoint(socket);
        if from.is_any() {
            from.host = own;
        }
        self.receiver_of(to, from)
    }

    /// Who has the port: first who is connected to the sender, then who is bound to the host.
    pub(super) fn receiver_of(&self, to: Endpoint, from: Endpoint) -> Option<SocketRow> {
        // Who is bound and connected to just these is best: often there is one, and nobody else.
        if let (Some(own), Some(other)) = (as_ipv4(to.host), as_ipv4(from.host)) {
            let is = |address: &Address, end: ([u8; 4], u16)| match address {
                Address::Inet(host, port) => (*host, *port) == end,
                Address::Inet6(..)
                | Address::Unnamed
                | Address::Unix(_)
                | Address::Abstract(_)
                | Address::Other(_) => false,
            };
            let is_exact = |more: &More| {
                is(&more.name, (own, to.port)) && is(&more.remote, (other, from.port))
            };
            let exact = self
                .sockets
                .at(Ports::Udp, to.port)
                .find(|candidate| self.rows[*candidate].more.as_deref().is_some_and(is_exact));
            if exact.is_some() {
                return exact;
            }
        }
        let candidates = self.sockets.at(Ports::Udp, to.port);
        self.best(candidates, to.host, |candidate| match self.remote_endpoint(candidate) {
            None => Some(0),
            Some(remote) => (remote == from).then_some(1),
        })
    }

    /// It lies with its receiver, unless that has no room.
    pub(super) fn give_datagram(&mut self, other: SocketRow, bytes: &[u8], from: Endpoint) {
        let buffer = self.rows[other].option(SOL_SOCKET, SO_RCVBUF).unwrap_or(SNDBUF_BYTES as i64);
        let cost_bytes = udp_cost_bytes(bytes.len() as u64) as u32;
        let from = self.shown(other, from);
        let with = Some(Box::new(Attached { from, ..Attached::default() }));
        let sender = SocketRef::default();
        let packet =
            Packet { bytes: bytes.to_vec(), read: 0, cost_bytes, sender, with, is_urgent: false };
        let held = memory::packet_bytes(&packet);
        let lain = self.rows[other].received_bytes;
        if lain + u64::from(cost_bytes) > buffer.unsigned_abs() || !self.has_memory(held) {
            return;
        }
        self.hold_bytes(held);
        let state = &mut self.rows[other];
        state.received_bytes += u64::from(cost_bytes);
        state.queue.push_back(packet);
        self.socket_woken(other, Wake::READABLE);
        self.tell_socket(other, Reason::Input);
    }

    /// The oldest datagram; an error; that it is over, for who would wait; nothing.
    pub(super) fn take_udp(
        &mut self,
        socket: SocketRow,
        waits: bool,
        receiving: &Receiving,
    ) -> Result<Option<Taken>, Errno> {
        if receiving.flags & MSG_ERRQUEUE != 0 {
            return Ok(self.take_error(socket, receiving.count.min(self.max_bytes)));
        }
        let state = &mut self.rows[socket];
        state.error.take().map_or(Ok(()), Err)?;
        let is_over = state.shut & RCV_SHUTDOWN != 0;
        let passed = self.peek_offset(socket, receiving.flags);
        let state = &mut self.rows[socket];
        let found = state.packet_at(passed);
        let packet = found.and_then(|(at, passed)| Some((state.queue.get(at)?, passed)));
        let Some((packet, passed)) = packet else {
            return Ok((is_over && waits).then(Taken::default));
        };
        let whole = packet.bytes.len() as u64;
        let count = receiving.count.min(self.max_bytes);
        let from = packet.with.as_deref().map(|with| with.from.clone());
        let cost = u64::from(packet.cost_bytes);
        let peeks = receiving.flags & MSG_PEEK != 0;
        let mut bytes = if peeks {
            packet.bytes.get(passed as usize..).unwrap_or_default().to_vec()
        } else {
            state.received_bytes -= cost;
            self.drop_packet(socket)
        };
        bytes.truncate(count as usize);
        // What a peek passes over counts as cut, but for one that wants more than the rest.
        let cut_from = (whole > count && count <= whole - passed).then_some(whole);
        let moved = match receiving.flags & MSG_TRUNC {
            0 => bytes.len() as u64,
            _ => whole,
        };
        self.move_peek_offset(socket, receiving.flags, moved);
        Ok(Some(Taken { bytes, cut_from, whole: Some(whole), from, ..Taken::default() }))
    }

    /// shutdown(2): of one that is not connected it says so, and shuts it.
    pub(super) fn shutdown_udp(&mut self, socket: SocketRow, how: u32) -> Result<(), Errno> {
        self.rows[socket].shut |= how + 1;
        self.socket_changed(socket);
        self.remote_endpoint(socket).map(|_| ()).ok_or(Errno::ENOTCONN)
    }

    /// The last descriptor is closed.
    pub(super) fn end_udp(&mut self, socket: SocketRow) {
        self.leave_outside(socket);
        self.take_corked(socket);
        self.drop_errors(socket);
        self.drop_queue(socket);
        self.leave_port(socket);
        self.forget_groups(socket);
        self.forget_name(socket);
    }

    /// What poll(2) says.
    pub(super) fn poll_udp(&self, socket: SocketRow) -> u32 {
        let state = &self.rows[socket];
        let mut events = POLLOUT | POLLWRNORM | POLLWRBAND;
        if state.shut & RCV_SHUTDOWN != 0 {
            events |= POLLIN | POLLRDNORM | POLLRDHUP;
        }
        if state.shut == RCV_SHUTDOWN | SEND_SHUTDOWN {
            events |= POLLHUP;
        }
        if !state.queue.is_empty() {
            events |= POLLIN | POLLRDNORM;
        }
        if state.error.is_some() || self.has_errors(socket) {
            events |= POLLERR;
        }
        events
    }
}
