//! Other legal orders than the lazy one: now and then a call that would be right runs before its
//! exit line. For tests: what a recording leaves open must make no difference to what it does not
//! (DESIGN section 11).

use tickernel_systems::event::Call;

use super::order::Order;
use super::probe::Probe;
use crate::replay::Recorded;

/// Of so many chances one is taken.
const CHANCES: u64 = 3;

/// A row of choices that follows from a seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choices(u64);

impl Choices {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn takes(&mut self) -> bool {
        self.0 = tickernel_systems::digest::hash_number(self.0, CHANCES);
        self.0.is_multiple_of(CHANCES)
    }
}

impl Order<'_> {
    /// Runs some of the calls that are entered and would give what they gave.
    pub(super) fn wander(&mut self) {
        let Some(mut choices) = self.choices else { return };
        // There is no task 0.
        for tid in self.others(0) {
            let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
            let may = pending.is_some_and(|pending| {
                let returns = pending.decoded.expected.recorded != Recorded::Never;
                returns && pending.item.is_none() && !pending.restarting
            });
            let may = may && !(self.pipes_wait && self.moves_in_pipe(tid));
            if may && choices.takes() && self.probe(tid) == Probe::Right {
                self.run_other(tid);
            }
        }
        self.choices = Some(choices);
    }

    fn moves_in_pipe(&self, tid: u32) -> bool {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        match pending.and_then(|pending| pending.decoded.parsed()) {
            Some(
                Call::Read { fd, .. }
                | Call::Readv { fd, .. }
                | Call::Write { fd, .. }
                | Call::Writev { fd, .. },
            ) => self.pipe_of(tid, fd).is_some(),
            _ => false,
        }
    }
}
