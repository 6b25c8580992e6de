//! Overlays: every form of a call on what lies in a lower layer, in the upper one, in several, or
//! under a whiteout; names that move between such; what the upper layer then has.
//!
//! Not looked at: link counts of whiteouts (Linux links them all to one), and what Linux copies up
//! for a setxattr(2) or truncate(2) that then fails: a call that fails changes nothing here.

use crate::calls::forms;
use crate::case::{Case, OTHER, OWNER, ROOT, Sink, Thing, chmod, lchown, mkdir};
use serde_json::{Value, json};

/// Layers that a thing lies in, the topmost first; `W` is a whiteout.
const PLACED: [&[&str]; 7] = [&["l"], &["k"], &["u"], &["l", "k"], &["u", "l"], &["W", "k"], &[]];
const THINGS: [Thing; 6] =
    [Thing::File, Thing::Empty, Thing::Full, Thing::LinkToFile, Thing::Dangling, Thing::Fifo];

/// Makes a thing in its layers.
fn placed(thing: Thing, name: &str, layers: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    for layer in layers {
        if *layer == "W" {
            all.push(json!({"call": "mknod", "path": format!("l/{name}"), "mode": "S_IFCHR|0",
                "major": 0, "minor": 0}));
            continue;
        }
        let path = format!("{layer}/{name}");
        all.extend(thing.make(&path));
        all.push(lchown(&path, 1000, 1000));
        if matches!(thing, Thing::Empty | Thing::Full) {
            // Merged directories have something of each.
            all.push(mkdir(&format!("{path}/of-{layer}"), "0755"));
            all.push(chmod(&path, "0775"));
        }
    }
    all
}

/// The layers, with what is in them, mounted.
fn layered(inside: Vec<Value>) -> Vec<Value> {
    mounted(inside, "lowerdir=l:k,upperdir=u,workdir=w")
}

fn mounted(inside: Vec<Value>, options: &str) -> Vec<Value> {
    let mut all: Vec<Value> = ["l", "k", "u", "w", "m"].map(|path| mkdir(path, "0777")).to_vec();
    all.extend(inside);
    all.push(json!({"call": "mount", "source": "o", "target": "m", "filesystemtype": "overlay",
        "mountflags": 0, "data": options}));
    all
}

fn listed(mut case: Case, path: &str) -> Case {
    let open = json!({"call": "open", "path": path, "flags": "O_RDONLY|O_DIRECTORY", "mode": 0});
    case.asked.push((Some(ROOT), open));
    // Whatever the call before opened, all are read.
    for fd in [3, 4] {
        case.asked.push((Some(ROOT), json!({"call": "getdents64", "fd": fd, "count": 4000})));
    }
    let close = json!({"call": "close_range", "first": 3, "last": 100, "flags": 0});
    case.asked.push((Some(ROOT), close));
    case
}

/// What is seen afterwards, in the overlay and in its upper layer.
fn looked_at(mut case: Case, names: &[&str]) -> Case {
    for name in names {
        let lstat = json!({"call": "lstat", "path": format!("m/{name}")});
        case.asked.push((Some(ROOT), lstat));
        case.asked.push((
            Some(ROOT),
            json!({"call": "lgetxattr", "path": format!("u/{name}"),
            "name": "trusted.overlay.opaque", "size": 9}),
        ));
        case.asked.push((Some(ROOT), json!({"call": "lstat", "path": format!("l/{name}")})));
    }
    for path in ["m", "u", "m/x", "u/x"] {
        case = listed(case, path);
    }
    case
}

/// What moved directories name to the layers below.
fn redirected(mut case: Case) -> Case {
    for name in ["x", "y", "d/y"] {
        let get = json!({"call": "lgetxattr", "path": format!("u/{name}"),
            "name": "trusted.overlay.redirect", "size": 99});
        case.asked.push((Some(ROOT), get));
    }
    case
}

pub(crate) fn overlays(sink: &mut Sink<'_>) {
    for form in forms() {
        let asked = form.on(&"m/x".into());
        let sets = asked["call"].as_str().is_some_and(|call| call.ends_with("setxattr"));
        if sets || asked["length"] == i64::MAX {
            continue;
        }
        for (thing, layers) in
            THINGS.into_iter().flat_map(|thing| PLACED.map(|layers| (thing, layers)))
        {
            for actor in [ROOT, OWNER, OTHER] {
                let case = Case::new(actor, layered(placed(thing, "x", layers)), asked.clone());
                sink(looked_at(case, &["x"]));
            }
        }
    }
    two_names(sink);
}

fn two_names(sink: &mut Sink<'_>) {
    let calls = [
        json!({"call": "rename"}),
        json!({"call": "renameat2", "flags": "RENAME_NOREPLACE"}),
        json!({"call": "renameat2", "flags": "RENAME_EXCHANGE"}),
        json!({"call": "renameat2", "flags": "RENAME_WHITEOUT"}),
        json!({"call": "link"}),
    ];
    let things = [Thing::File, Thing::Empty, Thing::Full, Thing::Dangling];
    for call in &calls {
        for (first, second) in things.into_iter().flat_map(|one| things.map(|two| (one, two))) {
            for (from, to) in PLACED.into_iter().flat_map(|from| PLACED.map(|to| (from, to))) {
                for names in [["m/x", "m/y"], ["m/x", "m/d/y"], ["m/x/of-u", "m/y"]] {
                    let mut inside = placed(first, "x", from);
                    inside.extend(placed(second, "y", to));
                    inside.extend([mkdir("k/d", "0777"), mkdir("l/d", "0777")]);
                    let mut asked = call.clone();
                    asked["oldpath"] = names[0].into();
                    asked["newpath"] = names[1].into();
                    let case = Case::new(ROOT, layered(inside.clone()), asked.clone());
                    sink(looked_at(case, &["x", "y", "d/y"]));
                    // Directories of lower layers are moved too. To a full one Linux copies what
                    // it moves before it fails.
                    let is_full = matches!(second, Thing::Empty | Thing::Full) && !to.is_empty();
                    if is_full && asked["flags"] != "RENAME_EXCHANGE" {
                        continue;
                    }
                    let options = "lowerdir=l:k,upperdir=u,workdir=w,redirect_dir=on";
                    let case = Case::new(ROOT, mounted(inside, options), asked);
                    sink(redirected(looked_at(case, &["x", "y", "d/y"])));
                }
            }
        }
    }
}
