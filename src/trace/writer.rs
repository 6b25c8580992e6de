//! Events to batches: the upper half of both writers, on the caller's thread.
//!
//! An event is appended before it has any effect, so its completions are not known yet. A batch
//! is therefore closed late: when the next event does not fit, with the hash that the caller
//! gives at that moment. A record waits outside the batch until then, because its answer
//! (`answer`) may still come and makes it longer.

use std::io::Write;
use tickernel_systems::wire::Short;

use super::batch::{Batch, Contents, Kind};
use super::chunk::chunks;
use super::digests::Digests;
use super::error::TraceError;
use super::footer::put_summary;
use super::frames::Frames;
use super::header::Header;
use super::record::{LONG_EVENT_BYTES, MAX_FLAGS, Previous, Record, put_short_next};
use super::{MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT_BYTES};

/// Where full batches go. Implemented by [`Frames`] and [`super::Background`].
pub trait Sink {
    /// What is left at the end.
    type Output;
    /// Whether there was a failure of earlier batches: asked before every event.
    fn has_failed(&self) -> bool;
    /// Reports that failure, if there was one.
    fn check(&mut self) -> Result<(), TraceError>;
    /// Takes a batch and leaves an empty payload in it.
    fn take(&mut self, batch: &mut Batch) -> Result<(), TraceError>;
    /// Comes back when everything taken so far has been written and flushed.
    fn flush(&mut self) -> Result<(), TraceError>;
    /// The same, and ends.
    fn finish(self) -> Result<Self::Output, TraceError>;
}

/// Writes a trace on the caller's thread. Dropped without `finish`, it leaves a file that can be
/// read up to the last batch that was full or flushed.
pub type TraceWriter<W> = Builder<Frames<W>>;

impl<W: Write> TraceWriter<W> {
    /// Begins a trace on `out` with its header and the kernel's first image (may be empty).
    pub fn new(out: W, header: &Header, image: &[u8]) -> Result<Self, TraceError> {
        let frames = Frames::new(out, header, image.len() as u64)?;
        Builder::begin(frames, header, image)
    }
}

/// The record that was appended last.
#[derive(Debug, Default)]
struct Pending {
    is_open: bool,
    tick: u64,
    flags: u8,
    lines: Option<(u64, u64)>,
    event: Vec<u8>,
    has_expected: bool,
    expected: Vec<u8>,
    /// Hash of the completions before this event.
    completions_before: u64,
}

/// Collects events into batches for a sink; see [`TraceWriter`] and [`super::BackgroundWriter`].
#[derive(Debug)]
pub struct Builder<S> {
    pub(super) sink: S,
    next_sequence: u64,
    last_tick: u64,
    digest_cadence: u64,
    /// The event before which digests are next due.
    digest_due: Option<u64>,
    last_digests: Option<Digests>,
    pending: Pending,
    batch: Batch,
    previous: Previous,
    /// So many short events at the ticks that come next can be appended without a look at the
    /// batch's limits: it is open, no record waits, and no digests are due.
    plain_left: u64,
}

impl<S: Sink> Builder<S> {
    /// Writes the image's batches to a sink whose header is written.
    pub(super) fn begin(sink: S, header: &Header, image: &[u8]) -> Result<Self, TraceError> {
        let mut builder = Builder {
            sink,
            next_sequence: header.first_sequence,
            last_tick: 0,
            digest_cadence: header.digest_cadence,
            digest_due: match header.digest_cadence {
                0 => None,
                cadence => header.first_sequence.checked_add(cadence),
            },
            last_digests: None,
            pending: Pending::default(),
            batch: Batch::default(),
            previous: Previous::default(),
            plain_left: 0,
        };
        for chunk in chunks(image) {
            builder.put_single(Kind::Image, 1, 0, |payload| chunk.put(payload))?;
        }
        Ok(builder)
    }

