//! Sockets by number (SEMANTICS.md, section 7), and polls of them and of descriptors together
//! (section 6).

use super::convert::error_about;
use super::descriptors::{asked_of, revents_of};
use super::{KernelVm, check_owner, host_of, open_owned, owned, run};
use crate::face::error::{KernelError, KernelResult};
use crate::face::machine::Core;
use crate::face::poll::{PollEvents, PollFd, PollTarget, PollTargetEntry, PollTargetResult};
use crate::face::socket_table::{
    DatagramSocketOption, InetSocketAddress, ReceivedDatagram, SocketDomain, SocketId,
    SocketMulticastMembership, SocketReadiness, SocketRecord, SocketShutdown, SocketSpec,
    SocketState, SocketType,
};
use crate::face::vfs::VirtualFileSystem;
use tickernel_systems::abi::{self, Errno};
use tickernel_systems::event::{Answer, Call, Payload};
use tickernel_systems::{FACE_BROADCAST, FACE_REUSE_ADDRESS, FACE_REUSE_PORT};

/// The bits of poll that the contract has.
const POLL_BITS: u16 = 0x3d;

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// A call on a process's socket; what has become ready by it is told.
    fn on_socket(
        &self,
        (driver, pid, socket): (&str, u32, SocketId),
        call: Call<'_>,
    ) -> KernelResult<Answer> {
        let core = open_owned(&self.machine, driver, pid)?;
        if let Err(errno) = core.kernel.face_socket_of(pid, socket) {
            return Err(not_its(errno, pid, socket));
        }
        let what = format_args!("socket {socket}");
        let answer = run(&self.machine, core, host_of!(ref self), (0, call), what);
        self.tell_ready();
        answer
    }

    /// What has become ready is told, the lock released.
    fn tell_ready(&self) {
        if let Some((sink, ready)) = self.machine.take_ready() {
            ready.into_iter().for_each(|ready| sink(ready));
        }
    }

    /// A socket of a process.
    ///
    /// # Errors
    /// `EAGAIN` at a limit; `ESRCH`, `EPERM`; `EINVAL` once the machine is disposed of.
    pub fn socket_create(
        &mut self,
        requester_driver: &str,
        pid: u32,
        spec: SocketSpec,
    ) -> KernelResult<SocketId> {
        let core = open_owned(&self.machine, requester_driver, pid)?;
        let domain = match spec.domain {
            SocketDomain::Inet => 0,
            SocketDomain::Inet6 => 1,
            SocketDomain::Unix => 2,
        };
        let kind = match spec.socket_type {
            SocketType::Stream => 0,
            SocketType::Datagram => 1,
        };
        let call = Call::FaceSocket { target: pid, domain, kind };
        run(&self.machine, core, host_of!(self), (0, call), "socket").map(id_of)
    }

    /// Who is told when a socket that had nothing has a connection or data; `None` for nobody.
    /// Called by the thread whose call made it so, the lock released.
    pub fn set_socket_readiness_sink<S>(&mut self, sink: Option<S>)
    where
        S: Fn(SocketReadiness) + Send + Sync + 'static,
    {
        self.machine.set_readiness_sink(sink.map(|sink| std::sync::Arc::new(sink) as _));
    }

    /// A socket as it is now, whoever's it is.
    pub fn socket_get(&self, socket_id: SocketId) -> Option<SocketRecord> {
        let core = self.machine.look();
        core.kernel.face_socket_row(socket_id).map(|socket| SocketRecord::of(socket_id, socket))
    }

    /// The sockets of a process, in the order in which they were made.
    pub fn socket_records_for_pid(&self, pid: u32) -> Vec<SocketRecord> {
        let core = self.machine.look();
        let ids = core.kernel.face_sockets_of(pid).into_iter();
        let record =
            |id| core.kernel.face_socket_row(id).map(|socket| SocketRecord::of(id, socket));
        ids.filter_map(record).collect()
    }

    /// Gives a socket of the internet's families an address; port 0 is the first that is free from
    /// 49,152 on.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EINVAL` for a socket of another family or that is past it.
    pub fn socket_bind_inet(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        address: InetSocketAddress,
    ) -> KernelResult<()> {
        let (host, port) = (address.host().as_bytes(), u32::from(address.port()));
        let call = Call::FaceBind { target: pid, socket: socket_id, host, port };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Gives a stream of the unix family a path. No file appears.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EINVAL` as above and for `/`.
    pub fn socket_bind_unix(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        path: impl Into<String>,
    ) -> KernelResult<()> {
        let path: String = path.into();
        let call = Call::FaceBindUnix { target: pid, socket: socket_id, path: path.as_bytes() };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Takes connections, so many before they are accepted.
    ///
    /// # Errors
    /// `EINVAL` for no backlog, or a socket that is no bound stream.
    pub fn socket_listen(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        backlog: usize,
    ) -> KernelResult<()> {
        let call = Call::FaceListen { target: pid, socket: socket_id, backlog: backlog as u64 };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Puts a connection from outside into a listener's list.
    ///
    /// # Errors
    /// `EINVAL` if it does not listen, `EAGAIN` if the list is full.
    pub fn socket_queue_incoming_tcp_connection(
        &mut self,
        requester_driver: &str,
        pid: u32,
        listener_socket_id: SocketId,
        peer_address: InetSocketAddress,
    ) -> KernelResult<()> {
        let (host, port) = (peer_address.host().as_bytes(), u32::from(peer_address.port()));
        let call = Call::FaceIncoming { target: pid, socket: listener_socket_id, host, port };
        self.on_socket((requester_driver, pid, listener_socket_id), call).map(drop)
    }

    /// Takes the oldest connection out of a listener's list.
    ///
    /// # Errors
    /// `EAGAIN` if there is none, and at a limit; `EINVAL` if it does not listen.
    pub fn socket_accept(
        &mut self,
        requester_driver: &str,
        pid: u32,
        listener_socket_id: SocketId,
    ) -> KernelResult<SocketId> {
        let call = Call::FaceAccept { target: pid, socket: listener_socket_id };
        self.on_socket((requester_driver, pid, listener_socket_id), call).map(id_of)
    }

    /// Connects two streams with each other.
    ///
    /// # Errors
    /// `EINVAL` for one that is connected or no stream; `EPERM` for a process of another driver's.
    pub fn socket_connect_pair(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        peer_socket_id: SocketId,
    ) -> KernelResult<()> {
        let core = open_owned(&self.machine, requester_driver, pid)?;
        if let Err(errno) = core.kernel.face_socket_of(pid, socket_id) {
            return Err(not_its(errno, pid, socket_id));
        }
        let Some(owner) = core.kernel.face_socket_row(peer_socket_id).map(|peer| peer.owner) else {
            return Err(not_its(Errno::ENOENT, pid, peer_socket_id));
        };
        check_owner(&core, requester_driver, owner)?;
        drop(core);
        let call = Call::FaceConnectPair { target: pid, socket: socket_id, peer: peer_socket_id };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Connects to who listens at a path.
    ///
    /// # Errors
    /// `ECONNREFUSED` if nobody does; `EAGAIN` if its list is full, and at a limit; `EINVAL`.
    pub fn socket_connect_unix(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        target_path: impl Into<String>,
    ) -> KernelResult<()> {
        let path: String = target_path.into();
        let call = Call::FaceConnectUnix { target: pid, socket: socket_id, path: path.as_bytes() };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Connects to who listens at an address of the machine.
    ///
    /// # Errors
    /// Those of [`KernelVm::socket_connect_unix`].
    pub fn socket_connect_inet_loopback(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        target_address: InetSocketAddress,
    ) -> KernelResult<()> {
        let (host, port) = (target_address.host().as_bytes(), u32::from(target_address.port()));
        let call = Call::FaceConnect { target: pid, socket: socket_id, host, port };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Sends a datagram to who is bound to an address of the machine.
    ///
    /// # Errors
    /// `ECONNREFUSED` if nobody is; `EINVAL` for a sender that is not bound; `EAGAIN` at a limit.
    pub fn socket_send_to_inet_loopback(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        target_address: InetSocketAddress,
        data: &[u8],
    ) -> KernelResult<usize> {
        let (host, port) = (target_address.host().as_bytes(), u32::from(target_address.port()));
        let call = Call::FaceSendTo { target: pid, socket: socket_id, host, port, data };
        self.on_socket((requester_driver, pid, socket_id), call).map(length_of)
    }

    /// The oldest datagram, cut to `max_bytes`.
    ///
    /// # Errors
    /// `EAGAIN` if there is none; `EINVAL` for a socket that is not bound or of another kind.
    pub fn socket_recv_datagram(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        max_bytes: usize,
    ) -> KernelResult<Option<ReceivedDatagram>> {
        let call = Call::FaceRecvFrom { target: pid, socket: socket_id, count: max_bytes as u64 };
        match self.on_socket((requester_driver, pid, socket_id), call)?.payload {
            Payload::Datagram(host, port, data) => {
                let host = String::from_utf8_lossy(&host.0);
                Ok(Some(ReceivedDatagram {
                    source_address: Some(InetSocketAddress::new(host, port)),
                    payload: data.0,
                }))
            }
            _ => Ok(None),
        }
    }

    /// Switches an option of a datagram socket.
    ///
    /// # Errors
    /// `EINVAL` for all others.
    pub fn socket_set_datagram_option(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        option: DatagramSocketOption,
        enabled: bool,
    ) -> KernelResult<()> {
        let option = match option {
            DatagramSocketOption::ReuseAddr => FACE_REUSE_ADDRESS,
            DatagramSocketOption::ReusePort => FACE_REUSE_PORT,
            DatagramSocketOption::Broadcast => FACE_BROADCAST,
        };
        let (target, socket, enabled) = (pid, socket_id, u32::from(enabled));
        let call = Call::FaceDatagramOption { target, socket, option, enabled };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Joins a group. Nothing is delivered to it.
    ///
    /// # Errors
    /// `EINVAL` for a socket that is not bound, of another kind or of IPv6, and for what is no
    /// group of IPv4; `ENOBUFS` for more than 20.
    pub fn socket_add_membership(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        membership: SocketMulticastMembership,
    ) -> KernelResult<()> {
        self.membership((requester_driver, pid, socket_id), &membership, 1)
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// As above; `EADDRNOTAVAIL` if it is not in it.
    pub fn socket_drop_membership(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        membership: SocketMulticastMembership,
    ) -> KernelResult<()> {
        self.membership((requester_driver, pid, socket_id), &membership, 0)
    }

    fn membership(
        &self,
        whose: (&str, u32, SocketId),
        membership: &SocketMulticastMembership,
        join: u32,
    ) -> KernelResult<()> {
        let group = membership.group_address().as_bytes();
        let interface = membership.interface_address().map(str::as_bytes);
        let (target, socket) = (whose.1, whose.2);
        let call = Call::FaceMembership { target, socket, group, interface, join };
        self.on_socket(whose, call).map(drop)
    }

    /// Forces a state.
    ///
    /// # Errors
    /// `EINVAL` for one that leaves Connected; `EAGAIN` at a limit.
    pub fn socket_set_state(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        state: SocketState,
    ) -> KernelResult<()> {
        let state = match state {
            SocketState::Created => 0,
            SocketState::Bound => 1,
            SocketState::Listening => 2,
            SocketState::Connected => 3,
        };
        let call = Call::FaceSocketState { target: pid, socket: socket_id, state };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Writes all of it or nothing.
    ///
    /// # Errors
    /// `ENOTCONN`; `EPIPE` if nobody can read it; `EAGAIN` at a limit.
    pub fn socket_write(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        data: &[u8],
    ) -> KernelResult<usize> {
        let call = Call::FaceSend { target: pid, socket: socket_id, data };
        self.on_socket((requester_driver, pid, socket_id), call).map(length_of)
    }

    /// Reads what is there; `None` at the end.
    ///
    /// # Errors
    /// `ENOTCONN`; `EAGAIN` if nothing is there.
    pub fn socket_read(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        max_bytes: usize,
    ) -> KernelResult<Option<Vec<u8>>> {
        let call = Call::FaceReceive { target: pid, socket: socket_id, count: max_bytes as u64 };
        match self.on_socket((requester_driver, pid, socket_id), call)?.payload {
            Payload::Data(data) => Ok(Some(data.0)),
            _ => Ok(None),
        }
    }

    /// Closes one direction or both.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub fn socket_shutdown(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
        how: SocketShutdown,
    ) -> KernelResult<()> {
        let how = match how {
            SocketShutdown::Read => 0,
            SocketShutdown::Write => 1,
            SocketShutdown::Both => 2,
        };
        let call = Call::FaceShutdown { target: pid, socket: socket_id, how };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Closes a socket; of a listener also what was not accepted.
    ///
    /// # Errors
    /// `ENOENT`, `EPERM`.
    pub fn socket_close(
        &mut self,
        requester_driver: &str,
        pid: u32,
        socket_id: SocketId,
    ) -> KernelResult<()> {
        let call = Call::FaceSocketClose { target: pid, socket: socket_id };
        self.on_socket((requester_driver, pid, socket_id), call).map(drop)
    }

    /// Waits until a descriptor or a socket is ready, at most `timeout_ms`; -1 for ever.
    ///
    /// # Errors
    /// `EINVAL` for a time-out below -1; `EPERM` for another process's socket.
    pub fn poll_targets(
        &self,
        requester_driver: &str,
        pid: u32,
        targets: Vec<PollTargetEntry>,
        timeout_ms: i32,
    ) -> KernelResult<PollTargetResult> {
        let mut core = owned(&self.machine, requester_driver, pid)?;
        if timeout_ms < -1 && core.kernel.face_bends().polls_refuse_negatives {
            return Err(error_about(Errno::EINVAL, format_args!("poll time-out {timeout_ms}")));
        }
        if timeout_ms > 0 {
            core.catch_up();
        }
        let asked = Asked::of(&core, pid, &targets)?;
        // A number that cannot be one is an answer of its own.
        let timeout = if asked.has_odd { 0 } else { timeout_ms };
        let Asked { fds, sockets, directories, .. } = asked;
        let call = Call::FacePoll { fds: fds.clone(), sockets, timeout };
        let answer = run(&self.machine, core, host_of!(ref self), (pid, call), "poll")?;
        let Payload::Poll(told) = answer.payload else {
            return Err(error_about(Errno::EIO, "poll"));
        };
        let (of_fds, of_sockets) = told.split_at_checked(fds.len()).unwrap_or((&told, &[]));
        let (mut of_fds, mut of_sockets) = (of_fds.iter().zip(directories), of_sockets.iter());
        let mut targets = targets;
        for entry in &mut targets {
            entry.revents = match entry.target {
                PollTarget::Fd(fd) => of_fds.next().map_or(PollEvents::empty(), |(told, lacks)| {
                    revents_of(&PollFd::new(fd, entry.events), told, lacks)
                }),
                PollTarget::Socket(_) => {
                    let bits = of_sockets.next().map_or(0, |told| told.revents);
                    PollEvents::from_bits(bits & POLL_BITS)
                }
            };
        }
        let ready_count = targets.iter().filter(|entry| !entry.revents.is_empty()).count();
        Ok(PollTargetResult { ready_count, targets })
    }
}

/// What a poll asks the core.
struct Asked {
    fds: Vec<abi::PollFd>,
    sockets: Vec<abi::PollFd>,
    /// Of each descriptor whether it is a directory, of which to ask for room is an error.
    directories: Vec<bool>,
    /// One of the numbers cannot be a descriptor's or a socket's.
    has_odd: bool,
}

impl Asked {
    fn of(core: &Core, pid: u32, targets: &[PollTargetEntry]) -> KernelResult<Self> {
        let (mut fds, mut sockets, mut directories) = (Vec::new(), Vec::new(), Vec::new());
        let mut has_odd = false;
        for entry in targets {
            match entry.target {
                PollTarget::Fd(fd) => {
                    has_odd |= i32::try_from(fd).is_err();
                    directories.push(core.kernel.face_lacks_room(pid, fd));
                    fds.push(asked_of(&PollFd::new(fd, entry.events)));
                }
                PollTarget::Socket(socket) => {
                    if let Err(Errno::EPERM) = core.kernel.face_socket_of(pid, socket) {
                        return Err(not_its(Errno::EPERM, pid, socket));
                    }
                    let fd = i32::try_from(socket).unwrap_or(0);
                    has_odd |= fd == 0;
                    let events = entry.events.bits();
                    sockets.push(abi::PollFd { fd, events, revents: 0 });
                }
            }
        }
        Ok(Self { fds, sockets, directories, has_odd })
    }
}

fn id_of(answer: Answer) -> SocketId {
    answer.value as SocketId
}

fn length_of(answer: Answer) -> usize {
    answer.value as usize
}

#[cold]
fn not_its(errno: Errno, pid: u32, socket: SocketId) -> KernelError {
    let what = match errno {
        Errno::EPERM => format!("process {pid} does not own socket {socket}"),
        _ => format!("no such socket {socket}"),
    };
    KernelError::errno(errno, what)
}
