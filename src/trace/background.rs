//! The writer whose compression and output happen on a thread of its own.
//!
//! The kernel's thread fills batches; a full one goes into a queue that is bounded in bytes, from
//! which the other thread compresses and writes. A full queue makes the kernel's thread wait, and
//! the waits are counted. The file is byte for byte that of `TraceWriter`.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::batch::Batch;
use super::error::{Failure, TraceError};
use super::frames::{Finished, Frames};
use super::header::Header;
use super::writer::{Builder, Sink};

/// Empty payload buffers that are kept for the next batches: new memory costs more than what is
/// written into it.
const SPARE_BUFFERS: usize = 16;
/// Bytes of full batches for which the other thread is woken. To wake it costs as much as some
/// hundred events.
const WAKE_BYTES: usize = 512 << 10;
/// How long fewer bytes wait.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes a trace on a thread of its own. Dropped without `finish`, it still writes the batches
/// that were full, and leaves a file that can be read up to there.
pub type BackgroundWriter<W> = Builder<Background<W>>;

impl<W: Write + Send + 'static> BackgroundWriter<W> {
    /// Bytes of full batches that may wait for the other thread, unless the caller says otherwise.
    pub const DEFAULT_QUEUE_BYTES: usize = 16 << 20;

    /// Begins a trace on `out`, as `TraceWriter::new`. At most `queue_bytes` bytes of full batches
    /// wait for the other thread (a larger batch waits alone).
    pub fn spawn(
        out: W,
        header: &Header,
        image: &[u8],
        queue_bytes: usize,
    ) -> Result<Self, TraceError> {
        let frames = Frames::new(out, header, image.len() as u64)?;
        Builder::begin(Background::spawn(frames, queue_bytes)?, header, image)
    }
}

impl<W> BackgroundWriter<W> {
    /// How often the caller had to wait for the other thread so far.
    pub fn waits(&self) -> u64 {
        self.sink.waits
    }

    /// How long the caller waited so far, in nanoseconds.
    pub fn waited_ns(&self) -> u64 {
        self.sink.waited_ns
    }
}

/// What the two threads share.
#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Batch>,
    /// Bytes of the payloads in the queue and of the one that is being written.
    queued_bytes: usize,
    spare: Vec<Vec<u8>>,
    /// Flushes that were asked for, and those that are done.
    flushes_asked: u64,
    flushes_done: u64,
    /// No more batches will come.
    is_closed: bool,
    /// The writing thread has ended.
    has_ended: bool,
    failure: Option<Failure>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when the writing thread has something to do.
    work: Condvar,
    /// Signalled when the writing thread has done something.
    done: Condvar,
    /// Whether `State::failure` is set, for a look without the lock.
    has_failed: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, state: &mut State, error: &io::Error) {
        state.failure.get_or_insert_with(|| Failure::new(error));
        self.has_failed.store(true, Ordering::Release);
    }
}

/// The queue's end on the kernel's thread.
#[derive(Debug)]
pub struct Background<W> {
    shared: Arc<Shared>,
    queue_bytes: usize,
    thread: Option<JoinHandle<Result<Finished<W>, TraceError>>>,
    waits: u64,
    waited_ns: u64,
}

impl<W: Write + Send + 'static> Background<W> {
    fn spawn(frames: Frames<W>, queue_bytes: usize) -> Result<Self, TraceError> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("trace".to_owned()).spawn(move || {
            let _ended = EndedOnDrop(&theirs);
            write_all(&theirs, frames)
        })?;
        Ok(Background { shared, queue_bytes, thread: Some(thread), waits: 0, waited_ns: 0 })
    }
}

impl<W> Background<W> {
    /// Waits until `is_ready`, the writing thread has ended, or it has failed.
    fn wait<'a>(
        done: &Condvar,
        counts: (&mut u64, &mut u64),
        mut state: MutexGuard<'a, State>,
        is_ready: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let is_over = |state: &State| is_ready(state) || state.has_ended || state.failure.is_some();
        if is_over(&state) {
            return state;
        }
        let begin = crate::clock::now();
        while !is_over(&state) {
            state = done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *counts.0 += 1;
        *counts.1 += u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        state
    }

    /// Tells the writing thread that nothing more comes, waits for it and takes its result.
    fn join(&mut self) -> Result<Finished<W>, TraceError> {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_all();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(ended()),
        }
    }
}

fn ended() -> TraceError {
    TraceError::Io(io::Error::other("the thread that writes the trace has panicked"))
}

impl<W> Sink for Background<W> {
    type Output = Finished<W>;

    #[inline]
    fn has_failed(&self) -> bool {
        self.shared.has_failed.load(Ordering::Acquire)
    }

