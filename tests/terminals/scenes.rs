//! Scenes: VMIN and VTIME, hang-ups, controlling terminals and job control, limits, packet mode.

use serde_json::{Value, json};

/// A scene's name and its requests.
pub(crate) type Scene = (&'static str, Vec<Value>);

pub(crate) fn call(pid: i64, mut call: Value) -> Value {
    call["pid"] = pid.into();
    call
}

pub(crate) fn ioctl(pid: i64, fd: i64, request: &str, arg: Value) -> Value {
    call(pid, json!({"call": "ioctl", "fd": fd, "request": request, "arg": arg}))
}

pub(crate) fn ask(pid: i64, fd: i64, request: &str) -> Value {
    call(pid, json!({"call": "ioctl", "fd": fd, "request": request}))
}

pub(crate) fn write(pid: i64, fd: i64, data: &str) -> Value {
    call(pid, json!({"call": "write", "fd": fd, "data": data}))
}

pub(crate) fn read(pid: i64, fd: i64, count: i64) -> Value {
    call(pid, json!({"call": "read", "fd": fd, "count": count}))
}

pub(crate) fn close(pid: i64, fd: i64) -> Value {
    call(pid, json!({"call": "close", "fd": fd}))
}

pub(crate) fn plain(pid: i64, name: &str) -> Value {
    call(pid, json!({"call": name}))
}

fn poll(pid: i64, fds: &[i64]) -> Value {
    let fds: Vec<Value> =
        fds.iter().map(|fd| json!({"fd": fd, "events": "POLLIN|POLLOUT|POLLPRI"})).collect();
    call(pid, json!({"call": "poll", "fds": fds, "timeout": 0}))
}

pub(crate) fn kill(pid: i64, target: i64, sig: &str) -> Value {
    call(pid, json!({"call": "kill", "target": target, "sig": sig}))
}

pub(crate) fn open(pid: i64, path: &str, flags: &str) -> Value {
    call(pid, json!({"call": "open", "path": path, "flags": flags}))
}

pub(crate) fn advance(ns: u64) -> Value {
    json!({"op": "advance", "ns": ns})
}

pub(crate) fn raw(pid: i64, fd: i64, vmin: u8, vtime: u8) -> Value {
    ioctl(
        pid,
        fd,
        "TCSETS",
        json!({"iflag": "0", "oflag": "0", "cflag": "B38400|CS8|CREAD",
        "lflag": "0", "cc": {"VMIN": vmin, "VTIME": vtime}}),
    )
}

/// A pair at 3 (master) and 4 of process 1, without a session.
pub(crate) fn pair() -> Vec<Value> {
    vec![
        open(1, "/dev/ptmx", "O_RDWR|O_NOCTTY"),
        ioctl(1, 3, "TIOCSPTLCK", 0.into()),
        ioctl(1, 3, "TIOCGPTPEER", 0o402.into()),
    ]
}

/// The same, and process 2 leads a session with the slave for its terminal; process 1 has only the
/// master.
fn session() -> Vec<Value> {
    let mut all = pair();
    all.extend([
        plain(1, "fork"),
        close(1, 4),
        plain(2, "setsid"),
        ioctl(2, 4, "TIOCSCTTY", 0.into()),
        close(2, 3),
    ]);
    all
}

/// And process 3 is a child of 2, in a group of its own; caught signals are restarted or not.
pub(crate) fn with_job() -> Vec<Value> {
    let mut all = session();
    all.extend([plain(2, "fork"), call(3, json!({"call": "setpgid", "target": 0, "pgid": 0}))]);
    all
}

pub(crate) fn scene(name: &'static str, begin: Vec<Value>, rest: Vec<Value>) -> Scene {
    (name, [begin, rest].concat())
}

/// A signal is caught.
fn caught(pid: i64, signal: &str, flags: &str) -> Value {
    action(pid, signal, "caught", flags)
}

pub(crate) fn action(pid: i64, signal: &str, handler: &str, flags: &str) -> Value {
    call(
        pid,
        json!({"call": "rt_sigaction", "signum": signal,
        "act": {"handler": handler, "mask": [], "flags": flags}}),
    )
}

fn stat(fd: i64) -> Value {
    call(1, json!({"call": "fstat", "fd": fd}))
}

fn long(count: usize) -> String {
    "l".repeat(count)
}

/// Nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// All of them.
pub(crate) fn all() -> Vec<Scene> {
    let mut all = vec![
        time_1(),
        time_2(),
        time_3(),
        time_4(),
        life_1(),
        life_2(),
        life_3(),
        life_4(),
        life_5(),
        life_6(),
        life_7(),
        sessions_1(),
        sessions_2(),
        sessions_3(),
        sessions_4(),
        sessions_5(),
        limits_1(),
        limits_2(),
        limits_3(),
        limits_4(),
        limits_5(),
    ];
    all.extend(crate::jobs::all());
    all.extend(crate::splices::all());
    all
}

fn time_1() -> Scene {
    scene(
        "VMIN 0 VTIME waits for the first byte only",
        pair(),
        vec![
            plain(1, "fork"),
            raw(1, 4, 0, 20),
            read(2, 4, 10),
            advance(3 * SECOND),
            read(2, 4, 10),
            write(1, 3, "a"),
        ],
    )
}

fn time_2() -> Scene {
    scene(
        "VMIN VTIME gives what there is a while after the last byte",
        pair(),
        vec![
            plain(1, "fork"),
            raw(1, 4, 5, 20),
            read(2, 4, 10),
            advance(3 * SECOND),
            write(1, 3, "ab"),
            ask(1, 4, "FIONREAD"),
            advance(3 * SECOND),
            read(2, 4, 10),
            write(1, 3, "abcdef"),
        ],
    )
}

fn time_3() -> Scene {
    scene(
        "VMIN without VTIME, and a part of 64 bytes",
        pair(),
        vec![
            plain(1, "fork"),
            raw(1, 4, 3, 0),
            read(2, 4, 2),
            write(1, 3, "a"),
            write(1, 3, "b"),
            read(2, 4, 100),
            write(1, 3, "ab"),
            poll(1, &[3, 4]),
            write(1, 3, "cde"),
            raw(1, 4, 200, 0),
            read(2, 4, 100),
            write(1, 3, &"x".repeat(63)),
            write(1, 3, "yz"),
            poll(1, &[3, 4]),
            raw(1, 4, 0, 0),
            read(1, 4, 5),
            read(1, 4, 5),
        ],
    )
}

fn time_4() -> Scene {
    scene(
        "one reads, others wait for their turn",
        pair(),
        vec![
            plain(1, "fork"),
            plain(1, "fork"),
            read(2, 4, 10),
            read(3, 4, 10),
            ioctl(1, 4, "FIONBIO", 1.into()),
            read(1, 4, 10),
            write(1, 3, "one\ntwo\nthree\n"),
            read(1, 4, 10),
        ],
    )
}

fn life_1() -> Scene {
    scene(
        "a locked slave, its node, and the lowest number",
        vec![],
        vec![
            open(1, "/dev/ptmx", "O_RDWR|O_NOCTTY"),
            ask(1, 3, "TIOCGPTLCK"),
            open(1, "/dev/pts/0", "O_RDWR|O_NOCTTY"),
            ioctl(1, 3, "TIOCGPTPEER", 2.into()),
            ioctl(1, 3, "TIOCSPTLCK", 0.into()),
            open(1, "/dev/pts/0", "O_RDWR|O_NOCTTY"),
            open(1, "/dev/ptmx", "O_RDWR|O_NOCTTY"),
            ask(1, 5, "TIOCGPTN"),
            open(1, "/dev/ptmx", "O_RDWR|O_NOCTTY"),
            ask(1, 6, "TIOCGPTN"),
            close(1, 5),
            open(1, "/dev/pts/1", "O_RDWR|O_NOCTTY"),
            open(1, "/dev/ptmx", "O_RDWR|O_NOCTTY"),
            ask(1, 5, "TIOCGPTN"),
            stat(3),
            stat(4),
            call(1, json!({"call": "stat", "path": "/dev/pts/0"})),
            close(1, 3),
            call(1, json!({"call": "stat", "path": "/dev/pts/0"})),
            open(1, "/dev/ptmx", "O_RDWR|O_NOCTTY"),
            ask(1, 3, "TIOCGPTN"),
        ],
    )
}

fn life_2() -> Scene {
    scene(
        "the slave is closed by all and opened again",
        pair(),
        vec![
            write(1, 4, "out"),
            close(1, 4),
            poll(1, &[3]),
            read(1, 3, 10),
            read(1, 3, 10),
            write(1, 3, "typed\n"),
            open(1, "/dev/pts/0", "O_RDWR|O_NOCTTY"),
            poll(1, &[3, 4]),
            read(1, 4, 10),
            ioctl(1, 3, "FIONBIO", 1.into()),
            read(1, 3, 100),
            read(1, 3, 100),
        ],
    )
}

fn life_3() -> Scene {
    scene(
        "the master is closed",
        pair(),
        vec![
            plain(1, "fork"),
            close(2, 3),
            write(1, 3, "left\nover"),
            read(2, 4, 3),
            close(1, 3),
            poll(2, &[4]),
            read(2, 4, 10),
            write(2, 4, "x"),
            ask(2, 4, "TCGETS"),
            ask(2, 4, "TIOCGPGRP"),
            ioctl(2, 4, "TIOCSPGRP", 1.into()),
            ask(2, 4, "FIONREAD"),
            open(2, "/dev/pts/0", "O_RDWR|O_NOCTTY"),
            close(1, 4),
            close(2, 4),
        ],
    )
}

fn life_4() -> Scene {
    scene(
        "a reader and a poll when the master is closed",
        pair(),
        vec![
            plain(1, "fork"),
            close(2, 3),
            plain(1, "fork"),
            close(3, 3),
            read(2, 4, 3),
            call(
                3,
                json!({"call": "poll", "fds": [{"fd": 4, "events": "POLLIN"}],
                "timeout": -1}),
            ),
            close(1, 3),
            read(2, 4, 3),
        ],
    )
}

fn life_5() -> Scene {
    scene(
        "a reader of the master when the slave goes",
        pair(),
        vec![
            plain(1, "fork"),
            close(2, 4),
            read(2, 3, 9),
            write(1, 4, "a"),
            read(2, 3, 9),
            close(1, 4),
        ],
    )
}

fn life_6() -> Scene {
    scene(
        "what no terminal can do",
        pair(),
        vec![
            call(1, json!({"call": "lseek", "fd": 4, "offset": 0, "whence": "SEEK_SET"})),
            call(1, json!({"call": "pread64", "fd": 4, "count": 1, "offset": 0})),
            call(1, json!({"call": "pwrite64", "fd": 3, "data": "x", "offset": 0})),
            call(1, json!({"call": "ftruncate", "fd": 3, "length": 0})),
            ioctl(1, 4, "TIOCSPTLCK", 0.into()),
            ask(1, 4, "TIOCGPTN"),
            ioctl(1, 4, "TIOCPKT", 1.into()),
            ioctl(1, 3, "TCXONC", 9.into()),
            ioctl(1, 3, "TCFLSH", 9.into()),
            ioctl(1, 3, "TIOCNOTTY", 0.into()),
            ask(1, 4, "TIOCGPGRP"),
            ask(1, 3, "TIOCGPGRP"),
            ask(1, 3, "TIOCGSID"),
            open(1, "/dev/tty", "O_RDWR"),
        ],
    )
}

fn life_7() -> Scene {
    scene(
        // Who else may type for others is a setting of the machine (dev.tty.legacy_tiocsti).
        "only root opens an exclusive one, and may type for others",
        pair(),
        vec![
            ioctl(1, 4, "TIOCEXCL", 0.into()),
            ask(1, 4, "TIOCGEXCL"),
            open(1, "/dev/pts/0", "O_RDWR|O_NOCTTY"),
            ioctl(1, 4, "TIOCSTI", 97.into()),
            ioctl(1, 3, "FIONBIO", 1.into()),
            read(1, 3, 9),
            call(1, json!({"call": "chmod", "path": "/dev/pts/0", "mode": "0666"})),
            call(1, json!({"call": "setresuid", "ruid": 1000, "euid": 1000, "suid": 1000})),
            open(1, "/dev/pts/0", "O_RDWR|O_NOCTTY"),
            ioctl(1, 3, "TIOCGPTPEER", 2.into()),
            ioctl(1, 4, "TIOCNXCL", 0.into()),
            open(1, "/dev/pts/0", "O_RDWR|O_NOCTTY"),
        ],
    )
}

fn sessions_1() -> Scene {
    scene(
        "a leader takes a terminal by opening it, /dev/tty is it",
        pair(),
        vec![
            plain(1, "fork"),
            open(2, "/dev/tty", "O_RDWR"),
            plain(2, "setsid"),
            open(2, "/dev/pts/0", "O_WRONLY"),
            open(2, "/dev/tty", "O_RDWR"),
            open(2, "/dev/pts/0", "O_RDWR"),
            open(2, "/dev/tty", "O_RDWR"),
            ask(2, 7, "TIOCGSID"),
            call(2, json!({"call": "fstat", "fd": 7})),
            ask(2, 4, "TIOCGPGRP"),
            ask(1, 3, "TIOCGPGRP"),
            ask(1, 4, "TIOCGPGRP"),
            plain(2, "fork"),
            ask(3, 4, "TIOCGSID"),
            plain(3, "setsid"),
            ask(3, 4, "TIOCGSID"),
            open(3, "/dev/tty", "O_RDWR"),
            ioctl(3, 4, "TIOCSCTTY", 0.into()),
            ioctl(3, 4, "TIOCSCTTY", 1.into()),
            ask(2, 4, "TIOCGSID"),
            open(2, "/dev/tty", "O_RDWR"),
        ],
    )
}

fn sessions_2() -> Scene {
    scene(
        "the leader gives its terminal up",
        with_job(),
        vec![
            caught(2, "SIGHUP", "0"),
            caught(2, "SIGCONT", "0"),
            ioctl(3, 4, "TIOCNOTTY", 0.into()),
            ask(3, 4, "TIOCGPGRP"),
            ioctl(2, 4, "TIOCNOTTY", 0.into()),
            plain(2, "rt_sigreturn"),
            plain(2, "rt_sigreturn"),
            ask(2, 4, "TIOCGPGRP"),
            ioctl(2, 4, "TIOCSCTTY", 0.into()),
            ask(2, 4, "TIOCGPGRP"),
        ],
    )
}

fn sessions_3() -> Scene {
    scene(
        "the leader ends",
        with_job(),
        vec![
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            caught(3, "SIGHUP", "0"),
            caught(3, "SIGCONT", "0"),
            call(2, json!({"call": "exit_group", "status": 0})),
            ask(3, 4, "TIOCGPGRP"),
            plain(3, "rt_sigreturn"),
            open(3, "/dev/tty", "O_RDWR"),
            write(3, 4, "still there"),
            read(1, 3, 100),
        ],
    )
}

fn sessions_4() -> Scene {
    scene(
        "a hang-up, and the leader's end after it",
        with_job(),
        vec![
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            caught(3, "SIGHUP", "0"),
            caught(3, "SIGCONT", "0"),
            caught(2, "SIGHUP", "0"),
            caught(2, "SIGCONT", "0"),
            close(3, 3),
            close(1, 3),
            plain(2, "rt_sigreturn"),
            plain(2, "rt_sigreturn"),
            read(2, 4, 10),
            call(2, json!({"call": "exit_group", "status": 0})),
            plain(3, "rt_sigreturn"),
            plain(3, "rt_sigreturn"),
        ],
    )
}

fn sessions_5() -> Scene {
    scene(
        "the size changes",
        session(),
        vec![
            caught(2, "SIGWINCH", "0"),
            ioctl(1, 3, "TIOCSWINSZ", json!({"ws_row": 24, "ws_col": 80})),
            plain(2, "rt_sigreturn"),
            ioctl(2, 4, "TIOCSWINSZ", json!({"ws_row": 24, "ws_col": 80})),
            ask(2, 4, "TIOCGWINSZ"),
            ioctl(2, 4, "TIOCSWINSZ", json!({"ws_row": 25, "ws_col": 80, "ws_xpixel": 1})),
            plain(2, "rt_sigreturn"),
            ask(1, 3, "TIOCGWINSZ"),
        ],
    )
}

fn limits_1() -> Scene {
    scene(
        "a line of more than 4,096 bytes",
        pair(),
        vec![
            ioctl(
                1,
                4,
                "TCSETS",
                json!({"iflag": "ICRNL", "oflag": "0",
                "cflag": "B38400|CS8|CREAD", "lflag": "ICANON", "cc": {}}),
            ),
            write(1, 3, &long(1700)),
            write(1, 3, &long(1700)),
            write(1, 3, &long(690)),
            ask(1, 4, "FIONREAD"),
            write(1, 3, &long(20)),
            write(1, 3, "zyx\n"),
            ask(1, 4, "FIONREAD"),
            read(1, 4, 5000),
        ],
    )
}

fn limits_2() -> Scene {
    scene(
        "lines until nothing more has room",
        pair(),
        vec![
            ioctl(
                1,
                4,
                "TCSETS",
                json!({"iflag": "ICRNL", "oflag": "0",
                "cflag": "B38400|CS8|CREAD", "lflag": "ICANON", "cc": {}}),
            ),
            write(1, 3, &format!("{}\n", long(1500))),
            write(1, 3, &format!("{}\n", long(1500))),
            write(1, 3, &format!("{}\n", long(1500))),
            ask(1, 4, "FIONREAD"),
            read(1, 4, 5000),
            ask(1, 4, "FIONREAD"),
            read(1, 4, 5000),
            read(1, 4, 5000),
        ],
    )
}

fn limits_3() -> Scene {
    scene(
        "output that nobody reads",
        pair(),
        vec![
            ioctl(1, 4, "FIONBIO", 1.into()),
            write(1, 4, &long(1500)),
            write(1, 4, &long(1500)),
            write(1, 4, &long(1500)),
            ask(1, 3, "FIONREAD"),
            read(1, 3, 100),
            ask(1, 3, "FIONREAD"),
            read(1, 3, 8000),
            ioctl(1, 3, "FIONBIO", 1.into()),
            read(1, 3, 8000),
        ],
    )
}

fn limits_4() -> Scene {
    scene(
        "a writer is stopped and goes on",
        pair(),
        vec![
            plain(1, "fork"),
            write(1, 3, "\u{13}"),
            write(2, 4, "waits"),
            poll(1, &[4]),
            ioctl(1, 3, "FIONBIO", 1.into()),
            read(1, 3, 9),
            write(1, 3, "\u{11}"),
            read(1, 3, 9),
            ioctl(1, 4, "TCXONC", 0.into()),
            write(2, 4, "again"),
            write(1, 3, "\u{11}"),
            ioctl(1, 4, "TCXONC", 1.into()),
            read(1, 3, 9),
            ioctl(1, 4, "TCXONC", 2.into()),
            ioctl(1, 4, "TCXONC", 3.into()),
            read(1, 3, 9),
        ],
    )
}

fn limits_5() -> Scene {
    scene(
        "packet mode tells what happens",
        pair(),
        vec![
            ioctl(1, 3, "TIOCPKT", 1.into()),
            ioctl(1, 3, "FIONBIO", 1.into()),
            write(1, 4, "data"),
            read(1, 3, 3),
            read(1, 3, 9),
            ioctl(1, 4, "TCXONC", 0.into()),
            poll(1, &[3]),
            read(1, 3, 9),
            ioctl(1, 4, "TCXONC", 1.into()),
            read(1, 3, 9),
            ioctl(1, 4, "TCFLSH", 2.into()),
            read(1, 3, 9),
            raw(1, 4, 1, 0),
            read(1, 3, 9),
            read(1, 3, 9),
            ioctl(1, 3, "TIOCPKT", 0.into()),
            write(1, 4, "x"),
            read(1, 3, 9),
        ],
    )
}
