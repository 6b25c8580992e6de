//! fork(2), vfork(2), clone(2), execve(2), exit(2).
//!
//! Not here: namespaces (`CLONE_NEW*`: EPERM without CAP_SYS_ADMIN, else EINVAL as not configured).

use crate::abi::credentials::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE, Credentials};
use crate::abi::flags::*;
use crate::abi::{Errno, Signal, WaitStatus};
use crate::components::{
    Files, Frame, Handlers, Interrupted, Limits, Object, Pending, Process, Restart, Target, Task,
    Waiting,
};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::memory;
use crate::rows::{
    ContextRow, DescriptionRow, FilesRow, HandlersRow, ProcessRow, RowKind, TaskRow,
};
use alloc::vec::Vec;

/// The exit signal in clone's flags.
const CSIGNAL: u64 = 0xff;
const NAMESPACES: u64 = CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET;

impl Kernel {
    /// fork(2).
    pub(crate) fn fork(&mut self, task: TaskRow) -> CallResult {
        self.begin_task(task, u64::from(Signal::SIGCHLD.number()), 0)
    }

    /// vfork(2).
    pub(crate) fn vfork(&mut self, task: TaskRow) -> CallResult {
        let flags = CLONE_VM | CLONE_VFORK | u64::from(Signal::SIGCHLD.number());
        self.clone_task(task, flags, 0)
    }

    /// clone(2); `set_tid` asks for a number (clone3(2)), 0 = the next.
    pub(crate) fn clone_task(&mut self, task: TaskRow, flags: u64, set_tid: u32) -> CallResult {
        check_flags(flags)?;
        // clone(2) would write both through one pointer; clone3(2) is the one that takes a number.
        if flags & CLONE_PIDFD != 0 && flags & CLONE_PARENT_SETTID != 0 && set_tid == 0 {
            return Err(Errno::EINVAL.into());
        }
        let pid = self.rows[self.rows[task].process].pid;
        if flags & CLONE_PARENT != 0 && pid == self.init {
            // Init would have siblings outside its namespace.
            return Err(Errno::EINVAL.into());
        }
        if flags & NAMESPACES != 0 {
            let capable = self.rows[task].credentials.capable(CAP_SYS_ADMIN);
            let errno =
                if capable || flags & CLONE_NEWUSER != 0 { Errno::EINVAL } else { Errno::EPERM };
            return Err(errno.into());
        }
        self.begin_task(task, flags, set_tid)
    }

    /// The same with flags that go together.
    #[inline]
    fn begin_task(&mut self, task: TaskRow, flags: u64, set_tid: u32) -> CallResult {
        if self.has_too_many_tasks(task, 1) && !self.may_exceed_nproc(task) {
            return Err(Errno::EAGAIN.into());
        }
        self.room_for_task(task, flags)?;
        let tid = self.new_number(set_tid)?;
        if flags & CLONE_PIDFD != 0 {
            self.room_for_descriptions(1, memory::PIDFD_BYTES)?;
            self.free_fd(task, 0)?;
        }
        if flags & CLONE_THREAD != 0 {
            self.new_thread(task, tid, flags);
        } else {
            self.new_process(task, tid, flags);
        }
        if self.rows[task].over_nproc {
            self.rows[task].over_nproc = false;
        }
        if flags & CLONE_PIDFD != 0 {
            self.give_pidfd(task, tid, flags)?;
        }
        if flags & CLONE_VFORK != 0 && flags & CLONE_THREAD == 0 {
            return Err(Stop::block(Waiting::Vfork { child: tid }, None, Restart::Uninterruptible));
        }
        Ok(self.made_task(task, tid, flags & CLONE_PIDFD != 0))
    }

    /// `CLONE_PIDFD`: the caller gets a descriptor of the child, who has none of it.
    fn give_pidfd(&mut self, task: TaskRow, tid: u32, flags: u64) -> Result<(), Errno> {
        let kind = if flags & CLONE_THREAD != 0 { PIDFD_THREAD } else { 0 };
        let fd = self.free_fd(task, 0)?;
        let row = self.describe_pidfd(tid, kind)?;
        self.install(task, fd, row, true);
        Ok(())
    }

    /// What clone(2) gives its caller: the number, and the descriptor of `CLONE_PIDFD`. The latter
    /// is looked up, for vfork(2) ends long after it was given; its caller made no other since.
    pub(crate) fn made_task(&self, task: TaskRow, tid: u32, has_pidfd: bool) -> Answer {
        let slots = &self.rows[self.rows[task].files].slots;
        let refers = |row: DescriptionRow| match self.rows[row].target {
            Target::Object(Object::Pidfd(pidfd)) => self.rows[pidfd].pid == tid,
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => false,
        };
        let mut numbers = (0..).zip(slots).filter(|_| has_pidfd);
        let found =
            numbers.find(|(_, slot)| slot.as_ref().is_some_and(|it| refers(it.description)));
        let payload = found.map_or(Payload::None, |(fd, _)| Payload::Number(fd));
        Answer { value: i64::from(tid), payload }
    }

