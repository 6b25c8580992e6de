//! The whole tree as bytes, and its digest (DESIGN section 7).
//!
//! The encoding is canonical: rows in the order of their ids, free ids in the order of reuse. The
//! digest is a wrapping sum of a hash a row, in which a file's contents stand as the sum of the
//! hashes of their pages, so that after a small change only what changed is hashed.

use super::directory::Index;
use super::inode::Entry;
use super::overlay_mount::DEPTH_MAX;
use super::table::Table;
use super::volume::mount_flags::MOUNT_DETACHED;
use super::{
    EntryId, Fs, Inode, InodeId, Kind, MOUNTS_MAX, Mount, MountId, Node, Place, Protected, Volume,
    VolumeId, VolumeKind,
};
use crate::digest::hash64;
use crate::wire::{Wire, WireError, WireReader};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// Seeds that keep equal rows of different tables apart.
const INODES: u64 = 1 << 32;
const ENTRIES: u64 = 2 << 32;
const MOUNTS: u64 = 3 << 32;
const REST: u64 = 4 << 32;
/// No tree lives to have so many mounts made.
const ORDER_MAX: u64 = u64::MAX / 2;

/// An inode as the digest takes it: its contents by their hash.
fn hash_inode(id: u32, inode: &Inode, content: u64, bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    inode.kind.type_bits().put(bytes);
    match &inode.kind {
        Kind::Regular(pages) => {
            for number in [pages.size(), pages.present(), content] {
                number.put(bytes);
            }
        }
        Kind::Directory(list) => list.put(bytes),
        Kind::Symlink(target) => target.put(bytes),
        Kind::CharDevice(device) | Kind::BlockDevice(device) => device.put(bytes),
        Kind::Fifo | Kind::Socket => {}
    }
    inode.put_attributes(bytes);
    hash64(INODES | u64::from(id), bytes)
}

fn hash_row<'a>(seed: u64, id: u32, row: &impl Wire<'a>, bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    row.put(bytes);
    hash64(seed | u64::from(id), bytes)
}

impl Fs {
    /// The digest of the tree; hashes only what changed since the last one.
    pub fn digest(&mut self) -> u64 {
        let bytes = &mut Vec::new();
        let inodes = self.inodes.digest(|id, inode| {
            let content = match &mut inode.kind {
                Kind::Regular(pages) => pages.content_hash(),
                _ => 0,
            };
            hash_inode(id, inode, content, bytes)
        });
        let entries = self.entries.digest(|id, entry| hash_row(ENTRIES, id, entry, bytes));
        let mounts = self.mounts.digest(|id, mount| hash_row(MOUNTS, id, mount, bytes));
        inodes.wrapping_add(entries).wrapping_add(mounts).wrapping_add(self.hash_rest())
    }

    /// What [`Fs::digest`] must give, from every row and every page.
    pub fn digest_walk(&self) -> u64 {
        let bytes = &mut Vec::new();
        let inodes = self.inodes.digest_walk(|id, inode| {
            let content = match &inode.kind {
                Kind::Regular(pages) => pages.content_hash_walk(),
                _ => 0,
            };
            hash_inode(id, inode, content, bytes)
        });
        let entries = self.entries.digest_walk(|id, entry| hash_row(ENTRIES, id, entry, bytes));
        let mounts = self.mounts.digest_walk(|id, mount| hash_row(MOUNTS, id, mount, bytes));
        inodes.wrapping_add(entries).wrapping_add(mounts).wrapping_add(self.hash_rest())
    }

    fn hash_rest(&self) -> u64 {
        let mut bytes = Vec::new();
        self.volumes.put(&mut bytes);
        self.root.put(&mut bytes);
        self.protected.put(&mut bytes);
        if !self.lends_nothing() {
            self.put_lent(&mut bytes);
        }
        hash64(REST, &bytes)
    }

