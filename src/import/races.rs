//! Threads that race on the numbers of one table of descriptors (CLONE_FILES, clone(2)): in which
//! order overlapping calls took and gave back numbers, found before the walk (`order.rs`) from the
//! numbers themselves. open(2), dup(2): a new descriptor is the lowest number that is free.
//!
//! Kept is only what differs from the order in which the calls returned.

use std::collections::BTreeMap;
use std::rc::Rc;

use tickernel_systems::abi::flags::{F_DUPFD, F_DUPFD_CLOEXEC};
use tickernel_systems::event::{Call, FcntlArg};

use super::decode::Decoded;
use super::made::made_fds;
use crate::replay::Recorded;
use crate::strace;

/// Numbers above are not looked at.
const MAX_NUMBER: i32 = 4096;
/// Most calls of one table that are entered and not over; further ones are not looked at.
const MAX_ENTERED: usize = 24;
/// Most orders that are followed side by side.
const MAX_STATES: usize = 512;
/// Steps after which the best order is taken.
const MAX_STEPS: u32 = 4096;

/// A call that must run before another, though it returned later: who made it, and its number.
pub(super) type Earlier = (u32, u64);

/// What a call does to the numbers of its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Takes the lowest that are free from one on.
    Takes { from: i32, numbers: Vec<i32> },
    /// Gives one back.
    Frees(i32),
    /// Puts something at one, whatever was there.
    Puts(i32),
    /// Copies all for a child, which shows that these were in use and these were not.
    Copies { used: Vec<i32>, free: Vec<i32> },
}

/// What a call that is over did to the numbers of its table.
pub(super) fn effect(call: &strace::Call, decoded: &Decoded) -> Option<Effect> {
    let Recorded::Value(value) = decoded.expected.recorded else { return None };
    let made = || i32::try_from(value).ok().into_iter().collect::<Vec<_>>();
    let (from, numbers) = match decoded.parsed() {
        Some(Call::Close { fd }) => return Some(Effect::Frees(fd)),
        Some(Call::Dup2 { newfd, .. } | Call::Dup3 { newfd, .. }) => {
            return Some(Effect::Puts(newfd));
        }
        Some(Call::Dup { .. }) => (0, made()),
        Some(Call::Fcntl {
            cmd: F_DUPFD | F_DUPFD_CLOEXEC, arg: FcntlArg::Number(from), ..
        }) => (i32::try_from(from).ok()?, made()),
        _ => (0, made_fds(call, value)),
    };
    let fits = !numbers.is_empty() && numbers.iter().all(|fd| (0..MAX_NUMBER).contains(fd));
    fits.then_some(Effect::Takes { from, numbers })
}

/// The numbers of a table, as far as they are known: bits, 64 to a word.
#[derive(Clone, Debug, Default)]
struct Numbers {
    known: Vec<u64>,
    used: Vec<u64>,
}

impl Numbers {
    fn of(numbers: impl Iterator<Item = (i32, bool)>) -> Self {
        let mut all = Self::default();
        for (fd, is_used) in numbers {
            all.set(fd, is_used);
        }
        all
    }

    /// Whether a number is in use; `None` if nothing tells.
    fn get(&self, fd: i32) -> Option<bool> {
        let (word, bit) = place(fd)?;
        let has = |words: &[u64]| words.get(word).is_some_and(|word| word & bit != 0);
        has(&self.known).then(|| has(&self.used))
    }

    fn set(&mut self, fd: i32, is_used: bool) {
        let Some((word, bit)) = place(fd) else { return };
        for (words, is_set) in [(&mut self.known, true), (&mut self.used, is_used)] {
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            if let Some(word) = words.get_mut(word) {
                *word = if is_set { *word | bit } else { *word & !bit };
            }
        }
    }

    /// Whether a call would do here what it did.
    fn fits(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Takes { from, numbers } => {
                let last = numbers.iter().copied().max().unwrap_or(*from);
                let mut below = (*from..last).filter(|fd| !numbers.contains(fd));
                numbers.iter().all(|fd| self.get(*fd) != Some(true))
                    && below.all(|fd| self.get(fd) != Some(false))
            }
            Effect::Frees(fd) => self.get(*fd) != Some(false),
            Effect::Puts(_) => true,
            Effect::Copies { used, free } => {
                used.iter().all(|fd| self.get(*fd) != Some(false))
                    && free.iter().all(|fd| self.get(*fd) != Some(true))
            }
        }
    }

    /// What they are after a call, whatever they were.
    fn after(&self, effect: &Effect) -> Self {
        let mut numbers = self.clone();
        match effect {
            Effect::Takes { from, numbers: taken } => {
                // What is not known and was passed over is in use.
                let last = taken.iter().copied().max().unwrap_or(*from);
                for fd in *from..last {
                    if numbers.get(fd).is_none() {
                        numbers.set(fd, true);
                    }
                }
                for fd in taken {
                    numbers.set(*fd, true);
                }
            }
            Effect::Frees(fd) => numbers.set(*fd, false),
            Effect::Puts(fd) => numbers.set(*fd, true),
            Effect::Copies { used, free } => {
                used.iter().for_each(|fd| numbers.set(*fd, true));
                free.iter().for_each(|fd| numbers.set(*fd, false));
            }
        }
        numbers
    }
}

