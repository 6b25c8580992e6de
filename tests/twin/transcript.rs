//! Transcripts: requests to the host twin, and the lines that must come of them.

#![allow(dead_code, reason = "a test target needs one or the other")]

use std::path::Path;

use serde_json::Value;

use crate::harness::Twin;
use crate::need;

/// Starts the host twin.
pub(crate) fn start(options: &[&str]) -> Option<Twin> {
    let program = Path::new(env!("CARGO_BIN_EXE_host-twin"));
    if need::root("the host twin") { Twin::start(program, options) } else { None }
}

/// Goes through a transcript from a fresh kernel on: `> REQUEST`, then the lines that must come,
/// exactly.
pub(crate) fn follow_with(twin: &mut Twin, transcript: &str) {
    twin.ask(r#"{"op":"reset"}"#);
    let mut come = Vec::new();
    let mut last = "";
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(request) = line.strip_prefix("> ") {
            assert_eq!(come, Vec::<Value>::new(), "more than expected came of {last}");
            come = twin.ask(request);
            last = request;
        } else {
            let expected: Value = serde_json::from_str(line).expect("the transcript is JSON");
            assert!(!come.is_empty(), "nothing more came of {last}, but {expected} must");
            assert_eq!(come.remove(0), expected, "of {last}");
        }
    }
    assert_eq!(come, Vec::<Value>::new(), "more than expected came of {last}");
}

/// Starts a twin, goes through a transcript, ends it.
pub(crate) fn follow(transcript: &str) {
    if let Some(mut twin) = start(&[]) {
        follow_with(&mut twin, transcript);
        twin.end();
    }
}
