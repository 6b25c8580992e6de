//! Finds the order in which the calls of a recording took effect: "lazy with demand" (IMPORT.md sections 1
//! to 3). A call runs at its exit line, earlier if another call needs what it does, and before another
//! call takes away what it needs. Every step becomes an event, so that a replay searches nothing.

use std::collections::BTreeMap;

use tickernel_systems::Kernel;
use tickernel_systems::abi::flags::{O_ACCMODE, O_WRONLY};
use tickernel_systems::abi::signal::{DefaultAction, SIG_DFL, SIG_IGN};
use tickernel_systems::abi::{Errno, SigInfo, Signal};
use tickernel_systems::event::{Call, CallId, Event, HostAnswer, Outcome, Payload, Question};
use tickernel_systems::wire::{Bytes, Wire, WireReader};

use super::decode::{self, Decoded};
use super::facts::Facts;
use super::hints::Hints;
use super::initial::Initial;
use super::item::Item;
use super::numbers;
use super::probe::{self, Probe, Want};
use super::scope::is_out_of_scope;
use super::task::{Pending, Task};
use crate::replay::{Expected, FED, FED_PROC, IGNORE_VALUE, Recorded, Role, stat_bits};
use crate::strace::{self, EventKind, Recording, Value};

/// Steps of demand for one call.
const MAX_DEMANDS: u32 = 400;
/// The clock is moved when it is so far behind; smaller steps come with the next call that needs it.
const CLOCK_STEP_NS: u64 = 1_000_000;

/// Walks a recording.
pub struct Order<'a> {
    pub(super) kernel: Kernel,
    pub(super) initial: Initial,
    pub(super) hints: Hints,
    pub(super) recording: &'a Recording,
    pub(super) items: Vec<Item>,
    pub(super) tasks: BTreeMap<u32, Task>,
    pub(super) root: u32,
    start_ns: u64,
    /// Where the recording is.
    line_ns: u64,
    line: u64,
    depth: u32,
    /// Bytes written to each pipe so far.
    written: BTreeMap<u64, u64>,
}

impl<'a> Order<'a> {
    /// Starts before the first line.
    pub fn new(
        kernel: Kernel,
        initial: Initial,
        recording: &'a Recording,
        root: u32,
        start_ns: u64,
    ) -> Self {
        Self {
            kernel,
            initial,
            hints: Hints::of(recording),
            recording,
            items: Vec::new(),
            tasks: BTreeMap::new(),
            root,
            start_ns,
            line_ns: 0,
            line: 0,
            depth: 0,
            written: BTreeMap::new(),
        }
    }

    /// Walks all lines.
    pub fn run(&mut self) {
        let recording = self.recording;
        for (at, event) in recording.events.iter().enumerate() {
            let tid = event.tid.unwrap_or(self.root);
            self.line = event.line;
            self.line_ns = event.time_ns.unwrap_or(self.line_ns);
            match &event.kind {
                EventKind::Entry { call } => self.entry(tid, *call),
                EventKind::Exit { call } => self.exit(tid, *call),
                EventKind::Signal { name, info } => {
                    let Some(signal) = Signal::from_name(name) else { continue };
                    let fatal = self.is_fatal(at, event.tid, name);
                    self.signal(tid, signal, info, fatal);
                }
                EventKind::Stopped { .. } | EventKind::Notice(_) => {}
                EventKind::Exited { status } => self.exited(tid, *status),
                EventKind::Killed { signal, .. } => {
                    if let Some(signal) = Signal::from_name(signal) {
                        self.killed(tid, signal);
                    }
                }
                EventKind::Superseded { .. } => {
                    self.tasks.remove(&tid);
                }
                EventKind::Detached => {
                    self.park(tid);
                }
            }
        }
        for tid in self.tasks.keys().copied().collect::<Vec<_>>() {
            self.park(tid);
        }
        self.initial.add_interpreters(self.kernel.describe_tree(), &self.hints);
    }

    /// Whether the next thing of the task is its end by this signal.
    fn is_fatal(&self, at: usize, tid: Option<u32>, name: &str) -> bool {
        let later = self.recording.events.iter().skip(at + 1).filter(|event| event.tid == tid);
        for event in later {
            match &event.kind {
                EventKind::Killed { signal, .. } => return &**signal == name,
                EventKind::Signal { .. } | EventKind::Notice(_) => {}
                _ => return false,
            }
        }
        false
    }

    fn task(&mut self, tid: u32) -> &mut Task {
        self.tasks.entry(tid).or_default()
    }

