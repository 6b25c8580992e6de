//! Runs the events of a trace through the kernel and tells what strace would have seen of them.
//!
//! Owns the order of the lines: a call that ends at once is one line; what ends because of it comes
//! after it. What the kernel tells besides is in `effects.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};

use tickernel_systems::Kernel;
use tickernel_systems::abi::{Errno, Signal, WaitStatus};
use tickernel_systems::event::{Answer, Call, Completed, Effect, Event, Outcome, Output};
use tickernel_systems::wire::{Wire, WireError, WireReader};

use super::args::{Look, halves};
use super::late::{Known, Late};
use super::lines::{Item, Lines};
use super::process;
use super::results::{as_recorded, failed, result};
use crate::replay::{Expected, FED, Recorded, Role, Step};

/// A call that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// The tick of the event that brought it.
    pub(super) id: u64,
    /// The call, encoded.
    pub(super) bytes: Vec<u8>,
    pub(super) name: String,
    pub(super) since_ns: u64,
    pub(super) seen: Seen,
    /// The kernel was not asked: what the result says of that.
    answered: Option<&'static str>,
    /// What it made closes on exec.
    closes: bool,
    /// What the recording says of it, where the kernel was asked.
    told: Option<Box<Expected>>,
    /// Of the recording: where it was entered and where it returned.
    pub(super) lines: Option<(u64, u64)>,
}

/// How much of an open call has been printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its first half.
    Half,
    /// A second half that says that it will be made again.
    BrokenOff,
    /// All: its end is printed, though the kernel has not told it yet.
    All,
}

/// A task as far as its lines need it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) process: u32,
    pub(super) open: Option<Open>,
    /// The calls that running handlers broke off, the innermost last.
    pub(super) frames: Vec<Option<Open>>,
    /// The line on which its last call returned, if that is known.
    returned: Option<u64>,
}

/// A dump in progress.
#[derive(Debug)]
pub(super) struct Session<W> {
    pub(super) kernel: Kernel,
    pub(super) lines: Lines<W>,
    imported: bool,
    tick: u64,
    pub(super) tasks: BTreeMap<u32, Task>,
    /// The tasks of each process.
    pub(super) members: BTreeMap<u32, BTreeSet<u32>>,
    /// What the event gave that is not printed yet.
    pub(super) outputs: VecDeque<Output>,
    /// Who asks the host.
    asking: Option<u32>,
    /// Tasks whose calls are to be made again.
    pub(super) again: BTreeSet<u32>,
    /// Tasks whose last call is over while others of their process go on.
    pub(super) leaving: Option<(u32, i32)>,
    /// The line of the recording that the events have reached at least.
    reached: Option<u64>,
    /// Where what the event does stands.
    line: Option<u64>,
    /// Calls that were entered before their events, by line.
    late: BTreeMap<u64, Late>,
    /// Calls that made what closes on exec, where nothing else tells, by line.
    closing: BTreeSet<u64>,
    /// When the late ones were printed.
    entered: BTreeMap<u64, u64>,
}

/// Why an event cannot be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// Its bytes are none.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// The output failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

pub(super) type Told = Result<(), SessionError>;

/// What strace says of a result that it put there itself.
const INJECTED: &str = " (INJECTED)";
/// The one argument that is known of a call that is answered as recorded.
const CLOEXEC: &str = "O_CLOEXEC";
/// What stands behind the result of a call that the kernel does not support; strace says no such
/// thing, the importer reads it.
const UNSUPPORTED: &str = " (UNSUPPORTED)";

