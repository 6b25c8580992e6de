//! Runs a program on one of the two kernels, whichever `super::api` is, and tells of each step what
//! could be seen: the result, what the callbacks were asked, and the machine's state afterwards.

use super::api;
use super::convert::*;
use crate::book::{Book, Kind, normalized};
use crate::program::*;
use crate::seen::{Seen, data_text};
use api::command_registry::CommandDriver;
use api::kernel::{
    ExecOptions, KernelError, KernelProcessHandle, KernelVm, KernelVmConfig, SpawnOptions,
    VirtualProcessOptions, WaitPidFlags,
};
use api::poll::{POLLIN, POLLOUT, PollEvents, PollFd};
use api::process_table::{ProcessInfo, ProcessStatus, SigmaskHow, SignalSet};
use api::vfs::{MemoryFileSystem, VirtualFileSystem};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What lies below the machines: the tree itself, or a table of mounts over it.
#[cfg(not(feature = "mounts"))]
type Root = MemoryFileSystem;
#[cfg(feature = "mounts")]
type Root = api::mount_table::MountTable;

#[cfg(not(feature = "mounts"))]
fn root_of(files: MemoryFileSystem) -> Root {
    files
}
#[cfg(feature = "mounts")]
fn root_of(files: MemoryFileSystem) -> Root {
    Root::new(files)
}

type Vm = KernelVm<Root>;
pub(super) type Told<T> = Result<T, KernelError>;
pub(super) type Log = Arc<Mutex<Vec<String>>>;

pub(super) const O_NONBLOCK: u32 = 0o4000;
pub(super) const F_DUPFD: u32 = 0;
pub(super) const F_SETFD: u32 = 2;
pub(super) const F_SETFL: u32 = 4;
/// A time-out that is one in both kernels.
pub(super) const MOMENT: Duration = Duration::from_millis(1);

/// Runs a program; `watch` is told of each step before it is taken. A panic of the kernel is the
/// last thing seen of it, and no more is asked of it then.
pub fn run(program: &Program, mut watch: impl FnMut(usize)) -> Vec<Seen> {
    let mut runner = Runner::new(&program.setup);
    let mut seen = vec![runner.look("start".to_owned())];
    for at in 0..=program.ops.len() {
        watch(at);
        let step = catch_unwind(AssertUnwindSafe(|| {
            let result = match program.ops.get(at) {
                Some(op) => runner.act(op),
                None => runner.tree(),
            };
            runner.look(result)
        }));
        match step {
            Ok(step) => seen.push(step),
            Err(_) => {
                seen.push(Seen::panic());
                // Its end would panic too.
                drop(catch_unwind(AssertUnwindSafe(|| drop(runner))));
                return seen;
            }
        }
    }
    runner.quieten();
    seen
}

pub(super) struct Runner {
    pub(super) vm: Vm,
    guarded: bool,
    handles: BTreeMap<Proc, KernelProcessHandle>,
    pub(super) book: Book,
    log: Log,
    pub(super) tags: Vec<&'static str>,
    /// Ids of pipes as they were first seen.
    pub(super) ids: Vec<String>,
    /// The number of the socket made last.
    pub(super) last_socket: u64,
}

impl Runner {
    fn new(setup: &Setup) -> Self {
        let log = Log::default();
        let mut config = KernelVmConfig::new("peer");
        config.permissions = permissions(&setup.policy, &log);
        config.env = setup.env.iter().cloned().collect();
        config.resources = limits(&setup.limits);
        if let Some((uid, gid)) = setup.ids {
            config.user.uid = Some(uid);
            config.user.gid = Some(gid);
            config.user.supplementary_gids = vec![7, gid, 9];
        }
        config.dns.overrides.insert(
            "over.test".to_owned(),
            vec!["10.0.0.7".parse().unwrap(), "::7".parse().unwrap()],
        );
        super::tune(&mut config);
        let mut files = MemoryFileSystem::new();
        if setup.guarded {
            files.mkdir("/etc/agentos", true).unwrap();
            files.write_file("/etc/agentos/conf", b"conf".to_vec()).unwrap();
            files.link("/etc/agentos/conf", "/halias").unwrap();
            files.symlink("/etc/agentos", "/la").unwrap();
        }
        Self {
            vm: KernelVm::new(root_of(files), config),
            guarded: setup.guarded,
            handles: BTreeMap::new(),
            book: Book::default(),
            log,
            tags: Vec::new(),
            ids: Vec::new(),
            last_socket: 0,
        }
    }

