//! Recordings in every print style, written by hand after real ones, import and replay without a
//! mismatch; what must be told apart is told apart; damage keeps what stands before it.

mod replayed;

use replayed::replayed_text;
use tickernel::import::{Format, Imported, SideFile, Source, import};
use tickernel::replay::{Options, Report, replay};
use tickernel::strace::Events;

/// Imports text and replays it.
fn replayed(text: &str) -> Report {
    replayed_text(text, &SideFile::default())
}

fn clean(text: &str) -> Report {
    let report = replayed(text);
    assert_eq!(report.first_mismatch, None);
    assert_eq!((report.mismatched, report.unsupported), (0, 0), "{:?}", report.by_call);
    assert_eq!(report.calls, report.in_scope + report.out_of_scope);
    let counted = report.compared + report.bound + report.fed;
    assert_eq!(report.in_scope, counted + report.mismatched + report.unsupported);
    report
}

/// All is as recorded but for so many fed and unsupported calls.
fn agrees(text: &str, fed: u64, unsupported: u64) -> Report {
    let report = replayed(text);
    assert_eq!(report.first_mismatch, None, "{text}");
    let counts = (report.mismatched, report.fed, report.unsupported);
    assert_eq!(counts, (0, fed, unsupported), "{:?}", report.by_call);
    report
}

const PIPELINE: &str = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11
11 close(3) = 0
11 dup2(4, 1) = 1
11 close(4) = 0
10 close(4) = 0
10 read(3, <unfinished ...>
11 write(1, "hello\n", 6) = 6
10 <... read resumed>"hello\n", 100) = 6
10 read(3, <unfinished ...>
11 exit_group(0) = ?
10 <... read resumed>"", 100) = 0
11 +++ exited with 0 +++
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
10 wait4(-1, 0x7ffe, 0, NULL) = -1 ECHILD (No child processes)
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#;

#[test]
fn a_pipeline_in_abbreviated_style() {
    let report = clean(PIPELINE);
    assert_eq!(report.calls, 14);
    assert_eq!(report.out_of_scope, 0);
    assert_eq!(report.clean_prefix, report.calls);
}

#[test]
fn a_wrong_byte_is_found_and_stays_one_mismatch() {
    let report = replayed(&PIPELINE.replace("resumed>\"hello\\n\"", "resumed>\"jello\\n\""));
    assert_eq!(report.mismatched, 1);
    let first = report.first_mismatch.expect("a mismatch");
    assert_eq!((first.line, first.pid), (Some(10), 10));
    assert!(first.why.contains("other bytes from 0"), "{}", first.why);
    assert_eq!(report.clean_prefix, 8);
}

#[test]
fn a_wrong_descriptor_is_forced_so_that_later_calls_are_clean() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 1
10 dup(1) = 9
10 read(1, "root", 4) = 4
10 close(9) = 0
10 close(1) = 0
"#;
    let side = SideFile::parse(br#"{"initial_fds": {"0": {"path": "/dev/null"}}}"#).expect("JSON");
    let report = replayed_text(text, &side);
    assert_eq!(report.mismatched, 1, "{:?}", report.first_mismatch);
    assert_eq!(report.first_mismatch.expect("a mismatch").line, Some(3));
}

#[test]
fn a_read_that_takes_part_of_a_longer_write() {
    let text = format!(
        r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 write(4, "{data}", 100000 <unfinished ...>
10 read(3, "{half}", 65536) = 65536
10 read(3, <unfinished ...>
11 <... write resumed>) = 100000
10 <... read resumed>"{rest}", 65536) = 34464
11 exit_group(0) = ?
11 +++ exited with 0 +++
"#,
        data = "x".repeat(100_000),
        half = "x".repeat(65_536),
        rest = "x".repeat(34_464),
    );
    clean(&text);
}

