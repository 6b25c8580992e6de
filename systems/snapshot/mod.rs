//! Snapshot, restore, digests, and what can be looked at from outside.
//!
//! A snapshot lists the rows of each kind in the order of their own ids, references as own ids,
//! then the tables and counters; restored into a fresh world it behaves the same to the bit. It
//! starts with a version, ends with a hash over all of it, and is checked for what the core relies
//! on: a damaged one is an error and no panic. Derived indexes (who is blocked, pid pages, open
//! FIFOs) are built anew.

mod decode;
mod encode;
mod extras;
mod pipes;
mod sockets;
mod terminals;
mod waiting;

use crate::abi::{Errno, Timespec};
use crate::components::Life;
use crate::digest::{hash_number, hash64};
use crate::fs::{Caller, Kind};
use crate::kernel::Kernel;
use crate::procview::view;
use crate::rows::{
    ContextRow, DescriptionRow, EpollRow, EventRow, FilesRow, HandlersRow, PidfdRow, PipeRow,
    ProcessRow as Row, RowKind, SocketRow, TaskRow, TerminalRow,
};
use crate::wire::{Bytes, Wire, WireError, put_varint};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

/// Most bytes of all paths that [`Kernel::tree`] tells.
const TREE_MAX_BYTES: u64 = 512 << 20;
/// Version of the encoding: changes with any component.
const VERSION: u64 = 1;
/// A process has limits of its own.
const HAS_LIMITS: u8 = 1;
/// A process has set a timer of CPU time.
const HAS_CPU_TIMERS: u8 = 2;
/// A process is to be told of its parent's end.
const HAS_DEATH_SIGNAL: u8 = 4;
/// A process is the child of a thread that is not its parent's leader.
const HAS_MAKER: u8 = 8;
/// A leader of a session whose terminal was hung up knows who was in the foreground.
const HAS_OLD_FOREGROUND: u8 = 16;
/// A process became somebody else.
const IS_UNDUMPABLE: u8 = 32;
/// A process was made after the kernel started.
const HAS_START: u8 = 64;
/// A process is more or less likely to be ended than others when memory is short.
const HAS_OOM: u8 = 128;
/// A description refuses RWF_NOWAIT: beside the bits of its flock(2) lock, which end at 8.
const WAITS_ALWAYS: u32 = 0x100;
/// An owner of whom more is known than its number.
const HAS_OWNER: u32 = 0x400;
/// Signals of input and output are sent (O_ASYNC).
const IS_TOLD: u32 = 0x800;
/// The number of its opener's credentials follows.
const HAS_OPENER: u32 = 0x1000;
/// The process that took its flock(2) lock is known.
const HAS_LOCKER: u32 = 0x2000;
const MAGIC: &[u8; 8] = b"tkstate\0";

/// Why bytes are not a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// It does not start as one.
    Foreign,
    /// It is of another version of the kernel.
    Version(u64),
    /// Its sum is another one: a byte was changed or lost.
    Sum,
    /// It ends early or holds what cannot be.
    Damaged(WireError),
    /// Its parts do not agree: what is wrong.
    Inconsistent(&'static str),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Foreign => write!(f, "not a kernel snapshot"),
            RestoreError::Version(version) => {
                write!(f, "a snapshot of version {version}; this kernel reads {VERSION}")
            }
            RestoreError::Sum => write!(f, "damaged snapshot: its sum is another one"),
            RestoreError::Damaged(error) => write!(f, "damaged snapshot: {error}"),
            RestoreError::Inconsistent(what) => write!(f, "inconsistent snapshot: {what}"),
        }
    }
}

impl core::error::Error for RestoreError {}

impl From<WireError> for RestoreError {
    fn from(error: WireError) -> Self {
        RestoreError::Damaged(error)
    }
}

/// What a process does: as in ps(1), what its leader does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It can speak.
    Running,
    /// It is in a call that waits.
    Blocked,
    /// A signal stopped it.
    Stopped,
    /// It has ended and waits to be reaped, or for its other threads to end.
    Zombie,
}

impl ProcessState {
    /// Its letter in ps(1).
    pub const fn letter(self) -> char {
        match self {
            ProcessState::Running => 'R',
            ProcessState::Blocked => 'S',
            ProcessState::Stopped => 'T',
            ProcessState::Zombie => 'Z',
        }
    }
}

/// A process as it is seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// Process id.
    pub pid: u32,
    /// Parent.
    pub ppid: u32,
    /// Group.
    pub pgid: u32,
    /// Session.
    pub sid: u32,
    /// What it does.
    pub state: ProcessState,
    /// Name.
    pub comm: Bytes,
}

