//! What inotify(7) is told of files: operations say here what they did, if the inode or the
//! directory of its name is watched.
//!
//! Owns the flag of watched inodes and the list of what happened, which `calls/inotify.rs` empties
//! after each call; who watches what stands there. Where nothing is watched all of this is one
//! comparison.

use super::{EntryId, Fs, InodeId, Kind, Name, Node, Place};
use crate::abi::flags::{
    IN_ACCESS, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_DELETE_SELF, IN_ISDIR, IN_MODIFY, IN_OPEN,
    IN_UNMOUNT,
};
use alloc::vec::Vec;

/// Something that happened to a watched inode or in a watched directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// To a thing, as itself and as an entry of its directory.
    Thing {
        /// `IN_` bits.
        mask: u32,
        /// The thing.
        inode: InodeId,
        /// The directory that it stands or stood in, if that is watched, and its name there.
        above: Option<(InodeId, Name)>,
        /// The name has been taken away: `IN_EXCL_UNLINK`.
        unlinked: bool,
    },
    /// To a name in a directory.
    Named {
        /// `IN_` bits.
        mask: u32,
        /// The directory.
        directory: InodeId,
        /// The name.
        name: Name,
    },
    /// A rename: both halves have the same cookie. Nobody watches where an overlay prepares what
    /// it moves.
    Moved {
        /// `IN_ISDIR` for a directory.
        mask: u32,
        /// From where.
        from: Option<(InodeId, Name)>,
        /// To where.
        to: Option<(InodeId, Name)>,
    },
    /// An inode is there no more; nobody watches it any longer.
    Gone {
        /// `IN_DELETE_SELF` or `IN_UNMOUNT`.
        mask: u32,
        /// Its number, which another may have by now.
        inode: InodeId,
    },
}

/// The list, and how many inodes are watched. Neither is encoded: the list is empty between events,
/// the number follows from the watches.
#[derive(Clone, Debug, Default)]
pub(super) struct Teller {
    watched: u32,
    told: Vec<Told>,
}

