//! The shell.

pub mod strace;
pub mod trace;
