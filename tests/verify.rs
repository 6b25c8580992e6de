//! The certificate of an import (`tickernel verify`): those of the kept sessions hold, and one that
//! was tampered with does not.

use std::path::{Path, PathBuf};
use tickernel::replay::{Expected, FED, Recorded, Role};
use tickernel::strace::Recording;
use tickernel::trace::{Header, Item, Record, TraceReader, TraceWriter};
use tickernel::verify::{Certificate, check};
use tickernel_systems::event::Event;
use tickernel_systems::wire::{Wire, WireReader};

fn traces(end: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    files.sort();
    files
}

/// The text of a recording and the trace that is made of it.
fn imported(path: &Path) -> (Recording, Vec<u8>) {
    let text = tickernel::import::read_text(path).unwrap().expect("a recording");
    let read = tickernel::import::read(path, &Default::default()).unwrap();
    let tickernel::import::Source::Recording(recording) = read.source else {
        panic!("{}: no recording", path.display())
    };
    (text, recording.write(Vec::new()).unwrap())
}

#[derive(Clone)]
struct Owned {
    event: Vec<u8>,
    expected: Option<Vec<u8>>,
    lines: Option<(u64, u64)>,
}

impl Owned {
    fn expected(&self) -> Option<Expected> {
        self.expected.as_deref().map(|bytes| Expected::from_bytes(bytes).unwrap())
    }

    fn is_call(&self) -> bool {
        matches!(Event::get(&mut WireReader::new(&self.event)), Ok(Event::Call { .. }))
            && self.expected().is_some_and(|expected| expected.role == Role::Call)
    }
}

/// The trace with other events.
fn tampered(trace: &[u8], change: impl FnOnce(&mut Vec<Owned>)) -> Vec<u8> {
    let mut reader = TraceReader::new(trace).unwrap();
    let image = reader.read_image(1 << 30).unwrap();
    let header = Header { ..reader.header().clone() };
    let mut all = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Event(event) = item {
            let Record { event, expected, lines, .. } = event.record;
            let (event, expected) = (event.to_vec(), expected.map(<[u8]>::to_vec));
            all.push(Owned { event, expected, lines });
        }
    }
    change(&mut all);
    let mut writer = TraceWriter::new(Vec::new(), &header, &image).unwrap();
    for (tick, owned) in all.iter().enumerate() {
        let record = Record {
            event: &owned.event,
            expected: owned.expected.as_deref(),
            lines: owned.lines,
            flags: 0,
        };
        writer.append(tick as u64, &record, 0).unwrap();
    }
    writer.finish(&[], 0).unwrap().out
}

fn session() -> (Recording, Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/dash-pipeline.strace.zst");
    imported(&path)
}

/// Why the changed trace is refused.
fn refused(change: impl FnOnce(&mut Vec<Owned>)) -> String {
    let (text, trace) = session();
    let found = check(&text, &tampered(&trace, change)).unwrap();
    assert!(!found.valid, "{found:?}");
    found.fault.expect("a certificate that does not hold says why").why
}

fn change(owned: &mut Owned, change: impl FnOnce(&mut Expected)) {
    let mut expected = owned.expected().expect("an expected answer");
    change(&mut expected);
    owned.expected = Some(expected.to_bytes());
}

#[test]
fn the_certificates_of_the_kept_sessions_hold() {
    check_certificates(0);
}

#[test]
fn the_certificates_of_the_second_half_hold() {
    check_certificates(1);
}

/// Of one half of the sessions, so that neither takes longer than a test may.
fn check_certificates(half: usize) {
    let files = traces(".strace.zst");
    assert!(files.len() >= 4, "{files:?}");
    for path in files.into_iter().skip(half).step_by(2) {
        let (text, trace) = imported(&path);
        let found = check(&text, &trace).unwrap();
        let Certificate { valid, calls, ordered, compared, .. } = found;
        assert!(valid, "{}: {:?}", path.display(), found.fault);
        assert_eq!(calls, text.calls.count());
        // Most calls of every session are in scope.
        let most = calls / 2;
        assert!(ordered > most && compared > most, "{}: {ordered}, {compared}", path.display());
    }
}

