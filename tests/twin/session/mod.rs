//! The coordinator: hands each request to the worker of its process, waits until nothing in the
//! sandbox moves any more, and tells what came of it, in CLI.md's words.
//!
//! Nothing moves when two looks at all workers, one after the other, find each of them asleep,
//! stopped or gone and not once put on a processor in between (`watch.rs`). A request whose worker
//! then sleeps in its call is blocked.

mod events;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};

use crate::barrier::Barrier;
use crate::calls::{self, Kind};
use crate::exec;
use crate::fields::{Fields, Object};
use crate::image;
use crate::sandbox::{Host, Sandbox};
use crate::shared::{self, Order, Shared};
use crate::task::{Call, Frame, Task};
use crate::watch::{self, Doing, Look};

/// Set when the program is to end.
pub(crate) static ENDING: AtomicBool = AtomicBool::new(false);

/// How long one sleep between looks lasts at most.
const LOOK_US: u32 = 300;

/// How long the kernel's own threads get for packets on their way: nothing tells when they have
/// arrived.
const DEFERRED_WORK: Duration = Duration::from_millis(2);
/// Turns of the kernel's own threads for what goes into a terminal: its input, its echo, and what
/// goes on when that has room.
const TERMINAL_TURNS: usize = 3;

/// The request that is being carried out.
struct Current {
    pid: i32,
    request: u32,
    kind: Kind,
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
    /// Whether a terminal may have been opened, or an internet socket made: what goes into one
    /// comes out of its other side by work of the kernel's own.
    terminals: bool,
    internet: bool,
    /// Whether descriptors may be on their way in messages.
    rights: bool,
    /// What goes through a terminal is waited for by one of the twin's own.
    barrier: Option<Barrier>,
    /// And so much longer.
    patience: Duration,
    current: Option<Current>,
    /// Slots of children that were made but have not told so yet.
    awaited: Vec<usize>,
    /// Lines to be printed before the answer: ends of blocked calls by death, then all others in
    /// their order.
    deaths: Vec<Value>,
    lines: Vec<Value>,
}

