//! Large byte strings in pieces: the first image and snapshots.
//!
//! Both may be larger than a batch, so `writer.rs` cuts them and `reader.rs` hands out the
//! pieces, in order, with the whole length in each. Layout: `traces/README.md`, "Image and
//! snapshot".

use std::ops::Range;

use super::MAX_BATCH_BYTES;
use super::varint::{Cursor, put_varint};

/// Bytes of a piece: what fits into a batch beside two numbers of at most ten bytes.
pub(super) const CHUNK_BYTES: usize = MAX_BATCH_BYTES - 20;

/// A piece of a longer byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Bytes of the whole.
    pub total_bytes: u64,
    /// Where this piece begins in it.
    pub offset: u64,
    /// The piece.
    pub bytes: &'a [u8],
}

impl Chunk<'_> {
    /// Whether the whole ends with this piece.
    pub fn is_last(&self) -> bool {
        self.offset.saturating_add(self.bytes.len() as u64) >= self.total_bytes
    }

    /// Appends the piece.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.total_bytes);
        put_varint(out, self.offset);
        out.extend_from_slice(self.bytes);
    }
}

/// Cuts `whole` into pieces; nothing if it is empty.
pub(super) fn chunks(whole: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    whole.chunks(CHUNK_BYTES).enumerate().map(|(number, bytes)| Chunk {
        total_bytes: whole.len() as u64,
        offset: number as u64 * CHUNK_BYTES as u64,
        bytes,
    })
}

/// How far a byte string that comes in pieces has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Assembly {
    pub(super) total_bytes: u64,
    pub(super) done_bytes: u64,
}

impl Assembly {
    /// Whether pieces are missing.
    pub(super) fn is_open(&self) -> bool {
        self.done_bytes < self.total_bytes
    }

    /// Takes the piece in `payload`, which must be the next one: its offset and the place of its
    /// bytes. `None` if it is not.
    pub(super) fn take(&mut self, payload: &[u8]) -> Option<(u64, Range<usize>)> {
        let mut cursor = Cursor::new(payload, 0);
        let total_bytes = cursor.varint()?;
        let offset = cursor.varint()?;
        let range = cursor.position()..payload.len();
        let done_bytes = offset.checked_add(range.len() as u64)?;
        let follows = total_bytes == self.total_bytes && offset == self.done_bytes;
        if !follows || range.is_empty() || done_bytes > total_bytes {
            return None;
        }
        self.done_bytes = done_bytes;
        Some((offset, range))
    }

    /// The length of the whole that the first piece in `payload` names.
    pub(super) fn begin(payload: &[u8]) -> Option<Assembly> {
        let total_bytes = Cursor::new(payload, 0).varint()?;
        Some(Assembly { total_bytes, done_bytes: 0 })
    }
}
