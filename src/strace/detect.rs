//! Tells whether a file is a strace recording from its first bytes.

use super::cursor::Cursor;
use super::line::{Body, LineParser};
use super::parse::is_word;
use super::prefix::Prefix;

/// Lines that are looked at.
const LINES: usize = 8;
/// What some editors write before UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Bytes that are looked at; a first line (execve with its environment) may be longer.
const BYTES: usize = 64 << 10;

/// Whether `first_bytes` (some kilobytes are enough; the end may be cut anywhere) begin a
/// recording by strace.
pub fn looks_like_strace(first_bytes: &[u8]) -> bool {
    let bytes = first_bytes.get(..BYTES).unwrap_or(first_bytes);
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let Some(whole) = whole.and_then(|end| bytes.get(..end)) else { return begins_call(bytes) };
    let mut parser = LineParser::new();
    let whole = whole.strip_prefix(BYTE_ORDER_MARK).unwrap_or(whole);
    let lines = whole.split(|byte| *byte == b'\n').take(LINES);
    let mut lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let Some(first) = lines.next() else { return false };
    let Some(mut found) = is_trace(&mut parser, first) else { return false };
    for line in lines {
        // A program's own output may stand between the lines of a recording on standard error.
        found |= is_trace(&mut parser, line).unwrap_or(false);
    }
    found
}

/// Whether the line is of the trace itself; `None` for text that strace does not write.
fn is_trace(parser: &mut LineParser, line: &[u8]) -> Option<bool> {
    let line = parser.parse(1, line).ok()?;
    Some(!matches!(line.body, Body::Notice(_)))
}

/// Whether the columns and `name(` of a call stand here, for a first line that is not whole.
fn begins_call(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    let Ok(prefix) = Prefix::read(&mut cursor) else { return false };
    let columns = prefix.tid.is_some() || prefix.time.is_some();
    let name = cursor.take_while(is_word);
    let lower = name.iter().any(u8::is_ascii_lowercase);
    let call = lower && cursor.eat(b"(");
    // Without columns only the call that begins every recording by command is taken.
    call && (columns || (name == b"execve" && cursor.starts(b"\"")))
}