impl Session {
    /// A session with a fresh kernel.
    pub(crate) fn new(host: Host) -> io::Result<Self> {
        let shared = Shared::new(image::code())?;
        let mut session = Self {
            host,
            shared,
            sandbox: None,
            tasks: BTreeMap::new(),
            requests: 0,
            blocked: 0,
            terminals: false,
            internet: false,
            rights: false,
            barrier: Barrier::new(),
            patience: Duration::ZERO,
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
        self.internet = false;
        self.rights = false;
        let slot = self.shared.take_slot().ok_or_else(|| io::Error::other("no slot"))?;
        shared::set_starting_slot(slot);
        let sandbox = self.host.sandbox(&image::elf(self.shared.shmid()))?;
        let init = Task::new(&sandbox, 1, slot)?;
        self.tasks.insert(1, init);
        self.sandbox = Some(sandbox);
        self.silently(1, libc::SYS_prctl, |area| {
            Ok([libc::PR_SET_NAME as u64, area.c_string(b"init")?, 0, 0, 0])
        });
        Ok(())
    }

    /// Ends the sandbox.
    pub(crate) fn end(&mut self) {
        self.tasks.clear();
        self.awaited.clear();
        if let Some(sandbox) = self.sandbox.take() {
            self.host.end(sandbox);
        }
        if self.rights {
            // Sockets that are left in messages would keep their ports.
            collect_sockets(self.patience);
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
        self.tasks.get(&pid).is_some_and(|task| task.look().0 == Doing::Idle)
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
            Kind::Fork { .. } => self.shared.take_slot(),
            _ => None,
        };
        match (plan.kind, child_slot) {
            (Kind::Fork { shares_memory: true }, Some(slot)) => exec::give_stack(&mut plan, slot),
            (Kind::Fork { .. }, None) => {
                self.shared.free_area(area);
                return Err("there are too many processes for the host twin".into());
            }
            _ => {}
        }
        match name {
            "open" | "openat" | "openat2" => {
                self.terminals |= fields.bytes("path")?.is_some_and(is_terminal);
            }
            "sendmsg" => self.rights |= fields.has("fds"),
            "sendmmsg" => self.rights = true,
            "socket" => self.internet |= plan.arguments[0] != libc::AF_UNIX as u64,
            _ => {}
        }
        let answer = if plan.kind == Kind::Exec {
            self.execute(pid, plan, area)?
        } else {
            self.carry_out(pid, plan, area, child_slot)
        };
        if pid == 1 && name.starts_with("set") {
            // A change of credentials clears it (PR_SET_PDEATHSIG(2const)).
            let signal = libc::SIGKILL as u64;
            let arguments = [libc::PR_SET_PDEATHSIG as u64, signal, 0, 0, 0];
            self.silently(1, libc::SYS_prctl, |_| Ok(arguments));
        }
        Ok(answer)
    }

    fn flush_terminals(&self) {
        let Some(sandbox) = self.sandbox.as_ref().filter(|_| self.terminals) else { return };
        for (tid, task) in &self.tasks {
            task.flush_terminals(sandbox, *tid);
        }
    }

    /// Carries out an execve.
    fn execute(
        &mut self,
        pid: i32,
        plan: calls::Plan,
        area: shared::Area,
    ) -> Result<Value, String> {
        let Some(sandbox) = &self.sandbox else { return Err("there is no sandbox".into()) };
        let staged = exec::stage(sandbox, pid, plan.arguments[0]);
        let slot = self.tasks.get(&pid).map(|task| task.slot);
        let answer = self.carry_out(pid, plan, area, None);
        let known_to_be_none = matches!(staged, Ok(None));
        if answer.get("err").is_some_and(|errno| errno == "ENOEXEC") && !known_to_be_none {
            return Err(
                "field path: the host twin cannot run a program that a link of /proc leads to"
                    .into(),
            );
        }
        if let Ok(Some(staged)) = staged {
            let program = staged.program.clone();
            drop(staged);
            if answer.get("ok").is_some() {
                let leader = slot.and_then(|slot| self.pid_of(slot)).unwrap_or(pid);
                self.set_program(leader, &program);
            }
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
        self.current = Some(Current { pid, request, kind, answer: None, child: None });
        shared::send(slot, &Order { operation, request, number, arguments, child: child_slot });
        let mut looks = self.settle();
        if self.rights {
            collect_sockets(self.patience);
            looks = self.settle();
        }
        if self.terminals {
            for _ in 0..TERMINAL_TURNS {
                self.let_terminals_work();
                looks = self.settle();
            }
        } else if self.internet {
            watch::let_pass(DEFERRED_WORK);
            looks = self.settle();
        }
        self.answer_current(&looks)
    }

    /// Whoever finds a difference asks again, and gives the machine so much more time.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// One turn of the threads that hand over what was written to terminals.
    fn let_terminals_work(&mut self) {
        self.flush_terminals();
        match &mut self.barrier {
            Some(barrier) => barrier.pass(),
            None => watch::let_pass(DEFERRED_WORK),
        }
        if self.patience > Duration::ZERO {
            watch::let_pass(self.patience);
        }
    }

    /// A call of the twin's own, of which nothing is told; its result unless it fails.
    fn silently(
        &mut self,
        pid: i32,
        number: i64,
        arguments: impl FnOnce(&mut shared::Area) -> Result<[u64; 5], String>,
    ) -> Option<u64> {
        self.may_speak(pid).ok()?;
        let mut area = self.shared.take_area()?;
        let [a, b, c, d, e] = arguments(&mut area).unwrap_or_default();
        let (kind, reply) = (Kind::Plain, Box::new(|_: i64, _: &mut Object| ()));
        let plan = calls::Plan { number, arguments: [a, b, c, d, e, 0], kind, reply };
        self.carry_out(pid, plan, area, None).get("ok")?.as_u64()
    }

    /// Makes the file that a process executes its program, as far as it is allowed to say so
    /// itself: then Linux refuses writers (ETXTBSY), and /proc/PID/exe leads there.
    fn set_program(&mut self, pid: i32, program: &CString) {
        let Some(map) = self.sandbox.as_ref().and_then(|sandbox| exec::memory_map(sandbox, pid))
        else {
            return;
        };
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
        let opened = self.silently(pid, libc::SYS_open, |area| {
            Ok([area.c_string(program.as_bytes())?, flags, 0, 0, 0])
        });
        let Some(fd) = opened else { return };
        self.silently(pid, libc::SYS_prctl, |area| {
            let map = area.put(&map.with_program(fd))?;
            let size = size_of::<exec::MemoryMap>() as u64;
            Ok([libc::PR_SET_MM as u64, libc::PR_SET_MM_MAP as u64, map, size, 0])
        });
        self.silently(pid, libc::SYS_close, |_| Ok([fd, 0, 0, 0, 0]));
    }

    /// Whether a process can make a request; the error says why not.
    fn may_speak(&mut self, pid: i32) -> Result<(), String> {
        self.take_events();
        let looked = self.tasks.get(&pid).map(|task| task.look().0);
        if !matches!(looked, Some(Doing::Idle)) {
            self.settle();
        }
        let gone = || format!("pid {pid} is gone");
        let task = self.tasks.get(&pid).ok_or_else(gone)?;
        if let Some(number) = task.blocked_in() {
            return Err(format!("pid {pid} is blocked in {number}"));
        }
        match task.look().0 {
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
            let looks: BTreeMap<i32, Look> =
                self.tasks.iter().map(|(pid, task)| (*pid, task.look())).collect();
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

/// Linux looks for sockets that are only in one another's messages when somebody closes a socket of
/// unix(7), whoever it is (unix(7), "SCM_RIGHTS"), and closes what it finds a tick of its clock
/// later (both found by experiment on Linux 6.18).
fn collect_sockets(patience: Duration) {
    /// A tick of the slowest clock, and what it takes to begin.
    const TICK: Duration = Duration::from_millis(12);
    // SAFETY: plain system calls on a descriptor of our own.
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        libc::close(socket);
    }
    watch::let_pass(TICK.max(patience));
}
