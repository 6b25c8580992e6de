//! Files and objects that the kernel does not model, but that the session has open: a file of the
//! host's /proc or /sys (IMPORT.md section 13), a console, an object of a call that is unknown.
//! `/dev/null` or a bare node stands in its place, and what is asked of it is answered as recorded.
//!
//! Also pipes whose other end is held by somebody who was not recorded: what comes from there is an
//! input.

use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::*;
use tickernel_systems::event::{Call, Event, FcntlArg, Outcome};
use tickernel_systems::fs::{Kind, Node};
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Boot, BootTarget};

use super::decode::{self, Decoded, unmodelled};
use super::made::{made_count, made_fds, makes_cloexec};
use super::order::Order;
use super::paths;
use super::task::Pending;
use crate::replay::{Expected, FED, FED_PROC, Recorded, Role};
use crate::strace::{self, Value};

/// Why the answers of a description are taken from the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// The kernel does not know such an object.
    Unknown,
    /// A peer was not recorded.
    Peer,
    /// A file of /proc or /sys.
    Host,
}

/// Ends of a pipe that somebody outside the recording holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The writing end.
    pub writes: bool,
    /// The reading end.
    pub reads: bool,
}

/// Whether a path is one of the host's own files.
fn is_host_path(path: &[u8]) -> bool {
    [&b"/proc/"[..], b"/sys/"].iter().any(|top| path.starts_with(top)) || path == b"/proc"
}

/// Whether a descriptor's text is that of a socket beyond unix(7).
fn is_network(text: &[u8]) -> bool {
    [&b"NETLINK:"[..], b"TCP:", b"TCPv6:", b"UDP:", b"UDPv6:", b"PACKET:", b"PING:"]
        .iter()
        .any(|kind| text.starts_with(kind))
}

/// Names of terminals.
fn is_terminal_path(path: &[u8]) -> bool {
    matches!(path, b"/dev/tty" | b"/dev/console") || path.starts_with(b"/dev/pts/")
}

/// Whether the kernel answers for a file of that kind.
fn is_modelled(kind: &Kind) -> bool {
    match kind {
        Kind::CharDevice(rdev) => match major(*rdev) {
            1 => matches!(minor(*rdev), 3 | 5 | 7 | 8 | 9),
            5 => matches!(minor(*rdev), 0 | 2),
            136..=143 => true,
            _ => false,
        },
        Kind::Socket | Kind::BlockDevice(_) => false,
        Kind::Regular(_) | Kind::Directory(_) | Kind::Symlink(_) | Kind::Fifo => true,
    }
}

