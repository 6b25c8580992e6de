//! An ordered set whose first entry stands outside the tree: whoever has one at a time needs no
//! memory for it, and the first is at hand.

use alloc::collections::BTreeSet;

/// The set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadedSet<K> {
    first: Option<K>,
    /// All after `first`; empty without one.
    others: BTreeSet<K>,
}

impl<K> Default for HeadedSet<K> {
    fn default() -> Self {
        Self { first: None, others: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> HeadedSet<K> {
    /// Adds an entry, if it is not there.
    pub fn insert(&mut self, key: K) {
        match self.first {
            None => self.first = Some(key),
            Some(first) if first == key => {}
            Some(first) if first < key => drop(self.others.insert(key)),
            Some(first) => {
                self.others.insert(first);
                self.first = Some(key);
            }
        }
    }

    /// Takes an entry out, if it is there.
    pub fn remove(&mut self, key: K) {
        if self.first == Some(key) {
            self.first = if self.others.is_empty() { None } else { self.others.pop_first() };
        } else if !self.others.is_empty() {
            self.others.remove(&key);
        }
    }

    /// The first.
    #[inline]
    pub fn first(&self) -> Option<K> {
        self.first
    }

    /// What `look` gives for the first entry for which it gives anything.
    #[inline]
    pub fn find<T>(&self, look: impl Fn(K) -> Option<T>) -> Option<T> {
        let found = self.first.and_then(&look);
        if found.is_some() || self.others.is_empty() {
            return found;
        }
        self.others.iter().copied().find_map(look)
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = K> {
        self.first.into_iter().chain(self.others.iter().copied())
    }
}
