//! Finds the order in which the calls of a recording took effect: "lazy with demand" (IMPORT.md
//! sections 1 to 3). A call runs at its exit line, earlier if another call needs what it does, and
//! before another call takes away what it needs. Every step becomes an event, so that a replay
//! searches nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::vec::IntoIter;

use tickernel_systems::abi::{Errno, Signal};
use tickernel_systems::event::{Call, Event, Outcome};
use tickernel_systems::fs::InodeId;
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Boot, Kernel};

use super::before::{Prelude, Shown};
use super::decode::{self, Decoded};
use super::drained::Drained;
use super::fates::{self, Fate};
use super::flow::Stream;
use super::ghosts;
use super::hints::Hints;
use super::initial::Initial;
use super::items::Items;
use super::left_out::LeftOut;
use super::modes::Loose;
use super::names;
use super::probe::Probe;
use super::races::Earlier;
use super::scope;
use super::silent::SilentEnds;
use super::stand_in::{Outside, StandIn};
use super::task::{Pending, Task};
use super::terminals::Terminals;
use super::unknown::Unknown;
use super::untold;
use super::wander::Choices;
use crate::replay::{Expected, FED, Recorded, Role};
use crate::strace::{self, EventKind, Recording};

/// Steps of demand for one call.
pub(super) const MAX_DEMANDS: u32 = 400;
/// The clock is moved when it is so far behind; smaller steps come with the next call that needs
/// it.
pub(super) const CLOCK_STEP_NS: u64 = 1_000_000;

/// Walks a recording.
pub struct Order<'a> {
    pub(super) kernel: Kernel,
    pub(super) initial: Initial,
    pub(super) hints: Hints,
    pub(super) recording: &'a Recording,
    pub(super) items: Items,
    pub(super) tasks: BTreeMap<u32, Task>,
    /// Those of them that are in a call, and perhaps some more: a recording without ends has far
    /// more tasks than calls that wait.
    pub(super) in_call: BTreeSet<u32>,
    pub(super) root: u32,
    /// The group in which it began.
    pub(super) first_group: u32,
    pub(super) start_ns: u64,
    /// Where the recording is.
    pub(super) line_ns: u64,
    pub(super) line: u64,
    /// Lines have time stamps.
    pub(super) has_times: bool,
    pub(super) depth: u32,
    /// Lines at which tasks end, by task.
    pub(super) ends: BTreeMap<u32, Vec<u64>>,
    /// What becomes of the tasks that get the signals still to come.
    fates: IntoIter<Fate>,
    /// Calls of which what is printed is not so, by number.
    ghosts: BTreeSet<u64>,
    /// Bytes written to each pipe so far.
    pub(super) written: BTreeMap<u64, u64>,
    /// Bytes taken out of each pipe so far.
    pub(super) taken: BTreeMap<u64, u64>,
    /// Bytes that strace cut.
    pub(super) unknown: Unknown,
    /// What was read from each pipe.
    pub(super) streams: BTreeMap<u64, Stream>,
    pub(super) stream_bytes: usize,
    /// The same from a walk before this one.
    pub(super) known_streams: BTreeMap<u64, Stream>,
    /// Where pipes ran dry.
    pub(super) drained: Drained,
    /// Reads of pipes that gave something else than recorded.
    pub(super) disorder: u64,
    /// By the number of a call: those of other threads that came before it.
    pub(super) earlier: BTreeMap<u64, Vec<Earlier>>,
    /// When a name was taken away last, by the kernel's clock.
    pub(super) removed_ns: Option<u64>,
    pub(super) loose: Loose,
    /// Files that are mapped shared and writable.
    pub(super) mapped: BTreeSet<InodeId>,
    /// No line tells that a task exited (`strace -qqq`).
    pub(super) no_ends: bool,
    /// No line tells of a signal (`strace -e signal=none`).
    pub(super) no_signals: bool,
    /// No line tells of a signal, nor that one ended a task.
    pub(super) no_kills: bool,
    /// Children of whose ends a signal's line tells, where no other does.
    pub(super) told_of: BTreeSet<u32>,
    /// No call that failed is printed (`strace -z`).
    pub(super) no_failures: bool,
    /// What the recording leaves out.
    pub(super) left_out: LeftOut,
    /// Calls of execve(2) with which strace let their tasks go, by number.
    last_programs: BTreeSet<u64>,
    /// Calls whose answers rest on that, by number.
    pub(super) untold: BTreeSet<u64>,
    /// Ends of tasks of which no call tells (`strace -z`).
    pub(super) silent_ends: SilentEnds,
    /// Children that were there before the first line, and whose they are.
    pub(super) earlier_children: BTreeMap<u32, u32>,
    /// Tasks that have lines of their own: without `-f` children have none.
    pub(super) traced: BTreeSet<u32>,
    /// Descriptions in whose place the kernel has another.
    pub(super) stand_ins: BTreeMap<u64, StandIn>,
    /// Pipes of which an end is held outside the recording.
    pub(super) outside: BTreeMap<u64, Outside>,
    /// The number of the call that was entered last.
    pub(super) entered: u64,
    /// Ports that sockets got which did not choose them.
    pub(super) given_ports: names::Given,
    /// Who is at the other side of terminals.
    pub(super) terminals: Terminals,
    /// At which line there was no room for more events.
    pub(super) no_room: Option<(u64, io::Error)>,
    /// Which of the legal orders; `None` for the lazy one.
    pub(super) choices: Option<Choices>,
    /// It is none of reads and writes of pipes.
    pub(super) pipes_wait: bool,
}

