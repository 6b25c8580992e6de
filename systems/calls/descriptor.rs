//! Descriptors: close(2), dup(2), fcntl(2), close_range(2), and the life of descriptions.
//!
//! Not here: record locks (`calls/lock.rs`), signals for input and output (`calls/notices.rs`),
//! leases that are given and directory notification
//! (EINVAL).

use crate::abi::Errno;
use crate::abi::credentials::{CAP_FOWNER, CAP_LEASE};
use crate::abi::flags::*;
use crate::components::description::Owner;
use crate::components::{Description, FdSlot, Object, Target};
use crate::event::{Answer, FcntlArg};
use crate::fs::{Kind, Place};
use crate::kernel::{CallResult, Kernel};
use crate::rows::{DescriptionRow, FilesRow, RowKind, TaskRow};
use alloc::vec::Vec;

/// So many descriptor tables of ended processes are kept.
const SPARE_TABLES: usize = 16;
/// Numbers in the largest of them.
const SPARE_SLOTS: usize = 64;
/// The status flags that F_SETFL changes by itself (fcntl(2)).
const SETTABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

impl Kernel {
    /// The descriptor of a task.
    #[inline(always)]
    pub(crate) fn fd(&self, task: TaskRow, fd: i32) -> Result<FdSlot, Errno> {
        self.rows[self.rows[task].files].get(fd).ok_or(Errno::EBADF)
    }

    /// The description behind a descriptor; EBADF for one of `O_PATH`.
    #[inline(always)]
    pub(crate) fn open_fd(&self, task: TaskRow, fd: i32) -> Result<DescriptionRow, Errno> {
        let row = self.fd(task, fd)?.description;
        if self.rows[row].flags & O_PATH != 0 { Err(Errno::EBADF) } else { Ok(row) }
    }

    /// Makes a description; its target is held by it.
    pub(crate) fn describe(&mut self, target: Target, flags: u32) -> Result<DescriptionRow, Errno> {
        self.room_for_descriptions(1, 0)?;
        Ok(self.new_description(target, flags))
    }

    /// The same where its room is sure.
    pub(crate) fn new_description(&mut self, target: Target, flags: u32) -> DescriptionRow {
        let id = self.next_id();
        let description = Description::new(target, flags);
        if let (Target::File(place), true) = (target, description.writable()) {
            self.fs.begin_write(place);
        }
        DescriptionRow::spawn(&mut self.rows, id, description)
    }

    /// ENFILE if so many descriptions and `more` bytes do not fit.
    pub(crate) fn room_for_descriptions(&self, count: u64, more: u64) -> Result<(), Errno> {
        let live = DescriptionRow::live(&self.rows) + count;
        let fits = self.has_memory(count * crate::memory::DESCRIPTION_BYTES + more);
        if live <= self.config.max_descriptions && fits { Ok(()) } else { Err(Errno::ENFILE) }
    }

    /// How many descriptors a task may have (RLIMIT_NOFILE).
    pub(crate) fn max_fds(&self, task: TaskRow) -> u32 {
        let limit = self.limit(self.rows[task].process, RLIMIT_NOFILE).cur;
        limit.min(1 << 20) as u32
    }

    /// The lowest free number from `from` on: EMFILE at the limit.
    pub(crate) fn free_fd(&self, task: TaskRow, from: u32) -> Result<u32, Errno> {
        if self.counters.open_fds >= self.config.face.limits.max_open_fds {
            return Err(Errno::ENFILE);
        }
        let files = &self.rows[self.rows[task].files];
        let fd = files.lowest_free(from);
        if fd >= self.max_fds(task) {
            return Err(Errno::EMFILE);
        }
        if fd as usize >= files.slots.len() {
            self.room_for_fd(task, fd)?;
        }
        Ok(fd)
    }

    /// The two lowest free numbers, without a look at whether the table may grow that far.
    pub(crate) fn two_free_fds(&self, task: TaskRow) -> Result<[u32; 2], Errno> {
        let files = &self.rows[self.rows[task].files];
        let first = files.lowest_free(0);
        let second = files.lowest_free(first + 1);
        if second >= self.max_fds(task) { Err(Errno::EMFILE) } else { Ok([first, second]) }
    }

