//! Worlds for those who simulate: a small, typed face of the core for sizing and testing systems of
//! processes. Calls of processes go in, completions and effects come out; time passes when it is
//! told to; a world can be branched, faults can be put into it, and all of it can be recorded.
//!
//! It owns no rules: every call is an event that [`tickernel_systems::Kernel::take`] takes, a fault
//! is one too ([`Event::Inject`]), so a recording of a world replays with `tickernel replay` like
//! any other. Nothing runs by itself: whoever holds the [`Sim`] says who calls next. There is no
//! host: what a kernel asks of one ([`Config::ask_unmodelled`], [`Config::entropy`]) is answered
//! with "absent".
//!
//! ```
//! use tickernel::sim::{CallError, Fault, Sim};
//! use tickernel_systems::abi::Errno;
//! use tickernel_systems::event::Call;
//!
//! let mut sim = Sim::new();
//! let [read, write] = sim.pipe(1)?;
//! let child = sim.spawn(1)?;
//!
//! // The child waits, as a value and not as a thread; what it reads comes as a completion.
//! let waits = sim.call(child, Call::Read { fd: read, count: 64 });
//! assert!(matches!(waits, Err(CallError::Waits(_))));
//! let mut other = sim.branch()?;
//! sim.call(1, Call::Write { fd: write, data: b"hello" })?;
//! let completion = sim.completions().remove(0);
//! assert_eq!((completion.task, completion.result?.bytes()), (child, &b"hello"[..]));
//!
//! // In the other world that write fails, and the child waits on.
//! other.inject(Fault::new("write", Errno::EIO)?);
//! let failed = other.call(1, Call::Write { fd: write, data: b"hello" });
//! assert_eq!(failed, Err(CallError::Failed(Errno::EIO)));
//! assert!(other.completions().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A world that [`Sim::new`] makes holds some 40,000 processes: the limits of [`Config::default`].
//! More are a matter of [`Sim::with_config`] (the limits that count are `max_memory_bytes`,
//! `max_pipe_pages` and `max_tasks`) and of the host's memory, less than 2 KiB a process. A replay
//! holds a trace to the default limits all the same, so a recording of a larger world is replayed
//! with [`crate::replay::Options::own_limits`].
//!
//! What left is kept until it is taken: who lets a world run for long takes completions and
//! effects, or clears them.

mod error;
mod fault;

pub use error::{CallError, Completion, NoSuchCall};
pub use fault::Fault;

use crate::record::Recording;
use crate::trace::{Frames, TraceError};
use std::collections::VecDeque;
use std::io::Write;
use tickernel_systems::event::{Answer, Call, CallId, Effect, Event, HostAnswer, Outcome, Output};
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Config, Kernel, RestoreError};

/// Where a recording goes.
type Out = Box<dyn Write + Send>;

/// Bytes in the queue of calls at which it takes no more: as the core's own.
const QUEUE_MAX_BYTES: usize = 64 << 20;

/// A world of processes that does what it is told and nothing else.
pub struct Sim {
    kernel: Kernel,
    recording: Option<Recording<Frames<Out>>>,
    record_error: Option<TraceError>,
    faults: Vec<Fault>,
    /// Calls that wait for their step, encoded.
    queue: VecDeque<(u32, Vec<u8>)>,
    queued_bytes: usize,
    completions: VecDeque<Completion>,
    effects: VecDeque<Effect>,
}

impl Default for Sim {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Sim");
        shown.field("tick", &self.kernel.tick()).field("now_ns", &self.kernel.now_ns());
        shown.finish_non_exhaustive()
    }
}

impl Sim {
    /// A world with one process, number 1, and a small Linux tree: [`Config::default`].
    pub fn new() -> Self {
        Self::with_config(Config::default())
    }

    /// The same with other limits, another seed or another start of the clock.
    pub fn with_config(config: Config) -> Self {
        Self::over(Kernel::new(config))
    }

    /// A world in the state of a kernel: one that was booted or restored.
    pub fn over(kernel: Kernel) -> Self {
        Self {
            kernel,
            recording: None,
            record_error: None,
            faults: Vec::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            completions: VecDeque::new(),
            effects: VecDeque::new(),
        }
    }

