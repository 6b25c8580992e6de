//! Connections of unix sockets: connect(2), listen(2), accept(2), and datagram sockets with a peer
//! of their own choice (unix(7)).
//!
//! A connection is made whole when it is asked for: its other end waits in the listener's list, and
//! what is written meanwhile lies there. Not here: names (`unix_names.rs`), bytes (`unix.rs`).

use super::notices::Reason;
use super::unix_names::check_address;
use crate::abi::flags::*;
use crate::abi::socket::Ucred;
use crate::abi::{Address, Errno};
use crate::components::socket::{Peer, RCV_SHUTDOWN, SocketRef, State};
use crate::components::{Restart, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Changed, Kernel, Stop, WakeMode};
use crate::memory;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use crate::watchers::Wake;
use crate::wire::{Bytes, Wire};
use alloc::boxed::Box;

/// `net.core.somaxconn`: most connections that may wait.
const SOMAXCONN: u32 = 4096;

/// What a try to connect came to.
pub(crate) enum Tried {
    Connected,
    /// This listener's list is full.
    Full(SocketRow),
}

impl Kernel {
    /// connect(2) of a unix socket.
    pub(super) fn connect_unix(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        address: &Address,
    ) -> CallResult {
        if self.rows[socket].kind == SOCK_DGRAM {
            return self.connect_datagrams(task, socket, address);
        }
        match self.try_connect_unix(task, socket, address)? {
            Tried::Connected => Ok(Answer::default()),
            Tried::Full(_) if self.rows[row].nonblocking() => Err(Errno::EAGAIN.into()),
            Tried::Full(at) => {
                let address = Box::new(address.clone());
                let at = self.socket_ref(at);
                let on = Waiting::Connect { description: row, address, at };
                Err(self.wait_to_send(row, socket, on))
            }
        }
    }

    /// A connect that waits tries again.
    pub(crate) fn try_connect(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        address: &Address,
        at: &mut SocketRef,
    ) -> Result<Option<Answer>, Errno> {
        let Some(socket) = self.socket_behind(row) else { return Err(Errno::EBADF) };
        if self.rows[socket].domain != AF_UNIX {
            return Ok(self.try_connection(socket)?.then(Answer::default));
        }
        match self.try_connect_unix(task, socket, address)? {
            Tried::Connected => Ok(Some(Answer::default())),
            Tried::Full(listener) => {
                *at = self.socket_ref(listener);
                Ok(None)
            }
        }
    }

    /// One try: Linux looks for the listener, then at its state, then at the caller's own.
    pub(crate) fn try_connect_unix(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        address: &Address,
    ) -> Result<Tried, Errno> {
        check_address(address)?;
        self.autobind_if_passing(socket)?;
        let kind = self.rows[socket].kind;
        let other = self.find_unix(task, kind, address)?;
        let listener = &self.rows[other];
        let Some(backlog) = listener.backlog().filter(|_| listener.shut & RCV_SHUTDOWN == 0) else {
            return Err(Errno::ECONNREFUSED);
        };
        if listener.pending() as u64 > u64::from(backlog) {
            return Ok(Tried::Full(other));
        }
        let own = &self.rows[socket];
        if own.is_connected() {
            return Err(Errno::EISCONN);
        }
        if own.backlog().is_some() {
            return Err(Errno::EINVAL);
        }
        if !self.has_memory(memory::SOCKET_BYTES) {
            return Err(Errno::ENOMEM);
        }
        self.connect_to(task, socket, other);
        Ok(Tried::Connected)
    }

    /// Makes the other end of a connection, which waits to be accepted.
    fn connect_to(&mut self, task: TaskRow, socket: SocketRow, listener: SocketRow) {
        let cred = self.own_cred(task);
        let state = &self.rows[listener];
        let [domain, kind, protocol] = [state.domain, state.kind, state.protocol];
        let (name, lister) = (state.name().clone(), state.peer_cred);
        let new = self.new_socket(task, domain, kind, protocol);
        self.hold_bytes(memory::name_bytes(&name));
        let made = &mut self.rows[new];
        (made.peer, made.peer_cred) = (Peer::At(socket), cred);
        let more = made.more_mut();
        (more.name, more.is_borrowed, more.listener) = (name, true, Some(listener));
        let own = &mut self.rows[socket];
        (own.peer, own.peer_cred) = (Peer::At(new), lister);
        self.rows[listener].more_mut().pending.push_back(new);
        self.socket_woken(listener, Wake::READABLE);
        self.tell_socket(listener, Reason::Input);
        self.socket_changed(socket);
    }

