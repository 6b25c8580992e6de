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
