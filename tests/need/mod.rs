//! What a test needs of the machine: root, or a program such as valgrind or strace. Where it is not
//! there the test returns early and says so; in CI (`CI=true`) it fails, because CI may skip
//! nothing.
//!
//! A test begins with `if !need::root("lockstep with Linux") { return; }`.

#![allow(dead_code, reason = "a test target needs one or the other")]

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;

/// Whether this process is root.
pub(crate) fn root(what: &str) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let is_root = effective.is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"));
    is_root || skip(&format!("{what} (not root)"))
}

/// Whether a program of this name is on the PATH.
pub(crate) fn program(name: &str, what: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = env::split_paths(&path).any(|folder| folder.join(name).is_file());
    is_there || skip(&format!("{what} (no {name})"))
}

/// Writes the line where `tests/all.sh` collects them. Never true.
fn skip(line: &str) -> bool {
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "CI may skip nothing: {line}");
    eprintln!("skipped: {line}");
    if let Some(path) = env::var_os("TICKERNEL_SKIPPED") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.unwrap_or_else(|error| panic!("TICKERNEL_SKIPPED: {error}"));
    }
    false
}
