//! Rows to bytes: what digests hash and snapshots write. References become own ids.

use super::sockets::put_socket_waiting;
use super::terminals::HAS_TERMINAL;
use super::{
    HAS_CPU_TIMERS, HAS_DEATH_SIGNAL, HAS_LIMITS, HAS_LOCKER, HAS_MAKER, HAS_OLD_FOREGROUND,
    HAS_OOM, HAS_OPENER, HAS_OWNER, HAS_START, IS_TOLD, IS_UNDUMPABLE, WAITS_ALWAYS,
};
use crate::abi::Signal;
use crate::calls::splice::Splicing;
use crate::calls::transfer::Sending;
use crate::components::Oom;
use crate::components::description::Owner;
use crate::components::epoll::Watchers;
use crate::components::{
    Context, Description, Event, Files, Frame, Handlers, Hold, Interrupted, Life, Object, Pending,
    Pidfd, Process, Queued, Restart, Target, Task, Text, Wait, WaitQueue, Waiting,
};
use crate::kernel::Kernel;
use crate::rows::{DescriptionRow, Encode, RowKind, Rows};
use crate::wire::{Wire, put_varint};
use alloc::vec::Vec;

/// Set in the number of a signal whose hold follows.
const HAS_HOLD: u8 = 0x80;

impl Kernel {
    pub(super) fn put_rows<K: RowKind>(&self, out: &mut Vec<u8>)
    where
        Rows: core::ops::Index<K, Output = K::Value>,
        K::Value: Encode,
    {
        let all = K::all(&self.rows);
        put_varint(out, all.len() as u64);
        for (own_id, row) in all {
            own_id.put(out);
            self.rows[row].encode(&self.rows, out);
        }
    }

    pub(super) fn put_records(&self, out: &mut Vec<u8>) {
        put_varint(out, self.record_locks.len() as u64);
        for (object, locks) in &self.record_locks {
            object.put(out);
            locks.put(out);
        }
    }

    pub(super) fn put_asking(&self, out: &mut Vec<u8>) {
        match &self.asking {
            None => out.push(0),
            Some(asking) => {
                out.push(1);
                asking.question.put(out);
                asking.event.as_slice().put(out);
                asking.tick.put(out);
            }
        }
        self.answers.put(out);
    }
}

crate::wire_enum!(Restart { 0 WithFlag, 1 Never, 2 Uninterruptible, 3 NeverAtAll });
crate::wire_enum!(Life { 0 Alive, 1 Zombie(status) });
crate::wire_struct!(crate::components::Link { prev, next });
crate::wire_enum!(crate::event::Question {
    0 Entropy { bytes }, 1 HostFile { path }, 2 Unmodelled { number },
    3 Permission { subject, operation, path, words }, 4 Foreign { call }
});

crate::wire_enum!(Hold { 0 User(uid), 1 Timer, 2 Nothing });

/// What it holds is written where that is not the place of user 0.
impl<'a> Wire<'a> for Queued {
    fn put(&self, out: &mut Vec<u8>) {
        self.info.put(out);
        if self.hold == Hold::User(0) {
            self.signal.put(out);
            return;
        }
        (self.signal.number() | HAS_HOLD).put(out);
        self.hold.put(out);
    }
    fn get(from: &mut crate::wire::WireReader<'a>) -> Result<Self, crate::wire::WireError> {
        let info = Wire::get(from)?;
        let error = from.error("a signal, 1 to 64");
        let number = u8::get(from)?;
        let signal = Signal::new(i32::from(number & !HAS_HOLD)).ok_or(error)?;
        let hold = if number & HAS_HOLD != 0 { Wire::get(from)? } else { Hold::User(0) };
        Ok(Queued { info, signal, hold })
    }
}

impl<'a> Wire<'a> for Pending {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.queue.len() as u64);
        for queued in &self.queue {
            queued.put(out);
        }
    }
    fn get(from: &mut crate::wire::WireReader<'a>) -> Result<Self, crate::wire::WireError> {
        let mut pending = Pending::default();
        for queued in Vec::<Queued>::get(from)? {
            // A standard one twice, too: a timer's, or what was the leader's of a zombie.
            pending.set.insert(queued.signal);
            pending.queue.push_back(queued);
        }
        Ok(pending)
    }
}

