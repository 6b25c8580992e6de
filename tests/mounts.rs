//! Mounts through `drive`: what snapshots keep of them, what /proc lists, what is given back, how
//! many there can be. What single calls answer stands in traces/lockstep-mounts-*.jsonl.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tickernel::drive::Drive;
use tickernel_systems::Kernel;
use tickernel_systems::fs::MOUNTS_MAX;

fn drive() -> Drive {
    Drive::new(Default::default())
}

/// The one line that a request is answered with.
fn ask(drive: &mut Drive, request: &Value) -> Value {
    let mut lines = drive.answer(request.to_string().as_bytes());
    assert_eq!(lines.len(), 1, "{request}: {lines:?}");
    Value::Object(lines.remove(0))
}

fn ok(drive: &mut Drive, request: &Value) -> Value {
    let answer = ask(drive, request);
    assert!(answer.get("ok").is_some(), "{request}: {answer}");
    answer
}

fn mkdir(drive: &mut Drive, path: &str) {
    ok(drive, &json!({"pid": 1, "call": "mkdir", "path": path, "mode": "0755"}));
}

fn mount(source: &str, target: &str, kind: &str, flags: &str, data: &str) -> Value {
    json!({"pid": 1, "call": "mount", "source": source, "target": target, "filesystemtype": kind,
        "mountflags": flags, "data": data})
}

fn umount(drive: &mut Drive, target: &str, flags: &str) -> Value {
    ask(drive, &json!({"pid": 1, "call": "umount2", "target": target, "flags": flags}))
}

fn text_of(drive: &mut Drive, path: &str) -> String {
    let open = json!({"pid": 1, "call": "open", "path": path, "flags": "O_RDONLY"});
    let fd = ok(drive, &open)["ok"].clone();
    let read = json!({"pid": 1, "call": "read", "fd": fd, "count": 65536});
    let answer = ok(drive, &read);
    ok(drive, &json!({"pid": 1, "call": "close", "fd": fd}));
    answer["data"].as_str().expect("text").to_owned()
}

fn kept_cases() -> Vec<PathBuf> {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let files = std::fs::read_dir(traces).expect("traces/ is there");
    let mut cases: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    cases.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        name.starts_with("lockstep-mounts-") && name.ends_with(".jsonl")
    });
    cases.sort();
    cases
}

#[test]
fn a_snapshot_at_any_step_goes_on_as_the_original() {
    let cases = kept_cases();
    assert!(cases.len() >= 8, "{cases:?}");
    for case in cases {
        let (mut plain, mut restored) = (drive(), drive());
        let text = std::fs::read_to_string(&case).expect("the case can be read");
        for line in text.lines().skip(1) {
            let mut request: Value = serde_json::from_str(line).expect("JSON");
            request.as_object_mut().expect("an object").remove("linux");
            let line = request.to_string();
            let answers = plain.answer(line.as_bytes());
            assert_eq!(answers, restored.answer(line.as_bytes()), "{}: {line}", case.display());
            plain.kernel_mut().audit().unwrap_or_else(|defect| panic!("{line}: {defect:?}"));
            let bytes = restored.kernel_mut().snapshot();
            let again = Kernel::restore(&bytes).unwrap_or_else(|error| panic!("{line}: {error}"));
            *restored.kernel_mut() = again;
            let digests = (plain.kernel_mut().digests(), restored.kernel_mut().digests());
            assert_eq!(digests.0, digests.1, "{}: {line}", case.display());
        }
    }
}

