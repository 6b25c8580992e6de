//! `RootFileSystem`: the tree that a machine starts with, made of a description (SEMANTICS.md,
//! section 13, "Root file system / overlay").
//!
//! - `entry.rs` entries and snapshots, and how they are put into a file system;
//! - `limits.rs` what an import may hold; `json.rs` a snapshot as text;
//! - `base.rs` the bundled trees.

mod base;
mod entry;
mod json;
mod limits;

pub use base::load_bundled_base_snapshot_with_limits;
pub use entry::{FilesystemEntry, FilesystemEntryKind, RootFilesystemSnapshot};
pub use json::{
    ROOT_FILESYSTEM_SNAPSHOT_FORMAT, decode_snapshot, decode_snapshot_with_import_limits,
    encode_snapshot, is_supported_root_filesystem_snapshot_format,
};
pub use limits::{RootFilesystemImportLimits, validate_snapshot_import_limits};

use super::error::KernelError;
use super::mount_table::{delegated_methods, file_system_methods, inherent_methods};
use super::overlay_fs::OverlayFileSystem;
use super::vfs::{
    MemoryFileSystem, VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat,
    VirtualUtimeSpec,
};
use entry::{Rank, put};
use std::fmt;
use tickernel_systems::abi::Errno;

/// Where bootstrap entries are left out: what is there is the kernel's.
const KERNEL_DIRECTORIES: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Why a root file system could not be made or told: a text without a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFilesystemError {
    message: String,
}

impl RootFilesystemError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for RootFilesystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RootFilesystemError {}

impl From<VfsError> for RootFilesystemError {
    fn from(error: VfsError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<RootFilesystemError> for KernelError {
    fn from(error: RootFilesystemError) -> Self {
        Self::errno(Errno::EINVAL, error.message)
    }
}

/// Whether a root file system takes changes once it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootFilesystemMode {
    /// It does.
    Ephemeral,
    /// `EROFS` from [`RootFileSystem::finish_bootstrap`] on.
    ReadOnly,
}

/// What a root file system is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFilesystemDescriptor {
    /// Whether it takes changes.
    pub mode: RootFilesystemMode,
    /// Without the bundled base below all. With no layer either, a minimal tree stands in.
    pub disable_default_base_layer: bool,
    /// The layers, the first one the highest.
    pub lowers: Vec<RootFilesystemSnapshot>,
    /// What is put on top at once; entries in /dev, /proc and /sys are left out.
    pub bootstrap_entries: Vec<FilesystemEntry>,
}

impl Default for RootFilesystemDescriptor {
    /// The bundled base, writable.
    fn default() -> Self {
        Self {
            mode: RootFilesystemMode::Ephemeral,
            disable_default_base_layer: false,
            lowers: Vec::new(),
            bootstrap_entries: Vec::new(),
        }
    }
}

/// A root file system: layers of snapshots under one that takes the changes.
///
/// ```
/// use tickernel::root_fs::{FilesystemEntry, RootFileSystem, RootFilesystemDescriptor};
/// use tickernel::vfs::VirtualFileSystem;
///
/// let motd = FilesystemEntry::file("/etc/motd", "hello");
/// let mut root = RootFileSystem::from_descriptor(RootFilesystemDescriptor {
///     bootstrap_entries: vec![motd],
///     ..RootFilesystemDescriptor::default()
/// })?;
/// assert!(root.exists("/etc/passwd"));
/// assert_eq!(root.read_file("/etc/motd")?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RootFileSystem {
    overlay: OverlayFileSystem,
    mode: RootFilesystemMode,
    finished: bool,
}

impl RootFileSystem {
    /// Makes the tree, within the default limits.
    ///
    /// # Errors
    /// A layer or the entries exceed the limits, or an entry cannot be: a file where a directory
    /// must be, a path that is none, a link without a target.
    pub fn from_descriptor(
        descriptor: RootFilesystemDescriptor,
    ) -> Result<Self, RootFilesystemError> {
        Self::from_descriptor_with_import_limits(descriptor, &RootFilesystemImportLimits::default())
    }

