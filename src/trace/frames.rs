//! Batches to bytes: compression, CRC, chain, index, footer and trailer.
//!
//! The lower half of both writers: `TraceWriter` calls it on the caller's thread,
//! `BackgroundWriter` on its own. One `write_all` a batch, so the output needs no buffer. After a
//! failed write nothing more is written: the file ends torn, and readable up to there.

use std::io::Write;

use super::batch::{Batch, Contents, ENCODING_PLAIN, ENCODING_ZSTD, HEAD_BYTES, Head, Kind};
use super::error::{Failure, TraceError};
use super::footer::{Entry, Index, trailer};
use super::header::Header;
use super::writer::Sink;
use super::{MAX_BATCH_BYTES, MAX_PAYLOAD_BYTES};

/// zstd's fastest regular level: recording must keep up with the kernel.
const ZSTD_LEVEL: i32 = 1;
/// A buffer that one large event has grown beyond this is given back.
const KEPT_BYTES: usize = 2 * MAX_BATCH_BYTES;

/// What is left when a trace has been written to its end.
#[derive(Debug)]
pub struct Finished<W> {
    /// The output, flushed.
    pub out: W,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Batches of the file, its footer among them.
    pub batches: u64,
    /// How often the caller had to wait for a full buffer (background writer only).
    pub waits: u64,
    /// How long it waited in all, in nanoseconds (background writer only).
    pub waited_ns: u64,
}

/// Writes batches to `W` one after the other.
pub struct Frames<W> {
    out: W,
    offset: u64,
    chain: u32,
    batches: u64,
    index: Index,
    in_snapshot: bool,
    compressor: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
    frame: Vec<u8>,
    failure: Option<Failure>,
}

impl<W: Write> Frames<W> {
    /// Writes the header to `out`.
    pub(super) fn new(mut out: W, header: &Header, image_bytes: u64) -> Result<Self, TraceError> {
        let (bytes, crc) = header.encode(image_bytes)?;
        out.write_all(&bytes)?;
        Ok(Frames {
            out,
            offset: bytes.len() as u64,
            chain: crc,
            batches: 0,
            index: Index::default(),
            in_snapshot: false,
            compressor: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            compressed: Vec::new(),
            frame: Vec::new(),
            failure: None,
        })
    }

    /// Puts the batch's bytes into `self.frame` and answers their CRC.
    fn encode(&mut self, batch: &Batch) -> Result<u32, TraceError> {
        let raw = &batch.payload;
        debug_assert!(raw.len() <= MAX_PAYLOAD_BYTES);
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.compressor.compress_to_buffer(raw, &mut self.compressed)?;
        let (encoding, stored) = if self.compressed.len() < raw.len() {
            (ENCODING_ZSTD, &self.compressed)
        } else {
            (ENCODING_PLAIN, raw)
        };
        let head = Head {
            encoding,
            kind_number: batch.kind as u8,
            stored_bytes: stored.len() as u32,
            raw_bytes: raw.len() as u32,
            chain: self.chain,
            contents: batch.contents,
        };
        self.frame.clear();
        self.frame.reserve(HEAD_BYTES + stored.len() + 4);
        head.put(&mut self.frame);
        self.frame.extend_from_slice(stored);
        let crc = crc32c::crc32c(&self.frame);
        self.frame.extend_from_slice(&crc.to_le_bytes());
        Ok(crc)
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), TraceError> {
        self.note(batch.kind, &batch.contents);
        if batch.kind == Kind::Footer {
            batch.contents.count = self.index.put(&mut batch.payload);
        }
        let crc = self.encode(batch)?;
        if batch.kind == Kind::Footer {
            self.frame.extend_from_slice(&trailer(self.offset, crc));
        }
        self.out.write_all(&self.frame)?;
        self.offset += self.frame.len() as u64;
        self.chain = crc;
        self.batches += 1;
        batch.payload.clear();
        for buffer in [&mut batch.payload, &mut self.frame, &mut self.compressed] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
        Ok(())
    }

    /// Notes in the index where a batch will lie.
    fn note(&mut self, kind: Kind, contents: &Contents) {
        let goes_on = self.in_snapshot && kind == Kind::Snapshot;
        self.in_snapshot = kind == Kind::Snapshot;
        if !goes_on {
            self.index.push(Entry {
                kind,
                offset: self.offset,
                first_sequence: contents.first_sequence,
                first_tick: contents.first_tick,
            });
        }
    }

    /// Remembers a failure, after which nothing more is written.
    fn guard<T>(&mut self, result: Result<T, TraceError>) -> Result<T, TraceError> {
        if let Err(TraceError::Io(error)) = &result {
            self.failure = Some(Failure::new(error));
        }
        result
    }
}

impl<W: Write> Sink for Frames<W> {
    type Output = Finished<W>;

    fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn check(&mut self) -> Result<(), TraceError> {
        self.failure.as_ref().map_or(Ok(()), |failure| Err(failure.report()))
    }

    fn take(&mut self, batch: &mut Batch) -> Result<(), TraceError> {
        self.check()?;
        let result = self.write(batch);
        self.guard(result)
    }

    fn flush(&mut self) -> Result<(), TraceError> {
        self.check()?;
        let result = self.out.flush().map_err(TraceError::Io);
        self.guard(result)
    }

    fn finish(mut self) -> Result<Finished<W>, TraceError> {
        self.flush()?;
        Ok(Finished {
            out: self.out,
            file_bytes: self.offset,
            batches: self.batches,
            waits: 0,
            waited_ns: 0,
        })
    }
}
