//! A place in one line of text, and the lexical pieces: numbers, words, strings, `<...>`.
//!
//! Every scan is linear and ends at the end of the line. String forms (FORMAT.md section 1):
//! C escapes, octal of one to three digits, `\x` with exactly two.

use super::error::Reason;
use super::value::{Int, Radix};

/// Where and why a line is refused.
pub(crate) struct Refusal {
    /// Byte offset in the text.
    pub(crate) at: usize,
    /// Why.
    pub(crate) reason: Reason,
}

pub(crate) type Parsed<T> = Result<T, Refusal>;

/// Text and a place in it.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(crate) fn bump(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    pub(crate) fn starts(&self, prefix: &[u8]) -> bool {
        self.rest().starts_with(prefix)
    }

    pub(crate) fn eat(&mut self, prefix: &[u8]) -> bool {
        let found = self.starts(prefix);
        if found {
            self.bump(prefix.len());
        }
        found
    }

    /// Skips blanks; says whether there were any.
    pub(crate) fn blanks(&mut self) -> bool {
        let start = self.at;
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
        self.at > start
    }

    pub(crate) fn refuse<T>(&self, reason: Reason) -> Parsed<T> {
        Err(Refusal { at: self.at, reason })
    }

    pub(crate) fn expected<T>(&self, what: &'static str) -> Parsed<T> {
        self.refuse(Reason::Expected(what))
    }

    pub(crate) fn expect(&mut self, text: &[u8], what: &'static str) -> Parsed<()> {
        if self.eat(text) { Ok(()) } else { self.expected(what) }
    }

    /// Bytes as long as `keep` holds.
    pub(crate) fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !keep(*byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Bytes up to `end`, which is skipped; `None` (and no move) when it does not come.
    pub(crate) fn take_until(&mut self, end: &[u8]) -> Option<&'a [u8]> {
        let rest = self.rest();
        let length = memchr::memmem::find(rest, end)?;
        self.at += length + end.len();
        rest.get(..length)
    }

    /// The inside of a comment, which may hold comments: `/* htons(0x300 /* ETH_P_??? */) */`.
    pub(crate) fn comment(&mut self) -> Parsed<&'a [u8]> {
        let start = *self;
        let mut depth = 0_usize;
        while let Some(ahead) = memchr::memchr2(b'/', b'*', self.rest()) {
            self.at += ahead;
            if self.eat(b"/*") {
                depth += 1;
            } else if self.eat(b"*/") {
                depth -= 1;
                if depth == 0 {
                    let inside = start.text.get(start.at + 2..self.at - 2).unwrap_or_default();
                    return Ok(inside.trim_ascii());
                }
            } else {
                self.bump(1);
            }
        }
        start.expected("a comment and its end")
    }

    /// A decimal number without sign that fits u64.
    pub(crate) fn decimal(&mut self) -> Parsed<u64> {
        let start = self.at;
        let mut value: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = match value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0')))
            {
                Some(value) => value,
                None => return self.expected("a number of at most 64 bits"),
            };
            self.at += 1;
        }
        if self.at == start { self.expected("a number") } else { Ok(value) }
    }

    /// A decimal number that fits u32.
    pub(crate) fn small(&mut self) -> Parsed<u32> {
        let start = *self;
        let value = self.decimal()?;
        u32::try_from(value).or_else(|_| start.expected("a number of at most 32 bits"))
    }

    /// A number as strace prints one: `-1`, `0x2a`, `0644`.
    pub(crate) fn number(&mut self) -> Parsed<Int> {
        let negative = self.eat(b"-");
        let radix = match (self.peek(), self.peek_at(1)) {
            (Some(b'0'), Some(b'x')) => {
                self.bump(2);
                Radix::Hex
            }
            (Some(b'0'), Some(b'0'..=b'9')) => Radix::Octal,
            _ => Radix::Decimal,
        };
        let base = match radix {
            Radix::Hex => 16,
            Radix::Octal => 8,
            Radix::Decimal | Radix::Char => 10,
        };
        let start = self.at;
        let mut magnitude: u64 = 0;
        while let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(base)) {
            let next = magnitude.checked_mul(u64::from(base));
            magnitude = match next.and_then(|value| value.checked_add(u64::from(digit))) {
                Some(value) => value,
                None => return self.expected("a number of at most 64 bits"),
            };
            self.at += 1;
        }
        match u8::try_from(self.at - start) {
            Ok(0) | Err(_) => self.expected("a number"),
            Ok(digits) => Ok(Int { magnitude, negative, radix, digits }),
        }
    }

    /// The inside of a string, and whether all of it was in `\xNN`; the cursor stands after the
    /// opening quote.
    pub(crate) fn string(&mut self) -> Parsed<(Vec<u8>, bool)> {
        let mut all_hex = true;
        let mut bytes = Vec::new();
        loop {
            let rest = self.rest();
            let plain = memchr::memchr2(b'"', b'\\', rest);
            let Some(plain) = plain else {
                self.at = self.text.len();
                return self.expected("the closing quote of a string");
            };
            all_hex &= plain == 0;
            bytes.extend_from_slice(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            // Escapes come in runs (binary data): stay here while they do.
            loop {
                match self.peek() {
                    Some(b'\\') => {
                        all_hex &= self.peek_at(1) == Some(b'x');
                        bytes.push(self.escape()?);
                    }
                    Some(b'"') => {
                        let hex = all_hex && !bytes.is_empty();
                        self.at += 1;
                        return Ok((bytes, hex));
                    }
                    _ => break,
                }
            }
        }
    }

    /// One escape; the cursor stands on the backslash.
    pub(crate) fn escape(&mut self) -> Parsed<u8> {
        let Some(kind) = self.peek_at(1) else { return self.expected("an escape") };
        let byte = match kind {
            b'x' => {
                let high = self.peek_at(2).and_then(hex);
                let low = self.peek_at(3).and_then(hex);
                let (Some(high), Some(low)) = (high, low) else {
                    return self.expected("two hexadecimal digits after \\x");
                };
                self.bump(4);
                return Ok(high << 4 | low);
            }
            b'0'..=b'7' => return self.octal_escape(),
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'f' => 0x0c,
            b'v' => 0x0b,
            b'"' | b'\\' | b'\'' => kind,
            _ => return self.expected("an escape that strace writes"),
        };
        self.bump(2);
        Ok(byte)
    }

    fn octal_escape(&mut self) -> Parsed<u8> {
        let start = *self;
        self.bump(1);
        let mut value: u32 = 0;
        for _ in 0..3 {
            let Some(digit @ b'0'..=b'7') = self.peek() else { break };
            value = value * 8 + u32::from(digit - b'0');
            self.at += 1;
        }
        u8::try_from(value).or_else(|_| start.expected("an octal escape of one byte"))
    }

    /// The inside of `<...>` after a descriptor; the cursor stands after the `<`.
    /// Gives the text and the nested part. In paths strace escapes `<` and `>`; socket texts hold
    /// `->` and quoted names.
    pub(crate) fn angle(&mut self) -> Parsed<(Vec<u8>, Option<Vec<u8>>)> {
        let start = *self;
        let is_path = self.peek() == Some(b'/');
        let mut text = Vec::new();
        let mut device = None;
        let mut quoted = false;
        loop {
            // What is nothing special goes at once.
            let special = |byte: u8| matches!(byte, b'\\' | b'"' | b'<' | b'>');
            text.extend_from_slice(self.take_while(|byte| !special(byte)));
            let Some(byte) = self.peek() else { break };
            match byte {
                b'\\' => {
                    let escaped = self.escape()?;
                    text.push(escaped);
                    continue;
                }
                b'"' if !is_path => quoted = !quoted,
                b'<' if !quoted => {
                    self.bump(1);
                    device = Some(self.nested_angle()?);
                    continue;
                }
                b'>' if !quoted && (is_path || text.last() != Some(&b'-')) => {
                    self.bump(1);
                    return Ok((text, device));
                }
                _ => {}
            }
            text.push(byte);
            self.at += 1;
        }
        start.expected("the closing > of what a descriptor is")
    }

    fn nested_angle(&mut self) -> Parsed<Vec<u8>> {
        let start = *self;
        let mut inside = Vec::new();
        loop {
            match self.peek() {
                Some(b'\\') => inside.push(self.escape()?),
                Some(b'>') => {
                    self.bump(1);
                    return Ok(inside);
                }
                Some(byte) if byte != b'<' => {
                    inside.push(byte);
                    self.bump(1);
                }
                _ => return start.expected("a device and >"),
            }
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
