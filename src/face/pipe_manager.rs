//! Pipes: their sizes (pipe(7), SEMANTICS.md section 4). The pipes themselves are the core's.

use super::error::coded_error;

/// Bytes that a pipe holds.
pub const MAX_PIPE_BUFFER_BYTES: usize = 65_536;
/// Bytes that a write puts in whole or not at all.
pub const PIPE_BUF_BYTES: usize = 4_096;

/// What a call on a pipe answers.
pub type PipeResult<T> = Result<T, PipeError>;

coded_error! {
    /// Why a call on a pipe was refused.
    PipeError, pub(crate)
}
