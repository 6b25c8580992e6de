//! Corners of files: what umask(2) leaves of set-id bits, limits of a tmpfs, who may link what is
//! open, seeks where there is nothing to seek in, extended attributes in their order.

use super::words::*;
use crate::beside::Program;
use serde_json::{Value, json};

fn make(path: &str) -> Program {
    open(path, "O_RDWR|O_CREAT")
}

fn mkdir(path: &str) -> Program {
    call("mkdir", json!({"path": path, "mode": "0777"}))
}

fn chmod(path: &str, mode: &str) -> Program {
    call("chmod", json!({"path": path, "mode": mode}))
}

fn stat(path: &str) -> Program {
    call("lstat", json!({"path": path}))
}

fn fstat(fd: i64) -> Program {
    call("fstat", json!({"fd": fd}))
}

fn truncate(fd: i64, length: i64) -> Program {
    call("ftruncate", json!({"fd": fd, "length": length}))
}

fn seek(fd: i64, offset: i64, whence: &str) -> Program {
    call("lseek", json!({"fd": fd, "offset": offset, "whence": whence}))
}

fn pwrite(fd: i64, length: usize, offset: i64) -> Program {
    call("pwrite64", json!({"fd": fd, "data": "w".repeat(length), "offset": offset}))
}

fn pread(fd: i64, count: i64, offset: i64) -> Program {
    call("pread64", json!({"fd": fd, "count": count, "offset": offset}))
}

fn fallocate(fd: i64, mode: &str, offset: i64, len: i64) -> Program {
    call("fallocate", json!({"fd": fd, "mode": mode, "offset": offset, "len": len}))
}

fn symlink(length: usize, path: &str) -> Program {
    call("symlink", json!({"target": "a".repeat(length), "linkpath": path}))
}

fn unlink(path: &str) -> Program {
    call("unlink", json!({"path": path}))
}

fn sendfile(to: i64, from: i64, offset: impl Into<Value>, count: i64) -> Program {
    call("sendfile", json!({"out_fd": to, "in_fd": from, "offset": offset.into(), "count": count}))
}

fn set(fd: i64, name: &str, length: usize, flags: &str) -> Program {
    let value = "v".repeat(length);
    call("fsetxattr", json!({"fd": fd, "name": name, "value": value, "flags": flags}))
}

fn unset(fd: i64, name: &str) -> Program {
    call("fremovexattr", json!({"fd": fd, "name": name}))
}

fn list(fd: i64) -> Program {
    call("flistxattr", json!({"fd": fd, "size": 4000}))
}

fn mounted(data: &str, flags: &str) -> Program {
    let fields = json!({"source": "t", "target": "/tmp/m", "filesystemtype": "tmpfs",
        "mountflags": flags, "data": data});
    call("mount", fields)
}

/// A tmpfs at /tmp/m and a file `f` on it, open at 3.
fn tmpfs(data: &str) -> Program {
    all([mkdir("/tmp/m"), mounted(data, "0"), make("/tmp/m/f")])
}

fn again(data: &str) -> Program {
    mounted(data, "MS_REMOUNT")
}

fn set_ids() -> Program {
    let new = |calls: [Program; 8]| all(calls.into_iter().map(|program| by(2, program)));
    let make = |name: &str, fields: Value| call(name, fields);
    let bind = |fd, path| bind(fd, name(path));
    let made = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let looks = made.map(|name| stat(&format!("/tmp/d/{name}")));
    all([
        mkdir("/tmp/d"),
        call("chown", json!({"path": "/tmp/d", "uid": 0, "gid": 2000})),
        chmod("/tmp/d", "02777"),
        nobody(2),
        by(2, call("chdir", json!({"path": "/tmp/d"}))),
        by(2, call("umask", json!({"mask": "077"}))),
        new([
            make("open", json!({"path": "a", "flags": "O_CREAT|O_WRONLY", "mode": "02777"})),
            make("creat", json!({"path": "b", "mode": "02711"})),
            make("creat", json!({"path": "c", "mode": "02700"})),
            make("mknod", json!({"path": "d", "mode": "S_IFREG|02777"})),
            make("mknod", json!({"path": "e", "mode": "S_IFIFO|02770"})),
            make("mkdir", json!({"path": "f", "mode": "02777"})),
            make("symlink", json!({"target": "x", "linkpath": "g"})),
            make("open", json!({"path": ".", "flags": "O_TMPFILE|O_RDWR", "mode": "02777"})),
        ]),
        by(2, fstat(6)),
        by(2, all([socket("AF_UNIX", "SOCK_STREAM"), bind(7, "h")])),
        by(
            2,
            all([
                socket("AF_UNIX", "SOCK_STREAM"),
                call("fchmod", json!({"fd": 8, "mode": "02777"})),
            ]),
        ),
        by(2, bind(8, "i")),
        by(
            2,
            call(
                "openat2",
                json!({"dirfd": "AT_FDCWD", "path": "j",
            "flags": "O_CREAT|O_RDWR", "mode": "02777", "resolve": "0"}),
            ),
        ),
        all(looks),
    ])
}

