//! What goes through a terminal (termios(3), pty(7)): read(2) with VMIN and VTIME, write(2),
//! poll(2).
//!
//! Linux copies a read in parts of 64 bytes and a write in parts of 2,048, and both show: VMIN
//! beyond 64 is 64, and TOSTOP is looked at anew with every part. One call reads, and one writes,
//! at a time: others wait for their turn, or get EAGAIN. Found by experiment on Linux 6.18.

use crate::abi::Errno;
use crate::abi::Signal;
use crate::abi::flags::*;
use crate::abi::termios::*;
use crate::calls::discipline::Happened;
use crate::calls::discipline::take::Look;
use crate::calls::job_control::Turn;
use crate::components::terminal::{End, Side};
use crate::components::{Restart, Waiting};
use crate::event::{Answer, Call};
use crate::fs::Place;
use crate::kernel::{CallResult, Kernel, Stop, WakeMode};
use crate::rows::{DescriptionRow, TaskRow};
use crate::wire::{Bytes, Wire};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Bytes that a read takes before it looks at VMIN.
pub(crate) const READ_PART_BYTES: u64 = 64;
/// Bytes of one part of a write.
pub(super) const WRITE_PART_BYTES: u64 = 2048;

/// A read that waits, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The description.
    pub(crate) description: DescriptionRow,
    /// Its number, under which the call is made again after a signal.
    pub(crate) fd: i32,
    /// How many bytes at most.
    pub(crate) count: u64,
    /// What it has taken.
    pub(crate) data: Bytes,
    /// VMIN as it was when the read began.
    pub(crate) least: u64,
    /// VTIME, which counts from every byte.
    pub(crate) time_ns: u64,
    /// It began in packet mode.
    pub(crate) packet: bool,
    /// What it reads goes into a pipe.
    pub(crate) onward: Option<Onward>,
}

/// Where a splice(2) or sendfile(2) puts what it reads from a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Onward {
    /// The description of the pipe.
    pub(crate) pipe: DescriptionRow,
    /// Its number.
    pub(crate) fd: i32,
    /// How much was asked for: the pipe may have room for less.
    pub(crate) len: u64,
    /// Those of splice(2); `None` for sendfile(2).
    pub(crate) flags: Option<u32>,
}

impl Onward {
    /// The call, to be made again, that reads from a number.
    pub(crate) fn call(&self, from: i32) -> Call<'static> {
        let Self { fd, len, flags, .. } = *self;
        match flags {
            None => Call::Sendfile { out_fd: fd, in_fd: from, offset: None, count: len },
            Some(flags) => {
                let (off_in, off_out) = (None, None);
                Call::Splice { fd_in: from, off_in, fd_out: fd, off_out, len, flags }
            }
        }
    }
}

/// A write that waits, or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writing {
    /// The description.
    pub(crate) description: DescriptionRow,
    /// Its number, under which the call is made again after a signal.
    pub(crate) fd: i32,
    /// All the bytes.
    pub(crate) data: Bytes,
    /// How many are written.
    pub(crate) written: u64,
}

/// What a try to write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The call is over.
    Over,
    /// There is no room for the rest.
    Full,
    /// Its group got SIGTTOU.
    Background,
}

impl Reading {
    /// The call, to be made again.
    pub(crate) fn call(&self) -> Call<'static> {
        read_call(self.fd, self.count, self.onward)
    }

    /// The answer of one that is over. What goes into a pipe is put there when the call is left.
    pub(crate) fn answer(&mut self) -> Answer {
        match self.onward {
            None => Answer::data(core::mem::take(&mut self.data.0)),
            Some(_) => Answer::value(self.data.0.len() as i64),
        }
    }
}

fn read_call(fd: i32, count: u64, onward: Option<Onward>) -> Call<'static> {
    onward.map_or(Call::Read { fd, count }, |onward| onward.call(fd))
}

impl Writing {
    /// The call, to be made again.
    pub(crate) fn call(&self) -> Call<'_> {
        Call::Write { fd: self.fd, data: &self.data.0 }
    }
}

impl Kernel {
    /// read(2), and what it does to the device's node.
    pub(crate) fn read_device_of(
        &mut self,
        task: TaskRow,
        fd: i32,
        row: DescriptionRow,
        (side, place): (Side, Place),
        count: u64,
    ) -> CallResult {
        let answer = self.read_terminal(task, fd, row, side, count)?;
        if answer.value > 0 {
            self.fs.tell_of_open(place, IN_ACCESS);
        }
        Ok(answer)
    }

    /// write(2), and what it does to the device's node.
    pub(crate) fn write_device_of(
        &mut self,
        task: TaskRow,
        fd: i32,
        row: DescriptionRow,
        (side, place): (Side, Place),
        data: &[u8],
    ) -> CallResult {
        let answer = self.write_terminal(task, fd, row, side, data)?;
        if answer.value > 0 {
            self.fs.tell_of_open(place, IN_MODIFY);
        }
        Ok(answer)
    }

