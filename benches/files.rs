//! Times file calls through [`Kernel::call`](tickernel_systems::Kernel::call) among 10, 10,000 and
//! 1,000,000 files, beside the same calls on the Linux underneath: its tmpfs (/dev/shm), with as
//! many files but for the million. Prints nanoseconds a call of the fastest of several rounds.
//!
//! `cargo bench --bench files`. Read the ratios: a noisy machine moves all alike.

#[path = "operations/files.rs"]
mod operations;

use criterion::measurement::{Measurement, WallTime};
use operations::{FileOperation, FileScene, MIB, PAGE};
use std::ffi::CString;
use std::fs;
use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Rounds, of which the fastest counts.
const ROUNDS: usize = 15;
/// How often a round does each operation, for us and for Linux.
const TIMES: [(u32, u32); 7] =
    [(2000, 500), (2000, 500), (10_000, 5000), (10_000, 5000), (2000, 500), (20, 20), (20, 20)];

/// Each operation with how often a round does it.
fn timed() -> impl Iterator<Item = (FileOperation, (u32, u32))> {
    FileOperation::ALL.into_iter().zip(TIMES)
}

/// Nanoseconds of one time, of the fastest round.
fn fastest(times: u32, mut act: impl FnMut()) -> u64 {
    let mut round = || {
        let begin = WallTime.start();
        for _ in 0..times {
            act();
        }
        WallTime.end(begin).as_nanos() as u64 / u64::from(times)
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or(0)
}

fn ours(files: u64) -> Vec<u64> {
    let mut scene = FileScene::new(files);
    timed().map(|(what, (times, _))| fastest(times, || scene.run(what))).collect()
}

/// The same on the host's tmpfs: below /dev/shm/NAME, three deep at the least.
struct Host {
    _top: tempfile::TempDir,
    new: CString,
    old: CString,
    other: CString,
    shallow: CString,
    deep: CString,
    big: fs::File,
    megabyte: Vec<u8>,
}

impl Host {
    fn new(files: u64) -> Self {
        let top = tempfile::tempdir_in("/dev/shm").expect("a directory on /dev/shm");
        let path = |name: &str| top.path().join(name);
        let c = |path: PathBuf| CString::new(path.into_os_string().into_vec()).expect("no NUL");
        fs::create_dir_all(path("all")).expect("a directory");
        fs::create_dir_all(path("d/d/d/d/d")).expect("directories");
        let names = (0..files).map(|number| format!("all/{number}"));
        for name in names.chain(["all/f", "f", "d/d/d/d/d/f"].map(str::to_owned)) {
            fs::write(path(&name), "").expect("a file");
        }
        let mut options = fs::File::options();
        let big = options.read(true).write(true).create_new(true).open(path("big"));
        Self {
            new: c(path("all/new")),
            old: c(path("all/f")),
            other: c(path("all/g")),
            shallow: c(path("f")),
            deep: c(path("d/d/d/d/d/f")),
            big: big.expect("a file"),
            megabyte: vec![7; MIB],
            _top: top,
        }
    }

    /// SAFETY of all calls: pointers to strings and buffers that live.
    fn run(&mut self, operation: FileOperation) {
        let fd = self.big.as_raw_fd();
        let flags = libc::O_RDWR | libc::O_CREAT;
        match operation {
            // SAFETY: see above.
            FileOperation::Make => unsafe {
                let fd = libc::open(self.new.as_ptr(), flags, 0o644);
                libc::write(fd, PAGE.as_ptr().cast(), PAGE.len());
                libc::close(fd);
                libc::unlink(self.new.as_ptr());
            },
            // SAFETY: see above.
            FileOperation::Open => unsafe {
                libc::close(libc::open(self.old.as_ptr(), flags, 0o644));
            },
            FileOperation::StatShallow => stat(&self.shallow),
            FileOperation::StatDeep => stat(&self.deep),
            // SAFETY: see above.
            FileOperation::Rename => unsafe {
                libc::rename(self.old.as_ptr(), self.other.as_ptr());
                libc::rename(self.other.as_ptr(), self.old.as_ptr());
            },
            FileOperation::Write => {
                let (bytes, len) = (self.megabyte.as_ptr().cast(), MIB);
                // SAFETY: see above.
                black_box(unsafe { libc::pwrite(fd, bytes, len, 0) });
            }
            FileOperation::Read => {
                let (bytes, len) = (self.megabyte.as_mut_ptr().cast(), MIB);
                // SAFETY: see above.
                black_box(unsafe { libc::pread(fd, bytes, len, 0) });
            }
        }
    }
}

fn stat(path: &CString) {
    // SAFETY: a string that lives; the structure is written before it is looked at by nobody.
    unsafe {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
        black_box(libc::stat(path.as_ptr(), stat.as_mut_ptr()));
    }
}

fn linux(files: u64) -> Vec<u64> {
    let mut host = Host::new(files);
    timed().map(|(what, (_, times))| fastest(times, || host.run(what))).collect()
}

fn main() {
    // `cargo test --all-targets` runs benches, too: once is enough there.
    let is_bench = std::env::args().any(|word| word == "--bench");
    let counts: &[u64] = if is_bench { &[10, 10_000, 1_000_000] } else { &[10] };
    println!("{:<40} {:>10} {:>10} {:>10}", "ns", "files", "ours", "Linux");
    for files in counts {
        let own = ours(*files);
        let host = linux((*files).min(10_000));
        for ((what, _), (own, host)) in timed().zip(own.into_iter().zip(host)) {
            let name = what.name();
            println!("{name:<40} {files:>10} {own:>10} {host:>10}");
        }
    }
}
