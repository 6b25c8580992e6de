//! Changes of the settings (TCSETS of ioctl_tty(2)): what they do to what has arrived already.

use super::Happened;
use crate::abi::Termios;
use crate::abi::termios::*;
use crate::components::terminal::{End, Terminal};

/// The characters of flow control that packet mode tells of (ioctl_tty(2), TIOCPKT).
const USUAL_STOP: u8 = 0o23;
const USUAL_START: u8 = 0o21;

/// Whether the flow control is the usual one.
fn is_usual(termios: &Termios) -> bool {
    termios.iflag & IXON != 0
        && termios.cc[usize::from(VSTOP)] == USUAL_STOP
        && termios.cc[usize::from(VSTART)] == USUAL_START
}

impl Terminal {
    /// Other settings from now on.
    pub(crate) fn set_termios(&mut self, new: Termios, happened: &mut Happened) {
        let old = core::mem::replace(&mut self.termios, new);
        self.tell_settings(&old, happened);
        // A pseudo-terminal has characters of eight bits, no parity, and always receives.
        self.termios.cflag = self.termios.cflag & !(CS8 | PARENB) | CS8 | CREAD;
        if (old.lflag ^ new.lflag) & (ICANON | EXTPROC) != 0 {
            self.change_lines();
        }
        if old.iflag & IXON != 0 && !self.i(IXON) && !self.line(End::Slave).stopped_by_call {
            self.start(End::Slave, happened);
            self.process_echoes();
        }
        happened.settings = true;
        happened.readable[End::Slave.at()] = true;
        happened.writable[End::Slave.at()] = true;
    }

    fn tell_settings(&mut self, old: &Termios, happened: &mut Happened) {
        let outside = (old.lflag | self.termios.lflag) & EXTPROC != 0;
        let [was, is] = [is_usual(old), is_usual(&self.termios)];
        if was != is {
            let both = TIOCPKT_DOSTOP | TIOCPKT_NOSTOP;
            if self.packet {
                self.status &= !both;
            }
            self.tell_master(if is { TIOCPKT_DOSTOP } else { TIOCPKT_NOSTOP }, happened);
        }
        if outside {
            self.tell_master(TIOCPKT_IOCTL, happened);
        }
    }

    /// From lines to bytes all that was typed can be read; from bytes to lines it is one line.
    fn change_lines(&mut self) {
        let lines = self.l(ICANON);
        let line = self.own();
        line.ends.clear();
        if lines && line.unread() > 0 {
            line.ends.push_back(line.head.saturating_sub(1));
            line.canon = line.head;
        } else {
            line.canon = line.tail;
        }
        line.commit = line.head;
        line.erasing = false;
        line.literal = false;
    }
}
