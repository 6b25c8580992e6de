//! Prints values and lines again, in the style of the standard recording (FORMAT.md section 1).
//!
//! For reports, and the proof that a parse loses nothing: a parsed line of such a recording prints
//! as it was, but for the blanks of padding.

use std::fmt::{self, Display, Formatter, Write};

use super::line::{Body, Cut, Line, Notice, WholeCall};
use super::prefix::Stamp;
use super::result::CallResult;
use super::value::{Array, Fd, Int, Operator, Radix, Struct, Text, Value};

const NS: u64 = 1_000_000_000;

impl Display for Int {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let (number, width) = (self.magnitude, usize::from(self.digits));
        match self.radix {
            Radix::Decimal => write!(f, "{number:0width$}"),
            Radix::Octal => write!(f, "{number:0width$o}"),
            Radix::Hex => write!(f, "0x{number:0width$x}"),
            Radix::Char => match u8::try_from(number) {
                Ok(byte) => write!(f, "'{}'", char::from(byte).escape_default()),
                Err(_) => write!(f, "{number}"),
            },
        }
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.at { "@\"" } else { "\"" })?;
        if self.hex {
            for byte in &self.bytes {
                write!(f, "\\x{byte:02x}")?;
            }
        } else {
            escaped(&self.bytes, b"\"\\", f)?;
        }
        f.write_str(if self.cut { "\"..." } else { "\"" })
    }
}

impl Display for Fd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}<", self.number)?;
        if self.text.first() == Some(&b'/') {
            escaped(&self.text, b"<>\"\\", f)?;
        } else {
            described(&self.text, f)?;
        }
        if let Some(device) = &self.device {
            f.write_str("<")?;
            escaped(device, b"<>\\", f)?;
            f.write_str(">")?;
        }
        f.write_str(if self.deleted { ">(deleted)" } else { ">" })
    }
}

impl Display for Array {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.complement { "~[" } else { "[" })?;
        let between = if self.spaced { " " } else { ", " };
        list(&self.items, between, f)?;
        if self.more {
            f.write_str(if self.items.is_empty() { "..." } else { ", ..." })?;
        }
        f.write_str("]")
    }
}

impl Display for Struct {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let between = if self.spaced { " " } else { ", " };
        for (place, member) in self.members.iter().enumerate() {
            if place > 0 {
                f.write_str(between)?;
            }
            if let Some(name) = &member.name {
                write!(f, "{name}=")?;
            }
            write!(f, "{}", member.value)?;
        }
        if self.more {
            f.write_str(if self.members.is_empty() { "" } else { between })?;
            f.write_str("...")?;
        }
        f.write_str("}")
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Or => "|",
            Operator::Times => "*",
            Operator::Shift => "<<",
            Operator::And => " && ",
            Operator::Equals => " == ",
            Operator::Either => " or ",
        })
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Empty => Ok(()),
            Value::Null => f.write_str("NULL"),
            Value::Int(int) => int.fmt(f),
            Value::Name(name) => f.write_str(name),
            Value::Str(text) => text.fmt(f),
            Value::Fd(fd) => fd.fmt(f),
            Value::Array(array) => array.fmt(f),
            Value::Struct(structure) => structure.fmt(f),
            Value::InOut(pair) => write!(f, "{} => {}", pair.0, pair.1),
            Value::Macro(name, args) => {
                write!(f, "{name}(")?;
                list(args, ", ", f)?;
                f.write_str(")")
            }
            Value::Operation(operator, operands) => {
                for (place, operand) in operands.iter().enumerate() {
                    if place > 0 {
                        operator.fmt(f)?;
                    }
                    operand.fmt(f)?;
                }
                Ok(())
            }
            Value::Named(name, value) => write!(f, "{name}={value}"),
            Value::Indexed(pair) => write!(f, "[{}]={}", pair.0, pair.1),
            Value::Noted(value, comment) => write!(f, "{value} /* {comment} */"),
            Value::Not(value) => write!(f, "~{value}"),
            Value::Resuming(name) => write!(f, "<... resuming interrupted {name} ...>"),
            Value::Unavailable => f.write_str("<unavailable>"),
        }
    }
}

impl Display for CallResult {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => value.fmt(f)?,
            None => f.write_str("?")?,
        }
        if let Some(errno) = &self.errno {
            write!(f, " {errno}")?;
        }
        if let Some(text) = &self.errno_text {
            write!(f, " ({text})")?;
        }
        if self.notes.is_empty() {
            return Ok(());
        }
        for (place, note) in self.notes.iter().enumerate() {
            f.write_str(if place == 0 { " (" } else { ", " })?;
            match note {
                Value::Named(word, value) => write!(f, "{word} {value}")?,
                other => other.fmt(f)?,
            }
        }
        f.write_str(")")
    }
}

