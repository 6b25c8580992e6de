//! What /proc tells, beside Linux: paths at their ends, which entries there are in which order and
//! whose they are, the forms of texts, and what may be written.

use super::words::*;
use crate::beside::{Program, ours};
use crate::host::Host;
use serde_json::{Value, json};

fn chdir(path: &str) -> Program {
    call("chdir", json!({"path": path}))
}

fn mkdir(path: &str) -> Program {
    call("mkdir", json!({"path": path, "mode": "0755"}))
}

fn readlink(path: &str) -> Program {
    call("readlink", json!({"path": path, "bufsiz": 10_000}))
}

fn getcwd(size: u64) -> Program {
    call("getcwd", json!({"size": size}))
}

/// Goes down to a directory whose path has so many bytes.
fn deep(bytes: usize) -> Program {
    let mut way = vec![chdir("/tmp")];
    let mut left = bytes - "/tmp".len();
    while left > 0 {
        // A name of no byte cannot be the last.
        let step = if left <= 256 { left } else { 256.min(left - 2) };
        let name = "q".repeat(step - 1);
        way.extend([mkdir(&name), chdir(&name)]);
        left -= step;
    }
    all(way)
}

/// What lies in the directory of a process and not in that of a thread.
const OF_A_PROCESS: &[&str] =
    &["task", "map_files", "mountstats", "coredump_filter", "timerslack_ns"];
/// Entries of a process that were not there from the beginning.
const OF_A_TASK: &[&str] = &[
    "ns",
    "attr",
    "auxv",
    "personality",
    "limits",
    "smaps",
    "smaps_rollup",
    "wchan",
    "schedstat",
    "cpuset",
    "cgroup",
    "oom_score",
    "oom_adj",
    "oom_score_adj",
    "loginuid",
    "sessionid",
    "io",
    "uid_map",
    "gid_map",
    "projid_map",
    "setgroups",
    "ns/net",
    "ns/pid_for_children",
    "ns/time",
    "attr/current",
    "attr/prev",
    "attr/exec",
    "attr/sockcreate",
];
/// The same of the system.
const OF_ALL: &[&str] = &[
    "locks",
    "swaps",
    "vmstat",
    "cgroups",
    "devices",
    "diskstats",
    "partitions",
    "sys",
    "sys/fs",
    "sys/vm",
    "sys/kernel",
    "sys/fs/inotify",
    "sys/fs/file-max",
    "sys/fs/file-nr",
    "sys/fs/overflowuid",
    "sys/fs/protected_fifos",
    "sys/fs/protected_hardlinks",
    "sys/fs/protected_regular",
    "sys/fs/protected_symlinks",
    "sys/fs/suid_dumpable",
    "sys/kernel/overflowgid",
    "sys/kernel/threads-max",
    "sys/kernel/version",
    "sys/vm/max_map_count",
    "sys/vm/overcommit_memory",
];
/// Directories whose order is Linux's.
const ORDERED: &[&str] = &[
    "/proc",
    "/proc/self",
    "/proc/self/task/1",
    "/proc/self/ns",
    "/proc/self/attr",
    "/proc/sys",
    "/proc/sys/fs",
    "/proc/sys/fs/inotify",
    "/proc/sys/kernel",
    "/proc/sys/vm",
];

fn lstat(path: &str) -> Program {
    call("lstat", json!({"path": path}))
}

fn text(path: &str) -> Program {
    all([open(path, "O_RDONLY"), read(3, 4000), close(3)])
}

