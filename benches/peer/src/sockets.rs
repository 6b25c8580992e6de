//! The runner's calls on sockets, polls of sockets and descriptors together, and names of hosts.

use super::api;
use super::convert::*;
use super::run::Runner;
use crate::program::{Family, Fd, Proc, Recent, SocketOp, Who};
use crate::seen::data_text;
use api::dns::DnsLookupPolicy;
use api::poll::{POLLIN, POLLOUT, PollEvents, PollTargetEntry};
use api::socket_table::{
    DatagramSocketOption, InetSocketAddress, SocketDomain, SocketMulticastMembership, SocketRecord,
    SocketShutdown, SocketSpec, SocketState, SocketType,
};

/// So many sockets, the last ones, are shown after each call on one.
const SHOWN: u64 = 6;

impl Runner {
    pub(super) fn socket(
        &mut self,
        driver: &str,
        pid: u32,
        family: Family,
        datagrams: bool,
    ) -> String {
        let domain = match family {
            Family::Inet => SocketDomain::Inet,
            Family::Inet6 => SocketDomain::Inet6,
            Family::Unix => SocketDomain::Unix,
        };
        let kind = if datagrams { SocketType::Datagram } else { SocketType::Stream };
        let made = self.vm.socket_create(driver, pid, SocketSpec::new(domain, kind));
        self.find_sockets();
        told(made)
    }

    /// Numbers are given in order: those made inside a call are found behind the last one.
    fn find_sockets(&mut self) {
        while self.vm.socket_get(self.last_socket + 1).is_some() {
            self.last_socket += 1;
        }
    }

    fn recent(&self, recent: Recent) -> u64 {
        self.last_socket.saturating_sub(recent as u64)
    }

    /// A call on a socket, and what the last sockets are then.
    pub(super) fn on_socket(
        &mut self,
        who: Who,
        at: Option<Proc>,
        recent: Recent,
        op: &SocketOp,
    ) -> String {
        let id = self.recent(recent);
        let owner = self.vm.socket_get(id).map(|socket| socket.owner_pid());
        let pid = at.map_or_else(|| owner.unwrap_or(999), |at| self.pid(at));
        let owners = self.book.processes.values();
        let own = owners.filter(|process| process.pid == pid).map(|own| own.driver.clone());
        let driver = match who {
            Who::Name(name) => name.to_owned(),
            Who::Own => own.last().unwrap_or_else(|| "nobody".to_owned()),
        };
        let result = self.socket_op(&driver, pid, id, op);
        self.find_sockets();
        let first = self.last_socket.saturating_sub(SHOWN) + 1;
        let shown = (first..=self.last_socket).filter_map(|id| self.vm.socket_get(id));
        let shown: Vec<String> = shown.map(|socket| socket_text(&socket)).collect();
        format!("{result}\n{}", shown.join("\n"))
    }

    fn socket_op(&mut self, driver: &str, pid: u32, id: u64, op: &SocketOp) -> String {
        let peer = match op {
            SocketOp::ConnectPair(recent) => self.recent(*recent),
            _ => 0,
        };
        let address = |host: &str, port| InetSocketAddress::new(host, port);
        let vm = &mut self.vm;
        match op {
            SocketOp::BindInet(host, port) => {
                told(vm.socket_bind_inet(driver, pid, id, address(host, *port)))
            }
            SocketOp::BindUnix(path) => told(vm.socket_bind_unix(driver, pid, id, *path)),
            SocketOp::Listen(backlog) => told(vm.socket_listen(driver, pid, id, *backlog)),
            SocketOp::Incoming(host, port) => {
                let from = address(host, *port);
                told(vm.socket_queue_incoming_tcp_connection(driver, pid, id, from))
            }
            SocketOp::Accept => told(vm.socket_accept(driver, pid, id)),
            SocketOp::ConnectPair(_) => told(vm.socket_connect_pair(driver, pid, id, peer)),
            SocketOp::ConnectUnix(path) => told(vm.socket_connect_unix(driver, pid, id, *path)),
            SocketOp::ConnectInet(host, port) => {
                told(vm.socket_connect_inet_loopback(driver, pid, id, address(host, *port)))
            }
            SocketOp::SendTo(host, port, data) => {
                let to = address(host, *port);
                told(vm.socket_send_to_inet_loopback(driver, pid, id, to, &data.bytes()))
            }
            SocketOp::Recv(length) => match vm.socket_recv_datagram(driver, pid, id, *length) {
                Ok(Some(datagram)) => {
                    let from = datagram.source_address();
                    let from = from.map(|from| format!("{}:{}", from.host(), from.port()));
                    format!("Ok {from:?} {}", data_text(datagram.payload()))
                }
                Ok(None) => "Ok nothing".to_owned(),
                Err(error) => error_text(&error),
            },
            SocketOp::State(state) => {
                let state = match state {
                    0 => SocketState::Created,
                    1 => SocketState::Bound,
                    2 => SocketState::Listening,
                    _ => SocketState::Connected,
                };
                told(vm.socket_set_state(driver, pid, id, state))
            }
            SocketOp::Write(data) => told(vm.socket_write(driver, pid, id, &data.bytes())),
            SocketOp::Read(length) => told_data(vm.socket_read(driver, pid, id, *length)),
            SocketOp::Shutdown(how) => {
                let how = match how {
                    0 => SocketShutdown::Read,
                    1 => SocketShutdown::Write,
                    _ => SocketShutdown::Both,
                };
                told(vm.socket_shutdown(driver, pid, id, how))
            }
            SocketOp::Close => told(vm.socket_close(driver, pid, id)),
            SocketOp::Option(..) | SocketOp::Join(..) | SocketOp::Leave(..) => {
                self.datagram_op(driver, pid, id, op)
            }
        }
    }

