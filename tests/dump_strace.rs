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
use tickernel_systems::abi::{
    Address, Itimer, PollFd, SigEvent, SigInfo, SigSet, Timespec,
};
use tickernel_systems::event::{Call, Event, FieldSource, FieldValue, Style};
use tickernel_systems::wire::{Bytes, Wire, WireReader};
use tickernel_systems::{Config, Kernel};

/// The events of a program, encoded: what `drive` would take for its requests.
pub fn events(program: &Program) -> Vec<Vec<u8>> {
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

/// A call whose text does not say all, or that Linux would not let return: it is left out.
struct Exception {
    reason: &'static str,
    is: fn(&Kernel, u32, &Call<'_>) -> bool,
}

const EXCEPTIONS: &[Exception] = &[Exception {
    reason: "Linux kills a task whose rt_sigreturn(2) finds no frame; the kernel says EINVAL",
    is: |kernel, task, call| {
        matches!(call, Call::RtSigreturn {}) && kernel.frames_of(task).is_empty()
    },
}];

/// The trace of these events from `drive`'s start.
pub fn trace_of(events: &[Vec<u8>]) -> Vec<u8> {
    let mut kernel = Kernel::new(Config::default());
    let mut recording = Recording::begin(&kernel, Vec::new()).expect("begun");
    for event in events {
        let event = Event::get(&mut WireReader::new(event)).expect("it was just encoded");
        if let Event::Call { task, call } = &event
            && EXCEPTIONS.iter().any(|exception| (exception.is)(&kernel, *task, call))
        {
            continue;
        }
        recording.take(&mut kernel, event).expect("recorded");
        while recording.poll_output().is_some() {}
    }
    recording.finish(&mut kernel).expect("finished").out
}

/// The text of a trace, and its side file.
pub fn dumped(trace: &[u8]) -> (String, SideFile) {
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
pub fn replayed(text: &str, side: &SideFile) -> Report {
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

/// Kept sessions whose dump replays with differences, and why.
const SESSIONS: &[(&str, u64, &str)] = &[];

/// The kept sessions: imported, dumped, imported again.
#[test]
fn kept_sessions_import_again() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("traces/")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".strace.zst"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 4);
    for path in paths {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let imported = import::read(&path, &import::Options::default()).expect("read");
        let import::Source::Recording(recording) = imported.source else { panic!("{name}") };
        let trace = recording.write(Vec::new()).expect("written");
        let (text, side) = dumped(&trace);
        let report = replayed(&text, &side);
        let known = SESSIONS.iter().find(|entry| name.starts_with(entry.0));
        let allowed = known.map_or(0, |entry| entry.1);
        let wrong = report.mismatched + report.unsupported;
        assert!(wrong == allowed, "{name}: {wrong} of {}: {:#?}", report.calls, report.first_mismatch);
    }
}

/// Gives every field a plain value that does no harm.
struct Plain;

impl<'a> FieldSource<'a> for Plain {
    type Error = &'static str;

    fn field(
        &mut self,
        name: &'static str,
        style: Style,
        kind: &FieldValue<'_>,
    ) -> Result<FieldValue<'a>, &'static str> {
        let number = match (name, style) {
            ("target" | "pgid" | "tid" | "tgid" | "set_tid", _) => 0,
            (_, Style::Octal) => 0o640,
            (_, Style::Dirfd) => -100,
            (_, Style::Flags(table) | Style::OptionalFlags(table)) => {
                table.iter().find(|entry| entry.1 != 0).map_or(0, |entry| i128::from(entry.1))
            }
            (_, Style::Choice(table) | Style::OptionalChoice(table)) => {
                table.first().map_or(0, |entry| i128::from(entry.1))
            }
            (_, Style::Signal) => 28,
            _ => 1,
        };
        Ok(match kind {
            FieldValue::Number(_) => FieldValue::Number(number),
            FieldValue::Bytes(_) if name == "name" => FieldValue::Bytes(b"user.x"[..].into()),
            FieldValue::Bytes(_) => FieldValue::Bytes(b"/tmp/a"[..].into()),
            FieldValue::List(_) => FieldValue::List(vec![b"word"[..].into()]),
            FieldValue::Numbers(_) => FieldValue::Numbers(vec![0]),
            FieldValue::Time(_) => FieldValue::Time(Timespec { sec: 0, nsec: 5000 }),
            FieldValue::Set(_) => FieldValue::Set(SigSet(1 << 9)),
            FieldValue::Poll(_) => {
                FieldValue::Poll(vec![PollFd { fd: 1, events: 4, revents: 0 }])
            }
            FieldValue::Lock(_) => FieldValue::Number(0),
            FieldValue::Termios(_) => FieldValue::Number(0),
            FieldValue::Timer(_) => FieldValue::Timer(Itimer { value_ns: 7000, interval_ns: 0 }),
            FieldValue::SigEvent(_) => {
                FieldValue::SigEvent(SigEvent { signo: 10, value: 5, ..SigEvent::default() })
            }
            FieldValue::Info(_) => {
                FieldValue::Info(SigInfo { signo: 28, code: -1, pid: 1, ..SigInfo::default() })
            }
            FieldValue::Null => FieldValue::Null,
            FieldValue::Action(action) => FieldValue::Action(*action),
            FieldValue::Limit(limit) => FieldValue::Limit(*limit),
            FieldValue::Winsize(size) => FieldValue::Winsize(*size),
            FieldValue::Address(_) => FieldValue::Address(Address::Unix(Bytes(b"/s".to_vec()))),
            FieldValue::AltStack(stack) => FieldValue::AltStack(*stack),
        })
    }

    fn misfit(&self, name: &'static str) -> &'static str {
        name
    }
}

/// Calls that an import does not hand to the kernel as they were, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("fork", "all makers of tasks become clone(2), which takes the recorded pid"),
    ("vfork", "as fork"),
    ("clone", "as fork"),
];

/// The calls of the kernel that an import makes of a text.
fn imported_calls(text: &str, side: &SideFile) -> Vec<Vec<u8>> {
    let recording = Events::new(text.as_bytes()).read_all();
    assert!(recording.error.is_none(), "{:?}\n{text}", recording.error);
    let recording = import::import(&recording, side).expect("imported");
    let call = |item: &import::Encoded| {
        let event = Event::get(&mut WireReader::new(item.step().event)).ok()?;
        let (Event::Call { call, .. } | Event::Park { call, .. }) = event else { return None };
        let mut bytes = Vec::new();
        call.put(&mut bytes);
        Some(bytes)
    };
    recording.items.iter().filter_map(call).collect()
}

/// Every call of the table is printed so that it is read back as it was.
#[test]
fn every_call_comes_back() {
    let mut lost = Vec::new();
    for (_, name) in Call::NAMES {
        let call = Call::read(name, &mut Plain).expect("a call").expect("its fields");
        if call.is_face() || OTHERWISE.iter().any(|entry| entry.0 == *name) {
            continue;
        }
        let (mut event, mut bytes) = (Vec::new(), Vec::new());
        Event::Call { task: 1, call: call.clone() }.put(&mut event);
        call.put(&mut bytes);
        let (text, side) = dumped(&trace_of(&[event]));
        if text.is_empty() {
            continue;
        }
        let head = format!("1     1000000000.000000000 {name}(");
        assert!(text.starts_with(&head), "{name}: {text}");
        if import::is_out_of_scope(name) {
            continue;
        }
        if !imported_calls(&text, &side).contains(&bytes) {
            lost.push(format!("{call:?}: {text}"));
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
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
