//! Arguments: descriptors, reading and writing, waiting. The other families are in the files
//! beside.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Errno, Flock};
use tickernel_systems::event::{Call, FcntlArg, IoctlArg};

use super::terminal::{termios, termios2, winsize};
use super::{Args, recorded};
use crate::import::numbers;
use crate::replay::Recorded;
use crate::strace::Value;

/// Commands of fcntl(2) that the kernel carries out.
const MODELLED_COMMANDS: &[u32] = &[
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_SETFD,
    F_GETFL,
    F_SETFL,
    F_GETOWN,
    F_SETOWN,
    F_GETSIG,
    F_SETSIG,
    F_GETLK,
    F_SETLK,
    F_SETLKW,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_GETPIPE_SZ,
    F_SETPIPE_SZ,
    F_ADD_SEALS,
    F_GET_SEALS,
];

/// The encoded call; `None` if the core has none, or the text says too little.
pub(super) fn inputs(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "read" => Call::Read { fd: args.fd(0)?, count: args.size(2)? },
        "readv" => Call::Readv { fd: args.fd(0)?, count: args.vector_count(1)? },
        "pread64" => Call::Pread64 { fd: args.fd(0)?, count: args.size(2)?, offset: args.long(3)? },
        "preadv" | "preadv2" => {
            let (fd, count) = (args.fd(0)?, args.vector_count(1)?);
            // Flags that cannot be read would be lost: then the call is not known.
            if args.name() == "preadv2" {
                vector_flags(args)?;
            }
            match args.long(3)? {
                -1 if args.name() == "preadv2" => Call::Readv { fd, count },
                offset => Call::Preadv { fd, count, offset },
            }
        }
        "write" => {
            let data = args.data(1, args.size(2))?;
            return args.done(&Call::Write { fd: args.fd(0)?, data: &data });
        }
        "writev" => {
            let data = args.vector(1)?;
            return args.done(&Call::Writev { fd: args.fd(0)?, data: &data });
        }
        "pwrite64" => {
            let data = args.data(1, args.size(2))?;
            let (fd, offset) = (args.fd(0)?, args.long(3)?);
            return args.done(&Call::Pwrite64 { fd, data: &data, offset });
        }
        "pwritev" | "pwritev2" => {
            let data = args.vector(1)?;
            let (fd, offset) = (args.fd(0)?, args.long(3)?);
            if args.name() == "pwritev2" {
                vector_flags(args)?;
            }
            if offset == -1 && args.name() == "pwritev2" {
                return args.done(&Call::Writev { fd, data: &data });
            }
            return args.done(&Call::Pwritev { fd, data: &data, offset });
        }
        "close" => Call::Close { fd: args.fd(0)? },
        "close_range" => Call::CloseRange {
            first: args.size(0)? as u32,
            last: args.size(1)? as u32,
            flags: args.flags(2, CLOSE_RANGE_FLAGS)?,
        },
        "dup" => Call::Dup { oldfd: args.fd(0)? },
        "dup2" => Call::Dup2 { oldfd: args.fd(0)?, newfd: args.fd(1)? },
        "dup3" => {
            Call::Dup3 { oldfd: args.fd(0)?, newfd: args.fd(1)?, flags: args.flags(2, OPEN_FLAGS)? }
        }
        "pipe" => Call::Pipe {},
        "pipe2" => Call::Pipe2 { flags: args.flags(1, OPEN_FLAGS)? },
        "fcntl" => return fcntl(args),
        "ioctl" => return ioctl(args),
        "flock" => Call::Flock { fd: args.fd(0)?, operation: args.flags(1, FLOCK_OPERATIONS)? },
        "lseek" => {
            Call::Lseek { fd: args.fd(0)?, offset: args.long(1)?, whence: args.flags(2, WHENCES)? }
        }
        "getdents64" => Call::Getdents64 { fd: args.fd(0)?, count: args.size(2)? },
        "poll" | "ppoll" | "select" | "pselect6" => return waiting(args),
        _ => {
            return super::files::inputs(args)
                .or_else(|| super::process::inputs(args))
                .or_else(|| super::sockets::inputs(args))
                .or_else(|| super::waiting::inputs(args));
        }
    };
    args.done(&call)
}

/// The flags of a preadv2(2) or pwritev2(2).
pub(super) fn vector_flags(args: &Args<'_>) -> Option<u32> {
    matches!(args.name(), "preadv2" | "pwritev2").then(|| args.flags(4, RWF_FLAGS)).flatten()
}

