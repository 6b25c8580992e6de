//! The tree of /proc (proc(5)): one table defines each entry; look-up, listing, stat, walk and text
//! all come from it. Nothing is stored: a node is a row of the table and up to three numbers.
//!
//! The rows are `proc_table.rs`. What they show comes from the kernel through [`ProcView`]; how it
//! is written, from `proc_text.rs` and `proc_task_text.rs`. What links of `ns` lead to cannot be
//! opened (`ENXIO`): there is one namespace of each kind. Writing is `calls/proc_write.rs`'s.

pub use super::proc_table::ProcId;

use super::permission::Attributes;
use super::proc_table::{Label, Row, Shape, TABLE};
use super::{Fs, Name, Place};
use crate::abi::flags::{O_ACCMODE, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, S_IFDIR, S_IFLNK, S_IFREG};
use crate::abi::{Credentials, Errno, SigSet};
use crate::components::Limits;
use crate::digest::hash64;
use crate::wire::{Wire, WireError, WireReader};
use alloc::format;
use alloc::vec::Vec;

/// What the kernel shows in /proc. A process is named by its pid and a thread of it by its tid; for
/// /proc/PID itself the tid is the pid. Lists are ascending.
pub trait ProcView {
    /// Pid and tid of the task that looks.
    fn current(&self) -> (u32, u32);
    /// The first process from a number on, zombies too.
    fn next_process(&self, from: u32) -> Option<u32>;
    /// The threads of a process; empty if there is no such process.
    fn threads(&self, pid: u32) -> Vec<u32>;
    /// Effective user and group of a task, which own its files; `None` if there is no such task.
    fn owner(&self, pid: u32, tid: u32) -> Option<(u32, u32)>;
    /// Whether its files are its user's, and not root's (proc_pid(5)).
    fn is_dumpable(&self, _pid: u32, _tid: u32) -> bool {
        true
    }
    /// Whether the looking task may inspect the task (ptrace(2), "Ptrace access mode checking").
    fn may_inspect(&self, pid: u32, tid: u32) -> bool;
    /// What `stat` and `status` show.
    fn task(&self, pid: u32, tid: u32) -> Option<ProcTask>;
    /// Arguments, each with its NUL; empty for a zombie.
    fn cmdline(&self, pid: u32) -> Vec<u8>;
    /// Environment, each with its NUL; empty for a zombie.
    fn environ(&self, pid: u32) -> Vec<u8>;
    /// Where a magic link leads; `None` if there is nothing (`ENOENT`).
    fn link(&self, pid: u32, tid: u32, link: ProcLink) -> Option<ProcTarget>;
    /// The first open descriptor of a task from a number on.
    fn next_descriptor(&self, pid: u32, tid: u32, from: u32) -> Option<u32>;
    /// An open descriptor.
    fn descriptor(&self, pid: u32, tid: u32, fd: u32) -> Option<ProcDescriptor>;
    /// What `fdinfo/N` of an open descriptor shows beyond what all have.
    fn descriptor_lines(&self, _fs: &Fs, _pid: u32, _tid: u32, _fd: u32) -> Vec<u8> {
        Vec::new()
    }
    /// The limits of a process.
    fn limits(&self, _pid: u32) -> Limits {
        Limits::default()
    }
    /// The locks of all files (proc_locks(5)).
    fn locks(&self, _fs: &Fs) -> Vec<u8> {
        Vec::new()
    }
    /// What does not belong to a process.
    fn system(&self) -> ProcSystem;
}

/// A magic link of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcLink {
    /// `cwd`
    Cwd,
    /// `root`
    Root,
    /// `exe`
    Exe,
    /// `fd/N`
    Fd(u32),
}

/// Where a link of /proc leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcTarget {
    /// By a path, walked like that of any link.
    Text(Vec<u8>),
    /// Straight to a place.
    Place(Place),
    /// To something without a place, shown as this text (`pipe:[17]`).
    Object(Vec<u8>),
}

/// An open descriptor as `fdinfo/N` and the mode of `fd/N` show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcDescriptor {
    /// Status flags and access mode of open(2).
    pub flags: u32,
    /// File offset.
    pub pos: u64,
    /// Where what is open lies.
    pub lies: ProcLies,
}

