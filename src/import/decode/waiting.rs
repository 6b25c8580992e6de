//! Arguments and answers of calls on what is waited with: epoll(7), timerfd_create(2), signalfd(2).

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{EpollEvent, Itimer, SigSet, Timespec};
use tickernel_systems::event::{Call, Payload};

use super::Args;
use crate::import::numbers;
use crate::replay::{CUT, Expected};
use crate::strace::Value;

/// The encoded call; `None` if it is of another family, or the text says too little.
pub(super) fn inputs(args: &Args<'_>) -> Option<Vec<u8>> {
    let call = match args.name() {
        "epoll_create" => Call::EpollCreate { size: args.int(0)? },
        "epoll_create1" => Call::EpollCreate1 { flags: args.flags(0, EPOLL_CREATE_FLAGS)? },
        "epoll_ctl" => {
            let op = args.flags(1, EPOLL_OPS)?;
            let (fd, event) = (args.fd(2)?, event_asked(args.get(3), op)?);
            // As a line of the JSON twin has it that does not say.
            let data = event.map_or(u64::from(fd.cast_unsigned()), |event| event.data);
            let events = event.map(|event| event.events);
            Call::EpollCtl { epfd: args.fd(0)?, op, fd, events, data }
        }
        "epoll_wait" => {
            Call::EpollWait { epfd: args.fd(0)?, maxevents: args.int(2)?, timeout: args.int(3)? }
        }
        "epoll_pwait" => Call::EpollPwait {
            epfd: args.fd(0)?,
            maxevents: args.int(2)?,
            timeout: args.int(3)?,
            sigmask: mask(args.get(4))?,
        },
        "epoll_pwait2" => Call::EpollPwait2 {
            epfd: args.fd(0)?,
            maxevents: args.int(2)?,
            timeout: time(args.get(3))?,
            sigmask: mask(args.get(4))?,
        },
        "timerfd_create" => Call::TimerfdCreate {
            clockid: args.flags(0, CLOCKS)?,
            flags: args.flags(1, TIMERFD_FLAGS)?,
        },
        "timerfd_settime" => Call::TimerfdSettime {
            fd: args.fd(0)?,
            flags: args.flags(1, TIMERFD_FLAGS)?,
            new_value: timer(args.get(2))?,
        },
        "timerfd_gettime" => Call::TimerfdGettime { fd: args.fd(0)? },
        "signalfd" => Call::Signalfd { fd: args.fd(0)?, mask: mask(args.get(1))? },
        "signalfd4" => Call::Signalfd4 {
            fd: args.fd(0)?,
            mask: mask(args.get(1))?,
            flags: args.flags(3, SIGNALFD_FLAGS)?,
        },
        _ => return None,
    };
    args.done(&call)
}

/// What a successful call of these families wrote.
pub(super) fn outputs(args: &Args<'_>, value: i64, expected: &mut Expected) -> Option<Payload> {
    match args.name() {
        "epoll_wait" | "epoll_pwait" | "epoll_pwait2" if value == 0 => {
            Some(Payload::Epoll(Vec::new()))
        }
        "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => {
            let list = args.get(1)?.as_array();
            let events: Option<Vec<EpollEvent>> =
                list.and_then(|list| list.items.iter().map(event).collect());
            if events.is_none() || list.is_some_and(|list| list.more) {
                expected.flags |= CUT;
            }
            events.map(Payload::Epoll)
        }
        "timerfd_settime" => args.get(3).and_then(numbers::itimer).map(Payload::Timer),
        "timerfd_gettime" => args.get(1).and_then(numbers::itimer).map(Payload::Timer),
        _ => None,
    }
}

/// `{events=EPOLLIN, data=0x7}` or `{events=EPOLLIN, data={u32=7, u64=7}}`.
fn event(value: &Value) -> Option<EpollEvent> {
    let data = value.field("data")?;
    let data = data.field("u64").unwrap_or(data);
    let data = data.as_u64().or_else(|| data.as_i64().map(i64::cast_unsigned));
    Some(EpollEvent { events: numbers::bits32(value.field("events")?, EPOLL_EVENTS)?, data: data? })
}

/// That of epoll_ctl(2): what stands behind its pointer, which is not looked at to delete.
fn event_asked(value: Option<&Value>, op: u32) -> Option<Option<EpollEvent>> {
    match value? {
        value if value.as_struct().is_some() => event(value).map(Some),
        value if value.is_null() || op == EPOLL_CTL_DEL => Some(None),
        _ => None,
    }
}

fn mask(value: Option<&Value>) -> Option<Option<SigSet>> {
    match value {
        None => Some(None),
        Some(value) if value.is_null() => Some(None),
        Some(value) => numbers::sigset(value).map(Some),
    }
}

fn time(value: Option<&Value>) -> Option<Option<Timespec>> {
    match value {
        None => Some(None),
        Some(value) if value.is_null() => Some(None),
        Some(value) => numbers::timespec(value).map(Some),
    }
}

fn timer(value: Option<&Value>) -> Option<Option<Itimer>> {
    match value? {
        value if value.as_struct().is_some() => numbers::itimer(value).map(Some),
        value if value.is_null() => Some(None),
        _ => None,
    }
}
