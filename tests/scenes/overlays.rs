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

fn umount() -> Program {
    call("umount2", json!({"target": "m", "flags": "0"}))
}

/// What mounts(5) shows of the last mount, from a descriptor that is the first one free.
fn shown() -> Program {
    let read = call("pread64", json!({"fd": 3, "count": 4000, "offset": 0}));
    all([open("/proc/self/mounts", "O_RDONLY"), read, close(3)])
}

/// Options beside those that name layers.
const BESIDE: [&str; 40] = [
    "redirect_dir=on",
    "redirect_dir=off",
    "redirect_dir=follow",
    "redirect_dir=nofollow",
    "redirect_dir",
    "redirect_dir=x",
    "metacopy=on",
    "metacopy=off",
    "metacopy=on,redirect_dir=off",
    "index=off",
    "nfs_export=on,index=off",
    "nfs_export=on,metacopy=on",
    "nfs_export=off",
    "userxattr",
    "userxattr,redirect_dir=on",
    "userxattr,metacopy=on",
    "userxattr=on",
    "xino=on",
    "xino=auto",
    "xino=off",
    "volatile",
    "fsync=volatile",
    "fsync=strict",
    "fsync=auto",
    "uuid=on",
    "uuid=off",
    "uuid=null",
    "uuid=auto",
    "verity=on",
    "verity=off",
    "default_permissions",
    "override_creds",
    "sync",
    "lazytime,dirsync",
    "foo",
    "foo=bar",
    "",
    "upperdir=k",
    "lowerdir=k",
    "noatime",
];

/// Whole texts of options.
const WHOLE: [&str; 19] = [
    "lowerdir=l,upperdir=u",
    "lowerdir=l,workdir=w",
    "lowerdir=l:k,workdir=w",
    "lowerdir=l:k",
    "lowerdir=l:k,volatile",
    "lowerdir=l:k,index=on",
    "lowerdir=l:k,nfs_export=on",
    "lowerdir=l:k,metacopy=on",
    "lowerdir=l",
    "lowerdir+=l,lowerdir+=k",
    "lowerdir=l::k",
    "lowerdir=l:l/d",
    "lowerdir=l/d:l",
    "lowerdir=l:l",
    "lowerdir=l,upperdir=l/d,workdir=w",
    "lowerdir=l,upperdir=u,workdir=l/d",
    "lowerdir=l,upperdir=u,workdir=u",
    "lowerdir=l,upperdir=l,workdir=w",
    "lowerdir=l,upperdir=u,workdir=w,upperdir=",
];

/// Options that name lower layers, beside an upper one.
const LOWERS: [&str; 18] = [
    "lowerdir+=l",
    "lowerdir+=l,lowerdir+=k",
    "lowerdir+=l,datadir+=k",
    "lowerdir+=l,datadir+=k,metacopy=on",
    "lowerdir+=l,datadir+=k,lowerdir+=l",
    "datadir+=k,lowerdir+=l",
    "lowerdir=l,lowerdir+=k",
    "lowerdir+=k,lowerdir=l",
    "lowerdir=l::k",
    "lowerdir=l::k,metacopy=on",
    "lowerdir=::k",
    "lowerdir=l::",
    "lowerdir=l:::k",
    "lowerdir=l:",
    "lowerdir=:l",
    "lowerdir=",
    "lowerdir",
    "lowerdir+=",
];

/// Each set of options on fresh layers.
fn options() -> Vec<Program> {
    const UPPER: &str = "upperdir=u,workdir=w";
    let beside = BESIDE.map(|option| format!("lowerdir=l,{UPPER},{option}"));
    let of_lowers = LOWERS.map(|lowers| format!("{lowers},{UPPER}"));
    let all_data = beside.into_iter().chain(of_lowers).chain(WHOLE.map(String::from));
    let one = |data: String| {
        all([
            layers(true),
            all(["l/d", "k/d", "k/e"].map(mkdir)),
            file("l/f"),
            mount("overlay", "m", &data),
            shown(),
            // Linux lists layers that lie in this one, and then they are not to be looked at.
            if data.contains("l/d") { Program::new() } else { list("m") },
            lstat("m/e"),
            mkdir("m/new"),
            private("u/new", "trusted"),
            umount(),
            mount("overlay", "m", &data),
            shown(),
            lstat("w/work/incompat/volatile/dirty"),
        ])
    };
    all_data.map(one).collect()
}

