//! What strace leaves out in its other styles is inferred where it can be, and told where not:
//! `-z`, `-qqq`, `-e signal=none`, `-e verbose=none`, `-e raw`, `-e inject`, short `-s`. Cut from
//! recordings that strace 6.1 wrote.

mod replayed;

use tickernel::import::{SideFile, import};
use tickernel::replay::Report;
use tickernel::strace::Events;

fn replayed(text: &str) -> Report {
    let recording = Events::new(text.as_bytes()).read_all();
    assert!(recording.error.is_none(), "{:?}", recording.error);
    replayed::replayed(&recording, &SideFile::default())
}

/// All is as recorded but for so many fed and unsupported calls.
fn agrees(text: &str, fed: u64, unsupported: u64) {
    let report = replayed(text);
    assert_eq!(report.first_mismatch, None, "{text}");
    let counts = (report.mismatched, report.fed, report.unsupported);
    assert_eq!(counts, (0, fed, unsupported), "{:?}", report.by_call);
}

/// Two children, a handler of SIGCHLD, waits that it interrupts.
const SESSION: &str = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigaction(SIGCHLD, {sa_handler=0x55, sa_mask=~[RTMIN RT_1], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f}, NULL, 8) = 0
10 rt_sigaction(SIGTERM, {sa_handler=0x55, sa_mask=~[RTMIN RT_1], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11
10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 12
10 close(4) = 0
11 write(4, "total 80\n", 9) = 9
12 read(3, "total 80\n", 4096) = 9
12 exit_group(3) = ?
12 +++ exited with 3 +++
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 12
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12, si_uid=0, si_status=3, si_utime=0, si_stime=0} ---
10 rt_sigreturn({mask=[]}) = 12
11 exit_group(0) = ?
11 +++ exited with 0 +++
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
10 rt_sigreturn({mask=[]}) = 11
10 wait4(-1, 0x7ffe, WNOHANG, NULL) = -1 ECHILD (No child processes)
10 kill(10, SIGTERM) = 0
10 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=10, si_uid=0} ---
10 rt_sigreturn({mask=[]}) = 0
10 read(3, "", 4096) = 0
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;

/// poll(2) of no descriptors, by NULL or not, is a sleep.
#[test]
fn a_poll_of_nothing_sleeps() {
    let text = "10 execve(\"/bin/sh\", [\"sh\"], 0x7ffd /* 3 vars */) = 0\n\
        10 poll(NULL, 0, 50) = 0 (Timeout)\n\
        10 ppoll(NULL, 0, {tv_sec=0, tv_nsec=50000000}, NULL, 0) = 0 (Timeout)\n\
        10 ppoll(NULL, 0, {tv_sec=0, tv_nsec=50000000}, [], 8) = 0 (Timeout)\n\
        10 poll([], 0, 0) = 0 (Timeout)\n\
        10 exit_group(0) = ?\n\
        10 +++ exited with 0 +++\n";
    agrees(text, 0, 0);
}

