//! Arguments of calls on what is waited with: epoll(7), timerfd_create(2), signalfd(2).

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{EpollEvent, Itimer};
use tickernel_systems::event::{Call, Payload};

use super::args::Args;
use super::signals::{objects, told_timer};
use super::structs;
use super::values::{self, sigset};

pub(super) fn args(args: &mut Args<'_>, call: &Call<'_>) {
    match call {
        Call::EpollCreate1 { flags } => {
            args.flags(*flags, EPOLL_CREATE_FLAGS);
        }
        Call::EpollCtl { epfd, op, fd, events, data } => {
            args.fd(*epfd).choice(*op, EPOLL_OPS).fd(*fd);
            args.optional(events, |events| {
                structs::epoll_event(EpollEvent { events: *events, data: *data })
            });
        }
        Call::EpollWait { epfd, maxevents, timeout } => {
            told_events(args, *epfd).number(*maxevents).number(*timeout);
        }
        Call::EpollPwait { epfd, maxevents, timeout, sigmask } => {
            told_events(args, *epfd).number(*maxevents).number(*timeout);
            args.optional(sigmask, |set| sigset(*set)).number(8);
        }
        Call::EpollPwait2 { epfd, maxevents, timeout, sigmask } => {
            told_events(args, *epfd).number(*maxevents);
            args.optional(timeout, |time| structs::timespec(*time));
            args.optional(sigmask, |set| sigset(*set)).number(8);
        }
        Call::TimerfdCreate { clockid, flags } => {
            args.choice(*clockid, CLOCKS).flags(*flags, TIMERFD_FLAGS);
        }
        Call::TimerfdSettime { fd, flags, new_value } => {
            args.fd(*fd).flags(*flags, TIMERFD_FLAGS);
            args.optional(new_value, |timer: &Itimer| structs::itimer(*timer, true));
            args.optional_output(told_timer(true));
        }
        Call::TimerfdGettime { fd } => {
            args.fd(*fd).output(told_timer(true));
        }
        Call::Signalfd { fd, mask } => {
            args.fd(*fd).optional(mask, |set| sigset(*set)).number(8);
        }
        Call::Signalfd4 { fd, mask, flags } => {
            args.fd(*fd).optional(mask, |set| sigset(*set)).number(8);
            args.flags(*flags, SIGNALFD_FLAGS);
        }
        other => objects(args, other),
    }
}

fn told_events<'a, 'b>(args: &'a mut Args<'b>, epfd: i32) -> &'a mut Args<'b> {
    args.fd(epfd).output(|payload| match payload {
        Payload::Epoll(events) => {
            Some(values::list(events.iter().map(|event| structs::epoll_event(*event))))
        }
        _ => None,
    })
}
