//! Takes the events of a trace in order and holds what comes of them against what was recorded.
//!
//! Never searches: the order, the steps of blocked calls and the deliveries of signals are events
//! (DESIGN section 4). A native trace has no recorded answers; there only refusals can be seen
//! here, and the batches' hashes and digests are compared by the caller.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::completions::Completions;
use tickernel_systems::Kernel;
use tickernel_systems::abi::{Errno, Signal};
use tickernel_systems::event::{Answer, Call, Completed, Event, Outcome, Output, Payload, Refusal};
use tickernel_systems::wire::{Wire, WireError, WireReader};

use super::compare::{self, Bindings, Listed, Verdict};
use super::expected::{Recorded, Role, Told, UNTOLD};
use super::overdue::Overdue;
use super::recent::Recent;
use super::report::{FirstMismatch, Report};
use super::tally::Tally;
use super::text::{call_text, recorded_text, result_text};

/// Mismatches after the first that are kept for the report.
const MAX_MORE_MISMATCHES: usize = 20;

/// An event as it stands in a trace.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The encoded event.
    pub event: &'a [u8],
    /// The encoded [`Expected`](super::Expected) of an imported trace.
    pub expected: Option<&'a [u8]>,
    /// Entry and exit line of the recording.
    pub lines: Option<(u64, u64)>,
}

/// A call that has not ended, or a signal's delivery. Its bytes are the trace's own while its event
/// is being taken, and copies if it waits.
#[derive(Debug)]
struct Open<'a> {
    seq: u64,
    task: u32,
    event: Cow<'a, [u8]>,
    told: Told<'a>,
    lines: Option<(u64, u64)>,
    calls_before: u64,
    /// The importer gave it up: in the simulation it waits for ever.
    given_up: bool,
}

impl Open<'_> {
    fn copied(&self) -> Open<'static> {
        let (event, told) = (Cow::Owned(self.event.to_vec()), self.told.clone().into_owned());
        let Open { seq, task, lines, calls_before, given_up, .. } = *self;
        Open { seq, task, event, told, lines, calls_before, given_up }
    }

    fn into_owned(self) -> Open<'static> {
        let (event, told) = (Cow::Owned(self.event.into_owned()), self.told.into_owned());
        let Open { seq, task, lines, calls_before, given_up, .. } = self;
        Open { seq, task, event, told, lines, calls_before, given_up }
    }

    fn is_unsupported(&self) -> bool {
        self.told.role == Role::Unsupported
    }

    /// What the call's answer rests on is left out of the recording: then nothing of it differs.
    fn allowed(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Mismatched(_)
                if self.told.whole().is_ok_and(|told| told.flags & UNTOLD != 0) =>
            {
                Verdict::Fed(false)
            }
            verdict => verdict,
        }
    }

    fn unreadable(&self) -> impl Fn(WireError) -> StepError + use<> {
        let seq = self.seq;
        move |why| StepError::Unreadable { seq, why }
    }

    /// The call as text.
    fn text(&self) -> String {
        let name = String::from_utf8_lossy(self.told.name());
        match Event::get(&mut WireReader::new(&self.event)) {
            Ok(
                Event::Call { call, .. } | Event::Park { call, .. } | Event::Inject { call, .. },
            ) => call_text(&name, &call),
            Ok(_) | Err(_) => name.into_owned(),
        }
    }
}

/// A replay in progress.
#[derive(Debug)]
pub struct Engine {
    kernel: Kernel,
    bindings: Bindings,
    /// The report so far.
    pub report: Report,
    /// By the tick of the event that brought them.
    open: BTreeMap<u64, Open<'static>>,
    /// The tick of the call that asks the host.
    asking: Option<u64>,
    /// What was wrong with a signal of a task: its next call counts as mismatched.
    wrong_signals: BTreeMap<u32, String>,
    overdue: Overdue,
    /// The last call of each task that may have lost a signal before it, and how it was counted.
    suspects: BTreeMap<u32, (Open<'static>, Verdict, Result<i64, Errno>)>,
    recent: Recent,
    tally: Tally,
    scratch: Vec<u8>,
    completions: Completions,
    /// Calls of native traces are counted without answers.
    native: bool,
    /// All mismatches as text, if they are wanted.
    all: Option<Vec<String>>,
    /// Where calls were entered whose answers differ, if that is wanted.
    wrong_lines: Option<BTreeSet<u64>>,
}

/// Why an event cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Its bytes are no event, or no expected answer.
    #[error("event {seq} cannot be read: {why}")]
    Unreadable {
        /// The event.
        seq: u64,
        /// Why.
        why: WireError,
    },
}

