//! Sockets: socket(2), socketpair(2), and the calls that each family answers in its own way.
//!
//! What unix(7) does lies in `unix.rs` (bytes), `unix_names.rs`, `unix_connect.rs`; messages in
//! `message.rs`, options in `socket_options.rs`. What is asked of a socket of another family is a
//! question to the host, or EAFNOSUPPORT.

use crate::abi::flags::*;
use crate::abi::{Address, Errno, Stat};
use crate::components::socket::Peer;
use crate::components::{Socket, Target};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::memory;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use alloc::boxed::Box;

/// Device number of the file system behind sockets.
pub(crate) const SOCKFS_DEVICE: u64 = 0x8;
/// `PF_UNIX`, the only protocol of unix(7) besides 0.
const PF_UNIX: u32 = 1;

/// Sockets that the kernel does not model, and that a host may answer for.
const fn is_hosts(domain: u32, kind: u32) -> bool {
    match domain {
        AF_INET | AF_INET6 => kind == SOCK_RAW,
        domain => domain == AF_NETLINK,
    }
}

impl Kernel {
    /// socket(2).
    pub(crate) fn socket(
        &mut self,
        task: TaskRow,
        domain: u32,
        kind: u32,
        mut protocol: u32,
    ) -> CallResult {
        let (kind, flags) = of_type(kind)?;
        check_numbers(domain, kind)?;
        match domain {
            AF_UNIX => check_unix(kind, protocol)?,
            AF_NETLINK if self.config.ask_unmodelled => {}
            AF_INET | AF_INET6 => match self.inet_protocol(task, kind, protocol) {
                Ok(known) => protocol = known,
                // There are some, of which nothing is modelled.
                Err(Errno::ESOCKTNOSUPPORT) if self.config.ask_unmodelled && kind == SOCK_RAW => {}
                Err(errno) => return Err(errno.into()),
            },
            _ => return Err(Errno::EAFNOSUPPORT.into()),
        }
        let fd = self.free_fd(task, 0)?;
        let row = self.new_socket(task, domain, kind, protocol);
        let status = O_RDWR | if flags & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
        match self.describe(Target::Socket(row), status) {
            Ok(description) => {
                self.install(task, fd, description, flags & SOCK_CLOEXEC != 0);
                Ok(Answer::value(i64::from(fd)))
            }
            Err(errno) => {
                row.remove(&mut self.rows);
                Err(errno.into())
            }
        }
    }

    /// socketpair(2).
    pub(crate) fn socketpair(
        &mut self,
        task: TaskRow,
        domain: u32,
        kind: u32,
        protocol: u32,
    ) -> CallResult {
        let (kind, flags) = of_type(kind)?;
        let [first, second] = self.two_free_fds(task)?;
        check_numbers(domain, kind)?;
        match domain {
            AF_UNIX => check_unix(kind, protocol)?,
            // Of these families no two sockets are a pair.
            AF_INET | AF_INET6 => match self.inet_protocol(task, kind, protocol) {
                Err(errno) if errno != Errno::ESOCKTNOSUPPORT || kind != SOCK_RAW => {
                    return Err(errno.into());
                }
                Ok(_) | Err(_) => return Err(Errno::EOPNOTSUPP.into()),
            },
            AF_NETLINK => return Err(Errno::EOPNOTSUPP.into()),
            _ => return Err(Errno::EAFNOSUPPORT.into()),
        }
        self.room_for_fd(task, second)?;
        self.room_for_descriptions(2, 2 * memory::SOCKET_BYTES)?;
        let ends = [(); 2].map(|()| self.new_socket(task, domain, kind, protocol));
        let [a, b] = ends;
        let cred = self.own_cred(task);
        for (end, other) in [(a, b), (b, a)] {
            let state = &mut self.rows[end];
            (state.peer, state.peer_cred) = (Peer::At(other), cred);
        }
        let status = O_RDWR | if flags & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
        for (fd, socket) in [first, second].into_iter().zip(ends) {
            let description = self.new_description(Target::Socket(socket), status);
            self.install(task, fd, description, flags & SOCK_CLOEXEC != 0);
        }
        Ok(Answer::with(Payload::Fds([first as i32, second as i32])))
    }

