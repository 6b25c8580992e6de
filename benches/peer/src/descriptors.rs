//! The runner's calls on descriptors, and why some are not made (`differences.json`, "avoided").

use super::api::vfs::VirtualFileSystem;
use super::convert::*;
use super::run::{F_DUPFD, F_SETFD, F_SETFL, MOMENT, O_NONBLOCK, Runner, Told};
use crate::book::{Kind, normalized};
use crate::program::{Fd, FdOp, Proc, Slot, Who};

/// Bytes of a write to a pseudo-terminal at most: the origin takes a second for 60,000 echoes.
const PTY_BYTES: usize = 200;

impl Runner {
    pub(super) fn is_stale(&self, at: Proc, fd: Fd) -> bool {
        self.book.description(at, fd).is_some_and(|description| description.stale)
    }

    /// Tags a read or a write of a descriptor that is not open for it.
    pub(super) fn tag_access(&mut self, at: Proc, fd: Fd, wrong: u32) -> bool {
        let description = self.book.description(at, fd);
        let is_wrong = description.is_some_and(|it| {
            it.access == wrong && !matches!(it.kind, Kind::Pipe { .. } | Kind::Pty)
        });
        if is_wrong {
            self.tags.push("access");
        }
        is_wrong
    }

    fn tag_pty(&mut self, at: Proc, fd: Fd) {
        if self.book.description(at, fd).is_some_and(|it| it.kind == Kind::Pty) {
            self.tags.push("pty");
        }
    }

    pub(super) fn pipe_of(&self, at: Proc, fd: Fd) -> Option<usize> {
        match self.book.description(at, fd)?.kind {
            Kind::Pipe { id, .. } => Some(id),
            Kind::Device | Kind::File | Kind::Pty => None,
        }
    }

    /// Why a write must not be made: it would block, or the two do not agree.
    pub(super) fn must_not_write(&mut self, at: Proc, fd: Fd, length: usize) -> Option<String> {
        self.tag_access(at, fd, 0);
        if self.is_stale(at, fd) {
            return Some("skipped: the path means another thing".to_owned());
        }
        if length == 0 {
            return Some("skipped: a write of nothing".to_owned());
        }
        let description = self.book.description(at, fd)?;
        if description.kind == Kind::Pty && length > PTY_BYTES {
            return Some("skipped: a long write to a pseudo-terminal".to_owned());
        }
        let pipe = self.pipe_of(at, fd)?;
        if !description.nonblock && self.book.pipes[pipe] + length > 65_536 {
            return Some("skipped: it would wait".to_owned());
        }
        if self.rests(self.pid(at), -1) {
            return Some("skipped: a pipe write of a stopped process".to_owned());
        }
        None
    }

    pub(super) fn filled(&mut self, at: Proc, fd: Fd, wrote: Option<&usize>) {
        if let (Some(pipe), Some(wrote)) = (self.pipe_of(at, fd), wrote) {
            self.book.pipes[pipe] += wrote;
        }
    }

    pub(super) fn drained(&mut self, at: Proc, fd: Fd, read: Option<&Vec<u8>>) {
        if let (Some(pipe), Some(read)) = (self.pipe_of(at, fd), read) {
            self.book.pipes[pipe] = self.book.pipes[pipe].saturating_sub(read.len());
        }
    }

    pub(super) fn on_fd(&mut self, who: Who, at: Proc, fd: Fd, op: &FdOp) -> String {
        let (driver, pid) = (self.driver(who, at), self.pid(at));
        let driver = driver.as_str();
        let number = self.book.number(at, fd);
        let follows = !matches!(op, FdOp::Close | FdOp::Dup(_) | FdOp::Dup2(..) | FdOp::Isatty);
        if follows && self.is_stale(at, fd) {
            return "skipped: the path means another thing".to_owned();
        }
        let file = self.book.description(at, fd).is_some_and(|it| it.kind == Kind::File);
        if file && matches!(op, FdOp::Read(0) | FdOp::ReadTimeout(0) | FdOp::Pread(0, _)) {
            return "skipped: a read of nothing".to_owned();
        }
        match op {
            FdOp::Read(length) => {
                self.tag_access(at, fd, 1);
                let read = self.vm.fd_read(driver, pid, number, *length);
                self.drained(at, fd, read.as_ref().ok());
                told_data(read.map(Some))
            }
            FdOp::ReadTimeout(length) => {
                self.tag_access(at, fd, 1);
                let vm = &mut self.vm;
                let read =
                    vm.fd_read_with_timeout_result(driver, pid, number, *length, Some(MOMENT));
                self.drained(at, fd, read.as_ref().ok().and_then(Option::as_ref));
                told_data(read)
            }
            FdOp::Write(data) => {
                if let Some(why) = self.must_not_write(at, fd, data.1) {
                    return why;
                }
                let wrote = self.vm.fd_write(driver, pid, number, &data.bytes());
                self.filled(at, fd, wrote.as_ref().ok());
                told(wrote)
            }
            FdOp::Pread(length, offset) => {
                self.tag_access(at, fd, 1);
                told_data(self.vm.fd_pread(driver, pid, number, *length, *offset).map(Some))
            }
            FdOp::Pwrite(data, _) if data.1 == 0 => "skipped: a write of nothing".to_owned(),
            FdOp::Pwrite(data, offset) => {
                self.tag_access(at, fd, 0);
                told(self.vm.fd_pwrite(driver, pid, number, &data.bytes(), *offset))
            }
            FdOp::Seek(offset, whence) => {
                told(self.vm.fd_seek(driver, pid, number, *offset, *whence))
            }
            FdOp::Flock(operation) => self.flock(driver, pid, number, *operation),
            FdOp::Stat => told(self.vm.fd_stat(driver, pid, number)),
            FdOp::Path => match self.vm.fd_path(driver, pid, number) {
                Ok(path) => self.path_text(path),
                Err(error) => error_text(&error),
            },
            FdOp::DevStat => {
                let pty = self.book.description(at, fd).is_some_and(|it| it.kind == Kind::Pty);
                let pipe = pty || self.pipe_of(at, fd).is_some();
                match self.vm.dev_fd_stat(driver, pid, number) {
                    Ok(stat) => stat_text(&stat, pipe),
                    Err(error) => error_text(&error),
                }
            }
            FdOp::Futimes(atime, mtime) => {
                self.tag_pty(at, fd);
                told(self.vm.futimes(driver, pid, number, time(*atime), time(*mtime)))
            }
            FdOp::Isatty => told(self.vm.isatty(driver, pid, number)),
            other => self.on_numbers(driver, at, pid, fd, other),
        }
    }