/// Which entries there are, with modes, owners and counts of links, and who may look at them.
fn entries() -> Program {
    let paths = |top: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{top}/{name}")).collect()
    };
    let tasks = [
        paths("/proc/1", OF_A_TASK),
        paths("/proc/1", OF_A_PROCESS),
        paths("/proc/1/task/1", OF_A_TASK),
        paths("/proc/1/task/1", OF_A_PROCESS),
        paths("/proc/2", OF_A_TASK),
        paths("/proc", OF_ALL),
    ]
    .concat();
    let looks = || {
        all(tasks.iter().map(|path| {
            // What a namespace is cannot be opened here.
            let access = call("access", json!({"path": path, "mode": "R_OK"}));
            all([lstat(path), if path.contains("/ns/") { all([]) } else { access }])
        }))
    };
    let lists = ["R_OK", "W_OK", "X_OK"]
        .map(|mode| call("access", json!({"path": "/proc/self/map_files", "mode": mode})));
    let others = by(2, all([all(lists), readlink("/proc/1/ns/pid")]));
    all([nobody(2), looks(), by(2, looks()), others])
}

/// Where lseek(2) leads in a text.
fn ends() -> Program {
    let names = ["oom_score_adj", "loginuid", "sessionid", "attr/current", "limits", "cgroup"];
    let sought = |offset: i64, whence: &str| {
        call("lseek", json!({"fd": 3, "offset": offset, "whence": whence}))
    };
    let seeks = || all([sought(0, "SEEK_END"), sought(7, "SEEK_END"), sought(3, "SEEK_SET")]);
    let look = |name: &str| {
        let path = format!("/proc/self/{name}");
        all([open(&path, "O_RDONLY"), seeks(), sought(-9, "SEEK_CUR"), close(3)])
    };
    all([all(names.map(look)), look("auxv"), open("/proc/locks", "O_RDONLY"), seeks()])
}

/// Texts that are the same on any machine.
fn texts() -> Program {
    let same = [
        "personality",
        "uid_map",
        "gid_map",
        "projid_map",
        "setgroups",
        "wchan",
        "attr/current",
        "attr/exec",
        "ns",
    ];
    let of_all = ["swaps", "sys/vm/max_map_count", "sys/kernel/overflowuid", "sys/fs/overflowgid"];
    all([
        all(same.map(|name| text(&format!("/proc/self/{name}")))),
        all(of_all.map(|name| text(&format!("/proc/{name}")))),
        all(["fifos", "hardlinks", "regular", "symlinks"]
            .map(|name| text(&format!("/proc/sys/fs/protected_{name}")))),
        nobody(2),
        by(2, all(["personality", "io", "auxv"].map(|name| text(&format!("/proc/1/{name}"))))),
    ])
}

/// What is added to a score, above what a machine may start its processes with: going below that
/// takes a capability that not every root has.
fn short_of_memory() -> Program {
    let file = |name: &str| format!("/proc/self/{name}");
    let shown = || all(["oom_score_adj", "oom_adj"].map(|name| text(&file(name))));
    let set = |name: &str, value: &str| {
        all([open(&file(name), "O_RDWR"), write(3, value), read(3, 9), close(3), shown()])
    };
    let values = [
        "600",
        "750\n",
        " 700 ",
        "0x3e8",
        "01200",
        "+650",
        "1001",
        "-1001",
        "",
        "x",
        "700 2",
        "7x",
        "1000000000000",
        "99999999999",
        "-2000000000",
        "0x",
        "+-7",
        "--7",
        "640",
    ];
    let old = ["11", "16", "-18", "", "y", "15", "0x10"];
    all([
        all(values.map(|value| set("oom_score_adj", value))),
        all(old.map(|value| set("oom_adj", value))),
        nobody(2),
        by(2, shown()),
        by(2, open("/proc/1/oom_score_adj", "O_WRONLY")),
        open("/proc/2/oom_score_adj", "O_RDWR"),
    ])
}

