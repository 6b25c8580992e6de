//! The side file `NAME.meta.json` (FORMAT.md section 1): what strace never prints.
//!
//! What it says beats what is inferred. Unknown keys are passed over. A recording is usable without
//! it: of a broken file, or one of another session, nothing is used, and that is told as damage.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use tickernel_systems::abi::Rlimit;
use tickernel_systems::abi::flags::{OPEN_FLAGS, RESOURCES, number_of};

use crate::strace::{CallResult, EventKind, Recording};

/// The largest number below PID_MAX_LIMIT (proc_sys_kernel(5)).
pub(super) const MAX_PID: u32 = 4_194_303;
/// Defects that are told; more say nothing new.
const MAX_DEFECTS: usize = 8;
/// Other names of limits that Python's `resource` has (BSD's name of RLIMIT_NOFILE).
const OTHER_LIMITS: &[&str] = &["RLIMIT_OFILE"];

/// The side file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SideFile {
    /// Words of the command.
    pub argv: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: Option<String>,
    /// Real user.
    pub uid: Option<u32>,
    /// Real group.
    pub gid: Option<u32>,
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// umask in octal.
    pub umask: Option<String>,
    /// Limits by name: soft and hard, -1 = none.
    pub rlimits: BTreeMap<String, [i64; 2]>,
    /// Descriptors by number.
    pub initial_fds: BTreeMap<String, SideFd>,
    /// Rows and columns of its terminal.
    pub winsize: Option<[u16; 2]>,
    /// The first process.
    pub root_pid: Option<u32>,
    /// Whether it leads its session.
    pub sid_is_root: Option<bool>,
    /// Its parent.
    pub ppid: Option<u32>,
    /// Its group.
    pub pgid: Option<u32>,
    /// Its session.
    pub sid: Option<u32>,
    /// Seconds since 1970 at the start.
    pub start: Option<f64>,
    /// The work tree before, paths relative to the working directory.
    pub pre: Vec<SideRow>,
    /// Files outside it, by absolute path.
    pub files: Vec<SideRow>,
    #[serde(skip)]
    defects: Vec<Defect>,
    /// Where `root_pid` stands.
    #[serde(skip)]
    root_line: Option<u64>,
    /// Where `uid` and `gid` stand.
    #[serde(skip)]
    id_lines: [Option<u64>; 2],
}

/// Something that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The line of the side file where it stands.
    pub line: Option<u64>,
    /// The field, and what it should be.
    pub what: String,
}

/// One step from a JSON value to a part of it.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// An open descriptor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SideFd {
    /// What it is open on.
    pub path: Option<String>,
    /// Flags by name.
    pub flags: Option<String>,
    /// Offset; 0 for inherited ones.
    pub offset: Option<u64>,
    /// A lower descriptor that shares its description, where somebody knows.
    pub same: Option<u32>,
}

/// A file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SideRow {
    /// Its path.
    pub path: String,
    /// Type and permissions, as Python's `oct` prints them.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Inode: equal ones are hard links.
    pub ino: Option<u64>,
    /// Links.
    pub nlink: Option<u32>,
    /// Size.
    pub size: u64,
    /// Time of the last change.
    pub mtime_ns: Option<i64>,
    /// Target of a symbolic link.
    pub target: Option<String>,
    /// Contents in base 64.
    pub data_b64: Option<String>,
}

