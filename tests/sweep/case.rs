//! What a case is: requests in a directory of its own, and what stands there before them.

use serde_json::{Value, json};

/// Takes the cases of a family one after the other.
pub(crate) type Sink<'s> = dyn FnMut(Case) + 's;

/// Who speaks: user, group, supplementary groups. The first is process 1, with every capability;
/// the last has root as its real user and works as another.
pub(crate) const ACTORS: [(i64, i64, &[i64]); 6] = [
    (0, 0, &[]),
    (1000, 1000, &[2000]),
    (1001, 1000, &[]),
    (1002, 1002, &[1000, 2000]),
    (1003, 1003, &[]),
    (1000, 1000, &[]),
];
/// Process 1.
pub(crate) const ROOT: usize = 0;
/// The user whose most things are.
pub(crate) const OWNER: usize = 1;
/// Another of the same group.
pub(crate) const MEMBER: usize = 2;
/// One of none of them.
pub(crate) const OTHER: usize = 4;

/// Requests in a directory of their own, which everybody may write to and where everybody stands.
#[derive(Clone, Default)]
pub(crate) struct Case {
    /// Made by process 1.
    pub(crate) setup: Vec<Value>,
    /// Who asks.
    pub(crate) actor: usize,
    /// What is asked, each with who asks if it is another.
    pub(crate) asked: Vec<(Option<usize>, Value)>,
    /// Whose attributes and times are looked at before and after.
    pub(crate) watched: Vec<&'static str>,
    /// What is read are events of inotify(7).
    pub(crate) reads_events: bool,
}

impl Case {
    /// One request of somebody's.
    pub(crate) fn new(actor: usize, setup: Vec<Value>, asked: Value) -> Self {
        Self { setup, actor, asked: vec![(None, asked)], ..Self::default() }
    }

    /// One more request.
    pub(crate) fn then(mut self, asked: Value) -> Self {
        self.asked.push((None, asked));
        self
    }

    /// Reads give events.
    pub(crate) fn of_events(mut self) -> Self {
        self.reads_events = true;
        self
    }

    /// The names that are looked at.
    pub(crate) fn watching(mut self, watched: &[&'static str]) -> Self {
        self.watched.extend_from_slice(watched);
        self
    }
}

/// Kinds of things that can stand at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    File,
    Empty,
    Full,
    LinkToFile,
    LinkToDirectory,
    Dangling,
    Loop,
    Fifo,
    Socket,
    Device,
    Nothing,
}

pub(crate) const THINGS: [Thing; 11] = [
    Thing::File,
    Thing::Empty,
    Thing::Full,
    Thing::LinkToFile,
    Thing::LinkToDirectory,
    Thing::Dangling,
    Thing::Loop,
    Thing::Fifo,
    Thing::Socket,
    Thing::Device,
    Thing::Nothing,
];

pub(crate) fn mknod(path: &str, mode: &str) -> Value {
    json!({"call": "mknod", "path": path, "mode": mode, "major": 0, "minor": 0})
}

pub(crate) fn mkdir(path: &str, mode: &str) -> Value {
    json!({"call": "mkdir", "path": path, "mode": mode})
}

pub(crate) fn chmod(path: &str, mode: &str) -> Value {
    json!({"call": "chmod", "path": path, "mode": mode})
}

pub(crate) fn lchown(path: &str, uid: i64, gid: i64) -> Value {
    json!({"call": "lchown", "path": path, "uid": uid, "gid": gid})
}

pub(crate) fn symlink(target: &str, path: &str) -> Value {
    json!({"call": "symlink", "target": target, "linkpath": path})
}

pub(crate) fn open(path: &str, flags: &str) -> Value {
    json!({"call": "open", "path": path, "flags": flags, "mode": "0644"})
}

/// What makes a file of five bytes.
pub(crate) fn file(path: &str, mode: &str) -> [Value; 2] {
    [
        mknod(path, &format!("S_IFREG|{mode}")),
        json!({"call": "truncate", "path": path, "length": 5}),
    ]
}

impl Thing {
    /// What makes it at a path in the case's directory; links lead to `NAMEt`.
    pub(crate) fn make(self, path: &str) -> Vec<Value> {
        let target = format!("{path}t");
        let name = target.rsplit('/').next().unwrap_or(&target);
        match self {
            Thing::File => file(path, "0644").to_vec(),
            Thing::Empty => vec![mkdir(path, "0755")],
            Thing::Full => vec![mkdir(path, "0755"), mknod(&format!("{path}/n"), "S_IFREG|0644")],
            Thing::LinkToFile => [&file(&target, "0644")[..], &[symlink(name, path)]].concat(),
            Thing::LinkToDirectory => vec![mkdir(&target, "0755"), symlink(name, path)],
            Thing::Dangling => vec![symlink(name, path)],
            Thing::Loop => vec![symlink(name, path), symlink(&name[..name.len() - 1], &target)],
            Thing::Fifo => vec![mknod(path, "S_IFIFO|0644")],
            Thing::Socket => vec![mknod(path, "S_IFSOCK|0644")],
            Thing::Device => {
                vec![json!({"call": "mknod", "path": path, "mode": "S_IFCHR|0644", "major": 1,
                    "minor": 3})]
            }
            Thing::Nothing => Vec::new(),
        }
    }
}
