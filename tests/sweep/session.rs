//! Both sides with the same processes; a case is asked of both, and what differs is reported.

use crate::case::{ACTORS, Case};
use crate::compare::Normal;
use crate::host::Host;
use crate::ours::our_kernel;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use std::fmt::Write;
use tickernel::drive::Drive;

/// Cases after which both sides begin anew.
const CASES_A_SESSION: usize = 400;
/// How often a difference is looked at again: a real machine may be late.
const SECOND_LOOKS: usize = 2;
/// After which errors Linux moves times that ours does not: call, flag, errno, and why ours are
/// right. What these leave behind is not compared.
const DELIBERATE: [(&str, &str, &str, &str); 1] = [(
    "renameat2",
    "RENAME_WHITEOUT",
    "ENOTEMPTY",
    "ext4 takes the whiteout back that it has put there: a call that failed changes nothing",
)];
const STAMPS: [[&str; 2]; 3] =
    [["atime", "atime_ns"], ["mtime", "mtime_ns"], ["ctime", "ctime_ns"]];

/// Our kernel and Linux.
pub(crate) struct Session {
    ours: Drive,
    host: Host,
    cases: usize,
    requests: usize,
}

/// What is not alike.
pub(crate) struct Difference {
    /// Equal where the same is wrong, mostly.
    pub(crate) signature: String,
    pub(crate) report: String,
}

/// A request with what each side answered, in the common form.
struct Asked {
    request: String,
    ours: Vec<Value>,
    linux: Vec<Value>,
}

impl Session {
    /// `None`, with a note, where the host twin cannot work.
    pub(crate) fn start() -> Option<Self> {
        let host = Host::start()?;
        let mut session = Self { ours: our_kernel(), host, cases: 0, requests: 0 };
        session.reset();
        Some(session)
    }

