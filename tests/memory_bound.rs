//! Growth without end through the `Kernel` interface: each kind is refused with the errno of its
//! man page at a limit that the configuration names, the counters are what a walk finds then, a
//! snapshot has the same ones, and what is given up is room again. The limits here are small, so
//! that the test is quick; `src/import`'s and the command's are `Config::default`.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Errno, PollFd, Rlimit, SigInfo, SigSet};
use tickernel_systems::event::{Answer, Call, FcntlArg, Outcome, Payload};
use tickernel_systems::{Config, FaceConfig, Kernel};

/// The kernel's own memory in these tests.
const MEMORY_BYTES: u64 = 1 << 20;
/// What files may take.
const FILE_BYTES: u64 = 1 << 20;
/// What all pipes may take, in pages.
const PIPE_PAGES: u64 = 64;
/// A real-time signal.
const REAL_TIME: i32 = 40;

fn kernel() -> Kernel {
    kernel_with(MEMORY_BYTES)
}

fn kernel_with(max_memory_bytes: u64) -> Kernel {
    Kernel::new(Config {
        max_memory_bytes,
        max_file_bytes: FILE_BYTES,
        max_pipe_pages: PIPE_PAGES,
        max_inodes: 600,
        ..Config::default()
    })
}

fn value(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Done(Answer { value, .. }) => value,
        other => panic!("{other:?}"),
    }
}

fn pipe(kernel: &mut Kernel, pid: u32) -> (i32, i32) {
    match kernel.call(pid, Call::Pipe2 { flags: O_NONBLOCK }) {
        Outcome::Done(Answer { payload: Payload::Fds([read, write]), .. }) => (read, write),
        other => panic!("{other:?}"),
    }
}

fn open(kernel: &mut Kernel, path: &str) -> i32 {
    let call = Call::Open { path: Some(path.as_bytes()), flags: O_CREAT | O_RDWR, mode: 0o755 };
    value(kernel.call(1, call)) as i32
}

fn raise_fd_limit(kernel: &mut Kernel) {
    let limit = Rlimit { cur: 1 << 20, max: 1 << 20 };
    let call = Call::Prlimit64 { target: 0, resource: RLIMIT_NOFILE, new_limit: Some(limit) };
    value(kernel.call(1, call));
}

/// Checks what must hold at any time: counters by a walk, the limits, and a snapshot's counters.
fn check(kernel: &mut Kernel) {
    kernel.audit().expect("counters that a walk finds");
    let config = kernel.config().clone();
    assert!(kernel.memory_bytes() <= config.max_memory_bytes, "{}", kernel.memory_bytes());
    let (bytes, inodes) = kernel.fs().usage();
    assert!(bytes <= config.max_file_bytes && inodes <= config.max_inodes, "{bytes} {inodes}");
    let mut again = Kernel::restore(&kernel.snapshot()).expect("an own snapshot");
    assert_eq!(again.memory_bytes(), kernel.memory_bytes());
    assert_eq!(again.fs().usage(), kernel.fs().usage());
    assert_eq!(again.digest_all(), kernel.digest_all());
}

