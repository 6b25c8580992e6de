//! Requests of terminals (ioctl_tty(2), ioctl_console(2) for none of its own): settings, size, flow
//! control, flushing, packet mode, and who has the terminal.
//!
//! Requests through the master concern the slave where settings, size and sessions are meant, and
//! the master itself where bytes are. Not here (ENOTTY, as for what no terminal knows): TIOCCONS,
//! TIOCSETD of another discipline, TIOCLINUX, modem lines, locked settings.

use crate::abi::flags::*;
use crate::abi::termios::*;
use crate::abi::{Errno, Signal, Termios, Termios2};
use crate::calls::discipline::Happened;
use crate::calls::terminal::Opening;
use crate::components::terminal::{End, Side};
use crate::event::{Answer, Call, IoctlArg, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{DescriptionRow, TaskRow, TerminalRow};
use alloc::boxed::Box;

/// The bits of a speed in `c_cflag`, and how far those of the input speed stand above them.
const CBAUD: u32 = 0o10017;
const IBSHIFT: u32 = 16;
/// The speed is no constant, but the number beside it.
const BOTHER: u32 = 0o10000;
/// What the constants of speeds mean, those with `CBAUDEX` behind the others.
const SPEEDS: [u32; 31] = [
    0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19_200, 38_400, 57_600,
    115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000,
    2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
];
/// Bits of each mode that `struct termio` holds.
const TERMIO_BITS: u32 = 0xffff;
/// Control characters of `struct termio`.
const TERMIO_CHARACTERS: usize = 8;

/// When new settings hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    /// After what is being written.
    Written,
    /// The same, and what has arrived is thrown away.
    Flushed,
}

/// A request on its way.
#[derive(Clone, Copy)]
struct Request {
    task: TaskRow,
    row: DescriptionRow,
    side: Side,
    fd: i32,
    request: u64,
    arg: IoctlArg,
}

impl Request {
    /// The call, to be made again.
    fn call(&self) -> Call<'static> {
        Call::Ioctl { fd: self.fd, request: self.request, arg: self.arg }
    }

    /// The argument as a number.
    fn number(&self) -> i64 {
        match self.arg {
            IoctlArg::Number(number) => number,
            IoctlArg::Winsize(_)
            | IoctlArg::Termios(_)
            | IoctlArg::Termios2(_)
            | IoctlArg::Interface(_) => 0,
        }
    }
}

