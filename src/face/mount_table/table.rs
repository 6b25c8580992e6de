//! `MountTable`: which file system a path belongs to, and every call passed on to it.

use super::{MountEntry, MountOptions, MountedFileSystem, file_system_methods, inherent_methods};
use crate::face::overlay_fs::OverlayFileSystem;
use crate::face::root_fs::RootFileSystem;
use crate::face::usage::{FileSystemUsage, measure};
use crate::face::vfs::{
    MemoryFileSystem, VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat,
    VirtualUtimeSpec, check_entry_count, join, normalize_path, split_last,
};
use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use tickernel_systems::abi::Errno;

/// The name of the mount on `/`.
const ROOT_PLUGIN_ID: &str = "root";

/// File systems by the path that they are mounted on.
pub struct MountTable {
    root: Mount,
    /// All but the root, the longest path first; equally long ones in the order of mounting.
    mounts: Vec<Mount>,
}

struct Mount {
    path: String,
    options: MountOptions,
    filesystem: Box<dyn MountedFileSystem>,
}

impl Mount {
    /// What a path is called inside; `None` when it lies outside.
    fn inner<'a>(&self, normal: &'a str) -> Option<&'a str> {
        if self.path == "/" {
            return Some(normal);
        }
        match normal.strip_prefix(self.path.as_str())? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    fn entry(&self) -> MountEntry {
        let MountOptions { plugin_id, read_only } = self.options.clone();
        MountEntry { path: self.path.clone(), plugin_id, read_only }
    }
}

/// A mount and the path in it.
struct Place<'a> {
    mount: &'a mut Mount,
    path: String,
}

impl Place<'_> {
    fn filesystem(&mut self) -> &mut dyn MountedFileSystem {
        &mut *self.mount.filesystem
    }

    /// `EROFS` for a mount that takes no changes.
    fn writable(&mut self) -> VfsResult<&mut dyn MountedFileSystem> {
        if self.mount.options.read_only {
            let path = join(&self.mount.path, &self.path);
            let message = format!("read-only filesystem: {path}");
            return Err(VfsError::errno(Errno::EROFS, message));
        }
        Ok(&mut *self.mount.filesystem)
    }

    /// For an exclusive create: as with open(2), what exists is `EEXIST` on a read-only mount too.
    fn creatable(&mut self, path: &str) -> VfsResult<&mut dyn MountedFileSystem> {
        if self.mount.options.read_only && self.mount.filesystem.exists(&self.path) {
            return Err(VfsError::on_path(Errno::EEXIST, "open", path));
        }
        self.writable()
    }
}

impl MountTable {
    /// A table with this file system on `/`, under the name `root`.
    pub fn new(root_fs: impl VirtualFileSystem + 'static) -> Self {
        Self::new_boxed_root(Box::new(root_fs), MountOptions::new(ROOT_PLUGIN_ID))
    }

    /// A table with this file system on `/`.
    pub fn new_boxed_root(filesystem: Box<dyn MountedFileSystem>, options: MountOptions) -> Self {
        Self { root: Mount { path: "/".to_owned(), options, filesystem }, mounts: Vec::new() }
    }

    /// Mounts a file system; see [`MountTable::mount_boxed`].
    pub fn mount(
        &mut self,
        path: &str,
        filesystem: impl VirtualFileSystem + 'static,
        options: MountOptions,
    ) -> VfsResult<()> {
        self.mount_boxed(path, Box::new(filesystem), options)
    }

    /// Mounts a file system. `EINVAL` on `/`, `EEXIST` where one is mounted. A missing mount point
    /// is made in the file system that has the path; that one may be read-only.
    pub fn mount_boxed(
        &mut self,
        path: &str,
        filesystem: Box<dyn MountedFileSystem>,
        options: MountOptions,
    ) -> VfsResult<()> {
        let path = normalize_path(path);
        if path == "/" {
            return Err(VfsError::errno(Errno::EINVAL, "cannot mount over root"));
        }
        if self.mounts.iter().any(|mount| mount.path == path) {
            return Err(VfsError::errno(Errno::EEXIST, format!("already mounted at {path}")));
        }
        let mut place = self.place(&path);
        let (inner, read_only) = (place.path.clone(), place.mount.options.read_only);
        let parent = place.filesystem();
        if !read_only
            && !parent.exists(&inner)
            && let Err(error) = parent.mkdir(&inner, true)
            && error.code() != Errno::EROFS.name()
        {
            return Err(error);
        }
        self.mounts.push(Mount { path, options, filesystem });
        self.mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        Ok(())
    }

    /// Unmounts a file system and shuts it down. `EINVAL` for `/` and where nothing is mounted,
    /// `EBUSY` while another is mounted below. When shutting down fails, it is unmounted all the
    /// same and the error told.
    pub fn unmount(&mut self, path: &str) -> VfsResult<()> {
        let path = normalize_path(path);
        if path == "/" {
            return Err(VfsError::errno(Errno::EINVAL, "cannot unmount root"));
        }
        let Some(index) = self.mounts.iter().position(|mount| mount.path == path) else {
            return Err(VfsError::errno(Errno::EINVAL, format!("not a mount point: {path}")));
        };
        if !self.names_below(&path).is_empty() {
            let message = format!("mount point has child mounts: {path}");
            return Err(VfsError::errno(Errno::EBUSY, message));
        }
        (*self.mounts.remove(index).filesystem).shutdown()
    }

