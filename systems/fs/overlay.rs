//! Overlays (Documentation/filesystems/overlayfs.rst, mount(8)): a tree in which an upper layer
//! covers lower ones. Owns what a mount of one is made of, and how its layers are seen as one.
//!
//! The merged tree is built when it is mounted, as entries of a volume of its own: directories, and
//! copies of the lower files that share their pages. What is in the upper layer is the same inode
//! under two names, so nothing is copied twice: when a lower file is changed, its copy moves to the
//! upper layer and gets its name there (`overlay_change.rs`). Which directories lie under one
//! follows from its path. A change of a layer behind the overlay's back is not seen, which Linux
//! leaves undefined.
//!
//! Not here: `redirect_dir`, `index`, `metacopy`, `nfs_export` and `userxattr`; the attributes
//! `trusted.overlay.impure` and `.uuid`; numbers of devices of layers on several file systems.

use super::attributes::ino;
use super::mount_options::KEPT;
use super::volume::mount_flags::{MOUNT_DETACHED, MOUNT_READ_ONLY};
use super::{
    Caller, EntryId, Fs, Inode, InodeId, Kind, Mount, MountId, Name, NewMount, Node, Place, Volume,
    VolumeId, VolumeKind, VolumeOptions,
};
use crate::abi::flags::MS_RDONLY;
use crate::abi::{Errno, Timespec};
use crate::wire::Bytes;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Where attributes lie by which the layers speak to each other.
pub(super) const PRIVATE: &[u8] = b"trusted.overlay.";
/// An attribute of that name that a program made in an overlay lies here.
pub(super) const ESCAPED: &[u8] = b"trusted.overlay.overlay.";
/// Of a directory that hides those below it; its value is `y`.
pub(super) const OPAQUE: &[u8] = b"trusted.overlay.opaque";
/// Most lower layers.
pub const LOWER_LAYERS_MAX: usize = 500;

/// The layers of an overlay, as mounts that lie nowhere and keep them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// What is changed; `None` for an overlay that cannot be.
    pub upper: Option<MountId>,
    /// The others, the topmost first.
    pub lowers: Vec<MountId>,
    /// What mounts(5) shows of them.
    pub text: Bytes,
}

crate::wire_struct!(Layers { upper, lowers, text });

/// The places that an overlay is made of.
#[derive(Clone, Debug, Default)]
pub struct LayerPlaces {
    /// The topmost first.
    pub lowers: Vec<Place>,
    /// What takes changes.
    pub upper: Option<Place>,
    /// Where Linux prepares them, on the same mount.
    pub work: Option<Place>,
    /// What mounts(5) shows of them.
    pub text: Vec<u8>,
}

/// What lies under a directory of an overlay.
pub(super) struct Under {
    /// The directory in the upper layer, if it is there.
    pub(super) upper: Option<EntryId>,
    /// Those that it is merged with, the topmost first.
    pub(super) lowers: Vec<EntryId>,
}

impl Fs {
    /// The overlay that a place lies on.
    pub(super) fn overlay_at(&self, place: Place) -> Option<VolumeId> {
        let volume = self.mounts.at(place.mount.0).volume;
        self.volumes[volume.0 as usize].layers.is_some().then_some(volume)
    }

    /// The overlay that an entry belongs to, by the directory above it.
    pub(super) fn overlay_of(&self, entry: EntryId) -> Option<VolumeId> {
        let above = self.entry(self.entry(entry).parent).inode;
        let volume = self.inodes.at(above.0).volume;
        self.volumes[volume.0 as usize].layers.is_some().then_some(volume)
    }

    pub(super) fn layers(&self, overlay: VolumeId) -> Option<&Layers> {
        self.volumes[overlay.0 as usize].layers.as_deref()
    }

    /// The kind of file system that a place is on, as statfs(2) tells it.
    pub fn kind_at(&self, place: Place) -> VolumeKind {
        self.overlay_at(place).map_or(self.volume(place).kind, |_| VolumeKind::Overlay)
    }

    /// The kind of file system that changes at a place are kept on.
    pub fn kept_on(&self, place: Place) -> VolumeKind {
        self.kept_volume(place).kind
    }

    /// That file system itself.
    pub(super) fn kept_volume(&self, place: Place) -> &Volume {
        let upper = self.overlay_at(place).and_then(|overlay| self.upper_volume(overlay));
        upper.map_or(self.volume(place), |volume| &self.volumes[volume.0 as usize])
    }

    /// The directory of a layer that one of an overlay is, if it is one alone.
    fn only_layer(&self, overlay: VolumeId, directory: EntryId) -> Option<EntryId> {
        let Under { upper, lowers } = self.under(overlay, directory);
        match (upper, lowers.as_slice()) {
            (Some(upper), []) => Some(upper),
            (None, [lower]) => Some(*lower),
            _ => None,
        }
    }

