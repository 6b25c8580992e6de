//! The forms of calls held against lines that strace 6.1 wrote on Linux (`-yy -v -X verbose`), and
//! every call of the table against the parser. Here: what they have in common, and calls on files.

mod others;

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::*;
use tickernel_systems::event::{Answer, Call, FcntlArg, IoctlArg, Path, Payload};
use tickernel_systems::wire::Bytes;

use super::args::{Look, halves};
use super::results::result;
use crate::strace::{Array, Body, LineParser, Member, Operator, Struct, Value};

const NOBODY: Look<'_> = Look { kernel: None, task: 1 };

fn line(call: &Call<'_>, end: &Result<Answer, Errno>) -> String {
    let name = super::session::name_of(call, None);
    let halves = halves(&name, call, Some(end), NOBODY);
    format!("{name}({}{}) = {}", halves.entry, halves.exit, result(call, end, NOBODY))
}

/// Without what strace only adds for the reader, or only the real machine can know: comments, what
/// a descriptor is, addresses, restorers.
fn bare(value: &Value) -> Value {
    let list = |values: &[Value]| values.iter().map(bare).collect();
    match value {
        Value::Noted(value, _) => bare(value),
        Value::Fd(fd) => bare(&fd.number),
        Value::Int(int) if int.magnitude > 0xffff_ffff && !int.negative => {
            if int.magnitude >> 40 == 0x7f { Value::Name("ADDRESS".into()) } else { value.clone() }
        }
        Value::Array(array) => Value::Array(Array { items: list(&array.items), ..array.clone() }),
        Value::Struct(structure) => {
            let known = |member: &&Member| {
                let name = member.name.as_deref().unwrap_or_default();
                !matches!(name, "sa_restorer" | "stx_mnt_id" | "stx_attributes_mask" | "f_fsid")
            };
            let members = structure.members.iter().filter(known);
            let members = members
                .map(|member| Member { name: member.name.clone(), value: bare(&member.value) });
            Value::Struct(Struct { members: members.collect(), ..structure.clone() })
        }
        Value::InOut(pair) => Value::InOut(Box::new((bare(&pair.0), bare(&pair.1)))),
        Value::Named(name, value) => Value::Named(name.clone(), Box::new(bare(value))),
        // A flag word in several terms is one word.
        Value::Operation(Operator::Or, terms) => match value.number() {
            Some(number) => Value::Name(format!("{number:#x}").into()),
            None => Value::Operation(Operator::Or, list(terms)),
        },
        Value::Operation(operator, terms) => Value::Operation(*operator, list(terms)),
        other => other.clone(),
    }
}

fn bare_line(text: &str) -> String {
    let parsed = LineParser::new().parse(1, text.as_bytes());
    let parsed = parsed.unwrap_or_else(|error| panic!("{error}: {text}"));
    let Body::Call(mut call) = parsed.body else { panic!("no call: {text}") };
    call.args = call.args.iter().map(bare).collect();
    call.result.value = call.result.value.as_ref().map(bare);
    call.result.notes = call.result.notes.iter().map(bare).collect();
    call.to_string()
}

#[track_caller]
fn same(real: &str, call: &Call<'_>, end: Result<Answer, Errno>) {
    assert_eq!(bare_line(&line(call, &end)), bare_line(real));
}

fn value(value: i64) -> Result<Answer, Errno> {
    Ok(Answer::value(value))
}

fn with(payload: Payload) -> Result<Answer, Errno> {
    Ok(Answer::with(payload))
}

fn data(bytes: &[u8]) -> Result<Answer, Errno> {
    Ok(Answer::data(bytes.to_vec()))
}

fn time(sec: i64, nsec: i64) -> Timespec {
    Timespec { sec, nsec }
}

fn set(signals: &[Signal]) -> SigSet {
    let mut set = SigSet::EMPTY;
    signals.iter().for_each(|signal| set.insert(*signal));
    set
}

