//! Runs the events of a trace through the kernel and tells what strace would have seen of them.
//!
//! Owns the order of the lines: a call that ends at once is one line; what ends because of it comes
//! after it; a signal's line stands where the kernel delivers it, behind the half that says that it
//! broke off the call which its task was in. Not here: signals that are ignored (the kernel drops
//! them without a word; strace shows them).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};

use tickernel_systems::Kernel;
use tickernel_systems::abi::{Errno, SigInfo, Signal, WaitStatus};
use tickernel_systems::event::{Answer, Call, Completed, Effect, Event, Outcome, Output, Payload};
use tickernel_systems::wire::{Wire, WireError, WireReader};

use super::args::{Look, halves};
use super::lines::Lines;
use super::results::{Broken, broken, failed, result};
use super::{process, structs};
use crate::replay::{Expected, Recorded, Role, Step};

/// A call that has not ended.
#[derive(Clone, Debug)]
struct Open {
    /// The tick of the event that brought it.
    id: u64,
    /// The call, encoded.
    bytes: Vec<u8>,
    name: String,
    since_ns: u64,
    seen: Seen,
}

/// How much of an open call has been printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Its first half.
    Half,
    /// A second half that says that it will be made again.
    BrokenOff,
    /// All: its end is printed, though the kernel has not told it yet.
    All,
}

/// A task as far as its lines need it.
#[derive(Debug)]
struct Task {
    process: u32,
    open: Option<Open>,
    /// The calls that running handlers broke off, the innermost last.
    frames: Vec<Option<Open>>,
}