    /// Puts a description at a free number.
    pub(crate) fn install(
        &mut self,
        task: TaskRow,
        fd: u32,
        description: DescriptionRow,
        cloexec: bool,
    ) {
        let files = self.rows[task].files;
        self.install_in(files, fd, FdSlot { description, cloexec });
    }

    /// The same in a table.
    #[inline]
    pub(crate) fn install_in(&mut self, files: FilesRow, fd: u32, slot: FdSlot) {
        let table = &mut self.rows[files];
        let before = table.slots.len();
        table.put(fd, slot);
        if table.slots.len() > before {
            let longer = (table.slots.len() - before) as u64;
            self.counters.held_bytes += longer * crate::memory::FD_BYTES;
        }
        self.counters.open_fds += 1;
    }

    /// Takes a number for a call that will give it when it is through.
    pub(crate) fn reserve_fd(&mut self, task: TaskRow, fd: u32) {
        let files = self.rows[task].files;
        let before = self.rows[files].slots.len();
        self.rows[files].reserve(fd);
        let longer = (self.rows[files].slots.len() - before) as u64;
        self.hold_bytes(longer * crate::memory::FD_BYTES);
    }

    /// Gives up one use of a description; the last one closes it.
    #[inline]
    pub(crate) fn release(&mut self, row: DescriptionRow) {
        let description = &mut self.rows[row];
        description.refs -= 1;
        if description.refs == 0 {
            self.end_description(row);
        } else {
            self.suspect(row);
        }
    }

    fn end_description(&mut self, row: DescriptionRow) {
        let description = &self.rows[row];
        let has_kept = description.flock != 0
            || !description.watched_by.is_empty()
            || description.notices.is_some();
        if has_kept || !self.record_locks.is_empty() {
            self.drop_kept(row);
        }
        let description = &self.rows[row];
        let (target, flags, side) = (description.target, description.flags, description.terminal);
        let writable = description.writable();
        match target {
            Target::Object(Object::Inotify) => self.drop_inotify(row.own_id(&self.rows)),
            Target::Object(Object::Timer) => self.drop_timerfd(row.own_id(&self.rows)),
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {}
        }
        row.remove(&mut self.rows);
        match target {
            Target::File(place) => {
                self.tell_close(place, flags);
                if writable {
                    self.fs.end_write(place);
                }
                self.fs.release(place);
                if let Some(side) = side {
                    self.close_terminal(side);
                }
            }
            Target::Socket(socket) => self.close_socket(socket),
            Target::Object(object) => self.drop_object(object),
            Target::Pipe(pipe, place) => {
                if let Some(place) = place {
                    self.tell_close(place, flags);
                }
                self.close_pipe_end(pipe, place, flags);
            }
        }
    }

    /// Locks of a description, and items of epoll(7) that watch it, go with it.
    #[cold]
    fn drop_kept(&mut self, row: DescriptionRow) {
        if self.rows[row].flock != 0 {
            self.unlock_description(row);
        }
        self.drop_notices(row);
        self.forget_description_locks(row);
        if !self.rows[row].watched_by.is_empty() {
            self.drop_watching_items(row);
        }
    }

    /// Who watches the file is told that it is closed.
    #[inline]
    fn tell_close(&mut self, place: Place, flags: u32) {
        if flags & O_PATH == 0 {
            let wrote = flags & O_ACCMODE != O_RDONLY;
            self.fs.tell_of_open(place, if wrote { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE });
        }
    }

    /// close(2).
    #[inline(always)]
    pub(crate) fn close(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let files = self.rows[task].files;
        self.close_in(files, fd)?;
        Ok(Answer::default())
    }

    #[inline]
    fn close_in(&mut self, files: FilesRow, fd: i32) -> Result<(), Errno> {
        let slot = self.rows[files].take(fd).ok_or(Errno::EBADF)?;
        self.counters.open_fds -= 1;
        self.forget_table_locks(files, slot.description);
        self.release(slot.description);
        Ok(())
    }

