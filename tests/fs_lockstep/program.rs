//! Generated programs of file calls over a small set of names.

use proptest::prelude::*;

/// An identity of the host's and of the model: user, group, supplementary groups.
pub(crate) const USERS: [(u32, u32, &[u32]); 3] =
    [(0, 0, &[]), (1000, 1000, &[2000]), (1001, 1000, &[])];
/// How many descriptors a program juggles.
pub(crate) const SLOTS: u8 = 4;

/// A path, readable in a report.
#[derive(Clone)]
pub(crate) struct Text(Vec<u8>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.len() {
            0..100 => write!(f, "\"{}\"", self.0.escape_ascii()),
            length => write!(f, "\"{}...\"{length}", self.0[..8].escape_ascii()),
        }
    }
}

impl From<&str> for Text {
    fn from(path: &str) -> Self {
        Text(path.as_bytes().to_vec())
    }
}

impl std::ops::Deref for Text {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// One call. Slots are the program's own numbers of descriptors.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Become(u8),
    Open { slot: u8, path: Text, flags: u32, mode: u32 },
    OpenAt { slot: u8, from: u8, path: Text, flags: u32, mode: u32 },
    Close(u8),
    Write { slot: u8, offset: u64, count: u16 },
    Read { slot: u8, offset: u64, count: u16 },
    Ftruncate { slot: u8, size: u64 },
    Truncate { path: Text, size: u64 },
    Seek { slot: u8, offset: u64, hole: bool },
    Mkdir { path: Text, mode: u32 },
    Mknod { path: Text, mode: u32 },
    Symlink { target: Text, path: Text },
    Link { old: Text, new: Text, follow: bool },
    Unlink(Text),
    Rmdir(Text),
    Rename { old: Text, new: Text, flags: u32 },
    Chmod { path: Text, mode: u32, follow: bool },
    Chown { path: Text, uid: u32, gid: u32, follow: bool },
    Fchmod { slot: u8, mode: u32 },
    Utimes { path: Text, times: [(i64, i64); 2] },
    Touch(Text),
    Stat { path: Text, follow: bool },
    Fstat(u8),
    Access { path: Text, mode: u32 },
    Readlink(Text),
    List(Text),
    Chdir(Text),
    Fchdir(u8),
    Getcwd,
    FdPath(u8),
    Setxattr { path: Text, name: &'static str, bytes: u16, flags: u32 },
    Getxattr { path: Text, name: &'static str },
    Removexattr { path: Text, name: &'static str },
}

fn component() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        10 => Just(b"a".to_vec()),
        8 => Just(b"b".to_vec()),
        6 => Just(b"c".to_vec()),
        3 => Just(b"d".to_vec()),
        2 => Just(b".".to_vec()),
        3 => Just(b"..".to_vec()),
        1 => Just(Vec::new()),
        1 => prop_oneof![Just(vec![b'n'; 255]), Just(vec![b'n'; 256])],
    ]
}

fn path() -> impl Strategy<Value = Text> {
    let depth = prop_oneof![6 => 1..2usize, 4 => 2..3usize, 2 => 3..6usize];
    let parts = depth.prop_flat_map(|depth| prop::collection::vec(component(), depth));
    let plain = (prop::bool::weighted(0.5), parts, prop::bool::weighted(0.12));
    let plain = plain.prop_map(|(absolute, parts, slash)| {
        let mut path = if absolute { b"/".to_vec() } else { Vec::new() };
        path.extend(parts.join(&b'/'));
        if slash {
            path.push(b'/');
        }
        Text(path)
    });
    prop_oneof![60 => plain, 1 => (4090..4100usize).prop_map(|n| Text(vec![b'/'; n]))]
}

fn open_flags() -> impl Strategy<Value = u32> {
    use libc::*;
    let extra = prop::sample::subsequence(
        vec![O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_NOATIME, O_CREAT],
        0..4,
    );
    let extra = extra.prop_map(|flags| flags.into_iter().fold(0, |all, flag| all | flag));
    let tmpfile = prop_oneof![20 => Just(0), 1 => Just(O_TMPFILE)];
    (0..3u32, extra, tmpfile).prop_map(|(mode, extra, tmp)| mode | extra as u32 | tmp as u32)
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..20u64,
        4 => 4090..4100u64,
        3 => 0..300_000u64,
        1 => Just(1 << 33),
        1 => ((1u64 << 44) - 4100)..((1 << 44) - 4090),
    ]
}

