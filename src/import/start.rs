//! The first state of a recording: root process, descriptors, limits, work tree (IMPORT.md sections
//! 4 to 6).
//!
//! From the side file; what it does not say is inferred from the recording's first lines.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use tickernel_systems::abi::flags::{O_ACCMODE, O_LARGEFILE, O_RDONLY, O_RDWR, S_IFMT};
use tickernel_systems::abi::{Credentials, Rlimit, SigSet, Stat, Timespec};
use tickernel_systems::fs::{Fs, Meta};
use tickernel_systems::wire::Bytes;
use tickernel_systems::{Boot, BootFd, BootTarget};

use super::initial::{Initial, Shape};
use super::meta::{self, SideFile, SideRow};
use super::numbers;
use crate::replay::stat_bits;
use crate::strace::{Call, Event, EventKind, Fd, Recording, Value};

/// Calls of the root that are looked at for what it inherited.
const LOOKED_AT_CALLS: usize = 400;

/// A first state being put together.
pub struct Start {
    /// The root process.
    pub boot: Boot,
    /// Facts about the tree.
    pub initial: Initial,
    /// The live tree with these facts.
    pub fs: Fs,
    /// The clock at the first line, in ns since 1970.
    pub start_ns: u64,
}

/// Puts the first state together.
pub fn start(recording: &Recording, side: &SideFile) -> Start {
    let start_ns =
        side.start.map_or(1_000_000_000_000_000_000, |start| (start.clamp(0.0, 9e9) * 1e9) as u64);
    let now = Timespec::from_ns(start_ns);
    let mut fs = Fs::new(now);
    let mut initial = Initial::new(&mut fs, now);
    let root = side.root_pid.or_else(|| first_tid(recording)).unwrap_or(1).max(1);
    let calls = calls_of(recording, root);
    let cwd = side.cwd.clone().map(String::into_bytes).or_else(|| printed_cwd(recording, &calls));
    let cwd = cwd.filter(|cwd| cwd.first() == Some(&b'/')).unwrap_or_else(|| b"/unknown".to_vec());
    // A directory that cannot be made is reported by the first call that needs it.
    initial.add_path(&mut fs, &cwd, Shape::Directory, Meta::directory(0o755)).ok();
    for row in side.pre.iter().chain(&side.files) {
        add_row(&mut initial, &mut fs, &cwd, row);
    }
    let mut hard_links: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for row in &side.pre {
        link_row(&mut initial, &mut fs, &cwd, row, &mut hard_links);
    }
    let mut fds = inherited(side, &calls, &mut initial, &mut fs);
    if side.initial_fds.is_empty() {
        kinds_of_unnamed(recording, &calls, &mut fds, &mut initial, &mut fs);
    }
    let boot = Boot {
        pid: root,
        pgid: side.pgid.or_else(|| printed_group(recording, side)).unwrap_or(root),
        sid: side.sid.or_else(|| printed_session(recording, &calls, side)).unwrap_or(root),
        ppid: side.ppid.or_else(|| printed_number(&calls, "getppid")).unwrap_or(1),
        is_init: false,
        credentials: credentials(side, &calls),
        umask: side.umask.as_deref().and_then(meta::octal).unwrap_or(0o22),
        cwd: Bytes(cwd),
        ignored: SigSet::EMPTY,
        mask: SigSet::EMPTY,
        limits: side.limits(printed_limits(recording, &calls, Boot::default().limits)),
        fds,
        last_pid: root,
        ..Boot::default()
    };
    Start { boot, initial, fs, start_ns }
}

/// The task of the first line that has one; 0 for a recording without pids.
fn first_tid(recording: &Recording) -> Option<u32> {
    recording.events.iter().find_map(|event| event.tid)
}

/// The first calls of a task.
fn calls_of(recording: &Recording, root: u32) -> Vec<&Call> {
    let entry = |event: &Event| match event.kind {
        EventKind::Entry { call } if event.tid.is_none_or(|tid| tid == root) => {
            recording.calls.get(call)
        }
        _ => None,
    };
    recording.events.iter().filter_map(entry).take(LOOKED_AT_CALLS).collect()
}

