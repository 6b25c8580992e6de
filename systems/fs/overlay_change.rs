//! Changes in an overlay: what is copied up, whiteouts, and how each change is made in the upper
//! layer as well (Documentation/filesystems/overlayfs.rst).
//!
//! Every operation first checks as on any file system and then comes here, before it changes the
//! merged tree itself. A file in the upper layer is one inode with a name in both trees; of a
//! directory there are two, which are made alike after each change. A whiteout is an inode of its
//! own here; Linux links all to one. A directory that is impure stays so when what made it so is
//! gone; Linux takes the mark away when the directory is listed.

use super::usage::Held;
use super::{EntryId, Fs, InodeId, Kind, Name, Node, Place, VolumeId};
use crate::abi::flags::{IN_ATTRIB, IN_CREATE, IN_DELETE};
use crate::abi::{Errno, Timespec};
use alloc::vec::Vec;

impl Fs {
    /// The place of an entry of the upper layer, to ask for room there.
    fn upper_place(&self, overlay: VolumeId, entry: EntryId) -> Result<Place, Errno> {
        let upper = self.layers(overlay).and_then(|layers| layers.upper).ok_or(Errno::EROFS)?;
        Ok(Place { mount: upper, node: Node::Entry(entry) })
    }

    /// The inode to change at a place: on an overlay that of the upper layer, where it is copied to
    /// if it is not there; of a directory the overlay's own, and [`Fs::mirror`] is due.
    ///
    /// # Errors
    /// `EPERM` below /proc, `ENOSPC`, `EROFS`.
    pub(super) fn changeable(&mut self, place: Place, now: Timespec) -> Result<InodeId, Errno> {
        self.changeable_whole(place, true, now)
    }

    /// The same, and without the data of a file that is to be empty anyway (open(2), `O_TRUNC`).
    ///
    /// # Errors
    /// Those of [`Fs::changeable`].
    pub(super) fn changeable_whole(
        &mut self,
        place: Place,
        with_data: bool,
        now: Timespec,
    ) -> Result<InodeId, Errno> {
        let (entry, inode) = self.stored(place)?;
        let Some(overlay) = self.overlay_at(place) else { return Ok(inode) };
        if self.is_dir_entry(entry) {
            self.upper_directory(overlay, entry, now)?;
        } else {
            self.copy_up(overlay, entry, with_data, now)?;
        }
        Ok(inode)
    }

    /// The directory of the upper layer under one of an overlay; made, with those above it, if it
    /// is not there.
    pub(super) fn upper_directory(
        &mut self,
        overlay: VolumeId,
        directory: EntryId,
        now: Timespec,
    ) -> Result<EntryId, Errno> {
        let mut missing = Vec::new();
        let mut at = directory;
        let mut above = loop {
            match self.under(overlay, at).upper {
                Some(upper) => break upper,
                None if self.entry(at).parent == at => return Err(Errno::EROFS),
                None => missing.push(at),
            }
            at = self.entry(at).parent;
        };
        let volume = self.upper_volume(overlay).ok_or(Errno::EROFS)?;
        for entry in missing.into_iter().rev() {
            self.room_for_inode(self.upper_place(overlay, above)?, &Kind::directory())?;
            let name = self.entry(entry).name.clone();
            let made = self.attach(above, name, volume, Kind::directory(), 0, (0, 0), now);
            self.copy_attributes(overlay, entry, self.entry(made).inode);
            let origin = self.entry(entry).inode;
            self.set_origin(overlay, self.entry(made).inode, origin);
            self.copied_up(overlay, self.entry(entry).parent, made, now);
            above = made;
        }
        Ok(above)
    }

    /// Copies a file of a lower layer to the upper one: it keeps data, mode, owner, times and
    /// attributes, and is no longer one with its other names.
    fn copy_up(
        &mut self,
        overlay: VolumeId,
        entry: EntryId,
        with_data: bool,
        now: Timespec,
    ) -> Result<(), Errno> {
        let inode = self.entry(entry).inode;
        // What lost its name has nowhere to be copied to, and is the overlay's own.
        if self.inodes.at(inode.0).volume != overlay || !self.entry(entry).linked {
            return Ok(());
        }
        let above = self.upper_directory(overlay, self.entry(entry).parent, now)?;
        let volume = self.upper_volume(overlay).ok_or(Errno::EROFS)?;
        let kind = &self.inodes.at(inode.0).kind;
        self.room_for_inode(self.upper_place(overlay, above)?, kind)?;
        let pages = if with_data { kind.present() } else { 0 };
        if self.room_pages(&self.volumes[volume.0 as usize]) < pages {
            return Err(Errno::ENOSPC);
        }
        let had_one_name = self.inodes.at(inode.0).nlink == 1;
        // What lies in pipes is the lower file's, which stays as it is.
        self.part_lent(inode, 0, u64::MAX);
        self.set_links(inode, 1);
        if !with_data {
            self.resize(inode, 0);
        }
        self.move_to_volume(inode, volume);
        if had_one_name {
            self.set_origin(overlay, inode, inode);
        } else {
            // What its other names show is still the lower file (`index=off`).
            self.inode_mut(inode).seen_as = None;
        }
        self.inode_mut(inode).ctime = now;
        let name = self.entry(entry).name.clone();
        let made = self.add_entry(above, name, inode);
        self.copied_up(overlay, self.entry(entry).parent, made, now);
        Ok(())
    }

