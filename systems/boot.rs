//! The first state: what stands before the first event.
//!
//! Owns [`Kernel::new`] (the start of `tickernel drive`, CLI.md) and [`Kernel::boot`] (a root
//! process as a recording shows it). Everything later comes by events.

use crate::abi::flags::{O_LARGEFILE, O_RDWR};
use crate::abi::{Credentials, Errno, Rlimit, Timespec};
use crate::components::{
    Context, Files, Handlers, Limits, Pending, Process, ProcessText, Target, Task,
};
use crate::fs::{Fs, Place, Protected};
use crate::kernel::{Config, Counters, Kernel};
use crate::rows::{ContextRow, FilesRow, HandlersRow, ProcessRow, RowKind, Rows, TaskRow};
use crate::tables::family::Club;
use crate::tables::{Deadlines, PidTable};
use crate::wire::Bytes;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The first process.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Its pid.
    pub pid: u32,
    /// Its group.
    pub pgid: u32,
    /// Its session.
    pub sid: u32,
    /// What getppid(2) tells it: its parent is outside.
    pub ppid: u32,
    /// Whether it is init: orphans are its children, default actions do not touch it.
    pub is_init: bool,
    /// Who it is.
    pub credentials: Credentials,
    /// File mode creation mask.
    pub umask: u32,
    /// Absolute path of its working directory.
    pub cwd: Bytes,
    /// Ignored signals.
    pub ignored: crate::abi::SigSet,
    /// Blocked signals.
    pub mask: crate::abi::SigSet,
    /// Limits by `RLIMIT_*`.
    pub limits: [Rlimit; 16],
    /// Absolute path of the file that it runs; empty = none is known.
    pub exe: Bytes,
    /// Its texts.
    pub text: ProcessText,
    /// Its descriptors.
    pub fds: Vec<BootFd>,
    /// The number that was given last: the next task gets the one after.
    pub last_pid: u32,
}

/// A descriptor of the first process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFd {
    /// Its number.
    pub fd: u32,
    /// What it is open on.
    pub target: BootTarget,
    /// Access mode and status flags.
    pub flags: u32,
    /// Offset in bytes of its description.
    pub offset: u64,
    /// Close on exec.
    pub cloexec: bool,
}

/// What a descriptor of the first process is open on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootTarget {
    /// The file at this absolute path.
    Path(Bytes),
    /// An end of a pipe; the same number twice is the same pipe. Its other end may be outside.
    Pipe(u32),
    /// The same description as this descriptor, which stands before it in the list.
    Same(u32),
}

impl Default for Boot {
    /// Process 1 of `drive`: root, umask 0, cwd `/`, descriptors 0, 1, 2 on /dev/null.
    fn default() -> Self {
        let null = |fd| BootFd {
            fd,
            target: match fd {
                0 => BootTarget::Path(Bytes(b"/dev/null".to_vec())),
                _ => BootTarget::Same(0),
            },
            flags: O_RDWR | O_LARGEFILE,
            offset: 0,
            cloexec: false,
        };
        Self {
            pid: 1,
            pgid: 1,
            sid: 1,
            ppid: 0,
            is_init: true,
            credentials: Credentials::root(),
            umask: 0,
            cwd: Bytes(b"/".to_vec()),
            ignored: crate::abi::SigSet::EMPTY,
            mask: crate::abi::SigSet::EMPTY,
            limits: Limits::default().0,
            exe: Bytes::default(),
            text: ProcessText {
                comm: Bytes(b"init".to_vec()),
                argv: Vec::from([Bytes(b"init".to_vec())]),
                envp: Vec::new(),
            },
            fds: (0..3).map(null).collect(),
            last_pid: 1,
        }
    }
}

impl Kernel {
    /// The kernel of `tickernel drive`: process 1 as init in a small tree (CLI.md).
    pub fn new(config: Config) -> Kernel {
        let fs = Fs::new(Timespec::from_ns(config.start_ns));
        let mut kernel = Kernel::bare(config, fs);
        // The default process names only what `Fs::new` makes.
        kernel.start(&Boot::default()).unwrap_or(());
        kernel
    }

