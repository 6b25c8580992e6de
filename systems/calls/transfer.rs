//! Bytes from one descriptor to another inside the kernel: sendfile(2), copy_file_range(2).
//!
//! The order of the checks is Linux's, found by experiment. Both copy through a pipe of the
//! kernel's own, 16 pages at a time; sendfile(2) into a pipe puts the file's pages there, each in a
//! slot of its own, as far as there is room.

use super::io::MAX_RW_COUNT;
use super::terminal_io::Onward;
use crate::abi::Errno;
use crate::abi::Signal;
use crate::abi::flags::*;
use crate::components::pipe::{PAGE_BYTES, PIPE_SLOTS};
use crate::components::{Object, Restart, Target, Waiting};
use crate::event::{Answer, Call, Payload};
use crate::fs::{Kind, Node, Pages, Place};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{DescriptionRow, PipeRow, TaskRow};
use crate::watchers::READERS;
use alloc::vec::Vec;

/// A copy between two files has so much of it in hand at once.
const COPY_PART_BYTES: u64 = 1 << 20;
/// Largest offset in pipes, devices and other files without a size of their own.
const NO_SIZE_MAX: u64 = i64::MAX as u64;
/// The same in /proc and in a pidfd, which are not made for large files.
pub(super) const PROC_SIZE_MAX: u64 = i32::MAX as u64;

/// A sendfile(2) after its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    /// Read.
    pub(crate) from: DescriptionRow,
    /// Written.
    pub(crate) to: DescriptionRow,
    /// Whether the offset is the caller's, not the description's.
    pub(crate) own_offset: bool,
    /// Where it reads.
    pub(crate) at: u64,
    /// How much at most.
    pub(crate) count: u64,
    /// How much is sent to a socket.
    pub(crate) sent: u64,
}

impl Sending {
    /// The answer of a call that ends with what it has sent to a socket.
    pub(crate) fn partial(&self) -> Option<Answer> {
        let end = (self.at + self.sent) as i64;
        let answer = offsets(self.sent as i64, self.own_offset.then_some(end), None);
        (self.sent > 0).then_some(answer)
    }
}

impl Kernel {
    /// copy_file_range(2) between regular files.
    pub(crate) fn copy_file_range(
        &mut self,
        task: TaskRow,
        input: (i32, Option<i64>),
        output: (i32, Option<i64>),
        len: u64,
        flags: u32,
    ) -> CallResult {
        let (from, to) = (self.open_fd(task, input.0)?, self.open_fd(task, output.0)?);
        if flags != 0 {
            return Err(Errno::EINVAL.into());
        }
        let places = self.both_regular(from, to)?;
        let target_is_right = self.rows[to].writable() && self.rows[to].flags & O_APPEND == 0;
        if !self.rows[from].readable() || !target_is_right {
            return Err(Errno::EBADF.into());
        }
        let same_volume = match places {
            (Some(from), Some(to)) => self.fs.volume(from).dev == self.fs.volume(to).dev,
            (from, to) => from == to,
        };
        if !same_volume {
            return Err(Errno::EXDEV.into());
        }
        let source = input.1.unwrap_or(self.rows[from].offset as i64);
        let target = output.1.unwrap_or(self.rows[to].offset as i64);
        let wraps = |offset: i64| (offset as u64).checked_add(len).is_none();
        if wraps(source) || wraps(target) {
            return Err(Errno::EOVERFLOW.into());
        }
        let size = places.0.and_then(|from| self.fs.pages(from)).map_or(0, Pages::size);
        let left = if source >= size as i64 { 0 } else { size.wrapping_sub(source as u64) };
        let count = self.below_limits(task, places.1, target, len.min(left))?;
        let (Some(from_place), Some(to_place)) = places else {
            // Nothing is in two pidfds.
            verify_area(source, 0)?;
            verify_area(target, 0)?;
            return Ok(offsets(0, input.1, output.1));
        };
        let overlaps = self.fs.inode_id(from_place) == self.fs.inode_id(to_place)
            && i128::from(target) + i128::from(count) > i128::from(source)
            && i128::from(target) < i128::from(source) + i128::from(count);
        if overlaps {
            return Err(Errno::EINVAL.into());
        }
        verify_area(source, count)?;
        verify_area(target, count)?;
        let (source, target) = (source as u64, target as u64);
        let mut moved = 0;
        if count > 0 {
            self.check_direct(from, (source, count), false)?;
            self.check_direct_pages(to, source, (target, count))?;
            self.part_direct(to, (target, count));
            let most = count.min(MAX_RW_COUNT);
            moved = self.copy_parts(task, (from_place, source), (to_place, target), most)?;
            let now = self.stamp();
            self.fs.accessed(from_place, now);
        }
        let end = |start: u64| start.saturating_add(moved as u64);
        if input.1.is_none() {
            self.rows[from].offset = end(source);
        }
        if output.1.is_none() {
            self.rows[to].offset = end(target);
        }
        let told = |given: Option<i64>, start| given.map(|_| end(start) as i64);
        Ok(offsets(moved, told(input.1, source), told(output.1, target)))
    }

