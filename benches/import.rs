//! Bytes a second of strace text: parsed alone, read and imported as `tickernel import` does, and
//! events a second of what comes of it, replayed on one core with everything compared.
//!
//! `cargo bench --bench import`. The texts are sessions of `traces/`: gcc by make (long strings),
//! GNU parallel (perl, many short calls, two tasks at once). No file is read while it is measured.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use tickernel::import::{Format, Imported, SideFile, Source, import};
use tickernel::replay::{Options, replay};
use tickernel::strace::{Events, LineParser};

/// Sessions that are measured.
const SESSIONS: [&str; 2] = ["make-gcc", "gnu-parallel"];

/// The text of a session and what is beside it.
fn session(name: &str) -> (Vec<u8>, SideFile) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let packed = std::fs::File::open(folder.join(format!("{name}.strace.zst"))).expect("kept");
    let mut text = Vec::new();
    zstd::Decoder::new(packed).expect("zstd").read_to_end(&mut text).expect("whole");
    let side = std::fs::read(folder.join(format!("{name}.meta.json"))).expect("kept beside it");
    (text, SideFile::parse(&side).expect("JSON"))
}

fn parse(text: &[u8]) -> usize {
    let mut parser = LineParser::new();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.zip(1..).map(|(line, number)| parser.parse(number, line).expect("strace's")).count()
}

fn imported(text: &[u8], side: &SideFile) -> tickernel::import::Recording {
    import(&Events::new(text).read_all(), side).expect("a session")
}

fn check(input: Imported) {
    let replayed = replay(input, &mut Options::default()).expect("a whole trace");
    assert!(replayed.damage.is_none() && replayed.report.first_mismatch.is_none());
}

fn sessions(criterion: &mut Criterion) {
    for name in SESSIONS {
        let (text, side) = session(name);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("parse", |bench| bench.iter(|| parse(&text)));
        group.bench_function("import", |bench| bench.iter(|| imported(&text, &side)));
        let recording = imported(&text, &side);
        group.throughput(Throughput::Elements(recording.items.len()));
        let trace = recording.write(Vec::new()).expect("memory takes all");
        group.bench_function("replay", |bench| {
            let input = || Imported {
                file: String::new(),
                format: Format::Trace,
                source: Source::Trace(trace.clone()),
            };
            bench.iter_batched(input, check, BatchSize::PerIteration);
        });
        group.finish();
    }
}

fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5))
        .sample_size(20)
}

criterion_group! { name = benches; config = short(); targets = sessions }
criterion_main!(benches);
