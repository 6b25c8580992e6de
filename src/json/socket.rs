//! Socket addresses, messages, options and alternate stacks as JSON, both ways (CLI.md, "An address
//! is …").

use super::names::{self, show_flags};
use super::structs::{Fields, read_numbers, show_numbers};
use super::text::{put_bytes, take_bytes};
use super::{JsonError, Object};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tickernel_systems::abi::flags::{ADDRESS_FAMILIES, AF_INET, AF_INET6, AF_UNIX, SS_FLAGS};
use tickernel_systems::abi::socket::{
    ExtendedError, Got, MESSAGE_FLAGS, Message, OptionValue, Received, Ucred,
};
use tickernel_systems::abi::{Address, AltStack};
use tickernel_systems::wire::Bytes;

pub(super) fn show_address(address: &Address) -> Value {
    let mut object = Object::new();
    let family = match address {
        Address::Unnamed | Address::Unix(_) | Address::Abstract(_) => AF_UNIX,
        Address::Inet(..) => AF_INET,
        Address::Inet6(..) => AF_INET6,
        Address::Other(family) => u32::from(*family),
    };
    object.insert("family".into(), names::show_choice(family.into(), ADDRESS_FAMILIES));
    let (host, port) = match address {
        Address::Unix(path) => {
            put_bytes(&mut object, "path", &path.0);
            return Value::Object(object);
        }
        Address::Abstract(name) => {
            put_bytes(&mut object, "abstract", &name.0);
            return Value::Object(object);
        }
        Address::Inet(host, port) => (Ipv4Addr::from(*host).to_string(), *port),
        Address::Inet6(host, port) => (Ipv6Addr::from(*host).to_string(), *port),
        Address::Unnamed | Address::Other(_) => return Value::Object(object),
    };
    object.insert("addr".into(), host.into());
    object.insert("port".into(), port.into());
    Value::Object(object)
}

pub(super) fn read_address(value: &Value, of: &str) -> Result<Address, JsonError> {
    let fields = Fields::new(value, of)?;
    let wrong = |name, what| JsonError::wrong(name, of, what);
    let family: u16 = fields.by("family", |value| names::choice(value, ADDRESS_FAMILIES))?;
    let object = value.as_object().ok_or_else(|| wrong("addr", "an object"))?;
    let host = || fields.get("addr")?.as_str().ok_or_else(|| wrong("addr", "a string"));
    match u32::from(family) {
        AF_UNIX => {
            let path = take_bytes(object, "path", of)?;
            let name = take_bytes(object, "abstract", of)?;
            Ok(match (path, name) {
                (Some(path), _) => Address::Unix(Bytes(path)),
                (None, Some(name)) => Address::Abstract(Bytes(name)),
                (None, None) => Address::Unnamed,
            })
        }
        AF_INET => {
            let host = host()?.parse::<Ipv4Addr>();
            let host = host.map_err(|_| wrong("addr", "an IPv4 address"))?;
            Ok(Address::Inet(host.octets(), fields.number("port")?))
        }
        AF_INET6 => {
            let host = host()?.parse::<Ipv6Addr>();
            let host = host.map_err(|_| wrong("addr", "an IPv6 address"))?;
            Ok(Address::Inet6(host.octets(), fields.number("port")?))
        }
        _ => Ok(Address::Other(family)),
    }
}

pub(super) fn show_alt_stack(stack: AltStack) -> Value {
    json!({
        "ss_sp": stack.sp,
        "ss_flags": show_flags(stack.flags.into(), SS_FLAGS, ""),
        "ss_size": stack.size
    })
}

pub(super) fn read_alt_stack(value: &Value, of: &str) -> Result<AltStack, JsonError> {
    let fields = Fields::new(value, of)?;
    Ok(AltStack {
        sp: fields.or_zero("ss_sp")?,
        flags: fields.by("ss_flags", |value| names::table_flags(value, SS_FLAGS))?,
        size: fields.or_zero("ss_size")?,
    })
}

pub(super) fn show_cred(cred: Ucred) -> Value {
    json!({ "pid": cred.pid, "uid": cred.uid, "gid": cred.gid })
}

pub(super) fn read_cred(value: &Value, of: &str) -> Result<Ucred, JsonError> {
    let fields = Fields::new(value, of)?;
    let [pid, uid, gid] = ["pid", "uid", "gid"].map(|name| fields.number(name));
    Ok(Ucred { pid: pid?, uid: uid?, gid: gid? })
}

