//! The place where workers live: namespaces(7) of their own, a file system that holds only /dev,
//! /proc and /tmp, and process 1 of a fresh pid namespace. Everything is gone with the coordinator:
//! mounts are private to the namespace, the temporary directory is removed, and process 1 dies with
//! its parent (PR_SET_PDEATHSIG), and with it all others.
//!
//! The coordinator stays in the mount namespace (to stage programs, `exec.rs`) on a hidden tmpfs
//! that lies *under* the workers' root, as the boot file system lies under `/`: no `..` and no
//! chroot leads there. It is outside of the pid namespace, so it takes no pid there.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::guardian;
use crate::shared;
use crate::task::Deaths;

/// What the workers' root directory lies on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RootKind {
    /// A directory below the temporary directory, whatever that lies on.
    Directory,
    /// A tmpfs.
    Tmpfs,
}

/// What stays over all sandboxes.
pub(crate) struct Host {
    mount_namespace: OwnedFd,
    temporary: PathBuf,
    kind: RootKind,
    prefix: String,
    made: u32,
    real_time: bool,
    _guardian: OwnedFd,
}

/// One sandbox with its process 1.
pub(crate) struct Sandbox {
    init: libc::pid_t,
    base: PathBuf,
    /// The workers' root directory (O_PATH).
    pub(crate) root: OwnedFd,
    /// The /proc of the workers' pid namespace.
    pub(crate) proc: OwnedFd,
    /// The file that holds the worker's image (O_PATH), on the hidden tmpfs.
    pub(crate) image: OwnedFd,
    /// The order in which its tasks end.
    pub(crate) deaths: Deaths,
    /// A nameless file that is open for writing on the machine's own file system: no program can
    /// make that read-only for all (mount(2), MS_REMOUNT: EBUSY).
    _writer: File,
}

impl Sandbox {
    /// Process 1, as the coordinator's pid namespace numbers it.
    pub(crate) fn init(&self) -> libc::pid_t {
        self.init
    }

    /// The descriptors of a task and what they lead to.
    pub(crate) fn descriptors(&self, tid: i32) -> io::Result<Vec<(i32, String)>> {
        let directory =
            open_at(&self.proc, &format!("{tid}/fd"), libc::O_RDONLY | libc::O_DIRECTORY)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))? {
            let path = entry?.path();
            let fd = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let (Some(fd), Ok(target)) = (fd, fs::read_link(&path)) {
                found.push((fd, target.to_string_lossy().into_owned()));
            }
        }
        Ok(found)
    }
}

impl Host {
    /// Leaves the namespaces of the caller for those that all sandboxes share.
    pub(crate) fn new(temporary: PathBuf, kind: RootKind, real_time: bool) -> io::Result<Self> {
        let mount_namespace = File::open("/proc/self/ns/mnt")?.into();
        let prefix = format!("host-twin.{}.", std::process::id());
        let guardian = guardian::start(&temporary, &prefix)?;
        let flags =
            libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET | libc::CLONE_NEWNS;
        // SAFETY: plain system call; this program has one thread.
        check(unsafe { libc::unshare(flags) })?;
        raise_loopback();
        stay_on_one_processor();
        let real_time = real_time && set_fifo(1);
        let (made, _guardian) = (0, guardian);
        Ok(Self { mount_namespace, temporary, kind, prefix, made, real_time, _guardian })
    }