#[test]
fn reading_and_writing() {
    let written = b"hello\n\xff\x01\"x\\";
    same(
        r#"write(3</tmp/w/f>, "hello\n\xff\x01\"x\\", 11) = 11"#,
        &Call::Write { fd: 3, data: written },
        value(11),
    );
    same(
        r#"read(3</tmp/w/f>, "hello\n\xff\x01\"x\\", 100) = 11"#,
        &Call::Read { fd: 3, count: 100 },
        data(written),
    );
    same(
        "read(6<pipe:[866177]>, 0x7fffc4cde930, 10) = -1 EAGAIN (Resource temporarily unavailable)",
        &Call::Read { fd: 6, count: 10 },
        Err(Errno::EAGAIN),
    );
    same(
        r#"pread64(3</tmp/w/f>, "llo\n\xff", 5, 2) = 5"#,
        &Call::Pread64 { fd: 3, count: 5, offset: 2 },
        data(b"llo\n\xff"),
    );
    same(
        r#"preadv(3</tmp/w/f>, [{iov_base="bcdo\n\xff\x01\"x\\", iov_len=10}], 1, 1) = 10"#,
        &Call::Preadv { fd: 3, count: 10, offset: 1 },
        data(b"bcdo\n\xff\x01\"x\\"),
    );
    same(
        r#"writev(3</f>, [{iov_base="abcd", iov_len=4}], 1) = 4"#,
        &Call::Writev { fd: 3, data: b"abcd" },
        value(4),
    );
    same(
        "lseek(3</tmp/w/f>, 0, 0 /* SEEK_SET */) = 0",
        &Call::Lseek { fd: 3, offset: 0, whence: SEEK_SET },
        value(0),
    );
    same(
        "sendfile(29<pipe:[868746]>, 3</tmp/w/f>, [2] => [5], 3) = 3",
        &Call::Sendfile { out_fd: 29, in_fd: 3, offset: Some(2), count: 3 },
        Ok(Answer { value: 3, payload: Payload::Offsets(Some(5), None) }),
    );
    same(
        "splice(3</tmp/w/f>, [1], 7<pipe:[868681]>, NULL, 5, 0x1 /* SPLICE_F_MOVE */) = 5",
        &Call::Splice {
            fd_in: 3,
            off_in: Some(1),
            fd_out: 7,
            off_out: None,
            len: 5,
            flags: SPLICE_F_MOVE,
        },
        Ok(Answer { value: 5, payload: Payload::Offsets(Some(6), None) }),
    );
    same(
        "fadvise64(3</tmp/w/f>, 0, 0, 0x2 /* POSIX_FADV_SEQUENTIAL */) = 0",
        &Call::Fadvise64 { fd: 3, offset: 0, len: 0, advice: 2 },
        value(0),
    );
}

#[test]
fn descriptors() {
    same(
        "pipe2([6<pipe:[866177]>, 7<pipe:[866177]>], 0x80800 /* O_NONBLOCK|O_CLOEXEC */) = 0",
        &Call::Pipe2 { flags: O_CLOEXEC | O_NONBLOCK },
        with(Payload::Fds([6, 7])),
    );
    same(
        "dup3(3</tmp/w/f>, 31, 0x80000 /* O_CLOEXEC */) = 31</tmp/w/f>",
        &Call::Dup3 { oldfd: 3, newfd: 31, flags: O_CLOEXEC },
        value(31),
    );
    let fcntl = |fd, cmd, arg| Call::Fcntl { fd, cmd, arg };
    let number = FcntlArg::Number;
    same(
        "fcntl(3</f>, 0x3 /* F_GETFL */) = 0x8002 (flags O_RDWR|O_LARGEFILE)",
        &fcntl(3, F_GETFL, number(0)),
        value(0x8002),
    );
    same(
        "fcntl(3</f>, 0x4 /* F_SETFL */, 0x400 /* O_RDONLY|O_APPEND */) = 0",
        &fcntl(3, F_SETFL, number(0x400)),
        value(0),
    );
    same(
        "fcntl(31</f>, 0x1 /* F_GETFD */) = 0x1 (flags 0x1 /* FD_CLOEXEC */)",
        &fcntl(31, F_GETFD, number(0)),
        value(1),
    );
    same(
        "fcntl(3</f>, 0x406 /* F_DUPFD_CLOEXEC */, 10) = 12</f>",
        &fcntl(3, F_DUPFD_CLOEXEC, number(10)),
        value(12),
    );
}

