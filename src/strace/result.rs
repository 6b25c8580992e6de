//! What stands after ` = `: value, errno, restart, and the texts in parentheses.

use super::cursor::Parsed;
use super::parse::{Parser, is_word};
use super::value::{Name, Value};

/// The result of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallResult {
    /// The number returned, with its `<...>` where it is a descriptor. `None` for `?`: the call
    /// did not return, or will be restarted.
    pub value: Option<Value>,
    /// `ENOENT`, or after `?` the kernel's own code (`ERESTARTSYS`).
    pub errno: Option<Name>,
    /// The text in parentheses after an errno; says nothing that the errno does not.
    pub errno_text: Option<Name>,
    /// What stands in parentheses after a value: `(Timeout)` is a [`Value::Name`],
    /// `(flags O_RDWR)` and `in [5]` are [`Value::Named`], poll's list is a [`Value::Array`].
    pub notes: Vec<Value>,
}

/// How an interrupted call is to be entered again (the kernel's errno.h, 512 to 516).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Again if SA_RESTART is set.
    Sys,
    /// Always again.
    NoIntr,
    /// Again if no handler ran.
    NoHand,
    /// By restart_syscall.
    RestartBlock,
}

impl Restart {
    /// The restart of that errno name.
    pub fn of(errno: &str) -> Option<Self> {
        match errno {
            "ERESTARTSYS" => Some(Self::Sys),
            "ERESTARTNOINTR" => Some(Self::NoIntr),
            "ERESTARTNOHAND" => Some(Self::NoHand),
            "ERESTART_RESTARTBLOCK" => Some(Self::RestartBlock),
            _ => None,
        }
    }
}

impl CallResult {
    /// The number returned.
    pub fn number(&self) -> Option<i128> {
        self.value.as_ref().and_then(Value::number)
    }

    /// The restart that the kernel asked for, where the call ended in one.
    pub fn restart(&self) -> Option<Restart> {
        self.errno.as_deref().and_then(Restart::of)
    }

    /// The note `name`: `in`, `out`, `except`, `left` of select, `flags` of fcntl, `left` of poll.
    pub fn note(&self, name: &str) -> Option<&Value> {
        self.notes.iter().find_map(|note| match note {
            Value::Named(word, value) if &**word == name => Some(&**value),
            _ => None,
        })
    }

    /// Whether the word stands alone in the notes: `Timeout`, `INJECTED`.
    pub fn says(&self, word: &str) -> bool {
        self.notes.iter().any(|note| matches!(note, Value::Name(name) if &**name == word))
    }

    pub(crate) fn read(parser: &mut Parser<'_, '_>) -> Parsed<Self> {
        let mut result = Self::default();
        if !parser.cursor.eat(b"?") {
            result.value = Some(parser.value()?);
        }
        parser.cursor.blanks();
        if parser.cursor.peek() == Some(b'E') {
            let word = parser.cursor.take_while(is_word);
            result.errno = Some(parser.share(word)?);
            parser.cursor.blanks();
            if parser.cursor.peek() == Some(b'(') {
                result.errno_text = Some(text(parser)?);
                parser.cursor.blanks();
            }
        }
        while parser.cursor.peek() == Some(b'(') {
            let start = parser.cursor;
            let count = result.notes.len();
            parser.cursor.bump(1);
            if notes(parser, &mut result.notes).is_err() {
                // Not a value but a text: `(2026-11-25T00:43:18+0000)` after time's result.
                parser.cursor = start;
                result.notes.truncate(count);
                result.notes.push(Value::Name(text(parser)?));
            }
            parser.cursor.blanks();
        }
        Ok(result)
    }
}

/// A text in parentheses, which may be nested.
fn text(parser: &mut Parser<'_, '_>) -> Parsed<Name> {
    let start = parser.cursor;
    let mut depth = 0_usize;
    while let Some(byte) = parser.cursor.peek() {
        parser.cursor.bump(1);
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => {
                let inside = start.text.get(start.at + 1..parser.cursor.at - 1);
                return parser.share(inside.unwrap_or_default());
            }
            b')' => depth -= 1,
            _ => {}
        }
    }
    start.expected("`)` after the text of an errno")
}

/// Notes up to and with `)`: each a value, or a word and its value.
fn notes(parser: &mut Parser<'_, '_>, notes: &mut Vec<Value>) -> Parsed<()> {
    loop {
        parser.cursor.blanks();
        let first = parser.value()?;
        let blanks = parser.cursor.blanks();
        let note = match (parser.cursor.peek(), first) {
            (Some(b',' | b')'), first) => first,
            (Some(_), Value::Name(word)) if blanks => Value::Named(word, Box::new(parser.value()?)),
            _ => return parser.cursor.expected("`,` or `)` after what the result says"),
        };
        notes.push(note);
        parser.cursor.blanks();
        if parser.cursor.eat(b")") {
            return Ok(());
        }
        parser.cursor.expect(b",", "`,` or `)` after what the result says")?;
    }
}