pub(super) fn show_option_value(value: &OptionValue) -> Value {
    match value {
        OptionValue::Number(number) => (*number).into(),
        OptionValue::Linger(on, seconds) => json!({ "onoff": on, "linger": seconds }),
        OptionValue::Time(seconds, microseconds) => json!({ "sec": seconds, "usec": microseconds }),
        OptionValue::Cred(cred) => show_cred(*cred),
        OptionValue::Text(text) => {
            let mut object = Object::new();
            put_bytes(&mut object, "text", &text.0);
            Value::Object(object)
        }
        OptionValue::Group(group, interface, index) => {
            let host = Ipv6Addr::from(*group);
            let host = host.to_ipv4_mapped().map_or(host.to_string(), |host| host.to_string());
            let interface = Ipv4Addr::from(*interface).to_string();
            json!({ "group": host, "interface": interface, "ifindex": index })
        }
    }
}

/// A number, or an object whose fields tell which structure it is.
pub(super) fn read_option_value(value: &Value, of: &str) -> Result<OptionValue, JsonError> {
    let Some(object) = value.as_object() else {
        let number = names::plain(value).and_then(|number| i64::try_from(number).ok());
        return number.map(OptionValue::Number).ok_or_else(|| {
            JsonError::wrong(of, "the call", "a number, {onoff, linger}, {sec, usec} or {text}")
        });
    };
    let fields = Fields::new(value, of)?;
    if object.contains_key("onoff") {
        return Ok(OptionValue::Linger(fields.number("onoff")?, fields.number("linger")?));
    }
    if object.contains_key("sec") {
        return Ok(OptionValue::Time(fields.number("sec")?, fields.or_zero("usec")?));
    }
    if object.contains_key("pid") {
        return Ok(OptionValue::Cred(read_cred(value, of)?));
    }
    if object.contains_key("group") {
        return read_group(object, of);
    }
    match take_bytes(object, "text", of)? {
        Some(text) => Ok(OptionValue::Text(Bytes(text))),
        None => Err(JsonError::wrong(of, "the call", "a structure of an option")),
    }
}

fn read_group(object: &Object, of: &str) -> Result<OptionValue, JsonError> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let wrong = |name| JsonError::wrong(name, of, "an address");
    let group = text("group").and_then(|text| text.parse::<IpAddr>().ok());
    let group = match group.ok_or_else(|| wrong("group"))? {
        IpAddr::V4(host) => host.to_ipv6_mapped(),
        IpAddr::V6(host) => host,
    };
    let interface = text("interface").unwrap_or("0.0.0.0").parse::<Ipv4Addr>();
    let interface = interface.map_err(|_| wrong("interface"))?;
    let index = Fields::over(object, of).or_zero("ifindex")?;
    Ok(OptionValue::Group(group.octets(), interface.octets(), index))
}

/// What recvfrom(2) or recvmsg(2) gave: `name` says how a field is called beside the request's.
pub(super) fn put_received(
    object: &mut Object,
    received: &Received,
    name: impl Fn(&Object, &'static str) -> String,
) {
    put_bytes(object, "data", &received.data.0);
    let mut put = |field: &'static str, value: Value| {
        let name = name(object, field);
        object.insert(name, value);
    };
    if let Some(address) = &received.addr {
        put("addr", show_address(address));
    }
    if let Some(flags) = received.flags {
        put("flags", show_flags(flags.into(), MESSAGE_FLAGS, ""));
    }
    if !received.fds.is_empty() {
        put("fds", show_numbers(received.fds.iter().map(|fd| (*fd).into())));
    }
    if let Some(cred) = received.cred {
        put("cred", show_cred(cred));
    }
    if let Some(error) = &received.error {
        put("sock_extended_err", show_error(error));
    }
}

/// `struct sock_extended_err` (ip(7)) with its offender.
fn show_error(error: &ExtendedError) -> Value {
    json!({"ee_errno": error.errno, "ee_origin": error.origin, "ee_type": error.kind,
        "ee_code": error.code, "ee_info": error.info, "ee_data": error.data,
        "offender": show_address(&error.offender)})
}