    /// Checks what the rows say of each other, so that nothing that follows a reference can fail.
    fn check(&self) -> Result<(), &'static str> {
        let entry = |id: EntryId| self.entries.get(id.0);
        let mut names = vec![0u32; self.inodes.ids()];
        let mut holds = vec![0u32; self.entries.ids()];
        for (id, row) in self.entries.iter() {
            let above = entry(row.parent).ok_or("the parent of an entry")?;
            let inode = self.inodes.get(row.inode.0).ok_or("the inode of an entry")?;
            let above = self.inodes.get(above.inode.0).ok_or("the inode of a parent")?;
            // What is no directory may be another layer's in an overlay.
            let is_layered = self
                .volumes
                .get(above.volume.0 as usize)
                .is_some_and(|volume| volume.kind == VolumeKind::Overlay)
                && !matches!(inode.kind, Kind::Directory(_));
            let fits = above.volume == inode.volume || is_layered;
            if !matches!(above.kind, Kind::Directory(_)) || !fits {
                return Err("a directory of the same volume as the parent");
            }
            names[row.inode.0 as usize] += 1;
            if !row.linked {
                holds[row.parent.0 as usize] += 1;
            }
            if row.name.len() > super::walk::NAME_MAX || (row.parent.0 == id) != row.name.is_empty()
            {
                return Err("a name of 1 to 255 bytes");
            }
            if row.parent.0 == id && !row.linked {
                return Err("a top of a tree that is there");
            }
        }
        for (id, row) in self.inodes.iter() {
            if names[id as usize] != row.entries || row.entries == 0 {
                return Err("an inode's number of entries");
            }
            if !self.is_volume(row.volume) {
                return Err("the volume of an inode");
            }
            if let Kind::Directory(list) = &row.kind
                && (row.entries != 1 || entry(list.entry).map(|entry| entry.inode.0) != Some(id))
            {
                return Err("one entry of a directory");
            }
        }
        if self.entries.iter().any(|(id, entry)| entry.holds < holds[id as usize]) {
            return Err("as many holds as removed entries below");
        }
        self.check_acyclic()?;
        self.check_mounts()
    }

    /// Every entry leads up to a volume's root.
    fn check_acyclic(&self) -> Result<(), &'static str> {
        let mut good = vec![false; self.entries.ids()];
        let mut path = Vec::new();
        for (id, _) in self.entries.iter() {
            let mut at = id;
            while !good[at as usize] {
                path.push(at);
                let parent = self.entries.at(at).parent.0;
                if parent == at {
                    break;
                }
                if path.len() as u64 > self.entries.live() {
                    return Err("a tree without cycles");
                }
                at = parent;
            }
            for id in path.drain(..) {
                good[id as usize] = true;
            }
        }
        Ok(())
    }

    fn is_volume(&self, id: VolumeId) -> bool {
        self.volumes.get(id.0 as usize).is_some_and(|volume| !volume.is_vacant())
    }

    /// Every mount stands on others down to one that stands on none.
    fn check_stacks(&self) -> Result<(), &'static str> {
        let mut good = vec![false; self.mounts.ids()];
        let mut path = Vec::new();
        for (id, _) in self.mounts.iter() {
            let mut at = Some(id);
            while let Some(id) = at.filter(|id| !good[*id as usize]) {
                path.push(id);
                if path.len() as u64 > self.mounts.live() {
                    return Err("mounts that lie on each other down to one that lies on none");
                }
                at = self.mounts.at(id).at.map(|at| at.mount.0);
            }
            for id in path.drain(..) {
                good[id as usize] = true;
            }
        }
        Ok(())
    }

    fn check_mounts(&self) -> Result<(), &'static str> {
        let node_exists = |node: Node| match node {
            Node::Entry(entry) => self.entries.get(entry.0).is_some(),
            Node::Proc(_) => true,
        };
        if !self.volumes.iter().all(|volume| node_exists(volume.root)) {
            return Err("the root of a volume");
        }
        let mut places = alloc::collections::BTreeSet::new();
        let mut on_entry: BTreeMap<u32, u32> = BTreeMap::new();
        // Walks through a stack of mounts cost what it is high.
        if self.mounts.live() > 2 * MOUNTS_MAX {
            return Err("as many mounts as there can be");
        }
        for (_, mount) in self.mounts.iter() {
            let is_there =
                |at: Place| self.mounts.get(at.mount.0).is_some() && node_exists(at.node);
            let on_volume = match mount.root {
                Node::Entry(entry) => self.entries.get(entry.0).is_some_and(|entry| {
                    // A file of an overlay may be its layer's; its directory is not.
                    let above = self.entries.at(entry.parent.0);
                    let on = |inode: InodeId| self.inodes.at(inode.0).volume == mount.volume;
                    on(entry.inode) || on(above.inode)
                }),
                Node::Proc(_) => true,
            };
            if !mount.at.is_none_or(is_there) || !on_volume || !self.is_volume(mount.volume) {
                return Err("a mount of a part of its volume on a place that is there");
            }
            let lost = mount.is(MOUNT_DETACHED) && mount.at.is_some();
            if lost || mount.order > ORDER_MAX {
                return Err("a mount in its turn, and on a place if it was not taken away");
            }
            if mount.at.is_some_and(|at| !places.insert(at)) {
                return Err("one mount on each place");
            }
            if let Some(Place { node: Node::Entry(entry), .. }) = mount.at {
                *on_entry.entry(entry.0).or_default() += 1;
            }
        }
        let is_layer = |id: &MountId| {
            self.mounts.get(id.0).is_some_and(|mount| {
                mount.is(MOUNT_DETACHED) && matches!(mount.root, Node::Entry(_))
            })
        };
        let layers = self.volumes.iter().filter_map(|volume| volume.layers.as_ref());
        for layers in layers {
            let all = layers.lowers.iter().chain(&layers.upper).all(is_layer);
            if !all || layers.lowers.len() <= layers.options.data_layers as usize {
                return Err("layers of an overlay as mounts that lie nowhere");
            }
            let on = |mount: &MountId| self.depth(self.mounts.at(mount.0).volume);
            let is_flat = layers.upper.as_ref().is_none_or(|upper| on(upper) == 0);
            if !is_flat || layers.lowers.iter().any(|lower| on(lower) >= DEPTH_MAX) {
                return Err("overlays on each other up to two");
            }
        }
        self.check_stacks()?;
        let counted = self.entries.iter().filter(|(_, entry)| entry.mounts > 0);
        if !counted.map(|(id, entry)| (id, entry.mounts)).eq(on_entry) {
            return Err("as many mounts on an entry as it says");
        }
        let mount = self.mounts.get(self.root.mount.0).ok_or("the root's mount")?;
        if mount.root == self.root.node { Ok(()) } else { Err("the root on top of its mount") }
    }
}

