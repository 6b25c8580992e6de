//! Files by path (SEMANTICS.md, sections 9, 10, 12, 13 and 15).

use super::convert::{error_about, to_timespec, to_virtual_stat};
use super::descriptors::pread_error;
use super::{KernelVm, host_of, open, open_owned, run};
use crate::face::error::KernelResult;
use crate::face::vfs::{
    VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualTimeSpec, VirtualUtimeSpec,
};
use tickernel_systems::abi::{Dirent, Errno};
use tickernel_systems::event::{Answer, Call, Payload};

/// `DT_DIR` and `DT_LNK` of readdir(3).
const DT_DIR: u8 = 4;
const DT_LNK: u8 = 10;

/// Performs a call on files that may change the user's file system.
macro_rules! act {
    ($vm:ident, $call:expr, $what:expr) => {
        act!($vm, 0, $call, $what)
    };
    ($vm:ident, $who:expr, $call:expr, $what:expr) => {{
        let mut core = open(&$vm.machine)?;
        core.catch_up();
        run(&$vm.machine, core, host_of!($vm), ($who, $call), $what)
    }};
}

/// Performs a call on files that only looks.
macro_rules! look {
    ($vm:ident, $who:expr, $call:expr, $what:expr) => {{
        let core = open(&$vm.machine)?;
        run(&$vm.machine, core, host_of!(ref $vm), ($who, $call), $what)
    }};
}

/// Who speaks a call of a process that looks at a path: the process where /proc/self may be meant,
/// else nobody, as in all calls on files by path.
fn speaker(pid: u32, path: &str) -> u32 {
    if path.contains("proc") { pid } else { 0 }
}

fn data(answer: Answer) -> Vec<u8> {
    match answer.payload {
        Payload::Data(data) => data.0,
        _ => Vec::new(),
    }
}

fn text(answer: Answer) -> String {
    String::from_utf8_lossy(&data(answer)).into_owned()
}

fn stat_of(answer: &Answer) -> KernelResult<VirtualStat> {
    match &answer.payload {
        Payload::Stat(stat) => Ok(to_virtual_stat(stat)),
        _ => Err(error_about(Errno::EIO, "stat")),
    }
}

fn entries(answer: Answer) -> Vec<Dirent> {
    match answer.payload {
        Payload::Dirents(entries) => entries,
        _ => Vec::new(),
    }
}

fn name(entry: &Dirent) -> String {
    String::from_utf8_lossy(&entry.name.0).into_owned()
}