impl Engine {
    /// Starts from a state.
    pub fn new(kernel: Kernel, native: bool) -> Self {
        Self {
            kernel,
            bindings: Bindings::default(),
            report: Report::default(),
            open: BTreeMap::new(),
            asking: None,
            wrong_signals: BTreeMap::new(),
            overdue: Overdue::default(),
            suspects: BTreeMap::new(),
            recent: Recent::default(),
            tally: Tally::default(),
            scratch: Vec::new(),
            completions: Completions::default(),
            native,
            all: None,
            wrong_lines: None,
        }
    }

    /// Sums completions as traces of this format version do.
    #[must_use]
    pub fn with_format(self, format_version: u16) -> Self {
        Self { completions: Completions::of_format(format_version), ..self }
    }

    fn note(&mut self, value: &impl for<'a> Wire<'a>) {
        self.scratch.clear();
        value.put(&mut self.scratch);
        self.completions.note_encoded(&self.scratch);
    }

    /// Notes an outcome, and holds its encoding against what is told of it: the flags if that is
    /// the same. The bytes that most answers end with are looked at where they lie.
    fn hold(&mut self, told: &Told<'_>, outcome: &Outcome) -> Option<u32> {
        let short = outcome.short();
        if !short.is_whole() {
            self.note(outcome);
            return told.flags_if_same(&self.scratch, &[]);
        }
        self.completions.note_outcome(outcome);
        let head = short.word().to_le_bytes();
        told.flags_if_same(&head[..short.word_bytes() as usize], short.tail())
    }

    /// The rolling hash of all outcomes and outputs so far (traces/README.md, "Hash").
    pub fn completions(&self) -> u64 {
        self.completions.hash()
    }

    /// Keeps a line of text for every mismatch from now on.
    pub fn keep_mismatches(&mut self) {
        self.all = Some(Vec::new());
    }

    /// The mismatches that were kept.
    pub fn mismatches(&self) -> &[String] {
        self.all.as_deref().unwrap_or_default()
    }

    /// Keeps from now on where calls were entered whose answers differ.
    pub(super) fn keep_wrong_lines(&mut self) {
        self.wrong_lines = Some(BTreeSet::new());
    }

    /// What was kept of these.
    pub(super) fn take_wrong_lines(self) -> BTreeSet<u64> {
        self.wrong_lines.unwrap_or_default()
    }

    /// The state.
    pub fn kernel(&mut self) -> &mut Kernel {
        &mut self.kernel
    }

    /// Takes one event.
    ///
    /// # Errors
    /// If its bytes are none, and nothing was taken then; or if what is told of a call that it
    /// ended cannot be read.
    pub fn step(&mut self, step: Step<'_>) -> Result<(), StepError> {
        let seq = self.report.events;
        let unreadable = |why| StepError::Unreadable { seq, why };
        let event = Event::get(&mut WireReader::new(step.event)).map_err(unreadable)?;
        let told = match step.expected.filter(|_| !self.native) {
            Some(bytes) => Some(Told::new(bytes).map_err(unreadable)?),
            None => None,
        };
        self.report.events += 1;
        if !self.native {
            self.overdue.note(&event, step.lines);
        }
        let fresh = told.and_then(|told| self.enter(seq, &event, told, step));
        if let Some(open) = fresh {
            self.watch_signals(&open, &event);
            if matches!(event, Event::Call { .. } | Event::Park { .. } | Event::Deliver { .. }) {
                let outcome = match &event {
                    Event::Call { task, call } => self.kernel.call_kept(*task, call),
                    other => self.kernel.take(other.clone()),
                };
                let same = self.hold(&open.told, &outcome);
                self.fresh(open, &event, outcome, same)?;
                return self.drain(|_| ());
            }
            self.open.insert(seq, open.into_owned());
        }
        let answers = matches!(event, Event::Answer(_));
        let name = match &event {
            Event::Call { call, .. } | Event::Park { call, .. } | Event::Inject { call, .. } => {
                Some(call.name())
            }
            _ => None,
        };
        let resumed = match &event {
            Event::Resume { call, max_bytes } => {
                if let (0, Some(open)) = (*max_bytes, self.open.get_mut(&call.0)) {
                    open.given_up = true;
                }
                Some(call.0)
            }
            _ => None,
        };
        let outcome = self.kernel.take(event);
        self.note(&outcome);
        let told = self.native && step.expected.is_some();
        let own = told.then(|| Output::Outcome(seq, outcome.clone()));
        let of = if answers { self.asking.take().unwrap_or(seq) } else { resumed.unwrap_or(seq) };
        self.outcome(of, outcome)?;
        let mut came = Vec::new();
        self.drain(|output| {
            if told {
                came.push(output.clone());
            }
        })?;
        came.extend(own);
        if self.native {
            self.count_native(step, name, &came);
        }
        Ok(())
    }

