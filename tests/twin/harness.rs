//! Runs a program that speaks the protocol of `tickernel drive` for tests: the host twin's own, and
//! lockstep tests, which include this file and run `tickernel drive` beside it.

#![allow(dead_code, reason = "a test target needs one or the other")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A running program.
pub(crate) struct Twin {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Twin {
    /// Starts `program`; none, with a note, where it says that it cannot work (status 77: the host
    /// twin needs root, and a machine that gives root its rights).
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Option<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut twin = Self { child, input, output };
        twin.send(r#"{"pid":1,"call":"getpid"}"#);
        if twin.line().is_some() {
            return Some(twin);
        }
        let status = twin.child.wait().expect("the program can be waited for");
        assert_eq!(status.code(), Some(77), "the program ended before its first answer");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI may skip nothing");
        eprintln!("skipped: {} cannot work here", program.display());
        None
    }

    fn send(&mut self, request: &str) {
        let input = self.input.as_mut().expect("the program's input is open");
        // A program that has ended shows when its output is read.
        let _ = writeln!(input, "{request}").and_then(|()| input.flush());
    }

    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = self.output.read_line(&mut line).expect("the output can be read");
        (length > 0).then(|| serde_json::from_str(&line).expect("the output is JSON"))
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
        let status = self.child.wait().expect("the program can be waited for");
        assert!(status.success(), "the program ended with {status}");
    }
}
