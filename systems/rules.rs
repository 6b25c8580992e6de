//! Rules of the face's policy as data: allow or deny, an operation, a pattern. An addition to the
//! contract (SEMANTICS.md, section 9): they are decided here and nobody is asked, so a trace holds
//! the rules, once, and no answers. `calls/face_policy.rs` looks at them before it asks.
//!
//! A rule as text is `EFFECT OPERATION PATTERN`, as in `allow fs:read /workspace/**`. Rules about
//! the network and the environment are the shell's: the core asks about neither.

use crate::wire::Bytes;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// The words for operations on files, by number, as the contract's `FsOperation` lists them.
pub const FILE_OPERATIONS: [&str; 17] = [
    "read",
    "write",
    "mkdir",
    "createDir",
    "readdir",
    "stat",
    "rm",
    "rename",
    "exists",
    "symlink",
    "readlink",
    "link",
    "chmod",
    "chown",
    "utimes",
    "truncate",
    "mount",
];

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Anything.
    Any,
    /// Any operation on a file.
    AnyFile,
    /// The operation on a file with this number.
    File(u32),
    /// The making of a process.
    Command,
}

crate::wire_enum!(About { 0 Any, 1 AnyFile, 2 File(operation), 3 Command });

/// Allows or denies what it is about on whatever matches a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// It allows, or else denies.
    pub(crate) allows: bool,
    about: About,
    pattern: Bytes,
}

crate::wire_struct!(Rule { allows, about, pattern });

/// A refusal by a rule: what a message says of it. Not state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rule: Bytes,
    /// The number of the operation on a file; `None`: the making of a process.
    pub operation: Option<u32>,
    /// The path, or the command.
    pub subject: Bytes,
}

impl Rule {
    /// The rule that a text is; `None` if it is none that the core decides.
    pub(crate) fn parse(text: &[u8]) -> Option<Rule> {
        let mut words = text.splitn(3, |byte| *byte == b' ');
        let allows = match words.next()? {
            b"allow" => true,
            b"deny" => false,
            _ => return None,
        };
        let operation = words.next()?;
        let about = match operation {
            b"*" => About::Any,
            b"fs:*" => About::AnyFile,
            b"command" => About::Command,
            other => {
                let word = other.strip_prefix(b"fs:")?;
                let number = FILE_OPERATIONS.iter().position(|known| known.as_bytes() == word)?;
                About::File(number as u32)
            }
        };
        Some(Rule { allows, about, pattern: Bytes(words.next()?.to_vec()) })
    }

    fn matches(&self, about: About, subject: &[u8]) -> bool {
        let covers = match self.about {
            About::Any => true,
            About::AnyFile => matches!(about, About::File(_)),
            About::File(_) | About::Command => self.about == about,
        };
        covers && glob_matches(&self.pattern.0, subject)
    }

    pub(crate) fn refusal(&self, about: About, subject: &[u8]) -> Refusal {
        let operation = match about {
            About::File(number) => Some(number),
            About::Any | About::AnyFile | About::Command => None,
        };
        let rule = Bytes(alloc::format!("{self}").into_bytes());
        Refusal { rule, operation, subject: Bytes(subject.to_vec()) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.allows { "allow " } else { "deny " })?;
        match self.about {
            About::Any => f.write_str("*")?,
            About::AnyFile => f.write_str("fs:*")?,
            About::File(number) => {
                let word = FILE_OPERATIONS.get(number as usize).unwrap_or(&"?");
                write!(f, "fs:{word}")?;
            }
            About::Command => f.write_str("command")?,
        }
        write!(f, " {}", alloc::string::String::from_utf8_lossy(&self.pattern.0))
    }
}

/// The rule of a list that decides: the first that matches.
pub(crate) fn decide<'r>(rules: &'r [Rule], about: About, subject: &[u8]) -> Option<&'r Rule> {
    rules.iter().find(|rule| rule.matches(about, subject))
}

/// A piece of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This byte.
    Byte(u8),
    /// `?`: any byte but `/`.
    One,
    /// `*`: any run without `/`.
    Name,
    /// `**` or more stars: any run.
    Path,
}

fn pieces(pattern: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        pieces.push(match first {
            b'?' => Piece::One,
            b'*' => {
                let more = rest.iter().take_while(|byte| **byte == b'*').count();
                rest = rest.get(more..).unwrap_or_default();
                if more == 0 { Piece::Name } else { Piece::Path }
            }
            other => Piece::Byte(other),
        });
    }
    pieces
}

/// Whether the whole value matches: `?` is one byte but `/`, `*` any run without `/`, `**` (or more
/// stars) any run, all else itself.
///
/// The time is at most the product of both lengths, whatever the pattern.
pub fn glob_matches(pattern: &[u8], value: &[u8]) -> bool {
    let pieces = pieces(pattern);
    // reached[i]: the pieces before i have matched what was read of the value.
    let mut reached = vec![false; pieces.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    skip_empty_runs(&pieces, &mut reached);
    for byte in value.iter().copied() {
        let mut next = vec![false; reached.len()];
        for (index, piece) in pieces.iter().enumerate().filter(|(index, _)| reached[*index]) {
            match piece {
                Piece::Byte(wanted) => next[index + 1] |= *wanted == byte,
                Piece::One => next[index + 1] |= byte != b'/',
                Piece::Name => next[index] |= byte != b'/',
                Piece::Path => next[index] = true,
            }
        }
        skip_empty_runs(&pieces, &mut next);
        if !next.contains(&true) {
            return false;
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

/// A run may be empty: what is reached before it is reached after it too.
fn skip_empty_runs(pieces: &[Piece], reached: &mut [bool]) {
    for (index, piece) in pieces.iter().enumerate() {
        if matches!(piece, Piece::Name | Piece::Path) && reached[index] {
            reached[index + 1] = true;
        }
    }
}
