//! Modes that a call changed of which strace printed only the beginning (`-s`): an access control
//! list is one of its arguments (acl(5), setxattr(2)). The next stat tells.

use std::collections::BTreeSet;

use tickernel_systems::abi::flags::AT_FDCWD;
use tickernel_systems::event::{Call, Event, Payload};
use tickernel_systems::fs::{InodeId, Place};

use super::order::Order;
use super::paths;
use super::task::Pending;
use crate::replay::{Expected, Recorded, Role, stat_bits};
use crate::strace::{self, Value};

/// Bits of a mode that a list can change.
const PERMISSIONS: u32 = 0o777;

/// Files that a call may have changed which strace cut.
#[derive(Debug, Default)]
pub(super) struct Loose {
    /// In their mode, until a stat shows it.
    pub(super) modes: BTreeSet<InodeId>,
    /// In one of their attributes.
    pub(super) names: BTreeSet<InodeId>,
}

impl Order<'_> {
    /// A call that was answered as recorded may have changed a mode.
    pub(super) fn note_loose_mode(&mut self, tid: u32, pending: &Pending) {
        if pending.decoded.expected.recorded != Recorded::Value(0) {
            return;
        }
        let place = self.listed_place(tid, &pending.printed);
        let inode = place.and_then(|place| self.kernel.fs().inode_id(place));
        self.loose.modes.extend(inode);
        self.loose.names.extend(inode);
    }

    fn listed_place(&self, tid: u32, call: &strace::Call) -> Option<Place> {
        let path = || call.arg(0).and_then(Value::as_bytes);
        let at = |follow| self.kernel.resolve(tid, AT_FDCWD, path()?, follow).ok().flatten();
        match &*call.name {
            "fsetxattr" => self.kernel.fd_view(tid, call.arg(0)?.as_i32()?)?.place,
            "setxattr" => at(true),
            "lsetxattr" => at(false),
            _ => None,
        }
    }

    /// A stat shows the mode of such a file: it gets that.
    pub(super) fn take_mode(&mut self, tid: u32, call: &Call<'_>, expected: &Expected) {
        let Payload::Stat(stat) = &expected.payload else { return };
        if self.loose.modes.is_empty() || expected.members & stat_bits::MODE == 0 {
            return;
        }
        let uses = paths::uses(call);
        let (place, call) = match (call, uses.first()) {
            (Call::Fstat { fd }, _) => {
                (self.kernel.fd_view(tid, *fd).and_then(|view| view.place), fchmod(*fd, stat.mode))
            }
            (_, Some(one)) if one.path.is_empty() => {
                let view = self.kernel.fd_view(tid, one.dirfd);
                (view.and_then(|view| view.place), fchmod(one.dirfd, stat.mode))
            }
            (_, Some(one)) => {
                let place = self.kernel.resolve(tid, one.dirfd, one.path, one.follow);
                let (dirfd, path, mode) = (one.dirfd, Some(one.path), stat.mode & PERMISSIONS);
                (place.ok().flatten(), Call::Fchmodat { dirfd, path, mode })
            }
            (_, None) => return,
        };
        let fs = self.kernel.fs();
        let Some(inode) = place.and_then(|place| fs.inode(place).zip(fs.inode_id(place))) else {
            return;
        };
        let differs = (inode.0.mode ^ stat.mode) & PERMISSIONS != 0;
        if self.loose.modes.remove(&inode.1) && differs {
            let forced = Expected::only(Role::Force, call.name());
            self.emit(&Event::Call { task: tid, call }, Some(forced), None);
        }
    }
}

fn fchmod(fd: i32, mode: u32) -> Call<'static> {
    Call::Fchmod { fd, mode: mode & PERMISSIONS }
}
