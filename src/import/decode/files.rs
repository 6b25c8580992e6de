//! Arguments of calls that name files, and of those on what is open.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Errno, Timespec};
use tickernel_systems::event::Call;

use super::{Args, recorded};
use crate::import::numbers;
use crate::replay::Recorded;
use crate::strace::Value;

/// The encoded call; `None` if it is of another family, or the text says too little.
pub(super) fn inputs(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "open" => Call::Open {
            path: args.path(0)?,
            flags: args.flags(1, OPEN_FLAGS)?,
            mode: args.mode(2)?,
        },
        "creat" => Call::Creat { path: args.path(0)?, mode: args.mode(1)? },
        "openat" => Call::Openat {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            flags: args.flags(2, OPEN_FLAGS)?,
            mode: args.mode(3)?,
        },
        "openat2" => {
            let how = args.get(2)?;
            let (dirfd, path) = (args.fd(0)?, args.path(1)?);
            let flags = numbers::bits32(how.field("flags")?, OPEN_FLAGS)?;
            let mode = how.field("mode").map_or(Some(0), numbers::mode)?;
            let resolve = how.field("resolve");
            let resolve = resolve.map_or(Some(0), |value| numbers::bits32(value, RESOLVE_FLAGS))?;
            Call::Openat2 { dirfd, path, flags, mode, resolve }
        }
        "stat" => Call::Stat { path: args.path(0)? },
        "lstat" => Call::Lstat { path: args.path(0)? },
        "fstat" => Call::Fstat { fd: args.fd(0)? },
        "newfstatat" | "fstatat64" => Call::Newfstatat {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            flags: args.flags(3, AT_FLAGS)?,
        },
        "statx" => Call::Statx {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            flags: args.get(2)?.resolve(&statx_flag).and_then(|bits| u32::try_from(bits).ok())?,
            mask: args.get(3)?.as_u64().unwrap_or(0x7ff) as u32,
        },
        "access" => Call::Access { path: args.path(0)?, mode: args.flags(1, ACCESS_MODES)? },
        "faccessat" => Call::Faccessat {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            mode: args.flags(2, ACCESS_MODES)?,
        },
        "faccessat2" => Call::Faccessat2 {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            mode: args.flags(2, ACCESS_MODES)?,
            flags: args.flags(3, AT_FLAGS)?,
        },
        _ => return contents(args),
    };
    args.done(&call)
}

/// Calls on contents, places and times.
fn contents(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "readlink" => Call::Readlink { path: args.path(0)?, bufsiz: args.int(2)? },
        "readlinkat" => {
            Call::Readlinkat { dirfd: args.fd(0)?, path: args.path(1)?, bufsiz: args.int(3)? }
        }
        "getcwd" => Call::Getcwd { size: args.size(1)? },
        "chdir" => Call::Chdir { path: args.path(0)? },
        "fchdir" => Call::Fchdir { fd: args.fd(0)? },
        // What failed changed nothing; what of it the machine allows is its own.
        "mount" if args.succeeded() => return mount(args),
        "umount2" | "umount" => {
            let flags = args.get(1).map_or(Some(0), |it| numbers::bits32(it, UMOUNT_FLAGS))?;
            // EAGAIN of MNT_EXPIRE leaves its mark.
            let marks = flags & MNT_EXPIRE != 0 && args.failed_with(Errno::EAGAIN);
            if !args.succeeded() && !marks {
                return None;
            }
            Call::Umount2 { target: args.path(0)?, flags }
        }
        "chroot" => Call::Chroot { path: args.path(0)? },
        "truncate" => Call::Truncate { path: args.path(0)?, length: args.long(1)? },
        "ftruncate" => Call::Ftruncate { fd: args.fd(0)?, length: args.long(1)? },
        "fallocate" => Call::Fallocate {
            fd: args.fd(0)?,
            mode: args.flags(1, FALLOCATE_MODES)?,
            offset: args.long(2)?,
            len: args.long(3)?,
        },
        "fsync" => Call::Fsync { fd: args.fd(0)? },
        "fdatasync" => Call::Fdatasync { fd: args.fd(0)? },
        "sync" => Call::Sync {},
        "vhangup" => Call::Vhangup {},
        "syncfs" => Call::Syncfs { fd: args.fd(0)? },
        "sync_file_range" => Call::SyncFileRange {
            fd: args.fd(0)?,
            offset: args.long(1)?,
            nbytes: args.long(2)?,
            flags: args.flags(3, SYNC_FILE_RANGE_FLAGS)?,
        },
        "readahead" => {
            Call::Readahead { fd: args.fd(0)?, offset: args.long(1)?, count: args.size(2)? }
        }
        "fadvise64" => Call::Fadvise64 {
            fd: args.fd(0)?,
            offset: args.long(1)?,
            len: args.long(2)?,
            advice: args.flags(3, ADVICES)?,
        },
        "statfs" => Call::Statfs { path: args.path(0)? },
        "fstatfs" => Call::Fstatfs { fd: args.fd(0)? },
        "utimensat" | "utime" | "utimes" | "futimesat" => return times(args),
        _ => return transfers(args),
    };
    args.done(&call)
}

