//! What objects without a name have in common: what fstat(2) and /proc tell of them.

use crate::abi::Stat;
use crate::components::{Object, Target};
use crate::kernel::Kernel;
use crate::rows::Rows;

/// Device and number of the one anonymous inode.
pub(crate) const ANONYMOUS: (u64, u64) = (0xe, 1);
/// The same of pidfds.
const PIDFS_DEVICE: u64 = 0x5;

impl Kernel {
    /// fstat(2): all share one inode that has no type, but for pidfds: each target has one.
    pub(crate) fn stat_of_object(&self, object: Object) -> Stat {
        let (dev, ino) = numbers_of_object(&self.rows, object);
        let mode = if matches!(object, Object::Pidfd(_)) { 0o700 } else { 0o600 };
        Stat { dev, ino, mode, nlink: 1, blksize: 4096, ..Stat::default() }
    }
}

/// Device and inode number of an object.
pub(crate) fn numbers_of_object(rows: &Rows, object: Object) -> (u64, u64) {
    match object {
        Object::Pidfd(pidfd) => (PIDFS_DEVICE, rows[pidfd].id),
        Object::Epoll(_)
        | Object::Timer
        | Object::Signals(_)
        | Object::Inotify
        | Object::Event(_)
        | Object::Device(_)
        | Object::Pty(..)
        | Object::Foreign(_) => ANONYMOUS,
    }
}

/// Numbers of the mounts on which things without a name lie, in the order of their making: none is
/// one of the tree's.
pub(crate) const fn mount_of(target: &Target) -> u32 {
    match target {
        Target::Object(Object::Pidfd(_)) => 4,
        Target::Socket(_) => 10,
        Target::Pipe(..) => 16,
        Target::Object(_) | Target::File(_) => 17,
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