/// Lines of a folder's files count as those of one file: of several tasks, too.
#[test]
fn the_certificate_of_a_folder_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strace_fixtures/ff");
    let (text, trace) = imported(&path);
    let found = check(&text, &trace).unwrap();
    assert!(found.valid, "{:?}", found.fault);
    assert_eq!(found.calls, text.calls.count());
    assert!(found.ordered > 50, "{}", found.ordered);
}

#[test]
fn writing_a_trace_again_changes_nothing_that_is_checked() {
    let (text, trace) = session();
    assert!(check(&text, &tampered(&trace, |_| ())).unwrap().valid);
}

/// A recording of a few lines, and the trace that is made of it.
fn imported_text(text: &str) -> (Recording, Vec<u8>) {
    let recording = tickernel::strace::Events::new(text.as_bytes()).read_all();
    let imported = tickernel::import::import(&recording, &Default::default()).unwrap();
    let (trace, _) = tickernel::replay::write(&imported, String::new(), Vec::new()).unwrap();
    (recording, trace)
}

/// Ends that no call brings about: in the middle of another, by a signal that kills nobody, or of
/// which no line tells.
#[test]
fn ends_that_the_import_brings_about_are_those_of_the_text() {
    let begin = "10 execve(\"/bin/sh\", [\"sh\"], []) = 0\n10 fork() = 11\n";
    let blocked = format!("{begin}11 read(0, 0x7f, 1) = ?\n");
    let other = [
        format!(
            "{blocked}11 +++ exited with 3 +++\n10 exit_group(0) = ?\n10 +++ exited with 0 +++\n"
        ),
        format!("{blocked}11 +++ killed by SIGWINCH +++\n10 +++ exited with 0 +++\n"),
        format!("{blocked}10 wait4(-1, [{{WIFEXITED(s) && WEXITSTATUS(s) == 3}}], 0, NULL) = 11\n"),
        format!(
            "{blocked}10 wait4(-1, [{{WIFSIGNALED(s) && WTERMSIG(s) == SIGHUP}}], 0, NULL) = 11\n"
        ),
    ];
    for text in &other {
        let (recording, trace) = imported_text(text);
        assert_eq!(check(&recording, &trace).unwrap().fault, None, "{text}");
    }
    let (_, trace) = imported_text(&other[0]);
    let text = other[0].replace("with 3", "with 4");
    let found = check(&imported_text(&text).0, &trace).unwrap().fault.expect("another status");
    assert_eq!(found.line, Some(4), "{found:?}");
}

/// Lines without a pid stand for the first task, which may be in a call by other lines.
#[test]
fn a_call_of_a_task_that_is_in_another_leaves_out_none() {
    let text = "10 execve(\"/bin/sh\", [\"sh\"], []) = 0\n\
        10 pipe2([3<pipe:[7]>, 4<pipe:[7]>], 0) = 0\n\
        10 read(3<pipe:[7]>, <unfinished ...>\n\
        write(4<pipe:[7]>, \"hello\", 5) = 5\n\
        10 <... read resumed>\"hello\", 100) = 5\n";
    let (recording, trace) = imported_text(text);
    let found = check(&recording, &trace).unwrap();
    assert_eq!((found.fault, found.calls, found.fed), (None, 4, 1));
}

/// A call was interrupted, and no line tells what did so: it is given up when its task goes on.
#[test]
fn a_call_that_is_given_up_late_has_its_place() {
    let text = "10 execve(\"/bin/sh\", [\"sh\"], []) = 0\n\
        10 pipe2([3<pipe:[7]>, 4<pipe:[7]>], 0) = 0\n\
        10 fork() = 11\n\
        11 read(3<pipe:[7]>, 0x7f, 100) = -1 EINTR (Interrupted system call)\n\
        10 dup(3<pipe:[7]>) = 5<pipe:[7]>\n\
        11 exit_group(0) = ?\n\
        11 +++ exited with 0 +++\n";
    let (recording, trace) = imported_text(text);
    assert_eq!(check(&recording, &trace).unwrap().fault, None);
}

