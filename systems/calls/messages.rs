//! Many messages in one call: sendmmsg(2), recvmmsg(2).
//!
//! Each message goes as sendmsg(2) or recvmsg(2) would have it (`message.rs`); what ends the call
//! after the first is not told. Of recvmmsg(2) it is kept for who asks next (`SO_ERROR`), and so
//! is a signal, as the number that Linux has for it inside (found by experiment on Linux 6.18).
//! What is left of recvmmsg(2)'s time-out is not told, as select(2)'s is not.

use super::message::{Outgoing, Sent};
use crate::abi::socket::{MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_WAITFORONE, Message};
use crate::abi::{Errno, Timespec};
use crate::components::message::{
    Form, Incomings, Manner, Outgoings, Receiving, Tried, answer_of, got,
};
use crate::components::{Wait, Waiting};
use crate::event::Answer;
use crate::kernel::{CallResult, Kernel};
use crate::rows::{DescriptionRow, SocketRow, TaskRow};
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// `UIO_MAXIOV`: sendmmsg(2) sends no more.
const MESSAGES_MAX: usize = 1024;
/// What a signal is inside Linux, where it ends a call that has waited for ever.
const ERESTARTSYS: Errno = Errno(512);
const NS_PER_SECOND: i64 = 1_000_000_000;

impl Kernel {
    /// sendmmsg(2).
    pub(crate) fn sendmmsg(
        &mut self,
        task: TaskRow,
        fd: i32,
        messages: &[Message],
        flags: u32,
    ) -> CallResult {
        let (row, socket) = self.socket_at(task, fd)?;
        if self.asks_host(socket) {
            return self.unmodelled(SENDMMSG);
        }
        let mut rest: Vec<Message> = messages.iter().take(MESSAGES_MAX).cloned().collect();
        rest.reverse();
        let batch = Some(Box::new(Outgoings { flags, lengths: Vec::new(), rest }));
        let mut manner = Manner { batch, ..Manner::default() };
        let (mut data, mut written) = (Bytes::default(), 0);
        let sent = self.send_next(task, row, socket, &mut data, &mut written, &mut manner)?;
        match sent {
            Some(answer) => Ok(answer),
            None => {
                let with = Some(Box::new(manner));
                let on = Waiting::SocketWrite { description: row, data, written, with };
                Err(self.wait_to_send(row, socket, on))
            }
        }
    }

    /// Sends the messages that are left; nothing if the call must wait for room.
    fn send_next(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        socket: SocketRow,
        data: &mut Bytes,
        written: &mut u64,
        manner: &mut Manner,
    ) -> Tried {
        loop {
            let mut batch = manner.batch.take().unwrap_or_default();
            let Some(message) = batch.rest.pop() else {
                return Ok(Some(batch.answer()));
            };
            let flags = batch.flags;
            let outgoing = Outgoing {
                data: &message.data.0,
                flags,
                to: message.addr.as_ref(),
                fds: message.fds.as_deref().unwrap_or_default(),
                cred: message.cred,
            };
            *written = 0;
            let tried = self.manner_of(task, socket, outgoing).and_then(|made| {
                *manner = made;
                self.start_send(task, socket, &message.data.0, written, manner)
            });
            manner.batch = Some(batch);
            *data = message.data;
            let waits = self.waits(row, flags);
            match self.end_message(tried, waits, data, *written, manner)? {
                Next::Over(answer) => return Ok(Some(answer)),
                Next::Wait => return Ok(None),
                Next::Go => {}
            }
        }
    }

    /// What becomes of the call with what became of a message.
    fn end_message(
        &mut self,
        tried: Result<Sent, Errno>,
        waits: bool,
        data: &Bytes,
        written: u64,
        manner: &mut Manner,
    ) -> Result<Next, Errno> {
        if waits && matches!(tried, Ok(Sent::Full)) {
            return Ok(Next::Wait);
        }
        self.put_back(core::mem::take(&mut manner.rights));
        let Some(batch) = manner.batch.as_mut() else { return Ok(Next::Wait) };
        let error = match tried {
            Ok(Sent::Full) if written == 0 => Some(Errno::EAGAIN),
            Ok(Sent::Full | Sent::All) => None,
            Err(errno) => Some(errno),
        };
        if let Some(errno) = error {
            return batch.partial(0).map(Next::Over).ok_or(errno);
        }
        batch.lengths.push(written as u32);
        let is_whole = written == data.0.len() as u64;
        if is_whole && !batch.rest.is_empty() {
            return Ok(Next::Go);
        }
        Ok(Next::Over(batch.answer()))
    }

    /// A sendmmsg(2) that waits tries again.
    pub(super) fn go_on_sending(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        data: &mut Bytes,
        written: &mut u64,
        manner: &mut Manner,
    ) -> Tried {
        let Some(socket) = self.socket_behind(row) else { return Err(Errno::EBADF) };
        let tried = self.send_bytes(task, socket, &data.0, written, manner);
        match self.end_message(tried, true, data, *written, manner)? {
            Next::Over(answer) => Ok(Some(answer)),
            Next::Wait => Ok(None),
            Next::Go => self.send_next(task, row, socket, data, written, manner),
        }
    }

