//! What a recording says of an event (`replay::expected`), in the text twin of an imported trace:
//! `ok` or `err` as in any twin, and `recorded` with what is not usual about it.

use super::answer::{put_answer, read_answer, read_errno};
use super::structs::Fields;
use super::text::{put_bytes, take_bytes};
use super::{Form, JsonError, Object, names};
use crate::replay::{Expected, Recorded, Role};
use serde_json::Value;
use tickernel_systems::event::{Answer, Payload};
use tickernel_systems::wire::Bytes;

const ROLES: [(&str, Role); 6] = [
    ("call", Role::Call),
    ("out_of_scope", Role::OutOfScope),
    ("unsupported", Role::Unsupported),
    ("taken", Role::Taken),
    ("signal", Role::Signal),
    ("force", Role::Force),
];

/// Adds what is expected to an event's line; `call` is the name of its call, if it has one.
pub(super) fn show_expected(object: &mut Object, call: &str, expected: &Expected) {
    let mut told = Object::new();
    if let Some((name, _)) = ROLES.iter().find(|known| known.1 == expected.role)
        && expected.role != Role::Call
    {
        told.insert("role".into(), (*name).into());
    }
    if expected.name.0 != call.as_bytes() {
        put_bytes(&mut told, "name", &expected.name.0);
    }
    for (name, bits) in [("members", expected.members), ("flags", expected.flags)] {
        if bits != 0 {
            told.insert(name.into(), bits.into());
        }
    }
    match expected.recorded {
        Recorded::Value(value) => {
            let answer = Answer { value, payload: expected.payload.clone() };
            put_answer(object, call, &answer, Form::Twin);
        }
        Recorded::Errno(errno) => {
            object.insert("err".into(), names::show_errno(errno));
        }
        Recorded::Never => {
            told.insert("never".into(), true.into());
        }
    }
    object.insert("recorded".into(), told.into());
}

/// Reads what [`show_expected`] added; `None` if nothing of it is there.
pub(super) fn read_expected(object: &Object, call: &str) -> Result<Option<Expected>, JsonError> {
    let Some(told) = object.get("recorded") else { return Ok(None) };
    let fields = Fields::new(told, "recorded")?;
    let told = told.as_object().cloned().unwrap_or_default();
    let role = match told.get("role") {
        None => Role::Call,
        Some(name) => ROLES
            .iter()
            .find(|known| Some(known.0) == name.as_str())
            .map(|known| known.1)
            .ok_or_else(|| JsonError::wrong("role", "recorded", "call, out_of_scope …"))?,
    };
    let name = take_bytes(&told, "name", "recorded")?;
    let (recorded, payload) = match object.get("err") {
        _ if told.get("never").and_then(Value::as_bool) == Some(true) => {
            (Recorded::Never, Payload::None)
        }
        Some(errno) => (Recorded::Errno(read_errno(errno)?), Payload::None),
        None => {
            let answer = read_answer(object, call)?;
            (Recorded::Value(answer.value), answer.payload)
        }
    };
    Ok(Some(Expected {
        role,
        name: Bytes(name.unwrap_or_else(|| call.as_bytes().to_vec())),
        recorded,
        payload,
        members: fields.or_zero("members")?,
        flags: fields.or_zero("flags")?,
    }))
}