fn user() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1000), Just(1001), Just(2000), Just(u32::MAX)]
}

fn xattr_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["user.a", "user.b", "trusted.a", "security.a", "other.a", "user."])
}

fn mode() -> impl Strategy<Value = u32> {
    let common = prop::sample::select(vec![0o777, 0o755, 0o700, 0o1777, 0o2775, 0o6755, 0o644]);
    prop_oneof![common, 0..0o10000u32]
}

fn making() -> impl Strategy<Value = Op> {
    use libc::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFREG, S_IFSOCK};
    let kind = prop::sample::select(vec![S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFDIR]);
    let kind = prop_oneof![9 => kind, 1 => Just(0), 1 => Just(0o150000)];
    let slots = 0..SLOTS;
    prop_oneof![
        5 => (slots.clone(), path(), open_flags(), mode())
            .prop_map(|(slot, path, flags, mode)| Op::Open { slot, path, flags, mode }),
        3 => (slots.clone(), path(), mode()).prop_map(|(slot, path, mode)| {
            let flags = (libc::O_CREAT | libc::O_RDWR) as u32;
            Op::Open { slot, path, flags, mode }
        }),
        2 => (slots.clone(), slots, path(), open_flags(), mode())
            .prop_map(|(slot, from, path, flags, mode)| {
                Op::OpenAt { slot, from, path, flags, mode }
            }),
        5 => (path(), mode()).prop_map(|(path, mode)| Op::Mkdir { path, mode }),
        2 => (path(), mode(), kind)
            .prop_map(|(path, mode, kind)| Op::Mknod { path, mode: mode | kind }),
        4 => (path(), path()).prop_map(|(target, path)| Op::Symlink { target, path }),
        3 => (path(), path(), any::<bool>())
            .prop_map(|(old, new, follow)| Op::Link { old, new, follow }),
    ]
}

fn naming() -> impl Strategy<Value = Op> {
    let flags =
        prop_oneof![6 => Just(0u32), 1 => Just(1), 3 => Just(2), 1 => Just(4), 1 => 3..9u32];
    prop_oneof![
        3 => path().prop_map(Op::Unlink),
        3 => path().prop_map(Op::Rmdir),
        6 => (path(), path(), flags).prop_map(|(old, new, flags)| Op::Rename { old, new, flags }),
        3 => path().prop_map(Op::Chdir),
        1 => (0..SLOTS).prop_map(Op::Fchdir),
        1 => Just(Op::Getcwd),
        1 => (0..SLOTS).prop_map(Op::FdPath),
        1 => (0..SLOTS).prop_map(Op::Close),
        3 => (0..3u8).prop_map(Op::Become),
    ]
}

fn contents() -> impl Strategy<Value = Op> {
    let slots = 0..SLOTS;
    let size = prop_oneof![8 => offset(), 1 => Just(1 << 44), 1 => Just(1 << 62)];
    prop_oneof![
        3 => (slots.clone(), offset(), 0..9000u16)
            .prop_map(|(slot, offset, count)| Op::Write { slot, offset, count }),
        3 => (slots.clone(), offset(), 0..9000u16)
            .prop_map(|(slot, offset, count)| Op::Read { slot, offset, count }),
        1 => (slots.clone(), size.clone())
            .prop_map(|(slot, size)| Op::Ftruncate { slot, size }),
        1 => (path(), size).prop_map(|(path, size)| Op::Truncate { path, size }),
        1 => (slots, offset(), any::<bool>())
            .prop_map(|(slot, offset, hole)| Op::Seek { slot, offset, hole }),
    ]
}

