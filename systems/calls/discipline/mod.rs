//! The line discipline (termios(3), ioctl_tty(2)): what becomes of bytes between the two ends of a
//! terminal. Acts on one [`Terminal`] alone; what it does to others (signals, calls to wake) is
//! told to the caller.
//!
//! `input.rs` takes what arrives, `edit.rs` erases, `echo.rs` and `output.rs` write, `settings.rs`
//! changes the rules. All of it is Linux 6.18's n_tty, found by experiment where the man pages are
//! silent. Not here: parity, breaks and modem lines, which no pseudo-terminal has.

mod echo;
mod edit;
mod input;
mod output;
mod settings;
pub(crate) mod take;

use crate::abi::Signal;
use crate::abi::termios::*;
use crate::components::terminal::{End, Line, Terminal};
use alloc::vec::Vec;

/// What the kernel must do about it.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    /// Signals to the foreground group, in order, each with the group of its time.
    pub(crate) signals: Vec<(u32, Signal)>,
    /// By end: calls that wait for input look again.
    pub(crate) readable: [bool; 2],
    /// The settings are new.
    pub(crate) settings: bool,
    /// By end: calls that wait for room look again.
    pub(crate) writable: [bool; 2],
    /// By end: how often who is told by signals is told of input (`notices.rs`).
    pub(crate) told: [u32; 2],
    /// By end: whether who found no room is told of some.
    pub(crate) has_room: [bool; 2],
}

/// Whether a byte is a control character, as the kernel's table says.
const fn is_control(byte: u8) -> bool {
    byte < 32 || byte == 127
}

/// Latin-1's capital letters are the others less this.
const CASE: u8 = 32;

const fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte >= 0xc0 && byte <= 0xde && byte != 0xd7
}

const fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte >= 0xdf && byte != 0xf7
}

const fn to_upper(byte: u8) -> u8 {
    if is_lower(byte) { byte - CASE } else { byte }
}

const fn to_lower(byte: u8) -> u8 {
    if is_upper(byte) { byte + CASE } else { byte }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_digit() || is_upper(byte) || is_lower(byte) || byte == b'_'
}

impl Terminal {
    fn line(&self, end: End) -> &Line {
        &self.lines[end.at()]
    }

    fn line_mut(&mut self, end: End) -> &mut Line {
        &mut self.lines[end.at()]
    }

    /// The slave's: the only one whose settings can be other than raw.
    fn own(&mut self) -> &mut Line {
        &mut self.lines[End::Slave.at()]
    }

    /// Whether an input mode is set.
    const fn i(&self, flag: u32) -> bool {
        self.termios.iflag & flag != 0
    }

    const fn o(&self, flag: u32) -> bool {
        self.termios.oflag & flag != 0
    }

    pub(crate) const fn l(&self, flag: u32) -> bool {
        self.termios.lflag & flag != 0
    }

    /// A control character.
    pub(crate) fn character(&self, place: u8) -> u8 {
        self.termios.cc[usize::from(place)]
    }

    /// Whether a byte is this control character, which is not switched off.
    fn is(&self, byte: u8, place: u8) -> bool {
        byte != 0 && byte == self.character(place)
    }

    /// Whether input is read line by line.
    pub(crate) fn reads_lines(&self, end: End) -> bool {
        end == End::Slave && self.l(ICANON) && !self.l(EXTPROC)
    }

    /// Whether output is processed.
    pub(crate) fn processes_output(&self, end: End) -> bool {
        end == End::Slave && self.o(OPOST)
    }

    /// A byte that goes on with a character of UTF-8.
    const fn continues(&self, byte: u8) -> bool {
        self.i(IUTF8) && byte & 0xc0 == 0x80
    }

    /// What an end may still write.
    pub(crate) fn room(&self, end: End) -> u64 {
        if self.line(end).stopped { 0 } else { self.ports[end.other().at()].room() }
    }

    /// Bytes go on their way to the other end; how many.
    fn send(&mut self, from: End, bytes: &[u8]) -> usize {
        if self.line(from).stopped { 0 } else { self.ports[from.other().at()].insert(bytes) }
    }

    /// Output goes on (VSTART, TCOON).
    pub(crate) fn start(&mut self, end: End, happened: &mut Happened) {
        let line = self.line_mut(end);
        if !line.stopped || line.stopped_by_call {
            return;
        }
        line.stopped = false;
        self.tell_flow(end, TIOCPKT_START, TIOCPKT_STOP, happened);
        happened.writable[end.at()] = true;
        happened.has_room[end.at()] = true;
    }

    /// Output stops (VSTOP, TCOOFF).
    pub(crate) fn stop(&mut self, end: End, happened: &mut Happened) {
        if !core::mem::replace(&mut self.line_mut(end).stopped, true) {
            self.tell_flow(end, TIOCPKT_STOP, TIOCPKT_START, happened);
        }
    }

    fn tell_flow(&mut self, end: End, set: u8, clear: u8, happened: &mut Happened) {
        if end == End::Slave && self.packet {
            self.status = self.status & !clear | set;
            happened.readable[End::Master.at()] = true;
        }
    }

    /// Packet mode: something has happened to the slave.
    fn tell_master(&mut self, status: u8, happened: &mut Happened) {
        if self.packet {
            self.status |= status;
            happened.readable[End::Master.at()] = true;
        }
    }

    /// What an end has sent and was not handed over is thrown away (TCOFLUSH).
    pub(crate) fn flush_output(&mut self, end: End, happened: &mut Happened) {
        self.ports[end.other().at()].flush();
        if end == End::Slave {
            self.tell_master(TIOCPKT_FLUSHWRITE, happened);
        }
    }

    /// What has arrived at an end is thrown away (TCIFLUSH); what waits on the way can come in
    /// (`let_in`), under the settings that hold then.
    pub(crate) fn flush_input(&mut self, end: End, happened: &mut Happened) {
        self.line_mut(end).reset();
        if end == End::Slave {
            self.tell_master(TIOCPKT_FLUSHREAD, happened);
        }
    }
}