    /// recvmmsg(2).
    pub(crate) fn recvmmsg(
        &mut self,
        task: TaskRow,
        fd: i32,
        counts: &[i64],
        flags: u32,
        timeout: Option<Timespec>,
    ) -> CallResult {
        let until_ns = match timeout {
            None => None,
            Some(Timespec { sec: sec @ 0.., nsec: nsec @ 0..NS_PER_SECOND }) => {
                let ns = sec.saturating_mul(NS_PER_SECOND).saturating_add(nsec);
                Some(self.now_ns.saturating_add(ns as u64))
            }
            Some(_) => return Err(Errno::EINVAL.into()),
        };
        let (row, socket) = self.socket_at(task, fd)?;
        if self.asks_host(socket) {
            return self.unmodelled(RECVMMSG);
        }
        if flags & MSG_ERRQUEUE == 0 {
            self.rows[socket].error.take().map_or(Ok(()), Err)?;
        }
        let for_one = flags & MSG_WAITFORONE != 0;
        let batch =
            Incomings { counts: counts.to_vec(), until_ns, for_one, ..Incomings::default() };
        let mut receiving = Receiving::one(0, flags & !MSG_WAITFORONE, Form::Message);
        receiving.batch = Some(Box::new(batch));
        let waits = self.waits(row, flags);
        if let Some(answer) = self.receive_next(task, (row, socket), waits, &mut receiving)? {
            return Ok(answer);
        }
        let on = Waiting::SocketRead { description: row, receiving };
        Err(self.wait_to_receive(row, socket, on))
    }

    /// Receives the messages that are left; nothing if the call must wait for one. `waits` is what
    /// the message on its way does.
    fn receive_next(
        &mut self,
        task: TaskRow,
        (row, socket): (DescriptionRow, SocketRow),
        mut waits: bool,
        receiving: &mut Receiving,
    ) -> Tried {
        loop {
            let Some(batch) = receiving.batch.as_deref() else { return Ok(None) };
            let Some(count) = batch.counts.get(batch.got.len()) else { break };
            let tried = match u64::try_from(*count) {
                Ok(count) => {
                    receiving.count = count;
                    self.check_receive(socket, receiving.flags)
                        .and_then(|()| self.try_receive(task, socket, waits, receiving))
                }
                Err(_) => Err(Errno::EINVAL),
            };
            let tried = match tried {
                Ok(None) if waits => return Ok(None),
                Ok(None) => receiving.part().ok_or(Errno::EAGAIN),
                Ok(Some(answer)) => Ok(answer),
                Err(errno) => Err(errno),
            };
            let Some(batch) = receiving.batch.as_deref_mut() else { return Ok(None) };
            let answer = match tried {
                Ok(answer) => answer,
                Err(errno) if batch.got.is_empty() => return Err(errno),
                Err(errno) => {
                    if errno != Errno::EAGAIN {
                        self.rows[socket].error = Some(errno);
                    }
                    break;
                }
            };
            let one = got(answer);
            let is_urgent = one.received.flags.unwrap_or(0) & MSG_OOB != 0;
            batch.got.push(one);
            if batch.for_one {
                receiving.flags |= MSG_DONTWAIT;
            }
            if is_urgent || batch.until_ns.is_some_and(|until_ns| until_ns <= self.now_ns) {
                break;
            }
            waits = self.waits(row, receiving.flags);
        }
        let got = receiving.batch.take().map(|batch| batch.got);
        Ok(Some(answer_of(got.unwrap_or_default())))
    }

    /// A recvmmsg(2) that waits tries again. A time that is over (`SO_RCVTIMEO`) ends one message.
    pub(super) fn go_on_receiving(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        is_expired: bool,
        receiving: &mut Receiving,
    ) -> Tried {
        let Some(socket) = self.socket_behind(row) else { return Err(Errno::EBADF) };
        let waits = !is_expired || receiving.taken.is_empty();
        self.receive_next(task, (row, socket), waits, receiving)
    }

    /// A signal, or a stop, ends a recvmmsg(2) that has got something: the socket keeps that as an
    /// error.
    pub(crate) fn keep_interruption(&mut self, wait: &Wait) {
        let Waiting::SocketRead { description, receiving } = &wait.on else { return };
        let Some(batch) = receiving.batch.as_deref() else { return };
        if batch.got.is_empty() && receiving.taken.is_empty() {
            return;
        }
        let errno = if wait.deadline_ns.is_some() { Errno::EINTR } else { ERESTARTSYS };
        if let Some(socket) = self.socket_behind(*description) {
            self.rows[socket].error = Some(errno);
        }
    }
}

/// What comes behind a message of sendmmsg(2).
enum Next {
    /// The end of the call.
    Over(Answer),
    /// It waits for room.
    Wait,
    /// The next message.
    Go,
}

const SENDMMSG: u32 = 307;
const RECVMMSG: u32 = 299;
