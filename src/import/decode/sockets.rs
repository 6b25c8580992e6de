//! Arguments and answers of calls on sockets, alternate stacks, extended attributes.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::socket::*;
use tickernel_systems::abi::{Address, AltStack};
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::wire::Bytes;

use super::{Args, MAX_CUT_BYTES, cut};
use crate::import::numbers;
use crate::replay::{Expected, Recorded};
use crate::strace::Value;

/// The encoded call; `None` if it is of another family, or the text says too little.
pub(super) fn inputs(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "socket" => Call::Socket {
            domain: args.flags(0, ADDRESS_FAMILIES)?,
            r#type: args.flags(1, SOCKET_TYPES)?,
            protocol: args.get(2)?.resolve(&protocol).and_then(|it| u32::try_from(it).ok())?,
        },
        // Pairs of other families there are none: strace shows the error.
        "socketpair" => Call::Socketpair {
            domain: args.flags(0, ADDRESS_FAMILIES)?,
            r#type: args.flags(1, SOCKET_TYPES)?,
            protocol: args.get(2)?.resolve(&protocol).and_then(|it| u32::try_from(it).ok())?,
        },
        "connect" => Call::Connect { sockfd: args.fd(0)?, addr: address(args.get(1)?)? },
        "bind" => Call::Bind { sockfd: args.fd(0)?, addr: address(args.get(1)?)? },
        "listen" => Call::Listen { sockfd: args.fd(0)?, backlog: args.int(1)? },
        "accept" => Call::Accept { sockfd: args.fd(0)? },
        "accept4" => Call::Accept4 { sockfd: args.fd(0)?, flags: accepted_flags(args)? },
        "sendto" => {
            let data = args.data(1, args.size(2))?;
            let addr = optional_address(args.get(4)?)?;
            let flags = args.flags(3, MESSAGE_FLAGS)?;
            return args.done(&Call::Sendto { sockfd: args.fd(0)?, data: &data, flags, addr });
        }
        "sendmsg" => return sendmsg(args),
        "recvfrom" => Call::Recvfrom {
            sockfd: args.fd(0)?,
            count: args.size(2)?,
            flags: args.flags(3, MESSAGE_FLAGS)?,
        },
        "recvmsg" => Call::Recvmsg {
            sockfd: args.fd(0)?,
            count: received_room(args)?,
            flags: args.flags(2, MESSAGE_FLAGS)?,
        },
        "sendmmsg" => Call::Sendmmsg {
            sockfd: args.fd(0)?,
            messages: sent_messages(args.get(1)?)?,
            flags: args.flags(3, MESSAGE_FLAGS)?,
        },
        "recvmmsg" => Call::Recvmmsg {
            sockfd: args.fd(0)?,
            counts: counts(args.get(1)?, args.size(2)?)?,
            flags: args.flags(3, MESSAGE_FLAGS)?,
            timeout: match args.get(4)?.before() {
                value if value.is_null() => None,
                value => Some(numbers::timespec(value)?),
            },
        },
        "getsockopt" | "setsockopt" => return option(args),
        "shutdown" => Call::Shutdown { sockfd: args.fd(0)?, how: args.flags(1, SHUTDOWNS)? },
        "getsockname" => Call::Getsockname { sockfd: args.fd(0)? },
        "getpeername" => Call::Getpeername { sockfd: args.fd(0)? },
        "sigaltstack" => Call::Sigaltstack {
            ss: match args.get(0)? {
                value if value.as_struct().is_some() => Some(stack(value)?),
                value if value.is_null() => None,
                _ => return None,
            },
        },
        _ => return objects(args),
    };
    args.done(&call)
}

