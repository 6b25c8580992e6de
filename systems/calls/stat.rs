//! stat(2), lstat(2), fstat(2), newfstatat(2), statx(2): what is said of a path or a descriptor.
//!
//! Run by dispatch. What an inode says of itself is `fs/attributes.rs`'s; what a socket or an
//! object says, `calls/socket.rs`'s and `calls/object.rs`'s. Not here: statfs(2).

use super::path::Spot;
use crate::abi::flags::*;
use crate::abi::{Errno, Stat};
use crate::components::Target;
use crate::event::{Answer, Path, Payload};
use crate::fs::Node;
use crate::kernel::{CallResult, Kernel};
use crate::procview::caller;
use crate::rows::{DescriptionRow, TaskRow};
use alloc::boxed::Box;

/// Device number of the file system behind unnamed pipes.
pub(crate) const PIPEFS_DEVICE: u64 = 0xf;
/// The bit of statx(2)'s mask that has no meaning yet.
const STATX_RESERVED: u32 = 1 << 31;

impl Kernel {
    /// stat(2) and its like; also statx(2).
    pub(crate) fn stat_at(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        flags: u32,
    ) -> CallResult {
        let spot = self.spot_to_stat(task, dirfd, path, flags)?;
        Ok(Answer::with(Payload::Stat(Box::new(self.stat_of(task, &spot)))))
    }

    fn spot_to_stat(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        flags: u32,
    ) -> Result<Spot, Errno> {
        let known = AT_SYMLINK_NOFOLLOW
            | AT_NO_AUTOMOUNT
            | AT_EMPTY_PATH
            | AT_STATX_FORCE_SYNC
            | AT_STATX_DONT_SYNC;
        // These alone take NULL for the empty path, and of a descriptor no flag is looked at.
        let path = if flags & AT_EMPTY_PATH != 0 { path.or(Some(b"")) } else { path };
        let is_empty = path.is_some_and(|path| path.first().is_none_or(|byte| *byte == 0));
        if flags & AT_EMPTY_PATH != 0 && is_empty && dirfd >= 0 {
            return self.spot_of_fd(task, dirfd);
        }
        if flags & !known != 0 {
            return Err(Errno::EINVAL);
        }
        self.spot(task, dirfd, path, flags)
    }

    /// statx(2): what is asked for is given, and more, but for stamps that cost something to give.
    pub(crate) fn statx(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        flags: u32,
        mask: u32,
    ) -> CallResult {
        let sync = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
        if mask & STATX_RESERVED != 0 || flags & sync == sync {
            return Err(Errno::EINVAL.into());
        }
        let spot = self.spot_to_stat(task, dirfd, path, flags)?;
        let mut stat = self.stat_of(task, &spot);
        if mask & (STATX_MTIME | STATX_CTIME) == 0 && self.has_fine_stamps(&spot) {
            (stat.mtime, stat.ctime) = Default::default();
        }
        Ok(Answer::with(Payload::Stat(Box::new(stat))))
    }

    fn has_fine_stamps(&self, spot: &Spot) -> bool {
        match spot {
            Spot::Place(place) => match place.node {
                Node::Entry(_) => self.fs.volume(*place).kind.facts().fine_stamps,
                Node::Proc(_) => false,
            },
            Spot::Open(_) => false,
        }
    }

    /// fstat(2).
    pub(crate) fn fstat(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let spot = self.spot_of_fd(task, fd)?;
        Ok(Answer::with(Payload::Stat(Box::new(self.stat_of(task, &spot)))))
    }

    fn stat_of(&self, task: TaskRow, spot: &Spot) -> Stat {
        match spot {
            Spot::Place(place) => {
                caller!(self, task => caller);
                self.fs.stat(&caller, *place)
            }
            Spot::Open(row) => self.stat_of_pipe(*row),
        }
    }

    fn stat_of_pipe(&self, row: DescriptionRow) -> Stat {
        let pipe = match self.rows[row].target {
            Target::Pipe(pipe, _) => pipe,
            Target::Socket(socket) => return self.stat_of_socket(socket),
            Target::Object(object) => return self.stat_of_object(object),
            Target::File(_) => return Stat::default(),
        };
        let pipe = &self.rows[pipe];
        let [atime, mtime, ctime] = pipe.times();
        Stat {
            dev: PIPEFS_DEVICE,
            ino: pipe.id,
            mode: S_IFIFO | pipe.mode,
            nlink: 1,
            uid: pipe.uid,
            gid: pipe.gid,
            blksize: 4096,
            atime,
            mtime,
            ctime,
            ..Stat::default()
        }
    }
}
