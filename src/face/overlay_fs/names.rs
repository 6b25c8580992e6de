//! The overlay's calls that make, move and remove names.

use super::OverlayFileSystem;
use super::layers::{Layer, View, Walked, is_marker};
use crate::face::vfs::{VfsError, VfsResult, VirtualFileSystem, normalize_path, split_last};
use tickernel_systems::abi::Errno;

/// The mode of symbolic links (symlink(7)).
const LINK_MODE: u32 = 0o777;

fn err<T>(errno: Errno, op: &str, path: &str) -> VfsResult<T> {
    Err(VfsError::on_path(errno, op, path))
}

impl OverlayFileSystem {
    /// A place for a name: its directory is there, the name is not the markers'. Linux looks
    /// whether it may write before it looks at the name, the contract after.
    pub(super) fn place(&self, op: &str, path: &str) -> VfsResult<Walked> {
        if self.linux {
            self.writable(op, path)?;
        }
        let walked = self.walk(path, false, View::Merged)?;
        if is_marker(&walked.path) {
            return err(Errno::EPERM, op, path);
        }
        Ok(walked)
    }

    /// A place where nothing is: `EEXIST` comes before `EROFS`, as it does on Linux.
    fn new_place(&self, op: &str, path: &str) -> VfsResult<Walked> {
        let walked = self.walk(path, false, View::Merged)?;
        if walked.found.is_some() {
            return err(Errno::EEXIST, op, path);
        }
        self.writable(op, path)?;
        self.place(op, path)
    }

    /// A directory whose parent is there. `EEXIST` where something is.
    pub(super) fn make_dir(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        let at = self.new_place("mkdir", path)?;
        self.copy_up_above(&at.path)?;
        self.upper.create_dir_with_mode(&at.path, mode)
    }

    /// A directory with those that lead to it. A directory that is there is no error.
    pub(super) fn make_dirs(&mut self, path: &str, mode: Option<u32>) -> VfsResult<()> {
        let normal = normalize_path(path);
        let mut missing: Vec<&str> = Vec::new();
        let mut rest = normal.as_str();
        loop {
            match self.walk(rest, true, View::Merged) {
                Ok(walked) => match walked.found {
                    Some(found) if found.stat.is_directory => break,
                    Some(_) if missing.is_empty() => return err(Errno::EEXIST, "mkdir", path),
                    Some(_) => return err(Errno::ENOTDIR, "mkdir", path),
                    None => missing.push(rest),
                },
                Err(error) if error.code() == Errno::ENOENT.name() => missing.push(rest),
                Err(error) => return Err(error),
            }
            let Some((parent, _)) = split_last(rest) else { break };
            rest = parent;
        }
        if !missing.is_empty() {
            self.writable("mkdir", path)?;
        }
        let last = missing.first().copied();
        for directory in missing.iter().rev() {
            let mode = if last == Some(*directory) { mode } else { None };
            // A link to nothing stands where the directory would be made: what it leads to is made.
            let target = self.walk(directory, true, View::Merged)?.path;
            self.make_dir(&target, mode)?;
        }
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &str) -> VfsResult<()> {
        let at = self.place("unlink", path)?;
        match &at.found {
            None => err(Errno::ENOENT, "unlink", path),
            Some(found) if found.stat.is_directory => err(Errno::EISDIR, "unlink", path),
            Some(found) => {
                self.writable("unlink", path)?;
                let below = self.is_below(&at)?;
                if found.layer == Layer::Upper {
                    self.upper.remove_file(&at.path)?;
                }
                if below {
                    self.hide(&at.path);
                }
                Ok(())
            }
        }
    }

    pub(super) fn rmdir(&mut self, path: &str) -> VfsResult<()> {
        let at = self.place("rmdir", path)?;
        if at.path == "/" {
            return err(Errno::EPERM, "rmdir", path);
        }
        match &at.found {
            None => err(Errno::ENOENT, "rmdir", path),
            Some(found) if !found.stat.is_directory => err(Errno::ENOTDIR, "rmdir", path),
            Some(found) if !self.list(&at.path, found)?.is_empty() => {
                err(Errno::ENOTEMPTY, "rmdir", path)
            }
            Some(found) => {
                self.writable("rmdir", path)?;
                let below = self.is_below(&at)?;
                if found.layer == Layer::Upper {
                    self.upper.remove_dir(&at.path)?;
                }
                if below {
                    self.hide(&at.path);
                }
                Ok(())
            }
        }
    }

    pub(super) fn make_link(&mut self, target: &str, path: &str) -> VfsResult<()> {
        let at = self.new_place("symlink", path)?;
        self.copy_up_above(&at.path)?;
        self.upper.symlink(target, &at.path)
    }

    /// A symbolic link with an owner.
    pub(crate) fn symlink_owned(
        &mut self,
        target: &str,
        path: &str,
        (uid, gid): (u32, u32),
    ) -> VfsResult<()> {
        let at = self.new_place("symlink", path)?;
        self.copy_up_above(&at.path)?;
        self.upper.symlink_with_metadata(target, &at.path, LINK_MODE, uid, gid)
    }

    pub(super) fn hard_link(&mut self, old: &str, new: &str) -> VfsResult<()> {
        let (source, found) = self.find(old, true, self.view())?;
        if !found.is_file() {
            return err(Errno::EPERM, "link", old);
        }
        let at = self.new_place("link", new)?;
        self.copy_up(&source, &found)?;
        self.copy_up_above(&at.path)?;
        self.upper.link(&source, &at.path)
    }

    /// Whether a rename may be: where it leads from and to, or nothing if it changes nothing.
    pub(super) fn check_rename(&self, old: &str, new: &str) -> VfsResult<Option<(Walked, Walked)>> {
        let (plain_old, plain_new) = (normalize_path(old), normalize_path(new));
        if plain_old == "/" {
            return err(Errno::EPERM, "rename", old);
        }
        if plain_old == plain_new {
            return Ok(None);
        }
        let to = self.place("rename", new)?;
        let from = self.place("rename", old)?;
        let Some(found) = &from.found else { return err(Errno::ENOENT, "rename", old) };
        self.writable("rename", old)?;
        if to.path == "/" {
            return err(Errno::EPERM, "rename", new);
        }
        if from.path == to.path {
            return Ok(None);
        }
        let inside = to.path.strip_prefix(&from.path).is_some_and(|rest| rest.starts_with('/'));
        if found.stat.is_directory && inside {
            return err(Errno::EINVAL, "rename", new);
        }
        if let Some(there) = to.found.as_ref().filter(|there| there.stat.is_directory)
            && !self.list(&to.path, there)?.is_empty()
        {
            return err(Errno::ENOTEMPTY, "rename", new);
        }
        Ok(Some((from, to)))
    }

    pub(super) fn move_name(&mut self, old: &str, new: &str) -> VfsResult<()> {
        let Some((from, to)) = self.check_rename(old, new)? else { return Ok(()) };
        let Some(found) = &from.found else { return Ok(()) };
        let (left, covered) = (self.is_below(&from)?, self.is_below(&to)?);
        self.copy_up_tree(&from.path, found)?;
        self.copy_up_above(&to.path)?;
        self.upper.rename(&from.path, &to.path)?;
        if left {
            self.hide(&from.path);
        }
        if covered {
            self.hide(&to.path);
        }
        Ok(())
    }
}
