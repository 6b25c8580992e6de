//! A connection of tcp(7) that is asked for where the listener's list is full: how long Linux goes
//! on asking before connect(2) is ETIMEDOUT.
//!
//! A SYN is sent again after a second, four times so (`net.ipv4.tcp_syn_linear_timeouts`), then
//! after twice as long each time. TCP_SYNCNT, or `net.ipv4.tcp_syn_retries`, says how often; with
//! TCP_USER_TIMEOUT it is over by then, but not before the first. Found by experiment on Linux
//! 6.18. Here a connection is there as soon as the list has room, and not with the next SYN.

use crate::abi::Errno;
use crate::abi::socket::{SOL_TCP, TCP_SYNCNT, TCP_USER_TIMEOUT};
use crate::components::socket::State;
use crate::kernel::Kernel;
use crate::rows::{RowKind, SocketRow};
use crate::tables::deadlines::Due;

/// `net.ipv4.tcp_syn_retries`.
const TRIES: u64 = 6;
/// `net.ipv4.tcp_syn_linear_timeouts`.
const LINEAR_TRIES: u64 = 4;
/// The longest time between two tries, in ms.
const RTO_MAX_MS: u64 = 120_000;
const MS_NS: u64 = 1_000_000;

impl Kernel {
    /// A socket waits for a connection from now on.
    pub(super) fn begin_knocking(&mut self, socket: SocketRow) {
        let number = |name| self.rows[socket].option(SOL_TCP, name).unwrap_or(0).unsigned_abs();
        let (tries, user_ms) = (number(TCP_SYNCNT), number(TCP_USER_TIMEOUT));
        let tries = if tries == 0 { TRIES } else { tries };
        let gives_up_ns = self.now_ns.saturating_add(asking_ms(tries, user_ms) * MS_NS);
        self.rows[socket].more_mut().state = State::Connecting { gives_up_ns };
        self.index_asking(socket);
    }

    /// Whether a connection is asked for and not there.
    pub(super) fn is_connecting(&self, socket: SocketRow) -> bool {
        self.gives_up_ns(socket).is_some()
    }

    /// When a socket that waits for a connection gives up.
    pub(crate) fn gives_up_ns(&self, socket: SocketRow) -> Option<u64> {
        match self.rows[socket].more.as_deref()?.state {
            State::Connecting { gives_up_ns } => Some(gives_up_ns),
            State::Idle | State::Listening { .. } => None,
        }
    }

    /// Enters the deadline of a socket that waits for a connection.
    pub(crate) fn index_asking(&mut self, socket: SocketRow) {
        if let Some(at_ns) = self.gives_up_ns(socket) {
            let id = socket.own_id(&self.rows);
            self.asking_sockets.insert(id, socket);
            self.deadlines.add(at_ns, Due::Connection(id));
        }
    }

    /// It waits no longer.
    pub(super) fn end_asking(&mut self, socket: SocketRow) {
        if let Some(at_ns) = self.gives_up_ns(socket) {
            let id = socket.own_id(&self.rows);
            self.asking_sockets.remove(&id);
            self.deadlines.remove(at_ns, Due::Connection(id));
            self.rows[socket].more_mut().state = State::Idle;
        }
    }

    /// The last SYN was answered by nobody.
    pub(crate) fn asking_is_over(&mut self, id: u64) {
        if let Some(socket) = self.asking_sockets.get(&id).copied() {
            self.end_asking(socket);
            self.reset(socket, Errno::ETIMEDOUT);
        }
    }
}

/// For how long a connection is asked for.
fn asking_ms(tries: u64, user_ms: u64) -> u64 {
    // What the time-outs would add up to if none were linear and none above the longest.
    let whole = tries.min(6);
    let modelled_ms = ((2 << whole) - 1) * 1000 + (tries - whole) * RTO_MAX_MS;
    let most_ms = if user_ms == 0 { modelled_ms } else { user_ms };
    let (mut at_ms, mut rto_ms, mut sent) = (0, 1000, 0);
    loop {
        at_ms += rto_ms;
        if user_ms > 0 && sent > 0 {
            at_ms = at_ms.min(user_ms.max(1000));
        }
        if sent >= tries + LINEAR_TRIES || sent > 0 && at_ms >= most_ms {
            return at_ms;
        }
        sent += 1;
        if sent > LINEAR_TRIES {
            rto_ms = (rto_ms * 2).min(RTO_MAX_MS);
        }
    }
}
