//! Segments of pipes that are pages of files (splice(2), sendfile(2)): made, looked at before they
//! are read, let go of. Which page each is and what has become of it: `fs/lent.rs`.
//!
//! Not here: sockets. Streams of unix(7), tcp(7) and udp(7) hold such pages as well on Linux; here
//! what is sent to them is copied as it is then.

use crate::abi::flags::O_DIRECT;
use crate::components::pipe::SegmentKind;
use crate::components::{Segment, Target};
use crate::fs::{InodeId, Kind, PAGE_BYTES, Place};
use crate::kernel::Kernel;
use crate::rows::{DescriptionRow, PipeRow};
use alloc::borrow::Cow;
use alloc::vec::Vec;

impl Kernel {
    /// The regular file whose own pages go into a pipe: with O_DIRECT they are copies.
    pub(super) fn lender(&self, from: DescriptionRow, place: Place) -> Option<InodeId> {
        let inode = self.fs.inode(place)?;
        let lends = matches!(inode.kind, Kind::Regular(_)) && self.rows[from].flags & O_DIRECT == 0;
        if lends { self.fs.inode_id(place) } else { None }
    }

    /// Where in its page the first byte lies that goes into a pipe: pages of a file lie there as
    /// they are, and what is copied begins one of its own.
    pub(super) fn page_start(&self, from: DescriptionRow, place: Place, at: u64) -> u64 {
        if self.lender(from, place).is_some() { at % PAGE_BYTES } else { 0 }
    }

    /// A segment of bytes that lie in a page of a file from `within` on.
    pub(super) fn page_segment(
        &mut self,
        lender: Option<InodeId>,
        page: u64,
        within: u32,
        bytes: &[u8],
    ) -> Segment {
        let kind = SegmentKind::Page;
        match lender.and_then(|inode| self.fs.lend(inode, page)) {
            Some(id) => {
                let mut whole = alloc::vec![0; within as usize];
                whole.extend_from_slice(bytes);
                Segment { bytes: whole, read: within, kind, lent: Some(id) }
            }
            None => Segment { bytes: bytes.to_vec(), kind, ..Segment::default() },
        }
    }

