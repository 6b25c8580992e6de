//! Takes the events of a trace in order and holds what comes of them against what was recorded.
//!
//! Never searches: the order, the steps of blocked calls and the deliveries of signals are events
//! (DESIGN section 4). A native trace has no recorded answers; there only refusals can be seen
//! here, and the batches' hashes and digests are compared by the caller.

use std::collections::{BTreeMap, VecDeque};

use tickernel_systems::Kernel;
use tickernel_systems::abi::{Errno, Signal};
use tickernel_systems::digest::hash64;
use tickernel_systems::event::{Answer, Completed, Event, Outcome, Output, Payload, Refusal};
use tickernel_systems::wire::{Bytes, Wire, WireReader};

use super::compare::{self, Bindings, Verdict};
use super::expected::{Expected, Recorded, Role};
use super::report::{FirstMismatch, Report};
use super::text::{call_text, recorded_text, result_text};

/// Events kept for the context of a first mismatch.
const CONTEXT_EVENTS: usize = 8;

/// An event as it stands in a trace.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The encoded event.
    pub event: &'a [u8],
    /// The encoded [`Expected`] of an imported trace.
    pub expected: Option<&'a [u8]>,
    /// Entry and exit line of the recording.
    pub lines: Option<(u64, u64)>,
}

/// A call that has not ended.
#[derive(Debug)]
struct Open {
    seq: u64,
    task: u32,
    event: Vec<u8>,
    expected: Expected,
    lines: Option<(u64, u64)>,
    calls_before: u64,
}

/// Something that went well, kept for the context of a first mismatch; its text is made only then.
#[derive(Debug)]
enum Recent {
    Call { task: u32, name: Bytes, event: Vec<u8>, result: Result<i64, Errno> },
    Signal { task: u32, signal: Signal },
}

impl Recent {
    fn text(&self) -> String {
        match self {
            Recent::Signal { task, signal } => format!("{task} --- {} ---", signal.name()),
            Recent::Call { task, name, event, result } => {
                let name = String::from_utf8_lossy(&name.0);
                let text = match Event::get(&mut WireReader::new(event)) {
                    Ok(Event::Call { call, .. } | Event::Park { call, .. }) => {
                        call_text(&name, &call)
                    }
                    _ => name.into_owned(),
                };
                format!("{task} {text} {}", result_text(*result))
            }
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
    open: BTreeMap<u64, Open>,
    /// The tick of the call that asks the host.
    asking: Option<u64>,
    /// What was wrong with a signal of a task: its next call counts as mismatched.
    wrong_signals: BTreeMap<u32, String>,
    recent: VecDeque<Recent>,
    /// The call of the event that is being taken, until it is known whether it waits.
    fresh: Option<Open>,
    scratch: Vec<u8>,
    completions: u64,
    /// Calls of native traces are counted without answers.
    native: bool,
    /// All mismatches as text, if they are wanted.
    all: Option<Vec<String>>,
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
        why: tickernel_systems::wire::WireError,
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
            recent: VecDeque::new(),
            fresh: None,
            scratch: Vec::new(),
            completions: 0,
            native,
            all: None,
        }
    }

    /// The rolling hash of all outcomes and outputs so far (traces/README.md, "Hash").
    pub fn completions(&self) -> u64 {
        self.completions
    }

    /// Keeps a line of text for every mismatch from now on.
    pub fn keep_mismatches(&mut self) {
        self.all = Some(Vec::new());
    }

    /// The mismatches that were kept.
    pub fn mismatches(&self) -> &[String] {
        self.all.as_deref().unwrap_or_default()
    }

    /// The state.
    pub fn kernel(&mut self) -> &mut Kernel {
        &mut self.kernel
    }

    fn note(&mut self, value: &impl for<'a> Wire<'a>) {
        self.scratch.clear();
        value.put(&mut self.scratch);
        self.completions = hash64(self.completions, &self.scratch);
    }