    /// A kernel with a given tree and first process.
    ///
    /// # Errors
    /// `ENOENT` and its like for a path that is not in the tree, `EINVAL` for numbers that cannot
    /// be.
    pub fn boot(config: Config, fs: Fs, boot: &Boot) -> Result<Kernel, Errno> {
        let mut kernel = Kernel::bare(config, fs);
        kernel.start(boot)?;
        Ok(kernel)
    }

    /// Sets the sysctls of proc_sys_fs(5) that restrict links, as boot scripts do before the first
    /// event.
    pub fn set_protected(&mut self, protected: Protected) {
        self.fs.set_protected(protected);
    }

    /// A kernel without any process.
    pub(crate) fn bare(config: Config, mut fs: Fs) -> Kernel {
        fs.set_capacity(config.max_file_bytes, config.max_inodes);
        Kernel {
            now_ns: config.start_ns,
            random: config.seed,
            bends: config.bends(),
            face: crate::face::Face::default(),
            config,
            rows: Rows::new(),
            pids: PidTable::default(),
            fs,
            deadlines: Deadlines::default(),
            fifos: BTreeMap::new(),
            blocked_calls: BTreeMap::new(),
            locks: BTreeMap::new(),
            record_locks: BTreeMap::new(),
            inotify: Default::default(),
            asking_sockets: Default::default(),
            hearers: Default::default(),
            timerfds: Default::default(),
            user_watches: Default::default(),
            pidfds: BTreeMap::new(),
            sockets: crate::tables::SocketNames::default(),
            flights: crate::calls::rights::Flights::default(),
            terminals: BTreeMap::new(),
            timers: crate::tables::timers::Timers::default(),
            tick: 0,
            counters: Counters::default(),
            default_limits: Limits::default(),
            init: 0,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            outbox: VecDeque::new(),
            spare_tables: Vec::new(),
            asking: None,
            answers: Vec::new(),
            answers_used: 0,
            changed: VecDeque::new(),
            signalled: VecDeque::new(),
            queued_signals: 0,
            user_tasks: Default::default(),
            user_signals: Default::default(),
            resuming: None,
            max_bytes: u64::MAX,
            read_timeout_ns: None,
            refusal: None,
            acted: None,
        }
    }

    /// A kernel for the face: no process yet, and a given tree or an empty one.
    pub fn for_face(config: Config, fs: Option<Fs>) -> Kernel {
        let now = Timespec::from_ns(config.start_ns);
        let fs = fs.unwrap_or_else(|| Fs::for_face(now));
        let most = config.face.limits.max_open_fds.min(1 << 20);
        let mut kernel = Kernel::bare(config, fs);
        let limit = Rlimit { cur: most, max: most };
        kernel.default_limits.0[crate::abi::flags::RLIMIT_NOFILE as usize] = limit;
        kernel
    }

    /// The tree of a kernel that has no process.
    pub fn into_fs(self) -> Fs {
        self.fs
    }

    /// The place at an absolute path, links followed.
    fn boot_place(&self, path: &[u8]) -> Result<Place, Errno> {
        self.fs.at_path(path)
    }

    fn start(&mut self, boot: &Boot) -> Result<(), Errno> {
        if !self.pids.is_free(boot.pid) || boot.pgid == 0 || boot.sid == 0 {
            return Err(Errno::EINVAL);
        }
        self.default_limits = Limits(boot.limits);
        let process = self.start_process(boot);
        if !boot.exe.0.is_empty() {
            let place = self.boot_place(&boot.exe.0)?;
            self.run_file(process, Some(place));
        }
        let task = self.start_task(boot, process)?;
        for fd in &boot.fds {
            self.start_fd(task, fd, boot)?;
        }
        self.pids.last = boot.last_pid;
        Ok(())
    }

    fn start_process(&mut self, boot: &Boot) -> ProcessRow {
        let process = Process {
            outside_parent: boot.ppid,
            did_exec: true,
            ..Process::new(boot.pid, boot.pgid, boot.sid, self.uptime_ns())
        };
        let row = ProcessRow::spawn(&mut self.rows, u64::from(boot.pid), process);
        self.pids.change(boot.pid, |entry| entry.process = Some(row));
        self.set_text(row, Arc::new(boot.text.clone()));
        self.join(Club::Group, row, boot.pgid);
        self.join(Club::Session, row, boot.sid);
        if boot.is_init {
            self.init = boot.pid;
        }
        row
    }

