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
