//! Bytes to rows. Everything that the core relies on is checked: a reference that leads nowhere is
//! an error here, so that it is no panic later.

use super::extras::get_rare;
use super::pipes::get_pipe;
use super::sockets::get_socket_waiting;
use super::terminals::HAS_TERMINAL;
use super::{
    HAS_LOCKER, HAS_OPENER, HAS_OWNER, IS_TOLD, MAGIC, Refs, RestoreError, Row, VERSION,
    WAITS_ALWAYS,
};
use crate::calls::splice::Splicing;
use crate::calls::transfer::Sending;
use crate::components::description::{Notices, Owner};
use crate::components::{
    Context, Description, FdSlot, Files, Frame, Handlers, Interrupted, Life, Object, Process,
    ProcessText, Reportable, Restart, Target, Task, Wait, Waiting,
};
use crate::digest::hash64;
use crate::event::CallId;
use crate::fs::Fs;
use crate::kernel::{Asking, Config, Kernel, WakeMode};
use crate::memory;
use crate::rows::{ContextRow, DescriptionRow, FilesRow, HandlersRow, PipeRow, RowKind, TaskRow};
use crate::tables::deadlines::Due;
use crate::tables::users::PerUser;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Memory that a restored kernel takes at most: about what `Config::default` allows.
const RESTORED_MAX_BYTES: u64 = 640 << 20;

type From<'a, 'b> = &'b mut WireReader<'a>;