impl Fs {
    /// Marks an inode as watched, or takes the mark away.
    pub fn set_watched(&mut self, inode: InodeId, watched: bool) {
        let Some(row) = self.inodes.get(inode.0) else { return };
        if row.watched != watched {
            self.inodes.at_mut_unmarked(inode.0).watched = watched;
            let count = &mut self.teller.watched;
            *count = if watched { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Whether there is an inode of this number.
    pub fn is_inode(&self, inode: InodeId) -> bool {
        self.inodes.get(inode.0).is_some()
    }

    /// How many inodes are marked.
    pub fn watched(&self) -> u32 {
        self.teller.watched
    }

    /// Whether there is something on the list.
    #[inline]
    pub fn has_told(&self) -> bool {
        !self.teller.told.is_empty()
    }

    /// Empties the list.
    pub fn take_told(&mut self) -> Vec<Told> {
        core::mem::take(&mut self.teller.told)
    }

    /// Something happened to the thing at a place.
    #[inline]
    pub fn tell(&mut self, place: Place, mask: u32) {
        if self.teller.watched > 0
            && let Node::Entry(entry) = place.node
        {
            self.tell_layer(place, entry, mask, false);
            self.tell_thing(entry, mask, false);
        }
    }

    /// Something happened to what an entry names.
    #[inline]
    pub(super) fn tell_entry(&mut self, entry: EntryId, mask: u32) {
        if self.teller.watched > 0 {
            self.tell_thing(entry, mask, false);
        }
    }

    /// The same through an open file: `IN_EXCL_UNLINK` is about these.
    #[inline]
    pub fn tell_of_open(&mut self, place: Place, mask: u32) {
        if self.teller.watched > 0
            && let Node::Entry(entry) = place.node
        {
            let unlinked = !self.entry(entry).linked;
            // A file of a layer is opened before that of the overlay, and closed after it.
            let closes = mask & (IN_CLOSE_WRITE | IN_CLOSE_NOWRITE) != 0;
            if !closes {
                self.tell_layer(place, entry, mask, unlinked);
            }
            self.tell_thing(entry, mask, unlinked);
            if closes {
                self.tell_layer(place, entry, mask, unlinked);
            }
        }
    }

    #[cold]
    fn tell_thing(&mut self, id: EntryId, mask: u32, unlinked: bool) {
        let inode = self.entry(id).inode;
        let above = self.above_of(id, mask);
        if above.is_none() && !self.inodes.at(inode.0).watched {
            return;
        }
        let mask = mask | self.isdir(inode);
        self.tell_once(Told::Thing { mask, inode, above, unlinked });
    }

    /// To those who watch the directory only.
    fn tell_above(&mut self, id: EntryId, mask: u32, unlinked: bool) {
        let Some((directory, name)) = self.above_of(id, mask) else { return };
        let mask = mask | self.isdir(self.entry(id).inode);
        if !unlinked {
            self.tell_once(Told::Named { mask, directory, name });
        }
    }

    /// One call says it once.
    fn tell_once(&mut self, told: Told) {
        if self.teller.told.last() != Some(&told) {
            self.teller.told.push(told);
        }
    }

    /// The directory of a name, if those who watch it hear of what happens to the thing.
    fn above_of(&self, id: EntryId, mask: u32) -> Option<(InodeId, Name)> {
        let entry = self.entry(id);
        let parent = entry.parent;
        let directory = self.entry(parent).inode;
        let row = self.inodes.at(entry.inode.0);
        // What goes through a FIFO or a device is nothing that happens in its directory.
        let special = !matches!(row.kind, Kind::Regular(_) | Kind::Directory(_) | Kind::Symlink(_));
        let passes = special && mask & (IN_ACCESS | IN_MODIFY) != 0;
        let seen = parent != id && !passes && self.inodes.at(directory.0).watched;
        seen.then(|| (directory, entry.name.clone()))
    }

    /// Something happened to an inode, whatever its names.
    #[inline]
    pub(super) fn tell_inode(&mut self, inode: InodeId, mask: u32) {
        if self.teller.watched > 0 && self.inodes.at(inode.0).watched {
            let mask = mask | self.isdir(inode);
            self.teller.told.push(Told::Thing { mask, inode, above: None, unlinked: false });
        }
    }

    /// Something happened to a name in a directory: what it names (or named) is given for
    /// `IN_ISDIR`.
    #[inline]
    pub(super) fn tell_name(
        &mut self,
        directory: InodeId,
        name: &Name,
        is_directory: bool,
        mask: u32,
    ) {
        if self.teller.watched > 0 && self.inodes.at(directory.0).watched {
            let mask = mask | if is_directory { IN_ISDIR } else { 0 };
            self.teller.told.push(Told::Named { mask, directory, name: name.clone() });
        }
    }

    /// A name became another.
    pub(super) fn tell_move(&mut self, from: (InodeId, Name), to: (InodeId, Name), inode: InodeId) {
        if self.teller.watched > 0
            && [from.0, to.0].iter().any(|directory| self.inodes.at(directory.0).watched)
        {
            let mask = self.isdir(inode);
            self.teller.told.push(Told::Moved { mask, from: Some(from), to: Some(to) });
        }
    }

    /// A name in a directory of an upper layer came from where an overlay prepares things.
    pub(super) fn tell_moved_in(&mut self, directory: InodeId, name: &Name, is_directory: bool) {
        if self.teller.watched > 0 && self.inodes.at(directory.0).watched {
            let (mask, to) = (if is_directory { IN_ISDIR } else { 0 }, (directory, name.clone()));
            self.teller.told.push(Told::Moved { mask, from: None, to: Some(to) });
        }
    }

    /// A name in a directory of an upper layer went to where an overlay takes things away.
    pub(super) fn tell_moved_out(&mut self, directory: InodeId, name: &Name, is_directory: bool) {
        if self.teller.watched > 0 && self.inodes.at(directory.0).watched {
            let (mask, from) = (if is_directory { IN_ISDIR } else { 0 }, (directory, name.clone()));
            self.teller.told.push(Told::Moved { mask, from: Some(from), to: None });
        }
    }

    /// The change of something in an overlay is one of what lies in its upper layer too, and those
    /// who watch there hear of it as well. What is read of directories they do not hear.
    #[cold]
    fn tell_layer(&mut self, place: Place, id: EntryId, mask: u32, unlinked: bool) {
        let Some(overlay) = self.overlay_at(place) else { return };
        let (parent, inode) = (self.entry(id).parent, self.entry(id).inode);
        let is_directory = self.is_dir_entry(id);
        if is_directory {
            let quiet = IN_OPEN | IN_ACCESS | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE;
            if let Some(upper) = self.under(overlay, id).upper.filter(|_| mask & quiet == 0) {
                self.tell_thing(upper, mask, unlinked);
            }
            return;
        }
        let Some(above) = self.under(overlay, parent).upper.filter(|_| parent != id) else {
            return;
        };
        let upper = self.child(above, &self.entry(id).name);
        if let Some(upper) = upper.filter(|upper| self.entry(*upper).inode == inode) {
            self.tell_above(upper, mask, unlinked);
        }
    }

    /// An inode is about to be freed: by its last name, or with its whole volume.
    #[inline]
    pub(super) fn tell_gone(&mut self, inode: InodeId) {
        let row = self.inodes.at(inode.0);
        if row.watched {
            let is_deleted = row.nlink == 0;
            let mask = if is_deleted { IN_DELETE_SELF } else { IN_UNMOUNT | self.isdir(inode) };
            self.teller.watched -= 1;
            self.teller.told.push(Told::Gone { mask, inode });
        }
    }

    fn isdir(&self, inode: InodeId) -> u32 {
        match self.inodes.at(inode.0).kind {
            Kind::Directory(_) => IN_ISDIR,
            _ => 0,
        }
    }
}
