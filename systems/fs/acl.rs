//! Access control lists as extended attributes (acl(5), xattr(7)), as far as they are the
//! permission bits: a list of owner, group and others is the mode itself and is stored nowhere.
//!
//! Not here: lists with further entries (EOPNOTSUPP, as on a file system mounted without them).

use super::{Caller, Fs, Place};
use crate::abi::flags::{S_IFLNK, S_IFMT};
use crate::abi::{Errno, Timespec};

/// Version of the attribute's format (`POSIX_ACL_XATTR_VERSION`).
const VERSION: u32 = 2;
/// Bytes of an entry: tag, permissions, id.
const ENTRY_BYTES: usize = 8;
/// `ACL_USER_OBJ`, `ACL_GROUP_OBJ`, `ACL_OTHER`, with the place of their bits in a mode.
const TAGS: [(u16, u32); 3] = [(1, 6), (4, 3), (0x20, 0)];

/// Whether an attribute's name is that of a list.
pub(super) fn is_acl(name: &[u8]) -> bool {
    name == b"system.posix_acl_access" || name == b"system.posix_acl_default"
}

impl Fs {
    fn has_acls(&self, caller: &Caller<'_>, place: Place) -> bool {
        self.volume(place).kind.facts().has_xattrs
            && self.attributes(caller, place).mode & S_IFMT != S_IFLNK
    }

    /// getxattr(2) of a list: there is none beside the mode.
    pub(super) fn get_acl(&self, caller: &Caller<'_>, place: Place) -> Errno {
        if self.has_acls(caller, place) { Errno::ENODATA } else { Errno::EOPNOTSUPP }
    }

    /// setxattr(2) of a list: its three entries become the permission bits.
    pub(super) fn set_acl(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        (name, value): (&[u8], &[u8]),
        now: Timespec,
    ) -> Result<(), Errno> {
        if value.is_empty() {
            return self.remove_acl(caller, place, name);
        }
        let bits = permission_bits(value)?;
        if !self.has_acls(caller, place) {
            return Err(Errno::EOPNOTSUPP);
        }
        let is_default = name != b"system.posix_acl_access";
        if is_default && !self.is_directory(place) {
            return Err(Errno::EACCES);
        }
        let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
        if !self.owner_or_capable(caller, inode) {
            return Err(Errno::EPERM);
        }
        if is_default {
            return Err(Errno::EOPNOTSUPP);
        }
        let mode = self.attributes(caller, place).mode & 0o7000;
        self.chmod(caller, place, mode | bits, now)
    }

    /// removexattr(2) of a list: the mode stays.
    pub(super) fn remove_acl(
        &self,
        caller: &Caller<'_>,
        place: Place,
        name: &[u8],
    ) -> Result<(), Errno> {
        let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
        if !self.has_acls(caller, place) {
            return Err(Errno::EOPNOTSUPP);
        }
        if name != b"system.posix_acl_access" && !self.is_directory(place) {
            return Ok(());
        }
        if self.owner_or_capable(caller, inode) { Ok(()) } else { Err(Errno::EPERM) }
    }
}

/// The permission bits of a list of exactly owner, group and others.
fn permission_bits(value: &[u8]) -> Result<u32, Errno> {
    let (version, entries) = value.split_first_chunk::<4>().ok_or(Errno::EINVAL)?;
    if u32::from_le_bytes(*version) != VERSION {
        return Err(Errno::EOPNOTSUPP);
    }
    if entries.len() % ENTRY_BYTES != 0 {
        return Err(Errno::EINVAL);
    }
    let mut bits = 0;
    let mut seen = 0u16;
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        let tag = u16::from(entry[0]) | u16::from(entry[1]) << 8;
        let rights = u32::from(entry[2]) | u32::from(entry[3]) << 8;
        let further = matches!(tag, 2 | 8 | 0x10);
        let strange = if further { Errno::EOPNOTSUPP } else { Errno::EINVAL };
        let shift = TAGS.iter().find(|known| known.0 == tag).ok_or(strange)?.1;
        if rights > 7 || seen & tag != 0 {
            return Err(Errno::EINVAL);
        }
        seen |= tag;
        bits |= rights << shift;
    }
    if entries.len() == 3 * ENTRY_BYTES { Ok(bits) } else { Err(Errno::EINVAL) }
}