    /// A call of a recording enters: its task has taken what was due before.
    fn watch_signals(&mut self, open: &Open<'_>, event: &Event<'_>) {
        let (Event::Call { task, call } | Event::Park { task, call }) = event else { return };
        let Some(lines) = open.lines else { return };
        if let Some(why) = self.overdue.enter(&self.kernel, *task, call, lines) {
            self.wrong_signals.insert(*task, why);
        }
    }

    /// Keeps a call before which a signal may have been lost: whether it was the end will tell.
    fn keep_suspect(&mut self, open: &Open<'_>, verdict: &Verdict, result: Result<i64, Errno>) {
        if self.overdue.suspects(open.task) {
            let kept = (open.copied(), verdict.clone(), result);
            self.suspects.insert(open.task, kept);
        }
    }

    /// A signal that is lost when the recording ends: the last call of its task was not what the
    /// session's was.
    fn lose(&mut self, task: u32, why: String) {
        let Some((open, verdict, result)) = self.suspects.remove(&task) else { return };
        let wrong = open.allowed(Verdict::Mismatched(why.clone()));
        if let (Verdict::Mismatched(_), false) = (&wrong, matches!(verdict, Verdict::Mismatched(_)))
        {
            let (name, unsupported) = (open.told.name(), open.is_unsupported());
            self.tally.recount(&mut self.report, name, (&verdict, unsupported), &wrong);
            self.first(&open, result_text(result), why);
        }
    }

    /// Counts a native trace's event, and compares what the trace tells of it, if it tells.
    fn count_native(&mut self, step: Step<'_>, name: Option<&str>, came: &[Output]) {
        let difference = step.expected.and_then(|told| super::native::difference(told, came));
        let before = self.report.calls;
        if let Some(name) = name {
            let verdict = match &difference {
                None => Verdict::Compared,
                Some(difference) => Verdict::Mismatched(difference.why.clone()),
            };
            self.report.calls += 1;
            self.tally.count(&mut self.report, name.as_bytes(), &verdict, false);
        }
        let Some(difference) = difference.filter(|_| self.report.first_mismatch.is_none()) else {
            return;
        };
        let (pid, call) = super::native::call_of(step.event).unwrap_or_default();
        self.report.clean_prefix = before;
        self.report.first_mismatch = Some(FirstMismatch {
            line: None,
            seq: self.report.events.saturating_sub(1),
            pid,
            call,
            recorded: difference.recorded,
            simulated: difference.simulated,
            why: difference.why,
            context: self.recent.lines(),
        });
    }

