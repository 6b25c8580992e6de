//! Phase 2, signals: posting, choosing a task, delivery (signal(7), sigaction(2)).
//!
//! A signal is *posted* (pending for a process or a task) and later *delivered*: nothing, a
//! handler, a stop, an end. In wake mode Auto delivery follows at once; in OnDemand each needs an
//! event `Deliver`. A handler is the guest's code: the kernel announces it and keeps a stack of
//! frames with the masks and the interrupted calls until `rt_sigreturn`. Not here: alternate stacks
//! (sigaltstack(2)).

use crate::abi::flags::{SA_NOCLDSTOP, SA_NODEFER, SA_RESETHAND, SA_RESTART};
use crate::abi::signal::{
    CLD_CONTINUED, CLD_STOPPED, DefaultAction, SI_KERNEL, SI_TIMER, SI_USER, SIG_DFL, SIG_IGN,
};
use crate::abi::{Errno, SigAction, SigInfo, SigSet, Signal, WaitStatus};
use crate::components::{Frame, Interrupted, Life, Queued, Restart, Waiting};
use crate::event::{Answer, Completed, Effect, Outcome, Payload, Refusal};
use crate::kernel::{Changed, Kernel, WakeMode};
use crate::memory;
use crate::queue::{Posted, Scope};
use crate::rows::{ProcessRow, TaskRow};
use alloc::boxed::Box;

/// Signals of faults: taken before all others.
const SYNCHRONOUS: SigSet = SigSet(1 << 10 | 1 << 6 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 30);

impl Kernel {
    /// Posts a signal to a process.
    pub(crate) fn post(&mut self, process: ProcessRow, signal: Signal, info: SigInfo) -> Posted {
        let Some(chosen) = self.choose(process, signal) else { return Posted::Nothing };
        self.post_through(process, chosen, Scope::Process, (signal, info))
    }

    /// Posts the signal of a child to its parent: the thread that made the child takes it, if it
    /// does not block it.
    pub(crate) fn post_of_child(
        &mut self,
        parent: ProcessRow,
        maker: u32,
        signal: Signal,
        info: SigInfo,
    ) {
        let maker = if maker == 0 { None } else { self.pids.task(maker) };
        match maker.filter(|task| !self.rows[*task].mask.contains(signal)) {
            Some(chosen) => self.post_through(parent, chosen, Scope::Process, (signal, info)),
            None => self.post(parent, signal, info),
        };
    }

    /// Posts a signal to one task.
    pub(crate) fn post_to_task(&mut self, task: TaskRow, signal: Signal, info: SigInfo) -> Posted {
        self.post_through(self.rows[task].process, task, Scope::Task, (signal, info))
    }

    #[inline(always)]
    fn post_through(
        &mut self,
        process: ProcessRow,
        chosen: TaskRow,
        scope: Scope,
        (signal, info): (Signal, SigInfo),
    ) -> Posted {
        if !self.prepare(process, chosen, signal, info) {
            return Posted::Nothing;
        }
        let posted = self.enqueue(process, chosen, scope, (signal, info));
        if posted == Posted::Pending {
            self.signals_woken(self.rows[chosen].handlers);
            self.posted(process, chosen, signal);
        }
        posted
    }

    fn posted(&mut self, process: ProcessRow, task: TaskRow, signal: Signal) {
        let tid = self.rows[task].tid;
        if let Some(wait) = &self.rows[task].wait
            && matches!(&wait.on, Waiting::Signal { set } if set.contains(signal))
            && !self.kills_at_once(task, signal)
        {
            self.note(Changed::Task(tid));
            return;
        }
        if self.rows[task].mask.contains(signal) {
            // Another task may wait for it with sigtimedwait(2).
            for other in self.rows[process].threads.clone() {
                let Some(row) = self.pids.task(other) else { continue };
                let waits = self.rows[row].wait.as_ref().is_some_and(
                    |wait| matches!(&wait.on, Waiting::Signal { set } if set.contains(signal)),
                );
                if waits {
                    self.note(Changed::Task(other));
                    return;
                }
            }
        }
        self.signalled.push_back(tid);
    }

    /// Whether a signal that is not held back ends the process without a core file: it does so the
    /// moment it is sent, and sigtimedwait(2) does not get to see it (as in Linux).
    fn kills_at_once(&self, task: TaskRow, signal: Signal) -> bool {
        let task = &self.rows[task];
        !task.mask.contains(signal)
            && self.rows[task.handlers].action(signal).handler == SIG_DFL
            && signal.default_action() == DefaultAction::Terminate
            && !self.is_unkillable(task.process)
    }

