//! Ports and names of sockets that nobody chose (ip(7), unix(7)): the machine's next ones, as the
//! recording shows them later, by what strace prints of a descriptor, getsockname(2), or the
//! address that an accept(2) or a receiver was told.

use std::collections::BTreeSet;

use tickernel_systems::SocketView;
use tickernel_systems::abi::{Address, Errno};
use tickernel_systems::event::{Call, Event, Payload, Unchosen};

use super::decode;
use super::order::Order;
use crate::replay::Recorded;
use crate::strace::{self, Fd, Value};

/// Calls that are looked through for a name: of one that is bound, of which there are few, more.
const LOOKED_AT_CALLS: u64 = 4096;
const LOOKED_AT_CALLS_OF_BOUND: u64 = 1 << 16;
/// Most ports that are remembered as given.
const MAX_GIVEN: usize = 1 << 16;

/// Ports that the walk has given to sockets.
pub type Given = BTreeSet<u16>;

impl Order<'_> {
    /// Before a call that gives a socket a name that its caller does not choose.
    pub(super) fn choose_name(&mut self, tid: u32, call: &Call<'_>) {
        let (fd, remote) = match call {
            Call::Bind {
                sockfd,
                addr: Address::Inet(_, 0) | Address::Inet6(_, 0) | Address::Unnamed,
            } => (*sockfd, None),
            Call::Listen { sockfd, .. } => (*sockfd, None),
            Call::Connect { sockfd, addr } => (*sockfd, port_of(addr)),
            Call::Sendto { sockfd, addr: Some(addr), .. }
            | Call::Sendmsg { sockfd, addr: Some(addr), .. } => (*sockfd, port_of(addr)),
            _ => return,
        };
        let view = self.kernel.fd_view(tid, fd).and_then(|view| view.socket);
        let Some(view) = view.filter(|view| !view.is_named) else { return };
        let Some((what, number)) = self.name_to_be(tid, fd, remote, &view) else { return };
        if let (Unchosen::Port, Ok(port)) = (what, u16::try_from(number)) {
            if self.given_ports.len() >= MAX_GIVEN {
                self.given_ports.clear();
            }
            self.given_ports.insert(port);
        }
        self.emit(&Event::Unchosen { what, number }, None, None);
    }

    /// The name that the socket of a pending call turns out to have.
    fn name_to_be(
        &self,
        tid: u32,
        fd: i32,
        remote: Option<u16>,
        view: &SocketView,
    ) -> Option<(Unchosen, u32)> {
        let own = self.tasks.get(&tid)?.pending.as_ref()?.call;
        let process = self.kernel.process_of_task(tid);
        // Who was told of it may wait already.
        let waiting = self.others(tid).into_iter().filter_map(|other| {
            let pending = self.tasks.get(&other)?.pending.as_ref()?;
            Some(std::sync::Arc::clone(&pending.printed))
        });
        let mut told = None;
        let remote_of_own = remote;
        // Nobody is told of a connection that was refused.
        let pending = self.tasks.get(&tid)?.pending.as_ref()?;
        let recorded = pending.decoded.expected.recorded;
        let is_refused = recorded == Recorded::Errno(Errno::ECONNREFUSED)
            || self.is_refused(tid, fd, own, view, recorded);
        let mut remote = remote.filter(|_| !is_refused);
        if let Some(remote) = remote.filter(|_| view.is_inet) {
            told =
                waiting.into_iter().find_map(|call| self.peer_told(&call, remote, view.is_stream));
        }
        // strace remembers what it printed of a socket, also when it is connected anew.
        let stale = printed_port(&pending.printed, fd);
        let name_shown = |call: &strace::Call| name_shown(call, fd, stale);
        let (mut closed, mut child) = (false, None);
        let most = if remote_of_own.is_none() { LOOKED_AT_CALLS_OF_BOUND } else { LOOKED_AT_CALLS };
        let calls = own..own.saturating_add(most);
        for call in calls.map_while(|at| self.recording.calls.get(at)) {
            let speaker = call.tid.unwrap_or(self.root);
            let is_own =
                !closed && (speaker == tid || self.kernel.process_of_task(speaker) == process);
            if is_own {
                if let Some(found) = name_shown(&call) {
                    return Some(found);
                }
                // What is bound first and connected then, its peer is told of.
                if remote_of_own.is_none() && number_of(call.arg(0)) == Some(fd) && !closed {
                    remote = remote.or_else(|| connected_to(&call));
                }
                let is_over = &*call.name == "close" || remote.is_some() && is_undoing(&call);
                closed = is_over && number_of(call.arg(0)) == Some(fd);
            }
            if told.is_some() && closed {
                break;
            }
            // Of one that listens a child may ask, which is not there yet.
            if remote_of_own.is_none() && child.is_none() && speaker != tid {
                child = name_shown(&call);
            }
            if told.is_none() && view.is_inet {
                told = remote.and_then(|remote| self.peer_told(&call, remote, view.is_stream));
            }
        }
        told.map(|port| (Unchosen::Port, u32::from(port))).or(child)
    }

    /// A port that another was told of who spoke to this remote one, and that nobody has yet.
    fn peer_told(&self, call: &strace::Call, remote: u16, is_stream: bool) -> Option<u16> {
        let tells = match &*call.name {
            "accept" | "accept4" => is_stream,
            "recvfrom" | "recvmsg" => !is_stream,
            _ => false,
        };
        if !tells {
            return None;
        }
        let expected = decode::decode(call).expected;
        let address = match (&expected.payload, expected.recorded) {
            (Payload::Address(address), Recorded::Value(_)) => Some(&**address),
            (Payload::Received(received), Recorded::Value(_)) => received.addr.as_ref(),
            _ => None,
        };
        let listener = call.arg(0).and_then(Value::as_fd).and_then(|fd| local_port(&fd.text));
        let fits = listener.is_none_or(|listener| listener == remote);
        let port = address.and_then(port_of).filter(|_| fits)?;
        (!self.given_ports.contains(&port)).then_some(port)
    }
}