    /// A new directory in the temporary directory, also where one of a killed twin was left.
    fn make_base(&mut self) -> io::Result<PathBuf> {
        loop {
            self.made += 1;
            let base = self.temporary.join(format!("{}{}", self.prefix, self.made));
            match fs::DirBuilder::new().mode(0o700).create(&base) {
                Ok(()) => return Ok(base),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A fresh sandbox whose process 1 runs `image` and takes the slot that the shared header
    /// names.
    pub(crate) fn sandbox(&mut self, image: &[u8]) -> io::Result<Sandbox> {
        // SAFETY: plain system calls on a descriptor of our own; this program has one thread.
        unsafe {
            check(libc::setns(self.mount_namespace.as_raw_fd(), libc::CLONE_NEWNS))?;
            check(libc::unshare(libc::CLONE_NEWNS))?;
        }
        mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "")?;
        if keeps_connections() {
            // SAFETY: plain system call; this program has one thread.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
            raise_loopback();
        }
        let base = self.make_base()?;
        let made = self.build(&base, image);
        if made.is_err() {
            self.leave(&base);
        }
        made
    }

    fn build(&self, base: &Path, image: &[u8]) -> io::Result<Sandbox> {
        let under = base.join("under");
        let mut nameless = File::options();
        let writer = nameless.write(true).custom_flags(libc::O_TMPFILE).open(base)?;
        for path in [&under, &base.join("root")] {
            make_directory(path, 0o755)?;
        }
        mount("tmpfs", &under, "tmpfs", 0, "mode=0755")?;
        for name in ["proc", "new", "old"] {
            make_directory(&under.join(name), 0o755)?;
        }
        mount("proc", under.join("proc"), "proc", 0, "")?;
        match self.kind {
            RootKind::Directory => {
                mount(base.join("root"), under.join("new"), "", libc::MS_BIND, "")?
            }
            RootKind::Tmpfs => mount("tmpfs", under.join("new"), "tmpfs", 0, "mode=0755")?,
        }
        fill_root(&under.join("new"))?;
        fs::write(under.join("image"), image)?;
        fs::set_permissions(under.join("image"), fs::Permissions::from_mode(0o755))?;
        let root = switch_root(&under)?;
        let image = open_path("/image")?;
        let deaths = Deaths::new()?;
        let init = self.start_init(&root, &image)?;
        let proc = open_at(&root, "proc", libc::O_RDONLY | libc::O_DIRECTORY);
        let sandbox = |proc| Sandbox {
            init,
            base: base.to_owned(),
            root,
            proc,
            image,
            deaths,
            _writer: writer,
        };
        match proc {
            Ok(proc) => Ok(sandbox(proc)),
            Err(error) => {
                kill_and_reap(init);
                Err(error)
            }
        }
    }

    /// Starts process 1; returns when it waits in its slot.
    fn start_init(&self, root: &OwnedFd, image: &OwnedFd) -> io::Result<libc::pid_t> {
        let seen = shared::event_count();
        // SAFETY: a fork in a program with one thread; the child only makes system calls and execs.
        let pid = unsafe {
            libc::syscall(libc::SYS_clone, libc::CLONE_NEWPID | libc::SIGCHLD, 0, 0, 0, 0) as i32
        };
        check(pid)?;
        if pid == 0 {
            let _ = init(root, image, self.real_time);
            // SAFETY: ends the child, which shares nothing that needs dropping.
            unsafe { libc::_exit(126) };
        }
        while shared::event_count() == seen {
            shared::wait_for_event(seen, 20_000);
            let mut status = 0;
            // SAFETY: waits for our own child.
            if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
                return Err(io::Error::other(format!("process 1 could not start: {status:#x}")));
            }
        }
        Ok(pid)
    }

    /// Ends a sandbox: its processes, its mounts, its directory.
    pub(crate) fn end(&self, sandbox: Sandbox) {
        kill_and_reap(sandbox.init);
        let base = sandbox.base.clone();
        drop(sandbox);
        self.leave(&base);
    }

    fn leave(&self, base: &Path) {
        // SAFETY: plain system call on a descriptor of our own; back to where `base` is a path.
        unsafe { libc::setns(self.mount_namespace.as_raw_fd(), libc::CLONE_NEWNS) };
        if let Err(error) = fs::remove_dir_all(base) {
            eprintln!("host-twin: {} is not removed: {error}", base.display());
        }
    }
}

/// In the child: what process 1 is before it serves. It never returns if all goes well.
fn init(root: &OwnedFd, image: &OwnedFd, real_time: bool) -> io::Result<()> {
    // SAFETY: plain system calls in a child of one thread.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        check(libc::fchdir(root.as_raw_fd()))?;
        check(libc::chroot(c".".as_ptr()))?;
        check(libc::chdir(c"/".as_ptr()))?;
        libc::umask(0);
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setsid())?;
        if real_time {
            set_fifo(2);
        }
    }
    mount("proc", "/proc", "proc", 0, "")?;
    for path in ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"] {
        if Path::new(path).exists() {
            mount(path, path, "", libc::MS_BIND, "")?;
            mount("none", path, "", libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY, "")?;
        }
    }
    set_limits();
    // SAFETY: as above. Descriptors 0, 1, 2 become one description of /dev/null, all others end
    // with the exec.
    unsafe {
        for signal in 1..=64 {
            if signal != libc::SIGKILL && signal != libc::SIGSTOP && signal != 32 && signal != 33 {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        let null = check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC))?;
        for fd in 0..3 {
            check(libc::dup2(null, fd))?;
        }
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        let argv = [c"init".as_ptr(), std::ptr::null()];
        let envp = [std::ptr::null::<libc::c_char>()];
        libc::syscall(
            libc::SYS_execveat,
            image.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Err(io::Error::last_os_error())
}

/// The limits of process 1 that the kernel's own init starts with, as far as they can be had.
fn set_limits() {
    for (resource, cur, max) in [(libc::RLIMIT_NOFILE, 1024, 4096), (libc::RLIMIT_CORE, 0, 0)] {
        let limit = libc::rlimit { rlim_cur: cur, rlim_max: max };
        // SAFETY: plain system call.
        unsafe { libc::setrlimit(resource, &raw const limit) };
    }
}

/// What the workers see: /dev with its usual nodes, /proc (mounted by process 1), /tmp.
fn fill_root(new: &Path) -> io::Result<()> {
    fs::set_permissions(new, fs::Permissions::from_mode(0o755))?;
    for (name, mode) in [("dev", 0o755), ("proc", 0o755), ("tmp", 0o1777)] {
        make_directory(&new.join(name), mode)?;
    }
    let dev = new.join("dev");
    mount("tmpfs", &dev, "tmpfs", libc::MS_NOSUID, "mode=0755")?;
    let nodes = [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ];
    for (name, major, minor) in nodes {
        let path = c_path(&dev.join(name))?;
        // SAFETY: plain system calls with a path that lives long enough.
        unsafe {
            check(libc::mknod(path.as_ptr(), libc::S_IFCHR, libc::makedev(major, minor)))?;
            check(libc::chmod(path.as_ptr(), 0o666))?;
        }
    }
    let links = [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")];
    for (name, rest) in links {
        symlink(format!("/proc/self/fd{rest}"), dev.join(name))?;
    }
    make_directory(&dev.join("pts"), 0o755)?;
    mount("devpts", dev.join("pts"), "devpts", 0, "newinstance,ptmxmode=0666,mode=0620")?;
    symlink("pts/ptmx", dev.join("ptmx"))?;
    make_directory(&dev.join("shm"), 0o1777)
}

/// Makes `under` the namespace's root and moves `under/new` on top of it. The caller's own root
/// stays `under`.
fn switch_root(under: &Path) -> io::Result<OwnedFd> {
    let old = c_path(&under.join("old"))?;
    let under = c_path(under)?;
    // SAFETY: plain system calls with paths that live long enough.
    unsafe {
        check(libc::chdir(under.as_ptr()))?;
        check(libc::syscall(libc::SYS_pivot_root, under.as_ptr(), old.as_ptr()) as i32)?;
        check(libc::chdir(c"/".as_ptr()))?;
        check(libc::umount2(c"/old".as_ptr(), libc::MNT_DETACH))?;
        check(libc::chdir(c"/new".as_ptr()))?;
    }
    mount(".", "/", "", libc::MS_MOVE, "")?;
    let root = open_path(".")?;
    // SAFETY: plain system call.
    unsafe { check(libc::chdir(c"/".as_ptr()))? };
    Ok(root)
}

/// Keeps this program and all workers on one processor. At a real-time priority, process 1 puts the
/// workers one above the coordinator: then no worker is ready to run while the coordinator runs,
/// and workers go on in the order in which they are woken.
fn stay_on_one_processor() {
    // SAFETY: plain system calls; a failure is no harm, it only makes more looking necessary.
    unsafe {
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        let here = libc::sched_getcpu();
        if here >= 0 {
            libc::CPU_SET(here as usize, &mut one);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const one);
        }
    }
}

fn set_fifo(priority: i32) -> bool {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: plain system call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) == 0 }
}

