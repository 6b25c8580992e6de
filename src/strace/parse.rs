//! The grammar of values: text of an argument list to [`Value`]s.
//!
//! Operators from loose to tight: `=>`, ` or `, `&&`, `==`, `|`, `<<`, `*`; comments and `<...>`
//! belong to the operand before them. An entry half (`<unfinished ...>`) may end anywhere between
//! two tokens, also inside brackets; `partial` allows that.

use super::cursor::{Cursor, Parsed};
use super::error::Reason;
use super::names::Names;
use super::value::{Array, Fd, Int, Member, Name, Operator, Radix, Struct, Text, Value};

/// Brackets inside brackets.
pub(crate) const MAX_DEPTH: usize = 64;
/// Values in one line: a member is some 60 bytes, so this bounds a line to some 200 MB.
pub(crate) const MAX_VALUES: usize = 1 << 21;
/// Comments and `<...>` after one operand.
const MAX_ANNOTATIONS: usize = 4;

const UNFINISHED: &[u8] = b"<unfinished ...>";

/// Operators from loose to tight, as they are written.
const LEVELS: [(Operator, &[u8]); 6] = [
    (Operator::Either, b"or "),
    (Operator::And, b"&&"),
    (Operator::Equals, b"=="),
    (Operator::Or, b"|"),
    (Operator::Shift, b"<<"),
    (Operator::Times, b"*"),
];

/// A parse of one line.
pub(crate) struct Parser<'a, 'n> {
    pub(crate) cursor: Cursor<'a>,
    names: &'n mut Names,
    /// The text may end inside brackets: an entry half.
    partial: bool,
    depth: usize,
    values: usize,
}

impl<'a, 'n> Parser<'a, 'n> {
    pub(crate) fn new(text: &'a [u8], names: &'n mut Names, partial: bool) -> Self {
        Self { cursor: Cursor::new(text), names, partial, depth: 0, values: 0 }
    }

    /// Shares a name; text that is not UTF-8 is none that strace writes.
    pub(crate) fn share(&mut self, text: &[u8]) -> Parsed<Name> {
        match std::str::from_utf8(text) {
            Ok(text) => Ok(self.names.share(text)),
            Err(_) => self.cursor.expected("a name in ASCII"),
        }
    }

