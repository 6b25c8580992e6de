//! Urgent bytes (send(2), `MSG_OOB`): of streams of tcp(7) and, since Linux 5.15, of unix(7).
//!
//! The last byte of a message is urgent; a stream has one such byte at most, and an older one that
//! nobody has read becomes a byte like others. It is read with `MSG_OOB` or, with `SO_OOBINLINE`,
//! in its place; a read that comes upon it stops before it, or passes it over and loses it. The
//! owner of the receiving end (`F_SETOWN`) gets SIGURG. All of it, and what the two families do
//! each in their own way, is Linux 6.18's, found by experiment: a unix socket goes on counting a
//! byte that was passed over (FIONREAD), and a byte that was read by itself leaves a mark.

use super::job_control::kernel_info;
use super::notices::Reason;
use crate::abi::socket::*;
use crate::abi::{Errno, Signal};
use crate::components::message::{Receiving, Taken};
use crate::components::socket::Urgent;
use crate::kernel::Kernel;
use crate::rows::SocketRow;
use alloc::vec::Vec;

impl Kernel {
    fn reads_inline(&self, socket: SocketRow) -> bool {
        self.rows[socket].option(SOL_SOCKET, SO_OOBINLINE).unwrap_or(0) != 0
    }

    pub(super) fn urgent(&self, socket: SocketRow) -> Option<Urgent> {
        self.rows[socket].more.as_deref().and_then(|more| more.urgent)
    }

    /// The last byte that lies in an end of a tcp(7) connection is urgent.
    pub(super) fn mark_urgent(&mut self, socket: SocketRow) {
        let Some(byte) = self.rows[socket].queue.back().and_then(|last| last.bytes.last()) else {
            return;
        };
        let byte = *byte;
        let old = self.urgent(socket);
        let inline = self.reads_inline(socket);
        let queued = self.rows[socket].queued_bytes();
        // One that was come upon and not read is passed over now.
        if old.is_some_and(|old| old.ahead == 0) && !inline && queued > 1 {
            self.skip_byte(socket);
        }
        let ahead = self.rows[socket].queued_bytes().saturating_sub(1);
        self.rows[socket].more_mut().urgent = Some(Urgent { ahead, byte, is_read: false });
        self.signal_owner(socket);
    }

    fn skip_byte(&mut self, socket: SocketRow) {
        let _ = self.take_some(socket, 1, 0);
    }

    /// SIGURG for the owner of a socket (`F_SETOWN`).
    pub(super) fn signal_owner(&mut self, socket: SocketRow) {
        let owner = self.rows[socket].more.as_deref().map(|more| more.owner);
        if let Some(owner) = owner.filter(|owner| owner.id != 0) {
            self.signal_owner_of(owner, Signal::SIGURG, kernel_info(Signal::SIGURG));
            self.tell_socket(socket, Reason::Urgent);
        }
    }

    /// recv(2) with `MSG_OOB` of tcp(7).
    pub(super) fn take_urgent_tcp(
        &mut self,
        socket: SocketRow,
        receiving: &Receiving,
    ) -> Result<Option<Taken>, Errno> {
        let urgent = self.urgent(socket).filter(|urgent| !urgent.is_read);
        let Some(urgent) = urgent.filter(|_| !self.reads_inline(socket)) else {
            return Err(Errno::EINVAL);
        };
        if receiving.flags & MSG_PEEK == 0 {
            self.rows[socket].more_mut().urgent = Some(Urgent { is_read: true, ..urgent });
        }
        let has_room = receiving.count > 0;
        let flags = MSG_OOB | if has_room { 0 } else { MSG_TRUNC };
        let bytes = if has_room { Vec::from([urgent.byte]) } else { Vec::new() };
        Ok(Some(Taken { bytes, flags, stops: true, ..Taken::default() }))
    }

    /// Bytes of tcp(7) up to the urgent one; whether the read ends there.
    pub(super) fn take_segments(
        &mut self,
        socket: SocketRow,
        count: u64,
        flags: u32,
        before: u64,
    ) -> (Vec<u8>, bool) {
        let inline = self.reads_inline(socket);
        let peeks = flags & MSG_PEEK != 0;
        let Some(urgent) = self.urgent(socket) else {
            return (self.take_some(socket, count, flags), false);
        };
        if urgent.ahead > 0 {
            let bytes = self.take_some(socket, count.min(urgent.ahead), flags);
            let reaches = bytes.len() as u64 == urgent.ahead;
            if !peeks {
                let ahead = urgent.ahead - bytes.len() as u64;
                self.rows[socket].more_mut().urgent = Some(Urgent { ahead, ..urgent });
            }
            return (bytes, reaches);
        }
        if before > 0 {
            return (Vec::new(), true);
        }
        if count == 0 {
            return (Vec::new(), false);
        }
        if peeks {
            let skipped = usize::from(!inline);
            let mut bytes = self.take_some(socket, count + skipped as u64, flags);
            bytes.drain(..skipped.min(bytes.len()));
            return (bytes, false);
        }
        self.rows[socket].more_mut().urgent = None;
        if !inline {
            self.skip_byte(socket);
        }
        (self.take_some(socket, count, flags), false)
    }

