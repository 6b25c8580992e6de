//! The built command on the traces of traces/ and on bad input: exit statuses, what stands on
//! standard output, one line of error (CLI.md).

#[path = "cli/loads.rs"]
mod loads;

use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run of the command gave.
struct Run {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {}", self.out))
    }
}

fn tickernel(arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickernel"));
    let done = command.args(arguments).output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { status: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces")
}

/// The recordings of traces/.
fn recordings() -> Vec<PathBuf> {
    let entries = fs::read_dir(traces()).expect("traces/ is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(".strace.zst"));
    paths.sort();
    assert!(paths.len() >= 4, "{paths:?}");
    paths
}

fn text_of(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// One recording, unpacked, with its side file, in a folder of its own.
struct Session {
    folder: tempfile::TempDir,
    text: Vec<u8>,
}

impl Session {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let packed = fs::File::open(traces().join(format!("{name}.strace.zst"))).expect("there");
        let mut text = Vec::new();
        let mut unpacked = zstd::Decoder::new(packed).expect("zstd");
        unpacked.read_to_end(&mut text).expect("unpacked");
        let side = traces().join(format!("{name}.meta.json"));
        fs::copy(side, folder.path().join("it.meta.json")).expect("copied");
        Self { folder, text }
    }

    fn path(&self, name: &str) -> String {
        text_of(&self.folder.path().join(name)).to_owned()
    }

    /// Writes a file into the folder.
    fn put(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.folder.path().join(name), bytes).expect("written");
        self.path(name)
    }
}

fn number(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"))
}

/// The sums that CLI.md promises, in the whole and in `by_call`.
fn check_sums(report: &Value) {
    const SORTS: [&str; 5] = ["compared", "bound", "fed", "mismatched", "unsupported"];
    let calls = number(report, "calls");
    assert_eq!(calls, number(report, "in_scope") + number(report, "out_of_scope"), "{report}");
    let sum = |of: &Value| SORTS.iter().map(|sort| number(of, sort)).sum::<u64>();
    assert_eq!(number(report, "in_scope"), sum(report), "{report}");
    let by_call = report["by_call"].as_object().expect("by_call");
    assert!(by_call.values().all(|call| number(call, "calls") == sum(call)), "{report}");
    for sort in SORTS {
        let all: u64 = by_call.values().map(|call| number(call, sort)).sum();
        assert_eq!(number(report, sort), all, "{sort}: {report}");
    }
    assert!(number(report, "fed_proc") <= number(report, "fed"), "{report}");
    assert!(number(report, "clean_prefix") <= calls, "{report}");
}

#[test]
fn recordings_replay_as_linux_did_and_their_traces_alike() {
    check_recordings(0);
}

#[test]
fn recordings_of_the_second_half_replay_as_linux_did() {
    check_recordings(1);
}

/// One half of them, so that neither takes longer than a test may.
fn check_recordings(half: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| text_of(&folder.path().join(name)).to_owned();
    for recording in recordings().into_iter().skip(half).step_by(2) {
        let run = tickernel(&["replay", text_of(&recording), "--json"]);
        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "{recording:?}");
        let report = run.json();
        check_sums(&report);
        assert_eq!(report["first_mismatch"], Value::Null);
        assert_eq!(report["clean_prefix"], report["calls"]);
        // Files of the machine's /proc and /sys apart, which a kernel cannot know.
        let fed = number(&report, "fed") - number(&report, "fed_proc");
        assert!(fed * 100 <= number(&report, "in_scope") * 3, "{report}");

        let (trace, twin, back) = (at("it.trace"), at("it.jsonl"), at("back.trace"));
        let run = tickernel(&["import", text_of(&recording), "-o", &trace, "--json"]);
        assert_eq!(
            (run.status, &run.json()["digest"]),
            (Some(0), &report["digest"]),
            "{}",
            run.err
        );
        let run = tickernel(&["replay", &trace, "--json"]);
        let again = run.json();
        assert_eq!((run.status, &again["format"]), (Some(0), &"trace".into()), "{}", run.err);
        assert_eq!(again["digest"], report["digest"]);
        let run = tickernel(&["dump", &trace]);
        assert_eq!(run.status, Some(0), "{}", run.err);
        let events = run.out.lines().filter(|line| line.starts_with("{\"seq\":")).count();
        assert_eq!(events as u64, number(&report, "events"));
        fs::write(&twin, &run.out).expect("written");
        let run = tickernel(&["import", &twin, "-o", &back]);
        assert_eq!((run.status, run.out.as_str()), (Some(0), ""), "{}", run.err);
        assert!(fs::read(&trace).expect("read") == fs::read(&back).expect("read"));
        let run = tickernel(&["digest", &twin, "--json"]);
        assert_eq!((run.status, &run.json()["digest"]["all"]), (Some(0), &report["digest"]));
        let run = tickernel(&["digest", &twin]);
        let last = run.out.lines().last().map(str::to_owned);
        assert_eq!(last, report["digest"].as_str().map(|digest| format!("all {digest}")));
    }
}