impl Kernel {
    /// A kernel from a snapshot.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn restore(bytes: &[u8]) -> Result<Kernel, RestoreError> {
        Self::restore_within(bytes, RESTORED_MAX_BYTES)
    }

    /// The same for a snapshot that may take so many bytes of memory: one that was made here is as
    /// large as its kernel.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn restore_within(bytes: &[u8], max_bytes: u64) -> Result<Kernel, RestoreError> {
        let mut from = WireReader::new(bytes);
        if from.take(MAGIC.len() as u64).ok() != Some(&MAGIC[..]) {
            return Err(RestoreError::Foreign);
        }
        let version = from.varint()?;
        if version != VERSION {
            return Err(RestoreError::Version(version));
        }
        let Some((body, sum)) = bytes.split_last_chunk::<8>() else {
            return Err(RestoreError::Sum);
        };
        if hash64(VERSION, body) != u64::from_le_bytes(*sum) {
            return Err(RestoreError::Sum);
        }
        let start = bytes.len() - from.left();
        let body = body.get(start..).unwrap_or(&[]);
        let from = &mut WireReader::bounded(body, max_bytes);
        let config = Config::get(from)?;
        let (now_ns, tick) = Wire::get(from)?;
        let random = u64::get(from)?;
        let init = u32::get(from)?;
        let counters = Wire::get(from)?;
        let default_limits = Wire::get(from)?;
        let last = u32::get(from)?;
        let fs = Fs::get(from)?;
        let mut kernel = Kernel::bare(config, fs);
        (kernel.now_ns, kernel.tick, kernel.random) = (now_ns, tick, random);
        (kernel.init, kernel.counters, kernel.default_limits) = (init, counters, default_limits);
        kernel.pids.last = last;
        let refs = kernel.get_rows(from)?;
        kernel.queued_signals = kernel.count_signals();
        for _ in 0..from.count()? {
            from.charge(memory::LOCK_BYTES)?;
            let (object, locks) = Wire::get(from)?;
            kernel.record_locks.insert(object, locks);
        }
        kernel.get_asking(from)?;
        kernel.face = Wire::get(from)?;
        if kernel.config.face.present {
            kernel.face.get_more(from)?;
        }
        kernel.get_extras(from, &refs)?;
        from.finish()?;
        kernel.user_signals = PerUser::of_all(kernel.signals_by_user());
        kernel.index_waits();
        kernel.stand_again();
        kernel.hearers = kernel.all_hearers();
        kernel.fs.count_users(&kernel.used_places().0);
        kernel.audit().map_err(|defect| RestoreError::Inconsistent(defect.what))?;
        Ok(kernel)
    }

    fn get_rows(&mut self, from: From<'_, '_>) -> Result<Refs, RestoreError> {
        let mut refs = Refs::default();
        let mut sockets = Vec::new();
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            from.charge(memory::PIPE_BYTES)?;
            let pipe = get_pipe(id, from)?;
            refs.pipes.insert(id, PipeRow::spawn(&mut self.rows, id, pipe));
        }
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            from.charge(memory::SOCKET_BYTES)?;
            let socket = self.get_socket(id, from)?;
            refs.sockets.insert(id, socket.row);
            sockets.push(socket);
        }
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            from.charge(memory::DESCRIPTION_BYTES)?;
            refs.description = id;
            let description = get_description(self, from, &mut refs)?;
            self.index_description(&description)?;
            let flock = description.flock;
            let row = DescriptionRow::spawn(&mut self.rows, id, description);
            self.index_flock(row, flock)?;
            refs.descriptions.insert(id, row);
        }
        self.tie_sockets(sockets, &refs)?;
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            from.charge(memory::TASK_BYTES / 4)?;
            let files = get_files(from, &refs)?;
            refs.files.insert(id, FilesRow::spawn(&mut self.rows, id, files));
        }
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            from.charge(memory::TASK_BYTES / 4)?;
            let refs_count = u32::get(from)?;
            let (cwd, root) = Wire::get(from)?;
            for place in [cwd, root] {
                self.check_place(place)?;
            }
            let context = Context { refs: refs_count, cwd, root, umask: u32::get(from)? };
            refs.contexts.insert(id, ContextRow::spawn(&mut self.rows, id, context));
        }
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            from.charge(memory::TASK_BYTES / 4)?;
            let handlers = get_handlers(from)?;
            refs.handlers.insert(id, HandlersRow::spawn(&mut self.rows, id, handlers));
        }
        self.get_processes(from, &mut refs)?;
        self.get_tasks(from, &refs)?;
        Ok(refs)
    }

    fn get_processes(&mut self, from: From<'_, '_>, refs: &mut Refs) -> Result<(), RestoreError> {
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            let pid = number(id)?;
            from.charge(memory::PROCESS_BYTES)?;
            let mut process = get_process(pid, from)?;
            let text: ProcessText = Wire::get(from)?;
            process.text_bytes = memory::text_bytes(text.words());
            if self.pids.process(pid).is_some() {
                return Err(RestoreError::Inconsistent("a pid stands twice"));
            }
            if let Some(place) = process.exe {
                self.check_place(place)?;
                self.fs.begin_run(place);
            }
            let (group, session) = (process.pgid, process.sid);
            let heads = (process.in_group.prev == 0, process.in_session.prev == 0);
            if process.alarm_ns != 0 {
                self.deadlines.add(process.alarm_ns, Due::Alarm(pid));
            }
            if process.goes_ns != 0 {
                self.deadlines.add(process.goes_ns, Due::Zombie(pid));
            }
            if matches!(process.life, Life::Zombie(_)) {
                self.user_tasks.enter(process.last_uid);
            }
            let row = Row::spawn(&mut self.rows, id, process);
            self.rows.set_text(row, Arc::new(text));
            self.pids.change(pid, |entry| entry.process = Some(row));
            if heads.0 {
                self.pids.change(group, |entry| entry.group_head = pid);
            }
            if heads.1 {
                self.pids.change(session, |entry| entry.session_head = pid);
            }
            refs.processes.insert(id, row);
        }
        Ok(())
    }

    fn get_tasks(&mut self, from: From<'_, '_>, refs: &Refs) -> Result<(), RestoreError> {
        for _ in 0..from.count()? {
            let id = u64::get(from)?;
            let tid = number(id)?;
            from.charge(memory::TASK_BYTES / 4)?;
            let task = get_task(tid, from, refs)?;
            if self.pids.task(tid).is_some() {
                return Err(RestoreError::Inconsistent("a tid stands twice"));
            }
            self.user_tasks.enter(task.credentials.uid);
            let row = TaskRow::spawn(&mut self.rows, id, task);
            self.pids.change(tid, |entry| entry.task = Some(row));
        }
        Ok(())
    }

    fn get_asking(&mut self, from: From<'_, '_>) -> Result<(), RestoreError> {
        if bool::get(from)? {
            let question = Wire::get(from)?;
            let event = <&[u8]>::get(from)?.to_vec();
            self.asking = Some(Asking { question, event, tick: Wire::get(from)? });
        }
        self.answers = Wire::get(from)?;
        Ok(())
    }

    pub(super) fn check_place(&self, place: crate::fs::Place) -> Result<(), RestoreError> {
        if self.fs.is_place(place) {
            Ok(())
        } else {
            Err(RestoreError::Inconsistent("a place is not in the tree"))
        }
    }

    fn index_description(&mut self, description: &Description) -> Result<(), RestoreError> {
        match description.target {
            Target::File(place) => {
                self.check_place(place)?;
                if description.writable() {
                    self.fs.begin_write(place);
                }
                Ok(())
            }
            Target::Pipe(_, None) | Target::Socket(_) | Target::Object(_) => Ok(()),
            Target::Pipe(pipe, Some(place)) => {
                self.check_place(place)?;
                if let Some(inode) = self.fs.inode_id(place) {
                    self.fifos.insert(inode, pipe);
                }
                Ok(())
            }
        }
    }

    fn index_flock(&mut self, row: DescriptionRow, kind: u32) -> Result<(), RestoreError> {
        if kind == 0 {
            return Ok(());
        }
        let place = self.place_of(row);
        let inode = place.and_then(|place| self.fs.inode_id(place));
        let inode = inode.ok_or(RestoreError::Inconsistent("a lock without an inode"))?;
        let locks = self.locks.entry(inode).or_default();
        if kind == crate::abi::flags::LOCK_SH {
            locks.shared += 1;
        } else {
            locks.exclusive = true;
        }
        Ok(())
    }

    /// Deadlines, the index of blocked calls, lock queues and FIFOs that waits hold, from the
    /// waits.
    fn index_waits(&mut self) {
        for (_, row) in TaskRow::all(&self.rows) {
            let tid = self.rows[row].tid;
            let Some(wait) = &self.rows[row].wait else { continue };
            let (call, since, deadline) = (wait.call, wait.since, wait.deadline_ns);
            let locks_on = match &wait.on {
                Waiting::Flock { description, .. } => Some(*description),
                _ => None,
            };
            let accepts = match &wait.on {
                Waiting::Accept { fd, over: false, .. } => Some(*fd),
                _ => None,
            };
            let opens = match &wait.on {
                Waiting::FifoOpen { pipe, place, fd, over, .. } => {
                    Some((*pipe, *place, *fd, *over))
                }
                _ => None,
            };
            if let Some(deadline) = deadline {
                self.deadlines.add(deadline, Due::Call(tid));
            }
            if self.config.wake == WakeMode::OnDemand {
                self.blocked_calls.insert(call, tid);
            }
            if let Some(fd) = accepts {
                let files = self.rows[row].files;
                self.rows[files].reserve(fd);
            }
            if let Some(description) = locks_on {
                self.watch_lock(description, since, tid, true);
            }
            if let Some((pipe, place, fd, over)) = opens
                && let Some(inode) = self.fs.inode_id(place)
            {
                self.fifos.insert(inode, pipe);
                if !over {
                    let files = self.rows[row].files;
                    self.rows[files].reserve(fd);
                }
            }
        }
    }
}

