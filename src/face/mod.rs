//! The public face: the modules, types and signatures of `secure-exec-kernel` 0.3.3, on our core.
//!
//! Here are the data types and the pure functions, one file (or folder) a public module, under the
//! names of the contract (API.md, "Module layout"); `lib.rs` re-exports them at the crate root.
//! What is observable of them is SEMANTICS.md's. `vm/` is `KernelVm`, `machine/` the kernel that it
//! shares with its handles.

pub mod bridge;
pub mod command_registry;
pub mod device_layer;
pub mod dns;
mod error;
pub mod fd_table;
#[cfg(all(feature = "host-dir", target_os = "linux"))]
pub mod host_dir;
pub mod kernel;
mod machine;
mod memory_fs;
mod memory_snapshot;
pub mod mount_plugin;
pub mod mount_table;
pub mod network_policy;
mod options;
pub mod overlay_fs;
pub mod permissions;
pub mod pipe_manager;
pub mod poll;
pub mod process_table;
pub mod pty;
pub mod resource_accounting;
pub mod root_fs;
pub mod socket_table;
pub mod usage;
pub mod user;
pub mod vfs;
mod vm;
