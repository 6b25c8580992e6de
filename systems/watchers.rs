//! Items of epoll(7) are told of what they watch: part of phase 3, readiness.
//!
//! An item hears of its object the moment that changes, in both wake modes, as the callback of
//! Linux's wait queue is run by who wakes it: then it stands in its instance's ready list, in the
//! order of these moments. Calls that wait look again when the phase comes to them. Of one object's
//! items the youngest is told first; those of `EPOLLEXCLUSIVE` come behind all others, the oldest
//! first, and one that takes the event is the last that hears of it. A wake-up names its events,
//! and items of other events do not hear it. Nothing scans: an object has the list of its items.
//!
//! What an item's object is ready for is asked only when epoll_wait(2), epoll_ctl(2) or poll(2)
//! comes to it; one in the ready list that is not ready leaves it then.

use crate::abi::flags::{
    EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, O_ACCMODE, O_RDONLY, O_WRONLY, POLLIN, POLLOUT, POLLPRI,
    POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};
use crate::components::epoll::{Item, PRIVATE_BITS, Watcher};
use crate::components::terminal::{End, Side};
use crate::components::{Object, Target, WaitQueue, Waiting};
use crate::kernel::{Changed, Kernel, WakeMode};
use crate::rows::{DescriptionRow, EpollRow, HandlersRow, PipeRow, RowKind, TaskRow, TerminalRow};
use crate::turns::Stand;
use alloc::vec::Vec;

/// Events that only one waiter can take.
const IN_OUT: u32 = EPOLLIN | EPOLLOUT;
/// Who waits to read a pipe, in a queue of their own.
pub(crate) const READERS: u8 = 1;
/// Who waits to write to it.
pub(crate) const WRITERS: u8 = 2;
/// Both.
const ALL_SIDES: u8 = READERS | WRITERS;

/// A wake-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wake {
    /// Whom of a pipe's.
    sides: u8,
    /// The events that it names; 0 = it names none, and everybody hears it.
    events: u32,
    /// All exclusive ones, not only the first that takes it.
    all: bool,
    /// Who reads comes to it after all others.
    reader_last: bool,
}

impl Wake {
    /// Of what has just come true.
    pub(crate) const fn of(events: u32) -> Self {
        Self { sides: ALL_SIDES, events, all: false, reader_last: false }
    }

    /// One that names no events.
    pub(crate) const ANY: Self = Self::of(0);

    /// Of bytes that a socket has received.
    pub(crate) const READABLE: Self = Self::of(POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND);

    /// Of room that a socket has to send.
    pub(crate) const WRITABLE: Self = Self::of(POLLOUT | POLLWRNORM | POLLWRBAND);

    /// The same for all who are exclusive.
    pub(crate) const ALL: Self = Self { all: true, ..Self::ANY };

    /// Of new settings of a terminal: Linux lets nobody read before they hold, but all look.
    pub(crate) const SETTINGS: Self = Self { reader_last: true, ..Self::ANY };

    /// Of one side of a pipe.
    pub(crate) const fn at(self, sides: u8) -> Self {
        Self { sides, ..self }
    }

    /// For all who are exclusive.
    pub(crate) const fn for_all(self) -> Self {
        Self { all: true, ..self }
    }

    /// Whether a call that waits alone takes it.
    const fn is_for(self, object: Changed, stand: Stand) -> bool {
        match (stand, object) {
            (Stand::Before | Stand::Behind, _) => false,
            (Stand::Reads, Changed::Pipe(_)) => self.sides & READERS != 0,
            (Stand::Writes, _) => self.sides & WRITERS != 0,
            (Stand::Reads, _) => self.events == 0 || self.events & (POLLIN | EPOLLERR) != 0,
        }
    }
}

/// Who hears of a wake-up.
#[derive(Clone, Copy, Debug)]
enum Hearer {
    /// A call that waits for the object itself.
    Call { since: u64, tid: u32, stand: Stand },
    /// An item of epoll(7).
    Item(Watcher),
}

