//! Messages: sendto(2), sendmsg(2), recvfrom(2), recvmsg(2), and read(2) and write(2) of a socket.
//!
//! Each becomes one try to send or receive, made again when the socket has changed; what the
//! families do lies in `unix.rs` and `inet.rs`. Descriptors that travel along: `rights.rs`.

use crate::abi::flags::*;
use crate::abi::socket::*;
use crate::abi::{Address, Errno};
use crate::components::message::{Form, Manner, Receiving, Taken, Tried};
use crate::components::socket::Peer;
use crate::components::{Target, Waiting};
use crate::event::Answer;
use crate::kernel::{CallResult, Kernel};
use crate::rows::{DescriptionRow, SocketRow, TaskRow};
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a try to send came to.
pub(super) enum Sent {
    /// The call is over.
    All,
    /// There is no room for the rest.
    Full,
}

/// A message as sendmsg(2) is given it.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'m> {
    pub(crate) data: &'m [u8],
    pub(crate) flags: u32,
    pub(crate) to: Option<&'m Address>,
    pub(crate) fds: &'m [i64],
    pub(crate) cred: Option<Ucred>,
}

impl Kernel {
    /// sendto(2), sendmsg(2).
    pub(crate) fn sendmsg(
        &mut self,
        task: TaskRow,
        fd: i32,
        number: u32,
        message: Outgoing<'_>,
    ) -> CallResult {
        let (row, socket) = self.socket_at(task, fd)?;
        if self.asks_host(socket) {
            return self.unmodelled(number);
        }
        if self.is_udp(socket) {
            // It goes or does not: nothing is kept for a wait.
            self.send_udp(socket, message.data, message.flags, message.to)?;
            return Ok(Answer::value(message.data.len() as i64));
        }
        let manner = self.manner_of(task, socket, message)?;
        self.send_message(task, row, socket, message.data, manner)
    }

    /// What is looked at before a message, and what goes with it.
    pub(super) fn manner_of(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        message: Outgoing<'_>,
    ) -> Result<Manner, Errno> {
        let is_unix = self.rows[socket].domain == AF_UNIX;
        if is_unix {
            self.check_packets(socket)?;
        }
        if let Some(cred) = message.cred.filter(|_| is_unix) {
            self.check_cred(task, cred)?;
        }
        let fds = if is_unix { message.fds } else { &[] };
        Ok(Manner {
            flags: message.flags,
            to: message.to.cloned(),
            rights: self.take_rights(task, fds)?,
            cred: message.cred.filter(|_| is_unix),
            ..Manner::default()
        })
    }

    /// write(2).
    pub(crate) fn write_socket(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        data: &[u8],
    ) -> CallResult {
        if self.asks_host(socket) {
            return self.unmodelled(WRITE);
        }
        if let Some(result) = self.write_at_once(socket, data) {
            return result;
        }
        self.send_message(task, row, socket, data, Manner::default())
    }

    fn send_message(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        data: &[u8],
        mut manner: Manner,
    ) -> CallResult {
        let mut written = 0;
        match self.start_send(task, socket, data, &mut written, &mut manner) {
            Ok(Sent::Full) if self.waits(row, manner.flags) => {
                let data = Bytes(data.to_vec());
                let with = (!manner.is_plain()).then(|| Box::new(manner));
                let on = Waiting::SocketWrite { description: row, data, written, with };
                Err(self.wait_to_send(row, socket, on))
            }
            result => {
                self.put_back(core::mem::take(&mut manner.rights));
                match result {
                    Ok(Sent::Full) if written == 0 => Err(Errno::EAGAIN.into()),
                    Ok(Sent::All | Sent::Full) => Ok(Answer::value(written as i64)),
                    Err(errno) => Err(errno.into()),
                }
            }
        }
    }

    /// The first try of a message.
    pub(super) fn start_send(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        data: &[u8],
        written: &mut u64,
        manner: &mut Manner,
    ) -> Result<Sent, Errno> {
        match self.check_send(task, socket, data, manner)? {
            Sent::All => self.send_bytes(task, socket, data, written, manner),
            Sent::Full => Ok(Sent::Full),
        }
    }

    pub(super) fn waits(&self, row: DescriptionRow, flags: u32) -> bool {
        flags & MSG_DONTWAIT == 0 && !self.rows[row].nonblocking()
    }

