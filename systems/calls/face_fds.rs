//! The face's descriptors: opening by path, and reads, writes and offsets of devices and of files
//! of a foreign file system (`shared/contract/SEMANTICS.md`, sections 3 and 12).
//!
//! Files of the tree are read and written by the calls of `calls/io.rs`; here are the limits that
//! the contract looks at first.

use super::face_files::{DEVICES, device_at, is_device_directory, is_stream, operation, swallows};
use super::face_proc::is_proc;
use super::io::seek_from;
use crate::abi::flags::*;
use crate::abi::{Errno, Stat, Timespec};
use crate::components::terminal::End;
use crate::components::{Device, FdSlot, Object, Target};
use crate::event::{Answer, Call, Payload};
use crate::fs::{Place, Plain};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{DescriptionRow, FilesRow, RowKind, TaskRow};
use alloc::vec::Vec;

/// Flags that stay in the description.
const KEPT: u32 = O_ACCMODE | O_APPEND | O_NONBLOCK;
/// Largest file of a foreign file system, in bytes.
const MAX_FOREIGN_BYTES: u64 = i64::MAX as u64;

impl Kernel {
    /// fd_open: from `/`, whatever the process's directory is.
    pub(crate) fn face_open(
        &mut self,
        target: u32,
        given: &[u8],
        flags: u32,
        mode: Option<u32>,
    ) -> CallResult {
        let task = self.pids.task(target).ok_or(Errno::ESRCH)?;
        let path = self.checked_path(given)?;
        if let Some(fd) = path.strip_prefix(b"/dev/fd/") {
            return self.face_reopen(task, fd, flags);
        }
        if is_proc(&path) {
            return self.proc_open(task, target, (given, &path), flags);
        }
        if let Some(number) = self.pty_at(&path) {
            return self.open_pty_end(task, (number, End::Slave), flags);
        }
        if let Some(device) = device_at(&path) {
            if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL {
                return Err(Errno::EEXIST.into());
            }
            if flags & O_TRUNC != 0 && !swallows(device) {
                self.raw(&Call::FsTruncate { raw: 1, path: &path, length: 0 })?;
            }
            return self.face_install(task, Target::Object(Object::Device(device)), flags);
        }
        if let Some(place) = self.open_plain(task, &path, flags, mode)? {
            return self.install_place(task, place, flags);
        }
        self.face_make_file(task, &path, flags, mode)?;
        let changes = flags & O_ACCMODE != O_RDONLY || flags & O_CREAT != 0;
        if changes && !self.bends.directories_open_for_writing && self.is_directory_at(&path)? {
            return Err(Errno::EISDIR.into());
        }
        if self.config.face.foreign_root {
            // The number is sure before the description is made.
            self.free_fd(task, 0)?;
            let number = self.face.keep_path(&path);
            return self.face_install(task, Target::Object(Object::Foreign(number)), flags);
        }
        let place = self.tree_open(&path)?;
        self.install_place(task, place, flags)
    }

    /// Most opens: no policy can refuse anything and no link is on the way, so that one walk
    /// answers what [`Kernel::face_make_file`] asks one by one. `None` for all others.
    fn open_plain(
        &mut self,
        task: TaskRow,
        path: &[u8],
        flags: u32,
        mode: Option<u32>,
    ) -> Result<Option<Place>, Stop> {
        if !self.allows_all_files() || is_device_directory(path) {
            return Ok(None);
        }
        let creates = flags & O_CREAT != 0;
        let changes = creates || flags & O_ACCMODE != O_RDONLY;
        let plain = match self.tree_plain(path, true) {
            Some(Plain::Place(_)) if flags & (O_EXCL | O_TRUNC) != 0 => return Ok(None),
            Some(Plain::Missing(_)) if !creates => return Ok(None),
            None => return Ok(None),
            Some(plain) => plain,
        };
        if changes {
            self.guard_plain(path, plain)?;
        }
        match plain {
            Plain::Missing(_) => {
                self.room_for_inodes(1)?;
                let umask = self.rows[self.rows[task].context].umask;
                let place = self.tree_make(path, mode.unwrap_or(0o666) & !umask & 0o7777)?;
                Ok(Some(place))
            }
            Plain::Place(place) => {
                let changes = changes && !self.bends.directories_open_for_writing;
                let refused = changes && self.fs.is_directory(place);
                if refused { Err(Errno::EISDIR.into()) } else { Ok(Some(place)) }
            }
        }
    }

