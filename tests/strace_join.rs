//! Split calls put together, the time line, -ff folders, and that a parse loses nothing.

use std::fs;
use std::sync::Arc;

use tickernel::strace::{
    Call, Cut, Event, EventKind, Events, Lines, Reason, Recording, Value, read_dir_of_pids,
};

const STANDARD: &[u8] = include_bytes!("strace_fixtures/standard.strace");
const PLAIN: &[u8] = include_bytes!("strace_fixtures/plain.strace");
const RAW_HEX: &[u8] = include_bytes!("strace_fixtures/raw_hex.strace");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/strace_fixtures/ff");

fn read(text: &str) -> Recording {
    Events::new(text.as_bytes()).read_all()
}

fn events(recording: &Recording) -> Vec<Event> {
    recording.events.iter().collect()
}

fn call(recording: &Recording, index: u64) -> Arc<Call> {
    match recording.calls.get(index) {
        Some(call) => call,
        None => panic!("no call {index} in {recording:?}"),
    }
}

/// Events as short words.
fn words(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| match &event.kind {
            EventKind::Entry { call } => format!("in{call}"),
            EventKind::Exit { call } => format!("out{call}"),
            EventKind::Signal { name, .. } => name.to_string(),
            EventKind::Stopped { signal } => format!("stop {signal}"),
            EventKind::Exited { status } => format!("exit {status}"),
            EventKind::Killed { signal, .. } => format!("kill {signal}"),
            EventKind::Superseded { by } => format!("by {by}"),
            EventKind::Detached => "detached".to_owned(),
            EventKind::Notice(notice) => notice.to_string(),
        })
        .collect()
}

fn without_blanks(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| *byte != b' ').collect()
}

#[test]
fn a_standard_recording_prints_again_as_it_was() {
    for (place, (line, text)) in
        Lines::new(STANDARD).zip(STANDARD.split(|byte| *byte == b'\n')).enumerate()
    {
        let Ok(line) = line else { panic!("line {}: {line:?}", place + 1) };
        let printed = line.to_string();
        assert_eq!(
            String::from_utf8_lossy(&without_blanks(printed.as_bytes())),
            String::from_utf8_lossy(&without_blanks(text))
        );
    }
    assert_eq!(Lines::new(STANDARD).count(), 126);
}

#[test]
fn three_print_styles_of_one_program_hold_the_same_calls() {
    let shape = |text: &'static [u8]| {
        let recording = Events::new(text).read_all();
        assert!(recording.error.is_none(), "{:?}", recording.error);
        let mut shape: Vec<(String, usize, Option<String>)> = (0..recording.calls.count())
            .map(|index| call(&recording, index))
            .map(|call| {
                let result = call.result.as_ref().and_then(|result| result.errno.as_deref());
                (call.name.to_string(), call.args.len(), result.map(str::to_owned))
            })
            .collect();
        shape.sort();
        shape
    };
    let standard = shape(STANDARD);
    assert_eq!(standard.len(), 96);
    assert_eq!(standard, shape(PLAIN));
    assert_eq!(standard, shape(RAW_HEX));
}

#[test]
fn halves_make_one_call() {
    let recording = read(
        "1 read(5<pipe:[1]>,  <unfinished ...>\n\
         2 clone(child_stack=NULL, flags=0x11 <unfinished ...>\n\
         1 <... read resumed>\"x\", 10) = 1 <0.5>\n\
         2 <... clone resumed>, child_tidptr=0x7f) = 3\n\
         2 clone3({flags=0x1} <unfinished ...>\n\
         1 vfork( <unfinished ...>\n\
         2 <... clone3 resumed> => {parent_tid=[7]}, 88) = 7\n\
         1 <... vfork resumed>)       = 8\n",
    );
    assert!(recording.error.is_none(), "{:?}", recording.error);
    let expected = ["in0", "in1", "out0", "out1", "in2", "in3", "out2", "out3"];
    assert_eq!(words(&events(&recording)), expected);
    let read = call(&recording, 0);
    assert_eq!((read.tid, read.exit_tid), (Some(1), None));
    assert_eq!((read.args.len(), read.args_at_entry), (3, 1));
    assert_eq!((read.entry_line, read.exit_line), (Some(1), Some(3)));
    assert_eq!(read.args[1].as_bytes(), Some(b"x".as_slice()));
    assert_eq!(read.duration_ns, Some(500_000_000));
    assert_eq!(call(&recording, 1).named_arg("child_tidptr").and_then(Value::as_u64), Some(0x7f));
    let clone3 = call(&recording, 2);
    assert_eq!(clone3.args_at_entry, 1);
    let tid = clone3.args[0].field("parent_tid").and_then(Value::pointee);
    assert_eq!(tid.and_then(Value::number), Some(7));
    assert_eq!(call(&recording, 3).result.as_ref().and_then(|it| it.number()), Some(8));
}

