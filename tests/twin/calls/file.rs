//! What opens files and what tells about them: open, stat, access, directory lists, statfs,
//! extended attributes.

use serde_json::{Map, Value, json};

use super::{Plan, Planned};
use crate::fields::{Fields, put_bytes, until_nul};
use crate::names;
use crate::shared::{Area, get, get_bytes};

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    Some(match call {
        "open" => open(f, area),
        "openat" => openat(f, area),
        "openat2" => openat2(f, area),
        "creat" => creat(f, area),
        "stat" => stat_path(libc::SYS_stat, f, area),
        "lstat" => stat_path(libc::SYS_lstat, f, area),
        "fstat" => fstat(f, area),
        "newfstatat" => newfstatat(f, area),
        "statx" => statx(f, area),
        "access" => access(f, area),
        "faccessat" => faccessat(libc::SYS_faccessat, f, area),
        "faccessat2" => faccessat(libc::SYS_faccessat2, f, area),
        "getdents64" => getdents64(f, area),
        "statfs" => f.path("path", area).and_then(|path| statfs(libc::SYS_statfs, path, area)),
        "fstatfs" => f.number("fd").and_then(|fd| statfs(libc::SYS_fstatfs, fd, area)),
        "pathconf" => {
            f.path("path", area).and_then(|path| pathconf(libc::SYS_statfs, path, f, area))
        }
        "fpathconf" => f.number("fd").and_then(|fd| pathconf(libc::SYS_fstatfs, fd, f, area)),
        "memfd_create" => memfd_create(f, area),
        _ => return xattr(call, f, area),
    })
}

fn open(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags("flags", names::OPEN)?;
    let mode = f.flags_or_0("mode", names::MODE)?;
    Ok(Plan::new(libc::SYS_open, &[f.path("path", area)?, flags, mode]))
}

fn openat(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags("flags", names::OPEN)?;
    let mode = f.flags_or_0("mode", names::MODE)?;
    Ok(Plan::new(libc::SYS_openat, &[f.dirfd("dirfd")?, f.path("path", area)?, flags, mode]))
}

fn openat2(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::OPEN)?;
    let mode = f.flags_or_0("mode", names::MODE)?;
    let resolve = f.flags_or_0("resolve", names::RESOLVE)?;
    let how = area.put(&[flags, mode, resolve])?;
    Ok(Plan::new(libc::SYS_openat2, &[f.dirfd("dirfd")?, f.path("path", area)?, how, 24]))
}

fn creat(f: &Fields<'_>, area: &mut Area) -> Planned {
    let mode = f.flags_or_0("mode", names::MODE)?;
    Ok(Plan::new(libc::SYS_creat, &[f.path("path", area)?, mode]))
}

fn stat_path(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let path = f.path("path", area)?;
    with_stat(number, &[path], area)
}

fn fstat(f: &Fields<'_>, area: &mut Area) -> Planned {
    with_stat(libc::SYS_fstat, &[f.number("fd")?], area)
}

fn newfstatat(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::AT)?;
    let path = f.path("path", area)?;
    let at = area.room(size_of::<libc::stat>())?;
    let plan = Plan::new(libc::SYS_newfstatat, &[f.dirfd("dirfd")?, path, at, flags]);
    Ok(plan.replying(move |_, answer| put_stat(answer, &get(at))))
}

fn with_stat(number: i64, before: &[u64], area: &mut Area) -> Planned {
    let at = area.room(size_of::<libc::stat>())?;
    let arguments = [before, &[at]].concat();
    Ok(Plan::new(number, &arguments).replying(move |_, answer| put_stat(answer, &get(at))))
}

fn put_stat(answer: &mut Map<String, Value>, stat: &libc::stat) {
    answer.insert("stat".into(), shown_stat(stat));
}

/// A `stat` as CLI.md lists it.
pub(crate) fn shown_stat(stat: &libc::stat) -> Value {
    json!({
        "type": file_type(stat.st_mode), "mode": stat.st_mode & 0o7777, "ino": stat.st_ino, "dev": stat.st_dev,
        "nlink": stat.st_nlink, "uid": stat.st_uid, "gid": stat.st_gid, "size": stat.st_size,
        "blocks": stat.st_blocks, "atime": stat.st_atime, "atime_ns": stat.st_atime_nsec,
        "mtime": stat.st_mtime, "mtime_ns": stat.st_mtime_nsec, "ctime": stat.st_ctime,
        "ctime_ns": stat.st_ctime_nsec, "major": libc::major(stat.st_rdev), "minor": libc::minor(stat.st_rdev),
    })
}

