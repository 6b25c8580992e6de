//! Terminals of recordings: one that the session came with, whose other side nobody recorded, and
//! pairs that it made.

use super::support::agrees;

fn session(lines: &str) -> String {
    let begin = "10 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0\n";
    format!("{begin}{lines}10 exit_group(0) = ?\n10 +++ exited with 0 +++\n")
}

const SETTINGS: &str = "{c_iflag=ICRNL|IXON|IUTF8, c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0|OPOST|ONLCR, \
     c_cflag=B38400|CS8|CREAD, c_lflag=ISIG|ICANON|ECHO|ECHOE|ECHOK|IEXTEN|ECHOCTL|ECHOKE, ...}";
const RAW: &str = "{c_iflag=IXON|IUTF8, c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0|OPOST|ONLCR, \
     c_cflag=B38400|CS8|CREAD, c_lflag=ISIG|ECHOK|IEXTEN|ECHOCTL|ECHOKE, ...}";

/// What was typed comes when a read or a poll shows it; lines, parts of them, an end of file, raw
/// bytes, and characters that the settings would take.
#[test]
fn what_was_typed_is_what_reads_got() {
    agrees(
        &session(&format!(
            "10 ioctl(0, TCGETS, {SETTINGS}) = 0\n\
             10 ioctl(0, TIOCGWINSZ, {{ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}}) = 0\n\
             10 write(1, \"# \", 2) = 2\n\
             10 read(0, \"ls -l\\n\", 100) = 6\n\
             10 poll([{{fd=0, events=POLLIN}}], 1, -1) = 1 ([{{fd=0, revents=POLLIN}}])\n\
             10 read(0, \"hel\", 3) = 3\n\
             10 read(0, \"lo\\n\", 3) = 3\n\
             10 read(0, \"no end\", 100) = 6\n\
             10 read(0, \"\\3\\4\\177\\n\", 100) = 4\n\
             10 read(0, \"\", 100) = 0\n\
             10 ioctl(0, SNDCTL_TMR_STOP or TCSETSW, {RAW}) = 0\n\
             10 ioctl(0, TCGETS, {RAW}) = 0\n\
             10 pselect6(1, [0], NULL, NULL, NULL, NULL) = 1 (in [0])\n\
             10 read(0, \"x\", 1) = 1\n\
             10 read(0, \"\\33[A\\r\", 100) = 4\n\
             10 ioctl(0, SNDCTL_TMR_STOP or TCSETSW, {SETTINGS}) = 0\n\
             10 write(1, \"bye\\n\", 4) = 4\n"
        )),
        0,
    );
}

/// The size changes while nobody is seen to change it; whoever does hangs up at the end.
#[test]
fn the_driver_resizes_and_hangs_up() {
    agrees(
        &session(
            "10 ioctl(0, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0\n\
             10 rt_sigaction(SIGWINCH, {sa_handler=0x1000, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0\n\
             10 rt_sigaction(SIGHUP, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0\n\
             10 read(0, 0x7ffd, 100) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n\
             10 --- SIGWINCH {si_signo=SIGWINCH, si_code=SI_KERNEL} ---\n\
             10 rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)\n\
             10 ioctl(0, TIOCGWINSZ, {ws_row=30, ws_col=100, ws_xpixel=0, ws_ypixel=0}) = 0\n\
             10 read(0, \"a line\\n\", 100) = 7\n\
             10 read(0, 0x7ffd, 100) = -1 EIO (Input/output error)\n\
             10 read(0, \"\", 100) = 0\n\
             10 write(1, \"x\", 1) = -1 EIO (Input/output error)\n",
        ),
        0,
    );
}

