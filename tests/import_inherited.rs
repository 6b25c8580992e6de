//! What the first process inherited is told by the recording alone: plain recordings without a side
//! file replay without a mismatch, and what only the outside could know is fed.

mod replayed;

use replayed::replayed_text;
use tickernel::import::SideFile;

/// All is compared or bound but so many fed and unsupported calls.
fn clean(lines: &str, fed: u64, unsupported: u64) {
    let text = format!("10 execve(\"/bin/sh\", [\"sh\"], 0x7ffd /* 3 vars */) = 0\n{lines}");
    let report = replayed_text(&text, &SideFile::default());
    assert_eq!(report.first_mismatch, None);
    let counts = (report.mismatched, report.fed, report.unsupported);
    assert_eq!(counts, (0, fed, unsupported), "{:?}", report.by_call);
}

#[test]
fn numbers_that_are_skipped_or_taken_tell_what_was_open() {
    // 0 was closed, 3 and 10 were open, and a child shows it first.
    clean(
        r#"10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 0
11 dup(0) = 4
11 fcntl(4, F_DUPFD, 10) = 11
11 fcntl(9, F_GETFD) = -1 EBADF (Bad file descriptor)
10 pipe([0, 4]) = 0
"#,
        0,
        0,
    );
}

#[test]
fn what_a_descriptor_was_is_told_by_what_is_asked_of_it() {
    clean(
        r#"10 fcntl(1, F_GETFL) = 0x8401 (flags O_WRONLY|O_APPEND|O_LARGEFILE)
10 write(1, "abc", 3) = 3
10 fstat(1, {st_mode=S_IFREG|0600, st_size=11, ...}) = 0
10 lseek(2, 0, SEEK_CUR) = -1 ESPIPE (Illegal seek)
10 fstat(2, {st_mode=S_IFIFO|0600, st_size=0, ...}) = 0
10 lseek(5, 0, SEEK_CUR) = 7
10 read(5, "xyz", 3) = 3
10 readlink("/proc/self/fd/6", "/var/log/x", 100) = 10
10 lstat("/proc/self/fd/6", {st_mode=S_IFLNK|0300, st_size=64, ...}) = 0
10 write(6, "1", 1) = 1
"#,
        0,
        0,
    );
}

#[test]
fn two_numbers_of_one_file_share_its_offset() {
    clean(
        r#"10 write(1</tmp/out>, "one\n", 4) = 4
10 write(2</tmp/out>, "two\n", 4) = 4
10 fstat(1</tmp/out>, {st_mode=S_IFREG|0644, st_size=8, ...}) = 0
"#,
        0,
        0,
    );
}

#[test]
fn a_pipe_from_outside_is_fed() {
    clean(
        r#"10 fstat(0, {st_mode=S_IFIFO|0600, st_size=0, ...}) = 0
10 poll([{fd=0, events=POLLIN}], 1, 100) = 1 ([{fd=0, revents=POLLIN}])
10 read(0, "line\n", 100) = 5
10 read(0, "", 100) = 0
"#,
        3,
        0,
    );
}

#[test]
fn what_counts_bytes_to_read_is_no_null_device() {
    clean("10 ioctl(0, FIONREAD, [5]) = 0\n", 1, 0);
}

#[test]
fn a_pipe_to_the_outside_never_fills() {
    let mut lines = String::from("10 fstat(1, {st_mode=S_IFIFO|0600, st_size=0, ...}) = 0\n");
    for _ in 0..3 {
        lines += &format!("10 write(1, \"{}\", 40000) = 40000\n", "x".repeat(40_000));
    }
    clean(&lines, 2, 0);
}

#[test]
fn a_terminal_is_unsupported_and_not_a_mismatch() {
    clean(
        r#"10 openat(AT_FDCWD, "/dev/tty", O_RDWR|O_CLOEXEC) = 3
10 ioctl(3, TIOCGPGRP, [10]) = 0
10 dup(3) = 4
10 ioctl(4, TIOCGPGRP, [10]) = 0
10 execve("/bin/ls", ["ls"], 0x7ffd /* 3 vars */) = 0
10 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3
"#,
        0,
        3,
    );
}

#[test]
fn dispositions_mask_umask_and_limits_are_those_before_anybody_changed_them() {
    clean(
        r#"10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 rt_sigaction(SIGINT, NULL, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=0}, 8) = 0
11 rt_sigaction(SIGINT, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, NULL, 8) = 0
11 rt_sigprocmask(SIG_BLOCK, NULL, [USR2], 8) = 0
11 prlimit64(0, RLIMIT_CORE, {rlim_cur=1, rlim_max=1}, {rlim_cur=7, rlim_max=9}) = 0
11 umask(077) = 027
11 mkdir("/tmp/own", 0777) = 0
11 stat("/tmp/own", {st_mode=S_IFDIR|0700, st_size=40, ...}) = 0
10 umask(022) = 027
10 prlimit64(0, RLIMIT_CORE, NULL, {rlim_cur=7, rlim_max=9}) = 0
10 rt_sigaction(SIGINT, NULL, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=0}, 8) = 0
"#,
        0,
        0,
    );
}

