//! Descriptors that travel in messages (unix(7), `SCM_RIGHTS`): who holds them meanwhile, and what
//! becomes of those that nobody can receive any more.
//!
//! Owns the counts of descriptions in flight, and where they lie. What a queue loses is closed at
//! the end of the tick (`settle`), one after the other, so that a chain of sockets in sockets takes
//! no stack. Sockets that only lie in each other's queues are found by `unreachable.rs`.

use crate::abi::Errno;
use crate::abi::credentials::{CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use crate::abi::flags::RLIMIT_NOFILE;
use crate::abi::socket::Ucred;
use crate::components::Target;
use crate::components::socket::Packet;
use crate::kernel::Kernel;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Most descriptors in a message.
const SCM_MAX_FD: usize = 253;

/// Descriptions in messages that nobody has received.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    /// How often each is in flight, by own id.
    pub(super) count: BTreeMap<u64, (DescriptionRow, u32)>,
    /// In which sockets' queues, and how often: by own ids of description and socket.
    pub(super) lies: BTreeMap<(u64, u64), (SocketRow, u32)>,
    /// Descriptions of sockets in flight, by own id of the socket.
    pub(super) carriers: BTreeMap<u64, u64>,
    /// How many that are. (Linux counts them by user.)
    all: u64,
    /// What queues lost this tick.
    loose: Vec<DescriptionRow>,
    /// Sockets in flight of which no descriptor may be left, by own id of the description.
    pub(super) suspects: Vec<u64>,
    /// One was sent to a socket that was in flight itself: without that there is no circle
    /// (`unix_graph_maybe_cyclic` of Linux 6.18). Forgotten when none is in flight.
    pub(super) may_circle: bool,
}

impl Flights {
    /// Whether the tick must end with a look at them.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.loose.is_empty() || !self.suspects.is_empty()
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

    /// Descriptions that a call held go into a packet of a socket's queue.
    pub(super) fn launch(&mut self, into: SocketRow, rights: &[DescriptionRow]) {
        let into_id = into.own_id(&self.rows);
        for row in rights {
            let id = row.own_id(&self.rows);
            let count = &mut self.flights.count.entry(id).or_insert((*row, 0)).1;
            *count += 1;
            let is_alone = self.rows[*row].refs == *count;
            self.flights.all += 1;
            self.flights.lies.entry((id, into_id)).or_insert((into, 0)).1 += 1;
            if let Target::Socket(socket) = self.rows[*row].target {
                self.flights.carriers.insert(socket.own_id(&self.rows), id);
                if is_alone {
                    self.flights.suspects.push(id);
                }
            }
        }
        if !rights.is_empty() && self.carrier_of(into).is_some() {
            self.flights.may_circle = true;
        }
    }

    /// They leave it again, and the caller holds them.
    pub(super) fn land(&mut self, from: SocketRow, rights: &[DescriptionRow]) {
        let from_id = from.own_id(&self.rows);
        for row in rights {
            let id = row.own_id(&self.rows);
            let flights = &mut self.flights;
            let Some(entry) = flights.count.get_mut(&id) else { continue };
            entry.1 -= 1;
            flights.all -= 1;
            if entry.1 == 0 {
                flights.count.remove(&id);
                if let Target::Socket(socket) = self.rows[*row].target {
                    flights.carriers.remove(&socket.own_id(&self.rows));
                }
            }
            if let Some(lies) = flights.lies.get_mut(&(id, from_id)) {
                lies.1 -= 1;
                if lies.1 == 0 {
                    flights.lies.remove(&(id, from_id));
                }
            }
        }
        self.flights.may_circle &= self.flights.all > 0;
    }

    /// A packet of a socket is lost with what travels with it.
    pub(super) fn lose(&mut self, from: SocketRow, packet: Packet) {
        let Some(with) = packet.with else { return };
        self.land(from, &with.rights);
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
            let id = row.own_id(&self.rows);
            if self.flights_of(id) == self.rows[row].refs {
                self.flights.suspects.push(id);
            }
        }
    }

    /// The end of the tick: closes what queues lost, and finds sockets that nobody can reach.
    pub(crate) fn settle_flights(&mut self) {
        while self.flights.has_work() {
            while let Some(row) = self.flights.loose.pop() {
                self.release(row);
            }
            let suspects = core::mem::take(&mut self.flights.suspects);
            if self.flights.may_circle {
                self.collect_unreachable(&suspects);
            }
        }
    }

    /// Counts a packet's descriptions anew (a snapshot was read).
    pub(crate) fn count_flights(&mut self) {
        let sockets = SocketRow::all(&self.rows);
        for (_, socket) in sockets {
            let packets = self.rows[socket].queue.iter();
            let rights: Vec<DescriptionRow> =
                packets.flat_map(|packet| packet.rights().iter().copied()).collect();
            self.launch(socket, &rights);
        }
    }

    /// Whether descriptions are counted as they lie: how often, by own ids of them and of sockets.
    pub(crate) fn counts_flights(&self, lies: &BTreeMap<(u64, u64), u32>) -> bool {
        let mut count: BTreeMap<u64, u32> = BTreeMap::new();
        lies.iter().for_each(|((id, _), often)| *count.entry(*id).or_default() += often);
        let known = self.flights.lies.iter().map(|(key, (_, often))| (key, often));
        let sockets = self.flights.count.values().filter_map(|(row, _)| {
            let Target::Socket(socket) = self.rows[*row].target else { return None };
            Some((socket.own_id(&self.rows), row.own_id(&self.rows)))
        });
        let carriers: BTreeMap<u64, u64> = sockets.collect();
        let all = count.values().map(|often| u64::from(*often)).sum::<u64>();
        known.eq(lies)
            && count.iter().eq(self.flights.count.iter().map(|(id, (_, often))| (id, often)))
            && carriers == self.flights.carriers
            && all == self.flights.all
    }

    /// How often a description is in flight.
    pub(crate) fn flights_of(&self, id: u64) -> u32 {
        self.flights.count.get(&id).map_or(0, |entry| entry.1)
    }
}