    /// Puts a file of the tree at the lowest free number.
    fn install_place(&mut self, task: TaskRow, place: Place, flags: u32) -> CallResult {
        self.fs.hold(place);
        match self.face_install(task, Target::File(place), flags) {
            Ok(answer) => Ok(answer),
            Err(stop) => {
                self.fs.release(place);
                Err(stop)
            }
        }
    }

    /// Asks for leave in the origin's order (section 9) and makes or cuts the file. What is refused
    /// after the making leaves the file made.
    fn face_make_file(
        &mut self,
        task: TaskRow,
        path: &[u8],
        flags: u32,
        mode: Option<u32>,
    ) -> Result<(), Stop> {
        let creates = flags & O_CREAT != 0;
        let exclusive = creates && flags & O_EXCL != 0;
        let writes = flags & (O_CREAT | O_EXCL | O_TRUNC) != 0 || flags & O_ACCMODE != O_RDONLY;
        if writes {
            self.guard(path, true)?;
        }
        let was_there = !creates || self.checked_exists(path)?;
        if writes {
            self.ask_guard(path, true)?;
        }
        let there = if exclusive {
            self.room_for_file(path)?;
            self.permit(operation::WRITE, path)?;
            match self.raw(&Call::FsStat { raw: 1, path, follow: 0 }) {
                Ok(_) => return Err(Errno::EEXIST.into()),
                Err(stop @ Stop::Ask(_)) => return Err(stop),
                Err(_) => {}
            }
            false
        } else {
            let there = self.checked_exists(path)?;
            if there && flags & O_TRUNC != 0 {
                self.room_for_file(path)?;
                self.permit(operation::TRUNCATE, path)?;
                if self.is_directory_at(path)? {
                    return Err(Errno::EISDIR.into());
                }
            } else if !there && creates {
                self.room_for_file(path)?;
                self.permit(operation::WRITE, path)?;
                if self.is_directory_at(path)? {
                    return Err(Errno::EISDIR.into());
                }
            }
            there
        };
        let makes = !there && creates;
        let mut moded = false;
        let late = if makes {
            let mut late = self.permit_as_new(operation::STAT, path);
            if late.is_ok() && !was_there {
                late = self.permit_as_new(operation::CHMOD, path);
                moded = late.is_ok();
            }
            late
        } else {
            self.permit(operation::STAT, path)
        };
        if let Err(stop @ Stop::Ask(_)) = late {
            return Err(stop);
        }
        if makes {
            let umask = self.rows[self.rows[task].context].umask;
            let mode = moded.then(|| mode.unwrap_or(0o666) & !umask & 0o7777);
            self.make_file(path, mode, flags & O_EXCL)?;
        } else if there && flags & O_TRUNC != 0 {
            self.raw(&Call::FsTruncate { raw: 1, path, length: 0 })?;
        } else if self.config.face.foreign_root {
            // The errors of a path that does not lead there.
            self.raw(&Call::FsStat { raw: 1, path, follow: 1 })?;
        }
        late
    }

    fn make_file(&mut self, path: &[u8], mode: Option<u32>, how: u32) -> Result<(), Stop> {
        self.raw(&Call::FsWrite { raw: 1, target: 0, path, data: &[], mode: None, how })?;
        if let Some(mode) = mode {
            self.raw(&Call::FsChmod { raw: 1, path, mode })?;
        }
        Ok(())
    }

    /// `/dev/fd/N`: a descriptor of the same thing; of a pipe a description of its own.
    fn face_reopen(&mut self, task: TaskRow, fd: &[u8], flags: u32) -> CallResult {
        let fd = core::str::from_utf8(fd).ok().and_then(|fd| fd.parse::<i32>().ok());
        let row = self.open_fd(task, fd.ok_or(Errno::EBADF)?)?;
        let kept = self.rows[row].flags | flags & O_NONBLOCK;
        self.reopen_stream(task, row, kept)
    }

    /// One more description of a pipe or an end of a pseudo-terminal; of all else a descriptor of
    /// the same one.
    pub(super) fn reopen_stream(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        flags: u32,
    ) -> CallResult {
        if let Target::Pipe(pipe, place) = self.rows[row].target {
            self.free_fd(task, 0)?;
            let state = &mut self.rows[pipe];
            state.readers += u32::from(flags & O_ACCMODE != O_WRONLY);
            state.writers += u32::from(flags & O_ACCMODE != O_RDONLY);
            if let Some(place) = place {
                self.fs.hold(place);
            }
            return self.face_install(task, Target::Pipe(pipe, place), flags);
        }
        if let Target::Object(Object::Pty(number, end)) = self.rows[row].target {
            return self.open_pty_end(task, (number, end), flags);
        }
        let fd = self.free_fd(task, 0)?;
        self.rows[row].refs += 1;
        self.install(task, fd, row, false);
        Ok(Answer::value(i64::from(fd)))
    }

