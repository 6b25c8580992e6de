//! A `MemoryFileSystem` as a value: every path's inode number, and every inode with its metadata
//! (API.md, "vfs"). The looks at a whole tree that go with it stand here too.

use super::memory_fs::MemoryFileSystem;
use super::vfs::{
    VfsResult, VirtualFileSystem, VirtualStat, VirtualTimeSpec, VirtualUtimeSpec, check_entry_count,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an inode has beside its contents. Times are since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFileSystemSnapshotMetadata {
    /// Type and permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Names of it.
    pub nlink: u64,
    /// Its number.
    pub ino: u64,
    /// Last read, in ms.
    pub atime_ms: u64,
    /// The part of it below a second, in ns.
    pub atime_nsec: u32,
    /// Last change of the content, in ms.
    pub mtime_ms: u64,
    /// The part of it below a second, in ns.
    pub mtime_nsec: u32,
    /// Last change of the inode, in ms.
    pub ctime_ms: u64,
    /// The part of it below a second, in ns.
    pub ctime_nsec: u32,
    /// When it was made, in ms.
    pub birthtime_ms: u64,
}

/// What an inode is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryFileSystemSnapshotInodeKind {
    /// A regular file.
    File {
        /// Its content.
        data: Vec<u8>,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink {
        /// Where it points.
        target: String,
    },
}

/// An inode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFileSystemSnapshotInode {
    /// What it has beside its contents.
    pub metadata: MemoryFileSystemSnapshotMetadata,
    /// What it is.
    pub kind: MemoryFileSystemSnapshotInodeKind,
}

/// A whole tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFileSystemSnapshot {
    /// The inode of each path.
    pub path_index: BTreeMap<String, u64>,
    /// The inodes by number.
    pub inodes: BTreeMap<u64, MemoryFileSystemSnapshotInode>,
    /// A number above all of them.
    pub next_ino: u64,
}

fn metadata_of(stat: &VirtualStat) -> MemoryFileSystemSnapshotMetadata {
    MemoryFileSystemSnapshotMetadata {
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        nlink: stat.nlink,
        ino: stat.ino,
        atime_ms: stat.atime_ms,
        atime_nsec: stat.atime_nsec,
        mtime_ms: stat.mtime_ms,
        mtime_nsec: stat.mtime_nsec,
        ctime_ms: stat.ctime_ms,
        ctime_nsec: stat.ctime_nsec,
        birthtime_ms: stat.birthtime_ms,
    }
}

/// A time to set again: the nanoseconds count where they were set so.
fn time(ms: u64, nsec: u32) -> VirtualUtimeSpec {
    let whole = VirtualTimeSpec::from_millis(ms);
    let nsec = if nsec == 0 { whole.nsec } else { nsec };
    VirtualUtimeSpec::Set(VirtualTimeSpec { nsec, ..whole })
}

impl MemoryFileSystem {
    /// The names in a directory for which `include` says so, `ENOMEM` when these are more than
    /// `max_entries`.
    ///
    /// # Errors
    /// Those of the directory.
    pub fn read_dir_filtered_limited<F>(
        &mut self,
        path: &str,
        max_entries: usize,
        mut include: F,
    ) -> VfsResult<Vec<String>>
    where
        F: FnMut(&str) -> bool,
    {
        let mut names = self.read_dir(path)?;
        names.retain(|name| include(name));
        check_entry_count(path, names.len(), max_entries)?;
        Ok(names)
    }

    /// How many names of an inode lie at a path and below.
    pub fn link_count_in_subtree(&self, ino: u64, path: &str) -> usize {
        self.tree_below(path).iter().filter(|(_, stat)| stat.ino == ino).count()
    }

