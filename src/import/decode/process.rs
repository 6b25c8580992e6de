//! Arguments of calls about processes, ids, signals and time.

use tickernel_systems::abi::credentials::{CAPABILITIES, SECUREBITS};
use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::signal::{SI_QUEUE, SI_USER};
use tickernel_systems::abi::{Errno, SigInfo, SigSet, Signal};
use tickernel_systems::event::Call;

use super::{Args, recorded};
use crate::import::numbers;
use crate::replay::Recorded;
use crate::strace::Value;

/// The longest word that execve(2) takes, with its NUL (`MAX_ARG_STRLEN`).
const MAX_ARG_BYTES: usize = 131_072;

/// The encoded call; `None` if it is of another family, or the text says too little.
pub(super) fn inputs(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "clone" | "clone2" | "clone3" | "fork" | "vfork" => return clone(args),
        "execve" => return execve(args),
        "exit" => Call::Exit { status: args.int(0)? },
        "exit_group" => Call::ExitGroup { status: args.int(0)? },
        "wait4" => Call::Wait4 { wpid: args.int(0)?, options: args.flags(2, WAIT_OPTIONS)? },
        "waitid" => Call::Waitid {
            idtype: args.flags(0, WAITID_TYPES)?,
            id: args.int(1).or_else(|| args.fd(1))?.cast_unsigned(),
            options: args.flags(3, WAIT_OPTIONS)?,
        },
        "getpid" => Call::Getpid {},
        "getppid" => Call::Getppid {},
        "gettid" => Call::Gettid {},
        "getuid" => Call::Getuid {},
        "geteuid" => Call::Geteuid {},
        "getgid" => Call::Getgid {},
        "getegid" => Call::Getegid {},
        "getpgrp" => Call::Getpgrp {},
        "getpgid" => Call::Getpgid { target: args.int(0)? },
        "getsid" => Call::Getsid { target: args.int(0)? },
        "setsid" => Call::Setsid {},
        "setpgid" => Call::Setpgid { target: args.int(0)?, pgid: args.int(1)? },
        "setuid" => Call::Setuid { uid: args.long(0)? },
        "setgid" => Call::Setgid { gid: args.long(0)? },
        "setreuid" => Call::Setreuid { ruid: args.long(0)?, euid: args.long(1)? },
        "setregid" => Call::Setregid { rgid: args.long(0)?, egid: args.long(1)? },
        "setresuid" => {
            Call::Setresuid { ruid: args.long(0)?, euid: args.long(1)?, suid: args.long(2)? }
        }
        "setresgid" => {
            Call::Setresgid { rgid: args.long(0)?, egid: args.long(1)?, sgid: args.long(2)? }
        }
        "getresuid" => Call::Getresuid {},
        "getresgid" => Call::Getresgid {},
        "getgroups" => Call::Getgroups { size: args.int(0)? },
        "setgroups" => {
            let list = args.get(1)?;
            // NULL for none.
            let items = if list.is_null() { &[] } else { list.items()? };
            let groups = items.iter().map(Value::as_i64).collect::<Option<_>>()?;
            Call::Setgroups { groups }
        }
        "capset" => return capset(args),
        "prctl" => return prctl(args),
        "umask" => Call::Umask { mask: args.mode(0)? },
        "prlimit64" => Call::Prlimit64 {
            target: args.int(0)?,
            resource: args.flags(1, RESOURCES)?,
            new_limit: match args.get(2)? {
                value if value.as_struct().is_some() => Some(numbers::rlimit(value)?),
                _ => None,
            },
        },
        "getrlimit" => Call::Getrlimit { resource: args.flags(0, RESOURCES)? },
        "setrlimit" => Call::Setrlimit {
            resource: args.flags(0, RESOURCES)?,
            new_limit: numbers::rlimit(args.get(1)?)?,
        },
        _ => return signals(args),
    };
    args.done(&call)
}

