//! The shell.

#[cfg(feature = "cli")]
pub mod cli;
pub mod drive;
pub mod json;
#[cfg(feature = "proptest")]
pub mod proptest;
pub mod strace;
pub mod trace;
