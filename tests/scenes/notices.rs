//! O_ASYNC, F_SETSIG, F_SETOWN_EX: who is told of what, and of what nobody is told.

use super::words::*;
use crate::beside::Program;
use serde_json::{Value, json};

const SIGNALS: &[&str] =
    &["SIGIO", "SIGRT_3", "SIGRT_4", "SIGRT_5", "SIGUSR1", "SIGCHLD", "SIGURG"];

/// Process 1 is told of what happens to a descriptor, by this signal.
fn asks(fd: i64, signal: &str) -> Program {
    asks_as(fd, signal, "O_ASYNC|O_NONBLOCK")
}

fn asks_as(fd: i64, signal: &str, flags: &str) -> Program {
    let signal = fcntl(fd, "F_SETSIG", signal);
    all([fcntl(fd, "F_SETOWN", 1), signal, fcntl(fd, "F_SETFL", flags)])
}

/// A request and what process 1 is told of it: at most four times.
fn told(program: Program) -> Program {
    let takes = std::iter::repeat_n(take(SIGNALS), 4);
    all([program, all(takes)])
}

fn owner(kind: impl Into<Value>, pid: i64) -> Value {
    json!({"type": kind.into(), "pid": pid})
}

fn ask_owner(fd: i64) -> Program {
    fcntl(fd, "F_GETOWN_EX", owner("F_OWNER_PID", 0))
}

fn splice(count: i64) -> Program {
    call("splice", json!({"fd_in": 3, "fd_out": 6, "len": count, "flags": "0"}))
}

fn urgent(fd: i64) -> Program {
    call("sendto", json!({"sockfd": fd, "data": "u", "flags": "MSG_OOB"}))
}

pub(crate) fn scenes() -> Vec<Scene> {
    let scenes = [pipes(), unix(), internet(), others(), owners()].concat();
    scenes.into_iter().map(|(name, program)| (name, all([hold(SIGNALS), program]))).collect()
}

fn pipes() -> Vec<Scene> {
    let ends = || all([asks(3, "SIGRT_3"), asks(4, "SIGRT_4")]);
    let one = || told(write(4, "x"));
    let full = write(4, &"x".repeat(4096));
    vec![
        (
            "a pipe",
            all([
                all([pipe(), ends(), told(write(4, "a")), told(write(4, "b"))]),
                all([told(write(4, "")), told(read(3, 1)), told(read(3, 9)), told(read(3, 9))]),
                all([told(read(3, 0)), dup(3), told(close(5)), told(close(4)), read(3, 1)]),
            ]),
        ),
        (
            "a pipe that loses its reader",
            all([
                all([hold(&["SIGPIPE"]), pipe(), ends(), fcntl(3, "F_SETPIPE_SZ", 4096)]),
                all([told(full), told(write(4, "y")), told(close(3)), told(write(4, "z"))]),
            ]),
        ),
        (
            "which signal",
            all([
                all([pipe(), fcntl(3, "F_SETFL", "O_ASYNC"), one(), fcntl(3, "F_SETOWN", 1)]),
                all([one(), write(4, "x"), one(), fcntl(3, "F_SETSIG", "SIGIO"), one()]),
                all([fcntl(3, "F_SETSIG", "SIGCHLD"), one(), fcntl(3, "F_SETSIG", "SIGUSR1")]),
                all([one(), fcntl(3, "F_SETSIG", 0), one(), fcntl(3, "F_SETFL", "0"), one()]),
                all([ioctl(3, "FIOASYNC", 1), one(), fcntl(3, "F_GETFL", 0)]),
                all([ioctl(3, "FIOASYNC", 0), one(), fcntl(3, "F_SETSIG", 65)]),
                all([fcntl(3, "F_SETSIG", -1), fcntl(3, "F_GETSIG", 0)]),
            ]),
        ),
        (
            "by which descriptor",
            all([
                all([pipe(), dup(3), asks(5, "SIGRT_3"), one(), close(5), one()]),
                all([fcntl(3, "F_SETFL", "O_ASYNC"), one(), fcntl(3, "F_SETFL", "0")]),
                all([fcntl(3, "F_SETFL", "O_ASYNC"), one()]),
            ]),
        ),
        (
            "tee and splice",
            all([
                all([pipe(), pipe(), ends(), asks(5, "SIGRT_5"), asks(6, "SIGUSR1")]),
                told(write(4, "abc")),
                told(call("tee", json!({"fd_in": 3, "fd_out": 6, "len": 2, "flags": "0"}))),
                all([told(splice(2)), told(splice(1)), told(splice(1))]),
            ]),
        ),
        (
            "a FIFO",
            all([
                call("mknod", json!({"path": "/tmp/p", "mode": "S_IFIFO|0600"})),
                all([open("/tmp/p", "O_RDONLY|O_NONBLOCK"), asks(3, "SIGRT_3")]),
                all([told(open("/tmp/p", "O_WRONLY")), one(), told(close(4))]),
                all([open("/tmp/p", "O_RDWR|O_NONBLOCK|O_ASYNC"), fcntl(4, "F_SETOWN", 1)]),
                all([one(), fcntl(4, "F_SETFL", "O_NONBLOCK|O_ASYNC"), one()]),
                all([fcntl(4, "F_SETFL", "O_NONBLOCK"), asks(4, "SIGRT_4"), one()]),
                all([told(read(4, 1)), told(read(4, 9)), told(read(4, 9))]),
            ]),
        ),
    ]
}