    /// A wait that no signal interrupts is over while a stop is pending: the stop comes first, and
    /// the caller goes on with SIGCONT.
    pub(crate) fn stops_first(&mut self, row: TaskRow) -> bool {
        let process = self.rows[row].process;
        let all = self.rows[row].pending.set.union(self.rows[process].pending.set);
        let Some(signal) = all.without(self.rows[row].mask).first() else { return false };
        let stops = self.rows[self.rows[row].handlers].action(signal).handler == SIG_DFL
            && signal.default_action() == DefaultAction::Stop
            && !self.is_unkillable(process)
            && (signal == Signal::SIGSTOP || !self.group_is_orphaned(self.rows[process].pgid, 0));
        if stops {
            self.discard(process, SigSet::of(signal));
            self.stop(process, signal);
        }
        stops
    }

    /// The task that takes a signal of the process: the leader if it wants it, else the first that
    /// does.
    #[inline(always)]
    fn choose(&self, process: ProcessRow, signal: Signal) -> Option<TaskRow> {
        let process = &self.rows[process];
        if matches!(process.life, Life::Zombie(_)) {
            return None;
        }
        let mut first = None;
        for row in process.threads.iter().filter_map(|tid| self.pids.task(*tid)) {
            let task = &self.rows[row];
            if task.exited {
                continue;
            }
            if signal == Signal::SIGKILL || !task.mask.contains(signal) {
                return Some(row);
            }
            first = first.or(Some(row));
        }
        first
    }

    /// What a signal does at once: stops and continuations cancel each other, SIGCONT continues.
    /// False if the signal is dropped because it is ignored.
    #[inline(always)]
    fn prepare(
        &mut self,
        process: ProcessRow,
        task: TaskRow,
        signal: Signal,
        info: SigInfo,
    ) -> bool {
        let owner = &self.rows[process];
        if matches!(owner.life, Life::Zombie(_)) {
            return false;
        }
        let unkillable = owner.pid == self.init;
        if signal.default_action() == DefaultAction::Stop {
            self.discard(process, SigSet::of(Signal::SIGCONT));
        }
        if signal == Signal::SIGCONT {
            self.prepare_to_go_on(process, task, &info);
        }
        let task = &self.rows[task];
        let action = self.rows[task.handlers].action(signal);
        // sigtimedwait(2) of a signal that is neither blocked nor caught does not see it.
        let blockable = !(self.bends.continue_is_unblockable && signal == Signal::SIGCONT);
        if blockable && task.mask.contains(signal) {
            return true;
        }
        let from_inside = info.code != SI_KERNEL || signal != Signal::SIGKILL;
        if unkillable && action.handler == SIG_DFL && from_inside {
            return false;
        }
        let ignored = is_ignored(signal, action);
        if ignored {
            self.tell(process, signal);
        }
        !ignored
    }

    /// Tells the driver of a process that a signal has reached it, where the profile says so.
    fn tell(&mut self, process: ProcessRow, signal: Signal) {
        if self.bends.signals_are_told {
            let process = self.rows[process].pid;
            self.emit(Effect::Told { process, signal });
        }
    }

    /// Init of the kernel: a default action does not touch it (pid_namespaces(7)).
    fn is_unkillable(&self, process: ProcessRow) -> bool {
        self.rows[process].pid == self.init
    }

    /// Takes a signal that is pending for the task, else for its process; `None` if it turns out to
    /// be nobody's.
    fn take_pending(&mut self, row: TaskRow, signal: Signal) -> Option<SigInfo> {
        let process = self.rows[row].process;
        let own = self.rows[row].pending.take(signal);
        let Queued { mut info, hold, .. } =
            own.or_else(|| self.rows[process].pending.take(signal))?;
        self.forget_signal(hold);
        if info.code == SI_TIMER && !self.deliver_timer(process, &mut info) {
            // A recording shows which signals came.
            return (self.config.wake == WakeMode::OnDemand).then_some(info);
        }
        Some(info)
    }

