//! The operations that look at the whole kernel: `processes` and `tree`.

use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use crate::calls::file::file_type;
use crate::fields::{Fields, Object, put_bytes};
use crate::sandbox::{Sandbox, check, open_at};
use crate::session::Session;

/// Every process of the pid namespace, zombies too, by pid. A process that waits for a request is
/// in user space, as far as the protocol goes: R.
pub(crate) fn processes(session: &Session) -> Value {
    let Some(sandbox) = session.sandbox() else { return json!({ "processes": [] }) };
    let names = names(&sandbox.proc).unwrap_or_default();
    let mut pids: Vec<i32> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let list: Vec<Value> = pids.iter().filter_map(|pid| process(session, sandbox, *pid)).collect();
    json!({ "processes": list })
}

fn process(session: &Session, sandbox: &Sandbox, pid: i32) -> Option<Value> {
    let mut text = Vec::new();
    let file = open_at(&sandbox.proc, &format!("{pid}/stat"), libc::O_RDONLY).ok()?;
    File::from(file).read_to_end(&mut text).ok()?;
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let rest = String::from_utf8_lossy(&text[close + 1..]).into_owned();
    let mut words = rest.split_whitespace();
    let state = words.next()?;
    let ids: Vec<i32> = words.take(3).filter_map(|word| word.parse().ok()).collect();
    let state = if session.is_idle(pid) { "R" } else { state };
    let mut shown = Object::new();
    shown.insert("pid".into(), pid.into());
    for (name, id) in ["ppid", "pgid", "sid"].iter().zip(ids) {
        shown.insert((*name).into(), id.into());
    }
    shown.insert("state".into(), state.into());
    put_bytes(&mut shown, "comm", text.get(open + 1..close)?);
    Some(shown.into())
}

/// Every inode below a path of the sandbox, mounts not entered, sorted by the bytes of the path.
pub(crate) fn tree(session: &Session, fields: &Fields<'_>) -> Result<Value, String> {
    let sandbox = session.sandbox().ok_or("there is no sandbox")?;
    let top = fields.bytes("path")?.ok_or("field path is null")?;
    if !top.starts_with(b"/") {
        return Err("field path is not absolute".into());
    }
    let problem = |error: io::Error| format!("tree: {error}");
    let path = CString::new(top.clone()).map_err(|_| "field path holds a NUL")?;
    let directory = open_in_root(sandbox, &path).map_err(problem)?;
    let mount = stat(&directory, OsStr::new("."), false).map_err(problem)?.mount;
    let mut prefix = top;
    while prefix.last() == Some(&b'/') {
        prefix.pop();
    }
    let mut found = Vec::new();
    walk(&directory, &prefix, mount, &mut found).map_err(problem)?;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let list: Vec<Value> = found.into_iter().map(|(_, shown)| shown.into()).collect();
    Ok(json!({ "tree": list }))
}

fn walk(
    directory: &OwnedFd,
    prefix: &[u8],
    mount: u64,
    found: &mut Vec<(Vec<u8>, Object)>,
) -> io::Result<()> {
    for name in names(directory)? {
        let seen = stat(directory, &name, true)?;
        let path = [prefix, b"/", name.as_bytes()].concat();
        let mut shown = Object::new();
        put_bytes(&mut shown, "path", &path);
        shown.extend(seen.shown);
        if seen.kind == "symlink" {
            put_bytes(&mut shown, "target", &link_target(directory, &name)?);
        }
        if seen.kind == "dir" && seen.mount == mount {
            let below = open_directory(directory, &name)?;
            walk(&below, &path, mount, found)?;
        }
        found.push((path, shown));
    }
    Ok(())
}

struct Seen {
    kind: &'static str,
    mount: u64,
    shown: Object,
}

fn stat(directory: &OwnedFd, name: &OsStr, nofollow: bool) -> io::Result<Seen> {
    let name = CString::new(name.as_bytes())?;
    // SAFETY: an all-zero statx is valid; plain system call with a name that lives long enough.
    let x = unsafe {
        let mut x: libc::statx = std::mem::zeroed();
        let flags = if nofollow { libc::AT_SYMLINK_NOFOLLOW } else { 0 } | libc::AT_NO_AUTOMOUNT;
        let mask = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID;
        check(libc::statx(directory.as_raw_fd(), name.as_ptr(), flags, mask, &raw mut x))?;
        x
    };
    let kind = file_type(u32::from(x.stx_mode));
    let shown = json!({
        "type": kind, "mode": x.stx_mode & 0o7777, "nlink": x.stx_nlink, "uid": x.stx_uid, "gid": x.stx_gid,
        "size": x.stx_size,
    });
    let Value::Object(shown) = shown else { return Err(io::Error::other("no object")) };
    Ok(Seen { kind, mount: x.stx_mnt_id, shown })
}

fn link_target(directory: &OwnedFd, name: &OsStr) -> io::Result<Vec<u8>> {
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let target = fs::read_link(std::path::Path::new(&path).join(name))?;
    Ok(target.as_os_str().as_bytes().to_vec())
}

fn names(directory: &OwnedFd) -> io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect()
}

fn open_directory(directory: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let name = CString::new(name.as_bytes())?;
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: plain system call with a name that lives long enough; the descriptor is new and ours.
    unsafe {
        let fd = libc::openat(directory.as_raw_fd(), name.as_ptr(), flags);
        Ok(OwnedFd::from_raw_fd(check(fd)?))
    }
}

fn open_in_root(sandbox: &Sandbox, path: &CString) -> io::Result<OwnedFd> {
    // SAFETY: an all-zero open_how is valid; plain system call; the descriptor is new and ours.
    unsafe {
        let mut how: libc::open_how = std::mem::zeroed();
        how.flags = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) as u64;
        how.resolve = libc::RESOLVE_IN_ROOT;
        let (root, size) = (sandbox.root.as_raw_fd(), size_of::<libc::open_how>());
        let fd = libc::syscall(libc::SYS_openat2, root, path.as_ptr(), &raw const how, size);
        Ok(OwnedFd::from_raw_fd(check(fd as i32)?))
    }
}