/// Objects without a name, and extended attributes.
fn objects(args: &Args<'_>) -> Option<Vec<u8>> {
    let xattr = |index: usize| -> Option<Vec<u8>> { args.data(index, args.size(index + 1)) };
    let call = match args.name() {
        "eventfd" => Call::Eventfd { initval: args.size(0)? as u32 },
        "eventfd2" => {
            Call::Eventfd2 { initval: args.size(0)? as u32, flags: args.flags(1, EVENTFD_FLAGS)? }
        }
        "memfd_create" => {
            Call::MemfdCreate { name: args.path(0)?, flags: args.flags(1, MEMFD_FLAGS)? }
        }
        "inotify_init" => Call::InotifyInit {},
        "inotify_init1" => Call::InotifyInit1 { flags: args.flags(0, INOTIFY_INIT_FLAGS)? },
        "inotify_add_watch" => Call::InotifyAddWatch {
            fd: args.fd(0)?,
            pathname: args.path(1)?,
            mask: args.flags(2, INOTIFY_FLAGS)?,
        },
        "inotify_rm_watch" => Call::InotifyRmWatch { fd: args.fd(0)?, wd: args.int(1)? },
        "setxattr" | "lsetxattr" => {
            let value = xattr(2)?;
            let (path, name) = (args.path(0)?, args.path(1)?);
            let flags = args.flags(4, XATTR_FLAGS)?;
            return args.done(&if args.name() == "setxattr" {
                Call::Setxattr { path, name, value: &value, flags }
            } else {
                Call::Lsetxattr { path, name, value: &value, flags }
            });
        }
        "fsetxattr" => {
            let value = xattr(2)?;
            let (fd, name) = (args.fd(0)?, args.path(1)?);
            let flags = args.flags(4, XATTR_FLAGS)?;
            return args.done(&Call::Fsetxattr { fd, name, value: &value, flags });
        }
        "removexattr" => Call::Removexattr { path: args.path(0)?, name: args.path(1)? },
        "lremovexattr" => Call::Lremovexattr { path: args.path(0)?, name: args.path(1)? },
        "fremovexattr" => Call::Fremovexattr { fd: args.fd(0)?, name: args.path(1)? },
        _ => return None,
    };
    args.done(&call)
}

/// Room for the value of an option as a dump prints it that says nothing of it.
const OPTION_ROOM: i64 = 256;

/// Protocols by name; the core knows none of them by number.
fn protocol(name: &str) -> Option<i128> {
    Some(match name {
        "IPPROTO_IP" | "NETLINK_ROUTE" => 0,
        "IPPROTO_TCP" => 6,
        "IPPROTO_UDP" => 17,
        _ => return None,
    })
}

/// `{sa_family=AF_UNIX, sun_path="…"}` and its like.
fn address(value: &Value) -> Option<Address> {
    let family = numbers::bits32(value.field("sa_family")?, ADDRESS_FAMILIES)?;
    Some(match family {
        AF_UNIX => match value.field("sun_path").and_then(Value::as_text) {
            Some(text) if text.at => Address::Abstract(Bytes(text.bytes.clone())),
            Some(text) => Address::Unix(Bytes(text.bytes.clone())),
            None => Address::Unnamed,
        },
        AF_INET => {
            Address::Inet(value.field("sin_addr")?.as_ipv4()?, value.field("sin_port")?.as_port()?)
        }
        AF_INET6 => {
            // Abbreviated, the member has no name: `inet_pton(AF_INET6, "::1", &sin6_addr)`.
            let unnamed = || value.as_struct()?.members.iter().find_map(|it| it.value.as_ipv6());
            let host = value.field("sin6_addr").and_then(Value::as_ipv6).or_else(unnamed)?;
            Address::Inet6(host, value.field("sin6_port")?.as_port()?)
        }
        other => Address::Other(u16::try_from(other).ok()?),
    })
}

/// NULL, or an address.
fn optional_address(value: &Value) -> Option<Option<Address>> {
    if value.is_null() { Some(None) } else { address(value).map(Some) }
}

/// The flags of an accept4(2): strace prints them when it returns.
fn accepted_flags(args: &Args<'_>) -> Option<u32> {
    let never = super::recorded(args.call) == Recorded::Never && args.get(3).is_none();
    if never { Some(0) } else { args.flags(3, SOCKET_TYPES) }
}

/// The room of a recvmsg(2).
fn received_room(args: &Args<'_>) -> Option<u64> {
    match args.get(1)?.field("msg_iov") {
        // Of a cut list at least what was received.
        Some(buffers) if buffers.as_array().is_some_and(|list| list.more) => {
            Some(room(buffers)?.max(value_of(args).unwrap_or(0) as u64))
        }
        Some(buffers) => room(buffers),
        // Of a call that failed only the room for a name is printed.
        None => Some(1),
    }
}

/// The room of the buffers of a message.
fn room(buffers: &Value) -> Option<u64> {
    let mut items = buffers.items()?.iter();
    items.try_fold(0_u64, |sum, item| sum.checked_add(item.field("iov_len")?.as_u64()?))
}

