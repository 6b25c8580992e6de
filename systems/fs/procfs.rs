//! The tree of /proc (proc(5)): one table defines each entry; look-up, listing, stat, walk and text
//! all come from it. Nothing is stored: a node is a row of the table and up to three numbers.
//!
//! What the rows show comes from the kernel through [`ProcView`]; how it is written, from
//! `proc_text.rs`. Not here: writing, /proc/net, /proc/PID/{ns,attr,map_files,mem}.

use super::permission::Attributes;
use super::{Name, Place};
use crate::abi::flags::{
    O_ACCMODE, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM,
    S_IFDIR, S_IFLNK, S_IFREG,
};
use crate::abi::{Credentials, Errno, SigSet};
use crate::digest::hash64;
use crate::wire::{Wire, WireError, WireReader};
use alloc::format;
use alloc::vec::Vec;

/// What the kernel shows in /proc. A process is named by its pid and a thread of it by its tid; for
/// /proc/PID itself the tid is the pid. Lists are ascending.
pub trait ProcView {
    /// Pid and tid of the task that looks.
    fn current(&self) -> (u32, u32);
    /// All processes, zombies too.
    fn processes(&self) -> Vec<u32>;
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
    /// The open descriptors of a task.
    fn descriptors(&self, pid: u32, tid: u32) -> Vec<u32>;
    /// An open descriptor.
    fn descriptor(&self, pid: u32, tid: u32, fd: u32) -> Option<ProcDescriptor>;
    /// What `fdinfo/N` of an open descriptor shows beyond what all have.
    fn descriptor_lines(&self, _pid: u32, _tid: u32, _fd: u32) -> Vec<u8> {
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
    /// Inode number of what is open.
    pub ino: u64,
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
    /// `sysname`, `release`, `version`, `nodename`, `domainname` of uname(2).
    pub uname: [Vec<u8>; 5],
}

/// How a row is named.
#[derive(Clone, Copy, Debug)]
enum Label {
    /// As itself.
    Fixed(&'static str),
    /// By the number of a process, a thread or a descriptor.
    Number,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Dir,
    Text,
    Link,
    Magic,
}

struct Row {
    id: ProcId,
    parent: ProcId,
    label: Label,
    shape: Shape,
    mode: u32,
}

macro_rules! proc_table {
    ($($tag:literal $id:ident in $parent:ident, $label:expr, $shape:ident $mode:literal;)*) => {
        /// A row of the table of /proc.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table beside it says what each is")]
        pub enum ProcId { $($id),* }
        crate::wire_enum!(ProcId { $($tag $id),* });
        /// Rows in the order of the enum, which is that of listing.
        const TABLE: &[Row] = &[$(Row {
            id: ProcId::$id,
            parent: ProcId::$parent,
            label: $label,
            shape: Shape::$shape,
            mode: $mode,
        }),*];
    };
}

const fn fixed(name: &'static str) -> Label {
    Label::Fixed(name)
}

proc_table! {
    0 Root in Root, fixed(""), Dir 0o555;
    1 Cpuinfo in Root, fixed("cpuinfo"), Text 0o444;
    2 Filesystems in Root, fixed("filesystems"), Text 0o444;
    3 Loadavg in Root, fixed("loadavg"), Text 0o444;
    4 Meminfo in Root, fixed("meminfo"), Text 0o444;
    5 Mounts in Root, fixed("mounts"), Link 0o777;
    6 Stat in Root, fixed("stat"), Text 0o444;
    7 Sys in Root, fixed("sys"), Dir 0o555;
    8 Uptime in Root, fixed("uptime"), Text 0o444;
    9 Version in Root, fixed("version"), Text 0o444;
    10 SelfLink in Root, fixed("self"), Link 0o777;
    11 ThreadSelf in Root, fixed("thread-self"), Link 0o777;
    12 Pid in Root, Label::Number, Dir 0o555;
    13 Task in Pid, fixed("task"), Dir 0o555;
    14 Tid in Task, Label::Number, Dir 0o555;
    15 Fd in Pid, fixed("fd"), Dir 0o500;
    16 FdNumber in Fd, Label::Number, Magic 0o500;
    17 Fdinfo in Pid, fixed("fdinfo"), Dir 0o555;
    18 FdinfoNumber in Fdinfo, Label::Number, Text 0o444;
    19 Environ in Pid, fixed("environ"), Text 0o400;
    20 Status in Pid, fixed("status"), Text 0o444;
    21 Comm in Pid, fixed("comm"), Text 0o644;
    22 Cmdline in Pid, fixed("cmdline"), Text 0o444;
    23 TaskStat in Pid, fixed("stat"), Text 0o444;
    24 Statm in Pid, fixed("statm"), Text 0o444;
    25 Maps in Pid, fixed("maps"), Text 0o444;
    26 Cwd in Pid, fixed("cwd"), Magic 0o777;
    27 RootLink in Pid, fixed("root"), Magic 0o777;
    28 Exe in Pid, fixed("exe"), Magic 0o777;
    29 TaskMounts in Pid, fixed("mounts"), Text 0o444;
    30 Mountinfo in Pid, fixed("mountinfo"), Text 0o444;
    31 SysKernel in Sys, fixed("kernel"), Dir 0o555;
    32 Domainname in SysKernel, fixed("domainname"), Text 0o644;
    33 Hostname in SysKernel, fixed("hostname"), Text 0o644;
    34 CapLastCap in SysKernel, fixed("cap_last_cap"), Text 0o444;
    35 NgroupsMax in SysKernel, fixed("ngroups_max"), Text 0o444;
    36 Osrelease in SysKernel, fixed("osrelease"), Text 0o444;
    37 Ostype in SysKernel, fixed("ostype"), Text 0o444;
    38 PidMax in SysKernel, fixed("pid_max"), Text 0o644;
    39 SysFs in Sys, fixed("fs"), Dir 0o555;
    40 PipeMaxSize in SysFs, fixed("pipe-max-size"), Text 0o644;
    41 NrOpen in SysFs, fixed("nr_open"), Text 0o644;
    42 MountMax in SysFs, fixed("mount-max"), Text 0o644;
    43 SysInotify in SysFs, fixed("inotify"), Dir 0o555;
    44 MaxQueuedEvents in SysInotify, fixed("max_queued_events"), Text 0o644;
    45 MaxUserInstances in SysInotify, fixed("max_user_instances"), Text 0o644;
    46 MaxUserWatches in SysInotify, fixed("max_user_watches"), Text 0o644;
}

impl ProcId {
    /// What it is ready for to poll(2), if it has a way to say so: files of the whole system have,
    /// and of a process the lists of mounts.
    pub(crate) const fn poll_events(self) -> Option<u32> {
        match self {
            ProcId::Cpuinfo
            | ProcId::Filesystems
            | ProcId::Loadavg
            | ProcId::Meminfo
            | ProcId::Stat
            | ProcId::Uptime
            | ProcId::Version
            | ProcId::Domainname
            | ProcId::Hostname
            | ProcId::CapLastCap
            | ProcId::NgroupsMax
            | ProcId::Osrelease
            | ProcId::Ostype
            | ProcId::PidMax
            | ProcId::PipeMaxSize
            | ProcId::NrOpen
            | ProcId::MountMax
            | ProcId::MaxQueuedEvents
            | ProcId::MaxUserInstances
            | ProcId::MaxUserWatches => Some(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM),
            ProcId::TaskMounts | ProcId::Mountinfo => Some(POLLIN | POLLRDNORM),
            _ => None,
        }
    }
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
        &TABLE[self.id as usize]
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
        self.id != ProcId::Maps || view.may_inspect(self.pid, self.task_id())
    }