/// The `type` of a `stat`.
pub(crate) fn file_type(mode: libc::mode_t) -> &'static str {
    match mode & libc::S_IFMT {
        libc::S_IFREG => "regular",
        libc::S_IFDIR => "dir",
        libc::S_IFIFO => "fifo",
        libc::S_IFCHR => "char",
        libc::S_IFBLK => "block",
        libc::S_IFLNK => "symlink",
        libc::S_IFSOCK => "socket",
        _ => "unknown",
    }
}

fn statx(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::AT)?;
    let basic = u64::from(libc::STATX_BASIC_STATS);
    let mask = if f.has("mask") { f.flags("mask", names::STATX)? } else { basic };
    let path = f.path("path", area)?;
    let at = area.room(size_of::<libc::statx>())?;
    let plan = Plan::new(libc::SYS_statx, &[f.dirfd("dirfd")?, path, flags, mask, at]);
    Ok(plan.replying(move |_, answer| {
        let x: libc::statx = get(at);
        answer.insert(
            "stat".into(),
            json!({
                "type": file_type(u32::from(x.stx_mode)), "mode": x.stx_mode & 0o7777, "ino": x.stx_ino,
                "dev": libc::makedev(x.stx_dev_major, x.stx_dev_minor), "nlink": x.stx_nlink, "uid": x.stx_uid,
                "gid": x.stx_gid, "size": x.stx_size, "blocks": x.stx_blocks, "atime": x.stx_atime.tv_sec,
                "atime_ns": x.stx_atime.tv_nsec, "mtime": x.stx_mtime.tv_sec, "mtime_ns": x.stx_mtime.tv_nsec,
                "ctime": x.stx_ctime.tv_sec, "ctime_ns": x.stx_ctime.tv_nsec, "major": x.stx_rdev_major,
                "minor": x.stx_rdev_minor,
            }),
        );
    }))
}

fn access(f: &Fields<'_>, area: &mut Area) -> Planned {
    let mode = f.flags("mode", names::ACCESS)?;
    Ok(Plan::new(libc::SYS_access, &[f.path("path", area)?, mode]))
}

fn faccessat(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let (mode, flags) = (f.flags("mode", names::ACCESS)?, f.flags_or_0("flags", names::AT)?);
    Ok(Plan::new(number, &[f.dirfd("dirfd")?, f.path("path", area)?, mode, flags]))
}

/// struct linux_dirent64: d_ino, d_off (64 bits each), d_reclen (16), d_type (8), d_name
/// (getdents(2)).
fn getdents64(f: &Fields<'_>, area: &mut Area) -> Planned {
    // The kernel takes the low 32 bits as a number with a sign: below 0 it writes nothing.
    let count = f.number("count")?;
    let room = usize::try_from(count as u32 as i32).unwrap_or(0).min(area.left());
    let count = if (count as u32 as i32) < 0 { count } else { room as u64 };
    let at = area.room(room)?;
    Ok(Plan::new(libc::SYS_getdents64, &[f.number("fd")?, at, count]).replying(
        move |length, answer| {
            let bytes = get_bytes(at, length as usize);
            let mut rest = bytes.as_slice();
            let mut entries = Vec::new();
            while let [i0, i1, i2, i3, i4, i5, i6, i7, .., _] = *rest
                && let Some(&[low, high, kind]) = rest.get(16..19)
            {
                let record = usize::from(u16::from_le_bytes([low, high])).clamp(20, rest.len());
                let mut entry = Map::new();
                put_bytes(&mut entry, "name", until_nul(&rest[19..record]));
                let ino = u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
                entry.insert("ino".into(), ino.into());
                let kind = names::name(names::DIRENT_TYPES, kind.into()).unwrap_or("DT_UNKNOWN");
                entry.insert("type".into(), kind.into());
                entries.push(entry);
                rest = &rest[record..];
            }
            answer.insert("entries".into(), entries.into_iter().collect());
        },
    ))
}

/// Which word of `struct statfs` holds its flags; the crate libc names it not.
const STATFS_FLAGS: usize = 10;

