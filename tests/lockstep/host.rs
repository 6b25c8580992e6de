//! The host twin as a peer: built if it is not there, asked line by line, given up if it hangs.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running host twin.
pub(crate) struct Host {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// The twin's binary lies beside the command's; whoever runs this test alone has it built here.
fn binary() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_tickernel")).with_file_name("host-twin");
    if !path.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "host-twin"]);
        if path.parent().is_some_and(|folder| folder.ends_with("release")) {
            build.arg("--release");
        }
        let status = build.status().expect("cargo starts");
        assert!(status.success(), "the host twin cannot be built");
    }
    path
}

impl Host {
    /// Starts one; `None`, with a note, where it cannot work (it needs root).
    pub(crate) fn start() -> Option<Self> {
        let mut child = Command::new(binary())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the host twin starts");
        let input = child.stdin.take().expect("its input is piped");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut host = Self { child, input, lines };
        if host.try_ask(r#"{"op":"reset"}"#).is_some() {
            return Some(host);
        }
        let status = host.child.wait().expect("the host twin ends");
        assert_eq!(status.code(), Some(77), "the host twin ended at its first request");
        assert!(std::env::var_os("CI").is_none(), "skipped in CI: the host twin needs root");
        eprintln!("skipped: the host twin cannot work here (it needs root)");
        None
    }

    /// All lines up to the answer, which is the last; `None` if the twin has ended.
    fn try_ask(&mut self, request: &str) -> Option<Vec<Value>> {
        let _ended = writeln!(self.input, "{request}").and_then(|()| self.input.flush());
        let mut lines = Vec::new();
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    panic!("the host twin hangs after {request}")
                }
            };
            let line: Value = serde_json::from_str(&line).expect("the host twin writes JSON");
            let last = line.get("done").is_none() && line.get("signal").is_none();
            lines.push(line);
            if last {
                return Some(lines);
            }
        }
    }

    /// All lines up to the answer, which is the last.
    pub(crate) fn ask(&mut self, request: &str) -> Vec<Value> {
        self.try_ask(request).unwrap_or_else(|| panic!("the host twin ended after {request}"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
