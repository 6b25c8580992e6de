//! Scenes: splice(2) and sendfile(2) from and to both ends of a terminal.

use crate::jobs::{tostop, wait};
use crate::scenes::{
    SECOND, Scene, action, advance, call, close, ioctl, kill, open, pair, plain, raw, read, scene,
    with_job, write,
};
use serde_json::{Value, json};

/// All of them.
pub(crate) fn all() -> Vec<Scene> {
    vec![
        into_lines(),
        out_of_lines(),
        raw_bytes(),
        refused(),
        hung_up(),
        waits_for_input(),
        waits_for_time(),
        waits_for_room(),
        files(),
        full_pipes(),
        signals(),
        background(),
    ]
}

fn splice_as(pid: i64, [from, to]: [i64; 2], len: i64, flags: &str) -> Value {
    call(pid, json!({"call": "splice", "fd_in": from, "fd_out": to, "len": len, "flags": flags}))
}

fn splice(from: i64, to: i64, len: i64) -> Value {
    splice_as(1, [from, to], len, "0")
}

fn sendfile(from: i64, to: i64, count: i64) -> Value {
    call(1, json!({"call": "sendfile", "out_fd": to, "in_fd": from, "count": count}))
}

/// A pair at 3 and 4, a pipe at 5 and 6; all in process 2, too, if there is to be one.
fn with_pipe(forks: bool) -> Vec<Value> {
    let mut all = pair();
    all.push(plain(1, "pipe"));
    all.extend(forks.then(|| plain(1, "fork")));
    all
}

/// A new file.
fn made(pid: i64) -> Value {
    let flags = "O_RDWR|O_CREAT";
    call(pid, json!({"call": "open", "path": "/tmp/f", "flags": flags, "mode": "0600"}))
}

fn ready(fd: i64) -> Value {
    call(1, json!({"call": "ioctl", "fd": fd, "request": "FIONREAD"}))
}

fn into_lines() -> Scene {
    scene(
        "what lies in a pipe is written to a terminal",
        with_pipe(false),
        vec![
            write(1, 6, "ab\ncd\n"),
            splice(5, 4, 100),
            read(1, 3, 100),
            write(1, 6, "xy\nz"),
            splice(5, 4, 2),
            read(1, 3, 100),
            read(1, 5, 100),
            write(1, 6, "ef\ngh\n"),
            splice(5, 3, 100),
            read(1, 4, 100),
            read(1, 4, 100),
            read(1, 3, 100),
            splice_as(1, [5, 4], 9, "SPLICE_F_NONBLOCK"),
            close(1, 6),
            splice(5, 4, 9),
        ],
    )
}

fn out_of_lines() -> Scene {
    scene(
        "what a terminal gives lies in a pipe",
        with_pipe(false),
        vec![
            write(1, 3, "in1\nin2\n"),
            splice(4, 6, 100),
            read(1, 5, 100),
            splice(4, 6, 2),
            splice(4, 6, 9),
            read(1, 5, 100),
            write(1, 4, "out\n"),
            splice(3, 6, 100),
            read(1, 5, 100),
            write(1, 3, "\u{4}"),
            splice(4, 6, 100),
            write(1, 3, "a"),
            ioctl(1, 4, "FIONBIO", 1.into()),
            splice(4, 6, 100),
            splice_as(1, [4, 6], 100, "SPLICE_F_NONBLOCK"),
            write(1, 3, "\n"),
            sendfile(4, 6, 100),
            read(1, 5, 100),
        ],
    )
}

fn raw_bytes() -> Scene {
    scene(
        "more than a page goes into slots of a page each, that nobody adds to",
        with_pipe(false),
        vec![
            raw(1, 4, 1, 0),
            write(1, 3, &"r".repeat(4000)),
            splice(4, 6, 100_000),
            write(1, 6, "more"),
            ready(5),
            read(1, 5, 4010),
            call(1, json!({"call": "fcntl", "fd": 5, "cmd": "F_SETPIPE_SZ", "arg": 4096})),
            write(1, 3, &"r".repeat(3000)),
            splice(4, 6, 2000),
            splice_as(1, [4, 6], 2000, "SPLICE_F_NONBLOCK"),
            read(1, 5, 2000),
            splice(4, 6, 2000),
            read(1, 5, 2000),
        ],
    )
}

