//! The overlay as a file system: every method finds its path in the merged view, has what changes
//! copied up, and passes the rest on to the layer.

use super::OverlayFileSystem;
use super::layers::{Found, Layer, View};
use crate::face::vfs::{
    VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
    check_entry_count, normalize_path, split_last,
};
use tickernel_systems::abi::Errno;

impl OverlayFileSystem {
    /// What is to be changed, in the upper layer: its path there.
    fn changed(&mut self, op: &str, path: &str, follow: bool) -> VfsResult<String> {
        if self.linux {
            self.writable(op, path)?;
        }
        let (place, found) = self.find(path, follow, View::Merged)?;
        self.writable(op, path)?;
        self.copy_up(&place, &found)?;
        Ok(place)
    }

    /// A file to be written, in the upper layer, made ready by `ready` if it is there. A missing
    /// one has its directories made.
    fn written(
        &mut self,
        path: &str,
        ready: fn(&mut Self, &str, &Found) -> VfsResult<()>,
    ) -> VfsResult<String> {
        self.writable("open", path)?;
        let mut walked = self.walk(path, true, View::Merged);
        if walked.as_ref().is_err_and(|error| error.code() == Errno::ENOENT.name()) {
            let normal = normalize_path(path);
            if let Some((parent, _)) = split_last(&normal) {
                self.make_dirs(parent, None)?;
            }
            walked = self.walk(path, true, View::Merged);
        }
        let walked = walked?;
        match &walked.found {
            Some(found) if found.stat.is_directory => {
                return Err(VfsError::on_path(Errno::EISDIR, "open", path));
            }
            Some(found) => ready(self, &walked.path, found)?,
            None => {
                self.place("open", &walked.path)?;
                self.copy_up_above(&walked.path)?;
            }
        }
        Ok(walked.path)
    }

    /// A place for a file that is not there; links are not followed (`O_EXCL`).
    fn exclusive(&mut self, path: &str) -> VfsResult<String> {
        if self.walk(path, false, View::Merged).is_ok_and(|walked| walked.found.is_some()) {
            return Err(VfsError::on_path(Errno::EEXIST, "open", path));
        }
        self.written(path, Self::copy_up)
    }

    fn read_from(&self, path: &str) -> VfsResult<(String, Layer)> {
        let (place, found) = self.find(path, true, self.view())?;
        Ok((place, found.layer))
    }
}

impl VirtualFileSystem for OverlayFileSystem {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        let (place, layer) = self.read_from(path)?;
        self.layer_mut(layer).read_file(&place)
    }

    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        let (place, layer) = self.read_from(path)?;
        self.layer_mut(layer).pread(&place, offset, length)
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        Ok(self.read_dir_with_types(path)?.into_iter().map(|entry| entry.name).collect())
    }

    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        let names = self.read_dir(path)?;
        check_entry_count(path, names.len(), max_entries)?;
        Ok(names)
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        let (place, found) = self.find(path, true, self.view())?;
        if !found.stat.is_directory {
            return Err(VfsError::on_path(Errno::ENOTDIR, "scandir", path));
        }
        self.list(&place, &found)
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.counting(path, true, |files| {
            let place = files.written(path, Self::copy_up_empty)?;
            files.upper.write_file(&place, content)
        })
    }

    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.counting(path, true, |files| {
            let place = files.written(path, Self::copy_up_empty)?;
            files.upper.write_file_with_mode(&place, content, mode)
        })
    }

    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.counting(path, false, |files| {
            let place = files.exclusive(path)?;
            files.upper.create_file_exclusive(&place, content)
        })
    }

    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.counting(path, false, |files| {
            let place = files.exclusive(path)?;
            files.upper.create_file_exclusive_with_mode(&place, content, mode)
        })
    }

    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        self.counting(path, true, |files| {
            let place = files.changed("open", path, true)?;
            files.upper.append_file(&place, content)
        })
    }

    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.counting(path, false, |files| files.make_dir(path, None))
    }

    fn create_dir_with_mode(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        self.counting(path, false, |files| files.make_dir(path, mode))
    }

    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        self.mkdir_with_mode(path, recursive, None)
    }

    fn mkdir_with_mode(&mut self, path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()> {
        if recursive {
            return self.make_dirs(path, mode);
        }
        self.counting(path, false, |files| files.make_dir(path, mode))
    }

    fn exists(&self, path: &str) -> bool {
        self.walk(path, true, self.view()).is_ok_and(|walked| walked.found.is_some())
    }

    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        Ok(self.find(path, true, self.view())?.1.stat)
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        Ok(self.find(path, false, self.view())?.1.stat)
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        Ok(self.find(path, true, self.view())?.0)
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        let (place, found) = self.find(path, false, self.view())?;
        self.layer(found.layer).read_link(&place)
    }

    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        self.counting(path, false, |files| files.unlink(path))
    }

    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        self.counting(path, false, |files| files.rmdir(path))
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.move_name(old_path, new_path)
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        self.counting(link_path, false, |files| files.make_link(target, link_path))
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.hard_link(old_path, new_path)
    }

    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        self.counting(path, true, |files| {
            let place = files.changed("chmod", path, true)?;
            files.upper.chmod(&place, mode)
        })
    }

    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        self.counting(path, true, |files| {
            let place = files.changed("chown", path, true)?;
            files.upper.chown(&place, uid, gid)
        })
    }

    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        self.counting(path, true, |files| {
            let place = files.changed("utimes", path, true)?;
            files.upper.utimes(&place, atime_ms, mtime_ms)
        })
    }

    fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow_symlinks: bool,
    ) -> VfsResult<()> {
        let place = self.changed("utimes", path, follow_symlinks)?;
        self.upper.utimes_spec(&place, atime, mtime, follow_symlinks)
    }

    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        self.counting(path, true, |files| {
            let place = files.changed("truncate", path, true)?;
            files.upper.truncate(&place, length)
        })
    }

    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        self.counting(path, true, |files| {
            let place = files.changed("open", path, true)?;
            files.upper.pwrite(&place, content, offset)
        })
    }
}