    /// The kind of file system whose list a directory is: that of its layer, if it has one only.
    pub fn list_kind(&self, place: Place) -> VolumeKind {
        let (Some(overlay), Node::Entry(entry)) = (self.overlay_at(place), place.node) else {
            return self.volume(place).kind;
        };
        match self.only_layer(overlay, entry) {
            Some(layer) => self.volumes[self.inode_of(layer).volume.0 as usize].kind,
            None => VolumeKind::Overlay,
        }
    }

    /// Bytes that listxattr(2) wants on an overlay: those of all names of the layer, whoever asks
    /// and whatever is shown.
    pub fn listed_in_layer(&self, place: Place) -> Option<u64> {
        let overlay = self.overlay_at(place)?;
        let Node::Entry(entry) = place.node else { return None };
        let real = if self.is_dir_entry(entry) {
            let under = self.under(overlay, entry);
            under.upper.or(under.lowers.first().copied())?
        } else {
            entry
        };
        let names = self.inode_of(real).xattrs.iter().flat_map(|all| all.keys());
        Some(names.map(|name| name.len() as u64 + 1).sum())
    }

    /// The top of a layer.
    fn layer_root(&self, mount: MountId) -> Option<EntryId> {
        match self.mounts.get(mount.0)?.root {
            Node::Entry(entry) => Some(entry),
            Node::Proc(_) => None,
        }
    }

    fn inode_of(&self, entry: EntryId) -> &Inode {
        self.inodes.at(self.entry(entry).inode.0)
    }

    pub(super) fn is_dir_entry(&self, entry: EntryId) -> bool {
        matches!(self.inode_of(entry).kind, Kind::Directory(_))
    }

    fn is_opaque(&self, entry: EntryId) -> bool {
        let xattrs = self.inode_of(entry).xattrs.as_ref();
        xattrs.and_then(|all| all.get(OPAQUE)).is_some_and(|value| value == b"y")
    }

    /// Whether an entry of a layer says that there is nothing.
    pub(super) fn is_whiteout(&self, entry: EntryId) -> bool {
        matches!(self.inode_of(entry).kind, Kind::CharDevice(0))
    }

    /// What lies under a directory of an overlay.
    pub(super) fn under(&self, overlay: VolumeId, directory: EntryId) -> Under {
        let mut names = Vec::new();
        let mut at = directory;
        loop {
            let row = self.entry(at);
            if row.parent == at {
                break;
            }
            names.push(at);
            at = row.parent;
        }
        let Some(layers) = self.layers(overlay) else {
            return Under { upper: None, lowers: Vec::new() };
        };
        let root = |mount: &MountId| self.layer_root(*mount);
        let mut under = Under {
            upper: layers.upper.as_ref().and_then(root),
            lowers: layers.lowers.iter().filter_map(root).collect(),
        };
        for entry in names.into_iter().rev() {
            let name = &self.entry(entry).name;
            let child = under.upper.and_then(|above| self.child(above, name));
            under.upper = child.filter(|child| self.is_dir_entry(*child));
            let covers = |child: EntryId| !self.is_dir_entry(child) || self.is_opaque(child);
            if child.is_some_and(covers) {
                under.lowers.clear();
            }
            under.lowers = self.merged_below(&under.lowers, name);
        }
        under
    }

    /// The directories of a name that are merged, in these directories.
    fn merged_below(&self, above: &[EntryId], name: &[u8]) -> Vec<EntryId> {
        let mut found = Vec::new();
        for child in above.iter().filter_map(|above| self.child(*above, name)) {
            if !self.is_dir_entry(child) {
                break;
            }
            found.push(child);
            if self.is_opaque(child) {
                break;
            }
        }
        found
    }

    /// Whether lower directories show something of a name.
    pub(super) fn is_covered(&self, lowers: &[EntryId], name: &[u8]) -> bool {
        let first = lowers.iter().find_map(|above| self.child(*above, name));
        first.is_some_and(|child| !self.is_whiteout(child))
    }

    /// The number that an inode shows at a mount: on an overlay that of the layer which it was
    /// copied from, which it keeps when it is copied up.
    pub(super) fn number_at(&self, mount: MountId, inode: InodeId) -> u64 {
        let volume = self.mounts.at(mount.0).volume;
        let is_layered = self.volumes[volume.0 as usize].layers.is_some();
        let other = self.inodes.at(inode.0).seen_as.filter(|_| is_layered);
        ino(other.unwrap_or(inode))
    }