    /// One more description of an end of a pseudo-terminal.
    fn open_pty_end(&mut self, task: TaskRow, side: (u32, End), flags: u32) -> CallResult {
        let answer = self.face_install(task, Target::Object(Object::Pty(side.0, side.1)), flags)?;
        self.hold_pty(side);
        Ok(answer)
    }

    /// Standard input, output and error of a process that has no parent. The caller knows that
    /// there is room for them.
    pub(crate) fn open_streams(&mut self, files: FilesRow) {
        let streams =
            [(Device::Stdin, O_RDONLY), (Device::Stdout, O_WRONLY), (Device::Stderr, O_WRONLY)];
        let mut slots = self.spare_tables.pop().unwrap_or_default();
        for (device, access) in streams {
            let target = Target::Object(Object::Device(device));
            let description = self.new_description(target, access);
            slots.push(Some(FdSlot { description, cloexec: false }));
        }
        let open = slots.len() as u32;
        self.counters.open_fds += u64::from(open);
        self.counters.held_bytes += u64::from(open) * crate::memory::FD_BYTES;
        let table = &mut self.rows[files];
        (table.slots, table.lowest, table.open) = (slots, open, open);
    }

    pub(super) fn face_install(&mut self, task: TaskRow, target: Target, flags: u32) -> CallResult {
        let fd = self.free_fd(task, 0)?;
        let row = self.describe(target, flags & KEPT)?;
        self.install(task, fd, row, false);
        Ok(Answer::value(i64::from(fd)))
    }

    /// The last user of an object is gone.
    pub(crate) fn drop_object(&mut self, object: Object) {
        match object {
            Object::Foreign(path) => self.face.drop_path(path),
            Object::Event(event) => {
                event.remove(&mut self.rows);
            }
            Object::Pidfd(pidfd) => self.drop_pidfd(pidfd),
            Object::Epoll(epoll) => self.drop_epoll(epoll),
            Object::Pty(number, end) => self.close_pty((number, end)),
            Object::Inotify | Object::Timer | Object::Signals(_) | Object::Device(_) => {}
        }
    }

    /// A policy that is more than one answer for all is asked about each use of a file, too
    /// (section 9): `path` of the file that a place is.
    #[inline]
    fn asks_of_files(&self) -> bool {
        self.config.face.present && !self.allows_all_files()
    }

    /// Asks about a use of an open file.
    #[inline]
    pub(crate) fn face_permit_file(&mut self, operation: u32, place: Place) -> Result<(), Stop> {
        if !self.asks_of_files() {
            return Ok(());
        }
        let path = self.tree_path(place);
        self.permit(operation, &path)
    }

    /// What a write asks: the guard's question, for room, then whether what is around it may be
    /// read, then whether it may be written. An append reads nothing. A directory, without sizes
    /// before and after, needs no room.
    #[cold]
    #[inline(never)]
    fn face_permit_write(
        &mut self,
        path: &[u8],
        append: bool,
        sizes: Option<(u64, u64)>,
    ) -> Result<(), Stop> {
        self.ask_guard(path, true)?;
        if let Some((old, new)) = sizes {
            self.room_for_size(old, new)?;
        }
        if !append {
            self.permit(operation::READ, path)?;
            if sizes.is_none() {
                return Err(Errno::EISDIR.into());
            }
        }
        self.permit(operation::WRITE, path)
    }

