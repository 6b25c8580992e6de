//! Extended attributes (xattr(7)): getxattr(2), setxattr(2), listxattr(2), removexattr(2).
//!
//! Namespaces `user.`, `trusted.` and `security.`; access control lists are `acl.rs`'s.

use super::acl::is_acl;
use super::usage::{xattr_bytes, xattr_space};
use super::xattr_list::Xattrs;
use super::{Caller, Fs, InodeId, MAY_READ, MAY_WRITE, Node, Place, VolumeKind};
use crate::abi::credentials::{CAP_SETFCAP, CAP_SYS_ADMIN};
use crate::abi::flags::{
    IN_ATTRIB, S_IFDIR, S_IFMT, S_IFREG, S_ISVTX, XATTR_CREATE, XATTR_REPLACE,
};
use crate::abi::{Errno, Timespec};
use alloc::vec::Vec;

/// Longest name (`XATTR_NAME_MAX`).
const NAME_BYTES: usize = 255;
/// Longest value (`XATTR_SIZE_MAX`).
const VALUE_BYTES: usize = 65_536;
/// The capabilities of a program (capabilities(7)), which have a form and a right of their own.
const CAPABILITY: &[u8] = b"security.capability";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    User,
    Trusted,
    Security,
}

fn space(name: &[u8]) -> Option<Space> {
    if name.starts_with(b"user.") {
        Some(Space::User)
    } else if name.starts_with(b"trusted.") {
        Some(Space::Trusted)
    } else if name.starts_with(b"security.") {
        Some(Space::Security)
    } else {
        None
    }
}

impl Fs {
    /// The permission to use the attribute, and whether its namespace exists there.
    fn may_use_xattr(
        &self,
        caller: &Caller<'_>,
        place: Place,
        name: &[u8],
        write: bool,
    ) -> Result<(), Errno> {
        let hidden = if write { Errno::EPERM } else { Errno::ENODATA };
        let attributes = self.attributes(caller, place);
        if let (Node::Proc(node), true) = (place.node, write)
            && node.is_immutable()
        {
            return Err(Errno::EPERM);
        }
        match space(name) {
            Some(Space::Security)
                if write && name != CAPABILITY && !caller.cred.capable(CAP_SYS_ADMIN) =>
            {
                return Err(Errno::EPERM);
            }
            Some(Space::Trusted) if !caller.cred.capable(CAP_SYS_ADMIN) => return Err(hidden),
            Some(Space::Security | Space::Trusted) => {}
            Some(Space::User) => {
                if !matches!(attributes.mode & S_IFMT, S_IFREG | S_IFDIR) {
                    return Err(hidden);
                }
                if write && attributes.mode & S_IFMT == S_IFDIR && attributes.mode & S_ISVTX != 0 {
                    let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
                    if !self.owner_or_capable(caller, inode) {
                        return Err(Errno::EPERM);
                    }
                }
                self.permission(caller, place, if write { MAY_WRITE } else { MAY_READ })?;
            }
            None => {
                if !name.starts_with(b"system.") {
                    self.permission(caller, place, if write { MAY_WRITE } else { MAY_READ })?;
                }
                return Err(Errno::EOPNOTSUPP);
            }
        }
        let facts = self.volume(place).kind.facts();
        let exists = match space(name) {
            Some(Space::User) => facts.user_xattrs && facts.has_xattrs,
            Some(Space::Trusted | Space::Security) => facts.has_xattrs,
            None => false,
        };
        if !exists {
            return Err(Errno::EOPNOTSUPP);
        }
        let bare = [&b"user."[..], b"trusted.", b"security."].contains(&name);
        if bare { Err(Errno::EINVAL) } else { Ok(()) }
    }

    fn xattr(&self, inode: InodeId, name: &[u8]) -> Option<&[u8]> {
        self.inodes.at(inode.0).xattrs.as_ref()?.get(name)
    }

    /// getxattr(2): the value.
    ///
    /// # Errors
    /// `ERANGE` for the name's length, `ENODATA`, `EACCES`, `EOPNOTSUPP`, `EINVAL`.
    pub fn getxattr(
        &self,
        caller: &Caller<'_>,
        place: Place,
        name: &[u8],
    ) -> Result<Vec<u8>, Errno> {
        check_name(name)?;
        if is_acl(name) {
            return self.get_acl(caller, place, name);
        }
        self.may_use_xattr(caller, place, name, false)?;
        let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
        let value = self.xattr(inode, &self.layer_name(place, name)).ok_or(Errno::ENODATA)?;
        if name == CAPABILITY && !is_capability(value) {
            return Err(Errno::EINVAL);
        }
        Ok(value.to_vec())
    }

