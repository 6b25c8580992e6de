//! `struct ifreq` and `struct ifconf` of netdevice(7) as JSON, both ways: a name, and the one
//! member that the request is about.

use super::names::{self, show_flags};
use super::structs::Fields;
use super::text::{put_bytes, take_bytes};
use super::{JsonError, Object};
use serde_json::Value;
use std::net::Ipv4Addr;
use tickernel_systems::abi::flags::INTERFACE_FLAGS;
use tickernel_systems::abi::{Interface, InterfaceValue};

pub(super) fn show_interface(interface: &Interface) -> Value {
    let end = interface.name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut object = Object::new();
    put_bytes(&mut object, "ifr_name", &interface.name[..end]);
    let (name, value) = match interface.value {
        InterfaceValue::Nothing => return Value::Object(object),
        InterfaceValue::Index(index) => ("ifr_ifindex", index.into()),
        InterfaceValue::Number(number) => ("ifr_value", number.into()),
        InterfaceValue::Flags(flags) => {
            ("ifr_flags", show_flags(flags.into(), INTERFACE_FLAGS, ""))
        }
        InterfaceValue::Address(host) => ("ifr_addr", Ipv4Addr::from(host).to_string().into()),
        InterfaceValue::Hardware(kind) => ("ifr_hwaddr", kind.into()),
    };
    object.insert(name.into(), value);
    Value::Object(object)
}

/// Whether an object is one: the requests have a name, SIOCGIFNAME an index.
pub(super) fn is_interface(value: &Value) -> bool {
    ["ifr_name", "ifr_name_b64", "ifr_ifindex"].iter().any(|name| value.get(name).is_some())
}

pub(super) fn read_interface(value: &Value, of: &str) -> Result<Interface, JsonError> {
    let fields = Fields::new(value, of)?;
    let wrong = |name, what| JsonError::wrong(name, of, what);
    let object = value.as_object().ok_or_else(|| wrong("ifr_name", "in an object"))?;
    let bytes = take_bytes(object, "ifr_name", of)?.unwrap_or_default();
    let mut name = [0; 16];
    let part = name.get_mut(..bytes.len()).ok_or_else(|| wrong("ifr_name", "16 bytes at most"))?;
    part.copy_from_slice(&bytes);
    let has = |name: &str| object.contains_key(name);
    let value = if has("ifr_ifindex") {
        InterfaceValue::Index(fields.number("ifr_ifindex")?)
    } else if has("ifr_value") {
        InterfaceValue::Number(fields.number("ifr_value")?)
    } else if has("ifr_flags") {
        let flags = |value: &Value| names::table_flags(value, INTERFACE_FLAGS);
        InterfaceValue::Flags(fields.by("ifr_flags", flags)?)
    } else if has("ifr_addr") {
        let host = fields.get("ifr_addr")?.as_str().and_then(|text| text.parse::<Ipv4Addr>().ok());
        let host = host.ok_or_else(|| wrong("ifr_addr", "an IPv4 address"))?;
        InterfaceValue::Address(host.octets())
    } else if has("ifr_hwaddr") {
        InterfaceValue::Hardware(fields.number("ifr_hwaddr")?)
    } else {
        InterfaceValue::Nothing
    };
    Ok(Interface { name, value })
}

pub(super) fn show_interfaces(bytes: i64, all: &[Interface]) -> Value {
    let mut object = Object::new();
    object.insert("ifc_len".into(), bytes.into());
    object.insert("ifc_req".into(), all.iter().map(show_interface).collect());
    Value::Object(object)
}

pub(super) fn read_interfaces(value: &Value, of: &str) -> Result<(i64, Vec<Interface>), JsonError> {
    let fields = Fields::new(value, of)?;
    let all = fields.get("ifc_req")?.as_array();
    let all = all.ok_or_else(|| JsonError::wrong("ifc_req", of, "a list"))?;
    let all = all.iter().map(|one| read_interface(one, of)).collect::<Result<_, _>>()?;
    Ok((fields.number("ifc_len")?, all))
}