/// Where something that is open lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcLies {
    /// In the tree.
    At(Place),
    /// Outside of it.
    Outside {
        /// Number of the mount.
        mount: u32,
        /// Number of the inode.
        ino: u64,
    },
}

impl Default for ProcLies {
    fn default() -> Self {
        ProcLies::Outside { mount: 0, ino: 0 }
    }
}

/// A task as `stat` and `status` show it.
#[derive(Clone, Debug, Default)]
pub struct ProcTask {
    /// Command name, at most 15 bytes.
    pub comm: Vec<u8>,
    /// State letter of proc_pid_stat(5).
    pub state: u8,
    /// Parent process.
    pub ppid: u32,
    /// Process group.
    pub pgrp: u32,
    /// Session.
    pub session: u32,
    /// Device number of the controlling terminal, 0 = none.
    pub tty: u64,
    /// Foreground process group of that terminal, -1 = none.
    pub tpgid: i32,
    /// Credentials.
    pub cred: Credentials,
    /// umask(2).
    pub umask: u32,
    /// Threads of the process.
    pub threads: u32,
    /// Start, in nanoseconds since boot.
    pub start_ns: u64,
    /// Signal to the parent at the end; -1 for a thread.
    pub exit_signal: i32,
    /// Pending signals of the task.
    pub pending: SigSet,
    /// Pending signals of the process.
    pub shared_pending: SigSet,
    /// Blocked signals.
    pub blocked: SigSet,
    /// Ignored signals.
    pub ignored: SigSet,
    /// Caught signals.
    pub caught: SigSet,
    /// Slots of the descriptor table (`FDSize`).
    pub fd_slots: u32,
    /// What is added to its score when memory is short, -1000 to 1000.
    pub oom_score_adj: i16,
}

/// What does not belong to a process.
#[derive(Clone, Debug, Default)]
pub struct ProcSystem {
    /// Nanoseconds since boot.
    pub uptime_ns: u64,
    /// Boot, in seconds since 1970.
    pub boot_sec: u64,
    /// Number of CPUs.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Free memory in bytes.
    pub free_bytes: u64,
    /// Tasks that run or could.
    pub running: u32,
    /// All tasks.
    pub tasks: u32,
    /// Pid that was given last.
    pub last_pid: u32,
    /// Processes since boot.
    pub forks: u64,
    /// Open descriptions, and how many there can be.
    pub descriptions: [u64; 2],
    /// How many tasks there can be.
    pub max_tasks: u64,
    /// `sysname`, `release`, `version`, `nodename`, `domainname` of uname(2).
    pub uname: [Vec<u8>; 5],
}

/// A node below /proc: a row of the table and the numbers that single it out; unused ones are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcNode {
    /// Which row.
    pub id: ProcId,
    /// Process.
    pub pid: u32,
    /// Thread, below /proc/PID/task only.
    pub tid: u32,
    /// Descriptor.
    pub fd: u32,
}

impl<'a> Wire<'a> for ProcNode {
    fn put(&self, out: &mut Vec<u8>) {
        self.id.put(out);
        for number in [self.pid, self.tid, self.fd] {
            number.put(out);
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let id = ProcId::get(from)?;
        let [pid, tid, fd] = Wire::get(from)?;
        Ok(Self { id, pid, tid, fd })
    }
}

impl ProcNode {
    /// The top of /proc.
    pub const ROOT: ProcNode = ProcNode { id: ProcId::Root, pid: 0, tid: 0, fd: 0 };

    fn row(self) -> &'static Row {
        self.id.row()
    }

    /// The thread that it speaks of: the leader's unless it lies below `task`.
    pub fn task_id(self) -> u32 {
        if self.tid == 0 { self.pid } else { self.tid }
    }

    /// Whether the looking task may use it, whatever its bits: what is open is shown to who may
    /// inspect the task.
    pub(super) fn is_shown_to(self, view: &dyn ProcView) -> bool {
        self.id != ProcId::Fdinfo || view.may_inspect(self.pid, self.task_id())
    }