#[test]
fn a_umask_that_nobody_asks_for_shows_in_new_files() {
    clean(
        r#"10 mkdir("/tmp/new", 0777) = 0
10 stat("/tmp/new", {st_mode=S_IFDIR|0750, st_size=40, ...}) = 0
"#,
        0,
        0,
    );
}

#[test]
fn a_file_that_o_creat_found_keeps_its_mode() {
    clean(
        r#"10 umask(077) = 077
10 getcwd("/home/u", 4096) = 8
10 openat(AT_FDCWD, "f", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3
10 close(3) = 0
10 openat(AT_FDCWD, "f", O_RDONLY) = 3
10 fstat(3, {st_mode=S_IFREG|0644, st_size=0, ...}) = 0
"#,
        0,
        0,
    );
}

/// What a file shows before anybody wrote to it was there, also where O_CREAT opened it.
#[test]
fn a_file_that_o_creat_found_keeps_its_bytes() {
    let shown = "st_mode=S_IFREG|0644";
    for (flags, rest) in [
        ("O_RDWR|O_CREAT", "read(3, \"abc\", 10) = 3".to_owned()),
        ("O_WRONLY|O_CREAT|O_APPEND", format!("fstat(3, {{{shown}, st_size=6, ...}}) = 0")),
        ("O_WRONLY|O_CREAT|O_APPEND", "lseek(3, 0, SEEK_END) = 163".to_owned()),
        (
            "O_WRONLY|O_CREAT",
            format!("pwrite64(3, \"z\", 1, 0) = 1\n10 fstat(3, {{{shown}, st_size=40, ...}}) = 0"),
        ),
    ] {
        clean(&format!("10 openat(AT_FDCWD, \"/tmp/f\", {flags}, 0644) = 3\n10 {rest}\n"), 0, 0);
    }
    // What somebody else wrote through another descriptor was not.
    clean(
        "10 openat(AT_FDCWD, \"/tmp/f\", O_RDWR|O_CREAT, 0644) = 3\n\
        10 openat(AT_FDCWD, \"/tmp/f\", O_WRONLY) = 4\n\
        10 write(4, \"abc\", 3) = 3\n10 read(3, \"abc\", 10) = 3\n",
        0,
        0,
    );
}

/// The kind that a directory lists beats what is inferred of a name before others.
#[test]
fn a_link_that_is_listed_is_no_directory() {
    let names = [".", "..", "lib", "bin", "dev", "proc", "tmp", "usr"];
    let entry = |name: &str| {
        let kind = if name == "lib" { "DT_LNK" } else { "DT_DIR" };
        format!("{{d_ino=2, d_off=1, d_reclen=24, d_type={kind}, d_name=\"{name}\"}}")
    };
    let listed = names.map(entry).join(", ");
    clean(
        &format!(
            "10 openat(AT_FDCWD, \"/lib/x.so\", O_RDONLY) = 3\n\
            10 openat(AT_FDCWD, \"/\", O_RDONLY|O_DIRECTORY) = 4\n\
            10 getdents64(4, [{listed}], 32768) = 192\n10 getdents64(4, [], 32768) = 0\n"
        ),
        0,
        0,
    );
}

#[test]
fn the_working_directory_is_the_one_that_is_the_same_as_dot() {
    clean(
        r#"10 stat("/tmp/w", {st_dev=makedev(0, 1), st_ino=77, st_mode=S_IFDIR|0755, st_nlink=2, st_size=40, ...}) = 0
10 stat(".", {st_dev=makedev(0, 1), st_ino=77, st_mode=S_IFDIR|0755, st_nlink=2, st_size=40, ...}) = 0
10 getcwd("/tmp/w", 4096) = 7
"#,
        0,
        0,
    );
}

#[test]
fn ids_group_and_session_come_from_whoever_is_told_first() {
    clean(
        r#"10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 setsid() = 11
10 getuid() = 1000
10 getegid() = 1001
10 getgroups(100, [4, 1001]) = 2
10 getpgrp() = 9
10 getsid(0) = 8
10 getppid() = 9
10 kill(1, 0) = -1 EPERM (Operation not permitted)
"#,
        1,
        0,
    );
}

#[test]
fn without_a_pid_column_the_first_task_tells_its_own() {
    let text = "execve(\"/bin/x\", [\"x\"], 0x7ffd /* 3 vars */) = 0\n\
                set_tid_address(0x7f) = 4321\ngetpid() = 4321\n";
    let report = replayed_text(text, &SideFile::default());
    assert_eq!((report.mismatched, report.compared), (0, 2), "{:?}", report.first_mismatch);
}

#[test]
fn capabilities_are_kept_and_raised_again() {
    clean(
        r#"10 getuid() = 0
10 prctl(PR_SET_KEEPCAPS, 1) = 0
10 setresuid(1000, 1000, 1000) = 0
10 setgroups(0, []) = -1 EPERM (Operation not permitted)
10 capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_SETGID, permitted=1<<CAP_SETGID|1<<CAP_SYSLOG, inheritable=0}) = 0
10 setgroups(0, []) = 0
10 execve("/bin/y", ["y"], 0x7ffd /* 3 vars */) = 0
10 setgroups(0, []) = -1 EPERM (Operation not permitted)
"#,
        0,
        0,
    );
}

