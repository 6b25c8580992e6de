//! As `answers.rs`, for what goes through descriptors: pipes, files, readiness, sockets, terminals;
//! and what the protocol itself says.

mod harness;
#[path = "../need/mod.rs"]
mod need;
mod transcript;

use transcript::{follow, follow_with, start};

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