#[test]
fn a_dump_in_straces_form_imports_again() {
    let session = Session::new("dash-pipeline");
    let file = session.put("it.strace", &session.text);
    let (text, side) = (session.path("again.strace"), session.path("again.meta.json"));
    let run = tickernel(&["dump", &file, "--strace", "--meta", &side]);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    assert!(run.out.lines().any(|line| line.contains("+++ exited with 0 +++")), "{}", run.out);
    fs::write(&text, &run.out).expect("written");
    let run = tickernel(&["replay", &text, "--json"]);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    check_sums(&run.json());

    // What stands before a damage is printed.
    let trace = session.path("it.trace");
    let run = tickernel(&["import", &file, "-o", &trace]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let whole = tickernel(&["dump", &trace, "--strace"]);
    let bytes = fs::read(&trace).expect("read");
    fs::write(&trace, &bytes[..bytes.len() - 9]).expect("written");
    let cut = tickernel(&["dump", &trace, "--strace"]);
    assert_eq!((whole.status, cut.status), (Some(0), Some(2)), "{}", cut.err);
    assert!(cut.err.contains("what stands before it was printed"), "{}", cut.err);
    assert!(!cut.out.is_empty() && whole.out.starts_with(cut.out.trim_end_matches('\n')));
    let run = tickernel(&["dump", &trace, "--strace", "--json"]);
    check_bad(&run, "both forms");
}

/// `dump FILE | head` ends quietly in both forms.
#[test]
fn a_dump_into_a_closed_pipe_ends_quietly() {
    let session = Session::new("dash-pipeline");
    let file = session.put("it.strace", &session.text);
    for form in ["--json", "--strace"] {
        let (gone, kept) = std::os::unix::net::UnixStream::pair().expect("a pair");
        drop(kept);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickernel"));
        command.args(["dump", &file, form]).stdout(std::os::fd::OwnedFd::from(gone));
        let out = command.stderr(std::process::Stdio::piped()).output().expect("it runs");
        assert_eq!((out.status.code(), out.stderr.as_slice()), (Some(0), &b""[..]), "{form}");
    }
}

/// Line numbers at the end of their type are numbers like others.
#[test]
fn the_last_line_number_is_dumped() {
    let session = Session::new("dash-pipeline");
    let lines = format!("[{},0]", u64::MAX);
    let twin = format!("{{\"twin\":1}}\n{{\"lines\":{lines},\"pid\":1,\"call\":\"getpid\"}}\n");
    let file = session.put("last.jsonl", twin.as_bytes());
    let run = tickernel(&["dump", "--strace", &file]);
    assert_eq!((run.status, run.out.lines().count()), (Some(0), 1), "{}", run.err);
}

/// What a person breaks in a twin is told with its place, and what stands before it is printed.
#[test]
fn an_edit_that_breaks_a_twin_is_told() {
    let session = Session::new("dash-pipeline");
    let file = session.put("it.strace", &session.text);
    let twin = tickernel(&["dump", &file]).out;
    let edit = |name: &str, edit: &dyn Fn(usize, &str) -> String| {
        let lines = twin.lines().enumerate().map(|(at, line)| edit(at + 1, line));
        session.put(name, lines.collect::<String>().as_bytes())
    };
    let without = edit("without.jsonl", &|number, line| {
        if number == 100 { String::new() } else { format!("{line}\n") }
    });
    let broken = edit("broken.jsonl", &|number, line| {
        let line = if number == 100 { line.trim_end_matches('}') } else { line };
        format!("{line}\n")
    });
    let cases = [(without, "line 100: \"seq\" is 99, but 98 comes next"), (broken, "line 100: ")];
    for (file, why) in cases {
        let run = tickernel(&["replay", &file, "--json"]);
        let report = run.json();
        assert_eq!((run.status, &report["damage"]["line"]), (Some(2), &100.into()), "{report}");
        assert!(report["damage"]["why"].as_str().expect("why").starts_with(why), "{report}");
        assert_eq!(number(&report, "events"), 98);
        let run = tickernel(&["dump", &file, "--strace"]);
        assert_eq!((run.status, run.err.lines().count()), (Some(2), 1), "{}", run.err);
        assert!(run.err.contains(why) && run.out.lines().count() > 50, "{}", run.err);
    }
    // Another answer of Linux is a mismatch on the recording's line.
    let lied = edit("lied.jsonl", &|number, line| {
        let line = if number == 2 { line.replace("\"ok\":0", "\"ok\":7") } else { line.into() };
        format!("{line}\n")
    });
    let run = tickernel(&["replay", &lied, "--json"]);
    let first = &run.json()["first_mismatch"];
    assert_eq!((run.status, &first["line"], &first["seq"]), (Some(1), &1.into(), &0.into()));
    assert_eq!((&first["recorded"], &first["simulated"]), (&"= 7".into(), &"= 0".into()));
}

#[test]
fn until_ends_after_its_event() {
    let recordings = recordings();
    let file = text_of(&recordings[0]);
    let events = |until: &str| {
        let run = tickernel(&["replay", file, "--json", "--until", until]);
        assert_eq!(run.status, Some(0), "{}", run.err);
        number(&run.json(), "events")
    };
    assert_eq!((events("0"), events("99")), (1, 100));
    assert_eq!(
        events("99999999"),
        number(&tickernel(&["replay", file, "--json"]).json(), "events")
    );
}

#[test]
fn a_changed_answer_is_found_and_may_end_the_replay() {
    let session = Session::new("dash-pipeline");
    let text = String::from_utf8(session.text.clone()).expect("ASCII");
    let lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains(" dup2(") && line.contains(" = "))
        .expect("such a call");
    let (call, _) = lines[at].split_once(" = ").expect("a result");
    let changed = format!("{call} = 77777");
    let mut wrong = lines.clone();
    wrong[at] = &changed;
    let file = session.put("it.strace", (wrong.join("\n") + "\n").as_bytes());

    let run = tickernel(&["replay", &file, "--json"]);
    let report = run.json();
    check_sums(&report);
    assert!(run.status == Some(1) && number(&report, "mismatched") > 0, "{report}");
    let first = &report["first_mismatch"];
    assert_eq!(number(first, "line"), at as u64 + 1, "{report}");
    for name in ["seq", "pid", "call", "recorded", "simulated", "why"] {
        assert!(!first[name].is_null(), "{name}: {report}");
    }
    assert_ne!(first["recorded"], first["simulated"], "{report}");

    let run = tickernel(&["replay", &file, "--json", "--no-force"]);
    let stopped = run.json();
    assert_eq!(run.status, Some(1), "{}", run.err);
    assert_eq!(&stopped["first_mismatch"], first);
    assert!(number(&stopped, "calls") < number(&report, "calls"), "{stopped}");

    let run = tickernel(&["import", &file, "-o", &session.path("it.trace")]);
    assert_eq!(run.status, Some(0), "written, mismatches or not: {}", run.err);
}

