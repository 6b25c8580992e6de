//! The tree of mounts: what mount(2) and umount2(2) do to it. Owns where mounts lie, their turns,
//! who keeps them busy, and the life of a volume from its first mount to its last.
//!
//! Arguments and their order of checks: `calls/mount.rs`; options: `mount_options.rs`. Not here:
//! propagation (mounts are private, mount_namespaces(7)), pivot_root(2), automounts.

use super::mount_options::Options;
use super::usage::INODE_SPACE;
use super::volume::mount_flags::*;
use super::volume::{Mount, UNLIMITED, Volume, VolumeOptions};
use super::{
    Caller, EntryId, Fs, Kind, Meta, MountId, Node, Place, ProcNode, VolumeId, VolumeKind,
};
use crate::abi::flags::{MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_DIRSYNC};
use crate::abi::{Errno, Timespec};
use crate::wire::Bytes;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Most mounts (`ENOSPC`): what `/proc/sys/fs/mount-max` says here. Lists of mounts and walks
/// through a stack of them cost what they touch, so it is lower than Linux's default.
pub const MOUNTS_MAX: u64 = 16_384;

/// What is mounted anew.
#[derive(Clone, Debug)]
pub struct NewMount<'a> {
    /// Kind of file system.
    pub kind: VolumeKind,
    /// What mounts(5) shows as its source.
    pub source: &'a [u8],
    /// Options of the file system.
    pub data: &'a [u8],
    /// `MS_RDONLY` and other flags that a file system keeps.
    pub volume_flags: u32,
    /// `MOUNT_*` of the mount.
    pub flags: u32,
}

/// What follows from the rows of mounts and volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MountIndex {
    /// All mounts in their turns.
    turns: BTreeSet<(u64, MountId)>,
    /// How many mounts each volume has.
    of_volume: Vec<u32>,
    /// Numbers of volumes that are gone.
    vacant: BTreeSet<VolumeId>,
}

impl MountIndex {
    fn count(&mut self, volume: VolumeId) -> &mut u32 {
        let at = volume.0 as usize;
        if at >= self.of_volume.len() {
            self.of_volume.resize(at + 1, 0);
        }
        &mut self.of_volume[at]
    }
}

impl Fs {
    /// Puts a volume at the lowest free number.
    pub(super) fn place_volume(&mut self, make: impl FnOnce(VolumeId) -> Volume) -> VolumeId {
        match self.mount_index.vacant.pop_first() {
            Some(id) => {
                self.volumes[id.0 as usize] = make(id);
                id
            }
            None => {
                let id = VolumeId(self.volumes.len() as u32);
                self.volumes.push(make(id));
                id
            }
        }
    }

    /// Adds a mount, and puts it on its place if it has one.
    pub(super) fn insert_mount(&mut self, mount: Mount) -> MountId {
        let (at, order, volume) = (mount.at, mount.order, mount.volume);
        let id = MountId(self.mounts.insert(mount));
        self.mount_index.turns.insert((order, id));
        *self.mount_index.count(volume) += 1;
        if let Some(entry) = self.held_root(id) {
            self.entries.at_mut(entry.0).holds += 1;
        }
        if let Some(at) = at {
            self.put_on(id, at);
        }
        id
    }

    /// The entry that a mount keeps alive: its top, if that is not its volume's.
    pub(super) fn held_root(&self, id: MountId) -> Option<EntryId> {
        let row = self.mounts.at(id.0);
        match row.root {
            Node::Entry(entry) if row.root != self.volumes[row.volume.0 as usize].root => {
                Some(entry)
            }
            Node::Entry(_) | Node::Proc(_) => None,
        }
    }

    fn put_on(&mut self, id: MountId, at: Place) {
        self.mounts.at_mut(id.0).at = Some(at);
        self.mounted.insert(at, id);
        if let Node::Entry(entry) = at.node {
            let row = self.entries.at_mut(entry.0);
            row.mounts += 1;
            row.holds += 1;
        }
    }

