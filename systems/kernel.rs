//! The state and its few entry points. Everything else in this crate is reached from here.
//!
//! [`Kernel::take`] is one tick: one event, then the phases of `settle.rs` until every list is
//! empty. [`Kernel::call`] is `take` of a system call; `submit` and `step` take queued events one
//! by one, so that n at once equal n one by one.

use crate::abi::Errno;
use crate::calls::record_lock::{LockedObject, RecordLocks};
use crate::components::terminal::End;
use crate::components::{FdSlot, Limits, Restart, Wait, Waiting};
use crate::event::{
    Answer, Call, CallId, Effect, Event, HostAnswer, Outcome, Output, Question, Refusal, Tick,
    Unchosen,
};
use crate::fs::{Fs, InodeId};
use crate::rows::{
    EpollRow, EventRow, HandlersRow, PidfdRow, PipeRow, Rows, SocketRow, TaskRow, TerminalRow,
};
use crate::tables::{Deadlines, PidTable};
use crate::wire::{Bytes, Wire, WireReader};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// Who lets blocked calls go on (DESIGN section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WakeMode {
    /// The kernel, at once, in the order of waiting.
    #[default]
    Auto,
    /// The events `Resume` and `Deliver`.
    OnDemand,
}

/// Where random bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Entropy {
    /// From the seed in the configuration.
    #[default]
    Seeded,
    /// The host is asked.
    Host,
}

/// What a kernel is before its first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whose rules hold where Linux and the face's contract differ.
    pub profile: crate::profile::Profile,
    /// Who wakes.
    pub wake: WakeMode,
    /// Who has random bytes.
    pub entropy: Entropy,
    /// Calls that are not modelled, and files of /proc and /sys that are not, ask the host instead
    /// of giving ENOSYS or ENOENT.
    pub ask_unmodelled: bool,
    /// The seed of random bytes.
    pub seed: u64,
    /// The clock at the start, in ns since 1970.
    pub start_ns: u64,
    /// Most live descriptions (`/proc/sys/fs/file-max`): ENFILE beyond.
    pub max_descriptions: u64,
    /// Most live tasks: EAGAIN beyond.
    pub max_tasks: u64,
    /// Most events that wait in the queue.
    pub max_events_queued: u64,
    /// Most bytes that the kernel keeps for programs beside files and pipes (`memory.rs`).
    pub max_memory_bytes: u64,
    /// Most pages of 4 KiB in all pipes.
    pub max_pipe_pages: u64,
    /// Most bytes of files, their names and attributes on all volumes: ENOSPC beyond.
    pub max_file_bytes: u64,
    /// Most inodes on all volumes: ENOSPC beyond.
    pub max_inodes: u64,
    /// What only the face has.
    pub face: crate::face::FaceConfig,
}

impl Default for Config {
    /// The start of `tickernel drive`: clock at 1,000,000,000 s.
    fn default() -> Self {
        Self {
            profile: crate::profile::Profile::Linux,
            wake: WakeMode::Auto,
            entropy: Entropy::Seeded,
            ask_unmodelled: false,
            seed: 0,
            start_ns: 1_000_000_000_000_000_000,
            max_descriptions: 1 << 24,
            max_tasks: 1 << 22,
            max_events_queued: 1 << 20,
            // Together below 3 GiB, whatever programs do.
            max_memory_bytes: 256 << 20,
            max_pipe_pages: 1 << 15,
            max_file_bytes: crate::fs::DEFAULT_BYTES,
            max_inodes: crate::fs::DEFAULT_INODES,
            face: crate::face::FaceConfig::default(),
        }
    }
}

impl Config {
    /// Where primitives differ from Linux's.
    pub(crate) fn bends(&self) -> crate::profile::Bends {
        self.profile.bends(self.face.present)
    }
}

crate::wire_enum!(WakeMode { 0 Auto, 1 OnDemand });
crate::wire_enum!(Entropy { 0 Seeded, 1 Host });
crate::wire_struct!(Config {
    profile,
    wake,
    entropy,
    ask_unmodelled,
    seed,
    start_ns,
    max_descriptions,
    max_tasks,
    max_events_queued,
    max_memory_bytes,
    max_pipe_pages,
    max_file_bytes,
    max_inodes,
    face
});

