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
//! A directory of the upper layer or of a lower one may say by an attribute of what name the layers
//! below it are to be asked (`redirect_dir`): what lies under one is walked down from the tops.
//!
//! Not here: `index` and `nfs_export`; files whose data stay in a lower layer (`metacopy=on` copies
//! them up) and what layers with data only are for; numbers of devices of layers on several file
//! systems; with `redirect_dir=nofollow` a directory that names another is shown alone, where Linux
//! fails with EPERM.

use super::attributes::ino;
use super::{
    EntryId, Fs, Inode, InodeId, Kind, MountId, Name, Node, Place, Volume, VolumeId, VolumeKind,
};
use crate::wire::Bytes;
use alloc::vec::Vec;

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
    /// How they speak to each other. Encoded apart, and only if it is not the default.
    pub options: LayerOptions,
}

/// How layers speak to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerOptions {
    /// Directories of lower layers can be renamed (`redirect_dir=on`).
    pub redirects: bool,
    /// Directories are looked for by their own names only (`redirect_dir=nofollow`).
    pub nofollow: bool,
    /// Attributes of users and not trusted ones (`userxattr`).
    pub userxattr: bool,
    /// A new directory is marked as one that hides what lower layers may get behind the overlay's
    /// back (`redirect_dir=on`, `metacopy=on`, `xino=on`).
    pub opaque_new: bool,
    /// How many of the lower layers, the last ones, are not seen (`lowerdir=a::b`).
    pub data_layers: u32,
}

crate::wire_struct!(LayerOptions { redirects, nofollow, userxattr, opaque_new, data_layers });

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
    /// How they speak to each other.
    pub options: LayerOptions,
    /// Whether an overlay that was not unmounted is not to be mounted again (`volatile`).
    pub volatile: bool,
    /// `uuid`: whether the upper layer gets a number that stays.
    pub uuid: UuidOption,
}

/// `uuid` of an overlay's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UuidOption {
    /// The number that is there, or a new one if nothing was copied up yet.
    #[default]
    Auto,
    /// One that is there or a new one.
    On,
    /// None.
    Null,
    /// None, nor are those of the layers looked at.
    Off,
}

/// What lies under a directory of an overlay.
pub(super) struct Under {
    /// The directory in the upper layer, if it is there.
    pub(super) upper: Option<EntryId>,
    /// Those that it is merged with, the topmost first, each with the number of its layer.
    pub(super) lowers: Vec<(usize, EntryId)>,
}