    /// SIGCONT's effect on a stopped process.
    pub(crate) fn go_on(&mut self, process: ProcessRow) {
        if self.rows[process].stopped.take().is_none() {
            return;
        }
        self.counters.stopped -= 1;
        let pid = self.rows[process].pid;
        self.emit(Effect::Continued { process: pid });
        self.report(process, WaitStatus::Continued);
        for at in 0..self.rows[process].threads.len() {
            let tid = self.rows[process].threads[at];
            self.signalled.push_back(tid);
            let Some(row) = self.pids.task(tid) else { continue };
            self.wait_again(row);
        }
    }

    /// A call that a stop interrupted is made again: it waits at the end of the queues.
    fn wait_again(&mut self, row: TaskRow) {
        let tid = self.rows[row].tid;
        let Some(mut wait) = self.rows[row].wait.take() else { return };
        let restart = wait.restart;
        self.keep_interruption(&wait);
        let partial = wait.on.partial();
        self.rows[row].wait = Some(wait);
        if let Some(answer) = partial {
            return self.complete_late(row, Completed::Done(answer));
        }
        match restart {
            Restart::NeverAtAll => self.complete_late(row, Completed::Failed(Errno::EINTR)),
            Restart::Uninterruptible => self.note(Changed::Task(tid)),
            Restart::WithFlag | Restart::Never => {
                if let Some(mut wait) = self.unsleep(row) {
                    self.park_open(row, &mut wait);
                    self.counters.next_since += 1;
                    wait.since = self.counters.next_since;
                    self.sleep(row, wait);
                }
                self.note(Changed::Task(tid));
            }
        }
    }

    /// Tells the parent of a stop or a continuation (wait(2), SIGCHLD with `CLD_*`).
    fn report(&mut self, process: ProcessRow, status: WaitStatus) {
        self.rows[process].report = Some(status);
        let row = &self.rows[process];
        let (pid, birth, maker) = (row.pid, row.birth, row.maker);
        let Some(parent) = self.pids.process(self.rows[process].parent) else { return };
        self.rows[parent].reportable.insert((birth, pid));
        let (code, number) = match status {
            WaitStatus::Stopped(signal) => (CLD_STOPPED, i32::from(signal.number())),
            WaitStatus::Continued | WaitStatus::Exited(_) | WaitStatus::Signaled(..) => {
                (CLD_CONTINUED, i32::from(Signal::SIGCONT.number()))
            }
        };
        let (action, _) = self.process_action(parent, Signal::SIGCHLD);
        let wanted = action.handler != SIG_IGN && action.flags & SA_NOCLDSTOP == 0;
        if wanted && self.hears(parent) {
            let info = SigInfo {
                signo: i32::from(Signal::SIGCHLD.number()),
                code,
                pid,
                uid: self.process_uid(process),
                status: number,
                value: 0,
            };
            self.post_of_child(parent, maker, Signal::SIGCHLD, info);
        }
        let (parent, group) = (self.rows[parent].pid, self.rows[process].pgid);
        self.note(Changed::Children { parent, child: pid, group, maker });
    }

    /// The action of a signal in a process: its tasks share the table in all but odd clones. And
    /// whether posting it would do nothing at all: its leader would take it, to ignore it.
    #[inline]
    pub(crate) fn process_action(&self, process: ProcessRow, signal: Signal) -> (SigAction, bool) {
        let first = self.rows[process].threads.first().and_then(|tid| self.pids.task(*tid));
        let Some(leader) = first else { return (SigAction::default(), false) };
        let leader = &self.rows[leader];
        let action = self.rows[leader.handlers].action(signal);
        let takes = !leader.exited && !leader.mask.contains(signal);
        (action, takes && !self.bends.signals_are_told && is_ignored(signal, action))
    }

    /// The real user of a process, for siginfo.
    pub(crate) fn process_uid(&self, process: ProcessRow) -> u32 {
        let first = self.rows[process].threads.first().and_then(|tid| self.pids.task(*tid));
        first.map_or(0, |task| self.rows[task].credentials.uid)
    }

    /// Whether a signal could be delivered to the task now.
    pub(crate) fn has_deliverable(&self, row: TaskRow) -> bool {
        let task = &self.rows[row];
        let pending = task.pending.set.union(self.rows[task.process].pending.set);
        !pending.without(task.mask).is_empty() || pending.contains(Signal::SIGKILL)
    }

