//! What a reader hands out: events and what stands between them.
//!
//! Made by `reader.rs`, used by replay, dump and import. The bytes are borrowed from the batch
//! that is in memory.

use super::chunk::Chunk;
use super::digests::Digests;
use super::error::Damage;
use super::record::Record;

/// An event as it stands in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its sequence number.
    pub sequence: u64,
    /// Its tick.
    pub tick: u64,
    /// What was recorded.
    pub record: Record<'a>,
}

/// What a trace holds, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// A piece of the first image; all of them come before any event.
    Image(Chunk<'a>),
    /// An event.
    Event(Event<'a>),
    /// The end of a batch of events.
    Completions {
        /// Sequence number of the event that comes next.
        next_sequence: u64,
        /// Rolling hash of all completions before that event.
        hash: u64,
    },
    /// Digests of the state before event `next_sequence`.
    Digests(Digests),
    /// A piece of a snapshot; the pieces of one follow each other.
    Snapshot {
        /// Sequence number of the event that comes next: the state is that before it.
        next_sequence: u64,
        /// Rolling hash of all completions before that event.
        completions: u64,
        /// The piece.
        chunk: Chunk<'a>,
    },
    /// The place where the file stops making sense; the last item.
    Damage(Damage),
}
