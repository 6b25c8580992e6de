//! The trace container: a file of batches that holds everything that entered a kernel.
//!
//! This module owns the file format of design section 9, documented to the byte in
//! `traces/README.md`: header, batches with a CRC32C chain, digests, snapshots, footer. Recording
//! (`TraceWriter`, `BackgroundWriter`) and replay, import and dump (`TraceReader`) go through it.
//!
//! What is not here: what an event means. An event, its answer, the configuration and an image
//! are opaque bytes; the hash of the completions and the digests are numbers that the kernel's
//! own function made. `.gz` and `.zst` files are unpacked before they come here: a reader needs
//! only `Read`, and `Seek` for `seek`.
//!
//! ```
//! use tickernel::trace::{Header, Item, Record, TraceReader, TraceWriter};
//!
//! let mut writer = TraceWriter::new(Vec::new(), &Header::default(), b"first image")?;
//! writer.append(0, &Record::event(b"what came in"), 0)?;
//! let file = writer.finish(&[("tasks", 1)], 7)?.out;
//!
//! let mut reader = TraceReader::new(file.as_slice())?;
//! assert_eq!(reader.read_image(1 << 20)?, b"first image");
//! while let Some(item) = reader.next_item()? {
//!     if let Item::Event(event) = item {
//!         assert_eq!(event.record.event, b"what came in");
//!     }
//! }
//! assert!(reader.is_closed());
//! # Ok::<(), tickernel::trace::TraceError>(())
//! ```

mod background;
mod batch;
mod chunk;
mod digests;
mod error;
mod footer;
mod frames;
mod header;
mod item;
mod reader;
mod record;
mod scan;
mod seek;
pub(crate) mod varint;
mod writer;

pub use background::{Background, BackgroundWriter};
pub use batch::Batch;
pub use chunk::Chunk;
pub use digests::Digests;
pub use error::{Damage, DamageKind, TraceError};
pub use frames::{Finished, Frames};
pub use header::Header;
pub use item::{Event, Item};
pub use reader::TraceReader;
pub use record::Record;
pub use writer::{Builder, Sink, TraceWriter};

/// The first eight bytes of every trace. The byte above 0x7f and the line ends show a file that
/// went through something made for text.
pub const MAGIC: [u8; 8] = *b"\x89TKT\r\n\x1a\n";
/// The version of the file format that this module writes, and the newest that it reads.
/// Version 1 sums completions in another way (traces/README.md, "Hash").
pub const FORMAT_VERSION: u16 = 2;
/// Events in one batch, at most.
pub const MAX_BATCH_EVENTS: u32 = 4096;
/// Bytes of a batch before compression, at most, unless it holds one event only.
pub const MAX_BATCH_BYTES: usize = 1 << 20;
/// Bytes of any batch before compression, at most.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;
/// Bytes of an event and its expected answer together, at most: what a batch of 64 MiB holds
/// beside the longest possible head of a record.
pub const MAX_EVENT_BYTES: usize = MAX_PAYLOAD_BYTES - 64;
/// Bytes of the configuration, at most.
pub const MAX_CONFIGURATION_BYTES: usize = 1 << 20;
/// Digests in one list, at most.
pub const MAX_DIGESTS: usize = 4096;
/// Bytes of a digest's name, at most (and at least one).
pub const MAX_DIGEST_NAME_BYTES: usize = 255;
/// Events between two lists of digests, unless the header says otherwise.
pub const DEFAULT_DIGEST_CADENCE: u64 = 65_536;
