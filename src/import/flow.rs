//! Bytes on their way while the recording is walked: how many went through each pipe, which of them
//! strace did not print (`unknown.rs`), and whether what the reads gave is what was recorded.

use tickernel_systems::FdView;
use tickernel_systems::abi::flags::{AT_FDCWD, O_TRUNC};
use tickernel_systems::abi::socket::MSG_PEEK;
use tickernel_systems::event::{Answer, Call, Payload};
use tickernel_systems::fs::{Kind, Place};

use super::decode;
use super::order::Order;
use super::programs::rest_of_program;
use super::task::Pending;
use super::unknown::Home;
use crate::replay::{CUT, FED, Recorded};

/// Most bytes of what was read from pipes that are kept for a second walk.
const MAX_STREAM_BYTES: usize = 64 << 20;

/// Most times that a pipe ran dry that are kept.
const MAX_DRY: usize = 1 << 20;

/// What the reads of a pipe gave, in their order.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    bytes: Vec<u8>,
    /// Something was not printed: nothing more is known.
    cut: bool,
    /// How many bytes were read.
    count: u64,
    /// After how many of them a read got less than it asked for: there was no more.
    dry: Vec<u64>,
}

/// A descriptor's side of a copy.
type Side = Option<(Home, u64)>;

impl Order<'_> {
    fn home(&self, view: &FdView) -> Option<Home> {
        if let Some(pipe) = view.pipe {
            return Some(Home::Pipe(pipe.id));
        }
        if let Some(socket) = view.socket {
            return Some(Home::Pipe(socket.own));
        }
        self.file(view.place?)
    }

    fn file(&self, place: Place) -> Option<Home> {
        let fs = self.kernel.fs();
        fs.pages(place)?;
        fs.inode_id(place).map(Home::File)
    }

    /// Bytes that a write is about to put into a pipe, all of them: `flow` takes back what did not
    /// get there. Its event is the next.
    pub(super) fn count_written(&mut self, tid: u32, call: &Call<'_>) {
        let Some((id, len)) = self.sent_to(tid, call) else { return };
        let item = self.items.len();
        let parts = self.unknown_parts(tid);
        let at = self.written.entry(id).or_default();
        let start = *at;
        *at += len;
        self.note_write(id, start, len);
        if !parts.is_empty() {
            self.unknown.wrote(Home::Pipe(id), start, len, item, &parts);
        }
    }

    /// The pipe or socket that a call writes to, and how many bytes.
    fn sent_to(&self, tid: u32, call: &Call<'_>) -> Option<(u64, u64)> {
        let (fd, data, to) = match call {
            Call::Write { fd, data } | Call::Writev { fd, data } => (*fd, *data, None),
            Call::Sendto { sockfd, data, addr, .. } | Call::Sendmsg { sockfd, data, addr, .. } => {
                (*sockfd, *data, addr.as_ref())
            }
            _ => return None,
        };
        let view = self.kernel.fd_view(tid, fd)?;
        let id = match (view.pipe, view.socket) {
            (Some(pipe), _) => pipe.id,
            (None, Some(_)) => self.kernel.reached_by(tid, fd, to)?.own,
            (None, None) => return None,
        };
        Some((id, data.len() as u64))
    }

    /// The ranges of a pending call's data that were not printed.
    pub(super) fn unknown_parts(&self, tid: u32) -> Vec<(u64, u64)> {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        pending.map(|pending| decode::unknown_parts(&pending.printed)).unwrap_or_default()
    }

    /// A call ended: what it moved.
    pub(super) fn flow(&mut self, tid: u32, pending: &Pending, answer: Option<&Answer>) {
        let Some(call) = pending.decoded.parsed() else { return };
        let moved = answer.and_then(|answer| u64::try_from(answer.value).ok()).unwrap_or(0);
        match call {
            Call::Recvfrom { flags, .. } | Call::Recvmsg { flags, .. } if flags & MSG_PEEK != 0 => {
            }
            Call::Read { fd, .. }
            | Call::Readv { fd, .. }
            | Call::Recvfrom { sockfd: fd, .. }
            | Call::Recvmsg { sockfd: fd, .. } => {
                let Some(view) = self.kernel.fd_view(tid, fd) else { return };
                let Some(home) = self.home(&view) else { return };
                let start = match home {
                    Home::Pipe(id) => {
                        let at = self.taken.entry(id).or_default();
                        let start = *at;
                        *at += moved;
                        let taken = *at;
                        self.note_read(tid, pending, id, taken);
                        start
                    }
                    Home::File(_) => view.offset.saturating_sub(moved),
                };
                self.has_read(pending, home, start, answer);
            }
            Call::Pread64 { fd, offset, .. } | Call::Preadv { fd, offset, .. } => {
                let home = self.kernel.fd_view(tid, fd).and_then(|view| self.home(&view));
                if let (Some(home), Ok(start)) = (home, u64::try_from(offset)) {
                    self.has_read(pending, home, start, answer);
                }
            }
            Call::Sendto { data, .. } | Call::Sendmsg { data, .. } => {
                let missing = (data.len() as u64).saturating_sub(moved);
                if let Some((id, _)) = self.sent_to(tid, &call).filter(|_| missing > 0) {
                    self.take_back(id, missing);
                }
            }
            Call::Write { fd, data } | Call::Writev { fd, data } => {
                let Some(view) = self.kernel.fd_view(tid, fd) else { return };
                let missing = (data.len() as u64).saturating_sub(moved);
                match self.home(&view) {
                    Some(Home::Pipe(_)) if missing > 0 => {
                        if let Some((id, _)) = self.sent_to(tid, &call) {
                            self.take_back(id, missing);
                        }
                    }
                    Some(home @ Home::File(_)) => {
                        let start = view.offset.saturating_sub(moved);
                        self.has_written(pending, home, start, moved);
                    }
                    Some(Home::Pipe(_)) | None => {}
                }
            }
            Call::Pwrite64 { fd, offset, .. } | Call::Pwritev { fd, offset, .. } => {
                let home = self.kernel.fd_view(tid, fd).and_then(|view| self.home(&view));
                if let (Some(home), Ok(start)) = (home, u64::try_from(offset)) {
                    self.has_written(pending, home, start, moved);
                }
            }
            _ => self.flow_inside(tid, &call, moved),
        }
    }

    /// The last bytes of a write did not get there.
    fn take_back(&mut self, id: u64, missing: u64) {
        let at = self.written.entry(id).or_default();
        let end = *at;
        *at = at.saturating_sub(missing);
        let start = *at;
        self.unknown.clear(Home::Pipe(id), start, end);
    }

    /// Copies and cuts inside the kernel.
    fn flow_inside(&mut self, tid: u32, call: &Call<'_>, moved: u64) {
        let view = |fd: i32| self.kernel.fd_view(tid, fd);
        let (from, to, consumes) = match *call {
            Call::Sendfile { in_fd, out_fd, offset, .. } => {
                (self.side(tid, in_fd, offset, moved), (out_fd, None), true)
            }
            Call::CopyFileRange { fd_in, off_in, fd_out, off_out, .. } => {
                (self.side(tid, fd_in, off_in, moved), (fd_out, off_out), true)
            }
            Call::Splice { fd_in, off_in, fd_out, off_out, .. } => {
                (self.side(tid, fd_in, off_in, moved), (fd_out, off_out), true)
            }
            Call::Tee { fd_in, fd_out, .. } => {
                (self.side(tid, fd_in, None, moved), (fd_out, None), false)
            }
            Call::Ftruncate { fd, length } => {
                let home = view(fd).and_then(|view| self.home(&view));
                if let (Some(home), Ok(length)) = (home, u64::try_from(length)) {
                    self.unknown.clear(home, length, u64::MAX);
                }
                return;
            }
            Call::Open { flags, .. } | Call::Openat { flags, .. } | Call::Openat2 { flags, .. }
                if flags & O_TRUNC != 0 =>
            {
                let made = i32::try_from(moved).ok().and_then(view);
                if let Some(home @ Home::File(_)) = made.and_then(|view| self.home(&view)) {
                    self.unknown.clear(home, 0, u64::MAX);
                }
                return;
            }
            _ => return,
        };
        let to = match (view(to.0).and_then(|view| self.home(&view)), to.1) {
            (Some(Home::Pipe(id)), _) => {
                let at = self.written.entry(id).or_default();
                let start = *at;
                *at += moved;
                Some((Home::Pipe(id), start))
            }
            _ => self.side(tid, to.0, to.1, moved),
        };
        if let (Some(from), Some(to)) = (from, to)
            && !self.unknown.is_empty()
        {
            self.unknown.copied(from, to, moved);
        }
        if let (Some((Home::Pipe(id), _)), true) = (from, consumes) {
            *self.taken.entry(id).or_default() += moved;
        }
    }

    /// Where bytes that were moved begin.
    fn side(&self, tid: u32, fd: i32, offset: Option<i64>, moved: u64) -> Side {
        let view = self.kernel.fd_view(tid, fd)?;
        let home = self.home(&view)?;
        Some((
            home,
            match (home, offset) {
                (Home::Pipe(id), _) => self.taken.get(&id).copied().unwrap_or(0),
                (Home::File(_), Some(offset)) => u64::try_from(offset).ok()?,
                (Home::File(_), None) => view.offset.saturating_sub(moved),
            },
        ))
    }

    fn has_written(&mut self, pending: &Pending, home: Home, start: u64, len: u64) {
        let parts = decode::unknown_parts(&pending.printed);
        if let Some(item) = pending.item
            && (!parts.is_empty() || !self.unknown.is_empty())
        {
            self.unknown.wrote(home, start, len, item, &parts);
        }
    }

    /// What a read shows; a read of a pipe that gave something else is out of order.
    fn has_read(&mut self, pending: &Pending, home: Home, start: u64, answer: Option<&Answer>) {
        let expected = &pending.decoded.expected;
        let recorded = match &expected.payload {
            Payload::Data(data) => data,
            Payload::Received(received) => &received.data,
            _ => return,
        };
        let (Recorded::Value(value), Some(answer)) = (expected.recorded, answer) else { return };
        let is_cut = expected.flags & CUT != 0;
        let is_list = matches!(&*expected.name(), "readv" | "preadv" | "preadv2");
        if let Home::Pipe(id) = home {
            let end = start.saturating_add(u64::try_from(value).unwrap_or(0));
            let known = !is_cut && !self.unknown.touches(home, start, end);
            let differs = known && answer.payload != expected.payload;
            self.disorder += u64::from(value != answer.value || differs);
            let asked = match pending.decoded.parsed() {
                Some(Call::Read { count, .. } | Call::Readv { count, .. }) => count,
                _ => 0,
            };
            let stream = self.streams.entry(id).or_default();
            let got = u64::try_from(value).unwrap_or(0);
            stream.count = stream.count.saturating_add(got);
            if got > 0 && got < asked && stream.dry.len() < MAX_DRY {
                stream.dry.push(stream.count);
            }
            stream.cut |= is_list && is_cut || self.stream_bytes > MAX_STREAM_BYTES;
            if !stream.cut {
                stream.bytes.extend_from_slice(&recorded.0);
                self.stream_bytes += recorded.0.len();
                stream.cut = is_cut;
            }
        }
        if self.unknown.is_empty() || expected.flags & FED != 0 || is_list && is_cut {
            return;
        }
        for learnt in self.unknown.read(home, start, &recorded.0) {
            self.items.write(learnt.item, learnt.at, learnt.bytes);
        }
    }

    /// A file ran of which strace cut how it begins: like a program.
    pub(super) fn has_run(&mut self, tid: u32, call: &Call<'_>, recorded: Recorded) {
        let (Call::Execve { path: Some(path), .. }, Recorded::Value(0)) = (call, recorded) else {
            return;
        };
        let place = self.kernel.resolve(tid, AT_FDCWD, path, true).ok().flatten();
        let inode = place.and_then(|place| self.kernel.fs().inode_id(place));
        let (Some(place), Some(inode)) = (place, inode) else { return };
        // A file that was there may have the number of one that is gone.
        if self.initial.of(self.kernel.fs(), place).is_some() {
            return;
        }
        let Some((known, _)) = self.unknown.first(Home::File(inode)) else { return };
        let head = self.kernel.fs().pages(place).map(|pages| pages.read(0, known));
        let Some(rest) = head.and_then(|head| rest_of_program(&head)) else { return };
        for learnt in self.unknown.read(Home::File(inode), known, &rest) {
            self.items.write(learnt.item, learnt.at, learnt.bytes);
        }
        self.kernel
            .describe_tree()
            .describe_kind(place, |kind| {
                if let Kind::Regular(pages) = kind {
                    pages.write(known, &rest);
                }
            })
            .unwrap_or(());
    }

    /// What the readers of a pipe get after what was written to it: from a walk before this one, or
    /// from the one reader that waits there.
    pub(super) fn coming(&self, id: u64) -> Option<Vec<u8>> {
        let at = self.written.get(&id).copied().unwrap_or(0);
        if let Some(stream) = self.known_streams.get(&id) {
            let rest = usize::try_from(at).ok().and_then(|at| stream.bytes.get(at..));
            return rest.filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec);
        }
        let mut found = None;
        for (tid, task) in &self.tasks {
            let Some(pending) = task.pending.as_ref().filter(|pending| pending.item.is_none())
            else {
                continue;
            };
            let Some(Call::Read { fd, .. }) = pending.decoded.parsed() else { continue };
            let pipe = self.kernel.fd_view(*tid, fd).and_then(|view| view.pipe);
            let Some(pipe) = pipe.filter(|pipe| pipe.id == id) else { continue };
            let Payload::Data(data) = &pending.decoded.expected.payload else { continue };
            if found.is_some() {
                return None;
            }
            let rest = usize::try_from(pipe.bytes).ok().and_then(|at| data.0.get(at..));
            found = Some(rest.unwrap_or_default().to_vec());
        }
        found
    }

    /// How many bytes a pipe may hold before it runs dry, where a walk before this one found that
    /// it does.
    pub(super) fn before_dry(&self, id: u64) -> Option<u64> {
        let taken = self.taken.get(&id).copied().unwrap_or(0);
        let dry = &self.known_streams.get(&id)?.dry;
        let next = dry.get(dry.partition_point(|at| *at <= taken))?;
        next.checked_sub(taken)
    }

    /// Whether a task's pending write begins with what comes; `None` if nothing can be said.
    pub(super) fn fits(&self, tid: u32, data: &[u8], coming: &[u8]) -> Option<bool> {
        let known = self.unknown_parts(tid).first().map_or(u64::MAX, |part| part.0);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let len = data.len().min(coming.len()).min(known);
        (len > 0).then(|| data.get(..len) == coming.get(..len))
    }
}
