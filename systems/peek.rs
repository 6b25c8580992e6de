//! What an importer may look at and complete before it decides which event comes next.
//!
//! The search for the order of a recording (IMPORT.md section 1) asks what a call *would* find:
//! bytes in a pipe, ends that are open, a child that could be reported, where a path leads. Nothing
//! here is used by a replay. [`Kernel::describe_tree`] is the one way in beside the door: a scratch
//! kernel whose first tree is still being found out takes on a fact as if it had been there from
//! the start.

use crate::abi::flags::AT_FDCWD;
use crate::abi::{Credentials, EpollEvent, Errno, PollFd, SigSet, Signal};
use crate::components::epoll::PRIVATE_BITS;
use crate::components::{
    ChildSelect, Event, Frame, Interrupted, Life, Object, Pidfd, Target, Waiting,
};
use crate::event::{CallId, Completed};
use crate::fs::{self, Fs, Place};
use crate::kernel::Kernel;
use crate::peek_ends::{SocketView, TerminalView};
use crate::procview::caller;
use crate::rows::{DescriptionRow, EpollRow, RowKind, TaskRow};
use crate::tables::timers::{Notify, Timer};
use alloc::vec::Vec;

/// What an open descriptor leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FdView {
    /// Own id of the description: what duplicates share.
    pub id: u64,
    /// The place that it is open on; `None` for an unnamed pipe or a socket.
    pub place: Option<Place>,
    /// The pipe, of a FIFO too.
    pub pipe: Option<PipeView>,
    /// Whether it is a socket.
    pub is_socket: bool,
    /// The socket.
    pub socket: Option<SocketView>,
    /// The end of a terminal.
    pub terminal: Option<TerminalView>,
    /// The counter of eventfd(2).
    pub counter: Option<CounterView>,
    /// Own id and pid of what a pidfd refers to; no pid once it has been reaped.
    pub process: Option<(u64, Option<u32>)>,
    /// It reads of inotify(7) what happens to files.
    pub notices: bool,
    /// It is waited with, or waited for alone: an instance of epoll(7), a timer, pending signals.
    pub waits: Option<WaitsView>,
    /// Access mode and status flags.
    pub flags: u32,
    /// Offset in bytes.
    pub offset: u64,
    /// Descriptors and calls that share the description.
    pub uses: u32,
}

/// What descriptors are that only wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsView {
    /// An instance of epoll(7).
    Epoll,
    /// A timer of timerfd_create(2): when it goes off next, how often it has, its period.
    Timer {
        /// When it goes off next, in ns of the kernel's clock.
        deadline_ns: Option<u64>,
        /// What a read would give now; 0 = it would wait.
        count: u64,
        /// Its period; 0 = once.
        interval_ns: u64,
    },
    /// Signals of signalfd(2).
    Signals,
}

/// An item of epoll(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemView {
    /// What is told with it.
    pub data: u64,
    /// What it has to tell now.
    pub events: u32,
    /// Own ids of what it waits for.
    pub objects: Vec<u64>,
    /// When a timer that it waits for goes off.
    pub deadline_ns: Option<u64>,
}

/// The state of a counter of eventfd(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterView {
    /// Own id.
    pub id: u64,
    /// Its value.
    pub count: u64,
    /// `EFD_SEMAPHORE`.
    pub semaphore: bool,
}

impl FdView {
    /// Own id of the pipe, connection, terminal, counter or process behind it: what a wait for it
    /// waits for.
    pub fn object(&self) -> Option<u64> {
        let pipe = self.pipe.map(|pipe| pipe.id).or(self.socket.map(|socket| socket.id));
        let pipe = pipe.or(self.terminal.map(|terminal| terminal.id));
        let pipe = pipe.or((self.notices || self.waits.is_some()).then_some(self.id));
        pipe.or(self.counter.map(|counter| counter.id)).or(self.process.map(|process| process.0))
    }
}

/// A handler that has not returned.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameView {
    /// The mask that its return brings back.
    pub mask: SigSet,
    /// The call that it interrupted, and how that is over; `None` = it goes on.
    pub interrupted: Option<(CallId, Option<Completed>)>,
}

