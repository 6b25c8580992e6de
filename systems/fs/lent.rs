//! Pages of regular files that lie in pipes (splice(2), sendfile(2)): whoever reads the pipe sees
//! what has become of the file, until the page leaves it.
//!
//! A write, and the zeros of a part that is cut or punched, change the page where it is. A page
//! that is cut away whole, whose hole is punched, that moves, or that O_DIRECT writes past stays in
//! the pipe as it was, as does every page of a file that is gone. Owns which page that is and how
//! many segments of pipes hold it; the segments are `components/pipe.rs`'s, and who looks here
//! before it reads one is `calls/lent.rs`. Files do not know of it: a write costs nothing more. The
//! rules were found by experiment on ext4 and tmpfs of Linux 6.18.
//!
//! Not here: folios of several pages, in which ext4 may keep what was written at once. Linux cuts
//! zeros into such a one as far as it reaches, and leaves the pages in the file; it depends on its
//! memory where they begin and end.

use super::pages::{PAGE_BYTES, canonical};
use super::{Fs, InodeId, Kind, VolumeKind};
use crate::wire::{Wire, WireError, WireReader, put_varint};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU64;

/// What a page that is decoded takes beside its bytes.
const DECODED_BYTES: u64 = 192;

/// A page that lies in pipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LentId(NonZeroU64);

impl<'a> Wire<'a> for LentId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.get().put(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("the number of a page of a file, from 1 on");
        NonZeroU64::new(u64::get(from)?).map(LentId).ok_or(error)
    }
}

/// Where the bytes of such a page are.
#[derive(Clone, Debug)]
enum Lies {
    /// In the file, at this page of it.
    In(InodeId, u64),
    /// The page has left the file with these.
    Apart(Arc<Vec<u8>>),
}

#[derive(Clone, Debug)]
struct LentPage {
    /// Segments of pipes that hold it.
    holders: u32,
    lies: Lies,
}

/// All such pages: none in almost every kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Lent {
    pages: BTreeMap<LentId, LentPage>,
    /// Those that lie in a file, by their places in it.
    places: BTreeMap<(InodeId, u64), LentId>,
}

impl Fs {
    /// Whether no page of a file lies in a pipe.
    #[inline(always)]
    pub fn lends_nothing(&self) -> bool {
        self.lent.pages.is_empty()
    }

    /// One more segment will hold a page of a regular file; `None` where there is no page to hold:
    /// a hole of tmpfs gives zeros of nobody, those of others are pages once they are read.
    pub fn lend(&mut self, inode: InodeId, page: u64) -> Option<LentId> {
        if !self.has_page_to_lend(inode, page) {
            return None;
        }
        if let Some(id) = self.lent.places.get(&(inode, page)).copied() {
            self.hold_lent(id);
            return Some(id);
        }
        let last = self.lent.pages.last_key_value().map_or(0, |(id, _)| id.0.get());
        let id = LentId(NonZeroU64::new(last.checked_add(1)?)?);
        self.lent.pages.insert(id, LentPage { holders: 1, lies: Lies::In(inode, page) });
        self.lent.places.insert((inode, page), id);
        Some(id)
    }

    /// Whether Linux has a page in memory for this page of a file once that is read.
    pub fn has_page_to_lend(&self, inode: InodeId, page: u64) -> bool {
        let row = self.inodes.at(inode.0);
        let Kind::Regular(pages) = &row.kind else { return false };
        let reads_holes = match self.volumes[row.volume.0 as usize].kind {
            VolumeKind::Ext4 | VolumeKind::Ramfs => true,
            VolumeKind::Tmpfs
            | VolumeKind::Devtmpfs
            | VolumeKind::Devpts
            | VolumeKind::Proc
            | VolumeKind::Overlay
            | VolumeKind::HugePages
            | VolumeKind::GiganticPages => false,
        };
        reads_holes || pages.page_bytes(page).is_some()
    }

    /// One more segment holds it.
    pub fn hold_lent(&mut self, id: LentId) {
        if let Some(page) = self.lent.pages.get_mut(&id) {
            page.holders += 1;
        }
    }

    /// A segment holds it no longer.
    pub fn release_lent(&mut self, id: LentId) {
        let Some(page) = self.lent.pages.get_mut(&id) else { return };
        page.holders -= 1;
        if page.holders == 0
            && let Some(LentPage { lies: Lies::In(inode, page), .. }) = self.lent.pages.remove(&id)
        {
            self.lent.places.remove(&(inode, page));
        }
    }

    /// The offset in a file at which such a page lies, if it lies in that file.
    pub fn lent_offset(&self, id: LentId, inode: InodeId) -> Option<u64> {
        match self.lent.pages.get(&id)?.lies {
            Lies::In(file, page) if file == inode => Some(page * PAGE_BYTES),
            Lies::In(..) | Lies::Apart(_) => None,
        }
    }

