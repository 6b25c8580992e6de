//! Options of tcp(7) that are more than a number that is kept: what Linux makes of it, and what
//! `TCP_INFO` tells.
//!
//! Of `TCP_INFO` there is what does not depend on time or on what the wire was like: the state,
//! the options that both ends have agreed on, sizes of segments and windows, and of a listener
//! how many connections wait and how many may; all else is 0. The sizes are those of a connection
//! through which nothing has gone. Of the algorithms against congestion there are the two that
//! every Linux has, and bbr. Found by experiment on Linux 6.18.

use super::tcp::{FIN_GOT, FIN_SENT};
use crate::abi::Errno;
use crate::abi::flags::AF_INET6;
use crate::abi::socket::*;
use crate::components::inet::as_ipv4;
use crate::components::socket::Peer;
use crate::kernel::Kernel;
use crate::rows::SocketRow;
use crate::wire::Bytes;
use alloc::vec::Vec;

/// `net.core.somaxconn`.
const SOMAXCONN: i64 = 4096;
/// `TCP_FIN_TIMEOUT_MAX`, and `net.ipv4.tcp_fin_timeout`.
const LINGER2_MAX: i64 = 120;
const LINGER2: i64 = 60;
/// `SOCK_MIN_RCVBUF` / 2.
const WINDOW_MIN: i64 = 1152;
/// The longest time between two tries, in seconds, and most of them.
const RTO_MAX: i64 = 120;
const TRIES_MAX: i64 = 255;
/// Windows of a new connection over the loopback device, and half of what an end sees of the
/// other's: no segment is larger.
const FIRST_WINDOW: i64 = 65_536;
const CLIENT_MAXSEG: i64 = 32_741;
const CLIENT_MAXSEG6: i64 = 32_732;
const SERVER_MAXSEG: i64 = 32_768;
/// A segment while there is no connection.
const DEFAULT_MAXSEG: i64 = 536;
/// Names of algorithms against congestion; the first is the one of a new socket.
const ALGORITHMS: [&[u8]; 3] = [b"cubic", b"reno", b"bbr"];
/// What is given of a name.
const NAME_BYTES: usize = 16;
/// `struct tcp_info` up to where it once ended, and the places of its numbers.
const INFO_BYTES: usize = 104;
const RTO: usize = 8;
const SND_MSS: usize = 16;
const RCV_MSS: usize = 20;
const UNACKED: usize = 24;
const SACKED: usize = 28;
const PMTU: usize = 60;
const RCV_SSTHRESH: usize = 64;
const RTTVAR: usize = 72;
const SND_SSTHRESH: usize = 76;
const SND_CWND: usize = 80;
const ADVMSS: usize = 84;
const REORDERING: usize = 88;
const RCV_SPACE: usize = 96;
/// `TCP_INIT_CWND`, `net.ipv4.tcp_reordering`, `TCP_INFINITE_SSTHRESH`.
const FIRST_SEGMENTS: i64 = 10;
const MOST_REORDERED: i64 = 3;
const NO_THRESHOLD: i64 = 0x7fff_ffff;
/// `TCP_TIMEOUT_INIT`, and `TCP_RTO_MIN` where nothing takes time.
const FIRST_RTO_US: i64 = 1_000_000;
const LEAST_RTO_US: i64 = 200_000;

impl Kernel {
    fn is_closed(&self, socket: SocketRow) -> bool {
        let state = &self.rows[socket];
        !state.is_connected() && state.backlog().is_none() && !self.is_connecting(socket)
    }

