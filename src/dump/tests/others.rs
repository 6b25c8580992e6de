//! Forms of calls about processes, signals, times, sockets and other objects.

use super::super::results::{Broken, broken};
use super::super::structs;
use super::*;

#[test]
fn processes() {
    let status = |status| Payload::Status(status);
    let wait = |wpid, options| Call::Wait4 { wpid, options };
    same(
        "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 11995",
        &wait(-1, 0),
        Ok(Answer { value: 11995, payload: status(WaitStatus::Exited(3)) }),
    );
    same(
        "wait4(11996, [{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}], 0x2 /* WSTOPPED */, NULL) = 11996",
        &wait(11996, WUNTRACED),
        Ok(Answer { value: 11996, payload: status(WaitStatus::Stopped(Signal::SIGSTOP)) }),
    );
    same(
        "wait4(-1, 0x7ffe90947838, 0x1 /* WNOHANG */, NULL) = -1 ECHILD (No child processes)",
        &wait(-1, WNOHANG),
        Err(Errno::ECHILD),
    );
    let info = SigInfo { signo: 17, code: 2, pid: 11996, uid: 0, status: 15, value: 0 };
    same(
        "waitid(0 /* P_ALL */, 0, {si_signo=17 /* SIGCHLD */, si_code=0x2 /* CLD_KILLED */, si_pid=11996, si_uid=0, si_status=15 /* SIGTERM */, si_utime=0, si_stime=0}, 0x1000004 /* WEXITED|WNOWAIT */, NULL) = 0",
        &Call::Waitid { idtype: P_ALL, id: 0, options: WEXITED | WNOWAIT },
        with(Payload::Info(Box::new(info))),
    );
    same(
        "clone(child_stack=NULL, flags=0x400 /* CLONE_FILES */|17 /* SIGCHLD */) = 11998",
        &Call::Clone { flags: CLONE_FILES | 17, set_tid: 0 },
        value(11998),
    );
    same(
        "clone3({flags=0, exit_signal=17 /* SIGCHLD */, stack=NULL, stack_size=0, set_tid=[77777], set_tid_size=1}, 88) = -1 EINVAL (Invalid argument)",
        &Call::Clone { flags: 17, set_tid: 77777 },
        Err(Errno::EINVAL),
    );
    same(
        "execve(\"/none\", [\"a\"], [\"E=1\"]) = -1 ENOENT (No such file or directory)",
        &Call::Execve { path: Some(b"/none"), argv: vec![b"a"], envp: vec![b"E=1"] },
        Err(Errno::ENOENT),
    );
    same("umask(022)      = 022", &Call::Umask { mask: 0o22 }, value(0o22));
    same("exit_group(5)   = ?", &Call::ExitGroup { status: 5 }, value(0));
    same(
        "getgroups(10, [5, 6]) = 2",
        &Call::Getgroups { size: 10 },
        Ok(Answer { value: 2, payload: Payload::Groups(vec![5, 6]) }),
    );
    same("getresuid([0], [0], [0]) = 0", &Call::Getresuid {}, with(Payload::Ids([0; 3])));
    same("setresuid(-1, -1, -1) = 0", &Call::Setresuid { ruid: -1, euid: -1, suid: -1 }, value(0));
    let limit = Rlimit { cur: 8 << 20, max: u64::MAX };
    same(
        "prlimit64(0, 0 /* RLIMIT_CPU */, NULL, {rlim_cur=8388608 /* 8192*1024 */, rlim_max=18446744073709551615 /* RLIM64_INFINITY */}) = 0",
        &Call::Prlimit64 { target: 0, resource: RLIMIT_CPU, new_limit: None },
        with(Payload::Limit(limit)),
    );
    same(
        "capset({version=0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, pid=0}, {effective=0x21 /* 1<<CAP_CHOWN|1<<CAP_KILL */|0x1 /* 1<<CAP_MAC_OVERRIDE */, permitted=0x21 /* 1<<CAP_CHOWN|1<<CAP_KILL */|0x1 /* 1<<CAP_MAC_OVERRIDE */, inheritable=0}) = 0",
        &Call::Capset {
            target: 0,
            effective: 0x1_0000_0021,
            permitted: 0x1_0000_0021,
            inheritable: 0,
        },
        value(0),
    );
    same(
        "prctl(0x18 /* PR_CAPBSET_DROP */, 0x5 /* CAP_KILL */) = 0",
        &Call::Prctl { option: PR_CAPBSET_DROP, arg2: 5, arg3: 0, arg4: 0, arg5: 0 },
        value(0),
    );
}