fn unix() -> Vec<Scene> {
    let ends = || all([asks(3, "SIGRT_3"), asks(4, "SIGRT_4")]);
    let stream = || socketpair("SOCK_STREAM");
    let size = json!({"sockfd": 3, "level": "SOL_SOCKET", "optname": "SO_SNDBUF", "optval": 2304});
    vec![
        (
            "a pair of streams",
            all([
                all([stream(), ends(), told(write(3, "a")), told(write(3, "b"))]),
                all([told(read(4, 1)), told(read(4, 9)), told(read(4, 9)), told(urgent(3))]),
                all([told(shutdown(3, "SHUT_WR")), told(shutdown(3, "SHUT_RD"))]),
                all([told(close(3)), close(4), stream(), ends()]),
                all([told(shutdown(3, "SHUT_RD")), told(shutdown(4, "SHUT_RDWR"))]),
                told(close(3)),
            ]),
        ),
        (
            "a stream without room",
            all([
                all([stream(), asks(3, "SIGRT_3"), call("setsockopt", size)]),
                fcntl(4, "F_SETFL", "O_NONBLOCK"),
                all(std::iter::repeat_n(write(3, &"x".repeat(1000)), 8)),
                all([told(read(4, 1)), told(read(4, 1999)), told(read(4, 1000))]),
                all([told(read(4, 1000)), told(read(4, 9000)), told(read(4, 9000))]),
            ]),
        ),
        (
            "packets and datagrams",
            all([
                all([socketpair("SOCK_SEQPACKET"), ends(), told(write(3, "a"))]),
                all([told(read(4, 9)), told(close(3)), close(4)]),
                all([socketpair("SOCK_DGRAM"), ends(), told(write(3, "a")), told(read(4, 9))]),
                all([told(shutdown(3, "SHUT_RDWR")), told(close(3))]),
            ]),
        ),
        (
            "who waits is not told",
            all([
                all([stream(), asks_as(4, "SIGRT_4", "O_ASYNC"), fork(), by(2, read(4, 9))]),
                all([told(write(3, "a")), by(2, read(4, 9)), told(shutdown(3, "SHUT_WR"))]),
            ]),
        ),
        (
            "a unix listener",
            all([
                all([socket("AF_UNIX", "SOCK_STREAM"), bind(3, name("/tmp/l")), listen(3, 3)]),
                all([asks(3, "SIGRT_3"), socket("AF_UNIX", "SOCK_STREAM"), asks(4, "SIGRT_4")]),
                all([told(connect(4, name("/tmp/l"))), accept(3), told(write(5, "x"))]),
                all([told(close(5)), told(shutdown(3, "SHUT_RDWR")), told(close(3))]),
            ]),
        ),
    ]
}