/// What fallocate(2) keeps free, nobody else gets.
fn room() -> Program {
    all([
        tmpfs("size=64k"),
        fallocate(3, "0", 0, 65_537),
        fallocate(3, "0", 0, 65_536),
        fallocate(3, "FALLOC_FL_KEEP_SIZE", 65_536, 1),
        make("/tmp/m/g"),
        write(4, "x"),
        pwrite(3, 5000, 60_000),
        fallocate(3, "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", 4000, 9000),
        pwrite(4, 9000, 0),
        truncate(3, 20_000),
        pwrite(4, 65_536, 0),
        truncate(4, 0),
        fallocate(4, "FALLOC_FL_KEEP_SIZE", 0, 40_000),
        seek(4, 0, "SEEK_DATA"),
        truncate(4, 100_000),
        seek(4, 0, "SEEK_DATA"),
        pwrite(3, 30_000, 20_000),
        truncate(4, 100_000),
        pwrite(3, 30_000, 20_000),
        fstat(3),
        pwrite(4, 20_000, 50_000),
        fstat(4),
    ])
}

/// The same on a disk and on a tmpfs without limits: what lies in it, and what cuts it.
fn room_behind(directory: &str) -> Program {
    let keep = "FALLOC_FL_KEEP_SIZE";
    let looks = || all([seek(3, 0, "SEEK_DATA"), seek(3, 0, "SEEK_HOLE"), fstat(3)]);
    let path = format!("{directory}/f");
    let ranges = [
        (keep, 0, 65_536),
        (keep, 1 << 20, 1000),
        ("0", 0, 20_000),
        ("FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", 4096, 9000),
        ("FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", 16_384, 1),
        ("FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", 18_000, 5000),
        ("FALLOC_FL_INSERT_RANGE", 4096, 8192),
        ("FALLOC_FL_COLLAPSE_RANGE", 0, 8192),
        ("FALLOC_FL_UNSHARE_RANGE", 0, 4096),
        (keep, 1, (1 << 44) - 1),
        ("0", i64::MAX - 1, 2),
    ];
    let provide = |(mode, offset, len)| all([fallocate(3, mode, offset, len), looks()]);
    all([
        make(&path),
        provide(ranges[0]),
        pwrite(3, 5000, 8192),
        all(ranges[1..].iter().map(|range| provide(*range))),
        truncate(3, 100_000),
        looks(),
        provide(ranges[2]),
        truncate(3, 100_000),
        provide((keep, 90_000, 40_000)),
        open(&path, "O_WRONLY|O_TRUNC"),
        looks(),
    ])
}

/// Room counts against RLIMIT_FSIZE where it makes a file longer, on a tmpfs always.
fn room_and_limits(directory: &str) -> Program {
    let limit = json!({"cur": 8192, "max": -1});
    all([
        make(&format!("{directory}/f")),
        call("prlimit64", json!({"target": 0, "resource": "RLIMIT_FSIZE", "new_limit": limit})),
        fallocate(3, "0", 0, 8192),
        fallocate(3, "0", 0, 8193),
        fallocate(3, "FALLOC_FL_KEEP_SIZE", 0, 8193),
        fstat(3),
    ])
}

fn long_links() -> Program {
    all([
        tmpfs("size=8k"),
        symlink(127, "/tmp/m/a"),
        symlink(128, "/tmp/m/b"),
        symlink(4095, "/tmp/m/c"),
        symlink(128, "/tmp/m/d"),
        symlink(4096, "/tmp/m/d"),
        write(3, "x"),
        unlink("/tmp/m/b"),
        write(3, "x"),
        symlink(127, "/tmp/m/e"),
        symlink(200, "/tmp/m/g"),
    ])
}

