//! Where a pipe ran dry between calls that overlap. Which page slots its bytes lie in follows from
//! that (pipe(7); a write fills up the last page only while there is one), and so does whether a
//! later write finds room: a walk that meets a write without room, which the recording says had it,
//! names here the read and the write before it that were the other way round, and the next walk
//! takes them so. What was read tells nothing of it: the bytes are the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tickernel_systems::event::Call;

use super::order::Order;
use super::task::Pending;
use crate::replay::Recorded;

/// Most orders of a pipe that are kept in mind.
const MAX_ORDERS: usize = 128;
/// Most writes of a pipe's bytes that are kept, and most of its slots.
const MAX_WRITES: usize = 1 << 16;
/// Most walks of a recording that are taken for it.
pub const MAX_WALKS: usize = 16;
/// Bytes of a page slot.
const SLOT_BYTES: u64 = 4096;

/// A place in a pipe's bytes where the order of the lines is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// Own id of the pipe.
    pub pipe: u64,
    /// How many bytes had gone through it.
    pub at: u64,
    /// It ran dry there; else it did not, and the order of the lines says that it did.
    pub dry: bool,
}

/// What is known of the pipes of a walk.
#[derive(Default)]
pub struct Drained {
    pipes: BTreeMap<u64, Seen>,
    /// From walks before this one.
    pub told: BTreeSet<Turn>,
    /// The orders in which the first of them would have found it, the likeliest first.
    pub found: Vec<Vec<Turn>>,
    /// Writes that found no room and should have.
    pub without_room: u64,
}

/// A pipe.
#[derive(Default)]
struct Seen {
    /// Writes of which not all is read: where they begin, how long they are, their line.
    writes: VecDeque<(u64, u64, u64)>,
    /// As the walk has it.
    own: Slots,
    /// Where it ran dry since it had to, and need not have.
    dry: Vec<u64>,
    /// As it could be too, the latest last.
    other: VecDeque<Other>,
}

/// Another order of a pipe's calls.
struct Other {
    /// Where it ran dry and the walk has it otherwise.
    dry: Option<u64>,
    /// From which of the walk's dry moments on it did not run dry.
    since: usize,
    slots: Slots,
}

/// The page slots in use: from which byte of the pipe to which.
#[derive(Clone, Default, PartialEq, Eq)]
struct Slots(VecDeque<(u64, u64)>);

impl Slots {
    fn write(&mut self, start: u64, len: u64) {
        let end = start.saturating_add(len);
        let odd = len % SLOT_BYTES;
        let mut at = start;
        if let Some(last) = self.0.back_mut()
            && odd > 0
            && last.1 == start
            && last.1 - last.0 + odd <= SLOT_BYTES
        {
            last.1 += odd;
            at += odd;
        }
        while at < end && self.0.len() < MAX_WRITES {
            let next = end.min(at.saturating_add(SLOT_BYTES));
            self.0.push_back((at, next));
            at = next;
        }
    }

    fn read(&mut self, taken: u64) {
        while self.0.front().is_some_and(|slot| slot.1 <= taken) {
            self.0.pop_front();
        }
    }

    fn fits(&self, most: u32) -> bool {
        u32::try_from(self.0.len()).is_ok_and(|len| len <= most)
    }
}

impl Seen {
    fn write(&mut self, start: u64, len: u64, line: u64) {
        if self.writes.len() < MAX_WRITES {
            self.writes.push_back((start, len, line));
        }
        self.own.write(start, len);
        for other in &mut self.other {
            other.slots.write(start, len);
        }
    }

    /// A read of a call that began in line `entry` left off at `taken`; `races` if a write that had
    /// begun was not done.
    fn read(&mut self, taken: u64, entry: u64, races: bool) {
        while self.writes.front().is_some_and(|(start, len, _)| start + len <= taken) {
            self.writes.pop_front();
        }
        let before = self.own.0.back().copied();
        self.own.read(taken);
        match self.writes.front() {
            None if races && self.dry.len() < MAX_WRITES => {
                self.dry.push(taken);
                let own = before.map(|slot| (None, self.dry.len() - 1, slot));
                let other = std::mem::take(&mut self.other).into_iter();
                let other = other.filter_map(|it| Some((it.dry, it.since, *it.slots.0.back()?)));
                let kept: Vec<_> = other.chain(own).collect();
                for (dry, since, slot) in kept {
                    self.keep(Other { dry, since, slots: Slots(VecDeque::from([slot])) });
                }
            }
            None => {
                self.dry.clear();
                self.other.clear();
            }
            // All that is here was written after this read had begun.
            Some((start, _, line)) if *start == taken && *line > entry => {
                self.others_read(taken);
                let mut slots = Slots::default();
                for (start, len, _) in &self.writes {
                    slots.write(*start, *len);
                }
                self.keep(Other { dry: Some(taken), since: self.dry.len(), slots });
            }
            Some(_) => self.others_read(taken),
        }
    }