fn refused() -> Scene {
    scene(
        "offsets, files and tee",
        with_pipe(false),
        vec![
            made(1),
            write(1, 7, "file"),
            write(1, 3, "q\n"),
            write(1, 6, "zz"),
            sendfile(4, 7, 9),
            sendfile(4, 4, 9),
            call(1, json!({"call": "sendfile", "out_fd": 6, "in_fd": 4, "count": 9, "offset": 0})),
            splice(4, 7, 9),
            splice(7, 4, 9),
            splice(4, 3, 9),
            call(1, json!({"call": "tee", "fd_in": 5, "fd_out": 4, "len": 3, "flags": "0"})),
            call(1, json!({"call": "tee", "fd_in": 4, "fd_out": 6, "len": 3, "flags": "0"})),
            call(
                1,
                json!({"call": "splice", "fd_in": 5, "fd_out": 4, "off_out": 0, "len": 2,
                    "flags": "0"}),
            ),
            call(
                1,
                json!({"call": "splice", "fd_in": 4, "off_in": 0, "fd_out": 6, "len": 2,
                    "flags": "0"}),
            ),
            call(1, json!({"call": "fcntl", "fd": 4, "cmd": "F_SETFL", "arg": "O_APPEND"})),
            splice(5, 4, 2),
            sendfile(7, 4, 2),
            close(1, 5),
            action(1, "SIGPIPE", "SIG_IGN", "0"),
            splice(4, 6, 9),
        ],
    )
}

fn hung_up() -> Scene {
    scene(
        "one that was hung up knows no splice",
        with_pipe(false),
        vec![
            write(1, 6, "k"),
            close(1, 3),
            splice(4, 6, 9),
            splice(5, 4, 9),
            read(1, 5, 9),
            close(1, 4),
            open(1, "/dev/ptmx", "O_RDWR|O_NOCTTY"),
            ioctl(1, 3, "TIOCSPTLCK", 0.into()),
            ioctl(1, 3, "TIOCGPTPEER", 0o402.into()),
            close(1, 4),
            splice(3, 6, 9),
            write(1, 6, "k"),
            splice(5, 3, 9),
        ],
    )
}

fn waits_for_input() -> Scene {
    scene(
        "a splice waits for a line, or for as many bytes as a read",
        with_pipe(true),
        vec![
            splice_as(2, [4, 6], 100, "SPLICE_F_NONBLOCK"),
            write(1, 3, "par"),
            write(1, 3, "t\n"),
            read(1, 5, 100),
            raw(1, 4, 5, 0),
            splice_as(2, [4, 6], 100, "0"),
            write(1, 3, "abc"),
            write(1, 3, "defg"),
            read(1, 5, 100),
            read(1, 3, 100),
            splice_as(2, [3, 6], 100, "0"),
            write(1, 4, "out"),
            read(1, 5, 100),
            splice_as(2, [5, 4], 100, "0"),
            write(1, 6, "into"),
            read(1, 3, 100),
        ],
    )
}

fn waits_for_time() -> Scene {
    scene(
        "VTIME ends a splice as it ends a read",
        with_pipe(true),
        vec![
            raw(1, 4, 0, 20),
            splice_as(2, [4, 6], 100, "0"),
            advance(3 * SECOND),
            raw(1, 4, 5, 20),
            splice_as(2, [4, 6], 100, "0"),
            write(1, 3, "ab"),
            advance(3 * SECOND),
            read(1, 5, 100),
        ],
    )
}

fn waits_for_room() -> Scene {
    let mut all = vec![raw(1, 4, 1, 0)];
    all.extend((0..8).map(|_| write(1, 6, &"w".repeat(4096))));
    all.push(splice_as(2, [5, 4], 100_000, "SPLICE_F_NONBLOCK"));
    all.extend((0..16).map(|_| read(1, 3, 4096)));
    all.push(ready(3));
    scene("a terminal that is full", with_pipe(true), all)
}

