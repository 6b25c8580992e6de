//! The fields of a request as CLI.md ("drive and the JSON twin") writes them, and the same forms
//! for answers.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::names::{self, Table};
use crate::shared::Area;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// The fields of one request. Every error names the field.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Object);

impl<'a> Fields<'a> {
    /// Whether the field is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The field's value, if it is there and not null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &str) -> Result<&'a Value, String> {
        self.value(name).ok_or_else(|| format!("field {name} is missing"))
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<u64, String> {
        number(self.required(name)?).ok_or_else(|| format!("field {name} is not a number"))
    }

    /// A number, or what it is when left out.
    pub(crate) fn number_or(&self, name: &str, default: u64) -> Result<u64, String> {
        if self.has(name) { self.number(name) } else { Ok(default) }
    }

    /// Names of `table` joined by `|`, or a number.
    pub(crate) fn flags(&self, name: &str, table: Table) -> Result<u64, String> {
        flags(name, self.required(name)?, table)
    }

    /// The same, 0 when left out.
    pub(crate) fn flags_or_0(&self, name: &str, table: Table) -> Result<u64, String> {
        self.value(name).map_or(Ok(0), |value| flags(name, value, table))
    }

    /// A string's bytes, from X or X_b64; none for null.
    pub(crate) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        if let Some(value) = self.0.get(&format!("{name}_b64")) {
            let text = value.as_str().ok_or_else(|| format!("field {name}_b64 is not a string"))?;
            return STANDARD
                .decode(text)
                .map(Some)
                .map_err(|error| format!("field {name}_b64: {error}"));
        }
        match self.0.get(name) {
            None => Err(format!("field {name} is missing")),
            Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_bytes().to_vec())),
            Some(_) => Err(format!("field {name} is not a string")),
        }
    }

    /// Whether the string field is there as X or X_b64.
    pub(crate) fn has_bytes(&self, name: &str) -> bool {
        self.0.contains_key(name) || self.0.contains_key(&format!("{name}_b64"))
    }

    /// A path's address: a C string in `area`, or NULL.
    pub(crate) fn path(&self, name: &str, area: &mut Area) -> Result<u64, String> {
        match self.bytes(name)? {
            None => Ok(0),
            Some(bytes) => area.c_string(&bytes),
        }
    }

    /// A directory descriptor; AT_FDCWD when left out.
    pub(crate) fn dirfd(&self, name: &str) -> Result<u64, String> {
        match self.value(name) {
            None => Ok(libc::AT_FDCWD as u64),
            Some(value) => flags(name, value, names::AT_FDCWD),
        }
    }

    /// An object's fields.
    pub(crate) fn object(&self, name: &str) -> Result<Fields<'a>, String> {
        let value = self.required(name)?;
        value.as_object().map(Fields).ok_or_else(|| format!("field {name} is not an object"))
    }

    /// A list.
    pub(crate) fn list(&self, name: &str) -> Result<&'a [Value], String> {
        let value = self.required(name)?;
        value.as_array().map(Vec::as_slice).ok_or_else(|| format!("field {name} is not a list"))
    }

    /// A list of numbers.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<u64>, String> {
        let wrong = || format!("field {name} is not a list of numbers");
        self.list(name)?.iter().map(|value| number(value).ok_or_else(wrong)).collect()
    }

    /// A signal by name or number.
    pub(crate) fn signal(&self, name: &str) -> Result<u64, String> {
        signal(name, self.value(name).ok_or_else(|| format!("field {name} is missing"))?)
    }

    /// A signal set as a list of names; the kernel's sigset_t.
    pub(crate) fn signal_set(&self, name: &str) -> Result<u64, String> {
        let mut set = 0;
        for value in self.list(name)? {
            match signal(name, value)? {
                signal @ 1..=64 => set |= 1 << (signal - 1),
                signal => return Err(format!("field {name}: there is no signal {signal}")),
            }
        }
        Ok(set)
    }

    /// A `{"sec":…,"nsec":…}` in `area`, or NULL for null and what is left out.
    pub(crate) fn timespec(&self, name: &str, area: &mut Area) -> Result<u64, String> {
        if !self.has(name) {
            return Ok(0);
        }
        let time = self.object(name)?;
        area.put(&[time.number_or("sec", 0)?, time.number_or("nsec", 0)?])
    }
}

