//! /proc of the face: the table of its entries, and their texts (`shared/contract/SEMANTICS.md`,
//! section 16). Listing, stat and read all come from the table; `calls/face_proc.rs` walks it.
//!
//! It shows processes as the contract does. The /proc of `fs/procfs.rs`, which shows them as Linux
//! does, is a volume of the tree; the face's tree may be the user's own, so there is none here.

use crate::abi::flags::{S_IFDIR, S_IFLNK, S_IFREG};
use crate::calls::FaceFd;
use crate::components::{Life, ProcessText};
use crate::kernel::Kernel;
use crate::rows::{ProcessRow, RowKind};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Device number of /proc.
pub const PROC_DEVICE: u64 = 3;
/// Working directory of a process that is kept nowhere else.
pub(crate) const DEFAULT_CWD: &[u8] = b"/workspace";
/// First inode number but those of descriptors.
const INODES: u64 = 0xfffe_0000;
/// First inode number of descriptors.
const FD_INODES: u64 = 0xffff_0000;
/// Processors are shown at most up to Linux's largest NR_CPUS.
const MAX_PROCESSORS: u64 = 8192;
/// Memory that is shown where no limit is set.
const MEMORY_BYTES: u64 = 64 << 20;
/// Bytes of a name of /proc/PID/comm (proc_pid_comm(5)).
const COMM_BYTES: usize = 15;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Root,
    Mounts,
    Processors,
    Memory,
    Load,
    Uptime,
    Version,
    /// The link to the process that looks.
    Own,
    Process,
    Descriptors,
    Descriptor,
    CommandLine,
    Environment,
    Cwd,
    Stat,
    Status,
}

/// An entry: its name, what it is, the type bits of its mode, its inode number, to which that of
/// the process is added.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static [u8],
    pub(crate) what: What,
    pub(crate) kind: u32,
    inode: u64,
}

const fn entry(name: &'static [u8], what: What, kind: u32, inode: u64) -> Entry {
    Entry { name, what, kind, inode }
}

/// /proc itself.
pub(crate) static ROOT: Entry = entry(b"", What::Root, S_IFDIR, INODES + 1);
/// The directory of a process: its name is a number.
pub(crate) static PROCESS: Entry = entry(b"", What::Process, S_IFDIR, INODES + 0x2000);
/// A descriptor: so is its name.
pub(crate) static DESCRIPTOR: Entry = entry(b"", What::Descriptor, S_IFLNK, FD_INODES);

/// What /proc holds beside processes, sorted.
pub(crate) static TOP: [Entry; 7] = [
    entry(b"cpuinfo", What::Processors, S_IFREG, INODES + 3),
    entry(b"loadavg", What::Load, S_IFREG, INODES + 5),
    entry(b"meminfo", What::Memory, S_IFREG, INODES + 4),
    entry(b"mounts", What::Mounts, S_IFREG, INODES + 2),
    entry(b"self", What::Own, S_IFLNK, INODES + 0x1000),
    entry(b"uptime", What::Uptime, S_IFREG, INODES + 6),
    entry(b"version", What::Version, S_IFREG, INODES + 7),
];

/// What the directory of a process holds, sorted.
pub(crate) static OF_PROCESS: [Entry; 6] = [
    entry(b"cmdline", What::CommandLine, S_IFREG, INODES + 0x4000),
    entry(b"cwd", What::Cwd, S_IFLNK, INODES + 0x6000),
    entry(b"environ", What::Environment, S_IFREG, INODES + 0x5000),
    entry(b"fd", What::Descriptors, S_IFDIR, INODES + 0x3000),
    entry(b"stat", What::Stat, S_IFREG, INODES + 0x7000),
    entry(b"status", What::Status, S_IFREG, INODES + 0x8000),
];

/// An entry of a process (0 = none), or one of its descriptors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) entry: &'static Entry,
    pub(crate) pid: u32,
    pub(crate) fd: u32,
}

impl Node {
    pub(crate) const fn new(entry: &'static Entry, pid: u32) -> Node {
        Node { entry, pid, fd: 0 }
    }