impl Order<'_> {
    /// Notes what the first process holds that is not modelled.
    pub(super) fn note_inherited(&mut self, boot: &Boot) {
        for fd in &boot.fds {
            let number = i32::try_from(fd.fd).unwrap_or(-1);
            let Some(view) = self.kernel.fd_view(boot.pid, number) else { continue };
            let kind = view.place.and_then(|place| self.kernel.fs().inode(place));
            if kind.is_some_and(|inode| !is_modelled(&inode.kind)) {
                self.stand_ins.insert(view.id, StandIn::Unknown);
            }
            let (Some(pipe), BootTarget::Pipe(_)) = (view.pipe, &fd.target) else { continue };
            let ends = boot.fds.iter().filter(|other| other.target == fd.target);
            let modes: Vec<u32> = ends.map(|other| other.flags & O_ACCMODE).collect();
            let outside = Outside {
                writes: modes.iter().all(|mode| *mode == O_RDONLY),
                reads: modes.iter().all(|mode| *mode == O_WRONLY),
            };
            self.outside.insert(pipe.id, outside);
        }
    }

    /// Makes a call on what is not modelled one that is answered as recorded.
    pub(super) fn substitute(&self, tid: u32, call: &strace::Call, decoded: &mut Decoded) {
        self.count_up(tid, call, decoded);
        let Some(bytes) = &decoded.call else { return };
        let Ok(parsed) = Call::get(&mut WireReader::new(bytes)) else { return };
        if decoded.expected.role == Role::Unsupported && self.asks_stand_in(tid, call) {
            // What it says is a matter between the program and who is outside (netlink(7)).
            (decoded.expected.role, decoded.expected.flags) = (Role::Call, FED);
            return;
        }
        if decoded.expected.role != Role::Call {
            return;
        }
        let recorded = decoded.expected.recorded;
        let why = if self.names_host_file(tid, &parsed, recorded) {
            Some(StandIn::Host)
        } else if self.opens_terminal(tid, &parsed, recorded) {
            Some(StandIn::Unknown)
        } else if self.asks_of_others(&parsed, recorded)
            || self.shows_attribute(tid, &parsed, recorded)
        {
            Some(StandIn::Peer)
        } else {
            self.stands_in(tid, call, &parsed, recorded)
        };
        // What was made before strace came, or by a call that is left out, the kernel might know,
        // had it been told.
        let before = (self.left_out.past || self.left_out.calls) && why == Some(StandIn::Unknown);
        let why = if before { Some(StandIn::Peer) } else { why };
        let Some(why) = why else { return };
        decoded.call = Some(unmodelled(&call.name).into());
        match why {
            StandIn::Host => decoded.expected.flags |= FED | FED_PROC,
            StandIn::Peer => decoded.expected.flags |= FED,
            StandIn::Unknown => decoded.expected.role = Role::Unsupported,
        }
    }

    /// Whether a call that the kernel does not know asks something of an object whose other side
    /// was not recorded.
    fn asks_stand_in(&self, tid: u32, call: &strace::Call) -> bool {
        let fd = call.arg(0).and_then(Value::as_i32);
        let printed = call.arg(0).and_then(Value::as_fd);
        let known = fd.and_then(|fd| self.stand_in_of(tid, fd));
        let why = known.or_else(|| printed.and_then(|fd| self.stand_in_at(tid, fd)));
        let socket = |fd: i32| self.kernel.fd_view(tid, fd)?.socket;
        let is_netlink = |fd: i32| socket(fd).is_some_and(|socket| socket.is_netlink);
        decode::is_known(&call.name)
            && call.result.as_ref().is_some_and(|result| result.number().is_some())
            && (why == Some(StandIn::Peer) || fd.is_some_and(is_netlink))
    }

    /// The number that a call has which is only counted (io_uring_setup(2)).
    pub(super) fn hold_number(&mut self, tid: u32, call: &strace::Call) {
        let made = call.result.as_ref().and_then(strace::CallResult::number);
        let made = made.and_then(|value| i64::try_from(value).ok());
        for fd in made.map_or_else(Vec::new, |value| made_fds(call, value)) {
            if self.is_known(tid) && self.kernel.fd_view(tid, fd).is_none() {
                // All of them close on exec.
                self.open_stand_in(tid, fd, O_CLOEXEC);
                if let Some(view) = self.kernel.fd_view(tid, fd) {
                    self.stand_ins.insert(view.id, StandIn::Peer);
                }
            }
        }
    }

    /// What is added to a counter of eventfd(2) and `-s` cut: one, since nobody adds nothing.
    fn count_up(&self, tid: u32, call: &strace::Call, decoded: &mut Decoded) {
        let Some(Call::Write { fd, data }) = decoded.parsed() else { return };
        let is_cut = call.arg(1).and_then(Value::as_text).is_some_and(|text| text.cut);
        let counts = || self.kernel.fd_view(tid, fd).is_some_and(|view| view.counter.is_some());
        if is_cut && data == [0; 8] && counts() {
            let mut bytes = Vec::new();
            Call::Write { fd, data: &1_u64.to_le_bytes() }.put(&mut bytes);
            decoded.call = Some(bytes.into());
        }
    }

    /// A call about a process that is not the recording's, but was there.
    fn asks_of_others(&self, call: &Call<'_>, recorded: Recorded) -> bool {
        if let Call::Setpgid { pgid, .. } = *call {
            // Back into the group that the first process came in: others outside keep it.
            let outside = u32::try_from(pgid) == Ok(self.first_group) && pgid != 0;
            return outside
                && matches!(recorded, Recorded::Value(_))
                && !self.kernel.has_group(self.first_group);
        }
        let target = match *call {
            Call::Kill { target, .. }
            | Call::Getpgid { target }
            | Call::Getsid { target }
            | Call::Prlimit64 { target, .. }
            | Call::RtSigqueueinfo { target, .. }
            | Call::RtTgsigqueueinfo { tid: target, .. }
            | Call::Tkill { tid: target, .. }
            | Call::Tgkill { tid: target, .. } => target,
            _ => return false,
        };
        let is_here = |pid| self.kernel.process_of_task(pid).is_some();
        recorded != Recorded::Errno(Errno::ESRCH)
            && recorded != Recorded::Never
            && u32::try_from(target).is_ok_and(|pid| pid > 0 && !is_here(pid))
    }

    /// An open of a terminal that succeeded.
    fn opens_terminal(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> bool {
        let opens = matches!(call, Call::Open { .. } | Call::Openat { .. } | Call::Openat2 { .. });
        opens
            && matches!(recorded, Recorded::Value(_))
            && paths::uses(call).iter().any(|one| {
                is_terminal_path(one.path) && !self.has_terminal(tid, one.path)
                    || self.kernel.resolve(tid, one.dirfd, one.path, true).is_ok_and(|place| {
                        let inode = place.and_then(|place| self.kernel.fs().inode(place));
                        matches!(
                            inode.map(|inode| &inode.kind),
                            Some(kind @ (Kind::CharDevice(_) | Kind::BlockDevice(_)))
                                if !is_modelled(kind)
                        )
                    })
            })
    }

    /// Whether the kernel has the terminal with a name.
    fn has_terminal(&self, tid: u32, path: &[u8]) -> bool {
        let number = match path.strip_prefix(b"/dev/pts/") {
            Some(b"ptmx") => return true,
            Some(name) => std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()),
            None if path == b"/dev/tty" => self.kernel.controlling_terminal(tid),
            None => None,
        };
        number.is_some_and(|number: u32| self.kernel.terminal_numbers().any(|it| it == number))
    }

    /// A name below /proc that is there in the recording and not in the kernel, or the list of
    /// /proc, which shows the host's processes.
    fn names_host_file(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> bool {
        let ok = matches!(recorded, Recorded::Value(_));
        // Of a process that is not the session's: what it refuses is the host's to know.
        let refused = matches!(recorded, Recorded::Errno(errno) if errno != Errno::ENOENT);
        if !ok && !refused {
            return false;
        }
        if let Call::Getdents64 { fd, .. } = call {
            let place = self.kernel.fd_view(tid, *fd).and_then(|view| view.place);
            return place.is_some_and(|place| {
                matches!(place.node, Node::Proc(_)) && self.kernel.path_of(tid, place) == b"/proc"
            });
        }
        paths::uses(call).iter().filter(|one| !one.path.is_empty()).any(|one| {
            let path = self.whole_path(tid, one.dirfd, one.path);
            let opens =
                matches!(call, Call::Open { .. } | Call::Openat { .. } | Call::Openat2 { .. });
            // Which attributes its file systems have is the host's to know (xattr(7)).
            let attribute = matches!(
                call,
                Call::Getxattr { .. }
                    | Call::Lgetxattr { .. }
                    | Call::Listxattr { .. }
                    | Call::Llistxattr { .. }
            );
            (path.starts_with(b"/proc/") || path.starts_with(b"/sys/"))
                && self.kernel.resolve(tid, one.dirfd, one.path, one.follow) == Err(Errno::ENOENT)
                || (ok && opens || attribute) && (path == b"/sys" || path.starts_with(b"/sys/"))
                || ok && opens && path == b"/dev/kmsg"
        })
    }

    fn whole_path(&self, tid: u32, dirfd: i32, path: &[u8]) -> Vec<u8> {
        if path.first() == Some(&b'/') {
            return path.to_vec();
        }
        let start = self.kernel.start_place(tid, dirfd);
        let mut whole = start.map_or_else(Vec::new, |place| self.kernel.path_of(tid, place));
        whole.push(b'/');
        whole.extend_from_slice(path);
        whole
    }

    /// Why a call on descriptors is answered as recorded, if it is.
    fn stands_in(
        &self,
        tid: u32,
        call: &strace::Call,
        parsed: &Call<'_>,
        recorded: Recorded,
    ) -> Option<StandIn> {
        match parsed {
            Call::Close { .. }
            | Call::Dup { .. }
            | Call::Dup2 { .. }
            | Call::Dup3 { .. }
            | Call::CloseRange { .. }
            | Call::Fcntl { cmd: F_DUPFD | F_DUPFD_CLOEXEC | F_GETFD | F_SETFD, .. } => None,
            Call::Read { fd, .. } | Call::Readv { fd, .. } if self.is_blurred(tid, *fd) => {
                Some(StandIn::Peer)
            }
            Call::Ioctl { fd, request: FIONREAD, .. } if self.is_blurred(tid, *fd) => {
                Some(StandIn::Peer)
            }
            Call::EpollWait { epfd, .. }
            | Call::EpollPwait { epfd, .. }
            | Call::EpollPwait2 { epfd, .. }
                if !self.kernel.epoll_items(tid, *epfd).is_empty()
                    && (0..256).any(|fd| self.is_blurred(tid, fd)) =>
            {
                Some(StandIn::Peer)
            }
            Call::Poll { fds, .. } | Call::Ppoll { fds, .. } => {
                let numbers: Vec<i32> = fds.iter().map(|entry| entry.fd).collect();
                self.waits_for(tid, &numbers).or_else(|| self.polls_printed(tid, call))
            }
            // What is not modelled cannot be an item: the instance is answered for, too.
            Call::EpollCtl { epfd, fd, .. } => self
                .waits_for(tid, &[*epfd, *fd])
                .or_else(|| self.stand_in_at(tid, call.arg(2)?.as_fd()?)),
            Call::Select { readfds, writefds, exceptfds, .. }
            | Call::Pselect6 { readfds, writefds, exceptfds, .. } => {
                let sets = [readfds, writefds, exceptfds].into_iter().flatten().flatten();
                let numbers: Vec<i32> = sets.filter_map(|fd| i32::try_from(*fd).ok()).collect();
                self.waits_for(tid, &numbers)
            }
            _ => {
                let (fds, is_fstat) = fds_of(parsed);
                let known = fds.iter().find_map(|fd| self.stand_in_of(tid, *fd));
                let uses = paths::uses(parsed);
                let mut below = uses.iter().filter(|one| one.path.first() != Some(&b'/'));
                let known = known.or_else(|| below.find_map(|it| self.stand_in_of(tid, it.dirfd)));
                // The node in its place has what a stat shows of it.
                let shown = is_fstat && fds.first().is_some_and(|fd| self.has_node(tid, *fd));
                let known = known.filter(|_| !shown);
                known
                    .or_else(|| self.is_other_socket(tid, parsed, recorded))
                    .or_else(|| self.passes_outside(tid, parsed, recorded))
                    .or_else(|| self.stand_in_at(tid, call.arg(0)?.as_fd()?))
            }
        }
    }

    /// A call that only a socket takes went well, and the descriptor is something else here: what
    /// it was when strace came is not known.
    fn is_other_socket(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> Option<StandIn> {
        let fd = match *call {
            Call::Accept { sockfd }
            | Call::Accept4 { sockfd, .. }
            | Call::Bind { sockfd, .. }
            | Call::Listen { sockfd, .. }
            | Call::Connect { sockfd, .. }
            | Call::Sendto { sockfd, .. }
            | Call::Sendmsg { sockfd, .. }
            | Call::Sendmmsg { sockfd, .. }
            | Call::Recvmmsg { sockfd, .. }
            | Call::Recvfrom { sockfd, .. }
            | Call::Recvmsg { sockfd, .. }
            | Call::Setsockopt { sockfd, .. }
            | Call::Getsockopt { sockfd, .. } => sockfd,
            _ => return None,
        };
        let view = self.kernel.fd_view(tid, fd)?;
        let went_well = matches!(recorded, Recorded::Value(_));
        (went_well && !view.is_socket).then_some(StandIn::Unknown)
    }

    fn stand_in_of(&self, tid: u32, fd: i32) -> Option<StandIn> {
        self.stand_ins.get(&self.kernel.fd_view(tid, fd)?.id).copied()
    }

    fn has_node(&self, tid: u32, fd: i32) -> bool {
        let place = self.kernel.fd_view(tid, fd).and_then(|view| view.place);
        let inode = place.and_then(|place| self.kernel.fs().inode(place));
        inode.is_some_and(|inode| !is_modelled(&inode.kind))
    }

    /// What is waited for is not modelled, or comes from outside.
    fn waits_for(&self, tid: u32, fds: &[i32]) -> Option<StandIn> {
        let known = fds.iter().find_map(|fd| self.stand_in_of(tid, *fd));
        let is_blurred = fds.iter().any(|fd| self.is_blurred(tid, *fd));
        let known = known.or(is_blurred.then_some(StandIn::Peer));
        let outside = |fd: &i32| {
            let pipe = self.kernel.fd_view(tid, *fd)?.pipe?;
            let ends = self.outside.get(&pipe.id)?;
            (ends.writes || ends.reads && !pipe.has_room).then_some(StandIn::Peer)
        };
        known.or_else(|| fds.iter().find_map(outside))
    }

    /// What comes through a pipe from outside; what goes there has room for ever.
    fn passes_outside(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> Option<StandIn> {
        let pipe = |fd: i32| {
            let pipe = self.kernel.fd_view(tid, fd)?.pipe?;
            Some((pipe, *self.outside.get(&pipe.id)?))
        };
        let writes = |fd: i32, len: u64| {
            let (pipe, ends) = pipe(fd)?;
            let gone = recorded == Recorded::Errno(Errno::EPIPE);
            (ends.reads && (len > pipe.free_bytes || gone)).then_some(StandIn::Peer)
        };
        match *call {
            Call::Read { fd, .. } | Call::Readv { fd, .. } => {
                pipe(fd).filter(|(_, ends)| ends.writes).map(|_| StandIn::Peer)
            }
            Call::Ioctl { fd, request: FIONREAD, .. } => {
                pipe(fd).filter(|(_, ends)| ends.writes).map(|_| StandIn::Peer)
            }
            Call::Write { fd, data } | Call::Writev { fd, data } => writes(fd, data.len() as u64),
            Call::Sendfile { out_fd, count, .. } => writes(out_fd, count),
            _ => None,
        }
    }

    fn polls_printed(&self, tid: u32, call: &strace::Call) -> Option<StandIn> {
        let fds = call.arg(0).and_then(Value::items).unwrap_or_default();
        let mut fds = fds.iter().filter_map(|item| item.field("fd")?.as_fd());
        fds.find_map(|fd| self.stand_in_at(tid, fd))
    }

    /// By the printed text: an object of which the kernel has only the number.
    fn stand_in_at(&self, tid: u32, fd: &strace::Fd) -> Option<StandIn> {
        let number = fd.number.as_i32()?;
        let foreign = is_host_path(&fd.text) || fd.text.first() != Some(&b'/');
        if !foreign || fd.text.starts_with(b"pipe:") {
            return None;
        }
        let view = self.kernel.fd_view(tid, number)?;
        // What comes from a peer that was not recorded is an input (IMPORT.md section 12).
        let here = view.socket.is_some() && !self.stand_ins.contains_key(&view.id);
        let peer = is_network(&fd.text) && !here;
        if peer && view.place.is_none() && view.pipe.is_none() {
            return Some(StandIn::Peer);
        }
        let place = view.place.filter(|_| view.pipe.is_none())?;
        let null = self.kernel.fs().at_path(b"/dev/null").ok()?;
        let why = match (is_host_path(&fd.text), peer) {
            (true, _) => StandIn::Host,
            (false, true) => StandIn::Peer,
            (false, false) => StandIn::Unknown,
        };
        (place == null).then_some(why)
    }

    /// The descriptors that a call made which is answered as recorded: something must stand there.
    pub(super) fn stand_in_for(&mut self, tid: u32, pending: &Pending) {
        let Recorded::Value(value) = pending.decoded.expected.recorded else { return };
        let call = &*pending.printed;
        let why = match pending.decoded.expected.flags {
            flags if flags & FED_PROC != 0 => StandIn::Host,
            _ if pending.decoded.expected.role == Role::Unsupported => StandIn::Unknown,
            _ => StandIn::Peer,
        };
        if &*call.name == "epoll_ctl"
            && let Some(view) = call.arg(0).and_then(|fd| self.kernel.fd_view(tid, fd.as_i32()?))
        {
            self.stand_ins.entry(view.id).or_insert(why);
        }
        let cloexec = if makes_cloexec(call, None) { O_CLOEXEC } else { 0 };
        let mut made = made_fds(call, value);
        // Of a pair that was not printed whole: the lowest numbers, as Linux gives them.
        let missing = made_count(call).saturating_sub(made.len());
        let next = made.last().map_or(0, |last| last.saturating_add(1));
        let free = (next..4096).filter(|fd| self.kernel.fd_view(tid, *fd).is_none());
        made.extend(free.take(missing));
        for fd in made {
            if self.kernel.fd_view(tid, fd).is_none() {
                self.open_stand_in(tid, fd, cloexec);
            }
            if let Some(view) = self.kernel.fd_view(tid, fd) {
                self.stand_ins.insert(view.id, why);
            }
        }
    }

    pub(super) fn open_stand_in(&mut self, tid: u32, fd: i32, cloexec: u32) {
        let forced = |name: &str| Some(Expected::only(Role::Force, name));
        let path = Some(&b"/dev/null"[..]);
        let flags = O_RDWR | cloexec;
        let call = Call::Openat { dirfd: AT_FDCWD, path, flags, mode: 0 };
        let opened = self.emit(&Event::Call { task: tid, call }, forced("openat"), None);
        let Outcome::Done(answer) = opened else { return };
        let Ok(made) = i32::try_from(answer.value) else { return };
        if made != fd {
            let call = Call::Dup3 { oldfd: made, newfd: fd, flags: cloexec };
            self.emit(&Event::Call { task: tid, call }, forced("dup3"), None);
            let call = Call::Close { fd: made };
            self.emit(&Event::Call { task: tid, call }, forced("close"), None);
        }
    }
}

/// The descriptors that a call asks something of, and whether it is only a stat.
fn fds_of(call: &Call<'_>) -> (Vec<i32>, bool) {
    match *call {
        Call::Fstat { fd } => (vec![fd], true),
        Call::Newfstatat { dirfd, path: Some(b""), .. }
        | Call::Statx { dirfd, path: Some(b""), .. } => (vec![dirfd], true),
        Call::Fcntl { fd, cmd, arg: FcntlArg::Number(_) } if cmd == F_GETFL || cmd == F_SETFL => {
            (vec![fd], true)
        }
        _ => (super::descriptors::used(call), false),
    }
}
