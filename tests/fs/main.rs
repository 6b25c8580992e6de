//! The file system by itself, without a host to compare with: /proc, mounts, limits, order of
//! directories, depth, images, and what has no counterpart on a real disk.

mod image;
mod proc;
mod tree;

use tickernel_systems::abi::{Credentials, Errno, Timespec};
use tickernel_systems::fs::{Caller, Fs, Place, ProcView, Target};

pub(crate) const NOW: Timespec = Timespec { sec: 1_000_000_000, nsec: 0 };

/// A tree, and root looking at it.
pub(crate) struct World {
    pub(crate) fs: Fs,
    pub(crate) cred: Credentials,
    pub(crate) proc: proc::Processes,
}

impl World {
    pub(crate) fn new() -> Self {
        let fs = Fs::new(NOW);
        let proc = proc::Processes::new(fs.root());
        Self { fs, cred: Credentials::root(), proc }
    }

    pub(crate) fn place(&self, path: &str) -> Result<Place, Errno> {
        match self.target(path, true)? {
            Target::Place(place) => Ok(place),
            Target::Object(_) => Err(Errno::ENXIO),
        }
    }

    pub(crate) fn target(&self, path: &str, follow: bool) -> Result<Target, Errno> {
        let caller = caller(&self.fs, &self.cred, &self.proc);
        Ok(self.fs.walk(&caller, None, path.as_bytes(), follow)?.target)
    }

    pub(crate) fn mkdir(&mut self, path: &str) -> Result<Place, Errno> {
        let caller = caller(&self.fs, &self.cred, &self.proc);
        let at = self.fs.walk_parent(&caller, None, path.as_bytes())?;
        self.fs.mkdir(&caller, &at, 0o755, NOW)
    }

    pub(crate) fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        let caller = caller(&self.fs, &self.cred, &self.proc);
        let at = self.fs.walk_parent(&caller, None, path.as_bytes())?;
        self.fs.unlink(&caller, &at, NOW)
    }

    pub(crate) fn rename(&mut self, old: &str, new: &str) -> Result<(), Errno> {
        let caller = caller(&self.fs, &self.cred, &self.proc);
        let old = self.fs.walk_parent(&caller, None, old.as_bytes())?;
        let new = self.fs.walk_parent(&caller, None, new.as_bytes())?;
        self.fs.rename(&caller, &old, &new, 0, NOW)
    }

    pub(crate) fn link(&mut self, old: &str, new: &str) -> Result<Place, Errno> {
        let place = self.place(old)?;
        let caller = caller(&self.fs, &self.cred, &self.proc);
        let at = self.fs.walk_parent(&caller, None, new.as_bytes())?;
        self.fs.link(&caller, place, &at, NOW)
    }

    pub(crate) fn create(&mut self, path: &str) -> Result<Place, Errno> {
        let flags = tickernel_systems::abi::flags::O_CREAT | 2;
        let caller = caller(&self.fs, &self.cred, &self.proc);
        match self.fs.open(&caller, None, path.as_bytes(), flags, 0o644, NOW)?.target {
            Target::Place(place) => Ok(place),
            Target::Object(_) => Err(Errno::ENXIO),
        }
    }

    pub(crate) fn write(&mut self, place: Place, offset: u64, data: &[u8]) -> Result<u64, Errno> {
        let caller = caller(&self.fs, &self.cred, &self.proc);
        self.fs.write(&caller, place, offset, data, NOW)
    }

    pub(crate) fn names(&self, place: Place) -> Result<Vec<String>, Errno> {
        let caller = caller(&self.fs, &self.cred, &self.proc);
        let listed = self.fs.list(&caller, place, 2, 1 << 20)?;
        let text = |name: Vec<u8>| String::from_utf8(name).unwrap_or_default();
        Ok(listed.into_iter().map(|entry| text(entry.name.0)).collect())
    }

    pub(crate) fn readlink(&self, path: &str) -> Result<String, Errno> {
        let Target::Place(place) = self.target(path, false)? else { return Err(Errno::ENXIO) };
        let caller = caller(&self.fs, &self.cred, &self.proc);
        let text = self.fs.readlink(&caller, place)?;
        Ok(String::from_utf8(text).unwrap_or_default())
    }
}

pub(crate) fn caller<'a>(fs: &Fs, cred: &'a Credentials, proc: &'a dyn ProcView) -> Caller<'a> {
    Caller { cred, root: fs.root(), cwd: fs.root(), umask: 0, resolve: 0, proc }
}
