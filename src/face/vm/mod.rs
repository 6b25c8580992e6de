//! `KernelVm`: the kernel that others embed (API.md, "kernel"; SEMANTICS.md).
//!
//! A thin layer: each method looks who asks, hands one call to the kernel behind it and turns the
//! answer into the contract's types. Owned here are the user's callbacks and the user's file
//! system; everything that decides an answer is the core's.
//!
//! - `config.rs` what a machine is made of, and its translation to the core's configuration;
//! - `hosts.rs` answers the kernel's questions; `convert.rs` types;
//! - `life.rs` drivers, processes and their ends; `signals.rs` signals, groups, identity;
//! - `descriptors.rs` descriptors; `files.rs` files by path; `look.rs` what there is to see;
//! - `terminals.rs` pseudo-terminals, shells; `sockets.rs` sockets by number; `names.rs` hosts;
//! - `mounts.rs` file systems of ours below a machine, mounting;
//! - `handle.rs` process handles; `shared.rs` one machine for several threads.

mod config;
mod convert;
mod descriptors;
mod files;
mod handle;
mod hosts;
mod life;
mod look;
mod mounts;
mod names;
mod shared;
mod signals;
mod sockets;
mod terminals;

pub use config::KernelVmConfig;
pub(crate) use convert::{to_timespec, to_virtual_stat};
pub use handle::{KernelProcessHandle, OpenShellHandle};
pub use shared::{Locked, SharedKernelVm};

use super::device_layer::DeviceLayer;
use super::error::{KernelError, KernelResult};
use super::machine::{Clock, Core, Machine};
use super::memory_fs::MemoryFileSystem;
use super::permissions::PermissionedFileSystem;
use super::vfs::VirtualFileSystem;
use crate::trace::TraceError;
use convert::error_about;
use hosts::{Asked, Files};
use std::any::Any;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, MutexGuard};
use tickernel_systems::abi::Errno;
use tickernel_systems::event::{Answer, Call, Outcome};

/// A virtual machine: processes, descriptors, pipes and files behind one value.
///
/// ```
/// use tickernel::command_registry::CommandDriver;
/// use tickernel::kernel::{KernelVm, KernelVmConfig, SpawnOptions};
/// use tickernel::permissions::Permissions;
/// use tickernel::vfs::MemoryFileSystem;
///
/// let mut config = KernelVmConfig::new("example");
/// config.permissions = Permissions::allow_all();
/// let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
/// vm.register_driver(CommandDriver::new("shell", ["sh"]))?;
/// let process = vm.spawn_process("sh", Vec::new(), SpawnOptions::default())?;
/// let (read, write) = vm.open_pipe("shell", process.pid())?;
/// vm.fd_write("shell", process.pid(), write, b"hello")?;
/// assert_eq!(vm.fd_read("shell", process.pid(), read, 64)?, b"hello");
/// process.finish(0);
/// assert_eq!(vm.waitpid(process.pid())?.status, 0);
/// # Ok::<(), tickernel::kernel::KernelError>(())
/// ```
pub struct KernelVm<F: VirtualFileSystem + 'static> {
    pub(crate) machine: Arc<Machine>,
    filesystem: PermissionedFileSystem<DeviceLayer<F>>,
    pub(crate) config: KernelVmConfig,
    user: super::user::UserManager,
    ending: Ending,
}

impl<F: VirtualFileSystem + 'static> fmt::Debug for KernelVm<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelVm").field("vm_id", &self.config.vm_id).finish_non_exhaustive()
    }
}

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// A machine over a file system. A [`MemoryFileSystem`] becomes the kernel's own tree; any
    /// other stays the user's, and is asked.
    pub fn new(mut filesystem: F, config: KernelVmConfig) -> Self {
        let config = config.seeded();
        let start_ns = config.start_ns();
        let native = (&mut filesystem as &mut dyn Any).downcast_mut::<MemoryFileSystem>();
        let core_config = config.core_config(native.is_none(), start_ns);
        let kernel =
            super::memory_fs::kernel_over(native.and_then(MemoryFileSystem::take), core_config);
        let clock = Clock::new(config.clock, start_ns);
        let machine = Machine::new(kernel, clock, config.permissions.clone());
        if !config.permissions.rules.is_empty() {
            machine.set_permissions(config.permissions.clone());
        }
        if let Some(native) = (&mut filesystem as &mut dyn Any).downcast_mut::<MemoryFileSystem>() {
            native.attach(Arc::clone(&machine));
        }
        mounts::follow(&mut filesystem, config.profile);
        let user = super::user::UserManager::from_config(config.user.clone());
        let ending = Ending { machine: Arc::clone(&machine), clones: Arc::new(()) };
        Self { machine, filesystem: layers(filesystem, &config), config, user, ending }
    }

    /// Begins to record everything that enters the machine; its present state is the trace's first
    /// image. The trace is written by a thread of its own; [`KernelVm::finish_recording`], or the
    /// end of the machine, ends it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn record_to(&mut self, out: impl Write + Send + 'static) -> Result<(), TraceError> {
        self.machine.record_to(Box::new(out))
    }

    /// Ends the recording with the digests of the machine's state.
    ///
    /// # Errors
    /// What went wrong with the output since [`KernelVm::record_to`].
    pub fn finish_recording(&mut self) -> Result<(), TraceError> {
        self.machine.finish_recording()
    }

    /// One number for the whole state: two machines with the same history have the same.
    pub fn digest(&self) -> u64 {
        self.machine.look().kernel.digest_all()
    }

    /// The same by parts, as `tickernel digest` names them: where two machines differ. A call that
    /// was refused changes none but `kernel`, which counts events.
    pub fn digests(&self) -> Vec<(&'static str, u64)> {
        self.machine.look().kernel.digests()
    }

    /// The machine's own files through the permission layer. There is no guard here, and no limit.
    pub fn filesystem_mut(&mut self) -> &mut PermissionedFileSystem<DeviceLayer<F>> {
        &mut self.filesystem
    }

    /// The same to look at.
    pub fn filesystem(&self) -> &PermissionedFileSystem<DeviceLayer<F>> {
        &self.filesystem
    }
}