impl Kernel {
    /// An object changed: its items hear it now, and its calls look again soon.
    pub(crate) fn woken(&mut self, object: Changed, wake: Wake) {
        let Some(queue) = self.queue(object) else { return };
        let (has_calls, items) = (!queue.0.is_empty(), queue.1.all().len());
        match (has_calls, items > 0) {
            (true, with_items) if with_items || wake.reader_last => {
                self.tell_in_order(object, wake)
            }
            (true, _) => self.note(object),
            (false, true) => self.tell_items(object, items, wake),
            (false, false) => {}
        }
    }

    /// The same of a pipe, if anybody waits for it.
    #[inline]
    pub(crate) fn pipe_woken(&mut self, pipe: PipeRow, sides: u8, events: u32) {
        if !self.rows[pipe].waiters.is_empty() {
            self.woken(Changed::Pipe(pipe), Wake::of(events).at(sides));
        }
    }

    /// The items of an end of a terminal hear of room.
    pub(crate) fn tell_of_terminal(&mut self, terminal: TerminalRow, end: End) {
        let object = Changed::Terminal { terminal, end, input: true };
        let items = self.rows[terminal].lines[end.at()].readers.1.all().len();
        if items > 0 {
            self.tell_items(object, items, Wake::ANY);
        }
    }

    /// The queue of an object in which calls and items stand.
    pub(crate) fn queue(&self, object: Changed) -> Option<&WaitQueue> {
        match object {
            Changed::Pipe(pipe) => pipe.is_live(&self.rows).then(|| &self.rows[pipe].waiters),
            Changed::Socket(socket) => {
                socket.is_live(&self.rows).then(|| &self.rows[socket].waiters)
            }
            Changed::Event(event) => event.is_live(&self.rows).then(|| &self.rows[event].waiters),
            Changed::Pidfd(pidfd) => pidfd.is_live(&self.rows).then(|| &self.rows[pidfd].waiters),
            Changed::Epoll(epoll) => epoll.is_live(&self.rows).then(|| &self.rows[epoll].pollers),
            Changed::Signals(handlers) => {
                let live = handlers.is_live(&self.rows);
                self.rows[live.then_some(handlers)?].signal_waiters.as_deref()
            }
            Changed::Inotify(id) => Some(&self.inotify.instances.get(&id)?.waiters),
            Changed::Timer(id) => Some(&self.timerfds.get(&id)?.waiters),
            Changed::Pty(number, end) => Some(&self.face.ptys.get(&number)?.end(end).waiters),
            Changed::FaceSocket(number) => Some(&self.face.sockets.get(number)?.waiters),
            Changed::FaceRoom => Some(&self.face.sockets.room_waiters),
            Changed::Terminal { terminal, end, input } => {
                let live = terminal.is_live(&self.rows);
                let line = &self.rows[live.then_some(terminal)?].lines[end.at()];
                Some(if input { &line.readers } else { &line.writers })
            }
            Changed::Children { .. }
            | Changed::Task(_)
            | Changed::Waiter { .. }
            | Changed::Room(_)
            | Changed::Locks(_)
            | Changed::Records(_) => None,
        }
    }

    /// The same to enter or leave it.
    pub(crate) fn queue_mut(&mut self, object: Changed) -> Option<&mut WaitQueue> {
        self.queue(object)?;
        match object {
            Changed::Pipe(pipe) => Some(&mut self.rows[pipe].waiters),
            Changed::Socket(socket) => Some(&mut self.rows[socket].waiters),
            Changed::Event(event) => Some(&mut self.rows[event].waiters),
            Changed::Pidfd(pidfd) => Some(&mut self.rows[pidfd].waiters),
            Changed::Epoll(epoll) => Some(&mut self.rows[epoll].pollers),
            Changed::Signals(handlers) => self.rows[handlers].signal_waiters.as_deref_mut(),
            Changed::Inotify(id) => Some(&mut self.inotify.instances.get_mut(&id)?.waiters),
            Changed::Timer(id) => Some(&mut self.timerfds.get_mut(&id)?.waiters),
            Changed::Pty(number, end) => {
                Some(&mut self.face.ptys.get_mut(&number)?.end_mut(end).waiters)
            }
            Changed::FaceSocket(number) => Some(&mut self.face.sockets.get_mut(number)?.waiters),
            Changed::FaceRoom => Some(&mut self.face.sockets.room_waiters),
            Changed::Terminal { terminal, end, input } => {
                let line = &mut self.rows[terminal].lines[end.at()];
                Some(if input { &mut line.readers } else { &mut line.writers })
            }
            Changed::Children { .. }
            | Changed::Task(_)
            | Changed::Waiter { .. }
            | Changed::Room(_)
            | Changed::Locks(_)
            | Changed::Records(_) => None,
        }
    }

