//! Sockets: addresses, messages with descriptors and credentials, options.

use serde_json::{Value, json};

use super::{Plan, Planned};
use crate::fields::{self, Fields, Object, put_bytes};
use crate::names;
use crate::shared::{Area, get, get_bytes};

/// Room for any address of the families known here (`struct sockaddr_storage`).
const ADDRESS_BYTES: u32 = 128;
const CONTROL_BYTES: usize = 4096;

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    Some(match call {
        "socket" => socket(f),
        "socketpair" => socketpair(f, area),
        "bind" => with_address(libc::SYS_bind, f, area),
        "connect" => with_address(libc::SYS_connect, f, area),
        "listen" => listen(f),
        "accept" | "accept4" => accept4(f, area),
        "shutdown" => shutdown(f),
        "sendto" => sendto(f, area),
        "recvfrom" => recvfrom(f, area),
        "sendmsg" => sendmsg(f, area),
        "recvmsg" => recvmsg(f, area),
        "sendmmsg" => sendmmsg(f, area),
        "recvmmsg" => recvmmsg(f, area),
        "getsockname" => name_of(libc::SYS_getsockname, f, area),
        "getpeername" => name_of(libc::SYS_getpeername, f, area),
        "getsockopt" => getsockopt(f, area),
        "setsockopt" => setsockopt(f, area),
        _ => return None,
    })
}

fn kind(f: &Fields<'_>) -> Result<[u64; 3], String> {
    let domain = f.flags("domain", names::FAMILIES)?;
    let kind = f.flags("type", names::SOCKET_TYPES)?;
    Ok([domain, kind, f.flags_or_0("protocol", names::PROTOCOLS)?])
}

fn socket(f: &Fields<'_>) -> Planned {
    Ok(Plan::new(libc::SYS_socket, &kind(f)?))
}

fn socketpair(f: &Fields<'_>, area: &mut Area) -> Planned {
    let [domain, kind, protocol] = kind(f)?;
    let fds = area.room(8)?;
    Ok(Plan::new(libc::SYS_socketpair, &[domain, kind, protocol, fds]).replying(
        move |_, answer| {
            answer.insert("fds".into(), json!(get::<[i32; 2]>(fds)));
        },
    ))
}

fn with_address(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let (address, length) = address(f, area)?;
    Ok(Plan::new(number, &[f.number("sockfd")?, address, length]))
}

fn listen(f: &Fields<'_>) -> Planned {
    Ok(Plan::new(libc::SYS_listen, &[f.number("sockfd")?, f.number("backlog")?]))
}

fn shutdown(f: &Fields<'_>) -> Planned {
    Ok(Plan::new(libc::SYS_shutdown, &[f.number("sockfd")?, f.flags("how", names::SHUT)?]))
}

/// The address in the field `addr` and its length; NULL when left out.
fn address(f: &Fields<'_>, area: &mut Area) -> Result<(u64, u64), String> {
    if !f.has("addr") {
        return Ok((0, 0));
    }
    let addr = f.object("addr")?;
    let family = addr.flags("family", names::FAMILIES)?;
    let mut bytes = (family as u16).to_le_bytes().to_vec();
    match family as i32 {
        libc::AF_UNIX if addr.has_bytes("abstract") => {
            bytes.push(0);
            bytes.extend(addr.bytes("abstract")?.unwrap_or_default());
        }
        libc::AF_UNIX if addr.has_bytes("path") => {
            bytes.extend(addr.bytes("path")?.unwrap_or_default());
            bytes.push(0);
        }
        libc::AF_INET => {
            bytes.extend((addr.number_or("port", 0)? as u16).to_be_bytes());
            let text = addr.bytes("addr")?.unwrap_or_default();
            let ip: std::net::Ipv4Addr = parse(&text)?;
            bytes.extend(ip.octets());
            bytes.extend([0; 8]);
        }
        libc::AF_INET6 => {
            bytes.extend((addr.number_or("port", 0)? as u16).to_be_bytes());
            bytes.extend([0; 4]);
            let text = addr.bytes("addr")?.unwrap_or_default();
            let ip: std::net::Ipv6Addr = parse(&text)?;
            bytes.extend(ip.octets());
            bytes.extend([0; 4]);
        }
        _ => {}
    }
    Ok((area.bytes(&bytes)?, bytes.len() as u64))
}

