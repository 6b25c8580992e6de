//! What the host twin answers to small scripts whose outcome the man pages tell: it is itself
//! checked here, before others are checked against it.

mod harness;
#[path = "../need/mod.rs"]
mod need;

use std::path::Path;

use harness::Twin;
use serde_json::Value;

fn start(options: &[&str]) -> Option<Twin> {
    let program = Path::new(env!("CARGO_BIN_EXE_host-twin"));
    if need::root("the host twin") { Twin::start(program, options) } else { None }
}

/// Goes through a transcript from a fresh kernel on: `> REQUEST`, then the lines that must come,
/// exactly.
fn follow_with(twin: &mut Twin, transcript: &str) {
    twin.ask(r#"{"op":"reset"}"#);
    let mut come = Vec::new();
    let mut last = "";
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(request) = line.strip_prefix("> ") {
            assert_eq!(come, Vec::<Value>::new(), "more than expected came of {last}");
            come = twin.ask(request);
            last = request;
        } else {
            let expected: Value = serde_json::from_str(line).expect("the transcript is JSON");
            assert!(!come.is_empty(), "nothing more came of {last}, but {expected} must");
            assert_eq!(come.remove(0), expected, "of {last}");
        }
    }
    assert_eq!(come, Vec::<Value>::new(), "more than expected came of {last}");
}

/// Starts a twin, goes through a transcript, ends it.
fn follow(transcript: &str) {
    if let Some(mut twin) = start(&[]) {
        follow_with(&mut twin, transcript);
        twin.end();
    }
}

/// pipe(7): a read of an empty pipe blocks, a write ends it before the write's own answer.
#[test]
fn a_write_wakes_a_blocked_read() {
    follow(
        r#"
        > {"pid":1,"call":"pipe"}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"read","fd":3,"count":10}
        {"blocked":1}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is blocked in 1"}
        > {"pid":1,"call":"write","fd":4,"data":"hello"}
        {"done":1,"ok":5,"data":"hello"}
        {"ok":5}
        > {"pid":2,"call":"close","fd":4}
        {"ok":0}
        > {"pid":2,"call":"read","fd":3,"count":10}
        {"blocked":2}
        > {"pid":1,"call":"close","fd":4}
        {"done":2,"ok":0,"data":""}
        {"ok":0}
        "#,
    );
}

/// pipe(7): 65,536 bytes fit; a longer write goes on while the reader sees the parts.
#[test]
fn a_long_write_goes_on_as_it_is_read() {
    let data = "x".repeat(65_537);
    let page = "x".repeat(4096);
    follow(&format!(
        r#"
        > {{"pid":1,"call":"pipe"}}
        {{"ok":0,"fds":[3,4]}}
        > {{"pid":1,"call":"fork"}}
        {{"ok":2}}
        > {{"pid":2,"call":"write","fd":4,"data":"{data}"}}
        {{"blocked":1}}
        > {{"pid":1,"call":"read","fd":3,"count":1}}
        {{"ok":1,"data":"x"}}
        > {{"pid":1,"call":"read","fd":3,"count":4095}}
        {{"done":1,"ok":65537}}
        {{"ok":4095,"data":"{}"}}
        "#,
        &page[1..]
    ));
}

/// pipe(7), "I/O on pipes and FIFOs"; signal(7).
#[test]
fn a_broken_pipe_kills_or_says_so() {
    follow(
        r#"
        > {"pid":1,"call":"pipe2","flags":"O_CLOEXEC"}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"close","fd":3}
        {"ok":0}
        > {"pid":1,"call":"write","fd":4,"data":"x"}
        {"err":"EPIPE"}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"write","fd":4,"data":"x"}
        {"err":"EPIPE"}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is gone"}
        > {"pid":1,"call":"wait4","wpid":-1}
        {"ok":2,"status":{"signaled":"SIGPIPE"}}
        > {"pid":1,"call":"rt_sigaction","signum":"SIGPIPE","act":{"handler":"caught"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":1,"call":"write","fd":4,"data":"x"}
        {"signal":{"pid":1,"sig":"SIGPIPE","info":{"si_signo":"SIGPIPE","si_code":"SI_USER","si_pid":1,"si_uid":0}}}
        {"err":"EPIPE"}
        > {"pid":1,"call":"rt_sigreturn"}
        {"ok":0}
        "#,
    );
}

