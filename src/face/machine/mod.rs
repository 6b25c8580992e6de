//! The kernel behind a face: the lock, the clock, the recording, and who waits for what.
//!
//! Shared by the virtual machine, its process handles and its attached file systems. Every event
//! enters here; the lock is never held while a user's code runs (DESIGN section 2). A call that
//! blocks parks its thread until its completion is there or a deadline is due. Nothing here decides
//! an answer.

mod clock;
mod handle;

pub(crate) use clock::Clock;
pub use clock::FaceClock;
pub(crate) use handle::HandleState;

use super::error::{KernelError, KernelResult};
use super::permissions::Permissions;
use super::poll::PollWaitHandle;
use super::socket_table::{SocketReadiness, SocketReadinessKind};
use crate::record::{Recording, header_of};
use crate::trace::{Background, BackgroundWriter, TraceError};
use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Thread, ThreadId};
use std::time::Duration;
use tickernel_systems::abi::{Errno, Signal, WaitStatus};
use tickernel_systems::event::{
    Answer, Call, CallId, Completed, Effect, Event, HostAnswer, Outcome, Output, Question,
};
use tickernel_systems::{Kernel, Refusal};

/// Where a recording goes.
pub(crate) type Out = Box<dyn Write + Send>;

/// Who is told of sockets that become ready.
pub(crate) type ReadinessSink = Arc<dyn Fn(SocketReadiness) + Send + Sync>;

/// A kernel that several threads use.
pub(crate) struct Machine {
    core: Mutex<Core>,
    /// Nobody asks the host any more.
    idle: Condvar,
    /// Who is asked for leave: the same for every clone of a virtual machine.
    permissions: Mutex<Arc<Permissions>>,
    /// Who is told of sockets that become ready, and whether anybody is.
    sink: Mutex<Option<ReadinessSink>>,
    has_sink: AtomicBool,
}

/// What the lock guards.
pub(crate) struct Core {
    pub(crate) kernel: Kernel,
    clock: Clock,
    recording: Option<Recording<Background<Out>>>,
    record_error: Option<TraceError>,
    /// Threads in blocked calls, and what has become of those that are over.
    waiting: BTreeMap<CallId, Thread>,
    done: BTreeMap<CallId, Completed>,
    /// Threads that wait for the end of a process.
    watching: BTreeMap<u32, Vec<Thread>>,
    /// How many threads use the machine: virtual time goes on when all of them wait.
    attached: usize,
    /// Who is told of every change, once somebody has asked for it.
    poll_wait: Option<PollWaitHandle>,
    handles: Handles,
    /// The driver of the process made last: most are the same one's.
    last_driver: Arc<str>,
    /// Sockets that have become ready since somebody was told.
    ready: Vec<SocketReadiness>,
    /// Who answers a question of the kernel's.
    asker: Option<ThreadId>,
    /// How many threads wait for that: to wake nobody is a call of the host's all the same.
    idlers: usize,
    /// What was asked for meanwhile.
    queued: Vec<Queued>,
}

#[expect(clippy::disallowed_types, reason = "looked up by pid, and never walked")]
type Handles = std::collections::HashMap<u32, Arc<HandleState>, BuildHasherDefault<ahash::AHasher>>;

/// What may be asked for while a question is open.
#[derive(Clone, Debug)]
pub(crate) enum Queued {
    /// The process has ended.
    Exit(u32, i32),
    /// A signal for it.
    Signal(u32, i32),
    /// Who answers for files and for commands.
    Policies(Policies),
    /// The end of everything.
    Disposal,
}

/// What the kernel knows of permissions: who answers, and the rules by which it decides itself.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    files: u32,
    commands: u32,
    rules: Vec<String>,
}

impl Policies {
    fn of(permissions: &Permissions) -> Self {
        let (files, commands) = permissions.policies();
        let rules = permissions.core_rules();
        Self { files: files as u32, commands: commands as u32, rules }
    }

    fn call(&self) -> Call<'_> {
        let Self { files, commands, rules } = self;
        let rules = rules.iter().map(|rule| rule.as_bytes()).collect();
        Call::FacePolicy { files: *files, commands: *commands, rules }
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

/// Who answers the kernel's questions. A panic of the user's code comes back as the second value;
/// it goes on once the kernel has its answer.
pub(crate) trait Host {
    /// The answer to a question.
    fn answer(&mut self, question: &Question) -> HostAnswer;