#[test]
fn a_call_that_is_not_known_is_unsupported() {
    let session = Session::new("dash-pipeline");
    let text = String::from_utf8(session.text.clone()).expect("ASCII");
    let first = text.lines().find(|line| line.contains(" getppid()")).expect("such a call");
    let other = first.replace("getppid()", "fanotify_init(0, O_RDONLY)");
    let file = session.put("it.strace", text.replace(first, &other).as_bytes());
    let run = tickernel(&["replay", &file, "--json"]);
    assert_eq!((run.status, number(&run.json(), "unsupported")), (Some(1), 1), "{}", run.out);
    let run = tickernel(&["replay", &file, "--json", "--allow-unsupported"]);
    assert_eq!((run.status, number(&run.json(), "unsupported")), (Some(0), 1), "{}", run.out);
}

/// A run on bad input: status 2, one line of error, and a report, if any, that holds the damage.
fn check_bad(run: &Run, what: &str) {
    assert_eq!(run.status, Some(2), "{what}: {}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{what}: {}", run.err);
    assert!(run.err.starts_with("tickernel: "), "{what}: {}", run.err);
    if !run.out.is_empty() {
        let report = run.json();
        check_sums(&report);
        assert!(report["damage"]["why"].is_string(), "{what}: {report}");
    }
}