/// wait(2): which child, what it tells, zombies, and children that nobody may wait for.
#[test]
fn waits_tell_of_children() {
    follow(
        r#"
        > {"pid":1,"call":"wait4","wpid":-1}
        {"err":"ECHILD"}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":1,"call":"wait4","wpid":-1,"options":"WNOHANG"}
        {"ok":0}
        > {"pid":1,"call":"waitid","idtype":"P_PID","id":2,"options":"WEXITED"}
        {"blocked":1}
        > {"pid":2,"call":"exit_group","status":259}
        {"done":1,"ok":0,"info":{"si_signo":"SIGCHLD","si_code":"CLD_EXITED","si_pid":2,"si_uid":0,"si_status":3}}
        {"ok":0}
        > {"pid":1,"call":"fork"}
        {"ok":3}
        > {"pid":3,"call":"exit","status":1}
        {"ok":0}
        > {"pid":1,"call":"waitid","idtype":"P_ALL","id":0,"options":"WEXITED|WNOWAIT"}
        {"ok":0,"info":{"si_signo":"SIGCHLD","si_code":"CLD_EXITED","si_pid":3,"si_uid":0,"si_status":1}}
        > {"op":"processes"}
        {"processes":[{"pid":1,"ppid":0,"pgid":1,"sid":1,"state":"R","comm":"init"},{"pid":3,"ppid":1,"pgid":1,"sid":1,"state":"Z","comm":"init"}]}
        > {"pid":1,"call":"wait4","wpid":3,"options":0}
        {"ok":3,"status":{"exited":1}}
        > {"pid":1,"call":"rt_sigaction","signum":"SIGCHLD","act":{"handler":"SIG_IGN"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":1,"call":"fork"}
        {"ok":4}
        > {"pid":1,"call":"wait4","wpid":-1}
        {"blocked":2}
        > {"pid":4,"call":"exit","status":1}
        {"done":2,"err":"ECHILD"}
        {"ok":0}
        "#,
    );
}

/// wait(2), signal(7): stopping and continuing, also of a process in a call that a stop does not
/// end.
#[test]
fn a_process_stops_and_continues() {
    follow(
        r#"
        > {"pid":1,"call":"pipe"}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGSTOP"}
        {"ok":0}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is stopped"}
        > {"pid":1,"call":"wait4","wpid":2,"options":"WUNTRACED"}
        {"ok":2,"status":{"stopped":"SIGSTOP"}}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGCONT"}
        {"ok":0}
        > {"pid":1,"call":"wait4","wpid":2,"options":"WCONTINUED"}
        {"ok":2,"status":"continued"}
        > {"pid":2,"call":"read","fd":3,"count":1}
        {"blocked":1}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGSTOP"}
        {"ok":0}
        > {"pid":1,"call":"write","fd":4,"data":"x"}
        {"ok":1}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGCONT"}
        {"done":1,"ok":1,"data":"x"}
        {"ok":0}
        > {"pid":2,"call":"kill","target":2,"sig":"SIGSTOP"}
        {"ok":0}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is stopped"}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGCONT"}
        {"ok":0}
        > {"pid":2,"call":"getpid"}
        {"ok":2}
        "#,
    );
}

/// sigaction(2), signal(7): a call is interrupted or restarts; a handler makes calls; masks come
/// and go.
#[test]
fn handlers_interrupt_or_restart() {
    follow(
        r#"
        > {"pid":1,"call":"pipe"}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"rt_sigaction","signum":"SIGUSR1","act":{"handler":"caught","flags":"SA_RESTART|SA_SIGINFO","mask":["SIGHUP"]}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":2,"call":"rt_sigaction","signum":"SIGUSR2","act":{"handler":"caught"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":2,"call":"read","fd":3,"count":5}
        {"blocked":1}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGUSR1"}
        {"signal":{"pid":2,"sig":"SIGUSR1","info":{"si_signo":"SIGUSR1","si_code":"SI_USER","si_pid":1,"si_uid":0}}}
        {"ok":0}
        > {"pid":2,"call":"rt_sigprocmask","how":"SIG_BLOCK"}
        {"ok":0,"oldset":["SIGHUP","SIGUSR1"]}
        > {"pid":2,"call":"rt_sigreturn"}
        {"ok":0}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is blocked in 1"}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGUSR2"}
        {"signal":{"pid":2,"sig":"SIGUSR2","info":{"si_signo":"SIGUSR2","si_code":"SI_USER","si_pid":1,"si_uid":0}}}
        {"ok":0}
        > {"pid":2,"call":"rt_sigreturn"}
        {"done":1,"err":"EINTR"}
        {"ok":0}
        > {"pid":2,"call":"rt_sigreturn"}
        {"error":"pid 2 is in no signal handler"}
        > {"pid":2,"call":"rt_sigaction","signum":"SIGUSR1"}
        {"ok":0,"oldact":{"handler":"caught","mask":["SIGHUP"],"flags":"SA_RESTART|SA_SIGINFO"}}
        > {"pid":2,"call":"rt_sigprocmask","how":"SIG_BLOCK","set":["SIGUSR1","SIGUSR2"]}
        {"ok":0,"oldset":[]}
        > {"pid":2,"call":"kill","target":2,"sig":"SIGUSR2"}
        {"ok":0}
        > {"pid":2,"call":"kill","target":2,"sig":"SIGUSR1"}
        {"ok":0}
        > {"pid":2,"call":"rt_sigpending"}
        {"ok":0,"set":["SIGUSR1","SIGUSR2"]}
        > {"pid":2,"call":"rt_sigprocmask","how":"SIG_SETMASK","set":[]}
        {"signal":{"pid":2,"sig":"SIGUSR1","info":{"si_signo":"SIGUSR1","si_code":"SI_USER","si_pid":2,"si_uid":0}}}
        {"signal":{"pid":2,"sig":"SIGUSR2","info":{"si_signo":"SIGUSR2","si_code":"SI_USER","si_pid":2,"si_uid":0}}}
        {"ok":0,"oldset":["SIGUSR1","SIGUSR2"]}
        > {"pid":2,"call":"rt_sigprocmask","how":"SIG_BLOCK"}
        {"ok":0,"oldset":["SIGHUP","SIGUSR1","SIGUSR2"]}
        > {"pid":2,"call":"rt_sigreturn"}
        {"ok":0}
        > {"pid":2,"call":"rt_sigprocmask","how":"SIG_BLOCK"}
        {"ok":0,"oldset":["SIGHUP","SIGUSR1"]}
        > {"pid":2,"call":"rt_sigreturn"}
        {"ok":0}
        "#,
    );
}