/// The text after AT_FDCWD; else what a task is told that asks before one changes its own.
fn printed_cwd(recording: &Recording, calls: &[&Call]) -> Option<Vec<u8>> {
    let at_cwd = |fd: &Fd| fd.number.resolve(&|name| (name == "AT_FDCWD").then_some(-100));
    let printed = calls.iter().flat_map(|call| &call.args).filter_map(Value::as_fd);
    let printed = printed.filter(|fd| at_cwd(fd) == Some(-100)).map(|fd| fd.text.clone()).next();
    let changes = |call: &Call| matches!(&*call.name, "chdir" | "fchdir" | "chroot");
    let asked = || {
        let mut told = inherited_before(recording, changes);
        let call = told.find(|call| &*call.name == "getcwd")?;
        Some(call.args.first()?.as_bytes()?.to_vec())
    };
    printed.or_else(asked)
}

fn printed_number(calls: &[&Call], name: &str) -> Option<u32> {
    let call = calls.iter().find(|call| &*call.name == name)?;
    u32::try_from(call.result.as_ref()?.number()?).ok()
}

/// The calls of all tasks before the first that changes what children inherit.
fn inherited_before(
    recording: &Recording,
    changes: impl Fn(&Call) -> bool,
) -> impl Iterator<Item = &Call> {
    let entry = |event: &Event| match event.kind {
        EventKind::Entry { call } => recording.calls.get(call),
        _ => None,
    };
    recording.events.iter().filter_map(entry).take_while(move |call| !changes(call))
}

/// The group that the root, or any task before one changes its own, tells of: children inherit it
/// (setpgid(2), NOTES).
fn printed_group(recording: &Recording, side: &SideFile) -> Option<u32> {
    if side.sid_is_root == Some(true) {
        return None;
    }
    let changes = |call: &Call| matches!(&*call.name, "setpgid" | "setsid");
    let told = inherited_before(recording, changes).find(|call| &*call.name == "getpgrp")?;
    u32::try_from(told.result.as_ref()?.number()?).ok().filter(|group| *group > 0)
}

/// The session that the root tells of before it changes it; without that its group's number.
fn printed_session(recording: &Recording, calls: &[&Call], side: &SideFile) -> Option<u32> {
    if side.sid_is_root == Some(true) {
        return None;
    }
    let before = calls.iter().take_while(|call| &*call.name != "setsid");
    let before: Vec<&Call> = before.copied().collect();
    let own = before
        .iter()
        .find(|call| &*call.name == "getsid" && call.arg(0).and_then(Value::as_i32) == Some(0));
    let told = own.and_then(|call| u32::try_from(call.result.as_ref()?.number()?).ok());
    told.or_else(|| printed_group(recording, side))
}

fn credentials(side: &SideFile, calls: &[&Call]) -> Credentials {
    let uid = side.uid.or_else(|| printed_number(calls, "getuid"));
    let uid = uid.or_else(|| printed_number(calls, "geteuid")).unwrap_or(0);
    let gid = side.gid.or_else(|| printed_number(calls, "getgid")).unwrap_or(uid);
    Credentials::user(uid, gid, side.groups.clone().unwrap_or_default())
}

/// Limits that the root asked for before it set them.
fn printed_limits(
    recording: &Recording,
    calls: &[&Call],
    mut limits: [Rlimit; 16],
) -> [Rlimit; 16] {
    let changes = |call: &Call| match &*call.name {
        "setrlimit" => true,
        "prlimit64" => !matches!(call.arg(2), Some(Value::Null)),
        _ => false,
    };
    let mut seen = BTreeSet::new();
    for call in calls.iter().copied().chain(inherited_before(recording, changes)) {
        let (resource, old) = match &*call.name {
            "prlimit64" => (call.arg(1), call.arg(3)),
            "getrlimit" => (call.arg(0), call.arg(1)),
            _ => continue,
        };
        let table = tickernel_systems::abi::flags::RESOURCES;
        let resource = resource.and_then(|value| numbers::bits32(value, table));
        let old = old.and_then(numbers::rlimit);
        if let (Some(resource), Some(old)) = (resource, old)
            && let Some(slot) = limits.get_mut(resource as usize).filter(|_| seen.insert(resource))
        {
            *slot = old;
        }
    }
    limits
}

fn row_path(cwd: &[u8], row: &SideRow) -> Vec<u8> {
    if row.path.starts_with('/') {
        return row.path.clone().into_bytes();
    }
    let mut path = cwd.to_vec();
    for part in row.path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        path.push(b'/');
        path.extend_from_slice(part.as_bytes());
    }
    path
}