/// A number as JSON integer or string with C's prefixes, in two's complement.
pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_i64().map(|n| n as u64)),
        Value::String(text) => c_number(text),
        _ => None,
    }
}

fn c_number(text: &str) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(rest) => u64::from_str_radix(rest, 16),
        None if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(&digits[1..], 8),
        None => digits.parse(),
    }
    .ok()?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// Flags by names of `table` joined by `|` (numbers may stand among them), or a number.
pub(crate) fn flags(field: &str, value: &Value, table: Table) -> Result<u64, String> {
    let Value::String(text) = value else {
        return number(value).ok_or_else(|| format!("field {field} is neither names nor a number"));
    };
    let mut all = 0;
    for word in text.split('|').map(str::trim).filter(|word| !word.is_empty()) {
        all |= names::value(table, word)
            .or_else(|| c_number(word))
            .ok_or_else(|| format!("field {field}: unknown name {word}"))?;
    }
    Ok(all)
}

/// A signal by its name or number.
fn signal(field: &str, value: &Value) -> Result<u64, String> {
    let known = value.as_str().and_then(names::signal_number);
    known.map_or_else(|| flags(field, value, names::SIGNALS), Ok)
}

/// Puts a string field: X, or X_b64 when it is not UTF-8.
pub(crate) fn put_bytes(object: &mut Object, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.into(), text.into()),
        Err(_) => object.insert(format!("{name}_b64"), STANDARD.encode(bytes).into()),
    };
}

/// The bytes up to the first NUL.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// A sigset_t of the kernel as a list of names.
pub(crate) fn signal_set(set: u64) -> Value {
    let signals = (1..=64u64).filter(|signal| set >> (signal - 1) & 1 == 1);
    signals.map(names::signal).collect()
}

/// A wait status as CLI.md writes it.
pub(crate) fn status(status: i32) -> Value {
    let signal = |number: i32| names::signal(number as u64);
    if libc::WIFEXITED(status) {
        json!({ "exited": libc::WEXITSTATUS(status) })
    } else if libc::WIFSIGNALED(status) {
        json!({ "signaled": signal(libc::WTERMSIG(status)) })
    } else if libc::WIFSTOPPED(status) {
        json!({ "stopped": signal(libc::WSTOPSIG(status)) })
    } else {
        json!("continued")
    }
}

/// The siginfo_t fields that apply (sigaction(2), "The siginfo_t argument to a SA_SIGINFO
/// handler").
pub(crate) fn siginfo(raw: &[u8; 128]) -> Object {
    let word = |at: usize| i32::from_le_bytes(raw[at..at + 4].try_into().unwrap_or_default());
    let (signal, code) = (word(0), word(8));
    let mut info = Object::new();
    if signal == 0 {
        return info;
    }
    info.insert("si_signo".into(), names::signal(signal as u64));
    info.insert("si_code".into(), names::signal_code(signal, code));
    if code == libc::SI_KERNEL {
        return info;
    }
    if code == libc::SI_TIMER {
        return info;
    }
    let own_codes = [4, 5, 7, 8, 11, 17, 31];
    if code == libc::SI_SIGIO || (1..=6).contains(&code) && !own_codes.contains(&signal) {
        info.insert("si_band".into(), word(16).into());
        info.insert("si_fd".into(), word(24).into());
        return info;
    }
    info.insert("si_pid".into(), word(16).into());
    info.insert("si_uid".into(), (word(20) as u32).into());
    if signal == libc::SIGCHLD && code > 0 {
        info.insert("si_status".into(), word(24).into());
    }
    if code == libc::SI_QUEUE {
        info.insert("si_value".into(), word(24).into());
    }
    info
}
