//! inotify(7): what every call tells those who watch the file, its directory, or both; masks and
//! flags; queues and short reads.

use crate::case::{Case, Sink, Thing, chmod, file, mkdir, open, symlink};
use serde_json::{Value, json};

/// Opens an instance (3), and watches.
fn watching(setup: Vec<Value>, watches: &[(&str, &str)]) -> Case {
    let mut case =
        Case::new(0, setup, json!({"call": "inotify_init1", "flags": "IN_NONBLOCK"})).of_events();
    for (path, mask) in watches {
        case = case
            .then(json!({"call": "inotify_add_watch", "fd": 3, "pathname": path, "mask": mask}));
    }
    case
}

/// Reads all that the instance has to say.
fn read(case: Case) -> Case {
    case.then(json!({"call": "ioctl", "fd": 3, "request": "FIONREAD", "arg": 0}))
        .then(json!({"call": "read", "fd": 3, "count": 8192}))
        .then(json!({"call": "read", "fd": 3, "count": 8192}))
}

/// A directory with a file, a directory, a link and a FIFO in it, and another directory.
fn tree() -> Vec<Value> {
    let mut all = vec![mkdir("d", "0777"), mkdir("e", "0777"), mkdir("d/s", "0755")];
    all.extend(file("d/f", "0644"));
    all.push(symlink("f", "d/l"));
    all.extend(Thing::Fifo.make("d/p"));
    all.extend(file("e/g", "0644"));
    all
}

/// Programs of a few calls each; descriptors begin with 4.
fn programs() -> Vec<Vec<Value>> {
    let mut all = of_names();
    all.extend(of_attributes());
    all.extend(of_contents());
    all
}

fn of_names() -> Vec<Vec<Value>> {
    let rename = |old: &str, new: &str, flags: &str| json!({"call": "renameat2", "oldpath": old, "newpath": new, "flags": flags});
    let link = |old: &str, new: &str| json!({"call": "link", "oldpath": old, "newpath": new});
    let unlink = |path: &str| json!({"call": "unlink", "path": path});
    let rmdir = |path: &str| json!({"call": "rmdir", "path": path});
    let close = json!({"call": "close", "fd": 4});
    vec![
        vec![mkdir("d/n", "0755"), rmdir("d/n")],
        Thing::Fifo.make("d/n"),
        vec![symlink("x", "d/n"), unlink("d/n")],
        vec![link("d/f", "d/n"), unlink("d/n"), unlink("d/f")],
        vec![link("d/f", "e/n"), unlink("d/f"), unlink("e/n")],
        vec![unlink("d/f")],
        vec![rmdir("d/s")],
        vec![rename("d/f", "d/n", "0"), rename("d/n", "e/n", "0")],
        vec![rename("d/f", "e/g", "0")],
        vec![rename("e/g", "d/f", "0")],
        vec![rename("d/f", "e/g", "RENAME_EXCHANGE")],
        vec![rename("d/f", "d/s", "RENAME_EXCHANGE")],
        vec![rename("d/f", "e/n", "RENAME_WHITEOUT")],
        vec![rename("d/s", "e/n", "0"), rename("d", "x", "0")],
        vec![mkdir("e/t", "0755"), rename("e/t", "d/s", "0")],
        vec![link("d/f", "d/n"), rename("d/f", "d/n", "0")],
        vec![open("d/f", "O_RDONLY"), unlink("d/f"), close.clone()],
        vec![open("d/f", "O_RDWR"), rename("e/g", "d/f", "0"), close.clone()],
        vec![
            open("d/f", "O_RDWR"),
            unlink("d/f"),
            json!({"call": "write", "fd": 4, "data": "a"}),
            json!({"call": "fchmod", "fd": 4, "mode": "0600"}),
            close.clone(),
        ],
        vec![open("d/s", "O_RDONLY"), rmdir("d/s"), close],
    ]
}

