//! The second half of the walk of `account.rs`: whatever refers to something refers to what is
//! there, and whatever is there has somebody who refers to it. Queues, locks, deadlines, places in
//! trees, groups, names. Run as the first half is, never by a tick.

use crate::abi::PollFd;
use crate::abi::flags::LOCK_SH;
use crate::account::{Defect, must};
use crate::calls::face_poll;
use crate::calls::record_lock::{LockOwner, LockedObject};
use crate::calls::transfer::Sending;
use crate::components::socket::SocketRef;
use crate::components::terminal::{End, Side};
use crate::components::{Frame, Interrupted, Life, Object, Target, Task, Wait, Waiting};
use crate::fs::{InodeId, Place};
use crate::kernel::{Kernel, WakeMode};
use crate::rows::{
    ContextRow, DescriptionRow, EpollRow, EventRow, FilesRow, HandlersRow, PidfdRow, PipeRow,
    ProcessRow, RowKind, Rows, SocketRow, TaskRow, TerminalRow,
};
use crate::tables::deadlines::Due;
use crate::tables::family::Club;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// No kernel lives to count so far; beyond it the next events would not be counted.
const COUNTER_MAX: u64 = u64::MAX / 2;

/// A queue in which blocked calls stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Queue {
    Pipe(u64),
    Event(u64),
    Pidfd(u64),
    Children(u64),
    Flock(InodeId),
    Records(LockedObject),
    Inotify(u64),
    Socket(u64),
    Room(u64),
    Timer(u64),
    Signals(u64),
    /// Who polls an instance of epoll(7).
    Pollers(u64),
    /// Calls of epoll_wait(2).
    Epoll(u64),
    Terminal(u64, End, bool),
    Pty(u32, End),
    FaceSocket(u64),
    FaceRoom,
}

/// A call's place in a queue: which, since when, whose.
type Standing = (Queue, u64, u32);

impl Kernel {
    pub(crate) fn audit_references(&self) -> Result<(), Defect> {
        self.audit_parents()?;
        self.audit_makers()?;
        self.audit_queues()?;
        self.audit_blocked()?;
        self.audit_pipe_users()?;
        self.audit_terminals()?;
        self.audit_flocks()?;
        self.audit_records()?;
        self.audit_deadlines()?;
        self.audit_places()?;
        self.audit_numbers()?;
        self.audit_ids()?;
        self.audit_face()
    }

    /// From each process a way leads up to one without a parent. The face is told its parents.
    fn audit_parents(&self) -> Result<(), Defect> {
        if self.bends.first_adopts {
            return Ok(());
        }
        // Whose way is known to end, and those on the way that is walked.
        let mut ended: BTreeSet<u32> = BTreeSet::new();
        for (_, process) in ProcessRow::all(&self.rows) {
            let mut way: BTreeSet<u32> = BTreeSet::new();
            let mut at = self.rows[process].pid;
            while let Some(row) = self.pids.process(at).filter(|_| !ended.contains(&at)) {
                must(way.insert(at), "parents stand in a circle")?;
                at = self.rows[row].parent;
            }
            ended.extend(way);
        }
        Ok(())
    }

    /// Who is the child of a thread is that of one that its parent has, and that has not ended.
    fn audit_makers(&self) -> Result<(), Defect> {
        for (_, process) in ProcessRow::all(&self.rows) {
            let child = &self.rows[process];
            if child.maker == 0 {
                continue;
            }
            let maker = self.pids.task(child.maker).map(|task| &self.rows[task]);
            let of_parent = maker.is_some_and(|maker| {
                let parent = maker.process.own_id(&self.rows);
                parent == u64::from(child.parent) && u64::from(child.maker) != parent
            });
            must(of_parent, "a child of a thread that its parent does not have")?;
        }
        Ok(())
    }

    /// Blocked calls that stand in no handler's frame: those are in no queue.
    fn standing_waits(&self) -> impl Iterator<Item = (&Task, &Wait)> {
        let tasks = TaskRow::all(&self.rows).into_iter().map(|(_, row)| &self.rows[row]);
        tasks.filter_map(|task| Some((task, task.wait.as_deref()?)))
    }

