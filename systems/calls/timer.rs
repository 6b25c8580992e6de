//! timer_create(2), timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2).
//!
//! A timer whose signal is pending is not posted again: how often its time came meanwhile is its
//! overrun. The answers were found by experiment on Linux 6.18. Timers of CPU time are kept and
//! never due, for no CPU time passes. Not here: clocks that wake a machine (EOPNOTSUPP, as without
//! a real-time clock).

use crate::abi::flags::*;
use crate::abi::signal::SI_TIMER;
use crate::abi::{Errno, Itimer, SigEvent, SigInfo, Signal};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::memory::TIMER_BYTES;
use crate::rows::{ProcessRow, TaskRow};
use crate::tables::deadlines::Due;
use crate::tables::timers::{Notify, Timer};
use alloc::vec::Vec;

/// The clock of the caller's own CPU time as clock_getcpuclockid(3) gives it, for a process and for
/// a thread.
const OWN_CPU_CLOCKS: [u32; 2] = [-6i32 as u32, -2i32 as u32];

/// What a clock is to a timer.
pub(crate) fn is_cpu_clock(clock: u32) -> bool {
    matches!(clock, CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID)
        || OWN_CPU_CLOCKS.contains(&clock)
}

impl Kernel {
    /// timer_create(2): its number, through the pointer.
    pub(crate) fn timer_create(
        &mut self,
        task: TaskRow,
        clock: u32,
        event: Option<SigEvent>,
    ) -> CallResult {
        match clock {
            CLOCK_MONOTONIC_RAW | CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE => {
                return Err(Errno::EOPNOTSUPP.into());
            }
            10 | 12..=0x7fff_ffff => return Err(Errno::EINVAL.into()),
            _ => {}
        }
        let pid = self.rows[self.rows[task].process].pid;
        if self.has_too_many_signals(task) || !self.has_memory(TIMER_BYTES) {
            return Err(Errno::EAGAIN.into());
        }
        // From here on a number is used up, whatever comes of it.
        let number = self.timers.number(pid);
        if matches!(clock, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM) {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if clock > i32::MAX as u32 && !is_cpu_clock(clock) {
            return Err(Errno::EINVAL.into());
        }
        let default = SigEvent {
            notify: SIGEV_SIGNAL,
            signo: i32::from(Signal::SIGALRM.number()),
            value: u64::from(number),
            thread: 0,
        };
        let event = event.unwrap_or(default);
        let notify = self.whom_to_notify(task, event)?;
        let signal = Signal::new(event.signo).map_or(0, |signal| signal.number());
        let timer = Timer {
            clock,
            notify,
            signal,
            value: event.value,
            at_ns: 0,
            interval_ns: 0,
            queued: None,
            overrun: 0,
        };
        self.timers.by_number.insert((pid, number), timer);
        self.hold_bytes(TIMER_BYTES);
        let uid = self.rows[task].credentials.uid;
        self.user_signals.enter(uid);
        if uid != 0 {
            self.timers.owners.insert((pid, number), uid);
        }
        Ok(Answer::with(Payload::Number(i64::from(number))))
    }

    fn whom_to_notify(&self, task: TaskRow, event: SigEvent) -> Result<Notify, Errno> {
        let signal = Signal::new(event.signo);
        match event.notify {
            SIGEV_NONE => Ok(Notify::Nobody),
            SIGEV_SIGNAL | SIGEV_THREAD if signal.is_some() => Ok(Notify::Process),
            SIGEV_THREAD_ID if signal.is_some() => {
                let thread = self.pids.task(event.thread as u32).filter(|thread| {
                    event.thread > 0 && self.rows[*thread].process == self.rows[task].process
                });
                thread.map(|_| Notify::Thread(event.thread as u32)).ok_or(Errno::EINVAL)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn timer_key(&self, task: TaskRow, number: i32) -> Result<(u32, u32), Errno> {
        let key = (self.rows[self.rows[task].process].pid, number as u32);
        if self.timers.by_number.contains_key(&key) { Ok(key) } else { Err(Errno::EINVAL) }
    }

    /// timer_settime(2): what was left before.
    pub(crate) fn timer_settime(
        &mut self,
        task: TaskRow,
        number: i32,
        flags: u32,
        new: Option<Itimer>,
    ) -> CallResult {
        let new = new.ok_or(Errno::EINVAL)?.checked()?;
        let key = self.timer_key(task, number)?;
        let old = self.timer_left(key);
        self.disarm_timer(key);
        let start = self.config.start_ns;
        let later = self.time_in(new.value_ns);
        let Some(timer) = self.timers.by_number.get_mut(&key) else {
            return Err(Errno::EINVAL.into());
        };
        // A signal of the time before is dropped when it would be delivered.
        (timer.queued, timer.overrun) = (None, 0);
        timer.interval_ns = if new.value_ns == 0 { 0 } else { new.interval_ns };
        if new.value_ns == 0 {
            // One that tells nobody goes on with its last time (as observed).
            timer.at_ns = if timer.notify == Notify::Nobody { timer.at_ns } else { 0 };
            return Ok(Answer::with(Payload::Timer(old)));
        }
        let absolute = flags & TIMER_ABSTIME != 0;
        timer.at_ns = match (is_cpu_clock(timer.clock), absolute, timer.clock) {
            (true, ..) | (false, true, CLOCK_REALTIME) => new.value_ns,
            (false, true, _) => start.saturating_add(new.value_ns),
            (false, false, _) => later,
        };
        self.arm_timer(key);
        self.expire();
        Ok(Answer::with(Payload::Timer(old)))
    }

    pub(crate) fn arm_timer(&mut self, key: (u32, u32)) {
        if let Some(at_ns) = self.timer_deadline(key) {
            self.deadlines.add(at_ns, Due::Timer(key.0, key.1));
        }
    }

    /// When a timer is due, if the clock brings that about.
    pub(crate) fn timer_deadline(&self, key: (u32, u32)) -> Option<u64> {
        let timer = self.timers.by_number.get(&key)?;
        let tells = timer.notify != Notify::Nobody && !is_cpu_clock(timer.clock);
        (timer.at_ns != 0 && tells).then_some(timer.at_ns)
    }

    fn disarm_timer(&mut self, key: (u32, u32)) {
        if let Some(timer) = self.timers.by_number.get(&key) {
            self.deadlines.remove(timer.at_ns, Due::Timer(key.0, key.1));
        }
    }

    /// What is left of a timer.
    fn timer_left(&self, key: (u32, u32)) -> Itimer {
        let Some(timer) = self.timers.by_number.get(&key) else { return Itimer::default() };
        let interval_ns = timer.interval_ns;
        let left = |at: u64| Itimer { value_ns: at.saturating_sub(self.now_ns), interval_ns };
        if timer.at_ns == 0 || is_cpu_clock(timer.clock) {
            return Itimer { value_ns: timer.at_ns, interval_ns };
        }
        match (timer.notify, interval_ns) {
            (Notify::Nobody, 0) => left(timer.at_ns),
            _ => left(self.next_time(timer.at_ns, interval_ns)),
        }
    }

    /// The first of a row of times that lies in the future; the time itself without a period.
    fn next_time(&self, at_ns: u64, interval_ns: u64) -> u64 {
        let Some(late) = self.now_ns.checked_sub(at_ns) else { return at_ns };
        match late.checked_div(interval_ns) {
            None => at_ns,
            Some(missed) => {
                let step = interval_ns.checked_mul(missed + 1);
                step.and_then(|step| at_ns.checked_add(step)).unwrap_or(u64::MAX)
            }
        }
    }

    /// timer_gettime(2).
    pub(crate) fn timer_gettime(&self, task: TaskRow, number: i32) -> CallResult {
        let key = self.timer_key(task, number)?;
        Ok(Answer::with(Payload::Timer(self.timer_left(key))))
    }

    /// timer_getoverrun(2).
    pub(crate) fn timer_getoverrun(&self, task: TaskRow, number: i32) -> CallResult {
        let key = self.timer_key(task, number)?;
        let overrun = self.timers.by_number.get(&key).map_or(0, |timer| timer.overrun);
        Ok(Answer::value(i64::from(overrun)))
    }

    /// timer_delete(2).
    pub(crate) fn timer_delete(&mut self, task: TaskRow, number: i32) -> CallResult {
        let key = self.timer_key(task, number)?;
        self.drop_timer(key);
        Ok(Answer::default())
    }

    fn drop_timer(&mut self, key: (u32, u32)) {
        self.disarm_timer(key);
        if self.timers.by_number.remove(&key).is_some() {
            self.unhold_bytes(TIMER_BYTES);
            self.user_signals.leave(self.timers.owners.remove(&key).unwrap_or(0));
        }
    }

    /// A process ends, or executes another program: its timers go (timer_create(2), NOTES).
    pub(crate) fn drop_timers(&mut self, process: ProcessRow, ends: bool) {
        if self.timers.next.is_empty() {
            return;
        }
        let pid = self.rows[process].pid;
        let numbers: Vec<u32> = self.timers.of(pid).collect();
        for number in numbers {
            self.drop_timer((pid, number));
        }
        if ends {
            self.timers.next.remove(&pid);
        }
    }

    /// A timer's time has come: its signal is posted, or counted if it is pending still.
    pub(crate) fn timer_is_due(&mut self, pid: u32, number: u32) {
        let key = (pid, number);
        let Some(timer) = self.timers.by_number.get(&key).copied() else { return };
        let next = self.next_time(timer.at_ns, timer.interval_ns);
        let times = match timer.interval_ns {
            0 => 1,
            interval => ((next - timer.at_ns) / interval).max(1),
        };
        // At the end of the clock there is no next time.
        let at_ns = if timer.interval_ns == 0 || next <= self.now_ns { 0 } else { next };
        let (posts, missed) = match timer.queued {
            Some(_) => (false, times),
            None => (true, times - 1),
        };
        let was = timer.queued.unwrap_or(0);
        let queued = Some(was.saturating_add(missed));
        self.timers.by_number.insert(key, Timer { at_ns, queued, ..timer });
        self.arm_timer(key);
        if posts && !self.post_timer(pid, number, timer) {
            // Nobody takes it: there is nothing that could be delivered late.
            self.timers.by_number.insert(key, Timer { at_ns, queued: None, ..timer });
        }
    }

    /// Whether the signal is pending now, or was delivered at once.
    fn post_timer(&mut self, pid: u32, number: u32, timer: Timer) -> bool {
        let Some(process) = self.pids.process(pid) else { return false };
        let Some(signal) = Signal::new(i32::from(timer.signal)) else { return false };
        let info = SigInfo {
            signo: i32::from(timer.signal),
            code: SI_TIMER,
            // The union's words for `si_timerid` and `si_overrun`.
            pid: number,
            uid: 0,
            status: 0,
            value: timer.value,
        };
        match timer.notify {
            Notify::Thread(tid) => {
                let Some(thread) = self.pids.task(tid) else { return false };
                self.post_to_task(thread, signal, info);
                self.rows[thread].pending.set.contains(signal)
            }
            Notify::Process => {
                self.post(process, signal, info);
                self.rows[process].pending.set.contains(signal)
            }
            Notify::Nobody => false,
        }
    }

    /// A timer's signal leaves the queue: its overrun is told, in the siginfo too. False if the
    /// timer has been set anew or deleted since: then the signal is nobody's.
    pub(crate) fn deliver_timer(&mut self, process: ProcessRow, info: &mut SigInfo) -> bool {
        let key = (self.rows[process].pid, info.pid);
        let Some(timer) = self.timers.by_number.get_mut(&key) else { return false };
        let Some(missed) = timer.queued.take() else { return false };
        timer.overrun = i32::try_from(missed).unwrap_or(i32::MAX);
        info.uid = timer.overrun as u32;
        true
    }
}
