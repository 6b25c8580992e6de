//! The kept sessions in other orders that their recordings allow: each is a valid certificate,
//! every answer is as recorded, as before, and the invariants of the kernel hold all the way.

use std::path::{Path, PathBuf};
use tickernel::import::{self, Options, Source};
use tickernel::replay::Engine;
use tickernel::verify::check;

/// Orders of each session, beside the lazy one.
const ORDERS: u64 = 3;
/// Tests among which they are shared out.
const PARTS: usize = 4;
/// The kernel is walked after so many events.
const AUDIT_EVENTS: u64 = 97;

fn sessions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.to_string_lossy().ends_with(".strace.zst")).collect();
    files.sort();
    files
}

struct Outcome {
    events: Vec<Vec<u8>>,
    mismatched: u64,
    compared: u64,
    why: String,
}

fn play(path: &Path, order_seed: Option<u64>) -> Outcome {
    let text = import::read_text(path).unwrap().expect("a recording");
    let read = import::read(path, &Options { order_seed }).unwrap();
    let Source::Recording(recording) = read.source else { panic!("no recording") };
    let trace = recording.write(Vec::new()).unwrap();
    let certificate = check(&text, &trace).unwrap();
    assert!(certificate.valid, "{}, order {order_seed:?}: {certificate:?}", path.display());
    let mut engine = Engine::new(recording.kernel().unwrap(), false);
    let mut events = Vec::new();
    for (at, item) in recording.items.iter().enumerate() {
        engine.step(item.step()).unwrap();
        events.push(item.step().event.to_vec());
        if (at as u64).is_multiple_of(AUDIT_EVENTS) {
            engine.kernel().audit().unwrap();
        }
    }
    engine.finish(false);
    engine.kernel().audit().unwrap();
    let report = &engine.report;
    let why = report.first_mismatch.as_ref().map(|first| format!("{first:?}"));
    Outcome {
        events,
        mismatched: report.mismatched,
        compared: report.compared + report.bound,
        why: why.unwrap_or_default(),
    }
}

#[test]
fn every_legal_order_gives_what_the_recording_gave() {
    check_part(0);
}

#[test]
fn every_legal_order_gives_it_of_the_second_part() {
    check_part(1);
}

#[test]
fn every_legal_order_gives_it_of_the_third_part() {
    check_part(2);
}

#[test]
fn every_legal_order_gives_it_of_the_last_part() {
    check_part(3);
}

/// One part of the sessions, so that none takes longer than a test may.
fn check_part(part: usize) {
    let mut found = 0;
    for path in sessions().into_iter().skip(part).step_by(PARTS) {
        let lazy = play(&path, None);
        let mut others = 0;
        for seed in 1..=ORDERS {
            let other = play(&path, Some(seed));
            others += u64::from(other.events != lazy.events);
            assert_eq!(
                (other.mismatched, other.compared),
                (lazy.mismatched, lazy.compared),
                "{}, order {seed}: {}",
                path.display(),
                other.why
            );
        }
        found += others;
    }
    assert!(found >= ORDERS, "only {found} other orders were found");
}