    /// Who a task is to its peers (`SO_PEERCRED`).
    pub(super) fn own_cred(&self, task: TaskRow) -> Ucred {
        let state = &self.rows[task];
        let pid = self.rows[state.process].pid;
        Ucred { pid, uid: state.credentials.euid, gid: state.credentials.egid }
    }

    /// connect(2) of a datagram socket: whom it sends to, and from whom it receives.
    fn connect_datagrams(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        address: &Address,
    ) -> CallResult {
        if *address == Address::Other(AF_UNSPEC as u16) {
            self.change_peer(socket, Peer::None);
            return Ok(Answer::default());
        }
        check_address(address)?;
        self.autobind_if_passing(socket)?;
        let other = self.find_unix(task, SOCK_DGRAM, address)?;
        if !self.may_send(socket, other) {
            return Err(Errno::EPERM.into());
        }
        self.change_peer(socket, Peer::At(other));
        Ok(Answer::default())
    }

    /// Whether a datagram socket takes what this one sends: it has no peer, or this is it.
    pub(super) fn may_send(&self, socket: SocketRow, other: SocketRow) -> bool {
        let peer = self.rows[other].peer;
        peer == Peer::None || peer == Peer::At(socket)
    }

    /// Another peer: what came from the old one is lost, and that is told of it if it was connected
    /// to this one.
    fn change_peer(&mut self, socket: SocketRow, peer: Peer) {
        let old = self.rows[socket].peer;
        if old == peer {
            return;
        }
        self.set_peer(socket, peer);
        if old != Peer::None && !self.rows[socket].queue.is_empty() {
            self.drop_queue(socket);
            if let Peer::At(other) = old
                && self.rows[other].peer == Peer::At(socket)
            {
                self.rows[other].error = Some(Errno::ECONNRESET);
                self.socket_changed(other);
                self.tell_socket(other, Reason::Error);
            }
        }
        self.socket_changed(socket);
    }

    /// Sets a datagram socket's peer. A peer that is not connected back lists who is to it.
    pub(super) fn set_peer(&mut self, socket: SocketRow, peer: Peer) {
        if let Peer::At(old) = self.rows[socket].peer
            && old != socket
        {
            if self.rows[old].peer == Peer::At(socket) {
                self.list_sender(socket, old);
            } else {
                self.unlist_sender(old, socket);
            }
        }
        self.rows[socket].peer = peer;
        if let Peer::At(new) = peer
            && new != socket
        {
            if self.rows[new].peer == Peer::At(socket) {
                self.unlist_sender(socket, new);
            } else {
                self.list_sender(new, socket);
            }
        }
    }

    /// Enters who sends to a socket that has another peer or none.
    pub(crate) fn list_sender(&mut self, socket: SocketRow, sender: SocketRow) {
        let id = sender.own_id(&self.rows);
        let senders = &self.rows[socket].more.as_deref();
        let at = senders
            .map_or(0, |more| more.senders.partition_point(|other| other.own_id(&self.rows) < id));
        self.rows[socket].more_mut().senders.insert(at, sender);
    }

    fn unlist_sender(&mut self, socket: SocketRow, sender: SocketRow) {
        if let Some(more) = &mut self.rows[socket].more {
            more.senders.retain(|other| *other != sender);
        }
    }

