//! `MemoryFileSystem`: the kernel's own tree as a value (SEMANTICS.md, section 13).
//!
//! Until it is given to a machine it owns a kernel that has nothing but the tree; after that it is
//! a handle to the machine's, and what is done through it enters by the machine's door (DESIGN
//! section 5). Either way each method is one call of the family `fs_*`, so there is one
//! implementation: `systems/calls/face_tree.rs`.

use super::machine::{Core, Machine, NoHost};
use super::usage::FileSystemUsage;
use super::vfs::{
    VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
};
use super::vm::{to_timespec, to_virtual_stat};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tickernel_systems::abi::flags::{O_APPEND, O_EXCL};
use tickernel_systems::abi::{Dirent, Errno};
use tickernel_systems::event::{Answer, Call, Event, Outcome, Payload};
use tickernel_systems::fs::Fs;
use tickernel_systems::{Config, FaceConfig, Kernel, Policy, Profile};

/// Device numbers of the trees of a process begin here.
const NS_PER_MS: u64 = 1_000_000;

/// A file system in memory: copy-on-write pages, hard and symbolic links, all times.
///
/// ```
/// use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem};
///
/// let mut files = MemoryFileSystem::new();
/// files.write_file("/notes/today", "hello")?; // its directory is made
/// assert_eq!(files.read_file("/notes/today")?, b"hello");
/// # Ok::<(), tickernel::vfs::VfsError>(())
/// ```
pub struct MemoryFileSystem {
    tree: Tree,
}

enum Tree {
    /// A tree of its own, made when it is first used: one that nobody used before it was given to
    /// a machine begins at the machine's time. The lock is for methods that only look.
    Own(Box<Mutex<Option<Kernel>>>),
    /// The tree of a machine.
    Machine(Arc<Machine>),
}

impl fmt::Debug for MemoryFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attached = matches!(self.tree, Tree::Machine(_));
        f.debug_struct("MemoryFileSystem").field("attached", &attached).finish_non_exhaustive()
    }
}

impl Default for MemoryFileSystem {
    fn default() -> Self {
        Self::new()
    }
}

/// A kernel over a tree, or over an empty one.
pub(crate) fn kernel_over(fs: Option<Fs>, config: Config) -> Kernel {
    Kernel::for_face(config, fs)
}

fn own_config() -> Config {
    Config {
        profile: Profile::SecureExec,
        start_ns: crate::clock::wall_ms().saturating_mul(NS_PER_MS),
        face: FaceConfig {
            present: true,
            file_policy: Policy::Allow,
            command_policy: Policy::Allow,
            ..FaceConfig::default()
        },
        ..Config::default()
    }
}

impl MemoryFileSystem {
    /// A tree that is one empty directory.
    pub fn new() -> Self {
        Self { tree: Tree::Own(Box::default()) }
    }

    /// The tree, taken out, if anybody used it; an empty one stays.
    pub(crate) fn take(&mut self) -> Option<Fs> {
        match std::mem::replace(&mut self.tree, MemoryFileSystem::new().tree) {
            Tree::Own(kernel) => {
                let kernel = kernel.into_inner().unwrap_or_else(PoisonError::into_inner);
                kernel.map(Kernel::into_fs)
            }
            Tree::Machine(_) => None,
        }
    }

    /// From now on the tree is the machine's.
    pub(crate) fn attach(&mut self, machine: Arc<Machine>) {
        self.tree = Tree::Machine(machine);
    }

    fn act(&self, call: Call<'_>, what: impl fmt::Display) -> VfsResult<Answer> {
        let result = match &self.tree {
            Tree::Own(kernel) => {
                let mut kernel = kernel.lock().unwrap_or_else(PoisonError::into_inner);
                let kernel = kernel.get_or_insert_with(|| kernel_over(None, own_config()));
                catch_up(kernel);
                match kernel.call(0, call) {
                    Outcome::Done(answer) => Ok(answer),
                    Outcome::Failed(errno) => Err(errno),
                    // A tree asks nobody, and nothing in it waits.
                    Outcome::Asking | Outcome::Blocked(_) | Outcome::Refused(_) => Err(Errno::EIO),
                }
            }
            Tree::Machine(machine) => {
                let mut core: MutexGuard<'_, Core> =
                    machine.lock().map_err(|error| VfsError::new(error.code(), error.message()))?;
                core.catch_up();
                let outcome = core.call(0, &call);
                machine.finish(core, outcome, &mut NoHost)
            }
        };
        result.map_err(|errno| {
            VfsError::new(errno.name(), format!("{}: {what}", errno.text().to_ascii_lowercase()))
        })
    }