    /// Requests sent to each side so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests
    }

    fn reset(&mut self) {
        self.ours = our_kernel();
        self.host.ask(r#"{"op":"reset"}"#);
        self.cases = 0;
        let own = |call: Value| (1, call);
        for (at, (uid, gid, groups)) in ACTORS.into_iter().enumerate().skip(1) {
            let real = if at == ACTORS.len() - 1 { 0 } else { uid };
            let calls = [
                own(json!({"call": "fork"})),
                (at + 1, json!({"call": "setgroups", "groups": groups})),
                (at + 1, json!({"call": "setresgid", "rgid": gid, "egid": gid, "sgid": gid})),
                (at + 1, json!({"call": "setresuid", "ruid": real, "euid": uid, "suid": real})),
            ];
            for (pid, call) in calls {
                let asked = self.ask(pid, &call);
                assert_eq!(asked.ours, asked.linux, "{}", asked.request);
            }
        }
    }

    fn ask(&mut self, pid: usize, call: &Value) -> Asked {
        let mut request = json!({"pid": pid});
        if let (Value::Object(request), Value::Object(call)) = (&mut request, call) {
            request.extend(call.clone());
        }
        let request = request.to_string();
        self.requests += 1;
        let ours = self.ours.answer(request.as_bytes());
        let ours: Vec<Value> = ours.into_iter().map(Value::Object).collect();
        let linux = self.host.ask(&request);
        Asked { request, ours, linux }
    }

    /// What differs and goes on differing when it is asked again.
    pub(crate) fn run(&mut self, case: &Case) -> Option<Difference> {
        if self.cases >= CASES_A_SESSION {
            self.reset();
        }
        let mut found = self.once(case)?;
        for _ in 0..SECOND_LOOKS {
            self.reset();
            found = self.once(case)?;
        }
        self.reset();
        Some(found)
    }

    fn once(&mut self, case: &Case) -> Option<Difference> {
        self.cases += 1;
        let directory = format!("/tmp/{}", self.cases);
        let mut all = Vec::new();
        all.push(self.ask(1, &json!({"call": "mkdir", "path": directory, "mode": "0777"})));
        let mut actors = vec![case.actor];
        actors.extend(case.asked.iter().filter_map(|(actor, _)| *actor));
        actors.push(0);
        actors.sort_unstable();
        actors.dedup();
        for actor in &actors {
            all.push(self.ask(actor + 1, &json!({"call": "chdir", "path": directory})));
        }
        for call in &case.setup {
            all.push(self.ask(1, call));
        }
        let before = self.watch(case, true);
        // On a machine time passes by itself.
        self.ours.answer(br#"{"op":"advance","ns":1000000}"#);
        for (actor, call) in &case.asked {
            let mut asked = self.ask(actor.unwrap_or(case.actor) + 1, call);
            if case.reads_events && call["call"] == "read" {
                asked.ours.iter_mut().for_each(show_events);
                asked.linux.iter_mut().for_each(show_events);
            }
            all.push(asked);
        }
        let after = self.watch(case, false);
        let opened = |call: &Value| {
            call["call"] == "inotify_init1" || {
                matches!(call["call"].as_str(), Some(name)
            if name.starts_with("open") || ["creat", "pipe", "dup"].contains(&name))
            }
        };
        if case.setup.iter().chain(case.asked.iter().map(|(_, call)| call)).any(opened) {
            for actor in actors {
                let close = json!({"call": "close_range", "first": 3, "last": 1000, "flags": 0});
                all.push(self.ask(actor + 1, &close));
            }
        }
        if !all.iter().any(is_deliberate) {
            all.extend(stamps(case, &before, after));
        }
        difference(all)
    }

    /// Looks at the watched names; before, their times are set to a past.
    fn watch(&mut self, case: &Case, before: bool) -> Vec<Asked> {
        let mut seen = Vec::new();
        for path in &case.watched {
            if before {
                let past = json!({"call": "utimensat", "path": path, "flags": "AT_SYMLINK_NOFOLLOW",
                    "atime": {"sec": 1000, "nsec": 5}, "mtime": {"sec": 2000, "nsec": 7}});
                self.ask(1, &past);
            }
            seen.push(self.ask(1, &json!({"call": "lstat", "path": path})));
        }
        seen
    }
}

/// In the place of bytes of inotify(7) the events: which cookie a rename gets is the machine's own.
fn show_events(line: &mut Value) {
    let text = line["data"].as_str().map(|text| text.as_bytes().to_vec());
    let coded = line["data_b64"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
    let Some(bytes) = text.or(coded) else { return };
    let mut events = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((head, tail)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| {
            let bytes: [u8; 4] = head[4 * at..4 * at + 4].try_into().unwrap_or_default();
            u32::from_le_bytes(bytes)
        };
        let length = (word(3) as usize).min(tail.len());
        let name = String::from_utf8_lossy(&tail[..length]).into_owned();
        events.push(json!([word(0) as i32, format!("{:#x}", word(1)), word(2) > 0, name]));
        rest = &tail[length..];
    }
    if let Value::Object(line) = line {
        line.retain(|name, _| !name.starts_with("data"));
        line.insert("read".into(), events.into());
    }
}

/// Whether the answer is one of the deliberate differences' list.
fn is_deliberate(asked: &Asked) -> bool {
    let request: Value = serde_json::from_str(&asked.request).unwrap_or_default();
    let has = |(call, flag, errno, _): &(&str, &str, &str, &str)| {
        let flags = request["flags"].as_str().unwrap_or_default();
        let failed = |lines: &[Value]| lines.last().is_some_and(|line| line["err"] == *errno);
        request["call"] == *call
            && flags.contains(flag)
            && failed(&asked.ours)
            && failed(&asked.linux)
    };
    DELIBERATE.iter().any(has)
}

/// The looks at the end, each with which of its times are others than before.
fn stamps(case: &Case, before: &[Asked], after: Vec<Asked>) -> Vec<Asked> {
    let with_moves = |((before, after), path): ((&Asked, Asked), &&str)| {
        let Asked { mut ours, mut linux, .. } = after;
        let moves = (moved(&before.ours, &ours), moved(&before.linux, &linux));
        // Of another inode than before nothing can be said.
        if let (Some(of_ours), Some(of_linux)) = moves {
            ours.push(of_ours);
            linux.push(of_linux);
        }
        Asked { request: format!("afterwards {path}"), ours, linux }
    };
    before.iter().zip(after).zip(&case.watched).map(with_moves).collect()
}

/// Which times of an inode moved.
fn moved(before: &[Value], after: &[Value]) -> Option<Value> {
    let (before, after) = (&before.first()?["stat"], &after.first()?["stat"]);
    if before["ino"] != after["ino"] {
        return None;
    }
    let is_moved = |names: &&[&str; 2]| names.iter().any(|name| before[name] != after[name]);
    let moved: Vec<&str> = STAMPS.iter().filter(is_moved).map(|names| names[0]).collect();
    Some(json!({ "moved": moved }))
}

/// Without the fields that are masked.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

fn difference(all: Vec<Asked>) -> Option<Difference> {
    let (mut our_form, mut linux_form) = (Normal::default(), Normal::default());
    let mut report = String::new();
    let mut signature = None;
    for asked in all {
        let (ours, linux) = (our_form.lines(&asked.ours), linux_form.lines(&asked.linux));
        let text = |lines: &[Value]| {
            let lines: Vec<String> =
                lines.iter().map(|line| short(&without_nulls(line).to_string())).collect();
            lines.join("  ")
        };
        let (ours, linux) = (text(&ours), text(&linux));
        let request = short(&asked.request);
        if ours == linux {
            let _ = writeln!(report, "  {request}\n      -> {linux}");
        } else {
            let _ = writeln!(report, "  {request}\n    ! ours  {ours}\n    ! Linux {linux}");
            let call: Value = serde_json::from_str(&asked.request).unwrap_or_default();
            let call = call["call"].as_str().unwrap_or(&request).to_owned();
            signature.get_or_insert_with(|| format!("{call}: ours {ours}, Linux {linux}"));
        }
    }
    signature.map(|signature| Difference { signature, report })
}

/// A long path or text is cut.
fn short(text: &str) -> String {
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
