//! splice(2) and sendfile(2) from and to terminals.
//!
//! Into a terminal goes what a write(2) of the same bytes would write, out of one comes what a
//! read(2) gives (Linux's `iter_file_splice_write` and `copy_splice_read`); only the terminal's
//! O_NONBLOCK says whether they wait. One that was hung up knows neither: EINVAL. Found by
//! experiment on Linux 6.18. There the pipe is locked meanwhile; here others may take from it, and
//! write to the terminal, while a call waits for room.

use super::splice::{Splicing, Tried};
use super::terminal_io::{Onward, WRITE_PART_BYTES, Written};
use super::transfer::Sending;
use crate::abi::flags::*;
use crate::abi::termios::TOSTOP;
use crate::abi::{Errno, Signal};
use crate::calls::job_control::Turn;
use crate::components::pipe::{PAGE_BYTES, PIPE_SLOTS};
use crate::components::terminal::{End, Side};
use crate::components::{Restart, Target, Waiting};
use crate::event::{Answer, Call};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{DescriptionRow, PipeRow, TaskRow};
use crate::wire::{Bytes, Wire};
use alloc::vec::Vec;

impl Kernel {
    /// The end of a terminal that a description is; EINVAL for one that was hung up.
    pub(super) fn spliced_side(&self, row: DescriptionRow) -> Result<Option<Side>, Errno> {
        let side = self.rows[row].terminal;
        if side.is_some_and(|side| self.is_hung_up(side)) { Err(Errno::EINVAL) } else { Ok(side) }
    }

    /// What a terminal has, into a pipe. `no`: a full pipe is not waited for.
    pub(super) fn splice_from_terminal(
        &mut self,
        task: TaskRow,
        (fd, from): (i32, DescriptionRow),
        onward: Onward,
        no: bool,
    ) -> CallResult {
        let Some(side) = self.spliced_side(from)? else { return Err(Errno::EINVAL.into()) };
        let Some(pipe) = self.pipe_behind(onward.pipe) else { return Err(Errno::EINVAL.into()) };
        if self.rows[pipe].readers == 0 {
            let info = self.own_info(task, Signal::SIGPIPE);
            self.post_to_task(task, Signal::SIGPIPE, info);
            return Err(Errno::EPIPE.into());
        }
        if !self.rows[pipe].has_room() {
            if no {
                return Err(Errno::EAGAIN.into());
            }
            // The call is made again when there is room.
            self.rows[onward.pipe].refs += 1;
            let mut call = Bytes::default();
            onward.call(fd).put(&mut call.0);
            let on = Waiting::TerminalTurn { description: onward.pipe, reads: false, call };
            return Err(Stop::block(on, None, Restart::WithFlag));
        }
        if self.pipe_room() == 0 {
            return Err(Errno::ENOMEM.into());
        }
        let count = self.room_onward(&onward);
        let answer = self.begin_terminal_read(task, (fd, from), side, count, Some(onward))?;
        self.tell_of_splice(from, IN_ACCESS, answer.value);
        Ok(answer)
    }

    /// How much of a read fits into its pipe.
    pub(super) fn room_onward(&self, onward: &Onward) -> u64 {
        let Some(pipe) = self.pipe_behind(onward.pipe) else { return 0 };
        let state = &self.rows[pipe];
        let slots = u64::from(state.slots.saturating_sub(state.used_slots));
        onward.len.min(slots.min(self.pipe_room()) * PAGE_BYTES)
    }

    /// What was read goes into its pipe, a page a slot.
    pub(crate) fn hand_onward(&mut self, onward: &Onward, bytes: &[u8]) {
        if let Some(pipe) = self.pipe_behind(onward.pipe) {
            let pages = bytes.chunks(PAGE_BYTES as usize).map(|page| page.len() as u64);
            self.put_buffers(pipe, bytes, &pages.collect::<Vec<_>>());
        }
    }

    /// What is in a pipe, into a terminal; nothing if the call must wait.
    pub(super) fn splice_to_terminal(
        &mut self,
        task: TaskRow,
        (pipe, side): (PipeRow, Side),
        splicing: &mut Splicing,
        resumed: bool,
    ) -> Tried {
        if self.rows[pipe].bytes == 0 || splicing.moved == splicing.count {
            let is_over = self.rows[pipe].writers == 0 || splicing.moved > 0;
            return Ok(is_over.then_some(splicing.moved));
        }
        let data = self.bytes_in_front(pipe, splicing.count - splicing.moved);
        // All that there is now is one write.
        splicing.count = splicing.moved + data.len() as u64;
        let before = splicing.moved;
        let written = &mut splicing.moved;
        let tried = self.write_to_terminal(task, (splicing.to, side), &data, written, resumed);
        self.drop_front(pipe, splicing.moved - before);
        self.tell_of_splice(splicing.to, IN_MODIFY, (splicing.moved - before) as i64);
        tried.map(|over| over.then_some(splicing.moved)).map_err(Stop::from)
    }