/// Calls that move bytes inside the kernel.
fn transfers(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "sendfile" => Call::Sendfile {
            out_fd: args.fd(0)?,
            in_fd: args.fd(1)?,
            offset: offset(args.get(2)?)?,
            count: args.size(3)?,
        },
        "splice" => Call::Splice {
            fd_in: args.fd(0)?,
            off_in: offset(args.get(1)?)?,
            fd_out: args.fd(2)?,
            off_out: offset(args.get(3)?)?,
            len: args.size(4)?,
            flags: args.flags(5, SPLICE_FLAGS)?,
        },
        "tee" => Call::Tee {
            fd_in: args.fd(0)?,
            fd_out: args.fd(1)?,
            len: args.size(2)?,
            flags: args.flags(3, SPLICE_FLAGS)?,
        },
        "copy_file_range" => Call::CopyFileRange {
            fd_in: args.fd(0)?,
            off_in: offset(args.get(1)?)?,
            fd_out: args.fd(2)?,
            off_out: offset(args.get(3)?)?,
            len: args.size(4)?,
            flags: args.size(5)? as u32,
        },
        _ => return names(args),
    };
    args.done(&call)
}

fn statx_flag(name: &str) -> Option<i128> {
    if name == "AT_STATX_SYNC_AS_STAT" {
        return Some(0);
    }
    number_of(AT_FLAGS, name).map(i128::from)
}

/// NULL, or `[4 => 10]`: the offset that was given.
fn offset(value: &Value) -> Option<Option<i64>> {
    if value.is_null() {
        return Some(None);
    }
    let given = value.before();
    given.pointee().unwrap_or(given).before().as_i64().map(Some)
}

/// Calls that make, remove and change names and inodes.
fn names(args: &Args<'_>) -> Option<Vec<u8>> {
    let device = |index: usize| args.get(index).map_or(Some((0, 0)), Value::as_device);
    let call = match args.name() {
        "mkdir" => Call::Mkdir { path: args.path(0)?, mode: args.mode(1)? },
        "mkdirat" => Call::Mkdirat { dirfd: args.fd(0)?, path: args.path(1)?, mode: args.mode(2)? },
        "mknod" => {
            let (major, minor) = device(2)?;
            Call::Mknod { path: args.path(0)?, mode: args.mode(1)?, major, minor }
        }
        "mknodat" => {
            let (major, minor) = device(3)?;
            let (dirfd, path, mode) = (args.fd(0)?, args.path(1)?, args.mode(2)?);
            Call::Mknodat { dirfd, path, mode, major, minor }
        }
        "rmdir" => Call::Rmdir { path: args.path(0)? },
        "unlink" => Call::Unlink { path: args.path(0)? },
        "unlinkat" => Call::Unlinkat {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            flags: unlink_flags(args.get(2)?)?,
        },
        "rename" => Call::Rename { oldpath: args.path(0)?, newpath: args.path(1)? },
        "renameat" => Call::Renameat {
            olddirfd: args.fd(0)?,
            oldpath: args.path(1)?,
            newdirfd: args.fd(2)?,
            newpath: args.path(3)?,
        },
        "renameat2" => Call::Renameat2 {
            olddirfd: args.fd(0)?,
            oldpath: args.path(1)?,
            newdirfd: args.fd(2)?,
            newpath: args.path(3)?,
            flags: args.flags(4, RENAME_FLAGS)?,
        },
        "link" => Call::Link { oldpath: args.path(0)?, newpath: args.path(1)? },
        "linkat" => Call::Linkat {
            olddirfd: args.fd(0)?,
            oldpath: args.path(1)?,
            newdirfd: args.fd(2)?,
            newpath: args.path(3)?,
            flags: args.flags(4, AT_FLAGS)?,
        },
        "symlink" => Call::Symlink { target: args.path(0)?, linkpath: args.path(1)? },
        "symlinkat" => Call::Symlinkat {
            target: args.path(0)?,
            newdirfd: args.fd(1)?,
            linkpath: args.path(2)?,
        },
        _ => return attributes(args),
    };
    args.done(&call)
}

