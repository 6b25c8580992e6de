//! The structures that calls take and give: stat(3type), timespec(3type), pollfd of poll(2) …

use super::Errno;
use crate::wire::Bytes;
use alloc::vec::Vec;

/// Seconds and nanoseconds (timespec(3type)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timespec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds within the second, unless a call says otherwise 0 to 999,999,999.
    pub nsec: i64,
}

impl Timespec {
    /// From nanoseconds since the epoch.
    pub const fn from_ns(ns: u64) -> Self {
        Self { sec: (ns / 1_000_000_000) as i64, nsec: (ns % 1_000_000_000) as i64 }
    }

    /// As a length in nanoseconds, saturating; `None` if not a valid interval (`EINVAL` of
    /// nanosleep(2)).
    pub fn interval_ns(self) -> Option<u64> {
        if self.sec < 0 || !(0..1_000_000_000).contains(&self.nsec) {
            return None;
        }
        Some((self.sec as u64).saturating_mul(1_000_000_000).saturating_add(self.nsec as u64))
    }
}

/// What stat(2) and statx(2) tell of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stat {
    /// Device that holds the file.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits (`S_IFMT | 07777`).
    pub mode: u32,
    /// Hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node, as `makedev(major, minor)` encodes it.
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Preferred block size.
    pub blksize: u32,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub atime: Timespec,
    /// Last change of contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
    /// Birth (statx(2) only).
    pub btime: Timespec,
}

/// What statfs(2) tells of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Statfs {
    /// Magic number of the kind (`EXT4_SUPER_MAGIC` …).
    pub kind: u64,
    /// Block size in bytes.
    pub bsize: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub bfree: u64,
    /// Free blocks for unprivileged users.
    pub bavail: u64,
    /// Inodes in all.
    pub files: u64,
    /// Free inodes.
    pub ffree: u64,
    /// Longest name.
    pub namelen: u64,
    /// Mount flags.
    pub flags: u64,
}

/// An entry of getdents64(2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Dirent {
    /// Inode number.
    pub ino: u64,
    /// Cookie: the position after this entry.
    pub off: i64,
    /// `DT_*` type.
    pub kind: u8,
    /// Name.
    pub name: Bytes,
}

impl Dirent {
    /// Length of the record in the caller's buffer: 19 + name + NUL, aligned to 8 (getdents(2)).
    pub fn record_bytes(name_bytes: u64) -> u64 {
        (19 + name_bytes + 1).next_multiple_of(8)
    }
}

/// `struct pollfd` of poll(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PollFd {
    /// Descriptor; negative ones are passed over.
    pub fd: i32,
    /// Requested `POLL*` bits.
    pub events: u16,
    /// Returned bits.
    pub revents: u16,
}

/// `struct epoll_event` of epoll_ctl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EpollEvent {
    /// `EPOLL*` bits.
    pub events: u32,
    /// What was given with the descriptor.
    pub data: u64,
}

/// `struct rlimit` of getrlimit(2); `u64::MAX` = `RLIM_INFINITY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// Soft limit.
    pub cur: u64,
    /// Hard limit.
    pub max: u64,
}

impl Default for Rlimit {
    fn default() -> Self {
        Self { cur: u64::MAX, max: u64::MAX }
    }
}

/// `struct flock` of fcntl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flock {
    /// `F_RDLCK` 0, `F_WRLCK` 1, `F_UNLCK` 2.
    pub kind: i16,
    /// `SEEK_*`.
    pub whence: i16,
    /// Start.
    pub start: i64,
    /// Length; 0 = to the end.
    pub len: i64,
    /// Holder, as told by `F_GETLK`.
    pub pid: i32,
}

/// `struct ifreq` of netdevice(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Interface {
    /// `ifr_name`, which may lack its NUL.
    pub name: [u8; 16],
    /// The member that the request is about.
    pub value: InterfaceValue,
}

/// A member of the union in `struct ifreq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InterfaceValue {
    /// None: what is asked.
    #[default]
    Nothing,
    /// `ifr_ifindex`
    Index(i32),
    /// `ifr_mtu`, `ifr_metric`, `ifr_qlen`.
    Number(i64),
    /// `ifr_flags`
    Flags(u32),
    /// The host of `ifr_addr` and its like.
    Address([u8; 4]),
    /// The family of `ifr_hwaddr`.
    Hardware(u16),
}

/// `struct f_owner_ex` of fcntl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FileOwner {
    /// `F_OWNER_*`.
    pub kind: u32,
    /// A thread, a process or a group.
    pub pid: i32,
}

/// `struct itimerval` of setitimer(2), in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Itimer {
    /// Time until it next expires; 0 = disarmed.
    pub value_ns: u64,
    /// Period; 0 = once.
    pub interval_ns: u64,
}

impl Itimer {
    /// In the place of a time that is none, such as -1 s or 2,000,000 us: EINVAL.
    pub const WRONG_NS: u64 = u64::MAX;
    /// The longest time that Linux counts; what is longer is that.
    const LONGEST_NS: u64 = i64::MAX as u64;

    /// Its times as they were given: those that are none are told apart from the longest.
    pub fn of_times(value: Timespec, interval: Timespec) -> Self {
        let ns = |time: Timespec| match time.interval_ns() {
            Some(ns) => ns.min(Self::WRONG_NS - 1),
            None => Self::WRONG_NS,
        };
        Self { value_ns: ns(value), interval_ns: ns(interval) }
    }

