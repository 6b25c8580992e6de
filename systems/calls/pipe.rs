//! Pipes and FIFOs (pipe(7), fifo(7)): pipe(2), and reads and writes on them.
//!
//! The slot accounting is Linux's: see `components/pipe.rs`. A blocking write goes on until all is
//! written while readers see the parts; up to PIPE_BUF bytes are never torn, because they take the
//! rest of the last page or a slot of their own.

use super::notices::Reason;
use crate::abi::flags::*;
use crate::abi::{Errno, Signal};
use crate::components::pipe::{PAGE_BYTES, PIPE_SLOTS, SegmentKind};
use crate::components::{
    Description, FdSlot, Object, Pipe, Restart, Segment, Target, WaitQueue, Waiting,
};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Changed, Kernel, Stop};
use crate::memory;
use crate::rows::{DescriptionRow, PipeRow, RowKind, TaskRow};
use crate::watchers::{READERS, WRITERS, Wake};
use crate::wire::Bytes;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What a pipe of the face holds.
const FACE_PIPE_BYTES: u64 = PIPE_SLOTS as u64 * PAGE_BYTES;
/// The largest pipe for users without CAP_SYS_RESOURCE (`/proc/sys/fs/pipe-max-size`).
const PIPE_MAX_BYTES: i64 = 1 << 20;

