//! What a file system tells about its inodes: stat(2), times of utimensat(2), directory entries.

use super::error::{VfsError, VfsResult};
use serde::{Deserialize, Serialize};
use tickernel_systems::abi::Errno;
pub use tickernel_systems::abi::flags::{S_IFDIR, S_IFLNK, S_IFREG};

const NS_PER_MS: u32 = 1_000_000;
const NS_PER_S: u32 = 1_000_000_000;

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualDirEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a symbolic link.
    pub is_symbolic_link: bool,
}

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
}

/// An inode, as stat(2) tells it. Times are since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualStat {
    /// Type and permission bits.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// The file system.
    pub dev: u64,
    /// The device that it is, for a device.
    pub rdev: u64,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a symbolic link.
    pub is_symbolic_link: bool,
    /// Last read, in ms.
    pub atime_ms: u64,
    /// The part of `atime` below a second, in ns, when it was set so.
    pub atime_nsec: u32,
    /// Last change of the content, in ms.
    pub mtime_ms: u64,
    /// The part of `mtime` below a second, in ns, when it was set so.
    pub mtime_nsec: u32,
    /// Last change of the inode, in ms.
    pub ctime_ms: u64,
    /// The part of `ctime` below a second, in ns.
    pub ctime_nsec: u32,
    /// When it was made, in ms.
    pub birthtime_ms: u64,
    /// Its number.
    pub ino: u64,
    /// Names of it.
    pub nlink: u64,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A time since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualTimeSpec {
    /// Seconds; may be negative.
    pub sec: i64,
    /// Nanoseconds, below a thousand million.
    pub nsec: u32,
}

impl VirtualTimeSpec {
    /// A time. `EINVAL` when `nsec` is a second or more.
    pub fn new(sec: i64, nsec: u32) -> VfsResult<Self> {
        if nsec >= NS_PER_S {
            let message = format!("timespec nanoseconds out of range: {nsec}");
            return Err(VfsError::errno(Errno::EINVAL, message));
        }
        Ok(Self { sec, nsec })
    }

    /// A time in ms.
    pub fn from_millis(ms: u64) -> Self {
        // A u64 of milliseconds is at most 2^64 / 1000 seconds, which an i64 holds.
        Self { sec: (ms / 1000) as i64, nsec: (ms % 1000) as u32 * NS_PER_MS }
    }

    /// In ms, what is below cut off. `EINVAL` before the epoch, beyond a u64, and when `nsec` is a
    /// second or more.
    pub fn to_truncated_millis(self) -> VfsResult<u64> {
        let Self { sec, nsec } = Self::new(self.sec, self.nsec)?;
        let Ok(seconds) = u64::try_from(sec) else {
            let message =
                format!("negative timestamps are not supported by this filesystem: {sec}");
            return Err(VfsError::errno(Errno::EINVAL, message));
        };
        seconds
            .checked_mul(1000)
            .and_then(|ms| ms.checked_add(u64::from(nsec / NS_PER_MS)))
            .ok_or_else(|| {
                VfsError::errno(Errno::EINVAL, format!("timestamp out of range: {sec} s"))
            })
    }
}

/// A time to set, as utimensat(2) knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VirtualUtimeSpec {
    /// This time.
    Set(VirtualTimeSpec),
    /// The present (`UTIME_NOW`).
    Now,
    /// Leave it (`UTIME_OMIT`).
    Omit,
}