pub(crate) fn scenes() -> Vec<Scene> {
    let told = || all([getcwd(10_000), getcwd(100), readlink("/proc/self/cwd")]);
    let opened = || all([open(".", "O_RDONLY|O_DIRECTORY"), readlink("/proc/self/fd/3")]);
    let gone = |name: &str| {
        all([mkdir(name), chdir(name), call("rmdir", json!({"path": format!("../{name}")}))])
    };
    vec![
        ("the longest path of a working directory", all([deep(4095), told(), opened()])),
        ("a longer one", all([deep(4096), told(), opened(), open("/proc/self/cwd/x", "O_CREAT")])),
        ("a much longer one", all([deep(6000), told(), opened(), chdir(".."), chdir("/"), told()])),
        ("what is told behind it counts", all([deep(4075), gone("123456789"), told()])),
        ("and is too much", all([deep(4076), gone("123456789"), told()])),
        ("entries", entries()),
        ("ends", ends()),
        ("texts", texts()),
        ("short of memory", short_of_memory()),
    ]
}

/// The last answer of both sides.
fn last(program: &Program, host: &mut Host) -> [Vec<Value>; 2] {
    host.ask(r#"{"op":"reset"}"#);
    let linux = program.iter().map(|request| host.ask(&request.to_string())).last();
    [ours(program).pop().unwrap_or_default(), linux.unwrap_or_default()]
}

/// What Linux has too, Linux lists in the same order.
pub(crate) fn orders() {
    let Some(mut host) = Host::start() else { return };
    for path in ORDERED {
        let list = call("getdents64", json!({"fd": 3, "count": 100_000}));
        let names =
            last(&all([open(path, "O_RDONLY|O_DIRECTORY"), list]), &mut host).map(|lines| {
                let entries = lines.first().and_then(|line| line["entries"].as_array().cloned());
                let name = |entry: Value| entry["name"].as_str().unwrap_or_default().to_owned();
                entries.unwrap_or_default().into_iter().map(name).collect::<Vec<_>>()
            });
        let [ours, linux] = &names;
        assert!(ours.len() > 3, "{path}: {ours:?}");
        let shared: Vec<_> = linux.iter().filter(|name| ours.contains(name)).collect();
        let all: Vec<_> = ours.iter().collect();
        assert_eq!(all, shared, "{path}");
    }
}

/// A text without the numbers that are a machine's own.
fn shape(text: &str) -> String {
    const OWN: [&str; 7] =
        ["mnt_id:", "ino:", "sdev:", "f_handle:", "eventfd-id:", "Pid:", "NSpid:"];
    let word = |word: &str| match OWN.iter().find(|own| word.starts_with(**own)) {
        Some(own) => (*own).to_owned(),
        // Device and inode of a lock.
        None if word.matches(':').count() == 2 => "::".to_owned(),
        None => word.to_owned(),
    };
    let line = |line: &str| {
        let own = OWN.iter().find(|own| line.starts_with(**own));
        own.map_or_else(
            || line.split(' ').map(word).collect::<Vec<_>>().join(" "),
            |own| (*own).to_owned(),
        )
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Descriptors of every kind, from 3 on.
fn descriptors() -> Program {
    let watch = |path: &str, mask: &str| {
        call("inotify_add_watch", json!({"fd": 4, "pathname": path, "mask": mask}))
    };
    let lock = |cmd: &str, kind: &str, start: i64, len: i64| {
        let whence = "SEEK_SET";
        fcntl(3, cmd, json!({"type": kind, "whence": whence, "start": start, "len": len}))
    };
    let time = json!({"interval": {"sec": 1, "nsec": 2}, "value": {"sec": 0, "nsec": 0}});
    let timer = json!({"fd": 6, "flags": "TFD_TIMER_ABSTIME", "new_value": time});
    let item = json!({"epfd": 8, "op": "EPOLL_CTL_ADD", "fd": 5, "events": "EPOLLIN", "data": 77});
    all([
        all([open("/tmp/f", "O_RDWR|O_CREAT|O_APPEND"), write(3, "hello")]),
        call("flock", json!({"fd": 3, "operation": "LOCK_EX"})),
        all([lock("F_SETLK", "F_WRLCK", 0, 10), lock("F_SETLK", "F_RDLCK", 100, 0)]),
        lock("F_OFD_SETLK", "F_RDLCK", 20, 5),
        call("inotify_init1", json!({"flags": "IN_NONBLOCK|IN_CLOEXEC"})),
        all([watch("/tmp", "IN_CREATE|IN_ONESHOT"), watch("/proc/self", "IN_MODIFY")]),
        call("eventfd2", json!({"initval": 17, "flags": "EFD_SEMAPHORE"})),
        call("timerfd_create", json!({"clockid": "CLOCK_BOOTTIME", "flags": 0})),
        call("timerfd_settime", timer),
        call("signalfd4", json!({"fd": -1, "mask": ["SIGINT", "SIGRT_5"], "flags": 0})),
        call("epoll_create1", json!({"flags": "EPOLL_CLOEXEC"})),
        call("epoll_ctl", item),
        call("pidfd_open", json!({"target": 1, "flags": 0})),
        all([socketpair("SOCK_STREAM"), pipe(), open("/proc/self", "O_PATH")]),
        // A child waits for the lock.
        all([fork(), by(2, open("/tmp/f", "O_RDONLY"))]),
        by(2, call("flock", json!({"fd": 15, "operation": "LOCK_SH"}))),
    ])
}

/// Lines of fdinfo are Linux's, but for numbers that are a machine's own; no mount of what has no
/// name is one of the tree's.
pub(crate) fn lines_of_descriptors() {
    let Some(mut host) = Host::start() else { return };
    for fd in 3..15 {
        let file = format!("/proc/self/fdinfo/{fd}");
        let program = all([descriptors(), open(&file, "O_RDONLY"), read(15, 4000)]);
        let texts = last(&program, &mut host).map(|lines| {
            let data = lines.first().and_then(|line| Some(line.get("data")?.as_str()?.to_owned()));
            data.unwrap_or_else(|| panic!("{fd}: {lines:?}"))
        });
        let [ours, linux] = &texts;
        assert_eq!(shape(ours), shape(linux), "{fd}");
        let mount = ours.lines().find_map(|line| line.strip_prefix("mnt_id:\t"));
        let is_of_the_tree = mount.and_then(|mount| mount.parse::<u32>().ok());
        let is_of_the_tree = is_of_the_tree.is_some_and(|mount| mount >= 21);
        assert_eq!(is_of_the_tree, matches!(fd, 3 | 14), "{fd}: {ours}");
    }
}

/// The locks of all files, each with who waits for it: Linux lists them by the CPU that made them.
pub(crate) fn locks() {
    let lock = |cmd: &str, kind: &str, start: i64, len: i64| {
        let whence = "SEEK_SET";
        fcntl(3, cmd, json!({"type": kind, "whence": whence, "start": start, "len": len}))
    };
    let program = all([
        all([open("/tmp/f", "O_RDWR|O_CREAT"), lstat("/tmp/f")]),
        call("flock", json!({"fd": 3, "operation": "LOCK_EX"})),
        all([lock("F_SETLK", "F_WRLCK", 0, 10), lock("F_OFD_SETLK", "F_RDLCK", 20, 0)]),
        all([fork(), by(2, open("/tmp/f", "O_RDWR"))]),
        by(2, call("flock", json!({"fd": 4, "operation": "LOCK_SH"}))),
        all([fork(), by(3, lock("F_SETLKW", "F_RDLCK", 5, 1))]),
        all([open("/proc/locks", "O_RDONLY"), read(4, 4000)]),
    ]);
    let answers = ours(&program);
    let ino = &answers[1][0]["stat"]["ino"];
    let expected = format!(
        "1: FLOCK  ADVISORY  WRITE 1 08:01:{ino} 0 EOF\n\
         1: -> FLOCK  ADVISORY  READ 2 08:01:{ino} 0 EOF\n\
         2: POSIX  ADVISORY  WRITE 1 08:01:{ino} 0 9\n\
         2: -> POSIX  ADVISORY  READ 3 08:01:{ino} 5 5\n\
         3: OFDLCK ADVISORY  READ -1 08:01:{ino} 20 EOF\n"
    );
    assert_eq!(answers.last().map(|lines| &lines[0]["data"]), Some(&json!(expected)));
}