/// A file system below the layers of a machine.
fn layers<F: VirtualFileSystem>(
    files: F,
    config: &KernelVmConfig,
) -> PermissionedFileSystem<DeviceLayer<F>> {
    let mut devices = super::device_layer::create_device_layer(files);
    devices.seed(config.seed.unwrap_or(0));
    devices.set_time_ms(config.start_ns() / 1_000_000);
    PermissionedFileSystem::new(devices, config.vm_id.clone(), config.permissions.clone())
}

/// The kernel, if it has not been disposed of.
fn open(machine: &Machine) -> KernelResult<MutexGuard<'_, Core>> {
    let core = machine.lock()?;
    if core.kernel.face_is_disposed() {
        return Err(KernelError::errno(Errno::EINVAL, "kernel VM is disposed"));
    }
    Ok(core)
}

/// The kernel, if the driver owns the process.
#[inline]
fn owned<'m>(machine: &'m Machine, driver: &str, pid: u32) -> KernelResult<MutexGuard<'m, Core>> {
    let core = machine.lock()?;
    check_owner(&core, driver, pid)?;
    Ok(core)
}

/// The same, if the machine has not been disposed of.
fn open_owned<'m>(
    machine: &'m Machine,
    driver: &str,
    pid: u32,
) -> KernelResult<MutexGuard<'m, Core>> {
    let core = open(machine)?;
    check_owner(&core, driver, pid)?;
    Ok(core)
}

/// Who answers for a machine: its callbacks, and its file system as the method can reach it.
macro_rules! host_of {
    ($vm:ident) => {
        $crate::face::vm::hosts::Asked::new(&$vm.config, &$vm.machine, &mut $vm.filesystem)
    };
    (ref $vm:ident) => {
        $crate::face::vm::hosts::Asked::new(&$vm.config, &$vm.machine, &$vm.filesystem)
    };
}
use host_of;

/// [`run`] for the calls that must be fast. What the answer is made into is said here, so that it
/// is taken apart where it lies: each move of it waits for the stores before it.
macro_rules! quick {
    ($vm:ident, $core:ident, ($task:expr, $call:expr), $take:expr, $what:expr) => {{
        let call = $call;
        match $core.call($task, &call) {
            Outcome::Done(answer) => Ok($take(answer)),
            outcome => conclude(&$vm.machine, $core, host_of!($vm), outcome, $what).map($take),
        }
    }};
}
use quick;

/// Has a call performed to its end; the questions go to the host. The lock is the caller's, so that
/// what it looked at before still holds.
fn run(
    machine: &Machine,
    mut core: MutexGuard<'_, Core>,
    host: Asked<'_, impl Files>,
    (task, call): (u32, Call<'_>),
    what: impl fmt::Display,
) -> KernelResult<Answer> {
    match core.call(task, &call) {
        Outcome::Done(answer) => Ok(answer),
        outcome => conclude(machine, core, host, outcome, what),
    }
}

/// What a call comes to that did not answer at once: it failed, asks the host, or waits.
#[cold]
fn conclude(
    machine: &Machine,
    core: MutexGuard<'_, Core>,
    mut host: Asked<'_, impl Files>,
    outcome: Outcome,
    what: impl fmt::Display,
) -> KernelResult<Answer> {
    let result = machine.finish(core, outcome, &mut host);
    if let Some(panic) = host.panic.take() {
        std::panic::resume_unwind(panic);
    }
    result.map_err(|errno| match host.error.take() {
        Some(error) if Errno::from_name(error.code()).is_none_or(|told| told == errno) => error,
        Some(_) | None => error_about(errno, what),
    })
}

/// Whether a driver owns a process, with the contract's messages.
#[inline]
fn check_owner(core: &Core, driver: &str, pid: u32) -> KernelResult<()> {
    match core.kernel.face_owner(driver, pid) {
        Ok(()) => Ok(()),
        Err(errno) => Err(no_owner(errno, driver, pid)),
    }
}

#[cold]
fn no_owner(errno: Errno, driver: &str, pid: u32) -> KernelError {
    let what = match errno {
        Errno::EPERM => format!("driver \"{driver}\" does not own PID {pid}"),
        _ => format!("no such process {pid}"),
    };
    KernelError::errno(errno, what)
}

/// The end of a machine: with the last of its clones. A field of its own, so that a machine can be
/// taken apart.
#[derive(Debug)]
struct Ending {
    machine: Arc<Machine>,
    /// As many as there are clones.
    clones: Arc<()>,
}

impl Drop for Ending {
    /// Disposes of the machine, also while panicking; a recording ends.
    fn drop(&mut self) {
        self.machine.detach();
        if Arc::strong_count(&self.clones) > 1 {
            return;
        }
        self.machine.dispose();
        // There is nobody left to tell; `finish_recording` tells.
        drop(self.machine.finish_recording());
    }
}