/// Bytes in the queue of events at which it takes no more.
const QUEUE_MAX_BYTES: u64 = 64 << 20;

/// Why a call does not answer at once.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It fails.
    Fail(Errno),
    /// It waits for something, perhaps until a deadline.
    Block(Box<Wait>),
    /// The host must answer first.
    Ask(Question),
    /// The task is gone, or in another program: the call answers 0 and nothing else of it counts.
    Ended,
}

impl Stop {
    /// A call that is about to wait. Its number and its place in the order come when it does.
    pub(crate) fn block(on: Waiting, deadline_ns: Option<u64>, restart: Restart) -> Self {
        Stop::Block(Box::new(Wait { call: CallId(0), since: 0, deadline_ns, restart, on }))
    }
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Fail(errno)
    }
}

/// What a call gives.
pub(crate) type CallResult = Result<Answer, Stop>;

/// The call that asks the host.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) question: Question,
    /// The event, encoded: it is planned again with the answers.
    pub(crate) event: Vec<u8>,
    pub(crate) tick: Tick,
}

/// An object whose waiters must look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Bytes, room or ends of a pipe.
    Pipe(PipeRow),
    /// What lies in a socket, its room or its other end.
    Socket(SocketRow),
    /// Room in the queue of a socket, or in its list of connections.
    Room(SocketRow),
    /// A counter of eventfd(2).
    Event(EventRow),
    /// The end of what a pidfd refers to.
    Pidfd(PidfdRow),
    /// Input of an end of a terminal, or room for its output.
    Terminal { terminal: TerminalRow, end: End, input: bool },
    /// Something that this process's waits could report.
    Children {
        parent: u32,
        child: u32,
        /// The child's group: who waits for another one sleeps on.
        group: u32,
        /// The thread whose child it is: others may wait for their own only.
        maker: u32,
    },
    /// The blocked call of this task (a deadline, a continuation, a signal that it waits for).
    Task(u32),
    /// Locks of this inode.
    Locks(InodeId),
    /// Record locks of this object.
    Records(LockedObject),
    /// The queue of this instance of inotify(7).
    Inotify(u64),
    /// A timer of timerfd_create(2).
    Timer(u64),
    /// Signals of who has these dispositions, for signalfd(2).
    Signals(HandlersRow),
    /// The ready list of this instance of epoll(7), for who polls it.
    Epoll(EpollRow),
    /// An end of a pseudo-terminal of the face.
    Pty(u32, End),
    /// A socket of the face.
    FaceSocket(u64),
    /// Room in all sockets of the face together.
    FaceRoom,
    /// The call of epoll_wait(2) that is woken, if it is still the same.
    Waiter { tid: u32, since: u64 },
}

