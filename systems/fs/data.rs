//! The contents of files and links with what reading and writing does to the inode: read(2),
//! write(2), truncate(2), lseek(2) (`SEEK_DATA`, `SEEK_HOLE`), readlink(2).
//!
//! Offsets come with each call. Not here: `RLIMIT_FSIZE` and what a FIFO or a device does.

use super::paths::fits_path;
use super::procfs::{self, ProcTarget};
use super::{
    Caller, Fs, InodeId, Kind, MAY_WRITE, Node, PAGE_BYTES, Pages, Place, Shift, VolumeKind,
};
use crate::abi::credentials::CAP_FSETID;
use crate::abi::flags::{IN_ATTRIB, IN_MODIFY};
use crate::abi::{Errno, Timespec};
use alloc::vec::Vec;

impl Fs {
    /// The contents of a regular file; `None` for everything else.
    pub fn pages(&self, place: Place) -> Option<&Pages> {
        match &self.inode(place)?.kind {
            Kind::Regular(pages) => Some(pages),
            _ => None,
        }
    }

    /// fallocate(2)'s hole; stamps the file.
    pub fn punch(&mut self, place: Place, offset: u64, len: u64, now: Timespec) {
        if let Some(inode) = self.inode_id(place) {
            let end = offset.saturating_add(len) / PAGE_BYTES;
            self.part_lent(inode, offset.div_ceil(PAGE_BYTES), end);
        }
        let punched = self.describe_kind(place, |kind| {
            if let Kind::Regular(pages) = kind {
                pages.punch(offset, len);
            }
        });
        if let (Ok(()), Some(inode)) = (punched, self.inode_id(place)) {
            let row = self.inode_mut(inode);
            (row.mtime, row.ctime) = (now, now);
        }
    }

    /// Keeps room for a range of a file, also behind its end (fallocate(2)).
    ///
    /// # Errors
    /// `ENOSPC`, `EDQUOT`.
    pub fn provide(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        (offset, len): (u64, u64),
    ) -> Result<(), Errno> {
        let volume = self.volume(place);
        let (Some(inode), Some(pages)) = (self.inode_id(place), self.pages(place)) else {
            return Ok(());
        };
        // None is there.
        if self.is_huge(place) {
            return Err(Errno::ENOSPC);
        }
        let more = pages.absent(offset, len);
        if more > self.room_pages(volume) {
            return Err(Errno::ENOSPC);
        }
        if more > self.quota_pages(caller, inode) {
            return Err(Errno::EDQUOT);
        }
        // tmpfs keeps room with pages of zeros, which are data once they are asked for again.
        let fills = volume.kind != VolumeKind::Ext4;
        self.describe_kind(place, |kind| {
            if let Kind::Regular(pages) = kind {
                pages.reserve(offset, len, fills);
            }
        })
    }

    /// Takes a range of whole pages out of a file, or puts a hole in between.
    ///
    /// # Errors
    /// `EPERM` below /proc.
    pub fn shift(
        &mut self,
        place: Place,
        shift: Shift,
        (offset, len): (u64, u64),
    ) -> Result<(), Errno> {
        let (_, inode) = self.stored(place)?;
        self.part_lent(inode, offset / PAGE_BYTES, u64::MAX);
        self.describe_kind(place, |kind| {
            if let Kind::Regular(pages) = kind {
                pages.shift(shift, offset, len);
            }
        })
    }

    /// Stamps a file that is about to be changed, and drops its set-id bits.
    ///
    /// # Errors
    /// `EPERM` below /proc.
    pub fn modified(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        now: Timespec,
    ) -> Result<(), Errno> {
        let (_, inode) = self.stored(place)?;
        if self.drop_set_ids(caller, inode) {
            self.tell(place, IN_ATTRIB);
        }
        self.changed(inode, now);
        Ok(())
    }

    /// Stamps what was written to without bytes of its own: a FIFO.
    pub fn stamp_contents(&mut self, place: Place, now: Timespec) {
        if let (Some(inode), Ok(())) = (self.inode_id(place), self.writable(place)) {
            self.changed(inode, now);
        }
    }

    fn pages_mut(&mut self, inode: InodeId) -> Option<&mut Pages> {
        match &mut self.inode_mut(inode).kind {
            Kind::Regular(pages) => Some(pages),
            _ => None,
        }
    }

    /// Up to `count` bytes of a regular file; after it [`Fs::accessed_by_read`] is due.
    ///
    /// # Errors
    /// `EISDIR`; `EINVAL` for what is no regular file.
    pub fn read(&self, place: Place, offset: u64, count: u64) -> Result<Vec<u8>, Errno> {
        match self.pages(place) {
            Some(pages) => Ok(pages.read(offset, count)),
            None if self.is_directory(place) => Err(Errno::EISDIR),
            None => Err(Errno::EINVAL),
        }
    }

    /// [`Fs::accessed`] after a read of so many bytes: most kinds do not count a read of nothing.
    pub fn accessed_by_read(&mut self, place: Place, count: u64, now: Timespec) {
        if count > 0 || self.volume(place).kind.facts().empty_reads_count {
            self.accessed(place, now);
        }
    }

