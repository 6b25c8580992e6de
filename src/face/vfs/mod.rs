//! File systems: the trait that the kernel's files lie behind, and what goes with it (SEMANTICS.md
//! section 13).

mod error;
mod path;
mod stat;
mod system;

pub use super::memory_fs::MemoryFileSystem;
pub use super::memory_snapshot::{
    MemoryFileSystemSnapshot, MemoryFileSystemSnapshotInode, MemoryFileSystemSnapshotInodeKind,
    MemoryFileSystemSnapshotMetadata,
};
pub use super::mount_table::*;
pub use super::overlay_fs::{OverlayFileSystem, OverlayMode};
pub use super::root_fs::*;
pub use super::usage::*;
pub use error::{VfsError, VfsResult};
pub use path::{MAX_PATH_LENGTH, normalize_path, validate_path};
pub(crate) use path::{join, split_last};
pub use stat::{
    FileType, S_IFDIR, S_IFLNK, S_IFREG, VirtualDirEntry, VirtualStat, VirtualTimeSpec,
    VirtualUtimeSpec,
};
pub use system::VirtualFileSystem;
pub(crate) use system::check_entry_count;
