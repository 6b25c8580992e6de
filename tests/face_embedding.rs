//! The embedding runs with real threads, and each of its recordings replays to the digest of its
//! session in a process that has neither its files nor its network nor its threads: another
//! program, in an empty directory, that gets the trace by a pipe. Sessions differ from one another.

#[path = "examples/embedding.rs"]
mod embedding;

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// What the command says of a trace that it gets on standard input.
fn told(command: &str, trace: &[u8]) -> Value {
    let nothing = tempfile::tempdir().expect("an empty directory");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tickernel"))
        .args([command, "-", "--json"])
        .env_clear()
        .current_dir(nothing.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    child.stdin.take().expect("a pipe").write_all(trace).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[test]
fn each_recording_replays_to_its_own_digest() {
    for rounds in [40, 300, 301] {
        let (digest, trace) = embedding::session(rounds).expect("a session");
        let report = told("replay", &trace);
        assert_eq!(report["digest"], format!("{digest:016x}"));
        assert!(report["events"].as_u64() > Some(rounds as u64), "{report}");
        assert_eq!(told("digest", &trace)["digest"]["all"], report["digest"]);
    }
}

#[test]
fn main_agrees() {
    let trace = tempfile::NamedTempFile::new().expect("a file");
    embedding::embed(100, Some(trace.path().to_owned())).expect("equal digests");
    assert!(std::fs::metadata(trace.path()).expect("written").len() > 1000);
}