    /// Hands an event to the kernel and keeps it.
    pub(super) fn emit(
        &mut self,
        event: &Event<'_>,
        expected: Option<Expected>,
        lines: Option<(u64, u64)>,
    ) -> Outcome {
        let mut bytes = Vec::new();
        event.put(&mut bytes);
        self.items.push(Item { event: bytes, expected, lines });
        let outcome = self.kernel.take(event.clone());
        while self.kernel.poll_output().is_some() {}
        outcome
    }

    /// Moves the clock to the line's stamp.
    fn clock(&mut self, at_least_ns: u64) {
        let now = self.start_ns.saturating_add(self.line_ns);
        let delta_ns = now.saturating_sub(self.kernel.now_ns());
        let due = self.kernel.next_deadline().is_some_and(|deadline| deadline <= now);
        if delta_ns > 0 && (delta_ns >= at_least_ns || due) {
            self.emit(&Event::Clock { delta_ns }, None, None);
        }
    }

    /// A call that is only counted: its time is all that enters.
    fn pass_over(&mut self, expected: Expected, lines: (u64, u64)) {
        let now = self.start_ns.saturating_add(self.line_ns);
        let delta_ns = now.saturating_sub(self.kernel.now_ns());
        self.emit(&Event::Clock { delta_ns }, Some(expected), Some(lines));
    }

    fn entry(&mut self, tid: u32, index: u64) {
        let Some(call) = self.recording.calls.get(index) else { return };
        if let Some(pending) = self.task(tid).pending.as_mut().filter(|pending| pending.restarting)
        {
            let again =
                *call.name == *pending.decoded.expected.name() || &*call.name == "restart_syscall";
            if again {
                pending.call = index;
                pending.restarting = false;
                self.join(tid, call);
                return;
            }
            // The program left the call by a jump out of a handler.
            self.park(tid);
        }
        let decoded = decode::decode(call);
        let exit_line = call.exit_line;
        let lines = (self.line, exit_line.unwrap_or(self.line));
        let carried = matches!(&*call.name, "chroot" | "nanosleep" | "clock_nanosleep");
        if is_out_of_scope(&call.name) && !(carried && decoded.call.is_some()) {
            self.pass_over(decoded.expected, lines);
            return;
        }
        let mut decoded = decoded;
        if self.is_known(tid) {
            self.substitute(tid, call, &mut decoded);
        }
        if decoded.call.is_none() || decoded.unreadable || !self.is_known(tid) {
            let mut expected = decoded.expected;
            expected.role = if decoded.unreadable { Role::Taken } else { Role::Unsupported };
            if expected.role == Role::Unsupported {
                expected.role = Role::Taken;
                expected.flags |= FED;
            }
            self.pass_over(expected, lines);
            return;
        }
        self.clock(CLOCK_STEP_NS);
        let pending = Pending {
            call: index,
            entry_line: self.line,
            exit_line,
            times_out: times_out(call, &decoded),
            real: real_path(call),
            decoded,
            item: None,
            restarting: false,
        };
        self.task(tid).pending = Some(pending);
        self.enter_early(tid, call);
    }

    /// Whether the task is one that the kernel has.
    fn is_known(&self, tid: u32) -> bool {
        self.kernel.process_of_task(tid).is_some()
    }

    /// A call entered again: what is expected is what this entry's exit says.
    fn join(&mut self, tid: u32, call: &strace::Call) {
        let again = decode::decode(call);
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        let name = pending.decoded.expected.name.clone();
        pending.exit_line = call.exit_line;
        if &*call.name == "restart_syscall" {
            // The call's own output is printed by its own name only.
            pending.decoded.expected.recorded = again.expected.recorded;
        } else {
            let role = pending.decoded.expected.role;
            pending.decoded.expected = Expected { role, ..again.expected };
        }
        pending.decoded.expected.name = name;
        pending.times_out |= times_out(call, &pending.decoded);
        let (item, expected) = (pending.item, pending.decoded.expected.clone());
        let lines = (pending.entry_line, call.exit_line.unwrap_or(pending.entry_line));
        self.set_expected(item, expected, lines);
    }

    fn set_expected(&mut self, item: Option<usize>, expected: Expected, lines: (u64, u64)) {
        if let Some(item) = item.and_then(|at| self.items.get_mut(at)) {
            item.expected = Some(expected);
            item.lines = Some(lines);
        }
    }

