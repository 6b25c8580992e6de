//! Calls on descriptors of every kind, open in every way; and walks that start at one.

use crate::calls::forms;
use crate::case::{Case, OTHER, OWNER, ROOT, Sink, THINGS, Thing, open};
use serde_json::{Value, json};

const OPENED: [&str; 7] = [
    "O_RDONLY|O_NONBLOCK",
    "O_WRONLY|O_NONBLOCK",
    "O_RDWR|O_NONBLOCK",
    "O_RDWR|O_APPEND|O_NONBLOCK",
    "O_PATH",
    "O_PATH|O_NOFOLLOW",
    "O_RDONLY|O_DIRECTORY",
];

/// What is asked of descriptor 3.
fn requests() -> Vec<Value> {
    let mut all = of_contents();
    all.extend(of_inodes());
    all.extend(of_descriptions());
    for (whence, offset) in ["SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE", "7"]
        .into_iter()
        .flat_map(|whence| [0, 3, 5, 6, -1, 1 << 50, i64::MAX].map(|offset| (whence, offset)))
    {
        all.push(json!({"call": "lseek", "fd": 3, "offset": offset, "whence": whence}));
    }
    all
}

fn of_contents() -> Vec<Value> {
    vec![
        json!({"call": "fstat", "fd": 3}),
        json!({"call": "read", "fd": 3, "count": 4}),
        json!({"call": "read", "fd": 3, "count": 0}),
        json!({"call": "pread64", "fd": 3, "count": 4, "offset": 2}),
        json!({"call": "pread64", "fd": 3, "count": 4, "offset": -1}),
        json!({"call": "write", "fd": 3, "data": "ab"}),
        json!({"call": "write", "fd": 3, "data": ""}),
        json!({"call": "pwrite64", "fd": 3, "data": "ab", "offset": 3}),
        json!({"call": "pwrite64", "fd": 3, "data": "", "offset": 0}),
        json!({"call": "getdents64", "fd": 3, "count": 1000}),
        json!({"call": "getdents64", "fd": 3, "count": 20}),
        json!({"call": "ftruncate", "fd": 3, "length": 2}),
        json!({"call": "ftruncate", "fd": 3, "length": -2}),
        json!({"call": "fallocate", "fd": 3, "mode": 0, "offset": 0, "len": 10}),
        json!({"call": "fallocate", "fd": 3, "mode": 0, "offset": 0, "len": 0}),
        json!({"call": "fsync", "fd": 3}),
        json!({"call": "fdatasync", "fd": 3}),
        json!({"call": "syncfs", "fd": 3}),
        json!({"call": "sync_file_range", "fd": 3, "offset": 0, "nbytes": 9, "flags": 0}),
        json!({"call": "readahead", "fd": 3, "offset": 0, "count": 9}),
        json!({"call": "fadvise64", "fd": 3, "offset": 0, "len": 9, "advice": 0}),
        json!({"call": "fadvise64", "fd": 3, "offset": 0, "len": 9, "advice": 9}),
    ]
}

fn of_inodes() -> Vec<Value> {
    vec![
        json!({"call": "fchmod", "fd": 3, "mode": "0604"}),
        json!({"call": "fchown", "fd": 3, "uid": 1000, "gid": 1000}),
        json!({"call": "fchdir", "fd": 3}),
        json!({"call": "fstatfs", "fd": 3}),
        json!({"call": "fpathconf", "fd": 3, "name": "_PC_LINK_MAX"}),
        json!({"call": "flock", "fd": 3, "operation": "LOCK_EX|LOCK_NB"}),
        json!({"call": "flock", "fd": 3, "operation": "LOCK_UN"}),
        json!({"call": "flock", "fd": 3, "operation": 0}),
        json!({"call": "flock", "fd": 3, "operation": "LOCK_SH|LOCK_EX"}),
        json!({"call": "fgetxattr", "fd": 3, "name": "user.a", "size": 10}),
        json!({"call": "fsetxattr", "fd": 3, "name": "user.a", "value": "v", "flags": 0}),
        json!({"call": "fremovexattr", "fd": 3, "name": "user.a"}),
        json!({"call": "flistxattr", "fd": 3, "size": 10}),
        json!({"call": "utimensat", "dirfd": 3, "path": null, "flags": 0}),
        json!({"call": "utimensat", "dirfd": 3, "path": "", "flags": "AT_EMPTY_PATH"}),
        json!({"call": "utimensat", "dirfd": 3, "path": null, "flags": "AT_SYMLINK_NOFOLLOW"}),
        json!({"call": "newfstatat", "dirfd": 3, "path": "", "flags": "AT_EMPTY_PATH"}),
        json!({"call": "fchmodat2", "dirfd": 3, "path": "", "mode": "0604", "flags": "AT_EMPTY_PATH"}),
        json!({"call": "fchownat", "dirfd": 3, "path": "", "uid": 1, "gid": 1,
            "flags": "AT_EMPTY_PATH"}),
        json!({"call": "faccessat2", "dirfd": 3, "path": "", "mode": "W_OK", "flags": "AT_EMPTY_PATH"}),
        json!({"call": "readlinkat", "dirfd": 3, "path": "", "bufsiz": 50}),
        json!({"call": "linkat", "olddirfd": 3, "oldpath": "", "newpath": "n",
            "flags": "AT_EMPTY_PATH"}),
        json!({"call": "openat", "dirfd": 3, "path": "", "flags": "O_RDONLY"}),
    ]
}