fn add_row(initial: &mut Initial, fs: &mut Fs, cwd: &[u8], row: &SideRow) {
    let Some(mode) = meta::octal(&row.mode) else { return };
    let time = row.mtime_ns.and_then(|ns| u64::try_from(ns).ok()).map(Timespec::from_ns);
    let shape = match (Shape::of(mode, 0), &row.target) {
        (Shape::Link(_), Some(target)) => Shape::Link(target.clone().into_bytes()),
        (shape, _) => shape,
    };
    let path = row_path(cwd, row);
    // Known rows come again as further names of one file; `link_row` makes those.
    let place = match fs.at_path(&path) {
        Ok(place) => place,
        Err(_) if row.nlink.unwrap_or(1) > 1 && shape == Shape::File => return,
        Err(_) => match initial.add_path(fs, &path, shape.clone(), Meta::mode(mode & 0o7777)) {
            Ok(place) => place,
            Err(_) => return,
        },
    };
    describe_row(initial, fs, place, row, mode, time);
}

fn describe_row(
    initial: &mut Initial,
    fs: &mut Fs,
    place: tickernel_systems::fs::Place,
    row: &SideRow,
    mode: u32,
    time: Option<Timespec>,
) {
    use stat_bits::*;
    let data = row.data_b64.as_ref();
    let data = data.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let size = data.as_ref().map_or(row.size, |data| data.len() as u64);
    let stat = Stat {
        mode,
        uid: row.uid,
        gid: row.gid,
        nlink: row.nlink.unwrap_or(1),
        size,
        mtime: time.unwrap_or_default(),
        ..Stat::default()
    };
    let mut members = MODE | UID | GID | SIZE;
    members |= if row.nlink.is_some() && mode & S_IFMT == tickernel_systems::abi::flags::S_IFDIR {
        NLINK
    } else {
        0
    };
    members |= if time.is_some() { MTIME } else { 0 };
    initial.see_stat(fs, place, &stat, members);
    if let Some(data) = data {
        initial.see_bytes(fs, place, 0, &data);
    }
}

/// Files with several names: the first name makes the file, the others are links to it.
fn link_row(
    initial: &mut Initial,
    fs: &mut Fs,
    cwd: &[u8],
    row: &SideRow,
    seen: &mut BTreeMap<u64, Vec<u8>>,
) {
    let Some(mode) = meta::octal(&row.mode) else { return };
    if row.nlink.unwrap_or(1) < 2 || Shape::of(mode, 0) != Shape::File {
        return;
    }
    let path = row_path(cwd, row);
    let first = row.ino.and_then(|ino| seen.get(&ino).cloned());
    let made = match first {
        Some(first) => (|| {
            let old = fs.at_path(&first).ok()?;
            let file = initial.of(fs, old)?;
            let cut = path.iter().rposition(|byte| *byte == b'/')?;
            let (directory, name) = path.split_at(cut);
            let directory = fs.at_path(if directory.is_empty() { b"/" } else { directory }).ok()?;
            initial.add_name(fs, file, directory, name.get(1..)?).ok()
        })(),
        None => {
            let meta = Meta::mode(mode & 0o7777);
            let place = initial.add_path(fs, &path, Shape::File, meta).ok();
            if let (Some(ino), Some(place)) = (row.ino, place) {
                seen.insert(ino, path);
                let time = row.mtime_ns.and_then(|ns| u64::try_from(ns).ok());
                describe_row(initial, fs, place, row, mode, time.map(Timespec::from_ns));
            }
            None
        }
    };
    let _: Option<()> = made;
}

/// The descriptors that the root has from the start.
fn inherited(side: &SideFile, calls: &[&Call], initial: &mut Initial, fs: &mut Fs) -> Vec<BootFd> {
    let mut found: BTreeMap<u32, BootFd> = BTreeMap::new();
    for (number, fd) in &side.initial_fds {
        let Ok(number) = number.parse::<u32>() else { continue };
        let path = fd.path.clone().unwrap_or_else(|| "/dev/null".to_owned());
        let flags = fd.flags.as_deref().map_or(O_RDWR, meta::open_flags) | O_LARGEFILE;
        let target = target_of(path.as_bytes(), None, initial, fs);
        found.insert(number, BootFd { fd: number, target, flags, cloexec: false });
    }
    if side.initial_fds.is_empty() {
        infer_fds(calls, initial, fs, &mut found);
    }
    // Two descriptors of the same file stay two descriptions: what they share nobody can tell.
    found.into_values().collect()
}

