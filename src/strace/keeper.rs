//! Takes events as they are read and keeps them (`kept.rs`), with their calls. Not here: how they
//! are read (`join.rs`) and put in one order (`folder.rs`).

use std::io;

use super::error::{Error, Reason};
use super::event::{Call, Event, EventKind, Recording};
use super::kept::{CallKeeper, EventKeeper};
use super::unsplit::{self, Looks};

/// Where the entries of calls belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entries {
    /// Where they are.
    Here,
    /// Farther up: calls were printed when they had returned.
    Above,
    /// As the recording looks.
    Seen,
}

/// A recording that is being kept.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    events: EventKeeper,
    calls: CallKeeper,
    looks: Looks,
    /// How many calls the events name: those come in the order of their numbers.
    named: u64,
}

impl Keeper {
    /// Keeps an event; at its exit with the call.
    pub(super) fn keep(&mut self, event: &Event, over: Option<&Call>) -> io::Result<()> {
        self.looks.see_task(event.tid);
        if let EventKind::Entry { call } | EventKind::Exit { call } = event.kind {
            self.named = self.named.max(call + 1);
        }
        if let (EventKind::Exit { call: index }, Some(call)) = (&event.kind, over) {
            self.looks.see_call(call);
            self.calls.put(*index, call);
        }
        self.events.push(event);
        match self.calls.take_failure().or_else(|| self.events.take_failure()) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Keeps a call that has no exit, unless it was read ahead and no event that was kept names it.
    pub(super) fn keep_open(&mut self, index: u64, call: &Call) {
        if index >= self.named {
            return;
        }
        self.looks.see_call(call);
        self.calls.put(index, call);
    }

    /// What was kept.
    pub(super) fn finish(self, entries: Entries, error: Option<Error>) -> Recording {
        let above = match entries {
            Entries::Here => false,
            Entries::Above => true,
            Entries::Seen => self.looks.unsplit(),
        };
        let mut recording =
            Recording { events: self.events.finish(), calls: self.calls.finish(), error };
        if above {
            match unsplit::spread(&recording.events, &recording.calls) {
                Ok(spread) => recording.events = spread,
                Err(why) => {
                    recording.error.get_or_insert(Error::whole(Reason::NoRoom(why)));
                }
            }
        }
        recording
    }
}
