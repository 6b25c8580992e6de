//! Calls that failed at a border of mounts (EXDEV, EROFS, EBUSY) or at a link (ELOOP), before the
//! walk: where mounts are, and what is a link.

use tickernel_systems::abi::flags::AT_FDCWD;

use super::hints::Hints;
use super::identity::Border;
use super::initial::Shape;
use super::{decode, paths};
use crate::strace::Call;

impl Hints {
    /// A call that failed at a border of mounts, or at a link.
    pub(super) fn see_border(&mut self, call: &Call) {
        // From here on borders are the session's own.
        let is_done = call.result.as_ref().is_some_and(|result| result.number() == Some(0));
        self.has_mounted |= is_done && matches!(&*call.name, "mount" | "move_mount");
        let errno = call.result.as_ref().and_then(|result| result.errno.as_deref());
        if !matches!(errno, Some("EXDEV" | "EROFS" | "EBUSY" | "ELOOP")) {
            return;
        }
        let decoded = decode::decode(call);
        let Some(parsed) = decoded.parsed() else { return };
        let absolute = |one: &paths::Use<'_>| {
            let is_own = one.path.first() == Some(&b'/') || one.dirfd == AT_FDCWD;
            let path = is_own.then(|| self.absolute(None, Some(one.path))).flatten();
            let of_machine =
                |path: &Vec<u8>| path.starts_with(b"/proc") || path.starts_with(b"/sys");
            path.filter(|path| !of_machine(path))
        };
        let named: Vec<Option<Vec<u8>>> = paths::uses(&parsed).iter().map(absolute).collect();
        let border = match (errno, named.as_slice()) {
            (Some("EXDEV" | "EBUSY" | "EROFS"), _) if self.has_mounted => return,
            (Some("EXDEV"), [Some(one), Some(other)]) => {
                Border::Between(one.clone(), other.clone())
            }
            (Some("EBUSY"), [Some(path), ..]) => Border::At(path.clone()),
            (Some("EROFS"), [.., Some(path)]) => Border::ReadOnly(path.clone()),
            // Not a border: a link, wherever it leads.
            (Some("ELOOP"), [Some(path)]) => {
                self.shapes.entry(path.clone()).or_insert(Shape::Link(Vec::new()));
                return;
            }
            _ => return,
        };
        self.sights.border(border);
    }
}