#[test]
fn signals_and_times() {
    let usr = set(&[Signal::SIGUSR1, Signal::SIGUSR2]);
    let caught = SigAction { handler: 0x1000, mask: set(&[Signal::SIGUSR1]), flags: SA_RESTART };
    same(
        "rt_sigaction(34 /* SIGRT_2 */, {sa_handler=0x1000, sa_mask=[10 /* USR1 */], sa_flags=0x10000000 /* SA_RESTART */}, {sa_handler=0 /* SIG_DFL */, sa_mask=[], sa_flags=0}, 8) = 0",
        &Call::RtSigaction { signum: 34, act: Some(caught) },
        with(Payload::Action(Box::default())),
    );
    same(
        "rt_sigprocmask(0x2 /* SIG_SETMASK */, ~[10 /* USR1 */ 11 /* SEGV */], [], 8) = 0",
        &Call::RtSigprocmask {
            how: SIG_SETMASK,
            set: Some(SigSet::ALL.without(set(&[Signal::SIGUSR1, Signal::SIGSEGV]))),
        },
        with(Payload::Set(SigSet::EMPTY)),
    );
    same(
        "rt_sigtimedwait([10 /* USR1 */ 12 /* USR2 */], {si_signo=12 /* SIGUSR2 */, si_code=0 /* SI_USER */, si_pid=11983, si_uid=0}, NULL, 8) = 12 (SIGUSR2)",
        &Call::RtSigtimedwait { set: usr, timeout: None },
        Ok(Answer {
            value: 12,
            payload: Payload::Info(Box::new(SigInfo {
                signo: 12,
                pid: 11983,
                ..SigInfo::default()
            })),
        }),
    );
    same("kill(11983, 12 /* SIGUSR2 */) = 0", &Call::Kill { target: 11983, sig: 12 }, value(0));
    let queued = SigInfo { signo: 10, code: -1, pid: 11983, uid: 0, status: 0, value: 7 };
    same(
        "rt_sigqueueinfo(11983, 10 /* SIGUSR1 */, {si_signo=10 /* SIGUSR1 */, si_code=0xffffffff /* SI_QUEUE */, si_pid=11983, si_uid=0, si_int=7, si_ptr=0x7}) = 0",
        &Call::RtSigqueueinfo { target: 11983, sig: 10, info: queued },
        value(0),
    );
    let timer = Itimer { value_ns: 5_000_000_000, interval_ns: 0 };
    same(
        "setitimer(0 /* ITIMER_REAL */, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=5, tv_usec=0}}, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=0, tv_usec=0}}) = 0",
        &Call::Setitimer { which: ITIMER_REAL, new_value: Some(timer) },
        with(Payload::Timer(Itimer::default())),
    );
    same(
        "clock_nanosleep(0x1 /* CLOCK_MONOTONIC */, 0, {tv_sec=0, tv_nsec=1000}, NULL) = 0",
        &Call::ClockNanosleep { clockid: CLOCK_MONOTONIC, flags: 0, request: time(0, 1000) },
        value(0),
    );
    let event = SigEvent { notify: SIGEV_SIGNAL, signo: 10, value: 5, thread: 0 };
    same(
        "timer_create(0 /* CLOCK_REALTIME */, {sigev_value={sival_int=5, sival_ptr=0x5}, sigev_signo=10 /* SIGUSR1 */, sigev_notify=0 /* SIGEV_SIGNAL */}, [0]) = 0",
        &Call::TimerCreate { clockid: CLOCK_REALTIME, sevp: Some(event) },
        with(Payload::Number(0)),
    );
    same(
        "timer_settime(1, 0, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=5, tv_nsec=0}}, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}) = 0",
        &Call::TimerSettime { timerid: 1, flags: 0, new_value: Some(timer) },
        with(Payload::Timer(Itimer::default())),
    );
    let kill = SigInfo { signo: 10, code: -6, pid: 11983, ..SigInfo::default() };
    assert_eq!(
        structs::siginfo(&kill),
        "{si_signo=10 /* SIGUSR1 */, si_code=0xfffffffa /* SI_TKILL */, si_pid=11983, si_uid=0}"
    );
    let alarm = SigInfo { signo: 14, code: 0x80, ..SigInfo::default() };
    assert_eq!(
        structs::siginfo(&alarm),
        "{si_signo=14 /* SIGALRM */, si_code=0x80 /* SI_KERNEL */}"
    );
}

