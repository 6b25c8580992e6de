//! What /proc shows of the kernel: the file system's window on tasks and descriptors.
//!
//! Owns the answers to [`ProcView`]; names, modes and texts are `fs/procfs.rs` and
//! `fs/proc_text.rs`; lines of descriptors and locks, `proc_lines.rs`.

use crate::abi::Timespec;
use crate::abi::flags::O_CLOEXEC;
use crate::calls::inotify::Inotify;
use crate::calls::lock::InodeLocks;
use crate::calls::object::{mount_of, numbers_of_object};
use crate::calls::record_lock::{LockedObject, RecordLocks};
use crate::components::{Life, Limits, Target, Timerfd};
use crate::fs::procfs::{ProcDescriptor, ProcLies, ProcLink, ProcSystem, ProcTarget, ProcTask};
use crate::fs::{Caller, Fs, InodeId, ProcView};
use crate::kernel::{Config, Counters, Kernel};
use crate::rows::{DescriptionRow, RowKind, Rows, TaskRow, TerminalRow};
use crate::tables::PidTable;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// The parts of the kernel that /proc looks at, and who looks.
pub(crate) struct View<'k> {
    pub(crate) rows: &'k Rows,
    pub(crate) pids: &'k PidTable,
    pub(crate) config: &'k Config,
    pub(crate) counters: &'k Counters,
    pub(crate) terminals: &'k BTreeMap<u32, TerminalRow>,
    pub(crate) locks: &'k BTreeMap<InodeId, InodeLocks>,
    pub(crate) record_locks: &'k BTreeMap<LockedObject, RecordLocks>,
    pub(crate) timerfds: &'k BTreeMap<u64, Timerfd>,
    pub(crate) inotify: &'k Inotify,
    pub(crate) default_limits: &'k Limits,
    pub(crate) now_ns: u64,
    pub(crate) task: TaskRow,
}

/// What a task sees of the kernel, out of the kernel's fields, so that `fs` stays free to be
/// changed.
macro_rules! view {
    ($kernel:ident, $task:expr) => {
        $crate::procview::View {
            rows: &$kernel.rows,
            pids: &$kernel.pids,
            config: &$kernel.config,
            counters: &$kernel.counters,
            terminals: &$kernel.terminals,
            locks: &$kernel.locks,
            record_locks: &$kernel.record_locks,
            timerfds: &$kernel.timerfds,
            inotify: &$kernel.inotify,
            default_limits: &$kernel.default_limits,
            now_ns: $kernel.now_ns,
            task: $task,
        }
    };
}
pub(crate) use view;

/// Makes a `Caller` for a task of the same.
macro_rules! caller {
    ($kernel:ident, $task:expr => $caller:ident) => {
        let view = $crate::procview::view!($kernel, $task);
        let $caller = view.caller();
    };
}
pub(crate) use caller;

impl<'k> View<'k> {
    /// The task as the file system knows it.
    pub(crate) fn caller(&'k self) -> Caller<'k> {
        let task = &self.rows[self.task];
        let context = &self.rows[task.context];
        Caller {
            cred: &task.credentials,
            root: context.root,
            cwd: context.cwd,
            umask: context.umask,
            resolve: 0,
            proc: self,
        }
    }

    /// The foreground group of a controlling terminal; -1 = there is no terminal.
    fn foreground_of(&self, device: u64) -> i32 {
        let number = crate::components::terminal::number_of(device);
        let found = number.and_then(|number| self.terminals.get(&number));
        found.map_or(-1, |row| self.rows[*row].foreground as i32)
    }

    fn task_row(&self, pid: u32, tid: u32) -> Option<TaskRow> {
        let row = self.pids.task(tid)?;
        (self.rows[self.rows[row].process].pid == pid).then_some(row)
    }

    fn words(words: &[crate::wire::Bytes]) -> Vec<u8> {
        let mut text = Vec::new();
        for word in words {
            text.extend_from_slice(&word.0);
            text.push(0);
        }
        text
    }
}

impl ProcView for View<'_> {
    fn current(&self) -> (u32, u32) {
        let task = &self.rows[self.task];
        (self.rows[task.process].pid, task.tid)
    }

    fn next_process(&self, from: u32) -> Option<u32> {
        self.pids.next_process(from)
    }

