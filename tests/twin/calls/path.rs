//! What changes directories and inodes by path: links, names, modes, owners, times, mounts.

use super::{Plan, Planned};
use crate::fields::{Fields, put_bytes};
use crate::names;
use crate::shared::{Area, get_bytes};

/// Character devices that do no harm on the host: null, zero, full, random, urandom; tty and ptmx.
const HARMLESS: [(u64, u64); 7] = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)];

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    Some(match call {
        "mkdir" => mode_at(libc::SYS_mkdir, false, f, area),
        "mkdirat" => mode_at(libc::SYS_mkdirat, true, f, area),
        "rmdir" => f.path("path", area).map(|path| Plan::new(libc::SYS_rmdir, &[path])),
        "mknod" => mknod(false, f, area),
        "mknodat" => mknod(true, f, area),
        "link" => two_paths(libc::SYS_link, f, area),
        "linkat" => two_paths_at(libc::SYS_linkat, f, area),
        "symlink" => symlink(false, f, area),
        "symlinkat" => symlink(true, f, area),
        "readlink" => readlink(false, f, area),
        "readlinkat" => readlink(true, f, area),
        "unlink" => f.path("path", area).map(|path| Plan::new(libc::SYS_unlink, &[path])),
        "unlinkat" => unlinkat(f, area),
        "rename" => two_paths(libc::SYS_rename, f, area),
        "renameat" => two_paths_at(libc::SYS_renameat, f, area),
        "renameat2" => two_paths_at(libc::SYS_renameat2, f, area),
        "truncate" => truncate(f, area),
        "chmod" => mode_at(libc::SYS_chmod, false, f, area),
        "fchmod" => fchmod(f),
        "fchmodat" => mode_at(libc::SYS_fchmodat, true, f, area),
        "fchmodat2" => mode_at(libc::SYS_fchmodat2, true, f, area),
        "chown" => chown(libc::SYS_chown, f, area),
        "lchown" => chown(libc::SYS_lchown, f, area),
        "fchown" => fchown(f),
        "fchownat" => fchownat(f, area),
        "utimensat" => utimensat(f, area),
        "mount" => mount(f, area),
        "umount2" => umount2(f, area),
        "sync" => Ok(Plan::new(libc::SYS_sync, &[])),
        "vhangup" => Ok(Plan::new(libc::SYS_vhangup, &[])),
        _ => return None,
    })
}

/// (path, mode) or (dirfd, path, mode, flags).
fn mode_at(number: i64, at: bool, f: &Fields<'_>, area: &mut Area) -> Planned {
    let mode = f.flags_or_0("mode", names::MODE)?;
    let path = f.path("path", area)?;
    let flags = f.flags_or_0("flags", names::AT)?;
    let arguments = if at { vec![f.dirfd("dirfd")?, path, mode, flags] } else { vec![path, mode] };
    Ok(Plan::new(number, &arguments))
}

fn fchmod(f: &Fields<'_>) -> Planned {
    Ok(Plan::new(libc::SYS_fchmod, &[f.number("fd")?, f.flags("mode", names::MODE)?]))
}

fn mknod(at: bool, f: &Fields<'_>, area: &mut Area) -> Planned {
    let mode = f.flags("mode", names::MODE)?;
    let device = (f.number_or("major", 0)?, f.number_or("minor", 0)?);
    let kind = mode & u64::from(libc::S_IFMT);
    let is_device = kind == u64::from(libc::S_IFCHR) || kind == u64::from(libc::S_IFBLK);
    let is_harmless = kind == u64::from(libc::S_IFCHR) && HARMLESS.contains(&device);
    if is_device && device != (0, 0) && !is_harmless {
        return Err(
            "field major: the host twin makes no node of a device that could do harm".into()
        );
    }
    let device = libc::makedev(device.0 as u32, device.1 as u32);
    let path = f.path("path", area)?;
    Ok(if at {
        Plan::new(libc::SYS_mknodat, &[f.dirfd("dirfd")?, path, mode, device])
    } else {
        Plan::new(libc::SYS_mknod, &[path, mode, device])
    })
}

fn two_paths(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    Ok(Plan::new(number, &[f.path("oldpath", area)?, f.path("newpath", area)?]))
}

fn two_paths_at(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let table = if number == libc::SYS_linkat { names::AT } else { names::RENAME };
    let flags = f.flags_or_0("flags", table)?;
    let (old, new) = (f.path("oldpath", area)?, f.path("newpath", area)?);
    Ok(Plan::new(number, &[f.dirfd("olddirfd")?, old, f.dirfd("newdirfd")?, new, flags]))
}

