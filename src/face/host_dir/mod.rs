//! `HostDirectory`: a directory of the host as a file system that nothing in it leads out of
//! (openat2(2), path_resolution(7)).
//!
//! - `open.rs` the one way to a file: the host's kernel resolves, with the directory as its root;
//! - `calls.rs` the methods of a file system.
//!
//! `..`, absolute links and links that change while they are followed stay inside, because no path
//! is looked at first and used later: each call opens what it needs in one step, and works on that
//! descriptor, or on one name in the directory behind it. Links of /proc are never followed. Other
//! mounts below the directory belong to it.

mod calls;
mod open;

use crate::face::mount_table::{file_system_methods, inherent_methods};
use crate::face::vfs::{
    VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
};
use std::os::fd::OwnedFd;

/// A directory of the host, to be mounted.
///
/// Only regular files are opened; devices, sockets and FIFOs are seen and refused (`EINVAL`). The
/// host's owner and permissions hold for the process that runs the machine. Set-id bits are never
/// given: they would be the host's. A symbolic link may hold any text; inside it leads nowhere
/// outside, but the host's own programs follow it as the host does.
///
/// ```
/// use tickernel::host_dir::HostDirectory;
/// use tickernel::vfs::VirtualFileSystem;
///
/// let folder = tempfile::tempdir()?;
/// let mut files = HostDirectory::open(folder.path())?;
/// files.symlink("/etc/passwd", "/link")?;
/// assert_eq!(files.read_file("/link").unwrap_err().code(), "ENOENT"); // none in the folder
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HostDirectory {
    root: OwnedFd,
}

file_system_methods!(inherent_methods [] HostDirectory);

impl HostDirectory {
    #[doc(hidden)]
    pub fn exists(&self, path: &str) -> bool {
        VirtualFileSystem::exists(self, path)
    }
}
