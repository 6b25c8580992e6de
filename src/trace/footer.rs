//! The footer: where in the file each sequence number and tick lies, and the last digests.
//!
//! `frames.rs` collects the index while it writes and puts it behind the last batch; `reader.rs`
//! uses it to seek. The footer says nothing that a scan does not find: a file without one, or
//! with a damaged one, is scanned. Layout: `traces/README.md`, "Footer" and "Trailer".

use super::batch::Kind;
use super::digests::Digests;
use super::varint::{Cursor, put_varint};

/// Bytes of the trailer behind the footer.
pub(super) const TRAILER_BYTES: usize = 20;
const TRAILER_MAGIC: [u8; 8] = *b"TKT end\n";
/// Entries of one kind in an index. Beyond it every second one is dropped, and from then on only
/// every second batch gets one, and so on: memory stays bounded and seeking scans a little.
const MAX_ENTRIES: usize = 1 << 18;

/// Where a batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) offset: u64,
    pub(super) first_sequence: u64,
    pub(super) first_tick: u64,
}

/// Entries of one kind, at most `limit` of them, evenly spread.
#[derive(Debug)]
struct Thinned {
    entries: Vec<Entry>,
    limit: usize,
    stride: u64,
    seen: u64,
}

impl Thinned {
    fn new(limit: usize) -> Self {
        Thinned { entries: Vec::new(), limit, stride: 1, seen: 0 }
    }

    fn push(&mut self, entry: Entry) {
        if self.seen.is_multiple_of(self.stride) {
            if self.entries.len() >= self.limit {
                let mut number = 0u64;
                self.entries.retain(|_| {
                    number += 1;
                    number % 2 == 1
                });
                self.stride *= 2;
            }
            if self.seen.is_multiple_of(self.stride) {
                self.entries.push(entry);
            }
        }
        self.seen += 1;
    }
}

/// The index as it grows with the file.
#[derive(Debug)]
pub(super) struct Index {
    events: Thinned,
    snapshots: Thinned,
}

impl Default for Index {
    fn default() -> Self {
        Index { events: Thinned::new(MAX_ENTRIES), snapshots: Thinned::new(MAX_ENTRIES) }
    }
}

impl Index {
    /// Notes a batch of events, or the first batch of a snapshot.
    pub(super) fn push(&mut self, entry: Entry) {
        match entry.kind {
            Kind::Events => self.events.push(entry),
            Kind::Snapshot => self.snapshots.push(entry),
            Kind::Digests | Kind::Image | Kind::Footer => {}
        }
    }

    /// Appends the index to a footer's payload and answers how many entries it has.
    pub(super) fn put(&self, out: &mut Vec<u8>) -> u32 {
        let mut entries: Vec<&Entry> =
            self.events.entries.iter().chain(&self.snapshots.entries).collect();
        entries.sort_unstable_by_key(|entry| entry.offset);
        put_varint(out, entries.len() as u64);
        let (mut offset, mut sequence, mut tick) = (0, 0, 0);
        for entry in &entries {
            out.push(entry.kind as u8);
            put_varint(out, entry.offset - offset);
            put_varint(out, entry.first_sequence - sequence);
            put_varint(out, entry.first_tick - tick);
            (offset, sequence, tick) = (entry.offset, entry.first_sequence, entry.first_tick);
        }
        entries.len() as u32
    }
}

/// What the writer knows when it finishes: the part of the footer before the index.
pub(super) fn put_summary(out: &mut Vec<u8>, next_sequence: u64, last_tick: u64, last: &Digests) {
    put_varint(out, next_sequence);
    put_varint(out, last_tick);
    last.put(out);
}

/// A footer as it stood in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) next_sequence: u64,
    pub(super) last_tick: u64,
    pub(super) last_digests: Digests,
    pub(super) entries: Vec<Entry>,
}

impl Footer {
    /// Decodes a footer's payload; `None` if it is not valid.
    pub(super) fn decode(payload: &[u8]) -> Option<Footer> {
        let mut cursor = Cursor::new(payload, 0);
        let next_sequence = cursor.varint()?;
        let last_tick = cursor.varint()?;
        let last_digests = Digests::take(&mut cursor)?;
        let count = usize::try_from(cursor.varint()?).ok().filter(|n| *n <= 2 * MAX_ENTRIES)?;
        let mut entries = Vec::new();
        let (mut offset, mut first_sequence, mut first_tick) = (0u64, 0u64, 0u64);
        for _ in 0..count {
            let kind = Kind::from_number(cursor.u8()?)?;
            offset = offset.checked_add(cursor.varint()?)?;
            first_sequence = first_sequence.checked_add(cursor.varint()?)?;
            first_tick = first_tick.checked_add(cursor.varint()?)?;
            entries.push(Entry { kind, offset, first_sequence, first_tick });
        }
        let footer = Footer { next_sequence, last_tick, last_digests, entries };
        cursor.is_empty().then_some(footer)
    }

    /// The last batch of `kind` that begins at or before `sequence`.
    pub(super) fn find(&self, kind: Kind, sequence: u64) -> Option<Entry> {
        let end = self.entries.partition_point(|entry| entry.first_sequence <= sequence);
        self.entries.iter().take(end).rev().find(|entry| entry.kind == kind).copied()
    }
}

/// The trailer: where the footer is, and which one.
pub(super) fn trailer(footer_offset: u64, footer_crc: u32) -> [u8; TRAILER_BYTES] {
    let mut out = [0; TRAILER_BYTES];
    let (offset, rest) = out.split_at_mut(8);
    let (crc, magic) = rest.split_at_mut(4);
    offset.copy_from_slice(&footer_offset.to_le_bytes());
    crc.copy_from_slice(&footer_crc.to_le_bytes());
    magic.copy_from_slice(&TRAILER_MAGIC);
    out
}

/// The footer's offset that a trailer names; `None` if it is no trailer.
pub(super) fn footer_offset(trailer: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(trailer, 0);
    let offset = cursor.u64()?;
    cursor.u32()?;
    (cursor.take(8)? == TRAILER_MAGIC && cursor.is_empty()).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_index_keeps_its_first_entry_and_even_steps() {
        let mut thinned = Thinned::new(4);
        for number in 0..100 {
            thinned.push(Entry {
                kind: Kind::Events,
                offset: number,
                first_sequence: number,
                first_tick: number,
            });
            assert!(thinned.entries.len() <= 4);
            let offsets: Vec<u64> = thinned.entries.iter().map(|entry| entry.offset).collect();
            let even: Vec<u64> = (0..=number).step_by(thinned.stride as usize).collect();
            assert_eq!(offsets, even);
        }
    }
}
