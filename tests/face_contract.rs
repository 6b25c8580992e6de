//! The public face, section by section of the contract (SEMANTICS.md): what `KernelVm` does, what
//! it makes of bad input, that no driver reaches another's processes, and that each bend of the
//! contract's profile is one. README.md has the table of sections and modules; `table.rs` holds it
//! to what is here.
//!
//! Types and pure functions are `face_types`'s, foreign file systems and callbacks
//! `face_foreign`'s, what the peer twin showed `face_peer`'s.

#[path = "face/out.rs"]
mod out;
#[path = "face_types/small.rs"]
#[allow(dead_code, reason = "its log is for the tests of types")]
mod small;
#[path = "face_contract/support.rs"]
mod support;

#[path = "face_contract/bad_input.rs"]
mod bad_input;
#[path = "face_contract/bends.rs"]
mod bends;
#[path = "face_contract/commands.rs"]
mod commands;
#[path = "face_contract/descriptors.rs"]
mod descriptors;
#[path = "face_contract/file_bytes.rs"]
mod file_bytes;
#[path = "face_contract/foreign.rs"]
mod foreign;
#[path = "face_contract/guard.rs"]
mod guard;
#[cfg(all(feature = "host-dir", target_os = "linux"))]
#[path = "face_contract/host_directory.rs"]
mod host_directory;
#[path = "face_contract/isolation.rs"]
mod isolation;
#[path = "face_contract/life.rs"]
mod life;
#[path = "face_contract/limits.rs"]
mod limits;
#[path = "face_contract/memory_snapshots.rs"]
mod memory_snapshots;
#[path = "face_contract/methods.rs"]
mod methods;
#[path = "face_contract/mounts.rs"]
mod mounts;
#[path = "face_contract/names.rs"]
mod names;
#[path = "face_contract/order.rs"]
mod order;
#[path = "face_contract/overlay.rs"]
mod overlay;
#[path = "face_contract/paths.rs"]
mod paths;
#[path = "face_contract/permits.rs"]
mod permits;
#[path = "face_contract/pipes.rs"]
mod pipes;
#[path = "face_contract/polls.rs"]
mod polls;
#[path = "face_contract/proc_files.rs"]
mod proc_files;
#[path = "face_contract/processes.rs"]
mod processes;
#[path = "face_contract/root_files.rs"]
mod root_files;
#[path = "face_contract/signals.rs"]
mod signals;
#[path = "face_contract/sockets.rs"]
mod sockets;
#[path = "face_contract/table.rs"]
mod table;
#[path = "face_contract/terminals.rs"]
mod terminals;
#[path = "face_contract/users.rs"]
mod users;
#[path = "face_contract/waits.rs"]
mod waits;
