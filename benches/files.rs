//! Times file calls through [`Kernel::call`](tickernel_systems::Kernel::call) among 10, 10,000 and
//! 1,000,000 files, beside the same calls on the Linux underneath: its tmpfs (/dev/shm), with as
//! many files but for the million. Prints nanoseconds a call of the fastest of several rounds.
//!
//! `cargo bench --bench files`. Read the ratios: a noisy machine moves all alike.

use criterion::measurement::{Measurement, WallTime};
use std::fs;
use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use tickernel_systems::event::{Answer, Call, Outcome};
use tickernel_systems::{Config, Kernel};

/// Bytes of the file that is made and removed.
const PAGE: [u8; 4096] = [7; 4096];
/// Bytes of the file that is written and read in one piece.
const MIB: usize = 1 << 20;
/// Rounds, of which the fastest counts.
const ROUNDS: usize = 15;
/// Files in a directory.
const A_DIRECTORY: u64 = 1000;
const O_RDWR: u32 = 2;
const O_CREAT: u32 = 0o100;

/// What is timed: a name, how often a round does it, and how.
type Timed<'t, S> = (&'static str, u32, &'t dyn Fn(&mut S));

/// Nanoseconds of one time, of the fastest round.
fn fastest<S>(side: &mut S, times: u32, act: &dyn Fn(&mut S)) -> u64 {
    let round = |side: &mut S| {
        let begin = WallTime.start();
        for _ in 0..times {
            act(side);
        }
        WallTime.end(begin).as_nanos() as u64 / u64::from(times)
    };
    (0..ROUNDS).map(|_| round(side)).min().unwrap_or(0)
}