/// The state of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeView {
    /// Own id.
    pub id: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// Open reading ends.
    pub readers: u32,
    /// Open writing ends.
    pub writers: u32,
    /// Whether a writer finds room.
    pub has_room: bool,
    /// Bytes in free page slots.
    pub free_bytes: u64,
    /// Page slots, free or not.
    pub slots: u32,
}

/// What a wait for children would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildView {
    /// This child can be reported.
    Ready(u32),
    /// There are children, none can be reported.
    Waiting,
    /// No child fits: `ECHILD`.
    NoChild,
}

impl Kernel {
    /// A task's descriptor; `None` if it is not open, or there is no such task.
    pub fn fd_view(&self, tid: u32, fd: i32) -> Option<FdView> {
        let task = self.pids.task(tid)?;
        let row = self.rows[self.rows[task].files].get(fd)?.description;
        let description = &self.rows[row];
        let (place, pipe) = match description.target {
            Target::File(place) => (Some(place), None),
            Target::Pipe(pipe, place) => (place, Some(pipe)),
            Target::Socket(_) | Target::Object(_) => (None, None),
        };
        let (counter, process) = match description.target {
            Target::Object(Object::Event(event)) => {
                let Event { id, count, semaphore, .. } = self.rows[event];
                (Some(CounterView { id, count, semaphore }), None)
            }
            Target::Object(Object::Pidfd(pidfd)) => {
                let Pidfd { id, pid, gone, .. } = self.rows[pidfd];
                (None, Some((id, (!gone).then_some(pid))))
            }
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                (None, None)
            }
        };
        let pipe = pipe.map(|pipe| {
            let state = &self.rows[pipe];
            let free = u64::from(state.slots.saturating_sub(state.used_slots));
            PipeView {
                id: state.id,
                bytes: state.bytes,
                readers: state.readers,
                writers: state.writers,
                has_room: state.has_room(),
                free_bytes: free * crate::components::pipe::PAGE_BYTES,
                slots: state.slots,
            }
        });
        let is_socket = matches!(description.target, Target::Socket(_));
        let socket = match description.target {
            Target::Socket(socket) => Some(self.socket_view(socket)),
            Target::File(_) | Target::Pipe(..) | Target::Object(_) => None,
        };
        let notices = matches!(description.target, Target::Object(Object::Inotify));
        let (flags, offset, uses) = (description.flags, description.offset, description.refs);
        let id = row.own_id(&self.rows);
        let waits = self.waits_view(row);
        let terminal = description.terminal.map(|side| self.terminal_view(side));
        Some(FdView {
            id,
            place,
            pipe,
            terminal,
            socket,
            is_socket,
            counter,
            process,
            notices,
            waits,
            flags,
            offset,
            uses,
        })
    }

    fn waits_view(&self, row: DescriptionRow) -> Option<WaitsView> {
        match self.rows[row].target {
            Target::Object(Object::Epoll(_)) => Some(WaitsView::Epoll),
            Target::Object(Object::Signals(_)) => Some(WaitsView::Signals),
            Target::Object(Object::Timer) => {
                let timer = self.timerfds.get(&row.own_id(&self.rows))?;
                let (deadline_ns, interval_ns) = (timer.next_ns(self.now_ns), timer.interval_ns);
                let count = timer.clone().take(self.now_ns).unwrap_or(0);
                Some(WaitsView::Timer { deadline_ns, count, interval_ns })
            }
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => None,
        }
    }

    fn epoll_behind(&self, tid: u32, fd: i32) -> Option<(TaskRow, EpollRow)> {
        let task = self.pids.task(tid)?;
        let row = self.rows[self.rows[task].files].get(fd)?.description;
        match self.rows[row].target {
            Target::Object(Object::Epoll(epoll)) => Some((task, epoll)),
            _ => None,
        }
    }

    /// What epoll_wait(2) would give now; `None` if the descriptor is no instance.
    pub fn epoll_view(&self, tid: u32, fd: i32, max_events: usize) -> Option<Vec<EpollEvent>> {
        let (task, epoll) = self.epoll_behind(tid, fd)?;
        let ready = self.rows[epoll].ready_places().into_iter();
        let events = ready.filter_map(|at| {
            let item = self.rows[epoll].item(at)?;
            let events = self.events_of(task, item.description) & item.events & !PRIVATE_BITS;
            (events != 0).then_some(EpollEvent { events, data: item.data })
        });
        Some(events.take(max_events).collect())
    }

    /// The items of an instance.
    pub fn epoll_items(&self, tid: u32, fd: i32) -> Vec<ItemView> {
        let Some((task, epoll)) = self.epoll_behind(tid, fd) else { return Vec::new() };
        let items = self.rows[epoll].items().map(|(_, _, item)| {
            let mut view = ItemView {
                data: item.data,
                events: self.events_of(task, item.description) & item.events & !PRIVATE_BITS,
                objects: Vec::new(),
                deadline_ns: None,
            };
            self.add_objects(item.description, &mut view);
            view
        });
        items.collect()
    }

    /// What is behind a description, and behind the items of an instance that it is.
    fn add_objects(&self, row: DescriptionRow, view: &mut ItemView) {
        let id = match self.rows[row].target {
            Target::Pipe(pipe, _) => pipe.own_id(&self.rows),
            Target::Socket(socket) => self.socket_view(socket).id,
            Target::Object(Object::Event(event)) => event.own_id(&self.rows),
            Target::Object(Object::Pidfd(pidfd)) => pidfd.own_id(&self.rows),
            Target::Object(_) => row.own_id(&self.rows),
            Target::File(_) => match self.rows[row].terminal {
                Some(side) => side.terminal.own_id(&self.rows),
                None => return,
            },
        };
        view.objects.push(id);
        if let Some(WaitsView::Timer { deadline_ns: Some(at), .. }) = self.waits_view(row) {
            view.deadline_ns = Some(view.deadline_ns.map_or(at, |other| other.min(at)));
        }
        if let Target::Object(Object::Epoll(epoll)) = self.rows[row].target {
            for (_, _, item) in self.rows[epoll].items() {
                self.add_objects(item.description, view);
            }
        }
    }

    /// Whether a task's process is the child of another's.
    pub fn is_child_of(&self, child: u32, parent: u32) -> bool {
        let process = |tid: u32| self.pids.task(tid).map(|task| self.rows[task].process);
        let (Some(child), Some(parent)) = (process(child), process(parent)) else { return false };
        self.rows[child].parent == self.rows[parent].pid
    }

    /// The first bytes in the pipe behind a descriptor, at most `count`.
    pub fn pipe_bytes(&self, tid: u32, fd: i32, count: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(task) = self.pids.task(tid) else { return out };
        let Some(slot) = self.rows[self.rows[task].files].get(fd) else { return out };
        let Target::Pipe(pipe, _) = self.rows[slot.description].target else { return out };
        for segment in &self.rows[pipe].segments {
            let left = count.saturating_sub(out.len() as u64).min(segment.left()) as usize;
            let start = segment.read as usize;
            let bytes = self.segment_bytes(segment);
            out.extend_from_slice(bytes.get(start..start + left).unwrap_or_default());
        }
        out
    }

    /// What poll(2) would say of each entry now.
    pub fn poll_view(&self, tid: u32, fds: &[PollFd]) -> Vec<PollFd> {
        let Some(task) = self.pids.task(tid) else { return fds.to_vec() };
        let files = self.rows[task].files;
        let view = |entry: &PollFd| {
            let slot = if entry.fd < 0 { None } else { self.rows[files].get(entry.fd) };
            let revents = self.view_entry(task, entry, slot.map(|slot| slot.description));
            PollFd { revents: revents as u16, ..*entry }
        };
        fds.iter().map(view).collect()
    }

    /// What wait4(2) with these arguments would find; `None` without such a task or for a bad pid.
    pub fn child_view(&mut self, tid: u32, wpid: i32, options: u32) -> Option<ChildView> {
        let task = self.pids.task(tid)?;
        let select = match wpid {
            -1 => ChildSelect::Any,
            0 => ChildSelect::Group(self.rows[self.rows[task].process].pgid),
            i32::MIN => return None,
            group if group < -1 => ChildSelect::Group(group.unsigned_abs()),
            pid => ChildSelect::Pid(pid as u32),
        };
        let options = options | crate::abi::flags::WNOWAIT;
        Some(match self.try_wait(task, select, options, false) {
            Ok(Some(answer)) => ChildView::Ready(answer.value as u32),
            Ok(None) => ChildView::Waiting,
            Err(_) => ChildView::NoChild,
        })
    }

    /// Where a path leads a task; `Ok(None)` for something without a place (a pipe by /proc).
    ///
    /// # Errors
    /// Those of path_resolution(7); `ESRCH` without such a task.
    pub fn resolve(
        &self,
        tid: u32,
        dirfd: i32,
        path: &[u8],
        follow: bool,
    ) -> Result<Option<Place>, Errno> {
        let task = self.pids.task(tid).ok_or(Errno::ESRCH)?;
        let from = self.start_of(task, dirfd, path)?;
        caller!(self, task => caller);
        Ok(match self.fs.walk(&caller, from, path, follow)?.target {
            fs::Target::Place(place) => Some(place),
            fs::Target::Object(_) => None,
        })
    }

    /// Whether a task may read (4), write (2), execute or search (1) what is at a place.
    pub fn may(&self, tid: u32, place: Place, mask: u32) -> bool {
        let Some(task) = self.pids.task(tid) else { return false };
        caller!(self, task => caller);
        self.fs.permission(&caller, place, mask).is_ok()
    }

    /// The path of a place, as the task sees it.
    pub fn path_of(&self, tid: u32, place: Place) -> Vec<u8> {
        let Some(task) = self.pids.task(tid) else { return Vec::new() };
        caller!(self, task => caller);
        self.fs.path_text(&caller, place)
    }

    /// The working directory of a task.
    pub fn cwd_of(&self, tid: u32) -> Option<Place> {
        let task = self.pids.task(tid)?;
        Some(self.rows[self.rows[task].context].cwd)
    }

    /// The umask of a task.
    pub fn umask_of(&self, tid: u32) -> Option<u32> {
        let task = self.pids.task(tid)?;
        Some(self.rows[self.rows[task].context].umask)
    }

    /// The signals that a task blocks.
    pub fn blocked_of(&self, tid: u32) -> Option<SigSet> {
        let task = self.pids.task(tid)?;
        Some(self.rows[task].mask)
    }

    /// Where a path that starts at `dirfd` begins; `None` if `dirfd` is no directory.
    pub fn start_place(&self, tid: u32, dirfd: i32) -> Option<Place> {
        if dirfd == AT_FDCWD {
            return self.cwd_of(tid);
        }
        self.fd_view(tid, dirfd)?.place.filter(|place| self.fs.is_directory(*place))
    }

    /// The process of a task.
    pub fn process_of_task(&self, tid: u32) -> Option<u32> {
        let task = self.pids.task(tid)?;
        Some(self.rows[self.rows[task].process].pid)
    }

    /// The process that made a task's process; `None` for one outside.
    pub fn parent_of(&self, tid: u32) -> Option<u32> {
        let task = self.pids.task(tid)?;
        Some(self.rows[self.rows[task].process].parent).filter(|parent| *parent != 0)
    }

    /// Whether the task is there and its process lives.
    pub fn is_alive(&self, tid: u32) -> bool {
        let alive = |task: TaskRow| self.rows[self.rows[task].process].life == Life::Alive;
        self.pids.task(tid).is_some_and(|task| !self.rows[task].exited && alive(task))
    }

    /// The number that a task's next descriptor gets.
    pub fn next_fd(&self, tid: u32) -> Option<u32> {
        self.free_fd(self.pids.task(tid)?, 0).ok()
    }

    /// Whether a task's process group is orphaned: no terminal's stop signal stops it (setpgid(2)).
    pub fn is_orphaned(&self, tid: u32) -> bool {
        let process = self.pids.task(tid).map(|task| self.rows[task].process);
        process.is_some_and(|process| self.group_is_orphaned(self.rows[process].pgid, 0))
    }

    /// Whether a signal stopped the task's process.
    pub fn is_stopped(&self, tid: u32) -> bool {
        let stopped = |task: TaskRow| self.rows[self.rows[task].process].stopped.is_some();
        self.pids.task(tid).is_some_and(stopped)
    }

    /// Whether a process group has members.
    pub fn has_group(&self, pgid: u32) -> bool {
        self.pids.get(pgid).is_some_and(|entry| entry.group_head != 0)
    }

    /// Whether the signal is pending for the task or its process.
    pub fn has_pending(&self, tid: u32, signal: Signal) -> bool {
        self.pids.task(tid).is_some_and(|task| {
            self.rows[task].pending.set.contains(signal)
                || self.rows[self.rows[task].process].pending.set.contains(signal)
        })
    }

    /// The call in which a task is blocked.
    pub fn blocked_call(&self, tid: u32) -> Option<CallId> {
        self.rows[self.pids.task(tid)?].wait.as_ref().map(|wait| wait.call)
    }

    /// How many bytes a write(2) that waits has put into its pipe.
    pub fn written_so_far(&self, tid: u32) -> Option<u64> {
        match self.rows[self.pids.task(tid)?].wait.as_ref()?.on {
            Waiting::PipeWrite { written, .. } | Waiting::SocketWrite { written, .. } => {
                Some(written)
            }
            _ => None,
        }
    }

    /// The result of a task's call that is kept back while its process is stopped. A stop waits
    /// for the end of a vfork(2).
    pub fn held_result(&self, tid: u32) -> Option<Completed> {
        let row = self.pids.task(tid)?;
        match &self.rows[row].wait.as_ref()?.on {
            Waiting::Finished(result) => Some(result.clone()),
            Waiting::Vfork { child } => Some(Completed::Done(self.made_task(row, *child, true))),
            _ => None,
        }
    }

    /// Whether two tasks have one table of descriptors (`CLONE_FILES`).
    pub fn shares_descriptors(&self, one: u32, other: u32) -> bool {
        let files = |tid| self.pids.task(tid).map(|task| self.rows[task].files);
        files(one).is_some_and(|table| files(other) == Some(table))
    }

    /// When a timer sends the signal to a task's process next, in ns of the clock; `number` = which
    /// one of timer_create(2)'s it is.
    pub fn rings_at(&self, tid: u32, signal: Signal, number: Option<u32>) -> Option<u64> {
        let process = &self.rows[self.rows[self.pids.task(tid)?].process];
        let alarm = (signal == Signal::SIGALRM && number.is_none()).then_some(process.alarm_ns);
        let own = self.timers.of(process.pid).filter(|own| number.is_none_or(|it| it == *own));
        let timers = own.filter_map(|own| self.timers.by_number.get(&(process.pid, own)));
        let sends = |timer: &&Timer| {
            timer.signal == signal.number()
                && timer.notify != Notify::Nobody
                && !crate::calls::timer::is_cpu_clock(timer.clock)
        };
        let times = timers.filter(sends).map(|timer| timer.at_ns).chain(alarm);
        times.filter(|at_ns| *at_ns > 0).min()
    }

    /// The action of a signal for a task.
    pub fn action_of(&self, tid: u32, signal: Signal) -> Option<crate::abi::SigAction> {
        let task = self.pids.task(tid)?;
        Some(self.rows[self.rows[task].handlers].action(signal))
    }

    /// The handlers of a task that have not returned, the innermost last.
    pub fn frames_of(&self, tid: u32) -> Vec<FrameView> {
        let Some(task) = self.pids.task(tid) else { return Vec::new() };
        let view = |frame: &Frame| FrameView {
            mask: frame.mask,
            interrupted: frame.interrupted.as_ref().map(|interrupted| match interrupted {
                Interrupted::Again(wait) | Interrupted::AgainUnder(wait, _) => (wait.call, None),
                Interrupted::Over(call, result) => (*call, Some(result.clone())),
            }),
        };
        self.rows[task].frames.iter().map(view).collect()
    }

    /// Real, effective and saved ids, and what else a task may do.
    pub fn credentials_of(&self, tid: u32) -> Option<&Credentials> {
        Some(&self.rows[self.pids.task(tid)?].credentials)
    }

    /// When the call in which a task is blocked gives up, in ns of the clock.
    pub fn deadline_of(&self, tid: u32) -> Option<u64> {
        self.rows[self.pids.task(tid)?].wait.as_ref()?.deadline_ns
    }

    /// The tree, to complete what was there before the first event. Not for use once a state
    /// counts.
    pub fn describe_tree(&mut self) -> &mut Fs {
        &mut self.fs
    }
}
