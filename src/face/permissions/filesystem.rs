//! `PermissionedFileSystem`: asks before anything is done to a file system.
//!
//! The call is passed on with the path as given; only the question is about the resolved one.

use super::Permissions;
use super::requests::{FsAccessRequest, FsOperation};
use super::subject::Question;
use crate::face::device_layer::is_standard_device_path;
use crate::face::mount_table::{file_system_methods, inherent_methods};
use crate::face::vfs::{
    VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
    validate_path,
};
use std::fmt;
use tickernel_systems::abi::Errno;

/// A file system behind a policy.
#[derive(Clone)]
pub struct PermissionedFileSystem<F> {
    inner: F,
    vm_id: String,
    permissions: Permissions,
}

impl<F: fmt::Debug> fmt::Debug for PermissionedFileSystem<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermissionedFileSystem")
            .field("inner", &self.inner)
            .field("vm_id", &self.vm_id)
            .field("permissions", &self.permissions)
            .finish()
    }
}

impl<F> PermissionedFileSystem<F> {
    /// A file system behind the policy of a virtual machine.
    pub fn new(inner: F, vm_id: impl Into<String>, permissions: Permissions) -> Self {
        Self { inner, vm_id: vm_id.into(), permissions }
    }

    /// The file system without the policy.
    pub fn into_inner(self) -> F {
        self.inner
    }

    /// The file system without the policy.
    pub fn inner(&self) -> &F {
        &self.inner
    }

    /// The file system without the policy.
    pub fn inner_mut(&mut self) -> &mut F {
        &mut self.inner
    }

    /// Another policy from now on.
    pub fn set_permissions(&mut self, permissions: Permissions) {
        self.permissions = permissions;
    }

    /// Asks about the path as it is given, which nobody resolves.
    pub fn check_virtual_path(&self, op: FsOperation, path: &str) -> VfsResult<()> {
        validate_path(path)?;
        if is_standard_device_path(path) {
            return Ok(());
        }
        self.ask(op, path)
    }

    /// Asks the policy. `EACCES` when it refuses.
    fn ask(&self, op: FsOperation, path: &str) -> VfsResult<()> {
        let request = FsAccessRequest { vm_id: self.vm_id.clone(), op, path: path.to_owned() };
        let decision = self.permissions.decide_fs(&request);
        if decision.allow {
            return Ok(());
        }
        Err(VfsError::access_denied(op.word(), path, decision.reason.as_deref()))
    }
}

impl<F: VirtualFileSystem> PermissionedFileSystem<F> {
    /// Asks about a path, resolved as the operation has it. `EACCES` when the policy refuses;
    /// errors of resolving come first.
    pub fn check_path(&self, op: FsOperation, path: &str) -> VfsResult<()> {
        self.check(Question::usual(op), path)
    }

    /// Whether there is something. What is denied, or cannot be resolved, is not there.
    pub fn exists(&self, path: &str) -> VfsResult<bool> {
        const ABSENT: [Errno; 4] = [Errno::EACCES, Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP];
        match self.check_path(FsOperation::Exists, path) {
            Ok(()) => Ok(self.inner.exists(path)),
            Err(error) if ABSENT.iter().any(|errno| errno.name() == error.code()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks a question; the standard devices are never asked about.
    fn check(&self, question: Question, path: &str) -> VfsResult<()> {
        validate_path(path)?;
        if is_standard_device_path(path) {
            return Ok(());
        }
        self.ask(question.op, &question.subject.resolve(&self.inner, path)?)
    }

    /// The file system, once the usual question is answered.
    fn after(&mut self, op: FsOperation, path: &str) -> VfsResult<&mut F> {
        self.check_path(op, path)?;
        Ok(&mut self.inner)
    }
}

file_system_methods!(inherent_methods [F: VirtualFileSystem] PermissionedFileSystem<F>);

impl<F: VirtualFileSystem> VirtualFileSystem for PermissionedFileSystem<F> {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        self.after(FsOperation::Read, path)?.read_file(path)
    }

    fn read_text_file(&mut self, path: &str) -> VfsResult<String> {
        self.after(FsOperation::Read, path)?.read_text_file(path)
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        self.after(FsOperation::ReadDir, path)?.read_dir(path)
    }

    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        self.after(FsOperation::ReadDir, path)?.read_dir_limited(path, max_entries)
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        self.after(FsOperation::ReadDir, path)?.read_dir_with_types(path)
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.after(FsOperation::Write, path)?.write_file(path, content)
    }

    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.after(FsOperation::Write, path)?.write_file_with_mode(path, content, mode)
    }

    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.after(FsOperation::Write, path)?.create_file_exclusive(path, content)
    }

    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.after(FsOperation::Write, path)?.create_file_exclusive_with_mode(path, content, mode)
    }

    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        self.after(FsOperation::Write, path)?.append_file(path, content)
    }

    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.after(FsOperation::CreateDir, path)?.create_dir(path)
    }

    fn create_dir_with_mode(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        self.after(FsOperation::CreateDir, path)?.create_dir_with_mode(path, mode)
    }

    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        self.after(FsOperation::Mkdir, path)?.mkdir(path, recursive)
    }

    fn mkdir_with_mode(&mut self, path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()> {
        self.after(FsOperation::Mkdir, path)?.mkdir_with_mode(path, recursive, mode)
    }

    /// As [`PermissionedFileSystem::exists`], errors as absence.
    fn exists(&self, path: &str) -> bool {
        self.exists(path).unwrap_or(false)
    }

    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        self.after(FsOperation::Stat, path)?.stat(path)
    }

    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        self.after(FsOperation::Remove, path)?.remove_file(path)
    }

    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        self.after(FsOperation::Remove, path)?.remove_dir(path)
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.check_path(FsOperation::Rename, old_path)?;
        self.after(FsOperation::Rename, new_path)?.rename(old_path, new_path)
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        self.check_path(FsOperation::Read, path)?;
        self.inner.realpath(path)
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        self.after(FsOperation::Symlink, link_path)?.symlink(target, link_path)
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        self.check(Question::READ_LINK, path)?;
        self.inner.read_link(path)
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        self.check(Question::LSTAT, path)?;
        self.inner.lstat(path)
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.check(Question::LINK_SOURCE, old_path)?;
        self.after(FsOperation::Link, new_path)?.link(old_path, new_path)
    }

    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        self.after(FsOperation::Chmod, path)?.chmod(path, mode)
    }

    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        self.after(FsOperation::Chown, path)?.chown(path, uid, gid)
    }

    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        self.after(FsOperation::Utimes, path)?.utimes(path, atime_ms, mtime_ms)
    }

    fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow_symlinks: bool,
    ) -> VfsResult<()> {
        let inner = self.after(FsOperation::Utimes, path)?;
        inner.utimes_spec(path, atime, mtime, follow_symlinks)
    }

    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        self.after(FsOperation::Truncate, path)?.truncate(path, length)
    }

    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        self.after(FsOperation::Read, path)?.pread(path, offset, length)
    }

    /// What is around the place written stays, so reading is asked about too, as the origin does.
    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        self.check_path(FsOperation::Read, path)?;
        self.after(FsOperation::Write, path)?.pwrite(path, content, offset)
    }
}