/// Whether the network namespace still has TCP's connections: tcp(7) keeps a port in TIME_WAIT for
/// a minute, and who binds it in the next sandbox would be refused. What cannot be read is not
/// known to be clean.
fn keeps_connections() -> bool {
    let count = |file: &str, words: [&str; 2]| {
        let text = fs::read_to_string(format!("/proc/self/net/{file}")).ok()?;
        let line = text.lines().find(|line| line.starts_with(words[0]))?;
        line.split_whitespace().skip_while(|word| *word != words[1]).nth(1)?.parse::<u64>().ok()
    };
    [
        ("sockstat", ["TCP:", "inuse"]),
        ("sockstat", ["TCP:", "tw"]),
        ("sockstat6", ["TCP6:", "inuse"]),
    ]
    .into_iter()
    .any(|(file, words)| count(file, words) != Some(0))
}

/// Sets the loopback interface of the network namespace up, for sockets on 127.0.0.1.
fn raise_loopback() {
    // SAFETY: plain system calls on a socket of our own and a zeroed request; a failure only means
    // no loopback.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
        libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request);
        libc::close(socket);
    }
}

fn kill_and_reap(pid: libc::pid_t) {
    // SAFETY: the process is our own child and not yet reaped, so the pid is no other's.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        let mut status = 0;
        while libc::waitpid(pid, &raw mut status, 0) < 0
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
    }
}

fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn open_path(path: &str) -> io::Result<OwnedFd> {
    Ok(fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?.into())
}

/// openat(2) with close-on-exec.
pub(crate) fn open_at(directory: &OwnedFd, path: &str, flags: i32) -> io::Result<OwnedFd> {
    let path = CString::new(path)?;
    // SAFETY: plain system call with a path that lives long enough; the descriptor is new and ours.
    unsafe {
        let fd = libc::openat(directory.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC);
        Ok(OwnedFd::from_raw_fd(check(fd)?))
    }
}

fn mount(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    kind: &str,
    flags: libc::c_ulong,
    data: &str,
) -> io::Result<()> {
    let (source, target) = (c_path(source.as_ref())?, c_path(target.as_ref())?);
    let (kind, data) = (CString::new(kind)?, CString::new(data)?);
    // SAFETY: plain system call with strings that live long enough.
    let result = unsafe {
        let data = data.as_ptr().cast();
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data)
    };
    check(result).map(drop).map_err(|error| {
        let target = target.to_string_lossy();
        io::Error::new(error.kind(), format!("mount of {kind:?} on {target}: {error}"))
    })
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_encoded_bytes())?)
}

/// The result of a system call, or its errno.
pub(crate) fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
