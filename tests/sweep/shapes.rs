//! Shapes of paths: slashes, dots, links, names and paths as long as can be, before every kind of
//! thing.

use crate::calls::forms;
use crate::case::{Case, ROOT, Sink, THINGS, Thing, mkdir, symlink};
use serde_json::{Value, json};

/// Shapes of a path to `x`.
const SHAPES: [&str; 13] = [
    "x", "x/", "x//", "x/.", "x/..", "./x", "x/../x", "x/n", "x/n/", "x/./", "x/no", "../x/x",
    ".//x",
];
/// Names that are looked at, before and after.
const WATCHED: [&str; 3] = ["x", "xt", "."];

/// Paths that lead to nothing in particular, with what they need.
fn odd_paths() -> Vec<(Vec<Value>, Value)> {
    let mut all: Vec<(Vec<Value>, Value)> = Vec::new();
    for path in ["", ".", "..", "/", "./", "../", "//", "/.", "/..", "../..", "/tmp/"] {
        all.push((Vec::new(), path.into()));
    }
    all.push((Vec::new(), Value::Null));
    for length in [254, 255, 256, 257] {
        let name = "n".repeat(length);
        all.push((Vec::new(), name.as_str().into()));
        all.push((Vec::new(), format!("{name}/").into()));
        all.push((Vec::new(), format!("x/{name}").into()));
        all.push((vec![mkdir("x", "0755")], format!("x/{name}").into()));
    }
    for length in [4094, 4095, 4096, 4097, 5000] {
        let dots = "./".repeat(length / 2);
        let path = format!("{}x", &dots[..length - 1 - (length + 1) % 2]);
        let path = if path.len() < length { format!("{path}x") } else { path };
        all.push((vec![mkdir("x", "0755")], path.into()));
        all.push((Vec::new(), "/".repeat(length).into()));
    }
    for links in [39, 40, 41] {
        let link = |at: usize| symlink(&format!("l{}", at + 1), &format!("l{at}"));
        let mut setup: Vec<Value> = (1..links).map(link).collect();
        setup.push(symlink("x", &format!("l{links}")));
        setup.push(mkdir("x", "0755"));
        for tail in ["", "/", "/."] {
            all.push((setup.clone(), format!("l1{tail}").into()));
        }
    }
    for target in ["x/", "x/.", "x//", "./x", "/proc/self/cwd/x", "..", "/"] {
        for made in [Thing::File, Thing::Empty, Thing::Nothing] {
            let setup = [made.make("x"), vec![symlink(target, "l")]].concat();
            all.push((setup.clone(), "l".into()));
            all.push((setup, "l/".into()));
        }
    }
    all
}

/// Every form of a call on every shape of a path to every kind of thing.
pub(crate) fn one_path(sink: &mut Sink<'_>) {
    let odd = odd_paths();
    for form in forms() {
        for thing in THINGS {
            for shape in SHAPES {
                let case = Case::new(ROOT, thing.make("x"), form.on(&shape.into()));
                sink(case.watching(&WATCHED));
            }
        }
        for (setup, path) in &odd {
            sink(Case::new(ROOT, setup.clone(), form.on(path)).watching(&["."]));
        }
    }
}

/// link, rename and their like on pairs of shapes.
pub(crate) fn two_paths(sink: &mut Sink<'_>) {
    let shapes = ["x", "x/", "x/.", "x/..", "x/n", "x//"];
    let others = ["y", "y/", "y/.", "y/n", "y//", "x/y", "x"];
    let calls = [
        json!({"call": "link"}),
        json!({"call": "linkat", "flags": "AT_SYMLINK_FOLLOW"}),
        json!({"call": "rename"}),
        json!({"call": "renameat2", "flags": "RENAME_NOREPLACE"}),
        json!({"call": "renameat2", "flags": "RENAME_EXCHANGE"}),
        json!({"call": "renameat2", "flags": "RENAME_WHITEOUT"}),
    ];
    for call in &calls {
        for (first, second) in THINGS.into_iter().flat_map(|one| THINGS.map(|two| (one, two))) {
            let setup = [first.make("x"), second.make("y")].concat();
            for (old, new) in shapes.into_iter().flat_map(|old| others.map(|new| (old, new))) {
                let mut asked = call.clone();
                asked["oldpath"] = old.into();
                asked["newpath"] = new.into();
                let case = Case::new(ROOT, setup.clone(), asked);
                sink(case.watching(&["x", "y", ".", "x/n"]));
            }
        }
    }
}