#[test]
fn an_interrupted_call_and_its_restart_are_one_call() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigaction(SIGCHLD, {sa_handler=0x5555, sa_mask=[], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0
10 pipe([3, 4]) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 read(3, <unfinished ...>
11 exit_group(3) = ?
11 +++ exited with 3 +++
10 <... read resumed>0x7ffe, 10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=3, si_utime=0, si_stime=0} ---
10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WNOHANG, NULL) = 11
10 rt_sigreturn({mask=[]}) = 0
10 read(3, <unfinished ...>
10 <... read resumed>0x7ffe, 10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
10 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---
10 +++ killed by SIGTERM +++
"#;
    let report = clean(text);
    assert_eq!(report.by_call["read"].calls, 1);
}

#[test]
fn a_handler_without_restart_ends_the_call() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 rt_sigaction(SIGUSR1, {sa_handler=0x5555, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 wait4(-1, <unfinished ...>
11 kill(10, SIGUSR1) = 0
10 <... wait4 resumed>0x7ffe, 0, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
10 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=11, si_uid=0} ---
10 rt_sigprocmask(SIG_BLOCK, NULL, [USR1], 8) = 0
10 rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)
10 rt_sigprocmask(SIG_BLOCK, NULL, [], 8) = 0
"#;
    let report = clean(text);
    assert_eq!(report.by_call["wait4"].compared, 1);
}

#[test]
fn files_that_were_there_are_found_out() {
    let text = r#"10 execve("/bin/cat", ["cat"], 0x7ffd /* 3 vars */) = 0
10 access("/etc/ld.so.preload", R_OK) = -1 ENOENT (No such file or directory)
10 openat(AT_FDCWD</home/u>, "/lib/x/libc.so.6", O_RDONLY|O_CLOEXEC) = 3</usr/lib/x/libc-2.so>
10 read(3</usr/lib/x/libc-2.so>, "\177ELF", 4) = 4
10 close(3</usr/lib/x/libc-2.so>) = 0
10 openat(AT_FDCWD</home/u>, "notes", O_RDONLY) = 3</home/u/notes>
10 fstat(3</home/u/notes>, {st_mode=S_IFREG|0600, st_size=11, ...}) = 0
10 read(3</home/u/notes>, "some notes\n", 4096) = 11
10 read(3</home/u/notes>, "", 4096) = 0
10 stat("/lib", {st_mode=S_IFDIR|0755, st_size=4096, ...}) = 0
10 lstat("/home/u", {st_mode=S_IFDIR|0700, st_size=4096, ...}) = 0
10 unlink("notes") = 0
10 openat(AT_FDCWD</home/u>, "notes", O_RDONLY) = -1 ENOENT (No such file or directory)
"#;
    clean(text);
}

#[test]
fn a_name_that_others_go_through_is_a_directory() {
    let text = r#"10 execve("/usr/bin/vi", ["vi"], 0x7ffd /* 3 vars */) = 0
10 readlink("/usr/local", 0x7ffe, 1023) = -1 EINVAL (Invalid argument)
10 stat("/usr/local/bin/cc", 0x7ffe) = -1 ENOENT (No such file or directory)
10 readlink("/proc/self/exe", "/usr/bin/vim.basic", 4096) = 18
"#;
    clean(text);
}

#[test]
fn overlapping_writes_go_in_the_order_of_their_reader() {
    let text = r#"10 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
10 pipe([3<pipe:[7]>, 4<pipe:[7]>]) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 clone(child_stack=NULL, flags=SIGCHLD) = 12
11 write(4<pipe:[7]>, "a", 1 <unfinished ...>
12 write(4<pipe:[7]>, "b", 1 <unfinished ...>
11 <... write resumed>) = 1
12 <... write resumed>) = 1
10 read(3<pipe:[7]>, "ba", 10) = 2
"#;
    clean(text);
}

#[test]
fn a_time_out_moves_the_clock() {
    let text = r#"10 1000000000.000000 execve("/bin/x", ["x"], 0x7ffd /* 3 vars */) = 0
10 1000000000.000100 pipe([3, 4]) = 0
10 1000000000.000200 poll([{fd=3, events=POLLIN}], 1, 50) = 0 (Timeout)
10 1000000000.050300 write(4, "x", 1) = 1
10 1000000000.050400 poll([{fd=3, events=POLLIN}], 1, 50) = 1 ([{fd=3, revents=POLLIN}])
10 1000000000.050500 select(4, [3], NULL, NULL, {tv_sec=0, tv_usec=0}) = 1 (in [3], left {tv_sec=0, tv_usec=0})
10 1000000000.050600 nanosleep({tv_sec=0, tv_nsec=5000000}, NULL) = 0
"#;
    let report = clean(text);
    assert_eq!(report.out_of_scope, 1);
}

#[test]
fn scope_and_unknown_calls_are_counted_apart() {
    let text = r#"10 execve("/bin/x", ["x"], 0x7ffd /* 3 vars */) = 0
10 brk(NULL) = 0x5555
10 futex(0x7f, FUTEX_WAIT_PRIVATE, 1, NULL) = 0
10 frobnicate(1, 2) = 7
10 write(1, 0x8, 4) = -1 EFAULT (Bad address)
"#;
    let report = replayed(text);
    assert_eq!((report.calls, report.out_of_scope, report.in_scope), (5, 2, 3));
    assert_eq!((report.unsupported, report.fed, report.mismatched), (1, 1, 0));
}

#[test]
fn what_stands_before_damage_is_replayed() {
    let report = replayed(&PIPELINE.replace("11 exit_group(0) = ?\n", "11 what is this\n"));
    assert_eq!(report.damage.expect("damage").line, Some(12));
    assert_eq!(report.first_mismatch, None);
    assert_eq!(report.calls, 10);
}

#[test]
fn a_trace_of_it_replays_to_the_same_report() {
    let recording = Events::new(PIPELINE.as_bytes()).read_all();
    let imported = import(&recording, &SideFile::default()).expect("it has a first state");
    let (bytes, written) =
        tickernel::replay::write(&imported, "test".to_owned(), Vec::new()).expect("it is written");
    let source =
        Imported { file: "test".to_owned(), format: Format::Trace, source: Source::Trace(bytes) };
    let mut options = Options { force: true, ..Options::default() };
    let again = replay(source, &mut options).expect("the trace can be read");
    assert_eq!(again.digests, written.digests);
    assert_eq!(again.completions, written.completions);
    let same = |report: &Report| Report {
        format: String::new(),
        wall_ns: 0,
        events_per_second: 0,
        ..report.clone()
    };
    assert_eq!(same(&again.report), same(&written.report));
}

#[test]
fn a_directory_that_turns_out_to_be_a_link_was_one_from_the_start() {
    clean(
        r#"1 openat(AT_FDCWD, "/lib/x/libc.so.6", O_RDONLY|O_CLOEXEC) = 3
1 close(3) = 0
1 openat(AT_FDCWD, "/", O_RDONLY|O_PATH|O_DIRECTORY) = 3
1 openat(3, "lib", O_RDONLY|O_NOFOLLOW|O_PATH) = 4
1 newfstatat(4, "", {st_mode=S_IFLNK|0777, st_size=7, ...}, AT_EMPTY_PATH) = 0
1 readlinkat(3, "lib", "usr/lib", 4096) = 7
1 fork() = 2
2 readlinkat(3, "bin", "usr/bin", 4096) = 7
2 newfstatat(3, "bin", {st_mode=S_IFLNK|0777, st_size=7, ...}, AT_SYMLINK_NOFOLLOW) = 0
"#,
    );
}

/// Whatever the importer made up stands where no program of the recording looks.
#[test]
fn what_the_importer_makes_up_is_in_no_list() {
    let list = concat!(
        "[{d_ino=2, d_off=1, d_reclen=24, d_type=DT_DIR, d_name=\".\"}, ",
        "{d_ino=2, d_off=2, d_reclen=24, d_type=DT_DIR, d_name=\"..\"}, ",
        "{d_ino=3, d_off=3, d_reclen=24, d_type=DT_DIR, d_name=\"usr\"}, ",
        "{d_ino=7, d_off=7, d_reclen=24, d_type=DT_DIR, d_name=\"dev\"}, ",
        "{d_ino=8, d_off=8, d_reclen=24, d_type=DT_DIR, d_name=\"tmp\"}, ",
        "{d_ino=9, d_off=9, d_reclen=24, d_type=DT_DIR, d_name=\"proc\"}, ",
        "{d_ino=4, d_off=4, d_reclen=24, d_type=DT_LNK, d_name=\"away\"}]",
    );
    for path in [", ", "</>, "] {
        let text = format!(
            r#"1 openat(AT_FDCWD, "/usr/x", O_RDONLY) = 3
1 lstat("/away", {{st_mode=S_IFLNK|0777, st_size=12, ...}}) = 0
1 stat("/away", {{st_mode=S_IFREG|0644, st_size=5, ...}}) = 0
1 fstat(1, {{st_mode=S_IFREG|0644, st_size=5, ...}}) = 0
1 openat(AT_FDCWD, "/", O_RDONLY|O_DIRECTORY) = 4
1 getdents64(4{path}{list}, 32768) = 168
1 getdents64(4{path}[], 32768) = 0
"#
        );
        clean(&text);
    }
}

#[test]
fn what_is_asked_of_an_unknown_object_is_unknown_too() {
    agrees(
        r#"1 accept4(0, NULL, NULL, SOCK_CLOEXEC) = 3
1 accept4(0, NULL, NULL, SOCK_CLOEXEC) = 4
1 getsockname(3, {sa_family=AF_UNIX}, [128 => 2]) = 0
1 getpeername(4, {sa_family=AF_UNIX}, [128 => 2]) = 0
1 shutdown(3, SHUT_WR) = 0
1 close(3) = 0
1 getsockname(3, 0x7ffd, [128]) = -1 EBADF (Bad file descriptor)
"#,
        0,
        5,
    );
}

#[test]
fn commands_of_fcntl_that_the_kernel_does_not_know_are_unsupported() {
    agrees(
        r#"1 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3
1 fcntl(3, F_GETLEASE) = 1 (F_WRLCK)
1 fcntl(3, F_NOTIFY, DN_MODIFY) = -1 ENOTDIR (Not a directory)
1 fcntl(3, F_SETOWN_EX, {type=F_OWNER_PID, pid=1}) = 0
1 fcntl(3, 0x3e7 /* F_??? */, 0) = -1 EINVAL (Invalid argument)
"#,
        0,
        3,
    );
}

#[test]
fn flags_of_one_call_are_kept_and_those_without_a_number_are_unsupported() {
    clean(
        r#"1 open("/tmp/f", O_RDWR|O_CREAT|O_EXCL, 0644) = 3
1 write(3, "abcd", 4) = 4
1 pwritev2(3, [{iov_base="ef", iov_len=2}], 1, 0, RWF_APPEND) = 2
1 preadv2(3, [{iov_base="abcdef", iov_len=9}], 1, 0, RWF_HIPRI) = 6
1 pwritev2(3, [{iov_base="x", iov_len=1}], 1, -1, RWF_ATOMIC) = -1 EOPNOTSUPP (Operation not supported)
"#,
    );
    agrees(
        r#"1 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3
1 preadv2(3, [{iov_base="", iov_len=2}], 1, -1, RWF_NEWEST) = 0
"#,
        0,
        1,
    );
}

#[test]
fn a_call_that_was_entered_before_strace_came_is_counted() {
    let report = agrees(
        r#"1 <... read resumed>"x", 1) = 1
1 <... openat resumed>) = 5
1 <... futex resumed>) = 0
1 restart_syscall(<... resuming interrupted futex ...>) = -1 EAGAIN (Resource temporarily unavailable)
1 getpid() = 1
1 fstat(5, {st_mode=S_IFREG|0644, st_size=5, ...}) = 0
1 openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 6
"#,
        3,
        0,
    );
    assert_eq!((report.calls, report.out_of_scope), (7, 2));
}

