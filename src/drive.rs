//! `tickernel drive`: a kernel on a pair of streams, one JSON request a line (CLI.md, "drive").
//!
//! Owns the order of the lines: signals and ends of waits that a request caused stand before its
//! answer. The forms of requests and answers are `json`'s; what a call does is the kernel's.

use crate::json::{self, Form, JsonError, Object, Request};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read, Write};
use tickernel_systems::abi::Errno;
use tickernel_systems::event::{Call, CallId, Effect, Event, HostAnswer, Outcome, Output, Refusal};
use tickernel_systems::{Config, Kernel};

/// Bytes in one line at most.
const LINE_MAX_BYTES: u64 = 64 << 20;

/// What a line can ask beside calls, and the fields of each; those of `incoming` depend on what
/// comes.
pub const OPS: [(&str, &[&str]); 6] = [
    ("advance", &["ns"]),
    ("digest", &[]),
    ("incoming", &[]),
    ("processes", &[]),
    ("reset", &[]),
    ("tree", &["path"]),
];

/// A kernel that is asked in lines.
#[derive(Debug)]
pub struct Drive {
    config: Config,
    kernel: Kernel,
    /// The names of the calls that wait: an answer's fields follow from them.
    waiting: BTreeMap<CallId, &'static str>,
}

/// Answers every line of `input` on `output`, to the end of input.
///
/// # Errors
/// Reading or writing failed.
pub fn run(mut input: impl BufRead, mut output: impl Write, config: Config) -> io::Result<()> {
    let mut drive = Drive::new(config);
    let mut line = Vec::new();
    while let Some(whole) = read_line(&mut input, &mut line)? {
        if whole && line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answers = if whole { drive.answer(&line) } else { vec![too_long()] };
        for answer in answers {
            serde_json::to_writer(&mut output, &answer)?;
            output.write_all(b"\n")?;
        }
        output.flush()?;
    }
    Ok(())
}

/// Reads a line without its end; `Some(false)` if it was too long and was passed over, `None` at
/// the end of input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let taken = input.by_ref().take(LINE_MAX_BYTES + 1).read_until(b'\n', line)?;
    if taken == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(true));
    }
    if taken as u64 <= LINE_MAX_BYTES {
        return Ok(Some(true));
    }
    line.clear();
    input.skip_until(b'\n')?;
    Ok(Some(false))
}

fn too_long() -> Object {
    error(format!("a line of more than {LINE_MAX_BYTES} bytes"))
}

fn error(text: String) -> Object {
    object("error", text)
}

fn object(name: &str, value: impl Into<Value>) -> Object {
    let mut object = Object::new();
    object.insert(name.to_owned(), value.into());
    object
}

impl Drive {
    /// A fresh kernel.
    pub fn new(config: Config) -> Self {
        Self { kernel: Kernel::new(config.clone()), config, waiting: BTreeMap::new() }
    }

    /// The kernel itself, to look at.
    pub fn kernel_mut(&mut self) -> &mut Kernel {
        &mut self.kernel
    }

    /// All lines that a line causes, the answer to it last.
    pub fn answer(&mut self, line: &[u8]) -> Vec<Object> {
        let mut lines = Vec::new();
        let last = Request::parse(line)
            .and_then(|request| self.request(&request, &mut lines))
            .unwrap_or_else(|JsonError(why)| error(why));
        lines.push(last);
        lines
    }

    fn request(
        &mut self,
        request: &Request,
        before: &mut Vec<Object>,
    ) -> Result<Object, JsonError> {
        // A call may have a field `op` of its own (epoll_ctl).
        if request.has("op") && !request.has("call") {
            return self.operate(request, before);
        }
        let number: i128 = request.number("pid")?;
        let call = request.call_alone(&["pid", "call"])?;
        if let Call::Unmodelled { number } = call {
            return Err(JsonError(format!("call: the kernel does not know number {number}")));
        }
        let Ok(pid) = u32::try_from(number) else {
            return Ok(error(format!("pid {number} is gone")));
        };
        let name = call.name();
        let lives = may_lend_memory(&call).then(|| self.pids());
        let mut outcome = self.kernel.call(pid, call);
        while outcome == Outcome::Asking {
            outcome = self.kernel.take(Event::Answer(HostAnswer::Absent));
        }
        if let Outcome::Blocked(id) = outcome {
            self.waiting.insert(id, name);
        }
        self.drain(before);
        if let Outcome::Blocked(id) = outcome
            && let Some(answer) = ended_at_once(id, before)
        {
            return Ok(answer);
        }
        if let Outcome::Refused(why) = outcome {
            return Ok(error(refusal(pid, why)));
        }
        // On a machine it would read its stack as a frame: nothing that a request can mean.
        if name == "rt_sigreturn" && matches!(outcome, Outcome::Failed(_)) {
            return Ok(error(format!("pid {pid} is in no signal handler")));
        }
        let mut answer = Object::new();
        json::show_outcome(&mut answer, name, &outcome, Form::Drive);
        if let (Outcome::Blocked(_), Some(lives)) = (&outcome, lives)
            && let Some(child) = self.pids().difference(&lives).next()
        {
            answer.insert("child".into(), (*child).into());
        }
        Ok(answer)
    }

    fn pids(&self) -> BTreeSet<u32> {
        self.kernel.processes().iter().map(|process| process.pid).collect()
    }

