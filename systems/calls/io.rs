//! Reading, writing and moving in what is open: read(2), write(2), pread(2), lseek(2),
//! getdents64(2), ftruncate(2).

use super::face_files::operation::{READ, STAT};
use super::transfer::PROC_SIZE_MAX;
use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::{Object, Target};
use crate::event::{Answer, HostAnswer, Payload, Question};
use crate::fs::procfs::ProcNode;
use crate::fs::{Kind, Node, Pages, Place};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::procview::caller;
use crate::rows::{DescriptionRow, TaskRow};
use crate::wire::Bytes;
use alloc::vec;
use alloc::vec::Vec;

/// Most bytes that one call moves (`MAX_RW_COUNT`, read(2) NOTES).
pub(crate) const MAX_RW_COUNT: u64 = 0x7fff_f000;
/// Bytes of a process's addresses on x86-64 (`Documentation/arch/x86/x86_64/mm.rst`).
const USER_SPACE_BYTES: u64 = 1 << 47;
/// Most bytes that a read of an endless device gives at once; a short read is always allowed.
pub(crate) const MAX_DEVICE_BYTES: u64 = 32 << 20;
/// Most bytes of a file that one call reads: a hole of a terabyte costs nothing until its bytes are
/// asked for, and an absurd count must not fill the host's memory. What is short may be asked for
/// again (read(2), RETURN VALUE).
pub(crate) const MAX_FILE_BYTES: u64 = 128 << 20;

/// What kind of thing a place is, for reading and writing.
pub(super) enum Thing {
    File,
    Directory,
    Device(u64),
    Proc,
    Other,
}

impl Kernel {
    pub(super) fn thing(&self, place: Place) -> Thing {
        match self.fs.inode(place).map(|inode| &inode.kind) {
            Some(Kind::Regular(_)) => Thing::File,
            Some(Kind::Directory(_)) => Thing::Directory,
            Some(Kind::CharDevice(rdev)) => Thing::Device(*rdev),
            Some(_) => Thing::Other,
            None if self.fs.is_directory(place) => Thing::Directory,
            None => Thing::Proc,
        }
    }

    /// read(2), readv(2).
    #[inline(always)]
    pub(crate) fn read(&mut self, task: TaskRow, fd: i32, count: u64) -> CallResult {
        let row = self.open_fd(task, fd)?;
        let description = &self.rows[row];
        if !description.readable() {
            return Err(Errno::EBADF.into());
        }
        let count = match count {
            0..=MAX_RW_COUNT => count,
            // A length of the face's has no address that could be wrong.
            _ if self.config.face.present => MAX_RW_COUNT,
            // What cannot be read at all says so before it looks at the buffer.
            _ if matches!(
                description.target,
                Target::Object(Object::Pidfd(_) | Object::Epoll(_))
            ) =>
            {
                0
            }
            _ => readable_count(count)?,
        };
        match description.target {
            Target::Pipe(pipe, None) => self.read_pipe(row, pipe, count),
            Target::Pipe(pipe, Some(_)) => {
                let result = self.read_pipe(row, pipe, count);
                self.fifo_read(row, &result);
                result
            }
            Target::Socket(socket) => self.read_socket(task, row, socket, count),
            Target::Object(object) => self.read_object(task, row, object, count),
            Target::File(place) => {
                if let Some(side) = description.terminal {
                    return self.read_device_of(task, fd, row, (side, place), count);
                }
                let (offset, counts) = (description.offset, description.flags & O_NOATIME == 0);
                self.face_read_limit(count)?;
                self.face_permit_file(READ, place)?;
                self.check_area(offset, count)?;
                self.check_direct(row, (offset, count), false)?;
                let answer = self.read_place(task, place, (offset, count), counts)?;
                // Devices have no offset that moves.
                if answer.value > 0 && !self.is_device(place) {
                    self.rows[row].offset = offset + answer.value as u64;
                }
                Ok(answer)
            }
        }
    }

