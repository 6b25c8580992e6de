//! Pages of files that lie in pipes (splice(2), sendfile(2), tee(2)): what becomes of them there
//! when the file is written, cut, punched, moved or gone. Files are written page by page: what ext4
//! keeps in one piece otherwise is not the scenes' subject.

use super::words::*;
use crate::beside::Program;
use serde_json::{Value, json};

const PAGE: i64 = 4096;

fn pwrite(fd: i64, byte: &str, length: usize, offset: i64) -> Program {
    call("pwrite64", json!({"fd": fd, "data": byte.repeat(length), "offset": offset}))
}

fn splice(from: (i64, impl Into<Value>), to: (i64, impl Into<Value>), len: i64) -> Program {
    let mut fields = json!({"fd_in": from.0, "fd_out": to.0, "len": len});
    for (name, offset) in [("off_in", from.1.into()), ("off_out", to.1.into())] {
        if !offset.is_null() {
            fields[name] = offset;
        }
    }
    call("splice", fields)
}

const OWN: Value = Value::Null;

fn tee(from: i64, to: i64) -> Program {
    call("tee", json!({"fd_in": from, "fd_out": to, "len": 100_000}))
}

fn sendfile(to: i64, from: i64, offset: i64, count: i64) -> Program {
    call("sendfile", json!({"out_fd": to, "in_fd": from, "offset": offset, "count": count}))
}

fn truncate(fd: i64, length: i64) -> Program {
    call("ftruncate", json!({"fd": fd, "length": length}))
}

fn fallocate(mode: &str, offset: i64, len: i64) -> Program {
    call("fallocate", json!({"fd": 3, "mode": mode, "offset": offset, "len": len}))
}

/// Three pages of a, b and c at 3, and pipes from 5 to 4 and from 7 to 6.
fn begin(directory: &str) -> Program {
    let path = format!("{directory}/f");
    let pages = ["a", "b", "c"].into_iter().zip(0..);
    all([
        open(&path, "O_RDWR|O_CREAT"),
        all(pages.map(|(byte, page)| pwrite(3, byte, 4096, page * PAGE))),
        call("pipe2", json!({"flags": "O_NONBLOCK"})),
        call("pipe2", json!({"flags": "O_NONBLOCK"})),
    ])
}

/// What is in the pipes, after the file was written anew.
fn end() -> Program {
    let again = (0..3).map(|page| pwrite(3, "w", 4096, page * PAGE));
    all([read(4, 1), read(6, 1), all(again), read(4, 100_000), read(6, 100_000)])
}

/// All of the file is in the first pipe when something happens to it.
fn changed(directory: &str, change: Program) -> Program {
    all([
        begin(directory),
        splice((3, 5), (5, OWN), 5000),
        splice((3, 5005), (5, OWN), 7283),
        sendfile(5, 3, 0, 8192),
        tee(4, 7),
        change,
        end(),
    ])
}

/// A read takes a part of a page, splice(2) another; the rest goes on to be the file's.
fn parted() -> Program {
    all([
        begin("/tmp"),
        splice((3, 0), (5, OWN), 10_000),
        read(4, 10),
        splice((4, OWN), (7, OWN), 20),
        tee(4, 7),
        pwrite(3, "x", 300, 0),
        read(4, 100),
        splice((4, OWN), (7, OWN), 5000),
        pwrite(3, "y", 6000, 100),
        read(4, 20_000),
        read(6, 20_000),
        splice((3, 0), (5, OWN), 100),
        write(5, "behind"),
        pwrite(3, "z", 200, 0),
        read(4, 1000),
    ])
}

/// Into a file go the bytes that are there then.
fn into_a_file(directory: &str) -> Program {
    let whole = |fd: i64| call("pread64", json!({"fd": fd, "count": 20_000, "offset": 0}));
    all([
        begin(directory),
        open("/tmp/g", "O_RDWR|O_CREAT"),
        splice((3, 0), (5, OWN), 10_000),
        pwrite(3, "x", 5000, 50),
        splice((4, OWN), (8, 7), 9000),
        pwrite(3, "y", 8000, 0),
        read(4, 9000),
        whole(8),
    ])
}

/// A copy of a file into itself runs into its own bytes.
fn into_itself(directory: &str) -> Program {
    let whole = || call("pread64", json!({"fd": 3, "count": 20_000, "offset": 0}));
    let seek =
        |offset: i64| call("lseek", json!({"fd": 3, "offset": offset, "whence": "SEEK_SET"}));
    all([
        begin(directory),
        pwrite(3, "0123456789", 1, 0),
        splice((3, 0), (5, OWN), 5000),
        splice((4, OWN), (3, 7), 3000),
        whole(),
        splice((4, OWN), (3, 2990), 2000),
        whole(),
        pwrite(3, "abcdefg", 1, 0),
        seek(7),
        sendfile(3, 3, 0, 9000),
        whole(),
        seek(0),
        sendfile(3, 3, 5, 9000),
        whole(),
        truncate(3, 0),
        truncate(3, 8192),
        pwrite(3, "hij", 1, 4),
        seek(4097),
        sendfile(3, 3, 0, 8000),
        whole(),
    ])
}

