//! Bytes a second of strace text through the parser alone and through the whole of `tickernel
//! import` (parsed, ordered, replayed, written), and events a second of a replay of the traces that
//! come of it, everything compared, on one core.
//!
//! `cargo bench --bench import`. The text is all recordings of `traces/`, some 40 MB, unpacked
//! before: no file is read while it is measured. Wanted: parser 100 MB/s, import 20 MB/s, replay
//! 2 million events a second, 1 GB of them a second where an event and its answer have so many
//! bytes on average ([`LONG_BYTES`]) that this is more time. The first state, files and all, is
//! unpacked in the time of its session and counts no bytes.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tickernel::import::{Format, Imported, SideFile, Source, import};
use tickernel::replay::{Options, replay};
use tickernel::strace::{Events, LineParser};
use tickernel::trace::{Item, TraceReader};

/// Bytes of an event and its answer that take as long at 1 GB/s as an event at 2 million a second.
const LONG_BYTES: u64 = 500;

/// A recording: its text and what stands beside it.
struct Session {
    text: Vec<u8>,
    side: SideFile,
}

fn session(path: &Path) -> Option<Session> {
    let name = path.file_name()?.to_str()?.strip_suffix(".strace.zst")?;
    let packed = std::fs::read(path).expect("a file of the repository");
    let text = zstd::decode_all(packed.as_slice()).expect("whole");
    let side = std::fs::read(path.with_file_name(format!("{name}.meta.json"))).expect("beside it");
    Some(Session { text, side: SideFile::parse(&side).expect("JSON") })
}

fn sessions() -> Vec<Session> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let files = std::fs::read_dir(folder).expect("a folder of the repository");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    let found: Vec<Session> = paths.iter().filter_map(|path| session(path)).collect();
    assert!(found.len() > 10, "the recordings of traces/ are measured");
    found
}

/// Lines that were parsed, each by itself.
fn lines(text: &[u8]) -> u64 {
    let mut parser = LineParser::new();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (1..).zip(lines).fold(0, |_, (number, line)| {
        parser.parse(number, line).expect("strace wrote it");
        number
    })
}

/// The trace of a recording.
struct Traced {
    trace: Vec<u8>,
    events: u64,
    /// Bytes of the events and of their answers.
    bytes: u64,
}

impl Traced {
    const fn is_short(&self) -> bool {
        self.bytes < LONG_BYTES * self.events
    }
}

fn traced(session: &Session) -> Traced {
    let text = Events::new(session.text.as_slice()).read_all();
    let recording = import(&text, &session.side).expect("a session");
    drop(text);
    let (trace, replayed) =
        tickernel::replay::write(&recording, String::new(), Vec::new()).expect("memory takes all");
    Traced { trace, events: replayed.report.events, bytes: 0 }
}

/// The bytes of its events are counted.
fn weighed(traced: Traced) -> Traced {
    let mut reader = TraceReader::new(traced.trace.as_slice()).expect("a whole trace");
    let mut bytes = 0;
    while let Some(item) = reader.next_item().expect("a whole trace") {
        if let Item::Event(event) = item {
            let answer = event.record.expected.unwrap_or_default();
            bytes += (event.record.event.len() + answer.len()) as u64;
        }
    }
    Traced { bytes, ..traced }
}

fn inputs(traces: &[Traced]) -> Vec<Imported> {
    let input = |traced: &Traced| Imported {
        file: String::new(),
        format: Format::Trace,
        source: Source::Trace(traced.trace.clone()),
    };
    traces.iter().map(input).collect()
}

fn check(inputs: Vec<Imported>) {
    for input in inputs {
        let replayed = replay(input, &mut Options::default()).expect("a whole trace");
        assert!(replayed.damage.is_none() && replayed.report.first_mismatch.is_none());
    }
}

fn recordings(criterion: &mut Criterion) {
    let sessions = sessions();
    let bytes: usize = sessions.iter().map(|session| session.text.len()).sum();
    let mut group = criterion.benchmark_group("recordings");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("parser", |bench| {
        bench.iter(|| sessions.iter().map(|session| lines(&session.text)).sum::<u64>());
    });
    group.bench_function("import", |bench| {
        bench.iter(|| sessions.iter().map(|session| traced(session).events).sum::<u64>());
    });
    let traces = sessions.iter().map(|session| weighed(traced(session)));
    let (short, long): (Vec<Traced>, Vec<Traced>) = traces.partition(Traced::is_short);
    group.throughput(Throughput::Elements(short.iter().map(|traced| traced.events).sum()));
    group.bench_function("replay, short events", |bench| {
        bench.iter_batched(|| inputs(&short), check, BatchSize::PerIteration);
    });
    group.throughput(Throughput::Bytes(long.iter().map(|traced| traced.bytes).sum()));
    group.bench_function("replay, long events", |bench| {
        bench.iter_batched(|| inputs(&long), check, BatchSize::PerIteration);
    });
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(10))
        .sample_size(10)
}

criterion_group! { name = benches; config = short(); targets = recordings }
criterion_main!(benches);
