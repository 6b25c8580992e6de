//! Arguments of calls on descriptors: reading and writing, fcntl(2), ioctl(2), waiting.

use tickernel_systems::abi::Flock;
use tickernel_systems::abi::PollFd;
use tickernel_systems::abi::flags::*;
use tickernel_systems::event::{Call, FcntlArg, IoctlArg, Payload};

use crate::import::asked_lock;

use super::args::Args;
use super::structs;
use super::values::{self, ADDRESS, hex, list, text};

/// Prints the arguments of any call.
pub(super) fn args(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::Read { fd, count } => {
            args.fd(*fd).data().number(*count);
        }
        Call::Pread64 { fd, count, offset } => {
            args.fd(*fd).data().number(*count).number(*offset);
        }
        Call::Readv { fd, count } => {
            vector_read(args.fd(*fd), *count);
        }
        Call::Preadv { fd, count, offset } => {
            vector_read(args.fd(*fd), *count).number(*offset);
        }
        Call::Preadv2 { fd, count, offset, flags } => {
            vector_read(args.fd(*fd), *count).number(*offset).flags(*flags, RWF_FLAGS);
        }
        Call::Pwritev2 { fd, data, offset, flags } => {
            args.fd(*fd).put(vector(&text(data), data.len() as u64)).number(1);
            args.number(*offset).flags(*flags, RWF_FLAGS);
        }
        Call::Write { fd, data } => {
            args.fd(*fd).put(text(data)).number(data.len() as u64);
        }
        Call::Pwrite64 { fd, data, offset } => {
            args.fd(*fd).put(text(data)).number(data.len() as u64).number(*offset);
        }
        Call::Writev { fd, data } => {
            args.fd(*fd).put(vector(&text(data), data.len() as u64)).number(1);
        }
        Call::Pwritev { fd, data, offset } => {
            args.fd(*fd).put(vector(&text(data), data.len() as u64)).number(1).number(*offset);
        }
        Call::Pipe {} => {
            ends(args);
        }
        Call::Pipe2 { flags } => {
            ends(args).flags(*flags, OPEN_FLAGS_BUT_MODE);
        }
        Call::Dup3 { oldfd, newfd, flags } => {
            args.fd(*oldfd).fd(*newfd).flags(*flags, OPEN_FLAGS_BUT_MODE);
        }
        Call::Dup2 { oldfd, newfd } => {
            args.fd(*oldfd).fd(*newfd);
        }
        // What it was given is not known.
        Call::Unmodelled { .. } => {}
        Call::Fcntl { fd, cmd, arg } => fcntl(args.fd(*fd), *cmd, arg),
        Call::Ioctl { fd, request, arg } => {
            args.fd(*fd).choice(*request, IOCTL_REQUESTS);
            ioctl(args, *request, arg);
        }
        Call::Getdents64 { fd, count } => {
            args.fd(*fd).output(|payload| match payload {
                Payload::Dirents(entries) => Some(structs::dirents(entries)),
                _ => None,
            });
            args.number(*count);
        }
        other => ranges(args, other),
    }
}

/// Ranges of files, and waiting for descriptors.
fn ranges(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::Fadvise64 { fd, offset, len, advice } => {
            args.fd(*fd).number(*offset).number(*len);
            args.choice(*advice, ADVICES);
        }
        Call::Fallocate { fd, mode, offset, len } => {
            args.fd(*fd).flags(*mode, FALLOCATE_MODES).number(*offset).number(*len);
        }
        Call::Poll { fds, timeout } => {
            polled(args, fds).number(fds.len() as u64).number(*timeout);
        }
        Call::Ppoll { fds, timeout, sigmask } => {
            polled(args, fds).number(fds.len() as u64);
            args.optional(timeout, |time| structs::timespec(*time));
            args.optional(sigmask, |set| values::sigset(*set)).number(8);
        }
        Call::Select { nfds, readfds, writefds, exceptfds, timeout } => {
            sets(args, *nfds, [readfds, writefds, exceptfds]);
            args.optional(timeout, |time| structs::timeval(*time));
        }
        Call::Pselect6 { nfds, readfds, writefds, exceptfds, timeout, sigmask } => {
            sets(args, *nfds, [readfds, writefds, exceptfds]);
            args.optional(timeout, |time| structs::timespec(*time));
            args.optional(sigmask, |set| {
                format!("{{sigmask={}, sigsetsize=8}}", values::sigset(*set))
            });
        }
        other => super::files::args(args, other),
    }
}

/// Flags of open(2) where there is no access mode.
const OPEN_FLAGS_BUT_MODE: Names = match OPEN_FLAGS.split_at_checked(3) {
    Some((_, rest)) => rest,
    None => OPEN_FLAGS,
};

fn vector(base: &str, length: u64) -> String {
    format!("[{{iov_base={base}, iov_len={length}}}]")
}

/// The kernel joins a vector to one piece of memory.
fn vector_read<'a, 'b>(args: &'a mut Args<'b>, count: u64) -> &'a mut Args<'b> {
    let base = match args.payload() {
        Some(Payload::Data(bytes)) => text(&bytes.0),
        _ => ADDRESS.to_owned(),
    };
    args.put_output(vector(&base, count)).number(1)
}