    /// A socket that is connected to nothing, and no description's yet.
    pub(crate) fn new_socket(
        &mut self,
        task: TaskRow,
        domain: u32,
        kind: u32,
        protocol: u32,
    ) -> SocketRow {
        let who = &self.rows[task].credentials;
        let (uid, gid) = (who.fsuid, who.fsgid);
        let id = self.next_id();
        let protocol = if domain == AF_UNIX { 0 } else { protocol };
        // A raw unix socket is a datagram socket (unix(7)).
        let kind = if domain == AF_UNIX && kind == SOCK_RAW { SOCK_DGRAM } else { kind };
        let socket = Socket::unconnected(id, [domain, kind, protocol], [uid, gid]);
        SocketRow::spawn(&mut self.rows, id, socket)
    }

    /// The socket behind a descriptor: EBADF, ENOTSOCK.
    pub(super) fn socket_of(&self, task: TaskRow, fd: i32) -> Result<SocketRow, Errno> {
        self.socket_at(task, fd).map(|(_, socket)| socket)
    }

    /// The same with its description.
    pub(super) fn socket_at(
        &self,
        task: TaskRow,
        fd: i32,
    ) -> Result<(DescriptionRow, SocketRow), Errno> {
        let row = self.open_fd(task, fd)?;
        self.socket_behind(row).map(|socket| (row, socket)).ok_or(Errno::ENOTSOCK)
    }

    /// Whether what a socket does is the host's to say.
    pub(super) fn asks_host(&self, socket: SocketRow) -> bool {
        let state = &self.rows[socket];
        self.config.ask_unmodelled && is_hosts(state.domain, state.kind)
    }

