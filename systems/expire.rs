//! Phase 4, deadlines: what the clock has reached. Visited in the order of time, then of arming
//! kind and number; nothing is scanned.
//!
//! In wake mode OnDemand calls give up only when they are resumed; alarms ring in both.

use crate::abi::{Address, Errno};
use crate::components::Waiting;
use crate::event::{Answer, Completed, Payload};
use crate::kernel::{Changed, Kernel, WakeMode};
use crate::tables::deadlines::Due;
use alloc::vec::Vec;

impl Kernel {
    /// Handles every deadline up to now.
    pub(crate) fn expire(&mut self) {
        while let Some((at_ns, due)) = self.deadlines.first() {
            if at_ns > self.now_ns {
                return;
            }
            self.deadlines.remove(at_ns, due);
            match due {
                Due::Call(tid) if self.config.wake == WakeMode::Auto => {
                    self.note(Changed::Task(tid));
                    self.settle();
                }
                // Its wait still names the deadline: the next `Resume` sees that it has passed.
                Due::Call(_) => {}
                Due::Zombie(pid) => self.zombie_is_due(pid),
                Due::Timer(pid, number) => {
                    self.timer_is_due(pid, number);
                    self.settle();
                }
                Due::Timerfd(id) => {
                    self.timerfd_is_due(id);
                    self.settle();
                }
                Due::Connection(id) => {
                    self.asking_is_over(id);
                    self.settle();
                }
                Due::Alarm(pid) => {
                    self.ring(pid);
                    self.settle();
                }
            }
        }
    }
}

/// What a call gives when its deadline is reached.
pub(crate) fn expired_result(on: &mut Waiting) -> Completed {
    if let Some(answer) = on.partial() {
        return Completed::Done(answer);
    }
    match on {
        Waiting::Poll { fds, .. } => Completed::Done(Answer::with(Payload::Poll(fds.clone()))),
        Waiting::FacePoll { fds, sockets, .. } => {
            let told = fds.iter().chain(sockets.iter()).copied().collect();
            Completed::Done(Answer::with(Payload::Poll(told)))
        }
        Waiting::Select { sets, fds, .. } => {
            Completed::Done(crate::calls::poll::selected(sets, fds, &[]))
        }
        Waiting::Epoll { .. } => Completed::Done(Answer::with(Payload::Epoll(Vec::new()))),
        // Only reads of the face have a deadline.
        Waiting::Signal { .. } | Waiting::PipeRead { .. } => Completed::Failed(Errno::EAGAIN),
        // It is still asked for.
        Waiting::Connect { address, .. }
            if matches!(**address, Address::Inet(..) | Address::Inet6(..)) =>
        {
            Completed::Failed(Errno::EINPROGRESS)
        }
        // SO_RCVTIMEO, SO_SNDTIMEO (socket(7)).
        Waiting::Connect { .. } => Completed::Failed(Errno::EAGAIN),
        Waiting::SocketRead { .. }
        | Waiting::SocketWrite { .. }
        | Waiting::Splice(_)
        | Waiting::Accept { .. } => Completed::Failed(Errno::EAGAIN),
        // What a read with VTIME has by then.
        Waiting::TerminalRead(reading) => Completed::Done(reading.clone().answer()),
        Waiting::Sleep { .. }
        | Waiting::Pause
        | Waiting::Parked(_)
        | Waiting::Finished(_)
        | Waiting::PipeWrite { .. }
        | Waiting::TerminalWrite(_)
        | Waiting::TerminalTurn { .. }
        | Waiting::EventRead { .. }
        | Waiting::EventWrite { .. }
        | Waiting::Sendfile(_)
        | Waiting::FifoOpen { .. }
        | Waiting::Child { .. }
        | Waiting::Vfork { .. }
        | Waiting::RecordLock { .. }
        | Waiting::Flock { .. } => Completed::Done(Answer::default()),
    }
}