    /// Whether nobody may change it, root neither: the directory of a process or thread.
    pub(super) fn is_immutable(self) -> bool {
        matches!(self.id, ProcId::Pid | ProcId::Tid)
    }

    /// Whether it is /proc/sys or lies below it.
    pub fn is_sys(self) -> bool {
        let mut row = self.row();
        while row.id != ProcId::Root && row.id != ProcId::Sys {
            row = &TABLE[row.parent as usize];
        }
        row.id == ProcId::Sys
    }

    /// Whether lseek(2) counts from its end, 0: memory of a process is no text that is made.
    pub fn has_end(self) -> bool {
        matches!(self.id, ProcId::Environ | ProcId::Cmdline)
    }

    /// Whether it is the list of the descriptors of whoever looks, who may do all with it.
    pub(super) fn lists_descriptors_of(self, view: &dyn ProcView) -> bool {
        self.id == ProcId::Fd && self.pid == view.current().0
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
    rows.filter(move |row| directory != ProcId::Tid || row.id != ProcId::Task)
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

/// The entries of a directory without `.` and `..`, each with its cookie: what a number names keeps
/// its cookie while others come and go.
///
/// # Errors
/// `ENOENT` if the process is gone, `EACCES` if its descriptors may not be seen.
pub(super) fn list(
    view: &dyn ProcView,
    directory: ProcNode,
) -> Result<Vec<(u64, Name, ProcNode)>, Errno> {
    if !exists(view, directory) {
        return Err(Errno::ENOENT);
    }
    let (pid, task) = (directory.pid, directory.task_id());
    let mut entries = Vec::new();
    for (position, row) in rows_in(directory.id).enumerate() {
        match row.label {
            Label::Fixed(name) => {
                let cookie = super::directory::FIRST_COOKIE + position as u64;
                let node = ProcNode { id: row.id, ..directory };
                entries.push((cookie, Name::from_slice(name.as_bytes()), node));
            }
            Label::Number => {
                let numbers = match row.id {
                    ProcId::Pid => view.processes(),
                    ProcId::Tid => view.threads(pid),
                    _ => view.descriptors(pid, task),
                };
                for number in numbers {
                    let name = Name::from_slice(format!("{number}").as_bytes());
                    let node = numbered(directory, row.id, number);
                    entries.push((FIRST_NUMBER + u64::from(number), name, node));
                }
            }
        }
    }
    Ok(entries)
}

/// The directory above; the top is its own.
pub(super) fn parent(node: ProcNode) -> ProcNode {
    let id = match node.row().parent {
        ProcId::Pid if node.tid != 0 && node.id != ProcId::Task => ProcId::Tid,
        id => id,
    };
    match id {
        ProcId::Pid | ProcId::Task => ProcNode { id, tid: 0, fd: 0, ..node },
        ProcId::Root | ProcId::Sys | ProcId::SysKernel | ProcId::SysFs => {
            ProcNode { id, ..ProcNode::ROOT }
        }
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
        ProcId::Fd => view.descriptors(node.pid, node.task_id()).len() as u64,
        _ => 0,
    }
}

/// `st_nlink`: a directory counts its fixed subdirectories.
pub(super) fn nlink(node: ProcNode) -> u32 {
    if node.row().shape != Shape::Dir {
        return 1;
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
        _ => return Err(Errno::EINVAL),
    };
    if !view.may_inspect(pid, task) {
        return Err(Errno::EACCES);
    }
    view.link(pid, task, link).ok_or(Errno::ENOENT)
}