    /// What lies in it now; all behind these bytes is zero.
    pub fn lent_bytes(&self, id: LentId) -> &[u8] {
        match self.lent.pages.get(&id).map(|page| &page.lies) {
            Some(Lies::Apart(bytes)) => bytes,
            Some(Lies::In(inode, page)) => match &self.inodes.at(inode.0).kind {
                Kind::Regular(pages) => pages.page_bytes(*page).map_or(&[], |bytes| bytes),
                _ => &[],
            },
            None => &[],
        }
    }

    /// The pages of a file from `first` up to `end` are about to leave it.
    #[inline]
    pub(super) fn part_lent(&mut self, inode: InodeId, first: u64, end: u64) {
        if !self.lends_nothing() && first < end {
            self.part_all_lent(inode, first, end);
        }
    }

    /// O_DIRECT is about to write a range of bytes: what ext4 keeps of it in memory goes.
    pub fn part_written(&mut self, inode: InodeId, offset: u64, count: u64) {
        let volume = self.inodes.at(inode.0).volume;
        let is_direct = self.volumes[volume.0 as usize].kind == VolumeKind::Ext4;
        if is_direct && count > 0 {
            let end = offset.saturating_add(count).div_ceil(PAGE_BYTES);
            self.part_lent(inode, offset / PAGE_BYTES, end);
        }
    }

    #[cold]
    fn part_all_lent(&mut self, inode: InodeId, first: u64, end: u64) {
        let range = (inode, first)..(inode, end);
        let gone: Vec<_> = self.lent.places.range(range).map(|(at, id)| (*at, *id)).collect();
        for (at, id) in gone {
            let bytes = match &self.inodes.at(inode.0).kind {
                Kind::Regular(pages) => pages.page_bytes(at.1).cloned().unwrap_or_default(),
                _ => Arc::default(),
            };
            self.lent.places.remove(&at);
            if let Some(page) = self.lent.pages.get_mut(&id) {
                page.lies = Lies::Apart(bytes);
            }
        }
    }

    /// Whether these, and so many segments each, are all the pages that are held, and each lies in
    /// a file that is there.
    pub fn lends(&self, held: &BTreeMap<LentId, u32>) -> bool {
        let is_there = |(id, page): (&LentId, &LentPage)| match page.lies {
            Lies::Apart(_) => true,
            Lies::In(inode, at) => self.inodes.get(inode.0).is_some_and(|row| {
                matches!(&row.kind, Kind::Regular(pages) if at <= pages.size() / PAGE_BYTES)
                    && self.lent.places.get(&(inode, at)) == Some(id)
            }),
        };
        let apart = self.lent.pages.values().filter(|page| matches!(page.lies, Lies::Apart(_)));
        let counted = self.lent.pages.iter().map(|(id, page)| (id, &page.holders));
        counted.eq(held.iter())
            && self.lent.pages.iter().all(is_there)
            && self.lent.places.len() + apart.count() == self.lent.pages.len()
    }

    /// Writes all of it, for a snapshot.
    pub fn put_lent(&self, out: &mut Vec<u8>) {
        put_varint(out, self.lent.pages.len() as u64);
        for (id, page) in &self.lent.pages {
            (*id, page.holders).put(out);
            match &page.lies {
                Lies::In(inode, page) => (0u8, (*inode, *page)).put(out),
                Lies::Apart(bytes) => (1u8, canonical(bytes)).put(out),
            }
        }
    }

    /// Reads what [`Fs::put_lent`] wrote.
    ///
    /// # Errors
    /// What is not that; [`Fs::lends`] says whether it fits to the rest.
    pub fn get_lent(&mut self, from: &mut WireReader<'_>) -> Result<(), WireError> {
        for _ in 0..from.count()? {
            let error = from.error("pages of at most 4096 bytes in pipes, by their numbers");
            let (id, holders): (LentId, u32) = Wire::get(from)?;
            let lies = match from.byte()? {
                0 => {
                    let at = Wire::get(from)?;
                    self.lent.places.insert(at, id);
                    Lies::In(at.0, at.1)
                }
                1 => {
                    let bytes = <&[u8]>::get(from)?;
                    if bytes.len() as u64 > PAGE_BYTES || bytes.last() == Some(&0) {
                        return Err(error);
                    }
                    from.charge(bytes.len() as u64)?;
                    Lies::Apart(Arc::new(bytes.to_vec()))
                }
                _ => return Err(error),
            };
            from.charge(DECODED_BYTES)?;
            let is_next = self.lent.pages.last_key_value().is_none_or(|(last, _)| *last < id);
            if !is_next || holders == 0 {
                return Err(error);
            }
            self.lent.pages.insert(id, LentPage { holders, lies });
        }
        Ok(())
    }
}
