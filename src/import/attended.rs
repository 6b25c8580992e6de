//! Before a call on a terminal: what the driver (`terminals.rs`) does, so that the call finds what
//! it found. It makes room, and gives settings, size and node as they are seen first; what was
//! typed arrives before what comes after it.
//!
//! What strace cut on its way through a line discipline is answered as recorded from there on.

use tickernel_systems::TerminalView;
use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::termios::{ECHO, ICANON, OPOST, VMIN, VTIME};
use tickernel_systems::abi::{Errno, Termios, Termios2};
use tickernel_systems::event::{Call, IoctlArg, Payload, TerminalEnd};
use tickernel_systems::wire::Wire;

use super::order::Order;
use super::{decode, paths};
use crate::replay::{Expected, FED, Recorded};
use crate::strace;

/// Output beyond which the driver reads, in bytes of room that is left.
const LITTLE_ROOM_BYTES: u64 = 6144;
/// Most ends of terminals that are remembered as written to by halves.
const MAX_BLURRED: usize = 1 << 12;

impl Order<'_> {
    /// Before a call on a terminal of the driver's: there is room, and its settings, size and node
    /// are those that are seen.
    pub(super) fn attend_terminal(&mut self, tid: u32, call: &Call<'_>, expected: &mut Expected) {
        self.arrange_number(tid, call);
        match *call {
            Call::Write { fd, .. } | Call::Writev { fd, .. } => {
                self.blur(tid, fd);
                let own = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
                // What was typed before is echoed before.
                if let Some(own) = own.filter(|own| own.end == TerminalEnd::Slave) {
                    self.carry_to(TerminalEnd::Slave, Some(&[own.id]));
                    // And what was written before has left room.
                    if own.room_bytes < LITTLE_ROOM_BYTES {
                        self.carry_to(TerminalEnd::Master, Some(&[own.id]));
                    }
                }
                let view = self.outside_terminal(tid, fd);
                if let Some(view) = view.filter(|view| view.room_bytes < LITTLE_ROOM_BYTES) {
                    self.drain(view.number);
                }
            }
            Call::Ioctl { fd, request, .. } => {
                let view = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
                // What was typed before was taken by the settings of then: it arrives at once.
                if let (Some(view), TCSETS | TCSETSW | TCSETSF) = (view, request) {
                    self.carry_to(TerminalEnd::Slave, Some(&[view.id]));
                }
                if let Some(view) = self.outside_terminal(tid, fd) {
                    self.attend_request(&view, request, expected);
                }
            }
            Call::Fstat { .. }
            | Call::Stat { .. }
            | Call::Newfstatat { .. }
            | Call::Statx { .. } => self.attend_stat(tid, call, expected),
            Call::Chmod { .. }
            | Call::Fchmod { .. }
            | Call::Fchmodat { .. }
            | Call::Chown { .. }
            | Call::Fchown { .. }
            | Call::Fchownat { .. } => {
                let named = self.terminal_named(tid, call);
                self.terminals.seen_nodes.extend(named.map(|(id, _)| id));
            }
            _ => {}
        }
    }

    fn blur(&mut self, tid: u32, fd: i32) {
        let view = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
        if let Some(view) = view.filter(|_| !self.unknown_parts(tid).is_empty())
            && self.terminals.blurred.len() < MAX_BLURRED
        {
            self.terminals.blurred.insert((view.id, view.end == TerminalEnd::Slave));
            // What is typed is echoed to who typed it (termios(3), ECHO).
            if view.end == TerminalEnd::Master && view.termios.lflag & ECHO != 0 {
                self.terminals.blurred.insert((view.id, true));
            }
        }
    }

    /// Whether what a descriptor reads was cut on its way.
    pub(super) fn is_blurred(&self, tid: u32, fd: i32) -> bool {
        if self.terminals.blurred.is_empty() {
            return false;
        }
        let view = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
        view.is_some_and(|view| {
            self.terminals.blurred.contains(&(view.id, view.end == TerminalEnd::Master))
        })
    }

    /// A read of no lines that got nothing: VTIME was over (termios(3), `VMIN` 0).
    pub(super) fn note_time_out(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        let Some(Call::Read { fd, .. }) = pending.decoded.parsed() else { return };
        let got_nothing = pending.decoded.expected.recorded == Recorded::Value(0);
        let view = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
        let waits = view.is_some_and(|view| {
            let character = |place: u8| view.termios.cc.get(usize::from(place)).copied();
            view.end == TerminalEnd::Slave
                && view.termios.lflag & ICANON == 0
                && character(VMIN) == Some(0)
                && character(VTIME) > Some(0)
        });
        if let Some(pending) = self.task(tid).pending.as_mut().filter(|_| got_nothing && waits) {
            pending.times_out = true;
        }
    }

    /// A read that the recording answers takes what is there all the same, so that who writes has
    /// room.
    pub(super) fn pass_blurred(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        let reads = matches!(&*pending.printed.name, "read" | "readv");
        let fd = pending.printed.arg(0).and_then(strace::Value::as_i32).filter(|_| reads);
        let Some(fd) = fd.filter(|fd| self.is_blurred(tid, *fd)) else { return };
        self.answer_as_recorded(tid);
        let count = 1 << 16;
        if let Some(Ok(Some(bytes))) = self.kernel.terminal_read(tid, fd, count)
            && !bytes.is_empty()
        {
            self.act(tid, Call::Read { fd, count });
        }
    }

    /// How much a write that does not wait puts into a terminal, before that is full, follows from
    /// when Linux's worker takes it out. Where the kernel would take another part it is answered
    /// as recorded, and what both sides find from then on too.
    pub(super) fn pass_full_terminal(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_ref().filter(|it| it.item.is_none()) else {
            return;
        };
        let recorded = pending.decoded.expected.recorded;
        let (fd, bytes) = match pending.decoded.parsed() {
            Some(Call::Write { fd, data } | Call::Writev { fd, data }) => (fd, data.len() as u64),
            _ => return,
        };
        let Some(view) = self.kernel.fd_view(tid, fd).filter(|it| it.flags & O_NONBLOCK != 0)
        else {
            return;
        };
        let Some(mut terminal) = view.terminal.filter(|it| it.end == TerminalEnd::Slave) else {
            return;
        };
        if self.outside_terminal(tid, fd).is_some() {
            return;
        }
        if terminal.room_bytes < LITTLE_ROOM_BYTES {
            self.carry_to(TerminalEnd::Master, Some(&[terminal.id]));
            let now = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
            terminal = now.unwrap_or(terminal);
        }
        let is_same = match recorded {
            // Output processing may make two of a character.
            Recorded::Value(value) if terminal.termios.oflag & OPOST != 0 => {
                value.cast_unsigned() == bytes && terminal.room_bytes >= 2 * bytes
            }
            Recorded::Value(value) => value.cast_unsigned() == terminal.room_bytes.min(bytes),
            Recorded::Errno(Errno::EAGAIN) => terminal.room_bytes == 0,
            Recorded::Errno(_) | Recorded::Never => true,
        };
        if is_same {
            return;
        }
        self.answer_as_recorded(tid);
        if matches!(recorded, Recorded::Value(_)) && self.terminals.blurred.len() < MAX_BLURRED {
            self.terminals.blurred.extend([(terminal.id, true), (terminal.id, false)]);
        }
    }

    /// The characters of settings of which strace printed only the flags: those that are there.
    pub(super) fn complete_settings(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        let printed = pending.printed.arg(2);
        if &*pending.printed.name != "ioctl"
            || pending.item.is_some()
            || printed.is_none_or(|it| it.as_struct().is_none() || decode::has_characters(it))
        {
            return;
        }
        let Some(Call::Ioctl { fd, request, arg }) = pending.decoded.parsed() else { return };
        let view = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
        let Some(now) = view.map(|view| view.termios) else { return };
        let whole = |some: Termios| Termios { line: now.line, cc: now.cc, ..some };
        let arg = match arg {
            IoctlArg::Termios(some) => IoctlArg::Termios(whole(some)),
            IoctlArg::Termios2(some) => {
                IoctlArg::Termios2(Termios2 { termios: whole(some.termios), ..some })
            }
            IoctlArg::Number(_) | IoctlArg::Winsize(_) | IoctlArg::Interface(_) => arg,
        };
        let mut bytes = Vec::new();
        Call::Ioctl { fd, request, arg }.put(&mut bytes);
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        pending.decoded.call = Some(bytes.into());
        match &mut pending.decoded.expected.payload {
            Payload::Termios(some) => **some = whole(**some),
            Payload::Termios2(some) => some.termios = whole(some.termios),
            _ => {}
        }
    }

    fn attend_request(&mut self, view: &TerminalView, request: u64, expected: &mut Expected) {
        let number = view.number;
        let Some(held) = self.terminals.held.get_mut(&number) else { return };
        let fd = held.master;
        match (request, &expected.payload) {
            (TCGETS, Payload::Termios(seen)) => {
                let is_first = !std::mem::replace(&mut held.has_settings, true);
                if is_first && **seen != view.termios {
                    let arg = IoctlArg::Termios(Termios { ..**seen });
                    self.drive(Call::Ioctl { fd, request: TCSETS, arg });
                }
            }
            (TIOCGWINSZ, Payload::Winsize(seen)) => {
                let is_first = !std::mem::replace(&mut held.has_size, true);
                if *seen != view.winsize {
                    let arg = IoctlArg::Winsize(*seen);
                    self.drive(Call::Ioctl { fd, request: TIOCSWINSZ, arg });
                    // Whoever made it so was not recorded.
                    expected.flags |= if is_first { 0 } else { FED };
                }
            }
            (TCSETS, _) => held.has_settings = true,
            (TCSETSW | TCSETSF | TCSBRK, _) => {
                held.has_settings |= request != TCSBRK;
                self.drain(number);
            }
            _ => {}
        }
    }

    /// Who owns the node of a terminal and who may use it follows from how devpts is mounted on the
    /// recorded machine.
    fn attend_stat(&mut self, tid: u32, call: &Call<'_>, expected: &Expected) {
        use crate::replay::stat_bits::{GID, MODE, UID};
        let Payload::Stat(seen) = &expected.payload else { return };
        let Some((id, number)) = self.terminal_named(tid, call) else { return };
        if self.terminals.driver.is_none() || !self.terminals.seen_nodes.insert(id) {
            return;
        }
        let path = format!("/dev/pts/{number}").into_bytes();
        let path = Some(&path[..]);
        let id = |bit: u32, id: u32| if expected.members & bit == 0 { -1 } else { i64::from(id) };
        let (uid, gid) = (id(UID, seen.uid), id(GID, seen.gid));
        self.drive(Call::Chown { path, uid, gid });
        if expected.members & MODE != 0 {
            self.drive(Call::Chmod { path, mode: seen.mode & 0o7777 });
        }
    }

    /// The terminal whose slave's node a call names: its own id and its number.
    fn terminal_named(&self, tid: u32, call: &Call<'_>) -> Option<(u64, u32)> {
        let of = |fd: i32| {
            let view = self.kernel.fd_view(tid, fd)?.terminal?;
            (view.end == TerminalEnd::Slave).then_some((view.id, view.number))
        };
        match *call {
            Call::Fstat { fd } | Call::Fchmod { fd, .. } | Call::Fchown { fd, .. } => of(fd),
            _ => match paths::uses(call).first()? {
                one if one.path.is_empty() => of(one.dirfd),
                one => {
                    let name = one.path.strip_prefix(b"/dev/pts/")?;
                    let number = std::str::from_utf8(name).ok()?.parse().ok()?;
                    Some((self.kernel.terminal_id(number)?, number))
                }
            },
        }
    }
}