fn asking() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (path(), any::<bool>()).prop_map(|(path, follow)| Op::Stat { path, follow }),
        1 => (0..SLOTS).prop_map(Op::Fstat),
        2 => (path(), 0..8u32).prop_map(|(path, mode)| Op::Access { path, mode }),
        2 => path().prop_map(Op::Readlink),
        2 => path().prop_map(Op::List),
    ]
}

fn changing() -> impl Strategy<Value = Op> {
    let second = prop_oneof![0..2_000_000_000i64, -3_000_000_000..20_000_000_000i64];
    let nsec = prop_oneof![
        4 => 0..1_000_000_000i64,
        1 => Just(libc::UTIME_NOW),
        2 => Just(libc::UTIME_OMIT),
        1 => Just(1_000_000_000),
    ];
    let time = (second, nsec);
    let xattr_flags = prop_oneof![4 => Just(0), 1 => 1..5u32];
    prop_oneof![
        4 => (path(), mode(), prop::bool::weighted(0.8))
            .prop_map(|(path, mode, follow)| Op::Chmod { path, mode, follow }),
        4 => (path(), user(), user(), prop::bool::weighted(0.7))
            .prop_map(|(path, uid, gid, follow)| Op::Chown { path, uid, gid, follow }),
        1 => (0..SLOTS, mode()).prop_map(|(slot, mode)| Op::Fchmod { slot, mode }),
        2 => (path(), time.clone(), time)
            .prop_map(|(path, atime, mtime)| Op::Utimes { path, times: [atime, mtime] }),
        1 => path().prop_map(Op::Touch),
        2 => (path(), xattr_name(), prop_oneof![9 => 0..100u16, 1 => 5000..6000u16], xattr_flags)
            .prop_map(|(path, name, bytes, flags)| Op::Setxattr { path, name, bytes, flags }),
        1 => (path(), xattr_name()).prop_map(|(path, name)| Op::Getxattr { path, name }),
        1 => (path(), xattr_name()).prop_map(|(path, name)| Op::Removexattr { path, name }),
    ]
}

/// A small tree to begin with, or a part of it, so that most calls find something.
fn beginning() -> impl Strategy<Value = Vec<Op>> {
    let text = Text::from;
    let mkdir = |path, mode| Op::Mkdir { path: text(path), mode };
    let file = |slot, path, mode| {
        let flags = (libc::O_CREAT | libc::O_RDWR) as u32;
        Op::Open { slot, path: text(path), flags, mode }
    };
    let link = |target, path| Op::Symlink { target: text(target), path: text(path) };
    let all = vec![
        mkdir("a", 0o777),
        mkdir("a/a", 0o755),
        mkdir("b", 0o1777),
        mkdir("a/b", 0o2777),
        file(0, "c", 0o666),
        file(1, "a/c", 0o644),
        file(2, "b/a", 0o6755),
        Op::Write { slot: 0, offset: 100, count: 5000 },
        link("a", "d"),
        link("../c", "a/d"),
        Op::Link { old: text("c"), new: text("b/c"), follow: false },
        Op::Open { slot: 3, path: text("a"), flags: 0, mode: 0 },
        Op::Mknod { path: text("b/d"), mode: libc::S_IFIFO | 0o666 },
        Op::Chown { path: text("a"), uid: 1000, gid: 2000, follow: true },
        Op::Chown { path: text("b/a"), uid: 1001, gid: 1000, follow: true },
        Op::Become(1),
        mkdir("b/b", 0o777),
        Op::Become(0),
    ];
    let count = all.len();
    prop::sample::subsequence(all, count * 2 / 3..=count)
}

/// Programs of up to 60 calls after the beginning.
pub(crate) fn program() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => making(),
        4 => naming(),
        3 => contents(),
        3 => asking(),
        3 => changing(),
    ];
    (beginning(), prop::collection::vec(op, 1..60)).prop_map(|(mut all, ops)| {
        all.extend(ops);
        all
    })
}