    fn check(&mut self) -> Result<(), TraceError> {
        if !self.has_failed() {
            return Ok(());
        }
        let state = self.shared.lock();
        Err(state.failure.as_ref().map_or_else(ended, Failure::report))
    }

    fn take(&mut self, batch: &mut Batch) -> Result<(), TraceError> {
        let bytes = batch.payload.len();
        let limit = self.queue_bytes;
        let fits = |state: &State| {
            state.queued_bytes == 0 || state.queued_bytes.saturating_add(bytes) <= limit
        };
        let counts = (&mut self.waits, &mut self.waited_ns);
        let mut state = Self::wait(&self.shared.done, counts, self.shared.lock(), fits);
        if let Some(failure) = &state.failure {
            return Err(failure.report());
        }
        if state.has_ended {
            return Err(ended());
        }
        let payload = state.spare.pop().unwrap_or_default();
        let full = std::mem::replace(&mut batch.payload, payload);
        state.queue.push_back(Batch { payload: full, ..*batch });
        state.queued_bytes += bytes;
        let is_much = state.queued_bytes >= WAKE_BYTES.min(limit);
        drop(state);
        if is_much {
            self.shared.work.notify_one();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TraceError> {
        let mut state = self.shared.lock();
        state.flushes_asked += 1;
        let wanted = state.flushes_asked;
        self.shared.work.notify_one();
        let counts = (&mut self.waits, &mut self.waited_ns);
        let is_flushed = |state: &State| state.flushes_done >= wanted;
        let state = Self::wait(&self.shared.done, counts, state, is_flushed);
        match &state.failure {
            Some(failure) => Err(failure.report()),
            None if is_flushed(&state) => Ok(()),
            None => Err(ended()),
        }
    }

    fn finish(mut self) -> Result<Finished<W>, TraceError> {
        let finished = self.join()?;
        Ok(Finished { waits: self.waits, waited_ns: self.waited_ns, ..finished })
    }
}

impl<W> Drop for Background<W> {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Whoever drops a writer without finishing it has no use for its errors.
            let _ = self.join();
        }
    }
}

/// Wakes the kernel's thread when the writing thread ends, in a panic too.
struct EndedOnDrop<'a>(&'a Shared);

impl Drop for EndedOnDrop<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_ended = true;
        if std::thread::panicking() {
            self.0.fail(&mut state, &io::Error::other("the thread that writes the trace panicked"));
        }
        drop(state);
        self.0.done.notify_all();
    }
}

/// What the writing thread finds to do.
enum Job {
    Write(Batch),
    Flush(u64),
    End,
}

fn next_job(shared: &Shared) -> Job {
    let mut state = shared.lock();
    loop {
        if let Some(batch) = state.queue.pop_front() {
            return Job::Write(batch);
        }
        if state.flushes_done < state.flushes_asked {
            return Job::Flush(state.flushes_asked);
        }
        if state.is_closed {
            return Job::End;
        }
        let waited = shared.work.wait_timeout(state, PATIENCE);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// The writing thread: takes jobs until there are no more, or one fails.
fn write_all<W: Write>(shared: &Shared, mut frames: Frames<W>) -> Result<Finished<W>, TraceError> {
    loop {
        let (mut batch, flushed) = match next_job(shared) {
            Job::Write(batch) => (batch, None),
            Job::Flush(number) => (Batch::default(), Some(number)),
            Job::End => return frames.finish(),
        };
        let bytes = batch.payload.len();
        let result = if flushed.is_some() { frames.flush() } else { frames.take(&mut batch) };
        let mut state = shared.lock();
        state.queued_bytes -= bytes;
        if let Some(number) = flushed {
            state.flushes_done = number;
        } else if state.spare.len() < SPARE_BUFFERS {
            state.spare.push(batch.payload);
        }
        if let Err(error) = result {
            if let TraceError::Io(error) = &error {
                shared.fail(&mut state, error);
            }
            state.queue.clear();
            return Err(error);
        }
        drop(state);
        shared.done.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_counted_and_none_where_there_was_nothing_to_wait_for() {
        let shared = Arc::new(Shared::default());
        let (mut waits, mut waited_ns) = (0, 0);
        let is_ready = |state: &State| state.flushes_done == 1;
        // The other thread gets the lock only when this one has begun to wait.
        let state = shared.lock();
        let theirs = Arc::clone(&shared);
        let other = std::thread::spawn(move || {
            theirs.lock().flushes_done = 1;
            theirs.done.notify_all();
        });
        let counts = (&mut waits, &mut waited_ns);
        let state = Background::<Vec<u8>>::wait(&shared.done, counts, state, is_ready);
        let counts = (&mut waits, &mut waited_ns);
        drop(Background::<Vec<u8>>::wait(&shared.done, counts, state, is_ready));
        assert_eq!(waits, 1);
        assert!(other.join().is_ok());
    }
}
