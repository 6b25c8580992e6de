//! Permission checks by credentials (path_resolution(7) "Permissions", capabilities(7)).

use super::procfs::attributes_of;
use super::volume::mount_flags::{MOUNT_NODEV, MOUNT_NOEXEC, MOUNT_NOSUID};
use super::{Caller, Fs, InodeId, Node, Place};
use crate::abi::credentials::{CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID};
use crate::abi::flags::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISVTX, S_IXGRP};
use crate::abi::{Credentials, Errno};

/// Execute a file, search a directory.
pub const MAY_EXEC: u32 = 1;
/// Write.
pub const MAY_WRITE: u32 = 2;
/// Read.
pub const MAY_READ: u32 = 4;

/// What a check needs to know of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Type and permission bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Whether mode, owner and group of what is no directory allow all of `mask`.
pub fn allows(cred: &Credentials, (mode, uid, gid): (u32, u32, u32), mask: u32) -> bool {
    Attributes { mode, uid, gid }.allow(cred, mask)
}

impl Attributes {
    /// Whether the credentials allow all of `mask`.
    fn allow(&self, cred: &Credentials, mask: u32) -> bool {
        self.class_allows(cred, mask) || self.is_overridden(cred, mask)
    }

    fn class_allows(&self, cred: &Credentials, mask: u32) -> bool {
        let class = if cred.fsuid == self.uid {
            self.mode >> 6
        } else if cred.in_group(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        class & mask == mask
    }

    /// Whether capabilities allow what the permission bits do not (capabilities(7)).
    fn is_overridden(&self, cred: &Credentials, mask: u32) -> bool {
        if self.mode & S_IFMT == S_IFDIR {
            let search = mask & MAY_WRITE == 0 && cred.capable(CAP_DAC_READ_SEARCH);
            return search || cred.capable(CAP_DAC_OVERRIDE);
        }
        if mask == MAY_READ && cred.capable(CAP_DAC_READ_SEARCH) {
            return true;
        }
        (mask & MAY_EXEC == 0 || self.mode & 0o111 != 0) && cred.capable(CAP_DAC_OVERRIDE)
    }
}

impl Attributes {
    /// Whether a file of /proc/sys, which is root's, may be used (proc_sys(5)).
    fn sysctl_allows(&self, cred: &Credentials, mask: u32) -> bool {
        let is_file = self.mode & S_IFMT == S_IFREG;
        let bits = match cred {
            _ if cred.euid == 0 => self.mode >> 6,
            _ if cred.egid == 0 || cred.groups.contains(&0) => self.mode >> 3,
            _ => self.mode,
        };
        !(is_file && mask & MAY_EXEC != 0) && mask & !bits & 7 == 0
    }
}

impl Fs {
    pub(super) fn attributes(&self, caller: &Caller<'_>, place: Place) -> Attributes {
        match place.node {
            Node::Entry(entry) => {
                let inode = self.inodes.at(self.entry(entry).inode.0);
                let mode = inode.mode | inode.kind.type_bits();
                Attributes { mode, uid: inode.uid, gid: inode.gid }
            }
            Node::Proc(node) => {
                let shown = attributes_of(caller.proc, node);
                let changed = match node.pid {
                    0 => self.mounted_volume(place).proc_changes.get(&node.id),
                    _ => None,
                };
                changed.map_or(shown, |is| {
                    let mode = shown.mode & S_IFMT | is.mode;
                    Attributes { mode, uid: is.uid, gid: is.gid }
                })
            }
        }
    }

    /// Checks `MAY_*` bits as the kernel does for every access.
    ///
    /// # Errors
    /// `EROFS` for writing to a file, directory or link of a read-only volume; `EACCES`.
    pub fn permission(&self, caller: &Caller<'_>, place: Place, mask: u32) -> Result<(), Errno> {
        let attributes = self.attributes(caller, place);
        let content = matches!(attributes.mode & S_IFMT, S_IFREG | S_IFDIR | S_IFLNK);
        if mask & MAY_WRITE != 0 && content && self.is_read_only(place) {
            return Err(Errno::EROFS);
        }
        let own = match place.node {
            Node::Proc(node) if mask & MAY_WRITE != 0 && node.is_immutable() => {
                return Err(Errno::EPERM);
            }
            // Its bits hold for all, whatever their capabilities.
            Node::Proc(node) if node.is_sys() => {
                let may = attributes.sysctl_allows(caller.cred, mask);
                return if may { Ok(()) } else { Err(Errno::EACCES) };
            }
            Node::Proc(node) if !node.is_shown_to(caller.proc) => return Err(Errno::EACCES),
            Node::Proc(node) => node.lists_descriptors_of(caller.proc),
            Node::Entry(entry) => {
                let inode = self.entry(entry).inode;
                if let Some(allowed) = self.acl_allows(inode, caller.cred, mask) {
                    let may = allowed || attributes.is_overridden(caller.cred, mask);
                    return if may { Ok(()) } else { Err(Errno::EACCES) };
                }
                false
            }
        };
        if own || attributes.allow(caller.cred, mask) { Ok(()) } else { Err(Errno::EACCES) }
    }

