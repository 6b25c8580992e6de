//! A pipe or FIFO (pipe(7)): a queue of segments with the slot accounting of Linux as numbers.
//!
//! Linux keeps 16 page slots. A write fills the rest of the last page if its odd part fits there,
//! then takes a slot for each further page. Here a write of many pages is one segment: how many
//! slots it holds follows from its length and how far it is read.

use crate::abi::Timespec;
use crate::components::{TextDefault, WaitQueue};
use crate::fs::LentId;
use alloc::boxed::Box;
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
    /// The page of a file that it is, or the first bytes of: the file's bytes count, and these are
    /// as old as the last look (`fs/lent.rs`).
    pub lent: Option<LentId>,
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
    /// A buffer of several pages that splice(2) took out of a socket: one slot.
    Buffer,
}

crate::wire_enum!(SegmentKind { 0 Bytes, 1 Packet, 2 Page, 3 Buffer });

impl Segment {
    /// Bytes not read yet.
    pub fn left(&self) -> u64 {
        self.bytes.len() as u64 - u64::from(self.read)
    }

    /// Page slots that it holds.
    pub fn slots(&self) -> u32 {
        if self.kind == SegmentKind::Buffer {
            return u32::from(self.left() > 0);
        }
        let pages = (self.bytes.len() as u64).div_ceil(PAGE_BYTES);
        (pages - u64::from(self.read) / PAGE_BYTES) as u32
    }

    /// Pages that it takes until all of it is read.
    pub fn pages(&self) -> u64 {
        (self.bytes.len() as u64).div_ceil(PAGE_BYTES)
    }

    /// The same bytes, to which nothing is added.
    pub fn sealed(self) -> Self {
        match self.kind {
            SegmentKind::Bytes => Self { kind: SegmentKind::Page, ..self },
            SegmentKind::Packet | SegmentKind::Page | SegmentKind::Buffer => self,
        }
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
    /// When it was made, in ns of the kernel's clock: what fstat(2) says of its times until they
    /// are changed.
    pub changed_ns: u64,
    /// atime, mtime and ctime, once a call has changed one; reading and writing do not.
    pub times: Option<Box<[Timespec; 3]>>,
    /// Owner of the inode of an unnamed pipe.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Permission bits of the inode of an unnamed pipe.
    pub mode: u32,
}

impl Pipe {
    /// atime, mtime and ctime.
    pub fn times(&self) -> [Timespec; 3] {
        self.times.as_deref().copied().unwrap_or([Timespec::from_ns(self.changed_ns); 3])
    }

    /// Whether a writer finds a slot.
    pub const fn has_room(&self) -> bool {
        self.used_slots < self.slots
    }

    /// Slots beyond those of a new pipe.
    pub fn slots_beyond(&self) -> u64 {
        u64::from(self.slots.saturating_sub(PIPE_SLOTS))
    }

    /// Puts all bytes of a small write behind those of the last one, if they fit into its page and
    /// the memory that is there already.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let Some(last) = self.segments.back_mut() else { return false };
        let rest = last.bytes.capacity() - last.bytes.len();
        let length = bytes.len() as u64;
        if length >= PAGE_BYTES || length > last.room() || bytes.len() > rest {
            return false;
        }
        last.bytes.extend_from_slice(bytes);
        self.bytes += length;
        true
    }

    /// The buffer that was kept, if it is large enough, or a new one, with these bytes.
    #[inline]
    pub fn buffer_of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = core::mem::take(&mut self.spare);
        if buffer.capacity() < bytes.len() {
            return bytes.to_vec();
        }
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// A copy of what lies in one slot from `skip` bytes on, at most `count` bytes of it; a part of
    /// a page is nobody's to add to. `None` where nothing lies there.
    pub fn piece(&self, skip: u64, count: u64) -> Option<Segment> {
        let mut skip = skip;
        let segment = self.segments.iter().find(|segment| {
            let here = skip < segment.left();
            skip -= if here { 0 } else { segment.left() };
            here
        })?;
        let start = u64::from(segment.read) + skip;
        let length = segment.bytes.len() as u64;
        let (page, page_end) = match segment.kind {
            SegmentKind::Buffer => (0, length),
            SegmentKind::Bytes | SegmentKind::Packet | SegmentKind::Page => {
                let page = start / PAGE_BYTES * PAGE_BYTES;
                (page, (page + PAGE_BYTES).min(length))
            }
        };
        let end = page_end.min(start.saturating_add(count));
        let bytes = segment.bytes[page as usize..end as usize].to_vec();
        let is_whole = end == page_end || segment.kind == SegmentKind::Buffer;
        let kind = if is_whole { segment.kind } else { SegmentKind::Page };
        let read = (start - page) as u32;
        (end > start).then_some(Segment { bytes, read, kind, lent: segment.lent })
    }

    /// Takes the first piece of that length out; gives the segment if all of it is gone now. `kind`
    /// is the piece's: what is left of a page that was parted is nobody's to add to either.
    pub fn drop_piece(&mut self, len: u64, kind: SegmentKind) -> Option<Segment> {
        let first = self.segments.front_mut()?;
        let slots = first.slots();
        first.read += len as u32;
        self.bytes -= len;
        if first.left() == 0 {
            self.used_slots -= slots;
            return self.segments.pop_front();
        }
        self.used_slots -= slots - first.slots();
        if first.slots() == 1 && first.kind == SegmentKind::Bytes && kind == SegmentKind::Page {
            first.kind = SegmentKind::Page;
        }
        None
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