/// Items of epoll(7) are not written: their instances know what they watch.
impl<'a> Wire<'a> for WaitQueue {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn get(from: &mut crate::wire::WireReader<'a>) -> Result<Self, crate::wire::WireError> {
        Ok(WaitQueue(Wire::get(from)?, Watchers::NONE))
    }
}

impl Encode for Description {
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        match self.target {
            Target::File(place) => {
                out.push(0);
                place.put(out);
            }
            Target::Pipe(pipe, place) => {
                out.push(1);
                pipe.own_id(rows).put(out);
                place.put(out);
            }
            Target::Socket(socket) => {
                out.push(2);
                socket.own_id(rows).put(out);
            }
            Target::Object(object) => put_object(object, rows, out),
        }
        // flock(2) has two bits; the rest of its word is free.
        let has = |there: bool, bit: u32| if there { bit } else { 0 };
        let notices = self.notices();
        let owner = notices.owner;
        let has_owner = owner != Owner::of(owner.id);
        let kinds = self.flock
            | has(has_owner, HAS_OWNER)
            | has(notices.told.is_some(), IS_TOLD)
            | has(self.waits_always, WAITS_ALWAYS)
            | has(self.opener != 0, HAS_OPENER)
            | has(self.terminal.is_some(), HAS_TERMINAL)
            | has(self.flock_pid != 0, HAS_LOCKER);
        [self.flags, self.refs, kinds].put(out);
        self.offset.put(out);
        [owner.id, notices.signal].put(out);
        if has_owner {
            (owner.kind, owner.ids).put(out);
        }
        if let Some(told) = notices.told {
            told.put(out);
        }
        if let Some(side) = self.terminal {
            side.terminal.own_id(rows).put(out);
            (side.end, side.hangups).put(out);
        }
        if self.opener != 0 {
            self.opener.put(out);
        }
        if self.flock_pid != 0 {
            self.flock_pid.put(out);
        }
    }
}

fn put_object(object: Object, rows: &Rows, out: &mut Vec<u8>) {
    out.push(3);
    match object {
        Object::Epoll(_) => out.push(0),
        Object::Inotify => out.push(1),
        Object::Device(device) => (2u8, device).put(out),
        Object::Foreign(path) => (3u8, path).put(out),
        Object::Event(event) => (4u8, event.own_id(rows)).put(out),
        Object::Pidfd(pidfd) => (5u8, pidfd.own_id(rows)).put(out),
        Object::Pty(number, end) => {
            out.push(6);
            (number, end).put(out);
        }
        Object::Timer => out.push(66),
        Object::Signals(mask) => (67u8, mask).put(out),
    }
}

impl Encode for Event {
    fn encode(&self, _rows: &Rows, out: &mut Vec<u8>) {
        (self.count, self.semaphore).put(out);
        self.waiters.put(out);
    }
}

impl Encode for Pidfd {
    fn encode(&self, _rows: &Rows, out: &mut Vec<u8>) {
        [self.pid, self.refs].put(out);
        self.gone.put(out);
        self.waiters.put(out);
    }
}

impl Encode for Files {
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        self.refs.put(out);
        put_varint(out, self.slots.len() as u64);
        put_varint(out, u64::from(self.open));
        for (fd, slot) in self.slots.iter().enumerate() {
            if let Some(slot) = slot {
                put_varint(out, fd as u64);
                (slot.description.own_id(rows), slot.cloexec).put(out);
            }
        }
    }
}

impl Encode for Context {
    fn encode(&self, _rows: &Rows, out: &mut Vec<u8>) {
        self.refs.put(out);
        (self.cwd, self.root).put(out);
        self.umask.put(out);
    }
}

impl Encode for Handlers {
    fn encode(&self, _rows: &Rows, out: &mut Vec<u8>) {
        self.refs.put(out);
        self.ignored.put(out);
        put_varint(out, self.actions.len() as u64);
        for action in &self.actions {
            action.put(out);
        }
    }
}

