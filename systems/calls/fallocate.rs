//! fallocate(2): room for a range, holes, zeros, ranges taken out and put in.
//!
//! Owns Linux's order of checks, and which modes a kind of file system has: ext4 all but unsharing
//! and written zeros (which need a disk that can), tmpfs room and holes. Room that is only kept is
//! a hole, as lseek(2) sees it, and counts as data does, also behind the end of the file until that
//! is set. Where it is not all there none is kept: ext4 keeps what there was, and ENOSPC with it.

use super::io::Thing;
use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::{Object, Target};
use crate::event::Answer;
use crate::fs::{PAGE_BYTES, Place, Shift, VolumeKind};
use crate::kernel::{CallResult, Kernel};
use crate::procview::caller;
use crate::rows::TaskRow;

/// A range of bytes.
#[derive(Clone, Copy)]
struct Range {
    offset: u64,
    len: u64,
}

impl Range {
    /// `EINVAL` unless it begins and ends with a page.
    fn check_pages(self) -> Result<(), Errno> {
        let whole = |bytes: u64| bytes.is_multiple_of(PAGE_BYTES);
        if whole(self.offset) && whole(self.len) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn end(self) -> u64 {
        self.offset + self.len
    }
}

/// The mode without its bit for the size; `EOPNOTSUPP` for what cannot go together.
fn check_mode(mode: u32) -> Result<u32, Errno> {
    let keeps = mode & FALLOC_FL_KEEP_SIZE != 0;
    let what = mode & !FALLOC_FL_KEEP_SIZE;
    let is_right = match what {
        0 | FALLOC_FL_ZERO_RANGE | FALLOC_FL_UNSHARE_RANGE => true,
        FALLOC_FL_PUNCH_HOLE => keeps,
        FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_WRITE_ZEROES => !keeps,
        _ => false,
    };
    if is_right { Ok(what) } else { Err(Errno::EOPNOTSUPP) }
}

impl Kernel {
    /// fallocate(2).
    pub(crate) fn fallocate(
        &mut self,
        task: TaskRow,
        fd: i32,
        mode: u32,
        offset: i64,
        len: i64,
    ) -> CallResult {
        let row = self.open_fd(task, fd)?;
        if offset < 0 || len <= 0 {
            return Err(Errno::EINVAL.into());
        }
        let what = check_mode(mode)?;
        if !self.rows[row].writable() {
            return Err(Errno::EBADF.into());
        }
        let place = match self.rows[row].target {
            Target::File(place) => place,
            Target::Object(Object::Pidfd(_)) => return Err(Errno::EOPNOTSUPP.into()),
            Target::Object(_) => return Err(Errno::ENODEV.into()),
            Target::Socket(_) => return Err(Errno::ENODEV.into()),
            Target::Pipe(..) => return Err(Errno::ESPIPE.into()),
        };
        match self.thing(place) {
            Thing::File => {}
            Thing::Directory => return Err(Errno::EISDIR.into()),
            Thing::Device(_) | Thing::Proc | Thing::Other => return Err(Errno::ENODEV.into()),
        }
        let end = offset.checked_add(len).ok_or(Errno::EFBIG)? as u64;
        if end > self.largest_offset(place) {
            return Err(Errno::EFBIG.into());
        }
        let range = Range { offset: offset as u64, len: len as u64 };
        let is_ext4 = self.fs.volume(place).kind == VolumeKind::Ext4;
        let done: CallResult = match what {
            FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_WRITE_ZEROES => Err(Errno::EOPNOTSUPP.into()),
            0 | FALLOC_FL_PUNCH_HOLE if !is_ext4 => {
                let done = self.provide_memory(task, place, range, mode)?;
                // tmpfs stamps it when it is done.
                let now = self.stamp();
                caller!(self, task => caller);
                self.fs.modified(&caller, place, now)?;
                Ok(done)
            }
            _ if !is_ext4 => Err(Errno::EOPNOTSUPP.into()),
            _ => {
                // ext4 stamps the file before it looks at anything.
                let now = self.stamp();
                caller!(self, task => caller);
                self.fs.modified(&caller, place, now)?;
                self.allocate(task, place, range, mode)
            }
        };
        done?;
        self.fs.tell_of_open(place, IN_MODIFY);
        Ok(Answer::default())
    }

    fn allocate(&mut self, task: TaskRow, place: Place, range: Range, mode: u32) -> CallResult {
        let size = self.end_of(place);
        let now = self.stamp();
        match mode & !FALLOC_FL_KEEP_SIZE {
            FALLOC_FL_PUNCH_HOLE => {
                // What reaches beyond the end takes all of its page, and no room behind that.
                let behind = size.next_multiple_of(PAGE_BYTES);
                let end = if range.end() > size { behind } else { range.end() };
                if range.offset < size {
                    self.fs.punch(place, range.offset, end - range.offset, now);
                }
            }
            FALLOC_FL_COLLAPSE_RANGE => {
                range.check_pages()?;
                if range.end() >= size {
                    return Err(Errno::EINVAL.into());
                }
                self.fs.shift(place, Shift::Out, (range.offset, range.len))?;
            }
            FALLOC_FL_INSERT_RANGE => {
                range.check_pages()?;
                if range.offset >= size {
                    return Err(Errno::EINVAL.into());
                }
                if range.len > self.largest_offset(place).saturating_sub(size) {
                    return Err(Errno::EFBIG.into());
                }
                self.fs.shift(place, Shift::In, (range.offset, range.len))?;
            }
            zero => {
                let grows = mode & FALLOC_FL_KEEP_SIZE == 0 && range.end() > size;
                if grows {
                    self.check_file_size(task, range.end())?;
                }
                {
                    caller!(self, task => caller);
                    self.fs.provide(&caller, place, (range.offset, range.len))?;
                }
                if zero == FALLOC_FL_ZERO_RANGE {
                    self.fs.punch(place, range.offset, range.len, now);
                    // There was room for it before.
                    caller!(self, task => caller);
                    self.fs.provide(&caller, place, (range.offset, range.len))?;
                }
                if grows {
                    self.truncate_place(task, place, range.end())?;
                }
            }
        }
        Ok(Answer::default())
    }

    /// Room and holes of a file of memory, which its seals may forbid.
    fn provide_memory(
        &mut self,
        task: TaskRow,
        place: Place,
        range: Range,
        mode: u32,
    ) -> CallResult {
        if mode & FALLOC_FL_PUNCH_HOLE != 0 {
            if !self.fs.may_punch(place) {
                return Err(Errno::EPERM.into());
            }
            let now = self.stamp();
            self.fs.punch(place, range.offset, range.len, now);
            return Ok(Answer::default());
        }
        let grows = range.end() > self.end_of(place);
        // tmpfs minds the limit even where the size stays.
        if grows {
            self.check_file_size(task, range.end())?;
        }
        self.fs.may_provide(place, (range.offset, range.len))?;
        caller!(self, task => caller);
        self.fs.provide(&caller, place, (range.offset, range.len))?;
        if mode & FALLOC_FL_KEEP_SIZE == 0 && grows {
            return self.truncate_place(task, place, range.end());
        }
        Ok(Answer::default())
    }
}
