//! Arguments of calls that name files, of those on attributes, and of copies inside the kernel.

use tickernel_systems::abi::flags::*;
use tickernel_systems::event::{Call, Path, Payload};

use super::args::Args;
use super::structs;
use super::structs::device;
use super::values::{self, ADDRESS, hex, text};

/// The size of openat2(2)'s `struct open_how`.
const OPEN_HOW_BYTES: i32 = 24;

pub(super) fn args(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::Open { path, flags, mode } => {
            made(args.path(*path).flags(*flags, OPEN_FLAGS), *flags, *mode);
        }
        Call::Openat { dirfd, path, flags, mode } => {
            made(args.fd(*dirfd).path(*path).flags(*flags, OPEN_FLAGS), *flags, *mode);
        }
        Call::Openat2 { dirfd, path, flags, mode, resolve } => {
            let flags_text = values::flags(*flags, OPEN_FLAGS);
            let mode = match (makes(*flags), *mode) {
                (false, 0) => String::new(),
                (_, mode) => format!(", mode={}", values::octal(mode)),
            };
            let resolve = values::flags(*resolve, RESOLVE_FLAGS);
            let how = format!("{{flags={flags_text}{mode}, resolve={resolve}}}");
            args.fd(*dirfd).path(*path).put(how).number(OPEN_HOW_BYTES);
        }
        Call::Stat { path } | Call::Lstat { path } => {
            stat(args.path(*path));
        }
        Call::Fstat { fd } => {
            stat(args.fd(*fd));
        }
        Call::Newfstatat { dirfd, path, flags } => {
            stat(args.fd(*dirfd).path(*path)).flags(*flags, AT_FLAGS);
        }
        Call::Statx { dirfd, path, flags, mask } => {
            args.fd(*dirfd).path(*path).flags(*flags, AT_FLAGS).flags(*mask, STATX_MASKS);
            args.output(|payload| match payload {
                Payload::Stat(stat) => Some(structs::statx(stat, *mask)),
                _ => None,
            });
        }
        Call::Statfs { path } => statfs(args.path(*path)),
        Call::Fstatfs { fd } => statfs(args.fd(*fd)),
        Call::Readlink { path, bufsiz } => {
            args.path(*path).data().number(*bufsiz);
        }
        Call::Readlinkat { dirfd, path, bufsiz } => {
            args.fd(*dirfd).path(*path).data().number(*bufsiz);
        }
        Call::Getcwd { size } => {
            args.data().number(*size);
        }
        Call::Faccessat { dirfd, path, mode } => {
            args.fd(*dirfd).path(*path).flags(*mode, ACCESS_MODES);
        }
        Call::Unlinkat { dirfd, path, flags } => {
            let table = AT_FLAGS.iter().copied().filter(|entry| entry.0 != "AT_EACCESS");
            let names = values::names_of_bits(u64::from(*flags), table);
            let note = if names.is_empty() { names } else { format!(" /* {names} */") };
            args.fd(*dirfd).path(*path).put(hex(u64::from(*flags)) + &note);
        }
        Call::Mknod { path, mode, major, minor } => {
            node(args.path(*path), *mode, *major, *minor);
        }
        Call::Mknodat { dirfd, path, mode, major, minor } => {
            node(args.fd(*dirfd).path(*path), *mode, *major, *minor);
        }
        other => more(args, other),
    }
}

