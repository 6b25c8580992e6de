//! Calls on sockets that wait: tried again, and entered where room is waited for. Phase 3
//! (`readiness.rs`) comes here; what a try does lies in `message.rs` and `unix_connect.rs`.

use crate::abi::Errno;
use crate::abi::socket::{SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET};
use crate::components::socket::SocketRef;
use crate::components::{Wait, Waiting};
use crate::event::Answer;
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::TaskRow;

impl Kernel {
    /// One try of a call on a socket.
    pub(crate) fn try_socket_call(
        &mut self,
        row: TaskRow,
        wait: &mut Wait,
    ) -> Result<Option<Answer>, Errno> {
        let (since, deadline_ns, on) = (wait.since, &mut wait.deadline_ns, &mut wait.on);
        let (bytes, messages) = (memory::wait_bytes(on), messages_over(on));
        let is_expired = deadline_ns.is_some_and(|deadline| deadline <= self.now_ns);
        let tried = self.try_call(row, since, is_expired, on);
        // What a call keeps changes with what it has done, and every message has its own time-out.
        self.hold_bytes(memory::wait_bytes(on));
        self.unhold_bytes(bytes);
        if messages_over(on) != messages
            && let Some(timeout_ns) = self.timeout_of(on)
        {
            *deadline_ns = Some(self.now_ns.saturating_add(timeout_ns));
        }
        tried
    }

    /// `SO_RCVTIMEO` or `SO_SNDTIMEO` of a call that waits for a message.
    fn timeout_of(&self, on: &Waiting) -> Option<u64> {
        let (row, option) = match on {
            Waiting::SocketRead { description, .. } => (*description, SO_RCVTIMEO),
            Waiting::SocketWrite { description, .. } => (*description, SO_SNDTIMEO),
            _ => return None,
        };
        let timeout_ns = self.rows[self.socket_behind(row)?].option(SOL_SOCKET, option)?;
        (timeout_ns > 0).then_some(timeout_ns as u64)
    }

    fn try_call(
        &mut self,
        row: TaskRow,
        since: u64,
        is_expired: bool,
        on: &mut Waiting,
    ) -> Result<Option<Answer>, Errno> {
        match on {
            Waiting::SocketRead { description, receiving } if receiving.batch.is_some() => {
                self.go_on_receiving(row, *description, is_expired, receiving)
            }
            Waiting::SocketRead { description, receiving } => {
                self.try_socket_read(row, *description, receiving)
            }
            Waiting::SocketWrite { description, data, written, with } => {
                let before = with.as_deref().and_then(|with| with.at);
                let tried = match with.as_deref_mut().filter(|with| with.batch.is_some()) {
                    Some(with) => self.go_on_sending(row, *description, data, written, with),
                    None => self.try_socket_write(row, *description, &data.0, written, with),
                };
                let after = with.as_deref().and_then(|with| with.at);
                self.wait_elsewhere(row, since, before, after);
                tried
            }
            Waiting::Connect { description, address, at } => {
                let before = *at;
                let tried = self.try_connect(row, *description, address, at);
                self.wait_elsewhere(row, since, Some(before), Some(*at));
                tried
            }
            Waiting::Accept { .. } => self.try_accept(row, on),
            _ => Ok(None),
        }
    }

    /// A call that waits for room in a queue may have found another one full.
    fn wait_elsewhere(
        &mut self,
        row: TaskRow,
        since: u64,
        before: Option<SocketRef>,
        after: Option<SocketRef>,
    ) {
        if before == after {
            return;
        }
        let tid = self.rows[row].tid;
        if let Some(before) = before {
            self.watch_room(before, since, tid, false);
        }
        if let Some(after) = after {
            self.watch_room(after, since, tid, true);
        }
    }

    /// Enters or removes a wait for room in a socket's queue, which may be gone.
    pub(crate) fn watch_room(&mut self, socket: SocketRef, since: u64, tid: u32, enter: bool) {
        let Some(socket) = self.live_socket(socket) else { return };
        let queue = &mut self.rows[socket].more_mut().room_waiters;
        if enter { queue.add(since, tid) } else { queue.remove(since) }
    }
}

/// How many messages of a call of many are over.
fn messages_over(on: &Waiting) -> Option<usize> {
    match on {
        Waiting::SocketRead { receiving, .. } => Some(receiving.batch.as_deref()?.got.len()),
        Waiting::SocketWrite { with, .. } => Some(with.as_deref()?.batch.as_deref()?.lengths.len()),
        _ => None,
    }
}
