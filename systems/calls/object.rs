//! Objects that are only made: epoll_create(2). Programs make them to see whether they can.
//!
//! Not here yet: epoll_ctl(2), epoll_wait(2).

use crate::abi::flags::{EPOLL_CLOEXEC, O_CLOEXEC, O_NONBLOCK, O_RDWR};
use crate::abi::{Errno, Stat};
use crate::components::{Object, Target};
use crate::event::Answer;
use crate::kernel::{CallResult, Kernel};
use crate::rows::TaskRow;

/// Device number of the file system behind anonymous inodes.
const ANON_INODE_DEVICE: u64 = 0xe;
/// The same of pidfds.
const PIDFS_DEVICE: u64 = 0x5;

impl Kernel {
    /// epoll_create(2): the size only must not be negative or 0.
    pub(crate) fn epoll_create(&mut self, task: TaskRow, size: i32) -> CallResult {
        if size <= 0 {
            return Err(Errno::EINVAL.into());
        }
        self.make_object(task, Object::Epoll, O_RDWR, 0)
    }

    /// epoll_create1(2).
    pub(crate) fn epoll_create1(&mut self, task: TaskRow, flags: u32) -> CallResult {
        if flags & !EPOLL_CLOEXEC != 0 {
            return Err(Errno::EINVAL.into());
        }
        self.make_object(task, Object::Epoll, O_RDWR, flags)
    }

    /// fstat(2): all share one inode that has no type, but for pidfds: each target has one.
    pub(crate) fn stat_of_object(&self, object: Object) -> Stat {
        let (dev, ino, mode) = match object {
            Object::Pidfd(pidfd) => (PIDFS_DEVICE, self.rows[pidfd].id, 0o700),
            Object::Epoll
            | Object::Inotify
            | Object::Event(_)
            | Object::Device(_)
            | Object::Foreign(_) => (ANON_INODE_DEVICE, 1, 0o600),
        };
        Stat { dev, ino, mode, nlink: 1, blksize: 4096, ..Stat::default() }
    }

    fn make_object(
        &mut self,
        task: TaskRow,
        object: Object,
        access: u32,
        flags: u32,
    ) -> CallResult {
        let fd = self.free_fd(task, 0)?;
        let row = self.describe(Target::Object(object), access | flags & O_NONBLOCK)?;
        self.install(task, fd, row, flags & O_CLOEXEC != 0);
        Ok(Answer::value(i64::from(fd)))
    }
}

/// The text of `/proc/PID/fd/N`.
pub(crate) const fn name(object: Object) -> &'static [u8] {
    match object {
        Object::Epoll => b"anon_inode:[eventpoll]",
        Object::Inotify => b"anon_inode:inotify",
        Object::Event(_) => b"anon_inode:[eventfd]",
        Object::Pidfd(_) => b"anon_inode:[pidfd]",
        Object::Device(_) | Object::Foreign(_) => b"face",
    }
}
