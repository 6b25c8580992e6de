//! Signals for input and output (fcntl(2), O_ASYNC, F_SETOWN_EX, F_SETSIG): who is told of what.
//!
//! A pipe, a socket, a terminal or an instance of inotify(7) has a list of the descriptions that
//! are told; who came last is told first. By itself it is SIGIO; with F_SETSIG the signal says what
//! happened and to which descriptor. Where a real-time signal has no room SIGIO comes instead. What
//! is told when is Linux 6.18's, found by experiment. Not here: SIGURG (`urgent.rs`).

use super::job_control::kernel_info;
use crate::abi::flags::*;
use crate::abi::signal::{SI_SIGIO, has_own_codes};
use crate::abi::{Errno, FileOwner, SigInfo, Signal};
use crate::components::description::{Notices, Owner, Told};
use crate::components::terminal::{End, Side};
use crate::components::{Life, Object, Target, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::memory;
use crate::queue::Posted;
use crate::rows::{DescriptionRow, PipeRow, ProcessRow, RowKind, SocketRow, TaskRow, TerminalRow};
use crate::tables::family::Club;
use crate::tables::pids::PID_MAX;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What happened, as `si_code` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// `POLL_IN`
    Input,
    /// `POLL_OUT`
    Output,
    /// `POLL_ERR`
    Error,
    /// `POLL_PRI`
    Urgent,
    /// `POLL_HUP`
    HangUp,
}

impl Reason {
    /// `si_code` and `si_band`.
    const fn code_and_band(self) -> (i32, u32) {
        match self {
            Reason::Input => (1, POLLIN | POLLRDNORM),
            Reason::Output => (2, POLLOUT | POLLWRNORM | POLLWRBAND),
            Reason::Error => (4, POLLERR),
            Reason::Urgent => (5, POLLPRI | POLLRDBAND),
            Reason::HangUp => (6, POLLHUP | POLLERR),
        }
    }
}

/// Something of which is told: its own id, and which end if it has two.
type Source = (u64, u8);

/// Who is told of what, the first first. Follows from the descriptions.
pub(crate) type Hearers = BTreeMap<Source, Vec<DescriptionRow>>;

/// One who gets a signal.
#[derive(Clone, Copy)]
enum Receiver {
    Process(ProcessRow, TaskRow),
    Task(TaskRow),
}

impl Kernel {
    /// Of what a description is told, if it may be.
    pub(crate) fn source(&self, row: DescriptionRow) -> Option<Source> {
        if let Some(Side { terminal, end, .. }) = self.rows[row].terminal {
            return Some((terminal.own_id(&self.rows), end.at() as u8));
        }
        match self.rows[row].target {
            Target::Pipe(pipe, _) => Some((pipe.own_id(&self.rows), 0)),
            Target::Socket(socket) => Some((socket.own_id(&self.rows), 0)),
            Target::Object(Object::Inotify) => Some((row.own_id(&self.rows), 0)),
            // It never has anything to tell.
            Target::File(place) if self.fs.is_random_device(place) => {
                Some((row.own_id(&self.rows), 0))
            }
            Target::Object(_) | Target::File(_) => None,
        }
    }

    /// O_ASYNC by this descriptor. What cannot tell keeps the flag as it was, and so does one that
    /// was opened with it: then it means nothing.
    pub(super) fn set_async(
        &mut self,
        (task, row, fd): (TaskRow, DescriptionRow, i32),
        on: bool,
    ) -> Result<(), Errno> {
        let Some(source) = self.source(row) else { return Ok(()) };
        let flags = self.rows[row].flags;
        if on == (flags & O_ASYNC != 0) {
            return Ok(());
        }
        if self.rows[row].terminal.is_some_and(|side| self.is_hung_up(side)) {
            return Err(Errno::ENOTTY);
        }
        if !on {
            if self.rows[row].notices().told.is_some() {
                self.forget_notices(row);
                self.rows[row].flags = flags & !O_ASYNC;
            }
            return Ok(());
        }
        self.room_for_notices(row)?;
        self.rows[row].flags = flags | O_ASYNC;
        self.own_terminal(task, row);
        self.counters.next_since += 1;
        let told = Told { since: self.counters.next_since, fd, wants_room: false };
        self.set_told(row, Some(told));
        self.hearers.entry(source).or_default().insert(0, row);
        Ok(())
    }