    pub(super) fn mount_is(&self, place: Place, flag: u32) -> bool {
        self.mounts.at(place.mount.0).is(flag)
    }

    /// Whether programs on a place may be executed, as far as its mount goes.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn may_execute(&self, place: Place) -> Result<(), Errno> {
        if self.mount_is(place, MOUNT_NOEXEC) { Err(Errno::EACCES) } else { Ok(()) }
    }

    /// Whether set-id bits of programs on a place count.
    pub fn sets_ids(&self, place: Place) -> bool {
        !self.mount_is(place, MOUNT_NOSUID)
    }

    /// Whether devices on a place may be opened, as far as its mount goes.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn may_open_device(&self, place: Place) -> Result<(), Errno> {
        if self.mount_is(place, MOUNT_NODEV) { Err(Errno::EACCES) } else { Ok(()) }
    }

    /// Checks that a directory may be searched: at once if all may.
    pub(super) fn may_search(&self, caller: &Caller<'_>, place: Place) -> Result<(), Errno> {
        if let Node::Entry(entry) = place.node {
            let inode = self.inodes.at(self.entry(entry).inode.0);
            if inode.mode & 0o111 == 0o111 && inode.xattrs.is_none() {
                return Ok(());
            }
        }
        self.permission(caller, place, MAY_EXEC)
    }

    /// access(2) for the credentials of the caller (real or effective: the caller's choice) and
    /// `R_OK | W_OK | X_OK` or `F_OK`.
    ///
    /// # Errors
    /// `EACCES`; `EROFS` for writing where a mount is read-only.
    pub fn access(&self, caller: &Caller<'_>, place: Place, mode: u32) -> Result<(), Errno> {
        let kind = self.attributes(caller, place).mode & S_IFMT;
        if mode & MAY_EXEC != 0 && kind == S_IFREG && self.mount_is(place, MOUNT_NOEXEC) {
            return Err(Errno::EACCES);
        }
        self.permission(caller, place, mode)?;
        if mode & MAY_WRITE != 0 && matches!(kind, S_IFREG | S_IFDIR | S_IFLNK) {
            return self.writable(place);
        }
        Ok(())
    }

    /// Whether the caller may make an entry in the directory, which must still exist.
    pub(super) fn may_create(&self, caller: &Caller<'_>, directory: Place) -> Result<(), Errno> {
        if self.is_dead(directory) {
            return Err(Errno::ENOENT);
        }
        self.permission(caller, directory, MAY_WRITE | MAY_EXEC)?;
        self.takes_names(directory)
    }

    /// Names of a devpts come and go with its terminals, and by nobody's call.
    fn takes_names(&self, directory: Place) -> Result<(), Errno> {
        if self.is_slave(directory) { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether the caller may take away an entry of the directory (`is_dir`: by rmdir(2), or by
    /// renaming a directory over it).
    pub(super) fn may_delete(
        &self,
        caller: &Caller<'_>,
        directory: Place,
        victim: Place,
        is_dir: bool,
    ) -> Result<(), Errno> {
        self.permission(caller, directory, MAY_WRITE | MAY_EXEC)?;
        let (above, below) = (self.attributes(caller, directory), self.attributes(caller, victim));
        let owner = caller.cred.fsuid == below.uid || caller.cred.fsuid == above.uid;
        if above.mode & S_ISVTX != 0 && !owner && !caller.cred.capable(CAP_FOWNER) {
            return Err(Errno::EPERM);
        }
        if let Node::Proc(node) = victim.node
            && node.is_immutable()
        {
            return Err(Errno::EPERM);
        }
        match (is_dir, below.mode & S_IFMT == S_IFDIR) {
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            (true, true) | (false, false) if self.is_dead(directory) => Err(Errno::ENOENT),
            (true, true) | (false, false) => self.takes_names(directory),
        }
    }

    /// Whether the caller is the owner or acts as one (`CAP_FOWNER`).
    pub(super) fn owner_or_capable(&self, caller: &Caller<'_>, inode: InodeId) -> bool {
        let uid = self.inodes.at(inode.0).uid;
        uid == caller.cred.fsuid || caller.cred.capable(CAP_FOWNER)
    }

    /// Which of the set-id bits a change of owner or contents takes from the mode (chown(2),
    /// write(2)): set-user-id always, set-group-id if it means execution or is not the caller's.
    pub(super) fn dropped_set_ids(&self, caller: &Caller<'_>, inode: InodeId) -> u32 {
        let inode = self.inodes.at(inode.0);
        let mut dropped = inode.mode & 0o4000;
        let keeps = in_group_or_capable(caller.cred, inode.gid);
        if inode.mode & S_ISGID != 0 && (inode.mode & S_IXGRP != 0 || !keeps) {
            dropped |= S_ISGID;
        }
        dropped
    }
}

/// Whether the credentials may keep the set-group-id bit for this group.
pub(super) fn in_group_or_capable(cred: &Credentials, gid: u32) -> bool {
    cred.in_group(gid) || cred.capable(CAP_FSETID)
}
