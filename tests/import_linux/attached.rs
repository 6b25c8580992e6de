//! strace was attached to a session that was on its way (`-p`): children, threads, handlers and
//! masks that no line made.

use super::support::agrees;

#[test]
fn children_that_were_born_before() {
    agrees(
        "10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 2}], 0, NULL) = 11\n\
         10 rt_sigprocmask(SIG_SETMASK, [], NULL, 8) = 0\n\
         10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=2, si_utime=0, si_stime=0} ---\n\
         10 rt_sigreturn({mask=[]}) = 0\n\
         10 wait4(-1, 0x7ffe, WNOHANG, NULL) = 0\n\
         10 clone(child_stack=NULL, flags=SIGCHLD) = 13\n\
         13 exit_group(0) = ?\n\
         13 +++ exited with 0 +++\n\
         10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=13, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---\n\
         10 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 13\n\
         10 wait4(-1, 0x7ffe, WNOHANG, NULL) = 0\n\
         10 rt_sigreturn({mask=[]}) = 0\n\
         10 rt_sigaction(SIGCHLD, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f}, 8) = 0\n\
         10 exit_group(0) = ?\n\
         10 +++ exited with 0 +++\n",
        0,
    );
}

/// SA_RESTORER shows that a signal was set, and no program executed since.
#[test]
fn actions_that_were_set_before() {
    agrees(
        "10 rt_sigaction(SIGINT, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, 8) = 0\n\
         10 rt_sigaction(SIGTSTP, NULL, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, 8) = 0\n\
         10 clone(child_stack=NULL, flags=SIGCHLD) = 11\n\
         11 rt_sigaction(SIGUSR1, NULL, {sa_handler=0x55, sa_mask=[USR2], sa_flags=SA_RESTORER, sa_restorer=0x7f}, 8) = 0\n\
         11 execve(\"/bin/true\", [\"true\"], 0x7ffd /* 3 vars */) = 0\n\
         11 rt_sigaction(SIGUSR2, NULL, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0\n\
         10 exit_group(0) = ?\n\
         10 +++ exited with 0 +++\n",
        0,
    );
}

/// All threads are attached to; what a sleep's restart resumes nobody knows.
#[test]
fn threads_that_were_there_before() {
    agrees(
        "11 restart_syscall(<... resuming interrupted read ...> <unfinished ...>\n\
         10 read(3,  <unfinished ...>\n\
         11 <... restart_syscall resumed>) = 0\n\
         11 write(4, \"abc\", 3 <unfinished ...>\n\
         10 <... read resumed>\"abc\", 3) = 3\n\
         11 <... write resumed>) = 3\n\
         11 openat(AT_FDCWD, \"/etc/hostname\", O_RDONLY) = 5\n\
         10 dup(0) = 6\n\
         10 futex(0x7f, FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME, 11, NULL, FUTEX_BITSET_MATCH_ANY <unfinished ...>\n\
         11 exit(0) = ?\n\
         11 +++ exited with 0 +++\n\
         10 <... futex resumed>) = 0\n\
         10 exit_group(0) = ?\n\
         10 +++ exited with 0 +++\n",
        2,
    );
}

/// What a program inherited, by the errors that it meets.
#[test]
fn inherited_descriptors_by_their_errors() {
    let session = |lines: &str| {
        format!(
            "10 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0\n{lines}\
             10 exit_group(0) = ?\n10 +++ exited with 0 +++\n"
        )
    };
    let full = "10 write(1, \"hello\\n\", 6) = -1 ENOSPC (No space left on device)\n";
    agrees(&session(full), 0);
    let gone = "10 rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=0}, NULL, 8) = 0\n\
        10 write(1, \"hello\\n\", 6) = -1 EPIPE (Broken pipe)\n";
    agrees(&session(gone), 1);
    let waits = "10 poll([{fd=0, events=POLLIN}], 1, 20) = 0 (Timeout)\n\
        10 poll([{fd=0, events=POLLIN}, {fd=1, events=POLLOUT}], 2, 20) = 1 ([{fd=1, revents=POLLOUT}])\n\
        10 fcntl(0, F_SETFL, O_RDONLY|O_NONBLOCK) = 0\n\
        10 read(0, 0x7ffd, 3) = -1 EAGAIN (Resource temporarily unavailable)\n\
        10 select(1, [0], NULL, NULL, {tv_sec=0, tv_usec=10}) = 0 (Timeout)\n";
    agrees(&session(waits), 4);
    let limit = "10 dup(2) = 3\n10 dup(2) = 4\n10 dup(2) = 7\n\
        10 dup(2) = -1 EMFILE (Too many open files)\n\
        10 close(4) = 0\n\
        10 pipe2(0x7ffd, 0) = -1 EMFILE (Too many open files)\n\
        10 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 4\n";
    agrees(&session(limit), 0);
}

/// bash(1): when the children that were there ended nobody knows, one of them was waited for before
/// (SIGCHLD comes late), and what was open at 3 was not so after execve(2).
#[test]
fn earlier_children_end_without_a_word_and_descriptors_close_on_exec() {
    agrees(
        r#"7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 5
7 rt_sigprocmask(SIG_SETMASK, [CHLD], NULL, 8) = 0
7 rt_sigprocmask(SIG_SETMASK, [], NULL, 8) = 0
7 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=4, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
7 wait4(-1, 0x7ffe, WNOHANG, NULL) = -1 ECHILD (No child processes)
7 rt_sigreturn({mask=[]}) = 0
7 getppid() = 1
7 pipe2([4, 5], 0) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
8 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
8 openat(AT_FDCWD, "/etc/f", O_RDONLY) = 3
8 exit_group(0) = ?
8 +++ exited with 0 +++
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// zsh(1) in rt_sigsuspend(2).
#[test]
fn handlers_and_masks_from_before_are_told_by_a_return() {
    agrees(
        r#"7 rt_sigsuspend([], 8) = ? ERESTARTNOHAND (To be restarted if no handler)
7 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=5, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
7 rt_sigreturn({mask=[CHLD WINCH]}) = -1 EINTR (Interrupted system call)
7 rt_sigprocmask(SIG_BLOCK, [CHLD], [CHLD WINCH], 8) = 0
7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 5
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}