#[test]
fn a_list_of_which_only_the_length_was_printed_is_fed() {
    agrees("1 getdents64(3, 0x55d0 /* 12 entries */, 32768) = 400\n", 1, 0);
}

#[test]
fn bytes_that_were_cut_are_learnt_from_later_reads() {
    // Through a pipe in parts, through a file, and through copies inside the kernel.
    clean(
        r#"1 pipe([3, 4]) = 0
1 write(4, "0123456789"..., 20) = 20
1 writev(4, [{iov_base="ab"..., iov_len=4}, {iov_base="xy", iov_len=2}], 2) = 6
1 read(3, "0123456789"..., 12) = 12
1 read(3, "cdefghijabcdxy", 100) = 14
1 open("/tmp/f", O_RDWR|O_CREAT|O_EXCL, 0644) = 5
1 write(5, "0123456789"..., 20) = 20
1 pwrite64(5, "ZZ"..., 3, 15) = 3
1 pread64(5, "abcde", 5, 10) = 5
1 pread64(5, "eZZ?ij", 100, 14) = 6
1 lseek(5, 0, SEEK_SET) = 0
1 read(5, "0123456789"..., 100) = 20
1 open("/tmp/g", O_RDWR|O_CREAT|O_EXCL, 0644) = 6
1 write(5, "new"..., 6) = 6
1 sendfile(6, 5, [18], 100) = 8
1 pread64(6, "ijnew!?.", 100, 0) = 8
1 pread64(5, "new!?.", 100, 20) = 6
1 pwritev2(5, [{iov_base="QQ"..., iov_len=4}], 1, 0, RWF_DSYNC) = 4
1 pread64(5, "QQrs", 4, 0) = 4
"#,
    );
    // What was learnt is compared from then on.
    let report = replayed(
        r#"1 open("/tmp/f", O_RDWR|O_CREAT|O_EXCL, 0644) = 3
1 write(3, "01"..., 4) = 4
1 pread64(3, "23", 2, 2) = 2
1 pread64(3, "24", 2, 2) = 2
"#,
    );
    assert_eq!(report.mismatched, 1);
}

