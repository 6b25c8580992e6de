//! What files take (statfs(2)): counted on their volume and, for the whole tree, against one
//! capacity, so that no program fills the host's memory.
//!
//! Data counts by its pages of 4 KiB; a hole costs nothing. Inodes, names, targets of links and
//! extended attributes count too, as on a disk, each by a round number above what it takes here.
//! Counters are kept by addition and subtraction; [`Fs::recount`] walks, when a tree is decoded and
//! when it is audited. Beyond a limit creating and writing fail with `ENOSPC`; trees made without
//! asking (`builder.rs`) may be larger, and then nothing is added. Not here: quotas (`quota.rs`).

use super::acl::is_acl;
use super::inode::Inode;
use super::volume::UNLIMITED;
use super::{Fs, InodeId, Kind, PAGE_BYTES, Place, Volume, VolumeId, VolumeOptions};
use crate::abi::Errno;
use crate::wire::Bytes;

/// Bytes that a tree can take unless it is told otherwise.
pub const DEFAULT_BYTES: u64 = 2 << 30;
/// Inodes that a tree can have unless it is told otherwise.
pub const DEFAULT_INODES: u64 = 1 << 21;

/// An inode, with the start of what lists its pages.
const INODE_BYTES: u64 = 1024;
/// A name of any length, and its place in the directory and in the index.
const ENTRY_BYTES: u64 = 512;
/// An extended attribute beside its name and value.
const XATTR_BYTES: u64 = 96;
/// The same, and an inode, of the room that `nr_inodes` of tmpfs(5) stands for: found by
/// experiment on Linux 6.18.
const XATTR_SPACE: u64 = 40;
pub(super) const INODE_SPACE: u64 = 1024;
/// From so many bytes on the target of a symbolic link takes a page (tmpfs, Linux 6.18; ext4 from
/// fewer).
const LONG_TARGET_BYTES: usize = 128;

const _: () = {
    // Beside the row: its slot, and 16 places in the list of pages with 16 that are to be hashed.
    assert!(size_of::<Inode>() + 32 + 16 * (24 + 8) <= INODE_BYTES as usize);
    assert!(size_of::<super::Entry>() + 32 + super::NAME_MAX + 80 <= ENTRY_BYTES as usize);
};

/// What inodes take beside their data and their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Bytes of the capacity.
    pub(super) bytes: u64,
    /// What extended attributes take of the room for inodes, if they count there.
    pub(super) xattr_space: u64,
}

/// What is used of a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes, data by whole pages.
    pub(super) bytes: u64,
    /// Inodes.
    pub(super) inodes: u64,
    /// Sizes of all regular files and symbolic links.
    pub(super) sizes: u64,
    max_bytes: u64,
    max_inodes: u64,
}

impl Default for Usage {
    fn default() -> Self {
        let (max_bytes, max_inodes) = (DEFAULT_BYTES, DEFAULT_INODES);
        Self { bytes: 0, inodes: 0, sizes: 0, max_bytes, max_inodes }
    }
}

impl Volume {
    /// Pages in use: those of data and as many as all else fills.
    pub(super) fn used_pages(&self) -> u64 {
        if self.counts_data_only() {
            return self.pages;
        }
        self.pages + self.held_bytes.div_ceil(PAGE_BYTES)
    }

    /// Whether its limit is one of data alone: `size` of tmpfs(5).
    pub(super) fn counts_data_only(&self) -> bool {
        self.options.is_some_and(|options| !matches!(options.pages, 0 | UNLIMITED))
    }

    /// How many of its inodes one takes, with its further links if they count.
    pub(super) fn inodes_of(&self, inode: &Inode) -> u64 {
        if self.kind.facts().counts_inode_space { 1 + inode.further_links() } else { 1 }
    }

    /// How much of the room for inodes its inodes and their attributes take.
    pub(super) fn used_space(&self) -> u64 {
        let xattrs = if self.kind.facts().counts_inode_space { self.xattr_space } else { 0 };
        self.inodes * INODE_SPACE + xattrs
    }