    pub(crate) fn inode(&self) -> u64 {
        let own = u64::from(self.pid);
        if self.entry.what == What::Descriptor {
            return self.entry.inode + (own << 8) + u64::from(self.fd);
        }
        self.entry.inode + own
    }

    /// Its path, without links.
    pub(crate) fn path(&self) -> Vec<u8> {
        let pid = self.pid;
        match self.entry.what {
            What::Root => b"/proc".to_vec(),
            What::Process => format!("/proc/{pid}").into_bytes(),
            What::Descriptor => format!("/proc/{pid}/fd/{}", self.fd).into_bytes(),
            What::CommandLine
            | What::Environment
            | What::Cwd
            | What::Descriptors
            | What::Stat
            | What::Status => [format!("/proc/{pid}/").as_bytes(), self.entry.name].concat(),
            What::Mounts
            | What::Processors
            | What::Memory
            | What::Load
            | What::Uptime
            | What::Version
            | What::Own => [b"/proc/", self.entry.name].concat(),
        }
    }
}

fn words_of(words: &[crate::wire::Bytes]) -> Vec<u8> {
    words.iter().flat_map(|word| word.0.iter().copied().chain([0])).collect()
}

impl Kernel {
    /// What a file of /proc holds; `None` for what has no text of the kernel's own: links,
    /// directories, mounts of a file system that is the user's.
    pub(crate) fn proc_text(&self, node: Node) -> Option<Vec<u8>> {
        let process = self.pids.process(node.pid);
        Some(match node.entry.what {
            What::CommandLine => words_of(&self.shown_text(process?).argv),
            What::Environment => words_of(&self.shown_text(process?).envp),
            What::Stat => self.stat_text(process?),
            What::Status => self.status_text(process?),
            What::Processors => self.processors_text().into_bytes(),
            What::Memory => self.memory_text().into_bytes(),
            What::Load => self.load_text().into_bytes(),
            What::Uptime => {
                let hundredths = self.now_ns.saturating_sub(self.config.start_ns) / 10_000_000;
                let (sec, rest) = (hundredths / 100, hundredths % 100);
                // Nothing of it was work: as long idle as up.
                format!("{sec}.{rest:02} {sec}.{rest:02}\n").into_bytes()
            }
            What::Version => {
                let boot_ms = self.config.start_ns / 1_000_000;
                format!("Linux version 6.8.0-agentos (agentos@localhost) #1 SMP boot={boot_ms}\n")
                    .into_bytes()
            }
            What::Mounts if !self.config.face.foreign_root => b"root / root rw 0 0\n".to_vec(),
            What::Mounts
            | What::Root
            | What::Own
            | What::Process
            | What::Descriptors
            | What::Descriptor
            | What::Cwd => return None,
        })
    }

    /// The words of a process; on Linux a zombie's are gone with its memory.
    fn shown_text(&self, process: ProcessRow) -> Arc<ProcessText> {
        if self.is_shown_whole(process) { self.rows.text(process) } else { Arc::default() }
    }

    fn is_shown_whole(&self, process: ProcessRow) -> bool {
        self.bends.zombies_keep_texts || self.rows[process].life == Life::Alive
    }

    /// The working directory of a process, as it was named.
    pub(crate) fn proc_cwd(&self, pid: u32) -> Option<Vec<u8>> {
        let process = self.pids.process(pid)?;
        let cwd = self.face.cwds.get(&pid).map_or(DEFAULT_CWD, |cwd| &cwd.0);
        self.is_shown_whole(process).then(|| cwd.to_vec())
    }

    /// The state of a process as a letter and a word. Whether one that is neither stopped nor over
    /// runs is its driver's affair: it does.
    fn state_of(&self, process: ProcessRow) -> (char, &'static str) {
        let row = &self.rows[process];
        match (row.life, row.stopped) {
            (Life::Alive, None) => ('R', "running"),
            (Life::Alive, Some(_)) => ('T', "stopped"),
            (Life::Zombie(_), _) => ('Z', "zombie"),
        }
    }

