//! open(2): every set of flags on every kind of file, by several users, and what the descriptor
//! then is.

use crate::case::{Case, Sink, Thing, chmod, lchown, mkdir};
use serde_json::json;

const ACCESS: [&str; 4] = ["O_RDONLY", "O_WRONLY", "O_RDWR", "3"];
const EXTRA: [&str; 10] = [
    "O_CREAT",
    "O_EXCL",
    "O_TRUNC",
    "O_DIRECTORY",
    "O_NOFOLLOW",
    "O_PATH",
    "O_APPEND",
    "O_NOATIME",
    "O_DIRECT",
    "O_TMPFILE",
];

/// Sets of up to three flags.
fn sets() -> Vec<String> {
    let mut sets = vec![String::new()];
    for (first, one) in EXTRA.iter().enumerate() {
        sets.push(format!("|{one}"));
        for (second, two) in EXTRA.iter().enumerate().skip(first + 1) {
            sets.push(format!("|{one}|{two}"));
            sets.extend(EXTRA[second + 1..].iter().map(|three| format!("|{one}|{two}|{three}")));
        }
    }
    sets
}

/// Every set of flags on every kind of file; modes, owners and users go by turns.
pub(crate) fn opens(sink: &mut Sink<'_>) {
    let things = [
        Thing::File,
        Thing::Empty,
        Thing::LinkToFile,
        Thing::LinkToDirectory,
        Thing::Dangling,
        Thing::Fifo,
        Thing::Socket,
        Thing::Device,
        Thing::Nothing,
    ];
    let modes = ["0666", "0644", "0444", "0200", "0000", "06755"];
    let above = ["0777", "01777", "0755", "02777", "01775"];
    let mut turn = 0;
    for (access, set) in
        ACCESS.into_iter().flat_map(|access| sets().into_iter().map(move |s| (access, s)))
    {
        for thing in things {
            for actor in [0, 1, 2, 4] {
                turn += 1;
                let mut setup = vec![mkdir("d", "0777")];
                setup.extend(thing.make("d/x"));
                let (uid, gid) = [(0, 0), (1000, 1000), (1001, 1000)][turn % 3];
                if !matches!(thing, Thing::Nothing | Thing::Dangling) {
                    setup.push(json!({"call": "chown", "path": "d/x", "uid": uid, "gid": gid}));
                    setup.push(chmod("d/x", modes[turn / 3 % modes.len()]));
                }
                setup.push(lchown("d", [0, 1000, 1003][turn / 18 % 3], 1000));
                setup.push(chmod("d", above[turn / 54 % above.len()]));
                let flags = format!("{access}{set}|O_NONBLOCK");
                let path = if turn % 7 == 0 { "d/x/" } else { "d/x" };
                let open = json!({"call": "open", "path": path, "flags": flags, "mode": "0751"});
                let case = Case::new(actor, setup, open)
                    .then(json!({"call": "fcntl", "fd": 3, "cmd": "F_GETFL"}));
                // How bytes must be aligned then, is the disk's own.
                if set.contains("O_DIRECT|") || set.ends_with("O_DIRECT") {
                    sink(case.watching(&["d", "d/x", "d/xt"]));
                    continue;
                }
                let case = case
                    .then(json!({"call": "read", "fd": 3, "count": 3}))
                    .then(json!({"call": "write", "fd": 3, "data": "ab"}))
                    .then(json!({"call": "fstat", "fd": 3}));
                sink(case.watching(&["d", "d/x", "d/xt"]));
            }
        }
    }
}
