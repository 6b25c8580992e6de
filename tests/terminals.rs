//! Terminals beside Linux: random bytes under random settings through one pair, byte for byte, and
//! what a line of requests cannot be drawn by chance for (VTIME, hang-ups, job control, limits).
//!
//! Between two requests of ours the kernel is replaced by its own snapshot, and its books balance.
//! `TICKERNEL_TERMINALS` says how many random programs (300), `TICKERNEL_TERMINALS_FROM` with which
//! to begin (0).
//!
//! Linux hands over what is written in a thread of its own. The host twin waits until that is done;
//! a difference is looked at again with more patience before it counts (`tests/twin/barrier.rs`).
//! No more is written at once than Linux hands over in one go: in between it could answer
//! otherwise.

#[path = "lockstep/beside.rs"]
mod beside;
#[path = "lockstep/compare.rs"]
mod compare;
#[path = "lockstep/host.rs"]
mod host;
#[path = "lockstep/ours.rs"]
mod ours;

#[path = "terminals/jobs.rs"]
mod jobs;
#[path = "terminals/random.rs"]
mod random;
#[path = "terminals/scenes.rs"]
mod scenes;
#[path = "terminals/splices.rs"]
mod splices;

use beside::{Program, lasting_difference};
use host::Host;

/// Asks both; a difference must stay.
fn check(name: &str, program: &Program, host: &mut Host) {
    if let Some(found) = lasting_difference(program, host) {
        panic!("{name}: {found}");
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn bytes_and_settings_are_linux_s() {
    let Some(mut host) = Host::start() else { return };
    let from = number("TICKERNEL_TERMINALS_FROM", 0);
    for seed in from..from + number("TICKERNEL_TERMINALS", 300) {
        check(&format!("program {seed}"), &random::program(seed), &mut host);
    }
}

#[test]
fn scenes_end_as_on_linux() {
    let Some(mut host) = Host::start() else { return };
    for (name, program) in scenes::all() {
        check(name, &program, &mut host);
    }
}