    /// Copies between two files, part by part; gives how many bytes. What fails behind the first
    /// part makes the copy short.
    fn copy_parts(
        &mut self,
        task: TaskRow,
        (from, source): (Place, u64),
        (to, target): (Place, u64),
        count: u64,
    ) -> Result<i64, Stop> {
        let mut moved = 0;
        while moved < count {
            let data = self.fs.read(from, source + moved, (count - moved).min(COPY_PART_BYTES))?;
            if data.is_empty() {
                break;
            }
            self.fs.tell_of_open(from, IN_ACCESS);
            let wrote = match self.write_place(task, to, target + moved, &data) {
                Ok(answer) => answer.value as u64,
                Err(_) if moved > 0 => break,
                Err(stop) => return Err(stop),
            };
            moved += wrote;
            if wrote < data.len() as u64 {
                break;
            }
        }
        Ok(moved as i64)
    }

    /// The places of two regular files; `None` for a pidfd, which is one in a file system of its
    /// own.
    fn both_regular(
        &self,
        from: DescriptionRow,
        to: DescriptionRow,
    ) -> Result<(Option<Place>, Option<Place>), Errno> {
        let is_directory = |row: DescriptionRow| match self.rows[row].target {
            Target::File(place) => self.fs.is_directory(place),
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => false,
        };
        if is_directory(from) || is_directory(to) {
            return Err(Errno::EISDIR);
        }
        let regular = |row: DescriptionRow| match self.rows[row].target {
            Target::File(place) => match self.fs.inode(place).map(|inode| &inode.kind) {
                Some(Kind::Regular(_)) => Ok(Some(place)),
                None if matches!(place.node, Node::Proc(_)) => Ok(Some(place)),
                Some(_) | None => Err(Errno::EINVAL),
            },
            Target::Object(Object::Pidfd(_)) => Ok(None),
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => Err(Errno::EINVAL),
        };
        Ok((regular(from)?, regular(to)?))
    }

    /// How much of a write lies below RLIMIT_FSIZE and the largest size of a file.
    fn below_limits(
        &mut self,
        task: TaskRow,
        place: Option<Place>,
        offset: i64,
        count: u64,
    ) -> Result<u64, Stop> {
        let limit = self.limit(self.rows[task].process, RLIMIT_FSIZE).cur;
        let mut count = count;
        if limit != u64::MAX {
            if i128::from(offset) >= i128::from(limit) {
                self.check_file_size(task, u64::MAX)?;
            }
            count = count.min(limit.wrapping_sub(offset as u64));
        }
        let largest = place.map_or(PROC_SIZE_MAX, |place| self.largest_of(place));
        if i128::from(offset) >= i128::from(largest) {
            return Err(Errno::EFBIG.into());
        }
        Ok(count.min(largest.wrapping_sub(offset as u64)))
    }

    /// The largest offset of the file system that a place lies on.
    fn largest_of(&self, place: Place) -> u64 {
        match place.node {
            Node::Entry(_) => self.fs.volume(place).kind.facts().max_file_bytes.min(NO_SIZE_MAX),
            Node::Proc(_) => PROC_SIZE_MAX,
        }
    }

    fn largest_of_target(&self, row: DescriptionRow) -> u64 {
        match self.rows[row].target {
            Target::File(place) => self.largest_of(place),
            Target::Pipe(_, Some(place)) => self.largest_of(place),
            Target::Pipe(_, None) | Target::Socket(_) | Target::Object(_) => NO_SIZE_MAX,
        }
    }