    /// What is waited for where a description is polled; of signals by the dispositions of who
    /// does. `None` for what is always ready, and for a table of dispositions that is gone.
    pub(crate) fn watched(
        &self,
        row: DescriptionRow,
        handlers: Option<HandlersRow>,
    ) -> Option<Changed> {
        if let Some(Side { terminal, end, .. }) = self.rows[row].terminal {
            return Some(Changed::Terminal { terminal, end, input: true });
        }
        match self.rows[row].target {
            Target::Pipe(pipe, _) => Some(Changed::Pipe(pipe)),
            Target::Socket(socket) => Some(Changed::Socket(socket)),
            Target::Object(Object::Event(event)) => Some(Changed::Event(event)),
            Target::Object(Object::Pidfd(pidfd)) => Some(Changed::Pidfd(pidfd)),
            Target::Object(Object::Epoll(epoll)) => Some(Changed::Epoll(epoll)),
            Target::Object(Object::Signals(_)) => {
                let handlers = handlers.filter(|handlers| handlers.is_live(&self.rows));
                handlers.map(Changed::Signals)
            }
            Target::Object(Object::Inotify) => Some(Changed::Inotify(row.own_id(&self.rows))),
            Target::Object(Object::Timer) => Some(Changed::Timer(row.own_id(&self.rows))),
            Target::Object(Object::Pty(number, end)) => Some(Changed::Pty(number, end)),
            Target::File(_) | Target::Object(Object::Device(_) | Object::Foreign(_)) => None,
        }
    }

    /// Enters a call in an object's queue, or takes it out.
    pub(crate) fn stand(&mut self, object: Changed, (since, tid): (u64, u32), enter: bool) {
        if enter && let Changed::Signals(handlers) = object {
            self.rows[handlers].signal_waiters.get_or_insert_default();
        }
        let Some(queue) = self.queue_mut(object) else { return };
        if enter {
            queue.add(since, tid)
        } else {
            queue.remove(since)
        }
        self.tidy(object);
    }

    /// Of signals nobody waits any more: nothing is kept for it.
    fn tidy(&mut self, object: Changed) {
        if let Changed::Signals(handlers) = object
            && self.queue(object).is_some_and(WaitQueue::is_empty)
        {
            self.rows[handlers].signal_waiters = None;
        }
    }

    /// An item begins to watch.
    pub(crate) fn hook(&mut self, epoll: EpollRow, at: u32, item: &Item) {
        let Some(object) = self.watched(item.description, item.handlers) else { return };
        if let Changed::Signals(handlers) = object {
            self.rows[handlers].signal_waiters.get_or_insert_default();
        }
        let flags = self.rows[item.description].flags;
        let sides = match (object, flags & O_ACCMODE) {
            (Changed::Pipe(_), O_RDONLY) => READERS,
            (Changed::Pipe(_), O_WRONLY) => WRITERS,
            _ => ALL_SIDES,
        };
        let (since, exclusive) = (item.since, item.is_exclusive());
        if let Some(queue) = self.queue_mut(object) {
            queue.1.add(Watcher { since, epoll, at, exclusive, sides });
        }
    }

    /// An item ends to watch.
    pub(crate) fn unhook(&mut self, item: &Item) {
        let Some(object) = self.watched(item.description, item.handlers) else { return };
        if let Some(queue) = self.queue_mut(object) {
            queue.1.remove(item.since);
        }
        self.tidy(object);
    }