#[test]
fn record_locks() {
    let fcntl = |fd, cmd, arg| Call::Fcntl { fd, cmd, arg };
    let lock = Flock { kind: F_WRLCK as i16, whence: 0, start: 0, len: 10, pid: 0 };
    same(
        "fcntl(3</f>, 0x6 /* F_SETLK */, {l_type=0x1 /* F_WRLCK */, l_whence=0 /* SEEK_SET */, l_start=0, l_len=10}) = 0",
        &fcntl(3, F_SETLK, FcntlArg::Lock(lock)),
        value(0),
    );
    let left = with(Payload::Lock(Flock { kind: F_UNLCK as i16, ..lock }));
    same(
        "fcntl(3</f>, 0x5 /* F_GETLK */, {l_type=0x2 /* F_UNLCK */, l_whence=0 /* SEEK_SET */, l_start=0, l_len=10, l_pid=0}) = 0",
        &fcntl(3, F_GETLK, FcntlArg::Lock(Flock { kind: F_RDLCK as i16, ..lock })),
        left.clone(),
    );
    // strace shows what is left alone, of which an import would make a lock for reading.
    same(
        "fcntl(3</f>, 0x5 /* F_GETLK */, {l_type=0x1 /* F_WRLCK */, l_whence=0 /* SEEK_SET */, l_start=0, l_len=10} => {l_type=0x2 /* F_UNLCK */, l_whence=0 /* SEEK_SET */, l_start=0, l_len=10, l_pid=0}) = 0",
        &fcntl(3, F_GETLK, FcntlArg::Lock(lock)),
        left,
    );
    same(
        "fcntl(17</memfd:mm>(deleted), 0x40a /* F_GET_SEALS */) = 0x6 (seals 0x6 /* F_SEAL_SHRINK|F_SEAL_GROW */)",
        &fcntl(17, F_GET_SEALS, FcntlArg::Number(0)),
        value(6),
    );
    same(
        "ioctl(6<pipe:[868681]>, 0x541b /* FIONREAD */, [10]) = 0",
        &Call::Ioctl { fd: 6, request: FIONREAD, arg: IoctlArg::Number(0) },
        with(Payload::Number(10)),
    );
    same(
        "ioctl(0</dev/null<char 1:3>>, 0x5401 /* TCGETS */, 0x7ffe90947850) = -1 ENOTTY (Inappropriate ioctl for device)",
        &Call::Ioctl { fd: 0, request: TCGETS, arg: IoctlArg::Number(0) },
        Err(Errno::ENOTTY),
    );
    same(
        "close_range(300, 4294967295, 0) = 0",
        &Call::CloseRange { first: 300, last: u32::MAX, flags: 0 },
        value(0),
    );
}