/// Attributes take of the room for inodes.
fn attributes_and_inodes() -> Program {
    let link = call("link", json!({"oldpath": "/tmp/m/f", "newpath": "/tmp/m/g"}));
    all([
        tmpfs("size=1m,nr_inodes=4"),
        set(3, "user.a", 2003, "0"),
        set(3, "user.a", 2002, "0"),
        unset(3, "user.a"),
        set(3, "user.a", 900, "0"),
        set(3, "user.a", 1200, "0"),
        set(3, "user.a", 1200, "XATTR_CREATE"),
        set(3, "user.b", 1200, "XATTR_REPLACE"),
        set(3, "user.a", 10, "XATTR_CREATE"),
        set(3, "user.b", 10, "XATTR_REPLACE"),
        mkdir("/tmp/m/d"),
        link.clone(),
        unset(3, "user.a"),
        link,
        set(3, "user.a", 1, "0"),
        again("nr_inodes=3"),
        again("nr_inodes=4"),
        again("nr_inodes=0"),
        set(3, "user.a", 65_536, "0"),
        set(3, "user.b", 65_536, "0"),
        set(3, "user.c", 65_536, "0"),
        again("nr_inodes=10"),
    ])
}

fn limits_again() -> Program {
    all([
        tmpfs("size=64k"),
        pwrite(3, 8193, 0),
        again("size=8k"),
        again("size=12k"),
        again("ro"),
        again("ro,size=4k"),
        again("ro,size=x"),
        again("ro,foo"),
        again("size=0"),
        again("size=1m"),
        call("statfs", json!({"path": "/tmp/m"})),
        close(3),
        mounted("size=1m", "MS_REMOUNT|MS_RDONLY"),
        mounted("", "MS_REMOUNT|MS_RDONLY"),
        make("/tmp/m/f"),
    ])
}

fn sent() -> Program {
    let splice = |to: i64| {
        call("splice", json!({"fd_in": 9, "fd_out": to, "len": 3, "flags": "SPLICE_F_NONBLOCK"}))
    };
    all([
        make("/tmp/f"),
        pwrite(3, 20_000, 0),
        open("/dev/full", "O_RDWR"),
        open("/dev/null", "O_RDWR"),
        open("/dev/zero", "O_RDWR"),
        sendfile(4, 3, Value::Null, 10),
        sendfile(4, 3, 5, 10),
        sendfile(4, 3, 5, 0),
        sendfile(4, 3, 20_000, 10),
        sendfile(5, 3, 5, 10),
        sendfile(6, 3, 5, 10),
        sendfile(5, 4, Value::Null, 10),
        sendfile(4, 6, Value::Null, 10),
        open("/dev/random", "O_RDWR"),
        sendfile(7, 3, 0, 10),
        seek(3, 0, "SEEK_CUR"),
        open("/tmp", "O_RDONLY"),
        sendfile(5, 8, Value::Null, 10),
        pipe(),
        write(10, "abcdef"),
        splice(4),
        splice(6),
        splice(7),
    ])
}

fn sent_to_the_full() -> Program {
    all([
        tmpfs("size=8k"),
        make("/tmp/f"),
        pwrite(4, 20_000, 0),
        sendfile(3, 4, Value::Null, 20_000),
        sendfile(3, 4, Value::Null, 20_000),
        sendfile(3, 4, 100, 100),
        seek(4, 0, "SEEK_CUR"),
        truncate(3, 0),
        seek(3, 100, "SEEK_SET"),
        sendfile(3, 4, 100, 20_000),
        fstat(3),
        seek(3, 0, "SEEK_CUR"),
    ])
}

