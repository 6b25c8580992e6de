//! Signal calls: sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2), pause(2),
//! sigtimedwait(2), kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2), rt_tgsigqueueinfo(2),
//! sigreturn(2).

use crate::abi::credentials::CAP_KILL;
use crate::abi::flags::*;
use crate::abi::signal::{SI_TKILL, SI_USER, SIG_IGN};
use crate::abi::{AltStack, Errno, SigAction, SigInfo, SigSet, Signal, Timespec};
use crate::components::{Life, Restart, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::queue::Posted;
use crate::rows::{ProcessRow, RowKind, TaskRow};
use crate::tables::family::Club;
use alloc::boxed::Box;

/// Smallest alternate stack (`MINSIGSTKSZ`).
const MINSIGSTKSZ: u64 = 2048;

/// The flags of sigaction(2) that the kernel keeps.
const KNOWN_FLAGS: u32 = SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_SIGINFO
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND
    | SA_RESTORER
    | SA_EXPOSE_TAGBITS;

impl Kernel {
    /// rt_sigaction(2).
    pub(crate) fn rt_sigaction(
        &mut self,
        task: TaskRow,
        signum: i32,
        act: Option<SigAction>,
    ) -> CallResult {
        let signal = Signal::new(signum).ok_or(Errno::EINVAL)?;
        if act.is_some() && signal.is_unstoppable() {
            return Err(Errno::EINVAL.into());
        }
        let handlers = self.rows[task].handlers;
        let old = self.rows[handlers].action(signal);
        if let Some(mut action) = act {
            action.mask = action.mask.without(SigSet::UNSTOPPABLE);
            // A program sees by them which flags the kernel knows (sigaction(2), SA_UNSUPPORTED).
            action.flags &= KNOWN_FLAGS;
            self.rows[handlers].set(signal, action);
            if crate::deliver::is_ignored(signal, action) {
                self.drop_pending(task, signal);
            }
        }
        Ok(Answer::with(Payload::Action(Box::new(old))))
    }

    /// A signal that becomes ignored is no longer pending, even if blocked (sigaction(2), NOTES).
    fn drop_pending(&mut self, task: TaskRow, signal: Signal) {
        let process = self.rows[task].process;
        let set = SigSet::of(signal);
        self.discard(process, set);
    }

    /// rt_sigprocmask(2).
    pub(crate) fn rt_sigprocmask(
        &mut self,
        task: TaskRow,
        how: u32,
        set: Option<SigSet>,
    ) -> CallResult {
        let old = self.rows[task].mask;
        if let Some(set) = set {
            let new = match how {
                SIG_BLOCK => old.union(set),
                SIG_UNBLOCK => old.without(set),
                SIG_SETMASK => set,
                _ => return Err(Errno::EINVAL.into()),
            };
            self.rows[task].mask = new.without(SigSet::UNSTOPPABLE);
            self.look_for_signals(task);
        }
        Ok(Answer::with(Payload::Set(old)))
    }

    /// Signals that a new mask lets through are delivered after the call.
    fn look_for_signals(&mut self, task: TaskRow) {
        if self.has_deliverable(task) {
            let tid = self.rows[task].tid;
            self.signalled.push_back(tid);
        }
    }

    /// rt_sigpending(2).
    pub(crate) fn rt_sigpending(&mut self, task: TaskRow) -> CallResult {
        let row = &self.rows[task];
        let pending = row.pending.set.union(self.rows[row.process].pending.set);
        Ok(Answer::with(Payload::Set(pending.intersection(row.mask))))
    }

    /// rt_sigsuspend(2).
    pub(crate) fn rt_sigsuspend(&mut self, task: TaskRow, set: SigSet) -> CallResult {
        let row = &mut self.rows[task];
        row.saved_mask = Some(row.mask);
        row.mask = set.without(SigSet::UNSTOPPABLE);
        Err(pause_forever())
    }

    /// pause(2).
    pub(crate) fn pause(&mut self) -> CallResult {
        Err(pause_forever())
    }

    /// rt_sigtimedwait(2).
    pub(crate) fn rt_sigtimedwait(
        &mut self,
        task: TaskRow,
        set: SigSet,
        timeout: Option<Timespec>,
    ) -> CallResult {
        let timeout_ns = match timeout {
            None => None,
            Some(time) => Some(time.interval_ns().ok_or(Errno::EINVAL)?),
        };
        let set = set.without(SigSet::UNSTOPPABLE);
        if let Some(answer) = self.take_signal_of(task, set) {
            return Ok(answer);
        }
        if timeout_ns == Some(0) {
            return Err(Errno::EAGAIN.into());
        }
        Err(Stop::block(
            Waiting::Signal { set },
            timeout_ns.map(|ns| self.now_ns.saturating_add(ns)),
            Restart::NeverAtAll,
        ))
    }

    /// kill(2).
    pub(crate) fn kill(&mut self, task: TaskRow, target: i32, sig: i32) -> CallResult {
        // Whom it is for is looked up before the number is looked at.
        let signal = valid(sig);
        let result = match target {
            i32::MIN => Err(Errno::ESRCH),
            -1 => self.kill_all(task, signal),
            0 => self.kill_group(task, self.rows[self.rows[task].process].pgid, signal),
            group if group < 0 => self.kill_group(task, group.unsigned_abs(), signal),
            pid => match self.pids.process(pid as u32) {
                Some(process) => self.kill_one(task, process, signal),
                None => self.kill_thread_by_number(task, pid as u32, signal),
            },
        };
        result?;
        Ok(Answer::default())
    }

    /// kill(2) takes the id of any thread for its process.
    fn kill_thread_by_number(
        &mut self,
        task: TaskRow,
        tid: u32,
        signal: Wanted,
    ) -> Result<(), Errno> {
        let row = self.pids.task(tid).ok_or(Errno::ESRCH)?;
        let process = self.rows[row].process;
        self.kill_one(task, process, signal)
    }

    fn kill_one(
        &mut self,
        task: TaskRow,
        process: ProcessRow,
        signal: Wanted,
    ) -> Result<(), Errno> {
        let signal = signal?;
        self.may_kill(task, process, signal)?;
        if let Some(signal) = signal
            && self.rows[process].life == Life::Alive
        {
            let info = self.sender_info(task, signal, SI_USER);
            self.post(process, signal, info);
        }
        Ok(())
    }

    /// Succeeds if one member took it; else the last error.
    fn kill_group(&mut self, task: TaskRow, group: u32, signal: Wanted) -> Result<(), Errno> {
        let mut result = Err(Errno::ESRCH);
        for member in self.members(Club::Group, group) {
            let one = self.kill_one(task, member, signal);
            if result != Ok(()) {
                result = one;
            }
        }
        self.caller_goes_first(task);
        result
    }

    /// Who sends a signal to itself too takes it on the way out of its call, before the others run
    /// (kill(2), NOTES): what their ends tell it finds it in its handler, with the handler's mask.
    fn caller_goes_first(&mut self, task: TaskRow) {
        let own = self.rows[task].tid;
        if let Some(at) = self.signalled.iter().position(|tid| *tid == own)
            && at > 0
        {
            self.signalled.remove(at);
            self.signalled.push_front(own);
        }
    }

    /// Every process but init and the caller.
    fn kill_all(&mut self, task: TaskRow, signal: Wanted) -> Result<(), Errno> {
        let own = self.rows[task].process;
        let mut result = Err(Errno::ESRCH);
        // Zombies count as found. Being forbidden is no error here (kill(2): it needs one process).
        for (pid, process) in ProcessRow::all(&self.rows) {
            if pid == u64::from(self.init) || process == own {
                continue;
            }
            match self.kill_one(task, process, signal) {
                Ok(()) | Err(Errno::EPERM) => result = Ok(()),
                Err(errno) => result = Err(errno),
            }
        }
        result
    }

    /// The rule of kill(2): the same real or saved user, a capability, or SIGCONT in one session.
    pub(crate) fn may_kill(
        &self,
        task: TaskRow,
        process: ProcessRow,
        signal: Option<Signal>,
    ) -> Result<(), Errno> {
        let sender = &self.rows[task];
        let own = &self.rows[sender.process];
        let (by, target) = (&sender.credentials, &self.rows[process]);
        if sender.process == process || by.capable(CAP_KILL) {
            return Ok(());
        }
        let first = target.threads.first().and_then(|tid| self.pids.task(*tid));
        let (real, saved) = match first {
            Some(first) => (self.rows[first].credentials.uid, self.rows[first].credentials.suid),
            None => (target.last_uid, target.last_uid),
        };
        let same = [by.euid, by.uid].iter().any(|uid| *uid == saved || *uid == real);
        let continues = signal == Some(Signal::SIGCONT) && own.sid == target.sid;
        if same || continues { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// tgkill(2), and tkill(2) with `tgid` none.
    pub(crate) fn tgkill(
        &mut self,
        task: TaskRow,
        tgid: Option<i32>,
        tid: i32,
        sig: i32,
    ) -> CallResult {
        if tid <= 0 || tgid.is_some_and(|tgid| tgid <= 0) {
            return Err(Errno::EINVAL.into());
        }
        self.signal_thread(task, tgid, tid, (sig, None))
    }

    /// A signal to one thread; without its own siginfo it is tgkill(2)'s.
    fn signal_thread(
        &mut self,
        task: TaskRow,
        tgid: Option<i32>,
        tid: i32,
        (sig, info): (i32, Option<SigInfo>),
    ) -> CallResult {
        let signal = valid(sig);
        let Some(row) = self.pids.task(tid as u32) else {
            // A zombie's leader is still found; nothing reaches it.
            let process = self.pids.process(tid as u32).ok_or(Errno::ESRCH)?;
            if tgid.is_some_and(|tgid| tgid != tid) {
                return Err(Errno::ESRCH.into());
            }
            self.may_kill(task, process, signal?)?;
            return Ok(Answer::default());
        };
        let process = self.rows[row].process;
        if tgid.is_some_and(|tgid| tgid as u32 != self.rows[process].pid) {
            return Err(Errno::ESRCH.into());
        }
        let signal = signal?;
        self.may_kill(task, process, signal)?;
        if let Some(signal) = signal {
            let own = info.unwrap_or_else(|| self.sender_info(task, signal, SI_TKILL));
            refused(self.post_to_task(row, signal, SigInfo { signo: sig, ..own }))?;
        }
        Ok(Answer::default())
    }

    /// Only the kernel may say SI_USER or more of others, and nobody that he used tgkill(2)
    /// (rt_sigqueueinfo(2)); `target` is the number that the caller wrote.
    fn may_tell(&self, task: TaskRow, target: i32, info: SigInfo) -> Result<(), Errno> {
        let foreign = i64::from(self.rows[task].tid) != i64::from(target);
        let forged = info.code >= 0 || info.code == SI_TKILL;
        if foreign && forged { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// rt_tgsigqueueinfo(2).
    pub(crate) fn rt_tgsigqueueinfo(
        &mut self,
        task: TaskRow,
        (tgid, tid): (i32, i32),
        sig: i32,
        info: SigInfo,
    ) -> CallResult {
        if tgid <= 0 || tid <= 0 {
            return Err(Errno::EINVAL.into());
        }
        self.may_tell(task, tid, info)?;
        self.signal_thread(task, Some(tgid), tid, (sig, Some(info)))
    }

    /// rt_sigqueueinfo(2). The number of any thread is that of its process.
    pub(crate) fn rt_sigqueueinfo(
        &mut self,
        task: TaskRow,
        target: i32,
        sig: i32,
        info: SigInfo,
    ) -> CallResult {
        self.may_tell(task, target, info)?;
        let number = target as u32;
        let of_thread = || self.pids.task(number).map(|row| self.rows[row].process);
        let process = self.pids.process(number).or_else(of_thread).ok_or(Errno::ESRCH)?;
        let signal = valid(sig)?;
        self.may_kill(task, process, signal)?;
        if let Some(signal) = signal
            && self.rows[process].life == Life::Alive
        {
            refused(self.post(process, signal, SigInfo { signo: sig, ..info }))?;
        }
        Ok(Answer::default())
    }

    /// sigaltstack(2). Where the guest's stack pointer is nobody knows here: never on it.
    pub(crate) fn sigaltstack(&mut self, task: TaskRow, ss: Option<AltStack>) -> CallResult {
        let old = self.rows[task].alt_stack;
        if let Some(new) = ss {
            if new.flags & !(SS_ONSTACK | SS_DISABLE | SS_AUTODISARM) != 0 {
                return Err(Errno::EINVAL.into());
            }
            self.rows[task].alt_stack = if new.flags & SS_DISABLE != 0 {
                super::NO_ALT_STACK
            } else if new.size < MINSIGSTKSZ {
                return Err(Errno::ENOMEM.into());
            } else {
                AltStack { flags: new.flags & SS_AUTODISARM, ..new }
            };
        }
        Ok(Answer::with(Payload::AltStack(old)))
    }

    /// rt_sigreturn(2).
    pub(crate) fn rt_sigreturn(&mut self, task: TaskRow) -> CallResult {
        self.sigreturn(task)?;
        Ok(Answer::default())
    }

    /// Whether a process ignores a signal.
    pub fn ignores(&self, pid: u32, signal: Signal) -> bool {
        self.pids.process(pid).is_some_and(|process| {
            let (action, _) = self.process_action(process, signal);
            action.handler == SIG_IGN || crate::deliver::is_ignored(signal, action)
        })
    }
}

/// The signal that is sent, none for 0, or that there is no such one.
type Wanted = Result<Option<Signal>, Errno>;

fn valid(sig: i32) -> Wanted {
    match sig {
        0 => Ok(None),
        number => Signal::new(number).map(Some).ok_or(Errno::EINVAL),
    }
}

/// EAGAIN if the queue had no room for a signal.
pub(crate) fn refused(posted: Posted) -> Result<(), Errno> {
    match posted {
        Posted::Pending | Posted::Nothing => Ok(()),
        Posted::Refused => Err(Errno::EAGAIN),
    }
}

fn pause_forever() -> Stop {
    Stop::block(Waiting::Pause, None, Restart::Never)
}