    /// Makes the tree within these limits, which hold for each layer and for the bootstrap entries.
    ///
    /// # Errors
    /// Those of [`RootFileSystem::from_descriptor`].
    pub fn from_descriptor_with_import_limits(
        descriptor: RootFilesystemDescriptor,
        limits: &RootFilesystemImportLimits,
    ) -> Result<Self, RootFilesystemError> {
        let RootFilesystemDescriptor {
            mode,
            disable_default_base_layer,
            lowers,
            bootstrap_entries,
        } = descriptor;
        let minimal = disable_default_base_layer && lowers.is_empty();
        let mut layers = Vec::new();
        for snapshot in lowers {
            layers.push(imported(&snapshot, limits, "root filesystem layer")?);
        }
        if minimal {
            layers.push(imported(&base::minimal(), limits, "minimal root filesystem")?);
        }
        if !disable_default_base_layer {
            layers.push(imported(&base::bundled(), limits, "bundled root filesystem")?);
        }
        let mut upper = MemoryFileSystem::new();
        if let Some(highest) = layers.first() {
            let root = highest.lstat("/")?;
            upper.chown("/", root.uid, root.gid)?;
            upper.chmod("/", root.mode & 0o7777)?;
        }
        let overlay = OverlayFileSystem::with_upper(layers, upper);
        let bootstrap = RootFilesystemSnapshot { entries: bootstrap_entries };
        validate_snapshot_import_limits(&bootstrap, limits, "root filesystem bootstrap")?;
        let mut root = Self { overlay, mode, finished: false };
        root.apply_bootstrap_entries(&bootstrap.entries)?;
        Ok(root)
    }

    /// Puts entries on top, those in /dev, /proc and /sys left out.
    ///
    /// # Errors
    /// After [`RootFileSystem::finish_bootstrap`]; those of an entry that cannot be.
    pub fn apply_bootstrap_entries(
        &mut self,
        entries: &[FilesystemEntry],
    ) -> Result<(), RootFilesystemError> {
        if self.finished {
            return Err(RootFilesystemError::new("root filesystem bootstrap is already finished"));
        }
        let is_ours = |entry: &&Rank<'_>| {
            !KERNEL_DIRECTORIES.iter().any(|top| {
                entry
                    .path
                    .strip_prefix(top)
                    .is_some_and(|rest| matches!(rest.as_bytes(), [] | [b'/', ..]))
            })
        };
        for entry in entry::ranked(entries)?.iter().filter(is_ours) {
            put(&mut self.overlay, entry)?;
        }
        Ok(())
    }

    /// The tree is made: from now on a read-only one refuses changes.
    pub fn finish_bootstrap(&mut self) {
        self.finished = true;
        if self.mode == RootFilesystemMode::ReadOnly {
            self.overlay.lock_writes();
        }
    }

    /// All that is seen, the directories before what is in them.
    ///
    /// # Errors
    /// A file that cannot be read whole.
    pub fn snapshot(&mut self) -> Result<RootFilesystemSnapshot, RootFilesystemError> {
        let mut entries = Vec::new();
        for (path, stat) in self.overlay.everything()? {
            let (kind, content, target) = if stat.is_directory {
                (FilesystemEntryKind::Directory, None, None)
            } else if stat.is_symbolic_link {
                let target = VirtualFileSystem::read_link(&self.overlay, &path)?;
                (FilesystemEntryKind::Symlink, None, Some(target))
            } else {
                let content = VirtualFileSystem::read_file(&mut self.overlay, &path)?;
                (FilesystemEntryKind::File, Some(content), None)
            };
            let VirtualStat { mode, uid, gid, .. } = stat;
            entries.push(FilesystemEntry { path, kind, mode, uid, gid, content, target });
        }
        Ok(RootFilesystemSnapshot { entries })
    }

    /// As [`OverlayFileSystem::check_rename_copy_up_limits`].
    ///
    /// # Errors
    /// Those of the rename, then `ENOSPC`.
    pub fn check_rename_copy_up_limits(
        &mut self,
        old_path: &str,
        new_path: &str,
        max_bytes: Option<u64>,
        max_inodes: Option<usize>,
    ) -> VfsResult<()> {
        self.overlay.check_rename_copy_up_limits(old_path, new_path, max_bytes, max_inodes)
    }

    pub(crate) fn overlay_mut(&mut self) -> &mut OverlayFileSystem {
        &mut self.overlay
    }
}

/// A layer of its own.
fn imported(
    snapshot: &RootFilesystemSnapshot,
    limits: &RootFilesystemImportLimits,
    context: &str,
) -> Result<MemoryFileSystem, RootFilesystemError> {
    validate_snapshot_import_limits(snapshot, limits, context)?;
    let mut layer = MemoryFileSystem::new();
    for entry in entry::ranked(&snapshot.entries)? {
        put(&mut layer, &entry)?;
    }
    Ok(layer)
}

file_system_methods!(inherent_methods [] RootFileSystem);
file_system_methods!(delegated_methods RootFileSystem, overlay);

impl RootFileSystem {
    #[doc(hidden)]
    pub fn exists(&self, path: &str) -> bool {
        VirtualFileSystem::exists(self, path)
    }
}