    /// FIOASYNC: the same as F_SETFL does, and ENOTTY where nothing can be told.
    pub(super) fn ioctl_async(
        &mut self,
        at: (TaskRow, DescriptionRow, i32),
        on: bool,
    ) -> CallResult {
        let is_on = self.rows[at.1].flags & O_ASYNC != 0;
        if on != is_on && self.source(at.1).is_none() {
            return Err(Errno::ENOTTY.into());
        }
        self.set_async(at, on)?;
        Ok(Answer::default())
    }

    /// A description is not told any more.
    pub(super) fn forget_notices(&mut self, row: DescriptionRow) {
        if self.rows[row].notices().told.is_none() {
            return;
        }
        self.set_told(row, None);
        let Some(source) = self.source(row) else { return };
        if let Some(list) = self.hearers.get_mut(&source) {
            list.retain(|other| *other != row);
            if list.is_empty() {
                self.hearers.remove(&source);
            }
        }
    }

    /// A description ends.
    pub(super) fn drop_notices(&mut self, row: DescriptionRow) {
        self.forget_notices(row);
        self.set_notices(row, Notices::default());
    }

    /// The lists again, from the descriptions.
    pub(crate) fn all_hearers(&self) -> Hearers {
        let mut all: Vec<(u64, DescriptionRow)> = DescriptionRow::all(&self.rows)
            .into_iter()
            .filter_map(|(_, row)| Some((self.rows[row].notices().told?.since, row)))
            .collect();
        all.sort_by_key(|(since, _)| core::cmp::Reverse(*since));
        let mut hearers = Hearers::new();
        for (_, row) in all {
            if let Some(source) = self.source(row) {
                hearers.entry(source).or_default().push(row);
            }
        }
        hearers
    }

    /// What is kept of most is nothing.
    fn set_notices(&mut self, row: DescriptionRow, new: Notices) {
        let (had, has) = (self.rows[row].notices.is_some(), new != Notices::default());
        match (had, has) {
            (false, true) => self.hold_bytes(memory::OWNER_BYTES),
            (true, false) => self.unhold_bytes(memory::OWNER_BYTES),
            (false, false) | (true, true) => {}
        }
        self.rows[row].notices = has.then(|| Box::new(new));
    }