fn internet() -> Vec<Scene> {
    let stream = || socket("AF_INET", "SOCK_STREAM");
    let datagrams = || socket("AF_INET", "SOCK_DGRAM");
    let listener = |at| all([stream(), bind(3, port(at)), listen(3, 3), asks(3, "SIGRT_3")]);
    let connection = |at| {
        let asked = all([stream(), asks(4, "SIGRT_4"), told(connect(4, port(at)))]);
        all([asked, accept(3), asks(5, "SIGRT_5")])
    };
    vec![
        (
            "a connection",
            all([
                all([listener(4000), connection(4000), told(write(5, "x")), told(write(4, "x"))]),
                all([told(read(5, 9)), told(urgent(4)), told(read(5, 9))]),
                all([told(shutdown(4, "SHUT_WR")), told(shutdown(5, "SHUT_WR"))]),
                all([told(close(4)), told(close(5))]),
            ]),
        ),
        (
            "a connection that is thrown away",
            all([
                all([listener(4002), connection(4002), told(write(4, "x")), told(close(5))]),
                all([told(close(4)), connection(4002), told(close(4)), told(close(5))]),
                told(shutdown(3, "SHUT_RD")),
            ]),
        ),
        (
            "nobody is there",
            all([
                all([stream(), asks(3, "SIGRT_3"), told(connect(3, port(4001)))]),
                all([fcntl(3, "F_SETFL", "O_ASYNC"), told(connect(3, port(4001)))]),
                told(connect(3, port(4001))),
            ]),
        ),
        (
            "udp",
            all([
                all([datagrams(), bind(3, port(4000)), asks(3, "SIGRT_3"), datagrams()]),
                all([asks(4, "SIGRT_4"), connect(4, port(4000)), told(write(4, "x"))]),
                all([told(read(3, 9)), told(close(3)), told(write(4, "x")), told(read(4, 9))]),
                told(shutdown(4, "SHUT_RDWR")),
            ]),
        ),
    ]
}

fn others() -> Vec<Scene> {
    let watch = json!({"fd": 3, "path": "/tmp", "mask": "IN_ALL_EVENTS"});
    let chmod = || call("chmod", json!({"path": "/tmp/x", "mode": "0644"}));
    let pair = || {
        let master = all([open("/dev/ptmx", "O_RDWR|O_NOCTTY"), ioctl(3, "TIOCSPTLCK", 0)]);
        all([master, ioctl(3, "TIOCGPTPEER", 0o402)])
    };
    let raw = json!({"iflag": "0", "oflag": "0", "cflag": "B38400|CS8|CREAD", "lflag": "0",
        "cc": {"VMIN": 3, "VTIME": 0}});
    let mask = json!({"fd": -1, "mask": ["SIGRT_3"], "flags": "SFD_NONBLOCK"});
    vec![
        (
            "inotify",
            all([
                all([call("inotify_init1", json!({"flags": "0"})), asks(3, "SIGRT_3")]),
                all([call("inotify_add_watch", watch), told(open("/tmp/x", "O_RDWR|O_CREAT"))]),
                all([told(chmod()), told(chmod()), told(close(4))]),
            ]),
        ),
        (
            "a terminal",
            all([
                all([pair(), asks(3, "SIGRT_3"), asks(4, "SIGRT_4"), told(write(3, "a"))]),
                all([told(write(3, "b\n")), told(read(4, 9)), told(read(3, 9))]),
                all([told(write(4, "out\n")), told(read(3, 99)), told(write(3, "\u{4}"))]),
                all([told(write(3, "a\nb\n")), told(ioctl(4, "TCXONC", 0)), told(write(4, "o"))]),
                all([told(ioctl(4, "TCXONC", 1)), told(ioctl(4, "TCSETS", raw))]),
                all([told(write(3, "q")), told(write(3, "r")), told(close(3)), told(close(4))]),
            ]),
        ),
        (
            "whose a terminal's signals are",
            all([
                all([pair(), fcntl(4, "F_SETFL", "O_ASYNC|O_NONBLOCK"), ask_owner(4)]),
                all([told(write(3, "a\n")), fcntl(3, "F_SETFL", "O_ASYNC|O_NONBLOCK")]),
                all([ask_owner(3), told(write(4, "x"))]),
            ]),
        ),
        (
            "by signalfd",
            all([
                all([pipe(), asks(3, "SIGRT_3"), call("signalfd4", mask)]),
                all([write(4, "x"), read(5, 128)]),
            ]),
        ),
    ]
}

