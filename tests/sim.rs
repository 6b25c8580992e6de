//! Worlds for those who simulate: branches, faults, recordings, queues, and the examples, which run
//! here as they stand.

#[path = "examples/sim_fault.rs"]
mod sim_fault;
#[path = "examples/sim_ping_pong.rs"]
mod sim_ping_pong;
#[path = "examples/sim_pipeline.rs"]
mod sim_pipeline;

use proptest::collection::vec;
use proptest::prelude::*;
use tickernel::import::Imported;
use tickernel::json::convert::{to_trace, to_twin};
use tickernel::record::TraceBuffer;
use tickernel::replay::{Options, Replayed, replay};
use tickernel::sim::{CallError, Completion, Fault, NoSuchCall, Sim};
use tickernel::trace::TraceReader;
use tickernel_systems::abi::flags::{O_CREAT, O_NONBLOCK, O_RDWR, SIG_SETMASK};
use tickernel_systems::abi::{Errno, SigAction, Signal, Timespec, WaitStatus};
use tickernel_systems::event::{Answer, Call, CallId, Effect, Event, FcntlArg, Outcome, Refusal};
use tickernel_systems::{Config, Entropy, FaceConfig, Kernel, Profile};

#[test]
fn examples() {
    sim_pipeline::main().expect("two lines");
    sim_ping_pong::main().expect("equal digests");
    sim_fault::main().expect("no record is lost");
}

fn replayed(trace: &TraceBuffer) -> Replayed {
    let mut options = Options { force: true, ..Options::default() };
    replay(Imported::of_trace(trace.bytes()), &mut options).expect("a trace")
}

/// The recording replays to the state that the world is in.
#[track_caller]
fn assert_replays(sim: &mut Sim, trace: &TraceBuffer) {
    sim.finish_recording().expect("in memory");
    let replayed = replayed(trace);
    assert!(replayed.damage.is_none(), "{:?}", replayed.damage);
    assert!(replayed.report.first_mismatch.is_none(), "{:?}", replayed.report.first_mismatch);
    assert_eq!(replayed.report.digest, format!("{:016x}", sim.digest()));
}

/// What a process does, from four numbers: most of it makes sense, the rest is refused.
#[derive(Clone, Copy, Debug)]
struct Act {
    who: u8,
    what: u8,
    one: u8,
    two: u8,
}

fn act() -> impl Strategy<Value = Act> {
    let numbers = (any::<u8>(), 0..20u8, any::<u8>(), any::<u8>());
    numbers.prop_map(|(who, what, one, two)| Act { who, what, one, two })
}

impl Act {
    fn task(self) -> u32 {
        1 + u32::from(self.who) % 6
    }

    fn call(self) -> Call<'static> {
        const DATA: [u8; 255] = [7; 255];
        let (fd, other) = (i32::from(self.one) % 9, i32::from(self.two) % 9);
        let path = Some([&b"/tmp/a"[..], b"/tmp/b", b"/dev/null"][usize::from(self.one) % 3]);
        let sig = [0, 9, 10, 15, 17, 18, 19][usize::from(self.two) % 7];
        match self.what {
            0 | 1 => Call::Fork {},
            2 => Call::Pipe {},
            3..=6 => Call::Write { fd, data: &DATA[..usize::from(self.two)] },
            7..=10 => Call::Read { fd, count: self.two.into() },
            11 => Call::Close { fd },
            12 => Call::Dup2 { oldfd: fd, newfd: other },
            13 => Call::Open { path, flags: O_RDWR | O_CREAT, mode: 0o600 },
            14 => Call::ExitGroup { status: self.two.into() },
            15 => Call::Wait4 { wpid: -1, options: u32::from(self.two) % 2 },
            16 => Call::Kill { target: i32::from(self.one) % 6 + 1, sig },
            17 => Call::Nanosleep { request: Timespec { sec: i64::from(self.two), nsec: 1 } },
            18 => Call::Setpgid { target: 0, pgid: 0 },
            _ => Call::Fcntl { fd, cmd: 4, arg: FcntlArg::Number(O_NONBLOCK.into()) },
        }
    }
}

/// All that came of the acts: answers at once, completions and effects.
type Came = (Vec<Result<Answer, CallError>>, Vec<Completion>, Vec<Effect>);

/// Every tenth act by the queue, every seventh by the clock.
fn play(sim: &mut Sim, acts: &[Act]) -> Came {
    let mut answers = Vec::new();
    for (at, act) in acts.iter().enumerate() {
        if at % 10 == 9 {
            sim.submit(act.task(), &act.call()).expect("room in the queue");
            sim.run();
        } else {
            answers.push(sim.call(act.task(), act.call()));
        }
        if at % 7 == 6 {
            sim.advance(u64::from(act.two) * 500_000_000);
        }
    }
    (answers, sim.completions(), sim.effects())
}