    /// Whether the looking task may open it, whatever its bits: memory too.
    pub(super) fn opens_for(self, view: &dyn ProcView) -> bool {
        !self.id.shows_memory() || view.may_inspect(self.pid, self.task_id())
    }

    /// Whether nobody may change it, root neither: the directory of a process or thread.
    pub(super) fn is_immutable(self) -> bool {
        matches!(self.id, ProcId::Pid | ProcId::Tid)
    }

    /// Whether it is /proc/sys or lies below it.
    pub fn is_sys(self) -> bool {
        let mut row = self.row();
        while row.id != ProcId::Root && row.id != ProcId::Sys {
            row = row.parent.row();
        }
        row.id == ProcId::Sys
    }

    /// Whether lseek(2) counts from its end, 0: memory of a process is no text that is made, nor
    /// are some numbers.
    pub fn has_end(self) -> bool {
        matches!(
            self.id,
            ProcId::Environ
                | ProcId::Cmdline
                | ProcId::Auxv
                | ProcId::OomAdj
                | ProcId::OomScoreAdj
                | ProcId::Loginuid
                | ProcId::Sessionid
                | ProcId::CoredumpFilter
                | ProcId::AttrCurrent
                | ProcId::AttrPrev
                | ProcId::AttrExec
                | ProcId::AttrFscreate
                | ProcId::AttrKeycreate
                | ProcId::AttrSockcreate
        )
    }

    /// Whether it is the list of the descriptors, or of the mapped files, of whoever looks, who may
    /// do all with it.
    pub(super) fn lists_descriptors_of(self, view: &dyn ProcView) -> bool {
        matches!(self.id, ProcId::Fd | ProcId::MapFiles) && self.pid == view.current().0
    }

    /// Inode number: a function of what it is, so that it is the same whenever it is seen.
    pub fn ino(self) -> u64 {
        if self == Self::ROOT {
            return 1;
        }
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        hash64(0x7072_6f63, &bytes) >> 16 | 1 << 40
    }
}

/// The row whose entries a directory has: a thread's are its process's.
fn entries_of(id: ProcId) -> ProcId {
    if id == ProcId::Tid { ProcId::Pid } else { id }
}

fn rows_in(directory: ProcId) -> impl Iterator<Item = &'static Row> {
    let parent = entries_of(directory);
    let rows = TABLE.iter().filter(move |row| row.parent == parent && row.id != ProcId::Root);
    rows.filter(move |row| directory != ProcId::Tid || !row.id.is_of_the_process_only())
}

/// A decimal number as /proc reads it in a name: no sign, no leading zero.
fn number(name: &[u8]) -> Option<u32> {
    let text = core::str::from_utf8(name).ok()?;
    let plain =
        name.iter().all(u8::is_ascii_digit) && (name == b"0" || name.first() != Some(&b'0'));
    if plain { text.parse().ok() } else { None }
}

/// Whether a numbered child of the directory exists.
fn exists(view: &dyn ProcView, node: ProcNode) -> bool {
    let task = node.task_id();
    match node.id {
        ProcId::FdNumber | ProcId::FdinfoNumber => {
            view.descriptor(node.pid, task, node.fd).is_some()
        }
        _ if node.pid != 0 => view.owner(node.pid, task).is_some(),
        _ => true,
    }
}

fn numbered(directory: ProcNode, id: ProcId, number: u32) -> ProcNode {
    match id {
        ProcId::Pid => ProcNode { id, pid: number, ..directory },
        ProcId::Tid => ProcNode { id, tid: number, ..directory },
        _ => ProcNode { id, fd: number, ..directory },
    }
}

/// The node with this name in a directory.
///
/// # Errors
/// `ENOENT`.
pub(super) fn look_up(
    view: &dyn ProcView,
    directory: ProcNode,
    name: &[u8],
) -> Result<ProcNode, Errno> {
    for row in rows_in(directory.id) {
        let node = match row.label {
            Label::Fixed(fixed) if fixed.as_bytes() == name => ProcNode { id: row.id, ..directory },
            Label::Fixed(_) => continue,
            Label::Number => match number(name) {
                Some(number) => numbered(directory, row.id, number),
                None => continue,
            },
        };
        return if exists(view, node) { Ok(node) } else { Err(Errno::ENOENT) };
    }
    Err(Errno::ENOENT)
}

