//! Waits until the kernel's own threads have handed over what was written to terminals.
//!
//! Linux queues the hand-over (flush_to_ldisc) on a work queue, first come first served. A byte
//! that goes through a terminal of the twin's own is handed over behind what was queued before it,
//! and reading it waits for that: so whatever the workers wrote before has at least begun. What is
//! handed over may be echoed, which is another turn; so there are several. On more than one
//! processor another thread may still be in the middle of its work: who finds a difference asks
//! again with more patience (`{"op":"patience","ns":…}`).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

use crate::sandbox::check;

/// A terminal of the twin's own.
pub(crate) struct Barrier {
    master: File,
    slave: File,
}

impl Barrier {
    /// `None` where the machine has no terminals.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: plain system calls; the descriptors are new and ours.
        unsafe {
            let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
            let master = check(libc::posix_openpt(flags)).ok()?;
            let master = File::from_raw_fd(master);
            let fd = std::os::fd::AsRawFd::as_raw_fd(&master);
            check(libc::unlockpt(fd)).ok()?;
            let slave = check(libc::ioctl(fd, libc::TIOCGPTPEER, flags)).ok()?;
            let slave = File::from_raw_fd(slave);
            let mut settings: libc::termios = std::mem::zeroed();
            check(libc::tcgetattr(fd, &raw mut settings)).ok()?;
            libc::cfmakeraw(&raw mut settings);
            check(libc::tcsetattr(fd, libc::TCSANOW, &raw const settings)).ok()?;
            Some(Self { master, slave })
        }
    }

    /// One turn.
    pub(crate) fn pass(&mut self) {
        let mut byte = [0];
        if self.master.write(b"x").is_ok() {
            let _read = self.slave.read(&mut byte);
        }
    }
}
