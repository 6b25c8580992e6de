//! A sweep over the file calls as pjdfstest and LTP's file tests make one: kinds of file, users,
//! modes, shapes of paths, flags, and which time stamps a call moves. Every case is answered by our
//! kernel and by the Linux under the host twin; results and the files afterwards must agree.
//!
//! A case is a few requests in a directory of its own: what is there first, then what is asked.
//! Each test takes one case in so many of its family; `TICKERNEL_SWEEP_EVERY=1` takes all,
//! `TICKERNEL_SWEEP_FROM` says with which to begin (0).

#[path = "lockstep/compare.rs"]
mod compare;
#[path = "lockstep/host.rs"]
mod host;
#[path = "lockstep/ours.rs"]
mod ours;

#[path = "sweep/calls.rs"]
mod calls;
#[path = "sweep/case.rs"]
mod case;
#[path = "sweep/data.rs"]
mod data;
#[path = "sweep/handles.rs"]
mod handles;
#[path = "sweep/locks.rs"]
mod locks;
#[path = "sweep/opens.rs"]
mod opens;
#[path = "sweep/overlays.rs"]
mod overlays;
#[path = "sweep/renames.rs"]
mod renames;
#[path = "sweep/rights.rs"]
mod rights;
#[path = "sweep/session.rs"]
mod session;
#[path = "sweep/shapes.rs"]
mod shapes;
#[path = "sweep/watches.rs"]
mod watches;
#[path = "sweep/xattrs.rs"]
mod xattrs;

use case::{Case, Sink};
use session::Session;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Differences that a report shows at most, one of each signature.
const SHOWN_MAX: usize = 25;

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one case in `every` of a family.
fn sweep(family: fn(&mut Sink<'_>), every: usize) {
    let Some(mut session) = Session::start() else { return };
    let every = number("TICKERNEL_SWEEP_EVERY").unwrap_or(every).max(1);
    let from = number("TICKERNEL_SWEEP_FROM").unwrap_or(0);
    let (mut all, mut ran) = (0, 0);
    let mut found: BTreeMap<String, (usize, String)> = BTreeMap::new();
    family(&mut |case: Case| {
        let at = all;
        all += 1;
        if !(at + from).is_multiple_of(every) {
            return;
        }
        ran += 1;
        if let Some(difference) = session.run(&case) {
            let times = found.entry(difference.signature).or_insert((0, difference.report));
            times.0 += 1;
        }
    });
    println!("{ran} of {all} cases, {} requests", session.requests());
    if found.is_empty() {
        return;
    }
    let mut text = format!("{} kinds of difference\n", found.len());
    for (signature, (times, report)) in found.iter().take(SHOWN_MAX) {
        let _ = writeln!(text, "== {times} times: {signature}\n{report}");
    }
    panic!("{text}");
}

#[test]
fn shapes_of_paths() {
    sweep(shapes::one_path, 37);
}

#[test]
fn shapes_of_two_paths() {
    sweep(shapes::two_paths, 101);
}

#[test]
fn rights() {
    sweep(rights::by_path, 2003);
}

#[test]
fn set_id_bits() {
    sweep(rights::set_id_bits, 53);
}

#[test]
fn renames() {
    sweep(renames::renames, 127);
}

#[test]
fn opens() {
    sweep(opens::opens, 127);
}

#[test]
fn descriptors() {
    sweep(handles::on_descriptors, 79);
}

#[test]
fn dirfds() {
    sweep(handles::from_dirfds, 29);
}

#[test]
fn data() {
    sweep(data::data, 37);
}

#[test]
fn locks() {
    sweep(locks::locks, 17);
}

#[test]
fn inotify() {
    sweep(watches::watches, 11);
}

#[test]
fn attributes_of_users() {
    sweep(xattrs::xattrs, 47);
}

#[test]
fn overlays() {
    sweep(overlays::overlays, 211);
}