    /// sendfile(2).
    pub(crate) fn sendfile(
        &mut self,
        task: TaskRow,
        out_fd: i32,
        in_fd: i32,
        offset: Option<i64>,
        count: u64,
    ) -> CallResult {
        let from = self.open_fd(task, in_fd)?;
        if !self.rows[from].readable() {
            return Err(Errno::EBADF.into());
        }
        let is_file = matches!(self.rows[from].target, Target::File(_));
        // What cannot be read at an offset; a pidfd cannot be read at all, which is found later.
        let is_pidfd = matches!(self.rows[from].target, Target::Object(Object::Pidfd(_)));
        if offset.is_some() && !is_file && !is_pidfd {
            return Err(Errno::ESPIPE.into());
        }
        let reads_terminal = self.rows[from].terminal.is_some();
        if reads_terminal && offset.is_some() {
            return Err(Errno::ESPIPE.into());
        }
        let own = if is_file { self.rows[from].offset as i64 } else { 0 };
        let start = offset.unwrap_or(own);
        verify_area(start, count)?;
        let count = count.min(MAX_RW_COUNT);
        let to = self.open_fd(task, out_fd)?;
        if !self.rows[to].writable() {
            return Err(Errno::EBADF.into());
        }
        let largest = self.largest_of_target(from).min(self.largest_of_target(to));
        let at = start as u64;
        if at + count > largest && at >= largest {
            return Err(Errno::EOVERFLOW.into());
        }
        let count = count.min(largest.saturating_sub(at));
        let sending = Sending { from, to, own_offset: offset.is_some(), at, count, sent: 0 };
        let side = self.rows[to].terminal;
        match self.rows[to].target {
            Target::Pipe(..) if reads_terminal => {
                let no = self.rows[to].nonblocking();
                let onward = Onward { pipe: to, fd: out_fd, len: count, flags: None };
                self.splice_from_terminal(task, (in_fd, from), onward, no)
            }
            _ if reads_terminal => Err(Errno::EINVAL.into()),
            Target::File(_) if side.is_some() => {
                let call = Call::Sendfile { out_fd, in_fd, offset, count };
                self.send(task, sending, Some(&call))
            }
            // Of a socket splice(2) knows how to take pages.
            Target::Pipe(..) if self.socket_behind(from).is_some() => {
                self.splice_for_sendfile(task, sending)
            }
            Target::Pipe(pipe, _) => self.send_to_pipe(task, pipe, sending),
            Target::File(_) | Target::Socket(_) | Target::Object(_) => {
                self.send(task, sending, None)
            }
        }
    }

