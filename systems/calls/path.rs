//! Calls that name files by path: access(2), mkdir(2), rename(2), link(2), chmod(2) …
//!
//! Each walks from its `dirfd`, and hands the rest to `fs`, which checks in Linux's order. The
//! copies of path arguments come first, as in Linux: EFAULT, ENAMETOOLONG, ENOENT for an empty
//! path.

use crate::abi::credentials::CAP_DAC_READ_SEARCH;
use crate::abi::flags::*;
use crate::abi::{Errno, Timespec};
use crate::components::{Object, Target};
use crate::event::{Answer, Path, Payload};
use crate::fs::{self, MAY_EXEC, Node, Place, TimeChange, Walked};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::procview::caller;
use crate::rows::{DescriptionRow, TaskRow};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Longest path with its NUL.
const PATH_MAX: usize = 4096;
/// Magic numbers of statfs(2) for what has no name.
const PIPEFS_MAGIC: u64 = 0x5049_5045;
const SOCKFS_MAGIC: u64 = 0x534f_434b;
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;
const PID_FS_MAGIC: u64 = 0x5049_4446;

/// Where a path or a descriptor leads.
pub(crate) enum Spot {
    Place(Place),
    /// A descriptor without a place: an unnamed pipe, a socket.
    Open(DescriptionRow),
}

/// The bytes of a path argument: they end at a NUL.
pub(crate) fn path_bytes(path: Path<'_>) -> Result<&[u8], Errno> {
    let path = path.ok_or(Errno::EFAULT)?;
    let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
    let path = &path[..end];
    if path.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    Ok(path)
}

fn nonempty(path: Path<'_>) -> Result<&[u8], Errno> {
    let path = path_bytes(path)?;
    if path.is_empty() { Err(Errno::ENOENT) } else { Ok(path) }
}

