//! Byte strings in JSON: text where they are UTF-8, else base64 under the name with `_b64` at its
//! end.

use super::{JsonError, Object};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What an alternative name in base64 ends with.
pub(super) const B64: &str = "_b64";

/// Sets a field to bytes: `name` if they are UTF-8, else `name_b64`.
pub fn put_bytes(object: &mut Object, name: &str, bytes: &[u8]) {
    match core::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), text.into()),
        Err(_) => object.insert(format!("{name}{B64}"), STANDARD.encode(bytes).into()),
    };
}

/// Sets a field to a list of byte strings: all as text, or all in base64.
pub(super) fn put_list<'b>(
    object: &mut Object,
    name: &str,
    items: impl Iterator<Item = &'b [u8]> + Clone,
) {
    let texts: Option<Vec<Value>> =
        items.clone().map(|item| core::str::from_utf8(item).ok().map(Value::from)).collect();
    match texts {
        Some(texts) => object.insert(name.to_owned(), texts.into()),
        None => {
            let coded: Vec<Value> = items.map(|item| STANDARD.encode(item).into()).collect();
            object.insert(format!("{name}{B64}"), coded.into())
        }
    };
}

/// Bytes from base64.
pub(super) fn decode(field: &str, of: &str, value: &Value) -> Result<Vec<u8>, JsonError> {
    value
        .as_str()
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or_else(|| JsonError::wrong(field, of, "a string in base64"))
}

/// A field that is bytes, under either name; `None` if neither is there.
pub(super) fn take_bytes(
    object: &Object,
    name: &str,
    of: &str,
) -> Result<Option<Vec<u8>>, JsonError> {
    let coded = format!("{name}{B64}");
    match (object.get(name), object.get(&coded)) {
        (Some(value), _) => match value.as_str() {
            Some(text) => Ok(Some(text.as_bytes().to_vec())),
            None => Err(JsonError::wrong(name, of, "a string")),
        },
        (None, Some(value)) => decode(&coded, of, value).map(Some),
        (None, None) => Ok(None),
    }
}

/// Up to the first NUL, as C reads a string.
pub(super) fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(bytes)
}