    /// How much of it is left.
    pub(super) fn free_space(&self) -> u64 {
        self.max_inodes.saturating_mul(INODE_SPACE).saturating_sub(self.used_space())
    }

    /// What it takes itself: its source is as long as a program says.
    fn own_bytes(&self) -> u64 {
        self.options.map_or(0, |_| self.source.0.len() as u64)
    }
}

impl Fs {
    /// How much all volumes together can hold.
    pub fn set_capacity(&mut self, max_bytes: u64, max_inodes: u64) {
        (self.usage.max_bytes, self.usage.max_inodes) = (max_bytes, max_inodes);
    }

    /// How many bytes all volumes together can hold.
    pub(super) fn capacity(&self) -> u64 {
        self.usage.max_bytes
    }

    /// Bytes and inodes in use on all volumes.
    pub fn usage(&self) -> (u64, u64) {
        (self.usage.bytes, self.usage.inodes)
    }

    /// Sizes of all regular files and symbolic links together, and inodes in use: what a face's
    /// limits count (SEMANTICS.md, section 10).
    pub fn sizes(&self) -> (u64, u64) {
        (self.usage.sizes, self.usage.inodes)
    }

    /// Counts another size of a file.
    pub(super) fn count_size(&mut self, before: u64, after: u64) {
        self.usage.sizes = self.usage.sizes.wrapping_add(after).wrapping_sub(before);
    }

    /// Pages that can still be added to the volume.
    pub(super) fn room_pages(&self, volume: &Volume) -> u64 {
        let all = self.usage.max_bytes.saturating_sub(self.usage.bytes) / PAGE_BYTES;
        all.min(volume.max_pages.saturating_sub(volume.used_pages()))
    }

