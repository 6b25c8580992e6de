//! Rule (b) of IMPORT.md section 1: when a call needs what another task's pending call does, that
//! one runs first, as little of it as is needed.

use tickernel_systems::abi::flags::{O_ACCMODE, O_RDONLY, O_WRONLY};
use tickernel_systems::abi::signal::{CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED};
use tickernel_systems::abi::{Address, SigInfo, Signal, WaitStatus};
use tickernel_systems::event::{Call, Event, Payload, TerminalEnd};
use tickernel_systems::fs::InodeId;
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{FdView, WaitsView};

use super::order::Order;
use super::paths;
use super::probe::{self, Probe, Want};
use super::unknown::Home;
use crate::replay::{CUT, Expected, Recorded, Role};

/// Descriptors that are looked at for the ends of a pipe.
pub(super) const LOOKED_AT_FDS: i32 = 256;

/// Most calls that run for one another's sake.
const MAX_DEPTH: u32 = 8;

impl Order<'_> {
    pub(super) fn probe(&mut self, tid: u32) -> Probe {
        let Some(pending) = self.tasks.get(&tid).and_then(|task| task.pending.as_ref()) else {
            return Probe::Unknown;
        };
        if pending.item.is_some() {
            return Probe::Unknown;
        }
        let Some(call) = pending.decoded.parsed() else { return Probe::Unknown };
        let expected = &pending.decoded.expected;
        // Bytes that strace cut cannot be held against what was read.
        if let (
            Call::Read { fd, .. }
            | Call::Recvfrom { sockfd: fd, .. }
            | Call::Recvmsg { sockfd: fd, .. },
            false,
        ) = (&call, self.unknown.is_empty())
            && let Some(id) = self.stream_of(tid, *fd)
        {
            let at = self.taken.get(&id).copied().unwrap_or(0);
            let len = if let Recorded::Value(len) = expected.recorded { len } else { 0 };
            let end = at.saturating_add(u64::try_from(len).unwrap_or(0));
            if self.unknown.touches(Home::Pipe(id), at, end) {
                let expected = Expected { flags: expected.flags | CUT, ..expected.clone() };
                return probe::probe(&mut self.kernel, tid, &call, &expected);
            }
        }
        probe::probe(&mut self.kernel, tid, &call, expected)
    }

    /// Other tasks in a call, in the order in which they entered it.
    pub(super) fn others(&self, tid: u32) -> Vec<u32> {
        let entered = |other: &u32| {
            let task = self.tasks.get(other).filter(|task| *other != tid && !task.busy)?;
            Some((task.pending.as_ref()?.entry_line, *other))
        };
        let mut others: Vec<(u64, u32)> = self.in_call.iter().filter_map(entered).collect();
        others.sort_unstable();
        others.into_iter().map(|(_, other)| other).collect()
    }

    /// Runs one other call that can supply what is missing; false if there is none.
    pub(super) fn supply(&mut self, tid: u32, want: &Want) -> bool {
        if let Want::Time(at_ns) = want {
            return self.pass_time(*at_ns);
        }
        if let Want::Ready(ids) = want
            && [TerminalEnd::Master, TerminalEnd::Slave]
                .into_iter()
                .any(|end| self.carry_to(end, Some(ids)))
        {
            return true;
        }
        for other in self.others(tid) {
            let Some(bytes) = self.call_bytes(other) else { continue };
            let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { continue };
            let Some(pending) = self.task(other).pending.as_ref() else { continue };
            let recorded = pending.decoded.expected.recorded;
            let started = pending.item.is_some();
            let ran = match want {
                Want::Bytes(id, _, _) if self.comes_later(tid, other, &call, *id) => false,
                Want::Bytes(id, missing, exact) => {
                    let missing =
                        if *exact { *missing } else { self.most_missing(tid, *id, *missing) };
                    self.supply_bytes(other, &call, *id, missing)
                }
                _ if recorded == Recorded::Never => {
                    !started && self.supply_end(tid, other, &call, want)
                }
                Want::NoWriter(id) | Want::NoReader(id) => {
                    let writing = matches!(want, Want::NoWriter(_));
                    self.supply_close(other, &call, *id, writing)
                }
                Want::Room(id) => !started && self.supply_pipes(other, &call, &[*id], false),
                Want::Counter(id) => !started && self.supply_pipes(other, &call, &[*id], true),
                Want::Ready(ids) => {
                    !started
                        && (self.supply_pipes(other, &call, ids, true)
                            || self.supply_notice(tid, other, &call, ids)
                            || kills(&call)
                                && self.reads_signals(tid, ids)
                                && self.run_other(other))
                }
                Want::Signals(_) => kills(&call) && !started && self.run_other(other),
                // The clock's, not another call's.
                Want::Time(_) => false,
                Want::File(inode) => !started && self.supply_size(other, &call, *inode),
                Want::Child | Want::Continue => kills(&call) && self.run_other(other),
                Want::Name(name) => {
                    let changes = paths::uses(&call)
                        .iter()
                        .any(|one| (one.creates || one.removes) && paths::last(one.path) == name);
                    changes && matches!(recorded, Recorded::Value(_)) && self.run_other(other)
                }
            };
            if ran {
                return true;
            }
        }
        if let Want::Signals(fd) = want {
            return self.signal_from_outside(tid, *fd);
        }
        if let Want::Ready(ids) = want
            && (self.supply_exec(tid, ids) || self.supply_typed(tid, ids))
        {
            return true;
        }
        self.supply_silent_end(tid, want)
            || self.supply_death(tid, want)
            || self.supply_read_signal(tid, want)
    }

    /// A timer goes off: the recording shows that it has, whatever its lines say of the time.
    fn pass_time(&mut self, at_ns: u64) -> bool {
        let delta_ns = at_ns.saturating_sub(self.kernel.now_ns());
        if delta_ns > 0 {
            self.emit(&Event::Clock { delta_ns }, None, None);
        }
        delta_ns > 0
    }

    /// Whether a task has one of these open as signalfd(2).
    fn reads_signals(&self, tid: u32, ids: &[u64]) -> bool {
        (0..LOOKED_AT_FDS).any(|fd| {
            let view = self.kernel.fd_view(tid, fd);
            let signals = |view: &FdView| view.waits == Some(WaitsView::Signals);
            view.is_some_and(|view| signals(&view) && ids.contains(&view.id))
        })
    }

    /// A poll was told of signals that nobody in the recording sent: the terminal, or somebody
    /// outside.
    fn supply_read_signal(&mut self, tid: u32, want: &Want) -> bool {
        let Want::Ready(ids) = want else { return false };
        let reads = |fd: &i32| {
            let view = self.kernel.fd_view(tid, *fd);
            view.is_some_and(|view| {
                view.waits == Some(WaitsView::Signals) && ids.contains(&view.id)
            })
        };
        let found = (0..LOOKED_AT_FDS).find(reads);
        found.is_some_and(|fd| self.is_told_of(tid, fd) && self.signal_from_outside(tid, fd))
    }

    /// Whether the pending poll says that a descriptor is ready.
    fn is_told_of(&mut self, tid: u32, fd: i32) -> bool {
        let Some(pending) = self.task(tid).pending.as_ref() else { return false };
        match &pending.decoded.expected.payload {
            Payload::Poll(told) => told.iter().any(|it| it.fd == fd && it.revents != 0),
            Payload::Select(told) => told.read.iter().flatten().any(|it| *it == fd),
            _ => true,
        }
    }

    /// What a read of signals tells, and nobody in the recording sent.
    fn signal_from_outside(&mut self, tid: u32, fd: i32) -> bool {
        let Some(pending) = self.task(tid).pending.as_ref() else { return false };
        let (own, at) = (pending.decoded.expected.clone(), pending.call);
        let reads = matches!(pending.decoded.parsed(), Some(Call::Read { .. }));
        // A poll tells that there are some; which, the read behind it.
        let expected = match reads {
            true => Some(own),
            false => self.next_read(tid, fd, at).map(|(expected, _)| expected),
        };
        let Some(expected) = expected else { return false };
        let (Payload::Data(data), true) = (&expected.payload, expected.flags & CUT == 0) else {
            return false;
        };
        let infos: Vec<SigInfo> = data.0.chunks_exact(INFO_BYTES).map(info_of).collect();
        let Some(target) = self.kernel.process_of_task(tid) else { return false };
        for info in &infos {
            self.emit(&Event::Signal { target, info: *info }, None, None);
        }
        !infos.is_empty()
    }

    /// The child that a wait was told of ended, where no line says so.
    pub(super) fn supply_child(&mut self, tid: u32) -> bool {
        let bytes = self.call_bytes(tid).unwrap_or_default();
        let call = Call::get(&mut WireReader::new(&bytes));
        if !matches!(call, Ok(Call::Wait4 { .. } | Call::Waitid { .. })) {
            return false;
        }
        let Some(pending) = self.task(tid).pending.as_ref() else { return false };
        let expected = &pending.decoded.expected;
        let (pid, status) = match (&expected.payload, expected.recorded) {
            (Payload::Info(info), _) => {
                let by = Signal::new(info.status);
                let status = match (info.code, by) {
                    (CLD_EXITED, _) => Some(WaitStatus::Exited(info.status as u8)),
                    (CLD_KILLED | CLD_DUMPED, Some(by)) => Some(WaitStatus::Signaled(by, false)),
                    (CLD_STOPPED, Some(by)) => Some(WaitStatus::Stopped(by)),
                    _ => None,
                };
                (Some(info.pid), status)
            }
            (Payload::Status(status), Recorded::Value(pid)) => {
                let is_told = !matches!(status, WaitStatus::Continued);
                (u32::try_from(pid).ok().filter(|_| is_told), Some(*status))
            }
            (_, Recorded::Value(pid)) => (u32::try_from(pid).ok(), None),
            _ => (None, None),
        };
        match (pid, status) {
            (Some(pid), Some(WaitStatus::Stopped(by))) => self.stop_unseen(pid, by),
            (Some(pid), status) => self.end_unseen(pid, status),
            (None, _) => false,
        }
    }

    /// Whether what a reader got first is another task's pending write and not this one.
    fn comes_later(&self, reader: u32, other: u32, call: &Call<'_>, id: u64) -> bool {
        let (Call::Write { data, .. } | Call::Writev { data, .. }) = call else { return false };
        let Some(coming) = self.coming(id) else { return false };
        self.fits(other, data, &coming) == Some(false)
            && self.others(reader).into_iter().filter(|third| *third != other).any(|third| {
                let pending = self.tasks.get(&third).and_then(|task| task.pending.as_ref());
                let theirs = pending.and_then(|pending| pending.decoded.parsed());
                let Some(Call::Write { fd, data } | Call::Writev { fd, data }) = theirs else {
                    return false;
                };
                self.pipe_of(third, fd) == Some(id) && self.fits(third, data, &coming) == Some(true)
            })
    }

    /// How much of a larger write a read of which the rest is `missing` may bring about.
    fn most_missing(&self, tid: u32, id: u64, missing: u64) -> u64 {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let read = match pending.map(|pending| pending.decoded.expected.recorded) {
            Some(Recorded::Value(value)) => u64::try_from(value).unwrap_or(0),
            _ => return u64::MAX,
        };
        let here = read.saturating_sub(missing);
        self.before_dry(id).map_or(u64::MAX, |most| most.saturating_sub(here).max(missing))
    }

    fn supply_bytes(&mut self, other: u32, call: &Call<'_>, id: u64, missing: u64) -> bool {
        match call {
            Call::Write { fd, data } | Call::Writev { fd, data }
                if self.pipe_of(other, *fd) == Some(id) =>
            {
                self.write_some(other, data.len() as u64, missing)
            }
            Call::Splice { fd_out: fd, .. } | Call::Tee { fd_out: fd, .. }
                if self.pipe_of(other, *fd) == Some(id) && self.depth < MAX_DEPTH =>
            {
                self.feed_splice(other)
            }
            _ => false,
        }
    }

    /// A process that ends closes its descriptors before its end is printed; only then its parent
    /// finds it (wait(2)).
    fn supply_end(&mut self, tid: u32, other: u32, call: &Call<'_>, want: &Want) -> bool {
        let (Call::ExitGroup { status } | Call::Exit { status }) = call else { return false };
        // What the others of its process have open it does not close.
        if matches!(call, Call::Exit { .. }) && !self.siblings(other).is_empty() {
            return false;
        }
        let holds = match want {
            Want::NoWriter(id) => self.holds_end(other, *id, true),
            Want::NoReader(id) => self.holds_end(other, *id, false),
            Want::Ready(ids) => ids
                .iter()
                .any(|id| self.holds_end(other, *id, true) || self.holds_end(other, *id, false)),
            _ => false,
        };
        let is_watched = match want {
            Want::Ready(ids) => {
                ids.iter().any(|id| self.watches(tid, *id, other))
                    || self.kernel.is_child_of(other, tid) && self.reads_signals(tid, ids)
            }
            Want::Signals(_) => self.kernel.is_child_of(other, tid),
            _ => false,
        };
        if is_watched {
            self.end(other, status.cast_unsigned(), None);
        } else if holds {
            // One goes before the next (the highest first, as Linux lets go of what a task closes
            // when it ends): a poll may have seen that, and not the next.
            let one = match want {
                Want::Ready(ids) => self.last_end(other, ids),
                _ => None,
            };
            let (first, last) = (one.unwrap_or(0), one.unwrap_or(u32::MAX));
            let some = Call::CloseRange { first, last, flags: 0 };
            let forced = Expected::only(Role::Force, some.name());
            self.emit(&Event::Call { task: other, call: some }, Some(forced), None);
        }
        holds || is_watched
    }

    /// A task's highest descriptor of some objects.
    fn last_end(&self, tid: u32, ids: &[u64]) -> Option<u32> {
        let is_one = |fd: &i32| self.object_of(tid, *fd).is_some_and(|id| ids.contains(&id));
        (0..LOOKED_AT_FDS).rfind(is_one).map(i32::cast_unsigned)
    }

    /// What takes an end of a pipe away; a reader that is before this one in the pipe's bytes.
    fn supply_close(&mut self, other: u32, call: &Call<'_>, id: u64, writing: bool) -> bool {
        match call {
            Call::Close { fd } | Call::Dup2 { newfd: fd, .. } | Call::Dup3 { newfd: fd, .. } => {
                self.pipe_of(other, *fd) == Some(id) && self.run_other(other)
            }
            Call::CloseRange { .. } | Call::Execve { .. } => {
                self.holds_end(other, id, writing) && self.run_other(other)
            }
            Call::Read { fd, .. } | Call::Readv { fd, .. } => {
                self.pipe_of(other, *fd) == Some(id) && self.run_if_right(other)
            }
            _ => false,
        }
    }

    /// What changes the state of pipes: reads, and if `all` writes and closes too.
    fn supply_pipes(&mut self, other: u32, call: &Call<'_>, ids: &[u64], all: bool) -> bool {
        let touches =
            |order: &Self, fd: i32| order.object_of(other, fd).is_some_and(|id| ids.contains(&id));
        match call {
            Call::Read { fd, .. }
            | Call::Readv { fd, .. }
            | Call::Recvfrom { sockfd: fd, .. }
            | Call::Recvmmsg { sockfd: fd, .. }
            | Call::Recvmsg { sockfd: fd, .. } => touches(self, *fd) && self.run_if_right(other),
            Call::Connect { sockfd, addr } => {
                all && self.reaches((other, *sockfd), Some(addr), ids) && self.run_other(other)
            }
            Call::Sendto { sockfd, addr, .. } | Call::Sendmsg { sockfd, addr, .. } => {
                all && (touches(self, *sockfd)
                    || self.reaches((other, *sockfd), addr.as_ref(), ids))
                    && self.run_other(other)
            }
            Call::Write { fd, .. }
            | Call::Writev { fd, .. }
            | Call::Sendmmsg { sockfd: fd, .. } => {
                all && (touches(self, *fd) || self.reaches((other, *fd), None, ids))
                    && self.run_other(other)
            }
            Call::Sendfile { out_fd: fd, .. } | Call::Splice { fd_out: fd, .. } => {
                all && (touches(self, *fd) || self.reaches((other, *fd), None, ids))
                    && self.run_other(other)
            }
            Call::Close { fd } | Call::Ioctl { fd, .. } | Call::Shutdown { sockfd: fd, .. } => {
                all && touches(self, *fd) && self.run_other(other)
            }
            _ => false,
        }
    }

    /// Whether what a socket sends, or asks for, reaches one of these objects.
    fn reaches(&self, (tid, fd): (u32, i32), to: Option<&Address>, ids: &[u64]) -> bool {
        self.kernel.reached_by(tid, fd, to).is_some_and(|socket| ids.contains(&socket.id))
    }

    /// What happens to files, where one of the objects tells of that (inotify(7)).
    fn supply_notice(&mut self, tid: u32, other: u32, call: &Call<'_>, ids: &[u64]) -> bool {
        let by_descriptor = match call {
            Call::Write { fd, .. }
            | Call::Writev { fd, .. }
            | Call::Pwrite64 { fd, .. }
            | Call::Ftruncate { fd, .. }
            | Call::Fchmod { fd, .. }
            | Call::Fchown { fd, .. }
            | Call::Read { fd, .. }
            | Call::Close { fd }
            | Call::Dup2 { newfd: fd, .. }
            | Call::Sendfile { out_fd: fd, .. }
            | Call::CopyFileRange { fd_out: fd, .. } => self.inode_of(other, *fd).is_some(),
            _ => false,
        };
        if !by_descriptor && paths::uses(call).is_empty() {
            return false;
        }
        let tells = |fd: i32| {
            let view = self.kernel.fd_view(tid, fd);
            view.is_some_and(|view| view.notices && ids.contains(&view.id))
        };
        (0..LOOKED_AT_FDS).any(tells)
            && !matches!(self.probe(other), Probe::Wants(_))
            && self.run_other(other)
    }

    /// What changes the size of a file.
    fn supply_size(&mut self, other: u32, call: &Call<'_>, inode: InodeId) -> bool {
        let fd = match call {
            Call::Write { fd, .. }
            | Call::Writev { fd, .. }
            | Call::Pwrite64 { fd, .. }
            | Call::Ftruncate { fd, .. }
            | Call::CopyFileRange { fd_out: fd, .. }
            | Call::Sendfile { out_fd: fd, .. } => *fd,
            _ => return false,
        };
        let place = self.kernel.fd_view(other, fd).and_then(|view| view.place);
        let same = place.and_then(|place| self.kernel.fs().inode_id(place)) == Some(inode);
        same && self.run_other(other)
    }

    /// What is behind polled descriptors, and what instances of epoll(7) among them watch.
    fn objects_of(&self, tid: u32, polled: &[i32]) -> Vec<u64> {
        let own = polled.iter().filter_map(|fd| self.object_of(tid, *fd));
        let items = polled.iter().flat_map(|fd| self.kernel.epoll_items(tid, *fd));
        own.chain(items.flat_map(|item| item.objects)).collect()
    }

    /// The pipe, counter or process behind a descriptor.
    fn object_of(&self, tid: u32, fd: i32) -> Option<u64> {
        self.kernel.fd_view(tid, fd)?.object()
    }

    /// Whether a task's pidfd with this own id refers to the process of another task.
    fn watches(&self, tid: u32, id: u64, other: u32) -> bool {
        let process = self.kernel.process_of_task(other);
        (0..LOOKED_AT_FDS).any(|fd| {
            let view = self.kernel.fd_view(tid, fd).and_then(|view| view.process);
            view.is_some_and(|(own, pid)| own == id && pid.is_some() && pid == process)
        })
    }

    /// The pipe behind a descriptor.
    pub(super) fn pipe_of(&self, tid: u32, fd: i32) -> Option<u64> {
        Some(self.kernel.fd_view(tid, fd)?.pipe?.id)
    }

    /// What the bytes that are read of a descriptor came through: a pipe, or the socket itself.
    fn stream_of(&self, tid: u32, fd: i32) -> Option<u64> {
        let view = self.kernel.fd_view(tid, fd)?;
        view.pipe.map(|pipe| pipe.id).or(view.socket.map(|socket| socket.own))
    }

    /// The file behind a descriptor.
    fn inode_of(&self, tid: u32, fd: i32) -> Option<InodeId> {
        self.kernel.fs().inode_id(self.kernel.fd_view(tid, fd)?.place?)
    }

    /// Whether a task has this file open.
    fn has_open(&self, tid: u32, inode: Option<InodeId>) -> bool {
        inode.is_some() && (0..LOOKED_AT_FDS).any(|fd| self.inode_of(tid, fd) == inode)
    }

    /// Whether a task has an end of a pipe open.
    pub(super) fn holds_end(&self, tid: u32, id: u64, writing: bool) -> bool {
        (0..LOOKED_AT_FDS).any(|fd| {
            self.kernel.fd_view(tid, fd).is_some_and(|view| {
                let access = view.flags & O_ACCMODE;
                let fits = if writing { access != O_RDONLY } else { access != O_WRONLY };
                let pipe = fits && view.pipe.is_some_and(|pipe| pipe.id == id);
                let terminal = view.terminal.is_some_and(|terminal| terminal.id == id);
                pipe || terminal || view.socket.is_some_and(|socket| socket.id == id)
            })
        })
    }

    /// Runs a pending call whose result would be right now.
    pub(super) fn run_if_right(&mut self, tid: u32) -> bool {
        if self.probe(tid) != Probe::Right {
            return false;
        }
        self.run_other(tid)
    }

    /// A task that nobody is known to have made speaks: the first call that makes one and was never
    /// seen to return made it.
    pub(super) fn adopt(&mut self, child: u32) {
        let is_its = |order: &Self, other: &u32| {
            let pending = order.tasks.get(other).and_then(|task| task.pending.as_ref());
            let call = pending.filter(|it| it.item.is_none()).and_then(|it| it.decoded.parsed());
            matches!(call, Some(Call::Clone { set_tid, .. }) if set_tid == child)
        };
        if let Some(parent) = self.others(child).into_iter().find(|other| is_its(self, other)) {
            self.run_other(parent);
            return;
        }
        for parent in self.others(child) {
            let Some(pending) = self.task(parent).pending.as_mut() else { continue };
            let result = pending.printed.result.as_ref();
            let comes_again = result.is_some_and(|result| result.restart().is_some());
            let Some(Call::Clone { flags, set_tid: 0 }) = pending.decoded.parsed() else {
                continue;
            };
            if pending.item.is_some() || comes_again {
                continue;
            }
            let mut bytes = Vec::new();
            Call::Clone { flags, set_tid: child }.put(&mut bytes);
            pending.decoded.call = Some(bytes.into());
            self.run_other(parent);
            return;
        }
    }

    pub(super) fn run_other(&mut self, tid: u32) -> bool {
        if self.depth > MAX_DEPTH {
            return false;
        }
        self.depth += 1;
        self.task(tid).busy = true;
        self.run_call(tid);
        self.depth -= 1;
        self.task(tid).busy = false;
        true
    }

    /// Lets a pending write put at least what is missing: whole if it is not larger.
    pub(super) fn write_some(&mut self, tid: u32, len: u64, missing: u64) -> bool {
        let before = self.kernel.tick();
        let started = self.task(tid).pending.as_ref().and_then(|pending| pending.item);
        match started {
            Some(item) => self.resume(tid, item, missing),
            None if len <= missing || len <= 4096 => {
                return self.run_other(tid);
            }
            None => {
                if let Some(bytes) = self.call_bytes(tid)
                    && let Ok(call) = Call::get(&mut WireReader::new(&bytes))
                {
                    self.count_written(tid, &call);
                }
                self.park(tid);
                let item = self.task(tid).pending.as_ref().and_then(|pending| pending.item);
                if let Some(item) = item {
                    self.resume(tid, item, missing);
                }
            }
        }
        self.kernel.tick() > before
    }

    /// Runs a call that a blocked one waits for; false if there is none.
    pub(super) fn supply_blocked(&mut self, tid: u32) -> bool {
        let Some(bytes) = self.call_bytes(tid) else { return false };
        let Ok(mine) = Call::get(&mut WireReader::new(&bytes)) else { return false };
        if let Call::Accept { sockfd } | Call::Accept4 { sockfd, .. } = mine {
            let listener = self.object_of(tid, sockfd);
            return listener.is_some_and(|id| self.supply(tid, &Want::Ready(Vec::from([id]))));
        }
        let polled = super::polls::polled(&mine);
        if !polled.is_empty() {
            return self.supply(tid, &Want::Ready(self.objects_of(tid, &polled)));
        }
        for other in self.others(tid) {
            let Some(bytes) = self.call_bytes(other) else { continue };
            let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { continue };
            let Some(pending) = self.task(other).pending.as_ref() else { continue };
            let ends = !matches!(pending.decoded.expected.recorded, Recorded::Never);
            let started = pending.item.is_some();
            let ran = match (&mine, &call) {
                (
                    Call::Clone { .. },
                    Call::Execve { .. } | Call::ExitGroup { .. } | Call::Exit { .. },
                ) => {
                    let is_exit = !matches!(call, Call::Execve { .. });
                    (ends || is_exit) && self.run_other(other)
                }
                (mine, theirs) if meets(mine, theirs) => ends && !started && self.run_other(other),
                (
                    Call::Write { fd, .. } | Call::Writev { fd, .. },
                    Call::Read { fd: theirs, .. },
                ) => {
                    let same = self.object_of(tid, *fd) == self.object_of(other, *theirs);
                    same && ends
                        && !started
                        && self.probe(other) != Probe::Unknown
                        && self.run_if_right(other)
                }
                (
                    Call::Read { fd, .. },
                    Call::Write { fd: theirs, .. } | Call::Writev { fd: theirs, .. },
                ) => {
                    let same = self.object_of(tid, *fd) == self.object_of(other, *theirs);
                    same && self.run_other(other)
                }
                (Call::Read { .. }, Call::Close { .. }) => ends && self.run_other(other),
                (Call::Flock { .. }, Call::Flock { .. } | Call::Close { .. }) => {
                    ends && !started && self.run_other(other)
                }
                (
                    Call::Flock { fd, .. } | Call::Fcntl { fd, .. },
                    Call::ExitGroup { status } | Call::Exit { status },
                ) => {
                    // Its locks go before its end is printed.
                    let holds = !started && self.has_open(other, self.inode_of(tid, *fd));
                    if holds {
                        self.end(other, status.cast_unsigned(), None);
                    }
                    holds
                }
                (Call::Wait4 { .. } | Call::Waitid { .. }, Call::Kill { .. }) => {
                    ends && self.run_other(other)
                }
                _ => false,
            };
            if ran {
                return true;
            }
        }
        false
    }

    /// Runs a pending kill of the sender.
    pub(super) fn supply_signal(&mut self, tid: u32, sender: u32) -> bool {
        // The terminal sends it (SI_KERNEL): something was typed, or its size was set.
        if sender == 0 && self.carry_to(TerminalEnd::Slave, None) {
            return true;
        }
        for other in self.others(tid) {
            let Some(bytes) = self.call_bytes(other) else { continue };
            let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { continue };
            let from = self.kernel.process_of_task(other) == Some(sender);
            let kills = kills(&call);
            let by_kernel = sender == 0
                && match call {
                    Call::Close { .. } => true,
                    Call::Write { fd, .. } | Call::Writev { fd, .. } | Call::Ioctl { fd, .. } => {
                        self.kernel.fd_view(other, fd).is_some_and(|view| view.terminal.is_some())
                    }
                    _ => false,
                };
            if (from && kills) || by_kernel {
                return self.run_other(other);
            }
        }
        false
    }
}