/// What `strace -c` prints in place of the calls.
const SUMMARY: &[u8] = b"% time     seconds  usecs/call     calls    errors syscall\n\
    ------ ----------- ----------- --------- --------- ----------------\n  \
    0.00    0.000000           0        18         1 close\n";

#[test]
fn what_cannot_be_read_is_one_line_that_names_the_file() {
    let session = Session::new("dash-pipeline");
    let cases: [(&str, &[u8]); 7] = [
        ("empty.strace", b""),
        ("empty.trace", b""),
        ("blank.strace", b"\n"),
        ("elf", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0"),
        ("picture.strace", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("noise.zst", b"(\xb5/\xfd not really"),
        ("summary.strace", SUMMARY),
    ];
    for (name, bytes) in cases {
        let file = session.put(name, bytes);
        for command in ["replay", "digest", "dump"] {
            let run = tickernel(&[command, &file, "--json"]);
            check_bad(&run, name);
            assert!(run.err.contains(&file), "{command}: {}", run.err);
            assert_eq!(run.err.contains("record without -c"), bytes == SUMMARY, "{}", run.err);
        }
    }
    for file in [session.path("none.strace"), session.path("")] {
        let run = tickernel(&["replay", &file, "--json"]);
        check_bad(&run, &file);
        assert!(run.out.is_empty() && run.err.contains(&file), "{}", run.err);
    }
}

#[test]
fn a_mistake_in_the_arguments_is_one_line() {
    let cases: [&[&str]; 5] = [
        &["replay"],
        &["repaly", "x"],
        &["replay", "x", "--jsno"],
        &["replay", "x", "--until", "soon"],
        &["drive", "--profile", "plan9"],
    ];
    for arguments in cases {
        check_bad(&tickernel(arguments), &format!("{arguments:?}"));
    }
}

#[test]
fn what_stands_before_a_cut_is_replayed() {
    let session = Session::new("mkfifo-two");
    let text = &session.text;
    for percent in (5..100).step_by(10) {
        // In the middle of a line.
        let newline = text[text.len() * percent / 100..].iter().position(|byte| *byte == b'\n');
        let end = text.len() * percent / 100 + newline.expect("a line ends") + 10;
        let run = tickernel(&["replay", &session.put("it.strace", &text[..end]), "--json"]);
        check_bad(&run, &format!("{percent} %"));
        let report = run.json();
        let line = text[..end].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        assert_eq!(number(&report["damage"], "line"), line, "{report}");
        assert!(number(&report, "calls") > 0, "{report}");
        assert_eq!(number(&report, "mismatched"), 0, "{report}");
    }
}

#[test]
fn a_damaged_trace_gives_what_stands_before() {
    let session = Session::new("mkfifo-two");
    let (file, trace) = (session.put("it.strace", &session.text), session.path("it.trace"));
    assert_eq!(tickernel(&["import", &file, "-o", &trace]).status, Some(0));
    let whole = fs::read(&trace).expect("read");
    for twentieth in 0..20 {
        let at = whole.len() * twentieth / 20 + 3;
        let cut = session.put("cut.trace", &whole[..at]);
        check_bad(&tickernel(&["replay", &cut, "--json"]), &format!("cut at {at}"));
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        let flipped = session.put("flipped.trace", &flipped);
        check_bad(&tickernel(&["replay", &flipped, "--json"]), &format!("flipped at {at}"));
    }
    // What of the recording cannot be read was not checked.
    let torn = session.put("torn.strace", &session.text[..session.text.len() - 5]);
    let verified = tickernel(&["verify", &torn, &trace, "--json"]);
    assert_eq!(verified.status, Some(2), "{}{}", verified.out, verified.err);
    assert!(verified.err.contains("torn"), "{}", verified.err);
    assert_eq!(verified.json()["damage"]["line"], session.text.split(|b| *b == b'\n').count() - 1);
    // What it holds is no certificate, and what it does not hold nobody knows.
    let cut = session.put("cut.trace", &whole[..whole.len() / 2]);
    let told = tickernel(&["verify", &file, &trace]);
    assert_eq!((told.status, told.out.as_str()), (Some(0), ""), "{}", told.err);
    assert!(told.err.ends_with("\nvalid\n"), "{}", told.err);
    let verified = tickernel(&["verify", &file, &cut, "--json"]);
    assert_eq!(verified.status, Some(2), "{}{}", verified.out, verified.err);
    assert_eq!(verified.json()["damaged"], true);
}

#[test]
fn a_recording_without_end_is_read_up_to_a_limit() {
    let text = "1 getpid() = 1\n".repeat(20_000);
    let recording = tickernel::strace::Events::new(text.as_bytes()).read_all_within(1 << 17);
    let error = recording.error.expect("too large");
    assert!(error.to_string().contains("shorter part"), "{error}");
    assert_eq!(recording.events.len(), 2 * (error.line - 1));
    assert!((1_000..19_000).contains(&error.line), "{error}");
}

/// Without a side file the group of the first process is known from a child that asks for it.
#[test]
fn a_child_tells_the_group_of_its_parent() {
    let session = Session::new("dash-pipeline");
    let text = concat!(
        "7 fork() = 8\n",
        "8 getpgrp() = 5\n",
        "8 setpgid(0, 0) = 0\n",
        "8 getpgrp() = 8\n",
        "8 exit_group(0) = ?\n",
        "8 +++ exited with 0 +++\n",
        "7 getpgrp() = 5\n",
        "7 exit_group(0) = ?\n",
        "7 +++ exited with 0 +++\n",
    );
    let run = tickernel(&["replay", &session.put("group.strace", text.as_bytes()), "--json"]);
    assert_eq!((run.status, number(&run.json(), "mismatched")), (Some(0), 0), "{}", run.out);
}

#[test]
fn what_a_cut_packing_still_gives_is_replayed() {
    let session = Session::new("mkfifo-two");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, &session.text).expect("packed");
    let packed = packer.finish().expect("packed");
    let file = session.put("it.strace.gz", &packed[..packed.len() * 3 / 4]);
    let run = tickernel(&["replay", &file, "--json"]);
    check_bad(&run, "cut");
    let report = run.json();
    assert!(number(&report, "calls") > 100 && number(&report, "mismatched") == 0, "{report}");
    assert!(report["damage"]["why"].to_string().contains("unpacking"), "{report}");
}

#[test]
fn what_a_cut_twin_still_gives_is_replayed() {
    let session = Session::new("mkfifo-two");
    let mut text = String::from("{\"twin\":1}\n");
    for number in 0..4000 {
        text += &format!("{{\"pid\":1,\"call\":\"umask\",\"mask\":{}}}\n", number % 512);
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, text.as_bytes()).expect("packed");
    let packed = packer.finish().expect("packed");
    let file = session.put("it.jsonl.gz", &packed[..packed.len() / 2]);
    let digest = tickernel(&["digest", &file, "--json"]);
    assert_eq!(digest.status, Some(2), "{}", digest.err);
    assert!(digest.json()["digest"]["all"].is_string(), "{}", digest.out);
    let run = tickernel(&["replay", &file, "--json"]);
    check_bad(&run, "cut twin");
    let report = run.json();
    let calls = number(&report, "calls");
    assert!((100..4000).contains(&calls) && number(&report, "mismatched") == 0, "{report}");
    assert_eq!(number(&report["damage"], "line"), calls + 2, "{report}");
}

#[test]
fn a_side_file_with_a_bad_field_is_damage() {
    let session = Session::new("mkfifo-two");
    let file = session.put("bad.strace", &session.text);
    session.put("bad.meta.json", b"{\n \"uid\": 0,\n \"umask\": \"0o9\"\n}");
    let run = tickernel(&["replay", &file, "--json"]);
    check_bad(&run, "bad umask");
    let report = run.json();
    let why = report["damage"]["why"].to_string();
    assert!(why.contains("umask") && why.contains("0o9"), "{why}");
    assert_eq!(number(&report["damage"], "line"), 3, "{report}");
    // A log of the terminal beside it, even a broken one, is in nobody's way.
    session.put("bad.meta.json", b"{}");
    session.put("bad.pty.json", b"[[0.1, \"in\"");
    let run = tickernel(&["replay", &file, "--json"]);
    assert_eq!((run.status, number(&run.json(), "mismatched")), (Some(0), 0), "{}", run.out);
}

/// What a side file that cannot be used leaves: the recording, replayed as without it.
#[test]
fn a_side_file_that_cannot_be_used_is_damage_and_no_more() {
    let session = Session::new("dash-pipeline");
    let file = session.put("side.strace", &session.text);
    let alone = tickernel(&["replay", &file, "--json"]).json();
    let first = String::from_utf8_lossy(&session.text);
    let root = first.split_whitespace().next().expect("a pid").to_owned();
    let cases: [(&str, &str, u64); 5] = [
        ("", "EOF", 0),
        ("{\n\"uid\": \"me\"}", "invalid type", 2),
        ("{\n\n\"root_pid\": 99}", "another session", 3),
        ("{\"root_pid\": 4194305}", "root_pid", 1),
        ("[]", "object", 0),
    ];
    for (text, why, line) in cases {
        session.put("side.meta.json", text.as_bytes());
        let run = tickernel(&["replay", &file, "--json"]);
        check_bad(&run, text);
        let report = run.json();
        let told = report["damage"]["why"].to_string();
        assert!(told.contains("side file") && told.contains(why), "{told}");
        if line > 0 {
            assert_eq!(number(&report["damage"], "line"), line, "{report}");
        }
        for sort in ["calls", "compared", "bound", "fed", "mismatched", "unsupported"] {
            assert_eq!(report[sort], alone[sort], "{text}: {report}");
        }
    }
    session.put("side.meta.json", format!("{{\"root_pid\": {root}}}").as_bytes());
    assert_ne!(tickernel(&["replay", &file]).status, Some(2));
}

/// Exit statuses without anybody who could read why.
#[test]
fn standard_error_need_not_be_writable() {
    let session = Session::new("dash-pipeline");
    let file = session.put("it.strace", &session.text);
    let out = session.path("out.trace");
    let cases: [(&[&str], Option<i32>, Option<i32>); 5] = [
        (&["replay", &file], Some(0), Some(2)),
        (&["import", &file, "-o", &out], Some(0), Some(2)),
        (&["digest", "/nowhere"], Some(2), Some(2)),
        (&["repaly"], Some(2), Some(2)),
        (&["dump", "/dev/null"], Some(2), Some(2)),
    ];
    for (arguments, closed, full) in cases {
        let run = |error: std::process::Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tickernel"));
            command.args(arguments).stderr(error).stdout(std::process::Stdio::null());
            command.status().expect("the command starts").code()
        };
        let (gone, kept) = std::os::unix::net::UnixStream::pair().expect("a pair");
        drop(kept);
        assert_eq!(run(std::os::fd::OwnedFd::from(gone).into()), closed, "{arguments:?}");
        let device = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
        assert_eq!(run(device.into()), full, "{arguments:?}");
    }
}

