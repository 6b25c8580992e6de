//! Sockets whose other end was not recorded (IMPORT.md section 12): a connection to somebody who
//! listens outside, one that came from there, datagrams. What comes from them is an input. And what
//! Linux delivers later than the kernel does: an EAGAIN that was recorded puts it off.

use tickernel_systems::SocketView;
use tickernel_systems::abi::flags::{O_NONBLOCK, WEXITED};
use tickernel_systems::abi::{Address, Errno};
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::wire::{Wire, WireReader};

use super::decode::{self, Decoded};
use super::demand::LOOKED_AT_FDS;
use super::order::Order;
use super::probe::{Probe, Want};
use super::stand_in::StandIn;
use super::task::Pending;
use crate::replay::{FED, Recorded, Role};
use crate::strace;

/// Calls that are looked through for what became of a connection.
const LOOKED_AT_CALLS: u64 = 1024;

impl Order<'_> {
    /// A connect(2) that found somebody whom the kernel does not know.
    pub(super) fn note_peer(&mut self, tid: u32, index: u64, decoded: &Decoded) {
        let Some(Call::Connect { sockfd, addr }) = decoded.parsed() else { return };
        let recorded = decoded.expected.recorded;
        if !matches!(recorded, Recorded::Value(_) | Recorded::Errno(Errno::EINPROGRESS)) {
            return;
        }
        let Some(view) = self.kernel.fd_view(tid, sockfd) else { return };
        let Some(socket) = view.socket else { return };
        // Who listens may be in the middle of it.
        for other in self.others(tid) {
            let listens = self.call_bytes(other).is_some_and(|bytes| {
                let call = Call::get(&mut WireReader::new(&bytes));
                matches!(call, Ok(Call::Listen { .. } | Call::Bind { .. }))
            });
            if listens && self.kernel.reached_by(tid, sockfd, Some(&addr)).is_none() {
                self.run_other(other);
            }
        }
        let names_nobody = matches!(addr, Address::Other(_) | Address::Unnamed);
        let is_here = self.kernel.reached_by(tid, sockfd, Some(&addr)).is_some();
        if names_nobody || is_here || self.is_refused(tid, sockfd, index, &socket, recorded) {
            return;
        }
        self.stand_ins.insert(view.id, StandIn::Peer);
    }

    /// Whether a connection was refused after all, or datagrams were (udp(7)).
    pub(super) fn is_refused(
        &self,
        tid: u32,
        fd: i32,
        index: u64,
        socket: &SocketView,
        recorded: Recorded,
    ) -> bool {
        if socket.is_stream && recorded == Recorded::Value(0) {
            return false;
        }
        let calls = index + 1..index.saturating_add(LOOKED_AT_CALLS);
        for call in calls.map_while(|at| self.recording.calls.get(at)) {
            let is_own = call.tid.unwrap_or(self.root) == tid
                && call.arg(0).and_then(strace::Value::as_i32) == Some(fd);
            if !is_own {
                continue;
            }
            let errno = call.result.as_ref().and_then(|result| result.errno.as_deref());
            if errno == Some("ECONNREFUSED") {
                return true;
            }
            match &*call.name {
                "close" => return false,
                "getsockopt" if call.arg(2).is_some_and(|it| it.name() == Some("SO_ERROR")) => {
                    let told = decode::decode(&call).expected.payload;
                    let Payload::OptionValue(value) = told else { return false };
                    let refused = i64::from(Errno::ECONNREFUSED.0);
                    return *value == tickernel_systems::abi::socket::OptionValue::Number(refused);
                }
                _ => {}
            }
        }
        false
    }

    /// Whether an accept(2) of a thread waits with a number that others of its table do not get:
    /// the one that it returns, or, if it never returns, the next.
    pub(super) fn takes_number_early(&mut self, tid: u32, call: &strace::Call) -> bool {
        let fd = call.arg(0).and_then(strace::Value::as_i32);
        let view = fd.and_then(|fd| self.kernel.fd_view(tid, fd));
        if view.is_some_and(|view| view.flags & O_NONBLOCK != 0) {
            return false;
        }
        let mut others = self.tasks.keys().filter(|other| **other != tid);
        if !others.any(|other| self.kernel.shares_descriptors(tid, *other)) {
            return false;
        }
        let Some(made) = call.result.as_ref().and_then(strace::CallResult::number) else {
            let listener = call.arg(0).and_then(strace::Value::as_i32);
            let listener = listener.and_then(|fd| self.kernel.fd_view(tid, fd)?.socket);
            return listener.is_some_and(|socket| socket.pending == Some(0));
        };
        self.kernel.next_fd(tid).map(i64::from) == i64::try_from(made).ok()
            && matches!(self.probe(tid), Probe::Wants(_))
            && self.connects_later(tid)
    }

    /// Whether anybody in the recording connects while a task is in its call.
    pub(super) fn connects_later(&mut self, tid: u32) -> bool {
        let Some(pending) = self.task(tid).pending.as_ref() else { return false };
        let until = pending.exit_line.unwrap_or(u64::MAX);
        let calls = pending.call + 1..pending.call.saturating_add(LOOKED_AT_CALLS);
        let is_connect = |call: &strace::Call| &*call.name == "connect";
        let mut later = calls.map_while(|at| self.recording.calls.get(at));
        let is_later = later.any(|call| is_connect(&call) && call.entry_line < Some(until));
        is_later
            || self
                .tasks
                .values()
                .filter_map(|task| task.pending.as_ref())
                .any(|other| is_connect(&other.printed) && other.item.is_none())
    }

    /// What a call found that nobody in the recording brought: it is answered as recorded.
    pub(super) fn feed_from_outside(&mut self, tid: u32, want: &Want) {
        let Want::Ready(ids) = want else { return };
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        if pending.item.is_some()
            || !matches!(pending.decoded.expected.recorded, Recorded::Value(_))
        {
            return;
        }
        let Some(call) = pending.decoded.parsed() else { return };
        let is_open_to_others = |socket: SocketView| {
            ids.contains(&socket.id)
                && socket.is_inet
                && (socket.pending.is_some() || !socket.is_stream)
        };
        let fds: Vec<i32> = match &call {
            Call::Accept { sockfd }
            | Call::Accept4 { sockfd, .. }
            | Call::Recvfrom { sockfd, .. }
            | Call::Recvmsg { sockfd, .. }
            | Call::Read { fd: sockfd, .. } => Vec::from([*sockfd]),
            call => {
                let polled = super::polls::polled(call);
                let has_items =
                    polled.iter().any(|it| !self.kernel.epoll_items(tid, *it).is_empty());
                if has_items { (0..256).collect() } else { polled }
            }
        };
        let socket = |fd: i32| self.kernel.fd_view(tid, fd).and_then(|view| view.socket);
        if fds.into_iter().filter_map(socket).any(is_open_to_others) {
            self.answer_as_recorded(tid);
        }
    }

    /// What Linux had not delivered yet: EAGAIN where the kernel has something.
    pub(super) fn put_off(&mut self, tid: u32) {
        if self.is_about_to_end(tid) {
            return self.answer_as_recorded(tid);
        }
        if let Some(list) = self.races_list(tid) {
            self.stand_ins.insert(list, StandIn::Host);
            return self.answer_as_recorded(tid);
        }
        if self.delivers_later(tid) {
            return self.answer_as_recorded(tid);
        }
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        let again = pending.decoded.expected.recorded == Recorded::Errno(Errno::EAGAIN);
        if pending.item.is_some() || !again {
            return;
        }
        let Some(call) = pending.decoded.parsed() else { return };
        let waits = match call {
            Call::Read { fd, count } => match self.kernel.terminal_read(tid, fd, count) {
                Some(now) => now != Ok(Some(Vec::new())) && matches!(now, Ok(None)),
                None => self.has_nothing(tid, fd),
            },
            Call::Recvfrom { sockfd, .. }
            | Call::Recvmsg { sockfd, .. }
            | Call::Accept { sockfd }
            | Call::Accept4 { sockfd, .. } => self.has_nothing(tid, sockfd),
            Call::Write { fd, .. } | Call::Writev { fd, .. } | Call::Sendto { sockfd: fd, .. } => {
                self.has_no_room(tid, fd)
            }
            _ => true,
        };
        if !waits {
            self.answer_as_recorded(tid);
        }
    }

    /// A list of a process's descriptors that its other threads change while it is made, entry by
    /// entry (Linux, fs/proc/fd.c): the description by which it is read.
    fn races_list(&self, tid: u32) -> Option<u64> {
        let pending = self.tasks.get(&tid)?.pending.as_ref().filter(|it| it.item.is_none())?;
        let Some(Call::Getdents64 { fd, .. }) = pending.decoded.parsed() else { return None };
        let view = self.kernel.fd_view(tid, fd)?;
        let path = self.kernel.path_of(tid, view.place?);
        let lists = path.starts_with(b"/proc/") && path.ends_with(b"/fd");
        let alone = pending.exit_line.is_none_or(|line| line == pending.entry_line);
        let shares = |other: &u32| self.kernel.shares_descriptors(tid, *other);
        (lists && !alone && self.tasks.keys().filter(|other| **other != tid).any(shares))
            .then_some(view.id)
    }

    /// A poll that found nothing, where all that is ready came over tcp(7): Linux may keep a
    /// segment until the one before it is acknowledged.
    fn delivers_later(&self, tid: u32) -> bool {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let found_nothing = |it: &&Pending| it.decoded.expected.recorded == Recorded::Value(0);
        let pending = pending.filter(|it| it.item.is_none()).filter(found_nothing);
        let Some(call) = pending.and_then(|pending| pending.decoded.parsed()) else { return false };
        let of_tcp = |fd: i32| {
            let socket = self.kernel.fd_view(tid, fd).and_then(|view| view.socket);
            socket.filter(|socket| socket.is_inet && socket.is_stream)
        };
        let ready: Vec<bool> = match &call {
            Call::Poll { fds, .. } | Call::Ppoll { fds, .. } => {
                let seen = self.kernel.poll_view(tid, fds).into_iter();
                seen.filter(|it| it.revents != 0).map(|it| of_tcp(it.fd).is_some()).collect()
            }
            Call::EpollWait { epfd, .. }
            | Call::EpollPwait { epfd, .. }
            | Call::EpollPwait2 { epfd, .. } => {
                let told = self.kernel.epoll_view(tid, *epfd, usize::MAX).unwrap_or_default();
                let is_told = |data: u64| told.iter().any(|event| event.data == data);
                let items = self.kernel.epoll_items(tid, *epfd).into_iter();
                let items = items.filter(|item| item.events != 0 && is_told(item.data));
                let own: Vec<u64> =
                    (0..LOOKED_AT_FDS).filter_map(|fd| Some(of_tcp(fd)?.id)).collect();
                items.map(|it| it.objects.iter().all(|id| own.contains(id))).collect()
            }
            _ => return false,
        };
        !ready.is_empty() && ready.into_iter().all(|is_tcp| is_tcp)
    }

    /// A wait that found nothing, where a child has gone on: a signal that it has taken since ends
    /// it, and until it has it has nothing to tell.
    fn is_about_to_end(&mut self, tid: u32) -> bool {
        use tickernel_systems::ChildView;
        let Some(pending) = self.task(tid).pending.as_ref() else { return false };
        if pending.item.is_some() || pending.decoded.expected.recorded != Recorded::Value(0) {
            return false;
        }
        let Some(Call::Wait4 { wpid, options }) = pending.decoded.parsed() else { return false };
        match self.kernel.child_view(tid, wpid, options | WEXITED) {
            Some(ChildView::Ready(pid)) => {
                self.kernel.is_alive(pid)
                    && self.tasks.get(&pid).is_some_and(|task| task.fatal.is_some())
            }
            Some(ChildView::Waiting | ChildView::NoChild) | None => false,
        }
    }

    fn has_nothing(&self, tid: u32, fd: i32) -> bool {
        let socket = self.kernel.fd_view(tid, fd).and_then(|view| view.socket);
        socket.is_none_or(|socket| match socket.pending {
            Some(pending) => pending == 0,
            None => !socket.has_packet && !socket.is_over && !socket.has_error,
        })
    }

    fn has_no_room(&self, tid: u32, fd: i32) -> bool {
        use tickernel_systems::abi::PollFd;
        use tickernel_systems::abi::flags::POLLOUT;
        let asked = PollFd { fd, events: POLLOUT as u16, revents: 0 };
        let is_socket = self.kernel.fd_view(tid, fd).is_some_and(|view| view.socket.is_some());
        let has_room = || self.kernel.poll_view(tid, &[asked]).iter().any(|it| it.revents != 0);
        !is_socket || !has_room()
    }

    /// The pending call becomes one that the recording answers.
    pub(super) fn answer_as_recorded(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        if pending.item.is_none() && pending.decoded.expected.role == Role::Call {
            pending.decoded.call = Some(decode::unmodelled(&pending.printed.name).into());
            pending.decoded.expected.flags |= FED;
        }
    }
}
