//! Editing a line (termios(3), "Canonical and noncanonical mode"): VERASE, VWERASE, VKILL, VLNEXT,
//! VREPRINT, and what ends a line.

use super::{Happened, is_control, is_word};
use crate::abi::termios::*;
use crate::components::terminal::{End, INPUT_BYTES, Terminal};

/// What is erased.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl Terminal {
    /// A byte that means something to a line that is edited; false if it does not.
    pub(super) fn edits(&mut self, byte: u8, happened: &mut Happened) -> bool {
        let extended = self.l(IEXTEN);
        if self.is(byte, VERASE) || self.is(byte, VKILL) || extended && self.is(byte, VWERASE) {
            self.erase(byte);
            self.commit_echoes();
        } else if extended && self.is(byte, VLNEXT) {
            self.take_next_literally();
        } else if extended && self.l(ECHO) && self.is(byte, VREPRINT) {
            self.reprint(byte);
        } else if byte == b'\n' {
            if self.l(ECHO) || self.l(ECHONL) {
                self.echo_raw(b'\n');
                self.commit_echoes();
            }
            self.end_line(byte, happened);
        } else if self.is(byte, VEOF) {
            self.end_line(0, happened);
        } else if self.is(byte, VEOL) || extended && self.is(byte, VEOL2) {
            if self.l(ECHO) {
                self.echo_line_begins();
                self.echo(byte);
                self.commit_echoes();
            }
            if byte == 0xff && self.i(PARMRK) {
                self.own().put(byte);
            }
            self.end_line(byte, happened);
        } else {
            return false;
        }
        true
    }

    fn take_next_literally(&mut self) {
        self.own().literal = true;
        if !self.l(ECHO) {
            return;
        }
        self.finish_erasing();
        if self.l(ECHOCTL) {
            self.echo_raw(b'^');
            self.echo_raw(8);
            self.commit_echoes();
        }
    }

    fn reprint(&mut self, byte: u8) {
        self.finish_erasing();
        self.echo(byte);
        self.echo_raw(b'\n');
        let (canon, head) = (self.own().canon, self.own().head);
        let fills = canon % INPUT_BYTES == head % INPUT_BYTES;
        for position in canon..if fills { canon } else { head } {
            let byte = self.own().byte(position);
            self.echo(byte);
        }
        self.commit_echoes();
    }

    fn end_line(&mut self, byte: u8, happened: &mut Happened) {
        let line = self.own();
        line.ends.push_back(line.head);
        line.put(byte);
        line.canon = line.head;
        happened.readable[End::Slave.at()] = true;
        happened.told[End::Slave.at()] += 1;
    }

    fn erase(&mut self, byte: u8) {
        if self.own().head == self.own().canon {
            return;
        }
        let what = if self.is(byte, VERASE) {
            Erase::Character
        } else if self.is(byte, VWERASE) {
            Erase::Word
        } else if !self.l(ECHO) {
            self.own().head = self.own().canon;
            return;
        } else if !(self.l(ECHOK) && self.l(ECHOKE) && self.l(ECHOE)) {
            self.own().head = self.own().canon;
            self.finish_erasing();
            self.echo(self.character(VKILL));
            if self.l(ECHOK) {
                self.echo_raw(b'\n');
            }
            return;
        } else {
            Erase::Line
        };
        self.erase_back(what);
        if self.own().head == self.own().canon && self.l(ECHO) {
            self.finish_erasing();
        }
    }

    fn erase_back(&mut self, what: Erase) {
        let mut in_word = false;
        // A line that fills all the input looks like none (as in Linux).
        while self.own().head % INPUT_BYTES != self.own().canon % INPUT_BYTES {
            let (start, byte) = self.last_character();
            // A character whose beginning is in a line that has ended stays.
            if self.continues(byte) {
                break;
            }
            if what == Erase::Word {
                if is_word(byte) {
                    in_word = true;
                } else if in_word {
                    break;
                }
            }
            let end = self.own().head;
            self.own().head = start;
            if self.l(ECHO) {
                self.echo_erased(what, byte, end);
            }
            if what == Erase::Character {
                break;
            }
        }
    }

    /// Where the last character of the line begins, and its first byte.
    fn last_character(&mut self) -> (u64, u8) {
        let canon = self.own().canon;
        let mut at = self.own().head;
        loop {
            at -= 1;
            let byte = self.own().byte(at);
            if !self.continues(byte) || at == canon {
                return (at, byte);
            }
        }
    }

    /// Shows that the character from the new end of the line up to `end` is erased.
    fn echo_erased(&mut self, what: Erase, byte: u8, end: u64) {
        if self.l(ECHOPRT) {
            if !core::mem::replace(&mut self.own().erasing, true) {
                self.echo_raw(b'\\');
            }
            self.echo(byte);
            for position in self.own().head + 1..end {
                let byte = self.own().byte(position);
                self.echo_raw(byte);
                self.echo_back();
            }
        } else if what == Erase::Character && !self.l(ECHOE) {
            self.echo(self.character(VERASE));
        } else if byte == b'\t' {
            self.echo_tab_erased();
        } else {
            let shown = match (is_control(byte), self.l(ECHOCTL)) {
                (true, true) => 2,
                (false, _) => 1,
                (true, false) => 0,
            };
            for _ in 0..shown {
                for byte in [8, b' ', 8] {
                    self.echo_raw(byte);
                }
            }
        }
    }

    /// A tab reaches back to what stands before it: characters up to the one before, or to the
    /// beginning of the line.
    fn echo_tab_erased(&mut self) {
        let (mut columns, mut after_tab) = (0, false);
        for position in (self.own().canon..self.own().head).rev() {
            let byte = self.own().byte(position);
            if byte == b'\t' {
                after_tab = true;
                break;
            }
            if is_control(byte) {
                columns += if self.l(ECHOCTL) { 2 } else { 0 };
            } else if !self.continues(byte) {
                columns += 1;
            }
        }
        self.echo_erase_tab(columns, after_tab);
    }
}
