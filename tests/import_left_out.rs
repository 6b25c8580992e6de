//! What strace's options leave out of a recording: calls (`-e trace=SET`, `-z`), children (no
//! `-f`), what was there before (`-p`). Descriptors follow the numbers that are shown; an answer
//! that rests on what is not is fed, and none is a mismatch. Cut from recordings of strace 6.1.

use tickernel::import::{Format, Imported, SideFile, Source, import};
use tickernel::replay::{Options, Report, replay};
use tickernel::strace::{Events, Recording};
use tickernel::{dump, verify};

fn parsed(text: &str) -> Recording {
    let recording = Events::new(text.as_bytes()).read_all();
    assert!(recording.error.is_none(), "{:?}\n{text}", recording.error);
    recording
}

fn replayed(text: &str) -> Report {
    let recording = parsed(text);
    let imported = import(&recording, &SideFile::default()).expect("it has a first state");
    let trace = imported.write(Vec::new()).expect("written");
    let certificate = verify::check(&recording, &trace).expect("an imported trace");
    assert_eq!(certificate.fault, None, "{text}");
    let source = Source::Recording(imported);
    let input = Imported { file: "test".to_owned(), format: Format::Strace, source };
    let mut options = Options { force: true, ..Options::default() };
    replay(input, &mut options).expect("its image can be read").report
}

/// Nothing differs, and so many calls are fed.
fn feeds(text: &str, fed: u64) {
    let report = replayed(text);
    assert_eq!(report.first_mismatch, None, "{text}");
    let counts = (report.mismatched, report.fed, report.unsupported);
    assert_eq!(counts, (0, fed, 0), "{:?}", report.by_call);
}

/// `-e trace=openat`: each file gets the number that a close(2) gave back which no line shows.
#[test]
fn numbers_come_free_where_close_is_not_shown() {
    feeds(
        r#"10 execve("/bin/cat", ["cat"], 0x7ffd /* 3 vars */) = 0
10 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
10 openat(AT_FDCWD, "/lib/libc.so.6", O_RDONLY|O_CLOEXEC) = 3
10 openat(AT_FDCWD, "/home/a", O_RDONLY) = 5
10 openat(AT_FDCWD, "/home/b", O_RDONLY) = 3
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// `-e trace=read,write,openat`: what stands at a number was put there by calls that are not shown.
#[test]
fn answers_of_what_was_not_shown_are_fed() {
    feeds(
        r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
10 openat(AT_FDCWD, "/home/a", O_RDONLY) = 3
10 read(3, "abc", 100) = 3
10 write(7, "to a pipe", 9) = 9
10 read(3, "to a pipe", 4096) = 9
10 write(7, "x", 1) = -1 EPIPE (Broken pipe)
10 +++ exited with 0 +++
"#,
        3,
    );
}

/// Without -f: a child writes, and no line shows it.
#[test]
fn what_children_do_that_have_no_lines_is_fed() {
    feeds(
        r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 close(4) = 0
10 read(3, "hi\n", 4096) = 3
10 read(3, "", 4096) = 0
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        2,
    );
}

/// A recording that leaves nothing out has its mismatches.
#[test]
fn a_whole_recording_is_held_to_its_word() {
    let report = replayed(
        r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 write(4, "hi\n", 3) = 3
10 read(3, "ho\n", 4096) = 3
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
    );
    assert_eq!(report.mismatched, 1);
}

/// A handler inside another: the mask that the inner one gives back is not the session's first.
#[test]
fn the_return_of_an_inner_handler_does_not_tell_the_first_mask() {
    feeds(
        r#"10 execve("./t", ["./t"], 0x7ffd /* 3 vars */) = 0
10 rt_sigaction(SIGUSR1, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 rt_sigaction(SIGUSR2, {sa_handler=0x56, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 kill(10, SIGUSR1) = 0
10 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=10, si_uid=0} ---
10 kill(10, SIGUSR2) = 0
10 --- SIGUSR2 {si_signo=SIGUSR2, si_code=SI_USER, si_pid=10, si_uid=0} ---
10 rt_sigreturn({mask=[USR1]}) = 0
10 rt_sigreturn({mask=[]}) = 0
10 rt_sigprocmask(SIG_BLOCK, NULL, [], 8) = 0
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// `-z`: a thread ended, and its process goes on.
const THREADS: &str = r#"10 execve("./t", ["./t"], 0x7ffd /* 3 vars */) = 0
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0, stack=0x7f, stack_size=0x7fff00} => {parent_tid=[11]}, 88) = 11
11 getpid() = 10
11 +++ exited with 0 +++
10 getpid() = 10
10 +++ exited with 0 +++
"#;

fn many(call: &str) -> String {
    call.repeat(60)
}

#[test]
fn a_thread_ends_alone_where_no_call_tells() {
    let text = THREADS.replacen("10 getpid", &format!("{}10 getpid", many("10 getuid() = 0\n")), 1);
    feeds(&text, 0);
}

/// `-z` shows when calls returned: the text of its trace has them in an order that is one.
#[test]
fn what_shows_no_entries_is_dumped_so_that_it_imports_again() {
    let text = format!(
        r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
{}10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 clone(child_stack=NULL, flags=SIGCHLD) = 12
12 read(3, "a", 1) = 1
10 clone(child_stack=NULL, flags=SIGCHLD) = 13
13 getuid() = 0
11 write(4, "a", 1) = 1
10 getuid() = 0
"#,
        many("10 getuid() = 0\n")
    );
    let imported = import(&parsed(&text), &SideFile::default()).expect("it has a first state");
    let trace = imported.write(Vec::new()).expect("written");
    let mut again = Vec::new();
    dump::to_strace(&trace, &mut again).expect("dumped");
    feeds(&String::from_utf8(again).expect("text"), 0);
}