    fn audit_queues(&self) -> Result<(), Defect> {
        let mut wanted: Vec<Standing> = Vec::new();
        for (task, wait) in self.standing_waits() {
            let mut stand = |queue: Option<Queue>| {
                wanted.extend(queue.map(|queue| (queue, wait.since, task.tid)));
            };
            match &wait.on {
                Waiting::PipeRead { description, .. }
                | Waiting::PipeWrite { description, .. }
                | Waiting::SocketRead { description, .. }
                | Waiting::Accept { description, over: false, .. }
                | Waiting::EventRead { description }
                | Waiting::EventWrite { description, .. } => {
                    stand(self.queue_of(task, *description));
                }
                Waiting::Sendfile(Sending { to, .. }) => self.queues_of_ends(task, &[*to], stand),
                Waiting::SocketWrite { description, with, .. } => {
                    stand(self.queue_of(task, *description));
                    stand(with.as_deref().and_then(|with| self.room_of(with.at?)));
                }
                Waiting::Connect { description, at, .. } => {
                    stand(self.queue_of(task, *description));
                    stand(self.room_of(*at));
                }
                Waiting::TerminalRead(reading) => stand(self.line_of(reading.description, true)),
                Waiting::TerminalWrite(writing) => stand(self.line_of(writing.description, false)),
                Waiting::TerminalTurn { description, reads, .. } => {
                    stand(self.line_of(*description, *reads));
                    stand(self.queue_of(task, *description));
                }
                Waiting::Splice(splicing) => self.queues_of_ends(task, &splicing.held(), stand),
                Waiting::Poll { held, .. } | Waiting::Select { held, .. } => {
                    self.queues_of_all(task, held).into_iter().for_each(stand);
                }
                Waiting::FacePoll { held, sockets, .. } => {
                    self.queues_of_all(task, held).into_iter().for_each(&mut stand);
                    self.queues_of_sockets(sockets).for_each(|queue| stand(Some(queue)));
                }
                Waiting::Epoll { description, .. } => {
                    stand(Some(Queue::Epoll(description.own_id(&self.rows))));
                }
                Waiting::FifoOpen { pipe, .. } => {
                    let live = pipe.is_live(&self.rows);
                    stand(live.then(|| Queue::Pipe(pipe.own_id(&self.rows))));
                }
                Waiting::Child { .. } => {
                    stand(Some(Queue::Children(task.process.own_id(&self.rows))));
                }
                Waiting::Flock { description, .. } => {
                    stand(self.inode_of(*description).map(Queue::Flock));
                }
                Waiting::RecordLock { object, .. } => stand(Some(Queue::Records(*object))),
                Waiting::Accept { over: true, .. }
                | Waiting::Parked(_)
                | Waiting::Finished(_)
                | Waiting::Sleep { .. }
                | Waiting::Pause
                | Waiting::Signal { .. }
                | Waiting::Vfork { .. } => {}
            }
        }
        let mut found = self.standing();
        wanted.sort_unstable();
        found.sort_unstable();
        must(wanted == found, "the queues hold other calls than those that wait")
    }

    /// The queues of what a call moves bytes between.
    fn queues_of_ends(
        &self,
        task: &Task,
        ends: &[DescriptionRow],
        stand: impl FnMut(Option<Queue>),
    ) {
        let ends: Vec<Option<DescriptionRow>> = ends.iter().copied().map(Some).collect();
        self.queues_of_all(task, &ends).into_iter().for_each(stand);
    }

    /// The queues of descriptions that are polled.
    fn queues_of_all(&self, task: &Task, held: &[Option<DescriptionRow>]) -> Vec<Option<Queue>> {
        let rows = held.iter().flatten();
        rows.flat_map(|row| {
            [self.queue_of(task, *row), self.line_of(*row, true), self.line_of(*row, false)]
        })
        .collect()
    }

    /// The queues of sockets of the face that are polled.
    fn queues_of_sockets(&self, sockets: &[PollFd]) -> impl Iterator<Item = Queue> {
        let numbers = sockets.iter().map(face_poll::number_of);
        let there = numbers.filter(|number| self.face.sockets.get(*number).is_some());
        there.map(Queue::FaceSocket).chain([Queue::FaceRoom])
    }

