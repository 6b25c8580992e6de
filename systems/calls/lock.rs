//! flock(2): locks that belong to the open description and lie on the inode.
//!
//! Not here: record locks of fcntl(2) (`record_lock.rs`).

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::{Restart, WaitQueue, Waiting};
use crate::event::Answer;
use crate::fs::InodeId;
use crate::kernel::{CallResult, Changed, Kernel, Stop};
use crate::rows::{DescriptionRow, TaskRow};
use alloc::vec::Vec;

/// The flock(2) locks of an inode and the calls that wait for them.
#[derive(Debug, Default)]
pub(crate) struct InodeLocks {
    pub(crate) shared: u32,
    pub(crate) exclusive: bool,
    pub(crate) waiters: WaitQueue,
}

impl Kernel {
    fn locked_inode(&self, row: DescriptionRow) -> Option<InodeId> {
        let place = self.place_of(row)?;
        self.fs.inode_id(place)
    }

    /// flock(2).
    pub(crate) fn flock(&mut self, task: TaskRow, fd: i32, operation: u32) -> CallResult {
        // What was once a lock for the whole file (`LOCK_MAND`) does nothing, on any descriptor; a
        // kind that there is not is found before the descriptor.
        if operation & LOCK_MAND != 0 && !self.bends.only_files_are_locked {
            return Ok(Answer::default());
        }
        let kind = operation & !LOCK_NB;
        let known = matches!(kind, LOCK_SH | LOCK_EX | LOCK_UN);
        if !known && !self.bends.only_files_are_locked {
            return Err(Errno::EINVAL.into());
        }
        let row = self.open_fd(task, fd)?;
        if self.bends.only_files_are_locked && !self.is_plain_file(row) {
            return Err(Errno::EBADF.into());
        }
        if !known {
            return Err(Errno::EINVAL.into());
        }
        if kind == LOCK_UN {
            self.unlock_description(row);
            return Ok(Answer::default());
        }
        if !self.rows[row].readable() && !self.rows[row].writable() {
            return Err(Errno::EBADF.into());
        }
        let pid = self.rows[self.rows[task].process].pid;
        if self.try_flock(row, kind, pid) {
            return Ok(Answer::default());
        }
        if operation & LOCK_NB != 0 {
            return Err(Errno::EAGAIN.into());
        }
        self.rows[row].refs += 1;
        Err(Stop::block(
            Waiting::Flock { description: row, operation: kind },
            None,
            Restart::WithFlag,
        ))
    }

    /// Takes the lock for a process if nothing conflicts. A conversion gives the old lock up first
    /// (flock(2)).
    pub(crate) fn try_flock(&mut self, row: DescriptionRow, kind: u32, pid: u32) -> bool {
        let Some(inode) = self.locked_inode(row) else { return true };
        if self.rows[row].flock == kind {
            return true;
        }
        if self.bends.conversion_keeps_lock && !self.may_convert(row, inode, kind) {
            return false;
        }
        self.unlock_description(row);
        let locks = self.locks.entry(inode).or_default();
        let free = !locks.exclusive && (kind == LOCK_SH || locks.shared == 0);
        if free {
            if kind == LOCK_SH {
                locks.shared += 1;
            } else {
                locks.exclusive = true;
            }
            (self.rows[row].flock, self.rows[row].flock_pid) = (kind, pid);
        }
        free
    }

    /// Whether a lock would be free if this description had none.
    fn may_convert(&self, row: DescriptionRow, inode: InodeId, kind: u32) -> bool {
        let Some(locks) = self.locks.get(&inode) else { return true };
        let own = self.rows[row].flock;
        let exclusive = locks.exclusive && own != LOCK_EX;
        let shared = locks.shared - u32::from(own == LOCK_SH);
        !exclusive && (kind == LOCK_SH || shared == 0)
    }

    /// Gives up the lock of a description, if it has one.
    pub(crate) fn unlock_description(&mut self, row: DescriptionRow) {
        let kind = self.rows[row].flock;
        if kind == 0 {
            return;
        }
        (self.rows[row].flock, self.rows[row].flock_pid) = (0, 0);
        let Some(inode) = self.locked_inode(row) else { return };
        let Some(locks) = self.locks.get_mut(&inode) else { return };
        if kind == LOCK_SH {
            locks.shared -= 1;
        } else {
            locks.exclusive = false;
        }
        if !locks.waiters.is_empty() {
            self.note(Changed::Locks(inode));
        } else if locks.shared == 0 && !locks.exclusive {
            self.locks.remove(&inode);
        }
    }

    pub(crate) fn lock_waiters(&self, inode: InodeId) -> Vec<(u64, u32)> {
        self.locks.get(&inode).map_or_else(Vec::new, |locks| locks.waiters.0.clone())
    }

    pub(crate) fn watch_lock(&mut self, row: DescriptionRow, since: u64, tid: u32, enter: bool) {
        let Some(inode) = self.locked_inode(row) else { return };
        let locks = self.locks.entry(inode).or_default();
        if enter {
            locks.waiters.add(since, tid);
        } else {
            locks.waiters.remove(since);
            if locks.waiters.is_empty() && locks.shared == 0 && !locks.exclusive {
                self.locks.remove(&inode);
            }
        }
    }
}
