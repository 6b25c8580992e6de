//! Corners of files, mounts and unnamed pipes that a stranger with a generator of programs found
//! (man pages: mount(2), open(2), setxattr(2), acl(5), access(2), readlinkat(2), pwritev2(2)).

use super::words::*;
use serde_json::json;

/// An access control list that names a user.
const LIST: &str = "AgAAAAEABwD/////AgAHAOgDAAAEAAUA/////xAABwD/////IAAFAP////8=";

fn mkdir(path: &str) -> crate::beside::Program {
    call("mkdir", json!({"path": path, "mode": "0755"}))
}

fn bind_mount(source: &str, target: &str) -> crate::beside::Program {
    call("mount", json!({"source": source, "target": target, "mountflags": "MS_BIND"}))
}

fn access(path: &str, mode: u32) -> crate::beside::Program {
    call("access", json!({"path": path, "mode": mode}))
}

/// What was removed can no more be bound or have nameless files.
fn removed() -> [Scene; 3] {
    let file = all([
        open("/tmp/f", "O_CREAT|O_RDWR"),
        open("/tmp/g", "O_CREAT|O_RDWR"),
        call("unlink", json!({"path": "/tmp/f"})),
        mkdir("/tmp/d"),
        bind_mount("/proc/self/fd/3", "/tmp/d"),
        bind_mount("/proc/self/fd/3", "/tmp/g"),
    ]);
    let directory = all([
        mkdir("/tmp/a"),
        mkdir("/tmp/q"),
        call("chdir", json!({"path": "/tmp/a"})),
        call("rmdir", json!({"path": "/tmp/a"})),
        bind_mount(".", "/tmp/q"),
    ]);
    let nameless = all([
        mkdir("/tmp/d"),
        open("/tmp/d", "O_RDONLY"),
        call("rmdir", json!({"path": "/tmp/d"})),
        call("openat", json!({"dirfd": 3, "path": ".", "flags": "O_TMPFILE|O_RDWR", "mode": 0})),
    ]);
    [
        ("a removed file is bound", file),
        ("a removed directory is bound", directory),
        ("a nameless file in a removed directory", nameless),
    ]
}

/// Access control lists: what takes room, and who hears of one that was not there.
fn lists() -> [Scene; 2] {
    let set = |path: &str| {
        call(
            "setxattr",
            json!({"path": path, "name": "system.posix_acl_access", "value_b64": LIST, "flags": 0}),
        )
    };
    let tmpfs = json!({"source": "t", "target": "/tmp/m", "filesystemtype": "tmpfs",
        "mountflags": 0, "data": "nr_inodes=5"});
    let room = all([
        mkdir("/tmp/m"),
        call("mount", tmpfs),
        mkdir("/tmp/m/a"),
        set("/tmp/m/a"),
        mkdir("/tmp/m/b"),
        mkdir("/tmp/m/c"),
        mkdir("/tmp/m/d"),
        mkdir("/tmp/m/e"),
    ]);
    let absent = |which: &str| {
        let name = format!("system.posix_acl_{which}");
        all([call("removexattr", json!({"path": "/tmp/f", "name": name})), read(4, 1000)])
    };
    let watch = json!({"fd": 4, "pathname": "/tmp/f", "mask": "IN_ALL_EVENTS"});
    let told = all([
        open("/tmp/f", "O_CREAT|O_RDWR"),
        call("inotify_init1", json!({"flags": "IN_NONBLOCK"})),
        call("inotify_add_watch", watch),
        absent("default"),
        absent("access"),
    ]);
    [("lists take no room for inodes", room), ("an absent list is taken away", told)]
}

/// An unnamed pipe has an inode like any other.
fn pipes() -> [Scene; 3] {
    let link = "/proc/self/fd/3";
    let rights = all([
        pipe(),
        access(link, 1),
        access(link, 6),
        call("faccessat2", json!({"dirfd": 3, "path": "", "mode": 1, "flags": "AT_EMPTY_PATH"})),
        nobody(2),
        by(2, all([access(link, 4), access(link, 0)])),
        call("fchmod", json!({"fd": 3, "mode": "0604"})),
        by(2, all([access(link, 4), access(link, 2)])),
    ]);
    let times = |nsec: u32| {
        let time = json!({"sec": 5, "nsec": nsec});
        call("utimensat", json!({"dirfd": 3, "path": null, "atime": time, "mtime": time}))
    };
    let changes = all([
        pipe(),
        times(6),
        times(1_000_000_000),
        nobody(2),
        by(2, times(6)),
        call("readlinkat", json!({"dirfd": 3, "path": "", "bufsiz": 10})),
    ]);
    let positioned = |offset: i64, flags: u32| {
        call("pwritev2", json!({"fd": 4, "data": "x", "offset": offset, "flags": flags}))
    };
    let unread =
        all([pipe(), close(3), positioned(0, 256), positioned(-1, 256), positioned(-1, 512)]);
    [
        ("who may use a pipe", rights),
        ("times of a pipe", changes),
        ("a pipe written at an offset", unread),
    ]
}

/// A symbolic link that was opened itself is no program.
fn link_as_program() -> Scene {
    let program = json!({"path": "/proc/self/fd/3", "argv": ["x"], "envp": []});
    let scene = all([
        call("symlink", json!({"target": "x", "linkpath": "/tmp/s"})),
        open("/tmp/s", "O_PATH|O_NOFOLLOW"),
        call("execve", program),
    ]);
    ("a link is executed", scene)
}

pub(crate) fn scenes() -> Vec<Scene> {
    let mut scenes = vec![link_as_program()];
    scenes.extend(removed());
    scenes.extend(lists());
    scenes.extend(pipes());
    scenes
}
