//! Names of internet sockets over a loopback device: bind(2), ports that nobody chose, who listens
//! or receives at an address (ip(7), ipv6(7)).
//!
//! The kernel has one device, `lo`: its hosts are 127.0.0.0/8 and ::1, and no way leads elsewhere
//! (ENETUNREACH) unless the machine is given a host on a network (`network.rs`). Not here:
//! connections (`tcp.rs`), datagrams (`udp.rs`).

use crate::abi::credentials::{CAP_NET_BIND_SERVICE, CAP_NET_RAW};
use crate::abi::flags::*;
use crate::abi::socket::*;
use crate::abi::{Address, Errno};
use crate::components::inet::{
    ANY4, ANY6, Endpoint, Host, LOOPBACK4, LOOPBACK6, Reach, as_ipv4, reach,
};
use crate::event::{Answer, Outcome, Refusal};
use crate::kernel::{CallResult, Kernel};
use crate::rows::{RowKind, SocketRow, TaskRow};
use crate::tables::sockets::{KeptPort, Ports};

/// `net.ipv4.ip_local_port_range`: ports that nobody chose.
const FIRST_PORT: u16 = 32_768;
const PORTS: u16 = 28_232;
/// Ports below need `CAP_NET_BIND_SERVICE`.
const FIRST_FREE_PORT: u16 = 1024;
/// How long the end that closed first keeps its port: `TCP_TIMEWAIT_LEN`.
const TIME_WAIT_NS: u64 = 60_000_000_000;

impl Kernel {
    /// The protocol of an internet socket of this type: 6 or 17.
    pub(super) fn inet_protocol(
        &self,
        task: TaskRow,
        kind: u32,
        protocol: u32,
    ) -> Result<u32, Errno> {
        const TCP: u32 = 6;
        const UDP: u32 = 17;
        /// Beyond all protocols (`IPPROTO_MAX`).
        const PROTOCOLS_END: u32 = 263;
        match (kind, protocol) {
            (_, PROTOCOLS_END..) => Err(Errno::EINVAL),
            (SOCK_STREAM, 0 | TCP) => Ok(TCP),
            (SOCK_DGRAM, 0 | UDP) => Ok(UDP),
            (SOCK_STREAM | SOCK_DGRAM, _) => Err(Errno::EPROTONOSUPPORT),
            (SOCK_RAW, 0) => Err(Errno::EPROTONOSUPPORT),
            // Raw sockets are not modelled: who may make them is told that there are none.
            (SOCK_RAW, _) if self.rows[task].credentials.capable(CAP_NET_RAW) => {
                Err(Errno::ESOCKTNOSUPPORT)
            }
            (SOCK_RAW, _) => Err(Errno::EPERM),
            _ => Err(Errno::ESOCKTNOSUPPORT),
        }
    }

    pub(super) fn ports_of(&self, socket: SocketRow) -> Ports {
        if self.rows[socket].is_stream() { Ports::Tcp } else { Ports::Udp }
    }

    fn is_ipv6(&self, socket: SocketRow) -> bool {
        self.rows[socket].domain == AF_INET6
    }

    /// Where a socket is bound; any host and no port if it is not.
    pub(super) fn endpoint(&self, socket: SocketRow) -> Endpoint {
        let nowhere = if self.is_ipv6(socket) { ANY6 } else { ANY4 };
        let bound = Endpoint::of(self.rows[socket].name());
        bound.unwrap_or(Endpoint { host: nowhere, port: 0 })
    }

    /// Where the other end is.
    pub(crate) fn remote_endpoint(&self, socket: SocketRow) -> Option<Endpoint> {
        self.rows[socket].more.as_deref().and_then(|more| Endpoint::of(&more.remote))
    }

    /// An endpoint as a socket shows it.
    pub(super) fn shown(&self, socket: SocketRow, at: Endpoint) -> Address {
        at.shown(self.is_ipv6(socket))
    }