/// The word and the bit of a number.
fn place(fd: i32) -> Option<(usize, u64)> {
    let fd = usize::try_from(fd).ok().filter(|_| fd < MAX_NUMBER)?;
    Some((fd / 64, 1 << (fd % 64)))
}

/// A call that was entered.
#[derive(Clone, Debug)]
struct Entered {
    tid: u32,
    call: u64,
    effect: Effect,
}

impl Entered {
    fn takes(&self, fd: i32) -> bool {
        matches!(&self.effect, Effect::Takes { numbers, .. } if numbers.contains(&fd))
    }
}

/// A call at its place in an order, with those before it.
#[derive(Debug)]
struct Step {
    tid: u32,
    call: u64,
    before: Option<Rc<Step>>,
}

/// An order so far.
#[derive(Clone, Debug, Default)]
struct State {
    /// Calls that took effect and have not returned.
    applied: Vec<u64>,
    numbers: Numbers,
    last: Option<Rc<Step>>,
    /// How many took effect before they returned.
    early: u32,
}

/// The calls on one table.
#[derive(Debug)]
struct Table {
    entered: Vec<Entered>,
    states: Vec<State>,
    /// When those of the steps kept returned.
    returned: BTreeMap<u64, u64>,
    steps: u32,
}

/// All tables that threads share.
#[derive(Debug, Default)]
pub(super) struct Races {
    tables: BTreeMap<usize, Table>,
    of_task: BTreeMap<u32, usize>,
    made: usize,
    returns: u64,
    /// By the number of a call: those that must run before it.
    earlier: BTreeMap<u64, Vec<Earlier>>,
}

impl Races {
    /// A task shares its table with another from now on; `numbers` = what is known of it.
    pub(super) fn share(
        &mut self,
        one: u32,
        other: u32,
        numbers: impl Iterator<Item = (i32, bool)>,
    ) {
        let id = match self.of_task.get(&one) {
            Some(id) => *id,
            None => {
                self.made += 1;
                let state = State { numbers: Numbers::of(numbers), ..State::default() };
                let (entered, returned) = (Vec::new(), BTreeMap::new());
                let table = Table { entered, states: vec![state], returned, steps: 0 };
                self.tables.insert(self.made, table);
                self.of_task.insert(one, self.made);
                self.made
            }
        };
        self.of_task.insert(other, id);
    }

    /// A task is gone, or has a table of its own.
    pub(super) fn leave(&mut self, tid: u32) {
        let Some(id) = self.of_task.remove(&tid) else { return };
        if !self.of_task.values().any(|other| *other == id)
            && let Some(mut table) = self.tables.remove(&id)
        {
            table.settle(&mut self.earlier);
        }
    }

    /// Whether a task shares its table.
    pub(super) fn is_shared(&self, tid: u32) -> bool {
        self.of_task.contains_key(&tid)
    }

    /// A task enters a call that does something to the numbers.
    pub(super) fn enter(&mut self, tid: u32, number: u64, mut effect: Effect) {
        let table = self.of_task.get(&tid).and_then(|id| self.tables.get_mut(id));
        if let Some(table) = table.filter(|table| table.entered.len() < MAX_ENTERED) {
            if let Effect::Copies { free, .. } = &mut effect {
                // What a call has that has not returned is not in the copy, whichever was first.
                free.retain(|fd| !table.entered.iter().any(|it| it.takes(*fd)));
            }
            table.entered.push(Entered { tid, call: number, effect });
        }
    }

    /// A call is over.
    pub(super) fn exit(&mut self, tid: u32, number: u64) {
        self.returns += 1;
        let table = self.of_task.get(&tid).and_then(|id| self.tables.get_mut(id));
        if let Some(table) = table {
            table.exit(number, self.returns);
            if table.states.len() == 1 || table.steps > MAX_STEPS {
                table.settle(&mut self.earlier);
            }
        }
    }

    /// By the number of a call: those that must run before it.
    pub(super) fn finish(mut self) -> BTreeMap<u64, Vec<Earlier>> {
        for table in self.tables.values_mut() {
            table.settle(&mut self.earlier);
        }
        self.earlier
    }
}

