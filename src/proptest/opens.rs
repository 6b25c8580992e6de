//! What the choices of open(2), openat(2) and openat2(2) choose among.

use super::lower::Lowering;
use super::player::Kind;
use serde_json::{Value, json};

pub(super) const MODES: [&str; 8] = ["0644", "0755", "0600", "0777", "0", "0444", "0200", "01777"];
const OPENS: [&str; 14] = [
    "O_RDWR|O_CREAT",
    "O_RDONLY",
    "O_WRONLY",
    "O_RDWR",
    "O_WRONLY|O_CREAT|O_TRUNC",
    "O_RDONLY|O_NONBLOCK",
    "O_WRONLY|O_NONBLOCK",
    "O_RDWR|O_CREAT|O_EXCL",
    "O_RDONLY|O_DIRECTORY",
    "O_WRONLY|O_CREAT|O_APPEND",
    "O_RDWR|O_CLOEXEC",
    "O_RDONLY|O_NOFOLLOW",
    "O_RDWR|O_TRUNC",
    "O_PATH",
];

impl Lowering<'_> {
    pub(super) fn openat(&self) -> Value {
        let dirfd = self.fd(3, &[Kind::Directory]);
        json!({"call": "openat", "dirfd": dirfd, "path": self.path(0),
            "flags": self.pick(1, &OPENS), "mode": self.pick(2, &MODES)})
    }

    pub(super) fn open(&self) -> Value {
        let path = match self.choices[3] {
            0..=200 => self.path(0),
            201..=230 => "/tmp/p".into(),
            _ => self.pick(0, &["/dev/null", "/tmp", "/", "/dev/zero"]).into(),
        };
        json!({"call": "open", "path": path, "flags": self.pick(1, &OPENS),
            "mode": self.pick(2, &MODES)})
    }

    /// openat2(2), mostly with a mode where it counts and nowhere else. Without RESOLVE_CACHED:
    /// what is in Linux's cache is nobody's to say.
    pub(super) fn openat2(&self) -> Value {
        let flags = self.pick(1, &OPENS);
        let makes = flags.contains("O_CREAT") || flags.contains("O_TMPFILE");
        let mode =
            if makes != self.choices[0].is_multiple_of(16) { self.pick(2, &MODES) } else { "0" };
        let resolve = [
            "0",
            "RESOLVE_BENEATH",
            "RESOLVE_IN_ROOT",
            "RESOLVE_NO_SYMLINKS",
            "RESOLVE_NO_MAGICLINKS",
            "RESOLVE_NO_XDEV",
            "RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH",
            "RESOLVE_NO_XDEV|RESOLVE_IN_ROOT",
            "RESOLVE_BENEATH|RESOLVE_IN_ROOT",
        ];
        let path: Value = match self.choices[2] {
            0..=30 => {
                self.pick(0, &["/", "/..", "..", "/proc/self/fd/0", "/proc/self", "/dev"]).into()
            }
            31..=60 => {
                self.pick(0, &["../a", "a/../b", "a/..", "d/../../a", "/tmp/a", "./a"]).into()
            }
            _ => self.path(0),
        };
        json!({"call": "openat2", "dirfd": self.fd(3, &[Kind::Directory]), "path": path,
            "flags": flags, "mode": mode, "resolve": self.pick(3, &resolve)})
    }
}