fn of_attributes() -> Vec<Vec<Value>> {
    let times = |atime: Value, mtime: Value| json!({"call": "utimensat", "path": "d/f", "atime": atime, "mtime": mtime, "flags": 0});
    let at = json!({"sec": 5, "nsec": 0});
    let chown =
        |uid: i64, gid: i64| json!({"call": "chown", "path": "d/f", "uid": uid, "gid": gid});
    let setxattr =
        json!({"call": "setxattr", "path": "d/f", "name": "user.a", "value": "v", "flags": 0});
    vec![
        vec![chmod("d/f", "0600"), chmod("d", "0700"), chmod("d/s", "0700")],
        vec![chown(5, 5), chown(-1, -1), chown(-1, 7)],
        vec![chmod("d/f", "06777"), chown(0, 0)],
        vec![times(at.clone(), at.clone())],
        vec![times("UTIME_OMIT".into(), at.clone())],
        vec![times(at, "UTIME_OMIT".into())],
        vec![times("UTIME_NOW".into(), "UTIME_NOW".into())],
        vec![json!({"call": "utimensat", "path": "d/f", "flags": 0})],
        vec![setxattr, json!({"call": "removexattr", "path": "d/f", "name": "user.a"})],
        vec![
            json!({"call": "stat", "path": "d/f"}),
            json!({"call": "readlink", "path": "d/l",
            "bufsiz": 9}),
        ],
    ]
}

fn of_contents() -> Vec<Vec<Value>> {
    let write = |data: &str| json!({"call": "write", "fd": 4, "data": data});
    let read = |count: i64| json!({"call": "read", "fd": 4, "count": count});
    let close = |fd: i64| json!({"call": "close", "fd": fd});
    let truncate = |length: i64| json!({"call": "truncate", "path": "d/f", "length": length});
    let list = json!({"call": "getdents64", "fd": 4, "count": 4096});
    let fallocate =
        |mode: &str| json!({"call": "fallocate", "fd": 4, "mode": mode, "offset": 0, "len": 4096});
    let dup = json!({"call": "dup", "oldfd": 4});
    vec![
        vec![open("d/f", "O_RDONLY"), read(3), read(3), read(3), read(0), close(4)],
        vec![open("d/f", "O_RDWR"), write("a"), write("b"), write(""), read(2), close(4)],
        vec![open("d/f", "O_WRONLY|O_TRUNC"), close(4)],
        vec![open("d/n", "O_RDWR|O_CREAT"), write("a"), close(4)],
        vec![open("d/f", "O_PATH"), close(4)],
        vec![open("d", "O_RDONLY"), list.clone(), list, close(4)],
        vec![open("d/f", "O_RDONLY"), dup, close(4), close(5)],
        vec![truncate(2), truncate(2), truncate(9000)],
        vec![open("d/f", "O_RDWR"), json!({"call": "ftruncate", "fd": 4, "length": 1}), close(4)],
        vec![open("d/f", "O_RDWR"), fallocate("0"), fallocate("FALLOC_FL_KEEP_SIZE"), close(4)],
        vec![open("d/f", "O_RDWR"), fallocate("FALLOC_FL_COLLAPSE_RANGE"), close(4)],
        vec![open("d/p", "O_RDWR"), write("ab"), read(1), close(4)],
        vec![open("d/f", "O_RDONLY|O_NOATIME"), read(3), close(4)],
        vec![
            open("d/f", "O_RDONLY"),
            open("e/g", "O_WRONLY"),
            json!({"call": "sendfile", "out_fd": 5, "in_fd": 4, "count": 5}),
            json!({"call": "copy_file_range", "fd_in": 4, "fd_out": 5, "off_in": 0, "len": 5,
                "flags": 0}),
            close(5),
            close(4),
        ],
        vec![
            open("d/f", "O_RDWR"),
            json!({"call": "pwrite64", "fd": 4, "data": "abc", "offset": 9}),
            json!({"call": "pread64", "fd": 4, "count": 3, "offset": 0}),
            close(4),
        ],
        vec![open("d/l", "O_RDONLY"), json!({"call": "fsync", "fd": 4}), close(4)],
        vec![
            json!({"call": "chdir", "path": "d"}),
            json!({"call": "access", "path": "f",
            "mode": "R_OK"}),
        ],
    ]
}

/// Every program under several sets of watches; then what masks, queues and errors are.
pub(crate) fn watches(sink: &mut Sink<'_>) {
    let sets: [&[(&str, &str)]; 9] = [
        &[("d", "IN_ALL_EVENTS")],
        &[("d/f", "IN_ALL_EVENTS")],
        &[("d", "IN_ALL_EVENTS"), ("d/f", "IN_ALL_EVENTS")],
        &[("d", "IN_ALL_EVENTS"), ("e", "IN_ALL_EVENTS"), ("d/s", "IN_ALL_EVENTS")],
        &[("e", "IN_ALL_EVENTS"), ("e/g", "IN_ALL_EVENTS")],
        &[("d", "IN_ALL_EVENTS|IN_ONESHOT"), ("d/f", "IN_ALL_EVENTS|IN_EXCL_UNLINK")],
        &[("d", "IN_ALL_EVENTS|IN_EXCL_UNLINK")],
        &[("d", "IN_MODIFY|IN_MOVED_TO|IN_DELETE"), ("d/p", "IN_ALL_EVENTS")],
        &[("d/l", "IN_ALL_EVENTS|IN_DONT_FOLLOW"), ("d/l", "IN_ATTRIB"), (".", "IN_ALL_EVENTS")],
    ];
    for program in programs() {
        for set in sets {
            let mut case = watching(tree(), set);
            for call in &program {
                case = case.then(call.clone());
            }
            sink(read(case));
        }
    }
    masks(sink);
    queues(sink);
}

