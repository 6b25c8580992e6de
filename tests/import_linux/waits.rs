//! Waits whose end no line of its own explains: signals of timers, writes that overlap.

use super::support::agrees;

fn session(lines: &str) -> String {
    let begin = "10 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0\n\
        10 rt_sigprocmask(SIG_BLOCK, [USR1 ALRM RT_2], NULL, 8) = 0\n";
    format!("{begin}{lines}10 exit_group(0) = ?\n10 +++ exited with 0 +++\n")
}

#[test]
fn a_wait_takes_the_signal_of_an_alarm() {
    agrees(
        &session(
            "10 alarm(1) = 0\n\
             10 rt_sigtimedwait([USR1 ALRM], {si_signo=SIGALRM, si_code=SI_KERNEL}, NULL, 8) = 14 (SIGALRM)\n\
             10 alarm(0) = 0\n\
             10 setitimer(ITIMER_REAL, {it_interval={tv_sec=0, tv_usec=50000}, it_value={tv_sec=0, tv_usec=50000}}, NULL) = 0\n\
             10 rt_sigtimedwait([USR1 ALRM], NULL, NULL, 8) = 14 (SIGALRM)\n\
             10 rt_sigpending([ALRM], 8) = 0\n\
             10 rt_sigtimedwait([USR1 ALRM], {si_signo=SIGALRM, si_code=SI_KERNEL}, {tv_sec=0, tv_nsec=0}, 8) = 14 (SIGALRM)\n\
             10 setitimer(ITIMER_REAL, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=0, tv_usec=0}}, NULL) = 0\n\
             10 rt_sigtimedwait([USR1 ALRM], 0x7ffd, {tv_sec=0, tv_nsec=0}, 8) = -1 EAGAIN (Resource temporarily unavailable)\n",
        ),
        0,
    );
}

#[test]
fn a_wait_takes_the_signal_of_a_timer() {
    agrees(
        &session(
            "10 timer_create(CLOCK_MONOTONIC, {sigev_value={sival_int=42, sival_ptr=0x2a}, sigev_signo=SIGRT_2, sigev_notify=SIGEV_SIGNAL}, [0]) = 0\n\
             10 timer_settime(0, 0, {it_interval={tv_sec=0, tv_nsec=30000000}, it_value={tv_sec=0, tv_nsec=30000000}}, NULL) = 0\n\
             10 rt_sigtimedwait([RT_2], {si_signo=SIGRT_2, si_code=SI_TIMER, si_timerid=0, si_overrun=0, si_int=42, si_ptr=0x2a}, {tv_sec=2, tv_nsec=0}, 8) = 34 (SIGRT_2)\n\
             10 rt_sigtimedwait([RT_2], {si_signo=SIGRT_2, si_code=SI_TIMER, si_timerid=0, si_overrun=0, si_int=42, si_ptr=0x2a}, {tv_sec=2, tv_nsec=0}, 8) = 34 (SIGRT_2)\n\
             10 timer_delete(0) = 0\n\
             10 rt_sigtimedwait([RT_2], 0x7ffd, {tv_sec=0, tv_nsec=0}, 8) = -1 EAGAIN (Resource temporarily unavailable)\n",
        ),
        0,
    );
}

/// Nobody in the recording sent it: an input.
#[test]
fn a_wait_takes_a_signal_from_outside() {
    agrees(
        &session(
            "10 rt_sigtimedwait([USR1], {si_signo=SIGUSR1, si_code=SI_USER, si_pid=7, si_uid=0}, NULL, 8) = 10 (SIGUSR1)\n",
        ),
        1,
    );
}

/// A stop interrupts poll(2); what it waits for comes of a write that has not returned.
#[test]
fn a_poll_that_was_stopped_ends_with_an_overlapping_write() {
    agrees(
        &session(
            "10 pipe2([3, 4], 0) = 0\n\
             10 clone(child_stack=NULL, flags=SIGCHLD) = 11\n\
             10 poll([{fd=3, events=POLLIN}], 1, 5000 <unfinished ...>\n\
             11 kill(10, SIGSTOP) = 0\n\
             10 <... poll resumed>) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)\n\
             10 --- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER, si_pid=11, si_uid=0} ---\n\
             10 --- stopped by SIGSTOP ---\n\
             11 kill(10, SIGCONT) = 0\n\
             10 --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER, si_pid=11, si_uid=0} ---\n\
             10 restart_syscall(<... resuming interrupted poll ...> <unfinished ...>\n\
             11 write(4, \"hello\", 5 <unfinished ...>\n\
             10 <... restart_syscall resumed>) = 1\n\
             11 <... write resumed>) = 5\n\
             10 read(3, \"hello\", 10) = 5\n\
             11 exit_group(0) = ?\n\
             11 +++ exited with 0 +++\n\
             10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---\n",
        ),
        0,
    );
}
