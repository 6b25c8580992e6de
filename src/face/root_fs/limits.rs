//! What a snapshot may hold to be imported: bytes, entries with their implied parents, and the
//! length of its text.

use super::{RootFilesystemError, RootFilesystemSnapshot};
use crate::face::usage::{
    DEFAULT_MAX_FILESYSTEM_BYTES, DEFAULT_MAX_INODE_COUNT, RootFilesystemResourceLimits,
};
use crate::face::vfs::{normalize_path, split_last, validate_path};
use std::collections::BTreeSet;

/// Bytes of text that an entry takes beside its content: a path, and the names of its fields.
const ENTRY_TEXT_BYTES: u64 = 4096 + 1024;
/// Bytes of text around the entries.
const FRAME_TEXT_BYTES: u64 = 4096;

/// Limits of an import; `None` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootFilesystemImportLimits {
    /// Bytes of its text.
    pub max_encoded_snapshot_bytes: Option<usize>,
    /// Bytes of files and of links' targets.
    pub max_filesystem_bytes: Option<u64>,
    /// Entries, with the directories that lead to them.
    pub max_inode_count: Option<usize>,
}

impl RootFilesystemImportLimits {
    /// What fits into a machine with these limits.
    pub fn from_resource_limits(limits: &impl RootFilesystemResourceLimits) -> Self {
        Self::new(limits.max_filesystem_bytes(), limits.max_inode_count())
    }

    fn new(max_filesystem_bytes: Option<u64>, max_inode_count: Option<usize>) -> Self {
        let encoded = match (max_filesystem_bytes, max_inode_count) {
            (Some(bytes), Some(entries)) => {
                let entries = (entries as u64).saturating_mul(ENTRY_TEXT_BYTES);
                let sum = bytes.saturating_mul(2).saturating_add(entries);
                usize::try_from(sum.saturating_add(FRAME_TEXT_BYTES)).ok()
            }
            _ => None,
        };
        Self { max_encoded_snapshot_bytes: encoded, max_filesystem_bytes, max_inode_count }
    }
}

impl Default for RootFilesystemImportLimits {
    /// 64 MiB in 16,384 entries.
    fn default() -> Self {
        Self::new(Some(DEFAULT_MAX_FILESYSTEM_BYTES), Some(DEFAULT_MAX_INODE_COUNT))
    }
}

fn exceeds(context: &str, found: u64, what: &str, limit: u64) -> RootFilesystemError {
    RootFilesystemError::new(format!("{context} contains {found} {what}, exceeding limit {limit}"))
}

/// Refuses a text that is too long, before anybody reads it.
pub(super) fn check_encoded(
    bytes: &[u8],
    limits: &RootFilesystemImportLimits,
    context: &str,
) -> Result<(), RootFilesystemError> {
    match limits.max_encoded_snapshot_bytes {
        Some(limit) if bytes.len() > limit => {
            Err(exceeds(context, bytes.len() as u64, "encoded bytes", limit as u64))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a snapshot that holds too much. `context` is what the error calls it.
///
/// # Errors
/// How much there is of what, and how much may be.
pub fn validate_snapshot_import_limits(
    snapshot: &RootFilesystemSnapshot,
    limits: &RootFilesystemImportLimits,
    context: &str,
) -> Result<(), RootFilesystemError> {
    if let Some(limit) = limits.max_filesystem_bytes {
        let size = |entry: &super::FilesystemEntry| {
            let content = entry.content.as_ref().map_or(0, Vec::len);
            (content + entry.target.as_ref().map_or(0, String::len)) as u64
        };
        let bytes: u64 = snapshot.entries.iter().map(size).fold(0, u64::saturating_add);
        if bytes > limit {
            return Err(exceeds(context, bytes, "bytes", limit));
        }
    }
    let Some(limit) = limits.max_inode_count else { return Ok(()) };
    // Counting ends at the first one too many: implied parents could be a thousand times as many
    // as entries.
    let mut seen = BTreeSet::new();
    for entry in &snapshot.entries {
        validate_path(&entry.path)?;
        let path = normalize_path(&entry.path);
        let mut rest = path.as_str();
        while rest != "/" && !seen.contains(rest) {
            seen.insert(rest.to_owned());
            if seen.len() > limit {
                return Err(exceeds(context, seen.len() as u64, "entries", limit as u64));
            }
            rest = split_last(rest).map_or("/", |(parent, _)| parent);
        }
    }
    Ok(())
}