#[test]
fn waiting_for_descriptors() {
    let entry = |fd, events: u32, revents: u32| PollFd {
        fd,
        events: events as u16,
        revents: revents as u16,
    };
    let fds = vec![entry(6, POLLIN, 0), entry(7, POLLOUT, 0)];
    let told = Payload::Poll(vec![entry(6, POLLIN, 0), entry(7, POLLOUT, POLLOUT)]);
    same(
        "poll([{fd=6<pipe:[8]>, events=0x1 /* POLLIN */}, {fd=7<pipe:[8]>, events=0x4 /* POLLOUT */}], 2, 100) = 1 ([{fd=7, revents=0x4 /* POLLOUT */}])",
        &Call::Poll { fds: fds.clone(), timeout: 100 },
        Ok(Answer { value: 1, payload: told.clone() }),
    );
    same(
        "poll([], 0, 0)  = 0 (Timeout)",
        &Call::Poll { fds: Vec::new(), timeout: 0 },
        with(Payload::Poll(Vec::new())),
    );
    same(
        "ppoll([{fd=6<pipe:[8]>, events=0x1 /* POLLIN */}, {fd=7<pipe:[8]>, events=0x4 /* POLLOUT */}], 2, {tv_sec=0, tv_nsec=1000}, [], 8) = 1 ([{fd=7, revents=0x4 /* POLLOUT */}], left {tv_sec=0, tv_nsec=0})",
        &Call::Ppoll { fds, timeout: Some(time(0, 1000)), sigmask: Some(SigSet::EMPTY) },
        Ok(Answer { value: 1, payload: told }),
    );
    same(
        "select(10, [6<pipe:[868681]>], NULL, NULL, {tv_sec=0, tv_usec=1000}) = 0 (Timeout)",
        &Call::Select {
            nfds: 10,
            readfds: Some(vec![6]),
            writefds: None,
            exceptfds: None,
            timeout: Some(time(0, 1_000_000)),
        },
        with(Payload::Select(Box::default())),
    );
    let ready = SelectSets { read: None, write: Some(vec![7]), except: None };
    same(
        "pselect6(20, NULL, [7<pipe:[868681]>], NULL, {tv_sec=0, tv_nsec=1000}, {sigmask=[], sigsetsize=8}) = 1 (out [7], left {tv_sec=0, tv_nsec=0})",
        &Call::Pselect6 {
            nfds: 20,
            readfds: None,
            writefds: Some(vec![7]),
            exceptfds: None,
            timeout: Some(time(0, 1000)),
            sigmask: Some(SigSet::EMPTY),
        },
        Ok(Answer { value: 1, payload: Payload::Select(Box::new(ready)) }),
    );
}

#[test]
fn opening_and_attributes() {
    same(
        "open(\"f\", 0x242 /* O_RDWR|O_CREAT|O_TRUNC */, 0644) = 3</tmp/w/f>",
        &Call::Open { path: Some(b"f"), flags: O_RDWR | O_CREAT | O_TRUNC, mode: 0o644 },
        value(3),
    );
    same(
        "openat(-100 /* AT_FDCWD */</w>, \"none\", 0 /* O_RDONLY */) = -1 ENOENT (No such file or directory)",
        &Call::Openat { dirfd: AT_FDCWD, path: Some(b"none"), flags: 0, mode: 0 },
        Err(Errno::ENOENT),
    );
    same(
        "open(NULL, 0 /* O_RDONLY */) = -1 EFAULT (Bad address)",
        &Call::Open { path: None, flags: 0, mode: 0 },
        Err(Errno::EFAULT),
    );
    let stat = Stat {
        dev: 0xfe00,
        ino: 10_109_066,
        mode: 0o100_644,
        nlink: 1,
        size: 22,
        blksize: 4096,
        blocks: 8,
        atime: time(1_795_887_205, 50_088_618),
        mtime: time(1_795_887_205, 50_026_055),
        ctime: time(1_795_887_205, 50_026_055),
        ..Stat::default()
    };
    let told = || with(Payload::Stat(Box::new(stat)));
    same(
        "newfstatat(3</f>, \"\", {st_dev=0xfe00 /* makedev(0xfe, 0) */, st_ino=10109066, st_mode=0100644 /* S_IFREG|0644 */, st_nlink=1, st_uid=0, st_gid=0, st_blksize=4096, st_blocks=8, st_size=22, st_atime=1795887205 /* 2026-11-28T17:33:25.050088618+0000 */, st_atime_nsec=50088618, st_mtime=1795887205 /* 2026-11-28T17:33:25.050026055+0000 */, st_mtime_nsec=50026055, st_ctime=1795887205 /* 2026-11-28T17:33:25.050026055+0000 */, st_ctime_nsec=50026055}, 0x1000 /* AT_EMPTY_PATH */) = 0",
        &Call::Newfstatat { dirfd: 3, path: Some(b""), flags: AT_EMPTY_PATH },
        told(),
    );
    same(
        "lstat(\"none\", 0x7fffc4cde8a0) = -1 ENOENT (No such file or directory)",
        &Call::Lstat { path: Some(b"none") },
        Err(Errno::ENOENT),
    );
    same(
        "statx(-100 /* AT_FDCWD */</w>, \"f\", 0x100 /* AT_SYMLINK_NOFOLLOW */, 0x7ff /* STATX_BASIC_STATS */, {stx_mask=0x7ff /* STATX_BASIC_STATS */, stx_blksize=4096, stx_attributes=0, stx_nlink=1, stx_uid=0, stx_gid=0, stx_mode=0100644 /* S_IFREG|0644 */, stx_ino=10109066, stx_size=22, stx_blocks=8, stx_attributes_mask=0, stx_atime={tv_sec=1795887205, tv_nsec=50088618} /* 2026-11-28T17:33:25.050088618+0000 */, stx_ctime={tv_sec=1795887205, tv_nsec=50026055}, stx_mtime={tv_sec=1795887205, tv_nsec=50026055}, stx_rdev_major=0, stx_rdev_minor=0, stx_dev_major=254, stx_dev_minor=0}) = 0",
        &Call::Statx {
            dirfd: AT_FDCWD,
            path: Some(b"f"),
            flags: AT_SYMLINK_NOFOLLOW,
            mask: STATX_BASIC_STATS,
        },
        told(),
    );
}

