//! The descriptors that the first process had, as the whole recording shows them (IMPORT.md section
//! 5): numbers that are used before a call makes them, numbers that a new descriptor skips (open)
//! or takes (closed), and what each was: its printed text, fstat(2), lseek(2), ioctl(2), fcntl(2).

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Errno, Stat};
use tickernel_systems::event::{Call, FcntlArg, FieldSink, FieldValue, IoctlArg, Payload, Style};

use super::created::Created;
use super::lineage::{Lineage, Slot};
use super::made::{made_count, made_fds, makes_cloexec};
use super::polls::polled;
use crate::replay::{Expected, Recorded, stat_bits};
use crate::strace::{self, Fd, Value};

/// Numbers above are not looked at.
const MAX_FD: i32 = 4096;
/// Where a process finds its own descriptors (proc(5)).
const OWN_FDS: &[u8] = b"/proc/self/fd/";
/// The device that has no room for anything, as strace prints it.
const FULL: &[u8] = b"char 1:7";
/// Sights of an offset that are kept of one descriptor.
const MAX_PLACES: usize = 64;
/// Numbers that one new descriptor may show as open.
const MAX_GAP: i32 = 256;

/// What is known of one descriptor of the root.
#[derive(Debug, Default)]
pub struct SeenFd {
    /// Whether it was open; `None` if nothing tells.
    pub open: Option<bool>,
    /// It closes on exec: after one its number was free.
    pub cloexec: bool,
    /// What strace printed for it, or a link in /proc/PID/fd.
    pub text: Option<Vec<u8>>,
    /// The device that strace printed with it.
    pub device: Option<Vec<u8>>,
    /// The first stat and its members.
    pub stat: Option<(Stat, u32)>,
    /// Moves of the description's offset before that stat: an index for [`Descriptors::moves`].
    pub stat_at: usize,
    /// Access mode and status flags, before they were set.
    pub flags: Option<u32>,
    /// Its flags were set.
    pub flags_set: bool,
    /// By it O_NONBLOCK was set.
    pub sets_nonblock: bool,
    /// O_NONBLOCK came or went, and it was not by this number.
    pub is_changed: bool,
    /// Where lseek(2) found it, and the moves before.
    pub offset: Option<(u64, usize)>,
    /// The same each time, the first ones, while nobody had set it.
    pub places: Vec<(u64, usize)>,
    /// Its offset was set.
    pub offset_set: bool,
    /// lseek(2) says that it is a pipe, a socket or the like.
    pub is_stream: bool,
    /// It is a terminal.
    pub is_tty: bool,
    /// It is none.
    pub is_no_tty: bool,
    /// It is a directory.
    pub is_directory: bool,
    /// Its link in /proc says that it is open for both.
    pub is_both: bool,
    /// Bytes were read.
    pub was_read: bool,
    /// Something was written.
    pub was_written: bool,
    /// Reading is refused.
    pub cannot_read: bool,
    /// Writing is refused.
    pub cannot_write: bool,
}

/// What is known of all of them.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// By the root's number.
    pub seen: BTreeMap<i32, SeenFd>,
    /// Bytes that were read or written at offsets, in order.
    pub moves: Vec<(i32, u64)>,
    /// Modes of created files.
    pub created: Created,
    /// The highest number that a call made under the limit that the root had.
    highest: i32,
    /// Numbers that calls have which have not returned: nobody else gets them.
    promised: BTreeSet<i32>,
    /// A call found that limit reached.
    has_met_limit: bool,
    /// The root executed a program: it has nothing more that closes on exec.
    pub(super) root_executed: bool,
}

impl SeenFd {
    /// Whether both stand at one place whenever that is seen at one time, and not only at the
    /// start: one description.
    pub fn moves_with(&self, other: &SeenFd) -> bool {
        let mut together = false;
        for (offset, at) in &self.places {
            for (theirs, _) in other.places.iter().filter(|(_, their)| their == at) {
                if theirs != offset {
                    return false;
                }
                together |= *offset > 0;
            }
        }
        together
    }
}

impl SeenFd {
    /// Whether the flags of one changed when those of the other were set: one description, as far
    /// as nothing else tells them apart.
    pub fn changes_with(&self, other: &SeenFd) -> bool {
        let is_apart = self.text.is_some() && other.text.is_some() && self.text != other.text;
        let is_changed = |one: &SeenFd, by: &SeenFd| one.is_changed && by.sets_nonblock;
        !is_apart && (is_changed(self, other) || is_changed(other, self))
    }
}

