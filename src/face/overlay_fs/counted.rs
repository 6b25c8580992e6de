//! What an overlay holds: walked once, then kept from change to change where a change says what it
//! comes to, so that a write does not cost a walk. Renames and changes of hard links in lower
//! layers are walked again.

use super::OverlayFileSystem;
use super::layers::View;
use crate::face::usage::{FileSystemUsage, measure_filesystem_usage};
use crate::face::vfs::VfsResult;

/// What a path adds to the count: its bytes, and whether it is there.
type Share = (u64, usize);

impl OverlayFileSystem {
    /// Bytes and inodes of all that is seen.
    pub(crate) fn usage(&mut self) -> VfsResult<FileSystemUsage> {
        if let Some((total_bytes, inode_count)) = self.counted.get() {
            return Ok(FileSystemUsage { total_bytes, inode_count });
        }
        let usage = measure_filesystem_usage(self)?;
        self.counted.set(Some((usage.total_bytes, usage.inode_count)));
        Ok(usage)
    }

    /// The share of what a path leads to, if a change of it changes nothing else.
    fn share(&self, path: &str, follow: bool) -> Option<Share> {
        let walked = self.walk(path, follow, View::Merged).ok()?;
        match walked.found {
            None => Some((0, 0)),
            Some(found) if found.stat.is_directory => Some((0, 1)),
            Some(found) if found.stat.nlink == 1 => Some((found.stat.size, 1)),
            // Copied up, one of its names would be another file; removed, others keep it.
            Some(_) => None,
        }
    }

    /// Performs a change of one path, and keeps the count if it can.
    pub(super) fn counting<T>(
        &mut self,
        path: &str,
        follow: bool,
        change: impl FnOnce(&mut Self) -> VfsResult<T>,
    ) -> VfsResult<T> {
        let known = self.counted.get();
        let before = known.and_then(|_| self.share(path, follow));
        let result = change(self);
        // What failed may have made the directories that lead there.
        let ((Some((bytes, inodes)), Some(before)), Ok(_)) = ((known, before), &result) else {
            return result;
        };
        if let Some(after) = self.share(path, follow) {
            let bytes = bytes.saturating_sub(before.0).saturating_add(after.0);
            let inodes = inodes.saturating_sub(before.1).saturating_add(after.1);
            self.counted.set(Some((bytes, inodes)));
        }
        result
    }
}
