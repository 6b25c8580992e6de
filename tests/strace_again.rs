//! Another recording in the same text (`strace -A`, or files put together) ends the reading with
//! its line; what stands above is good. What only looks like one is read on.

use tickernel::import::{SideFile, import};
use tickernel::strace::{Events, Reason};

/// The line on which another recording begins.
fn another(text: &str) -> Option<u64> {
    let recording = Events::new(text.as_bytes()).read_all();
    let error = recording.error.as_ref()?;
    assert!(matches!(error.reason, Reason::AnotherRecording), "{error}");
    let imported = import(&recording, &SideFile::default()).expect("what stands above is good");
    let damage = imported.damage.expect("told");
    assert!(damage.why.contains("replay each part by itself"), "{}", damage.why);
    assert_eq!(damage.line, Some(error.line));
    damage.line
}

/// A shell and its child, of which all calls are told.
fn session(pid: u32, env: u32, stamp: &str) -> String {
    let child = pid + 1;
    let text = format!(
        r#"P execve("/bin/sh", ["sh"], 0x7ffd{env:04} /* 3 vars */) = 0
P brk(NULL) = 0x55
P mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f
P openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
P close(3) = 0
P clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = {child}
C execve("/bin/true", ["true"], 0x7ffd /* 3 vars */) = 0
C exit_group(0) = ?
C +++ exited with 0 +++
P wait4(-1, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = {child}
P --- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid={child}, si_uid=0, si_status=0, si_utime=0, si_stime=0}} ---
P exit_group(0) = ?
P +++ exited with 0 +++
"#
    );
    let who = |line: &str| {
        let (who, rest) = line.split_once(' ').expect("two columns");
        let pid = if who == "P" { pid } else { child };
        format!("{pid} {stamp}{rest}\n")
    };
    text.lines().map(who).collect()
}

/// The first lines.
fn cut(text: &str, lines: usize) -> String {
    text.lines().take(lines).map(|line| format!("{line}\n")).collect()
}

/// Without the column of pids.
fn alone(text: &str) -> String {
    let own = text.lines().filter(|line| line.starts_with("10 "));
    own.map(|line| format!("{}\n", line.trim_start_matches("10 "))).collect()
}

/// Without the lines of ends (`-qqq`).
fn quiet(text: &str) -> String {
    text.lines().filter(|line| !line.contains("+++")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn who_speaks_when_all_have_ended_is_of_another_recording() {
    let (one, other) = (session(10, 1, ""), session(20, 2, ""));
    assert_eq!(another(&one), None);
    assert_eq!(another(&format!("{one}{other}")), Some(14));
    assert_eq!(another(&format!("{one}{one}")), Some(14), "by the same pids");
    assert_eq!(another(&format!("{one}{}", cut(&other, 3))), Some(14));
    assert_eq!(another(&format!("{}{}", alone(&one), alone(&one))), Some(11));
}

#[test]
fn one_that_stops_early_is_over_where_the_next_begins() {
    let (one, other) = (session(10, 1, ""), session(20, 2, ""));
    for lines in 6..13 {
        let begun = cut(&one, lines);
        assert_eq!(another(&format!("{begun}{other}")), Some(lines as u64 + 1));
        assert_eq!(another(&format!("{begun}{one}")), Some(lines as u64 + 1));
    }
    let (one, other) = (quiet(&one), quiet(&other));
    assert_eq!(another(&format!("{one}{other}")), Some(12));
    assert_eq!(another(&format!("{one}{one}")), Some(12));
}

#[test]
fn a_program_that_executes_itself_is_the_same_recording() {
    let again = "10 execve(\"/bin/sh\", [\"sh\"], 0x7ffd0009 /* 3 vars */) = 0\n";
    assert_eq!(another(&format!("{}{again}", cut(&session(10, 1, ""), 6))), None);
    // Only the time tells where the environment is printed whole.
    let whole = |stamp: &str| session(10, 1, stamp).replace("0x7ffd0001 /* 3 vars */", "[\"A=1\"]");
    let (one, later) = (cut(&whole("1700000000.000001 "), 6), whole("1700000009.000001 "));
    assert_eq!(another(&format!("{one}{}", cut(&later, 1))), None);
    assert_eq!(another(&format!("{one}{}", cut(&one, 1))), Some(7));
}

/// `-e trace=execve`: what made the second one is not told, nor that the first one ended.
#[test]
fn children_that_nobody_is_seen_to_make_are_of_the_same_recording() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd0001 /* 3 vars */) = 0
10 +++ exited with 0 +++
11 execve("/bin/sleep", ["sleep", "1"], 0x7ffd0002 /* 3 vars */) = 0
11 +++ exited with 0 +++
"#;
    assert_eq!(another(text), None);
    // -e trace=clone,execve,exit_group,wait4: vfork(2) is not among them.
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd0001 /* 3 vars */) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 exit_group(0) = ?
11 +++ exited with 0 +++
12 execve("/bin/sleep", ["sleep", "1"], 0x7ffd0002 /* 3 vars */) = 0
12 exit_group(0) = ?
12 +++ exited with 0 +++
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    assert_eq!(another(text), None);
}

/// A daemon: its parent ended before it spoke, or in the call that made it.
#[test]
fn a_child_outlives_its_parent() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd0001 /* 3 vars */) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 exit_group(0) = ?
10 +++ exited with 0 +++
11 getpid() = 11
11 exit_group(0) = ?
11 +++ exited with 0 +++
"#;
    assert_eq!(another(text), None);
    let killed = text.replace(
        "SIGCHLD) = 11\n10 exit_group(0) = ?\n10 +++ exited with 0",
        "SIGCHLD <unfinished ...>\n10 <... clone resumed>) = ?\n10 +++ killed by SIGKILL",
    );
    assert_eq!(another(&killed), None);
}
