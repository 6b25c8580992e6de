//! The calls of the text by their lines, and which of them the trace has named: each just once, and
//! none left out. Of each call some bytes are kept here; what it says is looked up in the text.

use std::collections::BTreeMap;
use std::sync::Arc;

use tickernel_systems::abi::Signal;
use tickernel_systems::event::{self as kernel, Event};

use super::{Fault, Seen};
use crate::import::LeftOut;
use crate::replay::Role;
use crate::strace::{Call, EventKind, Recording, Value};

/// What the text has at the lines of an event.
pub(super) struct Found {
    /// The line of the entry.
    pub(super) entry: u64,
    /// After which line it can have been entered: where entries are not printed (`strace -z`) that
    /// is farther up than its own.
    pub(super) after: u64,
    /// The line of the exit, if there is one.
    pub(super) exit: Option<u64>,
    /// The call whose answer counts: the last one of those that belong together; none for a signal.
    pub(super) last: Option<Arc<Call>>,
    /// The siginfo of a signal.
    pub(super) info: Option<Value>,
    /// Whether the call was entered again after an interruption.
    pub(super) again: bool,
}

/// A call by its number.
struct Numbered {
    number: u64,
    call: Arc<Call>,
}

/// How far up the last line before an entry is at which anything returned or ended; this one stands
/// for steps that are looked up.
const FAR: u8 = u8::MAX;

/// The text, by line.
pub(super) struct Texts<'a> {
    text: &'a Recording,
    /// The line of each call's entry, by the call's number; of its exit where it has no entry.
    lines: Vec<u32>,
    /// From the line of each entry up to the last line before it at which anything returned.
    steps: Vec<u8>,
    /// These lines where they are far, by the call's number.
    far: BTreeMap<u64, u64>,
    /// Whether the trace has named each call.
    named: Vec<bool>,
    /// Signals, and ends of tasks by one: line, and place among the events.
    signals: Vec<(u64, u64)>,
    /// The lines at which tasks exited: whose, with what status.
    exits: BTreeMap<u64, Exit>,
    /// Where a task ended, for good each time: pids come again.
    ends: BTreeMap<Option<u32>, Vec<u64>>,
    /// Tasks that were let go, or of which nothing more stands there.
    until: Option<u64>,
    /// Whether anything is left out of the recording, once that was asked.
    leaves_out: Option<bool>,
}

/// The line that tells of the end of a task.
#[derive(Debug)]
struct Exit {
    tid: Option<u32>,
    status: u32,
    /// The task's last line before.
    after: u64,
}

impl<'a> Texts<'a> {
    pub(super) fn new(text: &'a Recording) -> Self {
        let count = usize::try_from(text.calls.count()).unwrap_or(usize::MAX);
        let mut texts = Self {
            text,
            lines: vec![0; count],
            steps: vec![0; count],
            far: BTreeMap::new(),
            named: vec![false; count],
            signals: Vec::new(),
            exits: BTreeMap::new(),
            ends: BTreeMap::new(),
            until: text.error.as_ref().map(|error| error.line),
            leaves_out: None,
        };
        let (mut printed, mut last) = (0, BTreeMap::new());
        for (at, event) in (0..).zip(&text.events) {
            if !matches!(event.kind, EventKind::Entry { .. }) {
                printed = printed.max(event.line);
            }
            if !matches!(event.kind, EventKind::Exited { .. }) {
                last.insert(event.tid, event.line);
            }
            match &event.kind {
                EventKind::Entry { call } => texts.call(*call, event.line, printed),
                EventKind::Exit { call } => {
                    // strace was attached in the middle of it, unless its entry was there.
                    let place = usize::try_from(*call).unwrap_or(usize::MAX);
                    if texts.lines.get(place) == Some(&0) {
                        texts.call(*call, event.line, 0);
                    }
                }
                EventKind::Signal { .. } => texts.signals.push((event.line, at)),
                EventKind::Killed { .. } => {
                    texts.signals.push((event.line, at));
                    texts.ends.entry(event.tid).or_default().push(event.line);
                }
                EventKind::Exited { status } => {
                    let after = last.remove(&event.tid).unwrap_or(0);
                    texts.exits.insert(event.line, Exit { tid: event.tid, status: *status, after });
                    texts.ends.entry(event.tid).or_default().push(event.line);
                }
                EventKind::Stopped { .. }
                | EventKind::Superseded { .. }
                | EventKind::Detached
                | EventKind::Notice(_) => {}
            }
        }
        texts.signals.sort_unstable();
        texts
    }