    /// SIOCATMARK: whether the urgent byte is the next.
    pub(super) fn is_at_mark(&self, socket: SocketRow) -> Result<bool, Errno> {
        use crate::abi::flags::AF_UNIX;
        let state = &self.rows[socket];
        match (state.domain, state.is_stream()) {
            (AF_UNIX, false) => Err(Errno::EOPNOTSUPP),
            (_, false) => Err(Errno::ENOTTY),
            (AF_UNIX, true) => Ok(match state.queue.front() {
                // A connection that waits for accept(2) lies there without a byte.
                None => state.pending() > 0,
                Some(first) if first.is_urgent => true,
                Some(first) => {
                    let is_next = state.queue.get(1).is_some_and(|next| next.is_urgent);
                    first.left() == 0 && (is_next || !self.has_urgent(socket))
                }
            }),
            (_, true) => Ok(self.urgent(socket).is_some_and(|urgent| urgent.ahead == 0)),
        }
    }

    /// Whether a unix socket has an urgent byte.
    pub(super) fn has_urgent(&self, socket: SocketRow) -> bool {
        let more = self.rows[socket].more.as_deref();
        more.is_some_and(|more| more.has_urgent)
    }

    /// An urgent byte was put behind what lies in a unix socket: the one before is one no more.
    pub(super) fn mark_urgent_unix(&mut self, socket: SocketRow) {
        let state = &mut self.rows[socket];
        state.more_mut().has_urgent = true;
        let mut newest = true;
        for packet in state.queue.iter_mut().rev() {
            if packet.is_urgent && !newest {
                packet.is_urgent = false;
                break;
            }
            newest = false;
        }
        self.signal_owner(socket);
    }

    /// recv(2) with `MSG_OOB` of a stream of unix(7).
    pub(super) fn take_urgent_unix(
        &mut self,
        socket: SocketRow,
        receiving: &Receiving,
    ) -> Result<Option<Taken>, Errno> {
        let inline = self.reads_inline(socket);
        let queue = &self.rows[socket].queue;
        let found = queue.iter().position(|packet| packet.is_urgent);
        let Some(at) = found.filter(|_| !inline) else { return Err(Errno::EINVAL) };
        let byte = queue[at].bytes.last().copied().unwrap_or(0);
        if receiving.flags & MSG_PEEK == 0 {
            let state = &mut self.rows[socket];
            state.more_mut().has_urgent = false;
            let packet = &mut state.queue[at];
            (packet.is_urgent, packet.read) = (false, packet.bytes.len() as u32);
            // A mark before it is gone.
            if at > 0 && state.queue[at - 1].left() == 0 {
                self.drop_packet_at(socket, at - 1);
            }
        }
        let bytes = if receiving.count > 0 { Vec::from([byte]) } else { Vec::new() };
        Ok(Some(Taken { bytes, flags: MSG_OOB, is_urgent: true, stops: true, ..Taken::default() }))
    }

    /// What a read of a unix socket does with the packet at this place, if it is urgent or was:
    /// the place of the next that is read, or nothing if the read is over.
    pub(super) fn pass_urgent(
        &mut self,
        socket: SocketRow,
        at: usize,
        peeks: bool,
        copied: bool,
    ) -> Option<usize> {
        let mut at = at;
        let packet = self.rows[socket].queue.get(at)?;
        if packet.left() == 0 {
            if copied && !self.has_urgent(socket) {
                return None;
            }
            if peeks {
                at += 1;
            } else {
                self.drop_packet_at(socket, at);
            }
        }
        let packet = self.rows[socket].queue.get(at)?;
        if !packet.is_urgent {
            return Some(at);
        }
        if copied {
            return None;
        }
        let inline = self.reads_inline(socket);
        if peeks {
            at += usize::from(!inline);
            return self.rows[socket].queue.get(at).map(|_| at);
        }
        let state = &mut self.rows[socket];
        state.more_mut().has_urgent = false;
        state.queue[at].is_urgent = false;
        if !inline {
            // It is counted on.
            state.more_mut().passed_bytes += 1;
            self.drop_packet_at(socket, at);
        }
        self.rows[socket].queue.get(at).map(|_| at)
    }
}
