//! The error of file systems.

use crate::face::error::coded_error;
use tickernel_systems::abi::Errno;

/// What a call on a file system answers.
pub type VfsResult<T> = Result<T, VfsError>;

coded_error! {
    /// Why a file system refused: an errno's name and what it was about.
    VfsError, pub
}

impl VfsError {
    /// An error of the core, with what it was about.
    pub(crate) fn errno(errno: Errno, message: impl Into<String>) -> Self {
        Self::new(errno.name(), message)
    }

    /// An error of this call on this path, in the words of the errno: `no such file or directory,
    /// open '/x'`.
    pub(crate) fn on_path(errno: Errno, op: &str, path: &str) -> Self {
        let text = match errno {
            Errno::EEXIST => "file already exists".to_owned(),
            Errno::EISDIR => "illegal operation on a directory".to_owned(),
            other => lower_first(other.text()),
        };
        Self::errno(errno, format!("{text}, {op} '{path}'"))
    }

    /// `EIO`.
    pub fn io(message: impl Into<String>) -> Self {
        Self::errno(Errno::EIO, message)
    }

    /// `ENOSYS`: this file system cannot do it.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::errno(Errno::ENOSYS, message)
    }

    /// `EPERM`: nobody may do this to this path.
    pub fn permission_denied(op: &'static str, path: &str) -> Self {
        Self::on_path(Errno::EPERM, op, path)
    }

    /// `EACCES`: the policy refused, for this reason if it gave one.
    pub fn access_denied(op: &'static str, path: &str, reason: Option<&str>) -> Self {
        let mut error = Self::on_path(Errno::EACCES, op, path);
        if let Some(reason) = reason {
            error.message.push_str(": ");
            error.message.push_str(reason);
        }
        error
    }
}

/// The text of an errno as part of a sentence: `Is a directory` becomes `is a directory`.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