fn symlink(at: bool, f: &Fields<'_>, area: &mut Area) -> Planned {
    let (target, link) = (f.path("target", area)?, f.path("linkpath", area)?);
    Ok(if at {
        Plan::new(libc::SYS_symlinkat, &[target, f.dirfd("newdirfd")?, link])
    } else {
        Plan::new(libc::SYS_symlink, &[target, link])
    })
}

fn readlink(at: bool, f: &Fields<'_>, area: &mut Area) -> Planned {
    let path = f.path("path", area)?;
    let asked = f.number_or("bufsiz", 4096)?;
    let size =
        if (asked as i32) < 0 { asked } else { (asked as u32 as u64).min(area.left() as u64) };
    let buffer = area.room(if (size as i32) < 0 { 0 } else { size as usize })?;
    let arguments = [f.dirfd("dirfd")?, path, buffer, size];
    let (number, arguments) = match at {
        true => (libc::SYS_readlinkat, &arguments[..]),
        false => (libc::SYS_readlink, &arguments[1..]),
    };
    Ok(Plan::new(number, arguments).replying(move |length, answer| {
        put_bytes(answer, "data", &get_bytes(buffer, length as usize));
    }))
}

fn unlinkat(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::AT)?;
    Ok(Plan::new(libc::SYS_unlinkat, &[f.dirfd("dirfd")?, f.path("path", area)?, flags]))
}

fn truncate(f: &Fields<'_>, area: &mut Area) -> Planned {
    Ok(Plan::new(libc::SYS_truncate, &[f.path("path", area)?, f.number("length")?]))
}

fn chown(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let path = f.path("path", area)?;
    Ok(Plan::new(number, &[path, f.number("uid")?, f.number("gid")?]))
}

fn fchown(f: &Fields<'_>) -> Planned {
    Ok(Plan::new(libc::SYS_fchown, &[f.number("fd")?, f.number("uid")?, f.number("gid")?]))
}

fn fchownat(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::AT)?;
    let path = f.path("path", area)?;
    let owner = (f.number("uid")?, f.number("gid")?);
    Ok(Plan::new(libc::SYS_fchownat, &[f.dirfd("dirfd")?, path, owner.0, owner.1, flags]))
}

fn utimensat(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::AT)?;
    let path = f.path("path", area)?;
    let times = if f.has("atime") || f.has("mtime") {
        let (atime, mtime) = (file_time("atime", f)?, file_time("mtime", f)?);
        area.put(&[atime[0], atime[1], mtime[0], mtime[1]])?
    } else {
        0
    };
    Ok(Plan::new(libc::SYS_utimensat, &[f.dirfd("dirfd")?, path, times, flags]))
}

/// Seconds and nanoseconds; UTIME_NOW and UTIME_OMIT stand in the nanoseconds (utimensat(2)).
fn file_time(name: &str, f: &Fields<'_>) -> Result<[u64; 2], String> {
    match f.value(name) {
        None => Ok([0, libc::UTIME_OMIT as u64]),
        Some(serde_json::Value::Object(_)) => {
            let time = f.object(name)?;
            Ok([time.number_or("sec", 0)?, time.number_or("nsec", 0)?])
        }
        Some(_) => Ok([0, f.flags(name, names::UTIME)?]),
    }
}

fn optional(name: &str, f: &Fields<'_>, area: &mut Area) -> Result<u64, String> {
    if f.has_bytes(name) { f.path(name, area) } else { Ok(0) }
}

fn mount(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("mountflags", names::MOUNT)?;
    let kind = if f.has_bytes("filesystemtype") { f.bytes("filesystemtype")? } else { None };
    let harmless: [&[u8]; 4] = [b"tmpfs", b"proc", b"devpts", b"overlay"];
    if kind.as_deref().is_some_and(|kind| !kind.is_empty() && !harmless.contains(&kind)) {
        return Err(
            "field filesystemtype: the host twin mounts tmpfs, proc, devpts and overlay".into()
        );
    }
    let source = optional("source", f, area)?;
    let target = f.path("target", area)?;
    let kind = optional("filesystemtype", f, area)?;
    let data = optional("data", f, area)?;
    Ok(Plan::new(libc::SYS_mount, &[source, target, kind, flags, data]))
}

fn umount2(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::UMOUNT)?;
    if f.bytes("target")?.is_some_and(|path| path.iter().all(|byte| *byte == b'/')) {
        return Err("field target: the host twin keeps its root mounted".into());
    }
    Ok(Plan::new(libc::SYS_umount2, &[f.path("target", area)?, flags]))
}