    /// Calls that take effect, or begin to wait, at their entry.
    fn enter_early(&mut self, tid: u32, call: &strace::Call) {
        let Some(bytes) = self.call_bytes(tid) else { return };
        let Ok(decoded) = Call::get(&mut WireReader::new(&bytes)) else { return };
        let interrupted = call.result.as_ref().is_some_and(|result| {
            result.restart().is_some() || result.errno.as_deref() == Some("EINTR")
        });
        let times_out = self.task(tid).pending.as_ref().is_some_and(|pending| pending.times_out);
        let early = match &decoded {
            Call::Clone { set_tid, .. } => *set_tid != 0 && !interrupted,
            Call::Nanosleep { .. }
            | Call::ClockNanosleep { .. }
            | Call::Pause {}
            | Call::RtSigsuspend { .. } => true,
            Call::RtSigtimedwait { .. } => interrupted || times_out,
            Call::Poll { .. }
            | Call::Ppoll { .. }
            | Call::Select { .. }
            | Call::Pselect6 { .. } => {
                interrupted || (times_out && self.probe(tid) == Probe::Right)
            }
            _ => false,
        };
        if early {
            self.clock(1);
            self.run_call(tid);
        }
    }

    fn call_bytes(&mut self, tid: u32) -> Option<Vec<u8>> {
        self.task(tid).pending.as_ref()?.decoded.call.clone()
    }

    fn exit(&mut self, tid: u32, index: u64) {
        let Some(call) = self.recording.calls.get(index) else { return };
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        if pending.call != index {
            return;
        }
        let Some(result) = &call.result else { return };
        let direct = result.errno.as_deref() == Some("EINTR") && &*call.name != "rt_sigreturn";
        if result.restart().is_some() && makes_task(&call.name) {
            // It had no effect: what is entered again is the call.
            self.task(tid).pending = None;
            return;
        }
        if result.restart().is_some() || direct {
            pending.restarting = true;
            return;
        }
        if result.value.is_none() {
            return;
        }
        self.clock(CLOCK_STEP_NS);
        self.finish(tid);
    }

    /// The call must be over now.
    fn finish(&mut self, tid: u32) {
        let own = self.task(tid).pending.as_ref().map(|pending| pending.call);
        for _ in 0..MAX_DEMANDS {
            match self.probe(tid) {
                Probe::Right | Probe::Unknown => break,
                Probe::Wants(want) => {
                    if !self.supply(tid, &want) {
                        break;
                    }
                }
            }
        }
        self.run_call(tid);
        for _ in 0..MAX_DEMANDS {
            // A handler that returned brings back the call that it interrupted: that one goes on.
            let pending = self.task(tid).pending.as_ref();
            let Some(pending) = pending.filter(|pending| Some(pending.call) == own) else { return };
            let Some(item) = pending.item else { return };
            if self.pass_deadline(tid) || !self.supply_blocked(tid) {
                self.resume(tid, item, u64::MAX);
                break;
            }
            self.resume(tid, item, u64::MAX);
        }
        // What never ends in the simulation is given up: the task goes on.
        let pending = self.task(tid).pending.as_ref();
        if let Some(pending) = pending.filter(|pending| Some(pending.call) == own) {
            if let Some(item) = pending.item {
                self.resume(tid, item, 0);
            }
            self.task(tid).pending = None;
        }
    }

    fn probe(&mut self, tid: u32) -> Probe {
        let Some(pending) = self.tasks.get(&tid).and_then(|task| task.pending.as_ref()) else {
            return Probe::Unknown;
        };
        let Some(bytes) = pending.decoded.call.as_ref() else { return Probe::Unknown };
        if pending.item.is_some() {
            return Probe::Unknown;
        }
        match Call::get(&mut WireReader::new(bytes)) {
            Ok(call) => probe::probe(&mut self.kernel, tid, &call, &pending.decoded.expected),
            Err(_) => Probe::Unknown,
        }
    }

    /// Other tasks in a call, in the order in which they entered it.
    fn others(&self, tid: u32) -> Vec<u32> {
        let others = self.tasks.iter().filter(|(other, task)| **other != tid && !task.busy);
        let mut others: Vec<(u64, u32)> = others
            .filter_map(|(other, task)| Some((task.pending.as_ref()?.entry_line, *other)))
            .collect();
        others.sort_unstable();
        others.into_iter().map(|(_, other)| other).collect()
    }

