//! Sockets: socket(2), connect(2) to a unix name where nobody listens, and what the
//! other calls say of an unconnected socket (unix(7)). Programs ask so for name services that are
//! not there.
//!
//! Not here yet: bind(2), listen(2), accept(2). Data is `unix.rs`'s. What is asked of a socket of
//! another family than AF_UNIX is a question to the host, or EAFNOSUPPORT.

use crate::abi::flags::*;
use crate::abi::{Address, Errno, Stat};
use crate::calls::path::Spot;
use crate::components::socket::Peer;
use crate::components::{Restart, Socket, Target, Waiting};
use crate::event::{Answer, Payload};
use crate::fs::MAY_WRITE;
use crate::kernel::{Block, CallResult, Kernel, Stop};
use crate::procview::caller;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use alloc::boxed::Box;

/// Device number of the file system behind sockets.
const SOCKFS_DEVICE: u64 = 0x8;
/// `PF_UNIX`, the only protocol of unix(7) besides 0.
const PF_UNIX: u32 = 1;
/// Longest `sun_path`.
const SUN_PATH_BYTES: usize = 108;

impl Kernel {
    /// socket(2).
    pub(crate) fn socket(
        &mut self,
        task: TaskRow,
        domain: u32,
        kind: u32,
        protocol: u32,
    ) -> CallResult {
        let (kind, flags) = of_type(kind)?;
        check_numbers(domain, kind)?;
        match domain {
            AF_UNIX => check_unix(kind, protocol)?,
            AF_INET | AF_INET6 | AF_NETLINK if self.config.ask_unmodelled => {}
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
        // A raw unix socket is a datagram socket (unix(7)).
        let kind = if domain == AF_UNIX && kind == SOCK_RAW { SOCK_DGRAM } else { kind };
        let socket = Socket::unconnected(id, [domain, kind, protocol], [uid, gid]);
        SocketRow::spawn(&mut self.rows, id, socket)
    }

    /// The socket behind a descriptor: EBADF, ENOTSOCK.
    fn socket_of(&self, task: TaskRow, fd: i32) -> Result<SocketRow, Errno> {
        let row = self.open_fd(task, fd)?;
        match self.rows[row].target {
            Target::Socket(socket) => Ok(socket),
            Target::File(_) | Target::Pipe(..) | Target::Object(_) => Err(Errno::ENOTSOCK),
        }
    }

    /// connect(2). Nobody can listen yet: every name is refused in its own way.
    pub(crate) fn connect(&mut self, task: TaskRow, fd: i32, address: &Address) -> CallResult {
        let socket = &self.rows[self.socket_of(task, fd)?];
        if socket.domain != AF_UNIX {
            return self.unmodelled(CONNECT);
        }
        match address {
            Address::Unix(path) if path.0.len() > SUN_PATH_BYTES => Err(Errno::EINVAL.into()),
            Address::Unix(path) => self.refuse(task, &path.0),
            Address::Abstract(_) => Err(Errno::ECONNREFUSED.into()),
            // A datagram socket is disconnected by AF_UNSPEC.
            Address::Other(0) if socket.kind == SOCK_DGRAM => Ok(Answer::default()),
            Address::Unnamed | Address::Inet(..) | Address::Inet6(..) | Address::Other(_) => {
                Err(Errno::EINVAL.into())
            }
        }
    }

    /// The error of a unix path: of the walk, of the right to write, then that nobody listens
    /// there.
    fn refuse(&mut self, task: TaskRow, path: &[u8]) -> CallResult {
        let spot = self.spot(task, AT_FDCWD, Some(path), 0)?;
        if let Spot::Place(place) = spot {
            caller!(self, task => caller);
            self.fs.permission(&caller, place, MAY_WRITE)?;
        }
        Err(Errno::ECONNREFUSED.into())
    }

    /// getsockname(2): it has no name.
    pub(crate) fn getsockname(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        if self.rows[socket].domain != AF_UNIX {
            return self.unmodelled(GETSOCKNAME);
        }
        Ok(Answer::with(Payload::Address(Box::default())))
    }

    /// getpeername(2): who has a peer has one without a name.
    pub(crate) fn getpeername(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        if self.rows[socket].domain != AF_UNIX {
            return self.unmodelled(GETPEERNAME);
        }
        match self.rows[socket].peer {
            Peer::None => Err(Errno::ENOTCONN.into()),
            Peer::At(_) | Peer::Gone => Ok(Answer::with(Payload::Address(Box::default()))),
        }
    }

    /// shutdown(2): of an unconnected unix socket it changes nothing that shows.
    pub(crate) fn shutdown(&mut self, task: TaskRow, fd: i32, how: u32) -> CallResult {
        let socket = self.socket_of(task, fd)?;
        if how > SHUT_RDWR {
            return Err(Errno::EINVAL.into());
        }
        if self.rows[socket].domain != AF_UNIX {
            return self.unmodelled(SHUTDOWN);
        }
        if self.rows[socket].peer != Peer::None {
            self.shutdown_connected(socket, how);
        }
        Ok(Answer::default())
    }

    /// read(2).
    pub(crate) fn read_socket(
        &mut self,
        row: DescriptionRow,
        socket: SocketRow,
        count: u64,
    ) -> CallResult {
        let is_used = self.rows[socket].is_used();
        if is_used {
            return self.read_connected(row, socket, count);
        }
        let socket = &self.rows[socket];
        match socket.kind {
            _ if socket.domain != AF_UNIX => self.unmodelled(READ),
            SOCK_STREAM => Err(Errno::EINVAL.into()),
            SOCK_SEQPACKET => Err(Errno::ENOTCONN.into()),
            _ if self.rows[row].nonblocking() => Err(Errno::EAGAIN.into()),
            // Nobody knows its name: no datagram ever comes.
            _ => Err(Stop::Block(Box::new(Block {
                on: Waiting::Pause,
                deadline_ns: None,
                restart: Restart::WithFlag,
            }))),
        }
    }

    /// write(2).
    pub(crate) fn write_socket(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        data: &[u8],
    ) -> CallResult {
        if self.rows[socket].domain != AF_UNIX {
            return self.unmodelled(WRITE);
        }
        self.write_connected(task, row, socket, data)
    }

    /// What poll(2) says of a socket.
    pub(crate) fn poll_socket(&self, socket: SocketRow) -> u32 {
        if self.rows[socket].is_used() {
            return self.poll_connected(socket);
        }
        let writable = POLLOUT | POLLWRNORM | POLLWRBAND;
        match self.rows[socket].kind {
            SOCK_STREAM | SOCK_SEQPACKET => writable | POLLHUP,
            _ => writable,
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

const READ: u32 = 0;
const WRITE: u32 = 1;
const CONNECT: u32 = 42;
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