#[test]
fn names() {
    same(
        "access(\"f\", 0x6 /* R_OK|W_OK */) = 0",
        &Call::Access { path: Some(b"f"), mode: R_OK | W_OK },
        value(0),
    );
    same(
        "unlinkat(-100 /* AT_FDCWD */</w>, \"d\", 0x200 /* AT_REMOVEDIR */) = 0",
        &Call::Unlinkat { dirfd: AT_FDCWD, path: Some(b"d"), flags: AT_REMOVEDIR },
        value(0),
    );
    same(
        "readlinkat(-100 /* AT_FDCWD */</w>, \"s\", \"f\", 100) = 1",
        &Call::Readlinkat { dirfd: AT_FDCWD, path: Some(b"s"), bufsiz: 100 },
        data(b"f"),
    );
    same(
        "mknodat(-100 /* AT_FDCWD */</w>, \"n2\", 020644 /* S_IFCHR|0644 */, 0x103 /* makedev(0x1, 0x3) */) = 0",
        &Call::Mknodat { dirfd: AT_FDCWD, path: Some(b"n2"), mode: 0o20644, major: 1, minor: 3 },
        value(0),
    );
    same(
        "utimensat(-100 /* AT_FDCWD */</w>, \"f\", [{tv_sec=100, tv_nsec=5} /* 1970-01-01T00:01:40.000000005+0000 */, {tv_sec=0, tv_nsec=1073741822} /* UTIME_OMIT */], 0) = 0",
        &Call::Utimensat {
            dirfd: AT_FDCWD,
            path: Some(b"f"),
            atime: Some(time(100, 5)),
            mtime: Some(time(0, UTIME_OMIT)),
            flags: 0,
        },
        value(0),
    );
    same(
        "getxattr(\"f\", \"user.a\", NULL, 0) = 4",
        &Call::Getxattr { path: Some(b"f"), name: Some(b"user.a"), size: 0 },
        value(4),
    );
    same(
        "listxattr(\"f\", \"user.a\\x00\", 100) = 7",
        &Call::Listxattr { path: Some(b"f"), size: 100 },
        data(b"user.a\0"),
    );
    let entry = Dirent { ino: 7, off: 24, kind: 8, name: Bytes(b"s2".to_vec()) };
    same(
        "getdents64(9</w>, [{d_ino=7, d_off=24, d_reclen=24, d_type=0x8 /* DT_REG */, d_name=\"s2\"}], 4096) = 24",
        &Call::Getdents64 { fd: 9, count: 4096 },
        Ok(Answer { value: 24, payload: Payload::Dirents(vec![entry]) }),
    );
}