    /// bind(2) of an internet socket.
    pub(super) fn bind_inet(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        address: &Address,
    ) -> CallResult {
        let at = self.own_family(socket, address, true)?;
        let state = &self.rows[socket];
        let is_used = self.has_port(socket) || state.is_connected() || state.backlog().is_some();
        let is_ipv6 = self.is_ipv6(socket);
        if is_ipv6 && state.is_stream() && reach(at.host) == Reach::Group {
            return Err(Errno::EINVAL.into());
        }
        // IPv4 looks at the host first, IPv6 at the port and the socket.
        let is_foreign = self.reach(at.host) == Reach::Foreign;
        if is_foreign && !is_ipv6 {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        let low = (1..FIRST_FREE_PORT).contains(&at.port);
        if low && !self.rows[task].credentials.capable(CAP_NET_BIND_SERVICE) {
            return Err(Errno::EACCES.into());
        }
        if is_used {
            return Err(Errno::EINVAL.into());
        }
        if needs_scope(at.host) {
            return Err(Errno::EINVAL.into());
        }
        if is_foreign {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        self.take_port(socket, at)?;
        let more = self.rows[socket].more_mut();
        (more.is_host_chosen, more.is_port_chosen) = (!at.is_any(), at.port != 0);
        Ok(Answer::default())
    }

    /// An address of the socket's own family: EINVAL, EAFNOSUPPORT.
    pub(super) fn own_family(
        &self,
        socket: SocketRow,
        address: &Address,
        binds: bool,
    ) -> Result<Endpoint, Errno> {
        let is_ipv6 = self.is_ipv6(socket);
        // What is too short is not looked at (`struct sockaddr_in`, SIN6_LEN_RFC2133).
        let least_bytes = if is_ipv6 { 24 } else { 16 };
        let is_stream = self.rows[socket].is_stream();
        let sends_ipv4 = matches!(address, Address::Inet(..)) && !binds && !is_stream;
        if address.length_bytes() < least_bytes && !sends_ipv4 {
            return Err(Errno::EINVAL);
        }
        match address {
            Address::Inet(..) if !is_ipv6 => {}
            Address::Inet6(host, _) if is_ipv6 => {
                // ::ffff:0:0 stands for hosts that a socket for IPv6 alone has nothing to do with.
                if as_ipv4(*host).is_some() && self.is_ipv6_alone(socket) {
                    return Err(if binds { Errno::EINVAL } else { Errno::ENETUNREACH });
                }
            }
            // A datagram socket of IPv6 sends to hosts of IPv4 by their own addresses too.
            Address::Inet(..) if !binds && !self.is_ipv6_alone(socket) => {}
            _ => return Err(Errno::EAFNOSUPPORT),
        }
        Endpoint::of(address).ok_or(Errno::EAFNOSUPPORT)
    }

    pub(super) fn is_ipv6_alone(&self, socket: SocketRow) -> bool {
        self.is_ipv6(socket) && self.rows[socket].option(SOL_IPV6, IPV6_V6ONLY).unwrap_or(0) != 0
    }

    /// Binds to a host and a port, or to a port that nobody chose: EADDRINUSE.
    fn take_port(&mut self, socket: SocketRow, mut at: Endpoint) -> Result<(), Errno> {
        if at.port == 0 {
            at.port = self.unused_port(socket)?;
        } else if self.is_taken(socket, at) {
            return Err(Errno::EADDRINUSE);
        }
        self.set_port(socket, at);
        self.note_bound(socket);
        Ok(())
    }

    fn set_port(&mut self, socket: SocketRow, at: Endpoint) {
        let name = self.shown(socket, at);
        let more = self.rows[socket].more_mut();
        (more.name, more.has_port) = (name, true);
        let (ports, id) = (self.ports_of(socket), socket.own_id(&self.rows));
        self.sockets.enter_port(ports, at.port, id, socket);
    }

    /// A port for who never asked for one.
    pub(super) fn autobind_inet(&mut self, socket: SocketRow) -> Result<(), Errno> {
        if self.has_port(socket) {
            return Ok(());
        }
        let host = self.endpoint(socket).host;
        self.take_port(socket, Endpoint { host, port: 0 }).map_err(|_| Errno::EAGAIN)
    }

    /// [`Event::Unchosen`](crate::event::Event::Unchosen): the port that is tried first.
    pub(crate) fn set_next_port(&mut self, port: u32) -> Outcome {
        let place = port.checked_sub(u32::from(FIRST_PORT)).and_then(|at| u16::try_from(at).ok());
        let Some(place) = place.filter(|place| *place < PORTS) else {
            return Outcome::Refused(Refusal::Misplaced);
        };
        self.sockets.last_port = place.checked_sub(1).unwrap_or(PORTS - 1);
        Outcome::Done(Answer::default())
    }

    fn unused_port(&mut self, socket: SocketRow) -> Result<u16, Errno> {
        let ports = self.ports_of(socket);
        for _ in 0..PORTS {
            self.sockets.last_port = (self.sockets.last_port + 1) % PORTS;
            let port = FIRST_PORT + self.sockets.last_port;
            let kept = ports == Ports::Tcp && self.sockets.kept(port, self.now_ns).next().is_some();
            if !kept && self.sockets.at(ports, port).next().is_none() {
                return Ok(port);
            }
        }
        Err(Errno::EADDRINUSE)
    }

    /// Whether somebody else has this port in a way that this socket cannot share.
    pub(super) fn is_taken(&self, socket: SocketRow, at: Endpoint) -> bool {
        let ports = self.ports_of(socket);
        let reuse = self.shares(socket, SO_REUSEADDR);
        let alone = self.is_ipv6_alone(socket);
        let mut others = self.sockets.at(ports, at.port).filter(|other| *other != socket);
        let taken = others.any(|other| {
            let there = self.endpoint(other);
            overlap((at.host, alone), (there.host, self.is_ipv6_alone(other)))
                && !self.may_share(socket, other)
        });
        let kept = |kept: &KeptPort| {
            overlap((at.host, alone), (kept.host, false)) && !(reuse && kept.reuse)
        };
        taken && !self.joins(socket, at)
            || ports == Ports::Tcp && self.sockets.kept(at.port, self.now_ns).any(kept)
    }

    /// Whether who took this port of tcp(7) last shared it, on the same host: then who shares it
    /// too is let in whatever anybody says by now (`fastreuseport` of Linux 6.18's buckets). Who
    /// was made last is taken for him, and who has left is forgotten.
    fn joins(&self, socket: SocketRow, at: Endpoint) -> bool {
        if !(self.rows[socket].is_stream() && self.shares(socket, SO_REUSEPORT)) {
            return false;
        }
        let others = self.sockets.at(Ports::Tcp, at.port).filter(|other| *other != socket);
        others.last().is_some_and(|last| {
            let is_like = self.endpoint(last).host == at.host;
            is_like && self.is_bound_shared(last) && self.rows[last].uid == self.rows[socket].uid
        })
    }

    fn shares(&self, socket: SocketRow, option: u32) -> bool {
        self.rows[socket].option(SOL_SOCKET, option).unwrap_or(0) != 0
    }

    /// Whether two sockets may have one port (socket(7), SO_REUSEADDR, SO_REUSEPORT).
    fn may_share(&self, socket: SocketRow, other: SocketRow) -> bool {
        let both = |option| self.shares(socket, option) && self.shares(other, option);
        let (own, there) = (&self.rows[socket], &self.rows[other]);
        let listens = own.is_stream() && there.backlog().is_some();
        both(SO_REUSEADDR) && !listens || both(SO_REUSEPORT) && own.uid == there.uid
    }

    /// Whether a socket has a port by now.
    pub(crate) fn has_port(&self, socket: SocketRow) -> bool {
        self.rows[socket].more.as_deref().is_some_and(|more| more.has_port)
    }

    /// The port of a connection that is over, if nobody chose it.
    pub(super) fn leave_unchosen_port(&mut self, socket: SocketRow) {
        if self.rows[socket].more.as_deref().is_some_and(|more| !more.is_port_chosen) {
            self.leave_port(socket);
        }
    }

    /// The socket's port is free, or kept for a while.
    pub(super) fn leave_port(&mut self, socket: SocketRow) {
        if self.has_port(socket) {
            self.rows[socket].more_mut().has_port = false;
            let port = self.endpoint(socket).port;
            let id = socket.own_id(&self.rows);
            self.sockets.leave_port(self.ports_of(socket), port, id);
            if self.rows[socket].backlog().is_some() {
                self.sockets.leave_listener(port, id);
            }
        }
    }

    /// The port of the end of a connection that closed first is kept.
    pub(super) fn keep_port(&mut self, socket: SocketRow) {
        let at = self.endpoint(socket);
        let reuse = self.shares(socket, SO_REUSEADDR);
        let until_ns = self.now_ns.saturating_add(TIME_WAIT_NS);
        self.sockets.keep(at.port, KeptPort { host: at.host, reuse, until_ns }, self.now_ns);
    }

    /// Puts the port of a socket that was restored into the tables.
    pub(crate) fn index_port(&mut self, socket: SocketRow) {
        if self.has_port(socket) {
            let port = self.endpoint(socket).port;
            let id = socket.own_id(&self.rows);
            self.sockets.enter_port(self.ports_of(socket), port, id, socket);
            if self.rows[socket].backlog().is_some() {
                self.sockets.enter_listener(port, id, socket);
            }
        }
    }

    /// Who of these is meant by a host: the one that is bound to it before one that is bound to
    /// every host; among equals the first.
    pub(super) fn best(
        &self,
        candidates: impl Iterator<Item = SocketRow>,
        host: Host,
        score: impl Fn(SocketRow) -> Option<u32>,
    ) -> Option<SocketRow> {
        let mut best: Option<(u32, SocketRow)> = None;
        for candidate in candidates {
            let bound = self.endpoint(candidate).host;
            let exact = u32::from(bound == host);
            if exact == 0 && !overlap((host, true), (bound, self.is_ipv6_alone(candidate))) {
                continue;
            }
            let own_family = u32::from(self.is_ipv6(candidate) == as_ipv4(host).is_none());
            let Some(more) = score(candidate) else { continue };
            let score = 8 * more + 2 * exact + own_family;
            if best.is_none_or(|(other, _)| score > other) {
                best = Some((score, candidate));
            }
        }
        best.map(|(_, socket)| socket)
    }

    /// Where a message to an address goes, and from which host: any host is the one that the socket
    /// is bound to, else the loopback's own.
    pub(super) fn route(&self, socket: SocketRow, to: Endpoint) -> Result<(Endpoint, Host), Errno> {
        // One of IPv6 that is bound to a host of IPv4 reaches no others.
        let bound = self.endpoint(socket).host;
        let is_mapped = self.is_ipv6(socket) && as_ipv4(bound).is_some();
        let is_any = to.host == ANY6 && is_mapped;
        let is_ipv4 = as_ipv4(to.host).is_some() || is_any;
        if is_mapped && !is_ipv4 && reach(to.host) == Reach::Local {
            return Err(Errno::EAFNOSUPPORT);
        }
        // A host of IPv6 that bind(2) chose; one that connect(2) did binds nobody.
        let is_chosen = self.rows[socket].more.as_deref().is_some_and(|more| more.is_host_chosen);
        let is_kept = is_chosen && !is_mapped && self.reach(bound) == Reach::Local;
        if is_ipv4 && self.is_ipv6(socket) && is_kept {
            return Err(Errno::ENETUNREACH);
        }
        let own = if is_ipv4 { LOOPBACK4 } else { LOOPBACK6 };
        let is_bound = self.reach(bound) == Reach::Local;
        match self.reach(to.host) {
            Reach::Any if to.host == ANY4 && is_bound => Ok((Endpoint { host: bound, ..to }, own)),
            Reach::Any => Ok((Endpoint { host: own, ..to }, own)),
            Reach::Local if reach(to.host) == Reach::Foreign => Ok((to, to.host)),
            Reach::Local | Reach::Broadcast => Ok((to, own)),
            Reach::Group | Reach::Everybody => {
                self.group_source(socket, to.host).map(|own| (to, own))
            }
            Reach::Foreign => {
                let own = self.sockets.network.host_of(is_ipv4).ok_or(Errno::ENETUNREACH)?;
                // Of IPv4 nothing from `lo` goes out.
                if is_ipv4 && reach(bound) == Reach::Local {
                    return Err(Errno::EINVAL);
                }
                Ok((to, own))
            }
        }
    }
}

/// Whether an address of IPv6 means another host on every interface: one of the link, or a group of
/// the link or the host. Which interface is meant, no address here says.
pub(super) fn needs_scope(host: Host) -> bool {
    match host {
        [0xff, scope, ..] => matches!(scope & 0xf, 1 | 2),
        [0xfe, link, ..] => link & 0xc0 == 0x80,
        _ => false,
    }
}

/// Whether two bound hosts mean one host in common; with each whether it is for IPv6 alone.
fn overlap(one: (Host, bool), other: (Host, bool)) -> bool {
    one.0 == other.0 || covers(one, other) || covers(other, one)
}

/// Whether the first stands for every host of a family to which the other belongs.
fn covers((any, alone): (Host, bool), (host, host_alone): (Host, bool)) -> bool {
    let is_ipv4 = as_ipv4(host).is_some();
    match any {
        ANY4 => is_ipv4 || host == ANY6 && !host_alone,
        ANY6 => !is_ipv4 || !alone,
        _ => false,
    }
}
