//! Input (termios(3), `c_iflag`, `ISIG`, flow control): what becomes of a byte that arrives, and
//! the hand-over of what is on its way.
//!
//! Linux hands over in a worker of its own; here it happens when the kernel says so: at once
//! (Auto), or at an event `Carry` (OnDemand). Who reads or looks hands over first, as on Linux.

use super::echo::BLOCK_BYTES;
use super::{Happened, is_control, to_lower};
use crate::abi::Signal;
use crate::abi::termios::*;
use crate::components::terminal::{End, INPUT_BYTES, Looks, Terminal};

impl Terminal {
    /// Hands everything over that has room, on both ways, until nothing moves.
    pub(crate) fn settle(&mut self, happened: &mut Happened) {
        // What the slave takes may be echoed; what the master takes never is.
        self.hand_over(End::Slave, happened);
        self.hand_over(End::Master, happened);
    }

    /// Hands over what is on its way to an end.
    pub(crate) fn hand_over(&mut self, to: End, happened: &mut Happened) {
        while let Some(first) = self.ports[to.at()].chunks.front_mut() {
            let from = first.read as usize;
            if from == first.bytes.len() {
                if self.ports[to.at()].chunks.len() == 1 {
                    // A buffer that is read is filled up to its end before another is made.
                    break;
                }
                self.ports[to.at()].drop_first();
                continue;
            }
            let bytes = core::mem::take(&mut first.bytes);
            let taken = self.receive(to, &bytes[from..], happened);
            let whole = taken == bytes.len() - from;
            if let Some(first) = self.ports[to.at()].chunks.front_mut() {
                (first.bytes, first.read) = (bytes, (from + taken) as u64);
            }
            if !whole {
                self.look_ahead(to, happened);
            }
            if taken == 0 {
                break;
            }
        }
    }

    /// The same if some waits for room in the input.
    pub(super) fn hand_over_if_waiting(&mut self, to: End, happened: &mut Happened) {
        if core::mem::take(&mut self.line_mut(to).no_room) {
            self.hand_over(to, happened);
        }
    }

    /// Flow control works even where the input is full.
    fn look_ahead(&mut self, to: End, happened: &mut Happened) {
        let mut at = 0;
        while let Some(chunk) = self.ports[to.at()].chunks.get_mut(at) {
            let from = chunk.looked.max(chunk.read);
            chunk.looked = chunk.bytes.len() as u64;
            let count = chunk.looked - from;
            self.line_mut(to).looked += count;
            if to == End::Slave && self.i(IXON) && count > 0 {
                let bytes = core::mem::take(&mut self.ports[to.at()].chunks[at].bytes);
                for byte in &bytes[from as usize..] {
                    self.flow_control(*byte, false, happened);
                }
                self.ports[to.at()].chunks[at].bytes = bytes;
            }
            at += 1;
        }
    }

    /// Takes what there is room for; gives how many bytes that were.
    pub(crate) fn receive(&mut self, to: End, bytes: &[u8], happened: &mut Happened) -> usize {
        let mut taken = 0;
        let mut overflow;
        loop {
            let unread = self.line(to).unread();
            let mut room = INPUT_BYTES as i64 - unread as i64;
            if to == End::Slave && self.i(PARMRK) {
                room = (room + 2).div_euclid(3);
            }
            room -= 1;
            overflow = false;
            if room <= 0 {
                // The last byte of a line that is too long is replaced until the line ends.
                let lines = to == End::Slave && self.l(ICANON);
                let line = self.line_mut(to);
                overflow = lines && line.canon == line.tail;
                // By as much as doubled marks have made it too long.
                if overflow && room < 0 {
                    line.head -= (line.unread() + 1).saturating_sub(INPUT_BYTES).max(1);
                }
                room = i64::from(overflow);
                line.no_room = !overflow;
            }
            let count = (bytes.len() - taken).min(room as usize);
            if count == 0 {
                break;
            }
            self.receive_part(to, &bytes[taken..taken + count], happened);
            taken += count;
        }
        if overflow {
            happened.writable[to.other().at()] = true;
        }
        taken
    }

