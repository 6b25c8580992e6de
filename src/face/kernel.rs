//! The kernel's own names: errors, whence values, what it is started with and what waiting gives.

pub use super::error::{KernelError, KernelResult};
pub use super::machine::FaceClock;
pub use super::options::{
    ExecOptions, OpenShellOptions, SpawnOptions, VirtualProcessOptions, WaitPidEventResult,
    WaitPidResult,
};
pub use super::process_table::{ProcessWaitEvent as WaitPidEvent, WaitPidFlags};
pub use super::vm::{
    KernelProcessHandle, KernelVm, KernelVmConfig, Locked, OpenShellHandle, SharedKernelVm,
};
pub use tickernel_systems::Profile;

/// lseek(2): from the start.
pub const SEEK_SET: u8 = 0;
/// lseek(2): from the current offset.
pub const SEEK_CUR: u8 = 1;
/// lseek(2): from the end.
pub const SEEK_END: u8 = 2;
