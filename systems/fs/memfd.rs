//! Files of memory: memfd_create(2) and the seals of fcntl(2).
//!
//! They lie on a tmpfs that is mounted nowhere, made with the first of them, and have no name
//! there: each lives as long as somebody holds it. So do those of huge pages, of which there are
//! none: such files have a size and nothing in them.

use super::volume::Mount;
use super::volume::mount_flags::MOUNT_DETACHED;
use super::{Caller, Fs, InodeId, Kind, MountId, Name, Node, PAGE_BYTES, Pages, Place, VolumeKind};
use crate::abi::flags::{
    F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE,
};
use crate::abi::{Errno, Timespec};

/// All seals.
const SEALS: u32 =
    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;

impl Fs {
    /// A new file on a volume of a kind, with a mode and seals, to be held.
    ///
    /// # Errors
    /// `ENOSPC`.
    pub fn make_memfd(
        &mut self,
        caller: &Caller<'_>,
        name: &[u8],
        (kind, mode, seals): (VolumeKind, u32, u32),
        now: Timespec,
    ) -> Result<Place, Errno> {
        let mount = self.memory_mount(kind, now);
        let Mount { volume, root, .. } = *self.mounts.at(mount.0);
        let kind = Kind::Regular(Pages::default());
        self.room_for_inode(Place { mount, node: root }, &kind)?;
        let Node::Entry(parent) = root else { return Err(Errno::EINVAL) };
        let owner = (caller.cred.fsuid, caller.cred.fsgid);
        let inode = self.add_inode(volume, kind, mode, owner, now);
        let row = self.inode_mut(inode);
        (row.nlink, row.seals) = (0, Some(seals as u8));
        let name = [b"memfd:", name].concat();
        let entry = self.add_unlisted(parent, Name::from_slice(&name), inode);
        Ok(Place { mount, node: Node::Entry(entry) })
    }

    /// The mount of a kind that has no place in the tree; made if it is not there.
    fn memory_mount(&mut self, kind: VolumeKind, now: Timespec) -> MountId {
        let is_its = |(id, mount): &(u32, &Mount)| {
            let of_kind = self.volumes[mount.volume.0 as usize].kind == kind;
            of_kind && self.is_hidden(MountId(*id)) && !mount.is(MOUNT_DETACHED)
        };
        if let Some((id, _)) = self.mounts.iter().find(is_its) {
            return MountId(id);
        }
        let volume = self.add_volume(kind, None, now);
        let root = self.volumes[volume.0 as usize].root;
        self.insert_mount(Mount::new(volume, root, None))
    }

    /// Whether a mount is not part of the tree.
    pub(super) fn is_hidden(&self, mount: MountId) -> bool {
        let row = self.mounts.at(mount.0);
        row.is(MOUNT_DETACHED) || mount != self.root.mount && row.at.is_none()
    }

    /// Whether it is made of huge pages.
    pub fn is_huge(&self, place: Place) -> bool {
        self.volume(place).kind.facts().huge_bytes > 0
    }

    /// Whether it is a file of memory.
    pub fn is_memfd(&self, place: Place) -> bool {
        self.inode(place).is_some_and(|inode| inode.seals.is_some())
    }

    /// F_GET_SEALS.
    ///
    /// # Errors
    /// `EINVAL` for a file that cannot have any.
    pub fn seals(&self, place: Place) -> Result<u32, Errno> {
        let inode = self.inode(place).ok_or(Errno::EINVAL)?;
        match inode.seals {
            Some(seals) => Ok(u32::from(seals)),
            // A named file of tmpfs can have no more than this.
            None if self.volume(place).kind.facts().has_seals && self.pages(place).is_some() => {
                Ok(F_SEAL_SEAL)
            }
            None => Err(Errno::EINVAL),
        }
    }

    /// F_ADD_SEALS.
    ///
    /// # Errors
    /// `EINVAL` for a seal that does not exist and as [`Fs::seals`], `EPERM` once no more may be
    /// set.
    pub fn add_seals(&mut self, place: Place, seals: u32) -> Result<(), Errno> {
        if seals & !SEALS != 0 {
            return Err(Errno::EINVAL);
        }
        let old = self.seals(place)?;
        if old & F_SEAL_SEAL != 0 {
            return Err(Errno::EPERM);
        }
        let Some(inode) = self.inode_id(place) else { return Err(Errno::EINVAL) };
        // A file that is sealed against running and has x bits can be written no more either.
        let runs = seals & F_SEAL_EXEC != 0 && self.inodes.at(inode.0).mode & 0o111 != 0;
        let more =
            if runs { F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE } else { 0 };
        self.inode_mut(inode).seals = Some((old | seals | more) as u8);
        Ok(())
    }

    fn sealed(&self, inode: InodeId, seals: u32) -> bool {
        self.inodes.at(inode.0).seals.is_some_and(|set| u32::from(set) & seals != 0)
    }

    /// Whether the seals let a write happen that ends at `end`.
    ///
    /// # Errors
    /// `EPERM`.
    pub(super) fn may_write_sealed(&self, inode: InodeId, end: u64) -> Result<(), Errno> {
        let row = self.inodes.at(inode.0);
        if row.seals.is_none() {
            return Ok(());
        }
        let size = if let Kind::Regular(pages) = &row.kind { pages.size() } else { 0 };
        let grows = end > size && self.sealed(inode, F_SEAL_GROW);
        if grows || self.sealed(inode, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Whether the seals let a file get another size.
    ///
    /// # Errors
    /// `EPERM`.
    pub(super) fn may_resize_sealed(
        &self,
        inode: InodeId,
        old: u64,
        new: u64,
    ) -> Result<(), Errno> {
        let barred = new < old && self.sealed(inode, F_SEAL_SHRINK)
            || new > old && self.sealed(inode, F_SEAL_GROW);
        if barred { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether fallocate(2) may provide room, which to an end beyond the size counts as growth of
    /// a file of memory even if the size stays.
    ///
    /// # Errors
    /// `EPERM`; `ENOSPC` for more than the whole file system has.
    pub fn may_provide(&self, place: Place, (offset, len): (u64, u64)) -> Result<(), Errno> {
        let Some(inode) = self.inode_id(place) else { return Ok(()) };
        let Kind::Regular(pages) = &self.inodes.at(inode.0).kind else { return Ok(()) };
        let end = offset.saturating_add(len);
        self.may_resize_sealed(inode, pages.size(), end.max(pages.size()))?;
        let volume = self.volume(place);
        let blocks = end.div_ceil(PAGE_BYTES) - offset / PAGE_BYTES;
        let is_limited = volume.options.is_some();
        if is_limited && blocks > volume.max_pages { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    /// Whether the seals keep x bits from changing; those of huge pages do not.
    pub(super) fn mode_is_sealed(&self, inode: InodeId, mode: u32) -> bool {
        let volume = self.inodes.at(inode.0).volume;
        let is_huge = self.volumes[volume.0 as usize].kind.facts().huge_bytes > 0;
        !is_huge
            && (self.inodes.at(inode.0).mode ^ mode) & 0o111 != 0
            && self.sealed(inode, F_SEAL_EXEC)
    }

    /// Whether fallocate(2) may make a hole.
    pub fn may_punch(&self, place: Place) -> bool {
        self.inode_id(place)
            .is_none_or(|inode| !self.sealed(inode, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
    }
}
