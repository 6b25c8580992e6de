//! The names of sockets (bind(2)): inodes of paths and abstract names of unix(7), ports of tcp(7)
//! and udp(7). Ordered, outside the world; all but the ports that ended connections keep follows
//! from the rows.

use super::network::Network;
use crate::components::inet::Host;
use crate::fs::InodeId;
use crate::rows::SocketRow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use smallvec::SmallVec;

/// Most ports that ended connections keep at a time.
const KEPT_MAX: usize = 4096;

/// Which ports are meant: each protocol has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ports {
    /// tcp(7).
    Tcp,
    /// udp(7).
    Udp,
}

/// A port that an ended connection keeps for a while (`TIME_WAIT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptPort {
    /// The host of the end that closed first.
    pub host: Host,
    /// `SO_REUSEADDR` was set.
    pub reuse: bool,
    /// Until when, in ns of the kernel's clock.
    pub until_ns: u64,
}

crate::wire_struct!(KeptPort { host, reuse, until_ns });

/// Why a port is kept, each with its number.
type KeptPorts = SmallVec<[(u64, KeptPort); 1]>;

/// Who has a port, in the order of their own ids: mostly one.
type Holders = SmallVec<[(u64, SocketRow); 1]>;

fn enter(holders: &mut Holders, id: u64, socket: SocketRow) {
    let at = holders.partition_point(|holder| holder.0 < id);
    if holders.get(at).is_none_or(|holder| holder.0 != id) {
        holders.insert(at, (id, socket));
    }
}

/// Whether nobody is left.
fn leave(holders: &mut Holders, id: u64) -> bool {
    holders.retain(|holder| holder.0 != id);
    holders.is_empty()
}

fn rows(holders: Option<&Holders>) -> impl Iterator<Item = SocketRow> + '_ {
    holders.into_iter().flatten().map(|holder| holder.1)
}

/// Who has which name.
#[derive(Debug, Default)]
pub struct SocketNames {
    /// Sockets whose name is a path, by its inode.
    pub paths: BTreeMap<InodeId, SocketRow>,
    /// Sockets with abstract names: each type has names of its own.
    pub abstracts: BTreeMap<(u32, Vec<u8>), SocketRow>,
    /// The number in the next name that nobody chose.
    pub next_auto: u32,
    /// Sockets with a port.
    ports: BTreeMap<(Ports, u16), Holders>,
    /// Those of them that listen.
    listeners: BTreeMap<u16, Holders>,
    /// Who is a member of which group, by own id.
    pub members: BTreeSet<(Host, u64)>,
    /// Ports of ended connections, oldest first within a port.
    kept: BTreeMap<u16, KeptPorts>,
    /// How many these are.
    kept_count: usize,
    /// How many were ever kept.
    pub last_kept: u64,
    /// None of them goes before, so that a full table is not searched in vain; follows from them.
    pub first_goes_ns: u64,
    /// The last port that nobody chose, less the first of them.
    pub last_port: u16,
    /// What of the network outside is known.
    pub network: Network,
}

impl SocketNames {
    /// Whether nothing is kept beside the rows.
    pub fn is_untouched(&self) -> bool {
        self.next_auto == 0 && self.last_port == 0 && self.last_kept == 0
    }

    /// Sockets with this port, by own id.
    pub fn at(&self, ports: Ports, port: u16) -> impl Iterator<Item = SocketRow> + '_ {
        rows(self.ports.get(&(ports, port)))
    }

    /// A socket has this port from now on.
    pub fn enter_port(&mut self, ports: Ports, port: u16, id: u64, socket: SocketRow) {
        enter(self.ports.entry((ports, port)).or_default(), id, socket);
    }

    /// It has it no more.
    pub fn leave_port(&mut self, ports: Ports, port: u16, id: u64) {
        if self.ports.get_mut(&(ports, port)).is_some_and(|holders| leave(holders, id)) {
            self.ports.remove(&(ports, port));
        }
    }

    /// A socket listens at this port from now on.
    pub fn enter_listener(&mut self, port: u16, id: u64, socket: SocketRow) {
        enter(self.listeners.entry(port).or_default(), id, socket);
    }

    /// It listens no more.
    pub fn leave_listener(&mut self, port: u16, id: u64) {
        if self.listeners.get_mut(&port).is_some_and(|holders| leave(holders, id)) {
            self.listeners.remove(&port);
        }
    }

    /// Listening sockets with this port, by own id.
    pub fn listening(&self, port: u16) -> impl Iterator<Item = SocketRow> + '_ {
        rows(self.listeners.get(&port))
    }

    /// Ended connections that still keep this port.
    pub fn kept(&self, port: u16, now_ns: u64) -> impl Iterator<Item = &KeptPort> + '_ {
        let all = self.kept.get(&port).into_iter().flatten().map(|(_, kept)| kept);
        all.filter(move |kept| kept.until_ns > now_ns)
    }

    /// Keeps a port for a while. Those whose time is over go, and beyond the limit all do (Linux
    /// keeps no more either then).
    pub fn keep(&mut self, port: u16, kept: KeptPort, now_ns: u64) {
        if self.kept_count >= KEPT_MAX && now_ns >= self.first_goes_ns {
            self.kept.retain(|_, ports| {
                ports.retain(|(_, kept)| kept.until_ns > now_ns);
                !ports.is_empty()
            });
            let left = self.kept.values().flatten();
            self.kept_count = left.clone().count();
            let first = left.map(|(_, kept)| kept.until_ns).min();
            self.first_goes_ns = first.unwrap_or(u64::MAX);
        }
        if self.kept_count < KEPT_MAX {
            self.last_kept += 1;
            self.kept_count += 1;
            self.first_goes_ns = self.first_goes_ns.min(kept.until_ns);
            self.kept.entry(port).or_default().push((self.last_kept, kept));
        }
    }

    /// All that ended connections keep, by port and number, as a snapshot has it.
    pub fn all_kept(&self) -> BTreeMap<(u16, u64), KeptPort> {
        let ports = self.kept.iter();
        ports.flat_map(|(port, all)| all.iter().map(|(id, kept)| ((*port, *id), *kept))).collect()
    }

    /// The same from a snapshot.
    pub fn set_kept(&mut self, all: BTreeMap<(u16, u64), KeptPort>) {
        self.kept_count = all.len();
        // When the first goes is found out when there are too many.
        self.first_goes_ns = 0;
        self.kept.clear();
        for ((port, id), kept) in all {
            self.kept.entry(port).or_default().push((id, kept));
        }
    }
}