    /// `TCP_CONGESTION`.
    pub(super) fn set_algorithm(
        &mut self,
        socket: SocketRow,
        value: Option<&OptionValue>,
        length: Option<i64>,
    ) -> Result<(), Errno> {
        if length.is_some_and(|length| length < 1) {
            return Err(Errno::EINVAL);
        }
        let name: &[u8] = match value {
            Some(OptionValue::Text(text)) if text.0.is_empty() => return Err(Errno::EINVAL),
            Some(OptionValue::Text(text)) => &text.0,
            Some(_) => return Err(Errno::ENOENT),
            None if length.is_none() => return Err(Errno::EINVAL),
            None => return Err(Errno::EFAULT),
        };
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let found = ALGORITHMS.iter().position(|known| *known == &name[..end]);
        let number = found.ok_or(Errno::ENOENT)?;
        self.keep_option(socket, SOL_TCP, TCP_CONGESTION, number as i64);
        Ok(())
    }

    /// What a number that an option is set to becomes; `None` if the table knows
    /// (`inet_options.rs`).
    pub(super) fn tcp_option(
        &self,
        socket: SocketRow,
        name: u32,
        value: i64,
    ) -> Option<Result<i64, Errno>> {
        let is_closed = self.is_closed(socket);
        let listens = self.rows[socket].backlog().is_some();
        Some(match name {
            TCP_LINGER2 => Ok(value.clamp(-1, LINGER2_MAX)),
            TCP_DEFER_ACCEPT => Ok(tries(value)),
            TCP_WINDOW_CLAMP if value == 0 && !is_closed => Err(Errno::EINVAL),
            TCP_WINDOW_CLAMP if value == 0 => Ok(0),
            TCP_WINDOW_CLAMP => Ok(value.max(WINDOW_MIN)),
            TCP_FASTOPEN if value < 0 || !is_closed && !listens => Err(Errno::EINVAL),
            TCP_FASTOPEN => Ok(value.min(SOMAXCONN)),
            TCP_NOTSENT_LOWAT => Ok(value),
            TCP_FASTOPEN_CONNECT if !(0..=1).contains(&value) || !is_closed => Err(Errno::EINVAL),
            _ => return None,
        })
    }

    /// Whether this end of a connection was made for a listener.
    fn is_accepted(&self, socket: SocketRow) -> bool {
        self.rows[socket].more.as_deref().is_some_and(|more| more.is_accepted)
    }

    /// What getsockopt(2) gives of one; `None` if it is what was kept.
    pub(super) fn tcp_value(&self, socket: SocketRow, name: u32) -> Option<OptionValue> {
        let state = &self.rows[socket];
        let kept = |name| state.option(SOL_TCP, name);
        let is_linked = state.is_connected();
        Some(OptionValue::Number(match name {
            TCP_MAXSEG if is_linked && self.is_accepted(socket) => SERVER_MAXSEG,
            TCP_MAXSEG if is_linked && self.speaks_ipv6(socket) => CLIENT_MAXSEG6,
            TCP_MAXSEG if is_linked => CLIENT_MAXSEG,
            TCP_MAXSEG => kept(name).filter(|size| *size != 0).unwrap_or(DEFAULT_MAXSEG),
            TCP_LINGER2 => kept(name).filter(|time| *time != 0).unwrap_or(LINGER2),
            TCP_DEFER_ACCEPT => seconds(kept(name).unwrap_or(0)),
            TCP_WINDOW_CLAMP => kept(name).unwrap_or(if is_linked { FIRST_WINDOW } else { 0 }),
            TCP_CONGESTION => {
                let known = kept(name).and_then(|number| ALGORITHMS.get(number as usize));
                let mut text = known.unwrap_or(&ALGORITHMS[0]).to_vec();
                text.resize(NAME_BYTES, 0);
                return Some(OptionValue::Text(Bytes(text)));
            }
            TCP_INFO => return Some(OptionValue::Text(Bytes(self.tcp_info(socket)))),
            _ => return None,
        }))
    }