impl Display for WholeCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        list(&self.args, ", ", f)?;
        write!(f, ") = {}", self.result)?;
        if let Some(ns) = self.duration_ns {
            f.write_str(" <")?;
            seconds(ns, self.duration_digits, f)?;
            f.write_str(">")?;
        }
        Ok(())
    }
}

impl Display for Notice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Attached(pid) => write!(f, "strace: Process {pid} attached"),
            Notice::Detached(pid) => write!(f, "strace: Process {pid} detached"),
            Notice::Personality { pid, mode } => {
                write!(f, "[ Process PID={pid} runs in {mode} mode. ]")
            }
            Notice::Other(text) => f.write_str(&String::from_utf8_lossy(text)),
        }
    }
}

impl Display for Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Body::Call(call) => call.fmt(f),
            Body::Unfinished { name, text, cut, .. } => {
                write!(f, "{name}({} ", String::from_utf8_lossy(text))?;
                match cut {
                    Cut::Unfinished => f.write_str("<unfinished ...>"),
                    Cut::Detached => f.write_str("<detached ...>"),
                    Cut::PidChanged(pid) => write!(f, "<pid changed to {pid} ...>"),
                    Cut::Lost => f.write_str("<ptrace(SYSCALL):No such process>"),
                }
            }
            Body::Resumed { name, text, .. } => {
                write!(f, "<... {name} resumed>{}", String::from_utf8_lossy(text))
            }
            Body::Signal { name, info: Value::Empty } => write!(f, "--- {name} ---"),
            Body::Signal { name, info } => write!(f, "--- {name} {info} ---"),
            Body::Stopped { signal } => write!(f, "--- stopped by {signal} ---"),
            Body::Exited { status } => write!(f, "+++ exited with {status} +++"),
            Body::Killed { signal, core: false } => write!(f, "+++ killed by {signal} +++"),
            Body::Killed { signal, core: true } => {
                write!(f, "+++ killed by {signal} (core dumped) +++")
            }
            Body::Superseded { by } => write!(f, "+++ superseded by execve in pid {by} +++"),
            Body::Notice(notice) => notice.fmt(f),
        }
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(tid) = self.tid {
            write!(f, "{tid:<5} ")?;
        }
        match self.time {
            None => {}
            Some(Stamp::Epoch(ns)) => seconds(ns, self.fraction_digits, f)?,
            Some(Stamp::Delta(ns)) => {
                f.write_str("     ")?;
                seconds(ns, self.fraction_digits, f)?;
            }
            Some(Stamp::Day(ns)) => {
                let minutes = ns / NS / 60;
                write!(f, "{:02}:{:02}:", minutes / 60, minutes % 60)?;
                let rest = ns % (60 * NS);
                f.write_str(if rest < 10 * NS { "0" } else { "" })?;
                seconds(rest, self.fraction_digits, f)?;
            }
        }
        f.write_str(if self.time.is_some() { " " } else { "" })?;
        self.body.fmt(f)
    }
}

fn seconds(ns: u64, digits: u8, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{}", ns / NS)?;
    let width = usize::from(digits.min(9));
    if width == 0 {
        return Ok(());
    }
    let fraction = ns % NS / 10_u64.pow(9 - u32::from(digits.min(9)));
    write!(f, ".{fraction:0width$}")
}

fn list(values: &[Value], between: &str, f: &mut Formatter<'_>) -> fmt::Result {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        value.fmt(f)?;
    }
    Ok(())
}

/// What a descriptor is, where it is no path: `->` and the quotes around a name stand as they are.
fn described(text: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    let opening = text.iter().position(|byte| *byte == b'"');
    let closing = text.iter().rposition(|byte| *byte == b'"');
    let quotes = if opening == closing { [None, None] } else { [opening, closing] };
    let mut before = 0;
    for (place, &byte) in text.iter().enumerate() {
        let plain = quotes.contains(&Some(place)) || (byte == b'>' && before == b'-');
        escaped(&[byte], if plain { b"" } else { b"<>\"\\" }, f)?;
        before = byte;
    }
    Ok(())
}

/// Bytes as strace escapes them with --strings-in-hex=non-ascii-chars; those of `special` by a
/// backslash, but `<` and `>` in hex.
fn escaped(bytes: &[u8], special: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    for &byte in bytes {
        match byte {
            b'\n' => f.write_str("\\n")?,
            b'\t' => f.write_str("\\t")?,
            b'\r' => f.write_str("\\r")?,
            0x0b => f.write_str("\\v")?,
            0x0c => f.write_str("\\f")?,
            b'<' | b'>' if special.contains(&byte) => write!(f, "\\x{byte:02x}")?,
            _ if special.contains(&byte) => {
                f.write_char('\\')?;
                f.write_char(char::from(byte))?;
            }
            b' '..=b'~' => f.write_char(char::from(byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    Ok(())
}