fn files() -> Scene {
    let rewind = |offset: i64| {
        call(1, json!({"call": "lseek", "fd": 7, "offset": offset, "whence": "SEEK_SET"}))
    };
    scene(
        "a file is sent to both ends",
        with_pipe(false),
        vec![
            made(1),
            write(1, 7, "line1\nline2\n"),
            rewind(0),
            sendfile(7, 4, 100),
            read(1, 3, 100),
            where_it_is(),
            rewind(0),
            sendfile(7, 3, 100),
            read(1, 4, 100),
            read(1, 4, 100),
            read(1, 3, 100),
            call(1, json!({"call": "sendfile", "out_fd": 4, "in_fd": 7, "count": 4, "offset": 3})),
            read(1, 3, 100),
            where_it_is(),
            sendfile(7, 4, 4),
            sendfile(7, 4, 0),
            open(1, "/dev/zero", "O_RDONLY"),
            sendfile(8, 4, 3),
            read(1, 3, 9),
        ],
    )
}

fn where_it_is() -> Value {
    call(1, json!({"call": "lseek", "fd": 7, "offset": 0, "whence": "SEEK_CUR"}))
}

fn full_pipes() -> Scene {
    scene(
        "a splice waits for room in its pipe and then for the terminal",
        with_pipe(true),
        vec![
            call(1, json!({"call": "fcntl", "fd": 5, "cmd": "F_SETPIPE_SZ", "arg": 4096})),
            write(1, 6, &"f".repeat(4096)),
            splice_as(1, [4, 6], 9, "SPLICE_F_NONBLOCK"),
            splice_as(2, [4, 6], 9, "0"),
            read(1, 5, 4096),
            write(1, 3, "in\n"),
            read(1, 5, 100),
        ],
    )
}

fn signals() -> Scene {
    scene(
        "a signal ends a splice with what it has, or makes it again",
        with_pipe(true),
        vec![
            raw(1, 4, 5, 0),
            action(2, "SIGUSR1", "caught", "SA_RESTART"),
            action(2, "SIGUSR2", "caught", "0"),
            splice_as(2, [4, 6], 100, "0"),
            kill(1, 2, "SIGUSR1"),
            plain(2, "rt_sigreturn"),
            kill(1, 2, "SIGUSR2"),
            plain(2, "rt_sigreturn"),
            splice_as(2, [4, 6], 100, "0"),
            write(1, 3, "ab"),
            kill(1, 2, "SIGUSR1"),
            plain(2, "rt_sigreturn"),
            read(1, 5, 100),
        ],
    )
}

fn background() -> Scene {
    let mut begin = with_job();
    begin.extend([
        plain(3, "pipe"),
        write(3, 5, "job\n"),
        made(3),
        write(3, 6, "file\n"),
        call(3, json!({"call": "lseek", "fd": 6, "offset": 0, "whence": "SEEK_SET"})),
    ]);
    scene(
        "a job in the background is stopped by what it splices",
        begin,
        vec![
            splice_as(3, [4, 5], 10, "0"),
            wait(2),
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            kill(2, 3, "SIGCONT"),
            write(1, 3, "line\n"),
            action(2, "SIGTTOU", "SIG_IGN", "0"),
            ioctl(2, 4, "TIOCSPGRP", 2.into()),
            tostop(2),
            splice_as(3, [3, 4], 100, "0"),
            wait(2),
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            kill(2, 3, "SIGCONT"),
            read(1, 3, 100),
            ioctl(2, 4, "TIOCSPGRP", 2.into()),
            call(3, json!({"call": "sendfile", "out_fd": 4, "in_fd": 6, "count": 9})),
            wait(2),
            ioctl(2, 4, "TIOCSPGRP", 3.into()),
            kill(2, 3, "SIGCONT"),
            read(1, 3, 100),
        ],
    )
}