    /// The call that an outcome belongs to.
    fn take_open(&mut self, of: u64) -> Option<Open> {
        match self.fresh.take_if(|open| open.seq == of) {
            Some(open) => Some(open),
            None => self.open.remove(&of),
        }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// If its bytes are none; nothing was taken then.
    pub fn step(&mut self, step: Step<'_>) -> Result<(), StepError> {
        let seq = self.report.events;
        let unreadable = |why| StepError::Unreadable { seq, why };
        let event = Event::get(&mut WireReader::new(step.event)).map_err(unreadable)?;
        let expected = match step.expected.filter(|_| !self.native) {
            Some(bytes) => Some(Expected::from_bytes(bytes).map_err(unreadable)?),
            None => None,
        };
        self.report.events += 1;
        self.enter(seq, &event, expected, step);
        let answers = matches!(event, Event::Answer(_));
        let name = match &event {
            Event::Call { call, .. } | Event::Park { call, .. } => Some(call.name()),
            _ => None,
        };
        let resumed = match &event {
            Event::Resume { call, .. } => Some(call.0),
            _ => None,
        };
        let outcome = self.kernel.take(event);
        self.note(&outcome);
        let told = self.native && step.expected.is_some();
        let own = told.then(|| Output::Outcome(seq, outcome.clone()));
        let of = if answers { self.asking.take().unwrap_or(seq) } else { resumed.unwrap_or(seq) };
        self.outcome(of, outcome);
        if let Some(open) = self.fresh.take() {
            self.open.insert(open.seq, open);
        }
        let mut came = self.drain(told);
        came.extend(own);
        if self.native {
            self.count_native(step, name, &came);
        }
        Ok(())
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
            self.report.count(name, &verdict, false);
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
            context: self.recent.iter().map(Recent::text).collect(),
        });
    }

    /// Counts what an event stands for and keeps what is expected of it.
    fn enter(&mut self, seq: u64, event: &Event<'_>, expected: Option<Expected>, step: Step<'_>) {
        let Some(expected) = expected else { return };
        let task = match event {
            Event::Call { task, .. } | Event::Park { task, .. } | Event::Deliver { task, .. } => {
                *task
            }
            _ => 0,
        };
        let calls_before = self.report.calls;
        match expected.role {
            Role::Call | Role::Unsupported => self.report.calls += 1,
            Role::OutOfScope => {
                self.report.calls += 1;
                self.report.out_of_scope += 1;
            }
            Role::Taken => {
                self.report.calls += 1;
                self.report.count(&expected.name(), &Verdict::Fed(false), false);
            }
            Role::Signal | Role::Force => {}
        }
        if matches!(expected.role, Role::Call | Role::Unsupported | Role::Signal) {
            let open = Open {
                seq,
                task,
                event: step.event.to_vec(),
                expected,
                lines: step.lines,
                calls_before,
            };
            self.fresh = Some(open);
        }
    }

    fn outcome(&mut self, of: u64, outcome: Outcome) {
        match outcome {
            Outcome::Done(answer) => self.close(of, Ok(answer)),
            Outcome::Failed(errno) => self.close(of, Err(errno)),
            Outcome::Blocked(_) => {}
            Outcome::Asking => self.asking = Some(of),
            Outcome::Refused(why) => self.refused(of, why),
        }
    }

    /// Takes what left the kernel; gives it back where it is `wanted`.
    fn drain(&mut self, wanted: bool) -> Vec<Output> {
        let mut all = Vec::new();
        while let Some(output) = self.kernel.poll_output() {
            self.note(&output);
            if wanted {
                all.push(output.clone());
            }
            let Output::Completion(completion) = output else { continue };
            let of = completion.call.0;
            match completion.result {
                Completed::Done(answer) => self.close(of, Ok(answer)),
                Completed::Failed(errno) => self.close(of, Err(errno)),
                Completed::Gone(_) => self.gone(of),
            }
        }
        all
    }

    /// A call or a delivery ended.
    fn close(&mut self, of: u64, result: Result<Answer, Errno>) {
        let Some(open) = self.take_open(of) else { return };
        let Ok(event) = Event::get(&mut WireReader::new(&open.event)) else { return };
        match event {
            Event::Call { task, call } | Event::Park { task, call } => {
                let ended = matches!(
                    call,
                    tickernel_systems::event::Call::ExitGroup { .. }
                        | tickernel_systems::event::Call::Exit { .. }
                );
                let mut verdict = if ended && result.is_ok() {
                    Verdict::Compared
                } else {
                    self.bindings.judge(task, &call, &open.expected, &result)
                };
                if let Some(why) = self.wrong_signals.remove(&task) {
                    verdict = Verdict::Mismatched(why);
                }
                let unsupported = open.expected.role == Role::Unsupported;
                self.report.count(&open.expected.name(), &verdict, unsupported);
                let result = result.map(|answer| answer.value);
                if let Verdict::Mismatched(why) = verdict {
                    let text = call_text(&open.expected.name(), &call);
                    self.first(&open, &text, result_text(result), why);
                }
                self.remember(|| Recent::Call {
                    task,
                    name: open.expected.name,
                    event: open.event,
                    result,
                });
            }
            Event::Deliver { task, signal } => {
                let recorded = match &open.expected.payload {
                    Payload::Info(info) => info,
                    _ => return,
                };
                // Of several children that ended only one is named: which one is a race.
                if let Ok(Answer { payload: Payload::Info(simulated), .. }) = &result
                    && (signal != Signal::SIGCHLD
                        || recorded.pid == simulated.pid
                        || self.kernel.is_alive(recorded.pid))
                    && let Verdict::Mismatched(why) = compare::info(recorded, simulated)
                {
                    let why = format!("signal {}: {why}", signal.name());
                    self.wrong_signals.insert(task, why);
                }
                self.remember(|| Recent::Signal { task, signal });
            }
            _ => {}
        }
    }

    /// A call whose task ended in it.
    fn gone(&mut self, of: u64) {
        let Some(open) = self.take_open(of) else { return };
        let name = open.expected.name().into_owned();
        let unsupported = open.expected.role == Role::Unsupported;
        if open.expected.recorded == Recorded::Never {
            self.report.count(&name, &Verdict::Compared, unsupported);
            return;
        }
        let why = "its task ended in it".to_owned();
        self.mismatch(open, "gone".to_owned(), why, unsupported);
    }

    fn refused(&mut self, of: u64, why: Refusal) {
        let Some(open) = self.take_open(of) else { return };
        let why = format!("the task cannot speak: {why:?}");
        if open.expected.role == Role::Signal {
            self.wrong_signals.insert(open.task, "a signal that is not pending".to_owned());
            return;
        }
        self.mismatch(open, "refused".to_owned(), why, false);
    }

    fn mismatch(&mut self, open: Open, simulated: String, why: String, unsupported: bool) {
        let name = open.expected.name().into_owned();
        self.report.count(&name, &Verdict::Mismatched(why.clone()), unsupported);
        let text = match Event::get(&mut WireReader::new(&open.event)) {
            Ok(Event::Call { call, .. } | Event::Park { call, .. }) => call_text(&name, &call),
            _ => name,
        };
        self.first(&open, &text, simulated, why);
    }

    fn first(&mut self, open: &Open, text: &str, simulated: String, why: String) {
        if let Some(all) = &mut self.all {
            let line = open.lines.map_or(0, |lines| lines.1);
            let recorded = recorded_text(&open.expected);
            all.push(format!("{line}: {} {text} {recorded} {simulated} | {why}", open.task));
        }
        if self.report.first_mismatch.is_some() {
            return;
        }
        self.report.clean_prefix = open.calls_before;
        let mut context: Vec<String> = self.recent.iter().map(Recent::text).collect();
        context.extend(self.descriptors(open.task));
        self.report.first_mismatch = Some(FirstMismatch {
            line: open.lines.map(|lines| lines.1),
            seq: open.seq,
            pid: open.task,
            call: text.to_owned(),
            recorded: recorded_text(&open.expected),
            simulated,
            why,
            context,
        });
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

    fn remember(&mut self, recent: impl FnOnce() -> Recent) {
        if self.report.first_mismatch.is_some() {
            return;
        }
        if self.recent.len() == CONTEXT_EVENTS {
            self.recent.pop_front();
        }
        self.recent.push_back(recent());
    }

    /// Ends the replay: calls that are still open, the digest. `cut` = the input ended early, so
    /// that calls may be open that would have ended.
    pub fn finish(&mut self, cut: bool) {
        for (_, open) in std::mem::take(&mut self.open) {
            if open.expected.role == Role::Signal {
                continue;
            }
            let unsupported = open.expected.role == Role::Unsupported;
            if open.expected.recorded == Recorded::Never || cut {
                let name = open.expected.name().into_owned();
                self.report.count(&name, &Verdict::Compared, unsupported);
            } else {
                let why = "it never ended".to_owned();
                self.mismatch(open, "blocked".to_owned(), why, unsupported);
            }
        }
        if self.report.first_mismatch.is_none() {
            self.report.clean_prefix = self.report.calls;
        }
        self.report.digest = format!("{:016x}", self.kernel.digest_all());
    }
}
