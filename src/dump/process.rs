//! Arguments of calls about processes, ids, limits and what they may do.

use tickernel_systems::abi::credentials::{CAPABILITIES, SECUREBITS};
use tickernel_systems::abi::flags::*;
use tickernel_systems::event::{Call, Payload};

use super::args::Args;
use super::structs;
use super::values::{self, choice, flags, hex, list, text};

pub(super) fn args(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::Clone { flags, set_tid } => clone(args, *flags, *set_tid),
        Call::Execve { path, argv, envp } => {
            args.path(*path);
            for words in [argv, envp] {
                args.put(list(words.iter().map(|word| text(until_nul(word)))));
            }
        }
        Call::Wait4 { wpid, options } => {
            args.number(*wpid);
            // Of a wait that found nothing the status is not read.
            args.output(|payload| match payload {
                Payload::Status(status) => Some(structs::wait_status(*status)),
                _ => None,
            });
            args.flags(*options, WAIT_OPTIONS).put("NULL");
        }
        Call::Waitid { idtype, id, options } => {
            args.choice(*idtype, WAITID_TYPES);
            match *idtype {
                P_PIDFD => args.fd(id.cast_signed()),
                _ => args.number(*id),
            };
            args.output(|payload| match payload {
                Payload::Info(info) if info.signo == 0 => Some("{}".to_owned()),
                Payload::Info(info) => Some(structs::siginfo(info)),
                _ => None,
            });
            args.flags(*options, WAIT_OPTIONS).put("NULL");
        }
        Call::Getgroups { size } => {
            args.number(*size);
            match args.payload() {
                Some(Payload::Groups(groups)) if *size > 0 => {
                    let groups = list(groups.iter().map(u32::to_string));
                    args.put_output(groups);
                }
                _ => {
                    args.put_output("NULL");
                }
            }
        }
        Call::Setgroups { groups } => {
            args.number(groups.len() as u64).put(list(groups.iter().map(i64::to_string)));
        }
        Call::Getresuid {} | Call::Getresgid {} => {
            let ids = match args.payload() {
                Some(Payload::Ids(ids)) => *ids,
                _ => [0; 3],
            };
            for id in ids {
                args.put_output(format!("[{id}]"));
            }
        }
        other => limits(args, other),
    }
}

/// Limits and what a process may do.
fn limits(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::Prlimit64 { target, resource, new_limit } => {
            args.number(*target).choice(*resource, RESOURCES);
            args.optional(new_limit, |limit| structs::rlimit(*limit));
            args.optional_output(limit);
        }
        Call::Getrlimit { resource } => {
            args.choice(*resource, RESOURCES).output(limit);
        }
        Call::CloseRange { first, last, flags } => {
            args.number(*first).number(*last).flags(*flags, CLOSE_RANGE_FLAGS);
        }
        Call::Capset { target, effective, permitted, inheritable } => {
            args.put(format!(
                "{{version=0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, pid={target}}}"
            ));
            let (effective, permitted) = (capabilities(*effective), capabilities(*permitted));
            let inheritable = capabilities(*inheritable);
            args.put(format!(
                "{{effective={effective}, permitted={permitted}, inheritable={inheritable}}}"
            ));
        }
        Call::Prctl { option, arg2, arg3, arg4, arg5 } => {
            prctl(args, *option, [*arg2, *arg3, *arg4, *arg5]);
        }
        other => super::signals::args(args, other),
    }
}

