//! The extended attributes of one inode, and in which order listxattr(2) names them.
//!
//! A tmpfs has them in a tree and names them backwards. ext4 has first those that lie in the inode,
//! in the order in which they came there, then those of a block of their own, in that of their
//! namespaces and lengths; which of the two takes an attribute depends on the room there. Found by
//! experiment on Linux 6.18 with inodes of 256 bytes.

use super::acl::{ACCESS, DEFAULT, is_acl};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Iter;
use alloc::vec::Vec;

/// Room in the inode, as records.
const INNER_BYTES: usize = 88;
/// Room in the block.
const BLOCK_BYTES: usize = 4096 - 36;
/// What the record of an attribute takes beside its name and value.
const RECORD_BYTES: usize = 16;

/// Attributes by their full names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Xattrs {
    all: BTreeMap<Box<[u8]>, Box<[u8]>>,
    /// The names of those that lie in an inode of ext4, in their order.
    inner: Vec<Box<[u8]>>,
    /// What all names and values take together.
    bytes: u64,
}

/// The namespace of an attribute as ext4 numbers it, and the rest of its name.
fn parts(name: &[u8]) -> (u8, &[u8]) {
    match name {
        ACCESS => return (2, b""),
        DEFAULT => return (3, b""),
        _ => {}
    }
    let dot = name.iter().position(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
    let (space, rest) = name.split_at(dot);
    let index = match space {
        b"user." => 1,
        b"trusted." => 4,
        b"security." => 6,
        _ => 7,
    };
    (index, rest)
}

fn bytes_of(all: &BTreeMap<Box<[u8]>, Box<[u8]>>) -> u64 {
    all.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum()
}

fn record(name: &[u8], value: &[u8]) -> usize {
    let (_, rest) = parts(name);
    let value = if is_acl(name) { list_bytes(value.len()) } else { value.len() };
    RECORD_BYTES + rest.len().next_multiple_of(4) + value.next_multiple_of(4)
}

/// What an access control list takes: its entries are short where nobody is named.
fn list_bytes(given: usize) -> usize {
    let entries = given / 8;
    4 + 4 * entries.min(4) + 8 * entries.saturating_sub(4)
}

impl Xattrs {
    /// The value of a name.
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.all.get(name).map(Box::as_ref)
    }

    /// Names and values in the order of the names' bytes.
    pub(super) fn iter(&self) -> Iter<'_, Box<[u8]>, Box<[u8]>> {
        self.all.iter()
    }

    /// The names in the same order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.all.keys().map(Box::as_ref)
    }

    /// How many there are, and what their names and values take together.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.all.len() as u64, self.bytes)
    }

    /// The same of those that are access control lists.
    pub(super) fn totals_of_lists(&self) -> (u64, u64) {
        let lists = [ACCESS, DEFAULT].into_iter().filter_map(|name| Some((name, self.get(name)?)));
        lists.fold((0, 0), |(count, bytes), (name, value)| {
            (count + 1, bytes + (name.len() + value.len()) as u64)
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The names of those that lie in an inode of ext4.
    pub(super) fn inner(&self) -> &[Box<[u8]>] {
        &self.inner
    }

    /// The names as a tmpfs, or as ext4 lists them.
    pub(super) fn listed(&self, is_ext4: bool) -> Vec<&[u8]> {
        if !is_ext4 {
            // Access control lists are no attributes to it, and are named first.
            let lists = self.keys().filter(|name| is_acl(name));
            let others = self.all.keys().rev().map(Box::as_ref).filter(|name| !is_acl(name));
            return lists.chain(others).collect();
        }
        let mut outer: Vec<&[u8]> = self.keys().filter(|name| !self.is_inner(name)).collect();
        outer.sort_unstable_by_key(|name| {
            let (space, rest) = parts(name);
            (space, rest.len(), rest)
        });
        self.inner.iter().map(Box::as_ref).chain(outer).collect()
    }

    fn is_inner(&self, name: &[u8]) -> bool {
        self.inner.iter().any(|inner| inner.as_ref() == name)
    }

    /// Whether an attribute would lie in the inode of ext4; `None` if there is no room at all.
    pub(super) fn room(&self, name: &[u8], value: &[u8]) -> Option<bool> {
        let others = |inner: bool| {
            let others = self.all.iter().filter(move |(other, _)| other.as_ref() != name);
            let others = others.filter(move |(other, _)| self.is_inner(other) == inner);
            others.map(|(name, value)| record(name, value)).sum::<usize>()
        };
        let own = record(name, value);
        if others(true) + own <= INNER_BYTES {
            return Some(true);
        }
        (others(false) + own <= BLOCK_BYTES).then_some(false)
    }

    /// Sets an attribute; `is_inner` is what [`Xattrs::room`] says of ext4.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], is_inner: bool) {
        self.remove_value(name);
        self.bytes += (name.len() + value.len()) as u64;
        self.all.insert(name.into(), value.into());
        match (self.is_inner(name), is_inner) {
            (false, true) => self.inner.push(name.into()),
            (true, false) => self.inner.retain(|inner| inner.as_ref() != name),
            (true, true) | (false, false) => {}
        }
    }

    fn remove_value(&mut self, name: &[u8]) {
        if let Some(value) = self.all.remove(name) {
            self.bytes -= (name.len() + value.len()) as u64;
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        self.remove_value(name);
        self.inner.retain(|inner| inner.as_ref() != name);
    }

    /// Keeps those whose names are right.
    pub(super) fn retain(&mut self, is_right: impl Fn(&[u8]) -> bool) {
        self.all.retain(|name, _| is_right(name));
        self.bytes = bytes_of(&self.all);
        self.inner.retain(|name| is_right(name));
    }

    /// Says of decoded ones which lie in the inode; false if they are not there or too many.
    pub(super) fn set_inner(&mut self, names: Vec<Box<[u8]>>) -> bool {
        let mut used = 0;
        for name in names {
            let Some(value) = self.get(&name) else { return false };
            used += record(&name, value);
            if used > INNER_BYTES || self.is_inner(&name) {
                return false;
            }
            self.inner.push(name);
        }
        true
    }
}

impl FromIterator<(Box<[u8]>, Box<[u8]>)> for Xattrs {
    fn from_iter<I: IntoIterator<Item = (Box<[u8]>, Box<[u8]>)>>(pairs: I) -> Self {
        let all = pairs.into_iter().collect();
        Self { bytes: bytes_of(&all), all, inner: Vec::new() }
    }
}
