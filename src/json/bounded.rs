//! Reads one line as a JSON object with bounds: so many values at most, no name twice in an object.
//!
//! `serde_json` bounds the depth (128) but not the number of values, and a value in memory is many
//! times as long as its text; without a bound a line of 64 MiB could take gigabytes.

use super::{JsonError, Object};
use core::cell::Cell;
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Values in one line at most.
const VALUES_MAX: u32 = 1 << 20;

/// Reads a line that holds one JSON object.
///
/// # Errors
/// It is not JSON, not an object, or holds too much.
pub fn parse_object(line: &[u8]) -> Result<Object, JsonError> {
    let text = core::str::from_utf8(line)
        .map_err(|error| JsonError(format!("not UTF-8 at byte {}", error.valid_up_to() + 1)))?;
    let left = Cell::new(VALUES_MAX);
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Bounded(&left)
        .deserialize(&mut source)
        .and_then(|value| source.end().map(|()| value))
        .map_err(|error| JsonError(format!("broken JSON: {error}")))?;
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(JsonError("a line must hold a JSON object".to_owned()))
        }
    }
}

#[derive(Clone, Copy)]
struct Bounded<'c>(&'c Cell<u32>);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        let left =
            self.0.get().checked_sub(1).ok_or_else(|| {
                D::Error::custom(format!("more than {VALUES_MAX} values in a line"))
            })?;
        self.0.set(left);
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// A large number is rounded by then: only its place is told.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Err(E::custom(if value.abs() < 1e9 {
            format!("{value:?} is not an integer")
        } else {
            "a number is not an integer of at most 64 bits".to_owned()
        }))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(self)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the field \"{name}\" stands twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