fn parse<T: std::str::FromStr>(text: &[u8]) -> Result<T, String> {
    let text = String::from_utf8_lossy(text);
    text.parse().map_err(|_| format!("field addr: {text} is no address"))
}

/// An address as the kernel wrote it.
fn shown_address(bytes: &[u8]) -> Value {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else { return Value::Null };
    let family = i32::from(u16::from_le_bytes(*family));
    let mut shown = Object::new();
    let name = names::name(names::FAMILIES, family as u64);
    shown.insert("family".into(), name.map_or_else(|| family.into(), Value::from));
    let port = rest.get(..2).map(|port| u16::from_be_bytes([port[0], port[1]]));
    match (family, rest) {
        (libc::AF_UNIX, [0, name @ ..]) if !name.is_empty() => {
            put_bytes(&mut shown, "abstract", name)
        }
        (libc::AF_UNIX, [_, ..]) => put_bytes(&mut shown, "path", fields::until_nul(rest)),
        (libc::AF_INET, [_, _, a, b, c, d, ..]) => {
            let ip = std::net::Ipv4Addr::new(*a, *b, *c, *d);
            shown.insert("addr".into(), ip.to_string().into());
            shown.insert("port".into(), port.into());
        }
        (libc::AF_INET6, _) => {
            let octets = rest.get(6..22).and_then(|octets| <[u8; 16]>::try_from(octets).ok());
            let ip = std::net::Ipv6Addr::from(octets.unwrap_or_default());
            shown.insert("addr".into(), ip.to_string().into());
            shown.insert("port".into(), port.into());
        }
        _ => {}
    }
    shown.into()
}

/// Room for an address that the kernel writes, with its length before and after.
struct AddressRoom {
    address: u64,
    length: u64,
}

impl AddressRoom {
    fn new(area: &mut Area) -> Result<Self, String> {
        let address = area.room(ADDRESS_BYTES as usize)?;
        Ok(Self { address, length: area.put(&ADDRESS_BYTES)? })
    }

    /// The address, if there is one.
    fn put(&self, answer: &mut Object) {
        let length = get::<u32>(self.length).min(ADDRESS_BYTES);
        if length > 0 {
            let shown = shown_address(&get_bytes(self.address, length as usize));
            answer.insert("addr".into(), shown);
        }
    }
}

fn accept4(f: &Fields<'_>, area: &mut Area) -> Planned {
    let room = AddressRoom::new(area)?;
    let flags = f.flags_or_0("flags", names::SOCKET_TYPES)?;
    let arguments = [f.number("sockfd")?, room.address, room.length, flags];
    Ok(Plan::new(libc::SYS_accept4, &arguments).replying(move |_, answer| room.put(answer)))
}

fn name_of(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let room = AddressRoom::new(area)?;
    let arguments = [f.number("sockfd")?, room.address, room.length];
    Ok(Plan::new(number, &arguments).replying(move |_, answer| room.put(answer)))
}

fn sendto(f: &Fields<'_>, area: &mut Area) -> Planned {
    let data = f.bytes("data")?.unwrap_or_default();
    let (address, length) = address(f, area)?;
    let flags = f.flags_or_0("flags", names::MSG)?;
    let at = area.bytes(&data)?;
    let arguments = [f.number("sockfd")?, at, data.len() as u64, flags, address, length];
    Ok(Plan::new(libc::SYS_sendto, &arguments))
}

fn recvfrom(f: &Fields<'_>, area: &mut Area) -> Planned {
    let room = AddressRoom::new(area)?;
    let flags = f.flags_or_0("flags", names::MSG)?;
    let count = f.number("count")?.min(area.left() as u64);
    let at = area.room(count as usize)?;
    let arguments = [f.number("sockfd")?, at, count, flags, room.address, room.length];
    Ok(Plan::new(libc::SYS_recvfrom, &arguments).replying(move |length, answer| {
        put_bytes(answer, "data", &get_bytes(at, (length as u64).min(count) as usize));
        room.put(answer);
    }))
}