impl<'a> Order<'a> {
    /// Starts before the first line.
    pub fn new(
        kernel: Kernel,
        (initial, hints): (Initial, Hints),
        recording: &'a Recording,
        boot: &Boot,
        start_ns: u64,
    ) -> Self {
        let mut order = Self {
            kernel,
            initial,
            hints,
            recording,
            items: Items::default(),
            tasks: BTreeMap::new(),
            in_call: BTreeSet::new(),
            root: boot.pid,
            first_group: boot.pgid,
            start_ns,
            line_ns: 0,
            line: 0,
            has_times: recording.events.get(0).is_some_and(|event| event.time_ns.is_some()),
            depth: 0,
            ends: ends(recording, boot.pid),
            fates: fates::of_signals(recording).into_iter(),
            ghosts: ghosts::of(recording),
            written: BTreeMap::new(),
            taken: BTreeMap::new(),
            unknown: Unknown::default(),
            streams: BTreeMap::new(),
            stream_bytes: 0,
            known_streams: BTreeMap::new(),
            drained: Drained::default(),
            disorder: 0,
            earlier: BTreeMap::new(),
            removed_ns: None,
            loose: Loose::default(),
            mapped: BTreeSet::new(),
            no_ends: !recording
                .events
                .iter()
                .any(|event| matches!(event.kind, EventKind::Exited { .. })),
            no_signals: !recording
                .events
                .iter()
                .any(|event| matches!(event.kind, EventKind::Signal { .. })),
            no_kills: !recording.events.iter().any(|event| {
                matches!(event.kind, EventKind::Signal { .. } | EventKind::Killed { .. })
            }),
            told_of: BTreeSet::new(),
            no_failures: false,
            left_out: LeftOut::default(),
            last_programs: untold::last_programs(recording),
            untold: BTreeSet::new(),
            silent_ends: SilentEnds::default(),
            earlier_children: BTreeMap::new(),
            traced: recording.events.iter().filter_map(|event| event.tid).collect(),
            stand_ins: BTreeMap::new(),
            outside: BTreeMap::new(),
            entered: 0,
            given_ports: names::Given::default(),
            terminals: Terminals::default(),
            no_room: None,
            choices: None,
            pipes_wait: false,
        };
        if order.no_ends {
            order.told_of = fates::children_told_of(recording);
        }
        order
    }