    /// A call failed after a rule had refused something.
    fn refused(&mut self, _refusal: &Refusal) {}
}

/// A host that knows nothing: for calls that ask nothing.
pub(crate) struct NoHost;

impl Host for NoHost {
    fn answer(&mut self, _question: &Question) -> HostAnswer {
        HostAnswer::Absent
    }
}

impl Machine {
    pub(crate) fn new(kernel: Kernel, clock: Clock, permissions: Permissions) -> Arc<Self> {
        let core = Core {
            kernel,
            clock,
            recording: None,
            record_error: None,
            waiting: BTreeMap::new(),
            done: BTreeMap::new(),
            watching: BTreeMap::new(),
            attached: 1,
            poll_wait: None,
            handles: Handles::default(),
            last_driver: Arc::from(""),
            ready: Vec::new(),
            asker: None,
            idlers: 0,
            queued: Vec::new(),
        };
        let permissions = Mutex::new(Arc::new(permissions));
        Arc::new(Self {
            core: Mutex::new(core),
            idle: Condvar::new(),
            permissions,
            sink: Mutex::new(None),
            has_sink: AtomicBool::new(false),
        })
    }

    /// Who is asked for leave at the moment.
    pub(crate) fn permissions(&self) -> Arc<Permissions> {
        // Nothing panics while it is replaced.
        Arc::clone(&self.permissions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Others from now on; the kernel knows whether it must ask them at once, or after the question
    /// that is open.
    pub(crate) fn set_permissions(&self, permissions: Permissions) {
        let policies = Policies::of(&permissions);
        *self.permissions.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(permissions);
        self.later(Queued::Policies(policies));
    }

    #[inline]
    fn guard(&self) -> MutexGuard<'_, Core> {
        // Nothing panics under the lock but a defect of ours; the kernel's state is whole then too.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kernel to look at or to give an event, its clock caught up. While another thread answers
    /// a question, waits for that.
    ///
    /// # Errors
    /// `EDEADLK` for the thread that answers one itself: a callback may use handles only.
    #[inline]
    pub(crate) fn lock(&self) -> KernelResult<MutexGuard<'_, Core>> {
        let mut core = self.guard();
        if core.asker.is_some() {
            core = self.wait_idle(core)?;
        }
        if core.kernel.next_deadline().is_some() {
            core.catch_up_if_due();
        }
        Ok(core)
    }

    #[cold]
    fn wait_idle<'c>(&self, mut core: MutexGuard<'c, Core>) -> KernelResult<MutexGuard<'c, Core>> {
        let own = std::thread::current().id();
        while let Some(asker) = core.asker {
            if asker == own {
                let what = "a callback of the virtual machine called back into it";
                return Err(KernelError::errno(Errno::EDEADLK, what));
            }
            core = self.wait_for_asker(core);
        }
        Ok(core)
    }