    /// The next signal to deliver: of the task before of the process, faults first, then the
    /// lowest.
    fn next_signal(&mut self, row: TaskRow) -> Option<(Signal, SigInfo)> {
        let task = &self.rows[row];
        let mask = task.mask.without(SigSet::UNSTOPPABLE);
        let private = task.pending.set.without(mask);
        let shared = self.rows[task.process].pending.set.without(mask);
        for set in [private, shared] {
            let urgent = set.intersection(SYNCHRONOUS);
            let set = if urgent.is_empty() { set } else { urgent };
            let Some(signal) = set.first() else { continue };
            if let Some(info) = self.take_pending(row, signal) {
                return Some((signal, info));
            }
            // It was a timer's that has been set anew.
            return self.next_signal(row);
        }
        None
    }

    /// Delivers all that can be delivered to a task, as on its return to user mode.
    pub(crate) fn deliver_pending(&mut self, tid: u32) {
        let Some(row) = self.pids.task(tid) else { return };
        if self.rows[row].exited {
            return;
        }
        let process = self.rows[row].process;
        let uninterruptible = self.rows[row]
            .wait
            .as_ref()
            .is_some_and(|wait| wait.restart == Restart::Uninterruptible);
        let all = self.rows[row].pending.set.union(self.rows[process].pending.set);
        let killed = all.contains(Signal::SIGKILL);
        if killed && !self.is_unkillable(process) {
            self.tell(process, Signal::SIGKILL);
            self.end_process(process, WaitStatus::Signaled(Signal::SIGKILL, false));
            return;
        }
        if uninterruptible && self.rows[process].stopped.is_none() {
            self.kill_in_sleep(row);
            return;
        }
        if self.rows[process].stopped.is_some() {
            return;
        }
        while let Some((signal, info)) = self.next_signal(row) {
            if !self.act_on(row, signal, info) {
                return;
            }
        }
        self.announce(row);
    }

    /// The handlers whose frames stand run.
    fn announce(&mut self, row: TaskRow) {
        let task = self.rows[row].tid;
        // Those that are not announced yet are the innermost.
        let frames = &self.rows[row].frames;
        let told = frames.iter().rposition(|frame| frame.announce.is_none());
        for at in told.map_or(0, |at| at + 1)..frames.len() {
            if let Some((handler, info)) = self.rows[row].frames[at].announce.take() {
                self.emit(Effect::Handler { task, handler, info });
            }
        }
    }

    /// A wait that no signal interrupts ends with its process if the signal would end that without
    /// a core file, and no other signal came first.
    fn kill_in_sleep(&mut self, row: TaskRow) {
        let process = self.rows[row].process;
        let all = self.rows[row].pending.set.union(self.rows[process].pending.set);
        let Some(signal) = all.without(self.rows[row].mask).first() else { return };
        let alone = all.without(self.rows[row].mask) == SigSet::of(signal);
        let action = self.rows[self.rows[row].handlers].action(signal);
        let fatal =
            action.handler == SIG_DFL && signal.default_action() == DefaultAction::Terminate;
        if alone && fatal && !self.is_unkillable(process) {
            self.end_process(process, WaitStatus::Signaled(signal, false));
        }
    }

    /// One signal's action. False if the task cannot go on (it has ended or is stopped).
    fn act_on(&mut self, row: TaskRow, signal: Signal, info: SigInfo) -> bool {
        let process = self.rows[row].process;
        let action = self.rows[self.rows[row].handlers].action(signal);
        if action.handler == SIG_IGN {
            return true;
        }
        self.tell(process, signal);
        if action.handler != SIG_DFL {
            return self.push_frame(row, signal, info, action);
        }
        match signal.default_action() {
            DefaultAction::Ignore | DefaultAction::Continue => true,
            _ if self.is_unkillable(process) && signal != Signal::SIGKILL => true,
            DefaultAction::Stop => {
                self.note_acted(row, info);
                let orphaned = signal != Signal::SIGSTOP
                    && !self.bends.orphans_stop
                    && self.group_is_orphaned(self.rows[process].pgid, 0);
                if orphaned {
                    self.wait_again(row);
                } else {
                    self.stop(process, signal);
                }
                orphaned
            }
            DefaultAction::Terminate | DefaultAction::Core => {
                self.note_acted(row, info);
                let cores = signal.default_action() == DefaultAction::Core
                    && self.limit(process, crate::abi::flags::RLIMIT_CORE).cur > 0;
                self.end_process(process, WaitStatus::Signaled(signal, cores));
                false
            }
        }
    }