    /// read(2).
    pub(crate) fn read_terminal(
        &mut self,
        task: TaskRow,
        fd: i32,
        row: DescriptionRow,
        side: Side,
        count: u64,
    ) -> CallResult {
        if self.is_hung_up(side) {
            return Ok(Answer::data(Vec::new()));
        }
        self.begin_terminal_read(task, (fd, row), side, count, None)
    }

    /// A read of an end that is not hung up, for its caller or into a pipe.
    pub(super) fn begin_terminal_read(
        &mut self,
        task: TaskRow,
        (fd, row): (i32, DescriptionRow),
        side: Side,
        count: u64,
        onward: Option<Onward>,
    ) -> CallResult {
        let Side { terminal, end, .. } = side;
        let call = read_call(fd, count, onward);
        if end == End::Slave {
            if self.rows[terminal].slave_failed {
                return Err(Errno::EIO.into());
            }
            if self.check_turn(task, terminal, Signal::SIGTTIN)? == Turn::Again {
                return Err(self.again_after_signal(&call));
            }
        }
        let nonblock = self.rows[row].nonblocking();
        if self.rows[terminal].lines[end.at()].read_locked {
            return match nonblock {
                true => Err(Errno::EAGAIN.into()),
                false => Err(self.wait_for_lock(row, true, &call)),
            };
        }
        let state = &self.rows[terminal];
        let mut reading = state.reading(row, end, (fd, count.min(self.max_bytes)));
        reading.onward = onward;
        let mut deadline_ns = state.deadline_ns(end, self.now_ns);
        match self.try_terminal_read(&mut reading, &mut deadline_ns) {
            Ok(true) => Ok(self.end_terminal_read(reading)),
            Ok(false) if !nonblock => {
                self.rows[row].refs += 1;
                if let Some(onward) = onward {
                    self.rows[onward.pipe].refs += 1;
                }
                self.rows[terminal].lines[end.at()].read_locked = true;
                let on = Waiting::TerminalRead(Box::new(reading));
                Err(Stop::block(on, deadline_ns, Restart::WithFlag))
            }
            Ok(false) if reading.data.0.is_empty() => Err(Errno::EAGAIN.into()),
            Ok(false) => Ok(self.end_terminal_read(reading)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// One that did not have to wait.
    fn end_terminal_read(&mut self, mut reading: Reading) -> Answer {
        if let Some(onward) = reading.onward {
            self.hand_onward(&onward, &reading.data.0);
        }
        reading.answer()
    }

    /// Takes what is there; whether the read is over.
    pub(crate) fn try_terminal_read(
        &mut self,
        reading: &mut Reading,
        deadline_ns: &mut Option<u64>,
    ) -> Result<bool, Errno> {
        let Some(side) = self.rows[reading.description].terminal else { return Err(Errno::EIO) };
        let mut happened = Happened::default();
        let before = self.rows[side.terminal].lines[side.end.at()].tail;
        let over = self.take_parts(side, reading, deadline_ns, &mut happened);
        if self.rows[side.terminal].lines[side.end.at()].tail != before {
            self.rows[side.terminal].let_in(side.end, &mut happened);
        }
        self.settle_terminal(side.terminal, &mut happened);
        self.after_terminal(side.terminal, happened);
        match over {
            Err(_) if !reading.data.0.is_empty() => Ok(true),
            over => over,
        }
    }

    fn take_parts(
        &mut self,
        side: Side,
        reading: &mut Reading,
        deadline_ns: &mut Option<u64>,
        happened: &mut Happened,
    ) -> Result<bool, Errno> {
        let look = Look { hung_up: self.is_hung_up(side), now_ns: self.now_ns };
        self.rows[side.terminal].take_parts(side.end, look, reading, deadline_ns, happened)
    }

    /// What a read of so many bytes would give now; `None` if it would wait.
    ///
    /// # Errors
    /// Those of read(2) on an end whose other side is gone.
    pub(crate) fn terminal_read_view(
        &self,
        row: DescriptionRow,
        side: Side,
        count: u64,
    ) -> Result<Option<Vec<u8>>, Errno> {
        let Side { terminal, end, .. } = side;
        if self.is_hung_up(side) {
            return Ok(Some(Vec::new()));
        }
        if end == End::Slave && self.rows[terminal].slave_failed {
            return Err(Errno::EIO);
        }
        let mut state = self.rows[terminal].clone();
        let look = Look { hung_up: false, now_ns: self.now_ns };
        let mut reading = state.reading(row, end, (-1, count));
        let mut deadline_ns = state.deadline_ns(end, self.now_ns);
        let over =
            state.take_parts(end, look, &mut reading, &mut deadline_ns, &mut Happened::default());
        match over {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(reading.data.0)),
            Err(errno) if reading.data.0.is_empty() => Err(errno),
            Err(_) => Ok(Some(reading.data.0)),
        }
    }

    /// write(2).
    pub(crate) fn write_terminal(
        &mut self,
        task: TaskRow,
        fd: i32,
        row: DescriptionRow,
        side: Side,
        data: &[u8],
    ) -> CallResult {
        let Side { terminal, end, .. } = side;
        if self.is_hung_up(side) || end == End::Slave && self.rows[terminal].slave_failed {
            return Err(Errno::EIO.into());
        }
        let nonblock = self.rows[row].nonblocking();
        if self.rows[terminal].lines[end.at()].write_locked {
            return match nonblock {
                true => Err(Errno::EAGAIN.into()),
                false => Err(self.wait_for_lock(row, false, &Call::Write { fd, data })),
            };
        }
        let mut written = 0;
        let done = self.try_terminal_write(task, side, data, &mut written, nonblock, false);
        if nonblock && written < data.len() as u64 {
            self.want_room_of_terminal(terminal, end);
        }
        match done? {
            Written::Over => Ok(Answer::value(written as i64)),
            Written::Background => Err(self.again_after_signal(&Call::Write { fd, data })),
            Written::Full if nonblock => Err(Errno::EAGAIN.into()),
            Written::Full => {
                self.rows[row].refs += 1;
                self.rows[terminal].lines[end.at()].write_locked = true;
                let data = Bytes(data.to_vec());
                let writing = Writing { description: row, fd, data, written };
                let on = Waiting::TerminalWrite(Box::new(writing));
                let restart = Restart::WithFlag;
                Err(Stop::block(on, None, restart))
            }
        }
    }

    /// Writes what there is room for. An error is told only if nothing was written. `resumed`: in
    /// the middle of a part.
    pub(crate) fn try_terminal_write(
        &mut self,
        task: TaskRow,
        side: Side,
        data: &[u8],
        written: &mut u64,
        nonblock: bool,
        resumed: bool,
    ) -> Result<Written, Errno> {
        let result = self.write_parts(task, side, data, written, nonblock, resumed);
        match result {
            Err(_) | Ok(Written::Background) if *written > 0 => Ok(Written::Over),
            Ok(Written::Full) if nonblock && *written > 0 => Ok(Written::Over),
            result => result,
        }
    }

    fn write_parts(
        &mut self,
        task: TaskRow,
        side: Side,
        data: &[u8],
        written: &mut u64,
        nonblock: bool,
        resumed: bool,
    ) -> Result<Written, Errno> {
        let Side { terminal, end, .. } = side;
        let length = data.len() as u64;
        let most = written.saturating_add(self.max_bytes).min(length);
        let mut begins = !resumed;
        loop {
            if begins && end == End::Slave {
                if self.rows[terminal].l(TOSTOP)
                    && self.check_turn(task, terminal, Signal::SIGTTOU)? == Turn::Again
                {
                    return Ok(Written::Background);
                }
                self.rows[terminal].process_echoes();
            }
            let part_end = match begins {
                true => *written + WRITE_PART_BYTES,
                false => (*written / WRITE_PART_BYTES + 1) * WRITE_PART_BYTES,
            };
            let part_end = part_end.min(most);
            let before = *written;
            let full = self.write_part(side, data, written, part_end)?;
            if *written == length {
                return Ok(Written::Over);
            }
            if full && !(nonblock && *written > before) || *written == most {
                return Ok(Written::Full);
            }
            begins = true;
        }
    }

    /// A read that waits tries again.
    pub(crate) fn go_on_reading(
        &mut self,
        reading: &mut Reading,
        deadline_ns: &mut Option<u64>,
    ) -> Result<Option<Answer>, Errno> {
        if let Some(onward) = &reading.onward {
            let room = self.room_onward(onward);
            if room <= reading.data.0.len() as u64 {
                return Ok(None);
            }
            reading.count = room;
        }
        let over = self.try_terminal_read(reading, deadline_ns)?;
        Ok(over.then(|| reading.answer()))
    }

    /// A write that waits tries again.
    pub(crate) fn go_on_writing(
        &mut self,
        task: TaskRow,
        writing: &mut Writing,
    ) -> Result<Option<Answer>, Errno> {
        let Some(side) = self.rows[writing.description].terminal else { return Err(Errno::EIO) };
        // O_NONBLOCK may have been set since.
        let nonblock = self.rows[writing.description].nonblocking();
        let data = core::mem::take(&mut writing.data);
        let mut written = writing.written;
        let tried = self.try_terminal_write(task, side, &data.0, &mut written, nonblock, true);
        (writing.data, writing.written) = (data, written);
        Ok(match tried? {
            // Only a call that has written nothing would be made again.
            Written::Over | Written::Background => Some(Answer::value(written as i64)),
            Written::Full if nonblock => return Err(Errno::EAGAIN),
            Written::Full => None,
        })
    }

    /// One part, as far as there is room; whether there was not enough.
    fn write_part(
        &mut self,
        side: Side,
        data: &[u8],
        written: &mut u64,
        part_end: u64,
    ) -> Result<bool, Errno> {
        let Side { terminal, end, .. } = side;
        loop {
            if self.is_hung_up(side) || end == End::Slave && !self.rows[terminal].master_open {
                return Err(Errno::EIO);
            }
            let rest = data.get(*written as usize..part_end as usize).unwrap_or_default();
            let mut happened = Happened::default();
            let count = self.rows[terminal].write(end, rest) as u64;
            self.settle_terminal(terminal, &mut happened);
            self.after_terminal(terminal, happened);
            *written += count;
            if *written >= part_end {
                return Ok(false);
            }
            // What has arrived meanwhile may have made room.
            let auto = self.config.wake == WakeMode::Auto;
            if count == 0 || !auto || self.rows[terminal].room(end) == 0 {
                return Ok(true);
            }
        }
    }

    /// Another call reads or writes: this one is made when that is over.
    pub(crate) fn wait_for_lock(
        &mut self,
        row: DescriptionRow,
        reads: bool,
        call: &Call<'_>,
    ) -> Stop {
        self.rows[row].refs += 1;
        let mut bytes = Bytes::default();
        call.put(&mut bytes.0);
        let on = Waiting::TerminalTurn { description: row, reads, call: bytes };
        Stop::block(on, None, Restart::WithFlag)
    }

    /// A call that read or wrote is over: the next one may.
    pub(crate) fn unlock_terminal(&mut self, row: DescriptionRow, reads: bool) {
        let Some(Side { terminal, end, .. }) = self.rows[row].terminal else { return };
        let line = &mut self.rows[terminal].lines[end.at()];
        let mut happened = Happened::default();
        if reads {
            line.read_locked = false;
            happened.readable[end.at()] = true;
        } else {
            line.write_locked = false;
            happened.writable[end.at()] = true;
        }
        self.after_terminal(terminal, happened);
    }

    /// Whether the lock is free that a call waits for, or its pipe has room.
    pub(crate) fn is_unlocked(&self, row: DescriptionRow, reads: bool) -> bool {
        if let Some(pipe) = self.pipe_behind(row) {
            return self.rows[pipe].has_room() || self.rows[pipe].readers == 0;
        }
        let Some(Side { terminal, end, .. }) = self.rows[row].terminal else { return true };
        let line = &self.rows[terminal].lines[end.at()];
        if reads { !line.read_locked } else { !line.write_locked }
    }

    /// The queues of an end of a terminal: of who waits for input, of who waits for room.
    pub(crate) fn watch_terminal(
        &mut self,
        row: DescriptionRow,
        (input, room): (bool, bool),
        since: u64,
        tid: u32,
        enter: bool,
    ) {
        let Some(Side { terminal, end, .. }) = self.rows[row].terminal else { return };
        let line = &mut self.rows[terminal].lines[end.at()];
        let queues = [(input, &mut line.readers), (room, &mut line.writers)];
        for (_, queue) in queues.into_iter().filter(|entry| entry.0) {
            if enter { queue.add(since, tid) } else { queue.remove(since) }
        }
    }

    /// What poll(2) says of an end.
    pub(crate) fn poll_terminal(&self, side: Side) -> u32 {
        const INPUT: u32 = POLLIN | POLLRDNORM;
        const ROOM: u32 = POLLOUT | POLLWRNORM;
        if self.is_hung_up(side) {
            return INPUT | ROOM | POLLERR | POLLHUP;
        }
        let end = side.end;
        let state = &self.rows[side.terminal];
        let mut events = 0;
        if state.has_input(end, state.polled_bytes(end)) {
            events |= INPUT;
        }
        let gone = match end {
            End::Master => {
                if state.packet && state.status != 0 {
                    events |= INPUT | POLLPRI;
                }
                state.slave_left
            }
            End::Slave => !state.master_open,
        };
        if gone {
            events |= POLLHUP;
        }
        if !state.lines[end.at()].write_locked && state.room(end) > 0 {
            events |= ROOM;
        }
        events
    }

    /// Who looks hands over first (OnDemand; in Auto all has arrived).
    pub(crate) fn hand_over_to(&mut self, row: DescriptionRow) {
        let Some(side) = self.rows[row].terminal else { return };
        let mut happened = Happened::default();
        self.rows[side.terminal].hand_over(side.end, &mut happened);
        self.after_terminal(side.terminal, happened);
    }
}