    fn wait_for_asker<'c>(&self, mut core: MutexGuard<'c, Core>) -> MutexGuard<'c, Core> {
        core.idlers += 1;
        let mut core = self.idle.wait(core).unwrap_or_else(PoisonError::into_inner);
        core.idlers -= 1;
        core
    }

    /// The same to look at only, also from inside a callback.
    pub(crate) fn look(&self) -> MutexGuard<'_, Core> {
        let mut core = self.guard();
        if core.asker.is_none() && core.kernel.next_deadline().is_some() {
            core.catch_up_if_due();
        }
        core
    }

    /// A call that has been entered: what it answers, once the host has answered what it asks and
    /// what it waits for has happened.
    #[inline]
    pub(crate) fn finish<'c>(
        &'c self,
        core: MutexGuard<'c, Core>,
        outcome: Outcome,
        host: &mut impl Host,
    ) -> Result<Answer, Errno> {
        match outcome {
            Outcome::Done(answer) => Ok(answer),
            other => self.finish_later(core, other, host),
        }
    }

    #[cold]
    fn finish_later<'c>(
        &'c self,
        mut core: MutexGuard<'c, Core>,
        mut outcome: Outcome,
        host: &mut impl Host,
    ) -> Result<Answer, Errno> {
        loop {
            match outcome {
                Outcome::Done(answer) => return Ok(answer),
                Outcome::Failed(errno) => {
                    if let Some(refusal) = core.kernel.face_refusal() {
                        host.refused(refusal);
                    }
                    return Err(errno);
                }
                // The process ended between the look at its owner and the call.
                Outcome::Refused(_) => return Err(Errno::ESRCH),
                Outcome::Blocked(call) => return self.wait_for(core, call),
                Outcome::Asking => {
                    let Some(question) = core.kernel.question().cloned() else {
                        return Err(Errno::EIO);
                    };
                    core.asker = Some(std::thread::current().id());
                    drop(core);
                    let answer = host.answer(&question);
                    core = self.guard();
                    outcome = core.take(Event::Answer(answer));
                    if outcome != Outcome::Asking {
                        core.asker = None;
                        core.take_queued();
                        if core.idlers > 0 {
                            self.idle.notify_all();
                        }
                    }
                }
            }
        }
    }

    /// Waits, the lock released, for the completion of a blocked call or the next deadline.
    fn wait_for<'c>(
        &'c self,
        mut core: MutexGuard<'c, Core>,
        call: CallId,
    ) -> Result<Answer, Errno> {
        core.waiting.insert(call, std::thread::current());
        match self.sleep_until(core, |core| core.done.remove(&call)) {
            Completed::Done(answer) => Ok(answer),
            Completed::Failed(errno) => Err(errno),
            // SIGPIPE ends the process in its write, whose answer is EPIPE all the same
            // (SEMANTICS.md, section 4); who waits for something else in it is told why too.
            Completed::Gone(WaitStatus::Signaled(Signal::SIGPIPE, _)) => Err(Errno::EPIPE),
            Completed::Gone(_) => Err(Errno::ESRCH),
        }
    }

    /// Waits until a process has ended.
    pub(crate) fn wait_for_end(&self, pid: u32) -> KernelResult<()> {
        let mut core = self.lock()?;
        if core.handle(pid).is_none() {
            // It has ended since.
            return Ok(());
        }
        core.watching.entry(pid).or_default().push(std::thread::current());
        self.sleep_until(core, |core| (!core.watching.contains_key(&pid)).then_some(()));
        Ok(())
    }

    /// Sleeps, the lock released, until the condition gives something: whoever makes it true wakes
    /// this thread. Deadlines pass meanwhile.
    fn sleep_until<'c, T>(
        &'c self,
        mut core: MutexGuard<'c, Core>,
        mut condition: impl FnMut(&mut Core) -> Option<T>,
    ) -> T {
        loop {
            if let Some(value) = condition(&mut core) {
                return value;
            }
            let pause = core.pause();
            if pause == Some(Duration::ZERO) {
                core.pass_time();
                continue;
            }
            drop(core);
            match pause {
                Some(pause) => std::thread::park_timeout(pause),
                None => std::thread::park(),
            }
            core = self.guard();
        }
    }

    /// Who is told of sockets that become ready from now on.
    pub(crate) fn set_readiness_sink(&self, sink: Option<ReadinessSink>) {
        let mut core = self.guard();
        let on = u32::from(sink.is_some());
        self.has_sink.store(sink.is_some(), Ordering::Release);
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = sink;
        core.ready.clear();
        core.call(0, &Call::FaceTell { on });
    }

    /// What has become ready, and who is to be told of it.
    pub(crate) fn take_ready(&self) -> Option<(ReadinessSink, Vec<SocketReadiness>)> {
        if !self.has_sink.load(Ordering::Acquire) {
            return None;
        }
        let ready = std::mem::take(&mut self.guard().ready);
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some((sink, ready))
    }

    /// One thread more uses the machine.
    pub(crate) fn attach(&self) {
        self.guard().attached += 1;
    }

    /// Everything ends: at once, or, in a callback, with the call that asks it.
    pub(crate) fn dispose(&self) {
        self.later(Queued::Disposal);
        let own = std::thread::current().id();
        let mut core = self.guard();
        while !core.kernel.face_is_disposed() && core.asker.is_some_and(|asker| asker != own) {
            core = self.wait_for_asker(core);
        }
    }

    /// One thread less uses the machine.
    pub(crate) fn detach(&self) {
        let mut core = self.guard();
        core.attached = core.attached.saturating_sub(1);
        // The others may all be asleep now: one of them lets virtual time go on.
        let threads = core.waiting.values().chain(core.watching.values().flatten());
        threads.for_each(Thread::unpark);
    }

    /// A handle that is told of every change.
    pub(crate) fn poll_wait_handle(&self) -> PollWaitHandle {
        self.guard().poll_wait.get_or_insert_with(PollWaitHandle::new).clone()
    }

    /// What is done at once, or after the question that is open.
    pub(crate) fn later(&self, queued: Queued) {
        let mut core = self.guard();
        core.queued.push(queued);
        if core.asker.is_none() {
            core.take_queued();
        }
    }

    /// Begins to record; the present state is the trace's first image.
    pub(crate) fn record_to(&self, out: Out) -> Result<(), TraceError> {
        let mut core = self.guard();
        let (header, image) = (header_of(&core.kernel), core.kernel.snapshot());
        let queue_bytes = BackgroundWriter::<Out>::DEFAULT_QUEUE_BYTES;
        let writer = BackgroundWriter::spawn(out, &header, &image, queue_bytes)?;
        core.recording = Some(Recording::over(writer));
        Ok(())
    }

    /// Ends the recording, if there is one.
    pub(crate) fn finish_recording(&self) -> Result<(), TraceError> {
        let mut core = self.guard();
        let Core { kernel, recording, record_error, .. } = &mut *core;
        if let Some(error) = record_error.take() {
            return Err(error);
        }
        match recording.take() {
            None => Ok(()),
            Some(recording) => recording.finish(kernel).map(drop),
        }
    }
}