    /// sendfile(2) of a file to a terminal; nothing if the call must wait for room.
    pub(super) fn send_to_terminal(
        &mut self,
        task: TaskRow,
        side: Side,
        sending: &mut Sending,
        resumed: bool,
    ) -> Result<Option<Answer>, Stop> {
        let Some(place) = self.place_of(sending.from) else { return Err(Errno::EINVAL.into()) };
        let mut resumed = resumed;
        while sending.sent < sending.count {
            let (at, left) = (sending.at + sending.sent, sending.count - sending.sent);
            let data = match self.read_pages(task, (sending.from, place), at, left, PIPE_SLOTS) {
                Ok(data) if data.is_empty() => break,
                Ok(data) => data,
                Err(_) if sending.sent > 0 => break,
                Err(stop) => return Err(stop),
            };
            let before = sending.sent;
            let end = before + data.len() as u64;
            let to = (sending.to, side);
            let tried = self.write_to_terminal(task, to, &data, &mut sending.sent, resumed);
            self.tell_of_splice(sending.to, IN_MODIFY, (sending.sent - before) as i64);
            // The offset goes along: who ends the call finds it where it is.
            self.sent(Sending { sent: 0, ..*sending }, sending.sent);
            match tried {
                Ok(true) if sending.sent == end => resumed = false,
                Ok(true) => break,
                Ok(false) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Some(self.sent(*sending, sending.sent)))
    }

    /// A write of bytes of which those before `written` are gone; whether it is over.
    fn write_to_terminal(
        &mut self,
        task: TaskRow,
        (row, side): (DescriptionRow, Side),
        data: &[u8],
        written: &mut u64,
        resumed: bool,
    ) -> Result<bool, Errno> {
        let nonblock = self.rows[row].nonblocking();
        let Side { terminal, end, .. } = side;
        if self.rows[terminal].lines[end.at()].write_locked {
            return match (nonblock, *written) {
                (false, _) => Ok(false),
                (true, 0) => Err(Errno::EAGAIN),
                (true, _) => Ok(true),
            };
        }
        if end == End::Slave && self.rows[terminal].slave_failed {
            return Err(Errno::EIO);
        }
        // Parts of a write are counted from its beginning.
        let gone = *written % WRITE_PART_BYTES;
        let mut part = alloc::vec![0; gone as usize];
        part.extend_from_slice(data);
        let mut at = gone;
        let tried = self.try_terminal_write(task, side, &part, &mut at, nonblock, resumed);
        *written += at - gone;
        if nonblock && at < part.len() as u64 {
            self.want_room_of_terminal(terminal, end);
        }
        match tried {
            Ok(Written::Over) => Ok(true),
            Ok(Written::Background) => Ok(false),
            Ok(Written::Full) if !nonblock => Ok(false),
            Ok(Written::Full) | Err(_) if *written > 0 => Ok(true),
            Ok(Written::Full) => Err(Errno::EAGAIN),
            Err(errno) => Err(errno),
        }
    }

    /// Whether a call must be made again after SIGTTOU, before it writes anything (TOSTOP).
    pub(super) fn splice_turn(
        &mut self,
        task: TaskRow,
        side: Side,
        call: &Call<'_>,
    ) -> Result<(), Stop> {
        if self.looks_at_turn(side)
            && self.check_turn(task, side.terminal, Signal::SIGTTOU)? == Turn::Again
        {
            return Err(self.again_after_signal(call));
        }
        Ok(())
    }

    /// Whether a write asks whose turn it is.
    pub(super) fn looks_at_turn(&self, side: Side) -> bool {
        side.end == End::Slave && self.rows[side.terminal].l(TOSTOP)
    }

    /// What inotify(7) is told of a terminal's node.
    fn tell_of_splice(&mut self, row: DescriptionRow, what: u32, moved: i64) {
        if let (Target::File(place), 1..) = (self.rows[row].target, moved) {
            self.fs.tell_of_open(place, what);
        }
    }
}
