//! Pseudo-terminals: their settings as data (termios(3), SEMANTICS.md section 5).
//!
//! The line discipline is the core's.

use super::error::coded_error;
use std::sync::Arc;
use tickernel_systems::abi::Signal;

/// Bytes that each direction holds.
pub const MAX_PTY_BUFFER_BYTES: usize = 65_536;
/// Bytes of a line in canonical mode; what comes after them is dropped.
pub const MAX_CANON: usize = 4_096;
/// What the interrupt character sends.
pub const SIGINT: i32 = Signal::SIGINT.number() as i32;
/// What the quit character sends.
pub const SIGQUIT: i32 = Signal::SIGQUIT.number() as i32;
/// What the suspend character sends.
pub const SIGTSTP: i32 = Signal::SIGTSTP.number() as i32;

/// Called with a process group and a signal.
pub type SignalHandler = Arc<dyn Fn(u32, i32) + Send + Sync>;

/// What a call on a pseudo-terminal answers.
pub type PtyResult<T> = Result<T, PtyError>;

coded_error! {
    /// Why a call on a pseudo-terminal was refused.
    PtyError, pub(crate)
}

/// The three switches of the line discipline; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineDisciplineConfig {
    /// Input by lines (`ICANON`).
    pub canonical: Option<bool>,
    /// Input is echoed (`ECHO`).
    pub echo: Option<bool>,
    /// Characters send signals (`ISIG`).
    pub isig: Option<bool>,
}

/// The modes of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termios {
    /// Carriage return becomes newline on input.
    pub icrnl: bool,
    /// Output is processed.
    pub opost: bool,
    /// Newline becomes carriage return and newline on output.
    pub onlcr: bool,
    /// Input by lines.
    pub icanon: bool,
    /// Input is echoed.
    pub echo: bool,
    /// Characters send signals.
    pub isig: bool,
    /// The control characters.
    pub cc: TermiosControlChars,
}

impl Default for Termios {
    fn default() -> Self {
        Self {
            icrnl: true,
            opost: true,
            onlcr: true,
            icanon: true,
            echo: true,
            isig: true,
            cc: TermiosControlChars::default(),
        }
    }
}

/// Modes to change; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartialTermios {
    /// Carriage return becomes newline on input.
    pub icrnl: Option<bool>,
    /// Output is processed.
    pub opost: Option<bool>,
    /// Newline becomes carriage return and newline on output.
    pub onlcr: Option<bool>,
    /// Input by lines.
    pub icanon: Option<bool>,
    /// Input is echoed.
    pub echo: Option<bool>,
    /// Characters send signals.
    pub isig: Option<bool>,
    /// The control characters.
    pub cc: Option<PartialTermiosControlChars>,
}

/// The control characters of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermiosControlChars {
    /// Sends SIGINT.
    pub vintr: u8,
    /// Sends SIGQUIT.
    pub vquit: u8,
    /// Sends SIGTSTP.
    pub vsusp: u8,
    /// Ends the input.
    pub veof: u8,
    /// Erases a byte.
    pub verase: u8,
    /// Erases the line.
    pub vkill: u8,
    /// Erases a word.
    pub vwerase: u8,
}

impl Default for TermiosControlChars {
    /// `^C`, `^\`, `^Z`, `^D`, DEL, `^U`, `^W`, as on Linux.
    fn default() -> Self {
        Self {
            vintr: 0x03,
            vquit: 0x1c,
            vsusp: 0x1a,
            veof: 0x04,
            verase: 0x7f,
            vkill: 0x15,
            vwerase: 0x17,
        }
    }
}

/// Control characters to change; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartialTermiosControlChars {
    /// Sends SIGINT.
    pub vintr: Option<u8>,
    /// Sends SIGQUIT.
    pub vquit: Option<u8>,
    /// Sends SIGTSTP.
    pub vsusp: Option<u8>,
    /// Ends the input.
    pub veof: Option<u8>,
    /// Erases a byte.
    pub verase: Option<u8>,
    /// Erases the line.
    pub vkill: Option<u8>,
    /// Erases a word.
    pub vwerase: Option<u8>,
}

impl From<LineDisciplineConfig> for PartialTermios {
    fn from(config: LineDisciplineConfig) -> Self {
        Self { icanon: config.canonical, echo: config.echo, isig: config.isig, ..Self::default() }
    }
}

/// The size of a terminal's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PtyWindowSize {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Default for PtyWindowSize {
    /// 80 columns, 24 rows.
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}