impl Core {
    /// One event, recorded first; what comes out is handed on.
    pub(crate) fn take(&mut self, event: Event<'_>) -> Outcome {
        if let Some(recording) = &mut self.recording
            && let Err(error) = recording.begin_event(&mut self.kernel, &event)
        {
            self.record_error = Some(error);
            self.recording = None;
        }
        let outcome = self.kernel.take(event);
        if self.recording.is_some() {
            self.note(&outcome);
        }
        self.hand_on_outputs();
        outcome
    }

    /// The recording's part of a call, apart: what is not recorded has no room for it.
    #[inline(never)]
    fn begin_call(&mut self, task: u32, call: &Call<'_>) {
        if let Some(recording) = &mut self.recording
            && let Err(error) = recording.begin_call(&mut self.kernel, task, call)
        {
            // The machine goes on; whoever ends the recording is told.
            self.record_error = Some(error);
            self.recording = None;
        }
    }

    /// The same of what came of it.
    #[inline(never)]
    fn note(&mut self, outcome: &Outcome) {
        if let Some(recording) = &mut self.recording {
            recording.note_outcome(outcome);
        }
    }

    /// A call of a task (0: of the face itself).
    #[inline]
    pub(crate) fn call(&mut self, task: u32, call: &Call<'_>) -> Outcome {
        if self.recording.is_some() {
            self.begin_call(task, call);
        }
        let outcome = self.kernel.call_kept(task, call);
        if self.recording.is_some() {
            self.note(&outcome);
        }
        if self.poll_wait.is_some() || self.kernel.has_output() {
            self.hand_on_outputs();
        }
        outcome
    }

    /// What came of an event beside its outcome enters the recording and is handed on.
    fn hand_on_outputs(&mut self) {
        while let Some(output) = self.kernel.poll_output() {
            if let Some(recording) = &mut self.recording {
                recording.note(&output);
            }
            self.hand_on(output);
        }
        if let Some(handle) = &self.poll_wait {
            handle.notify();
        }
    }