impl Descriptors {
    /// A task enters a call, or leaves it; `shares` = other threads have its table, too, so that
    /// numbers are taken in another order than calls return.
    pub(super) fn promise(&mut self, call: &strace::Call, enters: bool, shares: bool) {
        let is_early = shares || matches!(&*call.name, "accept" | "accept4");
        if enters && !is_early || !enters && self.promised.is_empty() {
            return;
        }
        let number = call.result.as_ref().and_then(|result| i64::try_from(result.number()?).ok());
        for number in number.map_or_else(Vec::new, |number| made_fds(call, number)) {
            if enters {
                self.promised.insert(number);
            } else {
                self.promised.remove(&number);
            }
        }
    }

    /// A call that is over: what it shows, then what it does to its task's table.
    pub(super) fn see(
        &mut self,
        task: &Lineage,
        call: &strace::Call,
        parsed: Option<&Call<'_>>,
        expected: &Expected,
    ) {
        // What these print is what they made.
        if !matches!(&*call.name, "pipe" | "pipe2" | "socketpair" | "recvmsg" | "recvmmsg") {
            for fd in call.args.iter().flat_map(printed) {
                self.text(task, fd);
            }
        }
        if let Some(parsed) = parsed {
            self.uses(task, parsed, expected.recorded);
            match expected.recorded {
                Recorded::Value(value) => self.succeeded(task, parsed, expected, value),
                Recorded::Errno(Errno::EMFILE) => self.met_limit(task),
                Recorded::Errno(errno) => self.failed(task, parsed, errno),
                Recorded::Never => {}
            }
        }
        if let Recorded::Value(value) = expected.recorded {
            self.made(task, call, parsed, value);
        }
    }

    fn at(&mut self, task: &Lineage, fd: i32) -> Option<&mut SeenFd> {
        let fd = task.root_fd(fd).filter(|fd| *fd < MAX_FD)?;
        Some(self.seen.entry(fd).or_default())
    }

    fn text(&mut self, task: &Lineage, fd: &Fd) {
        let Some(number) = fd.number.as_i32() else { return };
        // `1234<bash>` is a process (-Y).
        let is_file = fd.text.first() == Some(&b'/') || fd.text.contains(&b':');
        if !is_file {
            return;
        }
        if let Some(seen) = self.at(task, number)
            && seen.open != Some(false)
            && seen.text.is_none()
        {
            seen.open = Some(true);
            seen.text = Some(fd.text.clone());
            seen.device = fd.device.clone();
        }
    }

    /// A number that is used is open, unless the call says that it is not.
    fn uses(&mut self, task: &Lineage, call: &Call<'_>, recorded: Recorded) {
        let bad = recorded == Recorded::Errno(Errno::EBADF);
        // Of a read and a write EBADF may be the access mode's.
        let ambiguous = matches!(
            call,
            Call::Read { .. }
                | Call::Readv { .. }
                | Call::Pread64 { .. }
                | Call::Write { .. }
                | Call::Writev { .. }
                | Call::Pwrite64 { .. }
                | Call::Ftruncate { .. }
                | Call::Fallocate { .. }
        );
        for fd in used(call) {
            if let Some(seen) = self.at(task, fd)
                && !(bad && ambiguous)
            {
                seen.open.get_or_insert(!bad);
            }
        }
        if let (Call::Poll { .. } | Call::Ppoll { .. }, Recorded::Value(_)) = (call, recorded) {
            // What is not open is told by POLLNVAL, which `succeeded` sees.
            return;
        }
        for fd in polled(call) {
            if let Some(seen) = self.at(task, fd).filter(|_| matches!(recorded, Recorded::Value(_)))
            {
                seen.open.get_or_insert(true);
            }
        }
    }