    /// The name of a process: its command; on Linux 15 bytes of the command's last part.
    fn comm_of(&self, process: ProcessRow) -> Vec<u8> {
        let mut name = self.rows.text(process).comm.0.clone();
        if !self.bends.proc_names_are_whole {
            name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
            name.truncate(COMM_BYTES);
        }
        name
    }

    /// proc_pid_stat(5), in Linux's columns.
    fn stat_text(&self, process: ProcessRow) -> Vec<u8> {
        let row = &self.rows[process];
        let mut name = self.comm_of(process);
        if self.bends.proc_names_are_whole {
            // A name cannot end the parenthesis.
            name.iter_mut().filter(|byte| **byte == b')').for_each(|byte| *byte = b']');
        }
        let head = format!("{} (", row.pid).into_bytes();
        let state = self.state_of(process).0;
        // Priority is the 18th field, the number of threads the 20th, and there are 52.
        let (zeros, rest) = (" 0".repeat(11), " 0".repeat(32));
        let (ppid, pgid, sid) = (row.parent, row.pgid, row.sid);
        let tail = format!(") {state} {ppid} {pgid} {sid}{zeros} 20 0 1{rest}\n").into_bytes();
        [head, name, tail].concat()
    }

    /// proc_pid_status(5), as much as the contract has.
    fn status_text(&self, process: ProcessRow) -> Vec<u8> {
        let row = &self.rows[process];
        let (letter, word) = self.state_of(process);
        let [uid, euid, gid, egid] = self.config.face.ids;
        let name = [b"Name:\t", &*self.comm_of(process)].concat();
        let tail = format!(
            "\nState:\t{letter} ({word})\nPid:\t{}\nPPid:\t{}\n\
             Uid:\t{uid}\t{euid}\t{euid}\t{euid}\nGid:\t{gid}\t{egid}\t{egid}\t{egid}\n\
             VmSize:\t{:>8} kB\nVmRSS:\t{:>9} kB\nThreads:\t1\n",
            row.pid, row.parent, 0, 0
        );
        [name, tail.into_bytes()].concat()
    }

    fn processors_text(&self) -> String {
        let count = match self.config.face.limits.virtual_cpu_count {
            u64::MAX => 1,
            count => count.clamp(1, MAX_PROCESSORS),
        };
        let one = |number: u64| {
            format!(
                "processor\t: {number}\nmodel name\t: secure-exec Virtual CPU\n\
                 cpu MHz\t\t: 1000.000\nsiblings\t: {count}\ncpu cores\t: {count}\n\n"
            )
        };
        (0..count).map(one).collect()
    }

    fn memory_text(&self) -> String {
        let kib = match self.config.face.limits.max_wasm_memory_bytes {
            u64::MAX => MEMORY_BYTES,
            bytes => bytes,
        } / 1024;
        format!(
            "MemTotal:{kib:>8} kB\nMemFree:{kib:>9} kB\nMemAvailable:{kib:>4} kB\n\
             Buffers:{:>9} kB\nCached:{:>10} kB\n",
            0, 0
        )
    }

    /// proc_loadavg(5): nothing is measured but how many processes run, and of how many.
    fn load_text(&self) -> String {
        let all = ProcessRow::live(&self.rows);
        let running = all - self.counters.zombies - self.counters.stopped;
        format!("0.00 0.00 0.00 {running}/{all} {}\n", self.pids.last)
    }

    /// What a link of /proc says.
    pub(crate) fn proc_link(&mut self, node: Node) -> Option<Vec<u8>> {
        match node.entry.what {
            What::Own if self.bends.proc_self_is_absolute => {
                Some(Node::new(&PROCESS, node.pid).path())
            }
            What::Own => Some(format!("{}", node.pid).into_bytes()),
            What::Cwd => self.proc_cwd(node.pid),
            What::Descriptor => self.face_fd(node.pid, node.fd).map(|FaceFd { path, .. }| path),
            What::Root
            | What::Mounts
            | What::Processors
            | What::Memory
            | What::Load
            | What::Uptime
            | What::Version
            | What::Process
            | What::Descriptors
            | What::CommandLine
            | What::Environment
            | What::Stat
            | What::Status => None,
        }
    }
}