/// The lines of the session that fit.
fn session(keep: impl Fn(&str) -> bool) -> String {
    SESSION.lines().filter(|line| keep(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn no_line_is_missed_of_signals_and_of_ends() {
    agrees(SESSION, 0, 0);
    // -e signal=none
    agrees(&session(|line| !line.contains("---")), 0, 0);
    // -qqq, -e quiet=all leave the lines of those that were killed.
    let quiet = session(|line| !line.contains("+++"));
    agrees(&quiet, 0, 0);
    agrees(&quiet.replace("10 exit_group(0) = ?\n", "10 +++ killed by SIGHUP +++\n"), 0, 0);
    // The elder child ends last, and nothing tells of it but the wait.
    agrees(&quiet.replace("11 exit_group(0) = ?\n", ""), 0, 0);
    // A child that is killed is only seen by who waits for it.
    let killed = quiet
        .replace("12 exit_group(3) = ?\n", "")
        .replace("WIFEXITED(s) && WEXITSTATUS(s) == 3", "WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL");
    let killed = killed.replace("CLD_EXITED, si_pid=12", "CLD_KILLED, si_pid=12");
    agrees(&killed.replace("si_status=3", "si_status=SIGKILL"), 0, 0);
}

#[test]
fn what_verbose_none_does_not_print_is_fed() {
    let handler = |signal: &str, flags: &str| {
        format!(
            "{signal}, {{sa_handler=0x55, sa_mask=~[RTMIN RT_1], sa_flags={flags}, \
             sa_restorer=0x7f}}, NULL"
        )
    };
    let text = SESSION
        .replace(&handler("SIGCHLD", "SA_RESTORER|SA_RESTART"), "SIGCHLD, 0x7ffd, NULL")
        .replace(&handler("SIGTERM", "SA_RESTORER"), "SIGTERM, 0x7ffd, NULL")
        .replace("pipe2([3, 4], 0)", "pipe2(0x7ffd, 0)")
        .replace("[\"sh\"], 0x7ffd /* 3 vars */", "0x7ffd, 0x7ffd")
        .replace("{mask=[]}", "{mask=0x7ffd}");
    assert!(!text.contains("sa_handler"), "{text}");
    agrees(&text, 5, 0);
}

/// Reads of a pipe that are printed before the write, and second halves in lines of their own.
#[test]
fn successful_calls_alone_have_no_beginning() {
    let text = SESSION
        .replace("11 write(4, \"total 80\\n\", 9) = 9\n", "")
        .replace(
            "12 read(3, \"total 80\\n\", 4096) = 9\n",
            concat!(
                "12 read(3, \"total 80\\n\", 4096) = 9\n",
                "11 write(4, \"total 80\\n\", 9 <unfinished ...>\n",
                ")                                       = 9\n",
                "12 newfstatat(3, \"\",  <unfinished ...>\n",
                "{st_mode=S_IFIFO|0600, st_size=0, ...}, AT_EMPTY_PATH) = 0\n",
            ),
        )
        .replace("10 wait4(-1, 0x7ffe, WNOHANG, NULL) = -1 ECHILD (No child processes)\n", "");
    let text: String =
        text.lines().filter(|line| !line.contains("= ?")).map(|line| format!("{line}\n")).collect();
    agrees(&text, 0, 0);
}

#[test]
fn pairs_and_names_that_a_short_limit_cuts_are_known_all_the_same() {
    for (first, second) in [("[3, ...]", "[5, ...]"), ("[...]", "[...]")] {
        agrees(
            &format!(
                r#"1 pipe2({first}, 0) = 0
1 pipe2({second}, O_CLOEXEC) = 0
1 write(4, "t"..., 1307) = 1307
1 read(3, "t"..., 4096) = 1307
1 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 7
1 getxattr("/etc/hosts", "s"..., NULL, 0) = -1 ENODATA (No data available)
1 lgetxattr("/proc/self", "s"..., NULL, 0) = -1 EOPNOTSUPP (Operation not supported)
1 fgetxattr(7, ""..., 0x55d0, 255) = -1 ENODATA (No data available)
1 socketpair(AF_UNIX, SOCK_STREAM, 0, {first}) = 0
1 dup(6) = 10
"#
            )
            .replace("0, [3, ...])", "0, [8, ...])"),
            0,
            0,
        );
    }
}

#[test]
fn names_and_null_pointers_of_the_abbreviated_style_are_known() {
    agrees(
        r#"1 openat(AT_FDCWD, "/tmp/f", O_RDWR|O_CREAT|O_EXCL, 0644) = 3
1 fallocate(3, FALLOC_FL_KEEP_SIZE, 0, 8192) = 0
1 fallocate(3, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 4096) = 0
1 fallocate(3, 0, 0, 100) = 0
1 lseek(3, 0, SEEK_END) = 100
1 pipe2([4, 5], 0) = 0
1 fcntl(4, F_SETSIG, SIGUSR1) = 0
1 fcntl(4, F_GETSIG) = 10 (SIGUSR1)
1 setgroups(0, NULL) = 0
1 getgroups(0, NULL) = 0
1 mkdir("/tmp/m", 0755) = 0
1 mount("x", "/tmp/m", "tmpfs", 0, NULL) = 0
1 umount2("/tmp/m", MNT_EXPIRE) = -1 EAGAIN (Resource temporarily unavailable)
1 umount2("/tmp/m", MNT_EXPIRE) = 0
1 rmdir("/tmp/m") = 0
1 rt_sigaction(SIGUSR1, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
1 clone(child_stack=0x7f, flags=CLONE_VM|SIGUSR1) = 2
2 exit_group(5) = ?
2 +++ exited with 5 +++
1 --- SIGUSR1 {si_signo=SIGUSR1, si_code=0x1, si_pid=2, si_uid=0, si_int=5, si_ptr=0x5} ---
1 rt_sigreturn({mask=[]}) = 0
1 wait4(2, [{WIFEXITED(s) && WEXITSTATUS(s) == 5}], __WALL, NULL) = 2
1 clone(child_stack=NULL, flags=0x46) = 3
3 exit_group(1) = ?
3 +++ exited with 1 +++
1 wait4(3, [{WIFEXITED(s) && WEXITSTATUS(s) == 1}], __WCLONE, NULL) = 3
"#,
        0,
        0,
    );
}

#[test]
fn a_link_is_as_long_as_it_was_where_its_target_is_cut() {
    agrees(
        r#"1 readlink("/home/link", "/usr/sha"..., 64) = 35
1 lstat("/home/link", {st_mode=S_IFLNK|0777, st_size=35, ...}) = 0
1 readlinkat(AT_FDCWD, "/home/link", "/usr/sha"..., 20) = 20
1 readlink("/home/short", "/usr/sha"..., 9) = 9
"#,
        0,
        0,
    );
}

#[test]
fn a_mismatch_says_that_memory_wrote_to_the_file() {
    for (share, told) in [("MAP_SHARED", true), ("0x1", true), ("MAP_PRIVATE", false)] {
        let report = replayed(&format!(
            r#"1 openat(AT_FDCWD, "/home/f", O_RDWR|O_CREAT|O_TRUNC, 0644) = 3
1 write(3, "aaaaaaaa", 8) = 8
1 mmap(NULL, 4096, PROT_READ|PROT_WRITE, {share}, 3, 0) = 0x7ff1c418a000
1 pread64(3, "hello", 5, 0) = 5
"#
        ));
        let why = report.first_mismatch.expect("the kernel has other bytes").why;
        assert!(why.starts_with("other bytes"), "{why}");
        assert_eq!(why.contains("mapped shared"), told, "{share}: {why}");
    }
}

#[test]
fn data_that_are_printed_as_an_address_are_learnt_or_left() {
    agrees(
        r#"1 pipe2([3, 4], 0) = 0
1 write(4, 0x55d0, 0x5) = 0x5
1 read(0x3, "hel", 3) = 3
1 read(3, 0x7ffd, 0x100) = 0x2
1 openat(0xffffff9c, 0x55d0, 0, 0) = 0x5
1 fstat(5, {st_mode=S_IFREG|0644, st_size=5, ...}) = 0
1 close(5) = 0
1 access(0x55d0, 0x4) = -1 ENOENT (No such file or directory)
1 open(NULL, O_RDONLY) = -1 EFAULT (Bad address)
1 open(0x8, O_RDONLY) = -1 EFAULT (Bad address)
"#,
        4,
        0,
    );
}

#[test]
fn a_recording_without_any_text_is_refused_by_name() {
    let text = "7 execve(0x7ffd, 0x7ffe, 0x7fff) = 0\n7 brk(0) = 0x55cb\n7 close(0x3) = 0\n";
    let recording = Events::new(text.as_bytes()).read_all();
    let refused = import(&recording, &SideFile::default()).expect_err("nothing can be known");
    let why = refused.to_string();
    assert!(why.contains("line 1") && why.contains("-e raw"), "{why}");
}

#[test]
fn results_that_strace_made_up_are_fed() {
    agrees(
        r#"1 getpid() = 7 (INJECTED)
1 openat(AT_FDCWD, "/dev/null", O_RDONLY) = -1 ENOMEM (Cannot allocate memory) (INJECTED)
1 getpid() = 1
1 openat(AT_FDCWD, "/dev/null", O_RDONLY) = 3
"#,
        2,
        0,
    );
}

/// Without -f: children have no lines, and their ends show in waits and signals only.
#[test]
fn children_that_were_not_traced_end_when_their_parent_is_told() {
    agrees(
        r#"1 clone(child_stack=NULL, flags=SIGCHLD) = 2
1 clone(child_stack=NULL, flags=SIGCHLD) = 3
1 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 3
1 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=3, si_uid=0, si_status=3, si_utime=0, si_stime=0} ---
1 wait4(-1, 0x7ffe, WNOHANG, NULL) = 0
1 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=2, si_uid=0, si_status=SIGTERM, si_utime=0, si_stime=0} ---
1 wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], WNOHANG, NULL) = 2
1 wait4(-1, 0x7ffe, WNOHANG, NULL) = -1 ECHILD (No child processes)
1 exit_group(0) = ?
1 +++ exited with 0 +++
"#,
        0,
        0,
    );
}