pub(super) fn ends<'a, 'b>(args: &'a mut Args<'b>) -> &'a mut Args<'b> {
    let look = args.look;
    args.output(|payload| match payload {
        Payload::Fds(fds) => Some(list(fds.iter().map(|fd| look.fd(*fd)))),
        _ => None,
    })
}

fn fcntl(args: &mut Args<'_>, cmd: u32, arg: &FcntlArg) {
    args.choice(cmd, FCNTL_COMMANDS);
    let number = match arg {
        FcntlArg::Lock(lock) => {
            // Of F_GETLK strace prints what it leaves, not what was asked for; that stands here too
            // where nobody would guess it.
            match (cmd, args.payload()) {
                (F_GETLK | F_OFD_GETLK, Some(Payload::Lock(told))) => {
                    let guessed = asked_lock(*told) == Flock { pid: 0, ..*lock };
                    let told = structs::lock(told, true);
                    let asked = structs::lock(lock, false);
                    args.put_output(if guessed { told } else { format!("{asked} => {told}") })
                }
                (F_GETLK | F_OFD_GETLK, _) => args.put_output(structs::lock(lock, false)),
                _ => args.put(structs::lock(lock, false)),
            };
            return;
        }
        FcntlArg::Owner(owner) => {
            match args.payload() {
                Some(Payload::Owner(told)) => args.put_output(structs::owner(*told)),
                _ => args.put(structs::owner(*owner)),
            };
            return;
        }
        FcntlArg::Number(number) => *number,
    };
    match cmd {
        F_GETFD | F_GETFL | F_GETOWN | F_GETSIG | F_GETLEASE | F_GETPIPE_SZ | F_GET_SEALS => {}
        F_SETFD => {
            args.flags(number.cast_unsigned(), FD_FLAGS);
        }
        F_SETFL => {
            args.flags(number.cast_unsigned(), OPEN_FLAGS);
        }
        F_ADD_SEALS => {
            args.flags(number.cast_unsigned(), SEALS);
        }
        F_DUPFD | F_DUPFD_CLOEXEC | F_SETOWN | F_SETPIPE_SZ => {
            args.number(number);
        }
        _ => {
            args.put(hex(number.cast_unsigned()));
        }
    }
}

fn ioctl(args: &mut Args<'_>, request: u64, arg: &IoctlArg) {
    let number = match arg {
        IoctlArg::Interface(asked) => {
            match args.payload() {
                Some(Payload::Interface(told)) => args.put_output(structs::interface(told)),
                _ => args.put(structs::interface(asked)),
            };
            return;
        }
        IoctlArg::Winsize(size) => {
            args.put(structs::winsize(*size));
            return;
        }
        IoctlArg::Termios(termios) => {
            args.put(structs::termios(termios));
            return;
        }
        IoctlArg::Termios2(termios) => {
            args.put(structs::termios2(termios));
            return;
        }
        IoctlArg::Number(number) => *number,
    };
    match request {
        FIONBIO | FIOASYNC | TIOCSPGRP | TIOCPKT | TIOCSPTLCK | TIOCSETD => {
            args.put(format!("[{number}]"));
        }
        FIOCLEX | FIONCLEX | TIOCNOTTY | TIOCEXCL | TIOCNXCL | TIOCSBRK | TIOCCBRK
        | TIOCVHANGUP => {}
        TCGETS | TCGETS2 | TCGETA | TIOCGWINSZ | FIONREAD | TIOCGPGRP | TIOCGSID | TIOCOUTQ
        | SIOCATMARK | TIOCGPTN | TIOCGPTLCK | TIOCGPKT | TIOCGEXCL | TIOCGDEV | TIOCGETD
        | FIOQSIZE => {
            args.output(|payload| match payload {
                Payload::Number(number) => Some(format!("[{number}]")),
                Payload::Termios(termios) => Some(structs::termios(termios)),
                Payload::Termios2(termios) => Some(structs::termios2(termios)),
                Payload::Winsize(size) => Some(structs::winsize(*size)),
                _ => None,
            });
        }
        TIOCSCTTY | TCSBRK | TCSBRKP | TCXONC | TCFLSH => {
            args.number(number);
        }
        _ => {
            args.put(hex(number.cast_unsigned()));
        }
    }
}

fn polled<'a, 'b>(args: &'a mut Args<'b>, fds: &[PollFd]) -> &'a mut Args<'b> {
    let look = args.look;
    let one = |entry: &PollFd| match entry.fd {
        // Passed over, its events with it.
        fd if fd < 0 => format!("{{fd={fd}}}"),
        fd => format!("{{fd={}, events={}}}", look.fd(fd), structs::poll_events(entry.events)),
    };
    args.put(list(fds.iter().map(one)))
}

/// A set of descriptors holds numbers below `nfds`.
fn sets(args: &mut Args<'_>, nfds: i32, sets: [&Option<Vec<i64>>; 3]) {
    args.number(nfds);
    for set in sets {
        let look = args.look;
        args.optional(set, |set| {
            let mut fds: Vec<i32> = set.iter().filter_map(|fd| i32::try_from(*fd).ok()).collect();
            fds.retain(|fd| (0..nfds).contains(fd));
            fds.sort_unstable();
            fds.dedup();
            format!("[{}]", fds.iter().map(|fd| look.fd(*fd)).collect::<Vec<_>>().join(" "))
        });
    }
}
