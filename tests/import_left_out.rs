//! What strace's options leave out of a recording: calls (`-e trace=SET`, `-z`), children (no
//! `-f`), what was there before (`-p`). Descriptors follow the numbers that are shown; an answer
//! that rests on what is not is fed, and none is a mismatch. Cut from recordings of strace 6.1.

mod replayed;

use tickernel::dump;
use tickernel::import::{SideFile, import};
use tickernel::replay::Report;
use tickernel::strace::{Events, Recording};

fn parsed(text: &str) -> Recording {
    let recording = Events::new(text.as_bytes()).read_all();
    assert!(recording.error.is_none(), "{:?}\n{text}", recording.error);
    recording
}

fn replayed(text: &str) -> Report {
    replayed::replayed(&parsed(text), &SideFile::default())
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

/// What a loader does, of which `-e trace=!read` leaves out one call.
const LOADED: &str = r#"10 execve("/bin/bash", ["bash"], 0x7ffd /* 3 vars */) = 0
10 brk(NULL) = 0x55
10 access("/etc/ld.so.preload", R_OK) = -1 ENOENT (No such file or directory)
10 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
10 newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=100, ...}, AT_EMPTY_PATH) = 0
10 mmap(NULL, 100, PROT_READ, MAP_PRIVATE, 3, 0) = 0x7f
10 close(3) = 0
"#;

/// `-e trace=!read`: where a file stands rests on what was read of it.
#[test]
fn offsets_that_reads_moved_are_fed_where_no_read_is_shown() {
    let rest = r#"10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
10 lseek(3, 0, SEEK_CUR) = 0
10 lseek(3, -1189, SEEK_CUR) = 32
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    feeds(&format!("{LOADED}{rest}"), 1);
    let read = r#"10 read(3, "\177ELF"..., 832) = 100
"#;
    let close = "10 close(3) = 0\n";
    let shown = replayed(&format!("{}{rest}", LOADED.replace(close, &format!("{read}{close}"))));
    assert_eq!(shown.mismatched, 1, "a recording of all calls is held to its word");
}

/// `-b execve`: strace lets a child go when it executes its program, and prints nothing more.
#[test]
fn children_that_strace_let_go_do_the_rest_untold() {
    for gone in ["<unfinished ...>", "<detached ...>"] {
        feeds(
            &format!(
                r#"{LOADED}10 pipe2([3, 4], O_CLOEXEC) = 0
10 vfork( <unfinished ...>
11 dup2(4, 1) = 1
11 execve("/bin/echo", ["echo"], 0x7ffd /* 3 vars */ {gone}
10 <... vfork resumed>) = 11
10 close(4) = 0
10 read(3, "hi\n", 4096) = 3
10 read(3, "", 4096) = 0
10 wait4(-1, [{{WIFEXITED(s) && WEXITSTATUS(s) == 0}}], 0, NULL) = 11
10 --- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0}} ---
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#
            ),
            3,
        );
    }
}

/// Without -f: when a child ended no line tells, so nor whether its signal came with another's.
#[test]
fn signals_before_what_is_fed_are_not_held_against_it() {
    feeds(
        r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigaction(SIGCHLD, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 clone(child_stack=NULL, flags=SIGCHLD) = 12
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
10 rt_sigreturn({mask=[]}) = 12
10 rt_sigprocmask(SIG_BLOCK, [CHLD], [], 8) = 0
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 11
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 12
10 wait4(-1, 0x7ffd, WNOHANG, NULL) = -1 ECHILD (No child processes)
10 rt_sigprocmask(SIG_UNBLOCK, [CHLD], NULL, 8) = 0
10 getppid() = 1
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        1,
    );
}

/// `-e trace=write,wait4,exit_group,clone,vfork`: a few calls, and none that begins a program.
#[test]
fn a_recording_that_does_not_begin_with_its_program_lacks_what_came_before() {
    feeds(
        r#"10 vfork( <unfinished ...>
11 write(1, "hi\n", 3) = 3
10 <... vfork resumed>) = 11
11 exit_group(0) = ?
11 +++ exited with 0 +++
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        4,
    );
}