#[test]
fn calls_without_exit_or_without_entry() {
    let recording = read(
        "1 <... read resumed>\"x\", 10) = 1\n\
         2 <... clone resumed>, child_tidptr=0x7f) = 3\n\
         1 pause( <unfinished ...>\n\
         2 wait4(-1,  <unfinished ...>\n\
         2 <... wait4 resumed> <unfinished ...>) = ?\n\
         1 +++ killed by SIGKILL +++\n\
         2 +++ exited with 3 +++\n\
         3 wait4(-1,  <detached ...>\n\
         4 read(0,  <unfinished ...>\n\
         4 <... read resumed> <detached ...>\n",
    );
    assert!(recording.error.is_none(), "{:?}", recording.error);
    let first = call(&recording, 0);
    assert_eq!((first.entry_line, first.exit_line, first.args_at_entry), (None, Some(1), 0));
    assert_eq!(first.args.len(), 2);
    assert!(call(&recording, 1).named_arg("child_tidptr").is_some());
    let pause = call(&recording, 2);
    assert!(pause.result.is_none() && pause.exit_line.is_none());
    let wait = call(&recording, 3);
    assert!(wait.result.as_ref().is_some_and(|result| result.value.is_none()));
    assert_eq!(call(&recording, 4).cut, Some(Cut::Detached));
    assert_eq!(call(&recording, 5).cut, Some(Cut::Detached));
    let expected = [
        "out0",
        "out1",
        "in2",
        "in3",
        "out3",
        "kill SIGKILL",
        "exit 3",
        "in4",
        "detached",
        "in5",
        "detached",
    ];
    assert_eq!(words(&events(&recording)), expected);
}

#[test]
fn an_execve_of_a_thread_goes_on_as_the_leader() {
    // The leader's end is printed before (its own line), or the thread's line changes its pid.
    let interrupted = "10 pause( <unfinished ...>\n\
         11 execve(\"x\", [\"x\"], [] <unfinished ...>\n\
         10 <... pause resumed> <unfinished ...>) = ?\n";
    let changed = "10 pause( <unfinished ...>\n\
         11 execve(\"x\", [\"x\"], [] <pid changed to 10 ...>\n";
    for before in [interrupted, changed] {
        let recording = read(&format!(
            "{before}10 +++ superseded by execve in pid 11 +++\n\
             10 <... execve resumed>) = 0\n\
             10 close(3) = 0\n",
        ));
        assert!(recording.error.is_none(), "{:?}", recording.error);
        let execve = call(&recording, 1);
        assert_eq!((execve.tid, execve.exit_tid), (Some(11), Some(10)));
        assert_eq!(execve.result.as_ref().and_then(|result| result.number()), Some(0));
    }
}

#[test]
fn a_half_that_nothing_comes_of_is_no_call() {
    // What cannot be read, and what was let go, has no entry and no exit here.
    for text in ["1 <... read resumed>\"\\N\", 100) = 6\n", "1 <... read resumed> <detached ...>\n"]
    {
        assert_eq!(read(text).calls.count(), 0, "{text}");
    }
    // What is read to see whether the recording goes on beyond a limit is not kept.
    let recording = Events::new("1 getpid() = 1\n1 getuid() = 0\n".as_bytes()).read_all_within(9);
    assert_eq!((recording.events.len(), recording.calls.count()), (2, 1));
}

#[test]
fn restarts_stay_calls_of_their_own() {
    let recording = read(
        "1 read(5,  <unfinished ...>\n\
         1 <... read resumed>0x7ffe, 10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n\
         1 --- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---\n\
         1 rt_sigreturn({mask=[]}) = 0\n\
         1 read(5, \"x\", 10) = 1\n\
         1 restart_syscall(<... resuming interrupted poll ...>) = 0\n",
    );
    assert!(recording.error.is_none(), "{:?}", recording.error);
    assert_eq!(recording.calls.count(), 4);
    assert!(call(&recording, 0).result.as_ref().is_some_and(|result| result.restart().is_some()));
    assert!(matches!(&call(&recording, 3).args[0], Value::Resuming(name) if &**name == "poll"));
}

