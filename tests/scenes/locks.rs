//! Record locks of fcntl(2): how long a circle of waits is found, and how the ranges of an owner
//! are parted and joined.

use super::words::*;
use crate::beside::Program;
use serde_json::json;

fn lock(pid: i64, cmd: &str, kind: &str, (start, len): (i64, i64)) -> Program {
    let arg = json!({"type": kind, "whence": "SEEK_SET", "start": start, "len": len});
    by(pid, fcntl(3, cmd, arg))
}

/// Each of so many has a byte and waits for the next one's.
fn circle(owners: i64) -> Program {
    let held = |pid| lock(pid, "F_SETLK", "F_WRLCK", (pid, 1));
    let waits = |pid| lock(pid, "F_SETLKW", "F_WRLCK", (pid % owners + 1, 1));
    all([
        open("/tmp/f", "O_RDWR|O_CREAT"),
        all((1..owners).map(|_| fork())),
        all((1..=owners).map(held)),
        all((1..=owners).map(waits)),
    ])
}

/// What is left of a lock when one of each kind is set on each range near it.
fn parted(kind: &str) -> Program {
    let told = |at| lock(2, "F_GETLK", "F_WRLCK", (at, 1));
    let ranges = (0..12).flat_map(|start| [1, 2, 4, 9, 0].map(|len| (start, len)));
    let round = |range| {
        all([
            lock(1, "F_SETLK", "F_UNLCK", (0, 0)),
            lock(1, "F_SETLK", "F_RDLCK", (3, 5)),
            lock(1, "F_SETLK", "F_WRLCK", (10, 1)),
            lock(1, "F_SETLK", kind, range),
            all([0, 2, 3, 5, 8, 10, 12].map(told)),
        ])
    };
    all([open("/tmp/f", "O_RDWR|O_CREAT"), fork(), all(ranges.map(round))])
}

pub(crate) fn scenes() -> Vec<Scene> {
    vec![
        ("a circle of two", circle(2)),
        ("a circle of eleven", circle(11)),
        ("a circle of twelve", circle(12)),
        ("a circle of thirteen", circle(13)),
        ("unlocked in part", parted("F_UNLCK")),
        ("shared in part", parted("F_RDLCK")),
        ("exclusive in part", parted("F_WRLCK")),
    ]
}