fn number(id: u64) -> Result<u32, RestoreError> {
    let number =
        u32::try_from(id).ok().filter(|pid| (1..crate::tables::pids::PID_MAX).contains(pid));
    number.ok_or(RestoreError::Inconsistent("a number that no task can have"))
}

fn get_description(
    kernel: &mut Kernel,
    from: From<'_, '_>,
    known: &mut Refs,
) -> Result<Description, RestoreError> {
    let error = from.error("what a description is open on");
    let target = match from.byte()? {
        0 => Target::File(Wire::get(from)?),
        1 => {
            let pipe = *known.pipes.get(&u64::get(from)?).ok_or(DANGLING)?;
            Target::Pipe(pipe, Wire::get(from)?)
        }
        2 => Target::Socket(*known.sockets.get(&u64::get(from)?).ok_or(DANGLING)?),
        3 => Target::Object(get_object(kernel, from, known)?),
        _ => return Err(error.into()),
    };
    let [flags, refs, kinds]: [u32; 3] = Wire::get(from)?;
    let others = WAITS_ALWAYS | HAS_TERMINAL | HAS_OWNER | IS_TOLD | HAS_OPENER | HAS_LOCKER;
    let (flock, waits_always) = (kinds & !others, kinds & WAITS_ALWAYS != 0);
    let offset = Wire::get(from)?;
    let mut description = Description::new(target, flags);
    (description.refs, description.offset) = (refs, offset);
    (description.flock, description.waits_always) = (flock, waits_always);
    let [owner, signal]: [i32; 2] = Wire::get(from)?;
    let mut notices = Notices { owner: Owner::of(owner), signal, told: None };
    if kinds & HAS_OWNER != 0 {
        (notices.owner.kind, notices.owner.ids) = Wire::get(from)?;
    }
    if kinds & IS_TOLD != 0 {
        notices.told = Some(Wire::get(from)?);
    }
    if notices != Notices::default() {
        from.charge(memory::OWNER_BYTES)?;
    }
    description.notices = (notices != Notices::default()).then(|| Box::new(notices));
    if kinds & HAS_TERMINAL != 0 {
        description.terminal = Some(known.side(kernel, from)?);
    }
    description.opener = if kinds & HAS_OPENER != 0 { Wire::get(from)? } else { 0 };
    description.flock_pid = if kinds & HAS_LOCKER != 0 { Wire::get(from)? } else { 0 };
    Ok(description)
}

