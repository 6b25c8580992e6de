//! Rule (c) of IMPORT.md section 1: before a call changes what others may see, pending calls of
//! theirs whose recorded result is right only before it run.

use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::{O_ACCMODE, O_WRONLY};
use tickernel_systems::event::Call;
use tickernel_systems::wire::{Wire, WireReader};

use super::order::Order;
use super::paths;
use super::probe::{Probe, is_part_of};
use crate::replay::Recorded;

/// Most rounds for one call: each runs a pending write.
const MAX_ROUNDS: usize = 64;

impl Order<'_> {
    /// Calls whose result is right now and perhaps not after this one.
    pub(super) fn hold_back(&mut self, tid: u32, call: &Call<'_>) {
        if self.tasks.len() < 2 || self.depth > 4 {
            return;
        }
        self.run_earlier(tid);
        self.hold_numbers(tid);
        self.hold_connection(tid, call);
        self.hold_turns(tid, call);
        if !changes_others(call) {
            return;
        }
        // What ran may have made another's result right.
        for _ in 0..MAX_ROUNDS {
            if !self.hold_back_once(tid, call) {
                return;
            }
        }
    }

    /// Runs what comes before this call; true if a write was among it.
    fn hold_back_once(&mut self, tid: u32, call: &Call<'_>) -> bool {
        let mut wrote = false;
        let named = paths::uses(call);
        let is_write = matches!(call, Call::Write { .. } | Call::Writev { .. });
        for other in self.others(tid) {
            let Some(bytes) = self.call_bytes(other) else { continue };
            let Ok(theirs) = Call::get(&mut WireReader::new(&bytes)) else { continue };
            if self.finds_end(tid, call, (other, &theirs)) {
                self.run_other(other);
                continue;
            }
            let found_it_full = self.is_part_before(other, &theirs, tid, call);
            let Some(pending) = self.task(other).pending.as_ref() else { continue };
            let ends = !matches!(pending.decoded.expected.recorded, Recorded::Never);
            if let Some(item) = pending.item {
                wrote |= self.write_before_close((tid, call), (other, &theirs), item);
                continue;
            }
            if !ends || found_it_full {
                continue;
            }
            let sensitive = match &theirs {
                Call::Read { fd, .. } | Call::Readv { fd, .. } => {
                    named.is_empty()
                        && self.kernel.fd_view(other, *fd).is_some_and(|v| v.object().is_some())
                }
                Call::Write { fd, .. } | Call::Writev { fd, .. } => {
                    matches!(pending.decoded.expected.recorded, Recorded::Errno(_))
                        || self.is_part_before(tid, call, other, &theirs)
                        || self.is_last_reader(tid, call, other, *fd)
                        || self.is_written_before(tid, call, other, *fd, &theirs)
                }
                Call::Poll { .. }
                | Call::Ppoll { .. }
                | Call::Select { .. }
                | Call::Pselect6 { .. }
                | Call::EpollWait { .. }
                | Call::EpollPwait { .. }
                | Call::EpollPwait2 { .. } => named.is_empty(),
                Call::Wait4 { .. } | Call::Waitid { .. } => named.is_empty(),
                Call::Fstat { .. } | Call::Newfstatat { .. } if is_write => true,
                _ => paths::uses(&theirs).iter().any(|one| {
                    let name = paths::last(one.path);
                    named.iter().any(|mine| paths::last(mine.path) == name)
                }),
            };
            if sensitive && self.probe(other) == Probe::Right {
                wrote |= matches!(theirs, Call::Write { .. } | Call::Writev { .. });
                // A write that does not wait comes before the read that makes room.
                let (first, was_busy) =
                    (self.is_part_before(tid, call, other, &theirs), self.task(tid).busy);
                self.task(tid).busy |= first;
                self.run_other(other);
                self.task(tid).busy = was_busy;
            }
        }
        wrote
    }

    /// Whether another task's read of a terminal waits while this call closes the other side: who
    /// waits then is told EIO, who comes later that it is the end (pty(7)).
    fn finds_end(&self, tid: u32, call: &Call<'_>, (other, theirs): (u32, &Call<'_>)) -> bool {
        let (Call::Read { fd, .. } | Call::Readv { fd, .. }) = *theirs else { return false };
        let pending = self.tasks.get(&other).and_then(|task| task.pending.as_ref());
        let pending = pending.filter(|pending| pending.item.is_none());
        let recorded = pending.map(|pending| pending.decoded.expected.recorded);
        let view = self.kernel.fd_view(other, fd).and_then(|view| view.terminal);
        let (Some(Recorded::Errno(Errno::EIO)), Some(own)) = (recorded, view) else {
            return false;
        };
        let closes = |fd: i32| {
            let view = self.kernel.fd_view(tid, fd).and_then(|view| view.terminal);
            view.is_some_and(|view| view.id == own.id && view.end != own.end)
        };
        let waits = matches!(self.kernel.terminal_read(other, fd, 1), Some(Ok(None)));
        waits
            && match *call {
                Call::Close { fd } | Call::Dup2 { newfd: fd, .. } => closes(fd),
                Call::ExitGroup { .. } | Call::Exit { .. } | Call::Execve { .. } => {
                    (0..256).any(closes)
                }
                _ => false,
            }
    }

    /// A write that waits for room put all that it tells of before its last reader went; true if it
    /// went on.
    fn write_before_close(
        &mut self,
        (tid, call): (u32, &Call<'_>),
        (writer, theirs): (u32, &Call<'_>),
        item: u64,
    ) -> bool {
        let (Call::Write { fd, .. } | Call::Writev { fd, .. }) = *theirs else { return false };
        let recorded = self.task(writer).pending.as_ref().map(|it| it.decoded.expected.recorded);
        let Some(Recorded::Value(value)) = recorded else { return false };
        let Some(written) = self.kernel.written_so_far(writer) else { return false };
        let missing = u64::try_from(value).unwrap_or(0).saturating_sub(written);
        if missing == 0 || !self.is_last_reader(tid, call, writer, fd) {
            return false;
        }
        self.resume(writer, item, missing);
        self.kernel.written_so_far(writer) != Some(written)
    }

    /// Whether another task's write, which did not wait, put what there was room for, or found
    /// none, before this call made more of it.
    fn is_part_before(&self, tid: u32, call: &Call<'_>, other: u32, theirs: &Call<'_>) -> bool {
        let (Call::Read { fd: from, .. } | Call::Readv { fd: from, .. }) = *call else {
            return false;
        };
        let (Call::Write { fd, data } | Call::Writev { fd, data }) = theirs else { return false };
        let pending = self.tasks.get(&other).and_then(|task| task.pending.as_ref());
        let recorded = pending.map(|pending| pending.decoded.expected.recorded);
        let (Some(recorded), Some(to)) = (recorded, self.kernel.fd_view(other, *fd)) else {
            return false;
        };
        let found_it_full = match recorded {
            Recorded::Value(value) => is_part_of(to.flags, data.len() as u64, value),
            Recorded::Errno(errno) => errno == Errno::EAGAIN,
            Recorded::Never => false,
        };
        let pipe = self.kernel.fd_view(tid, from).and_then(|view| view.pipe);
        found_it_full && pipe.zip(to.pipe).is_some_and(|(one, other)| one.id == other.id)
    }

    /// Whether a call closes the last reading end of the pipe that another task's write goes to.
    pub(super) fn is_last_reader(&self, tid: u32, call: &Call<'_>, writer: u32, to: i32) -> bool {
        let Some(pipe) = self.kernel.fd_view(writer, to).and_then(|view| view.pipe) else {
            return false;
        };
        if pipe.readers != 1 {
            return false;
        }
        let reads = |fd: i32| {
            self.kernel.fd_view(tid, fd).is_some_and(|view| {
                view.pipe.is_some_and(|own| own.id == pipe.id)
                    && view.flags & O_ACCMODE != O_WRONLY
                    && view.uses == 1
            })
        };
        match *call {
            Call::Close { fd } => reads(fd),
            Call::Dup2 { newfd, .. } | Call::Dup3 { newfd, .. } => reads(newfd),
            Call::ExitGroup { .. } | Call::Exit { .. } | Call::Execve { .. } => (0..256).any(reads),
            _ => false,
        }
    }

    /// Whether the pipe's readers saw another task's bytes before this call's.
    pub(super) fn is_written_before(
        &self,
        tid: u32,
        call: &Call<'_>,
        other: u32,
        to: i32,
        theirs: &Call<'_>,
    ) -> bool {
        let (Call::Write { fd, data } | Call::Writev { fd, data }) = call else { return false };
        let (Call::Write { data: other_data, .. } | Call::Writev { data: other_data, .. }) = theirs
        else {
            return false;
        };
        let pipe = |tid: u32, fd: i32| Some(self.kernel.fd_view(tid, fd)?.pipe?.id);
        let Some(id) = pipe(tid, *fd).filter(|id| pipe(other, to) == Some(*id)) else {
            return false;
        };
        let printed = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let stream = printed
            .and_then(|pending| pending.printed.arg(0)?.as_fd())
            .and_then(|fd| self.hints.stream(&fd.text));
        let coming = match stream {
            Some(stream) => {
                let at = self.written.get(&id).copied().unwrap_or(0);
                let rest = usize::try_from(at).ok().and_then(|at| stream.get(at..));
                rest.map(<[u8]>::to_vec)
            }
            None => self.coming(id),
        };
        let Some(coming) = coming else { return false };
        self.fits(tid, data, &coming) == Some(false)
            && self.fits(other, other_data, &coming) == Some(true)
    }
}

/// Calls after which another task's pending call may find something else.
fn changes_others(call: &Call<'_>) -> bool {
    match call {
        Call::Write { .. }
        | Call::Writev { .. }
        | Call::Read { .. }
        | Call::Readv { .. }
        | Call::Close { .. }
        | Call::CloseRange { .. }
        | Call::Dup2 { .. }
        | Call::Dup3 { .. }
        | Call::Execve { .. }
        | Call::ExitGroup { .. }
        | Call::Exit { .. }
        | Call::Kill { .. }
        | Call::Tgkill { .. }
        | Call::Clone { .. }
        | Call::Sendfile { .. } => true,
        other => paths::uses(other).iter().any(|one| one.creates || one.removes),
    }
}
