//! The life of pseudo-terminals (pty(7), pts(4)): /dev/ptmx, /dev/pts/N, /dev/tty, the last close
//! of an end, hang-ups.
//!
//! What goes through one is `calls/terminal_io.rs`'s, its requests are `calls/terminal_ioctl.rs`'s,
//! sessions and groups `calls/job_control.rs`'s. Not here: terminals of other kinds.

use crate::abi::Errno;
use crate::abi::credentials::CAP_SYS_TTY_CONFIG;
use crate::abi::flags::*;
use crate::calls::discipline::Happened;
use crate::components::Target;
use crate::components::terminal::{End, Line, NEW_TERMIOS, Side, Terminal, number_of};
use crate::event::Answer;
use crate::fs::Place;
use crate::kernel::{CallResult, Changed, Kernel, WakeMode};
use crate::memory;
use crate::rows::{RowKind, TaskRow, TerminalRow};
use crate::watchers::Wake;

/// Numbers of slaves (`/proc/sys/kernel/pty/max`).
const TERMINALS_MAX: u32 = 4096;
/// The major number of /dev/tty and /dev/ptmx.
const AUXILIARY_MAJOR: u32 = 5;
/// The minor number of /dev/ptmx.
const PTMX_MINOR: u32 = 2;

/// How a device is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// The number that the descriptor gets.
    pub(crate) fd: u32,
    /// Its node.
    pub(crate) place: Place,
    /// Flags of open(2).
    pub(crate) flags: u32,
    /// Those of them that F_GETFL shows.
    pub(crate) kept: u32,
}

impl Kernel {
    /// Opens what is a terminal's device; `None` if it is another's.
    pub(crate) fn open_terminal(
        &mut self,
        task: TaskRow,
        rdev: u64,
        opening: Opening,
    ) -> Option<CallResult> {
        let (major, minor) = (major(rdev), minor(rdev));
        match major {
            AUXILIARY_MAJOR if minor == PTMX_MINOR => Some(self.open_master(task, opening)),
            AUXILIARY_MAJOR if minor == 0 => {
                // One whose terminal is outside of the kernel has another device behind it.
                let device = self.rows[self.rows[task].process].tty;
                let terminal = self.terminal_of_device(device)?;
                Some(self.open_slave(task, terminal, opening))
            }
            _ if number_of(rdev).is_some() => {
                let inode = self.fs.inode_id(opening.place);
                let terminal = self.terminal_of_device(rdev).filter(|row| {
                    let node = self.rows[*row].node;
                    inode.is_some() && node.and_then(|node| self.fs.inode_id(node)) == inode
                });
                Some(match terminal {
                    Some(terminal) => self.open_slave(task, terminal, opening),
                    None => Err(Errno::EIO.into()),
                })
            }
            _ => None,
        }
    }

    /// The terminal with a slave of this device number.
    pub(crate) fn terminal_of_device(&self, device: u64) -> Option<TerminalRow> {
        if self.terminals.is_empty() {
            return None;
        }
        self.terminals.get(&number_of(device)?).copied()
    }

    /// /dev/ptmx: a new pair.
    fn open_master(&mut self, task: TaskRow, opening: Opening) -> CallResult {
        self.room_for_descriptions(1, memory::TERMINAL_BYTES)?;
        let mut taken = self.terminals.keys();
        let number = (0..).find(|number| taken.next() != Some(number)).unwrap_or(TERMINALS_MAX);
        if number >= TERMINALS_MAX {
            return Err(Errno::ENOSPC.into());
        }
        let who = &self.rows[task].credentials;
        let owner = (who.fsuid, who.fsgid);
        let id = self.next_id();
        let mut terminal = Terminal::new(number, None);
        let now = self.stamp();
        terminal.node = Some(self.fs.add_slave(number, terminal.device(), owner, now)?);
        let terminal = TerminalRow::spawn(&mut self.rows, id, terminal);
        self.terminals.insert(number, terminal);
        let side = Side { terminal, end: End::Master, hangups: 0 };
        Ok(self.open_end(task, side, opening))
    }

    /// The descriptor of an end that is counted already.
    fn open_end(&mut self, task: TaskRow, side: Side, opening: Opening) -> Answer {
        let Opening { fd, place, flags, kept } = opening;
        self.fs.tell_of_open(place, IN_OPEN);
        self.fs.stay(place.mount);
        self.fs.hold(place);
        let row = self.new_description(Target::File(place), kept);
        self.rows[row].terminal = Some(side);
        self.install(task, fd, row, flags & O_CLOEXEC != 0);
        Answer::value(i64::from(fd))
    }

    /// Opens a slave; a session's leader without a terminal gets it as its own.
    pub(crate) fn open_slave(
        &mut self,
        task: TaskRow,
        terminal: TerminalRow,
        opening: Opening,
    ) -> CallResult {
        self.room_for_descriptions(1, 0)?;
        let state = &self.rows[terminal];
        let privileged = self.is_administrator(task);
        if state.lines[End::Slave.at()].exclusive && !privileged {
            return Err(Errno::EBUSY.into());
        }
        let may_not = !state.master_open || state.locked;
        let state = &mut self.rows[terminal];
        state.slave_failed = may_not;
        if may_not {
            return Err(Errno::EIO.into());
        }
        state.slave_left = false;
        state.slaves += 1;
        let side = Side { terminal, end: End::Slave, hangups: state.hangups };
        let reads = opening.kept & O_ACCMODE != O_WRONLY;
        if opening.flags & O_NOCTTY == 0 && reads && self.rows[terminal].session == 0 {
            let process = self.rows[task].process;
            let leader = &self.rows[process];
            if leader.pid == leader.sid && leader.tty == 0 {
                self.take_terminal(process, terminal);
            }
        }
        Ok(self.open_end(task, side, opening))
    }

