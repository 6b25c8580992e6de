//! The shell of tickernel: what surrounds the core with files, text and a command line.
//!
//! The core is `tickernel_systems`: the kernel itself. Here are the importer of real recordings
//! ([`import`], from [`strace`] text), replay with its report ([`replay`]), the trace's container
//! ([`trace`]), recording ([`record`]), worlds for those who simulate ([`sim`]), the JSON forms and
//! the kernel on a pair of streams ([`json`], [`drive`]), generators for tests (`proptest`, behind
//! the feature of its name), and the command.

// Whoever reads may have gone: `print!` and `eprint!` would panic then.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "cli")]
pub mod cli;
mod clock;
pub mod completions;
pub mod drive;
pub mod dump;
mod face;
pub mod fleet;
pub mod import;
pub mod json;
pub mod load;
mod packed;
#[cfg(feature = "proptest")]
pub mod proptest;
pub mod record;
pub mod replay;
pub mod sim;
pub mod strace;
pub mod trace;
pub mod verify;

pub use face::{
    bridge, command_registry, device_layer, dns, fd_table, kernel, mount_plugin, mount_table,
    network_policy, overlay_fs, permissions, pipe_manager, poll, process_table, pty,
    resource_accounting, root_fs, socket_table, usage, user, vfs,
};

#[cfg(all(feature = "host-dir", target_os = "linux"))]
pub use face::host_dir;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
