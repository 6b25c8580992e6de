//! Whether what is compared is what the text says, and what was fed is of a kind that may be.

use std::collections::BTreeSet;

use tickernel_systems::abi::{Termios, Termios2};
use tickernel_systems::event::Payload;

use super::calls::{Found, Texts};
use super::{Certificate, Fault, Seen};
use crate::import::{decode_answer, has_characters, is_cut, signal_info};
use crate::replay::{Expected, FED, FED_PROC, GIVEN, IGNORE_PAYLOAD, IGNORE_VALUE, Recorded, Role};
use crate::strace::{Call, Value};

/// Calls whose answer may be taken from the recording, and why (IMPORT.md: INPUT).
const MAY_BE_FED: &[(&str, &str)] = &[
    ("read", "files of /proc, random bytes, what came from outside"),
    ("readv", "the same"),
    ("pread64", "the same"),
    ("preadv", "the same"),
    ("preadv2", "the same"),
    ("getrandom", "random bytes"),
    ("readlink", "links of /proc"),
    ("readlinkat", "links of /proc"),
    ("getdents64", "directories of the machine"),
    ("statfs", "the machine's file systems"),
    ("fstatfs", "the machine's file systems"),
    ("stat", "links of directories that others change"),
    ("lstat", "the same"),
    ("fstat", "the same"),
    ("newfstatat", "the same"),
    ("statx", "the same"),
    ("getppid", "a parent outside the recording"),
    ("prlimit64", "limits that were never set"),
    ("getrlimit", "limits that were never set"),
    ("poll", "descriptors that others serve"),
    ("ppoll", "descriptors that others serve"),
    ("select", "descriptors that others serve"),
    ("pselect6", "descriptors that others serve"),
    ("ioctl", "terminals and devices of the machine"),
    ("write", "what others read"),
    ("writev", "what others read"),
    ("connect", "who listens outside the recording"),
    ("accept", "who connects from outside"),
    ("accept4", "the same"),
    ("recvfrom", "what came from outside"),
    ("recvmsg", "the same"),
    ("sendto", "what others receive"),
    ("sendmsg", "the same"),
    ("socket", "sockets that the kernel does not model"),
    ("bind", "the same"),
    ("listen", "the same"),
    ("fadvise64", "the same"),
    ("shutdown", "connections to the outside"),
    ("getsockname", "the same"),
    ("getpeername", "the same"),
    ("getsockopt", "the same"),
    ("setsockopt", "the same"),
    ("fcntl", "the same"),
    ("epoll_ctl", "descriptors that others serve"),
    ("epoll_wait", "descriptors that others serve"),
    ("epoll_pwait", "descriptors that others serve"),
    ("epoll_pwait2", "descriptors that others serve"),
    ("wait4", "children that were there before"),
    ("waitid", "children that were there before"),
    ("lseek", "files whose size nobody saw"),
    ("getxattr", "attributes from before the recording (xattr(7))"),
    ("lgetxattr", "the same"),
    ("fgetxattr", "the same"),
    ("listxattr", "the same"),
    ("llistxattr", "the same"),
    ("flistxattr", "the same"),
    ("setxattr", "the same"),
    ("lsetxattr", "the same"),
    ("fsetxattr", "the same"),
    ("removexattr", "the same"),
    ("lremovexattr", "the same"),
    ("fremovexattr", "the same"),
    ("kill", "processes outside the recording"),
    ("tkill", "the same"),
    ("tgkill", "the same"),
    ("getpgid", "the same"),
    ("getsid", "the same"),
    ("setpgid", "groups outside the recording"),
    ("rt_sigqueueinfo", "processes outside the recording"),
    ("rt_tgsigqueueinfo", "the same"),
    ("rt_sigtimedwait", "signals from outside"),
    ("rt_sigprocmask", "masks of calls that are not printed (strace -z)"),
];

/// Descriptors of files of /proc or /sys, by the numbers that fed calls gave: where descriptors are
/// printed without text, a path below one tells nothing else.
#[derive(Debug, Default)]
pub(super) struct MachineFds(BTreeSet<i32>);

