//! What the host twin answers to small scripts of processes, programs, signals and time, whose
//! outcome the man pages tell: it is itself checked here, before others are checked against it.

mod harness;
#[path = "../need/mod.rs"]
mod need;
mod transcript;

use transcript::follow;

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