fn get_object(
    kernel: &mut Kernel,
    from: From<'_, '_>,
    refs: &mut Refs,
) -> Result<Object, RestoreError> {
    let error = from.error("an object without a name");
    Ok(match from.byte()? {
        0 => Object::Epoll(refs.epoll(kernel, from)?),
        1 => Object::Inotify,
        2 => Object::Device(Wire::get(from)?),
        3 => Object::Foreign(Wire::get(from)?),
        4 => {
            from.charge(memory::EVENT_BYTES)?;
            Object::Event(refs.event(kernel, Wire::get(from)?))
        }
        5 => {
            from.charge(memory::PIDFD_BYTES)?;
            Object::Pidfd(refs.pidfd(kernel, Wire::get(from)?))
        }
        6 => {
            let (number, end) = Wire::get(from)?;
            Object::Pty(number, end)
        }
        66 => Object::Timer,
        67 => Object::Signals(Wire::get(from)?),
        _ => return Err(error.into()),
    })
}

pub(super) const DANGLING: RestoreError =
    RestoreError::Inconsistent("a reference that leads nowhere");

fn get_files(from: From<'_, '_>, refs: &Refs) -> Result<Files, RestoreError> {
    let mut files = Files { refs: u32::get(from)?, ..Files::default() };
    let length = from.varint()?;
    if length > 1 << 20 {
        return Err(RestoreError::Inconsistent("a table of descriptors that cannot be"));
    }
    from.charge(length * memory::FD_BYTES)?;
    files.slots.resize(length as usize, None);
    for _ in 0..from.count()? {
        let fd = from.varint()?;
        if fd >= length || files.get(fd as i32).is_some() {
            return Err(RestoreError::Inconsistent("a descriptor that cannot be"));
        }
        let (description, cloexec) = <(u64, bool)>::get(from)?;
        let description = *refs.descriptions.get(&description).ok_or(DANGLING)?;
        files.put(fd as u32, FdSlot { description, cloexec });
    }
    files.lowest = files.lowest_free(0);
    Ok(files)
}

fn get_handlers(from: From<'_, '_>) -> Result<Handlers, WireError> {
    let mut handlers = Handlers { refs: u32::get(from)?, ..Handlers::default() };
    let ignored = crate::abi::SigSet::get(from)?;
    for _ in 0..from.count()? {
        let (signal, action) = Wire::get(from)?;
        handlers.set(signal, action);
    }
    handlers.ignored = ignored;
    Ok(handlers)
}