    /// The number of a character device.
    pub(crate) fn device_of(&self, place: Place) -> Option<u64> {
        match self.thing(place) {
            Thing::Device(rdev) => Some(rdev),
            Thing::File | Thing::Directory | Thing::Proc | Thing::Other => None,
        }
    }

    pub(crate) fn is_device(&self, place: Place) -> bool {
        matches!(self.thing(place), Thing::Device(_))
    }

    /// pread64(2), preadv(2).
    pub(crate) fn pread(&mut self, task: TaskRow, fd: i32, count: u64, offset: i64) -> CallResult {
        let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let row = self.open_fd(task, fd)?;
        let target = self.rows[row].target;
        if target.has_no_offset() || self.rows[row].terminal.is_some() {
            return Err(Errno::ESPIPE.into());
        }
        self.face_read_limit(count)?;
        if !self.rows[row].readable() {
            return Err(Errno::EBADF.into());
        }
        let place = match target {
            Target::File(place) => place,
            Target::Object(object) => return self.pread_object(row, object, count, offset),
            Target::Pipe(..) | Target::Socket(_) => return Err(Errno::ESPIPE.into()),
        };
        self.face_permit_file(READ, place)?;
        let count = readable_count(count)?;
        self.check_area(offset, count)?;
        let counts = self.rows[row].flags & O_NOATIME == 0;
        self.check_direct(row, (offset, count), false)?;
        self.read_place(task, place, (offset, count), counts)
    }

    /// Reads what has a place; `counts` as an access unless O_NOATIME forbids it.
    pub(crate) fn read_place(
        &mut self,
        task: TaskRow,
        place: Place,
        (offset, count): (u64, u64),
        counts: bool,
    ) -> CallResult {
        let answer = match self.thing(place) {
            Thing::Directory => Err(Errno::EISDIR.into()),
            Thing::Other => Err(Errno::EINVAL.into()),
            Thing::Device(rdev) => self.read_device(rdev, count),
            Thing::Proc => self.read_proc(task, place, offset, count),
            Thing::File => {
                let count = count.min(MAX_FILE_BYTES);
                let data = self.fs.read(place, offset, count)?;
                // Behind the largest size Linux does not even look.
                if counts && offset < self.largest_offset(place) {
                    let now = self.stamp();
                    self.fs.accessed_by_read(place, count, now);
                }
                Ok(Answer::data(data))
            }
        }?;
        if answer.value > 0 {
            self.fs.tell_of_open(place, IN_ACCESS);
        }
        Ok(answer)
    }

    fn read_device(&mut self, rdev: u64, count: u64) -> CallResult {
        match (major(rdev), minor(rdev)) {
            (1, 3) => Ok(Answer::data(Vec::new())),
            (1, 5 | 7) => {
                // A signal cuts it short after any page.
                let count = count.min(MAX_DEVICE_BYTES).min(self.max_bytes);
                Ok(Answer::data(vec![0; count as usize]))
            }
            (1, 8 | 9) => self.random(count.min(MAX_DEVICE_BYTES)),
            _ => Err(Errno::EIO.into()),
        }
    }

    /// Random bytes: from the seed, or the host's.
    pub(crate) fn random(&mut self, count: u64) -> CallResult {
        if self.config.entropy == crate::kernel::Entropy::Host {
            match self.ask(Question::Entropy { bytes: count })? {
                HostAnswer::Bytes(bytes) if bytes.0.len() as u64 <= count => {
                    return Ok(Answer::data(bytes.0));
                }
                HostAnswer::Error(errno) => return Err(errno.into()),
                HostAnswer::Bytes(_)
                | HostAnswer::Result(_)
                | HostAnswer::Answer(_)
                | HostAnswer::Absent => {}
            }
        }
        let mut bytes = Vec::with_capacity(count as usize);
        while (bytes.len() as u64) < count {
            self.random = crate::digest::hash_number(self.random, self.config.seed);
            let left = count as usize - bytes.len();
            bytes.extend_from_slice(&self.random.to_le_bytes()[..left.min(8)]);
        }
        Ok(Answer::data(bytes))
    }

