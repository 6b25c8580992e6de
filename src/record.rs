//! Recording: every event stands in the trace's buffer before it has any effect (DESIGN section 1).
//!
//! Owns the order of append, effect and hash, which `replay` repeats: the event is appended, taken,
//! and its outcome and outputs enter the rolling hash (traces/README.md, "Hash"). The first image
//! is the kernel's state when the recording begins, so it may begin at any time.

use crate::trace::{Builder, Header, Sink, TraceError, TraceWriter};
use std::collections::VecDeque;
use std::io::Write;
use tickernel_systems::Kernel;
use tickernel_systems::digest::{hash64, hash64_behind, hash64_short};
use tickernel_systems::event::{Answer, Call, Event, Outcome, Output, Payload};
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
    hash: u64,
    outputs: VecDeque<Output>,
    scratch: Vec<u8>,
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

/// The rolling hash of completions after one more outcome or output. `scratch` is only room.
pub fn hash_on(hash: u64, value: &impl for<'a> Wire<'a>, scratch: &mut Vec<u8>) -> u64 {
    scratch.clear();
    value.put(scratch);
    hash64(hash, scratch)
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
        Self { writer, hash: 0, outputs: VecDeque::new(), scratch: Vec::new() }
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
    /// to [`Recording::note`].
    ///
    /// # Errors
    /// The event is too long, or the output failed earlier: the kernel must not take it as
    /// recorded.
    pub fn begin_event(
        &mut self,
        kernel: &mut Kernel,
        event: &Event<'_>,
    ) -> Result<(), TraceError> {
        self.append(kernel, |out| event.put(out))
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
        self.append(kernel, |out| Event::put_call(task, call, out))
    }

    /// Appends an event, after the digests if they are due.
    #[inline]
    fn append(
        &mut self,
        kernel: &mut Kernel,
        event: impl Fn(&mut Vec<u8>),
    ) -> Result<(), TraceError> {
        if self.writer.is_digest_due() {
            let digests = kernel.digests();
            self.writer.digests(&digests, self.hash)?;
        }
        self.writer.append_event(kernel.tick(), self.hash, event)?;
        Ok(())
    }

    /// [`Recording::note`] of an outcome. That of most calls is a small number, perhaps with bytes:
    /// then the encoding before the bytes is made in a register. Byte by byte in memory it would be
    /// waited for.
    #[inline]
    pub fn note_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done(Answer { value: value @ 0..0x2000, payload: Payload::None }) => {
                let head = Head::default().byte(0).varint(*value as u64 * 2).byte(0);
                self.hash = hash64_short(self.hash, head.word, u64::from(head.length));
            }
            Outcome::Done(Answer { value: value @ 0..0x2000, payload: Payload::Data(data) })
                if data.0.len() < 0x2000 =>
            {
                let head = Head::default().byte(0).varint(*value as u64 * 2).byte(1);
                let head = head.varint(data.0.len() as u64);
                self.hash = hash64_behind(self.hash, head.word, head.length, &data.0);
            }
            other => self.note(other),
        }
    }

    /// What came of the event: its outcome, then its outputs in their order.
    pub fn note(&mut self, value: &impl for<'a> Wire<'a>) {
        self.hash = hash_on(self.hash, value, &mut self.scratch);
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
        self.writer.finish(&digests, self.hash)
    }
}

/// Up to seven bytes of an encoding, the first lowest.
#[derive(Clone, Copy, Default)]
struct Head {
    word: u64,
    length: u32,
}

impl Head {
    #[inline]
    const fn byte(self, byte: u8) -> Self {
        Self { word: self.word | (byte as u64) << (8 * self.length), length: self.length + 1 }
    }

    /// A varint of at most two bytes.
    #[inline]
    const fn varint(self, value: u64) -> Self {
        match value {
            0..0x80 => self.byte(value as u8),
            _ => self.byte(value as u8 | 0x80).byte((value >> 7) as u8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_outcome_hashes_as_its_bytes_do() {
        let kernel = Kernel::new(tickernel_systems::Config::default());
        let mut short = Recording::begin(&kernel, Vec::new()).expect("begun");
        let mut whole = Recording::begin(&kernel, Vec::new()).expect("begun");
        let values = [0, 1, 63, 64, 127, 128, 4096, 8191, 8192, 65536, i64::MAX, -1];
        let lengths = (0..100).chain([127, 128, 255, 4096, 8191, 8192, 70_000]);
        let data = |length: usize| (0..length).map(|at| at as u8 ^ 0x5a).collect::<Vec<u8>>();
        let with_data = lengths.map(|length| Answer::data(data(length)));
        for answer in values.map(Answer::value).into_iter().chain(with_data) {
            let outcome = Outcome::Done(answer);
            short.note_outcome(&outcome);
            whole.note(&outcome);
            assert_eq!(short.hash, whole.hash, "{outcome:?}");
        }
    }
}
