//! Calls that set a mask for their duration (sigsuspend(2), ppoll(2), pselect(2)) and are made again:
//! what only that mask held back is delivered in between, under the task's own. Part of the phase
//! that delivers; `deliver.rs` has the rest of it.

use crate::abi::SigSet;
use crate::components::Interrupted;
use crate::kernel::Kernel;
use crate::rows::TaskRow;

impl Kernel {
    /// A call that set a mask for its duration is made again after a stop: before that its task's
    /// own mask holds, and what only the call's held back is delivered; then it goes on waiting,
    /// behind the handlers if there are any. False if there is nothing of the kind.
    pub(crate) fn deliver_unmasked(&mut self, row: TaskRow) -> bool {
        let task = &self.rows[row];
        let Some(mask) = task.saved_mask else { return false };
        let all = task.pending.set.union(self.rows[task.process].pending.set);
        if all.without(mask).is_empty() {
            return false;
        }
        let tid = self.rows[row].tid;
        self.act_unmasked(row, mask, |kernel| kernel.deliver_pending(tid))
    }

    /// Does something while a task's own mask holds in place of its call's; then the call waits
    /// again. False if it waits, or there is none.
    pub(crate) fn act_unmasked(
        &mut self,
        row: TaskRow,
        mask: SigSet,
        act: impl FnOnce(&mut Self),
    ) -> bool {
        let Some(wait) = self.unsleep(row) else { return false };
        let under = core::mem::replace(&mut self.rows[row].mask, mask);
        self.rows[row].saved_mask = None;
        self.resuming = Some((row, Interrupted::AgainUnder(wait, under)));
        act(self);
        let Some((_, interrupted)) = self.resuming.take() else { return true };
        self.wait_on(row, interrupted);
        false
    }

    /// Lets an interrupted call wait again.
    pub(crate) fn wait_on(&mut self, row: TaskRow, interrupted: Interrupted) {
        let (mut wait, under) = match interrupted {
            Interrupted::Again(wait) => (wait, None),
            Interrupted::AgainUnder(wait, under) => (wait, Some(under)),
            Interrupted::Over(..) => return,
        };
        if let Some(under) = under {
            let mask = core::mem::replace(&mut self.rows[row].mask, under);
            self.rows[row].saved_mask = Some(mask);
        }
        self.counters.next_since += 1;
        wait.since = self.counters.next_since;
        self.sleep(row, wait);
    }
}
