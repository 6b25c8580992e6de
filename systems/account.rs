//! Phase 5, accounting: counters are kept by addition and subtraction as things change; this walks
//! and compares; `references.rs` does the same for what refers to what. Run by restore, by the
//! fuzzer's invariants and by tests, never by a tick.

use crate::abi::flags::{AF_UNIX, O_ACCMODE, O_PATH, O_RDONLY, O_WRONLY};
use crate::calls::transfer::Sending;
use crate::components::pipe::SegmentKind;
use crate::components::socket::{Peer, QueuedError};
use crate::components::{Interrupted, Life, Object, Target, Wait, Waiting};
use crate::fs::LentId;
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::{
    ContextRow, DescriptionRow, EventRow, FilesRow, HandlersRow, PidfdRow, PipeRow, ProcessRow,
    RowKind, SocketRow, TaskRow, TextRow,
};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

/// An invariant that does not hold: a defect of the core, or of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl core::error::Error for Defect {}

pub(crate) fn must(holds: bool, what: &'static str) -> Result<(), Defect> {
    if holds { Ok(()) } else { Err(Defect { what }) }
}

/// Uses of rows, counted by a walk.
#[derive(Default)]
struct Uses {
    descriptions: BTreeMap<u64, u32>,
    files: BTreeMap<u64, u32>,
    contexts: BTreeMap<u64, u32>,
    handlers: BTreeMap<u64, u32>,
    blocked: u64,
    readers: BTreeMap<u64, u32>,
    writers: BTreeMap<u64, u32>,
    held_bytes: u64,
    user_tasks: BTreeMap<u32, u64>,
}

