//! The shell.

pub mod import;
pub mod replay;
pub mod strace;
pub mod trace;
