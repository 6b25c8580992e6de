//! Options of sockets: getsockopt(2), setsockopt(2) (socket(7), unix(7)).
//!
//! Most options of `SOL_SOCKET` are kept and given back and do nothing else; those that do are read
//! where they count. Options of inet sockets: `inet_options.rs`.

use crate::abi::Errno;
use crate::abi::credentials::{CAP_NET_ADMIN, CAP_NET_RAW};
use crate::abi::flags::*;
use crate::abi::socket::*;
use crate::components::socket::SNDBUF_BYTES;
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::memory;
use crate::rows::{SocketRow, TaskRow};
use crate::wire::Bytes;
use alloc::boxed::Box;

/// `net.core.wmem_max`, `rmem_max`: what may be asked for, half of what is given.
const BUFFER_MAX_BYTES: i64 = 4_194_304;
/// Least that is given.
const SNDBUF_MIN_BYTES: i64 = 4_608;
const RCVBUF_MIN_BYTES: i64 = 2_304;
/// `SO_SNDBUF` and `SO_RCVBUF` of a stream of tcp(7) as long as it is new (`net.ipv4.tcp_wmem`,
/// `tcp_rmem`). Linux lets them grow with what goes through.
const TCP_SNDBUF_BYTES: i64 = 16_384;
const TCP_RCVBUF_BYTES: i64 = 131_072;
/// Half of the most that a stream of tcp(7) grows to by itself (`net.ipv4.tcp_rmem`).
const TCP_LOWAT_MAX: i64 = 16_777_216;
/// Longer time-outs are for ever.
const FOREVER_SECONDS: i64 = i64::MAX / 1_000_000_000;
const NS_PER_SECOND: i64 = 1_000_000_000;
/// A tick of Linux's clock (time(7), "The software clock, HZ, and jiffies"): HZ is 250.
const TICK_US: i64 = 4000;

/// Options that are on or off.
const SWITCHES: [u32; 19] = [
    SO_DEBUG,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_NO_CHECK,
    SO_RXQ_OVFL,
    SO_PASSSEC,
    SO_PASSCRED,
    SO_LOCK_FILTER,
    SO_ZEROCOPY,
    SO_WIFI_STATUS,
    SO_NOFCS,
    SO_SELECT_ERR_QUEUE,
    SO_PREFER_BUSY_POLL,
    SO_RCVMARK,
    SO_RCVPRIORITY,
];
/// Ways to be told when something came: of these, one at a time is on.
const STAMPS: [u32; 4] = [SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW];
/// Those of unix(7) alone.
const UNIX_ONLY: [u32; 3] = [SO_PASSCRED, SO_PASSSEC, SO_PASSRIGHTS];
/// `SOF_TIMESTAMPING_OPT_ID`, and beyond all flags of `SO_TIMESTAMPING`.
const STAMPING_ID: i64 = 1 << 7;
const STAMPING_END: i64 = 1 << 19;
/// `SO_BPF_EXTENSIONS`.
const BPF_EXTENSIONS: i64 = 64;
/// `SOCK_SNDBUF_LOCK`, `SOCK_RCVBUF_LOCK`.
const SNDBUF_LOCK: i64 = 1;
const RCVBUF_LOCK: i64 = 2;