    /// What left the kernel since the last request, in its order.
    fn drain(&mut self, lines: &mut Vec<Object>) {
        while let Some(output) = self.kernel.poll_output() {
            match output {
                Output::Completion(completion) => {
                    let name = self.waiting.remove(&completion.call).unwrap_or("");
                    let mut line = object("done", completion.call.0);
                    json::show_completed(&mut line, name, &completion.result, Form::Drive);
                    lines.push(line);
                }
                Output::Effect(effect @ (Effect::Handler { .. } | Effect::Outgoing(_))) => {
                    lines.push(json::show_effect(&effect));
                }
                // Nothing of CLI.md's: other processes learn of these by wait4(2).
                Output::Effect(
                    Effect::Stopped { .. }
                    | Effect::Continued { .. }
                    | Effect::Exited { .. }
                    | Effect::Ready { .. }
                    | Effect::Told { .. },
                ) => {}
                // Only `submit` and `step` make these.
                Output::Outcome(..) => {}
            }
        }
    }

    fn operate(
        &mut self,
        request: &Request,
        before: &mut Vec<Object>,
    ) -> Result<Object, JsonError> {
        let op = request.text("op")?;
        if op == "incoming" {
            return self.incoming(request, before);
        }
        let Some((_, own)) = OPS.iter().find(|(name, _)| *name == op) else {
            return Err(no_op(op));
        };
        request.has_no_others(op, &[&["op"], *own].concat())?;
        Ok(match op {
            "advance" => {
                let delta_ns = request.number("ns")?;
                if self.kernel.now_ns().checked_add(delta_ns).is_none_or(|now| now == u64::MAX) {
                    let why = "advance: the clock would run beyond its end, the year 2554";
                    return Err(JsonError(why.to_owned()));
                }
                self.kernel.take(Event::Clock { delta_ns });
                self.drain(before);
                Object::new()
            }
            "reset" => {
                *self = Self::new(self.config.clone());
                Object::new()
            }
            "digest" => {
                let digests = self.kernel.digests();
                object("digest", json::show_digests(self.kernel.digest_all(), &digests))
            }
            "processes" => object("processes", self.processes()),
            "tree" => self.tree(&request.bytes("path")?)?,
            other => return Err(no_op(other)),
        })
    }

    /// Something comes from the network outside.
    fn incoming(
        &mut self,
        request: &Request,
        before: &mut Vec<Object>,
    ) -> Result<Object, JsonError> {
        let event = Event::Incoming(json::read_incoming(request)?);
        let shown = json::show_event(&event);
        let known: Vec<&str> = shown.keys().map(String::as_str).chain(["op"]).collect();
        request.has_no_others("incoming", &known)?;
        let outcome = self.kernel.take(event);
        self.drain(before);
        let mut answer = Object::new();
        json::show_outcome(&mut answer, "", &outcome, Form::Drive);
        Ok(answer)
    }

    fn processes(&self) -> Vec<Value> {
        let show = |process: tickernel_systems::ProcessRow| {
            let mut row = Object::new();
            row.insert("pid".into(), process.pid.into());
            row.insert("ppid".into(), process.ppid.into());
            row.insert("pgid".into(), process.pgid.into());
            row.insert("sid".into(), process.sid.into());
            row.insert("state".into(), process.state.letter().to_string().into());
            json::put_bytes(&mut row, "comm", &process.comm.0);
            Value::Object(row)
        };
        self.kernel.processes().into_iter().map(show).collect()
    }

    fn tree(&self, path: &[u8]) -> Result<Object, JsonError> {
        let rows = match self.kernel.tree(path) {
            Ok(rows) => rows,
            Err(Errno::ENOMEM) => {
                let why = "tree: the paths below have more than 512 MiB together: ask for a part";
                return Err(JsonError(why.to_owned()));
            }
            Err(errno) => return Ok(object("err", errno.name())),
        };
        // The kernel tells what is below; the answer tells whole paths.
        let top = path.strip_suffix(b"/").unwrap_or(path);
        let show = |file: tickernel_systems::TreeRow| {
            let mut row = Object::new();
            json::put_bytes(&mut row, "path", &[top, &file.path.0].concat());
            row.insert("type".into(), json::show_type(file.mode));
            row.insert("mode".into(), (file.mode & 0o7777).into());
            row.insert("nlink".into(), file.nlink.into());
            row.insert("uid".into(), file.uid.into());
            row.insert("gid".into(), file.gid.into());
            row.insert("size".into(), file.size.into());
            if let Some(target) = &file.target {
                json::put_bytes(&mut row, "target", &target.0);
            }
            Value::Object(row)
        };
        Ok(object("tree", rows.into_iter().map(show).collect::<Vec<_>>()))
    }
}

fn no_op(op: &str) -> JsonError {
    let ops: Vec<&str> = OPS.iter().map(|(name, _)| *name).collect();
    JsonError(format!("there is no op \"{op}\", but {}", ops.join(", ")))
}

/// The answer of a call that waited, woke another or got its signal, and so ended within its own
/// request: its caller never saw it wait. Its line is taken from those before the answer.
fn ended_at_once(id: CallId, before: &mut Vec<Object>) -> Option<Object> {
    let is_its = |line: &Object| line.get("done").and_then(Value::as_u64) == Some(id.0);
    let at = before.iter().position(is_its)?;
    let mut answer = before.remove(at);
    answer.shift_remove("done");
    Some(answer)
}

/// Whether the caller may wait for a child that borrows its memory (vfork(2)): then the answer
/// names the child.
fn may_lend_memory(call: &Call<'_>) -> bool {
    use tickernel_systems::abi::flags::CLONE_VFORK;
    matches!(call, Call::Vfork {})
        || matches!(call, Call::Clone { flags, .. } if flags & CLONE_VFORK != 0)
}

fn refusal(pid: u32, why: Refusal) -> String {
    match why {
        Refusal::Gone => format!("pid {pid} is gone"),
        Refusal::Blocked(id) => format!("pid {pid} is blocked in {}", id.0),
        Refusal::Stopped => format!("pid {pid} is stopped"),
        Refusal::Misplaced => format!("pid {pid} cannot do this now"),
    }
}
