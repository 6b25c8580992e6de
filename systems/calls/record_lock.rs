//! Record locks of fcntl(2): F_SETLK, F_SETLKW, F_GETLK and their OFD forms.
//!
//! Process-associated locks belong to the descriptor table and go with any close of the file in it;
//! OFD locks belong to the description. Ranges of one owner are split and joined as they are set. A
//! wait that would close a circle of process-associated waits fails with EDEADLK. Not here:
//! mandatory locks.

use crate::abi::flags::*;
use crate::abi::{Errno, Flock};
use crate::components::{Object, Restart, Target, WaitQueue, Waiting};
use crate::event::{Answer, FcntlArg, Payload};
use crate::fs::{Fs, InodeId};
use crate::kernel::{CallResult, Changed, Kernel, Stop};
use crate::memory::LOCK_BYTES;
use crate::rows::{DescriptionRow, FilesRow, RowKind, Rows, TaskRow};
use crate::wire::{Wire, WireError, WireReader};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Range;

/// The last byte that a lock can cover.
const LAST: u64 = i64::MAX as u64;
/// The owners of the longest circle that is found: behind who is in the way Linux looks at one more
/// than `MAX_DEADLK_ITERATIONS`, which is 10.
const MAX_CIRCLE: u32 = 12;

/// What a lock lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LockedObject {
    /// An inode.
    Inode(InodeId),
    /// An unnamed pipe or a socket, by own id (they have one counter).
    Pipe(u64),
}

/// Whose a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LockOwner {
    /// A descriptor table, by own id.
    Files(u64),
    /// An open file description, by own id.
    Description(u64),
}

/// A lock on a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordLock {
    pub(crate) owner: LockOwner,
    /// The process that F_GETLK names.
    pub(crate) pid: u32,
    pub(crate) exclusive: bool,
    pub(crate) start: u64,
    /// The last byte.
    pub(crate) end: u64,
}

crate::wire_enum!(LockOwner { 0 Files(id), 1 Description(id) });
crate::wire_enum!(LockedObject { 0 Inode(inode), 1 Pipe(id) });
crate::wire_struct!(RecordLock { owner, pid, exclusive, start, end });

/// The locks of one object and the calls that wait for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordLocks {
    /// Those of one owner stand together, in the order of their first bytes; owners in the order in
    /// which they came. The first in the way is the one that F_GETLK tells.
    pub(crate) locks: Vec<RecordLock>,
    pub(crate) waiters: WaitQueue,
}

impl<'a> Wire<'a> for RecordLocks {
    fn put(&self, out: &mut Vec<u8>) {
        self.locks.put(out);
        self.waiters.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("record locks by their owners and bytes");
        let locks = Self { locks: Wire::get(from)?, waiters: Wire::get(from)? };
        if locks.is_ordered() { Ok(locks) } else { Err(error) }
    }
}

/// Where those of one owner's locks stand that end at `start` or behind it and begin at `end` or
/// before it.
fn overlapping(own: &[RecordLock], start: u64, end: u64) -> Range<usize> {
    let first = own.partition_point(|lock| lock.end < start);
    first..own.partition_point(|lock| lock.start <= end).max(first)
}

/// What of an owner's locks sticks out of a range on either side.
fn rests(locks: &[RecordLock], start: u64, end: u64) -> [Option<RecordLock>; 2] {
    let left = locks.first().filter(|first| first.start < start);
    let right = locks.last().filter(|last| last.end > end);
    [
        left.map(|first| RecordLock { end: first.end.min(start - 1), ..*first }),
        right.map(|last| RecordLock { start: last.start.max(end + 1), ..*last }),
    ]
}

impl RecordLock {
    pub(crate) fn conflicts(&self, other: &RecordLock) -> bool {
        let overlaps = self.start <= other.end && other.start <= self.end;
        self.owner != other.owner && (self.exclusive || other.exclusive) && overlaps
    }
}

