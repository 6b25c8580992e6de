//! One answer held against the recording: compared, bound, fed or not the same (IMPORT.md section
//! 0).
//!
//! Owns the treatment of each value. What only the real machine could know (inodes, devices) is
//! bound at first sight and must agree from then on.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::flags::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use tickernel_systems::abi::{Dirent, Errno, PollFd, SigInfo, Stat, Timespec};
use tickernel_systems::event::{Answer, Call, Payload};

use super::expected::{
    CUT, Expected, FED, FED_PROC, IGNORE_PAYLOAD, IGNORE_VALUE, Recorded, Told, stat_bits,
};

/// How a call is counted, from best to worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that counts is equal.
    Compared,
    /// Equal up to names that are bound.
    Bound,
    /// Taken from the recording; true if it is a file of /proc or /sys.
    Fed(bool),
    /// Not the same: why.
    Mismatched(String),
}

/// A file as one side names it: device, inode.
type FileName = (u64, u64);

/// What is known across calls: pairings of names, lists being read, times that were set.
#[derive(Debug, Default)]
pub struct Bindings {
    files: BTreeMap<FileName, FileName>,
    files_back: BTreeMap<FileName, FileName>,
    /// When the simulated file of a pairing was born: another birth is another file.
    births: BTreeMap<FileName, Timespec>,
    devices: BTreeMap<u64, u64>,
    objects: BTreeMap<u64, u64>,
    scans: BTreeMap<(u32, i32), Scan>,
    set_times: BTreeSet<Timespec>,
}

/// A directory list being read: names and types of both sides so far.
#[derive(Debug, Default)]
struct Scan {
    recorded: BTreeSet<(Vec<u8>, u8)>,
    simulated: BTreeSet<(Vec<u8>, u8)>,
}

fn mismatch(why: impl Into<String>) -> Verdict {
    Verdict::Mismatched(why.into())
}

impl Bindings {
    /// Judges the end of a call.
    pub fn judge(
        &mut self,
        task: u32,
        call: &Call<'_>,
        expected: &Expected,
        result: &Result<Answer, Errno>,
    ) -> Verdict {
        self.note_times(call, result);
        let fed = expected.flags & FED != 0;
        let verdict = match (&expected.recorded, result) {
            (Recorded::Never, _) => mismatch("it never returned in the recording"),
            (Recorded::Errno(wanted), Err(errno)) if wanted == errno => Verdict::Compared,
            (Recorded::Errno(_), _) => mismatch("another result"),
            (Recorded::Value(_), Err(_)) if fed => mismatch("another result"),
            (Recorded::Value(_), Err(_)) => mismatch("another result"),
            (Recorded::Value(value), Ok(answer)) => {
                self.judge_answer(task, call, *value, expected, answer)
            }
        };
        match verdict {
            Verdict::Compared | Verdict::Bound if fed => {
                Verdict::Fed(expected.flags & FED_PROC != 0)
            }
            verdict => verdict,
        }
    }

    fn judge_answer(
        &mut self,
        task: u32,
        call: &Call<'_>,
        value: i64,
        expected: &Expected,
        answer: &Answer,
    ) -> Verdict {
        if let (Call::Getdents64 { fd, .. }, Payload::Dirents(simulated)) = (call, &answer.payload)
            && let Payload::Dirents(recorded) = &expected.payload
        {
            return self.scan(task, *fd, recorded, simulated);
        }
        if let (Payload::Data(recorded), Payload::Data(simulated)) =
            (&expected.payload, &answer.payload)
            && let (Some(recorded), Some(simulated)) = (object(&recorded.0), object(&simulated.0))
        {
            return self.bind_object(recorded, simulated);
        }
        if expected.flags & IGNORE_VALUE == 0 && value != answer.value {
            return mismatch("another value");
        }
        if expected.flags & (IGNORE_PAYLOAD | CUT | FED) != 0 {
            return Verdict::Compared;
        }
        self.judge_payload(expected, &answer.payload)
    }

    /// `pipe:[17]` of /proc/PID/fd: its number is bound.
    fn bind_object(&mut self, recorded: (&[u8], u64), simulated: (&[u8], u64)) -> Verdict {
        if recorded.0 != simulated.0 {
            return mismatch("another kind of object");
        }
        let bound = *self.objects.entry(recorded.1).or_insert(simulated.1);
        if bound == simulated.1 { Verdict::Bound } else { mismatch("another object") }
    }

