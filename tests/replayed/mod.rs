//! Text of strace imported and replayed: what the tests of the importer share.

use tickernel::import::{Format, Imported, SideFile, Source, import};
use tickernel::replay::{Options, Report, replay};
use tickernel::strace::{Events, Recording};
use tickernel::verify;

/// The report of a recording's replay; its import's certificate holds.
pub fn replayed(recording: &Recording, side: &SideFile) -> Report {
    let imported = import(recording, side).expect("it has a first state");
    let trace = imported.write(Vec::new()).expect("a trace can hold it");
    let certificate = verify::check(recording, &trace).expect("an imported trace");
    assert_eq!(certificate.fault, None);
    let source = Source::Recording(imported);
    let input = Imported { file: "test".to_owned(), format: Format::Strace, source };
    let mut options = Options { force: true, ..Options::default() };
    replay(input, &mut options).expect("its image can be read").report
}

/// The same of what stands before a text's first damage, if it has any.
#[allow(dead_code, reason = "not every test has texts that are damaged or side files")]
pub fn replayed_text(text: &str, side: &SideFile) -> Report {
    replayed(&Events::new(text.as_bytes()).read_all(), side)
}
