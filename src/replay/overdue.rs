//! Signals that a recording never shows (IMPORT.md section 3: "a simulated pending signal that the
//! recording never delivers = mismatch").
//!
//! A signal that is neither held back nor ignored is taken before its task runs in user mode again
//! (signal(7)). What proves that it ran: calls of the task that entered, one after the other,
//! beyond the line by which the signal was sent. One that a call sent to its own task is due at
//! once; one from another task may still arrive while the first of them runs.
//!
//! Not here: a signal that is sent so near to the end that no call proves anything; what several
//! threads share. A recording that shows no change of a mask may have been filtered: there a
//! signal counts as lost only when its task ends.

use std::collections::BTreeMap;

use tickernel_systems::Kernel;
use tickernel_systems::abi::{SigSet, Signal};
use tickernel_systems::event::{Call, Event};

/// So many calls may enter beyond the line by which another task sent a signal.
const GRACE_CALLS: u32 = 2;

/// A signal that a task should have taken.
#[derive(Clone, Copy, Debug)]
struct Watch {
    /// By this line it was pending.
    since: u64,
    /// Calls that entered beyond it.
    calls: u32,
    /// It was reported.
    told: bool,
}

/// All signals that are due.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    watched: BTreeMap<(u32, Signal), Watch>,
    /// The last line of what may have sent a signal to another task so far.
    line: u64,
    /// The recording shows changes of masks.
    shows_masks: bool,
}

impl Overdue {
    /// An event with these lines is about to be taken.
    pub(super) fn note(&mut self, event: &Event<'_>, lines: Option<(u64, u64)>) {
        let sends = match event {
            Event::Call { call, .. } => {
                self.shows_masks |= matches!(call, Call::RtSigprocmask { set: Some(_), .. });
                is_sender(call)
            }
            Event::Deliver { task, signal } => {
                self.watched.remove(&(*task, *signal));
                true
            }
            _ => false,
        };
        if let Some((_, last)) = lines.filter(|_| sends) {
            self.line = self.line.max(last);
        }
    }

    /// A call of a task enters. Says which signal the task should have taken before, once for each.
    pub(super) fn enter(
        &mut self,
        kernel: &Kernel,
        task: u32,
        call: &Call<'_>,
        lines: (u64, u64),
    ) -> Option<String> {
        let due = self.refresh(kernel, task);
        let ends = matches!(call, Call::Exit { .. } | Call::ExitGroup { .. });
        let mut lost = None;
        for signal in due.iter() {
            let fresh = Watch { since: self.line, calls: 0, told: false };
            let watch = self.watched.entry((task, signal)).or_insert(fresh);
            if lines.0 <= watch.since || watch.told {
                continue;
            }
            watch.calls += 1;
            if watch.calls > GRACE_CALLS && (self.shows_masks || ends) {
                watch.told = true;
                lost = lost.or_else(|| Some(why(signal, watch.since)));
            }
        }
        lost
    }

    /// A call of a task is over: what became due in it must be taken before the next.
    pub(super) fn leave(&mut self, kernel: &Kernel, task: u32, lines: (u64, u64)) {
        for signal in self.refresh(kernel, task).iter() {
            let fresh = Watch { since: lines.1, calls: GRACE_CALLS, told: false };
            self.watched.entry((task, signal)).or_insert(fresh);
        }
    }

    /// Whether a task may have lost a signal, and nothing proves it yet.
    #[inline]
    pub(super) fn suspects(&self, task: u32) -> bool {
        let is_lost = |watch: &Watch| !watch.told && watch.calls > GRACE_CALLS;
        let mut of_task = self.watched.iter().filter(|((of, _), _)| *of == task);
        !self.watched.is_empty() && of_task.any(|(_, watch)| is_lost(watch))
    }

    /// The end of the recording: tasks, and why, once for each.
    pub(super) fn last(&self, kernel: &Kernel) -> Vec<(u32, String)> {
        let lost = self.watched.iter().filter(|((task, signal), watch)| {
            let due = kernel.due_signals(*task).contains(*signal);
            due && !watch.told && watch.calls > GRACE_CALLS
        });
        let mut lost: Vec<(u32, String)> =
            lost.map(|((task, signal), watch)| (*task, why(*signal, watch.since))).collect();
        lost.dedup_by_key(|(task, _)| *task);
        lost
    }

    /// What a task must take now; what it took is forgotten.
    #[inline]
    fn refresh(&mut self, kernel: &Kernel, task: u32) -> SigSet {
        if !kernel.has_signals() {
            self.watched.clear();
            return SigSet::EMPTY;
        }
        let due = kernel.due_signals(task);
        self.watched.retain(|(of, signal), _| *of != task || due.contains(*signal));
        due
    }
}

/// Calls after which another task may have a signal; the end of a process tells its parent.
fn is_sender(call: &Call<'_>) -> bool {
    matches!(
        call,
        Call::Kill { .. }
            | Call::Tkill { .. }
            | Call::Tgkill { .. }
            | Call::RtSigqueueinfo { .. }
            | Call::RtTgsigqueueinfo { .. }
            | Call::Exit { .. }
            | Call::ExitGroup { .. }
    )
}

fn why(signal: Signal, since: u64) -> String {
    let name = signal.name();
    format!("signal {name}, pending since line {since}, is never shown to be delivered")
}
