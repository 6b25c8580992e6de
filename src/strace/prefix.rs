//! What stands before the body of a line: task and time columns, syscall number, address.
//!
//! strace(1): -f and -o (pid column), `[pid N]` on standard error, -Y (command after the pid),
//! -t -tt -ttt -r and their long forms, -n, -i.

use super::cursor::{Cursor, Parsed};

/// Linux gives out no greater pid (PID_MAX_LIMIT, proc(5)); a greater number is a time.
const PID_MAX: u64 = 4_194_304;
/// Seconds below this are counted from the line before (-r), not from 1970.
const MIN_EPOCH_SECONDS: u64 = 100_000_000;
const NS: u64 = 1_000_000_000;

/// A time as a line carries it, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Since 1970 (-ttt).
    Epoch(u64),
    /// Since midnight (-t, -tt).
    Day(u64),
    /// Since the line before, of whichever task (-r).
    Delta(u64),
}

/// The columns before a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) tid: Option<u32>,
    pub(crate) time: Option<Stamp>,
    /// How many digits the time has after its point.
    pub(crate) fraction_digits: u8,
}

impl Prefix {
    /// Reads the columns; the cursor is left at the body.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let mut prefix = Self::default();
        cursor.blanks();
        if cursor.eat(b"[pid ") {
            cursor.blanks();
            prefix.tid = Some(cursor.small()?);
            skip_command(cursor)?;
            cursor.expect(b"]", "`]` after a pid")?;
            cursor.blanks();
        }
        while prefix.time.is_none() && matches!(cursor.peek(), Some(b'0'..=b'9')) {
            prefix.column(cursor)?;
            cursor.blanks();
        }
        if cursor.eat(b"(+") {
            cursor.blanks();
            let seconds = cursor.decimal()?;
            let mut relative = Self::default();
            relative.set(Stamp::Delta, seconds, cursor)?;
            if prefix.time.is_none() {
                prefix.time = relative.time;
            }
            cursor.expect(b")", "`)` after a relative time")?;
            cursor.blanks();
        }
        skip_number_or_address(cursor);
        Ok(prefix)
    }

    /// One column that begins with a digit: a pid or a time.
    fn column(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let start = *cursor;
        let number = cursor.decimal()?;
        match cursor.peek() {
            Some(b':') => {
                let minutes = colon_part(cursor)?;
                let seconds = colon_part(cursor)?;
                if number > 23 || minutes > 59 || seconds > 60 {
                    return start.expected("a time of day");
                }
                self.set(Stamp::Day, (number * 60 + minutes) * 60 + seconds, cursor)
            }
            Some(b'.') if number < MIN_EPOCH_SECONDS => self.set(Stamp::Delta, number, cursor),
            Some(b'.') => self.set(Stamp::Epoch, number, cursor),
            _ if number <= PID_MAX && self.tid.is_none() => {
                *cursor = start;
                self.tid = Some(cursor.small()?);
                skip_command(cursor)
            }
            _ if number >= MIN_EPOCH_SECONDS => self.set(Stamp::Epoch, number, cursor),
            _ => start.expected("a pid, a time or a call"),
        }
    }

    fn set(&mut self, kind: fn(u64) -> Stamp, seconds: u64, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let start = *cursor;
        let (fraction, digits) = fraction_ns(cursor)?;
        match seconds.checked_mul(NS).and_then(|ns| ns.checked_add(fraction)) {
            Some(ns) => {
                self.time = Some(kind(ns));
                self.fraction_digits = digits;
                Ok(())
            }
            None => start.expected("a time before the year 2554"),
        }
    }
}

/// `.000123` as nanoseconds, and how many digits; nothing there is 0 of no digits.
pub(crate) fn fraction_ns(cursor: &mut Cursor<'_>) -> Parsed<(u64, u8)> {
    if !cursor.eat(b".") {
        return Ok((0, 0));
    }
    let start = *cursor;
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    match u8::try_from(digits.len()) {
        Ok(count @ 1..=9) => {
            let value = digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            Ok((value * 10_u64.pow(9 - u32::from(count)), count))
        }
        _ => start.expected("one to nine digits after the point"),
    }
}

fn colon_part(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    cursor.expect(b":", "`:` in a time of day")?;
    cursor.decimal()
}

/// `<bash>` after a pid (-Y).
pub(crate) fn skip_command(cursor: &mut Cursor<'_>) -> Parsed<()> {
    if cursor.eat(b"<") {
        cursor.angle()?;
    }
    Ok(())
}

/// `[ 257] ` (-n) and `[00007f52a1b2c3d4] ` (-i), in either order.
fn skip_number_or_address(cursor: &mut Cursor<'_>) {
    loop {
        let mut ahead = *cursor;
        if !ahead.eat(b"[") {
            return;
        }
        ahead.blanks();
        let inside = ahead.take_while(|byte| byte.is_ascii_hexdigit() || byte == b'?');
        if inside.is_empty() || !ahead.eat(b"] ") {
            return;
        }
        ahead.blanks();
        *cursor = ahead;
    }
}