    fn threads(&self, pid: u32) -> Vec<u32> {
        let Some(process) = self.pids.process(pid) else { return Vec::new() };
        let process = &self.rows[process];
        // A zombie is still listed with its leader.
        let mut threads =
            if process.threads.is_empty() { Vec::from([pid]) } else { process.threads.to_vec() };
        threads.sort_unstable();
        threads
    }

    fn owner(&self, pid: u32, tid: u32) -> Option<(u32, u32)> {
        match self.task_row(pid, tid) {
            Some(row) => {
                let who = &self.rows[row].credentials;
                Some((who.euid, who.egid))
            }
            None => (pid == tid && self.pids.process(pid).is_some()).then_some((0, 0)),
        }
    }

    fn is_dumpable(&self, pid: u32, tid: u32) -> bool {
        let row = self.task_row(pid, tid);
        row.is_none_or(|row| !self.rows[self.rows[row].process].undumpable)
    }

    fn may_inspect(&self, pid: u32, tid: u32) -> bool {
        let Some(target) = self.task_row(pid, tid) else { return false };
        let (own, other) = (&self.rows[self.task].credentials, &self.rows[target].credentials);
        let is_dumpable = !self.rows[self.rows[target].process].undumpable;
        // ptrace(2): the same process, a capability (CAP_SYS_PTRACE 19), or all ids alike and no
        // capability more.
        self.rows[self.task].process == self.rows[target].process
            || own.capable(19)
            || is_dumpable
                && other.permitted & !own.effective == 0
                && [other.uid, other.euid, other.suid].iter().all(|uid| *uid == own.fsuid)
                && [other.gid, other.egid, other.sgid].iter().all(|gid| *gid == own.fsgid)
    }

    fn task(&self, pid: u32, tid: u32) -> Option<ProcTask> {
        let process_row = self.pids.process(pid)?;
        let process = &self.rows[process_row];
        let mut shown = ProcTask {
            comm: self.rows.text(process_row).comm.0.clone(),
            state: b'Z',
            ppid: if process.parent == 0 { process.outside_parent } else { process.parent },
            pgrp: process.pgid,
            session: process.sid,
            tty: process.tty,
            tpgid: self.foreground_of(process.tty),
            threads: (process.threads.len() as u32).max(1),
            start_ns: process.start_ns,
            exit_signal: i32::from(process.exit_signal),
            shared_pending: process.pending.set,
            oom_score_adj: process.oom.score_adj,
            ..ProcTask::default()
        };
        let Some(row) = self.task_row(pid, tid) else {
            return (pid == tid).then_some(shown);
        };
        let task = &self.rows[row];
        let handlers = &self.rows[task.handlers];
        shown.state = if process.life != Life::Alive || task.exited {
            b'Z'
        } else if process.stopped.is_some() {
            b'T'
        } else if row == self.task {
            b'R'
        } else {
            b'S'
        };
        shown.cred = task.credentials.clone();
        shown.umask = self.rows[task.context].umask;
        shown.pending = task.pending.set;
        shown.blocked = task.mask;
        shown.ignored = handlers.ignored;
        for (signal, action) in &handlers.actions {
            if action.handler > 1 {
                shown.caught.insert(*signal);
            }
        }
        shown.fd_slots = (self.rows[task.files].slots.len() as u32).next_multiple_of(64).max(64);
        Some(shown)
    }

    fn cmdline(&self, pid: u32) -> Vec<u8> {
        let live = self.pids.process(pid).filter(|row| self.rows[*row].life == Life::Alive);
        live.map_or_else(Vec::new, |row| Self::words(&self.rows.text(row).argv))
    }

    fn environ(&self, pid: u32) -> Vec<u8> {
        let live = self.pids.process(pid).filter(|row| self.rows[*row].life == Life::Alive);
        live.map_or_else(Vec::new, |row| Self::words(&self.rows.text(row).envp))
    }