/// signal(7), rt_sigtimedwait(2), sigsuspend(2): the ways to wait for a signal.
#[test]
fn signals_are_waited_for() {
    follow(
        r#"
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"rt_sigprocmask","how":"SIG_BLOCK","set":["SIGHUP"]}
        {"ok":0,"oldset":[]}
        > {"pid":2,"call":"rt_sigtimedwait","set":["SIGHUP"]}
        {"blocked":1}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGHUP"}
        {"done":1,"ok":1,"info":{"si_signo":"SIGHUP","si_code":"SI_USER","si_pid":1,"si_uid":0}}
        {"ok":0}
        > {"pid":2,"call":"rt_sigtimedwait","set":["SIGHUP"],"timeout":{"sec":0,"nsec":0}}
        {"err":"EAGAIN"}
        > {"pid":2,"call":"rt_sigaction","signum":"SIGHUP","act":{"handler":"caught"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":2,"call":"rt_sigsuspend","set":[]}
        {"blocked":2}
        > {"pid":1,"call":"tgkill","tgid":2,"tid":2,"sig":"SIGHUP"}
        {"signal":{"pid":2,"sig":"SIGHUP","info":{"si_signo":"SIGHUP","si_code":"SI_TKILL","si_pid":1,"si_uid":0}}}
        {"ok":0}
        > {"pid":2,"call":"rt_sigreturn"}
        {"done":2,"err":"EINTR"}
        {"ok":0}
        > {"pid":2,"call":"pause"}
        {"blocked":3}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGTERM"}
        {"done":3,"gone":{"signaled":"SIGTERM"}}
        {"ok":0}
        > {"pid":1,"call":"kill","target":2,"sig":0}
        {"ok":0}
        > {"pid":1,"call":"wait4","wpid":2}
        {"ok":2,"status":{"signaled":"SIGTERM"}}
        > {"pid":1,"call":"kill","target":2,"sig":0}
        {"err":"ESRCH"}
        > {"pid":1,"call":"kill","target":1,"sig":"SIGTERM"}
        {"ok":0}
        "#,
    );
}

/// A child that ends while it is blocked, and is reaped in the same moment: its end is told before
/// its parent's wait.
#[test]
fn a_death_is_told_before_what_it_wakes() {
    follow(
        r#"
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"fork"}
        {"ok":3}
        > {"pid":3,"call":"pause"}
        {"blocked":1}
        > {"pid":2,"call":"wait4","wpid":-1}
        {"blocked":2}
        > {"pid":1,"call":"kill","target":3,"sig":"SIGALRM"}
        {"done":1,"gone":{"signaled":"SIGALRM"}}
        {"done":2,"ok":3,"status":{"signaled":"SIGALRM"}}
        {"ok":0}
        "#,
    );
}

