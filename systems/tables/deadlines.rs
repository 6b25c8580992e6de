//! What is due when: blocked calls with a time-out and alarms, by time and then by arming order.

use alloc::collections::BTreeSet;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The blocked call of this task gives up.
    Call(u32),
    /// SIGALRM of this process.
    Alarm(u32),
    /// A zombie of the face goes, unless its parent lives.
    Zombie(u32),
    /// A timer of timer_create(2): its process and number.
    Timer(u32, u32),
}

/// All deadlines: (ns, what). The first stands outside the tree, as everybody looks at it, and a
/// kernel with one at a time needs no memory for it.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    first: Option<(u64, Due)>,
    /// All after `first`; empty without one.
    others: BTreeSet<(u64, Due)>,
}

impl Deadlines {
    /// Arms a deadline.
    pub fn add(&mut self, at_ns: u64, due: Due) {
        let key = (at_ns, due);
        match self.first {
            None => self.first = Some(key),
            Some(first) if first == key => {}
            Some(first) if first < key => drop(self.others.insert(key)),
            Some(first) => {
                self.others.insert(first);
                self.first = Some(key);
            }
        }
    }

    /// Disarms it.
    pub fn remove(&mut self, at_ns: u64, due: Due) {
        let key = (at_ns, due);
        if self.first == Some(key) {
            self.first = if self.others.is_empty() { None } else { self.others.pop_first() };
        } else if !self.others.is_empty() {
            self.others.remove(&key);
        }
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Due)> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    /// The next one.
    #[inline]
    pub fn first(&self) -> Option<(u64, Due)> {
        self.first
    }
}
