//! A machine over file systems of ours: mounting and unmounting, what a rename may copy up, what is
//! counted, and the root's snapshot (SEMANTICS.md, sections 9, 10 and 13).
//!
//! They answer as foreign file systems do: each answer is a question's, and recorded.

use super::{KernelVm, open};
use crate::face::error::{KernelError, KernelResult};
use crate::face::mount_table::{MountEntry, MountOptions, MountTable, MountedFileSystem};
use crate::face::overlay_fs::OverlayFileSystem;
use crate::face::permissions::FsOperation;
use crate::face::resource_accounting::ResourceLimits;
use crate::face::root_fs::{RootFileSystem, RootFilesystemSnapshot};
use crate::face::vfs::{
    VfsResult, VirtualDirEntry, VirtualFileSystem, normalize_path, validate_path,
};
use std::any::Any;
use tickernel_systems::Profile;
use tickernel_systems::abi::Errno;
use tickernel_systems::event::{Answer, Payload};

/// The overlay behind a file system, if it has one.
fn overlay_of(files: &mut dyn Any) -> Option<&mut OverlayFileSystem> {
    if files.is::<OverlayFileSystem>() {
        return files.downcast_mut();
    }
    if files.is::<RootFileSystem>() {
        return files.downcast_mut().map(RootFileSystem::overlay_mut);
    }
    let table = files.downcast_mut::<MountTable>()?;
    overlay_of(table.root_any_mut())
}

/// The rules of the machine's profile hold in its overlay too.
pub(super) fn follow(files: &mut dyn Any, profile: Profile) {
    if let Some(overlay) = overlay_of(files) {
        overlay.set_linux(profile == Profile::Linux);
    }
}

/// `ENOSPC` for a rename that copies more up than the limits let in.
pub(super) fn check_rename(
    files: &mut dyn Any,
    old: &str,
    new: &str,
    limits: &ResourceLimits,
) -> VfsResult<()> {
    let (bytes, inodes) = (limits.max_filesystem_bytes, limits.max_inode_count);
    if let Some(table) = files.downcast_mut::<MountTable>() {
        return table.check_rename_copy_up_limits(old, new, bytes, inodes);
    }
    match overlay_of(files) {
        Some(overlay) => overlay.check_rename_copy_up_limits(old, new, bytes, inodes),
        None => Ok(()),
    }
}

/// What is counted when room is wanted at a path: of a table the root alone, and nothing for what
/// lies in another mount.
pub(super) fn usage_at(files: &mut dyn Any, path: &str) -> Option<VfsResult<Answer>> {
    let usage = match files.downcast_mut::<MountTable>() {
        Some(table) if !table.is_in_root(path) => return Some(Ok(Answer::default())),
        Some(table) => table.root_usage(),
        None => overlay_of(files)?.usage(),
    };
    Some(usage.map(|usage| Answer {
        value: i64::try_from(usage.total_bytes).unwrap_or(i64::MAX),
        payload: Payload::Number(i64::try_from(usage.inode_count).unwrap_or(i64::MAX)),
    }))
}

/// What /proc/mounts says: a line for each mount, blanks written as in proc_mounts(5).
pub(super) fn text(files: &dyn Any) -> String {
    let Some(table) = files.downcast_ref::<MountTable>() else {
        return "root / root rw 0 0\n".to_owned();
    };
    let line = |mount: &MountEntry| {
        let access = if mount.read_only { "ro" } else { "rw" };
        let [id, path] = [&mount.plugin_id, &mount.path].map(|text| escaped(text));
        format!("{id} {path} {id} {access} 0 0\n")
    };
    table.get_mounts().iter().map(line).collect()
}

fn escaped(text: &str) -> String {
    let one = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' | '#' => format!("\\{:03o}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(one).collect()
}

/// A listing with types, of the file systems that have both in one.
pub(super) fn typed<F: VirtualFileSystem + 'static>(
    files: &mut F,
    path: &str,
) -> Option<VfsResult<Vec<VirtualDirEntry>>> {
    let any: &dyn Any = files;
    let own = any.is::<MountTable>() || any.is::<RootFileSystem>() || any.is::<OverlayFileSystem>();
    own.then(|| files.read_dir_with_types(path))
}

