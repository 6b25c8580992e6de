//! One call handed to the kernel: facts before it, the host's answers to it, what it leaves behind.

use tickernel_systems::WaitsView;
use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::{CLOCK_REALTIME, TIMER_ABSTIME, makedev};
use tickernel_systems::abi::socket::{OptionValue, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET};
use tickernel_systems::event::{Call, CallId, Event, HostAnswer, Outcome, Payload, Question};
use tickernel_systems::fs::{Kind, Node};
use tickernel_systems::wire::{Bytes, Wire, WireReader};

use super::facts::Facts;
use super::order::{CLOCK_STEP_NS, Order};
use super::paths;
use crate::replay::{CUT, Expected, FED, FED_PROC, IGNORE_VALUE, Recorded, stat_bits};

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;
/// A buffer of a socket that is larger than the kernel's largest: twice `rmem_max` as Linux has it
/// if nobody sets it.
const LARGE_BUFFER_BYTES: i64 = 2 * 212_992 + 1;

impl Order<'_> {
    /// Runs the pending call of a task.
    pub(super) fn run_call(&mut self, tid: u32) {
        self.complete_settings(tid);
        let Some(bytes) = self.call_bytes(tid) else { return };
        let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { return };
        let Some(pending) = &self.task(tid).pending else { return };
        let index = pending.call;
        if let Some(item) = pending.item {
            self.resume(tid, item, u64::MAX);
            return;
        }
        self.hold_back(tid, &call);
        // It may have been run for the sake of one that was held back.
        let Some(pending) = self.task(tid).pending.as_ref() else { return };
        if pending.item.is_some() || pending.call != index {
            return;
        }
        let (times_out, real) = (pending.times_out, pending.real.clone());
        let (entry_line, exit_line) = (pending.entry_line, pending.exit_line);
        let mut expected = pending.decoded.expected.clone();
        let made = pending.decoded.with_flags(&call);
        let real = real.or_else(|| self.hints.real(index));
        self.treat(tid, &call, &mut expected);
        self.treat_poll(tid, &call, &mut expected);
        self.attend_terminal(tid, &call, &mut expected);
        self.choose_name(tid, &call);
        self.has_run(tid, &call, expected.recorded);
        self.take_mode(tid, &call, &expected);
        self.take_mask(tid, &call, &mut expected);
        let mut facts = Facts {
            kernel: &mut self.kernel,
            initial: &mut self.initial,
            hints: &self.hints,
            tid,
            opened: self.hints.opened(index),
            opened_mode: self.hints.opened_mode(index),
            was_there: self.hints.was_there(index),
        };
        facts.before(&call, &expected, real.as_deref());
        facts.changes(&call, expected.recorded);
        if matches!(expected.recorded, Recorded::Value(_)) || times_out {
            self.clock(if is_timed(&call) { 1 } else { CLOCK_STEP_NS });
        }
        self.tell_apart(&call, expected.recorded);
        let last = self.end_line(tid, &call).or(exit_line);
        let lines = (entry_line, last.unwrap_or(self.line));
        self.free_untold(tid);
        let at = self.items.len();
        if let Some(pending) = &mut self.task(tid).pending {
            pending.item = Some(at);
            pending.decoded.expected = expected.clone();
        }
        self.count_written(tid, &call);
        if let Some(bytes) = self.cut_short(tid, &call, expected.recorded) {
            if let Some(pending) = &mut self.task(tid).pending {
                pending.item = None;
            }
            self.park(tid);
            self.resume(tid, at, bytes);
            return;
        }
        let event = Event::Call { task: tid, call: made };
        let outcome = self.emit(&event, Some(expected), Some(lines));
        self.after(tid, outcome);
    }

    /// How far a read came: of a terminal, to which more has been written since; of /dev/zero,
    /// before a signal that its task takes next, which is decided after each page.
    fn cut_short(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> Option<u64> {
        if let Some(bytes) = self.part_of_socket(tid, call, recorded) {
            return Some(bytes);
        }
        let (Call::Read { fd, count }, Recorded::Value(value)) = (call, recorded) else {
            return None;
        };
        if let Some(Ok(Some(now))) = self.kernel.terminal_read(tid, *fd, *count) {
            // What is behind had not come yet.
            return u64::try_from(value)
                .ok()
                .filter(|value| *value > 0 && *value < now.len() as u64);
        }
        let value = u64::try_from(value).ok().filter(|value| *value > 0 && value < count)?;
        let place = self.kernel.fd_view(tid, *fd)?.place?;
        let kind = &self.kernel.fs().inode(place)?.kind;
        let zero = matches!(kind, Kind::CharDevice(rdev) if *rdev == makedev(1, 5));
        let cut = zero && value % PAGE_BYTES == 0 && !self.kernel.due_signals(tid).is_empty();
        cut.then_some(value)
    }

    /// How much of what lies in a stream's socket a read got, how much of what it was given a
    /// write that does not wait put there: how it was cut up follows from the machine.
    fn part_of_socket(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> Option<u64> {
        let Recorded::Value(value) = recorded else { return None };
        let value = u64::try_from(value).ok().filter(|value| *value > 0)?;
        let (fd, most, writes) = match *call {
            Call::Read { fd, count } => (fd, count, false),
            Call::Recvfrom { sockfd, count, .. } | Call::Recvmsg { sockfd, count, .. } => {
                (sockfd, count, false)
            }
            Call::Write { fd, data } | Call::Writev { fd, data } => (fd, data.len() as u64, true),
            Call::Sendto { sockfd, data, .. } => (sockfd, data.len() as u64, true),
            _ => return None,
        };
        let socket = self.kernel.fd_view(tid, fd)?.socket.filter(|socket| socket.is_stream)?;
        let there = if writes { most } else { most.min(socket.bytes) };
        let is_more = writes && socket.is_inet && socket.room_bytes < value;
        (value < there || is_more).then_some(value)
    }

    /// A new file may get the inode number of one that is gone: then the time of its birth is
    /// another, so that a replay can tell them apart.
    fn tell_apart(&mut self, call: &Call<'_>, recorded: Recorded) {
        let uses = paths::uses(call);
        if !matches!(recorded, Recorded::Value(_)) {
            return;
        }
        let makes = match call {
            Call::Rename { .. } | Call::Renameat { .. } | Call::Renameat2 { .. } => false,
            Call::Link { .. } | Call::Linkat { .. } => false,
            _ => uses.iter().any(|one| one.creates),
        };
        if makes && self.removed_ns == Some(self.kernel.now_ns()) {
            self.emit(&Event::Clock { delta_ns: 1 }, None, None);
        }
        if uses.iter().any(|one| one.removes) {
            self.removed_ns = Some(self.kernel.now_ns());
        }
    }

    /// Treatments that depend on what a descriptor is.
    pub(super) fn treat(&mut self, tid: u32, call: &Call<'_>, expected: &mut Expected) {
        let view = |fd: i32| self.kernel.fd_view(tid, fd);
        match *call {
            Call::Read { fd, .. }
            | Call::Readv { fd, .. }
            | Call::Pread64 { fd, .. }
            | Call::Preadv { fd, .. } => {
                let place = view(fd).and_then(|view| view.place);
                self.mark_mapped(place, expected);
                self.treat_count(tid, fd, expected);
                if place.is_some_and(|place| matches!(place.node, Node::Proc(_))) {
                    expected.flags |= FED | FED_PROC;
                }
            }
            // How large one may be is a setting of the machine (`net.core.rmem_max`, socket(7)).
            Call::Getsockopt { level: SOL_SOCKET, optname: SO_SNDBUF | SO_RCVBUF, .. } => {
                if let Payload::OptionValue(value) = &expected.payload
                    && matches!(**value, OptionValue::Number(LARGE_BUFFER_BYTES..))
                {
                    expected.flags |= FED;
                }
            }
            // Where a program's own path leads through links that nobody read whole.
            Call::Readlink { path: Some(path), .. } | Call::Readlinkat { path: Some(path), .. }
                if expected.flags & CUT != 0 && path.starts_with(b"/proc/") =>
            {
                expected.flags |= FED | IGNORE_VALUE;
            }
            _ if matches!(expected.payload, Payload::Stat(_)) => {
                self.treat_stat(tid, call, expected)
            }
            // It shows the restored register, whatever that was.
            Call::RtSigreturn {} => {
                expected.recorded = Recorded::Value(0);
                expected.flags |= IGNORE_VALUE;
            }
            Call::Lseek { fd, offset, .. } if offset != 0 => {
                let place = view(fd).and_then(|view| view.place);
                if place.is_some_and(|place| self.kernel.fs().is_directory(place)) {
                    expected.flags |= IGNORE_VALUE;
                }
            }
            _ => {}
        }
    }

    /// How often a timer went off until it was read follows from the machine's speed where the
    /// clock that the recording tells does not say it.
    fn treat_count(&self, tid: u32, fd: i32, expected: &mut Expected) {
        let waits = self.kernel.fd_view(tid, fd).and_then(|view| view.waits);
        if let (Some(WaitsView::Timer { count, .. }), Payload::Data(data)) =
            (waits, &expected.payload)
            && data.0 != count.to_le_bytes()
        {
            expected.flags |= FED;
        }
    }

    /// Links of a directory that was there change with what others do in it; those of /proc are the
    /// host's.
    pub(super) fn treat_stat(&self, tid: u32, call: &Call<'_>, expected: &mut Expected) {
        let Payload::Stat(stat) = &expected.payload else { return };
        let place = match call {
            Call::Fstat { fd } => self.kernel.fd_view(tid, *fd).and_then(|view| view.place),
            _ => paths::uses(call).first().and_then(|one| match one.path {
                [] => self.kernel.fd_view(tid, one.dirfd)?.place,
                path => self.kernel.resolve(tid, one.dirfd, path, one.follow).ok()?,
            }),
        };
        let Some(place) = place else { return };
        let fs = self.kernel.fs();
        if matches!(place.node, Node::Proc(_)) {
            expected.members &= !(stat_bits::NLINK | stat_bits::SIZE);
        } else if fs.pages(place).is_some_and(|pages| pages.size() != stat.size)
            && self.kernel.path_of(tid, place).starts_with(self.initial.hidden())
        {
            // Who else writes to it, another descriptor of the session among them, is not known.
            expected.members &= !stat_bits::SIZE;
            expected.flags |= FED;
        } else if fs.is_directory(place)
            && self.initial.of(fs, place).is_some()
            && self.initial.knows(fs, place, stat_bits::NLINK)
            && fs.inode(place).is_some_and(|inode| inode.nlink != stat.nlink)
        {
            expected.members &= !stat_bits::NLINK;
            expected.flags |= FED;
        }
    }

    pub(super) fn resume(&mut self, tid: u32, item: u64, max_bytes: u64) {
        let call = CallId(item);
        let outcome = self.emit(&Event::Resume { call, max_bytes }, None, None);
        self.after(tid, outcome);
    }

    /// What the kernel said to the task's pending call.
    pub(super) fn after(&mut self, tid: u32, outcome: Outcome) {
        match outcome {
            Outcome::Asking => {
                let answer = self.answer(tid);
                let outcome = self.emit(&Event::Answer(answer), None, None);
                if !matches!(outcome, Outcome::Asking) {
                    self.after(tid, outcome);
                }
            }
            Outcome::Blocked(_) => {}
            Outcome::Done(answer) => {
                let Some(pending) = self.task(tid).pending.take() else { return };
                self.flow(tid, &pending, Some(&answer));
                self.ended(tid, &pending, Ok(answer.value));
            }
            Outcome::Failed(errno) => {
                let Some(pending) = self.task(tid).pending.take() else { return };
                self.flow(tid, &pending, None);
                self.ended(tid, &pending, Err(errno));
            }
            Outcome::Refused(_) => {
                let Some(pending) = self.task(tid).pending.take() else { return };
                self.ended(tid, &pending, Err(Errno::EINTR));
            }
        }
    }

    /// The host's answer as the recording has it.
    pub(super) fn answer(&mut self, tid: u32) -> HostAnswer {
        let question = self.kernel.question().cloned();
        let Some(pending) = self.task(tid).pending.as_mut() else { return HostAnswer::Absent };
        let expected = &mut pending.decoded.expected;
        let answer = match (&expected.recorded, question) {
            (
                Recorded::Errno(errno),
                Some(Question::Unmodelled { .. } | Question::HostFile { .. }),
            ) => {
                expected.flags |= FED;
                HostAnswer::Error(*errno)
            }
            (Recorded::Value(_), Some(Question::Entropy { .. } | Question::HostFile { .. })) => {
                expected.flags |= FED;
                match (&expected.payload, expected.recorded) {
                    // Their number is all that strace printed (`-e raw=read`).
                    (Payload::None, Recorded::Value(value @ 0..=0x100_0000)) => {
                        HostAnswer::Bytes(Bytes(vec![0; value as usize]))
                    }
                    (Payload::Data(data), _) => {
                        let mut bytes = data.0.clone();
                        // A cut text still has its whole length.
                        if let Recorded::Value(value @ 0..=0x100_0000) = expected.recorded {
                            bytes.resize(value as usize, 0);
                        }
                        HostAnswer::Bytes(Bytes(bytes))
                    }
                    _ => HostAnswer::Absent,
                }
            }
            (Recorded::Value(value), _) => {
                expected.flags |= FED;
                HostAnswer::Result(*value)
            }
            (_, _) => HostAnswer::Absent,
        };
        let (item, expected) = (pending.item, expected.clone());
        if let Some(item) = item {
            self.items.expect(item, &expected);
        }
        answer
    }

    /// Whether a call that times out has reached its time: the clock goes there.
    pub(super) fn pass_deadline(&mut self, tid: u32) -> bool {
        let times_out = self.task(tid).pending.as_ref().is_some_and(|pending| pending.times_out);
        let Some(deadline) = self.kernel.deadline_of(tid).filter(|_| times_out) else {
            return false;
        };
        if self.sleeps_by_boot_time(tid) && self.kernel.next_deadline() < Some(deadline) {
            // The machine's clock began before the recording's: what else is due waits for that.
            let item = self.task(tid).pending.as_ref().and_then(|pending| pending.item);
            self.clock(1);
            if let Some(item) = item {
                self.resume(tid, item, 0);
            }
            return true;
        }
        let delta_ns = deadline.saturating_sub(self.kernel.now_ns());
        if delta_ns > 0 {
            self.emit(&Event::Clock { delta_ns }, None, None);
        }
        true
    }

    /// Whether a task sleeps until a time of a clock that began when the machine was started.
    fn sleeps_by_boot_time(&mut self, tid: u32) -> bool {
        let pending = self.task(tid).pending.as_ref();
        let call = pending.and_then(|pending| pending.decoded.parsed());
        matches!(call, Some(Call::ClockNanosleep { clockid, flags: TIMER_ABSTIME, .. })
            if clockid != CLOCK_REALTIME)
    }

    /// A pending call becomes one that only waits: it was never seen to return.
    pub(super) fn park(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        if pending.item.is_some() {
            return;
        }
        let Some(bytes) = pending.decoded.call.clone() else { return };
        let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { return };
        let at = self.items.len();
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        pending.item = Some(at);
        let call = pending.decoded.with_flags(&call);
        let expected = pending.decoded.expected.clone();
        let entry = pending.entry_line;
        let lines = (entry, pending.exit_line.unwrap_or(entry));
        self.emit(&Event::Park { task: tid, call }, Some(expected), Some(lines));
    }
}

/// Calls that read the clock.
fn is_timed(call: &Call<'_>) -> bool {
    matches!(
        call,
        Call::Nanosleep { .. }
            | Call::ClockNanosleep { .. }
            | Call::Poll { .. }
            | Call::Ppoll { .. }
            | Call::Select { .. }
            | Call::Pselect6 { .. }
            | Call::EpollWait { .. }
            | Call::EpollPwait { .. }
            | Call::EpollPwait2 { .. }
            | Call::TimerfdSettime { .. }
            | Call::Alarm { .. }
            | Call::Setitimer { .. }
            | Call::TimerSettime { .. }
            | Call::RtSigtimedwait { .. }
            | Call::Utimensat { .. }
    )
}
