//! How much a file system holds: each inode once, bytes of all but directories (SEMANTICS.md
//! section 10).

use super::vfs::{VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat};
use std::collections::BTreeSet;

/// Bytes in the root file system, when no limit says otherwise.
pub const DEFAULT_MAX_FILESYSTEM_BYTES: u64 = 64 * 1024 * 1024;
/// Inodes in the root file system, when no limit says otherwise.
pub const DEFAULT_MAX_INODE_COUNT: usize = 16_384;

/// What a file system holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileSystemUsage {
    /// Bytes of files and of links' targets; directories count none.
    pub total_bytes: u64,
    /// Inodes, the root included, hard links once.
    pub inode_count: usize,
}

/// Limits for the root file system; `None` means none.
pub trait RootFilesystemResourceLimits {
    /// Bytes at most.
    fn max_filesystem_bytes(&self) -> Option<u64>;
    /// Inodes at most.
    fn max_inode_count(&self) -> Option<usize>;
}

/// Walks a whole file system. Links are not followed; the first error ends the walk.
pub fn measure_filesystem_usage<F: VirtualFileSystem>(
    filesystem: &mut F,
) -> VfsResult<FileSystemUsage> {
    measure(filesystem, F::lstat, F::read_dir_with_types)
}

/// As [`measure_filesystem_usage`], for whatever can tell an inode and list a directory.
pub(crate) fn measure<F: ?Sized>(
    filesystem: &mut F,
    lstat: fn(&F, &str) -> VfsResult<VirtualStat>,
    list: fn(&mut F, &str) -> VfsResult<Vec<VirtualDirEntry>>,
) -> VfsResult<FileSystemUsage> {
    let mut usage = FileSystemUsage::default();
    let mut seen = BTreeSet::new();
    let mut rest = vec!["/".to_owned()];
    while let Some(path) = rest.pop() {
        let stat = lstat(filesystem, &path)?;
        // A directory met again (a foreign file system may have cycles) is not entered again.
        if !seen.insert((stat.dev, stat.ino)) {
            continue;
        }
        usage.inode_count += 1;
        if !stat.is_directory {
            usage.total_bytes = usage.total_bytes.saturating_add(stat.size);
            continue;
        }
        let parent = path.trim_end_matches('/');
        let entries = list(filesystem, &path)?;
        let names = entries.iter().rev().map(|entry| entry.name.as_str());
        rest.extend(
            names
                .filter(|name| !matches!(*name, "." | ".."))
                .map(|name| format!("{parent}/{name}")),
        );
    }
    Ok(usage)
}