#[test]
fn neither_import_nor_dump_writes_over_its_input() {
    let session = Session::new("dash-pipeline");
    let file = session.put("it.strace", &session.text);
    let (linked, other) = (session.path("link.strace"), session.path("hard.strace"));
    std::os::unix::fs::symlink(&file, &linked).expect("linked");
    fs::hard_link(&file, &other).expect("linked");
    for output in [&file, &linked, &other] {
        let run = tickernel(&["import", &file, "-o", output]);
        check_bad(&run, output);
        assert!(run.err.contains("-o"), "{}", run.err);
        assert!(fs::read(&file).expect("still there") == session.text);
        let run = tickernel(&["dump", "--strace", "--meta", output, &file]);
        check_bad(&run, output);
        assert!(run.err.contains("--meta"), "{}", run.err);
        assert!(fs::read(&file).expect("still there") == session.text);
    }
}

#[test]
fn the_report_lists_further_mismatches_and_says_what_the_status_is_for() {
    let session = Session::new("dash-pipeline");
    let mut text = String::from("7 getpid() = 7\n");
    for wrong in 100..130 {
        text += &format!("7 getpid() = {wrong}\n");
    }
    let file = session.put("wrong.strace", text.as_bytes());
    let report = tickernel(&["replay", &file, "--json"]).json();
    let more = report["more_mismatches"].as_array().expect("a list");
    assert_eq!((more.len(), number(&report, "mismatched")), (20, 30));
    assert_eq!((number(&more[0], "line"), more[0]["recorded"].as_str()), (3, Some("= 101")));
    let text = tickernel(&["replay", &file]).err;
    assert!(text.contains("then line 3,") && text.contains("and 24 more"), "{text}");

    let file = session.put("unknown.strace", b"7 bogus(1) = 0\n7 getpid() = 7\n");
    let run = tickernel(&["replay", &file]);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("no mismatch, but 1 calls"), "{}", run.err);
    assert!(!run.err.contains("number=1000"), "{}", run.err);
}