/// Who may give what is open a name.
fn openers() -> Program {
    let link = |fd: i64, path: &str| {
        call(
            "linkat",
            json!({"olddirfd": fd, "oldpath": "", "newdirfd": "AT_FDCWD", "newpath": path,
                "flags": "AT_EMPTY_PATH"}),
        )
    };
    let ids = |r: i64, e: i64, s: i64| call("setresuid", json!({"ruid": r, "euid": e, "suid": s}));
    let opens = || open("h", "O_RDWR");
    all([
        mkdir("/tmp/w"),
        call("chdir", json!({"path": "/tmp/w"})),
        make("h"),
        chmod("h", "0666"),
        link(3, "a"),
        fork(),
        by(2, all([link(3, "b"), ids(0, 1000, 0), link(3, "c"), opens(), link(4, "d")])),
        by(2, all([ids(0, 0, 0), link(4, "e"), ids(0, 1000, 0), link(4, "f"), opens()])),
        by(2, all([ids(-1, 1000, -1), link(5, "g"), ids(1000, 1000, 1000), link(5, "i")])),
        by(2, all([opens(), link(6, "j"), call("setgid", json!({"gid": 0})), link(6, "k")])),
        by(2, all([open("h", "O_PATH"), link(7, "l"), fork()])),
        by(3, all([link(7, "m"), opens(), link(8, "n")])),
        // With a path it is asked too.
        by(2, open(".", "O_RDONLY")),
        all([(2, 8), (3, 8)].map(|(pid, fd)| {
            let fields = json!({"olddirfd": fd, "oldpath": "h", "newdirfd": "AT_FDCWD",
                "newpath": "o", "flags": "AT_EMPTY_PATH"});
            by(pid, call("linkat", fields))
        })),
    ])
}

fn removed_directories() -> Program {
    let seeks = |fd: i64| {
        let ends = [0, 1, -1, (1 << 44) - 4096, (1 << 44) - 4095];
        let whences = ["SEEK_SET", "SEEK_END", "SEEK_DATA", "SEEK_HOLE"];
        all(whences.iter().flat_map(|whence| ends.map(|at| seek(fd, at, whence))))
    };
    all([
        mkdir("/tmp/a"),
        mkdir("/tmp/b"),
        mkdir("/tmp/c"),
        open("/tmp/a", "O_RDONLY"),
        open("/tmp/b", "O_RDONLY"),
        call("rmdir", json!({"path": "/tmp/a"})),
        call("rename", json!({"oldpath": "/tmp/c", "newpath": "/tmp/b"})),
        seeks(3),
        seeks(4),
    ])
}

fn seeks_in_proc(path: &str) -> Program {
    let ends = [0, 3, -1, i64::from(i32::MAX), 1 << 31];
    let whences = ["SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE"];
    let seeks = all(whences.iter().flat_map(|whence| ends.map(|at| seek(3, at, whence))));
    all([open(path, "O_RDONLY"), seeks])
}

/// Only what fails or stays the task's own: /proc is the whole machine's.
fn changes_in_proc() -> Program {
    let truncate = |path: &str| call("truncate", json!({"path": path, "length": 5}));
    let paths = ["/proc/uptime", "/proc/self/stat", "/proc/mounts", "/proc/self/comm"];
    let fixed = ["/proc/self", "/proc/self/stat", "/proc/mounts"];
    all([
        all(paths.map(truncate)),
        nobody(2),
        by(2, all(paths.map(truncate))),
        by(2, chmod("/proc", "0511")),
        all(fixed.map(|path| chmod(path, "0500"))),
    ])
}

/// What is open, and where memory lies, is shown to who may inspect the task.
fn shown_to_others() -> Program {
    let names = ["fdinfo", "fdinfo/0", "fd", "maps", "status", "stat", "task", "environ"];
    let looks = |pid: i64| {
        let paths = names.map(|name| format!("/proc/{pid}/{name}"));
        all(paths.map(|path| {
            let is_dir = ["fdinfo", "fd", "task"].iter().any(|name| path.ends_with(name));
            let access = call("access", json!({"path": path, "mode": "R_OK"}));
            // How many links directories have, ours have fewer: not all is there.
            let look = if is_dir { all([]) } else { stat(&path) };
            all([look, access, open(&path, "O_RDONLY")])
        }))
    };
    let owners = ["/proc/1/status", "/proc/1", "/proc/1/fdinfo"].map(|path| {
        let chown = |name: &str| call(name, json!({"path": path, "uid": 7, "gid": 7}));
        all([chown("lchown"), chmod(path, "0700"), unlink(path)])
    });
    all([
        all(owners),
        stat("/proc/1/status"),
        nobody(2),
        by(2, looks(1)),
        by(2, looks(2)),
        looks(2),
    ])
}

