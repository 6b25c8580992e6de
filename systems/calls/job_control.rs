//! Controlling terminals (credentials(7), ioctl_tty(2)): which session has one, which of its groups
//! is in the foreground, who is stopped or told when that matters (setpgid(2), tcsetpgrp(3)).
//!
//! The order of checks, and the signals at the end of a session, are Linux 6.18's, found by
//! experiment: the leader's end sends SIGHUP to the foreground group of a pseudo-terminal and no
//! SIGCONT, a hang-up sends both to the leader.

use crate::abi::signal::{SI_KERNEL, SIG_IGN};
use crate::abi::{Errno, SigInfo, Signal};
use crate::components::terminal::End;
use crate::components::{Restart, Waiting};
use crate::event::{Answer, Call, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{DescriptionRow, ProcessRow, TaskRow, TerminalRow};
use crate::tables::family::Club;
use crate::wire::{Bytes, Wire};

/// Whether a process may do what only the foreground may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It may.
    Go,
    /// Its group got a signal; the call is made again after that.
    Again,
}

impl Kernel {
    /// Whether this is the terminal of a process.
    fn has_terminal(&self, process: ProcessRow, terminal: TerminalRow) -> bool {
        self.rows[process].tty != 0
            && self.terminal_of_device(self.rows[process].tty) == Some(terminal)
    }

    /// A process of another group than the one in the foreground is stopped by a signal, unless it
    /// does not want it; one that nobody could continue gets EIO.
    pub(crate) fn check_turn(
        &mut self,
        task: TaskRow,
        terminal: TerminalRow,
        signal: Signal,
    ) -> Result<Turn, Errno> {
        let process = self.rows[task].process;
        let (group, foreground) = (self.rows[process].pgid, self.rows[terminal].foreground);
        if foreground == 0 || group == foreground || !self.has_terminal(process, terminal) {
            return Ok(Turn::Go);
        }
        let handlers = self.rows[task].handlers;
        let unwanted = self.rows[task].mask.contains(signal)
            || self.rows[handlers].action(signal).handler == SIG_IGN;
        if unwanted {
            return if signal == Signal::SIGTTIN { Err(Errno::EIO) } else { Ok(Turn::Go) };
        }
        if self.group_is_orphaned(group, 0) {
            return Err(Errno::EIO);
        }
        self.signal_group(group, signal);
        Ok(Turn::Again)
    }

    /// The same for a request; EINTR or the call anew after the signal.
    pub(crate) fn wait_for_turn(
        &mut self,
        task: TaskRow,
        terminal: TerminalRow,
        call: impl FnOnce() -> Call<'static>,
    ) -> Result<(), Stop> {
        match self.check_turn(task, terminal, Signal::SIGTTOU)? {
            Turn::Go => Ok(()),
            Turn::Again => Err(self.again_after_signal(&call())),
        }
    }

    /// A call that is made again when the signal that it caused has been taken.
    pub(crate) fn again_after_signal(&self, call: &Call<'_>) -> Stop {
        let mut bytes = Bytes::default();
        call.put(&mut bytes.0);
        let on = Waiting::Parked(bytes);
        Stop::block(on, None, Restart::WithFlag)
    }

    /// A signal of the kernel's to every member of a group.
    pub(crate) fn signal_group(&mut self, group: u32, signal: Signal) {
        self.signal_group_as(group, kernel_info(signal), signal);
    }

    fn signal_group_as(&mut self, group: u32, info: SigInfo, signal: Signal) {
        for member in self.members(Club::Group, group) {
            self.post(member, signal, info);
        }
    }

    /// A session's leader gets a terminal, with its own group in the foreground.
    pub(crate) fn take_terminal(&mut self, process: ProcessRow, terminal: TerminalRow) {
        let (sid, pgid) = (self.rows[process].sid, self.rows[process].pgid);
        let state = &mut self.rows[terminal];
        (state.session, state.foreground) = (sid, pgid);
        let device = state.device();
        let leader = &mut self.rows[process];
        (leader.tty, leader.old_foreground) = (device, 0);
    }

    /// No process of a session has a terminal any more.
    fn clear_session(&mut self, sid: u32) {
        for member in self.members(Club::Session, sid) {
            if self.rows[member].tty != 0 {
                self.rows[member].tty = 0;
            }
        }
    }

    /// A terminal is hung up: its session loses it, and the leader is told.
    pub(crate) fn end_session_of(&mut self, terminal: TerminalRow) {
        let state = &self.rows[terminal];
        let (sid, foreground) = (state.session, state.foreground);
        if sid == 0 {
            return;
        }
        for member in self.members(Club::Session, sid) {
            if self.has_terminal(member, terminal) {
                self.rows[member].tty = 0;
            }
            if self.rows[member].pid == sid {
                for signal in [Signal::SIGHUP, Signal::SIGCONT] {
                    self.post(member, signal, kernel_info(signal));
                }
                self.rows[member].old_foreground = foreground;
            }
        }
    }

