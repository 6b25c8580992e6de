//! The other side of terminals that the session came with (IMPORT.md section 11): a task that was
//! not recorded, the driver, holds their masters. It sets them up before the first line, takes what
//! is written to them, and types what the session is seen to read (`typed.rs`).
//!
//! It also keeps the numbers of terminals that others have on the recorded machine, so that
//! /dev/ptmx gives the one that the recording shows.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Signal, Winsize};
use tickernel_systems::event::{Call, Event, IoctlArg, Outcome, Payload, TerminalEnd};
use tickernel_systems::{Boot, TerminalView};

use super::decode;
use super::meta::MAX_PID;
use super::order::Order;
use super::paths;
use crate::replay::{Expected, Recorded, Role};
use crate::strace::{self, EventKind, Recording};

/// The driver: a number that no session has.
const DRIVER: u32 = MAX_PID - 2;
/// Most terminals that are held for others.
const MAX_HELD: u32 = 256;
/// Calls that are looked through for the first size of a terminal.
const MAX_SIZE_CALLS: usize = 1 << 16;
/// Calls that are looked through for the number of a new terminal.
const LOOKED_AT_CALLS: u64 = 4096;

/// A descriptor of the first process that is a terminal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// Its number.
    pub fd: u32,
    /// The number of the terminal.
    pub number: u32,
    /// Access mode and status flags.
    pub flags: u32,
    /// It closes on exec.
    pub cloexec: bool,
    /// The size that the side file tells.
    pub winsize: Option<Winsize>,
}

/// A terminal whose master the driver holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The driver's descriptor.
    pub(super) master: i32,
    /// Its settings have been seen or set.
    pub(super) has_settings: bool,
    /// The same of its size.
    pub(super) has_size: bool,
}

/// What the driver has.
#[derive(Debug, Default)]
pub struct Terminals {
    /// Who the driver is, if there is one.
    pub(super) driver: Option<u32>,
    /// By the number of the slave.
    pub(super) held: BTreeMap<u32, Held>,
    /// Own ids of terminals, and which of their ends something was written to that strace cut: what
    /// comes out of the line discipline there is not known, nor how much it is.
    pub(super) blurred: BTreeSet<(u64, bool)>,
    /// Own ids of terminals whose nodes have been looked at or changed.
    pub(super) seen_nodes: BTreeSet<u64>,
}

/// Whether a session needs a driver: it came with terminals, or makes some.
pub fn are_used(recording: &Recording, inherited: &[Inherited]) -> bool {
    !inherited.is_empty()
        || recording.events.iter().any(|event| {
            let EventKind::Entry { call } = event.kind else { return false };
            recording.calls.get(call).is_some_and(|call| opens_master(&call))
        })
}

/// The size that the first look at a terminal that was there shows.
fn first_size(recording: &Recording, inherited: &[Inherited]) -> Option<Winsize> {
    if inherited.is_empty() {
        return None;
    }
    let calls = (0..recording.calls.count()).map_while(|at| recording.calls.get(at));
    calls.take(MAX_SIZE_CALLS).find_map(|call| {
        if &*call.name != "ioctl" || decode::request(call.arg(1)?) != Some(TIOCGWINSZ) {
            return None;
        }
        match decode::decode(&call).expected {
            Expected { recorded: Recorded::Value(0), payload: Payload::Winsize(size), .. } => {
                Some(size)
            }
            _ => None,
        }
    })
}

fn opens_master(call: &strace::Call) -> bool {
    let path = match &*call.name {
        "open" => call.arg(0),
        "openat" | "openat2" => call.arg(1),
        _ => None,
    };
    path.and_then(strace::Value::as_text).is_some_and(|text| is_master_path(&text.bytes))
}

/// Names of the device that makes terminals.
fn is_master_path(path: &[u8]) -> bool {
    matches!(path, b"/dev/ptmx" | b"/dev/pts/ptmx")
}