fn fcntl(args: &Args<'_>) -> Option<Vec<u8>> {
    let (fd, cmd) = (args.fd(0)?, args.flags(1, FCNTL_COMMANDS)?);
    // Linux knows it, the kernel does not; of leases it knows that there is none.
    let is_known = match (cmd, recorded(args.call)) {
        (_, Recorded::Errno(Errno::EINVAL)) | (F_SETLEASE, Recorded::Errno(_)) => true,
        (F_GETLEASE, answer) => answer == Recorded::Value(i64::from(F_UNLCK)),
        (cmd, _) => MODELLED_COMMANDS.contains(&cmd),
    };
    if !is_known {
        return None;
    }
    let arg = match args.get(2) {
        None => FcntlArg::Number(0),
        Some(value) if value.as_struct().is_some() => FcntlArg::Lock(match cmd {
            F_GETLK | F_OFD_GETLK if args.succeeded() && matches!(value, Value::Struct(_)) => {
                asked_lock(lock(value)?)
            }
            _ => lock(value.before())?,
        }),
        Some(value) if cmd == F_SETSIG => {
            FcntlArg::Number(i64::from(numbers::signal_number(value)?))
        }
        Some(value) => {
            let table = match cmd {
                F_SETFL => OPEN_FLAGS,
                F_SETFD => FD_FLAGS,
                F_ADD_SEALS => SEALS,
                _ => &[],
            };
            FcntlArg::Number(i64::try_from(numbers::number(value, table)?).ok()?)
        }
    };
    args.done(&Call::Fcntl { fd, cmd, arg })
}

/// What F_GETLK was asked, of which strace prints only what it left. Where nothing is in the way of
/// a lock, nothing is in the way of one for reading; only one for writing meets one for reading.
pub fn asked_lock(left: Flock) -> Flock {
    let reading = left.kind == F_RDLCK as i16;
    Flock { kind: if reading { F_WRLCK as i16 } else { F_RDLCK as i16 }, pid: 0, ..left }
}

/// `{l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=0}`
pub(super) fn lock(value: &Value) -> Option<Flock> {
    let long = |name: &str| value.field(name).and_then(Value::as_i64);
    Some(Flock {
        kind: numbers::number(value.field("l_type")?, LOCK_KINDS)? as i16,
        whence: numbers::number(value.field("l_whence")?, WHENCES)? as i16,
        start: long("l_start")?,
        len: long("l_len")?,
        pid: long("l_pid").unwrap_or(0) as i32,
    })
}

fn ioctl(args: &Args<'_>) -> Option<Vec<u8>> {
    let fd = args.fd(0)?;
    let request = request(args.get(1)?)?;
    // What objects that are not modelled answer is the host's.
    let known = IOCTL_REQUESTS.iter().any(|entry| entry.1 == request);
    if (!known || is_of_interface(request)) && args.succeeded() {
        return None;
    }
    let arg = match args.get(2) {
        None => IoctlArg::Number(0),
        Some(value) => match request {
            TIOCSWINSZ => winsize(value).map_or(IoctlArg::Number(0), IoctlArg::Winsize),
            TCSETS | TCSETSW | TCSETSF => {
                termios(value).map_or(IoctlArg::Number(0), IoctlArg::Termios)
            }
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                termios2(value).map_or(IoctlArg::Number(0), IoctlArg::Termios2)
            }
            FIONBIO | FIOASYNC | TIOCSPGRP | TIOCPKT | TIOCSPTLCK => {
                IoctlArg::Number(value.pointee().unwrap_or(value).before().as_i64()?)
            }
            TIOCSTI => {
                let typed = value.as_text().and_then(|text| text.bytes.first().copied());
                IoctlArg::Number(typed.map_or_else(|| value.as_i64().unwrap_or(0), i64::from))
            }
            _ => IoctlArg::Number(match value.bare() {
                Value::Int(int) => i64::try_from(int.value()).unwrap_or(0),
                _ => 0,
            }),
        },
    };
    args.done(&Call::Ioctl { fd, request, arg })
}

/// A request; in abbreviated style several names may stand for one number.
pub(in crate::import) fn request(value: &Value) -> Option<u64> {
    if let Some(number) = numbers::number(value, IOCTL_REQUESTS) {
        return u64::try_from(number).ok();
    }
    // A name that the core does not know is a request that none of its objects knows either.
    value.name().map(|_| u64::from(u32::MAX))
}

fn waiting(args: &Args<'_>) -> Option<Vec<u8>> {
    let time = |index: usize| match args.get(index) {
        None => Some(None),
        Some(value) if value.is_null() => Some(None),
        Some(value) => numbers::timespec(value.before()).map(Some),
    };
    let list = |index: usize| match args.get(index)? {
        value if value.is_null() => Some(None),
        value => numbers::fd_list(value.before()).map(Some),
    };
    let mask = |value: Option<&Value>| match value {
        Some(value) if value.as_array().is_some() => numbers::sigset(value).map(Some),
        _ => Some(None),
    };
    // Nothing is read of a list of no entries, wherever it stands: the call only sleeps.
    let polled = || match args.size(1) {
        Some(0) => Some(Vec::new()),
        Some(_) | None => numbers::pollfds(args.get(0)?),
    };
    let call = match args.name() {
        "poll" => Call::Poll { fds: polled()?, timeout: args.int(2)? },
        "ppoll" => Call::Ppoll { fds: polled()?, timeout: time(2)?, sigmask: mask(args.get(3))? },
        "select" => Call::Select {
            nfds: args.int(0)?,
            readfds: list(1)?,
            writefds: list(2)?,
            exceptfds: list(3)?,
            timeout: time(4)?,
        },
        _ => Call::Pselect6 {
            nfds: args.int(0)?,
            readfds: list(1)?,
            writefds: list(2)?,
            exceptfds: list(3)?,
            timeout: time(4)?,
            sigmask: mask(args.get(5).and_then(|value| value.field("sigmask")))?,
        },
    };
    args.done(&call)
}