/// fork(2), dup(2), open(2): descriptions are shared, descriptors are the lowest free ones,
/// O_APPEND writes at the end.
#[test]
fn descriptors_are_linux_s() {
    follow(
        r#"
        > {"pid":1,"call":"open","path":"/tmp/f","flags":"O_RDWR|O_CREAT","mode":"0644"}
        {"ok":3}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"write","fd":3,"data":"abc"}
        {"ok":3}
        > {"pid":1,"call":"lseek","fd":3,"offset":0,"whence":"SEEK_CUR"}
        {"ok":3}
        > {"pid":1,"call":"dup","oldfd":3}
        {"ok":4}
        > {"pid":1,"call":"close","fd":0}
        {"ok":0}
        > {"pid":1,"call":"dup","oldfd":3}
        {"ok":0}
        > {"pid":1,"call":"fcntl","fd":3,"cmd":"F_DUPFD_CLOEXEC","arg":10}
        {"ok":10}
        > {"pid":1,"call":"fcntl","fd":10,"cmd":"F_GETFD"}
        {"ok":1}
        > {"pid":1,"call":"close_range","first":4,"last":4294967295}
        {"ok":0}
        > {"pid":1,"call":"dup2","oldfd":10,"newfd":5}
        {"err":"EBADF"}
        > {"pid":1,"call":"open","path":"/tmp/f","flags":"O_WRONLY|O_APPEND"}
        {"ok":4}
        > {"pid":1,"call":"write","fd":4,"data_b64":"/w=="}
        {"ok":1}
        > {"pid":1,"call":"pread64","fd":3,"count":10,"offset":1}
        {"ok":3,"data_b64":"YmP/"}
        > {"pid":1,"call":"prlimit64","resource":"RLIMIT_NOFILE","new_limit":{"cur":5,"max":5}}
        {"ok":0,"old_limit":{"cur":1024,"max":4096}}
        > {"pid":1,"call":"dup","oldfd":3}
        {"err":"EMFILE"}
        > {"pid":1,"call":"open","path":"/proc/self/fd","flags":"O_RDONLY"}
        {"err":"EMFILE"}
        "#,
    );
}

