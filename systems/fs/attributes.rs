//! What an inode says of itself and how that is changed: stat(2), chmod(2), chown(2), utimensat(2),
//! statfs(2).

use super::permission::{Attributes, in_group_or_capable};
use super::procfs;
use super::usage::INODE_SPACE;
use super::volume::mount_flags::{
    MOUNT_NOATIME, MOUNT_NODEV, MOUNT_NODIRATIME, MOUNT_NOEXEC, MOUNT_NOSUID, MOUNT_NOSYMFOLLOW,
    MOUNT_READ_ONLY, MOUNT_STRICTATIME,
};
use super::volume::{ProcChange, UNLIMITED};
use super::{
    Caller, Fs, InodeId, Kind, Lost, MAY_WRITE, Node, PAGE_BYTES, Place, ProcNode, Volume,
    VolumeKind,
};
use crate::abi::credentials::{CAP_CHOWN, CAP_FOWNER};
use crate::abi::flags::{
    IN_ACCESS, IN_ATTRIB, IN_MODIFY, MS_MANDLOCK, MS_SYNCHRONOUS, S_IFDIR, S_IFLNK, S_IFMT,
    S_IFREG, S_ISGID, S_ISUID, S_IXGRP, ST_MANDLOCK, ST_NOATIME, ST_NODEV, ST_NODIRATIME,
    ST_NOEXEC, ST_NOSUID, ST_NOSYMFOLLOW, ST_RDONLY, ST_RELATIME, ST_SYNCHRONOUS, ST_VALID,
    UTIME_NOW, UTIME_OMIT,
};
use crate::abi::{Errno, Stat, Statfs, Timespec};

/// Blocks of 512 bytes in a page.
const BLOCKS_PER_PAGE: u64 = PAGE_BYTES / 512;
/// After so many seconds relatime takes an access down even if nothing changed (mount(8)).
const RELATIME_SEC: i64 = 24 * 60 * 60;

/// One time stamp of utimensat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTime {
    /// `UTIME_NOW`
    Now,
    /// `UTIME_OMIT`
    Omit,
    /// As given.
    At(Timespec),
}

/// What utimensat(2) is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeChange {
    /// Both to now: allowed to all who may write.
    Touch,
    /// As given: the owner only.
    Set {
        /// Last access.
        atime: FileTime,
        /// Last change of the contents.
        mtime: FileTime,
    },
}

impl TimeChange {
    /// From utimensat(2)'s argument (`None` = NULL); `None` if there is nothing to do, in which
    /// case the kernel does not even look at the path.
    pub fn from_times(times: Option<[Timespec; 2]>) -> Option<TimeChange> {
        let Some(times) = times else { return Some(TimeChange::Touch) };
        let read = times.map(|time| match time.nsec {
            UTIME_NOW => FileTime::Now,
            UTIME_OMIT => FileTime::Omit,
            _ => FileTime::At(time),
        });
        match read {
            [FileTime::Omit, FileTime::Omit] => None,
            [FileTime::Now, FileTime::Now] => Some(TimeChange::Touch),
            [atime, mtime] => Some(TimeChange::Set { atime, mtime }),
        }
    }

    /// What becomes of the times of last access and change of contents.
    pub(crate) fn applied(self, [atime, mtime]: [Timespec; 2], now: Timespec) -> [Timespec; 2] {
        let stamp = |time: FileTime, old: Timespec| match time {
            FileTime::Now => now,
            FileTime::Omit => old,
            FileTime::At(time) => time,
        };
        match self {
            TimeChange::Touch => [now, now],
            TimeChange::Set { atime: first, mtime: second } => {
                [stamp(first, atime), stamp(second, mtime)]
            }
        }
    }

    /// `EINVAL` for nanoseconds out of their range.
    pub(crate) fn check(self) -> Result<(), Errno> {
        let valid = |time: FileTime| match time {
            FileTime::Now | FileTime::Omit => true,
            FileTime::At(time) => (0..1_000_000_000).contains(&time.nsec),
        };
        match self {
            TimeChange::Set { atime, mtime } if !valid(atime) || !valid(mtime) => {
                Err(Errno::EINVAL)
            }
            TimeChange::Set { .. } | TimeChange::Touch => Ok(()),
        }
    }
}

