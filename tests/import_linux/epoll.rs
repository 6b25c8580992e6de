//! What programs wait with: epoll(7), timers and signals that are read, in the styles of strace.

use super::support::agrees;

fn session(lines: &str) -> String {
    let begin = "10 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0\n";
    format!("{begin}{lines}10 exit_group(0) = ?\n10 +++ exited with 0 +++\n")
}

/// What is told comes of a write that has not returned, and of one that returns first.
#[test]
fn a_wait_is_told_of_an_overlapping_write() {
    agrees(
        &session(
            "10 pipe2([3, 4], 0) = 0\n\
             10 pipe2([5, 6], 0) = 0\n\
             10 epoll_create1(0) = 7\n\
             10 epoll_ctl(7, EPOLL_CTL_ADD, 3, {events=EPOLLIN|EPOLLET, data={u32=3, u64=3}}) = 0\n\
             10 epoll_ctl(7, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data={u32=5, u64=4294967301}}) = 0\n\
             10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11\n\
             10 epoll_wait(7, [], 8, 0) = 0\n\
             10 epoll_wait(7, <unfinished ...>\n\
             11 write(6, \"ab\", 2) = 2\n\
             11 write(4, \"c\", 1 <unfinished ...>\n\
             10 <... epoll_wait resumed>[{events=EPOLLIN, data={u32=3, u64=3}}, {events=EPOLLIN, data={u32=5, u64=4294967301}}], 8, -1) = 2\n\
             11 <... write resumed>) = 1\n\
             10 epoll_wait(7, [{events=EPOLLIN, data={u32=5, u64=4294967301}}], 8, -1) = 1\n\
             10 read(5, \"ab\", 9) = 2\n\
             10 epoll_ctl(7, EPOLL_CTL_MOD, 3, {events=EPOLLIN|EPOLLONESHOT, data={u32=9, u64=9}}) = 0\n\
             10 epoll_pwait(7, [{events=EPOLLIN, data={u32=9, u64=9}}], 8, 50, NULL, 8) = 1\n\
             10 epoll_pwait2(7, [], 8, {tv_sec=0, tv_nsec=1000000}, [USR1], 8) = 0\n\
             10 epoll_ctl(7, EPOLL_CTL_DEL, 5, 0x7ffd) = 0\n\
             10 epoll_ctl(7, EPOLL_CTL_DEL, 5, NULL) = -1 ENOENT (No such file or directory)\n\
             11 exit_group(0) = ?\n\
             11 +++ exited with 0 +++\n\
             10 wait4(11, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11\n",
        ),
        0,
    );
}

/// No stamp says how much time has passed: that a timer has gone off does.
#[test]
fn a_timer_that_is_told_of_has_gone_off() {
    agrees(
        &session(
            "10 timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC|TFD_NONBLOCK) = 3\n\
             10 timerfd_settime(3, 0, {it_interval={tv_sec=0, tv_nsec=5000000}, it_value={tv_sec=0, tv_nsec=1000000}}, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}) = 0\n\
             10 read(3, 0x7ffd, 8) = -1 EAGAIN (Resource temporarily unavailable)\n\
             10 timerfd_gettime(3, {it_interval={tv_sec=0, tv_nsec=5000000}, it_value={tv_sec=0, tv_nsec=966629}}) = 0\n\
             10 epoll_create1(EPOLL_CLOEXEC) = 4\n\
             10 epoll_ctl(4, EPOLL_CTL_ADD, 3, {events=EPOLLIN, data={u32=3, u64=3}}) = 0\n\
             10 epoll_wait(4, [{events=EPOLLIN, data={u32=3, u64=3}}], 8, -1) = 1\n\
             10 read(3, \"\\1\\0\\0\\0\\0\\0\\0\\0\", 8) = 8\n\
             10 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}])\n\
             10 read(3, \"\\4\\0\\0\\0\\0\\0\\0\\0\", 8) = 8\n\
             10 timerfd_settime(3, 0, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}, NULL) = 0\n",
        ),
        0,
    );
}