    /// listen(2) of a unix socket.
    pub(super) fn listen_unix(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        backlog: i32,
    ) -> CallResult {
        let state = &self.rows[socket];
        if !state.is_connection() {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if !state.is_named() || state.is_connected() {
            return Err(Errno::EINVAL.into());
        }
        // A negative number is a large one.
        let backlog = (backlog as u32).min(SOMAXCONN);
        let grows = state.backlog().is_some_and(|before| backlog > before);
        let cred = self.own_cred(task);
        let state = &mut self.rows[socket];
        state.peer_cred = cred;
        state.more_mut().state = State::Listening { backlog };
        if grows {
            self.room_changed(socket);
        }
        self.socket_changed(socket);
        Ok(Answer::default())
    }

    /// accept4(2): the number is taken before the connection is there.
    pub(crate) fn accept(
        &mut self,
        task: TaskRow,
        fd: i32,
        flags: u32,
        again: &crate::event::Call<'_>,
    ) -> CallResult {
        let row = self.open_fd(task, fd)?;
        if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let new = self.free_fd(task, 0)?;
        let socket = self.socket_of(task, fd)?;
        if self.asks_host(socket) {
            return self.unmodelled(again.number());
        }
        if !self.rows[socket].is_connection() {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if self.rows[socket].backlog().is_none() {
            return Err(Errno::EINVAL.into());
        }
        if let Some(answer) = self.take_connection(task, socket, new, flags)? {
            return Ok(answer);
        }
        if self.rows[row].nonblocking() {
            return Err(Errno::EAGAIN.into());
        }
        self.reserve_fd(task, new);
        let mut call = Bytes::default();
        if self.config.wake == WakeMode::Auto {
            again.put(&mut call.0);
        }
        let on = Waiting::Accept { description: row, fd: new, flags, over: false, again: call };
        Err(self.wait_to_receive(row, socket, on))
    }

    /// The oldest connection as a descriptor; `None` if there is none.
    pub(crate) fn take_connection(
        &mut self,
        task: TaskRow,
        listener: SocketRow,
        fd: u32,
        flags: u32,
    ) -> Result<Option<Answer>, Errno> {
        let state = &mut self.rows[listener];
        // One of tcp(7) that is shut listens no more.
        let is_over = state.shut & RCV_SHUTDOWN != 0 || state.backlog().is_none();
        let Some(new) = state.more.as_mut().and_then(|more| more.pending.pop_front()) else {
            return if is_over { Err(Errno::EINVAL) } else { Ok(None) };
        };
        self.room_changed(listener);
        self.let_in(task, listener);
        let status = O_RDWR | if flags & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
        let description = match self.describe(crate::components::Target::Socket(new), status) {
            Ok(description) => description,
            Err(errno) => {
                self.close_socket(new);
                return Err(errno);
            }
        };
        // Its inode is made now, by who accepts.
        let who = &self.rows[task].credentials;
        let (uid, gid) = (who.fsuid, who.fsgid);
        let made = &mut self.rows[new];
        (made.uid, made.gid) = (uid, gid);
        made.more_mut().listener = None;
        self.install(task, fd, description, flags & SOCK_CLOEXEC != 0);
        let address = self.remote_name(new);
        Ok(Some(Answer { value: i64::from(fd), payload: Payload::Address(Box::new(address)) }))
    }

    /// An accept that waits tries again.
    pub(crate) fn try_accept(
        &mut self,
        task: TaskRow,
        on: &mut Waiting,
    ) -> Result<Option<Answer>, Errno> {
        let Waiting::Accept { description, fd, flags, over, .. } = on else { return Ok(None) };
        let (row, fd, flags) = (*description, *fd, *flags);
        let Some(socket) = self.socket_behind(row) else { return Err(Errno::EBADF) };
        let files = self.rows[task].files;
        if self.rows[socket].pending() > 0 {
            self.rows[files].unreserve(fd);
            *over = true;
        }
        self.take_connection(task, socket, fd, flags)
    }

    /// A socket for who must live with its end.
    pub(super) fn socket_ref(&self, socket: SocketRow) -> SocketRef {
        SocketRef { row: Some(socket), id: socket.own_id(&self.rows) }
    }

    /// The socket, if it is still there.
    pub(crate) fn live_socket(&self, socket: SocketRef) -> Option<SocketRow> {
        socket.row.filter(|row| row.is_live(&self.rows))
    }

    /// Somebody may connect, or send, who found a queue full.
    pub(super) fn room_changed(&mut self, socket: SocketRow) {
        let waits = |more: &crate::components::socket::More| !more.room_waiters.is_empty();
        if self.rows[socket].more.as_deref().is_some_and(waits) {
            self.note(Changed::Room(socket));
        }
    }

    /// A call that waits for what comes; with `SO_RCVTIMEO` not for ever, and no handler restarts
    /// it.
    pub(super) fn wait_to_receive(
        &mut self,
        row: DescriptionRow,
        socket: SocketRow,
        on: Waiting,
    ) -> Stop {
        self.wait_for_socket(row, socket, crate::abi::socket::SO_RCVTIMEO, on)
    }

    /// The same for one that waits for room (`SO_SNDTIMEO`).
    pub(super) fn wait_to_send(
        &mut self,
        row: DescriptionRow,
        socket: SocketRow,
        on: Waiting,
    ) -> Stop {
        self.wait_for_socket(row, socket, crate::abi::socket::SO_SNDTIMEO, on)
    }

    fn wait_for_socket(
        &mut self,
        row: DescriptionRow,
        socket: SocketRow,
        timeout: u32,
        on: Waiting,
    ) -> Stop {
        self.rows[row].refs += 1;
        let timeout_ns = self.rows[socket].option(crate::abi::socket::SOL_SOCKET, timeout);
        let timeout_ns = timeout_ns.filter(|ns| *ns > 0);
        let restart = if timeout_ns.is_some() { Restart::Never } else { Restart::WithFlag };
        let deadline_ns = timeout_ns.map(|ns| self.now_ns.saturating_add(ns as u64));
        Stop::block(on, deadline_ns, restart)
    }
}
