//! What layers of an overlay say to each other by attributes (overlayfs.rst): which directories
//! hide those below them, where something was copied from, what was moved, what is impure. Owns
//! their names, with which attributes of programs are not confused, and their values.
//!
//! Not here: the handles that stand in `origin` are as long as Linux's and otherwise our own.

use super::attributes::ino;
use super::{EntryId, Fs, InodeId, Kind, Place, VolumeId, VolumeKind};
use crate::abi::Errno;
use crate::abi::flags::IN_ATTRIB;
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// Longest path by which a moved directory names what lower layers have of it.
const REDIRECT_MAX: usize = 256;

/// The attributes by which layers speak to each other.
#[derive(Debug)]
pub(super) struct PrivateNames {
    /// What all of them begin with.
    pub(super) prefix: &'static [u8],
    /// An attribute of that name that a program made in an overlay lies here.
    pub(super) escaped: &'static [u8],
    /// Of a directory that hides those below it; its value is `y`.
    pub(super) opaque: &'static [u8],
    /// Of a copy: where it was copied from.
    pub(super) origin: &'static [u8],
    /// Of a directory: what the layers below it are asked for in the place of its own name.
    pub(super) redirect: &'static [u8],
    /// Of a directory of the upper layer: what it lists may show other numbers.
    pub(super) impure: &'static [u8],
    /// Of the top of the upper layer: the overlay's number.
    pub(super) uuid: &'static [u8],
}

impl PrivateNames {
    /// Those that an overlay has with or without `userxattr`.
    pub(super) const fn of(userxattr: bool) -> &'static Self {
        if userxattr { &OF_USERS } else { &TRUSTED }
    }
}

