//! Recording: every event stands in the trace's buffer before it has any effect (DESIGN section 1).
//!
//! Owns the order of append, effect and hash, which `replay` repeats: the event is appended, taken,
//! and its outcome and outputs enter the rolling hash (traces/README.md, "Hash"). The first image
//! is the kernel's state when the recording begins, so it may begin at any time.

use crate::completions::Completions;
use crate::trace::{Builder, Header, Sink, TraceError, TraceWriter};
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tickernel_systems::Kernel;
use tickernel_systems::event::{Call, Event, Outcome, Output};
use tickernel_systems::wire::Wire;

/// A recording in progress. The kernel stays its owner's; every event must go through
/// [`Recording::take`], and outputs are taken from [`Recording::poll_output`].
///
/// ```
/// use tickernel::record::Recording;
/// use tickernel_systems::event::{Call, Event};
/// use tickernel_systems::{Config, Kernel};
///
/// let mut kernel = Kernel::new(Config::default());
/// let mut recording = Recording::begin(&kernel, Vec::new())?;
/// recording.take(&mut kernel, Event::Call { task: 1, call: Call::Pipe {} })?;
/// let trace: Vec<u8> = recording.finish(&mut kernel)?.out;
/// # assert!(trace.starts_with(&tickernel::trace::MAGIC));
/// # Ok::<(), tickernel::trace::TraceError>(())
/// ```
#[derive(Debug)]
pub struct Recording<S: Sink> {
    writer: Builder<S>,
    completions: Completions,
    outputs: VecDeque<Output>,
}

/// A trace in memory: clones are one place, so the bytes can be had when the recording has ended.
///
/// ```
/// use tickernel::import::Imported;
/// use tickernel::record::TraceBuffer;
/// use tickernel::replay::{Options, replay};
/// use tickernel::sim::Sim;
///
/// let (mut sim, trace) = (Sim::new(), TraceBuffer::default());
/// sim.record_to(trace.clone())?;
/// sim.spawn(1)?;
/// sim.finish_recording()?;
/// let replayed = replay(Imported::of_trace(trace.bytes()), &mut Options::default())?;
/// assert_eq!(replayed.report.digest, format!("{:016x}", sim.digest()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TraceBuffer(Arc<Mutex<Vec<u8>>>);

impl TraceBuffer {
    /// What was written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for TraceBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a header says of a kernel that is about to be recorded.
pub fn header_of(kernel: &Kernel) -> Header {
    let mut configuration = Vec::new();
    kernel.config().put(&mut configuration);
    Header {
        wake_mode: match kernel.config().wake {
            tickernel_systems::WakeMode::Auto => 0,
            tickernel_systems::WakeMode::OnDemand => 1,
        },
        profile: match kernel.config().profile {
            tickernel_systems::Profile::Linux => 0,
            tickernel_systems::Profile::SecureExec => 1,
        },
        seed: kernel.config().seed,
        configuration,
        ..Header::default()
    }
}

impl<W: Write> Recording<crate::trace::Frames<W>> {
    /// Begins a recording on `out` with the kernel's present state as its first image.
    ///
    /// # Errors
    /// Those of the output.
    pub fn begin(kernel: &Kernel, out: W) -> Result<Self, TraceError> {
        Ok(Self::over(TraceWriter::new(out, &header_of(kernel), &kernel.snapshot())?))
    }
}

impl<S: Sink> Recording<S> {
    /// Records to a writer that has begun: the background one, for instance.
    pub fn over(writer: Builder<S>) -> Self {
        Self { writer, completions: Completions::default(), outputs: VecDeque::new() }
    }

    /// Records an event and has the kernel take it.
    ///
    /// # Errors
    /// The event is too long, or the output failed earlier; the kernel has not taken it then.
    pub fn take(&mut self, kernel: &mut Kernel, event: Event<'_>) -> Result<Outcome, TraceError> {
        self.begin_event(kernel, &event)?;
        let outcome = kernel.take(event);
        self.note_outcome(&outcome);
        while let Some(output) = kernel.poll_output() {
            self.note(&output);
            self.outputs.push_back(output);
        }
        Ok(outcome)
    }

    /// Records an event that the caller then has the kernel take; its outcome and every output go
    /// to [`Recording::note_outcome`] and [`Recording::note`].
    ///
    /// # Errors
    /// The event is too long, or the output failed earlier: the kernel must not take it as
    /// recorded.
    pub fn begin_event(
        &mut self,
        kernel: &mut Kernel,
        event: &Event<'_>,
    ) -> Result<(), TraceError> {
        match event {
            Event::Call { task, call } => self.begin_call(kernel, *task, call),
            other => {
                self.write_due_digests(kernel)?;
                let completions = self.completions.hash();
                self.writer.append_event(kernel.tick(), completions, |out| other.put(out))?;
                Ok(())
            }
        }
    }

    /// [`Recording::begin_event`] for a call that its maker keeps.
    ///
    /// # Errors
    /// Those of `begin_event`.
    #[inline]
    pub fn begin_call(
        &mut self,
        kernel: &mut Kernel,
        task: u32,
        call: &Call<'_>,
    ) -> Result<(), TraceError> {
        self.write_due_digests(kernel)?;
        let (tick, completions) = (kernel.tick(), self.completions.hash());
        // By reference: what moves is read before it has reached memory.
        let short = Event::short_call(task, call);
        if short.is_whole() {
            self.writer.append_short(tick, completions, &short)?;
        } else {
            let put = |out: &mut Vec<u8>| Event::put_call(task, call, out);
            self.writer.append_event(tick, completions, put)?;
        }
        Ok(())
    }

    #[inline]
    fn write_due_digests(&mut self, kernel: &mut Kernel) -> Result<(), TraceError> {
        if self.writer.is_digest_due() {
            let digests = kernel.digests();
            self.writer.digests(&digests, self.completions.hash())?;
        }
        Ok(())
    }

    /// What came of the event first.
    #[inline]
    pub fn note_outcome(&mut self, outcome: &Outcome) {
        self.completions.note_outcome(outcome);
    }

    /// What came of it beside that, in its order.
    pub fn note(&mut self, output: &Output) {
        self.completions.note(output);
    }

    /// The writer: what a background one can tell of its waits.
    pub(crate) const fn writer(&self) -> &Builder<S> {
        &self.writer
    }

    /// The next output, in the order in which it happened.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Ends the trace with the digests of the kernel's state.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(self, kernel: &mut Kernel) -> Result<S::Output, TraceError> {
        let digests = kernel.digests();
        self.writer.finish(&digests, self.completions.hash())
    }
}