    /// Sequence number that the next event will get.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Appends an event at `tick` and answers its sequence number. `completions` is the rolling
    /// hash of all completions so far, that is of the events before this one.
    ///
    /// # Errors
    /// Nothing is appended if the record is too long, its flags too large or its tick smaller
    /// than the last one. A failure of the output is reported by this and every later call.
    pub fn append(
        &mut self,
        tick: u64,
        record: &Record<'_>,
        completions: u64,
    ) -> Result<u64, TraceError> {
        self.sink.check()?;
        check_length(record.event, record.expected)?;
        if record.flags > MAX_FLAGS {
            return Err(TraceError::RecordFlags(record.flags));
        }
        if tick < self.last_tick {
            return Err(TraceError::TickWentBack { tick, last: self.last_tick });
        }
        let sequence = self.next_sequence;
        let next_sequence = sequence.checked_add(1).ok_or(TraceError::SequenceExhausted)?;
        self.commit()?;
        self.advance(next_sequence, tick);
        let pending = &mut self.pending;
        pending.is_open = true;
        pending.tick = tick;
        pending.flags = record.flags;
        pending.lines = record.lines;
        pending.event.clear();
        pending.event.extend_from_slice(record.event);
        pending.has_expected = record.expected.is_some();
        pending.expected.clear();
        pending.expected.extend_from_slice(record.expected.unwrap_or_default());
        pending.completions_before = completions;
        Ok(sequence)
    }

    /// The same for an event alone that gets no [`Builder::answer`]: it writes itself into the
    /// batch, and is copied nowhere.
    ///
    /// # Errors
    /// Those of [`Builder::append`].
    #[inline]
    pub fn append_event(
        &mut self,
        tick: u64,
        completions: u64,
        event: impl Fn(&mut Vec<u8>),
    ) -> Result<u64, TraceError> {
        self.append_with(tick, completions, |previous, out| previous.put_event(out, tick, &event))
    }

    /// [`Builder::append_event`] of a short encoding.
    ///
    /// # Errors
    /// Those of [`Builder::append`].
    #[inline(always)]
    pub fn append_short(
        &mut self,
        tick: u64,
        completions: u64,
        event: &Short<'_>,
    ) -> Result<u64, TraceError> {
        let length = event.word_bytes() as usize + event.tail().len();
        let is_next = tick == self.last_tick.wrapping_add(1);
        if self.plain_left == 0 || !is_next || length >= LONG_EVENT_BYTES || self.sink.has_failed()
        {
            return self.append_short_with_checks(tick, completions, event);
        }
        let sequence = self.next_sequence;
        self.plain_left -= 1;
        self.next_sequence = sequence.wrapping_add(1);
        self.last_tick = tick;
        put_short_next(&mut self.batch.payload, event, length);
        self.previous.tick = Some(tick);
        self.batch.contents.last_tick = tick;
        self.batch.contents.count += 1;
        Ok(sequence)
    }

    #[inline(never)]
    fn append_short_with_checks(
        &mut self,
        tick: u64,
        completions: u64,
        event: &Short<'_>,
    ) -> Result<u64, TraceError> {
        let sequence = self.append_event(tick, completions, |out| event.put(out))?;
        self.plain_left = self.count_plain();
        Ok(sequence)
    }

    /// How many records of short events have room behind the last one of this batch, where
    /// nothing else is due before them.
    fn count_plain(&self) -> u64 {
        /// The head and the length.
        const BYTES_BEFORE_EVENT: usize = 2;
        let room_bytes = MAX_BATCH_BYTES.saturating_sub(self.batch.payload.len());
        let room = (room_bytes / (BYTES_BEFORE_EVENT + LONG_EVENT_BYTES)) as u64;
        let due = self.digest_due.unwrap_or(u64::MAX).saturating_sub(self.next_sequence);
        room.min(u64::from(MAX_BATCH_EVENTS - self.batch.contents.count)).min(due)
    }

