//! The shell.

pub mod strace;