    fn link(&self, pid: u32, tid: u32, link: ProcLink) -> Option<ProcTarget> {
        let row = self.task_row(pid, tid)?;
        let task = &self.rows[row];
        if task.exited {
            return None;
        }
        match link {
            ProcLink::Cwd => Some(ProcTarget::Place(self.rows[task.context].cwd)),
            ProcLink::Root => Some(ProcTarget::Place(self.rows[task.context].root)),
            ProcLink::Exe => self.rows[task.process].exe.map(ProcTarget::Place),
            ProcLink::Fd(fd) => {
                let slot = self.rows[task.files].get(i32::try_from(fd).ok()?)?;
                Some(match self.rows[slot.description].target {
                    Target::File(place) | Target::Pipe(_, Some(place)) => ProcTarget::Place(place),
                    Target::Socket(socket) => {
                        let id = self.rows[socket].id;
                        ProcTarget::Object(format!("socket:[{id}]").into_bytes())
                    }
                    Target::Object(object) => {
                        ProcTarget::Object(crate::calls::object::name(object).to_vec())
                    }
                    Target::Pipe(pipe, None) => {
                        let id = self.rows[pipe].id;
                        ProcTarget::Object(format!("pipe:[{id}]").into_bytes())
                    }
                })
            }
        }
    }

    fn next_descriptor(&self, pid: u32, tid: u32, from: u32) -> Option<u32> {
        let row = self.task_row(pid, tid).filter(|row| !self.rows[*row].exited)?;
        let slots = self.rows[self.rows[row].files].slots.iter().enumerate();
        let mut open = slots.skip(from as usize).filter(|(_, slot)| slot.is_some());
        open.next().map(|(fd, _)| fd as u32)
    }

    fn descriptor(&self, pid: u32, tid: u32, fd: u32) -> Option<ProcDescriptor> {
        let row = self.task_row(pid, tid)?;
        if self.rows[row].exited {
            return None;
        }
        let slot = self.rows[self.rows[row].files].get(i32::try_from(fd).ok()?)?;
        let description = &self.rows[slot.description];
        let target = &description.target;
        let outside = |ino| ProcLies::Outside { mount: mount_of(target), ino };
        let lies = match *target {
            Target::File(place) | Target::Pipe(_, Some(place)) => ProcLies::At(place),
            Target::Pipe(pipe, None) => outside(self.rows[pipe].id),
            Target::Socket(socket) => outside(self.rows[socket].id),
            Target::Object(object) => outside(numbers_of_object(self.rows, object).1),
        };
        let flags = description.flags | if slot.cloexec { O_CLOEXEC } else { 0 };
        Some(ProcDescriptor { flags, pos: description.offset, lies })
    }

    fn descriptor_lines(&self, fs: &Fs, pid: u32, tid: u32, fd: u32) -> Vec<u8> {
        let row = self.task_row(pid, tid).filter(|row| !self.rows[*row].exited);
        let lines = row.and_then(|row| {
            let files = self.rows[row].files;
            let slot = self.rows[files].get(i32::try_from(fd).ok()?)?;
            Some(self.lines_of(fs, slot.description, files.own_id(self.rows)))
        });
        lines.unwrap_or_default()
    }

    fn limits(&self, pid: u32) -> Limits {
        let own = self.pids.process(pid).and_then(|row| self.rows[row].limits.as_deref());
        own.unwrap_or(self.default_limits).clone()
    }

    fn locks(&self, fs: &Fs) -> Vec<u8> {
        self.all_locks(fs)
    }

    fn system(&self) -> ProcSystem {
        let tasks = TaskRow::live(self.rows) as u32;
        ProcSystem {
            uptime_ns: self.now_ns.saturating_sub(self.config.start_ns),
            boot_sec: self.config.start_ns / 1_000_000_000,
            cpus: 1,
            memory_bytes: 1 << 33,
            free_bytes: 1 << 32,
            running: tasks.saturating_sub(self.counters.blocked as u32).max(1),
            tasks,
            last_pid: self.pids.last,
            forks: self.counters.next_birth,
            descriptions: [DescriptionRow::live(self.rows), self.config.max_descriptions],
            max_tasks: self.config.max_tasks,
            uname: ["Linux", "6.12.0", "#1 SMP", "tickernel", "(none)"]
                .map(|text| text.as_bytes().to_vec()),
        }
    }
}

impl Kernel {
    /// How long the kernel has run.
    pub(crate) fn uptime_ns(&self) -> u64 {
        self.now_ns.saturating_sub(self.config.start_ns)
    }

    /// The clock as file stamps have it.
    pub(crate) fn stamp(&self) -> Timespec {
        Timespec::from_ns(self.now_ns)
    }
}