/// What layers say to each other, by one of these names.
fn private(path: &str, prefix: &str) -> Program {
    let value = |name: &str| {
        let name = format!("{prefix}.overlay.{name}");
        call("lgetxattr", json!({"path": path, "name": name, "size": 300}))
    };
    let count = |size: i64| call("llistxattr", json!({"path": path, "size": size}));
    all([count(0), count(1000), all(["opaque", "impure", "redirect"].map(value))])
}

/// Directories of lower layers are renamed, and what is in them is changed.
fn redirects() -> Program {
    let see = || {
        let places = ["", "/d", "/e", "/p", "/p/e", "/p/e/in", "/p/e/in/z", "/x", "/c"];
        let both = places.map(|place| {
            let (merged, upper) = (format!("m{place}"), format!("u{place}"));
            // Linux takes the mark of an impure directory away when it is listed and is not.
            let listed = if place == "/p" { Program::new() } else { list(&merged) };
            all([lstat(&merged), listed, lstat(&upper), private(&upper, "trusted")])
        });
        all(both)
    };
    let exchange = |oldpath: &str, newpath: &str| {
        let fields = json!({"oldpath": oldpath, "newpath": newpath, "flags": "RENAME_EXCHANGE"});
        call("renameat2", fields)
    };
    let data = "lowerdir=l:k,upperdir=u,workdir=w,redirect_dir=on";
    let long = format!("m/{}", "n".repeat(200));
    all([
        layers(true),
        all(["l/d", "k/d", "k/d/in", "l/x", "k/c", "l/e2"].map(mkdir)),
        all(["l/d/a", "k/d/b", "k/d/in/z", "l/x/y"].map(file)),
        mount("overlay", "m", data),
        rename("m/d", "m/e"),
        see(),
        mkdir("m/p"),
        rename("m/e", "m/p/e"),
        see(),
        all(["m/p/e/a", "m/p/e/in/z"].map(chmod)),
        call("unlink", json!({"path": "m/p/e/b"})),
        rename("m/x", "m/c"),
        see(),
        umount(),
        mount("overlay", "m", data),
        see(),
        exchange("m/c", "m/p/e"),
        see(),
        rename("m/p/e", "m/d"),
        mkdir("m/d/new"),
        rename("m/d/new", "m/d/newer"),
        see(),
        mkdir(&long),
        rename("m/e2", &format!("{long}/e2")),
        mkdir(&format!("{long}/{}", "k".repeat(100))),
        rename(&format!("{long}/e2"), &format!("{long}/{}/e2", "k".repeat(100))),
        umount(),
        mount("overlay", "m", "lowerdir=l:k,upperdir=u,workdir=w"),
        see(),
        rename("m/e2", "m/e3"),
    ])
}

/// Attributes of users in the place of trusted ones.
fn attributes_of_users() -> Program {
    let set = |name: &str| {
        let fields = json!({"path": "m/d/x", "name": name, "value": "1", "flags": 0});
        call("setxattr", fields)
    };
    let look = |path: &str| all([private(path, "user"), private(path, "trusted")]);
    all([
        layers(true),
        all(["l/d", "k/d", "l/c"].map(mkdir)),
        all(["l/d/x", "l/f"].map(file)),
        call("symlink", json!({"target": "f", "linkpath": "l/s"})),
        mount("overlay", "m", "lowerdir=l:k,upperdir=u,workdir=w,userxattr"),
        look("u"),
        chmod("m/d/x"),
        call("lchown", json!({"path": "m/s", "uid": 1, "gid": 1})),
        all(["u", "u/d", "u/d/x", "u/s"].map(look)),
        call("rmdir", json!({"path": "m/c"})),
        mkdir("m/c"),
        look("u/c"),
        all(["user.overlay.foo", "trusted.overlay.foo", "user.foo"].map(set)),
        all(["m/d/x", "u/d/x"].map(look)),
        rename("m/d", "m/dd"),
    ])
}

/// Overlays on overlays, two and no more; none takes the changes of another.
fn stacked() -> Program {
    let see = |top: &'static str| {
        // Whiteouts are not looked at: Linux links them all to one.
        let paths = ["", "/d", "/d/x", "/f", "/on"];
        all(paths.map(|path| lstat(&format!("{top}{path}"))))
    };
    let listed = || all(["m", "m/d", "m2", "m2/d"].map(list));
    all([
        layers(true),
        all(["m2", "u2", "w2", "m3", "u3", "w3", "l/d", "k/d"].map(mkdir)),
        all(["l/d/x", "k/d/y", "l/f"].map(file)),
        mount("overlay", "m", "lowerdir=l:k,upperdir=u,workdir=w"),
        file("m/on"),
        call("unlink", json!({"path": "m/f"})),
        mount("overlay", "m2", "lowerdir=m,upperdir=u2,workdir=w2"),
        mount("overlay", "m3", "lowerdir=m2,upperdir=u3,workdir=w3"),
        mount("overlay", "m3", "lowerdir=k,upperdir=m/d,workdir=m/d"),
        mount("overlay", "m3", "lowerdir=k,upperdir=u3,workdir=m/d"),
        all(["m", "m2", "u2"].map(see)),
        listed(),
        all(["m2/d/x", "m2/on"].map(chmod)),
        call("unlink", json!({"path": "m2/d/y"})),
        mkdir("m2/f"),
        all(["m", "m2", "u2"].map(see)),
        all(["u2", "u2/d", "u2/d/x", "u2/f"].map(|path| private(path, "trusted"))),
        listed(),
        umount(),
        see("m2"),
        call("umount2", json!({"target": "m2", "flags": "0"})),
    ])
}