impl Encode for Process {
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        [self.parent, self.outside_parent, self.pgid, self.sid].put(out);
        put_varint(out, self.threads.len() as u64);
        for thread in &self.threads {
            thread.put(out);
        }
        [self.children, self.sibling, self.in_group, self.in_session].put(out);
        self.birth.put(out);
        put_varint(out, self.reportable.iter().count() as u64);
        for key in self.reportable.iter() {
            key.put(out);
        }
        self.child_waiters.put(out);
        (self.life, self.stopped).put(out);
        (self.report, self.ending).put(out);
        self.exit_signal.put(out);
        self.pending.put(out);
        (self.did_exec, self.subreaper).put(out);
        [self.vfork_parent, self.last_uid].put(out);
        [self.alarm_ns, self.alarm_interval_ns, self.tty].put(out);
        put_rare(self, out);
        self.exe.put(out);
        (self.driver, self.requester).put(out);
        (self.exit_code, self.goes_ns).put(out);
        rows.put_text(self, out);
    }
}

/// Nothing of its own: its processes write the texts.
impl Encode for Text {
    fn encode(&self, _rows: &Rows, _out: &mut Vec<u8>) {}
}

/// What few processes have: a byte that says which of it follows, then that.
fn put_rare(process: &Process, out: &mut Vec<u8>) {
    let has = |there: bool, bit: u8| if there { bit } else { 0 };
    let which: u8 = has(process.limits.is_some(), HAS_LIMITS)
        | has(process.cpu_timers.is_some(), HAS_CPU_TIMERS)
        | has(process.death_signal != 0, HAS_DEATH_SIGNAL)
        | has(process.maker != 0, HAS_MAKER)
        | has(process.undumpable, IS_UNDUMPABLE)
        | has(process.old_foreground != 0, HAS_OLD_FOREGROUND)
        | has(process.start_ns != 0, HAS_START)
        | has(process.oom != Oom::default(), HAS_OOM);
    which.put(out);
    if let Some(limits) = &process.limits {
        limits.put(out);
    }
    if let Some(timers) = &process.cpu_timers {
        timers.put(out);
    }
    if process.death_signal != 0 {
        process.death_signal.put(out);
    }
    if process.maker != 0 {
        process.maker.put(out);
    }
    if process.old_foreground != 0 {
        process.old_foreground.put(out);
    }
    if process.start_ns != 0 {
        process.start_ns.put(out);
    }
    if process.oom != Oom::default() {
        process.oom.put(out);
    }
}

impl Encode for Task {
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        let refs = [
            self.process.own_id(rows),
            self.files.own_id(rows),
            self.context.own_id(rows),
            self.handlers.own_id(rows),
        ];
        refs.put(out);
        (self.mask, self.saved_mask).put(out);
        self.pending.put(out);
        put_varint(out, self.frames.len() as u64);
        for frame in &self.frames {
            put_frame(frame, rows, out);
        }
        put_wait(self.wait.as_deref(), rows, out);
        self.credentials.put(out);
        self.alt_stack.put(out);
        out.push(u8::from(self.exited) | u8::from(self.over_nproc) << 1);
    }
}

fn put_frame(frame: &Frame, rows: &Rows, out: &mut Vec<u8>) {
    frame.mask.put(out);
    if let Some(announce) = frame.announce {
        out.push(3);
        announce.put(out);
    }
    match &frame.interrupted {
        None => out.push(0),
        Some(Interrupted::Again(wait)) => {
            out.push(1);
            put_wait(Some(wait), rows, out);
        }
        Some(Interrupted::Over(call, result)) => {
            out.push(2);
            call.put(out);
            result.put(out);
        }
        Some(Interrupted::AgainUnder(wait, mask)) => {
            out.push(4);
            mask.put(out);
            put_wait(Some(wait), rows, out);
        }
    }
}

fn put_wait(wait: Option<&Wait>, rows: &Rows, out: &mut Vec<u8>) {
    let Some(wait) = wait else {
        out.push(0);
        return;
    };
    out.push(1);
    wait.call.put(out);
    wait.since.put(out);
    wait.deadline_ns.put(out);
    wait.restart.put(out);
    put_waiting(&wait.on, rows, out);
}