    /// Gives up one use of a descriptor table; the last one closes its descriptors, lowest first.
    pub(crate) fn drop_files(&mut self, files: FilesRow) {
        let shared = &mut self.rows[files];
        shared.refs -= 1;
        if shared.refs > 0 {
            return;
        }
        let slots = core::mem::take(&mut shared.slots);
        self.counters.open_fds -= u64::from(shared.open);
        self.counters.held_bytes -= slots.len() as u64 * crate::memory::FD_BYTES;
        for slot in slots.iter().flatten() {
            self.forget_table_locks(files, slot.description);
            self.release(slot.description);
        }
        self.spare_table(slots);
        files.remove(&mut self.rows);
    }

    /// Keeps the memory of a small table for the next one (it is not counted).
    #[inline]
    fn spare_table(&mut self, mut slots: Vec<Option<FdSlot>>) {
        if self.spare_tables.len() < SPARE_TABLES && slots.capacity() <= SPARE_SLOTS {
            slots.clear();
            self.spare_tables.push(slots);
        }
    }

    /// The descriptors with FD_CLOEXEC close (execve(2)).
    pub(crate) fn close_on_exec(&mut self, task: TaskRow) {
        let files = self.rows[task].files;
        for fd in 0..self.rows[files].slots.len() as i32 {
            if self.rows[files].get(fd).is_some_and(|slot| slot.cloexec) {
                // It is there: it was just seen.
                self.close_in(files, fd).unwrap_or(());
            }
        }
    }

    /// dup(2).
    #[inline(always)]
    pub(crate) fn dup(&mut self, task: TaskRow, oldfd: i32) -> CallResult {
        let slot = self.fd(task, oldfd)?;
        let fd = self.free_fd(task, 0)?;
        self.rows[slot.description].refs += 1;
        self.install(task, fd, slot.description, false);
        Ok(Answer::value(i64::from(fd)))
    }

    /// dup2(2).
    pub(crate) fn dup2(&mut self, task: TaskRow, oldfd: i32, newfd: i32) -> CallResult {
        if oldfd == newfd {
            self.fd(task, oldfd)?;
            return Ok(Answer::value(i64::from(newfd)));
        }
        self.dup_onto(task, oldfd, newfd, false)
    }

    /// dup3(2).
    pub(crate) fn dup3(&mut self, task: TaskRow, oldfd: i32, newfd: i32, flags: u32) -> CallResult {
        if flags & !O_CLOEXEC != 0 || oldfd == newfd {
            return Err(Errno::EINVAL.into());
        }
        self.dup_onto(task, oldfd, newfd, flags & O_CLOEXEC != 0)
    }

    fn dup_onto(&mut self, task: TaskRow, oldfd: i32, newfd: i32, cloexec: bool) -> CallResult {
        // Linux looks at the limit before it looks at the old descriptor.
        if newfd < 0 || newfd as u32 >= self.max_fds(task) {
            return Err(Errno::EBADF.into());
        }
        let slot = self.fd(task, oldfd)?;
        self.room_for_fd(task, newfd as u32)?;
        let files = self.rows[task].files;
        if self.rows[files].is_reserved(newfd) {
            return Err(Errno::EBUSY.into());
        }
        self.rows[slot.description].refs += 1;
        let before = self.rows[files].take(newfd);
        self.counters.open_fds -= u64::from(before.is_some());
        self.install(task, newfd as u32, slot.description, cloexec);
        if let Some(before) = before {
            self.forget_table_locks(files, before.description);
            self.release(before.description);
        }
        Ok(Answer::value(i64::from(newfd)))
    }

