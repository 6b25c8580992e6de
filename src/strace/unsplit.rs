//! Recordings in which no call is split although tasks overlap: `strace -z` and `-e status=…` print
//! a call when it has returned, whatever was printed since it was entered. Its entry is unknown;
//! here it is put where it can have been first: after what its task did before.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::event::{Call, Event, EventKind};
use super::kept::{CallList, EventKeeper, EventList};
use super::result::CallResult;

/// Fewer calls than this are no sample.
const MIN_CALLS: u64 = 50;
/// More tasks than this need not be told apart.
const ENOUGH_TASKS: usize = 2;

/// Whether a recording looks like one: several tasks, never a call that is split or failed.
#[derive(Debug, Default)]
pub(super) struct Looks {
    tasks: BTreeSet<Option<u32>>,
    calls: u64,
    has_other: bool,
}

impl Looks {
    pub(super) fn see_task(&mut self, tid: Option<u32>) {
        if self.tasks.len() < ENOUGH_TASKS {
            self.tasks.insert(tid);
        }
    }

    pub(super) fn see_call(&mut self, call: &Call) {
        let whole = call.entry_line.is_some() && call.entry_line == call.exit_line;
        self.calls += 1;
        self.has_other |=
            !(whole && call.result.as_ref().is_some_and(|result| result.errno.is_none()));
    }

    pub(super) fn unsplit(&self) -> bool {
        self.calls >= MIN_CALLS && self.tasks.len() > 1 && !self.has_other
    }
}

/// An entry that goes up: after which place, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moved {
    after: u32,
    at: u32,
}

/// What a task did last: where that stands, and if it is an entry that goes up, after which place.
#[derive(Clone, Copy, Debug)]
struct Before {
    at: u32,
    after: Option<u32>,
}

/// Which entries go up, and of these that others follow: after which place.
type Moves = (Vec<Moved>, BTreeMap<u32, u32>);

fn moves(events: &EventList, calls: &CallList) -> io::Result<Moves> {
    let mut last: BTreeMap<Option<u32>, Before> = BTreeMap::new();
    let (mut moved, mut chained) = (Vec::new(), BTreeMap::new());
    for (at, event) in (0_u64..).zip(events) {
        let at = u32::try_from(at).map_err(io::Error::other)?;
        let mut after = None;
        if let (EventKind::Entry { .. }, Some(before)) = (&event.kind, last.get(&event.tid)) {
            after = Some(before.at);
            moved.push(Moved { after: before.at, at });
            if let Some(above) = before.after {
                chained.insert(before.at, above);
            }
        }
        last.insert(event.tid, Before { at, after });
        // A child begins where its parent made it.
        if let EventKind::Exit { call } = event.kind
            && let Some(call) = calls.get(call)
            && matches!(&*call.name, "clone" | "clone3" | "fork" | "vfork")
            && let Some(child) = call.result.as_ref().and_then(CallResult::number)
        {
            let own = Before { at, after: None };
            last.entry(u32::try_from(child).ok()).or_insert(own);
        }
    }
    moved.sort_unstable();
    Ok((moved, chained))
}

/// Moves entries to where they can have been first.
pub(super) fn spread(events: &EventList, calls: &CallList) -> io::Result<EventList> {
    let (moved, chained) = moves(events, calls)?;
    let mut stays = vec![true; usize::try_from(events.len()).map_err(io::Error::other)?];
    for one in &moved {
        if let Some(stays) = stays.get_mut(one.at as usize) {
            *stays = false;
        }
    }
    let mut spread = EventKeeper::default();
    let mut moved = moved.iter().peekable();
    for (at, event) in (0_u32..).zip(events) {
        if stays.get(at as usize) == Some(&true) {
            spread.push(&event);
        }
        while let Some(one) = moved.next_if(|one| one.after == at) {
            let Some(mut entry) = events.get(u64::from(one.at)) else { continue };
            entry.time_ns = time_at(events, &chained, at, &event);
            spread.push(&entry);
        }
    }
    match spread.take_failure() {
        Some(why) => Err(why),
        None => Ok(spread.finish()),
    }
}

/// The time of what stands at a place; an entry that goes up has that of what stands there.
fn time_at(
    events: &EventList,
    chained: &BTreeMap<u32, u32>,
    mut at: u32,
    own: &Event,
) -> Option<u64> {
    let Some(above) = chained.get(&at) else { return own.time_ns };
    at = *above;
    while let Some(above) = chained.get(&at) {
        at = *above;
    }
    events.get(u64::from(at)).and_then(|event| event.time_ns)
}
