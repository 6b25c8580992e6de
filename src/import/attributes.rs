//! Extended attributes (xattr(7)) that nothing told of: those that a file had before the recording,
//! and those of whose names or values strace printed only the beginning (`-s`). A call that shows
//! one is answered as recorded.

use tickernel_systems::abi::flags::{XATTR_CREATE, XATTR_REPLACE};
use tickernel_systems::abi::{Errno, Timespec};
use tickernel_systems::event::Call;
use tickernel_systems::fs::{Place, check_name};

use super::order::Order;
use super::paths;
use crate::replay::Recorded;

impl Order<'_> {
    /// Whether a call shows an attribute that a file has in the recording, and that the kernel
    /// could not know of.
    pub(super) fn shows_attribute(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> bool {
        let value = match recorded {
            Recorded::Value(value) => Some(value),
            // A value, or a list, for which there was no room, and a name that was there.
            Recorded::Errno(Errno::ERANGE | Errno::EEXIST) => None,
            Recorded::Errno(_) | Recorded::Never => return false,
        };
        // The name, or the room for a list.
        let (name, fd) = match *call {
            Call::Getxattr { name: Some(name), .. }
            | Call::Lgetxattr { name: Some(name), .. }
            | Call::Removexattr { name: Some(name), .. }
            | Call::Lremovexattr { name: Some(name), .. } => (Ok(name), None),
            Call::Fgetxattr { name: Some(name), fd, .. }
            | Call::Fremovexattr { name: Some(name), fd } => (Ok(name), Some(fd)),
            Call::Setxattr { name: Some(name), flags, .. }
            | Call::Lsetxattr { name: Some(name), flags, .. }
                if tells(flags, value) =>
            {
                (Ok(name), None)
            }
            Call::Fsetxattr { name: Some(name), flags, fd, .. } if tells(flags, value) => {
                (Ok(name), Some(fd))
            }
            Call::Listxattr { size, .. } | Call::Llistxattr { size, .. } => (Err(size), None),
            Call::Flistxattr { fd, size } => (Err(size), Some(fd)),
            _ => return false,
        };
        // What is no name is refused whatever the file has: the kernel knows that, too.
        if name.is_ok_and(|name| check_name(name).is_err()) {
            return false;
        }
        let Some(place) = self.place_of(tid, call, fd) else {
            // A path that nothing told of yet: its file is made for this call, without any.
            return fd.is_none() && (name.is_ok() || value != Some(0));
        };
        if !self.may_have_more(place) {
            return false;
        }
        match name {
            Ok(name) => !self.kernel.fs().has_xattr(place, name),
            Err(size) => {
                let known_bytes = self.kernel.fs().xattr_list_bytes(place);
                let size = i64::try_from(size).unwrap_or(i64::MAX);
                value.map_or(known_bytes <= size, |shown| known_bytes < shown)
            }
        }
    }

    fn place_of(&self, tid: u32, call: &Call<'_>, fd: Option<i32>) -> Option<Place> {
        if let Some(fd) = fd {
            return self.kernel.fd_view(tid, fd)?.place;
        }
        let uses = paths::uses(call);
        let one = uses.first()?;
        self.kernel.resolve(tid, one.dirfd, one.path, one.follow).ok().flatten()
    }

    /// A file that was there when the recording began, or that a call changed which strace cut.
    fn may_have_more(&self, place: Place) -> bool {
        let fs = self.kernel.fs();
        let began = Timespec::from_ns(self.kernel.config().start_ns);
        fs.inode(place).is_some_and(|inode| inode.btime <= began)
            || fs.inode_id(place).is_some_and(|inode| self.loose.names.contains(&inode))
    }
}

/// Whether the answer to setxattr(2) tells that the attribute was there.
fn tells(flags: u32, value: Option<i64>) -> bool {
    flags & XATTR_REPLACE != 0 && value.is_some() || flags & XATTR_CREATE != 0 && value.is_none()
}
