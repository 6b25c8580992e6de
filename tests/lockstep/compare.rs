//! When two answers are alike: what only one machine can have is masked, and nothing else is.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Fields that are not compared, wherever they stand, each with the reason.
const MASKED: [(&str, &str); 15] = [
    ("ino", "numbers of inodes are the file system's own"),
    ("dev", "numbers of devices are the machine's own"),
    ("blocks", "how much of the disk a file takes is the file system's own"),
    ("atime", "the real clock runs"),
    ("atime_ns", "the real clock runs"),
    ("mtime", "the real clock runs"),
    ("mtime_ns", "the real clock runs"),
    ("ctime", "the real clock runs"),
    ("ctime_ns", "the real clock runs"),
    ("bfree", "how much of the disk is free is the machine's own"),
    ("bavail", "how much of the disk is free is the machine's own"),
    ("files", "how many files a disk holds is the file system's own"),
    ("ffree", "how many files are there is the machine's own"),
    ("comm", "the twin runs a program of its own in the place of every other"),
    ("old_limit", "limits at the start are the machine's own"),
];

/// Brings the lines of one side into the common form.
#[derive(Default)]
pub(crate) struct Normal {
    /// Numbers of waits in the order in which they were told: sides count differently.
    waits: BTreeMap<u64, u64>,
}

impl Normal {
    /// The lines that a request caused. Handlers of several processes start in no order: their
    /// lines stand first, by process. Then the calls of processes that ended: the twin sees the
    /// order of the ends and that of the results, but not that of an end and a result.
    pub(crate) fn lines(&mut self, lines: &[Value]) -> Vec<Value> {
        let mut lines: Vec<Value> = lines.iter().map(|line| self.line(line)).collect();
        let order = |line: &Value| {
            let signal = line.get("signal");
            let pid = signal.and_then(|signal| signal.get("pid")?.as_i64());
            (signal.is_none(), pid, line.get("gone").is_none())
        };
        lines.sort_by_key(order);
        lines
    }

    /// A line in the common form.
    fn line(&mut self, line: &Value) -> Value {
        let Value::Object(object) = line else { return line.clone() };
        let mut normal = Map::new();
        for (name, value) in object {
            let value = match name.as_str() {
                "blocked" | "done" => self.wait(value),
                "error" => self.refusal(value.as_str().unwrap_or_default()),
                "entries" => sorted_entries(value),
                "addr" => unchosen(value),
                "data" | "data_b64" => {
                    let (name, value) = without_times(name, value);
                    normal.insert(name.into(), value);
                    continue;
                }
                _ => masked(name, value),
            };
            normal.insert(name.clone(), value);
        }
        // Order of fields carries no meaning.
        normal.sort_keys();
        Value::Object(normal)
    }

    fn wait(&mut self, number: &Value) -> Value {
        let Some(number) = number.as_u64() else { return number.clone() };
        let next = self.waits.len() as u64;
        (*self.waits.entry(number).or_insert(next)).into()
    }

    /// What CLI.md gives the words for; any other text is one kind: the request was not understood.
    fn refusal(&mut self, text: &str) -> Value {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["pid", _, "is", "gone" | "stopped"] => text.into(),
            ["pid", pid, "is", "blocked", "in", number] => {
                let number = number.parse::<u64>().map_or(Value::Null, |n| self.wait(&n.into()));
                format!("pid {pid} is blocked in {number}").into()
            }
            _ => "not understood".into(),
        }
    }
}

/// A field of an object in an answer: messages of recvmmsg(2) come from somebody too.
fn inner(name: &str, value: &Value) -> Value {
    if name == "addr" { unchosen(value) } else { masked(name, value) }
}