impl Table {
    /// All orders in which a call that returns now has taken effect: others that were entered may
    /// have done so before it.
    fn exit(&mut self, number: u64, returns: u64) {
        let Some(place) = self.entered.iter().position(|it| it.call == number) else { return };
        let own = self.entered.remove(place);
        self.steps += 1;
        self.returned.insert(number, returns);
        let (mut done, mut open) = (BTreeMap::new(), BTreeMap::new());
        for mut state in self.states.drain(..) {
            if let Ok(at) = state.applied.binary_search(&number) {
                state.applied.remove(at);
                done.insert(state.applied.clone(), state);
            } else {
                open.insert(state.applied.clone(), state);
            }
        }
        let best = done.values().chain(open.values()).min_by_key(|state| state.early).cloned();
        // Breadth first: each round applies one more call.
        for _ in 0..=self.entered.len() {
            let mut next = BTreeMap::new();
            for state in open.values() {
                if let Some(after) = state.with(&own, false) {
                    keep(&mut done, after);
                }
                for other in self.entered.iter().filter(|it| !state.applied.contains(&it.call)) {
                    if let Some(after) = state.with(other, true) {
                        keep(&mut next, after);
                    }
                }
            }
            if next.is_empty() || done.len() + next.len() > MAX_STATES {
                break;
            }
            open = next;
        }
        self.states = done.into_values().collect();
        if self.states.is_empty() {
            // Not what the numbers tell: an open(2) and a pipe(2) take theirs one by one.
            let mut state = best.unwrap_or_default();
            state.applied.retain(|call| *call != number);
            state.numbers = state.numbers.after(&own.effect);
            let step = Step { tid: own.tid, call: own.call, before: state.last.take() };
            state.last = Some(Rc::new(step));
            self.states.push(state);
        }
    }

    /// Takes the order with the fewest calls before their return, and keeps what is early in it.
    fn settle(&mut self, earlier: &mut BTreeMap<u64, Vec<Earlier>>) {
        let best = self.states.drain(..).min_by_key(|state| state.early);
        let Some(mut best) = best else { return };
        let mut steps = Vec::new();
        let mut at = best.last.take();
        while let Some(step) = at {
            steps.push((step.tid, step.call));
            at = step.before.clone();
        }
        steps.reverse();
        self.before_copies(&best, &steps, earlier);
        let returned = |call: &u64| self.returned.get(call).copied().unwrap_or(u64::MAX);
        let mut ahead: Vec<u64> = steps.iter().map(|(_, call)| returned(call)).collect();
        for place in (1..ahead.len()).rev() {
            let next = ahead.get(place).copied().unwrap_or(u64::MAX);
            if let Some(slot) = ahead.get_mut(place - 1) {
                *slot = next.min(*slot);
            }
        }
        // Those that return after something behind them.
        let mut above: Vec<Earlier> = Vec::new();
        for ((tid, call), first_return) in steps.into_iter().zip(ahead) {
            let own = returned(&call);
            above.retain(|(_, other)| returned(other) > first_return);
            let first: Vec<Earlier> =
                above.iter().filter(|(_, other)| returned(other) > own).copied().collect();
            if !first.is_empty() {
                earlier.insert(call, first);
            }
            above.push((tid, call));
        }
        self.returned.clear();
        self.steps = 0;
        self.states.push(best);
    }

    /// A child is made as soon as it speaks: what came before the copy of its table is kept, though
    /// it returned in that order.
    fn before_copies(
        &self,
        best: &State,
        steps: &[Earlier],
        earlier: &mut BTreeMap<u64, Vec<Earlier>>,
    ) {
        let is_copy = |it: &&Entered| matches!(it.effect, Effect::Copies { .. });
        for copy in self.entered.iter().filter(is_copy) {
            let at = steps.iter().position(|(_, call)| *call == copy.call);
            let is_ahead = at.is_none() && best.applied.binary_search(&copy.call).is_ok();
            let before = steps.iter().take(at.unwrap_or(steps.len()));
            let known = earlier.entry(copy.call).or_default();
            if !is_ahead && known.len() < MAX_STATES {
                known.extend(before.copied());
            }
        }
    }
}

impl State {
    /// The order with one call more; `None` if the call would have done something else there.
    fn with(&self, call: &Entered, is_early: bool) -> Option<Self> {
        if !self.numbers.fits(&call.effect) {
            return None;
        }
        let numbers = self.numbers.after(&call.effect);
        let mut applied = self.applied.clone();
        if let (true, Err(at)) = (is_early, applied.binary_search(&call.call)) {
            applied.insert(at, call.call);
        }
        let step = Step { tid: call.tid, call: call.call, before: self.last.clone() };
        let early = self.early + u32::from(is_early);
        Some(Self { applied, numbers, last: Some(Rc::new(step)), early })
    }
}

/// Of two orders of the same calls the one with fewer before their return.
fn keep(states: &mut BTreeMap<Vec<u64>, State>, state: State) {
    match states.get(&state.applied) {
        Some(known) if known.early <= state.early => {}
        _ => drop(states.insert(state.applied.clone(), state)),
    }
}