/// The bytes of the buffers of a message, with zeros for those that were not printed, as many as
/// there is memory for.
fn whole_bytes(buffers: &Value) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for item in buffers.items()? {
        let length = item.field("iov_len")?.as_u64()?;
        if length.saturating_add(bytes.len() as u64) > MAX_CUT_BYTES {
            return None;
        }
        let end = bytes.len() + length as usize;
        if let Some(text) = item.field("iov_base")?.as_text() {
            bytes.extend_from_slice(&text.bytes);
        }
        bytes.resize(end, 0);
    }
    Some(bytes)
}

/// The bytes of the buffers of a message that were printed, and whether all were.
fn bytes(buffers: &Value) -> Option<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let mut whole = !buffers.as_array()?.more;
    for item in buffers.items()? {
        match item.field("iov_base")?.as_text() {
            Some(text) => {
                bytes.extend_from_slice(&text.bytes);
                whole &= !text.cut;
            }
            None if item.field("iov_len")?.as_u64()? == 0 => {}
            None => whole = false,
        }
    }
    Some((bytes, whole))
}

fn sendmsg(args: &Args<'_>) -> Option<Vec<u8>> {
    let Message { data, addr, fds, cred } = sent_message(args.get(1)?, value_of(args))?;
    let flags = args.flags(2, MESSAGE_FLAGS)?;
    args.done(&Call::Sendmsg { sockfd: args.fd(0)?, data: &data.0, flags, addr, fds, cred })
}

/// A `struct msghdr` that was sent; `taken` is how much of it was.
fn sent_message(message: &Value, taken: Option<usize>) -> Option<Message> {
    let buffers = message.field("msg_iov")?;
    let mut data = whole_bytes(buffers)?;
    // Of a list that was cut it is only known how much was taken.
    if buffers.as_array()?.more {
        let taken = taken.filter(|taken| *taken as u64 <= MAX_CUT_BYTES)?;
        data.resize(data.len().max(taken), 0);
    }
    let addr = match message.field("msg_name") {
        Some(name) => optional_address(name.before())?,
        None => None,
    };
    let Control { fds, cred, .. } = control(message)?;
    Some(Message { data: Bytes(data), addr, fds: (!fds.is_empty()).then_some(fds), cred })
}

fn sent_messages(list: &Value) -> Option<Vec<Message>> {
    if list.as_array()?.more {
        return None;
    }
    let taken = |one: &Value| usize::try_from(one.field("msg_len")?.as_u64()?).ok();
    list.items()?.iter().map(|one| sent_message(one.field("msg_hdr")?, taken(one))).collect()
}

/// The room of each message of recvmmsg(2). That of messages that did not come is not printed: it
/// is taken to be the last one's.
fn counts(list: &Value, vlen: u64) -> Option<Vec<i64>> {
    /// More have not been seen.
    const MESSAGES_MAX: usize = 1 << 16;
    let mut counts = Vec::new();
    for one in list.items().unwrap_or_default() {
        let told = one.field("msg_len").and_then(Value::as_u64).unwrap_or(0);
        let room = room(one.field("msg_hdr")?.field("msg_iov")?)?;
        counts.push(i64::try_from(room.max(told)).ok()?);
    }
    let vlen = usize::try_from(vlen).ok().filter(|vlen| *vlen <= MESSAGES_MAX)?;
    counts.resize(vlen.max(counts.len()), counts.last().copied().unwrap_or(1));
    Some(counts)
}

/// What travels with a message.
#[derive(Default)]
struct Control {
    fds: Vec<i64>,
    cred: Option<Ucred>,
    error: Option<Box<ExtendedError>>,
}

/// Control messages; `None` if there is one that is not known. (strace does not show what comes
/// with IPV6_RECVERR.)
fn control(message: &Value) -> Option<Control> {
    let Control { mut fds, mut cred, mut error } = Control::default();
    let Some(list) = message.field("msg_control").and_then(Value::items) else {
        return Some(Control { fds, cred, error });
    };
    for one in list {
        let data = one.field("cmsg_data");
        if let Some(told) = data.filter(|data| data.field("ee_errno").is_some()) {
            error = Some(Box::new(extended_error(told)?));
            continue;
        }
        match numbers::bits32(one.field("cmsg_type")?, CONTROL_TYPES)? {
            SCM_RIGHTS => {
                for fd in data?.items()? {
                    fds.push(i64::from(fd.as_i32()?));
                }
            }
            SCM_CREDENTIALS => cred = Some(credentials(data?)?),
            _ => return None,
        }
    }
    Some(Control { fds, cred, error })
}

