//! Overlays beside Linux: which files show one number, what is copied up, what mount(2) takes.

use super::words::*;
use crate::beside::{Program, ours};
use crate::host::Host;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn mkdir(path: &str) -> Program {
    call("mkdir", json!({"path": path, "mode": "0755"}))
}

fn lstat(path: &str) -> Program {
    call("lstat", json!({"path": path}))
}

fn chmod(path: &str) -> Program {
    call("chmod", json!({"path": path, "mode": "0700"}))
}

fn rename(oldpath: &str, newpath: &str) -> Program {
    call("rename", json!({"oldpath": oldpath, "newpath": newpath}))
}

fn mount(kind: &str, target: &str, data: &str) -> Program {
    let fields = json!({"source": "o", "target": target, "filesystemtype": kind,
        "mountflags": 0, "data": data});
    call("mount", fields)
}

/// A working directory with directories for layers, on a disk or on a tmpfs.
fn layers(on_tmpfs: bool) -> Program {
    let tmpfs = mount("tmpfs", "/tmp/o", "");
    all([
        mkdir("/tmp/o"),
        if on_tmpfs { tmpfs } else { Program::new() },
        call("chdir", json!({"path": "/tmp/o"})),
        all(["l", "k", "u", "w", "m"].map(mkdir)),
    ])
}

/// A file with something in it.
fn file(path: &str) -> Program {
    all([open(path, "O_CREAT|O_WRONLY"), write(3, "text"), close(3)])
}

fn list(path: &str) -> Program {
    let entries = call("getdents64", json!({"fd": 3, "count": 4000}));
    all([open(path, "O_RDONLY|O_DIRECTORY"), entries, close(3)])
}

/// Files with several names, files and directories in one layer, in two and in the upper one,
/// before and after they are copied up.
fn files_of_layers(on_tmpfs: bool) -> Program {
    let link = |old: &str, new: &str| call("link", json!({"oldpath": old, "newpath": new}));
    let looks = || {
        let paths = [
            "m", "u", "l", "m/d", "u/d", "l/d", "k/d", "m/e", "l/e", "m/ud", "u/ud", "m/f", "m/g",
            "l/f", "u/f", "m/s", "l/s", "u/s", "m/d/x", "l/d/x", "u/d/x", "m/d/y", "m/uf", "u/uf",
            "m/n", "u/n", "m/nd", "u/nd", "m/z", "u/z", "m/both", "u/both", "l/both",
        ];
        all([all(paths.map(lstat)), list("m"), list("m/d"), list("m/e")])
    };
    let mounted = || mount("overlay", "m", "lowerdir=l:k,upperdir=u,workdir=w");
    all([
        layers(on_tmpfs),
        all(["l/d", "k/d", "l/e", "u/ud", "l/both", "u/both", "l/gone"].map(mkdir)),
        all(["l/f", "l/s", "l/d/x", "k/d/y", "l/e/z", "u/uf"].map(file)),
        link("l/f", "l/g"),
        mounted(),
        looks(),
        all(["m/f", "m/s", "m/d/x", "m/e"].map(chmod)),
        file("m/n"),
        mkdir("m/nd"),
        looks(),
        rename("m/s", "m/d/s"),
        rename("m/nd", "m/d/nd"),
        link("m/d/x", "m/z"),
        call("rmdir", json!({"path": "m/gone"})),
        mkdir("m/gone"),
        all(["m/d/s", "u/d/s", "m/d/nd", "u/d/nd", "m/gone", "u/gone"].map(lstat)),
        looks(),
        call("umount2", json!({"target": "m", "flags": "0"})),
        mounted(),
        looks(),
    ])
}

