//! Calls whose answers rest on what a recording leaves out (`left_out.rs`): they are taken from the
//! recording, and counted as fed. Which they are shows when the trace is replayed: where anything
//! was left out, what differs then is answered as recorded in another walk.
//!
//! Also descriptors that came and went by calls that no line shows.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::Errno;
use tickernel_systems::event::{Call, Event};

use super::decode::{self, Decoded};
use super::made::made_fds;
use super::order::Order;
use super::stand_in::StandIn;
use crate::replay::{Expected, FED, Recorded, Role, UNTOLD};
use crate::strace::{EventKind, Recording};

/// Walks after the first: each finds what only shows when the one before is mended.
pub(super) const MAX_WALKS: u32 = 8;
/// Most descriptors that are opened because a number was skipped.
const MAX_SKIPPED: i32 = 1024;

/// The calls that were entered on some lines.
pub(super) fn calls_at(recording: &Recording, lines: &BTreeSet<u64>) -> BTreeSet<u64> {
    let entered = |event: crate::strace::Event| match event.kind {
        EventKind::Entry { call } if lines.contains(&event.line) => Some(call),
        EventKind::Exit { call } if lines.contains(&event.line) => {
            let call_of = recording.calls.get(call)?;
            call_of.entry_line.is_none().then_some(call)
        }
        _ => None,
    };
    recording.events.iter().filter_map(entered).collect()
}

/// Calls of execve(2) after which nothing more is told of their tasks, not even that they ended:
/// strace let them go (`-b execve`).
pub(super) fn last_programs(recording: &Recording) -> BTreeSet<u64> {
    let mut open = BTreeMap::new();
    for event in &recording.events {
        open.remove(&event.tid);
        if let EventKind::Entry { call: index } = event.kind
            && let Some(call) = recording.calls.get(index)
            && &*call.name == "execve"
            && call.result.is_none()
        {
            open.insert(event.tid, index);
        }
    }
    open.into_values().collect()
}

impl Order<'_> {
    /// A call whose answer rests on what is left out is answered as recorded.
    pub(super) fn take_untold(&self, index: u64, decoded: &mut Decoded, name: &str) {
        if !self.untold.contains(&index) || decoded.expected.role != Role::Call {
            return;
        }
        if decoded.expected.recorded == Recorded::Never {
            decoded.expected.role = Role::Taken;
        }
        decoded.call = Some(decode::unmodelled(name).into());
        decoded.expected.flags |= FED | UNTOLD;
    }

    /// strace lets a task go: what it does from now on is not told. One that is in execve(2) has
    /// executed its program (`-b execve`).
    pub(super) fn let_go(&mut self, tid: u32) {
        self.traced.remove(&tid);
        let pending = self.tasks.get_mut(&tid).and_then(|task| task.pending.as_mut());
        let pending = pending.filter(|it| {
            matches!(it.decoded.parsed(), Some(Call::Execve { .. })) && it.item.is_none()
        });
        let Some(pending) = pending else { return self.park(tid) };
        let expected = &mut pending.decoded.expected;
        expected.recorded = Recorded::Value(0);
        expected.flags |= FED | UNTOLD;
        self.run_call(tid);
    }

    /// A call succeeds on descriptors that the kernel has not: a call made them that no line shows.
    pub(super) fn open_untold(&mut self, tid: u32, decoded: &Decoded) {
        if !(self.left_out.calls || self.left_out.past) || !self.is_known(tid) {
            return;
        }
        let Some(call) = decoded.parsed() else { return };
        let recorded = decoded.expected.recorded;
        if matches!(recorded, Recorded::Errno(Errno::EBADF) | Recorded::Never) {
            return;
        }
        let fds = super::descriptors::used(&call);
        for fd in fds.into_iter().filter(|fd| (0..MAX_SKIPPED).contains(fd)) {
            if self.kernel.fd_view(tid, fd).is_none() {
                self.open_stand_in(tid, fd, 0);
                if let Some(view) = self.kernel.fd_view(tid, fd) {
                    self.stand_ins.insert(view.id, StandIn::Peer);
                }
            }
        }
    }

    /// The number that a call got was free, and those below it were not: open(2).
    pub(super) fn free_untold(&mut self, tid: u32) {
        if !self.left_out.calls {
            return;
        }
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        let Recorded::Value(value) = pending.decoded.expected.recorded else { return };
        let mut made = made_fds(&pending.printed, value);
        made.sort_unstable();
        for fd in made.iter().copied() {
            if self.kernel.fd_view(tid, fd).is_some() {
                let call = Call::Close { fd };
                let forced = Some(Expected::only(Role::Force, call.name()));
                self.emit(&Event::Call { task: tid, call }, forced, None);
            }
        }
        let Some(first) = made.first() else { return };
        let is_free = |order: &Self, fd: &i32| order.kernel.fd_view(tid, *fd).is_none();
        let skipped: Vec<i32> =
            (0..(*first).min(MAX_SKIPPED)).filter(|fd| is_free(self, fd)).collect();
        for fd in skipped {
            self.open_stand_in(tid, fd, 0);
            if let Some(view) = self.kernel.fd_view(tid, fd) {
                self.stand_ins.insert(view.id, StandIn::Peer);
            }
        }
    }
}