    /// sendfile(2) to anything but a pipe: part by part, until there is no more. To a terminal the
    /// call may have to be made again.
    fn send(&mut self, task: TaskRow, sending: Sending, call: Option<&Call<'_>>) -> CallResult {
        let Sending { from, to, at, count, .. } = sending;
        let append = self.rows[to].flags & O_APPEND != 0;
        let place = match self.rows[from].target {
            Target::File(place) => Some(place),
            // Of nothing an object is not asked.
            Target::Object(
                Object::Event(_)
                | Object::Epoll(_)
                | Object::Inotify
                | Object::Timer
                | Object::Signals(_),
            ) if count == 0 => None,
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                return Err(Errno::EINVAL.into());
            }
        };
        let out_start = match self.rows[to].target {
            Target::File(_) => self.rows[to].offset,
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => 0,
        };
        verify_area(out_start as i64, count)?;
        if append {
            return Err(Errno::EINVAL.into());
        }
        let Some(place) = place else { return Ok(self.sent(sending, 0)) };
        // Linux counts the access even if nothing comes of it.
        self.source_accessed(from);
        if let Target::Socket(socket) = self.rows[to].target {
            return self.send_to_socket(task, socket, sending);
        }
        if let (Some(side), Some(call)) = (self.spliced_side(to)?, call) {
            let mut sending = sending;
            if self.looks_at_turn(side)
                && !self.read_pages(task, (from, place), at, count.min(1), 1)?.is_empty()
            {
                self.splice_turn(task, side, call)?;
            }
            if let Some(answer) = self.send_to_terminal(task, side, &mut sending, false)? {
                return Ok(answer);
            }
            return Err(self.wait_to_move(from, to, Waiting::Sendfile(sending)));
        }
        let mut sent = 0;
        while sent < count {
            let left = (at + sent, count - sent);
            let (wrote, had) = match self.send_part(task, sending, place, left, out_start + sent) {
                Ok(part) => part,
                Err(_) if sent > 0 => break,
                Err(stop) => return Err(stop),
            };
            sent += wrote;
            if wrote < had || had == 0 {
                break;
            }
        }
        if sent > 0 {
            self.rows[to].offset = out_start + sent;
        }
        Ok(self.sent(sending, sent))
    }

    /// A part of what is sent to a file: what was written, and what there was.
    fn send_part(
        &mut self,
        task: TaskRow,
        Sending { from, to, .. }: Sending,
        source: Place,
        (at, left): (u64, u64),
        out: u64,
    ) -> Result<(u64, u64), Stop> {
        let part = left.min(u64::from(PIPE_SLOTS) * PAGE_BYTES);
        self.check_direct(from, (at, part), false)?;
        let mut data = self.read_pages(task, (from, source), at, left, PIPE_SLOTS)?;
        if data.is_empty() {
            return Ok((0, 0));
        }
        let length = data.len() as u64;
        match self.rows[to].target {
            Target::File(place) if self.takes_pages(place) => {
                self.check_direct_pages(to, at, (out, length))?;
                self.part_direct(to, (out, length));
                self.copy_within(self.lender(from, source), (at, out), place, &mut data);
                Ok((self.write_on(task, place, out, &data)?.value as u64, length))
            }
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                Err(Errno::EINVAL.into())
            }
        }
    }

    /// EINVAL for what O_DIRECT cannot write of the pages of another file, whose bytes from an
    /// offset on lie in them as there: each of their parts is written of its own.
    fn check_direct_pages(
        &self,
        to: DescriptionRow,
        at: u64,
        (offset, count): (u64, u64),
    ) -> Result<(), Errno> {
        self.check_direct(to, (offset, count), true)?;
        let Target::File(place) = self.rows[to].target else { return Ok(()) };
        let block = self.fs.kept_on(place).facts().direct_bytes;
        let is_one = at % PAGE_BYTES + count <= PAGE_BYTES;
        let is_direct = self.rows[to].flags & O_DIRECT != 0;
        let is_right = !is_direct || is_one || at.is_multiple_of(block);
        if is_right { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// The file that is read counts as read, unless it was opened with O_NOATIME.
    fn source_accessed(&mut self, from: DescriptionRow) {
        let counts = self.rows[from].flags & O_NOATIME == 0;
        if let (Target::File(place), true) = (self.rows[from].target, counts) {
            let now = self.stamp();
            self.fs.accessed(place, now);
        }
    }

    /// Whether a file takes pages out of a pipe: of the devices of mem(4) not /dev/full.
    pub(super) fn takes_pages(&self, place: Place) -> bool {
        match self.device_of(place) {
            None => self.fs.pages(place).is_some(),
            Some(rdev) => major(rdev) == 1 && matches!(minor(rdev), 3 | 5 | 8 | 9),
        }
    }

    /// A write that is cut short is gone on with, as Linux does with pages out of a pipe: beyond
    /// RLIMIT_FSIZE that is SIGXFSZ, while the call gives what was written.
    pub(crate) fn write_on(
        &mut self,
        task: TaskRow,
        place: Place,
        offset: u64,
        data: &[u8],
    ) -> CallResult {
        let mut written = 0;
        while written < data.len() {
            match self.write_place(task, place, offset + written as u64, &data[written..]) {
                Ok(answer) if answer.value > 0 => written += answer.value as usize,
                Err(stop) if written == 0 => return Err(stop),
                Ok(_) | Err(_) => break,
            }
        }
        Ok(Answer::value(written as i64))
    }

    /// The bytes of a file that `slots` pages of a pipe take, from an offset on.
    pub(super) fn read_pages(
        &mut self,
        task: TaskRow,
        (from, place): (DescriptionRow, Place),
        at: u64,
        count: u64,
        slots: u32,
    ) -> Result<Vec<u8>, Stop> {
        let room = u64::from(slots) * PAGE_BYTES - self.page_start(from, place, at);
        match self.fs.inode(place).map(|inode| &inode.kind) {
            Some(Kind::Regular(_)) => {
                let data = self.fs.read(place, at, count.min(room))?;
                if !data.is_empty() {
                    self.fs.tell_of_open(place, IN_ACCESS);
                }
                Ok(data)
            }
            // /dev/null has nothing to map.
            Some(Kind::CharDevice(rdev)) if (major(*rdev), minor(*rdev)) != (1, 3) => {
                match self.read_place(task, place, (at, count.min(room)), true)?.payload {
                    Payload::Data(bytes) => Ok(bytes.0),
                    _ => Ok(Vec::new()),
                }
            }
            Some(_) | None => Err(Errno::EINVAL.into()),
        }
    }

    fn send_to_pipe(&mut self, task: TaskRow, pipe: PipeRow, sending: Sending) -> CallResult {
        if let Some(answer) = self.put_pages(task, pipe, sending)? {
            return Ok(answer);
        }
        if self.rows[sending.to].nonblocking() {
            return Err(Errno::EAGAIN.into());
        }
        Err(self.wait_to_move(sending.from, sending.to, Waiting::Sendfile(sending)))
    }

    /// The wait of a call that moves bytes between two descriptions, which it holds.
    pub(crate) fn wait_to_move(
        &mut self,
        from: DescriptionRow,
        to: DescriptionRow,
        on: Waiting,
    ) -> Stop {
        self.rows[from].refs += 1;
        self.rows[to].refs += 1;
        Stop::block(on, None, Restart::WithFlag)
    }

    /// A sendfile(2) that waits for room tries again.
    pub(crate) fn try_send(
        &mut self,
        task: TaskRow,
        sending: &mut Sending,
    ) -> Result<Option<Answer>, Errno> {
        let tried = match self.rows[sending.to].target {
            Target::Pipe(pipe, _) => self.put_pages(task, pipe, *sending),
            Target::Socket(socket) => self.send_pages(task, socket, sending, true),
            Target::File(_) | Target::Object(_) => match self.rows[sending.to].terminal {
                Some(side) => self.send_to_terminal(task, side, sending, true),
                None => return Err(Errno::EBADF),
            },
        };
        match tried {
            Ok(answer) => Ok(answer),
            Err(Stop::Fail(errno)) => Err(errno),
            Err(Stop::Block(_) | Stop::Ask(_) | Stop::Ended) => Ok(None),
        }
    }

    /// Puts what there is room for into a pipe; `None` if there is none.
    pub(crate) fn put_pages(
        &mut self,
        task: TaskRow,
        pipe: PipeRow,
        sending: Sending,
    ) -> Result<Option<Answer>, Stop> {
        if self.rows[pipe].readers == 0 {
            let info = self.own_info(task, Signal::SIGPIPE);
            self.post_to_task(task, Signal::SIGPIPE, info);
            return Err(Errno::EPIPE.into());
        }
        if !self.rows[pipe].has_room() {
            return Ok(None);
        }
        let Sending { from, at, count, .. } = sending;
        if count == 0 {
            return Ok(Some(self.sent(sending, 0)));
        }
        let Target::File(place) = self.rows[from].target else { return Err(Errno::EINVAL.into()) };
        let free = self.rows[pipe].slots.saturating_sub(self.rows[pipe].used_slots);
        // The pipe has room and the kernel may have none: whoever waited would wait for nobody.
        let free = match u32::try_from(self.pipe_room()).unwrap_or(u32::MAX) {
            0 => return Err(Errno::ENOMEM.into()),
            room => free.min(room),
        };
        let data = self.read_pages(task, (from, place), at, count.min(self.max_bytes), free)?;
        if at < self.largest_of(place) {
            self.source_accessed(from);
        }
        let start = self.page_start(from, place, at);
        let lender = self.lender(from, place);
        let first = (PAGE_BYTES - start).min(data.len() as u64) as usize;
        let (first, rest) = data.split_at(first);
        let pages = core::iter::once(first).chain(rest.chunks(PAGE_BYTES as usize));
        for (bytes, index) in pages.zip(at / PAGE_BYTES..) {
            if !bytes.is_empty() {
                let within = if index == at / PAGE_BYTES { start as u32 } else { 0 };
                let segment = self.page_segment(lender, index, within, bytes);
                let state = &mut self.rows[pipe];
                state.segments.push_back(segment);
                state.used_slots += 1;
                self.counters.pipe_pages += 1;
            }
        }
        self.rows[pipe].bytes += data.len() as u64;
        self.counters.pipe_bytes += data.len() as u64;
        if !data.is_empty() {
            self.pipe_woken(pipe, READERS, 0);
            self.tell_pipe(pipe, super::notices::Reason::Input);
        }
        Ok(Some(self.sent(sending, data.len() as u64)))
    }

    /// What a sendfile(2) answers that has sent so much.
    pub(super) fn sent(&mut self, sending: Sending, sent: u64) -> Answer {
        let mut end = sending.at + sent;
        if let Target::File(place) = self.rows[sending.from].target
            && self.is_device(place)
        {
            // Devices have no offset that moves.
            end = sending.at;
        }
        if sent > 0 && !sending.own_offset {
            self.rows[sending.from].offset = end;
        }
        offsets(sent as i64, sending.own_offset.then_some(end as i64), None)
    }
}

/// Linux's check of a range of a file: EINVAL for a count or an offset below 0, and where their sum
/// has no number.
pub(crate) fn verify_area(offset: i64, count: u64) -> Result<(), Errno> {
    let count = i64::try_from(count).map_err(|_| Errno::EINVAL)?;
    if offset < 0 || offset.checked_add(count).is_none() { Err(Errno::EINVAL) } else { Ok(()) }
}

/// An answer that tells the offsets that were given.
pub(crate) fn offsets(value: i64, input: Option<i64>, output: Option<i64>) -> Answer {
    match (input, output) {
        (None, None) => Answer::value(value),
        _ => Answer { value, payload: Payload::Offsets(input, output) },
    }
}
