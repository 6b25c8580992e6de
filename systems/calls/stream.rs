//! write(2) and read(2) of connected streams in the case that is most of them: bytes that become
//! one packet, and a packet that is read whole, so that its buffer is given and not copied. What
//! is anything else goes through `message.rs`, which does the same with all that can happen.

use super::notices::Reason;
use crate::abi::flags::AF_UNIX;
use crate::abi::socket::{SO_PEEK_OFF, SO_RCVLOWAT, SOL_SOCKET};
use crate::components::socket::{More, Packet, Peer, RCV_SHUTDOWN, SocketRef};
use crate::event::Answer;
use crate::kernel::{CallResult, Kernel};
use crate::memory;
use crate::rows::SocketRow;
use crate::watchers::Wake;

impl Kernel {
    /// write(2) of all bytes at once; `None` where something must be looked at before.
    #[inline]
    pub(super) fn write_at_once(&mut self, socket: SocketRow, data: &[u8]) -> Option<CallResult> {
        let length = data.len() as u64;
        let state = &self.rows[socket];
        let Peer::At(other) = state.peer else { return None };
        let is_open = state.is_stream() && state.error.is_none() && state.shut == 0;
        let fits = length > 0 && length <= self.max_bytes && state.packet_bytes(length) == length;
        if !is_open || !fits {
            return None;
        }
        if state.domain != AF_UNIX {
            let sent = self.send_segment(socket, data, false);
            return Some(sent.map(|_| Answer::value(length as i64)).map_err(Into::into));
        }
        // A name or credentials would travel along.
        let is_plain = !state.passes_cred && state.more.is_none();
        if !is_plain || state.sent_bytes >= u64::from(state.sndbuf_bytes) {
            return None;
        }
        let cost_bytes = state.cost_bytes(length) as u32;
        let sender = SocketRef { row: Some(socket), id: state.id };
        let there = &self.rows[other];
        let is_pending = there.more.as_deref().is_some_and(|more| more.listener.is_some());
        if there.shut & RCV_SHUTDOWN != 0 || there.passes_cred || is_pending {
            return None;
        }
        let packet = Packet {
            bytes: data.to_vec(),
            read: 0,
            cost_bytes,
            sender,
            with: None,
            is_urgent: false,
        };
        let held = memory::packet_bytes(&packet);
        if !self.has_memory(held) {
            return None;
        }
        self.hold_bytes(held);
        self.rows[socket].sent_bytes += u64::from(cost_bytes);
        self.rows[other].queue.push_back(packet);
        self.socket_woken(other, Wake::READABLE);
        self.tell_socket(other, Reason::Input);
        Some(Ok(Answer::value(length as i64)))
    }

    /// read(2) of one whole packet; `None` where there is none, or more is to be looked at.
    #[inline]
    pub(super) fn read_at_once(&mut self, socket: SocketRow, count: u64) -> Option<Answer> {
        let count = count.min(self.max_bytes);
        let state = &self.rows[socket];
        let packet = state.queue.front()?;
        let length = packet.bytes.len() as u64;
        let is_plain = state.is_stream() && !state.passes_cred;
        let is_read = state.is_connected() || state.domain != AF_UNIX;
        let is_whole = packet.read == 0 && packet.with.is_none() && !packet.is_urgent;
        let is_set = |more: &More, name| more.options.contains_key(&(SOL_SOCKET, name));
        let has_own = |more: &More| is_set(more, SO_RCVLOWAT) || is_set(more, SO_PEEK_OFF);
        let marked = |more: &More| {
            more.urgent.is_some() || more.has_urgent || !more.options.is_empty() && has_own(more)
        };
        let is_plain = is_plain && !state.more.as_deref().is_some_and(marked);
        let is_all = length == count || length < count && state.queue.len() == 1;
        if !(is_plain && is_read && is_whole && is_all) {
            return None;
        }
        Some(Answer::data(self.drop_packet(socket)))
    }
}