    fn judge_payload(&mut self, expected: &Expected, simulated: &Payload) -> Verdict {
        match (&expected.payload, simulated) {
            (Payload::None, _) => Verdict::Compared,
            (Payload::Stat(recorded), Payload::Stat(simulated)) => {
                self.stat(recorded, expected.members, simulated)
            }
            (Payload::Poll(recorded), Payload::Poll(simulated)) => poll(recorded, simulated),
            (Payload::Info(recorded), Payload::Info(simulated)) => info(recorded, simulated),
            (Payload::Action(recorded), Payload::Action(simulated)) => {
                let mut wanted = **recorded;
                if wanted.handler == 0 && wanted.mask == simulated.mask {
                    // strace prints nothing for no flags of a default action.
                    wanted.flags = recorded.flags;
                }
                if wanted == **simulated {
                    Verdict::Compared
                } else {
                    mismatch(format!("old action {:?}, simulated {:?}", recorded, simulated))
                }
            }
            (Payload::Data(recorded), Payload::Data(simulated)) => data(&recorded.0, &simulated.0),
            (Payload::Lock(recorded), Payload::Lock(simulated)) => {
                let same = recorded.kind == simulated.kind
                    && (recorded.kind == 2
                        || (recorded.start, recorded.len, recorded.pid)
                            == (simulated.start, simulated.len, simulated.pid));
                if same { Verdict::Compared } else { mismatch("another lock") }
            }
            // Time left moves with the machine's speed.
            (Payload::Timer(recorded), Payload::Timer(simulated))
                if recorded.interval_ns == simulated.interval_ns =>
            {
                Verdict::Compared
            }
            (recorded, simulated) if recorded == simulated => Verdict::Compared,
            (recorded, simulated) => {
                mismatch(format!("recorded {recorded:?}, simulated {simulated:?}"))
            }
        }
    }

    /// A list is compared as a set over the whole scan; how it is cut into calls is the machine's.
    fn scan(&mut self, task: u32, fd: i32, recorded: &[Dirent], simulated: &[Dirent]) -> Verdict {
        if !self.scans.contains_key(&(task, fd)) && names_of(recorded) == names_of(simulated) {
            return Verdict::Compared;
        }
        let scan = self.scans.entry((task, fd)).or_default();
        let add = |set: &mut BTreeSet<(Vec<u8>, u8)>, list: &[Dirent]| {
            set.extend(list.iter().map(|entry| (entry.name.0.clone(), entry.kind)));
        };
        add(&mut scan.recorded, recorded);
        add(&mut scan.simulated, simulated);
        if scan.recorded == scan.simulated {
            self.scans.remove(&(task, fd));
            return Verdict::Compared;
        }
        if !recorded.is_empty() {
            // Perhaps cut elsewhere: the end of the scan tells.
            return Verdict::Compared;
        }
        let names = |set: &BTreeSet<(Vec<u8>, u8)>, other: &BTreeSet<(Vec<u8>, u8)>| {
            let only = set.difference(other).take(3);
            let only: Vec<String> = only
                .map(|(name, kind)| format!("{} ({kind})", String::from_utf8_lossy(name)))
                .collect();
            only.join(", ")
        };
        let why = format!(
            "another list: only recorded: [{}]; only simulated: [{}]",
            names(&scan.recorded, &scan.simulated),
            names(&scan.simulated, &scan.recorded)
        );
        self.scans.remove(&(task, fd));
        mismatch(why)
    }

    fn stat(&mut self, recorded: &Stat, members: u32, simulated: &Stat) -> Verdict {
        use stat_bits::*;
        let has = |bit: u32| members & bit != 0;
        let kind = simulated.mode & S_IFMT;
        let mut wrong: Vec<String> = Vec::new();
        let mut check = |name: &str, there: bool, recorded: u64, simulated: u64| {
            if there && recorded != simulated {
                wrong.push(format!("{name}={recorded}, simulated {simulated}"));
            }
        };
        if has(MODE) && recorded.mode != simulated.mode {
            check("st_mode", true, u64::from(recorded.mode), u64::from(simulated.mode));
        }
        // Directories count their subdirectories on some file systems only.
        let counts_links = kind != S_IFDIR || recorded.nlink > 1;
        let links = (u64::from(recorded.nlink), u64::from(simulated.nlink));
        check("st_nlink", has(NLINK) && counts_links, links.0, links.1);
        check("st_uid", has(UID), u64::from(recorded.uid), u64::from(simulated.uid));
        check("st_gid", has(GID), u64::from(recorded.gid), u64::from(simulated.gid));
        let sized = matches!(kind, S_IFREG | S_IFLNK);
        check("st_size", has(SIZE) && sized, recorded.size, simulated.size);
        let device = matches!(kind, S_IFCHR | S_IFBLK);
        check("st_rdev", has(RDEV) && device, recorded.rdev, simulated.rdev);
        if has(MTIME)
            && self.set_times.contains(&simulated.mtime)
            && recorded.mtime != simulated.mtime
        {
            wrong.push(format!("st_mtime={:?}, simulated {:?}", recorded.mtime, simulated.mtime));
        }
        if !wrong.is_empty() {
            return mismatch(wrong.join("; "));
        }
        if has(INO) && has(DEV) {
            return self.bind(recorded, simulated);
        }
        Verdict::Compared
    }

