//! Recordings that are long, and lines that are: the command has less memory than their text, which
//! comes on standard input and is made as it goes. What a recording of any length needs is what its
//! session leaves in the kernel, here nothing, and a temporary file (`src/packed.rs` tests that).

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

/// A task that writes into /dev/null; what stands between is its calls.
const BEGIN: &str = concat!(
    "10 execve(\"/bin/x\", [\"x\"], [\"A=1\"]) = 0\n",
    "10 openat(AT_FDCWD, \"/dev/null\", O_RDWR) = 3</dev/null<char 1:3>>\n",
);
const END: &str = "10 exit_group(0) = ?\n10 +++ exited with 0 +++\n";

/// So many bytes of text: a number over and over.
fn text_of(number: usize, bytes: usize) -> Vec<u8> {
    format!("{number:08}").repeat(bytes / 8).into_bytes()
}

fn write_call(out: &mut dyn Write, text: &[u8]) -> io::Result<()> {
    out.write_all(b"10 write(3</dev/null<char 1:3>>, \"")?;
    out.write_all(text)?;
    writeln!(out, "\", {len}) = {len}", len = text.len())
}

/// Imports what `text` writes, with so many KiB of address space.
fn import(kib: u64, folder: &Path, text: fn(&mut dyn Write) -> io::Result<()>) -> Output {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {kib} && exec \"$@\""))
        .args(["sh", env!("CARGO_BIN_EXE_tickernel"), "import", "--json", "-", "-o"])
        .arg(folder.join("long.trace"))
        .env("TMPDIR", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = child.stdin.take().expect("piped");
    let writer = thread::spawn(move || text(&mut input));
    let output = child.wait_with_output().expect("it ends");
    // Whoever reads up to a damage does not read on.
    if let Err(error) = writer.join().expect("no panic") {
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
    }
    output
}

fn said(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}{errors}"))
}

#[test]
fn a_recording_longer_than_the_memory_is_imported() {
    const KIB: u64 = 240_000;
    const LINES: usize = 4000;
    const LINE_BYTES: usize = 64 << 10;
    fn text(out: &mut dyn Write) -> io::Result<()> {
        out.write_all(BEGIN.as_bytes())?;
        for number in 0..LINES {
            write_call(out, &text_of(number, LINE_BYTES))?;
        }
        out.write_all(END.as_bytes())
    }
    const { assert!(LINES * LINE_BYTES > 1024 * KIB as usize) };
    let folder = tempfile::tempdir().expect("a folder");
    let output = import(KIB, folder.path(), text);
    let report = said(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!(report["calls"], LINES + 3);
    assert_eq!(report["mismatched"], 0);
    // What was kept beside is gone with the process.
    let left = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 1);
}

#[test]
fn lines_of_64_mb_are_imported_and_the_text_before_one_that_is_none() {
    const LINE_BYTES: usize = 64_000_000;
    fn text(out: &mut dyn Write) -> io::Result<()> {
        let line = text_of(0, LINE_BYTES);
        out.write_all(BEGIN.as_bytes())?;
        write_call(out, &line)?;
        write_call(out, &line)?;
        out.write_all(b"10 getpid() = 10\n")?;
        out.write_all(b"no call ")?;
        out.write_all(&line)?;
        out.write_all(b"\n10 getpid() = 10\n")
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = import(1 << 20, folder.path(), text);
    let report = said(&output);
    assert_eq!(output.status.code(), Some(2), "{report}");
    assert_eq!((&report["calls"], &report["mismatched"]), (&5.into(), &0.into()));
    let damage = report["damage"]["why"].as_str().unwrap_or_default();
    assert!(damage.starts_with("line 6, column 1: not a line that strace writes"), "{report}");
}
