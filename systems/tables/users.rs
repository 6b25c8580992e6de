//! How many tasks each user has, as RLIMIT_NPROC counts them (getrlimit(2)): by real user ID,
//! threads and zombies too.
//!
//! User 0 is exempt from the limit and is not counted. Not here: the limit itself
//! (`calls/process.rs`, `calls/exec.rs`).

use alloc::collections::BTreeMap;

/// Tasks by real user ID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserTasks {
    /// The user asked about last, with its tasks: most systems have one that forks.
    last: (u32, u64),
    /// The others that have any.
    others: BTreeMap<u32, u64>,
}

impl UserTasks {
    /// A task of the user more.
    #[inline]
    pub(crate) fn enter(&mut self, uid: u32) {
        if uid != 0 {
            *self.of(uid) += 1;
        }
    }

    /// One less.
    #[inline]
    pub(crate) fn leave(&mut self, uid: u32) {
        if uid != 0 {
            let count = self.of(uid);
            *count = count.saturating_sub(1);
        }
    }

    /// How many the user has; 0 for user 0.
    pub(crate) fn count(&self, uid: u32) -> u64 {
        if uid == self.last.0 { self.last.1 } else { self.others.get(&uid).copied().unwrap_or(0) }
    }

    /// All users that have tasks.
    pub(crate) fn all(&self) -> BTreeMap<u32, u64> {
        let mut all = self.others.clone();
        if self.last.1 > 0 {
            all.insert(self.last.0, self.last.1);
        }
        all
    }

    #[inline]
    fn of(&mut self, uid: u32) -> &mut u64 {
        if uid != self.last.0 {
            self.turn_to(uid);
        }
        &mut self.last.1
    }

    #[cold]
    fn turn_to(&mut self, uid: u32) {
        let (before, count) = self.last;
        if count > 0 {
            self.others.insert(before, count);
        }
        self.last = (uid, self.others.remove(&uid).unwrap_or(0));
    }
}