impl MachineFds {
    /// Whether a fed call is about the machine's own files.
    fn allow(&mut self, call: &Call) -> bool {
        let below = call.arg(0).and_then(Value::as_i32).is_some_and(|fd| self.0.contains(&fd));
        let allowed = is_about_the_machine(call) || below;
        let result = call.result.as_ref().and_then(|result| result.value.as_ref());
        if let Some(made) = result.and_then(Value::as_i32)
            && allowed
            && call.name.starts_with("open")
        {
            self.0.insert(made);
        }
        allowed
    }
}

/// Whether a call names a file of /proc or /sys, by path or by the text beside a descriptor.
fn is_about_the_machine(call: &Call) -> bool {
    let of_machine = |path: &[u8]| {
        path.starts_with(b"/proc") || path.starts_with(b"/sys") || path == b"/dev/kmsg"
    };
    let result = call.result.as_ref().and_then(|result| result.value.as_ref());
    call.args.iter().chain(result).any(|value| {
        value.as_text().is_some_and(|text| of_machine(&text.bytes))
            || value.as_fd().is_some_and(|fd| of_machine(&fd.text))
    })
}

/// Whether the text shows the flags of a terminal's settings alone, and those are the same.
fn are_flags_alone(call: &Call, expected: &Expected, told: &Expected) -> bool {
    if call.arg(2).is_none_or(has_characters) {
        return false;
    }
    let whole = |it: &Termios, from: &Termios| Termios { line: from.line, cc: from.cc, ..*it };
    match (&expected.payload, &told.payload) {
        (Payload::Termios(one), Payload::Termios(other)) => whole(other, one) == **one,
        (Payload::Termios2(one), Payload::Termios2(other)) => {
            let termios = whole(&other.termios, &one.termios);
            Termios2 { termios, ..**other } == **one
        }
        _ => false,
    }
}

/// Checks one call or signal.
pub(super) fn check(
    seen: &Seen<'_>,
    expected: &Expected,
    found: &Found,
    machine: &mut MachineFds,
    text: &mut Texts<'_>,
    certificate: &mut Certificate,
) -> Result<(), Fault> {
    if let Some(info) = &found.info {
        let told = signal_info(info).map(|info| Payload::Info(Box::new(info)));
        if told.is_some_and(|told| told != expected.payload) {
            let why = "the siginfo is not that of the recording".to_owned();
            return Err(seen.fault(Some(found.entry), why));
        }
        return Ok(());
    }
    let Some(call) = found.last.as_deref() else { return Ok(()) };
    match expected.role {
        Role::Call => {}
        // Counted as fed or unsupported, or not at all: nothing was compared.
        Role::OutOfScope | Role::Unsupported | Role::Taken | Role::Force | Role::Signal => {
            certificate.fed += u64::from(expected.role == Role::Taken);
            return Ok(());
        }
    }
    if expected.flags & FED != 0 {
        certificate.fed += 1;
        let name = expected.name();
        let listed = MAY_BE_FED.iter().any(|(allowed, _)| *allowed == name);
        // strace -e inject: the kernel was not asked.
        let injected = call.result.as_ref().is_some_and(|result| result.says("INJECTED"));
        let of_proc = expected.flags & FED_PROC != 0 && machine.allow(call);
        let allowed = of_proc || listed || injected || is_cut(call);
        // Where calls are left out, what any other answers may rest on them.
        if !allowed && !text.leaves_out() {
            let why = format!("{name} was fed, which nothing that it answers may be");
            return Err(seen.fault(Some(found.entry), why));
        }
        return Ok(());
    }
    let told = decode_answer(call);
    let free = expected.flags & (IGNORE_VALUE | GIVEN) != 0;
    let never = expected.recorded == Recorded::Never || told.recorded == Recorded::Never;
    if expected.recorded != told.recorded && !free && !never {
        let why =
            format!("the trace expects {:?}, the text says {:?}", expected.recorded, told.recorded);
        return Err(seen.fault(Some(found.entry), why));
    }
    // What was entered again by `restart_syscall` prints its outputs by its own name only.
    let silent = found.again && *call.name != *expected.name();
    let wrote = expected.flags & IGNORE_PAYLOAD == 0 && !silent;
    let same = expected.payload == told.payload || are_flags_alone(call, expected, &told);
    if wrote && !same && expected.payload != Payload::None {
        let why = "what the call wrote is not what the text says".to_owned();
        return Err(seen.fault(Some(found.entry), why));
    }
    certificate.compared += 1;
    Ok(())
}
