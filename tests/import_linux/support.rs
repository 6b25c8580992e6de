//! Imports strace text, replays it, and asks whether all is as recorded.

use tickernel::import::SideFile;
use tickernel::replay::Report;
use tickernel::strace::{Events, Recording};

/// The report of a replay.
pub fn replayed(recording: &Recording) -> Report {
    assert!(recording.error.is_none(), "{:?}", recording.error);
    crate::replayed::replayed(recording, &SideFile::default())
}

/// All is as recorded but for so many fed calls.
pub fn agrees(text: &str, fed: u64) {
    let recording = Events::new(text.as_bytes()).read_all();
    let report = replayed(&recording);
    assert_eq!(report.first_mismatch, None);
    let counts = (report.mismatched, report.fed, report.unsupported);
    assert_eq!(counts, (0, fed, 0), "{:?}", report.by_call);
}
