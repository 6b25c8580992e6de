//! Paths: what a name may hold, and `.`, `..`, `//` taken out lexically (SEMANTICS.md sections 9
//! and 13: `..` goes before symbolic links are looked at).

use super::error::{VfsError, VfsResult};
use tickernel_systems::abi::Errno;

/// Bytes of a path, once normalised.
pub const MAX_PATH_LENGTH: usize = 4096;

/// Refuses NUL and ASCII control characters (`EINVAL`), and paths over [`MAX_PATH_LENGTH`] bytes
/// when normalised (`ENAMETOOLONG`).
pub fn validate_path(path: &str) -> VfsResult<()> {
    if let Some(byte) = path.bytes().find(u8::is_ascii_control) {
        let what = match byte {
            0 => "NUL byte".to_owned(),
            _ => format!("control character byte {byte:#04x}"),
        };
        return Err(VfsError::errno(Errno::EINVAL, format!("path contains {what}")));
    }
    // Normalising adds at most a slash.
    if path.len() >= MAX_PATH_LENGTH {
        let length = normalize_path(path).len();
        if length > MAX_PATH_LENGTH {
            let message = format!("file name too long: {length} bytes, at most {MAX_PATH_LENGTH}");
            return Err(VfsError::errno(Errno::ENAMETOOLONG, message));
        }
    }
    Ok(())
}

/// The absolute path without `.`, `..`, doubled and trailing slashes. Relative ones begin at `/`;
/// `..` of the root is the root.
pub fn normalize_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len() + 1);
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => normal.truncate(normal.rfind('/').unwrap_or(0)),
            _ => {
                normal.push('/');
                normal.push_str(name);
            }
        }
    }
    if normal.is_empty() {
        normal.push('/');
    }
    normal
}

/// The parent and the last name of a normalised path; the root has neither.
pub(crate) fn split_last(normal: &str) -> Option<(&str, &str)> {
    let (parent, name) = normal.rsplit_once('/')?;
    match (parent, name) {
        (_, "") => None,
        ("", name) => Some(("/", name)),
        both => Some(both),
    }
}

/// `base/rest`, with one slash between them.
pub(crate) fn join(base: &str, rest: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), rest.trim_start_matches('/'))
}
