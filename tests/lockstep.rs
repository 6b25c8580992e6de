//! Random programs in lockstep with Linux: our kernel and the host twin answer every request alike,
//! and processes and trees agree at the end. One test for each subject, in whose programs its calls
//! are the most, and one for all alike.
//!
//! `TICKERNEL_LOCKSTEP_PROGRAMS` says how many in each test (100; 500 of terminals, of sockets of
//! each kind and of ways to wait), `TICKERNEL_LOCKSTEP_SEED` which (0),
//! `TICKERNEL_LOCKSTEP_WITHOUT` which actions to leave out (`Select,Fcntl`),
//! `TICKERNEL_LOCKSTEP_SHRINKS` how often it is tried to cut a failure (1000).
//! A failure is cut down and written as a JSON twin with Linux's lines beside
//! each request; it goes to traces/ as a kept case once it passes.

#[path = "lockstep/compare.rs"]
mod compare;
#[path = "lockstep/host.rs"]
mod host;
#[path = "lockstep/ours.rs"]
mod ours;

use compare::Normal;
use host::Host;
use ours::our_kernel;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tickernel::json::Object;
use tickernel::proptest::{Program, Subject, programs, programs_about};

/// Requests of a program at most.
const REQUESTS_MAX: usize = 60;
/// The same of subjects that run more programs, whose waits take their time.
const REQUESTS_TOGETHER_MAX: usize = 40;
/// Programs of a test.
const PROGRAMS: u64 = 100;
/// The same where a call of one process shows what others did before: more can go wrong.
const PROGRAMS_TOGETHER: u64 = 500;
/// How often a difference is looked at again: a real machine may be late, but not every time.
const SECOND_LOOKS: u32 = 2;
/// What goes through a terminal is handed over by threads of Linux's own: the first look waits
/// until they have begun (`tests/twin/barrier.rs`), the next ones so many milliseconds longer at
/// every request. Linux itself may answer otherwise in between (a read that finds no echo yet, a
/// signal that comes one call later); once all is handed over there is one answer, and that is
/// compared.
const PATIENCE_MS: [u64; 4] = [0, 2, 10, 40];
/// The same where the sides differ in nothing but the order in which waiting processes went on: on
/// two processors neither is first by right, but ours must be one of Linux's orders.
const LOOKS_AT_ORDER: u32 = 40;
/// More than the host twin reads at once: such a program is not compared.
const HOST_READS_BYTES: usize = 1 << 20;
/// What is compared after the last request.
const ENDING: [&str; 2] = [r#"{"op":"processes"}"#, r#"{"op":"tree","path":"/"}"#];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Requests with the lines that each caused.
type Transcript = Vec<(String, Vec<Value>)>;

fn ours(program: &Program) -> Transcript {
    let mut drive = our_kernel();
    let mut transcript: Transcript = program
        .play(|line| drive.answer(line))
        .into_iter()
        .map(|(request, lines)| (text_of(request), lines.into_iter().map(Value::Object).collect()))
        .collect();
    for request in ENDING {
        let lines = drive.answer(request.as_bytes()).into_iter().map(Value::Object).collect();
        transcript.push((request.to_owned(), lines));
    }
    transcript
}

fn text_of(request: Object) -> String {
    Value::Object(request).to_string()
}

/// Where the sides differ first: a report, and what Linux said until then.
struct Difference {
    report: String,
    linux: Transcript,
    /// The same lines in another order.
    only_order: bool,
}

/// Whether an answer has more bytes than the host twin can give.
fn is_beyond_the_host(line: &Value) -> bool {
    let data = line.get("data").and_then(Value::as_str);
    data.is_some_and(|data| data.len() > HOST_READS_BYTES)
}

/// Whether two answers hold the same lines.
fn same_lines(left: &[Value], right: &[Value]) -> bool {
    let sorted = |lines: &[Value]| {
        let mut lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        lines.sort_unstable();
        lines
    };
    sorted(left) == sorted(right)
}

fn difference(ours: &Transcript, host: &mut Host, look: usize) -> Option<Difference> {
    host.ask(r#"{"op":"reset"}"#);
    let uses_terminals = ours.iter().any(|(request, _)| request.contains("/dev/ptmx"));
    let ms = if uses_terminals { PATIENCE_MS[look.min(PATIENCE_MS.len() - 1)] } else { 0 };
    host.ask(&format!(r#"{{"op":"patience","ns":{}}}"#, ms * 1_000_000));
    let (mut our_form, mut host_form) = (Normal::default(), Normal::default());
    let mut linux = Transcript::new();
    for (request, our_lines) in ours {
        let host_lines = host.ask(request);
        let (left, right) = (our_form.lines(our_lines), host_form.lines(&host_lines));
        linux.push((request.clone(), host_lines));
        if left != right {
            let only_order = same_lines(&left, &right);
            return Some(Difference {
                report: report(ours, &linux, &left, &right),
                linux,
                only_order,
            });
        }
    }
    None
}

/// A difference that stays when the host is asked again, and whether it was asked again at all.
fn lasting_difference(ours: &Transcript, host: &mut Host) -> (Option<Difference>, bool) {
    let Some(mut found) = difference(ours, host, 0) else { return (None, false) };
    let mut looks = 0;
    let uses_terminals = ours.iter().any(|(request, _)| request.contains("/dev/ptmx"));
    let again = if uses_terminals { PATIENCE_MS.len() as u32 - 1 } else { SECOND_LOOKS };
    while looks < if found.only_order { LOOKS_AT_ORDER } else { again } {
        looks += 1;
        match difference(ours, host, looks as usize) {
            Some(again) => found = again,
            None => return (None, true),
        }
    }
    (Some(found), true)
}

fn report(ours: &Transcript, linux: &Transcript, left: &[Value], right: &[Value]) -> String {
    let mut text = String::from("\n");
    let show = |line: &Value| {
        let line = line.to_string();
        let cut = line.char_indices().nth(300).map_or(line.len(), |at| at.0);
        line[..cut].to_owned()
    };
    for (request, lines) in &ours[..linux.len() - 1] {
        let answers: Vec<String> = lines.iter().map(show).collect();
        let _ = writeln!(
            text,
            "  {}\n      -> {}",
            show(&Value::from(request.as_str())),
            answers.join("  ")
        );
    }
    if let Some((request, _)) = linux.last() {
        let _ = writeln!(text, "  {request}");
    }
    for (name, lines) in [("tickernel", left), ("Linux    ", right)] {
        for (at, line) in lines.iter().enumerate() {
            let same = if left.get(at) == right.get(at) { " " } else { "!" };
            let _ = writeln!(text, "    {same} {name} {}", only_difference(line, at, left, right));
        }
    }
    text
}

/// A long list is cut to the items that the other side does not have.
fn only_difference(line: &Value, at: usize, left: &[Value], right: &[Value]) -> String {
    for list in ["tree", "processes", "entries"] {
        let items = |side: &[Value]| side.get(at)?.get(list)?.as_array().cloned();
        if let (Some(left), Some(right), Some(mine)) =
            (items(left), items(right), line.get(list).and_then(Value::as_array))
        {
            let other = if *mine == left { right } else { left };
            let only: Vec<String> =
                mine.iter().filter(|item| !other.contains(item)).map(Value::to_string).collect();
            return format!("{list}: {}", only.join(" "));
        }
    }
    line.to_string()
}

/// The failing case as a JSON twin: each request, and beside it in `linux` the lines that Linux
/// gave.
fn keep(name: &str, seed: u64, linux: &Transcript) -> PathBuf {
    let mut twin = String::from("{\"twin\":1}\n");
    for (request, lines) in linux {
        let Ok(Value::Object(mut line)) = serde_json::from_str(request) else { continue };
        if !line.contains_key("op") {
            line.insert("linux".into(), lines.clone().into());
            twin += &format!("{}\n", Value::Object(line));
        }
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lockstep-{name}-{seed}.jsonl"));
    std::fs::write(&path, twin).expect("the case can be written");
    path
}

/// The requests of a kept case: what stands before Linux's answer.
fn kept(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("the case can be read");
    let lines = text.lines().filter_map(|line| match serde_json::from_str(line) {
        Ok(Value::Object(line)) if line.contains_key("call") => {
            let is_answer = |name: &str| ["linux", "ok", "err"].contains(&name);
            Some(text_of(line.into_iter().take_while(|(name, _)| !is_answer(name)).collect()))
        }
        _ => None,
    });
    lines.collect()
}

#[test]
fn every_kept_case_is_answered_as_linux_does() {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let files = std::fs::read_dir(traces).expect("traces/ is there");
    let mut cases: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    cases.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        name.starts_with("lockstep-") && name.ends_with(".jsonl")
    });
    cases.sort();
    let Some(mut host) = Host::start() else { return };
    for case in cases {
        let mut drive = our_kernel();
        let mut ours: Transcript = Vec::new();
        for request in kept(&case).into_iter().chain(ENDING.map(str::to_owned)) {
            let lines = drive.answer(request.as_bytes()).into_iter().map(Value::Object).collect();
            ours.push((request, lines));
        }
        if let Some(found) = lasting_difference(&ours, &mut host).0 {
            panic!("{}: {}", case.display(), found.report);
        }
    }
}

/// Runs so many programs of the test that is called so.
fn run(name: &str, programs: &impl Strategy<Value = Program>, count: u64) {
    let Some(host) = Host::start() else { return };
    let host = RefCell::new(host);
    let all = number("TICKERNEL_LOCKSTEP_PROGRAMS", count);
    let seed = number("TICKERNEL_LOCKSTEP_SEED", 0);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: u32::try_from(all).unwrap_or(u32::MAX),
        max_shrink_iters: number("TICKERNEL_LOCKSTEP_SHRINKS", 1000) as u32,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let (requests, late) = (Cell::new(0), Cell::new(0));
    let last = RefCell::new(Transcript::new());
    let without = std::env::var("TICKERNEL_LOCKSTEP_WITHOUT").unwrap_or_default();
    let result = runner.run(programs, |mut program| {
        program.steps.retain(|step| {
            let name = format!("{:?}", step.action);
            without.split(',').all(|action| action != name)
        });
        let ours = ours(&program);
        requests.set(requests.get() + ours.len());
        if ours.iter().flat_map(|(_, lines)| lines).any(is_beyond_the_host) {
            return Ok(());
        }
        let (found, again) = lasting_difference(&ours, &mut host.borrow_mut());
        let Some(found) = found else {
            late.set(late.get() + u32::from(again));
            return Ok(());
        };
        *last.borrow_mut() = found.linux;
        Err(TestCaseError::fail(found.report))
    });
    println!("{name}: {} requests, {} times the machine was late", requests.get(), late.get());
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => {
            let path = keep(name, seed, &last.borrow());
            panic!(
                "the sides differ: {why}\n  kept in {}\n  again: TICKERNEL_LOCKSTEP_SEED={seed} \
                 TICKERNEL_LOCKSTEP_PROGRAMS={all} cargo test --all-features --test lockstep {name}",
                path.display()
            );
        }
        Err(TestError::Abort(why)) => panic!("given up: {why}"),
    }
}

#[test]
fn every_request_is_answered_as_linux_does() {
    run("every_request", &programs(REQUESTS_MAX), PROGRAMS);
}

#[test]
fn processes() {
    run("processes", &programs_about(Subject::Processes, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn credentials() {
    run("credentials", &programs_about(Subject::Credentials, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn signals() {
    run("signals", &programs_about(Subject::Signals, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn descriptors() {
    run("descriptors", &programs_about(Subject::Descriptors, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn pipes() {
    run("pipes", &programs_about(Subject::Pipes, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn waiting() {
    run("waiting", &programs_about(Subject::Waiting, REQUESTS_TOGETHER_MAX), PROGRAMS_TOGETHER);
}

#[test]
fn bytes() {
    run("bytes", &programs_about(Subject::Bytes, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn names() {
    run("names", &programs_about(Subject::Names, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn objects() {
    run("objects", &programs_about(Subject::Objects, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn sockets() {
    run("sockets", &programs_about(Subject::Sockets, REQUESTS_TOGETHER_MAX), PROGRAMS_TOGETHER);
}

#[test]
fn internet() {
    run("internet", &programs_about(Subject::Internet, REQUESTS_TOGETHER_MAX), PROGRAMS_TOGETHER);
}

#[test]
fn terminals() {
    run("terminals", &programs_about(Subject::Terminals, REQUESTS_TOGETHER_MAX), PROGRAMS_TOGETHER);
}

#[test]
fn mounts() {
    run("mounts", &programs_about(Subject::Mounts, REQUESTS_MAX), PROGRAMS);
}

#[test]
fn attributes() {
    run("attributes", &programs_about(Subject::Attributes, REQUESTS_MAX), PROGRAMS);
}