fn extended_error(value: &Value) -> Option<ExtendedError> {
    let number = |name: &str| value.field(name)?.as_i64();
    let byte = |name: &str| u8::try_from(number(name)?).ok();
    let word = |name: &str| u32::try_from(number(name)?).ok();
    Some(ExtendedError {
        errno: word("ee_errno")?,
        origin: byte("ee_origin")?,
        kind: byte("ee_type")?,
        code: byte("ee_code")?,
        info: word("ee_info")?,
        data: word("ee_data")?,
        offender: address(value.field("offender")?)?,
    })
}

fn credentials(value: &Value) -> Option<Ucred> {
    let number = |name: &str| value.field(name)?.as_i64().map(|number| number as u32);
    Some(Ucred { pid: number("pid")?, uid: number("uid")?, gid: number("gid")? })
}

fn option(args: &Args<'_>) -> Option<Vec<u8>> {
    let sockfd = args.fd(0)?;
    let level = args.flags(1, OPTION_LEVELS)?;
    let optname = option_name(args.get(2)?, level)?;
    if args.name() == "setsockopt"
        && (level, true) == (SOL_SOCKET, matches!(optname, SO_RCVTIMEO | SO_SNDTIMEO))
        && let Some(optval) = args.get(3).and_then(time_in_bytes)
    {
        return args.done(&Call::Setsockopt { sockfd, level, optname, optval, optlen: None });
    }
    if args.name() == "getsockopt" {
        let given = args.get(4)?.before();
        let room = given.as_i64().or_else(|| given.items()?.first()?.as_i64());
        let optlen = room.filter(|room| *room != OPTION_ROOM);
        return args.done(&Call::Getsockopt { sockfd, level, optname, optlen });
    }
    let value = args.get(3)?;
    let optval = match membership(value, args.long(4)) {
        Some(group) => Some(group),
        None if value.is_null() => None,
        None => Some(option_value(value)?),
    };
    let own = optval.as_ref().map_or(0, OptionValue::length_bytes);
    let optlen = args.long(4).filter(|length| *length != own);
    args.done(&Call::Setsockopt { sockfd, level, optname, optval, optlen })
}

/// A `struct timeval` that strace prints as a string (`SO_RCVTIMEO_OLD`).
fn time_in_bytes(value: &Value) -> Option<Option<OptionValue>> {
    let text = value.as_text().filter(|text| !text.cut)?;
    let (seconds, rest) = text.bytes.split_first_chunk::<8>()?;
    let micros = <[u8; 8]>::try_from(rest).ok()?;
    let time = OptionValue::Time(i64::from_le_bytes(*seconds), i64::from_le_bytes(micros));
    Some(Some(time))
}

/// A structure of an option of groups. The index of `struct ip_mreqn` is not printed: there is one
/// interface.
fn membership(value: &Value, length: Option<i64>) -> Option<OptionValue> {
    let mapped = |host: [u8; 4]| std::net::Ipv4Addr::from(host).to_ipv6_mapped().octets();
    if let Some(group) = value.field("imr_multiaddr") {
        let interface = value.field("imr_interface")?.as_ipv4()?;
        let index = i64::from(length == Some(12) && interface == [0; 4]);
        return Some(OptionValue::Group(mapped(group.as_ipv4()?), interface, index));
    }
    let index = |name: &str| value.field(name).and_then(Value::as_i64).unwrap_or(0);
    if let Some(group) = value.field("ipv6mr_multiaddr") {
        return Some(OptionValue::Group(group.as_ipv6()?, [0; 4], index("ipv6mr_interface")));
    }
    let host = match address(value.field("gr_group")?)? {
        Address::Inet(host, _) => mapped(host),
        Address::Inet6(host, _) => host,
        _ => return None,
    };
    Some(OptionValue::Group(host, [0; 4], index("gr_interface")))
}

