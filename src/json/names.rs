//! Numbers and their names: flags joined by `|`, choices, octal modes, signals and sets of signals.
//!
//! The tables are those of `abi::flags`; here is only how they are written and read.

use serde_json::Value;
use tickernel_systems::abi::flags::{FILE_TYPES, MODE_BITS, Names, S_IFMT, name_of, number_of};
use tickernel_systems::abi::signal::{CHILD_CODES, POLL_CODES, SI_CODES};
use tickernel_systems::abi::{Errno, SigSet, Signal};

/// A number as C writes one: `10`, `-1`, `0644`, `0x1f`.
pub(super) fn c_number(text: &str) -> Option<i128> {
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    let number = i128::from(u64::from_str_radix(digits, radix).ok()?);
    Some(if negative { -number } else { number })
}

/// A number written as a number: a JSON integer, or text in C's way.
pub(super) fn plain(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.as_i128(),
        Value::String(text) => c_number(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number, or names and numbers joined by `|`; `lookup` knows the names.
pub(super) fn flags(value: &Value, lookup: impl Fn(&str) -> Option<u64>) -> Option<i128> {
    if let Some(number) = plain(value) {
        return Some(number);
    }
    let text = value.as_str()?.trim();
    let mut bits = 0;
    if text.is_empty() {
        return Some(bits);
    }
    // Beside a | stands a name: one that is missing was forgotten.
    for part in text.split('|').map(str::trim) {
        bits |= c_number(part).or_else(|| lookup(part).map(i128::from))?;
    }
    Some(bits)
}

/// Flags with the names of one table.
pub(super) fn table_flags(value: &Value, table: Names) -> Option<i128> {
    flags(value, |name| number_of(table, name))
}

/// A number or the one name that stands for it.
pub(super) fn choice(value: &Value, table: Names) -> Option<i128> {
    plain(value).or_else(|| number_of(table, value.as_str()?).map(i128::from))
}

/// A mode: a number, or `S_IF…` and `S_I…` names with numbers.
pub(super) fn mode(value: &Value) -> Option<i128> {
    flags(value, |name| number_of(FILE_TYPES, name).or_else(|| number_of(MODE_BITS, name)))
}

/// A signal: its name or number (0 and absurd ones are the kernel's to refuse).
pub(super) fn signal_number(value: &Value) -> Option<i128> {
    plain(value)
        .or_else(|| Signal::from_name(value.as_str()?).map(|signal| i128::from(signal.number())))
}

/// A signal that exists.
pub(super) fn signal(value: &Value) -> Option<Signal> {
    Signal::new(i32::try_from(signal_number(value)?).ok()?)
}

/// An errno by name or number.
pub(super) fn errno(value: &Value) -> Option<Errno> {
    match value.as_str() {
        Some(name) => Errno::from_name(name),
        None => u16::try_from(value.as_u64()?).ok().filter(|&number| number != 0).map(Errno),
    }
}

/// A set of signals as a list of names or numbers.
pub(super) fn set(value: &Value) -> Option<SigSet> {
    let mut set = SigSet::EMPTY;
    for item in value.as_array()? {
        set.insert(signal(item)?);
    }
    Some(set)
}

/// Flags by name, what has no name as a hexadecimal number, none at all as `""` (or the name that
/// the table has for 0); a number that is negative stays one. `skip` names what is not meant though
/// its bits are the same.
pub(super) fn show_flags(number: i128, table: Names, skip: &str) -> Value {
    let Ok(bits) = u64::try_from(number) else { return show_number(number) };
    let mut left = bits;
    let mut text = String::new();
    for &(name, flag) in table {
        if flag != 0 && name != skip && bits & flag == flag && left & flag != 0 {
            left &= !flag;
            join(&mut text, name);
        }
    }
    if bits == 0 {
        return name_of(table, 0).unwrap_or_default().into();
    }
    if left != 0 {
        join(&mut text, &format!("{left:#x}"));
    }
    text.into()
}

fn join(text: &mut String, part: &str) {
    if !text.is_empty() {
        text.push('|');
    }
    text.push_str(part);
}

/// The name if the table has one, else the number.
pub(super) fn show_choice(number: i128, table: Names) -> Value {
    let name = u64::try_from(number).ok().and_then(|number| name_of(table, number));
    name.map_or_else(|| show_number(number), Value::from)
}

/// A mode: `"0644"`, `"S_IFIFO|0644"`.
pub(super) fn show_mode(number: i128) -> Value {
    let Ok(mode) = u32::try_from(number) else { return show_number(number) };
    match name_of(FILE_TYPES, u64::from(mode & S_IFMT)) {
        Some(name) => format!("{name}|{:#05o}", mode & !S_IFMT).replace("0o", "0").into(),
        None => format!("0{mode:o}").into(),
    }
}

/// A signal's name, or the number that is none.
pub(super) fn show_signal(number: i128) -> Value {
    let signal = i32::try_from(number).ok().and_then(Signal::new);
    signal.map_or_else(|| show_number(number), |signal| signal.name().into())
}

/// `si_code` by name, if the signal has one for it.
pub(super) fn show_code(signo: i32, code: i32) -> Value {
    let of_child = signo == i32::from(Signal::SIGCHLD.number());
    let own = if of_child { CHILD_CODES } else { POLL_CODES };
    let named = SI_CODES.iter().chain(own).find(|named| named.1 == code);
    named.map_or_else(|| code.into(), |named| named.0.into())
}

/// `si_code` by name or number.
pub(super) fn code(value: &Value) -> Option<i128> {
    let named = || {
        let all = SI_CODES.iter().chain(CHILD_CODES).chain(POLL_CODES);
        all.clone().find(|named| Some(named.0) == value.as_str())
    };
    plain(value).or_else(|| named().map(|named| named.1.into()))
}

/// An errno's name, or the number that errno(3) does not list.
pub(super) fn show_errno(errno: Errno) -> Value {
    let name = errno.name();
    if Errno::from_name(name) == Some(errno) { name.into() } else { errno.0.into() }
}

/// A set of signals as a list of names.
pub(super) fn show_set(set: SigSet) -> Value {
    set.iter().map(|signal| Value::from(signal.name())).collect::<Vec<_>>().into()
}

/// A number of at most 64 bits, with or without a sign.
pub(super) fn show_number(number: i128) -> Value {
    u64::try_from(number).map(Value::from).unwrap_or_else(|_| Value::from(number as i64))
}