    /// Takes a mount from its place.
    pub(super) fn take_off(&mut self, id: MountId) {
        let Some(at) = self.mounts.at_mut(id.0).at.take() else { return };
        self.mounted.remove(&at);
        if let Node::Entry(entry) = at.node {
            let row = self.entries.at_mut(entry.0);
            row.mounts = row.mounts.saturating_sub(1);
            row.holds = row.holds.saturating_sub(1);
            self.drop_if_unused(entry);
        }
    }

    /// Derives the index from decoded rows.
    pub(super) fn index_mounts(&mut self) {
        let mut index = MountIndex::default();
        for (id, mount) in self.mounts.iter() {
            index.turns.insert((mount.order, MountId(id)));
            *index.count(mount.volume) += 1;
            if let Some(at) = mount.at {
                self.mounted.insert(at, MountId(id));
            }
        }
        let volumes = self.volumes.iter().enumerate();
        index.vacant = volumes
            .filter_map(|(id, volume)| volume.is_vacant().then_some(VolumeId(id as u32)))
            .collect();
        self.mount_index = index;
    }

    /// Whether the index is what a walk finds.
    pub(super) fn is_indexed(&self) -> bool {
        let mut again = self.clone_rows();
        again.index_mounts();
        let shorter = again.mount_index.of_volume.len();
        let (mine, rest) =
            self.mount_index.of_volume.split_at(shorter.min(self.mount_index.of_volume.len()));
        again.mounted == self.mounted
            && again.mount_index.turns == self.mount_index.turns
            && again.mount_index.vacant == self.mount_index.vacant
            && again.mount_index.of_volume == mine
            && rest.iter().all(|count| *count == 0)
    }

    /// A tree of nothing but its mounts and volumes.
    fn clone_rows(&self) -> Fs {
        Fs {
            inodes: super::Table::default(),
            entries: super::Table::default(),
            index: super::Index::default(),
            volumes: self.volumes.clone(),
            mounts: self.mounts.clone(),
            mounted: alloc::collections::BTreeMap::new(),
            mount_index: MountIndex::default(),
            root: self.root,
            protected: self.protected,
            usage: super::usage::Usage::default(),
            teller: super::notify::Teller::default(),
            lent: super::lent::Lent::default(),
        }
    }

    /// All mounts of the tree in their turns.
    pub(super) fn listed_mounts(&self) -> impl Iterator<Item = (MountId, &Mount)> {
        let all = self.mount_index.turns.iter();
        all.filter(|(_, id)| !self.is_hidden(*id)).map(|(_, id)| (*id, self.mounts.at(id.0)))
    }

    pub(super) fn next_turn(&self) -> u64 {
        self.mount_index.turns.last().map_or(1, |(turn, _)| turn + 1)
    }

