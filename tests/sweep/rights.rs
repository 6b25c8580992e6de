//! Who may what: users, owners, modes of a file and of the directories above it; which bits a
//! change takes away.

use crate::calls::forms;
use crate::case::{
    ACTORS, Case, MEMBER, OTHER, OWNER, Sink, Thing, chmod, file, lchown, mkdir, open,
};
use serde_json::{Value, json};

/// Modes of the directory that the name stands in.
const ABOVE: [&str; 12] = [
    "0777", "01777", "02777", "0755", "01770", "0711", "0733", "0700", "0070", "0005", "0000",
    "03775",
];
/// Modes of the thing itself.
const MODES: [&str; 9] = ["0644", "0666", "0600", "0400", "0060", "0006", "0000", "06777", "0755"];
/// Who owns it or the directory: user and group.
const OWNERS: [(i64, i64); 5] = [(0, 0), (1000, 1000), (1001, 1000), (1003, 2000), (1000, 2000)];

/// Every form of a call on a thing in a directory, under each of several users.
pub(crate) fn by_path(sink: &mut Sink<'_>) {
    let things =
        [Thing::File, Thing::Empty, Thing::Full, Thing::Dangling, Thing::Fifo, Thing::Nothing];
    for form in forms() {
        for (actor, above) in (1..ACTORS.len()).flat_map(|actor| ABOVE.map(|mode| (actor, mode))) {
            for (thing, mode) in
                things.into_iter().flat_map(|thing| MODES.map(|mode| (thing, mode)))
            {
                for (at, (uid, gid)) in OWNERS.into_iter().enumerate() {
                    let (above_uid, above_gid) = OWNERS[(at * 3 + mode.len()) % OWNERS.len()];
                    let mut setup = vec![mkdir("d", "0777")];
                    setup.extend(thing.make("d/x"));
                    if !matches!(thing, Thing::Dangling | Thing::Nothing) {
                        setup.push(lchown("d/x", uid, gid));
                        setup.push(chmod("d/x", mode));
                    } else if thing == Thing::Dangling {
                        setup.push(lchown("d/x", uid, gid));
                    }
                    setup.push(lchown("d", above_uid, above_gid));
                    setup.push(chmod("d", above));
                    let case = Case::new(actor, setup, form.on(&"d/x".into()));
                    sink(case.watching(&["d", "d/x"]));
                }
            }
        }
    }
}

/// Whether set-user-ID and set-group-ID bits stay over a change.
pub(crate) fn set_id_bits(sink: &mut Sink<'_>) {
    let modes = ["06777", "04755", "02755", "02745", "06711", "02644", "06666", "01777", "07000"];
    for mode in modes {
        for (uid, gid) in OWNERS {
            for actor in 0..ACTORS.len() {
                for asked in changes(mode) {
                    let mut setup = file("x", "0644").to_vec();
                    setup.extend([lchown("x", uid, gid), chmod("x", mode)]);
                    sink(Case { setup, actor, asked, watched: vec!["x"], ..Case::default() });
                }
                for asked in of_directories() {
                    let mut setup = vec![mkdir("d", "0777"), lchown("d", uid, gid)];
                    setup.extend([chmod("d", mode)]);
                    setup.extend(file("x", "0644"));
                    setup.push(lchown("x", uid, gid));
                    let asked = vec![(None, asked)];
                    sink(Case {
                        setup,
                        actor,
                        asked,
                        watched: vec!["d", "d/n", "x"],
                        ..Case::default()
                    });
                }
            }
        }
    }
}

/// What changes a file, by its owner's path or by descriptor.
fn changes(mode: &str) -> Vec<Vec<(Option<usize>, Value)>> {
    let chown = |call: &str, uid: i64, gid: i64| {
        let field = if call == "fchown" { ("fd", json!(3)) } else { ("path", json!("x")) };
        let mut asked = json!({"call": call, "uid": uid, "gid": gid});
        asked[field.0] = field.1;
        asked
    };
    let ids = [
        (-1, -1),
        (0, -1),
        (1000, -1),
        (1001, 1000),
        (-1, 1000),
        (-1, 2000),
        (-1, 0),
        (1000, 2000),
    ];
    let mut all: Vec<Vec<(Option<usize>, Value)>> =
        ids.map(|(uid, gid)| vec![(None, chown("chown", uid, gid))]).to_vec();
    for new in [mode, "0777", "02777", "04777", "06711", "01644"] {
        all.push(vec![(None, chmod("x", new))]);
    }
    let by_descriptor = [
        json!({"call": "write", "fd": 3, "data": "a"}),
        json!({"call": "write", "fd": 3, "data": ""}),
        json!({"call": "pwrite64", "fd": 3, "data": "a", "offset": 9000}),
        json!({"call": "ftruncate", "fd": 3, "length": 2}),
        json!({"call": "ftruncate", "fd": 3, "length": 5}),
        json!({"call": "fallocate", "fd": 3, "mode": 0, "offset": 0, "len": 9000}),
        json!({"call": "fallocate", "fd": 3, "mode": "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE",
            "offset": 0, "len": 4096}),
        json!({"call": "fchmod", "fd": 3, "mode": mode}),
        chown("fchown", -1, 1000),
    ];
    for asked in by_descriptor {
        all.push(vec![(None, open("x", "O_RDWR")), (None, asked.clone())]);
        // Somebody else opened it: at the file's owner's or root's descriptor the writer's own
        // rights count.
        all.push(vec![(Some(OTHER), open("x", "O_WRONLY")), (Some(OTHER), asked)]);
    }
    for length in [0, 5, 4096] {
        all.push(vec![(None, json!({"call": "truncate", "path": "x", "length": length}))]);
    }
    all.push(vec![(None, open("x", "O_WRONLY|O_TRUNC"))]);
    all.push(vec![(Some(MEMBER), open("x", "O_WRONLY|O_TRUNC"))]);
    all.push(vec![(Some(OWNER), chown("lchown", -1, 1000)), (Some(OWNER), chmod("x", mode))]);
    all
}

/// What is made in a directory takes group and bits from it, or not.
fn of_directories() -> Vec<Value> {
    vec![
        mkdir("d/n", "0755"),
        mkdir("d/n", "07777"),
        json!({"call": "mknod", "path": "d/n", "mode": "S_IFREG|06755"}),
        json!({"call": "mknod", "path": "d/n", "mode": "S_IFIFO|02644"}),
        json!({"call": "open", "path": "d/n", "flags": "O_RDWR|O_CREAT", "mode": "07777"}),
        json!({"call": "open", "path": "d/n", "flags": "O_RDWR|O_CREAT", "mode": "02644"}),
        json!({"call": "open", "path": "d", "flags": "O_RDWR|O_TMPFILE", "mode": "02755"}),
        json!({"call": "symlink", "target": "x", "linkpath": "d/n"}),
        json!({"call": "link", "oldpath": "x", "newpath": "d/n"}),
        json!({"call": "rename", "oldpath": "x", "newpath": "d/n"}),
        json!({"call": "rename", "oldpath": "d", "newpath": "e"}),
        chmod("d", "02755"),
        json!({"call": "chown", "path": "d", "uid": -1, "gid": 1000}),
    ]
}