    fn write(&self, path: &str, data: &[u8], mode: Option<u32>, how: u32) -> VfsResult<Answer> {
        let path_bytes = path.as_bytes();
        let call = Call::FsWrite { raw: 1, target: 0, path: path_bytes, data, mode, how };
        self.act(call, format_args!("write '{path}'"))
    }

    fn make(&self, path: &str, mode: Option<u32>, how: u32) -> VfsResult<()> {
        let call = Call::FsMkdir { raw: 1, target: 0, path: path.as_bytes(), mode, how };
        self.act(call, format_args!("mkdir '{path}'")).map(drop)
    }

    fn entries(&self, path: &str, max: u64) -> VfsResult<Vec<Dirent>> {
        let call = Call::FsReaddir { raw: 1, path: path.as_bytes(), max };
        match self.act(call, format_args!("readdir '{path}'"))?.payload {
            Payload::Dirents(entries) => Ok(entries),
            _ => Ok(Vec::new()),
        }
    }

    /// The names in a directory with their types, sorted.
    pub(crate) fn typed_entries(&self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        let typed = |entry: &Dirent| VirtualDirEntry {
            name: name(entry),
            is_directory: entry.kind == 4,
            is_symbolic_link: entry.kind == 10,
        };
        Ok(self.entries(path, u64::MAX)?.iter().map(typed).collect())
    }

    /// What it holds, counted as it changes.
    pub(crate) fn usage(&self) -> VfsResult<FileSystemUsage> {
        let answer = self.act(Call::FsUsage {}, "usage")?;
        match answer.payload {
            Payload::Number(inodes) => Ok(FileSystemUsage {
                total_bytes: u64::try_from(answer.value).unwrap_or(0),
                inode_count: usize::try_from(inodes).unwrap_or(0),
            }),
            _ => Err(VfsError::io("usage")),
        }
    }

    /// A whole file, for methods that only look.
    pub(crate) fn content(&self, path: &str) -> VfsResult<Vec<u8>> {
        let call = Call::FsRead { raw: 1, path: path.as_bytes() };
        self.act(call, format_args!("read '{path}'")).map(data)
    }