impl Fs {
    /// Device and inode number of an inode.
    pub(crate) fn numbers_of(&self, inode: InodeId) -> (u64, u64) {
        (self.volume_of(inode).dev, ino(inode))
    }

    /// The kind of the file system that an inode lies on.
    pub(crate) fn kind_of(&self, inode: InodeId) -> VolumeKind {
        self.volume_of(inode).kind
    }

    fn volume_of(&self, inode: InodeId) -> &Volume {
        &self.volumes[self.inodes.at(inode.0).volume.0 as usize]
    }

    /// Device number of /proc; 0 where there is none.
    pub(crate) fn proc_device(&self) -> u64 {
        let mut volumes = self.volumes.iter();
        volumes.find(|volume| volume.kind == VolumeKind::Proc).map_or(0, |volume| volume.dev)
    }

    /// stat(2) of a place.
    pub fn stat(&self, caller: &Caller<'_>, place: Place) -> Stat {
        let volume = self.mounted_volume(place);
        let is_layered = volume.layers.is_some();
        let attributes = self.attributes(caller, place);
        let mut stat = Stat {
            dev: volume.dev,
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            blksize: PAGE_BYTES as u32,
            ..Stat::default()
        };
        match place.node {
            Node::Entry(entry) => {
                let inode = self.entry(entry).inode;
                self.stat_inode(inode, &mut stat);
                stat.ino = self.number_at(place.mount, inode);
                // A directory of several layers does not count its subdirectories.
                let is_dir = is_layered && attributes.mode & S_IFMT == S_IFDIR && stat.nlink > 0;
                if is_dir && self.is_merged_at(place, entry) {
                    stat.nlink = 1;
                }
            }
            Node::Proc(node) => {
                stat.ino = node.ino();
                stat.nlink = procfs::nlink(caller.proc, node);
                stat.size = procfs::size(caller.proc, node);
                stat.blksize = 1024;
            }
        }
        stat
    }

    /// The size of a stored inode, as stat(2) tells it.
    pub fn size_of(&self, place: Place) -> Option<u64> {
        let Node::Entry(entry) = place.node else { return None };
        let mut stat = Stat::default();
        self.stat_inode(self.entry(entry).inode, &mut stat);
        Some(stat.size)
    }

    fn stat_inode(&self, id: InodeId, stat: &mut Stat) {
        let inode = self.inodes.at(id.0);
        stat.ino = ino(id);
        stat.nlink = inode.nlink;
        (stat.atime, stat.mtime, stat.ctime) = (inode.atime, inode.mtime, inode.ctime);
        stat.btime = inode.btime;
        match &inode.kind {
            Kind::Regular(pages) => {
                stat.size = pages.size();
                stat.blocks = pages.taken() * BLOCKS_PER_PAGE;
            }
            Kind::Directory(list) => {
                let facts = self.volumes[inode.volume.0 as usize].kind.facts();
                let (empty, each) = facts.dir_bytes;
                stat.size = empty + each * u64::from(list.live());
                if inode.emptied && facts.removed_is_empty {
                    stat.size = 0;
                }
                stat.blocks = empty / PAGE_BYTES * BLOCKS_PER_PAGE;
            }
            Kind::Symlink(target) => {
                stat.size = target.len() as u64;
                let facts = self.volumes[inode.volume.0 as usize].kind.facts();
                let slow = target.len() > facts.inline_target_bytes;
                stat.blocks = if slow { BLOCKS_PER_PAGE } else { 0 };
            }
            Kind::CharDevice(device) | Kind::BlockDevice(device) => stat.rdev = *device,
            Kind::Fifo | Kind::Socket => {}
        }
    }