fn signals(args: &Args<'_>) -> Option<Vec<u8>> {
    let sig = |index: usize| numbers::signal_number(args.get(index)?);
    let call = match args.name() {
        "kill" => Call::Kill { target: args.int(0)?, sig: sig(1)? },
        "tkill" => Call::Tkill { tid: args.int(0)?, sig: sig(1)? },
        "tgkill" => Call::Tgkill { tgid: args.int(0)?, tid: args.int(1)?, sig: sig(2)? },
        "rt_sigqueueinfo" => {
            Call::RtSigqueueinfo { target: args.int(0)?, sig: sig(1)?, info: queued(args, 2)? }
        }
        "rt_tgsigqueueinfo" => Call::RtTgsigqueueinfo {
            tgid: args.int(0)?,
            tid: args.int(1)?,
            sig: sig(2)?,
            info: queued(args, 3)?,
        },
        "rt_sigaction" => Call::RtSigaction {
            signum: sig(0)?,
            act: match args.get(1)? {
                value if value.as_struct().is_some() => Some(numbers::sigaction(value)?),
                value if value.is_null() => None,
                _ => return None,
            },
        },
        "rt_sigprocmask" => Call::RtSigprocmask {
            how: args.flags(0, SIGPROCMASK_HOWS)?,
            set: match args.get(1)? {
                value if value.as_array().is_some() => Some(numbers::sigset(value)?),
                value if value.is_null() => None,
                _ => return None,
            },
        },
        "rt_sigreturn" => Call::RtSigreturn {},
        "rt_sigpending" => Call::RtSigpending {},
        // An address (`-e verbose=none`): most wait for whatever comes.
        "rt_sigsuspend" => {
            Call::RtSigsuspend { set: numbers::sigset(args.get(0)?).unwrap_or(SigSet::EMPTY) }
        }
        "rt_sigtimedwait" => Call::RtSigtimedwait {
            set: numbers::sigset(args.get(0)?)?,
            timeout: match args.get(2)? {
                value if value.is_null() => None,
                value => Some(numbers::timespec(value)?),
            },
        },
        _ => return pidfds(args).or_else(|| times(args)),
    };
    args.done(&call)
}

/// The siginfo of rt_sigqueueinfo(2). Of one without a number strace prints nothing: it is
/// sigqueue(3)'s, or says what only the kernel may, as the answer tells.
fn queued(args: &Args<'_>, index: usize) -> Option<SigInfo> {
    let value = args.get(index)?;
    let is_bare = value.as_struct()?.field("si_signo").is_none();
    let forged = recorded(args.call) == Recorded::Errno(Errno::EPERM);
    let code = if forged { SI_USER } else { SI_QUEUE };
    if is_bare { Some(SigInfo { code, ..SigInfo::default() }) } else { numbers::siginfo(value) }
}

fn pidfds(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "pidfd_open" => Call::PidfdOpen {
            target: args.int(0)?,
            flags: numbers::bits32(args.get(1)?, PIDFD_FLAGS)?,
        },
        "pidfd_send_signal" => Call::PidfdSendSignal {
            pidfd: args.fd(0)?,
            sig: numbers::signal_number(args.get(1)?)?,
            info: match args.get(2)? {
                value if value.is_null() => None,
                value => Some(numbers::siginfo(value)?),
            },
            flags: args.flags(3, PIDFD_SIGNAL_FLAGS)?,
        },
        "pidfd_getfd" => Call::PidfdGetfd {
            pidfd: args.fd(0)?,
            targetfd: args.fd(1)?,
            flags: args.size(2)? as u32,
        },
        _ => return None,
    };
    args.done(&call)
}

/// Waiting for time, and timers.
fn times(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "pause" => Call::Pause {},
        "alarm" => Call::Alarm { seconds: args.size(0)? as u32 },
        "setitimer" => Call::Setitimer {
            which: args.flags(0, ITIMERS)?,
            new_value: match args.get(1)? {
                value if value.as_struct().is_some() => Some(numbers::itimer(value)?),
                _ => None,
            },
        },
        "getitimer" => Call::Getitimer { which: args.flags(0, ITIMERS)? },
        "timer_create" => Call::TimerCreate {
            clockid: args.flags(0, CLOCKS)?,
            sevp: match args.get(1)? {
                value if value.as_struct().is_some() => Some(numbers::sigevent(value)?),
                _ => None,
            },
        },
        "timer_settime" => Call::TimerSettime {
            timerid: args.int(0)?,
            flags: args.flags(1, TIMER_FLAGS)?,
            new_value: match args.get(2)? {
                value if value.as_struct().is_some() => Some(numbers::itimer(value)?),
                _ => None,
            },
        },
        "timer_gettime" => Call::TimerGettime { timerid: args.int(0)? },
        "timer_getoverrun" => Call::TimerGetoverrun { timerid: args.int(0)? },
        "timer_delete" => Call::TimerDelete { timerid: args.int(0)? },
        "nanosleep" => Call::Nanosleep { request: numbers::timespec(args.get(0)?)? },
        "clock_nanosleep" => Call::ClockNanosleep {
            clockid: args.flags(0, CLOCKS)?,
            flags: numbers::bits32(args.get(1)?, &[("TIMER_ABSTIME", TIMER_ABSTIME as u64)])?,
            request: numbers::timespec(args.get(2)?)?,
        },
        _ => return None,
    };
    args.done(&call)
}

