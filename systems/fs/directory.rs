//! Directories: which entries, in which order, and how a name is found (readdir(3), getdents(2)).
//!
//! The order is that of insertion. Each entry has a cookie that never changes while it is listed,
//! so a removal moves nobody else's position in an open stream. Names of all directories are found
//! in one hash index that is never iterated. Owns both; permissions are not its business.

use super::Fs;
use super::inode::{EntryId, InodeId, Kind, Name};
use super::table::Table;
use crate::wire::{Wire, WireError, WireReader};
use ahash::RandomState;
use alloc::vec::Vec;
use hashbrown::HashTable;

/// The cookie of the first entry; `.` and `..` lie before it.
pub(super) const FIRST_COOKIE: u64 = 2;

/// A position in a directory: an entry, or where one was.
#[derive(Clone, Copy, Debug)]
struct Slot {
    cookie: u64,
    entry: Option<EntryId>,
}

/// The list of a directory.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The directory's own entry.
    pub(super) entry: EntryId,
    /// The cookie that the next new entry gets.
    pub(super) next_cookie: u64,
    slots: Vec<Slot>,
    live: u32,
}

impl Directory {
    pub(super) fn new(entry: EntryId) -> Self {
        Self { entry, next_cookie: FIRST_COOKIE, slots: Vec::new(), live: 0 }
    }

    /// How many entries it lists, without `.` and `..`.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// Entries whose cookie is `from` or greater, in order.
    pub(super) fn entries_from(&self, from: u64) -> impl Iterator<Item = (u64, EntryId)> {
        let start = self.slots.partition_point(|slot| slot.cookie < from);
        let slots = self.slots.iter().skip(start);
        slots.filter_map(|slot| slot.entry.map(|entry| (slot.cookie, entry)))
    }
}

impl<'a> Wire<'a> for Directory {
    /// The entries themselves say where they are listed, so the list is not written.
    fn put(&self, out: &mut Vec<u8>) {
        self.entry.put(out);
        self.next_cookie.put(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let mut directory = Directory::new(EntryId::get(from)?);
        directory.next_cookie = u64::get(from)?;
        Ok(directory)
    }
}

/// Entries by directory and name.
#[derive(Clone, Debug)]
pub(super) struct Index {
    names: HashTable<EntryId>,
    hasher: RandomState,
}

impl Default for Index {
    fn default() -> Self {
        Self { names: HashTable::new(), hasher: RandomState::with_seeds(0x66, 0x73, 0x2e, 0x31) }
    }
}

impl Index {
    fn hash(&self, parent: EntryId, name: &[u8]) -> u64 {
        self.hasher.hash_one((parent.0, name))
    }

    fn find(&self, entries: &Table<super::Entry>, parent: EntryId, name: &[u8]) -> Option<EntryId> {
        let same = |id: &EntryId| {
            let entry = entries.at(id.0);
            entry.parent == parent && entry.name.as_slice() == name
        };
        self.names.find(self.hash(parent, name), same).copied()
    }

    fn insert(&mut self, entries: &Table<super::Entry>, id: EntryId) {
        let hash_of = |id: &EntryId| {
            let entry = entries.at(id.0);
            self.hasher.hash_one((entry.parent.0, entry.name.as_slice()))
        };
        self.names.insert_unique(hash_of(&id), id, hash_of);
    }

    fn remove(&mut self, entries: &Table<super::Entry>, id: EntryId) {
        let entry = entries.at(id.0);
        let hash = self.hash(entry.parent, &entry.name);
        if let Ok(found) = self.names.find_entry(hash, |other| *other == id) {
            found.remove();
        }
    }
}

impl Fs {
    /// The entry with this name in the directory.
    pub(super) fn child(&self, directory: EntryId, name: &[u8]) -> Option<EntryId> {
        self.index.find(&self.entries, directory, name)
    }

    /// The list of a directory, to change; marks the directory's inode.
    fn list_mut(&mut self, directory: EntryId) -> Option<&mut Directory> {
        let inode = self.entries.at(directory.0).inode;
        match &mut self.inodes.at_mut(inode.0).kind {
            Kind::Directory(list) => Some(list),
            Kind::Regular(_) | Kind::Symlink(_) | Kind::Fifo | Kind::Socket => None,
            Kind::CharDevice(_) | Kind::BlockDevice(_) => None,
        }
    }

    fn new_entry(&mut self, parent: EntryId, name: Name, inode: InodeId) -> EntryId {
        let entry = super::Entry {
            parent,
            name,
            inode,
            cookie: 0,
            slot: 0,
            linked: false,
            holds: 0,
            mounts: 0,
        };
        let row = self.inodes.at_mut(inode.0);
        row.entries += 1;
        let volume = row.volume;
        self.count_name(volume);
        EntryId(self.entries.insert(entry))
    }

