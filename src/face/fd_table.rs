//! Descriptors: flags of open(2), fcntl(2) and flock(2), file types, and a descriptor's state.
//!
//! The table itself is the kernel's. Numbers are the core's (`tickernel_systems::abi::flags`).

use super::error::coded_error;
pub use tickernel_systems::abi::flags::{
    F_DUPFD, F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN,
    O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
};

/// Descriptors of a process at most, when no limit says otherwise.
pub const MAX_FDS_PER_PROCESS: usize = 256;

/// A file of no known type.
pub const FILETYPE_UNKNOWN: u8 = 0;
/// A character device, both ends of a pseudo-terminal too.
pub const FILETYPE_CHARACTER_DEVICE: u8 = 2;
/// A directory.
pub const FILETYPE_DIRECTORY: u8 = 3;
/// A regular file.
pub const FILETYPE_REGULAR_FILE: u8 = 4;
/// An end of a pipe.
pub const FILETYPE_PIPE: u8 = 6;
/// A symbolic link.
pub const FILETYPE_SYMBOLIC_LINK: u8 = 7;

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FdStat {
    /// One of the `FILETYPE_` constants.
    pub filetype: u8,
    /// As `F_GETFL` gives them: access mode, `O_APPEND`, `O_NONBLOCK`.
    pub flags: u32,
    /// Always 0.
    pub rights: u64,
}

/// What a call on descriptors answers.
pub type FdResult<T> = Result<T, FdTableError>;

coded_error! {
    /// Why a call on a descriptor was refused.
    FdTableError, pub(crate)
}