    /// Pairs the two names of a file; a pairing ends when its simulated file is another one.
    fn bind(&mut self, recorded: &Stat, simulated: &Stat) -> Verdict {
        if *self.devices.entry(recorded.dev).or_insert(simulated.dev) != simulated.dev {
            return mismatch(format!("st_dev={} was bound to another device", recorded.dev));
        }
        let real = (recorded.dev, recorded.ino);
        let own = (simulated.dev, simulated.ino);
        let is_new = self.births.insert(own, simulated.btime) != Some(simulated.btime);
        if is_new && let Some(old) = self.files_back.remove(&own) {
            self.files.remove(&old);
        }
        let forward = self.files.get(&real).copied();
        let back = self.files_back.get(&own).copied();
        if forward == Some(own) && back == Some(real) {
            return Verdict::Bound;
        }
        if let Some(other) = back {
            return mismatch(format!("st_ino={} but the file was {} before", real.1, other.1));
        }
        if let Some(other) = forward {
            // The number is used again for a file that is new on our side too: the old one is gone.
            if !is_new {
                return mismatch(format!("st_ino={} was bound to another file", real.1));
            }
            self.files_back.remove(&other);
        }
        self.files.insert(real, own);
        self.files_back.insert(own, real);
        Verdict::Bound
    }

    /// Times that a program set: only these are compared exactly.
    fn note_times(&mut self, call: &Call<'_>, result: &Result<Answer, Errno>) {
        if let (Call::Utimensat { atime, mtime, .. }, Ok(_)) = (call, result) {
            let real = |time: &Timespec| (0..1_000_000_000).contains(&time.nsec);
            let set = [*atime, *mtime].into_iter().flatten().filter(real);
            self.set_times.extend(set);
        }
    }
}

/// Judges a call by the encoding of its outcome alone; `None` where an equal answer is not all that
/// counts, or it is not equal byte by byte: [`Bindings::judge`] says more.
pub(super) fn judge_bytes(
    told: &Told<'_>,
    call: &Call<'_>,
    result: &Result<Answer, Errno>,
    encoded: &[u8],
) -> Option<Verdict> {
    // What later answers are held against is kept by `judge`.
    let is_kept = match result.as_ref().map(|answer| &answer.payload) {
        Ok(Payload::Stat(_) | Payload::Dirents(_)) => true,
        Ok(Payload::Data(bytes)) => object(&bytes.0).is_some(),
        Ok(_) => matches!(call, Call::Utimensat { .. }),
        Err(_) => false,
    };
    if is_kept {
        return None;
    }
    let flags = told.flags_if_same(encoded)?;
    Some(if flags & FED != 0 { Verdict::Fed(flags & FED_PROC != 0) } else { Verdict::Compared })
}

/// The kind and number of an object that has no path.
fn object(text: &[u8]) -> Option<(&[u8], u64)> {
    let kinds: [&[u8]; 2] = [b"pipe:[", b"socket:["];
    let kind = kinds.into_iter().find(|kind| text.starts_with(kind))?;
    let number = text.get(kind.len()..)?.strip_suffix(b"]")?;
    Some((kind, std::str::from_utf8(number).ok()?.parse().ok()?))
}

/// The names and types of a list, in their own order.
fn names_of(list: &[Dirent]) -> Vec<(&[u8], u8)> {
    let mut names: Vec<_> = list.iter().map(|entry| (&*entry.name.0, entry.kind)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn data(recorded: &[u8], simulated: &[u8]) -> Verdict {
    if recorded == simulated {
        return Verdict::Compared;
    }
    let at = recorded.iter().zip(simulated).position(|(one, other)| one != other);
    let at = at.unwrap_or(recorded.len().min(simulated.len()));
    let near = |bytes: &[u8]| {
        let end = bytes.len().min(at + 16);
        bytes.get(at..end).unwrap_or_default().escape_ascii().to_string()
    };
    mismatch(format!(
        "other bytes from {at} on: \"{}\", simulated \"{}\"",
        near(recorded),
        near(simulated)
    ))
}

fn poll(recorded: &[PollFd], simulated: &[PollFd]) -> Verdict {
    let ready = |list: &[PollFd]| -> Vec<(i32, u16)> {
        let ready = list.iter().filter(|entry| entry.revents != 0);
        let mut ready: Vec<_> = ready.map(|entry| (entry.fd, entry.revents)).collect();
        ready.sort_unstable();
        ready
    };
    let (recorded, simulated) = (ready(recorded), ready(simulated));
    if recorded == simulated {
        Verdict::Compared
    } else {
        mismatch(format!("ready (fd, revents) {recorded:?}, simulated {simulated:?}"))
    }
}

/// Holds two siginfo against each other: the members that mean something for the signal.
pub fn info(recorded: &SigInfo, simulated: &SigInfo) -> Verdict {
    let wanted = SigInfo { value: simulated.value, ..*recorded };
    // A signal from the kernel has no sender.
    let senderless = recorded.code == tickernel_systems::abi::signal::SI_KERNEL;
    let simulated = if senderless {
        SigInfo { pid: recorded.pid, uid: recorded.uid, ..*simulated }
    } else {
        *simulated
    };
    if wanted == simulated {
        Verdict::Compared
    } else {
        mismatch(format!("siginfo {wanted:?}, simulated {simulated:?}"))
    }
}