fn get_process(pid: u32, from: From<'_, '_>) -> Result<Process, WireError> {
    let [parent, outside_parent, pgid, sid] = Wire::get(from)?;
    let threads = Vec::<u32>::get(from)?.into();
    let [children, sibling, in_group, in_session] = Wire::get(from)?;
    let birth = Wire::get(from)?;
    let mut reportable = Reportable::default();
    Vec::<(u64, u32)>::get(from)?.into_iter().for_each(|key| reportable.insert(key));
    let child_waiters = Wire::get(from)?;
    let (life, stopped) = Wire::get(from)?;
    let (report, ending) = Wire::get(from)?;
    let exit_signal = Wire::get(from)?;
    let pending = Wire::get(from)?;
    let (did_exec, subreaper) = Wire::get(from)?;
    let [vfork_parent, last_uid] = Wire::get(from)?;
    let [alarm_ns, alarm_interval_ns, tty] = Wire::get(from)?;
    let rare = get_rare(from)?;
    let exe = Wire::get(from)?;
    let (driver, requester) = Wire::get(from)?;
    let (exit_code, goes_ns) = Wire::get(from)?;
    Ok(Process {
        pid,
        parent,
        outside_parent,
        maker: rare.maker,
        pgid,
        sid,
        threads,
        children,
        sibling,
        in_group,
        in_session,
        start_ns: rare.start_ns,
        birth,
        reportable,
        child_waiters,
        life,
        stopped,
        report,
        exit_signal,
        pending,
        did_exec,
        subreaper,
        undumpable: rare.undumpable,
        oom: rare.oom,
        death_signal: rare.death_signal,
        vfork_parent,
        ending,
        alarm_ns,
        alarm_interval_ns,
        cpu_timers: rare.cpu_timers,
        limits: rare.limits,
        exe,
        text: None,
        text_bytes: 0,
        last_uid,
        tty,
        old_foreground: rare.old_foreground,
        driver,
        requester,
        exit_code,
        goes_ns,
    })
}

fn get_task(tid: u32, from: From<'_, '_>, refs: &Refs) -> Result<Task, RestoreError> {
    let [process, files, context, handlers]: [u64; 4] = Wire::get(from)?;
    let (mask, saved_mask) = Wire::get(from)?;
    let pending = Wire::get(from)?;
    let mut frames = Vec::new();
    for _ in 0..from.count()? {
        from.charge(memory::FRAME_BYTES)?;
        frames.push(get_frame(from, refs)?);
    }
    let wait = get_wait(from, refs)?.map(Box::new);
    let (credentials, alt_stack) = Wire::get(from)?;
    let error = from.error("what a task is");
    let flags = from.byte()?;
    if flags > 3 {
        return Err(error.into());
    }
    Ok(Task {
        tid,
        process: *refs.processes.get(&process).ok_or(DANGLING)?,
        files: *refs.files.get(&files).ok_or(DANGLING)?,
        context: *refs.contexts.get(&context).ok_or(DANGLING)?,
        handlers: *refs.handlers.get(&handlers).ok_or(DANGLING)?,
        mask,
        saved_mask,
        pending,
        frames,
        wait,
        credentials,
        alt_stack,
        exited: flags & 1 != 0,
        over_nproc: flags & 2 != 0,
    })
}

fn get_frame(from: From<'_, '_>, refs: &Refs) -> Result<Frame, RestoreError> {
    let mask = Wire::get(from)?;
    let error = from.error("what a handler interrupted");
    let mut tag = from.byte()?;
    let mut announce = None;
    if tag == 3 {
        announce = Some(Wire::get(from)?);
        tag = from.byte()?;
    }
    let interrupted = match tag {
        0 => None,
        1 => {
            let wait = get_wait(from, refs)?.ok_or(error)?;
            Some(Interrupted::Again(Box::new(wait)))
        }
        2 => Some(Interrupted::Over(CallId::get(from)?, Wire::get(from)?)),
        4 => {
            let under = Wire::get(from)?;
            let wait = get_wait(from, refs)?.ok_or(error)?;
            Some(Interrupted::AgainUnder(Box::new(wait), under))
        }
        _ => return Err(error.into()),
    };
    Ok(Frame { mask, interrupted, announce })
}

fn get_wait(from: From<'_, '_>, refs: &Refs) -> Result<Option<Wait>, RestoreError> {
    if !bool::get(from)? {
        return Ok(None);
    }
    let call = CallId::get(from)?;
    let since = Wire::get(from)?;
    let deadline_ns = Wire::get(from)?;
    let restart = Restart::get(from)?;
    let on = get_waiting(from, refs)?;
    Ok(Some(Wait { call, since, deadline_ns, restart, on }))
}

fn get_held(from: From<'_, '_>, refs: &Refs) -> Result<Vec<Option<DescriptionRow>>, RestoreError> {
    let ids = Vec::<Option<u64>>::get(from)?.into_iter();
    ids.map(|id| match id {
        None => Ok(None),
        Some(id) => refs.descriptions.get(&id).copied().map(Some).ok_or(DANGLING),
    })
    .collect()
}

