//! The methods of a file system, on what `open.rs` opens.

use super::HostDirectory;
use super::open::{Place, told, told_io};
use crate::face::vfs::{
    VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualTimeSpec,
    VirtualUtimeSpec, check_entry_count, normalize_path, split_last,
};
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Statx, StatxTimestamp, Timespec, Timestamps, Uid,
};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::FileExt;
use tickernel_systems::abi::Errno;

/// Bytes of a file that is read whole, at most.
const WHOLE_FILE_BYTES_MAX: u64 = 1 << 30;
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;
/// What a guest may set: no set-id bits, which would be the host's.
const MODE_BITS: u32 = 0o1777;

fn mode_of(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode & MODE_BITS)
}

fn is_missing(error: &VfsError) -> bool {
    error.code() == Errno::ENOENT.name()
}

/// Milliseconds since 1970 and the nanoseconds below a second; what lies before 1970 is 1970.
fn time_of(time: StatxTimestamp) -> (u64, u32) {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let ms = seconds.saturating_mul(1_000).saturating_add(u64::from(time.tv_nsec / 1_000_000));
    (ms, time.tv_nsec)
}

fn kind_of(stat: &Statx) -> FileType {
    FileType::from_raw_mode(u32::from(stat.stx_mode))
}

fn shown(stat: &Statx) -> VirtualStat {
    let kind = kind_of(stat);
    let (atime_ms, atime_nsec) = time_of(stat.stx_atime);
    let (mtime_ms, mtime_nsec) = time_of(stat.stx_mtime);
    let (ctime_ms, ctime_nsec) = time_of(stat.stx_ctime);
    VirtualStat {
        mode: u32::from(stat.stx_mode),
        size: stat.stx_size,
        blocks: stat.stx_blocks,
        dev: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
        rdev: rustix::fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor),
        is_directory: kind == FileType::Directory,
        is_symbolic_link: kind == FileType::Symlink,
        atime_ms,
        atime_nsec,
        mtime_ms,
        mtime_nsec,
        ctime_ms,
        ctime_nsec,
        // 0 where the host's file system keeps none.
        birthtime_ms: time_of(stat.stx_btime).0,
        ino: stat.stx_ino,
        nlink: u64::from(stat.stx_nlink),
        uid: stat.stx_uid,
        gid: stat.stx_gid,
    }
}

fn time_to_set(time: VirtualUtimeSpec) -> VfsResult<Timespec> {
    Ok(match time {
        VirtualUtimeSpec::Set(time) => {
            let VirtualTimeSpec { sec, nsec } = VirtualTimeSpec::new(time.sec, time.nsec)?;
            Timespec { tv_sec: sec, tv_nsec: nsec.into() }
        }
        VirtualUtimeSpec::Now => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
        VirtualUtimeSpec::Omit => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
    })
}

