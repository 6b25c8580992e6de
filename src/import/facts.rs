//! Before a call is run: what its recorded result says about the tree that was there (IMPORT.md
//! section 6). After it ran: what it changed, so that later sights of it are no facts.

use tickernel_systems::Kernel;
use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Errno, Timespec};
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::fs::{Meta, Node, PATH_MAX, Place};

use super::hidden;
use super::hints::Hints;
use super::initial::{Initial, Shape};
use super::paths::{self, Use};
use crate::replay::{CUT, Expected, Recorded, stat_bits};

/// How many links in a row are followed when a path is made up.
pub(super) const MAX_DEPTH: u32 = 16;

/// What facts are entered into.
pub struct Facts<'a> {
    /// The scratch kernel.
    pub kernel: &'a mut Kernel,
    /// The facts.
    pub initial: &'a mut Initial,
    /// Kinds by path.
    pub hints: &'a Hints,
    /// Who calls.
    pub tid: u32,
    /// What the file behind the descriptor that comes of the call turns out to be.
    pub opened: Option<Shape>,
    /// Its mode, as the first stat of that descriptor shows it.
    pub opened_mode: Option<u32>,
    /// Whether it shows bytes that nobody had written.
    pub was_there: bool,
}

/// What is wanted at the end of a path.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) shape: Shape,
    pub(super) mode: u32,
}