/// A pair of the session's own: the number as recorded, echoes, more written than one read got,
/// what was typed before the settings changed.
#[test]
fn both_sides_of_a_pair_agree() {
    agrees(
        &session(&format!(
            "10 openat(AT_FDCWD, \"/dev/ptmx\", O_RDWR|O_NOCTTY) = 3\n\
             10 ioctl(3, TIOCGPTN, [7]) = 0\n\
             10 ioctl(3, TIOCSPTLCK, [0]) = 0\n\
             10 openat(AT_FDCWD, \"/dev/pts/7\", O_RDWR|O_NOCTTY) = 4\n\
             10 ioctl(4, TCGETS, {{c_iflag=ICRNL|IXON, c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0|OPOST|ONLCR, c_cflag=B38400|CS8|CREAD, c_lflag=ISIG|ICANON|ECHO|ECHOE|ECHOK|IEXTEN|ECHOCTL|ECHOKE, ...}}) = 0\n\
             10 write(3, \"ab\\r\", 3) = 3\n\
             10 read(3, \"ab\\r\\n\", 100) = 4\n\
             10 read(4, \"ab\\n\", 100) = 3\n\
             10 write(3, \"c\\r\", 2) = 2\n\
             10 ioctl(4, SNDCTL_TMR_START or TCSETS, {RAW}) = 0\n\
             10 read(4, \"c\\n\", 100) = 2\n\
             10 write(4, \"one\\n\", 4) = 4\n\
             10 write(4, \"two\\n\", 4) = 4\n\
             10 read(3, \"c\\r\\none\\r\\n\", 100) = 8\n\
             10 ioctl(3, FIONREAD, [5]) = 0\n\
             10 read(3, \"two\\r\\n\", 100) = 5\n\
             10 close(4) = 0\n\
             10 read(3, 0x7ffd, 100) = -1 EIO (Input/output error)\n"
        )),
        0,
    );
}

/// A shell below another that leads the session: the group of the one is the terminal's, then its
/// own.
#[test]
fn a_leader_outside_has_the_terminal() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/dev/tty\", O_RDWR) = 3\n\
             10 ioctl(3, TIOCGPGRP, [9]) = 0\n\
             10 getppid() = 9\n\
             10 getpgrp() = 9\n\
             10 getsid(0) = 9\n\
             10 setpgid(0, 10) = 0\n\
             10 rt_sigaction(SIGTTOU, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=0x7f}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0\n\
             10 ioctl(3, TIOCSPGRP, [10]) = 0\n\
             10 ioctl(3, TIOCGPGRP, [10]) = 0\n\
             10 ioctl(0, TIOCGPGRP, [10]) = 0\n\
             10 read(0, \"exit\\n\", 100) = 5\n",
        ),
        0,
    );
}

/// What was written before an interrupt had arrived; the echo of the interrupt comes after it.
#[test]
fn output_before_an_interrupt_has_arrived() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/dev/ptmx\", O_RDWR|O_NOCTTY) = 3\n\
             10 ioctl(3, TIOCSPTLCK, [0]) = 0\n\
             10 ioctl(3, TIOCGPTPEER, 0x102) = 4\n\
             10 write(4, \"out\\n\", 4) = 4\n\
             10 write(3, \"\\3\", 1) = 1\n\
             10 read(3, \"out\\r\\n^C\", 100) = 7\n",
        ),
        0,
    );
}

/// A read with VMIN 0 is over after VTIME.
#[test]
fn a_read_without_a_least_number_times_out() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/dev/ptmx\", O_RDWR|O_NOCTTY) = 3\n\
             10 ioctl(3, TIOCSPTLCK, [0]) = 0\n\
             10 ioctl(3, TIOCGPTPEER, 0x102) = 4\n\
             10 ioctl(4, TCSETS, {c_iflag=0, c_oflag=0, c_cflag=B38400|CS8|CREAD, c_lflag=0, c_line=N_TTY, c_cc=[[VINTR]=0x3, [VQUIT]=0x1c, [VERASE]=0x7f, [VKILL]=0x15, [VEOF]=0x4, [VTIME]=0x1, [VMIN]=0]}) = 0\n\
             10 read(4, \"\", 9) = 0\n\
             10 write(3, \"x\", 1) = 1\n\
             10 read(4, \"x\", 9) = 1\n",
        ),
        0,
    );
}

/// Who waits when the last master is closed is told EIO, who comes later that it is the end.
#[test]
fn a_reader_that_waits_is_told_of_the_last_close() {
    agrees(
        &session(
            "10 openat(AT_FDCWD, \"/dev/ptmx\", O_RDWR|O_NOCTTY|O_CLOEXEC) = 3\n\
             10 ioctl(3, TIOCSPTLCK, [0]) = 0\n\
             10 ioctl(3, TIOCGPTPEER, 0x102) = 4\n\
             10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11\n\
             11 close(3) = 0\n\
             11 read(4,  <unfinished ...>\n\
             10 close(3) = 0\n\
             11 <... read resumed>0x7ffd, 9) = -1 EIO (Input/output error)\n\
             11 read(4, \"\", 9) = 0\n\
             11 exit_group(0) = ?\n\
             11 +++ exited with 0 +++\n\
             10 wait4(11, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11\n",
        ),
        0,
    );
}