    fn call(&mut self, number: u64, line: u64, printed: u64) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(own) = self.lines.get_mut(place) {
            *own = u32::try_from(line).unwrap_or(u32::MAX);
        }
        let step = u8::try_from(line.saturating_sub(printed)).unwrap_or(FAR);
        if let Some(own) = self.steps.get_mut(place) {
            *own = step;
        }
        if step == FAR {
            self.far.insert(number, printed);
        }
    }

    /// Whether the options of strace left anything out of the recording.
    pub(super) fn leaves_out(&mut self) -> bool {
        let text = self.text;
        *self.leaves_out.get_or_insert_with(|| LeftOut::of(text).any())
    }

    /// After which line a call can have been entered.
    fn after(&self, number: u64, line: u64) -> u64 {
        let step = usize::try_from(number).ok().and_then(|place| self.steps.get(place));
        match step {
            Some(&FAR) | None => self.far.get(&number).copied().unwrap_or(0),
            Some(step) => line.saturating_sub(u64::from(*step)),
        }
    }

    /// The call that was entered at a line.
    fn at_line(&self, line: u64) -> Option<Numbered> {
        let line = u32::try_from(line).ok()?;
        let place = self.lines.partition_point(|own| *own < line);
        self.lines.get(place).filter(|own| **own == line)?;
        let number = place as u64;
        Some(Numbered { number, call: self.text.calls.get(number)? })
    }

    /// Marks a call; whether it was marked.
    fn name(&mut self, number: u64) -> bool {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        self.named.get_mut(place).is_some_and(|named| std::mem::replace(named, true))
    }

    /// What the text has for an event, marked as named; nothing for an event without lines.
    pub(super) fn find(&mut self, seen: &Seen<'_>) -> Result<Option<Found>, Fault> {
        let Some((entry, exit)) = seen.lines else { return Ok(None) };
        if self.is_forced_end(seen, entry) {
            // Where no call tells of an end (`strace -z`), it is somewhere after the last one.
            let after = self.exits.get(&entry).map_or(entry.saturating_sub(1), |exit| exit.after);
            let exit = Some(entry);
            let (last, info, again) = (None, None, false);
            return Ok(Some(Found { entry, after, exit, last, info, again }));
        }
        if let Event::Deliver { signal, .. } = &seen.event {
            let info = self.signal(seen, entry, signal.name())?;
            let (last, again) = (None, false);
            let after = entry.saturating_sub(1);
            return Ok(Some(Found { entry, after, exit: Some(entry), last, info, again }));
        }
        let name = seen.expected.as_ref().map(|expected| expected.name().into_owned());
        let Some(Numbered { number, call }) = self.at_line(entry) else {
            return Err(seen.fault(Some(entry), "no call was entered at that line".to_owned()));
        };
        if self.name(number) {
            return Err(seen.fault(Some(entry), "the call stands twice in the trace".to_owned()));
        }
        if name.as_deref() != Some(&*call.name) {
            let name = name.as_deref().unwrap_or("nothing");
            let why = format!("that line has {}, the trace {name}", call.name);
            return Err(seen.fault(Some(entry), why));
        }
        speaker(seen, &call, entry)?;
        let own = Numbered { number, call: Arc::clone(&call) };
        let last = self.follow(&own, exit, seen)?;
        let again = last.number != number;
        // A call that is never seen to return is over where its task ends.
        let exit = if has_returned(&last.call) {
            last.call.exit_line
        } else {
            self.end_of(call.tid, entry)
        };
        let after = self.after(number, entry);
        Ok(Some(Found { entry, after, exit, last: Some(last.call), info: None, again }))
    }

    /// The signal that stands at a line, or the end of a task by one.
    fn signal_at(&self, line: u64) -> Option<EventKind> {
        let place = self.signals.partition_point(|(own, _)| *own <= line).checked_sub(1)?;
        let (_, at) = self.signals.get(place).filter(|(own, _)| *own == line)?;
        self.text.events.get(*at).map(|event| event.kind)
    }

    /// The siginfo at a line; the end of a task by a signal has its siginfo farther up.
    fn signal(&self, seen: &Seen<'_>, line: u64, name: &str) -> Result<Option<Value>, Fault> {
        let (told, info) = match self.signal_at(line) {
            Some(EventKind::Signal { name, info }) => (name, Some(info)),
            Some(EventKind::Killed { signal, .. }) => (signal, None),
            _ => return Err(seen.fault(Some(line), "no signal stands at that line".to_owned())),
        };
        if *told != *name {
            let why = format!("that line has {told}, the trace {name}");
            return Err(seen.fault(Some(line), why));
        }
        Ok(info)
    }

    /// Whether the event is the end that its line tells of, brought about where nothing else did:
    /// the task was in a call that it never left, or the kernel spares it from its signal.
    fn is_forced_end(&self, seen: &Seen<'_>, line: u64) -> bool {
        let forced = seen.expected.as_ref().is_some_and(|expected| expected.role == Role::Force);
        let ends = match seen.event {
            Event::Call {
                task,
                call: kernel::Call::ExitGroup { status } | kernel::Call::Exit { status },
            } => self.exits.get(&line).is_some_and(|exit| {
                exit.tid.is_none_or(|tid| tid == task) && exit.status == status.cast_unsigned()
            }),
            Event::Deliver { signal: Signal::SIGKILL, .. } => {
                matches!(self.signal_at(line), Some(EventKind::Killed { .. }))
            }
            Event::Call { .. }
            | Event::Park { .. }
            | Event::Resume { .. }
            | Event::Answer(_)
            | Event::Deliver { .. }
            | Event::Clock { .. }
            | Event::Signal { .. }
            | Event::Carry { .. }
            | Event::Unchosen { .. }
            | Event::Incoming(_)
            | Event::Inject { .. } => false,
        };
        forced && ends
    }

    /// The line at which a task ends that spoke at another line.
    fn end_of(&self, tid: Option<u32>, line: u64) -> Option<u64> {
        let ends = self.ends.get(&tid)?;
        ends.get(ends.partition_point(|end| *end < line)).copied()
    }

    /// The last of the calls of a task that belong together: each before it was interrupted, and
    /// was entered again (by its name or as `restart_syscall`) before the exit line that the trace
    /// names.
    fn follow(&mut self, own: &Numbered, exit: u64, seen: &Seen<'_>) -> Result<Numbered, Fault> {
        let mut last = Numbered { number: own.number, call: Arc::clone(&own.call) };
        let mut number = own.number;
        // What ends a task is never entered again; another one of the text counts for itself.
        let ends = matches!(&*own.call.name, "exit" | "exit_group");
        while !ends && last.call.exit_line.is_some_and(|own| own < exit) {
            number += 1;
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let (Some(line), Some(named)) = (self.lines.get(place), self.named.get(place)) else {
                break;
            };
            if u64::from(*line) > exit {
                break;
            }
            // Calls of a handler that ran in between were named by their own events.
            if *named {
                continue;
            }
            let Some(next) = self.text.calls.get(number) else { break };
            let same = next.name == own.call.name || &*next.name == "restart_syscall";
            if next.tid == own.call.tid && same && &*next.name != "rt_sigreturn" {
                self.name(number);
                last = Numbered { number, call: next };
            }
        }
        // A call that was never seen to return ends where its task does, as does what ends a task,
        // whatever a text says of its return.
        if let Some(line) =
            last.call.exit_line.filter(|own| !ends && has_returned(&last.call) && *own != exit)
        {
            let why = format!("it returned at line {line}, in the trace at {exit}");
            return Err(seen.fault(own.call.entry_line, why));
        }
        Ok(last)
    }

    /// The first call of the text that the trace does not name.
    pub(super) fn missing(&self) -> Option<Fault> {
        let read = |line: &u32| self.until.is_none_or(|until| u64::from(*line) < until);
        let unnamed = (0..).zip(self.named.iter().zip(&self.lines));
        let unnamed = unnamed.filter(|(_, (named, line))| !**named && read(line));
        let mut unnamed = unnamed.filter_map(|(number, (_, line))| {
            let call = self.text.calls.get(number)?;
            // One that was taken back before it did anything is entered again.
            let undone = call.result.as_ref().is_some_and(|result| result.restart().is_some());
            // What came of a call that was open where the text stops making sense nobody knows.
            let open = self.until.is_some()
                && !has_returned(&call)
                && self.end_of(call.tid, u64::from(*line)).is_none();
            (!undone && !open).then_some((*line, call))
        });
        unnamed.next().map(|(line, call)| Fault {
            line: Some(u64::from(line)),
            seq: None,
            why: format!("{} stands in the recording and not in the trace", call.name),
        })
    }
}

fn has_returned(call: &Call) -> bool {
    call.result.as_ref().is_some_and(|result| result.value.is_some())
}

fn speaker(seen: &Seen<'_>, call: &Call, entry: u64) -> Result<(), Fault> {
    let (Event::Call { task, .. } | Event::Park { task, .. }) = &seen.event else {
        return Ok(());
    };
    if let Some(tid) = call.tid.filter(|tid| tid != task) {
        let why = format!("the call is of task {tid}, in the trace of {task}");
        return Err(seen.fault(Some(entry), why));
    }
    Ok(())
}

impl Seen<'_> {
    pub(super) fn fault(&self, line: Option<u64>, why: String) -> Fault {
        Fault { line, seq: Some(self.seq), why }
    }
}
