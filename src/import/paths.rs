//! Which paths a call names and what it does to them; arithmetic on paths. No state here.

use tickernel_systems::abi::flags::*;
use tickernel_systems::event::{Call, Path};

use crate::replay::stat_bits;

/// One path that a call names.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// Where it starts.
    pub dirfd: i32,
    /// The path; empty = `dirfd` itself.
    pub path: &'a [u8],
    /// Whether a link at its end is followed.
    pub follow: bool,
    /// The call makes this name.
    pub creates: bool,
    /// It may have been there all the same (open with `O_CREAT`).
    pub may_exist: bool,
    /// The call takes this name away.
    pub removes: bool,
    /// What is there is a directory.
    pub directory: bool,
}

fn plain(dirfd: i32, path: Path<'_>) -> Option<Use<'_>> {
    let path = path?;
    Some(Use {
        dirfd,
        path,
        follow: true,
        creates: false,
        may_exist: false,
        removes: false,
        directory: path.last() == Some(&b'/'),
    })
}

fn nofollow(one: Option<Use<'_>>) -> Option<Use<'_>> {
    one.map(|one| Use { follow: false, ..one })
}

fn creates(one: Option<Use<'_>>) -> Option<Use<'_>> {
    one.map(|one| Use { follow: false, creates: true, ..one })
}

fn removes(one: Option<Use<'_>>) -> Option<Use<'_>> {
    one.map(|one| Use { follow: false, removes: true, ..one })
}

fn directory(one: Option<Use<'_>>) -> Option<Use<'_>> {
    one.map(|one| Use { directory: true, ..one })
}

fn opened(dirfd: i32, path: Path<'_>, flags: u32) -> Option<Use<'_>> {
    let made = flags & O_CREAT != 0;
    let temporary = flags & O_TMPFILE & !O_DIRECTORY != 0;
    plain(dirfd, path).map(|one| Use {
        follow: flags & O_NOFOLLOW == 0,
        creates: made,
        may_exist: made && flags & O_EXCL == 0,
        directory: one.directory || flags & O_DIRECTORY != 0 || temporary,
        ..one
    })
}

fn at(dirfd: i32, path: Path<'_>, flags: u32) -> Option<Use<'_>> {
    plain(dirfd, path).map(|one| Use { follow: flags & AT_SYMLINK_NOFOLLOW == 0, ..one })
}

/// The path by which a descriptor leads to where openat2(2) looks; `None` if the names alone do not
/// tell that.
fn below(path: &[u8], resolve: u32) -> Option<&[u8]> {
    let in_root = resolve & RESOLVE_IN_ROOT != 0;
    let goes_up = path.split(|byte| *byte == b'/').any(|name| name == b"..");
    if resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH) != 0 && goes_up {
        return None;
    }
    let start = path.iter().position(|byte| *byte != b'/').filter(|_| in_root);
    match path.get(start.unwrap_or(0)..) {
        // The directory itself.
        Some(b"/") if in_root => Some(b"."),
        rest => rest,
    }
}

/// The paths that a call names, in the order of its arguments.
pub fn uses<'c>(call: &'c Call<'_>) -> Vec<Use<'c>> {
    const CWD: i32 = AT_FDCWD;
    let (one, two) = match *call {
        Call::Open { path, flags, .. } => (opened(CWD, path, flags), None),
        Call::Openat { dirfd, path, flags, .. } => (opened(dirfd, path, flags), None),
        Call::Openat2 { dirfd, path, flags, resolve, .. } => {
            let path = path.and_then(|path| below(path, resolve));
            (opened(dirfd, path, flags), None)
        }
        Call::Creat { path, .. } => (opened(CWD, path, O_CREAT | O_TRUNC | O_WRONLY), None),
        Call::Stat { path }
        | Call::Access { path, .. }
        | Call::Execve { path, .. }
        | Call::Chmod { path, .. }
        | Call::Chown { path, .. }
        | Call::Truncate { path, .. }
        | Call::Statfs { path }
        | Call::Getxattr { path, .. }
        | Call::Listxattr { path, .. } => (plain(CWD, path), None),
        Call::Setxattr { path, .. } | Call::Removexattr { path, .. } => (plain(CWD, path), None),
        Call::Lsetxattr { path, .. } | Call::Lremovexattr { path, .. } => {
            (nofollow(plain(CWD, path)), None)
        }
        Call::Connect { addr: tickernel_systems::abi::Address::Unix(ref path), .. } => {
            (plain(CWD, Some(&path.0)), None)
        }
        Call::Lstat { path }
        | Call::Lchown { path, .. }
        | Call::Lgetxattr { path, .. }
        | Call::Llistxattr { path, .. }
        | Call::Readlink { path, .. } => (nofollow(plain(CWD, path)), None),
        Call::Newfstatat { dirfd, path, flags }
        | Call::Statx { dirfd, path, flags, .. }
        | Call::Faccessat2 { dirfd, path, flags, .. }
        | Call::Fchownat { dirfd, path, flags, .. }
        | Call::Fchmodat2 { dirfd, path, flags, .. }
        | Call::Utimensat { dirfd, path, flags, .. } => {
            (at(dirfd, path.or(Some(b"")), flags), None)
        }
        Call::Faccessat { dirfd, path, .. } | Call::Fchmodat { dirfd, path, .. } => {
            (plain(dirfd, path), None)
        }
        Call::Readlinkat { dirfd, path, .. } => (nofollow(plain(dirfd, path)), None),
        Call::InotifyAddWatch { pathname, mask, .. } => {
            let one = plain(CWD, pathname);
            let one = if mask & IN_DONT_FOLLOW != 0 { nofollow(one) } else { one };
            (if mask & IN_ONLYDIR != 0 { directory(one) } else { one }, None)
        }
        // A bind needs its source too, and both are of one kind (mount(2)).
        Call::Mount { source, target, mountflags, .. } => {
            let binds = mountflags & u64::from(MS_BIND | MS_MOVE) != 0;
            let remounts = mountflags & u64::from(MS_REMOUNT) != 0;
            let target = plain(CWD, target);
            let target = if binds { target } else { directory(target) };
            (target, source.filter(|_| binds && !remounts).and_then(|it| plain(CWD, Some(it))))
        }
        Call::Umount2 { target, flags } => {
            let one = plain(CWD, target);
            (if flags & UMOUNT_NOFOLLOW != 0 { nofollow(one) } else { one }, None)
        }
        Call::Chdir { path } | Call::Chroot { path } => (directory(plain(CWD, path)), None),
        _ => changed(call),
    };
    one.into_iter().chain(two).collect()
}

/// The paths of calls that make and remove names.
fn changed<'c>(call: &'c Call<'_>) -> (Option<Use<'c>>, Option<Use<'c>>) {
    const CWD: i32 = AT_FDCWD;
    match *call {
        Call::Mkdir { path, .. } | Call::Mknod { path, .. } => (creates(plain(CWD, path)), None),
        Call::Mkdirat { dirfd, path, .. } | Call::Mknodat { dirfd, path, .. } => {
            (creates(plain(dirfd, path)), None)
        }
        Call::Symlink { linkpath, .. } => (creates(plain(CWD, linkpath)), None),
        Call::Symlinkat { newdirfd, linkpath, .. } => (creates(plain(newdirfd, linkpath)), None),
        Call::Unlink { path } => (removes(plain(CWD, path)), None),
        Call::Rmdir { path } => (directory(removes(plain(CWD, path))), None),
        Call::Unlinkat { dirfd, path, flags } => {
            let one = removes(plain(dirfd, path));
            (if flags & AT_REMOVEDIR != 0 { directory(one) } else { one }, None)
        }
        Call::Rename { oldpath, newpath } => {
            (removes(plain(CWD, oldpath)), creates(plain(CWD, newpath)))
        }
        Call::Renameat { olddirfd, oldpath, newdirfd, newpath }
        | Call::Renameat2 { olddirfd, oldpath, newdirfd, newpath, .. } => {
            (removes(plain(olddirfd, oldpath)), creates(plain(newdirfd, newpath)))
        }
        Call::Link { oldpath, newpath } => {
            (nofollow(plain(CWD, oldpath)), creates(plain(CWD, newpath)))
        }
        Call::Linkat { olddirfd, oldpath, newdirfd, newpath, flags } => {
            let old = plain(olddirfd, oldpath);
            let old = old.map(|one| Use { follow: flags & AT_SYMLINK_FOLLOW != 0, ..one });
            (old, creates(plain(newdirfd, newpath)))
        }
        _ => (None, None),
    }
}

/// Which members of a stat a call sets by itself, so that what is seen later is its doing.
pub fn changed_members(call: &Call<'_>) -> u32 {
    use stat_bits::*;
    match call {
        Call::Chmod { .. }
        | Call::Fchmod { .. }
        | Call::Fchmodat { .. }
        | Call::Fchmodat2 { .. } => MODE | CTIME,
        Call::Chown { .. } | Call::Lchown { .. } | Call::Fchown { .. } | Call::Fchownat { .. } => {
            UID | GID | CTIME
        }
        Call::Utimensat { .. } => MTIME | ATIME | CTIME,
        Call::Truncate { .. } => SIZE | MTIME | CTIME,
        Call::Open { flags, .. } | Call::Openat { flags, .. } | Call::Openat2 { flags, .. }
            if flags & O_TRUNC != 0 =>
        {
            SIZE | MTIME | CTIME
        }
        Call::Creat { .. } => SIZE | MTIME | CTIME,
        _ => 0,
    }
}

/// Whether the old contents are gone after the call.
pub fn truncates(call: &Call<'_>) -> bool {
    match call {
        Call::Open { flags, .. } | Call::Openat { flags, .. } | Call::Openat2 { flags, .. } => {
            flags & O_TRUNC != 0
        }
        Call::Creat { .. } => true,
        _ => false,
    }
}

/// Start and end of each component of a path.
pub fn ends(path: &[u8]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut start = 0;
    for (at, byte) in path.iter().chain(b"/").enumerate() {
        if *byte == b'/' {
            if at > start {
                out.push((start, at));
            }
            start = at + 1;
        }
    }
    out
}

/// The last component of a path.
pub fn last(path: &[u8]) -> &[u8] {
    ends(path).last().and_then(|(start, end)| path.get(*start..*end)).unwrap_or_default()
}

/// Where `own` leads if it is a link: `own` + `rest` was opened, and what came of it is at `real`.
/// `None` if it need not be one.
pub fn link_to(own: &[u8], rest: &[u8], real: &[u8]) -> Option<Vec<u8>> {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> {
        let parts =
            path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
        parts.map(<[u8]>::to_vec).collect()
    };
    let (own, rest, real) = (parts(own), parts(rest), parts(real));
    let name = own.last()?;
    let above = own.get(..own.len() - 1)?;
    if real.get(..own.len()) == Some(own.as_slice()) {
        return None;
    }
    let target = if real.len() >= rest.len() && real.ends_with(&rest) {
        real.get(..real.len() - rest.len())?
    } else {
        // Further links behind this one: it is one itself if its name stands farther down.
        let at = real.iter().skip(above.len() + 1).position(|part| part == name)?;
        real.get(..above.len() + at + 2)?
    };
    if target.is_empty() || target == own {
        return None;
    }
    let mut text = Vec::new();
    let relative = target.get(..above.len()) == Some(above) && target.len() > above.len();
    let shown = if relative { target.get(above.len()..)? } else { target };
    for (index, part) in shown.iter().enumerate() {
        if index > 0 || !relative {
            text.push(b'/');
        }
        text.extend_from_slice(part);
    }
    Some(text)
}
