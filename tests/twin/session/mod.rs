//! The coordinator: hands each request to the worker of its process, waits until nothing in the sandbox moves any more,
//! and tells what came of it, in CLI.md's words.
//!
//! Nothing moves when two looks at all workers, one after the other, find each of them asleep, stopped or gone and
//! not once put on a processor in between (`watch.rs`). A request whose worker then sleeps in its call is blocked.

mod events;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::{Value, json};

use crate::calls::{self, Kind};
use crate::exec;
use crate::fields::Fields;
use crate::image;
use crate::sandbox::{Host, Sandbox};
use crate::shared::{self, Order, Shared};
use crate::task::{Call, Frame, Task};
use crate::watch::{Doing, Look};

/// Set when the program is to end.
pub(crate) static ENDING: AtomicBool = AtomicBool::new(false);

/// How long one sleep between looks lasts at most.
const LOOK_US: u32 = 300;

/// The request that is being carried out.
struct Current {
    pid: i32,
    request: u32,
    answer: Option<Value>,
    child: Option<i32>,
}

/// A kernel behind the protocol.
pub(crate) struct Session {
    host: Host,
    shared: Shared,
    sandbox: Option<Sandbox>,
    tasks: BTreeMap<i32, Task>,
    requests: u32,
    blocked: u64,
    /// Whether a terminal may have been opened.
    terminals: bool,
    current: Option<Current>,
    /// Slots of children that were made but have not told so yet.
    awaited: Vec<usize>,
    /// Lines to be printed before the answer: ends of blocked calls by death, then all others in their order.
    deaths: Vec<Value>,
    lines: Vec<Value>,
}

impl Session {
    /// A session with a fresh kernel.
    pub(crate) fn new(host: Host) -> io::Result<Self> {
        let shared = Shared::new()?;
        let mut session = Self {
            host,
            shared,
            sandbox: None,
            tasks: BTreeMap::new(),
            requests: 0,
            blocked: 0,
            terminals: false,
            current: None,
            awaited: Vec::new(),
            deaths: Vec::new(),
            lines: Vec::new(),
        };
        session.reset()?;
        Ok(session)
    }