    /// Makes an entry at the end of the directory.
    pub(super) fn add_entry(&mut self, parent: EntryId, name: Name, inode: InodeId) -> EntryId {
        let id = self.new_entry(parent, name, inode);
        self.list_entry(id);
        id
    }

    /// Makes an entry that the directory does not list; it lives from its first holder to its last.
    pub(super) fn add_unlisted(&mut self, parent: EntryId, name: Name, inode: InodeId) -> EntryId {
        self.entries.at_mut(parent.0).holds += 1;
        self.new_entry(parent, name, inode)
    }

    /// Lists an entry (whose parent and name are set) at the end of its directory.
    pub(super) fn list_entry(&mut self, id: EntryId) {
        let parent = self.entries.at(id.0).parent;
        let Some(list) = self.list_mut(parent) else { return };
        let (cookie, slot) = (list.next_cookie, list.slots.len() as u32);
        list.next_cookie += 1;
        list.live += 1;
        list.slots.push(Slot { cookie, entry: Some(id) });
        let entry = self.entries.at_mut(id.0);
        (entry.cookie, entry.slot, entry.linked) = (cookie, slot, true);
        self.index.insert(&self.entries, id);
    }

    /// Lists an entry (whose parent and name are set) where another of that directory is, which is
    /// listed no more.
    pub(super) fn list_entry_in_place(&mut self, id: EntryId, old: EntryId) {
        self.index.remove(&self.entries, old);
        let replaced = self.entries.at_mut(old.0);
        replaced.linked = false;
        let (parent, cookie, slot) = (replaced.parent, replaced.cookie, replaced.slot);
        if let Some(list) = self.list_mut(parent) {
            list.slots[slot as usize].entry = Some(id);
        }
        let entry = self.entries.at_mut(id.0);
        (entry.cookie, entry.slot, entry.linked) = (cookie, slot, true);
        self.index.insert(&self.entries, id);
    }

    /// Takes an entry out of its directory's list; the row stays.
    pub(super) fn unlist_entry(&mut self, id: EntryId) {
        self.index.remove(&self.entries, id);
        let entry = self.entries.at_mut(id.0);
        entry.linked = false;
        let (parent, slot) = (entry.parent, entry.slot);
        let Some(list) = self.list_mut(parent) else { return };
        list.slots[slot as usize].entry = None;
        list.live -= 1;
        if list.slots.len() as u64 <= 2 * u64::from(list.live) + 16 {
            return;
        }
        list.slots.retain(|slot| slot.entry.is_some());
        let kept: Vec<_> = list.slots.iter().filter_map(|slot| slot.entry).collect();
        for (slot, entry) in kept.into_iter().enumerate() {
            self.entries.at_mut_unmarked(entry.0).slot = slot as u32;
        }
    }

    /// Takes an entry out of the index: all of its volume go.
    pub(super) fn unindex_entry(&mut self, id: EntryId) {
        self.index.remove(&self.entries, id);
    }

    /// Two entries change places, names and directories.
    pub(super) fn exchange_entries(&mut self, a: EntryId, b: EntryId) {
        self.index.remove(&self.entries, a);
        self.index.remove(&self.entries, b);
        let position =
            |entry: &super::Entry| (entry.parent, entry.name.clone(), entry.cookie, entry.slot);
        let (at_a, at_b) = (position(self.entry(a)), position(self.entry(b)));
        for (id, (parent, name, cookie, slot)) in [(a, at_b), (b, at_a)] {
            if let Some(list) = self.list_mut(parent) {
                list.slots[slot as usize].entry = Some(id);
            }
            let entry = self.entries.at_mut(id.0);
            (entry.parent, entry.name, entry.cookie, entry.slot) = (parent, name, cookie, slot);
        }
        self.index.insert(&self.entries, a);
        self.index.insert(&self.entries, b);
    }

    /// Puts decoded entries into the lists and the index: in the order of their cookies, each below
    /// a directory and under a name of its own.
    pub(super) fn relist(&mut self) -> Result<(), &'static str> {
        let listed =
            self.entries.iter().filter(|(id, entry)| entry.linked && entry.parent.0 != *id);
        let mut order: Vec<_> =
            listed.map(|(id, entry)| (entry.parent, entry.cookie, id)).collect();
        order.sort_unstable();
        for (parent, cookie, id) in order {
            if self.child(parent, &self.entries.at(id).name).is_some() {
                return Err("each name once in a directory");
            }
            let Some(list) = self.list_mut(parent) else {
                return Err("entries below directories only");
            };
            let ascending = list.slots.last().is_none_or(|last| last.cookie < cookie);
            if !ascending || cookie < FIRST_COOKIE || cookie >= list.next_cookie {
                return Err("each cookie once, below the directory's next");
            }
            let slot = list.slots.len() as u32;
            list.slots.push(Slot { cookie, entry: Some(EntryId(id)) });
            list.live += 1;
            self.entries.at_mut(id).slot = slot;
            self.index.insert(&self.entries, EntryId(id));
        }
        Ok(())
    }
}