    /// Whether an entry half ends here.
    fn cut_here(&self) -> bool {
        self.partial && self.cursor.at_end()
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.cursor.refuse(Reason::TooDeep { limit: MAX_DEPTH });
        }
        Ok(())
    }

    /// The values up to and with the closing parenthesis; the cursor stands after the opening one.
    pub(crate) fn arguments(&mut self) -> Parsed<Vec<Value>> {
        self.enter()?;
        let mut values = Vec::new();
        loop {
            self.cursor.blanks();
            // The task died in the call: what was still to be printed never came.
            if self.cursor.eat(UNFINISHED) {
                self.cursor.blanks();
            }
            if self.cursor.eat(b")") || self.cut_here() {
                break;
            }
            // `sendto(3, ..., 40, …`: of messages of netlink(7) `-s 0` prints nothing.
            let value = match self.more()? {
                true => Value::Str(Text { cut: true, ..Text::default() }),
                false => self.argument()?,
            };
            values.push(value);
            self.cursor.blanks();
            if self.cursor.eat(b",") || self.cut_here() || self.cursor.starts(UNFINISHED) {
                continue;
            }
            self.cursor.expect(b")", "`,` or `)` after an argument")?;
            break;
        }
        self.depth -= 1;
        Ok(values)
    }

    /// One argument: a value or `name=value`.
    fn argument(&mut self) -> Parsed<Value> {
        match self.member_name()? {
            Some(name) => {
                let value = if self.cut_here() { Value::Empty } else { self.value()? };
                Ok(Value::Named(name, Box::new(value)))
            }
            None => self.value(),
        }
    }

    /// A value with its operators and, where the call changed it, its changed form.
    pub(crate) fn value(&mut self) -> Parsed<Value> {
        self.cursor.blanks();
        let before = self.operation(0)?;
        if !matches!(self.cursor.peek(), Some(b' ' | b'=')) {
            return Ok(before);
        }
        let mut ahead = self.cursor;
        ahead.blanks();
        if !ahead.eat(b"=>") {
            return Ok(before);
        }
        ahead.blanks();
        self.cursor = ahead;
        let after = if self.cut_here() { Value::Empty } else { self.operation(0)? };
        Ok(Value::InOut(Box::new((before, after))))
    }

    /// Operands joined by operators of `loosest` or a tighter level.
    fn operation(&mut self, loosest: usize) -> Parsed<Value> {
        let mut value = self.operand()?;
        while let Some((level, operator, _)) = self.operator().filter(|next| next.0 >= loosest) {
            let mut operands = vec![value];
            while let Some((_, _, length)) = self.operator().filter(|next| next.0 == level) {
                self.cursor.blanks();
                self.cursor.bump(length);
                self.cursor.blanks();
                operands.push(self.operation(level + 1)?);
            }
            value = Value::Operation(operator, operands);
        }
        Ok(value)
    }

    /// The operator that comes next, perhaps after blanks: level, kind and length.
    fn operator(&self) -> Option<(usize, Operator, usize)> {
        // Most values stand before a comma or a bracket: look no further.
        if matches!(self.cursor.peek(), None | Some(b',' | b')' | b'}' | b']')) {
            return None;
        }
        let mut ahead = self.cursor;
        let blanks = ahead.blanks();
        let level = LEVELS.iter().position(|(_, text)| ahead.starts(text))?;
        let (operator, text) = LEVELS.get(level)?;
        (blanks || *operator != Operator::Either).then_some((level, *operator, text.len()))
    }

    fn operand(&mut self) -> Parsed<Value> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return self.cursor.refuse(Reason::TooManyValues { limit: MAX_VALUES });
        }
        let value = match self.cursor.peek() {
            Some(b'0'..=b'9') => self.number()?,
            Some(b'-') if matches!(self.cursor.peek_at(1), Some(b'0'..=b'9')) => self.number()?,
            Some(b'"') => self.string(false)?,
            Some(b'@') if self.cursor.peek_at(1) == Some(b'"') => {
                self.cursor.bump(1);
                self.string(true)?
            }
            Some(b'{') => self.structure()?,
            Some(b'[') => self.array(false)?,
            Some(b'~') => self.complement()?,
            Some(b'\'') => self.character()?,
            Some(b'<') => self.remark()?,
            // Nothing is printed for "no flags", in raw style also before or-ed terms.
            Some(b',' | b'}' | b')' | b']' | b'|') => Value::Empty,
            Some(b'/') if self.cursor.starts(b"/*") => self.leading_comment()?,
            Some(_) => self.word()?,
            None => return self.cursor.expected("a value"),
        };
        self.annotations(value)
    }

    fn number(&mut self) -> Parsed<Value> {
        let start = self.cursor;
        let int = self.cursor.number()?;
        match self.cursor.peek() {
            Some(b':' | b'8' | b'9' | b'a'..=b'f') if int.radix != Radix::Hex => {
                self.cursor = start;
                match self.hardware_address()? {
                    Some(value) => Ok(value),
                    None => start.expected("a number"),
                }
            }
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' => {
                self.cursor.expected("the end of a number")
            }
            _ => Ok(Value::Int(int)),
        }
    }

    /// A hardware address is printed bare: 52:54:00:12:34:56.
    fn hardware_address(&mut self) -> Parsed<Option<Value>> {
        let mut ahead = self.cursor;
        let text = ahead.take_while(|byte| byte == b':' || byte.is_ascii_hexdigit());
        let is_address =
            text.len() > 5 && text.split(|byte| *byte == b':').all(|group| group.len() == 2);
        if !is_address {
            return Ok(None);
        }
        self.cursor = ahead;
        self.share(text).map(|text| Some(Value::Name(text)))
    }

    fn string(&mut self, at: bool) -> Parsed<Value> {
        self.cursor.bump(1);
        let (bytes, hex) = self.cursor.string()?;
        let cut = self.cursor.eat(b"...");
        Ok(Value::Str(Text { bytes, cut, at, hex }))
    }

    /// `/* 5 entries */` counts what is not printed; `/* bytes 88..95 */ "\x01"` names what is.
    fn leading_comment(&mut self) -> Parsed<Value> {
        self.enter()?;
        let comment = self.cursor.comment()?;
        let comment = self.share(comment)?;
        self.cursor.blanks();
        let alone = matches!(self.cursor.peek(), None | Some(b',' | b'}' | b')' | b']'));
        let value = if alone { Value::Empty } else { self.operand()? };
        self.depth -= 1;
        Ok(Value::Noted(Box::new(value), comment))
    }

    /// `...`, perhaps with the address that could not be read: `... /* 0x561a44643000 */`.
    fn more(&mut self) -> Parsed<bool> {
        if !self.cursor.eat(b"...") {
            return Ok(false);
        }
        self.cursor.blanks();
        if self.cursor.starts(b"/*") {
            self.cursor.comment()?;
        }
        Ok(true)
    }

    /// `'S'`
    fn character(&mut self) -> Parsed<Value> {
        self.cursor.bump(1);
        let byte = match self.cursor.peek() {
            Some(b'\\') => self.cursor.escape()?,
            Some(byte) => {
                self.cursor.bump(1);
                byte
            }
            None => return self.cursor.expected("a character"),
        };
        self.cursor.expect(b"'", "the closing quote of a character")?;
        let magnitude = u64::from(byte);
        Ok(Value::Int(Int { magnitude, negative: false, radix: Radix::Char, digits: 1 }))
    }

    fn complement(&mut self) -> Parsed<Value> {
        self.cursor.bump(1);
        if self.cursor.peek() == Some(b'[') {
            return self.array(true);
        }
        self.enter()?;
        let value = self.operand()?;
        self.depth -= 1;
        if matches!(value.bare(), Value::Empty) {
            return self.cursor.expected("a value after `~`");
        }
        Ok(Value::Not(Box::new(value)))
    }

    /// `<... resuming interrupted X ...>`, `<unavailable>`
    fn remark(&mut self) -> Parsed<Value> {
        if self.cursor.eat(b"<unavailable>") {
            return Ok(Value::Unavailable);
        }
        let start = self.cursor;
        self.cursor.expect(b"<... resuming interrupted ", "a value")?;
        let name = self.cursor.take_while(is_word);
        if name.is_empty() || !self.cursor.eat(b" ...>") {
            return start.expected("the name of the interrupted call");
        }
        self.share(name).map(Value::Resuming)
    }

    /// A name, or a macro with its arguments.
    fn word(&mut self) -> Parsed<Value> {
        if self.cursor.peek_at(2) == Some(b':')
            && let Some(address) = self.hardware_address()?
        {
            return Ok(address);
        }
        let start = self.cursor;
        if matches!(self.cursor.peek(), Some(b'&' | b'-' | b'!')) {
            self.cursor.bump(1);
        }
        if self.cursor.take_while(is_word).is_empty() {
            return start.expected("a value");
        }
        // An index one below a name: `[IPV4_DEVCONF_FORWARDING-1]=0`.
        if self.cursor.peek() == Some(b'-') && matches!(self.cursor.peek_at(1), Some(b'0'..=b'9')) {
            self.cursor.bump(1);
            self.cursor.take_while(|byte| byte.is_ascii_digit());
        }
        let text = start.rest().get(..self.cursor.at - start.at).unwrap_or_default();
        if text == b"NULL" {
            return Ok(Value::Null);
        }
        if text == b"or" {
            return start.expected("a value before `or`");
        }
        let name = self.share(text)?;
        if self.cursor.eat(b"(") {
            return Ok(Value::Macro(name, self.arguments()?));
        }
        Ok(Value::Name(name))
    }

    /// Comments, `<...>` and `(deleted)` after an operand.
    fn annotations(&mut self, mut value: Value) -> Parsed<Value> {
        // `-100 /* AT_FDCWD */</cwd>` has two; each nests the value once more.
        for _ in 0..MAX_ANNOTATIONS {
            match self.cursor.peek() {
                Some(b'<') if self.describes(&value) => {
                    self.cursor.bump(1);
                    let (text, device) = self.cursor.angle()?;
                    let deleted = self.cursor.eat(b"(deleted)");
                    value = Value::Fd(Box::new(Fd { number: value, text, device, deleted }));
                }
                Some(b' ') if self.cursor.starts(b" /*") => {
                    self.cursor.bump(1);
                    value = self.noted(value)?;
                }
                Some(b'/') if self.cursor.starts(b"/*") => value = self.noted(value)?,
                _ => return Ok(value),
            }
        }
        Ok(value)
    }

    /// Whether a `<` here tells what the number is; a shift and remarks begin with `<` too.
    fn describes(&self, value: &Value) -> bool {
        let number = matches!(value, Value::Int(_) | Value::Name(_) | Value::Noted(..));
        number && !self.cursor.starts(b"<<") && !self.cursor.starts(UNFINISHED)
    }

    fn noted(&mut self, value: Value) -> Parsed<Value> {
        let comment = self.cursor.comment()?;
        Ok(Value::Noted(Box::new(value), self.share(comment)?))
    }

    fn array(&mut self, complement: bool) -> Parsed<Value> {
        self.enter()?;
        self.cursor.bump(1);
        let mut array = Array { complement, ..Array::default() };
        loop {
            self.cursor.blanks();
            if self.cursor.eat(b"]") || self.cut_here() {
                break;
            }
            if self.more()? {
                array.more = true;
                continue;
            }
            let item = self.item()?;
            array.items.push(item);
            array.spaced |= self.separator(b']')?;
        }
        self.depth -= 1;
        Ok(Value::Array(array))
    }

    /// Eats what stands between two members; says whether it was only a blank.
    fn separator(&mut self, end: u8) -> Parsed<bool> {
        let blanks = self.cursor.blanks();
        match self.cursor.peek() {
            Some(b',') => {
                self.cursor.bump(1);
                Ok(false)
            }
            Some(byte) if byte == end => Ok(false),
            Some(b'.') if self.cursor.starts(b"...") => Ok(false),
            Some(_) if blanks => Ok(true),
            None if self.partial => Ok(false),
            _ => self.cursor.expected("`,` or the closing bracket"),
        }
    }

    /// A member of a list: a value, `name=value` or `[index]=value`.
    fn item(&mut self) -> Parsed<Value> {
        let item = self.argument()?;
        let assigned = self.cursor.peek() == Some(b'=') && self.cursor.peek_at(1) != Some(b'>');
        if assigned && matches!(item, Value::Array(_)) { self.indexed(item) } else { Ok(item) }
    }

    fn indexed(&mut self, index: Value) -> Parsed<Value> {
        let index = match index {
            Value::Array(array) => match <[Value; 1]>::try_from(array.items) {
                Ok([index]) => index,
                Err(_) => return self.cursor.expected("one index before `=`"),
            },
            _ => return self.cursor.expected("an index before `=`"),
        };
        self.cursor.bump(1);
        let value = self.value()?;
        Ok(Value::Indexed(Box::new((index, value))))
    }

    fn structure(&mut self) -> Parsed<Value> {
        self.enter()?;
        self.cursor.bump(1);
        let mut structure = Struct::default();
        loop {
            self.cursor.blanks();
            if self.cursor.eat(b"}") || self.cut_here() {
                break;
            }
            if self.more()? {
                structure.more = true;
                continue;
            }
            let name = self.member_name()?;
            let value = if self.cut_here() { Value::Empty } else { self.value()? };
            structure.members.push(Member { name, value });
            structure.spaced |= self.separator(b'}')?;
        }
        self.depth -= 1;
        Ok(Value::Struct(structure))
    }

    /// `name=` or `name[index]=`, when it stands here; `==` and `=>` are operators.
    fn member_name(&mut self) -> Parsed<Option<Name>> {
        if !self.cursor.peek().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
            return Ok(None);
        }
        let start = self.cursor;
        let mut ahead = self.cursor;
        ahead.take_while(is_word);
        if ahead.eat(b"[") {
            ahead.take_while(is_word);
            if !ahead.eat(b"]") {
                return Ok(None);
            }
        }
        if ahead.peek() != Some(b'=') || matches!(ahead.peek_at(1), Some(b'=' | b'>')) {
            return Ok(None);
        }
        let text = start.rest().get(..ahead.at - start.at).unwrap_or_default();
        self.cursor = ahead;
        self.cursor.bump(1);
        self.share(text).map(Some)
    }
}

/// Bytes of a name. `?` stands in names that strace does not know (`ARCH_???`).
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'?')
}
