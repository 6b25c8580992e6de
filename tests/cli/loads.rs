//! `tickernel load`: what it prints, what its plan decides, a recorded one.

use serde_json::Value;
use std::fs;

use super::{number, text_of, tickernel};

fn load(arguments: &[&str]) -> Value {
    let common = ["load", "--scenario", "pipeline", "--json"];
    let run = tickernel(&[&common[..], arguments].concat());
    assert_eq!(run.status, Some(0), "{arguments:?}: {}", run.err);
    run.json()
}

#[test]
fn a_load_depends_on_its_plan_alone() {
    let plan = ["--processes", "100", "--events", "5000"];
    let first = load(&plan);
    let fields =
        ["scenario", "processes", "events", "wall_ns", "events_per_second", "ns_per_event"];
    for field in fields.iter().chain(&["bytes_per_process", "rss_bytes", "digest"]) {
        assert!(!first[*field].is_null(), "{field} is missing: {first}");
    }
    assert_eq!((number(&first, "processes"), number(&first, "events")), (100, 5000));
    assert_eq!(load(&plan)["digest"], first["digest"]);
    let other = load(&[&plan[..], &["--seed", "2"]].concat());
    assert_ne!(other["digest"], first["digest"]);
    let fleet = [&plan[..], &["--kernels", "3"]].concat();
    assert_eq!(load(&fleet)["digest"], load(&fleet)["digest"]);
}

#[test]
fn a_recorded_load_replays_to_its_digest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("load.trace");
    let file = text_of(&path).to_owned();
    let plan = ["--processes", "3000", "--events", "20000"];
    let figures = load(&[&plan[..], &["--record", &file]].concat());
    assert_eq!(figures["digest"], load(&plan)["digest"], "recording changes nothing");
    let size = fs::metadata(&file).expect("the trace is there").len();
    assert_eq!(number(&figures["recording"], "trace_bytes"), size);
    let run = tickernel(&["replay", &file, "--json"]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert_eq!(run.json()["digest"], figures["digest"]);
    assert!(number(&run.json(), "events") > 20_000, "the making of the processes is in it");
}

#[test]
fn a_load_of_absurd_size_is_refused() {
    for (processes, kernels) in [("0", "1"), ("18446744073709551615", "1"), ("10", "11")] {
        let run = tickernel(&[
            "load",
            "--scenario",
            "pipeline",
            "--processes",
            processes,
            "--kernels",
            kernels,
        ]);
        assert_eq!(run.status, Some(2), "{processes} {kernels}: {}", run.out);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    }
}