fn owners() -> Vec<Scene> {
    let set = |kind: &str, pid| fcntl(3, "F_SETOWN_EX", owner(kind, pid));
    let mine = |pid| by(pid, take(SIGNALS));
    let group = |pid| call("setpgid", json!({"target": pid, "pgid": 2}));
    let act = json!({"signum": "SIGRT_3",
        "act": {"handler": "caught", "mask": [], "flags": ""}});
    let handles = call("rt_sigaction", act);
    let free = call("rt_sigprocmask", json!({"how": "SIG_SETMASK", "set": []}));
    let user = json!({"ruid": 1000, "euid": 1000, "suid": 1000});
    let returns = by(2, call("rt_sigreturn", json!({})));
    vec![
        (
            "owners",
            all([
                all([pipe(), ask_owner(3), fork(), group(2), fcntl(3, "F_SETOWN", 2)]),
                all([
                    fcntl(3, "F_GETOWN", 0),
                    ask_owner(3),
                    fcntl(3, "F_SETOWN", -2),
                    ask_owner(3),
                ]),
                all([set("F_OWNER_TID", 2), ask_owner(3), set("F_OWNER_PID", 2)]),
                all([fcntl(3, "F_SETOWN_EX", owner(3, 1)), set("F_OWNER_PID", -1)]),
                all([set("F_OWNER_PID", 9999), fcntl(3, "F_SETOWN_EX", 0)]),
                all([fcntl(3, "F_GETOWN_EX", 0), fcntl(3, "F_SETOWN", 9999)]),
                all([fcntl(3, "F_SETOWN", -9999), fcntl(3, "F_SETOWN", i64::from(i32::MIN))]),
                all([by(2, call("exit_group", json!({"status": 0}))), ask_owner(3)]),
                call("wait4", json!({"wpid": -1, "options": "0"})),
                all([ask_owner(3), set("F_OWNER_PGRP", 0), ask_owner(3)]),
                all([
                    fcntl(3, "F_SETOWN", 0),
                    fcntl(3, "F_GETOWN", 0),
                    ask_owner(3),
                    set("F_OWNER_PGRP", 1),
                ]),
                ask_owner(3),
            ]),
        ),
        (
            "a group is told",
            all([
                all([pipe(), fork(), fork(), group(2), group(3)]),
                all([asks_as(3, "SIGRT_3", "O_ASYNC"), fcntl(3, "F_SETOWN", -2)]),
                all([told(write(4, "x")), mine(2), mine(3), fcntl(3, "F_SETSIG", 0)]),
                all([write(4, "x"), mine(2), mine(3)]),
            ]),
        ),
        (
            "handlers and ends",
            all([
                all([pipe(), asks_as(3, "SIGRT_3", "O_ASYNC"), handles, free, fork()]),
                all([fcntl(3, "F_SETOWN", 2), write(4, "x"), returns.clone()]),
                all([by(2, call("pause", json!({}))), write(4, "y"), returns]),
                all([fcntl(3, "F_SETSIG", 0), write(4, "x")]),
            ]),
        ),
        (
            "who may",
            all([
                all([pipe(), asks_as(3, "SIGUSR1", "O_ASYNC"), fork()]),
                all([by(2, call("setresuid", user)), by(2, fcntl(3, "F_SETOWN", 1))]),
                all([told(write(4, "x")), by(2, fcntl(3, "F_SETOWN", 2)), write(4, "x")]),
                all([mine(2), fcntl(3, "F_SETOWN", 2), write(4, "x"), mine(2)]),
            ]),
        ),
    ]
}