    /// The mounts, the longest path first.
    pub fn get_mounts(&self) -> Vec<MountEntry> {
        self.mounts.iter().chain([&self.root]).map(Mount::entry).collect()
    }

    /// The file system on `/`, when it is of this type.
    pub fn root_virtual_filesystem_mut<T: VirtualFileSystem + 'static>(
        &mut self,
    ) -> Option<&mut T> {
        (*self.root.filesystem).as_any_mut().downcast_mut()
    }

    /// The file system on `/`, of whatever type.
    pub(crate) fn root_any_mut(&mut self) -> &mut dyn Any {
        (*self.root.filesystem).as_any_mut()
    }

    /// Whether a path lies in the file system on `/`.
    pub(crate) fn is_in_root(&self, path: &str) -> bool {
        self.mount_of(&normalize_path(path)).path == self.root.path
    }

    /// Refuses a rename in the file system on `/` that would copy more up than there is room for in
    /// its upper layer, if it has one. Elsewhere nothing is counted.
    ///
    /// # Errors
    /// `EXDEV` across mounts; those of the rename, then `ENOSPC`.
    pub fn check_rename_copy_up_limits(
        &mut self,
        old_path: &str,
        new_path: &str,
        max_bytes: Option<u64>,
        max_inodes: Option<usize>,
    ) -> VfsResult<()> {
        let (place, new_inner) = self.both("rename", old_path, new_path)?;
        if place.mount.path != "/" || place.mount.options.read_only {
            return Ok(());
        }
        let inner = place.path;
        let root = (*place.mount.filesystem).as_any_mut();
        if let Some(root) = root.downcast_mut::<RootFileSystem>() {
            return root.check_rename_copy_up_limits(&inner, &new_inner, max_bytes, max_inodes);
        }
        match root.downcast_mut::<OverlayFileSystem>() {
            Some(overlay) => {
                overlay.check_rename_copy_up_limits(&inner, &new_inner, max_bytes, max_inodes)
            }
            None => Ok(()),
        }
    }

    /// What the file system on `/` holds; other mounts are not counted.
    pub fn root_usage(&mut self) -> VfsResult<FileSystemUsage> {
        let root = self.root_any_mut();
        if let Some(root) = root.downcast_mut::<RootFileSystem>() {
            return root.overlay_mut().usage();
        }
        if let Some(overlay) = root.downcast_mut::<OverlayFileSystem>() {
            return overlay.usage();
        }
        if let Some(memory) = root.downcast_mut::<MemoryFileSystem>() {
            return memory.usage();
        }
        measure(
            &mut *self.root.filesystem,
            |filesystem, path| filesystem.lstat(path),
            |filesystem, path| filesystem.read_dir_with_types(path),
        )
    }

    /// The mount of a path.
    fn mount_of(&self, normal: &str) -> &Mount {
        self.mounts.iter().find(|mount| mount.inner(normal).is_some()).unwrap_or(&self.root)
    }

    /// The mount of a path and the path in it.
    fn place(&mut self, path: &str) -> Place<'_> {
        let normal = normalize_path(path);
        let mount = self
            .mounts
            .iter_mut()
            .find(|mount| mount.inner(&normal).is_some())
            .unwrap_or(&mut self.root);
        let path = mount.inner(&normal).unwrap_or("/").to_owned();
        Place { mount, path }
    }

    /// As `place`, to look only.
    fn look(&self, path: &str) -> (&Mount, String) {
        let normal = normalize_path(path);
        let mount = self.mount_of(&normal);
        let inner = mount.inner(&normal).unwrap_or("/").to_owned();
        (mount, inner)
    }

    /// A place for the first path, and what the second is called there. `EXDEV` when it lies in
    /// another mount.
    fn both(&mut self, call: &str, path: &str, other: &str) -> VfsResult<(Place<'_>, String)> {
        let (mount, inner) = self.look(other);
        if self.mount_of(&normalize_path(path)).path != mount.path {
            let message = format!("{call} across mounts: {path} -> {other}");
            return Err(VfsError::errno(Errno::EXDEV, message));
        }
        Ok((self.place(path), inner))
    }

    /// The names directly below a path under which something is mounted, ascending.
    fn names_below(&self, normal: &str) -> BTreeSet<String> {
        let rests = self.mounts.iter().filter_map(|mount| match normal {
            "/" => mount.path.strip_prefix('/'),
            _ => mount.path.strip_prefix(normal)?.strip_prefix('/'),
        });
        rests.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect()
    }

    /// The listing of a directory with the mounts below it. A directory that is only there because
    /// something is mounted below (its file system took no mount point) lists those.
    fn merged<T>(
        &self,
        path: &str,
        listed: VfsResult<Vec<T>>,
        name_of: fn(&T) -> &str,
        entry: fn(String) -> T,
    ) -> VfsResult<Vec<T>> {
        let mut missing = self.names_below(&normalize_path(path));
        if missing.is_empty() {
            return listed;
        }
        let mut entries = match listed {
            Err(error) if error.code() == Errno::ENOENT.name() => Vec::new(),
            listed => listed?,
        };
        for present in &entries {
            missing.remove(name_of(present));
        }
        entries.extend(missing.into_iter().map(entry));
        entries.sort_by(|a, b| name_of(a).cmp(name_of(b)));
        Ok(entries)
    }
}