/// What was copied up, and what that makes of the directories that it comes to.
fn impure() -> Program {
    let look = || {
        let paths = [
            "m", "u", "u/d", "u/d/x", "u/f", "u/s", "u/n", "u/n/s", "u/n2", "u/n2/g", "u/c",
            "u/both",
        ];
        all(paths.map(|path| private(path, "trusted")))
    };
    let again = |data: &str| all([umount(), mount("overlay", "m", data), look()]);
    let data = "lowerdir=l:k,upperdir=u,workdir=w";
    all([
        layers(true),
        all(["l/d", "k/d", "l/c", "l/both", "u/both"].map(mkdir)),
        all(["l/d/x", "l/f", "l/s"].map(file)),
        link("l/f", "l/f2"),
        mount("overlay", "m", data),
        lstat("m/both"),
        look(),
        chmod("m/d/x"),
        look(),
        chmod("m/f"),
        all(["m/n", "m/n2"].map(mkdir)),
        look(),
        rename("m/s", "m/n/s"),
        link("m/d/x", "m/n2/g"),
        look(),
        chmod("m/c"),
        call("rmdir", json!({"path": "m/c"})),
        mkdir("m/c"),
        look(),
        again(data),
        umount(),
        call("lremovexattr", json!({"path": "u", "name": "trusted.overlay.uuid"})),
        again(data),
        again(&format!("{data},uuid=on")),
        again(&format!("{data},uuid=off")),
    ])
}