    fn stop(&mut self, process: ProcessRow, signal: Signal) {
        if self.rows[process].stopped.replace(signal).is_none() {
            self.counters.stopped += 1;
        }
        self.park_opens(process);
        let pid = self.rows[process].pid;
        self.emit(Effect::Stopped { process: pid, signal });
        self.report(process, WaitStatus::Stopped(signal));
    }

    /// Sets a handler up: the task runs it before anything else. Of several that are set up at once
    /// the last runs first, as their frames lie on the guest's stack. Where no room is left for one
    /// the process ends, as if its stack had none; false then.
    fn push_frame(
        &mut self,
        row: TaskRow,
        signal: Signal,
        info: SigInfo,
        action: SigAction,
    ) -> bool {
        let process = self.rows[row].process;
        if !self.has_memory(memory::FRAME_BYTES) && !self.is_unkillable(process) {
            self.end_process(process, WaitStatus::Signaled(Signal::SIGSEGV, false));
            return false;
        }
        let resuming = self.resuming.take_if(|resuming| resuming.0 == row);
        let interrupted = match resuming {
            Some((_, interrupted)) => Some(interrupted),
            None => self.interrupt(row, action.flags & SA_RESTART != 0),
        };
        if action.flags & SA_RESETHAND != 0 {
            let handlers = self.rows[row].handlers;
            self.rows[handlers].set(signal, SigAction { handler: SIG_DFL, ..action });
        }
        self.hold_bytes(memory::frame_bytes(interrupted.as_ref()));
        let task = &mut self.rows[row];
        let mask = task.saved_mask.take().unwrap_or(task.mask);
        task.mask = task.mask.union(action.mask).without(SigSet::UNSTOPPABLE);
        if action.flags & SA_NODEFER == 0 {
            task.mask.insert(signal);
        }
        let announce = Some((action.handler, info));
        task.frames.push(Frame { mask, interrupted, announce });
        if self.config.wake == WakeMode::OnDemand {
            self.announce(row);
        }
        true
    }

    /// Takes the blocked call of a task away because a handler runs.
    fn interrupt(&mut self, row: TaskRow, restart_flag: bool) -> Option<Interrupted> {
        let mut wait = self.unsleep(row)?;
        if matches!(wait.on, Waiting::Finished(_)) {
            self.forget_wait(&wait.on);
        }
        if let Waiting::Finished(result) = wait.on {
            return Some(Interrupted::Over(wait.call, result));
        }
        // A wait looks at the children before it looks at signals: SIGCHLD does not hide who sent
        // it.
        if let Waiting::Child { select, options, info } = wait.on
            && self.config.wake == WakeMode::Auto
            && let Some(result) = self.try_wait(row, select, options, info).transpose()
        {
            let result = match result {
                Ok(answer) => Completed::Done(answer),
                Err(errno) => Completed::Failed(errno),
            };
            self.forget_wait(&wait.on);
            return Some(Interrupted::Over(wait.call, result));
        }
        let again = match wait.restart {
            Restart::WithFlag => restart_flag,
            Restart::Never | Restart::NeverAtAll => false,
            Restart::Uninterruptible => true,
        };
        self.keep_interruption(&wait);
        // What it has done counts: a blocking write that wrote some says how much (write(2)).
        let result = match wait.on.partial() {
            Some(answer) => Completed::Done(answer),
            None if again => {
                self.park_open(row, &mut wait);
                return Some(Interrupted::Again(wait));
            }
            None => Completed::Failed(Errno::EINTR),
        };
        self.forget_wait(&wait.on);
        self.let_go(row, &wait.on);
        Some(Interrupted::Over(wait.call, result))
    }

    /// rt_sigreturn(2): the innermost handler is over.
    pub(crate) fn sigreturn(&mut self, row: TaskRow) -> Result<(), Errno> {
        let Some(frame) = self.rows[row].frames.pop() else { return Err(Errno::EINVAL) };
        self.unhold_bytes(memory::frame_bytes(frame.interrupted.as_ref()));
        let tid = self.rows[row].tid;
        self.rows[row].mask = frame.mask;
        self.resuming = frame.interrupted.map(|interrupted| (row, interrupted));
        if self.config.wake == WakeMode::Auto {
            self.deliver_pending(tid);
        }
        // The signals may have ended the task.
        if self.pids.task(tid) != Some(row) {
            self.resuming = None;
            return Ok(());
        }
        match self.resuming.take() {
            Some((_, Interrupted::Over(call, result))) => self.give(row, tid, call, result),
            Some((_, again)) => {
                self.wait_on(row, again);
                self.note(Changed::Task(tid));
            }
            None => {}
        }
        Ok(())
    }

