//! What can go wrong with a trace: errors of the caller or the disk, and damage in the file.
//!
//! The two are apart because damage is an expected end of reading: everything before it stands,
//! and the reader hands it out as its last item. An error means that the call did nothing.

use std::fmt;
use std::io;

/// A call on a trace that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The reader or writer underneath failed.
    #[error("the trace cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// There is not one byte.
    #[error("the file is empty; a trace begins with a header")]
    Empty,
    /// The first bytes are not those of a trace.
    #[error("not a trace: the file does not begin with \\x89TKT; was it made by something else?")]
    Foreign,
    /// The file's format is newer than this program.
    #[error(
        "the trace has format version {found}, this program reads up to {known}; use a newer one"
    )]
    NewerFormat {
        /// The version that the file names.
        found: u16,
        /// The newest version that is known here.
        known: u16,
    },
    /// The header is cut or damaged, so nothing after it can be understood.
    #[error("the trace's header is damaged ({why}); nothing of the file can be read")]
    HeaderDamaged {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The header carries flags that this program does not know.
    #[error("the trace's header has flags {0:#x} that this program does not know; use a newer one")]
    UnknownFlags(u32),
    /// An event with its expected answer is longer than [`super::MAX_EVENT_BYTES`].
    #[error(
        "an event of {bytes} bytes is too long for a trace (at most {})",
        super::MAX_EVENT_BYTES
    )]
    EventTooLarge {
        /// Bytes of the event and its expected answer.
        bytes: usize,
    },
    /// An event's tick is smaller than that of the event before.
    #[error("tick {tick} comes after tick {last}; ticks never go back")]
    TickWentBack {
        /// The event's tick.
        tick: u64,
        /// The tick of the event before.
        last: u64,
    },
    /// A record's flags need more than their four bits.
    #[error("record flags {0:#x} do not fit into four bits")]
    RecordFlags(u8),
    /// An answer was given with no event open for it, or for the second time.
    #[error("no event is waiting for its answer")]
    NoOpenEvent,
    /// The trace would hold more than 2^64 events.
    #[error("the sequence numbers are used up")]
    SequenceExhausted,
    /// A list of digests that the format cannot hold.
    #[error(
        "{count} digests, or a name among them, do not fit (at most {} of 1 to {} bytes)",
        super::MAX_DIGESTS,
        super::MAX_DIGEST_NAME_BYTES
    )]
    Digests {
        /// How many were given.
        count: usize,
    },
    /// A configuration longer than [`super::MAX_CONFIGURATION_BYTES`].
    #[error(
        "a configuration of {bytes} bytes is too long (at most {})",
        super::MAX_CONFIGURATION_BYTES
    )]
    ConfigurationTooLarge {
        /// Bytes of the configuration.
        bytes: usize,
    },
    /// The first image is larger than the caller allows.
    #[error("the first image has {bytes} bytes, more than the {limit} that are allowed")]
    ImageTooLarge {
        /// Bytes of the image.
        bytes: u64,
        /// What the caller allows.
        limit: u64,
    },
    /// The file is damaged before its first image ends.
    #[error("the trace's first image is not whole: {0}")]
    ImageDamaged(Damage),
    /// `read_image` was called after the image had been passed.
    #[error("the first image stands at the trace's beginning and has been passed already")]
    ImagePassed,
    /// The trace (or what of it can be read) does not reach the sequence number.
    #[error("there is no event {wanted}: the trace can be read up to sequence number {next}")]
    NoSuchSequence {
        /// The sequence number that was asked for.
        wanted: u64,
        /// The first sequence number that is not there.
        next: u64,
    },
}

/// The place where a trace stops making sense. Nothing after it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Offset in bytes of the batch that cannot be read.
    pub offset: u64,
    /// Sequence number of the first event that is lost, if any event is.
    pub sequence: u64,
    /// What is wrong there.
    pub why: DamageKind,
    /// Bytes from `offset` to the file's end.
    pub unread_bytes: u64,
    /// False if there are more than `unread_bytes` (the count stops at 1 GiB).
    pub unread_exact: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.unread_exact { "" } else { "at least " };
        write!(
            f,
            "at byte {}, before event {}: {}; {at_least}{} bytes are not read",
            self.offset, self.sequence, self.why, self.unread_bytes
        )
    }
}

/// What is wrong with a damaged batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// The file ends inside the batch.
    #[error("the file ends inside a batch")]
    Torn,
    /// The lengths in the batch's head are beyond the format's limits.
    #[error("a batch claims a length beyond the limits")]
    Length,
    /// The CRC32C is not that of the bytes.
    #[error("a batch's CRC does not match its bytes")]
    Crc,
    /// The batch does not follow the one before it in the file.
    #[error("a batch does not follow the one before it (the CRC chain is broken)")]
    Chain,
    /// The payload's encoding is not known.
    #[error("a batch has an unknown payload encoding {0}")]
    Encoding(u8),
    /// The payload is no zstd frame of the length that the head names.
    #[error("a batch cannot be decompressed to its length")]
    Decompress,
    /// Sequence numbers, ticks or counts in the head contradict what came before.
    #[error("a batch's head contradicts what came before it: {0}")]
    Head(&'static str),
    /// The payload does not hold what its kind prescribes.
    #[error("a batch's contents are malformed: {0}")]
    Payload(&'static str),
    /// The bytes behind the footer are not the trailer that belongs to it.
    #[error("the trailer behind the footer is damaged")]
    Trailer,
}

/// A failure of the writer underneath, kept so that every later call reports it again.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    kind: io::ErrorKind,
    text: String,
}

impl Failure {
    /// Keeps what `error` says.
    pub(super) fn new(error: &io::Error) -> Self {
        Failure { kind: error.kind(), text: error.to_string() }
    }

    /// The error once more.
    pub(super) fn report(&self) -> TraceError {
        TraceError::Io(io::Error::new(self.kind, self.text.clone()))
    }
}