    /// After something was copied up from a directory of an overlay to one of the upper layer: that
    /// is another change than one of its contents, whose time is put back.
    fn copied_up(&mut self, overlay: VolumeId, from: EntryId, made: EntryId, now: Timespec) {
        let above = self.entry(made).parent;
        if self.set_impure(overlay, above) {
            self.tell_entry(above, IN_ATTRIB);
        }
        let (directory, name) = (self.entry(above).inode, self.entry(made).name.clone());
        let kind = &self.inodes.at(self.entry(made).inode.0).kind;
        match kind {
            // Files without names get one; all else is prepared elsewhere.
            Kind::Regular(_) => self.tell_name(directory, &name, false, IN_CREATE),
            Kind::Directory(_) => self.tell_moved_in(directory, &name, true),
            _ => self.tell_moved_in(directory, &name, false),
        }
        self.tell_entry(above, IN_ATTRIB);
        for entry in [from, above] {
            let inode = self.entry(entry).inode;
            self.inode_mut(inode).ctime = now;
        }
    }

    /// Takes away what the upper layer has of a name, and says whether there was something.
    fn clear_upper(&mut self, above: EntryId, name: &[u8], now: Timespec) -> bool {
        let Some(child) = self.child(above, name) else { return false };
        let (inode, parent) = (self.entry(child).inode, self.entry(above).inode);
        if let Kind::Directory(list) = &self.inodes.at(inode.0).kind {
            // Whiteouts are all that can be left in it.
            let left: Vec<EntryId> = list.entries_from(0).map(|(_, entry)| entry).collect();
            for entry in left {
                self.lost_name(self.entry(entry).inode, now);
                self.unlist(entry);
            }
            self.drop_subdirectory(parent);
        }
        self.lost_name(inode, now);
        self.unlist(child);
        self.changed(parent, now);
        true
    }

    fn add_whiteout(&mut self, above: EntryId, name: Name, volume: VolumeId, now: Timespec) {
        self.attach(above, name, volume, Kind::CharDevice(0), 0, (0, 0), now);
        self.changed(self.entry(above).inode, now);
    }

    /// Makes an inode in a directory of an overlay: in the upper layer, and a name of it in the
    /// merged tree.
    ///
    /// # Errors
    /// `ENOSPC`, `EROFS`.
    pub(super) fn make_on_overlay(
        &mut self,
        overlay: VolumeId,
        (parent, name): (EntryId, &Name),
        kind: Kind,
        mode: u32,
        owner: (u32, u32),
        now: Timespec,
    ) -> Result<EntryId, Errno> {
        let above = self.upper_directory(overlay, parent, now)?;
        let volume = self.upper_volume(overlay).ok_or(Errno::EROFS)?;
        self.room_for_inode(self.upper_place(overlay, above)?, &kind)?;
        let was_hidden = self.clear_upper(above, name, now);
        let is_directory = matches!(kind, Kind::Directory(_));
        let made = self.attach(above, name.clone(), volume, kind, mode, owner, now);
        let inode = self.entry(made).inode;
        self.changed(self.entry(above).inode, now);
        self.tell_made(above, name, is_directory, was_hidden);
        if !is_directory {
            return Ok(self.add_entry(parent, name.clone(), inode));
        }
        let options = self.layers(overlay).map(|layers| layers.options).unwrap_or_default();
        let is_marked = options.opaque_new && !self.under(overlay, parent).lowers.is_empty();
        if was_hidden || is_marked {
            self.set_opaque(overlay, inode);
        }
        let seen = self.attach(parent, name.clone(), overlay, Kind::directory(), mode, owner, now);
        self.inode_mut(self.entry(seen).inode).seen_as = Some(inode);
        Ok(seen)
    }

    /// What is made in the place of a whiteout is prepared elsewhere.
    fn tell_made(&mut self, above: EntryId, name: &Name, is_directory: bool, was_hidden: bool) {
        let directory = self.entry(above).inode;
        if !was_hidden {
            self.tell_name(directory, name, is_directory, IN_CREATE);
            return;
        }
        self.tell_moved_in(directory, name, is_directory);
        if is_directory {
            self.tell_moved_out(directory, name, false);
        }
    }

