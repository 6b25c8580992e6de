//! The first state of a recording: root process, descriptors, limits, work tree (IMPORT.md sections
//! 4 to 6).
//!
//! From the side file; what it does not say is inferred from the recording's first lines.

use std::collections::BTreeMap;

use base64::Engine as _;
use tickernel_systems::Boot;
use tickernel_systems::abi::credentials::CAP_FULL;
use tickernel_systems::abi::flags::{RLIMIT_NOFILE, S_IFMT};
use tickernel_systems::abi::{Credentials, Rlimit, SigSet, Stat, Timespec};
use tickernel_systems::fs::{Fs, Meta, Place};
use tickernel_systems::wire::Bytes;

use super::before::{Prelude, Shown};
use super::hints::Hints;
use super::inherited::Inherited;
use super::initial::{Initial, Shape};
use super::meta::{self, SideFile, SideRow};
use super::races::Earlier;
use super::start_fds;
use super::terminals;
use crate::replay::stat_bits;
use crate::strace::Recording;

/// The user that somebody is of whom no call tells who he is.
const SOMEBODY: u32 = 1000;

/// A first state being put together.
pub struct Start {
    /// The root process.
    pub boot: Boot,
    /// Facts about the tree.
    pub initial: Initial,
    /// The live tree with these facts.
    pub fs: Fs,
    /// What the whole recording tells of files.
    pub hints: Hints,
    /// The clock at the first line, in ns since 1970.
    pub start_ns: u64,
    /// Calls of threads that came before others (`races.rs`).
    pub(super) earlier: BTreeMap<u64, Vec<Earlier>>,
    /// Calls that bring about what was there before strace was attached.
    pub(super) prelude: Prelude,
    /// Its descriptors that are terminals'.
    pub(super) terminals: Vec<terminals::Inherited>,
    /// Which calls the recording shows.
    pub(super) shown: Shown,
}

impl Start {
    /// The process with which the kernel begins: the first one, or who leads its session from
    /// outside, if that has a terminal. Only a leader can be given one (ioctl_tty(2), TIOCSCTTY).
    pub fn outermost(&self) -> Boot {
        let boot = self.boot.clone();
        if self.terminals.is_empty() || boot.sid == 0 || boot.sid > meta::MAX_PID {
            return boot;
        }
        let leader = boot.sid;
        let ppid = if leader == boot.pid { boot.ppid } else { 1 };
        let is_init = leader == 1;
        Boot {
            pid: leader,
            pgid: if leader == boot.pid { boot.pgid } else { leader },
            ppid,
            is_init,
            last_pid: leader,
            ..boot
        }
    }
}

/// Puts the first state together.
pub fn start(recording: &Recording, side: &SideFile) -> Start {
    let start_ns =
        side.start.map_or(1_000_000_000_000_000_000, |start| (start.clamp(0.0, 9e9) * 1e9) as u64);
    let now = Timespec::from_ns(start_ns);
    let mut fs = Fs::new(now);
    let mut found = Inherited::of(recording, side.root_pid);
    let root = found.root;
    let cwd = side.cwd.clone().map(String::into_bytes).or_else(|| found.cwd());
    let (cwd, hints) = match cwd.filter(|cwd| cwd.first() == Some(&b'/')) {
        Some(cwd) => (cwd.clone(), Hints::of(recording, &cwd)),
        None => somewhere(recording),
    };
    let mut initial = Initial::new(&mut fs, now, &hints.identities);
    // A directory that cannot be made is reported by the first call that needs it.
    initial.add_path(&mut fs, &cwd, Shape::Directory, Meta::directory(0o755)).ok();
    for row in side.pre.iter().chain(&side.files) {
        add_row(&mut initial, &mut fs, &cwd, row);
    }
    let mut hard_links: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for row in &side.pre {
        link_row(&mut initial, &mut fs, &cwd, row, &mut hard_links);
    }
    let (fds, terminals) = if side.initial_fds.is_empty() {
        start_fds::inferred(&found.fds, &hints.identities, &mut initial, &mut fs)
    } else {
        start_fds::given(side, &mut initial, &mut fs)
    };
    let (pgid, sid, ppid) = family(side, &found);
    let boot = Boot {
        pid: root,
        pgid,
        sid,
        ppid,
        // Pid 1 of its pid namespace.
        is_init: root == 1,
        credentials: credentials(side, &found),
        umask: side.umask().or(found.umask).unwrap_or(0o22),
        cwd: Bytes(cwd),
        ignored: found.ignored,
        mask: found.mask.unwrap_or(SigSet::EMPTY).without(SigSet::UNSTOPPABLE),
        limits: side.limits(limits(&found)),
        fds,
        last_pid: root,
        ..Boot::default()
    };
    let (earlier, prelude) =
        (std::mem::take(&mut found.earlier), std::mem::take(&mut found.prelude));
    Start { boot, initial, fs, hints, start_ns, earlier, prelude, terminals, shown: found.shown }
}