    /// A fresh kernel.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        self.end();
        self.shared.reset();
        self.blocked = 0;
        self.terminals = false;
        let slot = self.shared.take_slot().ok_or_else(|| io::Error::other("no slot"))?;
        shared::set_starting_slot(slot);
        let sandbox = self.host.sandbox(&image::elf(self.shared.shmid()))?;
        let init = Task::new(&sandbox, 1, slot)?;
        self.tasks.insert(1, init);
        self.sandbox = Some(sandbox);
        let name = |area: &mut shared::Area| area.c_string(b"init");
        self.silently(1, libc::SYS_prctl, libc::PR_SET_NAME as u64, name);
        Ok(())
    }

    /// Ends the sandbox.
    pub(crate) fn end(&mut self) {
        self.tasks.clear();
        self.awaited.clear();
        if let Some(sandbox) = self.sandbox.take() {
            self.host.end(sandbox);
        }
        self.deaths.clear();
        self.lines.clear();
    }

    /// The sandbox.
    pub(crate) fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }

    /// Whether the task waits for a request, for `processes`.
    pub(crate) fn is_idle(&self, pid: i32) -> bool {
        self.tasks.get(&pid).is_some_and(|task| task.watch.look(task.slot).0 == Doing::Idle)
    }

    /// The lines that go before the next answer.
    pub(crate) fn take_lines(&mut self) -> impl Iterator<Item = Value> {
        let mut all = std::mem::take(&mut self.deaths);
        all.append(&mut self.lines);
        all.into_iter()
    }

    /// Carries out one request of a process.
    pub(crate) fn call(
        &mut self,
        pid: i32,
        name: &str,
        fields: &Fields<'_>,
    ) -> Result<Value, String> {
        self.may_speak(pid)?;
        let mut area = self.shared.take_area().ok_or("too many calls are on their way")?;
        let mut plan = match calls::plan(name, fields, &mut area) {
            Ok(plan) => plan,
            Err(error) => {
                self.shared.free_area(area);
                return Err(error);
            }
        };
        if plan.kind == Kind::SignalReturn && !self.tasks[&pid].is_in_handler() {
            self.shared.free_area(area);
            return Err(format!("pid {pid} is in no signal handler"));
        }
        let child_slot = match plan.kind {
            Kind::Fork { shares_memory } => {
                let slot = self.shared.take_slot().ok_or("too many processes for the host twin")?;
                if shares_memory {
                    exec::give_stack(&mut plan, slot);
                }
                Some(slot)
            }
            _ => None,
        };
        let staged = match (plan.kind, &self.sandbox) {
            (Kind::Exec, Some(sandbox)) => exec::stage(sandbox, pid, plan.arguments[0]),
            _ => None,
        };
        self.terminals |=
            name.starts_with("open") && fields.bytes("path")?.is_some_and(is_terminal);
        let answer = self.carry_out(pid, plan, area, child_slot);
        drop(staged);
        if pid == 1 && name.starts_with("set") {
            // A change of credentials clears it (PR_SET_PDEATHSIG(2const)).
            self.silently(1, libc::SYS_prctl, libc::PR_SET_PDEATHSIG as u64, |_| Ok(9));
        }
        Ok(answer)
    }

    fn carry_out(
        &mut self,
        pid: i32,
        plan: calls::Plan,
        area: shared::Area,
        child_slot: Option<usize>,
    ) -> Value {
        self.requests = self.requests.wrapping_add(1);
        let request = self.requests;
        let (kind, reply) = (plan.kind, plan.reply);
        let operation = if kind == Kind::SignalReturn { image::OP_RETURN } else { image::OP_CALL };
        let Some(task) = self.tasks.get_mut(&pid) else {
            return json!({ "error": format!("pid {pid} is gone") });
        };
        task.frames.push(Frame::Call(Call {
            request,
            blocked: None,
            kind,
            reply,
            area,
            child_slot,
        }));
        let slot = task.slot;
        let (number, arguments) = (plan.number, plan.arguments);
        self.awaited.extend(child_slot);
        self.current = Some(Current { pid, request, answer: None, child: None });
        shared::send(slot, &Order { operation, request, number, arguments, child: child_slot });
        let mut looks = self.settle();
        if let (true, Some(sandbox)) = (self.terminals, &self.sandbox) {
            for (tid, task) in &self.tasks {
                task.flush_terminals(sandbox, *tid);
            }
            looks = self.settle();
        }
        self.answer_current(&looks)
    }

    /// A call of the twin's own, of which nothing is told.
    fn silently(
        &mut self,
        pid: i32,
        number: i64,
        first: u64,
        second: impl FnOnce(&mut shared::Area) -> Result<u64, String>,
    ) {
        if self.may_speak(pid).is_err() {
            return;
        }
        let Some(mut area) = self.shared.take_area() else { return };
        let second = second(&mut area).unwrap_or(0);
        let plan = calls::Plan {
            number,
            arguments: [first, second, 0, 0, 0, 0],
            kind: Kind::Plain,
            reply: Box::new(|_, _| ()),
        };
        self.carry_out(pid, plan, area, None);
    }

    /// Whether a process can make a request; the error says why not.
    fn may_speak(&mut self, pid: i32) -> Result<(), String> {
        self.take_events();
        let looked = self.tasks.get(&pid).map(|task| task.watch.look(task.slot).0);
        if !matches!(looked, Some(Doing::Idle)) {
            self.settle();
        }
        let gone = || format!("pid {pid} is gone");
        let task = self.tasks.get(&pid).ok_or_else(gone)?;
        if let Some(number) = task.blocked_in() {
            return Err(format!("pid {pid} is blocked in {number}"));
        }
        match task.watch.look(task.slot).0 {
            Doing::Idle => Ok(()),
            Doing::Stopped => Err(format!("pid {pid} is stopped")),
            Doing::Gone(_) => Err(gone()),
            Doing::Running | Doing::Blocked => Err(format!("pid {pid} does not answer")),
        }
    }

    /// Waits until nothing moves; tells what ended meanwhile.
    pub(crate) fn settle(&mut self) -> BTreeMap<i32, Look> {
        let mut before = None;
        loop {
            let seen = shared::event_count();
            self.take_events();
            let look = |(pid, task): (&i32, &Task)| (*pid, task.watch.look(task.slot));
            let looks: BTreeMap<i32, Look> = self.tasks.iter().map(look).collect();
            let moves = !self.awaited.is_empty()
                || looks.values().any(|(doing, _)| *doing == Doing::Running);
            if ENDING.load(SeqCst) {
                return looks;
            }
            if moves {
                before = None;
                shared::wait_for_event(seen, LOOK_US);
            } else if shared::event_count() != seen {
                before = None;
            } else if before.as_ref() == Some(&looks) {
                self.bury(&looks);
                return looks;
            } else {
                before = Some(looks);
            }
        }
    }

    /// The answer to the current request, now that nothing moves.
    fn answer_current(&mut self, looks: &BTreeMap<i32, Look>) -> Value {
        let Some(current) = self.current.take() else { return Value::Null };
        if let Some(answer) = current.answer {
            return answer;
        }
        let stopped = looks.get(&current.pid).is_some_and(|look| look.0 == Doing::Stopped);
        let Some(task) = self.tasks.get_mut(&current.pid) else { return Value::Null };
        if stopped
            && task.call_mut(current.request).is_some_and(|call| call.kind == Kind::SendsSignal)
            && let Some(call) = task.take_call(current.request)
        {
            let answer = call.answer_without_result(None);
            self.shared.free_area(call.area);
            return answer;
        }
        let Some(call) = task.call_mut(current.request) else { return Value::Null };
        self.blocked += 1;
        call.blocked = Some(self.blocked);
        match current.child {
            Some(child) => json!({ "blocked": self.blocked, "child": child }),
            None => json!({ "blocked": self.blocked }),
        }
    }
}

/// Whether a path may be a terminal's (pts(4)).
fn is_terminal(path: Vec<u8>) -> bool {
    path.windows(2).any(|part| part == b"pt")
}