    /// Gives an inode of the upper layer a further name there, for one in the merged tree.
    ///
    /// # Errors
    /// `ENOSPC`, `EROFS`.
    pub(super) fn link_on_overlay(
        &mut self,
        overlay: VolumeId,
        (parent, name): (EntryId, &Name),
        inode: InodeId,
        now: Timespec,
    ) -> Result<(), Errno> {
        let above = self.upper_directory(overlay, parent, now)?;
        self.room_for_name(self.upper_place(overlay, above)?)?;
        let was_hidden = self.clear_upper(above, name, now);
        let made = self.add_entry(above, name.clone(), inode);
        self.changed(self.entry(above).inode, now);
        self.brings_number(overlay, made, above);
        self.tell_made(above, name, false, was_hidden);
        Ok(())
    }

    /// The upper layer's part of taking a name away, which hides what lower layers have of it.
    /// Whether the inode has lost that name already.
    ///
    /// # Errors
    /// `ENOSPC`, `EROFS`.
    pub(super) fn hide(
        &mut self,
        overlay: VolumeId,
        entry: EntryId,
        now: Timespec,
    ) -> Result<bool, Errno> {
        let (parent, name) = (self.entry(entry).parent, self.entry(entry).name.clone());
        let lowers = self.under(overlay, parent).lowers;
        let above = self.upper_directory(overlay, parent, now)?;
        let volume = self.upper_volume(overlay).ok_or(Errno::EROFS)?;
        let is_covered = self.is_covered(&lowers, &name);
        if is_covered {
            self.room_for_inode(self.upper_place(overlay, above)?, &Kind::CharDevice(0))?;
        }
        let was_there = self.clear_upper(above, &name, now);
        let (directory, is_directory) = (self.entry(above).inode, self.is_dir_entry(entry));
        if is_covered {
            self.tell_moved_in(directory, &name, false);
            if was_there && is_directory {
                self.tell_moved_out(directory, &name, true);
            }
            self.add_whiteout(above, name, volume, now);
        } else {
            self.tell_name(directory, &name, is_directory, IN_DELETE);
        }
        Ok(was_there && !self.is_dir_entry(entry))
    }

    /// Whether a directory of an overlay can be renamed: not if lower layers have part of it.
    pub(super) fn may_move_on_overlay(
        &self,
        overlay: VolumeId,
        entry: EntryId,
    ) -> Result<(), Errno> {
        let stays = self.is_dir_entry(entry) && !self.may_move_alone(overlay, entry);
        let redirects = self.layers(overlay).is_some_and(|layers| layers.options.redirects);
        if stays && !redirects { Err(Errno::EXDEV) } else { Ok(()) }
    }

    /// Whether lower layers have no part in a directory of an overlay.
    pub(super) fn may_move_alone(&self, overlay: VolumeId, directory: EntryId) -> bool {
        let under = self.under(overlay, directory);
        under.upper.is_some() && under.lowers.is_empty()
    }

    /// The upper layer's part of a rename.
    ///
    /// # Errors
    /// `ENOSPC`, `EROFS`.
    pub(super) fn move_on_overlay(
        &mut self,
        overlay: VolumeId,
        source: EntryId,
        (new_parent, new_name): (EntryId, &Name),
        exchanged: Option<EntryId>,
        now: Timespec,
    ) -> Result<(), Errno> {
        let (old_parent, old_name) = (self.entry(source).parent, self.entry(source).name.clone());
        let both = || core::iter::once(source).chain(exchanged);
        let mut redirects = Vec::new();
        for directory in both().filter(|entry| self.is_dir_entry(*entry)) {
            let to = self.redirect_of(overlay, directory, old_parent != new_parent)?;
            redirects.extend(to.map(|to| (directory, to)));
        }
        for entry in both().filter(|entry| !self.is_dir_entry(*entry)).collect::<Vec<_>>() {
            self.copy_up(overlay, entry, true, now)?;
        }
        for (directory, to) in redirects {
            let upper = self.upper_directory(overlay, directory, now)?;
            self.room_for_bytes(self.upper_place(overlay, upper)?, to.len() as u64)?;
            self.set_private(self.entry(upper).inode, self.private(overlay).redirect, &to);
        }
        let old_above = self.upper_directory(overlay, old_parent, now)?;
        let new_above = self.upper_directory(overlay, new_parent, now)?;
        let volume = self.upper_volume(overlay).ok_or(Errno::EROFS)?;
        let old_lowers = self.under(overlay, old_parent).lowers;
        let new_merged = !self.under(overlay, new_parent).lowers.is_empty();
        let moved = self.child(old_above, &old_name).ok_or(Errno::ESTALE)?;
        let leaves = exchanged.is_none() && self.is_covered(&old_lowers, &old_name);
        if leaves {
            self.room_for_inode(self.upper_place(overlay, old_above)?, &Kind::CharDevice(0))?;
        }
        self.brings_number(overlay, moved, new_above);
        let from = (self.entry(old_above).inode, old_name.clone());
        let to = (self.entry(new_above).inode, new_name.clone());
        self.tell_move(from.clone(), to.clone(), self.entry(moved).inode);
        if exchanged.is_some() {
            let other = self.child(new_above, new_name).ok_or(Errno::ESTALE)?;
            self.tell_move(to, from, self.entry(other).inode);
            self.brings_number(overlay, other, old_above);
            self.exchange_upper(overlay, moved, other, !old_lowers.is_empty());
        } else {
            self.clear_upper(new_above, new_name, now);
            self.move_upper(moved, new_above, new_name);
        }
        if new_merged {
            self.hide_lower(overlay, moved);
        }
        if leaves {
            self.add_whiteout(old_above, old_name, volume, now);
        }
        self.changed(self.entry(old_above).inode, now);
        self.changed(self.entry(new_above).inode, now);
        Ok(())
    }