/// As `unshare -m` shows on Linux 6.18, with numbers of mounts and devices of our own:
/// `mount -t tmpfs -o size=5000,nr_inodes=10,mode=0700,uid=5,gid=6 'x y#\' /tmp/a`,
/// `mount -o noatime,nosuid,dirsync …`, `touch /tmp/a/f /tmp/g; mount --bind /tmp/a/f /tmp/g`,
/// `mount -o remount,bind,ro /tmp/g`, `chroot /tmp/a`.
#[test]
fn proc_lists_mounts_as_they_are() {
    let drive = &mut drive();
    mkdir(drive, "/tmp/a");
    let data = "size=5000,nr_inodes=10,mode=0700,uid=5,gid=6";
    ok(drive, &mount("x y#\\", "/tmp/a", "tmpfs", "MS_NOATIME|MS_NOSUID|MS_DIRSYNC", data));
    for path in ["/tmp/a/f", "/tmp/g"] {
        ok(
            drive,
            &json!({"pid": 1, "call": "mknod", "path": path, "mode": "S_IFREG|0644",
            "major": 0, "minor": 0}),
        );
    }
    ok(drive, &mount("/tmp/a/f", "/tmp/g", "", "MS_BIND", ""));
    ok(drive, &mount("", "/tmp/g", "", "MS_BIND|MS_REMOUNT|MS_RDONLY", ""));
    let mounts = text_of(drive, "/proc/mounts");
    let (_, made) = mounts.split_at(mounts.find("x\\040").expect("the new mounts come last"));
    let options = "dirsync,nosuid,noatime,size=8k,nr_inodes=10,mode=700,uid=5,gid=6";
    let bound = "dirsync,noatime,size=8k,nr_inodes=10,mode=700,uid=5,gid=6";
    assert_eq!(
        made,
        format!(
            "x\\040y\\043\\134 /tmp/a tmpfs rw,{options} 0 0\n\
             x\\040y\\043\\134 /tmp/g tmpfs ro,{bound} 0 0\n"
        )
    );
    let info = text_of(drive, "/proc/self/mountinfo");
    let lines: Vec<Vec<&str>> = info.lines().map(|line| line.split(' ').collect()).collect();
    let [.., first, second] = lines.as_slice() else { panic!("{info}") };
    let tail = "dirsync,size=8k,nr_inodes=10,mode=700,uid=5,gid=6";
    let tail = ["-", "tmpfs", "x\\040y\\043\\134", &format!("rw,{tail}")];
    assert_eq!(first[3..6], ["/", "/tmp/a", "rw,nosuid,noatime"]);
    assert_eq!(second[3..6], ["/f", "/tmp/g", "ro,noatime"]);
    assert_eq!((&first[6..], &second[6..]), (&tail[..], &tail[..]));
    assert_eq!(first[2], second[2], "a bind mount is on the same device");
    assert_eq!(first[1], second[1], "both lie on the root");
    assert_eq!(lines[0][0], first[1], "which is the first");

    // From another root only what lies below it is seen.
    mkdir(drive, "/tmp/a/proc");
    ok(drive, &mount("p", "/tmp/a/proc", "proc", "", ""));
    ok(drive, &json!({"pid": 1, "call": "chroot", "path": "/tmp/a"}));
    let mounts = text_of(drive, "/proc/self/mounts");
    let expected =
        format!("x\\040y\\043\\134 / tmpfs rw,{options} 0 0\np /proc proc rw,relatime 0 0\n");
    assert_eq!(mounts, expected);
}

#[test]
fn a_file_system_that_is_gone_takes_nothing() {
    let drive = &mut drive();
    mkdir(drive, "/tmp/a");
    let mut after = Vec::new();
    for _ in 0..3 {
        ok(drive, &mount("src", "/tmp/a", "tmpfs", "", ""));
        mkdir(drive, "/tmp/a/d");
        let open = json!({"pid": 1, "call": "open", "path": "/tmp/a/d/f",
            "flags": "O_CREAT|O_RDWR", "mode": "0600"});
        let fd = ok(drive, &open)["ok"].clone();
        ok(drive, &json!({"pid": 1, "call": "write", "fd": fd, "data": "x".repeat(10_000)}));
        ok(
            drive,
            &json!({"pid": 1, "call": "link", "oldpath": "/tmp/a/d/f",
            "newpath": "/tmp/a/g"}),
        );
        assert_eq!(umount(drive, "/tmp/a", "MNT_DETACH"), json!({"ok": 0}));
        ok(drive, &json!({"pid": 1, "call": "close", "fd": fd}));
        drive.kernel_mut().audit().expect("sound");
        let statfs = ok(drive, &json!({"pid": 1, "call": "statfs", "path": "/"}));
        let digests = drive.kernel_mut().digests();
        let files = digests.iter().find(|(name, _)| *name == "files").expect("of the files").1;
        after.push((statfs, files));
    }
    assert_eq!(after[0], after[1]);
    assert_eq!(after[1], after[2]);
}

#[test]
fn programs_on_a_nosuid_mount_gain_no_ids() {
    for (flags, euid, umounts) in [("", 5, "EPERM"), ("MS_NOSUID", 0, "EBUSY")] {
        let drive = &mut drive();
        mkdir(drive, "/tmp/a");
        ok(drive, &mount("src", "/tmp/a", "tmpfs", flags, "mode=0755"));
        let open = json!({"pid": 1, "call": "open", "path": "/tmp/a/p",
            "flags": "O_CREAT|O_RDWR", "mode": "0755"});
        let fd = ok(drive, &open)["ok"].clone();
        ok(drive, &json!({"pid": 1, "call": "write", "fd": fd, "data": "\u{7f}ELF"}));
        ok(drive, &json!({"pid": 1, "call": "close", "fd": fd}));
        ok(drive, &json!({"pid": 1, "call": "chown", "path": "/tmp/a/p", "uid": 5, "gid": 5}));
        ok(drive, &json!({"pid": 1, "call": "chmod", "path": "/tmp/a/p", "mode": "04755"}));
        ok(
            drive,
            &json!({"pid": 1, "call": "execve", "path": "/tmp/a/p", "argv": ["p"],
            "envp": []}),
        );
        let found = ok(drive, &json!({"pid": 1, "call": "geteuid"}));
        assert_eq!(found["ok"], json!(euid), "{flags}");
        // What runs from a mount keeps it.
        assert_eq!(umount(drive, "/tmp/a", "0")["err"], json!(umounts));
    }
}