    /// The queue of what a description is open on.
    fn queue_of(&self, task: &Task, row: DescriptionRow) -> Option<Queue> {
        match self.rows[row].target {
            Target::Pipe(pipe, _) => Some(Queue::Pipe(pipe.own_id(&self.rows))),
            Target::Object(Object::Event(event)) => Some(Queue::Event(event.own_id(&self.rows))),
            Target::Object(Object::Pidfd(pidfd)) => Some(Queue::Pidfd(pidfd.own_id(&self.rows))),
            Target::Object(Object::Inotify) => Some(Queue::Inotify(row.own_id(&self.rows))),
            Target::Object(Object::Timer) => Some(Queue::Timer(row.own_id(&self.rows))),
            Target::Object(Object::Pty(number, end)) => Some(Queue::Pty(number, end)),
            Target::Object(Object::Signals(_)) => {
                Some(Queue::Signals(task.handlers.own_id(&self.rows)))
            }
            Target::Object(Object::Epoll(epoll)) => Some(Queue::Pollers(epoll.own_id(&self.rows))),
            Target::Socket(socket) => Some(Queue::Socket(socket.own_id(&self.rows))),
            Target::File(_) | Target::Object(_) => None,
        }
    }

    /// The queue of those who wait for room in a socket's queue, if it is still there.
    fn room_of(&self, socket: SocketRef) -> Option<Queue> {
        self.live_socket(socket).map(|_| Queue::Room(socket.id))
    }

    /// The queue of who waits for input of an end of a terminal, or for room.
    fn line_of(&self, row: DescriptionRow, input: bool) -> Option<Queue> {
        let Side { terminal, end, .. } = self.rows[row].terminal?;
        Some(Queue::Terminal(terminal.own_id(&self.rows), end, input))
    }

    fn inode_of(&self, row: DescriptionRow) -> Option<InodeId> {
        self.fs.inode_id(self.place_of(row)?)
    }

    /// All that stands in queues.
    fn standing(&self) -> Vec<Standing> {
        let mut found = Vec::new();
        let mut add = |queue: Queue, waiters: &[(u64, u32)]| {
            found.extend(waiters.iter().map(|(since, tid)| (queue, *since, *tid)));
        };
        for (id, row) in PipeRow::all(&self.rows) {
            add(Queue::Pipe(id), &self.rows[row].waiters.0);
        }
        for (id, row) in SocketRow::all(&self.rows) {
            let socket = &self.rows[row];
            add(Queue::Socket(id), &socket.waiters.0);
            let room = socket.more.as_deref().map(|more| more.room_waiters.0.as_slice());
            add(Queue::Room(id), room.unwrap_or_default());
        }
        for (id, row) in EventRow::all(&self.rows) {
            add(Queue::Event(id), &self.rows[row].waiters.0);
        }
        for (id, row) in TerminalRow::all(&self.rows) {
            for end in [End::Master, End::Slave] {
                let line = &self.rows[row].lines[end.at()];
                add(Queue::Terminal(id, end, true), &line.readers.0);
                add(Queue::Terminal(id, end, false), &line.writers.0);
            }
        }
        for (id, row) in PidfdRow::all(&self.rows) {
            add(Queue::Pidfd(id), &self.rows[row].waiters.0);
        }
        for (id, row) in ProcessRow::all(&self.rows) {
            add(Queue::Children(id), &self.rows[row].child_waiters.0);
        }
        self.locks.iter().for_each(|(inode, locks)| add(Queue::Flock(*inode), &locks.waiters.0));
        for (object, locks) in &self.record_locks {
            add(Queue::Records(*object), &locks.waiters.0);
        }
        for (id, timer) in &self.timerfds {
            add(Queue::Timer(*id), &timer.waiters.0);
        }
        for (id, row) in HandlersRow::all(&self.rows) {
            if let Some(queue) = &self.rows[row].signal_waiters {
                add(Queue::Signals(id), &queue.0);
            }
        }
        for (id, row) in EpollRow::all(&self.rows) {
            add(Queue::Epoll(id), &self.rows[row].waiters.0);
            add(Queue::Pollers(id), &self.rows[row].pollers.0);
        }
        for (id, instance) in &self.inotify.instances {
            add(Queue::Inotify(*id), &instance.waiters.0);
        }
        for (number, pty) in &self.face.ptys {
            for end in [End::Master, End::Slave] {
                add(Queue::Pty(*number, end), &pty.end(end).waiters.0);
            }
        }
        for (number, socket) in self.face.sockets.all() {
            add(Queue::FaceSocket(number), &socket.waiters.0);
        }
        add(Queue::FaceRoom, &self.face.sockets.room_waiters.0);
        found
    }