    /// A file of /proc: the host's text if it is asked and has one, else the kernel's.
    fn read_proc(&mut self, task: TaskRow, place: Place, offset: u64, count: u64) -> CallResult {
        let Node::Proc(node) = place.node else { return Err(Errno::EINVAL.into()) };
        if self.config.ask_unmodelled {
            let path = {
                caller!(self, task => caller);
                self.fs.path_text(&caller, place)
            };
            match self.ask(Question::HostFile { path: Bytes(path) })? {
                HostAnswer::Bytes(bytes) if bytes.0.len() as u64 <= count => {
                    return Ok(Answer::data(bytes.0));
                }
                HostAnswer::Error(errno) => return Err(errno.into()),
                HostAnswer::Bytes(_)
                | HostAnswer::Result(_)
                | HostAnswer::Answer(_)
                | HostAnswer::Absent => {}
            }
        }
        caller!(self, task => caller);
        let text = self.fs.proc_text(&caller, node)?;
        let start = (offset.min(text.len() as u64)) as usize;
        let end = start + (count.min((text.len() - start) as u64)) as usize;
        Ok(Answer::data(text[start..end].to_vec()))
    }

    /// write(2), writev(2).
    #[inline(always)]
    pub(crate) fn write(&mut self, task: TaskRow, fd: i32, data: &[u8]) -> CallResult {
        let row = self.fd(task, fd)?.description;
        let mut description = &self.rows[row];
        if description.flags & O_PATH != 0 {
            return Err(Errno::EBADF.into());
        }
        if self.bends.limits_come_first {
            self.face_write_limit(row, data.len() as u64, None)?;
            description = &self.rows[row];
        }
        if !description.writable() {
            return Err(Errno::EBADF.into());
        }
        if self.config.face.present && !self.bends.limits_come_first {
            self.face_write_limit(row, data.len() as u64, None)?;
            description = &self.rows[row];
        }
        let data = &data[..data.len().min(MAX_RW_COUNT as usize)];
        match description.target {
            Target::Pipe(pipe, place) => {
                let flags = description.flags;
                let result = self.write_pipe(task, row, (pipe, flags), data);
                if place.is_some() {
                    self.fifo_written(row, &result);
                }
                result
            }
            Target::Socket(socket) => self.write_socket(task, row, socket, data),
            Target::Object(object) => self.write_object(row, object, data),
            Target::File(place) => {
                if let Some(side) = description.terminal {
                    return self.write_device_of(task, fd, row, (side, place), data);
                }
                let append = description.flags & O_APPEND != 0;
                let offset = description.offset;
                self.check_area(offset, data.len() as u64)?;
                let offset = if append { self.end_of(place) } else { offset };
                self.check_direct(row, (offset, data.len() as u64), true)?;
                self.part_direct(row, (offset, data.len() as u64));
                let answer = self.write_place(task, place, offset, data)?;
                let stays = self.is_device(place) || Self::keeps_offset(place);
                if answer.value > 0 && !stays {
                    self.rows[row].offset = offset + answer.value as u64;
                }
                Ok(answer)
            }
        }
    }

