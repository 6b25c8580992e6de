//! Bytes to batches: reads one batch after the other and checks each before it is believed.
//!
//! The lower half of the reader. Lengths are checked against the format's limits before anything
//! is allocated, buffers grow only by bytes that really come, and decompression ends at the
//! length that the head names.

use std::io::{self, Read};

use super::batch::{ENCODING_PLAIN, ENCODING_ZSTD, HEAD_BYTES, Head, Kind};
use super::error::DamageKind;
use super::{MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_PAYLOAD_BYTES};

const CRC_BYTES: usize = 4;

/// Reads into `out` until it has `total_bytes` bytes or the input ends.
pub(super) fn read_up_to(
    input: &mut impl Read,
    out: &mut Vec<u8>,
    total_bytes: usize,
) -> io::Result<()> {
    let missing_bytes = total_bytes.saturating_sub(out.len());
    input.take(missing_bytes as u64).read_to_end(out)?;
    Ok(())
}

/// What stands at a place of the file.
pub(super) enum Found {
    /// A batch whose payload has been unpacked.
    Batch(Kind, Head),
    /// A whole batch of a kind that is not known here.
    Unknown,
    /// The file's end.
    End,
    /// Something that cannot be read.
    Damaged(DamageKind),
}

/// Reads batches from `R` one after the other.
pub(super) struct Scanner<R> {
    pub(super) input: R,
    /// Offset of the next batch.
    pub(super) offset: u64,
    /// CRC of the batch before; `None` after a jump, where it is not known.
    pub(super) chain: Option<u32>,
    /// Payload of the batch read last.
    pub(super) payload: Vec<u8>,
    /// Bytes of the batch at `offset` that have been taken from the input already.
    pub(super) consumed_bytes: u64,
    stored: Vec<u8>,
    decompressor: zstd::bulk::Decompressor<'static>,
}

impl<R: Read> Scanner<R> {
    /// Begins behind a header of `offset` bytes whose CRC is `chain`.
    pub(super) fn new(input: R, offset: u64, chain: u32) -> io::Result<Self> {
        Ok(Scanner {
            input,
            offset,
            chain: Some(chain),
            payload: Vec::new(),
            consumed_bytes: 0,
            stored: Vec::new(),
            decompressor: zstd::bulk::Decompressor::new()?,
        })
    }

    /// Reads the next batch; its payload is in `self.payload`.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        self.consumed_bytes = 0;
        let head = match self.read_head()? {
            Ok(head) => head,
            Err(found) => return Ok(found),
        };
        if let Err(why) = self.read_stored(&head)? {
            return Ok(Found::Damaged(why));
        }
        let Some(kind) = Kind::from_number(head.kind_number) else {
            return Ok(Found::Unknown);
        };
        if let Err(why) = self.unpack(&head) {
            return Ok(Found::Damaged(why));
        }
        if kind == Kind::Events {
            let count = head.contents.count;
            let is_too_large =
                count > MAX_BATCH_EVENTS || (count > 1 && self.payload.len() > MAX_BATCH_BYTES);
            if is_too_large {
                return Ok(Found::Damaged(DamageKind::Length));
            }
        }
        Ok(Found::Batch(kind, head))
    }

    /// Reads a batch's head, or says why there is none.
    fn read_head(&mut self) -> io::Result<Result<Head, Found>> {
        self.stored.clear();
        self.stored.shrink_to(2 * MAX_BATCH_BYTES);
        let result = read_up_to(&mut self.input, &mut self.stored, HEAD_BYTES);
        self.consumed_bytes = self.stored.len() as u64;
        result?;
        if self.stored.is_empty() {
            return Ok(Err(Found::End));
        }
        let Some(head) = Head::decode(&self.stored) else {
            return Ok(Err(Found::Damaged(DamageKind::Torn)));
        };
        let most_bytes = MAX_PAYLOAD_BYTES as u32;
        if head.stored_bytes > most_bytes || head.raw_bytes > most_bytes {
            return Ok(Err(Found::Damaged(DamageKind::Length)));
        }
        Ok(Ok(head))
    }

    /// Reads the rest of the batch behind its head, and checks CRC and chain.
    fn read_stored(&mut self, head: &Head) -> io::Result<Result<(), DamageKind>> {
        let covered_bytes = HEAD_BYTES + head.stored_bytes as usize;
        let total_bytes = covered_bytes + CRC_BYTES;
        let result = read_up_to(&mut self.input, &mut self.stored, total_bytes);
        self.consumed_bytes = self.stored.len() as u64;
        result?;
        if self.stored.len() < total_bytes {
            return Ok(Err(DamageKind::Torn));
        }
        let Some((covered, crc_bytes)) = self.stored.split_last_chunk::<CRC_BYTES>() else {
            return Ok(Err(DamageKind::Torn));
        };
        let crc = u32::from_le_bytes(*crc_bytes);
        if crc32c::crc32c(covered) != crc {
            return Ok(Err(DamageKind::Crc));
        }
        if self.chain.is_some_and(|chain| chain != head.chain) {
            return Ok(Err(DamageKind::Chain));
        }
        self.chain = Some(crc);
        Ok(Ok(()))
    }

    /// Unpacks the payload that has been read.
    fn unpack(&mut self, head: &Head) -> Result<(), DamageKind> {
        let raw_bytes = head.raw_bytes as usize;
        let end = HEAD_BYTES + head.stored_bytes as usize;
        let stored = self.stored.get(HEAD_BYTES..end).unwrap_or_default();
        self.payload.clear();
        self.payload.shrink_to(2 * MAX_BATCH_BYTES);
        match head.encoding {
            ENCODING_PLAIN => self.payload.extend_from_slice(stored),
            ENCODING_ZSTD => {
                self.payload.reserve_exact(raw_bytes);
                self.decompressor
                    .decompress_to_buffer(stored, &mut self.payload)
                    .map_err(|_| DamageKind::Decompress)?;
            }
            other => return Err(DamageKind::Encoding(other)),
        }
        if self.payload.len() == raw_bytes { Ok(()) } else { Err(DamageKind::Decompress) }
    }

    /// Goes on behind the batch read last.
    pub(super) fn accept(&mut self) {
        self.offset += self.consumed_bytes;
        self.consumed_bytes = 0;
    }

    /// Reads what should be a trailer of `bytes` bytes and one byte more that should not be there.
    pub(super) fn read_trailer(&mut self, bytes: usize) -> io::Result<&[u8]> {
        self.stored.clear();
        let result = read_up_to(&mut self.input, &mut self.stored, bytes + 1);
        self.consumed_bytes = self.stored.len() as u64;
        result?;
        Ok(&self.stored)
    }

    /// Counts the input's bytes from `offset` to its end, up to `limit`: the count, and whether
    /// it is the whole.
    pub(super) fn count_rest(&mut self, limit: u64) -> (u64, bool) {
        let rest = io::copy(&mut self.input.by_ref().take(limit), &mut io::sink());
        let exact = matches!(rest, Ok(bytes) if bytes < limit);
        (self.consumed_bytes + rest.unwrap_or(0), exact)
    }
}
