//! Echoes (termios(3), `ECHO` and its kin): kept as what is to be shown, because only when it is
//! written does the cursor say how far a tab reaches.

use super::is_control;
use crate::abi::termios::*;
use crate::components::terminal::{ECHO_BYTES, End, Terminal};

/// Before what is no plain byte.
const OPERATION: u8 = 0xff;
/// The cursor goes one column back without a byte.
const BACK: u8 = 0x80;
/// The line begins where the cursor is.
const LINE_BEGINS: u8 = 0x81;
/// A tab is erased; how many columns stand before it in its part of the line follows.
const ERASE_TAB: u8 = 0x82;
/// Set in that number if it is counted from a tab and not from the beginning of the line.
const AFTER_TAB: u8 = 0x80;
/// Echoes are written when so many have come.
pub(super) const BLOCK_BYTES: u64 = 256;
/// So many wait at most: the oldest are lost.
const DISCARD_BYTES: u64 = ECHO_BYTES - (BLOCK_BYTES + 32);

impl Terminal {
    /// A byte as it is.
    pub(super) fn echo_raw(&mut self, byte: u8) {
        if byte == OPERATION {
            self.own().put_echo(OPERATION);
        }
        self.own().put_echo(byte);
    }

    /// A byte, a control character as `^X` if so set.
    pub(super) fn echo(&mut self, byte: u8) {
        if byte == OPERATION || self.l(ECHOCTL) && is_control(byte) && byte != b'\t' {
            self.own().put_echo(OPERATION);
        }
        self.own().put_echo(byte);
    }

    pub(super) fn echo_back(&mut self) {
        self.own().put_echo(OPERATION);
        self.own().put_echo(BACK);
    }

    /// The first byte of a line is about to be echoed.
    pub(super) fn echo_line_begins(&mut self) {
        let line = self.own();
        if line.canon == line.head {
            line.put_echo(OPERATION);
            line.put_echo(LINE_BEGINS);
        }
    }

    pub(super) fn echo_erase_tab(&mut self, columns: u32, after_tab: bool) {
        let columns = (columns & 7) as u8;
        self.own().put_echo(OPERATION);
        self.own().put_echo(ERASE_TAB);
        self.own().put_echo(columns | if after_tab { AFTER_TAB } else { 0 });
    }

    /// What was erased with `ECHOPRT` ends.
    pub(super) fn finish_erasing(&mut self) {
        if core::mem::take(&mut self.own().erasing) {
            self.echo_raw(b'/');
        }
    }

    /// After each byte: echoes are written in blocks.
    pub(super) fn commit_echoes(&mut self) {
        let line = self.own();
        line.echo_mark = line.echo_head;
        let old = line.echo_commit.wrapping_sub(line.echo_tail);
        let new = line.echo_head - line.echo_tail;
        if new < BLOCK_BYTES || new % BLOCK_BYTES > old % BLOCK_BYTES {
            return;
        }
        line.echo_commit = line.echo_head;
        self.write_echoes();
    }

    /// Before a write of its own, and when output goes on.
    pub(crate) fn process_echoes(&mut self) {
        let line = self.own();
        if line.echo_mark > line.echo_tail {
            line.echo_commit = line.echo_mark;
            self.write_echoes();
        }
    }

    /// At the end of what has arrived.
    pub(super) fn flush_echoes(&mut self) {
        let echoes = self.l(ECHO) || self.l(ECHONL);
        let line = self.own();
        if echoes && line.echo_commit != line.echo_head {
            line.echo_commit = line.echo_head;
            self.write_echoes();
        }
    }

    fn write_echoes(&mut self) {
        let mut room = self.room(End::Slave);
        let commit = self.own().echo_commit;
        let mut tail = self.own().echo_tail;
        while tail < commit && tail % ECHO_BYTES != commit % ECHO_BYTES {
            let run = self.write_plain_echoes(tail, commit, room);
            if run > 0 {
                (tail, room) = (tail + run, room - run);
                continue;
            }
            let byte = self.own().echo_byte(tail);
            let written = if byte == OPERATION {
                self.write_operation(&mut tail, room)
            } else {
                let written = self.write_echo(byte, room);
                tail += u64::from(written.is_some());
                written
            };
            match written {
                Some(taken) => room -= taken.min(room),
                None => break,
            }
        }
        let line = self.own();
        while commit > tail && commit - tail >= DISCARD_BYTES {
            tail += match (line.echo_byte(tail), line.echo_byte(tail + 1)) {
                (OPERATION, ERASE_TAB) => 3,
                (OPERATION, _) => 2,
                _ => 1,
            };
        }
        line.echo_tail = tail;
    }

    /// Writes echoes up to the first that is more than its byte, as `write_echo` would one by one;
    /// how many those are.
    fn write_plain_echoes(&mut self, tail: u64, commit: u64, room: u64) -> u64 {
        let (processes, continues) = (self.o(OPOST), self.i(IUTF8));
        let waiting = commit - tail;
        if processes && self.o(OLCUC) || waiting >= ECHO_BYTES {
            return 0;
        }
        let at = tail % ECHO_BYTES;
        let end = at + waiting.min(room).min(ECHO_BYTES - at);
        let line = &mut self.lines[End::Slave.at()];
        let echoes = line.echo.get(at as usize..end as usize).unwrap_or_default();
        let is_plain = |byte: &&u8| **byte != OPERATION && !is_control(**byte);
        let run = echoes.iter().take_while(is_plain).count();
        if processes {
            let goes_on = |byte: &&u8| **byte & 0xc0 == 0x80;
            let narrow = if continues { echoes[..run].iter().filter(goes_on).count() } else { 0 };
            line.column = line.column.wrapping_add((run - narrow) as u32);
        }
        self.ports[End::Master.at()].insert_singly(&echoes[..run]);
        run as u64
    }

    fn write_echo(&mut self, byte: u8, room: u64) -> Option<u64> {
        if self.o(OPOST) {
            return self.write_byte(byte, room);
        }
        (room > 0).then(|| self.send(End::Slave, &[byte]) as u64).map(|_| 1)
    }

    /// What is no plain byte; the room that it took, `None` if that is not there.
    fn write_operation(&mut self, tail: &mut u64, room: u64) -> Option<u64> {
        let operation = self.own().echo_byte(*tail + 1);
        let mut length = 2;
        let taken = match operation {
            ERASE_TAB => {
                let columns = u32::from(self.own().echo_byte(*tail + 2));
                let before = match columns & u32::from(AFTER_TAB) {
                    0 => columns.wrapping_add(self.own().canon_column),
                    _ => columns,
                };
                let back = u64::from(8 - (before & 7));
                if back > room {
                    return None;
                }
                for _ in 0..back {
                    self.send(End::Slave, &[8]);
                    self.own().column = self.own().column.saturating_sub(1);
                }
                length = 3;
                back
            }
            LINE_BEGINS => {
                self.own().canon_column = self.own().column;
                0
            }
            BACK => {
                self.own().column = self.own().column.saturating_sub(1);
                0
            }
            OPERATION => {
                if room == 0 {
                    return None;
                }
                self.send(End::Slave, &[OPERATION]);
                self.own().column = self.own().column.wrapping_add(1);
                1
            }
            control => {
                if room < 2 {
                    return None;
                }
                self.send(End::Slave, b"^");
                self.send(End::Slave, &[control ^ 0o100]);
                self.own().column = self.own().column.wrapping_add(2);
                2
            }
        };
        *tail += length;
        Some(taken)
    }
}
