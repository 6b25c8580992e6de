//! More of rule (b) of IMPORT.md section 1 (`demand.rs`): calls that supply something by what they
//! do besides: a program that is executed closes descriptors (execve(2)), splice(2) passes on what
//! others write.

use tickernel_systems::event::Call;

use super::order::Order;
use super::probe::Probe;
use super::task::Pending;
use crate::replay::Recorded;

/// Most writes for the sake of one splice(2).
const MAX_SUPPLIES: usize = 64;

impl Order<'_> {
    /// A program that is executed closes what another waits for the end of (O_CLOEXEC, execve(2)).
    pub(super) fn supply_exec(&mut self, tid: u32, ids: &[u64]) -> bool {
        let executes = |order: &Self, other: &u32| {
            let pending = order.tasks.get(other).and_then(|task| task.pending.as_ref());
            let pending = pending.filter(|pending| pending.item.is_none());
            let succeeds =
                |it: &&Pending| matches!(it.decoded.expected.recorded, Recorded::Value(_));
            let call = pending.filter(succeeds).and_then(|pending| pending.decoded.parsed());
            matches!(call, Some(Call::Execve { .. }))
                && ids
                    .iter()
                    .any(|id| [true, false].iter().any(|it| order.holds_end(*other, *id, *it)))
        };
        let other = self.others(tid).into_iter().find(|other| executes(self, other));
        other.is_some_and(|other| self.run_other(other))
    }

    /// Runs a pending splice(2): all that it moves is moved at once, as soon as that is there.
    pub(super) fn feed_splice(&mut self, other: u32) -> bool {
        self.depth += 1;
        for _ in 0..MAX_SUPPLIES {
            let Probe::Wants(want) = self.probe(other) else { break };
            if !self.supply(other, &want) {
                break;
            }
        }
        self.depth -= 1;
        self.run_other(other)
    }
}
