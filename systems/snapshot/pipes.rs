//! Pipes in a snapshot: their segments, and who has them open. A segment that is a page of a file
//! has its number; what that page is stands in a part of its own (`extras.rs`).

use crate::components::pipe::SegmentKind;
use crate::components::{Pipe, Segment};
use crate::memory;
use crate::rows::{Encode, Rows};
use crate::wire::{Bytes, Wire, WireError, WireReader, put_varint};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A segment of a pipe is a page of a file, whose number follows: beside how far it is read.
const HAS_LENT: u32 = 1 << 31;
/// Times of a pipe's inode were changed: beside its permission bits, which end at 12.
const HAS_TIMES: u32 = 0x1_0000;

impl Encode for Pipe {
    fn encode(&self, _rows: &Rows, out: &mut Vec<u8>) {
        put_varint(out, self.segments.len() as u64);
        for segment in &self.segments {
            segment.bytes.as_slice().put(out);
            let has_lent = if segment.lent.is_some() { HAS_LENT } else { 0 };
            (segment.read | has_lent, segment.kind).put(out);
            if let Some(id) = segment.lent {
                id.put(out);
            }
        }
        let mode = self.mode | if self.times.is_some() { HAS_TIMES } else { 0 };
        [self.slots, self.readers, self.writers, self.uid, self.gid, mode].put(out);
        [self.reader_opens, self.writer_opens, self.changed_ns].put(out);
        if let Some(times) = &self.times {
            times.put(out);
        }
        self.waiters.put(out);
    }
}

/// A pipe of an own id.
pub(super) fn get_pipe(id: u64, from: &mut WireReader<'_>) -> Result<Pipe, WireError> {
    let mut segments = VecDeque::new();
    let (mut bytes, mut used_slots) = (0, 0);
    for _ in 0..from.count()? {
        from.charge(memory::SLOT_BYTES)?;
        let content = Bytes::get(from)?.0;
        let error = from.error("a segment that is not read to its end");
        let (read, kind): (u32, SegmentKind) = Wire::get(from)?;
        let lent = if read & HAS_LENT != 0 { Some(Wire::get(from)?) } else { None };
        let read = read & !HAS_LENT;
        if u64::from(read) >= content.len() as u64 {
            return Err(error);
        }
        let segment = Segment { bytes: content, read, kind, lent };
        bytes += segment.left();
        used_slots += segment.slots();
        segments.push_back(segment);
    }
    let [slots, readers, writers, uid, gid, mode] = Wire::get(from)?;
    let [reader_opens, writer_opens, changed_ns] = Wire::get(from)?;
    Ok(Pipe {
        id,
        segments,
        bytes,
        used_slots,
        slots,
        readers,
        writers,
        reader_opens,
        writer_opens,
        times: if mode & HAS_TIMES != 0 { Some(Box::new(Wire::get(from)?)) } else { None },
        waiters: Wire::get(from)?,
        spare: Vec::new(),
        changed_ns,
        uid,
        gid,
        mode: mode & !HAS_TIMES,
    })
}