fn direct() -> Program {
    let counts = [0, 1, 512, 1000, 1024];
    let offsets = [0, 1, 512, 9728, 10_000, 10_240];
    let holes = [pread(3, 100, 4096), pread(4, 100, 10_001), pread(4, 100, 40_001)];
    let reads = offsets.iter().flat_map(|at| counts.map(|count| pread(4, count, *at)));
    let writes = [0, 1, 10_240].iter().flat_map(|at| counts.map(|n| pwrite(4, n as usize, *at)));
    all([
        make("/tmp/f"),
        pwrite(3, 10_000, 0),
        open("/tmp/f", "O_RDWR|O_DIRECT"),
        all(reads),
        truncate(4, 50_000),
        all(holes),
        pread(4, 5000, 36_001),
        pwrite(4, 512, 36_864),
        pread(4, 5000, 36_001),
        all(writes),
        fstat(4),
        read(4, 512),
        read(4, 3),
        fcntl(4, "F_SETFL", "0"),
        read(4, 3),
        open("/dev/shm/f", "O_RDWR|O_CREAT|O_DIRECT"),
        write(5, "abc"),
        pread(5, 2, 1),
    ])
}

/// What is moved between files without a buffer of the program's.
fn direct_without_buffer() -> Program {
    let offsets = [0, 1, 256, 512, 3840, 4096];
    let sent = offsets.map(|at| {
        let counts = [1, 512, 1000, 4096, 8192];
        all(counts.map(|count| all([seek(4, 0, "SEEK_SET"), sendfile(4, 3, at, count)])))
    });
    let from = offsets.map(|at| all([512, 1000].map(|count| sendfile(3, 5, at, count))));
    let copy = |offset: i64, len: i64| {
        let fields =
            json!({"fd_in": 5, "off_in": offset, "fd_out": 4, "off_out": offset, "len": len});
        call("copy_file_range", fields)
    };
    let query = |fd: i64, other: i64| fcntl(fd, "F_DUPFD_QUERY", other);
    all([
        make("/tmp/f"),
        pwrite(3, 20_000, 0),
        call("open", json!({"path": "/tmp/g", "flags": "O_RDWR|O_CREAT|O_DIRECT", "mode": "0600"})),
        open("/tmp/f", "O_RDONLY|O_DIRECT"),
        all(sent),
        seek(3, 0, "SEEK_SET"),
        all(from),
        copy(0, 1),
        copy(1, 512),
        copy(512, 512),
        fstat(4),
        call("dup", json!({"oldfd": 3})),
        query(3, 6),
        query(3, 5),
        query(3, 99),
        query(99, 3),
    ])
}

fn cached() -> Program {
    let ask = |path: &str, flags: &str, resolve: &str| {
        let resolve = format!("RESOLVE_CACHED{resolve}");
        let fields = json!({"dirfd": "AT_FDCWD", "path": path, "flags": flags, "mode": 0,
            "resolve": resolve});
        call("openat2", fields)
    };
    let link =
        |target: &str, path: &str| call("symlink", json!({"target": target, "linkpath": path}));
    all([
        make("/tmp/f"),
        mkdir("/tmp/d"),
        link("f", "/tmp/l"),
        ask("/tmp/f", "O_RDONLY", ""),
        ask("/tmp/f", "O_RDWR|O_TRUNC", ""),
        ask("/tmp/f", "O_RDWR|O_CREAT", ""),
        ask("/tmp/d", "O_RDWR|O_TMPFILE", ""),
        ask("/tmp/l", "O_RDONLY", "|RESOLVE_NO_SYMLINKS"),
        ask("/tmp/l", "O_PATH|O_NOFOLLOW", ""),
        ask("/tmp/no", "O_RDONLY", ""),
        ask("/tmp/f/x", "O_RDONLY", ""),
        ask("/tmp/f", "O_DIRECTORY", ""),
        ask("/tmp/f", "O_RDONLY", "|RESOLVE_BENEATH"),
        ask("tmp/d/../f", "O_RDONLY", "|RESOLVE_BENEATH"),
        ask("/tmp/f", "O_RDONLY", "|RESOLVE_IN_ROOT"),
    ])
}

