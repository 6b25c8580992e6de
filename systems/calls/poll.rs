//! poll(2), ppoll(2), select(2), pselect6(2), and what each thing is ready for.

use crate::abi::flags::*;
use crate::abi::{Errno, PollFd, SelectSets, SigSet, Timespec};
use crate::components::{Description, Object, Restart, Target, Waiting};
use crate::event::{Answer, Payload};
use crate::fs::{Node, Place};
use crate::kernel::{CallResult, Kernel, Stop, WakeMode};
use crate::rows::{DescriptionRow, EpollRow, TaskRow};
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// The description behind each entry of a list.
pub(crate) type Behind = SmallVec<[Option<DescriptionRow>; 64]>;

/// What poll(2) reports whether asked for or not.
const ALWAYS: u32 = POLLERR | POLLHUP | POLLNVAL;
/// What files without a poll operation are always ready for.
const ALWAYS_READY: u32 = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
/// The events behind the three sets of select(2).
// POLLNVAL: an O_PATH descriptor is ready for everything, and reading it fails at once.
const SELECT_READ: u32 = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL;
const SELECT_WRITE: u32 = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL;
const SELECT_EXCEPT: u32 = POLLPRI | POLLNVAL;

impl Kernel {
    /// poll(2); a negative time-out waits for ever.
    pub(crate) fn poll(&mut self, task: TaskRow, fds: &[PollFd], timeout_ms: i32) -> CallResult {
        let timeout_ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
        self.poll_for(task, fds, timeout_ns)
    }

    /// ppoll(2).
    pub(crate) fn ppoll(
        &mut self,
        task: TaskRow,
        fds: &[PollFd],
        timeout: Option<Timespec>,
        sigmask: Option<SigSet>,
    ) -> CallResult {
        let timeout_ns = interval(timeout)?;
        self.with_mask(task, sigmask, |kernel| kernel.poll_for(task, fds, timeout_ns))
    }

    fn poll_for(&mut self, task: TaskRow, fds: &[PollFd], timeout_ns: Option<u64>) -> CallResult {
        if fds.len() as u64 > u64::from(self.max_fds(task)) {
            return Err(Errno::EINVAL.into());
        }
        self.hand_over_polled(task, fds.iter().map(|entry| entry.fd));
        if let Some(answer) = self.try_poll(task, fds) {
            return Ok(answer);
        }
        if timeout_ns == Some(0) {
            return Ok(Answer::with(Payload::Poll(unready(fds))));
        }
        let (held, fds) = (self.behind(task, fds), unready(fds));
        self.hold_all(&held);
        Err(self.wait_until(Waiting::Poll { fds, held: held.into_vec() }, timeout_ns))
    }

    /// The description behind each entry.
    pub(crate) fn behind(&self, task: TaskRow, fds: &[PollFd]) -> Behind {
        let files = &self.rows[self.rows[task].files];
        // A negative number is never open.
        fds.iter().map(|entry| files.get(entry.fd).map(|slot| slot.description)).collect()
    }

    /// The events of each entry, whose numbers are looked up anew each time; `None` if there are
    /// none at all.
    pub(crate) fn try_poll(&mut self, task: TaskRow, fds: &[PollFd]) -> Option<Answer> {
        let mut ready = 0;
        let mut answer: Option<Vec<PollFd>> = None;
        self.each_entry(task, fds, |at, entry, events| {
            let revents = events & (u32::from(entry.events) | ALWAYS);
            if revents == 0 || entry.fd < 0 {
                return;
            }
            ready += 1;
            let list = answer.get_or_insert_with(|| unready(fds));
            if let Some(entry) = list.get_mut(at) {
                entry.revents = revents as u16;
            }
        });
        let list = answer?;
        Some(Answer { value: ready, payload: Payload::Poll(list) })
    }