    /// The index of blocked calls, and the numbers that waiting opens have taken.
    fn audit_blocked(&self) -> Result<(), Defect> {
        let mut calls = BTreeMap::new();
        let mut reserved: Vec<(u64, u32)> = Vec::new();
        for (task, wait) in self.standing_waits() {
            calls.insert(wait.call, task.tid);
        }
        if self.config.wake == WakeMode::OnDemand {
            must(calls == self.blocked_calls, "the index of blocked calls names others")?;
        }
        for (task, wait) in self.all_waits() {
            if let Waiting::FifoOpen { fd, over: false, .. }
            | Waiting::Accept { fd, over: false, .. } = &wait.on
            {
                reserved.push((task.files.own_id(&self.rows), *fd));
            }
        }
        let mut found: Vec<(u64, u32)> = Vec::new();
        for (id, row) in FilesRow::all(&self.rows) {
            found.extend(self.rows[row].reserved.iter().map(|fd| (id, *fd)));
        }
        reserved.sort_unstable();
        found.sort_unstable();
        must(reserved == found, "numbers are kept for calls that do not wait")
    }

    /// Blocked calls, those that handlers interrupted too.
    fn all_waits(&self) -> impl Iterator<Item = (&Task, &Wait)> {
        let tasks = TaskRow::all(&self.rows).into_iter().map(|(_, row)| &self.rows[row]);
        tasks.flat_map(|task| {
            let interrupted = task.frames.iter().filter_map(|frame: &Frame| {
                match frame.interrupted.as_ref()? {
                    Interrupted::Again(wait) | Interrupted::AgainUnder(wait, _) => {
                        Some(wait.as_ref())
                    }
                    Interrupted::Over(..) => None,
                }
            });
            task.wait.as_deref().into_iter().chain(interrupted).map(move |wait| (task, wait))
        })
    }

    /// Every pipe and socket is open somewhere; the index of FIFOs names those that are.
    fn audit_pipe_users(&self) -> Result<(), Defect> {
        let (mut pipes, mut sockets) = (BTreeSet::new(), BTreeSet::new());
        let mut fifos = BTreeMap::new();
        for (_, row) in DescriptionRow::all(&self.rows) {
            match self.rows[row].target {
                Target::Pipe(pipe, place) => {
                    pipes.insert(pipe.own_id(&self.rows));
                    let inode = place.and_then(|place| self.fs.inode_id(place));
                    fifos.extend(inode.map(|inode| (inode, pipe)));
                }
                Target::Socket(socket) => {
                    must(socket.is_live(&self.rows), "a description's socket is gone")?;
                    sockets.insert(socket.own_id(&self.rows));
                    let more = self.rows[socket].more.as_deref();
                    let pending = more.map(|more| more.pending.iter());
                    for embryo in pending.into_iter().flatten() {
                        must(embryo.is_live(&self.rows), "a connection that waits is gone")?;
                        sockets.insert(embryo.own_id(&self.rows));
                    }
                }
                Target::File(_) | Target::Object(_) => {}
            }
        }
        for (_, wait) in self.all_waits() {
            if let Waiting::FifoOpen { pipe, place, over: false, .. } = &wait.on {
                must(pipe.is_live(&self.rows), "the FIFO that is being opened is gone")?;
                pipes.insert(pipe.own_id(&self.rows));
                fifos.extend(self.fs.inode_id(*place).map(|inode| (inode, *pipe)));
            }
        }
        let unused = |id: &u64| !pipes.contains(id);
        let pipe = PipeRow::all(&self.rows).into_iter().map(|(id, _)| id).find(unused);
        must(pipe.is_none(), "a pipe is left that nobody has open")?;
        let socket = SocketRow::all(&self.rows).into_iter().find(|(id, _)| !sockets.contains(id));
        must(socket.is_none(), "a socket is left that nobody has open")?;
        must(fifos == self.fifos, "the index of open FIFOs names others")
    }