fn attributes_in_order(path: &str) -> Program {
    let steps: [(&str, usize); 14] = [
        ("user.b", 1),
        ("user.a", 2),
        ("trusted.z", 3),
        ("security.q", 4),
        ("user.a", 50),
        ("user.a", 1),
        ("user.ccc", 30),
        ("user.bb", 30),
        ("trusted.a", 30),
        ("user.c", 30),
        ("user.ccc", 1),
        ("security.q", 4),
        ("user.long", 3000),
        ("user.more", 900),
    ];
    let sets = steps.map(|(name, length)| all([set(3, name, length, "0"), list(3)]));
    let unsets = ["trusted.z", "user.b", "user.c"];
    let unsets = unsets.map(|name| all([unset(3, name), list(3), set(3, name, 2, "0"), list(3)]));
    all([make(path), all(sets), all(unsets)])
}

fn huge() -> Program {
    let size = |log: u32| 4 | log << 26;
    let sizes = [0, 12, 21, 30, 63]
        .map(|log| call("memfd_create", json!({"name": "a", "flags": size(log)})));
    let long = call("memfd_create", json!({"name": "n".repeat(250), "flags": size(12)}));
    let plain = call("memfd_create", json!({"name": "a", "flags": 21 << 26}));
    all([all(sizes), long, plain])
}

/// A file of huge pages on a machine that has none.
fn huge_and_empty(flags: &str) -> Program {
    let punch = "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE";
    let lengths = [2 << 20, 100, 4 << 20, 5 << 20, 0, 6 << 20];
    let seeks = ["SEEK_DATA", "SEEK_HOLE", "SEEK_END"].map(|whence| seek(3, 5000, whence));
    let ranges =
        [("0", 0, 2 << 20), (punch, 5, 100), (punch, 0, 2 << 20), ("FALLOC_FL_KEEP_SIZE", 0, 1)];
    let seals = ["F_SEAL_GROW", "F_SEAL_SHRINK", "F_SEAL_WRITE"];
    let seals = seals.map(|seal| {
        let resized = [2 << 20, 8 << 20, 100].map(|length| truncate(3, length));
        all([fcntl(3, "F_ADD_SEALS", seal), all(resized), fallocate(3, punch, 0, 2 << 20)])
    });
    let modes = ["0777", "0644"].map(|mode| call("fchmod", json!({"fd": 3, "mode": mode})));
    let statfs = call("fstatfs", json!({"fd": 3}));
    all([
        call("memfd_create", json!({"name": "a", "flags": flags})),
        statfs,
        pwrite(3, 1, 0),
        write(3, ""),
        all(lengths.map(|length| all([truncate(3, length), fstat(3)]))),
        pread(3, 3, 100),
        all(seeks),
        seek(3, 6 << 20, "SEEK_DATA"),
        all(ranges.map(|(mode, offset, len)| fallocate(3, mode, offset, len))),
        set(3, "user.a", 1, "0"),
        list(3),
        fcntl(3, "F_SETFL", "O_DIRECT"),
        open("/proc/self/fd/3", "O_RDWR|O_TRUNC"),
        truncate(3, 4 << 20),
        all(modes),
        all(seals),
        fstat(3),
    ])
}

/// Who is somebody else than before shows nothing of itself.
fn somebody_else() -> Program {
    let readlink = |path: &str| call("readlink", json!({"path": path, "bufsiz": 100}));
    let dumpable = || call("prctl", json!({"option": "PR_GET_DUMPABLE"}));
    let set = |is: u64| call("prctl", json!({"option": "PR_SET_DUMPABLE", "arg2": is}));
    let looks = |pid: i64| {
        let names = ["status", "fd", "cwd", "environ", "comm", "fdinfo", "task"];
        all(names.map(|name| stat(&format!("/proc/{pid}/{name}"))))
    };
    let opens = || {
        let names = ["status", "environ", "comm", "fd", "fdinfo"];
        all(names.map(|name| open(&format!("/proc/self/{name}"), "O_RDONLY")))
    };
    let owner = |program: Program| by(2, program);
    all([
        dumpable(),
        nobody(2),
        owner(all([dumpable(), opens(), readlink("/proc/self/cwd")])),
        // Only owners: how many subdirectories a process has is Linux's own.
        call("access", json!({"path": "/proc/2/environ", "mode": "R_OK"})),
        owner(fork()),
        by(3, all([readlink("/proc/2/cwd"), open("/proc/2/status", "O_RDONLY")])),
        owner(set(1)),
        owner(all([dumpable(), opens()])),
        by(3, all([readlink("/proc/2/cwd"), open("/proc/2/environ", "O_RDONLY")])),
        owner(all([set(0), set(2), dumpable(), opens()])),
        all(looks(2)
            .into_iter()
            .filter(|look| {
                let path = look["path"].as_str().unwrap_or_default();
                !path.ends_with("/task")
            })
            .map(|look| vec![look])),
    ])
}