    /// Tells of each entry that is ready for anything what that is, `POLLNVAL` where there is no
    /// description: by one look over all that changes nothing, and behind it of the instances of
    /// epoll(7), which change when they are asked. That they are asked last shows nowhere.
    #[inline]
    fn each_entry(
        &mut self,
        task: TaskRow,
        fds: &[PollFd],
        mut tell: impl FnMut(usize, &PollFd, u32),
    ) {
        let mut epolls: SmallVec<[(usize, EpollRow); 4]> = SmallVec::new();
        let files = &self.rows[self.rows[task].files];
        for (at, entry) in fds.iter().enumerate() {
            let Some(slot) = files.get(entry.fd) else {
                tell(at, entry, POLLNVAL);
                continue;
            };
            let description = &self.rows[slot.description];
            match description.target {
                Target::Object(Object::Epoll(epoll)) if description.flags & O_PATH == 0 => {
                    epolls.push((at, epoll));
                }
                Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                    let events = self.events_at(task, slot.description, description);
                    if events != 0 {
                        tell(at, entry, events);
                    }
                }
            }
        }
        for (at, epoll) in epolls {
            tell(at, &fds[at], self.poll_epoll(task, epoll));
        }
    }

    /// What an entry would have now, by a look that changes nothing.
    pub(crate) fn view_entry(
        &self,
        task: TaskRow,
        entry: &PollFd,
        description: Option<DescriptionRow>,
    ) -> u32 {
        if entry.fd < 0 {
            return 0;
        }
        match description {
            None => POLLNVAL,
            Some(row) => self.events_of(task, row) & (u32::from(entry.events) | ALWAYS),
        }
    }

    /// What a description is ready for at this moment, to a task. An instance of epoll(7) drops
    /// from its list what it finds not to be ready.
    #[inline]
    pub(crate) fn poll_description(&mut self, task: TaskRow, row: DescriptionRow) -> u32 {
        match self.rows[row].target {
            Target::Object(Object::Epoll(epoll)) => self.poll_epoll(task, epoll),
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                self.events_of(task, row)
            }
        }
    }

    /// The same by a look that changes nothing.
    pub(crate) fn events_of(&self, task: TaskRow, row: DescriptionRow) -> u32 {
        self.events_at(task, row, &self.rows[row])
    }

    /// The same of a description that was looked up. Pipes are in line: most that is polled.
    #[inline(always)]
    fn events_at(&self, task: TaskRow, row: DescriptionRow, description: &Description) -> u32 {
        match description.target {
            Target::Pipe(pipe, _) if description.flags & O_PATH == 0 => {
                self.poll_pipe(pipe, description)
            }
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                self.events_of_other(task, row, description)
            }
        }
    }

    #[inline(never)]
    fn events_of_other(
        &self,
        task: TaskRow,
        row: DescriptionRow,
        description: &Description,
    ) -> u32 {
        if description.flags & O_PATH != 0 {
            return POLLNVAL;
        }
        if let Some(side) = description.terminal {
            return self.poll_terminal(side);
        }
        match description.target {
            Target::Pipe(pipe, _) => self.poll_pipe(pipe, description),
            Target::Socket(socket) => self.poll_socket(socket),
            Target::Object(Object::Epoll(epoll)) => self.view_epoll(task, epoll),
            Target::Object(Object::Inotify) => self.poll_inotify(row),
            Target::Object(Object::Event(event)) => self.poll_event(event),
            Target::Object(Object::Timer) => self.poll_timerfd(row),
            Target::Object(Object::Pty(number, end)) => self.poll_pty((number, end)),
            Target::Object(Object::Signals(mask)) => self.poll_signals(task, mask),
            Target::Object(Object::Pidfd(pidfd)) => self.poll_pidfd(pidfd, description.flags),
            Target::Object(Object::Device(_) | Object::Foreign(_)) | Target::File(_)
                if self.bends.files_are_ready_by_mode =>
            {
                self.ready_by_mode(description)
            }
            Target::Object(Object::Device(_) | Object::Foreign(_)) => ALWAYS_READY,
            Target::File(place) => self.poll_file(place).unwrap_or(ALWAYS_READY),
        }
    }

    /// What a file that has a way to say so is ready for (`f_op->poll` of Linux); `None` for all
    /// others, which epoll(7) does not take.
    pub(crate) fn poll_file(&self, place: Place) -> Option<u32> {
        if let Node::Proc(node) = place.node {
            return node.id.poll_events();
        }
        let rdev = self.device_of(place)?;
        match (major(rdev), minor(rdev)) {
            // /dev/random always has some.
            (1, 8) => Some(POLLIN | POLLRDNORM),
            (5, _) | (136..=143, _) => Some(ALWAYS_READY),
            _ => None,
        }
    }

    /// The contract's readiness of a file: what its access mode lets it do; a directory that is
    /// asked for room has an error (SEMANTICS.md, section 6).
    fn ready_by_mode(&self, description: &Description) -> u32 {
        let access = description.flags & O_ACCMODE;
        let mut events = 0;
        if access != O_WRONLY {
            events |= POLLIN | POLLRDNORM;
        }
        if access != O_RDONLY {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    /// Who looks at a terminal has what is on its way to it handed over first (OnDemand: in Auto
    /// all has arrived).
    fn hand_over_polled(&mut self, task: TaskRow, fds: impl Iterator<Item = i32>) {
        if self.config.wake == WakeMode::Auto || self.terminals.is_empty() {
            return;
        }
        for fd in fds {
            if let Some(slot) = self.rows[self.rows[task].files].get(fd) {
                self.hand_over_to(slot.description);
            }
        }
    }

    fn hold_all(&mut self, held: &[Option<DescriptionRow>]) {
        for row in held.iter().flatten() {
            self.rows[*row].refs += 1;
        }
    }

    pub(crate) fn wait_until(&self, on: Waiting, timeout_ns: Option<u64>) -> Stop {
        Stop::block(on, timeout_ns.map(|ns| self.now_ns.saturating_add(ns)), Restart::Never)
    }

    /// select(2) and pselect6(2).
    pub(crate) fn select(
        &mut self,
        task: TaskRow,
        nfds: i32,
        lists: [&Option<Vec<i64>>; 3],
        timeout: Option<Timespec>,
        sigmask: Option<SigSet>,
    ) -> CallResult {
        let timeout_ns = interval(timeout)?;
        if nfds < 0 {
            return Err(Errno::EINVAL.into());
        }
        self.with_mask(task, sigmask, |kernel| kernel.select_for(task, nfds, lists, timeout_ns))
    }

    fn select_for(
        &mut self,
        task: TaskRow,
        nfds: i32,
        lists: [&Option<Vec<i64>>; 3],
        timeout_ns: Option<u64>,
    ) -> CallResult {
        let files = &self.rows[self.rows[task].files];
        let nfds = i64::from(nfds).min(files.capacity());
        // The sets are read and written in words of 64: what lies beyond stays as it is.
        let words_end = (nfds + 63) / 64 * 64;
        let clean = |list: &Option<Vec<i64>>| {
            list.as_ref().map(|list| {
                let seen = list.iter().filter(|fd| (0..nfds).contains(*fd) || **fd >= words_end);
                let mut list: Vec<i32> = seen.filter_map(|fd| i32::try_from(*fd).ok()).collect();
                list.sort_unstable();
                list.dedup();
                list
            })
        };
        let sets =
            SelectSets { read: clean(lists[0]), write: clean(lists[1]), except: clean(lists[2]) };
        let (mut fds, mut held) = (Vec::new(), Vec::new());
        let asked =
            [(&sets.read, SELECT_READ), (&sets.write, SELECT_WRITE), (&sets.except, SELECT_EXCEPT)];
        for (list, events) in asked {
            for fd in list.iter().flatten().filter(|fd| i64::from(**fd) < nfds) {
                let slot = files.get(*fd);
                if slot.is_none() && !files.is_reserved(*fd) {
                    return Err(Errno::EBADF.into());
                }
                fds.push(PollFd { fd: *fd, events: events as u16, revents: 0 });
                held.push(slot.map(|slot| slot.description));
            }
        }
        self.hand_over_polled(task, fds.iter().map(|entry| entry.fd));
        if let Some(answer) = self.try_select(task, &sets, &fds) {
            return Ok(answer);
        }
        if timeout_ns == Some(0) {
            return Ok(selected(&sets, &fds, &[]));
        }
        self.hold_all(&held);
        Err(self.wait_until(Waiting::Select { sets, fds, held }, timeout_ns))
    }

    /// The members that are ready; `None` if there are none. The numbers are looked up anew each
    /// time: one that another task has closed is ready for everything.
    pub(crate) fn try_select(
        &mut self,
        task: TaskRow,
        sets: &SelectSets,
        fds: &[PollFd],
    ) -> Option<Answer> {
        let mut ready = alloc::vec![false; fds.len()];
        self.each_entry(task, fds, |at, entry, events| {
            ready[at] = events & u32::from(entry.events) != 0;
        });
        let any = ready.contains(&true);
        any.then(|| selected(sets, fds, &ready))
    }

    /// Runs a call that may wait under another signal mask (ppoll(2), pselect(2)).
    pub(super) fn with_mask(
        &mut self,
        task: TaskRow,
        sigmask: Option<SigSet>,
        call: impl FnOnce(&mut Self) -> CallResult,
    ) -> CallResult {
        let Some(mask) = sigmask else { return call(self) };
        let old = self.rows[task].mask;
        self.rows[task].mask = mask.without(SigSet::UNSTOPPABLE);
        let result = call(self);
        match &result {
            Err(Stop::Block(_)) => self.rows[task].saved_mask = Some(old),
            Ok(_) | Err(_) => self.rows[task].mask = old,
        }
        result
    }
}

/// What is asked, with nothing ready.
fn unready(fds: &[PollFd]) -> Vec<PollFd> {
    fds.iter().map(|entry| PollFd { revents: 0, ..*entry }).collect()
}

/// select(2)'s answer: of the descriptors asked for (`fds`, set by set) those that are `ready`, and
/// what lies beyond the words that were looked at.
pub(crate) fn selected(sets: &SelectSets, fds: &[PollFd], ready: &[bool]) -> Answer {
    let mut asked =
        fds.iter().zip(ready.iter().copied().chain(core::iter::repeat(false))).peekable();
    let mut value = 0;
    let mut pick = |list: &Option<Vec<i32>>| {
        let mut kept = list.clone()?;
        kept.retain(|fd| match asked.next_if(|(entry, _)| entry.fd == *fd) {
            None => true,
            Some((_, ready)) => {
                value += i64::from(ready);
                ready
            }
        });
        Some(kept)
    };
    let picked =
        SelectSets { read: pick(&sets.read), write: pick(&sets.write), except: pick(&sets.except) };
    Answer { value, payload: Payload::Select(Box::new(picked)) }
}

/// A time-out as a length in ns; EINVAL if it is not one.
pub(super) fn interval(timeout: Option<Timespec>) -> Result<Option<u64>, Errno> {
    match timeout {
        None => Ok(None),
        Some(time) => time.interval_ns().map(Some).ok_or(Errno::EINVAL),
    }
}
