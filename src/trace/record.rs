//! An event record within a batch: a head byte, then opaque bytes.
//!
//! Written through `writer.rs`, read through `reader.rs`; the layout stands in
//! `traces/README.md`, "Events". A record costs two bytes beside its event as long as ticks count
//! by one and there is neither an answer nor a pair of lines.

use std::ops::Range;
use tickernel_systems::wire::Short;

use super::varint::{Cursor, put_bytes, put_varint, zigzag_apply, zigzag_step};

const HAS_EXPECTED: u8 = 1;
const HAS_LINES: u8 = 2;
const HAS_TICK_STEP: u8 = 4;
const RESERVED: u8 = 8;
const FLAGS_SHIFT: u32 = 4;
/// From here on the length of an event has more than one byte.
pub(super) const LONG_EVENT_BYTES: usize = 0x80;
/// The largest value of [`Record::flags`].
pub(super) const MAX_FLAGS: u8 = 15;

/// An event as it is recorded. The container does not look into the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record<'a> {
    /// The event in the kernel's encoding.
    pub event: &'a [u8],
    /// The answer that is expected: what Linux answered (imported), or the kernel's completions.
    pub expected: Option<&'a [u8]>,
    /// The line of the recording where the call was entered, and the one where it returned.
    pub lines: Option<(u64, u64)>,
    /// Four bits (0 to 15) for whoever records; the container keeps them.
    pub flags: u8,
}

impl<'a> Record<'a> {
    /// A record of an event and nothing else.
    pub fn event(event: &'a [u8]) -> Self {
        Record { event, ..Record::default() }
    }
}

/// What a record's encoding depends on: the record before it in the same batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Previous {
    /// Tick of the record before; `None` at the beginning of a batch.
    pub(super) tick: Option<u64>,
    /// Entry line of the last record of the batch that had lines, or 0.
    pub(super) entry_line: u64,
}

/// Appends the record of an event and nothing else at the tick after the one before it: all before
/// the event's tail is one store. `length` is that of the event, below [`LONG_EVENT_BYTES`].
#[inline(always)]
pub(super) fn put_short_next(out: &mut Vec<u8>, event: &Short<'_>, length: usize) {
    // The head is 0, the length has one byte.
    let bytes = u128::from(event.word()) << 16 | u128::from(length as u8) << 8;
    let end = out.len() + 2 + event.word_bytes() as usize;
    out.extend_from_slice(&bytes.to_le_bytes());
    out.truncate(end);
    if !event.tail().is_empty() {
        out.extend_from_slice(event.tail());
    }
}

impl Previous {
    /// Appends `record` at `tick`, which is not smaller than the tick before it.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, tick: u64, record: &Record<'_>) {
        let step = self.tick.map_or(1, |before| tick.wrapping_sub(before));
        let mut head = record.flags << FLAGS_SHIFT;
        head |= if record.expected.is_some() { HAS_EXPECTED } else { 0 };
        head |= if record.lines.is_some() { HAS_LINES } else { 0 };
        head |= if step == 1 { 0 } else { HAS_TICK_STEP };
        out.push(head);
        if step != 1 {
            put_varint(out, step);
        }
        if let Some((entry, exit)) = record.lines {
            put_varint(out, zigzag_step(self.entry_line, entry));
            put_varint(out, zigzag_step(entry, exit));
            self.entry_line = entry;
        }
        put_bytes(out, record.event);
        if let Some(expected) = record.expected {
            put_bytes(out, expected);
        }
        self.tick = Some(tick);
    }

    /// Appends a record that is an event and nothing else, which writes itself in its place; gives
    /// its length in bytes.
    #[inline]
    pub(super) fn put_event(
        &mut self,
        out: &mut Vec<u8>,
        tick: u64,
        event: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let step = self.tick.map_or(1, |before| tick.wrapping_sub(before));
        if step == 1 {
            out.push(0);
        } else {
            out.push(HAS_TICK_STEP);
            put_varint(out, step);
        }
        // Most events are shorter than what one byte of length can say.
        let length_at = out.len();
        out.push(0);
        event(out);
        let length = out.len() - length_at - 1;
        match u8::try_from(length) {
            Ok(short @ 0..0x80) => out[length_at] = short,
            Ok(_) | Err(_) => {
                let mut prefix = Vec::new();
                put_varint(&mut prefix, length as u64);
                out.splice(length_at..=length_at, prefix);
            }
        }
        self.tick = Some(tick);
        length
    }

    /// Takes the next record of a batch whose first event has tick `first_tick`; `None` if there
    /// is none in a valid form.
    pub(super) fn take(&mut self, cursor: &mut Cursor<'_>, first_tick: u64) -> Option<Placed> {
        let head = cursor.u8()?;
        if head & RESERVED != 0 {
            return None;
        }
        let step = if head & HAS_TICK_STEP != 0 { cursor.varint()? } else { 1 };
        let tick = match self.tick {
            None if step == 1 => first_tick,
            None => return None,
            Some(before) => before.checked_add(step)?,
        };
        let mut lines = None;
        if head & HAS_LINES != 0 {
            let entry = zigzag_apply(self.entry_line, cursor.varint()?);
            lines = Some((entry, zigzag_apply(entry, cursor.varint()?)));
            self.entry_line = entry;
        }
        let event_bytes = cursor.varint()?;
        let event = cursor.range(event_bytes)?;
        let mut expected = None;
        if head & HAS_EXPECTED != 0 {
            let expected_bytes = cursor.varint()?;
            expected = Some(cursor.range(expected_bytes)?);
        }
        self.tick = Some(tick);
        Some(Placed { tick, flags: head >> FLAGS_SHIFT, lines, event, expected })
    }
}

/// A record whose bytes are named by their place in the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) tick: u64,
    pub(super) flags: u8,
    pub(super) lines: Option<(u64, u64)>,
    pub(super) event: Range<usize>,
    pub(super) expected: Option<Range<usize>>,
}

impl Placed {
    /// The record with its bytes, which lie in `payload`.
    pub(super) fn record<'a>(&self, payload: &'a [u8]) -> Record<'a> {
        let bytes = |range: &Range<usize>| payload.get(range.clone()).unwrap_or_default();
        Record {
            event: bytes(&self.event),
            expected: self.expected.as_ref().map(bytes),
            lines: self.lines,
            flags: self.flags,
        }
    }
}
