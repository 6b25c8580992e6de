//! The shell.
pub mod json;