impl<W: Write> Session<W> {
    pub(super) fn new(mut kernel: Kernel, imported: bool, known: Known, out: W) -> Self {
        // From now on the kernel tells whose default action was taken.
        drop(kernel.take_acted());
        let mut lines = Lines::new(out, known.no_entries);
        known.root.into_iter().for_each(|root| lines.born(root));
        Self {
            kernel,
            lines,
            imported,
            tick: 0,
            tasks: BTreeMap::new(),
            members: BTreeMap::new(),
            outputs: VecDeque::new(),
            asking: None,
            again: BTreeSet::new(),
            leaving: None,
            reached: None,
            line: None,
            late: known.late,
            closing: known.closing,
            entered: BTreeMap::new(),
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.lines.finish()
    }

    /// Goes to a line of the recording: what was entered before it is printed.
    fn reach(&mut self, line: u64) -> Told {
        while let Some(first) = self.late.first_entry()
            && *first.key() <= line
        {
            let (at, late) = first.remove_entry();
            self.lines.reach(at)?;
            let call = Call::get(&mut WireReader::new(&late.bytes))?;
            let half = halves(&late.name, &call, None, self.look(late.task)).entry;
            let now_ns = self.kernel.now_ns();
            self.lines.put(Some(at), late.task, now_ns, Item::Enter(late.name, half))?;
            self.entered.insert(at, now_ns);
        }
        self.lines.reach(line)?;
        self.reached = self.reached.max(Some(line));
        Ok(())
    }

    /// Prints something where the recording is.
    pub(super) fn print(&mut self, task: u32, item: Item) -> Told {
        self.lines.put(self.line, task, self.kernel.now_ns(), item)?;
        Ok(())
    }

    /// Takes one event.
    pub(super) fn step(&mut self, step: Step<'_>) -> Told {
        let event = Event::get(&mut WireReader::new(step.event))?;
        let told = match step.expected.filter(|_| self.imported) {
            Some(bytes) => Some(Expected::from_bytes(bytes)?),
            None => None,
        };
        self.tick = self.kernel.tick();
        let lines = step.lines.filter(|_| self.imported);
        if let Some((entry, _)) = lines {
            self.reach(entry)?;
        }
        // What an event does besides stands where its call ends.
        self.line = lines.map(|lines| lines.1).or(self.reached);
        if let (Event::Deliver { task, .. }, None) = (&event, lines) {
            // A signal that no line told of came after the call before.
            let returned = self.tasks.get(task).and_then(|task| task.returned);
            self.line = self.line.max(returned);
        }
        let printed = match &event {
            Event::Call { task, call }
            | Event::Park { task, call }
            | Event::Inject { task, call, .. } => {
                self.called(&event, (*task, call), told.as_ref(), lines)?;
                true
            }
            Event::Resume { call, .. } => {
                let of = call.0;
                let outcome = self.take(event.clone());
                self.outcome(of, outcome)?;
                true
            }
            Event::Answer(_) => {
                let outcome = self.take(event.clone());
                self.answered(outcome)?;
                true
            }
            Event::Deliver { task, signal } => {
                self.delivered(*task, *signal)?;
                false
            }
            Event::Clock { .. } => {
                self.take(event.clone());
                if let (Some(told), Some((entry, _))) = (told, lines) {
                    self.passed_over(&told, entry)?;
                }
                true
            }
            Event::Signal { .. }
            | Event::Carry { .. }
            | Event::Unchosen { .. }
            | Event::Incoming(_) => {
                self.take(event.clone());
                true
            }
        };
        if printed {
            self.drain()?;
        }
        self.settle()
    }

    /// What is known of a task; a new one is one that nobody saw being made.
    pub(super) fn task(&mut self, tid: u32) -> &mut Task {
        let (kernel, members, lines) = (&self.kernel, &mut self.members, &mut self.lines);
        self.tasks.entry(tid).or_insert_with(|| {
            lines.born(tid);
            let process = kernel.process_of_task(tid).unwrap_or(tid);
            members.entry(process).or_default().insert(tid);
            Task { process, open: None, frames: Vec::new(), returned: None }
        })
    }

    /// The kernel takes an event; what leaves it is kept for [`Session::drain`].
    pub(super) fn take(&mut self, event: Event<'_>) -> Outcome {
        let outcome = self.kernel.take(event);
        self.outputs.extend(std::iter::from_fn(|| self.kernel.poll_output()));
        outcome
    }

    pub(super) fn look(&self, task: u32) -> Look<'_> {
        Look { kernel: Some(&self.kernel), task }
    }

