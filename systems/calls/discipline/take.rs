//! What a read takes out of the input (termios(3)): a line or a part of it, or bytes.

use super::Happened;
use crate::abi::Errno;
use crate::abi::termios::*;
use crate::calls::terminal_io::{READ_PART_BYTES, Reading};
use crate::components::terminal::{End, INPUT_BYTES, Terminal};
use crate::rows::DescriptionRow;
use crate::wire::Bytes;
use alloc::vec::Vec;

/// Input at which a reader that goes on lets the other side write more.
const LOW_BYTES: u64 = 128;
/// The unit of VTIME.
const TENTH_NS: u64 = 100_000_000;

impl Terminal {
    /// Whether there is something to read: a line, or so many bytes.
    pub(crate) fn has_input(&self, end: End, least: u64) -> bool {
        let line = self.line(end);
        if self.reads_lines(end) {
            line.canon != line.tail
        } else {
            line.commit.saturating_sub(line.tail) >= least
        }
    }

    /// How many bytes poll(2) wants before it says that there is input.
    pub(crate) fn polled_bytes(&self, end: End) -> u64 {
        let [least, time] = [VMIN, VTIME].map(|place| self.character(place));
        if end == End::Slave && time == 0 && least > 0 { u64::from(least) } else { 1 }
    }

    /// Takes up to `room` bytes; whether the same read may go on with what is left.
    pub(crate) fn take(&mut self, end: End, room: u64, out: &mut Vec<u8>) -> bool {
        if self.reads_lines(end) {
            self.take_line(end, room, out)
        } else {
            self.take_bytes(end, room, out)
        }
    }

    fn take_line(&mut self, end: End, room: u64, out: &mut Vec<u8>) -> bool {
        let line = self.line_mut(end);
        let count = room.min(line.canon.saturating_sub(line.tail));
        if count == 0 {
            return false;
        }
        let found = line.ends.front().copied().filter(|at| *at < line.tail + count);
        let last = found.unwrap_or(line.tail + count - 1);
        // A byte 0 that ends a line is VEOF: it is read past and not given.
        let given = if found.is_some() && line.byte(last) == 0 { last } else { last + 1 };
        line.copy_to(line.tail, given, out);
        line.tail = last + 1;
        if found.is_some() {
            line.ends.pop_front();
            return false;
        }
        line.tail != line.canon
    }

    /// A read that is full takes the VEOF behind it along.
    pub(crate) fn skip_end_of_file(&mut self, end: End) {
        if !self.reads_lines(end) {
            return;
        }
        let line = self.line_mut(end);
        let is_end = line.tail != line.canon
            && line.ends.front() == Some(&line.tail)
            && line.byte(line.tail) == 0;
        if is_end {
            line.ends.pop_front();
            line.tail += 1;
        }
    }

    fn take_bytes(&mut self, end: End, room: u64, out: &mut Vec<u8>) -> bool {
        let skips = end == End::Slave && self.l(EXTPROC) && self.l(ICANON);
        let end_of_file = self.character(VEOF);
        let line = self.line_mut(end);
        let count = room.min(line.commit.saturating_sub(line.tail));
        if count == 0 {
            return false;
        }
        let (from, to) = (line.tail, line.tail + count);
        let single = count == 1 && line.byte(from) == end_of_file;
        line.tail = to;
        while line.ends.front().is_some_and(|at| *at < to) {
            line.ends.pop_front();
        }
        if skips && single && line.commit == to {
            return false;
        }
        line.copy_to(from, to, out);
        line.commit != to
    }

    /// After something was taken: what waits on the way comes in, and who writes goes on.
    pub(crate) fn unthrottle(&mut self, end: End, happened: &mut Happened) {
        let lines = end == End::Slave && self.l(ICANON);
        let line = self.line(end);
        // Where bytes are read and no lines, their end is far behind: a huge number, as in Linux.
        let ready = if lines { line.canon } else { line.commit }.wrapping_sub(line.tail);
        if ready <= LOW_BYTES {
            self.hand_over_if_waiting(end, happened);
            happened.writable[end.other().at()] = true;
            happened.has_room[end.other().at()] = true;
        }
    }

    /// What waits on the way comes in: at the end of a read, after a flush.
    pub(crate) fn let_in(&mut self, end: End, happened: &mut Happened) {
        self.hand_over_if_waiting(end, happened);
    }

