//! Counts the instructions of the hottest calls of the core and of the face under callgrind and
//! compares them, within 5 %,
//! with `benches/instructions.txt`, and among 10,000 idle processes with the same alone. Counts
//! do not move with the load of the machine, and equal ones prove that no call walks what it does
//! not touch. So with file calls among 10 files and a million.
//!
//! They belong to a compiler and a C library (its `malloc`). After a change that is meant to move
//! them: `TICKERNEL_INSTRUCTIONS=write cargo test --test instructions`. Not here: the 64 KiB
//! pipe, whose count is that of the C library's `memcpy` (`benches/calls.rs` times it).

mod need;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Instructions by the name of the call.
type Counts = BTreeMap<String, u64>;

const COUNTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
/// Idle processes, twice, and files beside which each program runs; and where it runs alone.
const CROWDS: [u32; 3] = [10_000, 10_000, 1_000_000];
const NO_CROWDS: [u32; 3] = [0, 0, 10];
/// What only copies memory.
const NOT_COUNTED: &str = "pipe write + read 64 KiB";
/// Operations by which the third count of each differs from the second (tests/examples/ops.rs).
const OPERATIONS: u64 = 1000;

#[test]
fn hot_calls_cost_what_they_did_and_nothing_walks() {
    if !need::program("valgrind", "instruction counts") {
        return;
    }
    let programs = build(["ops", "face_ops", "file_ops"]);
    let all = |crowds: [u32; 3]| {
        let each = programs.iter().zip(crowds);
        each.flat_map(|(program, crowd)| count(program, crowd)).collect()
    };
    let (alone, crowded): (Counts, Counts) = std::thread::scope(|scope| {
        let crowded = scope.spawn(|| all(CROWDS));
        (all(NO_CROWDS), crowded.join().expect("counting does not panic"))
    });
    let mut found = Vec::new();
    for (name, count) in &alone {
        found.extend(compare(name, crowded[name], *count, "alone"));
    }
    if env::var("TICKERNEL_INSTRUCTIONS").as_deref() == Ok("write") {
        let lines = alone.iter().map(|(name, count)| format!("{count:>6} {name}\n"));
        fs::write(COUNTS, lines.collect::<String>()).expect("a file in the repository");
    } else {
        let kept = kept();
        assert!(kept.keys().eq(alone.keys()), "{COUNTS} has other calls: write it anew");
        for (name, count) in &alone {
            found.extend(compare(name, *count, kept[name], "in benches/instructions.txt"));
        }
    }
    assert!(found.is_empty(), "instructions a call, 5 % allowed:\n{}", found.join("\n"));
}

fn compare(name: &str, count: u64, other: u64, whose: &str) -> Option<String> {
    let far = count.abs_diff(other) * 20 > other;
    far.then(|| format!("{name}: {count}, {other} {whose}"))
}

/// The programs that repeat the calls, in the profile that users have. Built with the command, as
/// tests/all.sh does: other features of the crates below would build everything once more.
fn build(examples: [&str; 3]) -> [PathBuf; 3] {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--quiet", "--bin", "tickernel"]);
    cargo.args(["-p", "tickernel", "-p", "tickernel-systems"]);
    for example in examples {
        cargo.args(["--example", example]);
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(status.expect("cargo runs").success(), "the examples do not build");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let release = target.expect("a folder of the target folder").join("release/examples");
    examples.map(|example| release.join(example))
}

/// Instructions of each call beside so many idle processes, or files.
fn count(program: &Path, crowd: u32) -> Counts {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let out = folder.path().join("counts");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-before=*ops::mark"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .arg(crowd.to_string())
        .output()
        .expect("valgrind runs");
    let (said, complaints) = (text(&run.stdout), text(&run.stderr));
    assert!(run.status.success(), "valgrind or the program failed:\n{complaints}");
    // The first part ends at the first mark. Then each call has three: a round to fill what is
    // kept, 1,000 operations, 2,000 operations.
    let part = |number: usize| total(&out.with_extension(number.to_string()));
    let counted = said.lines().enumerate().map(|(at, name)| {
        let difference = part(3 * at + 4).saturating_sub(part(3 * at + 3));
        (name.to_owned(), (difference + OPERATIONS / 2) / OPERATIONS)
    });
    counted.filter(|(name, _)| name != NOT_COUNTED).collect()
}

/// The sum of a part that callgrind wrote.
fn total(path: &Path) -> u64 {
    let part = fs::read_to_string(path).unwrap_or_default();
    let line = part.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = line.and_then(|number| number.parse().ok());
    total.unwrap_or_else(|| panic!("{}: no line `totals: NUMBER`", path.display()))
}

fn kept() -> Counts {
    let file = fs::read_to_string(COUNTS).expect("a file in the repository");
    let lines = file.lines().filter_map(|line| line.trim().split_once(' '));
    lines.map(|(count, name)| (name.to_owned(), count.parse().expect("a number"))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