/// One signal of a child that has not returned from sending it, its end, and one from outside.
#[test]
fn signals_that_are_read_are_those_that_were_sent() {
    let zeros = "\\0".repeat(64);
    let info = |signo: &str, code: &str, pid: &str, status: &str, stime: &str| {
        let words = format!("{signo}\\0\\0\\0\\0\\0\\0\\0{code}{pid}\\0\\0\\0");
        let rest = "\\0".repeat(20);
        let times = format!("\\0\\0\\0\\0\\0\\0\\0\\0{stime}\\0\\0\\0\\0\\0\\0\\0");
        let more = "\\0".repeat(12);
        format!("\"{words}{rest}{status}\\0\\0\\0{more}{times}{}\"", &zeros[..2 * 56])
    };
    let none = "\\0\\0\\0\\0";
    let sent = info("\\n", none, "\\v\\0\\0\\0\\0", "\\0", "\\0");
    let ended = info("\\21", "\\1\\0\\0\\0", "\\v\\0\\0\\0\\0", "\\3", "\\5");
    agrees(
        &session(&format!(
            "10 rt_sigprocmask(SIG_BLOCK, [USR1 CHLD], NULL, 8) = 0\n\
             10 signalfd4(-1, [USR1 CHLD], 8, SFD_CLOEXEC|SFD_NONBLOCK) = 3\n\
             10 epoll_create1(0) = 4\n\
             10 epoll_ctl(4, EPOLL_CTL_ADD, 3, {{events=EPOLLIN|EPOLLET, data=0x3}}) = 0\n\
             10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11\n\
             10 epoll_wait(4, <unfinished ...>\n\
             11 kill(10, SIGUSR1 <unfinished ...>\n\
             10 <... epoll_wait resumed>[{{events=EPOLLIN, data=0x3}}], 8, -1) = 1\n\
             10 read(3, {sent}, 128) = 128\n\
             11 <... kill resumed>) = 0\n\
             10 read(3, 0x7ffd, 128) = -1 EAGAIN (Resource temporarily unavailable)\n\
             11 exit_group(3) = ?\n\
             11 +++ exited with 3 +++\n\
             10 epoll_wait(4, [{{events=EPOLLIN, data=0x3}}], 8, -1) = 1\n\
             10 read(3, {ended}, 1280) = 128\n\
             10 wait4(11, [{{WIFEXITED(s) && WEXITSTATUS(s) == 3}}], 0, NULL) = 11\n\
             10 signalfd4(3, [USR1], 8, 0) = 3\n",
        )),
        0,
    );
}

/// `-X raw`, `-X verbose`, and with descriptors (`-yy`).
#[test]
fn every_style_says_the_same() {
    for text in [
        "10 epoll_create1(0x80000) = 3\n\
         10 eventfd2(1, 0x800) = 4\n\
         10 epoll_ctl(3, 0x1, 4, {events=0x80000001, data={u32=4, u64=4}}) = 0\n\
         10 epoll_wait(3, [{events=0x1, data={u32=4, u64=4}}], 8, 0) = 1\n\
         10 epoll_wait(3, [], 8, 0) = 0\n\
         10 epoll_wait(3, 0x7ffd, 0, 0) = -1 EINVAL (Invalid argument)\n\
         10 timerfd_create(0x1, 0x80800) = 5\n\
         10 timerfd_settime(5, 0x1, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}, NULL) = 0\n\
         10 signalfd4(-1, [10 17], 8, 0x80800) = 6\n",
        "10 epoll_create1(0x80000 /* EPOLL_CLOEXEC */) = 3<anon_inode:[eventpoll]>\n\
         10 eventfd2(1, 0x800 /* EFD_NONBLOCK */) = 4<anon_inode:[eventfd]>\n\
         10 epoll_ctl(3<anon_inode:[eventpoll]>, 0x1 /* EPOLL_CTL_ADD */, 4<anon_inode:[eventfd]>, {events=0x80000001 /* EPOLLIN|EPOLLET */, data={u32=4, u64=4}}) = 0\n\
         10 epoll_wait(3<anon_inode:[eventpoll]>, [{events=0x1 /* EPOLLIN */, data={u32=4, u64=4}}], 8, 0) = 1\n\
         10 epoll_wait(3<anon_inode:[eventpoll]>, [], 8, 0) = 0\n\
         10 epoll_wait(3<anon_inode:[eventpoll]>, 0x7ffd, 0, 0) = -1 EINVAL (Invalid argument)\n\
         10 timerfd_create(0x1 /* CLOCK_MONOTONIC */, 0x80800 /* TFD_CLOEXEC|TFD_NONBLOCK */) = 5<anon_inode:[timerfd]>\n\
         10 timerfd_settime(5<anon_inode:[timerfd]>, 0x1 /* TFD_TIMER_ABSTIME */, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}, NULL) = 0\n\
         10 signalfd4(-1, [10 /* USR1 */ 17 /* CHLD */], 8, 0x80800 /* SFD_CLOEXEC|SFD_NONBLOCK */) = 6<anon_inode:[signalfd]>\n",
    ] {
        agrees(&session(text), 0);
    }
}
