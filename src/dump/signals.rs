//! Arguments of calls about signals, time and timers, and the objects of anonymous inodes.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Itimer, SigSet};
use tickernel_systems::event::{Call, Payload};

use super::args::Args;
use super::structs;
use super::values::{self, hex, sigset};

pub(super) fn args(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::RtSigaction { signum, act } => {
            args.put(values::signal(*signum)).optional(act, structs::sigaction);
            args.optional_output(|payload| match payload {
                Payload::Action(action) => Some(structs::sigaction(action)),
                _ => None,
            });
            args.number(8);
        }
        Call::RtSigprocmask { how, set } => {
            args.choice(*how, SIGPROCMASK_HOWS).optional(set, |set| sigset(*set));
            args.optional_output(told_set).number(8);
        }
        Call::RtSigpending {} => {
            args.output(told_set).number(8);
        }
        Call::RtSigsuspend { set } => {
            args.put(sigset(*set)).number(8);
        }
        Call::RtSigtimedwait { set, timeout } => {
            args.put(sigset(*set));
            args.output(|payload| match payload {
                Payload::Info(info) => Some(structs::siginfo(info)),
                _ => None,
            });
            args.optional(timeout, |time| structs::timespec(*time)).number(8);
        }
        Call::RtSigreturn {} => {
            let mask = args.look.returning_mask();
            args.put(format!("{{mask={}}}", sigset(mask.unwrap_or(SigSet::EMPTY))));
        }
        Call::Setitimer { which, new_value } => {
            args.choice(*which, ITIMERS);
            args.optional(new_value, |timer| structs::itimer(*timer, false));
            args.optional_output(told_timer(false));
        }
        Call::Getitimer { which } => {
            args.choice(*which, ITIMERS).output(told_timer(false));
        }
        Call::TimerCreate { clockid, sevp } => {
            args.choice(*clockid, CLOCKS).optional(sevp, structs::sigevent);
            args.output(|payload| match payload {
                Payload::Number(number) => Some(format!("[{number}]")),
                _ => None,
            });
        }
        Call::TimerSettime { timerid, flags, new_value } => {
            args.number(*timerid).flags(*flags, TIMER_FLAGS);
            args.optional(new_value, |timer: &Itimer| structs::itimer(*timer, true));
            args.optional_output(told_timer(true));
        }
        Call::TimerGettime { timerid } => {
            args.number(*timerid).output(told_timer(true));
        }
        Call::Nanosleep { request } => {
            args.put(structs::timespec(*request)).put_output("NULL");
        }
        Call::ClockNanosleep { clockid, flags, request } => {
            args.choice(*clockid, CLOCKS).flags(*flags, TIMER_FLAGS);
            args.put(structs::timespec(*request)).put_output("NULL");
        }
        other => super::waiting::args(args, other),
    }
}

fn told_set(payload: &Payload) -> Option<String> {
    match payload {
        Payload::Set(set) => Some(sigset(*set)),
        _ => None,
    }
}

pub(super) fn told_timer(fine: bool) -> impl Fn(&Payload) -> Option<String> {
    move |payload| match payload {
        Payload::Timer(timer) => Some(structs::itimer(*timer, fine)),
        _ => None,
    }
}

pub(super) fn objects(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::Eventfd2 { initval, flags } => {
            args.number(*initval).flags(*flags, EVENTFD_FLAGS);
        }
        Call::InotifyInit1 { flags } => {
            args.flags(*flags, INOTIFY_INIT_FLAGS);
        }
        Call::InotifyAddWatch { fd, pathname, mask } => {
            args.fd(*fd).path(*pathname).flags(*mask, INOTIFY_FLAGS);
        }
        Call::InotifyRmWatch { fd, wd } => {
            args.fd(*fd).number(*wd);
        }
        Call::PidfdGetfd { pidfd, targetfd, flags } => {
            args.fd(*pidfd).number(*targetfd).put(hex(u64::from(*flags)));
        }
        Call::Sigaltstack { ss } => {
            args.optional(ss, |stack| structs::alt_stack(*stack));
            args.optional_output(|payload| match payload {
                Payload::AltStack(stack) => Some(structs::alt_stack(*stack)),
                _ => None,
            });
        }
        other => {
            if !super::sockets::args(args, other) {
                args.plain(other);
            }
        }
    }
}
