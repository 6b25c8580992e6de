//! The file system in lockstep with Linux's own: generated programs of file calls are performed on
//! the host (in a temporary directory, as root, each call with the identity that the program says)
//! and on `tickernel_systems::fs`, and every answer and the trees at the end agree.
//!
//! `FS_LOCKSTEP_CASES=100000 cargo test --release --test fs_lockstep` runs more of them,
//! `PROPTEST_RNG_SEED=7` others. Needs root on Linux and a temporary directory on ext4 or tmpfs;
//! says so and does nothing without them.
#![cfg(target_os = "linux")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each hands libc pointers to buffers of the lines above it, and nothing else"
)]

mod host;
mod model;
mod program;
mod times;

use host::Host;
use model::Model;
use program::{Op, program};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tickernel_systems::fs::VolumeKind;

/// What a call gave, in the same form on both sides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// errno
    Error(i32),
    /// Nothing but success, or a number.
    Value(i64),
    /// Bytes read, a target, a path, a value.
    Bytes(Vec<u8>),
    /// type and mode, nlink, uid, gid, rdev; size unless it is a directory's; explicit times.
    Stat([u64; 5], Option<u64>),
    /// Names and types of a directory, sorted.
    Names(Vec<(Vec<u8>, u8)>),
    /// The host's opening of a device or FIFO depends on more than the file system.
    Special,
}

/// The first step that differs, in words.
fn differs(host: &mut Host, kind: VolumeKind, ops: &[Op]) -> Result<(), String> {
    let mut model = Model::new(kind, host.protected());
    host.enter();
    let mut log = Vec::new();
    let mut outcome = Ok(());
    for op in ops {
        let real = host.perform(op);
        let ours = match model.perform(op) {
            Ok(ours) => ours,
            Err(why) => {
                outcome = Err(format!("{}\n{op:?}: {why}", log.join("\n")));
                break;
            }
        };
        log.push(format!("{op:?} -> {real:?}"));
        let same = real == ours || ours == Answer::Special;
        if ours == Answer::Special {
            host.forget(op);
        }
        if !same {
            outcome = Err(format!("{}\nhost {real:?}\nours {ours:?}", log.join("\n")));
            break;
        }
    }
    if outcome.is_ok() {
        let (real, ours) = (host.tree(), model.tree());
        if real != ours {
            outcome = Err(format!("{}\nhost {real:#?}\nours {ours:#?}", log.join("\n")));
        }
    }
    host.leave();
    outcome?;
    model.check()
}

fn run(directory: &str) {
    let cases = std::env::var("FS_LOCKSTEP_CASES").ok().and_then(|n| n.parse().ok());
    let cases = cases.unwrap_or(400);
    let directory = directory.to_owned();
    let work = move || {
        let Some((mut host, kind)) = Host::new(&directory) else { return };
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let host = std::cell::RefCell::new(&mut host);
        let result = runner.run(&program(), |ops| {
            differs(&mut host.borrow_mut(), kind, &ops).map_err(TestCaseError::fail)
        });
        match result {
            Ok(()) => {}
            // The report says it better than the list of the generator's values.
            Err(TestError::Fail(report, _)) => panic!("{report}"),
            Err(error @ TestError::Abort(_)) => panic!("{error}"),
        }
    };
    // A thread of its own: root directory and identity are changed for it alone. Unoptimized
    // generators of many alternatives take more than the usual stack.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(work);
    thread.expect("a thread").join().expect("host and model agree");
}

fn run_times(directory: &str) {
    let directory = directory.to_owned();
    let work = move || {
        let Some((mut host, kind)) = Host::new(&directory) else { return };
        let protected = host.protected();
        let found = times::differences(&mut host, || Model::new(kind, protected));
        assert!(found.is_empty(), "{}", found.join("\n"));
    };
    std::thread::spawn(work).join().expect("host and model stamp alike");
}

#[test]
fn stamps_as_the_temporary_directory() {
    run_times(&std::env::temp_dir().to_string_lossy());
}

#[test]
fn stamps_as_tmpfs() {
    run_times("/dev/shm");
}

#[test]
fn agrees_with_the_temporary_directory() {
    run(&std::env::temp_dir().to_string_lossy());
}

#[test]
fn agrees_with_tmpfs() {
    run("/dev/shm");
}
