//! A task (thread), its handler frames and pending signals; the table of dispositions.

use crate::abi::{AltStack, Credentials, SigAction, SigInfo, SigSet, Signal};
use crate::components::{TextDefault, Wait, WaitQueue};
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
    /// What it takes of the room for pending signals.
    pub hold: Hold,
}

/// What a pending signal takes of the room for them (RLIMIT_SIGPENDING of getrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A place of this user's.
    User(u32),
    /// The place that its timer keeps.
    Timer,
    /// None: it is pending, and nothing more is known of it.
    Nothing,
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
    /// Adds a signal. Those without a place of their own stand at the front, where there are no
    /// more of them than signals.
    pub fn add(&mut self, queued: Queued) {
        self.set.insert(queued.signal);
        match queued.hold {
            Hold::Nothing => self.queue.push_front(queued),
            Hold::User(_) | Hold::Timer => self.queue.push_back(queued),
        }
    }

    /// Takes the instance of a signal that has no place of its own, if there is one.
    pub fn take_lost(&mut self, signal: Signal) -> Option<Queued> {
        let mut lost = self.queue.iter().take_while(|queued| queued.hold == Hold::Nothing);
        let at = lost.position(|queued| queued.signal == signal)?;
        self.queue.remove(at)
    }

    /// Takes the first queued instance of a signal.
    pub fn take(&mut self, signal: Signal) -> Option<Queued> {
        let at = self.queue.iter().position(|queued| queued.signal == signal)?;
        let taken = self.queue.remove(at)?;
        if !self.queue.iter().any(|queued| queued.signal == signal) {
            self.set.remove(signal);
        }
        if self.queue.is_empty() && self.queue.capacity() > KEPT_SIGNALS {
            self.queue = VecDeque::new();
        }
        Some(taken)
    }

    /// Drops all instances of the signals in the set: which there were.
    pub fn discard(&mut self, signals: SigSet) -> Vec<Queued> {
        self.set = self.set.without(signals);
        let mut gone = Vec::new();
        self.queue.retain(|queued| {
            let goes = signals.contains(queued.signal);
            if goes {
                gone.push(*queued);
            }
            !goes
        });
        if self.queue.capacity() > self.queue.len() + KEPT_SIGNALS {
            self.queue.shrink_to_fit();
        }
        gone
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
    /// Who reads or polls signals by signalfd(2), and items of epoll(7) that watch one: they are
    /// told of each signal of those who share the table. Nothing where there is nobody.
    pub signal_waiters: Option<Box<WaitQueue>>,
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