    /// The kernel, to look at.
    pub const fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The digest of the whole state: equal states have equal ones, on every machine.
    pub fn digest(&mut self) -> u64 {
        self.kernel.digest_all()
    }

    /// Makes a process by fork(2); its number.
    ///
    /// # Errors
    /// Those of fork(2), and a parent that cannot speak.
    pub fn spawn(&mut self, parent: u32) -> Result<u32, CallError> {
        let answer = self.call(parent, Call::Fork {})?;
        // The kernel's numbers fit (pid_max).
        u32::try_from(answer.value).map_err(|_| CallError::Payload)
    }

    /// Makes a pipe; the descriptors of its ends, that for reading first.
    ///
    /// # Errors
    /// Those of pipe(2), and a process that cannot speak.
    pub fn pipe(&mut self, task: u32) -> Result<[i32; 2], CallError> {
        self.call(task, Call::Pipe {})?.fds().ok_or(CallError::Payload)
    }

    /// A call, now, before whatever is queued; its answer if it has one at once.
    ///
    /// # Errors
    /// [`CallError::Waits`]: it waits, and its end will be among the completions. Else it failed,
    /// or nobody made it.
    pub fn call(&mut self, task: u32, call: Call<'_>) -> Result<Answer, CallError> {
        let before = self.completions.len();
        match self.make(task, call) {
            Outcome::Done(answer) => Ok(answer),
            Outcome::Failed(errno) => Err(CallError::Failed(errno)),
            Outcome::Refused(why) => Err(CallError::Refused(why)),
            // The host always answers.
            Outcome::Asking => Err(CallError::Payload),
            Outcome::Blocked(id) => {
                // It woke another or got a signal, and so ended within its own event.
                let mut came = self.completions.range(before..);
                let ended = came.position(|completion| completion.call == id);
                match ended.and_then(|at| self.completions.remove(before + at)) {
                    Some(completion) => completion.result,
                    None => Err(CallError::Waits(id)),
                }
            }
        }
    }

    /// Queues a call: [`Sim::step`] makes it, and whatever comes of it is a completion.
    ///
    /// # Errors
    /// [`CallError::QueueFull`].
    pub fn submit(&mut self, task: u32, call: &Call<'_>) -> Result<(), CallError> {
        let full = self.queue.len() as u64 >= self.kernel.config().max_events_queued;
        if full || self.queued_bytes >= QUEUE_MAX_BYTES {
            return Err(CallError::QueueFull);
        }
        let mut bytes = Vec::new();
        call.put(&mut bytes);
        self.queued_bytes += bytes.len();
        self.queue.push_back((task, bytes));
        Ok(())
    }

    /// Makes the next queued call; false if there is none.
    pub fn step(&mut self) -> bool {
        let Some((task, bytes)) = self.queue.pop_front() else { return false };
        self.queued_bytes -= bytes.len();
        // It was encoded by `submit`: it decodes.
        let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { return false };
        let id = CallId(self.kernel.tick());
        let result = match self.make(task, call) {
            Outcome::Done(answer) => Ok(answer),
            Outcome::Failed(errno) => Err(CallError::Failed(errno)),
            Outcome::Refused(why) => Err(CallError::Refused(why)),
            Outcome::Blocked(_) | Outcome::Asking => return true,
        };
        self.completions.push_back(Completion { call: id, task, result });
        true
    }

    /// Makes all queued calls; how many there were.
    pub fn run(&mut self) -> u64 {
        let mut steps = 0;
        while self.step() {
            steps += 1;
        }
        steps
    }

    /// The calls that have ended since they were last taken, in the order in which they ended:
    /// those of [`Sim::submit`], and those of [`Sim::call`] that waited.
    pub fn completions(&mut self) -> Vec<Completion> {
        std::mem::take(&mut self.completions).into()
    }