impl SideFile {
    /// From the file's text.
    ///
    /// # Errors
    /// If it is not such a JSON object.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut side: Self = serde_json::from_slice(text)?;
        // A list would pass for the fields in their order.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(serde::de::Error::custom("not a JSON object"));
        }
        side.defects = side.find_defects(text);
        side.root_line = line_of(text, &[Step::Key("root_pid")]);
        side.id_lines = ["uid", "gid"].map(|name| line_of(text, &[Step::Key(name)]));
        Ok(side)
    }

    /// One of which nothing can be used, and why.
    pub fn unusable(why: impl std::fmt::Display, line: Option<u64>) -> Self {
        let what = format!("{why}; mend it or move it away: nothing of it is used");
        Self { defects: vec![Defect { line, what }], ..Self::default() }
    }

    /// The side file, if it is of this recording: its first process stands there.
    pub(super) fn fitting(&self, recording: &Recording) -> Cow<'_, Self> {
        let Some(root) = self.root_pid else { return Cow::Borrowed(self) };
        let why = match birth_of(root, recording) {
            Seen::First | Seen::Unknown => return Cow::Borrowed(self),
            Seen::Child => "is a process that the recording's own made",
            Seen::Never => "is no process of the recording",
        };
        let why = format!("root_pid {root} {why}: it is of another session");
        Cow::Owned(Self::unusable(why, self.root_line))
    }

    /// The side file with the ids told as defects that the recording's own calls contradict: those
    /// that they answered are used.
    pub(super) fn against(&self, uid: u32, gid: u32) -> Cow<'_, Self> {
        let ids = [("uid", self.uid, uid), ("gid", self.gid, gid)];
        let wrong = ids.iter().zip(self.id_lines).filter_map(|((name, said, known), line)| {
            let said = said.filter(|said| said != known)?;
            let what = format!("{name} {said} is not used: the recording shows {known}");
            Some(Defect { line, what })
        });
        let wrong: Vec<Defect> = wrong.collect();
        if wrong.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut side = self.clone();
        side.defects.extend(wrong);
        side.defects.truncate(MAX_DEFECTS);
        Cow::Owned(side)
    }

    /// The umask, if it is one.
    pub fn umask(&self) -> Option<u32> {
        self.umask.as_deref().and_then(octal).filter(|mask| *mask <= 0o777)
    }

    /// What is in it and cannot be used: the first eight defects.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }

    fn find_defects(&self, text: &[u8]) -> Vec<Defect> {
        let mut wrong = Vec::new();
        let mut check = |ok: bool, place: &[Step<'_>], what: String| {
            if !ok && wrong.len() < MAX_DEFECTS {
                wrong.push(Defect { line: line_of(text, place), what });
            }
        };
        if let Some(umask) = &self.umask {
            let what = format!("umask {umask:?} is no octal number up to 0777");
            check(self.umask().is_some(), &[Step::Key("umask")], what);
        }
        if let Some(cwd) = &self.cwd {
            let what = format!("cwd {cwd:?} is no absolute path");
            check(cwd.starts_with('/'), &[Step::Key("cwd")], what);
        }
        if let Some(start) = self.start {
            let what = format!("start {start} is no time in seconds since 1970");
            check((0.0..9e9).contains(&start), &[Step::Key("start")], what);
        }
        for (name, id) in [("root_pid", self.root_pid), ("pgid", self.pgid), ("sid", self.sid)] {
            check(id != Some(0), &[Step::Key(name)], format!("{name} is 0"));
            let what = format!("{name} is greater than any pid of Linux ({MAX_PID})");
            check(id.is_none_or(|id| id <= MAX_PID), &[Step::Key(name)], what);
        }
        for name in self.rlimits.keys() {
            let known = number_of(RESOURCES, name).is_some() || OTHER_LIMITS.contains(&&**name);
            let place = [Step::Key("rlimits"), Step::Key(name)];
            check(known, &place, format!("rlimits: {name:?} is no limit"));
        }
        for (number, fd) in &self.initial_fds {
            let good = number.parse::<u32>().is_ok_and(|number| number < 1 << 20);
            let place = [Step::Key("initial_fds"), Step::Key(number)];
            check(good, &place, format!("initial_fds: {number:?} is no descriptor"));
            let words = fd.flags.as_deref().unwrap_or("O_RDWR").split('|').map(str::trim);
            for word in words.filter(|word| number_of(OPEN_FLAGS, word).is_none()) {
                let place = [Step::Key("initial_fds"), Step::Key(number), Step::Key("flags")];
                check(false, &place, format!("initial_fds: {word:?} is no flag of open"));
            }
        }
        for (list, rows) in [("pre", &self.pre), ("files", &self.files)] {
            for (at, row) in rows.iter().enumerate() {
                let place =
                    |field: &'static str| [Step::Key(list), Step::Index(at), Step::Key(field)];
                let what = format!("{:?}: mode {:?} is no octal number", row.path, row.mode);
                check(octal(&row.mode).is_some(), &place("mode"), what);
                let data = row.data_b64.as_ref();
                let good = data.is_none_or(|text| STANDARD.decode(text).is_ok());
                let what = format!("{:?}: data_b64 is not base 64", row.path);
                check(good, &place("data_b64"), what);
                let good = list == "pre" || row.path.starts_with('/');
                check(good, &place("path"), format!("files: {:?} is no absolute path", row.path));
            }
        }
        wrong
    }

    /// The limits that it names, over those given.
    pub fn limits(&self, mut limits: [Rlimit; 16]) -> [Rlimit; 16] {
        let value = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
        for (name, [cur, max]) in &self.rlimits {
            let Some(resource) = number_of(RESOURCES, name) else { continue };
            if let Some(slot) = usize::try_from(resource).ok().and_then(|at| limits.get_mut(at)) {
                *slot = Rlimit { cur: value(*cur), max: value(*max) };
            }
        }
        limits
    }
}

/// How a process comes into a recording.
enum Seen {
    /// It was there.
    First,
    /// Another made it.
    Child,
    /// Not at all.
    Never,
    /// There is no pid column.
    Unknown,
}

fn birth_of(pid: u32, recording: &Recording) -> Seen {
    let mut pids = false;
    for event in &recording.events {
        pids |= event.tid.is_some();
        if event.tid == Some(pid) {
            return Seen::First;
        }
        let EventKind::Entry { call } = event.kind else { continue };
        let Some(call) = recording.calls.get(call) else { continue };
        let makes = matches!(&*call.name, "clone" | "clone3" | "fork" | "vfork");
        let made = call.result.as_ref().filter(|_| makes).and_then(CallResult::number);
        if made == Some(i128::from(pid)) {
            return Seen::Child;
        }
    }
    if pids { Seen::Never } else { Seen::Unknown }
}

/// `O_WRONLY|O_APPEND` as a number.
pub fn open_flags(text: &str) -> u32 {
    let names = text.split('|').map(str::trim);
    names.filter_map(|name| number_of(OPEN_FLAGS, name)).fold(0, |all, bits| all | bits as u32)
}

/// `0o100644`, `0644`, `22`: a mode in octal.
pub fn octal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    u32::from_str_radix(digits, 8).ok()
}

/// The line of a value in JSON text; that of what holds it, where it is left out.
fn line_of(text: &[u8], place: &[Step<'_>]) -> Option<u64> {
    let whole = std::str::from_utf8(text).ok()?;
    let mut part = whole.trim_start();
    for step in place {
        let found = match step {
            Step::Key(key) => {
                serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(part).ok()?.remove(*key)
            }
            Step::Index(at) => serde_json::from_str::<Vec<&RawValue>>(part).ok()?.get(*at).copied(),
        };
        let Some(found) = found else { break };
        part = found.get();
    }
    // Both begin in one text.
    let offset = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let above = text.get(..offset)?.iter().filter(|byte| **byte == b'\n').count();
    Some(above as u64 + 1)
}