fn statfs(number: i64, what: u64, area: &mut Area) -> Planned {
    let at = area.room(size_of::<libc::statfs>())?;
    Ok(Plan::new(number, &[what, at]).replying(move |_, answer| {
        let s: libc::statfs = get(at);
        answer.insert(
            "statfs".into(),
            json!({
                "type": s.f_type, "bsize": s.f_bsize, "blocks": s.f_blocks, "bfree": s.f_bfree,
                "bavail": s.f_bavail, "files": s.f_files, "ffree": s.f_ffree, "namelen": s.f_namelen,
                "frsize": s.f_frsize, "flags": get::<[u64; STATFS_FLAGS + 1]>(at)[STATFS_FLAGS],
            }),
        );
    }))
}

/// No system call: what the C library makes of statfs(2) (pathconf(3)), with its errors.
fn pathconf(number: i64, what: u64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let name = f.flags("name", names::PATHCONF)? as i32;
    let at = area.room(size_of::<libc::statfs>())?;
    Ok(Plan::new(number, &[what, at]).replying(move |_, answer| {
        let s: libc::statfs = get(at);
        let value = match name {
            libc::_PC_NAME_MAX => s.f_namelen.into(),
            libc::_PC_LINK_MAX if s.f_type == libc::EXT4_SUPER_MAGIC => 65_000.into(),
            libc::_PC_LINK_MAX => 127.into(),
            libc::_PC_PATH_MAX | libc::_PC_PIPE_BUF => 4096.into(),
            libc::_PC_MAX_CANON | libc::_PC_MAX_INPUT => 255.into(),
            libc::_PC_REC_MIN_XFER_SIZE | libc::_PC_REC_XFER_ALIGN | libc::_PC_ALLOC_SIZE_MIN => {
                4096.into()
            }
            libc::_PC_FILESIZEBITS if s.f_type == libc::EXT4_SUPER_MAGIC => 64.into(),
            libc::_PC_FILESIZEBITS => 32.into(),
            libc::_PC_VDISABLE => 0.into(),
            libc::_PC_CHOWN_RESTRICTED | libc::_PC_NO_TRUNC | libc::_PC_2_SYMLINKS => 1.into(),
            _ => "unlimited".into(),
        };
        answer.insert("value".into(), value);
    }))
}

fn memfd_create(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::MEMFD)?;
    Ok(Plan::new(libc::SYS_memfd_create, &[f.path("name", area)?, flags]))
}

fn xattr(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    let (number, by_descriptor) = match call {
        "getxattr" | "setxattr" | "listxattr" | "removexattr" => (0, false),
        "lgetxattr" | "lsetxattr" | "llistxattr" | "lremovexattr" => (1, false),
        "fgetxattr" | "fsetxattr" | "flistxattr" | "fremovexattr" => (2, true),
        _ => return None,
    };
    let numbers = if call.ends_with("getxattr") {
        [libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr]
    } else if call.ends_with("setxattr") {
        [libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr]
    } else if call.ends_with("listxattr") {
        [libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_flistxattr]
    } else {
        [libc::SYS_removexattr, libc::SYS_lremovexattr, libc::SYS_fremovexattr]
    };
    let file = if by_descriptor { f.number("fd") } else { f.path("path", area) };
    Some(file.and_then(|file| xattr_plan(call, numbers[number], file, f, area)))
}

fn xattr_plan(call: &str, number: i64, file: u64, f: &Fields<'_>, area: &mut Area) -> Planned {
    if call.ends_with("removexattr") {
        return Ok(Plan::new(number, &[file, f.path("name", area)?]));
    }
    if call.ends_with("setxattr") {
        let name = f.path("name", area)?;
        let value = f.bytes("value")?.unwrap_or_default();
        let flags = f.flags_or_0("flags", names::XATTR)?;
        let arguments = [file, name, area.bytes(&value)?, value.len() as u64, flags];
        return Ok(Plan::new(number, &arguments));
    }
    let name = if call.ends_with("getxattr") { Some(f.path("name", area)?) } else { None };
    let size = f.number_or("size", 65_536)?.min(area.left() as u64);
    let at = area.room(size as usize)?;
    let arguments = match name {
        Some(name) => vec![file, name, at, size],
        None => vec![file, at, size],
    };
    Ok(Plan::new(number, &arguments).replying(move |length, answer| {
        // Without room the length alone is asked for.
        if size > 0 {
            put_bytes(answer, "data", &get_bytes(at, length as usize));
        }
    }))
}
