//! One machine for several threads: each guest's thread has a clone.

use super::{KernelVm, hosts};
use crate::face::device_layer::create_device_layer;
use crate::face::permissions::PermissionedFileSystem;
use crate::face::vfs::{
    VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file system that the clones of a machine take turns to ask.
#[derive(Debug)]
pub struct Locked<F>(Arc<Mutex<F>>);

impl<F> Clone for Locked<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> Locked<F> {
    fn inner(&self) -> MutexGuard<'_, F> {
        // A panic of the user's file system is passed on to the call that met it; the next call
        // asks it again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A virtual machine that several threads use at once, each with a clone of its own. Calls that
/// wait leave the machine to the others; the last clone disposes of it.
///
/// ```
/// use tickernel::kernel::{KernelVm, KernelVmConfig, VirtualProcessOptions};
/// use tickernel::vfs::MemoryFileSystem;
///
/// let vm = KernelVm::new(MemoryFileSystem::new(), KernelVmConfig::new("threads"));
/// let mut vm = vm.into_shared();
/// let options = VirtualProcessOptions::default();
/// let error = vm.create_virtual_process("d", "d", "job", Vec::new(), options).unwrap_err();
/// assert_eq!(error.code(), "EACCES"); // nothing is permitted yet
/// ```
#[derive(Debug)]
pub struct SharedKernelVm<F: VirtualFileSystem + Send + 'static> {
    vm: KernelVm<Locked<F>>,
}

impl<F: VirtualFileSystem + Send + 'static> KernelVm<F> {
    /// The same machine for several threads.
    pub fn into_shared(self) -> SharedKernelVm<F> {
        let mut this = std::mem::ManuallyDrop::new(self);
        unimplemented_into(&mut this)
    }
}

impl<F: VirtualFileSystem + Send + 'static> Deref for SharedKernelVm<F> {
    type Target = KernelVm<Locked<F>>;
    fn deref(&self) -> &Self::Target {
        &self.vm
    }
}

impl<F: VirtualFileSystem + Send + 'static> DerefMut for SharedKernelVm<F> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.vm
    }
}
