//! Arguments of calls on sockets: names, messages with what travels in them, options.

use tickernel_systems::abi::Address;
use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::socket::{
    ExtendedError, IP_RECVERR, IPV6_RECVERR, MESSAGE_FLAGS, Message, OPTION_LEVELS, OptionValue,
    Received, SCM_CREDENTIALS, SCM_RIGHTS, SOL_IP, SOL_IPV6, SOL_SOCKET, Ucred, option_names,
};
use tickernel_systems::event::{Call, Payload};

use super::args::Args;
use super::structs;
use super::values::{self, ADDRESS, choice, flags, list, text};

/// Room for an address that a call writes.
const ROOM: u64 = 128;

/// Room for the value of an option, where the caller does not say how much it has.
const OPTION_ROOM: i64 = 256;

/// Prints the arguments of a call on sockets; false if it is none.
pub(super) fn args(args: &mut Args<'_>, call: &Call<'_>) -> bool {
    match call {
        Call::Socket { domain, r#type, protocol } => socket(args, *domain, *r#type, *protocol),
        Call::Socketpair { domain, r#type, protocol } => {
            socket(args, *domain, *r#type, *protocol);
            super::io::ends(args);
        }
        Call::Connect { sockfd, addr } | Call::Bind { sockfd, addr } => {
            let (text, length) = structs::address(addr);
            args.fd(*sockfd).put(text).number(length);
        }
        Call::Listen { sockfd, backlog } => {
            args.fd(*sockfd).number(*backlog);
        }
        Call::Getsockname { sockfd } | Call::Getpeername { sockfd } => named(args, *sockfd),
        Call::Accept { sockfd } => named(args, *sockfd),
        Call::Accept4 { sockfd, flags } => {
            named(args, *sockfd);
            args.flags(*flags, SOCKET_TYPES);
        }
        Call::Shutdown { sockfd, how } => {
            args.fd(*sockfd).choice(*how, SHUTDOWNS);
        }
        other => return messages(args, other),
    }
    true
}

fn socket(args: &mut Args<'_>, domain: u32, kind: u32, protocol: u32) {
    const KIND: u32 = 0xf;
    let name = choice(kind & KIND, SOCKET_TYPES);
    let kind = match kind & !KIND {
        0 => name,
        bits => format!("{name}|{}", flags(bits, SOCKET_TYPES)),
    };
    args.choice(domain, ADDRESS_FAMILIES).put(kind).number(protocol);
}

/// A descriptor and the address that the call tells.
fn named(args: &mut Args<'_>, sockfd: i32) {
    args.fd(sockfd);
    let told = match args.payload() {
        Some(Payload::Address(address)) => Some(structs::address(address)),
        _ => None,
    };
    match told {
        Some((text, length)) => args.put_output(text).put(format!("[{ROOM} => {length}]")),
        None => args.put_output(ADDRESS).put(format!("[{ROOM}]")),
    };
}

fn messages(args: &mut Args<'_>, call: &Call<'_>) -> bool {
    match call {
        Call::Sendto { sockfd, data, flags, addr } => {
            args.fd(*sockfd).put(text(data)).number(data.len() as u64);
            args.flags(*flags, MESSAGE_FLAGS);
            let (text, length) = optional_address(addr.as_ref());
            args.put(text).number(length);
        }
        Call::Sendmsg { sockfd, data, flags, addr, fds, cred } => {
            let message = sent_message(data, addr.as_ref(), fds.as_deref(), *cred);
            args.fd(*sockfd).put(message).flags(*flags, MESSAGE_FLAGS);
        }
        Call::Sendmmsg { sockfd, messages, flags } => {
            let lengths = match args.payload() {
                Some(Payload::Lengths(lengths)) => lengths.clone(),
                _ => Vec::new(),
            };
            let shown = messages.iter().take(MESSAGES_MAX).enumerate().map(|(at, message)| {
                let Message { data, addr, fds, cred } = message;
                let text = sent_message(&data.0, addr.as_ref(), fds.as_deref(), *cred);
                match lengths.get(at) {
                    Some(length) => format!("{{msg_hdr={text}, msg_len={length}}}"),
                    None => format!("{{msg_hdr={text}}}"),
                }
            });
            // With it stands how much of each was sent, which is known at the end.
            args.fd(*sockfd).put_output(list(shown)).number(messages.len() as u64);
            args.flags(*flags, MESSAGE_FLAGS);
        }
        Call::Recvmmsg { sockfd, counts, flags, timeout } => {
            args.fd(*sockfd);
            let told = match args.payload() {
                Some(Payload::Messages(got)) => {
                    let shown = got.iter().zip(counts).map(|(one, count)| {
                        let text = received_message(&one.received, *count as u64);
                        format!("{{msg_hdr={text}, msg_len={}}}", one.length)
                    });
                    Some(list(shown))
                }
                _ => None,
            };
            args.put_output(told.as_deref().unwrap_or(ADDRESS)).number(counts.len() as u64);
            args.flags(*flags, MESSAGE_FLAGS);
            args.optional(timeout, |time| structs::timespec(*time));
        }
        Call::Recvfrom { sockfd, count, flags } => {
            args.fd(*sockfd);
            let told = received(args).cloned();
            let bytes = told.as_ref().map(|told| text(&told.data.0));
            args.put_output(bytes.as_deref().unwrap_or(ADDRESS)).number(*count);
            args.flags(*flags, MESSAGE_FLAGS);
            match told.and_then(|told| told.addr) {
                Some(address) => {
                    let (text, length) = structs::address(&address);
                    args.put(text).put(format!("[{ROOM} => {length}]"));
                }
                None => drop(args.put("NULL").put("NULL")),
            }
        }
        Call::Recvmsg { sockfd, count, flags } => {
            args.fd(*sockfd);
            let text = received(args).map(|told| received_message(told, *count));
            // Of a call that failed strace prints the room for a name.
            args.put_output(text.as_deref().unwrap_or("{msg_namelen=0}"));
            args.flags(*flags, MESSAGE_FLAGS);
        }
        other => return options(args, other),
    }
    true
}

/// What sendmmsg(2) sends at most (`UIO_MAXIOV`); strace prints no more.
const MESSAGES_MAX: usize = 1024;

fn sent_message(
    data: &[u8],
    addr: Option<&Address>,
    fds: Option<&[i64]>,
    cred: Option<Ucred>,
) -> String {
    let rights = fds.unwrap_or_default().iter().map(i64::to_string).collect();
    let body = format!("[{{iov_base={}, iov_len={}}}]", text(data), data.len());
    message(&name(addr, ""), &body, &control(rights, cred, None), 0)
}

fn received<'a>(args: &'a Args<'_>) -> Option<&'a Received> {
    match args.payload()? {
        Payload::Received(received) => Some(received),
        _ => None,
    }
}

fn received_message(told: &Received, count: u64) -> String {
    let head = match &told.addr {
        Some(_) => name(told.addr.as_ref(), &format!("{ROOM} => ")),
        None => "msg_name=NULL, msg_namelen=0".to_owned(),
    };
    let body = format!("[{{iov_base={}, iov_len={count}}}]", text(&told.data.0));
    let rights = told.fds.iter().map(i32::to_string).collect();
    message(
        &head,
        &body,
        &control(rights, told.cred, told.error.as_deref()),
        told.flags.unwrap_or(0),
    )
}

fn optional_address(address: Option<&Address>) -> (String, u64) {
    address.map_or_else(|| ("NULL".to_owned(), 0), structs::address)
}

fn name(address: Option<&Address>, room: &str) -> String {
    let (text, length) = optional_address(address);
    format!("msg_name={text}, msg_namelen={room}{length}")
}

fn message(name: &str, body: &str, control: &str, bits: u32) -> String {
    let bits = flags(bits, MESSAGE_FLAGS);
    format!("{{{name}, msg_iov={body}, msg_iovlen=1, {control}msg_flags={bits}}}")
}

/// `msg_control=[…], msg_controllen=…, `: lengths are those of cmsg(3).
fn control(rights: Vec<String>, cred: Option<Ucred>, error: Option<&ExtendedError>) -> String {
    const HEAD: usize = 16;
    let mut parts = Vec::new();
    let mut length = 0;
    let mut part = |(level, kind): (u32, u32), data: String, bytes: usize| {
        let own = HEAD + bytes;
        length += own.next_multiple_of(8);
        parts.push(format!(
            "{{cmsg_len={own}, cmsg_level={}, cmsg_type={}, cmsg_data={data}}}",
            choice(level, OPTION_LEVELS),
            values::hex(u64::from(kind)),
        ));
    };
    if let Some(cred) = cred {
        part((SOL_SOCKET, SCM_CREDENTIALS), structs::cred(cred), 12);
    }
    if !rights.is_empty() {
        let bytes = 4 * rights.len();
        part((SOL_SOCKET, SCM_RIGHTS), list(rights.into_iter()), bytes);
    }
    if let Some(error) = error {
        let level = match error.offender {
            Address::Inet6(..) => (SOL_IPV6, IPV6_RECVERR),
            _ => (SOL_IP, IP_RECVERR),
        };
        let (data, bytes) = structs::extended_error(error);
        part(level, data, bytes);
    }
    if parts.is_empty() {
        return "msg_controllen=0, ".to_owned();
    }
    format!("msg_control={}, msg_controllen={length}, ", list(parts.into_iter()))
}

fn options(args: &mut Args<'_>, call: &Call<'_>) -> bool {
    match call {
        Call::Setsockopt { sockfd, level, optname, optval, optlen } => {
            args.fd(*sockfd).choice(*level, OPTION_LEVELS);
            args.choice(*optname, option_names(*level));
            args.optional(optval, structs::option_value);
            let own = optval.as_ref().map_or(0, OptionValue::length_bytes);
            args.number(optlen.unwrap_or(own));
        }
        Call::Getsockopt { sockfd, level, optname, optlen } => {
            args.fd(*sockfd).choice(*level, OPTION_LEVELS);
            args.choice(*optname, option_names(*level));
            let told = match args.payload() {
                Some(Payload::OptionValue(value)) => {
                    Some((structs::option_value(value), value.length_bytes()))
                }
                _ => None,
            };
            let room = optlen.unwrap_or(OPTION_ROOM);
            match told {
                Some((text, length)) if length == room => {
                    args.put_output(text).put(format!("[{length}]"))
                }
                Some((text, length)) => args.put_output(text).put(format!("[{room} => {length}]")),
                None => args.put_output(ADDRESS).put(format!("[{room}]")),
            };
        }
        _ => return false,
    }
    true
}
