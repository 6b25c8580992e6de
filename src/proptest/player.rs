//! What a generator must know of a run to name things that exist: who can speak, what is open.
//!
//! The picture is rough (a shared descriptor table counts as a copied one): a wrong guess makes a
//! request that fails, which is a test too.

use super::Step;
use crate::json::Object;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Processes that may live at a time.
pub(super) const PROCESSES_MAX: usize = 3;

/// What a descriptor is, as far as the generator cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, or not known.
    File,
    /// A directory.
    Directory,
    /// /dev/zero.
    Zeros,
    /// A file of memory.
    Memory,
    /// A counter of eventfd(2).
    Counter,
    /// A pidfd.
    Process,
    /// The end of a pipe that is read.
    Reader,
    /// The end of a pipe that is written.
    Writer,
    /// A socket of unix(7).
    Socket,
    /// A socket of tcp(7) or udp(7) over IPv4.
    Net,
    /// One over IPv6.
    Net6,
    /// An instance of epoll(7).
    Epoll,
    /// A timer of timerfd_create(2).
    Timer,
    /// Signals by signalfd(2).
    Signals,
    /// An instance of inotify(7).
    Notices,
    /// The master of a terminal.
    Master,
    /// The slave of one.
    Slave,
}

/// What is known of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) fds: BTreeMap<i64, Kind>,
    /// The call that it waits in.
    blocked: Option<u64>,
    stopped: bool,
    /// Handlers that have not returned.
    pub(super) handlers: u32,
    /// It has changed its ids: perhaps it is not root any more.
    pub(super) other_user: bool,
}

impl Known {
    /// Whether it is in a call that waits.
    pub(super) const fn waits(&self) -> bool {
        self.blocked.is_some()
    }
}

/// Turns steps into requests while it watches the answers.
#[derive(Clone, Debug)]
pub struct Player {
    pub(super) known: BTreeMap<i64, Known>,
    /// Every process that ever was, in the order of birth.
    pub(super) born: Vec<i64>,
    /// A FIFO, or a node of another kind, was made.
    pub(super) fifos: bool,
}

impl Default for Player {
    fn default() -> Self {
        Self::new()
    }
}

impl Player {
    /// Before the first request: process 1 with descriptors 0 to 2.
    pub fn new() -> Self {
        let fds = (0..3).map(|fd| (fd, Kind::File)).collect();
        let known = [(1, Known { fds, ..Known::default() })].into();
        Self { known, born: vec![1], fifos: false }
    }

    /// The request for a step; `None` if no process can speak any more.
    pub fn request(&self, step: &Step) -> Option<Object> {
        let speakers: Vec<i64> = self
            .known
            .iter()
            .filter(|(_, process)| process.blocked.is_none() && !process.stopped)
            .map(|(pid, _)| *pid)
            .collect();
        // Now and then one that cannot speak: the refusal is an answer too.
        let pid = match step.actor {
            255 => *self.born.last()?,
            actor => *speakers.get(usize::from(actor) % speakers.len().max(1))?,
        };
        let alone = speakers.len() == 1 && speakers.contains(&pid);
        let full = self.known.len() >= PROCESSES_MAX;
        Some(super::lower::lower(self, step, pid, alone, full))
    }

    /// Takes note of what came of a request.
    pub fn observe(&mut self, request: &Object, answers: &[Object]) {
        let Some((answer, before)) = answers.split_last() else { return };
        for line in before {
            self.observe_event(line);
        }
        let pid = request.get("pid").and_then(Value::as_i64).unwrap_or(0);
        let call = request.get("call").and_then(Value::as_str).unwrap_or("");
        if let Some(why) = answer.get("error").and_then(Value::as_str) {
            self.observe_refusal(pid, why);
        } else if let Some(id) = answer.get("blocked").and_then(Value::as_u64) {
            if let Some(child) = answer.get("child").and_then(Value::as_i64) {
                self.born_from(pid, child);
            }
            if let Some(process) = self.known.get_mut(&pid) {
                process.blocked = Some(id);
            }
        } else if let Some(value) = answer.get("ok").and_then(Value::as_i64) {
            self.observe_success(pid, call, request, value, answer);
        }
    }

    fn observe_event(&mut self, line: &Object) {
        if let Some(id) = line.get("done").and_then(Value::as_u64) {
            let waiter = self.known.iter().find(|(_, known)| known.blocked == Some(id));
            let Some(pid) = waiter.map(|(pid, _)| *pid) else { return };
            if line.contains_key("gone") {
                self.known.remove(&pid);
            } else if let Some(process) = self.known.get_mut(&pid) {
                process.blocked = None;
                let is_message = line.contains_key("data");
                if let Some(Value::Array(fds)) = line.get("fds") {
                    let kind = if is_message { Kind::File } else { Kind::Reader };
                    note_ends(process, fds, [kind, Kind::Writer]);
                }
                // Only accept(2) tells of an address and of no bytes.
                if let (true, false, Some(fd)) =
                    (line.contains_key("addr"), is_message, line.get("ok").and_then(Value::as_i64))
                {
                    let family = line.get("addr").and_then(|addr| addr.get("family"));
                    process.fds.insert(fd, kind_of_family(family));
                }
            }
        } else if let Some(pid) = line.get("signal").and_then(|signal| signal.get("pid"))
            && let Some(process) = pid.as_i64().and_then(|pid| self.known.get_mut(&pid))
        {
            process.handlers += 1;
            process.stopped = false;
        }
    }

    fn observe_refusal(&mut self, pid: i64, why: &str) {
        if why.ends_with("is gone") {
            self.known.remove(&pid);
        } else if let Some(process) = self.known.get_mut(&pid) {
            process.stopped = why.ends_with("is stopped");
        }
    }

