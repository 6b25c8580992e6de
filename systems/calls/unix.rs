//! Connected unix sockets (unix(7)): socketpair(2), and what goes through the pair: reads, writes,
//! shutdown(2), poll(2), the end of one side.
//!
//! Checks and their order, room and wake-ups are Linux 6.18's, found by experiment: a packet counts
//! against its sender until it is read (`components/socket.rs`), who has more on the way than
//! the buffer holds waits, and is woken when three quarters are free. Not here: names, addresses,
//! descriptors and credentials that travel with a packet, options; splice(2) from and to a socket
//! is EINVAL.

use crate::abi::flags::*;
use crate::abi::{Errno, Signal};
use crate::calls::socket::{check_numbers, check_unix, of_type};
use crate::components::socket::{
    Packet, Peer, RCV_SHUTDOWN, SEND_SHUTDOWN, SNDBUF_BYTES, SNDBUF_RESERVE_BYTES,
    stream_packet_bytes,
};
use crate::components::{Restart, Target, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{Block, CallResult, Changed, Kernel, Stop};
use crate::memory;
use crate::rows::{DescriptionRow, RowKind, SocketRow, TaskRow};
use crate::watchers::Wake;
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a try to send came to.
enum Sent {
    /// The call is over.
    All,
    /// There is no room for the rest.
    Full,
}

impl Kernel {
    /// socketpair(2).
    pub(crate) fn socketpair(
        &mut self,
        task: TaskRow,
        domain: u32,
        kind: u32,
        protocol: u32,
    ) -> CallResult {
        let (kind, flags) = of_type(kind)?;
        let first = self.free_fd_below_limit(task, 0)?;
        let second = self.free_fd_below_limit(task, first + 1)?;
        check_numbers(domain, kind)?;
        match domain {
            AF_UNIX => check_unix(kind, protocol)?,
            // Of these families no two sockets are a pair.
            AF_INET | AF_INET6 if kind == SOCK_SEQPACKET => {
                return Err(Errno::ESOCKTNOSUPPORT.into());
            }
            AF_INET | AF_INET6 | AF_NETLINK => return Err(Errno::EOPNOTSUPP.into()),
            _ => return Err(Errno::EAFNOSUPPORT.into()),
        }
        self.room_for_fd(task, second)?;
        self.room_for_descriptions(2, 2 * memory::SOCKET_BYTES)?;
        let ends = [(); 2].map(|()| self.new_socket(task, domain, kind, protocol));
        let [a, b] = ends;
        (self.rows[a].peer, self.rows[b].peer) = (Peer::At(b), Peer::At(a));
        let status = O_RDWR | if flags & SOCK_NONBLOCK != 0 { O_NONBLOCK } else { 0 };
        for (fd, socket) in [first, second].into_iter().zip(ends) {
            let description = self.new_description(Target::Socket(socket), status);
            self.install(task, fd, description, flags & SOCK_CLOEXEC != 0);
        }
        Ok(Answer::with(Payload::Fds([first as i32, second as i32])))
    }

    /// read(2).
    pub(crate) fn read_connected(
        &mut self,
        row: DescriptionRow,
        socket: SocketRow,
        count: u64,
    ) -> CallResult {
        if count == 0 {
            return Ok(Answer::data(Vec::new()));
        }
        if let Some(bytes) = self.take_from_socket(socket, count)? {
            return Ok(Answer::data(bytes));
        }
        if self.rows[row].nonblocking() {
            // Only a datagram socket could be written to again by another.
            let over = self.has_shut(socket, RCV_SHUTDOWN) && self.rows[socket].is_connection();
            return if over { Ok(Answer::data(Vec::new())) } else { Err(Errno::EAGAIN.into()) };
        }
        if self.has_shut(socket, RCV_SHUTDOWN) {
            return Ok(Answer::data(Vec::new()));
        }
        Err(self.wait_for_socket(row, Waiting::SocketRead { description: row, count }))
    }

    /// A read that waits tries again.
    pub(crate) fn try_socket_read(
        &mut self,
        row: DescriptionRow,
        count: u64,
    ) -> Result<Option<Answer>, Errno> {
        let Target::Socket(socket) = self.rows[row].target else { return Err(Errno::EBADF) };
        let taken = self.take_from_socket(socket, count)?;
        let over = self.has_shut(socket, RCV_SHUTDOWN);
        Ok(taken.or_else(|| over.then(Vec::new)).map(Answer::data))
    }

    /// What lies in a socket, or its error; `None` if nothing does. A stream's error comes behind
    /// the bytes, that of packets before them.
    fn take_from_socket(
        &mut self,
        socket: SocketRow,
        count: u64,
    ) -> Result<Option<Vec<u8>>, Errno> {
        let state = &mut self.rows[socket];
        if !state.is_stream() || state.queue.is_empty() {
            state.error.take().map_or(Ok(()), Err)?;
        }
        if state.queue.is_empty() {
            return Ok(None);
        }
        let count = count.min(self.max_bytes);
        let bytes = if state.is_stream() {
            self.take_stream(socket, count)
        } else {
            self.take_packet(socket, count)
        };
        Ok(Some(bytes))
    }

    fn take_stream(&mut self, socket: SocketRow, count: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(packet) = self.rows[socket].queue.front_mut() {
            let wanted = (count - bytes.len() as u64).min(packet.left()) as usize;
            let from = packet.read as usize;
            bytes.extend_from_slice(packet.bytes.get(from..from + wanted).unwrap_or_default());
            packet.read += wanted as u32;
            if packet.left() > 0 {
                break;
            }
            self.drop_packet(socket);
        }
        bytes
    }

    /// What does not fit is lost (recv(2), MSG_TRUNC).
    fn take_packet(&mut self, socket: SocketRow, count: u64) -> Vec<u8> {
        let mut bytes = self.drop_packet(socket);
        bytes.truncate(count as usize);
        bytes
    }

    /// The oldest packet is read: its sender has room again.
    fn drop_packet(&mut self, socket: SocketRow) -> Vec<u8> {
        let state = &mut self.rows[socket];
        let Some(packet) = state.queue.pop_front() else { return Vec::new() };
        let bytes = packet.bytes.len() as u64;
        state.queue_cost_bytes -= state.cost_bytes(bytes);
        let (peer, cost) = (state.peer, state.queue_cost_bytes);
        self.unhold_bytes(memory::packet_bytes(bytes));
        if let Peer::At(sender) = peer
            && is_writable(cost)
        {
            self.socket_woken(sender, Wake::of(POLLOUT | POLLWRNORM | POLLWRBAND));
        }
        packet.bytes
    }

    /// write(2).
    pub(crate) fn write_connected(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        data: &[u8],
    ) -> CallResult {
        let stream = self.rows[socket].is_stream();
        if stream && self.has_shut(socket, SEND_SHUTDOWN) {
            return Err(self.broken_pipe(task).into());
        }
        if self.rows[socket].peer == Peer::None {
            return Err(Errno::ENOTCONN.into());
        }
        if self.rows[socket].kind == SOCK_SEQPACKET {
            self.rows[socket].error.take().map_or(Ok(()), Err)?;
        }
        if !stream && data.len() as u64 > SNDBUF_BYTES - SNDBUF_RESERVE_BYTES {
            return Err(Errno::EMSGSIZE.into());
        }
        let mut written = 0;
        match self.send_bytes(task, socket, data, &mut written)? {
            Sent::All => Ok(Answer::value(written as i64)),
            Sent::Full if self.rows[row].nonblocking() && written > 0 => {
                Ok(Answer::value(written as i64))
            }
            Sent::Full if self.rows[row].nonblocking() => Err(Errno::EAGAIN.into()),
            Sent::Full => {
                let data = Bytes(data.to_vec());
                let on = Waiting::SocketWrite { description: row, data, written };
                Err(self.wait_for_socket(row, on))
            }
        }
    }

    /// A write that waits tries again.
    pub(crate) fn try_socket_write(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        data: &[u8],
        written: &mut u64,
    ) -> Result<Option<Answer>, Errno> {
        let Target::Socket(socket) = self.rows[row].target else { return Err(Errno::EBADF) };
        Ok(match self.send_bytes(task, socket, data, written)? {
            Sent::All => Some(Answer::value(*written as i64)),
            Sent::Full => None,
        })
    }

    /// Sends as much as there is room for. What is sent already hides an error behind it.
    fn send_bytes(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        data: &[u8],
        written: &mut u64,
    ) -> Result<Sent, Errno> {
        let stream = self.rows[socket].is_stream();
        if stream && data.is_empty() {
            return Ok(Sent::All);
        }
        let most = written.saturating_add(self.max_bytes);
        loop {
            let rest = data.get(*written as usize..).unwrap_or_default();
            let length = if stream {
                stream_packet_bytes(rest.len() as u64).min(most - *written)
            } else {
                rest.len() as u64
            };
            if stream && length == 0 {
                return Ok(Sent::Full);
            }
            match self.send_packet(task, socket, &rest[..length as usize], *written == 0) {
                Ok(true) => *written += length,
                Ok(false) => return Ok(Sent::Full),
                Err(_) if *written > 0 => return Ok(Sent::All),
                Err(errno) => return Err(errno),
            }
            if *written == data.len() as u64 {
                return Ok(Sent::All);
            }
        }
    }

    /// One packet; false if there is no room for it.
    fn send_packet(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        bytes: &[u8],
        first: bool,
    ) -> Result<bool, Errno> {
        let state = &mut self.rows[socket];
        state.error.take().map_or(Ok(()), Err)?;
        if state.shut & SEND_SHUTDOWN != 0 {
            return Err(Errno::EPIPE);
        }
        let (kind, peer) = (state.kind, state.peer);
        let on_the_way = self.sent_bytes(socket);
        if on_the_way >= SNDBUF_BYTES {
            return Ok(false);
        }
        let Peer::At(other) = peer else {
            // Who sent to one that is gone has no peer any more, and loses what it was sent.
            self.rows[socket].peer = Peer::None;
            self.drop_queue(socket);
            return Err(if peer == Peer::None { Errno::ENOTCONN } else { Errno::ECONNREFUSED });
        };
        if self.has_shut(other, RCV_SHUTDOWN) {
            let signals = kind == SOCK_STREAM && first;
            return Err(if signals { self.broken_pipe(task) } else { Errno::EPIPE });
        }
        let held = memory::packet_bytes(bytes.len() as u64);
        if !self.has_memory(held) {
            return Err(Errno::ENOBUFS);
        }
        self.hold_bytes(held);
        let receiver = &mut self.rows[other];
        receiver.queue_cost_bytes += receiver.cost_bytes(bytes.len() as u64);
        receiver.queue.push_back(Packet { bytes: bytes.to_vec(), read: 0 });
        self.socket_woken(other, Wake::of(POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND));
        Ok(true)
    }

    /// EPIPE, with its signal.
    fn broken_pipe(&mut self, task: TaskRow) -> Errno {
        let info = self.own_info(task, Signal::SIGPIPE);
        self.post_to_task(task, Signal::SIGPIPE, info);
        Errno::EPIPE
    }

    /// What a socket has on the way, by what it costs.
    fn sent_bytes(&self, socket: SocketRow) -> u64 {
        match self.rows[socket].peer {
            Peer::At(other) => self.rows[other].queue_cost_bytes,
            Peer::None | Peer::Gone => 0,
        }
    }

    fn has_shut(&self, socket: SocketRow, side: u32) -> bool {
        self.rows[socket].shut & side != 0
    }

    fn wait_for_socket(&mut self, row: DescriptionRow, on: Waiting) -> Stop {
        self.rows[row].refs += 1;
        Stop::Block(Box::new(Block { on, deadline_ns: None, restart: Restart::WithFlag }))
    }

    fn socket_changed(&mut self, socket: SocketRow) {
        self.socket_woken(socket, Wake::ALL);
    }

    /// A socket changed: which events have just come true, as Linux tells them.
    pub(crate) fn socket_woken(&mut self, socket: SocketRow, wake: Wake) {
        if !self.rows[socket].waiters.is_empty() {
            self.woken(Changed::Socket(socket), wake);
        }
    }

    /// shutdown(2) of one that is connected. Of a connection the other end sees it.
    pub(crate) fn shutdown_connected(&mut self, socket: SocketRow, how: u32) {
        let sides = how + 1;
        self.rows[socket].shut |= sides;
        self.socket_changed(socket);
        let state = &self.rows[socket];
        let Peer::At(other) = state.peer else { return };
        if state.is_connection() {
            let crossed = [0, SEND_SHUTDOWN, RCV_SHUTDOWN, RCV_SHUTDOWN | SEND_SHUTDOWN];
            self.rows[other].shut |= crossed[sides as usize & 3];
            self.socket_changed(other);
        }
    }

    /// The last descriptor of a socket is closed.
    pub(crate) fn close_socket(&mut self, socket: SocketRow) {
        let state = &self.rows[socket];
        let (peer, unread, connection) =
            (state.peer, !state.queue.is_empty(), state.is_connection());
        self.drop_queue(socket);
        socket.remove(&mut self.rows);
        let Peer::At(other) = peer else { return };
        let state = &mut self.rows[other];
        state.peer = Peer::Gone;
        if connection {
            state.shut = RCV_SHUTDOWN | SEND_SHUTDOWN;
            if unread {
                state.error = Some(Errno::ECONNRESET);
            }
        }
        self.socket_changed(other);
    }

    fn drop_queue(&mut self, socket: SocketRow) {
        let state = &mut self.rows[socket];
        let packets = core::mem::take(&mut state.queue);
        state.queue_cost_bytes = 0;
        let lengths = packets.iter().map(|packet| packet.bytes.len() as u64);
        self.unhold_bytes(lengths.map(memory::packet_bytes).sum());
    }

    /// What poll(2) says of one that is connected, or was.
    pub(crate) fn poll_connected(&self, socket: SocketRow) -> u32 {
        let state = &self.rows[socket];
        let mut events = 0;
        if state.error.is_some() {
            events |= POLLERR;
        }
        if state.shut == RCV_SHUTDOWN | SEND_SHUTDOWN {
            events |= POLLHUP;
        }
        if state.shut & RCV_SHUTDOWN != 0 {
            events |= POLLRDHUP | POLLIN | POLLRDNORM;
        }
        if !state.queue.is_empty() {
            events |= POLLIN | POLLRDNORM;
        }
        if is_writable(self.sent_bytes(socket)) {
            events |= POLLOUT | POLLWRNORM | POLLWRBAND;
        }
        events
    }

    /// FIONREAD: all bytes of a connection, those of the next datagram (unix(7), "Ioctls").
    pub(crate) fn readable_bytes(&self, socket: SocketRow) -> u64 {
        let state = &self.rows[socket];
        match state.is_connection() {
            true => state.queued_bytes(),
            false => state.queue.front().map_or(0, Packet::left),
        }
    }

    /// TIOCOUTQ: what is on the way, by what it costs.
    pub(crate) fn unread_bytes(&self, socket: SocketRow) -> u64 {
        self.sent_bytes(socket)
    }
}

/// Whether who waits for room is told of it: three quarters are free.
const fn is_writable(on_the_way: u64) -> bool {
    4 * on_the_way <= SNDBUF_BYTES
}