    /// What can be seen after a step.
    fn look(&mut self, result: String) -> Seen {
        let log = std::mem::take(&mut *self.log.lock().unwrap());
        let processes: Vec<String> = self.vm.list_processes().values().map(process_text).collect();
        let signals: Vec<String> = self
            .handles
            .values()
            .map(|handle| format!("{}:{:?}", handle.pid(), handle.kill_signals()))
            .collect();
        let after = vec![
            format!("{:?}", self.vm.resource_snapshot()),
            format!("{:?}, {} zombie timers", self.vm.state(), self.vm.zombie_timer_count()),
            format!("processes [{}]", processes.join("; ")),
            format!("kill_signals {}", signals.join(" ")),
        ];
        Seen { result, log, after, tags: std::mem::take(&mut self.tags) }
    }

    pub(super) fn driver(&self, who: Who, at: Proc) -> String {
        match who {
            Who::Name(name) => name.to_owned(),
            Who::Own => {
                let process = self.book.processes.get(&at);
                process.map_or_else(|| "nobody".to_owned(), |process| process.driver.clone())
            }
        }
    }

    pub(super) fn pid(&self, at: Proc) -> u32 {
        self.book.processes.get(&at).map_or(999, |process| process.pid)
    }

    fn status(&self, pid: u32) -> Option<ProcessStatus> {
        self.vm.list_processes().get(&pid).map(|info| info.status)
    }

    fn act(&mut self, op: &Op) -> String {
        if self.guarded {
            self.tags.push("guarded");
        }
        if format!("{op:?}").contains("\"/proc") {
            self.tags.push("proc");
        }
        if self.any_stopped() {
            self.tags.push("stopped");
        }
        if self.book.holds_stale() {
            self.tags.push("held");
        }
        match op {
            Op::Register(driver, commands) => {
                let driver = CommandDriver::new(*driver, commands.iter().copied());
                let done = self.vm.register_driver(driver);
                self.same_stubs();
                told(done)
            }
            Op::Spawn(..) | Op::Exec(..) | Op::Create(..) => self.bear(op),
            Op::Finish(at, code) => self.by_handle(*at, |handle| {
                handle.finish(*code);
                String::new()
            }),
            Op::HandleKill(at, signal) => {
                if self.rests(self.pid(*at), *signal) {
                    return "skipped: a signal to a stopped process".to_owned();
                }
                self.by_handle(*at, |handle| {
                    handle.kill(*signal);
                    String::new()
                })
            }
            Op::HandleWait(at) => {
                self.by_handle(*at, |handle| format!("{:?}", handle.wait(Duration::ZERO)))
            }
            Op::Waitpid(at) | Op::WaitAndReap(at) => self.wait(*at, op),
            Op::Signal(who, target, signal) => self.signal(*who, *target, *signal),
            Op::OnSocket(who, at, recent, own) => self.on_socket(*who, *at, *recent, own),
            Op::Shell(at, command) => self.shell(*at, command),
            Op::Resolve(name, checks) => self.resolve(name, *checks),
            Op::Of(who, at, own) => self.of(*who, *at, own),
            Op::OnFd(who, at, fd, own) => self.on_fd(*who, *at, *fd, own),
            Op::File(own) => self.file(own),
            Op::OwnFile(who, at, own) => self.own_file(*who, *at, own),
            Op::Getpwuid(uid) => told(self.vm.getpwuid(*uid)),
            Op::Getgrgid(gid) => told(self.vm.getgrgid(*gid)),
            Op::Commands => format!("{:?}", self.vm.commands()),
            Op::Dispose => {
                self.quieten();
                told(self.vm.dispose())
            }
        }
    }

