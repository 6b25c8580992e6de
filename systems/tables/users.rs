//! What the kernel counts by real user ID (getrlimit(2)): tasks for RLIMIT_NPROC, threads and
//! zombies too, and queued signals for RLIMIT_SIGPENDING.
//!
//! User 0 is exempt from the limit on tasks, which are not counted for it. Not here: the limits
//! themselves (`calls/process.rs`, `calls/exec.rs`, `queue.rs`, `calls/timer.rs`).

use alloc::collections::BTreeMap;

/// How many of something each user has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerUser {
    /// The user asked about last, with its count: most systems have one that is busy.
    last: (u32, u64),
    /// The others that have any.
    others: BTreeMap<u32, u64>,
}

impl PerUser {
    /// One more of the user's.
    #[inline]
    pub(crate) fn enter(&mut self, uid: u32) {
        *self.of(uid) += 1;
    }

    /// One less.
    #[inline]
    pub(crate) fn leave(&mut self, uid: u32) {
        let count = self.of(uid);
        *count = count.saturating_sub(1);
    }

    /// Counts that were taken elsewhere.
    pub(crate) fn of_all(all: BTreeMap<u32, u64>) -> Self {
        let mut others = all;
        let root = others.remove(&0).unwrap_or(0);
        Self { last: (0, root), others }
    }

    /// How many the user has.
    pub(crate) fn count(&self, uid: u32) -> u64 {
        if uid == self.last.0 { self.last.1 } else { self.others.get(&uid).copied().unwrap_or(0) }
    }

    /// All users that have any.
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

/// Tasks by real user ID, but for user 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserTasks(PerUser);

impl UserTasks {
    /// A task of the user more.
    #[inline]
    pub(crate) fn enter(&mut self, uid: u32) {
        if uid != 0 {
            self.0.enter(uid);
        }
    }

    /// One less.
    #[inline]
    pub(crate) fn leave(&mut self, uid: u32) {
        if uid != 0 {
            self.0.leave(uid);
        }
    }

    /// How many the user has; 0 for user 0.
    pub(crate) fn count(&self, uid: u32) -> u64 {
        self.0.count(uid)
    }

    /// All users that have tasks.
    pub(crate) fn all(&self) -> BTreeMap<u32, u64> {
        self.0.all()
    }
}