/// An access mode of 3 asks for both rights and gives none.
fn neither_right() -> Program {
    let bind = |flags: &str, source: &str| {
        call(
            "mount",
            json!({"source": source, "target": "/tmp/r", "filesystemtype": "",
            "mountflags": flags, "data": ""}),
        )
    };
    let locks = ["LOCK_SH|LOCK_NB", "LOCK_EX|LOCK_NB", "LOCK_UN"];
    let flock = |fd: i64, how: &str| call("flock", json!({"fd": fd, "operation": how}));
    all([
        mkdir("/tmp/r"),
        make("/tmp/r/f"),
        open("/tmp/r/f", "3"),
        all(locks.map(|how| flock(4, how))),
        read(4, 1),
        write(4, "x"),
        fstat(4),
        open("/tmp/r/f", "O_PATH"),
        all([3, 4, 5].map(|fd| stat(&format!("/proc/self/fd/{fd}")))),
        bind("MS_BIND", "/tmp/r"),
        bind("MS_REMOUNT|MS_BIND|MS_RDONLY", "none"),
        all(["3", "3|O_TRUNC", "O_RDWR", "O_RDONLY"].map(|flags| open("/tmp/r/f", flags))),
        call("inotify_init1", json!({"flags": "0"})),
        call("setresuid", json!({"ruid": -1, "euid": 1000, "suid": -1})),
        open("/proc/self/fd/8", "O_RDONLY"),
        pipe(),
        open("/proc/self/fd/9", "O_RDONLY|O_NONBLOCK"),
        call("fchmod", json!({"fd": 9, "mode": "0000"})),
        open("/proc/self/fd/9", "O_RDONLY|O_NONBLOCK"),
    ])
}

/// All scenes.
pub(crate) fn scenes() -> Vec<Scene> {
    let mut scenes = vec![
        ("the set-group-ID bit is decided before the umask", set_ids()),
        ("fallocate keeps room", room()),
        ("room on a disk", room_behind("/tmp")),
        ("room on a tmpfs", room_behind("/dev/shm")),
        ("room and limits on a disk", room_and_limits("/tmp")),
        ("room and limits on a tmpfs", room_and_limits("/dev/shm")),
        ("long links take pages", long_links()),
        ("attributes take of the inodes", attributes_and_inodes()),
        ("limits are changed", limits_again()),
        ("sendfile to devices", sent()),
        ("sendfile to what is full", sent_to_the_full()),
        ("what is open is linked by its opener", openers()),
        ("removed directories have other ends", removed_directories()),
        ("changes in /proc", changes_in_proc()),
        ("what is shown to others", shown_to_others()),
        ("O_DIRECT moves blocks", direct()),
        ("O_DIRECT without a buffer", direct_without_buffer()),
        ("RESOLVE_CACHED", cached()),
        ("order of attributes on ext4", attributes_in_order("/tmp/f")),
        ("order of attributes on a tmpfs", attributes_in_order("/dev/shm/f")),
        ("sizes of huge pages", huge()),
        ("huge pages", huge_and_empty("MFD_HUGETLB|MFD_ALLOW_SEALING")),
        ("huge pages that do not run", huge_and_empty("MFD_HUGETLB|MFD_NOEXEC_SEAL")),
        ("who became somebody else is not dumpable", somebody_else()),
        ("an access mode of 3", neither_right()),
    ];
    let texts = [
        "/proc",
        "/proc/self/fd",
        "/proc/uptime",
        "/proc/self/stat",
        "/proc/self/mounts",
        "/proc/self/environ",
        "/proc/self/cmdline",
        "/proc/sys/kernel",
        "/proc/sys/kernel/hostname",
    ];
    scenes.extend(texts.map(|path| (path, seeks_in_proc(path))));
    scenes
}