impl Facts<'_> {
    /// Enters what the recorded result of a call says. `real` is the path that strace printed for
    /// the descriptor that came of it.
    pub fn before(&mut self, call: &Call<'_>, expected: &Expected, real: Option<&[u8]>) {
        let recorded = expected.recorded;
        if is_decided_before(call, recorded) {
            return;
        }
        for one in paths::uses(call) {
            match recorded {
                Recorded::Value(_) => self.succeeded(&one, call, expected, real),
                Recorded::Errno(errno) => self.failed(&one, call, errno),
                Recorded::Never => {}
            }
        }
        self.rights(call, recorded);
        if let Recorded::Value(value) = recorded {
            self.contents(call, expected, value);
        }
    }

    fn succeeded(
        &mut self,
        one: &Use<'_>,
        call: &Call<'_>,
        expected: &Expected,
        real: Option<&[u8]>,
    ) {
        if one.creates && !one.may_exist {
            self.ensure_parent(one);
            return;
        }
        if one.creates {
            self.ensure_parent(one);
            self.found_by_create(one, call);
            return self.see(one, call, expected);
        }
        let shape = match (&expected.payload, call) {
            (Payload::Stat(stat), _) if expected.members & stat_bits::MODE != 0 => {
                Shape::of(stat.mode, stat.rdev)
            }
            (Payload::Data(text), Call::Readlink { .. } | Call::Readlinkat { .. }) => {
                Shape::Link(whole_target(&text.0, expected))
            }
            _ if one.directory => Shape::Directory,
            (_, Call::Open { .. } | Call::Openat { .. } | Call::Openat2 { .. }) => {
                self.opened.clone().unwrap_or(Shape::File)
            }
            _ => Shape::File,
        };
        let mode = match call {
            Call::Execve { .. } => 0o755,
            Call::Access { mode, .. }
            | Call::Faccessat { mode, .. }
            | Call::Faccessat2 { mode, .. }
                if mode & X_OK != 0 =>
            {
                0o755
            }
            _ if shape == Shape::Directory => 0o755,
            _ => 0o644,
        };
        let wanted = Wanted { shape, mode };
        self.ensure(one.dirfd, one.path, one.follow, &wanted, real, 0);
        self.see(one, call, expected);
    }

    /// O_CREAT of a file whose mode is not what it would have got, or that has bytes before anybody
    /// wrote: it was there.
    fn found_by_create(&mut self, one: &Use<'_>, call: &Call<'_>) {
        let (Call::Open { flags, mode, .. }
        | Call::Openat { flags, mode, .. }
        | Call::Openat2 { flags, mode, .. }) = call
        else {
            return;
        };
        // A mode of 0 stands for one that the session changed.
        let known = self.opened_mode.filter(|mode| *mode != 0);
        if self.was_there && flags & (O_EXCL | O_TRUNC) == 0 {
            let mode = known.map_or(0o644, |mode| mode & 0o7777);
            let wanted = Wanted { shape: self.opened.clone().unwrap_or(Shape::File), mode };
            return self.ensure(one.dirfd, one.path, true, &wanted, None, 0);
        }
        let (Some(shown), Some(umask)) = (self.opened_mode, self.kernel.umask_of(self.tid)) else {
            return;
        };
        if flags & O_EXCL == 0 && shown & S_IFMT == S_IFREG && shown & 0o777 != mode & !umask {
            let wanted = Wanted { shape: Shape::File, mode: shown & 0o7777 };
            self.ensure(one.dirfd, one.path, true, &wanted, None, 0);
        }
    }

    /// What the call shows of the file itself.
    fn see(&mut self, one: &Use<'_>, call: &Call<'_>, expected: &Expected) {
        let Some(place) = self.resolve(one) else { return };
        let fs = self.kernel.describe_tree();
        if let Payload::Stat(stat) = &expected.payload {
            self.initial.see_stat(fs, place, stat, expected.members);
        }
        if matches!(call, Call::Execve { .. }) {
            self.initial.see_program(fs, place);
            let head = fs.pages(place).map(|pages| pages.read(0, 256)).unwrap_or_default();
            self.interpreter(&head);
        }
    }

    /// A script ran: so did its interpreter.
    fn interpreter(&mut self, head: &[u8]) {
        let Some(line) = head.strip_prefix(b"#!") else { return };
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        let path = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let wanted = Wanted { shape: Shape::File, mode: 0o755 };
        self.ensure(AT_FDCWD, path, true, &wanted, None, 0);
        if let Ok(Some(place)) = self.kernel.resolve(self.tid, AT_FDCWD, path, true) {
            self.initial.see_program(self.kernel.describe_tree(), place);
        }
    }

    pub(super) fn resolve(&self, one: &Use<'_>) -> Option<Place> {
        if one.path.is_empty() {
            return self.kernel.fd_view(self.tid, one.dirfd).and_then(|view| view.place);
        }
        self.kernel.resolve(self.tid, one.dirfd, one.path, one.follow).ok().flatten()
    }

    /// A file was there that nobody may open.
    pub(super) fn is_shut(&mut self, one: &Use<'_>) {
        let file = Wanted { shape: Shape::File, mode: 0 };
        self.ensure(one.dirfd, one.path, one.follow, &file, None, 0);
    }

    /// Whether anyone may make a name in the directory of a path.
    pub(super) fn is_open_to_all(&self, one: &Use<'_>) -> bool {
        let directory = self.parent_of(one).and_then(|(place, _)| self.kernel.fs().inode(place));
        directory.is_some_and(|inode| inode.mode & 0o002 != 0)
    }

    pub(super) fn whole_path(&self, one: &Use<'_>) -> Vec<u8> {
        if one.path.first() == Some(&b'/') {
            return one.path.to_vec();
        }
        let start = self.kernel.start_place(self.tid, one.dirfd);
        let mut whole = start.map_or_else(Vec::new, |at| self.kernel.path_of(self.tid, at));
        whole.push(b'/');
        whole.extend_from_slice(one.path);
        whole
    }

    /// The text of a link that nobody read.
    fn unknown_target(&self, own: &[u8]) -> Vec<u8> {
        hidden::unknown_target(&self.hints.identities.hidden, own)
    }

    pub(super) fn ensure_parent(&mut self, one: &Use<'_>) {
        let path = trimmed(one.path);
        let directory = Wanted { shape: Shape::Directory, mode: 0o755 };
        if let Some(cut) = path.iter().rposition(|byte| *byte == b'/').filter(|cut| *cut > 0) {
            let above = path.get(..cut).unwrap_or_default();
            self.ensure(one.dirfd, above, true, &directory, None, 0);
        }
    }

    /// Makes sure that a path leads somewhere, as far as that can be a fact.
    pub(super) fn ensure(
        &mut self,
        dirfd: i32,
        path: &[u8],
        follow: bool,
        wanted: &Wanted,
        real: Option<&[u8]>,
        depth: u32,
    ) {
        if depth > MAX_DEPTH || path.is_empty() {
            return;
        }
        if self.kernel.resolve(self.tid, dirfd, path, follow) != Err(Errno::ENOENT) {
            return;
        }
        let path = trimmed(path);
        let ends = paths::ends(path);
        let Some(mut at) = self.start(dirfd, path) else { return };
        for (index, &(start, end)) in ends.iter().enumerate() {
            let is_last = index + 1 == ends.len();
            let prefix = path.get(..end).unwrap_or_default();
            match self.kernel.resolve(self.tid, dirfd, prefix, follow || !is_last) {
                Ok(Some(place)) => {
                    at = place;
                    continue;
                }
                Err(Errno::ENOENT) => {}
                Ok(None) | Err(_) => return,
            }
            let name = path.get(start..end).unwrap_or_default();
            if let Ok(Some(link)) = self.kernel.resolve(self.tid, dirfd, prefix, false) {
                self.ensure_target(
                    dirfd,
                    path.get(..start).unwrap_or_default(),
                    link,
                    wanted,
                    is_last,
                    depth,
                );
            } else {
                let rest = path.get(end..).unwrap_or_default();
                let follow = follow || !is_last;
                self.create(at, name, rest, is_last, follow, wanted, real, depth);
            }
            match self.kernel.resolve(self.tid, dirfd, prefix, follow || !is_last) {
                Ok(Some(place)) => at = place,
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// A link that leads nowhere yet: what it names was there.
    fn ensure_target(
        &mut self,
        dirfd: i32,
        before: &[u8],
        link: Place,
        wanted: &Wanted,
        is_last: bool,
        depth: u32,
    ) {
        use tickernel_systems::fs::Kind;
        let Some(Kind::Symlink(target)) = self.kernel.fs().inode(link).map(|inode| &inode.kind)
        else {
            return;
        };
        let target = target.to_vec();
        let directory = Wanted { shape: Shape::Directory, mode: 0o755 };
        let wanted = if is_last { wanted } else { &directory };
        if target.first() == Some(&b'/') {
            self.ensure(AT_FDCWD, &target, true, wanted, None, depth + 1);
        } else {
            let mut path = before.to_vec();
            path.extend_from_slice(&target);
            self.ensure(dirfd, &path, true, wanted, None, depth + 1);
        }
    }

    fn start(&self, dirfd: i32, path: &[u8]) -> Option<Place> {
        if path.first() == Some(&b'/') {
            return Some(self.kernel.fs().root());
        }
        self.kernel.start_place(self.tid, dirfd)
    }

    /// Makes one missing name, as a link where the recording shows that it is one.
    #[allow(clippy::too_many_arguments)]
    fn create(
        &mut self,
        at: Place,
        name: &[u8],
        rest: &[u8],
        is_last: bool,
        follow: bool,
        wanted: &Wanted,
        real: Option<&[u8]>,
        depth: u32,
    ) {
        if name == b"." || name == b".." {
            return;
        }
        let above = self.kernel.path_of(self.tid, at);
        let mut own = if above == b"/" { Vec::new() } else { above };
        own.push(b'/');
        own.extend_from_slice(name);
        let hinted = self.hints.shape(&own).cloned();
        let deduced = real.and_then(|real| paths::link_to(&own, rest, real));
        let (shape, mode) = match (hinted, deduced) {
            (Some(Shape::Link(target)), deduced) => {
                let text = if target.is_empty() { deduced } else { Some(target) };
                (Shape::Link(text.unwrap_or_else(|| self.unknown_target(&own))), 0o777)
            }
            (_, Some(target)) => (Shape::Link(target), 0o777),
            (Some(shape), None) if is_last && wanted.shape == Shape::File => {
                let mode = if shape == Shape::Directory { 0o755 } else { wanted.mode };
                (shape, mode)
            }
            (None, None)
                if is_last && wanted.shape == Shape::File && self.hints.is_prefix(&own) =>
            {
                (Shape::Directory, 0o755)
            }
            (_, None) if is_last => match &wanted.shape {
                Shape::Link(text) if text.is_empty() => {
                    (Shape::Link(self.unknown_target(&own)), 0o777)
                }
                shape => (shape.clone(), wanted.mode),
            },
            (_, None) => (Shape::Directory, 0o755),
        };
        let fs = self.kernel.describe_tree();
        let made = self.initial.add(fs, at, name, shape.clone(), Meta::mode(mode));
        if let (Ok(_), Shape::Link(target)) = (made, &shape)
            && follow
            && (!matches!(wanted.shape, Shape::Link(_)) || !is_last)
        {
            let directory = Wanted { shape: Shape::Directory, mode: 0o755 };
            let wanted = if is_last { wanted.clone() } else { directory };
            let mut target = target.clone();
            if target.first() != Some(&b'/') {
                let cut = own.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                let mut whole = own.get(..=cut).unwrap_or_default().to_vec();
                whole.extend_from_slice(&target);
                target = whole;
            }
            let real = if is_last { real } else { None };
            self.ensure(AT_FDCWD, &target, true, &wanted, real, depth + 1);
        }
    }

    /// Sizes, bytes and lists.
    fn contents(&mut self, call: &Call<'_>, expected: &Expected, value: i64) {
        let tid = self.tid;
        match *call {
            Call::Read { fd, count } | Call::Readv { fd, count } => {
                let Some(view) = self.kernel.fd_view(tid, fd) else { return };
                self.read(view.place, view.offset, count, expected, value);
            }
            Call::Pread64 { fd, count, offset } | Call::Preadv { fd, count, offset } => {
                let Some(view) = self.kernel.fd_view(tid, fd) else { return };
                let Ok(offset) = u64::try_from(offset) else { return };
                self.read(view.place, offset, count, expected, value);
            }
            Call::Lseek { fd, offset, whence } if whence == SEEK_END => {
                let place = self.kernel.fd_view(tid, fd).and_then(|view| view.place);
                let size = u64::try_from(i128::from(value) - i128::from(offset));
                if let (Some(place), Ok(size)) = (place, size) {
                    self.initial.see_size(self.kernel.describe_tree(), place, size);
                }
            }
            Call::Lseek { fd, offset, whence } if whence >= SEEK_DATA => {
                let place = self.kernel.fd_view(tid, fd).and_then(|view| view.place);
                let (Some(place), Ok(offset), Ok(found)) =
                    (place, u64::try_from(offset), u64::try_from(value))
                else {
                    return;
                };
                let data = if whence == SEEK_DATA { (found, found + 1) } else { (offset, found) };
                self.initial.see_data(self.kernel.describe_tree(), place, data.0, data.1);
            }
            Call::Fstat { fd } => {
                let place = self.kernel.fd_view(tid, fd).and_then(|view| view.place);
                if let (Some(place), Payload::Stat(stat)) = (place, &expected.payload) {
                    let fs = self.kernel.describe_tree();
                    self.initial.see_stat(fs, place, stat, expected.members);
                }
            }
            Call::Getdents64 { fd, .. } => self.list(fd, expected),
            Call::CopyFileRange { fd_in, off_in, len, .. } => {
                let Some(view) = self.kernel.fd_view(tid, fd_in) else { return };
                let offset = off_in.map_or(view.offset, |offset| offset as u64);
                self.moved(view.place, offset, len, value);
            }
            Call::Sendfile { in_fd, offset, count, .. } => {
                let Some(view) = self.kernel.fd_view(tid, in_fd) else { return };
                let offset = offset.map_or(view.offset, |offset| offset as u64);
                self.moved(view.place, offset, count, value);
            }
            _ => {}
        }
    }

    /// Bytes that were moved without being shown: only the size is known.
    fn moved(&mut self, place: Option<Place>, offset: u64, wanted: u64, value: i64) {
        let (Some(place), Ok(value)) = (place, u64::try_from(value)) else { return };
        if value < wanted.min(0x7fff_f000) {
            self.initial.see_size(self.kernel.describe_tree(), place, offset.saturating_add(value));
        }
    }

    fn read(
        &mut self,
        place: Option<Place>,
        offset: u64,
        count: u64,
        expected: &Expected,
        value: i64,
    ) {
        let (Some(place), Ok(value)) = (place, u64::try_from(value)) else { return };
        let fs = self.kernel.describe_tree();
        if fs.pages(place).is_none() {
            return;
        }
        if value < count && (value > 0 || offset > 0 || count > 0) {
            let live = fs.pages(place).map_or(0, tickernel_systems::fs::Pages::size);
            let size = offset.saturating_add(value);
            if value > 0 || live > size {
                self.initial.see_size(fs, place, size);
            }
        }
        let live = fs.pages(place).map_or(0, tickernel_systems::fs::Pages::size);
        // Of what strace cut the beginning is known.
        let whole = expected.flags & CUT == 0 || !expected.name().contains('v');
        if let Payload::Data(data) = &expected.payload
            && whole
        {
            self.initial.see_bytes(fs, place, offset, &data.0);
        }
        // A read that gives more than there is: the file is at least as long.
        if live < offset.saturating_add(value) {
            self.initial.see_at_least(fs, place, offset.saturating_add(value));
        }
    }

    fn list(&mut self, fd: i32, expected: &Expected) {
        let place = self.kernel.fd_view(self.tid, fd).and_then(|view| view.place);
        let (Some(place), Payload::Dirents(entries)) = (place, &expected.payload) else { return };
        if matches!(place.node, Node::Proc(_)) {
            return;
        }
        let above = self.kernel.path_of(self.tid, place);
        let names = entries.iter().filter(|entry| entry.name.0 != b"." && entry.name.0 != b"..");
        for entry in names.clone() {
            let name = &entry.name.0;
            let mut own = if above == b"/" { Vec::new() } else { above.clone() };
            own.push(b'/');
            own.extend_from_slice(name);
            let hinted = self.hints.shape(&own).cloned();
            let shape = match (Shape::of(u32::from(entry.kind) << 12, 0), hinted) {
                (Shape::Link(_), Some(Shape::Link(target))) if !target.is_empty() => {
                    Shape::Link(target)
                }
                (Shape::Link(_), _) => Shape::Link(self.unknown_target(&own)),
                (shape, _) => shape,
            };
            let mode = if shape == Shape::Directory { 0o755 } else { 0o644 };
            let fs = self.kernel.describe_tree();
            // A name that is there, or that the session changed, is no news.
            self.initial.add(fs, place, name, shape, Meta::mode(mode)).ok();
        }
        let fs = self.kernel.fs();
        self.initial.see_order(fs, place, names.map(|entry| entry.name.0.clone()));
    }

    /// Notes what a call is about to change, where it succeeds in the recording.
    pub fn changes(&mut self, call: &Call<'_>, recorded: Recorded) {
        let Recorded::Value(value) = recorded else { return };
        for one in paths::uses(call) {
            if (one.creates || one.removes)
                && let Some((directory, name)) = self.parent_of(&one)
            {
                self.initial.touch(self.kernel.fs(), directory, &name);
            }
            if let Some(place) = self.resolve(&one) {
                let members = paths::changed_members(call);
                self.initial.changed(self.kernel.fs(), place, members);
                if paths::truncates(call) {
                    self.initial.wrote(self.kernel.fs(), place, 0, u64::MAX);
                }
            }
        }
        self.changes_open(call, value);
    }

    fn changes_open(&mut self, call: &Call<'_>, value: i64) {
        let tid = self.tid;
        let view = |fd: i32| self.kernel.fd_view(tid, fd);
        let size_of = |place: Place| {
            self.kernel.fs().pages(place).map_or(0, tickernel_systems::fs::Pages::size)
        };
        let range = match *call {
            Call::Write { fd, .. } | Call::Writev { fd, .. } => view(fd).and_then(|view| {
                let place = view.place?;
                let append = view.flags & O_APPEND != 0;
                Some((place, if append { size_of(place) } else { view.offset }))
            }),
            Call::Pwrite64 { fd, offset, .. } | Call::Pwritev { fd, offset, .. } => {
                view(fd).and_then(|view| Some((view.place?, offset as u64)))
            }
            Call::CopyFileRange { fd_in, off_in, fd_out, off_out, .. } => {
                let (from, to) = (view(fd_in), view(fd_out));
                let from = from.and_then(|view| {
                    Some((view.place?, off_in.map_or(view.offset, |offset| offset as u64)))
                });
                let to = to.and_then(|view| {
                    Some((view.place?, off_out.map_or(view.offset, |offset| offset as u64)))
                });
                self.copied(from, to, value);
                to
            }
            Call::Sendfile { out_fd, in_fd, offset, .. } => {
                let from = view(in_fd).and_then(|view| {
                    Some((view.place?, offset.map_or(view.offset, |offset| offset as u64)))
                });
                let to = view(out_fd).and_then(|view| Some((view.place?, view.offset)));
                self.copied(from, to, value);
                to
            }
            Call::Ftruncate { fd, length } => {
                if let Some(place) = view(fd).and_then(|view| view.place) {
                    self.initial.wrote(self.kernel.fs(), place, length.max(0) as u64, u64::MAX);
                    self.initial.changed(self.kernel.fs(), place, stat_bits::SIZE);
                }
                None
            }
            Call::Fchmod { fd, .. } | Call::Fchown { fd, .. } => {
                if let Some(place) = view(fd).and_then(|view| view.place) {
                    let members = paths::changed_members(call);
                    self.initial.changed(self.kernel.fs(), place, members);
                }
                None
            }
            _ => None,
        };
        if let (Some((place, start)), Ok(value)) = (range, u64::try_from(value)) {
            let times = stat_bits::MTIME | stat_bits::CTIME;
            self.initial.changed(self.kernel.fs(), place, times);
            let copies = matches!(call, Call::CopyFileRange { .. } | Call::Sendfile { .. });
            if !copies {
                self.initial.wrote(self.kernel.fs(), place, start, start.saturating_add(value));
            }
        }
    }

    fn copied(&mut self, from: Option<(Place, u64)>, to: Option<(Place, u64)>, value: i64) {
        let fs = self.kernel.fs();
        let (Some(from), Some(to), Ok(len)) = (from, to, u64::try_from(value)) else { return };
        if len > 0 && fs.pages(from.0).is_some() && fs.pages(to.0).is_some() {
            self.initial.copied(fs, from, to, len);
        }
    }

    fn parent_of(&self, one: &Use<'_>) -> Option<(Place, Vec<u8>)> {
        let path = trimmed(one.path);
        let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(cut) => (path.get(..cut.max(1))?, path.get(cut + 1..)?),
            None => (&b"."[..], path),
        };
        let place = self.kernel.resolve(self.tid, one.dirfd, above, true).ok()??;
        Some((place, name.to_vec()))
    }
}

/// Whether a call's result says nothing of its path: it is decided before that is looked up.
fn is_decided_before(call: &Call<'_>, recorded: Recorded) -> bool {
    let omits = |time: &Option<Timespec>| time.is_some_and(|time| time.nsec == UTIME_OMIT);
    match (call, recorded) {
        // A name that is to be made cannot end in a slash.
        (
            Call::Open { path: Some(path), flags, .. }
            | Call::Openat { path: Some(path), flags, .. }
            | Call::Openat2 { path: Some(path), flags, .. },
            Recorded::Errno(Errno::EISDIR),
        ) => flags & O_CREAT != 0 && path.ends_with(b"/"),
        (Call::Creat { path: Some(path), .. }, Recorded::Errno(Errno::EISDIR)) => {
            path.ends_with(b"/")
        }
        (
            Call::Readlink { bufsiz, .. } | Call::Readlinkat { bufsiz, .. },
            Recorded::Errno(Errno::EINVAL),
        ) => *bufsiz <= 0,
        (Call::Utimensat { atime, mtime, .. }, Recorded::Value(_)) => omits(atime) && omits(mtime),
        // `.` and `..` are busy whatever the other name is.
        (
            Call::Rename { .. } | Call::Renameat { .. } | Call::Renameat2 { .. },
            Recorded::Errno(Errno::EBUSY),
        ) => paths::uses(call).iter().any(|one| matches!(paths::last(one.path), b"." | b"..")),
        _ => false,
    }
}

/// What a link names that a readlink(2) showed. Of a target that strace cut the length is known:
/// where it leads nobody knows, but it is told as long as it was.
fn whole_target(shown: &[u8], expected: &Expected) -> Vec<u8> {
    let mut target = shown.to_vec();
    if let (true, Recorded::Value(length)) = (expected.flags & CUT != 0, expected.recorded)
        && let Ok(length) = usize::try_from(length).map(|length| length.min(PATH_MAX - 1))
        && length > target.len()
    {
        target.resize(length, b'?');
    }
    target
}

/// A path without slashes at its end.
pub(super) fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(path.len().min(1), |at| at + 1);
    path.get(..end).unwrap_or_default()
}
