//! One answer held against the recording: compared, bound, fed or not the same (IMPORT.md section
//! 0).
//!
//! Owns the treatment of each value. What only the real machine could know (inodes, devices) is
//! bound at first sight and must agree from then on.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::flags::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use tickernel_systems::abi::socket::Received;
use tickernel_systems::abi::{
    Dirent, EpollEvent, Errno, PollFd, SelectSets, SigInfo, Signal, Stat, Timespec,
};
use tickernel_systems::event::{Answer, Call, Payload};

use super::cookies::Cookies;
use super::expected::{
    CUT, Expected, FED, FED_PROC, IGNORE_PAYLOAD, IGNORE_VALUE, MAPPED, Recorded, stat_bits,
};
use super::files::{FileName, Files};
use super::text::payload_text;

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

/// What is known across calls: pairings of names, lists being read, times that were set.
#[derive(Debug, Default)]
pub struct Bindings {
    files: Files,
    objects: BTreeMap<u64, u64>,
    cookies: Cookies,
    scans: BTreeMap<(u32, i32), Scan>,
    set_times: BTreeSet<Timespec>,
}

/// A directory list being read: names and types of both sides so far, with their inodes.
#[derive(Debug, Default)]
struct Scan {
    recorded: BTreeMap<Entry, u64>,
    simulated: BTreeMap<Entry, (u64, Timespec)>,
}

/// An entry of a list: name and type.
type Entry = (Vec<u8>, u8);

/// What the kernel knows of a list that it gave.
#[derive(Debug)]
pub struct Listed {
    /// The directory: device and inode.
    pub directory: FileName,
    /// When the file of each entry was born, in the order of the list.
    pub births: Vec<Timespec>,
}

fn differs(recorded: &Payload, simulated: &Payload) -> String {
    format!("recorded {}, simulated {}", payload_text(recorded), payload_text(simulated))
}

