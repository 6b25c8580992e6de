//! Imports strace text, replays it, and asks whether all is as recorded.

use tickernel::import::{Format, Imported, SideFile, Source, import};
use tickernel::replay::{Options, Report, replay};
use tickernel::strace::{Events, Recording};
use tickernel::verify::check;

/// The report of a replay.
pub fn replayed(recording: &Recording) -> Report {
    assert!(recording.error.is_none(), "{:?}", recording.error);
    let imported = import(recording, &SideFile::default()).expect("it has a first state");
    let source = Source::Recording(imported);
    let input = Imported { file: "test".to_owned(), format: Format::Strace, source };
    let mut options = Options { force: true, ..Options::default() };
    replay(input, &mut options).expect("its image can be read").report
}

/// All is as recorded but for so many fed calls.
pub fn agrees(text: &str, fed: u64) {
    let recording = Events::new(text.as_bytes()).read_all();
    let report = replayed(&recording);
    assert_eq!(report.first_mismatch, None);
    let counts = (report.mismatched, report.fed, report.unsupported);
    assert_eq!(counts, (0, fed, 0), "{:?}", report.by_call);
    // The import's certificate holds.
    let imported = import(&recording, &SideFile::default()).expect("it has a first state");
    let trace = imported.write(Vec::new()).expect("a trace can hold it");
    let certificate = check(&recording, &trace).expect("it is a trace");
    assert_eq!(certificate.fault, None);
}