/// What is opened to be empty takes no room for what it had in the lower layer.
fn emptied_when_opened() -> Program {
    let text = "w".repeat(20_000);
    let cut = call("truncate", json!({"path": "/tmp/m/f", "length": 0}));
    all([
        all(["/tmp/l", "/tmp/t", "/tmp/m"].map(mkdir)),
        all([open("/tmp/l/f", "O_CREAT|O_WRONLY"), write(3, &text), close(3)]),
        mount("tmpfs", "/tmp/t", "size=16k"),
        all(["/tmp/t/u", "/tmp/t/w"].map(mkdir)),
        mount("overlay", "/tmp/m", "lowerdir=/tmp/l,upperdir=/tmp/t/u,workdir=/tmp/t/w"),
        cut,
        open("/tmp/m/f", "O_WRONLY"),
        lstat("/tmp/m/f"),
        open("/tmp/m/f", "O_WRONLY|O_TRUNC"),
        write(3, &text),
        lstat("/tmp/m/f"),
        lstat("/tmp/t/u/f"),
    ])
}

/// Lists that are not there are not taken away, and nothing is copied up for it.
fn absent_lists() -> Program {
    let set = |name: &str, list: &str| {
        let name = format!("system.posix_acl_{name}");
        call("setxattr", json!({"path": "m/d", "name": name, "value_b64": list, "flags": 0}))
    };
    let unset = |name: &str| {
        let name = format!("system.posix_acl_{name}");
        call("removexattr", json!({"path": "m/d", "name": name}))
    };
    let names = ["default", "access"];
    let all_calls = || all(names.map(|name| all([unset(name), set(name, "AgAAAA==")])));
    all([
        layers(false),
        mkdir("l/d"),
        mount("overlay", "m", "lowerdir=l,upperdir=u,workdir=w"),
        all_calls(),
        lstat("u/d"),
        chmod("m/d"),
        all_calls(),
        lstat("u/d"),
    ])
}

/// Options that every file system has.
fn closed_by_an_option() -> Program {
    let mounted = |options: &str| {
        let data = format!("lowerdir=l,upperdir=u,workdir=w,{options}");
        let unmount = call("umount2", json!({"target": "m", "flags": "0"}));
        all([
            mount("overlay", "m", &data),
            open("m/f", "O_CREAT|O_WRONLY"),
            call("close", json!({"fd": 3})),
            call("statfs", json!({"path": "m"})),
            unmount,
        ])
    };
    let options = ["ro", "rw", "ro,rw", "rw,ro", "sync", "sync,async", "mand", "ro=1", "silent"];
    all([layers(false), all(options.map(mounted))])
}

/// All scenes that are answered line for line.
pub(crate) fn scenes() -> Vec<Scene> {
    vec![
        ("O_TRUNC copies no data up", emptied_when_opened()),
        ("absent lists of an overlay", absent_lists()),
        ("an overlay is closed by an option", closed_by_an_option()),
    ]
}

/// Of each answer the numbers of files, by who came first, with the counts of their links.
fn numbers(answers: &[Vec<Value>]) -> Vec<Vec<(usize, Value)>> {
    let mut known = BTreeMap::new();
    let mut number = |of: &Value| {
        let next = known.len();
        *known.entry(of["ino"].as_u64()).or_insert(next)
    };
    let of_line = |line: &Value| match (line.get("stat"), line["entries"].as_array()) {
        (Some(stat), _) => vec![(number(stat), stat["nlink"].clone())],
        (None, Some(entries)) => {
            let mut entries: Vec<&Value> = entries.iter().filter(|it| it["name"] != "..").collect();
            entries.sort_by_key(|entry| entry["name"].to_string());
            entries.into_iter().map(|entry| (number(entry), entry["name"].clone())).collect()
        }
        (None, None) => vec![(0, line.clone())],
    };
    answers.iter().flatten().map(of_line).collect()
}

/// Which files show the same number, and which keep theirs.
pub(crate) fn play_numbers() {
    let Some(mut host) = Host::start() else { return };
    for program in [false, true].map(files_of_layers) {
        host.ask(r#"{"op":"reset"}"#);
        let linux: Vec<Vec<Value>> =
            program.iter().map(|request| host.ask(&request.to_string())).collect();
        let all = numbers(&ours(&program)).into_iter().zip(numbers(&linux));
        for (request, (ours, linux)) in program.iter().zip(all) {
            assert_eq!(ours, linux, "{request}");
        }
    }
}