    /// Every terminal is open as often as it says, and in the index; who has a lock waits.
    fn audit_terminals(&self) -> Result<(), Defect> {
        let mut ends: BTreeMap<(u64, End), u32> = BTreeMap::new();
        for (_, row) in DescriptionRow::all(&self.rows) {
            let Some(side) = self.rows[row].terminal else { continue };
            must(side.terminal.is_live(&self.rows), "a description's terminal is gone")?;
            *ends.entry((side.terminal.own_id(&self.rows), side.end)).or_default() += 1;
        }
        let mut locks: BTreeSet<(u64, End, bool)> = BTreeSet::new();
        for (_, wait) in self.all_waits() {
            let (row, reads) = match &wait.on {
                Waiting::TerminalRead(reading) => (reading.description, true),
                Waiting::TerminalWrite(writing) => (writing.description, false),
                _ => continue,
            };
            let side = self.rows[row].terminal;
            let side = side.ok_or(Defect { what: "a read of a terminal that is none" })?;
            let first = locks.insert((side.terminal.own_id(&self.rows), side.end, reads));
            must(first || self.config.wake == WakeMode::OnDemand, "two calls read a terminal")?;
        }
        for (id, row) in TerminalRow::all(&self.rows) {
            let terminal = &self.rows[row];
            let opens = |end| ends.get(&(id, end)).copied().unwrap_or(0);
            let master = u32::from(terminal.master_open);
            must(opens(End::Master) == master, "masters of a terminal are counted wrongly")?;
            must(opens(End::Slave) == terminal.slaves, "slaves are counted wrongly")?;
            must(master + terminal.slaves > 0, "a terminal is left that nobody has open")?;
            must(self.terminals.get(&terminal.number) == Some(&row), "a terminal is not indexed")?;
            for end in [End::Master, End::Slave] {
                let line = &terminal.lines[end.at()];
                let held = [true, false].map(|reads| locks.contains(&(id, end, reads)));
                must(held == [line.read_locked, line.write_locked], "a lock is nobody's")?;
            }
        }
        let indexed = self.terminals.len() as u64 == TerminalRow::live(&self.rows);
        must(indexed, "the index of terminals names others")
    }

    fn audit_flocks(&self) -> Result<(), Defect> {
        let mut wanted: BTreeMap<InodeId, (u32, bool)> = BTreeMap::new();
        for (_, row) in DescriptionRow::all(&self.rows) {
            let kind = self.rows[row].flock;
            let Some(inode) = self.inode_of(row).filter(|_| kind != 0) else { continue };
            let locks = wanted.entry(inode).or_default();
            must(!locks.1, "a file that is locked exclusively has another lock")?;
            locks.0 += u32::from(kind == LOCK_SH);
            locks.1 = kind != LOCK_SH;
            must(!(locks.1 && locks.0 > 0), "a file has shared and exclusive locks")?;
        }
        for (inode, locks) in &self.locks {
            let held = wanted.remove(inode).unwrap_or_default();
            must(held == (locks.shared, locks.exclusive), "locks of a file are counted wrongly")?;
            let used = held.0 > 0 || held.1 || !locks.waiters.is_empty();
            must(used, "a file without locks is in the table of locks")?;
        }
        must(wanted.is_empty(), "a locked file is not in the table of locks")
    }

    fn audit_records(&self) -> Result<(), Defect> {
        if self.record_locks.is_empty() {
            return Ok(());
        }
        fn ids<R: RowKind>(rows: &Rows) -> BTreeSet<u64> {
            R::all(rows).into_iter().map(|(id, _)| id).collect()
        }
        let files = ids::<FilesRow>(&self.rows);
        let descriptions = ids::<DescriptionRow>(&self.rows);
        let (pipes, sockets) = (ids::<PipeRow>(&self.rows), ids::<SocketRow>(&self.rows));
        let pidfds = ids::<PidfdRow>(&self.rows);
        for (object, locks) in &self.record_locks {
            let used = !locks.locks.is_empty() || !locks.waiters.is_empty();
            must(used, "an object without record locks is in their table")?;
            for lock in &locks.locks {
                must(lock.start <= lock.end, "a record lock ends before it begins")?;
                let owned = match lock.owner {
                    LockOwner::Files(id) => files.contains(&id),
                    LockOwner::Description(id) => descriptions.contains(&id),
                };
                must(owned, "the owner of a record lock is gone")?;
            }
            let stands = match object {
                LockedObject::Inode(inode) => self.fs.inode_by_id(*inode).is_some(),
                // 0 is the inode that all objects without one of their own share.
                LockedObject::Pipe(0) => true,
                LockedObject::Pipe(id) => {
                    pipes.contains(id) || sockets.contains(id) || pidfds.contains(id)
                }
            };
            must(stands, "what a record lock lies on is gone")?;
        }
        Ok(())
    }

