//! Socket addresses and alternate stacks as JSON, both ways (CLI.md, "An address is …").

use super::names::{self, show_flags};
use super::structs::Fields;
use super::text::{put_bytes, take_bytes};
use super::{JsonError, Object};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, Ipv6Addr};
use tickernel_systems::abi::flags::{ADDRESS_FAMILIES, AF_INET, AF_INET6, AF_UNIX, SS_FLAGS};
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