impl Kernel {
    /// pipe2(2).
    pub(crate) fn pipe2(&mut self, task: TaskRow, flags: u32) -> CallResult {
        if flags & !(O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let limits = &self.config.face.limits;
        if PipeRow::live(&self.rows) >= limits.max_pipes {
            return Err(Errno::EAGAIN.into());
        }
        if self.counters.open_fds.saturating_add(2) > limits.max_open_fds {
            return Err(Errno::ENFILE.into());
        }
        let [read_fd, write_fd] = self.two_free_fds(task)?;
        self.room_for_fd(task, write_fd)?;
        self.room_for_descriptions(2, memory::PIPE_BYTES)?;
        let caller = &self.rows[task];
        let (files, uid, gid) = (caller.files, caller.credentials.fsuid, caller.credentials.fsgid);
        let pipe = self.new_pipe(uid, gid, 1);
        let status = flags & (O_NONBLOCK | O_DIRECT);
        let reader = self.new_description(Target::Pipe(pipe, None), O_RDONLY | status & !O_DIRECT);
        let writer = self.new_description(Target::Pipe(pipe, None), O_WRONLY | status);
        let cloexec = flags & O_CLOEXEC != 0;
        self.install_in(files, read_fd, FdSlot { description: reader, cloexec });
        self.install_in(files, write_fd, FdSlot { description: writer, cloexec });
        Ok(Answer::with(Payload::Fds([read_fd as i32, write_fd as i32])))
    }

    /// A pipe that is open so often at each end.
    pub(crate) fn new_pipe(&mut self, uid: u32, gid: u32, ends: u32) -> PipeRow {
        let id = self.next_id();
        let pipe = Pipe {
            id,
            segments: VecDeque::new(),
            bytes: 0,
            used_slots: 0,
            slots: PIPE_SLOTS,
            readers: ends,
            writers: ends,
            reader_opens: ends.into(),
            writer_opens: ends.into(),
            waiters: WaitQueue::default(),
            spare: Vec::new(),
            changed_ns: self.now_ns,
            times: None,
            uid,
            gid,
            mode: 0o600,
        };
        PipeRow::spawn(&mut self.rows, id, pipe)
    }

    /// Whether the row still stands: the last close of a pipe removes it.
    pub(crate) fn pipe_is_live(&self, pipe: PipeRow) -> bool {
        pipe.is_live(&self.rows)
    }

    /// read(2) on a pipe.
    #[inline(always)]
    pub(crate) fn read_pipe(
        &mut self,
        row: DescriptionRow,
        pipe: PipeRow,
        count: u64,
    ) -> CallResult {
        if count == 0 {
            return Ok(Answer::data(Vec::new()));
        }
        if let Some(bytes) = self.take_from_pipe(pipe, count) {
            self.tell_pipe(pipe, Reason::Output);
            return Ok(Answer::data(bytes));
        }
        let deadline_ns = self.read_deadline();
        // A time-out of nothing is no wait.
        let over = deadline_ns.is_some_and(|deadline| deadline <= self.now_ns);
        if over || self.rows[row].nonblocking() {
            self.tell_pipe(pipe, Reason::Output);
            return Err(Errno::EAGAIN.into());
        }
        self.rows[row].refs += 1;
        Err(Stop::block(
            Waiting::PipeRead { description: row, count },
            deadline_ns,
            Restart::WithFlag,
        ))
    }

    /// What a read of a FIFO does to its inode.
    pub(super) fn fifo_read(&mut self, row: DescriptionRow, result: &CallResult) {
        if let (Target::Pipe(_, Some(place)), Ok(answer)) = (self.rows[row].target, result)
            && answer.value > 0
        {
            self.fs.tell_of_open(place, IN_ACCESS);
            if self.rows[row].flags & O_NOATIME == 0 {
                let now = self.stamp();
                self.fs.accessed(place, now);
            }
        }
    }

    /// What a write to a FIFO does to its inode.
    pub(super) fn fifo_written(&mut self, row: DescriptionRow, result: &CallResult) {
        if let (Target::Pipe(_, Some(place)), Ok(answer)) = (self.rows[row].target, result)
            && answer.value > 0
        {
            let now = self.stamp();
            self.fs.stamp_contents(place, now);
            self.fs.tell_of_open(place, IN_MODIFY);
        }
    }

    /// What is in a pipe, or its end; `None` if a reader must wait.
    pub(crate) fn try_pipe_read(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        count: u64,
    ) -> Result<Option<Answer>, Errno> {
        let pipe = match self.rows[row].target {
            Target::Pipe(pipe, _) => pipe,
            Target::Object(Object::Timer) => return Ok(self.try_timerfd_read(row)),
            Target::Object(Object::Signals(_)) => {
                return Ok(self.try_signals_read(task, row, count));
            }
            Target::Object(Object::Pty(number, end)) => {
                return Ok(self.try_pty_read((number, end), count));
            }
            Target::Object(_) => return self.try_inotify_read(row, count),
            Target::File(_) | Target::Socket(_) => return Err(Errno::EBADF),
        };
        let Some(bytes) = self.take_from_pipe(pipe, count) else { return Ok(None) };
        self.tell_pipe(pipe, Reason::Output);
        // Who had to wait passes on what it leaves.
        if self.rows[pipe].bytes > 0 {
            self.pipe_items_woken(pipe, READERS, POLLIN | POLLRDNORM);
        }
        let answer = Ok(Answer::data(bytes));
        self.fifo_read(row, &answer);
        Ok(answer.ok())
    }

    #[inline]
    fn take_from_pipe(&mut self, pipe: PipeRow, count: u64) -> Option<Vec<u8>> {
        let count = count.min(self.max_bytes);
        if !self.fs.lends_nothing() {
            self.fetch_lent(pipe, count, true);
        }
        let state = &mut self.rows[pipe];
        if state.bytes == 0 {
            return (state.writers == 0).then(Vec::new);
        }
        let (before, slots) = (state.bytes, state.used_slots);
        let bytes = take_bytes(state, count, &mut self.counters.pipe_pages);
        self.counters.pipe_bytes -= before - state.bytes;
        if !state.waiters.is_empty() {
            self.pipe_was_read(pipe, slots);
        }
        Some(bytes)
    }

    /// write(2) on a pipe.
    #[inline(always)]
    pub(crate) fn write_pipe(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        (pipe, flags): (PipeRow, u32),
        data: &[u8],
    ) -> CallResult {
        if data.is_empty() {
            return Ok(Answer::default());
        }
        let mut written = data.len() as u64;
        let plain = flags & O_DIRECT == 0 && !self.bends.pipes_count_bytes;
        let whole = plain && written <= self.max_bytes;
        let state = &mut self.rows[pipe];
        if whole && state.readers > 0 && state.append(data) {
            self.counters.pipe_bytes += written;
            self.pipe_woken(pipe, READERS, POLLIN | POLLRDNORM);
            self.tell_pipe(pipe, Reason::Input);
            return Ok(Answer::value(written as i64));
        }
        written = 0;
        let over = self.put_into_pipe(task, (pipe, flags), data, &mut written, true);
        // Linux tells of a write that wrote nothing, too, and of each pause.
        self.tell_pipe(pipe, Reason::Input);
        if over? {
            return Ok(Answer::value(written as i64));
        }
        if flags & O_NONBLOCK != 0 {
            if written > 0 {
                return Ok(Answer::value(written as i64));
            }
            // Linux tells of a write that wrote nothing, too.
            self.pipe_items_woken(pipe, READERS, POLLIN | POLLRDNORM);
            return Err(Errno::EAGAIN.into());
        }
        self.rows[row].refs += 1;
        Err(Stop::block(
            Waiting::PipeWrite { description: row, data: Bytes(data.to_vec()), written },
            None,
            Restart::WithFlag,
        ))
    }

    /// Puts what fits into a pipe; `None` if some is left and the writer must wait. Only a write
    /// that has not waited yet (`first`) may fill up the last page.
    pub(crate) fn try_pipe_write(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        data: &[u8],
        written: &mut u64,
    ) -> Result<Option<Answer>, Errno> {
        let Target::Pipe(pipe, _) = self.rows[row].target else { return Err(Errno::EBADF) };
        let flags = self.rows[row].flags;
        let before = *written;
        let over = self.put_into_pipe(task, (pipe, flags), data, written, false);
        if *written > before || over != Ok(false) {
            self.tell_pipe(pipe, Reason::Input);
        }
        let over = over?;
        let answer = Ok(Answer::value(*written as i64));
        if over {
            if self.rows[pipe].has_room() {
                self.pipe_items_woken(pipe, WRITERS, POLLOUT | POLLWRNORM);
            }
            self.fifo_written(row, &answer);
        }
        Ok(answer.ok().filter(|_| over))
    }

    /// Whether the call is over: all is written, or some and the readers are gone. Only a write
    /// that has not waited yet (`first`) may fill up the last page.
    #[inline]
    fn put_into_pipe(
        &mut self,
        task: TaskRow,
        (pipe, flags): (PipeRow, u32),
        data: &[u8],
        written: &mut u64,
        first: bool,
    ) -> Result<bool, Errno> {
        let state = &mut self.rows[pipe];
        let was_empty = state.bytes == 0;
        if state.readers == 0 {
            self.pipe_items_woken(pipe, READERS, POLLIN | POLLRDNORM);
            let info = self.own_info(task, Signal::SIGPIPE);
            self.post_to_task(task, Signal::SIGPIPE, info);
            return if *written > 0 { Ok(true) } else { Err(Errno::EPIPE) };
        }
        let rest = data.get(*written as usize..).unwrap_or(&[]);
        let packet = flags & O_DIRECT != 0;
        let room = self.config.max_pipe_pages.saturating_sub(self.counters.pipe_pages);
        let (put, pages) = if self.bends.pipes_count_bytes {
            put_counted(state, rest, room)
        } else {
            put_bytes(state, rest, (first, packet), self.max_bytes, room)
        };
        self.counters.pipe_pages += pages;
        self.counters.pipe_bytes += put;
        let waiting = put > 0 && !state.waiters.is_empty();
        *written += put;
        if waiting {
            let over = *written == data.len() as u64 || flags & O_NONBLOCK != 0;
            match over || was_empty {
                true => self.pipe_woken(pipe, READERS, POLLIN | POLLRDNORM),
                false => self.pipe_changed(pipe),
            }
        }
        if *written == data.len() as u64 {
            return Ok(true);
        }
        // The pipe has room and the kernel has none: whoever waited would wait for nobody.
        let starved = self.pipe_room() == 0 && self.rows[pipe].has_room() && self.max_bytes > put;
        match starved {
            true if *written == 0 => Err(Errno::ENOMEM),
            starved => Ok(starved),
        }
    }

    /// Somebody read where others wait: those who write are told if it was full before.
    fn pipe_was_read(&mut self, pipe: PipeRow, slots: u32) {
        let state = &self.rows[pipe];
        match slots >= state.slots && state.used_slots < slots {
            true => self.pipe_woken(pipe, WRITERS, POLLOUT | POLLWRNORM),
            false => self.pipe_changed(pipe),
        }
    }

    /// Tells the items of epoll(7) alone: no call has more to look for.
    fn pipe_items_woken(&mut self, pipe: PipeRow, sides: u8, events: u32) {
        if !self.rows[pipe].waiters.1.is_empty() {
            self.pipe_woken(pipe, sides, events);
        }
    }

    /// One open end goes: the other side sees it; the last one removes the pipe.
    pub(crate) fn close_pipe_end(
        &mut self,
        pipe: PipeRow,
        place: Option<crate::fs::Place>,
        flags: u32,
    ) {
        let access = flags & O_ACCMODE;
        let state = &mut self.rows[pipe];
        if flags & O_PATH == 0 {
            state.readers -= u32::from(access != O_WRONLY);
            state.writers -= u32::from(access != O_RDONLY);
        }
        if !state.waiters.is_empty() {
            match (state.readers == 0) != (state.writers == 0) {
                true => self.woken(Changed::Pipe(pipe), Wake::ALL),
                false => self.pipe_changed(pipe),
            }
        }
        let state = &self.rows[pipe];
        if (state.readers == 0) != (state.writers == 0) {
            self.tell_pipe(pipe, Reason::Input);
            self.tell_pipe(pipe, Reason::Output);
        }
        self.drop_pipe_if_unused(pipe, place);
        if let Some(place) = place {
            self.fs.release(place);
        }
    }

    #[inline]
    pub(crate) fn drop_pipe_if_unused(&mut self, pipe: PipeRow, place: Option<crate::fs::Place>) {
        let state = &self.rows[pipe];
        if state.readers == 0 && state.writers == 0 {
            self.drop_pipe(pipe, place);
        }
    }

    fn drop_pipe(&mut self, pipe: PipeRow, place: Option<crate::fs::Place>) {
        if let Some(inode) = place.and_then(|place| self.fs.inode_id(place)) {
            self.fifos.remove(&inode);
        }
        let state = &self.rows[pipe];
        if !state.segments.is_empty() {
            self.counters.pipe_pages -= state.segments.iter().map(Segment::pages).sum::<u64>();
            self.counters.pipe_bytes -= state.bytes;
            self.release_segments(pipe);
        }
        let slots = self.rows[pipe].slots_beyond();
        self.unhold_bytes(slots * memory::SLOT_BYTES);
        pipe.remove(&mut self.rows);
    }

    /// F_GETPIPE_SZ and F_SETPIPE_SZ of fcntl(2).
    pub(crate) fn pipe_size(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        cmd: u32,
        wanted: i64,
    ) -> CallResult {
        let Target::Pipe(pipe, _) = self.rows[row].target else {
            return Err(Errno::EBADF.into());
        };
        if cmd == F_SETPIPE_SZ {
            if !(0..=1 << 31).contains(&wanted) {
                return Err(Errno::EINVAL.into());
            }
            let slots = (wanted as u64).max(1).div_ceil(PAGE_BYTES).next_power_of_two() as u32;
            let capable =
                self.rows[task].credentials.capable(crate::abi::credentials::CAP_SYS_RESOURCE);
            if i64::from(slots) * PAGE_BYTES as i64 > PIPE_MAX_BYTES
                && slots > self.rows[pipe].slots
                && !capable
            {
                return Err(Errno::EPERM.into());
            }
            if slots < self.rows[pipe].used_slots {
                return Err(Errno::EBUSY.into());
            }
            let more = u64::from(slots.saturating_sub(self.rows[pipe].slots));
            if more > 0 && !self.has_memory(more * memory::SLOT_BYTES) {
                return Err(Errno::EPERM.into());
            }
            self.unhold_bytes(self.rows[pipe].slots_beyond() * memory::SLOT_BYTES);
            self.rows[pipe].slots = slots;
            self.hold_bytes(self.rows[pipe].slots_beyond() * memory::SLOT_BYTES);
            self.pipe_woken(pipe, WRITERS, 0);
        }
        Ok(Answer::value(i64::from(self.rows[pipe].slots) * PAGE_BYTES as i64))
    }

    /// What poll(2) says of an end of a pipe.
    #[inline]
    pub(crate) fn poll_pipe(&self, pipe: PipeRow, description: &Description) -> u32 {
        let (state, flags) = (&self.rows[pipe], description.flags);
        let mut events = 0;
        if flags & O_ACCMODE != O_WRONLY {
            if state.bytes > 0 {
                events |= POLLIN | POLLRDNORM;
            }
            // A FIFO opened without waiting is not hung up before a writer has come and gone: its
            // description remembers how many had come (fifo(7)).
            if state.writers == 0 && state.writer_opens != description.offset {
                events |= POLLHUP;
            }
        }
        if flags & O_ACCMODE != O_RDONLY {
            let room = if self.bends.any_room_is_ready {
                state.bytes < FACE_PIPE_BYTES && state.readers > 0
            } else {
                state.has_room()
            };
            if room {
                events |= POLLOUT | POLLWRNORM;
            }
            if state.readers == 0 {
                events |= POLLERR;
            }
        }
        events
    }
}

/// Moves up to `count` bytes out. A read of exactly the first segment moves its buffer.
/// The pages that are gone are taken off `pages`.
fn take_bytes(pipe: &mut Pipe, count: u64, pages: &mut u64) -> Vec<u8> {
    if let Some(first) = pipe.segments.front()
        && first.read == 0
        && first.left() <= count
        && (pipe.segments.len() == 1 || first.left() == count || first.kind == SegmentKind::Packet)
        && let Some(first) = pipe.segments.pop_front()
    {
        let slots = first.slots();
        pipe.used_slots -= slots;
        *pages -= u64::from(slots);
        pipe.bytes -= first.bytes.len() as u64;
        return first.bytes;
    }
    let mut out = Vec::with_capacity(count.min(pipe.bytes) as usize);
    while (out.len() as u64) < count {
        let Some(first) = pipe.segments.front_mut() else { break };
        let taken = first.left().min(count - out.len() as u64);
        let slots = first.slots();
        let start = first.read as usize;
        out.extend_from_slice(&first.bytes[start..start + taken as usize]);
        first.read += taken as u32;
        let packet = first.kind == SegmentKind::Packet;
        // A packet that is read in part loses the rest (O_DIRECT of pipe(2)).
        let gone = if packet { first.bytes.len() as u64 - start as u64 } else { taken };
        pipe.bytes -= gone;
        if first.left() == 0 || packet {
            pipe.used_slots -= slots;
            if let Some(done) = pipe.segments.pop_front() {
                *pages -= done.pages();
                pipe.keep_spare(done.bytes);
            }
        } else {
            pipe.used_slots -= slots - first.slots();
        }
        if packet {
            break;
        }
    }
    out
}

/// The contract's way (SEMANTICS.md, section 4): what a pipe holds is counted in bytes; up to
/// PIPE_BUF bytes all or nothing. Small writes share pages.
fn put_counted(pipe: &mut Pipe, data: &[u8], room: u64) -> (u64, u64) {
    let free = FACE_PIPE_BYTES.saturating_sub(pipe.bytes);
    let fits = free.min(data.len() as u64);
    if fits == 0 || data.len() as u64 <= PAGE_BYTES && fits < data.len() as u64 {
        return (0, 0);
    }
    let part = &data[..fits as usize];
    if let Some(last) = pipe.segments.back_mut().filter(|last| last.room() >= fits) {
        last.bytes.extend_from_slice(part);
        pipe.bytes += fits;
        return (fits, 0);
    }
    if fits.div_ceil(PAGE_BYTES) > room {
        return (0, 0);
    }
    let bytes = pipe.buffer_of(part);
    let segment = Segment { bytes, ..Segment::default() };
    let slots = segment.slots();
    pipe.used_slots += slots;
    pipe.segments.push_back(segment);
    pipe.bytes += fits;
    (fits, u64::from(slots))
}

/// Puts what fits: the odd part into the rest of the last page if all of it fits there, then pages,
/// of which the kernel has `room`. Gives the bytes and the new pages.
fn put_bytes(
    pipe: &mut Pipe,
    data: &[u8],
    (first, packet): (bool, bool),
    max_bytes: u64,
    room: u64,
) -> (u64, u64) {
    let mut done = 0usize;
    let odd = data.len() as u64 % PAGE_BYTES;
    if first
        && odd > 0
        && !packet
        && let Some(last) = pipe.segments.back_mut()
        && last.room() >= odd
    {
        let part = odd.min(max_bytes) as usize;
        if last.bytes.capacity() - last.bytes.len() < part {
            // To the end of the page at once: more small writes will follow.
            last.bytes.reserve_exact(last.room() as usize);
        }
        last.bytes.extend_from_slice(&data[..part]);
        done = part;
        if done == data.len() {
            pipe.bytes += done as u64;
            return (done as u64, 0);
        }
    }
    let free = u64::from(pipe.slots.saturating_sub(pipe.used_slots)).min(room) * PAGE_BYTES;
    let limit = free.min(max_bytes.saturating_sub(done as u64));
    let take = limit.min((data.len() - done) as u64) as usize;
    let mut pages = 0;
    let step = if packet { PAGE_BYTES as usize } else { take.max(1) };
    for chunk in data[done..done + take].chunks(step) {
        let bytes = pipe.buffer_of(chunk);
        let kind = if packet { SegmentKind::Packet } else { SegmentKind::Bytes };
        let segment = Segment { bytes, kind, ..Segment::default() };
        let slots = segment.slots();
        pipe.used_slots += slots;
        pages += u64::from(slots);
        pipe.segments.push_back(segment);
    }
    let total = (done + take) as u64;
    pipe.bytes += total;
    (total, pages)
}