    /// `ENOSPC` unless so many bytes beside data fit on the volume at a place.
    pub(super) fn room_for_bytes(&self, place: Place, bytes: u64) -> Result<(), Errno> {
        let volume = self.volume(place);
        let room = if volume.counts_data_only() {
            self.usage.max_bytes.saturating_sub(self.usage.bytes) / PAGE_BYTES
        } else {
            self.room_pages(volume)
        };
        if bytes.div_ceil(PAGE_BYTES) <= room { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    /// `ENOSPC` unless a name fits in a directory.
    pub(super) fn room_for_name(&self, directory: Place) -> Result<(), Errno> {
        self.room_for_bytes(directory, ENTRY_BYTES)
    }

    /// `ENOSPC` if the volume of a directory has no room for an inode of this kind and its name.
    pub(super) fn room_for_inode(&self, directory: Place, kind: &Kind) -> Result<(), Errno> {
        let volume = self.volume(directory);
        if volume.free_space() < INODE_SPACE || self.usage.inodes >= self.usage.max_inodes {
            return Err(Errno::ENOSPC);
        }
        let pages = if let Kind::Symlink(_) = kind { kind.present() } else { 0 };
        if pages > self.room_pages(volume) {
            return Err(Errno::ENOSPC);
        }
        let bytes = INODE_BYTES + ENTRY_BYTES + target_bytes(kind);
        self.room_for_bytes(directory, bytes + pages * PAGE_BYTES)
    }

    /// `ENOSPC` if a further link of an inode counts as one and its volume has none left.
    pub(super) fn room_for_link(&self, inode: InodeId) -> Result<(), Errno> {
        let row = self.inodes.at(inode.0);
        let volume = &self.volumes[row.volume.0 as usize];
        let counts = volume.kind.facts().counts_inode_space && row.nlink > 0;
        if counts && volume.free_space() < INODE_SPACE { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    /// Gives an inode another number of links, and counts those that are inodes of the volume.
    pub(super) fn set_links(&mut self, inode: InodeId, nlink: u32) {
        let row = self.inode_mut(inode);
        let (before, at) = (row.further_links(), row.volume.0 as usize);
        row.nlink = nlink;
        let after = row.further_links();
        let volume = &mut self.volumes[at];
        if volume.kind.facts().counts_inode_space {
            volume.inodes = volume.inodes + after - before;
        }
    }

    /// `ENOMEM` unless the top of a new volume and the name of its source fit.
    pub(super) fn room_for_volume(&self, source: &[u8]) -> Result<(), Errno> {
        let bytes = self.usage.bytes + INODE_BYTES + source.len() as u64;
        let fits = self.usage.inodes < self.usage.max_inodes && bytes <= self.usage.max_bytes;
        if fits { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Gives a new volume its source and options.
    pub(super) fn set_source(&mut self, id: VolumeId, source: Bytes, options: VolumeOptions) {
        let volume = &mut self.volumes[id.0 as usize];
        (volume.source, volume.options) = (source, Some(options));
        let bytes = volume.own_bytes();
        self.count_bytes(id, 0, bytes);
    }

    /// Counts what a volume took that is empty and goes.
    pub(super) fn uncount_volume(&mut self, id: VolumeId) {
        let bytes = self.volumes[id.0 as usize].own_bytes();
        self.count_bytes(id, bytes, 0);
    }

    /// Counts another number of pages of an inode's data.
    pub(super) fn count_pages(&mut self, inode: InodeId, before: u64, after: u64) {
        let volume = self.inodes.at(inode.0).volume;
        self.count_owned_pages(inode, before, after);
        let volume = &mut self.volumes[volume.0 as usize];
        volume.pages = volume.pages + after - before;
        self.usage.bytes = self.usage.bytes + after * PAGE_BYTES - before * PAGE_BYTES;
    }

    /// Counts what an inode takes beside its data and its names.
    pub(super) fn count_held(&mut self, volume: VolumeId, before: Held, after: Held) {
        self.count_bytes(volume, before.bytes, after.bytes);
        let volume = &mut self.volumes[volume.0 as usize];
        volume.xattr_space = volume.xattr_space + after.xattr_space - before.xattr_space;
    }

    /// Counts other bytes beside data.
    pub(super) fn count_bytes(&mut self, volume: VolumeId, before: u64, after: u64) {
        let volume = &mut self.volumes[volume.0 as usize];
        volume.held_bytes = volume.held_bytes + after - before;
        self.usage.bytes = self.usage.bytes + after - before;
    }

    /// Counts a new name of something on the volume.
    pub(super) fn count_name(&mut self, volume: VolumeId) {
        self.count_bytes(volume, 0, ENTRY_BYTES);
    }

    /// Counts a name less.
    pub(super) fn uncount_name(&mut self, volume: VolumeId) {
        self.count_bytes(volume, ENTRY_BYTES, 0);
    }

    /// Counts a new inode.
    pub(super) fn count_inode(&mut self, inode: &Inode) {
        self.count_owned(inode);
        let volume = &mut self.volumes[inode.volume.0 as usize];
        volume.inodes += volume.inodes_of(inode);
        self.usage.inodes += 1;
        self.usage.sizes = self.usage.sizes.wrapping_add(inode.kind.size());
        self.count_held(inode.volume, Held::NONE, inode.held());
        let pages = inode.kind.present();
        self.volumes[inode.volume.0 as usize].pages += pages;
        self.usage.bytes += pages * PAGE_BYTES;
    }

    /// Counts an inode less.
    pub(super) fn uncount_inode(&mut self, inode: &Inode) {
        self.uncount_owned(inode);
        let volume = &mut self.volumes[inode.volume.0 as usize];
        volume.inodes -= volume.inodes_of(inode);
        self.usage.inodes -= 1;
        self.usage.sizes = self.usage.sizes.wrapping_sub(inode.kind.size());
        self.count_held(inode.volume, inode.held(), Held::NONE);
        let pages = inode.kind.present();
        self.volumes[inode.volume.0 as usize].pages -= pages;
        self.usage.bytes -= pages * PAGE_BYTES;
    }

    /// Sets the counters from the rows: they follow from them, and are not to be believed from
    /// outside.
    pub(super) fn recount(&mut self) {
        let (volumes, usage) = self.counted();
        (self.volumes, self.usage) = (volumes, usage);
    }

    /// Whether the counters are what a walk finds.
    pub(crate) fn is_counted(&self) -> bool {
        let (volumes, usage) = self.counted();
        volumes == self.volumes && usage == self.usage
    }

    fn counted(&self) -> (alloc::vec::Vec<Volume>, Usage) {
        let mut volumes = self.volumes.clone();
        for volume in &mut volumes {
            (volume.inodes, volume.pages, volume.held_bytes) = (0, 0, volume.own_bytes());
            volume.xattr_space = 0;
            volume.quotas.iter_mut().for_each(|quotas| quotas.forget());
        }
        let (mut sizes, mut inodes) = (0u64, 0);
        for (_, inode) in self.inodes.iter() {
            sizes = sizes.wrapping_add(inode.kind.size());
            inodes += 1;
            let volume = &mut volumes[inode.volume.0 as usize];
            volume.inodes += volume.inodes_of(inode);
            volume.pages += inode.kind.present();
            let held = inode.held();
            volume.held_bytes += held.bytes;
            volume.xattr_space += held.xattr_space;
            volume.quotas.iter_mut().for_each(|quotas| quotas.count(inode));
        }
        for (id, entry) in self.entries.iter() {
            // The top of a volume has no name.
            if entry.parent.0 != id {
                let volume = self.inodes.at(entry.inode.0).volume;
                volumes[volume.0 as usize].held_bytes += ENTRY_BYTES;
            }
        }
        let bytes =
            volumes.iter().map(|volume| volume.pages * PAGE_BYTES + volume.held_bytes).sum();
        (volumes, Usage { bytes, inodes, sizes, ..self.usage })
    }
}

impl Kind {
    /// Pages of data that exist or are kept free, or hold the long target of a link.
    pub(super) fn present(&self) -> u64 {
        match self {
            Kind::Regular(pages) => pages.taken(),
            Kind::Symlink(target) => u64::from(target.len() >= LONG_TARGET_BYTES),
            Kind::Directory(_)
            | Kind::Fifo
            | Kind::Socket
            | Kind::CharDevice(_)
            | Kind::BlockDevice(_) => 0,
        }
    }

    /// The size of a regular file or a symbolic link; nothing else has one.
    pub(super) fn size(&self) -> u64 {
        match self {
            Kind::Regular(pages) => pages.size(),
            Kind::Symlink(target) => target.len() as u64,
            Kind::Directory(_)
            | Kind::Fifo
            | Kind::Socket
            | Kind::CharDevice(_)
            | Kind::BlockDevice(_) => 0,
        }
    }
}

impl Inode {
    /// Links beside the first; a directory has none, whatever it counts.
    fn further_links(&self) -> u64 {
        match self.kind {
            Kind::Directory(_) => 0,
            _ => u64::from(self.nlink.saturating_sub(1)),
        }
    }

    /// What it takes beside its data and its names.
    pub(super) fn held(&self) -> Held {
        let mut held = Held { bytes: INODE_BYTES + target_bytes(&self.kind), xattr_space: 0 };
        if let Some(xattrs) = &self.xattrs {
            let (count, bytes) = xattrs.totals();
            held.bytes += count * XATTR_BYTES + bytes;
            // Access control lists are no attributes where these take room.
            let (lists, list_bytes) = xattrs.totals_of_lists();
            held.xattr_space += (count - lists) * XATTR_SPACE + bytes - list_bytes;
        }
        held
    }
}

impl Held {
    /// What is not there takes nothing.
    pub(super) const NONE: Held = Held { bytes: 0, xattr_space: 0 };
}

fn target_bytes(kind: &Kind) -> u64 {
    match kind {
        Kind::Symlink(target) if target.len() < LONG_TARGET_BYTES => target.len() as u64,
        _ => 0,
    }
}

/// What an extended attribute takes.
pub(super) fn xattr_bytes(name: &[u8], value: &[u8]) -> u64 {
    XATTR_BYTES + name.len() as u64 + value.len() as u64
}

/// What an extended attribute takes of the room for inodes where it counts; access control lists
/// are no attributes there.
pub(super) fn xattr_space(name: &[u8], value: &[u8]) -> u64 {
    if is_acl(name) {
        return 0;
    }
    XATTR_SPACE + name.len() as u64 + value.len() as u64
}
