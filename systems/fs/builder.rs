//! Making files without asking: the importer's first image, /dev, tests.

use super::{Fs, InodeId, Kind, Name, Node, Place};
use crate::abi::{Errno, Timespec};

/// What an inode is to be, beside its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last access; `None` = now.
    pub atime: Option<Timespec>,
    /// Last change of the contents; `None` = now.
    pub mtime: Option<Timespec>,
    /// Last change of the inode; `None` = now.
    pub ctime: Option<Timespec>,
    /// Link count to show where it does not follow from the names that are known.
    pub nlink: Option<u32>,
}

impl Meta {
    /// root's, made now.
    pub const fn mode(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0, atime: None, mtime: None, ctime: None, nlink: None }
    }

    /// A directory of root's, made now.
    pub const fn directory(mode: u32) -> Self {
        Self::mode(mode)
    }
}

impl Fs {
    /// Makes an inode in a directory, at the end of its order; the name must be free.
    pub(super) fn build(
        &mut self,
        parent: Place,
        name: &[u8],
        kind: Kind,
        meta: Meta,
        now: Timespec,
    ) -> Place {
        let Node::Entry(above) = parent.node else { return parent };
        let volume = self.inodes.at(self.entry(above).inode.0).volume;
        let name = Name::from_slice(name);
        let owner = (meta.uid, meta.gid);
        let entry = self.attach(above, name, volume, kind, meta.mode & 0o7777, owner, now);
        let place = Place { mount: parent.mount, node: Node::Entry(entry) };
        self.set_meta(self.entry(entry).inode, &meta);
        place
    }

    fn set_meta(&mut self, inode: InodeId, meta: &Meta) {
        self.set_owner(inode, meta.uid, meta.gid);
        let row = self.inode_mut(inode);
        row.mode = meta.mode & 0o7777;
        row.atime = meta.atime.unwrap_or(row.atime);
        row.mtime = meta.mtime.unwrap_or(row.mtime);
        row.ctime = meta.ctime.unwrap_or(row.ctime);
        if let Some(nlink) = meta.nlink {
            self.set_links(inode, nlink);
        }
    }

    /// Makes an inode at an absolute path (components as they are: no link is followed), with the
    /// directories that lead there (0755 root) where they are missing. A directory that is there
    /// already only takes on the metadata, so that a tree can be described in any order.
    ///
    /// # Errors
    /// `EEXIST` if something else is there, `ENOTDIR` if something on the way is no directory,
    /// `ENAMETOOLONG`, `EPERM` below /proc, `EINVAL` for a path that is not plain and absolute.
    pub fn build_path(
        &mut self,
        path: &[u8],
        kind: Kind,
        meta: Meta,
        now: Timespec,
    ) -> Result<Place, Errno> {
        let (mut at, last) = self.build_parents(path, now)?;
        let Some(name) = last else {
            let (_, inode) = self.stored(at)?;
            self.set_meta(inode, &meta);
            return Ok(at);
        };
        match self.built(at, name)? {
            None => Ok(self.build(at, name, kind, meta, now)),
            Some(place) => {
                let both = matches!(kind, Kind::Directory(_)) && self.is_directory(place);
                if !both {
                    return Err(Errno::EEXIST);
                }
                at = place;
                let (_, inode) = self.stored(at)?;
                self.set_meta(inode, &meta);
                Ok(at)
            }
        }
    }