    /// setxattr(2).
    ///
    /// # Errors
    /// `EINVAL` for flags, `ERANGE`, `E2BIG`, `EROFS`, `EPERM`, `EACCES`, `EOPNOTSUPP`, `EEXIST`,
    /// `ENODATA`, `ENOSPC`.
    pub fn setxattr(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        (name, value): (&[u8], &[u8]),
        flags: u32,
        now: Timespec,
    ) -> Result<(), Errno> {
        check_new(name, value.len(), flags)?;
        self.writable(place)?;
        if is_acl(name) {
            return self.set_acl(caller, place, (name, value), now);
        }
        if name == CAPABILITY && !value.is_empty() {
            if !is_capability(value) {
                return Err(Errno::EINVAL);
            }
            if !caller.cred.capable(CAP_SETFCAP) {
                return Err(Errno::EPERM);
            }
        }
        self.may_use_xattr(caller, place, name, true)?;
        let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
        let name = self.layer_name(place, name);
        let name = name.as_ref();
        let present = self.xattr(inode, name);
        // A tmpfs takes the room for the new one before it looks, and gives that of the old back.
        let kept_on = self.kept_volume(place);
        if kept_on.kind.facts().counts_inode_space
            && kept_on.free_space() < xattr_space(name, value)
        {
            return Err(Errno::ENOSPC);
        }
        if flags & XATTR_REPLACE != 0 && present.is_none() {
            return Err(Errno::ENODATA);
        }
        if flags & XATTR_CREATE != 0 && present.is_some() {
            return Err(Errno::EEXIST);
        }
        // To ext4 the same value is no change.
        let is_ext4 = kept_on.kind == VolumeKind::Ext4;
        let is_same = is_ext4 && present == Some(value);
        let none = Xattrs::default();
        let all = self.inodes.at(inode.0).xattrs.as_deref().unwrap_or(&none);
        let room = if is_ext4 { all.room(name, value) } else { Some(false) };
        let is_inner = match room {
            Some(is_inner) => is_inner,
            None if is_same => false,
            None => return Err(Errno::ENOSPC),
        };
        let before = present.map_or(0, |old| xattr_bytes(name, old));
        self.room_for_bytes(place, xattr_bytes(name, value).saturating_sub(before))?;
        self.changeable(place, now)?;
        if is_same {
            self.tell(place, IN_ATTRIB);
            return Ok(());
        }
        let row = self.inode_mut(inode);
        let (volume, before) = (row.volume, row.held());
        row.xattrs.get_or_insert_default().insert(name, value, is_inner);
        row.ctime = now;
        let after = row.held();
        self.count_held(volume, before, after);
        self.mirror(place);
        self.tell(place, IN_ATTRIB);
        Ok(())
    }

    /// removexattr(2).
    ///
    /// # Errors
    /// `ERANGE`, `EROFS`, `EPERM`, `EACCES`, `EOPNOTSUPP`, `ENODATA`.
    pub fn removexattr(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        name: &[u8],
        now: Timespec,
    ) -> Result<(), Errno> {
        check_name(name)?;
        self.writable(place)?;
        if is_acl(name) {
            return self.set_acl(caller, place, (name, &[]), now);
        }
        if name == CAPABILITY && !caller.cred.capable(CAP_SETFCAP) {
            return Err(Errno::EPERM);
        }
        self.may_use_xattr(caller, place, name, true)?;
        let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
        let name = self.layer_name(place, name);
        let name = name.as_ref();
        self.xattr(inode, name).ok_or(Errno::ENODATA)?;
        self.changeable(place, now)?;
        let row = self.inode_mut(inode);
        let (volume, before) = (row.volume, row.held());
        if let Some(xattrs) = &mut row.xattrs {
            xattrs.remove(name);
            if xattrs.is_empty() {
                row.xattrs = None;
            }
        }
        row.ctime = now;
        let after = row.held();
        self.count_held(volume, before, after);
        self.mirror(place);
        self.tell(place, IN_ATTRIB);
        Ok(())
    }

    /// Whether a file has an attribute, whoever asks.
    pub fn has_xattr(&self, place: Place, name: &[u8]) -> bool {
        let xattrs = self.inode(place).and_then(|inode| inode.xattrs.as_ref());
        xattrs.is_some_and(|all| all.get(&self.layer_name(place, name)).is_some())
    }

    /// Bytes of the list of all attributes of a file, as listxattr(2) gives them to root.
    pub fn xattr_list_bytes(&self, place: Place) -> i64 {
        let xattrs = self.inode(place).and_then(|inode| inode.xattrs.as_ref());
        let names = xattrs.iter().flat_map(|all| all.listed(true));
        let seen = names.filter_map(|name| self.seen_name(place, name));
        seen.map(|name| name.len() as i64 + 1).sum()
    }

    /// listxattr(2): each name with its NUL; `trusted.` ones only for those who may use them.
    pub fn listxattr(&self, caller: &Caller<'_>, place: Place) -> Vec<u8> {
        let mut list = Vec::new();
        let xattrs = self.inode(place).and_then(|inode| inode.xattrs.as_ref());
        let is_ext4 = self.kept_on(place) == VolumeKind::Ext4;
        for name in xattrs.iter().flat_map(|all| all.listed(is_ext4)) {
            let Some(name) = self.seen_name(place, name) else { continue };
            if space(&name) != Some(Space::Trusted) || caller.cred.capable(CAP_SYS_ADMIN) {
                list.extend_from_slice(&name);
                list.push(0);
            }
        }
        list
    }
}

/// Whether a value has the form of `struct vfs_cap_data`: version 2, or 3 with a root's id.
fn is_capability(value: &[u8]) -> bool {
    matches!((value.len(), value.get(3)), (20, Some(2)) | (24, Some(3)))
}

/// What setxattr(2) checks before it looks for the file: `EINVAL` for flags, the name's length,
/// `E2BIG`.
pub(crate) fn check_new(name: &[u8], bytes: usize, flags: u32) -> Result<(), Errno> {
    if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    check_name(name)?;
    if bytes > VALUE_BYTES { Err(Errno::E2BIG) } else { Ok(()) }
}

/// What every call of xattr(7) asks of a name before it looks at the file.
///
/// # Errors
/// `ERANGE` for a name that is empty or too long.
pub fn check_name(name: &[u8]) -> Result<(), Errno> {
    if name.is_empty() || name.len() > NAME_BYTES { Err(Errno::ERANGE) } else { Ok(()) }
}