    /// Each deadline is somebody's, and nobody's is missing.
    fn audit_deadlines(&self) -> Result<(), Defect> {
        let mut wanted: BTreeSet<(u64, Due)> = BTreeSet::new();
        for (task, wait) in self.standing_waits() {
            wanted.extend(wait.deadline_ns.map(|at| (at, Due::Call(task.tid))));
        }
        for (_, row) in ProcessRow::all(&self.rows) {
            let process = &self.rows[row];
            for (at, due) in [
                (process.alarm_ns, Due::Alarm(process.pid)),
                (process.goes_ns, Due::Zombie(process.pid)),
            ] {
                wanted.extend((at != 0).then_some((at, due)));
            }
        }
        for (pid, number) in self.timers.by_number.keys() {
            let at = self.timer_deadline((*pid, *number));
            wanted.extend(at.map(|at| (at, Due::Timer(*pid, *number))));
        }
        for (id, timer) in &self.timerfds {
            wanted.extend(timer.deadline_ns().map(|at| (at, Due::Timerfd(*id))));
        }
        for (id, row) in SocketRow::all(&self.rows) {
            wanted.extend(self.gives_up_ns(row).map(|at| (at, Due::Connection(id))));
        }
        // One that has passed while its call could not look stays with the call alone.
        let open = |entry: &(u64, Due)| entry.0 > self.now_ns || !self.is_held_up(entry.1);
        let wanted: BTreeSet<_> = wanted.into_iter().filter(open).collect();
        let found: BTreeSet<_> = self.deadlines.iter().filter(open).collect();
        must(wanted == found, "the deadlines are others")
    }

    /// Whether something due has to wait: a call for its `Resume`, or for its process to continue.
    fn is_held_up(&self, due: Due) -> bool {
        let Due::Call(tid) = due else { return false };
        let task = self.pids.task(tid).map(|row| &self.rows[row]);
        let stopped = task.is_some_and(|task| self.rows[task.process].stopped.is_some());
        stopped || self.config.wake == WakeMode::OnDemand
    }

    /// Who holds which places, and which files are written or run.
    fn audit_places(&self) -> Result<(), Defect> {
        let (held, written, run) = self.used_places();
        must(held.iter().all(|place| self.fs.is_place(*place)), "a place is not in the tree")?;
        must(self.fs.is_held_by(&held), "holders of places are counted wrongly")?;
        must(self.fs.is_busy_with(&written, &run), "who writes or runs files is counted wrongly")
    }

    /// The places that are held, written and run.
    pub(crate) fn used_places(&self) -> (Vec<Place>, Vec<Place>, Vec<Place>) {
        let mut held: Vec<Place> = Vec::new();
        let (mut written, mut run): (Vec<Place>, Vec<Place>) = (Vec::new(), Vec::new());
        for (_, row) in ContextRow::all(&self.rows) {
            let context = &self.rows[row];
            held.extend([context.cwd, context.root]);
        }
        for (_, row) in DescriptionRow::all(&self.rows) {
            let description = &self.rows[row];
            match description.target {
                Target::File(place) => {
                    held.push(place);
                    written.extend(description.writable().then_some(place));
                }
                Target::Pipe(_, place) => held.extend(place),
                Target::Socket(_) | Target::Object(_) => {}
            }
        }
        for (_, row) in SocketRow::all(&self.rows) {
            held.extend(self.rows[row].more.as_deref().and_then(|more| more.place));
        }
        for (_, row) in TerminalRow::all(&self.rows) {
            held.extend(self.rows[row].node);
        }
        for (_, row) in ProcessRow::all(&self.rows) {
            run.extend(self.rows[row].exe);
        }
        held.extend(&run);
        for (_, wait) in self.all_waits() {
            if let Waiting::FifoOpen { place, over: false, .. } = &wait.on {
                held.push(*place);
            }
        }
        (held, written, run)
    }