fn typed(entry: &Dirent) -> VirtualDirEntry {
    VirtualDirEntry {
        name: name(entry),
        is_directory: entry.kind == DT_DIR,
        is_symbolic_link: entry.kind == DT_LNK,
    }
}

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// A whole file.
    ///
    /// # Errors
    /// Those of the path; `EISDIR`, `EACCES`.
    pub fn read_file(&mut self, path: &str) -> KernelResult<Vec<u8>> {
        self.read_file_as(0, path)
    }

    fn read_file_as(&mut self, who: u32, path: &str) -> KernelResult<Vec<u8>> {
        let call = Call::FsRead { raw: 0, path: path.as_bytes() };
        act!(self, who, call, format_args!("read '{path}'")).map(data)
    }

    /// A part of a file.
    ///
    /// # Errors
    /// Those of [`KernelVm::read_file`]; `EINVAL` above the limit.
    pub fn pread_file(&mut self, path: &str, offset: u64, length: usize) -> KernelResult<Vec<u8>> {
        let count = length as u64;
        let call = Call::FsPread { raw: 0, path: path.as_bytes(), count, offset };
        match act!(self, call, format_args!("read '{path}'")) {
            Err(error) if self.is_beyond_pread(&error, length) => Err(pread_error(length)),
            answer => answer.map(data),
        }
    }

    /// [`KernelVm::read_file`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `read_file`.
    pub fn read_file_for_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<Vec<u8>> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.read_file_as(speaker(pid, path), path)
    }

    /// Writes a whole file; makes it, and the directories that lead to it.
    ///
    /// # Errors
    /// `EISDIR`, `EACCES`, `EROFS`, `ENOSPC`; those of the path.
    pub fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> KernelResult<()> {
        self.write_as(0, path, &content.into(), None)
    }

    fn write_as(
        &mut self,
        target: u32,
        path: &str,
        content: &[u8],
        mode: Option<u32>,
    ) -> KernelResult<()> {
        let (path_bytes, how) = (path.as_bytes(), 0);
        let call = Call::FsWrite { raw: 0, target, path: path_bytes, data: content, mode, how };
        act!(self, call, format_args!("write '{path}'")).map(drop)
    }

    /// [`KernelVm::write_file`] for a process: a new file has the mode, less the umask.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `write_file`.
    pub fn write_file_for_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> KernelResult<()> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.write_as(pid, path, &content.into(), mode)
    }

    /// Writes into a file at an offset.
    ///
    /// # Errors
    /// Those of [`KernelVm::write_file`]; `ENOENT`.
    pub fn pwrite_file(
        &mut self,
        path: &str,
        offset: u64,
        content: impl Into<Vec<u8>>,
    ) -> KernelResult<()> {
        let content = content.into();
        let call = Call::FsPwrite { raw: 0, path: path.as_bytes(), data: &content, offset };
        act!(self, call, format_args!("write '{path}'")).map(drop)
    }

    fn mkdir_as(
        &mut self,
        target: u32,
        path: &str,
        mode: Option<u32>,
        how: u32,
    ) -> KernelResult<()> {
        let call = Call::FsMkdir { raw: 0, target, path: path.as_bytes(), mode, how };
        act!(self, call, format_args!("mkdir '{path}'")).map(drop)
    }

    /// Makes a directory; one that is there already is no error.
    ///
    /// # Errors
    /// `EEXIST` for a file, `ENOENT` without its parent, `EACCES`, `EROFS`, `ENOSPC`.
    pub fn create_dir(&mut self, path: &str) -> KernelResult<()> {
        self.mkdir_as(0, path, None, 0)
    }

    /// [`KernelVm::create_dir`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `create_dir`.
    pub fn create_dir_for_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
        mode: Option<u32>,
    ) -> KernelResult<()> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.mkdir_as(pid, path, mode, 0)
    }

    /// Makes a directory, with `recursive` also those that lead to it.
    ///
    /// # Errors
    /// Those of [`KernelVm::create_dir`]; `ENOTDIR` for a file in the way.
    pub fn mkdir(&mut self, path: &str, recursive: bool) -> KernelResult<()> {
        self.mkdir_as(0, path, None, if recursive { 2 } else { 1 })
    }

    /// [`KernelVm::mkdir`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `mkdir`.
    pub fn mkdir_for_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
        recursive: bool,
        mode: Option<u32>,
    ) -> KernelResult<()> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.mkdir_as(pid, path, mode, if recursive { 2 } else { 1 })
    }

    /// Whether something is there, as far as the policy lets one see it.
    ///
    /// # Errors
    /// `EINVAL` for a control character in the path.
    pub fn exists(&self, path: &str) -> KernelResult<bool> {
        self.exists_as(0, path)
    }

    fn exists_as(&self, who: u32, path: &str) -> KernelResult<bool> {
        let call = Call::FsExists { raw: 0, path: path.as_bytes() };
        look!(self, who, call, format_args!("exists '{path}'")).map(|answer| answer.value != 0)
    }

    /// [`KernelVm::exists`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `exists`.
    pub fn exists_for_process(
        &self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<bool> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.exists_as(speaker(pid, path), path)
    }

    /// What a path leads to.
    ///
    /// # Errors
    /// Those of the path; `EACCES`.
    pub fn stat(&mut self, path: &str) -> KernelResult<VirtualStat> {
        self.stat_as(0, path)
    }

    fn stat_as(&mut self, who: u32, path: &str) -> KernelResult<VirtualStat> {
        let call = Call::FsStat { raw: 0, path: path.as_bytes(), follow: 1 };
        act!(self, who, call, format_args!("stat '{path}'")).and_then(|answer| stat_of(&answer))
    }

    /// [`KernelVm::stat`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `stat`.
    pub fn stat_for_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<VirtualStat> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.stat_as(speaker(pid, path), path)
    }

    /// What is at a path, a symbolic link itself.
    ///
    /// # Errors
    /// Those of the path; `EACCES`.
    pub fn lstat(&self, path: &str) -> KernelResult<VirtualStat> {
        self.lstat_as(0, path)
    }

    fn lstat_as(&self, who: u32, path: &str) -> KernelResult<VirtualStat> {
        let call = Call::FsStat { raw: 0, path: path.as_bytes(), follow: 0 };
        look!(self, who, call, format_args!("lstat '{path}'")).and_then(|answer| stat_of(&answer))
    }

    /// [`KernelVm::lstat`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `lstat`.
    pub fn lstat_for_process(
        &self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<VirtualStat> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.lstat_as(speaker(pid, path), path)
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// `EINVAL` for what is none; those of the path.
    pub fn read_link(&self, path: &str) -> KernelResult<String> {
        self.read_link_as(0, path)
    }

    fn read_link_as(&self, who: u32, path: &str) -> KernelResult<String> {
        let call = Call::FsReadlink { raw: 0, path: path.as_bytes() };
        look!(self, who, call, format_args!("readlink '{path}'")).map(text)
    }

    /// [`KernelVm::read_link`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `read_link`.
    pub fn read_link_for_process(
        &self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<String> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.read_link_as(speaker(pid, path), path)
    }

    /// A path without links, `.` and `..`.
    ///
    /// # Errors
    /// Those of the path; `EACCES`.
    pub fn realpath(&self, path: &str) -> KernelResult<String> {
        self.realpath_as(0, path)
    }

    fn realpath_as(&self, who: u32, path: &str) -> KernelResult<String> {
        let call = Call::FsRealpath { raw: 0, path: path.as_bytes() };
        look!(self, who, call, format_args!("realpath '{path}'")).map(text)
    }

    /// [`KernelVm::realpath`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `realpath`.
    pub fn realpath_for_process(
        &self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<String> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        self.realpath_as(speaker(pid, path), path)
    }

    fn list(&mut self, who: u32, path: &str) -> KernelResult<Vec<Dirent>> {
        let call = Call::FsReaddir { raw: 0, path: path.as_bytes(), max: u64::MAX };
        act!(self, who, call, format_args!("readdir '{path}'")).map(entries)
    }

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOMEM` above the limit; those of the path.
    pub fn read_dir(&mut self, path: &str) -> KernelResult<Vec<String>> {
        Ok(self.list(0, path)?.iter().map(name).collect())
    }

    /// [`KernelVm::read_dir`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `read_dir`.
    pub fn read_dir_for_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<Vec<String>> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        Ok(self.list(speaker(pid, path), path)?.iter().map(name).collect())
    }

    /// The entries of a directory with their types, sorted by name.
    ///
    /// # Errors
    /// Those of [`KernelVm::read_dir`].
    pub fn read_dir_with_types(&mut self, path: &str) -> KernelResult<Vec<VirtualDirEntry>> {
        Ok(self.list(0, path)?.iter().map(typed).collect())
    }

    /// [`KernelVm::read_dir_with_types`] for a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`; those of `read_dir`.
    pub fn read_dir_with_types_for_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
    ) -> KernelResult<Vec<VirtualDirEntry>> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        Ok(self.list(speaker(pid, path), path)?.iter().map(typed).collect())
    }

    /// Removes a file's name.
    ///
    /// # Errors
    /// `EISDIR`, `EPERM` for a device, `EROFS`, `EACCES`; those of the path.
    pub fn remove_file(&mut self, path: &str) -> KernelResult<()> {
        let call = Call::FsUnlink { raw: 0, path: path.as_bytes() };
        act!(self, call, format_args!("unlink '{path}'")).map(drop)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOTEMPTY`, `EPERM` for the root, `EROFS`, `EACCES`; those of the path.
    pub fn remove_dir(&mut self, path: &str) -> KernelResult<()> {
        let call = Call::FsRmdir { raw: 0, path: path.as_bytes() };
        act!(self, call, format_args!("rmdir '{path}'")).map(drop)
    }

    /// Moves a name, over another if it is there.
    ///
    /// # Errors
    /// `ENOENT`, `EINVAL` into itself, `ENOTEMPTY`, `EPERM` for the root or a device, `EROFS`,
    /// `EACCES`.
    pub fn rename(&mut self, old_path: &str, new_path: &str) -> KernelResult<()> {
        let (oldpath, newpath) = (old_path.as_bytes(), new_path.as_bytes());
        let call = Call::FsRename { raw: 0, oldpath, newpath };
        act!(self, call, format_args!("rename '{old_path}' to '{new_path}'")).map(drop)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT` without its directory, `EROFS`, `EACCES`, `ENOSPC`.
    pub fn symlink(&mut self, target: &str, link_path: &str) -> KernelResult<()> {
        let (content, linkpath) = (target.as_bytes(), link_path.as_bytes());
        let call = Call::FsSymlink { raw: 0, content, linkpath };
        act!(self, call, format_args!("symlink '{link_path}'")).map(drop)
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// `EEXIST`, `EPERM` for what is no regular file, `ENOENT`, `EROFS`, `EACCES`.
    pub fn link(&mut self, old_path: &str, new_path: &str) -> KernelResult<()> {
        let (oldpath, newpath) = (old_path.as_bytes(), new_path.as_bytes());
        let call = Call::FsLink { raw: 0, oldpath, newpath };
        act!(self, call, format_args!("link '{old_path}' to '{new_path}'")).map(drop)
    }

    /// Sets the mode.
    ///
    /// # Errors
    /// `EROFS`, `EACCES`; those of the path.
    pub fn chmod(&mut self, path: &str, mode: u32) -> KernelResult<()> {
        let call = Call::FsChmod { raw: 0, path: path.as_bytes(), mode };
        act!(self, call, format_args!("chmod '{path}'")).map(drop)
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// `EROFS`, `EACCES`; those of the path.
    pub fn chown(&mut self, path: &str, uid: u32, gid: u32) -> KernelResult<()> {
        let call = Call::FsChown { raw: 0, path: path.as_bytes(), uid, gid };
        act!(self, call, format_args!("chown '{path}'")).map(drop)
    }

    /// Sets the times, in ms since 1970.
    ///
    /// # Errors
    /// `EROFS`, `EACCES`; those of the path.
    pub fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> KernelResult<()> {
        let time = |ms| VirtualUtimeSpec::Set(VirtualTimeSpec::from_millis(ms));
        self.utimes_spec(path, time(atime_ms), time(mtime_ms))
    }

    /// Sets the times.
    ///
    /// # Errors
    /// `EINVAL` for a time before 1970 or with a second or more of nanoseconds; those of
    /// [`KernelVm::utimes`].
    pub fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
    ) -> KernelResult<()> {
        self.set_times(path, atime, mtime, 1)
    }

    /// The same for a symbolic link itself.
    ///
    /// # Errors
    /// Those of [`KernelVm::utimes_spec`].
    pub fn lutimes(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
    ) -> KernelResult<()> {
        self.set_times(path, atime, mtime, 0)
    }

    fn set_times(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow: u32,
    ) -> KernelResult<()> {
        let (atime, mtime) = (to_timespec(atime), to_timespec(mtime));
        let call = Call::FsUtimes { raw: 0, path: path.as_bytes(), atime, mtime, follow };
        act!(self, call, format_args!("utimes '{path}'")).map(drop)
    }

    /// Cuts a file, or lengthens it with zeros.
    ///
    /// # Errors
    /// `EISDIR`, `EROFS`, `EACCES`, `ENOSPC`; those of the path.
    pub fn truncate(&mut self, path: &str, length: u64) -> KernelResult<()> {
        let call = Call::FsTruncate { raw: 0, path: path.as_bytes(), length };
        act!(self, call, format_args!("truncate '{path}'")).map(drop)
    }
}
