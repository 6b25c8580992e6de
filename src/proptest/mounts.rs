//! What steps about mounts become: tmpfs and binds on a few directories, changed and taken away.
//!
//! Nothing is taken away by a path whose end is a link: it could lead to the root, without which
//! the host twin has nothing to stand on.

use super::Action;
use super::lower::Lowering;
use serde_json::{Value, json};

/// Where something can be mounted.
const POINTS: [&str; 8] =
    ["/tmp/d", "/tmp/d/e", "/tmp/d", "/tmp/a", "/tmp/d/a", "/tmp", "/none/a", "/tmp/l"];

impl Lowering<'_> {
    /// mount(2), umount2(2).
    pub(super) fn mounts(&self, action: Action) -> Value {
        let target = self.pick(0, &POINTS);
        if action == Action::Umount {
            let flags =
                ["0", "MNT_DETACH", "0", "MNT_EXPIRE", "MNT_DETACH|MNT_EXPIRE", "MNT_FORCE"];
            let flags = format!("UMOUNT_NOFOLLOW|{}", self.pick(1, &flags));
            return json!({"call": "umount2", "target": target, "flags": flags});
        }
        let request = |source: &str, kind: &str, flags: &str, data: &str| {
            json!({"call": "mount", "source": source, "target": target, "filesystemtype": kind,
                "mountflags": flags, "data": data})
        };
        let own =
            ["0", "MS_RDONLY", "MS_NOSUID|MS_NODEV", "MS_NOEXEC", "MS_NOATIME", "MS_STRICTATIME"];
        let own = self.pick(2, &own);
        match self.choices[1] % 10 {
            0..=3 => {
                let data = self.pick(3, &["", "mode=0755", "mode=0700,uid=1000,gid=1000", "bad=1"]);
                request("none", "tmpfs", own, data)
            }
            4 | 5 => request(self.pick(3, &POINTS), "", "MS_BIND", ""),
            6 => request("", "", &format!("MS_BIND|MS_REMOUNT|{own}"), ""),
            7 => request("", "", &format!("MS_REMOUNT|{own}"), self.pick(3, &["", "mode=0711"])),
            8 => request(self.pick(3, &POINTS), "", "MS_MOVE", ""),
            _ => request("", "", self.pick(3, &["MS_PRIVATE", "MS_UNBINDABLE"]), ""),
        }
    }
}