/// An entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// Path below the top, with a leading slash.
    pub path: Bytes,
    /// Type and permission bits.
    pub mode: u32,
    /// Links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Target of a symbolic link.
    pub target: Option<Bytes>,
    /// Hash of the contents of a regular file.
    pub content: Option<u64>,
}

impl Kernel {
    /// The whole state, canonically encoded. Queued events and outputs that nobody has taken are
    /// not part of it: take them first.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        put_varint(&mut out, VERSION);
        self.config.put(&mut out);
        (self.now_ns, self.tick).put(&mut out);
        self.random.put(&mut out);
        self.init.put(&mut out);
        self.counters.put(&mut out);
        self.default_limits.put(&mut out);
        self.pids.last.put(&mut out);
        self.fs.put(&mut out);
        self.put_rows::<PipeRow>(&mut out);
        self.put_rows::<SocketRow>(&mut out);
        self.put_rows::<DescriptionRow>(&mut out);
        self.put_rows::<FilesRow>(&mut out);
        self.put_rows::<ContextRow>(&mut out);
        self.put_rows::<HandlersRow>(&mut out);
        self.put_rows::<Row>(&mut out);
        self.put_rows::<TaskRow>(&mut out);
        self.put_records(&mut out);
        self.put_asking(&mut out);
        self.put_face(&mut out);
        self.put_extras(&mut out);
        let sum = hash64(VERSION, &out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// The digest of each subsystem. Rows that changed since the last one are hashed anew; a debug
    /// build walks everything and compares.
    pub fn digests(&mut self) -> Vec<(&'static str, u64)> {
        let rows = &mut self.rows;
        let digests = Vec::from([
            ("contexts", ContextRow::digest(rows)),
            (
                "descriptions",
                DescriptionRow::digest(rows)
                    .wrapping_add(TerminalRow::digest(rows))
                    .wrapping_add(EventRow::digest(rows))
                    .wrapping_add(PidfdRow::digest(rows))
                    .wrapping_add(EpollRow::digest(rows)),
            ),
            ("descriptors", FilesRow::digest(rows)),
            ("files", self.fs.digest()),
            ("handlers", HandlersRow::digest(rows)),
            ("kernel", self.rest_digest()),
            ("pipes", PipeRow::digest(&mut self.rows)),
            ("processes", Row::digest(&mut self.rows)),
            ("sockets", SocketRow::digest(&mut self.rows)),
            ("tasks", TaskRow::digest(&mut self.rows)),
        ]);
        debug_assert_eq!(digests, self.digests_by_walk(), "a changed row was not marked");
        digests
    }

    /// One number for all of [`Kernel::digests`].
    pub fn digest_all(&mut self) -> u64 {
        let digests = self.digests();
        digests
            .iter()
            .fold(0, |hash, (name, digest)| hash_number(hash64(hash, name.as_bytes()), *digest))
    }

    /// [`Kernel::digests`] from every row.
    pub fn digests_by_walk(&self) -> Vec<(&'static str, u64)> {
        let rows = &self.rows;
        Vec::from([
            ("contexts", ContextRow::digest_walk(rows)),
            (
                "descriptions",
                DescriptionRow::digest_walk(rows)
                    .wrapping_add(TerminalRow::digest_walk(rows))
                    .wrapping_add(EventRow::digest_walk(rows))
                    .wrapping_add(PidfdRow::digest_walk(rows))
                    .wrapping_add(EpollRow::digest_walk(rows)),
            ),
            ("descriptors", FilesRow::digest_walk(rows)),
            ("files", self.fs.digest_walk()),
            ("handlers", HandlersRow::digest_walk(rows)),
            ("kernel", self.rest_digest()),
            ("pipes", PipeRow::digest_walk(rows)),
            ("processes", Row::digest_walk(rows)),
            ("sockets", SocketRow::digest_walk(rows)),
            ("tasks", TaskRow::digest_walk(rows)),
        ])
    }

    /// What belongs to no row: clock, counters, random state.
    fn put_face(&self, out: &mut Vec<u8>) {
        self.face.put(out);
        if self.config.face.present {
            self.face.put_more(out);
        }
    }

    fn rest_digest(&self) -> u64 {
        let mut out = Vec::new();
        (self.now_ns, self.tick).put(&mut out);
        self.random.put(&mut out);
        self.init.put(&mut out);
        self.counters.put(&mut out);
        self.pids.last.put(&mut out);
        self.put_records(&mut out);
        self.put_asking(&mut out);
        self.put_face(&mut out);
        if !self.timers.next.is_empty() {
            self.timers.put(&mut out);
        }
        if !self.timers.owners.is_empty() {
            self.timers.owners.put(&mut out);
        }
        if !self.inotify.instances.is_empty() || self.inotify.last_cookie > 0 {
            self.put_inotify(&mut out);
        }
        if !self.timerfds.is_empty() {
            self.timerfds.put(&mut out);
        }
        if !self.sockets.network.is_untouched() {
            self.put_network(&mut out);
        }
        hash64(0, &out)
    }

    /// All processes in the order of their pids.
    pub fn processes(&self) -> Vec<ProcessRow> {
        let all = Row::all(&self.rows).into_iter();
        all.map(|(_, row)| {
            let process = &self.rows[row];
            let ppid = if process.parent == 0 { process.outside_parent } else { process.parent };
            ProcessRow {
                pid: process.pid,
                ppid,
                pgid: process.pgid,
                sid: process.sid,
                state: self.process_state(row),
                comm: self.rows.text(row).comm.clone(),
            }
        })
        .collect()
    }

    fn process_state(&self, row: Row) -> ProcessState {
        let process = &self.rows[row];
        let leader = self.pids.task(process.pid).map(|task| &self.rows[task]);
        let Some(leader) = leader.filter(|leader| process.life == Life::Alive && !leader.exited)
        else {
            return ProcessState::Zombie;
        };
        match process.stopped {
            Some(_) => ProcessState::Stopped,
            None if leader.wait.is_some() => ProcessState::Blocked,
            None => ProcessState::Running,
        }
    }

    /// Every inode below an absolute path, sorted by bytes; mounts are not entered, links not
    /// followed.
    ///
    /// # Errors
    /// Those of a path walk with no restrictions; `ENOMEM` for more than 512 MiB of paths.
    pub fn tree(&self, path: &[u8]) -> Result<Vec<TreeRow>, Errno> {
        let top = self.fs.at_path(path)?;
        if self.fs.tree_bytes(top) > TREE_MAX_BYTES {
            return Err(Errno::ENOMEM);
        }
        let Some((_, first)) = TaskRow::all(&self.rows).into_iter().next() else {
            return Ok(Vec::new());
        };
        let view = view!(self, first);
        let root = crate::abi::Credentials::root();
        let above = self.fs.root();
        let caller =
            Caller { cred: &root, root: above, cwd: above, umask: 0, resolve: 0, proc: &view };
        let entries = self.fs.tree(top).into_iter();
        Ok(entries
            .map(|(path, place)| {
                let stat = self.fs.stat(&caller, place);
                let target = match self.fs.inode(place).map(|inode| &inode.kind) {
                    Some(Kind::Symlink(_)) => self.fs.readlink(&caller, place).ok().map(Bytes),
                    _ => None,
                };
                let content = self
                    .fs
                    .pages(place)
                    .map(|pages| hash64(0, &pages.read(0, pages.size().min(1 << 26))));
                TreeRow {
                    path: Bytes(path),
                    mode: stat.mode,
                    nlink: stat.nlink,
                    uid: stat.uid,
                    gid: stat.gid,
                    size: stat.size,
                    target,
                    content,
                }
            })
            .collect())
    }

    /// Changes where rows lie without changing anything else: a test's means to prove that no
    /// visible order follows from it.
    pub fn disturb_rows(&mut self, count: u32) {
        self.rows.disturb(count);
    }

    /// The clock as a time.
    pub fn now(&self) -> Timespec {
        Timespec::from_ns(self.now_ns)
    }
}

/// Own ids to rows, while a snapshot is read.
#[derive(Default)]
struct Refs {
    pipes: BTreeMap<u64, PipeRow>,
    sockets: BTreeMap<u64, SocketRow>,
    descriptions: BTreeMap<u64, DescriptionRow>,
    events: BTreeMap<u64, EventRow>,
    epolls: BTreeMap<u64, EpollRow>,
    /// The description that is read.
    description: u64,
    pidfds: BTreeMap<u64, PidfdRow>,
    terminals: BTreeMap<u64, TerminalRow>,
    files: BTreeMap<u64, FilesRow>,
    contexts: BTreeMap<u64, ContextRow>,
    handlers: BTreeMap<u64, HandlersRow>,
    processes: BTreeMap<u64, Row>,
}
