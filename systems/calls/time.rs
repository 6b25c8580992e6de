//! Sleeping and alarms: nanosleep(2), clock_nanosleep(2), alarm(2), setitimer(2).
//!
//! The clock is a field that events move. Timers of CPU time are kept and never due, for no CPU
//! time passes. Not here: timer_create(2).

use crate::abi::flags::{CLOCK_MONOTONIC, CLOCK_REALTIME, ITIMER_PROF, ITIMER_REAL, TIMER_ABSTIME};
use crate::abi::signal::SI_KERNEL;
use crate::abi::{Errno, Itimer, SigInfo, Signal, Timespec};
use crate::components::{Restart, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::TaskRow;
use crate::tables::deadlines::Due;
use alloc::boxed::Box;

const NS: u64 = 1_000_000_000;
/// Clocks on which clock_nanosleep(2) can sleep: all but those of threads' CPU time and raw ones.
const LAST_CLOCK: u32 = 11;

impl Kernel {
    /// nanosleep(2).
    pub(crate) fn nanosleep(&mut self, request: Timespec) -> CallResult {
        let length = request.interval_ns().ok_or(Errno::EINVAL)?;
        self.sleep_until(self.now_ns.saturating_add(length), false)
    }

    /// clock_nanosleep(2).
    pub(crate) fn clock_nanosleep(
        &mut self,
        clockid: u32,
        flags: u32,
        request: Timespec,
    ) -> CallResult {
        if clockid > LAST_CLOCK {
            return Err(Errno::EINVAL.into());
        }
        if !matches!(clockid, CLOCK_REALTIME | CLOCK_MONOTONIC | 7 | 8 | 9 | 11) {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let length = request.interval_ns().ok_or(Errno::EINVAL)?;
        if flags & TIMER_ABSTIME == 0 {
            return self.sleep_until(self.now_ns.saturating_add(length), false);
        }
        let at = match clockid {
            CLOCK_REALTIME => length,
            _ => self.config.start_ns.saturating_add(length),
        };
        self.sleep_until(at, true)
    }

    fn sleep_until(&mut self, at_ns: u64, absolute: bool) -> CallResult {
        if at_ns <= self.now_ns {
            return Ok(Answer::default());
        }
        Err(Stop::block(Waiting::Sleep { absolute }, Some(at_ns), Restart::Never))
    }

    /// alarm(2): seconds left of the one before, rounded as Linux does.
    pub(crate) fn alarm(&mut self, task: TaskRow, seconds: u32) -> CallResult {
        let old = self.arm(task, u64::from(seconds) * NS, 0);
        let mut left = old.value_ns / NS;
        // Less than a second left is 1, never 0: 0 means that none was set.
        if left == 0 && old.value_ns > 0 || old.value_ns % NS >= NS / 2 {
            left += 1;
        }
        Ok(Answer::value(left as i64))
    }

    /// setitimer(2); without a value it only tells, as getitimer(2).
    pub(crate) fn itimer(
        &mut self,
        task: TaskRow,
        which: u32,
        value: Option<Itimer>,
    ) -> CallResult {
        if which > ITIMER_PROF {
            return Err(Errno::EINVAL.into());
        }
        let value = value.map(Itimer::checked).transpose()?;
        let old = match (which, value) {
            // Disarmed it forgets its period; those of CPU time keep theirs (as observed).
            (ITIMER_REAL, Some(Itimer { value_ns: 0, .. })) => self.arm(task, 0, 0),
            (ITIMER_REAL, Some(value)) => self.arm(task, value.value_ns, value.interval_ns),
            (ITIMER_REAL, None) => self.armed(task),
            (_, value) => self.cpu_timer(task, which == ITIMER_PROF, value),
        };
        Ok(Answer::with(Payload::Timer(old.in_micros())))
    }

    /// What was set before, ITIMER_PROF or ITIMER_VIRTUAL: no CPU time passes.
    fn cpu_timer(&mut self, task: TaskRow, is_prof: bool, value: Option<Itimer>) -> Itimer {
        let process = self.rows[task].process;
        let old = self.rows[process].cpu_timers.as_deref().copied().unwrap_or_default();
        let Some(value) = value else { return old[usize::from(is_prof)] };
        let mut timers = old;
        timers[usize::from(is_prof)] = value;
        let is_set = timers != [Itimer::default(); 2];
        self.rows[process].cpu_timers = is_set.then(|| Box::new(timers));
        old[usize::from(is_prof)]
    }

    fn armed(&self, task: TaskRow) -> Itimer {
        let process = &self.rows[self.rows[task].process];
        let value_ns = match process.alarm_ns {
            0 => 0,
            at => at.saturating_sub(self.now_ns).max(1),
        };
        Itimer { value_ns, interval_ns: process.alarm_interval_ns }
    }

    /// When so much time will have passed; the clock of Linux ends 2^63 ns after it was started.
    pub(crate) fn time_in(&self, ns: u64) -> u64 {
        let end = self.config.start_ns.saturating_add(i64::MAX as u64);
        self.now_ns.saturating_add(ns).min(end.max(self.now_ns))
    }

    fn arm(&mut self, task: TaskRow, value_ns: u64, interval_ns: u64) -> Itimer {
        let old = self.armed(task);
        let process = self.rows[task].process;
        let pid = self.rows[process].pid;
        let before = self.rows[process].alarm_ns;
        if before != 0 {
            self.deadlines.remove(before, Due::Alarm(pid));
        }
        let at = if value_ns == 0 { 0 } else { self.time_in(value_ns) };
        self.rows[process].alarm_ns = at;
        self.rows[process].alarm_interval_ns = interval_ns;
        if at != 0 {
            self.deadlines.add(at, Due::Alarm(pid));
        }
        old
    }

    /// SIGALRM of a process is due: it is posted, and the timer armed again if it has a period.
    pub(crate) fn ring(&mut self, pid: u32) {
        let Some(process) = self.pids.process(pid) else { return };
        let (at, interval) = {
            let row = &self.rows[process];
            (row.alarm_ns, row.alarm_interval_ns)
        };
        // Missed periods are skipped: the signal would have merged.
        // At the end of the clock there is no next time.
        let missed = self.now_ns.saturating_sub(at).checked_div(interval);
        let step = missed.and_then(|missed| interval.checked_mul(missed + 1));
        let next = step.and_then(|step| at.checked_add(step)).unwrap_or(0);
        self.rows[process].alarm_ns = next;
        if next != 0 {
            self.deadlines.add(next, Due::Alarm(pid));
        }
        let signal = Signal::SIGALRM;
        let info =
            SigInfo { signo: i32::from(signal.number()), code: SI_KERNEL, ..SigInfo::default() };
        self.post(process, signal, info);
    }
}