/// Process 1 is init: orphans become its children, a signal from inside does not end it.
#[test]
fn orphans_become_children_of_1() {
    follow(
        r#"
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"fork"}
        {"ok":3}
        > {"pid":2,"call":"exit","status":0}
        {"ok":0}
        > {"pid":3,"call":"getppid"}
        {"ok":1}
        > {"pid":3,"call":"kill","target":1,"sig":"SIGKILL"}
        {"ok":0}
        > {"pid":3,"call":"exit","status":7}
        {"ok":0}
        > {"pid":1,"call":"wait4","wpid":-1}
        {"ok":2,"status":{"exited":0}}
        > {"pid":1,"call":"wait4","wpid":-1}
        {"ok":3,"status":{"exited":7}}
        "#,
    );
}

/// vfork(2), execve(2): the parent waits; an exec closes and resets; errors leave all as it was.
#[test]
fn programs_are_replaced() {
    follow(
        r##"
        > {"pid":1,"call":"open","path":"/tmp/elf","flags":"O_WRONLY|O_CREAT","mode":"0755"}
        {"ok":3}
        > {"pid":1,"call":"write","fd":3,"data":"\u007fELF"}
        {"ok":4}
        > {"pid":1,"call":"execve","path":"/tmp/elf","argv":["elf"],"envp":[]}
        {"err":"ETXTBSY"}
        > {"pid":1,"call":"close","fd":3}
        {"ok":0}
        > {"pid":1,"call":"open","path":"/tmp/script","flags":"O_WRONLY|O_CREAT|O_CLOEXEC","mode":"0755"}
        {"ok":3}
        > {"pid":1,"call":"write","fd":3,"data":"#! /tmp/elf -x\nrest"}
        {"ok":19}
        > {"pid":1,"call":"dup","oldfd":3}
        {"ok":4}
        > {"pid":1,"call":"close","fd":4}
        {"ok":0}
        > {"pid":1,"call":"close","fd":3}
        {"ok":0}
        > {"pid":1,"call":"pipe2","flags":"O_CLOEXEC"}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"rt_sigaction","signum":"SIGHUP","act":{"handler":"caught"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":1,"call":"vfork"}
        {"blocked":1,"child":2}
        > {"pid":2,"call":"execve","path":"/tmp/none","argv":[],"envp":[]}
        {"err":"ENOENT"}
        > {"pid":2,"call":"execve","path":"/tmp","argv":[],"envp":[]}
        {"err":"EACCES"}
        > {"pid":2,"call":"execve","path":"/tmp/script","argv":["s","a"],"envp":["A=B"]}
        {"done":1,"ok":2}
        {"ok":0}
        > {"pid":2,"call":"dup","oldfd":0}
        {"ok":3}
        > {"pid":2,"call":"rt_sigaction","signum":"SIGHUP"}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":1,"call":"dup","oldfd":0}
        {"ok":5}
        > {"op":"processes"}
        {"processes":[{"pid":1,"ppid":0,"pgid":1,"sid":1,"state":"R","comm":"init"},{"pid":2,"ppid":1,"pgid":1,"sid":1,"state":"R","comm":"script"}]}
        > {"pid":2,"call":"open","path":"/proc/self/cmdline","flags":"O_RDONLY"}
        {"ok":4}
        > {"pid":2,"call":"read","fd":4,"count":100}
        {"ok":26,"data":"/tmp/elf\u0000-x\u0000/tmp/script\u0000a\u0000"}
        > {"pid":1,"call":"chmod","path":"/tmp/elf","mode":"0644"}
        {"ok":0}
        > {"pid":1,"call":"execve","path":"/tmp/script","argv":["s"],"envp":[]}
        {"err":"EACCES"}
        > {"pid":1,"call":"truncate","path":"/tmp/elf","length":0}
        {"err":"ETXTBSY"}
        > {"pid":2,"call":"readlink","path":"/proc/self/exe","bufsiz":100}
        {"ok":8,"data":"/tmp/elf"}
        > {"pid":2,"call":"exit","status":0}
        {"ok":0}
        > {"pid":1,"call":"truncate","path":"/tmp/elf","length":0}
        {"ok":0}
        "##,
    );
}

/// poll(2): blocks until something is ready, and says what.
#[test]
fn polls_wait_for_readiness() {
    follow(
        r#"
        > {"pid":1,"call":"pipe"}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"poll","fds":[{"fd":3,"events":"POLLIN"}],"timeout":0}
        {"ok":0,"fds":[{"fd":3,"events":"POLLIN","revents":""}]}
        > {"pid":2,"call":"poll","fds":[{"fd":3,"events":"POLLIN"},{"fd":-1,"events":"POLLIN"}],"timeout":-1}
        {"blocked":1}
        > {"pid":1,"call":"write","fd":4,"data":"x"}
        {"done":1,"ok":1,"fds":[{"fd":3,"events":"POLLIN","revents":"POLLIN"},{"fd":-1,"events":"POLLIN","revents":""}]}
        {"ok":1}
        > {"pid":2,"call":"select","nfds":5,"readfds":[3],"writefds":[4],"timeout":null}
        {"ok":2,"readfds":[3],"writefds":[4]}
        > {"pid":2,"call":"epoll_create1","flags":"EPOLL_CLOEXEC"}
        {"ok":5}
        > {"pid":2,"call":"epoll_ctl","epfd":5,"op":"EPOLL_CTL_ADD","fd":3,"events":"EPOLLIN|EPOLLET","data":7}
        {"ok":0}
        > {"pid":2,"call":"epoll_wait","epfd":5,"maxevents":4,"timeout":-1}
        {"ok":1,"events":[{"events":"EPOLLIN","data":7}]}
        > {"pid":2,"call":"epoll_wait","epfd":5,"maxevents":4,"timeout":-1}
        {"blocked":2}
        > {"pid":1,"call":"write","fd":4,"data":"x"}
        {"done":2,"ok":1,"events":[{"events":"EPOLLIN","data":7}]}
        {"ok":1}
        "#,
    );
}

