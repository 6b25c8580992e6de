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
    /// The same, and -1 asks for what it was at first.
    Asked(i64, i64),
    /// It is told and cannot be set.
    Told,
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
/// The least that IPv6 asks of a link (RFC 8200).
const IPV6_MIN_MTU: i64 = 1280;

const ROWS: [Row; 80] = [
    (SOL_UDP, UDP_CORK, 0, Form::Switch),
    (SOL_UDP, UDP_NO_CHECK6_TX, 0, Form::Switch),
    (SOL_UDP, UDP_NO_CHECK6_RX, 0, Form::Switch),
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
    (SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, 0, Form::Range(0, 1)),
    (SOL_TCP, TCP_THIN_DUPACK, 0, Form::Range(0, 1)),
    (SOL_TCP, TCP_USER_TIMEOUT, 0, Form::Natural),
    (SOL_TCP, TCP_FASTOPEN, 0, Form::Natural),
    (SOL_TCP, TCP_NOTSENT_LOWAT, 0, Form::Natural),
    (SOL_TCP, TCP_SAVE_SYN, 0, Form::Range(0, 2)),
    (SOL_TCP, TCP_FASTOPEN_CONNECT, 0, Form::Switch),
    (SOL_TCP, TCP_FASTOPEN_NO_COOKIE, 0, Form::Range(0, 1)),
    (SOL_TCP, TCP_INQ, 0, Form::Range(0, 1)),
    (SOL_TCP, TCP_TX_DELAY, 0, Form::Natural),
    (SOL_TCP, TCP_IS_MPTCP, 0, Form::Told),
    (SOL_IP, IP_TOS, 0, Form::Asked(0, 255)),
    (SOL_IP, IP_TTL, 64, Form::Asked(1, 255)),
    (SOL_IP, IP_HDRINCL, 0, Form::Told),
    (SOL_IP, IP_RECVOPTS, 0, Form::Switch),
    (SOL_IP, IP_RETOPTS, 0, Form::Switch),
    (SOL_IP, IP_PKTINFO, 0, Form::Switch),
    (SOL_IP, IP_MTU_DISCOVER, 1, Form::Range(0, 5)),
    (SOL_IP, IP_RECVERR, 0, Form::Switch),
    (SOL_IP, IP_RECVTTL, 0, Form::Switch),
    (SOL_IP, IP_RECVTOS, 0, Form::Switch),
    (SOL_IP, IP_FREEBIND, 0, Form::Switch),
    (SOL_IP, IP_PASSSEC, 0, Form::Switch),
    (SOL_IP, IP_TRANSPARENT, 0, Form::Switch),
    (SOL_IP, IP_ORIGDSTADDR, 0, Form::Switch),
    (SOL_IP, IP_MINTTL, 0, Form::Range(0, 255)),
    (SOL_IP, IP_NODEFRAG, 0, Form::Told),
    (SOL_IP, IP_CHECKSUM, 0, Form::Switch),
    (SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0, Form::Switch),
    (SOL_IP, IP_RECVFRAGSIZE, 0, Form::Switch),
    (SOL_IP, IP_RECVERR_RFC4884, 0, Form::Range(0, 1)),
    (SOL_IP, IP_MULTICAST_TTL, 1, Form::Asked(0, 255)),
    (SOL_IP, IP_MULTICAST_LOOP, 1, Form::Switch),
    (SOL_IP, IP_MULTICAST_ALL, 1, Form::Range(0, 1)),
    (SOL_IPV6, IPV6_UNICAST_HOPS, 64, Form::Asked(0, 255)),
    (SOL_IPV6, IPV6_MULTICAST_HOPS, 1, Form::Asked(0, 255)),
    (SOL_IPV6, IPV6_MULTICAST_LOOP, 1, Form::Range(0, 1)),
    (SOL_IPV6, IPV6_MULTICAST_IF, 0, Form::Range(0, 1)),
    (SOL_IPV6, IPV6_MULTICAST_ALL, 1, Form::Switch),
    (SOL_IPV6, IPV6_V6ONLY, 0, Form::Switch),
    (SOL_IPV6, IPV6_MTU_DISCOVER, 1, Form::Range(0, 5)),
    (SOL_IPV6, IPV6_RECVERR, 0, Form::Switch),
    (SOL_IPV6, IPV6_ROUTER_ALERT, 0, Form::Told),
    (SOL_IPV6, IPV6_ROUTER_ALERT_ISOLATE, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVERR_RFC4884, 0, Form::Range(0, 1)),
    (SOL_IPV6, IPV6_FLOWINFO_SEND, 0, Form::Switch),
    (SOL_IPV6, IPV6_2292PKTINFO, 0, Form::Switch),
    (SOL_IPV6, IPV6_2292HOPOPTS, 0, Form::Switch),
    (SOL_IPV6, IPV6_2292DSTOPTS, 0, Form::Switch),
    (SOL_IPV6, IPV6_2292RTHDR, 0, Form::Switch),
    (SOL_IPV6, IPV6_2292HOPLIMIT, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVPKTINFO, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVHOPLIMIT, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVHOPOPTS, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVRTHDR, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVDSTOPTS, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVPATHMTU, 0, Form::Switch),
    (SOL_IPV6, IPV6_DONTFRAG, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVTCLASS, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVORIGDSTADDR, 0, Form::Switch),
    (SOL_IPV6, IPV6_RECVFRAGSIZE, 0, Form::Switch),
    (SOL_IPV6, IPV6_TCLASS, 0, Form::Asked(0, 255)),
    (SOL_IPV6, IPV6_AUTOFLOWLABEL, 1, Form::Switch),
    (SOL_IPV6, IPV6_MINHOPCOUNT, 0, Form::Range(0, 255)),
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
        let (level, name) = self.shared_option(socket, (level, name));
        if level == SOL_TCP
            && let Some(kept) = self.tcp_option(socket, name, value)
        {
            self.keep_option(socket, level, name, kept?);
            return Ok(());
        }
        if (level, name) == (SOL_IPV6, IPV6_MTU) && self.has_level(socket, level) {
            // Packets over the loopback device are never too long for it.
            return if value == 0 || value >= IPV6_MIN_MTU { Ok(()) } else { Err(Errno::EINVAL) };
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
                (SOL_IP, IP_MULTICAST_TTL | IP_RECVFRAGSIZE) => return Err(Errno::EINVAL),
                (SOL_IPV6, IPV6_MULTICAST_HOPS | IPV6_MULTICAST_IF) => {
                    return Err(Errno::ENOPROTOOPT);
                }
                _ => {}
            }
        }
        let value = match form {
            Form::Told => return Err(Errno::ENOPROTOOPT),
            Form::Switch => i64::from(value != 0),
            _ if level == SOL_IP && name == IP_TOS => {
                self.marked(socket, (level, name), value & 0xff)
            }
            Form::Asked(..) if value == -1 => *default,
            // 0 asks for what it was at first.
            Form::Range(..) if level == SOL_TCP && name == TCP_MAXSEG && value == 0 => 0,
            // It is taken and does nothing any more.
            Form::Range(least, most)
                if level == SOL_TCP
                    && name == TCP_THIN_DUPACK
                    && (*least..=*most).contains(&value) =>
            {
                0
            }
            Form::Asked(least, most) if level == SOL_IPV6 && name == IPV6_TCLASS => {
                let within = (*least..=*most).contains(&value);
                self.marked(socket, (level, name), within.then_some(value).ok_or(Errno::EINVAL)?)
            }
            Form::Range(least, most) | Form::Asked(least, most)
                if (*least..=*most).contains(&value) =>
            {
                value
            }
            Form::Range(..) if level == SOL_IPV6 && name == IPV6_MULTICAST_IF => {
                return Err(Errno::ENODEV);
            }
            Form::Range(..) | Form::Asked(..) => return Err(Errno::EINVAL),
            Form::Natural if value >= 0 => value,
            Form::Natural => return Err(Errno::EINVAL),
        };
        self.keep_option(socket, level, name, value);
        self.drop_unwanted_errors(socket, (level, name, value));
        Ok(())
    }

    /// What ip(7) and ipv6(7) both have is one.
    fn shared_option(&self, socket: SocketRow, option: (u32, u32)) -> (u32, u32) {
        match option {
            (SOL_IPV6, IPV6_TRANSPARENT) if self.has_level(socket, SOL_IPV6) => {
                (SOL_IP, IP_TRANSPARENT)
            }
            (SOL_IPV6, IPV6_FREEBIND) if self.has_level(socket, SOL_IPV6) => (SOL_IP, IP_FREEBIND),
            own => own,
        }
    }

    /// What getsockopt(2) says of a level that a socket does not have.
    pub(super) fn check_level(&self, socket: SocketRow, level: u32) -> Result<(), Errno> {
        let is_ipv6 = self.rows[socket].domain == AF_INET6;
        match self.has_level(socket, level) {
            true => Ok(()),
            false if is_ipv6 => Err(Errno::ENOPROTOOPT),
            false => Err(Errno::EOPNOTSUPP),
        }
    }

    /// A class of traffic: the low two bits of a stream's are the protocol's own.
    fn marked(&self, socket: SocketRow, option: (u32, u32), value: i64) -> i64 {
        const OWN: i64 = 3;
        if !self.rows[socket].is_stream() {
            return value;
        }
        let old = self.rows[socket].option(option.0, option.1).unwrap_or(0);
        value & !OWN | old & OWN
    }

    /// getsockopt(2).
    pub(super) fn get_inet_option(
        &self,
        socket: SocketRow,
        (level, name): (u32, u32),
    ) -> Result<OptionValue, Errno> {
        let (level, name) = self.shared_option(socket, (level, name));
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
            (SOL_IPV6, IPV6_MTU) => {
                connected.ok_or(Errno::ENOTCONN)?;
                return Ok(OptionValue::Number(LOOPBACK_MTU));
            }
            // Only a socket that was made for IPv4 hears of all groups at first.
            (SOL_IP, IP_MULTICAST_ALL) if self.rows[socket].domain == AF_INET6 => {
                let kept = self.rows[socket].option(level, name);
                return Ok(OptionValue::Number(kept.unwrap_or(0)));
            }
            _ => {}
        }
        let row = ROWS.iter().find(|row| (row.0, row.1) == (level, name));
        let default = row.ok_or(Errno::ENOPROTOOPT)?.2;
        Ok(OptionValue::Number(self.rows[socket].option(level, name).unwrap_or(default)))
    }
}