    /// statfs(2) of a place.
    pub fn statfs(&self, place: Place) -> Statfs {
        let overlay = self.overlay_at(place);
        let facts = match overlay {
            Some(_) => VolumeKind::Overlay.facts(),
            None => self.volume(place).kind.facts(),
        };
        // An overlay has the room of its upper layer.
        let upper = overlay.and_then(|overlay| self.upper_volume(overlay));
        let volume = upper.map_or(self.volume(place), |id| &self.volumes[id.0 as usize]);
        let mut statfs = Statfs {
            kind: facts.magic,
            bsize: PAGE_BYTES,
            namelen: super::walk::NAME_MAX as u64,
            flags: self.statfs_flags(place),
            ..Statfs::default()
        };
        if facts.huge_bytes > 0 {
            statfs.bsize = facts.huge_bytes;
        } else if let (Node::Entry(_), true) = (volume.root, volume.kind != VolumeKind::Ramfs) {
            // What has no limit shows none.
            if volume.max_pages != UNLIMITED {
                statfs.blocks = volume.max_pages;
                statfs.bfree = self.room_pages(volume);
                statfs.bavail = statfs.bfree;
            }
            if volume.max_inodes != UNLIMITED {
                statfs.files = volume.max_inodes;
                statfs.ffree = volume.free_space() / INODE_SPACE;
            }
        }
        statfs
    }

    fn statfs_flags(&self, place: Place) -> u64 {
        let mount = self.mounts.at(place.mount.0);
        let volume = &self.volumes[mount.volume.0 as usize];
        let own = [
            (MOUNT_READ_ONLY, ST_RDONLY),
            (MOUNT_NOSUID, ST_NOSUID),
            (MOUNT_NODEV, ST_NODEV),
            (MOUNT_NOEXEC, ST_NOEXEC),
            (MOUNT_NOATIME, ST_NOATIME),
            (MOUNT_NODIRATIME, ST_NODIRATIME),
            (MOUNT_NOSYMFOLLOW, ST_NOSYMFOLLOW),
        ];
        let mut flags = ST_VALID;
        for (_, shown) in own.iter().filter(|(flag, _)| mount.is(*flag)) {
            flags |= shown;
        }
        // That of the files of memory has no flags at all.
        let is_own = mount.flags == 0 && mount.at.is_none() && place.mount != self.root().mount;
        if !is_own && !mount.is(MOUNT_NOATIME | MOUNT_STRICTATIME) {
            flags |= ST_RELATIME;
        }
        if volume.read_only {
            flags |= ST_RDONLY;
        }
        let kept = volume.options.map_or(0, |options| options.flags);
        for (flag, shown) in [(MS_SYNCHRONOUS, ST_SYNCHRONOUS), (MS_MANDLOCK, ST_MANDLOCK)] {
            flags |= if kept & flag != 0 { shown } else { 0 };
        }
        u64::from(flags)
    }

    /// chmod(2); the set-group-ID bit is dropped unless the group is one of the caller's.
    ///
    /// # Errors
    /// `EROFS`, `EOPNOTSUPP` for a symbolic link, `EPERM`.
    pub fn chmod(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        mode: u32,
        now: Timespec,
    ) -> Result<(), Errno> {
        self.writable(place)?;
        if self.attributes(caller, place).mode & S_IFMT == S_IFLNK {
            return Err(Errno::EOPNOTSUPP);
        }
        if let Node::Proc(node) = place.node {
            return self.chmod_proc(caller, place, node, mode);
        }
        let (_, inode) = self.stored(place)?;
        if !self.owner_or_capable(caller, inode) {
            return Err(Errno::EPERM);
        }
        if self.mode_is_sealed(inode, mode) {
            return Err(Errno::EPERM);
        }
        self.changeable(place, now)?;
        let row = self.inode_mut(inode);
        row.mode = mode & 0o7777;
        if !in_group_or_capable(caller.cred, row.gid) {
            row.mode &= !S_ISGID;
        }
        row.ctime = now;
        self.list_follows_mode(inode);
        self.mirror(place);
        self.tell(place, IN_ATTRIB);
        Ok(())
    }

