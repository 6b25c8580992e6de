//! A table of rows with small ids: freed ids are reused last in, first out, and each changed row is
//! marked, so that a digest takes only the hashes of changed rows anew (DESIGN section 7).
//!
//! Owns ids, the list of free ids and the dirty marks. What a row means is its user's business.

use crate::wire::{WireError, WireReader, put_varint};
use alloc::vec::Vec;

/// One slot: the row if the id is in use, and the hash that the running sum holds for it.
#[derive(Clone, Debug)]
struct Slot<T> {
    row: Option<T>,
    hash: u64,
    dirty: bool,
}

/// What a row that is decoded takes beside its slot: indexes, and what checks note of it.
const DECODED_BYTES: u64 = 256;

/// Rows by id.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    dirty: Vec<u32>,
    sum: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), dirty: Vec::new(), sum: 0 }
    }
}

impl<T> Table<T> {
    /// How many ids are in use.
    pub(super) fn live(&self) -> u64 {
        (self.slots.len() - self.free.len()) as u64
    }

    /// How many ids there are, in use or free: all are below.
    pub(super) fn ids(&self) -> usize {
        self.slots.len()
    }

    /// Takes the id that was freed last, or a new one.
    pub(super) fn insert(&mut self, row: T) -> u32 {
        match self.free.pop() {
            Some(id) => {
                self.slots[id as usize].row = Some(row);
                self.mark(id);
                id
            }
            None => {
                let id = self.slots.len() as u32;
                self.slots.push(Slot { row: Some(row), hash: 0, dirty: true });
                self.dirty.push(id);
                id
            }
        }
    }

    /// Frees an id and gives its row.
    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let row = self.slots.get_mut(id as usize)?.row.take()?;
        self.free.push(id);
        self.mark(id);
        Some(row)
    }

    fn mark(&mut self, id: u32) {
        let slot = &mut self.slots[id as usize];
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(id);
        }
    }

    /// The row, if the id is in use.
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.slots.get(id as usize)?.row.as_ref()
    }

    /// The row of an id that the caller knows to be in use (an invariant of this crate's own
    /// references, which decoding checks).
    pub(super) fn at(&self, id: u32) -> &T {
        self.get(id).expect("a reference inside the file system names a live row")
    }

    /// As [`Table::at`], to change: marks the row.
    #[inline]
    pub(super) fn at_mut(&mut self, id: u32) -> &mut T {
        let slot = &mut self.slots[id as usize];
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(id);
        }
        slot.row.as_mut().expect("a reference inside the file system names a live row")
    }

    /// As [`Table::at_mut`], for changes of what the encoding leaves out: marks nothing.
    pub(super) fn at_mut_unmarked(&mut self, id: u32) -> &mut T {
        let slot = self.slots.get_mut(id as usize);
        slot.and_then(|slot| slot.row.as_mut())
            .expect("a reference inside the file system names a live row")
    }

    /// All rows in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter_map(|(id, slot)| slot.row.as_ref().map(|row| (id as u32, row)))
    }

    /// The wrapping sum of the hashes of all rows; `hash` is asked for changed ones only.
    pub(super) fn digest(&mut self, mut hash: impl FnMut(u32, &mut T) -> u64) -> u64 {
        for id in core::mem::take(&mut self.dirty) {
            let slot = &mut self.slots[id as usize];
            slot.dirty = false;
            let fresh = slot.row.as_mut().map_or(0, |row| hash(id, row));
            self.sum = self.sum.wrapping_sub(slot.hash).wrapping_add(fresh);
            slot.hash = fresh;
        }
        self.sum
    }

    /// What [`Table::digest`] must give, from every row.
    pub(super) fn digest_walk(&self, mut hash: impl FnMut(u32, &T) -> u64) -> u64 {
        self.iter().fold(0, |sum, (id, row)| sum.wrapping_add(hash(id, row)))
    }

    /// Appends count, rows in the order of their ids, and the free ids.
    pub(super) fn put(&self, out: &mut Vec<u8>, mut put: impl FnMut(&T, &mut Vec<u8>)) {
        put_varint(out, self.slots.len() as u64);
        for slot in &self.slots {
            match &slot.row {
                None => out.push(0),
                Some(row) => {
                    out.push(1);
                    put(row, out);
                }
            }
        }
        for id in &self.free {
            put_varint(out, u64::from(*id));
        }
    }

    /// Takes a table from the front.
    pub(super) fn take<'a>(
        from: &mut WireReader<'a>,
        mut take: impl FnMut(&mut WireReader<'a>) -> Result<T, WireError>,
    ) -> Result<Self, WireError> {
        let mut table = Self::default();
        let mut vacant = Vec::new();
        let count = from.count()?;
        for id in 0..count as u32 {
            from.charge(size_of::<Slot<T>>() as u64 + DECODED_BYTES)?;
            let row = match from.byte()? {
                0 => None,
                1 => Some(take(from)?),
                _ => return Err(from.error("a row or a vacant id")),
            };
            if row.is_none() {
                vacant.push(id);
            }
            table.slots.push(Slot { row, hash: 0, dirty: true });
            table.dirty.push(id);
        }
        let mut listed = Vec::with_capacity(vacant.len());
        for _ in 0..vacant.len() {
            listed.push(from.varint()?);
        }
        table.free = listed.iter().map(|id| *id as u32).collect();
        listed.sort_unstable();
        if !listed.iter().copied().eq(vacant.iter().map(|id| u64::from(*id))) {
            return Err(from.error("each vacant id once in the list of free ids"));
        }
        Ok(table)
    }
}