impl Order<'_> {
    /// What the first process came with is opened, by itself or by who leads its session; then
    /// the driver comes and takes the masters, or the leader keeps them.
    pub(super) fn begin_terminals(&mut self, inherited: &[Inherited], boot: &Boot, leader: u32) {
        if !are_used(self.recording, inherited) {
            return;
        }
        let size = first_size(self.recording, inherited);
        let mut done: Vec<Inherited> = Vec::new();
        for one in inherited {
            self.hold_up_to(leader, one.number);
            let same = done.iter().find(|it| it.number == one.number && it.flags == one.flags);
            self.inherit(leader, one, same.map(|same| same.fd), size);
            done.push(*one);
        }
        if let Some(first) = inherited.iter().find(|one| one.flags & O_ACCMODE != O_WRONLY) {
            let (fd, arg) = (first.fd.cast_signed(), IoctlArg::Number(0));
            self.act(leader, Call::Ioctl { fd, request: TIOCSCTTY, arg });
        }
        if leader == boot.pid { self.make_driver() } else { self.make_family(boot, leader) }
    }

    /// A sibling of the first process, in a session of its own.
    fn make_driver(&mut self) {
        let root = self.root;
        let flags = CLONE_PARENT | u64::from(Signal::SIGCHLD.number());
        // Pid 1 cannot have a sibling (clone(2)): it keeps the masters itself.
        let made = self.act(root, Call::Clone { flags, set_tid: DRIVER });
        if !matches!(made, Outcome::Done(_)) {
            self.terminals.driver = Some(root);
            return;
        }
        self.terminals.driver = Some(DRIVER);
        self.act(DRIVER, Call::Setsid {});
        let masters = self.masters();
        let mut first = 0;
        for fd in masters {
            self.act(root, Call::Close { fd });
            if let Some(last) = fd.cast_unsigned().checked_sub(1).filter(|last| *last >= first) {
                self.act(DRIVER, Call::CloseRange { first, last, flags: 0 });
            }
            first = fd.cast_unsigned() + 1;
        }
        self.act(DRIVER, Call::CloseRange { first, last: u32::MAX, flags: 0 });
    }

    /// From the leader of the session down to the first process.
    fn make_family(&mut self, boot: &Boot, leader: u32) {
        let Boot { pid: root, ppid, pgid, .. } = *boot;
        self.terminals.driver = Some(leader);
        let flags = u64::from(Signal::SIGCHLD.number());
        let mut parent = leader;
        if ppid != leader && ppid > 1 && ppid != root {
            let made = self.act(leader, Call::Clone { flags, set_tid: ppid });
            parent = if let Outcome::Done(_) = made { ppid } else { leader };
        }
        if pgid == parent && parent != leader {
            self.act(parent, Call::Setpgid { target: 0, pgid: 0 });
        }
        self.act(parent, Call::Clone { flags, set_tid: root });
        if pgid == root {
            self.act(root, Call::Setpgid { target: 0, pgid: 0 });
        }
        for fd in self.masters() {
            self.act(root, Call::Close { fd });
        }
        if parent != leader {
            self.act(parent, Call::CloseRange { first: 0, last: u32::MAX, flags: 0 });
        }
    }

    /// The driver's descriptors, in order.
    fn masters(&self) -> Vec<i32> {
        let mut masters: Vec<i32> = self.terminals.held.values().map(|held| held.master).collect();
        masters.sort_unstable();
        masters
    }

    /// One of the first process's descriptors.
    fn inherit(&mut self, root: u32, one: &Inherited, same: Option<u32>, size: Option<Winsize>) {
        let newfd = one.fd.cast_signed();
        let cloexec = if one.cloexec { O_CLOEXEC } else { 0 };
        if let Some(same) = same {
            let oldfd = same.cast_signed();
            self.act(root, Call::Dup3 { oldfd, newfd, flags: cloexec });
            return;
        }
        let Some(held) = self.terminals.held.get_mut(&one.number) else { return };
        let (fd, flags) = (held.master, one.flags & !O_CLOEXEC | O_NOCTTY);
        let size = one.winsize.or(size);
        held.has_size = size.is_some();
        if let Some(size) = size {
            let arg = IoctlArg::Winsize(size);
            self.act(root, Call::Ioctl { fd, request: TIOCSWINSZ, arg });
        }
        let path = format!("/dev/pts/{}", one.number).into_bytes();
        // openpty(3) does not open it by name: then O_LARGEFILE is not there.
        let opened = if flags & O_LARGEFILE != 0 {
            self.act(root, Call::Openat { dirfd: AT_FDCWD, path: Some(&path), flags, mode: 0 })
        } else {
            let arg = IoctlArg::Number(i64::from(flags));
            self.act(root, Call::Ioctl { fd, request: TIOCGPTPEER, arg })
        };
        let Outcome::Done(answer) = opened else { return };
        let Ok(oldfd) = i32::try_from(answer.value) else { return };
        if oldfd != newfd {
            self.act(root, Call::Dup3 { oldfd, newfd, flags: cloexec });
            self.act(root, Call::Close { fd: oldfd });
        }
    }

    fn driver(&self) -> u32 {
        self.terminals.driver.unwrap_or(DRIVER)
    }

    /// A call of the driver's.
    pub(super) fn drive(&mut self, call: Call<'_>) -> Outcome {
        self.act(self.driver(), call)
    }

    /// A call that no line shows.
    pub(super) fn act(&mut self, task: u32, call: Call<'_>) -> Outcome {
        let forced = Expected::only(Role::Force, call.name());
        self.emit(&Event::Call { task, call }, Some(forced), None)
    }

    /// Somebody opens terminals until this one is there.
    fn hold_up_to(&mut self, tid: u32, number: u32) {
        for _ in 0..=number.min(MAX_HELD) {
            if self.kernel.terminal_numbers().any(|it| it == number) {
                return;
            }
            if self.hold_next(tid).is_none_or(|made| made >= number) {
                return;
            }
        }
    }

    /// Somebody opens one more.
    fn hold_next(&mut self, tid: u32) -> Option<u32> {
        let before: Vec<u32> = self.kernel.terminal_numbers().collect();
        let flags = O_RDWR | O_NOCTTY | O_NONBLOCK;
        let path = Some(&b"/dev/ptmx"[..]);
        let opening = Call::Openat { dirfd: AT_FDCWD, path, flags, mode: 0 };
        let Outcome::Done(answer) = self.act(tid, opening) else { return None };
        let master = i32::try_from(answer.value).ok()?;
        let arg = IoctlArg::Number(0);
        self.act(tid, Call::Ioctl { fd: master, request: TIOCSPTLCK, arg });
        let number = self.kernel.terminal_numbers().find(|it| !before.contains(it))?;
        let held = Held { master, has_settings: false, has_size: false };
        self.terminals.held.insert(number, held);
        Some(number)
    }

    /// Before a call opens /dev/ptmx: the number that it got is the lowest free one.
    pub(super) fn arrange_number(&mut self, tid: u32, call: &Call<'_>) {
        let opens = matches!(call, Call::Open { .. } | Call::Openat { .. } | Call::Openat2 { .. });
        let names_it = || paths::uses(call).iter().any(|one| is_master_path(one.path));
        if self.terminals.driver.is_none() || !opens || !names_it() {
            return;
        }
        let Some(number) = self.number_of_new(tid) else { return };
        // One that is held for others and not in use makes room.
        if let Some(held) = self.terminals.held.get(&number).copied()
            && !self.kernel.terminal_in_use(number)
        {
            self.terminals.held.remove(&number);
            self.drive(Call::Close { fd: held.master });
        }
        for _ in 0..number.min(MAX_HELD) {
            let numbers: Vec<u32> = self.kernel.terminal_numbers().collect();
            let lowest = (0..).find(|it| !numbers.contains(it)).unwrap_or(number);
            if lowest >= number || self.hold_next(self.driver()).is_none() {
                break;
            }
        }
    }

    /// The number that the terminal of a call that opens /dev/ptmx turns out to have.
    pub(super) fn number_of_new(&self, tid: u32) -> Option<u32> {
        let pending = self.tasks.get(&tid)?.pending.as_ref()?;
        let Recorded::Value(fd) = pending.decoded.expected.recorded else { return None };
        let fd = i32::try_from(fd).ok()?;
        let calls = pending.call + 1..pending.call.saturating_add(LOOKED_AT_CALLS);
        calls.map_while(|at| self.recording.calls.get(at)).find_map(|call| {
            let asks = &*call.name == "ioctl"
                && call.arg(0).and_then(strace::Value::as_i32) == Some(fd)
                && decode::request(call.arg(1)?) == Some(TIOCGPTN);
            let number = call.arg(2).filter(|_| asks)?.pointee()?.after().as_i64()?;
            u32::try_from(number).ok()
        })
    }

    /// The terminal of a descriptor if the driver holds its master.
    pub(super) fn outside_terminal(&self, tid: u32, fd: i32) -> Option<TerminalView> {
        self.kernel.fd_view(tid, fd)?.terminal.filter(|view| {
            view.end == TerminalEnd::Slave && self.terminals.held.contains_key(&view.number)
        })
    }

    /// What is on its way to an end of terminals arrives there, with what comes of it: echoes,
    /// signals. Of these objects, or of all.
    pub(super) fn carry_to(&mut self, end: TerminalEnd, ids: Option<&[u64]>) -> bool {
        let is_one = |number: u32| {
            let id = self.kernel.terminal_id(number);
            ids.is_none_or(|ids| id.is_some_and(|id| ids.contains(&id)))
        };
        let mail = self.kernel.terminals_with_mail().into_iter();
        let mail: Vec<_> = mail.filter(|it| it.1 == end && is_one(it.0)).collect();
        let mut moved = false;
        for (terminal, end) in mail {
            // What was written before is there before: a character that interrupts takes along
            // what is still on its way.
            let other = (terminal, TerminalEnd::Master);
            if end == TerminalEnd::Slave && self.kernel.terminals_with_mail().contains(&other) {
                let end = TerminalEnd::Master;
                self.emit(&Event::Carry { terminal, end }, None, None);
            }
            self.emit(&Event::Carry { terminal, end }, None, None);
            moved |= !self.kernel.terminals_with_mail().contains(&(terminal, end));
        }
        moved
    }

    /// The driver's descriptor of a terminal.
    pub(super) fn master_of(&self, number: u32) -> Option<i32> {
        self.terminals.held.get(&number).map(|held| held.master)
    }

    /// The driver writes.
    pub(super) fn type_in(&mut self, number: u32, data: &[u8]) -> bool {
        let Some(fd) = self.master_of(number).filter(|_| !data.is_empty()) else { return false };
        matches!(self.drive(Call::Write { fd, data }), Outcome::Done(_))
    }

    /// The driver reads all that is there.
    pub(super) fn drain(&mut self, number: u32) {
        let Some(fd) = self.master_of(number) else { return };
        let count = 1 << 16;
        while let Some(Ok(Some(bytes))) = self.kernel.terminal_read(self.driver(), fd, count)
            && !bytes.is_empty()
        {
            self.drive(Call::Read { fd, count });
        }
    }

    /// A terminal got another size, as its session was told (SIGWINCH): the one that the next look
    /// at it shows. False if that is not known, or it has it.
    pub(super) fn resize(&mut self, tid: u32) -> bool {
        let Some(number) = self.kernel.controlling_terminal(tid) else { return false };
        let Some(fd) = self.master_of(number) else { return false };
        let later = self.entered + 1..self.entered.saturating_add(LOOKED_AT_CALLS);
        let mut later = later.map_while(|at| self.recording.calls.get(at));
        let size = later.find_map(|call| match decode::decode(&call).expected.payload {
            Payload::Winsize(size) => Some(size),
            _ => None,
        });
        let Some(size) = size else { return false };
        let arg = IoctlArg::Winsize(size);
        matches!(self.drive(Call::Ioctl { fd, request: TIOCSWINSZ, arg }), Outcome::Done(_))
    }

    /// The driver closes its end.
    pub(super) fn hang_up(&mut self, number: u32) -> bool {
        let Some(held) = self.terminals.held.remove(&number) else { return false };
        self.drive(Call::Close { fd: held.master });
        true
    }
}
