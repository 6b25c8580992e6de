//! `OverlayFileSystem`: several file systems seen as one; all that changes goes to the uppermost
//! (SEMANTICS.md, section 13; Documentation/filesystems/overlayfs.rst).
//!
//! - `layers.rs` the merged view: what is at a path, in which layer, and what a directory lists;
//! - `copy_up.rs` how what lies lower comes up, and what that costs;
//! - `counted.rs` what it holds, kept from change to change;
//! - `calls.rs` the methods of a file system; `names.rs` those that make, move and remove names.
//!
//! What is hidden of the lower layers is a set of paths: nothing of them is seen there and below.
//! It stands both for overlayfs's whiteouts (nothing above either) and its opaque directories.

mod calls;
mod copy_up;
mod counted;
mod layers;
mod names;

use super::mount_table::{file_system_methods, inherent_methods};
use super::vfs::{
    MemoryFileSystem, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
};
use std::cell::Cell;
use std::collections::BTreeSet;

/// The origin keeps its markers here: nothing is seen of it, and nothing may be made there.
const MARKERS: &str = "/.secure-exec-overlay";

/// Whether an overlay takes changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayMode {
    /// They go to an upper layer that goes with the overlay.
    Ephemeral,
    /// They are refused with `EROFS`.
    ReadOnly,
}

/// Lower layers, the first one the highest, under one upper layer that takes all changes.
///
/// ```
/// use tickernel::overlay_fs::{OverlayFileSystem, OverlayMode};
/// use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem};
///
/// let mut base = MemoryFileSystem::new();
/// base.write_file("/etc/motd", "hello")?;
/// let mut files = OverlayFileSystem::new(vec![base], OverlayMode::Ephemeral);
/// files.append_file("/etc/motd", ", world")?; // the upper layer has a copy now
/// assert_eq!(files.read_file("/etc/motd")?, b"hello, world");
/// files.remove_file("/etc/motd")?;
/// assert!(!files.exists("/etc/motd"));
/// # Ok::<(), tickernel::vfs::VfsError>(())
/// ```
#[derive(Debug)]
pub struct OverlayFileSystem {
    upper: MemoryFileSystem,
    lowers: Vec<MemoryFileSystem>,
    /// Paths at which and below which no lower layer is seen.
    hidden: BTreeSet<String>,
    locked: bool,
    /// Bytes and inodes that it holds, while they are known.
    counted: Cell<Option<(u64, usize)>>,
    /// The rules of overlayfs where the contract's differ: links cross layers, times are copied.
    linux: bool,
}

impl OverlayFileSystem {
    /// An overlay whose upper layer is empty.
    pub fn new(lowers: Vec<MemoryFileSystem>, mode: OverlayMode) -> Self {
        let mut overlay = Self::with_upper(lowers, MemoryFileSystem::new());
        overlay.locked = mode == OverlayMode::ReadOnly;
        overlay
    }

    /// An overlay over an upper layer that has something already.
    pub fn with_upper(lowers: Vec<MemoryFileSystem>, upper: MemoryFileSystem) -> Self {
        let (hidden, counted) = (BTreeSet::new(), Cell::new(None));
        Self { upper, lowers, hidden, locked: false, counted, linux: false }
    }

    /// From now on every change is refused with `EROFS`.
    pub fn lock_writes(&mut self) {
        self.locked = true;
    }

    /// Overlayfs's rules, or the contract's.
    pub(crate) fn set_linux(&mut self, linux: bool) {
        self.linux = linux;
    }
}

file_system_methods!(inherent_methods [] OverlayFileSystem);

impl OverlayFileSystem {
    #[doc(hidden)]
    pub fn exists(&self, path: &str) -> bool {
        VirtualFileSystem::exists(self, path)
    }
}