    fn failed(&mut self, task: &Lineage, call: &Call<'_>, errno: Errno) {
        let Some(fd) = used(call).first().copied() else { return };
        let Some(seen) = self.at(task, fd) else { return };
        match (call, errno) {
            (Call::Lseek { .. }, Errno::ESPIPE) => seen.is_stream = true,
            (Call::Ioctl { .. }, Errno::ENOTTY) => seen.is_no_tty = true,
            (Call::Read { .. } | Call::Readv { .. }, Errno::EBADF) => seen.cannot_read = true,
            (Call::Write { .. } | Call::Writev { .. }, Errno::EBADF) => seen.cannot_write = true,
            (Call::Read { .. }, Errno::EISDIR) => seen.is_directory = true,
            // /dev/full, where no stat tells of a file (full(4)).
            (Call::Write { .. } | Call::Writev { .. }, Errno::ENOSPC) => {
                seen.device.get_or_insert_with(|| FULL.to_vec());
            }
            // What nobody reads, or nobody has written to yet.
            (Call::Write { .. } | Call::Writev { .. }, Errno::EPIPE)
            | (Call::Read { .. } | Call::Readv { .. }, Errno::EAGAIN) => seen.is_stream = true,
            _ => {}
        }
    }

    /// EMFILE: all numbers below the limit are in use, and one that was made is the last.
    fn met_limit(&mut self, task: &Lineage) {
        if task.limits & 1 << RLIMIT_NOFILE != 0 {
            return;
        }
        self.has_met_limit = true;
        for fd in 0..self.highest.min(MAX_FD) {
            if let Some(seen) = self.at(task, fd) {
                seen.open.get_or_insert(true);
            }
        }
    }

    /// How many descriptors a process could have, if the recording meets that limit.
    pub(super) fn limit(&self) -> Option<u64> {
        let limit = u64::try_from(self.highest).ok()?.saturating_add(1);
        self.has_met_limit.then_some(limit)
    }

    /// The first stat of a descriptor, and after how many moves of its offset it came.
    fn told_stat(&mut self, task: &Lineage, fd: i32, expected: &Expected) {
        let at = self.moves.len();
        if let (Payload::Stat(stat), Some(seen)) = (&expected.payload, self.at(task, fd))
            && seen.stat.is_none()
        {
            seen.stat = Some((**stat, expected.members));
            seen.stat_at = at;
        }
    }

    fn succeeded(&mut self, task: &Lineage, call: &Call<'_>, expected: &Expected, value: i64) {
        match call {
            Call::Read { fd, .. } | Call::Readv { fd, .. } => self.moved(task, *fd, value, false),
            Call::Write { fd, .. } | Call::Writev { fd, .. } => self.moved(task, *fd, value, true),
            Call::Sendfile { out_fd, in_fd, offset, .. } => {
                self.moved(task, *out_fd, value, true);
                self.moved_at(task, *in_fd, value, *offset);
            }
            Call::CopyFileRange { fd_in, off_in, fd_out, off_out, .. }
            | Call::Splice { fd_in, off_in, fd_out, off_out, .. } => {
                self.moved_at(task, *fd_in, value, *off_in);
                if off_out.is_none() {
                    self.moved(task, *fd_out, value, true);
                }
            }
            Call::Fstat { fd }
            | Call::Newfstatat { dirfd: fd, path: Some(b""), .. }
            | Call::Statx { dirfd: fd, path: Some(b"") | None, .. } => {
                self.told_stat(task, *fd, expected);
            }
            Call::Lseek { fd, offset, whence } => {
                let at = self.moves.len();
                let Some(seen) = self.at(task, *fd) else { return };
                if let (SEEK_CUR, Ok(found)) = (*whence, u64::try_from(value - *offset))
                    && !seen.offset_set
                {
                    seen.offset.get_or_insert((found, at));
                    if seen.places.len() < MAX_PLACES && seen.places.last() != Some(&(found, at)) {
                        seen.places.push((found, at));
                    }
                }
                seen.offset_set |= *whence != SEEK_CUR || *offset != 0;
            }
            Call::Ioctl { .. } | Call::Fcntl { .. } => self.asked(task, call, value),
            Call::Getdents64 { fd, .. } | Call::Fchdir { fd } => {
                self.listed(task, *fd, expected);
                if let Some(seen) = self.at(task, *fd) {
                    seen.is_directory = true;
                }
            }
            Call::Readlink { path: Some(path), .. }
            | Call::Readlinkat { path: Some(path), .. }
            | Call::Lstat { path: Some(path) }
            | Call::Newfstatat { path: Some(path), .. }
            | Call::Statx { path: Some(path), .. }
                if path.starts_with(OWN_FDS) =>
            {
                self.link(task, path, expected);
            }
            Call::Openat { dirfd, path: Some(path), .. }
            | Call::Openat2 { dirfd, path: Some(path), .. }
            | Call::Newfstatat { dirfd, path: Some(path), .. }
                if *dirfd >= 0 && path.first().is_some_and(|first| *first != b'/') =>
            {
                if let Some(seen) = self.at(task, *dirfd) {
                    seen.is_directory = true;
                }
            }
            Call::Poll { .. }
            | Call::Ppoll { .. }
            | Call::Select { .. }
            | Call::Pselect6 { .. } => self.polled(task, call, expected),
            _ => {}
        }
    }

