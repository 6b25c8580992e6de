//! `dump --strace`: a dumped trace imports again, and replays without a mismatch.

use ::proptest::prelude::*;
use tickernel::drive::Drive;
use tickernel::dump;
use tickernel::import::{self, SideFile};
use tickernel::json::Request;
use tickernel::proptest::{Program, programs};
use tickernel::record::Recording;
use tickernel::replay::{Options, Report};
use tickernel::strace::Events;
use tickernel::trace::TraceReader;
use tickernel_systems::event::Event;
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Config, Kernel};

/// The events of a program, encoded: what `drive` would take for its requests.
fn events(program: &Program) -> Vec<Vec<u8>> {
    let mut drive = Drive::new(Config::default());
    let played = program.play(|line| drive.answer(line));
    let mut events = Vec::new();
    for (request, _) in played {
        let request = Request::new(request);
        let (Ok(task), Ok(call)) = (request.number::<u32>("pid"), request.call()) else { continue };
        let mut bytes = Vec::new();
        Event::Call { task, call }.put(&mut bytes);
        events.push(bytes);
    }
    events
}

/// The trace of these events from `drive`'s start.
fn trace_of(events: &[Vec<u8>]) -> Vec<u8> {
    let mut kernel = Kernel::new(Config::default());
    let mut recording = Recording::begin(&kernel, Vec::new()).expect("begun");
    for event in events {
        let event = Event::get(&mut WireReader::new(event)).expect("it was just encoded");
        recording.take(&mut kernel, event).expect("recorded");
        while recording.poll_output().is_some() {}
    }
    recording.finish(&mut kernel).expect("finished").out
}

/// The text of a trace, and its side file.
fn dumped(trace: &[u8]) -> (String, SideFile) {
    let mut reader = TraceReader::new(trace).expect("a trace");
    let first = dump::first_state(&mut reader).expect("a state");
    let mut text = Vec::new();
    let damage = dump::to_strace(&mut reader, first, &mut text).expect("printed");
    assert_eq!(damage, None);
    let side = dump::side_file_of(trace).expect("a side file").to_string();
    let side = SideFile::parse(side.as_bytes()).expect("a side file");
    (String::from_utf8(text).expect("strace's text is ASCII"), side)
}

/// The report of a text that is imported and replayed.
fn replayed(text: &str, side: &SideFile) -> Report {
    let recording = Events::new(text.as_bytes()).read_all();
    assert!(recording.error.is_none(), "{:?}\n{text}", recording.error);
    let recording = import::import(&recording, side).expect("imported");
    let imported = import::Imported {
        file: "dumped".to_owned(),
        format: import::Format::Strace,
        source: import::Source::Recording(recording),
    };
    let mut options = Options { force: true, ..Options::default() };
    tickernel::replay::replay(imported, &mut options).expect("replayed").report
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_dumped_program_imports_again(program in programs(40)) {
        let trace = trace_of(&events(&program));
        let (text, side) = dumped(&trace);
        if text.is_empty() {
            return Ok(());
        }
        let report = replayed(&text, &side);
        let wrong = (report.mismatched, report.unsupported);
        prop_assert_eq!(wrong, (0, 0), "{:#?}\n{}", report.first_mismatch, text);
    }
}
