//! What is told to a disk that is not there: fsync(2), fdatasync(2), syncfs(2), sync_file_range(2),
//! readahead(2), posix_fadvise(2). Nothing is ever behind: only their errors show.

use super::io::Thing;
use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::{Object, Target};
use crate::event::Answer;
use crate::kernel::{CallResult, Kernel};
use crate::rows::TaskRow;

impl Kernel {
    /// fsync(2), fdatasync(2): nothing is ever behind; pipes cannot be synchronised.
    pub(crate) fn fsync(&self, task: TaskRow, fd: i32) -> CallResult {
        let row = self.open_fd(task, fd)?;
        let Target::File(place) = self.rows[row].target else { return Err(Errno::EINVAL.into()) };
        match self.thing(place) {
            Thing::Device(_) | Thing::Proc => Err(Errno::EINVAL.into()),
            Thing::File | Thing::Directory | Thing::Other => Ok(Answer::default()),
        }
    }

    /// posix_fadvise(2): advice changes nothing.
    pub(crate) fn fadvise(&self, task: TaskRow, fd: i32, len: i64, advice: u32) -> CallResult {
        let row = self.open_fd(task, fd)?;
        if matches!(self.rows[row].target, Target::Pipe(..)) {
            return Err(Errno::ESPIPE.into());
        }
        if len < 0 || advice > POSIX_FADV_NOREUSE {
            return Err(Errno::EINVAL.into());
        }
        Ok(Answer::default())
    }

    /// syncfs(2).
    pub(crate) fn syncfs(&self, task: TaskRow, fd: i32) -> CallResult {
        self.open_fd(task, fd)?;
        Ok(Answer::default())
    }

    /// sync_file_range(2).
    pub(crate) fn sync_file_range(
        &self,
        task: TaskRow,
        fd: i32,
        (offset, nbytes): (i64, i64),
        flags: u32,
    ) -> CallResult {
        let known =
            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
        let row = self.open_fd(task, fd)?;
        let ends_below_0 = offset.wrapping_add(nbytes) < offset.max(0);
        if flags & !known != 0 || offset < 0 || ends_below_0 {
            return Err(Errno::EINVAL.into());
        }
        match self.rows[row].target {
            Target::File(place) => match self.thing(place) {
                Thing::File | Thing::Directory | Thing::Proc => Ok(Answer::default()),
                Thing::Device(_) | Thing::Other => Err(Errno::ESPIPE.into()),
            },
            Target::Object(Object::Pidfd(_)) => Ok(Answer::default()),
            Target::Object(_) | Target::Pipe(..) | Target::Socket(_) => Err(Errno::ESPIPE.into()),
        }
    }

    /// readahead(2): of regular files alone.
    pub(crate) fn readahead(&self, task: TaskRow, fd: i32, count: u64) -> CallResult {
        let row = self.open_fd(task, fd)?;
        if !self.rows[row].readable() {
            return Err(Errno::EBADF.into());
        }
        match self.rows[row].target {
            Target::File(place) if self.fs.pages(place).is_some() && count <= i64::MAX as u64 => {
                Ok(Answer::default())
            }
            Target::File(_) | Target::Object(_) | Target::Pipe(..) | Target::Socket(_) => {
                Err(Errno::EINVAL.into())
            }
        }
    }
}