impl Kernel {
    /// Where a walk of the path starts: `None` = the working directory (or the path is absolute).
    pub(crate) fn start_of(
        &self,
        task: TaskRow,
        dirfd: i32,
        path: &[u8],
    ) -> Result<Option<Place>, Errno> {
        if dirfd == AT_FDCWD || path.first() == Some(&b'/') {
            return Ok(None);
        }
        let row = self.fd(task, dirfd)?.description;
        match self.rows[row].target {
            Target::File(place) if self.fs.is_directory(place) => Ok(Some(place)),
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                Err(Errno::ENOTDIR)
            }
        }
    }

    /// Walks to the end of a path; with `AT_EMPTY_PATH` an empty one is `dirfd` itself.
    pub(crate) fn spot(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        flags: u32,
    ) -> Result<Spot, Errno> {
        let empty_allowed = flags & AT_EMPTY_PATH != 0;
        let path = path_bytes(path)?;
        if path.is_empty() {
            if !empty_allowed {
                return Err(Errno::ENOENT);
            }
            if dirfd == AT_FDCWD {
                return Ok(Spot::Place(self.rows[self.rows[task].context].cwd));
            }
            return self.spot_of_fd(task, dirfd);
        }
        let from = self.start_of(task, dirfd, path)?;
        let walked = {
            caller!(self, task => caller);
            self.fs.walk(&caller, from, path, flags & AT_SYMLINK_NOFOLLOW == 0)
        };
        let found = match walked {
            Ok(found) => found,
            Err(lost) => {
                let now = self.stamp();
                return Err(self.fs.leave(&lost, now));
            }
        };
        match found.target {
            fs::Target::Place(place) => {
                if !found.followed.is_empty() {
                    let now = self.stamp();
                    self.fs.touch_links(&found.followed, now);
                }
                self.fs.stay(place.mount);
                Ok(Spot::Place(place))
            }
            fs::Target::Object(node) => self.object_of(node).map(Spot::Open),
        }
    }

    /// The end of a path as umount2(2) walks it: looking does not keep a mount from expiring.
    pub(crate) fn spot_to_umount(
        &mut self,
        task: TaskRow,
        path: &[u8],
        flags: u32,
    ) -> Result<Spot, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let now = self.stamp();
        let walked = {
            caller!(self, task => caller);
            self.fs.walk(&caller, None, path, flags & AT_SYMLINK_NOFOLLOW == 0)
        };
        let found = walked.map_err(|lost| {
            self.fs.touch_links(&lost.followed, now);
            lost.errno
        })?;
        self.fs.touch_links(&found.followed, now);
        match found.target {
            fs::Target::Place(place) => Ok(Spot::Place(place)),
            fs::Target::Object(node) => self.object_of(node).map(Spot::Open),
        }
    }

    pub(crate) fn spot_of_fd(&self, task: TaskRow, fd: i32) -> Result<Spot, Errno> {
        let row = self.fd(task, fd)?.description;
        Ok(match self.rows[row].target {
            Target::File(place) | Target::Pipe(_, Some(place)) => Spot::Place(place),
            Target::Pipe(_, None) | Target::Socket(_) | Target::Object(_) => Spot::Open(row),
        })
    }

    /// The description behind `/proc/PID/fd/N`; what links of `ns` lead to cannot be opened.
    pub(crate) fn object_of(&self, node: fs::ProcNode) -> Result<DescriptionRow, Errno> {
        if node.id != fs::procfs::ProcId::FdNumber {
            return Err(Errno::ENXIO);
        }
        let task = self.pids.task(node.task_id()).ok_or(Errno::ENOENT)?;
        let fd = node.fd;
        let slot = self.rows[self.rows[task].files].get(fd as i32).ok_or(Errno::ENOENT)?;
        Ok(slot.description)
    }

    fn walk_to_parent(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
    ) -> Result<Walked, Errno> {
        let path = nonempty(path)?;
        let from = self.start_of(task, dirfd, path)?;
        let walked = {
            caller!(self, task => caller);
            self.fs.walk_parent(&caller, from, path)
        };
        match walked {
            Ok(at) => {
                if !at.followed.is_empty() {
                    let now = self.stamp();
                    self.fs.touch_links(&at.followed, now);
                }
                self.fs.stay(at.parent.mount);
                Ok(at)
            }
            Err(lost) => {
                let now = self.stamp();
                Err(self.fs.leave(&lost, now))
            }
        }
    }

    /// access(2), faccessat2(2): with the real ids unless `AT_EACCESS`.
    pub(crate) fn access_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        mode: u32,
        flags: u32,
    ) -> CallResult {
        if mode & !(R_OK | W_OK | X_OK) != 0
            || flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0
        {
            return Err(Errno::EINVAL.into());
        }
        // The walk too is done with the ids that are asked about (access(2), NOTES).
        let effective = self.rows[task].credentials.clone();
        if flags & AT_EACCESS == 0 {
            self.rows[task].credentials = real_view(&effective);
        }
        let result = self.access_as(task, dirfd, path, mode, flags);
        self.rows[task].credentials = effective;
        result?;
        Ok(Answer::default())
    }

    fn access_as(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        mode: u32,
        flags: u32,
    ) -> Result<(), Errno> {
        match self.spot(task, dirfd, path, flags)? {
            Spot::Place(place) => {
                caller!(self, task => caller);
                self.fs.access(&caller, place, mode)
            }
            Spot::Open(row) => {
                let who = &self.rows[task].credentials;
                let may = fs::allows(who, self.attributes_of_unnamed(row), mode);
                if may { Ok(()) } else { Err(Errno::EACCES) }
            }
        }
    }

    /// mkdir(2).
    pub(crate) fn mkdir_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        mode: u32,
    ) -> CallResult {
        let at = self.walk_to_parent(task, dirfd, path)?;
        let mode = mode & 0o1777;
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.mkdir(&caller, &at, mode, now)?;
        Ok(Answer::default())
    }

    /// mknod(2).
    pub(crate) fn mknod_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        mode: u32,
        device: u64,
    ) -> CallResult {
        fs::check_mknod_mode(mode)?;
        self.make_node(task, dirfd, path, mode, device)?;
        Ok(Answer::default())
    }

    /// Makes an inode of a type of mknod(2), or of a socket that gets a name.
    pub(crate) fn make_node(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        mode: u32,
        device: u64,
    ) -> Result<Place, Errno> {
        let at = self.walk_to_parent(task, dirfd, path)?;
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.mknod(&caller, &at, mode, device, now)
    }

    /// unlink(2), rmdir(2), unlinkat(2).
    pub(crate) fn unlink_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        flags: u32,
    ) -> CallResult {
        if flags & !AT_REMOVEDIR != 0 {
            return Err(Errno::EINVAL.into());
        }
        let at = self.walk_to_parent(task, dirfd, path)?;
        let now = self.stamp();
        caller!(self, task => caller);
        if flags & AT_REMOVEDIR != 0 {
            self.fs.rmdir(&caller, &at, now)?;
        } else {
            self.fs.unlink(&caller, &at, now)?;
        }
        Ok(Answer::default())
    }

    /// rename(2), renameat2(2).
    pub(crate) fn rename_at(
        &mut self,
        task: TaskRow,
        old: (i32, Path<'_>),
        new: (i32, Path<'_>),
        flags: u32,
    ) -> CallResult {
        let known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
        if flags & !known != 0
            || flags & RENAME_EXCHANGE != 0 && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT) != 0
        {
            return Err(Errno::EINVAL.into());
        }
        let from = self.walk_to_parent(task, old.0, old.1)?;
        let to = self.walk_to_parent(task, new.0, new.1)?;
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.rename(&caller, &from, &to, flags, now)?;
        Ok(Answer::default())
    }

    /// link(2), linkat(2).
    pub(crate) fn link_at(
        &mut self,
        task: TaskRow,
        old: (i32, Path<'_>),
        new: (i32, Path<'_>),
        flags: u32,
    ) -> CallResult {
        if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let follow = if flags & AT_SYMLINK_FOLLOW != 0 { 0 } else { AT_SYMLINK_NOFOLLOW };
        // Asked for with any path that begins there.
        let begins_there = old.1.is_some_and(|path| !path.starts_with(b"/"));
        if flags & AT_EMPTY_PATH != 0 && begins_there && old.0 != AT_FDCWD {
            self.may_link_open(task, old.0)?;
        }
        let spot = self.spot(task, old.0, old.1, follow | flags & AT_EMPTY_PATH)?;
        let at = self.walk_to_parent(task, new.0, new.1)?;
        let Spot::Place(place) = spot else {
            self.fs.may_name(&at)?;
            return Err(Errno::EXDEV.into());
        };
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.link(&caller, place, &at, now)?;
        Ok(Answer::default())
    }

    /// What is open can be linked by who opened it, with the very credentials of then, or with
    /// CAP_DAC_READ_SEARCH (linkat(2), ENOENT).
    fn may_link_open(&self, task: TaskRow, fd: i32) -> Result<(), Errno> {
        let who = &self.rows[task].credentials;
        let description = &self.rows[self.fd(task, fd)?.description];
        // What lies on no mount of a tree cannot be linked anyway: who made it is not kept, and
        // Linux's ENOENT for somebody else is what EXDEV or ENOTDIR says here.
        if !matches!(description.target, Target::File(_)) {
            return Ok(());
        }
        let opener = description.opener;
        let is_own = who.serial != 0 && who.serial == opener;
        if is_own || who.capable(CAP_DAC_READ_SEARCH) { Ok(()) } else { Err(Errno::ENOENT) }
    }

    /// symlink(2).
    pub(crate) fn symlink_at(
        &mut self,
        task: TaskRow,
        target: Path<'_>,
        dirfd: i32,
        path: Path<'_>,
    ) -> CallResult {
        let target = nonempty(target)?;
        let at = self.walk_to_parent(task, dirfd, path)?;
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.symlink(&caller, target, &at, now)?;
        Ok(Answer::default())
    }

    /// readlink(2).
    pub(crate) fn readlink_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        bufsiz: i32,
    ) -> CallResult {
        if bufsiz <= 0 {
            return Err(Errno::EINVAL.into());
        }
        let empty = path.is_some_and(<[u8]>::is_empty);
        let flags = AT_SYMLINK_NOFOLLOW | if empty { AT_EMPTY_PATH } else { 0 };
        let place = match self.spot(task, dirfd, path, flags)? {
            Spot::Place(place) => place,
            // Only an empty path leads to one.
            Spot::Open(_) => return Err(Errno::ENOENT.into()),
        };
        let now = self.stamp();
        caller!(self, task => caller);
        let mut text = match self.fs.readlink(&caller, place) {
            Err(Errno::EINVAL) if empty => return Err(Errno::ENOENT.into()),
            other => other?,
        };
        self.fs.accessed(place, now);
        text.truncate(bufsiz as usize);
        Ok(Answer::data(text))
    }

    /// chmod(2) and its like.
    pub(crate) fn chmod(&mut self, task: TaskRow, spot: Spot, mode: u32) -> CallResult {
        let place = match spot {
            Spot::Place(place) => place,
            Spot::Open(row) => return self.chmod_unnamed(task, row, mode),
        };
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.chmod(&caller, place, mode, now)?;
        Ok(Answer::default())
    }

    /// chown(2) and its like; -1 leaves an id.
    pub(crate) fn chown(&mut self, task: TaskRow, spot: Spot, uid: i64, gid: i64) -> CallResult {
        let wanted = |id: i64| Some(id as u32).filter(|id| *id != u32::MAX);
        let place = match spot {
            Spot::Place(place) => place,
            Spot::Open(row) => return self.chown_unnamed(task, row, (wanted(uid), wanted(gid))),
        };
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.chown(&caller, place, wanted(uid), wanted(gid), now)?;
        Ok(Answer::default())
    }

    /// The object of an f- call.
    pub(crate) fn open_spot(&self, task: TaskRow, fd: i32) -> Result<Spot, Errno> {
        self.open_fd(task, fd)?;
        self.spot_of_fd(task, fd)
    }

    /// utimensat(2); a NULL path is the descriptor itself.
    pub(crate) fn utimensat(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        times: Option<[Timespec; 2]>,
        flags: u32,
    ) -> CallResult {
        let Some(change) = TimeChange::from_times(times) else { return Ok(Answer::default()) };
        if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let spot = if path.is_none() && dirfd != AT_FDCWD {
            if flags != 0 {
                return Err(Errno::EINVAL.into());
            }
            self.open_spot(task, dirfd)?
        } else {
            self.spot(task, dirfd, path, flags)?
        };
        let place = match spot {
            Spot::Place(place) => place,
            Spot::Open(row) => return self.set_times_unnamed(task, row, change),
        };
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.set_times(&caller, place, change, now)?;
        Ok(Answer::default())
    }

    /// chdir(2).
    pub(crate) fn chdir(&mut self, task: TaskRow, path: Path<'_>) -> CallResult {
        let place = self.directory_at(task, path)?;
        self.enter_directory(task, place, false)
    }

    /// chroot(2).
    pub(crate) fn chroot(&mut self, task: TaskRow, path: Path<'_>) -> CallResult {
        let place = self.directory_at(task, path)?;
        if !self.rows[task].credentials.capable(crate::abi::credentials::CAP_SYS_CHROOT) {
            return Err(Errno::EPERM.into());
        }
        self.enter_directory(task, place, true)
    }

    fn directory_at(&mut self, task: TaskRow, path: Path<'_>) -> Result<Place, Errno> {
        let place = match self.spot(task, AT_FDCWD, path, 0)? {
            Spot::Place(place) => place,
            Spot::Open(_) => return Err(Errno::ENOTDIR),
        };
        self.may_enter(task, place)?;
        Ok(place)
    }

    fn may_enter(&self, task: TaskRow, place: Place) -> Result<(), Errno> {
        if !self.fs.is_directory(place) {
            return Err(Errno::ENOTDIR);
        }
        caller!(self, task => caller);
        self.fs.permission(&caller, place, MAY_EXEC)
    }

    fn enter_directory(&mut self, task: TaskRow, place: Place, root: bool) -> CallResult {
        let context = self.rows[task].context;
        self.fs.hold(place);
        let slot = &mut self.rows[context];
        let old = core::mem::replace(if root { &mut slot.root } else { &mut slot.cwd }, place);
        self.fs.release(old);
        Ok(Answer::default())
    }

    /// fchdir(2).
    pub(crate) fn fchdir(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let row = self.fd(task, fd)?.description;
        let Target::File(place) = self.rows[row].target else {
            return Err(Errno::ENOTDIR.into());
        };
        self.may_enter(task, place)?;
        self.enter_directory(task, place, false)
    }

    /// getcwd(2): the length counts the NUL; a size of 0 means enough.
    pub(crate) fn getcwd(&mut self, task: TaskRow, size: u64) -> CallResult {
        caller!(self, task => caller);
        let text: Vec<u8> = self.fs.getcwd(&caller)?;
        let length = text.len() as u64 + 1;
        if size < length {
            return Err(Errno::ERANGE.into());
        }
        Ok(Answer { value: length as i64, payload: Payload::Data(crate::wire::Bytes(text)) })
    }

    /// statfs(2), fstatfs(2).
    pub(crate) fn statfs(&mut self, spot: &Spot) -> CallResult {
        let statfs = match spot {
            Spot::Place(place) => self.fs.statfs(*place),
            Spot::Open(row) => crate::abi::Statfs {
                kind: match self.rows[*row].target {
                    Target::Object(Object::Pidfd(_)) => PID_FS_MAGIC,
                    Target::Object(_) => ANON_INODE_FS_MAGIC,
                    Target::Socket(_) => SOCKFS_MAGIC,
                    Target::File(_) | Target::Pipe(..) => PIPEFS_MAGIC,
                },
                bsize: 4096,
                namelen: 255,
                flags: ST_VALID.into(),
                ..crate::abi::Statfs::default()
            },
        };
        Ok(Answer::with(Payload::Statfs(Box::new(statfs))))
    }

    /// truncate(2).
    pub(crate) fn truncate(&mut self, task: TaskRow, path: Path<'_>, length: i64) -> CallResult {
        if length < 0 {
            return Err(Errno::EINVAL.into());
        }
        let place = match self.spot(task, AT_FDCWD, path, 0)? {
            Spot::Place(place) => place,
            Spot::Open(_) => return Err(Errno::EINVAL.into()),
        };
        {
            caller!(self, task => caller);
            self.fs.may_truncate(&caller, place)?;
        }
        // What is made as it is read has no size to change.
        if matches!(place.node, Node::Proc(_)) {
            return Ok(Answer::default());
        }
        self.truncate_place(task, place, length as u64)
    }

    /// The common end of truncate(2) and ftruncate(2).
    pub(crate) fn truncate_place(&mut self, task: TaskRow, place: Place, size: u64) -> CallResult {
        let old = self.fs.pages(place).map_or(0, fs::Pages::size);
        if size > old {
            self.check_file_size(task, size)?;
        }
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.truncate(&caller, place, size, now)?;
        Ok(Answer::default())
    }

    /// RLIMIT_FSIZE: SIGXFSZ and EFBIG beyond.
    pub(crate) fn check_file_size(&mut self, task: TaskRow, size: u64) -> Result<(), Stop> {
        let limit = self.limit(self.rows[task].process, RLIMIT_FSIZE).cur;
        if size <= limit {
            return Ok(());
        }
        let signal = crate::abi::Signal::SIGXFSZ;
        let info = self.own_info(task, signal);
        self.post_to_task(task, signal, info);
        Err(Errno::EFBIG.into())
    }
}

/// Credentials in which the real ids are those of the file system; capabilities as access(2) has
/// them.
fn real_view(who: &crate::abi::Credentials) -> crate::abi::Credentials {
    let mut real = who.clone();
    (real.fsuid, real.fsgid) = (who.uid, who.gid);
    real.effective = if who.uid == 0 { who.permitted } else { 0 };
    real
}