/// A control message: cmsg_len (64 bits), cmsg_level, cmsg_type (32 each), data, padded to 8
/// (cmsg(3)).
fn control_message(kind: i32, data: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + data.len() as u64).to_le_bytes().to_vec();
    bytes.extend(libc::SOL_SOCKET.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// struct msghdr (recvmsg(2)): name, its length, iovec, their count, control, its length, flags.
fn message(area: &mut Area, words: [u64; 7]) -> Result<u64, String> {
    area.put(&words)
}

/// A struct msghdr of what is sent.
fn sent_message(f: &Fields<'_>, area: &mut Area) -> Result<[u64; 7], String> {
    let data = f.bytes("data")?.unwrap_or_default();
    let (address, length) = address(f, area)?;
    let mut control = Vec::new();
    if f.has("fds") {
        let fds = f.numbers("fds")?;
        let bytes: Vec<u8> = fds.iter().flat_map(|fd| (*fd as i32).to_le_bytes()).collect();
        control.extend(control_message(libc::SCM_RIGHTS, &bytes));
    }
    if f.has("cred") {
        let cred = f.object("cred")?;
        let ids = [cred.number("pid")?, cred.number("uid")?, cred.number("gid")?];
        let bytes: Vec<u8> = ids.iter().flat_map(|id| (*id as u32).to_le_bytes()).collect();
        control.extend(control_message(libc::SCM_CREDENTIALS, &bytes));
    }
    let at = area.bytes(&data)?;
    let vector = area.put(&[at, data.len() as u64])?;
    let control_at = if control.is_empty() { 0 } else { area.bytes(&control)? };
    Ok([address, length, vector, 1, control_at, control.len() as u64, 0])
}

fn sendmsg(f: &Fields<'_>, area: &mut Area) -> Planned {
    let words = sent_message(f, area)?;
    let message = message(area, words)?;
    let flags = f.flags_or_0("flags", names::MSG)?;
    Ok(Plan::new(libc::SYS_sendmsg, &[f.number("sockfd")?, message, flags]))
}

/// struct mmsghdr (sendmmsg(2)): a struct msghdr and its length, in eight words.
fn messages(area: &mut Area, all: &[[u64; 7]]) -> Result<u64, String> {
    let mut bytes = Vec::new();
    for words in all {
        bytes.extend(words.iter().chain(&[0]).flat_map(|word| word.to_le_bytes()));
    }
    area.bytes(&bytes)
}

const MMSGHDR_BYTES: u64 = 64;

fn sendmmsg(f: &Fields<'_>, area: &mut Area) -> Planned {
    let mut all = Vec::new();
    for one in f.list("messages")? {
        let one = one.as_object().ok_or("a message is no object")?;
        all.push(sent_message(&Fields(one), area)?);
    }
    let at = messages(area, &all)?;
    let flags = f.flags_or_0("flags", names::MSG)?;
    let plan = Plan::new(libc::SYS_sendmmsg, &[f.number("sockfd")?, at, all.len() as u64, flags]);
    Ok(plan.replying(move |count, answer| {
        let lengths = (0..count as u64).map(|n| get::<u32>(at + n * MMSGHDR_BYTES + 56));
        answer.insert("lens".into(), lengths.collect::<Vec<u32>>().into());
    }))
}

/// Room for a message that is received.
struct MessageRoom {
    address: u64,
    control: u64,
    at: u64,
    count: u64,
}

impl MessageRoom {
    /// With the words of its struct msghdr.
    fn new(count: u64, area: &mut Area) -> Result<(Self, [u64; 7]), String> {
        let address = area.room(ADDRESS_BYTES as usize)?;
        let control = area.room(CONTROL_BYTES)?;
        let vector = area.room(16)?;
        let count = count.min(area.left() as u64);
        let at = area.room(count as usize)?;
        // SAFETY: `vector` is 16 bytes of room in this request's area.
        unsafe { std::ptr::write(vector as *mut [u64; 2], [at, count]) };
        let words = [address, ADDRESS_BYTES.into(), vector, 1, control, CONTROL_BYTES as u64, 0];
        Ok((Self { address, control, at, count }, words))
    }

    fn put(&self, message: u64, length: u64, answer: &mut Object) {
        let [_, name_length, _, _, _, control_length, flags] = get::<[u64; 7]>(message);
        put_bytes(answer, "data", &get_bytes(self.at, length.min(self.count) as usize));
        let name_length = (name_length as u32).min(ADDRESS_BYTES) as usize;
        if name_length > 0 {
            answer.insert("addr".into(), shown_address(&get_bytes(self.address, name_length)));
        }
        answer.insert("flags".into(), names::join(names::MSG, flags & 0xffff_ffff));
        let length = (control_length as usize).min(CONTROL_BYTES);
        put_control(answer, &get_bytes(self.control, length));
    }
}

fn recvmsg(f: &Fields<'_>, area: &mut Area) -> Planned {
    let (room, words) = MessageRoom::new(f.number("count")?, area)?;
    let message = message(area, words)?;
    let flags = f.flags_or_0("flags", names::MSG)?;
    let plan = Plan::new(libc::SYS_recvmsg, &[f.number("sockfd")?, message, flags]);
    Ok(plan.replying(move |length, answer| room.put(message, length as u64, answer)))
}

fn recvmmsg(f: &Fields<'_>, area: &mut Area) -> Planned {
    let (mut rooms, mut all) = (Vec::new(), Vec::new());
    for count in f.numbers("counts")? {
        let (room, words) = MessageRoom::new(count, area)?;
        rooms.push(room);
        all.push(words);
    }
    let at = messages(area, &all)?;
    let flags = f.flags_or_0("flags", names::MSG)?;
    let timeout = if f.has("timeout") { f.timespec("timeout", area)? } else { 0 };
    let arguments = [f.number("sockfd")?, at, all.len() as u64, flags, timeout];
    Ok(Plan::new(libc::SYS_recvmmsg, &arguments).replying(move |count, answer| {
        let mut shown: Vec<Value> = Vec::new();
        for (room, n) in rooms.iter().zip(0..count as u64) {
            let message = at + n * MMSGHDR_BYTES;
            let length = get::<u32>(message + 56);
            let mut one = Object::new();
            one.insert("len".into(), length.into());
            room.put(message, length.into(), &mut one);
            shown.push(one.into());
        }
        answer.insert("messages".into(), shown.into());
    }))
}

fn put_control(answer: &mut Object, mut rest: &[u8]) {
    while let Some((head, _)) = rest.split_first_chunk::<16>() {
        let [l0, l1, l2, l3, _, _, _, _, _, _, _, _, k0, k1, k2, k3] = *head;
        let length = (u32::from_le_bytes([l0, l1, l2, l3]) as usize).clamp(16, rest.len());
        let words = rest[16..length].chunks_exact(4);
        let words: Vec<i32> =
            words.map(|word| i32::from_le_bytes(word.try_into().unwrap_or_default())).collect();
        match (i32::from_le_bytes([k0, k1, k2, k3]), words.as_slice()) {
            (libc::SCM_RIGHTS, fds) => drop(answer.insert("fds".into(), json!(fds))),
            (libc::SCM_CREDENTIALS, [pid, uid, gid]) => {
                let cred = json!({ "pid": pid, "uid": *uid as u32, "gid": *gid as u32 });
                answer.insert("cred".into(), cred);
            }
            // struct sock_extended_err (ip(7)), and its offender behind it.
            (libc::IP_RECVERR | libc::IPV6_RECVERR, [errno, kinds, info, told, ..]) => {
                let [origin, kind, code, _] = kinds.to_le_bytes();
                let offender = shown_address(&rest[32..length]);
                let error = json!({ "ee_errno": errno, "ee_origin": origin, "ee_type": kind,
                    "ee_code": code, "ee_info": info, "ee_data": told, "offender": offender });
                answer.insert("sock_extended_err".into(), error);
            }
            _ => {}
        }
        rest = &rest[length.next_multiple_of(8).min(rest.len())..];
    }
}

fn option(f: &Fields<'_>) -> Result<[u64; 3], String> {
    let level = f.flags("level", names::LEVELS)?;
    let table = match level as i32 {
        libc::IPPROTO_TCP => names::TCP_OPTIONS,
        libc::IPPROTO_IP => names::IP_OPTIONS,
        libc::IPPROTO_UDP => names::UDP_OPTIONS,
        libc::IPPROTO_IPV6 => names::IPV6_OPTIONS,
        _ => names::SOCKET_OPTIONS,
    };
    Ok([f.number("sockfd")?, level, f.flags("optname", table)?])
}

fn getsockopt(f: &Fields<'_>, area: &mut Area) -> Planned {
    let [sockfd, level, name] = option(f)?;
    let value = area.room(256)?;
    let length = area.put(&f.number_or("optlen", 256)?)?;
    let plan = Plan::new(libc::SYS_getsockopt, &[sockfd, level, name, value, length]);
    Ok(plan.replying(move |_, answer| {
        let is_text = matches!(
            (level as i32, name as i32),
            (libc::IPPROTO_TCP, libc::TCP_INFO | libc::TCP_CONGESTION)
                | (libc::SOL_SOCKET, libc::SO_BINDTODEVICE)
        );
        if is_text {
            let mut text = Object::new();
            put_bytes(&mut text, "text", &get_bytes(value, get::<u32>(length) as usize));
            answer.insert("optval".into(), text.into());
            return;
        }
        let words = get::<[i32; 3]>(value);
        let shown = match (level as i32, name as i32) {
            (libc::SOL_SOCKET, libc::SO_LINGER) => json!({ "onoff": words[0], "linger": words[1] }),
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO) => {
                let [sec, usec] = get::<[i64; 2]>(value);
                json!({ "sec": sec, "usec": usec })
            }
            (libc::SOL_SOCKET, libc::SO_PEERCRED) => {
                json!({ "pid": words[0], "uid": words[1] as u32, "gid": words[2] as u32 })
            }
            _ => words[0].into(),
        };
        answer.insert("optval".into(), shown);
    }))
}

