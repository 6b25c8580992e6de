//! Reads Rust source just far enough for the rules: what is code, what is comment, what is string;
//! where functions and test modules begin and end. A scanner by bytes, not a parser: macros are not
//! expanded.

/// A source file with its comments, strings and characters told apart.
pub(crate) struct Source {
    /// The text as it stands.
    pub(crate) text: String,
    /// The text with comments and the insides of literals blanked; same lines, same byte offsets.
    pub(crate) code: String,
    /// The text with only the insides of strings removed, to measure columns; same lines.
    pub(crate) without_strings: String,
}

/// One function: its name, first line (from 1) and number of lines, signature to closing brace.
#[derive(Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl Source {
    pub(crate) fn new(text: &str) -> Source {
        let parts = classify(text.as_bytes());
        let keep = |wanted: &dyn Fn(Part) -> bool, blank: bool| {
            let bytes = text.bytes().zip(&parts).filter_map(|(byte, part)| {
                let shown = byte == b'\n' || wanted(*part);
                shown.then_some(byte).or(blank.then_some(b' '))
            });
            String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
        };
        Source {
            text: text.to_owned(),
            code: keep(&|part| part == Part::Code, true),
            without_strings: keep(&|part| part != Part::Literal, false),
        }
    }

    /// `code` with items under `#[cfg(test)]` blanked too.
    pub(crate) fn shipped_code(&self) -> String {
        let mut bytes = self.code.clone().into_bytes();
        for (at, _) in self.code.match_indices("#[cfg(test)]") {
            let Some(open) = self.code[at..].find(['{', ';']).map(|offset| at + offset) else {
                break;
            };
            let end = closing_brace(self.code.as_bytes(), open).unwrap_or(open);
            for byte in &mut bytes[at..=end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Every function that has a body, in order.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let bytes = self.code.as_bytes();
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let is_word = at == 0 || !is_name(bytes[at - 1]);
            let name: String =
                self.code[at + 3..].trim_start().chars().take_while(|c| is_name_char(*c)).collect();
            if !is_word || name.is_empty() {
                continue;
            }
            if let Some(open) = body_brace(bytes, at)
                && let Some(close) = closing_brace(bytes, open)
            {
                let line = line_of(&self.code, at);
                let lines = line_of(&self.code, close) + 1 - line;
                found.push(Function { name, line, lines });
            }
        }
        found
    }
}

/// The line (from 1) on which the byte offset lies.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Whether the byte may stand inside a Rust name.
pub(crate) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The `{` that opens the body of the function whose `fn` is at `start`; none for a declaration.
fn body_brace(code: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn closing_brace(code: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn classify(text: &[u8]) -> Vec<Part> {
    let mut parts = vec![Part::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let (inside, part) = match text[at] {
            b'/' if text[at..].starts_with(b"//") => (at..line_end(text, at), Part::Comment),
            b'/' if text[at..].starts_with(b"/*") => (at..block_end(text, at), Part::Comment),
            b'"' => (at + 1..string_end(text, at), Part::Literal),
            b'r' if let Some(inside) = raw_string(text, at) => (inside, Part::Literal),
            b'\'' if let Some(end) = character_end(text, at) => (at + 1..end, Part::Literal),
            _ => (at..at, Part::Code),
        };
        at = (at + 1).max(inside.end + usize::from(part == Part::Literal));
        parts[inside].fill(part);
    }
    parts
}

fn line_end(text: &[u8], start: usize) -> usize {
    text[start..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| start + length)
}

/// The end of a block comment; they nest.
fn block_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

/// Where the closing quote of the string opened at `start` stands.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && text[at] != b'"' {
        at += 1 + usize::from(text[at] == b'\\');
    }
    at.min(text.len())
}

/// The inside of a raw string whose `r` is at `start` (`br` and `cr` come here too, by their `r`).
fn raw_string(text: &[u8], start: usize) -> Option<std::ops::Range<usize>> {
    if start > 0 && is_name(text[start - 1]) && !matches!(text[start - 1], b'b' | b'c') {
        return None;
    }
    let hashes = text[start + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = start + 1 + hashes;
    if text.get(open) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let length = text[open + 1..].windows(close.len()).position(|window| window == close);
    Some(open + 1..length.map_or(text.len(), |length| open + 1 + length))
}

/// Where the closing quote of a character literal stands; none if the quote begins a lifetime.
fn character_end(text: &[u8], start: usize) -> Option<usize> {
    if text.get(start + 1) == Some(&b'\\') {
        let rest = text.get(start + 3..)?;
        return rest.iter().position(|byte| *byte == b'\'').map(|length| start + 3 + length);
    }
    let first = std::str::from_utf8(text.get(start + 1..(start + 5).min(text.len()))?);
    let width = match first {
        Ok(text) => text.chars().next()?.len_utf8(),
        Err(error) if error.valid_up_to() > 0 => {
            let valid = &text[start + 1..start + 1 + error.valid_up_to()];
            std::str::from_utf8(valid).ok()?.chars().next()?.len_utf8()
        }
        Err(_) => return None,
    };
    (text.get(start + 1 + width) == Some(&b'\'')).then_some(start + 1 + width)
}
