//! What a recording leaves out, by strace's options: calls (`-e trace=SET`, `-z`), the lines of
//! children (no `-f`), what was there before strace came (`-p`), signals (`-e signal=none`), what
//! structures hold (`-e verbose=none`). Nothing tells what such calls did, so that an answer may be
//! right and still not be what the kernel gives after those that are told. Only which of these a
//! recording is stands here; what follows from it is in `untold.rs`.

use std::collections::BTreeSet;

use super::{decode, descriptors};
use crate::strace::{self, CallResult, EventKind, Recording, Value};

/// So many calls are a sample: fewer may lack what every program does.
const SAMPLE_CALLS: u64 = 50;
/// Most children that are kept.
const MAX_CHILDREN: usize = 1 << 20;
/// Descriptors that every program has when it begins: up to standard error.
const STANDARD_FDS: i32 = 2;
/// What every program's loader opens (ld.so(8)).
const LOADER_CACHE: &[u8] = b"/etc/ld.so.cache";
/// Calls that every program makes which loads a library: the loader opens it, reads its head, asks
/// for its size, maps it, and ends what it began (ld.so(8)). Names in a row do the same.
const LOADERS_CALLS: [&[&str]; 6] = [
    &["openat", "open"],
    &["read"],
    &["newfstatat", "fstat", "statx", "fstat64"],
    &["mmap", "mmap2"],
    &["close"],
    &["brk"],
];
/// Calls that make a task.
const MAKERS: [&str; 4] = ["clone", "clone3", "fork", "vfork"];
/// Calls by which bytes come into a pipe.
const WRITERS: [&str; 12] = [
    "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg",
    "sendfile", "splice", "tee", "vmsplice",
];

/// Which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Calls of some names.
    pub(crate) calls: bool,
    /// Calls that failed.
    pub(crate) failures: bool,
    /// What some children did.
    pub(crate) children: bool,
    /// What was before the first line.
    pub(crate) past: bool,
    /// What structures hold.
    pub(crate) values: bool,
    /// Signals.
    pub(crate) signals: bool,
}

impl LeftOut {
    /// Looks through a recording.
    pub(crate) fn of(recording: &Recording) -> Self {
        let mut seen = Seen::default();
        for event in &recording.events {
            seen.event(recording, event.tid, &event.kind);
        }
        seen.finish(recording)
    }

    /// Whether anything is left out.
    pub(crate) fn any(self) -> bool {
        self.calls || self.failures || self.children || self.past || self.values || self.signals
    }
}

/// What a recording showed so far.
#[derive(Debug, Default)]
struct Seen {
    calls: u64,
    /// Whether the first call begins a program.
    begins: Option<bool>,
    /// It goes on with what was there before.
    goes_on: bool,
    /// Which of [`LOADERS_CALLS`] there are, as bits.
    of_loaders: u32,
    leaves: bool,
    pipes: bool,
    writes: bool,
    /// strace let somebody go, and the recording went on.
    lets_go: bool,
    goes_on_without: bool,
    /// Calls that make a task and are never seen to return.
    unreturned: usize,
    /// A task's end was told.
    ends: bool,
    loads: bool,
    fails: bool,
    /// A handler returned, or a signal interrupted a call.
    is_interrupted: bool,
    tells_signals: bool,
    has_addresses: bool,
    speakers: BTreeSet<u32>,
    made: BTreeSet<u32>,
}

impl Seen {
    fn event(&mut self, recording: &Recording, tid: Option<u32>, kind: &EventKind) {
        // Of whom only the end is told did what led to it elsewhere.
        if let (Some(tid), false) = (tid, matches!(kind, EventKind::Exited { .. }))
            && self.speakers.len() < MAX_CHILDREN
        {
            self.speakers.insert(tid);
        }
        match kind {
            EventKind::Entry { call } => {
                self.goes_on_without |= self.lets_go;
                let call = recording.calls.get(*call);
                if let Some(call) = call {
                    self.call(&call);
                }
            }
            EventKind::Exit { call } => {
                let call = recording.calls.get(*call);
                // strace came while it ran.
                if call.is_some_and(|call| call.entry_line.is_none()) {
                    self.begins.get_or_insert(false);
                    self.goes_on = true;
                }
            }
            EventKind::Exited { .. } => self.ends = true,
            EventKind::Signal { .. } => self.tells_signals = true,
            EventKind::Detached => self.lets_go = true,
            EventKind::Stopped { .. }
            | EventKind::Killed { .. }
            | EventKind::Superseded { .. }
            | EventKind::Notice(_) => {}
        }
    }

