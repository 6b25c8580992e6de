//! A recording in memory, and its replay by the library.

use std::io::Write;
use std::sync::{Arc, Mutex};

/// An output whose bytes can be looked at once the recording has ended.
#[derive(Clone, Default)]
pub struct Out(Arc<Mutex<Vec<u8>>>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Out {
    /// What was written.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

/// The digest of the state after the last event, by `tickernel digest`; the replay must agree.
pub fn replayed_digest(trace: &[u8]) -> u64 {
    let file = tempfile::Builder::new().suffix(".trace").tempfile().unwrap();
    std::fs::write(file.path(), trace).unwrap();
    let run = |command: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tickernel"))
            .args([command, "--json"])
            .arg(file.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {text}{errors}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let report = run("replay");
    assert_eq!(report["mismatched"], 0, "{report}");
    assert_eq!(report["first_mismatch"], serde_json::Value::Null, "{report}");
    let digest = run("digest");
    u64::from_str_radix(digest["digest"]["all"].as_str().unwrap(), 16).unwrap()
}
