//! ioctl(2) on pipes, files and devices: FIONREAD, FIONBIO, FIOCLEX; terminals' requests
//! (`calls/terminal_ioctl.rs`) get ENOTTY from all that is no terminal.

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::{Object, Target};
use crate::event::{Answer, IoctlArg, Payload};
use crate::fs::Pages;
use crate::kernel::{CallResult, Kernel};
use crate::rows::{DescriptionRow, TaskRow};

impl Kernel {
    /// ioctl(2).
    pub(crate) fn ioctl(
        &mut self,
        task: TaskRow,
        fd: i32,
        request: u64,
        arg: IoctlArg,
    ) -> CallResult {
        let row = self.open_fd(task, fd)?;
        let number = match arg {
            IoctlArg::Number(number) => number,
            IoctlArg::Winsize(_)
            | IoctlArg::Termios(_)
            | IoctlArg::Termios2(_)
            | IoctlArg::Interface(_) => 0,
        };
        match request {
            FIOCLEX | FIONCLEX => {
                let files = self.rows[task].files;
                if let Some(Some(slot)) = self.rows[files].slots.get_mut(fd as u32 as usize) {
                    slot.cloexec = request == FIOCLEX;
                }
                Ok(Answer::default())
            }
            FIONBIO => {
                let flags = &mut self.rows[row].flags;
                *flags = *flags & !O_NONBLOCK | if number != 0 { O_NONBLOCK } else { 0 };
                Ok(Answer::default())
            }
            FIOASYNC => self.ioctl_async((task, row, fd), number != 0),
            _ if let Some(side) = self.rows[row].terminal => {
                self.terminal_ioctl(task, row, side, (fd, request, arg))
            }
            // random(4) has requests of its own, and knows no others.
            _ if self.is_random_device(row) => Err(Errno::EINVAL.into()),
            FIONREAD => self.readable(row),
            SIOCATMARK => self.at_mark(row),
            TIOCOUTQ => self.unsent(row),
            TFD_IOC_SET_TICKS if let Target::Object(Object::Timer) = self.rows[row].target => {
                self.set_ticks(row, number as u64)
            }
            _ if is_of_interface(request)
                && let Some(socket) = self.socket_behind(row) =>
            {
                self.interface_ioctl(socket, request, arg)
            }
            FICLONE => self.clone_file(task, row, number),
            // It has requests of its own, and knows no others.
            _ if matches!(self.rows[row].target, Target::Object(Object::Epoll(_))) => {
                Err(Errno::EINVAL.into())
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    /// FIONREAD: how much can be read at once.
    fn readable(&self, row: DescriptionRow) -> CallResult {
        match self.rows[row].target {
            Target::Pipe(pipe, _) => {
                Ok(Answer::with(Payload::Number(self.rows[pipe].bytes as i64)))
            }
            Target::Object(Object::Epoll(_)) => Err(Errno::EINVAL.into()),
            Target::Object(
                Object::Timer
                | Object::Signals(_)
                | Object::Event(_)
                | Object::Pidfd(_)
                | Object::Device(_)
                | Object::Pty(..)
                | Object::Foreign(_),
            ) => Err(Errno::ENOTTY.into()),
            Target::Socket(socket) => {
                let bytes = self.readable_bytes(socket)?;
                Ok(Answer::with(Payload::Number(bytes as i64)))
            }
            Target::Object(Object::Inotify) => {
                let bytes = self.inotify_bytes(row);
                Ok(Answer::with(Payload::Number(bytes as i64)))
            }
            Target::File(place) => {
                let pages = self.fs.pages(place).ok_or(Errno::ENOTTY)?;
                let left = Pages::size(pages) as i64 - self.rows[row].offset as i64;
                // The answer is an int (ioctl_fionread(2const)).
                Ok(Answer::with(Payload::Number(i64::from(left as i32))))
            }
        }
    }

    fn is_random_device(&self, row: DescriptionRow) -> bool {
        match self.rows[row].target {
            Target::File(place) => self.fs.is_random_device(place),
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => false,
        }
    }

    /// SIOCATMARK: only sockets have urgent bytes.
    fn at_mark(&self, row: DescriptionRow) -> CallResult {
        let socket = self.socket_behind(row).ok_or(match self.rows[row].target {
            Target::Object(Object::Epoll(_)) => Errno::EINVAL,
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                Errno::ENOTTY
            }
        })?;
        Ok(Answer::with(Payload::Number(self.is_at_mark(socket)?.into())))
    }

    /// TIOCOUTQ: what a socket has on the way.
    fn unsent(&self, row: DescriptionRow) -> CallResult {
        match self.rows[row].target {
            Target::Socket(socket) => {
                let bytes = self.unread_bytes(socket)?;
                Ok(Answer::with(Payload::Number(bytes as i64)))
            }
            Target::Object(Object::Epoll(_)) => Err(Errno::EINVAL.into()),
            Target::File(_) | Target::Pipe(..) | Target::Object(_) => Err(Errno::ENOTTY.into()),
        }
    }

    /// ioctl_ficlone(2): no volume here shares blocks.
    fn clone_file(&mut self, task: TaskRow, to: DescriptionRow, from: i64) -> CallResult {
        let from = i32::try_from(from).map_err(|_| Errno::EBADF)?;
        let from = self.open_fd(task, from)?;
        let (Target::File(source), Target::File(target)) =
            (self.rows[from].target, self.rows[to].target)
        else {
            return Err(Errno::EINVAL.into());
        };
        if self.fs.is_directory(source) || self.fs.is_directory(target) {
            return Err(Errno::EISDIR.into());
        }
        if self.fs.pages(source).is_none() || self.fs.pages(target).is_none() {
            return Err(Errno::EINVAL.into());
        }
        if self.fs.volume(source).dev != self.fs.volume(target).dev {
            return Err(Errno::EXDEV.into());
        }
        if !self.rows[from].readable() || !self.rows[to].writable() {
            return Err(Errno::EBADF.into());
        }
        Err(Errno::EOPNOTSUPP.into())
    }
}