/// Bytes of `struct signalfd_siginfo`.
const INFO_BYTES: usize = 128;

/// The fields of `struct signalfd_siginfo` that the kernel knows.
fn info_of(bytes: &[u8]) -> SigInfo {
    let word = |at: usize| {
        let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
        u32::from_le_bytes(word.unwrap_or_default())
    };
    SigInfo {
        signo: word(0).cast_signed(),
        code: word(8).cast_signed(),
        pid: word(12),
        uid: word(16),
        status: word(40).cast_signed(),
        value: u64::from(word(48)) | u64::from(word(52)) << 32,
    }
}

/// Calls that send a signal.
fn kills(call: &Call<'_>) -> bool {
    matches!(
        call,
        Call::Kill { .. }
            | Call::Tgkill { .. }
            | Call::Tkill { .. }
            | Call::RtSigqueueinfo { .. }
            | Call::RtTgsigqueueinfo { .. }
            | Call::PidfdSendSignal { .. }
    )
}

/// Whether two opens may be those of the two sides of a FIFO.
fn meets(mine: &Call<'_>, theirs: &Call<'_>) -> bool {
    let writes = |call: &Call<'_>| match call {
        Call::Open { flags, .. } | Call::Openat { flags, .. } | Call::Openat2 { flags, .. } => {
            Some(flags & O_ACCMODE == O_WRONLY)
        }
        _ => None,
    };
    writes(mine).zip(writes(theirs)).is_some_and(|(mine, theirs)| mine != theirs)
}