impl Kernel {
    /// Walks everything and compares with what is kept: references, counters, lists.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn audit(&self) -> Result<(), Defect> {
        let mut uses = Uses::default();
        self.audit_tasks(&mut uses)?;
        self.audit_files(&mut uses)?;
        // What lies in messages is used, too.
        self.audit_sockets(&mut uses)?;
        self.audit_descriptions(&mut uses)?;
        self.audit_pipes(&mut uses)?;
        self.audit_processes(&mut uses)?;
        must(uses.user_tasks == self.user_tasks.all(), "tasks of a user are counted wrongly")?;
        must(uses.blocked == self.counters.blocked, "blocked tasks are counted wrongly")?;
        uses.held_bytes += self.face.ptys.len() as u64 * memory::PTY_BYTES;
        uses.held_bytes += self.face.sockets.held_bytes();
        let cwds = self.face.cwds.values().map(|cwd| crate::face::cwd_bytes(&cwd.0));
        uses.held_bytes += cwds.sum::<u64>();
        let locks: u64 = self.record_locks.values().map(|locks| locks.locks.len() as u64).sum();
        uses.held_bytes += locks * memory::LOCK_BYTES;
        uses.held_bytes += self.inotify.held_bytes();
        must(self.inotify.is_indexed(), "watches are indexed wrongly")?;
        let watched = self.inotify.index().len() as u64;
        must(u64::from(self.fs.watched()) == watched, "watched inodes are counted wrongly")?;
        let instances = DescriptionRow::all(&self.rows).into_iter().filter(|(id, row)| {
            let is_one = matches!(self.rows[*row].target, Target::Object(Object::Inotify));
            is_one && self.inotify.instances.contains_key(id)
        });
        let instances = instances.count() == self.inotify.instances.len();
        must(instances, "an instance of inotify is nobody's")?;
        let timers = &self.timers.by_number;
        uses.held_bytes += timers.len() as u64 * memory::TIMER_BYTES;
        let owned = timers.keys().all(|(pid, _)| self.pids.process(*pid).is_some());
        must(owned, "a timer belongs to nobody")?;
        let signals = self.count_signals();
        must(signals == self.queued_signals, "pending signals are counted wrongly")?;
        let by_user = self.signals_by_user() == self.user_signals.all();
        must(by_user, "pending signals of a user are counted wrongly")?;
        self.audit_waiting(&mut uses.held_bytes)?;
        must(uses.held_bytes == self.counters.held_bytes, "held bytes are counted wrongly")?;
        must(self.row_bytes() == self.rows.bytes(), "bytes of rows are counted wrongly")?;
        must(self.fs.is_counted(), "what files take is counted wrongly")?;
        self.audit_references()
    }

    fn audit_tasks(&self, uses: &mut Uses) -> Result<(), Defect> {
        for (tid, row) in TaskRow::all(&self.rows) {
            let task = &self.rows[row];
            must(u64::from(task.tid) == tid, "a task has another number than its own")?;
            must(self.pids.task(task.tid) == Some(row), "a task is not in the table of numbers")?;
            if task.credentials.uid != 0 {
                *uses.user_tasks.entry(task.credentials.uid).or_default() += 1;
            }
            let listed = self.rows[task.process].threads.contains(&task.tid);
            must(listed, "a task is not listed by its process")?;
            if !task.exited {
                *uses.files.entry(task.files.own_id(&self.rows)).or_default() += 1;
                *uses.contexts.entry(task.context.own_id(&self.rows)).or_default() += 1;
                *uses.handlers.entry(task.handlers.own_id(&self.rows)).or_default() += 1;
            }
            let mut waits: Vec<&Wait> = task.wait.as_deref().into_iter().collect();
            uses.held_bytes += task.pending.queue.len() as u64 * memory::SIGNAL_BYTES;
            uses.held_bytes += 4 * task.credentials.groups.len() as u64;
            for frame in &task.frames {
                uses.held_bytes += memory::frame_bytes(frame.interrupted.as_ref());
                if let Some(Interrupted::Again(wait) | Interrupted::AgainUnder(wait, _)) =
                    &frame.interrupted
                {
                    waits.push(wait);
                }
            }
            for wait in waits {
                uses.blocked += 1;
                uses.held_bytes += memory::wait_bytes(&wait.on);
                self.count_held(&wait.on, uses);
            }
        }
        for (id, row) in ContextRow::all(&self.rows) {
            let used = uses.contexts.get(&id).copied().unwrap_or(0);
            must(self.rows[row].refs == used, "a context's users are counted wrongly")?;
            must(used > 0, "a context is left that nobody uses")?;
        }
        for (id, row) in HandlersRow::all(&self.rows) {
            let used = uses.handlers.get(&id).copied().unwrap_or(0);
            must(self.rows[row].refs == used, "a handler table's users are counted wrongly")?;
            must(used > 0, "a handler table is left that nobody uses")?;
        }
        Ok(())
    }

    fn count_held(&self, on: &Waiting, uses: &mut Uses) {
        let mut held = |row: DescriptionRow| {
            *uses.descriptions.entry(row.own_id(&self.rows)).or_default() += 1;
        };
        match on {
            Waiting::PipeRead { description, .. }
            | Waiting::PipeWrite { description, .. }
            | Waiting::SocketRead { description, .. }
            | Waiting::Connect { description, .. }
            | Waiting::Accept { description, .. }
            | Waiting::EventRead { description }
            | Waiting::EventWrite { description, .. }
            | Waiting::Epoll { description, .. }
            | Waiting::RecordLock { description, .. }
            | Waiting::Flock { description, .. } => held(*description),
            Waiting::SocketWrite { description, with, .. } => {
                held(*description);
                let rights = with.as_deref().map_or(&[][..], |with| &with.rights);
                rights.iter().for_each(|row| held(*row));
            }
            Waiting::Poll { held: rows, .. }
            | Waiting::FacePoll { held: rows, .. }
            | Waiting::Select { held: rows, .. } => {
                rows.iter().flatten().for_each(|row| held(*row));
            }
            Waiting::TerminalRead(reading) => {
                held(reading.description);
                reading.onward.into_iter().for_each(|onward| held(onward.pipe));
            }
            Waiting::TerminalWrite(writing) => held(writing.description),
            Waiting::TerminalTurn { description, .. } => held(*description),
            Waiting::Splice(splicing) => splicing.held().into_iter().for_each(held),
            Waiting::Sendfile(Sending { from, to, .. }) => {
                held(*from);
                held(*to);
            }
            Waiting::FifoOpen { pipe, flags, over: false, .. } => {
                let id = pipe.own_id(&self.rows);
                let access = flags & O_ACCMODE;
                *uses.readers.entry(id).or_default() += u32::from(access != O_WRONLY);
                *uses.writers.entry(id).or_default() += u32::from(access != O_RDONLY);
            }
            Waiting::FifoOpen { .. }
            | Waiting::Parked(_)
            | Waiting::Finished(_)
            | Waiting::Child { .. }
            | Waiting::Sleep { .. }
            | Waiting::Pause
            | Waiting::Signal { .. }
            | Waiting::Vfork { .. } => {}
        }
    }

    fn audit_files(&self, uses: &mut Uses) -> Result<(), Defect> {
        let mut open = 0;
        for (id, row) in FilesRow::all(&self.rows) {
            let files = &self.rows[row];
            let used = uses.files.get(&id).copied().unwrap_or(0);
            must(files.refs == used, "a descriptor table's users are counted wrongly")?;
            must(used > 0, "a descriptor table is left that nobody uses")?;
            uses.held_bytes += files.slots.len() as u64 * memory::FD_BYTES;
            let mut count = 0;
            for slot in files.slots.iter().flatten() {
                count += 1;
                must(slot.description.is_live(&self.rows), "a descriptor leads nowhere")?;
                let id = slot.description.own_id(&self.rows);
                *uses.descriptions.entry(id).or_default() += 1;
            }
            must(count == files.open, "open descriptors of a table are counted wrongly")?;
            let below = files.lowest as usize;
            let full = files.slots.iter().take(below).all(Option::is_some);
            must(full && below <= files.slots.len(), "a free descriptor lies below the lowest")?;
            open += u64::from(count);
        }
        must(open == self.counters.open_fds, "open descriptors are counted wrongly")
    }

    fn audit_descriptions(&self, uses: &mut Uses) -> Result<(), Defect> {
        let (mut events, mut pidfds) = (0, BTreeMap::<u64, u32>::new());
        for (id, row) in DescriptionRow::all(&self.rows) {
            let description = &self.rows[row];
            let used = uses.descriptions.get(&id).copied().unwrap_or(0);
            must(description.refs == used, "a description's users are counted wrongly")?;
            must(used > 0, "a description is left that nobody uses")?;
            match description.target {
                Target::Object(Object::Event(event)) => {
                    must(event.is_live(&self.rows), "a description's counter is gone")?;
                    events += 1;
                }
                Target::Object(Object::Pidfd(pidfd)) => {
                    must(pidfd.is_live(&self.rows), "what a pidfd refers to is gone")?;
                    *pidfds.entry(pidfd.own_id(&self.rows)).or_default() += 1;
                }
                Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {}
            }
            if let Target::Pipe(pipe, _) = description.target {
                must(pipe.is_live(&self.rows), "a description's pipe is gone")?;
                if description.flags & O_PATH == 0 {
                    let id = pipe.own_id(&self.rows);
                    let access = description.flags & O_ACCMODE;
                    *uses.readers.entry(id).or_default() += u32::from(access != O_WRONLY);
                    *uses.writers.entry(id).or_default() += u32::from(access != O_RDONLY);
                }
            }
        }
        must(events == EventRow::live(&self.rows), "counters of eventfd are counted wrongly")?;
        self.audit_pidfds(&pidfds)
    }

    fn audit_pidfds(&self, used: &BTreeMap<u64, u32>) -> Result<(), Defect> {
        for (id, row) in PidfdRow::all(&self.rows) {
            let pidfd = &self.rows[row];
            let uses = used.get(&id).copied().unwrap_or(0);
            must(pidfd.refs == uses && uses > 0, "the users of a pidfd are counted wrongly")?;
            let indexed = self.pidfds.get(&pidfd.pid) == Some(&row);
            must(indexed != pidfd.gone, "a pidfd is not in its table")?;
            let pids = &self.pids;
            let stands = pids.process(pidfd.pid).is_some() || pids.task(pidfd.pid).is_some();
            must(pidfd.gone || stands, "a pidfd refers to nobody")?;
        }
        Ok(())
    }

    fn audit_pipes(&self, uses: &mut Uses) -> Result<(), Defect> {
        let (mut bytes, mut pages) = (0, 0);
        let mut lent: BTreeMap<LentId, u32> = BTreeMap::new();
        for (id, row) in PipeRow::all(&self.rows) {
            let pipe = &self.rows[row];
            let readers = uses.readers.get(&id).copied().unwrap_or(0);
            let writers = uses.writers.get(&id).copied().unwrap_or(0);
            // An end of an inherited pipe may be held outside: one more than we see.
            must(pipe.readers.wrapping_sub(readers) <= 1, "readers of a pipe are counted wrongly")?;
            must(pipe.writers.wrapping_sub(writers) <= 1, "writers of a pipe are counted wrongly")?;
            let held: u64 = pipe.segments.iter().map(crate::components::Segment::left).sum();
            let slots: u32 = pipe.segments.iter().map(crate::components::Segment::slots).sum();
            must(held == pipe.bytes, "bytes of a pipe are counted wrongly")?;
            must(slots == pipe.used_slots, "slots of a pipe are counted wrongly")?;
            bytes += held;
            pages += pipe.segments.iter().map(crate::components::Segment::pages).sum::<u64>();
            uses.held_bytes += pipe.slots_beyond() * memory::SLOT_BYTES;
            for (segment, id) in pipe.segments.iter().filter_map(|one| Some((one, one.lent?))) {
                let is_page = segment.kind == SegmentKind::Page;
                must(is_page && segment.pages() == 1, "a page of a file is another segment")?;
                *lent.entry(id).or_default() += 1;
            }
        }
        must(self.fs.lends(&lent), "pages of files in pipes are counted wrongly")?;
        must(bytes == self.counters.pipe_bytes, "bytes in pipes are counted wrongly")?;
        must(pages == self.counters.pipe_pages, "pages of pipes are counted wrongly")
    }

    fn audit_sockets(&self, uses: &mut Uses) -> Result<(), Defect> {
        let mut sent: BTreeMap<u64, u64> = BTreeMap::new();
        let mut flights: BTreeMap<(u64, u64), u32> = BTreeMap::new();
        for (into, row) in SocketRow::all(&self.rows) {
            let socket = &self.rows[row];
            for packet in &socket.queue {
                uses.held_bytes += memory::packet_bytes(packet);
                *sent.entry(packet.sender.id).or_default() += u64::from(packet.cost_bytes);
                let whole = u64::from(packet.read) <= packet.bytes.len() as u64;
                must(whole, "a packet is read beyond its end")?;
                for right in packet.rights() {
                    must(right.is_live(&self.rows), "a description in a message is gone")?;
                    let id = right.own_id(&self.rows);
                    *uses.descriptions.entry(id).or_default() += 1;
                    *flights.entry((id, into)).or_default() += 1;
                }
            }
            if let Some(more) = &socket.more {
                let names = memory::name_bytes(&more.name) + memory::name_bytes(&more.remote);
                uses.held_bytes +=
                    names + memory::OPTION_BYTES * (more.option_count() + more.groups.len() as u64);
                uses.held_bytes += more.corked.as_deref().map_or(0, |corked| corked.held_bytes());
                uses.held_bytes += more.errors.iter().map(QueuedError::held_bytes).sum::<u64>();
            }
            let lies = socket.queue.iter().map(|packet| u64::from(packet.cost_bytes)).sum::<u64>();
            let errors = socket.more.iter().flat_map(|more| &more.errors);
            let lies = lies + errors.map(|error| u64::from(error.cost_bytes)).sum::<u64>();
            let counts = socket.domain != AF_UNIX && !socket.is_stream();
            let right = socket.received_bytes == if counts { lies } else { 0 };
            must(right, "what lies in a socket is counted wrongly")?;
            self.audit_peer(row)?;
        }
        for (id, row) in SocketRow::all(&self.rows) {
            let on_the_way = sent.get(&id).copied().unwrap_or(0);
            let socket = &self.rows[row];
            let goes_out = socket.peer == Peer::Outside;
            let counted = socket.sent_bytes == on_the_way || goes_out && on_the_way == 0;
            must(counted, "what a socket has on the way is counted wrongly")?;
            let is_listed = self.sockets.network.ends.get(&id) == Some(&row);
            let is_known = self.is_outside(row) == is_listed && (is_listed || !goes_out);
            must(is_known, "whose other end is outside is not known")?;
        }
        must(self.counts_flights(&flights), "descriptions in messages are counted wrongly")
    }

    /// A connection has two ends; a datagram socket's peer has it for a peer, or lists it.
    fn audit_peer(&self, row: SocketRow) -> Result<(), Defect> {
        let socket = &self.rows[row];
        if let Peer::At(other) = socket.peer {
            must(other.is_live(&self.rows), "the other end of a socket is gone")?;
            let other = &self.rows[other];
            let lists = |more: &crate::components::socket::More| more.senders.contains(&row);
            let listed = !socket.is_connection() && other.more.as_deref().is_some_and(lists);
            let back = other.peer == Peer::At(row) || listed;
            must(back && other.kind == socket.kind, "a socket is no pair")?;
        }
        for sender in socket.more.iter().flat_map(|more| &more.senders) {
            must(sender.is_live(&self.rows), "who sends to a socket is gone")?;
            must(self.rows[*sender].peer == Peer::At(row), "who sends to a socket does not")?;
        }
        Ok(())
    }

    fn audit_processes(&self, uses: &mut Uses) -> Result<(), Defect> {
        let (mut zombies, mut stopped) = (0, 0);
        let mut with_texts = 0;
        for (pid, row) in ProcessRow::all(&self.rows) {
            let process = &self.rows[row];
            must(u64::from(process.pid) == pid, "a process has another number than its own")?;
            with_texts += u64::from(process.text.is_some());
            let text = memory::text_bytes(self.rows.text(row).words());
            must(text == process.text_bytes, "the texts of a process are counted wrongly")?;
            let pending = process.pending.queue.len() as u64 * memory::SIGNAL_BYTES;
            uses.held_bytes += text + pending;
            let known = self.pids.process(process.pid) == Some(row);
            must(known, "a process is not in the table of numbers")?;
            let dead = matches!(process.life, Life::Zombie(_));
            if dead && process.last_uid != 0 {
                *uses.user_tasks.entry(process.last_uid).or_default() += 1;
            }
            zombies += u64::from(dead);
            stopped += u64::from(process.stopped.is_some());
            must(
                dead == process.threads.is_empty(),
                "a living process has no task, or a dead one has",
            )?;
            for tid in &process.threads {
                let task = self.pids.task(*tid).map(|task| self.rows[task].process);
                must(task == Some(row), "a process lists a task that is not its own")?;
            }
            for (_, child) in process.reportable.iter() {
                let parent = self.pids.process(child).map(|child| self.rows[child].parent);
                must(parent == Some(process.pid), "a process waits for one that is no child")?;
            }
            let mut last = 0;
            let mut at = process.children.next;
            let mut steps = 0;
            while let Some(child) = self.pids.process(at) {
                let child = &self.rows[child];
                must(
                    child.parent == process.pid && child.birth > last,
                    "children are out of order",
                )?;
                (last, at, steps) = (child.birth, child.sibling.next, steps + 1);
                must(steps <= ProcessRow::live(&self.rows), "a list of children runs in a circle")?;
            }
            must(at == 0, "a list of children leads nowhere")?;
        }
        let texts = TextRow::all(&self.rows).into_iter();
        let users: u64 = texts.map(|(_, text)| u64::from(self.rows[text].users)).sum();
        must(users == with_texts, "the users of texts are counted wrongly")?;
        must(stopped == self.counters.stopped, "stopped processes are counted wrongly")?;
        must(zombies == self.counters.zombies, "zombies are counted wrongly")
    }
}