    /// The times back; -1 s stands for those that are none.
    pub fn time_of(ns: u64) -> Timespec {
        if ns == Self::WRONG_NS { Timespec { sec: -1, nsec: 0 } } else { Timespec::from_ns(ns) }
    }

    /// The same as Linux takes it.
    ///
    /// # Errors
    /// `EINVAL` for times that are none.
    pub fn checked(self) -> Result<Self, Errno> {
        if [self.value_ns, self.interval_ns].contains(&Self::WRONG_NS) {
            return Err(Errno::EINVAL);
        }
        let value_ns = self.value_ns.min(Self::LONGEST_NS);
        Ok(Self { value_ns, interval_ns: self.interval_ns.min(Self::LONGEST_NS) })
    }

    /// In whole microseconds, as setitimer(2) tells what is left; something is never nothing.
    pub fn in_micros(self) -> Self {
        let whole = |ns: u64| if ns == 0 { 0 } else { (ns - ns % 1000).max(1000) };
        Self { value_ns: whole(self.value_ns), interval_ns: whole(self.interval_ns) }
    }
}

/// `struct sigevent` of timer_create(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SigEvent {
    /// `SIGEV_*`.
    pub notify: u32,
    /// The signal.
    pub signo: i32,
    /// Its `si_value`.
    pub value: u64,
    /// The thread of `SIGEV_THREAD_ID`.
    pub thread: i32,
}

/// The descriptor sets of select(2), as ascending lists.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SelectSets {
    /// Readable.
    pub read: Option<Vec<i32>>,
    /// Writable.
    pub write: Option<Vec<i32>>,
    /// Exceptional.
    pub except: Option<Vec<i32>>,
}

/// How a process ended, stopped or went on: the status of wait(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// `WIFEXITED` with its code, 0 to 255.
    Exited(u8),
    /// `WIFSIGNALED`; the flag is `WCOREDUMP`.
    Signaled(crate::abi::Signal, bool),
    /// `WIFSTOPPED` with the signal.
    Stopped(crate::abi::Signal),
    /// `WIFCONTINUED`.
    Continued,
}

impl WaitStatus {
    /// The number by which a shell tells it: 128 and the signal for one that was killed. `exited`
    /// is that of an end by itself.
    pub const fn shell_code(self, exited: i32) -> i32 {
        match self {
            WaitStatus::Exited(_) => exited,
            WaitStatus::Signaled(signal, _) => 128 + signal.number() as i32,
            WaitStatus::Stopped(signal) => signal.number() as i32,
            WaitStatus::Continued => crate::abi::Signal::SIGCONT.number() as i32,
        }
    }

    /// The status word of wait(2).
    pub const fn word(self) -> i32 {
        match self {
            WaitStatus::Exited(code) => (code as i32) << 8,
            WaitStatus::Signaled(signal, core) => {
                signal.number() as i32 | if core { 0x80 } else { 0 }
            }
            WaitStatus::Stopped(signal) => (signal.number() as i32) << 8 | 0x7f,
            WaitStatus::Continued => 0xffff,
        }
    }
}

/// `struct termios` of ioctl_tty(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Termios {
    /// Input modes.
    pub iflag: u32,
    /// Output modes.
    pub oflag: u32,
    /// Control modes.
    pub cflag: u32,
    /// Local modes.
    pub lflag: u32,
    /// Line discipline.
    pub line: u8,
    /// Control characters.
    pub cc: [u8; 19],
}

/// `struct termios2` of ioctl_tty(2): the settings with their speeds as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Termios2 {
    /// The settings.
    pub termios: Termios,
    /// Speed of input, in bits a second.
    pub ispeed: u32,
    /// Speed of output.
    pub ospeed: u32,
}

/// `struct winsize` of ioctl_tty(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Winsize {
    /// Rows.
    pub row: u16,
    /// Columns.
    pub col: u16,
    /// Width in pixels.
    pub xpixel: u16,
    /// Height in pixels.
    pub ypixel: u16,
}

crate::wire_struct!(Timespec { sec, nsec });
crate::wire_struct!(Stat {
    dev,
    ino,
    mode,
    nlink,
    uid,
    gid,
    rdev,
    size,
    blksize,
    blocks,
    atime,
    mtime,
    ctime,
    btime
});
crate::wire_struct!(Statfs { kind, bsize, blocks, bfree, bavail, files, ffree, namelen, flags });
crate::wire_struct!(Dirent { ino, off, kind, name });
crate::wire_struct!(PollFd { fd, events, revents });
crate::wire_struct!(EpollEvent { events, data });
crate::wire_struct!(Rlimit { cur, max });
crate::wire_struct!(Interface { name, value });
crate::wire_enum!(InterfaceValue {
    0 Nothing, 1 Index(index), 2 Number(number), 3 Flags(flags), 4 Address(host), 5 Hardware(kind)
});
crate::wire_struct!(FileOwner { kind, pid });
crate::wire_struct!(Flock { kind, whence, start, len, pid });
crate::wire_struct!(Itimer { value_ns, interval_ns });
crate::wire_struct!(SigEvent { notify, signo, value, thread });
crate::wire_struct!(SelectSets { read, write, except });
crate::wire_enum!(WaitStatus {
    0 Exited(code), 1 Signaled(signal, core), 2 Stopped(signal), 3 Continued
});
crate::wire_struct!(Termios { iflag, oflag, cflag, lflag, line, cc });
crate::wire_struct!(Termios2 { termios, ispeed, ospeed });
crate::wire_struct!(Winsize { row, col, xpixel, ypixel });
