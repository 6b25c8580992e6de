//! Calls and values as bytes, for `kept.rs`: nothing of what was parsed is lost, names are numbers
//! of a table. The bytes are read by the process that wrote them and by no other.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::event::Call;
use super::line::Cut;
use super::names::MAX_SHARED_BYTES;
use super::result::CallResult;
use super::value::{Array, Fd, Int, Member, Name, Operator, Radix, Struct, Text, Value};
use crate::trace::varint::{Cursor, put_bytes, put_varint, zigzag_apply, zigzag_step};

/// Names that get a number; others stand in full.
const MAX_NUMBERED: usize = 1 << 16;

/// The number of a name.
#[expect(clippy::disallowed_types, reason = "looked up and filled, never walked: no order shows")]
type Numbers = std::collections::HashMap<Name, u64, BuildHasherDefault<ahash::AHasher>>;

/// The names of one recording.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    names: Vec<Name>,
    numbers: Numbers,
}

impl NameTable {
    pub(super) fn put(&mut self, out: &mut Vec<u8>, name: &Name) {
        if let Some(number) = self.numbers.get(name) {
            return put_varint(out, *number);
        }
        if name.len() > MAX_SHARED_BYTES || self.names.len() >= MAX_NUMBERED {
            out.push(0);
            return put_bytes(out, name.as_bytes());
        }
        self.names.push(Arc::clone(name));
        let number = self.names.len() as u64;
        self.numbers.insert(Arc::clone(name), number);
        put_varint(out, number);
    }

    pub(super) fn get(&self, cursor: &mut Cursor<'_>) -> Option<Name> {
        match cursor.varint()? {
            0 => Some(Arc::from(std::str::from_utf8(bytes(cursor)?).ok()?)),
            number => self.names.get(usize::try_from(number - 1).ok()?).map(Arc::clone),
        }
    }
}

fn bytes<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = cursor.varint()?;
    cursor.take(len)
}

/// A bit for each of these.
fn bits(flags: &[bool]) -> u64 {
    flags.iter().enumerate().fold(0, |all, (place, set)| all | u64::from(*set) << place)
}

fn has(flags: u64, place: u32) -> bool {
    flags >> place & 1 == 1
}

const RADIXES: [Radix; 4] = [Radix::Decimal, Radix::Octal, Radix::Hex, Radix::Char];
const OPERATORS: [Operator; 6] = [
    Operator::Or,
    Operator::Times,
    Operator::Shift,
    Operator::And,
    Operator::Equals,
    Operator::Either,
];

const EMPTY: u8 = 0;
const NULL: u8 = 1;
const INT: u8 = 2;
const NAME: u8 = 3;
const STR: u8 = 4;
const FD: u8 = 5;
const ARRAY: u8 = 6;
const STRUCT: u8 = 7;
const IN_OUT: u8 = 8;
const MACRO: u8 = 9;
const OPERATION: u8 = 10;
const NAMED: u8 = 11;
const INDEXED: u8 = 12;
const NOTED: u8 = 13;
const NOT: u8 = 14;
const RESUMING: u8 = 15;
const UNAVAILABLE: u8 = 16;

pub(super) fn put_value(out: &mut Vec<u8>, names: &mut NameTable, value: &Value) {
    match value {
        Value::Empty => out.push(EMPTY),
        Value::Null => out.push(NULL),
        Value::Int(int) => {
            let radix = RADIXES.iter().position(|radix| *radix == int.radix).unwrap_or(0) as u8;
            out.extend_from_slice(&[INT, radix << 1 | u8::from(int.negative), int.digits]);
            put_varint(out, int.magnitude);
        }
        Value::Name(name) => put_named(out, names, NAME, name),
        Value::Str(text) => {
            out.extend_from_slice(&[STR, bits(&[text.cut, text.at, text.hex]) as u8]);
            put_bytes(out, &text.bytes);
        }
        Value::Fd(fd) => {
            out.extend_from_slice(&[FD, bits(&[fd.deleted, fd.device.is_some()]) as u8]);
            put_value(out, names, &fd.number);
            put_bytes(out, &fd.text);
            if let Some(device) = &fd.device {
                put_bytes(out, device);
            }
        }
        Value::Array(array) => {
            let flags = bits(&[array.more, array.complement, array.spaced]) as u8;
            out.extend_from_slice(&[ARRAY, flags]);
            put_values(out, names, &array.items);
        }
        Value::Struct(structure) => {
            out.extend_from_slice(&[STRUCT, bits(&[structure.more, structure.spaced]) as u8]);
            put_varint(out, structure.members.len() as u64);
            for member in &structure.members {
                out.push(u8::from(member.name.is_some()));
                if let Some(name) = &member.name {
                    names.put(out, name);
                }
                put_value(out, names, &member.value);
            }
        }
        Value::InOut(pair) => put_pair(out, names, IN_OUT, pair),
        Value::Macro(name, values) => {
            put_named(out, names, MACRO, name);
            put_values(out, names, values);
        }
        Value::Operation(operator, values) => {
            let operator = OPERATORS.iter().position(|one| one == operator).unwrap_or(0) as u8;
            out.extend_from_slice(&[OPERATION, operator]);
            put_values(out, names, values);
        }
        Value::Named(name, value) => {
            put_named(out, names, NAMED, name);
            put_value(out, names, value);
        }
        Value::Indexed(pair) => put_pair(out, names, INDEXED, pair),
        Value::Noted(value, name) => {
            put_named(out, names, NOTED, name);
            put_value(out, names, value);
        }
        Value::Not(value) => {
            out.push(NOT);
            put_value(out, names, value);
        }
        Value::Resuming(name) => put_named(out, names, RESUMING, name),
        Value::Unavailable => out.push(UNAVAILABLE),
    }
}

