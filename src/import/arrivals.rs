//! Where a signal comes from that a line shows, or that a wait tells of: a call of another task
//! that sends it (kill(2)), the end of a child, a timer whose time is up (setitimer(2), alarm(2),
//! timer_create(2)), or somebody who was not recorded.

use tickernel_systems::abi::signal::{
    CLD_DUMPED, CLD_EXITED, CLD_KILLED, SI_KERNEL, SI_TIMER, SIG_DFL, SIG_IGN,
};
use tickernel_systems::abi::{SigInfo, SigSet, Signal, WaitStatus};
use tickernel_systems::event::{Call, Event, Payload};

use super::order::{MAX_DEMANDS, Order};
use crate::replay::{FED, Recorded};

/// How much later than its line a timer's time may be.
const MAX_LATE_NS: u64 = 1_000_000_000;

impl Order<'_> {
    /// Brings about that a signal is pending, as far as the recording has the reason.
    pub(super) fn bring(&mut self, tid: u32, signal: Signal, recorded: &SigInfo) {
        if matches!(recorded.code, CLD_EXITED | CLD_KILLED | CLD_DUMPED) {
            let status = match (recorded.code, Signal::new(recorded.status)) {
                (CLD_EXITED, _) => Some(WaitStatus::Exited(recorded.status as u8)),
                (code, Some(by)) => Some(WaitStatus::Signaled(by, code == CLD_DUMPED)),
                (_, None) => None,
            };
            self.end_unseen(recorded.pid, status);
        }
        if signal == Signal::SIGWINCH
            && recorded.code == SI_KERNEL
            && !self.kernel.has_pending(tid, signal)
            && self.resize(tid)
            && self.kernel.has_pending(tid, signal)
        {
            return;
        }
        for _ in 0..MAX_DEMANDS {
            if self.kernel.has_pending(tid, signal) || !self.supply_signal(tid, recorded.pid) {
                break;
            }
        }
        if !self.kernel.has_pending(tid, signal) {
            self.ring(tid, signal, recorded);
        }
    }

    /// The clock goes to where a timer sends the signal.
    fn ring(&mut self, tid: u32, signal: Signal, recorded: &SigInfo) {
        let number = match recorded.code {
            SI_TIMER => Some(recorded.pid),
            SI_KERNEL => None,
            // The program did not ask what it was.
            0 if *recorded == nameless(signal) => None,
            _ => return,
        };
        let Some(deadline) = self.kernel.rings_at(tid, signal, number) else { return };
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let returned = pending.and_then(|pending| pending.printed.exit_time_ns);
        let seen_ns = returned.unwrap_or(self.line_ns).max(self.line_ns);
        let latest = self.start_ns.saturating_add(seen_ns).saturating_add(MAX_LATE_NS);
        let delta_ns = deadline.saturating_sub(self.kernel.now_ns());
        if delta_ns > 0 && (!self.has_times || deadline <= latest) {
            self.emit(&Event::Clock { delta_ns }, None, None);
        }
    }

    /// Something interrupted a task's call, and no line tells what: the first of its timers, if its
    /// signal is caught.
    pub(super) fn ring_any(&mut self, tid: u32) {
        let caught = |signal: &Signal| {
            let action = self.kernel.action_of(tid, *signal).unwrap_or_default();
            !matches!(action.handler, SIG_DFL | SIG_IGN)
        };
        let signals = (1..=64).filter_map(Signal::new).filter(caught);
        let times =
            signals.filter_map(|signal| Some((self.kernel.rings_at(tid, signal, None)?, signal)));
        if let Some((_, signal)) = times.min() {
            self.ring(tid, signal, &nameless(signal));
        }
    }

    /// A signal from somebody who was not recorded.
    pub(super) fn inject(&mut self, tid: u32, recorded: SigInfo) {
        let process = self.kernel.process_of_task(tid).unwrap_or(tid);
        self.emit(&Event::Signal { target: process, info: recorded }, None, None);
    }

    /// What sigtimedwait(2) took, or sigpending(2) shows, is pending.
    pub(super) fn bring_awaited(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        let expected = &pending.decoded.expected;
        match (pending.decoded.parsed(), expected.recorded, &expected.payload) {
            (Some(Call::RtSigtimedwait { .. }), Recorded::Value(value), payload) => {
                let signal = i32::try_from(value).ok().and_then(Signal::new);
                let info = if let Payload::Info(info) = payload { Some(**info) } else { None };
                if let Some(signal) = signal {
                    self.bring_taken(tid, signal, info);
                }
            }
            (Some(Call::RtSigpending {}), Recorded::Value(_), Payload::Set(set)) => {
                let set: SigSet = *set;
                for signal in (1..=64).filter_map(Signal::new) {
                    if set.contains(signal) && !self.kernel.has_pending(tid, signal) {
                        self.bring(tid, signal, &nameless(signal));
                    }
                }
            }
            _ => {}
        }
    }

    fn bring_taken(&mut self, tid: u32, signal: Signal, info: Option<SigInfo>) {
        let info = info.unwrap_or(nameless(signal));
        self.bring(tid, signal, &info);
        if self.kernel.has_pending(tid, signal) {
            return;
        }
        self.inject(tid, info);
        if let Some(pending) = self.task(tid).pending.as_mut() {
            pending.decoded.expected.flags |= FED;
        }
    }
}

/// A signal of which nothing but the number is known.
fn nameless(signal: Signal) -> SigInfo {
    SigInfo { signo: i32::from(signal.number()), ..SigInfo::default() }
}