/// Holes: of a tmpfs they are zeros of nobody, of ext4 pages of the file.
fn holes(directory: &str) -> Program {
    all([
        open(&format!("{directory}/h"), "O_RDWR|O_CREAT"),
        truncate(3, 3 * PAGE),
        all([fallocate("0", 2 * PAGE, PAGE), pwrite(3, "a", 1, PAGE)]),
        call("pipe2", json!({"flags": "O_NONBLOCK"})),
        call("pipe2", json!({"flags": "O_NONBLOCK"})),
        splice((3, 0), (5, OWN), PAGE),
        splice((3, PAGE), (5, OWN), PAGE),
        splice((3, 2 * PAGE), (5, OWN), PAGE),
        end(),
    ])
}

/// O_DIRECT goes past what is in memory, and has pages of nobody itself.
fn direct(directory: &str) -> Program {
    let path = format!("{directory}/f");
    all([
        begin(directory),
        open(&path, "O_RDWR|O_DIRECT"),
        splice((3, 0), (5, OWN), 3 * PAGE),
        splice((8, 0), (7, OWN), PAGE),
        pwrite(8, "d", 4096, PAGE),
        end(),
        // Copies begin pages of their own: so many fewer slots are taken.
        splice((8, 5), (5, OWN), 5000),
        splice((3, 5), (7, OWN), 5000),
        all([5, 7].map(|fd| write(fd, &"w".repeat(65_536)))),
    ])
}

/// A file that is gone leaves its pages.
fn gone(directory: &str) -> Program {
    let unlinked = call("unlink", json!({"path": format!("{directory}/f")}));
    all([
        begin(directory),
        splice((3, 0), (5, OWN), 3 * PAGE),
        tee(4, 7),
        unlinked,
        pwrite(3, "x", 5000, 100),
        close(3),
        open(&format!("{directory}/f"), "O_RDWR|O_CREAT"),
        end(),
        splice((3, 0), (5, OWN), 100),
        all([close(4), close(5)]),
        pwrite(3, "x", 100, 0),
    ])
}

/// Pages of a lower file of an overlay stay as they are when it is copied up.
fn overlaid() -> Program {
    let mkdir = |path: &str| call("mkdir", json!({"path": path, "mode": "0777"}));
    let data = "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/k";
    let mounted = json!({"source": "o", "target": "/tmp/m", "filesystemtype": "overlay",
        "mountflags": 0, "data": data});
    all([
        all(["/tmp/l", "/tmp/u", "/tmp/k", "/tmp/m"].map(mkdir)),
        begin("/tmp/l"),
        call("mount", mounted),
        open("/tmp/m/f", "O_RDONLY"),
        splice((8, 0), (5, OWN), 100),
        open("/tmp/m/f", "O_RDWR"),
        pwrite(9, "x", 50, 0),
        splice((9, 0), (5, OWN), 100),
        pwrite(9, "y", 20, 0),
        read(4, 1000),
    ])
}

/// What is left of a page of which a part went into a file, or a socket, is added to.
fn added() -> Program {
    let full = || write(5, &"w".repeat(65_536));
    let begin = || all([begin("/tmp"), write(5, "some of it")]);
    let part = |to: i64| all([splice((4, OWN), (to, OWN), 4), write(5, "more"), full()]);
    all([begin(), part(3), read(4, 100_000), socketpair("SOCK_STREAM"), write(5, "x y z"), part(8)])
}

pub(crate) fn scenes() -> Vec<Scene> {
    let keep = "FALLOC_FL_KEEP_SIZE";
    let punch = format!("{keep}|FALLOC_FL_PUNCH_HOLE");
    let mut scenes = Vec::new();
    for (directory, kind) in [("/tmp", "a disk"), ("/dev/shm", "a tmpfs")] {
        let changes = [
            ("a write", pwrite(3, "x", 5000, 100)),
            ("a cut in a page", truncate(3, 5000)),
            ("a cut between pages", truncate(3, PAGE)),
            ("a cut to nothing", truncate(3, 0)),
            ("a cut that is taken back", all([truncate(3, 10), truncate(3, 3 * PAGE)])),
            ("O_TRUNC", open(&format!("{directory}/f"), "O_RDWR|O_TRUNC")),
            ("a hole of a page", fallocate(&punch, PAGE, PAGE)),
            ("a hole of parts", fallocate(&punch, 100, 8900)),
            ("a hole behind the end", fallocate(&punch, 9000, 100_000)),
            ("zeros", fallocate("FALLOC_FL_ZERO_RANGE", 100, 8900)),
            ("a page taken out", fallocate("FALLOC_FL_COLLAPSE_RANGE", PAGE, PAGE)),
            ("a page put in", fallocate("FALLOC_FL_INSERT_RANGE", PAGE, PAGE)),
            ("room", fallocate(keep, 0, 10 * PAGE)),
        ];
        let changes = changes.map(|(name, change)| (name, changed(directory, change)));
        let others = [
            ("into a file", into_a_file(directory)),
            ("into itself", into_itself(directory)),
            ("holes", holes(directory)),
            ("O_DIRECT", direct(directory)),
            ("a file that is gone", gone(directory)),
        ];
        let named = changes.into_iter().chain(others);
        scenes.extend(named.map(|(name, program)| (format!("{name}, on {kind}"), program)));
    }
    let plain =
        [("parted pages", parted()), ("what is added", added()), ("an overlay", overlaid())];
    scenes.extend(plain.map(|(name, program)| (name.to_owned(), program)));
    scenes.into_iter().map(|(name, program)| (&*name.leak(), program)).collect()
}
