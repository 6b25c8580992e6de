//! Tasks of a recording while it is walked: the call that each is in, and the handlers that run.

use std::sync::Arc;

use super::decode::Decoded;
use crate::strace;

/// A call that was entered and is not over.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its number in the recording; of a restarted call the last entry's.
    pub call: u64,
    /// What the recording says of it.
    pub printed: Arc<strace::Call>,
    /// The line of its first entry.
    pub entry_line: u64,
    /// The line of its exit, if it has one.
    pub exit_line: Option<u64>,
    /// What it is.
    pub decoded: Decoded,
    /// The item that brought it to the kernel, once one has.
    pub item: Option<u64>,
    /// It was interrupted: the same call comes again, or a handler ends it.
    pub restarting: bool,
    /// Its result is a time-out.
    pub times_out: bool,
    /// The path that strace printed for the descriptor that came of it.
    pub real: Option<Vec<u8>>,
}

/// A task.
#[derive(Debug, Default)]
pub struct Task {
    /// The call it is in.
    pub pending: Option<Pending>,
    /// Calls that running handlers interrupted, innermost last.
    pub frames: Vec<Option<Pending>>,
    /// A signal that was delivered and ends it: it takes effect at its end.
    pub fatal: Option<(tickernel_systems::abi::Signal, tickernel_systems::abi::SigInfo)>,
    /// Its last call was one that is only counted: if restart_syscall(2) resumes itself, it resumes
    /// that.
    pub passed_over: bool,
    /// It is being run for another task's sake.
    pub busy: bool,
}
