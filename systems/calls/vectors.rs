//! preadv2(2), pwritev2(2): flags for one call, and what else sets vectors apart from single
//! buffers. Without flags they are readv(2), preadv(2) and their like (`calls/io.rs`).
//!
//! The order of the checks, and who takes which flag, were found by experiment on Linux 6.18.
//! Nothing is ever behind, so RWF_DSYNC, RWF_SYNC, RWF_HIPRI and RWF_DONTCACHE change no result.
//! Not here: RWF_ATOMIC, which only files opened with O_DIRECT take (EOPNOTSUPP).

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::{Object, Target};
use crate::event::{Answer, Call};
use crate::fs::{Node, Place};
use crate::kernel::{CallResult, Kernel};
use crate::rows::{DescriptionRow, TaskRow};
use alloc::vec::Vec;

/// The flags that Linux 6.18 knows.
const KNOWN: u32 = RWF_HIPRI
    | RWF_DSYNC
    | RWF_SYNC
    | RWF_NOWAIT
    | RWF_APPEND
    | RWF_NOAPPEND
    | RWF_ATOMIC
    | RWF_DONTCACHE
    | RWF_NOSIGNAL;
/// An offset that stands for the description's own.
const OWN_OFFSET: i64 = -1;

impl Kernel {
    /// readv(2) and preadv(2) of a count that ends them before the file is asked what it is: 0, and
    /// what is below 0 as Linux counts.
    pub(crate) fn read_odd(&mut self, task: TaskRow, fd: i32, count: u64) -> CallResult {
        let row = self.open_fd(task, fd)?;
        let description = &self.rows[row];
        if !description.readable() {
            return Err(Errno::EBADF.into());
        }
        let unreadable = matches!(description.target, Target::Object(Object::Pidfd(_)));
        if count != 0 || unreadable {
            return Err(Errno::EINVAL.into());
        }
        Ok(Answer::data(Vec::new()))
    }

    /// preadv2(2).
    #[cold]
    #[inline(never)]
    pub(crate) fn preadv2(
        &mut self,
        task: TaskRow,
        fd: i32,
        count: u64,
        offset: i64,
        flags: u32,
    ) -> CallResult {
        let plain = match offset {
            OWN_OFFSET => Call::Readv { fd, count },
            offset => Call::Preadv { fd, count, offset },
        };
        let is_plain = flags == 0 || count == 0 || offset < OWN_OFFSET;
        match self.open_fd(task, fd) {
            Ok(row) if !is_plain && self.rows[row].readable() => {
                self.with_flags(task, row, (&plain, offset), flags)
            }
            Ok(_) | Err(_) => self.dispatch(task, &plain),
        }
    }

    /// pwritev2(2).
    #[cold]
    #[inline(never)]
    pub(crate) fn pwritev2(
        &mut self,
        task: TaskRow,
        fd: i32,
        data: &[u8],
        offset: i64,
        flags: u32,
    ) -> CallResult {
        let plain = match offset {
            OWN_OFFSET => Call::Writev { fd, data },
            offset => Call::Pwritev { fd, data, offset },
        };
        let is_plain = flags == 0 || data.is_empty() || offset < OWN_OFFSET;
        match self.open_fd(task, fd) {
            Ok(row) if !is_plain && self.rows[row].writable() => {
                if self.takes_no_signal(row, flags) {
                    return Err(Errno::EPIPE.into());
                }
                self.with_flags(task, row, (&plain, offset), flags)
            }
            Ok(_) | Err(_) => self.dispatch(task, &plain),
        }
    }

    /// Whether a write would find a pipe that nobody reads, and asks for no SIGPIPE.
    fn takes_no_signal(&self, row: DescriptionRow, flags: u32) -> bool {
        let unread = match self.rows[row].target {
            Target::Pipe(pipe, _) => self.rows[pipe].readers == 0,
            Target::File(_) | Target::Socket(_) | Target::Object(_) => false,
        };
        unread && flags & RWF_NOSIGNAL != 0 && flags & !KNOWN == 0
    }

    /// The call without flags, while its description has those that they stand for.
    fn with_flags(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        (plain, offset): (&Call<'_>, i64),
        flags: u32,
    ) -> CallResult {
        let writes = matches!(plain, Call::Writev { .. } | Call::Pwritev { .. });
        let seeks_where_none_can = offset != OWN_OFFSET && self.rows[row].target.has_no_offset();
        let unreadable = matches!(self.rows[row].target, Target::Object(Object::Pidfd(_)));
        if seeks_where_none_can || unreadable {
            return self.dispatch(task, plain);
        }
        self.check_flags(row, flags, writes)?;
        let kept = self.rows[row].flags;
        let mut changed = kept;
        if flags & RWF_NOWAIT != 0 {
            changed |= O_NONBLOCK;
        }
        if flags & RWF_APPEND != 0 {
            changed |= O_APPEND;
        }
        if flags & RWF_NOAPPEND != 0 {
            changed &= !O_APPEND;
        }
        self.rows[row].flags = changed;
        let result = self.dispatch(task, plain);
        self.rows[row].flags = kept;
        result
    }

    /// EOPNOTSUPP for flags that a file does not take, EINVAL for those that exclude each other.
    fn check_flags(&self, row: DescriptionRow, flags: u32, writes: bool) -> Result<(), Errno> {
        let mut takes = KNOWN & !(RWF_ATOMIC | RWF_DONTCACHE);
        match self.rows[row].target {
            Target::File(place) => takes = self.flags_of_file(place, takes, writes),
            // What is written whole has no way to take flags (a `write` without a `write_iter`).
            Target::Object(_) if writes => takes = RWF_HIPRI,
            Target::Object(_) | Target::Pipe(..) | Target::Socket(_) => {}
        }
        if flags & !takes != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let both = RWF_APPEND | RWF_NOAPPEND;
        if flags & both == both { Err(Errno::EINVAL) } else { Ok(()) }
    }

    fn flags_of_file(&self, place: Place, takes: u32, writes: bool) -> u32 {
        let facts = self.fs.volume(place).kind.facts();
        match place.node {
            _ if self.fs.is_directory(place) => RWF_HIPRI,
            Node::Proc(_) => takes & !RWF_NOWAIT,
            Node::Entry(_) if self.fs.pages(place).is_none() => takes,
            Node::Entry(_) if !facts.drops_cache => takes & !RWF_NOWAIT,
            Node::Entry(_) if writes => (takes | RWF_DONTCACHE) & !RWF_NOWAIT,
            Node::Entry(_) => takes | RWF_DONTCACHE,
        }
    }
}
