//! The side file `NAME.meta.json` (FORMAT.md section 1): what strace never prints.
//!
//! What it says beats what is inferred. Unknown keys are passed over; a broken file is an error of
//! its own, for a recording is usable without it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tickernel_systems::abi::Rlimit;
use tickernel_systems::abi::flags::{OPEN_FLAGS, RESOURCES, number_of};

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
        serde_json::from_slice(text)
    }

    /// The umask, if it is one.
    pub fn umask(&self) -> Option<u32> {
        self.umask.as_deref().and_then(octal).filter(|mask| *mask <= 0o777)
    }

    /// What is in it and cannot be used: a field each, with what it should be.
    pub fn defects(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |ok: bool, what: String| {
            if !ok && wrong.len() < MAX_DEFECTS {
                wrong.push(what);
            }
        };
        if let Some(umask) = &self.umask {
            check(self.umask().is_some(), format!("umask {umask:?} is no octal number up to 0777"));
        }
        if let Some(cwd) = &self.cwd {
            check(cwd.starts_with('/'), format!("cwd {cwd:?} is no absolute path"));
        }
        if let Some(start) = self.start {
            let good = (0.0..9e9).contains(&start);
            check(good, format!("start {start} is no time in seconds since 1970"));
        }
        for (name, id) in [("root_pid", self.root_pid), ("pgid", self.pgid), ("sid", self.sid)] {
            check(id != Some(0), format!("{name} is 0"));
        }
        for name in self.rlimits.keys() {
            let known = number_of(RESOURCES, name).is_some() || OTHER_LIMITS.contains(&&**name);
            check(known, format!("rlimits: {name:?} is no limit"));
        }
        for (number, fd) in &self.initial_fds {
            let good = number.parse::<u32>().is_ok_and(|number| number < 1 << 20);
            check(good, format!("initial_fds: {number:?} is no descriptor"));
            let words = fd.flags.as_deref().unwrap_or("O_RDWR").split('|').map(str::trim);
            for word in words.filter(|word| number_of(OPEN_FLAGS, word).is_none()) {
                check(false, format!("initial_fds: {word:?} is no flag of open"));
            }
        }
        for row in self.pre.iter().chain(&self.files) {
            let good = octal(&row.mode).is_some();
            check(good, format!("{:?}: mode {:?} is no octal number", row.path, row.mode));
            let data = row.data_b64.as_ref();
            let good = data.is_none_or(|text| STANDARD.decode(text).is_ok());
            check(good, format!("{:?}: data_b64 is not base 64", row.path));
        }
        for row in &self.files {
            let good = row.path.starts_with('/');
            check(good, format!("files: {:?} is no absolute path", row.path));
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
