//! Calls on sockets that wait: tried again, and entered where room is waited for. Phase 3
//! (`readiness.rs`) comes here; what a try does lies in `message.rs` and `unix_connect.rs`.

use crate::abi::Errno;
use crate::components::Waiting;
use crate::components::socket::SocketRef;
use crate::event::Answer;
use crate::kernel::Kernel;
use crate::rows::TaskRow;

impl Kernel {
    /// One try of a call on a socket.
    pub(crate) fn try_socket_call(
        &mut self,
        row: TaskRow,
        since: u64,
        on: &mut Waiting,
    ) -> Result<Option<Answer>, Errno> {
        match on {
            Waiting::SocketRead { description, receiving } => {
                self.try_socket_read(row, *description, receiving)
            }
            Waiting::SocketWrite { description, data, written, with } => {
                let before = with.as_deref().and_then(|with| with.at);
                let tried = self.try_socket_write(row, *description, &data.0, written, with);
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