/// A virtual POSIX kernel.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) config: Config,
    /// Those of the configuration's profile.
    pub(crate) bends: crate::profile::Bends,
    pub(crate) face: crate::face::Face,
    pub(crate) rows: Rows,
    pub(crate) pids: PidTable,
    pub(crate) fs: Fs,
    pub(crate) deadlines: Deadlines,
    /// FIFOs that are open, by inode.
    pub(crate) fifos: BTreeMap<InodeId, PipeRow>,
    /// flock(2) locks and their waiters, by inode.
    /// Who is blocked in which call (OnDemand only: what `Resume` names).
    pub(crate) blocked_calls: BTreeMap<CallId, u32>,
    pub(crate) locks: BTreeMap<InodeId, crate::calls::lock::InodeLocks>,
    /// Record locks of fcntl(2) and their waiters.
    pub(crate) record_locks: BTreeMap<LockedObject, RecordLocks>,
    /// What pidfds refer to, by number, as long as it has not been reaped.
    pub(crate) pidfds: BTreeMap<u32, PidfdRow>,
    /// Terminals by the number of their slave.
    pub(crate) terminals: BTreeMap<u32, TerminalRow>,
    /// Instances of inotify(7).
    pub(crate) inotify: crate::calls::inotify::Inotify,
    /// Sockets that wait for a connection, by id; follows from the sockets.
    pub(crate) asking_sockets: BTreeMap<u64, SocketRow>,
    /// Who has which name among sockets.
    pub(crate) sockets: crate::tables::SocketNames,
    /// Descriptors that travel in messages.
    pub(crate) flights: crate::calls::rights::Flights,
    /// The timers of timer_create(2).
    pub(crate) timers: crate::tables::timers::Timers,
    /// Those of timerfd_create(2), by the ids of their descriptions.
    /// Who is told by signals of what; follows from the descriptions.
    pub(crate) hearers: crate::calls::notices::Hearers,
    pub(crate) timerfds: BTreeMap<u64, crate::components::Timerfd>,
    /// Items of epoll(7) by the real user of their instance; follows from the rows.
    pub(crate) user_watches: crate::tables::users::PerUser,
    pub(crate) now_ns: u64,
    pub(crate) tick: Tick,
    pub(crate) counters: Counters,
    pub(crate) default_limits: Limits,
    /// The process that adopts orphans; 0 = none: they get parent 0.
    pub(crate) init: u32,
    pub(crate) inbox: VecDeque<Vec<u8>>,
    /// Bytes in the inbox.
    pub(crate) inbox_bytes: u64,
    pub(crate) outbox: VecDeque<Output>,
    /// Empty descriptor tables, kept for the next fork.
    pub(crate) spare_tables: Vec<Vec<Option<FdSlot>>>,
    pub(crate) asking: Option<Asking>,
    pub(crate) answers: Vec<HostAnswer>,
    pub(crate) answers_used: u32,
    pub(crate) changed: VecDeque<Changed>,
    pub(crate) signalled: VecDeque<u32>,
    /// How many signals are pending; follows from the rows.
    pub(crate) queued_signals: u64,
    /// Tasks by user; follows from the rows.
    pub(crate) user_tasks: crate::tables::users::UserTasks,
    /// Places of pending signals and timers by real user.
    pub(crate) user_signals: crate::tables::users::PerUser,
    /// The call that a handler's return is about to resume.
    pub(crate) resuming: Option<(TaskRow, crate::components::Interrupted)>,
    /// Bytes that the running call may move.
    pub(crate) max_bytes: u64,
    pub(crate) random: u64,
    /// How long the running read may wait, if it says so itself.
    pub(crate) read_timeout_ns: Option<u64>,
    /// The last refusal by a rule and its tick, for who makes a message of it. Not state.
    pub(crate) refusal: Option<(Tick, crate::rules::Refusal)>,
    /// Signals whose default action was taken, if somebody tells of them. Not state.
    pub(crate) acted: Option<Vec<(u32, crate::abi::SigInfo)>>,
}

/// Numbers that only grow, and live counts kept by addition and subtraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The next own id of tables, contexts, handlers, descriptions, pipes.
    pub next_id: u64,
    /// The next place in the order of waiting.
    pub next_since: u64,
    /// The next birth.
    pub next_birth: u64,
    /// Blocked tasks.
    pub blocked: u64,
    /// Zombies.
    pub zombies: u64,
    /// Stopped processes.
    pub stopped: u64,
    /// Open descriptors.
    pub open_fds: u64,
    /// Bytes in pipes.
    pub pipe_bytes: u64,
    /// Pages of 4 KiB that the segments of all pipes take.
    pub pipe_pages: u64,
    /// Bytes of what has no fixed size (`memory.rs`): texts, descriptor tables, waits, signals …
    pub held_bytes: u64,
}

crate::wire_struct!(Counters {
    next_id,
    next_since,
    next_birth,
    blocked,
    zombies,
    stopped,
    open_fds,
    pipe_bytes,
    pipe_pages,
    held_bytes
});

impl Kernel {
    /// The number of the next event.
    pub const fn tick(&self) -> Tick {
        self.tick
    }

    /// The clock, in ns since 1970.
    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// What the kernel was made with.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The question that must be answered before anything else is taken.
    pub fn question(&self) -> Option<&Question> {
        self.asking.as_ref().map(|asking| &asking.question)
    }

