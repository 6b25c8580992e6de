//! rename(2) and renameat2(2): owns the order of their checks, and the move or exchange of entries
//! with the link counts of the directories above.

use super::walk::{Last, Walked};
use super::{Caller, EntryId, Fs, Kind, MAY_WRITE, Name, Node, Place};
use crate::abi::flags::{
    IN_ATTRIB, IN_MOVE_SELF, RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT,
};
use crate::abi::{Errno, Timespec};

/// Checks renameat2(2)'s flags, which the kernel does before it looks at the paths.
///
/// # Errors
/// `EINVAL`.
pub fn check_rename_flags(flags: u32) -> Result<(), Errno> {
    let known = RENAME_EXCHANGE | RENAME_NOREPLACE | RENAME_WHITEOUT;
    let alone = flags & RENAME_EXCHANGE != 0 && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT) != 0;
    if flags & !known != 0 || alone { Err(Errno::EINVAL) } else { Ok(()) }
}

/// What is renamed to what, after the look-ups.
struct Move {
    source: Place,
    target: Option<Place>,
    source_is_dir: bool,
    target_is_dir: bool,
    exchange: bool,
    /// Whether the directory above changes.
    crosses: bool,
}

impl Fs {
    /// renameat2(2), with no flags rename(2).
    ///
    /// # Errors
    /// `EINVAL`, `EXDEV`, `EBUSY`, `EEXIST`, `EROFS`, `ENOENT`, `ENOTDIR`, `EISDIR`, `ENOTEMPTY`,
    /// `EACCES`, `EPERM`, `ENOSPC`.
    pub fn rename(
        &mut self,
        caller: &Caller<'_>,
        old: &Walked,
        new: &Walked,
        flags: u32,
        now: Timespec,
    ) -> Result<(), Errno> {
        check_rename_flags(flags)?;
        let step = self.rename_names(old, new, flags)?;
        if let Some(target) = step.target
            && self.same_inode(step.source, target)
        {
            return Ok(());
        }
        self.may_rename(caller, old, new, &step)?;
        let overlay = self.overlay_at(old.parent);
        let (source, _) = self.stored(step.source)?;
        let target = step.target.map(|target| self.stored(target)).transpose()?;
        let busy = |entry: EntryId| self.entry(entry).mounts > 0;
        if busy(source) || target.is_some_and(|(entry, _)| busy(entry)) {
            return Err(Errno::EBUSY);
        }
        if let Some(overlay) = overlay {
            if flags & RENAME_WHITEOUT != 0 {
                return Err(Errno::EINVAL);
            }
            self.may_move_on_overlay(overlay, source)?;
            if let Some((target, _)) = target.filter(|_| step.exchange) {
                self.may_move_on_overlay(overlay, target)?;
            }
        }
        if let Some(target) = step.target.filter(|_| !step.exchange && step.target_is_dir)
            && !self.is_empty(target)
        {
            return Err(Errno::ENOTEMPTY);
        }
        let whiteout = flags & RENAME_WHITEOUT != 0;
        if whiteout && self.room_for_inode(old.parent, &Kind::CharDevice(0)).is_err() {
            return Err(Errno::ENOSPC);
        }
        if let Some(overlay) = overlay {
            let exchanged = target.map(|(target, _)| target).filter(|_| step.exchange);
            let (parent, _) = self.stored(new.parent)?;
            self.move_on_overlay(overlay, source, (parent, &new.name), exchanged, now)?;
        }
        match target {
            Some((target, _)) if step.exchange => self.exchange(source, target, &step, now),
            Some(_) | None => {
                let target = target.map(|(target, _)| target);
                self.move_entry(source, target, new, &step, now)?;
            }
        }
        if whiteout {
            self.make(caller, old.parent, &old.name, Kind::CharDevice(0), 0, now)?;
        }
        Ok(())
    }

    fn same_inode(&self, a: Place, b: Place) -> bool {
        match (a.node, b.node) {
            (Node::Proc(a), Node::Proc(b)) => a == b,
            _ => self.inode_id(a).is_some() && self.inode_id(a) == self.inode_id(b),
        }
    }

    /// The checks that need no credentials, from the names to the shape of the tree.
    fn rename_names(&self, old: &Walked, new: &Walked, flags: u32) -> Result<Move, Errno> {
        let (exchange, noreplace) = (flags & RENAME_EXCHANGE != 0, flags & RENAME_NOREPLACE != 0);
        if old.parent.mount != new.parent.mount {
            return Err(Errno::EXDEV);
        }
        if old.last != Last::Name {
            return Err(Errno::EBUSY);
        }
        if new.last != Last::Name {
            return Err(if noreplace { Errno::EEXIST } else { Errno::EBUSY });
        }
        self.writable(old.parent)?;
        let source = old.place?.ok_or(Errno::ENOENT)?;
        let target = new.place?;
        if noreplace && target.is_some() {
            return Err(Errno::EEXIST);
        }
        if exchange && target.is_none() {
            return Err(Errno::ENOENT);
        }
        let step = Move {
            source,
            target,
            source_is_dir: self.is_directory(source),
            target_is_dir: target.is_some_and(|target| self.is_directory(target)),
            exchange,
            crosses: old.parent != new.parent,
        };
        if exchange && !step.target_is_dir && new.trailing_slash {
            return Err(Errno::ENOTDIR);
        }
        if !step.source_is_dir && (old.trailing_slash || !exchange && new.trailing_slash) {
            return Err(Errno::ENOTDIR);
        }
        if step.source_is_dir && self.is_at_or_above(source, new.parent) {
            return Err(Errno::EINVAL);
        }
        if target.is_some_and(|target| self.is_at_or_above(target, old.parent)) {
            return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
        }
        Ok(step)
    }