fn read_error(value: &Value) -> Result<ExtendedError, JsonError> {
    const OF: &str = "sock_extended_err";
    let wrong = || JsonError::wrong(OF, "the answer", "a structure");
    let fields = Fields::over(value.as_object().ok_or_else(wrong)?, OF);
    Ok(ExtendedError {
        errno: fields.number("ee_errno")?,
        origin: fields.number("ee_origin")?,
        kind: fields.number("ee_type")?,
        code: fields.number("ee_code")?,
        info: fields.or_zero("ee_info")?,
        data: fields.or_zero("ee_data")?,
        offender: read_address(value.get("offender").ok_or_else(wrong)?, "offender")?,
    })
}

/// The same back; `get` finds a field of the answer.
pub(super) fn read_received<'o>(
    data: Vec<u8>,
    get: impl Fn(&str) -> Option<&'o Value>,
) -> Result<Received, JsonError> {
    let flags = |value: &Value| {
        let bits =
            names::table_flags(value, MESSAGE_FLAGS).and_then(|bits| u32::try_from(bits).ok());
        bits.ok_or_else(|| JsonError::wrong("flags", "the answer", "flags of recvmsg(2)"))
    };
    Ok(Received {
        data: Bytes(data),
        addr: get("addr").map(|value| read_address(value, "addr")).transpose()?,
        flags: get("flags").map(flags).transpose()?,
        fds: get("fds").map(|value| read_numbers(value, "fds")).transpose()?.unwrap_or_default(),
        cred: get("cred").map(|value| read_cred(value, "cred")).transpose()?,
        error: get("sock_extended_err").map(read_error).transpose()?.map(Box::new),
    })
}

/// The messages of sendmmsg(2).
pub(super) fn show_messages(messages: &[Message]) -> Value {
    let show = |message: &Message| {
        let mut object = Object::new();
        put_bytes(&mut object, "data", &message.data.0);
        if let Some(address) = &message.addr {
            object.insert("addr".into(), show_address(address));
        }
        if let Some(fds) = &message.fds {
            object.insert("fds".into(), show_numbers(fds.iter().map(|fd| (*fd).into())));
        }
        if let Some(cred) = message.cred {
            object.insert("cred".into(), show_cred(cred));
        }
        Value::Object(object)
    };
    messages.iter().map(show).collect::<Vec<_>>().into()
}

/// The same back.
pub(super) fn read_messages(value: &Value, of: &str) -> Result<Vec<Message>, JsonError> {
    items(value, of)?.iter().map(|item| read_message(item, of)).collect()
}

fn read_message(value: &Value, of: &str) -> Result<Message, JsonError> {
    let object = value.as_object().ok_or_else(|| list_of_objects(of))?;
    let get = |name: &str| object.get(name).filter(|value| !value.is_null());
    let data = take_bytes(object, "data", of)?.ok_or_else(|| JsonError::missing("data", of))?;
    Ok(Message {
        data: Bytes(data),
        addr: get("addr").map(|value| read_address(value, "addr")).transpose()?,
        fds: get("fds").map(|value| read_numbers(value, "fds")).transpose()?,
        cred: get("cred").map(|value| read_cred(value, "cred")).transpose()?,
    })
}

/// What recvmmsg(2) gave: each as recvmsg(2) would tell it, with its length.
pub(super) fn show_got(got: &[Got]) -> Value {
    let show = |one: &Got| {
        let mut object = Object::new();
        object.insert("len".into(), one.length.into());
        put_received(&mut object, &one.received, |_, name| name.to_owned());
        Value::Object(object)
    };
    got.iter().map(show).collect::<Vec<_>>().into()
}

/// The same back.
pub(super) fn read_got(value: &Value, of: &str) -> Result<Vec<Got>, JsonError> {
    let read = |item: &Value| {
        let object = item.as_object().ok_or_else(|| list_of_objects(of))?;
        let data = take_bytes(object, "data", of)?.ok_or_else(|| JsonError::missing("data", of))?;
        let length = Fields::over(object, of).number("len")?;
        Ok(Got { length, received: read_received(data, |name| object.get(name))? })
    };
    items(value, of)?.iter().map(read).collect()
}

fn items<'v>(value: &'v Value, of: &str) -> Result<&'v Vec<Value>, JsonError> {
    value.as_array().ok_or_else(|| list_of_objects(of))
}

fn list_of_objects(of: &str) -> JsonError {
    JsonError::wrong(of, "the call", "a list of objects")
}