    fn start_task(&mut self, boot: &Boot, process: ProcessRow) -> Result<TaskRow, Errno> {
        let (cwd, root) = (self.boot_place(&boot.cwd.0)?, self.fs.root());
        self.fs.hold(cwd);
        self.fs.hold(root);
        let id = self.next_id();
        let context = Context { refs: 1, cwd, root, umask: boot.umask };
        let context = ContextRow::spawn(&mut self.rows, id, context);
        let id = self.next_id();
        let files = FilesRow::spawn(&mut self.rows, id, Files { refs: 1, ..Files::default() });
        let id = self.next_id();
        let handlers = Handlers { refs: 1, ignored: boot.ignored, ..Handlers::default() };
        let handlers = HandlersRow::spawn(&mut self.rows, id, handlers);
        let task = Task {
            tid: boot.pid,
            process,
            files,
            context,
            handlers,
            mask: boot.mask,
            saved_mask: None,
            pending: Pending::default(),
            frames: Vec::new(),
            wait: None,
            credentials: boot.credentials.clone(),
            alt_stack: crate::calls::NO_ALT_STACK,
            exited: false,
            over_nproc: false,
        };
        self.count_credentials(&boot.credentials);
        let row = TaskRow::spawn(&mut self.rows, u64::from(boot.pid), task);
        self.pids.change(boot.pid, |entry| entry.task = Some(row));
        Ok(row)
    }

    fn start_fd(&mut self, task: TaskRow, fd: &BootFd, boot: &Boot) -> Result<(), Errno> {
        if self.fd(task, fd.fd as i32).is_ok() || fd.fd >= 1 << 20 {
            return Err(Errno::EINVAL);
        }
        let description = match &fd.target {
            BootTarget::Path(path) => {
                let place = self.boot_place(&path.0)?;
                self.fs.hold(place);
                let description = self.describe(Target::File(place), fd.flags)?;
                self.rows[description].offset = fd.offset;
                description
            }
            BootTarget::Same(other) => {
                let slot = self.fd(task, *other as i32)?;
                self.rows[slot.description].refs += 1;
                slot.description
            }
            BootTarget::Pipe(number) => self.start_pipe(task, *number, fd, boot)?,
        };
        self.install(task, fd.fd, description, fd.cloexec);
        Ok(())
    }

    /// An end of a pipe of the first process. An end that is nowhere in its list is held outside:
    /// the pipe counts one user there for ever.
    fn start_pipe(
        &mut self,
        task: TaskRow,
        number: u32,
        fd: &BootFd,
        boot: &Boot,
    ) -> Result<crate::rows::DescriptionRow, Errno> {
        let earlier = boot.fds.iter().take_while(|other| other.fd != fd.fd);
        let known =
            earlier.filter(|other| other.target == BootTarget::Pipe(number)).find_map(|other| {
                let row = self.fd(task, other.fd as i32).ok()?.description;
                match self.rows[row].target {
                    Target::Pipe(pipe, _) => Some(pipe),
                    Target::File(_) | Target::Socket(_) | Target::Object(_) => None,
                }
            });
        let pipe = match known {
            Some(pipe) => pipe,
            None => {
                let who = (boot.credentials.fsuid, boot.credentials.fsgid);
                let pipe = self.new_pipe(who.0, who.1, 0);
                let ends = boot.fds.iter().filter(|other| other.target == fd.target);
                let access = |wanted: u32| {
                    move |other: &BootFd| other.flags & crate::abi::flags::O_ACCMODE == wanted
                };
                let (mut read, mut write) = (false, false);
                for end in ends {
                    read |= access(0)(end) || access(2)(end);
                    write |= access(1)(end) || access(2)(end);
                }
                let state = &mut self.rows[pipe];
                (state.readers, state.writers) = (u32::from(!read), u32::from(!write));
                (state.reader_opens, state.writer_opens) = (1, 1);
                pipe
            }
        };
        let access = fd.flags & crate::abi::flags::O_ACCMODE;
        self.rows[pipe].readers += u32::from(access != 1);
        self.rows[pipe].writers += u32::from(access != 0);
        self.describe(Target::Pipe(pipe, None), fd.flags)
    }

    /// The file system, to look at.
    pub const fn fs(&self) -> &Fs {
        &self.fs
    }
}
