//! Where our answers are not Linux's on purpose: the list, each with its reason, and that Linux
//! answers as the list says (on ext4, where the twin's files lie on that).

use super::words::*;
use crate::beside::{Program, ours};
use crate::host::Host;
use serde_json::{Value, json};

/// A difference: its last request is the one that is answered otherwise.
struct Difference {
    why: &'static str,
    program: Program,
    ours: Value,
    linux: Value,
}

fn cached(path: &str) -> Program {
    let fields = json!({"dirfd": "AT_FDCWD", "path": path, "flags": "O_PATH", "mode": 0,
        "resolve": "RESOLVE_CACHED"});
    call("openat2", fields)
}

/// Of looking up names, and of writing.
fn of_files() -> [Difference; 3] {
    let lstat = |path: &str| call("lstat", json!({"path": path}));
    let make = |path: &str| {
        call(
            "open",
            json!({"path": path, "flags": "O_CREAT|O_RDWR|O_DIRECT",
        "mode": "06777"}),
        )
    };
    let changed = call("pwrite64", json!({"fd": 3, "data": "x", "offset": 0}));
    [
        Difference {
            why: "that a name is not there ext4 remembers from a look that failed, until memory is \
                  short: what is remembered no program can rely on. A tmpfs does not",
            program: all([lstat("/tmp/no"), cached("/tmp/no")]),
            ours: json!("EAGAIN"),
            linux: json!("ENOENT"),
        },
        Difference {
            why: "the same of a name that was taken away while nobody had it open",
            program: all([
                call("mkdir", json!({"path": "/tmp/d", "mode": "0755"})),
                call("rmdir", json!({"path": "/tmp/d"})),
                cached("/tmp/d"),
            ]),
            ours: json!("EAGAIN"),
            linux: json!("ENOENT"),
        },
        Difference {
            why: "ext4 drops set-id bits before it refuses to write part of a block directly: a \
                  call that failed changes nothing",
            program: all([
                nobody(2),
                by(2, all([make("/tmp/f"), changed, call("fstat", json!({"fd": 3}))])),
            ]),
            ours: json!(0o6777),
            linux: json!(0o0777),
        },
    ]
}

/// Of what is remembered of kept room, and of mounts.
fn of_room_and_mounts() -> [Difference; 2] {
    [
        Difference {
            why: "room that fallocate(2) kept is a hole to SEEK_HOLE until it was read: then pages \
                  of it are remembered until memory is short",
            program: all([
                open("/tmp/f", "O_CREAT|O_RDWR"),
                call("fallocate", json!({"fd": 3, "mode": 0, "offset": 0, "len": 8192})),
                read(3, 5000),
                call("lseek", json!({"fd": 3, "offset": 100, "whence": "SEEK_HOLE"})),
            ]),
            ours: json!(100),
            linux: json!(8192),
        },
        Difference {
            why: "mounts that are shared do not show what is mounted in their peers \
                  (mount_namespaces(7)): that a mount is shared is kept, and there is one namespace",
            program: all([
                call("mkdir", json!({"path": "/tmp/m", "mode": "0755"})),
                call("mkdir", json!({"path": "/tmp/n", "mode": "0755"})),
                tmpfs("/tmp/m"),
                call("mkdir", json!({"path": "/tmp/m/d", "mode": "0755"})),
                call("mount", json!({"target": "/tmp/m", "mountflags": "MS_SHARED"})),
                call(
                    "mount",
                    json!({"source": "/tmp/m", "target": "/tmp/n", "mountflags": "MS_BIND"}),
                ),
                tmpfs("/tmp/m/d"),
                open("/tmp/m/d/q", "O_CREAT|O_RDWR"),
                call("access", json!({"path": "/tmp/n/d/q", "mode": 0})),
            ]),
            ours: json!("ENOENT"),
            linux: json!(0),
        },
    ]
}

/// Commands of fcntl(2) that are not there, as on a file system that does not know them.
fn of_fcntl() -> [Difference; 2] {
    let lease = [open("/tmp/f", "O_CREAT"), fcntl(3, "F_SETLEASE", "F_RDLCK")];
    let notify = [open("/tmp", "O_RDONLY"), fcntl(3, "F_NOTIFY", 0x1f)];
    [
        Difference {
            why: "nothing breaks a lease: none is given",
            program: all(lease),
            ours: json!("EINVAL"),
            linux: json!(0),
        },
        Difference {
            why: "inotify(7) stands in the place of F_NOTIFY",
            program: all(notify),
            ours: json!("EINVAL"),
            linux: json!(0),
        },
    ]
}

fn tmpfs(target: &str) -> Program {
    call("mount", json!({"source": "t", "target": target, "filesystemtype": "tmpfs"}))
}

/// What the list compares of the last answer: the errno, the mode, or the value.
fn told(lines: &[Value]) -> Value {
    let Some(line) = lines.last() else { return Value::Null };
    let mode = || line.get("stat")?.get("mode");
    line.get("err").or_else(mode).or_else(|| line.get("ok")).cloned().unwrap_or_default()
}

/// Whether the twin's files lie on ext4.
fn is_on_a_disk(host: &mut Host) -> bool {
    const EXT4: u64 = 0xef53;
    host.ask(r#"{"op":"reset"}"#);
    let lines = host.ask(&json!({"pid": 1, "call": "statfs", "path": "/tmp"}).to_string());
    lines.last().is_some_and(|line| line["statfs"]["type"] == EXT4)
}

pub(crate) fn play() {
    let mut host = Host::start();
    let disk = host.as_mut().is_some_and(is_on_a_disk);
    for Difference { why, program, ours: expected, linux } in
        of_files().into_iter().chain(of_room_and_mounts()).chain(of_fcntl())
    {
        let answers = ours(&program);
        assert_eq!(answers.last().map(|lines| told(lines)), Some(expected), "{why}");
        let Some(host) = host.as_mut().filter(|_| disk) else { continue };
        host.ask(r#"{"op":"reset"}"#);
        let answers: Vec<Vec<Value>> =
            program.iter().map(|request| host.ask(&request.to_string())).collect();
        assert_eq!(answers.last().map(|lines| told(lines)), Some(linux), "{why}");
    }
}
