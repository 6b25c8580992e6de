//! The last part of a snapshot: what few kernels hold. Nothing is written where there is none of
//! it, so that older snapshots read as they are.

use super::terminals::TERMINALS;
use super::{
    HAS_CPU_TIMERS, HAS_DEATH_SIGNAL, HAS_LIMITS, HAS_MAKER, HAS_OLD_FOREGROUND, HAS_OOM,
    HAS_START, IS_UNDUMPABLE, Refs, RestoreError,
};
use crate::abi::Itimer;
use crate::components::inet::{Endpoint, Host};
use crate::components::{Event, Limits, Oom, Pidfd, WaitQueue};
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::{EventRow, PidfdRow, RowKind, TerminalRow};
use crate::tables::network::{HOSTS_MAX, LISTENERS_MAX};
use crate::tables::sockets::Ports;
use crate::wire::{Wire, WireError, WireReader};
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Kernel {
    /// Counters of eventfd(2), what pidfds refer to, timers.
    pub(super) fn put_extras(&self, out: &mut Vec<u8>) {
        let rows = EventRow::live(&self.rows) + PidfdRow::live(&self.rows);
        let terminals = TerminalRow::live(&self.rows) > 0;
        let waiting = self.has_waiting_part();
        let names = !self.sockets.is_untouched();
        // What stands before a part that is there is there, too.
        let notices = !self.inotify.instances.is_empty() || self.inotify.last_cookie > 0;
        let network = !self.sockets.network.is_untouched();
        let lends = !self.fs.lends_nothing();
        let watches = waiting || names || terminals || notices || network || lends;
        if rows == 0 && self.timers.next.is_empty() && !watches {
            return;
        }
        self.put_rows::<EventRow>(out);
        self.put_rows::<PidfdRow>(out);
        self.timers.put(out);
        if !self.timers.owners.is_empty() || watches {
            self.timers.owners.put(out);
        }
        if watches {
            self.put_inotify(out);
        }
        self.put_terminals(out);
        if names {
            self.put_names(out);
        }
        if network {
            out.push(NETWORK_PART);
            self.put_network(out);
        }
        if waiting {
            self.put_waiting_part(out);
        }
        if lends {
            out.push(LENT_PART);
            self.fs.put_lent(out);
        }
    }

    /// What names of sockets keep beside the rows: the next that nobody chose, ports that ended
    /// connections have.
    fn put_names(&self, out: &mut Vec<u8>) {
        let names = &self.sockets;
        out.push(NAMES_PART);
        (names.next_auto, names.last_port).put(out);
        names.last_kept.put(out);
        names.all_kept().put(out);
    }

    fn get_names(&mut self, from: &mut WireReader<'_>) -> Result<(), RestoreError> {
        let names = &mut self.sockets;
        (names.next_auto, names.last_port) = Wire::get(from)?;
        names.last_kept = Wire::get(from)?;
        names.set_kept(Wire::get(from)?);
        Ok(())
    }

    /// What of the network outside is known beside the rows.
    pub(super) fn put_network(&self, out: &mut Vec<u8>) {
        let network = &self.sockets.network;
        network.hosts.iter().copied().collect::<Vec<_>>().put(out);
        let listeners = network.listeners.iter();
        let listeners = listeners.map(|(ports, at)| ((*ports == Ports::Udp, at.host), at.port));
        listeners.collect::<Vec<_>>().put(out);
    }

    fn get_network(&mut self, from: &mut WireReader<'_>) -> Result<(), RestoreError> {
        let network = &mut self.sockets.network;
        let hosts: Vec<Host> = Wire::get(from)?;
        let listeners: Vec<((bool, Host), u16)> = Wire::get(from)?;
        if hosts.len() > HOSTS_MAX || listeners.len() > LISTENERS_MAX {
            return Err(RestoreError::Inconsistent("more of the network than a kernel keeps"));
        }
        network.hosts = hosts.into_iter().collect();
        let listeners = listeners.into_iter().map(|((is_udp, host), port)| {
            let ports = if is_udp { Ports::Udp } else { Ports::Tcp };
            (ports, Endpoint { host, port })
        });
        network.listeners = listeners.collect();
        Ok(())
    }

    /// A part that came later: its number has been read.
    fn get_part(
        &mut self,
        part: u8,
        from: &mut WireReader<'_>,
        refs: &Refs,
    ) -> Result<(), RestoreError> {
        match part {
            TERMINALS => match self.get_terminals(from, refs)? == refs.terminals.len() {
                true => Ok(()),
                false => Err(UNUSED),
            },
            NAMES_PART => self.get_names(from),
            NETWORK_PART => self.get_network(from),
            WAITING_PART => self.get_waiting_part(from, refs),
            LENT_PART => Ok(self.fs.get_lent(from)?),
            _ => Err(RestoreError::Inconsistent("a part of a later version")),
        }
    }

    /// Instances of inotify(7).
    pub(super) fn put_inotify(&self, out: &mut Vec<u8>) {
        self.inotify.instances.put(out);
        self.inotify.last_cookie.put(out);
    }

    fn get_inotify(&mut self, from: &mut WireReader<'_>) -> Result<(), RestoreError> {
        self.inotify.instances = Wire::get(from)?;
        self.inotify.last_cookie = Wire::get(from)?;
        from.charge(self.inotify.held_bytes())?;
        let mut watched = self.inotify.instances.values().flat_map(|one| one.watches.values());
        if watched.any(|watch| watch.inode.is_some_and(|inode| !self.fs.is_inode(inode))) {
            return Err(RestoreError::Inconsistent("a watch on no inode"));
        }
        self.restore_inotify();
        Ok(())
    }

    /// Fills the rows that descriptions referred to, and arms timers.
    pub(super) fn get_extras(
        &mut self,
        from: &mut WireReader<'_>,
        refs: &Refs,
    ) -> Result<(), RestoreError> {
        if from.left() == 0 {
            let none = refs.terminals.is_empty();
            return if none { self.check_extras(refs, 0, 0) } else { Err(UNUSED) };
        }
        let events = from.count()?;
        for _ in 0..events {
            let id = u64::get(from)?;
            let row = *refs.events.get(&id).ok_or(UNUSED)?;
            let ((count, semaphore), waiters) = (Wire::get(from)?, Wire::get(from)?);
            self.rows[row] = Event { id, count, semaphore, waiters };
        }
        let pidfds = from.count()?;
        for _ in 0..pidfds {
            let id = u64::get(from)?;
            let row = *refs.pidfds.get(&id).ok_or(UNUSED)?;
            let [pid, refs]: [u32; 2] = Wire::get(from)?;
            let (gone, waiters) = (Wire::get(from)?, Wire::get(from)?);
            self.rows[row] = Pidfd { id, pid, gone, refs, waiters };
            if !gone && self.pidfds.insert(pid, row).is_some() {
                return Err(RestoreError::Inconsistent("two pidfds refer to one number"));
            }
        }
        self.timers = Wire::get(from)?;
        from.charge(self.timers.by_number.len() as u64 * memory::TIMER_BYTES)?;
        if from.left() > 0 {
            self.timers.owners = Wire::get(from)?;
            let has = |key: &(u32, u32)| self.timers.by_number.contains_key(key);
            if !self.timers.owners.keys().all(has) {
                return Err(RestoreError::Inconsistent("the owner of no timer"));
            }
        }
        if from.left() > 0 {
            self.get_inotify(from)?;
        }
        while from.left() > 0 {
            let part = from.byte()?;
            self.get_part(part, from, refs)?;
        }
        let armed: Vec<(u32, u32)> = self.timers.by_number.keys().copied().collect();
        armed.into_iter().for_each(|key| self.arm_timer(key));
        self.check_extras(refs, events, pidfds)
    }

    /// Every row that a description refers to has been filled: none stands twice, so the numbers
    /// tell.
    fn check_extras(&self, refs: &Refs, events: usize, pidfds: usize) -> Result<(), RestoreError> {
        if refs.events.len() == events && refs.pidfds.len() == pidfds {
            Ok(())
        } else {
            Err(UNUSED)
        }
    }
}

