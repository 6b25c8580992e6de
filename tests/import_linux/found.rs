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
