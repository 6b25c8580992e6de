//! The bodies of the fuzz targets in CI: every input that is kept in `fuzz/corpus`, a thousand
//! seeded programs of events, and seeded damage of real recordings, traces and twins.

#[path = "fuzz/bodies/mod.rs"]
mod bodies;

use std::fs;
use std::path::Path;

/// Programs of events, and damaged files of each kind.
const PROGRAMS: u64 = 1000;
const DAMAGED: u64 = 100;
/// Events of a program at most.
const EVENTS_MAX: u64 = 30;

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A place in bytes or words of this length.
    fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }
}

/// The kept inputs of a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}: nothing is kept", folder.display());
    files.iter().map(|file| fs::read(file).expect("a kept input")).collect()
}

/// Kept inputs with pieces of others in them, bytes changed, doubled and left out.
fn damaged(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let kept = corpus(target);
    (0..DAMAGED).map(move |seed| {
        let mut random = Random(seed);
        let mut bytes = kept[random.place(kept.len())].clone();
        for _ in 0..=random.below(6) {
            let other = &kept[random.place(kept.len())];
            let from = random.place(other.len());
            let piece = &other[from..(from + random.place(60)).min(other.len())];
            let at = random.place(bytes.len());
            let end = (at + random.place(40)).min(bytes.len());
            match random.below(4) {
                0 => drop(bytes.splice(at..end, piece.iter().copied())),
                1 => drop(bytes.splice(at..at, piece.iter().copied())),
                2 => drop(bytes.drain(at..end)),
                _ if at < bytes.len() => bytes[at] = random.next() as u8,
                _ => {}
            }
        }
        bytes
    })
}

#[test]
fn a_thousand_seeded_programs_leave_the_books_balanced() {
    let mut done = 0;
    for seed in 0..PROGRAMS {
        let mut random = Random(seed);
        let events = 1 + random.below(EVENTS_MAX) as usize;
        let bytes: Vec<u8> =
            (0..events * bodies::events::EVENT_BYTES).map(|_| random.next() as u8).collect();
        done += bodies::events::run(&bytes);
    }
    // The programs mean something: many calls are done, not refused.
    assert!(done > 5 * PROGRAMS, "{done}");
}

#[test]
fn kept_events_leave_the_books_balanced() {
    corpus("events").iter().chain(&damaged("events").collect::<Vec<_>>()).for_each(|bytes| {
        bodies::events::run(bytes);
    });
}

#[test]
fn recordings_are_read_to_their_end() {
    let whole: u64 = corpus("strace").iter().map(|text| bodies::strace::run(text)).sum();
    assert!(whole > 0, "no kept recording has a call to compare");
    damaged("strace").for_each(|text| _ = bodies::strace::run(&text));
}

#[test]
fn traces_are_read_to_their_end() {
    let whole: usize = corpus("trace").iter().map(|file| bodies::trace::run(file)).sum();
    assert!(whole > 0, "no kept trace has an item to read");
    damaged("trace").for_each(|file| _ = bodies::trace::run(&file));
}

#[test]
fn twins_and_requests_are_taken_to_their_end() {
    let whole: u64 = corpus("twin").iter().map(|text| bodies::twin::run(text)).sum();
    assert!(whole > 0, "no kept request has an answer");
    damaged("twin").for_each(|text| _ = bodies::twin::run(&text));
}
