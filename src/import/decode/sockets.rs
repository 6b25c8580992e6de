//! Arguments and answers of calls on sockets, alternate stacks, extended attributes.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Address, AltStack};
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::wire::Bytes;

use super::Args;
use crate::import::numbers;
use crate::strace::Value;

/// The encoded call; `None` if it is of another family, or the text says too little.
pub(super) fn inputs(args: &Args<'_>) -> Option<Vec<u8>> {
    let xattr = |index: usize| -> Option<Vec<u8>> { args.data(index, args.size(index + 1)) };
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
            let host = value.field("sin6_addr")?.as_ipv6()?;
            Address::Inet6(host, value.field("sin6_port")?.as_port()?)
        }
        other => Address::Other(u16::try_from(other).ok()?),
    })
}

/// `{ss_sp=…, ss_flags=…, ss_size=…}`
fn stack(value: &Value) -> Option<AltStack> {
    Some(AltStack {
        sp: value.field("ss_sp")?.as_u64()?,
        flags: numbers::bits32(value.field("ss_flags")?, SS_FLAGS)?,
        size: value.field("ss_size").and_then(Value::as_u64).unwrap_or(0),
    })
}

/// What a successful call of these families wrote.
pub(super) fn outputs(args: &Args<'_>) -> Option<Payload> {
    match args.name() {
        "getsockname" | "getpeername" => {
            let found = args.get(1).and_then(address)?;
            Some(Payload::Address(Box::new(found)))
        }
        "sigaltstack" => args.get(1).and_then(stack).map(Payload::AltStack),
        _ => None,
    }
}
