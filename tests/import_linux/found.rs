//! What recordings of shells, compilers and GNU parallel told only to a second look.

use super::support::agrees;

/// `2>&1` without a word of it: both stand at one place, wherever that is.
#[test]
fn descriptors_that_move_together_are_one_description() {
    agrees(
        r#"7 execve("/usr/bin/perl", ["perl"], 0x7ffd /* 3 vars */) = 0
7 lseek(1, 0, SEEK_CUR) = 0
7 lseek(2, 0, SEEK_CUR) = 0
7 write(1, "1\n2\n3\n", 6) = 6
7 lseek(1, 0, SEEK_CUR) = 6
7 lseek(2, 0, SEEK_CUR) = 6
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// The copy of a program that nobody read, and one of which strace cut all that was written.
#[test]
fn files_that_run_begin_like_programs() {
    agrees(
        r#"7 execve("/usr/bin/install", ["install"], 0x7ffd /* 3 vars */) = 0
7 openat(AT_FDCWD, "/bin/true", O_RDONLY) = 3
7 openat(AT_FDCWD, "inst", O_WRONLY|O_CREAT|O_EXCL, 0700) = 4
7 copy_file_range(3, NULL, 4, NULL, 9223372035781033984, 0) = 35664
7 close(4) = 0
7 openat(AT_FDCWD, "cut", O_WRONLY|O_CREAT|O_EXCL, 0700) = 4
7 write(4, ""..., 4096) = 4096
7 close(4) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
8 execve("./inst", ["./inst"], 0x7ffd /* 3 vars */) = 0
8 execve("./cut", ["./cut"], 0x7ffd /* 3 vars */) = 0
8 exit_group(0) = ?
8 +++ exited with 0 +++
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// SIGKILL takes a task from under the tracer: what that prints of its registers is not so.
#[test]
fn what_is_printed_of_a_task_that_is_killed_may_be_garbage() {
    agrees(
        r#"7 execve("/usr/bin/perl", ["perl"], 0x7ffd /* 3 vars */) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
7 clone(child_stack=NULL, flags=SIGCHLD) = 9
8 newfstatat(AT_FDCWD, "/etc",  <unfinished ...>
9 syscall_0x310(0x3b00, 0x9, 0x39, 0x7fbcf3cfa580, 0x562f351326f0, 0x562f35135dd8 <unfinished ...>
7 kill(8, SIGKILL) = 0
8 <... newfstatat resumed>{st_mode=S_IFDIR|0755, st_size=4096, ...}, 0) = 140234356625408
8 +++ killed by SIGKILL +++
7 kill(9, SIGKILL) = 0
9 <... syscall_0x310 resumed>) = ?
9 +++ killed by SIGKILL +++
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// zsh(1) finds out where it is; that `/root` looks like `.` says nothing.
#[test]
fn a_working_directory_is_found_by_the_way_up() {
    agrees(
        r#"7 execve("/usr/bin/zsh", ["zsh"], 0x7ffd /* 3 vars */) = 0
7 newfstatat(AT_FDCWD, "/root", {st_mode=S_IFDIR|0700, st_size=4096, ...}, 0) = 0
7 newfstatat(AT_FDCWD, ".", {st_mode=S_IFDIR|0700, st_size=4096, ...}, 0) = 0
7 newfstatat(AT_FDCWD, "..", {st_mode=S_IFDIR|S_ISVTX|0777, st_size=4096, ...}, 0) = 0
7 newfstatat(AT_FDCWD, "../w", {st_mode=S_IFDIR|0700, st_size=4096, ...}, AT_SYMLINK_NOFOLLOW) = 0
7 chdir("..") = 0
7 newfstatat(AT_FDCWD, "..", {st_mode=S_IFDIR|0755, st_size=4096, ...}, 0) = 0
7 newfstatat(AT_FDCWD, "../tmp", {st_mode=S_IFDIR|S_ISVTX|0777, st_size=4096, ...}, AT_SYMLINK_NOFOLLOW) = 0
7 chdir("..") = 0
7 newfstatat(AT_FDCWD, "..", {st_mode=S_IFDIR|0755, st_size=4096, ...}, 0) = 0
7 chdir("/tmp/w") = 0
7 getcwd("/tmp/w", 4096) = 7
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// What lies below a directory of /sys is the machine's, also where no text stands beside its
/// descriptor.
#[test]
fn files_below_a_directory_of_the_machine_are_fed() {
    agrees(
        r#"7 execve("/usr/bin/lscpu", ["lscpu"], 0x7ffd /* 3 vars */) = 0
7 openat(AT_FDCWD, "/sys/devices/system/cpu", O_RDONLY|O_CLOEXEC) = 3
7 openat(3, "kernel_max", O_RDONLY|O_CLOEXEC) = 4
7 read(4, "8191\n", 2048) = 5
7 close(4) = 0
7 faccessat2(3, "online", R_OK, 0) = 0
7 close(3) = 0
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        4,
    );
}

/// A stop signal that was taken when SIGCONT came stops nobody.
#[test]
fn a_stop_that_is_taken_back_stops_nobody() {
    agrees(
        r#"7 execve("/usr/bin/dash", ["dash"], 0x7ffd /* 3 vars */) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
8 close(10) = -1 EBADF (Bad file descriptor)
7 kill(8, SIGSTOP) = 0
7 kill(8, SIGCONT) = 0
8 --- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER, si_pid=7, si_uid=0} ---
8 --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER, si_pid=7, si_uid=0} ---
8 getppid() = 7
8 exit_group(0) = ?
8 +++ exited with 0 +++
7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 8
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// A part of a write tells how much room there was: less than after the read beside it.
#[test]
fn a_write_that_does_not_wait_puts_what_fits_before_more_does() {
    agrees(
        r#"7 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
7 pipe2([3, 4], 0) = 0
7 fcntl(4, F_SETPIPE_SZ, 8192) = 8192
7 fcntl(4, F_SETFL, O_WRONLY|O_NONBLOCK) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
7 write(4, "aaaa"..., 4096) = 4096
7 write(4, "bbbb"..., 8192 <unfinished ...>
8 read(3, "aaaa"..., 4096) = 4096
7 <... write resumed>) = 4096
8 exit_group(0) = ?
8 +++ exited with 0 +++
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// A read that got less than it asked for found the pipe empty: a large write beside it had not put
/// all yet.
#[test]
fn a_pipe_that_ran_dry_bounds_the_write_before() {
    let filled = |bytes: usize| "x".repeat(bytes);
    let read = |bytes| format!("8 read(3, \"{}\", 10240) = {bytes}\n", filled(bytes));
    let mut text = r#"7 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
7 pipe2([3, 4], 0) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
"#
    .to_owned();
    text += &format!("7 write(4, \"{}\", 12288) = 12288\n", filled(12288));
    text += &format!("7 write(4, \"{}\", 32768 <unfinished ...>\n", filled(32768));
    text.extend([10240, 10240, 10240, 2048].map(read));
    text += "7 <... write resumed>) = 32768\n";
    text.extend([10240, 2048].map(read));
    text += "8 exit_group(0) = ?\n8 +++ exited with 0 +++\n";
    text += "7 exit_group(0) = ?\n7 +++ exited with 0 +++\n";
    agrees(&text, 0);
}

/// `-s 8`: of one that the session wrote, and of one that was read only after it ran.
#[test]
fn scripts_run_though_strace_cut_their_first_line() {
    agrees(
        r##"7 execve("/usr/bin/git", ["git"], 0x7ffd /* 3 vars */) = 0
7 openat(AT_FDCWD, "hook", O_WRONLY|O_CREAT|O_EXCL, 0755) = 3
7 write(3, "#!/bin/s"..., 20) = 20
7 close(3) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
8 execve("./hook", ["./hook"], 0x7ffd /* 3 vars */) = 0
8 openat(AT_FDCWD, "./hook", O_RDONLY) = 3
8 read(3, "#!/bin/s"..., 80) = 20
8 execve("/usr/bin/parallel", ["parallel"], 0x7ffd /* 3 vars */) = 0
8 openat(AT_FDCWD, "/usr/bin/parallel", O_RDONLY) = 4
8 read(4, "#!/usr/b"..., 8192) = 8192
8 exit_group(0) = ?
8 +++ exited with 0 +++
7 exit_group(0) = ?
7 +++ exited with 0 +++
"##,
        0,
    );
}

/// `-s 8`: a list of access that cp(1) sets (acl(5)).
#[test]
fn a_mode_that_a_cut_call_set_comes_with_the_next_stat() {
    agrees(
        r#"7 execve("/usr/bin/cp", ["cp"], 0x7ffd /* 3 vars */) = 0
7 openat(AT_FDCWD, "f", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3
7 fsetxattr(3, "system.p"..., "\2\0\0\0\1\0\6\0"..., 28, 0) = 0
7 newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=0, ...}, AT_EMPTY_PATH) = 0
7 newfstatat(AT_FDCWD, "f", {st_mode=S_IFREG|0644, st_size=0, ...}, 0) = 0
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        1,
    );
}

/// It looked at both after 6 was closed and before 4 was: the highest goes first.
#[test]
fn a_poll_sees_the_highest_descriptor_close_first() {
    agrees(
        r#"7 execve("/usr/bin/python3", ["python3"], 0x7ffd /* 3 vars */) = 0
7 pipe2([3, 4], 0) = 0
7 pipe2([5, 6], 0) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
7 close(4) = 0
7 close(6) = 0
7 poll([{fd=3, events=POLLIN}, {fd=5, events=POLLIN}], 2, -1 <unfinished ...>
8 exit_group(3) = ?
7 <... poll resumed>) = 1 ([{fd=5, revents=POLLHUP}])
8 +++ exited with 3 +++
7 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLHUP}])
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// A poll saw the first end close, and not the second.
#[test]
fn the_descriptors_of_an_ending_process_close_one_by_one() {
    agrees(
        r#"7 execve("/usr/bin/python3", ["python3"], 0x7ffd /* 3 vars */) = 0
7 pipe2([3, 4], 0) = 0
7 pipe2([5, 6], 0) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
7 close(4) = 0
7 close(6) = 0
7 poll([{fd=3, events=POLLIN}, {fd=5, events=POLLIN}], 2, -1 <unfinished ...>
8 exit_group(3) = ?
7 <... poll resumed>) = 1 ([{fd=3, revents=POLLHUP}])
8 +++ exited with 3 +++
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// `/tmp/#N (deleted)`: the number is an inode's (O_TMPFILE in open(2)).
#[test]
fn names_of_files_without_one_are_bound() {
    agrees(
        r#"7 execve("/usr/bin/sqlite3", ["sqlite3"], 0x7ffd /* 3 vars */) = 0
7 openat(AT_FDCWD, "/tmp", O_RDWR|O_TMPFILE, 0600) = 3
7 readlink("/proc/self/fd/3", "/tmp/#88231 (deleted)", 4096) = 21
7 openat(AT_FDCWD, "/tmp", O_RDWR|O_TMPFILE, 0600) = 4
7 readlink("/proc/self/fd/4", "/tmp/#9 (deleted)", 4096) = 17
7 readlink("/proc/self/fd/3", "/tmp/#88231 (deleted)", 4096) = 21
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// By SIGKILL, of which no line tells, and by a signal that was taken (pidfd_open(2)).
#[test]
fn a_pidfd_tells_of_a_death_before_its_line_does() {
    agrees(
        r#"7 execve("/usr/bin/python3", ["python3"], 0x7ffd /* 3 vars */) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
8 pause( <unfinished ...>
7 pidfd_open(8, 0) = 3
7 kill(8, SIGKILL) = 0
7 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}])
8 <... pause resumed>) = ?
8 +++ killed by SIGKILL +++
7 clone(child_stack=NULL, flags=SIGCHLD) = 9
9 pause( <unfinished ...>
7 pidfd_open(9, 0) = 4
7 kill(9, SIGTERM) = 0
9 <... pause resumed>) = ? ERESTARTNOHAND (To be restarted if no handler)
9 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=7, si_uid=0} ---
7 poll([{fd=4, events=POLLIN}], 1, -1) = 1 ([{fd=4, revents=POLLIN}])
9 +++ killed by SIGTERM +++
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// Attributes that files had before the recording, and one whose name strace cut (`-s 5`): what
/// shows them is answered as recorded, and what was set in full is compared.
#[test]
fn attributes_that_nothing_told_of_are_fed() {
    agrees(
        r#"7 execve("/usr/bin/cp", ["cp"], 0x7ffd /* 3 vars */) = 0
7 listxattr("/tmp/new", "user.old\0", 256) = 9
7 listxattr("/tmp/none", "", 256) = 0
7 getxattr("/tmp/old", "security.selinux", "sys", 255) = 3
7 listxattr("/tmp/old", NULL, 0) = 26
7 setxattr("/tmp/old", "user.a", "v", 1, 0) = 0
7 getxattr("/tmp/old", "user.a", "v", 255) = 1
7 removexattr("/tmp/old", "user.a") = 0
7 removexattr("/tmp/old", "user.old") = 0
7 getxattr("/tmp/old", "", 0x55d0, 255) = -1 ERANGE (Numerical result out of range)
7 removexattr("/tmp/old", "") = -1 ERANGE (Numerical result out of range)
7 openat(AT_FDCWD, "/tmp/f", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3
7 fgetxattr(3, "user.a", 0x55d0, 255) = -1 ENODATA (No data available)
7 flistxattr(3, NULL, 0) = 0
7 fsetxattr(3, "user."..., "v", 1, 0) = 0
7 flistxattr(3, NULL, 0) = 7
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        6,
    );
}
