//! pathconf(3) and fpathconf(3): no system calls, but what the C library makes of statfs(2) and of
//! fixed numbers. Their errors are those of statfs(2), and EINVAL for a name that is none.

use super::path::Spot;
use crate::abi::Errno;
use crate::abi::flags::*;
use crate::event::{Answer, Payload};
use crate::fs::{Kind, VolumeKind};
use crate::kernel::{CallResult, Kernel};

/// Most hard links where the C library does not know the kind of file system.
const LINK_MAX: u64 = 127;
/// Bits of a size on a kind that it does not know.
const FILESIZE_BITS: u64 = 32;

impl Kernel {
    /// The value of a name for a file; without one it is "unlimited", or nothing is said about it.
    pub(crate) fn pathconf(&mut self, spot: &Spot, name: u32) -> CallResult {
        let place = match spot {
            Spot::Place(place) => Some(*place),
            Spot::Open(_) => None,
        };
        let kind = place.map(|place| self.fs.kind_at(place));
        let is_ext4 = kind == Some(VolumeKind::Ext4);
        let is_regular = || {
            let inode = place.and_then(|place| self.fs.inode(place));
            inode.is_some_and(|inode| matches!(inode.kind, Kind::Regular(_)))
        };
        let value = match name {
            _PC_LINK_MAX if is_ext4 => Some(u64::from(VolumeKind::Ext4.facts().max_links)),
            _PC_LINK_MAX => Some(LINK_MAX),
            _PC_MAX_CANON | _PC_MAX_INPUT => Some(255),
            _PC_NAME_MAX => Some(crate::fs::NAME_MAX as u64),
            _PC_PATH_MAX => Some(crate::fs::PATH_MAX as u64),
            _PC_PIPE_BUF | _PC_REC_MIN_XFER_SIZE | _PC_REC_XFER_ALIGN | _PC_ALLOC_SIZE_MIN => {
                Some(4096)
            }
            _PC_CHOWN_RESTRICTED | _PC_NO_TRUNC | _PC_2_SYMLINKS => Some(1),
            _PC_VDISABLE => Some(0),
            _PC_FILESIZEBITS => Some(if is_ext4 { 64 } else { FILESIZE_BITS }),
            _PC_ASYNC_IO => is_regular().then_some(1),
            _PC_SYNC_IO
            | _PC_PRIO_IO
            | _PC_SOCK_MAXBUF
            | _PC_REC_INCR_XFER_SIZE
            | _PC_REC_MAX_XFER_SIZE
            | _PC_SYMLINK_MAX => None,
            _ => return Err(Errno::EINVAL.into()),
        };
        Ok(Answer::with(Payload::Conf(value)))
    }
}