fn infer_fds(
    calls: &[&Call],
    initial: &mut Initial,
    fs: &mut Fs,
    found: &mut BTreeMap<u32, BootFd>,
) {
    let mut own: BTreeSet<u32> = BTreeSet::new();
    for call in calls {
        for fd in call.args.iter().filter_map(Value::as_fd) {
            let number = fd.number.as_i32().and_then(|number| u32::try_from(number).ok());
            let Some(number) = number.filter(|number| *number < 1024 && !own.contains(number))
            else {
                continue;
            };
            if found.contains_key(&number) {
                continue;
            }
            let target = target_of(&fd.text, fd.device.as_deref(), initial, fs);
            let flags =
                O_RDWR | if matches!(target, BootTarget::Path(_)) { O_LARGEFILE } else { 0 };
            let flags = match number {
                0 => flags & !O_ACCMODE | O_RDONLY,
                1 | 2 => flags & !O_ACCMODE | 1,
                _ => flags,
            };
            found.insert(number, BootFd { fd: number, target, flags, cloexec: false });
        }
        let made = call.result.as_ref().and_then(|result| result.value.as_ref());
        let made = made.and_then(Value::as_fd).and_then(|fd| fd.number.as_i32());
        own.extend(made.and_then(|fd| u32::try_from(fd).ok()));
        if let Some([read, write]) = call.args.first().and_then(Value::items)
            && (&*call.name == "pipe" || &*call.name == "pipe2")
        {
            let ends = [read.as_i32(), write.as_i32()].into_iter().flatten();
            own.extend(ends.filter_map(|fd| u32::try_from(fd).ok()));
        }
    }
    infer_gaps(calls, found);
    for number in 0..3 {
        found.entry(number).or_insert_with(|| unknown_fd(number));
    }
}

/// Standard descriptors without a printed name: what the first stat of one says that it is.
fn kinds_of_unnamed(
    recording: &Recording,
    calls: &[&Call],
    fds: &mut [BootFd],
    initial: &mut Initial,
    fs: &mut Fs,
) {
    if calls.iter().flat_map(|call| &call.args).any(|arg| arg.as_fd().is_some()) {
        return;
    }
    let all = recording.events.iter().filter_map(|event| match event.kind {
        EventKind::Entry { call } => recording.calls.get(call),
        _ => None,
    });
    let mut seen = BTreeSet::new();
    // Descriptors that a task or an ancestor of it made itself.
    let mut own: BTreeSet<(Option<u32>, i32)> = BTreeSet::new();
    for call in all {
        follow_own(call, &mut own);
        let stat = match &*call.name {
            "fstat" => call.arg(1),
            "newfstatat" if call.arg(1).and_then(Value::as_bytes) == Some(b"") => call.arg(2),
            _ => continue,
        };
        let number = call.arg(0).and_then(Value::as_i32);
        let Some(number) = number.filter(|number| !own.contains(&(call.tid, *number))) else {
            continue;
        };
        let Some((stat, _)) = stat.and_then(numbers::stat) else { continue };
        let Some(fd) = fds.iter_mut().find(|fd| fd.fd < 3 && fd.fd as i32 == number) else {
            continue;
        };
        if !seen.insert(number) {
            continue;
        }
        let path = format!("/unknown-{number}").into_bytes();
        match Shape::of(stat.mode, stat.rdev) {
            Shape::Fifo => {
                fd.target = BootTarget::Pipe(fd.fd + 1);
                fd.flags &= !O_LARGEFILE;
            }
            Shape::File if initial.add_path(fs, &path, Shape::File, Meta::mode(0o644)).is_ok() => {
                fd.target = BootTarget::Path(Bytes(path));
            }
            Shape::Char(rdev)
                if rdev != tickernel_systems::abi::flags::makedev(1, 3)
                    && initial
                        .add_path(fs, &path, Shape::Char(rdev), Meta::mode(0o620))
                        .is_ok() =>
            {
                fd.target = BootTarget::Path(Bytes(path));
            }
            _ => {}
        }
    }
}