    /// When something next happens by time alone, in ns since 1970.
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|first| first.0)
    }

    /// Whether something has left that nobody has taken yet.
    pub fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The next thing that left, in the order in which it happened.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// A system call: one tick.
    // In line, so that a caller who names the call at this place pays nothing for its end.
    #[inline]
    pub fn call(&mut self, task: u32, call: Call<'_>) -> Outcome {
        self.call_kept(task, &call)
    }

    /// The same for a call that its maker keeps.
    pub fn call_kept(&mut self, task: u32, call: &Call<'_>) -> Outcome {
        if self.asking.is_some() {
            return Outcome::Refused(Refusal::Misplaced);
        }
        let tick = self.tick;
        self.tick += 1;
        let outcome = self.enter(tick, task, call);
        self.end_tick();
        outcome
    }

    /// Queues an event; false if the queue is full (it holds `max_events_queued`, and beyond one
    /// event `QUEUE_MAX_BYTES`).
    pub fn submit(&mut self, event: &Event<'_>) -> bool {
        let full = self.inbox.len() as u64 >= self.config.max_events_queued;
        if full || self.inbox_bytes >= QUEUE_MAX_BYTES {
            return false;
        }
        let mut bytes = Vec::new();
        event.put(&mut bytes);
        self.inbox_bytes += bytes.len() as u64;
        self.inbox.push_back(bytes);
        true
    }

    /// Takes one queued event; its outcome goes to the outputs. False if there was none, or if the
    /// host must answer first and the next event is no answer.
    pub fn step(&mut self) -> bool {
        let Some(bytes) = self.inbox.pop_front() else { return false };
        let tick = self.tick;
        // It was encoded by `submit`: it decodes.
        let Ok(event) = Event::get(&mut WireReader::new(&bytes)) else { return false };
        if self.asking.is_some() && !matches!(event, Event::Answer(_)) {
            self.inbox.push_front(bytes);
            return false;
        }
        self.inbox_bytes -= bytes.len() as u64;
        // What happened before the answer stands before it, as programs see it.
        let outcome = self.take(event);
        self.outbox.push_back(Output::Outcome(tick, outcome));
        true
    }

    /// Takes one event: one tick.
    pub fn take(&mut self, event: Event<'_>) -> Outcome {
        if let Event::Call { task, call } = event {
            return self.call(task, call);
        }
        if self.asking.is_some() && !matches!(event, Event::Answer(_)) {
            return Outcome::Refused(Refusal::Misplaced);
        }
        let tick = self.tick;
        self.tick += 1;
        let outcome = self.act(tick, event);
        self.end_tick();
        outcome
    }

    /// The phases after the event's own.
    #[inline]
    fn end_tick(&mut self) {
        if !self.answers.is_empty() && self.asking.is_none() {
            self.answers.clear();
        }
        if self.has_work() {
            self.settle();
        }
    }

    fn act(&mut self, tick: Tick, event: Event<'_>) -> Outcome {
        match event {
            Event::Call { task, call } => self.enter_again(tick, task, &call),
            Event::Park { task, call } => self.park(tick, task, &call),
            Event::Resume { call, max_bytes } => self.resume(call, max_bytes),
            Event::Deliver { task, signal } => self.deliver_one(task, signal),
            Event::Clock { delta_ns } => {
                self.now_ns = self.now_ns.saturating_add(delta_ns);
                self.expire();
                Outcome::Done(Answer::default())
            }
            Event::Answer(answer) => self.answered(answer),
            Event::Signal { target, info } => self.signal_from_outside(target, info),
            Event::Carry { terminal, end } => self.carry(terminal, end),
            Event::Unchosen { what: Unchosen::Port, number } => self.set_next_port(number),
            Event::Unchosen { what: Unchosen::Name, number } => self.set_next_name(number),
            Event::Incoming(what) => self.incoming(what),
            Event::Inject { task, errno, call } => self.inject(task, errno, &call),
        }
    }

    /// A call of a task: found, may it speak, then done or put to sleep.
    #[inline(always)]
    fn enter(&mut self, tick: Tick, tid: u32, call: &Call<'_>) -> Outcome {
        let task = match self.speaker(tid) {
            Ok(task) => task,
            Err(why) if tid == 0 => return self.enter_face(tick, tid, call, why),
            Err(why) => match self.other_speaker(tid, why) {
                Some(task) => task,
                None => return self.enter_face(tick, tid, call, why),
            },
        };
        self.max_bytes = u64::MAX;
        self.answers_used = 0;
        match self.dispatch(task, call) {
            Ok(answer) => Outcome::Done(answer),
            Err(Stop::Fail(errno)) => Outcome::Failed(errno),
            Err(Stop::Block(block)) => self.block(tick, task, block),
            Err(Stop::Ask(question)) => self.begin_asking(tick, tid, call, question),
            Err(Stop::Ended) => Outcome::Done(Answer::default()),
        }
    }

    /// A call of the face: it has no task that speaks.
    #[cold]
    #[inline(never)]
    fn enter_face(&mut self, tick: Tick, tid: u32, call: &Call<'_>, why: Refusal) -> Outcome {
        if tid != 0 || !call.is_face() {
            return Outcome::Refused(why);
        }
        self.answers_used = 0;
        match self.dispatch_face(call) {
            Ok(answer) => Outcome::Done(answer),
            Err(Stop::Fail(errno)) => Outcome::Failed(errno),
            Err(Stop::Ask(question)) => self.begin_asking(tick, tid, call, question),
            // Nobody is there to wait.
            Err(Stop::Block(_)) => Outcome::Failed(Errno::EAGAIN),
            Err(Stop::Ended) => Outcome::Done(Answer::default()),
        }
    }

    /// A call that fails because somebody wants it to: only its speaker is looked at.
    fn inject(&mut self, tid: u32, errno: Errno, call: &Call<'_>) -> Outcome {
        match self.speaker(tid) {
            Ok(_) => Outcome::Failed(errno),
            Err(_) if tid == 0 && call.is_face() => Outcome::Failed(errno),
            Err(why) => match self.other_speaker(tid, why) {
                Some(_) => Outcome::Failed(errno),
                None => Outcome::Refused(why),
            },
        }
    }

    /// The same after an answer of the host.
    #[cold]
    #[inline(never)]
    fn enter_again(&mut self, tick: Tick, task: u32, call: &Call<'_>) -> Outcome {
        self.enter(tick, task, call)
    }

    #[cold]
    fn begin_asking(
        &mut self,
        tick: Tick,
        task: u32,
        call: &Call<'_>,
        question: Question,
    ) -> Outcome {
        let mut event = Vec::new();
        Event::Call { task, call: call.clone() }.put(&mut event);
        self.asking = Some(Asking { question, event, tick });
        Outcome::Asking
    }

    /// The task, if it can make a call.
    #[inline]
    pub(crate) fn speaker(&self, tid: u32) -> Result<TaskRow, Refusal> {
        let row = self.pids.task(tid).ok_or(Refusal::Gone)?;
        let task = &self.rows[row];
        if task.exited {
            return Err(Refusal::Gone);
        }
        if let Some(wait) = &task.wait {
            return Err(Refusal::Blocked(wait.call));
        }
        // Most kernels have none stopped, and then the process is not looked at.
        if self.counters.stopped > 0 && self.rows[task.process].stopped.is_some() {
            return Err(Refusal::Stopped);
        }
        Ok(row)
    }

    fn park(&mut self, tick: Tick, tid: u32, call: &Call<'_>) -> Outcome {
        if self.config.wake != WakeMode::OnDemand {
            return Outcome::Refused(Refusal::Misplaced);
        }
        let task = match self.speaker(tid) {
            Ok(task) => task,
            Err(why) => return Outcome::Refused(why),
        };
        let mut bytes = Vec::new();
        call.put(&mut bytes);
        let wait = Wait {
            call: CallId(0),
            since: 0,
            deadline_ns: None,
            restart: Restart::WithFlag,
            on: Waiting::Parked(Bytes(bytes)),
        };
        self.block(tick, task, Box::new(wait))
    }

    /// Asks the host, or takes its answer if this is the planning after it.
    pub(crate) fn ask(&mut self, question: Question) -> Result<HostAnswer, Stop> {
        match self.answers.get(self.answers_used as usize) {
            Some(answer) => {
                let answer = answer.clone();
                self.answers_used += 1;
                Ok(answer)
            }
            None => Err(Stop::Ask(question)),
        }
    }

    fn answered(&mut self, answer: HostAnswer) -> Outcome {
        let Some(asking) = self.asking.take() else {
            return Outcome::Refused(Refusal::Misplaced);
        };
        self.answers.push(answer);
        // It was encoded by `enter`: it decodes.
        match Event::get(&mut WireReader::new(&asking.event)) {
            Ok(event) => self.act(asking.tick, event),
            Err(_) => Outcome::Refused(Refusal::Misplaced),
        }
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.outbox.push_back(Output::Effect(effect));
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.counters.next_id += 1;
        self.counters.next_id
    }
}