    /// Writes to a regular file and gives how much fitted below the limits; stamps it and drops its
    /// set-id bits. Nothing happens for no bytes.
    ///
    /// # Errors
    /// `EFBIG` at the largest offset, `ENOSPC` or `EDQUOT` if not a byte fits, `EINVAL` for what is
    /// no regular file.
    pub fn write(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        offset: u64,
        data: &[u8],
        now: Timespec,
    ) -> Result<u64, Errno> {
        let (_, inode) = self.stored(place)?;
        let pages = self.pages(place).ok_or(Errno::EINVAL)?;
        if data.is_empty() {
            return Ok(0);
        }
        let volume = self.volume(place);
        let most = volume.kind.facts().max_file_bytes;
        if offset >= most {
            return Err(Errno::EFBIG);
        }
        let count = (data.len() as u64).min(most - offset);
        let room = self.room_pages(volume);
        let within = fitting(pages, offset, count, room);
        if within == 0 {
            return Err(Errno::ENOSPC);
        }
        let count = fitting(pages, offset, within, self.quota_pages(caller, inode));
        if count == 0 {
            return Err(Errno::EDQUOT);
        }
        self.may_write_sealed(inode, offset + count)?;
        if self.drop_set_ids(caller, inode) {
            self.tell(place, IN_ATTRIB);
        }
        let (before, after) = match self.pages_mut(inode) {
            None => return Err(Errno::EINVAL),
            Some(pages) => {
                let before = (pages.taken(), pages.size());
                pages.write(offset, &data[..count as usize]);
                (before, (pages.taken(), pages.size()))
            }
        };
        self.count_pages(inode, before.0, after.0);
        self.count_size(before.1, after.1);
        self.changed(inode, now);
        Ok(count)
    }

    /// What writing and truncating do to set-id bits; whether any went.
    fn drop_set_ids(&mut self, caller: &Caller<'_>, inode: InodeId) -> bool {
        if self.inodes.at(inode.0).mode & 0o6000 != 0 && !caller.cred.capable(CAP_FSETID) {
            let dropped = self.dropped_set_ids(caller, inode);
            self.inode_mut(inode).mode &= !dropped;
            return dropped != 0;
        }
        false
    }

    /// The checks that truncate(2) makes of the file that its path names.
    ///
    /// # Errors
    /// `EISDIR`, `EINVAL`, `EROFS`, `EACCES`, `ETXTBSY`.
    pub fn may_truncate(&self, caller: &Caller<'_>, place: Place) -> Result<(), Errno> {
        if self.is_directory(place) {
            return Err(Errno::EISDIR);
        }
        let is_proc = matches!(place.node, Node::Proc(_));
        if self.pages(place).is_none() && !is_proc {
            return Err(Errno::EINVAL);
        }
        self.writable(place)?;
        self.permission(caller, place, MAY_WRITE)?;
        if is_proc {
            return Ok(());
        }
        self.may_write_text(place)
    }

    /// Sets the size of a regular file, and stamps it even if the size stays the same.
    ///
    /// # Errors
    /// `EFBIG`, `EINVAL` for what is no regular file, and for part of a huge page.
    pub fn truncate(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        size: u64,
        now: Timespec,
    ) -> Result<(), Errno> {
        let pages = self.pages(place).ok_or(Errno::EINVAL)?;
        let (_, inode) = self.stored(place)?;
        let old = pages.size();
        if size > self.kept_on(place).facts().max_file_bytes && size != old {
            return Err(Errno::EFBIG);
        }
        let huge_bytes = self.volume(place).kind.facts().huge_bytes;
        if huge_bytes > 0 && !size.is_multiple_of(huge_bytes) {
            return Err(Errno::EINVAL);
        }
        self.may_resize_sealed(inode, old, size)?;
        self.changeable(place, now)?;
        let dropped = if self.drop_set_ids(caller, inode) { IN_ATTRIB } else { 0 };
        self.resize(inode, size);
        self.changed(inode, now);
        self.tell(place, IN_MODIFY | dropped);
        Ok(())
    }

    /// Gives a regular file another size.
    pub(super) fn resize(&mut self, inode: InodeId, size: u64) {
        self.part_lent(inode, size.div_ceil(PAGE_BYTES), u64::MAX);
        let Some(pages) = self.pages_mut(inode) else { return };
        let (old, before) = (pages.size(), pages.taken());
        pages.truncate(size);
        let after = pages.taken();
        self.count_pages(inode, before, after);
        self.count_size(old, size);
    }

    /// The target of a link; below /proc what it shows. After it [`Fs::accessed`] is due.
    ///
    /// # Errors
    /// `EINVAL` for what is no link; below /proc `EACCES`, `ENOENT`, `ENAMETOOLONG`.
    pub fn readlink(&self, caller: &Caller<'_>, place: Place) -> Result<Vec<u8>, Errno> {
        match place.node {
            Node::Entry(entry) => match &self.inodes.at(self.entry(entry).inode.0).kind {
                Kind::Symlink(target) => Ok(target.to_vec()),
                _ => Err(Errno::EINVAL),
            },
            Node::Proc(node) => match procfs::follow(caller.proc, node)? {
                ProcTarget::Text(text) | ProcTarget::Object(text) => Ok(text),
                ProcTarget::Place(place) => fits_path(self.path_text(caller, place)),
            },
        }
    }
}

/// How many of the bytes fit if at most `room` pages can be added.
fn fitting(pages: &Pages, offset: u64, count: u64, room: u64) -> u64 {
    let most = count / PAGE_BYTES + 2;
    if room >= most || pages.absent(offset, count) <= room {
        return count;
    }
    let (mut fits, mut left) = (0, room);
    while fits < count {
        let at = offset + fits;
        let part = (PAGE_BYTES - at % PAGE_BYTES).min(count - fits);
        let absent = pages.absent(at, part);
        if absent > left {
            break;
        }
        left -= absent;
        fits += part;
    }
    fits
}
