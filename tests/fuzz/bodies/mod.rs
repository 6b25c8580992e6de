//! The bodies of the fuzz targets, one a file. Each takes bytes, whatever they are, and panics at a
//! defect; the targets of cargo-fuzz (`targets/`) and the tests that run in CI
//! (`tests/fuzz_bodies.rs`) call the same functions.

mod alphabet;
pub mod events;
pub mod strace;
pub mod trace;
pub mod twin;
