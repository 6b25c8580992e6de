//! What becomes of tasks that get a signal, as the recording tells farther on: found before the
//! walk (`order.rs`), which comes to the signals in the same order. signal(7): only some of them
//! end a task, and whether this one did its next line says.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::Signal;
use tickernel_systems::abi::signal::DefaultAction;

use super::numbers;
use crate::strace::{EventKind, Recording};

/// What becomes of a task after a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The signal ends it.
    Dies,
    /// It goes on.
    Lives,
    /// Nothing tells.
    Unknown,
}

/// A signal of which nothing is told yet: its place, and which it is.
type Waiting = (u32, Option<Signal>);

/// One for each signal, in their order. A signal takes some bytes here, its line some hundred.
pub(super) fn of_signals(recording: &Recording) -> Vec<Fate> {
    let mut fates = Vec::new();
    let mut waiting: BTreeMap<Option<u32>, Vec<Waiting>> = BTreeMap::new();
    for event in &recording.events {
        let killed_by = match &event.kind {
            EventKind::Signal { name, .. } => {
                let place = u32::try_from(fates.len()).unwrap_or(u32::MAX);
                let before = waiting.entry(event.tid).or_default();
                // A stop is told before the next signal is.
                if let Some((at, Some(signal))) = before.last()
                    && signal.default_action() == DefaultAction::Stop
                    && let Some(slot) = fates.get_mut(*at as usize)
                {
                    *slot = Fate::Lives;
                    before.pop();
                }
                before.push((place, Signal::from_name(name)));
                fates.push(Fate::Unknown);
                continue;
            }
            EventKind::Notice(_) => continue,
            EventKind::Entry { .. } | EventKind::Exit { .. } => None,
            EventKind::Killed { signal, .. } => Some(Signal::from_name(signal)),
            EventKind::Stopped { .. }
            | EventKind::Exited { .. }
            | EventKind::Superseded { .. }
            | EventKind::Detached => {
                waiting.remove(&event.tid);
                continue;
            }
        };
        for (place, signal) in waiting.remove(&event.tid).into_iter().flatten() {
            let fate = match killed_by {
                None => Fate::Lives,
                Some(by) if by == signal => Fate::Dies,
                Some(_) => Fate::Unknown,
            };
            if let Some(slot) = fates.get_mut(place as usize) {
                *slot = fate;
            }
        }
    }
    fates
}

/// Children of whose ends SIGCHLD told: one signal stands for all that ended before it was taken.
pub(super) fn children_told_of(recording: &Recording) -> BTreeSet<u32> {
    let info = |event: crate::strace::Event| match &event.kind {
        EventKind::Signal { info, .. } => numbers::siginfo(info).map(|info| info.pid),
        _ => None,
    };
    recording.events.iter().filter_map(info).collect()
}