fn put_named(out: &mut Vec<u8>, names: &mut NameTable, tag: u8, name: &Name) {
    out.push(tag);
    names.put(out, name);
}

fn put_pair(out: &mut Vec<u8>, names: &mut NameTable, tag: u8, pair: &(Value, Value)) {
    out.push(tag);
    put_value(out, names, &pair.0);
    put_value(out, names, &pair.1);
}

fn put_values(out: &mut Vec<u8>, names: &mut NameTable, values: &[Value]) {
    put_varint(out, values.len() as u64);
    for value in values {
        put_value(out, names, value);
    }
}

pub(super) fn get_value(cursor: &mut Cursor<'_>, names: &NameTable) -> Option<Value> {
    Some(match cursor.u8()? {
        EMPTY => Value::Empty,
        NULL => Value::Null,
        INT => Value::Int(get_int(cursor)?),
        NAME => Value::Name(names.get(cursor)?),
        STR => {
            let flags = u64::from(cursor.u8()?);
            let bytes = bytes(cursor)?.to_vec();
            Value::Str(Text { bytes, cut: has(flags, 0), at: has(flags, 1), hex: has(flags, 2) })
        }
        FD => {
            let flags = u64::from(cursor.u8()?);
            let number = get_value(cursor, names)?;
            let text = bytes(cursor)?.to_vec();
            let device = if has(flags, 1) { Some(bytes(cursor)?.to_vec()) } else { None };
            Value::Fd(Box::new(Fd { number, text, device, deleted: has(flags, 0) }))
        }
        ARRAY => {
            let flags = u64::from(cursor.u8()?);
            let items = get_values(cursor, names)?;
            let (more, complement, spaced) = (has(flags, 0), has(flags, 1), has(flags, 2));
            Value::Array(Array { items, more, complement, spaced })
        }
        STRUCT => get_struct(cursor, names)?,
        IN_OUT => Value::InOut(Box::new((get_value(cursor, names)?, get_value(cursor, names)?))),
        MACRO => Value::Macro(names.get(cursor)?, get_values(cursor, names)?),
        OPERATION => {
            let operator = *OPERATORS.get(usize::from(cursor.u8()?))?;
            Value::Operation(operator, get_values(cursor, names)?)
        }
        NAMED => Value::Named(names.get(cursor)?, Box::new(get_value(cursor, names)?)),
        INDEXED => Value::Indexed(Box::new((get_value(cursor, names)?, get_value(cursor, names)?))),
        NOTED => {
            let name = names.get(cursor)?;
            Value::Noted(Box::new(get_value(cursor, names)?), name)
        }
        NOT => Value::Not(Box::new(get_value(cursor, names)?)),
        RESUMING => Value::Resuming(names.get(cursor)?),
        UNAVAILABLE => Value::Unavailable,
        _ => return None,
    })
}

fn get_int(cursor: &mut Cursor<'_>) -> Option<Int> {
    let kind = cursor.u8()?;
    let radix = *RADIXES.get(usize::from(kind >> 1))?;
    let digits = cursor.u8()?;
    Some(Int { magnitude: cursor.varint()?, negative: kind & 1 == 1, radix, digits })
}

fn get_struct(cursor: &mut Cursor<'_>, names: &NameTable) -> Option<Value> {
    let flags = u64::from(cursor.u8()?);
    let count = usize::try_from(cursor.varint()?).ok()?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let name = if cursor.u8()? == 1 { Some(names.get(cursor)?) } else { None };
        members.push(Member { name, value: get_value(cursor, names)? });
    }
    Some(Value::Struct(Struct { members, more: has(flags, 0), spaced: has(flags, 1) }))
}

fn get_values(cursor: &mut Cursor<'_>, names: &NameTable) -> Option<Vec<Value>> {
    let count = usize::try_from(cursor.varint()?).ok()?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(get_value(cursor, names)?);
    }
    Some(values)
}

