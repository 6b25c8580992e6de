//! Descriptors that travel in messages (unix(7), `SCM_RIGHTS`): who holds them meanwhile, and what
//! becomes of those that nobody can receive any more.
//!
//! Owns the counts of descriptions in flight. Sockets that only lie in each other's queues are
//! found when the last descriptor of one is closed: they and what leads to them are walked, and
//! nothing else. What a queue loses is closed at the end of the tick (`settle`), one after the
//! other, so that a chain of sockets in sockets takes no stack.

use crate::abi::Errno;
use crate::abi::credentials::{CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use crate::abi::flags::{AF_UNIX, RLIMIT_NOFILE};
use crate::abi::socket::Ucred;
use crate::components::Target;
use crate::components::socket::Packet;
use crate::kernel::Kernel;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Most descriptors in a message.
const SCM_MAX_FD: usize = 253;

/// Descriptions in messages that nobody has received.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    /// How often each is in flight, by own id.
    count: BTreeMap<u64, (DescriptionRow, u32)>,
    /// How many that are. (Linux counts them by user.)
    all: u64,
    /// What queues lost this tick.
    loose: Vec<DescriptionRow>,
    /// A socket in flight has lost a descriptor: it may be in flight only.
    is_suspect: bool,
}

impl Flights {
    /// Whether the tick must end with a look at them.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.loose.is_empty() || self.is_suspect
    }

    /// How often descriptions are in flight.
    pub(crate) fn len(&self) -> u64 {
        self.all
    }
}

impl Kernel {
    /// The open descriptions behind numbers, held: EBADF, EINVAL for too many, ETOOMANYREFS.
    pub(super) fn take_rights(
        &mut self,
        task: TaskRow,
        fds: &[i64],
    ) -> Result<Vec<DescriptionRow>, Errno> {
        if fds.len() > SCM_MAX_FD {
            return Err(Errno::EINVAL);
        }
        let mut rights = Vec::with_capacity(fds.len());
        for fd in fds {
            // O_PATH does as well.
            rights.push(self.fd(task, *fd as i32)?.description);
        }
        let who = &self.rows[task].credentials;
        let free = who.capable(CAP_SYS_RESOURCE) || who.capable(CAP_SYS_ADMIN);
        let limit = self.limit(self.rows[task].process, RLIMIT_NOFILE).cur;
        if !rights.is_empty() && !free && self.flights.len() > limit {
            return Err(Errno::ETOOMANYREFS);
        }
        for row in &rights {
            self.rows[*row].refs += 1;
        }
        Ok(rights)
    }

    /// Whether a task may say that it is somebody: EPERM, ESRCH for a process that is not there.
    pub(super) fn check_cred(&self, task: TaskRow, cred: Ucred) -> Result<(), Errno> {
        let state = &self.rows[task];
        let who = &state.credentials;
        let own = self.rows[state.process].pid;
        let pid = cred.pid == own || who.capable(CAP_SYS_ADMIN);
        let uid = [who.uid, who.euid, who.suid].contains(&cred.uid) || who.capable(CAP_SETUID);
        let gid = [who.gid, who.egid, who.sgid].contains(&cred.gid) || who.capable(CAP_SETGID);
        if !(pid && uid && gid) {
            return Err(Errno::EPERM);
        }
        let is_there = cred.pid == own || self.pids.process(cred.pid).is_some();
        if is_there { Ok(()) } else { Err(Errno::ESRCH) }
    }

    /// Descriptions that a call held go into a packet.
    pub(super) fn launch(&mut self, rights: &[DescriptionRow]) {
        for row in rights {
            let id = row.own_id(&self.rows);
            self.flights.count.entry(id).or_insert((*row, 0)).1 += 1;
            self.flights.all += 1;
        }
    }

    /// They leave it again, and the caller holds them.
    pub(super) fn land(&mut self, rights: &[DescriptionRow]) {
        for row in rights {
            let id = row.own_id(&self.rows);
            if let Some(entry) = self.flights.count.get_mut(&id) {
                entry.1 -= 1;
                self.flights.all -= 1;
                if entry.1 == 0 {
                    self.flights.count.remove(&id);
                }
            }
        }
    }