    /// Runs one other call that can supply what is missing; false if there is none.
    fn supply(&mut self, tid: u32, want: &Want) -> bool {
        for other in self.others(tid) {
            let Some(bytes) = self.call_bytes(other) else { continue };
            let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { continue };
            let Some(pending) = self.task(other).pending.as_ref() else { continue };
            let recorded = pending.decoded.expected.recorded;
            let started = pending.item.is_some();
            let ends = matches!(recorded, Recorded::Value(_) | Recorded::Errno(_));
            let pipe = |fd: i32| Some(self.kernel.fd_view(other, fd)?.pipe?.id);
            let changes_names = super::paths::uses(&call);
            let ran = match (want, &call) {
                (
                    Want::Bytes(id, missing, exact),
                    Call::Write { fd, data } | Call::Writev { fd, data },
                ) if pipe(*fd) == Some(*id) => {
                    let missing = if *exact { *missing } else { u64::MAX };
                    self.write_some(other, data.len() as u64, missing)
                }
                (Want::Room(_) | Want::Ready(_), _) if started => false,
                (Want::Room(id), Call::Read { fd, .. } | Call::Readv { fd, .. })
                    if pipe(*fd) == Some(*id) && ends =>
                {
                    self.run_if_right(other)
                }
                (Want::NoWriter(_) | Want::NoReader(_), Call::Close { .. }) if ends => {
                    self.run_other(other)
                }
                (
                    Want::NoWriter(_) | Want::NoReader(_),
                    Call::Dup2 { .. }
                    | Call::Dup3 { .. }
                    | Call::CloseRange { .. }
                    | Call::Execve { .. },
                ) if ends => self.run_other(other),
                (Want::NoWriter(id), Call::Read { fd, .. }) if pipe(*fd) == Some(*id) => {
                    self.run_if_right(other)
                }
                // A process that ends closes its descriptors before its end is printed.
                (
                    Want::NoWriter(_) | Want::NoReader(_) | Want::Ready(_),
                    Call::ExitGroup { status } | Call::Exit { status },
                ) if !started => {
                    let status = status.cast_unsigned();
                    self.end(other, status);
                    true
                }
                (Want::Ready(ids), Call::Write { fd, .. } | Call::Writev { fd, .. })
                    if pipe(*fd).is_some_and(|id| ids.contains(&id)) && ends =>
                {
                    self.run_other(other)
                }
                (Want::Ready(ids), Call::Read { fd, .. } | Call::Readv { fd, .. })
                    if pipe(*fd).is_some_and(|id| ids.contains(&id)) && ends =>
                {
                    self.run_if_right(other)
                }
                (Want::Ready(_), Call::Close { .. }) if ends => self.run_other(other),
                (
                    Want::Child | Want::Continue,
                    Call::Kill { .. } | Call::Tgkill { .. } | Call::Tkill { .. },
                ) if ends => self.run_other(other),
                (Want::Name(name), _)
                    if ends
                        && matches!(recorded, Recorded::Value(_))
                        && changes_names.iter().any(|one| {
                            (one.creates || one.removes) && super::paths::last(one.path) == name
                        }) =>
                {
                    self.run_other(other)
                }
                _ => false,
            };
            if ran {
                return true;
            }
        }
        false
    }

    /// Runs a pending call whose result would be right now.
    fn run_if_right(&mut self, tid: u32) -> bool {
        if self.probe(tid) != Probe::Right {
            return false;
        }
        self.run_other(tid)
    }

