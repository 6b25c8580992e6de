//! Objects without a name: the counter of eventfd(2) and what pidfd_open(2) refers to.

use crate::components::{TextDefault, WaitQueue};

/// The largest value of an eventfd(2) counter.
pub const EVENT_MAX: u64 = u64::MAX - 1;

/// The counter of eventfd(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Own id.
    pub id: u64,
    /// The counter, at most [`EVENT_MAX`].
    pub count: u64,
    /// `EFD_SEMAPHORE`: a read takes 1.
    pub semaphore: bool,
    /// Calls that wait for it.
    pub waiters: WaitQueue,
}

impl Event {
    /// What a read(2) takes; `None` while the counter is 0.
    pub fn take(&mut self) -> Option<u64> {
        let taken = match self.count {
            0 => return None,
            _ if self.semaphore => 1,
            all => all,
        };
        self.count -= taken;
        Some(taken)
    }

    /// Adds what a write(2) gives; false if there is no room for it.
    pub fn add(&mut self, value: u64) -> bool {
        let fits = value <= EVENT_MAX - self.count;
        if fits {
            self.count += value;
        }
        fits
    }
}

/// A process, or a thread, that a pidfd refers to for good, whoever has its number later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pidfd {
    /// Own id; also its inode's number.
    pub id: u64,
    /// The number that it had.
    pub pid: u32,
    /// It has been reaped.
    pub gone: bool,
    /// Open descriptions on it.
    pub refs: u32,
    /// Calls that wait for its end.
    pub waiters: WaitQueue,
}

impl TextDefault for Event {
    type Cold = ();
}

impl TextDefault for Pidfd {
    type Cold = ();
}
