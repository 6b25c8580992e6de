//! The bytes of a regular file: pages of 4 KiB, an absent page is a hole (lseek(2), `SEEK_HOLE`),
//! also where room is kept for it (`reserved.rs`).
//!
//! Pages are shared copy-on-write between a file system, its snapshots and branches; the counts of
//! `Arc` are never observable. Owns data, size and the running hash of the contents. Limits of
//! size, time stamps and accounting are `data.rs`'s.

use super::reserved::Reserved;
use crate::digest::hash64;
use crate::wire::{Wire, WireError, WireReader, put_varint};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Bytes of a page.
pub const PAGE_BYTES: u64 = 4096;
/// A write this many pages behind the dense part goes on with it; farther ones are kept apart.
const DENSE_GAP_PAGES: u64 = 64;
/// Beyond so many places the dense part is at least half full when it grows.
const DENSE_FREE_PAGES: u64 = 16;

const ZEROS: [u8; PAGE_BYTES as usize] = [0; PAGE_BYTES as usize];

/// What a page that is decoded takes beside its bytes.
const DECODED_BYTES: u64 = 192;

/// A page that exists. Bytes behind the end of `bytes` are zero.
#[derive(Clone, Debug)]
struct Page {
    bytes: Arc<Vec<u8>>,
    hash: u64,
    hashed: bool,
}

impl Page {
    /// What is hashed and encoded: without trailing zeros, whatever the page's history.
    fn canonical(&self) -> &[u8] {
        canonical(&self.bytes)
    }

    fn write(&mut self, within: usize, data: &[u8]) {
        let end = within + data.len();
        // A page of zeros, as a copy of a hole writes them, takes no bytes.
        if data.len() as u64 == PAGE_BYTES && data.last() == Some(&0) && data == ZEROS {
            self.bytes = Arc::default();
            return;
        }
        if within == 0 && data.len() >= self.bytes.len() {
            match Arc::get_mut(&mut self.bytes) {
                Some(bytes) => {
                    bytes.clear();
                    bytes.extend_from_slice(data);
                }
                None => self.bytes = Arc::new(data.to_vec()),
            }
            return;
        }
        let bytes = Arc::make_mut(&mut self.bytes);
        if end > bytes.len() {
            if end > bytes.capacity() {
                let room = end.next_power_of_two().min(PAGE_BYTES as usize);
                bytes.reserve_exact(room.max(end) - bytes.len());
            }
            bytes.resize(within.max(bytes.len()), 0);
            let overlap = bytes.len() - within;
            bytes[within..].copy_from_slice(&data[..overlap]);
            bytes.extend_from_slice(&data[overlap..]);
        } else {
            bytes[within..end].copy_from_slice(data);
        }
    }
}

/// Bytes without the zeros at their end.
pub(super) fn canonical(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Which way the end of a file moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Nearer: what is in between goes.
    Out,
    /// Farther: a hole comes in between.
    In,
}

/// The contents of a regular file.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    size: u64,
    /// Pages 0 to `dense.len()`.
    dense: Vec<Option<Page>>,
    /// Pages from `dense.len()` on.
    sparse: BTreeMap<u64, Page>,
    present: u64,
    /// Wrapping sum of the hashes of the pages that are `hashed`.
    content: u64,
    /// Pages that may not be `hashed`.
    stale: Vec<u64>,
    /// Pages that do not exist, for which fallocate(2) keeps room.
    reserved: Option<Box<Reserved>>,
}