    fn hand_on(&mut self, output: Output) {
        match output {
            Output::Completion(completion) => {
                if let Some(thread) = self.waiting.remove(&completion.call) {
                    thread.unpark();
                }
                self.done.insert(completion.call, completion.result);
            }
            Output::Effect(Effect::Told { process, signal }) => {
                if let Some(handle) = self.handles.get(&process) {
                    handle.told(i32::from(signal.number()));
                }
            }
            Output::Effect(Effect::Exited { process, status }) => {
                let watching = self.watching.remove(&process).unwrap_or_default();
                watching.iter().for_each(Thread::unpark);
                if let Some(handle) = self.handles.remove(&process) {
                    handle.ended(match status {
                        WaitStatus::Signaled(signal, _) => Some(128 + i32::from(signal.number())),
                        WaitStatus::Exited(_) | WaitStatus::Stopped(_) | WaitStatus::Continued => {
                            None
                        }
                    });
                }
            }
            Output::Effect(Effect::Ready { socket, accept }) => {
                let kind = match accept {
                    true => SocketReadinessKind::Accept,
                    false => SocketReadinessKind::Data,
                };
                self.ready.push(SocketReadiness { socket_id: socket, kind });
            }
            // Handlers do not exist here, nor a network; stops are asked for by waiting.
            Output::Effect(
                Effect::Handler { .. }
                | Effect::Stopped { .. }
                | Effect::Continued { .. }
                | Effect::Outgoing(_),
            )
            | Output::Outcome(..) => {}
        }
    }

    /// The kernel's clock takes the host's time.
    pub(crate) fn catch_up(&mut self) {
        let now_ns = self.clock.now_ns();
        let delta_ns = now_ns.saturating_sub(self.kernel.now_ns());
        if delta_ns > 0 {
            self.take(Event::Clock { delta_ns });
        }
    }

    #[cold]
    fn catch_up_if_due(&mut self) {
        let due = self.kernel.next_deadline().is_some_and(|due| due <= self.clock.now_ns());
        if due {
            self.catch_up();
        }
    }

    /// How long a waiting thread may sleep; zero: a deadline is due.
    fn pause(&mut self) -> Option<Duration> {
        let due_ns = self.kernel.next_deadline()?;
        if self.clock.is_virtual() {
            return (self.blocked() >= self.attached).then_some(Duration::ZERO);
        }
        Some(Duration::from_nanos(due_ns.saturating_sub(self.clock.now_ns())))
    }

    /// How many threads wait for something that has not happened yet. One whose call is over and
    /// who has not seen it runs.
    fn blocked(&self) -> usize {
        self.waiting.len() + self.watching.values().map(Vec::len).sum::<usize>()
    }

    /// Deadlines that are due pass; virtual time jumps to the next one.
    fn pass_time(&mut self) {
        if let Some(due_ns) = self.kernel.next_deadline() {
            self.clock.jump_to(due_ns);
        }
        // Also when no time has passed: what is due now passes all the same.
        let delta_ns = self.clock.now_ns().saturating_sub(self.kernel.now_ns());
        self.take(Event::Clock { delta_ns });
    }

    /// Makes the state that a new process's handle shows.
    pub(crate) fn add_handle(&mut self, pid: u32) -> Arc<HandleState> {
        let state = Arc::new(HandleState::default());
        self.handles.insert(pid, Arc::clone(&state));
        state
    }

    /// The driver that plays a process, for its handle, which only shows it. The empty name if
    /// another thread has reaped the process already: no driver is known of it any more.
    pub(crate) fn driver_of(&mut self, pid: u32) -> Arc<str> {
        let name = self.kernel.face_driver_of(pid).unwrap_or_default();
        if *self.last_driver != *name {
            self.last_driver = Arc::from(name);
        }
        Arc::clone(&self.last_driver)
    }

    /// The process of a handle has ended already.
    pub(crate) fn drop_handle(&mut self, pid: u32) {
        if let Some(handle) = self.handles.remove(&pid) {
            handle.ended(None);
        }
    }

    /// The state of a living process's handle.
    pub(crate) fn handle(&self, pid: u32) -> Option<Arc<HandleState>> {
        self.handles.get(&pid).cloned()
    }

    fn take_queued(&mut self) {
        while !self.queued.is_empty() {
            for queued in std::mem::take(&mut self.queued) {
                let call = match &queued {
                    Queued::Exit(target, status) => {
                        Call::FaceExit { target: *target, status: *status }
                    }
                    Queued::Signal(target, sig) => {
                        let (target, sig) = (*target, *sig);
                        Call::FaceSignal { driver: None, target: target as i32, sig }
                    }
                    Queued::Disposal if self.kernel.face_is_disposed() => continue,
                    Queued::Disposal => Call::FaceDispose {},
                    Queued::Policies(policies) => policies.call(),
                };
                self.catch_up();
                self.call(0, &call);
            }
        }
    }
}