    /// The calls that make a process.
    fn bear(&mut self, op: &Op) -> String {
        match op {
            Op::Spawn(at, birth) => {
                let options = SpawnOptions {
                    requester_driver: birth.requester.map(str::to_owned),
                    parent_pid: birth.parent.map(|parent| self.pid(parent)),
                    env: birth.env.iter().cloned().collect(),
                    cwd: birth.cwd.clone(),
                };
                let made = self.vm.spawn_process(&birth.command, birth.args.clone(), options);
                self.born(*at, birth.parent, made)
            }
            Op::Exec(at, birth) => {
                let options = ExecOptions {
                    requester_driver: birth.requester.map(str::to_owned),
                    parent_pid: birth.parent.map(|parent| self.pid(parent)),
                    env: birth.env.iter().cloned().collect(),
                    cwd: birth.cwd.clone(),
                };
                let made = self.vm.exec(&birth.command, options);
                self.born(*at, birth.parent, made)
            }
            Op::Create(at, driver, birth) => {
                let options = VirtualProcessOptions {
                    parent_pid: birth.parent.map(|parent| self.pid(parent)),
                    env: birth.env.iter().cloned().collect(),
                    cwd: birth.cwd.clone(),
                };
                let (requester, args) = (birth.requester.unwrap_or(driver), birth.args.clone());
                let made = self.vm.create_virtual_process(
                    requester,
                    driver,
                    &birth.command,
                    args,
                    options,
                );
                self.born(*at, birth.parent, made)
            }
            _ => String::new(),
        }
    }

    /// The file of a command has a comment, which each kernel words for itself.
    fn same_stubs(&mut self) {
        let files = self.vm.filesystem_mut().inner_mut().inner_mut();
        for name in files.read_dir("/bin").unwrap_or_default() {
            let path = format!("/bin/{name}");
            let text = files.read_file(&path).unwrap_or_default();
            let lines = text.split(|byte| *byte == b'\n').count();
            if text.starts_with(b"#!/bin/sh\n#") && lines == 3 {
                drop(files.write_file(&path, b"#!/bin/sh\n# a command\n".to_vec()));
            }
        }
    }

    fn any_stopped(&self) -> bool {
        let mut processes = self.vm.list_processes().into_values();
        processes.any(|info| info.status == ProcessStatus::Stopped)
    }

    fn by_handle(&self, at: Proc, act: impl FnOnce(&KernelProcessHandle) -> String) -> String {
        self.handles.get(&at).map_or_else(|| "no handle".to_owned(), act)
    }

    pub(super) fn born(
        &mut self,
        at: Proc,
        parent: Option<Proc>,
        made: Told<KernelProcessHandle>,
    ) -> String {
        let handle = match made {
            Ok(handle) => handle,
            Err(error) => return error_text(&error),
        };
        let (pid, driver) = (handle.pid(), handle.driver().to_owned());
        // A dead parent has no descriptors to give.
        let parent = parent.filter(|parent| {
            self.status(self.pid(*parent)).is_some_and(|status| status != ProcessStatus::Exited)
        });
        let closed = self.book.born(at, pid, &driver, parent);
        for fd in closed {
            // Closed by us already, shared by the origin.
            drop(self.vm.fd_close(&driver, pid, fd));
        }
        self.handles.insert(at, handle);
        format!("{pid} of {driver}")
    }

    /// Whether a signal would reach a stopped process, where the two do not agree.
    pub(super) fn rests(&self, pid: u32, signal: i32) -> bool {
        self.status(pid) == Some(ProcessStatus::Stopped) && !matches!(signal, 0 | 9 | 18)
    }

    fn wait(&mut self, at: Proc, op: &Op) -> String {
        let pid = self.pid(at);
        if self.status(pid).is_some_and(|status| status != ProcessStatus::Exited) {
            return "skipped: it would wait".to_owned();
        }
        match op {
            Op::Waitpid(_) => told(self.vm.waitpid(pid)),
            _ => told(self.vm.wait_and_reap(pid)),
        }
    }

    fn signal(&mut self, who: Who, target: i32, signal: i32) -> String {
        let stopped = self.vm.list_processes().into_values().any(|info| {
            info.status == ProcessStatus::Stopped
                && (info.pid as i32 == target || info.pgid as i32 == target.wrapping_neg())
        });
        if stopped && !matches!(signal, 0 | 9 | 18) {
            return "skipped: a signal to a stopped process".to_owned();
        }
        if self.vm.list_processes().into_values().any(|info| {
            info.status == ProcessStatus::Exited && info.pgid as i32 == target.wrapping_neg()
        }) {
            self.tags.push("zombie-in-group");
        }
        let driver = match who {
            Who::Name(name) => name,
            Who::Own => "a",
        };
        told(self.vm.signal_process(driver, target, signal))
    }

