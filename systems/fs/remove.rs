//! What takes names away: unlink(2), rmdir(2).

use super::walk::{Last, Walked};
use super::{Caller, EntryId, Fs, InodeId, Kind, Place};
use crate::abi::flags::{IN_ATTRIB, IN_DELETE};
use crate::abi::{Errno, Timespec};

impl Fs {
    /// unlink(2): takes away a name that is not a directory's.
    ///
    /// # Errors
    /// `EISDIR`, `EROFS`, `ENOENT`, `ENOTDIR`, `EACCES`, `EPERM` in a sticky directory, `EBUSY`.
    pub fn unlink(&mut self, caller: &Caller<'_>, at: &Walked, now: Timespec) -> Result<(), Errno> {
        if at.last != Last::Name {
            return Err(Errno::EISDIR);
        }
        self.writable(at.parent)?;
        let victim = at.place?.ok_or(Errno::ENOENT)?;
        if at.trailing_slash {
            return Err(if self.is_directory(victim) { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        self.may_delete(caller, at.parent, victim, false)?;
        let (entry, inode) = self.stored(victim)?;
        if self.entry(entry).mounts > 0 {
            return Err(Errno::EBUSY);
        }
        let above = self.entry(self.entry(entry).parent).inode;
        self.lose_name(entry, inode, now)?;
        self.changed(above, now);
        self.tell_inode(inode, IN_ATTRIB);
        self.unlist(entry);
        self.tell_name(above, &at.name, false, IN_DELETE);
        Ok(())
    }

    /// rmdir(2).
    ///
    /// # Errors
    /// `ENOTEMPTY`, `EINVAL` for `.`, `EBUSY` for a mount point or the root, `EROFS`, `ENOENT`,
    /// `EACCES`, `EPERM` in a sticky directory, `ENOTDIR`.
    pub fn rmdir(&mut self, caller: &Caller<'_>, at: &Walked, now: Timespec) -> Result<(), Errno> {
        match at.last {
            Last::Name => {}
            Last::Dot => return Err(Errno::EINVAL),
            Last::DotDot => return Err(Errno::ENOTEMPTY),
            Last::Root => return Err(Errno::EBUSY),
        }
        self.writable(at.parent)?;
        let victim = at.place?.ok_or(Errno::ENOENT)?;
        self.may_delete(caller, at.parent, victim, true)?;
        let (entry, inode) = self.stored(victim)?;
        if self.entry(entry).mounts > 0 {
            return Err(Errno::EBUSY);
        }
        if !self.is_empty(victim) {
            return Err(Errno::ENOTEMPTY);
        }
        let above = self.entry(self.entry(entry).parent).inode;
        self.lose_name(entry, inode, now)?;
        self.drop_subdirectory(above);
        self.changed(above, now);
        self.inode_mut(inode).emptied = true;
        self.unlist(entry);
        self.tell_name(above, &at.name, true, IN_DELETE);
        Ok(())
    }

    /// Whether a directory lists nothing but `.` and `..`.
    pub(super) fn is_empty(&self, directory: Place) -> bool {
        match self.inode(directory).map(|inode| &inode.kind) {
            Some(Kind::Directory(list)) => list.live() == 0,
            Some(_) | None => false,
        }
    }

    /// Counts one name less of what loses it, in the layers of an overlay too.
    fn lose_name(&mut self, entry: EntryId, inode: InodeId, now: Timespec) -> Result<(), Errno> {
        let is_counted = match self.overlay_of(entry) {
            Some(overlay) => self.hide(overlay, entry, now)?,
            None => false,
        };
        if !is_counted {
            self.lost_name(inode, now);
        }
        Ok(())
    }

    /// Counts one name less; a directory has only one, and its `.` goes with it.
    pub(super) fn lost_name(&mut self, inode: InodeId, now: Timespec) {
        let row = self.inodes.at(inode.0);
        let nlink = match row.kind {
            Kind::Directory(_) => 0,
            _ => row.nlink.saturating_sub(1),
        };
        self.set_links(inode, nlink);
        self.inode_mut(inode).ctime = now;
    }
}