impl Drop for MountTable {
    /// Shuts every file system down, the deepest first. There is nobody to tell of an error.
    fn drop(&mut self) {
        for mount in self.mounts.iter_mut().chain([&mut self.root]) {
            let _ = (*mount.filesystem).shutdown();
        }
    }
}

impl fmt::Debug for MountTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.get_mounts()).finish()
    }
}

/// Passes methods on to the mount of `path`, through `filesystem` or through `writable`.
macro_rules! passed_on {
    ($($through:ident fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        fn $name(&mut self, path: &str, $($argument: $type),*) -> VfsResult<$result> {
            let mut place = self.place(path);
            let inner = place.path.clone();
            passed_on!($through place).$name(&inner, $($argument),*)
        }
    )*};
    (read $place:ident) => { $place.filesystem() };
    (change $place:ident) => { $place.writable()? };
}

file_system_methods!(inherent_methods [] MountTable);

impl MountTable {
    #[doc(hidden)]
    pub fn exists(&self, path: &str) -> bool {
        VirtualFileSystem::exists(self, path)
    }
}

impl VirtualFileSystem for MountTable {
    passed_on! {
        read fn read_file() -> Vec<u8>;
        read fn read_text_file() -> String;
        read fn stat() -> VirtualStat;
        read fn pread(offset: u64, length: usize) -> Vec<u8>;
        change fn create_dir() -> ();
        change fn create_dir_with_mode(mode: Option<u32>) -> ();
        change fn mkdir(recursive: bool) -> ();
        change fn mkdir_with_mode(recursive: bool, mode: Option<u32>) -> ();
        change fn remove_file() -> ();
        change fn remove_dir() -> ();
        change fn chmod(mode: u32) -> ();
        change fn chown(uid: u32, gid: u32) -> ();
        change fn utimes(atime_ms: u64, mtime_ms: u64) -> ();
        change fn utimes_spec(
            atime: VirtualUtimeSpec, mtime: VirtualUtimeSpec, follow_symlinks: bool
        ) -> ();
        change fn truncate(length: u64) -> ();
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        let listed = place.filesystem().read_dir(&inner);
        self.merged(path, listed, String::as_str, |name| name)
    }

    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        let listed = place.filesystem().read_dir_limited(&inner, max_entries);
        let names = self.merged(path, listed, String::as_str, |name| name)?;
        check_entry_count(path, names.len(), max_entries)?;
        Ok(names)
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        let listed = place.filesystem().read_dir_with_types(&inner);
        self.merged(
            path,
            listed,
            |entry| entry.name.as_str(),
            |name| VirtualDirEntry { name, is_directory: true, is_symbolic_link: false },
        )
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        place.writable()?.write_file(&inner, content.into())
    }

    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        place.writable()?.write_file_with_mode(&inner, content.into(), mode)
    }

    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        place.creatable(path)?.create_file_exclusive(&inner, content.into())
    }

    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        place.creatable(path)?.create_file_exclusive_with_mode(&inner, content.into(), mode)
    }

    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        place.writable()?.append_file(&inner, content.into())
    }

    fn exists(&self, path: &str) -> bool {
        let (mount, inner) = self.look(path);
        mount.filesystem.exists(&inner)
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        let (mut place, new_inner) = self.both("rename", old_path, new_path)?;
        let inner = place.path.clone();
        place.writable()?.rename(&inner, &new_inner)
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        let (mount, inner) = self.look(path);
        Ok(normalize_path(&join(&mount.path, &mount.filesystem.realpath(&inner)?)))
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        let normal = normalize_path(link_path);
        let directory = split_last(&normal).map_or("/", |(parent, _)| parent);
        let full =
            if target.starts_with('/') { target.to_owned() } else { join(directory, target) };
        if self.mount_of(&normalize_path(&full)).path != self.mount_of(&normal).path {
            let message = format!("symlink across mounts: {link_path} -> {target}");
            return Err(VfsError::errno(Errno::EXDEV, message));
        }
        let mut place = self.place(link_path);
        let inner = place.path.clone();
        place.writable()?.symlink(target, &inner)
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        let (mount, inner) = self.look(path);
        mount.filesystem.read_link(&inner)
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        let (mount, inner) = self.look(path);
        mount.filesystem.lstat(&inner)
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        let (mut place, new_inner) = self.both("link", old_path, new_path)?;
        let inner = place.path.clone();
        place.writable()?.link(&inner, &new_inner)
    }

    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        let mut place = self.place(path);
        let inner = place.path.clone();
        place.writable()?.pwrite(&inner, content.into(), offset)
    }
}
