//! Who of those that wait is woken first, and what a call that waits gives back when it is over.
//! Part of the third phase (`readiness.rs`); nothing here tries a call.

use crate::abi::flags::{__WNOTHREAD, SOCK_STREAM};
use crate::calls::transfer::Sending;
use crate::components::{ChildSelect, Object, Target, Waiting};
use crate::kernel::Kernel;
use crate::rows::TaskRow;
use crate::tables::deadlines::Due;
use smallvec::SmallVec;

/// Where a call stands in the queue of what it waits for, as in Linux's (`add_wait_queue` and its
/// like): at its head, the last that came first, or at its end. One that is alone takes a wake-up,
/// and who stands behind it does not hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// At the head: poll(2), select(2), whoever reads a stream or a terminal, or moves pages.
    Before,
    /// At the end: eventfd(2), timerfd_create(2).
    Behind,
    /// At the end and alone: who reads a pipe or datagrams, or accepts.
    Reads,
    /// The same of who writes to a pipe.
    Writes,
}

impl Kernel {
    /// Where a call stands that waits, by its task; `None` for one that is being tried, or whose
    /// process is stopped: signals take it out of Linux's queues.
    pub(crate) fn stand_of(&self, tid: u32) -> Option<Stand> {
        let row = self.pids.task(tid)?;
        if self.rows[self.rows[row].process].stopped.is_some() {
            return None;
        }
        let wait = self.rows[row].wait.as_deref()?;
        Some(match &wait.on {
            Waiting::PipeRead { description, .. } => match self.rows[*description].target {
                Target::Object(Object::Timer) => Stand::Behind,
                Target::Object(_) => Stand::Before,
                Target::Pipe(..) | Target::File(_) | Target::Socket(_) => Stand::Reads,
            },
            Waiting::PipeWrite { .. } => Stand::Writes,
            Waiting::SocketRead { description, .. } => match self.rows[*description].target {
                Target::Socket(socket) if self.rows[socket].kind != SOCK_STREAM => Stand::Reads,
                Target::Socket(_) | Target::Pipe(..) | Target::File(_) | Target::Object(_) => {
                    Stand::Before
                }
            },
            Waiting::Accept { .. } => Stand::Reads,
            Waiting::EventRead { .. } | Waiting::EventWrite { .. } => Stand::Behind,
            Waiting::TerminalTurn { .. } => Stand::Behind,
            Waiting::TerminalRead(_)
            | Waiting::TerminalWrite(_)
            | Waiting::SocketWrite { .. }
            | Waiting::Connect { .. }
            | Waiting::Splice(_)
            | Waiting::Sendfile(_)
            | Waiting::FifoOpen { .. }
            | Waiting::Poll { .. }
            | Waiting::FacePoll { .. }
            | Waiting::Select { .. }
            | Waiting::Epoll { .. }
            | Waiting::Child { .. }
            | Waiting::Flock { .. }
            | Waiting::RecordLock { .. }
            | Waiting::Signal { .. }
            | Waiting::Vfork { .. }
            | Waiting::Parked(_)
            | Waiting::Finished(_)
            | Waiting::Sleep { .. }
            | Waiting::Pause => Stand::Before,
        })
    }

    /// The order in which the calls of one object's queue are woken.
    #[cold]
    pub(crate) fn put_in_order(&self, waiters: &mut SmallVec<[(u64, u32); 4]>) {
        waiters.sort_by_cached_key(|(since, tid)| match self.stand_of(*tid) {
            None | Some(Stand::Before) => (0, u64::MAX - since),
            Some(Stand::Behind | Stand::Reads | Stand::Writes) => (1, *since),
        });
    }

    /// Whether a call that waits reads a terminal.
    pub(crate) fn reads_terminal(&self, tid: u32) -> bool {
        let wait = self.pids.task(tid).and_then(|row| self.rows[row].wait.as_deref());
        wait.is_some_and(|wait| matches!(wait.on, Waiting::TerminalRead(_)))
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
            Waiting::Poll { held, .. }
            | Waiting::FacePoll { held, .. }
            | Waiting::Select { held, .. } => {
                for description in held.iter().flatten() {
                    self.release(*description);
                }
            }
            Waiting::TerminalRead(reading) => {
                if let Some(onward) = &reading.onward {
                    self.hand_onward(onward, &reading.data.0);
                    self.release(onward.pipe);
                }
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