/// Notes the standard descriptors that a call makes, and hands a child those of its parent.
fn follow_own(call: &Call, own: &mut BTreeSet<(Option<u32>, i32)>) {
    let result = call.result.as_ref().and_then(|result| result.number());
    let value = result.and_then(|value| i32::try_from(value).ok());
    match &*call.name {
        "clone" | "clone3" | "fork" | "vfork" => {
            let child = value.and_then(|pid| u32::try_from(pid).ok());
            let inherited = (0..3).filter(|fd| own.contains(&(call.tid, *fd)));
            let inherited: Vec<_> = inherited.map(|fd| (child, fd)).collect();
            own.extend(inherited);
        }
        "dup" | "dup2" | "dup3" | "open" | "openat" | "fcntl" | "socket" => {
            own.extend(value.filter(|fd| (0..3).contains(fd)).map(|fd| (call.tid, fd)));
        }
        "close" => {
            let fd = call.arg(0).and_then(Value::as_i32);
            own.extend(fd.filter(|fd| (0..3).contains(fd)).map(|fd| (call.tid, fd)));
        }
        _ => {}
    }
}

/// Numbers that are skipped although nothing was seen there: something unknown is open.
fn infer_gaps(calls: &[&Call], found: &mut BTreeMap<u32, BootFd>) {
    let mut open: BTreeSet<u32> = found.keys().copied().chain(0..3).collect();
    let mut take = |open: &mut BTreeSet<u32>, from: u32, got: u32| {
        for number in from..got.min(from.saturating_add(64)) {
            if open.insert(number) {
                found.insert(number, unknown_fd(number));
            }
        }
        open.insert(got);
    };
    for call in calls {
        let value = call.result.as_ref().and_then(|result| result.number());
        let Some(value) = value.and_then(|value| u32::try_from(value).ok()) else { continue };
        let arg = |index: usize| call.arg(index).and_then(Value::as_i32);
        match &*call.name {
            "open" | "openat" | "creat" | "dup" | "socket" | "epoll_create1" | "eventfd2"
            | "accept4" => take(&mut open, 0, value),
            "fcntl" => {
                let table = tickernel_systems::abi::flags::FCNTL_COMMANDS;
                let cmd = call.arg(1).and_then(|cmd| numbers::bits32(cmd, table));
                let from = arg(2).and_then(|from| u32::try_from(from).ok());
                if let (Some(0 | 1030), Some(from)) = (cmd, from) {
                    take(&mut open, from, value);
                }
            }
            "dup2" | "dup3" => {
                open.insert(value);
            }
            "pipe" | "pipe2" => {
                let ends = call.arg(0).and_then(Value::items).unwrap_or_default();
                for end in ends.iter().filter_map(Value::as_i32) {
                    if let Ok(end) = u32::try_from(end) {
                        take(&mut open, 0, end);
                    }
                }
            }
            "close" => {
                if let Some(fd) = arg(0).and_then(|fd| u32::try_from(fd).ok()) {
                    open.remove(&fd);
                }
            }
            // What it closes is not followed here.
            "close_range" => return,
            _ => {}
        }
    }
}

fn unknown_fd(fd: u32) -> BootFd {
    BootFd {
        fd,
        target: BootTarget::Path(Bytes(b"/dev/null".to_vec())),
        flags: O_RDWR | O_LARGEFILE,
        cloexec: false,
    }
}

/// What a descriptor's text names, made where it is not there.
fn target_of(text: &[u8], device: Option<&[u8]>, initial: &mut Initial, fs: &mut Fs) -> BootTarget {
    if let Some(number) = text.strip_prefix(b"pipe:[").and_then(|rest| rest.strip_suffix(b"]")) {
        let number = std::str::from_utf8(number).ok().and_then(|text| text.parse::<u64>().ok());
        return BootTarget::Pipe(number.unwrap_or(0) as u32);
    }
    if text.first() != Some(&b'/') {
        return BootTarget::Path(Bytes(b"/dev/null".to_vec()));
    }
    let shape = match device.and_then(device_number) {
        Some(rdev) => Shape::Char(rdev),
        None => Shape::File,
    };
    match initial.add_path(fs, text, shape, Meta::mode(0o644)) {
        Ok(_) => BootTarget::Path(Bytes(text.to_vec())),
        Err(_) => BootTarget::Path(Bytes(b"/dev/null".to_vec())),
    }
}

/// `char 136:0`
fn device_number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (major, minor) = text.strip_prefix("char ")?.split_once(':')?;
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    Some(tickernel_systems::abi::flags::makedev(major, minor))
}
