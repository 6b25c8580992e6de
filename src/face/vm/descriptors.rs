//! Descriptors, pipes, polls and locks (SEMANTICS.md, sections 3, 4 and 6).

use super::convert::{error_about, to_timespec, to_virtual_stat};
use super::{KernelVm, conclude, host_of, open_owned, owned, quick, run};
use crate::face::error::{KernelError, KernelResult};
use crate::face::fd_table::{
    F_DUPFD, F_GETFD, F_GETFL, F_SETFD, F_SETFL, FILETYPE_CHARACTER_DEVICE, FILETYPE_DIRECTORY,
    FILETYPE_PIPE, FILETYPE_REGULAR_FILE, FILETYPE_SYMBOLIC_LINK, FILETYPE_UNKNOWN, FdStat,
    O_APPEND, O_NONBLOCK,
};
use crate::face::machine::Core;
use crate::face::poll::{
    POLLERR, POLLIN, POLLNVAL, POLLOUT, PollEvents, PollFd, PollResult, PollWaitHandle,
};
use crate::face::vfs::{VirtualFileSystem, VirtualStat, VirtualUtimeSpec};
use std::sync::MutexGuard;
use std::time::Duration;
use tickernel_systems::FaceReads;
use tickernel_systems::abi::flags::{S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG};
use tickernel_systems::abi::{self, Errno};
use tickernel_systems::event::{Answer, Call, FcntlArg, Outcome, Payload};

/// A descriptor as the core numbers it; one beyond `i32` is never open.
fn number(fd: u32) -> i32 {
    i32::try_from(fd).unwrap_or(-1)
}

fn about(fd: u32) -> String {
    format!("descriptor {fd}")
}

