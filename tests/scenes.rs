//! Scenes beside Linux that programs drawn by chance would seldom come upon, each answered line for
//! line as Linux answers it.

#[path = "lockstep/beside.rs"]
mod beside;
#[path = "lockstep/compare.rs"]
mod compare;
#[path = "lockstep/host.rs"]
mod host;
#[path = "lockstep/ours.rs"]
mod ours;

#[path = "scenes/corners.rs"]
mod corners;
#[path = "scenes/deliberate.rs"]
mod deliberate;
#[path = "scenes/files.rs"]
mod files;
#[path = "scenes/internet.rs"]
mod internet;
#[path = "scenes/locks.rs"]
mod locks;
#[path = "scenes/notices.rs"]
mod notices;
#[path = "scenes/overlays.rs"]
mod overlays;
#[path = "scenes/pages.rs"]
mod pages;
#[path = "scenes/proc.rs"]
mod proc;
#[path = "scenes/queues.rs"]
mod queues;
#[path = "scenes/stamps.rs"]
mod stamps;
#[path = "scenes/tcp_info.rs"]
mod tcp_info;
#[path = "scenes/words.rs"]
mod words;

use beside::{lasting_difference, ours};
use host::Host;
use words::Scene;

fn play(scenes: Vec<Scene>) {
    let Some(mut host) = Host::start() else { return };
    let differs = |(name, program): &Scene| {
        // Two that do not understand a request would agree.
        let understood = ours(program).iter().flatten().all(|line| line.get("error").is_none());
        assert!(understood, "{name}: a request is not understood: {:?}", ours(program));
        lasting_difference(program, &mut host).map(|found| format!("{name}: {found}"))
    };
    let found: Vec<String> = scenes.iter().filter_map(differs).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn signals_of_input_and_output() {
    play(notices::scenes());
}

#[test]
fn corners_of_files() {
    play(files::scenes());
}

#[test]
fn corners_that_a_stranger_found() {
    play(corners::scenes());
}

#[test]
fn pages_of_files_in_pipes() {
    play(pages::scenes());
}

#[test]
fn ranges_and_circles_of_record_locks() {
    play(locks::scenes());
}

#[test]
fn overlays_of_all_kinds() {
    play(overlays::scenes());
}

#[test]
fn options_of_overlays() {
    overlays::play_options();
}

#[test]
fn watches_below_overlays() {
    overlays::play_watches();
}

#[test]
fn numbers_in_overlays() {
    overlays::play_numbers();
}

#[test]
fn what_proc_tells() {
    play(proc::scenes());
}

#[test]
fn lines_of_descriptors() {
    proc::lines_of_descriptors();
}

#[test]
fn locks_of_all_files() {
    proc::locks();
}

#[test]
fn orders_of_proc() {
    proc::orders();
}

#[test]
fn what_differs_on_purpose() {
    deliberate::play();
}

#[test]
fn stamps_that_nobody_asks_for() {
    stamps::play();
}

#[test]
fn connections_that_nobody_answers() {
    play(internet::connections());
}

#[test]
fn interfaces_and_broadcasts() {
    play(internet::interfaces());
}

#[test]
fn members_of_groups() {
    play(internet::groups());
}

#[test]
fn who_hears_of_an_event() {
    play(queues::scenes());
}

#[test]
fn what_tcp_info_tells() {
    tcp_info::play();
}

#[test]
fn ticks_of_a_timer() {
    play(internet::ticks());
}

/// TCP_SYNCNT and TCP_USER_TIMEOUT in ms, 0 where not set, and after how many ms connect(2) was
/// ETIMEDOUT on Linux 6.18, less what its timers were late.
const TRIES: [(i64, i64, u64); 11] = [
    (1, 0, 3000),
    (2, 0, 7000),
    (3, 0, 19_000),
    (4, 0, 35_000),
    (5, 0, 67_000),
    (6, 0, 131_000),
    (0, 0, 131_000),
    (0, 500, 1000),
    (0, 1500, 1500),
    (10, 10_000, 10_000),
    (2, 10_000, 10_000),
];

#[test]
fn a_connection_is_asked_for_as_long_as_on_linux() {
    for (tries, user_ms, over_ms) in TRIES {
        let mut drive = ours::our_kernel();
        let mut ask = |request: &serde_json::Value| drive.answer(request.to_string().as_bytes());
        for request in internet::asking(tries, user_ms) {
            let lines = ask(&request);
            assert!(lines.iter().all(|line| !line.contains_key("error")), "{request}: {lines:?}");
        }
        let early = ask(&serde_json::json!({"op": "advance", "ns": (over_ms - 1) * 1_000_000}));
        assert!(early.iter().all(|line| !line.contains_key("done")), "{tries} {user_ms} {early:?}");
        let late = ask(&serde_json::json!({"op": "advance", "ns": 1_000_000}));
        let over = late.iter().any(|line| line.get("err") == Some(&"ETIMEDOUT".into()));
        assert!(over, "{tries} {user_ms} {late:?}");
    }
}
