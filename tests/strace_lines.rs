//! Kinds of lines, columns before them, and where and why a line is refused.

use tickernel::strace::{
    Body, Cut, Line, LineParser, Lines, MAX_LINE_BYTES, Notice, Reason, Stamp, Value,
    looks_like_strace,
};

fn line(text: &str) -> Line {
    match LineParser::new().parse(1, text.as_bytes()) {
        Ok(line) => line,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn columns_of_every_option() {
    let columns = |text: &str| {
        let line = line(text);
        assert!(matches!(&line.body, Body::Call(call) if &*call.name == "close"), "{text}");
        (line.tid, line.time)
    };
    let close = "close(3) = 0";
    assert_eq!(columns(close), (None, None));
    assert_eq!(columns(&format!("5616  {close}")), (Some(5616), None));
    assert_eq!(columns(&format!("7     {close}")), (Some(7), None));
    assert_eq!(columns(&format!("[pid  6842] {close}")), (Some(6842), None));
    assert_eq!(columns(&format!("[pid 6842<ba sh>] {close}")), (Some(6842), None));
    assert_eq!(columns(&format!("6291<python3> {close}")), (Some(6291), None));
    let epoch = Some(Stamp::Epoch(1_795_565_644_795_124_000));
    assert_eq!(columns(&format!("5359  1795565644.795124 {close}")), (Some(5359), epoch));
    assert_eq!(columns(&format!("1795565644.795124 {close}")), (None, epoch));
    let second = Some(Stamp::Epoch(1_795_565_644_000_000_000));
    assert_eq!(columns(&format!("5359 1795565644 {close}")), (Some(5359), second));
    assert_eq!(columns(&format!("1795565644 {close}")), (None, second));
    let day = |us: u64| Some(Stamp::Day(us * 1000));
    assert_eq!(columns(&format!("5359  00:00:01 {close}")), (Some(5359), day(1_000_000)));
    assert_eq!(columns(&format!("01:00:00.000123 {close}")), (None, day(3_600_000_123)));
    assert_eq!(
        columns(&format!("6066       0.000262 {close}")),
        (Some(6066), Some(Stamp::Delta(262_000)))
    );
    assert_eq!(columns(&format!("     0.000262 {close}")), (None, Some(Stamp::Delta(262_000))));
    assert_eq!(columns(&format!("00:00:01 (+     0.000069) {close}")), (None, day(1_000_000)));
    assert_eq!(columns(&format!("6366  [   3] {close}")), (Some(6366), None));
    assert_eq!(columns(&format!("[00007f52a1b2c3d4] {close}")), (None, None));
}

#[test]
fn signals_stops_and_ends() {
    let signal =
        line("18834 --- SIGALRM {si_signo=14 /* SIGALRM */, si_code=0x80 /* SI_KERNEL */} ---");
    assert!(matches!(signal.body, Body::Signal { name, info }
        if &*name == "SIGALRM" && info.field("si_code").and_then(Value::number) == Some(0x80)));
    let old = line("--- SIGCHLD (Child exited) @ 0 (0) ---");
    assert!(matches!(old.body, Body::Signal { info: Value::Empty, .. }));
    let stopped = line("5508  1795565661.143232 --- stopped by SIGSTOP ---");
    assert!(matches!(stopped.body, Body::Stopped { signal } if &*signal == "SIGSTOP"));
    assert_eq!(line("+++ exited with 3 +++").body, Body::Exited { status: 3 });
    let killed = line("9 +++ killed by SIGABRT (core dumped) +++");
    assert!(matches!(killed.body, Body::Killed { signal, core: true } if &*signal == "SIGABRT"));
    let superseded = line("9 +++ superseded by execve in pid 12 +++");
    assert_eq!(superseded.body, Body::Superseded { by: 12 });
}

#[test]
fn halves_of_calls() {
    let half = |text: &str| match line(text).body {
        Body::Unfinished { name, args, cut, .. } => (name.to_string(), args.len(), cut),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(half("read(5<pipe:[1]>,  <unfinished ...>"), ("read".into(), 1, Cut::Unfinished));
    assert_eq!(half("vfork( <unfinished ...>"), ("vfork".into(), 0, Cut::Unfinished));
    assert_eq!(half("clone3({flags=0x3d0f00} <unfinished ...>").1, 1);
    assert_eq!(half("ioctl(3, SG_IO, {interface_id='S', flags=0 <unfinished ...>").1, 3);
    assert_eq!(half("wait4(-1,  <detached ...>").2, Cut::Detached);
    assert_eq!(half("execve(\"x\", [\"x\"] <pid changed to 7 ...>").2, Cut::PidChanged(7));
    assert_eq!(half("futex(0x1 <ptrace(SYSCALL):No such process>").2, Cut::Lost);
    let text = "restart_syscall(<... resuming interrupted poll ...> <unfinished ...>";
    assert_eq!(half(text).1, 1);
    for resumed in ["<... read resumed>\"x\", 10) = 1", "9 <... read resumed> \"x\", 10) = 1"] {
        assert!(matches!(line(resumed).body, Body::Resumed { name, .. } if &*name == "read"));
    }
    let ended = line("pause( <unfinished ...>) = ?");
    assert!(matches!(ended.body, Body::Call(call) if call.args.is_empty()));
    let ended = line("read(3,  <unfinished ...>) = ?");
    assert!(matches!(ended.body, Body::Call(call) if call.args.len() == 1));
}

#[test]
fn notices_of_strace_itself() {
    let notice = |text: &str| match line(text).body {
        Body::Notice(notice) => notice,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(notice("strace: Process 6843 attached"), Notice::Attached(6843));
    assert_eq!(notice("Process 6843 attached (waiting for parent)"), Notice::Attached(6843));
    assert_eq!(notice("strace: Process 6843 detached"), Notice::Detached(6843));
    let mode = notice("strace: [ Process PID=9 runs in 32 bit mode. ]");
    assert!(matches!(mode, Notice::Personality { pid: 9, mode } if &*mode == "32 bit"));
    assert!(matches!(notice("9 [ Process PID=9 runs in x32 mode. ]"), Notice::Personality { .. }));
    assert!(matches!(notice("strace: Exit of unknown pid 5 ignored"), Notice::Other(_)));
    assert!(matches!(notice(" > /lib/libc.so.6(read+0x10) [0x1]"), Notice::Other(_)));
    assert!(matches!(notice(" | 00000  68 69  hi |"), Notice::Other(_)));
}

#[test]
fn a_refusal_names_line_column_text_and_reason() {
    let text = b"close(3) = 0\nopen(\"x\", %) = 3\nclose(4) = 0\n";
    let lines: Vec<_> = Lines::new(text.as_slice()).collect();
    assert_eq!(lines.len(), 2, "nothing comes after the error");
    assert!(lines[0].is_ok());
    let Err(error) = &lines[1] else { panic!("taken") };
    assert_eq!((error.line, error.column), (2, 11));
    assert!(matches!(error.reason, Reason::Expected("a value")));
    assert!(error.near.contains("\"x\", %"));
    let long = format!("open({}\n", "\u{e9}".repeat(500));
    let Some(Err(error)) = Lines::new(long.as_bytes()).next() else { panic!("taken") };
    assert!(error.near.chars().count() <= 80);
}

#[test]
fn empty_and_torn_input_are_errors_of_their_own() {
    let first = |text: &[u8]| Lines::new(text).collect::<Vec<_>>();
    assert!(matches!(&first(b"")[..], [Err(error)] if matches!(error.reason, Reason::Empty)));
    let torn = first(b"close(3) = 0\nclose(4) = 1");
    assert!(matches!(&torn[..], [Ok(_), Err(error)]
        if matches!(error.reason, Reason::Torn) && error.line == 2));
    let windows = first(b"close(3) = 0\r\n");
    assert!(matches!(&windows[..], [Ok(_)]));
}

#[test]
fn brackets_nest_to_a_limit() {
    let nested = |depth: usize| format!("f({}{}) = 0", "[".repeat(depth), "]".repeat(depth));
    assert!(LineParser::new().parse(1, nested(60).as_bytes()).is_ok());
    let Err(error) = LineParser::new().parse(1, nested(100_000).as_bytes()) else {
        panic!("taken")
    };
    assert!(matches!(error.reason, Reason::TooDeep { .. }));
    for opening in ["{", "f(", "~", "a=", "[[x]="] {
        let text = format!("f({}", opening.repeat(100_000));
        assert!(LineParser::new().parse(1, text.as_bytes()).is_err());
    }
    // What stands after a value nests it too.
    for annotation in [" /* a */", "/* a */1", "<a>", "<a> /* a */", " => 1"] {
        let text = format!("f(1{}) = 0", annotation.repeat(100_000));
        assert!(LineParser::new().parse(1, text.as_bytes()).is_err(), "{annotation}");
    }
}

#[test]
fn a_line_holds_values_to_a_limit() {
    let text = format!("f({}1) = 0", "1,".repeat(3_000_000));
    let Err(error) = LineParser::new().parse(1, text.as_bytes()) else { panic!("taken") };
    assert!(matches!(error.reason, Reason::TooManyValues { .. }));
}

#[test]
fn a_line_has_bytes_to_a_limit() {
    let body = vec![b'x'; MAX_LINE_BYTES];
    let text = [b"w(\"".as_slice(), &body, b"\") = 0\n"].concat();
    let lines: Vec<_> = Lines::new(text.as_slice()).collect();
    assert!(matches!(&lines[..], [Err(error)]
        if matches!(error.reason, Reason::LineTooLong { .. })));
    let fitting = [b"w(\"".as_slice(), &body[..body.len() - 9], b"\") = 0\n"].concat();
    assert!(matches!(Lines::new(fitting.as_slice()).next(), Some(Ok(_))));
}

#[test]
fn a_notice_in_the_middle_of_a_line_joins_what_it_split() {
    let text = b"fork(strace: Process 7 attached\n) = 7\n[pid 7] close(3) = 0\n";
    let lines: Result<Vec<_>, _> = Lines::new(text.as_slice()).collect();
    let lines = lines.unwrap_or_default();
    assert_eq!(lines[0].body, Body::Notice(Notice::Attached(7)));
    assert!(matches!(&lines[1].body, Body::Call(call) if call.result.number() == Some(7)));
    assert_eq!(lines[2].tid, Some(7));
}

#[test]
fn recordings_are_told_from_other_files() {
    for text in [
        "execve(\"/bin/true\", [\"true\"], 0x7ffe /* 3 vars */) = 0\nbrk(NULL) = 0x55\n",
        "5616  1795565644.1 execve(\"/bin/true\", [\"tr",
        "execve(\"/bin/true\", [\"tr",
        "12:00:00 read(0, \"a\", 1) = 1\n",
        "strace: Process 7 attached\n[pid 7] close(3) = 0\nclo",
    ] {
        assert!(looks_like_strace(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "\n",
        "{\"a\": 1}\n",
        "#!/bin/sh\necho(1)\n",
        "int main(void) { return 0; }\n",
        "\x7fELF\x02\x01\x01\x00",
        "PK\x03\x04\x00\x00",
        "Process 7 attached\n",
        "hello world\n",
    ] {
        assert!(!looks_like_strace(text.as_bytes()), "{text}");
    }
}
