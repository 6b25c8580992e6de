//! The names of sockets (bind(2)): inodes of paths and abstract names of unix(7), ports of tcp(7)
//! and udp(7). Ordered, outside the world; all but the ports that ended connections keep follows
//! from the rows.

use crate::components::inet::Host;
use crate::fs::InodeId;
use crate::rows::SocketRow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

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

/// Who has which name.
#[derive(Debug, Default)]
pub struct SocketNames {
    /// Sockets whose name is a path, by its inode.
    pub paths: BTreeMap<InodeId, SocketRow>,
    /// Sockets with abstract names: each type has names of its own.
    pub abstracts: BTreeMap<(u32, Vec<u8>), SocketRow>,
    /// The number in the next name that nobody chose.
    pub next_auto: u32,
    /// Sockets with a port, by own id within the port.
    pub ports: BTreeMap<(Ports, u16, u64), SocketRow>,
    /// Those of them that listen.
    pub listeners: BTreeMap<(u16, u64), SocketRow>,
    /// Who is a member of which group, by own id.
    pub members: BTreeSet<(Host, u64)>,
    /// Ports of ended connections, oldest first within a port.
    pub kept: BTreeMap<(u16, u64), KeptPort>,
    /// How many were ever kept.
    pub last_kept: u64,
    /// The last port that nobody chose, less the first of them.
    pub last_port: u16,
}

impl SocketNames {
    /// Whether nothing is kept beside the rows.
    pub fn is_untouched(&self) -> bool {
        self.next_auto == 0 && self.last_port == 0 && self.last_kept == 0
    }

    /// Sockets with this port, by own id.
    pub fn at(&self, ports: Ports, port: u16) -> impl Iterator<Item = SocketRow> + '_ {
        self.ports.range((ports, port, 0)..=(ports, port, u64::MAX)).map(|(_, row)| *row)
    }

    /// Listening sockets with this port, by own id.
    pub fn listening(&self, port: u16) -> impl Iterator<Item = SocketRow> + '_ {
        self.listeners.range((port, 0)..=(port, u64::MAX)).map(|(_, row)| *row)
    }

    /// Ended connections that still keep this port.
    pub fn kept(&self, port: u16, now_ns: u64) -> impl Iterator<Item = &KeptPort> + '_ {
        let all = self.kept.range((port, 0)..=(port, u64::MAX)).map(|(_, kept)| kept);
        all.filter(move |kept| kept.until_ns > now_ns)
    }

    /// Keeps a port for a while. Those whose time is over go, and beyond the limit all do (Linux
    /// keeps no more either then).
    pub fn keep(&mut self, port: u16, kept: KeptPort, now_ns: u64) {
        if self.kept.len() >= KEPT_MAX {
            self.kept.retain(|_, kept| kept.until_ns > now_ns);
        }
        if self.kept.len() < KEPT_MAX {
            self.last_kept += 1;
            self.kept.insert((port, self.last_kept), kept);
        }
    }
}