fn get_splice(tag: u8, from: From<'_, '_>, refs: &Refs) -> Result<Waiting, RestoreError> {
    let described = |id: u64| refs.descriptions.get(&id).copied().ok_or(DANGLING);
    let [from_id, to_id]: [u64; 2] = Wire::get(from)?;
    let (offset, count) = Wire::get(from)?;
    let keeps = Wire::get(from)?;
    let moved = if tag == 20 { u64::get(from)? } else { 0 };
    let (from_row, to) = (described(from_id)?, described(to_id)?);
    if moved > count {
        return Err(from.error("a splice that has not moved too much").into());
    }
    Ok(Waiting::Splice(Splicing { from: from_row, to, offset, count, keeps, moved }))
}

/// A call that polls otherwise than poll(2).
fn get_poll(tag: u8, from: From<'_, '_>, refs: &Refs) -> Result<Waiting, RestoreError> {
    if tag == 82 {
        let (fds, held) = (Wire::get(from)?, get_held(from, refs)?);
        return Ok(Waiting::FacePoll { fds, held, sockets: Wire::get(from)? });
    }
    let (sets, fds) = (Wire::get(from)?, Wire::get(from)?);
    Ok(Waiting::Select { sets, fds, held: get_held(from, refs)? })
}

fn get_waiting(from: From<'_, '_>, refs: &Refs) -> Result<Waiting, RestoreError> {
    let described = |id: u64| refs.descriptions.get(&id).copied().ok_or(DANGLING);
    let error = from.error("what a call waits for");
    Ok(match from.byte()? {
        0 => Waiting::Parked(Bytes::get(from)?),
        1 => {
            let [description, count] = Wire::get(from)?;
            Waiting::PipeRead { description: described(description)?, count }
        }
        2 => {
            let [description, written] = Wire::get(from)?;
            let description = described(description)?;
            Waiting::PipeWrite { description, data: Wire::get(from)?, written }
        }
        4 => {
            let select = Wire::get(from)?;
            let (options, info) = Wire::get(from)?;
            Waiting::Child { select, options, info }
        }
        5 => Waiting::Poll { fds: Wire::get(from)?, held: get_held(from, refs)? },
        tag @ (6 | 82) => return get_poll(tag, from, refs),
        7 => Waiting::Sleep { absolute: Wire::get(from)? },
        8 => Waiting::Pause,
        9 => Waiting::Signal { set: Wire::get(from)? },
        10 => Waiting::Vfork { child: Wire::get(from)? },
        11 => {
            let description = described(u64::get(from)?)?;
            Waiting::Flock { description, operation: Wire::get(from)? }
        }
        12 => {
            let description = described(u64::get(from)?)?;
            let (object, lock) = Wire::get(from)?;
            Waiting::RecordLock { description, object, lock }
        }
        tag @ (18 | 20) => return get_splice(tag, from, refs),
        tag @ 61..=66 => return get_socket_waiting(tag, from, refs),
        81 => return super::waiting::get_epoll_wait(from, refs),
        tag @ 41..=44 => return super::terminals::get_waiting(tag, from, refs),
        15 => Waiting::Finished(Wire::get(from)?),
        16 => Waiting::EventRead { description: described(u64::get(from)?)? },
        17 => {
            let [description, value] = Wire::get(from)?;
            Waiting::EventWrite { description: described(description)?, value }
        }
        tag @ (14 | 19) => {
            let [from_id, to_id]: [u64; 2] = Wire::get(from)?;
            let ([at, count], own_offset): ([u64; 2], bool) = Wire::get(from)?;
            let sent = if tag == 19 { u64::get(from)? } else { 0 };
            let (from_row, to) = (described(from_id)?, described(to_id)?);
            if at.checked_add(sent).is_none() || sent > count {
                return Err(error.into());
            }
            Waiting::Sendfile(Sending { from: from_row, to, own_offset, at, count, sent })
        }
        13 => {
            let [pipe, seen]: [u64; 2] = Wire::get(from)?;
            let pipe = *refs.pipes.get(&pipe).ok_or(DANGLING)?;
            let place = Wire::get(from)?;
            let ([fd, flags], over) = Wire::get(from)?;
            let again = Wire::get(from)?;
            Waiting::FifoOpen { pipe, place, fd, flags, seen, over, again }
        }
        _ => return Err(error.into()),
    })
}