    /// Appends what `put` writes behind the record before it; it gives the length of the event.
    #[inline]
    fn append_with(
        &mut self,
        tick: u64,
        completions: u64,
        put: impl Fn(&mut Previous, &mut Vec<u8>) -> usize,
    ) -> Result<u64, TraceError> {
        if self.sink.has_failed() {
            self.sink.check()?;
        }
        if tick < self.last_tick {
            return Err(TraceError::TickWentBack { tick, last: self.last_tick });
        }
        let sequence = self.next_sequence;
        let next_sequence = sequence.checked_add(1).ok_or(TraceError::SequenceExhausted)?;
        self.commit()?;
        if self.batch.contents.count >= MAX_BATCH_EVENTS {
            self.close_batch(completions)?;
        }
        let (length_before, previous_before) = (self.batch.payload.len(), self.previous);
        let bytes = put(&mut self.previous, &mut self.batch.payload);
        let too_long = bytes > MAX_EVENT_BYTES;
        let full = self.batch.contents.count > 0 && self.batch.payload.len() > MAX_BATCH_BYTES;
        if too_long || full {
            self.batch.payload.truncate(length_before);
            self.previous = previous_before;
            if too_long {
                return Err(TraceError::EventTooLarge { bytes });
            }
            self.close_batch(completions)?;
            put(&mut self.previous, &mut self.batch.payload);
        }
        self.advance(next_sequence, tick);
        self.count_record(tick);
        Ok(sequence)
    }

    /// An event is appended.
    #[inline]
    fn advance(&mut self, next_sequence: u64, tick: u64) {
        self.plain_left = 0;
        if self.is_digest_due() {
            self.pass_due_digest();
        }
        self.next_sequence = next_sequence;
        self.last_tick = tick;
    }

    /// Gives the event appended last its answer, for traces that store completions whole. To be
    /// called before anything else is written.
    ///
    /// # Errors
    /// If there is no such event, if it has an answer, or if both are too long together.
    pub fn answer(&mut self, expected: &[u8]) -> Result<(), TraceError> {
        if !self.pending.is_open || self.pending.has_expected {
            return Err(TraceError::NoOpenEvent);
        }
        check_length(&self.pending.event, Some(expected))?;
        self.pending.has_expected = true;
        self.pending.expected.extend_from_slice(expected);
        Ok(())
    }

    /// Whether the header's cadence asks for digests before the next event.
    #[inline]
    pub fn is_digest_due(&self) -> bool {
        self.digest_due == Some(self.next_sequence)
    }

    /// Digests were written, or passed over, where they were due.
    #[cold]
    fn pass_due_digest(&mut self) {
        self.digest_due = self.digest_due.and_then(|due| due.checked_add(self.digest_cadence));
    }

    /// Writes the digests of the state after the event appended last.
    pub fn digests(&mut self, digests: &[(&str, u64)], completions: u64) -> Result<(), TraceError> {
        let digests = Digests::checked(self.next_sequence, digests)?;
        self.close(completions)?;
        let count = digests.entries.len() as u32;
        self.put_single(Kind::Digests, count, completions, |payload| digests.put(payload))?;
        self.last_digests = Some(digests);
        if self.is_digest_due() {
            self.pass_due_digest();
        }
        Ok(())
    }

    /// Writes a snapshot (not empty) of the state after the event appended last.
    pub fn snapshot(&mut self, snapshot: &[u8], completions: u64) -> Result<(), TraceError> {
        self.close(completions)?;
        for chunk in chunks(snapshot) {
            self.put_single(Kind::Snapshot, 1, completions, |payload| chunk.put(payload))?;
        }
        Ok(())
    }

    /// Closes the batch and comes back when everything is written.
    pub fn flush(&mut self, completions: u64) -> Result<(), TraceError> {
        self.close(completions)?;
        self.sink.flush()
    }