/// The structure of an option of groups: ip_mreqn, ipv6_mreq or group_req (ip(7), ipv6(7)).
fn group(level: u64, name: u64, given: &Fields<'_>, area: &mut Area) -> Result<(u64, u64), String> {
    let index = given.number_or("ifindex", 0)? as u32;
    let group = given.bytes("group")?.unwrap_or_default();
    let host: std::net::IpAddr = parse(&group)?;
    let mut bytes = Vec::new();
    if matches!(name as i32, libc::MCAST_JOIN_GROUP | libc::MCAST_LEAVE_GROUP) {
        bytes.extend(u64::from(index).to_le_bytes());
        match host {
            std::net::IpAddr::V4(host) => {
                bytes.extend([libc::AF_INET as u8, 0, 0, 0]);
                bytes.extend(host.octets());
            }
            std::net::IpAddr::V6(host) => {
                bytes.extend([libc::AF_INET6 as u8, 0, 0, 0, 0, 0, 0, 0]);
                bytes.extend(host.octets());
            }
        }
        bytes.resize(136, 0);
    } else if level as i32 == libc::IPPROTO_IPV6 {
        bytes.extend(match host {
            std::net::IpAddr::V4(host) => host.to_ipv6_mapped().octets(),
            std::net::IpAddr::V6(host) => host.octets(),
        });
        bytes.extend(index.to_le_bytes());
    } else {
        let std::net::IpAddr::V4(host) = host else { return Err("a group of IPv4".to_owned()) };
        bytes.extend(host.octets());
        let interface: std::net::Ipv4Addr = match given.bytes("interface")? {
            Some(text) => parse(&text)?,
            None => std::net::Ipv4Addr::UNSPECIFIED,
        };
        bytes.extend(interface.octets());
        bytes.extend(index.to_le_bytes());
    }
    // Without an index the shorter structure of ip(7) is meant.
    let is_short = level as i32 == libc::IPPROTO_IP && bytes.len() == 12 && index == 0;
    let length = if is_short { 8 } else { bytes.len() };
    Ok((area.bytes(&bytes)?, length as u64))
}

fn setsockopt(f: &Fields<'_>, area: &mut Area) -> Planned {
    let [sockfd, level, name] = option(f)?;
    let (value, length) = match f.value("optval") {
        None => (0, 0),
        Some(Value::Object(given)) => {
            let given = Fields(given);
            if given.has("group") {
                group(level, name, &given, area)?
            } else if given.has("text") || given.has("text_b64") {
                let text = given.bytes("text")?.unwrap_or_default();
                (area.bytes(&text)?, text.len() as u64)
            } else if given.has("onoff") {
                let linger = given.number("onoff")? & 0xffff_ffff | given.number("linger")? << 32;
                (area.put(&linger)?, 8)
            } else {
                (area.put(&[given.number("sec")?, given.number_or("usec", 0)?])?, 16)
            }
        }
        Some(_) => (area.put(&(f.number("optval")? as u32))?, 4),
    };
    let length = f.number_or("optlen", length)?;
    Ok(Plan::new(libc::SYS_setsockopt, &[sockfd, level, name, value, length]))
}
