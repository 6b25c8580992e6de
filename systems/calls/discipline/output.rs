//! Output (termios(3), `c_oflag`): what a write becomes on its way, and where the cursor is.

use super::{Happened, is_control, to_upper};
use crate::abi::termios::*;
use crate::components::terminal::{End, Terminal};

/// Columns from one tab stop to the next.
const TAB_COLUMNS: u32 = 8;

impl Terminal {
    /// Writes what there is room for; gives how many bytes of `data` that were.
    pub(crate) fn write(&mut self, from: End, data: &[u8]) -> usize {
        if !self.processes_output(from) {
            return self.write_plain(from, data);
        }
        let mut done = 0;
        while done < data.len() {
            let Some(count) = self.write_block(&data[done..]) else { break };
            done += count;
            if done == data.len() || self.write_byte(data[done], self.room(End::Slave)).is_none() {
                break;
            }
            done += 1;
        }
        done
    }

    fn write_plain(&mut self, from: End, data: &[u8]) -> usize {
        let mut done = 0;
        while done < data.len() {
            match self.send(from, &data[done..]) {
                0 => break,
                count => done += count,
            }
        }
        done
    }

    /// Bytes that stay as they are, up to the first that does not; `None` without any room.
    fn write_block(&mut self, data: &[u8]) -> Option<usize> {
        let room = self.room(End::Slave);
        if room == 0 {
            return None;
        }
        let fits = data.len().min(room as usize);
        let plain = data[..fits].iter().take_while(|byte| self.passes(**byte)).count();
        Some(self.send(End::Slave, &data[..plain]))
    }

    /// Moves the cursor over a byte that is written as it is; false if another must be.
    fn passes(&mut self, byte: u8) -> bool {
        let [onlret, onlcr] = [self.o(ONLRET), self.o(ONLCR)];
        let [onocr, ocrnl] = [self.o(ONOCR), self.o(OCRNL)];
        let wide = !is_control(byte) && !self.continues(byte);
        let other_case = !is_control(byte) && self.o(OLCUC);
        let line = self.own();
        match byte {
            b'\n' => {
                if onlret {
                    line.column = 0;
                }
                if onlcr {
                    return false;
                }
                line.canon_column = line.column;
            }
            b'\r' => {
                if onocr && line.column == 0 || ocrnl {
                    return false;
                }
                (line.column, line.canon_column) = (0, 0);
            }
            b'\t' => return false,
            8 => line.column = line.column.saturating_sub(1),
            _ if other_case => return false,
            _ => line.column = line.column.wrapping_add(u32::from(wide)),
        }
        true
    }

    /// One byte as the output modes want it; the room that it took, `None` if that is not there.
    pub(super) fn write_byte(&mut self, byte: u8, room: u64) -> Option<u64> {
        if room == 0 {
            return None;
        }
        let mut byte = byte;
        match byte {
            b'\n' => return self.write_newline(room),
            b'\r' if self.o(ONOCR) && self.own().column == 0 => return Some(0),
            b'\r' if self.o(OCRNL) => {
                byte = b'\n';
                if self.o(ONLRET) {
                    (self.own().column, self.own().canon_column) = (0, 0);
                }
            }
            b'\r' => (self.own().column, self.own().canon_column) = (0, 0),
            b'\t' => {
                let spaces = TAB_COLUMNS - self.own().column % TAB_COLUMNS;
                if self.termios.oflag & TAB3 == TAB3 {
                    if room < u64::from(spaces) {
                        return None;
                    }
                    self.own().column += spaces;
                    self.send(End::Slave, &[b' '; TAB_COLUMNS as usize][..spaces as usize]);
                    return Some(u64::from(spaces));
                }
                self.own().column = self.own().column.wrapping_add(spaces);
            }
            8 => self.own().column = self.own().column.saturating_sub(1),
            _ if !is_control(byte) => {
                if self.o(OLCUC) {
                    byte = to_upper(byte);
                }
                let wide = !self.continues(byte);
                self.own().column = self.own().column.wrapping_add(u32::from(wide));
            }
            _ => {}
        }
        self.send(End::Slave, &[byte]);
        Some(1)
    }

    fn write_newline(&mut self, room: u64) -> Option<u64> {
        if self.o(ONLRET) {
            self.own().column = 0;
        }
        if !self.o(ONLCR) {
            self.own().canon_column = self.own().column;
            self.send(End::Slave, b"\n");
            return Some(1);
        }
        if room < 2 {
            return None;
        }
        (self.own().column, self.own().canon_column) = (0, 0);
        self.send(End::Slave, b"\r\n");
        Some(2)
    }

    /// The byte that TCIOFF and TCION send, past what has stopped the output.
    pub(crate) fn send_alone(&mut self, from: End, byte: u8, happened: &mut Happened) {
        let was_stopped = self.line(from).stopped;
        if was_stopped {
            self.start(from, happened);
        }
        self.send(from, &[byte]);
        if was_stopped {
            self.stop(from, happened);
        }
    }
}