/// The port of an address.
pub(super) fn port_of(address: &Address) -> Option<u16> {
    match address {
        Address::Inet(_, port) | Address::Inet6(_, port) => Some(*port),
        Address::Unnamed | Address::Unix(_) | Address::Abstract(_) | Address::Other(_) => None,
    }
}

fn number_of(value: Option<&Value>) -> Option<i32> {
    value.and_then(Value::as_i32)
}

/// The port that strace prints of a call's descriptor.
fn printed_port(call: &strace::Call, fd: i32) -> Option<u16> {
    let printed = call.args.iter().filter_map(Value::as_fd);
    let mut printed = printed.filter(|it| it.number.as_i32() == Some(fd));
    printed.find_map(|fd: &Fd| local_port(&fd.text))
}

/// The port to which a call connects.
fn connected_to(call: &strace::Call) -> Option<u16> {
    let address = call.arg(1).filter(|_| &*call.name == "connect")?;
    let port = address.field("sin_port").or_else(|| address.field("sin6_port"))?.as_port()?;
    (port > 0).then_some(port)
}

/// Whether a call takes a connection back (`AF_UNSPEC`, connect(2)).
fn is_undoing(call: &strace::Call) -> bool {
    let family = call.arg(1).and_then(|address| address.field("sa_family"));
    &*call.name == "connect" && family.and_then(Value::name) == Some("AF_UNSPEC")
}

/// What a call shows of the name of its own descriptor.
fn name_shown(call: &strace::Call, fd: i32, stale: Option<u16>) -> Option<(Unchosen, u32)> {
    if let Some(port) = printed_port(call, fd).filter(|port| Some(*port) != stale) {
        return Some((Unchosen::Port, u32::from(port)));
    }
    if &*call.name != "getsockname" || number_of(call.arg(0)) != Some(fd) {
        return None;
    }
    match decode::decode(call).expected.payload {
        Payload::Address(address) => match &*address {
            Address::Inet(_, port) | Address::Inet6(_, port) if *port > 0 => {
                Some((Unchosen::Port, u32::from(*port)))
            }
            Address::Abstract(name) => {
                let text = std::str::from_utf8(&name.0).ok().filter(|text| text.len() == 5)?;
                Some((Unchosen::Name, u32::from_str_radix(text, 16).ok()?))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The port of a socket's own address in what strace prints of it: `TCP:[127.0.0.1:80->…]`.
fn local_port(text: &[u8]) -> Option<u16> {
    let (kind, rest) = text.split_at(text.iter().position(|byte| *byte == b'[')?);
    if !matches!(kind, b"TCP:" | b"TCPv6:" | b"UDP:" | b"UDPv6:") {
        return None;
    }
    let inner = std::str::from_utf8(rest.get(1..)?.strip_suffix(b"]")?).ok()?;
    let own = inner.split_once("->").map_or(inner, |(own, _)| own);
    own.rsplit_once(':')?.1.parse().ok().filter(|port| *port > 0)
}