    fn born_from(&mut self, parent: i64, child: i64) {
        let of = self.known.get(&parent).cloned().unwrap_or_default();
        let child_of = Known { blocked: None, stopped: false, handlers: 0, ..of };
        self.known.insert(child, child_of);
        self.born.push(child);
    }

    fn observe_success(
        &mut self,
        pid: i64,
        call: &str,
        request: &Object,
        value: i64,
        answer: &Object,
    ) {
        match call {
            "fork" | "clone" => return self.born_from(pid, value),
            "exit" | "exit_group" => {
                self.known.remove(&pid);
                return;
            }
            // The target may have stopped, gone on or ended: it is asked again to find out.
            "kill" | "tgkill" | "pidfd_send_signal" => {
                self.known.values_mut().for_each(|known| known.stopped = false);
                return;
            }
            // Anything may be a FIFO from now on.
            "mknod" => {
                self.fifos = true;
                return;
            }
            _ => {}
        }
        let Some(process) = self.known.get_mut(&pid) else { return };
        if let Some(kind) = made_by(call) {
            process.fds.insert(value, kind);
            return;
        }
        let number = |name: &str| request.get(name).and_then(Value::as_i64);
        match call {
            "setuid" | "setreuid" | "setresuid" => process.other_user = true,
            "execve" => process.handlers = 0,
            "rt_sigreturn" => process.handlers = process.handlers.saturating_sub(1),
            "open" | "openat" | "creat" => {
                let flags = request.get("flags").and_then(Value::as_str).unwrap_or("");
                let path = request.get("path").and_then(Value::as_str).unwrap_or("");
                let kind = opened_kind(path, flags);
                process.fds.insert(value, kind);
            }
            "ioctl"
                if request.get("request").is_some_and(|name| name == super::terminals::PEER) =>
            {
                process.fds.insert(value, Kind::Slave);
            }
            "dup" | "dup2" | "dup3" => {
                let old = number("oldfd").and_then(|fd| process.fds.get(&fd).copied());
                process.fds.insert(value, old.unwrap_or(Kind::File));
            }
            "close" => drop(number("fd").and_then(|fd| process.fds.remove(&fd))),
            "fcntl" if request.get("cmd").and_then(Value::as_str).is_some_and(is_dup) => {
                let old = number("fd").and_then(|fd| process.fds.get(&fd).copied());
                process.fds.insert(value, old.unwrap_or(Kind::File));
            }
            "close_range" => {
                let (first, last) = (number("first").unwrap_or(0), number("last").unwrap_or(0));
                process.fds.retain(|fd, _| !(first..=last).contains(fd));
            }
            "socket" | "accept" | "accept4" => {
                process.fds.insert(value, kind_of_socket(request, answer));
            }
            "recvmsg" => note_pair(process, answer, [Kind::File, Kind::Socket]),
            "socketpair" => note_pair(process, answer, [Kind::Socket, Kind::Socket]),
            "pipe" | "pipe2" => note_pair(process, answer, [Kind::Reader, Kind::Writer]),
            _ => {}
        }
    }
}

/// What socket(2) or accept(2) made.
fn kind_of_socket(request: &Object, answer: &Object) -> Kind {
    let told = || answer.get("addr").and_then(|it| it.get("family"));
    kind_of_family(request.get("domain").or_else(told))
}

fn kind_of_family(family: Option<&Value>) -> Kind {
    match family.and_then(Value::as_str) {
        Some("AF_INET") => Kind::Net,
        Some("AF_INET6") => Kind::Net6,
        _ => Kind::Socket,
    }
}

/// What a call makes that makes but one kind of thing.
fn made_by(call: &str) -> Option<Kind> {
    Some(match call {
        "eventfd2" => Kind::Counter,
        "epoll_create1" => Kind::Epoll,
        "timerfd_create" => Kind::Timer,
        "signalfd4" => Kind::Signals,
        "inotify_init1" => Kind::Notices,
        "pidfd_open" => Kind::Process,
        "memfd_create" => Kind::Memory,
        _ => return None,
    })
}

/// What a descriptor that was opened so is.
fn opened_kind(path: &str, flags: &str) -> Kind {
    if super::lower::may_be_directory(path, flags) {
        Kind::Directory
    } else if path == "/dev/zero" {
        Kind::Zeros
    } else if path == "/dev/ptmx" {
        Kind::Master
    } else if path.starts_with("/dev/pts/") || path == "/dev/tty" {
        Kind::Slave
    } else {
        Kind::File
    }
}

fn is_dup(command: &str) -> bool {
    matches!(command, "F_DUPFD" | "F_DUPFD_CLOEXEC")
}

fn note_pair(process: &mut Known, answer: &Object, kinds: [Kind; 2]) {
    if let Some(Value::Array(fds)) = answer.get("fds") {
        note_ends(process, fds, kinds);
    }
}

fn note_ends(process: &mut Known, fds: &[Value], kinds: [Kind; 2]) {
    process.fds.extend(fds.iter().filter_map(Value::as_i64).zip(kinds));
}

/// Requests of process 1 that make a file which execve(2) takes for a program.
pub(super) fn program_file() -> Vec<Object> {
    let requests = [
        json!({"pid": 1, "call": "creat", "path": "/tmp/x", "mode": "0755"}),
        json!({"pid": 1, "call": "write", "fd": 3, "data": "\u{7f}ELF"}),
        json!({"pid": 1, "call": "close", "fd": 3}),
    ];
    requests.into_iter().filter_map(|request| request.as_object().cloned()).collect()
}