    fn tell_items(&mut self, object: Changed, count: usize, wake: Wake) {
        let mut any_exclusive = false;
        for at in (0..count).rev() {
            let Some(watcher) = self.watcher(object, at, wake) else { continue };
            any_exclusive |= watcher.exclusive;
            if !watcher.exclusive {
                self.tell_item(watcher, wake.events);
            }
        }
        if !any_exclusive {
            return;
        }
        for at in 0..count {
            let Some(watcher) = self.watcher(object, at, wake) else { continue };
            if !watcher.exclusive {
                continue;
            }
            if self.tell_item(watcher, wake.events) && !wake.all {
                return;
            }
        }
    }

    /// Calls and items that stand in one queue hear in its order, until one takes it alone.
    fn tell_in_order(&mut self, object: Changed, wake: Wake) {
        let Some(queue) = self.queue(object) else { return };
        let mut all: Vec<((u8, u64), Hearer)> = Vec::new();
        for &(since, tid) in &queue.0 {
            let Some(stand) = self.stand_of(tid) else { continue };
            let place = match stand {
                _ if wake.reader_last && self.reads_terminal(tid) => (2, since),
                Stand::Before => (0, u64::MAX - since),
                Stand::Behind | Stand::Reads | Stand::Writes => (1, since),
            };
            all.push((place, Hearer::Call { since, tid, stand }));
        }
        for watcher in queue.1.all().iter().filter(|item| item.sides & wake.sides != 0) {
            let since = watcher.since;
            let place = if watcher.exclusive { (1, since) } else { (0, u64::MAX - since) };
            all.push((place, Hearer::Item(*watcher)));
        }
        all.sort_by_key(|(place, _)| *place);
        for (_, hearer) in all {
            let alone = match hearer {
                Hearer::Call { since, tid, stand } => {
                    self.note(Changed::Waiter { tid, since });
                    wake.is_for(object, stand)
                }
                Hearer::Item(item) => self.tell_item(item, wake.events) && item.exclusive,
            };
            if alone && !wake.all {
                return;
            }
        }
    }

    fn watcher(&self, object: Changed, at: usize, wake: Wake) -> Option<Watcher> {
        let watcher = self.queue(object)?.1.all().get(at).copied()?;
        (watcher.sides & wake.sides != 0).then_some(watcher)
    }

    /// An item hears of events: it enters the ready list, and who waits for its instance is woken.
    /// Whether an exclusive one takes them.
    fn tell_item(&mut self, watcher: Watcher, events: u32) -> bool {
        let Some(epoll) = watcher.epoll.is_live(&self.rows).then_some(watcher.epoll) else {
            return false;
        };
        let Some(wanted) = self.rows[epoll].item(watcher.at).map(|item| item.events) else {
            return false;
        };
        let hears = wanted & !PRIVATE_BITS != 0 && (events == 0 || events & wanted != 0);
        if !hears {
            return false;
        }
        self.rows[epoll].make_ready(watcher.at);
        let waits = !self.rows[epoll].waiters.0.is_empty();
        self.tell_epoll(epoll);
        // One that names both reading and writing is for nobody alone.
        waits
            && (events & IN_OUT == 0 || events & IN_OUT != IN_OUT && events & IN_OUT & wanted != 0)
    }

    /// Something entered a ready list: one call that waits for it is woken, and all who poll it.
    pub(crate) fn tell_epoll(&mut self, epoll: EpollRow) {
        self.wake_waiter(epoll);
        if !self.rows[epoll].pollers.is_empty() {
            self.woken(Changed::Epoll(epoll), Wake::of(POLLIN));
        }
    }

    /// Wakes the youngest call that waits for an instance and is not stopped: it leaves the queue,
    /// and waits anew if it finds nothing.
    pub(crate) fn wake_waiter(&mut self, epoll: EpollRow) {
        if self.config.wake == WakeMode::OnDemand {
            return;
        }
        let waiters = self.rows[epoll].waiters.0.iter().rev();
        let awake = |tid: u32| {
            let task = self.pids.task(tid)?;
            self.rows[self.rows[task].process].stopped.is_none().then_some(())
        };
        let Some((since, tid)) = waiters.copied().find(|waiter| awake(waiter.1).is_some()) else {
            return;
        };
        self.rows[epoll].waiters.remove(since);
        self.note(Changed::Waiter { tid, since });
    }