    /// Makes a symbolic link with an owner. Its mode is 0777 whatever is asked for, as symlink(7)
    /// has it.
    pub fn symlink_with_metadata(
        &mut self,
        target: &str,
        link_path: &str,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> VfsResult<()> {
        let _ = mode;
        VirtualFileSystem::symlink(self, target, link_path)?;
        let call = Call::FsChown { raw: 2, path: link_path.as_bytes(), uid, gid };
        self.act(call, format_args!("lchown '{link_path}'")).map(drop)
    }

    fn stat_as(&self, path: &str, follow: u32) -> VfsResult<VirtualStat> {
        let call = Call::FsStat { raw: 1, path: path.as_bytes(), follow };
        match self.act(call, format_args!("stat '{path}'"))?.payload {
            Payload::Stat(stat) => Ok(to_virtual_stat(&stat)),
            _ => Err(VfsError::io(format!("stat '{path}'"))),
        }
    }
}

/// The host's time, for stamps.
fn catch_up(kernel: &mut Kernel) {
    let now_ns = crate::clock::wall_ms().saturating_mul(NS_PER_MS);
    let delta_ns = now_ns.saturating_sub(kernel.now_ns());
    if delta_ns > 0 {
        kernel.take(Event::Clock { delta_ns });
    }
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

fn name(entry: &Dirent) -> String {
    String::from_utf8_lossy(&entry.name.0).into_owned()
}

impl VirtualFileSystem for MemoryFileSystem {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        self.content(path)
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        Ok(self.entries(path, u64::MAX)?.iter().map(name).collect())
    }

    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        Ok(self.entries(path, max_entries as u64)?.iter().map(name).collect())
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        self.typed_entries(path)
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.write(path, &content.into(), None, 0).map(drop)
    }

    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.write(path, &content.into(), mode, 0).map(drop)
    }

    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.write(path, &content.into(), None, O_EXCL).map(drop)
    }

    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        self.write(path, &content.into(), mode, O_EXCL).map(drop)
    }

    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        let answer = self.write(path, &content.into(), None, O_APPEND)?;
        Ok(answer.value as u64)
    }

    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.make(path, None, 0)
    }

    fn create_dir_with_mode(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        self.make(path, mode, 0)
    }

    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        self.make(path, None, if recursive { 2 } else { 1 })
    }

    fn mkdir_with_mode(&mut self, path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()> {
        self.make(path, mode, if recursive { 2 } else { 1 })
    }

    fn exists(&self, path: &str) -> bool {
        let call = Call::FsExists { raw: 1, path: path.as_bytes() };
        self.act(call, path).is_ok_and(|answer| answer.value != 0)
    }

    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        self.stat_as(path, 1)
    }

    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        let call = Call::FsUnlink { raw: 1, path: path.as_bytes() };
        self.act(call, format_args!("unlink '{path}'")).map(drop)
    }

    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        let call = Call::FsRmdir { raw: 1, path: path.as_bytes() };
        self.act(call, format_args!("rmdir '{path}'")).map(drop)
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        let (oldpath, newpath) = (old_path.as_bytes(), new_path.as_bytes());
        let call = Call::FsRename { raw: 1, oldpath, newpath };
        self.act(call, format_args!("rename '{old_path}' to '{new_path}'")).map(drop)
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        let call = Call::FsRealpath { raw: 1, path: path.as_bytes() };
        self.act(call, format_args!("realpath '{path}'")).map(text)
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        let (content, linkpath) = (target.as_bytes(), link_path.as_bytes());
        let call = Call::FsSymlink { raw: 1, content, linkpath };
        self.act(call, format_args!("symlink '{link_path}'")).map(drop)
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        let call = Call::FsReadlink { raw: 1, path: path.as_bytes() };
        self.act(call, format_args!("readlink '{path}'")).map(text)
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        self.stat_as(path, 0)
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        let (oldpath, newpath) = (old_path.as_bytes(), new_path.as_bytes());
        let call = Call::FsLink { raw: 1, oldpath, newpath };
        self.act(call, format_args!("link '{old_path}' to '{new_path}'")).map(drop)
    }

    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        let call = Call::FsChmod { raw: 1, path: path.as_bytes(), mode };
        self.act(call, format_args!("chmod '{path}'")).map(drop)
    }

    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        let call = Call::FsChown { raw: 1, path: path.as_bytes(), uid, gid };
        self.act(call, format_args!("chown '{path}'")).map(drop)
    }

    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        use super::vfs::VirtualTimeSpec;
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
        // What is not there is told before a time that is none.
        self.stat_as(path, u32::from(follow_symlinks))?;
        for time in [atime, mtime] {
            if let VirtualUtimeSpec::Set(time) = time {
                time.to_truncated_millis()?;
            }
        }
        let (atime, mtime) = (to_timespec(atime), to_timespec(mtime));
        let (path_bytes, follow) = (path.as_bytes(), u32::from(follow_symlinks));
        let call = Call::FsUtimes { raw: 1, path: path_bytes, atime, mtime, follow };
        self.act(call, format_args!("utimes '{path}'")).map(drop)
    }

    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        let call = Call::FsTruncate { raw: 1, path: path.as_bytes(), length };
        self.act(call, format_args!("truncate '{path}'")).map(drop)
    }

    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        let count = length as u64;
        let call = Call::FsPread { raw: 1, path: path.as_bytes(), count, offset };
        self.act(call, format_args!("pread '{path}'")).map(data)
    }

    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        let content = content.into();
        let call = Call::FsPwrite { raw: 1, path: path.as_bytes(), data: &content, offset };
        self.act(call, format_args!("pwrite '{path}'")).map(drop)
    }
}
