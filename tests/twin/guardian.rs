//! Removes the temporary directories of a twin that was killed and could not do so itself.
//!
//! A process forked before anything else waits for the end of a pipe whose other end the twin alone
//! holds (its workers close it when they exec). It keeps no other descriptor, so nobody who waits
//! for the end of the twin's output waits for it.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::sandbox::check;
use crate::watch::let_pass;

/// How often, and after how long, it tries again while workers are still on their way to their end.
const TRIES: u32 = 200;
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(10);

/// Starts the guardian of what the caller makes in `temporary` under names that begin with
/// `prefix`. It acts when the descriptor is closed.
pub(crate) fn start(temporary: &Path, prefix: &str) -> io::Result<OwnedFd> {
    let mut ends = [0; 2];
    // SAFETY: plain system calls, and a fork in a program with one thread; the ends are new and
    // ours.
    unsafe {
        check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        let [read, write] = ends.map(|fd| OwnedFd::from_raw_fd(fd));
        if check(libc::fork())? > 0 {
            return Ok(write);
        }
        libc::setsid();
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE] {
            libc::signal(signal, libc::SIG_IGN);
        }
        drop(write);
        let keep = read.as_raw_fd() as u32;
        if keep > 0 {
            libc::syscall(libc::SYS_close_range, 0, keep - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, keep + 1, u32::MAX, 0);
        // Whatever comes or fails, the other end is gone when this returns.
        let _ = fs::File::from(read).read(&mut [0]);
        for _ in 0..TRIES {
            if remove(temporary, prefix).is_ok() {
                break;
            }
            let_pass(BETWEEN);
        }
        libc::_exit(0)
    }
}

fn remove(temporary: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(temporary)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