    /// The mask of sigsuspend(2), ppoll(2), pselect(2) ends with the call.
    pub(crate) fn end_temporary_mask(&mut self, row: TaskRow) {
        if let Some(mask) = self.rows[row].saved_mask.take() {
            self.rows[row].mask = mask;
            if self.has_deliverable(row) {
                let tid = self.rows[row].tid;
                self.signalled.push_back(tid);
            }
        }
    }

    /// A pending signal of the set, for sigtimedwait(2).
    pub(crate) fn take_signal_of(&mut self, row: TaskRow, set: SigSet) -> Option<Answer> {
        let (signal, info) = self.dequeue_signal(row, set)?;
        Some(Answer { value: i64::from(signal.number()), payload: Payload::Info(Box::new(info)) })
    }

    /// Takes a pending signal of the set: of the task before of the process, faults first, then the
    /// lowest.
    pub(crate) fn dequeue_signal(
        &mut self,
        row: TaskRow,
        set: SigSet,
    ) -> Option<(Signal, SigInfo)> {
        loop {
            let task = &self.rows[row];
            let pending = [task.pending.set, self.rows[task.process].pending.set];
            let first = |pending: SigSet| {
                let wanted = pending.intersection(set);
                wanted.intersection(SYNCHRONOUS).first().or(wanted.first())
            };
            let signal = pending.into_iter().find_map(first)?;
            // Else it was a timer's that has been set anew.
            if let Some(info) = self.take_pending(row, signal) {
                return Some((signal, info));
            }
        }
    }

    /// `Deliver`: one pending signal, at the place that a recording shows (OnDemand).
    pub(crate) fn deliver_one(&mut self, tid: u32, signal: Signal) -> Outcome {
        let misplaced = Outcome::Refused(Refusal::Misplaced);
        if self.config.wake != WakeMode::OnDemand {
            return misplaced;
        }
        let Some(row) = self.pids.task(tid) else { return Outcome::Refused(Refusal::Gone) };
        let process = self.rows[row].process;
        if signal == Signal::SIGKILL {
            self.end_process(process, WaitStatus::Signaled(Signal::SIGKILL, false));
            return Outcome::Done(Answer::default());
        }
        let Some(info) = self.take_pending(row, signal) else { return misplaced };
        // Only the mask of the call holds it back: it came while that was being made again.
        let task = &self.rows[row];
        let mask = task.saved_mask.filter(|own| !own.contains(signal));
        match mask.filter(|_| task.mask.contains(signal)) {
            Some(mask) => {
                let act = |kernel: &mut Self| {
                    kernel.act_on(row, signal, info);
                };
                self.act_unmasked(row, mask, act)
            }
            None => self.act_on(row, signal, info),
        };
        Outcome::Done(Answer::with(Payload::Info(Box::new(info))))
    }

    /// A signal that somebody outside sends.
    pub(crate) fn signal_from_outside(&mut self, target: u32, info: SigInfo) -> Outcome {
        let Some(process) = self.pids.process(target) else {
            return Outcome::Refused(Refusal::Gone);
        };
        let Some(signal) = Signal::new(info.signo) else {
            return Outcome::Failed(Errno::EINVAL);
        };
        self.post(process, signal, info);
        Outcome::Done(Answer::default())
    }

    /// siginfo of a signal that a task sends with kill(2) and its like.
    pub(crate) fn sender_info(&self, sender: TaskRow, signal: Signal, code: i32) -> SigInfo {
        let task = &self.rows[sender];
        SigInfo {
            signo: i32::from(signal.number()),
            code,
            pid: self.rows[task.process].pid,
            uid: task.credentials.uid,
            status: 0,
            value: 0,
        }
    }

    /// siginfo of a signal that the kernel itself sends to the speaker: SIGPIPE, SIGXFSZ.
    pub(crate) fn own_info(&self, task: TaskRow, signal: Signal) -> SigInfo {
        self.sender_info(task, signal, SI_USER)
    }
}

/// Whether a signal does nothing with this action.
pub(crate) fn is_ignored(signal: Signal, action: SigAction) -> bool {
    action.handler == SIG_IGN
        || (action.handler == SIG_DFL
            && matches!(signal.default_action(), DefaultAction::Ignore | DefaultAction::Continue))
}
