//! Events a second of a replay on one core: a session of pipes, descriptors and processes is
//! recorded in memory and replayed, by the kernel alone, and as `tickernel replay` does (container,
//! check sums, hash of the completions, digests): once as a native trace, and once as an imported
//! one, which says of each call what its answer was.
//!
//! `cargo bench --bench replay`. The file system is not in it.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use tickernel::import::{Format, Imported, Source};
use tickernel::record::{Recording, header_of};
use tickernel::replay::{Engine, Expected, Options, Recorded, Role, Step, replay};
use tickernel::trace::{Header, Record, TraceWriter};
use tickernel_systems::event::{Answer, Call, Completed, Event, Outcome, Output};
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Config, Kernel};

/// Rounds of the session; each is 20 events.
const ROUNDS: usize = 5000;

/// A trace, the same as an imported one, and the events of both.
struct Session {
    trace: Vec<u8>,
    imported: Vec<u8>,
    events: Vec<Vec<u8>>,
}

/// Records what a shell's pipeline does again and again.
fn session() -> Session {
    let mut kernel = Kernel::new(Config::default());
    let mut recording = Recording::begin(&kernel, Vec::new()).expect("memory takes all");
    let mut events = Vec::new();
    let mut take = |task: u32, call: Call<'_>| {
        let event = Event::Call { task, call };
        let mut bytes = Vec::new();
        event.put(&mut bytes);
        events.push(bytes);
        let outcome = recording.take(&mut kernel, event).expect("memory takes all");
        while recording.poll_output().is_some() {}
        match outcome {
            Outcome::Done(Answer { value, .. }) => value,
            Outcome::Blocked(_) => 0,
            other => unreachable!("a session without errors: {other:?}"),
        }
    };
    for _ in 0..ROUNDS {
        take(1, Call::Pipe {});
        let child = take(1, Call::Fork {}) as u32;
        take(child, Call::Dup2 { oldfd: 4, newfd: 1 });
        take(child, Call::Close { fd: 3 });
        take(child, Call::Close { fd: 4 });
        take(1, Call::Close { fd: 4 });
        take(1, Call::Read { fd: 3, count: 4096 });
        for _ in 0..4 {
            take(child, Call::Write { fd: 1, data: &[b'x'; 64] });
        }
        for _ in 0..3 {
            take(1, Call::Read { fd: 3, count: 64 });
        }
        take(child, Call::Getpid {});
        take(child, Call::RtSigprocmask { how: 0, set: None });
        take(child, Call::ExitGroup { status: 0 });
        take(1, Call::Read { fd: 3, count: 4096 });
        take(1, Call::Wait4 { wpid: -1, options: 0 });
        take(1, Call::Close { fd: 3 });
    }
    let trace = recording.finish(&mut kernel).expect("memory takes all").out;
    Session { trace, imported: imported(&events), events }
}

/// What came of each event, as an import writes it.
fn expected(events: &[Vec<u8>]) -> Vec<Expected> {
    let mut kernel = Kernel::new(Config::default());
    let mut all: Vec<Expected> = Vec::new();
    for bytes in events {
        let Event::Call { task, call } = decode(bytes) else { unreachable!("calls only") };
        all.push(Expected::only(Role::Call, call.name()));
        let ends = matches!(call, Call::ExitGroup { .. });
        if let Outcome::Done(answer) = kernel.call(task, call)
            && !ends
        {
            note(all.last_mut(), answer);
        }
        while let Some(output) = kernel.poll_output() {
            if let Output::Completion(ended) = output
                && let Completed::Done(answer) = ended.result
            {
                note(all.get_mut(ended.call.0 as usize), answer);
            }
        }
    }
    all
}

fn note(expected: Option<&mut Expected>, answer: Answer) {
    let expected = expected.expect("the event was before its end");
    expected.recorded = Recorded::Value(answer.value);
    expected.payload = answer.payload;
}

/// The session as an imported trace.
fn imported(events: &[Vec<u8>]) -> Vec<u8> {
    let kernel = Kernel::new(Config::default());
    let header = Header { imported: true, ..header_of(&kernel) };
    let mut writer = TraceWriter::new(Vec::new(), &header, &kernel.snapshot()).expect("memory");
    let mut engine = Engine::new(kernel, false);
    for (tick, (event, expected)) in (0..).zip(events.iter().zip(expected(events))) {
        if writer.is_digest_due() {
            let digests = engine.kernel().digests();
            writer.digests(&digests, engine.completions()).expect("memory takes all");
        }
        let told = expected.to_bytes();
        let record = Record { expected: Some(&told), ..Record::event(event) };
        writer.append(tick, &record, engine.completions()).expect("memory takes all");
        let step = Step { event, expected: Some(&told), lines: None };
        engine.step(step).expect("encoded above");
    }
    let digests = engine.kernel().digests();
    writer.finish(&digests, engine.completions()).expect("memory takes all").out
}

fn decode(bytes: &[u8]) -> Event<'_> {
    Event::get(&mut WireReader::new(bytes)).expect("encoded above")
}

fn events(criterion: &mut Criterion) {
    let session = session();
    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(session.events.len() as u64));
    group.bench_function("kernel alone", |bench| {
        let fresh = || Kernel::new(Config::default());
        bench.iter_batched(
            fresh,
            |kernel| take_all(kernel, &session.events),
            BatchSize::PerIteration,
        );
    });
    for (name, trace) in [("native trace", &session.trace), ("imported trace", &session.imported)] {
        group.bench_function(name, |bench| {
            let input = || Imported {
                file: String::new(),
                format: Format::Trace,
                source: Source::Trace(trace.clone()),
            };
            bench.iter_batched(input, check, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn take_all(mut kernel: Kernel, events: &[Vec<u8>]) -> Kernel {
    for bytes in events {
        kernel.take(decode(bytes));
        while kernel.poll_output().is_some() {}
    }
    kernel
}

fn check(input: Imported) {
    let replayed = replay(input, &mut Options::default()).expect("a whole trace");
    assert!(replayed.damage.is_none() && replayed.report.first_mismatch.is_none());
    assert_eq!(replayed.report.events, ROUNDS as u64 * 20);
}

fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(20)
}

criterion_group! { name = benches; config = short(); targets = events }
criterion_main!(benches);
