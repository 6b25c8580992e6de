//! What can be wrong with strace text: the error that ends a reading, with its place.
//!
//! A reading gives every event before the damage, then one [`Error`]. Nothing here prints; the
//! command that imports shows the error as it is.

use std::fmt;
use std::io;

/// How many characters of the text around the damage an error carries.
const NEAR_CHARS: usize = 80;

/// Why a line or a file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The input holds no line at all.
    #[error("the input is empty: there is no recording in it")]
    Empty,
    /// The last line has no newline: the recording was cut while it was written or copied.
    #[error("the last line is torn (no newline at its end); what stands before it was read")]
    Torn,
    /// A line is longer than the limit.
    #[error("the line is longer than {limit_bytes} bytes")]
    LineTooLong {
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// What was read before this line is as much as is read of one recording.
    #[error(
        "the recording goes on, but no more than {limit_bytes} bytes are taken; record a shorter \
         part of the session"
    )]
    RecordingTooLarge {
        /// The limit that was passed.
        limit_bytes: u64,
    },
    /// What is kept of the recording finds no room on the disk.
    #[error("what is kept while it is read finds no room ({0}); set TMPDIR to a folder with room")]
    NoRoom(io::Error),
    /// Calls that have not returned stand there with more text than the limit.
    #[error(
        "the calls that have not returned hold more than {limit_bytes} bytes; record with less -s"
    )]
    OpenTooLarge {
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// Brackets are nested deeper than the limit.
    #[error("brackets are nested deeper than {limit} levels")]
    TooDeep {
        /// The limit that was passed.
        limit: usize,
    },
    /// One line holds more values than the limit.
    #[error("the line holds more than {limit} values")]
    TooManyValues {
        /// The limit that was passed.
        limit: usize,
    },
    /// The text does not go on as strace writes it.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The line is none of the kinds that strace writes.
    #[error("not a line that strace writes")]
    UnknownLine,
    /// A task enters a call while its last call is still open.
    #[error("{} enters `{name}` while its call of line {open_line} is still open", task(*tid))]
    CallInCall {
        /// The task, where the recording has a pid column.
        tid: Option<u32>,
        /// The call entered.
        name: String,
        /// The line of the call that is still open.
        open_line: u64,
    },
    /// Another recording begins: its processes know nothing of those above.
    #[error(
        "another recording begins here (strace -A, or files put together); what stands above was \
         read: cut the file before this line and replay each part by itself"
    )]
    AnotherRecording,
    /// `<... X resumed>` names another call than the one that the task has open.
    #[error("`{resumed}` resumes, but the open call of line {open_line} is `{open}`")]
    OtherCall {
        /// The name in the `resumed` line.
        resumed: String,
        /// The name of the open call.
        open: String,
        /// The line of the open call.
        open_line: u64,
    },
    /// A folder of `-ff` files whose lines carry no absolute time: their order is unknown.
    #[error(
        "files of -ff need absolute times to be put in order; record again with -ttt, \
         or with -f and one file (-o), as traces/record.py does"
    )]
    NoStamps,
    /// Files of several tasks without fractions of seconds.
    #[error(
        "times in whole seconds (-t) do not tell in which order the tasks of a folder acted; \
         record with -ttt, or with -f and one file (-o), as traces/record.py does"
    )]
    CoarseStamps,
    /// A folder without one set of `NAME.PID` files.
    #[error("the folder must hold one set of NAME.PID files as strace -ff -o NAME writes them")]
    NotNumberedFiles,
    /// A packed file ends early or is damaged.
    #[error("unpacking ends here ({0}); what stands before it was read; copy the file again")]
    Unpacking(io::Error),
    /// The operating system failed to read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A refused place in strace text.
#[derive(Debug)]
pub struct Error {
    /// File name, where the input is one of several files (`-ff`).
    pub file: Option<String>,
    /// Line number, from 1. 0 when the error belongs to no line.
    pub line: u64,
    /// Byte column in that line, from 1. 0 when the error belongs to the whole line.
    pub column: u64,
    /// The text around the place, at most 80 characters.
    pub near: String,
    /// What is wrong.
    pub reason: Reason,
}

impl Error {
    /// An error that belongs to no line.
    pub(crate) fn whole(reason: Reason) -> Self {
        Self { file: None, line: 0, column: 0, near: String::new(), reason }
    }

    /// What was kept up to a line finds no room.
    pub(crate) fn no_room(line: u64, why: io::Error) -> Self {
        Self { line, ..Self::whole(Reason::NoRoom(why)) }
    }

    /// An error at byte offset `at` of `text`, which is line `line`.
    pub(crate) fn at(line: u64, text: &[u8], at: usize, reason: Reason) -> Self {
        let at = at.min(text.len());
        Self { file: None, line, column: at as u64 + 1, near: near(text, at), reason }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        match (self.line, self.column) {
            (0, _) => {}
            (line, 0) => write!(f, "line {line}: ")?,
            (line, column) => write!(f, "line {line}, column {column}: ")?,
        }
        write!(f, "{}", self.reason)?;
        if !self.near.is_empty() {
            write!(f, ", near `{}`", self.near)?;
        }
        Ok(())
    }
}

fn task(tid: Option<u32>) -> String {
    tid.map_or_else(|| "the only task".to_owned(), |tid| format!("task {tid}"))
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Io(error) | Reason::Unpacking(error) => Some(error),
            _ => None,
        }
    }
}

/// The text around `at`, with control characters and foreign bytes made visible.
fn near(text: &[u8], at: usize) -> String {
    let start = at.saturating_sub(NEAR_CHARS / 4);
    let end = text.len().min(start + NEAR_CHARS);
    let bytes = text.get(start..end).unwrap_or_default();
    let shown = String::from_utf8_lossy(bytes);
    shown.chars().map(|c| if c.is_control() { '\u{b7}' } else { c }).take(NEAR_CHARS).collect()
}