    /// A write that waits tries again.
    pub(crate) fn try_socket_write(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        data: &[u8],
        written: &mut u64,
        with: &mut Option<Box<Manner>>,
    ) -> Tried {
        let Some(socket) = self.socket_behind(row) else { return Err(Errno::EBADF) };
        let mut plain = Manner::default();
        let manner = with.as_deref_mut().unwrap_or(&mut plain);
        let sent = self.send_bytes(task, socket, data, written, manner)?;
        if with.is_none() && plain.at.is_some() {
            *with = Some(Box::new(plain));
        }
        Ok(match sent {
            Sent::All => Some(Answer::value(*written as i64)),
            Sent::Full => None,
        })
    }

    /// What is wrong before anything is sent.
    fn check_send(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        data: &[u8],
        manner: &mut Manner,
    ) -> Result<Sent, Errno> {
        match self.rows[socket].domain {
            AF_UNIX => self.check_send_unix(task, socket, data, manner)?,
            AF_INET | AF_INET6 if self.rows[socket].is_stream() => {
                if self.check_send_tcp(task, socket, manner)? {
                    return Ok(Sent::Full);
                }
            }
            // It is sent or not: looked at when it is.
            AF_INET | AF_INET6 => {}
            _ => return Err(Errno::EOPNOTSUPP),
        }
        Ok(Sent::All)
    }

    /// One packet; false if there is no room for it.
    fn send_packet(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        bytes: &[u8],
        first: bool,
        manner: &mut Manner,
    ) -> Result<bool, Errno> {
        match self.rows[socket].domain {
            AF_UNIX => self.send_unix(task, socket, bytes, first, manner),
            _ if !self.rows[socket].is_stream() => {
                self.send_udp(socket, bytes, manner.flags, manner.to.as_ref())?;
                Ok(true)
            }
            _ => match self.check_send_tcp(task, socket, manner)? {
                true => Ok(false),
                false => self.send_segment(socket, bytes, manner.is_urgent),
            },
        }
    }

    /// Whether somebody is at the other end, who must be told of urgent bytes.
    fn has_peer(&self, socket: SocketRow) -> bool {
        !matches!(self.rows[socket].peer, Peer::None | Peer::Gone)
    }