    /// Writes the digests of the last state, the footer and the trailer.
    pub fn finish(
        mut self,
        digests: &[(&str, u64)],
        completions: u64,
    ) -> Result<S::Output, TraceError> {
        self.close(completions)?;
        let last = Digests::checked(self.next_sequence, digests)?;
        if self.last_digests.as_ref() != Some(&last) {
            self.digests(digests, completions)?;
        }
        let (next_sequence, last_tick) = (self.next_sequence, self.last_tick);
        self.put_single(Kind::Footer, 0, completions, |payload| {
            put_summary(payload, next_sequence, last_tick, &last);
        })?;
        self.sink.finish()
    }

    /// Moves the waiting record into the batch, closing it first where the record does not fit.
    #[inline]
    fn commit(&mut self) -> Result<(), TraceError> {
        if self.pending.is_open { self.commit_pending() } else { Ok(()) }
    }

    fn commit_pending(&mut self) -> Result<(), TraceError> {
        let pending = std::mem::take(&mut self.pending);
        let record = Record {
            event: &pending.event,
            expected: pending.has_expected.then_some(pending.expected.as_slice()),
            lines: pending.lines,
            flags: pending.flags,
        };
        let result = self.put(pending.tick, &record, pending.completions_before);
        // Its buffers serve the next one.
        self.pending = Pending { is_open: false, ..pending };
        result
    }

    /// Puts a record into the batch, closing that first where the record does not fit.
    fn put(
        &mut self,
        tick: u64,
        record: &Record<'_>,
        completions_before: u64,
    ) -> Result<(), TraceError> {
        if !self.try_put(tick, record) {
            self.close_batch(completions_before)?;
            self.try_put(tick, record);
        }
        Ok(())
    }

    /// Puts a record into the batch unless the batch's limits forbid it.
    fn try_put(&mut self, tick: u64, record: &Record<'_>) -> bool {
        let contents = &mut self.batch.contents;
        if contents.count >= MAX_BATCH_EVENTS {
            return false;
        }
        let (length_before, previous_before) = (self.batch.payload.len(), self.previous);
        self.previous.put(&mut self.batch.payload, tick, record);
        if contents.count > 0 && self.batch.payload.len() > MAX_BATCH_BYTES {
            self.batch.payload.truncate(length_before);
            self.previous = previous_before;
            return false;
        }
        self.count_record(tick);
        true
    }

    /// Counts the record that was put last: the one before `next_sequence`.
    #[inline]
    fn count_record(&mut self, tick: u64) {
        let contents = &mut self.batch.contents;
        if contents.count == 0 {
            contents.first_sequence = self.next_sequence - 1;
            contents.first_tick = tick;
        }
        contents.last_tick = tick;
        contents.count += 1;
    }

    /// Ends the batch at this place of the trace.
    fn close(&mut self, completions: u64) -> Result<(), TraceError> {
        self.sink.check()?;
        self.commit()?;
        self.close_batch(completions)
    }

    fn close_batch(&mut self, completions: u64) -> Result<(), TraceError> {
        if self.batch.contents.count == 0 {
            return Ok(());
        }
        self.batch.kind = Kind::Events;
        self.batch.contents.completions = completions;
        let result = self.sink.take(&mut self.batch);
        self.plain_left = 0;
        self.batch.payload.clear();
        self.batch.contents = Contents::default();
        self.previous = Previous::default();
        result
    }

    /// Writes a batch that is no batch of events; no event may be in the open one.
    fn put_single(
        &mut self,
        kind: Kind,
        count: u32,
        completions: u64,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), TraceError> {
        self.batch.kind = kind;
        self.batch.contents = Contents {
            first_sequence: self.next_sequence,
            first_tick: self.last_tick,
            last_tick: self.last_tick,
            count,
            completions,
        };
        put(&mut self.batch.payload);
        let result = self.sink.take(&mut self.batch);
        self.batch.payload.clear();
        self.batch.contents = Contents::default();
        result
    }
}

fn check_length(event: &[u8], expected: Option<&[u8]>) -> Result<(), TraceError> {
    let bytes = event.len().saturating_add(expected.map_or(0, <[u8]>::len));
    if bytes > MAX_EVENT_BYTES { Err(TraceError::EventTooLarge { bytes }) } else { Ok(()) }
}