    /// Brings about what was there before the first line.
    pub(super) fn begin(&mut self, prelude: &Prelude, shown: Shown) {
        // Handlers return, and nothing tells that they began.
        self.no_signals &= shown.returns;
        self.no_failures = !shown.failures;
        if !shown.ends {
            self.silent_ends = SilentEnds::of(self.recording, self.root);
        }
        for (task, bytes) in prelude {
            let Ok(call) = Call::get(&mut WireReader::new(bytes)) else { continue };
            if let Call::Clone { set_tid, .. } = call {
                self.earlier_children.insert(set_tid, *task);
            }
            let forced = Expected::only(Role::Force, call.name());
            self.emit(&Event::Call { task: *task, call }, Some(forced), None);
        }
    }

    /// Walks all lines.
    pub fn run(&mut self) {
        let recording = self.recording;
        for event in &recording.events {
            if let Some(why) = self.items.take_failure() {
                self.no_room = Some((event.line, why));
                break;
            }
            let tid = event.tid.unwrap_or(self.root);
            self.line = event.line;
            self.line_ns = event.time_ns.unwrap_or(self.line_ns);
            match &event.kind {
                EventKind::Entry { call } => {
                    self.entry(tid, *call);
                    self.wander();
                }
                EventKind::Exit { call } => self.exit(tid, *call),
                EventKind::Signal { name, info } => {
                    let fate = self.fates.next().unwrap_or(Fate::Unknown);
                    let Some(signal) = Signal::from_name(name) else { continue };
                    self.signal(tid, signal, info, fate);
                }
                EventKind::Stopped { .. } | EventKind::Notice(_) => {}
                EventKind::Exited { status } => {
                    self.exited(tid, *status, Some((event.line, event.line)));
                }
                EventKind::Killed { signal, .. } => {
                    if let Some(signal) = Signal::from_name(signal) {
                        self.killed(tid, signal, Some((event.line, event.line)));
                    }
                }
                EventKind::Superseded { by } => self.superseded(tid, *by),
                EventKind::Detached => self.let_go(tid),
            }
            if self.tasks.get(&tid).is_none_or(|task| task.pending.is_none()) {
                self.in_call.remove(&tid);
            }
        }
        for tid in self.tasks.keys().copied().collect::<Vec<_>>() {
            if self.no_ends || !self.traced.contains(&tid) {
                self.end_unseen(tid, None);
            }
            self.park(tid);
        }
        self.initial.add_interpreters(self.kernel.describe_tree(), &self.hints);
    }

    /// Where the task is seen to have ended by its call: that may have run for another's sake long
    /// before.
    pub(super) fn end_line(&self, tid: u32, call: &Call<'_>) -> Option<u64> {
        if !matches!(call, Call::Exit { .. } | Call::ExitGroup { .. }) {
            return None;
        }
        let ends = self.ends.get(&tid)?;
        ends.get(ends.partition_point(|line| *line < self.line)).copied()
    }

    /// A task is in a call.
    pub(super) fn set_pending(&mut self, tid: u32, pending: Pending) {
        self.in_call.insert(tid);
        self.task(tid).pending = Some(pending);
    }

    pub(super) fn task(&mut self, tid: u32) -> &mut Task {
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
        self.items.push(bytes, expected.map(|expected| expected.to_bytes()), lines);
        let outcome = self.kernel.take(event.clone());
        while self.kernel.poll_output().is_some() {}
        outcome
    }

    /// Moves the clock to the line's stamp.
    pub(super) fn clock(&mut self, at_least_ns: u64) {
        let now = self.start_ns.saturating_add(self.line_ns);
        let delta_ns = now.saturating_sub(self.kernel.now_ns());
        let due = self.kernel.next_deadline().is_some_and(|deadline| deadline <= now);
        if delta_ns > 0 && (delta_ns >= at_least_ns || due) {
            self.emit(&Event::Clock { delta_ns }, None, None);
        }
    }

