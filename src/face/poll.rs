//! poll(2) on descriptors and sockets: bits, entries, results (SEMANTICS.md section 6), and a
//! handle on which another thread waits for a change.

use super::socket_table::SocketId;
use std::ops::{BitOr, BitOrAssign};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tickernel_systems::abi::flags;

/// A set of the bits of poll(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PollEvents(u16);

impl PollEvents {
    /// No bit.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// The set with these bits, known or not.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether no bit is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all bits of `other` are in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a bit of `other` is in it.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for PollEvents {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for PollEvents {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// There is something to read.
pub const POLLIN: PollEvents = PollEvents(flags::POLLIN as u16);
/// There is room to write.
pub const POLLOUT: PollEvents = PollEvents(flags::POLLOUT as u16);
/// An error; reported unasked.
pub const POLLERR: PollEvents = PollEvents(flags::POLLERR as u16);
/// The other side is gone; reported unasked.
pub const POLLHUP: PollEvents = PollEvents(flags::POLLHUP as u16);
/// There is no such descriptor or socket; reported unasked.
pub const POLLNVAL: PollEvents = PollEvents(flags::POLLNVAL as u16);

/// A descriptor to poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollFd {
    /// The descriptor.
    pub fd: u32,
    /// What is asked.
    pub events: PollEvents,
    /// What was found.
    pub revents: PollEvents,
}

impl PollFd {
    /// An entry that asks for `events`.
    pub const fn new(fd: u32, events: PollEvents) -> Self {
        Self { fd, events, revents: PollEvents::empty() }
    }
}

/// What polling descriptors found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollResult {
    /// Entries in which something was found.
    pub ready_count: usize,
    /// The entries, in the order asked.
    pub fds: Vec<PollFd>,
}

/// A descriptor or a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollTarget {
    /// A descriptor.
    Fd(u32),
    /// A socket.
    Socket(SocketId),
}

/// A descriptor or a socket to poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollTargetEntry {
    /// What to poll.
    pub target: PollTarget,
    /// What is asked.
    pub events: PollEvents,
    /// What was found.
    pub revents: PollEvents,
}

impl PollTargetEntry {
    /// An entry that asks for `events`.
    pub const fn new(target: PollTarget, events: PollEvents) -> Self {
        Self { target, events, revents: PollEvents::empty() }
    }

    /// An entry for a descriptor.
    pub const fn fd(fd: u32, events: PollEvents) -> Self {
        Self::new(PollTarget::Fd(fd), events)
    }

    /// An entry for a socket.
    pub const fn socket(socket_id: SocketId, events: PollEvents) -> Self {
        Self::new(PollTarget::Socket(socket_id), events)
    }
}

/// What polling descriptors and sockets found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollTargetResult {
    /// Entries in which something was found.
    pub ready_count: usize,
    /// The entries, in the order asked.
    pub targets: Vec<PollTargetEntry>,
}

/// Tells another thread that something changed that poll might report. Clones are one handle.
#[derive(Debug, Clone)]
pub struct PollWaitHandle {
    changes: Arc<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    count: Mutex<u64>,
    changed: Condvar,
}

impl PollWaitHandle {
    /// A handle on which nothing has changed yet.
    pub(crate) fn new() -> Self {
        Self { changes: Arc::new(Changes::default()) }
    }

    /// Counts a change and wakes all who wait.
    pub(crate) fn notify(&self) {
        // A number cannot be left half-written, so a poisoned lock is as good as another.
        let mut count = self.changes.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.wrapping_add(1);
        drop(count);
        self.changes.changed.notify_all();
    }

    /// Where the count of changes stands: to be taken before polling, and waited on after.
    pub fn snapshot(&self) -> u64 {
        *self.changes.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the count is no longer `observed`, at most `timeout` (without one, for ever).
    /// Whether it changed.
    pub fn wait_for_change(&self, observed: u64, timeout: Option<Duration>) -> bool {
        let count = self.changes.count.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |count: &mut u64| *count == observed;
        let changed = &self.changes.changed;
        let count = match timeout {
            None => changed.wait_while(count, same).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                changed
                    .wait_timeout_while(count, timeout, same)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        *count != observed
    }
}