/// `-e signal=none`: a handler runs before the next thing that its task does; that of a timer when
/// something interrupted a call; that of SIGCHLD when a child died of a signal of which no line
/// tells.
#[test]
fn handlers_that_no_line_shows_run_when_they_are_due() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigaction(SIGALRM, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 rt_sigaction(SIGCHLD, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f}, NULL, 8) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 exit_group(3) = ?
11 +++ exited with 3 +++
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WNOHANG, NULL) = 11
10 wait4(-1, 0x7ffe, WNOHANG, NULL) = -1 ECHILD (No child processes)
10 rt_sigprocmask(SIG_BLOCK, NULL, [CHLD], 8) = 0
10 rt_sigreturn({mask=[]}) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 12
12 clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=5, tv_nsec=0}, <unfinished ...>
10 timer_create(CLOCK_REALTIME, {sigev_signo=SIGALRM, sigev_notify=SIGEV_SIGNAL}, [0]) = 0
10 timer_settime(0, 0, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=100000000}}, NULL) = 0
10 rt_sigsuspend([], 8) = ? ERESTARTNOHAND (To be restarted if no handler)
10 kill(12, SIGTERM) = 0
12 <... clock_nanosleep resumed>{tv_sec=4, tv_nsec=9}) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)
10 rt_sigreturn({mask=[ALRM]}) = 0
10 rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)
10 wait4(12, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], WNOHANG, NULL) = 12
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    agrees(text, 0, 0);
}