    /// The table of numbers and its lists of groups and sessions.
    fn audit_numbers(&self) -> Result<(), Defect> {
        let (mut used, mut listed) = (0, [0; 2]);
        for (number, entry) in self.pids.iter() {
            used += 1;
            let task = entry.task.is_none_or(|row| row.is_live(&self.rows));
            let process = entry.process.is_none_or(|row| row.is_live(&self.rows));
            must(task && process, "a number stands for somebody who is gone")?;
            self.audit_club(number, entry.group_head, Club::Group, &mut listed[0])?;
            self.audit_club(number, entry.session_head, Club::Session, &mut listed[1])?;
        }
        must(used == self.pids.used, "numbers in use are counted wrongly")?;
        let all = [ProcessRow::live(&self.rows); 2];
        must(listed == all, "a process is not in the list of its group or session")?;
        for (_, row) in ProcessRow::all(&self.rows) {
            let process = &self.rows[row];
            let parent = self.pids.process(process.parent);
            // By the face a birth may name a zombie: the number stays when that is waited for.
            let may_be_gone = process.parent == 0 || self.bends.first_adopts;
            must(may_be_gone || parent.is_some(), "the parent of a process is gone")?;
            let lends = process.vfork_parent == 0 || process.life == Life::Alive;
            must(lends, "a dead process holds its parent in vfork")?;
        }
        let tied = self.timers.next.keys().all(|pid| self.pids.process(*pid).is_some());
        must(tied, "timers of a process that is gone are numbered")
    }

    /// Own ids and places in orders come once, and none is still to come.
    fn audit_ids(&self) -> Result<(), Defect> {
        fn ids<R: RowKind>(rows: &Rows) -> impl Iterator<Item = u64> {
            R::all(rows).into_iter().map(|(id, _)| id)
        }
        fn come_once(mut numbers: Vec<u64>, last: u64) -> bool {
            numbers.sort_unstable();
            let twice = numbers.windows(2).any(|pair| pair.first() == pair.last());
            !twice && numbers.last().is_none_or(|highest| *highest <= last)
        }
        let rows = &self.rows;
        let mut own: Vec<u64> = ids::<ContextRow>(rows).chain(ids::<HandlersRow>(rows)).collect();
        own.extend(ids::<FilesRow>(rows).chain(ids::<DescriptionRow>(rows)));
        own.extend(ids::<PipeRow>(rows).chain(ids::<SocketRow>(rows)));
        own.extend(ids::<EventRow>(rows).chain(ids::<PidfdRow>(rows)));
        let counters = &self.counters;
        must(come_once(own, counters.next_id), "an own id stands twice or is still to come")?;
        let mut waits: Vec<u64> = self.all_waits().map(|(_, wait)| wait.since).collect();
        waits.extend(self.all_items().map(|(_, item)| item.since));
        must(come_once(waits, counters.next_since), "a place in the order of waiting is wrong")?;
        let growing = [counters.next_id, counters.next_since, counters.next_birth, self.tick];
        let ends = growing.into_iter().any(|number| number > COUNTER_MAX);
        must(!ends, "a number that only grows is at its end")
    }

    /// The members of one group or session; `listed` counts those of all.
    fn audit_club(
        &self,
        number: u32,
        head: u32,
        club: Club,
        listed: &mut u64,
    ) -> Result<(), Defect> {
        let mut at = head;
        while let Some(row) = self.pids.process(at) {
            let member = &self.rows[row];
            let (own, link) = match club {
                Club::Group => (member.pgid, member.in_group),
                Club::Session => (member.sid, member.in_session),
            };
            must(own == number, "a group or session lists one of another")?;
            *listed += 1;
            let circle = *listed > ProcessRow::live(&self.rows);
            must(!circle, "the list of a group or session runs in a circle")?;
            at = link.next;
        }
        must(at == 0, "the list of a group or session leads nowhere")
    }
}