/// All makers of tasks become clone, which accepts the recorded pid.
fn clone(args: &Args<'_>) -> Option<Vec<u8>> {
    let exit = u64::from(Signal::SIGCHLD.number());
    let constant = |name: &str| {
        number_of(CLONE_FLAGS, name)
            .or_else(|| Signal::from_name(name).map(|signal| u64::from(signal.number())))
            .map(i128::from)
    };
    let flags = match args.name() {
        "fork" => exit,
        "vfork" => CLONE_VM | CLONE_VFORK | exit,
        "clone3" => {
            let structure = args.get(0)?;
            let flags = structure.field("flags")?.resolve(&constant)?;
            let exit = match structure.field("exit_signal") {
                Some(signal) => numbers::signal_number(signal)?,
                None => 0,
            };
            u64::try_from(flags).ok()? | u64::from(exit.cast_unsigned() & 0xff)
        }
        _ => {
            let value = args.call.named_arg("flags").or_else(|| args.get(0))?;
            u64::try_from(value.resolve(&constant)?).ok()?
        }
    };
    let result = args.call.result.as_ref().and_then(crate::strace::CallResult::number);
    let set_tid = result.and_then(|tid| u32::try_from(tid).ok()).unwrap_or(0);
    args.done(&Call::Clone { flags, set_tid })
}

/// `capset({version=…, pid=0}, {effective=…, permitted=…, inheritable=…})`
fn capset(args: &Args<'_>) -> Option<Vec<u8>> {
    let target = args.get(0)?.field("pid").map_or(Some(0), Value::as_i32)?;
    let set = |name: &str| numbers::capabilities(args.get(1)?.field(name)?);
    let (effective, permitted) = (set("effective")?, set("permitted")?);
    args.done(&Call::Capset { target, effective, permitted, inheritable: set("inheritable")? })
}

/// Only what changes something that the kernel models, and succeeded: the others tell of the host.
fn prctl(args: &Args<'_>) -> Option<Vec<u8>> {
    let option = args.flags(0, PRCTL_OPTIONS).filter(|_| args.succeeded())?;
    let tells =
        [PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_CAPBSET_READ, PR_GET_SECUREBITS, PR_GET_NO_NEW_PRIVS];
    let is_known = PRCTL_OPTIONS.iter().any(|entry| entry.1 == u64::from(option));
    if !is_known || tells.contains(&option) {
        return None;
    }
    let constant = |name: &str| {
        let tables = [SECUREBITS, CAPABILITIES, AMBIENT_OPERATIONS, DUMPABLE];
        tables.iter().find_map(|table| number_of(table, name)).map(i128::from)
    };
    let arg = |index: usize| match args.get(index) {
        None => Some(0),
        Some(value) => u64::try_from(value.resolve(&constant)?).ok(),
    };
    let (arg2, arg3) = (arg(1)?, arg(2)?);
    args.done(&Call::Prctl { option, arg2, arg3, arg4: arg(3)?, arg5: arg(4)? })
}

/// The lists are printed whole with -v; else the environment is only counted.
fn execve(args: &Args<'_>) -> Option<Vec<u8>> {
    let words = |index: usize| -> Vec<&[u8]> {
        let items = args.get(index).and_then(Value::items).unwrap_or_default();
        items.iter().filter_map(Value::as_bytes).collect()
    };
    let (mut argv, path) = (words(1), args.path(0)?);
    // Too long, and strace printed only the beginning of a word: that one was.
    let is_cut = |word: &Value| word.as_text().is_some_and(|text| text.cut);
    let list = args.get(1).and_then(Value::items).unwrap_or_default();
    let too_long = vec![b'?'; MAX_ARG_BYTES];
    if recorded(args.call) == Recorded::Errno(Errno::E2BIG) && list.iter().any(is_cut) {
        argv.push(&too_long);
    }
    args.done(&Call::Execve { path, argv, envp: words(2) })
}
