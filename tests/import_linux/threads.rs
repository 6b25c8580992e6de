//! Threads: one that executes a program, and several that race on descriptor numbers.

use super::support::{agrees, replayed};
use tickernel::strace::read_dir_of_pids;

/// A thread of two executes a program: execve(2) ends the others, and returns as the leader.
const EXEC: &str = r#"10 execve("./t", ["t"], 0x7ffd /* 3 vars */) = 0
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, child_tid=0x7f, parent_tid=0x7f, exit_signal=0, stack=0x7f, stack_size=0x7fff, tls=0x7f} => {parent_tid=[11]}, 88) = 11
11 pause( <unfinished ...>
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, child_tid=0x7f, parent_tid=0x7f, exit_signal=0, stack=0x7f, stack_size=0x7fff, tls=0x7f} => {parent_tid=[12]}, 88) = 12
10 futex(0x7f, FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME, 12, NULL, FUTEX_BITSET_MATCH_ANY <unfinished ...>
12 openat(AT_FDCWD, "/etc/hostname", O_RDONLY|O_CLOEXEC) = 3
12 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 4
12 execve("/bin/sh", ["sh", "-c", "exit 3"], 0x7ffd /* 3 vars */ <unfinished ...>
10 <... futex resumed>) = ?
11 <... pause resumed>) = ?
11 +++ exited with 0 +++
10 +++ superseded by execve in pid 12 +++
10 <... execve resumed>) = 0
10 openat(AT_FDCWD, "/etc/hostname", O_RDONLY) = 3
10 getpid() = 10
10 close(4) = 0
10 exit_group(3) = ?
10 +++ exited with 3 +++
"#;

#[test]
fn a_thread_that_executes_a_program_returns_as_the_leader() {
    agrees(EXEC, 0);
}

/// In a folder the call begins in the thread's file and ends in the leader's.
#[test]
fn a_thread_that_executes_a_program_goes_on_in_another_file() {
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    let mut files = std::collections::BTreeMap::<String, String>::new();
    let whole: Vec<&str> = EXEC.lines().filter(|line| !line.contains("futex")).collect();
    for (at, line) in whole.iter().enumerate() {
        let (pid, body) = line.split_once(' ').expect("a pid");
        let body = match (pid, body) {
            ("11", "pause( <unfinished ...>") => continue,
            (_, "<... pause resumed>) = ?") => "pause() = ?",
            (_, body) => body,
        };
        let body = body.replace("<unfinished ...>", "<pid changed to 10 ...>");
        let file = files.entry(pid.to_owned()).or_default();
        file.push_str(&format!("1795957950.{at:06} {body}\n"));
    }
    for (pid, text) in files {
        std::fs::write(folder.path().join(format!("out.{pid}")), text).expect("it has room");
    }
    let recording = read_dir_of_pids(folder.path()).expect("files of pids");
    let report = replayed(&recording);
    assert_eq!(report.first_mismatch, None);
    assert_eq!((report.mismatched, report.unsupported), (0, 0), "{:?}", report.by_call);
}

/// The status of a process is that of its last thread, whose end is printed before the leader's.
#[test]
fn a_leader_ends_before_its_last_thread() {
    agrees(
        r#"9 execve("./t", ["t"], 0x7ffd /* 3 vars */) = 0
9 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 10
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, child_tid=0x7f, parent_tid=0x7f, exit_signal=0, stack=0x7f, stack_size=0x7fff, tls=0x7f} => {parent_tid=[11]}, 88) = 11
10 exit(3) = ?
11 getpid() = 10
11 exit(9) = ?
11 +++ exited with 9 +++
10 +++ exited with 9 +++
9 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=10, si_uid=0, si_status=9, si_utime=0, si_stime=0} ---
9 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 9}], 0, NULL) = 10
9 exit_group(0) = ?
9 +++ exited with 0 +++
"#,
        0,
    );
}

/// A thread's end closes nothing of its process, whoever asks for the other end of a pipe.
#[test]
fn a_thread_that_ends_leaves_the_descriptors() {
    agrees(
        r#"10 execve("./t", ["t"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, child_tid=0x7f, parent_tid=0x7f, exit_signal=0, stack=0x7f, stack_size=0x7fff, tls=0x7f} => {parent_tid=[11]}, 88) = 11
10 poll([{fd=3, events=POLLIN}], 1, -1 <unfinished ...>
11 write(4, "x", 1 <unfinished ...>
11 <... write resumed>) = 1
11 exit(0 <unfinished ...>
10 <... poll resumed>) = 1 ([{fd=3, revents=POLLIN}])
11 <... exit resumed>) = ?
11 +++ exited with 0 +++
10 read(3, "x", 9) = 1
10 write(4, "y", 1) = 1
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// Two threads: what came first is told by the numbers alone.
fn race(lines: &str) -> String {
    let before = r#"10 execve("./t", ["t"], 0x7ffd /* 3 vars */) = 0
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, child_tid=0x7f, parent_tid=0x7f, exit_signal=0, stack=0x7f, stack_size=0x7fff, tls=0x7f} => {parent_tid=[11]}, 88) = 11
10 dup(1) = 3
"#;
    let after = "10 exit_group(0) = ?\n10 +++ exited with 0 +++\n";
    format!("{before}{lines}{after}")
}