    /// ioctl(2) and fcntl(2).
    fn asked(&mut self, task: &Lineage, call: &Call<'_>, value: i64) {
        match call {
            // Not /dev/null, and there is something to read.
            Call::Ioctl { fd, request: FIONREAD, .. } => {
                if let Some(seen) = self.at(task, *fd) {
                    seen.was_read = true;
                }
            }
            Call::Ioctl { fd, request: FIONBIO, arg } => {
                if let Some(seen) = self.at(task, *fd) {
                    seen.flags_set = true;
                    seen.sets_nonblock |= matches!(arg, IoctlArg::Number(1..));
                }
            }
            Call::Ioctl { fd, request, .. } => {
                let tty = [TCGETS, TIOCGWINSZ, TIOCGPGRP].contains(request);
                if let Some(seen) = self.at(task, *fd).filter(|_| tty) {
                    seen.is_tty = true;
                }
            }
            Call::Fcntl { fd, cmd: F_GETFL, .. } => {
                let (Some(seen), Ok(flags)) = (self.at(task, *fd), u32::try_from(value)) else {
                    return;
                };
                if !seen.flags_set {
                    let first = *seen.flags.get_or_insert(flags);
                    seen.is_changed |= (first ^ flags) & O_NONBLOCK != 0;
                }
            }
            Call::Fcntl { fd, cmd: F_SETFL, arg } => {
                let sets = matches!(arg, FcntlArg::Number(it) if it & i64::from(O_NONBLOCK) != 0);
                if let Some(seen) = self.at(task, *fd) {
                    seen.flags_set = true;
                    seen.sets_nonblock |= sets;
                }
            }
            _ => {}
        }
    }

    fn moved(&mut self, task: &Lineage, fd: i32, value: i64, written: bool) {
        let Some(root_fd) = task.root_fd(fd) else { return };
        let (Some(seen), Ok(count)) = (self.at(task, fd), u64::try_from(value)) else { return };
        seen.was_written |= written;
        seen.was_read |= !written && count > 0;
        if count > 0 {
            self.moves.push((root_fd, count));
        }
    }

    /// What was read at the description's own offset.
    fn moved_at(&mut self, task: &Lineage, fd: i32, value: i64, offset: Option<i64>) {
        if offset.is_none() {
            self.moved(task, fd, value, false);
        }
    }

