//! Who of those that wait is woken first, and what a call that waits gives back when it is over.
//! Part of the third phase (`readiness.rs`); nothing here tries a call.

use crate::abi::flags::__WNOTHREAD;
use crate::calls::transfer::Sending;
use crate::components::{ChildSelect, Waiting};
use crate::kernel::Kernel;
use crate::rows::TaskRow;
use crate::tables::deadlines::Due;
use smallvec::SmallVec;

impl Kernel {
    /// Calls that move pages wait for a pipe beside the readers and writers and not in their row:
    /// Linux wakes them first, the last that came before the others (waiters that
    /// are not exclusive stand at the head of the queue).
    #[cold]
    pub(crate) fn put_movers_first(&self, waiters: &mut SmallVec<[(u64, u32); 4]>) {
        let moves = |tid: u32| {
            let wait = self.pids.task(tid).and_then(|row| self.rows[row].wait.as_deref());
            wait.is_some_and(|wait| matches!(wait.on, Waiting::Sendfile(_) | Waiting::Splice(_)))
        };
        waiters.sort_by_key(|(since, tid)| match moves(*tid) {
            true => (0, u64::MAX - since),
            false => (1, *since),
        });
    }

    /// Who waits for a terminal stands at the head of its queue, the last that came first; who
    /// waits for its turn stands in line behind (as in Linux).
    #[cold]
    pub(crate) fn put_latest_first(&self, waiters: &mut SmallVec<[(u64, u32); 4]>) {
        let in_line = |tid: u32| {
            let wait = self.pids.task(tid).and_then(|row| self.rows[row].wait.as_deref());
            wait.is_some_and(|wait| matches!(wait.on, Waiting::TerminalTurn { .. }))
        };
        waiters.sort_by_key(|(since, tid)| match in_line(*tid) {
            false => (0, u64::MAX - since),
            true => (1, *since),
        });
    }

    /// Whether the wait of a task is for this child: others are not even woken, so that the end of
    /// one that is not waited for tells nobody that there is no child left (wait(2)).
    pub(crate) fn waits_for(&self, tid: u32, child: u32, group: u32, own: bool) -> bool {
        let wait = self.pids.task(tid).and_then(|row| self.rows[row].wait.as_deref());
        let Some(Waiting::Child { select, options, .. }) = wait.map(|wait| &wait.on) else {
            return true;
        };
        if options & __WNOTHREAD != 0 && !own {
            return false;
        }
        match select {
            ChildSelect::Any => true,
            ChildSelect::Pid(pid) => *pid == child,
            ChildSelect::Group(pgid) => *pgid == group,
        }
    }

    /// A call gives up at another time than it would have.
    pub(crate) fn move_deadline(&mut self, tid: u32, from_ns: Option<u64>, to_ns: Option<u64>) {
        if let Some(at_ns) = from_ns {
            self.deadlines.remove(at_ns, Due::Call(tid));
        }
        if let Some(at_ns) = to_ns {
            self.deadlines.add(at_ns, Due::Call(tid));
        }
    }

    /// Releases what a wait holds.
    pub(crate) fn let_go(&mut self, row: TaskRow, on: &Waiting) {
        match on {
            Waiting::PipeRead { description, .. }
            | Waiting::PipeWrite { description, .. }
            | Waiting::SocketRead { description, .. }
            | Waiting::Connect { description, .. }
            | Waiting::EventRead { description }
            | Waiting::EventWrite { description, .. }
            | Waiting::Epoll { description, .. }
            | Waiting::RecordLock { description, .. }
            | Waiting::Flock { description, .. } => self.release(*description),
            Waiting::SocketWrite { description, with, .. } => {
                let rights = with.as_deref().map(|with| with.rights.as_slice());
                for right in rights.unwrap_or_default() {
                    self.release(*right);
                }
                self.release(*description);
            }
            Waiting::Accept { description, fd, over, .. } => {
                if !over {
                    let files = self.rows[row].files;
                    self.rows[files].unreserve(*fd);
                }
                self.release(*description);
            }
            Waiting::Poll { held, .. } | Waiting::Select { held, .. } => {
                for description in held.iter().flatten() {
                    self.release(*description);
                }
            }
            Waiting::TerminalRead(reading) => {
                self.unlock_terminal(reading.description, true);
                self.release(reading.description);
            }
            Waiting::TerminalWrite(writing) => {
                self.unlock_terminal(writing.description, false);
                self.release(writing.description);
            }
            Waiting::TerminalTurn { description, .. } => self.release(*description),
            Waiting::Splice(splicing) => {
                for description in splicing.held() {
                    self.release(description);
                }
            }
            Waiting::Sendfile(Sending { from, to, .. }) => {
                self.release(*from);
                self.release(*to);
            }
            Waiting::FifoOpen { over: true, .. } => {}
            Waiting::FifoOpen { pipe, place, fd, flags, over: false, .. } => {
                let files = self.rows[row].files;
                self.rows[files].unreserve(*fd);
                self.close_pipe_end(*pipe, Some(*place), *flags);
            }
            Waiting::Child { .. }
            | Waiting::Parked(_)
            | Waiting::Finished(_)
            | Waiting::Sleep { .. }
            | Waiting::Pause
            | Waiting::Signal { .. }
            | Waiting::Vfork { .. } => {}
        }
    }
}