/// Numbers, times and structures in the report are written as elsewhere, not as Rust would.
#[test]
fn a_mismatch_is_told_in_the_words_of_the_twin() {
    let session = Session::new("dash-pipeline");
    let text = concat!(
        "7 nanosleep({tv_sec=1, tv_nsec=5}, NULL) = 0\n",
        "7 pipe([3, 4]) = 0\n",
        "7 pselect6(5, [3 4], NULL, NULL, {tv_sec=0, tv_nsec=7}, NULL) = 1 (in [4])\n",
        "7 getgroups(0, NULL) = 3\n",
    );
    let file = session.put("debug.strace", text.as_bytes());
    let text = tickernel(&["replay", &file]).err;
    for debug in ["Timespec", "Numbers", "Time(", "Select(", "Some("] {
        assert!(!text.contains(debug), "{debug}: {text}");
    }
    let file = session.put("twice.strace", b"7 getpid( <unfinished ...>\n7 getpid() = 7\n");
    let text = tickernel(&["replay", &file]).err;
    assert!(text.contains("task 7 enters"), "{text}");
}

#[test]
fn a_recording_may_come_on_standard_input() {
    let session = Session::new("dash-pipeline");
    let (packed, plain) = (traces().join("dash-pipeline.strace.zst"), "it.strace");
    let from = |path: &str| {
        let input = fs::File::open(path).expect("there");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickernel"));
        let done = command.args(["replay", "-", "--json"]).stdin(input).output().expect("started");
        serde_json::from_slice::<Value>(&done.stdout).expect("a report")
    };
    let unpacked = session.put(plain, &session.text);
    let (one, other) = (from(text_of(&packed)), from(&unpacked));
    assert_eq!(
        (number(&one, "calls"), &one["digest"]),
        (number(&other, "calls"), &other["digest"])
    );
    assert!(number(&one, "calls") > 100, "{one}");
}

