//! The target `twin`: lines of JSON as requests of `drive`, and as the text twin of a trace.
//!
//! As requests: no panic, and the books of the kernel balance after every line. As a twin: the
//! trace that it becomes can be read, its own twin becomes the same trace again, and it replays.

use tickernel::drive::Drive;
use tickernel::import::{Format, Imported, Source};
use tickernel::json::convert::{to_trace, to_twin};
use tickernel::replay::{Options, replay};
use tickernel::trace::TraceReader;
use tickernel_systems::Config;

/// Lines that are taken at most.
const LINES_MAX: usize = 200;

/// Takes the text both ways; gives how many requests were answered without an error.
///
/// # Panics
/// At a defect.
pub fn run(text: &[u8]) -> u64 {
    as_twin(text);
    as_requests(text)
}

/// Small limits: a line can ask for as much as the machine holds.
fn config() -> Config {
    Config { max_memory_bytes: 1 << 20, max_file_bytes: 4 << 20, ..Config::default() }
}

fn as_requests(text: &[u8]) -> u64 {
    let mut drive = Drive::new(config());
    let mut answered = 0;
    for line in text.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let answers = drive.answer(&request(line));
        answered += answers.last().map_or(0, |last| u64::from(!last.contains_key("error")));
        drive.kernel_mut().audit().unwrap_or_else(|defect| {
            panic!("{defect} after {}", String::from_utf8_lossy(line));
        });
    }
    answered
}

/// The line without the answer that a kept case has behind each request.
fn request(line: &[u8]) -> Vec<u8> {
    const ANSWER: &[u8] = b",\"linux\":";
    match line.windows(ANSWER.len()).position(|part| part == ANSWER) {
        Some(at) => [&line[..at], b"}"].concat(),
        None => line.to_vec(),
    }
}

fn as_twin(text: &[u8]) {
    let Ok(converted) = to_trace(text, Vec::new()) else { return };
    let trace = converted.out;
    let mut twin = Vec::new();
    let mut reader = TraceReader::new(trace.as_slice()).expect("its own trace");
    assert_eq!(to_twin(&mut reader, &mut twin).expect("its own trace"), None);
    let again = to_trace(twin.as_slice(), Vec::new()).expect("its own twin");
    assert_eq!(again.damage, None, "{}", String::from_utf8_lossy(&twin));
    assert_eq!(again.events, converted.events);
    assert!(again.out == trace, "{}", String::from_utf8_lossy(&twin));
    run_trace(trace);
}

/// Replays a trace to its end, whatever its answers are.
pub(super) fn run_trace(trace: Vec<u8>) {
    let source =
        Imported { file: String::new(), format: Format::Trace, source: Source::Trace(trace) };
    let mut options = Options { force: true, ..Options::default() };
    if let Ok(replayed) = replay(source, &mut options) {
        let report = replayed.report;
        assert_eq!(report.calls, report.in_scope + report.out_of_scope);
    }
}