    /// A call that was woken has looked, and waits on where nothing was left for it: it stands in
    /// its queue anew, as in Linux's; that of an instance, which it had left, at the end, to be
    /// woken first.
    pub(crate) fn wait_for_more(&mut self, tid: u32, since: u64) {
        let Some(row) = self.pids.task(tid) else { return };
        let wait = self.rows[row].wait.as_deref().filter(|wait| wait.since == since);
        let Some(on) = wait.map(|wait| &wait.on) else { return };
        if let Waiting::Epoll { description, .. } = *on {
            let since = self.begin_anew(row);
            if let Target::Object(Object::Epoll(epoll)) = self.rows[description].target {
                self.rows[epoll].waiters.add(since, tid);
            }
            return;
        }
        let description = match on {
            Waiting::SocketRead { description, .. }
            | Waiting::PipeRead { description, .. }
            | Waiting::EventRead { description }
            | Waiting::Accept { description, over: false, .. } => *description,
            // All others stay where they are.
            Waiting::Epoll { .. }
            | Waiting::Accept { over: true, .. }
            | Waiting::Parked(_)
            | Waiting::PipeWrite { .. }
            | Waiting::SocketWrite { .. }
            | Waiting::Connect { .. }
            | Waiting::TerminalRead(_)
            | Waiting::TerminalWrite(_)
            | Waiting::TerminalTurn { .. }
            | Waiting::EventWrite { .. }
            | Waiting::Splice(_)
            | Waiting::Sendfile(_)
            | Waiting::FifoOpen { .. }
            | Waiting::Child { .. }
            | Waiting::Poll { .. }
            | Waiting::FacePoll { .. }
            | Waiting::Select { .. }
            | Waiting::Sleep { .. }
            | Waiting::Pause
            | Waiting::Signal { .. }
            | Waiting::Vfork { .. }
            | Waiting::RecordLock { .. }
            | Waiting::Finished(_)
            | Waiting::Flock { .. } => return,
        };
        let handlers = self.rows[row].handlers;
        let Some(object) = self.watched(description, Some(handlers)) else { return };
        if !matches!(object, Changed::Signals(_) | Changed::Inotify(_)) {
            self.stand(object, (since, tid), false);
            let since = self.begin_anew(row);
            self.stand(object, (since, tid), true);
        }
    }

    /// A call that waits counts as one that begins to wait now; gives its place in the order.
    fn begin_anew(&mut self, row: TaskRow) -> u64 {
        self.counters.next_since += 1;
        let since = self.counters.next_since;
        if let Some(wait) = &mut self.rows[row].wait {
            wait.since = since;
        }
        since
    }

    /// What an item has to tell now, if a task asks.
    pub(crate) fn item_events(&mut self, task: TaskRow, epoll: EpollRow, at: u32) -> u32 {
        let Some(item) = self.rows[epoll].item(at).copied() else { return 0 };
        if item.events & !PRIVATE_BITS == 0 {
            return 0;
        }
        self.poll_description(task, item.description) & item.events
    }

    /// poll(2) of an instance: ready while an item is. Those found not to be leave the ready list.
    pub(crate) fn poll_epoll(&mut self, task: TaskRow, epoll: EpollRow) -> u32 {
        let mut found = 0;
        while let Some(at) = self.rows[epoll].first_ready() {
            if self.item_events(task, epoll, at) != 0 {
                found = POLLIN | POLLRDNORM;
                self.wake_waiter(epoll);
                break;
            }
            self.rows[epoll].unready(at);
        }
        found
    }

    /// The same by a look that changes nothing.
    pub(crate) fn view_epoll(&self, task: TaskRow, epoll: EpollRow) -> u32 {
        let ready = self.rows[epoll].ready_places();
        let has_events = |at: u32| {
            let item = self.rows[epoll].item(at)?;
            let events = self.events_of(task, item.description);
            (events & item.events & !PRIVATE_BITS != 0).then_some(())
        };
        match ready.into_iter().any(|at| has_events(at).is_some()) {
            true => POLLIN | POLLRDNORM,
            false => 0,
        }
    }
}

/// Events that every item has.
pub(crate) const ALWAYS: u32 = EPOLLERR | EPOLLHUP;