fn done(kernel: &mut Kernel, call: Call<'_>) -> Answer {
    match kernel.call(1, call) {
        Outcome::Done(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn open(kernel: &mut Kernel, path: &[u8]) -> i32 {
    let call = Call::Open { path: Some(path), flags: O_RDWR | O_CREAT, mode: 0o644 };
    done(kernel, call).value as i32
}

/// A kernel with so many empty files, and directories eight deep.
fn kernel(files: u64) -> Kernel {
    let room = Config { max_inodes: 1 << 21, max_file_bytes: 2 << 30, ..Config::default() };
    let mut kernel = Kernel::new(room);
    // The crowd lies on a volume that has room for it; the tables are the same.
    let mount = Call::Mount {
        source: Some(b"none"),
        target: Some(b"/tmp"),
        filesystemtype: Some(b"tmpfs"),
        mountflags: 0,
        data: Some(b"nr_inodes=2000000,size=8g"),
    };
    done(&mut kernel, mount);
    let mkdir = |kernel: &mut Kernel, path: &str| {
        done(kernel, Call::Mkdir { path: Some(path.as_bytes()), mode: 0o755 });
    };
    for number in 0..files {
        let directory = format!("/tmp/{}", number / A_DIRECTORY);
        if number % A_DIRECTORY == 0 {
            mkdir(&mut kernel, &directory);
        }
        let fd = open(&mut kernel, format!("{directory}/{number}").as_bytes());
        done(&mut kernel, Call::Close { fd });
    }
    let mut path = String::new();
    for _ in 0..7 {
        path += "/d";
        mkdir(&mut kernel, &path);
    }
    for path in [format!("{path}/f"), "/f".to_owned()] {
        let fd = open(&mut kernel, path.as_bytes());
        done(&mut kernel, Call::Close { fd });
    }
    kernel
}

fn ours(files: u64) -> Vec<(&'static str, u64)> {
    let mut kernel = kernel(files);
    let megabyte = vec![7; MIB];
    let fd = open(&mut kernel, b"/big");
    done(&mut kernel, Call::Pwrite64 { fd, data: &megabyte, offset: 0 });
    let make = |kernel: &mut Kernel| {
        let fd = open(kernel, b"/new");
        done(kernel, Call::Write { fd, data: &PAGE });
        done(kernel, Call::Close { fd });
        done(kernel, Call::Unlink { path: Some(b"/new") });
    };
    let stat = |path: &'static [u8]| {
        move |kernel: &mut Kernel| {
            black_box(done(kernel, Call::Stat { path: Some(black_box(path)) }));
        }
    };
    let rename = |kernel: &mut Kernel| {
        for (oldpath, newpath) in [("/f", "/g"), ("/g", "/f")] {
            let (oldpath, newpath) = (Some(oldpath.as_bytes()), Some(newpath.as_bytes()));
            done(kernel, Call::Rename { oldpath, newpath });
        }
    };
    let write = |kernel: &mut Kernel| {
        done(kernel, Call::Pwrite64 { fd, data: &megabyte, offset: 0 });
    };
    let read = |kernel: &mut Kernel| {
        black_box(done(kernel, Call::Pread64 { fd, count: MIB as u64, offset: 0 }));
    };
    let (shallow, deep) = (stat(b"/f"), stat(b"/d/d/d/d/d/d/d/f"));
    let timed: [Timed<'_, Kernel>; 6] = [
        ("create + write 4 KiB + close + unlink", 2000, &make),
        ("stat at depth 1", 10_000, &shallow),
        ("stat at depth 8", 10_000, &deep),
        ("rename there and back", 2000, &rename),
        ("write 1 MiB", 20, &write),
        ("read 1 MiB", 20, &read),
    ];
    timed.map(|(name, times, act)| (name, fastest(&mut kernel, times, act))).to_vec()
}

/// The same on the host's tmpfs. SAFETY of all calls: pointers to strings and buffers that live.
fn linux(files: u64) -> Vec<u64> {
    let top = tempfile::tempdir_in("/dev/shm").expect("a directory on /dev/shm");
    for number in 0..files {
        let directory = top.path().join((number / A_DIRECTORY).to_string());
        if number % A_DIRECTORY == 0 {
            fs::create_dir(&directory).expect("a directory");
        }
        fs::write(directory.join(number.to_string()), "").expect("a file");
    }
    let deep = top.path().join("d/d/d/d/d");
    fs::create_dir_all(&deep).expect("directories");
    let c = |path: PathBuf| {
        std::ffi::CString::new(path.as_os_str().as_bytes()).expect("a path without NUL")
    };
    let names = ["new", "f", "g"].map(|name| c(top.path().join(name)));
    let [new, f, g] = &names;
    let deep = c(deep.join("f"));
    for path in [f, &deep] {
        fs::write(std::ffi::OsStr::from_bytes(path.to_bytes()), "").expect("a file");
    }
    let mut options = fs::File::options();
    options.read(true).write(true).create_new(true);
    let big = options.open(top.path().join("big")).expect("a file");
    let mut megabyte = vec![7u8; MIB];
    let make = |_: &mut Vec<u8>| {
        // SAFETY: see above.
        unsafe {
            let fd = libc::open(new.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o644);
            libc::write(fd, PAGE.as_ptr().cast(), PAGE.len());
            libc::close(fd);
            libc::unlink(new.as_ptr());
        }
    };
    let stat = |path: *const libc::c_char| {
        move |_: &mut Vec<u8>| {
            // SAFETY: see above; the structure is written before it is looked at by nobody.
            unsafe {
                let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
                black_box(libc::stat(path, stat.as_mut_ptr()));
            }
        }
    };
    let rename = |_: &mut Vec<u8>| {
        // SAFETY: see above.
        unsafe {
            libc::rename(f.as_ptr(), g.as_ptr());
            libc::rename(g.as_ptr(), f.as_ptr());
        }
    };
    let fd = big.as_raw_fd();
    let write = |bytes: &mut Vec<u8>| {
        // SAFETY: see above.
        black_box(unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), 0) });
    };
    let read = |bytes: &mut Vec<u8>| {
        // SAFETY: see above.
        black_box(unsafe { libc::pread(fd, bytes.as_mut_ptr().cast(), bytes.len(), 0) });
    };
    // Below /dev/shm/NAME: three deep at the least.
    let (shallow, deep) = (stat(f.as_ptr()), stat(deep.as_ptr()));
    type Act<'a> = &'a dyn Fn(&mut Vec<u8>);
    let timed: [(u32, Act<'_>); 6] =
        [(500, &make), (5000, &shallow), (5000, &deep), (500, &rename), (20, &write), (20, &read)];
    timed.map(|(times, act)| fastest(&mut megabyte, times, act)).to_vec()
}

fn main() {
    // `cargo test --all-targets` runs benches, too: once is enough there.
    let is_bench = std::env::args().any(|word| word == "--bench");
    let counts: &[u64] = if is_bench { &[10, 10_000, 1_000_000] } else { &[10] };
    println!("{:<40} {:>10} {:>10} {:>10}", "ns", "files", "ours", "Linux");
    for files in counts {
        let own = ours(*files);
        let host = linux((*files).min(10_000));
        for ((name, own), host) in own.into_iter().zip(host) {
            println!("{name:<40} {files:>10} {own:>10} {host:>10}");
        }
    }
}
