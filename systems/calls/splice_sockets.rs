//! splice(2) and sendfile(2) from and to sockets.
//!
//! Out of a stream of unix(7) come its buffers as they lie there: what one write left is a buffer
//! and pages behind it, each in a slot of the pipe. Other sockets give what one read gives. Into a
//! socket sixteen slots go at a time, each time as one message; a stream counts them by their
//! bytes (all found by experiment on Linux 6.18). Pages are copied when they are sent: of a file
//! that changes later Linux would send what it has become.

use super::message::Sent;
use super::notices::Reason;
use super::splice::{Splicing, Tried};
use super::transfer::Sending;
use crate::abi::flags::*;
use crate::abi::socket::{SO_RCVLOWAT, SO_RCVTIMEO, SOL_SOCKET};
use crate::abi::{Errno, Signal};
use crate::components::message::{Form, Manner, Receiving};
use crate::components::pipe::{PAGE_BYTES, PIPE_SLOTS, SegmentKind};
use crate::components::socket::{Peer, RCV_SHUTDOWN, pieces_bytes};
use crate::components::{Restart, Segment, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{PipeRow, SocketRow, TaskRow};
use crate::watchers::{READERS, WRITERS};
use alloc::vec::Vec;

/// Slots of a pipe that go into one message.
const SLOTS_AT_ONCE: usize = 16;
const SENDFILE: u32 = 40;
const SPLICE: u32 = 275;

impl Kernel {
    /// Whether a splice(2) that could do nothing waits; `no` is what the pipe and the flags say.
    pub(super) fn splice_waits(&self, splicing: Splicing, no: bool) -> bool {
        let (from, to) = (self.socket_behind(splicing.from), self.socket_behind(splicing.to));
        if let (Some(socket), Some(pipe)) = (from, self.pipe_behind(splicing.to)) {
            if !self.rows[pipe].has_room() {
                return !no;
            }
            // Only a stream of unix(7) asks for the flag.
            let state = &self.rows[socket];
            let asks = state.domain == AF_UNIX && state.is_stream();
            return !(asks && no || self.rows[splicing.from].nonblocking());
        }
        let takes = to.is_some() || self.rows[splicing.to].terminal.is_some();
        if let (Some(pipe), true) = (self.pipe_behind(splicing.from), takes) {
            let is_empty = self.rows[pipe].bytes == 0;
            return if is_empty { !no } else { !self.rows[splicing.to].nonblocking() };
        }
        !no
    }

    /// `SO_RCVTIMEO` of a socket that is read.
    pub(super) fn limit_splice(&self, splicing: Splicing, stop: &mut Stop) {
        let Some(socket) = self.socket_behind(splicing.from) else { return };
        let timeout_ns = self.rows[socket].option(SOL_SOCKET, SO_RCVTIMEO);
        if let (Some(ns @ 1..), Stop::Block(block)) = (timeout_ns, stop) {
            block.deadline_ns = Some(self.now_ns.saturating_add(ns as u64));
            block.restart = Restart::Never;
        }
    }

    /// What a socket has, into a pipe with room.
    pub(super) fn splice_from_socket(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        pipe: PipeRow,
        splicing: &mut Splicing,
    ) -> Tried {
        if self.asks_host(socket) {
            return self.unmodelled(SPLICE).map(|answer| Some(answer.value as u64));
        }
        if self.rows[pipe].readers == 0 {
            let info = self.own_info(task, Signal::SIGPIPE);
            self.post_to_task(task, Signal::SIGPIPE, info);
            return Err(Errno::EPIPE.into());
        }
        if !self.rows[pipe].has_room() {
            return Ok((splicing.moved > 0).then_some(splicing.moved));
        }
        let room = self.pipe_room();
        if room == 0 {
            return Err(Errno::ENOMEM.into());
        }
        let slots = u64::from(self.rows[pipe].slots - self.rows[pipe].used_slots);
        let count = (splicing.count - splicing.moved).min(slots.min(room) * PAGE_BYTES);
        let is_unix = self.rows[socket].domain == AF_UNIX;
        if self.rows[socket].is_stream() && is_unix {
            return self.splice_from_unix(socket, pipe, count, splicing);
        }
        self.check_receive(socket, 0)?;
        let is_tcp = self.rows[socket].is_stream();
        let (count, size) = if is_tcp {
            let pieces = self.pieces(socket, count, slots);
            (pieces.iter().sum::<u64>().max(1), None)
        } else {
            (count, Some(PAGE_BYTES))
        };
        let before = if is_tcp { self.pieces(socket, count, slots) } else { Vec::new() };
        let waits = !self.rows[splicing.from].nonblocking();
        let mut receiving = Receiving::one(count, 0, Form::Read);
        let answer = self.try_receive(task, socket, waits, &mut receiving)?;
        // A stream is asked for something, not for as much as SO_RCVLOWAT says.
        let Some(answer) = answer.or_else(|| receiving.part()) else { return Ok(None) };
        let bytes = match answer.payload {
            Payload::Data(bytes) => bytes.0,
            _ => Vec::new(),
        };
        let pieces = match size {
            Some(size) => bytes.chunks(size as usize).map(|piece| piece.len() as u64).collect(),
            None => before,
        };
        self.put_buffers(pipe, &bytes, &pieces);
        Ok(Some(bytes.len() as u64))
    }

    fn splice_from_unix(
        &mut self,
        socket: SocketRow,
        pipe: PipeRow,
        count: u64,
        splicing: &mut Splicing,
    ) -> Tried {
        let state = &self.rows[socket];
        if state.peer == Peer::None {
            return Err(Errno::EINVAL.into());
        }
        let lowat = state.option(SOL_SOCKET, SO_RCVLOWAT).unwrap_or(1).unsigned_abs();
        let slots = u64::from(self.rows[pipe].slots - self.rows[pipe].used_slots);
        let pieces = self.pieces(socket, count, slots);
        let taken = self.take_stream(socket, pieces.iter().sum(), false, splicing.moved > 0);
        // Descriptors that came along are closed.
        self.put_back(taken.rights);
        self.put_buffers(pipe, &taken.bytes, &pieces);
        splicing.moved += taken.bytes.len() as u64;
        let target = lowat.min(splicing.count).max(1);
        if splicing.moved >= target || taken.stops {
            return Ok(Some(splicing.moved));
        }
        let state = &mut self.rows[socket];
        if state.error.is_some() || state.shut & RCV_SHUTDOWN != 0 {
            if splicing.moved == 0 {
                state.error.take().map_or(Ok(()), Err)?;
            }
            return Ok(Some(splicing.moved));
        }
        Ok(None)
    }

    /// The lengths of the buffers in front of a stream: so much at most, in so many slots.
    fn pieces(&self, socket: SocketRow, count: u64, slots: u64) -> Vec<u64> {
        let state = &self.rows[socket];
        let all = state.queue.iter().flat_map(|packet| pieces_bytes(state.domain, packet));
        let mut left = count;
        let mut pieces = Vec::new();
        for piece in all.take(slots as usize) {
            if left == 0 {
                break;
            }
            pieces.push(piece.min(left));
            left -= piece.min(left);
        }
        pieces
    }

    pub(super) fn put_buffers(&mut self, pipe: PipeRow, bytes: &[u8], pieces: &[u64]) {
        let mut rest = bytes;
        for piece in pieces {
            let (part, behind) = rest.split_at((*piece as usize).min(rest.len()));
            rest = behind;
            if part.is_empty() {
                break;
            }
            let (bytes, kind) = (part.to_vec(), SegmentKind::Buffer);
            let segment = Segment { bytes, kind, ..Segment::default() };
            self.counters.pipe_pages += segment.pages();
            self.counters.pipe_bytes += part.len() as u64;
            let state = &mut self.rows[pipe];
            state.bytes += part.len() as u64;
            state.used_slots += 1;
            state.segments.push_back(segment);
        }
        if !bytes.is_empty() {
            self.pipe_woken(pipe, READERS, 0);
            self.tell_pipe(pipe, Reason::Input);
        }
    }

    /// What is in a pipe, into a socket.
    pub(super) fn splice_to_socket(
        &mut self,
        task: TaskRow,
        pipe: PipeRow,
        socket: SocketRow,
        splicing: &mut Splicing,
    ) -> Tried {
        if self.asks_host(socket) {
            return self.unmodelled(SPLICE).map(|answer| Some(answer.value as u64));
        }
        loop {
            let moved = splicing.moved;
            let left = splicing.count - moved;
            if left == 0 {
                return Ok(Some(moved));
            }
            if self.rows[pipe].bytes == 0 {
                let is_over = self.rows[pipe].writers == 0 || moved > 0;
                return Ok(is_over.then_some(moved));
            }
            self.fetch_lent(pipe, left, false);
            let data = self.front_slots(pipe, left);
            let (sent, tried) = self.send_buffers(task, socket, &data);
            self.drop_front(pipe, sent);
            splicing.moved += sent;
            match tried {
                Err(errno) if splicing.moved == 0 => return Err(errno.into()),
                Err(_) => return Ok(Some(splicing.moved)),
                Ok(Sent::Full) => return Ok(None),
                Ok(Sent::All) if sent < data.len() as u64 => return Ok(Some(splicing.moved)),
                Ok(Sent::All) => {}
            }
        }
    }

    /// The bytes of the first slots of a pipe.
    fn front_slots(&self, pipe: PipeRow, count: u64) -> Vec<u8> {
        let mut data = Vec::new();
        for _ in 0..SLOTS_AT_ONCE {
            let at = data.len() as u64;
            let Some(piece) = self.rows[pipe].piece(at, count - at) else { break };
            data.extend_from_slice(piece.bytes.get(piece.read as usize..).unwrap_or_default());
        }
        data
    }

    pub(super) fn drop_front(&mut self, pipe: PipeRow, count: u64) {
        let slots = self.rows[pipe].used_slots;
        self.drop_front_bytes(pipe, count);
        if count > 0 {
            self.pipe_woken(pipe, WRITERS, 0);
            self.tell_of_slots(pipe, slots);
        }
    }

    /// Pages as one message: how much went, and whether there was room for the rest.
    fn send_buffers(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        data: &[u8],
    ) -> (u64, Result<Sent, Errno>) {
        let mut manner = Manner { is_pages: true, ..Manner::default() };
        let mut sent = 0;
        let looked_at = self.manner_looks(socket);
        let tried =
            looked_at.and_then(|()| self.start_send(task, socket, data, &mut sent, &mut manner));
        (sent, tried)
    }

    /// What sendmsg(2) looks at before a message.
    fn manner_looks(&mut self, socket: SocketRow) -> Result<(), Errno> {
        if self.rows[socket].domain == AF_UNIX { self.check_packets(socket) } else { Ok(()) }
    }

    /// sendfile(2) to a socket.
    pub(super) fn send_to_socket(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        mut sending: Sending,
    ) -> CallResult {
        if self.asks_host(socket) {
            return self.unmodelled(SENDFILE);
        }
        let waits = !self.rows[sending.to].nonblocking();
        if let Some(answer) = self.send_pages(task, socket, &mut sending, waits)? {
            return Ok(answer);
        }
        Err(self.wait_to_move(sending.from, sending.to, Waiting::Sendfile(sending)))
    }

    /// Pages of a file, sixteen at a time; nothing if the call must wait for room. The offset goes
    /// along: who ends the call finds it where it is.
    pub(super) fn send_pages(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        sending: &mut Sending,
        waits: bool,
    ) -> Result<Option<Answer>, Stop> {
        let Some(place) = self.place_of(sending.from) else {
            return Err(Errno::EINVAL.into());
        };
        loop {
            let (sent, count) = (sending.sent, sending.count);
            if sent >= count {
                break;
            }
            let (file, at) = ((sending.from, place), sending.at + sent);
            let data = match self.read_pages(task, file, at, count - sent, PIPE_SLOTS) {
                Ok(data) if data.is_empty() => break,
                Ok(data) => data,
                Err(_) if sent > 0 => break,
                Err(stop) => return Err(stop),
            };
            let (gone, tried) = self.send_buffers(task, socket, &data);
            sending.sent += gone;
            let progress = Sending { sent: 0, ..*sending };
            self.sent(progress, sending.sent);
            match tried {
                Err(errno) if sending.sent == 0 => return Err(errno.into()),
                Ok(Sent::Full) if waits => return Ok(None),
                Ok(Sent::Full) if sending.sent == 0 => return Err(Errno::EAGAIN.into()),
                Err(_) | Ok(Sent::Full) => break,
                Ok(Sent::All) if gone < data.len() as u64 => break,
                Ok(Sent::All) => {}
            }
        }
        Ok(Some(self.sent(*sending, sending.sent)))
    }

    /// sendfile(2) from a socket into a pipe is splice(2).
    pub(super) fn splice_for_sendfile(&mut self, task: TaskRow, sending: Sending) -> CallResult {
        let Sending { from, to, count, .. } = sending;
        if count == 0 {
            return Ok(Answer::default());
        }
        let splicing = Splicing { from, to, offset: None, count, keeps: false, moved: 0 };
        self.begin_splice(task, splicing, 0)
    }
}