pub(super) fn put_call(out: &mut Vec<u8>, names: &mut NameTable, call: &Call) {
    let Call { tid, exit_tid, name, args, args_at_entry, result, .. } = call;
    let Call { entry_line, exit_line, entry_time_ns, exit_time_ns, duration_ns, cut, .. } = call;
    let flags = bits(&[
        tid.is_some(),
        exit_tid.is_some(),
        result.is_some(),
        entry_line.is_some(),
        exit_line.is_some(),
        entry_time_ns.is_some(),
        exit_time_ns.is_some(),
        duration_ns.is_some(),
        cut.is_some(),
        *args_at_entry == args.len(),
    ]);
    put_varint(out, flags);
    for tid in [tid, exit_tid].into_iter().flatten() {
        put_varint(out, u64::from(*tid));
    }
    // Exits stand near to entries.
    let mut last = 0;
    for line in [entry_line, exit_line].into_iter().flatten() {
        put_varint(out, zigzag_step(last, *line));
        last = *line;
    }
    last = 0;
    for time in [entry_time_ns, exit_time_ns].into_iter().flatten() {
        put_varint(out, zigzag_step(last, *time));
        last = *time;
    }
    if let Some(duration) = duration_ns {
        put_varint(out, *duration);
    }
    match cut {
        None => {}
        Some(Cut::Unfinished) => out.push(0),
        Some(Cut::Detached) => out.push(1),
        Some(Cut::Lost) => out.push(2),
        Some(Cut::PidChanged(pid)) => {
            out.push(3);
            put_varint(out, u64::from(*pid));
        }
    }
    if *args_at_entry != args.len() {
        put_varint(out, *args_at_entry as u64);
    }
    names.put(out, name);
    put_values(out, names, args);
    if let Some(result) = result {
        put_result(out, names, result);
    }
}

fn put_result(out: &mut Vec<u8>, names: &mut NameTable, result: &CallResult) {
    let CallResult { value, errno, errno_text, notes } = result;
    let has = [value.is_some(), errno.is_some(), errno_text.is_some(), !notes.is_empty()];
    out.push(bits(&has) as u8);
    if let Some(value) = value {
        put_value(out, names, value);
    }
    for name in [errno, errno_text].into_iter().flatten() {
        names.put(out, name);
    }
    if !notes.is_empty() {
        put_values(out, names, notes);
    }
}

pub(super) fn get_call(record: &[u8], names: &NameTable) -> Option<Call> {
    let mut cursor = Cursor::new(record, 0);
    let cursor = &mut cursor;
    let flags = cursor.varint()?;
    let mut small = |place: u32| match has(flags, place) {
        true => cursor.varint().and_then(|value| u32::try_from(value).ok()),
        false => None,
    };
    let (tid, exit_tid) = (small(0), small(1));
    let (entry_line, exit_line) = get_steps(cursor, has(flags, 3), has(flags, 4))?;
    let (entry_time_ns, exit_time_ns) = get_steps(cursor, has(flags, 5), has(flags, 6))?;
    let duration_ns = if has(flags, 7) { Some(cursor.varint()?) } else { None };
    let cut = if has(flags, 8) { Some(get_cut(cursor)?) } else { None };
    let at_entry = if has(flags, 9) { None } else { Some(cursor.varint()?) };
    let name = names.get(cursor)?;
    let args = get_values(cursor, names)?;
    let args_at_entry = match at_entry {
        Some(count) => usize::try_from(count).ok()?,
        None => args.len(),
    };
    let result = if has(flags, 2) { Some(get_result(cursor, names)?) } else { None };
    Some(Call {
        tid,
        exit_tid,
        name,
        args,
        args_at_entry,
        result,
        entry_line,
        exit_line,
        entry_time_ns,
        exit_time_ns,
        duration_ns,
        cut,
    })
}

fn get_steps(cursor: &mut Cursor<'_>, one: bool, two: bool) -> Option<(Option<u64>, Option<u64>)> {
    let mut last = 0;
    let mut get = |there: bool| {
        if !there {
            return Some(None);
        }
        last = zigzag_apply(last, cursor.varint()?);
        Some(Some(last))
    };
    Some((get(one)?, get(two)?))
}

fn get_cut(cursor: &mut Cursor<'_>) -> Option<Cut> {
    Some(match cursor.u8()? {
        0 => Cut::Unfinished,
        1 => Cut::Detached,
        2 => Cut::Lost,
        _ => Cut::PidChanged(u32::try_from(cursor.varint()?).ok()?),
    })
}

fn get_result(cursor: &mut Cursor<'_>, names: &NameTable) -> Option<CallResult> {
    let flags = u64::from(cursor.u8()?);
    let value = if has(flags, 0) { Some(get_value(cursor, names)?) } else { None };
    let errno = if has(flags, 1) { Some(names.get(cursor)?) } else { None };
    let errno_text = if has(flags, 2) { Some(names.get(cursor)?) } else { None };
    let notes = if has(flags, 3) { get_values(cursor, names)? } else { Vec::new() };
    Some(CallResult { value, errno, errno_text, notes })
}