    /// The leader of a session has ended, its descriptors are closed.
    pub(crate) fn leader_ended(&mut self, process: ProcessRow) {
        let device = core::mem::take(&mut self.rows[process].tty);
        let old = core::mem::take(&mut self.rows[process].old_foreground);
        if let Some(terminal) = self.terminal_of_device(device) {
            let foreground = self.rows[terminal].foreground;
            if foreground != 0 {
                self.signal_group(foreground, Signal::SIGHUP);
            }
            self.give_up_terminal(process, terminal);
        } else if device == 0 && old != 0 {
            self.signal_group(old, Signal::SIGHUP);
            self.signal_group(old, Signal::SIGCONT);
        }
    }

    fn give_up_terminal(&mut self, leader: ProcessRow, terminal: TerminalRow) {
        let state = &mut self.rows[terminal];
        (state.session, state.foreground) = (0, 0);
        let sid = self.rows[leader].sid;
        self.clear_session(sid);
    }

    /// TIOCNOTTY: a process gives its terminal up; a leader for its whole session.
    pub(crate) fn leave_terminal(
        &mut self,
        task: TaskRow,
        terminal: TerminalRow,
        end: End,
    ) -> CallResult {
        let process = self.rows[task].process;
        if end == End::Master || !self.has_terminal(process, terminal) {
            return Err(Errno::ENOTTY.into());
        }
        if self.rows[process].pid == self.rows[process].sid {
            let foreground = self.rows[terminal].foreground;
            if foreground != 0 {
                for signal in [Signal::SIGHUP, Signal::SIGCONT] {
                    let info = self.own_info(task, signal);
                    self.signal_group_as(foreground, info, signal);
                }
            }
            self.give_up_terminal(process, terminal);
        }
        self.rows[process].tty = 0;
        Ok(Answer::default())
    }

    /// TIOCSCTTY; `steals` from another session is root's right.
    pub(crate) fn set_terminal(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        terminal: TerminalRow,
        steals: bool,
    ) -> CallResult {
        let process = self.rows[task].process;
        let leader = &self.rows[process];
        let (leads, sid, session) =
            (leader.pid == leader.sid, leader.sid, self.rows[terminal].session);
        if leads && sid == session {
            return Ok(Answer::default());
        }
        if !leads || leader.tty != 0 {
            return Err(Errno::EPERM.into());
        }
        let may = self.is_administrator(task);
        if session != 0 {
            if !steals || !may {
                return Err(Errno::EPERM.into());
            }
            self.clear_session(session);
        }
        if !self.rows[row].readable() && !may {
            return Err(Errno::EPERM.into());
        }
        self.take_terminal(process, terminal);
        Ok(Answer::default())
    }

    /// Who asks through the slave must have it as its own terminal; the master may always ask.
    fn may_ask(&self, task: TaskRow, terminal: TerminalRow, end: End) -> Result<(), Errno> {
        let own = self.has_terminal(self.rows[task].process, terminal);
        if end == End::Master || own { Ok(()) } else { Err(Errno::ENOTTY) }
    }

    /// TIOCGPGRP.
    pub(crate) fn foreground(&self, task: TaskRow, terminal: TerminalRow, end: End) -> CallResult {
        self.may_ask(task, terminal, end)?;
        Ok(Answer::with(Payload::Number(i64::from(self.rows[terminal].foreground))))
    }

    /// TIOCGSID.
    pub(crate) fn session_of(&self, task: TaskRow, terminal: TerminalRow, end: End) -> CallResult {
        self.may_ask(task, terminal, end)?;
        match self.rows[terminal].session {
            0 => Err(Errno::ENOTTY.into()),
            sid => Ok(Answer::with(Payload::Number(i64::from(sid)))),
        }
    }

    /// TIOCSPGRP.
    pub(crate) fn set_foreground(
        &mut self,
        task: TaskRow,
        terminal: TerminalRow,
        group: i64,
        call: impl FnOnce() -> Call<'static>,
    ) -> CallResult {
        match self.check_turn(task, terminal, Signal::SIGTTOU) {
            Ok(Turn::Go) => {}
            Ok(Turn::Again) => return Err(self.again_after_signal(&call())),
            Err(Errno::EIO) => return Err(Errno::ENOTTY.into()),
            Err(errno) => return Err(errno.into()),
        }
        let group = group as i32;
        if group < 0 {
            return Err(Errno::EINVAL.into());
        }
        let process = self.rows[task].process;
        let sid = self.rows[process].sid;
        if !self.has_terminal(process, terminal) || self.rows[terminal].session != sid {
            return Err(Errno::ENOTTY.into());
        }
        let group = group as u32;
        let known = self.pids.get(group).filter(|_| group != 0 && !self.pids.is_free(group));
        let entry = known.ok_or(Errno::ESRCH)?;
        // A number that is no group's counts as its process's.
        let member = self.pids.process(entry.group_head).or(entry.process).or_else(|| {
            let task = entry.task?;
            Some(self.rows[task].process)
        });
        if member.is_none_or(|member| self.rows[member].sid != sid) {
            return Err(Errno::EPERM.into());
        }
        self.rows[terminal].foreground = group;
        Ok(Answer::default())
    }
}

/// siginfo of a signal that the kernel itself sends.
pub(super) fn kernel_info(signal: Signal) -> SigInfo {
    SigInfo { signo: i32::from(signal.number()), code: SI_KERNEL, ..SigInfo::default() }
}
