//! File systems mounted in one another, each behind a path (SEMANTICS.md section 13).
//!
//! The mount with the longest path that a path begins with answers. Links are resolved inside one
//! mount only, so a link may not be made that points (textually) into another one.

mod mounted;
mod table;

pub use mounted::MountedFileSystem;
pub(crate) use mounted::{delegated_methods, file_system_methods, inherent_methods};
pub use table::MountTable;

/// How a file system is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    /// The name under which it is listed.
    pub plugin_id: String,
    /// Whether every change is refused with `EROFS`.
    pub read_only: bool,
}

impl MountOptions {
    /// Writable, under this name.
    pub fn new(plugin_id: impl Into<String>) -> Self {
        Self { plugin_id: plugin_id.into(), read_only: false }
    }

    /// The same, read-only or not.
    pub fn read_only(self, read_only: bool) -> Self {
        Self { read_only, ..self }
    }
}

/// A mount as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountEntry {
    /// Where.
    pub path: String,
    /// The name under which it was mounted.
    pub plugin_id: String,
    /// Whether every change is refused.
    pub read_only: bool,
}