    fn run_other(&mut self, tid: u32) -> bool {
        if self.depth > 8 {
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
    fn write_some(&mut self, tid: u32, len: u64, missing: u64) -> bool {
        let before = self.kernel.tick();
        let started = self.task(tid).pending.as_ref().and_then(|pending| pending.item);
        match started {
            Some(item) => self.resume(tid, item, missing),
            None if len <= missing || len <= 4096 => {
                return self.run_other(tid);
            }
            None => {
                if let Some(bytes) = self.call_bytes(tid) {
                    if let Ok(call) = Call::get(&mut WireReader::new(&bytes)) {
                        self.count_written(tid, &call);
                    }
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

    /// Calls whose result is right now and perhaps not after this one.
    fn hold_back(&mut self, tid: u32, call: &Call<'_>) {
        if self.tasks.len() < 2 || self.depth > 4 || !changes_others(call) {
            return;
        }
        let named = super::paths::uses(call);
        for other in self.others(tid) {
            let Some(bytes) = self.call_bytes(other) else { continue };
            let Ok(theirs) = Call::get(&mut WireReader::new(&bytes)) else { continue };
            let Some(pending) = self.task(other).pending.as_ref() else { continue };
            let ends = !matches!(pending.decoded.expected.recorded, Recorded::Never);
            if pending.item.is_some() || !ends {
                continue;
            }
            let sensitive = match &theirs {
                Call::Read { fd, .. } | Call::Readv { fd, .. } => {
                    named.is_empty()
                        && self.kernel.fd_view(other, *fd).is_some_and(|v| v.pipe.is_some())
                }
                Call::Write { fd, .. } | Call::Writev { fd, .. } => {
                    matches!(pending.decoded.expected.recorded, Recorded::Errno(_))
                        || self.is_last_reader(tid, call, other, *fd)
                        || self.is_written_before(tid, call, other, *fd, &theirs)
                }
                Call::Poll { .. }
                | Call::Ppoll { .. }
                | Call::Select { .. }
                | Call::Pselect6 { .. } => named.is_empty(),
                Call::Wait4 { .. } | Call::Waitid { .. } => named.is_empty(),
                _ => super::paths::uses(&theirs).iter().any(|one| {
                    let name = super::paths::last(one.path);
                    named.iter().any(|mine| super::paths::last(mine.path) == name)
                }),
            };
            if sensitive && self.probe(other) == Probe::Right {
                self.run_other(other);
            }
        }
    }

    /// Whether a call closes the last reading end of the pipe that another task's write goes to.
    fn is_last_reader(&self, tid: u32, call: &Call<'_>, writer: u32, to: i32) -> bool {
        let Some(pipe) = self.kernel.fd_view(writer, to).and_then(|view| view.pipe) else {
            return false;
        };
        if pipe.readers != 1 {
            return false;
        }
        let reads = |fd: i32| {
            let view = self.kernel.fd_view(tid, fd);
            view.is_some_and(|view| {
                view.pipe.is_some_and(|own| own.id == pipe.id) && view.flags & O_ACCMODE != O_WRONLY
            })
        };
        match *call {
            Call::Close { fd } => reads(fd),
            Call::Dup2 { newfd, .. } | Call::Dup3 { newfd, .. } => reads(newfd),
            Call::ExitGroup { .. } | Call::Exit { .. } | Call::Execve { .. } => (0..64).any(reads),
            _ => false,
        }
    }

    /// Whether the pipe's readers saw another task's bytes before this call's.
    fn is_written_before(
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
        let printed = printed.and_then(|pending| self.recording.calls.get(pending.call));
        let Some(stream) = printed
            .and_then(|call| call.arg(0)?.as_fd())
            .and_then(|fd| self.hints.stream(&fd.text))
        else {
            return false;
        };
        let at = self.written.get(&id).copied().unwrap_or(0);
        let rest = usize::try_from(at).ok().and_then(|at| stream.get(at..)).unwrap_or_default();
        let fits = |data: &[u8]| {
            let len = data.len().min(rest.len());
            len > 0 && data.get(..len) == rest.get(..len)
        };
        !fits(data) && fits(other_data)
    }

    /// Runs the pending call of a task.
    fn run_call(&mut self, tid: u32) {
        let Some(bytes) = self.call_bytes(tid) else { return };
        let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { return };
        let Some(pending) = self.task(tid).pending.clone() else { return };
        if let Some(item) = pending.item {
            self.resume(tid, item, u64::MAX);
            return;
        }
        self.hold_back(tid, &call);
        // It may have been run for the sake of one that was held back.
        match &self.task(tid).pending {
            Some(now) if now.item.is_none() && now.call == pending.call => {}
            _ => return,
        }
        let mut expected = pending.decoded.expected.clone();
        self.treat(tid, &call, &mut expected);
        let mut facts = Facts {
            kernel: &mut self.kernel,
            initial: &mut self.initial,
            hints: &self.hints,
            tid,
            opened: self.hints.opened(pending.call).cloned(),
        };
        facts.before(&call, &expected, pending.real.as_deref());
        facts.changes(&call, expected.recorded);
        if matches!(expected.recorded, Recorded::Value(_)) || pending.times_out {
            self.clock(if is_timed(&call) { 1 } else { CLOCK_STEP_NS });
        }
        let lines = (pending.entry_line, pending.exit_line.unwrap_or(self.line));
        let at = self.items.len();
        if let Some(pending) = &mut self.task(tid).pending {
            pending.item = Some(at);
            pending.decoded.expected = expected.clone();
        }
        self.count_written(tid, &call);
        let outcome =
            self.emit(&Event::Call { task: tid, call: call.clone() }, Some(expected), Some(lines));
        self.after(tid, outcome);
    }

    /// Bytes that a write puts into a pipe, all of them: one that stops early ends the pipe too.
    fn count_written(&mut self, tid: u32, call: &Call<'_>) {
        let (Call::Write { fd, data } | Call::Writev { fd, data }) = call else { return };
        if let Some(pipe) = self.kernel.fd_view(tid, *fd).and_then(|view| view.pipe) {
            *self.written.entry(pipe.id).or_default() += data.len() as u64;
        }
    }

    /// Treatments that depend on what a descriptor is.
    fn treat(&mut self, tid: u32, call: &Call<'_>, expected: &mut Expected) {
        use tickernel_systems::fs::Node;
        let view = |fd: i32| self.kernel.fd_view(tid, fd);
        match *call {
            Call::Read { fd, .. }
            | Call::Readv { fd, .. }
            | Call::Pread64 { fd, .. }
            | Call::Preadv { fd, .. } => {
                let place = view(fd).and_then(|view| view.place);
                if place.is_some_and(|place| matches!(place.node, Node::Proc(_))) {
                    expected.flags |= FED | FED_PROC;
                }
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

    /// Links of a directory that was there change with what others do in it; those of /proc are the
    /// host's.
    fn treat_stat(&self, tid: u32, call: &Call<'_>, expected: &mut Expected) {
        use tickernel_systems::fs::Node;
        let Payload::Stat(stat) = &expected.payload else { return };
        let place = match call {
            Call::Fstat { fd } => self.kernel.fd_view(tid, *fd).and_then(|view| view.place),
            _ => super::paths::uses(call).first().and_then(|one| match one.path {
                [] => self.kernel.fd_view(tid, one.dirfd)?.place,
                path => self.kernel.resolve(tid, one.dirfd, path, one.follow).ok()?,
            }),
        };
        let Some(place) = place else { return };
        let fs = self.kernel.fs();
        if matches!(place.node, Node::Proc(_)) {
            expected.members &= !(stat_bits::NLINK | stat_bits::SIZE);
        } else if fs.is_directory(place)
            && self.initial.of(fs, place).is_some()
            && self.initial.knows(fs, place, stat_bits::NLINK)
            && fs.inode(place).is_some_and(|inode| inode.nlink != stat.nlink)
        {
            expected.members &= !stat_bits::NLINK;
            expected.flags |= FED;
        }
    }

    fn resume(&mut self, tid: u32, item: usize, max_bytes: u64) {
        let call = CallId(item as u64);
        let outcome = self.emit(&Event::Resume { call, max_bytes }, None, None);
        self.after(tid, outcome);
    }

    /// What the kernel said to the task's pending call.
    fn after(&mut self, tid: u32, outcome: Outcome) {
        match outcome {
            Outcome::Asking => {
                let answer = self.answer(tid);
                let outcome = self.emit(&Event::Answer(answer), None, None);
                if !matches!(outcome, Outcome::Asking) || self.items.len() < usize::MAX / 2 {
                    self.after(tid, outcome);
                }
            }
            Outcome::Blocked(_) => {}
            Outcome::Done(answer) => {
                let Some(pending) = self.task(tid).pending.take() else { return };
                self.ended(tid, &pending, Ok(answer.value));
            }
            Outcome::Failed(errno) => {
                let Some(pending) = self.task(tid).pending.take() else { return };
                self.ended(tid, &pending, Err(errno));
            }
            Outcome::Refused(_) => {
                let Some(pending) = self.task(tid).pending.take() else { return };
                self.ended(tid, &pending, Err(Errno::EINTR));
            }
        }
    }

    /// The host's answer as the recording has it.
    fn answer(&mut self, tid: u32) -> HostAnswer {
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
                match &expected.payload {
                    Payload::Data(data) => {
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
        if let Some(item) = item.and_then(|at| self.items.get_mut(at)) {
            item.expected = Some(expected);
        }
        answer
    }

    /// Whether a call that times out has reached its time: the clock goes there.
    fn pass_deadline(&mut self, tid: u32) -> bool {
        let times_out = self.task(tid).pending.as_ref().is_some_and(|pending| pending.times_out);
        let Some(deadline) = self.kernel.deadline_of(tid).filter(|_| times_out) else {
            return false;
        };
        let delta_ns = deadline.saturating_sub(self.kernel.now_ns());
        if delta_ns > 0 {
            self.emit(&Event::Clock { delta_ns }, None, None);
        }
        true
    }

    /// Runs a call that a blocked one waits for; false if there is none.
    fn supply_blocked(&mut self, tid: u32) -> bool {
        let Some(bytes) = self.call_bytes(tid) else { return false };
        let Ok(mine) = Call::get(&mut WireReader::new(&bytes)) else { return false };
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
                (
                    Call::Open { flags, .. } | Call::Openat { flags, .. },
                    Call::Open { flags: theirs, .. } | Call::Openat { flags: theirs, .. },
                ) => {
                    let apart = (flags & O_ACCMODE == O_WRONLY) != (theirs & O_ACCMODE == O_WRONLY);
                    apart && ends && !started && self.run_other(other)
                }
                (
                    Call::Write { fd, .. } | Call::Writev { fd, .. },
                    Call::Read { fd: theirs, .. },
                ) => {
                    let pipe = |tid: u32, fd: i32| Some(self.kernel.fd_view(tid, fd)?.pipe?.id);
                    let same = pipe(tid, *fd) == pipe(other, *theirs);
                    same && ends
                        && !started
                        && self.probe(other) != Probe::Unknown
                        && self.run_if_right(other)
                }
                (
                    Call::Read { fd, .. },
                    Call::Write { fd: theirs, .. } | Call::Writev { fd: theirs, .. },
                ) => {
                    let pipe = |tid: u32, fd: i32| Some(self.kernel.fd_view(tid, fd)?.pipe?.id);
                    let same = pipe(tid, *fd) == pipe(other, *theirs);
                    same && self.run_other(other)
                }
                (Call::Read { .. }, Call::Close { .. }) => ends && self.run_other(other),
                (Call::Flock { .. }, Call::Flock { .. } | Call::Close { .. }) => {
                    ends && !started && self.run_other(other)
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

    /// A pending call becomes one that only waits: it was never seen to return.
    fn park(&mut self, tid: u32) {
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        if pending.item.is_some() {
            return;
        }
        let Some(bytes) = pending.decoded.call.clone() else { return };
        let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { return };
        let at = self.items.len();
        let Some(pending) = self.task(tid).pending.as_mut() else { return };
        pending.item = Some(at);
        let expected = pending.decoded.expected.clone();
        let entry = pending.entry_line;
        let lines = (entry, pending.exit_line.unwrap_or(entry));
        self.emit(&Event::Park { task: tid, call }, Some(expected), Some(lines));
    }

    fn signal(&mut self, tid: u32, signal: Signal, info: &Value, fatal: bool) {
        let recorded = numbers::siginfo(info)
            .unwrap_or(SigInfo { signo: i32::from(signal.number()), ..SigInfo::default() });
        if fatal {
            self.task(tid).fatal = Some((signal, recorded));
            return;
        }
        self.clock(CLOCK_STEP_NS);
        self.deliver(tid, signal, recorded);
    }

    fn deliver(&mut self, tid: u32, signal: Signal, recorded: SigInfo) {
        if !self.is_known(tid) {
            return;
        }
        for _ in 0..MAX_DEMANDS {
            if self.kernel.has_pending(tid, signal)
                || !self.supply_signal(tid, signal, recorded.pid)
            {
                break;
            }
        }
        let action = self.kernel.action_of(tid, signal).unwrap_or_default();
        let default = signal.default_action();
        let nothing = action.handler == SIG_IGN
            || action.handler == SIG_DFL
                && matches!(default, DefaultAction::Ignore | DefaultAction::Continue);
        if !self.kernel.has_pending(tid, signal) {
            if nothing {
                return;
            }
            let process = self.kernel.process_of_task(tid).unwrap_or(tid);
            self.emit(&Event::Signal { target: process, info: recorded }, None, None);
        }
        let caught = action.handler != SIG_DFL && action.handler != SIG_IGN;
        if caught {
            self.block_for_handler(tid);
        }
        let expected = Expected {
            payload: Payload::Info(Box::new(recorded)),
            ..Expected::only(Role::Signal, signal.name())
        };
        let lines = (self.line, self.line);
        self.emit(&Event::Deliver { task: tid, signal }, Some(expected), Some(lines));
        if caught {
            let interrupted = self.task(tid).pending.take();
            self.task(tid).frames.push(interrupted);
        }
    }

    /// The call that a handler interrupts must be waiting in the kernel.
    fn block_for_handler(&mut self, tid: u32) {
        let waits = matches!(&self.task(tid).pending, Some(pending) if pending.item.is_none());
        if waits {
            self.park(tid);
        }
    }

    /// Runs a pending kill of the sender.
    fn supply_signal(&mut self, tid: u32, _signal: Signal, sender: u32) -> bool {
        for other in self.others(tid) {
            let Some(bytes) = self.call_bytes(other) else { continue };
            let Ok(call) = Call::get(&mut WireReader::new(&bytes)) else { continue };
            let from = self.kernel.process_of_task(other) == Some(sender);
            let kills = matches!(
                call,
                Call::Kill { .. }
                    | Call::Tgkill { .. }
                    | Call::Tkill { .. }
                    | Call::RtSigqueueinfo { .. }
            );
            let closes = matches!(call, Call::Close { .. }) && sender == 0;
            if (from && kills) || closes {
                return self.run_other(other);
            }
        }
        false
    }

    fn exited(&mut self, tid: u32, status: u32) {
        self.clock(CLOCK_STEP_NS);
        if self.is_known(tid) && self.kernel.is_alive(tid) {
            self.end(tid, status);
        }
        self.tasks.remove(&tid);
    }

    /// Threads of the same process that the walk knows.
    fn siblings(&self, tid: u32) -> Vec<u32> {
        let process = self.kernel.process_of_task(tid);
        let same = |other: &u32| self.kernel.process_of_task(*other) == process;
        self.tasks.keys().copied().filter(|other| *other != tid && same(other)).collect()
    }

    fn end(&mut self, tid: u32, status: u32) {
        let is_exit = |order: &mut Self, tid: u32, group: bool| {
            let Some(bytes) = order.call_bytes(tid) else { return false };
            match Call::get(&mut WireReader::new(&bytes)) {
                Ok(Call::ExitGroup { .. }) => true,
                Ok(Call::Exit { .. }) => !group,
                _ => false,
            }
        };
        let siblings = self.siblings(tid);
        let leader = siblings.iter().copied().find(|other| is_exit(self, *other, true));
        let own = is_exit(self, tid, false);
        let own_group = is_exit(self, tid, true);
        if own_group || (!own && leader.is_some()) {
            for other in siblings.iter().copied().chain([tid]) {
                if !is_exit(self, other, true) {
                    self.park(other);
                }
            }
        }
        if own {
            self.run_call(tid);
        } else if let Some(leader) = leader {
            self.run_call(leader);
        } else {
            self.park(tid);
            let call = Call::ExitGroup { status: i32::try_from(status).unwrap_or(0) };
            let forced = Expected::only(Role::Force, "exit_group");
            self.emit(&Event::Call { task: tid, call }, Some(forced), None);
        }
    }

    fn killed(&mut self, tid: u32, signal: Signal) {
        self.clock(CLOCK_STEP_NS);
        if self.is_known(tid) && self.kernel.is_alive(tid) {
            for other in self.siblings(tid).into_iter().chain([tid]) {
                self.park(other);
            }
            match self.task(tid).fatal.take() {
                Some((fatal, info)) => self.deliver(tid, fatal, info),
                None => {
                    self.emit(&Event::Deliver { task: tid, signal }, None, None);
                }
            }
            if self.kernel.is_alive(tid) {
                let kill = Signal::SIGKILL;
                let forced = Expected::only(Role::Force, kill.name());
                self.emit(&Event::Deliver { task: tid, signal: kill }, Some(forced), None);
            }
        }
        self.tasks.remove(&tid);
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
        other => super::paths::uses(other).iter().any(|one| one.creates || one.removes),
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
            | Call::Alarm { .. }
            | Call::Setitimer { .. }
            | Call::RtSigtimedwait { .. }
            | Call::Utimensat { .. }
    )
}

fn makes_task(name: &str) -> bool {
    matches!(name, "clone" | "clone3" | "fork" | "vfork")
}

/// Whether the recorded result is that of a time-out.
fn times_out(call: &strace::Call, decoded: &Decoded) -> bool {
    let Some(result) = &call.result else { return false };
    match (&*call.name, decoded.expected.recorded) {
        ("poll" | "ppoll" | "select" | "pselect6", Recorded::Value(0)) => true,
        ("nanosleep" | "clock_nanosleep", Recorded::Value(0)) => true,
        ("restart_syscall", Recorded::Value(0)) => true,
        ("rt_sigtimedwait", Recorded::Errno(Errno::EAGAIN)) => true,
        _ => result.says("Timeout"),
    }
}

/// The path printed for a returned descriptor.
fn real_path(call: &strace::Call) -> Option<Vec<u8>> {
    let fd = call.result.as_ref()?.value.as_ref()?.as_fd()?;
    (fd.text.first() == Some(&b'/') && !fd.deleted).then(|| fd.text.clone())
}
