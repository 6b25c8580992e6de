//! Sockets of unix(7) that only lie in each other's queues (`SCM_RIGHTS`): found, and emptied.
//!
//! Runs at the end of a tick in which a socket in flight has lost its last descriptor. Nothing
//! becomes unreachable but what such a socket leads to, so who is asked is whether it can still be
//! received: the way back, from a queue to the socket that has it, is walked until somebody holds
//! one. Without a circle there is always somebody, and nothing is walked (as in Linux 6.18, where
//! `unix_gc` does nothing before a descriptor went to a socket in flight). Counts are kept by
//! `rights.rs`.

use crate::abi::flags::AF_UNIX;
use crate::components::Target;
use crate::kernel::Kernel;
use crate::rows::{DescriptionRow, RowKind, SocketRow};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// What is known of a socket in flight on the way back.
#[derive(Default)]
struct Visited {
    /// Visited ones that lie in its queue.
    carries: Vec<u64>,
    /// Somebody can receive it.
    is_reached: bool,
    /// It is one of those that are asked for.
    is_asked: bool,
}

/// The way back from sockets that may be lost, by own ids of descriptions.
#[derive(Default)]
struct Search {
    visited: BTreeMap<u64, Visited>,
    /// Those of which the queues that they lie in are not looked at.
    next: VecDeque<u64>,
    /// How many of those asked for nobody is known to reach.
    open: usize,
}

impl Search {
    fn visit(&mut self, id: u64) -> &mut Visited {
        let next = &mut self.next;
        self.visited.entry(id).or_insert_with(|| {
            next.push_back(id);
            Visited::default()
        })
    }

    /// Somebody can receive it, and so what lies in it.
    fn reach(&mut self, id: u64) {
        let mut reached = Vec::from([id]);
        while let Some(id) = reached.pop() {
            let Some(known) = self.visited.get_mut(&id) else { continue };
            if !known.is_reached {
                known.is_reached = true;
                self.open -= usize::from(known.is_asked);
                reached.append(&mut known.carries);
            }
        }
    }
}

impl Kernel {
    /// Takes the packets out of sockets that are in flight only, and only in each other's queues.
    pub(super) fn collect_unreachable(&mut self, suspects: &[u64]) {
        let lost = self.lost_among(suspects);
        if lost.is_empty() {
            return;
        }
        let mut inside = self.carried_with(lost);
        let mut reached: Vec<u64> = Vec::new();
        // How often each lies in a queue of one of them.
        let mut within: BTreeMap<u64, u32> = BTreeMap::new();
        for id in &inside {
            for child in self.carried_by(*id) {
                *within.entry(child).or_default() += 1;
            }
        }
        for id in &inside {
            if within.get(id).copied().unwrap_or(0) < self.flights_of(*id) {
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

    /// Which of them, and of those that have them, nobody can receive.
    fn lost_among(&self, suspects: &[u64]) -> Vec<u64> {
        let mut search = Search::default();
        for id in suspects.iter().filter(|id| self.is_in_flight_only(**id)) {
            let known = search.visit(*id);
            if !core::mem::replace(&mut known.is_asked, true) {
                search.open += 1;
            }
        }
        while search.open > 0 {
            let Some(id) = search.next.pop_front() else { break };
            if search.visited.get(&id).is_some_and(|known| known.is_reached) {
                continue;
            }
            for (_, (socket, _)) in self.flights.lies.range((id, 0)..=(id, u64::MAX)) {
                let carrier = self.carrier_of(*socket).filter(|id| self.is_in_flight_only(*id));
                let is_reached = carrier.is_none_or(|carrier| {
                    let known = search.visit(carrier);
                    known.carries.push(id);
                    known.is_reached
                });
                if is_reached {
                    search.reach(id);
                    break;
                }
            }
        }
        if search.open == 0 {
            return Vec::new();
        }
        let lost = search.visited.iter().filter(|(_, known)| !known.is_reached);
        lost.map(|(id, _)| *id).collect()
    }

    /// These, and what lies in them and is in flight only, and in that.
    fn carried_with(&self, lost: Vec<u64>) -> BTreeSet<u64> {
        let mut next = lost.clone();
        let mut all: BTreeSet<u64> = lost.into_iter().collect();
        while let Some(id) = next.pop() {
            for child in self.carried_by(id) {
                if self.is_in_flight_only(child) && all.insert(child) {
                    next.push(child);
                }
            }
        }
        all
    }

    /// The description in flight with which a queue can be received: the socket's, or that of the
    /// listener that has it.
    pub(super) fn carrier_of(&self, socket: SocketRow) -> Option<u64> {
        let listener = self.rows[socket].more.as_deref().and_then(|more| more.listener);
        let id = listener.unwrap_or(socket).own_id(&self.rows);
        self.flights.carriers.get(&id).copied()
    }

    /// Whether every reference to a description is in a message, and it is a socket of unix(7).
    fn is_in_flight_only(&self, id: u64) -> bool {
        self.flights.count.get(&id).is_some_and(|(row, count)| {
            let description = &self.rows[*row];
            let is_unix = matches!(description.target,
                Target::Socket(socket) if self.rows[socket].domain == AF_UNIX);
            is_unix && description.refs == *count
        })
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
            carried.extend(rights.map(|row: &DescriptionRow| row.own_id(&self.rows)));
        }
        carried
    }
}
