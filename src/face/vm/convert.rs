//! Between the contract's types and the core's: stat, errors of file systems, times.

use crate::face::error::KernelError;
use crate::face::vfs::{VfsError, VirtualStat, VirtualUtimeSpec};
use tickernel_systems::abi::flags::{S_IFDIR, S_IFLNK, S_IFMT, UTIME_NOW, UTIME_OMIT};
use tickernel_systems::abi::{Errno, Stat, Timespec};
use tickernel_systems::{DEVICES, PROC_DEVICE};

const NS_PER_MS: i64 = 1_000_000;
const MS_PER_S: i64 = 1_000;
const NS_PER_S: u32 = 1_000_000_000;
/// Bytes of a block of stat(2).
const BLOCK_BYTES: u64 = 512;

/// The core's stat in the contract's form.
pub(crate) fn to_virtual_stat(stat: &Stat) -> VirtualStat {
    let kind = stat.mode & S_IFMT;
    // A device shows no type; only a directory of them has two links.
    let typeless = kind == 0 && matches!(stat.dev, DEVICES | PROC_DEVICE);
    let directory = kind == S_IFDIR || typeless && stat.nlink == 2;
    // Of /proc only links have every bit.
    let link = kind == S_IFLNK || kind == 0 && stat.dev == PROC_DEVICE && stat.mode == 0o777;
    let (atime_ms, atime_nsec) = to_ms(stat.atime);
    let (mtime_ms, mtime_nsec) = to_ms(stat.mtime);
    let (ctime_ms, ctime_nsec) = to_ms(stat.ctime);
    VirtualStat {
        mode: stat.mode,
        size: stat.size,
        blocks: stat.size.div_ceil(BLOCK_BYTES),
        dev: stat.dev,
        rdev: stat.rdev,
        is_directory: directory,
        is_symbolic_link: link,
        atime_ms,
        atime_nsec,
        mtime_ms,
        mtime_nsec,
        ctime_ms,
        ctime_nsec,
        birthtime_ms: to_ms(stat.btime).0,
        ino: stat.ino,
        nlink: u64::from(stat.nlink),
        uid: stat.uid,
        gid: stat.gid,
    }
}

/// A foreign file system's stat in the core's form.
pub(crate) fn from_virtual_stat(stat: &VirtualStat) -> Stat {
    Stat {
        dev: stat.dev,
        ino: stat.ino,
        mode: stat.mode,
        nlink: u32::try_from(stat.nlink).unwrap_or(u32::MAX),
        uid: stat.uid,
        gid: stat.gid,
        rdev: stat.rdev,
        size: stat.size,
        blksize: 4096,
        blocks: stat.blocks,
        atime: from_ms(stat.atime_ms, stat.atime_nsec),
        mtime: from_ms(stat.mtime_ms, stat.mtime_nsec),
        ctime: from_ms(stat.ctime_ms, stat.ctime_nsec),
        btime: from_ms(stat.birthtime_ms, 0),
    }
}

/// Milliseconds, and the part below a second in ns.
fn to_ms(time: Timespec) -> (u64, u32) {
    let ms = time.sec.saturating_mul(MS_PER_S).saturating_add(time.nsec / NS_PER_MS);
    (u64::try_from(ms).unwrap_or(0), u32::try_from(time.nsec).unwrap_or(0))
}

fn from_ms(ms: u64, nsec: u32) -> Timespec {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    let below = (ms % MS_PER_S) * NS_PER_MS;
    let nsec = if i64::from(nsec) / NS_PER_MS == ms % MS_PER_S { i64::from(nsec) } else { below };
    Timespec { sec: ms / MS_PER_S, nsec }
}

/// A time of utimes as the core's calls carry it.
pub(crate) fn to_timespec(time: VirtualUtimeSpec) -> Timespec {
    match time {
        VirtualUtimeSpec::Now => Timespec { sec: 0, nsec: UTIME_NOW },
        VirtualUtimeSpec::Omit => Timespec { sec: 0, nsec: UTIME_OMIT },
        // A number that is no time must not become one of the special ones.
        VirtualUtimeSpec::Set(time) if time.nsec >= NS_PER_S => Timespec { sec: -1, nsec: 0 },
        VirtualUtimeSpec::Set(time) => Timespec { sec: time.sec, nsec: i64::from(time.nsec) },
    }
}

/// The reverse of [`to_timespec`], for a foreign file system.
pub(crate) fn from_timespec(time: Timespec) -> VirtualUtimeSpec {
    match time.nsec {
        UTIME_NOW => VirtualUtimeSpec::Now,
        UTIME_OMIT => VirtualUtimeSpec::Omit,
        nsec => VirtualUtimeSpec::Set(crate::face::vfs::VirtualTimeSpec {
            sec: time.sec,
            nsec: u32::try_from(nsec).unwrap_or(0),
        }),
    }
}

/// The errno of a file system's error; `EIO` for a code that is none.
pub(crate) fn errno_of(error: &VfsError) -> Errno {
    Errno::from_name(error.code()).unwrap_or(Errno::EIO)
}

/// A core's errno about something, as its code and a text for people.
pub(crate) fn error_about(errno: Errno, what: impl std::fmt::Display) -> KernelError {
    KernelError::errno(errno, format!("{}: {what}", errno.text().to_ascii_lowercase()))
}