    /// Whether so many tasks more are beyond the RLIMIT_NPROC of the real user, which user 0 never
    /// meets (getrlimit(2)).
    #[inline]
    pub(crate) fn has_too_many_tasks(&self, task: TaskRow, more: u64) -> bool {
        let uid = self.rows[task].credentials.uid;
        uid != 0 && {
            let limit = self.limit(self.rows[task].process, RLIMIT_NPROC).cur;
            self.user_tasks.count(uid).saturating_add(more) > limit
        }
    }

    fn may_exceed_nproc(&self, task: TaskRow) -> bool {
        let who = &self.rows[task].credentials;
        who.capable(CAP_SYS_RESOURCE) || who.capable(CAP_SYS_ADMIN)
    }

    /// EAGAIN for a task too many, ENOMEM if there is no room for what it copies (fork(2)).
    fn room_for_task(&self, task: TaskRow, flags: u64) -> Result<(), Errno> {
        let own = if flags & CLONE_THREAD != 0 { 0 } else { memory::PROCESS_BYTES };
        let room = self.memory_left();
        let Some(room) = room.checked_sub(own + memory::TASK_BYTES) else {
            return Err(Errno::EAGAIN);
        };
        if TaskRow::live(&self.rows) >= self.config.max_tasks {
            return Err(Errno::EAGAIN);
        }
        let from = &self.rows[task];
        let mut copied = 4 * from.credentials.groups.len() as u64;
        if flags & CLONE_FILES == 0 {
            copied += self.rows[from.files].slots.len() as u64 * memory::FD_BYTES;
        }
        if flags & CLONE_THREAD == 0 {
            copied += from.frames.len() as u64 * memory::FRAME_BYTES;
            copied += self.rows[from.process].text_bytes;
        }
        if copied <= room { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    fn new_number(&mut self, set_tid: u32) -> Result<u32, Errno> {
        match set_tid {
            0 => self.pids.next().ok_or(Errno::EAGAIN),
            wanted if wanted >= crate::tables::pids::PID_MAX => Err(Errno::EINVAL),
            wanted if self.pids.is_free(wanted) => Ok(wanted),
            _ => Err(Errno::EEXIST),
        }
    }

    pub(crate) fn new_thread(&mut self, parent: TaskRow, tid: u32, flags: u64) -> TaskRow {
        let process = self.rows[parent].process;
        let row = self.spawn_task(parent, process, tid, flags);
        self.pids.change(tid, |entry| entry.task = Some(row));
        self.rows[process].threads.push(tid);
        row
    }

    fn new_process(&mut self, parent_task: TaskRow, pid: u32, flags: u64) {
        let caller = &self.rows[parent_task];
        let parent = caller.process;
        let vfork_parent = if flags & CLONE_VFORK != 0 { caller.tid } else { 0 };
        let from = &self.rows[parent];
        let (real_parent, maker, exit_signal) = if flags & CLONE_PARENT != 0 {
            (from.parent, from.maker, from.exit_signal)
        } else {
            (from.pid, from.maker_number(caller.tid), (flags & CSIGNAL) as u8)
        };
        let (pgid, sid, exe) = (from.pgid, from.sid, from.exe);
        let (text, text_bytes) = (from.text, from.text_bytes);
        self.rows.share_text(text);
        self.hold_bytes(text_bytes);
        if let Some(place) = exe {
            self.begin_run(place);
        }
        let places = self.enter_lists(pid, pgid, sid, real_parent);
        let from = &self.rows[parent];
        let process = Process {
            parent: real_parent,
            maker,
            sibling: places.sibling,
            birth: places.birth,
            in_group: places.in_group,
            in_session: places.in_session,
            outside_parent: from.outside_parent,
            exit_signal,
            vfork_parent,
            limits: from.limits.clone(),
            undumpable: from.undumpable,
            oom: from.oom,
            exe,
            text,
            text_bytes,
            tty: from.tty,
            ..Process::new(pid, pgid, sid, self.uptime_ns())
        };
        let process = ProcessRow::spawn(&mut self.rows, u64::from(pid), process);
        let task = self.spawn_task(parent_task, process, pid, flags);
        self.pids.change(pid, |entry| {
            (entry.process, entry.task) = (Some(process), Some(task));
        });
    }

    /// A task that is in no table of numbers yet.
    fn spawn_task(
        &mut self,
        parent: TaskRow,
        process: ProcessRow,
        tid: u32,
        flags: u64,
    ) -> TaskRow {
        let files = self.share_files(parent, flags & CLONE_FILES != 0);
        let context = self.share_context(parent, flags & CLONE_FS != 0);
        let handlers = self.share_handlers(parent, flags);
        let serial = match flags & CLONE_THREAD {
            0 => 0,
            _ => self.credentials_serial(parent),
        };
        let from = &self.rows[parent];
        // Handlers that run in the caller run in the copy too: fork(2) copies the stack.
        let frames = from.frames.iter().map(copy_frame).collect();
        let task = Task {
            tid,
            process,
            files,
            context,
            handlers,
            mask: from.mask,
            saved_mask: None,
            pending: Pending::default(),
            frames: if flags & CLONE_THREAD != 0 { Vec::new() } else { frames },
            wait: None,
            // A thread has the very set of its process.
            credentials: Credentials { serial, ..from.credentials.clone() },
            // A thread starts without one, a copy of the process with a copy (clone(2)).
            alt_stack: if flags & CLONE_VM != 0 && flags & CLONE_VFORK == 0 {
                super::NO_ALT_STACK
            } else {
                from.alt_stack
            },
            exited: false,
            over_nproc: from.over_nproc,
        };
        self.hold_bytes(task.frames.len() as u64 * memory::FRAME_BYTES);
        self.count_credentials(&task.credentials);
        TaskRow::spawn(&mut self.rows, u64::from(tid), task)
    }

    /// A new task: its groups take memory, and its user has one task more.
    #[inline]
    pub(crate) fn count_credentials(&mut self, who: &Credentials) {
        self.hold_bytes(4 * who.groups.len() as u64);
        self.user_tasks.enter(who.uid);
    }

    fn share_files(&mut self, parent: TaskRow, share: bool) -> FilesRow {
        let files = self.rows[parent].files;
        if share {
            self.rows[files].refs += 1;
            return files;
        }
        self.copy_files(files)
    }

    /// A table with the same descriptors.
    pub(crate) fn copy_files(&mut self, files: FilesRow) -> FilesRow {
        let id = self.next_id();
        let from = &self.rows[files];
        // A copy is as long as it must be: select(2) shows it.
        let length = from.slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let mut slots = self.spare_tables.pop().unwrap_or_default();
        slots.extend_from_slice(&from.slots[..length]);
        let (lowest, open) = (from.lowest, from.open);
        self.counters.open_fds += u64::from(open);
        self.counters.held_bytes += length as u64 * memory::FD_BYTES;
        for slot in slots.iter().flatten() {
            self.rows[slot.description].refs += 1;
        }
        let copy = Files { refs: 1, slots, lowest, open, reserved: Vec::new() };
        FilesRow::spawn(&mut self.rows, id, copy)
    }

    fn share_context(&mut self, parent: TaskRow, share: bool) -> ContextRow {
        let context = self.rows[parent].context;
        if share {
            self.rows[context].refs += 1;
            return context;
        }
        let id = self.next_id();
        let mut copy = self.rows[context].clone();
        copy.refs = 1;
        self.fs.hold(copy.cwd);
        self.fs.hold(copy.root);
        ContextRow::spawn(&mut self.rows, id, copy)
    }

    fn share_handlers(&mut self, parent: TaskRow, flags: u64) -> HandlersRow {
        let handlers = self.rows[parent].handlers;
        if flags & CLONE_SIGHAND != 0 {
            self.rows[handlers].refs += 1;
            return handlers;
        }
        let copy = self.copy_handlers(handlers);
        if flags & CLONE_CLEAR_SIGHAND != 0 {
            self.rows[copy].reset_for_exec();
        }
        copy
    }

    /// A table with the same dispositions.
    fn copy_handlers(&mut self, handlers: HandlersRow) -> HandlersRow {
        let id = self.next_id();
        let from = &self.rows[handlers];
        let has_actions = !from.actions.is_empty();
        let copy = Handlers { refs: 1, ignored: from.ignored, ..Handlers::default() };
        let copy = HandlersRow::spawn(&mut self.rows, id, copy);
        if has_actions && let Some((from, to)) = self.rows.handlers_pair(handlers, copy) {
            // Actions are plain values: this is one move of memory.
            to.actions.extend_from_slice(&from.actions);
        }
        copy
    }

    /// Gives up one use of a context.
    pub(crate) fn drop_context(&mut self, context: ContextRow) {
        let shared = &mut self.rows[context];
        shared.refs -= 1;
        if shared.refs == 0 {
            let (cwd, root) = (shared.cwd, shared.root);
            self.fs.release(cwd);
            self.fs.release(root);
            context.remove(&mut self.rows);
        }
    }

    /// exit(2).
    pub(crate) fn exit(&mut self, task: TaskRow, status: i32) -> CallResult {
        self.end_thread(task, status as u8);
        Err(Stop::Ended)
    }

    /// exit_group(2).
    pub(crate) fn exit_group(&mut self, task: TaskRow, status: i32) -> CallResult {
        let process = self.rows[task].process;
        self.end_process(process, WaitStatus::Exited(status as u8));
        Err(Stop::Ended)
    }

    /// What execve(2) does to a process once its new program is sure.
    pub(crate) fn become_program(&mut self, task: TaskRow) {
        let process = self.rows[task].process;
        self.end_other_threads(task);
        // A table or dispositions shared with another process are unshared first.
        let files = self.rows[task].files;
        if self.rows[files].refs > 1 {
            let copy = self.copy_files(files);
            self.rows[files].refs -= 1;
            self.rows[task].files = copy;
        }
        let handlers = self.rows[task].handlers;
        if self.rows[handlers].refs > 1 {
            let copy = self.copy_handlers(handlers);
            self.rows[handlers].refs -= 1;
            self.rows[task].handlers = copy;
        }
        let handlers = self.rows[task].handlers;
        self.rows[handlers].reset_for_exec();
        self.drop_frames(task);
        self.rows[task].alt_stack = super::NO_ALT_STACK;
        self.rows[task].saved_mask = None;
        self.rows[process].did_exec = true;
        self.drop_timers(process, false);
        self.end_vfork(process);
        self.close_on_exec(task);
    }

    /// The other threads end; the one that calls execve(2) takes over the leader's number.
    fn end_other_threads(&mut self, task: TaskRow) {
        let process = self.rows[task].process;
        let (tid, pid) = (self.rows[task].tid, self.rows[process].pid);
        for other in self.rows[process].threads.clone() {
            if other == tid {
                continue;
            }
            if let Some(row) = self.pids.task(other) {
                let uid = self.end_task(row, WaitStatus::Exited(0));
                self.hand_children_on(process, other, tid, uid);
            }
        }
        self.own_all_children(process);
        self.rows[process].threads.clear();
        self.rows[process].threads.push(pid);
        if tid != pid {
            self.pids.change(tid, |entry| entry.task = None);
            self.pids.change(pid, |entry| entry.task = Some(task));
            self.rows[task].tid = pid;
            self.pidfd_gone(tid);
        }
    }

    /// The handlers of a program that is gone never return, nor do the calls below them.
    fn drop_frames(&mut self, task: TaskRow) {
        for frame in core::mem::take(&mut self.rows[task].frames) {
            self.unhold_bytes(memory::frame_bytes(frame.interrupted.as_ref()));
            if let Some(Interrupted::Again(wait) | Interrupted::AgainUnder(wait, _)) =
                frame.interrupted
            {
                self.forget_wait(&wait.on);
                self.let_go(task, &wait.on);
            }
        }
    }

    /// A process runs another file, or none any more.
    pub(crate) fn run_file(&mut self, process: ProcessRow, exe: Option<crate::fs::Place>) {
        if let Some(place) = exe {
            self.begin_run(place);
        }
        if let Some(old) = core::mem::replace(&mut self.rows[process].exe, exe) {
            self.end_run(old);
        }
    }

    fn begin_run(&mut self, place: crate::fs::Place) {
        self.fs.hold(place);
        self.fs.begin_run(place);
    }

    /// A process no longer runs a file.
    pub(crate) fn end_run(&mut self, place: crate::fs::Place) {
        self.fs.end_run(place);
        self.fs.release(place);
    }

    /// A limit of a process.
    pub(crate) fn limit(&self, process: ProcessRow, resource: u32) -> crate::abi::Rlimit {
        let limits: &Limits = match &self.rows[process].limits {
            Some(limits) => limits,
            None => &self.default_limits,
        };
        limits.0.get(resource as usize).copied().unwrap_or_default()
    }
}

fn copy_frame(frame: &Frame) -> Frame {
    Frame { mask: frame.mask, interrupted: None, announce: None }
}

/// The combinations that clone(2) refuses.
fn check_flags(flags: u64) -> Result<(), Errno> {
    let has = |flag: u64| flags & flag != 0;
    let bad = has(CLONE_THREAD) && !has(CLONE_SIGHAND)
        || has(CLONE_SIGHAND) && !has(CLONE_VM)
        || has(CLONE_NEWNS) && has(CLONE_FS)
        || has(CLONE_NEWUSER) && has(CLONE_FS)
        || has(CLONE_SIGHAND) && has(CLONE_CLEAR_SIGHAND)
        || has(CLONE_PIDFD) && has(CLONE_DETACHED)
        || has(CLONE_THREAD) && (has(CLONE_NEWUSER) || has(CLONE_NEWPID));
    if bad { Err(Errno::EINVAL) } else { Ok(()) }
}