    /// What is asked for and not told is not there: of files and /dev/null it always would be.
    fn polled(&mut self, task: &Lineage, call: &Call<'_>, expected: &Expected) {
        if expected.flags & crate::replay::CUT != 0 {
            return;
        }
        match (call, &expected.payload) {
            (Call::Poll { fds, .. } | Call::Ppoll { fds, .. }, Payload::Poll(answer)) => {
                for asked in fds {
                    let told = answer.iter().find(|answer| answer.fd == asked.fd);
                    let bad = told.is_some_and(|it| u32::from(it.revents) & POLLNVAL != 0);
                    let waits = told.is_none() && u32::from(asked.events) & (POLLIN | POLLOUT) != 0;
                    let both = u32::from(asked.events) & (POLLIN | POLLOUT) == POLLIN | POLLOUT;
                    let has = told.map_or(0, |it| u32::from(it.revents) & (POLLIN | POLLOUT));
                    let is_end = both && (has == POLLIN || has == POLLOUT);
                    if let Some(seen) = self.at(task, asked.fd) {
                        seen.open.get_or_insert(!bad);
                        seen.is_stream |= waits || is_end;
                    }
                }
            }
            (
                Call::Select { readfds, writefds, .. } | Call::Pselect6 { readfds, writefds, .. },
                Payload::Select(answer),
            ) => {
                for (asked, told) in [(readfds, &answer.read), (writefds, &answer.write)] {
                    for fd in asked.iter().flatten().filter_map(|fd| i32::try_from(*fd).ok()) {
                        let waits = !told.as_ref().is_some_and(|told| told.contains(&fd));
                        if let Some(seen) = self.at(task, fd) {
                            seen.is_stream |= waits;
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// `/proc/self/fd/1` of ls(1) and the like: what the link says, and its mode, which shows how
    /// the file is open (proc(5)).
    fn link(&mut self, task: &Lineage, path: &[u8], expected: &Expected) {
        let Some(number) = path.strip_prefix(OWN_FDS).and_then(number_of_name) else { return };
        let Some(seen) = self.at(task, number) else { return };
        match &expected.payload {
            Payload::Data(target) if expected.flags & crate::replay::CUT == 0 => {
                seen.open.get_or_insert(true);
                seen.text.get_or_insert(target.0.clone());
            }
            Payload::Stat(stat) if stat.mode & S_IFMT == S_IFLNK => {
                seen.open.get_or_insert(true);
                seen.cannot_read |= stat.mode & 0o400 == 0;
                seen.cannot_write |= stat.mode & 0o200 == 0;
                seen.is_both |= stat.mode & 0o600 == 0o600;
            }
            _ => {}
        }
    }

    /// The list of /proc/self/fd names every open descriptor.
    fn listed(&mut self, task: &Lineage, fd: i32, expected: &Expected) {
        let Payload::Dirents(entries) = &expected.payload else { return };
        if task.slot(fd) != Slot::OwnFds {
            return;
        }
        for number in entries.iter().filter_map(|entry| number_of_name(&entry.name.0)) {
            if let Some(seen) = self.at(task, number) {
                seen.open.get_or_insert(true);
            }
        }
    }

    /// What a call does to the table of its task; the number of a new descriptor tells which below
    /// it were open (open(2): the lowest that is not).
    fn made(&mut self, task: &Lineage, call: &strace::Call, parsed: Option<&Call<'_>>, value: i64) {
        let made = i32::try_from(value).unwrap_or(-1);
        match parsed {
            Some(Call::Dup { oldfd }) => self.copied(task, *oldfd, 0, made, false),
            Some(Call::Fcntl { fd, cmd: cmd @ (F_DUPFD | F_DUPFD_CLOEXEC), arg }) => {
                let from = if let FcntlArg::Number(from) = arg { *from } else { return };
                let from = i32::try_from(from).unwrap_or(0);
                self.copied(task, *fd, from, made, *cmd == F_DUPFD_CLOEXEC);
            }
            Some(Call::Fcntl { fd, cmd: F_SETFD, arg: FcntlArg::Number(arg) }) => {
                task.set_cloexec(*fd, arg & 1 != 0);
            }
            Some(Call::Dup2 { oldfd, newfd }) if oldfd != newfd => {
                task.put(*newfd, copy(task.slot(*oldfd), false));
            }
            Some(Call::Dup3 { oldfd, newfd, flags }) => {
                task.put(*newfd, copy(task.slot(*oldfd), flags & O_CLOEXEC != 0));
            }
            Some(Call::Close { fd }) if *fd >= 0 => task.put(*fd, Slot::Closed),
            Some(Call::CloseRange { first, last, flags }) => {
                let known: Vec<i32> = self.seen.keys().copied().chain(0..3).collect();
                let [first, last] = [first, last].map(|fd| i32::try_from(*fd).unwrap_or(i32::MAX));
                task.close_range(first, last, flags & CLOSE_RANGE_CLOEXEC != 0, &known);
            }
            _ => {
                let cloexec = makes_cloexec(call, parsed);
                let path = match parsed {
                    Some(
                        Call::Open { path, .. }
                        | Call::Openat { path, .. }
                        | Call::Openat2 { path, .. },
                    ) => *path,
                    _ => None,
                };
                let own = call.tid.map(|tid| format!("/proc/{tid}/fd").into_bytes());
                let lists = path.is_some_and(|path| {
                    let path = path.strip_suffix(b"/").unwrap_or(path);
                    path == b"/proc/self/fd" || own.is_some_and(|own| own == path)
                });
                for fd in self.made_pair(task, call, value) {
                    self.taken(task, 0, fd);
                    task.put(fd, if lists { Slot::OwnFds } else { Slot::Own { cloexec } });
                }
            }
        }
    }

    /// The numbers that a call made; of a pair that was not printed whole, the lowest that are free
    /// as far as is known.
    fn made_pair(&self, task: &Lineage, call: &strace::Call, value: i64) -> Vec<i32> {
        let mut made = made_fds(call, value);
        let wanted = if value < 0 { 0 } else { made_count(call) };
        let is_free = |fd: i32| match task.slot(fd) {
            Slot::Closed => true,
            Slot::Own { .. } | Slot::OwnFds => false,
            Slot::Inherited { root_fd, .. } => {
                let open = self.seen.get(&root_fd).and_then(|seen| seen.open);
                !open.unwrap_or((0..3).contains(&root_fd))
            }
        };
        for fd in 0..MAX_FD {
            if made.len() >= wanted {
                break;
            }
            if is_free(fd) && made.last().is_none_or(|last| fd > *last) {
                made.push(fd);
            }
        }
        made
    }

    fn copied(&mut self, task: &Lineage, old: i32, from: i32, made: i32, cloexec: bool) {
        let slot = copy(task.slot(old), cloexec);
        self.taken(task, from, made);
        task.put(made, slot);
    }

    /// A new descriptor got a number: those below are open, and it was not.
    fn taken(&mut self, task: &Lineage, from: i32, made: i32) {
        if task.limits & 1 << RLIMIT_NOFILE == 0 {
            self.highest = self.highest.max(made);
        }
        for fd in from..made.min(from.saturating_add(MAX_GAP)) {
            if self.promised.contains(&fd) {
                continue;
            }
            if let Some(seen) = self.at(task, fd) {
                seen.open.get_or_insert(true);
            }
        }
        let closes = task.has_executed && !self.root_executed;
        if let Some(seen) = self.at(task, made) {
            seen.cloexec |= closes && seen.open == Some(true);
            seen.open.get_or_insert(false);
        }
    }
}

/// A name that is a number.
fn number_of_name(name: &[u8]) -> Option<i32> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

fn copy(slot: Slot, cloexec: bool) -> Slot {
    match slot {
        Slot::Closed => Slot::Closed,
        Slot::Own { .. } | Slot::OwnFds => Slot::Own { cloexec },
        Slot::Inherited { root_fd, .. } => Slot::Inherited { root_fd, cloexec },
    }
}

/// Printed descriptors of an argument; those of lists too.
fn printed(arg: &Value) -> Vec<&Fd> {
    match arg.as_fd() {
        Some(fd) => vec![fd],
        None => {
            let items = arg.items().unwrap_or_default().iter();
            items.filter_map(|item| item.field("fd").unwrap_or(item).as_fd()).collect()
        }
    }
}

/// Collects the descriptors among a call's fields, by the names that the man pages give them.
#[derive(Default)]
struct Numbers(Vec<i32>);

impl FieldSink for Numbers {
    fn field(&mut self, name: &'static str, _: Style, value: FieldValue<'_>) {
        const NAMES: &[&str] =
            &["fd", "sockfd", "oldfd", "out_fd", "in_fd", "fd_in", "fd_out", "pidfd", "epfd"];
        if let FieldValue::Number(number) = value
            && NAMES.contains(&name)
        {
            self.0.extend(i32::try_from(number));
        }
    }
}

/// Descriptors that a call takes by their numbers.
pub(super) fn used(call: &Call<'_>) -> Vec<i32> {
    match *call {
        Call::Newfstatat { dirfd, path: Some(b""), .. }
        | Call::Statx { dirfd, path: Some(b""), .. }
            if dirfd >= 0 =>
        {
            vec![dirfd]
        }
        _ => {
            let mut numbers = Numbers::default();
            call.show(&mut numbers);
            numbers.0
        }
    }
}

/// Members of a stat that name a file.
pub(super) fn file_name(stat: &(Stat, u32)) -> Option<(u64, u64)> {
    let wanted = stat_bits::DEV | stat_bits::INO;
    (stat.1 & wanted == wanted).then_some((stat.0.dev, stat.0.ino))
}
