//! What a recording tells, joined: calls with both halves, and the events in file order.

use std::collections::BTreeMap;

use super::error::Error;
use super::kept::{CallList, EventList};
use super::line::{Cut, Notice};
use super::result::CallResult;
use super::value::{Name, Value};

/// A call with both halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The task that entered it. `None` where the recording has no pid column.
    pub tid: Option<u32>,
    /// The task that its exit was printed for, where it is another: a thread's execve takes over
    /// the leader's pid.
    pub exit_tid: Option<u32>,
    /// The call's name.
    pub name: Name,
    /// All arguments; of a call without exit those printed at entry.
    pub args: Vec<Value>,
    /// How many arguments (the last perhaps in part) were printed at entry; all of them for a call
    /// that stands in one line, none for one without entry.
    pub args_at_entry: usize,
    /// The result; `None` when the call has no exit.
    pub result: Option<CallResult>,
    /// The line of the entry; `None` when strace attached in the middle of the call.
    pub entry_line: Option<u64>,
    /// The line of the exit: the entry's for a call in one line.
    pub exit_line: Option<u64>,
    /// Nanoseconds since the first line.
    pub entry_time_ns: Option<u64>,
    /// The stamp of the `resumed` line, or entry and duration; `None` when neither is known.
    pub exit_time_ns: Option<u64>,
    /// Time in the call (-T).
    pub duration_ns: Option<u64>,
    /// Why the entry's line ended early; `None` for a call in one line.
    pub cut: Option<Cut>,
}

impl Call {
    /// The argument at `index`, from 0.
    pub fn arg(&self, index: usize) -> Option<&Value> {
        self.args.get(index)
    }

    /// The argument `name=...` (clone).
    pub fn named_arg(&self, name: &str) -> Option<&Value> {
        self.args.iter().find_map(|arg| match arg {
            Value::Named(word, value) if &**word == name => Some(&**value),
            _ => None,
        })
    }
}

/// One thing that happened, in file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The line.
    pub line: u64,
    /// The task; `None` without a pid column and for most notices.
    pub tid: Option<u32>,
    /// Nanoseconds since the first line, never less than the event before.
    pub time_ns: Option<u64>,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events. `call` is an index for [`Calls`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A task entered a call. Until the exit the call has the arguments printed so far.
    Entry {
        /// The call.
        call: u64,
    },
    /// A task left a call.
    Exit {
        /// The call.
        call: u64,
    },
    /// A signal is delivered.
    Signal {
        /// Its name.
        name: Name,
        /// Its siginfo.
        info: Value,
    },
    /// The task is in a group stop.
    Stopped {
        /// By this signal.
        signal: Name,
    },
    /// The task ended; its open call, if any, has no exit.
    Exited {
        /// The status.
        status: u32,
    },
    /// A signal ended the task; its open call, if any, has no exit.
    Killed {
        /// The signal.
        signal: Name,
        /// Whether it dumped core.
        core: bool,
    },
    /// A thread's execve takes over this pid.
    Superseded {
        /// The thread.
        by: u32,
    },
    /// strace let the task go.
    Detached,
    /// What strace says about itself.
    Notice(Notice),
}

/// The calls of a recording while it is read, by number. Those taken out free their memory.
#[derive(Debug, Default)]
pub struct Calls {
    count: u64,
    calls: BTreeMap<u64, Call>,
}

impl Calls {
    /// The call of that number, unless it was taken.
    pub fn get(&self, index: u64) -> Option<&Call> {
        self.calls.get(&index)
    }

    /// Takes the call out; for one whose exit is still to come, that is too early: the exit will
    /// not be joined to it.
    pub fn take(&mut self, index: u64) -> Option<Call> {
        self.calls.remove(&index)
    }

    /// How many calls there have been, taken ones too.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Those that are left, by number.
    pub(crate) fn left(&self) -> impl Iterator<Item = (u64, &Call)> {
        self.calls.iter().map(|(index, call)| (*index, call))
    }

    pub(crate) fn get_mut(&mut self, index: u64) -> Option<&mut Call> {
        self.calls.get_mut(&index)
    }

    pub(crate) fn push(&mut self, call: Call) -> u64 {
        let index = self.count;
        self.calls.insert(index, call);
        self.count += 1;
        index
    }
}

/// A whole recording.
#[derive(Debug)]
pub struct Recording {
    /// Everything that happened, in order.
    pub events: EventList,
    /// The calls that the events name.
    pub calls: CallList,
    /// What ended the reading early; the events before it are good.
    pub error: Option<Error>,
}
