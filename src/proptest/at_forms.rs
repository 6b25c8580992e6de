//! The forms of calls on names that take a directory (`*at(2)`, statx(2)): some requests of the
//! plain forms become these, with the working directory or one that is open.

use super::lower::Lowering;
use super::player::Kind;
use crate::json::Object;
use serde_json::{Value, json};

/// Requests whose last choice is below this keep their plain form.
const PLAIN_BELOW: u8 = 150;
const MASKS: [&str; 4] = ["STATX_BASIC_STATS", "STATX_MODE|STATX_SIZE", "STATX_ALL", "0"];

impl Lowering<'_> {
    /// The request itself, or its form with a directory.
    pub(super) fn at_form(&self, request: Value) -> Value {
        let last = self.choices[3];
        let plain = match request {
            Value::Object(plain) if last >= PLAIN_BELOW => plain,
            other => return other,
        };
        let call = plain.get("call").and_then(Value::as_str).unwrap_or_default().to_owned();
        let flags = |from: &[&'static str]| json!(from[usize::from(last / 4) % from.len()]);
        let follow = [self.directory(), json!("AT_FDCWD")];
        let [first, second] = if last.is_multiple_of(3) { [1, 0] } else { [0, 1] };
        let (dirfd, other) = (follow[first].clone(), follow[second].clone());
        let none = || json!("0");
        let (name, added) = match call.as_str() {
            "mkdir" => ("mkdirat", vec![("dirfd", dirfd)]),
            "mknod" => ("mknodat", vec![("dirfd", dirfd)]),
            "unlink" => ("unlinkat", vec![("dirfd", dirfd), ("flags", none())]),
            "rmdir" => ("unlinkat", vec![("dirfd", dirfd), ("flags", json!("AT_REMOVEDIR"))]),
            "rename" => ("renameat", vec![("olddirfd", dirfd), ("newdirfd", other)]),
            "link" => {
                // AT_EMPTY_PATH asks who made a pipe (`may_link_open`); `sweep` has it with files.
                let flags = flags(&["0", "AT_SYMLINK_FOLLOW", "0", "AT_REMOVEDIR"]);
                ("linkat", vec![("olddirfd", dirfd), ("newdirfd", other), ("flags", flags)])
            }
            "symlink" => ("symlinkat", vec![("newdirfd", dirfd)]),
            "readlink" => ("readlinkat", vec![("dirfd", dirfd)]),
            "chmod" if last.is_multiple_of(2) => ("fchmodat", vec![("dirfd", dirfd)]),
            "chmod" => {
                let flags = flags(&["AT_SYMLINK_NOFOLLOW", "0", "AT_EMPTY_PATH", "0x40"]);
                ("fchmodat2", vec![("dirfd", dirfd), ("flags", flags)])
            }
            "chown" | "lchown" => {
                let flags = flags(&["AT_SYMLINK_NOFOLLOW", "0", "AT_EMPTY_PATH", "0x40"]);
                ("fchownat", vec![("dirfd", dirfd), ("flags", flags)])
            }
            "access" => ("faccessat", vec![("dirfd", dirfd)]),
            "stat" | "lstat" => {
                let flags = flags(&["AT_SYMLINK_NOFOLLOW", "0", "AT_EMPTY_PATH", "0x6000"]);
                ("statx", vec![("dirfd", dirfd), ("flags", flags), ("mask", json!(self.mask()))])
            }
            _ => return Value::Object(plain),
        };
        let mut request: Object = plain;
        request.insert("call".into(), name.into());
        request.extend(added.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(request)
    }

    fn directory(&self) -> Value {
        self.fd(2, &[Kind::Directory]).into()
    }

    fn mask(&self) -> &'static str {
        self.pick(1, &MASKS)
    }
}
