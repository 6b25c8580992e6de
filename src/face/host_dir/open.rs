//! Opening what a path of the guest leads to, inside the directory whatever happens to it
//! meanwhile.

use super::HostDirectory;
use crate::face::vfs::{VfsError, VfsResult, normalize_path, split_last};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use tickernel_systems::abi::Errno;

/// How often a walk is tried that a rename elsewhere disturbed (openat2(2), EAGAIN).
const TRIES_MAX: u32 = 1_000;
/// Links that are followed on one way.
const LINKS_MAX: u32 = 40;

/// What the host's error is here.
pub(super) fn told(error: rustix::io::Errno, op: &str, path: &str) -> VfsError {
    let errno = u16::try_from(error.raw_os_error()).map_or(Errno::EIO, Errno);
    VfsError::on_path(errno, op, path)
}

/// The same of the standard library's.
pub(super) fn told_io(error: &std::io::Error, op: &str, path: &str) -> VfsError {
    // Without a number it is refused before the host is asked: an offset that no file has.
    let without = match error.kind() {
        std::io::ErrorKind::InvalidInput => rustix::io::Errno::INVAL,
        _ => rustix::io::Errno::IO,
    };
    told(rustix::io::Errno::from_io_error(error).unwrap_or(without), op, path)
}

/// A name in a directory that is open.
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) name: String,
}

impl HostDirectory {
    /// A directory of the host; links that lead to it are followed.
    ///
    /// # Errors
    /// The host's: `ENOENT`, `ENOTDIR`, `EACCES`; `ENOSYS` where it has no openat2(2) (Linux 5.6).
    pub fn open(path: impl AsRef<Path>) -> VfsResult<Self> {
        let path = path.as_ref();
        let shown = path.to_string_lossy();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| told(error, "open", &shown))?;
        let files = Self { root };
        // Tells at once whether the host can resolve as is wanted here.
        files.at("/", OFlags::PATH, "openat2")?;
        Ok(files)
    }

    /// Opens what a path leads to.
    pub(super) fn at(&self, path: &str, flags: OFlags, op: &str) -> VfsResult<OwnedFd> {
        self.at_with_mode(path, flags, Mode::empty(), op)
    }

    /// The same, with a mode for what it makes.
    pub(super) fn at_with_mode(
        &self,
        path: &str,
        flags: OFlags,
        mode: Mode,
        op: &str,
    ) -> VfsResult<OwnedFd> {
        let normal = normalize_path(path);
        let inside = match normal.trim_start_matches('/') {
            "" => ".",
            rest => rest,
        };
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        loop {
            match rustix::fs::openat2(&self.root, inside, flags, mode, resolve) {
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if tries < TRIES_MAX => {
                    tries += 1;
                }
                result => return result.map_err(|error| told(error, op, path)),
            }
        }
    }

    /// `EINVAL` for a device, FIFO or socket, before it is opened: opening alone may do something.
    /// Who puts one there afterwards meets the look at what was opened.
    pub(super) fn refuse_special(&self, path: &str, op: &str) -> VfsResult<()> {
        let Ok(stat) = self.look(path, true) else { return Ok(()) };
        match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
            FileType::RegularFile | FileType::Directory => Ok(()),
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(VfsError::on_path(Errno::EINVAL, op, path)),
        }
    }

    /// A regular file, open. What is none is refused: nothing is read from or written to it, and
    /// opening it does not wait.
    pub(super) fn file(&self, path: &str, flags: OFlags, mode: Mode) -> VfsResult<File> {
        self.refuse_special(path, "open")?;
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.at_with_mode(path, flags, mode, "open")?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| told(error, "stat", path))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(File::from(fd)),
            FileType::Directory => Err(VfsError::on_path(Errno::EISDIR, "open", path)),
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(VfsError::on_path(Errno::EINVAL, "open", path)),
        }
    }

    /// The name that a path ends in and its directory; the last link is not followed. `EBUSY` for
    /// the directory itself.
    pub(super) fn place(&self, path: &str, op: &str) -> VfsResult<Place> {
        let normal = normalize_path(path);
        let Some((parent, name)) = split_last(&normal) else {
            return Err(VfsError::on_path(Errno::EBUSY, op, path));
        };
        let directory = self.at(parent, OFlags::PATH | OFlags::DIRECTORY, op)?;
        Ok(Place { directory, name: name.to_owned() })
    }

    /// stat(2), of what a path leads to or of the link itself.
    pub(super) fn look(&self, path: &str, follow: bool) -> VfsResult<Statx> {
        let last = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        let fd = self.at(path, OFlags::PATH | last, "stat")?;
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        rustix::fs::statx(&fd, "", AtFlags::EMPTY_PATH, wanted)
            .map_err(|error| told(error, "stat", path))
    }

    /// The text of a link.
    pub(super) fn link_text(&self, path: &str) -> VfsResult<String> {
        if normalize_path(path) == "/" {
            return Err(VfsError::on_path(Errno::EINVAL, "readlink", path));
        }
        let place = self.place(path, "readlink")?;
        let text = rustix::fs::readlinkat(&place.directory, place.name.as_str(), Vec::new())
            .map_err(|error| told(error, "readlink", path))?;
        text.into_string()
            .map_err(|_| VfsError::errno(Errno::EILSEQ, format!("the link '{path}' is not UTF-8")))
    }

    /// The path without links. It is a text, and what it names may have changed since: whoever uses
    /// it goes by way of [`HostDirectory::at`] again.
    pub(super) fn without_links(&self, path: &str) -> VfsResult<String> {
        let mut at = String::new();
        let names = |path: &str| path.split('/').rev().map(str::to_owned).collect::<Vec<_>>();
        let mut rest = names(&normalize_path(path));
        let mut links = 0;
        while let Some(name) = rest.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = format!("{at}/{name}");
            match self.link_text(&next) {
                Ok(target) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(VfsError::on_path(Errno::ELOOP, "realpath", path));
                    }
                    if target.starts_with('/') {
                        at.clear();
                    }
                    rest.extend(names(&target));
                }
                Err(error) if error.code() == Errno::EINVAL.name() => at = next,
                Err(error) => return Err(error),
            }
        }
        Ok(if at.is_empty() { "/".to_owned() } else { at })
    }
}
