//! rename(2) and link(2) between two directories: owners, sticky bits, directories into
//! themselves, what is replaced.

use crate::case::{ACTORS, Case, Sink, Thing, chmod, lchown, mkdir};
use serde_json::{Value, json};

const OWNERS: [(i64, i64); 4] = [(0, 0), (1000, 1000), (1001, 1000), (1003, 1003)];
const MODES: [&str; 5] = ["0777", "01777", "0755", "01775", "0555"];

/// The thing at a path, of an owner.
fn owned(thing: Thing, path: &str, owner: (i64, i64)) -> Vec<Value> {
    let mut made = thing.make(path);
    if thing != Thing::Nothing {
        made.push(lchown(path, owner.0, owner.1));
    }
    made
}

/// Pairs of directories with a thing in each.
pub(crate) fn renames(sink: &mut Sink<'_>) {
    between(sink);
    within(sink);
}

fn between(sink: &mut Sink<'_>) {
    let things = [Thing::File, Thing::Empty, Thing::Full, Thing::Dangling, Thing::Nothing];
    let calls = [
        json!({"call": "rename"}),
        json!({"call": "renameat2", "flags": "RENAME_EXCHANGE"}),
        json!({"call": "renameat2", "flags": "RENAME_NOREPLACE"}),
        json!({"call": "renameat2", "flags": "RENAME_WHITEOUT"}),
        json!({"call": "link"}),
    ];
    let mut turn = 0;
    for call in &calls {
        for (first, second) in things.into_iter().flat_map(|one| things.map(|two| (one, two))) {
            for (from, to) in MODES.into_iter().flat_map(|from| MODES.map(|to| (from, to))) {
                for actor in 0..ACTORS.len() - 1 {
                    // The owners of the four go through all combinations as cases go on.
                    turn += 1;
                    let owner = |at: u32| OWNERS[turn / 4_usize.pow(at) % 4];
                    let mut setup = vec![mkdir("a", "0777"), mkdir("b", "0777")];
                    setup.extend(owned(first, "a/x", owner(0)));
                    setup.extend(owned(second, "b/y", owner(1)));
                    for (path, mode, owner) in [("a", from, owner(2)), ("b", to, owner(3))] {
                        setup.extend([lchown(path, owner.0, owner.1), chmod(path, mode)]);
                    }
                    let mut asked = call.clone();
                    asked["oldpath"] = "a/x".into();
                    asked["newpath"] = "b/y".into();
                    let case = Case::new(actor, setup, asked);
                    sink(case.watching(&["a", "b", "a/x", "b/y", "b/y/n"]));
                }
            }
        }
    }
}

/// In one tree: ancestors and descendants, one name twice, links of one inode.
fn within(sink: &mut Sink<'_>) {
    let paths =
        ["a", "a/b", "a/b/c", "a/f", "g", "h", "a/b/f", ".", "..", "l", "l/b", "a/.", "a/b/.."];
    let setup = vec![
        mkdir("a", "0755"),
        mkdir("a/b", "0755"),
        mkdir("a/b/c", "0755"),
        json!({"call": "mknod", "path": "a/f", "mode": "S_IFREG|0644"}),
        json!({"call": "link", "oldpath": "a/f", "newpath": "g"}),
        json!({"call": "link", "oldpath": "a/f", "newpath": "a/b/f"}),
        json!({"call": "mknod", "path": "h", "mode": "S_IFREG|0644"}),
        json!({"call": "symlink", "target": "a", "linkpath": "l"}),
    ];
    let flags = [
        "0",
        "RENAME_NOREPLACE",
        "RENAME_EXCHANGE",
        "RENAME_WHITEOUT",
        "RENAME_NOREPLACE|RENAME_WHITEOUT",
        "RENAME_EXCHANGE|RENAME_NOREPLACE",
        "8",
    ];
    for flags in flags {
        for (old, new) in paths.into_iter().flat_map(|old| paths.map(|new| (old, new))) {
            let asked =
                json!({"call": "renameat2", "oldpath": old, "newpath": new, "flags": flags});
            let case = Case::new(0, setup.clone(), asked);
            sink(case.watching(&["a", "a/b", "a/f", "h", ".", "l", "a/b/c"]));
        }
    }
}
