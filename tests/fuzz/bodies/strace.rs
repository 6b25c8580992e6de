//! The target `strace`: text of a recording through the parser, the importer, replay, and the
//! checker of certificates. Nothing may panic, every call must be accounted for, and what the
//! importer writes must pass its independent check.

use tickernel::import::{Format, Imported, SideFile, Source, import};
use tickernel::replay::{Options, replay, write};
use tickernel::strace::{Events, Recording, looks_like_strace};
use tickernel::verify::check;

/// Bytes of text at most.
const TEXT_MAX_BYTES: usize = 64 << 10;

/// Reads the text in every way there is.
///
/// # Panics
/// At a defect.
pub fn parse(text: &[u8]) -> Recording {
    looks_like_strace(text);
    let recording = Events::new(text).read_all();
    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    if let Some(error) = &recording.error {
        assert!(error.line <= lines, "{error}");
        assert!(error.near.chars().count() <= 80, "{error}");
    }
    assert!(
        recording.events.iter().is_sorted_by_key(|event| event.time_ns.unwrap_or(0))
            || recording.events.iter().any(|event| event.time_ns.is_none())
    );
    recording
}

/// Imports the text and replays what came of it; gives how many calls were compared.
///
/// # Panics
/// At a defect.
pub fn run(text: &[u8]) -> u64 {
    let recording = parse(&text[..text.len().min(TEXT_MAX_BYTES)]);
    let Ok(imported) = import(&recording, &SideFile::default()) else { return 0 };
    let (trace, _) = write(&imported, String::new(), Vec::new()).expect("an own image is read");
    let certificate = check(&recording, &trace).expect("an imported trace");
    assert!(certificate.fault.is_none(), "{:?}", certificate.fault);
    let source = Imported {
        file: String::new(),
        format: Format::Strace,
        source: Source::Recording(imported),
    };
    let mut options = Options { force: true, ..Options::default() };
    let report = replay(source, &mut options).expect("an own image is read").report;
    assert_eq!(report.calls, report.in_scope + report.out_of_scope);
    let counted = report.compared + report.bound + report.fed;
    assert_eq!(report.in_scope, counted + report.mismatched + report.unsupported);
    counted
}