    /// ENOMEM if nothing more can be kept.
    fn room_for_notices(&self, row: DescriptionRow) -> Result<(), Errno> {
        let fits = self.rows[row].notices.is_some() || self.has_memory(memory::OWNER_BYTES);
        if fits { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    fn set_told(&mut self, row: DescriptionRow, told: Option<Told>) {
        let notices = self.rows[row].notices();
        self.set_notices(row, Notices { told, ..notices });
    }

    /// A terminal that nobody owns gets its group in the foreground, or who asks.
    fn own_terminal(&mut self, task: TaskRow, row: DescriptionRow) {
        let Some(side) = self.rows[row].terminal else { return };
        if self.rows[row].notices().owner.id != 0 {
            return;
        }
        let foreground = self.rows[side.terminal].foreground;
        let has_group = side.end == End::Slave && foreground != 0;
        let pid = self.rows[self.rows[task].process].pid;
        let id = if has_group { -(foreground as i32) } else { pid as i32 };
        let who = &self.rows[task].credentials;
        let owner = Owner { ids: [who.uid, who.euid], ..Owner::of(id) };
        let notices = self.rows[row].notices();
        self.set_notices(row, Notices { owner, ..notices });
    }

    /// Of a pipe: who may read is told of input, who may write of room.
    #[inline]
    pub(crate) fn tell_pipe(&mut self, pipe: PipeRow, reason: Reason) {
        if !self.hearers.is_empty() {
            let source = (pipe.own_id(&self.rows), 0);
            self.tell_hearers(source, reason, |description| match reason {
                Reason::Output => description.writable(),
                _ => description.readable(),
            });
        }
    }

    /// Of a socket; of input not while somebody waits for it there.
    #[inline]
    pub(crate) fn tell_socket(&mut self, socket: SocketRow, reason: Reason) {
        if !self.hearers.is_empty() {
            let waits = reason != Reason::Output && reason != Reason::Error;
            if !(waits && self.has_reader(socket)) {
                let source = (socket.own_id(&self.rows), 0);
                self.tell_hearers(source, reason, |_| true);
            }
        }
    }

    fn has_reader(&self, socket: SocketRow) -> bool {
        self.rows[socket].is_stream()
            && self.rows[socket].waiters.0.iter().any(|(_, tid)| {
                let task = self.pids.task(*tid);
                let wait = task.and_then(|task| self.rows[task].wait.as_deref());
                wait.is_some_and(|wait| matches!(wait.on, Waiting::SocketRead { .. }))
            })
    }

    /// An instance of inotify(7) has one more event.
    #[inline]
    pub(crate) fn tell_inotify(&mut self, id: u64) {
        if !self.hearers.is_empty() {
            self.tell_hearers((id, 0), Reason::Input, |_| true);
        }
    }

    /// Of an end of a terminal: so many times of input, and of room to who had none.
    pub(crate) fn tell_terminal(
        &mut self,
        terminal: TerminalRow,
        end: End,
        input: u32,
        room: bool,
    ) {
        if self.hearers.is_empty() {
            return;
        }
        let source = (terminal.own_id(&self.rows), end.at() as u8);
        (0..input).for_each(|_| self.tell_hearers(source, Reason::Input, |_| true));
        if room {
            self.tell_of_room(source);
        }
    }

    /// Pages moved out of a pipe: of room only if a slot is free that was not.
    pub(super) fn tell_of_slots(&mut self, pipe: PipeRow, slots_before: u32) {
        if self.rows[pipe].used_slots < slots_before {
            self.tell_pipe(pipe, Reason::Output);
        }
    }

    /// A socket has no room for what is sent: it is told when there is some.
    pub(super) fn want_room_of_socket(&mut self, socket: SocketRow) {
        if !self.hearers.is_empty() {
            self.want_room((socket.own_id(&self.rows), 0));
        }
    }

    /// The same of an end of a terminal.
    pub(super) fn want_room_of_terminal(&mut self, terminal: TerminalRow, end: End) {
        if !self.hearers.is_empty() {
            self.want_room((terminal.own_id(&self.rows), end.at() as u8));
        }
    }

    fn want_room(&mut self, source: Source) {
        for hearer in self.hearers.get(&source).cloned().unwrap_or_default() {
            let told = self.rows[hearer].notices().told;
            self.set_told(hearer, told.map(|told| Told { wants_room: true, ..told }));
        }
    }

    /// There is room in a socket, for who had none.
    #[inline]
    pub(crate) fn tell_socket_of_room(&mut self, socket: SocketRow) {
        if !self.hearers.is_empty() {
            self.tell_of_room((socket.own_id(&self.rows), 0));
        }
    }

    fn tell_of_room(&mut self, source: Source) {
        for hearer in self.hearers.get(&source).cloned().unwrap_or_default() {
            let Some(told) = self.rows[hearer].notices().told else { continue };
            if told.wants_room {
                self.set_told(hearer, Some(Told { wants_room: false, ..told }));
                self.tell_hearer(hearer, told.fd, Reason::Output);
            }
        }
    }

    fn tell_hearers(
        &mut self,
        source: Source,
        reason: Reason,
        hears: impl Fn(&crate::components::Description) -> bool,
    ) {
        for hearer in self.hearers.get(&source).cloned().unwrap_or_default() {
            let description = &self.rows[hearer];
            if let Some(told) = description.notices().told.filter(|_| hears(description)) {
                self.tell_hearer(hearer, told.fd, reason);
            }
        }
    }

    fn tell_hearer(&mut self, row: DescriptionRow, fd: i32, reason: Reason) {
        let Notices { owner, signal, .. } = self.rows[row].notices();
        // Urgent bytes send SIGURG already; who chose a signal gets that, too.
        let Some(signal) = Signal::new(signal) else {
            if reason != Reason::Urgent {
                self.signal_owner_of(owner, Signal::SIGIO, kernel_info(Signal::SIGIO));
            }
            return;
        };
        let (code, band) = reason.code_and_band();
        let signo = i32::from(signal.number());
        let other = signal != Signal::SIGIO && has_own_codes(signo);
        let code = if other { SI_SIGIO } else { code };
        self.signal_owner_of(owner, signal, SigInfo::of_io(signo, code, band.into(), fd));
    }

    /// A signal for who owns a description, as far as who said so may signal them.
    pub(super) fn signal_owner_of(&mut self, owner: Owner, signal: Signal, info: SigInfo) {
        for receiver in self.owners(owner) {
            let task = match receiver {
                Receiver::Process(_, task) | Receiver::Task(task) => task,
            };
            let (who, [uid, euid]) = (&self.rows[task].credentials, owner.ids);
            let theirs = [who.suid, who.uid];
            if euid != 0 && !theirs.contains(&euid) && !theirs.contains(&uid) {
                continue;
            }
            let mut post = |signal, info| match receiver {
                Receiver::Process(process, _) => self.post(process, signal, info),
                Receiver::Task(task) => self.post_to_task(task, signal, info),
            };
            if post(signal, info) == Posted::Refused {
                post(Signal::SIGIO, kernel_info(Signal::SIGIO));
            }
        }
    }

    fn owners(&self, owner: Owner) -> Vec<Receiver> {
        let number = owner.id.unsigned_abs();
        let of = |process: ProcessRow| {
            let first = *self.rows[process].threads.first()?;
            Some(Receiver::Process(process, self.pids.task(first)?))
        };
        match owner.kind {
            _ if number == 0 => Vec::new(),
            F_OWNER_TID => self.pids.task(number).map(Receiver::Task).into_iter().collect(),
            F_OWNER_PID => self.pids.process(number).and_then(of).into_iter().collect(),
            _ => self.members(Club::Group, number).into_iter().filter_map(of).collect(),
        }
    }

    /// F_SETOWN and F_SETOWN_EX.
    pub(super) fn set_owner(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        who: FileOwner,
    ) -> CallResult {
        let number = who.pid.unsigned_abs();
        let known = number == 0 || number < PID_MAX && !self.pids.is_free(number);
        if !known || who.pid < 0 {
            return Err(Errno::ESRCH.into());
        }
        let id = if who.kind == F_OWNER_PGRP { -who.pid } else { who.pid };
        let cred = &self.rows[task].credentials;
        let old = self.rows[row].notices().owner;
        let ids = if id == 0 { old.ids } else { [cred.uid, cred.euid] };
        self.room_for_notices(row)?;
        let notices = self.rows[row].notices();
        let owner = Owner { id, kind: who.kind, ids };
        self.set_notices(row, Notices { owner, ..notices });
        self.set_socket_owner(row);
        Ok(Answer::default())
    }

    /// F_SETOWN: a group is a number below 0.
    pub(super) fn set_owner_by_number(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        number: i32,
    ) -> CallResult {
        let kind = if number < 0 { F_OWNER_PGRP } else { F_OWNER_PID };
        let pid = number.checked_abs().ok_or(Errno::EINVAL)?;
        self.set_owner(task, row, FileOwner { kind, pid })
    }

    /// F_GETOWN and F_GETOWN_EX: an owner that is gone is nobody.
    pub(super) fn owner(&self, row: DescriptionRow) -> FileOwner {
        let Owner { id, kind, .. } = self.rows[row].notices().owner;
        let number = id.unsigned_abs();
        let lives = match kind {
            F_OWNER_TID => {
                let leads = self
                    .pids
                    .process(number)
                    .is_some_and(|process| matches!(self.rows[process].life, Life::Zombie(_)));
                leads || self.pids.task(number).is_some()
            }
            F_OWNER_PID => self.pids.process(number).is_some(),
            _ => !self.members(Club::Group, number).is_empty(),
        };
        FileOwner { kind, pid: if lives { number as i32 } else { 0 } }
    }

    /// F_GETOWN.
    pub(super) fn owner_number(&self, row: DescriptionRow) -> CallResult {
        let FileOwner { kind, pid } = self.owner(row);
        Ok(Answer::value(i64::from(if kind == F_OWNER_PGRP { -pid } else { pid })))
    }

    /// F_SETOWN_EX and F_GETOWN_EX.
    pub(super) fn owner_ex(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        who: Option<FileOwner>,
    ) -> CallResult {
        match who {
            None => Ok(Answer::with(Payload::Owner(self.owner(row)))),
            Some(who) if who.kind > F_OWNER_PGRP => Err(Errno::EINVAL.into()),
            Some(who) => self.set_owner(task, row, who),
        }
    }

    /// F_SETSIG.
    pub(super) fn set_io_signal(&mut self, row: DescriptionRow, signal: i32) -> CallResult {
        self.room_for_notices(row)?;
        let notices = self.rows[row].notices();
        self.set_notices(row, Notices { signal, ..notices });
        Ok(Answer::default())
    }
}
