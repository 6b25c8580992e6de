//! While the recording is walked: calls of threads with one table of descriptors run in the order
//! that the numbers tell (`races.rs`), and what a call found at a number runs before that is given
//! back.

use tickernel_systems::event::Call;

use super::descriptors::used;
use super::order::Order;
use super::polls::polled;
use super::probe::Probe;
use crate::replay::Recorded;

impl Order<'_> {
    /// What took or gave back numbers before a task's call, though it returned later.
    pub(super) fn run_earlier(&mut self, tid: u32) {
        let Some(call) = self.task(tid).pending.as_ref().map(|pending| pending.call) else {
            return;
        };
        for (other, number) in self.earlier.remove(&call).unwrap_or_default() {
            let pending = self.task(other).pending.as_ref();
            if pending.is_some_and(|it| it.call == number && it.item.is_none()) {
                self.run_other(other);
            }
        }
    }

    /// Before a thread's call gives a number back: calls of others on what is there. A poll(2) that
    /// waits has its files.
    pub(super) fn hold_numbers(&mut self, tid: u32) {
        let Some(call) = self.task(tid).pending.as_ref().map(|it| it.decoded.clone()) else {
            return;
        };
        let freed = match call.parsed() {
            Some(Call::Close { fd }) => fd,
            Some(Call::Dup2 { newfd, .. } | Call::Dup3 { newfd, .. }) => newfd,
            _ => return,
        };
        let mut rivals = self.others(tid);
        rivals.retain(|other| self.kernel.shares_descriptors(tid, *other));
        for other in rivals {
            let Some(theirs) = self.task(other).pending.as_ref() else { continue };
            let ended = matches!(theirs.decoded.expected.recorded, Recorded::Value(_));
            let Some(call) = theirs.decoded.parsed().filter(|_| theirs.item.is_none() && ended)
            else {
                continue;
            };
            let (looks, polls) = looks_at(&call, freed);
            if looks && !polls && matches!(self.probe(other), Probe::Wants(_)) {
                // It waits, with the file in its hand.
                self.park(other);
            } else if looks {
                self.run_other(other);
            }
        }
    }
}

/// Whether a call asks something of a descriptor, and whether it is one that polls.
fn looks_at(call: &Call<'_>, fd: i32) -> (bool, bool) {
    match call {
        Call::Close { .. } | Call::CloseRange { .. } => (false, false),
        Call::Dup2 { oldfd, .. } | Call::Dup3 { oldfd, .. } => (*oldfd == fd, false),
        Call::Poll { .. }
        | Call::Ppoll { .. }
        | Call::Select { .. }
        | Call::Pselect6 { .. }
        | Call::EpollWait { .. }
        | Call::EpollPwait { .. }
        | Call::EpollPwait2 { .. } => (polled(call).contains(&fd), true),
        other => (used(other).contains(&fd), false),
    }
}