    /// A call that is only counted: its time is all that enters.
    pub(super) fn pass_over(&mut self, expected: Expected, lines: (u64, u64)) {
        let now = self.start_ns.saturating_add(self.line_ns);
        let delta_ns = now.saturating_sub(self.kernel.now_ns());
        self.emit(&Event::Clock { delta_ns }, Some(expected), Some(lines));
    }

    pub(super) fn entry(&mut self, tid: u32, index: u64) {
        self.entered = index;
        let Some(call) = self.recording.calls.get(index) else { return };
        if !self.is_known(tid) {
            self.adopt(tid);
        }
        if self.no_signals {
            self.enter_due_handlers(tid, &call);
        }
        if &*call.name == "rt_sigreturn"
            && self.task(tid).frames.is_empty()
            && !self.enter_unseen_handler(tid, &call)
        {
            return self.leave_unseen_handler(tid, &call);
        }
        if self.enter_again(tid, index, &call) {
            return;
        }
        self.leave_open_call(tid);
        let mut decoded = decode::decode(&call);
        if self.ghosts.contains(&index) && !decode::is_scopeless(&call) {
            decoded.expected = Expected::only(Role::Call, &call.name);
        }
        let exit_line = call.exit_line;
        let lines = (self.line, exit_line.unwrap_or(self.line));
        let carried = decoded.call.is_some() && scope::is_carried_out(&call.name);
        if decode::is_scopeless(&call) && !carried {
            self.see_mapping(tid, &call);
            self.pass_over(decoded.expected, lines);
            self.hold_number(tid, &call);
            self.task(tid).passed_over = true;
            return;
        }
        if decode::resumes_itself(&call) && self.task(tid).passed_over {
            decoded.expected.role = Role::OutOfScope;
            self.pass_over(decoded.expected, lines);
            return;
        }
        self.task(tid).passed_over = false;
        if self.is_known(tid) {
            self.take_untold(index, &mut decoded, &call.name);
            self.open_untold(tid, &decoded);
            self.note_peer(tid, index, &decoded);
            self.substitute(tid, &call, &mut decoded);
        }
        if self.is_taken(tid, &call, &decoded) {
            let fed = if decoded.unreadable { 0 } else { FED };
            let Expected { flags, .. } = decoded.expected;
            let taken = Expected { role: Role::Taken, flags: flags | fed, ..decoded.expected };
            self.pass_over(taken, lines);
            return;
        }
        self.clock(CLOCK_STEP_NS);
        let pending = Pending {
            call: index,
            printed: Arc::clone(&call),
            entry_line: self.line,
            exit_line,
            times_out: times_out(&call, &decoded),
            real: real_path(&call),
            decoded,
            item: None,
            restarting: false,
        };
        self.set_pending(tid, pending);
        if self.last_programs.contains(&index) {
            return self.let_go(tid);
        }
        self.enter_early(tid, &call);
    }

    /// Whether a call is counted and not made: the kernel cannot be asked.
    fn is_taken(&self, tid: u32, call: &strace::Call, decoded: &Decoded) -> bool {
        // What goes on was interrupted before strace was attached.
        let goes_on = &*call.name == "restart_syscall";
        let is_taken = decoded.expected.role == Role::Taken;
        let says_all = decoded.call.is_some() && !decoded.unreadable;
        !says_all || is_taken || goes_on || !self.is_known(tid)
    }

    /// A task whose call was interrupted enters one; whether that is the same again.
    fn enter_again(&mut self, tid: u32, index: u64, call: &Arc<strace::Call>) -> bool {
        let pending = self.task(tid).pending.as_mut();
        let Some(pending) = pending.filter(|pending| pending.restarting) else { return false };
        let again =
            *call.name == *pending.decoded.expected.name() || &*call.name == "restart_syscall";
        if again {
            pending.call = index;
            pending.printed = Arc::clone(call);
            pending.restarting = false;
            self.join(tid, call);
        } else {
            // The program left the call by a jump out of a handler.
            self.park(tid);
        }
        again
    }