/// Times, copies and attributes.
fn more(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::Utimensat { dirfd, path, atime, mtime, flags } => {
            args.fd(*dirfd).path(*path);
            // One alone is none: the kernel takes both or the present.
            args.put(match atime.zip(*mtime) {
                None => "NULL".to_owned(),
                Some((atime, mtime)) => {
                    format!("[{}, {}]", structs::file_time(atime), structs::file_time(mtime))
                }
            });
            args.flags(*flags, AT_FLAGS);
        }
        Call::Sendfile { out_fd, in_fd, offset, count } => {
            args.fd(*out_fd).fd(*in_fd);
            args.optional(offset, |offset| format!("[{offset}]"));
            // Where the offset may change, all that follows it is printed at the end.
            if let Some(offset) = offset.filter(|_| *count > 0) {
                let after = offsets(args).and_then(|after| after.0);
                let after = after.filter(|after| *after != offset);
                args.join(&after.map_or(String::new(), |after| format!(" => [{after}]")));
            }
            args.number(*count);
        }
        Call::Setxattr { path, name, value, flags }
        | Call::Lsetxattr { path, name, value, flags } => {
            set_attribute(args.path(*path), *name, value, *flags);
        }
        Call::Fsetxattr { fd, name, value, flags } => {
            set_attribute(args.fd(*fd), *name, value, *flags);
        }
        Call::Getxattr { path, name, size } | Call::Lgetxattr { path, name, size } => {
            attribute(args.path(*path).path(*name), *size);
        }
        Call::Fgetxattr { fd, name, size } => attribute(args.fd(*fd).path(*name), *size),
        Call::Listxattr { path, size } | Call::Llistxattr { path, size } => {
            attribute(args.path(*path), *size);
        }
        Call::Flistxattr { fd, size } => attribute(args.fd(*fd), *size),
        Call::Splice { fd_in, off_in, fd_out, off_out, len, flags } => {
            let offset = |offset: &i64| format!("[{offset}]");
            args.fd(*fd_in).optional(off_in, offset).fd(*fd_out).optional(off_out, offset);
            args.number(*len).flags(*flags, SPLICE_FLAGS);
        }
        Call::CopyFileRange { fd_in, off_in, fd_out, off_out, len, flags } => {
            let offset = |offset: &i64| format!("[{offset}]");
            args.fd(*fd_in).optional(off_in, offset).fd(*fd_out).optional(off_out, offset);
            args.number(*len).put(hex(u64::from(*flags)));
        }
        Call::Mount { source, target, filesystemtype, mountflags, data } => {
            args.path(*source).path(*target);
            mount(args, *filesystemtype, *mountflags, *data);
        }
        Call::Umount2 { target, flags } => {
            args.path(*target).flags(*flags, UMOUNT_FLAGS);
        }
        other => super::process::args(args, other),
    }
}

/// What mount(2) has no use for is shown as an address.
fn mount(args: &mut Args<'_>, kind: Path<'_>, flags: u64, data: Path<'_>) {
    const ACTS: u32 = MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
    // Old programs have this in the upper half, and the flags in the lower.
    const OLD: u64 = 0xc0ed_0000;
    let old = flags & 0xffff_0000 == OLD;
    let given = if old { flags as u32 & 0xffff } else { flags as u32 };
    let no_data = given & MS_REMOUNT == 0 && given & ACTS != 0;
    let shown = |args: &mut Args<'_>, value: Path<'_>, unused: bool| {
        if unused && value.is_some() {
            args.put(ADDRESS)
        } else {
            args.path(value)
        };
    };
    shown(args, kind, no_data || given & MS_REMOUNT != 0);
    if old {
        let rest = flags & !OLD;
        let old = format!("{} /* MS_MGC_VAL */", hex(OLD));
        let rest = (rest != 0).then(|| format!("|{}", values::flags(rest, MOUNT_FLAGS)));
        args.put(old + &rest.unwrap_or_default());
    } else {
        args.flags(flags, MOUNT_FLAGS);
    }
    shown(args, data, no_data);
}

/// The mode of open(2), where it makes a file.
fn made(args: &mut Args<'_>, flags: u32, mode: u32) {
    if makes(flags) {
        args.octal(mode);
    }
}

/// Whether an open may make a file, so that its mode counts.
fn makes(flags: u32) -> bool {
    flags & (O_CREAT | O_TMPFILE & !O_DIRECTORY) != 0
}

fn stat<'a, 'b>(args: &'a mut Args<'b>) -> &'a mut Args<'b> {
    args.output(|payload| match payload {
        Payload::Stat(stat) => Some(structs::stat(stat)),
        _ => None,
    })
}

fn statfs(args: &mut Args<'_>) {
    args.output(|payload| match payload {
        Payload::Statfs(statfs) => Some(structs::statfs(statfs)),
        _ => None,
    });
}

fn node(args: &mut Args<'_>, mode: u32, major: u32, minor: u32) {
    args.put(values::mode(mode));
    if matches!(mode & S_IFMT, S_IFCHR | S_IFBLK) {
        args.put(device(makedev(major, minor)));
    }
}

fn set_attribute(args: &mut Args<'_>, name: Path<'_>, value: &[u8], flags: u32) {
    args.path(name).put(text(value)).number(value.len() as u64).flags(flags, XATTR_FLAGS);
}

/// What an attribute or a list of them holds; NULL where only its size is asked for.
fn attribute(args: &mut Args<'_>, size: u64) {
    match args.payload() {
        Some(Payload::Data(bytes)) if size > 0 => {
            let bytes = text(&bytes.0);
            args.put_output(bytes)
        }
        _ => args.put_output(if size > 0 { ADDRESS } else { "NULL" }),
    }
    .number(size);
}

/// The offsets that a copy left.
fn offsets(args: &Args<'_>) -> Option<(Option<i64>, Option<i64>)> {
    match args.payload() {
        Some(Payload::Offsets(input, output)) => Some((*input, *output)),
        _ => None,
    }
}