/// clone(2): a thread shares its process's descriptors; an exec of it takes the process over.
#[test]
fn threads_share_their_process() {
    follow(
        r#"
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"clone","flags":"CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD"}
        {"ok":3}
        > {"pid":3,"call":"getpid"}
        {"ok":2}
        > {"pid":3,"call":"pipe"}
        {"ok":0,"fds":[3,4]}
        > {"pid":3,"call":"read","fd":3,"count":1}
        {"blocked":1}
        > {"pid":2,"call":"write","fd":4,"data":"x"}
        {"done":1,"ok":1,"data":"x"}
        {"ok":1}
        > {"pid":3,"call":"rt_sigaction","signum":"SIGHUP","act":{"handler":"caught"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":1,"call":"tkill","tid":3,"sig":"SIGHUP"}
        {"signal":{"pid":3,"sig":"SIGHUP","info":{"si_signo":"SIGHUP","si_code":"SI_TKILL","si_pid":1,"si_uid":0}}}
        {"ok":0}
        > {"pid":3,"call":"rt_sigreturn"}
        {"ok":0}
        > {"pid":1,"call":"creat","path":"/tmp/elf","mode":"0755"}
        {"ok":3}
        > {"pid":1,"call":"write","fd":3,"data":"\u007fELF"}
        {"ok":4}
        > {"pid":1,"call":"close","fd":3}
        {"ok":0}
        > {"pid":2,"call":"read","fd":3,"count":1}
        {"blocked":2}
        > {"pid":3,"call":"execve","path":"/tmp/elf","argv":[],"envp":[]}
        {"done":2,"gone":{"signaled":"SIGKILL"}}
        {"ok":0}
        > {"pid":2,"call":"gettid"}
        {"ok":2}
        > {"pid":3,"call":"gettid"}
        {"error":"pid 3 is gone"}
        > {"pid":1,"call":"clone","flags":"SIGCHLD","set_tid":100}
        {"ok":100}
        > {"pid":100,"call":"fork"}
        {"ok":4}
        "#,
    );
}

/// `tree` shows what programs have made, sorted, mounts not entered.
#[test]
fn the_tree_shows_inodes() {
    let Some(mut twin) = start(&["--root", "tmpfs"]) else { return };
    follow_with(
        &mut twin,
        r#"
        > {"pid":1,"call":"mkdir","path":"/d","mode":"0700"}
        {"ok":0}
        > {"pid":1,"call":"symlink","target":"x","linkpath":"/d/l"}
        {"ok":0}
        > {"pid":1,"call":"mknod","path":"/d/p","mode":"S_IFIFO|0600"}
        {"ok":0}
        > {"op":"tree","path":"/d"}
        {"tree":[{"path":"/d/l","type":"symlink","mode":511,"nlink":1,"uid":0,"gid":0,"size":1,"target":"x"},{"path":"/d/p","type":"fifo","mode":384,"nlink":1,"uid":0,"gid":0,"size":0}]}
        > {"op":"tree","path":"/none"}
        {"error":"tree: No such file or directory (os error 2)"}
        "#,
    );
    twin.end();
}

/// What is wrong with a request is named, and the kernel goes on.
#[test]
fn mistakes_are_named() {
    follow(
        r#"
        > nonsense
        {"error":"broken JSON: expected ident at line 1 column 2"}
        > []
        {"error":"a request is a JSON object"}
        > {"pid":1,"call":"frobnicate"}
        {"error":"unknown call frobnicate"}
        > {"pid":1,"call":"open","path":"/tmp/f"}
        {"error":"field flags is missing"}
        > {"pid":1,"call":"open","path":"/tmp/f","flags":"O_FROB"}
        {"error":"field flags: unknown name O_FROB"}
        > {"pid":1,"call":"open","path":7,"flags":0}
        {"error":"field path is not a string"}
        > {"pid":9,"call":"getpid"}
        {"error":"pid 9 is gone"}
        > {"op":"digest"}
        {"error":"op digest: a real kernel has none"}
        > {"pid":1,"call":"open","path":null,"flags":"O_RDONLY"}
        {"err":"EFAULT"}
        > {"pid":1,"call":"exit","status":0}
        {"ok":0}
        > {"pid":1,"call":"getpid"}
        {"error":"pid 1 is gone"}
        "#,
    );
}

/// alarm(2): time passes by `advance`, and only there is it waited for.
#[test]
fn time_passes_by_advance() {
    follow(
        r#"
        > {"pid":1,"call":"rt_sigaction","signum":"SIGALRM","act":{"handler":"caught"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":1,"call":"setitimer","which":"ITIMER_REAL","new_value":{"value":{"usec":200000}}}
        {"ok":0,"old_value":{"interval":{"sec":0,"usec":0},"value":{"sec":0,"usec":0}}}
        > {"pid":1,"call":"pause"}
        {"blocked":1}
        > {"op":"advance","ns":200000000}
        {"signal":{"pid":1,"sig":"SIGALRM","info":{"si_signo":"SIGALRM","si_code":"SI_KERNEL"}}}
        {}
        > {"pid":1,"call":"rt_sigreturn"}
        {"done":1,"err":"EINTR"}
        {"ok":0}
        "#,
    );
}

/// unix(7): a stream pair, descriptors and credentials in messages, names of sockets.
#[test]
fn sockets_carry_bytes_and_descriptors() {
    follow(
        r#"
        > {"pid":1,"call":"socketpair","domain":"AF_UNIX","type":"SOCK_STREAM","protocol":0}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"sendmsg","sockfd":3,"data":"x","fds":[0],"cred":{"pid":1,"uid":0,"gid":0}}
        {"ok":1}
        > {"pid":1,"call":"setsockopt","sockfd":4,"level":"SOL_SOCKET","optname":"SO_PASSCRED","optval":1}
        {"ok":0}
        > {"pid":1,"call":"recvmsg","sockfd":4,"count":10}
        {"ok":1,"data":"x","flags":"","cred":{"pid":1,"uid":0,"gid":0},"fds":[5]}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"socket","domain":"AF_INET","type":"SOCK_STREAM"}
        {"ok":6}
        > {"pid":2,"call":"bind","sockfd":6,"addr":{"family":"AF_INET","addr":"127.0.0.1","port":80}}
        {"ok":0}
        > {"pid":2,"call":"listen","sockfd":6,"backlog":5}
        {"ok":0}
        > {"pid":2,"call":"accept4","sockfd":6,"flags":"SOCK_CLOEXEC"}
        {"blocked":1}
        > {"pid":1,"call":"socket","domain":"AF_INET","type":"SOCK_STREAM"}
        {"ok":6}
        > {"pid":1,"call":"bind","sockfd":6,"addr":{"family":"AF_INET","addr":"127.0.0.1","port":1234}}
        {"ok":0}
        > {"pid":1,"call":"connect","sockfd":6,"addr":{"family":"AF_INET","addr":"127.0.0.1","port":80}}
        {"done":1,"ok":7,"addr":{"family":"AF_INET","addr":"127.0.0.1","port":1234}}
        {"ok":0}
        > {"pid":1,"call":"sendto","sockfd":6,"data":"hello"}
        {"ok":5}
        > {"pid":2,"call":"recvfrom","sockfd":7,"count":9}
        {"ok":5,"data":"hello"}
        > {"pid":2,"call":"getpeername","sockfd":7}
        {"ok":0,"addr":{"family":"AF_INET","addr":"127.0.0.1","port":1234}}
        > {"pid":2,"call":"socket","domain":"AF_UNIX","type":"SOCK_DGRAM"}
        {"ok":8}
        > {"pid":2,"call":"bind","sockfd":8,"addr":{"family":"AF_UNIX","path":"/tmp/s"}}
        {"ok":0}
        > {"pid":2,"call":"getsockname","sockfd":8}
        {"ok":0,"addr":{"family":"AF_UNIX","path":"/tmp/s"}}
        > {"pid":2,"call":"getsockopt","sockfd":8,"level":"SOL_SOCKET","optname":"SO_TYPE"}
        {"ok":0,"optval":2}
        "#,
    );
}

/// pty(7), termios(3): a pair of terminals, lines and their echo, the control characters.
#[test]
fn terminals_have_two_sides() {
    follow(
        r#"
        > {"pid":1,"call":"open","path":"/dev/ptmx","flags":"O_RDWR|O_NOCTTY"}
        {"ok":3}
        > {"pid":1,"call":"ioctl","fd":3,"request":"TIOCSPTLCK","arg":0}
        {"ok":0}
        > {"pid":1,"call":"ioctl","fd":3,"request":"TIOCGPTN"}
        {"ok":0,"arg":0}
        > {"pid":1,"call":"open","path":"/dev/pts/0","flags":"O_RDWR"}
        {"ok":4}
        > {"pid":1,"call":"ioctl","fd":4,"request":"TIOCGPGRP"}
        {"ok":0,"arg":1}
        > {"pid":1,"call":"ioctl","fd":3,"request":"TIOCSWINSZ","arg":{"ws_row":24,"ws_col":80}}
        {"ok":0}
        > {"pid":1,"call":"ioctl","fd":4,"request":"TIOCGWINSZ"}
        {"ok":0,"arg":{"ws_row":24,"ws_col":80,"ws_xpixel":0,"ws_ypixel":0}}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"read","fd":4,"count":100}
        {"blocked":1}
        > {"pid":1,"call":"write","fd":3,"data":"ab"}
        {"ok":2}
        > {"pid":1,"call":"write","fd":3,"data":"c\n"}
        {"done":1,"ok":4,"data":"abc\n"}
        {"ok":2}
        > {"pid":1,"call":"read","fd":3,"count":100}
        {"ok":5,"data":"abc\r\n"}
        > {"pid":1,"call":"rt_sigaction","signum":"SIGINT","act":{"handler":"SIG_IGN"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":2,"call":"read","fd":4,"count":100}
        {"blocked":2}
        > {"pid":1,"call":"write","fd":3,"data":"\u0003"}
        {"done":2,"gone":{"signaled":"SIGINT"}}
        {"ok":1}
        "#,
    );
}