    /// A packet is lost with what travels with it.
    pub(super) fn lose(&mut self, packet: Packet) {
        let Some(with) = packet.with else { return };
        self.land(&with.rights);
        self.flights.loose.extend(with.rights);
    }

    /// Descriptions that a call held and nobody gets.
    pub(super) fn put_back(&mut self, rights: Vec<DescriptionRow>) {
        for row in rights {
            self.release(row);
        }
    }

    /// A description that others hold too has lost one: if it is a socket in flight it may have
    /// lost the last descriptor.
    #[inline]
    pub(crate) fn suspect(&mut self, row: DescriptionRow) {
        if self.flights.all > 0 && matches!(self.rows[row].target, Target::Socket(_)) {
            self.flights.is_suspect = true;
        }
    }

    /// The end of the tick: closes what queues lost, and finds sockets that nobody can reach.
    pub(crate) fn settle_flights(&mut self) {
        while self.flights.has_work() {
            while let Some(row) = self.flights.loose.pop() {
                self.release(row);
            }
            if core::mem::take(&mut self.flights.is_suspect) {
                self.collect_unreachable();
            }
        }
    }

    /// Takes the packets out of sockets that are in flight only, and only in each other's queues.
    fn collect_unreachable(&mut self) {
        let mut inside = self.in_flight_only();
        let mut reached: Vec<u64> = Vec::new();
        // How often each lies in a queue of one of them.
        let mut within: BTreeMap<u64, u32> = BTreeMap::new();
        for id in &inside {
            for child in self.carried_by(*id) {
                *within.entry(child).or_default() += 1;
            }
        }
        for id in &inside {
            let all = self.flights.count.get(id).map_or(0, |entry| entry.1);
            if within.get(id).copied().unwrap_or(0) < all {
                reached.push(*id);
            }
        }
        while let Some(id) = reached.pop() {
            if inside.remove(&id) {
                reached.extend(self.carried_by(id));
            }
        }
        for id in inside {
            for socket in self.queues_of(id) {
                // Nothing is left unread then.
                self.drop_queue(socket);
            }
        }
    }

    /// Sockets of unix(7) of which every reference is in a message.
    fn in_flight_only(&self) -> BTreeSet<u64> {
        let only = |(id, (row, count)): (&u64, &(DescriptionRow, u32))| {
            let description = &self.rows[*row];
            let is_unix = matches!(description.target,
                Target::Socket(socket) if self.rows[socket].domain == AF_UNIX);
            (is_unix && description.refs == *count).then_some(*id)
        };
        self.flights.count.iter().filter_map(only).collect()
    }

    /// The sockets whose queues end with this description: its own, and connections that wait.
    fn queues_of(&self, id: u64) -> Vec<SocketRow> {
        let row = self.flights.count.get(&id).map(|entry| entry.0);
        let Some(Target::Socket(socket)) = row.map(|row| self.rows[row].target) else {
            return Vec::new();
        };
        let pending = self.rows[socket].more.as_deref().map(|more| more.pending.iter().copied());
        [socket].into_iter().chain(pending.into_iter().flatten()).collect()
    }

    /// Descriptions in the queues of a socket in flight, by own id, as often as they lie there.
    fn carried_by(&self, id: u64) -> Vec<u64> {
        let mut carried = Vec::new();
        for socket in self.queues_of(id) {
            let packets = self.rows[socket].queue.iter();
            let rights = packets.flat_map(|packet| packet.rights().iter());
            carried.extend(rights.map(|row| row.own_id(&self.rows)));
        }
        carried
    }

    /// Counts a packet's descriptions anew (a snapshot was read).
    pub(crate) fn count_flights(&mut self) {
        let sockets = SocketRow::all(&self.rows);
        for (_, socket) in sockets {
            let packets = self.rows[socket].queue.iter();
            let rights: Vec<DescriptionRow> =
                packets.flat_map(|packet| packet.rights().iter().copied()).collect();
            self.launch(&rights);
        }
    }

    /// How often a description is in flight.
    pub(crate) fn flights_of(&self, id: u64) -> u32 {
        self.flights.count.get(&id).map_or(0, |entry| entry.1)
    }
}