fn put_held(held: &[Option<DescriptionRow>], rows: &Rows, out: &mut Vec<u8>) {
    put_varint(out, held.len() as u64);
    for row in held {
        row.map(|row| row.own_id(rows)).put(out);
    }
}

/// A call that moves pages. What it has moved was not always written.
fn put_moving(on: &Waiting, rows: &Rows, out: &mut Vec<u8>) {
    let gone = match on {
        Waiting::Splice(Splicing { from, to, offset, count, keeps, moved }) => {
            let tag = if *moved == 0 { 18u8 } else { 20 };
            (tag, [from.own_id(rows), to.own_id(rows)]).put(out);
            (*offset, *count).put(out);
            keeps.put(out);
            *moved
        }
        Waiting::Sendfile(Sending { from, to, own_offset, at, count, sent }) => {
            let tag = if *sent == 0 { 14u8 } else { 19 };
            (tag, [from.own_id(rows), to.own_id(rows)]).put(out);
            ([*at, *count], *own_offset).put(out);
            *sent
        }
        _ => return,
    };
    if gone > 0 {
        gone.put(out);
    }
}

fn put_waiting(on: &Waiting, rows: &Rows, out: &mut Vec<u8>) {
    match on {
        Waiting::Parked(call) => (0u8, call.clone()).put(out),
        Waiting::PipeRead { description, count } => {
            (1u8, [description.own_id(rows), *count]).put(out);
        }
        Waiting::PipeWrite { description, data, written } => {
            (2u8, [description.own_id(rows), *written]).put(out);
            data.put(out);
        }
        Waiting::Splice(_) | Waiting::Sendfile(_) => put_moving(on, rows, out),
        // 3 was the same without the descriptor's number.
        Waiting::FifoOpen { pipe, place, fd, flags, seen, over, again } => {
            (13u8, [pipe.own_id(rows), *seen]).put(out);
            place.put(out);
            ([*fd, *flags], *over).put(out);
            again.put(out);
        }
        Waiting::Child { select, options, info } => {
            (4u8, *select).put(out);
            (*options, *info).put(out);
        }
        Waiting::Poll { fds, held } => {
            (5u8, fds.clone()).put(out);
            put_held(held, rows, out);
        }
        Waiting::FacePoll { fds, held, sockets } => {
            (82u8, fds.clone()).put(out);
            put_held(held, rows, out);
            sockets.put(out);
        }
        Waiting::Select { sets, fds, held } => {
            (6u8, sets.clone()).put(out);
            fds.put(out);
            put_held(held, rows, out);
        }
        Waiting::Sleep { absolute } => (7u8, *absolute).put(out),
        Waiting::Pause => out.push(8),
        Waiting::Signal { set } => (9u8, *set).put(out),
        Waiting::Vfork { child } => (10u8, *child).put(out),
        Waiting::RecordLock { description, object, lock } => {
            (12u8, description.own_id(rows)).put(out);
            (*object, *lock).put(out);
        }
        Waiting::SocketRead { .. }
        | Waiting::SocketWrite { .. }
        | Waiting::Connect { .. }
        | Waiting::Accept { .. } => put_socket_waiting(on, rows, out),
        Waiting::Epoll { description, max_events } => {
            (81u8, description.own_id(rows)).put(out);
            max_events.put(out);
        }
        Waiting::TerminalRead(_) | Waiting::TerminalWrite(_) | Waiting::TerminalTurn { .. } => {
            super::terminals::put_waiting(on, rows, out);
        }
        Waiting::EventRead { description } => (16u8, description.own_id(rows)).put(out),
        Waiting::EventWrite { description, value } => {
            (17u8, [description.own_id(rows), *value]).put(out);
        }
        Waiting::Finished(result) => (15u8, result.clone()).put(out),
        Waiting::Flock { description, operation } => {
            (11u8, description.own_id(rows)).put(out);
            operation.put(out);
        }
    }
}
