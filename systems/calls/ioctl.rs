//! ioctl(2) on pipes, files and devices: FIONREAD, FIONBIO, FIOCLEX; terminals' requests get ENOTTY
//! from all that is no terminal.

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::Target;
use crate::event::{Answer, IoctlArg, Payload};
use crate::fs::Pages;
use crate::kernel::{CallResult, Kernel};
use crate::rows::TaskRow;

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
            IoctlArg::Winsize(_) | IoctlArg::Termios(_) => 0,
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
            FIONREAD => match self.rows[row].target {
                Target::Pipe(pipe, _) => {
                    Ok(Answer::with(Payload::Number(self.rows[pipe].bytes as i64)))
                }
                Target::Socket(_) => Ok(Answer::with(Payload::Number(0))),
                Target::File(place) => {
                    let pages = self.fs.pages(place).ok_or(Errno::ENOTTY)?;
                    let left = Pages::size(pages) as i64 - self.rows[row].offset as i64;
                    // The answer is an int (ioctl_fionread(2const)).
                    Ok(Answer::with(Payload::Number(i64::from(left as i32))))
                }
            },
            _ => Err(Errno::ENOTTY.into()),
        }
    }
}
