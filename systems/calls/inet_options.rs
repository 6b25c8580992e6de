//! Options of internet sockets beyond `SOL_SOCKET`: tcp(7), ip(7), ipv6(7).
//!
//! All are kept and given back as Linux gives them; those that would change what packets look like
//! change nothing here, where there are none. Not here: groups (`groups.rs`),
//! what tcp(7) makes of some (`tcp_options.rs`).

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::abi::socket::*;
use crate::components::inet::as_ipv4;
use crate::kernel::Kernel;
use crate::rows::SocketRow;

/// What an option may be.
enum Form {
    /// On or off.
    Switch,
    /// A number from the first to the second.
    Range(i64, i64),
    /// Any number that is not negative.
    Natural,
}

/// An option: level, number, what it is unless it is set, what it may be.
type Row = (u32, u32, i64, Form);

/// Most of a TCP time-out in seconds, and of a count.
const SECONDS_MAX: i64 = 32_767;
const COUNT_MAX: i64 = 127;
/// Packets over the loopback device.
const LOOPBACK_MTU: i64 = 65_536;

const ROWS: [Row; 37] = [
    (SOL_UDP, UDP_CORK, 0, Form::Switch),
    (SOL_UDP, UDP_SEGMENT, 0, Form::Range(0, 65_535)),
    (SOL_UDP, UDP_GRO, 0, Form::Switch),
    (SOL_TCP, TCP_NODELAY, 0, Form::Switch),
    (SOL_TCP, TCP_MAXSEG, 536, Form::Range(88, SECONDS_MAX)),
    (SOL_TCP, TCP_CORK, 0, Form::Switch),
    (SOL_TCP, TCP_KEEPIDLE, 7200, Form::Range(1, SECONDS_MAX)),
    (SOL_TCP, TCP_KEEPINTVL, 75, Form::Range(1, SECONDS_MAX)),
    (SOL_TCP, TCP_KEEPCNT, 9, Form::Range(1, COUNT_MAX)),
    (SOL_TCP, TCP_SYNCNT, 6, Form::Range(1, COUNT_MAX)),
    (SOL_TCP, TCP_LINGER2, 60, Form::Natural),
    (SOL_TCP, TCP_DEFER_ACCEPT, 0, Form::Natural),
    (SOL_TCP, TCP_WINDOW_CLAMP, 0, Form::Natural),
    (SOL_TCP, TCP_QUICKACK, 1, Form::Switch),
    (SOL_TCP, TCP_USER_TIMEOUT, 0, Form::Natural),
    (SOL_TCP, TCP_FASTOPEN, 0, Form::Natural),
    (SOL_TCP, TCP_NOTSENT_LOWAT, 0, Form::Natural),
    (SOL_TCP, TCP_FASTOPEN_CONNECT, 0, Form::Switch),
    (SOL_IP, IP_TOS, 0, Form::Range(0, 255)),
    (SOL_IP, IP_TTL, 64, Form::Range(1, 255)),
    (SOL_IP, IP_PKTINFO, 0, Form::Switch),
    (SOL_IP, IP_MTU_DISCOVER, 1, Form::Range(0, 5)),
    (SOL_IP, IP_RECVERR, 0, Form::Switch),
    (SOL_IP, IP_RECVTTL, 0, Form::Switch),
    (SOL_IP, IP_RECVTOS, 0, Form::Switch),
    (SOL_IP, IP_FREEBIND, 0, Form::Switch),
    (SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0, Form::Switch),
    (SOL_IP, IP_MULTICAST_TTL, 1, Form::Range(0, 255)),
    (SOL_IP, IP_MULTICAST_LOOP, 1, Form::Switch),
    (SOL_IP, IP_MULTICAST_ALL, 1, Form::Range(0, 1)),
    (SOL_IPV6, IPV6_UNICAST_HOPS, 64, Form::Range(0, 255)),
    (SOL_IPV6, IPV6_MULTICAST_HOPS, 1, Form::Range(0, 255)),
    (SOL_IPV6, IPV6_MULTICAST_LOOP, 1, Form::Range(0, 1)),
    (SOL_IPV6, IPV6_MULTICAST_IF, 0, Form::Range(0, 1)),
    (SOL_IPV6, IPV6_MULTICAST_ALL, 1, Form::Switch),
    (SOL_IPV6, IPV6_V6ONLY, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVPKTINFO, 0, Form::Switch),
];