    fn call(&mut self, call: &strace::Call) {
        self.calls += 1;
        if self.begins.is_none() {
            self.begins = Some(&*call.name == "execve");
            let decoded = decode::decode(call);
            let used = decoded.parsed().map(|call| descriptors::used(&call)).unwrap_or_default();
            let is_open = used.iter().any(|fd| *fd > STANDARD_FDS) && !decoded.unreadable;
            self.goes_on = &*call.name == "restart_syscall" || is_open;
        }
        let result = call.result.as_ref();
        let is_done = result.is_some_and(|it| it.value.is_some() && it.errno.is_none());
        self.fails |= result.is_some_and(|result| result.errno.is_some());
        self.is_interrupted |=
            &*call.name == "rt_sigreturn" || result.is_some_and(|it| it.restart().is_some());
        let name = &*call.name;
        for (bit, alike) in LOADERS_CALLS.iter().enumerate() {
            self.of_loaders |= u32::from(alike.contains(&name)) << bit;
        }
        self.writes |= WRITERS.contains(&name);
        let is_made = is_done || result.is_none_or(|result| result.value.is_none());
        self.unreturned += usize::from(MAKERS.contains(&name) && !is_done && is_made);
        match name {
            "exit" | "exit_group" => self.leaves = true,
            "pipe" | "pipe2" => self.pipes = true,
            "open" | "openat" => {
                let mut texts = call.args.iter().filter_map(Value::as_text);
                self.loads |= is_done && texts.any(|text| text.bytes == LOADER_CACHE);
            }
            _ if MAKERS.contains(&name) => {
                let child = result.and_then(CallResult::number).filter(|_| is_done);
                let child = child.and_then(|child| u32::try_from(child).ok());
                if self.made.len() < MAX_CHILDREN {
                    self.made.extend(child);
                }
            }
            "rt_sigaction" | "newfstatat" | "fstat" | "wait4" | "poll" => {
                let at = match name {
                    "newfstatat" => 2,
                    "poll" => 0,
                    _ => 1,
                };
                let address = call.arg(at).and_then(Value::as_pointer);
                // A wait that found nobody wrote nothing.
                let wrote =
                    is_done && (name != "wait4" || result.and_then(CallResult::number) > Some(0));
                self.has_addresses |= wrote && address.is_some_and(|address| address > 0);
            }
            _ => {}
        }
    }

    fn finish(self, recording: &Recording) -> LeftOut {
        let is_sample = self.calls >= SAMPLE_CALLS || self.loads;
        let begins = self.begins == Some(true);
        let has = |name: &str| {
            let of = LOADERS_CALLS.iter().position(|alike| alike.contains(&name));
            of.is_some_and(|bit| self.of_loaders & 1 << bit != 0)
        };
        let loaders = (1 << LOADERS_CALLS.len()) - 1;
        let lacks = if self.loads || begins {
            self.of_loaders != loaders || self.pipes && !self.writes
        } else {
            !has("close") && !has("mmap")
        };
        // The first one was started by strace.
        let unmade = self.speakers.difference(&self.made).count();
        let is_joined = begins && unmade > 1 + self.unreturned;
        LeftOut {
            calls: is_sample && lacks || is_joined || self.ends && !self.leaves && self.fails,
            failures: is_sample && !self.fails,
            children: self.goes_on_without
                || !super::untold::last_programs(recording).is_empty()
                || self.made.iter().any(|child| !self.speakers.contains(child)),
            // It came in the middle, or what begins a program is left out.
            past: !begins
                && (self.calls >= SAMPLE_CALLS || self.goes_on || self.ends || self.leaves),
            values: self.has_addresses,
            signals: self.is_interrupted && !self.tells_signals,
        }
    }
}
