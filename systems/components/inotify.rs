//! An instance of inotify(7): its watches, and the queue of what it has been told.
//!
//! Owns how events join, how long the queue may be, and their form in memory. Who is told what is
//! `calls/inotify.rs`'s.

use crate::abi::flags::{IN_IGNORED, IN_Q_OVERFLOW};
use crate::components::WaitQueue;
use crate::fs::InodeId;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// Most events in a queue (`/proc/sys/fs/inotify/max_queued_events`).
pub const QUEUED_MAX: usize = 16_384;
/// Most instances of a user (`/proc/sys/fs/inotify/max_user_instances`).
pub const INSTANCES_MAX: usize = 128;
/// Most watches of a user (`/proc/sys/fs/inotify/max_user_watches`).
pub const WATCHES_MAX: usize = 1 << 16;
/// Bytes of `struct inotify_event` without its name; names are filled up to a multiple of it.
const EVENT_BYTES: usize = 16;

/// What an instance watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The inode; below /proc, where nothing ever happens, none.
    pub inode: Option<InodeId>,
    /// The number of the inode there.
    pub proc_ino: u64,
    /// Events and `IN_EXCL_UNLINK`, `IN_ONESHOT`.
    pub mask: u32,
}

/// An event in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The watch; -1 for an overflow.
    pub wd: i32,
    /// What happened.
    pub mask: u32,
    /// What the halves of a rename have in common.
    pub cookie: u32,
    /// The name in a watched directory.
    pub name: Bytes,
}

/// An instance.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    /// The real user who made it.
    pub uid: u32,
    /// The last number given to a watch: they are not used again.
    pub last_wd: i32,
    /// Its watches by number.
    pub watches: BTreeMap<i32, Watch>,
    /// What has not been read yet.
    pub queue: VecDeque<Notice>,
    /// Calls that wait for it.
    pub waiters: WaitQueue,
}

crate::wire_struct!(Watch { inode, proc_ino, mask });
crate::wire_struct!(Notice { wd, mask, cookie, name });

impl<'a> Wire<'a> for Instance {
    fn put(&self, out: &mut Vec<u8>) {
        (self.uid, self.last_wd).put(out);
        self.watches.put(out);
        self.queue.iter().cloned().collect::<Vec<_>>().put(out);
        self.waiters.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let (uid, last_wd) = Wire::get(from)?;
        let watches: BTreeMap<i32, Watch> = Wire::get(from)?;
        let queue: Vec<Notice> = Wire::get(from)?;
        let numbered = watches.keys().all(|wd| (1..=last_wd).contains(wd));
        if !numbered || queue.len() > QUEUED_MAX + 1 {
            return Err(
                from.error("watches with numbers that were given, and a queue within limits")
            );
        }
        Ok(Self { uid, last_wd, watches, queue: queue.into(), waiters: Wire::get(from)? })
    }
}

impl Notice {
    /// Bytes that a read takes for it.
    pub fn bytes(&self) -> usize {
        match self.name.0.len() {
            0 => EVENT_BYTES,
            // With its NUL.
            length => EVENT_BYTES + (length + 1).next_multiple_of(EVENT_BYTES),
        }
    }

    fn put_event(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.bytes();
        let length = (self.bytes() - EVENT_BYTES) as u32;
        out.extend_from_slice(&self.wd.to_le_bytes());
        for number in [self.mask, self.cookie, length] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.name.0);
        out.resize(end, 0);
    }

    /// Whether a new one says the same as the one before it.
    fn joins(&self, new: &Notice) -> bool {
        new.mask & IN_IGNORED == 0
            && (self.wd, self.mask, &self.name) == (new.wd, new.mask, &new.name)
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It is in the queue.
    Added,
    /// It said what the last one says.
    Joined,
    /// There was no room, which the queue tells.
    Overflow,
    /// There was no room, and the queue had told so before.
    Lost,
}

impl Instance {
    /// Puts an event at the end, if there is room for it.
    pub fn push(&mut self, new: Notice, has_room: bool) -> Queued {
        let overflown = || self.queue.iter().any(|notice| notice.wd == -1);
        if self.queue.len() >= QUEUED_MAX || !has_room {
            if overflown() {
                return Queued::Lost;
            }
            let name = Bytes::default();
            self.queue.push_back(Notice { wd: -1, mask: IN_Q_OVERFLOW, cookie: 0, name });
            return Queued::Overflow;
        }
        if self.queue.back().is_some_and(|last| last.joins(&new)) {
            return Queued::Joined;
        }
        self.queue.push_back(new);
        Queued::Added
    }

    /// Takes out what fits in so many bytes; `None` if not even the first does.
    pub fn take(&mut self, count: u64) -> Option<(Vec<u8>, Vec<Notice>)> {
        let (mut out, mut taken) = (Vec::new(), Vec::new());
        while let Some(next) = self.queue.front()
            && (out.len() + next.bytes()) as u64 <= count
            && let Some(next) = self.queue.pop_front()
        {
            next.put_event(&mut out);
            taken.push(next);
        }
        (!taken.is_empty()).then_some((out, taken))
    }

    /// Bytes that a read of everything would give (FIONREAD).
    pub fn readable_bytes(&self) -> u64 {
        self.queue.iter().map(|notice| notice.bytes() as u64).sum()
    }
}