#[test]
fn the_halves_of_a_capability_set_stand_side_by_side() {
    clean(
        r#"10 getuid() = 0
10 capset({version=0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, pid=0}, {effective=0xffffff7f /* 1<<CAP_CHOWN */|0x1ff /* 1<<CAP_MAC_OVERRIDE */, permitted=0xffffff7f /* 1<<CAP_CHOWN */|0x1ff /* 1<<CAP_MAC_OVERRIDE */, inheritable=0}) = 0
10 setuid(5) = -1 EPERM (Operation not permitted)
10 setgid(5) = 0
"#,
        0,
        0,
    );
}

#[test]
fn what_is_wrong_with_a_side_file_is_said() {
    let text = "10 execve(\"/bin/x\", [\"x\"], 0x7ffd /* 3 vars */) = 0\n10 umask(0) = 02\n";
    let side = SideFile::parse(br#"{"umask": "9x", "rlimits": {"RLIMIT_ODD": [1, 2]}}"#);
    let report = replayed_text(text, &side.expect("JSON"));
    let why = report.damage.expect("damage").why;
    assert!(why.contains("umask \"9x\"") && why.contains("RLIMIT_ODD"), "{why}");
    // Ids that calls answered otherwise are not used without a word.
    let text = "10 execve(\"/bin/x\", [\"x\"], 0x7ffd /* 3 vars */) = 0\n10 getuid() = 0\n";
    let side = SideFile::parse(br#"{"uid": 1000}"#).expect("JSON");
    let told = replayed_text(text, &side);
    let why = told.damage.expect("damage").why;
    assert!(why.contains("line 1: uid 1000") && why.contains("shows 0"), "{why}");
    assert_eq!(told.mismatched, 0);
    let other = text.replace("getuid() = 0", "getuid() = 1000");
    assert_eq!(replayed_text(&other, &side).damage, None);
    // What the recording itself tells stands in.
    assert_eq!(report.mismatched, 0);
}

/// What is set by one number and seen by another is one description (`2>&1`).
#[test]
fn two_numbers_whose_flags_change_together_are_one_description() {
    clean(
        r#"10 fcntl(1, F_GETFL) = 0x1 (flags O_WRONLY)
10 fcntl(2, F_GETFL) = 0x1 (flags O_WRONLY)
10 ioctl(2, FIONBIO, [1]) = 0
10 fcntl(1, F_GETFL) = 0x801 (flags O_WRONLY|O_NONBLOCK)
10 fcntl(1, F_SETFL, O_WRONLY) = 0
10 fcntl(2, F_GETFL) = 0x1 (flags O_WRONLY)
"#,
        0,
        0,
    );
}

/// Of what is asked for both, a file and /dev/null are ready for both.
#[test]
fn what_is_ready_for_one_of_both_is_an_end_of_a_pipe() {
    clean(
        "10 poll([{fd=1, events=POLLIN|POLLOUT}, {fd=2, events=POLLIN|POLLOUT}], 2, 0) = 2 \
         ([{fd=1, revents=POLLOUT}, {fd=2, revents=POLLIN|POLLOUT}])\n",
        0,
        0,
    );
}

/// Modes and owners of devices are the machine's.
#[test]
fn a_device_has_the_mode_that_is_shown() {
    clean(
        r#"10 fstat(0</dev/null>, {st_mode=S_IFCHR|0500, st_rdev=makedev(0x1, 0x3), ...}) = 0
10 stat("/dev/null", {st_mode=S_IFCHR|0500, st_rdev=makedev(0x1, 0x3), ...}) = 0
10 chmod("/dev/null", 0666) = 0
10 stat("/dev/null", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}) = 0
10 stat("/dev/zero", {st_mode=S_IFCHR|0644, st_rdev=makedev(0x1, 0x5), ...}) = 0
"#,
        0,
        0,
    );
}