#[test]
fn what_is_waited_with() {
    let events = Some(EPOLLIN | EPOLLRDHUP | EPOLLET);
    same(
        "epoll_ctl(3, 0x1 /* EPOLL_CTL_ADD */, 4, {events=0x80002001 /* EPOLLIN|EPOLLRDHUP|EPOLLET */, data={u32=878082192, u64=78187493520}}) = 0",
        &Call::EpollCtl { epfd: 3, op: EPOLL_CTL_ADD, fd: 4, events, data: 78_187_493_520 },
        value(0),
    );
    same(
        "epoll_ctl(3, 0x2 /* EPOLL_CTL_DEL */, 4, NULL) = -1 ENOENT (No such file or directory)",
        &Call::EpollCtl { epfd: 3, op: EPOLL_CTL_DEL, fd: 4, events: None, data: 4 },
        Err(Errno::ENOENT),
    );
    let event = |events, data| EpollEvent { events, data };
    let two = vec![event(EPOLLOUT, 1 << 32), event(EPOLLIN | EPOLLHUP, 5)];
    same(
        "epoll_wait(3, [{events=0x4 /* EPOLLOUT */, data={u32=0, u64=4294967296}}, {events=0x11 /* EPOLLIN|EPOLLHUP */, data={u32=5, u64=5}}], 8, -1) = 2",
        &Call::EpollWait { epfd: 3, maxevents: 8, timeout: -1 },
        Ok(Answer { value: 2, payload: Payload::Epoll(two) }),
    );
    same(
        "epoll_pwait2(3, [], 8, {tv_sec=0, tv_nsec=1000000}, [10 /* USR1 */ 17 /* CHLD */], 8) = 0",
        &Call::EpollPwait2 {
            epfd: 3,
            maxevents: 8,
            timeout: Some(time(0, 1_000_000)),
            sigmask: Some(SigSet(1 << 9 | 1 << 16)),
        },
        with(Payload::Epoll(Vec::new())),
    );
    same(
        "timerfd_create(0x1 /* CLOCK_MONOTONIC */, 0x80800 /* TFD_CLOEXEC|TFD_NONBLOCK */) = 6",
        &Call::TimerfdCreate { clockid: CLOCK_MONOTONIC, flags: TFD_CLOEXEC | TFD_NONBLOCK },
        value(6),
    );
    let timer = Itimer { value_ns: 1_000_000, interval_ns: 5_000_000 };
    same(
        "timerfd_settime(6, 0x1 /* TFD_TIMER_ABSTIME */, {it_interval={tv_sec=0, tv_nsec=5000000}, it_value={tv_sec=0, tv_nsec=1000000}}, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}) = 0",
        &Call::TimerfdSettime { fd: 6, flags: TFD_TIMER_ABSTIME, new_value: Some(timer) },
        with(Payload::Timer(Itimer::default())),
    );
    same(
        "signalfd4(-1, [10 /* USR1 */ 17 /* CHLD */], 8, 0x80800 /* SFD_CLOEXEC|SFD_NONBLOCK */) = 7",
        &Call::Signalfd4 {
            fd: -1,
            mask: Some(SigSet(1 << 9 | 1 << 16)),
            flags: SFD_CLOEXEC | SFD_NONBLOCK,
        },
        value(7),
    );
}