    /// FIONREAD: lines that are whole, or all bytes.
    pub(crate) fn readable_bytes(&self, end: End) -> u64 {
        let line = self.line(end);
        if !self.reads_lines(end) {
            return line.unread();
        }
        let ready = line.canon.saturating_sub(line.tail);
        // Linux does not look for VEOF in input that is full.
        if ready.is_multiple_of(INPUT_BYTES) {
            return ready;
        }
        let ends = line.ends.iter().filter(|at| **at < line.canon && line.byte(**at) == 0);
        ready - ends.count() as u64
    }
}

impl Terminal {
    /// A read that goes on takes another part; whether there may be more.
    pub(crate) fn take_rest(&mut self, end: End, count: u64, out: &mut Vec<u8>) -> bool {
        let left = count - out.len() as u64;
        if left == 0 {
            self.skip_end_of_file(end);
            return false;
        }
        self.take(end, left.min(READ_PART_BYTES), out)
    }
}

/// When and how a read looks at an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// The slave was hung up after it was opened.
    pub(crate) hung_up: bool,
    /// The clock.
    pub(crate) now_ns: u64,
}

impl Terminal {
    /// VMIN of an end.
    fn least(&self, end: End) -> u64 {
        match end {
            End::Slave => u64::from(self.character(VMIN)),
            End::Master => 1,
        }
    }

    /// VTIME of an end in ns.
    fn time_ns(&self, end: End) -> u64 {
        match end {
            End::Slave => u64::from(self.character(VTIME)) * TENTH_NS,
            End::Master => 0,
        }
    }

    /// When a read that begins now is over whatever comes: with VMIN 0 VTIME counts from the start.
    pub(crate) fn deadline_ns(&self, end: End, now_ns: u64) -> Option<u64> {
        let lines = end == End::Slave && self.l(ICANON);
        let from_start = !lines && self.least(end) == 0;
        from_start.then(|| now_ns.saturating_add(self.time_ns(end)))
    }

    /// A read of an end that begins now.
    pub(crate) fn reading(
        &self,
        row: DescriptionRow,
        end: End,
        (fd, count): (i32, u64),
    ) -> Reading {
        let lines = end == End::Slave && self.l(ICANON);
        let least = if lines { 0 } else { self.least(end) };
        Reading {
            description: row,
            fd,
            count,
            data: Bytes::default(),
            least: if lines { 0 } else { least.max(1) },
            time_ns: if least > 0 { self.time_ns(end) } else { 0 },
            packet: self.packet && end == End::Master,
            onward: None,
        }
    }

    /// Takes what is there; whether the read is over.
    pub(crate) fn take_parts(
        &mut self,
        end: End,
        look: Look,
        reading: &mut Reading,
        deadline_ns: &mut Option<u64>,
        happened: &mut Happened,
    ) -> Result<bool, Errno> {
        let expired = deadline_ns.is_some_and(|at| at <= look.now_ns);
        let gone = match end {
            End::Master => self.slave_left,
            End::Slave => !self.master_open,
        };
        let part = reading.count.min(READ_PART_BYTES);
        let data = &mut reading.data.0;
        while (data.len() as u64) < part {
            if reading.packet && self.status != 0 {
                if data.is_empty() {
                    data.push(core::mem::take(&mut self.status));
                }
                return Ok(true);
            }
            if !self.has_input(end, 1) {
                self.hand_over(end, happened);
            }
            if !self.has_input(end, 1) {
                return match () {
                    () if gone => Err(Errno::EIO),
                    () => Ok(look.hung_up || expired),
                };
            }
            if reading.packet && data.is_empty() {
                data.push(0);
            }
            let lines = self.reads_lines(end);
            let more = self.take(end, part - data.len() as u64, data);
            if more && (lines || data.len() as u64 >= reading.least) {
                while self.take_rest(end, reading.count, data) {}
                self.unthrottle(end, happened);
                return Ok(true);
            }
            self.unthrottle(end, happened);
            if data.len() as u64 >= reading.least {
                return Ok(true);
            }
            if reading.time_ns > 0 {
                *deadline_ns = Some(look.now_ns.saturating_add(reading.time_ns));
            }
        }
        Ok(true)
    }
}
