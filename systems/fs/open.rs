//! The file-system half of open(2): walk, create, check, truncate. Descriptors, and what opening a
//! FIFO, a device or a terminal does, are the caller's.

use super::attributes::ino;
use super::walk::{Followed, Last, Lost, Target, Walk};
use super::{
    Caller, Fs, Kind, MAY_EXEC, MAY_READ, MAY_WRITE, Name, Node, Pages, Place, VolumeKind,
};
use crate::abi::flags::{
    IN_CREATE, IN_OPEN, O_ACCMODE, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_NOATIME, O_NOFOLLOW,
    O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, RESOLVE_CACHED, S_IFBLK, S_IFCHR,
    S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, S_ISVTX,
};
use crate::abi::{Errno, Timespec};
use alloc::format;

/// What was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// A place to hold, or what a magic link of /proc names.
    pub target: Target,
    /// Whether the file was made.
    pub created: bool,
}

/// What the walk of an open led to.
enum Reached {
    /// What is there, and the directory of the last component.
    Target(Target, Place),
    /// Nothing there: to be made in this directory under this name.
    Missing(Place, Name),
}

impl Fs {
    /// open(2): `mode` is that of a new file before the umask. The place is not held yet.
    ///
    /// # Errors
    /// Those of path_resolution(7); `EEXIST`, `EISDIR`, `ENOTDIR`, `ELOOP`, `EACCES`, `EPERM`,
    /// `EROFS`, `ENXIO` for a socket, `ENOSPC`, `EINVAL`.
    pub fn open(
        &mut self,
        caller: &Caller<'_>,
        from: Option<Place>,
        path: &[u8],
        flags: u32,
        mode: u32,
        now: Timespec,
    ) -> Result<Opened, Lost> {
        let flags = check_open_flags(flags)?;
        if flags & O_TMPFILE == O_TMPFILE {
            let found = self.walk(caller, from, path, flags & O_NOFOLLOW == 0)?;
            let opened = self.open_tmpfile(caller, found.target, (flags, mode), now);
            return self.opened(opened, found.followed, now);
        }
        let (reached, directory, followed) = self.reach(caller, from, path, flags)?;
        let opened = self.open_reached(caller, reached, directory, (flags, mode), now);
        self.opened(opened, followed, now)
    }

    /// An open that succeeded has touched the links on its way; of one that failed the caller says
    /// so.
    fn opened(
        &mut self,
        opened: Result<Opened, Errno>,
        followed: Followed,
        now: Timespec,
    ) -> Result<Opened, Lost> {
        match opened {
            Ok(opened) => {
                self.touch_links(&followed, now);
                Ok(opened)
            }
            Err(errno) => Err(Lost { errno, followed, mount: None }),
        }
    }

