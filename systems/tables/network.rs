//! What of the network outside a kernel knows: the machine's own hosts on it, who listens there at
//! addresses of the machine, and which sockets have their other end there.

use super::sockets::Ports;
use crate::components::inet::{ANY4, ANY6, Endpoint, Host, as_ipv4};
use crate::rows::SocketRow;
use alloc::collections::{BTreeMap, BTreeSet};

/// Most hosts of the machine's own.
pub const HOSTS_MAX: usize = 64;
/// Most addresses at which somebody outside listens.
pub const LISTENERS_MAX: usize = 4096;

/// The network outside.
#[derive(Debug, Default)]
pub struct Network {
    /// Hosts of the machine's own beside those of `lo`.
    pub hosts: BTreeSet<Host>,
    /// Where somebody outside listens.
    pub listeners: BTreeSet<(Ports, Endpoint)>,
    /// Sockets whose other end is outside, by own id; follows from the rows.
    pub ends: BTreeMap<u64, SocketRow>,
}

impl Network {
    /// Whether nothing is kept beside the rows.
    pub fn is_untouched(&self) -> bool {
        self.hosts.is_empty() && self.listeners.is_empty()
    }

    /// The machine's first host of a family: from it a way leads to foreign ones.
    pub fn host_of(&self, is_ipv4: bool) -> Option<Host> {
        self.hosts.iter().find(|host| as_ipv4(**host).is_some() == is_ipv4).copied()
    }

    /// Whether somebody outside listens at an address, or at its port of every host.
    pub fn listens(&self, ports: Ports, at: Endpoint) -> bool {
        if self.listeners.is_empty() {
            return false;
        }
        let every = if as_ipv4(at.host).is_some() { ANY4 } else { ANY6 };
        let meant = [at, Endpoint { host: every, ..at }];
        meant.iter().any(|at| self.listeners.contains(&(ports, *at)))
    }
}