    fn of(&mut self, who: Who, at: Proc, op: &ProcOp) -> String {
        let (driver, pid) = (self.driver(who, at), self.pid(at));
        let driver = driver.as_str();
        match op {
            ProcOp::Exit(code) => told(self.vm.exit_process(driver, pid, *code)),
            ProcOp::WaitOptions(target, flags) => self.wait_options(driver, pid, *target, *flags),
            ProcOp::Open(slot, path, flags, mode) => {
                let opened = self.vm.fd_open(driver, pid, path, *flags, *mode);
                let kind = match normalized(path).strip_prefix("/dev/") {
                    Some(_) => Kind::Device,
                    None => Kind::File,
                };
                match opened {
                    Ok(fd) => {
                        let nonblock = flags & O_NONBLOCK != 0;
                        let path = normalized(path);
                        let new = self.book.describe(kind, flags & 3, &path, nonblock);
                        self.book.install(at, *slot, fd, new);
                        "a descriptor".to_owned()
                    }
                    Err(error) => error_text(&error),
                }
            }
            ProcOp::Pipe(read, write) => match self.vm.open_pipe(driver, pid) {
                Ok(numbers) => {
                    self.book.pipe(at, (*read, *write), numbers);
                    "a pipe".to_owned()
                }
                Err(error) => error_text(&error),
            },
            ProcOp::Pty(master, slave) => self.pty(driver, at, pid, (*master, *slave)),
            ProcOp::Socket(family, datagrams) => self.socket(driver, pid, *family, *datagrams),
            ProcOp::PollTargets(fds, sockets) => self.poll_targets(driver, at, pid, fds, sockets),
            ProcOp::Stdin(length) => {
                if self.is_stale(at, Fd::Slot(0)) || self.tag_access(at, Fd::Slot(0), 1) {
                    return "skipped: stdin".to_owned();
                }
                let read = self.vm.read_process_stdin(driver, pid, *length, Some(MOMENT));
                self.drained(at, Fd::Slot(0), read.as_ref().ok().and_then(Option::as_ref));
                told_data(read)
            }
            ProcOp::Stdout(data) | ProcOp::Stderr(data) => {
                let fd = if matches!(op, ProcOp::Stdout(_)) { 1 } else { 2 };
                if let Some(why) = self.must_not_write(at, Fd::Slot(fd), data.1) {
                    return why;
                }
                let bytes = data.bytes();
                let wrote = if fd == 1 {
                    self.vm.write_process_stdout(driver, pid, &bytes)
                } else {
                    self.vm.write_process_stderr(driver, pid, &bytes)
                };
                self.filled(at, Fd::Slot(fd), wrote.as_ref().ok());
                told(wrote)
            }
            ProcOp::Poll(fds) => self.poll(driver, at, pid, fds),
            ProcOp::DevFdDir => match self.vm.dev_fd_read_dir(driver, pid) {
                Ok(names) => {
                    let known = self.book.processes.get(&at).map_or(0, |own| own.fds.len());
                    let numbers: Vec<u32> = names.iter().filter_map(|n| n.parse().ok()).collect();
                    let sorted = numbers.is_sorted() && numbers.len() == names.len();
                    format!("{} names, {known} known, ascending: {sorted}", names.len())
                }
                Err(error) => error_text(&error),
            },
            other => self.of_signals(driver, pid, other),
        }
    }

