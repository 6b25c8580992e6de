//! A batch: the unit that is compressed, checked, chained and skipped.
//!
//! This file owns the fixed head in front of every payload and the numbers of the kinds; the
//! layout stands in `traces/README.md`, "Batch". What a payload holds is in `record.rs`,
//! `chunk.rs`, `digests.rs` and `footer.rs`; the bytes are written by `frames.rs` and read by
//! `scan.rs`.

use super::varint::Cursor;

/// Bytes of the head in front of a payload.
pub(super) const HEAD_BYTES: usize = 52;
/// The payload stands as it is.
pub(super) const ENCODING_PLAIN: u8 = 1;
/// The payload is one zstd frame.
pub(super) const ENCODING_ZSTD: u8 = 2;

/// What a batch holds. Other numbers are skipped by readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// Event records.
    #[default]
    Events = 1,
    /// One list of digests.
    Digests = 2,
    /// A piece of a snapshot.
    Snapshot = 3,
    /// A piece of the first image.
    Image = 4,
    /// The index of the file, its last batch.
    Footer = 5,
}

impl Kind {
    /// The kind with this number, if it is known here.
    pub(super) fn from_number(number: u8) -> Option<Kind> {
        [Kind::Events, Kind::Digests, Kind::Snapshot, Kind::Image, Kind::Footer]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// What the head says about the contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Contents {
    /// Sequence number of the first event here, or of the next one after this place.
    pub(super) first_sequence: u64,
    /// Tick of the first event, or of the last one before this place.
    pub(super) first_tick: u64,
    /// Tick of the last event, or of the last one before this place.
    pub(super) last_tick: u64,
    /// Records in the payload.
    pub(super) count: u32,
    /// Rolling hash of all completions up to the end of this batch.
    pub(super) completions: u64,
}

/// A batch that is full and goes to a [`super::Sink`]: its kind, its place and its payload.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) kind: Kind,
    pub(super) contents: Contents,
    pub(super) payload: Vec<u8>,
}

/// The head of a batch as it stands in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) encoding: u8,
    pub(super) kind_number: u8,
    pub(super) stored_bytes: u32,
    pub(super) raw_bytes: u32,
    pub(super) chain: u32,
    pub(super) contents: Contents,
}

impl Head {
    /// Appends the head.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.encoding, self.kind_number, 0, 0]);
        for field in [self.stored_bytes, self.raw_bytes, self.chain] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let contents = &self.contents;
        for field in [contents.first_sequence, contents.first_tick, contents.last_tick] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&contents.count.to_le_bytes());
        out.extend_from_slice(&contents.completions.to_le_bytes());
    }

    /// Decodes a head; `None` if there are fewer bytes than it has.
    pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
        let mut cursor = Cursor::new(bytes, 0);
        let encoding = cursor.u8()?;
        let kind_number = cursor.u8()?;
        cursor.u16()?;
        Some(Head {
            encoding,
            kind_number,
            stored_bytes: cursor.u32()?,
            raw_bytes: cursor.u32()?,
            chain: cursor.u32()?,
            contents: Contents {
                first_sequence: cursor.u64()?,
                first_tick: cursor.u64()?,
                last_tick: cursor.u64()?,
                count: cursor.u32()?,
                completions: cursor.u64()?,
            },
        })
    }
}