/// What a mismatch of a mapped file is for.
const IN_MEMORY: &str =
    "; the file is mapped shared (mmap): what was written in memory stands in no call";

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
        listed: Option<&Listed>,
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
                self.judge_answer(task, call, *value, expected, answer, listed)
            }
        };
        match verdict {
            Verdict::Compared | Verdict::Bound if fed => {
                Verdict::Fed(expected.flags & FED_PROC != 0)
            }
            Verdict::Mismatched(why) if expected.flags & MAPPED != 0 => mismatch(why + IN_MEMORY),
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
        listed: Option<&Listed>,
    ) -> Verdict {
        if let (Call::Getdents64 { fd, .. }, Payload::Dirents(simulated)) = (call, &answer.payload)
            && let Payload::Dirents(recorded) = &expected.payload
        {
            return self.scan((task, *fd), recorded, simulated, listed);
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

    fn judge_payload(&mut self, expected: &Expected, simulated_payload: &Payload) -> Verdict {
        match (&expected.payload, simulated_payload) {
            (Payload::None, _) => Verdict::Compared,
            (Payload::Stat(recorded), Payload::Stat(simulated)) => {
                self.stat(recorded, expected.members, simulated)
            }
            (Payload::Poll(recorded), Payload::Poll(simulated)) => poll(recorded, simulated),
            (Payload::Epoll(recorded), Payload::Epoll(simulated)) => epoll(recorded, simulated),
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
                    mismatch(differs(&expected.payload, simulated_payload))
                }
            }
            (Payload::Data(recorded), Payload::Data(simulated)) => {
                let verdict = data(&recorded.0, &simulated.0);
                match verdict {
                    Verdict::Mismatched(_) if self.cookies.bind(&recorded.0, &simulated.0) => {
                        Verdict::Bound
                    }
                    Verdict::Mismatched(_) if same_signals(&recorded.0, &simulated.0) => {
                        Verdict::Compared
                    }
                    verdict => verdict,
                }
            }
            (Payload::Received(recorded), Payload::Received(simulated)) => {
                received(recorded, simulated)
            }
            (Payload::Messages(recorded), Payload::Messages(simulated))
                if recorded.len() == simulated.len() =>
            {
                let pairs = recorded.iter().zip(simulated);
                let mut verdicts = pairs.map(|(recorded, simulated)| {
                    if recorded.length != simulated.length {
                        return mismatch("another length of a message");
                    }
                    received(&recorded.received, &simulated.received)
                });
                let wrong = verdicts.find(|verdict| matches!(verdict, Verdict::Mismatched(_)));
                wrong.unwrap_or(Verdict::Compared)
            }
            // Of none that was ready nothing is printed, not even what lies beyond the table.
            (Payload::Select(recorded), Payload::Select(_)) if is_empty(recorded) => {
                Verdict::Compared
            }
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
            (recorded, simulated) => mismatch(differs(recorded, simulated)),
        }
    }

    /// A list is compared as a set over the whole scan; how it is cut into calls is the machine's.
    /// The inodes of what both sides list are bound.
    fn scan(
        &mut self,
        of: (u32, i32),
        recorded: &[Dirent],
        simulated: &[Dirent],
        listed: Option<&Listed>,
    ) -> Verdict {
        let mut scan = self.scans.remove(&of).unwrap_or_default();
        let entry = |entry: &Dirent| (entry.name.0.clone(), entry.kind);
        let births = listed.map_or(&[][..], |listed| &listed.births).iter().copied();
        let births = births.chain(std::iter::repeat(Timespec::default()));
        scan.recorded.extend(recorded.iter().map(|one| (entry(one), one.ino)));
        let own = simulated.iter().zip(births).map(|(one, birth)| (entry(one), (one.ino, birth)));
        scan.simulated.extend(own);
        let same = scan.recorded.keys().eq(scan.simulated.keys());
        // Perhaps cut elsewhere: the end of the scan tells.
        if !same && !recorded.is_empty() {
            self.scans.insert(of, scan);
            return Verdict::Compared;
        }
        if !same {
            return mismatch(format!(
                "another list: only recorded: [{}]; only simulated: [{}]",
                only(scan.recorded.keys(), |entry| scan.simulated.contains_key(entry)),
                only(scan.simulated.keys(), |entry| scan.recorded.contains_key(entry))
            ));
        }
        let Some(listed) = listed.filter(|_| !scan.recorded.is_empty()) else {
            return Verdict::Compared;
        };
        let device = self.files.recorded_device(listed.directory);
        for (((name, _), real), (own, birth)) in scan.recorded.iter().zip(scan.simulated.values()) {
            let own = (listed.directory.0, *own);
            if let Err(why) = self.files.pair((device, *real), own, *birth) {
                return mismatch(format!("{}: d_ino={why}", String::from_utf8_lossy(name)));
            }
        }
        Verdict::Bound
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
            let time = |time: Timespec| format!("{}.{:09}", time.sec, time.nsec);
            let (recorded, simulated) = (time(recorded.mtime), time(simulated.mtime));
            wrong.push(format!("st_mtime={recorded}, simulated {simulated}"));
        }
        if !wrong.is_empty() {
            return mismatch(wrong.join("; "));
        }
        if has(INO) && has(DEV) {
            let (real, own) = ((recorded.dev, recorded.ino), (simulated.dev, simulated.ino));
            return match self.files.see(real, own, simulated.btime) {
                Ok(()) => Verdict::Bound,
                Err(why) => mismatch(why),
            };
        }
        Verdict::Compared
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
    call: &Call<'_>,
    result: &Result<Answer, Errno>,
    same: Option<u32>,
) -> Option<Verdict> {
    // What later answers are held against is kept by `judge`.
    let flags = same?;
    let is_kept = match result.as_ref().map(|answer| &answer.payload) {
        Ok(Payload::Stat(_) | Payload::Dirents(_)) => true,
        Ok(Payload::Data(bytes)) => object(&bytes.0).is_some(),
        Ok(_) => matches!(call, Call::Utimensat { .. }),
        Err(_) => false,
    };
    if is_kept {
        return None;
    }
    Some(if flags & FED != 0 { Verdict::Fed(flags & FED_PROC != 0) } else { Verdict::Compared })
}

/// The kind and number of an object that has no path.
fn object(text: &[u8]) -> Option<(&[u8], u64)> {
    if let Some(name) = text.strip_suffix(b" (deleted)")
        && let Some(at) = name.iter().rposition(|byte| *byte == b'#')
        && let (Some(above), Some(number)) = (name.get(..at), name.get(at + 1..))
        && above.starts_with(b"/")
        && above.ends_with(b"/")
    {
        let number: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
        return Some((above, number | UNNAMED));
    }
    let kinds: [&[u8]; 2] = [b"pipe:[", b"socket:["];
    let kind = kinds.into_iter().find(|kind| text.starts_with(kind))?;
    let number = text.get(kind.len()..)?.strip_suffix(b"]")?;
    Some((kind, std::str::from_utf8(number).ok()?.parse().ok()?))
}