/// The time-outs have two names: of the old and of the new structure, the same on 64 bits.
fn option_name(value: &Value, level: u32) -> Option<u32> {
    match value.name() {
        Some("SO_RCVTIMEO_OLD") => Some(SO_RCVTIMEO),
        Some("SO_SNDTIMEO_OLD") => Some(SO_SNDTIMEO),
        _ => numbers::bits32(value, option_names(level)),
    }
}

fn option_value(value: &Value) -> Option<OptionValue> {
    let number = |name: &str| value.field(name).and_then(Value::as_i64);
    if let Some(on) = number("l_onoff") {
        return Some(OptionValue::Linger(on as i32, number("l_linger")? as i32));
    }
    if let Some(seconds) = number("tv_sec") {
        return Some(OptionValue::Time(seconds, number("tv_usec")?));
    }
    if value.field("pid").is_some() {
        return credentials(value).map(OptionValue::Cred);
    }
    if let Some(text) = value.as_text() {
        return (!text.cut).then(|| OptionValue::Text(Bytes(text.bytes.clone())));
    }
    let [number] = value.items()? else { return None };
    number.as_i64().map(OptionValue::Number)
}

/// `{ss_sp=…, ss_flags=…, ss_size=…}`
fn stack(value: &Value) -> Option<AltStack> {
    Some(AltStack {
        sp: value.field("ss_sp")?.as_u64()?,
        flags: numbers::bits32(value.field("ss_flags")?, SS_FLAGS)?,
        size: value.field("ss_size").and_then(Value::as_u64).unwrap_or(0),
    })
}

/// The count that a call returned.
fn value_of(args: &Args<'_>) -> Option<usize> {
    match super::recorded(args.call) {
        Recorded::Value(value) => usize::try_from(value).ok(),
        Recorded::Errno(_) | Recorded::Never => None,
    }
}

/// A `struct msghdr` that was received, `length` bytes of its buffers.
fn received_message(message: &Value, length: usize, expected: &mut Expected) -> Option<Received> {
    let (mut data, whole) = bytes(message.field("msg_iov")?)?;
    if !whole {
        cut(expected);
    }
    let Control { fds, cred, error } = control(message)?;
    let addr = message.field("msg_name").and_then(|name| address(name.after()));
    let flags = numbers::bits32(message.field("msg_flags")?, MESSAGE_FLAGS);
    let fds = fds.into_iter().filter_map(|fd| i32::try_from(fd).ok()).collect();
    data.truncate(length);
    Some(Received { data: Bytes(data), addr, flags, fds, cred, error })
}

/// What a successful call of these families wrote.
pub(super) fn outputs(args: &Args<'_>, expected: &mut Expected) -> Option<Payload> {
    match args.name() {
        "accept" | "accept4" => {
            let found = args.get(1).and_then(address)?;
            Some(Payload::Address(Box::new(found)))
        }
        "recvfrom" => {
            let text = args.get(1)?.as_text()?;
            if text.cut {
                cut(expected);
            }
            let addr = args.get(4).and_then(address);
            let data = Bytes(text.bytes.clone());
            Some(Payload::Received(Box::new(Received { data, addr, ..Received::default() })))
        }
        "recvmsg" => {
            let received = received_message(args.get(1)?, value_of(args)?, expected)?;
            Some(Payload::Received(Box::new(received)))
        }
        "sendmmsg" => {
            let lengths = args.get(1)?.items()?.iter().filter_map(|one| one.field("msg_len"));
            let lengths = lengths.map(|length| u32::try_from(length.as_u64()?).ok());
            lengths.collect::<Option<_>>().map(Payload::Lengths)
        }
        "recvmmsg" => {
            let mut got = Vec::new();
            for one in args.get(1)?.items()? {
                let length = u32::try_from(one.field("msg_len")?.as_u64()?).ok()?;
                let message = one.field("msg_hdr")?;
                let received = received_message(message, length as usize, expected)?;
                got.push(Got { length, received });
            }
            Some(Payload::Messages(got))
        }
        "getsockopt" => {
            let found = option_value(args.get(3)?)?;
            Some(Payload::OptionValue(Box::new(found)))
        }
        "getsockname" | "getpeername" => {
            let found = args.get(1).and_then(address)?;
            Some(Payload::Address(Box::new(found)))
        }
        "sigaltstack" => args.get(1).and_then(stack).map(Payload::AltStack),
        _ => None,
    }
}