const WRITERS: &str = r#"1 pipe([3, 4]) = 0
1 fork() = 2
1 fork() = 3
1 read(3,  <unfinished ...>
2 write(4, "274\n", 4 <unfinished ...>
3 write(4, "277\n", 4 <unfinished ...>
3 <... write resumed>) = 4
2 <... write resumed>) = 4
"#;

#[test]
fn writers_that_overlap_wrote_in_the_order_that_was_read() {
    let reads = |lines: &str| clean(&format!("{WRITERS}1 <... read resumed>{lines}"));
    reads("\"274\\n\", 100) = 4\n1 read(3, \"277\\n\", 100) = 4\n");
    reads("\"277\\n\", 100) = 4\n1 read(3, \"274\\n\", 100) = 4\n");
    reads("\"274\\n277\\n\", 100) = 8\n");
    reads("\"277\\n274\\n\", 100) = 8\n");
    // Nobody waits yet: only what is read later tells.
    for order in ["274\\n277\\n", "277\\n274\\n"] {
        let text = WRITERS.replace("1 read(3,  <unfinished ...>\n", "");
        clean(&format!("{text}1 read(3, \"{order}\", 100) = 8\n"));
    }
}

/// A file may get the number of one that went a moment ago.
#[test]
fn numbers_of_files_that_are_gone_are_free() {
    let mut text = String::new();
    for (name, inode) in [("a", 11), ("b", 12), ("c", 11)] {
        text += &format!(
            r#"1 openat(AT_FDCWD, "/tmp/{name}", O_RDWR|O_CREAT|O_EXCL, 0600) = 3
1 fstat(3, {{st_dev=makedev(0, 0x1a), st_ino={inode}, st_mode=S_IFREG|0600, st_nlink=1, st_size=0}}) = 0
1 unlink("/tmp/{name}") = 0
1 close(3) = 0
"#
        );
    }
    clean(&text);
}
