//! Errors of datagrams (udp(7), "Error handling"; ip(7), `IP_RECVERR`; ipv6(7)): nobody has the
//! port, and the host says so (icmp(7)).
//!
//! Who is connected there is told once. Who asks for more is told always, and finds what could not
//! be sent in a queue of its own (recv(2), `MSG_ERRQUEUE`), whose entries count against the same
//! buffer as what is received. Here it is the loopback device's hosts that answer, with as much of
//! the datagram as they send back (found by experiment on Linux 6.18). Not here: errors from the
//! network outside.

use super::notices::Reason;
use crate::abi::Errno;
use crate::abi::socket::*;
use crate::components::inet::{Endpoint, as_ipv4};
use crate::components::message::Taken;
use crate::components::socket::{More, QueuedError, SNDBUF_BYTES, udp_cost_bytes};
use crate::kernel::Kernel;
use crate::rows::SocketRow;
use alloc::boxed::Box;

/// `SO_EE_ORIGIN_ICMP`, and type and code of "port unreachable".
const UNREACHABLE4: [u8; 3] = [2, 3, 3];
/// `SO_EE_ORIGIN_ICMP6`, and the same of IPv6.
const UNREACHABLE6: [u8; 3] = [3, 1, 4];

/// Headers that come back with the bytes, and how many of these do.
const fn returned_bytes(is_ipv4: bool) -> (u64, usize) {
    if is_ipv4 { (28, 520) } else { (48, 1184) }
}

impl Kernel {
    /// Nobody has the port that a datagram went to.
    pub(super) fn datagram_refused(&mut self, socket: SocketRow, bytes: &[u8], to: Endpoint) {
        let remote = self.remote_endpoint(socket);
        // What comes back is for who is connected there, or to nobody.
        if remote.is_some_and(|remote| remote != to) {
            return;
        }
        if self.wants_errors(socket, to) {
            self.queue_error(socket, bytes, to);
        } else if remote.is_none() {
            return;
        }
        self.rows[socket].error = Some(Errno::ECONNREFUSED);
        self.tell_of_error(socket);
    }

    fn wants_errors(&self, socket: SocketRow, to: Endpoint) -> bool {
        let option = match as_ipv4(to.host) {
            Some(_) => (SOL_IP, IP_RECVERR),
            None => (SOL_IPV6, IPV6_RECVERR),
        };
        self.rows[socket].option(option.0, option.1) == Some(1)
    }

    fn tell_of_error(&mut self, socket: SocketRow) {
        self.socket_changed(socket);
        self.tell_socket(socket, Reason::Error);
    }

    /// An error lies in the queue, unless the buffer is full.
    fn queue_error(&mut self, socket: SocketRow, bytes: &[u8], to: Endpoint) {
        let (headers, most) = returned_bytes(as_ipv4(to.host).is_some());
        let returned = bytes.get(..most).unwrap_or(bytes);
        let cost_bytes = udp_cost_bytes(returned.len() as u64 + headers) as u32;
        let error = QueuedError { bytes: returned.to_vec(), to, cost_bytes };
        let buffer = self.rows[socket].option(SOL_SOCKET, SO_RCVBUF).unwrap_or(SNDBUF_BYTES as i64);
        let lain = self.rows[socket].received_bytes + u64::from(cost_bytes);
        if lain >= buffer.unsigned_abs() || !self.has_memory(error.held_bytes()) {
            return;
        }
        self.hold_bytes(error.held_bytes());
        let state = &mut self.rows[socket];
        state.received_bytes += u64::from(cost_bytes);
        state.more_mut().errors.push_back(error);
    }

    pub(crate) fn has_errors(&self, socket: SocketRow) -> bool {
        self.rows[socket].more.as_deref().is_some_and(|more| !more.errors.is_empty())
    }

    /// The oldest error, also for who only peeks. `SO_ERROR` is then that of the next.
    pub(super) fn take_error(&mut self, socket: SocketRow, count: u64) -> Option<Taken> {
        let error = self.rows[socket].more.as_deref_mut()?.errors.pop_front()?;
        self.forget_error(socket, &error);
        let has_next = self.has_errors(socket);
        self.rows[socket].error = has_next.then_some(Errno::ECONNREFUSED);
        if has_next {
            self.tell_of_error(socket);
        }
        let is_ipv4 = as_ipv4(error.to.host).is_some();
        let [origin, kind, code] = if is_ipv4 { UNREACHABLE4 } else { UNREACHABLE6 };
        let offender = self.shown(socket, Endpoint { port: 0, ..error.to });
        let errno = u32::from(Errno::ECONNREFUSED.0);
        let told = ExtendedError { errno, origin, kind, code, info: 0, data: 0, offender };
        let is_cut = error.bytes.len() as u64 > count;
        let mut bytes = error.bytes;
        bytes.truncate(count as usize);
        Some(Taken {
            bytes,
            from: Some(self.shown(socket, error.to)),
            flags: MSG_ERRQUEUE | if is_cut { MSG_TRUNC } else { 0 },
            error: Some(Box::new(told)),
            ..Taken::default()
        })
    }

    fn forget_error(&mut self, socket: SocketRow, error: &QueuedError) {
        self.unhold_bytes(error.held_bytes());
        self.rows[socket].received_bytes -= u64::from(error.cost_bytes);
    }

    /// An option is set: who asks for errors no more has none.
    pub(super) fn drop_unwanted_errors(&mut self, socket: SocketRow, option: (u32, u32, i64)) {
        if matches!(option, (SOL_IP, IP_RECVERR, 0) | (SOL_IPV6, IPV6_RECVERR, 0)) {
            self.drop_errors(socket);
        }
    }

    /// The queue is emptied.
    pub(super) fn drop_errors(&mut self, socket: SocketRow) {
        let more = self.rows[socket].more.as_deref_mut();
        for error in
            more.map(|more: &mut More| core::mem::take(&mut more.errors)).unwrap_or_default()
        {
            self.forget_error(socket, &error);
        }
    }
}