    /// Whether the slave that a description was opened on has been hung up since.
    pub(crate) fn is_hung_up(&self, side: Side) -> bool {
        side.end == End::Slave && self.rows[side.terminal].hangups != side.hangups
    }

    /// One description of an end is closed.
    pub(crate) fn close_terminal(&mut self, side: Side) {
        let state = &mut self.rows[side.terminal];
        let mut happened = Happened::default();
        match side.end {
            End::Slave => {
                state.slaves -= 1;
                if state.slaves == 0 && !core::mem::replace(&mut state.slave_failed, true) {
                    state.slave_left = true;
                    happened.readable[End::Master.at()] = true;
                    happened.writable[End::Master.at()] = true;
                }
            }
            End::Master => {
                (state.master_open, state.packet) = (false, false);
                if let Some(node) = state.node.take() {
                    let now = self.stamp();
                    self.fs.remove_slave(node, now);
                }
                self.hang_up(side.terminal);
            }
        }
        self.after_terminal(side.terminal, happened);
        let state = &self.rows[side.terminal];
        if !state.master_open && state.slaves == 0 {
            let number = state.number;
            self.terminals.remove(&number);
            side.terminal.remove(&mut self.rows);
        }
    }

    /// vhangup(2): of the caller's controlling terminal, if it has one.
    pub(crate) fn vhangup(&mut self, task: TaskRow) -> CallResult {
        if !self.rows[task].credentials.capable(CAP_SYS_TTY_CONFIG) {
            return Err(Errno::EPERM.into());
        }
        let device = self.rows[self.rows[task].process].tty;
        if let Some(terminal) = self.terminal_of_device(device).filter(|_| device != 0) {
            self.hang_up(terminal);
        }
        Ok(Answer::default())
    }

    /// A hang-up: who has the slave open has nothing any more, its session has no terminal.
    pub(crate) fn hang_up(&mut self, terminal: TerminalRow) {
        self.end_session_of(terminal);
        let state = &mut self.rows[terminal];
        state.hangups = state.hangups.wrapping_add(1);
        (state.session, state.foreground, state.status) = (0, 0, 0);
        state.termios = NEW_TERMIOS;
        state.ports[End::Master.at()].flush();
        let old = &mut state.lines[End::Slave.at()];
        let kept = Line {
            readers: core::mem::take(&mut old.readers),
            writers: core::mem::take(&mut old.writers),
            read_locked: old.read_locked,
            write_locked: old.write_locked,
            exclusive: old.exclusive,
            ..Line::default()
        };
        *old = kept;
        let mut happened = Happened::default();
        happened.readable[End::Slave.at()] = true;
        happened.writable[End::Slave.at()] = true;
        self.after_terminal(terminal, happened);
    }

    /// What an act on a terminal did to others.
    #[inline]
    pub(crate) fn after_terminal(&mut self, terminal: TerminalRow, happened: Happened) {
        for (group, signal) in &happened.signals {
            self.signal_group(*group, *signal);
        }
        // Who reads the slave is woken by what is typed, who reads its echo by a worker after that.
        for end in [End::Slave, End::Master] {
            let line = &self.rows[terminal].lines[end.at()];
            let input = happened.readable[end.at()] && !line.readers.is_empty();
            let room = happened.writable[end.at()] && !line.writers.is_empty();
            // Items of epoll(7) stand with the readers, whatever they wait for.
            if input {
                let wake = if happened.settings { Wake::SETTINGS } else { Wake::ANY };
                self.woken(Changed::Terminal { terminal, end, input: true }, wake);
            } else if happened.writable[end.at()] {
                self.tell_of_terminal(terminal, end);
            }
            if room {
                self.note(Changed::Terminal { terminal, end, input: false });
            }
            let (input, room) = (happened.told[end.at()], happened.has_room[end.at()]);
            self.tell_terminal(terminal, end, input, room);
        }
    }

    /// `Carry`: what is on its way to an end of a terminal arrives (OnDemand).
    pub(crate) fn carry(&mut self, number: u32, end: End) -> crate::event::Outcome {
        use crate::event::{Outcome, Refusal};
        let found = self.terminals.get(&number).copied();
        let Some(terminal) = found.filter(|_| self.config.wake == WakeMode::OnDemand) else {
            return Outcome::Refused(Refusal::Misplaced);
        };
        let mut happened = Happened::default();
        self.rows[terminal].hand_over(end, &mut happened);
        self.after_terminal(terminal, happened);
        Outcome::Done(Answer::default())
    }

    /// In wake mode Auto what was written arrives at once.
    #[inline]
    pub(crate) fn settle_terminal(&mut self, terminal: TerminalRow, happened: &mut Happened) {
        if self.config.wake == WakeMode::Auto {
            self.rows[terminal].settle(happened);
        }
    }

    /// CAP_SYS_ADMIN.
    pub(crate) fn is_administrator(&self, task: TaskRow) -> bool {
        self.rows[task].credentials.capable(crate::abi::credentials::CAP_SYS_ADMIN)
    }
}
