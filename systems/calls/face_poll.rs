//! The face's poll_targets: poll(2) of descriptors and sockets together
//! (`shared/contract/SEMANTICS.md`, section 6).

use crate::abi::flags::{POLLERR, POLLHUP, POLLNVAL, POLLOUT};
use crate::abi::{Errno, PollFd};
use crate::components::Waiting;
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Changed, Kernel};
use crate::rows::TaskRow;
use alloc::vec::Vec;

/// What is told whether asked for or not.
const ALWAYS: u32 = POLLERR | POLLHUP | POLLNVAL;

impl Kernel {
    /// poll_targets: the answer has the descriptors' entries and behind them the sockets'. EPERM
    /// for a socket that is another process's, EINVAL for a time-out below -1.
    pub(crate) fn face_poll(
        &mut self,
        task: TaskRow,
        fds: &[PollFd],
        sockets: &[PollFd],
        timeout_ms: i32,
    ) -> CallResult {
        let own = self.rows[self.rows[task].process].pid;
        for entry in sockets {
            let socket = self.face.sockets.get(number_of(entry));
            if socket.is_some_and(|socket| socket.owner != own) {
                return Err(Errno::EPERM.into());
            }
        }
        let entries = fds.len().saturating_add(sockets.len()) as u64;
        if timeout_ms < -1 && self.bends.polls_refuse_negatives
            || entries > u64::from(self.max_fds(task)) + self.face.sockets.len() + 1
        {
            return Err(Errno::EINVAL.into());
        }
        if let Some(answer) = self.try_face_poll(task, fds, sockets) {
            return Ok(answer);
        }
        let unready = |list: &[PollFd]| -> Vec<PollFd> {
            list.iter().map(|entry| PollFd { revents: 0, ..*entry }).collect()
        };
        let (mut fds, sockets) = (unready(fds), unready(sockets));
        if timeout_ms == 0 {
            fds.extend(sockets);
            return Ok(Answer::with(Payload::Poll(fds)));
        }
        let held = self.behind(task, &fds).into_vec();
        for row in held.iter().flatten() {
            self.rows[*row].refs += 1;
        }
        let timeout_ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
        Err(self.wait_until(Waiting::FacePoll { fds, held, sockets }, timeout_ns))
    }

    /// Enters a call in the queues of the sockets that it polls, or takes it out.
    pub(crate) fn watch_face_sockets(&mut self, sockets: &[PollFd], who: (u64, u32), enter: bool) {
        let watched = sockets.iter().map(|entry| Changed::FaceSocket(number_of(entry)));
        watched.chain([Changed::FaceRoom]).for_each(|object| self.stand(object, who, enter));
    }

    /// The events of each entry; `None` if there are none at all.
    pub(crate) fn try_face_poll(
        &mut self,
        task: TaskRow,
        fds: &[PollFd],
        sockets: &[PollFd],
    ) -> Option<Answer> {
        let (mut ready, mut told) = match self.try_poll(task, fds) {
            Some(Answer { value, payload: Payload::Poll(told) }) => (value, told),
            Some(_) | None => (0, fds.iter().map(|fd| PollFd { revents: 0, ..*fd }).collect()),
        };
        for entry in sockets {
            let asked = u32::from(entry.events);
            // That nobody reads what is written is an error for who would write.
            let always = if asked & POLLOUT != 0 { ALWAYS } else { ALWAYS & !POLLERR };
            let revents = self.poll_face_socket(number_of(entry)) & (asked | always);
            ready += i64::from(revents != 0);
            told.push(PollFd { revents: revents as u16, ..*entry });
        }
        (ready > 0).then_some(Answer { value: ready, payload: Payload::Poll(told) })
    }
}

/// The number of the socket that an entry is about; none has the number 0.
pub(crate) fn number_of(entry: &PollFd) -> u64 {
    u64::try_from(entry.fd).unwrap_or(0)
}