    /// EINVAL where the last byte would lie beyond the largest offset, before it is looked at what
    /// lies there: so a directory of ext4 that was read to its end gives it, and not EISDIR.
    #[inline]
    pub(super) fn check_area(&self, offset: u64, count: u64) -> Result<(), Errno> {
        let end = offset.saturating_add(count);
        if end > i64::MAX as u64 && !self.bends.any_offset { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// EINVAL for what O_DIRECT cannot move: parts of the blocks of a disk (open(2), NOTES). Behind
    /// the end there is nothing to move.
    #[inline]
    pub(super) fn check_direct(
        &self,
        row: DescriptionRow,
        (offset, count): (u64, u64),
        writes: bool,
    ) -> Result<(), Errno> {
        let description = &self.rows[row];
        let Target::File(place) = description.target else { return Ok(()) };
        if description.flags & O_DIRECT == 0 || count == 0 || self.fs.pages(place).is_none() {
            return Ok(());
        }
        let block = self.fs.kept_on(place).facts().direct_bytes;
        let end = offset.saturating_add(count);
        let is_right = if writes {
            offset >= self.largest_offset(place)
                || offset.is_multiple_of(block) && count.is_multiple_of(block)
        } else {
            // Zeros of a hole are no blocks; behind a part of one all is out of step.
            let whole = if offset.is_multiple_of(block) { end - end % block } else { offset };
            let is_hole = |pages: &Pages| pages.is_hole(whole, end - whole);
            offset >= self.end_of(place) || self.fs.pages(place).is_none_or(is_hole)
        };
        if is_right { Ok(()) } else { Err(Errno::EINVAL) }
    }

    pub(crate) fn end_of(&self, place: Place) -> u64 {
        self.fs.pages(place).map_or(0, Pages::size)
    }

    /// pwrite64(2), pwritev(2). With O_APPEND the data goes to the end all the same (pwrite(2),
    /// BUGS).
    pub(crate) fn pwrite(
        &mut self,
        task: TaskRow,
        fd: i32,
        data: &[u8],
        offset: i64,
    ) -> CallResult {
        let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let row = self.open_fd(task, fd)?;
        let target = self.rows[row].target;
        if target.has_no_offset() || self.rows[row].terminal.is_some() {
            return Err(Errno::ESPIPE.into());
        }
        if self.bends.limits_come_first {
            self.face_write_limit(row, data.len() as u64, Some(offset))?;
        }
        if !self.rows[row].writable() {
            return Err(Errno::EBADF.into());
        }
        self.check_area(offset, data.len() as u64)?;
        let append = self.rows[row].flags & O_APPEND != 0 && !self.bends.pwrite_keeps_offset;
        if self.config.face.present && !self.bends.limits_come_first {
            let offset = if append { None } else { Some(offset) };
            self.face_write_limit(row, data.len() as u64, offset)?;
        }
        let place = match target {
            Target::File(place) => place,
            Target::Object(object) => return self.pwrite_object(row, object, data, offset),
            Target::Pipe(..) | Target::Socket(_) => return Err(Errno::ESPIPE.into()),
        };
        let offset = if append { self.end_of(place) } else { offset };
        let data = &data[..data.len().min(MAX_RW_COUNT as usize)];
        self.check_direct(row, (offset, data.len() as u64), true)?;
        self.part_direct(row, (offset, data.len() as u64));
        self.write_place(task, place, offset, data)
    }

    pub(crate) fn write_place(
        &mut self,
        task: TaskRow,
        place: Place,
        offset: u64,
        data: &[u8],
    ) -> CallResult {
        let answer = match self.thing(place) {
            Thing::Directory => Err(Errno::EISDIR.into()),
            Thing::Other => Err(Errno::EINVAL.into()),
            Thing::Proc => self.write_proc(task, place, offset, data),
            Thing::Device(rdev) => write_device(rdev, data),
            Thing::File if self.fs.is_huge(place) => Err(Errno::EINVAL.into()),
            Thing::File => {
                let data = self.cut_to_limit(task, offset, data)?;
                let now = self.stamp();
                caller!(self, task => caller);
                let written = self.fs.write(&caller, place, offset, data, now)?;
                Ok(Answer::value(written as i64))
            }
        }?;
        if answer.value > 0 {
            self.fs.tell_of_open(place, IN_MODIFY);
        }
        Ok(answer)
    }

    /// What of the data lies below RLIMIT_FSIZE.
    fn cut_to_limit<'d>(
        &mut self,
        task: TaskRow,
        offset: u64,
        data: &'d [u8],
    ) -> Result<&'d [u8], Stop> {
        if data.is_empty() {
            return Ok(data);
        }
        let limit = self.limit(self.rows[task].process, RLIMIT_FSIZE).cur;
        if offset >= limit {
            self.check_file_size(task, u64::MAX)?;
        }
        let room = (limit - offset.min(limit)).min(data.len() as u64);
        Ok(&data[..room as usize])
    }