#[test]
fn objects_and_sockets() {
    same(
        "eventfd2(3, 0x80800 /* EFD_CLOEXEC|EFD_NONBLOCK */) = 15<anon_inode:[eventfd]>",
        &Call::Eventfd2 { initval: 3, flags: EFD_CLOEXEC | EFD_NONBLOCK },
        value(15),
    );
    same(
        "memfd_create(\"mm\", 0x2 /* MFD_ALLOW_SEALING */) = 17</memfd:mm>(deleted)",
        &Call::MemfdCreate { name: Some(b"mm"), flags: MFD_ALLOW_SEALING },
        value(17),
    );
    same(
        "pidfd_send_signal(18<pid:11983>, 10 /* SIGUSR1 */, NULL, 0) = 0",
        &Call::PidfdSendSignal { pidfd: 18, sig: 10, info: None, flags: 0 },
        value(0),
    );
    same(
        "epoll_create1(0x80000 /* EPOLL_CLOEXEC */) = 20<anon_inode:[eventpoll]>",
        &Call::EpollCreate1 { flags: O_CLOEXEC },
        value(20),
    );
    same(
        "socket(0x1 /* AF_UNIX */, 0x1 /* SOCK_STREAM */|0x80800 /* SOCK_CLOEXEC|SOCK_NONBLOCK */, 0) = 24<UNIX-STREAM:[868716]>",
        &Call::Socket {
            domain: AF_UNIX,
            r#type: SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
            protocol: 0,
        },
        value(24),
    );
    let connect = |addr| Call::Connect { sockfd: 24, addr };
    same(
        "connect(24<UNIX-STREAM:[868716]>, {sa_family=0x1 /* AF_UNIX */, sun_path=@\"a\"}, 4) = -1 ECONNREFUSED (Connection refused)",
        &connect(Address::Abstract(Bytes(b"a".to_vec()))),
        Err(Errno::ECONNREFUSED),
    );
    same(
        "connect(24<UDP:[868726]>, {sa_family=0x2 /* AF_INET */, sin_port=\"\\x00\\x50\" /* htons(80) */, sin_addr=\"\\x7f\\x00\\x00\\x01\" /* inet_addr(\"127.0.0.1\") */}, 16) = 0",
        &connect(Address::Inet([127, 0, 0, 1], 80)),
        value(0),
    );
    let stack = AltStack { sp: 0x1000, flags: SS_DISABLE, size: 4096 };
    same(
        "sigaltstack({ss_sp=0x1000, ss_flags=0x2 /* SS_DISABLE */, ss_size=4096}, NULL) = 0",
        &Call::Sigaltstack { ss: Some(stack) },
        value(0),
    );
}

#[test]
fn comments_name_the_bits() {
    let open = Call::Open { path: Some(b"f"), flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600 };
    assert_eq!(
        line(&open, &value(3)),
        "open(\"f\", 0x241 /* O_WRONLY|O_CREAT|O_TRUNC */, 0600) = 3"
    );
    let unknown = Call::Pipe2 { flags: 1 << 30 };
    assert_eq!(
        line(&unknown, &Err(Errno::EINVAL)),
        "pipe2(0x7ff000000000, 0x40000000) = -1 EINVAL (Invalid argument)"
    );
}

