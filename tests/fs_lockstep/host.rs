//! The host's side: the calls themselves, in a root directory of their own.

use super::Answer;
use super::program::{Op, SLOTS, USERS};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use tickernel_systems::fs::{Protected, VolumeKind};

/// The calling thread, which has left the process's root and identity behind.
pub(crate) struct Host {
    base: PathBuf,
    case: PathBuf,
    outside: OwnedFd,
    proc_fds: OwnedFd,
    slots: [Option<i32>; SLOTS as usize],
    protected: Protected,
}

fn sysctl(name: &str) -> u32 {
    let text = std::fs::read_to_string(format!("/proc/sys/fs/{name}")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn c(path: &[u8]) -> CString {
    CString::new(path).expect("no NUL in generated paths")
}

fn value(result: i64) -> Answer {
    if result < 0 { Answer::Error(errno()) } else { Answer::Value(result) }
}

/// A raw call: the C library would change all threads' identity.
fn identity(number: libc::c_long, ids: [i64; 3]) {
    let result = unsafe { libc::syscall(number, ids[0], ids[1], ids[2]) };
    assert_eq!(result, 0, "changing identity as root");
}

impl Host {
    /// Prepares the calling thread; `None`, with a note, where the host cannot be compared with.
    pub(crate) fn new(directory: &str) -> Option<(Host, VolumeKind)> {
        let mut info: libc::statfs = unsafe { std::mem::zeroed() };
        unsafe { libc::statfs(c(directory.as_bytes()).as_ptr(), &mut info) };
        let kind = match info.f_type {
            0xef53 => VolumeKind::Ext4,
            0x0102_1994 => VolumeKind::Tmpfs,
            other => {
                eprintln!("skipped: {directory} is neither ext4 nor tmpfs ({other:#x})");
                return None;
            }
        };
        if unsafe { libc::geteuid() } != 0 || unsafe { libc::unshare(libc::CLONE_FS) } != 0 {
            eprintln!("skipped: needs root");
            return None;
        }
        let open = |path: &str| OwnedFd::from(std::fs::File::open(path).expect(path));
        let base = PathBuf::from(directory).join(format!(
            "tickernel-lockstep-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&base).expect("a temporary directory");
        unsafe { libc::umask(0) };
        let host = Host {
            base: base.clone(),
            case: base,
            outside: open("/"),
            proc_fds: open("/proc/self/fd"),
            slots: [None; SLOTS as usize],
            protected: Protected {
                hardlinks: sysctl("protected_hardlinks") > 0,
                symlinks: sysctl("protected_symlinks") > 0,
                regular: sysctl("protected_regular") as u8,
                fifos: sysctl("protected_fifos") as u8,
            },
        };
        Some((host, kind))
    }

    pub(crate) fn protected(&self) -> Protected {
        self.protected
    }

    /// Makes an empty directory and calls it the root.
    pub(crate) fn enter(&mut self) {
        self.case = self.base.join("case");
        std::fs::create_dir(&self.case).expect("the directory of a case");
        std::os::unix::fs::chroot(&self.case).expect("chroot as root");
        std::env::set_current_dir("/").expect("the new root");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions("/", mode).expect("chmod of the new root");
    }

    /// Goes back to the real root and removes everything.
    pub(crate) fn leave(&mut self) {
        self.switch(0);
        for slot in 0..SLOTS {
            self.close(slot);
        }
        unsafe { libc::fchdir(self.outside.as_raw_fd()) };
        std::os::unix::fs::chroot(".").expect("chroot back");
        std::fs::remove_dir_all(&self.case).expect("removing a case");
    }

    fn switch(&mut self, user: u8) {
        let (uid, gid, groups) = USERS[user as usize];
        let keep = -1i64;
        identity(libc::SYS_setresuid, [keep, 0, keep]);
        identity(libc::SYS_setgroups, [groups.len() as i64, groups.as_ptr() as i64, 0]);
        identity(libc::SYS_setresgid, [keep, i64::from(gid), keep]);
        identity(libc::SYS_setresuid, [keep, i64::from(uid), keep]);
    }

    fn close(&mut self, slot: u8) {
        if let Some(fd) = self.slots[slot as usize].take() {
            unsafe { libc::close(fd) };
        }
    }

    /// Closes what the model does not open: a FIFO, a device.
    pub(crate) fn forget(&mut self, op: &Op) {
        if let Op::Open { slot, .. } | Op::OpenAt { slot, .. } = op {
            self.close(*slot);
        }
    }

    fn fd(&self, slot: u8) -> i32 {
        self.slots[slot as usize].unwrap_or(-1)
    }

    fn open(&mut self, slot: u8, from: i32, path: &[u8], flags: u32, mode: u32) -> Answer {
        let flags = flags as i32 | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let fd = unsafe { libc::openat(from, c(path).as_ptr(), flags, mode) };
        if fd < 0 {
            return Answer::Error(errno());
        }
        self.close(slot);
        self.slots[slot as usize] = Some(fd);
        Answer::Value(0)
    }

    pub(crate) fn perform(&mut self, op: &Op) -> Answer {
        match op {
            Op::Become(user) => {
                self.switch(*user);
                Answer::Value(0)
            }
            Op::Open { slot, path, flags, mode } => {
                self.open(*slot, libc::AT_FDCWD, path, *flags, *mode)
            }
            Op::OpenAt { slot, from, path, flags, mode } => {
                self.open(*slot, self.fd(*from), path, *flags, *mode)
            }
            Op::Close(slot) => {
                self.close(*slot);
                Answer::Value(0)
            }
            Op::Write { .. } | Op::Read { .. } | Op::Ftruncate { .. } | Op::Truncate { .. } => {
                self.contents(op)
            }
            Op::Seek { slot, offset, hole } => {
                let whence = if *hole { libc::SEEK_HOLE } else { libc::SEEK_DATA };
                value(unsafe { libc::lseek(self.fd(*slot), *offset as i64, whence) })
            }
            Op::Stat { .. } | Op::Fstat(_) | Op::Readlink(_) | Op::List(_) => self.ask(op),
            Op::Getcwd | Op::FdPath(_) => self.ask(op),
            Op::Setxattr { .. } | Op::Getxattr { .. } | Op::Removexattr { .. } => xattr(op),
            _ => value(self.change(op)),
        }
    }

    fn contents(&self, op: &Op) -> Answer {
        unsafe {
            match op {
                Op::Write { slot, offset, count } => {
                    let data = super::model::bytes_of(*offset, *count);
                    let data_at = data.as_ptr().cast();
                    value(libc::pwrite(self.fd(*slot), data_at, data.len(), *offset as i64) as i64)
                }
                Op::Read { slot, offset, count } => {
                    let mut data = vec![0u8; usize::from(*count)];
                    let data_at = data.as_mut_ptr().cast();
                    let got = libc::pread(self.fd(*slot), data_at, data.len(), *offset as i64);
                    if got < 0 {
                        return Answer::Error(errno());
                    }
                    data.truncate(got as usize);
                    Answer::Bytes(data)
                }
                Op::Ftruncate { slot, size } => {
                    value(libc::ftruncate(self.fd(*slot), *size as i64).into())
                }
                Op::Truncate { path, size } => {
                    value(libc::truncate(c(path).as_ptr(), *size as i64).into())
                }
                _ => unreachable!("chosen by the caller"),
            }
        }
    }

    fn ask(&self, op: &Op) -> Answer {
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        match op {
            Op::Stat { path, follow } => {
                let flags = if *follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
                let path = c(path);
                match unsafe { libc::fstatat(libc::AT_FDCWD, path.as_ptr(), &mut stat, flags) } {
                    0 => stat_answer(&stat),
                    _ => Answer::Error(errno()),
                }
            }
            Op::Fstat(slot) => match unsafe { libc::fstat(self.fd(*slot), &mut stat) } {
                0 => stat_answer(&stat),
                _ => Answer::Error(errno()),
            },
            Op::Readlink(path) => bytes(|buffer, room| unsafe {
                libc::readlink(c(path).as_ptr(), buffer.cast(), room) as i64
            }),
            Op::FdPath(slot) => match self.slots[*slot as usize] {
                None => Answer::Error(libc::EBADF),
                Some(fd) => bytes(|buffer, room| unsafe {
                    let name = c(fd.to_string().as_bytes());
                    libc::readlinkat(self.proc_fds.as_raw_fd(), name.as_ptr(), buffer.cast(), room)
                        as i64
                }),
            },
            Op::Getcwd => {
                match bytes(|buffer, room| unsafe { libc::syscall(libc::SYS_getcwd, buffer, room) })
                {
                    Answer::Bytes(mut path) => {
                        path.pop();
                        Answer::Bytes(path)
                    }
                    other => other,
                }
            }
            Op::List(path) => list(path),
            _ => unreachable!("chosen by the caller"),
        }
    }

    fn change(&self, op: &Op) -> i64 {
        let cwd = libc::AT_FDCWD;
        let nofollow = |follow: bool| if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
        unsafe {
            i64::from(match op {
                Op::Mkdir { path, mode } => libc::mkdir(c(path).as_ptr(), *mode),
                Op::Mknod { path, mode } => {
                    libc::mknod(c(path).as_ptr(), *mode, libc::makedev(1, 3))
                }
                Op::Symlink { target, path } => libc::symlink(c(target).as_ptr(), c(path).as_ptr()),
                Op::Link { old, new, follow } => {
                    let flags = if *follow { libc::AT_SYMLINK_FOLLOW } else { 0 };
                    libc::linkat(cwd, c(old).as_ptr(), cwd, c(new).as_ptr(), flags)
                }
                Op::Unlink(path) => libc::unlink(c(path).as_ptr()),
                Op::Rmdir(path) => libc::rmdir(c(path).as_ptr()),
                Op::Rename { old, new, flags } => {
                    let (old, new) = (c(old), c(new));
                    let call = libc::SYS_renameat2;
                    return libc::syscall(call, cwd, old.as_ptr(), cwd, new.as_ptr(), *flags);
                }
                Op::Chmod { path, mode, follow } => {
                    const SYS_FCHMODAT2: i64 = 452;
                    let path = c(path);
                    let flags = nofollow(*follow);
                    return libc::syscall(SYS_FCHMODAT2, cwd, path.as_ptr(), *mode, flags);
                }
                Op::Chown { path, uid, gid, follow } => {
                    libc::fchownat(cwd, c(path).as_ptr(), *uid, *gid, nofollow(*follow))
                }
                Op::Fchmod { slot, mode } => libc::fchmod(self.fd(*slot), *mode),
                Op::Utimes { path, times } => {
                    let times = times.map(|(tv_sec, tv_nsec)| libc::timespec { tv_sec, tv_nsec });
                    libc::utimensat(cwd, c(path).as_ptr(), times.as_ptr(), 0)
                }
                Op::Touch(path) => libc::utimensat(cwd, c(path).as_ptr(), std::ptr::null(), 0),
                Op::Access { path, mode } => {
                    let path = c(path);
                    let (call, flags) = (libc::SYS_faccessat2, libc::AT_EACCESS);
                    return libc::syscall(call, cwd, path.as_ptr(), *mode, flags);
                }
                Op::Chdir(path) => libc::chdir(c(path).as_ptr()),
                Op::Fchdir(slot) => libc::fchdir(self.fd(*slot)),
                _ => unreachable!("chosen by the caller"),
            })
        }
    }

    fn paths(&mut self) -> Vec<Vec<u8>> {
        let mut paths: Vec<_> = self.tree().into_iter().map(|found| found.0).collect();
        paths.push(b"/".to_vec());
        paths
    }

    /// Sets the access and modification times of everything.
    pub(crate) fn age(&mut self, (tv_sec, tv_nsec): (i64, i64)) {
        let times = [libc::timespec { tv_sec, tv_nsec }; 2];
        for path in self.paths() {
            let (path, flags) = (c(&path), libc::AT_SYMLINK_NOFOLLOW);
            let set =
                unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), flags) };
            assert_eq!(set, 0, "root may set times");
        }
    }

    /// Every path with its access, modification and change time. Listing changes access times, so
    /// the paths must be known.
    pub(crate) fn times<'p>(
        &mut self,
        paths: impl Iterator<Item = &'p Vec<u8>>,
    ) -> BTreeMap<Vec<u8>, [(i64, i64); 3]> {
        let stamps = paths.map(|path| {
            let mut stat: libc::stat = unsafe { std::mem::zeroed() };
            let got = unsafe { libc::lstat(c(path).as_ptr(), &mut stat) };
            assert_eq!(got, 0, "the host has {:?}", path.escape_ascii().to_string());
            let times = [
                (stat.st_atime, stat.st_atime_nsec),
                (stat.st_mtime, stat.st_mtime_nsec),
                (stat.st_ctime, stat.st_ctime_nsec),
            ];
            (path.clone(), times)
        });
        stamps.collect()
    }

    /// Every path below the root with its stat, and which paths are the same inode.
    pub(crate) fn tree(&mut self) -> Vec<(Vec<u8>, Answer, Vec<u8>)> {
        use std::os::unix::ffi::OsStringExt;
        self.switch(0);
        let mut found: Vec<(Vec<u8>, Answer, u64)> = Vec::new();
        let mut open = vec![PathBuf::from("/")];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(&directory).expect("a directory as root") {
                let path = entry.expect("an entry").path();
                let bytes = path.clone().into_os_string().into_vec();
                let mut stat: libc::stat = unsafe { std::mem::zeroed() };
                unsafe { libc::lstat(c(&bytes).as_ptr(), &mut stat) };
                if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
                    open.push(path);
                }
                found.push((bytes, stat_answer(&stat), stat.st_ino));
            }
        }
        super::model::by_first_name(found)
    }
}