impl Kernel {
    /// ioctl(2) of a terminal, but for those that all files know.
    pub(crate) fn terminal_ioctl(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        side: Side,
        (fd, request, arg): (i32, u64, IoctlArg),
    ) -> CallResult {
        let Side { terminal, end, .. } = side;
        if self.is_hung_up(side) {
            return Err(if request == TIOCSPGRP { Errno::ENOTTY } else { Errno::EIO }.into());
        }
        let own = Request { task, row, side, fd, request, arg };
        let number = own.number();
        match request {
            TCGETS | TCGETS2 | TCGETA => Ok(self.settings(terminal, request)),
            TCSETS | TCSETS2 | TCSETA => self.set_settings(&own, When::Now),
            TCSETSW | TCSETSW2 | TCSETAW => self.set_settings(&own, When::Written),
            TCSETSF | TCSETSF2 | TCSETAF => self.set_settings(&own, When::Flushed),
            TIOCGWINSZ => Ok(Answer::with(Payload::Winsize(self.rows[terminal].winsize))),
            TIOCSWINSZ => Ok(self.set_window(terminal, arg)),
            TCFLSH => self.flush_terminal(&own),
            TCXONC => self.control_flow(&own),
            TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => {
                if end == End::Slave {
                    self.wait_for_turn(task, terminal, || own.call())?;
                }
                Ok(Answer::default())
            }
            TIOCEXCL | TIOCNXCL => {
                self.rows[terminal].lines[end.at()].exclusive = request == TIOCEXCL;
                Ok(Answer::default())
            }
            TIOCGEXCL => Ok(told(self.rows[terminal].lines[end.at()].exclusive.into())),
            TIOCGETD => Ok(told(0)),
            TIOCSETD if number == 0 => Ok(Answer::default()),
            TIOCSETD => Err(Errno::EINVAL.into()),
            TIOCGDEV => Ok(told(self.rows[terminal].device() as i64)),
            FIONREAD => Ok(told(self.rows[terminal].readable_bytes(end) as i64)),
            TIOCOUTQ => Ok(told(0)),
            TIOCSTI => self.simulate_input(&own),
            TIOCVHANGUP if !self.is_administrator(task) => Err(Errno::EPERM.into()),
            TIOCVHANGUP => {
                if end == End::Slave {
                    self.hang_up(terminal);
                }
                Ok(Answer::default())
            }
            TIOCSCTTY => self.set_terminal(task, row, terminal, number == 1),
            TIOCNOTTY => self.leave_terminal(task, terminal, end),
            TIOCGPGRP => self.foreground(task, terminal, end),
            TIOCSPGRP => self.set_foreground(task, terminal, number, || own.call()),
            TIOCGSID => self.session_of(task, terminal, end),
            TIOCGPTPEER if end == End::Slave => Err(Errno::EIO.into()),
            _ if end == End::Master => self.master_ioctl(&own),
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    /// Requests that only a master knows (ioctl_tty(2), "Pseudoterminal ioctls").
    fn master_ioctl(&mut self, own: &Request) -> CallResult {
        let terminal = own.side.terminal;
        let (number, state) = (own.number(), &mut self.rows[terminal]);
        match own.request {
            TIOCGPTN => Ok(told(i64::from(state.number))),
            TIOCSPTLCK => {
                state.locked = number != 0;
                Ok(Answer::default())
            }
            TIOCGPTLCK => Ok(told(state.locked.into())),
            TIOCPKT => {
                let packet = number != 0;
                if packet && !state.packet {
                    state.status = 0;
                }
                state.packet = packet;
                Ok(Answer::default())
            }
            TIOCGPKT => Ok(told(state.packet.into())),
            TIOCSIG => {
                let signal = Signal::new(number as i32).filter(|signal| {
                    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP].contains(signal)
                });
                let signal = signal.ok_or(Errno::EINVAL)?;
                let foreground = state.foreground;
                if foreground != 0 {
                    self.signal_group(foreground, signal);
                }
                Ok(Answer::default())
            }
            TIOCGPTPEER => self.open_peer(own.task, terminal, number as u32),
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    /// TIOCGPTPEER: opens the slave without a path.
    fn open_peer(&mut self, task: TaskRow, terminal: TerminalRow, flags: u32) -> CallResult {
        let fd = self.free_fd(task, 0)?;
        let place = self.rows[terminal].node.ok_or(Errno::EIO)?;
        // As open(2) keeps them; a descriptor that was not opened by a path is not marked.
        let kept = flags & (O_ACCMODE | O_NONBLOCK | O_APPEND | O_NOATIME);
        self.open_slave(task, terminal, Opening { fd, place, flags, kept })
    }

    fn settings(&self, terminal: TerminalRow, request: u64) -> Answer {
        let state = &self.rows[terminal];
        let mut termios = state.termios;
        Answer::with(match request {
            TCGETS2 => {
                let [ispeed, ospeed] = state.speeds;
                Payload::Termios2(Box::new(Termios2 { termios, ispeed, ospeed }))
            }
            TCGETA => {
                for mode in modes(&mut termios) {
                    *mode &= TERMIO_BITS;
                }
                termios.cc[TERMIO_CHARACTERS..].fill(0);
                Payload::Termios(Box::new(termios))
            }
            _ => Payload::Termios(Box::new(termios)),
        })
    }

    fn set_settings(&mut self, own: &Request, when: When) -> CallResult {
        let terminal = own.side.terminal;
        self.wait_for_turn(own.task, terminal, || own.call())?;
        let old = self.rows[terminal].termios;
        let (new, given) = match own.arg {
            IoctlArg::Termios2(new) => (new.termios, [new.ispeed, new.ospeed]),
            IoctlArg::Termios(new) => (new, self.rows[terminal].speeds),
            IoctlArg::Number(_) | IoctlArg::Winsize(_) | IoctlArg::Interface(_) => {
                return Err(Errno::EFAULT.into());
            }
        };
        let new = match own.request {
            TCSETA | TCSETAW | TCSETAF => as_termio(old, new),
            _ => new,
        };
        let busy = self.rows[terminal].lines[End::Slave.at()].write_locked;
        if when != When::Now && busy {
            return Err(self.wait_for_writer(own));
        }
        let mut happened = Happened::default();
        let state = &mut self.rows[terminal];
        if when == When::Flushed {
            state.flush_input(End::Slave, &mut happened);
        }
        state.speeds = speeds(&new, given);
        state.set_termios(new, &mut happened);
        if when == When::Flushed {
            state.let_in(End::Slave, &mut happened);
        }
        self.settle_terminal(terminal, &mut happened);
        self.after_terminal(terminal, happened);
        Ok(Answer::default())
    }

    /// A write to the slave is not over. Asked through the master, the wait is in its queue all the
    /// same: it is tried again with every change there.
    fn wait_for_writer(&mut self, own: &Request) -> Stop {
        self.wait_for_lock(own.row, false, &own.call())
    }

    fn set_window(&mut self, terminal: TerminalRow, arg: IoctlArg) -> Answer {
        let IoctlArg::Winsize(size) = arg else { return Answer::default() };
        let state = &mut self.rows[terminal];
        let foreground = state.foreground;
        if core::mem::replace(&mut state.winsize, size) != size && foreground != 0 {
            self.signal_group(foreground, Signal::SIGWINCH);
        }
        Answer::default()
    }

    /// TCFLSH.
    fn flush_terminal(&mut self, own: &Request) -> CallResult {
        const TCIFLUSH: i64 = 0;
        const TCOFLUSH: i64 = 1;
        const TCIOFLUSH: i64 = 2;
        let Side { terminal, end, .. } = own.side;
        let what = own.number();
        if [TCIFLUSH, TCIOFLUSH].contains(&what) {
            self.rows[terminal].ports[end.at()].flush();
        }
        if end == End::Slave {
            self.wait_for_turn(own.task, terminal, || own.call())?;
        }
        if ![TCIFLUSH, TCOFLUSH, TCIOFLUSH].contains(&what) {
            return Err(Errno::EINVAL.into());
        }
        let mut happened = Happened::default();
        let state = &mut self.rows[terminal];
        if what != TCOFLUSH {
            state.flush_input(end, &mut happened);
            state.let_in(end, &mut happened);
            happened.writable[end.other().at()] = true;
        }
        if what != TCIFLUSH {
            state.flush_output(end, &mut happened);
        }
        self.settle_terminal(terminal, &mut happened);
        self.after_terminal(terminal, happened);
        Ok(Answer::default())
    }

    /// TCXONC.
    fn control_flow(&mut self, own: &Request) -> CallResult {
        const TCOOFF: i64 = 0;
        const TCOON: i64 = 1;
        const TCIOFF: i64 = 2;
        const TCION: i64 = 3;
        let Side { terminal, end, .. } = own.side;
        if end == End::Slave {
            self.wait_for_turn(own.task, terminal, || own.call())?;
        }
        let mut happened = Happened::default();
        let state = &mut self.rows[terminal];
        let stopped = state.lines[end.at()].stopped_by_call;
        match own.number() {
            TCOOFF if !stopped => {
                state.lines[end.at()].stopped_by_call = true;
                state.stop(end, &mut happened);
            }
            TCOON if stopped => {
                state.lines[end.at()].stopped_by_call = false;
                state.start(end, &mut happened);
            }
            TCOOFF | TCOON => {}
            what @ (TCIOFF | TCION) => {
                let place = if what == TCIOFF { VSTOP } else { VSTART };
                let byte = match end {
                    End::Slave => state.character(place),
                    End::Master => crate::components::terminal::NEW_TERMIOS.cc[usize::from(place)],
                };
                if byte != 0 {
                    state.send_alone(end, byte, &mut happened);
                }
            }
            _ => return Err(Errno::EINVAL.into()),
        }
        self.settle_terminal(terminal, &mut happened);
        self.after_terminal(terminal, happened);
        Ok(Answer::default())
    }

    /// TIOCSTI: root's only (`dev.tty.legacy_tiocsti` is 0).
    fn simulate_input(&mut self, own: &Request) -> CallResult {
        if !self.is_administrator(own.task) {
            return Err(Errno::EIO.into());
        }
        let Side { terminal, end, .. } = own.side;
        let mut happened = Happened::default();
        self.rows[terminal].receive(end, &[own.number() as u8], &mut happened);
        self.settle_terminal(terminal, &mut happened);
        self.after_terminal(terminal, happened);
        Ok(Answer::default())
    }
}

fn told(number: i64) -> Answer {
    Answer::with(Payload::Number(number))
}

fn modes(termios: &mut Termios) -> [&mut u32; 4] {
    [&mut termios.iflag, &mut termios.oflag, &mut termios.cflag, &mut termios.lflag]
}

/// TCSETA changes the lower half of the modes and the first characters.
fn as_termio(old: Termios, mut new: Termios) -> Termios {
    let mut result = old;
    for (mode, given) in modes(&mut result).into_iter().zip(modes(&mut new)) {
        *mode = *mode & !TERMIO_BITS | *given & TERMIO_BITS;
    }
    result.line = new.line;
    result.cc[..TERMIO_CHARACTERS].copy_from_slice(&new.cc[..TERMIO_CHARACTERS]);
    result
}

/// The speeds that settings mean: of the input that of the output, if none is set.
fn speeds(termios: &Termios, [ispeed, ospeed]: [u32; 2]) -> [u32; 2] {
    let of = |bits: u32, other: u32| match bits & CBAUD {
        BOTHER => other,
        bits => {
            let at = bits & 0o17 | if bits & BOTHER != 0 { 1 << 4 } else { 0 };
            // Those with CBAUDEX begin at 1.
            let at = if at > 0o17 { at - 1 } else { at };
            SPEEDS.get(at as usize).copied().unwrap_or(0)
        }
    };
    let output = of(termios.cflag, ospeed);
    let input = match termios.cflag >> IBSHIFT & CBAUD {
        0 => output,
        bits => of(bits, ispeed),
    };
    [input, output]
}