    fn receive_part(&mut self, to: End, bytes: &[u8], happened: &mut Happened) {
        let line = self.line_mut(to);
        let looked = line.looked.min(bytes.len() as u64);
        line.looked -= looked;
        let strips = self.i(ISTRIP) || self.i(IUCLC) && self.l(IEXTEN);
        if to == End::Master || self.is_raw() || self.l(EXTPROC) && !strips {
            self.line_mut(to).put_all(bytes);
        } else {
            self.look_up_bytes();
            let mut at = 0;
            while let Some(byte) = bytes.get(at) {
                let plain = self.receive_run(&bytes[at..]);
                if plain == 0 {
                    self.receive_byte(*byte, (at as u64) < looked, happened);
                }
                at += plain.max(1);
            }
            self.flush_echoes();
        }
        if self.reads_lines(to) {
            return;
        }
        let line = self.line_mut(to);
        line.commit = line.head;
        if line.unread() > 0 {
            happened.readable[to.at()] = true;
            happened.told[to.at()] += 1;
        }
    }

    /// No setting needs a look at the single bytes.
    const fn is_raw(&self) -> bool {
        let looks = ISTRIP | IUCLC | IGNCR | ICRNL | INLCR | IXON | PARMRK;
        !self.i(looks) && !self.l(ICANON | ISIG | ECHO)
    }

    /// Finds out which bytes need a look with the settings as they are.
    fn look_up_bytes(&mut self) {
        if self.looks.of.as_ref() == Some(&self.termios) {
            return;
        }
        let changes = self.i(ISTRIP) || self.i(IUCLC) && self.l(IEXTEN) || self.l(EXTPROC);
        // 0xff is a mark in echoes, and marked in the input.
        let looks =
            |byte: u8| changes || is_control(byte) || byte == u8::MAX || self.is_special(byte);
        let bytes = core::array::from_fn(|byte| looks(byte as u8));
        self.looks = Looks { of: Some(self.termios), bytes };
    }

    /// Takes the bytes up to the first that needs a look, as `receive_byte` would one by one; how
    /// many those are. None where something else is to be done with the first.
    fn receive_run(&mut self, bytes: &[u8]) -> usize {
        let (echoes, looks) = (self.l(ECHO), &self.looks.bytes);
        let line = &self.lines[End::Slave.at()];
        if line.literal || line.stopped || line.erasing {
            return 0;
        }
        let mut most = bytes.len();
        if echoes {
            // Echoes of a block would be written in between.
            let waiting = line.echo_head.saturating_sub(line.echo_tail);
            most = most.min(BLOCK_BYTES.saturating_sub(waiting + 3) as usize);
        }
        let run = bytes[..most].iter().take_while(|byte| !looks[usize::from(**byte)]).count();
        if run == 0 {
            return 0;
        }
        if echoes {
            self.echo_line_begins();
            let line = self.own();
            line.put_echoes(&bytes[..run]);
            line.echo_mark = line.echo_head;
        }
        self.own().put_all(&bytes[..run]);
        run
    }

    fn receive_byte(&mut self, byte: u8, looked: bool, happened: &mut Happened) {
        let mut byte = byte;
        if self.i(ISTRIP) {
            byte &= 0x7f;
        }
        if self.i(IUCLC) && self.l(IEXTEN) {
            byte = to_lower(byte);
        }
        if core::mem::take(&mut self.own().literal) {
            self.receive_plain(byte, happened);
        } else if self.l(EXTPROC) {
            self.own().put(byte);
        } else if self.is_special(byte) {
            self.receive_special(byte, looked, happened);
        } else {
            self.receive_plain(byte, happened);
        }
    }