impl<'a> Wire<'a> for Fs {
    fn put(&self, out: &mut Vec<u8>) {
        self.volumes.put(out);
        self.inodes.put(out, Inode::put);
        self.entries.put(out, Entry::put);
        self.mounts.put(out, Mount::put);
        self.root.put(out);
        self.protected.put(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let mut fs = Fs {
            volumes: Vec::<Volume>::get(from)?,
            inodes: Table::take(from, Inode::get)?,
            entries: Table::take(from, Entry::get)?,
            mounts: Table::take(from, Mount::get)?,
            root: Place::get(from)?,
            protected: Protected::get(from)?,
            index: Index::default(),
            mounted: BTreeMap::new(),
            mount_index: super::mounts::MountIndex::default(),
            usage: super::usage::Usage::default(),
            teller: super::notify::Teller::default(),
            lent: super::lent::Lent::default(),
        };
        let error = |expected| from.error(expected);
        fs.check().map_err(error)?;
        fs.relist().map_err(error)?;
        fs.index_mounts();
        fs.recount();
        Ok(fs)
    }
}

impl Fs {
    /// An inode by its id; `None` if there is none.
    pub fn inode_by_id(&self, id: InodeId) -> Option<&Inode> {
        self.inodes.get(id.0)
    }

    /// The inode of a number that stat(2) or getdents64(2) gave; `None` if it is not stored.
    pub fn inode_by_ino(&self, ino: u64) -> Option<&Inode> {
        self.inode_by_id(InodeId(u32::try_from(ino.checked_sub(2)?).ok()?))
    }

    /// The inode number of a place; `None` below /proc.
    pub fn ino_of(&self, place: Place) -> Option<u64> {
        self.inode_id(place).map(|inode| self.number_at(place.mount, inode))
    }
}
