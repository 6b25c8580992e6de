//! The descriptors that a call makes, as strace prints them: their numbers, how many, whether they
//! close on exec.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::socket::{CONTROL_TYPES, SCM_RIGHTS};
use tickernel_systems::event::Call;

use super::numbers::bits32;
use crate::strace::{self, Value};

/// The numbers of the descriptors that a call made, by its name: also one that the kernel does not
/// know.
pub(super) fn made_fds(call: &strace::Call, value: i64) -> Vec<i32> {
    let list = match &*call.name {
        "pipe" | "pipe2" => call.arg(0),
        "socketpair" => call.arg(3),
        "open"
        | "openat"
        | "openat2"
        | "creat"
        | "socket"
        | "accept"
        | "accept4"
        | "epoll_create"
        | "epoll_create1"
        | "eventfd"
        | "eventfd2"
        | "signalfd"
        | "signalfd4"
        | "timerfd_create"
        | "inotify_init"
        | "inotify_init1"
        | "memfd_create"
        | "pidfd_open"
        | "pidfd_getfd"
        | "userfaultfd"
        | "fanotify_init"
        | "perf_event_open"
        | "io_uring_setup"
        | "memfd_secret"
        | "open_tree"
        | "fsopen"
        | "fsmount"
        | "fspick"
        | "mq_open"
        | "landlock_create_ruleset" => {
            return i32::try_from(value).ok().filter(|fd| *fd >= 0).into_iter().collect();
        }
        "recvmsg" => return call.arg(1).map(received_fds).unwrap_or_default(),
        "recvmmsg" => {
            let messages = call.arg(1).and_then(Value::items).unwrap_or_default();
            return messages
                .iter()
                .filter_map(|it| it.field("msg_hdr"))
                .flat_map(received_fds)
                .collect();
        }
        "clone" | "clone3" => return super::numbers::pidfd_of_clone(call).into_iter().collect(),
        // TIOCGPTPEER: no text stands after its number.
        "ioctl" if call.arg(1).and_then(super::decode::request) == Some(TIOCGPTPEER) => {
            return i32::try_from(value).ok().into_iter().collect();
        }
        "ioctl" => {
            let made = call.result.as_ref().and_then(|result| result.value.as_ref()?.as_fd());
            return made.and_then(|fd| fd.number.as_i32()).into_iter().collect();
        }
        _ => return Vec::new(),
    };
    list.and_then(Value::items).unwrap_or_default().iter().filter_map(Value::as_i32).collect()
}

/// How many descriptors a call makes whose list may not be printed whole (`-s 1`, or
/// `-e verbose=none`).
pub(super) fn made_count(call: &strace::Call) -> usize {
    if matches!(&*call.name, "pipe" | "pipe2" | "socketpair") { 2 } else { 0 }
}

/// Descriptors that came in a message (SCM_RIGHTS, unix(7)).
fn received_fds(message: &Value) -> Vec<i32> {
    let control = message.field("msg_control");
    let messages = control.and_then(Value::items).unwrap_or_default().iter();
    let kind = |it: &Value| bits32(it.field("cmsg_type")?, CONTROL_TYPES);
    let rights = messages
        .filter(|it| kind(it) == Some(SCM_RIGHTS))
        .filter_map(|it| it.field("cmsg_data")?.items());
    rights.flatten().filter_map(Value::as_i32).collect()
}

/// Whether the flags were printed as a number that has O_CLOEXEC (`-e raw`).
fn has_cloexec_as_number(call: &strace::Call) -> bool {
    let at = match &*call.name {
        "epoll_create1" | "inotify_init1" => 0,
        "open" | "pipe2" | "socket" | "socketpair" | "eventfd2" | "timerfd_create" => 1,
        "openat" => 2,
        "accept4" | "signalfd4" => 3,
        _ => return false,
    };
    let flags = call.arg(at).and_then(Value::as_u64);
    flags.is_some_and(|flags| flags & u64::from(O_CLOEXEC) != 0)
}

/// Whether what a call makes closes on exec: flags by name or number are O_CLOEXEC everywhere.
pub(super) fn makes_cloexec(call: &strace::Call, parsed: Option<&Call<'_>>) -> bool {
    match parsed {
        Some(
            Call::Open { flags, .. }
            | Call::Openat { flags, .. }
            | Call::Openat2 { flags, .. }
            | Call::Pipe2 { flags },
        ) => flags & O_CLOEXEC != 0,
        Some(
            Call::EpollCreate1 { flags }
            | Call::InotifyInit1 { flags }
            | Call::TimerfdCreate { flags, .. }
            | Call::Signalfd4 { flags, .. },
        ) => flags & O_CLOEXEC != 0,
        Some(Call::Socket { r#type, .. } | Call::Socketpair { r#type, .. }) => {
            r#type & SOCK_CLOEXEC != 0
        }
        Some(Call::Unmodelled { .. }) | None => {
            let cloexec = |word: &str| word.ends_with("_CLOEXEC");
            call.name.starts_with("pidfd_")
                || has_cloexec_as_number(call)
                || call.args.iter().any(|arg| {
                    arg.names().iter().any(|name| cloexec(name))
                        || arg.comment().is_some_and(|text| text.contains("_CLOEXEC"))
                })
        }
        // CLONE_PIDFD
        Some(Call::Clone { .. } | Call::PidfdOpen { .. } | Call::PidfdGetfd { .. }) => true,
        Some(Call::MemfdCreate { flags, .. }) => flags & MFD_CLOEXEC != 0,
        Some(Call::Eventfd2 { flags, .. }) => flags & O_CLOEXEC != 0,
        Some(_) => false,
    }
}