    /// close_range(2).
    pub(crate) fn close_range(
        &mut self,
        task: TaskRow,
        first: u32,
        last: u32,
        flags: u32,
    ) -> CallResult {
        if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 || first > last {
            return Err(Errno::EINVAL.into());
        }
        let mut files = self.rows[task].files;
        if flags & CLOSE_RANGE_UNSHARE != 0 && self.rows[files].refs > 1 {
            let copied = self.rows[files].slots.len() as u64 * crate::memory::FD_BYTES;
            if !self.has_memory(copied) {
                return Err(Errno::ENOMEM.into());
            }
            let copy = self.copy_files(files);
            self.rows[files].refs -= 1;
            self.rows[task].files = copy;
            files = copy;
        }
        let end = (self.rows[files].slots.len() as u64).min(u64::from(last) + 1) as u32;
        for fd in first..end {
            if flags & CLOSE_RANGE_CLOEXEC == 0 {
                // Numbers that are not open are passed over.
                self.close_in(files, fd as i32).unwrap_or(());
            } else if let Some(Some(slot)) = self.rows[files].slots.get_mut(fd as usize) {
                slot.cloexec = true;
            }
        }
        Ok(Answer::default())
    }

    /// fcntl(2).
    pub(crate) fn fcntl(&mut self, task: TaskRow, fd: i32, cmd: u32, arg: FcntlArg) -> CallResult {
        let slot = self.fd(task, fd)?;
        let row = slot.description;
        let number = match arg {
            FcntlArg::Number(number) => number,
            FcntlArg::Lock(_) | FcntlArg::Owner(_) => 0,
        };
        if self.rows[row].flags & O_PATH != 0
            && !matches!(
                cmd,
                F_DUPFD | F_DUPFD_CLOEXEC | F_DUPFD_QUERY | F_GETFD | F_SETFD | F_GETFL
            )
        {
            return Err(Errno::EBADF.into());
        }
        match cmd {
            F_DUPFD | F_DUPFD_CLOEXEC => self.dup_from(task, slot, number, cmd == F_DUPFD_CLOEXEC),
            F_DUPFD_QUERY => {
                let other = self.fd(task, number as i32)?.description;
                Ok(Answer::value(i64::from(other == row)))
            }
            F_GETFD => Ok(Answer::value(i64::from(slot.cloexec))),
            F_SETFD => {
                let files = self.rows[task].files;
                if let Some(Some(slot)) = self.rows[files].slots.get_mut(fd as u32 as usize) {
                    slot.cloexec = number & i64::from(FD_CLOEXEC) != 0;
                }
                Ok(Answer::default())
            }
            F_GETFL => Ok(Answer::value(i64::from(self.rows[row].flags))),
            F_SETFL => self.set_status(task, (row, fd), number as u32),
            F_SETLEASE => self.set_lease(task, row, number),
            F_GETLEASE => Ok(Answer::value(i64::from(F_UNLCK))),
            F_GETOWN => self.owner_number(row),
            F_SETOWN => self.set_owner_by_number(task, row, number as i32),
            F_GETOWN_EX | F_SETOWN_EX => match arg {
                FcntlArg::Owner(_) if cmd == F_GETOWN_EX => self.owner_ex(task, row, None),
                FcntlArg::Owner(who) => self.owner_ex(task, row, Some(who)),
                FcntlArg::Number(_) | FcntlArg::Lock(_) => Err(Errno::EFAULT.into()),
            },
            F_GETSIG => Ok(Answer::value(i64::from(self.rows[row].notices().signal))),
            F_SETSIG if (0..=64).contains(&number) => self.set_io_signal(row, number as i32),
            F_GETPIPE_SZ | F_SETPIPE_SZ => self.pipe_size(task, row, cmd, number),
            F_GET_SEALS | F_ADD_SEALS => self.seals(row, cmd, number),
            F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => {
                self.record_lock(task, row, cmd, arg)
            }
            _ => Err(Errno::EINVAL.into()),
        }
    }