fn a_fault(act: Act) -> Fault {
    let name = ["write", "read", "fork", "pipe", "wait4"][usize::from(act.one) % 5];
    let fault = Fault::new(name, Errno::EIO).expect("a call of the kernel");
    fault.at(u64::from(act.two) % 4).to(20).each(u64::from(act.who) % 4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_branch_goes_its_own_way(
        before in vec(act(), 0..60), there in vec(act(), 1..60), here in vec(act(), 1..60),
        fault in act(),
    ) {
        let mut sim = Sim::new();
        sim.inject(a_fault(fault));
        play(&mut sim, &before);
        for act in &here[..here.len() / 2] {
            sim.submit(act.task(), &act.call()).expect("room in the queue");
        }
        let digest = sim.digest();
        // What one does shows nowhere in the other.
        let (mut branch, mut twin) = (sim.branch().expect("an image"), sim.branch().expect("one"));
        branch.clear_faults();
        branch.advance(1_000_000_000);
        play(&mut branch, &there);
        prop_assert_eq!(sim.digest(), digest);
        // And a branch is what its parent is: queue, faults and all.
        prop_assert_eq!(twin.digest(), digest);
        prop_assert_eq!(play(&mut sim, &here), play(&mut twin, &here));
        prop_assert_eq!(sim.digest(), twin.digest());
        prop_assert_eq!(sim.faults(), twin.faults());
        prop_assert!(sim.kernel().audit().is_ok());
    }

    #[test]
    fn the_same_calls_come_to_the_same_digest(acts in vec(act(), 1..120), fault in act()) {
        let mut worlds = [Sim::new(), Sim::default()];
        let [one, other] = worlds.each_mut().map(|sim| {
            sim.inject(a_fault(fault));
            (play(sim, &acts), sim.digest())
        });
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_recording_replays_to_the_same_digest(
        before in vec(act(), 0..40), acts in vec(act(), 1..120), fault in act(),
    ) {
        let (mut sim, trace) = (Sim::new(), TraceBuffer::default());
        let mut unrecorded = Sim::new();
        play(&mut sim, &before);
        play(&mut unrecorded, &before);
        sim.record_to(trace.clone()).expect("in memory");
        sim.inject(a_fault(fault));
        unrecorded.inject(a_fault(fault));
        prop_assert_eq!(play(&mut sim, &acts), play(&mut unrecorded, &acts));
        prop_assert_eq!(sim.digest(), unrecorded.digest());
        assert_replays(&mut sim, &trace);
    }

    #[test]
    fn queued_calls_are_calls(acts in vec(act(), 1..80)) {
        let (mut queued, mut called) = (Sim::new(), Sim::new());
        let mut ended = Vec::new();
        for act in &acts {
            queued.submit(act.task(), &act.call()).expect("room in the queue");
            let tick = called.kernel().tick();
            let result = called.call(act.task(), act.call());
            ended.extend(called.completions());
            if !matches!(result, Err(CallError::Waits(_))) {
                ended.push(Completion { call: CallId(tick), task: act.task(), result });
            }
        }
        prop_assert_eq!(queued.run(), acts.len() as u64);
        prop_assert!(!queued.step());
        // A call that ends within its own event stands among those that it ended.
        let mut came = queued.completions();
        came.sort_by_key(|completion| completion.call);
        ended.sort_by_key(|completion| completion.call);
        prop_assert_eq!(came, ended);
        prop_assert_eq!(queued.digest(), called.digest());
    }
}

/// Which of the writes fail, of ten by two processes in turn.
fn failed_writes(fault: Fault) -> Vec<u64> {
    let mut sim = Sim::new();
    let [_, fd] = sim.pipe(1).expect("a pipe");
    let child = sim.spawn(1).expect("a child");
    sim.inject(fault);
    let mut failed = Vec::new();
    for nth in 1..=10 {
        let task = if nth % 2 == 0 { child } else { 1 };
        match sim.call(task, Call::Write { fd, data: b"x" }) {
            Err(CallError::Failed(Errno::EIO)) => failed.push(nth),
            other => assert_eq!(other, Ok(Answer::value(1))),
        }
        // Other calls count for nothing.
        sim.call(task, Call::Getpid {}).expect("a number");
    }
    failed
}

#[test]
fn faults_are_counted_by_name_task_and_step() {
    let fault = || Fault::new("write", Errno::EIO).expect("a call");
    assert_eq!(failed_writes(fault()), [1]);
    assert_eq!(failed_writes(fault().at(4)), [4]);
    assert_eq!(failed_writes(fault().at(8).to(u64::MAX)), [8, 9, 10]);
    assert_eq!(failed_writes(fault().at(2).to(9).each(3)), [2, 5, 8]);
    assert_eq!(failed_writes(fault().at(2).to(4).each(0)), [2, 3, 4]);
    assert_eq!(failed_writes(fault().of(2).at(2)), [4]);
    assert_eq!(failed_writes(fault().of(3)), [0; 0]);
    assert_eq!(Fault::new("wriet", Errno::EIO), Err(NoSuchCall("wriet".to_owned())));
}

#[test]
fn a_fault_does_nothing_and_wakes_nobody() {
    let mut sim = Sim::new();
    let [read, write] = sim.pipe(1).expect("a pipe");
    let child = sim.spawn(1).expect("a child");
    let waits = sim.call(child, Call::Read { fd: read, count: 9 });
    let Err(CallError::Waits(id)) = waits else { panic!("{waits:?}") };
    sim.inject(Fault::new("write", Errno::ENOSPC).expect("a call"));
    sim.inject(Fault::new("read", Errno::EIO).expect("a call"));
    // It is a tick, as is a call that only looks.
    let mut looked = sim.branch().expect("an image");
    looked.call(1, Call::Getpid {}).expect("a number");
    let failed = sim.call(1, Call::Write { fd: write, data: b"lost" });
    assert_eq!(failed, Err(CallError::Failed(Errno::ENOSPC)));
    assert_eq!(sim.digest(), looked.digest());
    assert!(sim.completions().is_empty());
    // Who is in a call, or gone, makes none: it is refused, and no fault counts it.
    for (task, why) in [(child, Refusal::Blocked(id)), (99, Refusal::Gone)] {
        let refused = sim.call(task, Call::Read { fd: read, count: 9 });
        assert_eq!(refused, Err(CallError::Refused(why)));
    }
    let seen: Vec<u64> = sim.faults().iter().map(Fault::seen).collect();
    assert_eq!(seen, [1, 0]);
    sim.call(1, Call::Write { fd: write, data: b"found" }).expect("the second write");
    let completions = sim.completions();
    assert_eq!(completions[0].call, id);
    assert_eq!(completions[0].result, Ok(Answer::data(b"found".to_vec())));
}

#[test]
fn a_fault_meets_who_could_make_the_call() {
    let call = || Call::FaceExit { target: 7, status: 0 };
    let inject =
        |sim: &mut Sim, task, call| sim.take(Event::Inject { task, errno: Errno::EIO, call });
    let failed = Outcome::Failed(Errno::EIO);
    // Nobody's calls are the face's, and only these.
    let mut sim = Sim::over(Kernel::for_face(Config::default(), None));
    assert_eq!(inject(&mut sim, 0, call()), failed);
    assert_eq!(inject(&mut sim, 0, Call::Getpid {}), Outcome::Refused(Refusal::Gone));
    // Who is stopped makes none, unless the profile lets him.
    let mut sim = Sim::new();
    let child = sim.spawn(1).expect("a child");
    assert_eq!(inject(&mut sim, child, Call::Getpid {}), failed);
    sim.call(1, Call::Kill { target: child.cast_signed(), sig: 19 }).expect("stopped");
    assert_eq!(inject(&mut sim, child, Call::Getpid {}), Outcome::Refused(Refusal::Stopped));
    assert_eq!(inject(&mut sim, 99, Call::Getpid {}), Outcome::Refused(Refusal::Gone));
    let profile = Profile::SecureExec;
    let face = FaceConfig { present: true, ..FaceConfig::default() };
    let mut sim = Sim::with_config(Config { profile, face, ..Config::default() });
    let [fd, _] = sim.pipe(1).expect("a pipe");
    sim.call(1, Call::Read { fd, count: 1 }).expect_err("it waits");
    assert_eq!(inject(&mut sim, 1, Call::Getpid {}), failed);
    sim.kernel().audit().expect("balanced books");
}

/// A fault ends the call that it meets, not the process: who calls exit(2) in vain lives on, and a
/// signal that is pending comes all the same.
#[test]
fn a_fault_leaves_the_process_as_it_is() {
    let mut sim = Sim::new();
    let child = sim.spawn(1).expect("a child");
    sim.inject(Fault::new("exit_group", Errno::ENOSYS).expect("a call"));
    let failed = sim.call(child, Call::ExitGroup { status: 0 });
    assert_eq!(failed, Err(CallError::Failed(Errno::ENOSYS)));
    assert!(sim.effects().is_empty());
    sim.call(1, Call::Kill { target: child.cast_signed(), sig: 15 }).expect("it lives");
    let status = WaitStatus::Signaled(Signal::SIGTERM, false);
    assert_eq!(sim.effects(), [Effect::Exited { process: child, status }]);
}

#[test]
fn a_recorded_fault_shows_as_one_and_is_read_back() {
    let (mut sim, trace) = (Sim::new(), TraceBuffer::default());
    let [_, fd] = sim.pipe(1).expect("a pipe");
    sim.record_to(trace.clone()).expect("in memory");
    sim.inject(Fault::new("write", Errno::ENOSPC).expect("a call"));
    sim.call(1, Call::Write { fd, data: b"lost" }).expect_err("a fault");
    sim.finish_recording().expect("in memory");
    let mut twin = Vec::new();
    let bytes = trace.bytes();
    let mut reader = TraceReader::new(bytes.as_slice()).expect("a trace");
    to_twin(&mut reader, &mut twin).expect("a whole one");
    let text = String::from_utf8(twin).expect("text");
    assert!(text.contains(r#""event":"inject","error":"ENOSPC","pid":1,"call":"write""#), "{text}");
    let mut lines = Vec::new();
    tickernel::dump::to_strace(&bytes, &mut lines).expect("a trace");
    let lines = String::from_utf8(lines).expect("text");
    let wanted = "-1 ENOSPC (No space left on device) (INJECTED)";
    assert!(lines.contains(wanted), "{lines}");
    let back = to_trace(text.as_bytes(), Vec::new()).expect("a twin");
    assert!(back.out == bytes);
}

#[test]
fn handlers_and_ends_are_effects() {
    let mut sim = Sim::new();
    let child = sim.spawn(1).expect("a child");
    let action = SigAction { handler: 77, ..SigAction::default() };
    let act = Some(action);
    sim.call(child, Call::RtSigaction { signum: 10, act }).expect("caught");
    let target = child.cast_signed();
    sim.call(1, Call::Kill { target, sig: 10 }).expect("sent");
    let effects = sim.effects();
    let [Effect::Handler { task, handler: 77, info }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((*task, info.signo), (child, 10));
    sim.call(child, Call::RtSigreturn {}).expect("back from the handler");
    let waits = sim.call(1, Call::Wait4 { wpid: -1, options: 0 });
    assert!(matches!(waits, Err(CallError::Waits(_))), "{waits:?}");
    sim.submit(1, &Call::Getpid {}).expect("room");
    sim.submit(child, &Call::ExitGroup { status: 3 }).expect("room");
    assert_eq!(sim.run(), 2);
    let status = WaitStatus::Exited(3);
    assert!(sim.effects().contains(&Effect::Exited { process: child, status }));
    let completions = sim.completions();
    assert!(matches!(completions[0].result, Err(CallError::Refused(Refusal::Blocked(_)))));
    let waited =
        completions.iter().find(|completion| completion.task == 1 && completion.result.is_ok());
    assert_eq!(waited.and_then(|waited| waited.result.as_ref().ok()?.status()), Some(status));
}

#[test]
fn a_process_that_ends_in_a_call_says_so() {
    let mut sim = Sim::new();
    let [fd, _] = sim.pipe(1).expect("a pipe");
    let child = sim.spawn(1).expect("a child");
    sim.call(child, Call::Read { fd, count: 1 }).expect_err("it waits");
    sim.call(1, Call::Kill { target: child.cast_signed(), sig: 9 }).expect("sent");
    let ended = WaitStatus::Signaled(Signal::SIGKILL, false);
    assert_eq!(sim.completions()[0].result, Err(CallError::Ended(ended)));
}

#[test]
fn time_passes_when_it_is_told_to() {
    let mut sim = Sim::new();
    assert_eq!(sim.advance_to_deadline(), None);
    let request = Timespec { sec: 5, nsec: 0 };
    sim.call(1, Call::Nanosleep { request }).expect_err("it waits");
    sim.advance(1_000_000_000);
    assert!(sim.completions().is_empty());
    assert_eq!(sim.advance_to_deadline(), Some(4_000_000_000));
    assert_eq!(sim.completions()[0].result, Ok(Answer::default()));
}

#[test]
fn the_queue_has_an_end() {
    let mut sim = Sim::with_config(Config { max_events_queued: 2, ..Config::default() });
    sim.submit(1, &Call::Getpid {}).expect("room");
    sim.submit(1, &Call::Getpid {}).expect("room");
    assert_eq!(sim.submit(1, &Call::Getpid {}), Err(CallError::QueueFull));
    assert!(sim.step());
    sim.submit(1, &Call::Getpid {}).expect("room again");
    // One call of 64 MiB fills it too.
    let (mut sim, data) = (Sim::new(), vec![0; 64 << 20]);
    sim.submit(1, &Call::Write { fd: 1, data: &data }).expect("an empty queue");
    assert_eq!(sim.submit(1, &Call::Getpid {}), Err(CallError::QueueFull));
    sim.run();
    sim.submit(1, &Call::Getpid {}).expect("room again");
}

#[test]
fn what_is_asked_of_a_host_is_absent_and_replays() {
    let config = Config { entropy: Entropy::Host, ask_unmodelled: true, ..Config::default() };
    let (mut sim, trace) = (Sim::with_config(config), TraceBuffer::default());
    sim.record_to(trace.clone()).expect("in memory");
    let unmodelled = sim.call(1, Call::Unmodelled { number: 425 });
    assert_eq!(unmodelled, Err(CallError::Failed(Errno::ENOSYS)));
    let path = Some(b"/dev/urandom".as_slice());
    let fd = sim.call(1, Call::Open { path, flags: 0, mode: 0 }).expect("it is there").value as i32;
    assert_eq!(sim.call(1, Call::Read { fd, count: 8 }).expect("bytes").value, 8);
    assert_replays(&mut sim, &trace);
}

/// An output that takes so many bytes and then no more.
struct Narrow(usize);

impl std::io::Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_fails_ends_the_recording_and_not_the_world() {
    let mut sim = Sim::new();
    assert!(sim.record_to(Narrow(100)).is_err());
    sim.finish_recording().expect("there is none");
    sim.record_to(Narrow(100_000)).expect("room for the first image");
    let path = Some(b"/tmp/f".as_slice());
    let fd = sim.call(1, Call::Open { path, flags: O_RDWR | O_CREAT, mode: 0o600 });
    let fd = fd.expect("a file").value as i32;
    let mut state = 1u64;
    for _ in 0..40 {
        // Bytes that do not shrink.
        let data: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(100_000)
        .collect();
        assert_eq!(sim.call(1, Call::Write { fd, data: &data }), Ok(Answer::value(100_000)));
    }
    assert!(sim.finish_recording().is_err());
    sim.finish_recording().expect("it was said once");
    let trace = TraceBuffer::default();
    sim.record_to(trace.clone()).expect("in memory");
    sim.call(1, Call::Close { fd }).expect("open");
    assert_replays(&mut sim, &trace);
}

/// More than the default limits hold: such a world is branched, recorded and replayed too, where
/// who replays says that the trace is his own.
#[test]
fn a_large_world_is_branched_and_replayed() {
    const PROCESSES: u32 = 50_000;
    let config = Config { max_memory_bytes: u64::MAX, ..Config::default() };
    let (mut sim, trace) = (Sim::with_config(config), TraceBuffer::default());
    for _ in 0..PROCESSES {
        sim.spawn(1).expect("room");
    }
    let mut branch = sim.branch().expect("an image");
    assert_eq!(branch.digest(), sim.digest());
    branch.record_to(trace.clone()).expect("in memory");
    let child = branch.spawn(1).expect("room");
    branch.spawn(child).expect("room");
    branch.finish_recording().expect("in memory");
    let digest = format!("{:016x}", branch.digest());
    let mut options = Options { own_limits: true, ..Options::default() };
    let own = replay(Imported::of_trace(trace.bytes()), &mut options).expect("a trace");
    assert_eq!(own.report.digest, digest);
    // Whose it is, nobody says: the default limits hold, and fork(2) fails.
    match replay(Imported::of_trace(trace.bytes()), &mut Options::default()) {
        Ok(strange) => assert!(strange.report.first_mismatch.is_some()),
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn worlds_may_go_to_other_threads() {
    fn is_send<T: Send>(_: &T) {}
    let sim = Sim::new();
    is_send(&sim);
    let mut worlds = vec![sim.branch().expect("one"), sim];
    let digests = tickernel::fleet::for_each(&mut worlds, |_, sim| {
        let mask = Call::RtSigprocmask { how: SIG_SETMASK, set: None };
        sim.call(1, mask).expect("a mask");
        sim.digest()
    });
    assert_eq!(digests[0], digests[1]);
}
