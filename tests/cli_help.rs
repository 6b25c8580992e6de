//! Help and version of the command, where nobody can read them.

use std::fs;
use std::process::Command;

#[test]
fn help_that_cannot_be_printed_is_no_success() {
    for word in ["--help", "--version", "help"] {
        let device = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickernel"));
        let run = command.arg(word).stdout(device).output().expect("the command starts");
        assert_eq!(run.status.code(), Some(2), "{word}");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains("standard output: No space left"), "{word}: {said}");
    }
}
