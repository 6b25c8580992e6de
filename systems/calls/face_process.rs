//! The face's family of processes: drivers and commands, spawn, ends, signals of drivers, groups
//! (`shared/contract/SEMANTICS.md`, sections 1, 2 and 14).
//!
//! A process here has no guest code that the kernel runs: a driver, outside, plays it. Calls name
//! the process that they are about; whether the driver owns it is asked before
//! ([`Kernel::face_owner`]). Made of the same tables and primitives as fork(2), execve(2), kill(2).

use crate::abi::credentials::CAP_FULL;
use crate::abi::flags::{S_IFDIR, S_IFMT};
use crate::abi::signal::SI_KERNEL;
use crate::abi::{Credentials, Errno, SigInfo, SigSet, Signal, WaitStatus};
use crate::components::{Context, Files, Handlers, Life, Pending, Process, ProcessText, Task};
use crate::event::{Answer, Call, HostAnswer, Payload, Question, Refusal};
use crate::face::{Policy, cwd_bytes};
use crate::face_proc_text::DEFAULT_CWD;
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{ContextRow, FilesRow, HandlersRow, ProcessRow, RowKind, TaskRow};
use crate::rules::{About, Rule};
use crate::tables::deadlines::Due;
use crate::tables::family::Club;
use crate::wire::Bytes;
use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Umask of every process of the face.
const UMASK: u32 = 0o022;
/// Longest first line of a script that names its interpreter.
const SHEBANG_BYTES: u64 = 256;
/// The directories whose files stand for registered commands.
const COMMAND_PLACES: [&[u8]; 3] = [b"/bin/", b"/usr/bin/", b"/usr/local/bin/"];
const COMMAND_TREE: &[u8] = b"/__secure_exec/commands/";
/// What is written for a registered command.
const STUB: &[u8] = b"#!/bin/sh\n# command of a driver\n";

/// The first of the calls on pseudo-terminals; those on sockets follow.
const FIRST_OF_PTYS: u32 = 65_567;

/// A step of making the files of commands.
enum Stub {
    Directory,
    File(Vec<u8>),
    Mode(Vec<u8>),
}

/// A process to be made.
struct Birth<'a> {
    requester: Option<&'a [u8]>,
    driver: Cow<'a, [u8]>,
    words: Vec<Bytes>,
    envp: &'a [&'a [u8]],
    cwd: &'a [u8],
    parent: u32,
}

impl Kernel {
    /// A call that no task makes.
    pub(crate) fn dispatch_face(&mut self, call: &Call<'_>) -> CallResult {
        if self.face.disposed && super::face_dispose::is_over(call) {
            return Err(Errno::EINVAL.into());
        }
        match *call {
            Call::FaceRegisterDriver { driver, ref commands } => self.register(driver, commands),
            Call::FaceSpawn { requester, command, ref args, ref envp, cwd, parent } => {
                let (driver, words) = self.resolve_command(command, args, cwd)?;
                let driver = Cow::Owned(driver.0);
                self.bear(Birth { requester, driver, words, envp, cwd, parent })
            }
            Call::FaceCreateProcess {
                requester,
                driver,
                command,
                ref args,
                ref envp,
                cwd,
                parent,
            } => {
                let words = words_of(command, args);
                let (requester, driver) = (Some(requester), Cow::Borrowed(driver));
                self.bear(Birth { requester, driver, words, envp, cwd, parent })
            }
            Call::FaceExit { target, status } => self.face_exit(target, status),
            Call::FaceSignal { driver, target, sig } => self.face_signal(driver, target, sig),
            Call::FaceWaitpid { target } => self.face_waitpid(target),
            Call::FaceSetpgid { driver, target, pgid } => self.face_setpgid(driver, target, pgid),
            Call::FaceOpen { target, path, flags, mode } => {
                self.face_open(target, path, flags, mode)
            }
            Call::FaceDispose {} => self.face_dispose(),
            Call::FacePolicy { files, commands, ref rules } => {
                self.set_policies(files, commands, rules)
            }
            ref other if other.number() >= FIRST_OF_PTYS => self.pty_call(other),
            ref other => self.file_call(0, other),
        }
    }

