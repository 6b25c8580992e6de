//! Phase 3, readiness: blocked calls are put to sleep, woken and tried again.
//!
//! Owns the wait queues' discipline: a blocked call stands in the queue of every object that it
//! waits for from [`Kernel::block`] until it completes or is interrupted. Objects are visited in
//! the order in which they changed; the calls of one object, with the items of epoll(7) on it, in
//! the order of Linux's wait queues (`turns.rs`, `watchers.rs`). What each kind of call does when
//! it is tried lies with its family in `calls/`.

use crate::abi::flags::O_NONBLOCK;
use crate::abi::{Errno, WaitStatus};
use crate::calls::transfer::Sending;
use crate::components::{Interrupted, Object, Restart, Target, Wait, Waiting};
use crate::event::{Answer, Call, CallId, Completed, Completion, Event, Outcome, Output, Refusal};
use crate::kernel::{Asking, Changed, Kernel, Stop, WakeMode};
use crate::memory;
use crate::rows::{DescriptionRow, PipeRow, ProcessRow, RowKind, TaskRow};
use crate::tables::deadlines::Due;
use crate::wire::{Bytes, Wire, WireReader};
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;

impl Kernel {
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.changed.is_empty()
            || !self.signalled.is_empty()
            || self.fs.has_told()
            || self.flights.has_work()
    }

    /// Runs the phases until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        if self.fs.has_told() {
            self.tell_watchers();
        }
        if self.flights.has_work() {
            self.settle_flights();
        }
        if self.config.wake == WakeMode::OnDemand {
            self.changed.clear();
            self.signalled.clear();
            return;
        }
        loop {
            if let Some(tid) = self.signalled.pop_front() {
                self.deliver_pending(tid);
            } else if let Some(object) = self.changed.pop_front() {
                self.wake(object);
            } else if self.fs.has_told() {
                self.tell_watchers();
            } else if self.flights.has_work() {
                self.settle_flights();
            } else {
                return;
            }
        }
    }

    /// Puts a task to sleep in a call.
    pub(crate) fn block(&mut self, tick: u64, row: TaskRow, mut wait: Box<Wait>) -> Outcome {
        let call = CallId(tick);
        let bytes = memory::wait_bytes(&wait.on);
        if bytes > 0 && !self.has_memory(bytes) {
            self.let_go(row, &wait.on);
            self.end_temporary_mask(row);
            return match wait.on.partial() {
                Some(answer) => Outcome::Done(answer),
                None => Outcome::Failed(Errno::ENOMEM),
            };
        }
        self.hold_bytes(bytes);
        self.counters.next_since += 1;
        (wait.call, wait.since) = (call, self.counters.next_since);
        self.counters.blocked += 1;
        // What is made again after a signal that it caused itself does not wait either.
        let caused = matches!(wait.on, Waiting::Parked(_));
        self.sleep(row, wait);
        let unmasked =
            self.config.wake == WakeMode::Auto && (caused || self.rows[row].saved_mask.is_some());
        if unmasked && self.has_deliverable(row) {
            return self.interrupted_at_once(row, call);
        }
        Outcome::Blocked(call)
    }

    /// A call that changes the mask for its duration, and so lets a pending signal through, does
    /// not wait (sigsuspend(2)): if a handler runs, its result is there already.
    fn interrupted_at_once(&mut self, row: TaskRow, call: CallId) -> Outcome {
        let tid = self.rows[row].tid;
        self.deliver_pending(tid);
        if self.pids.task(tid) != Some(row) {
            return Outcome::Blocked(call);
        }
        let frames = &mut self.rows[row].frames;
        let of_call = |interrupted: &mut Interrupted| match interrupted {
            Interrupted::Over(of, _) => *of == call,
            Interrupted::Again(_) | Interrupted::AgainUnder(..) => false,
        };
        let over = frames.iter_mut().find_map(|frame| {
            let before = memory::frame_bytes(frame.interrupted.as_ref());
            let over = frame.interrupted.take_if(of_call)?;
            Some((over, before - memory::frame_bytes(None)))
        });
        let Some((Interrupted::Over(_, result), bytes)) = over else {
            return Outcome::Blocked(call);
        };
        self.unhold_bytes(bytes);
        match result {
            Completed::Done(answer) => Outcome::Done(answer),
            Completed::Failed(errno) => Outcome::Failed(errno),
            Completed::Gone(_) => Outcome::Blocked(call),
        }
    }

    /// Enters a wait into its queues and the table of deadlines.
    pub(crate) fn sleep(&mut self, row: TaskRow, wait: Box<Wait>) {
        let tid = self.rows[row].tid;
        if let Some(deadline) = wait.deadline_ns {
            self.deadlines.add(deadline, Due::Call(tid));
        }
        self.watch(row, &wait, true);
        if self.config.wake == WakeMode::OnDemand {
            self.blocked_calls.insert(wait.call, tid);
        }
        let sensitive = wait.restart != Restart::Uninterruptible;
        self.rows[row].wait = Some(wait);
        if sensitive && self.has_deliverable(row) {
            self.signalled.push_back(tid);
        }
    }

    /// Takes a wait out of its queues. What it holds stays held.
    pub(crate) fn unsleep(&mut self, row: TaskRow) -> Option<Box<Wait>> {
        let wait = self.rows[row].wait.take()?;
        if let Some(deadline) = wait.deadline_ns {
            let tid = self.rows[row].tid;
            self.deadlines.remove(deadline, Due::Call(tid));
        }
        if self.config.wake == WakeMode::OnDemand {
            self.blocked_calls.remove(&wait.call);
        }
        self.watch(row, &wait, false);
        Some(wait)
    }

    /// Enters or removes a wait in the queues of its objects.
    fn watch(&mut self, row: TaskRow, wait: &Wait, enter: bool) {
        let (since, tid) = (wait.since, self.rows[row].tid);
        match &wait.on {
            // It leaves when it is over, too.
            Waiting::Accept { over: true, .. } if enter => {}
            Waiting::Accept { description, .. }
            | Waiting::PipeRead { description, .. }
            | Waiting::PipeWrite { description, .. }
            | Waiting::SocketRead { description, .. }
            | Waiting::EventRead { description }
            | Waiting::EventWrite { description, .. } => {
                self.watch_description(*description, since, tid, enter);
            }
            Waiting::SocketWrite { description, with, .. } => {
                self.watch_description(*description, since, tid, enter);
                if let Some(at) = with.as_deref().and_then(|with| with.at) {
                    self.watch_room(at, since, tid, enter);
                }
            }
            Waiting::Connect { description, at, .. } => {
                self.watch_description(*description, since, tid, enter);
                self.watch_room(*at, since, tid, enter);
            }
            Waiting::TerminalRead(reading) => {
                self.watch_terminal(reading.description, (true, false), since, tid, enter);
            }
            Waiting::TerminalWrite(writing) => {
                self.watch_terminal(writing.description, (false, true), since, tid, enter);
            }
            Waiting::TerminalTurn { description, reads, .. } => {
                self.watch_turn(*description, *reads, since, tid, enter);
            }
            Waiting::Splice(splicing) => {
                self.watch_all(&splicing.held().map(Some), since, tid, enter);
            }
            Waiting::Sendfile(Sending { to, .. }) => {
                self.watch_description(*to, since, tid, enter);
            }
            Waiting::FifoOpen { pipe, .. } => self.watch_pipe(*pipe, since, tid, enter),
            Waiting::Poll { held, .. } | Waiting::Select { held, .. } => {
                self.watch_all(held, since, tid, enter);
            }
            Waiting::FacePoll { held, sockets, .. } => {
                self.watch_all(held, since, tid, enter);
                self.watch_face_sockets(sockets, (since, tid), enter);
            }
            Waiting::Epoll { description, .. } => {
                if let Target::Object(Object::Epoll(epoll)) = self.rows[*description].target {
                    let queue = &mut self.rows[epoll].waiters;
                    if enter { queue.add(since, tid) } else { queue.remove(since) }
                }
            }
            Waiting::Child { .. } => {
                let process = self.rows[row].process;
                let queue = &mut self.rows[process].child_waiters;
                if enter { queue.add(since, tid) } else { queue.remove(since) }
            }
            Waiting::Flock { description, .. } => {
                self.watch_lock(*description, since, tid, enter);
            }
            Waiting::RecordLock { object, .. } => self.watch_records(*object, since, tid, enter),
            Waiting::Parked(_)
            | Waiting::Finished(_)
            | Waiting::Sleep { .. }
            | Waiting::Pause
            | Waiting::Signal { .. }
            | Waiting::Vfork { .. } => {}
        }
    }

    /// Whose turn it is at a terminal, or that a pipe has room for what it gives.
    fn watch_turn(&mut self, row: DescriptionRow, reads: bool, since: u64, tid: u32, enter: bool) {
        match self.rows[row].terminal {
            Some(_) => self.watch_terminal(row, (reads, !reads), since, tid, enter),
            None => self.watch_description(row, since, tid, enter),
        }
    }

    fn watch_all(&mut self, held: &[Option<DescriptionRow>], since: u64, tid: u32, enter: bool) {
        for description in held.iter().flatten() {
            self.watch_description(*description, since, tid, enter);
        }
    }

    fn watch_description(&mut self, row: DescriptionRow, since: u64, tid: u32, enter: bool) {
        let description = &self.rows[row];
        if let Target::Pipe(pipe, _) = description.target {
            return self.watch_pipe(pipe, since, tid, enter);
        }
        if description.terminal.is_some() {
            return self.watch_terminal(row, (true, true), since, tid, enter);
        }
        let handlers = self.pids.task(tid).map(|task| self.rows[task].handlers);
        if let Some(object) = self.watched(row, handlers) {
            self.stand(object, (since, tid), enter);
        }
    }

    fn watch_pipe(&mut self, pipe: PipeRow, since: u64, tid: u32, enter: bool) {
        if !self.pipe_is_live(pipe) {
            return;
        }
        let queue = &mut self.rows[pipe].waiters;
        if enter { queue.add(since, tid) } else { queue.remove(since) }
    }

    /// Notes that a pipe changed, if a call waits for it.
    #[inline]
    pub(crate) fn pipe_changed(&mut self, pipe: PipeRow) {
        if !self.rows[pipe].waiters.0.is_empty() {
            self.note(Changed::Pipe(pipe));
        }
    }

    pub(crate) fn note(&mut self, object: Changed) {
        if self.changed.back() != Some(&object) {
            self.changed.push_back(object);
        }
    }

    /// Tries the calls that wait for an object.
    fn wake(&mut self, object: Changed) {
        // A copy: calls that end leave the queue.
        let waiters: SmallVec<[(u64, u32); 4]> = match object {
            Changed::Room(socket) if socket.is_live(&self.rows) => {
                let more = self.rows[socket].more.as_deref();
                SmallVec::from_slice(more.map_or(&[], |more| &more.room_waiters.0))
            }
            Changed::Room(_) => return,
            Changed::Pipe(_)
            | Changed::Socket(_)
            | Changed::Event(_)
            | Changed::Pidfd(_)
            | Changed::Inotify(_)
            | Changed::Timer(_)
            | Changed::Signals(_)
            | Changed::Terminal { .. }
            | Changed::Pty(..)
            | Changed::FaceSocket(_)
            | Changed::FaceRoom
            | Changed::Epoll(_) => {
                let Some(queue) = self.queue(object) else { return };
                let mut waiters = SmallVec::from_slice(&queue.0);
                if waiters.len() > 1 {
                    self.put_in_order(&mut waiters);
                }
                waiters
            }
            Changed::Children { parent, child, group, maker } => {
                let Some(process) = self.pids.process(parent) else { return };
                let waiters = self.rows[process].child_waiters.0.iter().copied();
                let makes = |tid: u32| self.rows[process].maker_number(tid) == maker;
                let wanted = |tid: &u32| self.waits_for(*tid, child, group, makes(*tid));
                waiters.filter(|(_, tid)| wanted(tid)).collect()
            }
            Changed::Locks(inode) => self.lock_waiters(inode).into(),
            Changed::Records(object) => self.record_waiters(object).into(),
            Changed::Waiter { tid, since } => {
                self.retry(tid, Some(since));
                self.wait_for_more(tid, since);
                return;
            }
            Changed::Task(tid) => {
                self.retry(tid, None);
                return;
            }
        };
        let anew = matches!(object, Changed::Socket(_));
        for (since, tid) in waiters {
            self.retry(tid, Some(since));
            if anew {
                self.wait_for_more(tid, since);
            }
        }
    }

    /// Tries a task's blocked call once; only if it is the wait of that place in the order.
    fn retry(&mut self, tid: u32, since: Option<u64>) {
        let Some(row) = self.pids.task(tid) else { return };
        let stopped = self.rows[self.rows[row].process].stopped.is_some();
        if stopped && !self.bends.stopped_may_call {
            return;
        }
        let Some(wait) = &self.rows[row].wait else { return };
        if since.is_some_and(|since| since != wait.since) {
            return;
        }
        if since.is_none() && self.deliver_unmasked(row) {
            return;
        }
        self.max_bytes = u64::MAX;
        if let Some(result) = self.attempt(row) {
            self.complete(row, result);
        }
    }

    /// Tries the blocked call of a task: its result if it is done, and is to be completed.
    fn attempt(&mut self, row: TaskRow) -> Option<Completed> {
        let mut wait = self.rows[row].wait.take()?;
        let again = match &wait.on {
            Waiting::Parked(call) => Some(call.clone()),
            Waiting::TerminalTurn { description, reads, call } => {
                self.is_unlocked(*description, *reads).then(|| call.clone())
            }
            _ => None,
        };
        if let Some(call) = again {
            self.rows[row].wait = Some(wait);
            return self.make_again(row, &call);
        }
        let before_ns = wait.deadline_ns;
        let done = self.progress(row, &mut wait);
        if wait.deadline_ns != before_ns {
            self.move_deadline(self.rows[row].tid, before_ns, wait.deadline_ns);
        }
        let uninterruptible = wait.restart == Restart::Uninterruptible;
        self.rows[row].wait = Some(wait);
        let result = done?;
        if uninterruptible && self.config.wake == WakeMode::Auto && self.stops_first(row) {
            return None;
        }
        Some(result)
    }

    /// Ends a task's blocked call.
    pub(crate) fn complete(&mut self, row: TaskRow, result: Completed) {
        let Some(call) = self.leave_wait(row) else { return };
        let tid = self.rows[row].tid;
        if self.has_deliverable(row) {
            return self.end_with_signals(row, call, result);
        }
        self.outbox.push_back(Output::Completion(Completion { call, task: tid, result }));
    }

    /// The same while its process is only about to go on: what signals do, which may be the end of
    /// the process, comes when that is done.
    pub(crate) fn complete_late(&mut self, row: TaskRow, result: Completed) {
        let Some(call) = self.leave_wait(row) else { return };
        let tid = self.rows[row].tid;
        if !self.has_deliverable(row) {
            return self.give(row, tid, call, result);
        }
        if self.config.wake == WakeMode::OnDemand {
            return self.end_with_signals(row, call, result);
        }
        self.keep_result(row, call, result);
        self.note(Changed::Task(tid));
    }

    /// Gives a call's result; while its process is stopped the caller gets it when it goes on, but
    /// for the face's, whose driver goes on all the time.
    pub(crate) fn give(&mut self, row: TaskRow, tid: u32, call: CallId, result: Completed) {
        let process = self.pids.task(tid).filter(|task| *task == row);
        let process = process.map(|task| self.rows[task].process);
        let waits = |process: ProcessRow| {
            self.rows[process].stopped.is_some() && !self.bends.stopped_may_call
        };
        if !process.is_some_and(waits) {
            self.outbox.push_back(Output::Completion(Completion { call, task: tid, result }));
            return;
        }
        self.keep_result(row, call, result);
    }

    /// A call is over, and its caller gets its result later.
    pub(crate) fn keep_result(&mut self, row: TaskRow, call: CallId, result: Completed) {
        self.counters.next_since += 1;
        self.counters.blocked += 1;
        let wait = Wait {
            call,
            since: self.counters.next_since,
            deadline_ns: None,
            restart: Restart::WithFlag,
            on: Waiting::Finished(result),
        };
        self.hold_bytes(memory::wait_bytes(&wait.on));
        self.sleep(row, Box::new(wait));
    }

    /// A task's wait is over: nothing holds what it held. Gives its call.
    fn leave_wait(&mut self, row: TaskRow) -> Option<CallId> {
        let wait = self.unsleep(row)?;
        self.forget_wait(&wait.on);
        self.let_go(row, &wait.on);
        self.end_temporary_mask(row);
        Some(wait.call)
    }

    /// A call ends while signals are pending (it sent one itself, or none could interrupt it):
    /// their handlers run before its caller goes on, and one that ends the process ends the call.
    fn end_with_signals(&mut self, row: TaskRow, call: CallId, result: Completed) {
        let tid = self.rows[row].tid;
        if self.config.wake == WakeMode::Auto {
            self.resuming = Some((row, Interrupted::Over(call, result)));
            self.deliver_pending(tid);
            // A handler may have it now, or the end of the task has told of it.
            if let Some((_, Interrupted::Over(call, result))) = self.resuming.take() {
                self.give(row, tid, call, result);
            }
            return;
        }
        self.signalled.push_back(tid);
        self.outbox.push_back(Output::Completion(Completion { call, task: tid, result }));
    }

    /// A wait is over: what it was counted as.
    pub(crate) fn forget_wait(&mut self, on: &Waiting) {
        self.counters.blocked -= 1;
        self.unhold_bytes(memory::wait_bytes(on));
    }

    /// One try of a blocked call: its result if it is done.
    fn progress(&mut self, row: TaskRow, wait: &mut Wait) -> Option<Completed> {
        if let Waiting::Finished(result) = &wait.on {
            return Some(result.clone());
        }
        let tried = match &mut wait.on {
            Waiting::PipeRead { description, count } => {
                self.try_pipe_read(row, *description, *count).transpose()
            }
            Waiting::PipeWrite { description, data, written } => {
                let before = *written;
                let tried = self.try_pipe_write(row, *description, &data.0, written).transpose();
                // O_NONBLOCK may have been set since: then what is written is all.
                let leaves = *written > before
                    && self.rows[*description].flags & O_NONBLOCK != 0
                    && self.config.wake == WakeMode::Auto;
                tried.or_else(|| leaves.then_some(Ok(Answer::value(*written as i64))))
            }
            Waiting::SocketRead { .. }
            | Waiting::SocketWrite { .. }
            | Waiting::Connect { .. }
            | Waiting::Accept { .. } => self.try_socket_call(row, wait).transpose(),
            Waiting::TerminalRead(reading) => {
                self.go_on_reading(reading, &mut wait.deadline_ns).transpose()
            }
            Waiting::TerminalWrite(writing) => self.go_on_writing(row, writing).transpose(),
            Waiting::EventRead { description } => self.try_event(*description, None).map(Ok),
            Waiting::EventWrite { description, value } => {
                self.try_event(*description, Some(*value)).map(Ok)
            }
            Waiting::Splice(splicing) => self.try_splice(row, splicing).transpose(),
            Waiting::Sendfile(sending) => self.try_send(row, sending).transpose(),
            Waiting::FifoOpen { .. } => self.try_fifo_open(row, &mut wait.on).transpose(),
            Waiting::Child { select, options, info } => {
                self.try_wait(row, *select, *options, *info).transpose()
            }
            // The numbers are looked up anew: another task of the table may have closed one.
            Waiting::Poll { fds, .. } => self.try_poll(row, fds).map(Ok),
            Waiting::FacePoll { fds, sockets, .. } => self.try_face_poll(row, fds, sockets).map(Ok),
            Waiting::Epoll { description, max_events } => {
                self.try_epoll_wait(row, *description, *max_events).map(Ok)
            }
            Waiting::Select { sets, fds, .. } => self.try_select(row, sets, fds).map(Ok),
            Waiting::Flock { description, operation } => {
                let pid = self.rows[self.rows[row].process].pid;
                self.try_flock(*description, *operation, pid).then(|| Ok(Answer::default()))
            }
            Waiting::RecordLock { object, lock, .. } => {
                self.try_record_lock(*object, *lock).then(|| Ok(Answer::default()))
            }
            Waiting::Signal { set } => self.take_signal_of(row, *set).map(Ok),
            Waiting::Vfork { child } => {
                let child = *child;
                self.vfork_is_over(row, child).then(|| Ok(self.made_task(row, child, true)))
            }
            Waiting::Parked(_)
            | Waiting::TerminalTurn { .. }
            | Waiting::Finished(_)
            | Waiting::Sleep { .. }
            | Waiting::Pause => None,
        };
        match tried {
            Some(Ok(answer)) => Some(Completed::Done(answer)),
            Some(Err(errno)) => Some(Completed::Failed(errno)),
            // It may have another deadline by now.
            None if wait.deadline_ns.is_some_and(|deadline| deadline <= self.now_ns) => {
                Some(crate::expire::expired_result(&mut wait.on))
            }
            None => None,
        }
    }

    /// `Resume`: tries a blocked or parked call, whatever the order of waiting says (OnDemand).
    pub(crate) fn resume(&mut self, call: CallId, max_bytes: u64) -> Outcome {
        let found = self.config.wake == WakeMode::OnDemand;
        let Some(row) = found.then(|| self.blocked_in(call)).flatten() else {
            return Outcome::Refused(Refusal::Misplaced);
        };
        if max_bytes == 0 {
            return self.give_up(row);
        }
        self.max_bytes = max_bytes;
        self.answers_used = 0;
        let Some(wait) = &self.rows[row].wait else {
            return Outcome::Refused(Refusal::Misplaced);
        };
        if let Waiting::Parked(bytes) = &wait.on {
            let bytes = bytes.clone();
            return self.unpark(row, call, &bytes, max_bytes);
        }
        let Some(result) = self.attempt(row) else { return Outcome::Blocked(call) };
        self.complete(row, result.clone());
        match result {
            Completed::Done(answer) => Outcome::Done(answer),
            Completed::Failed(errno) => Outcome::Failed(errno),
            Completed::Gone(_) => Outcome::Blocked(call),
        }
    }

    /// A call is over as a signal would end it: a write that wrote some says how much (write(2)).
    fn give_up(&mut self, row: TaskRow) -> Outcome {
        let mut wait = self.rows[row].wait.take();
        if let Some(wait) = &wait {
            self.keep_interruption(wait);
        }
        let partial = wait.as_mut().and_then(|wait| wait.on.partial());
        self.rows[row].wait = wait;
        let Some(answer) = partial else {
            self.complete(row, Completed::Failed(Errno::EINTR));
            return Outcome::Failed(Errno::EINTR);
        };
        self.complete(row, Completed::Done(answer.clone()));
        Outcome::Done(answer)
    }

    /// A call that a stop or a handler took away is made anew (Auto).
    fn make_again(&mut self, row: TaskRow, call: &Bytes) -> Option<Completed> {
        let call = Call::get(&mut WireReader::new(&call.0)).ok()?;
        let result = match self.dispatch(row, &call) {
            Ok(answer) => Completed::Done(answer),
            Err(Stop::Fail(errno)) => Completed::Failed(errno),
            Err(Stop::Block(block)) => {
                let mut wait = self.unsleep(row)?;
                self.change_wait(row, &mut wait, block.on);
                (wait.restart, wait.deadline_ns) = (block.restart, block.deadline_ns);
                self.sleep(row, wait);
                return None;
            }
            // Only open(2) and calls on terminals are made again so: they do neither.
            Err(Stop::Ended | Stop::Ask(_)) => return None,
        };
        Some(result)
    }

    /// The first try of a parked call.
    fn unpark(&mut self, row: TaskRow, call: CallId, bytes: &Bytes, max_bytes: u64) -> Outcome {
        // It was encoded by `park`: it decodes.
        let Ok(parked) = Call::get(&mut WireReader::new(&bytes.0)) else {
            return Outcome::Refused(Refusal::Misplaced);
        };
        let tid = self.rows[row].tid;
        let outcome = match self.dispatch(row, &parked) {
            Ok(answer) => Outcome::Done(answer),
            Err(Stop::Fail(errno)) => Outcome::Failed(errno),
            Err(Stop::Ended) => return Outcome::Done(Answer::default()),
            Err(Stop::Block(block)) => {
                if let Some(wait) = self.unsleep(row) {
                    self.forget_wait(&wait.on);
                }
                return self.block(call.0, row, block);
            }
            Err(Stop::Ask(question)) => {
                let mut event = Vec::new();
                Event::Resume { call, max_bytes }.put(&mut event);
                self.asking = Some(Asking { question, event, tick: call.0 });
                return Outcome::Asking;
            }
        };
        // The call may have ended its own task.
        if self.pids.task(tid) == Some(row)
            && let Some(wait) = self.unsleep(row)
        {
            self.forget_wait(&wait.on);
        }
        outcome
    }

    /// The task that is blocked in a call.
    fn blocked_in(&self, call: CallId) -> Option<TaskRow> {
        let tid = *self.blocked_calls.get(&call)?;
        self.pids.task(tid)
    }

    /// Ends the blocked call of a task whose process ends.
    #[inline]
    pub(crate) fn cancel(&mut self, row: TaskRow, status: WaitStatus) {
        let task = &self.rows[row];
        if task.wait.is_some() || !task.frames.is_empty() || self.resuming.is_some() {
            self.cancel_calls(row, status);
        }
    }

    fn cancel_calls(&mut self, row: TaskRow, status: WaitStatus) {
        let tid = self.rows[row].tid;
        let mut calls = Vec::new();
        if let Some(wait) = self.unsleep(row) {
            self.forget_wait(&wait.on);
            self.let_go(row, &wait.on);
            calls.push(wait.call);
        }
        let frames = core::mem::take(&mut self.rows[row].frames);
        for frame in &frames {
            self.unhold_bytes(memory::frame_bytes(frame.interrupted.as_ref()));
        }
        // What a handler interrupted, and what goes on this moment.
        let resumes = self.resuming.take_if(|(of, _)| *of == row);
        let interrupted = frames.into_iter().map(|frame| frame.interrupted);
        for interrupted in interrupted.chain([resumes.map(|(_, what)| what)]).rev() {
            match interrupted {
                Some(Interrupted::Again(wait) | Interrupted::AgainUnder(wait, _)) => {
                    self.forget_wait(&wait.on);
                    self.let_go(row, &wait.on);
                    calls.push(wait.call);
                }
                Some(Interrupted::Over(call, _)) => calls.push(call),
                None => {}
            }
        }
        for call in calls {
            self.outbox.push_back(Output::Completion(Completion {
                call,
                task: tid,
                result: Completed::Gone(status),
            }));
        }
    }
}