    /// What belongs to a process and what lies below /proc/sys keeps its mode; all else can be
    /// changed.
    fn chmod_proc(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        node: ProcNode,
        mode: u32,
    ) -> Result<(), Errno> {
        let old = self.attributes(caller, place);
        let is_owner = caller.cred.fsuid == old.uid || caller.cred.capable(CAP_FOWNER);
        if node.pid != 0 || node.is_sys() || !is_owner {
            return Err(Errno::EPERM);
        }
        let dropped = if in_group_or_capable(caller.cred, old.gid) { 0 } else { S_ISGID };
        self.change_proc(place, node, Attributes { mode: mode & !dropped, ..old });
        Ok(())
    }

    /// What the owner of an entry of /proc becomes once a program may change it. The kernel
    /// forgets it at the next look where a task is shown: its files are its own user's.
    fn chown_proc(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        node: ProcNode,
        (uid, gid): (Option<u32>, Option<u32>),
    ) -> Result<(), Errno> {
        if (uid.is_some() || gid.is_some()) && (node.is_immutable() || node.is_sys()) {
            return Err(Errno::EPERM);
        }
        let old = self.attributes(caller, place);
        let set_ids = match old.mode & S_IFMT {
            S_IFREG if old.mode & S_IXGRP != 0 => S_ISUID | S_ISGID,
            S_IFREG => S_ISUID,
            _ => 0,
        };
        let (uid, gid) = (uid.unwrap_or(old.uid), gid.unwrap_or(old.gid));
        let new = Attributes { mode: old.mode & !set_ids, uid, gid };
        if node.pid == 0 && new != old {
            self.change_proc(place, node, new);
        }
        Ok(())
    }

    fn change_proc(&mut self, place: Place, node: ProcNode, to: Attributes) {
        let volume = self.mounts.at(place.mount.0).volume;
        let change = ProcChange { mode: to.mode & 0o7777, uid: to.uid, gid: to.gid };
        self.volumes[volume.0 as usize].proc_changes.insert(node.id, change);
    }

    /// chown(2); `None` leaves an id. Set-id bits of files are dropped.
    ///
    /// # Errors
    /// `EROFS`, `EPERM`, `EDQUOT`.
    pub fn chown(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        uid: Option<u32>,
        gid: Option<u32>,
        now: Timespec,
    ) -> Result<(), Errno> {
        self.writable(place)?;
        let old = self.attributes(caller, place);
        let is_owner = old.uid == caller.cred.fsuid;
        let may = caller.cred.capable(CAP_CHOWN);
        if uid.is_some_and(|uid| !(may || is_owner && uid == old.uid)) {
            return Err(Errno::EPERM);
        }
        let own_group = |gid: u32| gid == old.gid || caller.cred.in_group(gid);
        if gid.is_some_and(|gid| !(may || is_owner && own_group(gid))) {
            return Err(Errno::EPERM);
        }
        if let Node::Proc(node) = place.node {
            return self.chown_proc(caller, place, node, (uid, gid));
        }
        let (_, inode) = self.stored(place)?;
        let row = self.inodes.at(inode.0);
        let dropped = match row.kind {
            Kind::Directory(_) => 0,
            _ => self.dropped_set_ids(caller, inode),
        };
        if dropped != 0 && !self.owner_or_capable(caller, inode) {
            return Err(Errno::EPERM);
        }
        let owner = (uid.unwrap_or(row.uid), gid.unwrap_or(row.gid));
        self.quota_for_owner(caller, inode, owner)?;
        self.changeable(place, now)?;
        self.set_owner(inode, owner.0, owner.1);
        let row = self.inode_mut(inode);
        row.mode &= !dropped;
        if dropped != 0 && !in_group_or_capable(caller.cred, row.gid) {
            row.mode &= !S_ISGID;
        }
        row.ctime = now;
        self.mirror(place);
        if uid.is_some() || gid.is_some() || dropped != 0 {
            self.tell(place, IN_ATTRIB);
        }
        Ok(())
    }

