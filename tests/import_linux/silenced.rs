//! Recordings of which strace was told to leave something out: signals (`-e signal=none`), calls
//! that fail (`-z`), ends of tasks (`-qqq`).

use super::support::agrees;

/// `-e signal=none`: nor do `+++ killed` and `--- stopped` stand there.
#[test]
fn stops_and_deaths_of_which_no_line_tells_are_told_by_waits() {
    agrees(
        r#"7 execve("/bin/bash", ["bash"], 0x7ffd /* 3 vars */) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
7 kill(8, SIGSTOP) = 0
7 wait4(-1, [{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}], WSTOPPED, NULL) = 8
7 kill(8, SIGCONT) = 0
7 waitid(P_PID, 8, {si_signo=SIGCHLD, si_code=CLD_CONTINUED, si_pid=8, si_uid=0, si_status=SIGCONT, si_utime=0, si_stime=0}, WCONTINUED, NULL) = 0
7 kill(8, SIGTERM) = 0
7 wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], 0, NULL) = 8
7 clone(child_stack=NULL, flags=SIGCHLD) = 9
9 exit_group(0) = ?
9 +++ exited with 0 +++
7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 9
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// `-z`: rt_sigsuspend(2) always fails, and its mask stands in the handler's.
#[test]
fn masks_of_calls_that_are_not_printed_are_taken() {
    agrees(
        r#"7 execve("/bin/zsh", ["zsh"], 0x7ffd /* 3 vars */) = 0
7 rt_sigaction(SIGCHLD, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, NULL, 8) = 0
7 rt_sigprocmask(SIG_BLOCK, [CHLD], [], 8) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
8 +++ exited with 0 +++
7 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=8, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
7 rt_sigprocmask(SIG_BLOCK, ~[RTMIN RT_1], [INT CHLD], 8) = 0
7 rt_sigprocmask(SIG_SETMASK, [INT CHLD], ~[KILL STOP RTMIN RT_1], 8) = 0
7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 8
7 +++ exited with 0 +++
"#,
        1,
    );
}

/// `-qqq`: 9 ended before the signal of 8 was taken.
#[test]
fn children_that_end_together_send_one_signal() {
    agrees(
        r#"7 execve("/bin/bash", ["bash"], 0x7ffd /* 3 vars */) = 0
7 rt_sigaction(SIGCHLD, {sa_handler=0x55, sa_mask=[], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f}, NULL, 8) = 0
7 rt_sigprocmask(SIG_BLOCK, [CHLD], [], 8) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
7 clone(child_stack=NULL, flags=SIGCHLD) = 9
8 exit_group(0) = ?
9 exit_group(0) = ?
7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 8
7 rt_sigprocmask(SIG_SETMASK, [], NULL, 8) = 0
7 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=8, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---
7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 9
7 wait4(-1, 0x7ffd9f17e210, WNOHANG, NULL) = -1 ECHILD (No child processes)
7 rt_sigreturn({mask=[]}) = 0
7 rt_sigprocmask(SIG_BLOCK, [CHLD], [], 8) = 0
7 exit_group(0) = ?
"#,
        0,
    );
}