fn until_nul(word: &[u8]) -> &[u8] {
    word.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn limit(payload: &Payload) -> Option<String> {
    match payload {
        Payload::Limit(limit) => Some(structs::rlimit(*limit)),
        _ => None,
    }
}

/// clone(2) or clone3(2).
fn clone(args: &mut Args<'_>, bits: u64, set_tid: u32) {
    let (exit, bits) = ((bits & 0xff) as i32, bits & !0xff);
    if args.name == CLONE3 {
        let bits_of = bits;
        let (bits, exit) = (flags(bits, CLONE_FLAGS), values::signal(exit));
        let set = match set_tid {
            0 => String::new(),
            tid => format!(", set_tid=[{tid}], set_tid_size=1"),
        };
        args.put(format!("{{flags={bits}, exit_signal={exit}, stack=NULL, stack_size=0{set}}}"));
        if bits_of & CLONE_PIDFD != 0 {
            let told = pidfd(args).map(|pidfd| format!(" => {{pidfd=[{pidfd}]}}"));
            args.join(&told.unwrap_or_default());
        }
        args.number(88);
        return;
    }
    let words = match (bits, exit) {
        (bits, 0) => flags(bits, CLONE_FLAGS),
        (0, exit) => values::signal(exit),
        (bits, exit) => format!("{}|{}", flags(bits, CLONE_FLAGS), values::signal(exit)),
    };
    args.put("child_stack=NULL").put(format!("flags={words}"));
    if bits & CLONE_PIDFD != 0 {
        let told = pidfd(args).map_or(values::ADDRESS.to_owned(), |pidfd| format!("[{pidfd}]"));
        args.put_output(format!("parent_tid={told}"));
    }
}

/// The descriptor of the child that a call gave.
fn pidfd(args: &Args<'_>) -> Option<i64> {
    match args.payload() {
        Some(Payload::Number(pidfd)) => Some(*pidfd),
        _ => None,
    }
}

/// Takes a number for the child, and bits beyond the 32nd.
const CLONE3: &str = "clone3";

/// The name of clone(2) as the arguments have it.
pub(super) fn clone_name(bits: u64, set_tid: u32) -> &'static str {
    if set_tid != 0 || bits > u64::from(u32::MAX) { CLONE3 } else { "clone" }
}

/// The call as the program made it: an import turns all that make tasks into clone(2) and asks for
/// the number that the child had.
pub(super) fn as_made<'a>(call: &Call<'a>, name: &str) -> Call<'a> {
    match (call, name) {
        (Call::Clone { .. }, "fork") => Call::Fork {},
        (Call::Clone { .. }, "vfork") => Call::Vfork {},
        (Call::Clone { flags, .. }, _) => Call::Clone { flags: *flags, set_tid: 0 },
        _ => call.clone(),
    }
}

/// The two halves of a set of capabilities, as capset(2) takes them.
fn capabilities(set: u64) -> String {
    let half = |first: u64, bits: u64| {
        let names = CAPABILITIES.iter().filter(|entry| (first..first + 32).contains(&entry.1));
        let bit = |entry: &&(&str, u64)| bits >> (entry.1 - first) & 1 != 0;
        let names = names.filter(bit).map(|entry| format!("1<<{}", entry.0));
        let names = names.collect::<Vec<_>>().join("|");
        format!("{} /* {names} */", hex(bits))
    };
    match (set & u64::from(u32::MAX), set >> 32) {
        (0, 0) => "0".to_owned(),
        (low, 0) => half(0, low),
        (0, high) => half(32, high),
        (low, high) => format!("{}|{}", half(0, low), half(32, high)),
    }
}

fn prctl(args: &mut Args<'_>, option: u32, rest: [u64; 4]) {
    args.choice(option, PRCTL_OPTIONS);
    let [arg, ..] = rest;
    match option {
        PR_SET_PDEATHSIG => {
            args.put(i32::try_from(arg).map_or_else(|_| hex(arg), values::signal));
        }
        PR_GET_PDEATHSIG => {
            args.output(|payload| match payload {
                Payload::Number(number) => {
                    let signal =
                        i32::try_from(*number).map_or_else(|_| String::new(), values::signal);
                    Some(format!("[{signal}]"))
                }
                _ => None,
            });
        }
        PR_GET_CHILD_SUBREAPER => {
            args.output(|payload| match payload {
                Payload::Number(number) => Some(format!("[{number}]")),
                _ => None,
            });
        }
        PR_CAPBSET_READ | PR_CAPBSET_DROP => {
            args.put(choice(arg, CAPABILITIES));
        }
        PR_SET_SECUREBITS => {
            args.put(flags(arg, SECUREBITS));
        }
        PR_CAP_AMBIENT => {
            args.put(choice(arg, AMBIENT_OPERATIONS));
            for arg in rest.into_iter().skip(1) {
                args.number(arg);
            }
        }
        PR_SET_NO_NEW_PRIVS => {
            for arg in rest {
                args.number(arg);
            }
        }
        _ => {
            let used = rest.iter().rposition(|arg| *arg != 0).map_or(1, |at| at + 1);
            for arg in rest.into_iter().take(used) {
                args.number(arg);
            }
        }
    }
}
