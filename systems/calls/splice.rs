//! splice(2) and tee(2): pages go from one pipe to another, from a file into a pipe (as sendfile(2)
//! puts them there, `calls/transfer.rs`), or from a pipe to a file; from and to sockets:
//! `calls/splice_sockets.rs`, terminals: `calls/splice_terminals.rs`.
//!
//! The order of the checks is Linux's, found by experiment on Linux 6.18. Not here: vmsplice(2), in
//! which the guest's addresses say how many pages its bytes take.

use super::io::MAX_RW_COUNT;
use super::notices::Reason;
use super::terminal_io::Onward;
use super::transfer::{Sending, offsets, verify_area};
use crate::abi::flags::*;
use crate::abi::{Errno, Signal};
use crate::components::{Object, Target, Waiting};
use crate::event::{Answer, Call};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{DescriptionRow, PipeRow, TaskRow};
use crate::watchers::{READERS, WRITERS};

/// A splice(2) or tee(2) after its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Splicing {
    /// Read.
    pub(crate) from: DescriptionRow,
    /// Written.
    pub(crate) to: DescriptionRow,
    /// Where it reads or writes, if the caller says so.
    pub(crate) offset: Option<u64>,
    /// How much at most.
    pub(crate) count: u64,
    /// What is read stays: tee(2).
    pub(crate) keeps: bool,
    /// How much has gone from or to a socket.
    pub(crate) moved: u64,
}

/// How a try ended that did not fail: with so many bytes moved, or it must wait.
pub(super) type Tried = Result<Option<u64>, Stop>;

/// How much a read without a cache puts into a pipe at once.
const MAX_DIRECT_BYTES: u64 = 16 * crate::fs::PAGE_BYTES;