    /// The mounts that lie on one, in their turns.
    fn mounts_on(&self, mount: MountId) -> Vec<MountId> {
        let first = Place { mount, node: Node::Entry(EntryId(0)) };
        let on = self.mounted.range(first..).take_while(|(at, _)| at.mount == mount);
        let mut found: Vec<_> = on.map(|(_, id)| (self.mounts.at(id.0).order, *id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    fn has_mounts_on(&self, mount: MountId) -> bool {
        let first = Place { mount, node: Node::Entry(EntryId(0)) };
        self.mounted.range(first..).next().is_some_and(|(at, _)| at.mount == mount)
    }

    /// A mount and all that lie on it, each before those on it.
    fn tree_of_mounts(&self, top: MountId) -> Vec<MountId> {
        let mut found = Vec::new();
        let mut open = alloc::vec![top];
        while let Some(id) = open.pop() {
            found.push(id);
            open.extend(self.mounts_on(id).into_iter().rev());
        }
        found
    }

    /// Whether a place is the top of a mount in the tree.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn is_mount(&self, place: Place) -> Result<(), Errno> {
        let top = place.node == self.mounts.at(place.mount.0).root;
        if top && !self.is_hidden(place.mount) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Where something is mounted that is to lie on a place: on top of what lies there already.
    pub(super) fn to_cover(&self, place: Place) -> Result<Place, Errno> {
        let place = self.top_mount(place);
        let gone = self.is_deleted(place) || self.is_hidden(place.mount);
        if gone { Err(Errno::ENOENT) } else { Ok(place) }
    }

    pub(super) fn room_for_mounts(&self, count: usize) -> Result<(), Errno> {
        let all = self.mounts.live() + count as u64;
        if all <= MOUNTS_MAX { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    /// Mounts a new file system on a place.
    ///
    /// # Errors
    /// `EINVAL` for its options, `ENOMEM`, `ENOENT` on what was removed, `ENOTDIR`, `ENOSPC`.
    pub fn mount_new(
        &mut self,
        caller: &Caller<'_>,
        at: Place,
        new: &NewMount<'_>,
        now: Timespec,
    ) -> Result<(), Errno> {
        let mut options = Options::of(new.volume_flags);
        options.read(new.kind, new.data, self.capacity_pages())?;
        self.room_for_volume(new.source)?;
        let at = self.to_cover(at)?;
        if !self.is_directory(at) {
            return Err(Errno::ENOTDIR);
        }
        self.room_for_mounts(1)?;
        let is_proc = new.kind == VolumeKind::Proc;
        let root = is_proc.then_some(Node::Proc(ProcNode::ROOT));
        let id = self.add_volume(new.kind, root, now);
        let root = self.volumes[id.0 as usize].root;
        let own = (caller.cred.fsuid, caller.cred.fsgid);
        let (uid, gid) = if is_proc { (0, 0) } else { own };
        let given = VolumeOptions {
            flags: options.kept,
            pages: options.pages.unwrap_or(0),
            inodes: options.inodes.unwrap_or(0),
            mode: options.mode.unwrap_or(default_mode(new.kind)),
            uid: options.uid.unwrap_or(uid),
            gid: options.gid.unwrap_or(gid),
        };
        self.set_source(id, Bytes(new.source.to_vec()), given);
        self.limit_volume(id, &options);
        self.set_quotas(id, options.quotas);
        self.volumes[id.0 as usize].read_only = options.read_only;
        let (flags, order) = (new.flags, self.next_turn());
        let mount = self.insert_mount(Mount { flags, order, ..Mount::new(id, root, Some(at)) });
        if !is_proc {
            let top = Place { mount, node: root };
            let meta =
                Meta { uid: given.uid, gid: given.gid, ..Meta::directory(given.mode & 0o7777) };
            // The top of a stored volume is no entry of /proc.
            self.describe(top, &meta).unwrap_or(());
        }
        Ok(())
    }

    fn limit_volume(&mut self, id: VolumeId, options: &Options) {
        let volume = &mut self.volumes[id.0 as usize];
        volume.max_pages = options.pages.unwrap_or(volume.max_pages);
        volume.max_inodes = options.inodes.unwrap_or(volume.max_inodes);
    }

    /// Binds what is at one place (`recursive`: with the mounts below) to another.
    ///
    /// # Errors
    /// `ENOENT`, `EINVAL`, `ENOTDIR` if only one is a directory, `ENOSPC`.
    pub fn bind(&mut self, from: Place, at: Place, recursive: bool) -> Result<(), Errno> {
        let at = self.to_cover(at)?;
        let source = self.mounts.at(from.mount.0);
        if self.is_hidden(from.mount) || source.is(MOUNT_UNBINDABLE) {
            return Err(Errno::EINVAL);
        }
        let copied = if recursive { self.bound_with(from) } else { alloc::vec![from.mount] };
        if self.is_directory(from) != self.is_directory(at) {
            return Err(Errno::ENOTDIR);
        }
        if self.is_deleted(from) {
            return Err(Errno::ENOENT);
        }
        self.room_for_mounts(copied.len())?;
        let mut copies = alloc::collections::BTreeMap::new();
        for id in copied {
            let old = self.mounts.at(id.0).clone();
            let (root, on) = if id == from.mount {
                (from.node, at)
            } else {
                let Some(old_at) = old.at else { continue };
                let Some(mount) = copies.get(&old_at.mount) else { continue };
                (old.root, Place { mount: *mount, node: old_at.node })
            };
            let (flags, order) = (old.flags & !MOUNT_EXPIRES, self.next_turn());
            let new = Mount { flags, order, ..Mount::new(old.volume, root, Some(on)) };
            copies.insert(id, self.insert_mount(new));
        }
        Ok(())
    }

    /// A mount and what lies below a place of it, but for what cannot be bound.
    fn bound_with(&self, from: Place) -> Vec<MountId> {
        let mut found = Vec::new();
        let mut open = alloc::vec![from.mount];
        while let Some(id) = open.pop() {
            found.push(id);
            let on = self.mounts_on(id).into_iter().rev();
            open.extend(on.filter(|child| {
                let row = self.mounts.at(child.0);
                let below =
                    id != from.mount || row.at.is_some_and(|at| self.is_below(from.node, at.node));
                below && !row.is(MOUNT_UNBINDABLE)
            }));
        }
        found
    }

    /// Whether a node is another or lies below it, on one volume.
    pub(super) fn is_below(&self, above: Node, mut node: Node) -> bool {
        loop {
            if node == above {
                return true;
            }
            let parent = self.parent_node(node);
            if parent == node {
                return false;
            }
            node = parent;
        }
    }

    /// Moves a mount with all that lies on it to another place.
    ///
    /// # Errors
    /// `ENOENT`, `EINVAL` for what is no mount or of another type, `ELOOP` for a place on itself.
    pub fn move_mount(&mut self, from: Place, at: Place) -> Result<(), Errno> {
        let at = self.to_cover(at)?;
        self.is_mount(from)?;
        if self.is_directory(from) != self.is_directory(at) {
            return Err(Errno::EINVAL);
        }
        // On the mount of the root lies every place.
        let mut above = Some(at.mount);
        while let Some(id) = above {
            if id == from.mount {
                return Err(Errno::ELOOP);
            }
            above = self.mounts.at(id.0).at.map(|at| at.mount);
        }
        if self.is_deleted(from) {
            return Err(Errno::ENOENT);
        }
        self.take_off(from.mount);
        self.put_on(from.mount, at);
        Ok(())
    }

    /// Flags that a mount is to have; how reads are taken down stays as it is unless it `is_told`.
    pub fn kept_flags(&self, place: Place, flags: u32, is_told: bool) -> u32 {
        const ATIME: u32 = MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_STRICTATIME;
        let old = self.mounts.at(place.mount.0).flags;
        if is_told { flags } else { flags & !ATIME | old & ATIME }
    }

    /// Other flags for one mount.
    ///
    /// # Errors
    /// `EINVAL` for what is no mount, `EBUSY` if files are open for writing and it is to be
    /// read-only.
    pub fn remount(&mut self, place: Place, flags: u32) -> Result<(), Errno> {
        self.is_mount(place)?;
        let row = self.mounts.at(place.mount.0);
        let closes = flags & MOUNT_READ_ONLY != 0 && !row.is(MOUNT_READ_ONLY);
        if closes && row.writers > 0 {
            return Err(Errno::EBUSY);
        }
        let row = self.mounts.at_mut(place.mount.0);
        row.flags = row.flags & MOUNT_UNBINDABLE | flags;
        Ok(())
    }

    /// Other options for a file system, and other flags for the mount that it is reached by.
    ///
    /// # Errors
    /// `EINVAL` for what is no mount and for its options, `EBUSY` if files are open for writing and
    /// it is to be read-only; then `EINVAL` for limits that it cannot get.
    pub fn reconfigure(
        &mut self,
        place: Place,
        (volume_flags, flags): (u32, u32),
        data: &[u8],
    ) -> Result<(), Errno> {
        self.is_mount(place)?;
        let id = self.mounts.at(place.mount.0).volume;
        let volume = &self.volumes[id.0 as usize];
        let mut options = Options::of(volume_flags);
        options.read(volume.kind, data, self.capacity_pages())?;
        // Quotas are the volume's from its first mount on, or never.
        let asks = options.quotas.users || options.quotas.groups;
        let had = volume.quotas.as_ref().map(|quotas| quotas.options).unwrap_or_default();
        if asks && options.quotas != had {
            return Err(Errno::EINVAL);
        }
        if options.read_only {
            self.may_close_volume(id)?;
        }
        self.may_limit(id, &options)?;
        self.limit_volume(id, &options);
        let volume = &mut self.volumes[id.0 as usize];
        volume.read_only = options.read_only;
        if let Some(given) = &mut volume.options {
            given.flags = given.flags & MS_DIRSYNC | options.kept & !MS_DIRSYNC;
            given.pages = options.pages.unwrap_or(given.pages);
            given.inodes = options.inodes.unwrap_or(given.inodes);
        }
        let row = self.mounts.at_mut(place.mount.0);
        row.flags = row.flags & MOUNT_UNBINDABLE | flags;
        Ok(())
    }

    /// `EINVAL` for limits below what is used, or where there was none.
    fn may_limit(&self, id: VolumeId, options: &Options) -> Result<(), Errno> {
        let volume = &self.volumes[id.0 as usize];
        let had = volume.options.map_or((0, 0), |given| (given.pages, given.inodes));
        let pages = options.pages.filter(|pages| *pages != UNLIMITED);
        let inodes = options.inodes.filter(|inodes| *inodes != UNLIMITED);
        let small = pages.is_some_and(|pages| pages < volume.pages || had.0 == UNLIMITED)
            || inodes.is_some_and(|inodes| {
                inodes.saturating_mul(INODE_SPACE) < volume.used_space() || had.1 == UNLIMITED
            });
        if small { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// `EBUSY` while files are open for writing, or removed and open, on a volume that can still be
    /// written. A rare call, and the only one that asks: it looks.
    fn may_close_volume(&self, id: VolumeId) -> Result<(), Errno> {
        if self.volumes[id.0 as usize].read_only {
            return Ok(());
        }
        let written = self.mounts.iter().any(|(_, row)| row.volume == id && row.writers > 0);
        let removed = || self.inodes.iter().any(|(_, row)| row.volume == id && row.nlink == 0);
        if written || removed() { Err(Errno::EBUSY) } else { Ok(()) }
    }

    /// Makes mounts bindable or not; all else about propagation is that they are private.
    ///
    /// # Errors
    /// `EINVAL` for what is no mount.
    pub fn set_bindable(
        &mut self,
        place: Place,
        bindable: bool,
        recursive: bool,
    ) -> Result<(), Errno> {
        self.is_mount(place)?;
        let all =
            if recursive { self.tree_of_mounts(place.mount) } else { alloc::vec![place.mount] };
        for id in all {
            if self.mounts.at(id.0).is(MOUNT_UNBINDABLE) == bindable {
                self.mounts.at_mut(id.0).flags ^= MOUNT_UNBINDABLE;
            }
        }
        Ok(())
    }

    /// umount2(2) of what lies on a place, or what it is the top of, for a caller with this root.
    ///
    /// # Errors
    /// `EINVAL` for what is no mount, `EAGAIN` and `EBUSY`.
    pub fn umount(&mut self, root: Place, place: Place, flags: u32) -> Result<(), Errno> {
        let place = self.top_mount(place);
        self.is_mount(place)?;
        let id = place.mount;
        let row = self.mounts.at(id.0);
        let busy = row.users > 0 || self.has_mounts_on(id);
        if flags & MNT_EXPIRE != 0 {
            if id == root.mount || flags & (MNT_FORCE | MNT_DETACH) != 0 {
                return Err(Errno::EINVAL);
            }
            if busy {
                return Err(Errno::EBUSY);
            }
            if !row.is(MOUNT_EXPIRES) {
                self.mounts.at_mut(id.0).flags |= MOUNT_EXPIRES;
                return Err(Errno::EAGAIN);
            }
        }
        if id == root.mount && flags & MNT_DETACH == 0 {
            // What the caller stands on is only closed for writing.
            let volume = row.volume;
            self.may_close_volume(volume)?;
            self.volumes[volume.0 as usize].read_only = true;
            return Ok(());
        }
        if flags & MNT_DETACH == 0 && busy {
            return Err(Errno::EBUSY);
        }
        for id in self.tree_of_mounts(id).into_iter().rev() {
            self.take_off(id);
            let row = self.mounts.at_mut(id.0);
            row.flags |= MOUNT_DETACHED;
            if row.users == 0 {
                self.drop_mount(id);
            }
        }
        Ok(())
    }

    /// A mount that was used is used no more: it is not about to expire, and if it was taken away,
    /// it goes.
    pub(super) fn unused_mount(&mut self, id: MountId) {
        self.stay(id);
        if self.mounts.at(id.0).is(MOUNT_DETACHED) {
            self.drop_mount(id);
        }
    }

    /// A path led to a mount: it is not about to expire.
    pub fn stay(&mut self, id: MountId) {
        if self.mounts.get(id.0).is_some_and(|row| row.is(MOUNT_EXPIRES)) {
            self.mounts.at_mut(id.0).flags &= !MOUNT_EXPIRES;
        }
    }

    pub(super) fn drop_mount(&mut self, id: MountId) {
        // The first one stays, even if it is reached no more.
        if id == self.root.mount {
            return;
        }
        if let Some(entry) = self.held_root(id) {
            let row = self.entries.at_mut(entry.0);
            row.holds = row.holds.saturating_sub(1);
            self.drop_if_unused(entry);
        }
        let Some(row) = self.mounts.remove(id.0) else { return };
        self.mount_index.turns.remove(&(row.order, id));
        let count = self.mount_index.count(row.volume);
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.drop_volume(row.volume);
        }
    }

    /// Frees a volume that nobody can reach any more, with all that lies on it.
    fn drop_volume(&mut self, id: VolumeId) {
        if let Node::Entry(top) = self.volumes[id.0 as usize].root {
            let mut found = Vec::new();
            let mut open = alloc::vec![top];
            while let Some(entry) = open.pop() {
                found.push(entry);
                let inode = self.entry(entry).inode;
                if let Kind::Directory(list) = &self.inodes.at(inode.0).kind {
                    open.extend(list.entries_from(0).map(|(_, entry)| entry));
                }
            }
            for entry in found.into_iter().rev() {
                self.drop_entry(entry, entry == top);
            }
        }
        self.uncount_volume(id);
        let gone = core::mem::replace(&mut self.volumes[id.0 as usize], Volume::vacant());
        self.mount_index.vacant.insert(id);
        if let Some(layers) = gone.layers {
            for mount in layers.upper.into_iter().chain(layers.lowers) {
                self.drop_mount(mount);
            }
        }
    }

    fn drop_entry(&mut self, id: EntryId, is_top: bool) {
        if !is_top {
            self.unindex_entry(id);
            let inode = self.entry(id).inode;
            self.uncount_name(self.inodes.at(inode.0).volume);
        }
        let Some(row) = self.entries.remove(id.0) else { return };
        let inode = self.inodes.at_mut(row.inode.0);
        inode.entries = inode.entries.saturating_sub(1);
        if inode.entries == 0 {
            self.free_inode(row.inode);
        }
    }
}

/// Permissions of the top of a new volume.
pub(super) const fn default_mode(kind: VolumeKind) -> u32 {
    match kind {
        VolumeKind::Tmpfs => 0o1777,
        VolumeKind::Proc => 0o555,
        VolumeKind::Ext4 | VolumeKind::Devtmpfs | VolumeKind::Devpts => 0o755,
        VolumeKind::Ramfs | VolumeKind::Overlay => 0o755,
        VolumeKind::HugePages | VolumeKind::GiganticPages => 0o755,
    }
}