    /// Opens or makes what the walk led to.
    fn open_reached(
        &mut self,
        caller: &Caller<'_>,
        reached: Reached,
        directory: bool,
        (flags, mode): (u32, u32),
        now: Timespec,
    ) -> Result<Opened, Errno> {
        let (place, parent) = match reached {
            Reached::Missing(parent, name) => {
                self.writable(parent)?;
                let may = self.may_create(caller, parent);
                // Where no call makes names, open(2) says so in its own way.
                may.map_err(|errno| if errno == Errno::EPERM { Errno::EACCES } else { errno })?;
                let kind = Kind::Regular(Pages::default());
                let place = self.make(caller, parent, &name, kind, mode & 0o7777, now)?;
                if let Some(directory) = self.inode_id(parent) {
                    self.tell_name(directory, &name, false, IN_CREATE);
                }
                self.tell_of_open(place, IN_OPEN);
                return Ok(Opened { target: Target::Place(place), created: true });
            }
            Reached::Target(Target::Object(_), _) if directory => return Err(Errno::ENOTDIR),
            Reached::Target(Target::Object(_), _)
                if flags & O_CREAT != 0 && flags & O_EXCL != 0 =>
            {
                return Err(Errno::EEXIST);
            }
            Reached::Target(target @ Target::Object(_), _) => {
                return Ok(Opened { target, created: false });
            }
            Reached::Target(Target::Place(place), parent) => (place, parent),
        };
        if flags & O_CREAT != 0 {
            self.may_reuse(caller, parent, place, flags)?;
        }
        self.may_open(caller, place, flags, directory)?;
        let writes = matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR) || flags & O_TRUNC != 0;
        let changes = writes && flags & O_PATH == 0;
        if changes && self.pages(place).is_some() {
            self.changeable_whole(place, flags & O_TRUNC == 0, now)?;
        }
        // What opening devices and FIFOs comes to, the caller knows.
        if flags & O_PATH == 0 && (self.pages(place).is_some() || self.is_directory(place)) {
            self.tell_of_open(place, IN_OPEN);
        }
        if flags & (O_TRUNC | O_PATH) == O_TRUNC && self.pages(place).is_some() {
            self.truncate(caller, place, 0, now)?;
        }
        Ok(Opened { target: Target::Place(place), created: false })
    }

    /// The walk of an open, with whether a directory is demanded and the links followed.
    fn reach(
        &self,
        caller: &Caller<'_>,
        from: Option<Place>,
        path: &[u8],
        flags: u32,
    ) -> Result<(Reached, bool, Followed), Lost> {
        let creates = flags & O_CREAT != 0;
        let mut follow = flags & O_NOFOLLOW == 0 && !(creates && flags & O_EXCL != 0);
        let mut directory = flags & O_DIRECTORY != 0;
        if let Some(end) = self.plain_end(caller, from, path) {
            let (parent, mount) = (end.directory, end.directory.mount);
            match end.entry {
                None if creates => {
                    let missing = Reached::Missing(parent, Name::from_slice(end.name));
                    return Ok((missing, directory, Followed::new()));
                }
                None => return Err(Lost::missing(mount)),
                Some(id) if self.is_plain(id, follow) => {
                    let place = Place { mount, node: Node::Entry(id) };
                    let there = Reached::Target(Target::Place(place), parent);
                    return Ok((there, directory, Followed::new()));
                }
                Some(_) => {}
            }
        }
        let mut walk = Walk::start(self, caller, from, path)?;
        let reached = loop {
            if let Err(errno) = walk.reach_last() {
                break Err(errno);
            }
            if walk.last == Last::Name {
                if creates && walk.trailing_slash {
                    break Err(Errno::EISDIR);
                }
                // As in the kernel, a slash behind a link has all that follow it followed too.
                directory |= walk.trailing_slash;
                follow |= walk.trailing_slash;
                match if creates { walk.look_up().map(|found| found.is_none()) } else { Ok(false) }
                {
                    Ok(true) => break Ok(Reached::Missing(walk.at, walk.name.clone())),
                    Ok(false) => {}
                    Err(errno) => break Err(errno),
                }
            }
            match walk.take_last(follow) {
                Ok(Some(target)) => break Ok(Reached::Target(target, walk.at)),
                Ok(None) => {}
                Err(errno) => break Err(errno),
            }
        };
        match reached {
            Ok(reached) => Ok((reached, directory, walk.followed)),
            // What is not there, or may not be looked at, is looked for on the disk.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES | Errno::ENAMETOOLONG)
                if caller.resolve & RESOLVE_CACHED != 0 =>
            {
                Err(Errno::EAGAIN.into())
            }
            Err(errno) => Err(walk.lost(errno)),
        }
    }

    /// Whether `O_CREAT` may find the file that is there: not another's in a sticky directory that
    /// others can write to, which for regular files and FIFOs depends on `protected_regular` and
    /// `protected_fifos` of proc_sys_fs(5).
    fn may_reuse(
        &self,
        caller: &Caller<'_>,
        directory: Place,
        place: Place,
        flags: u32,
    ) -> Result<(), Errno> {
        if flags & O_EXCL != 0 {
            return Err(Errno::EEXIST);
        }
        let (above, file) = (self.attributes(caller, directory), self.attributes(caller, place));
        let level = match file.mode & S_IFMT {
            S_IFDIR => return Err(Errno::EISDIR),
            S_IFREG => self.protected.regular,
            S_IFIFO => self.protected.fifos,
            _ => 1,
        };
        let owned = file.uid == above.uid || file.uid == caller.cred.fsuid;
        if above.mode & S_ISVTX == 0 || level == 0 || owned {
            return Ok(());
        }
        let others = above.mode & 0o002 != 0 || above.mode & 0o020 != 0 && level >= 2;
        if others { Err(Errno::EACCES) } else { Ok(()) }
    }

    /// The checks of an existing file, in the kernel's order.
    fn may_open(
        &self,
        caller: &Caller<'_>,
        place: Place,
        flags: u32,
        directory: bool,
    ) -> Result<(), Errno> {
        let kind = self.attributes(caller, place).mode & S_IFMT;
        if directory && kind != S_IFDIR {
            return Err(Errno::ENOTDIR);
        }
        if flags & O_PATH != 0 {
            return Ok(());
        }
        if flags & O_TRUNC != 0 && kind == S_IFREG {
            self.writable(place)?;
        }
        let access = access_mask(flags);
        match kind {
            S_IFLNK => return Err(Errno::ELOOP),
            S_IFDIR if access & MAY_WRITE != 0 => return Err(Errno::EISDIR),
            S_IFCHR | S_IFBLK => self.may_open_device(place)?,
            _ => {}
        }
        self.permission(caller, place, access)?;
        if let Node::Proc(node) = place.node
            && !node.opens_for(caller.proc)
        {
            return Err(Errno::EACCES);
        }
        if flags & O_NOATIME != 0
            && let Some(inode) = self.inode_id(place)
            && !self.owner_or_capable(caller, inode)
        {
            return Err(Errno::EPERM);
        }
        let special = matches!(kind, S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK);
        // An access mode of 3 asks for both rights and gives neither.
        let writes = matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR);
        if writes && !special {
            self.writable(place)?;
        }
        if kind == S_IFREG && (writes || flags & O_TRUNC != 0) {
            self.may_write_text(place)?;
        }
        match kind {
            S_IFSOCK => Err(Errno::ENXIO),
            S_IFDIR if flags & O_DIRECT != 0 => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// `O_TMPFILE`: a file in the directory's volume that has no name; it lives once it is held.
    fn open_tmpfile(
        &mut self,
        caller: &Caller<'_>,
        target: Target,
        (flags, mode): (u32, u32),
        now: Timespec,
    ) -> Result<Opened, Errno> {
        let Target::Place(place) = target else { return Err(Errno::ENOTDIR) };
        if !self.is_directory(place) {
            return Err(Errno::ENOTDIR);
        }
        self.writable(place)?;
        self.permission(caller, place, MAY_WRITE | MAY_EXEC)?;
        let Ok((parent, above)) = self.stored(place) else { return Err(Errno::EOPNOTSUPP) };
        // Nobody else asks for an inode in a directory that was removed.
        if self.is_dead(place) && self.kept_on(place) == VolumeKind::Ext4 {
            return Err(Errno::EPERM);
        }
        let kind = Kind::Regular(Pages::default());
        self.room_for_inode(place, &kind)?;
        let (mut volume, mode, gid) = self.inherited(caller, above, &kind, mode & 0o7777);
        if let Some(overlay) = self.overlay_at(place) {
            self.upper_directory(overlay, parent, now)?;
            volume = self.upper_volume(overlay).ok_or(Errno::EROFS)?;
        }
        let owner = (caller.cred.fsuid, gid);
        self.quota_for_inode(caller, volume, &kind, owner)?;
        self.room_for_lists(place, above)?;
        let inode = self.add_inode(volume, kind, mode, owner, now);
        self.inherit_lists(above, inode);
        let row = self.inode_mut(inode);
        (row.nlink, row.linkable) = (0, flags & O_EXCL == 0);
        let name = Name::from_slice(format!("#{}", ino(inode)).as_bytes());
        let entry = self.add_unlisted(parent, name, inode);
        let made = Place { mount: place.mount, node: Node::Entry(entry) };
        self.tell_of_open(made, IN_OPEN);
        Ok(Opened { target: Target::Place(made), created: true })
    }
}

/// What reading and writing an open needs of the permission bits.
pub fn access_mask(flags: u32) -> u32 {
    let mode = match flags & O_ACCMODE {
        O_RDONLY => MAY_READ,
        O_WRONLY => MAY_WRITE,
        _ => MAY_READ | MAY_WRITE,
    };
    if flags & O_TRUNC != 0 { mode | MAY_WRITE } else { mode }
}

/// Checks open(2)'s flags, which the kernel does before anything else, and gives them without those
/// that do not count beside `O_PATH`.
///
/// # Errors
/// `EINVAL` for flags that cannot go together.
pub fn check_open_flags(flags: u32) -> Result<u32, Errno> {
    let tmpfile = flags & O_TMPFILE & !O_DIRECTORY != 0;
    if flags & O_PATH != 0 {
        return Ok(flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
    }
    if flags & O_CREAT != 0 && flags & O_DIRECTORY != 0 {
        return Err(Errno::EINVAL);
    }
    let writes = flags & O_ACCMODE != O_RDONLY;
    if tmpfile && (flags & O_DIRECTORY == 0 || !writes || flags & O_CREAT != 0) {
        return Err(Errno::EINVAL);
    }
    Ok(flags)
}