/// A working directory that nothing tells.
fn somewhere(recording: &Recording) -> (Vec<u8>, Hints) {
    let below = |hints: &Hints| [&hints.identities.hidden, b"/cwd".as_slice()].concat();
    let first = below(&Hints::default());
    let hints = Hints::of(recording, &first);
    let cwd = below(&hints);
    let hints = if cwd == first { hints } else { Hints::of(recording, &cwd) };
    (cwd, hints)
}

/// Group, session and parent.
fn family(side: &SideFile, found: &Inherited) -> (u32, u32, u32) {
    let root = found.root;
    let positive = |number: Option<u32>| number.filter(|number| *number > 0);
    let ppid = side.ppid.or(found.ppid).unwrap_or(1);
    let leads = side.sid_is_root == Some(true);
    let told = if leads { None } else { positive(found.pgid) };
    // A process whose setsid(2) succeeded led no group: it was in its parent's, as with a shell
    // without job control.
    let other = if found.leads_no_group { ppid.max(1) } else { root };
    let pgid = side.pgid.or(told).unwrap_or(if leads { root } else { other });
    let told = if leads { None } else { positive(found.sid) };
    let sid = side.sid.or(told).unwrap_or(if leads { root } else { pgid });
    (pgid, sid, ppid)
}

/// The limits that anybody asked for before they were set.
fn limits(found: &Inherited) -> [Rlimit; 16] {
    let mut limits = Boot::default().limits;
    for (resource, limit) in &found.limits {
        if let Some(slot) = limits.get_mut(*resource as usize) {
            *slot = *limit;
        }
    }
    let told = found.limits.contains_key(&RLIMIT_NOFILE);
    if let (Some(met), false) = (found.fds.limit(), told)
        && let Some(slot) = limits.get_mut(RLIMIT_NOFILE as usize)
    {
        slot.cur = met.min(slot.max);
    }
    limits
}

/// Who the root is. What is not told of the effective id is told of the real one, and the other
/// way round.
fn credentials(side: &SideFile, found: &Inherited) -> Credentials {
    let of = |side: Option<u32>, ids: [Option<u32>; 3]| {
        let any = side.or(ids[0]).or(ids[1]).or(ids[2]);
        any.map(|any| [ids[0].unwrap_or(any), ids[1].unwrap_or(any), ids[2].unwrap_or(any)])
    };
    // Who is refused a file is somebody without capabilities, whoever.
    let unknown = if found.is_powerless { SOMEBODY } else { 0 };
    let users = of(side.uid, found.uids).unwrap_or([unknown; 3]);
    let groups = of(side.gid, found.gids).unwrap_or([users[0]; 3]);
    let listed = side.groups.clone().or_else(|| found.groups.clone()).unwrap_or_default();
    let mut who = Credentials::user(users[0], groups[0], listed);
    (who.euid, who.suid, who.fsuid) = (users[1], users[2], users[1]);
    (who.egid, who.sgid, who.fsgid) = (groups[1], groups[2], groups[1]);
    if users[1] == 0 && users[0] != 0 {
        (who.effective, who.permitted) = (CAP_FULL, CAP_FULL);
    }
    who.effective &= !found.lacking;
    who.permitted &= !found.lacking;
    who.bounding &= !found.lacking;
    who
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
    place: Place,
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
    let _: Option<Place> = made;
}