/// A dump in progress.
#[derive(Debug)]
pub(super) struct Session<W> {
    kernel: Kernel,
    lines: Lines<W>,
    imported: bool,
    tick: u64,
    tasks: BTreeMap<u32, Task>,
    /// The tasks of each process.
    members: BTreeMap<u32, BTreeSet<u32>>,
    /// What the event gave that is not printed yet.
    outputs: VecDeque<Output>,
    /// Who asks the host.
    asking: Option<u32>,
    /// Tasks whose calls are to be made again.
    again: BTreeSet<u32>,
    /// Tasks whose last call is over while others of their process go on.
    leaving: Option<(u32, i32)>,
    /// Who spoke last.
    speaker: u32,
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

type Told = Result<(), SessionError>;

impl<W: Write> Session<W> {
    pub(super) fn new(kernel: Kernel, imported: bool, out: W) -> Self {
        Self {
            kernel,
            lines: Lines::new(out),
            imported,
            tick: 0,
            tasks: BTreeMap::new(),
            members: BTreeMap::new(),
            outputs: VecDeque::new(),
            asking: None,
            again: BTreeSet::new(),
            leaving: None,
            speaker: 0,
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.lines.finish()
    }

    /// Takes one event.
    pub(super) fn step(&mut self, step: Step<'_>) -> Told {
        let event = Event::get(&mut WireReader::new(step.event))?;
        let told = match step.expected.filter(|_| self.imported) {
            Some(bytes) => Some(Expected::from_bytes(bytes)?),
            None => None,
        };
        self.tick = self.kernel.tick();
        let printed = match &event {
            Event::Call { task, call } | Event::Park { task, call } => {
                let parks = matches!(event, Event::Park { .. });
                self.called(*task, call, parks, told.as_ref())?;
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
                if let Some(told) = told {
                    self.passed_over(&told)?;
                }
                true
            }
            Event::Signal { .. } => {
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
    fn task(&mut self, tid: u32) -> &mut Task {
        let (kernel, members) = (&self.kernel, &mut self.members);
        self.tasks.entry(tid).or_insert_with(|| {
            let process = kernel.process_of_task(tid).unwrap_or(tid);
            members.entry(process).or_default().insert(tid);
            Task { process, open: None, frames: Vec::new() }
        })
    }

    /// The kernel takes an event; what leaves it is kept for [`Session::drain`].
    fn take(&mut self, event: Event<'_>) -> Outcome {
        let outcome = self.kernel.take(event);
        self.outputs.extend(std::iter::from_fn(|| self.kernel.poll_output()));
        outcome
    }

    fn look(&self, task: u32) -> Look<'_> {
        Look { kernel: Some(&self.kernel), task }
    }

    fn called(&mut self, tid: u32, call: &Call<'_>, parks: bool, told: Option<&Expected>) -> Told {
        let forced = told.is_some_and(|told| told.role == Role::Force);
        let name = name_of(call, told);
        let half = halves(call, None, self.look(tid)).entry;
        let now_ns = self.kernel.now_ns();
        let frame = self.kernel.frames_of(tid).pop();
        let call_of = call.clone();
        let outcome = self.take(if parks {
            Event::Park { task: tid, call: call_of }
        } else {
            Event::Call { task: tid, call: call_of }
        });
        if forced || matches!(outcome, Outcome::Refused(_)) {
            return Ok(());
        }
        self.task(tid);
        self.speaker = tid;
        self.lines.enter(tid, now_ns, &name, &half)?;
        let mut bytes = Vec::new();
        call.put(&mut bytes);
        let open = Open { id: self.tick, bytes, name, since_ns: now_ns, seen: Seen::Half };
        self.task(tid).open = Some(open);
        if let (Call::RtSigreturn {}, Outcome::Done(_)) = (call, &outcome) {
            return self.returned(tid, frame);
        }
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

    /// The outcome of a call that was entered before.
    fn outcome(&mut self, of: u64, outcome: Outcome) -> Told {
        let Some(tid) = self.holder(of) else { return Ok(()) };
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
    fn ended(&mut self, tid: u32, end: Result<Answer, Errno>) -> Told {
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
        let half = halves(&call, Some(&end), look).exit;
        let result = if self.kills(leader) { "?".to_owned() } else { result(&call, &end, look) };
        let times = (since_ns, self.kernel.now_ns());
        self.lines.exit(leader, times, &open.name, &half, &result)?;
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
        let half = halves(&call, None, self.look(tid)).entry;
        self.lines.enter(tid, self.kernel.now_ns(), &open.name, &half)?;
        Ok(())
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
        self.lines.line(process, self.kernel.now_ns(), &text)?;
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
        let times = (own.since_ns, self.kernel.now_ns());
        self.lines.exit(tid, times, &own.name, "", &value)?;
        Ok(())
    }

    /// `Deliver` of an imported trace: strace shows ignored signals too.
    fn delivered(&mut self, tid: u32, signal: Signal) -> Told {
        let outcome = self.take(Event::Deliver { task: tid, signal });
        let shown = self.drain()?;
        if let Outcome::Done(Answer { payload: Payload::Info(info), .. }) = outcome
            && !shown
            && self.tasks.contains_key(&tid)
        {
            self.break_off(tid)?;
            self.signal(tid, &info)?;
        }
        Ok(())
    }

    fn signal(&mut self, tid: u32, info: &SigInfo) -> Told {
        let name = Signal::new(info.signo).map_or("SIGTERM", Signal::name);
        let text = format!("--- {name} {} ---", structs::siginfo(info));
        self.lines.line(tid, self.kernel.now_ns(), &text)?;
        Ok(())
    }

    /// Takes what left the kernel; whether a signal was shown.
    fn drain(&mut self) -> Result<bool, SessionError> {
        let mut acted = self.kernel.take_acted();
        let mut shown = false;
        while let Some(output) = self.outputs.pop_front() {
            match output {
                Output::Completion(completion) => {
                    let (tid, id) = (completion.task, completion.call.0);
                    let open = self.tasks.get(&tid).and_then(|task| task.open.as_ref());
                    if open.is_none_or(|open| open.id != id) {
                        continue;
                    }
                    match completion.result {
                        Completed::Done(answer) => self.ended(tid, Ok(answer))?,
                        Completed::Failed(errno) => self.ended(tid, Err(errno))?,
                        // Its task's end says it.
                        Completed::Gone(_) => {}
                    }
                }
                Output::Effect(effect) => {
                    shown |= !matches!(effect, Effect::Told { .. } | Effect::Continued { .. });
                    self.effect(effect, &mut acted)?;
                }
                Output::Outcome(..) => {}
            }
        }
        Ok(shown)
    }

    fn effect(&mut self, effect: Effect, acted: &mut Vec<(u32, SigInfo)>) -> Told {
        match effect {
            Effect::Handler { task, info, .. } => {
                self.interrupted(task)?;
                self.signal(task, &info)
            }
            Effect::Stopped { process, signal } => {
                let acting = self.acting(process, signal, acted);
                let tids = self.tasks_of(process);
                for tid in &tids {
                    self.break_off(*tid)?;
                }
                if let Some((tid, info)) = acting {
                    self.signal(tid, &info)?;
                }
                for tid in tids {
                    let text = format!("--- stopped by {} ---", signal.name());
                    self.lines.line(tid, self.kernel.now_ns(), &text)?;
                }
                Ok(())
            }
            Effect::Continued { process } => match self.acting(process, Signal::SIGCONT, acted) {
                Some((tid, info)) => self.signal(tid, &info),
                None => Ok(()),
            },
            Effect::Exited { process, status } => self.exited(process, status, acted),
            Effect::Told { .. } => Ok(()),
        }
    }

    /// The tasks of a process; itself, if none of them ever spoke.
    fn tasks_of(&self, process: u32) -> Vec<u32> {
        let tids = self.members.get(&process).into_iter().flatten().copied();
        let tids: Vec<u32> = tids.collect();
        if tids.is_empty() { vec![process] } else { tids }
    }

    /// Who took a signal's default action, and what came with the signal.
    fn acting(
        &self,
        process: u32,
        signal: Signal,
        acted: &mut Vec<(u32, SigInfo)>,
    ) -> Option<(u32, SigInfo)> {
        let tids = self.tasks_of(process);
        let is_it = |(tid, info): &(u32, SigInfo)| {
            tids.contains(tid) && info.signo == i32::from(signal.number())
        };
        let at = acted.iter().position(is_it)?;
        Some(acted.remove(at))
    }

    /// A handler begins: the call that its task is in breaks off, or is over.
    fn interrupted(&mut self, tid: u32) -> Told {
        let at = self.task(tid).frames.len();
        let Some(mut open) = self.task(tid).open.take() else {
            self.task(tid).frames.push(None);
            return Ok(());
        };
        self.again.remove(&tid);
        if open.seen == Seen::Half {
            let frame = self.kernel.frames_of(tid).into_iter().nth(at);
            let over = match frame.and_then(|frame| frame.interrupted) {
                Some((_, Some(Completed::Done(answer)))) => Some(answer),
                _ => None,
            };
            open.seen = self.break_off_call(tid, &open, over)?;
        }
        self.task(tid).frames.push(Some(open));
        Ok(())
    }

    /// Prints that a signal broke off the call that a task is in.
    fn break_off(&mut self, tid: u32) -> Told {
        let Some(mut open) = self.task(tid).open.take() else { return Ok(()) };
        if open.seen == Seen::Half {
            open.seen = self.break_off_call(tid, &open, None)?;
        }
        self.again.insert(tid);
        self.task(tid).open = Some(open);
        Ok(())
    }

    /// The second half of a call that a signal broke off; `over` = with this answer.
    fn break_off_call(
        &mut self,
        tid: u32,
        open: &Open,
        over: Option<Answer>,
    ) -> Result<Seen, SessionError> {
        let call = Call::get(&mut WireReader::new(&open.bytes))?;
        let end = over.map(Ok);
        let look = self.look(tid);
        let half = halves(&call, end.as_ref(), look).exit;
        let (text, seen) = match (&end, broken(&call)) {
            (Some(end), _) => (result(&call, end, look), Seen::All),
            (None, Broken::AtOnce) => (Broken::AtOnce.result(), Seen::All),
            (None, again) => (again.result(), Seen::BrokenOff),
        };
        let times = (open.since_ns, self.kernel.now_ns());
        self.lines.exit(tid, times, &open.name, &half, &text)?;
        Ok(seen)
    }

    fn exited(
        &mut self,
        process: u32,
        status: WaitStatus,
        acted: &mut Vec<(u32, SigInfo)>,
    ) -> Told {
        let tids = self.tasks_of(process);
        let text = match status {
            WaitStatus::Signaled(signal, core) => {
                if let Some((tid, info)) = self.acting(process, signal, acted) {
                    self.break_off(tid)?;
                    self.signal(tid, &info)?;
                }
                let core = if core { " (core dumped)" } else { "" };
                format!("+++ killed by {}{core} +++", signal.name())
            }
            WaitStatus::Exited(code) => format!("+++ exited with {code} +++"),
            WaitStatus::Stopped(_) | WaitStatus::Continued => return Ok(()),
        };
        for tid in tids {
            self.cut_off(tid)?;
            self.lines.line(tid, self.kernel.now_ns(), &text)?;
            self.forget(tid);
        }
        Ok(())
    }

    /// A task ends in a call: that never returns.
    fn cut_off(&mut self, tid: u32) -> Told {
        let open = self.tasks.get_mut(&tid).and_then(|task| task.open.take());
        if let Some(open) = open.filter(|open| open.seen == Seen::Half) {
            self.lines.never(tid, self.kernel.now_ns(), &open.name)?;
        }
        Ok(())
    }

    fn forget(&mut self, tid: u32) {
        if let Some(task) = self.tasks.remove(&tid)
            && let Some(members) = self.members.get_mut(&task.process)
        {
            members.remove(&tid);
            if members.is_empty() {
                self.members.remove(&task.process);
            }
        }
        self.again.remove(&tid);
        self.leaving.take_if(|leaving| leaving.0 == tid);
    }

    /// After the event: a thread that left is gone; calls that broke off are made again.
    fn settle(&mut self) -> Told {
        if let Some((tid, status)) = self.leaving.take()
            && !self.kernel.is_alive(tid)
        {
            let text = format!("+++ exited with {} +++", status & 0xff);
            self.lines.line(tid, self.kernel.now_ns(), &text)?;
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

    /// A call that an import only counts. A trace does not say whose it was: it is printed for the
    /// last speaker, or another task that is in no call.
    fn passed_over(&mut self, told: &Expected) -> Told {
        if !matches!(told.role, Role::OutOfScope | Role::Taken) {
            return Ok(());
        }
        let is_free = |tid: &u32| self.tasks.get(tid).is_none_or(|task| task.open.is_none());
        let others = self.tasks.keys().copied();
        let Some(tid) = [self.speaker].into_iter().chain(others).find(|tid| is_free(tid)) else {
            return Ok(());
        };
        let text = match told.recorded {
            Recorded::Value(value) => value.to_string(),
            Recorded::Errno(errno) => failed(errno),
            Recorded::Never => "?".to_owned(),
        };
        let now_ns = self.kernel.now_ns();
        self.lines.enter(tid, now_ns, &told.name(), "")?;
        self.lines.exit(tid, (now_ns, now_ns), &told.name(), "", &text)?;
        Ok(())
    }
}

/// The call's name in strace's text.
pub(super) fn name_of(call: &Call<'_>, told: Option<&Expected>) -> String {
    match call {
        Call::Clone { flags, set_tid } => process::clone_name(*flags, *set_tid).to_owned(),
        Call::Unmodelled { number } => match told {
            Some(told) => told.name().into_owned(),
            None => format!("syscall_{number:#x}"),
        },
        other => other.name().to_owned(),
    }
}