    fn datagram_op(&mut self, driver: &str, pid: u32, id: u64, op: &SocketOp) -> String {
        let group = |group: &str, interface: &Option<&str>| {
            SocketMulticastMembership::new(group, interface.map(str::to_owned))
        };
        let vm = &mut self.vm;
        match op {
            SocketOp::Option(option, enabled) => {
                let option = match option {
                    0 => DatagramSocketOption::ReuseAddr,
                    1 => DatagramSocketOption::ReusePort,
                    _ => DatagramSocketOption::Broadcast,
                };
                told(vm.socket_set_datagram_option(driver, pid, id, option, *enabled))
            }
            SocketOp::Join(name, interface) => {
                told(vm.socket_add_membership(driver, pid, id, group(name, interface)))
            }
            SocketOp::Leave(name, interface) => {
                told(vm.socket_drop_membership(driver, pid, id, group(name, interface)))
            }
            other => unreachable!("{other:?}"),
        }
    }

    pub(super) fn poll_targets(
        &mut self,
        driver: &str,
        at: Proc,
        pid: u32,
        fds: &[(Fd, u16)],
        sockets: &[(Recent, u16)],
    ) -> String {
        if fds.iter().any(|(fd, _)| self.is_stale(at, *fd)) {
            return "skipped: the path means another thing".to_owned();
        }
        let fds = fds
            .iter()
            .map(|(fd, bits)| PollTargetEntry::fd(self.book.number(at, *fd), events(*bits)));
        let sockets = sockets
            .iter()
            .map(|(recent, bits)| PollTargetEntry::socket(self.recent(*recent), events(*bits)));
        let targets = sockets.chain(fds).collect();
        match self.vm.poll_targets(driver, pid, targets, 0) {
            Ok(result) => {
                let revents: Vec<u16> =
                    result.targets.iter().map(|target| target.revents.bits()).collect();
                format!("{} ready {revents:?}", result.ready_count)
            }
            Err(error) => error_text(&error),
        }
    }

    /// Names that no resolver is asked about.
    pub(super) fn resolve(&mut self, name: &str, checks: bool) -> String {
        let policy = match checks {
            true => DnsLookupPolicy::CheckPermissions,
            false => DnsLookupPolicy::SkipPermissions,
        };
        match self.vm.resolve_dns(name, policy) {
            Ok(found) => format!(
                "Ok {} {:?} {}",
                found.hostname(),
                found.addresses(),
                found.source().as_str()
            ),
            Err(error) => error_text(&error),
        }
    }
}

fn events(bits: u16) -> PollEvents {
    let mut events = PollEvents::empty();
    for (bit, event) in [(1, POLLIN), (4, POLLOUT)] {
        if bits & bit != 0 {
            events |= event;
        }
    }
    events
}

fn socket_text(socket: &SocketRecord) -> String {
    let address = |address: Option<&InetSocketAddress>| {
        address.map_or_else(String::new, |at| format!("{}:{}", at.host(), at.port()))
    };
    format!(
        "{} of {} {:?} {:?} at [{}] to [{}] at {:?} to {:?} backlog {:?} pending {} peer {:?} \
         buffered {} shut {} {} {} datagrams {} {} options {} {} {} groups {}",
        socket.id(),
        socket.owner_pid(),
        socket.spec(),
        socket.state(),
        address(socket.local_address()),
        address(socket.peer_address()),
        socket.local_unix_path(),
        socket.peer_unix_path(),
        socket.listen_backlog(),
        socket.pending_accept_count(),
        socket.peer_socket_id(),
        socket.buffered_read_bytes(),
        socket.read_shutdown(),
        socket.write_shutdown(),
        socket.peer_write_shutdown(),
        socket.queued_datagrams(),
        socket.queued_datagram_bytes(),
        socket.reuse_address(),
        socket.reuse_port(),
        socket.broadcast_enabled(),
        socket.multicast_membership_count(),
    )
}