impl RecordLocks {
    /// Where the locks of each owner stand.
    fn owners(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let owner = self.locks.get(at)?.owner;
            let first = at;
            at += self.locks[first..].partition_point(|lock| lock.owner == owner);
            Some(first..at)
        })
    }

    /// Whether those of one owner stand together and none overlaps with another of them.
    fn is_ordered(&self) -> bool {
        let mut owners = BTreeSet::new();
        let mut last: Option<&RecordLock> = None;
        self.locks.iter().all(|lock| {
            let before = last.replace(lock).filter(|last| last.owner == lock.owner);
            before.map_or_else(|| owners.insert(lock.owner), |before| before.end < lock.start)
        })
    }

    /// Where an owner's locks stand, or would: behind all.
    fn own(&self, owner: LockOwner) -> Range<usize> {
        let end = self.locks.len();
        self.owners().find(|own| self.locks[own.start].owner == owner).unwrap_or(end..end)
    }

    /// Where those of an owner's locks stand that overlap with a range.
    fn own_in(&self, owner: LockOwner, start: u64, end: u64) -> Range<usize> {
        let own = self.own(owner);
        let within = overlapping(&self.locks[own.clone()], start, end);
        own.start + within.start..own.start + within.end
    }

    /// The first lock of another owner that is in the way of one.
    fn conflict(&self, new: &RecordLock) -> Option<&RecordLock> {
        let locks = self.owners().map(|own| &self.locks[own]);
        let mut others = locks.filter(|own| own.first().is_some_and(|one| one.owner != new.owner));
        others.find_map(|own| {
            let mut within = own[overlapping(own, new.start, new.end)].iter();
            within.find(|lock| lock.exclusive || new.exclusive)
        })
    }

    /// Takes the owner's locks out of a range: what sticks out on either side stays.
    fn clear(&mut self, owner: LockOwner, start: u64, end: u64) -> bool {
        let cut = self.own_in(owner, start, end);
        let rests = rests(&self.locks[cut.clone()], start, end);
        let is_cut = !cut.is_empty();
        self.locks.splice(cut, rests.into_iter().flatten());
        is_cut
    }

    /// Whether the range of a lock lies within another one of its owner, which gets two ends more.
    fn cuts(&self, new: &RecordLock) -> bool {
        let around = self.locks[self.own_in(new.owner, new.start, new.end)].first();
        around.is_some_and(|old| old.start < new.start && new.end < old.end)
    }

    /// Sets a lock that conflicts with nothing; joins neighbours of the same owner and kind.
    fn set(&mut self, mut new: RecordLock) {
        let (start, end) = (new.start, new.end);
        let touched = self.own_in(new.owner, start.saturating_sub(1), end.saturating_add(1));
        let old = &self.locks[touched.clone()];
        for lock in old.iter().filter(|old| old.exclusive == new.exclusive) {
            new.start = new.start.min(lock.start);
            new.end = new.end.max(lock.end);
        }
        let [left, right] = rests(old, start, end);
        let is_other = |rest: &RecordLock| rest.exclusive != new.exclusive;
        let locks = [left.filter(is_other), Some(new), right.filter(is_other)];
        self.locks.splice(touched, locks.into_iter().flatten());
    }
}

/// What locks of a description lie on.
pub(crate) fn locked_object(rows: &Rows, fs: &Fs, row: DescriptionRow) -> Option<LockedObject> {
    match rows[row].target {
        Target::File(place) | Target::Pipe(_, Some(place)) => {
            fs.inode_id(place).map(LockedObject::Inode)
        }
        Target::Socket(socket) => Some(LockedObject::Pipe(socket.own_id(rows))),
        Target::Object(Object::Pidfd(pidfd)) => Some(LockedObject::Pipe(pidfd.own_id(rows))),
        // All share one inode.
        Target::Object(
            Object::Event(_)
            | Object::Epoll(_)
            | Object::Inotify
            | Object::Timer
            | Object::Signals(_),
        ) => Some(LockedObject::Pipe(0)),
        Target::Object(Object::Device(_) | Object::Foreign(_) | Object::Pty(..)) => None,
        Target::Pipe(pipe, None) => Some(LockedObject::Pipe(pipe.own_id(rows))),
    }
}

impl Kernel {
    fn locked_object(&self, row: DescriptionRow) -> Option<LockedObject> {
        locked_object(&self.rows, &self.fs, row)
    }

