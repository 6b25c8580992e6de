//! The shell.

pub mod trace;
