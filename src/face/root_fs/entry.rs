//! Entries of a snapshot, and how they are put into a file system: by depth, then by name, missing
//! parents made.

use super::RootFilesystemError;
use crate::face::overlay_fs::OverlayFileSystem;
use crate::face::vfs::{
    MemoryFileSystem, VfsError, VfsResult, VirtualFileSystem, normalize_path, split_last,
    validate_path,
};
use tickernel_systems::abi::Errno;

/// The mode of directories and of missing parents.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const LINK_MODE: u32 = 0o777;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesystemEntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// A file, directory or link of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesystemEntry {
    /// Where; taken from `/`.
    pub path: String,
    /// What it is.
    pub kind: FilesystemEntryKind,
    /// Permission bits; those of a type are left aside.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// A file's bytes; none is an empty file.
    pub content: Option<Vec<u8>>,
    /// Where a link points.
    pub target: Option<String>,
}

impl FilesystemEntry {
    fn root_owned(path: impl Into<String>, kind: FilesystemEntryKind, mode: u32) -> Self {
        Self { path: path.into(), kind, mode, uid: 0, gid: 0, content: None, target: None }
    }

    /// A directory of root's, 0755.
    pub fn directory(path: impl Into<String>) -> Self {
        Self::root_owned(path, FilesystemEntryKind::Directory, DIRECTORY_MODE)
    }

    /// A file of root's, 0644.
    pub fn file(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        let file = Self::root_owned(path, FilesystemEntryKind::File, FILE_MODE);
        Self { content: Some(content.into()), ..file }
    }

    /// A link of root's, 0777.
    pub fn symlink(path: impl Into<String>, target: impl Into<String>) -> Self {
        let link = Self::root_owned(path, FilesystemEntryKind::Symlink, LINK_MODE);
        Self { target: Some(target.into()), ..link }
    }
}

/// A whole file system as entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFilesystemSnapshot {
    /// In any order.
    pub entries: Vec<FilesystemEntry>,
}

/// An entry with its normalised path.
pub(super) struct Rank<'e> {
    pub(super) path: String,
    entry: &'e FilesystemEntry,
}

/// The entries in the order in which they are put: by depth, then by name.
pub(super) fn ranked(entries: &[FilesystemEntry]) -> Result<Vec<Rank<'_>>, RootFilesystemError> {
    let mut ranks = Vec::with_capacity(entries.len());
    for entry in entries {
        validate_path(&entry.path)?;
        ranks.push(Rank { path: normalize_path(&entry.path), entry });
    }
    ranks.sort_by(|a, b| {
        let depth = |path: &str| path.bytes().filter(|byte| *byte == b'/').count();
        depth(&a.path).cmp(&depth(&b.path)).then_with(|| a.path.cmp(&b.path))
    });
    Ok(ranks)
}

/// A file system that can make a link with an owner.
pub(super) trait Layer: VirtualFileSystem {
    fn put_link(&mut self, target: &str, path: &str, entry: &FilesystemEntry) -> VfsResult<()>;
}

impl Layer for MemoryFileSystem {
    fn put_link(&mut self, target: &str, path: &str, entry: &FilesystemEntry) -> VfsResult<()> {
        self.symlink_with_metadata(target, path, entry.mode, entry.uid, entry.gid)
    }
}

impl Layer for OverlayFileSystem {
    fn put_link(&mut self, target: &str, path: &str, entry: &FilesystemEntry) -> VfsResult<()> {
        self.symlink_owned(target, path, (entry.uid, entry.gid))
    }
}

/// Puts an entry where it belongs. A file or link that is there already goes; a directory stays.
pub(super) fn put(files: &mut impl Layer, rank: &Rank<'_>) -> Result<(), RootFilesystemError> {
    let Rank { path, entry } = rank;
    make_above(files, path)?;
    let there = match files.lstat(path) {
        Ok(stat) => Some(stat.is_directory),
        Err(error) if error.code() == Errno::ENOENT.name() => None,
        Err(error) => return Err(error.into()),
    };
    match (&entry.kind, there) {
        (FilesystemEntryKind::Directory, Some(true)) => {}
        (FilesystemEntryKind::Directory, Some(false)) => {
            return Err(VfsError::on_path(Errno::ENOTDIR, "mkdir", path).into());
        }
        (FilesystemEntryKind::Directory, None) => files.create_dir(path)?,
        (FilesystemEntryKind::File | FilesystemEntryKind::Symlink, Some(true)) => {
            return Err(VfsError::on_path(Errno::EISDIR, "open", path).into());
        }
        (FilesystemEntryKind::File | FilesystemEntryKind::Symlink, there) => {
            if there.is_some() {
                files.remove_file(path)?;
            }
            if entry.kind == FilesystemEntryKind::Symlink {
                let Some(target) = &entry.target else {
                    let message = format!("missing symlink target for {path}");
                    return Err(RootFilesystemError::new(message));
                };
                return Ok(files.put_link(target, path, entry)?);
            }
            files.write_file(path, entry.content.clone().unwrap_or_default())?;
        }
    }
    dress(files, path, entry.mode, (entry.uid, entry.gid))?;
    Ok(())
}

/// The directories that lead to a path, as far as they are missing: root's, 0755.
fn make_above(files: &mut impl Layer, path: &str) -> VfsResult<()> {
    let mut missing = Vec::new();
    let mut rest = path;
    while let Some((parent, _)) = split_last(rest) {
        match files.stat(parent) {
            Ok(stat) if stat.is_directory => break,
            Ok(_) => return Err(VfsError::on_path(Errno::ENOTDIR, "stat", parent)),
            Err(error) if error.code() == Errno::ENOENT.name() => missing.push(parent),
            Err(error) => return Err(error),
        }
        rest = parent;
    }
    for directory in missing.into_iter().rev() {
        files.create_dir(directory)?;
        dress(files, directory, DIRECTORY_MODE, (0, 0))?;
    }
    Ok(())
}

/// The mode comes after the owner: chown(2) clears the set-id bits.
fn dress(files: &mut impl Layer, path: &str, mode: u32, owner: (u32, u32)) -> VfsResult<()> {
    files.chown(path, owner.0, owner.1)?;
    files.chmod(path, mode & 0o7777)
}