    /// Whether a byte means something with the settings as they are. What a switched off
    /// character is never does.
    fn is_special(&self, byte: u8) -> bool {
        let any = |places: &[u8]| places.iter().any(|place| self.is(byte, *place));
        byte != 0
            && (byte == b'\r' && self.i(IGNCR | ICRNL)
                || byte == b'\n' && self.i(INLCR)
                || self.l(ICANON)
                    && (byte == b'\n'
                        || any(&[VERASE, VKILL, VEOF, VEOL])
                        || self.l(IEXTEN)
                            && (any(&[VWERASE, VLNEXT, VEOL2])
                                || self.l(ECHO) && any(&[VREPRINT])))
                || self.i(IXON) && any(&[VSTART, VSTOP])
                || self.l(ISIG) && any(&[VINTR, VQUIT, VSUSP]))
    }

    fn receive_plain(&mut self, byte: u8, happened: &mut Happened) {
        self.start_by_any(happened);
        if self.l(ECHO) {
            self.finish_erasing();
            self.echo_line_begins();
            self.echo(byte);
            self.commit_echoes();
        }
        self.put_marked(byte);
    }

    /// PARMRK doubles `\377`, so that a mark can be told from it.
    fn put_marked(&mut self, byte: u8) {
        if byte == 0xff && self.i(PARMRK) {
            self.own().put(byte);
        }
        self.own().put(byte);
    }

    /// IXANY: any byte starts stopped output.
    fn start_by_any(&mut self, happened: &mut Happened) {
        let line = self.line(End::Slave);
        if line.stopped && !line.stopped_by_call && self.i(IXON) && self.i(IXANY) {
            self.start(End::Slave, happened);
            self.process_echoes();
        }
    }

    fn receive_special(&mut self, byte: u8, looked: bool, happened: &mut Happened) {
        if self.i(IXON) && self.flow_control(byte, looked, happened) {
            return;
        }
        if self.l(ISIG) {
            let signals =
                [(VINTR, Signal::SIGINT), (VQUIT, Signal::SIGQUIT), (VSUSP, Signal::SIGTSTP)];
            if let Some((_, signal)) = signals.into_iter().find(|entry| self.is(byte, entry.0)) {
                return self.receive_signal(byte, signal, happened);
            }
        }
        self.start_by_any(happened);
        let mut byte = byte;
        if byte == b'\r' {
            if self.i(IGNCR) {
                return;
            }
            if self.i(ICRNL) {
                byte = b'\n';
            }
        } else if byte == b'\n' && self.i(INLCR) {
            byte = b'\r';
        }
        if self.l(ICANON) && self.edits(byte, happened) {
            return;
        }
        if self.l(ECHO) {
            self.finish_erasing();
            if byte == b'\n' {
                self.echo_raw(b'\n');
            } else {
                self.echo_line_begins();
                self.echo(byte);
            }
            self.commit_echoes();
        }
        self.put_marked(byte);
    }

    /// VSTART and VSTOP; whether the byte was one of them.
    fn flow_control(&mut self, byte: u8, looked: bool, happened: &mut Happened) -> bool {
        let starts = byte == self.character(VSTART);
        if !starts && byte != self.character(VSTOP) {
            return false;
        }
        if !looked && starts {
            self.start(End::Slave, happened);
            self.process_echoes();
        } else if !looked {
            self.stop(End::Slave, happened);
        }
        true
    }

    /// VINTR, VQUIT, VSUSP: a signal to the foreground group, and without NOFLSH all that lies in
    /// the terminal is gone.
    fn receive_signal(&mut self, byte: u8, signal: Signal, happened: &mut Happened) {
        if self.foreground != 0 {
            happened.signals.push((self.foreground, signal));
        }
        if !self.l(NOFLSH) {
            self.own().reset_echo();
            self.flush_output(End::Slave, happened);
            self.own().reset();
            self.tell_master(TIOCPKT_FLUSHREAD, happened);
        }
        if self.i(IXON) {
            self.start(End::Slave, happened);
        }
        if self.l(ECHO) {
            self.echo(byte);
            self.commit_echoes();
        } else {
            self.process_echoes();
        }
    }
}
