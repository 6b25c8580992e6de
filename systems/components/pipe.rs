//! A pipe or FIFO (pipe(7)): a queue of segments with the slot accounting of Linux as numbers.
//!
//! Linux keeps 16 page slots. A write fills the rest of the last page if its odd part fits there,
//! then takes a slot for each further page. Here a write of many pages is one segment: how many
//! slots it holds follows from its length and how far it is read.

use crate::components::{TextDefault, WaitQueue};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes of a page, and `PIPE_BUF`.
pub const PAGE_BYTES: u64 = 4096;
/// Largest buffer that a pipe keeps for its next write.
const SPARE_BYTES: u64 = 512;
/// Slots of a new pipe: 65,536 bytes.
pub const PIPE_SLOTS: u32 = 16;

/// Bytes that one write left: `read` of them are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The bytes, those read already included.
    pub bytes: Vec<u8>,
    /// How many are read.
    pub read: u32,
    /// What it is made of.
    pub kind: SegmentKind,
}

/// What a segment is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SegmentKind {
    /// Bytes of write(2): later ones may fill up the last page.
    #[default]
    Bytes,
    /// A packet of O_DIRECT: nothing is added, a read takes at most one.
    Packet,
    /// A page, or a part of one, that sendfile(2) put here: nothing is added.
    Page,
}

crate::wire_enum!(SegmentKind { 0 Bytes, 1 Packet, 2 Page });

impl Segment {
    /// Bytes not read yet.
    pub fn left(&self) -> u64 {
        self.bytes.len() as u64 - u64::from(self.read)
    }

    /// Page slots that it holds.
    pub fn slots(&self) -> u32 {
        let pages = (self.bytes.len() as u64).div_ceil(PAGE_BYTES);
        (pages - u64::from(self.read) / PAGE_BYTES) as u32
    }

    /// Pages that it takes until all of it is read.
    pub fn pages(&self) -> u64 {
        (self.bytes.len() as u64).div_ceil(PAGE_BYTES)
    }

    /// Room in its last page.
    pub fn room(&self) -> u64 {
        if self.kind != SegmentKind::Bytes {
            return 0;
        }
        (self.bytes.len() as u64).next_multiple_of(PAGE_BYTES) - self.bytes.len() as u64
    }
}

/// A pipe. What reads and writes look at stands first, as it lies in memory.
#[derive(Debug)]
#[repr(C)]
pub struct Pipe {
    /// Segments, oldest first; none is empty.
    pub segments: VecDeque<Segment>,
    /// Bytes in it.
    pub bytes: u64,
    /// Slots taken.
    pub used_slots: u32,
    /// Slots in all.
    pub slots: u32,
    /// Open descriptions that can read.
    pub readers: u32,
    /// Open descriptions that can write.
    pub writers: u32,
    /// Calls that wait for it.
    pub waiters: WaitQueue,
    /// The buffer of the segment read last, kept for the next write.
    pub spare: Vec<u8>,
    /// How often it was opened for reading: what a blocked open for writing waits for (fifo(7)).
    pub reader_opens: u64,
    /// How often it was opened for writing.
    pub writer_opens: u64,
    /// Own id; also what its inode number is made of.
    pub id: u64,
    /// Change of times, for fstat(2), in ns.
    pub changed_ns: u64,
    /// Owner of the inode of an unnamed pipe.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Permission bits of the inode of an unnamed pipe.
    pub mode: u32,
}

impl Pipe {
    /// Whether a writer finds a slot.
    pub const fn has_room(&self) -> bool {
        self.used_slots < self.slots
    }

    /// Slots beyond those of a new pipe.
    pub fn slots_beyond(&self) -> u64 {
        u64::from(self.slots.saturating_sub(PIPE_SLOTS))
    }

    /// Keeps the buffer of a segment that is read, if it is a small one (memory that is kept is not
    /// counted).
    pub fn keep_spare(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() as u64 <= SPARE_BYTES {
            bytes.clear();
            self.spare = bytes;
        }
    }
}

impl TextDefault for Pipe {
    type Cold = ();
}
