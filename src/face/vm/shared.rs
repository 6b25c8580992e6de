//! One machine for several threads: each guest's thread has a clone.

use super::{Ending, KernelVm, KernelVmConfig, layers};
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
        let KernelVm { machine, filesystem, config, user, ending } = self;
        let files = Locked(Arc::new(Mutex::new(filesystem.into_inner().into_inner())));
        let filesystem = layers(files, &config);
        SharedKernelVm { vm: KernelVm { machine, filesystem, config, user, ending } }
    }
}

impl<F: VirtualFileSystem + Send + 'static> Clone for SharedKernelVm<F> {
    fn clone(&self) -> Self {
        let vm = &self.vm;
        let files = vm.filesystem.inner().inner().clone();
        let machine = Arc::clone(&vm.machine);
        machine.attach();
        let ending =
            Ending { machine: Arc::clone(&vm.machine), clones: Arc::clone(&vm.ending.clones) };
        let permissions = (*machine.permissions()).clone();
        let (config, user) = (KernelVmConfig { permissions, ..vm.config.clone() }, vm.user.clone());
        let filesystem = layers(files, &config);
        Self { vm: KernelVm { machine, filesystem, config, user, ending } }
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

/// Each method asks the file system behind the lock.
impl<F: VirtualFileSystem> VirtualFileSystem for Locked<F> {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        self.inner().read_file(path)
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        self.inner().read_dir(path)
    }

    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        self.inner().read_dir_limited(path, max_entries)
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        self.inner().read_dir_with_types(path)
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.inner().write_file(path, content)
    }

    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.inner().write_file_with_mode(path, content, mode)
    }

    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.inner().create_file_exclusive(path, content)
    }

    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.inner().create_file_exclusive_with_mode(path, content, mode)
    }

    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        self.inner().append_file(path, content)
    }

    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.inner().create_dir(path)
    }

    fn create_dir_with_mode(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        self.inner().create_dir_with_mode(path, mode)
    }

    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        self.inner().mkdir(path, recursive)
    }

    fn mkdir_with_mode(&mut self, path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()> {
        self.inner().mkdir_with_mode(path, recursive, mode)
    }

    fn exists(&self, path: &str) -> bool {
        self.inner().exists(path)
    }

    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        self.inner().stat(path)
    }

    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        self.inner().remove_file(path)
    }

    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        self.inner().remove_dir(path)
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.inner().rename(old_path, new_path)
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        self.inner().realpath(path)
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        self.inner().symlink(target, link_path)
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        self.inner().read_link(path)
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        self.inner().lstat(path)
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.inner().link(old_path, new_path)
    }

    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        self.inner().chmod(path, mode)
    }

    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        self.inner().chown(path, uid, gid)
    }

    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        self.inner().utimes(path, atime_ms, mtime_ms)
    }

    fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow_symlinks: bool,
    ) -> VfsResult<()> {
        self.inner().utimes_spec(path, atime, mtime, follow_symlinks)
    }

    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        self.inner().truncate(path, length)
    }

    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        self.inner().pread(path, offset, length)
    }

    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        self.inner().pwrite(path, content, offset)
    }
}
