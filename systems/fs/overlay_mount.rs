//! How an overlay is mounted (mount(2), Documentation/filesystems/overlayfs.rst): which layers can
//! be, and the merged tree that is made of them. Owns what is done once; what follows is in
//! `overlay.rs` and `overlay_change.rs`.
//!
//! Not here: a layer that lies in a lower one is not listed there, where Linux lists it and fails
//! with ELOOP when it is looked at.

use super::mount_options::KEPT;
use super::overlay::{LOWER_LAYERS_MAX, LayerPlaces, Layers, Under, UuidOption};
use super::overlay_marks::PrivateNames;
use super::volume::mount_flags::{MOUNT_DETACHED, MOUNT_READ_ONLY};
use super::{
    Caller, EntryId, Fs, InodeId, Kind, Mount, Name, NewMount, Node, Pages, Place, VolumeId,
    VolumeKind, VolumeOptions,
};
use crate::abi::flags::MS_RDONLY;
use crate::abi::{Errno, Timespec};
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Most overlays on each other (`FILESYSTEM_MAX_STACK_DEPTH`).
pub(super) const DEPTH_MAX: u32 = 2;

impl Fs {
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
        volume.layers = Some(Box::new(Layers {
            upper,
            lowers,
            text: Bytes(places.text.clone()),
            options: places.options,
        }));
        let root = volume.root;
        self.set_uuid(id, places, now);
        let built = self.merge_layers(id, places, now);
        let (flags, order) = (new.flags, self.next_turn());
        let mount = self.insert_mount(Mount { flags, order, ..Mount::new(id, root, Some(at)) });
        if let Err(errno) = built {
            self.take_off(mount);
            self.drop_mount(mount);
            return Err(errno);
        }
        Ok(())
    }

    /// What becomes of `uuid` on an upper layer: a number that is there is taken, a new one is made
    /// where nothing was copied up before.
    pub fn uuid_of(&self, upper: Place, asked: UuidOption, userxattr: bool) -> UuidOption {
        let names = PrivateNames::of(userxattr);
        let has = |name: &[u8]| {
            let xattrs = self.inode(upper).and_then(|inode| inode.xattrs.as_ref());
            xattrs.is_some_and(|all| all.get(name).is_some())
        };
        match asked {
            UuidOption::Auto if has(names.uuid) => UuidOption::Auto,
            UuidOption::Auto if has(names.impure) => UuidOption::Null,
            UuidOption::Auto | UuidOption::On => UuidOption::On,
            UuidOption::Null => UuidOption::Null,
            UuidOption::Off => UuidOption::Off,
        }
    }

    /// Gives the upper layer a number of its own, by which statfs(2) would tell overlays apart.
    fn set_uuid(&mut self, overlay: VolumeId, places: &LayerPlaces, now: Timespec) {
        let Some(Place { node: Node::Entry(upper), .. }) = places.upper else { return };
        let (name, inode) = (self.private(overlay).uuid, self.entry(upper).inode);
        if places.uuid != UuidOption::On || self.private_value(upper, name).is_some() {
            return;
        }
        let dev = self.volumes[overlay.0 as usize].dev;
        let uuid = [dev.to_le_bytes(), now.sec.to_le_bytes()].concat();
        self.set_private(inode, name, &uuid);
        self.inode_mut(inode).ctime = now;
    }

    /// How many overlays lie on each other in a volume; more than there can be are not counted.
    pub(super) fn depth(&self, volume: VolumeId) -> u32 {
        let mut open = alloc::vec![volume];
        for depth in 0..=DEPTH_MAX {
            let layers = open.iter().filter_map(|volume| self.layers(*volume));
            let mounts = layers.flat_map(|layers| &layers.lowers);
            let mut next: Vec<VolumeId> =
                mounts.filter_map(|mount| Some(self.mounts.get(mount.0)?.volume)).collect();
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return depth;
            }
            open = next;
        }
        DEPTH_MAX + 1
    }

    /// Whether layers are directories, apart from each other, and can be what they are to be.
    fn check_layers(&self, places: &LayerPlaces) -> Result<(), Errno> {
        let work = places.work.filter(|_| places.upper.is_some());
        let stored = |place: &Place| matches!(place.node, Node::Entry(_));
        let fits = |place: &Place| self.is_directory(*place) && stored(place);
        let all = || places.lowers.iter().chain(&places.upper).chain(&work);
        let few = places.lowers.is_empty() || places.upper.is_none() && places.lowers.len() < 2;
        if !all().all(fits) || few || places.lowers.len() > LOWER_LAYERS_MAX {
            return Err(Errno::EINVAL);
        }
        // Nothing is copied up into an overlay.
        if places.upper.iter().chain(&work).any(|place| self.overlay_at(*place).is_some()) {
            return Err(Errno::EINVAL);
        }
        let depth = |place: &Place| self.depth(self.mounts.at(place.mount.0).volume);
        if places.lowers.iter().any(|lower| depth(lower) >= DEPTH_MAX) {
            return Err(Errno::EINVAL);
        }
        match (places.upper, work) {
            (None, _) => {}
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
        // The others may lie in lower ones.
        for (at, lower) in places.lowers.iter().enumerate() {
            let mut others = all().enumerate().filter(|(other, _)| *other != at);
            if others.any(|(_, other)| self.is_below(other.node, lower.node)) {
                return Err(Errno::ELOOP);
            }
        }
        Ok(())
    }

    /// Linux's directory for what it prepares, which nothing is ever seen in here but that an
    /// overlay was `volatile`: then it is not to be trusted again.
    fn prepare_work(
        &mut self,
        caller: &Caller<'_>,
        places: &LayerPlaces,
        now: Timespec,
    ) -> Result<(), Errno> {
        let Some(place) = places.work.filter(|_| places.upper.is_some()) else { return Ok(()) };
        let mut at = self.directory_in(caller, place, b"work", now)?;
        let (work, _) = self.stored(at)?;
        if self.child(work, b"incompat").is_some() {
            return Err(Errno::EINVAL);
        }
        if places.volatile {
            for name in [&b"incompat"[..], b"volatile"] {
                at = self.directory_in(caller, at, name, now)?;
            }
            let (kind, name) = (Kind::Regular(Pages::default()), Name::from_slice(b"dirty"));
            self.make(caller, at, &name, kind, 0, now)?;
        }
        Ok(())
    }

    /// A directory of a name, made if it is not there.
    fn directory_in(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        name: &[u8],
        now: Timespec,
    ) -> Result<Place, Errno> {
        let (entry, _) = self.stored(place)?;
        match self.child(entry, name) {
            Some(child) => Ok(Place { mount: place.mount, node: Node::Entry(child) }),
            None => self.make(caller, place, &Name::from_slice(name), Kind::directory(), 0, now),
        }
    }

    /// Builds the tree of an overlay from its layers.
    fn merge_layers(
        &mut self,
        id: VolumeId,
        places: &LayerPlaces,
        now: Timespec,
    ) -> Result<(), Errno> {
        let Node::Entry(top) = self.volumes[id.0 as usize].root else { return Err(Errno::EINVAL) };
        let inner = places.upper.iter().chain(&places.work);
        let hidden: BTreeSet<Node> = inner.map(|place| place.node).collect();
        let tops = self.tops(id);
        let Some(first) = tops.upper.or(tops.lowers.first().map(|(_, lower)| *lower)) else {
            return Err(Errno::EINVAL);
        };
        let (real, shown) = (self.entry(first).inode, self.entry(top).inode);
        self.copy_attributes(id, first, shown);
        self.inode_mut(shown).seen_as = Some(real);
        // Any place on the volume does to ask for room.
        let place = Place { mount: self.root.mount, node: Node::Entry(top) };
        let mut open = alloc::vec![(top, tops)];
        while let Some((directory, above)) = open.pop() {
            for found in self.merged(&above) {
                if hidden.contains(&Node::Entry(found)) {
                    continue;
                }
                let (name, inode) = (self.entry(found).name.clone(), self.entry(found).inode);
                let kind = self.inodes.at(inode.0).kind.clone();
                self.room_for_inode(place, &kind).map_err(|_| Errno::ENOMEM)?;
                if matches!(kind, Kind::Directory(_)) {
                    let under = self.below(id, &above, &name);
                    let kind = Kind::directory();
                    let made = self.attach(directory, name, id, kind, 0, (0, 0), now);
                    let copy = self.entry(made).inode;
                    self.copy_attributes(id, found, copy);
                    let lower = under.lowers.first().map_or(found, |(_, lower)| *lower);
                    self.inode_mut(copy).seen_as = Some(self.entry(lower).inode);
                    self.mark_merged(id, found, copy, &under);
                    open.push((made, under));
                    continue;
                }
                if above.upper == Some(self.entry(found).parent) {
                    self.add_entry(directory, name, inode);
                    continue;
                }
                if self.room_pages(&self.volumes[id.0 as usize]) < kind.present() {
                    return Err(Errno::ENOMEM);
                }
                let copy = self.add_inode(id, kind, 0, (0, 0), now);
                self.copy_attributes(id, found, copy);
                // A layer that is an overlay shows the number of its own.
                let is_stacked = self.overlay_of(found).is_some();
                let other = self.inodes.at(inode.0).seen_as.filter(|_| is_stacked);
                self.inode_mut(copy).seen_as = Some(other.unwrap_or(inode));
                self.add_entry(directory, name, copy);
            }
        }
        Ok(())
    }

    /// A directory of the upper layer that is merged is marked as one that was copied up.
    fn mark_merged(&mut self, id: VolumeId, found: EntryId, shown: InodeId, under: &Under) {
        let is_merged = under.upper.is_some() && !under.lowers.is_empty();
        let origin = self.private(id).origin;
        let is_marked = self.private_value(found, origin).is_some();
        if is_merged && !is_marked && !self.volumes[id.0 as usize].read_only {
            self.set_origin(id, self.entry(found).inode, shown);
            self.set_impure(id, self.entry(found).parent);
        }
    }

    /// What directories of layers show together: of each name the topmost entry.
    fn merged(&self, under: &Under) -> Vec<EntryId> {
        let mut found = Vec::new();
        let mut known: BTreeSet<Name> = BTreeSet::new();
        let lowers = under.lowers.iter().map(|(_, lower)| *lower);
        for layer in under.upper.into_iter().chain(lowers) {
            let Kind::Directory(list) = &self.inode_of(layer).kind else { continue };
            for (_, child) in list.entries_from(0) {
                if known.insert(self.entry(child).name.clone()) && !self.is_whiteout(child) {
                    found.push(child);
                }
            }
        }
        found
    }
}