/// Of a damaged recording what stands before is checked, and the damage is named. A call that was
/// open there may be in the trace or not; one whose task ended before may not be left out.
#[test]
fn the_damage_of_a_recording_is_named() {
    let head = "10 execve(\"/bin/sh\", [\"sh\"], []) = 0\n10 pipe2([3, 4], 0) = 0\n\
        10 fork() = 11\n";
    let open = format!("{head}10 read(3, <unfinished ...>\n11 getpid() = 11\n");
    for damage in ["10 close(4) = 0\n", "garbage line here\n", "11 close(4"] {
        let (recording, trace) = imported_text(&format!("{open}{damage}"));
        let found = check(&recording, &trace).unwrap();
        assert_eq!((found.fault, found.valid, found.damaged), (None, true, true), "{damage}");
        assert_eq!(found.damage.expect("it is named").line, Some(6), "{damage}");
    }
    let ended = format!("{head}11 exit_group(0) = ?\n11 +++ exited with 0 +++\ngarbage here\n");
    let (recording, trace) = imported_text(&ended);
    let whole = check(&recording, &trace).unwrap();
    assert_eq!((whole.fault, whole.damaged), (None, true));
    let less = tampered(&trace, |all| {
        let ends = all.iter().rposition(|one| one.lines.is_some_and(|lines| lines.0 == 4));
        all.remove(ends.expect("its end"));
    });
    let fault = check(&recording, &less).unwrap().fault.expect("an end is left out");
    assert_eq!(fault.line, Some(4), "{fault:?}");
}

#[test]
fn an_effect_after_its_call_returned_is_found() {
    let why = refused(|all| {
        let first = all.iter().position(Owned::is_call).unwrap();
        let second = first + 1 + all[first + 1..].iter().position(Owned::is_call).unwrap();
        all.swap(first, second);
    });
    assert!(why.contains("it takes effect after"), "{why}");
}

#[test]
fn a_call_that_is_left_out_is_found() {
    let why = refused(|all| {
        let at = all.iter().rposition(Owned::is_call).unwrap();
        all.remove(at);
    });
    assert!(why.contains("not in the trace"), "{why}");
}

#[test]
fn a_call_that_stands_twice_is_found() {
    let why = refused(|all| {
        let at = all.iter().position(Owned::is_call).unwrap();
        all.insert(at, all[at].clone());
    });
    assert!(why.contains("twice"), "{why}");
}

#[test]
fn another_value_than_the_texts_is_found() {
    let why = refused(|all| {
        let answers = |owned: &&mut Owned| {
            owned.is_call()
                && owned.expected().is_some_and(|expected| {
                    expected.flags == 0 && matches!(expected.recorded, Recorded::Value(1..))
                })
        };
        let one = all.iter_mut().find(answers).unwrap();
        change(one, |expected| expected.recorded = Recorded::Value(123_456));
    });
    assert!(why.contains("123456"), "{why}");
}

#[test]
fn other_bytes_than_the_texts_are_found() {
    use tickernel_systems::event::Payload;
    let why = refused(|all| {
        let reads = |owned: &&mut Owned| {
            owned.is_call()
                && owned.expected().is_some_and(|expected| {
                    expected.flags == 0
                        && matches!(&expected.payload, Payload::Data(data) if !data.0.is_empty())
                })
        };
        let one = all.iter_mut().find(reads).unwrap();
        change(one, |expected| {
            if let Payload::Data(data) = &mut expected.payload {
                data.0[0] ^= 1;
            }
        });
    });
    assert!(why.contains("wrote"), "{why}");
}

#[test]
fn feeding_what_may_not_be_fed_is_found() {
    let why = refused(|all| {
        let opens = |owned: &&mut Owned| {
            owned.expected().is_some_and(|expected| expected.name() == "openat")
        };
        change(all.iter_mut().find(opens).unwrap(), |expected| expected.flags |= FED);
    });
    assert!(why.contains("openat was fed"), "{why}");
}

#[test]
fn a_trace_that_is_cut_or_no_import_is_no_certificate() {
    let (text, trace) = session();
    let cut = check(&text, &trace[..trace.len() / 2]).unwrap();
    assert!(!cut.valid);
    assert!(check(&text, b"tkt").is_err());
    assert!(check(&text, &[]).is_err());
}
