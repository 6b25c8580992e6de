//! What makes names: creat (the making half of open(2)), mkdir(2), mknod(2), symlink(2), link(2).
//!
//! Each takes the walked path of the new name; the caller's umask is applied here.

use super::permission::in_group_or_capable;
use super::walk::{Last, Walked};
use super::{Caller, EntryId, Fs, InodeId, Kind, Name, Node, Pages, Place, VolumeId};
use crate::abi::credentials::{CAP_FOWNER, CAP_MKNOD};
use crate::abi::flags::{
    IN_ATTRIB, IN_CREATE, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, S_ISGID,
    S_ISUID, S_IXGRP,
};
use crate::abi::{Errno, Timespec};

/// Checks the type bits of mknod(2)'s mode, which the kernel does before it looks at the path.
///
/// # Errors
/// `EPERM` for a directory, `EINVAL` for what is no type.
pub fn check_mknod_mode(mode: u32) -> Result<(), Errno> {
    match mode & S_IFMT {
        0 | S_IFREG | S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK => Ok(()),
        S_IFDIR => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

impl Fs {
    /// Whether a path can be the new name of what is no directory, permissions aside.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `EROFS`, and those of the walk to it.
    pub fn may_name(&self, at: &Walked) -> Result<(), Errno> {
        self.new_name(at, false)
    }

    /// Whether a path can be a new name: what the kernel checks before it asks for permission.
    fn new_name(&self, at: &Walked, directory: bool) -> Result<(), Errno> {
        if at.last != Last::Name || at.place?.is_some() {
            return Err(Errno::EEXIST);
        }
        if at.trailing_slash && !directory {
            return Err(Errno::ENOENT);
        }
        self.writable(at.parent)
    }

    /// mkdir(2); of `mode` only the permission and sticky bits count.
    ///
    /// # Errors
    /// `EEXIST`, `EROFS`, `ENOENT` in a removed directory, `EACCES`, `ENOSPC`.
    pub fn mkdir(
        &mut self,
        caller: &Caller<'_>,
        at: &Walked,
        mode: u32,
        now: Timespec,
    ) -> Result<Place, Errno> {
        self.new_name(at, true)?;
        self.may_create(caller, at.parent)?;
        self.make_told(caller, at, Kind::directory(), mode & 0o1777, now)
    }

    /// mknod(2) of every type but directories; `device` counts for device nodes only.
    ///
    /// # Errors
    /// Those of [`check_mknod_mode`]; `EEXIST`, `ENOENT` for a name with a slash behind it,
    /// `EROFS`, `EACCES`, `EPERM` for a device without `CAP_MKNOD`, `ENOSPC`.
    pub fn mknod(
        &mut self,
        caller: &Caller<'_>,
        at: &Walked,
        mode: u32,
        device: u64,
        now: Timespec,
    ) -> Result<Place, Errno> {
        check_mknod_mode(mode)?;
        self.new_name(at, false)?;
        self.may_create(caller, at.parent)?;
        let kind = match mode & S_IFMT {
            S_IFCHR => Kind::CharDevice(device),
            S_IFBLK => Kind::BlockDevice(device),
            S_IFIFO => Kind::Fifo,
            S_IFSOCK => Kind::Socket,
            _ => Kind::Regular(Pages::default()),
        };
        let is_device = matches!(kind, Kind::CharDevice(_) | Kind::BlockDevice(_));
        // Whoever may make a file may leave a whiteout, which opens nothing.
        let whiteout = matches!(kind, Kind::CharDevice(0));
        if whiteout && self.overlay_at(at.parent).is_some() {
            return Err(Errno::EPERM);
        }
        if is_device && !whiteout && !caller.cred.capable(CAP_MKNOD) {
            return Err(Errno::EPERM);
        }
        self.make_told(caller, at, kind, mode & 0o7777, now)
    }

    /// symlink(2): makes a link at the path that holds `target`.
    ///
    /// # Errors
    /// `ENOENT` for an empty target, `ENAMETOOLONG`; then as mknod(2) of a file.
    pub fn symlink(
        &mut self,
        caller: &Caller<'_>,
        target: &[u8],
        at: &Walked,
        now: Timespec,
    ) -> Result<Place, Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        self.new_name(at, false)?;
        self.may_create(caller, at.parent)?;
        if target.len() > self.volume(at.parent).kind.facts().max_symlink_bytes {
            return Err(Errno::ENAMETOOLONG);
        }
        self.make_told(caller, at, Kind::Symlink(target.into()), 0o777, now)
    }

    /// link(2): gives the inode at `old` another name.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `EROFS`, `EXDEV`, `EPERM` for directories and by `protected_hardlinks`,
    /// `EACCES`, `EMLINK`, `ENOSPC`.
    pub fn link(
        &mut self,
        caller: &Caller<'_>,
        old: Place,
        at: &Walked,
        now: Timespec,
    ) -> Result<Place, Errno> {
        self.new_name(at, false)?;
        if old.mount != at.parent.mount {
            return Err(Errno::EXDEV);
        }
        self.may_link(caller, old)?;
        self.may_create(caller, at.parent)?;
        let (_, inode) = self.stored(old)?;
        let (parent, directory) = self.stored(at.parent)?;
        let row = self.inodes.at(inode.0);
        let overlay = self.overlay_at(at.parent);
        if overlay.is_none() && row.volume != self.inodes.at(directory.0).volume {
            return Err(Errno::EXDEV);
        }
        if let Kind::Directory(_) = row.kind {
            return Err(Errno::EPERM);
        }
        if row.nlink == 0 && !row.linkable {
            return Err(Errno::ENOENT);
        }
        if row.nlink >= self.volume(old).kind.facts().max_links {
            return Err(Errno::EMLINK);
        }
        self.room_for_link(inode)?;
        self.room_for_name(at.parent)?;
        if let Some(overlay) = overlay {
            self.changeable(old, now)?;
            self.link_on_overlay(overlay, (parent, &at.name), inode, now)?;
        }
        self.set_links(inode, self.inodes.at(inode.0).nlink + 1);
        let row = self.inode_mut(inode);
        row.linkable = false;
        row.ctime = now;
        let entry = self.add_entry(parent, at.name.clone(), inode);
        self.changed(directory, now);
        self.tell_inode(inode, IN_ATTRIB);
        self.tell_name(directory, &at.name, false, IN_CREATE);
        Ok(Place { mount: at.parent.mount, node: Node::Entry(entry) })
    }

    /// [`Fs::make`] at a path, which those who watch the directory are told.
    fn make_told(
        &mut self,
        caller: &Caller<'_>,
        at: &Walked,
        kind: Kind,
        mode: u32,
        now: Timespec,
    ) -> Result<Place, Errno> {
        let is_directory = matches!(kind, Kind::Directory(_));
        let place = self.make(caller, at.parent, &at.name, kind, mode, now)?;
        if let Some(directory) = self.inode_id(at.parent) {
            self.tell_name(directory, &at.name, is_directory, IN_CREATE);
        }
        Ok(place)
    }

    /// `protected_hardlinks` of proc_sys_fs(5): others' files only if they are plain and the caller
    /// can read and write them.
    fn may_link(&self, caller: &Caller<'_>, old: Place) -> Result<(), Errno> {
        let attributes = self.attributes(caller, old);
        let owner = attributes.uid == caller.cred.fsuid || caller.cred.capable(CAP_FOWNER);
        if !self.protected.hardlinks || owner {
            return Ok(());
        }
        let set_group = attributes.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        let plain = attributes.mode & S_IFMT == S_IFREG && attributes.mode & S_ISUID == 0;
        let open = self.permission(caller, old, super::MAY_READ | super::MAY_WRITE);
        if plain && !set_group && open.is_ok() { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Makes an inode with the caller as its owner and names it: the last step, after all checks.
    pub(super) fn make(
        &mut self,
        caller: &Caller<'_>,
        directory: Place,
        name: &Name,
        kind: Kind,
        mode: u32,
        now: Timespec,
    ) -> Result<Place, Errno> {
        let (parent, above) = self.stored(directory)?;
        self.room_for_inode(directory, &kind)?;
        let (volume, mode, gid) = self.inherited(caller, above, &kind, mode);
        let owner = (caller.cred.fsuid, gid);
        self.quota_for_inode(caller, volume, &kind, owner)?;
        self.room_for_lists(directory, above)?;
        let entry = match self.overlay_at(directory) {
            None => self.attach(parent, name.clone(), volume, kind, mode, owner, now),
            Some(overlay) => {
                self.make_on_overlay(overlay, (parent, name), kind, mode, owner, now)?
            }
        };
        self.inherit_lists(above, self.entry(entry).inode);
        self.changed(above, now);
        Ok(Place { mount: directory.mount, node: Node::Entry(entry) })
    }

    /// Volume, mode and group of a new inode (inode(7), "The set-group-ID bit"): below a
    /// set-group-ID directory the group is the directory's, and directories inherit the bit.
    /// Whether a file keeps its own is seen from the mode that was asked for, before the umask.
    pub(super) fn inherited(
        &self,
        caller: &Caller<'_>,
        directory: InodeId,
        kind: &Kind,
        mode: u32,
    ) -> (VolumeId, u32, u32) {
        let above = self.inodes.at(directory.0);
        // Links have all permissions, whatever the umask.
        let by_list = self.mode_by_list(directory, kind, mode);
        let is_link = matches!(kind, Kind::Symlink(_));
        let umask = if by_list.is_some() || is_link { 0 } else { caller.umask };
        let asked = mode;
        let mode = by_list.unwrap_or(mode);
        if above.mode & S_ISGID == 0 {
            return (above.volume, mode & !umask, caller.cred.fsgid);
        }
        let mode = if let Kind::Directory(_) = kind {
            mode | S_ISGID
        } else if asked & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP
            && !in_group_or_capable(caller.cred, above.gid)
        {
            mode & !S_ISGID
        } else {
            mode
        };
        (above.volume, mode & !umask, above.gid)
    }

    /// Makes an inode and its first name, no questions asked.
    #[allow(clippy::too_many_arguments, reason = "what an inode and an entry consist of")]
    pub(super) fn attach(
        &mut self,
        parent: EntryId,
        name: Name,
        volume: VolumeId,
        kind: Kind,
        mode: u32,
        owner: (u32, u32),
        now: Timespec,
    ) -> EntryId {
        let inode = self.add_inode(volume, kind, mode, owner, now);
        let entry = self.add_entry(parent, name, inode);
        let row = self.inode_mut(inode);
        if let Kind::Directory(list) = &mut row.kind {
            list.entry = entry;
            row.nlink = 2;
            let above = self.entry(parent).inode;
            self.add_subdirectory(above);
        }
        entry
    }

    /// Counts the `..` of one more subdirectory; a count that the kind cannot hold is 1 from then
    /// on.
    pub(super) fn add_subdirectory(&mut self, directory: InodeId) {
        let volume = self.inodes.at(directory.0).volume;
        let most = self.volumes[volume.0 as usize].kind.facts().max_dir_links;
        let row = self.inode_mut(directory);
        row.nlink = if row.nlink == 1 || row.nlink >= most { 1 } else { row.nlink + 1 };
    }

    /// Counts the `..` of one subdirectory less.
    pub(super) fn drop_subdirectory(&mut self, directory: InodeId) {
        let row = self.inode_mut(directory);
        if row.nlink > 2 {
            row.nlink -= 1;
        }
    }

    /// Stamps an inode whose contents (for a directory: entries) changed.
    pub(super) fn changed(&mut self, directory: InodeId, now: Timespec) {
        let row = self.inode_mut(directory);
        (row.mtime, row.ctime) = (now, now);
    }
}