    /// Gives what is at one absolute path a further name at another.
    ///
    /// # Errors
    /// `ENOENT`, `EPERM` for a directory, `EXDEV`; else as [`Fs::build_path`].
    pub fn build_link(&mut self, old: &[u8], new: &[u8], now: Timespec) -> Result<Place, Errno> {
        let old = self.at_path(old)?;
        let (_, inode) = self.stored(old)?;
        if self.is_directory(old) {
            return Err(Errno::EPERM);
        }
        let (at, last) = self.build_parents(new, now)?;
        let name = last.ok_or(Errno::EEXIST)?;
        if self.built(at, name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        let (parent, above) = self.stored(at)?;
        if self.inodes.at(above.0).volume != self.inodes.at(inode.0).volume {
            return Err(Errno::EXDEV);
        }
        let nlink = self.inodes.at(inode.0).nlink + 1;
        self.set_links(inode, nlink);
        let entry = self.add_entry(parent, Name::from_slice(name), inode);
        Ok(Place { mount: at.mount, node: Node::Entry(entry) })
    }

    /// Makes an inode in a directory whose name there must be free: [`Fs::build_path`] for one that
    /// has been reached already.
    ///
    /// # Errors
    /// `EEXIST`, `ENOTDIR`, `EPERM` below /proc, `ENAMETOOLONG`, `EINVAL` for a name that cannot
    /// be.
    pub fn build_in(
        &mut self,
        directory: Place,
        name: &[u8],
        kind: Kind,
        meta: Meta,
        now: Timespec,
    ) -> Result<Place, Errno> {
        self.free_name(directory, name)?;
        Ok(self.build(directory, name, kind, meta, now))
    }

    /// A further name for what is at a place.
    ///
    /// # Errors
    /// As [`Fs::build_in`], and `EPERM` for a directory.
    pub fn build_name(
        &mut self,
        old: Place,
        directory: Place,
        name: &[u8],
    ) -> Result<Place, Errno> {
        self.free_name(directory, name)?;
        let (_, inode) = self.stored(old)?;
        let (parent, above) = self.stored(directory)?;
        if self.is_directory(old) {
            return Err(Errno::EPERM);
        }
        if self.inodes.at(above.0).volume != self.inodes.at(inode.0).volume {
            return Err(Errno::EXDEV);
        }
        let nlink = self.inodes.at(inode.0).nlink + 1;
        self.set_links(inode, nlink);
        let entry = self.add_entry(parent, Name::from_slice(name), inode);
        Ok(Place { mount: directory.mount, node: Node::Entry(entry) })
    }

    fn free_name(&self, directory: Place, name: &[u8]) -> Result<(), Errno> {
        let plain = !name.is_empty() && name != b"." && name != b"..";
        if !plain || name.contains(&0) || name.contains(&b'/') {
            return Err(Errno::EINVAL);
        }
        if self.built(directory, name)?.is_some() { Err(Errno::EEXIST) } else { Ok(()) }
    }

    /// Gives what is at a place other metadata.
    ///
    /// # Errors
    /// `EPERM` below /proc.
    pub fn describe(&mut self, place: Place, meta: &Meta) -> Result<(), Errno> {
        let (_, inode) = self.stored(place)?;
        self.set_meta(inode, meta);
        Ok(())
    }

    /// Changes the contents of a regular file, or the target of a symbolic link, as if they had
    /// been so.
    ///
    /// # Errors
    /// `EPERM` below /proc.
    pub fn describe_kind(
        &mut self,
        place: Place,
        change: impl FnOnce(&mut Kind),
    ) -> Result<(), Errno> {
        let (_, inode) = self.stored(place)?;
        let row = self.inode_mut(inode);
        let before = (row.kind.present(), row.held(), row.kind.size());
        change(&mut row.kind);
        let after = (row.kind.present(), row.held(), row.kind.size());
        let volume = row.volume;
        self.count_pages(inode, before.0, after.0);
        self.count_held(volume, before.1, after.1);
        self.count_size(before.2, after.2);
        Ok(())
    }

    /// What is at an absolute path: no link is followed, no permission asked.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EINVAL` for a path that is not plain and absolute.
    pub fn at_path(&self, path: &[u8]) -> Result<Place, Errno> {
        let mut at = self.root();
        for name in plain_components(path)? {
            at = self.built(at, name)?.ok_or(Errno::ENOENT)?;
        }
        Ok(at)
    }

    fn built(&self, at: Place, name: &[u8]) -> Result<Option<Place>, Errno> {
        if name.len() > super::walk::NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if !self.is_directory(at) {
            return Err(Errno::ENOTDIR);
        }
        let Node::Entry(above) = at.node else { return Err(Errno::EPERM) };
        Ok(self.child(above, name).map(|entry| self.place_in(at, entry)))
    }

    /// The directory of the last component, made if it is missing, and that component.
    fn build_parents<'p>(
        &mut self,
        path: &'p [u8],
        now: Timespec,
    ) -> Result<(Place, Option<&'p [u8]>), Errno> {
        let mut at = self.root();
        let mut last = None;
        for name in plain_components(path)? {
            if let Some(directory) = last.replace(name) {
                at = match self.built(at, directory)? {
                    Some(place) => place,
                    None => {
                        let meta = Meta::directory(0o755);
                        self.build(at, directory, Kind::directory(), meta, now)
                    }
                };
            }
        }
        if self.is_directory(at) { Ok((at, last)) } else { Err(Errno::ENOTDIR) }
    }
}

/// The components of an absolute path without `.` and `..`.
fn plain_components(path: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Errno> {
    let components = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    let plain = components.clone().all(|name| name != b"." && name != b".." && !name.contains(&0));
    if path.first() == Some(&b'/') && plain { Ok(components) } else { Err(Errno::EINVAL) }
}