    /// Counts what an event stands for; gives back what its end must be held against.
    fn enter<'a>(
        &mut self,
        seq: u64,
        event: &Event<'a>,
        told: Told<'a>,
        step: Step<'a>,
    ) -> Option<Open<'a>> {
        let task = match event {
            Event::Call { task, .. }
            | Event::Park { task, .. }
            | Event::Inject { task, .. }
            | Event::Deliver { task, .. } => *task,
            _ => 0,
        };
        let calls_before = self.report.calls;
        match told.role {
            Role::Call | Role::Unsupported => self.report.calls += 1,
            Role::OutOfScope => {
                self.report.calls += 1;
                self.report.out_of_scope += 1;
            }
            Role::Taken => {
                self.report.calls += 1;
                self.tally.count(&mut self.report, told.name(), &Verdict::Fed(false), false);
            }
            Role::Signal | Role::Force => {}
        }
        let counts = matches!(told.role, Role::Call | Role::Unsupported | Role::Signal);
        let event = Cow::Borrowed(step.event);
        counts.then_some(Open {
            seq,
            task,
            event,
            told,
            lines: step.lines,
            calls_before,
            given_up: false,
        })
    }

    /// The outcome of a call or delivery that says what is expected of it: the flags of that if it
    /// is the same.
    fn fresh(
        &mut self,
        open: Open<'_>,
        event: &Event<'_>,
        outcome: Outcome,
        same: Option<u32>,
    ) -> Result<(), StepError> {
        let result = match outcome {
            Outcome::Done(answer) => Ok(answer),
            Outcome::Failed(errno) => Err(errno),
            outcome @ (Outcome::Blocked(_) | Outcome::Asking | Outcome::Refused(_)) => {
                let seq = open.seq;
                self.open.insert(seq, open.into_owned());
                return self.outcome(seq, outcome);
            }
        };
        if let (Event::Call { task, .. }, Some(lines)) = (event, open.lines)
            && self.kernel.has_signals()
        {
            self.overdue.leave(&self.kernel, *task, lines);
        }
        if let Event::Call { call, .. } = event
            && self.wrong_signals.is_empty()
            && let Some(verdict) = compare::judge_bytes(call, &result, same)
        {
            debug_assert_eq!(Some(&verdict), self.judge(&open, call, &result).ok().as_ref());
            self.ended(&open, verdict, result);
            return Ok(());
        }
        self.close(&open, event, result)
    }

    /// Judges a call by all that is told of it.
    fn judge(
        &mut self,
        open: &Open<'_>,
        call: &Call<'_>,
        result: &Result<Answer, Errno>,
    ) -> Result<Verdict, StepError> {
        if matches!(call, Call::ExitGroup { .. } | Call::Exit { .. }) && result.is_ok() {
            return Ok(Verdict::Compared);
        }
        let expected = open.told.whole().map_err(open.unreadable())?;
        let listed = self.listed(open.task, call, result);
        Ok(self.bindings.judge(open.task, call, &expected, result, listed.as_ref()))
    }

    /// What a list says of files: those of /proc are the host's.
    fn listed(&self, task: u32, call: &Call<'_>, result: &Result<Answer, Errno>) -> Option<Listed> {
        let (Call::Getdents64 { fd, .. }, Ok(answer)) = (call, result) else { return None };
        let Payload::Dirents(entries) = &answer.payload else { return None };
        let fs = self.kernel.fs();
        let place = self.kernel.fd_view(task, *fd)?.place?;
        let directory = (fs.volume(place).dev, fs.ino_of(place)?);
        let birth = |ino: u64| fs.inode_by_ino(ino).map(|inode| inode.btime).unwrap_or_default();
        Some(Listed { directory, births: entries.iter().map(|entry| birth(entry.ino)).collect() })
    }

    /// Counts a call that ended, and keeps it for the context of a mismatch.
    fn ended(&mut self, open: &Open<'_>, verdict: Verdict, result: Result<Answer, Errno>) {
        let (name, unsupported) = (open.told.name(), open.is_unsupported());
        let verdict = open.allowed(verdict);
        self.tally.count(&mut self.report, name, &verdict, unsupported);
        let result = result.map(|answer| answer.value);
        self.keep_suspect(open, &verdict, result);
        if let Verdict::Mismatched(why) = verdict {
            if open.given_up && result == Err(Errno::EINTR) {
                self.first(open, "blocked".to_owned(), "it never ended".to_owned());
            } else {
                self.first(open, result_text(result), why);
            }
        }
        if self.report.first_mismatch.is_none() {
            self.recent.call(open.task, name, &open.event, result);
        }
    }

    fn outcome(&mut self, of: u64, outcome: Outcome) -> Result<(), StepError> {
        match outcome {
            Outcome::Done(answer) => self.end(of, Ok(answer)),
            Outcome::Failed(errno) => self.end(of, Err(errno)),
            Outcome::Blocked(_) => Ok(()),
            Outcome::Asking => {
                self.asking = Some(of);
                Ok(())
            }
            Outcome::Refused(why) => {
                self.refused(of, why);
                Ok(())
            }
        }
    }

    /// Takes what left the kernel, and shows it.
    fn drain(&mut self, mut show: impl FnMut(&Output)) -> Result<(), StepError> {
        while let Some(output) = self.kernel.poll_output() {
            self.note(&output);
            show(&output);
            let Output::Completion(completion) = output else { continue };
            let of = completion.call.0;
            match completion.result {
                Completed::Done(answer) => self.end(of, Ok(answer))?,
                Completed::Failed(errno) => self.end(of, Err(errno))?,
                Completed::Gone(_) => self.gone(of)?,
            }
        }
        Ok(())
    }

    /// A call or a delivery ended after its event.
    fn end(&mut self, of: u64, result: Result<Answer, Errno>) -> Result<(), StepError> {
        let Some(open) = self.open.remove(&of) else { return Ok(()) };
        let event = Event::get(&mut WireReader::new(&open.event)).map_err(open.unreadable())?;
        self.close(&open, &event, result)
    }

    /// A call or a delivery ended: takes apart what is told of it.
    fn close(
        &mut self,
        open: &Open<'_>,
        event: &Event<'_>,
        result: Result<Answer, Errno>,
    ) -> Result<(), StepError> {
        match event {
            Event::Call { task, call }
            | Event::Park { task, call }
            | Event::Inject { task, call, .. } => {
                let mut verdict = self.judge(open, call, &result)?;
                if let Some(why) = self.wrong_signals.remove(task) {
                    verdict = Verdict::Mismatched(why);
                }
                self.ended(open, verdict, result);
            }
            Event::Deliver { task, signal } => self.delivered(open, *task, *signal, &result)?,
            _ => {}
        }
        Ok(())
    }

    /// A signal was delivered; what is wrong with it shows in its task's next call.
    fn delivered(
        &mut self,
        open: &Open<'_>,
        task: u32,
        signal: Signal,
        result: &Result<Answer, Errno>,
    ) -> Result<(), StepError> {
        let expected = open.told.whole().map_err(open.unreadable())?;
        let Payload::Info(recorded) = &expected.payload else { return Ok(()) };
        // Of several children that ended only one is named: which one is a race.
        if let Ok(Answer { payload: Payload::Info(simulated), .. }) = result
            && (signal != Signal::SIGCHLD
                || recorded.pid == simulated.pid
                || self.kernel.is_alive(recorded.pid))
            && let Verdict::Mismatched(why) = compare::info(recorded, simulated)
        {
            let why = format!("signal {}: {why}", signal.name());
            self.wrong_signals.insert(task, why);
        }
        if self.report.first_mismatch.is_none() {
            self.recent.signal(task, signal);
        }
        Ok(())
    }

    /// A call whose task ended in it.
    fn gone(&mut self, of: u64) -> Result<(), StepError> {
        let Some(open) = self.open.remove(&of) else { return Ok(()) };
        // Where strace saw EINTR the task may have ended of the signal before it saw that itself.
        if matches!(
            open.told.recorded().map_err(open.unreadable())?,
            Recorded::Never | Recorded::Errno(Errno::EINTR)
        ) {
            let (name, unsupported) = (open.told.name(), open.is_unsupported());
            self.tally.count(&mut self.report, name, &Verdict::Compared, unsupported);
        } else {
            self.mismatch(&open, "gone".to_owned(), "its task ended in it".to_owned());
        }
        Ok(())
    }

    fn refused(&mut self, of: u64, why: Refusal) {
        let Some(open) = self.open.remove(&of) else { return };
        let why = match why {
            Refusal::Gone => "the task is gone",
            Refusal::Blocked(_) => "the task is in another call",
            Refusal::Stopped => "the task is stopped",
            Refusal::Misplaced => "the event has no place here",
        };
        let why = format!("it could not be made: {why}");
        if open.told.role == Role::Signal {
            self.wrong_signals.insert(open.task, "a signal that is not pending".to_owned());
            return;
        }
        self.mismatch(&open, "refused".to_owned(), why);
    }

    fn mismatch(&mut self, open: &Open<'_>, simulated: String, why: String) {
        let verdict = open.allowed(Verdict::Mismatched(why.clone()));
        let (name, unsupported) = (open.told.name(), open.is_unsupported());
        self.tally.count(&mut self.report, name, &verdict, unsupported);
        if let Verdict::Mismatched(_) = verdict {
            self.first(open, simulated, why);
        }
    }

    /// Keeps a mismatch if it is one of the first, or all are wanted.
    fn first(&mut self, open: &Open<'_>, simulated: String, why: String) {
        if let (Some(wrong), Some((entry, _))) = (&mut self.wrong_lines, open.lines) {
            wrong.insert(entry);
        }
        if self.all.is_none() && self.report.more_mismatches.len() >= MAX_MORE_MISMATCHES {
            return;
        }
        let (call, recorded) = (open.text(), open.told.recorded());
        let recorded = recorded.map_or_else(|why| why.to_string(), recorded_text);
        if let Some(all) = &mut self.all {
            let line = open.lines.map_or(0, |lines| lines.1);
            all.push(format!("{line}: {} {call} {recorded} {simulated} | {why}", open.task));
        }
        let (line, context) = (open.lines.map(|lines| lines.1), Vec::new());
        let (seq, pid) = (open.seq, open.task);
        let found = FirstMismatch { line, seq, pid, call, recorded, simulated, why, context };
        if self.report.first_mismatch.is_some() {
            if self.report.more_mismatches.len() < MAX_MORE_MISMATCHES {
                self.report.more_mismatches.push(found);
            }
            return;
        }
        self.report.clean_prefix = open.calls_before;
        let mut context = self.recent.lines();
        context.extend(self.descriptors(open.task));
        self.report.first_mismatch = Some(FirstMismatch { context, ..found });
    }

    /// What the kernel knows of a task's descriptors.
    fn descriptors(&self, task: u32) -> Vec<String> {
        let open = (0..64).filter_map(|fd| Some((fd, self.kernel.fd_view(task, fd)?)));
        open.map(|(fd, view)| {
            let what = match (&view.pipe, view.place) {
                (Some(pipe), _) => format!(
                    "pipe {} with {} bytes, {} readers, {} writers",
                    pipe.id, pipe.bytes, pipe.readers, pipe.writers
                ),
                (None, Some(place)) => {
                    String::from_utf8_lossy(&self.kernel.path_of(task, place)).into_owned()
                }
                (None, None) => "nothing".to_owned(),
            };
            format!("fd {fd}: {what}, offset {}, flags {:#o}", view.offset, view.flags)
        })
        .collect()
    }

    /// Something is wrong that is no call's answer: the first mismatch, if there was none.
    pub(super) fn wrong_state(&mut self, why: String) {
        if self.report.first_mismatch.is_some() {
            return;
        }
        self.report.clean_prefix = self.report.calls;
        self.report.first_mismatch = Some(FirstMismatch {
            line: None,
            seq: self.report.events.saturating_sub(1),
            pid: 0,
            call: String::new(),
            recorded: String::new(),
            simulated: String::new(),
            why,
            context: Vec::new(),
        });
    }

    /// Ends the replay: calls that are still open, counts by name, the digest. `cut` = the input
    /// ended early, so that calls may be open that would have ended.
    pub fn finish(&mut self, cut: bool) {
        for (_, open) in std::mem::take(&mut self.open) {
            if open.told.role == Role::Signal {
                continue;
            }
            if cut || open.told.recorded() == Ok(Recorded::Never) {
                let (name, unsupported) = (open.told.name(), open.is_unsupported());
                self.tally.count(&mut self.report, name, &Verdict::Compared, unsupported);
            } else {
                self.mismatch(&open, "blocked".to_owned(), "it never ended".to_owned());
            }
        }
        let lost = if cut || self.native { Vec::new() } else { self.overdue.last(&self.kernel) };
        for (task, why) in lost {
            self.lose(task, why);
        }
        if self.report.first_mismatch.is_none() {
            self.report.clean_prefix = self.report.calls;
        }
        self.report.by_call = self.tally.by_call();
        self.report.digest = format!("{:016x}", self.kernel.digest_all());
    }
}