    /// lseek(2).
    pub(crate) fn lseek(&mut self, task: TaskRow, fd: i32, offset: i64, whence: u32) -> CallResult {
        let row = self.open_fd(task, fd)?;
        let is_pipe =
            matches!(self.rows[row].target, Target::Pipe(..) | Target::Object(Object::Pty(..)));
        if whence > SEEK_HOLE && !(is_pipe && self.bends.any_offset) {
            return Err(Errno::EINVAL.into());
        }
        if self.rows[row].terminal.is_some() {
            return Err(Errno::ESPIPE.into());
        }
        let place = match self.rows[row].target {
            Target::File(place) if whence == SEEK_END => {
                self.face_permit_file(STAT, place)?;
                place
            }
            Target::File(place) => place,
            Target::Object(object) => return self.seek_object(row, object, offset, whence),
            Target::Pipe(..) | Target::Socket(_) => return Err(Errno::ESPIPE.into()),
        };
        let old = self.rows[row].offset;
        let new = match self.thing(place) {
            // The devices of mem(4) have no place to be at.
            Thing::Device(_) => return Ok(Answer::value(0)),
            // ext4: cookies are hashes, and the end lies behind the largest.
            Thing::Directory => {
                let facts = self.fs.list_kind(place).facts();
                let has_holes = facts.seeks_holes_of_directories;
                // One that was removed has no list any more: it is as long as it says.
                let is_removed = has_holes && self.fs.is_emptied(place);
                let largest = if is_removed { facts.max_file_bytes } else { i64::MAX as u64 };
                let end = match self.bends.any_offset {
                    true => self.tree_stat(place).size,
                    false if is_removed => 0,
                    false => largest,
                };
                match whence {
                    // In /proc it is empty.
                    SEEK_DATA | SEEK_HOLE if matches!(place.node, Node::Proc(_)) => {
                        return Err(Errno::ENXIO.into());
                    }
                    _ if matches!(place.node, Node::Proc(_)) => {
                        seek_from(old, 0, PROC_SIZE_MAX, offset, whence)?
                    }
                    // All of it is data, up to the end.
                    SEEK_DATA | SEEK_HOLE if has_holes => match u64::try_from(offset) {
                        Ok(from) if from < end && whence == SEEK_DATA => from,
                        Ok(from) if from < end => end,
                        Ok(_) | Err(_) => return Err(Errno::ENXIO.into()),
                    },
                    // A list in memory has no end to count from.
                    SEEK_END if !has_holes && self.fs.inode_id(place).is_some() => {
                        return Err(Errno::EINVAL.into());
                    }
                    _ => seek_from(old, end, largest, offset, whence)?,
                }
            }
            Thing::File => self.seek_file(place, old, offset, whence)?,
            Thing::Proc => seek_proc(place, old, offset, whence)?,
            Thing::Other => seek_from(old, 0, self.largest_offset(place), offset, whence)?,
        };
        self.rows[row].offset = new;
        Ok(Answer::value(new as i64))
    }

    pub(super) fn largest_offset(&self, place: Place) -> u64 {
        if self.bends.any_offset {
            return i64::MAX as u64;
        }
        self.fs.volume(place).kind.facts().max_file_bytes
    }

    fn seek_file(&self, place: Place, old: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
        let size = self.end_of(place);
        if whence < SEEK_DATA {
            return seek_from(old, size, self.largest_offset(place), offset, whence);
        }
        let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        let pages = self.fs.pages(place).ok_or(Errno::ENXIO)?;
        // What lies where in huge pages is not told: all is data.
        if self.fs.is_huge(place) {
            let found = if whence == SEEK_DATA { from } else { size };
            return if from < size { Ok(found) } else { Err(Errno::ENXIO) };
        }
        let found = if whence == SEEK_DATA { pages.seek_data(from) } else { pages.seek_hole(from) };
        found.ok_or(Errno::ENXIO)
    }