/// The first cookie of the entries that are named by numbers.
const FIRST_NUMBER: u64 = 256;

/// Descriptors of the smallest table that Linux makes.
const SMALLEST_TABLE: u64 = 64;

/// Where a reader of a directory is behind its last entry, whose `d_off` is given. Of descriptors
/// it is behind the whole table (Linux, fs/proc/fd.c), so that lower numbers which come later are
/// not seen; here the table is the smallest power of two, Linux's may have been larger before.
pub(super) fn end_of(directory: ProcNode, off: i64) -> i64 {
    if !matches!(directory.id, ProcId::Fd | ProcId::Fdinfo) {
        return off;
    }
    let numbers = off.unsigned_abs().saturating_sub(FIRST_NUMBER).max(SMALLEST_TABLE);
    (FIRST_NUMBER + numbers.next_power_of_two()).cast_signed()
}

/// The entries of a directory without `.` and `..` from a cookie on, each with its own: what a
/// number names keeps its cookie while others come and go. Each is looked for when it is asked for.
///
/// # Errors
/// `ENOENT` if the process is gone, `EACCES` if its descriptors may not be seen.
pub(super) fn list(
    view: &dyn ProcView,
    directory: ProcNode,
    from: u64,
) -> Result<impl Iterator<Item = (u64, Name, ProcNode)>, Errno> {
    if !exists(view, directory) {
        return Err(Errno::ENOENT);
    }
    let fixed = rows_in(directory.id).enumerate().filter_map(move |(position, row)| {
        let Label::Fixed(name) = row.label else { return None };
        let cookie = super::directory::FIRST_COOKIE + position as u64;
        let node = ProcNode { id: row.id, ..directory };
        (cookie >= from).then(|| (cookie, Name::from_slice(name.as_bytes()), node))
    });
    let row = rows_in(directory.id).find(|row| matches!(row.label, Label::Number));
    let first = u32::try_from(from.saturating_sub(FIRST_NUMBER)).ok();
    let first = row.and_then(|row| Some((row.id, next(view, directory, row.id, first?)?)));
    let numbers = core::iter::successors(first, move |(id, number)| {
        Some((*id, next(view, directory, *id, number.checked_add(1)?)?))
    });
    let numbers = numbers.map(move |(id, number)| {
        let name = Name::from_slice(format!("{number}").as_bytes());
        (FIRST_NUMBER + u64::from(number), name, numbered(directory, id, number))
    });
    Ok(fixed.chain(numbers))
}

/// The first number from one on that names an entry of this row.
fn next(view: &dyn ProcView, directory: ProcNode, id: ProcId, from: u32) -> Option<u32> {
    let (pid, task) = (directory.pid, directory.task_id());
    match id {
        ProcId::Pid => view.next_process(from),
        ProcId::Tid => view.threads(pid).into_iter().find(|tid| *tid >= from),
        _ => view.next_descriptor(pid, task, from),
    }
}

/// The directory above; the top is its own.
pub(super) fn parent(node: ProcNode) -> ProcNode {
    let id = match node.row().parent {
        ProcId::Pid if node.tid != 0 && node.id != ProcId::Task => ProcId::Tid,
        id => id,
    };
    match id {
        ProcId::Root => ProcNode::ROOT,
        ProcId::Pid | ProcId::Task => ProcNode { id, tid: 0, fd: 0, ..node },
        id => ProcNode { id, fd: 0, ..node },
    }
}

/// The name in the directory above.
pub(super) fn name(node: ProcNode) -> Name {
    let number = match node.row().label {
        Label::Fixed(name) => return Name::from_slice(name.as_bytes()),
        Label::Number => match node.id {
            ProcId::Pid => node.pid,
            ProcId::Tid => node.tid,
            _ => node.fd,
        },
    };
    Name::from_slice(format!("{number}").as_bytes())
}

/// The type bits of the mode.
pub(super) fn type_bits(node: ProcNode) -> u32 {
    match node.row().shape {
        Shape::Dir => S_IFDIR,
        Shape::Text => S_IFREG,
        Shape::Link | Shape::Magic => S_IFLNK,
    }
}