#[test]
fn there_are_only_so_many_mounts() {
    let drive = &mut drive();
    mkdir(drive, "/tmp/a");
    ok(drive, &mount("src", "/tmp/a", "tmpfs", "", ""));
    mkdir(drive, "/tmp/a/in");
    let before = text_of(drive, "/proc/mounts").lines().count() as u64;
    assert!(before < 10);
    // Each binds all that the one before it made.
    let again = mount("/tmp/a", "/tmp/a/in", "", "MS_BIND|MS_REC", "");
    let refused = (0..20).map(|_| ask(drive, &again)).find(|answer| answer.get("ok").is_none());
    assert_eq!(refused.expect("a limit")["err"], json!("ENOSPC"));
    drive.kernel_mut().audit().expect("sound");
    let bytes = drive.kernel_mut().snapshot();
    Kernel::restore(&bytes).expect("a tree of mounts that is full");
    // One by one the rest fits.
    let refused = (0..MOUNTS_MAX).find_map(|number| {
        let at = format!("/tmp/{number}");
        mkdir(drive, &at);
        let answer = ask(drive, &mount("/tmp", &at, "", "MS_BIND", ""));
        answer.get("ok").is_none().then_some(answer)
    });
    assert_eq!(refused.expect("a limit"), json!({"err": "ENOSPC"}));
    assert_eq!(umount(drive, "/tmp/a", "MNT_DETACH"), json!({"ok": 0}));
    drive.kernel_mut().audit().expect("sound");
}

/// As the host twin answers: `umount -l /` leaves the caller on a root from which nothing leads
/// anywhere, and on which nothing can be mounted.
#[test]
fn a_root_that_is_taken_away_stays_for_those_on_it() {
    let drive = &mut drive();
    mkdir(drive, "/tmp/a");
    ok(drive, &mount("src", "/tmp/a", "tmpfs", "", ""));
    mkdir(drive, "/tmp/a/in");
    ok(drive, &json!({"pid": 1, "call": "chdir", "path": "/tmp/a"}));
    assert_eq!(umount(drive, "/", "MNT_DETACH"), json!({"ok": 0}));
    let access = |path| json!({"pid": 1, "call": "access", "path": path, "mode": "F_OK"});
    assert_eq!(ask(drive, &access("/tmp/a/in")), json!({"err": "ENOENT"}));
    assert_eq!(ask(drive, &access("in")), json!({"ok": 0}));
    assert_eq!(ask(drive, &access("/proc/self")), json!({"err": "ENOENT"}));
    assert_eq!(ask(drive, &mount("src", "/tmp", "tmpfs", "", "")), json!({"err": "ENOENT"}));
    assert_eq!(umount(drive, "/", "0"), json!({"err": "EINVAL"}));
    ok(drive, &json!({"pid": 1, "call": "chdir", "path": "/"}));
    drive.kernel_mut().audit().expect("sound");
    let bytes = drive.kernel_mut().snapshot();
    Kernel::restore(&bytes).expect("its own snapshot");
    ok(drive, &json!({"pid": 1, "call": "exit_group", "status": 0}));
    drive.kernel_mut().audit().expect("sound");
}

#[test]
fn devices_are_those_of_file_systems() {
    let drive = &mut drive();
    for path in ["/tmp/a", "/tmp/b", "/tmp/c"] {
        mkdir(drive, path);
    }
    ok(drive, &mount("src", "/tmp/a", "tmpfs", "", ""));
    ok(drive, &mount("src", "/tmp/b", "tmpfs", "", ""));
    ok(drive, &mount("/tmp/a", "/tmp/c", "", "MS_BIND", ""));
    let mut device = |path| {
        let answer = ok(drive, &json!({"pid": 1, "call": "stat", "path": path}));
        answer["stat"]["dev"].as_u64().expect("a number")
    };
    let [root, a, b, c] = ["/tmp", "/tmp/a", "/tmp/b", "/tmp/c"].map(&mut device);
    assert_eq!(a, c);
    assert!(a != b && a != root && b != root, "{a} {b} {root}");
}

