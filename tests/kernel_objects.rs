//! Small calls that imports of real recordings needed: objects that are only made, holes, lists of
//! owner, group and others, FICLONE, giving a call up. What they answer is Linux's.

use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::{FICLONE, O_CLOEXEC, O_CREAT, O_RDWR};
use tickernel_systems::event::{Answer, Call, Event, IoctlArg, Outcome, Payload};
use tickernel_systems::{Config, Kernel, WakeMode};

fn value(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Done(Answer { value, .. }) => value,
        other => panic!("{other:?}"),
    }
}

fn open(kernel: &mut Kernel, path: &[u8]) -> i32 {
    let call = Call::Open { path: Some(path), flags: O_RDWR | O_CREAT, mode: 0o640 };
    value(kernel.call(1, call)) as i32
}

#[test]
fn an_object_lives_through_a_snapshot() {
    let mut kernel = Kernel::new(Config::default());
    let fd = value(kernel.call(1, Call::EpollCreate1 { flags: O_CLOEXEC })) as i32;
    assert_eq!(fd, 3);
    let bad = kernel.call(1, Call::EpollCreate1 { flags: 1 });
    assert_eq!(bad, Outcome::Failed(Errno::EINVAL));
    let mut again = Kernel::restore(&kernel.snapshot()).expect("an own snapshot");
    assert_eq!(again.digest_all(), kernel.digest_all());
    let Outcome::Done(answer) = again.call(1, Call::Fstat { fd }) else { panic!("no stat") };
    let Payload::Stat(stat) = answer.payload else { panic!("no stat") };
    assert_eq!((stat.mode, stat.nlink), (0o600, 1));
    assert_eq!(again.call(1, Call::Read { fd, count: 1 }), Outcome::Failed(Errno::EINVAL));
    assert_eq!(value(again.call(1, Call::Close { fd })), 0);
}

#[test]
fn a_hole_is_zero_and_the_size_stays() {
    let mut kernel = Kernel::new(Config::default());
    let fd = open(&mut kernel, b"/tmp/f");
    let data = vec![7u8; 10_000];
    kernel.call(1, Call::Write { fd, data: &data });
    kernel.call(1, Call::Fallocate { fd, mode: 3, offset: 100, len: 9000 });
    let Outcome::Done(answer) = kernel.call(1, Call::Pread64 { fd, count: 20_000, offset: 0 })
    else {
        panic!("no data")
    };
    let Payload::Data(read) = answer.payload else { panic!("no data") };
    let mut wanted = data;
    wanted[100..9100].fill(0);
    assert_eq!(read.0, wanted);
    // A whole page of the hole is none any more.
    let seek = Call::Lseek { fd, offset: 4096, whence: 3 };
    assert_eq!(value(kernel.call(1, seek)), 8192);
    let odd = kernel.call(1, Call::Fallocate { fd, mode: 2, offset: 0, len: 1 });
    assert_eq!(odd, Outcome::Failed(Errno::EOPNOTSUPP));
}

#[test]
fn a_list_of_three_entries_is_the_mode() {
    let mut kernel = Kernel::new(Config::default());
    let fd = open(&mut kernel, b"/tmp/f");
    let name = Some(&b"system.posix_acl_access"[..]);
    let none = kernel.call(1, Call::Fgetxattr { fd, name, size: 100 });
    assert_eq!(none, Outcome::Failed(Errno::ENODATA));
    let mut list = vec![2, 0, 0, 0];
    for (tag, rights) in [(1u8, 6u8), (4, 5), (0x20, 4)] {
        list.extend_from_slice(&[tag, 0, rights, 0, 0xff, 0xff, 0xff, 0xff]);
    }
    assert_eq!(value(kernel.call(1, Call::Fsetxattr { fd, name, value: &list, flags: 0 })), 0);
    let Outcome::Done(answer) = kernel.call(1, Call::Fstat { fd }) else { panic!("no stat") };
    let Payload::Stat(stat) = answer.payload else { panic!("no stat") };
    assert_eq!(stat.mode & 0o777, 0o654);
}

#[test]
fn a_clone_of_a_file_is_not_supported() {
    let mut kernel = Kernel::new(Config::default());
    let (one, two) = (open(&mut kernel, b"/tmp/a"), open(&mut kernel, b"/tmp/b"));
    let clone = |fd, from| Call::Ioctl { fd, request: FICLONE, arg: IoctlArg::Number(from) };
    assert_eq!(kernel.call(1, clone(two, one.into())), Outcome::Failed(Errno::EOPNOTSUPP));
    assert_eq!(kernel.call(1, clone(two, 99)), Outcome::Failed(Errno::EBADF));
}

#[test]
fn a_blocked_call_can_be_given_up() {
    let config = Config { wake: WakeMode::OnDemand, ..Config::default() };
    let mut kernel = Kernel::new(config);
    kernel.call(1, Call::Pipe {});
    let Outcome::Blocked(call) = kernel.call(1, Call::Read { fd: 3, count: 1 }) else {
        panic!("it has nothing to read")
    };
    let over = kernel.take(Event::Resume { call, max_bytes: 0 });
    assert_eq!(over, Outcome::Failed(Errno::EINTR));
    assert_eq!(value(kernel.call(1, Call::Getpid {})), 1);
}

/// The ends of a new pipe, and a file of 10,000 bytes.
fn pipe_and_file(kernel: &mut Kernel) -> (i32, i32, i32) {
    kernel.call(1, Call::Pipe {});
    let file = open(kernel, b"/tmp/f");
    kernel.call(1, Call::Write { fd: file, data: &[7; 10_000] });
    (3, 4, file)
}

#[test]
fn pages_that_sendfile_puts_into_a_pipe_are_counted() {
    let mut kernel = Kernel::new(Config::default());
    let (reader, writer, file) = pipe_and_file(&mut kernel);
    let send = Call::Sendfile { out_fd: writer, in_fd: file, offset: Some(5), count: 9000 };
    assert_eq!(value(kernel.call(1, send)), 9000);
    kernel.audit().expect("three pages lie in the pipe");
    // Half of it is read, the rest goes with the pipe.
    assert_eq!(value(kernel.call(1, Call::Read { fd: reader, count: 4500 })), 4500);
    kernel.audit().expect("two pages lie in the pipe");
    kernel.call(1, Call::Close { fd: reader });
    kernel.call(1, Call::Close { fd: writer });
    kernel.audit().expect("there is no pipe");
}

#[test]
fn sendfile_puts_no_more_pages_into_pipes_than_the_kernel_may_hold() {
    let mut kernel = Kernel::new(Config { max_pipe_pages: 2, ..Config::default() });
    let (_, writer, file) = pipe_and_file(&mut kernel);
    let send = Call::Sendfile { out_fd: writer, in_fd: file, offset: Some(0), count: 10_000 };
    assert_eq!(value(kernel.call(1, send.clone())), 8192);
    assert_eq!(kernel.call(1, send), Outcome::Failed(Errno::ENOMEM));
    kernel.audit().expect("two pages lie in the pipe");
}