impl Kernel {
    /// setsockopt(2).
    pub(crate) fn setsockopt(
        &mut self,
        task: TaskRow,
        fd: i32,
        (level, name): (u32, u32),
        value: Option<&OptionValue>,
        length: Option<i64>,
    ) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        if length.is_some_and(|length| length < 0) {
            return Err(Errno::EINVAL.into());
        }
        if self.asks_host(socket) {
            return self.unmodelled(SETSOCKOPT);
        }
        match level {
            SOL_SOCKET => self.set_option(task, socket, name, value, length)?,
            // unix(7) has no level of its own.
            _ if self.rows[socket].domain == AF_UNIX => return Err(Errno::EOPNOTSUPP.into()),
            _ => {
                if !self.has_level(socket, level) {
                    return Err(Errno::ENOPROTOOPT.into());
                }
                if (level, name) == (SOL_TCP, TCP_CONGESTION) {
                    self.set_algorithm(socket, value, length)?;
                    return Ok(Answer::default());
                }
                if let Some(set) = self.set_group_option(socket, (level, name), value, length) {
                    return set.map(|()| Answer::default()).map_err(Into::into);
                }
                let number = match level {
                    SOL_IP => number_or_byte(value, length)?,
                    _ => first_number(value, length)?,
                };
                if !self.has_memory(memory::OPTION_BYTES) {
                    return Err(Errno::ENOBUFS.into());
                }
                let needs = matches!(
                    (level, name),
                    (SOL_IP, IP_TRANSPARENT) | (SOL_IPV6, IPV6_TRANSPARENT)
                );
                if needs && number != 0 && !self.may_mark(task) {
                    return Err(Errno::EPERM.into());
                }
                self.set_inet_option(socket, (level, name), number)?;
                if (level, name, number) == (SOL_UDP, UDP_CORK, 0) {
                    self.push_corked(socket);
                }
            }
        }
        Ok(Answer::default())
    }

    fn set_option(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        name: u32,
        value: Option<&OptionValue>,
        length: Option<i64>,
    ) -> Result<(), Errno> {
        if name == SO_BINDTODEVICE {
            let is_bound = bind_to_device(value)?;
            self.keep(socket, SO_BINDTODEVICE, is_bound.into());
            return Ok(());
        }
        let number = first_number(value, length)?;
        if !self.has_memory(STAMPS.len() as u64 * memory::OPTION_BYTES) {
            return Err(Errno::ENOBUFS);
        }
        self.check_option(socket, name, number)?;
        let is_on = i64::from(number != 0);
        match name {
            SO_TYPE | SO_PROTOCOL | SO_DOMAIN | SO_ERROR => return Err(Errno::ENOPROTOOPT),
            SO_DEBUG if number != 0 && !self.may_administer(task) => return Err(Errno::EACCES),
            SO_REUSEPORT if number != 0 && !self.has_ports(socket) => {
                return Err(Errno::EOPNOTSUPP);
            }
            name if UNIX_ONLY.contains(&name) && self.rows[socket].domain != AF_UNIX => {
                return Err(Errno::EOPNOTSUPP);
            }
            SO_PASSRIGHTS => self.keep(socket, name, is_on),
            SO_PASSCRED => self.rows[socket].passes_cred = number != 0,
            SO_SNDBUF | SO_SNDBUFFORCE => self.set_sndbuf(task, socket, name, number)?,
            SO_RCVBUF | SO_RCVBUFFORCE => {
                let bytes = self.buffer(task, name == SO_RCVBUFFORCE, number)?;
                self.keep(socket, SO_RCVBUF, bytes.max(RCVBUF_MIN_BYTES));
                self.lock_buffer(socket, RCVBUF_LOCK);
            }
            SO_PRIORITY if !(0..=6).contains(&number) && !self.may_mark(task) => {
                return Err(Errno::EPERM);
            }
            SO_LINGER => self.set_linger(socket, value, length)?,
            SO_RCVLOWAT => {
                let number = if number < 0 { i64::from(i32::MAX) } else { number.max(1) };
                self.keep(socket, name, number.min(self.most_lowat(socket)));
            }
            SO_RCVTIMEO | SO_SNDTIMEO => self.set_timeout(socket, name, value, length)?,
            SO_MARK if !self.may_mark(task) => return Err(Errno::EPERM),
            SO_TXREHASH => self.keep(socket, name, number.abs()),
            SO_PRIORITY | SO_MARK | SO_PEEK_OFF | SO_INCOMING_CPU | SO_BUSY_POLL | SO_BUF_LOCK
            | SO_MAX_PACING_RATE | SO_TIMESTAMPING => self.keep(socket, name, number),
            SO_BSDCOMPAT => {}
            SO_REUSEPORT if self.is_tcp(socket) => self.set_reuse_port(socket, is_on),
            name if STAMPS.contains(&name) => {
                STAMPS.iter().for_each(|stamp| self.keep(socket, *stamp, 0));
                self.keep(socket, name, is_on);
            }
            name if SWITCHES.contains(&name) => self.keep(socket, name, is_on),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// Values that an option cannot have, whoever asks.
    fn check_option(&self, socket: SocketRow, name: u32, number: i64) -> Result<(), Errno> {
        let state = &self.rows[socket];
        let counts = self.is_tcp(socket) && !state.is_connected() && number & STAMPING_ID != 0;
        match name {
            SO_LOCK_FILTER if number == 0 && state.option(SOL_SOCKET, name) == Some(1) => {
                Err(Errno::EPERM)
            }
            SO_ZEROCOPY if !self.has_ports(socket) => Err(Errno::EOPNOTSUPP),
            SO_TXREHASH if !self.is_tcp(socket) => Err(Errno::EOPNOTSUPP),
            SO_ZEROCOPY if !(0..=1).contains(&number) => Err(Errno::EINVAL),
            SO_TXREHASH if !(-1..=1).contains(&number) => Err(Errno::EINVAL),
            SO_TIMESTAMPING if counts || !(0..STAMPING_END).contains(&number) => Err(Errno::EINVAL),
            SO_BUSY_POLL if number < 0 => Err(Errno::EINVAL),
            SO_BUF_LOCK if number & !(SNDBUF_LOCK | RCVBUF_LOCK) != 0 => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, socket: SocketRow, name: u32, value: i64) {
        self.keep_option(socket, SOL_SOCKET, name, value);
    }

    /// `SO_REUSEPORT` of tcp(7): as it was when the port was taken is what who comes later finds.
    fn set_reuse_port(&mut self, socket: SocketRow, value: i64) {
        let before = self.rows[socket].option(SOL_SOCKET, SO_REUSEPORT).unwrap_or(0);
        let is_kept = self.rows[socket].option(SOL_SOCKET, BOUND_SHARED).is_some();
        if self.has_port(socket) && before != value && !is_kept {
            self.keep(socket, BOUND_SHARED, before);
        }
        self.keep(socket, SO_REUSEPORT, value);
    }

    /// Whether it shared its port when it took it.
    pub(super) fn is_bound_shared(&self, socket: SocketRow) -> bool {
        let option = |name| self.rows[socket].option(SOL_SOCKET, name);
        option(BOUND_SHARED).or(option(SO_REUSEPORT)) == Some(1)
    }

    /// A port is taken: what an option was when another one was does not count.
    pub(super) fn note_bound(&mut self, socket: SocketRow) {
        if self.rows[socket].option(SOL_SOCKET, BOUND_SHARED).is_some() {
            let value = self.rows[socket].option(SOL_SOCKET, SO_REUSEPORT).unwrap_or(0);
            self.keep(socket, BOUND_SHARED, value);
        }
    }

    /// Remembers the value of an option.
    pub(super) fn keep_option(&mut self, socket: SocketRow, level: u32, name: u32, value: i64) {
        if self.rows[socket].more_mut().options.insert((level, name), value).is_none() {
            self.hold_bytes(memory::OPTION_BYTES);
        }
    }

    fn may_administer(&self, task: TaskRow) -> bool {
        self.rows[task].credentials.capable(CAP_NET_ADMIN)
    }

    fn may_mark(&self, task: TaskRow) -> bool {
        self.may_administer(task) || self.rows[task].credentials.capable(CAP_NET_RAW)
    }

    /// Most of `SO_RCVLOWAT`: half of what there can be room for.
    fn most_lowat(&self, socket: SocketRow) -> i64 {
        match self.rows[socket].option(SOL_SOCKET, SO_RCVBUF) {
            _ if !self.is_tcp(socket) => i64::from(i32::MAX),
            Some(bytes) => bytes / 2,
            None => TCP_LOWAT_MAX,
        }
    }

    fn is_tcp(&self, socket: SocketRow) -> bool {
        self.has_ports(socket) && self.rows[socket].is_stream()
    }

    fn has_ports(&self, socket: SocketRow) -> bool {
        matches!(self.rows[socket].domain, AF_INET | AF_INET6)
    }

    /// What a buffer gets of what is asked for: twice of it (socket(7), SO_SNDBUF).
    fn buffer(&self, task: TaskRow, force: bool, asked: i64) -> Result<i64, Errno> {
        if force && !self.may_administer(task) {
            return Err(Errno::EPERM);
        }
        // As an unsigned number: a negative one is large. Forced ones end where doubling would.
        let asked = if force {
            asked.clamp(0, i64::from(i32::MAX / 2))
        } else {
            i64::from(asked as u32).min(BUFFER_MAX_BYTES)
        };
        Ok(2 * asked)
    }

    fn set_sndbuf(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        name: u32,
        number: i64,
    ) -> Result<(), Errno> {
        let bytes = self.buffer(task, name == SO_SNDBUFFORCE, number)?;
        let bytes = bytes.max(SNDBUF_MIN_BYTES);
        self.rows[socket].sndbuf_bytes = bytes as u32;
        self.keep(socket, SO_SNDBUF, bytes);
        self.lock_buffer(socket, SNDBUF_LOCK);
        self.socket_changed(socket);
        Ok(())
    }

    /// A buffer whose size was chosen does not grow by itself any more: `SO_BUF_LOCK` tells.
    fn lock_buffer(&mut self, socket: SocketRow, lock: i64) {
        let locks = self.rows[socket].option(SOL_SOCKET, SO_BUF_LOCK).unwrap_or(0);
        self.keep(socket, SO_BUF_LOCK, locks | lock);
    }

    fn set_linger(
        &mut self,
        socket: SocketRow,
        value: Option<&OptionValue>,
        length: Option<i64>,
    ) -> Result<(), Errno> {
        let Some(OptionValue::Linger(on, seconds)) = value else { return Err(Errno::EINVAL) };
        if length.is_some_and(|length| length < 8) {
            return Err(Errno::EINVAL);
        }
        self.keep(socket, SO_LINGER, i64::from(*on != 0));
        if *on != 0 {
            self.keep(socket, LINGER_SECONDS, i64::from(*seconds));
        }
        Ok(())
    }

    fn set_timeout(
        &mut self,
        socket: SocketRow,
        name: u32,
        value: Option<&OptionValue>,
        length: Option<i64>,
    ) -> Result<(), Errno> {
        let Some(OptionValue::Time(seconds, microseconds)) = value else {
            return Err(Errno::EINVAL);
        };
        if length.is_some_and(|length| length < 16) {
            return Err(Errno::EINVAL);
        }
        if !(0..1_000_000).contains(microseconds) {
            return Err(Errno::EDOM);
        }
        let ns = match *seconds {
            // Linux does not wait at all then, and tells of 0.
            ..0 => 0,
            seconds if seconds >= FOREVER_SECONDS => 0,
            // Linux counts it in ticks of its clock.
            seconds => {
                let ticks = (microseconds + TICK_US - 1) / TICK_US;
                seconds * NS_PER_SECOND + ticks * TICK_US * 1000
            }
        };
        self.keep(socket, name, ns);
        Ok(())
    }

    /// getsockopt(2).
    pub(crate) fn getsockopt(
        &mut self,
        task: TaskRow,
        fd: i32,
        (level, name): (u32, u32),
        length: Option<i64>,
    ) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        if self.asks_host(socket) {
            return self.unmodelled(GETSOCKOPT);
        }
        // unix(7) has no level of its own.
        if level != SOL_SOCKET && self.rows[socket].domain == AF_UNIX {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if level != SOL_SOCKET {
            self.check_level(socket, level)?;
        }
        // To ipv6(7) a length is a large one then.
        if level != SOL_IPV6 && length.is_some_and(|length| length < 0) {
            return Err(Errno::EINVAL.into());
        }
        let mut value = match level {
            SOL_SOCKET => self.get_option(socket, name)?,
            _ => self.get_inet_option(socket, (level, name))?,
        };
        if let Some(length) = length {
            value.cut(length as u64);
        }
        Ok(Answer::with(Payload::OptionValue(Box::new(value))))
    }

    fn get_option(&mut self, socket: SocketRow, name: u32) -> Result<OptionValue, Errno> {
        let state = &mut self.rows[socket];
        let is_tcp = state.domain != AF_UNIX && state.is_stream();
        let kept = |name| state.option(SOL_SOCKET, name);
        Ok(OptionValue::Number(match name {
            SO_TYPE => state.kind.into(),
            SO_PROTOCOL => state.protocol.into(),
            SO_DOMAIN => state.domain.into(),
            SO_ERROR => state.error.take().map_or(0, |errno| errno.0.into()),
            SO_ACCEPTCONN => state.backlog().is_some().into(),
            SO_SNDBUF => match kept(SO_SNDBUF) {
                Some(bytes) => bytes,
                None if is_tcp => TCP_SNDBUF_BYTES,
                None => SNDBUF_BYTES as i64,
            },
            SO_RCVBUF => match kept(SO_RCVBUF) {
                Some(bytes) => bytes,
                None if is_tcp => TCP_RCVBUF_BYTES,
                None => SNDBUF_BYTES as i64,
            },
            name if UNIX_ONLY.contains(&name) && state.domain != AF_UNIX => {
                return Err(Errno::EOPNOTSUPP);
            }
            SO_PASSRIGHTS => kept(name).unwrap_or(1),
            SO_TXREHASH if !is_tcp => return Err(Errno::EOPNOTSUPP),
            SO_TXREHASH => kept(name).unwrap_or(1),
            SO_BPF_EXTENSIONS => BPF_EXTENSIONS,
            SO_INCOMING_NAPI_ID => 0,
            SO_PASSCRED => state.passes_cred.into(),
            SO_PEERCRED => return Ok(OptionValue::Cred(state.peer_cred)),
            SO_LINGER => {
                let on = kept(SO_LINGER).unwrap_or(0) as i32;
                let seconds = kept(LINGER_SECONDS).unwrap_or(0) as i32;
                return Ok(OptionValue::Linger(on, seconds));
            }
            SO_RCVTIMEO | SO_SNDTIMEO => {
                let ns = kept(name).unwrap_or(0);
                return Ok(OptionValue::Time(ns / NS_PER_SECOND, ns % NS_PER_SECOND / 1000));
            }
            SO_RCVLOWAT | SO_SNDLOWAT => kept(name).unwrap_or(1),
            SO_PEEK_OFF | SO_INCOMING_CPU | SO_MAX_PACING_RATE => kept(name).unwrap_or(-1),
            SO_BINDTODEVICE => {
                let name: &[u8] = if kept(name).unwrap_or(0) != 0 { b"lo\0" } else { b"" };
                return Ok(OptionValue::Text(Bytes(name.to_vec())));
            }
            SO_PRIORITY | SO_MARK | SO_BSDCOMPAT | SO_TIMESTAMPING | SO_BUSY_POLL | SO_BUF_LOCK => {
                kept(name).unwrap_or(0)
            }
            name if SWITCHES.contains(&name) || STAMPS.contains(&name) => kept(name).unwrap_or(0),
            _ => return Err(Errno::ENOPROTOOPT),
        }))
    }
}

/// The place of `SO_LINGER`'s time among the options.
pub(super) const LINGER_SECONDS: u32 = 1 << 16;
/// The place of what `SO_REUSEPORT` was when a socket of tcp(7) took its port.
const BOUND_SHARED: u32 = (1 << 16) + 1;
const SETSOCKOPT: u32 = 54;
const GETSOCKOPT: u32 = 55;

/// The `int` that every option begins with: EINVAL if it is too short, EFAULT if it is nowhere.
fn first_number(value: Option<&OptionValue>, length: Option<i64>) -> Result<i64, Errno> {
    if length.is_some_and(|length| length < 4) {
        return Err(Errno::EINVAL);
    }
    match value {
        Some(OptionValue::Number(number)) => Ok(i64::from(*number as i32)),
        Some(OptionValue::Linger(first, _)) => Ok(i64::from(*first)),
        Some(OptionValue::Time(first, _)) => Ok(i64::from(*first as i32)),
        Some(OptionValue::Cred(cred)) => Ok(i64::from(cred.pid as i32)),
        Some(OptionValue::Group(..)) => Ok(0),
        Some(OptionValue::Text(text)) => {
            let first = text.0.first_chunk::<4>().ok_or(Errno::EINVAL)?;
            Ok(i64::from(i32::from_le_bytes(*first)))
        }
        None if length.is_none_or(|length| length == 0) => Err(Errno::EINVAL),
        None => Err(Errno::EFAULT),
    }
}

/// The number of an option of ip(7), for which one byte is enough.
fn number_or_byte(value: Option<&OptionValue>, length: Option<i64>) -> Result<i64, Errno> {
    match (value, length) {
        (Some(OptionValue::Text(text)), _) if (1..4).contains(&text.0.len()) => {
            Ok(text.0.first().copied().unwrap_or(0).into())
        }
        (Some(OptionValue::Number(number)), Some(1..4)) => Ok(number & 0xff),
        _ => first_number(value, length),
    }
}

/// There is one device, and to be bound to it needs no capability.
fn bind_to_device(value: Option<&OptionValue>) -> Result<bool, Errno> {
    let name: &[u8] = match value {
        Some(OptionValue::Text(name)) => &name.0,
        Some(_) => return Err(Errno::ENODEV),
        None => return Err(Errno::EFAULT),
    };
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    match &name[..end] {
        b"" => Ok(false),
        b"lo" => Ok(true),
        _ => Err(Errno::ENODEV),
    }
}