    /// Whether a directory of an overlay shows more than one: its link count is then 1.
    #[cold]
    pub(super) fn is_merged_at(&self, place: Place, directory: EntryId) -> bool {
        let Some(overlay) = self.overlay_at(place) else { return false };
        let under = self.under(overlay, directory);
        under.lowers.len() + usize::from(under.upper.is_some()) > 1
    }

    /// Mounts an overlay on a place.
    ///
    /// # Errors
    /// `EINVAL` for layers that cannot be, `ELOOP` for those in each other, `ENOMEM`, `ENOENT` on
    /// what was removed, `ENOTDIR`, `ENOSPC`.
    pub fn mount_overlay(
        &mut self,
        caller: &Caller<'_>,
        at: Place,
        new: &NewMount<'_>,
        places: &LayerPlaces,
        now: Timespec,
    ) -> Result<(), Errno> {
        self.check_layers(places)?;
        self.room_for_volume(new.source)?;
        let at = self.to_cover(at)?;
        if !self.is_directory(at) {
            return Err(Errno::ENOTDIR);
        }
        let layers = places.lowers.len() + usize::from(places.upper.is_some());
        self.room_for_mounts(layers + 1)?;
        self.prepare_work(caller, places, now)?;
        let id = self.add_volume(VolumeKind::Overlay, None, now);
        let flags = new.volume_flags & KEPT;
        let options = VolumeOptions { flags, pages: 0, inodes: 0, mode: 0o755, uid: 0, gid: 0 };
        self.set_source(id, Bytes(new.source.to_vec()), options);
        let keep = |fs: &mut Fs, place: Place| {
            let volume = fs.mounts.at(place.mount.0).volume;
            fs.insert_mount(Mount { flags: MOUNT_DETACHED, ..Mount::new(volume, place.node, None) })
        };
        let upper = places.upper.map(|place| keep(self, place));
        let lowers = places.lowers.iter().map(|place| keep(self, *place)).collect();
        let volume = &mut self.volumes[id.0 as usize];
        volume.read_only = upper.is_none() || new.volume_flags & MS_RDONLY != 0;
        volume.layers = Some(alloc::boxed::Box::new(Layers {
            upper,
            lowers,
            text: Bytes(places.text.clone()),
        }));
        let root = volume.root;
        let built = self.merge_layers(id, now);
        let (flags, order) = (new.flags, self.next_turn());
        let mount = self.insert_mount(Mount { flags, order, ..Mount::new(id, root, Some(at)) });
        if let Err(errno) = built {
            self.take_off(mount);
            self.drop_mount(mount);
            return Err(errno);
        }
        Ok(())
    }

    /// Whether layers are directories, apart from each other, and can be what they are to be.
    fn check_layers(&self, places: &LayerPlaces) -> Result<(), Errno> {
        let all = places.lowers.iter().chain(&places.upper).chain(&places.work);
        let stored = |place: &Place| matches!(place.node, Node::Entry(_));
        let mut all = all.copied().collect::<Vec<_>>();
        let fits = all.iter().all(|place| self.is_directory(*place) && stored(place));
        let few = places.lowers.is_empty() || places.upper.is_none() && places.lowers.len() < 2;
        if !fits || few || places.lowers.len() > LOWER_LAYERS_MAX {
            return Err(Errno::EINVAL);
        }
        // Layers of an overlay would have to be copied up in it.
        if all.iter().any(|place| self.overlay_at(*place).is_some()) {
            return Err(Errno::EINVAL);
        }
        match (places.upper, places.work) {
            (None, _) => all.retain(|place| places.lowers.contains(place)),
            (Some(_), None) => return Err(Errno::EINVAL),
            (Some(upper), Some(work)) => {
                let apart =
                    !self.is_below(upper.node, work.node) && !self.is_below(work.node, upper.node);
                let closed = self.mounts.at(upper.mount.0).is(MOUNT_READ_ONLY);
                if upper.mount != work.mount || !apart || closed || self.is_read_only(upper) {
                    return Err(Errno::EINVAL);
                }
            }
        }
        for (at, one) in all.iter().enumerate() {
            let mut others = all.iter().enumerate().filter(|(other, _)| *other != at);
            if others.any(|(_, other)| self.is_below(other.node, one.node)) {
                return Err(Errno::ELOOP);
            }
        }
        Ok(())
    }

    /// Linux's directory for what it prepares, which nothing is ever seen in here.
    fn prepare_work(
        &mut self,
        caller: &Caller<'_>,
        places: &LayerPlaces,
        now: Timespec,
    ) -> Result<(), Errno> {
        let Some(place) = places.work.filter(|_| places.upper.is_some()) else { return Ok(()) };
        let (entry, _) = self.stored(place)?;
        if self.child(entry, b"work").is_none() {
            self.make(caller, place, &Name::from_slice(b"work"), Kind::directory(), 0, now)?;
        }
        Ok(())
    }