    /// Whether a driver owns a process.
    ///
    /// # Errors
    /// `ESRCH` for a number that no living process has, `EPERM` for another driver's.
    #[inline]
    pub fn face_owner(&self, driver: &str, pid: u32) -> Result<(), Errno> {
        let process = self.pids.process(pid).ok_or(Errno::ESRCH)?;
        let process = &self.rows[process];
        if process.life != Life::Alive {
            return Err(Errno::ESRCH);
        }
        let names = &self.face.names;
        let owns = |number: u32| number != 0 && names.name(number) == driver.as_bytes();
        if owns(process.driver) || owns(process.requester) { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// The task that makes a call of a process that is in another call, or stopped, where the
    /// profile lets it.
    #[cold]
    #[inline(never)]
    pub(crate) fn other_speaker(&mut self, tid: u32, why: Refusal) -> Option<TaskRow> {
        let first = self.pids.task(tid)?;
        let process = self.rows[first].process;
        match why {
            Refusal::Stopped if self.bends.stopped_may_call => {
                if self.rows[first].wait.is_none() {
                    return Some(first);
                }
            }
            Refusal::Blocked(_) if self.bends.calls_side_by_side => {}
            Refusal::Stopped | Refusal::Blocked(_) | Refusal::Gone | Refusal::Misplaced => {
                return None;
            }
        }
        let threads = self.rows[process].threads.iter();
        let idle = threads
            .filter_map(|tid| self.pids.task(*tid))
            .find(|row| self.rows[*row].wait.is_none() && !self.rows[*row].exited);
        if idle.is_some() {
            return idle;
        }
        if TaskRow::live(&self.rows) >= self.config.max_tasks {
            return None;
        }
        let number = self.pids.highest_free()?;
        Some(self.new_helper(first, number))
    }

    fn new_helper(&mut self, first: TaskRow, tid: u32) -> TaskRow {
        use crate::abi::flags::{CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM};
        let shared = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS;
        let row = self.new_thread(first, tid, shared);
        // Signals are the first task's business.
        self.rows[row].mask = SigSet::ALL.without(SigSet::UNSTOPPABLE);
        row
    }

    fn register(&mut self, driver: &[u8], commands: &[&[u8]]) -> CallResult {
        let valid = |name: &&[u8]| {
            !name.is_empty()
                && *name != b"."
                && *name != b".."
                && !name.iter().any(|byte| matches!(byte, b'/' | 0))
        };
        if !commands.iter().all(valid) {
            return Err(Errno::EINVAL.into());
        }
        self.list_commands(driver, commands);
        let mut stubs = Vec::new();
        let planned = self.plan_stubs(commands, &mut stubs);
        if let Err(stop @ Stop::Ask(_)) = planned {
            return Err(stop);
        }
        // What was allowed before a refusal is there.
        for stub in stubs {
            match &stub {
                Stub::Directory => {
                    let (path, how) = (&b"/bin"[..], 2);
                    self.raw(&Call::FsMkdir { raw: 1, target: 0, path, mode: None, how })?;
                }
                Stub::File(path) => {
                    let (data, mode) = (STUB, None);
                    self.raw(&Call::FsWrite { raw: 1, target: 0, path, data, mode, how: 0 })?;
                }
                Stub::Mode(path) => {
                    self.raw(&Call::FsChmod { raw: 1, path, mode: 0o755 })?;
                }
            }
        }
        planned.map(|()| Answer::default())
    }

    /// The registry is changed before the files are: it stays so if they are refused.
    fn list_commands(&mut self, driver: &[u8], commands: &[&[u8]]) {
        let number = self.face.names.hold(driver);
        if let Some(before) = self.face.registered.insert(Bytes(driver.to_vec()), number) {
            self.face.names.release(before);
        }
        for command in commands {
            let number = self.face.names.hold_again(number);
            if let Some(before) = self.face.commands.insert(Bytes(command.to_vec()), number) {
                self.face.names.release(before);
            }
        }
    }

    /// What is to be made for commands that have no file yet, as far as the policy allows it.
    fn plan_stubs(&mut self, commands: &[&[u8]], stubs: &mut Vec<Stub>) -> Result<(), Stop> {
        use super::face_files::operation::{CHMOD, EXISTS, MKDIR, WRITE};
        if commands.is_empty() {
            return Ok(());
        }
        let bin = self.checked_exists(b"/bin")?;
        if !bin {
            self.permit(MKDIR, b"/bin")?;
            stubs.push(Stub::Directory);
        }
        for command in commands {
            let path = [b"/bin/", *command].concat();
            let planned = |stub: &Stub| matches!(stub, Stub::File(file) if *file == path);
            if self.permit_quietly(EXISTS, &path)?
                && (stubs.iter().any(planned)
                    || self.raw(&Call::FsExists { raw: 1, path: &path })?.value != 0)
            {
                continue;
            }
            self.permit(WRITE, &path)?;
            stubs.push(Stub::File(path.clone()));
            // A mode that is refused is passed over.
            match self.permit_as_new(CHMOD, &path) {
                Ok(()) => stubs.push(Stub::Mode(path)),
                Err(Stop::Fail(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// Which driver runs a command, and its words (section 14).
    fn resolve_command(
        &mut self,
        command: &[u8],
        args: &[&[u8]],
        cwd: &[u8],
    ) -> Result<(Bytes, Vec<Bytes>), Stop> {
        if let Some(driver) = self.driver_of(command) {
            return Ok((driver, words_of(command, args)));
        }
        if !command.contains(&b'/') {
            return Err(Errno::ENOENT.into());
        }
        let path = super::face_files::normalize(&[cwd, b"/", command].concat(), command);
        self.permit(super::face_files::operation::STAT, &path)?;
        let answer = self.raw(&Call::FsStat { raw: 1, path: &path, follow: 1 })?;
        let Payload::Stat(stat) = answer.payload else { return Err(Errno::EIO.into()) };
        if stat.mode & S_IFMT == S_IFDIR || stat.mode & 0o111 == 0 {
            return Err(Errno::EACCES.into());
        }
        if let Some(name) = self.stands_for(&path)
            && let Some(driver) = self.driver_of(&name)
        {
            return Ok((driver, words_of(&name, args)));
        }
        self.resolve_script(&path, args)
    }

    fn driver_of(&self, command: &[u8]) -> Option<Bytes> {
        let number = self.face.commands.get(command)?;
        Some(Bytes(self.face.names.name(*number).to_vec()))
    }

    /// The registered command that a path stands for.
    fn stands_for(&self, path: &[u8]) -> Option<Vec<u8>> {
        let name = match COMMAND_PLACES.iter().find_map(|place| path.strip_prefix(*place)) {
            Some(name) if !name.contains(&b'/') => name,
            _ => path.strip_prefix(COMMAND_TREE)?.rsplit(|byte| *byte == b'/').next()?,
        };
        self.face.commands.contains_key(name).then(|| name.to_vec())
    }

    /// A script's interpreter, its words, the script and its arguments.
    fn resolve_script(&mut self, path: &[u8], args: &[&[u8]]) -> Result<(Bytes, Vec<Bytes>), Stop> {
        let count = SHEBANG_BYTES + 1;
        self.permit(super::face_files::operation::READ, path)?;
        let answer = self.raw(&Call::FsPread { raw: 1, path, count, offset: 0 })?;
        let Payload::Data(Bytes(head)) = answer.payload else { return Err(Errno::EIO.into()) };
        let end = head.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(head.len()) as u64 > SHEBANG_BYTES {
            return Err(Errno::ENOEXEC.into());
        }
        let line = head[..end.unwrap_or(head.len())].strip_prefix(b"#!").ok_or(Errno::ENOEXEC)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = core::str::from_utf8(line).map_err(|_| Errno::ENOEXEC)?;
        let mut words = self.words_of_shebang(line).into_iter();
        let mut interpreter = words.next().ok_or(Errno::ENOEXEC)?;
        if matches!(interpreter, b"/usr/bin/env" | b"/bin/env") {
            interpreter = words.next().ok_or(Errno::ENOENT)?;
        }
        let name = match self.stands_for(interpreter) {
            Some(name) => name,
            None => interpreter.to_vec(),
        };
        let driver = self.driver_of(&name).ok_or(Errno::ENOENT)?;
        let mut all = Vec::from([Bytes(name)]);
        all.extend(words.map(|word| Bytes(word.to_vec())));
        all.push(Bytes(path.to_vec()));
        all.extend(args.iter().map(|word| Bytes(word.to_vec())));
        Ok((driver, all))
    }

    /// The interpreter of a script's first line, and its words; on Linux what follows it is one.
    fn words_of_shebang<'l>(&self, line: &'l str) -> Vec<&'l [u8]> {
        if self.bends.shebangs_split {
            return line.split_whitespace().map(str::as_bytes).collect();
        }
        let (first, rest) = line.trim().split_once([' ', '\t']).unwrap_or((line.trim(), ""));
        let words = [first, rest.trim()].into_iter().filter(|word| !word.is_empty());
        words.map(str::as_bytes).collect()
    }

    fn bear(&mut self, birth: Birth<'_>) -> CallResult {
        let parent = self.owned_parent(&birth)?;
        let limits = &self.config.face.limits;
        let argv_bytes: u64 = birth.words.iter().map(|word| word.0.len() as u64 + 1).sum();
        // KEY=VALUE: one more than its own bytes is the contract's two a pair.
        let env_bytes: u64 = birth.envp.iter().map(|word| word.len() as u64 + 1).sum();
        if argv_bytes > limits.max_process_argv_bytes || env_bytes > limits.max_process_env_bytes {
            let invalid = self.bends.long_words_are_invalid;
            return Err(if invalid { Errno::EINVAL } else { Errno::E2BIG }.into());
        }
        self.permit_birth(&birth)?;
        let limits = &self.config.face.limits;
        let cwd = if birth.cwd == DEFAULT_CWD { 0 } else { cwd_bytes(birth.cwd) };
        let kept =
            cwd + argv_bytes + env_bytes + crate::memory::PROCESS_BYTES + crate::memory::TASK_BYTES;
        if ProcessRow::live(&self.rows) >= limits.max_processes
            || TaskRow::live(&self.rows) >= self.config.max_tasks
            || !self.has_memory(kept)
        {
            return Err(Errno::EAGAIN.into());
        }
        let parent_files = parent.and_then(|parent| self.files_of(parent));
        let count = parent_files.map_or(3, |files| u64::from(self.rows[files].open));
        if self.counters.open_fds.saturating_add(count) > limits.max_open_fds {
            return Err(Errno::ENFILE.into());
        }
        if parent_files.is_none() {
            self.room_for_descriptions(count, kept)?;
        }
        let pid = self.pids.next().ok_or(Errno::EAGAIN)?;
        self.make_process(birth, pid, parent, parent_files);
        Ok(Answer::value(i64::from(pid)))
    }

    /// The parent, if it is in the table; a zombie there passes on its group and session. One that
    /// nobody names for himself need not be there (section 2).
    fn owned_parent(&self, birth: &Birth<'_>) -> Result<Option<ProcessRow>, Errno> {
        if birth.parent == 0 {
            return Ok(None);
        }
        if let Some(requester) = birth.requester {
            let requester = core::str::from_utf8(requester).map_err(|_| Errno::EPERM)?;
            self.face_owner(requester, birth.parent)?;
        }
        Ok(self.pids.process(birth.parent))
    }

    fn first_task(&self, process: ProcessRow) -> Option<TaskRow> {
        if self.rows[process].life != Life::Alive {
            return None;
        }
        let first = self.rows[process].threads.first()?;
        self.pids.task(*first)
    }

    fn files_of(&self, process: ProcessRow) -> Option<FilesRow> {
        self.first_task(process).map(|task| self.rows[task].files)
    }

    fn permit_birth(&mut self, birth: &Birth<'_>) -> Result<(), Stop> {
        let command = birth.words.first().map_or(&[][..], |word| &word.0);
        match self.by_rules(About::Command, command) {
            Some(true) => return Ok(()),
            Some(false) => return Err(Errno::EACCES.into()),
            None => {}
        }
        match self.config.face.command_policy {
            Policy::Allow => return Ok(()),
            Policy::Deny => return Err(Errno::EACCES.into()),
            Policy::Ask => {}
        }
        let mut words = birth.words.clone();
        let operation = u32::try_from(words.len()).map_err(|_| Errno::EINVAL)?;
        words.extend(birth.envp.iter().map(|word| Bytes(word.to_vec())));
        let path = Bytes(birth.cwd.to_vec());
        let question = Question::Permission { subject: 1, operation, path, words };
        match self.ask(question)? {
            HostAnswer::Result(1) => Ok(()),
            HostAnswer::Error(errno) => Err(errno.into()),
            HostAnswer::Bytes(_)
            | HostAnswer::Result(_)
            | HostAnswer::Answer(_)
            | HostAnswer::Absent => Err(Errno::EACCES.into()),
        }
    }

    fn make_process(
        &mut self,
        birth: Birth<'_>,
        pid: u32,
        parent: Option<ProcessRow>,
        parent_files: Option<FilesRow>,
    ) {
        let (pgid, sid) = match parent {
            Some(parent) => (self.rows[parent].pgid, self.rows[parent].sid),
            None => (pid, pid),
        };
        let driver = self.face.names.hold(&birth.driver);
        let names = &mut self.face.names;
        let requester = birth.requester.map_or(0, |name| names.hold_beside(driver, name));
        let process = Process {
            driver,
            requester,
            did_exec: true,
            ..Process::new(pid, pgid, sid, self.uptime_ns())
        };
        let process = ProcessRow::spawn(&mut self.rows, u64::from(pid), process);
        self.pids.change(pid, |entry| entry.process = Some(process));
        let comm = birth.words.first().cloned().unwrap_or_default();
        let envp = birth.envp.iter().map(|word| Bytes(word.to_vec())).collect();
        let text = ProcessText { comm, argv: birth.words, envp };
        self.set_text(process, Arc::new(text));
        if birth.cwd != DEFAULT_CWD {
            self.face.cwds.insert(pid, Bytes(birth.cwd.to_vec()));
            self.counters.held_bytes += cwd_bytes(birth.cwd);
        }
        self.join(Club::Group, process, pgid);
        self.join(Club::Session, process, sid);
        if birth.parent != 0 {
            self.adopt(process, birth.parent);
        }
        let files = match parent_files {
            Some(files) => self.copy_files(files),
            None => {
                let id = self.next_id();
                FilesRow::spawn(&mut self.rows, id, Files { refs: 1, ..Files::default() })
            }
        };
        let task = self.make_task(pid, process, files);
        if !self.bends.births_start_afresh
            && let Some(first) = parent.and_then(|parent| self.first_task(parent))
        {
            self.rows[task].mask = self.rows[first].mask;
            let (own, parents) = (self.rows[task].context, self.rows[first].context);
            self.rows[own].umask = self.rows[parents].umask;
        }
        if parent_files.is_some() {
            self.close_on_exec(task);
        } else {
            self.open_streams(files);
        }
    }

    fn make_task(&mut self, tid: u32, process: ProcessRow, files: FilesRow) -> TaskRow {
        let root = self.fs.root();
        self.fs.hold(root);
        self.fs.hold(root);
        let ids = [self.next_id(), self.next_id()];
        let context = Context { refs: 1, cwd: root, root, umask: UMASK };
        let context = ContextRow::spawn(&mut self.rows, ids[0], context);
        let handlers = Handlers { refs: 1, ..Handlers::default() };
        let handlers = HandlersRow::spawn(&mut self.rows, ids[1], handlers);
        let task = Task {
            tid,
            process,
            files,
            context,
            handlers,
            mask: SigSet::EMPTY,
            saved_mask: None,
            pending: Pending::default(),
            frames: Vec::new(),
            wait: None,
            credentials: self.face_credentials(),
            alt_stack: super::NO_ALT_STACK,
            exited: false,
            over_nproc: false,
        };
        self.count_credentials(&task.credentials);
        let row = TaskRow::spawn(&mut self.rows, u64::from(tid), task);
        self.pids.change(tid, |entry| entry.task = Some(row));
        row
    }

    /// The configured user. Modes and owners restrict nothing (section 11): all capabilities.
    pub(crate) fn face_credentials(&self) -> Credentials {
        let [uid, euid, gid, egid] = self.config.face.ids;
        Credentials {
            uid,
            euid,
            suid: euid,
            fsuid: crate::fs::FACE_OWNER,
            gid,
            egid,
            sgid: egid,
            fsgid: crate::fs::FACE_OWNER,
            groups: self.config.face.groups.clone(),
            effective: CAP_FULL,
            permitted: CAP_FULL,
            bounding: CAP_FULL,
            ..Credentials::default()
        }
    }

    /// A driver says that a process has ended. A second time is passed over.
    fn face_exit(&mut self, target: u32, status: i32) -> CallResult {
        let process = self.pids.process(target).ok_or(Errno::ESRCH)?;
        if self.rows[process].life == Life::Alive {
            self.rows[process].exit_code = status;
            self.end_process(process, WaitStatus::Exited(status as u8));
        }
        Ok(Answer::default())
    }

    /// A zombie's deadline is armed. False while the machine is being disposed of: nobody is told
    /// then.
    pub(crate) fn stays(&mut self, process: ProcessRow) -> bool {
        if self.face.disposing {
            return false;
        }
        let ttl_ns = self.config.face.zombie_ttl_ns;
        if ttl_ns > 0 && self.rows[process].goes_ns == 0 {
            let goes_ns = self.now_ns.saturating_add(ttl_ns);
            if goes_ns <= self.now_ns {
                // The end of time: there is no later.
                return true;
            }
            let pid = self.rows[process].pid;
            self.rows[process].goes_ns = goes_ns;
            self.deadlines.add(goes_ns, Due::Zombie(pid));
        }
        true
    }

    /// The deadline of a zombie: it goes, or waits again while its parent lives.
    pub(crate) fn zombie_is_due(&mut self, pid: u32) {
        let Some(process) = self.pids.process(pid) else { return };
        self.rows[process].goes_ns = 0;
        let parent = self.pids.process(self.rows[process].parent);
        if parent.is_some_and(|parent| self.rows[parent].life == Life::Alive) {
            self.stays(process);
        } else {
            self.reap(process);
        }
    }

    fn face_signal(&mut self, driver: Option<&[u8]>, target: i32, sig: i32) -> CallResult {
        let signal = || match sig {
            0 => Ok(None),
            number => Signal::new(number).ok_or(Errno::EINVAL).map(Some),
        };
        if target > 0 {
            let process = self.pids.process(target as u32).ok_or(Errno::ESRCH)?;
            self.driver_signal(process, signal()?);
            return Ok(Answer::default());
        }
        let driver = driver.unwrap_or(&[]);
        if target == -1 && !self.bends.minus_one_is_a_group {
            return self.signal_all_of(driver, signal()?);
        }
        // -1 is the group 1 here, and 0 nothing.
        let members = self.members(Club::Group, target.unsigned_abs());
        let alive = members.iter().filter(|member| self.rows[**member].life == Life::Alive);
        for member in alive {
            if self.face.names.name(self.rows[*member].driver) != driver {
                return Err(Errno::EPERM.into());
            }
        }
        let signal = signal()?;
        // Zombies count.
        if members.is_empty() {
            return Err(Errno::ESRCH.into());
        }
        // Latest first in the list; the contract's table is in the order of pids.
        let mut members = members;
        members.sort_unstable_by_key(|member| self.rows[*member].pid);
        for member in members {
            self.driver_signal(member, signal);
        }
        Ok(Answer::default())
    }

    /// kill(2) of -1: every process that the sender may signal, which are those it plays.
    fn signal_all_of(&mut self, driver: &[u8], signal: Option<Signal>) -> CallResult {
        let mut own: Vec<ProcessRow> = ProcessRow::all(&self.rows)
            .into_iter()
            .map(|(_, process)| process)
            .filter(|process| self.face.names.name(self.rows[*process].driver) == driver)
            .collect();
        if own.is_empty() {
            return Err(Errno::ESRCH.into());
        }
        own.sort_unstable_by_key(|process| self.rows[*process].pid);
        for process in own {
            self.driver_signal(process, signal);
        }
        Ok(Answer::default())
    }

    pub(crate) fn driver_signal(&mut self, process: ProcessRow, signal: Option<Signal>) {
        let Some(signal) = signal else { return };
        if self.rows[process].life == Life::Alive {
            let signo = i32::from(signal.number());
            let info = SigInfo { signo, code: SI_KERNEL, ..SigInfo::default() };
            self.post(process, signal, info);
        }
    }

    /// waitpid and wait_and_reap: no parent is asked for. EAGAIN while it lives: whoever waits
    /// looks again when one ends.
    fn face_waitpid(&mut self, target: u32) -> CallResult {
        let process = self.pids.process(target).ok_or(Errno::ESRCH)?;
        if self.rows[process].life == Life::Alive {
            return Err(Errno::EAGAIN.into());
        }
        let code = self.rows[process].exit_code;
        self.reap(process);
        Ok(Answer { value: i64::from(target), payload: Payload::Change(0, code) })
    }

    /// No check of leaders or of programs that were executed (section 2, "Signals").
    fn face_setpgid(&mut self, driver: &[u8], target: u32, pgid: u32) -> CallResult {
        let process = self.pids.process(target).ok_or(Errno::ESRCH)?;
        let pgid = if pgid == 0 { target } else { pgid };
        if !self.bends.leaders_may_move && self.rows[process].sid == target {
            return Err(Errno::EPERM.into());
        }
        if pgid != target {
            self.may_join(driver, process, pgid)?;
        }
        if self.rows[process].pgid != pgid {
            self.leave(Club::Group, process);
            self.join(Club::Group, process, pgid);
        }
        Ok(Answer::default())
    }

    /// EPERM for a group without a living member, in another session, or whose first running member
    /// is another driver's.
    fn may_join(&self, driver: &[u8], process: ProcessRow, pgid: u32) -> Result<(), Errno> {
        let sid = self.rows[process].sid;
        let mut members = self.members(Club::Group, pgid);
        members.retain(|member| self.rows[*member].life == Life::Alive);
        members.sort_unstable_by_key(|member| self.rows[*member].pid);
        let elsewhere = members.iter().any(|member| self.rows[*member].sid != sid);
        let running = members.iter().find(|member| self.rows[**member].stopped.is_none());
        let foreign =
            running.is_some_and(|member| self.face.names.name(self.rows[*member].driver) != driver);
        if members.is_empty() || elsewhere || foreign { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// EINVAL for a number or a text that stands for none: then nothing changes.
    fn set_policies(&mut self, files: u32, commands: u32, rules: &[&[u8]]) -> CallResult {
        let policy = |number| match number {
            0 => Ok(Policy::Deny),
            1 => Ok(Policy::Allow),
            2 => Ok(Policy::Ask),
            _ => Err(Errno::EINVAL),
        };
        let (files, commands) = (policy(files)?, policy(commands)?);
        let rules: Option<Vec<Rule>> = rules.iter().map(|text| Rule::parse(text)).collect();
        self.face.rules = rules.ok_or(Errno::EINVAL)?;
        (self.config.face.file_policy, self.config.face.command_policy) = (files, commands);
        Ok(Answer::default())
    }
}

fn words_of(command: &[u8], args: &[&[u8]]) -> Vec<Bytes> {
    let mut words = Vec::with_capacity(args.len() + 1);
    words.push(Bytes(command.to_vec()));
    words.extend(args.iter().map(|word| Bytes(word.to_vec())));
    words
}
