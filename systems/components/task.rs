//! A task (thread), its handler frames and pending signals; the table of dispositions.

use crate::abi::{AltStack, Credentials, SigAction, SigInfo, SigSet, Signal};
use crate::components::{TextDefault, Wait};
use crate::event::{CallId, Completed};
use crate::rows::{ContextRow, FilesRow, HandlersRow, ProcessRow};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// A task of clone(2). Which process, descriptors, context and dispositions it has are ids that a
/// clone flag shares. What every call looks at stands first, as it lies in memory.
#[derive(Debug)]
#[repr(C)]
pub struct Task {
    /// The call in which it is blocked.
    pub wait: Option<Box<Wait>>,
    /// Its thread group.
    pub process: ProcessRow,
    /// Its descriptor table (`CLONE_FILES` shares it).
    pub files: FilesRow,
    /// Handlers that run, innermost last.
    pub frames: Vec<Frame>,
    /// Thread id; that of the leader is the process id.
    pub tid: u32,
    /// It has ended but stays as the leader of a process that lives on.
    pub exited: bool,
    /// setuid(2) or the like made it one of a user with too many tasks (`PF_NPROC_EXCEEDED`):
    /// execve(2) looks again.
    pub over_nproc: bool,
    /// Its cwd, root, umask (`CLONE_FS`).
    pub context: ContextRow,
    /// Its dispositions (`CLONE_SIGHAND`).
    pub handlers: HandlersRow,
    /// Blocked signals.
    pub mask: SigSet,
    /// The mask to restore when a call that changed it for its duration returns.
    pub saved_mask: Option<SigSet>,
    /// Signals pending for this task alone.
    pub pending: Pending,
    /// Who it is.
    pub credentials: Credentials,
    /// Its alternate signal stack (sigaltstack(2)).
    pub alt_stack: AltStack,
}

/// A handler that runs, or will once those above it have returned.
#[derive(Debug)]
pub struct Frame {
    /// The mask to restore at rt_sigreturn(2).
    pub mask: SigSet,
    /// The call that it interrupted.
    pub interrupted: Option<Interrupted>,
    /// The handler's address and its siginfo, until it is announced: a stop may come between a
    /// frame and its handler (Auto).
    pub announce: Option<(u64, SigInfo)>,
}

/// What becomes of an interrupted call once its handler has returned.
#[derive(Debug)]
pub enum Interrupted {
    /// It is made again.
    Again(Box<Wait>),
    /// It is over, with this result.
    Over(CallId, Completed),
    /// It is made again, under the mask that it set for its duration (sigsuspend(2)).
    AgainUnder(Box<Wait>, SigSet),
}

/// A queued signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its siginfo.
    pub info: SigInfo,
    /// Its number.
    pub signal: Signal,
}

/// Room for so many pending signals is kept when they are gone.
const KEPT_SIGNALS: usize = 64;

/// Pending signals: standard ones once, real-time ones queued (signal(7)).
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Which are pending.
    pub set: SigSet,
    /// In the order of arrival.
    pub queue: VecDeque<Queued>,
}

impl Pending {
    /// Adds a signal; a standard one that is pending already is dropped.
    pub fn add(&mut self, signal: Signal, info: SigInfo) -> bool {
        if self.set.contains(signal) && signal.number() < crate::abi::signal::SIGRTMIN {
            return false;
        }
        self.set.insert(signal);
        self.queue.push_back(Queued { info, signal });
        true
    }

    /// Takes the first queued instance of a signal.
    pub fn take(&mut self, signal: Signal) -> Option<SigInfo> {
        let at = self.queue.iter().position(|queued| queued.signal == signal)?;
        let taken = self.queue.remove(at)?;
        if !self.queue.iter().any(|queued| queued.signal == signal) {
            self.set.remove(signal);
        }
        if self.queue.is_empty() && self.queue.capacity() > KEPT_SIGNALS {
            self.queue = VecDeque::new();
        }
        Some(taken.info)
    }

    /// Drops everything, and the memory that it took.
    #[inline]
    pub fn clear(&mut self) {
        self.set = SigSet::default();
        if self.queue.capacity() > 0 {
            self.queue = VecDeque::new();
        }
    }

    /// Drops all instances of the signals in the set; gives how many there were.
    pub fn discard(&mut self, signals: SigSet) -> u64 {
        if self.set.intersection(signals).is_empty() {
            return 0;
        }
        self.set = self.set.without(signals);
        let before = self.queue.len();
        self.queue.retain(|queued| !signals.contains(queued.signal));
        let gone = before - self.queue.len();
        if self.queue.capacity() > self.queue.len() + KEPT_SIGNALS {
            self.queue.shrink_to_fit();
        }
        gone as u64
    }
}

/// Dispositions of sigaction(2): two masks and those that are caught.
#[derive(Debug, Default)]
pub struct Handlers {
    /// How many tasks share it.
    pub refs: u32,
    /// Signals set to `SIG_IGN`.
    pub ignored: SigSet,
    /// Caught signals, and defaults that carry flags or a mask, in ascending order.
    pub actions: SmallVec<[(Signal, SigAction); 4]>,
}

impl Handlers {
    /// The action of a signal.
    pub fn action(&self, signal: Signal) -> SigAction {
        match self.actions.binary_search_by_key(&signal, |entry| entry.0) {
            Ok(at) => self.actions[at].1,
            Err(_) => SigAction {
                handler: u64::from(self.ignored.contains(signal)),
                ..SigAction::default()
            },
        }
    }

    /// Sets the action of a signal.
    pub fn set(&mut self, signal: Signal, action: SigAction) {
        self.ignored.remove(signal);
        if action.handler == crate::abi::signal::SIG_IGN {
            self.ignored.insert(signal);
        }
        let plain = action.handler <= 1 && action.flags == 0 && action.mask.is_empty();
        match self.actions.binary_search_by_key(&signal, |entry| entry.0) {
            Ok(at) if plain => drop(self.actions.remove(at)),
            Ok(at) => self.actions[at].1 = action,
            Err(_) if plain => {}
            Err(at) => self.actions.insert(at, (signal, action)),
        }
    }

    /// What execve(2) keeps: ignored signals stay ignored, all else is default.
    pub fn reset_for_exec(&mut self) {
        self.actions.clear();
    }
}

impl TextDefault for Handlers {
    type Cold = ();
}