#[test]
fn what_a_signal_broke_off() {
    let text = |call: &Call<'_>| broken(call).result();
    assert_eq!(
        text(&Call::Read { fd: 0, count: 1 }),
        "? ERESTARTSYS (To be restarted if SA_RESTART is set)"
    );
    assert_eq!(text(&Call::Pause {}), "? ERESTARTNOHAND (To be restarted if no handler)");
    assert_eq!(
        text(&Call::Poll { fds: Vec::new(), timeout: -1 }),
        "? ERESTART_RESTARTBLOCK (Interrupted by signal)"
    );
    let wait = Call::RtSigtimedwait { set: SigSet::EMPTY, timeout: None };
    assert_eq!(broken(&wait), Broken::AtOnce);
}

#[test]
fn mounts() {
    let mount = |source, kind, mountflags: u64, data| {
        let target: Path<'_> = Some(b"/tmp/mx");
        Call::Mount { source, target, filesystemtype: kind, mountflags, data }
    };
    let nodev = u64::from(MS_NOSUID | MS_NODEV);
    same(
        r#"mount("src", "/tmp/mx", "tmpfs", 0x6 /* MS_NOSUID|MS_NODEV */, "size=1k") = 0"#,
        &mount(Some(b"src"), Some(b"tmpfs"), nodev, Some(b"size=1k")),
        value(0),
    );
    let again = u64::from(MS_RDONLY | MS_REMOUNT);
    same(
        r#"mount(NULL, "/tmp/mx", 0x7f1d6665f710, 0x21 /* MS_RDONLY|MS_REMOUNT */, "size=8k") = 0"#,
        &mount(None, Some(b"tmpfs"), again, Some(b"size=8k")),
        value(0),
    );
    same(
        r#"mount("/tmp", "/tmp/mx", 0x7f1d6665e930, 0x1000 /* MS_BIND */, 0x7f1d67351f70) = 0"#,
        &mount(Some(b"/tmp"), Some(b"none"), u64::from(MS_BIND), Some(b"x")),
        value(0),
    );
    same(
        r#"mount("/tmp", "/tmp/mx", NULL, 0, NULL) = -1 EINVAL (Invalid argument)"#,
        &mount(Some(b"/tmp"), None, 0, None),
        Err(Errno::EINVAL),
    );
    same(
        r#"mount("/tmp", "/tmp/mx", "", 0xc0ed0000 /* MS_MGC_VAL */|0x2 /* MS_NOSUID */, "") = -1 ENODEV (No such device)"#,
        &mount(Some(b"/tmp"), Some(b""), 0xc0ed_0000 | u64::from(MS_NOSUID), Some(b"")),
        Err(Errno::ENODEV),
    );
    same(
        r#"umount2("/tmp/mx", 0x2 /* MNT_DETACH */) = 0"#,
        &Call::Umount2 { target: Some(b"/tmp/mx"), flags: MNT_DETACH },
        value(0),
    );
}

#[test]
fn children_by_descriptor_and_signals_to_threads() {
    same(
        "clone(child_stack=NULL, flags=0x1000 /* CLONE_PIDFD */|17 /* SIGCHLD */, parent_tid=[3]) = 11999",
        &Call::Clone { flags: CLONE_PIDFD | 17, set_tid: 0 },
        Ok(Answer { value: 11999, payload: Payload::Number(3) }),
    );
    let queued = SigInfo { signo: 10, code: -1, pid: 11983, uid: 0, status: 0, value: 7 };
    same(
        "rt_tgsigqueueinfo(11983, 11984, 10 /* SIGUSR1 */, {si_signo=10 /* SIGUSR1 */, si_code=0xffffffff /* SI_QUEUE */, si_pid=11983, si_uid=0, si_int=7, si_ptr=0x7}) = 0",
        &Call::RtTgsigqueueinfo { tgid: 11983, tid: 11984, sig: 10, info: queued },
        value(0),
    );
}
