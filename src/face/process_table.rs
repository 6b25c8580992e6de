//! Processes: states, signals and their sets, wait flags (SEMANTICS.md section 2).
//!
//! The table itself is the core's; numbers are those of `tickernel_systems::abi`.

use super::error::coded_error;
use super::user::ProcessIdentity;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;
use tickernel_systems::abi::{Errno, SigSet, Signal};

/// The umask that a process starts with.
pub const DEFAULT_PROCESS_UMASK: u32 = 0o022;

macro_rules! signal_numbers {
    ($($name:ident),* $(,)?) => {$(
        #[doc = concat!("The number of ", stringify!($name), ", signal(7).")]
        pub const $name: i32 = Signal::$name.number() as i32;
    )*};
}

signal_numbers!(SIGHUP, SIGKILL, SIGPIPE, SIGTERM, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGWINCH);

/// What a call on processes answers.
pub type ProcessResult<T> = Result<T, ProcessTableError>;

/// Called with the exit code when a process ends.
pub type ProcessExitCallback = Arc<dyn Fn(i32) + Send + Sync + 'static>;

coded_error! {
    /// Why a call on a process was refused.
    ProcessTableError, pub(crate)
}

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessStatus {
    /// It runs.
    Running,
    /// A signal stopped it.
    Stopped,
    /// It ended and has not been reaped.
    Exited,
}

/// What a wait can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessWaitEvent {
    /// The process ended.
    Exited,
    /// A signal stopped it.
    Stopped,
    /// SIGCONT let it go on.
    Continued,
}

/// A process as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its pid.
    pub pid: u32,
    /// Its parent's pid, 0 without one.
    pub ppid: u32,
    /// Its process group.
    pub pgid: u32,
    /// Its session.
    pub sid: u32,
    /// The driver that runs it.
    pub driver: String,
    /// Its command.
    pub command: String,
    /// What it is doing.
    pub status: ProcessStatus,
    /// Its exit code, once it has ended.
    pub exit_code: Option<i32>,
    /// Who it runs as.
    pub identity: ProcessIdentity,
}

/// What a wait reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessWaitResult {
    /// The process.
    pub pid: u32,
    /// The exit code, or the signal that stopped or continued it.
    pub status: i32,
    /// What happened.
    pub event: ProcessWaitEvent,
}

/// The options of waitpid(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitPidFlags {
    bits: u32,
}

impl WaitPidFlags {
    /// Return at once when there is nothing to report.
    pub const WNOHANG: Self = Self { bits: 1 << 0 };
    /// Report children that a signal stopped.
    pub const WUNTRACED: Self = Self { bits: 1 << 1 };
    /// Report children that SIGCONT let go on.
    pub const WCONTINUED: Self = Self { bits: 1 << 2 };

    /// No option.
    pub const fn empty() -> Self {
        Self { bits: 0 }
    }

    /// Whether all options of `other` are in it.
    pub const fn contains(self, other: Self) -> bool {
        self.bits & other.bits == other.bits
    }
}

impl Default for WaitPidFlags {
    fn default() -> Self {
        Self::empty()
    }
}

impl BitOr for WaitPidFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits }
    }
}

impl BitOrAssign for WaitPidFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.bits |= other.bits;
    }
}

/// How sigprocmask(2) changes the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigmaskHow {
    /// Adds the set.
    Block,
    /// Takes the set out.
    Unblock,
    /// Replaces the mask.
    SetMask,
}

/// A set of signals, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignalSet {
    bits: u64,
}

impl SignalSet {
    /// No signal.
    pub const fn empty() -> Self {
        Self { bits: 0 }
    }

    /// Signal n is bit n - 1, as in sigset_t.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self { bits }
    }

    /// The reverse of [`SignalSet::from_bits`].
    pub(crate) const fn bits(self) -> u64 {
        self.bits
    }

    /// Whether no signal is in it.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The set of one signal. `EINVAL` outside 1 to 64.
    pub fn from_signal(signal: i32) -> ProcessResult<Self> {
        Ok(Self { bits: SigSet::of(valid(signal)?).0 })
    }

    /// The set of these signals. `EINVAL` when one is outside 1 to 64.
    pub fn from_signals(signals: impl IntoIterator<Item = i32>) -> ProcessResult<Self> {
        signals
            .into_iter()
            .try_fold(Self::empty(), |set, signal| Ok(set.union(Self::from_signal(signal)?)))
    }

    /// Whether the signal is in it; false outside 1 to 64.
    pub fn contains(self, signal: i32) -> bool {
        Signal::new(signal).is_some_and(|signal| SigSet(self.bits).contains(signal))
    }

    /// Puts a signal in. `EINVAL` outside 1 to 64.
    pub fn insert(&mut self, signal: i32) -> ProcessResult<()> {
        *self = self.union(Self::from_signal(signal)?);
        Ok(())
    }

    /// Takes a signal out. `EINVAL` outside 1 to 64.
    pub fn remove(&mut self, signal: i32) -> ProcessResult<()> {
        *self = self.difference(Self::from_signal(signal)?);
        Ok(())
    }

    /// The signals of both.
    pub fn union(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits }
    }

    /// The signals that are not in `other`.
    pub fn difference(self, other: Self) -> Self {
        Self { bits: self.bits & !other.bits }
    }

    /// Its signals, ascending.
    pub fn signals(self) -> Vec<i32> {
        (1..=64).filter(|signal| self.contains(*signal)).collect()
    }
}

impl From<SigSet> for SignalSet {
    fn from(set: SigSet) -> Self {
        Self { bits: set.0 }
    }
}

impl From<SignalSet> for SigSet {
    fn from(set: SignalSet) -> Self {
        SigSet(set.bits)
    }
}

fn valid(signal: i32) -> ProcessResult<Signal> {
    Signal::new(signal).ok_or_else(|| {
        ProcessTableError::new(Errno::EINVAL.name(), format!("invalid signal {signal}"))
    })
}