    /// What has not waited does not wait a second time.
    fn flock(&mut self, driver: &str, pid: u32, number: u32, operation: u32) -> String {
        let first = self.vm.fd_flock(driver, pid, number, operation | 4);
        if first.is_ok() {
            return told(self.vm.fd_flock(driver, pid, number, operation));
        }
        told(first)
    }

    /// The calls that make and change descriptors.
    pub(super) fn on_numbers(
        &mut self,
        driver: &str,
        at: Proc,
        pid: u32,
        fd: Fd,
        op: &FdOp,
    ) -> String {
        let number = self.book.number(at, fd);
        match op {
            FdOp::Dup(slot) => {
                let made = self.vm.fd_dup(driver, pid, number);
                self.duplicated(at, fd, *slot, made)
            }
            FdOp::Dup2(slot, new) => {
                let new = self.book.number(at, *new);
                let made = self.vm.fd_dup2(driver, pid, number, new);
                if made.is_ok() && new == number {
                    return "the same".to_owned();
                }
                // A number that was open keeps its slot.
                let slot = self.book.slot(at, Fd::Number(new)).unwrap_or(*slot);
                self.duplicated(at, fd, slot, made.map(|()| new))
            }
            FdOp::Close => {
                let closed = self.vm.fd_close(driver, pid, number);
                if closed.is_ok() {
                    self.book.close(at, fd);
                }
                told(closed)
            }
            FdOp::Fcntl(F_DUPFD, least, slot) => {
                let made = self.vm.fd_fcntl(driver, pid, number, F_DUPFD, *least);
                let told = made.as_ref().map_or_else(error_text, |made| {
                    format!("at least: {}", made >= least).to_owned()
                });
                self.duplicated(at, fd, *slot, made);
                told
            }
            FdOp::Fcntl(command, argument, _) => {
                self.fcntl(driver, at, pid, fd, *command, *argument)
            }
            FdOp::Reopen(slot, flags) => {
                let path = format!("/dev/fd/{number}");
                let made = self.vm.fd_open(driver, pid, &path, *flags, None);
                let Ok(made) = made else { return told(made) };
                let Some(old) = self.book.descriptor(at, fd) else { return "strange".to_owned() };
                let before = self.book.descriptions[old.description].clone();
                let nonblock = before.nonblock || flags & O_NONBLOCK != 0;
                let description = if matches!(before.kind, Kind::Pipe { .. } | Kind::Pty) {
                    self.book.describe(before.kind, before.access, &before.path, nonblock)
                } else {
                    old.description
                };
                self.book.install(at, *slot, made, description);
                "a descriptor".to_owned()
            }
            other => self.on_pty(driver, pid, number, other),
        }
    }

    pub(super) fn duplicated(&mut self, at: Proc, fd: Fd, slot: Slot, made: Told<u32>) -> String {
        let made = match made {
            Ok(made) => made,
            Err(error) => return error_text(&error),
        };
        let Some(old) = self.book.descriptor(at, fd) else { return "strange".to_owned() };
        self.book.install(at, slot, made, old.description);
        "a descriptor".to_owned()
    }

    pub(super) fn fcntl(
        &mut self,
        driver: &str,
        at: Proc,
        pid: u32,
        fd: Fd,
        command: u32,
        argument: u32,
    ) -> String {
        let number = self.book.number(at, fd);
        let answer = self.vm.fd_fcntl(driver, pid, number, command, argument);
        if answer.is_err() {
            return told(answer);
        }
        if command == F_SETFD
            && let Some(descriptor) = self.book.descriptor_mut(at, fd)
        {
            descriptor.cloexec = argument & 1 != 0;
        }
        if command == F_SETFL
            && let Some(descriptor) = self.book.descriptor(at, fd)
        {
            let nonblock = argument & O_NONBLOCK != 0;
            self.book.descriptions[descriptor.description].nonblock = nonblock;
            // O_NONBLOCK is the description's with us, the descriptor's in the origin.
            for (other, number) in self.book.sharers(descriptor.description) {
                let Some(process) = self.book.processes.get(&other) else { continue };
                drop(self.vm.fd_fcntl(&process.driver, process.pid, number, F_SETFL, argument));
            }
        }
        told(answer)
    }

    pub(super) fn path_text(&mut self, path: String) -> String {
        let mut parts = path.split(':');
        let (Some("pipe"), Some(id), Some(end)) = (parts.next(), parts.next(), parts.next()) else {
            // The origin keeps the path as it was given.
            let path = normalized(&path);
            let files = self.vm.filesystem_mut().inner_mut().inner_mut();
            return files.realpath(&path).unwrap_or(path);
        };
        let known = self.ids.iter().position(|known| known == id);
        let at = known.unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        });
        format!("pipe:#{at}:{end}")
    }
}
