//! `DeviceLayer`: the standard devices laid over `/dev` of any file system (SEMANTICS.md section
//! 12, null(4), urandom(4)).
//!
//! Only these very paths count; nothing is normalised here. Open descriptors behind `/dev/fd` and
//! terminals behind `/dev/pts` are the kernel's: here they have a place, and their content is asked
//! of the file system below.

use super::mount_table::{file_system_methods, inherent_methods};
use super::vfs::{
    VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
    check_entry_count,
};
use tickernel_systems::abi::Errno;

/// Bytes that reading a whole endless device gives.
const WHOLE_READ_BYTES: usize = 4096;
/// Bytes that one read of an endless device gives at most.
const READ_BYTES_MAX: usize = 1 << 30;
/// The file system number of devices.
const DEVICE_DEV: u64 = 2;
/// Inode numbers: the directories and what is behind `/dev/fd` share the first.
const FIRST_INODE: u64 = 0xffff_0000;
/// The names in `/dev`, in the order in which they are listed.
const NAMES: [&str; 7] = ["null", "zero", "stdin", "stdout", "stderr", "urandom", "fd"];

/// A standard device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    Null,
    Zero,
    Stdin,
    Stdout,
    Stderr,
    Urandom,
}

/// What a path is to this layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Device(Device),
    /// `/dev`.
    Root,
    /// `/dev/fd` or `/dev/pts`.
    Directory,
    /// Something below `/dev/fd` or `/dev/pts`.
    Stream,
    /// All else: the file system's.
    Below,
}

fn place(path: &str) -> Place {
    match path {
        "/dev/null" => Place::Device(Device::Null),
        "/dev/zero" => Place::Device(Device::Zero),
        "/dev/stdin" => Place::Device(Device::Stdin),
        "/dev/stdout" => Place::Device(Device::Stdout),
        "/dev/stderr" => Place::Device(Device::Stderr),
        "/dev/urandom" => Place::Device(Device::Urandom),
        "/dev" => Place::Root,
        "/dev/fd" | "/dev/pts" => Place::Directory,
        other if other.starts_with("/dev/fd/") || other.starts_with("/dev/pts/") => Place::Stream,
        _ => Place::Below,
    }
}

/// Whether it is the path of one of the six standard devices, about which no policy is asked.
pub fn is_standard_device_path(path: &str) -> bool {
    matches!(place(path), Place::Device(_))
}

impl Device {
    /// Its number (null(4), tty(4); the streams are given ones of their own).
    fn rdev(self) -> u64 {
        let (major, minor) = match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Urandom => (1, 9),
            Self::Stdin => (5, 0),
            Self::Stdout => (5, 1),
            Self::Stderr => (5, 2),
        };
        major << 8 | minor
    }

    fn inode(self) -> u64 {
        FIRST_INODE
            + match self {
                Self::Null => 1,
                Self::Zero => 2,
                Self::Stdin => 3,
                Self::Stdout => 4,
                Self::Stderr => 5,
                Self::Urandom => 6,
            }
    }
}

/// Bytes that look random and follow from a seed: SplitMix64 (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, 2014). Never for secrets.
#[derive(Debug, Clone)]
struct Entropy {
    state: u64,
}

