//! execve of a file that stands for a program: the worker's own image in place of an ELF file that no processor could run.
//!
//! The worker makes the real execve(2) of the real path, so that every check, every errno, `#!` lines, close-on-exec, set-user-id bits
//! and the process's name are Linux's. Only for that moment, the ELF file at the end of the chain of interpreters has the worker's image
//! mounted over it, with the file's owner and mode. A file that is open for writing is left alone: execve says ETXTBSY.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::calls::Plan;
use crate::sandbox::{Sandbox, check, open_at};
use crate::shared;

/// Linux follows this many interpreters at most (execve(2), "Interpreter scripts").
const INTERPRETERS: usize = 5;
/// How much of a file's beginning execve looks at (BINPRM_BUF_SIZE).
const HEAD_BYTES: usize = 256;

/// The image mounted over a file; unmounted when dropped.
pub(crate) struct Staged {
    mount: OwnedFd,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let path = format!("/proc/self/fd/{}\0", self.mount.as_raw_fd());
        // SAFETY: plain system call with a NUL-terminated path.
        let result = unsafe { libc::umount2(path.as_ptr().cast(), libc::MNT_DETACH) };
        if result < 0 {
            eprintln!("host-twin: a staged program stays: {}", io::Error::last_os_error());
        }
    }
}

/// Mounts the image over the ELF file that an execve by process `pid` of the path at `address` would run, if there is one.
pub(crate) fn stage(sandbox: &Sandbox, pid: i32, address: u64) -> Option<Staged> {
    if address == 0 {
        return None;
    }
    // SAFETY: the address is that of a C string in the request's area.
    let path = unsafe { std::ffi::CStr::from_ptr(address as *const libc::c_char) };
    let mut path = path.to_owned();
    for _ in 0..=INTERPRETERS {
        let file = resolve(sandbox, pid, &path).ok()?;
        let head = head(&file)?;
        if head.starts_with(b"\x7fELF") {
            return mount_over(sandbox, &file).ok();
        }
        path = interpreter(&head)?;
    }
    None
}

/// Gives the child of a clone with CLONE_VM the stack of its slot.
pub(crate) fn give_stack(plan: &mut Plan, slot: usize) {
    let top = shared::stack_top(slot);
    if plan.number == libc::SYS_clone {
        plan.arguments[1] = top;
    } else {
        shared::put_clone3_stack(plan.arguments[0], slot);
    }
}

/// Opens (O_PATH) what a path of process `pid` names, from its own root and working directory.
fn resolve(sandbox: &Sandbox, pid: i32, path: &CString) -> io::Result<OwnedFd> {
    let absolute = path.as_bytes().starts_with(b"/");
    let root = open_at(&sandbox.proc, &format!("{pid}/root"), libc::O_PATH)?;
    let start =
        if absolute { root } else { open_at(&sandbox.proc, &format!("{pid}/cwd"), libc::O_PATH)? };
    // SAFETY: an all-zero open_how is valid; plain system call; the descriptor is new and ours.
    unsafe {
        let mut how: libc::open_how = std::mem::zeroed();
        how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
        how.resolve = if absolute { libc::RESOLVE_IN_ROOT } else { 0 };
        let size = size_of::<libc::open_how>();
        let fd = libc::syscall(
            libc::SYS_openat2,
            start.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size,
        );
        Ok(OwnedFd::from_raw_fd(check(fd as i32)?))
    }
}

/// The beginning of a regular file that nobody writes to.
fn head(file: &OwnedFd) -> Option<Vec<u8>> {
    let stat = stat(file).ok()?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return None;
    }
    let path = format!("/proc/self/fd/{}\0", file.as_raw_fd());
    let mut head = vec![0; HEAD_BYTES];
    // SAFETY: plain system calls with a NUL-terminated path and a buffer of the length given; the descriptor is ours.
    unsafe {
        let fd = check(libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC)).ok()?;
        let fd = OwnedFd::from_raw_fd(fd);
        let length = libc::read(fd.as_raw_fd(), head.as_mut_ptr().cast(), HEAD_BYTES);
        head.truncate(usize::try_from(length).ok()?);
        // A read lease is refused while the file is open for writing (F_SETLEASE(2const)).
        if libc::fcntl(fd.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) < 0
            && io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
        {
            return None;
        }
        libc::fcntl(fd.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK);
    }
    Some(head)
}

/// The interpreter that a `#!` line names.
fn interpreter(head: &[u8]) -> Option<CString> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | 0);
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    CString::new(line[start..].split(is_end).next()?).ok()
}

/// Mounts the image, with the owner and mode of `file`, over it.
fn mount_over(sandbox: &Sandbox, file: &OwnedFd) -> io::Result<Staged> {
    let stat = stat(file)?;
    let image = format!("/proc/self/fd/{}\0", sandbox.image.as_raw_fd());
    // SAFETY: plain system calls on descriptors of our own; the new descriptor is ours.
    unsafe {
        check(libc::chown(image.as_ptr().cast(), stat.st_uid, stat.st_gid))?;
        check(libc::chmod(image.as_ptr().cast(), stat.st_mode & 0o7777))?;
        let clone = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as u32;
        let empty = c"".as_ptr();
        let mount = libc::syscall(libc::SYS_open_tree, sandbox.image.as_raw_fd(), empty, clone);
        let mount = OwnedFd::from_raw_fd(check(mount as i32)?);
        let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
        let (from, to) = (mount.as_raw_fd(), file.as_raw_fd());
        check(libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) as i32)?;
        Ok(Staged { mount })
    }
}

fn stat(file: &OwnedFd) -> io::Result<libc::stat> {
    // SAFETY: an all-zero stat is valid; plain system call.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        check(libc::fstat(file.as_raw_fd(), &raw mut stat))?;
        Ok(stat)
    }
}