    fn of_signals(&mut self, driver: &str, pid: u32, op: &ProcOp) -> String {
        let vm = &mut self.vm;
        match op {
            ProcOp::Kill(signal) => {
                if self.rests(pid, *signal) {
                    return "skipped: a signal to a stopped process".to_owned();
                }
                told(self.vm.kill_process(driver, pid, *signal))
            }
            ProcOp::Setpgid(pgid) => told(vm.setpgid(driver, pid, *pgid)),
            ProcOp::Getpgid => told(vm.getpgid(driver, pid)),
            ProcOp::Getpid => told(vm.getpid(driver, pid)),
            ProcOp::Getppid => told(vm.getppid(driver, pid)),
            ProcOp::Setsid => told(vm.setsid(driver, pid)),
            ProcOp::Getsid => told(vm.getsid(driver, pid)),
            ProcOp::Sigprocmask(how, signals) => {
                if self.rests(pid, -1) {
                    return "skipped: a mask of a stopped process".to_owned();
                }
                let how = match how {
                    0 => SigmaskHow::Block,
                    1 => SigmaskHow::Unblock,
                    _ => SigmaskHow::SetMask,
                };
                let mut set = SignalSet::empty();
                for signal in signals {
                    if let Err(error) = set.insert(*signal) {
                        return format!("set {}", error.code());
                    }
                }
                told(self.vm.sigprocmask(driver, pid, how, set).map(SignalSet::signals))
            }
            ProcOp::Sigpending => told(vm.sigpending(driver, pid).map(SignalSet::signals)),
            ProcOp::Umask(mask) => told(vm.umask(driver, pid, *mask)),
            ProcOp::Identity => told(vm.process_identity(driver, pid)),
            ProcOp::Groups => told(vm.getgroups(driver, pid)),
            other => unreachable!("{other:?}"),
        }
    }

    fn wait_options(&mut self, driver: &str, pid: u32, target: i32, flags: u32) -> String {
        let processes = self.vm.list_processes();
        let pgid = processes.get(&pid).map_or(0, |info| info.pgid);
        let children: Vec<&ProcessInfo> = processes
            .values()
            .filter(|info| {
                info.ppid == pid
                    && match target {
                        -1 => true,
                        0 => info.pgid == pgid,
                        target if target < 0 => info.pgid == target.unsigned_abs(),
                        target => info.pid == target as u32,
                    }
            })
            .collect();
        let over = children.iter().any(|info| info.status == ProcessStatus::Exited);
        let mut options = WaitPidFlags::empty();
        if flags & 1 != 0 || !(over || children.is_empty()) {
            options |= WaitPidFlags::WNOHANG;
        }
        if flags & 2 != 0 {
            options |= WaitPidFlags::WUNTRACED;
        }
        if flags & 4 != 0 {
            options |= WaitPidFlags::WCONTINUED;
        }
        told(self.vm.waitpid_with_options(driver, pid, target, options))
    }

    fn poll(&mut self, driver: &str, at: Proc, pid: u32, asked: &[(Fd, u16)]) -> String {
        let mut fds = Vec::new();
        for (fd, bits) in asked {
            if self.is_stale(at, *fd) {
                return "skipped: the path means another thing".to_owned();
            }
            let mut events = PollEvents::empty();
            for (bit, event) in [(1, POLLIN), (4, POLLOUT)] {
                if bits & bit != 0 {
                    events |= event;
                }
            }
            fds.push(PollFd::new(self.book.number(at, *fd), events));
        }
        match self.vm.poll_fds(driver, pid, fds, 0) {
            Ok(result) => {
                let revents: Vec<u16> = result.fds.iter().map(|fd| fd.revents.bits()).collect();
                format!("{} ready {revents:?}", result.ready_count)
            }
            Err(error) => error_text(&error),
        }
    }