    /// F_GETLK, F_SETLK, F_SETLKW and the OFD commands.
    pub(crate) fn record_lock(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        cmd: u32,
        arg: FcntlArg,
    ) -> CallResult {
        let FcntlArg::Lock(flock) = arg else { return Err(Errno::EFAULT.into()) };
        let ofd = matches!(cmd, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
        let asks = matches!(cmd, F_GETLK | F_OFD_GETLK);
        let kind = flock.kind as u32;
        // The descriptor's access mode is looked at before the rest of an OFD lock.
        let owned = ofd && flock.pid != 0;
        if cmd == F_GETLK && kind >= F_UNLCK {
            return Err(Errno::EINVAL.into());
        }
        let (start, end) = self.lock_range(row, &flock)?;
        if kind > F_UNLCK || asks && owned {
            return Err(Errno::EINVAL.into());
        }
        let owner = if ofd {
            LockOwner::Description(row.own_id(&self.rows))
        } else {
            LockOwner::Files(self.rows[task].files.own_id(&self.rows))
        };
        let pid = self.rows[self.rows[task].process].pid;
        let lock = RecordLock { owner, pid, exclusive: kind == F_WRLCK, start, end };
        let Some(object) = self.locked_object(row) else { return Err(Errno::ENOLCK.into()) };
        if asks {
            return Ok(self.tell_lock(object, &lock, flock));
        }
        let description = &self.rows[row];
        if kind == F_RDLCK && !description.readable() || kind == F_WRLCK && !description.writable()
        {
            return Err(Errno::EBADF.into());
        }
        if owned {
            return Err(Errno::EINVAL.into());
        }
        // "Lock table is full" (fcntl(2)): a lock stands alone or cuts another one in two.
        let cuts = || self.record_locks.get(&object).is_some_and(|locks| locks.cuts(&lock));
        if !self.has_memory(2 * LOCK_BYTES) && (kind != F_UNLCK || cuts()) {
            return Err(Errno::ENOLCK.into());
        }
        if kind == F_UNLCK {
            self.unlock_range(object, owner, start, end);
            return Ok(Answer::default());
        }
        if self.try_record_lock(object, lock) {
            return Ok(Answer::default());
        }
        if !matches!(cmd, F_SETLKW | F_OFD_SETLKW) {
            return Err(Errno::EAGAIN.into());
        }
        if !ofd && self.closes_circle(object, &lock) {
            return Err(Errno::EDEADLK.into());
        }
        self.rows[row].refs += 1;
        Err(Stop::block(
            Waiting::RecordLock { description: row, object, lock },
            None,
            Restart::WithFlag,
        ))
    }

    /// First and last byte of a `struct flock` (fcntl(2)).
    fn lock_range(&self, row: DescriptionRow, flock: &Flock) -> Result<(u64, u64), Errno> {
        let base = match u32::try_from(flock.whence) {
            Ok(SEEK_SET) => 0,
            Ok(SEEK_CUR) => self.rows[row].offset,
            Ok(SEEK_END) => {
                let place = self.place_of(row);
                place.and_then(|place| self.fs.size_of(place)).unwrap_or(0)
            }
            _ => return Err(Errno::EINVAL),
        };
        let start = i128::from(base) + i128::from(flock.start);
        if start > i128::from(LAST) {
            return Err(Errno::EOVERFLOW);
        }
        let (start, end) = match flock.len {
            0 => (start, i128::from(LAST)),
            len if len > 0 => (start, start + i128::from(len) - 1),
            len => (start + i128::from(len), start - 1),
        };
        if start < 0 {
            return Err(Errno::EINVAL);
        }
        if end > i128::from(LAST) {
            return Err(Errno::EOVERFLOW);
        }
        Ok((start as u64, end as u64))
    }

    /// F_GETLK: the first lock in the way, or F_UNLCK.
    fn tell_lock(&self, object: LockedObject, lock: &RecordLock, flock: Flock) -> Answer {
        let locks = self.record_locks.get(&object);
        let found = locks.and_then(|locks| match flock.kind as u32 {
            // F_OFD_GETLK with F_UNLCK asks for the description's own locks (Linux 6.6).
            F_UNLCK => locks.locks[locks.own_in(lock.owner, lock.start, lock.end)].first(),
            _ => locks.conflict(lock),
        });
        let told = match found {
            None => Flock { kind: F_UNLCK as i16, ..flock },
            Some(found) => Flock {
                kind: if found.exclusive { F_WRLCK } else { F_RDLCK } as i16,
                whence: SEEK_SET as i16,
                start: found.start as i64,
                len: if found.end == LAST { 0 } else { (found.end - found.start + 1) as i64 },
                pid: match found.owner {
                    LockOwner::Files(_) => found.pid as i32,
                    LockOwner::Description(_) => -1,
                },
            },
        };
        Answer::with(Payload::Lock(told))
    }

    /// Sets the lock if nothing is in its way.
    pub(crate) fn try_record_lock(&mut self, object: LockedObject, lock: RecordLock) -> bool {
        let locks = self.record_locks.entry(object).or_default();
        if locks.conflict(&lock).is_some() {
            return false;
        }
        // A lock that becomes shared may let others in.
        let loosens = !lock.exclusive
            && !locks.waiters.is_empty()
            && locks.locks[locks.own(lock.owner)].iter().any(|own| own.exclusive);
        let before = locks.locks.len();
        locks.set(lock);
        let after = locks.locks.len();
        self.count_locks(before, after);
        if loosens {
            self.note(Changed::Records(object));
        }
        true
    }

    fn unlock_range(&mut self, object: LockedObject, owner: LockOwner, start: u64, end: u64) {
        let Some(locks) = self.record_locks.get_mut(&object) else { return };
        let before = locks.locks.len();
        let cut = locks.clear(owner, start, end);
        let after = locks.locks.len();
        self.count_locks(before, after);
        let Some(locks) = self.record_locks.get(&object) else { return };
        if locks.locks.is_empty() && locks.waiters.is_empty() {
            self.record_locks.remove(&object);
        } else if cut && !locks.waiters.is_empty() {
            self.note(Changed::Records(object));
        }
    }

    fn count_locks(&mut self, before: usize, after: usize) {
        self.hold_bytes(after as u64 * LOCK_BYTES);
        self.unhold_bytes(before as u64 * LOCK_BYTES);
    }

    /// A descriptor of a table closes: the table's locks on that file go (fcntl(2)).
    #[inline]
    pub(crate) fn forget_table_locks(&mut self, files: FilesRow, row: DescriptionRow) {
        if self.record_locks.is_empty() {
            return;
        }
        if let Some(object) = self.locked_object(row) {
            let owner = LockOwner::Files(files.own_id(&self.rows));
            self.unlock_range(object, owner, 0, LAST);
        }
    }

    /// A description closes: its OFD locks go.
    #[inline]
    pub(crate) fn forget_description_locks(&mut self, row: DescriptionRow) {
        if self.record_locks.is_empty() {
            return;
        }
        if let Some(object) = self.locked_object(row) {
            let owner = LockOwner::Description(row.own_id(&self.rows));
            self.unlock_range(object, owner, 0, LAST);
        }
    }

    pub(crate) fn watch_records(
        &mut self,
        object: LockedObject,
        since: u64,
        tid: u32,
        enter: bool,
    ) {
        let locks = self.record_locks.entry(object).or_default();
        if enter {
            locks.waiters.add(since, tid);
        } else {
            locks.waiters.remove(since);
            if locks.waiters.is_empty() && locks.locks.is_empty() {
                self.record_locks.remove(&object);
            }
        }
    }

    pub(crate) fn record_waiters(&self, object: LockedObject) -> Vec<(u64, u32)> {
        self.record_locks.get(&object).map_or_else(Vec::new, |locks| locks.waiters.0.clone())
    }

    /// Who is in the way of a lock.
    fn blocker(&self, object: LockedObject, lock: &RecordLock) -> Option<LockOwner> {
        let locks = self.record_locks.get(&object)?;
        locks.conflict(lock).map(|other| other.owner)
    }

    /// Whether waiting for a lock would wait for oneself (EDEADLK).
    fn closes_circle(&self, object: LockedObject, lock: &RecordLock) -> bool {
        let mut at = self.blocker(object, lock);
        for _ in 0..MAX_CIRCLE {
            let Some(owner) = at else { return false };
            if owner == lock.owner {
                return true;
            }
            at = self.waited_for(owner);
        }
        false
    }

    /// The owner that an owner waits for, if it waits.
    fn waited_for(&self, owner: LockOwner) -> Option<LockOwner> {
        let waiters = self.record_locks.values().flat_map(|locks| &locks.waiters.0);
        let mut waits = waiters.filter_map(|(_, tid)| {
            let row = self.pids.task(*tid)?;
            match &self.rows[row].wait.as_ref()?.on {
                Waiting::RecordLock { object, lock, .. } if lock.owner == owner => {
                    self.blocker(*object, lock)
                }
                _ => None,
            }
        });
        waits.next()
    }
}
