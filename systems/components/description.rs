//! Open file descriptions, descriptor tables, and the context of paths.

use crate::abi::SigSet;
use crate::abi::flags::{F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID};
use crate::components::TextDefault;
use crate::components::epoll::WatchedBy;
use crate::fs::Place;
use crate::rows::{DescriptionRow, EpollRow, EventRow, PidfdRow, PipeRow, SocketRow};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a description is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An inode: file, directory, device, /proc entry.
    File(Place),
    /// A pipe (no place), or a FIFO with the place of its inode.
    Pipe(PipeRow, Option<Place>),
    /// A socket.
    Socket(SocketRow),
    /// An object without a name.
    Object(Object),
}

impl Target {
    /// What pread(2) and pwrite(2) answer with ESPIPE, whatever it is open for.
    pub(crate) const fn has_no_offset(self) -> bool {
        match self {
            Target::Pipe(..) | Target::Socket(_) => true,
            Target::Object(
                Object::Epoll(_)
                | Object::Inotify
                | Object::Event(_)
                | Object::Timer
                | Object::Pty(..)
                | Object::Signals(_),
            ) => true,
            Target::File(_)
            | Target::Object(Object::Device(_) | Object::Foreign(_) | Object::Pidfd(_)) => false,
        }
    }
}

/// The standard devices of the face (SEMANTICS.md, section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// /dev/null
    Null,
    /// /dev/zero
    Zero,
    /// /dev/stdin
    Stdin,
    /// /dev/stdout
    Stdout,
    /// /dev/stderr
    Stderr,
    /// /dev/urandom
    Urandom,
}

crate::wire_enum!(Device { 0 Null, 1 Zero, 2 Stdin, 3 Stdout, 4 Stderr, 5 Urandom });

/// What is open without being an inode of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// An instance of epoll(7): it has the description's id.
    Epoll(EpollRow),
    /// An instance of inotify(7): it has the description's id.
    Inotify,
    /// A device of the face's, which is no file of any tree.
    Device(Device),
    /// A file of a foreign file system: the number of its path (`face.rs`).
    Foreign(u32),
    /// An end of a pseudo-terminal of the face: its number, and which.
    Pty(u32, super::terminal::End),
    /// A counter of eventfd(2).
    Event(EventRow),
    /// A process or thread, by pidfd_open(2).
    Pidfd(PidfdRow),
    /// A timer of timerfd_create(2): it has the description's id.
    Timer,
    /// Pending signals of this set, of whoever reads: signalfd(2).
    Signals(SigSet),
}

/// Who is told by signals of what happens (F_SETOWN, F_SETOWN_EX).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Owner {
    /// A process or thread, below 0 a group, 0 nobody.
    pub id: i32,
    /// `F_OWNER_*`.
    pub kind: u32,
    /// The real and the effective user who said so: whom they may signal is told.
    pub ids: [u32; 2],
}

impl Owner {
    /// What the number alone says.
    pub const fn of(id: i32) -> Self {
        let kind = match id {
            0 => F_OWNER_TID,
            1.. => F_OWNER_PID,
            ..0 => F_OWNER_PGRP,
        };
        Self { id, kind, ids: [0, 0] }
    }
}

/// A description on which O_ASYNC was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its place in the order: who came last is told first.
    pub since: u64,
    /// The descriptor by which it was set.
    pub fd: i32,
    /// A write found no room since it was last told of some.
    pub wants_room: bool,
}

crate::wire_struct!(Told { since, fd, wants_room });

/// What fcntl(2) says of signals for input and output; most descriptions have none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Notices {
    /// Who gets them.
    pub owner: Owner,
    /// Which (F_SETSIG); 0 is SIGIO without more.
    pub signal: i32,
    /// Whether there are any.
    pub told: Option<Told>,
}

/// An open file description (open(2)): what descriptors share.
#[derive(Debug)]
pub struct Description {
    /// What it is open on.
    pub target: Target,
    /// Access mode and status flags, as F_GETFL gives them.
    pub flags: u32,
    /// Offset in bytes; the cookie of a directory.
    pub offset: u64,
    /// Descriptors and calls that hold it.
    pub refs: u32,
    /// Who is told of what happens to it.
    pub notices: Option<Box<Notices>>,
    /// flock(2) lock held: 0 none, `LOCK_SH`, `LOCK_EX`.
    pub flock: u32,
    /// The process that took it (proc_locks(5)).
    pub flock_pid: u32,
    /// RWF_NOWAIT is refused: a pipe that was opened by a name or spliced (preadv2(2); Linux 6.18
    /// takes the mode away at the splice).
    pub waits_always: bool,
    /// The items of epoll(7) that watch it.
    pub watched_by: WatchedBy,
    /// The number of the credentials that it was opened with, if not capable of linking what has
    /// no name (linkat(2), `AT_EMPTY_PATH`).
    pub opener: u64,
    /// Which end of which terminal it is open on, if its inode is a terminal's device.
    pub terminal: Option<super::terminal::Side>,
}

