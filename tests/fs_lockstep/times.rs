//! Which call changes which time stamp of which inode, beside the host's.
//!
//! Everything gets old access and modification times, one call is made, and what is newer
//! afterwards is the same on both sides.

use super::Answer;
use super::host::Host;
use super::model::Model;
use super::program::{Op, Text};
use std::collections::BTreeMap;

const OLD: (i64, i64) = (1000, 5);
type Stamps = BTreeMap<Vec<u8>, [(i64, i64); 3]>;

fn text(path: &str) -> Text {
    Text::from(path)
}

fn open(slot: u8, path: &str, flags: i32) -> Op {
    Op::Open { slot, path: text(path), flags: flags as u32, mode: 0o644 }
}

fn tree() -> Vec<Op> {
    let mkdir = |path| Op::Mkdir { path: text(path), mode: 0o755 };
    let link = |target, path| Op::Symlink { target: text(target), path: text(path) };
    vec![
        mkdir("a"),
        mkdir("a/empty"),
        mkdir("b"),
        mkdir("b/full"),
        open(0, "f", libc::O_CREAT | libc::O_RDWR),
        Op::Write { slot: 0, offset: 0, count: 5000 },
        open(1, "b/full/g", libc::O_CREAT | libc::O_RDWR),
        Op::Link { old: text("f"), new: text("a/hard"), follow: false },
        link("a", "link"),
        link("f", "filelink"),
    ]
}

fn calls() -> Vec<Op> {
    let rename = |old, new, flags| Op::Rename { old: text(old), new: text(new), flags };
    let stat = |path, follow| Op::Stat { path: text(path), follow };
    vec![
        Op::Mkdir { path: text("a/new"), mode: 0o755 },
        open(2, "a/new", libc::O_CREAT | libc::O_WRONLY),
        open(2, "f", libc::O_TRUNC | libc::O_WRONLY),
        open(2, "b/full/g", libc::O_TRUNC | libc::O_WRONLY),
        open(2, "f", libc::O_CREAT | libc::O_RDONLY),
        open(2, "filelink", libc::O_RDONLY),
        Op::Mknod { path: text("b/fifo"), mode: libc::S_IFIFO | 0o600 },
        Op::Symlink { target: text("x"), path: text("b/x") },
        Op::Link { old: text("b/full/g"), new: text("b/g"), follow: false },
        Op::Unlink(text("a/hard")),
        Op::Unlink(text("b/full/g")),
        Op::Unlink(text("link")),
        Op::Rmdir(text("a/empty")),
        rename("f", "f2", 0),
        rename("f", "b/f", 0),
        rename("f", "a/hard", 0),
        rename("f", "b/full/g", 0),
        rename("b/full", "a/full", 0),
        rename("b/full", "a/empty", 0),
        rename("f", "b/full/g", 2),
        rename("b/full", "a/hard", 2),
        rename("a/empty", "b/full", 2),
        rename("f", "b/w", 4),
        Op::Chmod { path: text("f"), mode: 0o600, follow: true },
        Op::Chmod { path: text("filelink"), mode: 0o644, follow: true },
        Op::Chown { path: text("f"), uid: u32::MAX, gid: u32::MAX, follow: true },
        Op::Chown { path: text("link"), uid: 1, gid: 1, follow: false },
        Op::Utimes { path: text("f"), times: [(7, 7), (0, libc::UTIME_OMIT)] },
        Op::Utimes { path: text("f"), times: [(0, libc::UTIME_OMIT), (0, libc::UTIME_NOW)] },
        Op::Utimes { path: text("f"), times: [(-5_000_000_000, 9), (1 << 36, 9)] },
        Op::Touch(text("a")),
        Op::Truncate { path: text("f"), size: 5000 },
        Op::Truncate { path: text("f"), size: 10 },
        Op::Truncate { path: text("f"), size: 10_000 },
        Op::Ftruncate { slot: 0, size: 5000 },
        Op::Ftruncate { slot: 0, size: 1 },
        Op::Write { slot: 0, offset: 3, count: 4 },
        Op::Write { slot: 0, offset: 3, count: 0 },
        Op::Read { slot: 0, offset: 0, count: 10 },
        Op::Read { slot: 0, offset: 0, count: 0 },
        Op::Read { slot: 1, offset: 0, count: 10 },
        Op::Readlink(text("link")),
        Op::List(text("b")),
        Op::List(text("link")),
        Op::Chdir(text("link")),
        stat("link", true),
        stat("link", false),
        stat("link/empty", false),
        Op::Access { path: text("filelink"), mode: 4 },
        Op::Setxattr { path: text("f"), name: "user.a", bytes: 3, flags: 0 },
    ]
}

/// Which of the times of each path that was there before is another afterwards.
fn changed(before: &Stamps, after: &Stamps) -> BTreeMap<Vec<u8>, [bool; 3]> {
    let both = after.iter().filter_map(|(path, now)| Some((path, before.get(path)?, now)));
    let differ = both.map(|(path, old, now)| {
        (path.clone(), [old[0] != now[0], old[1] != now[1], old[2] != now[2]])
    });
    differ.collect()
}

/// Compares one call; an error says how the sides differ.
fn compare(host: &mut Host, model: &mut Model, op: &Op) -> Result<(), String> {
    for op in tree() {
        if host.perform(&op) != model.perform(&op)? {
            return Err(format!("{op:?} of the beginning"));
        }
    }
    host.age(OLD);
    model.age(OLD);
    let (ours, paths) = (model.times(), model.times());
    let real = host.times(paths.keys());
    // The host stamps with the time of its last tick, up to 10 ms old.
    next_tick();
    let (real_answer, our_answer) = (host.perform(op), model.perform(op)?);
    if real_answer != our_answer || matches!(real_answer, Answer::Error(_)) {
        return Err(format!("{op:?}: host {real_answer:?}, ours {our_answer:?}"));
    }
    let ours_after = model.times();
    let real_after = host.times(ours_after.keys());
    let (ours, real) = (changed(&ours, &ours_after), changed(&real, &real_after));
    for (path, [atime, mtime, ctime]) in &ours {
        if real[path] != [*atime, *mtime, *ctime] {
            let path = path.escape_ascii();
            return Err(format!(
                "{op:?}: {path}: host {:?}, ours {:?}",
                real[&path.to_string().into_bytes()],
                [atime, mtime, ctime]
            ));
        }
    }
    let set = |stamps: &Stamps| {
        let old = |time: &(i64, i64)| time.0 < 100_000 || time.0 > 10_000_000_000;
        let all = stamps.iter().flat_map(|(path, times)| times.map(|time| (path.clone(), time)));
        all.filter(|(_, time)| old(time)).collect::<Vec<_>>()
    };
    if set(&ours_after) != set(&real_after) {
        return Err(format!("{op:?}: explicit times differ"));
    }
    Ok(())
}

/// Every difference, not only the first.
pub(crate) fn differences(host: &mut Host, mut model: impl FnMut() -> Model) -> Vec<String> {
    let mut found = Vec::new();
    for op in calls() {
        host.enter();
        let outcome = compare(host, &mut model(), &op);
        host.leave();
        found.extend(outcome.err());
    }
    found
}

/// Waits until the host's coarse clock has moved on, so that a new stamp differs from those before.
#[expect(clippy::disallowed_methods, reason = "there is no condition to wait for but the clock")]
fn next_tick() {
    std::thread::sleep(std::time::Duration::from_millis(25));
}