impl Entropy {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.next_multiple_of(8));
        while bytes.len() < length {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// A file system with the standard devices in `/dev`; its own entries there are hidden from the
/// listing.
#[derive(Debug, Clone)]
pub struct DeviceLayer<V> {
    inner: V,
    entropy: Entropy,
    time_ms: u64,
}

/// Lays the devices over a file system.
pub fn create_device_layer<V>(vfs: V) -> DeviceLayer<V> {
    DeviceLayer { inner: vfs, entropy: Entropy { state: 0 }, time_ms: 0 }
}

impl<V> DeviceLayer<V> {
    /// The file system below.
    pub fn into_inner(self) -> V {
        self.inner
    }

    /// The file system below.
    pub fn inner(&self) -> &V {
        &self.inner
    }

    /// The file system below.
    pub fn inner_mut(&mut self) -> &mut V {
        &mut self.inner
    }

    /// What `/dev/urandom` gives from now on follows from this seed. Without it the bytes differ
    /// within a layer but are the same in every layer.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.entropy = Entropy { state: seed };
    }

    /// The time that devices show as theirs, in ms since the epoch; 0 without it.
    pub(crate) fn set_time_ms(&mut self, time_ms: u64) {
        self.time_ms = time_ms;
    }

    /// What stat(2) tells, of all but what is the file system's.
    fn own_stat(&self, path: &str) -> Option<VirtualStat> {
        let (mode, rdev, ino, nlink) = match place(path) {
            Place::Device(device) => (0o666, device.rdev(), device.inode(), 1),
            Place::Stream => (0o666, 0, FIRST_INODE, 1),
            Place::Root | Place::Directory => (0o755, 0, FIRST_INODE, 2),
            Place::Below => return None,
        };
        Some(VirtualStat {
            mode,
            size: 0,
            blocks: 0,
            dev: DEVICE_DEV,
            rdev,
            is_directory: nlink == 2,
            is_symbolic_link: false,
            atime_ms: self.time_ms,
            atime_nsec: 0,
            mtime_ms: self.time_ms,
            mtime_nsec: 0,
            ctime_ms: self.time_ms,
            ctime_nsec: 0,
            birthtime_ms: self.time_ms,
            ino,
            nlink,
            uid: 0,
            gid: 0,
        })
    }

    /// What reading so many bytes gives, when it does not come from the file system. `ENOMEM`
    /// for more than fits in memory.
    fn own_read(&mut self, path: &str, length: usize) -> Option<VfsResult<Vec<u8>>> {
        match place(path) {
            Place::Device(Device::Null) => Some(Ok(Vec::new())),
            Place::Device(Device::Zero | Device::Urandom) if length > READ_BYTES_MAX => {
                Some(Err(VfsError::on_path(Errno::ENOMEM, "read", path)))
            }
            Place::Device(Device::Zero) => Some(Ok(vec![0; length])),
            Place::Device(Device::Urandom) => Some(Ok(self.entropy.bytes(length))),
            Place::Device(Device::Stdin | Device::Stdout | Device::Stderr)
            | Place::Root
            | Place::Directory
            | Place::Stream
            | Place::Below => None,
        }
    }
}

/// Whether what is written there vanishes.
fn discards(path: &str) -> bool {
    match place(path) {
        Place::Device(device) => device != Device::Stdin,
        Place::Root | Place::Directory | Place::Stream | Place::Below => false,
    }
}

/// Whether it is a device or stands for one: it takes no new name, mode, owner or time.
fn is_fixed(path: &str) -> bool {
    matches!(place(path), Place::Device(_) | Place::Stream)
}

fn is_directory(path: &str) -> bool {
    matches!(place(path), Place::Root | Place::Directory)
}

fn refuse_existing(path: &str) -> VfsResult<()> {
    if place(path) == Place::Below {
        return Ok(());
    }
    Err(VfsError::on_path(Errno::EEXIST, "open", path))
}

file_system_methods!(inherent_methods [V: VirtualFileSystem] DeviceLayer<V>);

impl<V: VirtualFileSystem> DeviceLayer<V> {
    #[doc(hidden)]
    pub fn exists(&self, path: &str) -> bool {
        VirtualFileSystem::exists(self, path)
    }
}

