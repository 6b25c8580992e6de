//! execve of a file that stands for a program: the worker's own image in place of an ELF file that
//! no processor could run.
//!
//! The worker makes the real execve(2) of the real path, so that every check, every errno, `#!`
//! lines, close-on-exec, set-user-id bits and the process's name are Linux's. Only for that moment,
//! the ELF file at the end of the chain of interpreters has the worker's image mounted over it,
//! with the file's owner and mode. A file that is open for writing is left alone: execve says
//! ETXTBSY.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
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
    /// The path of the file, as the process names it.
    pub(crate) program: CString,
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

/// Mounts the image over the ELF file that an execve by process `pid` of the path at `address`
/// would run. None when the file is known to be no program; an error when this cannot be known, as
/// for a link of /proc that leads around mounts.
pub(crate) fn stage(sandbox: &Sandbox, pid: i32, address: u64) -> io::Result<Option<Staged>> {
    if address == 0 {
        return Ok(None);
    }
    // SAFETY: the address is that of a C string in the request's area.
    let path = unsafe { std::ffi::CStr::from_ptr(address as *const libc::c_char) };
    let mut path = path.to_owned();
    for _ in 0..=INTERPRETERS {
        let file = resolve(sandbox, pid, &path)?;
        let head = head(&file)?;
        if head.starts_with(b"\x7fELF") {
            let mount = mount_over(sandbox, &file)?;
            return Ok(Some(Staged { mount, program: path }));
        }
        match interpreter(&head) {
            Some(next) => path = next,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// struct prctl_mm_map (PR_SET_MM(2const)): eleven addresses, the auxiliary vector, the file of the
/// program.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct MemoryMap {
    addresses: [u64; 11],
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

impl MemoryMap {
    /// The same with a descriptor of the program's file.
    pub(crate) fn with_program(self, fd: u64) -> Self {
        Self { exe_fd: fd as u32, ..self }
    }
}

/// The memory map of a process as it is (proc_pid_stat(5)), with no program's file yet.
pub(crate) fn memory_map(sandbox: &Sandbox, pid: i32) -> Option<MemoryMap> {
    let mut text = String::new();
    let file = open_at(&sandbox.proc, &format!("{pid}/stat"), libc::O_RDONLY).ok()?;
    File::from(file).read_to_string(&mut text).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let words: Vec<u64> = rest.split_whitespace().map(|word| word.parse().unwrap_or(0)).collect();
    // Fields are counted from 1, and `rest` begins with the third. The break is where it begins:
    // nothing has moved it.
    let fields = [26, 27, 45, 46, 47, 47, 28, 48, 49, 50, 51];
    let mut addresses = [0; 11];
    for (address, field) in addresses.iter_mut().zip(fields) {
        *address = *words.get(field - 3)?;
    }
    Some(MemoryMap { addresses, auxv: 0, auxv_size: 0, exe_fd: u32::MAX })
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

/// The beginning of a regular file that nobody writes to; of any other file, an error as execve has
/// one.
fn head(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let stat = stat(file)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let path = format!("/proc/self/fd/{}\0", file.as_raw_fd());
    let mut head = vec![0; HEAD_BYTES];
    // SAFETY: plain system calls with a NUL-terminated path and a buffer of the length given; the
    // descriptor is ours.
    unsafe {
        let fd = check(libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC))?;
        let fd = OwnedFd::from_raw_fd(fd);
        let length = libc::read(fd.as_raw_fd(), head.as_mut_ptr().cast(), HEAD_BYTES);
        head.truncate(check(length as i32)? as usize);
        // A read lease is refused while the file is open for writing (F_SETLEASE(2const)).
        if libc::fcntl(fd.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) < 0
            && io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
        {
            return Err(io::ErrorKind::ExecutableFileBusy.into());
        }
        libc::fcntl(fd.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK);
    }
    Ok(head)
}

/// The interpreter that a `#!` line names.
fn interpreter(head: &[u8]) -> Option<CString> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | 0);
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    CString::new(line[start..].split(is_end).next()?).ok()
}

/// Mounts the image, with the owner and mode of `file`, over it.
fn mount_over(sandbox: &Sandbox, file: &OwnedFd) -> io::Result<OwnedFd> {
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
        Ok(mount)
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