    fn move_upper(&mut self, moved: EntryId, above: EntryId, name: &Name) {
        let old_above = self.entry(moved).parent;
        self.unlist_entry(moved);
        let row = self.entries.at_mut(moved.0);
        row.parent = above;
        row.name = name.clone();
        self.list_entry(moved);
        if self.is_dir_entry(moved) && old_above != above {
            self.drop_subdirectory(self.entry(old_above).inode);
            self.add_subdirectory(self.entry(above).inode);
        }
    }

    fn exchange_upper(
        &mut self,
        overlay: VolumeId,
        moved: EntryId,
        other: EntryId,
        old_merged: bool,
    ) {
        let (old_above, new_above) = (self.entry(moved).parent, self.entry(other).parent);
        self.exchange_entries(moved, other);
        let kinds = (self.is_dir_entry(moved), self.is_dir_entry(other));
        if old_above != new_above && kinds.0 != kinds.1 {
            let (loses, gains) =
                if kinds.0 { (old_above, new_above) } else { (new_above, old_above) };
            self.drop_subdirectory(self.entry(loses).inode);
            self.add_subdirectory(self.entry(gains).inode);
        }
        if old_merged {
            self.hide_lower(overlay, other);
        }
    }

    /// Whether what is at a place of an overlay lies in lower layers only.
    pub(super) fn is_lower(&self, place: Place) -> bool {
        let (Some(overlay), Node::Entry(entry)) = (self.overlay_at(place), place.node) else {
            return false;
        };
        if self.is_dir_entry(entry) {
            return self.under(overlay, entry).upper.is_none();
        }
        self.inodes.at(self.entry(entry).inode.0).volume == overlay
    }

    /// Makes the upper layer's directory what the overlay's is, after a change of the latter.
    pub(super) fn mirror(&mut self, place: Place) {
        let (Some(overlay), Node::Entry(entry)) = (self.overlay_at(place), place.node) else {
            return;
        };
        if !self.is_dir_entry(entry)
            || !self.entry(entry).linked && self.entry(entry).parent != entry
        {
            return;
        }
        let Some(upper) = self.under(overlay, entry).upper else { return };
        let inode = self.entry(upper).inode;
        let names = self.private(overlay);
        let private: Vec<_> = {
            let all = self.inodes.at(inode.0).xattrs.iter().flat_map(|all| all.iter());
            let own =
                |name: &[u8]| name.starts_with(names.prefix) && !name.starts_with(names.escaped);
            all.filter(|(name, _)| own(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
        };
        let btime = self.inodes.at(inode.0).btime;
        self.copy_attributes(overlay, entry, inode);
        self.inode_mut(inode).btime = btime;
        for (name, value) in private {
            self.set_private(inode, &name, &value);
        }
    }

    /// Counts an inode on another volume, with its names.
    fn move_to_volume(&mut self, inode: InodeId, to: VolumeId) {
        let row = self.inodes.at(inode.0);
        let (from, held, pages) = (row.volume, row.held(), row.kind.present());
        let names = row.entries;
        let taken = |volume: VolumeId| self.volumes[volume.0 as usize].inodes_of(row);
        let (old, new) = (taken(from), taken(to));
        for _ in 0..names {
            self.uncount_name(from);
            self.count_name(to);
        }
        self.count_held(from, held, Held::NONE);
        self.count_held(to, Held::NONE, held);
        let volume = &mut self.volumes[from.0 as usize];
        (volume.inodes, volume.pages) = (volume.inodes - old, volume.pages - pages);
        let volume = &mut self.volumes[to.0 as usize];
        (volume.inodes, volume.pages) = (volume.inodes + new, volume.pages + pages);
        self.inode_mut(inode).volume = to;
    }
}