fn stat_answer(stat: &libc::stat) -> Answer {
    let size = (stat.st_mode & libc::S_IFMT != libc::S_IFDIR).then_some(stat.st_size as u64);
    let numbers = [
        u64::from(stat.st_mode),
        stat.st_nlink,
        stat.st_uid.into(),
        stat.st_gid.into(),
        stat.st_rdev,
    ];
    Answer::Stat(numbers, size)
}

fn bytes(call: impl Fn(*mut u8, usize) -> i64) -> Answer {
    let mut buffer = vec![0u8; 8192];
    let got = call(buffer.as_mut_ptr(), buffer.len());
    if got < 0 {
        return Answer::Error(errno());
    }
    buffer.truncate(got as usize);
    Answer::Bytes(buffer)
}

fn list(path: &[u8]) -> Answer {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let fd = unsafe { libc::open(c(path).as_ptr(), flags) };
    if fd < 0 {
        return Answer::Error(errno());
    }
    let mut names = Vec::new();
    let mut buffer = vec![0u8; 65536];
    let outcome = loop {
        let (at, room) = (buffer.as_mut_ptr(), buffer.len());
        let got = unsafe { libc::syscall(libc::SYS_getdents64, fd, at, room) };
        if got <= 0 {
            break if got < 0 { Answer::Error(errno()) } else { Answer::Names(Vec::new()) };
        }
        let mut rest = &buffer[..got as usize];
        while rest.len() > 19 {
            let length = usize::from(u16::from_le_bytes([rest[16], rest[17]]));
            let name = rest[19..length].split(|byte| *byte == 0).next().unwrap_or_default();
            names.push((name.to_vec(), rest[18]));
            rest = &rest[length..];
        }
    };
    unsafe { libc::close(fd) };
    names.sort();
    match outcome {
        Answer::Names(_) => Answer::Names(names),
        other => other,
    }
}

fn xattr(op: &Op) -> Answer {
    unsafe {
        match op {
            Op::Setxattr { path, name, bytes, flags } => {
                let data = vec![b'x'; usize::from(*bytes)];
                let (path, name) = (c(path), c(name.as_bytes()));
                let (data_at, flags) = (data.as_ptr().cast(), *flags as i32);
                let (path, name) = (path.as_ptr(), name.as_ptr());
                value(libc::setxattr(path, name, data_at, data.len(), flags).into())
            }
            Op::Getxattr { path, name } => bytes(|buffer, room| {
                let (path, name) = (c(path), c(name.as_bytes()));
                libc::getxattr(path.as_ptr(), name.as_ptr(), buffer.cast(), room) as i64
            }),
            Op::Removexattr { path, name } => {
                let (path, name) = (c(path), c(name.as_bytes()));
                value(libc::removexattr(path.as_ptr(), name.as_ptr()).into())
            }
            _ => unreachable!("chosen by the caller"),
        }
    }
}
