//! Recordings in which no call is split although tasks overlap: `strace -z` and `-e status=…` print
//! a call when it has returned, whatever was printed since it was entered. Its entry is unknown;
//! here it is put where it can have been first: after what its task did before.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Calls, Event, EventKind};
use super::result::CallResult;

/// Fewer calls than this are no sample.
const MIN_CALLS: u64 = 50;

/// Whether a recording looks like one: several tasks, never a call that is split or failed.
pub(super) fn is_unsplit(events: &[Event], calls: &Calls) -> bool {
    let tasks: BTreeSet<Option<u32>> = events.iter().map(|event| event.tid).collect();
    let is_plain = |index: u64| {
        calls.get(index).is_none_or(|call| {
            let whole = call.entry_line.is_some() && call.entry_line == call.exit_line;
            whole && call.result.as_ref().is_some_and(|result| result.errno.is_none())
        })
    };
    calls.count() >= MIN_CALLS && tasks.len() > 1 && (0..calls.count()).all(is_plain)
}

/// Moves entries to where they can have been first.
pub(super) fn spread(events: Vec<Event>, calls: &Calls) -> Vec<Event> {
    let mut last: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    let mut placed: Vec<(usize, bool, Event)> = Vec::with_capacity(events.len());
    for (at, mut event) in events.into_iter().enumerate() {
        let before = last.insert(event.tid, at);
        // A child begins where its parent made it.
        if let EventKind::Exit { call } = event.kind
            && let Some(call) = calls.get(call)
            && matches!(&*call.name, "clone" | "clone3" | "fork" | "vfork")
            && let Some(child) = call.result.as_ref().and_then(CallResult::number)
        {
            last.entry(u32::try_from(child).ok()).or_insert(at);
        }
        let place = match (&event.kind, before) {
            (EventKind::Entry { .. }, Some(before)) => {
                event.time_ns = placed.get(before).and_then(|(_, _, event)| event.time_ns);
                (before, true)
            }
            _ => (at, false),
        };
        placed.push((place.0, place.1, event));
    }
    placed.sort_by_key(|(at, after, _)| (*at, *after));
    placed.into_iter().map(|(_, _, event)| event).collect()
}