fn masks(sink: &mut Sink<'_>) {
    let masks = [
        "IN_MODIFY",
        "IN_ATTRIB|IN_MASK_ADD",
        "IN_MODIFY|IN_MASK_CREATE",
        "IN_ONLYDIR",
        "0",
        "IN_MODIFY|IN_MASK_ADD|IN_MASK_CREATE",
        "IN_MODIFY|IN_ONLYDIR",
        "IN_UNMOUNT",
        "0x1000",
        "IN_MODIFY|IN_DONT_FOLLOW",
        "IN_ONESHOT",
        "IN_IGNORED",
        "IN_ISDIR",
    ];
    let paths = ["d/f", "d/l", "d/s", "d", "d/none", "d/f/x", "", "/proc/self"];
    for (first, second) in masks.into_iter().flat_map(|one| masks.map(|two| (one, two))) {
        for path in paths {
            let case = watching(tree(), &[(path, first), (path, second), ("d/f", second)]);
            let case = case.then(json!({"call": "truncate", "path": "d/f", "length": 1}));
            sink(read(case.then(chmod("d/f", "0600"))));
        }
    }
    for actor in [0, 1, 4] {
        for mode in ["0644", "0600", "0200", "0000"] {
            let mut setup = tree();
            setup.extend([chmod("d/f", mode), chmod("d/s", "0711")]);
            let mut case = watching(setup, &[("d/f", "IN_MODIFY"), ("d/s", "IN_CREATE")]);
            case.actor = actor;
            sink(read(case));
        }
    }
}

fn queues(sink: &mut Sink<'_>) {
    let poll =
        json!({"call": "poll", "fds": [{"fd": 3, "events": "POLLIN|POLLOUT"}], "timeout": 0});
    for count in [0, 15, 16, 31, 32, 33, 48, 64, 100] {
        let case = watching(tree(), &[("d", "IN_CREATE|IN_DELETE"), ("d/f", "IN_ATTRIB")]);
        let name = "n".repeat(16);
        let case = case.then(poll.clone()).then(mkdir("d/n", "0755")).then(poll.clone());
        let case = case.then(mkdir(&format!("d/{name}"), "0755")).then(chmod("d/f", "0600"));
        let case = case.then(mkdir(&format!("d/{}", &name[1..]), "0755"));
        let mut case = case.then(json!({"call": "read", "fd": 3, "count": count}));
        for _ in 0..3 {
            case = case.then(json!({"call": "read", "fd": 3, "count": count}));
        }
        sink(read(case));
    }
    // What lies on a file system that goes.
    let mount = json!({"call": "mount", "source": "none", "target": "d", "filesystemtype": "tmpfs",
        "mountflags": 0, "data": ""});
    let case = watching(
        vec![mkdir("d", "0777"), mount, mkdir("d/s", "0755")],
        &[(".", "IN_ALL_EVENTS"), ("d/s", "IN_OPEN")],
    );
    sink(read(case.then(json!({"call": "umount2", "target": "d", "flags": 0}))));
    for (fd, wd) in [(3, 1), (3, 2), (3, 9), (3, -1), (0, 1), (9, 1), (4, 1)] {
        let case = watching(tree(), &[("d", "IN_ALL_EVENTS"), ("d/f", "IN_ALL_EVENTS")]);
        let case = case.then(open("e/g", "O_RDONLY"));
        let case = case.then(json!({"call": "inotify_rm_watch", "fd": fd, "wd": wd}));
        let case = case.then(json!({"call": "inotify_rm_watch", "fd": fd, "wd": wd}));
        let add =
            json!({"call": "inotify_add_watch", "fd": fd, "pathname": "e", "mask": "IN_OPEN"});
        let case = case.then(add).then(mkdir("d/n", "0755")).then(chmod("d/f", "0600"));
        sink(read(case));
    }
}