    /// Sends as much as there is room for. What is sent already hides an error behind it.
    pub(super) fn send_bytes(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        data: &[u8],
        written: &mut u64,
        manner: &mut Manner,
    ) -> Result<Sent, Errno> {
        let stream = self.rows[socket].is_stream();
        if stream && data.is_empty() {
            return Ok(Sent::All);
        }
        let most = written.saturating_add(self.max_bytes);
        loop {
            let rest = data.get(*written as usize..).unwrap_or_default();
            let is_urgent = stream && manner.flags & MSG_OOB != 0 && self.has_peer(socket);
            let is_one = manner.is_pages && self.rows[socket].domain == AF_UNIX;
            let is_limited = self.max_bytes != u64::MAX && self.rows[socket].domain != AF_UNIX;
            let length = if stream && is_limited {
                // How much lies between two ends is the machine's to say, where somebody says it.
                (rest.len() as u64).min(most - *written)
            } else if stream && !is_one {
                self.rows[socket].packet_bytes(rest.len() as u64).min(most - *written)
            } else {
                rest.len() as u64
            };
            if stream && length == 0 {
                self.want_room_of_socket(socket);
                return Ok(Sent::Full);
            }
            // The last byte of an urgent message goes alone.
            let is_alone = is_urgent && rest.len() == 1;
            let length =
                if is_urgent && !is_alone { length.min(rest.len() as u64 - 1) } else { length };
            manner.is_urgent = is_alone;
            let first = *written == 0;
            match self.send_packet(task, socket, &rest[..length as usize], first, manner) {
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

    /// recvfrom(2), recvmsg(2).
    pub(crate) fn recvmsg(
        &mut self,
        task: TaskRow,
        fd: i32,
        number: u32,
        receiving: Receiving,
    ) -> CallResult {
        let (row, socket) = self.socket_at(task, fd)?;
        if self.asks_host(socket) {
            return self.unmodelled(number);
        }
        self.receive(task, row, socket, receiving)
    }

    /// read(2): of nothing it looks at nothing.
    pub(crate) fn read_socket(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        count: u64,
    ) -> CallResult {
        if self.asks_host(socket) {
            return self.unmodelled(READ);
        }
        if count > 0
            && let Some(answer) = self.read_at_once(socket, count)
        {
            return Ok(answer);
        }
        let receiving = Receiving::read(count);
        if count == 0 {
            return Ok(receiving.of_bytes(Vec::new()));
        }
        self.receive(task, row, socket, receiving)
    }

    fn receive(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        mut receiving: Receiving,
    ) -> CallResult {
        self.check_receive(socket, receiving.flags)?;
        let waits = self.waits(row, receiving.flags);
        if let Some(answer) = self.try_receive(task, socket, waits, &mut receiving)? {
            return Ok(answer);
        }
        if !waits {
            return receiving.partial().ok_or(Errno::EAGAIN.into());
        }
        let on = Waiting::SocketRead { description: row, receiving };
        Err(self.wait_to_receive(row, socket, on))
    }

    /// A read that waits tries again.
    pub(crate) fn try_socket_read(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        receiving: &mut Receiving,
    ) -> Tried {
        let Some(socket) = self.socket_behind(row) else { return Err(Errno::EBADF) };
        self.try_receive(task, socket, true, receiving)
    }

    pub(super) fn check_receive(&self, socket: SocketRow, flags: u32) -> Result<(), Errno> {
        match self.rows[socket].domain {
            AF_UNIX => self.check_receive_unix(socket, flags),
            // Nobody waits for an error.
            AF_INET | AF_INET6 if flags & MSG_ERRQUEUE != 0 && !self.has_errors(socket) => {
                Err(Errno::EAGAIN)
            }
            AF_INET | AF_INET6 => Ok(()),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// One try: its answer if it is over.
    pub(super) fn try_receive(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        waits: bool,
        receiving: &mut Receiving,
    ) -> Tried {
        let taken = match self.rows[socket].domain {
            AF_UNIX => self.take_unix(socket, waits, receiving)?,
            _ if self.rows[socket].is_stream() => self.take_tcp(socket, waits, receiving)?,
            _ => self.take_udp(socket, waits, receiving)?,
        };
        let Some(taken) = taken else { return Ok(None) };
        Ok(Some(self.received(task, receiving, taken)))
    }

    /// The answer to what was taken; descriptors that came along are installed.
    fn received(&mut self, task: TaskRow, receiving: &mut Receiving, taken: Taken) -> Answer {
        if receiving.form == Form::Read && receiving.taken.is_empty() && taken.rights.is_empty() {
            return Answer::data(taken.bytes);
        }
        let mut flags = receiving.flags & MSG_CMSG_CLOEXEC | taken.flags;
        let mut data = core::mem::take(&mut receiving.taken);
        if data.is_empty() {
            data = taken.bytes;
        } else {
            data.extend_from_slice(&taken.bytes);
        }
        let mut value = (data.len() as u64).max(taken.is_urgent.into());
        if taken.cut_from.is_some() {
            flags |= MSG_TRUNC;
        }
        if let Some(whole) = taken.cut_from.or(taken.whole)
            && receiving.flags & MSG_TRUNC != 0
        {
            value = whole;
        }
        let is_message = receiving.form == Form::Message;
        let mut fds = Vec::new();
        if is_message {
            let all = taken.rights.len();
            fds = self.install_rights(task, taken.rights, receiving.flags);
            if fds.len() < all {
                flags |= MSG_CTRUNC;
            }
        } else {
            self.put_back(taken.rights);
        }
        let received = Received {
            data: Bytes(data),
            addr: taken.from,
            flags: is_message.then_some(flags),
            fds,
            cred: taken.cred.filter(|_| is_message),
            error: taken.error.filter(|_| is_message),
        };
        receiving.answer(value as i64, received)
    }

    /// Descriptors for what came along, as far as there are numbers; the rest is closed.
    fn install_rights(
        &mut self,
        task: TaskRow,
        rights: Vec<DescriptionRow>,
        flags: u32,
    ) -> Vec<i32> {
        let mut fds = Vec::with_capacity(rights.len());
        let mut is_full = false;
        for row in rights {
            match self.free_fd(task, 0) {
                Ok(fd) if !is_full => {
                    self.install(task, fd, row, flags & MSG_CMSG_CLOEXEC != 0);
                    fds.push(fd as i32);
                }
                Ok(_) | Err(_) => {
                    is_full = true;
                    self.release(row);
                }
            }
        }
        fds
    }

    /// The socket of a description.
    pub(crate) fn socket_behind(&self, row: DescriptionRow) -> Option<SocketRow> {
        match self.rows[row].target {
            Target::Socket(socket) => Some(socket),
            Target::File(_) | Target::Pipe(..) | Target::Object(_) => None,
        }
    }
}

const READ: u32 = 0;
const WRITE: u32 = 1;