    /// getdents64(2).
    pub(crate) fn getdents64(&mut self, task: TaskRow, fd: i32, count: u64) -> CallResult {
        let row = self.open_fd(task, fd)?;
        let Target::File(place) = self.rows[row].target else { return Err(Errno::ENOTDIR.into()) };
        // Linux takes the low 32 bits, and what is negative then has no room for anything.
        let count = u64::try_from(count as u32 as i32).unwrap_or(0);
        let (from, counts) = (self.rows[row].offset, self.rows[row].flags & O_NOATIME == 0);
        let listed = {
            caller!(self, task => caller);
            self.fs.list(&caller, place, from, count)
        };
        // Linux counts the access before it sees that there is no room for the first entry.
        let looked = !matches!(listed, Err(Errno::ENOENT | Errno::ENOTDIR));
        if looked {
            self.fs.tell_of_open(place, IN_ACCESS);
        }
        if counts && looked {
            let now = self.stamp();
            self.fs.accessed(place, now);
        }
        let entries = listed?;
        let bytes: u64 = entries
            .iter()
            .map(|entry| crate::abi::Dirent::record_bytes(entry.name.0.len() as u64))
            .sum();
        if let Some(last) = entries.last() {
            self.rows[row].offset = last.off as u64;
        }
        Ok(Answer { value: bytes as i64, payload: Payload::Dirents(entries) })
    }

    /// ftruncate(2).
    pub(crate) fn ftruncate(&mut self, task: TaskRow, fd: i32, length: i64) -> CallResult {
        let size = u64::try_from(length).map_err(|_| Errno::EINVAL)?;
        let row = self.open_fd(task, fd)?;
        let place = match self.rows[row].target {
            Target::File(place) => place,
            Target::Object(Object::Pidfd(_)) => return Err(Errno::EOPNOTSUPP.into()),
            Target::Object(_) | Target::Pipe(..) | Target::Socket(_) => {
                return Err(Errno::EINVAL.into());
            }
        };
        if self.fs.pages(place).is_none() || !self.rows[row].writable() {
            return Err(Errno::EINVAL.into());
        }
        self.truncate_place(task, place, size)
    }
}

/// What of a count is read at once: EFAULT where no buffer of user space is so large.
fn readable_count(count: u64) -> Result<u64, Errno> {
    if count >= USER_SPACE_BYTES { Err(Errno::EFAULT) } else { Ok(count.min(MAX_RW_COUNT)) }
}

fn write_device(rdev: u64, data: &[u8]) -> CallResult {
    match (major(rdev), minor(rdev)) {
        (1, 3 | 5 | 8 | 9) => Ok(Answer::value(data.len() as i64)),
        (1, 7) => Err(Errno::ENOSPC.into()),
        _ => Err(Errno::EIO.into()),
    }
}

/// A new offset: EINVAL outside 0 to `largest`, EOVERFLOW where it has no number.
/// lseek(2) in a file of /proc.
fn seek_proc(place: Place, old: u64, offset: i64, whence: u32) -> Result<u64, Errno> {
    let is = |what: fn(ProcNode) -> bool| matches!(place.node, Node::Proc(node) if what(node));
    let is_sys = is(ProcNode::is_sys);
    let has_end = is_sys || is(ProcNode::has_end);
    let largest = if has_end && !is_sys { PROC_SIZE_MAX } else { i64::MAX as u64 };
    match whence {
        SEEK_HOLE if is_sys && offset < 0 => Ok(0),
        SEEK_DATA if is_sys && offset < 0 => Err(Errno::EINVAL),
        SEEK_DATA | SEEK_HOLE if has_end => Err(Errno::ENXIO),
        // A text that is made as it is read has no end to count from.
        SEEK_END if !has_end => Err(Errno::EINVAL),
        _ => seek_from(old, 0, largest, offset, whence),
    }
}

/// Where a seek leads from an offset in something of a size.
pub(crate) fn seek_from(
    old: u64,
    size: u64,
    largest: u64,
    offset: i64,
    whence: u32,
) -> Result<u64, Errno> {
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => old,
        SEEK_END => size,
        _ => return Err(Errno::EINVAL),
    };
    let new = i128::from(base) + i128::from(offset);
    if new < 0 || new > i128::from(largest) {
        return Err(Errno::EINVAL);
    }
    Ok(new as u64)
}
