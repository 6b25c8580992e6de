//! What objects without a name have in common: what fstat(2) and /proc tell of them.

use crate::abi::Stat;
use crate::components::Object;
use crate::kernel::Kernel;

/// Device number of the file system behind anonymous inodes.
const ANON_INODE_DEVICE: u64 = 0xe;
/// The same of pidfds.
const PIDFS_DEVICE: u64 = 0x5;

impl Kernel {
    /// fstat(2): all share one inode that has no type, but for pidfds: each target has one.
    pub(crate) fn stat_of_object(&self, object: Object) -> Stat {
        let (dev, ino, mode) = match object {
            Object::Pidfd(pidfd) => (PIDFS_DEVICE, self.rows[pidfd].id, 0o700),
            Object::Epoll(_)
            | Object::Timer
            | Object::Signals(_)
            | Object::Inotify
            | Object::Event(_)
            | Object::Device(_)
            | Object::Pty(..)
            | Object::Foreign(_) => (ANON_INODE_DEVICE, 1, 0o600),
        };
        Stat { dev, ino, mode, nlink: 1, blksize: 4096, ..Stat::default() }
    }
}

/// The text of `/proc/PID/fd/N`.
pub(crate) const fn name(object: Object) -> &'static [u8] {
    match object {
        Object::Epoll(_) => b"anon_inode:[eventpoll]",
        Object::Timer => b"anon_inode:[timerfd]",
        Object::Signals(_) => b"anon_inode:[signalfd]",
        Object::Inotify => b"anon_inode:inotify",
        Object::Event(_) => b"anon_inode:[eventfd]",
        Object::Pidfd(_) => b"anon_inode:[pidfd]",
        Object::Device(_) | Object::Foreign(_) | Object::Pty(..) => b"face",
    }
}
