//! A snapshot as JSON: `{"format":…,"filesystem":{"entries":[…]}}`, modes in octal, contents in
//! base64 (RFC 4648, section 4).

use super::limits::check_encoded;
use super::{
    FilesystemEntry, FilesystemEntryKind, RootFilesystemError, RootFilesystemImportLimits,
    RootFilesystemSnapshot, validate_snapshot_import_limits,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The format that is written.
pub const ROOT_FILESYSTEM_SNAPSHOT_FORMAT: &str = "secure_exec_filesystem_snapshot_v1";
/// The same under a later name, which is read too.
const OTHER_FORMAT: &str = "agentos_filesystem_snapshot_v1";
/// What errors call a snapshot.
const CONTEXT: &str = "root snapshot";

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    filesystem: Body,
}

#[derive(Serialize, Deserialize)]
struct Body {
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    path: String,
    #[serde(rename = "type")]
    kind: Kind,
    mode: String,
    uid: u32,
    gid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Directory,
    Symlink,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Utf8,
    Base64,
}

/// Whether a snapshot of this format can be read.
pub fn is_supported_root_filesystem_snapshot_format(format: &str) -> bool {
    [ROOT_FILESYSTEM_SNAPSHOT_FORMAT, OTHER_FORMAT].contains(&format)
}

/// Writes a snapshot.
///
/// # Errors
/// None today.
pub fn encode_snapshot(snapshot: &RootFilesystemSnapshot) -> Result<Vec<u8>, RootFilesystemError> {
    let entries = snapshot.entries.iter().map(written).collect();
    let format = ROOT_FILESYSTEM_SNAPSHOT_FORMAT.to_owned();
    serde_json::to_vec(&Document { format, filesystem: Body { entries } })
        .map_err(|error| RootFilesystemError::new(format!("write {CONTEXT}: {error}")))
}

fn written(entry: &FilesystemEntry) -> Entry {
    Entry {
        path: entry.path.clone(),
        kind: match entry.kind {
            FilesystemEntryKind::File => Kind::File,
            FilesystemEntryKind::Directory => Kind::Directory,
            FilesystemEntryKind::Symlink => Kind::Symlink,
        },
        mode: format!("{:o}", entry.mode),
        uid: entry.uid,
        gid: entry.gid,
        content: entry.content.as_ref().map(|content| STANDARD.encode(content)),
        encoding: entry.content.as_ref().map(|_| Encoding::Base64),
        target: entry.target.clone(),
    }
}

/// Reads a snapshot within the default limits.
///
/// # Errors
/// A text that is no snapshot, or holds too much.
pub fn decode_snapshot(bytes: &[u8]) -> Result<RootFilesystemSnapshot, RootFilesystemError> {
    decode_snapshot_with_import_limits(bytes, &RootFilesystemImportLimits::default())
}

/// Reads a snapshot within these limits.
///
/// # Errors
/// A text that is no snapshot, or holds too much.
pub fn decode_snapshot_with_import_limits(
    bytes: &[u8],
    limits: &RootFilesystemImportLimits,
) -> Result<RootFilesystemSnapshot, RootFilesystemError> {
    check_encoded(bytes, limits, CONTEXT)?;
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| RootFilesystemError::new(format!("parse {CONTEXT}: {error}")))?;
    if !is_supported_root_filesystem_snapshot_format(&document.format) {
        let message = format!("unsupported {CONTEXT} format: {}", document.format);
        return Err(RootFilesystemError::new(message));
    }
    let entries = document.filesystem.entries.into_iter().map(read).collect::<Result<_, _>>()?;
    let snapshot = RootFilesystemSnapshot { entries };
    validate_snapshot_import_limits(&snapshot, limits, CONTEXT)?;
    Ok(snapshot)
}

fn read(entry: Entry) -> Result<FilesystemEntry, RootFilesystemError> {
    let Entry { path, kind, mode, uid, gid, content, encoding, target } = entry;
    let mode = u32::from_str_radix(&mode, 8)
        .map_err(|error| RootFilesystemError::new(format!("parse mode {mode}: {error}")))?;
    let content = match (content, encoding) {
        (Some(text), Some(Encoding::Base64)) => Some(STANDARD.decode(text).map_err(|error| {
            RootFilesystemError::new(format!("decode content of {path}: {error}"))
        })?),
        (content, Some(Encoding::Utf8) | None) => content.map(String::into_bytes),
        (None, Some(Encoding::Base64)) => None,
    };
    let kind = match kind {
        Kind::File => FilesystemEntryKind::File,
        Kind::Directory => FilesystemEntryKind::Directory,
        Kind::Symlink => FilesystemEntryKind::Symlink,
    };
    Ok(FilesystemEntry { path, kind, mode, uid, gid, content, target })
}
