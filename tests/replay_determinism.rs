//! Every trace of traces/ replays to the stored digests: twice in one process, in this build and in
//! the release build that stored them, with other row layouts, after a snapshot and restore at many
//! places, and from the queue.

use std::path::{Path, PathBuf};
use tickernel::import::{self, Source};
use tickernel::replay::Engine;
use tickernel::trace::{Item, TraceReader};
use tickernel_systems::Kernel;
use tickernel_systems::event::Event;
use tickernel_systems::wire::{Wire, WireReader};

/// An event with what is expected of it.
struct Step {
    event: Vec<u8>,
    expected: Option<Vec<u8>>,
    lines: Option<(u64, u64)>,
}

/// A trace: the first state and the events.
struct Trace {
    path: PathBuf,
    imported: bool,
    image: Vec<u8>,
    steps: Vec<Step>,
}

/// All undamaged traces of traces/, with the digest that stands beside each.
fn traces() -> Vec<(Trace, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("traces/ is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("").to_owned();
        let Some(stem) =
            [".strace.zst", ".strace", ".trace"].iter().find_map(|end| name.strip_suffix(end))
        else {
            continue;
        };
        let expected = path.with_file_name(format!("{stem}.expected.json"));
        let expected = std::fs::read(expected).expect("what is expected stands beside it");
        let expected: serde_json::Value = serde_json::from_slice(&expected).expect("it is JSON");
        if expected["status"] == 0 {
            let digest = expected["digest"]["all"].as_str().expect("a digest").to_owned();
            found.push((read(&path), digest));
        }
    }
    assert!(!found.is_empty(), "traces/ holds traces");
    found
}

fn read(path: &Path) -> Trace {
    let input = import::read(path, &import::Options::default()).expect("it can be read");
    let path = path.to_owned();
    match input.source {
        Source::Recording(recording) => Trace {
            path,
            imported: true,
            image: recording.image.clone(),
            steps: recording
                .items
                .iter()
                .map(|item| {
                    let step = item.step();
                    Step {
                        event: step.event.to_vec(),
                        expected: step.expected.map(<[u8]>::to_vec),
                        lines: step.lines,
                    }
                })
                .collect(),
        },
        Source::Trace(bytes) => read_trace(path, &bytes),
        Source::Stored(file) => read_trace(path, &std::fs::read(file).expect("it is there")),
        Source::Twin(_) => panic!("twins are converted first"),
    }
}

fn read_trace(path: PathBuf, bytes: &[u8]) -> Trace {
    let mut reader = TraceReader::new(bytes).expect("a trace");
    let imported = reader.header().imported;
    let image = reader.read_image(1 << 30).expect("an image");
    let mut steps = Vec::new();
    while let Some(item) = reader.next_item().expect("readable") {
        if let Item::Event(event) = item {
            steps.push(Step {
                event: event.record.event.to_vec(),
                expected: event.record.expected.map(<[u8]>::to_vec),
                lines: event.record.lines,
            });
        }
    }
    Trace { path, imported, image, steps }
}

/// Replays; `between` may change how the state lies before the n-th event. Gives the digest and the
/// rolling hash of everything that came out.
fn run(trace: &Trace, mut between: impl FnMut(usize, &mut Kernel)) -> (String, u64) {
    let kernel = Kernel::restore(&trace.image).expect("an image");
    let mut engine = Engine::new(kernel, !trace.imported);
    for (number, step) in trace.steps.iter().enumerate() {
        between(number, engine.kernel());
        let step = tickernel::replay::Step {
            event: &step.event,
            expected: step.expected.as_deref(),
            lines: step.lines,
        };
        engine.step(step).expect("an event");
    }
    engine.kernel().audit().unwrap_or_else(|defect| panic!("{:?}: {defect}", trace.path));
    engine.finish(false);
    assert_eq!(engine.report.mismatched, 0, "{:?}: {:?}", trace.path, engine.report.first_mismatch);
    let digests = engine.kernel().digests();
    assert_eq!(digests, engine.kernel().digests_by_walk(), "{:?}", trace.path);
    (engine.report.digest.clone(), engine.completions())
}

#[test]
fn a_replay_agrees_with_itself_whatever_happens_beside_it() {
    for (trace, stored) in traces() {
        let plain = run(&trace, |_, _| {});
        assert_eq!(plain.0, stored, "{:?}: the digest that another build stored", trace.path);
        assert_eq!(plain, run(&trace, |_, _| {}), "{:?}: the second time", trace.path);
        let disturbed = run(&trace, |number, kernel| {
            if number % 16 == 0 {
                kernel.disturb_rows(5);
            }
        });
        assert_eq!(plain, disturbed, "{:?}: with other rows", trace.path);
        let restored = run(&trace, |number, kernel| {
            if number % 97 == 50 {
                *kernel = Kernel::restore(&kernel.snapshot()).expect("its own snapshot");
            }
        });
        assert_eq!(plain, restored, "{:?}: restored on the way", trace.path);
    }
}

#[test]
fn a_queue_of_events_replays_as_single_events_do() {
    for (trace, stored) in traces() {
        let mut kernel = Kernel::restore(&trace.image).expect("an image");
        for step in &trace.steps {
            let event = Event::get(&mut WireReader::new(&step.event)).expect("an event");
            assert!(kernel.submit(&event), "{:?}: room in the queue", trace.path);
        }
        while kernel.step() {}
        while kernel.poll_output().is_some() {}
        assert_eq!(format!("{:016x}", kernel.digest_all()), stored, "{:?}", trace.path);
    }
}
