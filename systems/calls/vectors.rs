//! preadv2(2), pwritev2(2): flags for one call, and what else sets vectors apart from single
//! buffers. Without flags they are readv(2), preadv(2) and their like (`calls/io.rs`).
//!
//! The order of the checks, and who takes which flag, were found by experiment on Linux 6.18.
//! Nothing is ever behind, so RWF_DSYNC, RWF_SYNC, RWF_HIPRI and RWF_DONTCACHE change no result.
//! Not here: RWF_ATOMIC, which only files opened with O_DIRECT take (EOPNOTSUPP).

use super::io::MAX_RW_COUNT;
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
        if count != 0 || moves_nothing(description.target) {
            return Err(Errno::EINVAL.into());
        }
        Ok(Answer::data(Vec::new()))
    }

    /// writev(2) and pwritev(2) of no bytes: what is open is asked only whether it can be written.
    #[cold]
    #[inline(never)]
    pub(crate) fn write_nothing(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let row = self.open_fd(task, fd)?;
        let description = &self.rows[row];
        if !description.writable() {
            return Err(Errno::EBADF.into());
        }
        if moves_nothing(description.target) || is_only_read(description.target) {
            return Err(Errno::EINVAL.into());
        }
        Ok(Answer::default())
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
        // A length below 0, as Linux counts, ends the call before its flags are looked at.
        let is_plain =
            flags == 0 || count == 0 || i64::try_from(count).is_err() || offset < OWN_OFFSET;
        match self.open_fd(task, fd) {
            Ok(row) if !is_plain && self.rows[row].readable() => {
                self.check_vector_area(row, offset, count)?;
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
                self.check_vector_area(row, offset, data.len() as u64)?;
                if offset == OWN_OFFSET && self.takes_no_signal(row, flags) {
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
        let unwritten = writes && is_only_read(self.rows[row].target);
        if seeks_where_none_can || unwritten || moves_nothing(self.rows[row].target) {
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

    /// EINVAL where the last byte would lie beyond the largest offset, before the flags are looked
    /// at.
    fn check_vector_area(&self, row: DescriptionRow, offset: i64, count: u64) -> Result<(), Errno> {
        match self.rows[row].target {
            Target::File(_) => {
                let start = u64::try_from(offset).unwrap_or(self.rows[row].offset);
                self.check_area(start, count.min(MAX_RW_COUNT))
            }
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => Ok(()),
        }
    }

    /// EOPNOTSUPP for flags that a file does not take, EINVAL for those that exclude each other.
    fn check_flags(&self, row: DescriptionRow, flags: u32, writes: bool) -> Result<(), Errno> {
        let takes = self.flags_of(row, writes);
        let both = RWF_APPEND | RWF_NOAPPEND;
        // A `read` or `write` that knows no vectors takes none but this, and looks at nothing else.
        if takes != RWF_HIPRI && flags & !KNOWN == 0 && flags & both == both {
            return Err(Errno::EINVAL);
        }
        if flags & !takes != 0 { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
    }

    fn flags_of(&self, row: DescriptionRow, writes: bool) -> u32 {
        let takes = KNOWN & !(RWF_ATOMIC | RWF_DONTCACHE);
        match self.rows[row].target {
            Target::File(place) => self.flags_of_file(place, takes, writes),
            Target::Object(Object::Inotify) => RWF_HIPRI,
            Target::Object(_) if writes => RWF_HIPRI,
            Target::Pipe(..) if self.rows[row].waits_always => takes & !RWF_NOWAIT,
            Target::Object(_) | Target::Pipe(..) | Target::Socket(_) => takes,
        }
    }

    fn flags_of_file(&self, place: Place, takes: u32, writes: bool) -> u32 {
        let facts = self.fs.kind_at(place).facts();
        let is_full = self.device_of(place) == Some(makedev(1, 7));
        match place.node {
            _ if self.fs.is_directory(place) => RWF_HIPRI,
            _ if is_full && writes => RWF_HIPRI,
            _ if is_full => takes & !RWF_NOWAIT,
            Node::Proc(_) => takes & !RWF_NOWAIT,
            Node::Entry(_) if self.fs.pages(place).is_none() => takes,
            Node::Entry(_) if !facts.drops_cache => takes & !RWF_NOWAIT,
            Node::Entry(_) if writes => (takes | RWF_DONTCACHE) & !RWF_NOWAIT,
            Node::Entry(_) => takes | RWF_DONTCACHE,
        }
    }
}

/// Whether what is open cannot be written, whatever its access mode.
const fn is_only_read(target: Target) -> bool {
    matches!(target, Target::Object(Object::Timer | Object::Signals(_)))
}

/// Whether what is open can be neither read nor written, whatever its access mode.
const fn moves_nothing(target: Target) -> bool {
    matches!(target, Target::Object(Object::Pidfd(_) | Object::Epoll(_)))
}