#[test]
fn contradictions_are_refused_with_both_lines() {
    let recording = read("1 read(5,  <unfinished ...>\n1 close(3) = 0\n");
    assert_eq!(words(&events(&recording)), ["in0"]);
    let error = recording.error.map(|error| (error.line, error.reason));
    assert!(matches!(error, Some((2, Reason::CallInCall { open_line: 1, .. }))));
    let recording = read("1 read(5,  <unfinished ...>\n1 <... write resumed>) = 0\n");
    let error = recording.error.map(|error| (error.line, error.reason));
    assert!(matches!(error, Some((2, Reason::OtherCall { open_line: 1, .. }))));
    let recording = read("1 read(5,  <unfinished ...>\n1 <... read resumed>\"x\", %) = 0\n");
    let Some(error) = recording.error else { panic!("taken") };
    assert_eq!((error.line, error.column), (2, 26));
}

#[test]
fn halves_with_and_without_a_pid_on_standard_error() {
    let recording = read(
        "clone(child_stack=NULL, flags=SIGCHLDstrace: Process 7 attached\n\
         \u{20}<unfinished ...>\n\
         [pid     7] close(3) = 0\n\
         [pid     6] <... clone resumed>, child_tidptr=0x7f) = 7\n\
         [pid     6] wait4(-1,  <unfinished ...>\n\
         [pid     7] +++ exited with 0 +++\n\
         <... wait4 resumed>NULL, 0, NULL) = 7\n",
    );
    assert!(recording.error.is_none(), "{:?}", recording.error);
    let clone = call(&recording, 0);
    assert_eq!((clone.tid, clone.exit_tid, clone.args.len()), (None, Some(6), 3));
    assert_eq!(call(&recording, 2).exit_line, Some(7));
}

#[test]
fn the_time_line_never_goes_back() {
    let times = |text: &str| -> Vec<u64> {
        let recording = read(text);
        assert!(recording.error.is_none(), "{:?}", recording.error);
        let entries = recording.events.iter();
        entries
            .filter(|event| matches!(event.kind, EventKind::Entry { .. }))
            .filter_map(|event| event.time_ns)
            .collect()
    };
    let relative =
        "     0.000000 close(3) = 0\n     0.000002 close(3) = 0\n     1.5 close(3) = 0\n";
    assert_eq!(times(relative), [0, 2000, 1_500_002_000]);
    let midnight = "23:59:59.5 close(3) = 0\n00:00:00.5 close(3) = 0\n00:00:00.4 close(3) = 0\n";
    assert_eq!(times(midnight), [0, 1_000_000_000, 1_000_000_000]);
    let epoch = "1795565644.000002 close(3) = 0\n1795565644.000001 close(3) = 0\n";
    assert_eq!(times(epoch), [0, 0]);
    let whole = read("1795565644.0 f() = 0\n1795565644.1 close(3) = 0 <0.25>\n");
    assert_eq!(call(&whole, 1).entry_time_ns, Some(100_000_000));
    assert_eq!(call(&whole, 1).exit_time_ns, Some(350_000_000));
}

#[test]
fn taken_calls_free_their_place_and_keep_the_numbers() {
    let mut events = Events::new("1 a() = 0\n1 b() = 1\n1 c() = 2\n".as_bytes());
    let mut names = Vec::new();
    while let Some(event) = events.next() {
        if let Ok(Event { kind: EventKind::Exit { call }, .. }) = event {
            let taken = events.calls_mut().take(call);
            names.extend(taken.map(|taken| (call, taken.name.to_string())));
            assert!(events.calls().get(call).is_none());
        }
    }
    assert_eq!(names, [(0, "a".to_owned()), (1, "b".to_owned()), (2, "c".to_owned())]);
    assert_eq!(events.calls().count(), 3);
}