    /// utimensat(2).
    ///
    /// # Errors
    /// `EINVAL`, `EROFS`, `EACCES` for touching without the right to write, `EPERM` for setting as
    /// not the owner.
    pub fn set_times(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        change: TimeChange,
        now: Timespec,
    ) -> Result<(), Errno> {
        change.check()?;
        self.writable(place)?;
        let uid = self.attributes(caller, place).uid;
        let owner = uid == caller.cred.fsuid || caller.cred.capable(CAP_FOWNER);
        if let Node::Proc(node) = place.node {
            return match change {
                _ if node.is_immutable() => Err(Errno::EPERM),
                TimeChange::Touch if !owner => self.permission(caller, place, MAY_WRITE),
                TimeChange::Set { .. } if !owner => Err(Errno::EPERM),
                // No time of /proc is shown.
                TimeChange::Touch | TimeChange::Set { .. } => Ok(()),
            };
        }
        let (_, inode) = self.stored(place)?;
        let (atime, mtime) = match change {
            TimeChange::Touch => {
                if !owner {
                    self.permission(caller, place, MAY_WRITE)?;
                }
                (FileTime::Now, FileTime::Now)
            }
            TimeChange::Set { .. } if !owner => return Err(Errno::EPERM),
            TimeChange::Set { atime, mtime } => (atime, mtime),
        };
        let (first, last) = self.kept_on(place).facts().seconds;
        let stamp = |time: FileTime, old: Timespec| match time {
            FileTime::Now => now,
            FileTime::Omit => old,
            FileTime::At(time) if time.sec <= first => Timespec { sec: first, nsec: 0 },
            FileTime::At(time) if time.sec >= last => Timespec { sec: last, nsec: 0 },
            FileTime::At(time) => time,
        };
        self.changeable(place, now)?;
        let row = self.inode_mut(inode);
        (row.atime, row.mtime) = (stamp(atime, row.atime), stamp(mtime, row.mtime));
        row.ctime = now;
        self.mirror(place);
        self.tell(
            place,
            match (atime, mtime) {
                (_, FileTime::Omit) => IN_ACCESS,
                (FileTime::Omit, _) => IN_MODIFY,
                _ => IN_ATTRIB,
            },
        );
        Ok(())
    }

    /// Takes down an access as mount(8)'s relatime does: after a read of a file, a directory or a
    /// link.
    pub fn accessed(&mut self, place: Place, now: Timespec) {
        let (Some(inode), Ok(())) = (self.inode_id(place), self.writable(place)) else { return };
        // What lies in a lower layer is read there, and without a trace.
        if self.is_lower(place) {
            return;
        }
        let mount = self.mounts.at(place.mount.0);
        let off = mount.is(MOUNT_NOATIME) || mount.is(MOUNT_NODIRATIME) && self.is_directory(place);
        if mount.is(MOUNT_STRICTATIME) && !off {
            if self.inodes.at(inode.0).atime != now {
                self.inode_mut(inode).atime = now;
            }
        } else if !off {
            self.touch(inode, now);
        }
        self.mirror(place);
    }

    /// [`Fs::accessed`] for the links that a walk followed.
    pub fn touch_links(&mut self, followed: &[InodeId], now: Timespec) {
        for inode in followed {
            self.touch(*inode, now);
        }
    }

    /// What a walk that failed touched on its way; gives why it failed.
    pub fn leave(&mut self, lost: &Lost, now: Timespec) -> Errno {
        self.touch_links(&lost.followed, now);
        if let Some(mount) = lost.mount {
            self.stay(mount);
        }
        lost.errno
    }

    /// Whether relatime takes an access down because something changed since the last.
    pub(super) fn access_is_due(&self, inode: InodeId) -> bool {
        let row = self.inodes.at(inode.0);
        row.mtime >= row.atime || row.ctime >= row.atime
    }

    fn touch(&mut self, inode: InodeId, now: Timespec) {
        let Some(row) = self.inodes.get(inode.0) else { return };
        let due =
            self.access_is_due(inode) || now.sec.saturating_sub(row.atime.sec) >= RELATIME_SEC;
        let read_only = self.volumes[row.volume.0 as usize].read_only;
        if due && row.atime != now && !read_only {
            self.inode_mut(inode).atime = now;
        }
    }
}

/// The inode number that a slot shows: 2 is the first, as the root of an ext4 is.
pub(super) fn ino(id: InodeId) -> u64 {
    u64::from(id.0) + 2
}
