//! What a successful call wrote, and how it is compared (IMPORT.md sections 0, 3, 7, 8, 9).

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Dirent, SelectSets};
use tickernel_systems::event::Payload;
use tickernel_systems::wire::Bytes;

use super::{Args, cut, inputs, value_is_free};
use crate::import::numbers;
use crate::replay::{Expected, FED, IGNORE_PAYLOAD, IGNORE_VALUE};
use crate::strace::Value;

/// Fills in what is known of the answer.
pub(super) fn outputs(args: &Args<'_>, value: i64, expected: &mut Expected) {
    let found = match args.name() {
        "read" | "pread64" => read(args.get(1), expected),
        "readv" | "preadv" | "preadv2" => vector(args.get(1), value, expected),
        "readlink" => read(args.get(1), expected),
        "readlinkat" => read(args.get(2), expected),
        "getcwd" => read(args.get(0), expected),
        "getxattr" | "lgetxattr" | "fgetxattr" => xattr(args.get(2), args.size(3)),
        "listxattr" | "llistxattr" | "flistxattr" => xattr(args.get(1), args.size(2)),
        "stat" | "lstat" | "fstat" => stat(args.get(1), false, expected),
        "newfstatat" | "fstatat64" => stat(args.get(2), false, expected),
        "statx" => stat(args.get(4), true, expected),
        "getdents64" => {
            let list = dirents(args.get(1), expected);
            // Only the number of entries was printed: nothing can be held against it.
            if list.is_none() && value > 0 {
                expected.flags |= IGNORE_VALUE | FED;
            }
            list
        }
        "pipe" | "pipe2" => pipe(args.get(0)),
        "socketpair" => pipe(args.get(3)),
        "clone" | "clone3" => {
            numbers::pidfd_of_clone(args.call).map(|fd| Payload::Number(i64::from(fd)))
        }
        "poll" | "ppoll" => poll(args, expected),
        "select" | "pselect6" => select(args, value),
        "wait4" if value > 0 => args.get(1).and_then(numbers::wait_status).map(Payload::Status),
        "waitid" => args.get(2).and_then(numbers::siginfo).map(|info| Payload::Info(info.into())),
        "rt_sigtimedwait" => {
            args.get(1).and_then(numbers::siginfo).map(|info| Payload::Info(info.into()))
        }
        "rt_sigaction" => {
            args.get(2).and_then(numbers::sigaction).map(|old| Payload::Action(old.into()))
        }
        "rt_sigprocmask" => args.get(2).and_then(numbers::sigset).map(Payload::Set),
        "rt_sigpending" => args.get(0).and_then(numbers::sigset).map(Payload::Set),
        "getgroups" => groups(args.get(1)),
        "getresuid" | "getresgid" => ids(args),
        "prlimit64" => args.get(3).and_then(numbers::rlimit).map(Payload::Limit),
        "getrlimit" => args.get(1).and_then(numbers::rlimit).map(Payload::Limit),
        "fcntl" => lock(args),
        "ioctl" => ioctl(args),
        "statfs" | "fstatfs" => {
            expected.flags |= FED;
            Some(Payload::Statfs(Box::default()))
        }
        "rt_sigreturn" => {
            value_is_free(expected);
            None
        }
        // Time left: moves with the machine's speed.
        "alarm" => {
            expected.flags |= IGNORE_PAYLOAD | IGNORE_VALUE;
            None
        }
        "setitimer" => args.get(2).and_then(numbers::itimer).map(Payload::Timer),
        "getitimer" => args.get(1).and_then(numbers::itimer).map(Payload::Timer),
        _ => super::sockets::outputs(args, expected)
            .or_else(|| super::waiting::outputs(args, value, expected)),
    };
    expected.payload = found.unwrap_or(Payload::None);
}

fn read(value: Option<&Value>, expected: &mut Expected) -> Option<Payload> {
    let text = value?.as_text()?;
    if text.cut {
        cut(expected);
    }
    Some(Payload::Data(Bytes(text.bytes.clone())))
}

/// The bytes that a vector read filled in: the printed bases, cut at the returned count.
fn vector(value: Option<&Value>, count: i64, expected: &mut Expected) -> Option<Payload> {
    let mut bytes = Vec::new();
    for item in value?.items()? {
        let Some(text) = item.field("iov_base").and_then(Value::as_text) else { break };
        if text.cut {
            cut(expected);
        }
        bytes.extend_from_slice(&text.bytes);
    }
    bytes.truncate(usize::try_from(count).ok()?);
    Some(Payload::Data(Bytes(bytes)))
}

