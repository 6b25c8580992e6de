//! The shell.

#[cfg(feature = "cli")]
pub mod cli;
pub mod drive;
pub mod import;
pub mod json;
#[cfg(feature = "proptest")]
pub mod proptest;
pub mod record;
pub mod replay;
pub mod strace;
pub mod trace;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