fn bytes_of(answer: Answer) -> Vec<u8> {
    match answer.payload {
        Payload::Data(data) => data.0,
        _ => Vec::new(),
    }
}

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// A call of one process on a descriptor, which may ask the user's file system.
    #[inline]
    fn on_fd<T>(
        &mut self,
        (driver, pid, fd): (&str, u32, u32),
        call: Call<'_>,
        take: impl Fn(Answer) -> T,
    ) -> KernelResult<T> {
        let mut core = owned(&self.machine, driver, pid)?;
        if core.kernel.face_is_file(pid, fd) {
            core.catch_up();
        }
        quick!(self, core, (pid, call), take, format_args!("descriptor {fd}"))
    }

    /// Opens a path, taken from `/`; gives the lowest free descriptor.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST`, `EACCES`, `EROFS`, `ENOSPC`, `EMFILE`, `ENFILE`, `EBADF` for a bad
    /// `/dev/fd/N`.
    pub fn fd_open(
        &mut self,
        requester_driver: &str,
        pid: u32,
        path: &str,
        flags: u32,
        mode: Option<u32>,
    ) -> KernelResult<u32> {
        let mut core = open_owned(&self.machine, requester_driver, pid)?;
        core.catch_up();
        let call = Call::FaceOpen { target: pid, path: path.as_bytes(), flags, mode };
        let what = format_args!("open '{path}'");
        let answer = run(&self.machine, core, host_of!(self), (0, call), what)?;
        Ok(answer.value as u32)
    }

    /// Reads; empty at the end.
    ///
    /// # Errors
    /// `EBADF`; `EAGAIN` for an empty pipe, at once or after the time-out; `EINVAL` above the
    /// limit; `EISDIR`.
    pub fn fd_read(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        length: usize,
    ) -> KernelResult<Vec<u8>> {
        self.read(requester_driver, pid, fd, length, None).map(|(bytes, _)| bytes)
    }

    /// Reads; `None` at the end of a pipe. A time-out takes the place of the machine's.
    ///
    /// # Errors
    /// Those of [`KernelVm::fd_read`].
    pub fn fd_read_with_timeout_result(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        length: usize,
        timeout: Option<Duration>,
    ) -> KernelResult<Option<Vec<u8>>> {
        let (bytes, ended) = self.read(requester_driver, pid, fd, length, timeout)?;
        Ok(if ended && length > 0 { None } else { Some(bytes) })
    }

    /// Reads standard input.
    ///
    /// # Errors
    /// Those of [`KernelVm::fd_read`].
    pub fn read_process_stdin(
        &mut self,
        requester_driver: &str,
        pid: u32,
        length: usize,
        timeout: Option<Duration>,
    ) -> KernelResult<Option<Vec<u8>>> {
        self.fd_read_with_timeout_result(requester_driver, pid, 0, length, timeout)
    }

    /// The answer of a read, and whether it is the end of a pipe or a pseudo-terminal.
    fn read(
        &mut self,
        driver: &str,
        pid: u32,
        fd: u32,
        length: usize,
        timeout: Option<Duration>,
    ) -> KernelResult<(Vec<u8>, bool)> {
        let mut core = owned(&self.machine, driver, pid)?;
        let FaceReads { stream, ends_empty, shows_time } = core.kernel.face_reads(pid, fd);
        // Before the access mode, as the origin looks at it.
        if self.is_long_read(length) && !stream && core.kernel.face_fd_is_open(pid, fd) {
            return Err(pread_error(length));
        }
        // The clock is read where it shows: an access time, a deadline.
        if shows_time {
            core.catch_up();
        }
        let count = length as u64;
        let call = match timeout {
            None => Call::Read { fd: number(fd), count },
            Some(timeout) => {
                let timeout = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
                Call::FaceRead { fd: number(fd), count, timeout }
            }
        };
        let what = format_args!("read of descriptor {fd}");
        let take = |answer: Answer| match answer.payload {
            Payload::Data(data) => {
                let ended = ends_empty && data.0.is_empty();
                (data.0, ended)
            }
            _ => (Vec::new(), stream),
        };
        match quick!(self, core, (pid, call), take, what) {
            Ok(read) => Ok(read),
            Err(error) if self.is_beyond_pread(&error, length) => Err(pread_error(length)),
            Err(error) => Err(error),
        }
    }

    /// Whether an error is the limit's on the length of a read.
    pub(super) fn is_beyond_pread(&self, error: &KernelError, length: usize) -> bool {
        error.code() == Errno::EINVAL.name() && self.is_long_read(length)
    }

    #[inline]
    fn is_long_read(&self, length: usize) -> bool {
        self.config.resources.max_pread_bytes.is_some_and(|most| length > most)
    }

    #[inline]
    fn is_long_write(&self, length: usize) -> bool {
        self.config.resources.max_fd_write_bytes.is_some_and(|most| length > most)
    }

    /// Writes and gives how much.
    ///
    /// # Errors
    /// `EBADF`; `EPIPE`, with SIGPIPE; `EAGAIN` for a full pipe that does not block; `EINVAL`,
    /// `ENOSPC` at a limit; `EROFS`.
    pub fn fd_write(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        data: &[u8],
    ) -> KernelResult<usize> {
        if self.is_long_write(data.len()) {
            return self.refuse_write(requester_driver, pid, data.len());
        }
        let call = Call::Write { fd: number(fd), data };
        self.on_fd((requester_driver, pid, fd), call, |answer| answer.value as usize)
    }

    /// The limit on the length of a write comes before the descriptor (section 0, item 4).
    #[cold]
    fn refuse_write(&self, driver: &str, pid: u32, length: usize) -> KernelResult<usize> {
        drop(owned(&self.machine, driver, pid)?);
        Err(KernelError::errno(Errno::EINVAL, format!("write length {length} exceeds the limit")))
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// Those of [`KernelVm::fd_write`].
    pub fn write_process_stdout(
        &mut self,
        requester_driver: &str,
        pid: u32,
        data: &[u8],
    ) -> KernelResult<usize> {
        self.fd_write(requester_driver, pid, 1, data)
    }

    /// Writes to standard error.
    ///
    /// # Errors
    /// Those of [`KernelVm::fd_write`].
    pub fn write_process_stderr(
        &mut self,
        requester_driver: &str,
        pid: u32,
        data: &[u8],
    ) -> KernelResult<usize> {
        self.fd_write(requester_driver, pid, 2, data)
    }

    /// Reads at an offset, which does not move the descriptor's.
    ///
    /// # Errors
    /// `ESPIPE` for a pipe; those of [`KernelVm::fd_read`].
    pub fn fd_pread(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        length: usize,
        offset: u64,
    ) -> KernelResult<Vec<u8>> {
        if self.is_long_read(length) {
            drop(owned(&self.machine, requester_driver, pid)?);
            return Err(pread_error(length));
        }
        // Beyond i64 there is nothing to read, as at its end.
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let call = Call::Pread64 { fd: number(fd), count: length as u64, offset };
        self.on_fd((requester_driver, pid, fd), call, bytes_of)
    }

    /// Writes at an offset, which does not move the descriptor's.
    ///
    /// # Errors
    /// `ESPIPE` for a pipe; those of [`KernelVm::fd_write`].
    pub fn fd_pwrite(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        data: &[u8],
        offset: u64,
    ) -> KernelResult<usize> {
        // An end beyond u64 is EINVAL, one beyond i64 no room: the core tells both of a length.
        if self.is_long_write(data.len()) {
            return self.refuse_write(requester_driver, pid, data.len());
        }
        if offset.checked_add(data.len() as u64).is_none() {
            let core = owned(&self.machine, requester_driver, pid)?;
            let kernel = &core.kernel;
            if kernel.face_fd_is_open(pid, fd) && !kernel.face_reads(pid, fd).stream {
                return Err(error_about(Errno::EINVAL, format_args!("offset {offset}")));
            }
        }
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let call = Call::Pwrite64 { fd: number(fd), data, offset };
        self.on_fd((requester_driver, pid, fd), call, |answer| answer.value as usize)
    }

    /// Moves the offset: 0 from the start, 1 from where it is, 2 from the end.
    ///
    /// # Errors
    /// `EINVAL` for another number or a negative offset, `ESPIPE`, `EBADF`.
    pub fn fd_seek(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        offset: i64,
        whence: u8,
    ) -> KernelResult<u64> {
        // SEEK_DATA and SEEK_HOLE are not in the contract.
        let whence = if whence <= 2 { u32::from(whence) } else { u32::MAX };
        let call = Call::Lseek { fd: number(fd), offset, whence };
        self.on_fd((requester_driver, pid, fd), call, |answer| answer.value as u64)
    }

    /// A second descriptor of the same description.
    ///
    /// # Errors
    /// `EBADF`, `EMFILE`, `ENFILE`.
    pub fn fd_dup(&mut self, requester_driver: &str, pid: u32, fd: u32) -> KernelResult<u32> {
        let mut core = owned(&self.machine, requester_driver, pid)?;
        let call = Call::Dup { oldfd: number(fd) };
        let what = format_args!("dup of descriptor {fd}");
        quick!(self, core, (pid, call), |answer: Answer| answer.value as u32, what)
    }

    /// The same with a chosen number, whose old description is closed.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn fd_dup2(
        &mut self,
        requester_driver: &str,
        pid: u32,
        old_fd: u32,
        new_fd: u32,
    ) -> KernelResult<()> {
        let core = owned(&self.machine, requester_driver, pid)?;
        let call = Call::Dup2 { oldfd: number(old_fd), newfd: number(new_fd) };
        let what = format_args!("dup2 of descriptor {old_fd} onto {new_fd}");
        self.plain(core, pid, call, what).map(drop)
    }

    /// Closes a descriptor.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn fd_close(&mut self, requester_driver: &str, pid: u32, fd: u32) -> KernelResult<()> {
        let mut core = owned(&self.machine, requester_driver, pid)?;
        let call = Call::Close { fd: number(fd) };
        quick!(self, core, (pid, call), drop, format_args!("close of descriptor {fd}"))
    }

    /// `F_DUPFD`, `F_GETFD`, `F_SETFD`, `F_GETFL`, `F_SETFL`.
    ///
    /// # Errors
    /// `EINVAL` for another command; `EBADF`, `EMFILE`.
    pub fn fd_fcntl(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        command: u32,
        arg: u32,
    ) -> KernelResult<u32> {
        let core = owned(&self.machine, requester_driver, pid)?;
        let what = format_args!("fcntl {command} of descriptor {fd}");
        if command > F_SETFL {
            return Err(error_about(Errno::EINVAL, what));
        }
        let arg = match command {
            F_SETFL => i64::from(arg & (O_APPEND | O_NONBLOCK)),
            F_DUPFD | F_GETFD | F_SETFD | F_GETFL => i64::from(arg),
            _ => 0,
        };
        let call = Call::Fcntl { fd: number(fd), cmd: command, arg: FcntlArg::Number(arg) };
        let answer = self.plain(core, pid, call, what)?;
        Ok(answer.value as u32)
    }

    /// Locks a regular file's description, waiting if need be.
    ///
    /// # Errors
    /// `EBADF` for what is no regular file, `EINVAL` for another operation, `EWOULDBLOCK`.
    pub fn fd_flock(
        &self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        operation: u32,
    ) -> KernelResult<()> {
        let core = owned(&self.machine, requester_driver, pid)?;
        let what = format_args!("flock of descriptor {fd}");
        match self.plain(core, pid, Call::Flock { fd: number(fd), operation }, what) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Errno::EAGAIN.name() => {
                let message = format!("{}: locked by another", about(fd));
                Err(KernelError::new("EWOULDBLOCK", message))
            }
            Err(error) => Err(error),
        }
    }

    fn fd_view(
        &self,
        driver: &str,
        pid: u32,
        fd: u32,
    ) -> KernelResult<(MutexGuard<'_, Core>, tickernel_systems::FaceFd)> {
        let mut core = owned(&self.machine, driver, pid)?;
        let view = core.kernel.face_fd(pid, fd);
        let view = view.ok_or_else(|| error_about(Errno::EBADF, about(fd)))?;
        Ok((core, view))
    }

    /// Type and status flags of a descriptor.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn fd_stat(&self, requester_driver: &str, pid: u32, fd: u32) -> KernelResult<FdStat> {
        let (core, view) = self.fd_view(requester_driver, pid, fd)?;
        drop(core);
        let kind = if view.kind == 0 { self.foreign_kind(&view.path) } else { view.kind };
        let filetype = match kind {
            S_IFREG => FILETYPE_REGULAR_FILE,
            S_IFDIR => FILETYPE_DIRECTORY,
            S_IFCHR => FILETYPE_CHARACTER_DEVICE,
            S_IFIFO => FILETYPE_PIPE,
            S_IFLNK => FILETYPE_SYMBOLIC_LINK,
            _ => FILETYPE_UNKNOWN,
        };
        Ok(FdStat { filetype, flags: view.flags, rights: 0 })
    }

    /// The type bits of a file of the user's own file system.
    fn foreign_kind(&self, path: &[u8]) -> u32 {
        let path = String::from_utf8_lossy(path);
        let stat = self.filesystem.inner().inner().lstat(&path);
        stat.map_or(0, |stat| stat.mode & abi::flags::S_IFMT)
    }

    /// The path of a descriptor; `pipe:ID:read` for an end of a pipe.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn fd_path(&self, requester_driver: &str, pid: u32, fd: u32) -> KernelResult<String> {
        let (core, view) = self.fd_view(requester_driver, pid, fd)?;
        drop(core);
        Ok(String::from_utf8_lossy(&view.path).into_owned())
    }

    /// The descriptors of a process as decimal numbers, ascending.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn dev_fd_read_dir(&self, requester_driver: &str, pid: u32) -> KernelResult<Vec<String>> {
        let core = owned(&self.machine, requester_driver, pid)?;
        let fds = core.kernel.face_fds(pid);
        let most = self.config.resources.max_readdir_entries.unwrap_or(usize::MAX);
        if fds.len() > most {
            return Err(error_about(Errno::ENOMEM, "/dev/fd"));
        }
        Ok(fds.iter().map(u32::to_string).collect())
    }

    /// What stat tells of a descriptor.
    ///
    /// # Errors
    /// `EBADF`; those of the file system for a file of the user's own.
    pub fn dev_fd_stat(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
    ) -> KernelResult<VirtualStat> {
        let (mut core, view) = self.fd_view(requester_driver, pid, fd)?;
        let is_proc = view.path == b"/proc" || view.path.starts_with(b"/proc/");
        if view.kind != 0 && !is_proc {
            if core.kernel.face_is_file(pid, fd) && self.machine.permissions().asks_about_files() {
                drop(core);
                // By the path: the policy knows no descriptors.
                self.stat(&String::from_utf8_lossy(&view.path))?;
                core = owned(&self.machine, requester_driver, pid)?;
            }
            let stat = core.kernel.face_fd_stat(pid, fd);
            let stat = stat.ok_or_else(|| error_about(Errno::EBADF, about(fd)))?;
            return Ok(to_virtual_stat(&stat));
        }
        drop(core);
        self.stat(&String::from_utf8_lossy(&view.path))
    }

    /// Sets the times of what a descriptor is open on.
    ///
    /// # Errors
    /// `EBADF`; those of [`KernelVm::utimes_spec`].
    pub fn futimes(
        &mut self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
    ) -> KernelResult<()> {
        drop(open_owned(&self.machine, requester_driver, pid)?);
        let (core, view) = self.fd_view(requester_driver, pid, fd)?;
        if core.kernel.face_pty(pid, fd).is_ok_and(|(_, is_slave)| is_slave) {
            // A device has no times to set (section 12).
            return Ok(());
        }
        drop(core);
        let mut core = owned(&self.machine, requester_driver, pid)?;
        core.catch_up();
        let (atime, mtime) = (to_timespec(atime), to_timespec(mtime));
        let call = Call::FsUtimes { raw: 0, path: &view.path, atime, mtime, follow: 1 };
        run(&self.machine, core, host_of!(self), (0, call), format_args!("descriptor {fd}"))?;
        Ok(())
    }

    /// A pipe: its read end, then its write end.
    ///
    /// # Errors
    /// `EAGAIN`, `EMFILE`, `ENFILE` at a limit.
    pub fn open_pipe(&mut self, requester_driver: &str, pid: u32) -> KernelResult<(u32, u32)> {
        let core = open_owned(&self.machine, requester_driver, pid)?;
        match self.plain(core, pid, Call::Pipe {}, "pipe")?.payload {
            Payload::Fds([read, write]) => Ok((read as u32, write as u32)),
            _ => Err(error_about(Errno::EIO, "pipe")),
        }
    }

    /// Whether a descriptor is a terminal: the slave of a pseudo-terminal.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn isatty(&self, requester_driver: &str, pid: u32, fd: u32) -> KernelResult<bool> {
        let (core, _) = self.fd_view(requester_driver, pid, fd)?;
        Ok(core.kernel.face_pty(pid, fd).is_ok_and(|(_, is_slave)| is_slave))
    }

    /// A handle that is told of every change: what a waiter of its own kind sleeps on.
    pub fn poll_wait_handle(&self) -> PollWaitHandle {
        self.machine.poll_wait_handle()
    }

    /// Waits until a descriptor is ready, at most `timeout_ms`; -1 for ever.
    ///
    /// # Errors
    /// `EINVAL` for a time-out below -1.
    pub fn poll_fds(
        &self,
        requester_driver: &str,
        pid: u32,
        fds: Vec<PollFd>,
        timeout_ms: i32,
    ) -> KernelResult<PollResult> {
        let mut core = owned(&self.machine, requester_driver, pid)?;
        if timeout_ms < -1 && core.kernel.face_bends().polls_refuse_negatives {
            return Err(error_about(Errno::EINVAL, format_args!("poll time-out {timeout_ms}")));
        }
        if timeout_ms > 0 {
            core.catch_up();
        }
        let mut fds = fds;
        let asked: Vec<abi::PollFd> = fds.iter().map(asked_of).collect();
        // A number beyond i32 is not open, which is an answer of its own.
        let beyond = fds.iter().any(|entry| i32::try_from(entry.fd).is_err());
        let timeout = if beyond { 0 } else { timeout_ms };
        let directories: Vec<bool> =
            fds.iter().map(|entry| core.kernel.face_lacks_room(pid, entry.fd)).collect();
        let answer = self.plain(core, pid, Call::Poll { fds: asked, timeout }, "poll")?;
        let Payload::Poll(told) = answer.payload else {
            return Err(error_about(Errno::EIO, "poll"));
        };
        for ((entry, told), directory) in fds.iter_mut().zip(&told).zip(directories) {
            entry.revents = revents_of(entry, told, directory);
        }
        let ready_count = fds.iter().filter(|entry| !entry.revents.is_empty()).count();
        Ok(PollResult { ready_count, fds })
    }
}

pub(super) fn asked_of(entry: &PollFd) -> abi::PollFd {
    abi::PollFd { fd: number(entry.fd), events: entry.events.bits(), revents: 0 }
}

/// A directory that is asked for room has an error as well (section 6).
pub(super) fn revents_of(entry: &PollFd, told: &abi::PollFd, directory: bool) -> PollEvents {
    if i32::try_from(entry.fd).is_err() {
        return POLLNVAL;
    }
    // Only the contract's bits are told.
    let mut revents = PollEvents::from_bits(told.revents & 0x3d);
    if directory && entry.events.intersects(POLLOUT) {
        revents |= POLLERR;
    }
    if !entry.events.intersects(POLLIN) && !entry.events.intersects(POLLOUT) {
        let kept = revents.bits() & !(POLLIN.bits() | POLLOUT.bits());
        revents = PollEvents::from_bits(kept);
    }
    revents
}

pub(super) fn pread_error(length: usize) -> KernelError {
    KernelError::errno(Errno::EINVAL, format!("pread length {length} exceeds the limit"))
}