fn xattr(value: Option<&Value>, size: Option<u64>) -> Option<Payload> {
    if size == Some(0) {
        return None;
    }
    let text = value?.as_text().filter(|text| !text.cut)?;
    Some(Payload::Data(Bytes(text.bytes.clone())))
}

fn stat(value: Option<&Value>, extended: bool, expected: &mut Expected) -> Option<Payload> {
    let value = value?;
    let (stat, members) = if extended { numbers::statx(value)? } else { numbers::stat(value)? };
    expected.members = members;
    Some(Payload::Stat(Box::new(stat)))
}

fn dirents(value: Option<&Value>, expected: &mut Expected) -> Option<Payload> {
    let array = value?.as_array()?;
    let one = |item: &Value| {
        Some(Dirent {
            ino: item.field("d_ino")?.as_u64()?,
            off: item.field("d_off")?.as_i64()?,
            kind: item.field("d_type").and_then(numbers::dirent_type).unwrap_or(0),
            name: Bytes(item.field("d_name")?.as_bytes()?.to_vec()),
        })
    };
    let entries: Option<Vec<Dirent>> = array.items.iter().map(one).collect();
    if entries.is_none() || array.more {
        cut(expected);
    }
    entries.map(Payload::Dirents)
}

fn pipe(value: Option<&Value>) -> Option<Payload> {
    match value?.items()? {
        [read, write] => Some(Payload::Fds([read.as_i32()?, write.as_i32()?])),
        _ => None,
    }
}

fn poll(args: &Args<'_>, expected: &mut Expected) -> Option<Payload> {
    let result = args.call.result.as_ref()?;
    let list = result.notes.iter().find(|note| note.as_array().is_some());
    if list.and_then(Value::as_array).is_some_and(|list| list.more) {
        cut(expected);
    }
    Some(Payload::Poll(match list {
        Some(list) => numbers::pollfds(list)?,
        None => Vec::new(),
    }))
}

fn select(args: &Args<'_>, value: i64) -> Option<Payload> {
    let result = args.call.result.as_ref()?;
    let given = |index: usize| args.get(index).is_some_and(|value| !value.is_null());
    let list = |index: usize, note: &str| {
        if !given(index) {
            return Some(None);
        }
        let Some(list) = result.note(note) else { return Some(Some(Vec::new())) };
        let list = numbers::fd_list(list)?;
        let mut list: Vec<i32> = list.into_iter().filter_map(|fd| fd.try_into().ok()).collect();
        list.sort_unstable();
        Some(Some(list))
    };
    if value > 0 && result.notes.is_empty() {
        return None;
    }
    Some(Payload::Select(Box::new(SelectSets {
        read: list(1, "in")?,
        write: list(2, "out")?,
        except: list(3, "except")?,
    })))
}

fn groups(value: Option<&Value>) -> Option<Payload> {
    let items = value?.items()?;
    let groups = items.iter().map(|item| item.as_u64().map(|group| group as u32));
    groups.collect::<Option<Vec<u32>>>().map(Payload::Groups)
}

fn ids(args: &Args<'_>) -> Option<Payload> {
    let one = |index: usize| args.get(index)?.pointee()?.as_u64().map(|id| id as u32);
    Some(Payload::Ids([one(0)?, one(1)?, one(2)?]))
}

fn lock(args: &Args<'_>) -> Option<Payload> {
    match args.flags(1, FCNTL_COMMANDS)? {
        F_GETLK | F_OFD_GETLK => inputs::lock(args.get(2)?.after()).map(Payload::Lock),
        _ => None,
    }
}

fn ioctl(args: &Args<'_>) -> Option<Payload> {
    let request = numbers::number(args.get(1)?, IOCTL_REQUESTS)?;
    let value = args.get(2)?;
    match u64::try_from(request).ok()? {
        TCGETS2 => super::terminal::termios2(value).map(|it| Payload::Termios2(Box::new(it))),
        TCGETS => {
            super::terminal::termios(value).map(|termios| Payload::Termios(Box::new(termios)))
        }
        TIOCGWINSZ => super::terminal::winsize(value).map(Payload::Winsize),
        FIONREAD | SIOCATMARK | TIOCGPGRP | TIOCGSID | TIOCOUTQ | TIOCGPTN => {
            value.pointee()?.after().as_i64().map(Payload::Number)
        }
        _ => None,
    }
}