/// AT_REMOVEDIR has the number of AT_EACCESS: the name decides in abbreviated style.
fn unlink_flags(value: &Value) -> Option<u32> {
    numbers::bits32(value, AT_FLAGS)
}

fn attributes(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "chmod" => Call::Chmod { path: args.path(0)?, mode: args.mode(1)? },
        "fchmod" => Call::Fchmod { fd: args.fd(0)?, mode: args.mode(1)? },
        "fchmodat" => {
            Call::Fchmodat { dirfd: args.fd(0)?, path: args.path(1)?, mode: args.mode(2)? }
        }
        "fchmodat2" => Call::Fchmodat2 {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            mode: args.mode(2)?,
            flags: args.flags(3, AT_FLAGS)?,
        },
        "chown" => Call::Chown { path: args.path(0)?, uid: args.long(1)?, gid: args.long(2)? },
        "lchown" => Call::Lchown { path: args.path(0)?, uid: args.long(1)?, gid: args.long(2)? },
        "fchown" => Call::Fchown { fd: args.fd(0)?, uid: args.long(1)?, gid: args.long(2)? },
        "fchownat" => Call::Fchownat {
            dirfd: args.fd(0)?,
            path: args.path(1)?,
            uid: args.long(2)?,
            gid: args.long(3)?,
            flags: args.flags(4, AT_FLAGS)?,
        },
        "getxattr" => {
            Call::Getxattr { path: args.path(0)?, name: attribute(args)?, size: args.size(3)? }
        }
        "lgetxattr" => {
            Call::Lgetxattr { path: args.path(0)?, name: attribute(args)?, size: args.size(3)? }
        }
        "fgetxattr" => {
            Call::Fgetxattr { fd: args.fd(0)?, name: attribute(args)?, size: args.size(3)? }
        }
        "listxattr" => Call::Listxattr { path: args.path(0)?, size: args.size(2)? },
        "llistxattr" => Call::Llistxattr { path: args.path(0)?, size: args.size(2)? },
        "flistxattr" => Call::Flistxattr { fd: args.fd(0)?, size: args.size(2)? },
        _ => return None,
    };
    args.done(&call)
}

/// The name of an attribute. One that strace cut is answered as any that is not there is: by a name
/// that no file has, in a name space that is there or not (xattr(7)).
fn attribute<'a>(args: &Args<'a>) -> Option<Option<&'a [u8]>> {
    if !args.get(1).and_then(Value::as_text).is_some_and(|text| text.cut) {
        return args.path(1);
    }
    match recorded(args.call) {
        Recorded::Errno(Errno::ENODATA) => Some(Some(b"security.unknown")),
        Recorded::Errno(Errno::EOPNOTSUPP) => Some(Some(b"unknown.unknown")),
        Recorded::Errno(_) | Recorded::Value(_) | Recorded::Never => None,
    }
}

fn times(args: &Args<'_>) -> Option<Vec<u8>> {
    let (dirfd, path, list, flags) = match args.name() {
        "utimensat" => (args.fd(0)?, args.path(1)?, args.get(2)?, args.flags(3, AT_FLAGS)?),
        "futimesat" => (args.fd(0)?, args.path(1)?, args.get(2)?, 0),
        _ => (AT_FDCWD, args.path(0)?, args.get(1)?, 0),
    };
    let (atime, mtime) = if list.is_null() {
        (None, None)
    } else if let (Some(actime), Some(modtime)) = (list.field("actime"), list.field("modtime")) {
        let whole = |value: &Value| Some(Timespec { sec: value.as_i64()?, nsec: 0 });
        (Some(whole(actime)?), Some(whole(modtime)?))
    } else {
        match list.items()? {
            [atime, mtime] => (Some(numbers::file_time(atime)?), Some(numbers::file_time(mtime)?)),
            _ => return None,
        }
    };
    args.done(&Call::Utimensat { dirfd, path, atime, mtime, flags })
}

/// What mount(2) has no use for is printed as an address.
fn mount(args: &Args<'_>) -> Option<Vec<u8>> {
    let text = |index: usize| args.get(index)?.as_text().map(|text| text.bytes.as_slice());
    let constant = |name: &str| match name {
        // Old programs have it in the upper half.
        "MS_MGC_VAL" => Some(0xc0ed_0000),
        name => number_of(MOUNT_FLAGS, name).map(i128::from),
    };
    let flags = args.get(3)?.resolve(&constant)?;
    args.done(&Call::Mount {
        source: text(0),
        target: args.path(1)?,
        filesystemtype: text(2),
        mountflags: u64::try_from(flags).ok()?,
        data: text(4),
    })
}