    /// F_SETLEASE: why there is none, as Linux answers. Where it would give one, EINVAL as of a
    /// file system without leases: here nothing breaks them.
    fn set_lease(&self, task: TaskRow, row: DescriptionRow, kind: i64) -> CallResult {
        let kind = u32::try_from(kind).ok().filter(|kind| *kind <= F_UNLCK);
        let (kind, place) = (kind.ok_or(Errno::EINVAL)?, self.place_of(row));
        let inode = place.and_then(|place| self.fs.inode(place)).ok_or(Errno::EINVAL)?;
        let who = &self.rows[task].credentials;
        if inode.uid != who.fsuid && !who.capable(CAP_LEASE) {
            return Err(Errno::EACCES.into());
        }
        if !matches!(inode.kind, Kind::Regular(_)) {
            return Err(Errno::EINVAL.into());
        }
        let id = place.and_then(|place| self.fs.inode_id(place));
        let others = DescriptionRow::all(&self.rows).into_iter().map(|(_, other)| other);
        let mut others = others.filter(|other| {
            let there = self.place_of(*other).and_then(|place| self.fs.inode_id(place));
            there == id && self.rows[*other].flags & O_PATH == 0
        });
        let hinders = match kind {
            F_RDLCK => others.any(|other| self.rows[other].writable()),
            F_WRLCK => others.any(|other| other != row),
            _ => true,
        };
        Err(if hinders { Errno::EAGAIN } else { Errno::EINVAL }.into())
    }

    /// F_SETFL.
    fn set_status(
        &mut self,
        task: TaskRow,
        (row, fd): (DescriptionRow, i32),
        wanted: u32,
    ) -> CallResult {
        let description = &self.rows[row];
        let (old, target) = (description.flags, description.target);
        // A file of memory is not opened by its file system, which would allow it.
        let regular = |place: Place| self.fs.pages(place).is_some() && !self.fs.is_memfd(place);
        let direct = match target {
            Target::File(place) => regular(place),
            Target::Pipe(..) => true,
            Target::Socket(_) | Target::Object(_) => false,
        };
        if wanted & O_NOATIME != 0 && old & O_NOATIME == 0 {
            self.may_leave_atime(task, target)?;
        }
        if wanted & O_DIRECT != 0 && !direct {
            return Err(Errno::EINVAL.into());
        }
        self.set_async((task, row, fd), wanted & O_ASYNC != 0)?;
        let old = self.rows[row].flags;
        self.rows[row].flags = old & !SETTABLE | wanted & SETTABLE;
        Ok(Answer::default())
    }

    /// O_NOATIME is the owner's (open(2)).
    fn may_leave_atime(&self, task: TaskRow, target: Target) -> Result<(), Errno> {
        let (Target::File(place) | Target::Pipe(_, Some(place))) = target else { return Ok(()) };
        let who = &self.rows[task].credentials;
        let owner = self.fs.inode(place).is_none_or(|inode| inode.uid == who.fsuid);
        if owner || who.capable(CAP_FOWNER) { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// A socket knows the owner of its description: it has but one.
    pub(crate) fn set_socket_owner(&mut self, row: DescriptionRow) {
        let owner = self.rows[row].notices().owner;
        if let Target::Socket(socket) = self.rows[row].target
            && self.rows[socket].more.as_deref().map_or(Owner::default(), |more| more.owner)
                != owner
        {
            self.rows[socket].more_mut().owner = owner;
        }
    }

    fn dup_from(&mut self, task: TaskRow, slot: FdSlot, from: i64, cloexec: bool) -> CallResult {
        if from < 0 || from >= i64::from(self.max_fds(task)) {
            return Err(Errno::EINVAL.into());
        }
        let fd = self.free_fd(task, from as u32)?;
        self.rows[slot.description].refs += 1;
        self.install(task, fd, slot.description, cloexec);
        Ok(Answer::value(i64::from(fd)))
    }

    /// Whether a descriptor is open on what has offsets (`FMODE_PREAD`).
    pub(crate) fn has_place(&self, task: TaskRow, fd: i32) -> bool {
        let slot = self.fd(task, fd);
        slot.is_ok_and(|slot| matches!(self.rows[slot.description].target, Target::File(_)))
    }

    /// The place that a descriptor is open on, for `dirfd` and the f- calls; `None` for a pipe.
    pub(crate) fn place_of(&self, row: DescriptionRow) -> Option<Place> {
        match self.rows[row].target {
            Target::File(place) => Some(place),
            Target::Pipe(_, place) => place,
            Target::Socket(_) | Target::Object(_) => None,
        }
    }
}
