//! The calls of the text by their lines, and which of them the trace has named: each just once, and
//! none left out.

use std::collections::BTreeMap;

use tickernel_systems::abi::Signal;
use tickernel_systems::event::{self as kernel, Event};

use super::{Fault, Seen};
use crate::replay::Role;
use crate::strace::{Call, EventKind, Recording, Value};

/// What the text has at the lines of an event.
pub(super) struct Found<'a> {
    /// The line of the entry.
    pub(super) entry: u64,
    /// After which line it can have been entered: where entries are not printed (`strace -z`) that
    /// is farther up than its own.
    pub(super) after: u64,
    /// The line of the exit, if there is one.
    pub(super) exit: Option<u64>,
    /// The call whose answer counts: the last one of those that belong together; none for a signal.
    pub(super) last: Option<&'a Call>,
    /// The siginfo of a signal.
    pub(super) info: Option<&'a Value>,
    /// Whether the call was entered again after an interruption.
    pub(super) again: bool,
}

/// The text, by line.
pub(super) struct Texts<'a> {
    /// Calls by their entry line, with whether the trace has named each.
    calls: BTreeMap<u64, (&'a Call, bool)>,
    /// Entry lines of each task, in order.
    tasks: BTreeMap<Option<u32>, Vec<u64>>,
    /// By the line of an entry: the last line before it at which anything returned or ended.
    after: BTreeMap<u64, u64>,
    /// Signals by line; the end of a task by a signal has its siginfo farther up.
    signals: BTreeMap<u64, (&'a str, Option<&'a Value>)>,
    /// The lines at which tasks exited: whose, with what status.
    exits: BTreeMap<u64, (Option<u32>, u32)>,
    /// Where a task ended, for good each time: pids come again.
    ends: BTreeMap<Option<u32>, Vec<u64>>,
    /// Tasks that were let go, or of which nothing more stands there.
    until: Option<u64>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(text: &'a Recording) -> Self {
        let mut texts = Self {
            calls: BTreeMap::new(),
            tasks: BTreeMap::new(),
            after: BTreeMap::new(),
            signals: BTreeMap::new(),
            exits: BTreeMap::new(),
            ends: BTreeMap::new(),
            until: text.error.as_ref().map(|error| error.line),
        };
        let mut printed = 0;
        for event in &text.events {
            if !matches!(event.kind, EventKind::Entry { .. }) {
                printed = printed.max(event.line);
            }
            match &event.kind {
                EventKind::Entry { call } => {
                    if let Some(call) = text.calls.get(*call) {
                        texts.calls.insert(event.line, (call, false));
                        texts.tasks.entry(call.tid).or_default().push(event.line);
                        texts.after.insert(event.line, printed);
                    }
                }
                EventKind::Exit { call } => {
                    // strace was attached in the middle of it.
                    let late = text.calls.get(*call).filter(|call| call.entry_line.is_none());
                    if let Some(call) = late {
                        texts.calls.insert(event.line, (call, false));
                        texts.tasks.entry(call.tid).or_default().push(event.line);
                    }
                }
                EventKind::Signal { name, info } => {
                    texts.signals.insert(event.line, (name, Some(info)));
                }
                EventKind::Killed { signal, .. } => {
                    texts.signals.insert(event.line, (signal, None));
                    texts.ends.entry(event.tid).or_default().push(event.line);
                }
                EventKind::Exited { status } => {
                    texts.exits.insert(event.line, (event.tid, *status));
                    texts.ends.entry(event.tid).or_default().push(event.line);
                }
                EventKind::Stopped { .. }
                | EventKind::Superseded { .. }
                | EventKind::Detached
                | EventKind::Notice(_) => {}
            }
        }
        texts
    }

    /// What the text has for an event, marked as named; nothing for an event without lines.
    pub(super) fn find(&mut self, seen: &Seen<'_>) -> Result<Option<Found<'a>>, Fault> {
        let Some((entry, exit)) = seen.lines else { return Ok(None) };
        if self.is_forced_end(seen, entry) {
            let (after, exit) = (entry.saturating_sub(1), Some(entry));
            let (last, info, again) = (None, None, false);
            return Ok(Some(Found { entry, after, exit, last, info, again }));
        }
        if let Event::Deliver { signal, .. } = &seen.event {
            let Some((name, info)) = self.signals.get(&entry) else {
                return Err(seen.fault(Some(entry), "no signal stands at that line".to_owned()));
            };
            if *name != signal.name() {
                let why = format!("that line has {name}, the trace {}", signal.name());
                return Err(seen.fault(Some(entry), why));
            }
            let (last, again) = (None, false);
            let info = *info;
            let after = entry.saturating_sub(1);
            return Ok(Some(Found { entry, after, exit: Some(entry), last, info, again }));
        }
        let name = seen.expected.as_ref().map(|expected| expected.name().into_owned());
        let Some((call, named)) = self.calls.get_mut(&entry) else {
            return Err(seen.fault(Some(entry), "no call was entered at that line".to_owned()));
        };
        if std::mem::replace(named, true) {
            return Err(seen.fault(Some(entry), "the call stands twice in the trace".to_owned()));
        }
        let call: &'a Call = call;
        if name.as_deref() != Some(&*call.name) {
            let name = name.as_deref().unwrap_or("nothing");
            let why = format!("that line has {}, the trace {name}", call.name);
            return Err(seen.fault(Some(entry), why));
        }
        self.speaker(seen, call, entry)?;
        let last = self.follow(call, entry, exit, seen)?;
        let again = !std::ptr::eq(last, call);
        // A call that is never seen to return is over where its task ends.
        let returned = last.result.as_ref().is_some_and(|result| result.value.is_some());
        let exit = if returned { last.exit_line } else { self.end_of(call.tid, entry) };
        let after = self.after.get(&entry).copied().unwrap_or(0);
        Ok(Some(Found { entry, after, exit, last: Some(last), info: None, again }))
    }

    /// Whether the event is the end that its line tells of, brought about where nothing else did:
    /// the task was in a call that it never left, or the kernel spares it from its signal.
    fn is_forced_end(&self, seen: &Seen<'_>, line: u64) -> bool {
        let forced = seen.expected.as_ref().is_some_and(|expected| expected.role == Role::Force);
        let ends = match seen.event {
            Event::Call { task, call: kernel::Call::ExitGroup { status } } => {
                self.exits.get(&line).is_some_and(|(tid, told)| {
                    tid.is_none_or(|tid| tid == task) && *told == status.cast_unsigned()
                })
            }
            Event::Deliver { signal: Signal::SIGKILL, .. } => {
                self.signals.get(&line).is_some_and(|(_, info)| info.is_none())
            }
            Event::Call { .. }
            | Event::Park { .. }
            | Event::Resume { .. }
            | Event::Answer(_)
            | Event::Deliver { .. }
            | Event::Clock { .. }
            | Event::Signal { .. } => false,
        };
        forced && ends
    }

    /// The line at which a task ends that spoke at another line.
    fn end_of(&self, tid: Option<u32>, line: u64) -> Option<u64> {
        let ends = self.ends.get(&tid)?;
        ends.get(ends.partition_point(|end| *end < line)).copied()
    }

    fn speaker(&self, seen: &Seen<'_>, call: &Call, entry: u64) -> Result<(), Fault> {
        let (Event::Call { task, .. } | Event::Park { task, .. }) = &seen.event else {
            return Ok(());
        };
        if let Some(tid) = call.tid.filter(|tid| tid != task) {
            let why = format!("the call is of task {tid}, in the trace of {task}");
            return Err(seen.fault(Some(entry), why));
        }
        Ok(())
    }

    /// The last of the calls of a task that belong together: each before it was interrupted, and
    /// was entered again (by its name or as `restart_syscall`) before the exit line that the trace
    /// names.
    fn follow(
        &mut self,
        call: &'a Call,
        entry: u64,
        exit: u64,
        seen: &Seen<'_>,
    ) -> Result<&'a Call, Fault> {
        let mut last = call;
        let lines = self.tasks.get(&call.tid).cloned().unwrap_or_default();
        let start = lines.partition_point(|line| *line <= entry);
        let ends = matches!(&*call.name, "exit" | "exit_group");
        for line in lines.get(start..).unwrap_or_default() {
            // What ends a task is never entered again; another one of the text counts for itself.
            if ends {
                break;
            }
            if last.exit_line.is_none_or(|own| own >= exit) || *line > exit {
                break;
            }
            let Some((next, named)) = self.calls.get_mut(line) else { break };
            let same = next.name == call.name || &*next.name == "restart_syscall";
            let handled = *named || &*next.name == "rt_sigreturn";
            if !same || handled {
                // Calls of a handler that ran in between.
                continue;
            }
            *named = true;
            last = next;
        }
        // A call that was never seen to return ends where its task does.
        let returned = last.result.as_ref().is_some_and(|result| result.value.is_some());
        if let Some(own) = last.exit_line.filter(|own| returned && *own != exit) {
            let why = format!("it returned at line {own}, in the trace at {exit}");
            return Err(seen.fault(Some(entry), why));
        }
        Ok(last)
    }

    /// The first call of the text that the trace does not name.
    pub(super) fn missing(&self) -> Option<Fault> {
        let left_out = self.calls.iter().find(|(line, (call, named))| {
            let read = self.until.is_none_or(|until| **line < until);
            // One that was taken back before it did anything is entered again.
            let undone = call.result.as_ref().is_some_and(|result| result.restart().is_some());
            read && !named && !undone
        });
        left_out.map(|(line, (call, _))| Fault {
            line: Some(*line),
            seq: None,
            why: format!("{} stands in the recording and not in the trace", call.name),
        })
    }
}

impl Seen<'_> {
    pub(super) fn fault(&self, line: Option<u64>, why: String) -> Fault {
        Fault { line, seq: Some(self.seq), why }
    }
}
