//! Text files that are busy: a file that runs cannot be written, a file that is open for writing
//! cannot be run (`ETXTBSY` of open(2), truncate(2), execve(2)).
//!
//! The counts follow from open descriptions and running programs: the callers keep them, an image
//! does not hold them.

use super::{Fs, InodeId, Kind, Place};
use crate::abi::Errno;

/// Who keeps an inode busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Busy {
    writers: u32,
    runners: u32,
}

impl Busy {
    /// Writers and runners.
    pub(super) const fn users(self) -> [u32; 2] {
        [self.writers, self.runners]
    }
}

impl Fs {
    pub(super) fn regular_inode(&self, place: Place) -> Option<InodeId> {
        let inode = self.inode_id(place)?;
        matches!(self.inodes.at(inode.0).kind, Kind::Regular(_)).then_some(inode)
    }

    /// Counts a description that may write.
    pub fn begin_write(&mut self, place: Place) {
        if let Some(inode) = self.regular_inode(place) {
            self.inodes.at_mut(inode.0).busy.writers += 1;
            self.mounts.at_mut_unmarked(place.mount.0).writers += 1;
        }
    }

    /// Ends one [`Fs::begin_write`].
    pub fn end_write(&mut self, place: Place) {
        if let Some(inode) = self.regular_inode(place) {
            let busy = &mut self.inodes.at_mut(inode.0).busy;
            busy.writers = busy.writers.saturating_sub(1);
            let mount = self.mounts.at_mut_unmarked(place.mount.0);
            mount.writers = mount.writers.saturating_sub(1);
        }
    }

    /// Counts a process that runs the file.
    pub fn begin_run(&mut self, place: Place) {
        if let Some(inode) = self.regular_inode(place) {
            self.inodes.at_mut(inode.0).busy.runners += 1;
        }
    }

    /// Ends one [`Fs::begin_run`].
    pub fn end_run(&mut self, place: Place) {
        if let Some(inode) = self.regular_inode(place) {
            let busy = &mut self.inodes.at_mut(inode.0).busy;
            busy.runners = busy.runners.saturating_sub(1);
        }
    }

    /// Whether the file may be run.
    ///
    /// # Errors
    /// `ETXTBSY` while it is open for writing.
    pub fn may_run(&self, place: Place) -> Result<(), Errno> {
        match self.inode(place) {
            Some(inode) if inode.busy.writers > 0 => Err(Errno::ETXTBSY),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the file may be written.
    ///
    /// # Errors
    /// `ETXTBSY` while it runs.
    pub(super) fn may_write_text(&self, place: Place) -> Result<(), Errno> {
        match self.inode(place) {
            Some(inode) if inode.busy.runners > 0 => Err(Errno::ETXTBSY),
            Some(_) | None => Ok(()),
        }
    }
}