impl<V: VirtualFileSystem> VirtualFileSystem for DeviceLayer<V> {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        self.own_read(path, WHOLE_READ_BYTES).unwrap_or_else(|| self.inner.read_file(path))
    }

    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        self.own_read(path, length).unwrap_or_else(|| self.inner.pread(path, offset, length))
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        match place(path) {
            Place::Root => Ok(NAMES.map(str::to_owned).to_vec()),
            Place::Directory => Ok(Vec::new()),
            Place::Device(_) | Place::Stream | Place::Below => self.inner.read_dir(path),
        }
    }

    fn read_dir_limited(&mut self, path: &str, max_entries: usize) -> VfsResult<Vec<String>> {
        if !is_directory(path) {
            return self.inner.read_dir_limited(path, max_entries);
        }
        let names = VirtualFileSystem::read_dir(self, path)?;
        check_entry_count(path, names.len(), max_entries)?;
        Ok(names)
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        if !is_directory(path) {
            return self.inner.read_dir_with_types(path);
        }
        let entry = |name: String| VirtualDirEntry {
            is_directory: name == "fd",
            is_symbolic_link: false,
            name,
        };
        Ok(VirtualFileSystem::read_dir(self, path)?.into_iter().map(entry).collect())
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        if discards(path) { Ok(()) } else { self.inner.write_file(path, content) }
    }

    fn write_file_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        if discards(path) {
            return Ok(());
        }
        self.inner.write_file_with_mode(path, content, mode)
    }

    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        refuse_existing(path)?;
        self.inner.create_file_exclusive(path, content)
    }

    fn create_file_exclusive_with_mode(
        &mut self,
        path: &str,
        content: impl Into<Vec<u8>>,
        mode: Option<u32>,
    ) -> VfsResult<()> {
        refuse_existing(path)?;
        self.inner.create_file_exclusive_with_mode(path, content, mode)
    }

    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        if discards(path) {
            return Ok(content.into().len() as u64);
        }
        self.inner.append_file(path, content)
    }

    fn pwrite(&mut self, path: &str, content: impl Into<Vec<u8>>, offset: u64) -> VfsResult<()> {
        if discards(path) { Ok(()) } else { self.inner.pwrite(path, content, offset) }
    }

    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        if discards(path) { Ok(()) } else { self.inner.truncate(path, length) }
    }

    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        if is_directory(path) { Ok(()) } else { self.inner.create_dir(path) }
    }

    fn create_dir_with_mode(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        if is_directory(path) { Ok(()) } else { self.inner.create_dir_with_mode(path, mode) }
    }

    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        if is_directory(path) { Ok(()) } else { self.inner.mkdir(path, recursive) }
    }

    fn mkdir_with_mode(&mut self, path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()> {
        if is_directory(path) {
            return Ok(());
        }
        self.inner.mkdir_with_mode(path, recursive, mode)
    }

    fn exists(&self, path: &str) -> bool {
        place(path) != Place::Below || self.inner.exists(path)
    }

    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        self.own_stat(path).map_or_else(|| self.inner.stat(path), Ok)
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        self.own_stat(path).map_or_else(|| self.inner.lstat(path), Ok)
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        match place(path) {
            Place::Below => self.inner.realpath(path),
            Place::Device(_) | Place::Root | Place::Directory | Place::Stream => {
                Ok(path.to_owned())
            }
        }
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        self.inner.read_link(path)
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        if place(link_path) != Place::Below {
            return Err(VfsError::on_path(Errno::EEXIST, "symlink", link_path));
        }
        self.inner.symlink(target, link_path)
    }

    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        if is_fixed(path) {
            return Err(VfsError::permission_denied("unlink", path));
        }
        self.inner.remove_file(path)
    }

    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        if is_directory(path) {
            return Err(VfsError::permission_denied("rmdir", path));
        }
        self.inner.remove_dir(path)
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        if is_fixed(old_path) || is_fixed(new_path) {
            return Err(VfsError::permission_denied("rename", old_path));
        }
        self.inner.rename(old_path, new_path)
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        if is_fixed(old_path) {
            return Err(VfsError::permission_denied("link", old_path));
        }
        if place(new_path) != Place::Below {
            return Err(VfsError::on_path(Errno::EEXIST, "link", new_path));
        }
        self.inner.link(old_path, new_path)
    }

    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        if is_fixed(path) { Ok(()) } else { self.inner.chmod(path, mode) }
    }

    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        if is_fixed(path) { Ok(()) } else { self.inner.chown(path, uid, gid) }
    }

    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        if is_fixed(path) { Ok(()) } else { self.inner.utimes(path, atime_ms, mtime_ms) }
    }

    fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow_symlinks: bool,
    ) -> VfsResult<()> {
        if is_fixed(path) {
            return Ok(());
        }
        self.inner.utimes_spec(path, atime, mtime, follow_symlinks)
    }
}