/// All scenes that are answered line for line.
pub(crate) fn scenes() -> Vec<Scene> {
    vec![
        ("directories of lower layers are renamed", redirects()),
        ("attributes of users", attributes_of_users()),
        ("overlays on overlays", stacked()),
        ("what was copied up says so", impure()),
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

/// The same call with a path.
fn on(name: &str, path: &str, mut fields: Value) -> Program {
    fields["path"] = path.into();
    call(name, fields)
}

fn link(old: &str, new: &str) -> Program {
    call("link", json!({"oldpath": old, "newpath": new}))
}

fn remove(name: &str, path: &str) -> Program {
    on(name, path, json!({}))
}

/// What is made in an overlay, changed and taken away.
fn changes_of_the_upper() -> Program {
    all([
        open("m/nf", "O_CREAT|O_RDWR"),
        write(4, "x"),
        call("pread64", json!({"fd": 4, "count": 9, "offset": 0})),
        close(4),
        chmod("m/nf"),
        on("truncate", "m/nf", json!({"length": 1})),
        on("setxattr", "m/nf", json!({"name": "user.a", "value": "b", "flags": 0})),
        mkdir("m/nd"),
        on("mknod", "m/fifo", json!({"mode": "S_IFIFO|0644"})),
        call("symlink", json!({"target": "x", "linkpath": "m/sl"})),
        link("m/nf", "m/nf2"),
        rename("m/nf2", "m/nf3"),
        rename("m/nf3", "m/nd/nf3"),
        remove("unlink", "m/nf"),
        remove("unlink", "m/nd/nf3"),
        remove("rmdir", "m/nd"),
    ])
}

/// Changes of what lies in a lower layer.
fn changes_of_lowers() -> Program {
    let exchange = json!({"oldpath": "m/j", "newpath": "m/k", "flags": "RENAME_EXCHANGE"});
    all([
        open("m/f", "O_RDONLY"),
        close(4),
        chmod("m/f"),
        open("m/g", "O_WRONLY"),
        write(4, "x"),
        close(4),
        call("lchown", json!({"path": "m/lsl", "uid": 1, "gid": 1})),
        chmod("m/d"),
        remove("unlink", "m/h"),
        open("m/h", "O_CREAT|O_WRONLY"),
        close(4),
        remove("unlink", "m/h"),
        mkdir("m/h"),
        rename("m/i", "m/j"),
        rename("m/sl", "m/k"),
        call("renameat2", exchange),
        link("m/x", "m/i"),
        remove("rmdir", "m/e"),
        open("m/d/n", "O_CREAT|O_WRONLY"),
        close(4),
        chmod("m/d/x"),
    ])
}

/// What those hear who watch the upper layer, of each call through the overlay.
fn heard() -> Program {
    let heard = |program: Program| {
        let read = call("read", json!({"fd": 3, "count": 4000}));
        all(program.into_iter().map(|request| all([vec![request], read.clone()])))
    };
    let watch = |path: &str| {
        let fields = json!({"fd": 3, "pathname": path, "mask": "IN_ALL_EVENTS"});
        call("inotify_add_watch", fields)
    };
    all([
        layers(true),
        all(["l/d", "l/e"].map(mkdir)),
        all(["l/f", "l/g", "l/h", "l/i", "l/k", "l/x", "l/d/x"].map(file)),
        call("symlink", json!({"target": "f", "linkpath": "l/lsl"})),
        mount("overlay", "m", "lowerdir=l,upperdir=u,workdir=w"),
        call("inotify_init1", json!({"flags": "IN_NONBLOCK"})),
        watch("u"),
        heard(changes_of_the_upper()),
        heard(changes_of_lowers()),
        watch("m"),
        heard(all([
            open("m/new", "O_CREAT|O_RDWR"),
            write(4, "x"),
            call("pread64", json!({"fd": 4, "count": 9, "offset": 0})),
            close(4),
            chmod("m/x"),
            rename("m/new", "m/newer"),
            remove("unlink", "m/newer"),
        ])),
    ])
}

/// An answer with the events in it: which cookie a rename gets is the machine's own.
fn with_events(lines: &[Value]) -> Vec<Value> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let of_line = |line: &Value| {
        let bytes = match (line["data"].as_str(), line["data_b64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(text)) => BASE64_STANDARD.decode(text).unwrap_or_default(),
            (None, None) => return json!([line["ok"], line["err"]]),
        };
        let (mut rest, mut events) = (&bytes[..], Vec::new());
        while let Some((head, tail)) = rest.split_at_checked(16) {
            let word = |at: usize| {
                u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
            };
            let (name, next) = tail.split_at_checked(word(12) as usize).unwrap_or((tail, &[]));
            let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
            events.push(json!([word(0), format!("{:#x}", word(4)), word(8) > 0, name]));
            rest = next;
        }
        json!([line["ok"], events])
    };
    lines.iter().map(of_line).collect()
}

/// Those who watch the upper layer hear of what is done through the overlay.
pub(crate) fn play_watches() {
    let Some(mut host) = Host::start() else { return };
    let program = heard();
    host.ask(r#"{"op":"reset"}"#);
    let mut differences = Vec::new();
    let mut last = Value::Null;
    for (request, ours) in program.iter().zip(ours(&program)) {
        let linux = with_events(&host.ask(&request.to_string()));
        if with_events(&ours) != linux {
            let ours = with_events(&ours);
            differences.push(format!("{last}\n{request}\n  {ours:?}\n  {linux:?}"));
        }
        last = request.clone();
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What options come to: errors, the last line of mounts(5), what is listed.
fn told(lines: &[Value]) -> Vec<Value> {
    let told = |line: &Value| {
        if let Some(text) = line["data"].as_str() {
            return text.lines().last().into();
        }
        if let Some(entries) = line["entries"].as_array() {
            let mut names: Vec<&str> =
                entries.iter().filter_map(|entry| entry["name"].as_str()).collect();
            names.sort_unstable();
            return names.into();
        }
        let mut line = line.clone();
        if line["stat"].is_object() {
            line["stat"] = json!([line["stat"]["type"], line["stat"]["nlink"]]);
        }
        line
    };
    lines.iter().map(told).collect()
}

/// Which options mount(2) takes together and what mounts(5) shows of them.
pub(crate) fn play_options() {
    let Some(mut host) = Host::start() else { return };
    let mut differences = Vec::new();
    for program in options() {
        host.ask(r#"{"op":"reset"}"#);
        let mounts = |request: &&Value| request["call"] == "mount";
        let data = program.iter().filter(mounts).map(|request| &request["data"]).next_back();
        for (request, ours) in program.iter().zip(ours(&program)) {
            let linux = told(&host.ask(&request.to_string()));
            if told(&ours) != linux {
                differences.push(format!("{data:?}: {request}\n  {:?}\n  {linux:?}", told(&ours)));
                break;
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
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