/// `-z` prints no exit_group(2): who says nothing more has closed its files.
#[test]
fn a_reader_finds_the_end_before_the_writer_is_seen_to_exit() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 close(4) = 0
11 write(4, "hi\n", 3) = 3
10 read(3, "hi\n", 4096) = 3
10 read(3, "", 4096) = 0
11 +++ exited with 0 +++
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
10 +++ exited with 0 +++
"#;
    agrees(text, 0, 0);
}

/// `-e raw=openat,read`: what a call names is not told, but its flags are.
#[test]
fn what_is_printed_as_addresses_is_fed_and_closes_on_exec_as_its_flags_say() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 openat(0xffffff9c, 0x7f5ea2f6d140, 0x80000, 0) = 0x3
10 read(0x3, 0x7ffd1d0e5d48, 0x340) = 0x340
10 fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)
10 close(3) = 0
10 openat(0xffffff9c, 0x7f5ea2f6d140, 0, 0) = 0x3
10 fcntl(3, F_GETFD) = 0
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    agrees(text, 3, 0);
}

/// strace could not look at the call before SIGKILL came.
#[test]
fn a_call_without_a_name_had_no_effect() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 kill(11, SIGKILL <unfinished ...>
11 ???( <unfinished ...>
10 <... kill resumed>) = 0
11 +++ killed by SIGKILL +++
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=11, si_uid=0, si_status=SIGKILL, si_utime=0, si_stime=0} ---
10 wait4(11, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], 0, NULL) = 11
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    agrees(text, 0, 0);
}

/// The next signal is told before the stop would be: SIGCONT has taken the stop back.
#[test]
fn a_stop_that_is_not_told_before_the_next_signal_was_none() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigaction(SIGCHLD, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 getpid() = 11
10 kill(11, SIGSTOP) = 0
10 kill(11, SIGCONT <unfinished ...>
11 --- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER, si_pid=10, si_uid=0} ---
10 <... kill resumed>) = 0
10 kill(11, SIGTERM <unfinished ...>
11 --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER, si_pid=10, si_uid=0} ---
10 <... kill resumed>) = 0
11 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=10, si_uid=0} ---
11 +++ killed by SIGTERM +++
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=11, si_uid=0, si_status=SIGTERM, si_utime=0, si_stime=0} ---
10 rt_sigreturn({mask=[]}) = 0
10 wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], WNOHANG, NULL) = 11
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    agrees(text, 0, 0);
}

/// What a task has open is let go when it takes the signal that ends it, before a line says that
/// it ended.
#[test]
fn a_pipe_is_over_when_its_writer_takes_a_fatal_signal() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 close(4) = 0
11 pause( <unfinished ...>
10 poll([{fd=3, events=POLLIN}], 1, 5000 <unfinished ...>
11 <... pause resumed>) = ? ERESTARTNOHAND (To be restarted if no handler)
11 --- SIGHUP {si_signo=SIGHUP, si_code=SI_KERNEL} ---
10 <... poll resumed>) = 1 ([{fd=3, revents=POLLHUP}])
10 read(3, "", 10) = 0
11 +++ killed by SIGHUP +++
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=11, si_uid=0, si_status=SIGHUP, si_utime=0, si_stime=0} ---
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;
    agrees(text, 0, 0);
}