const TRUSTED: PrivateNames = PrivateNames {
    prefix: b"trusted.overlay.",
    escaped: b"trusted.overlay.overlay.",
    opaque: b"trusted.overlay.opaque",
    origin: b"trusted.overlay.origin",
    redirect: b"trusted.overlay.redirect",
    impure: b"trusted.overlay.impure",
    uuid: b"trusted.overlay.uuid",
};
/// Those of `userxattr`.
const OF_USERS: PrivateNames = PrivateNames {
    prefix: b"user.overlay.",
    escaped: b"user.overlay.overlay.",
    opaque: b"user.overlay.opaque",
    origin: b"user.overlay.origin",
    redirect: b"user.overlay.redirect",
    impure: b"user.overlay.impure",
    uuid: b"user.overlay.uuid",
};
impl Fs {
    /// The names of an overlay's own attributes.
    pub(super) fn private(&self, overlay: VolumeId) -> &'static PrivateNames {
        PrivateNames::of(self.layers(overlay).is_some_and(|layers| layers.options.userxattr))
    }

    /// What an entry of a layer says by an attribute.
    pub(super) fn private_value(&self, entry: EntryId, name: &[u8]) -> Option<&[u8]> {
        self.inode_of(entry).xattrs.as_ref()?.get(name)
    }

    /// Says of a copy where it was copied from: the handle of what the overlay shows it as.
    pub(super) fn set_origin(&mut self, overlay: VolumeId, inode: InodeId, of: InodeId) {
        let lower = self.inodes.at(of.0).seen_as.unwrap_or(of);
        let handle = self.handle_of(overlay, lower);
        self.set_private(inode, self.private(overlay).origin, &handle);
    }

    /// What Linux keeps of a file of a lower layer (`struct ovl_fb`): version, magic number,
    /// length, flags, type, number of the file system and handle of name_to_handle_at(2), the last
    /// two our own. An overlay has no handles.
    fn handle_of(&self, overlay: VolumeId, lower: InodeId) -> Vec<u8> {
        const FIXED_BYTES: u8 = 21;
        let lowers = self.layers(overlay).into_iter().flat_map(|layers| &layers.lowers);
        let is_stacked = lowers
            .filter_map(|mount| self.mounts.get(mount.0))
            .any(|mount| self.volumes[mount.volume.0 as usize].layers.is_some());
        let Some(row) = self.inodes.get(lower.0).filter(|_| !is_stacked) else { return Vec::new() };
        let volume = &self.volumes[row.volume.0 as usize];
        // ext4's has a generation, and so has that of a tmpfs beside a number of 64 bits.
        let number_bytes = if volume.kind == VolumeKind::Ext4 { 4 } else { 8 };
        let mut handle = alloc::vec![0, 0xfb, FIXED_BYTES + number_bytes + 4, 0, 1];
        handle.extend_from_slice(&u128::from(volume.dev).to_le_bytes());
        handle.extend_from_slice(&ino(lower).to_le_bytes()[..usize::from(number_bytes)]);
        handle.extend_from_slice(&[0; 4]);
        handle
    }

    /// Says of a directory of the upper layer that something in it shows another number; whether
    /// that is new.
    pub(super) fn set_impure(&mut self, overlay: VolumeId, above: EntryId) -> bool {
        let name = self.private(overlay).impure;
        let is_new = self.private_value(above, name).is_none();
        if is_new {
            self.set_private(self.entry(above).inode, name, b"y");
        }
        is_new
    }

    pub(super) fn set_opaque(&mut self, overlay: VolumeId, inode: InodeId) {
        self.set_private(inode, self.private(overlay).opaque, b"y");
    }

    /// Sets an attribute by which layers speak to each other; what can have none of a user's has
    /// none.
    pub(super) fn set_private(&mut self, inode: InodeId, name: &[u8], value: &[u8]) {
        let kind = &self.inodes.at(inode.0).kind;
        if name.starts_with(b"user.") && !matches!(kind, Kind::Regular(_) | Kind::Directory(_)) {
            return;
        }
        let volume = self.inodes.at(inode.0).volume;
        let is_ext4 = self.volumes[volume.0 as usize].kind == VolumeKind::Ext4;
        let row = self.inode_mut(inode);
        let before = row.held();
        let all = row.xattrs.get_or_insert_default();
        let is_inner = is_ext4 && all.room(name, value) == Some(true);
        all.insert(name, value, is_inner);
        let after = row.held();
        self.count_held(volume, before, after);
    }

    /// What was copied up makes a directory that it comes to impure.
    pub(super) fn brings_number(&mut self, overlay: VolumeId, entry: EntryId, above: EntryId) {
        let is_copy = self.private_value(entry, self.private(overlay).origin).is_some();
        if is_copy && self.set_impure(overlay, above) {
            self.tell_entry(above, IN_ATTRIB);
        }
    }

    /// Says of a moved directory that it is not merged with what lower layers have of its new name.
    pub(super) fn hide_lower(&mut self, overlay: VolumeId, moved: EntryId) {
        let has_redirect = self.private_value(moved, self.private(overlay).redirect).is_some();
        if self.is_dir_entry(moved) && !has_redirect {
            self.set_opaque(overlay, self.entry(moved).inode);
        }
    }

    /// What a directory of an overlay that is about to move names to lower layers; nothing if it
    /// lies in the upper one alone, or says so already.
    pub(super) fn redirect_of(
        &self,
        overlay: VolumeId,
        directory: EntryId,
        is_absolute: bool,
    ) -> Result<Option<Vec<u8>>, Errno> {
        let name = self.private(overlay).redirect;
        let said = |fs: &Fs, at: EntryId| {
            let upper = fs.under(overlay, at).upper;
            upper.and_then(|upper| fs.private_value(upper, name)).map(<[u8]>::to_vec)
        };
        if self.may_move_alone(overlay, directory) {
            return Ok(None);
        }
        let is_done = |to: &Vec<u8>| !is_absolute || to.first() == Some(&b'/');
        if said(self, directory).as_ref().is_some_and(is_done) {
            return Ok(None);
        }
        if !is_absolute {
            return Ok(Some(self.entry(directory).name.to_vec()));
        }
        let mut path = Vec::new();
        let mut at = directory;
        while self.entry(at).parent != at && path.first() != Some(&b'/') {
            let part = said(self, at).unwrap_or_else(|| self.entry(at).name.to_vec());
            let rest = core::mem::replace(&mut path, part);
            if !rest.is_empty() {
                path.push(b'/');
                path.extend_from_slice(&rest);
            }
            at = self.entry(at).parent;
        }
        if path.first() != Some(&b'/') {
            path.insert(0, b'/');
        }
        if path.len() > REDIRECT_MAX { Err(Errno::EXDEV) } else { Ok(Some(path)) }
    }

    /// The name by which an attribute lies in the layers.
    pub(super) fn layer_name<'n>(&self, place: Place, name: &'n [u8]) -> Cow<'n, [u8]> {
        let Some(overlay) = self.overlay_at(place) else { return Cow::Borrowed(name) };
        let private = self.private(overlay);
        match name.strip_prefix(private.prefix) {
            Some(rest) => Cow::Owned([private.escaped, rest].concat()),
            None => Cow::Borrowed(name),
        }
    }

    /// The name by which an attribute of the layers is seen; `None` if it is not.
    pub(super) fn seen_name<'n>(&self, place: Place, name: &'n [u8]) -> Option<Cow<'n, [u8]>> {
        let Some(overlay) = self.overlay_at(place) else { return Some(Cow::Borrowed(name)) };
        let private = self.private(overlay);
        if !name.starts_with(private.prefix) {
            return Some(Cow::Borrowed(name));
        }
        let rest = name.strip_prefix(private.escaped)?;
        Some(Cow::Owned([private.prefix, rest].concat()))
    }
}