    /// Whether `below` lies in the directory `above`, or is it, on the same volume.
    fn is_at_or_above(&self, above: Place, below: Place) -> bool {
        if !self.is_directory(above) {
            return false;
        }
        let mut node = below.node;
        loop {
            if node == above.node {
                return true;
            }
            let parent = self.parent_node(node);
            if parent == node {
                return false;
            }
            node = parent;
        }
    }

    /// The permissions that a rename needs.
    fn may_rename(
        &self,
        caller: &Caller<'_>,
        old: &Walked,
        new: &Walked,
        step: &Move,
    ) -> Result<(), Errno> {
        self.may_delete(caller, old.parent, step.source, step.source_is_dir)?;
        match step.target {
            None => self.may_create(caller, new.parent)?,
            Some(target) => {
                let as_dir = if step.exchange { step.target_is_dir } else { step.source_is_dir };
                self.may_delete(caller, new.parent, target, as_dir)?;
            }
        }
        if step.crosses && step.source_is_dir {
            self.permission(caller, step.source, MAY_WRITE)?;
        }
        if let Some(target) = step.target.filter(|_| step.exchange && step.crosses)
            && step.target_is_dir
        {
            self.permission(caller, target, MAY_WRITE)?;
        }
        Ok(())
    }

    /// Moves the source to its new name, over the target if there is one.
    fn move_entry(
        &mut self,
        source: EntryId,
        target: Option<EntryId>,
        new: &Walked,
        step: &Move,
        now: Timespec,
    ) -> Result<(), Errno> {
        let (new_parent, new_above) = self.stored(new.parent)?;
        let old_above = self.entry(self.entry(source).parent).inode;
        let (from, to) =
            ((old_above, self.entry(source).name.clone()), (new_above, new.name.clone()));
        let inode = self.entry(source).inode;
        self.tell_move(from, to, inode);
        if let Some(target) = target {
            let replaced = self.entry(target).inode;
            self.tell_inode(replaced, IN_ATTRIB);
        }
        self.tell_inode(inode, IN_MOVE_SELF);
        self.unlist_entry(source);
        let row = self.entries.at_mut(source.0);
        row.parent = new_parent;
        row.name = Name::from_slice(&new.name);
        match target {
            None => self.list_entry(source),
            Some(target) => {
                self.list_entry_in_place(source, target);
                let replaced = self.entry(target).inode;
                // What lies in an overlay's upper layer has lost its name there.
                let volume = self.inodes.at(replaced.0).volume;
                if volume == self.inodes.at(new_above.0).volume {
                    self.lost_name(replaced, now);
                }
                self.entries.at_mut(new_parent.0).holds += 1;
                self.drop_if_unused(target);
            }
        }
        if step.source_is_dir {
            self.drop_subdirectory(old_above);
            if !step.target_is_dir {
                self.add_subdirectory(new_above);
            }
        }
        self.inode_mut(inode).ctime = now;
        self.changed(old_above, now);
        self.changed(new_above, now);
        Ok(())
    }

    /// Source and target change places.
    fn exchange(&mut self, source: EntryId, target: EntryId, step: &Move, now: Timespec) {
        let above = |fs: &Fs, entry: EntryId| fs.entry(fs.entry(entry).parent).inode;
        let (source_above, target_above) = (above(self, source), above(self, target));
        let name = |fs: &Fs, entry: EntryId| fs.entry(entry).name.clone();
        let one = (source_above, name(self, source));
        let other = (target_above, name(self, target));
        for (from, to, entry) in [(one.clone(), other.clone(), source), (other, one, target)] {
            let inode = self.entry(entry).inode;
            self.tell_move(from, to, inode);
            self.tell_inode(inode, IN_MOVE_SELF);
        }
        self.exchange_entries(source, target);
        if step.crosses && step.source_is_dir != step.target_is_dir {
            let (loses, gains) = if step.source_is_dir {
                (source_above, target_above)
            } else {
                (target_above, source_above)
            };
            self.drop_subdirectory(loses);
            self.add_subdirectory(gains);
        }
        for entry in [source, target] {
            let inode = self.entry(entry).inode;
            self.inode_mut(inode).ctime = now;
        }
        self.changed(source_above, now);
        self.changed(target_above, now);
    }
}