/// Numbers of parts, in whose order they stand.
const NAMES_PART: u8 = 40;
const NETWORK_PART: u8 = 50;
pub(super) const WAITING_PART: u8 = 60;
const LENT_PART: u8 = 70;

const UNUSED: RestoreError =
    RestoreError::Inconsistent("a counter or pidfd without a description, or the reverse");

impl Refs {
    /// The row of a counter that a description refers to, to be filled later.
    pub(super) fn event(&mut self, kernel: &mut Kernel, id: u64) -> EventRow {
        *self.events.entry(id).or_insert_with(|| {
            let waiters = WaitQueue::default();
            EventRow::spawn(&mut kernel.rows, id, Event { id, count: 0, semaphore: false, waiters })
        })
    }

    /// The same for what a pidfd refers to.
    pub(super) fn pidfd(&mut self, kernel: &mut Kernel, id: u64) -> PidfdRow {
        *self.pidfds.entry(id).or_insert_with(|| {
            let waiters = WaitQueue::default();
            let new = Pidfd { id, pid: 0, gone: true, refs: 0, waiters };
            PidfdRow::spawn(&mut kernel.rows, id, new)
        })
    }
}

/// What few processes have; the fields are those of [`Process`](crate::components::Process).
pub(super) struct Rare {
    pub(super) limits: Option<Box<Limits>>,
    pub(super) cpu_timers: Option<Box<[Itimer; 2]>>,
    pub(super) death_signal: u8,
    pub(super) maker: u32,
    pub(super) old_foreground: u32,
    pub(super) undumpable: bool,
    pub(super) start_ns: u64,
    pub(super) oom: Oom,
}

pub(super) fn get_rare(from: &mut WireReader<'_>) -> Result<Rare, WireError> {
    let error = from.error("a byte of what few processes have");
    let which = u8::get(from)?;
    let known = HAS_LIMITS
        | HAS_CPU_TIMERS
        | HAS_DEATH_SIGNAL
        | HAS_MAKER
        | HAS_OLD_FOREGROUND
        | HAS_OOM
        | HAS_START
        | IS_UNDUMPABLE;
    if which & !known != 0 {
        return Err(error);
    }
    Ok(Rare {
        limits: if which & HAS_LIMITS != 0 { Some(Wire::get(from)?) } else { None },
        cpu_timers: if which & HAS_CPU_TIMERS != 0 { Some(Wire::get(from)?) } else { None },
        death_signal: if which & HAS_DEATH_SIGNAL != 0 { Wire::get(from)? } else { 0 },
        maker: if which & HAS_MAKER != 0 { Wire::get(from)? } else { 0 },
        old_foreground: if which & HAS_OLD_FOREGROUND != 0 { Wire::get(from)? } else { 0 },
        undumpable: which & IS_UNDUMPABLE != 0,
        start_ns: if which & HAS_START != 0 { Wire::get(from)? } else { 0 },
        oom: if which & HAS_OOM != 0 { Wire::get(from)? } else { Oom::default() },
    })
}