    /// A task enters a call while it is in another: lines without a pid stand for the first task,
    /// and may be another's (on standard error whoever is alone has none). What it is in is
    /// counted.
    pub(super) fn leave_open_call(&mut self, tid: u32) {
        let Some(pending) = &self.task(tid).pending else { return };
        match pending.item {
            Some(item) => self.resume(tid, item, 0),
            None => {
                let expected = pending.decoded.expected.clone();
                let taken = Expected { role: Role::Taken, flags: FED, ..expected };
                let exit_line = pending.exit_line.unwrap_or(pending.entry_line);
                let lines = (pending.entry_line, exit_line);
                self.pass_over(taken, lines);
            }
        }
        self.task(tid).pending = None;
    }

    /// Whether the task is one that the kernel has.
    pub(super) fn is_known(&self, tid: u32) -> bool {
        self.kernel.process_of_task(tid).is_some()
    }

    /// A call entered again: what is expected is what this entry's exit says.
    pub(super) fn join(&mut self, tid: u32, call: &strace::Call) {
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

    pub(super) fn set_expected(
        &mut self,
        item: Option<u64>,
        expected: Expected,
        lines: (u64, u64),
    ) {
        if let Some(item) = item {
            self.items.expect(item, &expected);
            self.items.stands_at(item, lines);
        }
    }

    /// Calls that take effect, or begin to wait, at their entry.
    pub(super) fn enter_early(&mut self, tid: u32, call: &strace::Call) {
        let Some(bytes) = self.call_bytes(tid) else { return };
        let Ok(decoded) = Call::get(&mut WireReader::new(&bytes)) else { return };
        let interrupted = call.result.as_ref().is_some_and(|result| {
            result.restart().is_some() || result.errno.as_deref() == Some("EINTR")
        });
        let times_out = self.task(tid).pending.as_ref().is_some_and(|pending| pending.times_out);
        let early = match &decoded {
            // Of threads that take numbers at the same time the copy may have them or not.
            Call::Clone { set_tid, .. } => {
                *set_tid != 0 && !interrupted && !self.earlier.contains_key(&self.entered)
            }
            Call::Nanosleep { .. }
            | Call::ClockNanosleep { .. }
            | Call::Pause {}
            | Call::RtSigsuspend { .. } => true,
            Call::RtSigtimedwait { .. } => interrupted || times_out,
            // Who waits has the number already that others of its table do not get.
            Call::Accept { .. } | Call::Accept4 { .. } => {
                !interrupted && self.takes_number_early(tid, call)
            }
            Call::Poll { .. }
            | Call::Ppoll { .. }
            | Call::Select { .. }
            | Call::Pselect6 { .. }
            | Call::EpollWait { .. }
            | Call::EpollPwait { .. }
            | Call::EpollPwait2 { .. } => {
                interrupted || (times_out && self.probe(tid) == Probe::Right)
            }
            _ => false,
        };
        if early {
            self.clock(1);
            self.run_call(tid);
        }
    }

    pub(super) fn call_bytes(&mut self, tid: u32) -> Option<Rc<[u8]>> {
        self.task(tid).pending.as_ref()?.decoded.call.clone()
    }

    pub(super) fn exit(&mut self, tid: u32, index: u64) {
        let Some(call) = self.recording.calls.get(index) else { return };
        if call.entry_line.is_none() {
            return self.exit_without_entry(tid, index, call);
        }
        if self.ghosts.contains(&index) {
            return;
        }
        let tid = self.executing(tid, index, &call);
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

    /// strace was attached in the middle of it: its arguments are not known, so that it is answered
    /// as recorded.
    fn exit_without_entry(&mut self, tid: u32, index: u64, call: Arc<strace::Call>) {
        self.leave_open_call(tid);
        let mut decoded = decode::decode(&call);
        if decoded.expected.role == Role::OutOfScope || !self.is_known(tid) {
            if decoded.expected.role != Role::OutOfScope {
                (decoded.expected.role, decoded.expected.flags) = (Role::Taken, FED);
            }
            return self.pass_over(decoded.expected, (self.line, self.line));
        }
        decoded.call = Some(decode::unmodelled(&call.name).into());
        // Its arguments are not told.
        let is_known = decode::is_known(&call.name);
        decoded.expected.role = if is_known { Role::Call } else { Role::Unsupported };
        decoded.expected.flags |= FED;
        if decoded.expected.recorded == Recorded::Never {
            return self.pass_over(
                Expected { role: Role::Taken, flags: FED, ..decoded.expected },
                (self.line, self.line),
            );
        }
        let pending = Pending {
            call: index,
            printed: call,
            entry_line: self.line,
            exit_line: Some(self.line),
            times_out: false,
            real: None,
            decoded,
            item: None,
            restarting: false,
        };
        self.set_pending(tid, pending);
        self.finish(tid);
    }

    /// The call must be over now.
    pub(super) fn finish(&mut self, tid: u32) {
        let own = self.task(tid).pending.as_ref().map(|pending| pending.call);
        self.supply_child(tid);
        self.bring_awaited(tid);
        for _ in 0..MAX_DEMANDS {
            match self.probe(tid) {
                Probe::Right | Probe::Unknown => break,
                Probe::Wants(want) => {
                    if !self.supply(tid, &want) {
                        self.feed_from_outside(tid, &want);
                        break;
                    }
                }
            }
        }
        self.put_off(tid);
        self.pass_full_terminal(tid);
        self.pass_blurred(tid);
        self.note_time_out(tid);
        self.run_call(tid);
        for _ in 0..MAX_DEMANDS {
            // A handler that returned brings back the call that it interrupted: that one goes on.
            let pending = self.task(tid).pending.as_ref();
            let Some(pending) = pending.filter(|pending| Some(pending.call) == own) else { return };
            let Some(item) = pending.item else { return };
            if self.pass_deadline(tid) || !self.supply_blocked(tid) {
                let pending = self.task(tid).pending.as_ref();
                if pending.is_some_and(|pending| Some(pending.call) == own) {
                    self.resume(tid, item, u64::MAX);
                }
                break;
            }
            self.resume(tid, item, u64::MAX);
        }
        // What never ends in the simulation is given up: the task goes on.
        let pending = self.task(tid).pending.as_ref();
        if let Some(pending) = pending.filter(|pending| Some(pending.call) == own) {
            let item = pending.item;
            self.note_no_room(tid);
            if let Some(item) = item {
                self.resume(tid, item, 0);
            }
            self.task(tid).pending = None;
        }
    }
}

fn ends(recording: &Recording, root: u32) -> BTreeMap<u32, Vec<u64>> {
    let mut ends = BTreeMap::<u32, Vec<u64>>::new();
    for event in &recording.events {
        if matches!(event.kind, EventKind::Exited { .. } | EventKind::Killed { .. }) {
            ends.entry(event.tid.unwrap_or(root)).or_default().push(event.line);
        }
    }
    ends
}

fn makes_task(name: &str) -> bool {
    matches!(name, "clone" | "clone3" | "fork" | "vfork")
}

/// Whether the recorded result is that of a time-out.
fn times_out(call: &strace::Call, decoded: &Decoded) -> bool {
    let Some(result) = &call.result else { return false };
    match (&*call.name, decoded.expected.recorded) {
        ("poll" | "ppoll" | "select" | "pselect6", Recorded::Value(0)) => true,
        ("epoll_wait" | "epoll_pwait" | "epoll_pwait2", Recorded::Value(0)) => true,
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