    fn others_read(&mut self, taken: u64) {
        for other in &mut self.other {
            other.slots.read(taken);
        }
    }

    fn keep(&mut self, other: Other) {
        if other.slots == self.own {
            return;
        }
        self.other.retain(|old| old.slots != other.slots);
        if self.other.len() == MAX_ORDERS {
            self.other.pop_front();
        }
        self.other.push_back(other);
    }

    /// What differs from the walk in another order.
    fn turns(&self, pipe: u64, other: &Other) -> Vec<Turn> {
        let dry = other.dry.map(|at| Turn { pipe, at, dry: true });
        let since = self.dry.get(other.since..).unwrap_or_default();
        let not_dry = since.iter().map(|at| Turn { pipe, at: *at, dry: false });
        dry.into_iter().chain(not_dry).collect()
    }
}

impl Order<'_> {
    /// A write is about to put bytes into a pipe.
    pub(super) fn note_write(&mut self, pipe: u64, start: u64, len: u64) {
        let line = self.line;
        self.drained.pipes.entry(pipe).or_default().write(start, len, line);
    }

    /// A read took bytes out of a pipe: up to which.
    pub(super) fn note_read(&mut self, tid: u32, pending: &Pending, pipe: u64, taken: u64) {
        let is_dry = self.written.get(&pipe) == Some(&taken);
        let races = is_dry && self.writer_beside(tid, pipe).is_some();
        if let Some(seen) = self.drained.pipes.get_mut(&pipe) {
            seen.read(taken, pending.entry_line, races);
        }
    }

    /// Another task's write to a pipe that has begun and not run.
    fn writer_beside(&self, tid: u32, pipe: u64) -> Option<u32> {
        self.beside(tid, pipe, |call| match call {
            Call::Write { fd, .. } | Call::Writev { fd, .. } => Some(*fd),
            _ => None,
        })
    }

    fn beside(&self, tid: u32, pipe: u64, fd: impl Fn(&Call<'_>) -> Option<i32>) -> Option<u32> {
        self.others(tid).into_iter().find(|other| {
            let pending = self.tasks.get(other).and_then(|task| task.pending.as_ref());
            let pending = pending.filter(|pending| pending.item.is_none());
            let is_value =
                |it: &&Pending| matches!(it.decoded.expected.recorded, Recorded::Value(_));
            let call = pending.filter(is_value).and_then(|pending| pending.decoded.parsed());
            call.and_then(|call| self.pipe_of(*other, fd(&call)?)) == Some(pipe)
        })
    }

    /// Runs what comes before this call because of how later writes found room.
    pub(super) fn hold_turns(&mut self, tid: u32, call: &Call<'_>) {
        if self.drained.told.is_empty() {
            return;
        }
        match *call {
            Call::Write { fd, .. } | Call::Writev { fd, .. } => {
                let Some(pipe) = self.pipe_of(tid, fd) else { return };
                let at = self.written.get(&pipe).copied().unwrap_or(0);
                if !self.drained.told.contains(&Turn { pipe, at, dry: true }) {
                    return;
                }
                let reads = |call: &Call<'_>| match call {
                    Call::Read { fd, .. } | Call::Readv { fd, .. } => Some(*fd),
                    _ => None,
                };
                while self.taken.get(&pipe).is_some_and(|taken| *taken < at) {
                    let reader = self.beside(tid, pipe, reads);
                    if !reader.is_some_and(|reader| self.run_if_right(reader)) {
                        return;
                    }
                }
            }
            Call::Read { fd, .. } | Call::Readv { fd, .. } => {
                let Some(pipe) = self.pipe_of(tid, fd) else { return };
                let at = self.written.get(&pipe).copied().unwrap_or(0);
                if self.drained.told.contains(&Turn { pipe, at, dry: false })
                    && let Some(writer) = self.writer_beside(tid, pipe)
                {
                    self.run_if_right(writer);
                }
            }
            _ => {}
        }
    }

    /// A pending write found no room although the recording says that it had it.
    pub(super) fn note_no_room(&mut self, tid: u32) {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let Some(pending) = pending else { return };
        let (Some(Call::Write { fd, .. } | Call::Writev { fd, .. }), Recorded::Value(_)) =
            (pending.decoded.parsed(), pending.decoded.expected.recorded)
        else {
            return;
        };
        let Some(pipe) = self.kernel.fd_view(tid, fd).and_then(|view| view.pipe) else { return };
        self.drained.without_room += 1;
        if self.drained.without_room > 1 {
            return;
        }
        let Some(seen) = self.drained.pipes.get(&pipe.id) else { return };
        let told = &self.drained.told;
        let fitting = seen.other.iter().rev().filter(|other| other.slots.fits(pipe.slots));
        let turns = fitting.map(|other| seen.turns(pipe.id, other));
        let turns = turns.filter(|turns| turns.iter().any(|turn| !told.contains(turn)));
        self.drained.found = turns.take(MAX_WALKS).collect();
    }
}