impl Pages {
    /// A file of `size` zero bytes without any page.
    pub fn hole(size: u64) -> Self {
        Self { size, ..Self::default() }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many pages exist.
    pub fn present(&self) -> u64 {
        self.present
    }

    /// Pages that exist or for which room is kept.
    pub fn taken(&self) -> u64 {
        self.present + self.reserved.as_ref().map_or(0, |kept| kept.pages())
    }

    /// The ranges of pages for which room is kept.
    pub(super) fn reserved(&self) -> Option<&Reserved> {
        self.reserved.as_deref().filter(|kept| kept.pages() > 0)
    }

    /// Keeps room for the absent pages of a range of bytes (fallocate(2)), also behind the end.
    /// Those for which room is kept already become pages of zeros if it `fills`.
    pub(super) fn reserve(&mut self, offset: u64, len: u64, fills: bool) {
        let (first, end) = (offset / PAGE_BYTES, offset.saturating_add(len).div_ceil(PAGE_BYTES));
        if let Some(kept) = self.reserved.as_ref().filter(|_| fills) {
            let again = kept.within(first, end);
            again.into_iter().flat_map(|(first, end)| first..end).for_each(|index| {
                self.page_mut(index);
            });
        }
        let mut at = first;
        let mut gaps = Vec::new();
        for index in self.present_in(first, end) {
            gaps.push((at, index));
            at = index + 1;
        }
        gaps.push((at, end));
        let kept = self.reserved.get_or_insert_default();
        gaps.into_iter().for_each(|(first, end)| kept.add(first, end));
        self.tidy_reserved();
    }

    /// Puts decoded ranges in the place of none; false if they are not of absent pages.
    pub(super) fn set_reserved(&mut self, reserved: Reserved) -> bool {
        let ranges = || reserved.ranges();
        let is_absent = ranges().all(|(first, end)| self.present_in(first, end).next().is_none());
        self.reserved = Some(Box::new(reserved));
        self.tidy_reserved();
        is_absent
    }

    fn unreserve(&mut self, first: u64, end: u64) {
        if let Some(kept) = &mut self.reserved {
            kept.remove(first, end);
            self.tidy_reserved();
        }
    }

    fn tidy_reserved(&mut self) {
        if self.reserved.as_ref().is_some_and(|kept| kept.pages() == 0) {
            self.reserved = None;
        }
    }

    /// The pages that exist from one up to another.
    fn present_in(&self, first: u64, end: u64) -> impl Iterator<Item = u64> {
        let dense = self.dense.len() as u64;
        let begin = first.min(dense);
        let part = &self.dense[begin as usize..end.clamp(begin, dense) as usize];
        let dense = part.iter().zip(begin..);
        let dense = dense.filter_map(|(page, index)| page.as_ref().map(|_| index));
        dense.chain(self.sparse.range(first..end.max(first)).map(|(index, _)| *index))
    }

    fn page(&self, index: u64) -> Option<&Page> {
        if index < self.dense.len() as u64 {
            return self.dense[index as usize].as_ref();
        }
        self.sparse.get(&index)
    }

    /// The bytes of a page that exists; all behind them is zero.
    pub(super) fn page_bytes(&self, index: u64) -> Option<&Arc<Vec<u8>>> {
        self.page(index).map(|page| &page.bytes)
    }

    /// The page to change, made if it is absent; it counts as not hashed.
    fn page_mut(&mut self, index: u64) -> &mut Page {
        let dense = self.dense.len() as u64;
        let filled = index < 2 * self.present + DENSE_FREE_PAGES;
        if index >= dense && index <= dense + DENSE_GAP_PAGES && filled {
            self.extend_dense(index + 1);
        }
        let (present, stale) = (&mut self.present, &mut self.stale);
        let reserved = &mut self.reserved;
        let fresh = || {
            *present += 1;
            stale.push(index);
            if let Some(kept) = reserved {
                kept.remove(index, index + 1);
            }
            Page { bytes: Arc::new(Vec::new()), hash: 0, hashed: false }
        };
        let page = if index < self.dense.len() as u64 {
            self.dense[index as usize].get_or_insert_with(fresh)
        } else {
            self.sparse.entry(index).or_insert_with(fresh)
        };
        if page.hashed {
            page.hashed = false;
            self.content = self.content.wrapping_sub(page.hash);
            self.stale.push(index);
        }
        page
    }

    fn extend_dense(&mut self, pages: u64) {
        self.dense.resize(pages as usize, None);
        while let Some(first) = self.sparse.first_entry() {
            if *first.key() >= pages {
                break;
            }
            let (index, page) = first.remove_entry();
            self.dense[index as usize] = Some(page);
        }
    }

    fn forget(&mut self, page: &Page) {
        self.present -= 1;
        if page.hashed {
            self.content = self.content.wrapping_sub(page.hash);
        }
    }

    /// Up to `count` bytes from `offset`: fewer at the end of the file.
    pub fn read(&self, offset: u64, count: u64) -> Vec<u8> {
        let mut out = Vec::new();
        self.read_into(offset, count, &mut out);
        out
    }

    /// As [`Pages::read`], appended to `out`; gives the count.
    pub fn read_into(&self, offset: u64, count: u64, out: &mut Vec<u8>) -> u64 {
        let count = count.min(self.size.saturating_sub(offset));
        out.reserve(count as usize);
        let mut at = offset;
        let end = offset + count;
        while at < end {
            let within = (at % PAGE_BYTES) as usize;
            let part = (PAGE_BYTES - at % PAGE_BYTES).min(end - at) as usize;
            let filled = out.len() + part;
            if let Some(page) = self.page(at / PAGE_BYTES) {
                let known = page.bytes.get(within..).unwrap_or_default();
                out.extend_from_slice(&known[..part.min(known.len())]);
            }
            out.resize(filled, 0);
            at += part as u64;
        }
        count
    }

    /// Writes at `offset`; the file grows if the end lies behind its end.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let within = (at % PAGE_BYTES) as usize;
            let (part, behind) = rest.split_at(rest.len().min(PAGE_BYTES as usize - within));
            self.page_mut(at / PAGE_BYTES).write(within, part);
            at += part.len() as u64;
            rest = behind;
        }
        if !data.is_empty() {
            self.size = self.size.max(at);
        }
        self.trim_stale();
    }

    /// How many pages a write would take that are not taken yet.
    pub fn absent(&self, offset: u64, count: u64) -> u64 {
        if count == 0 {
            return 0;
        }
        let (first, end) = (offset / PAGE_BYTES, (offset + count).div_ceil(PAGE_BYTES));
        let reserved = self.reserved.as_ref().map_or(0, |kept| kept.count(first, end));
        end - first - self.present_in(first, end).count() as u64 - reserved
    }

    /// Cuts or extends (by a hole) to `size`; the cut part of the last page becomes zero.
    pub fn truncate(&mut self, size: u64) {
        if size <= self.size {
            let keep = size.div_ceil(PAGE_BYTES);
            // Room behind the end goes too.
            self.unreserve(keep, u64::MAX);
            while self.dense.len() as u64 > keep {
                if let Some(Some(page)) = self.dense.pop() {
                    self.forget(&page);
                }
            }
            for page in self.sparse.split_off(&keep).values() {
                self.forget(page);
            }
            let within = (size % PAGE_BYTES) as usize;
            if within != 0 && self.page(size / PAGE_BYTES).is_some() {
                let page = self.page_mut(size / PAGE_BYTES);
                if page.bytes.len() > within {
                    Arc::make_mut(&mut page.bytes).truncate(within);
                }
            }
        }
        self.size = size;
        self.thin();
        self.trim_stale();
    }

    /// The first byte behind all pages: those of a tmpfs can lie behind the end of the file.
    fn end_of_pages(&self) -> u64 {
        let behind =
            self.sparse.last_key_value().map_or(self.dense.len() as u64, |last| last.0 + 1);
        behind.saturating_mul(PAGE_BYTES)
    }

    /// Makes a hole (`FALLOC_FL_PUNCH_HOLE` of fallocate(2)): what lies in it is zero; the size
    /// stays.
    pub fn punch(&mut self, offset: u64, len: u64) {
        let asked = offset.saturating_add(len);
        self.unreserve(offset.div_ceil(PAGE_BYTES), asked / PAGE_BYTES);
        let behind = self.size.checked_next_multiple_of(PAGE_BYTES).unwrap_or(u64::MAX);
        let end = asked.min(behind.max(self.end_of_pages()));
        let mut at = offset;
        while at < end {
            let index = at / PAGE_BYTES;
            let next = (index + 1).saturating_mul(PAGE_BYTES).min(end);
            let is_whole = at.is_multiple_of(PAGE_BYTES) && next.is_multiple_of(PAGE_BYTES);
            if is_whole {
                let page = match self.dense.get_mut(index as usize) {
                    Some(slot) => slot.take(),
                    None => self.sparse.remove(&index),
                };
                if let Some(page) = page {
                    self.forget(&page);
                }
            } else if self.page(index).is_some() {
                let zeros = [0; PAGE_BYTES as usize];
                let part = (next - at) as usize;
                self.page_mut(index).write((at % PAGE_BYTES) as usize, &zeros[..part]);
            }
            // Beyond the pages that exist there is nothing to take out.
            at = next;
            if index >= self.dense.len() as u64 && self.sparse.range(index..).next().is_none() {
                break;
            }
        }
        self.thin();
        self.trim_stale();
    }

    /// Takes a range of whole pages inside the file out of it (`FALLOC_FL_COLLAPSE_RANGE` of
    /// fallocate(2)), or puts a hole in between (`FALLOC_FL_INSERT_RANGE`): what is behind moves.
    pub fn shift(&mut self, shift: Shift, offset: u64, len: u64) {
        let (first, count) = (offset / PAGE_BYTES, len / PAGE_BYTES);
        let size = match shift {
            Shift::Out => self.size.saturating_sub(len),
            Shift::In => self.size.saturating_add(len),
        };
        let mut old = core::mem::replace(self, Self::hole(size));
        self.reserved = old.reserved.take();
        if let Some(kept) = &mut self.reserved {
            kept.shift(shift, first, count);
        }
        self.tidy_reserved();
        for (index, page) in old.iter() {
            let to = match shift {
                _ if index < first => index,
                Shift::Out if index < first + count => continue,
                Shift::Out => index - count,
                Shift::In => index + count,
            };
            self.page_mut(to).bytes = Arc::clone(&page.bytes);
        }
    }

    /// Keeps the dense part in proportion to the pages when pages have gone.
    fn thin(&mut self) {
        let most = 4 * self.present + DENSE_FREE_PAGES;
        if self.dense.len() as u64 > most {
            for (index, page) in core::mem::take(&mut self.dense).into_iter().enumerate() {
                if let Some(page) = page {
                    self.sparse.insert(index as u64, page);
                }
            }
        }
        if self.dense.capacity() as u64 > 2 * most {
            self.dense.shrink_to_fit();
        }
    }

    /// Whether none of some bytes lies in a page.
    pub fn is_hole(&self, offset: u64, count: u64) -> bool {
        let end = offset.saturating_add(count).div_ceil(PAGE_BYTES);
        count == 0 || self.present_in(offset / PAGE_BYTES, end).next().is_none()
    }

    /// `SEEK_DATA` of lseek(2): the first byte from `offset` that lies in a page; `None` is
    /// `ENXIO`.
    pub fn seek_data(&self, offset: u64) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        let first = offset / PAGE_BYTES;
        let dense = (first..self.dense.len() as u64).find(|index| self.page(*index).is_some());
        let sparse = || Some(*self.sparse.range(first..).next()?.0);
        let found = dense.or_else(sparse)?.saturating_mul(PAGE_BYTES).max(offset);
        (found < self.size).then_some(found)
    }

    /// `SEEK_HOLE` of lseek(2): the first byte from `offset` that lies in no page, or the end of
    /// the file; `None` is `ENXIO`.
    pub fn seek_hole(&self, offset: u64) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        let mut index = offset / PAGE_BYTES;
        while self.page(index).is_some() {
            index += 1;
        }
        Some(index.saturating_mul(PAGE_BYTES).max(offset).min(self.size))
    }

    /// Keeps the list of stale pages in proportion to the pages, however seldom a digest is taken.
    fn trim_stale(&mut self) {
        if self.stale.len() as u64 <= 2 * self.present + 16 {
            return;
        }
        let mut stale = core::mem::take(&mut self.stale);
        stale.sort_unstable();
        stale.dedup();
        stale.retain(|index| self.page(*index).is_some_and(|page| !page.hashed));
        self.stale = stale;
    }

    /// The hash of the contents; takes the hashes of changed pages only.
    pub(super) fn content_hash(&mut self) -> u64 {
        for index in core::mem::take(&mut self.stale) {
            let page = if index < self.dense.len() as u64 {
                self.dense[index as usize].as_mut()
            } else {
                self.sparse.get_mut(&index)
            };
            if let Some(page) = page.filter(|page| !page.hashed) {
                page.hashed = true;
                page.hash = hash64(index, page.canonical());
                self.content = self.content.wrapping_add(page.hash);
            }
        }
        self.content
    }

    /// What [`Pages::content_hash`] must give, from every page.
    pub(super) fn content_hash_walk(&self) -> u64 {
        self.iter().fold(0, |sum, (index, page)| sum.wrapping_add(hash64(index, page.canonical())))
    }

    fn iter(&self) -> impl Iterator<Item = (u64, &Page)> {
        let dense = self.dense.iter().enumerate();
        let dense = dense.filter_map(|(index, page)| Some((index as u64, page.as_ref()?)));
        dense.chain(self.sparse.iter().map(|(index, page)| (*index, page)))
    }
}

impl<'a> Wire<'a> for Pages {
    fn put(&self, out: &mut Vec<u8>) {
        self.size.put(out);
        put_varint(out, self.present);
        for (index, page) in self.iter() {
            index.put(out);
            page.canonical().put(out);
        }
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let mut pages = Pages::hole(u64::get(from)?);
        let mut next = 0;
        for _ in 0..from.count()? {
            let error = from.error("pages of at most 4096 bytes inside the file, in their order");
            let (index, bytes) = (u64::get(from)?, <&[u8]>::get(from)?);
            from.charge(bytes.len() as u64 + DECODED_BYTES)?;
            // Behind the end lie but pages of zeros.
            let is_page = index <= u64::MAX / PAGE_BYTES;
            let inside = is_page && (bytes.is_empty() || index * PAGE_BYTES < pages.size);
            let zero_end = bytes.last() == Some(&0);
            if index < next || !inside || bytes.len() as u64 > PAGE_BYTES || zero_end {
                return Err(error);
            }
            if bytes.len() as u64 > pages.size.saturating_sub(index * PAGE_BYTES) {
                return Err(error);
            }
            next = index + 1;
            pages.page_mut(index).write(0, bytes);
        }
        Ok(pages)
    }
}