    fn file(&mut self, op: &FileOp) -> String {
        let vm = &mut self.vm;
        match op {
            FileOp::Read(path) => told_data(vm.read_file(path).map(Some)),
            FileOp::Pread(path, offset, length) => {
                told_data(vm.pread_file(path, *offset, *length).map(Some))
            }
            FileOp::Write(path, data) => told(vm.write_file(path, data.bytes())),
            FileOp::CreateDir(path) => told(vm.create_dir(path)),
            FileOp::Mkdir(path, recursive) => told(vm.mkdir(path, *recursive)),
            FileOp::Exists(path) => told(vm.exists(path)),
            FileOp::Stat(path) => told_stat(vm.stat(path)),
            FileOp::Lstat(path) => told_stat(vm.lstat(path)),
            FileOp::ReadLink(path) => told(vm.read_link(path)),
            FileOp::Realpath(path) => told(vm.realpath(path)),
            FileOp::ReadDir(path) => told(vm.read_dir(path)),
            FileOp::RemoveFile(path) => {
                let done = vm.remove_file(path);
                self.moved(done, &[path])
            }
            FileOp::RemoveDir(path) => {
                let done = vm.remove_dir(path);
                self.moved(done, &[path])
            }
            FileOp::Rename(old, new) => {
                let done = vm.rename(old, new);
                self.moved(done, &[old, new])
            }
            FileOp::Symlink(target, path) => told(vm.symlink(target, path)),
            FileOp::Link(old, new) => told(vm.link(old, new)),
            FileOp::Chmod(path, mode) => told(vm.chmod(path, *mode)),
            FileOp::Chown(path, uid, gid) => told(vm.chown(path, *uid, *gid)),
            FileOp::Utimes(path, atime, mtime) => told(vm.utimes(path, *atime, *mtime)),
            FileOp::UtimesSpec(path, atime, mtime) => {
                told(vm.utimes_spec(path, time(*atime), time(*mtime)))
            }
            FileOp::Lutimes(path, atime, mtime) => {
                told(vm.lutimes(path, time(*atime), time(*mtime)))
            }
            FileOp::Truncate(path, length) => told(vm.truncate(path, *length)),
        }
    }

    fn moved(&mut self, done: Told<()>, paths: &[&str]) -> String {
        if done.is_ok() {
            for path in paths {
                self.book.moved(path);
            }
        }
        told(done)
    }

    fn own_file(&mut self, who: Who, at: Proc, op: &OwnFileOp) -> String {
        let (driver, pid) = (self.driver(who, at), self.pid(at));
        let (vm, driver) = (&mut self.vm, driver.as_str());
        match op {
            OwnFileOp::Read(path) => {
                told_data(vm.read_file_for_process(driver, pid, path).map(Some))
            }
            OwnFileOp::Write(path, data, mode) => {
                told(vm.write_file_for_process(driver, pid, path, data.bytes(), *mode))
            }
            OwnFileOp::CreateDir(path, mode) => {
                told(vm.create_dir_for_process(driver, pid, path, *mode))
            }
            OwnFileOp::Mkdir(path, recursive, mode) => {
                told(vm.mkdir_for_process(driver, pid, path, *recursive, *mode))
            }
            OwnFileOp::Exists(path) => told(vm.exists_for_process(driver, pid, path)),
            OwnFileOp::Stat(path) => told_stat(vm.stat_for_process(driver, pid, path)),
            OwnFileOp::Lstat(path) => told_stat(vm.lstat_for_process(driver, pid, path)),
            OwnFileOp::ReadLink(path) => told(vm.read_link_for_process(driver, pid, path)),
            OwnFileOp::Realpath(path) => told(vm.realpath_for_process(driver, pid, path)),
            OwnFileOp::ReadDir(path) => told(vm.read_dir_for_process(driver, pid, path)),
        }
    }

    /// The whole tree as the file system itself tells it.
    fn tree(&mut self) -> String {
        let files = self.vm.filesystem_mut().inner_mut().inner_mut();
        let mut lines = Vec::new();
        let mut todo = vec!["/".to_owned()];
        while let Some(path) = todo.pop() {
            let stat = match files.lstat(&path) {
                Ok(stat) => stat,
                Err(error) => {
                    lines.push(format!("{path} {}", error.code()));
                    continue;
                }
            };
            let content = if stat.is_directory {
                let names = files.read_dir(&path).unwrap_or_default();
                let top = if path == "/" { "" } else { &path };
                todo.extend(names.iter().map(|name| format!("{top}/{name}")));
                format!("{names:?}")
            } else if stat.is_symbolic_link {
                files.read_link(&path).unwrap_or_default()
            } else {
                data_text(&files.read_file(&path).unwrap_or_default())
            };
            lines.push(format!("{path} {} {content}", stat_text(&stat, false)));
        }
        lines.sort();
        lines.join("\n")
    }

    /// Nothing is blocked and nothing stopped: what `dispose` does next takes no time.
    fn quieten(&mut self) {
        for process in self.book.processes.values() {
            let (driver, pid) = (process.driver.as_str(), process.pid);
            let vm = &self.vm;
            drop(vm.signal_process(driver, pid as i32, 18));
            drop(vm.sigprocmask(driver, pid, SigmaskHow::SetMask, SignalSet::empty()));
        }
    }
}
