//! `VirtualFileSystem`: what a file system has to offer, and what it gets for nothing.

use super::error::{VfsError, VfsResult};
use super::stat::{VirtualDirEntry, VirtualStat, VirtualUtimeSpec};
use crate::clock;
use tickernel_systems::abi::Errno;

/// A file system by path. Paths are absolute; links are followed but for the last name of
/// `lstat`, `read_link`, `remove_file`, `remove_dir`, `rename`, `symlink` and of `link`'s new name.
///
/// Methods with a default are built on those without: a file system that can do better (an
/// exclusive create or an append in one step, modes at creation, times below a millisecond)
/// writes its own.
pub trait VirtualFileSystem {
    /// The whole content. `EISDIR` for a directory.
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>>;

    /// The whole content as text. `EINVAL` when it is not UTF-8.
    fn read_text_file(&mut self, path: &str) -> VfsResult<String> {
        String::from_utf8(self.read_file(path)?).map_err(|_| {
            VfsError::errno(Errno::EINVAL, format!("file contains invalid UTF-8, '{path}'"))
        })
    }

    /// The names in a directory, without `.` and `..`.
    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>>;

    /// The names, `ENOMEM` when there are more than `max_entries`. By default all are listed first.
    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        let names = self.read_dir(path)?;
        check_entry_count(path, names.len(), max_entries)?;
        Ok(names)
    }

    /// The names with their types.
    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>>;

    /// Writes the whole content, making the file (and missing parents, where it can).
    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()>;

    /// As `write_file`, a new file with this mode. By default the mode is left aside.
    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        let _ = mode;
        self.write_file(path, content)
    }

    /// Makes a file, `EEXIST` when there is one. By default it looks and then writes.
    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        if self.exists(path) {
            return Err(VfsError::on_path(Errno::EEXIST, "open", path));
        }
        self.write_file(path, content)
    }

    /// As `create_file_exclusive`, with this mode. By default the mode is left aside.
    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        let _ = mode;
        self.create_file_exclusive(path, content)
    }

    /// Appends to a file; its new length. By default the file is read and written.
    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        let content = content.into();
        let mut all = self.read_file(path)?;
        grow(&mut all, content.len() as u64)?;
        all.extend_from_slice(&content);
        let length = all.len() as u64;
        self.write_file(path, all)?;
        Ok(length)
    }

    /// Makes a directory whose parent is there. An existing directory is no error everywhere.
    fn create_dir(&mut self, path: &str) -> VfsResult<()>;

    /// As `create_dir`, with this mode. By default the mode is left aside.
    fn create_dir_with_mode(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        let _ = mode;
        self.create_dir(path)
    }

    /// Makes a directory, with its missing parents when `recursive`.
    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()>;

    /// As `mkdir`, with this mode. By default the mode is left aside.
    fn mkdir_with_mode(&mut self, path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()> {
        let _ = mode;
        self.mkdir(path, recursive)
    }

    /// Whether there is something, links followed.
    fn exists(&self, path: &str) -> bool;

    /// The inode, links followed.
    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat>;

    /// Removes the name of a file or link.
    fn remove_file(&mut self, path: &str) -> VfsResult<()>;

    /// Removes an empty directory.
    fn remove_dir(&mut self, path: &str) -> VfsResult<()>;

    /// Gives another name, replacing what has it.
    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()>;

    /// The path without links.
    fn realpath(&self, path: &str) -> VfsResult<String>;

    /// Makes a symbolic link.
    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()>;

    /// The target of a symbolic link. `EINVAL` for anything else.
    fn read_link(&self, path: &str) -> VfsResult<String>;

    /// The inode, a last link not followed.
    fn lstat(&self, path: &str) -> VfsResult<VirtualStat>;

    /// Makes a hard link to a file.
    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()>;

    /// Sets the permission bits.
    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()>;

    /// Sets the owner and the group.
    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()>;

    /// Sets both times, in ms since the epoch.
    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()>;

    /// Sets times one by one. By default whole milliseconds by way of `utimes`, `Now` the host's
    /// clock, and `ENOSYS` for a link's own times.
    fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow_symlinks: bool,
    ) -> VfsResult<()> {
        if !follow_symlinks {
            return Err(VfsError::unsupported(format!("lutimes is not supported for '{path}'")));
        }
        let stat = self.stat(path)?;
        let ms = |time, present_ms| match time {
            VirtualUtimeSpec::Set(time) => time.to_truncated_millis(),
            VirtualUtimeSpec::Now => Ok(clock::wall_ms()),
            VirtualUtimeSpec::Omit => Ok(present_ms),
        };
        let (atime_ms, mtime_ms) = (ms(atime, stat.atime_ms)?, ms(mtime, stat.mtime_ms)?);
        self.utimes(path, atime_ms, mtime_ms)
    }

    /// Sets the length, filling with zeros.
    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()>;

    /// Up to `length` bytes from `offset`; fewer at the end.
    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>>;

    /// Writes at `offset`, filling a gap with zeros. By default the file is read and written.
    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        let content = content.into();
        let mut all = self.read_file(path)?;
        let end = offset.checked_add(content.len() as u64).ok_or_else(|| {
            VfsError::errno(Errno::EINVAL, format!("pwrite beyond the largest offset, '{path}'"))
        })?;
        let length = all.len() as u64;
        if end > length {
            grow(&mut all, end - length)?;
            // The reservation went through, so both fit a usize.
            all.resize(end as usize, 0);
        }
        let start = offset as usize;
        if let Some(place) = all.get_mut(start..start + content.len()) {
            place.copy_from_slice(&content);
        }
        self.write_file(path, all)
    }
}

/// `ENOMEM` when a listing is longer than the limit.
pub(crate) fn check_entry_count(path: &str, count: usize, max_entries: usize) -> VfsResult<()> {
    if count <= max_entries {
        return Ok(());
    }
    let message =
        format!("directory listing for '{path}' exceeds configured limit of {max_entries} entries");
    Err(VfsError::errno(Errno::ENOMEM, message))
}

/// Bytes of a file that the defaults read and write as a whole, at most.
const WHOLE_FILE_BYTES_MAX: u64 = 1 << 30;

/// Reserves room for so many more bytes, `ENOMEM` when there is none.
fn grow(bytes: &mut Vec<u8>, more: u64) -> VfsResult<()> {
    let fits = (bytes.len() as u64).checked_add(more).is_some_and(|n| n <= WHOLE_FILE_BYTES_MAX);
    let reserved = fits && usize::try_from(more).is_ok_and(|more| bytes.try_reserve(more).is_ok());
    if reserved {
        return Ok(());
    }
    let message = format!("file growth exceeds memory: {} bytes and {more} more", bytes.len());
    Err(VfsError::errno(Errno::ENOMEM, message))
}
