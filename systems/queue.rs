//! Pending signals and the room that they take (signal(7); RLIMIT_SIGPENDING of getrlimit(2)).
//!
//! A signal takes a place of the real user of the task that it is for. Standard signals that no
//! program made up always get one; a timer keeps its own (`calls/timer.rs`). Where the limit is
//! reached, a real-time signal of sigqueue(3) or tkill(2) is refused; any other one is pending
//! still, but once, and what came with it is lost. Not here: who takes it (`deliver.rs`).

use crate::abi::flags::RLIMIT_SIGPENDING;
use crate::abi::signal::{SI_KERNEL, SI_TIMER, SI_USER, SIGRTMIN};
use crate::abi::{SigInfo, SigSet, Signal};
use crate::components::{Hold, Pending, Queued};
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::{ProcessRow, RowKind, TaskRow};
use alloc::collections::BTreeMap;

/// For whom a signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Any task of the process.
    Process,
    /// One task.
    Task,
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// It is pending now.
    Pending,
    /// It was pending before, is ignored, or has nobody to reach: nothing more comes of it.
    Nothing,
    /// There is no room for it, and its sender is told (EAGAIN).
    Refused,
}

impl Kernel {
    /// Makes a signal pending.
    #[inline(always)]
    pub(crate) fn enqueue(
        &mut self,
        process: ProcessRow,
        task: TaskRow,
        scope: Scope,
        queued: (Signal, SigInfo),
    ) -> Posted {
        let (signal, info) = queued;
        let standard = signal.number() < SIGRTMIN;
        let is_pending = self.pending_mut(process, task, scope).set.contains(signal);
        if standard && is_pending {
            return Posted::Nothing;
        }
        let queued = if standard && info.code >= 0 && signal != Signal::SIGKILL {
            Queued { info, signal, hold: Hold::User(self.rows[task].credentials.uid) }
        } else {
            match self.with_room(task, signal, info, is_pending) {
                Ok(queued) => queued,
                Err(refused) => return refused,
            }
        };
        if is_pending {
            self.drop_lost(process, task, scope, signal);
        }
        self.pending_mut(process, task, scope).add(queued);
        self.count_signal(queued.hold);
        Posted::Pending
    }

    #[inline(always)]
    fn pending_mut(&mut self, process: ProcessRow, task: TaskRow, scope: Scope) -> &mut Pending {
        match scope {
            Scope::Process => &mut self.rows[process].pending,
            Scope::Task => &mut self.rows[task].pending,
        }
    }

    /// A signal that does not always get a place.
    #[cold]
    fn with_room(
        &self,
        task: TaskRow,
        signal: Signal,
        info: SigInfo,
        is_pending: bool,
    ) -> Result<Queued, Posted> {
        let queued = |info: SigInfo, hold: Hold| Ok(Queued { info, signal, hold });
        if signal == Signal::SIGKILL {
            return queued(info, Hold::Nothing);
        }
        if info.code == SI_TIMER {
            return queued(info, Hold::Timer);
        }
        let user = self.rows[task].credentials.uid;
        if !self.has_too_many_signals(task) && self.has_memory(memory::SIGNAL_BYTES) {
            return queued(info, Hold::User(user));
        }
        if signal.number() >= SIGRTMIN && !matches!(info.code, SI_USER | SI_KERNEL) {
            return Err(Posted::Refused);
        }
        if is_pending {
            return Err(Posted::Nothing);
        }
        let signo = i32::from(signal.number());
        queued(SigInfo { signo, code: SI_USER, ..SigInfo::default() }, Hold::Nothing)
    }

    /// Whether one more place would be beyond the limit of the task, whoever its user is.
    pub(crate) fn has_too_many_signals(&self, task: TaskRow) -> bool {
        let row = &self.rows[task];
        let limit = self.limit(row.process, RLIMIT_SIGPENDING).cur;
        self.user_signals.count(row.credentials.uid) >= limit
    }

    /// What was lost of a signal is not made up for: with an instance that has a place, that one
    /// is all there is.
    #[cold]
    fn drop_lost(&mut self, process: ProcessRow, task: TaskRow, scope: Scope, signal: Signal) {
        if let Some(lost) = self.pending_mut(process, task, scope).take_lost(signal) {
            self.forget_signal(lost.hold);
        }
    }

    /// Signals of the set are no longer pending, for the process and its tasks.
    pub(crate) fn discard(&mut self, process: ProcessRow, signals: SigSet) {
        if !self.rows[process].pending.set.intersection(signals).is_empty() {
            let gone = self.rows[process].pending.discard(signals);
            self.forget_signals(gone);
        }
        for at in 0..self.rows[process].threads.len() {
            let tid = self.rows[process].threads[at];
            let Some(row) = self.pids.task(tid) else { continue };
            if !self.rows[row].pending.set.intersection(signals).is_empty() {
                let gone = self.rows[row].pending.discard(signals);
                self.forget_signals(gone);
            }
        }
    }

    /// One more queued signal.
    #[inline]
    fn count_signal(&mut self, hold: Hold) {
        self.queued_signals += 1;
        self.hold_bytes(memory::SIGNAL_BYTES);
        if let Hold::User(uid) = hold {
            self.user_signals.enter(uid);
        }
    }

    /// One less.
    #[inline]
    pub(crate) fn forget_signal(&mut self, hold: Hold) {
        self.queued_signals -= 1;
        self.unhold_bytes(memory::SIGNAL_BYTES);
        if let Hold::User(uid) = hold {
            self.user_signals.leave(uid);
        }
    }

    /// All these are gone.
    #[inline]
    pub(crate) fn forget_signals(&mut self, gone: impl IntoIterator<Item = Queued>) {
        gone.into_iter().for_each(|queued| self.forget_signal(queued.hold));
    }

    /// How many signals are pending, by a walk.
    pub(crate) fn count_signals(&self) -> u64 {
        self.all_pending().map(|pending| pending.queue.len() as u64).sum()
    }

    /// The places that each user's signals and timers take, by a walk.
    pub(crate) fn signals_by_user(&self) -> BTreeMap<u32, u64> {
        let mut by_user = BTreeMap::new();
        for queued in self.all_pending().flat_map(|pending| &pending.queue) {
            if let Hold::User(uid) = queued.hold {
                *by_user.entry(uid).or_default() += 1;
            }
        }
        for key in self.timers.by_number.keys() {
            *by_user.entry(self.timers.owner(*key)).or_default() += 1;
        }
        by_user
    }

    fn all_pending(&self) -> impl Iterator<Item = &Pending> {
        let tasks = TaskRow::all(&self.rows).into_iter().map(|(_, row)| &self.rows[row].pending);
        let processes = ProcessRow::all(&self.rows).into_iter();
        tasks.chain(processes.map(|(_, row)| &self.rows[row].pending))
    }
}