    /// What else has left since it was last taken: handlers that run, processes that stopped, went
    /// on and ended, what goes out to the network outside.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects).into()
    }

    /// Lets so much time pass: what is due by then happens.
    pub fn advance(&mut self, delta_ns: u64) {
        self.take(Event::Clock { delta_ns });
    }

    /// Lets time pass until the next thing happens by it; how long that was, or `None` if nothing
    /// ever will.
    pub fn advance_to_deadline(&mut self) -> Option<u64> {
        let delta_ns = self.kernel.next_deadline()?.saturating_sub(self.kernel.now_ns());
        self.advance(delta_ns);
        Some(delta_ns)
    }

    /// Puts a fault into the world: it counts calls from now on.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// The faults, with what they have counted.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Takes all faults out again.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// A world that is as this one is now, with its queue, its faults and what has not been taken,
    /// and goes its own way. It takes as long as an image of the state; nothing of it is recorded.
    ///
    /// # Errors
    /// None, unless the kernel has a defect: an image of it is always one.
    pub fn branch(&self) -> Result<Self, RestoreError> {
        // Its own image is as large as it is, and no larger.
        let kernel = Kernel::restore_within(&self.kernel.snapshot(), u64::MAX)?;
        Ok(Self {
            faults: self.faults.clone(),
            queue: self.queue.clone(),
            queued_bytes: self.queued_bytes,
            completions: self.completions.clone(),
            effects: self.effects.clone(),
            ..Self::over(kernel)
        })
    }

    /// Records what happens from now on; the present state is the trace's first image. A recording
    /// that was running ends there.
    ///
    /// # Errors
    /// Those of the output.
    pub fn record_to(&mut self, out: impl Write + Send + 'static) -> Result<(), TraceError> {
        self.finish_recording()?;
        let out: Out = Box::new(out);
        self.recording = Some(Recording::begin(&self.kernel, out)?);
        Ok(())
    }

    /// Ends the recording with the digests of the present state; without one it does nothing.
    ///
    /// # Errors
    /// Those of the output, now or earlier: after the first the world went on without a recording.
    pub fn finish_recording(&mut self) -> Result<(), TraceError> {
        if let Some(error) = self.record_error.take() {
            return Err(error);
        }
        if let Some(recording) = self.recording.take() {
            recording.finish(&mut self.kernel)?;
        }
        Ok(())
    }

    /// Any event, as the core takes it: signals from outside, peers on a network.
    pub fn take(&mut self, event: Event<'_>) -> Outcome {
        let mut outcome = self.enter(event);
        while outcome == Outcome::Asking {
            outcome = self.enter(Event::Answer(HostAnswer::Absent));
        }
        outcome
    }

    /// A call, or the fault that meets it.
    fn make(&mut self, task: u32, call: Call<'_>) -> Outcome {
        if self.faults.is_empty() {
            return self.take(Event::Call { task, call });
        }
        let number = call.number();
        let met = self.faults.iter().find(|fault| fault.meets(task, number));
        let outcome = match met.map(Fault::errno) {
            Some(errno) => self.take(Event::Inject { task, errno, call }),
            None => self.take(Event::Call { task, call }),
        };
        // Who could not speak made no call.
        if !matches!(outcome, Outcome::Refused(_)) {
            self.faults.iter_mut().for_each(|fault| fault.count(task, number));
        }
        outcome
    }

    /// The one door.
    fn enter(&mut self, event: Event<'_>) -> Outcome {
        let Some(recording) = &mut self.recording else { return self.enter_unrecorded(event) };
        if let Err(error) = recording.begin_event(&mut self.kernel, &event) {
            self.recording = None;
            self.record_error = Some(error);
            return self.enter_unrecorded(event);
        }
        let outcome = self.kernel.take(event);
        recording.note_outcome(&outcome);
        while let Some(output) = self.kernel.poll_output() {
            recording.note(&output);
            keep(&mut self.completions, &mut self.effects, output);
        }
        outcome
    }

    fn enter_unrecorded(&mut self, event: Event<'_>) -> Outcome {
        let outcome = self.kernel.take(event);
        while let Some(output) = self.kernel.poll_output() {
            keep(&mut self.completions, &mut self.effects, output);
        }
        outcome
    }
}

fn keep(completions: &mut VecDeque<Completion>, effects: &mut VecDeque<Effect>, output: Output) {
    match output {
        Output::Completion(completion) => completions.push_back(completion.into()),
        Output::Effect(effect) => effects.push_back(effect),
        // Only the kernel's own queue makes these.
        Output::Outcome(..) => {}
    }
}
