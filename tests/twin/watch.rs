//! What a worker is doing, as /proc of its pid namespace tells (proc_pid_stat(5),
//! proc_pid_syscall(5)).
//!
//! `syscall` is only filled in by the kernel for a task that is switched out and off the run queue,
//! so a worker that is about to sleep, or was woken, never looks asleep. `schedstat` counts how
//! often it was put on a processor: two looks with the same count had nothing between them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::image;
use crate::sandbox::open_at;
use crate::shared;

/// What a worker is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doing {
    /// Something that will end by itself.
    Running,
    /// It waits for an order.
    Idle,
    /// It sleeps in the kernel inside an order's system call.
    Blocked,
    /// A signal has stopped it.
    Stopped,
    /// It has ended; the wait status while it is a zombie.
    Gone(Option<i32>),
}

/// One look at a worker: what it does, and how often it has been put on a processor.
pub(crate) type Look = (Doing, u64);

/// The files of /proc of one task.
pub(crate) struct Watch {
    stat: File,
    syscall: File,
    schedstat: Option<File>,
}

impl Watch {
    /// Opens the files of task `tid`.
    pub(crate) fn new(proc: &OwnedFd, tid: i32) -> io::Result<Self> {
        let open = |name| open_at(proc, &format!("{tid}/{name}"), libc::O_RDONLY).map(File::from);
        Ok(Self {
            stat: open("stat")?,
            syscall: open("syscall")?,
            schedstat: open("schedstat").ok(),
        })
    }

    /// Looks at the worker that serves `slot`.
    pub(crate) fn look(&self, slot: usize) -> Look {
        let mut buffer = [0; 1024];
        let stat = read(&self.stat, &mut buffer);
        let Some((_, rest)) = stat.and_then(|text| text.rsplit_once(") ")) else {
            return (Doing::Gone(None), 0);
        };
        let state = rest.bytes().next().unwrap_or(b'X');
        let doing = match state {
            b'Z' | b'X' => {
                Doing::Gone(rest.split(' ').nth(49).and_then(|code| code.trim().parse().ok()))
            }
            b'T' | b't' => Doing::Stopped,
            _ if is_exiting(rest) => Doing::Running,
            b'S' | b'D' => self.asleep(slot, state == b'D'),
            _ => Doing::Running,
        };
        (doing, self.times_on_processor())
    }

    fn asleep(&self, slot: usize, uninterruptible: bool) -> Doing {
        let mut buffer = [0; 512];
        let Some(text) = read(&self.syscall, &mut buffer) else { return Doing::Running };
        let mut words = text.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<i64>().ok()) else {
            return Doing::Running;
        };
        let (first, pc) = (hexadecimal(words.next()), hexadecimal(words.last()));
        if number == libc::SYS_futex && first == shared::sleeping_address(slot) {
            return if shared::is_served(slot) { Doing::Idle } else { Doing::Running };
        }
        let may_be_uninterruptible = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_vfork];
        if pc == image::call_after()
            && (!uninterruptible || may_be_uninterruptible.contains(&number))
        {
            return Doing::Blocked;
        }
        Doing::Running
    }

    fn times_on_processor(&self) -> u64 {
        let mut buffer = [0; 128];
        let text =
            self.schedstat.as_ref().and_then(|file| read(file, &mut buffer)).unwrap_or_default();
        text.split_whitespace().nth(2).and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

/// Whether the task is on its way to its end: it may sleep there, in whatever call it was in, as
/// process 1 does until all others have ended. PF_EXITING of linux/sched.h, in the field `flags`.
fn is_exiting(stat_from_state: &str) -> bool {
    const PF_EXITING: u32 = 4;
    let flags = stat_from_state.split(' ').nth(6).and_then(|word| word.parse::<u32>().ok());
    flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// Lets real time pass; ends early on a signal (the program is to end).
pub(crate) fn let_pass(time: Duration) {
    let time = libc::timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    // SAFETY: plain system call with a timespec that lives long enough.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

fn hexadecimal(word: Option<&str>) -> u64 {
    let digits = word.and_then(|word| word.strip_prefix("0x")).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or(0)
}

/// A file of /proc as text; none when the task is gone.
fn read<'a>(file: &File, buffer: &'a mut [u8]) -> Option<&'a str> {
    let length = file.read_at(buffer, 0).ok().filter(|&length| length > 0)?;
    // A command name may hold any bytes; it stands before the part that is looked at.
    let start = buffer[..length].iter().rposition(|&byte| byte == b')').unwrap_or(0);
    std::str::from_utf8(&buffer[start..length]).ok()
}