impl HostDirectory {
    /// The entries of a directory, sorted by name; `ENOMEM` for more than `max`. A name that is no
    /// UTF-8 is shown with marks in its place, and cannot be opened.
    fn entries(&self, path: &str, max: usize) -> VfsResult<Vec<VirtualDirEntry>> {
        let fd = self.at(path, OFlags::RDONLY | OFlags::DIRECTORY, "scandir")?;
        let failed = |error| told(error, "scandir", path);
        let mut entries = Vec::new();
        for entry in Dir::new(fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if matches!(name.as_str(), "." | "..") {
                continue;
            }
            // Not all file systems tell types (readdir(3)).
            let kind = match entry.file_type() {
                FileType::Unknown => self
                    .look(&format!("{path}/{name}"), false)
                    .map_or(FileType::Unknown, |stat| kind_of(&stat)),
                known => known,
            };
            entries.push(VirtualDirEntry {
                name,
                is_directory: kind == FileType::Directory,
                is_symbolic_link: kind == FileType::Symlink,
            });
            check_entry_count(path, entries.len(), max)?;
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn make_dir(&self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        let Place { directory, name } = match self.place(path, "mkdir") {
            Err(error) if error.code() == Errno::EBUSY.name() => {
                return Err(VfsError::on_path(Errno::EEXIST, "mkdir", path));
            }
            place => place?,
        };
        rustix::fs::mkdirat(&directory, name.as_str(), mode_of(mode.unwrap_or(DIRECTORY_MODE)))
            .map_err(|error| told(error, "mkdir", path))
    }

    /// A directory and those that lead to it. What is there, links to directories too, is no error.
    fn make_dirs(&self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        let normal = normalize_path(path);
        let mut missing = Vec::new();
        let mut rest = normal.as_str();
        while let Err(error) = self.at(rest, OFlags::PATH | OFlags::DIRECTORY, "mkdir") {
            if !is_missing(&error) {
                return Err(error);
            }
            missing.push(rest);
            let Some((parent, _)) = split_last(rest) else { return Err(error) };
            rest = parent;
        }
        for directory in missing.iter().rev() {
            let mode = if *directory == normal { mode } else { None };
            match self.make_dir(directory, mode) {
                // Somebody else was faster: the next step tells whether it is a directory.
                Err(error) if error.code() == Errno::EEXIST.name() => {}
                made => made?,
            }
        }
        self.at(&normal, OFlags::PATH | OFlags::DIRECTORY, "mkdir").map(drop)
    }

    /// A file to be written, made with the directories that lead to it if it is not there.
    fn written(&self, path: &str, flags: OFlags, mode: Option<u32>) -> VfsResult<std::fs::File> {
        let flags = flags | OFlags::WRONLY;
        if !flags.contains(OFlags::EXCL) {
            match self.file(path, flags, Mode::empty()) {
                Err(error) if is_missing(&error) => {}
                found => return found,
            }
        }
        let normal = normalize_path(path);
        if let Some((parent, _)) = split_last(&normal) {
            self.make_dirs(parent, None)?;
        }
        let mode = mode_of(mode.unwrap_or(FILE_MODE));
        let file = self.file(path, flags | OFlags::CREATE, mode)?;
        // The host's umask is the host's.
        rustix::fs::fchmod(&file, mode).map_err(|error| told(error, "chmod", path))?;
        Ok(file)
    }

    fn fill(
        &self,
        path: &str,
        flags: OFlags,
        mode: Option<u32>,
        content: &[u8],
    ) -> VfsResult<std::fs::File> {
        let mut file = self.written(path, flags, mode)?;
        let filled = if flags.contains(OFlags::APPEND) { Ok(()) } else { file.set_len(0) };
        filled
            .and_then(|()| file.write_all(content))
            .map_err(|error| told_io(&error, "write", path))?;
        Ok(file)
    }

    /// The name that a path leads to, no link at its end: for the calls that work on names.
    fn end_of_links(&self, path: &str, op: &str) -> VfsResult<Place> {
        self.place(&self.without_links(path)?, op)
    }
}

impl VirtualFileSystem for HostDirectory {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        let file = self.file(path, OFlags::RDONLY, Mode::empty())?;
        let mut content = Vec::new();
        file.take(WHOLE_FILE_BYTES_MAX + 1)
            .read_to_end(&mut content)
            .map_err(|error| told_io(&error, "read", path))?;
        if content.len() as u64 > WHOLE_FILE_BYTES_MAX {
            return Err(VfsError::on_path(Errno::ENOMEM, "read", path));
        }
        Ok(content)
    }

    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        let file = self.file(path, OFlags::RDONLY, Mode::empty())?;
        let size = file.metadata().map_err(|error| told_io(&error, "read", path))?.len();
        let count = size.saturating_sub(offset).min(length as u64);
        if count > WHOLE_FILE_BYTES_MAX {
            return Err(VfsError::on_path(Errno::ENOMEM, "read", path));
        }
        let mut content = vec![0; count as usize];
        let mut done = 0;
        while done < content.len() {
            match file.read_at(&mut content[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(told_io(&error, "read", path)),
            }
        }
        content.truncate(done);
        Ok(content)
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        self.read_dir_limited(path, usize::MAX)
    }

    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        Ok(self.entries(path, max_entries)?.into_iter().map(|entry| entry.name).collect())
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        self.entries(path, usize::MAX)
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.fill(path, OFlags::empty(), None, &content.into()).map(drop)
    }

    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.fill(path, OFlags::empty(), mode, &content.into()).map(drop)
    }

    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.fill(path, OFlags::EXCL, None, &content.into()).map(drop)
    }

    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.fill(path, OFlags::EXCL, mode, &content.into()).map(drop)
    }

    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        let mut file = self.fill(path, OFlags::APPEND, None, &content.into())?;
        file.stream_position().map_err(|error| told_io(&error, "write", path))
    }

    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        let file = self.file(path, OFlags::WRONLY, Mode::empty())?;
        file.write_all_at(&content.into(), offset).map_err(|error| told_io(&error, "write", path))
    }

    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        let file = self.file(path, OFlags::WRONLY, Mode::empty())?;
        file.set_len(length).map_err(|error| told_io(&error, "truncate", path))
    }

    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.make_dir(path, None)
    }

    fn create_dir_with_mode(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        self.make_dir(path, mode)
    }

    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        self.mkdir_with_mode(path, recursive, None)
    }

    fn mkdir_with_mode(&mut self, path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()> {
        if recursive { self.make_dirs(path, mode) } else { self.make_dir(path, mode) }
    }

    fn exists(&self, path: &str) -> bool {
        self.at(path, OFlags::PATH, "stat").is_ok()
    }

    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        Ok(shown(&self.look(path, true)?))
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        Ok(shown(&self.look(path, false)?))
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        self.without_links(path)
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        self.link_text(path)
    }

    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        let Place { directory, name } = self.place(path, "unlink")?;
        rustix::fs::unlinkat(&directory, name.as_str(), AtFlags::empty())
            .map_err(|error| told(error, "unlink", path))
    }

    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        let Place { directory, name } = self.place(path, "rmdir")?;
        rustix::fs::unlinkat(&directory, name.as_str(), AtFlags::REMOVEDIR)
            .map_err(|error| told(error, "rmdir", path))
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        let (from, to) = (self.place(old_path, "rename")?, self.place(new_path, "rename")?);
        rustix::fs::renameat(&from.directory, from.name.as_str(), &to.directory, to.name.as_str())
            .map_err(|error| told(error, "rename", old_path))
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        let Place { directory, name } = self.place(link_path, "symlink")?;
        rustix::fs::symlinkat(target, &directory, name.as_str())
            .map_err(|error| told(error, "symlink", link_path))
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        let (from, to) = (self.end_of_links(old_path, "link")?, self.place(new_path, "link")?);
        // A link that came there meanwhile is linked itself, and not followed.
        let (old, new) = (from.name.as_str(), to.name.as_str());
        rustix::fs::linkat(&from.directory, old, &to.directory, new, AtFlags::empty())
            .map_err(|error| told(error, "link", new_path))
    }

    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        self.refuse_special(path, "chmod")?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.at(path, flags, "chmod")?;
        rustix::fs::fchmod(&fd, mode_of(mode)).map_err(|error| told(error, "chmod", path))
    }

    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        let Place { directory, name } = self.end_of_links(path, "chown")?;
        let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(&directory, name.as_str(), owner.0, owner.1, flags)
            .map_err(|error| told(error, "chown", path))
    }

    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        let time = |ms| VirtualUtimeSpec::Set(VirtualTimeSpec::from_millis(ms));
        self.utimes_spec(path, time(atime_ms), time(mtime_ms), true)
    }

    fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow_symlinks: bool,
    ) -> VfsResult<()> {
        let times =
            Timestamps { last_access: time_to_set(atime)?, last_modification: time_to_set(mtime)? };
        let Place { directory, name } = match follow_symlinks {
            true => self.end_of_links(path, "utimes")?,
            false => self.place(path, "utimes")?,
        };
        rustix::fs::utimensat(&directory, name.as_str(), &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| told(error, "utimes", path))
    }
}