    /// `struct tcp_info`.
    fn tcp_info(&self, socket: SocketRow) -> Vec<u8> {
        /// `TCPI_OPT_TIMESTAMPS`, `TCPI_OPT_SACK`, `TCPI_OPT_WSCALE`; both windows are shifted
        /// by 7.
        const AGREED: [u8; 2] = [7, 0x77];
        let state = &self.rows[socket];
        // What both ends agreed on stays when they have ended.
        let is_linked = state.is_connected() || state.shut & (FIN_SENT | FIN_GOT) != 0;
        let mut info = Vec::from([self.tcp_state(socket), 0, 0, 0, 0]);
        info.extend(if is_linked { AGREED } else { [0, 0] });
        info.resize(INFO_BYTES, 0);
        let mut put = |at: usize, number: i64| {
            info[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
        };
        put(SND_CWND, FIRST_SEGMENTS);
        put(REORDERING, MOST_REORDERED);
        if let Some(backlog) = state.backlog() {
            put(UNACKED, state.pending() as i64);
            put(SACKED, backlog.into());
            return info;
        }
        let maxseg = match self.tcp_value(socket, TCP_MAXSEG) {
            Some(OptionValue::Number(maxseg)) => maxseg,
            _ => DEFAULT_MAXSEG,
        };
        put(SND_MSS, maxseg);
        put(SND_SSTHRESH, NO_THRESHOLD);
        put(RTO, if is_linked { LEAST_RTO_US } else { FIRST_RTO_US });
        put(RTTVAR, if is_linked { 0 } else { FIRST_RTO_US / 4 });
        if is_linked {
            let (mtu, headers) = if self.speaks_ipv6(socket) { (65_536, 72) } else { (65_535, 52) };
            // Without the timestamps of each segment the window was thought of once.
            let window = mtu - headers + if self.is_accepted(socket) { 0 } else { 12 };
            put(PMTU, mtu);
            put(ADVMSS, mtu - headers);
            put(RCV_MSS, DEFAULT_MAXSEG);
            put(RCV_SSTHRESH, window);
            put(RCV_SPACE, window);
        }
        info
    }

    /// Whether a connection is one of IPv6.
    fn speaks_ipv6(&self, socket: SocketRow) -> bool {
        self.rows[socket].domain == AF_INET6 && as_ipv4(self.endpoint(socket).host).is_none()
    }

    /// `tcpi_state` (RFC 9293, in Linux's numbers).
    fn tcp_state(&self, socket: SocketRow) -> u8 {
        let state = &self.rows[socket];
        if state.backlog().is_some() {
            return LISTEN;
        }
        if self.is_connecting(socket) {
            return SYN_SENT;
        }
        let has_sent = state.shut & FIN_SENT != 0;
        match (state.peer, has_sent, state.shut & FIN_GOT != 0) {
            (Peer::None, _, _) => CLOSE,
            (Peer::At(_) | Peer::Gone | Peer::Outside, false, false) => ESTABLISHED,
            (Peer::At(_) | Peer::Gone | Peer::Outside, true, false) => FIN_WAIT2,
            (Peer::At(_) | Peer::Gone | Peer::Outside, false, true) => CLOSE_WAIT,
            (Peer::At(_) | Peer::Gone | Peer::Outside, true, true) => CLOSE,
        }
    }
}

const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const FIN_WAIT2: u8 = 5;
const CLOSE: u8 = 7;
const CLOSE_WAIT: u8 = 8;
const LISTEN: u8 = 10;

/// How often a segment is sent again within so many seconds: `TCP_DEFER_ACCEPT` is kept so.
fn tries(wanted: i64) -> i64 {
    let (mut tries, mut timeout, mut period) = (i64::from(wanted > 0), 1, 1);
    while wanted > period && tries < TRIES_MAX {
        tries += 1;
        timeout = (2 * timeout).min(RTO_MAX);
        period += timeout;
    }
    tries
}

/// The same back.
fn seconds(tries: i64) -> i64 {
    let (mut timeout, mut period) = (1, i64::from(tries > 0));
    for _ in 1..tries {
        timeout = (2 * timeout).min(RTO_MAX);
        period += timeout;
    }
    period
}
