//! Runs the host twin for tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A running twin.
pub(crate) struct Twin {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Twin {
    /// Starts a twin; none, with a note, where it cannot work (it needs root).
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_host-twin"))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the twin starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut twin = Self { child, input, output };
        twin.send(r#"{"pid":1,"call":"getpid"}"#);
        if twin.line().is_some() {
            return Some(twin);
        }
        let status = twin.child.wait().expect("the twin can be waited for");
        assert_eq!(status.code(), Some(77), "the twin ended before its first answer");
        assert!(std::env::var_os("CI").is_none(), "skipped in CI: the twin needs root");
        eprintln!("skipped: the host twin cannot work here");
        None
    }

    fn send(&mut self, request: &str) {
        let input = self.input.as_mut().expect("the twin's input is open");
        // A twin that has ended shows when its output is read.
        let _ = writeln!(input, "{request}").and_then(|()| input.flush());
    }

    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = self.output.read_line(&mut line).expect("the twin's output can be read");
        (length > 0).then(|| serde_json::from_str(&line).expect("the twin writes JSON"))
    }

    /// Sends a request; all lines up to its answer, which is the last.
    pub(crate) fn ask(&mut self, request: &str) -> Vec<Value> {
        self.send(request);
        let mut lines = Vec::new();
        loop {
            let line = self.line().unwrap_or_else(|| panic!("no answer to {request}"));
            let is_answer = line.get("done").is_none() && line.get("signal").is_none();
            lines.push(line);
            if is_answer {
                return lines;
            }
        }
    }

    /// Closes the input and waits for the end.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        let status = self.child.wait().expect("the twin can be waited for");
        assert!(status.success(), "the twin ended with {status}");
    }
}