    /// Builds the tree of an overlay from its layers.
    fn merge_layers(&mut self, id: VolumeId, now: Timespec) -> Result<(), Errno> {
        let Node::Entry(top) = self.volumes[id.0 as usize].root else { return Err(Errno::EINVAL) };
        let under = self.under(id, top);
        let has_upper = under.upper.is_some();
        let roots: Vec<EntryId> = under.upper.into_iter().chain(under.lowers).collect();
        let (first, shown) = (self.entry(roots[0]).inode, self.entry(top).inode);
        self.copy_attributes(roots[0], shown);
        self.inode_mut(shown).seen_as = Some(first);
        // Any place on the volume does to ask for room.
        let place = Place { mount: self.root.mount, node: Node::Entry(top) };
        let mut open = alloc::vec![(top, roots, has_upper)];
        while let Some((directory, layers, has_upper)) = open.pop() {
            for found in self.merged(&layers) {
                let first = found[0];
                let of_upper = has_upper && self.entry(first).parent == layers[0];
                let (name, inode) = (self.entry(first).name.clone(), self.entry(first).inode);
                let kind = self.inodes.at(inode.0).kind.clone();
                self.room_for_inode(place, &kind).map_err(|_| Errno::ENOMEM)?;
                if matches!(kind, Kind::Directory(_)) {
                    let kind = Kind::directory();
                    let made = self.attach(directory, name, id, kind, 0, (0, 0), now);
                    let copy = self.entry(made).inode;
                    self.copy_attributes(first, copy);
                    let lower = found.get(usize::from(of_upper)).copied().unwrap_or(first);
                    self.inode_mut(copy).seen_as = Some(self.entry(lower).inode);
                    open.push((made, found, of_upper));
                    continue;
                }
                if of_upper {
                    self.add_entry(directory, name, inode);
                    continue;
                }
                if self.room_pages(&self.volumes[id.0 as usize]) < kind.present() {
                    return Err(Errno::ENOMEM);
                }
                let copy = self.add_inode(id, kind, 0, (0, 0), now);
                self.copy_attributes(first, copy);
                self.inode_mut(copy).seen_as = Some(inode);
                self.add_entry(directory, name, copy);
            }
        }
        Ok(())
    }

    /// The volume of the upper layer.
    pub(super) fn upper_volume(&self, overlay: VolumeId) -> Option<VolumeId> {
        let upper = self.layers(overlay)?.upper?;
        Some(self.mounts.get(upper.0)?.volume)
    }

    /// What directories of layers show together: of each name the entries that make it.
    fn merged(&self, layers: &[EntryId]) -> Vec<Vec<EntryId>> {
        let mut found: Vec<Vec<EntryId>> = Vec::new();
        let mut known: BTreeMap<Name, usize> = BTreeMap::new();
        let mut closed: BTreeSet<Name> = BTreeSet::new();
        for layer in layers {
            let Kind::Directory(list) = &self.inode_of(*layer).kind else { continue };
            for (_, child) in list.entries_from(0) {
                let name = &self.entry(child).name;
                if closed.contains(name) {
                    continue;
                }
                let (is_directory, at) = (self.is_dir_entry(child), known.get(name));
                match at {
                    Some(at) if is_directory => found[*at].push(child),
                    Some(_) => {}
                    None if self.is_whiteout(child) => {}
                    None => {
                        known.insert(name.clone(), found.len());
                        found.push(alloc::vec![child]);
                    }
                }
                if !is_directory || self.is_opaque(child) {
                    closed.insert(name.clone());
                }
            }
        }
        found
    }

    /// Gives an inode what another says of itself, but for what layers say to each other.
    pub(super) fn copy_attributes(&mut self, from: EntryId, to: InodeId) {
        let old = self.inode_of(from);
        let (mode, uid, gid, nlink) = (old.mode, old.uid, old.gid, old.nlink);
        let [atime, mtime, ctime, btime] = [old.atime, old.mtime, old.ctime, old.btime];
        let mut xattrs = old.xattrs.clone();
        if let Some(all) = &mut xattrs {
            all.retain(|name| !name.starts_with(PRIVATE) || name.starts_with(ESCAPED));
        }
        let row = self.inodes.at(to.0);
        let (before, volume) = (row.held(), row.volume);
        let is_directory = matches!(row.kind, Kind::Directory(_));
        let row = self.inode_mut(to);
        row.mode = mode;
        (row.atime, row.mtime, row.ctime, row.btime) = (atime, mtime, ctime, btime);
        row.xattrs = xattrs.filter(|all| !all.is_empty());
        let after = row.held();
        self.count_held(volume, before, after);
        self.set_owner(to, uid, gid);
        if !is_directory {
            self.set_links(to, nlink);
        }
    }
}