fn masked(name: &str, value: &Value) -> Value {
    if MASKED.iter().any(|mask| mask.0 == name) {
        return Value::Null;
    }
    if matches!(name, "flags" | "events" | "revents") && value.is_string() {
        return sorted_names(value);
    }
    if matches!(name, "old_value" | "curr_value") {
        return roughly(value);
    }
    match value {
        Value::Object(object) => {
            let mut normal: Map<String, Value> =
                object.iter().map(|(name, value)| (name.clone(), inner(name, value))).collect();
            // How long a directory is, is its file system's own.
            if normal.get("type").is_some_and(|kind| kind == "dir") && normal.contains_key("size") {
                normal.insert("size".into(), Value::Null);
            }
            // The twin tells of a child's end only where the signal is SIGCHLD.
            if normal.get("si_signo").is_some_and(|signal| signal != "SIGCHLD") {
                normal.remove("si_status");
            }
            // The tops of these mounts count what is in them.
            if normal.get("path").is_some_and(|path| path == "/dev" || path == "/proc") {
                normal.insert("nlink".into(), Value::Null);
            }
            // A parent in vfork(2) sleeps as one that waits for a disk.
            if normal.get("state").is_some_and(|state| state == "D") {
                normal.insert("state".into(), "S".into());
            }
            normal.sort_keys();
            Value::Object(normal)
        }
        Value::Array(items) => items.iter().map(|item| masked("", item)).collect(),
        other => other.clone(),
    }
}

/// A name that nobody chose is a random one (unix(7), "Autobind feature"; ip(7),
/// ip_local_port_range).
fn unchosen(address: &Value) -> Value {
    let name = address.get("abstract").and_then(Value::as_str).unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let mut address = masked("", address);
    // Nor is such a port.
    if address.get("port").and_then(Value::as_u64).is_some_and(|port| port >= 32_768) {
        address["port"] = Value::Null;
    }
    if name.len() == 5 && name.bytes().all(is_digit) {
        address["abstract"] = Value::Null;
    }
    address
}

/// What is left of a timer: the real clock runs. Programs set none that ends soon.
fn roughly(timer: &Value) -> Value {
    /// Seconds that no test takes, and no machine has run.
    const ROUGH_SEC: i64 = 100_000_000;
    let sec = |part: &str| timer.get(part)?.get("sec")?.as_i64();
    let rough = |part: &str| sec(part).map(|sec| (sec + ROUGH_SEC - 1) / ROUGH_SEC);
    serde_json::json!([rough("interval"), rough("value")])
}

/// What signalfd(2) tells of SIGCHLD, without the times that the child has run.
fn without_times<'n>(name: &'n str, data: &Value) -> (&'n str, Value) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    const INFO_BYTES: usize = 128;
    const TIMES: core::ops::Range<usize> = 56..72;
    let text = data.as_str().unwrap_or_default();
    let mut bytes = match name {
        "data" => text.as_bytes().to_vec(),
        _ => STANDARD.decode(text).unwrap_or_default(),
    };
    let is_info = |info: &[u8]| {
        let signal = info.first().copied().unwrap_or(0);
        (1..=64).contains(&signal)
            && info[1..4] == [0; 3]
            && info[80..].iter().all(|byte| *byte == 0)
    };
    let whole = !bytes.is_empty() && bytes.len().is_multiple_of(INFO_BYTES);
    if !whole || !bytes.chunks(INFO_BYTES).all(is_info) {
        return (name, data.clone());
    }
    bytes.chunks_mut(INFO_BYTES).for_each(|info| info[TIMES].fill(0));
    ("data", STANDARD.encode(bytes).into())
}

/// Flags have no order.
fn sorted_names(flags: &Value) -> Value {
    let Some(text) = flags.as_str() else { return flags.clone() };
    let mut names: Vec<&str> = text.split('|').collect();
    names.sort_unstable();
    names.join("|").into()
}

/// A directory's order is its file system's own.
fn sorted_entries(entries: &Value) -> Value {
    let mut entries = match masked("entries", entries) {
        Value::Array(entries) => entries,
        other => return other,
    };
    entries.sort_by_key(|entry| entry.get("name").map(Value::to_string));
    entries.into()
}