/// Repeats a call until it is refused; gives how often it was not.
fn until(
    kernel: &mut Kernel,
    errno: Errno,
    mut call: impl FnMut(&mut Kernel, u32) -> Outcome,
) -> u32 {
    for count in 0..100_000 {
        match call(kernel, count) {
            Outcome::Failed(found) => {
                assert_eq!(found, errno, "after {count}");
                check(kernel);
                return count;
            }
            Outcome::Done(_) | Outcome::Blocked(_) => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("it grows without end");
}

#[test]
fn file_data_fills_the_volume_and_holes_cost_nothing() {
    let mut kernel = kernel();
    let fd = open(&mut kernel, "/tmp/f");
    assert_eq!(value(kernel.call(1, Call::Ftruncate { fd, length: 1 << 40 })), 0);
    assert!(kernel.fs().usage().0 < 64 << 10);
    let data = vec![1; 64 << 10];
    let written = until(&mut kernel, Errno::ENOSPC, |kernel, _| {
        kernel.call(1, Call::Write { fd, data: &data })
    });
    assert!((12..=16).contains(&written), "{written}");
    // Another volume does not add to the whole.
    let shared = kernel.call(1, Call::Mkdir { path: Some(b"/dev/d"), mode: 0o755 });
    assert_eq!(shared, Outcome::Failed(Errno::ENOSPC));
    value(kernel.call(1, Call::Ftruncate { fd, length: 0 }));
    assert_eq!(value(kernel.call(1, Call::Write { fd, data: &data })), 64 << 10);
    check(&mut kernel);
}

#[test]
fn names_targets_and_attributes_fill_the_volume_too() {
    let grow: [fn(&mut Kernel, &[u8]) -> Outcome; 4] = [
        |kernel, path| kernel.call(1, Call::Mkdir { path: Some(path), mode: 0o755 }),
        |kernel, path| kernel.call(1, Call::Link { oldpath: Some(b"/tmp/f"), newpath: Some(path) }),
        |kernel, path| {
            let target = [b'a'; 4000];
            kernel.call(1, Call::Symlink { target: Some(&target), linkpath: Some(path) })
        },
        |kernel, path| {
            let made = kernel.call(1, Call::Mkdir { path: Some(path), mode: 0o755 });
            if made != Outcome::Done(Answer::default()) {
                return made;
            }
            let (name, value) = (Some(b"user.a".as_slice()), [1; 3000]);
            kernel.call(1, Call::Setxattr { path: Some(path), name, value: &value, flags: 0 })
        },
    ];
    for make in grow {
        let mut kernel = kernel();
        open(&mut kernel, "/tmp/f");
        let (bytes, _) = kernel.fs().usage();
        let made = until(&mut kernel, Errno::ENOSPC, |kernel, count| {
            make(kernel, format!("/tmp/{count:0>200}").as_bytes())
        });
        assert!((150..=2048).contains(&made), "{made}");
        for count in 0..=made {
            let path = format!("/tmp/{count:0>200}");
            kernel.call(1, Call::Unlink { path: Some(path.as_bytes()) });
            kernel.call(1, Call::Rmdir { path: Some(path.as_bytes()) });
        }
        assert_eq!(kernel.fs().usage().0, bytes);
        check(&mut kernel);
    }
}

#[test]
fn inodes_are_counted() {
    let mut kernel = kernel();
    let made = until(&mut kernel, Errno::ENOSPC, |kernel, count| {
        let path = format!("/tmp/{count}");
        kernel.call(
            1,
            Call::Mknod { path: Some(path.as_bytes()), mode: 0o10_644, major: 0, minor: 0 },
        )
    });
    assert!((550..600).contains(&made), "{made}");
}

#[test]
fn forks_end_with_eagain_and_what_they_copy_with_enomem() {
    let mut kernel = kernel();
    let forked = until(&mut kernel, Errno::EAGAIN, |kernel, _| kernel.call(1, Call::Fork {}));
    assert!(forked > 50, "{forked}");
    kernel.call(2, Call::ExitGroup { status: 0 });
    value(kernel.call(1, Call::Wait4 { wpid: -1, options: 0 }));
    value(kernel.call(1, Call::Fork {}));
    check(&mut kernel);
}

#[test]
fn a_long_table_of_descriptors_is_copied_while_there_is_room() {
    let mut kernel = kernel();
    raise_fd_limit(&mut kernel);
    let dup = |newfd| Call::Dup2 { oldfd: 0, newfd };
    assert_eq!(kernel.call(1, dup(1 << 19)), Outcome::Failed(Errno::EMFILE));
    assert_eq!(value(kernel.call(1, dup(20_000))), 20_000);
    let forked = until(&mut kernel, Errno::ENOMEM, |kernel, _| kernel.call(1, Call::Fork {}));
    assert!((1..4).contains(&forked), "{forked}");
    // A closed number keeps its place in the table, also in a snapshot.
    value(kernel.call(1, Call::Close { fd: 20_000 }));
    check(&mut kernel);
}

#[test]
fn command_lines_are_counted_with_each_process() {
    let mut kernel = kernel();
    let fd = open(&mut kernel, "/tmp/x");
    value(kernel.call(1, Call::Write { fd, data: b"\x7fELF" }));
    value(kernel.call(1, Call::Close { fd }));
    let word = [b'a'; 1000];
    let call = |words: usize| Call::Execve {
        path: Some(b"/tmp/x"),
        argv: vec![word.as_slice(); words],
        envp: Vec::new(),
    };
    value(kernel.call(1, call(100)));
    let forked = until(&mut kernel, Errno::ENOMEM, |kernel, _| kernel.call(1, Call::Fork {}));
    assert!((4..12).contains(&forked), "{forked}");
    assert_eq!(kernel.call(1, call(120)), Outcome::Failed(Errno::ENOMEM));
    assert_eq!(value(kernel.call(2, call(0))), 0, "a shorter one gives room");
    check(&mut kernel);
    value(kernel.call(1, Call::Fork {}));
}

#[test]
fn pipes_have_pages_in_common() {
    let mut kernel = kernel();
    let data = vec![7; 65_536];
    let mut ends = Vec::new();
    let full = until(&mut kernel, Errno::ENOMEM, |kernel, _| {
        let (read, write) = pipe(kernel, 1);
        ends.push((read, write));
        kernel.call(1, Call::Write { fd: write, data: &data })
    });
    assert_eq!(u64::from(full), PIPE_PAGES / 16);
    assert_eq!(kernel.counters().pipe_pages, PIPE_PAGES);
    // A byte that is read frees no page; a segment does.
    let (last, first) = (ends[ends.len() - 1], ends[0]);
    value(kernel.call(1, Call::Read { fd: first.0, count: 65_535 }));
    let write = Call::Write { fd: last.1, data: b"x" };
    assert_eq!(kernel.call(1, write.clone()), Outcome::Failed(Errno::ENOMEM));
    value(kernel.call(1, Call::Read { fd: first.0, count: 1 }));
    assert_eq!(value(kernel.call(1, write)), 1);
    check(&mut kernel);
    for (read, write) in ends {
        value(kernel.call(1, Call::Close { fd: read }));
        value(kernel.call(1, Call::Close { fd: write }));
    }
    assert_eq!(kernel.counters().pipe_pages, 0);
}

#[test]
fn pipes_themselves_end_with_enfile() {
    // What is left then is more than a descriptor takes and less than a pipe.
    let mut kernel = kernel_with(MEMORY_BYTES + 1000);
    raise_fd_limit(&mut kernel);
    let made = until(&mut kernel, Errno::ENFILE, |kernel, _| kernel.call(1, Call::Pipe {}));
    assert!(made > 300, "{made}");
}

#[test]
fn a_pipe_does_not_become_larger_than_the_memory() {
    let mut kernel = kernel();
    let (_, fd) = pipe(&mut kernel, 1);
    let resize =
        |slots: i64| Call::Fcntl { fd, cmd: F_SETPIPE_SZ, arg: FcntlArg::Number(slots * 4096) };
    assert_eq!(value(kernel.call(1, resize(1024))), 1024 * 4096);
    assert_eq!(kernel.call(1, resize(1 << 19)), Outcome::Failed(Errno::EPERM));
    check(&mut kernel);
    assert_eq!(value(kernel.call(1, resize(16))), 16 * 4096);
    check(&mut kernel);
}

#[test]
fn what_blocked_calls_keep_is_counted() {
    let mut kernel = kernel();
    let Outcome::Done(Answer { payload: Payload::Fds([read, write]), .. }) =
        kernel.call(1, Call::Pipe {})
    else {
        panic!("no pipe")
    };
    value(kernel.call(1, Call::Write { fd: write, data: &[1; 65_536] }));
    let data = vec![2; 200_000];
    let before = kernel.memory_bytes();
    let blocked = until(&mut kernel, Errno::ENOMEM, |kernel, _| {
        let child = value(kernel.call(1, Call::Fork {})) as u32;
        kernel.call(child, Call::Write { fd: write, data: &data })
    });
    assert_eq!(blocked, 5);
    for _ in 0..=blocked {
        let call = Call::Kill { target: 0, sig: 9 };
        value(kernel.call(1, call));
        kernel.call(1, Call::Wait4 { wpid: -1, options: 0 });
    }
    assert_eq!(kernel.memory_bytes(), before);
    let fds = vec![PollFd { fd: read, events: POLLPRI as u16, revents: 0 }; 1000];
    let polling = until(&mut kernel, Errno::ENOMEM, |kernel, _| {
        let child = value(kernel.call(1, Call::Fork {})) as u32;
        kernel.call(child, Call::Poll { fds: fds.clone(), timeout: -1 })
    });
    assert!((5..20).contains(&polling), "{polling}");
}

#[test]
fn real_time_signals_queue_up_to_the_memory() {
    let mut kernel = kernel();
    let set = SigSet(1 << (REAL_TIME - 1));
    let mask = Call::RtSigprocmask { how: SIG_BLOCK, set: Some(set) };
    value(kernel.call(1, mask));
    let info = SigInfo { signo: REAL_TIME, code: -1, ..SigInfo::default() };
    let queue = Call::RtSigqueueinfo { target: 1, sig: REAL_TIME, info };
    let queued = until(&mut kernel, Errno::EAGAIN, |kernel, _| kernel.call(1, queue.clone()));
    assert!(queued > 5000, "{queued}");
    // kill(2) has no such error: the signal is pending already.
    assert_eq!(value(kernel.call(1, Call::Kill { target: 1, sig: REAL_TIME })), 0);
    check(&mut kernel);
    let wait = Call::RtSigtimedwait { set, timeout: None };
    assert_eq!(value(kernel.call(1, wait)), i64::from(REAL_TIME));
    assert_eq!(value(kernel.call(1, queue)), 0);
    check(&mut kernel);
}

#[test]
fn record_locks_end_with_enolck() {
    let mut kernel = kernel_with(MEMORY_BYTES / 8);
    let fd = open(&mut kernel, "/tmp/f");
    let lock = |start: i64, kind: u32| {
        let kind = kind as i16;
        let flock = tickernel_systems::abi::Flock { kind, whence: 0, start, len: 1, pid: 0 };
        Call::Fcntl { fd, cmd: F_SETLK, arg: FcntlArg::Lock(flock) }
    };
    let before = kernel.memory_bytes();
    let held = until(&mut kernel, Errno::ENOLCK, |kernel, count| {
        kernel.call(1, lock(2 * i64::from(count), F_WRLCK))
    });
    assert!(held > 500, "{held}");
    assert_eq!(kernel.call(1, lock(0, F_UNLCK)), Outcome::Done(Answer::default()));
    value(kernel.call(1, Call::Close { fd }));
    assert!(kernel.memory_bytes() < before);
    check(&mut kernel);
}

#[test]
fn a_birth_without_room_for_its_streams_makes_nothing() {
    let face = FaceConfig { present: true, ..FaceConfig::default() };
    let mut kernel = Kernel::new(Config { face, max_descriptions: 5, ..Config::default() });
    value(kernel.call(0, Call::FacePolicy { files: 1, commands: 1, rules: Vec::new() }));
    let born = until(&mut kernel, Errno::ENFILE, |kernel, _| {
        let (args, envp) = (Vec::new(), Vec::new());
        let (requester, driver, command, cwd) = (b"d", b"d", b"job", b"/");
        let parent = 0;
        kernel.call(
            0,
            Call::FaceCreateProcess { requester, driver, command, args, envp, cwd, parent },
        )
    });
    // Beside the process that every kernel begins with.
    assert_eq!((born, kernel.face_processes().len()), (1, 1 + 1));
}