    /// EINVAL for a read of a file that is longer than the contract allows.
    #[inline]
    pub(crate) fn face_read_limit(&self, count: u64) -> Result<(), Errno> {
        if count > self.config.face.limits.max_pread_bytes { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// The limits of a write, which come before the access mode: EINVAL for its length, EROFS for
    /// what is guarded, ENOSPC for what a file would grow to.
    pub(crate) fn face_write_limit(
        &mut self,
        row: DescriptionRow,
        bytes: u64,
        offset_given: Option<u64>,
    ) -> Result<(), Stop> {
        if bytes > self.config.face.limits.max_fd_write_bytes {
            return Err(Errno::EINVAL.into());
        }
        match self.rows[row].target {
            Target::File(place) => self.tree_write_limit(row, place, bytes, offset_given),
            Target::Object(Object::Foreign(number)) => {
                self.foreign_write_limit(row, number, bytes, offset_given)
            }
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => Ok(()),
        }
    }

    /// Where a write of a description goes that gives no offset.
    fn write_offset(&self, row: DescriptionRow, size: u64) -> u64 {
        let description = &self.rows[row];
        if description.flags & O_APPEND != 0 { size } else { description.offset }
    }

    fn tree_write_limit(
        &mut self,
        row: DescriptionRow,
        place: Place,
        bytes: u64,
        offset_given: Option<u64>,
    ) -> Result<(), Stop> {
        let size = self.end_of(place);
        let from = offset_given.unwrap_or_else(|| self.write_offset(row, size));
        let end = from.checked_add(bytes).ok_or(Errno::EINVAL)?;
        if self.face_guards(place) {
            return Err(Errno::EROFS.into());
        }
        // A directory has no room to need.
        let directory = self.fs.is_directory(place);
        let sizes = if directory { None } else { Some((size, end.max(size))) };
        if !self.asks_of_files() {
            return sizes.map_or(Ok(()), |(old, new)| self.room_for_size(old, new));
        }
        let append = offset_given.is_none() && self.rows[row].flags & O_APPEND != 0;
        let path = self.tree_path(place);
        self.face_permit_write(&path, append, sizes)
    }

    /// The same by the path, as all of a foreign file system is addressed.
    #[cold]
    #[inline(never)]
    fn foreign_write_limit(
        &mut self,
        row: DescriptionRow,
        number: u32,
        bytes: u64,
        offset_given: Option<u64>,
    ) -> Result<(), Stop> {
        let path = self.face.path(number).to_vec();
        if is_proc(&path) {
            return Err(self.refuse_proc(&path, &path));
        }
        let guarded = self.is_guarded_file(&path, true) || self.is_guarded_abroad(&path, true)?;
        let counts = !self.has_no_room_limit();
        let size = if counts { self.stat_foreign(&path)?.size } else { 0 };
        let from = offset_given.unwrap_or_else(|| self.write_offset(row, size));
        let end = from.checked_add(bytes).ok_or(Errno::EINVAL)?;
        if guarded {
            return Err(Errno::EROFS.into());
        }
        let after = end.max(size);
        if !self.asks_of_files() {
            return self.room_for_size(size, after);
        }
        let append = offset_given.is_none() && self.rows[row].flags & O_APPEND != 0;
        self.face_permit_write(&path, append, Some((size, after)))
    }

    /// Whether a file lies in the guarded directory, or has another name there.
    fn face_guards(&mut self, place: Place) -> bool {
        if !self.tree_has_guard() {
            return false;
        }
        let path = self.tree_path(place);
        self.is_guarded_file(&path, true)
    }

    /// How long a read of the face waits that brings no time-out of its own.
    pub(crate) fn read_deadline(&self) -> Option<u64> {
        let timeout_ns = match (self.read_timeout_ns, self.config.face.limits.max_blocking_read_ms)
        {
            (Some(own), _) => own,
            (None, u64::MAX) => return None,
            (None, ms) => ms.saturating_mul(1_000_000),
        };
        Some(self.now_ns.saturating_add(timeout_ns))
    }

    pub(crate) fn read_object(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        object: Object,
        count: u64,
    ) -> CallResult {
        match object {
            Object::Epoll(_) | Object::Pidfd(_) => Err(Errno::EINVAL.into()),
            Object::Event(event) => self.read_event(row, event, count),
            Object::Timer => self.read_timerfd(row, count),
            Object::Signals(_) => self.read_signals(task, row, count),
            Object::Inotify => self.read_inotify(row, count),
            Object::Pty(number, end) => self.read_pty(row, (number, end), count),
            Object::Device(_) | Object::Foreign(_) => {
                let offset = self.rows[row].offset;
                let answer = self.pread_object(row, object, count, offset)?;
                self.rows[row].offset = offset.saturating_add(answer.value as u64);
                Ok(answer)
            }
        }
    }

    pub(crate) fn pread_object(
        &mut self,
        _row: DescriptionRow,
        object: Object,
        count: u64,
        offset: u64,
    ) -> CallResult {
        match object {
            Object::Pidfd(_) => Err(Errno::EINVAL.into()),
            Object::Epoll(_)
            | Object::Inotify
            | Object::Event(_)
            | Object::Timer
            | Object::Pty(..)
            | Object::Signals(_) => Err(Errno::ESPIPE.into()),
            Object::Device(device) => {
                self.face_read_limit(count)?;
                if !is_stream(device) {
                    return self.read_device_whole(device, count);
                }
                let path = device_path(device);
                self.raw(&Call::FsPread { raw: 1, path, count, offset })
            }
            Object::Foreign(number) => {
                self.face_read_limit(count)?;
                let path = self.face.path(number).to_vec();
                if is_proc(&path) {
                    return self.proc_pread(&path, count, offset);
                }
                self.permit(operation::READ, &path)?;
                let answer = self.raw(&Call::FsPread { raw: 1, path: &path, count, offset })?;
                match answer.payload {
                    Payload::Data(data) if data.0.len() as u64 <= count => Ok(Answer::data(data.0)),
                    _ => Err(Errno::EIO.into()),
                }
            }
        }
    }

    pub(crate) fn write_object(
        &mut self,
        row: DescriptionRow,
        object: Object,
        data: &[u8],
    ) -> CallResult {
        match object {
            Object::Epoll(_)
            | Object::Inotify
            | Object::Pidfd(_)
            | Object::Timer
            | Object::Signals(_) => Err(Errno::EINVAL.into()),
            Object::Event(event) => self.write_event(row, event, data),
            Object::Pty(number, end) => self.write_pty((number, end), data),
            Object::Device(device) => {
                let offset = self.rows[row].offset;
                if !swallows(device) {
                    self.pwrite_object(row, object, data, offset)?;
                }
                self.rows[row].offset = offset.saturating_add(data.len() as u64);
                Ok(Answer::value(data.len() as i64))
            }
            Object::Foreign(number) => {
                if self.rows[row].flags & O_APPEND == 0 {
                    let offset = self.rows[row].offset;
                    let answer = self.pwrite_object(row, object, data, offset)?;
                    self.rows[row].offset = offset + answer.value as u64;
                    return Ok(answer);
                }
                let path = self.face.path(number).to_vec();
                let (path, how) = (path.as_slice(), O_APPEND);
                let append = Call::FsWrite { raw: 1, target: 0, path, data, mode: None, how };
                let end = self.raw(&append)?.value;
                self.rows[row].offset = u64::try_from(end).map_err(|_| Errno::EIO)?;
                Ok(Answer::value(data.len() as i64))
            }
        }
    }

    pub(crate) fn pwrite_object(
        &mut self,
        _row: DescriptionRow,
        object: Object,
        data: &[u8],
        offset: u64,
    ) -> CallResult {
        match object {
            Object::Pidfd(_) => Err(Errno::EINVAL.into()),
            Object::Epoll(_)
            | Object::Inotify
            | Object::Event(_)
            | Object::Timer
            | Object::Pty(..)
            | Object::Signals(_) => Err(Errno::ESPIPE.into()),
            Object::Device(device) => {
                let path = device_path(device);
                if is_stream(device) {
                    // It is read, changed and written: what is not there cannot be.
                    self.raw(&Call::FsPread { raw: 1, path, count: 0, offset: 0 })?;
                }
                if !swallows(device) {
                    self.raw(&Call::FsPwrite { raw: 1, path, data, offset })?;
                }
                Ok(Answer::value(data.len() as i64))
            }
            Object::Foreign(number) => {
                offset.checked_add(data.len() as u64).ok_or(Errno::EINVAL)?;
                let path = self.face.path(number).to_vec();
                self.raw(&Call::FsPwrite { raw: 1, path: &path, data, offset })?;
                Ok(Answer::value(data.len() as i64))
            }
        }
    }

    pub(crate) fn seek_object(
        &mut self,
        row: DescriptionRow,
        object: Object,
        offset: i64,
        whence: u32,
    ) -> CallResult {
        let size = match object {
            Object::Pidfd(_) | Object::Pty(..) => return Err(Errno::ESPIPE.into()),
            // They stay where they are (`noop_llseek`).
            Object::Epoll(_)
            | Object::Event(_)
            | Object::Inotify
            | Object::Timer
            | Object::Signals(_) => return Ok(Answer::value(0)),
            Object::Device(_) => 0,
            Object::Foreign(_) if whence != SEEK_END => 0,
            Object::Foreign(number) => {
                let path = self.face.path(number).to_vec();
                if is_proc(&path) {
                    self.proc_size(&path)?
                } else {
                    self.permit(operation::STAT, &path)?;
                    self.stat_foreign(&path)?.size
                }
            }
        };
        let new = seek_from(self.rows[row].offset, size, MAX_FOREIGN_BYTES, offset, whence)?;
        self.rows[row].offset = new;
        Ok(Answer::value(new as i64))
    }

    fn stat_foreign(&mut self, path: &[u8]) -> Result<Stat, Stop> {
        match self.raw(&Call::FsStat { raw: 1, path, follow: 1 })?.payload {
            Payload::Stat(stat) => Ok(*stat),
            _ => Err(Errno::EIO.into()),
        }
    }

    /// What a descriptor of the face is open on, for its path and type; `None` if it is not open.
    pub fn face_fd(&mut self, pid: u32, fd: u32) -> Option<FaceFd> {
        let task = self.pids.task(pid)?;
        let row = self.fd(task, i32::try_from(fd).ok()?).ok()?.description;
        let description = &self.rows[row];
        let (flags, target) = (description.flags, description.target);
        let access = flags & O_ACCMODE;
        let (kind, path) = match target {
            Target::Pipe(pipe, _) => {
                let end = if access == O_RDONLY { "read" } else { "write" };
                let path = alloc::format!("pipe:{}:{end}", self.rows[pipe].id);
                (S_IFIFO, path.into_bytes())
            }
            Target::File(place) => {
                let mode = self.tree_stat(place).mode;
                (mode & S_IFMT, self.tree_path(place))
            }
            Target::Object(Object::Device(device)) => (S_IFCHR, device_path(device).to_vec()),
            Target::Object(Object::Foreign(path)) => {
                let path = self.face.path(path).to_vec();
                (if is_proc(&path) { Kernel::proc_kind(&path) } else { 0 }, path)
            }
            Target::Object(Object::Pty(number, End::Slave)) => {
                (S_IFCHR, alloc::format!("/dev/pts/{number}").into_bytes())
            }
            Target::Object(Object::Pty(number, End::Master)) => {
                (S_IFCHR, alloc::format!("pty:{number}:master").into_bytes())
            }
            Target::Socket(_)
            | Target::Object(
                Object::Epoll(_)
                | Object::Inotify
                | Object::Event(_)
                | Object::Pidfd(_)
                | Object::Timer
                | Object::Signals(_),
            ) => (0, Vec::new()),
        };
        Some(FaceFd { kind, flags: flags & KEPT, path, id: description_id(self, row) })
    }

    /// What a descriptor of a pipe or a device tells as `dev_fd_stat`.
    pub fn face_fd_stat(&mut self, pid: u32, fd: u32) -> Option<Stat> {
        let task = self.pids.task(pid)?;
        let row = self.fd(task, i32::try_from(fd).ok()?).ok()?.description;
        match self.rows[row].target {
            Target::File(place) => Some(self.tree_stat(place)),
            Target::Object(Object::Device(device)) => self.device_stat(device_path(device)),
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                let ino = description_id(self, row);
                let now = Timespec::from_ns(self.now_ns);
                let (atime, mtime, ctime, btime) = (now, now, now, now);
                let (dev, mode, nlink) = (DEVICES, 0o666, 1);
                Some(Stat { dev, ino, mode, nlink, atime, mtime, ctime, btime, ..Stat::default() })
            }
        }
    }

    /// Regular files can be locked.
    pub(crate) fn is_plain_file(&self, row: DescriptionRow) -> bool {
        match self.rows[row].target {
            Target::File(place) => self.fs.pages(place).is_some(),
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => false,
        }
    }
}

fn description_id(kernel: &Kernel, row: DescriptionRow) -> u64 {
    row.own_id(&kernel.rows)
}

/// A descriptor of the face as one looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceFd {
    /// Type bits of its mode; 0 = only a foreign file system knows.
    pub kind: u32,
    /// Access mode, O_APPEND, O_NONBLOCK.
    pub flags: u32,
    /// Its path.
    pub path: Vec<u8>,
    /// Own id of the description.
    pub id: u64,
}

const fn device_path(device: Device) -> &'static [u8] {
    match device {
        Device::Null => b"/dev/null",
        Device::Zero => b"/dev/zero",
        Device::Stdin => b"/dev/stdin",
        Device::Stdout => b"/dev/stdout",
        Device::Stderr => b"/dev/stderr",
        Device::Urandom => b"/dev/urandom",
    }
}