#[test]
fn numbers_that_linux_does_not_have_are_refused() {
    let session = Session::new("dash-pipeline");
    let file = session.put("pid.strace", b"2147483647 getpid() = 2147483647\n");
    let run = tickernel(&["replay", &file]);
    check_bad(&run, "pid");
    assert!(run.err.contains("line 1") && run.err.contains("beyond"), "{}", run.err);
    let file = session.put("sig.strace", b"1 getpid() = 1\n1 --- SIG99999 {} ---\n");
    let run = tickernel(&["replay", &file, "--json"]);
    check_bad(&run, "signal");
    assert_eq!(number(&run.json()["damage"], "line"), 2);
}

#[test]
fn drive_lists_its_calls() {
    let run = tickernel(&["drive", "--calls"]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let lines: Vec<&str> = run.out.lines().collect();
    assert!(lines.contains(&"getpid"), "{}", run.out);
    let openat = "openat [dirfd: descriptor or AT_FDCWD], path: text, flags: flags, mode: mode";
    let line = lines.iter().find(|line| line.starts_with("openat "));
    assert_eq!(line.copied(), Some(openat));
    let calls = tickernel_systems::event::Call::NAMES.len();
    assert!(lines.contains(&r#""op":"advance" ns"#), "{}", run.out);
    assert_eq!(lines.len(), calls + tickernel::drive::OPS.len());
}