/// What layers are asked for.
struct Asked {
    /// The way from each of the directories.
    path: Vec<Name>,
    /// These, each with the number of its layer, the topmost last.
    all: Vec<(usize, EntryId)>,
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
            (None, [(_, lower)]) => Some(*lower),
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
            under.upper.or(under.lowers.first().map(|(_, lower)| *lower))?
        } else {
            entry
        };
        let names = self.inode_of(real).xattrs.iter().flat_map(|all| all.keys());
        Some(names.map(|name| name.len() as u64 + 1).sum())
    }

    /// The top of a layer.
    pub(super) fn layer_root(&self, mount: MountId) -> Option<EntryId> {
        match self.mounts.get(mount.0)?.root {
            Node::Entry(entry) => Some(entry),
            Node::Proc(_) => None,
        }
    }

    pub(super) fn inode_of(&self, entry: EntryId) -> &Inode {
        self.inodes.at(self.entry(entry).inode.0)
    }

    pub(super) fn is_dir_entry(&self, entry: EntryId) -> bool {
        matches!(self.inode_of(entry).kind, Kind::Directory(_))
    }

    /// Whether an entry of a layer says that there is nothing.
    pub(super) fn is_whiteout(&self, entry: EntryId) -> bool {
        matches!(self.inode_of(entry).kind, Kind::CharDevice(0))
    }

    /// The tops of the layers.
    pub(super) fn tops(&self, overlay: VolumeId) -> Under {
        let Some(layers) = self.layers(overlay) else {
            return Under { upper: None, lowers: Vec::new() };
        };
        let seen = layers.lowers.len().saturating_sub(layers.options.data_layers as usize);
        let lowers = layers.lowers[..seen].iter().enumerate();
        let lowers = lowers.filter_map(|(at, mount)| Some((at, self.layer_root(*mount)?)));
        Under {
            upper: layers.upper.and_then(|mount| self.layer_root(mount)),
            lowers: lowers.collect(),
        }
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
        let mut under = self.tops(overlay);
        for entry in names.into_iter().rev() {
            under = self.below(overlay, &under, &self.entry(entry).name);
        }
        under
    }

    /// The directories of a name that are merged, in those that lie under the one above it.
    pub(super) fn below(&self, overlay: VolumeId, above: &Under, name: &Name) -> Under {
        let private = self.private(overlay);
        let is_opaque = |entry: EntryId| {
            self.private_value(entry, private.opaque).is_some_and(|value| value == b"y")
        };
        let mut found = Under { upper: None, lowers: Vec::new() };
        let mut all = above.lowers.clone();
        all.reverse();
        let mut asked = Asked { path: alloc::vec![name.clone()], all };
        if let Some(child) = above.upper.and_then(|above| self.child(above, name)) {
            if !self.is_dir_entry(child) {
                return found;
            }
            found.upper = Some(child);
            if is_opaque(child) {
                return found;
            }
            self.follow(overlay, &mut asked, child, 0);
        }
        while let Some((at, top)) = asked.all.pop() {
            let step = |above: Option<EntryId>, name: &Name| self.child(above?, name);
            let Some(child) = asked.path.iter().fold(Some(top), step) else { continue };
            if !self.is_dir_entry(child) {
                break;
            }
            found.lowers.push((at, child));
            if is_opaque(child) {
                break;
            }
            self.follow(overlay, &mut asked, child, at + 1);
        }
        found
    }

    /// Asks the layers from one on for what a directory says that they have it as, if it does.
    fn follow(&self, overlay: VolumeId, asked: &mut Asked, directory: EntryId, from: usize) {
        if self.layers(overlay).is_none_or(|layers| layers.options.nofollow) {
            return;
        }
        let Some(to) = self.private_value(directory, self.private(overlay).redirect) else {
            return;
        };
        let parts = to.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        let mut parts: Vec<Name> = parts.map(Name::from_slice).collect();
        if to.first() == Some(&b'/') {
            asked.path = parts;
            asked.all = self.tops(overlay).lowers;
            asked.all.retain(|(layer, _)| *layer >= from);
            asked.all.reverse();
        } else if let (Some(name), 1) = (parts.pop(), parts.len() + 1) {
            asked.path.pop();
            asked.path.push(name);
        }
    }

    /// Whether lower directories show something of a name.
    pub(super) fn is_covered(&self, lowers: &[(usize, EntryId)], name: &[u8]) -> bool {
        let first = lowers.iter().find_map(|(_, above)| self.child(*above, name));
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
        let (mut overlay, mut directory) = (self.overlay_at(place), directory);
        while let Some(at) = overlay {
            let Under { upper, lowers } = self.under(at, directory);
            let lowers = lowers.iter().map(|(_, lower)| *lower);
            let all: Vec<EntryId> = upper.into_iter().chain(lowers).collect();
            let [layer] = all[..] else { return !all.is_empty() };
            // That of another overlay may be merged there.
            let volume = self.inode_of(layer).volume;
            overlay = self.layers(volume).map(|_| volume);
            directory = layer;
        }
        false
    }

    /// The volume of the upper layer.
    pub(super) fn upper_volume(&self, overlay: VolumeId) -> Option<VolumeId> {
        let upper = self.layers(overlay)?.upper?;
        Some(self.mounts.get(upper.0)?.volume)
    }

    /// Gives an inode what another says of itself, but for what layers say to each other.
    pub(super) fn copy_attributes(&mut self, overlay: VolumeId, from: EntryId, to: InodeId) {
        let private = self.private(overlay);
        let old = self.inode_of(from);
        let (mode, uid, gid, nlink) = (old.mode, old.uid, old.gid, old.nlink);
        let [atime, mtime, ctime, btime] = [old.atime, old.mtime, old.ctime, old.btime];
        let mut xattrs = old.xattrs.clone();
        if let Some(all) = &mut xattrs {
            let own = |name: &[u8]| name.starts_with(private.prefix);
            all.retain(|name| !own(name) || name.starts_with(private.escaped));
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