/// Whether mounting there is asked about once more.
fn is_sensitive(path: &str) -> bool {
    let below = |top: &str| {
        path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path == "/" || below("/etc") || below("/proc")
}

impl KernelVm<MountTable> {
    fn table(&mut self) -> &mut MountTable {
        self.filesystem.inner_mut().inner_mut()
    }

    /// What all that changes the mounts asks first.
    fn may_mount(&self, path: &str) -> KernelResult<()> {
        drop(open(&self.machine)?);
        validate_path(path)?;
        self.filesystem.check_path(FsOperation::Write, path)?;
        if is_sensitive(&normalize_path(path)) {
            self.filesystem.check_path(FsOperation::MountSensitive, path)?;
        }
        Ok(())
    }

    /// Mounts a file system; a missing mount point is made.
    ///
    /// # Errors
    /// `EACCES` where the policy refuses to write (and, on `/`, in `/etc` and `/proc`, to mount);
    /// `EINVAL` on `/`, `EEXIST` where one is mounted; `EINVAL` once the machine is disposed of.
    pub fn mount_filesystem(
        &mut self,
        path: &str,
        filesystem: impl VirtualFileSystem + 'static,
        options: MountOptions,
    ) -> KernelResult<()> {
        self.mount_boxed_filesystem(path, Box::new(filesystem), options)
    }

    /// [`KernelVm::mount_filesystem`] of a file system in a box.
    ///
    /// # Errors
    /// Those of `mount_filesystem`.
    pub fn mount_boxed_filesystem(
        &mut self,
        path: &str,
        mut filesystem: Box<dyn MountedFileSystem>,
        options: MountOptions,
    ) -> KernelResult<()> {
        self.may_mount(path)?;
        follow((*filesystem).as_any_mut(), self.config.profile);
        Ok(self.table().mount_boxed(path, filesystem, options)?)
    }

    /// Takes a mount away and shuts its file system down. Descriptors of its files find nothing any
    /// more; by Linux's rules an open file keeps it (umount(2)).
    ///
    /// # Errors
    /// Those of policy as in [`KernelVm::mount_filesystem`]; `EINVAL` for `/` and where nothing is
    /// mounted; `EBUSY` while another is mounted below, or (by Linux's rules) a file is open.
    pub fn unmount_filesystem(&mut self, path: &str) -> KernelResult<()> {
        self.may_mount(path)?;
        let normal = normalize_path(path);
        let mounted = self.table().get_mounts().iter().any(|mount| mount.path == normal);
        if self.config.profile == Profile::Linux && mounted {
            let core = open(&self.machine)?;
            if core.kernel.face_holds_below(normal.as_bytes()) {
                let message = format!("a file is open below {normal}");
                return Err(KernelError::errno(Errno::EBUSY, message));
            }
        }
        Ok(self.table().unmount(path)?)
    }

    /// The mounts, the longest path first.
    pub fn mounted_filesystems(&self) -> Vec<MountEntry> {
        self.filesystem.inner().inner().get_mounts()
    }

    /// The root file system, if it is one of [`RootFileSystem`]'s. There is no guard here.
    pub fn root_filesystem_mut(&mut self) -> Option<&mut RootFileSystem> {
        self.table().root_virtual_filesystem_mut()
    }

    /// All that is seen in the root file system; other mounts are not.
    ///
    /// # Errors
    /// `EINVAL` when the root is none of [`RootFileSystem`]'s, and once the machine is disposed of;
    /// `ENOSPC` when it holds more than the limits let in.
    pub fn snapshot_root_filesystem(&mut self) -> KernelResult<RootFilesystemSnapshot> {
        drop(open(&self.machine)?);
        if self.root_filesystem_mut().is_none() {
            let message = "the root file system has no snapshots";
            return Err(KernelError::errno(Errno::EINVAL, message));
        }
        let usage = self.table().root_usage()?;
        let limits = &self.config.resources;
        let many_bytes = limits.max_filesystem_bytes.is_some_and(|max| usage.total_bytes > max);
        if many_bytes || limits.max_inode_count.is_some_and(|max| usage.inode_count > max) {
            let message = "the root file system holds more than its limits let in";
            return Err(KernelError::errno(Errno::ENOSPC, message));
        }
        match self.root_filesystem_mut() {
            Some(root) => Ok(root.snapshot()?),
            None => Ok(RootFilesystemSnapshot { entries: Vec::new() }),
        }
    }
}
