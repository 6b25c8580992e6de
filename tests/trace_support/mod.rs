//! What the tests of the trace container share: items without borrows, and batches made by hand.
//!
//! The CRC and the batch head are written from `traces/README.md`, not with the library's code.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::io::Read;

use tickernel::trace::{Damage, Item, TraceReader};

/// An item of a trace with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owned {
    Image { total: u64, offset: u64, bytes: Vec<u8> },
    Event(OwnedEvent),
    Completions { next_sequence: u64, hash: u64 },
    Digests { next_sequence: u64, entries: Vec<(String, u64)> },
    Snapshot { next_sequence: u64, completions: u64, total: u64, offset: u64, bytes: Vec<u8> },
    Damage(Damage),
}

/// An event with its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OwnedEvent {
    pub(crate) sequence: u64,
    pub(crate) tick: u64,
    pub(crate) event: Vec<u8>,
    pub(crate) expected: Option<Vec<u8>>,
    pub(crate) lines: Option<(u64, u64)>,
    pub(crate) flags: u8,
}

fn own(item: Item<'_>) -> Owned {
    match item {
        Item::Image(chunk) => Owned::Image {
            total: chunk.total_bytes,
            offset: chunk.offset,
            bytes: chunk.bytes.to_vec(),
        },
        Item::Event(event) => Owned::Event(OwnedEvent {
            sequence: event.sequence,
            tick: event.tick,
            event: event.record.event.to_vec(),
            expected: event.record.expected.map(<[u8]>::to_vec),
            lines: event.record.lines,
            flags: event.record.flags,
        }),
        Item::Completions { next_sequence, hash } => Owned::Completions { next_sequence, hash },
        Item::Digests(digests) => {
            Owned::Digests { next_sequence: digests.next_sequence, entries: digests.entries }
        }
        Item::Snapshot { next_sequence, completions, chunk } => Owned::Snapshot {
            next_sequence,
            completions,
            total: chunk.total_bytes,
            offset: chunk.offset,
            bytes: chunk.bytes.to_vec(),
        },
        Item::Damage(damage) => Owned::Damage(damage),
    }
}

/// Everything that is left in a reader.
pub(crate) fn rest<R: Read>(reader: &mut TraceReader<R>) -> Vec<Owned> {
    let mut items = Vec::new();
    while let Some(item) = reader.next_item().expect("the input does not fail") {
        items.push(own(item));
    }
    assert!(reader.next_item().expect("the input does not fail").is_none());
    items
}

/// Everything in a file.
pub(crate) fn items(file: &[u8]) -> Vec<Owned> {
    rest(&mut TraceReader::new(file).expect("a whole header"))
}

/// The items before the damage, and the damage.
pub(crate) fn before_damage(mut items: Vec<Owned>) -> (Vec<Owned>, Option<Damage>) {
    match items.last() {
        Some(Owned::Damage(damage)) => {
            let damage = damage.clone();
            items.pop();
            (items, Some(damage))
        }
        _ => (items, None),
    }
}

/// CRC32C, a bit at a time.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 }
        })
    })
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// A batch made by hand; its CRC and chain come with [`join`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawBatch {
    pub(crate) encoding: u8,
    pub(crate) kind: u8,
    pub(crate) raw_bytes: u32,
    pub(crate) first_sequence: u64,
    pub(crate) first_tick: u64,
    pub(crate) last_tick: u64,
    pub(crate) count: u32,
    pub(crate) completions: u64,
    pub(crate) stored: Vec<u8>,
}

impl RawBatch {
    /// A batch that stores its payload as it is.
    pub(crate) fn plain(
        kind: u8,
        first_sequence: u64,
        tick: u64,
        count: u32,
        payload: &[u8],
    ) -> Self {
        RawBatch {
            encoding: 1,
            kind,
            raw_bytes: payload.len() as u32,
            first_sequence,
            first_tick: tick,
            last_tick: tick + u64::from(if kind == 1 { count.saturating_sub(1) } else { 0 }),
            count,
            completions: 0,
            stored: payload.to_vec(),
        }
    }

    fn bytes(&self, chain: u32) -> Vec<u8> {
        let mut out = vec![self.encoding, self.kind, 0, 0];
        out.extend((self.stored.len() as u32).to_le_bytes());
        out.extend(self.raw_bytes.to_le_bytes());
        out.extend(chain.to_le_bytes());
        for field in [self.first_sequence, self.first_tick, self.last_tick] {
            out.extend(field.to_le_bytes());
        }
        out.extend(self.count.to_le_bytes());
        out.extend(self.completions.to_le_bytes());
        out.extend(&self.stored);
        let crc = crc(&out);
        out.extend(crc.to_le_bytes());
        out
    }
}

/// The header of a whole file, its batches, and where each begins (the trailer is left out).
pub(crate) fn split(file: &[u8]) -> (Vec<u8>, Vec<(usize, RawBatch)>) {
    let mut at = u32_at(file, 12) as usize;
    let header = file[..at].to_vec();
    let mut batches = Vec::new();
    while at + 56 <= file.len() {
        let stored_bytes = u32_at(file, at + 4) as usize;
        let batch = RawBatch {
            encoding: file[at],
            kind: file[at + 1],
            raw_bytes: u32_at(file, at + 8),
            first_sequence: u64_at(file, at + 16),
            first_tick: u64_at(file, at + 24),
            last_tick: u64_at(file, at + 32),
            count: u32_at(file, at + 40),
            completions: u64_at(file, at + 44),
            stored: file[at + 52..at + 52 + stored_bytes].to_vec(),
        };
        batches.push((at, batch));
        at += 56 + stored_bytes;
    }
    (header, batches)
}

/// A file of these batches, with right CRCs and a right chain, without a trailer.
pub(crate) fn join(header: &[u8], batches: &[RawBatch]) -> Vec<u8> {
    let mut file = header.to_vec();
    let mut chain = u32_at(header, header.len() - 4);
    for batch in batches {
        let bytes = batch.bytes(chain);
        chain = u32_at(&bytes, bytes.len() - 4);
        file.extend(bytes);
    }
    file
}