impl Kernel {
    /// Whether a socket has options of this level.
    pub(super) fn has_level(&self, socket: SocketRow, level: u32) -> bool {
        match level {
            SOL_TCP => self.rows[socket].is_stream(),
            SOL_IP => true,
            SOL_UDP => !self.rows[socket].is_stream(),
            SOL_IPV6 => self.rows[socket].domain == AF_INET6,
            _ => false,
        }
    }

    /// setsockopt(2).
    pub(super) fn set_inet_option(
        &mut self,
        socket: SocketRow,
        (level, name): (u32, u32),
        value: i64,
    ) -> Result<(), Errno> {
        if level == SOL_TCP
            && let Some(kept) = self.tcp_option(socket, name, value)
        {
            self.keep_option(socket, level, name, kept?);
            return Ok(());
        }
        let row = ROWS.iter().find(|row| (row.0, row.1) == (level, name));
        let Some((_, _, default, form)) = row.filter(|_| self.has_level(socket, level)) else {
            return Err(Errno::ENOPROTOOPT);
        };
        if name == IPV6_V6ONLY && level == SOL_IPV6 && self.endpoint(socket).port != 0 {
            return Err(Errno::EINVAL);
        }
        if self.rows[socket].is_stream() {
            match (level, name) {
                (SOL_IP, IP_MULTICAST_TTL) => return Err(Errno::EINVAL),
                (SOL_IPV6, IPV6_MULTICAST_HOPS | IPV6_MULTICAST_IF) => {
                    return Err(Errno::ENOPROTOOPT);
                }
                _ => {}
            }
        }
        // -1 asks for what it was at first (ip(7)).
        let resets = !matches!(
            (level, name),
            (SOL_TCP, _)
                | (SOL_IP, IP_MULTICAST_ALL)
                | (SOL_IPV6, IPV6_MULTICAST_LOOP | IPV6_MULTICAST_IF)
        ) && value == -1;
        let value = match form {
            Form::Switch => i64::from(value != 0),
            Form::Range(..) if resets => *default,
            // The low two bits of a stream's are the protocol's own.
            Form::Range(..) if level == SOL_IP && name == IP_TOS => value & 0xff,
            // 0 asks for what it was at first.
            Form::Range(..) if level == SOL_TCP && name == TCP_MAXSEG && value == 0 => 0,
            Form::Range(least, most) if (*least..=*most).contains(&value) => value,
            Form::Range(..) if level == SOL_IPV6 && name == IPV6_MULTICAST_IF => {
                return Err(Errno::ENODEV);
            }
            Form::Range(..) => return Err(Errno::EINVAL),
            Form::Natural if value >= 0 => value,
            Form::Natural => return Err(Errno::EINVAL),
        };
        self.keep_option(socket, level, name, value);
        Ok(())
    }

    /// getsockopt(2).
    pub(super) fn get_inet_option(
        &self,
        socket: SocketRow,
        (level, name): (u32, u32),
    ) -> Result<OptionValue, Errno> {
        if !self.has_level(socket, level) {
            let is_ipv6 = self.rows[socket].domain == AF_INET6;
            return Err(if is_ipv6 { Errno::ENOPROTOOPT } else { Errno::EOPNOTSUPP });
        }
        let connected = self.remote_endpoint(socket);
        match (level, name) {
            (SOL_TCP, _) if let Some(value) = self.tcp_value(socket, name) => return Ok(value),
            (SOL_IP, IP_MULTICAST_IF) => {
                return Ok(OptionValue::Number(self.group_interface(socket)));
            }
            (SOL_IP, IP_MTU) => {
                let over_ipv4 = connected.filter(|remote| as_ipv4(remote.host).is_some());
                over_ipv4.ok_or(Errno::ENOTCONN)?;
                return Ok(OptionValue::Number(LOOPBACK_MTU));
            }
            _ => {}
        }
        let row = ROWS.iter().find(|row| (row.0, row.1) == (level, name));
        let default = row.ok_or(Errno::ENOPROTOOPT)?.2;
        Ok(OptionValue::Number(self.rows[socket].option(level, name).unwrap_or(default)))
    }
}