#[test]
fn a_folder_of_pids_is_put_in_order() {
    let recording = match read_dir_of_pids(FOLDER.as_ref()) {
        Ok(recording) => recording,
        Err(error) => panic!("{error}"),
    };
    assert!(recording.error.is_none(), "{:?}", recording.error);
    assert!(recording.events.iter().is_sorted_by_key(|event| event.time_ns));
    assert_eq!(recording.calls.count(), 96);
    // A child ends before its parent's wait4 returns, though wait4's line stands earlier in time.
    let ended = |event: &Event| {
        event.tid == Some(1710) && matches!(event.kind, EventKind::Exited { status: 3 })
    };
    let reaped = |event: &Event| match event.kind {
        EventKind::Exit { call: index } => {
            let call = call(&recording, index);
            let result = call.result.as_ref().and_then(|result| result.number());
            &*call.name == "wait4" && result == Some(1710)
        }
        _ => false,
    };
    let all = events(&recording);
    let place = |what: &dyn Fn(&Event) -> bool| all.iter().position(what);
    let places = (place(&ended), place(&reaped));
    assert!(matches!(places, (Some(ended), Some(reaped)) if ended < reaped), "{places:?}");
    assert_eq!(call(&recording, 0).tid, Some(1709));
}

#[test]
fn a_call_that_returns_after_very_many_others_is_kept_with_its_result() {
    let mut text = "1 wait4(-1,  <unfinished ...>\n".to_owned();
    text.push_str(&"2 getpid() = 2\n".repeat(70_000));
    text.push_str("1 <... wait4 resumed>NULL, 0, NULL) = 2\n3 pause( <unfinished ...>\n");
    let recording = read(&text);
    assert!(recording.error.is_none(), "{:?}", recording.error);
    assert_eq!(recording.calls.count(), 70_002);
    let wait = call(&recording, 0);
    assert_eq!((&*wait.name, wait.exit_line, wait.args.len()), ("wait4", Some(70_002), 4));
    assert_eq!(call(&recording, 70_000).entry_line, Some(70_001));
    assert!(call(&recording, 70_001).result.is_none());
    assert!(recording.calls.get(70_002).is_none());
    let exit = recording.events.iter_from(140_001).next().map(|event| event.kind);
    assert_eq!(exit, Some(EventKind::Exit { call: 0 }));
}

#[test]
fn a_folder_of_more_files_than_may_be_open_is_put_in_order() -> Result<(), std::io::Error> {
    let folder = tempfile::tempdir()?;
    for task in 0..1500_u64 {
        let second = 1_700_000_000 + task;
        let first = format!("{second}.500000 getpid() = 1 <0.1>\n");
        let text = format!("{first}{}.700000 close(3) = 0\n", second + 1);
        fs::write(folder.path().join(format!("t.{}", task + 1)), text)?;
    }
    let Ok(recording) = read_dir_of_pids(folder.path()) else { panic!("refused") };
    assert!(recording.error.is_none(), "{:?}", recording.error);
    assert_eq!(recording.calls.count(), 3000);
    let entries = events(&recording).into_iter().filter_map(|event| match event.kind {
        EventKind::Entry { call } => Some((event.tid?, call)),
        _ => None,
    });
    // The second call of a task comes after the first one of the next.
    let entries: Vec<_> = entries.collect();
    assert_eq!(entries.get(..5), Some([(1, 0), (2, 1), (1, 2), (3, 3), (2, 4)].as_slice()));
    for (tid, index) in entries {
        assert_eq!(call(&recording, index).tid, Some(tid));
    }
    Ok(())
}

#[test]
fn a_folder_is_refused_where_its_order_is_unknown() -> Result<(), std::io::Error> {
    let folder = tempfile::tempdir()?;
    let reason = || read_dir_of_pids(folder.path()).err().map(|error| error.reason);
    assert!(matches!(reason(), Some(Reason::NotNumberedFiles)));
    fs::write(folder.path().join("t.1"), "close(3) = 0\n")?;
    assert!(matches!(reason(), Some(Reason::NoStamps)));
    fs::write(folder.path().join("t.1"), "23:59:59.500000 close(3) = 0\n")?;
    let later = "00:00:01.500000 close(4) = 0\n00:00:02.500000 close(5";
    fs::write(folder.path().join("t.2"), later)?;
    fs::write(folder.path().join("t.3"), "")?;
    let Ok(recording) = read_dir_of_pids(folder.path()) else { panic!("refused") };
    let error = recording.error.map(|error| (error.file.is_some(), error.line));
    assert_eq!(error, Some((true, 2)));
    assert_eq!(recording.events.iter().last().map(|event| event.tid), Some(Some(2)));
    assert_eq!(recording.events.iter().last().and_then(|event| event.time_ns), Some(2_000_000_000));
    fs::write(folder.path().join("other.4"), "")?;
    assert!(matches!(reason(), Some(Reason::NotNumberedFiles)));
    Ok(())
}