    fn called(
        &mut self,
        event: &Event<'_>,
        (tid, call): (u32, &Call<'_>),
        told: Option<&Expected>,
        lines: Option<(u64, u64)>,
    ) -> Told {
        let forced = told.is_some_and(|told| told.role == Role::Force);
        let name = name_of(call, told);
        let shown = match told {
            Some(_) => process::as_made(call, &name),
            None => call.clone(),
        };
        let answered = match (call, told) {
            (Call::Unmodelled { .. }, Some(told)) if told.role == Role::Unsupported => {
                Some(UNSUPPORTED)
            }
            (Call::Unmodelled { .. }, Some(told)) if told.flags & FED != 0 => Some(INJECTED),
            _ if matches!(event, Event::Inject { .. }) => Some(INJECTED),
            _ => None,
        };
        let half = halves(&name, &shown, None, self.look(tid)).entry;
        let now_ns = self.kernel.now_ns();
        let frame = self.kernel.frames_of(tid).pop();
        let outcome = self.take(event.clone());
        if forced || matches!(outcome, Outcome::Refused(_)) {
            return Ok(());
        }
        self.task(tid);
        let entry = lines.map(|lines| lines.0);
        let since_ns = match entry.and_then(|line| self.entered.remove(&line)) {
            Some(since_ns) => since_ns,
            None => {
                self.lines.put(entry, tid, now_ns, Item::Enter(name.clone(), half))?;
                now_ns
            }
        };
        let mut bytes = Vec::new();
        shown.put(&mut bytes);
        let id = self.tick;
        let told = told.filter(|told| told.role == Role::Call).cloned().map(Box::new);
        let closes = entry.is_some_and(|line| self.closing.contains(&line));
        let seen = Seen::Half;
        let open = Open { id, bytes, name, since_ns, seen, answered, closes, told, lines };
        self.task(tid).open = Some(open);
        if let (Call::RtSigreturn {}, Outcome::Done(_)) = (call, &outcome) {
            return self.returned(tid, frame);
        }
        self.came_of(tid, outcome)
    }

    /// The outcome of a call that was entered before.
    fn outcome(&mut self, of: u64, outcome: Outcome) -> Told {
        let Some(tid) = self.holder(of) else { return Ok(()) };
        self.came_of(tid, outcome)
    }

    /// What came of the call that a task is in.
    fn came_of(&mut self, tid: u32, outcome: Outcome) -> Told {
        match outcome {
            Outcome::Done(answer) => self.ended(tid, Ok(answer)),
            Outcome::Failed(errno) => self.ended(tid, Err(errno)),
            Outcome::Asking => {
                self.asking = Some(tid);
                Ok(())
            }
            Outcome::Blocked(_) | Outcome::Refused(_) => Ok(()),
        }
    }

    fn answered(&mut self, outcome: Outcome) -> Told {
        let Some(tid) = self.asking.take() else { return Ok(()) };
        let of = self.tasks.get(&tid).and_then(|task| task.open.as_ref()).map(|open| open.id);
        of.map_or(Ok(()), |of| self.outcome(of, outcome))
    }

    /// The task that is in a call.
    fn holder(&self, id: u64) -> Option<u32> {
        let is_in = |task: &Task| task.open.as_ref().is_some_and(|open| open.id == id);
        self.tasks.iter().find(|(_, task)| is_in(task)).map(|(tid, _)| *tid)
    }

    /// The call that a task is in ended.
    pub(super) fn ended(&mut self, tid: u32, end: Result<Answer, Errno>) -> Told {
        let Some(open) = self.task(tid).open.take() else { return Ok(()) };
        self.again.remove(&tid);
        let call = Call::get(&mut WireReader::new(&open.bytes))?;
        if open.seen == Seen::All {
            return self.after(tid, &call, &end);
        }
        let mut since_ns = open.since_ns;
        if open.seen == Seen::BrokenOff {
            since_ns = self.kernel.now_ns();
            self.enter_again(tid, &open)?;
        }
        let leader = self.superseding(tid, &call, &end)?;
        let look = self.look(leader);
        let shown = open.told.as_deref().and_then(|told| as_recorded(told, &end));
        let shown = shown.as_ref().unwrap_or(&end);
        let mut half = halves(&open.name, &call, Some(shown), look).exit;
        half.push_str(if open.closes { CLOEXEC } else { "" });
        let mut result =
            if self.kills(leader) { "?".to_owned() } else { result(&call, shown, look) };
        result.push_str(open.answered.unwrap_or_default());
        // A call that ends its task does not return.
        let ends = matches!(call, Call::Exit { .. } | Call::ExitGroup { .. });
        let line = open.lines.map(|lines| if ends { lines.0 } else { lines.1 });
        let now_ns = self.kernel.now_ns();
        let exit = Item::Exit { since_ns, name: open.name, half, result };
        self.lines.put(line, leader, now_ns, exit)?;
        self.task(leader).returned = line;
        self.after(leader, &call, &end)
    }

    /// Whether SIGKILL ended a task before its call returned.
    fn kills(&self, tid: u32) -> bool {
        let process = self.tasks.get(&tid).map(|task| task.process);
        self.outputs.iter().any(|output| {
            matches!(output, Output::Effect(Effect::Exited {
                process: ended, status: WaitStatus::Signaled(Signal::SIGKILL, _),
            }) if Some(*ended) == process)
        })
    }

    fn enter_again(&mut self, tid: u32, open: &Open) -> Told {
        let call = Call::get(&mut WireReader::new(&open.bytes))?;
        let half = halves(&open.name, &call, None, self.look(tid)).entry;
        self.print(tid, Item::Enter(open.name.clone(), half))
    }

    /// What else a call that ended means.
    fn after(&mut self, tid: u32, call: &Call<'_>, end: &Result<Answer, Errno>) -> Told {
        let Ok(answer) = end else { return Ok(()) };
        match call {
            Call::Clone { .. } | Call::Fork {} | Call::Vfork {} => {
                if let Ok(child) = u32::try_from(answer.value) {
                    self.task(child);
                }
            }
            Call::Execve { .. } => self.task(tid).frames.clear(),
            Call::Exit { status } => self.leaving = Some((tid, *status)),
            _ => {}
        }
        Ok(())
    }

    /// An execve(2) of a thread takes its process's number over: who the call's end is printed for.
    fn superseding(
        &mut self,
        tid: u32,
        call: &Call<'_>,
        end: &Result<Answer, Errno>,
    ) -> Result<u32, SessionError> {
        let process = self.task(tid).process;
        if process == tid || end.is_err() || !matches!(call, Call::Execve { .. }) {
            return Ok(tid);
        }
        let text = format!("+++ superseded by execve in pid {tid} +++");
        self.print(process, Item::Line(text))?;
        for tid in self.tasks_of(process) {
            self.forget(tid);
        }
        self.task(process);
        Ok(process)
    }

    /// rt_sigreturn(2): its value is that of the call which the handler broke off.
    fn returned(&mut self, tid: u32, frame: Option<tickernel_systems::FrameView>) -> Told {
        let task = self.task(tid);
        let (own, mut broken_off) = (task.open.take(), task.frames.pop().flatten());
        let Some(own) = own else { return Ok(()) };
        let value = match frame.and_then(|frame| frame.interrupted) {
            Some((_, Some(Completed::Failed(errno)))) => {
                broken_off.iter_mut().for_each(|open| open.seen = Seen::All);
                failed(errno)
            }
            Some((_, Some(Completed::Done(answer)))) => answer.value.to_string(),
            Some((_, Some(Completed::Gone(_)))) | None => "0".to_owned(),
            Some((_, None)) => {
                let number = broken_off.as_ref().map(|open| {
                    Call::get(&mut WireReader::new(&open.bytes)).map_or(0, |call| call.number())
                });
                number.unwrap_or(0).to_string()
            }
        };
        self.task(tid).open = broken_off;
        self.again.insert(tid);
        let Open { since_ns, name, lines, .. } = own;
        let exit = Item::Exit { since_ns, name, half: String::new(), result: value };
        let line = lines.map(|lines| lines.1);
        self.task(tid).returned = line;
        self.lines.put(line, tid, self.kernel.now_ns(), exit)?;
        Ok(())
    }

    /// After the event: a thread that left is gone; calls that broke off are made again.
    fn settle(&mut self) -> Told {
        if let Some((tid, status)) = self.leaving.take()
            && !self.kernel.is_alive(tid)
        {
            let text = format!("+++ exited with {} +++", status & 0xff);
            self.print(tid, Item::End(text))?;
            self.forget(tid);
        }
        for tid in self.again.clone() {
            let Some(mut open) = self.task(tid).open.take() else {
                self.again.remove(&tid);
                continue;
            };
            if open.seen == Seen::BrokenOff && !self.kernel.is_stopped(tid) {
                self.again.remove(&tid);
                self.enter_again(tid, &open)?;
                (open.seen, open.since_ns) = (Seen::Half, self.kernel.now_ns());
            }
            self.task(tid).open = Some(open);
        }
        Ok(())
    }

    /// A call that an import only counts. A trace does not say whose it was: it is printed for
    /// whoever printed last, or another task that is in no call.
    fn passed_over(&mut self, told: &Expected, entry: u64) -> Told {
        if !matches!(told.role, Role::OutOfScope | Role::Taken) {
            return Ok(());
        }
        let mut text = match told.recorded {
            Recorded::Value(value) => value.to_string(),
            Recorded::Errno(errno) => failed(errno),
            Recorded::Never => "?".to_owned(),
        };
        if told.role == Role::Taken {
            text.push_str(INJECTED);
        }
        let item = Item::Somebody(format!("{}()", told.name()), text);
        self.lines.put(Some(entry), 0, self.kernel.now_ns(), item)?;
        Ok(())
    }
}

/// The call's name in strace's text.
pub(super) fn name_of(call: &Call<'_>, told: Option<&Expected>) -> String {
    match call {
        Call::Clone { flags, set_tid } => match told {
            Some(told) => told.name().into_owned(),
            None => process::clone_name(*flags, *set_tid).to_owned(),
        },
        Call::Unmodelled { number } => match told {
            Some(told) => told.name().into_owned(),
            None => format!("syscall_{number:#x}"),
        },
        other => other.name().to_owned(),
    }
}
