//! The line discipline of the face's pseudo-terminals (`shared/contract/SEMANTICS.md`, section 5):
//! what becomes of bytes between the two ends. Acts on one [`Pty`] alone, and never by halves: what
//! does not fit changes nothing.
//!
//! Not here, because the contract has none of it: VMIN and VTIME, flow control, packet mode,
//! signals for reads and writes from the background.

use crate::abi::{Errno, Signal};
use crate::components::pty::*;
use crate::components::terminal::End;
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// Backspace: erases as VERASE does.
const BACKSPACE: u8 = 8;
/// What an erased byte shows.
const ERASED: &[u8] = &[BACKSPACE, b' ', BACKSPACE];

/// What a write to the master comes to.
#[derive(Debug, Default)]
struct Typed {
    line: Vec<u8>,
    input: Vec<u8>,
    echo: Vec<u8>,
    /// The input ends behind all of it.
    ended: bool,
    signals: Vec<Signal>,
}

impl Pty {
    /// A write to an end; gives the signals for the foreground group, in order.
    ///
    /// # Errors
    /// `EAGAIN` if not all of it, or not all of its echo, has room: then nothing was written.
    pub(crate) fn write(&mut self, end: End, data: &[u8]) -> Result<Vec<Signal>, Errno> {
        match end {
            End::Master => self.type_in(data),
            End::Slave => self.write_out(data).map(|()| Vec::new()),
        }
    }

    fn write_out(&mut self, data: &[u8]) -> Result<(), Errno> {
        let shown = match self.is_set(PTY_OPOST) && self.is_set(PTY_ONLCR) {
            true => with_returns(data),
            false => Cow::Borrowed(data),
        };
        let end = self.end_mut(End::Master);
        if end.room() < shown.len() as u64 {
            return Err(Errno::EAGAIN);
        }
        end.push(&shown);
        Ok(())
    }

    fn type_in(&mut self, data: &[u8]) -> Result<Vec<Signal>, Errno> {
        // A raw write is refused by its own length, whatever of it is a signal.
        let room = self.end(End::Slave).room();
        if !self.is_set(PTY_ICANON) && room < data.len() as u64 {
            return Err(Errno::EAGAIN);
        }
        let mut typed = Typed { line: core::mem::take(&mut self.line), ..Typed::default() };
        let before = typed.line.clone();
        for byte in data {
            self.type_byte(*byte, &mut typed);
        }
        let echo_room = self.end(End::Master).room();
        if room < typed.input.len() as u64 || echo_room < typed.echo.len() as u64 {
            self.line = before;
            return Err(Errno::EAGAIN);
        }
        self.line = typed.line;
        self.end_mut(End::Master).push(&typed.echo);
        let input = self.end_mut(End::Slave);
        input.push(&typed.input);
        input.ended |= typed.ended;
        Ok(typed.signals)
    }

    fn type_byte(&self, byte: u8, typed: &mut Typed) {
        let byte = if byte == b'\r' && self.is_set(PTY_ICRNL) { b'\n' } else { byte };
        let [interrupt, quit, suspend, end_of_file, erase, _, _] = self.characters;
        if self.is_set(PTY_ISIG) {
            let signals =
                [(interrupt, Signal::SIGINT), (quit, Signal::SIGQUIT), (suspend, Signal::SIGTSTP)];
            if let Some((_, signal)) = signals.into_iter().find(|entry| entry.0 == byte) {
                if self.is_set(PTY_ICANON) {
                    typed.line.clear();
                }
                typed.signals.push(signal);
                return;
            }
        }
        let echoes = self.is_set(PTY_ECHO);
        if !self.is_set(PTY_ICANON) {
            typed.deliver(&[byte]);
            typed.show(echoes, &[byte]);
        } else if byte == end_of_file {
            if typed.line.is_empty() {
                typed.ended = true;
            } else {
                typed.deliver_line();
            }
        } else if byte == erase || byte == BACKSPACE {
            if typed.line.pop().is_some() {
                typed.show(echoes, ERASED);
            }
        } else if byte == b'\n' {
            typed.line.push(byte);
            typed.deliver_line();
            typed.show(echoes, b"\r\n");
        } else if typed.line.len() < PTY_LINE_BYTES {
            typed.line.push(byte);
            typed.show(echoes, &[byte]);
        }
    }
}

impl Typed {
    fn deliver(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.ended = false;
    }

    fn deliver_line(&mut self) {
        let line = core::mem::take(&mut self.line);
        self.deliver(&line);
    }

    fn show(&mut self, echoes: bool, bytes: &[u8]) {
        if echoes {
            self.echo.extend_from_slice(bytes);
        }
    }
}

/// A carriage return before each newline that has none.
fn with_returns(data: &[u8]) -> Cow<'_, [u8]> {
    if !data.contains(&b'\n') {
        return Cow::Borrowed(data);
    }
    let mut shown = Vec::with_capacity(data.len() + 1);
    for byte in data {
        // One that the write before ended with does not count.
        if *byte == b'\n' && shown.last() != Some(&b'\r') {
            shown.push(b'\r');
        }
        shown.push(*byte);
    }
    Cow::Owned(shown)
}