/// Whether a walk follows it.
pub(super) fn is_link(node: ProcNode) -> bool {
    type_bits(node) == S_IFLNK
}

/// Mode and owner: a task's files are its effective user's.
pub(super) fn attributes_of(view: &dyn ProcView, node: ProcNode) -> Attributes {
    let (uid, gid) = match node.pid {
        0 => (0, 0),
        // Directories that all may search are their user's all the same.
        pid if node.row().mode == 0o555 || view.is_dumpable(pid, node.task_id()) => {
            view.owner(pid, node.task_id()).unwrap_or((0, 0))
        }
        _ => (0, 0),
    };
    let mut mode = node.row().mode;
    if node.id == ProcId::FdNumber {
        let open = view.descriptor(node.pid, node.task_id(), node.fd).unwrap_or_default();
        mode = match open.flags & O_ACCMODE {
            _ if open.flags & O_PATH != 0 => 0,
            O_RDONLY => 0o500,
            O_WRONLY => 0o300,
            O_RDWR => 0o700,
            _ => 0,
        };
    }
    Attributes { mode: mode | type_bits(node), uid, gid }
}

/// Where `mounts` leads.
const MOUNTS_TARGET: &[u8] = b"self/mounts";

/// `st_size`: `mounts` says how long its target is, links to descriptors say 64, their directory
/// how many there are, the rest nothing.
pub(super) fn size(view: &dyn ProcView, node: ProcNode) -> u64 {
    match node.id {
        ProcId::FdNumber => 64,
        ProcId::Mounts => MOUNTS_TARGET.len() as u64,
        ProcId::Fd => {
            let next = |from| view.next_descriptor(node.pid, node.task_id(), from);
            core::iter::successors(next(0), |fd| next(fd.checked_add(1)?)).count() as u64
        }
        _ => 0,
    }
}

/// `st_nlink`: a directory counts its fixed subdirectories, that of threads those; below /proc/sys
/// none counts any.
pub(super) fn nlink(view: &dyn ProcView, node: ProcNode) -> u32 {
    if node.row().shape != Shape::Dir || node.is_sys() {
        return 1;
    }
    if node.id == ProcId::Task {
        return 2 + view.threads(node.pid).len() as u32;
    }
    let below = rows_in(node.id).filter(|row| row.shape == Shape::Dir);
    2 + below.filter(|row| matches!(row.label, Label::Fixed(_))).count() as u32
}

/// Where a link leads.
///
/// # Errors
/// `EACCES` if the task may not be inspected, `ENOENT` if there is nothing, `EINVAL` if it is no
/// link.
pub(super) fn follow(view: &dyn ProcView, node: ProcNode) -> Result<ProcTarget, Errno> {
    let (pid, task) = (node.pid, node.task_id());
    let link = match node.id {
        ProcId::Mounts => return Ok(ProcTarget::Text(MOUNTS_TARGET.to_vec())),
        ProcId::SelfLink => {
            return Ok(ProcTarget::Text(format!("{}", view.current().0).into_bytes()));
        }
        ProcId::ThreadSelf => {
            let (pid, tid) = view.current();
            return Ok(ProcTarget::Text(format!("{pid}/task/{tid}").into_bytes()));
        }
        ProcId::Cwd => ProcLink::Cwd,
        ProcId::RootLink => ProcLink::Root,
        ProcId::Exe => ProcLink::Exe,
        ProcId::FdNumber => ProcLink::Fd(node.fd),
        id => {
            let (name, number) = id.namespace().ok_or(Errno::EINVAL)?;
            if !view.may_inspect(pid, task) {
                return Err(Errno::EACCES);
            }
            // Who has ended has left them.
            let lives = view.task(pid, task).is_some_and(|task| task.state != b'Z');
            let text = format!("{name}:[{number}]").into_bytes();
            return if lives { Ok(ProcTarget::Object(text)) } else { Err(Errno::ENOENT) };
        }
    };
    if !view.may_inspect(pid, task) {
        return Err(Errno::EACCES);
    }
    view.link(pid, task, link).ok_or(Errno::ENOENT)
}