    /// What a segment's bytes are now.
    pub(crate) fn segment_bytes<'s>(&self, segment: &'s Segment) -> Cow<'s, [u8]> {
        let Some(id) = segment.lent else { return Cow::Borrowed(&segment.bytes) };
        let mut bytes = self.fs.lent_bytes(id).to_vec();
        bytes.resize(segment.bytes.len(), 0);
        Cow::Owned(bytes)
    }

    /// Brings the first bytes of a pipe up to date before they are read; a segment that is read to
    /// its end then (`takes`) holds its page no longer.
    pub(super) fn fetch_lent(&mut self, pipe: PipeRow, count: u64, takes: bool) {
        if self.fs.lends_nothing() {
            return;
        }
        let (mut left, mut at) = (count, 0);
        while left > 0
            && let Some(segment) = self.rows[pipe].segments.get(at)
        {
            let (here, is_packet) = (segment.left(), segment.kind == SegmentKind::Packet);
            if let Some(id) = segment.lent {
                let bytes = self.segment_bytes(segment).into_owned();
                let is_over = takes && here <= left;
                let segment = &mut self.rows[pipe].segments[at];
                segment.bytes = bytes;
                if is_over {
                    segment.lent = None;
                    self.fs.release_lent(id);
                }
            }
            if is_packet && takes {
                break;
            }
            left -= here.min(left);
            at += 1;
        }
    }

    /// The first bytes of a pipe, as the files have them that they are pages of.
    pub(super) fn bytes_in_front(&mut self, pipe: PipeRow, count: u64) -> Vec<u8> {
        self.fetch_lent(pipe, count, false);
        let mut out = Vec::with_capacity(count.min(self.rows[pipe].bytes) as usize);
        for segment in &self.rows[pipe].segments {
            let part = segment.left().min(count - out.len() as u64) as usize;
            let start = segment.read as usize;
            out.extend_from_slice(&segment.bytes[start..start + part]);
        }
        out
    }

    /// The first bytes of a pipe that are to be written to a place: of what lies in that file
    /// itself one page at a time, because a page may be changed by what is written before it.
    pub(super) fn front_bytes(
        &mut self,
        pipe: PipeRow,
        count: u64,
        (place, at): (Place, u64),
    ) -> Vec<u8> {
        let inode = self.fs.inode_id(place);
        let own = |kernel: &Self, segment: &Segment| {
            let offset = kernel.fs.lent_offset(segment.lent?, inode?)?;
            Some(offset + u64::from(segment.read))
        };
        self.fetch_lent(pipe, count, false);
        let mut out = Vec::with_capacity(count.min(self.rows[pipe].bytes) as usize);
        for segment in &self.rows[pipe].segments {
            let from = own(self, segment);
            let is_own = from.is_some();
            if is_own && !out.is_empty() || out.len() as u64 >= count {
                break;
            }
            let part = segment.left().min(count - out.len() as u64) as usize;
            let start = segment.read as usize;
            out.extend_from_slice(&segment.bytes[start..start + part]);
            if let Some(from) = from {
                self.copy_within(inode, (from, at), place, &mut out);
                break;
            }
        }
        out
    }

    /// Bytes that lie in a file from one offset on and are copied to another of the same file, byte
    /// after byte: where they run into each other, the first ones come again and again.
    pub(super) fn copy_within(
        &self,
        lender: Option<InodeId>,
        (from, to): (u64, u64),
        place: Place,
        data: &mut [u8],
    ) {
        let Some(inode) = lender.filter(|_| lender == self.fs.inode_id(place)) else { return };
        let Some(step) = to.checked_sub(from).filter(|step| *step > 0) else { return };
        for at in step..data.len() as u64 {
            if self.fs.has_page_to_lend(inode, (from + at) / PAGE_BYTES) {
                data[at as usize] = data[(at - step) as usize];
            }
        }
    }

    /// Takes so many bytes out of a pipe that are copied: to what is left of their page there may
    /// be added.
    pub(super) fn drop_front_bytes(&mut self, pipe: PipeRow, count: u64) {
        let mut left = count;
        while left > 0 {
            let Some(piece) = self.rows[pipe].piece(0, left) else { break };
            self.drop_from_pipe(pipe, piece.left(), SegmentKind::Bytes);
            left -= piece.left();
        }
    }

    /// Takes the first piece of that length out of a pipe.
    pub(super) fn drop_from_pipe(&mut self, pipe: PipeRow, len: u64, kind: SegmentKind) {
        let gone = self.rows[pipe].drop_piece(len, kind);
        self.counters.pipe_bytes -= len;
        let Some(gone) = gone else { return };
        self.counters.pipe_pages -= gone.pages();
        if let Some(id) = gone.lent {
            self.fs.release_lent(id);
        }
    }

    /// The segments of a pipe that goes hold their pages no longer.
    pub(super) fn release_segments(&mut self, pipe: PipeRow) {
        if self.fs.lends_nothing() {
            return;
        }
        let held: Vec<_> = self.rows[pipe].segments.iter().filter_map(|one| one.lent).collect();
        held.into_iter().for_each(|id| self.fs.release_lent(id));
    }

    /// A write with O_DIRECT goes past the pages that Linux has in memory: they leave the file.
    #[inline]
    pub(super) fn part_direct(&mut self, to: DescriptionRow, (offset, count): (u64, u64)) {
        if self.fs.lends_nothing() || self.rows[to].flags & O_DIRECT == 0 {
            return;
        }
        if let Target::File(place) = self.rows[to].target
            && let Some(inode) = self.fs.inode_id(place)
        {
            self.fs.part_written(inode, offset, count);
        }
    }
}