fn of_descriptions() -> Vec<Value> {
    let lock = |kind: &str| json!({"type": kind, "whence": "SEEK_SET", "start": 0, "len": 0});
    vec![
        json!({"call": "dup", "oldfd": 3}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_GETFL"}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_SETFL", "arg": "O_APPEND|O_NONBLOCK|O_NOATIME"}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_SETLK", "arg": lock("F_RDLCK")}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_SETLK", "arg": lock("F_WRLCK")}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_OFD_SETLK", "arg": lock("F_WRLCK")}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_GETLK", "arg": lock("F_WRLCK")}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_GETLK", "arg": lock("F_UNLCK")}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_GETLEASE"}),
        json!({"call": "fcntl", "fd": 3, "cmd": "F_GET_SEALS"}),
        json!({"call": "ioctl", "fd": 3, "request": "FIONREAD", "arg": 0}),
        json!({"call": "ioctl", "fd": 3, "request": "TCGETS"}),
        json!({"call": "poll", "fds": [{"fd": 3, "events": "POLLIN|POLLOUT|POLLPRI"}], "timeout": 0}),
        json!({"call": "unlinkat", "dirfd": 3, "path": "n", "flags": 0}),
    ]
}

/// Every request of every kind of file, open in every way.
pub(crate) fn on_descriptors(sink: &mut Sink<'_>) {
    for request in requests() {
        for thing in THINGS {
            // Only the owner may lift O_NOATIME's and chmod's bars.
            let owners = vec![
                json!({"call": "lchown", "path": "x", "uid": 1000, "gid": 1000}),
                json!({"call": "chmod", "path": "x", "mode": "0666"}),
            ];
            let made = thing.make("x");
            let plain = !matches!(
                thing,
                Thing::Nothing
                    | Thing::Loop
                    | Thing::Dangling
                    | Thing::LinkToFile
                    | Thing::LinkToDirectory
            );
            let setup = if plain { [made, owners].concat() } else { made };
            for flags in OPENED {
                for actor in [ROOT, OWNER, OTHER] {
                    // Where a directory's cookies are, is its file system's own.
                    let is_seek = request["call"] == "lseek";
                    let directory =
                        matches!(thing, Thing::Empty | Thing::Full | Thing::LinkToDirectory);
                    if is_seek && directory && request["whence"] != "SEEK_SET" {
                        continue;
                    }
                    let case = Case::new(actor, setup.clone(), open("x", flags));
                    let case = case.then(request.clone());
                    sink(
                        case.then(json!({"call": "lseek", "fd": 3, "offset": 0,
                        "whence": if directory { "SEEK_SET" } else { "SEEK_CUR" }}))
                            .watching(&["x", "xt"]),
                    );
                }
            }
        }
    }
}

/// Every `*at` call from every kind of descriptor.
pub(crate) fn from_dirfds(sink: &mut Sink<'_>) {
    let with_dirfd = [
        "newfstatat",
        "statx",
        "faccessat",
        "faccessat2",
        "readlinkat",
        "openat2",
        "mkdirat",
        "mknodat",
        "unlinkat",
        "fchmodat",
        "fchmodat2",
        "fchownat",
        "utimensat",
    ];
    for form in forms() {
        let named = form.on(&"n".into());
        let Some(call) = named["call"].as_str() else { continue };
        if !with_dirfd.contains(&call) {
            continue;
        }
        for thing in THINGS {
            for (flags, path) in
                ["O_RDONLY|O_NONBLOCK", "O_PATH", "O_PATH|O_NOFOLLOW"].into_iter().flat_map(
                    |flags| ["n", "", ".", "..", "../x", "/tmp", "n/"].map(|path| (flags, path)),
                )
            {
                let mut asked = form.on(&path.into());
                asked["dirfd"] = 3.into();
                let case = Case::new(ROOT, thing.make("x"), open("x", flags)).then(asked);
                sink(case.watching(&["x", "x/n", "."]));
            }
        }
        for dirfd in [-1, 77, 0] {
            let mut asked = form.on(&"n".into());
            asked["dirfd"] = dirfd.into();
            sink(Case::new(ROOT, Vec::new(), asked));
        }
    }
}
