//! Signals at their lines and the ends of tasks (IMPORT.md section 3).

use tickernel_systems::abi::signal::{DefaultAction, SIG_DFL, SIG_IGN};
use tickernel_systems::abi::{Errno, SigInfo, SigSet, Signal, Timespec, WaitStatus};
use tickernel_systems::event::{Call, Event, Payload};
use tickernel_systems::wire::{Wire, WireReader};

use super::fates::Fate;
use super::order::{CLOCK_STEP_NS, MAX_DEMANDS, Order};
use super::probe::Want;
use super::task::Task;
use super::{decode, numbers};
use crate::replay::{Expected, FED, Recorded, Role};
use crate::strace::{self, Value};

impl Order<'_> {
    pub(super) fn signal(&mut self, tid: u32, signal: Signal, info: &Value, fate: Fate) {
        let recorded = numbers::siginfo(info)
            .unwrap_or(SigInfo { signo: i32::from(signal.number()), ..SigInfo::default() });
        if fate == Fate::Dies {
            self.task(tid).fatal = Some((signal, recorded));
            return;
        }
        self.clock(CLOCK_STEP_NS);
        // By its action it would end the task: what was set is not known (`-e verbose=none`).
        let ends =
            matches!(signal.default_action(), DefaultAction::Terminate | DefaultAction::Core);
        let action = self.kernel.action_of(tid, signal).unwrap_or_default();
        if fate == Fate::Lives && ends && action.handler == SIG_DFL {
            return;
        }
        if fate == Fate::Lives && self.is_taken_back(tid, signal, &recorded) {
            return;
        }
        self.deliver(tid, signal, recorded);
    }

    /// A stop signal that its task had taken when SIGCONT came: it does not stop (signal(7)), and
    /// no line says that it did.
    fn is_taken_back(&mut self, tid: u32, signal: Signal, info: &SigInfo) -> bool {
        if signal.default_action() != DefaultAction::Stop
            || !self.is_known(tid)
            || self.kernel.action_of(tid, signal).unwrap_or_default().handler != SIG_DFL
            // Nothing has to take it back.
            || signal != Signal::SIGSTOP && self.kernel.is_orphaned(tid)
        {
            return false;
        }
        self.bring(tid, signal, info);
        // Who sends the other has begun to, perhaps.
        for _ in 0..MAX_DEMANDS {
            if !self.kernel.has_pending(tid, signal) || !self.supply(tid, &Want::Continue) {
                break;
            }
        }
        // Or it comes while the tracer still holds the task; until then the signal stays.
        self.is_known(info.pid)
    }

    pub(super) fn deliver(&mut self, tid: u32, signal: Signal, recorded: SigInfo) {
        if !self.is_known(tid) {
            return;
        }
        self.bring(tid, signal, &recorded);
        let action = self.kernel.action_of(tid, signal).unwrap_or_default();
        let default = signal.default_action();
        let nothing = action.handler == SIG_IGN
            || action.handler == SIG_DFL
                && matches!(default, DefaultAction::Ignore | DefaultAction::Continue);
        if !self.kernel.has_pending(tid, signal) {
            if nothing {
                return;
            }
            self.inject(tid, recorded);
        }
        let caught = action.handler != SIG_DFL && action.handler != SIG_IGN;
        if caught {
            self.block_for_handler(tid);
        }
        let expected = Expected {
            payload: Payload::Info(Box::new(recorded)),
            ..Expected::only(Role::Signal, signal.name())
        };
        let lines = (self.line, self.line);
        self.emit(&Event::Deliver { task: tid, signal }, Some(expected), Some(lines));
        if caught {
            let interrupted = self.task(tid).pending.take();
            self.task(tid).frames.push(interrupted);
        }
    }

    /// A handler returns of whose signal no line tells (`-e signal=none`): the first signal that is
    /// pending and caught. False if there is none.
    pub(super) fn enter_unseen_handler(&mut self, tid: u32, call: &strace::Call) -> bool {
        if !self.is_known(tid) {
            return false;
        }
        // The mask that comes back is the one before; rt_sigsuspend(2) and its like had another.
        let blocked = call.arg(0).and_then(|frame| frame.field("mask")).and_then(numbers::sigset);
        let waits = self.call_bytes(tid).is_some_and(|bytes| {
            let call = Call::get(&mut WireReader::new(&bytes));
            matches!(
                call,
                Ok(Call::RtSigsuspend { .. } | Call::Ppoll { .. } | Call::Pselect6 { .. })
            )
        });
        let is_blocked =
            |signal| !waits && blocked.is_some_and(|blocked: SigSet| blocked.contains(signal));
        let found = (1..=64).filter_map(Signal::new).find(|signal| {
            let action = self.kernel.action_of(tid, *signal).unwrap_or_default();
            self.kernel.has_pending(tid, *signal)
                && !matches!(action.handler, SIG_DFL | SIG_IGN)
                && !is_blocked(*signal)
        });
        let Some(signal) = found else { return false };
        self.enter_handler(tid, signal);
        true
    }

    /// A task does something: handlers of what is pending and not blocked run before, though no
    /// line tells.
    pub(super) fn enter_due_handlers(&mut self, tid: u32, call: &strace::Call) {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let is_interrupted = pending.is_some_and(|pending| {
            pending.restarting && *call.name != *pending.decoded.expected.name()
        });
        if is_interrupted && self.kernel.due_signals(tid) == SigSet::EMPTY {
            self.ring_any(tid);
        }
        if &*call.name == "rt_sigreturn" {
            self.end_killed(tid, call);
        }
        for signal in (1..=64).filter_map(Signal::new) {
            let action = self.kernel.action_of(tid, signal).unwrap_or_default();
            let is_caught = !matches!(action.handler, SIG_DFL | SIG_IGN);
            // The mask of one may block the next.
            if is_caught && self.kernel.due_signals(tid).contains(signal) {
                self.enter_handler(tid, signal);
            }
        }
    }

    /// A handler returns that nothing explains yet, by the mask that comes back: a child died of a
    /// signal, and no line tells.
    fn end_killed(&mut self, tid: u32, call: &strace::Call) {
        let mask = call.arg(0).and_then(|frame| frame.field("mask")).and_then(numbers::sigset);
        let frames = self.kernel.frames_of(tid);
        if frames.last().is_none_or(|frame| mask.is_none_or(|mask| mask == frame.mask)) {
            return;
        }
        let others = self.tasks.keys().copied();
        let others = others.filter(|other| *other != tid && !self.ends.contains_key(other));
        for other in others.collect::<Vec<_>>() {
            let dies = |signal: &Signal| {
                let action = self.kernel.action_of(other, *signal).unwrap_or_default();
                let default = signal.default_action();
                action.handler == SIG_DFL
                    && matches!(default, DefaultAction::Terminate | DefaultAction::Core)
                    && self.kernel.due_signals(other).contains(*signal)
            };
            if let Some(signal) = (1..=64).filter_map(Signal::new).find(dies) {
                self.killed(other, signal, None);
            }
        }
    }

    fn enter_handler(&mut self, tid: u32, signal: Signal) {
        self.block_for_handler(tid);
        self.emit(&Event::Deliver { task: tid, signal }, None, None);
        let interrupted = self.task(tid).pending.take();
        self.task(tid).frames.push(interrupted);
    }

    /// A handler returns that the kernel knows nothing of: taken as it is.
    pub(super) fn leave_unseen_handler(&mut self, tid: u32, call: &strace::Call) {
        let recorded = decode::recorded(call);
        let fed = Expected { recorded, flags: FED, ..Expected::only(Role::Taken, &call.name) };
        self.pass_over(fed, (self.line, call.exit_line.unwrap_or(self.line)));
        if recorded != Recorded::Errno(Errno::EINTR) {
            return;
        }
        // The call that it interrupted is over.
        let Some(pending) = self.task(tid).pending.as_mut().filter(|it| it.restarting) else {
            return;
        };
        pending.decoded.expected.recorded = recorded;
        let (item, expected) = (pending.item, pending.decoded.expected.clone());
        let lines = (pending.entry_line, pending.exit_line.unwrap_or(pending.entry_line));
        match item {
            Some(item) => {
                self.set_expected(Some(item), expected, lines);
                self.resume(tid, item, 0);
            }
            None => {
                let taken = Expected { role: Role::Taken, flags: FED, ..expected };
                self.pass_over(taken, lines);
            }
        }
        self.task(tid).pending = None;
    }

    /// A process ended, and no line says so: its exit_group(2) does, or what its parent was told.
    /// In a folder of files the line may stand a microsecond later than what it brings about.
    pub(super) fn end_unseen(&mut self, pid: u32, status: Option<WaitStatus>) -> bool {
        if !self.is_known(pid) || !self.kernel.is_alive(pid) {
            return false;
        }
        let leaving =
            self.call_bytes(pid).and_then(|bytes| match Call::get(&mut WireReader::new(&bytes)) {
                Ok(Call::ExitGroup { status } | Call::Exit { status }) => Some(status),
                _ => None,
            });
        let is_killed = matches!(status, Some(WaitStatus::Signaled(..)));
        let is_told = !self.no_ends && self.traced.contains(&pid) && !(is_killed && self.no_kills);
        if is_told && leaving.is_none() && self.task(pid).fatal.is_none() {
            return false;
        }
        let parent = self.earlier_children.get(&pid).copied();
        // Nor does a line tell its parent of it where one before was not taken yet.
        let parent = parent.or_else(|| {
            let is_merged = self.no_ends && !self.no_kills && !self.told_of.contains(&pid);
            self.kernel.parent_of(pid).filter(|_| is_merged)
        });
        let untold = parent.filter(|parent| !self.kernel.has_pending(*parent, Signal::SIGCHLD));
        match (leaving, status) {
            (Some(status), _) => self.exited(pid, status.cast_unsigned(), None),
            (None, Some(WaitStatus::Exited(status))) => self.exited(pid, u32::from(status), None),
            (None, Some(WaitStatus::Signaled(by, _))) => {
                if !self.kernel.has_pending(pid, by) {
                    let signo = i32::from(by.number());
                    let info = SigInfo { signo, ..SigInfo::default() };
                    self.emit(&Event::Signal { target: pid, info }, None, None);
                }
                self.killed(pid, by, None);
            }
            (None, _) => return false,
        }
        if let Some(parent) = untold {
            self.take_back_end(parent);
        }
        true
    }

    /// A child stopped, and no line says so (`-e signal=none`): its parent was told.
    pub(super) fn stop_unseen(&mut self, pid: u32, by: Signal) -> bool {
        let goes_on = self.kernel.is_alive(pid) && !self.kernel.is_stopped(pid);
        if !self.no_kills || !goes_on {
            return false;
        }
        for _ in 0..MAX_DEMANDS {
            if self.kernel.has_pending(pid, by) || !self.supply(pid, &Want::Continue) {
                break;
            }
        }
        if !self.kernel.has_pending(pid, by) {
            let info = SigInfo { signo: i32::from(by.number()), ..SigInfo::default() };
            self.emit(&Event::Signal { target: pid, info }, None, None);
        }
        self.emit(&Event::Deliver { task: pid, signal: by }, None, None);
        true
    }

    /// When a child ended that was there before the first line nobody knows: its parent was
    /// perhaps told long ago, and if not, a line will say so.
    fn take_back_end(&mut self, parent: u32) {
        let told = Signal::SIGCHLD;
        if !self.kernel.has_pending(parent, told) {
            return;
        }
        let call =
            Call::RtSigtimedwait { set: SigSet::of(told), timeout: Some(Timespec::default()) };
        let forced = Expected::only(Role::Force, call.name());
        self.emit(&Event::Call { task: parent, call }, Some(forced), None);
    }

    /// The call that a handler interrupts must be waiting in the kernel.
    pub(super) fn block_for_handler(&mut self, tid: u32) {
        let waits = matches!(&self.task(tid).pending, Some(pending) if pending.item.is_none());
        if waits {
            self.park(tid);
        }
    }

    /// A task ended; `lines` are those that say so.
    pub(super) fn exited(&mut self, tid: u32, status: u32, lines: Option<(u64, u64)>) {
        self.clock(CLOCK_STEP_NS);
        if self.is_known(tid) && self.kernel.is_alive(tid) {
            self.end(tid, status, lines);
        }
        self.tasks.remove(&tid);
    }

    /// The leader of a process is gone: another thread executes a program, and has its number once
    /// it has (execve(2)).
    pub(super) fn superseded(&mut self, leader: u32, by: u32) {
        let mut others = self.siblings(leader);
        // Of others no line tells that they end (`-qqq`).
        others.retain(|other| *other != by && !self.ends_later(*other));
        for gone in others.into_iter().chain([leader]) {
            self.park(gone);
            self.tasks.remove(&gone);
        }
    }

    /// Who is in a call that returns to a task: a thread that executed another program returns as
    /// the leader.
    pub(super) fn executing(&self, tid: u32, index: u64, call: &strace::Call) -> u32 {
        let is_in_it = |task: &Task| task.pending.as_ref().is_some_and(|it| it.call == index);
        let entered = call.tid.filter(|_| &*call.name == "execve").unwrap_or(tid);
        if self.tasks.get(&entered).is_some_and(is_in_it) { entered } else { tid }
    }

    /// Whether another thread of the same process executes a program now, which ends this one.
    fn ends_by_exec(&self, tid: u32) -> bool {
        self.siblings(tid).iter().any(|other| {
            let pending = self.tasks.get(other).and_then(|task| task.pending.as_ref());
            pending.is_some_and(|pending| {
                matches!(pending.decoded.parsed(), Some(Call::Execve { .. }))
                    && pending.decoded.expected.recorded == Recorded::Value(0)
            })
        })
    }

    /// Threads of the same process that the walk knows.
    pub(super) fn siblings(&self, tid: u32) -> Vec<u32> {
        let process = self.kernel.process_of_task(tid);
        let same = |other: &u32| self.kernel.process_of_task(*other) == process;
        self.tasks.keys().copied().filter(|other| *other != tid && same(other)).collect()
    }

    pub(super) fn end(&mut self, tid: u32, status: u32, lines: Option<(u64, u64)>) {
        let is_exit = |order: &mut Self, tid: u32, group: bool| {
            let Some(bytes) = order.call_bytes(tid) else { return false };
            match Call::get(&mut WireReader::new(&bytes)) {
                Ok(Call::ExitGroup { .. }) => true,
                Ok(Call::Exit { .. }) => !group,
                _ => false,
            }
        };
        self.end_before(tid);
        let siblings = self.siblings(tid);
        let leader = siblings.iter().copied().find(|other| is_exit(self, *other, true));
        let own = is_exit(self, tid, false);
        let own_group = is_exit(self, tid, true);
        // A process is there until the last of its threads has gone: only then its parent finds it.
        let is_last = !siblings.iter().any(|other| self.ends_later(*other));
        if !own && leader.is_some() && !is_last {
            self.park(tid);
            let call = Call::Exit { status: status.cast_signed() };
            let forced = Expected::only(Role::Force, call.name());
            self.emit(&Event::Call { task: tid, call }, Some(forced), lines);
            return;
        }
        if own_group || (!own && leader.is_some()) {
            for other in siblings.iter().copied().chain([tid]) {
                if !is_exit(self, other, true) {
                    self.park(other);
                }
            }
        }
        if own {
            self.run_call(tid);
        } else if let Some(leader) = leader {
            self.run_call(leader);
        } else {
            self.park(tid);
            let status = status.cast_signed();
            let (call, name) = if self.ends_by_exec(tid) || self.leaves_others(&siblings) {
                (Call::Exit { status }, "exit")
            } else {
                (Call::ExitGroup { status }, "exit_group")
            };
            let forced = Expected::only(Role::Force, name);
            self.emit(&Event::Call { task: tid, call }, Some(forced), lines);
        }
    }

    /// Whether a line farther down tells that a task exited.
    fn ends_later(&self, tid: u32) -> bool {
        self.ends.get(&tid).is_some_and(|ends| ends.iter().any(|line| *line > self.line))
    }

    /// Threads that entered exit(2) before this one ended: of a leader the line that says so comes
    /// last, and the status of its process is that of the last to end.
    fn end_before(&mut self, tid: u32) {
        let entered = |order: &Self, tid: u32| {
            let pending = order.tasks.get(&tid)?.pending.as_ref()?;
            let exits = matches!(pending.decoded.parsed(), Some(Call::Exit { .. }));
            (exits && pending.item.is_none()).then_some(pending.entry_line)
        };
        let Some(own) = entered(self, tid) else { return };
        for other in self.siblings(tid) {
            if entered(self, other).is_some_and(|line| line < own) {
                self.run_call(other);
            }
        }
    }

    /// A process ends with the last of its threads (wait(2)): until that one's end is printed, who
    /// waits finds it alive. What ends it is the last one's then.
    fn leave_end_to_another(&mut self, tid: u32) -> bool {
        let line = self.line;
        let ends_later =
            |it: &u32| self.ends.get(it).is_some_and(|ends| ends.iter().any(|at| *at > line));
        let Some(later) = self.siblings(tid).into_iter().find(ends_later) else { return false };
        let fatal = self.task(tid).fatal.take();
        let own = &mut self.task(later).fatal;
        *own = own.take().or(fatal);
        if self.kernel.is_stopped(tid) {
            self.leave_open_call(tid);
        } else {
            self.park(tid);
        }
        true
    }

    /// The same by a signal.
    pub(super) fn killed(&mut self, tid: u32, signal: Signal, lines: Option<(u64, u64)>) {
        self.clock(CLOCK_STEP_NS);
        if self.is_known(tid) && self.kernel.is_alive(tid) {
            if self.leave_end_to_another(tid) {
                return;
            }
            // What its end shows to others they may have looked for before.
            self.hold_back(tid, &Call::ExitGroup { status: 0 });
            for other in self.siblings(tid).into_iter().chain([tid]) {
                // Who is stopped makes no call: the one that the stop interrupted is over.
                let waits = self.task(other).pending.as_ref().is_some_and(|it| it.item.is_none());
                if waits && self.kernel.is_stopped(other) {
                    self.leave_open_call(other);
                } else {
                    self.park(other);
                }
            }
            // Of a process of threads whose end is printed first need not be who took the signal.
            let mut took = self.siblings(tid).into_iter().chain([tid]);
            let took = took.find(|it| self.tasks.get(it).is_some_and(|it| it.fatal.is_some()));
            let fatal = took.and_then(|it| Some((it, self.task(it).fatal.take()?)));
            match fatal {
                Some((by, (fatal, info))) => self.deliver(by, fatal, info),
                None => {
                    self.emit(&Event::Deliver { task: tid, signal }, None, lines);
                }
            }
            if self.kernel.is_alive(tid) {
                let kill = Signal::SIGKILL;
                let forced = Expected::only(Role::Force, kill.name());
                self.emit(&Event::Deliver { task: tid, signal: kill }, Some(forced), lines);
            }
        }
        self.tasks.remove(&tid);
    }
}