    /// bind(2).
    pub(crate) fn bind(&mut self, task: TaskRow, fd: i32, address: &Address) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        match self.rows[socket].domain {
            AF_UNIX => self.bind_unix(task, socket, address),
            AF_INET | AF_INET6 if !self.asks_host(socket) => self.bind_inet(task, socket, address),
            _ => self.unmodelled(BIND),
        }
    }

    /// connect(2).
    pub(crate) fn connect(&mut self, task: TaskRow, fd: i32, address: &Address) -> CallResult {
        let (row, socket) = self.socket_at(task, fd)?;
        match self.rows[socket].domain {
            AF_UNIX => self.connect_unix(task, row, socket, address),
            AF_INET | AF_INET6 if self.asks_host(socket) => self.unmodelled(CONNECT),
            AF_INET | AF_INET6 if self.rows[socket].is_stream() => {
                self.connect_tcp(task, row, socket, address)
            }
            AF_INET | AF_INET6 => self.connect_udp(socket, address),
            _ => self.unmodelled(CONNECT),
        }
    }

    /// listen(2).
    pub(crate) fn listen(&mut self, task: TaskRow, fd: i32, backlog: i32) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        match self.rows[socket].domain {
            AF_UNIX => self.listen_unix(task, socket, backlog),
            AF_INET | AF_INET6 if self.asks_host(socket) => self.unmodelled(LISTEN),
            AF_INET | AF_INET6 if self.rows[socket].is_stream() => {
                self.listen_tcp(task, socket, backlog)
            }
            AF_INET | AF_INET6 => Err(Errno::EOPNOTSUPP.into()),
            _ => self.unmodelled(LISTEN),
        }
    }

    /// getsockname(2).
    pub(crate) fn getsockname(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        match self.rows[socket].domain {
            AF_UNIX => {
                let name = self.rows[socket].name().clone();
                Ok(Answer::with(Payload::Address(Box::new(name))))
            }
            AF_INET | AF_INET6 if !self.asks_host(socket) => {
                let name = self.shown(socket, self.endpoint(socket));
                Ok(Answer::with(Payload::Address(Box::new(name))))
            }
            _ => self.unmodelled(GETSOCKNAME),
        }
    }

    /// getpeername(2).
    pub(crate) fn getpeername(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        if self.asks_host(socket) {
            return self.unmodelled(GETPEERNAME);
        }
        let state = &self.rows[socket];
        let is_udp = state.domain != AF_UNIX && !state.is_stream();
        let has_peer = if is_udp {
            self.remote_endpoint(socket).is_some_and(|remote| remote.port != 0)
        } else {
            state.is_connected()
        };
        if !has_peer {
            return Err(Errno::ENOTCONN.into());
        }
        Ok(Answer::with(Payload::Address(Box::new(self.remote_name(socket)))))
    }

    /// The name of a socket's other end, which may be gone.
    pub(super) fn remote_name(&self, socket: SocketRow) -> Address {
        let state = &self.rows[socket];
        match state.peer {
            Peer::At(other) if state.domain == AF_UNIX => self.rows[other].name().clone(),
            Peer::At(_) | Peer::None | Peer::Gone | Peer::Outside => {
                state.more.as_deref().map(|more| more.remote.clone()).unwrap_or_default()
            }
        }
    }

    /// shutdown(2).
    pub(crate) fn shutdown(&mut self, task: TaskRow, fd: i32, how: u32) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        if how > SHUT_RDWR {
            return Err(Errno::EINVAL.into());
        }
        if self.asks_host(socket) {
            return self.unmodelled(SHUTDOWN);
        }
        match self.rows[socket].domain {
            AF_UNIX => self.shutdown_unix(socket, how),
            _ if self.rows[socket].is_stream() => self.shutdown_tcp(socket, how)?,
            _ => self.shutdown_udp(socket, how)?,
        }
        Ok(Answer::default())
    }

    /// What poll(2) says of a socket.
    pub(crate) fn poll_socket(&self, socket: SocketRow) -> u32 {
        match self.rows[socket].domain {
            AF_UNIX => self.poll_unix(socket),
            AF_INET | AF_INET6 if self.rows[socket].is_stream() => self.poll_tcp(socket),
            _ => self.poll_udp(socket),
        }
    }

    /// fstat(2) of a socket.
    pub(crate) fn stat_of_socket(&self, socket: SocketRow) -> Stat {
        let socket = &self.rows[socket];
        Stat {
            dev: SOCKFS_DEVICE,
            ino: socket.id,
            mode: S_IFSOCK | socket.mode,
            nlink: 1,
            uid: socket.uid,
            gid: socket.gid,
            blksize: 4096,
            // Its inode has no times.
            ..Stat::default()
        }
    }
}

const CONNECT: u32 = 42;
const BIND: u32 = 49;
const LISTEN: u32 = 50;
const SHUTDOWN: u32 = 48;
const GETSOCKNAME: u32 = 51;
const GETPEERNAME: u32 = 52;

/// The type in socket(2)'s argument, and the flags beside it.
pub(super) fn of_type(kind: u32) -> Result<(u32, u32), Errno> {
    let flags = kind & (SOCK_CLOEXEC | SOCK_NONBLOCK);
    let kind = kind & !flags;
    if kind & !0xf != 0 { Err(Errno::EINVAL) } else { Ok((kind, flags)) }
}

/// What is looked at before the family: that there can be such a family, and such a type.
pub(super) fn check_numbers(domain: u32, kind: u32) -> Result<(), Errno> {
    /// Families that Linux counts, modules that are not there included.
    const NPROTO: u32 = 46;
    const SOCK_MAX: u32 = 11;
    if domain >= NPROTO {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind >= SOCK_MAX { Err(Errno::EINVAL) } else { Ok(()) }
}

/// What unix(7) offers.
pub(super) fn check_unix(kind: u32, protocol: u32) -> Result<(), Errno> {
    if protocol != 0 && protocol != PF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match kind {
        SOCK_STREAM | SOCK_DGRAM | SOCK_RAW | SOCK_SEQPACKET => Ok(()),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}