#[test]
fn a_number_is_taken_after_it_was_given_back() {
    // close(3) returned last, and came first.
    agrees(
        &race(
            "11 close(3 <unfinished ...>\n\
             10 dup(1) = 3\n\
             11 <... close resumed>) = 0\n\
             10 close(3) = 0\n",
        ),
        0,
    );
}

#[test]
fn a_number_is_taken_before_a_lower_one_is_given_back() {
    agrees(
        &race(
            "11 eventfd2(0, 0 <unfinished ...>\n\
             10 close(3) = 0\n\
             11 <... eventfd2 resumed>) = 4\n\
             10 pipe2([3, 5], 0) = 0\n\
             10 close(4) = 0\n",
        ),
        0,
    );
}

#[test]
fn who_takes_a_number_may_wait_for_two_others() {
    // 11 took 4 after 12's had been closed, and before 3 was; 12 took 3 then.
    agrees(
        &race(
            "10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, \
             child_tid=0x7f, parent_tid=0x7f, exit_signal=0, stack=0x7f, stack_size=0x7fff, \
             tls=0x7f} => {parent_tid=[12]}, 88) = 12\n\
             12 dup(1) = 4\n\
             11 fcntl(1, F_DUPFD, 0 <unfinished ...>\n\
             12 close(4 <unfinished ...>\n\
             10 close(3) = 0\n\
             10 dup(2 <unfinished ...>\n\
             11 <... fcntl resumed>) = 4\n\
             12 <... close resumed>) = 0\n\
             10 <... dup resumed>) = 3\n\
             11 pipe([5, 6]) = 0\n",
        ),
        0,
    );
}

/// The end of a child may be printed a microsecond later than what its parent is told of it.
#[test]
fn in_a_folder_a_wait_may_return_before_the_line_of_the_end() {
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    let write = |pid: u32, text: &str| {
        let text: String =
            text.lines().map(|line| format!("1795957950.{}\n", line.trim())).collect();
        std::fs::write(folder.path().join(format!("out.{pid}")), text).expect("it has room");
    };
    write(
        10,
        "000001 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0 <0.000001>
         000002 clone(child_stack=NULL, flags=SIGCHLD) = 11 <0.000001>
         000003 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 11 <0.000016>
         000019 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=3, si_utime=0, si_stime=0} ---
         000020 exit_group(0) = ?
         000022 +++ exited with 0 +++",
    );
    write(11, "000005 exit_group(3) = ?\n000021 +++ exited with 3 +++");
    let report = replayed(&read_dir_of_pids(folder.path()).expect("files of pids"));
    assert_eq!(report.first_mismatch, None);
}

#[test]
fn a_folder_with_whole_seconds_is_refused() {
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    for (pid, text) in [(10, "10:00:00 getpid() = 10\n"), (11, "10:00:01 getpid() = 11\n")] {
        std::fs::write(folder.path().join(format!("out.{pid}")), text).expect("it has room");
    }
    let error = read_dir_of_pids(folder.path()).expect_err("no order");
    assert!(error.to_string().contains("whole seconds"), "{error}");
}

/// CLONE_PIDFD: the child's descriptor takes a number of its parent's.
#[test]
fn a_child_comes_with_a_descriptor() {
    let before = "10 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0\n";
    let child = "11 close(3) = -1 EBADF (Bad file descriptor)\n\
        11 exit_group(3) = ?\n\
        11 +++ exited with 3 +++\n\
        10 waitid(P_PIDFD, 3, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=3, si_utime=0, si_stime=0}, WEXITED, NULL) = 0\n\
        10 fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)\n\
        10 dup(1) = 4\n\
        10 exit_group(0) = ?\n\
        10 +++ exited with 0 +++\n";
    for made in [
        "clone3({flags=CLONE_PIDFD, pidfd=0x7f, exit_signal=SIGCHLD, stack=NULL, stack_size=0} => {pidfd=[3]}, 88) = 11",
        "clone(child_stack=NULL, flags=CLONE_PIDFD|SIGCHLD, parent_tid=[3]) = 11",
    ] {
        agrees(&format!("{before}10 {made}\n{child}"), 0);
    }
}

/// pthread_sigqueue(3), and the questions whether anybody is there.
#[test]
fn signals_are_queued_to_threads() {
    agrees(
        &race(
            "11 rt_sigprocmask(SIG_BLOCK, [USR1], NULL, 8) = 0\n\
             10 rt_tgsigqueueinfo(10, 11, SIGUSR1, {si_signo=SIGUSR1, si_code=SI_QUEUE, si_pid=10, si_uid=0, si_int=9, si_ptr=0x9}) = 0\n\
             11 rt_sigtimedwait([USR1], {si_signo=SIGUSR1, si_code=SI_QUEUE, si_pid=10, si_uid=0, si_int=9, si_ptr=0x9}, NULL, 8) = 10 (SIGUSR1)\n\
             10 rt_tgsigqueueinfo(10, 12, SIGUSR1, {si_signo=SIGUSR1, si_code=SI_QUEUE, si_pid=10, si_uid=0, si_int=9, si_ptr=0x9}) = -1 ESRCH (No such process)\n\
             10 rt_sigqueueinfo(10, 0, {}) = 0\n\
             10 rt_sigqueueinfo(99, 0, {}) = -1 ESRCH (No such process)\n\
             11 rt_sigqueueinfo(10, 0, {}) = -1 EPERM (Operation not permitted)\n",
        ),
        0,
    );
}