/// tmpfs(5), `usrquota_block_hardlimit` and its like; the Linux that other tests compare with has
/// no CONFIG_TMPFS_QUOTA, so this is by the manual alone.
#[test]
fn a_user_gets_so_much_of_a_tmpfs_and_no_more() {
    let mut drive = drive();
    let by = |pid: u32, call: &str, mut fields: Value| {
        fields["pid"] = pid.into();
        fields["call"] = call.into();
        fields
    };
    let full = json!({"err": "EDQUOT"});
    mkdir(&mut drive, "/q");
    let options = "quota,usrquota_block_hardlimit=8k,usrquota_inode_hardlimit=3,\
                   grpquota_block_hardlimit=16k,mode=777";
    ok(&mut drive, &mount("q", "/q", "tmpfs", "", options));
    for (pid, uid) in [(2, 1000), (3, 1001)] {
        ok(&mut drive, &by(1, "fork", json!({})));
        let ids = json!({"rgid": 100, "egid": 100, "sgid": 100});
        ok(&mut drive, &by(pid, "setresgid", ids));
        ok(&mut drive, &by(pid, "setresuid", json!({"ruid": uid, "euid": uid, "suid": uid})));
    }
    let open = |path: &str| json!({"path": path, "flags": "O_RDWR|O_CREAT", "mode": "0644"});
    let write = |offset: u64, data: &str| json!({"fd": 3, "data": data, "offset": offset});
    ok(&mut drive, &by(2, "open", open("/q/a")));
    for (offset, data, answer) in [
        (0, "x", json!({"ok": 1})),
        (9000, "x", json!({"ok": 1})),
        (20_000, "x", full.clone()),
        // As much as lies in pages that there are.
        (12_286, "xxxx", json!({"ok": 2})),
    ] {
        assert_eq!(ask(&mut drive, &by(2, "pwrite64", write(offset, data))), answer);
    }
    // Another has as much, until their group has taken all that it may.
    ok(&mut drive, &by(3, "open", open("/q/b")));
    for (offset, answer) in [(0, json!({"ok": 1})), (4096, json!({"ok": 1})), (8192, full.clone())]
    {
        assert_eq!(ask(&mut drive, &by(3, "pwrite64", write(offset, "x"))), answer);
    }
    // What is cut off can be used again.
    ok(&mut drive, &by(2, "ftruncate", json!({"fd": 3, "length": 4096})));
    let bytes = drive.kernel_mut().snapshot();
    *drive.kernel_mut() = Kernel::restore(&bytes).expect("its own snapshot");
    assert_eq!(ask(&mut drive, &by(2, "pwrite64", write(20_000, "x"))), json!({"ok": 1}));
    assert_eq!(ask(&mut drive, &by(2, "pwrite64", write(30_000, "x"))), full);
    // Three inodes, links not counted; who has the right to more resources does not care.
    ok(&mut drive, &by(2, "link", json!({"oldpath": "/q/a", "newpath": "/q/c"})));
    ok(&mut drive, &by(2, "mkdir", json!({"path": "/q/d", "mode": "0755"})));
    ok(&mut drive, &by(2, "mkdir", json!({"path": "/q/e", "mode": "0755"})));
    let more = by(2, "mkdir", json!({"path": "/q/f", "mode": "0755"}));
    assert_eq!(ask(&mut drive, &more), full);
    assert_eq!(ask(&mut drive, &by(2, "rmdir", json!({"path": "/q/f"}))), json!({"err": "ENOENT"}));
    ok(&mut drive, &by(1, "mkdir", json!({"path": "/q/f", "mode": "0755"})));
    ok(&mut drive, &by(1, "chown", json!({"path": "/q/f", "uid": 1000, "gid": 100})));
    ok(&mut drive, &by(2, "rmdir", json!({"path": "/q/e"})));
    assert_eq!(ask(&mut drive, &by(2, "mkdir", json!({"path": "/q/e", "mode": "0755"}))), full);
    drive.kernel_mut().audit().expect("all is counted");
    for wrong in ["usrquota=1", "usrquota_block_hardlimit", "grpquota_inode_hardlimit=0", "quotas"]
    {
        assert_eq!(
            ask(&mut drive, &mount("q", "/q", "tmpfs", "", wrong)),
            json!({"err": "EINVAL"})
        );
    }
    assert_eq!(
        ask(&mut drive, &mount("q", "/q", "tmpfs", "MS_REMOUNT", "usrquota")),
        json!({"err": "EINVAL"})
    );
    ok(&mut drive, &mount("q", "/q", "tmpfs", "MS_REMOUNT", "size=1m"));
}
