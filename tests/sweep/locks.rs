//! flock(2) and the record locks of fcntl(2) between two processes and two descriptions: ranges
//! that touch, split and join, who waits, what a close lets go.

use crate::case::{Case, MEMBER, OWNER, Sink, mknod, open};
use serde_json::{Value, json};

const RANGES: [(i64, i64); 6] = [(0, 10), (5, 10), (10, 5), (0, 0), (3, 2), (12, -4)];

fn lock(fd: i64, cmd: &str, kind: &str, (start, len): (i64, i64)) -> Value {
    json!({"call": "fcntl", "fd": fd, "cmd": cmd,
        "arg": {"type": kind, "whence": "SEEK_SET", "start": start, "len": len}})
}

/// Both open the file for reading and writing, the first twice.
fn both() -> Case {
    let mut case = Case { actor: OWNER, ..Case::default() };
    case.setup.push(mknod("x", "S_IFREG|0666"));
    for actor in [OWNER, OWNER, MEMBER] {
        case.asked.push((Some(actor), open("x", "O_RDWR")));
    }
    case
}

pub(crate) fn locks(sink: &mut Sink<'_>) {
    let kinds = ["F_RDLCK", "F_WRLCK", "F_UNLCK"];
    let commands = [("F_SETLK", "F_GETLK"), ("F_OFD_SETLK", "F_OFD_GETLK")];
    for (first, second) in RANGES.into_iter().flat_map(|one| RANGES.map(|two| (one, two))) {
        for (one, two) in kinds.into_iter().flat_map(|one| kinds.map(|two| (one, two))) {
            for (set, get) in commands {
                for ((other, _), fd) in
                    commands.into_iter().flat_map(|other| [3, 4].map(|fd| (other, fd)))
                {
                    let mut case = both();
                    case.asked.push((None, lock(3, set, one, first)));
                    case.asked.push((None, lock(fd, other, two, second)));
                    case.asked.push((Some(MEMBER), lock(3, get, "F_WRLCK", (0, 0))));
                    case.asked.push((Some(MEMBER), lock(3, other, two, second)));
                    case.asked.push((None, json!({"call": "close", "fd": 4})));
                    case.asked.push((Some(MEMBER), lock(3, "F_GETLK", "F_RDLCK", (4, 3))));
                    case.asked.push((None, lock(3, get, "F_WRLCK", second)));
                    sink(case);
                }
            }
        }
    }
    flocks(sink);
}

fn flocks(sink: &mut Sink<'_>) {
    let operations = ["LOCK_SH", "LOCK_EX", "LOCK_UN", "LOCK_SH|LOCK_NB", "LOCK_EX|LOCK_NB"];
    let flock =
        |fd: i64, operation: &str| json!({"call": "flock", "fd": fd, "operation": operation});
    for (one, two) in operations.into_iter().flat_map(|one| operations.map(|two| (one, two))) {
        for (third, fd) in operations.into_iter().flat_map(|third| [3, 4].map(|fd| (third, fd))) {
            let mut case = both();
            case.asked.push((None, flock(3, one)));
            // A wait for oneself would never end.
            let again = if two.contains("NB") || fd == 3 { two } else { "LOCK_SH|LOCK_NB" };
            case.asked.push((None, flock(fd, again)));
            case.asked.push((Some(MEMBER), flock(3, third)));
            case.asked.push((None, flock(3, "LOCK_UN")));
            case.asked.push((None, flock(4, "LOCK_UN")));
            case.asked.push((Some(MEMBER), lock(3, "F_GETLK", "F_WRLCK", (0, 0))));
            sink(case);
        }
    }
}