impl Description {
    /// One that is open once, at its beginning.
    pub const fn new(target: Target, flags: u32) -> Self {
        Self {
            target,
            flags,
            offset: 0,
            refs: 1,
            notices: None,
            flock: 0,
            flock_pid: 0,
            waits_always: false,
            opener: 0,
            terminal: None,
            watched_by: WatchedBy::NOBODY,
        }
    }

    /// Who is told of what happens to it.
    pub fn notices(&self) -> Notices {
        self.notices.as_deref().copied().unwrap_or_default()
    }

    /// Whether it may be read.
    pub const fn readable(&self) -> bool {
        use crate::abi::flags::*;
        self.flags & O_PATH == 0 && matches!(self.flags & O_ACCMODE, O_RDONLY | O_RDWR)
    }

    /// Whether it may be written.
    pub const fn writable(&self) -> bool {
        use crate::abi::flags::*;
        self.flags & O_PATH == 0 && matches!(self.flags & O_ACCMODE, O_WRONLY | O_RDWR)
    }

    /// Whether calls on it never wait.
    pub const fn nonblocking(&self) -> bool {
        self.flags & crate::abi::flags::O_NONBLOCK != 0
    }
}

/// A descriptor: a description and close-on-exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdSlot {
    /// The description.
    pub description: DescriptionRow,
    /// `FD_CLOEXEC`.
    pub cloexec: bool,
}

/// A descriptor table.
#[derive(Debug, Default)]
pub struct Files {
    /// How many tasks share it.
    pub refs: u32,
    /// By number.
    pub slots: Vec<Option<FdSlot>>,
    /// Every number below is taken.
    pub lowest: u32,
    /// How many are open.
    pub open: u32,
    /// Numbers that a blocked open(2) has taken already, in no order. Which follows from the waits.
    pub reserved: Vec<u32>,
}

impl Files {
    /// The descriptor with this number.
    #[inline]
    pub fn get(&self, fd: i32) -> Option<FdSlot> {
        // A negative number becomes an index far beyond the end.
        self.slots.get(fd as u32 as usize).copied().flatten()
    }

    /// The lowest free number from `from` on.
    pub fn lowest_free(&self, from: u32) -> u32 {
        let mut fd = from.max(self.lowest);
        loop {
            while self.slots.get(fd as usize).is_some_and(Option::is_some) {
                fd += 1;
            }
            if self.reserved.is_empty() || !self.reserved.contains(&fd) {
                return fd;
            }
            fd += 1;
        }
    }

    /// Whether an open(2) that has not returned yet will give this number.
    pub fn is_reserved(&self, fd: i32) -> bool {
        self.reserved.iter().any(|reserved| i64::from(*reserved) == i64::from(fd))
    }

    /// Takes a free number for an open(2) that goes on.
    pub fn reserve(&mut self, fd: u32) {
        if fd as usize >= self.slots.len() {
            self.slots.resize(fd as usize + 1, None);
        }
        self.reserved.push(fd);
    }

    /// Frees a reserved number.
    pub fn unreserve(&mut self, fd: u32) {
        if let Some(at) = self.reserved.iter().position(|reserved| *reserved == fd) {
            self.reserved.swap_remove(at);
        }
    }

    /// How many descriptors Linux's table would have room for: select(2) passes over those beyond.
    /// 64, then powers of two of 128.
    pub fn capacity(&self) -> i64 {
        match self.slots.len() as i64 {
            0..=64 => 64,
            slots => 128 * ((slots - 1) as u64 / 128 + 1).next_power_of_two() as i64,
        }
    }

    /// Puts a descriptor at a free number.
    pub fn put(&mut self, fd: u32, slot: FdSlot) {
        if fd as usize >= self.slots.len() {
            self.slots.resize(fd as usize + 1, None);
        }
        self.slots[fd as usize] = Some(slot);
        self.open += 1;
        if fd == self.lowest {
            self.lowest = fd + 1;
        }
    }

    /// Takes a descriptor out.
    pub fn take(&mut self, fd: i32) -> Option<FdSlot> {
        let slot = self.slots.get_mut(fd as u32 as usize)?.take()?;
        self.open -= 1;
        self.lowest = self.lowest.min(fd as u32);
        Some(slot)
    }
}

/// Where paths start and what new files lack (chdir(2), chroot(2), umask(2)).
#[derive(Clone, Debug)]
pub struct Context {
    /// How many tasks share it.
    pub refs: u32,
    /// Working directory.
    pub cwd: Place,
    /// Root directory.
    pub root: Place,
    /// File mode creation mask.
    pub umask: u32,
}

impl TextDefault for Description {
    type Cold = ();
}
impl TextDefault for Files {
    type Cold = ();
}
impl TextDefault for Context {
    type Cold = ();
}
