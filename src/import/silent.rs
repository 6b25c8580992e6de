//! Ends of tasks, and masks, of which no call tells: `strace -z` prints no exit_group(2), for that
//! does not return. A task that says nothing more closed its files some time before its end is
//! printed.

use std::collections::BTreeMap;

use tickernel_systems::abi::Signal;
use tickernel_systems::abi::flags::SIG_SETMASK;
use tickernel_systems::event::{Call, Event, Payload};

use super::demand::LOOKED_AT_FDS;
use super::order::Order;
use super::probe::Want;
use super::task::Task;
use crate::replay::{Expected, FED, Role};
use crate::strace::{EventKind, Recording};

/// The end of a task.
#[derive(Clone, Copy, Debug)]
struct End {
    /// The line of the last call before.
    last: u64,
    /// Its own line.
    line: u64,
    status: u32,
}

/// Those of all tasks, by task, in the order of the lines; only for a recording whose calls do not
/// tell of them.
#[derive(Debug, Default)]
pub(super) struct SilentEnds(BTreeMap<u32, Vec<End>>);

impl SilentEnds {
    pub(super) fn of(recording: &Recording, root: u32) -> Self {
        let mut ends: BTreeMap<u32, Vec<End>> = BTreeMap::new();
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for event in &recording.events {
            let tid = event.tid.unwrap_or(root);
            match event.kind {
                EventKind::Entry { .. } => {
                    last.insert(tid, event.line);
                }
                EventKind::Exited { status } => {
                    let last = last.remove(&tid).unwrap_or(0);
                    ends.entry(tid).or_default().push(End { last, line: event.line, status });
                }
                _ => {}
            }
        }
        Self(ends)
    }

    /// The end that comes next for a task that says nothing more before it.
    fn next(&self, tid: u32, line: u64) -> Option<End> {
        let ends = self.0.get(&tid)?;
        let next = ends.get(ends.partition_point(|end| end.line < line))?;
        (next.last < line).then_some(*next)
    }
}

impl Order<'_> {
    /// Whether threads go on after one whose end no call tells of: then that was its own alone
    /// (exit(2)).
    pub(super) fn leaves_others(&self, siblings: &[u32]) -> bool {
        let speaks_later = |tid: &u32| {
            let ends = self.silent_ends.0.get(tid);
            ends.is_some_and(|ends| ends.iter().any(|end| end.last > self.line))
        };
        siblings.iter().any(speaks_later)
    }

    /// Where no call is printed that failed, none that waits for a signal is: in a handler the mask
    /// may be one that nothing tells of, rt_sigsuspend(2)'s for one.
    pub(super) fn take_mask(&mut self, tid: u32, call: &Call<'_>, expected: &mut Expected) {
        let (Call::RtSigprocmask { .. }, Payload::Set(old)) = (call, &expected.payload) else {
            return;
        };
        if !self.no_failures || self.kernel.blocked_of(tid).is_none_or(|blocked| blocked == *old) {
            return;
        }
        let call = Call::RtSigprocmask { how: SIG_SETMASK, set: Some(*old) };
        let forced = Expected::only(Role::Force, call.name());
        self.emit(&Event::Call { task: tid, call }, Some(forced), None);
        expected.flags |= FED;
    }

    /// The end of a task that holds what another one waits for to be closed.
    pub(super) fn supply_silent_end(&mut self, tid: u32, want: &Want) -> bool {
        let (Want::NoWriter(id) | Want::NoReader(id)) = *want else { return false };
        let writing = matches!(want, Want::NoWriter(_));
        let is_over = |other: &u32| {
            let is_idle = self.tasks.get(other).is_none_or(|task| task.pending.is_none());
            let end = self.silent_ends.next(*other, self.line).filter(|_| is_idle)?;
            let holds = *other != tid && self.holds_end(*other, id, writing);
            holds.then_some((*other, end))
        };
        let mut known = self.silent_ends.0.keys();
        let Some((other, end)) = known.find_map(is_over) else { return false };
        self.end(other, end.status, Some((end.line, end.line)));
        true
    }

    /// A process of which a pidfd told that it is over, or that let go of what it had open, before
    /// its end was printed: a signal that it has taken, or SIGKILL, ends it.
    pub(super) fn supply_death(&mut self, tid: u32, want: &Want) -> bool {
        let watched = |fd: i32| self.kernel.fd_view(tid, fd).and_then(|view| view.process);
        let mut pids: Vec<u32> = match want {
            Want::Ready(ids) => (0..LOOKED_AT_FDS)
                .filter_map(watched)
                .filter(|(own, _)| ids.contains(own))
                .filter_map(|(_, pid)| pid)
                .collect(),
            _ => Vec::new(),
        };
        let holds = |other: &u32| match want {
            Want::NoWriter(id) => self.holds_end(*other, *id, true),
            Want::NoReader(id) => self.holds_end(*other, *id, false),
            Want::Ready(ids) => ids
                .iter()
                .any(|id| self.holds_end(*other, *id, true) || self.holds_end(*other, *id, false)),
            _ => false,
        };
        let is_doomed = |task: &Task| task.fatal.is_some();
        let doomed = self.tasks.iter().filter(|(other, task)| **other != tid && is_doomed(task));
        pids.extend(doomed.map(|(other, _)| *other).filter(holds));
        for pid in pids.into_iter().filter(|pid| self.kernel.is_alive(*pid)).collect::<Vec<_>>() {
            let taken = self.task(pid).fatal.map(|(signal, _)| signal);
            let kill = Some(Signal::SIGKILL).filter(|kill| self.kernel.has_pending(pid, *kill));
            if let Some(signal) = taken.or(kill) {
                self.task(pid).fatal = None;
                self.killed(pid, signal, None);
                return true;
            }
        }
        false
    }
}