/// Keeps the numbers of files without a name apart from those of pipes.
const UNNAMED: u64 = 1 << 63;

/// The first entries that the other side lacks.
fn only<'a>(entries: impl Iterator<Item = &'a Entry>, is_there: impl Fn(&Entry) -> bool) -> String {
    let only = entries.filter(|entry| !is_there(entry)).take(3);
    let only = only.map(|(name, kind)| format!("{} ({kind})", String::from_utf8_lossy(name)));
    only.collect::<Vec<String>>().join(", ")
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

/// What a message brought. A name that the caller did not ask for is not told.
fn received(recorded: &Received, simulated: &Received) -> Verdict {
    let name = recorded.addr.is_none() || recorded.addr == simulated.addr;
    let control = recorded.fds == simulated.fds && recorded.cred == simulated.cred;
    let flags = recorded.flags.is_none() || recorded.flags == simulated.flags;
    match data(&recorded.data.0, &simulated.data.0) {
        Verdict::Compared if !name => mismatch("another sender"),
        Verdict::Compared if !control => mismatch("other descriptors or credentials"),
        Verdict::Compared if !flags => mismatch("other flags"),
        verdict => verdict,
    }
}

fn is_empty(sets: &SelectSets) -> bool {
    let mut lists = [&sets.read, &sets.write, &sets.except].into_iter().flatten();
    lists.all(Vec::is_empty)
}

/// In any order: which of several was ready first no line of a recording shows.
fn epoll(recorded: &[EpollEvent], simulated: &[EpollEvent]) -> Verdict {
    let sorted = |list: &[EpollEvent]| {
        let mut list: Vec<(u64, u32)> = list.iter().map(|it| (it.data, it.events)).collect();
        list.sort_unstable();
        list
    };
    let (recorded, simulated) = (sorted(recorded), sorted(simulated));
    if recorded == simulated {
        Verdict::Compared
    } else {
        mismatch(format!("ready (data, events) {recorded:x?}, simulated {simulated:x?}"))
    }
}

/// Whether both are what signalfd(2) tells, of the same signals: how much time a child took is the
/// machine's.
fn same_signals(recorded: &[u8], simulated: &[u8]) -> bool {
    const INFO_BYTES: usize = 128;
    /// `ssi_utime` and `ssi_stime`; the model keeps none.
    const TIMES: std::ops::Range<usize> = 56..72;
    /// Where nothing stands.
    const PAD: usize = 90;
    let alike = |(recorded, simulated): (&[u8], &[u8])| {
        let signal = simulated.first().is_some_and(|signal| (1..=64).contains(signal));
        let shape = simulated[1..8].iter().chain(&simulated[PAD..]).all(|byte| *byte == 0);
        let rest = |info: &[u8]| [info[..TIMES.start].to_vec(), info[TIMES.end..].to_vec()];
        signal
            && shape
            && simulated[TIMES].iter().all(|byte| *byte == 0)
            && rest(recorded) == rest(simulated)
    };
    let whole = recorded.len() == simulated.len() && recorded.len().is_multiple_of(INFO_BYTES);
    whole && recorded.chunks(INFO_BYTES).zip(simulated.chunks(INFO_BYTES)).all(alike)
}

/// Holds two siginfo against each other: the members that mean something for the signal.
pub fn info(recorded: &SigInfo, simulated: &SigInfo) -> Verdict {
    let wanted = SigInfo { value: simulated.value, ..*recorded };
    // A signal from the kernel has no sender.
    let senderless = recorded.code == tickernel_systems::abi::signal::SI_KERNEL;
    // How late a timer's signal is delivered moves with the machine's speed.
    let late = recorded.code == tickernel_systems::abi::signal::SI_TIMER;
    // Only of SIGCHLD strace prints the status.
    let of_child = recorded.signo == i32::from(Signal::SIGCHLD.number());
    let status = if of_child { simulated.status } else { recorded.status };
    let simulated = &SigInfo { status, ..*simulated };
    let simulated = if late {
        SigInfo { uid: recorded.uid, ..*simulated }
    } else if senderless {
        SigInfo { pid: recorded.pid, uid: recorded.uid, ..*simulated }
    } else {
        *simulated
    };
    if wanted == simulated {
        Verdict::Compared
    } else {
        let [wanted, simulated] = [wanted, simulated].map(|it| crate::json::show_info(&it));
        mismatch(format!("siginfo {wanted}, simulated {simulated}"))
    }
}