    /// Every path at a path and below with what is there, outermost first.
    fn tree_below(&self, path: &str) -> Vec<(String, VirtualStat)> {
        let mut all = Vec::new();
        let mut rest = vec![super::vfs::normalize_path(path)];
        while let Some(path) = rest.pop() {
            // Nothing changes meanwhile, so all that is listed is there.
            let Ok(stat) = self.lstat(&path) else { continue };
            if stat.is_directory {
                let parent = path.trim_end_matches('/');
                let entries = self.typed_entries(&path).unwrap_or_default();
                rest.extend(entries.iter().rev().map(|entry| format!("{parent}/{}", entry.name)));
            }
            all.push((path, stat));
        }
        all
    }

    /// The whole tree as a value. It has the times from before its files were read for it. A file
    /// that `read_file` refuses with `ENOMEM`, for the length of its holes, stands in it empty: the
    /// contract's signature has no error.
    pub fn snapshot(&self) -> MemoryFileSystemSnapshot {
        let mut path_index = BTreeMap::new();
        let mut inodes = BTreeMap::new();
        for (path, stat) in self.tree_below("/") {
            inodes.entry(stat.ino).or_insert_with(|| {
                let kind = if stat.is_directory {
                    MemoryFileSystemSnapshotInodeKind::Directory
                } else if stat.is_symbolic_link {
                    let target = self.read_link(&path).unwrap_or_default();
                    MemoryFileSystemSnapshotInodeKind::SymbolicLink { target }
                } else {
                    let data = self.content(&path).unwrap_or_default();
                    MemoryFileSystemSnapshotInodeKind::File { data }
                };
                MemoryFileSystemSnapshotInode { metadata: metadata_of(&stat), kind }
            });
            path_index.insert(path, stat.ino);
        }
        let next_ino = inodes.keys().next_back().map_or(1, |last| last.saturating_add(1));
        MemoryFileSystemSnapshot { path_index, inodes, next_ino }
    }

    /// The tree of a snapshot. Numbers of inodes, the times of their making and of their last
    /// change are new; a path whose inode is missing, or that cannot be (below a file), is left
    /// out, and missing directories are made.
    pub fn from_snapshot(snapshot: MemoryFileSystemSnapshot) -> Self {
        let mut files = Self::new();
        let mut paths: Vec<(&String, &u64)> = snapshot.path_index.iter().collect();
        paths.sort_by_key(|(path, _)| path.bytes().filter(|byte| *byte == b'/').count());
        let mut first_names: BTreeMap<u64, &str> = BTreeMap::new();
        for (path, ino) in &paths {
            let Some(inode) = snapshot.inodes.get(ino) else { continue };
            let made = match first_names.get(ino) {
                Some(first) => files.link(first, path),
                None => files.make_again(path, inode),
            };
            if made.is_ok() {
                first_names.entry(**ino).or_insert(path);
            }
        }
        // From the inside out: what is made in a directory changes its times.
        for (path, ino) in paths.iter().rev() {
            if let Some(inode) = snapshot.inodes.get(ino) {
                // A path that was left out has no times to set.
                let _ = files.date_again(path, &inode.metadata);
            }
        }
        files
    }

    fn make_again(&mut self, path: &str, inode: &MemoryFileSystemSnapshotInode) -> VfsResult<()> {
        let MemoryFileSystemSnapshotMetadata { mode, uid, gid, .. } = inode.metadata;
        match &inode.kind {
            MemoryFileSystemSnapshotInodeKind::Directory => self.mkdir(path, true)?,
            MemoryFileSystemSnapshotInodeKind::File { data } => {
                self.create_file_exclusive(path, data.clone())?;
            }
            MemoryFileSystemSnapshotInodeKind::SymbolicLink { target } => {
                return self.symlink_with_metadata(target, path, mode, uid, gid);
            }
        }
        self.chown(path, uid, gid)?;
        self.chmod(path, mode & 0o7777)
    }

    fn date_again(
        &mut self,
        path: &str,
        metadata: &MemoryFileSystemSnapshotMetadata,
    ) -> VfsResult<()> {
        let atime = time(metadata.atime_ms, metadata.atime_nsec);
        let mtime = time(metadata.mtime_ms, metadata.mtime_nsec);
        self.utimes_spec(path, atime, mtime, false)
    }
}