impl Kernel {
    /// splice(2).
    pub(crate) fn splice(
        &mut self,
        task: TaskRow,
        input: (i32, Option<i64>),
        output: (i32, Option<i64>),
        len: u64,
        flags: u32,
    ) -> CallResult {
        if len == 0 {
            return Ok(offsets(0, input.1, output.1));
        }
        if flags & !(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let (from, to) = (self.open_fd(task, input.0)?, self.open_fd(task, output.0)?);
        let (from_pipe, to_pipe) = (self.pipe_behind(from), self.pipe_behind(to));
        // Each pipe loses RWF_NOWAIT as it is looked at.
        for (row, pipe, offset) in [(from, from_pipe, input.1), (to, to_pipe, output.1)] {
            match (pipe, offset) {
                (Some(_), Some(_)) => return Err(Errno::ESPIPE.into()),
                (Some(_), None) => self.rows[row].waits_always = true,
                (None, _) => {}
            }
        }
        if !self.rows[from].readable() || !self.rows[to].writable() {
            return Err(Errno::EBADF.into());
        }
        let offset = match (from_pipe, to_pipe) {
            (Some(from), Some(to)) if from == to => return Err(Errno::EINVAL.into()),
            (Some(_), Some(_)) => None,
            (None, None) => return Err(Errno::EINVAL.into()),
            (Some(_), None) => {
                let own = self.file_offset(to, output.1)?;
                if self.rows[to].flags & O_APPEND != 0 {
                    return Err(Errno::EINVAL.into());
                }
                verify_area(own, len)?;
                output.1.map(|_| own as u64)
            }
            (None, Some(_)) => {
                let own = self.file_offset(from, input.1)?;
                verify_area(own, len)?;
                self.check_direct(from, (own as u64, len.min(MAX_DIRECT_BYTES)), false)?;
                input.1.map(|_| own as u64)
            }
        };
        let count = len.min(MAX_RW_COUNT);
        if self.rows[from].terminal.is_some() {
            let no = flags & SPLICE_F_NONBLOCK != 0 || self.rows[to].nonblocking();
            let onward = Onward { pipe: to, fd: output.0, len: count, flags: Some(flags) };
            return self.splice_from_terminal(task, (input.0, from), onward, no);
        }
        if let (Some(pipe), Some(side)) = (from_pipe, self.spliced_side(to)?)
            && self.rows[pipe].bytes > 0
        {
            let (fd_in, fd_out, off_in, off_out) = (input.0, output.0, None, None);
            let call = Call::Splice { fd_in, off_in, fd_out, off_out, len, flags };
            self.splice_turn(task, side, &call)?;
        }
        let splicing = Splicing { from, to, offset, count, keeps: false, moved: 0 };
        self.begin_splice(task, splicing, flags)
    }

    /// tee(2).
    pub(crate) fn tee(
        &mut self,
        task: TaskRow,
        fd_in: i32,
        fd_out: i32,
        len: u64,
        flags: u32,
    ) -> CallResult {
        if flags & !(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT) != 0 {
            return Err(Errno::EINVAL.into());
        }
        if len == 0 {
            return Ok(Answer::default());
        }
        let (from, to) = (self.open_fd(task, fd_in)?, self.open_fd(task, fd_out)?);
        if !self.rows[from].readable() || !self.rows[to].writable() {
            return Err(Errno::EBADF.into());
        }
        match (self.pipe_behind(from), self.pipe_behind(to)) {
            (Some(source), Some(target)) if source != target => {}
            _ => return Err(Errno::EINVAL.into()),
        }
        let splicing = Splicing { from, to, offset: None, count: len, keeps: true, moved: 0 };
        self.begin_splice(task, splicing, flags)
    }

    pub(super) fn begin_splice(
        &mut self,
        task: TaskRow,
        mut splicing: Splicing,
        flags: u32,
    ) -> CallResult {
        if let Some(moved) = self.splice_once(task, &mut splicing, false)? {
            return Ok(spliced(self, splicing, moved));
        }
        // The descriptor of a file does not count: only pipes are waited for.
        let dont_wait =
            |row: DescriptionRow| self.pipe_behind(row).is_some() && self.rows[row].nonblocking();
        let no =
            flags & SPLICE_F_NONBLOCK != 0 || dont_wait(splicing.from) || dont_wait(splicing.to);
        if !self.splice_waits(splicing, no) {
            return match splicing.moved {
                0 => Err(Errno::EAGAIN.into()),
                moved => Ok(Answer::value(moved as i64)),
            };
        }
        let mut stop = self.wait_to_move(splicing.from, splicing.to, Waiting::Splice(splicing));
        self.limit_splice(splicing, &mut stop);
        Err(stop)
    }

    /// One that waits tries again.
    pub(crate) fn try_splice(
        &mut self,
        task: TaskRow,
        splicing: &mut Splicing,
    ) -> Result<Option<Answer>, Errno> {
        match self.splice_once(task, splicing, true) {
            Ok(moved) => Ok(moved.map(|moved| spliced(self, *splicing, moved))),
            Err(Stop::Fail(errno)) => Err(errno),
            Err(Stop::Block(_) | Stop::Ask(_) | Stop::Ended) => Ok(None),
        }
    }

    pub(super) fn pipe_behind(&self, row: DescriptionRow) -> Option<PipeRow> {
        match self.rows[row].target {
            Target::Pipe(pipe, _) => Some(pipe),
            Target::File(_) | Target::Socket(_) | Target::Object(_) => None,
        }
    }

    /// Where a file is read or written: EINVAL if it has no places and one is given.
    fn file_offset(&self, row: DescriptionRow, given: Option<i64>) -> Result<i64, Errno> {
        match (self.rows[row].target, given) {
            (_, Some(_)) if self.rows[row].terminal.is_some() => Err(Errno::EINVAL),
            (Target::File(_) | Target::Object(Object::Pidfd(_)), Some(given)) => Ok(given),
            (_, Some(_)) => Err(Errno::EINVAL),
            (_, None) => Ok(self.rows[row].offset as i64),
        }
    }

    fn splice_once(&mut self, task: TaskRow, splicing: &mut Splicing, resumed: bool) -> Tried {
        let side = self.rows[splicing.to].terminal;
        if let (Some(pipe), Some(side)) = (self.pipe_behind(splicing.from), side) {
            return self.splice_to_terminal(task, (pipe, side), splicing, resumed);
        }
        let (from, to) = (self.socket_behind(splicing.from), self.socket_behind(splicing.to));
        if let (Some(pipe), Some(socket)) = (self.pipe_behind(splicing.from), to) {
            return self.splice_to_socket(task, pipe, socket, splicing);
        }
        if let (Some(socket), Some(pipe)) = (from, self.pipe_behind(splicing.to)) {
            return self.splice_from_socket(task, socket, pipe, splicing);
        }
        let splicing = *splicing;
        match (self.pipe_behind(splicing.from), self.pipe_behind(splicing.to)) {
            (Some(from), Some(to)) => self.splice_pipes(task, from, to, splicing),
            (Some(from), None) => self.splice_to_file(task, from, splicing),
            (None, Some(to)) => self.splice_to_pipe(task, to, splicing),
            (None, None) => Err(Errno::EINVAL.into()),
        }
    }

    /// Pages from a pipe to another, whole ones as they are; parts are nobody's to add to.
    fn splice_pipes(
        &mut self,
        task: TaskRow,
        from: PipeRow,
        to: PipeRow,
        Splicing { count, keeps, .. }: Splicing,
    ) -> Tried {
        if self.rows[from].bytes == 0 && self.rows[from].writers > 0 {
            return Ok(None);
        }
        if self.rows[to].readers == 0 {
            let info = self.own_info(task, Signal::SIGPIPE);
            self.post_to_task(task, Signal::SIGPIPE, info);
            return Err(Errno::EPIPE.into());
        }
        if !self.rows[to].has_room() {
            return Ok(None);
        }
        if keeps && self.pipe_room() == 0 && self.rows[from].bytes > 0 {
            return Err(Errno::ENOMEM.into());
        }
        let (mut moved, mut skip, slots) = (0, 0, self.rows[from].used_slots);
        while moved < count && self.rows[to].has_room() && self.pipe_room() > 0 {
            let at = if keeps { skip } else { 0 };
            let Some(piece) = self.rows[from].piece(at, count - moved) else { break };
            let (len, whole) = (piece.left(), piece.kind);
            skip += len;
            moved += len;
            if let Some(id) = piece.lent {
                self.fs.hold_lent(id);
            }
            if !keeps {
                self.drop_from_pipe(from, len, whole);
            }
            let state = &mut self.rows[to];
            state.bytes += len;
            state.used_slots += piece.slots();
            self.counters.pipe_pages += piece.pages();
            self.counters.pipe_bytes += len;
            let piece = if keeps { piece.sealed() } else { piece };
            self.rows[to].segments.push_back(piece);
        }
        if moved > 0 {
            if !keeps {
                self.pipe_woken(from, WRITERS, 0);
                self.tell_of_slots(from, slots);
            }
            self.pipe_woken(to, READERS, 0);
            self.tell_pipe(to, Reason::Input);
        }
        Ok(Some(moved))
    }

    /// What is in a pipe, up to the count, into a file.
    fn splice_to_file(&mut self, task: TaskRow, from: PipeRow, splicing: Splicing) -> Tried {
        let Target::File(place) = self.rows[splicing.to].target else {
            return Err(Errno::EINVAL.into());
        };
        if !self.takes_pages(place) {
            return Err(Errno::EINVAL.into());
        }
        if self.rows[from].bytes == 0 {
            return Ok((self.rows[from].writers == 0).then_some(0));
        }
        let at = splicing.offset.unwrap_or(self.rows[splicing.to].offset);
        self.part_direct(splicing.to, (at, splicing.count.min(self.rows[from].bytes)));
        let (mut written, slots) = (0, self.rows[from].used_slots);
        while written < splicing.count && self.rows[from].bytes > 0 {
            let data = self.front_bytes(from, splicing.count - written, (place, at + written));
            let here = match self.write_on(task, place, at + written, &data) {
                Ok(answer) => answer.value as u64,
                Err(_) if written > 0 => break,
                Err(stop) => return Err(stop),
            };
            self.drop_front_bytes(from, here);
            written += here;
            if here < data.len() as u64 {
                break;
            }
        }
        self.pipe_woken(from, WRITERS, 0);
        self.tell_of_slots(from, slots);
        Ok(Some(written))
    }

    /// Pages of a file into a pipe. What has none is found out once the pipe has room.
    fn splice_to_pipe(&mut self, task: TaskRow, to: PipeRow, splicing: Splicing) -> Tried {
        let at = splicing.offset.unwrap_or(self.rows[splicing.from].offset);
        let sending = Sending {
            from: splicing.from,
            to: splicing.to,
            own_offset: true,
            at,
            count: splicing.count,
            sent: 0,
        };
        let sent = self.put_pages(task, to, sending)?;
        Ok(sent.map(|answer| answer.value as u64))
    }
}

/// The answer, after the offset of the file has moved or is told.
fn spliced(kernel: &mut Kernel, splicing: Splicing, moved: u64) -> Answer {
    let reads = kernel.pipe_behind(splicing.from).is_none();
    let file = if reads { splicing.from } else { splicing.to };
    let is_place = match kernel.rows[file].target {
        Target::File(place) => !kernel.is_device(place),
        Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => false,
    };
    let step = if is_place { moved } else { 0 };
    match splicing.offset {
        Some(at) if reads => offsets(moved as i64, Some((at + step) as i64), None),
        Some(at) => offsets(moved as i64, None, Some((at + step) as i64)),
        None => {
            kernel.rows[file].offset += step;
            Answer::value(moved as i64)
        }
    }
}

/// What a blocked one holds, to be released or counted.
impl Splicing {
    pub(crate) fn held(&self) -> [DescriptionRow; 2] {
        [self.from, self.to]
    }
}
