//! `SO_PEEK_OFF` (socket(7)): where a peek begins. It moves on with what peeks give, and back with
//! what reads take; of streams of unix(7) and tcp(7) it counts bytes, of packets those of all that
//! lie in front.
//!
//! Not here: what splice(2) takes, and packets without a byte, which Linux gives to one peek only.

use crate::abi::socket::{MSG_PEEK, SO_PEEK_OFF, SOL_SOCKET};
use crate::components::socket::{Packet, Socket};
use crate::kernel::Kernel;
use crate::rows::SocketRow;

impl Kernel {
    /// How many bytes a receiving call passes over.
    pub(super) fn peek_offset(&self, socket: SocketRow, flags: u32) -> u64 {
        if flags & MSG_PEEK == 0 {
            return 0;
        }
        let offset = self.rows[socket].option(SOL_SOCKET, SO_PEEK_OFF).unwrap_or(0);
        offset.max(0).unsigned_abs()
    }

    /// The place of the packet of a stream in which a read begins, and where in it.
    pub(super) fn peek_start(&self, socket: SocketRow, peeks: bool) -> (usize, u64) {
        let mut offset = self.peek_offset(socket, if peeks { MSG_PEEK } else { 0 });
        let mut at = 0;
        while let Some(packet) = self.rows[socket].queue.get(at)
            && offset > 0
            && offset >= packet.left()
        {
            offset -= packet.left();
            at += 1;
        }
        (at, offset)
    }

    /// Whether something lies behind what a receiving call passes over.
    pub(super) fn has_beyond(&self, socket: SocketRow, flags: u32) -> bool {
        let state = &self.rows[socket];
        match self.peek_offset(socket, flags) {
            0 => !state.queue.is_empty(),
            offset => state.queued_bytes() > offset,
        }
    }

    /// A receiving call has given so many bytes; of a packet that it took, all count.
    pub(super) fn move_peek_offset(&mut self, socket: SocketRow, flags: u32, bytes: u64) {
        let Some(offset) = self.rows[socket].option(SOL_SOCKET, SO_PEEK_OFF) else { return };
        if offset < 0 {
            return;
        }
        let bytes = bytes as i64;
        let moved = match flags & MSG_PEEK {
            0 => (offset - bytes).max(0),
            _ => offset.saturating_add(bytes).min(i64::from(i32::MAX)),
        };
        self.rows[socket].more_mut().options.insert((SOL_SOCKET, SO_PEEK_OFF), moved);
    }
}

impl Socket {
    /// The place of the packet in which an offset lies, and where in it.
    pub(super) fn packet_at(&self, offset: u64) -> Option<(usize, u64)> {
        let mut offset = offset;
        let is_behind = |packet: &Packet| {
            let length = packet.bytes.len() as u64;
            let passes = offset >= length && (length > 0 || offset > 0);
            if passes {
                offset -= length;
            }
            !passes
        };
        let at = self.queue.iter().position(is_behind)?;
        Some((at, offset))
    }
}
