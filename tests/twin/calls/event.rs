//! Waiting for descriptors and for time: poll, select, epoll, eventfd, timerfd, signalfd, pidfd,
//! inotify, timers, sleeps.

use serde_json::{Map, Value, json};

use super::{Kind, Plan, Planned};
use crate::fields::Fields;
use crate::names;
use crate::shared::{Area, get, get_bytes};

const SET_BYTES: u64 = 8;
/// Descriptors that an fd_set of the twin holds; what select(2) takes from a program built with the
/// usual FD_SETSIZE.
const FD_SET_BYTES: usize = 8192;

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    Some(match call {
        "poll" => poll(f, area),
        "ppoll" => ppoll(f, area),
        "select" => select(libc::SYS_select, f, area),
        "pselect6" => select(libc::SYS_pselect6, f, area),
        "epoll_create1" => flags_only(libc::SYS_epoll_create1, names::EPOLL_CREATE, f),
        "epoll_create" => f.number("size").map(|size| Plan::new(libc::SYS_epoll_create, &[size])),
        "epoll_ctl" => epoll_ctl(f, area),
        "epoll_wait" => epoll_wait(libc::SYS_epoll_wait, f, area),
        "epoll_pwait" => epoll_wait(libc::SYS_epoll_pwait, f, area),
        "epoll_pwait2" => epoll_wait(libc::SYS_epoll_pwait2, f, area),
        "eventfd2" => eventfd2(f),
        "alarm" => f.number("seconds").map(|seconds| Plan::new(libc::SYS_alarm, &[seconds])),
        "setitimer" => itimer(true, f, area),
        "getitimer" => itimer(false, f, area),
        "nanosleep" => nanosleep(f, area),
        "clock_nanosleep" => clock_nanosleep(f, area),
        "timer_create" => timer_create(f, area),
        "timer_settime" => timer_settime(f, area),
        "timer_delete" => {
            f.number("timerid").map(|timer| Plan::new(libc::SYS_timer_delete, &[timer]))
        }
        "timerfd_create" => timerfd_create(f),
        "timerfd_settime" => timerfd_settime(f, area),
        "timerfd_gettime" => timerfd_gettime(f, area),
        "signalfd4" => signalfd4(f, area),
        "pidfd_open" => pidfd_open(f),
        "pidfd_send_signal" => pidfd_send_signal(f),
        "pidfd_getfd" => pidfd_getfd(f),
        "inotify_init1" => flags_only(libc::SYS_inotify_init1, names::INOTIFY_INIT, f),
        "inotify_add_watch" => inotify_add_watch(f, area),
        "inotify_rm_watch" => inotify_rm_watch(f),
        _ => return None,
    })
}

fn flags_only(number: i64, table: names::Table, f: &Fields<'_>) -> Planned {
    Ok(Plan::new(number, &[f.flags_or_0("flags", table)?]))
}

/// struct pollfd: fd (32 bits), events, revents (16 bits each).
fn poll_list(f: &Fields<'_>, area: &mut Area) -> Result<(u64, u64), String> {
    if !f.has("fds") {
        return Ok((0, f.number_or("nfds", 0)?));
    }
    let mut bytes = Vec::new();
    for value in f.list("fds")? {
        let entry = value.as_object().map(Fields).ok_or("field fds is not a list of objects")?;
        bytes.extend((entry.number("fd")? as i32).to_le_bytes());
        bytes.extend((entry.flags_or_0("events", names::POLL)? as u16).to_le_bytes());
        bytes.extend([0, 0]);
    }
    Ok((area.bytes(&bytes)?, bytes.len() as u64 / 8))
}

fn put_polled(answer: &mut Map<String, Value>, list: u64, count: u64) {
    let entry = |index: u64| {
        let [fd, events] = get::<[u32; 2]>(list + 8 * index);
        let shown = |bits: u32| names::join(names::POLL, u64::from(bits));
        json!({ "fd": fd as i32, "events": shown(events & 0xffff), "revents": shown(events >> 16) })
    };
    answer.insert("fds".into(), (0..count).map(entry).collect());
}

fn poll(f: &Fields<'_>, area: &mut Area) -> Planned {
    let (list, count) = poll_list(f, area)?;
    let timeout = f.number_or("timeout", u64::MAX)?;
    Ok(Plan::new(libc::SYS_poll, &[list, count, timeout])
        .replying(move |_, answer| put_polled(answer, list, count)))
}

fn sigmask(f: &Fields<'_>, area: &mut Area) -> Result<u64, String> {
    if f.has("sigmask") { area.put(&f.signal_set("sigmask")?) } else { Ok(0) }
}

fn ppoll(f: &Fields<'_>, area: &mut Area) -> Planned {
    let (list, count) = poll_list(f, area)?;
    let (timeout, mask) = (f.timespec("timeout", area)?, sigmask(f, area)?);
    Ok(Plan::new(libc::SYS_ppoll, &[list, count, timeout, mask, SET_BYTES])
        .replying(move |_, answer| put_polled(answer, list, count)))
}

fn select(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let mut sets = [0; 3];
    let names = ["readfds", "writefds", "exceptfds"];
    for (set, name) in sets.iter_mut().zip(names).filter(|(_, name)| f.has(name)) {
        let mut bits = vec![0u8; FD_SET_BYTES];
        for fd in f.numbers(name)? {
            let byte =
                bits.get_mut(fd as usize / 8).ok_or("a descriptor is too large for an fd_set")?;
            *byte |= 1 << (fd % 8);
        }
        *set = area.bytes(&bits)?;
    }
    let timeout = match f.has("timeout") {
        false => 0,
        true => {
            let time = f.object("timeout")?;
            let (unit, per) = if number == libc::SYS_select { ("usec", 1000) } else { ("nsec", 1) };
            let fine =
                if time.has(unit) { time.number(unit)? } else { time.number_or("nsec", 0)? / per };
            area.put(&[time.number_or("sec", 0)?, fine])?
        }
    };
    let mask = sigmask(f, area)?;
    let pair = if number == libc::SYS_pselect6 { area.put(&[mask, SET_BYTES])? } else { 0 };
    let arguments = [f.number("nfds")?, sets[0], sets[1], sets[2], timeout, pair];
    Ok(Plan::new(number, &arguments).replying(move |_, answer| {
        for (set, name) in sets.iter().zip(names).filter(|(set, _)| **set != 0) {
            let bits = get_bytes(*set, FD_SET_BYTES);
            let is_set = |fd: &usize| bits[fd / 8] >> (fd % 8) & 1 == 1;
            answer.insert(name.into(), (0..FD_SET_BYTES * 8).filter(is_set).collect());
        }
    }))
}

/// struct epoll_event is packed on x86-64: events (32 bits), data (64 bits).
fn epoll_ctl(f: &Fields<'_>, area: &mut Area) -> Planned {
    let operation = f.flags("op", names::EPOLL_OP)?;
    let (epfd, fd) = (f.number("epfd")?, f.number("fd")?);
    let event = if f.has("events") {
        let mut bytes = (f.flags("events", names::EPOLL)? as u32).to_le_bytes().to_vec();
        bytes.extend(f.number_or("data", fd)?.to_le_bytes());
        area.bytes(&bytes)?
    } else {
        0
    };
    Ok(Plan::new(libc::SYS_epoll_ctl, &[epfd, operation, fd, event]))
}

fn epoll_wait(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let most = f.number("maxevents")?;
    let room = (most as i32).clamp(0, 4096) as usize;
    if most as i32 > 4096 {
        return Err("field maxevents: more than the host twin's buffer holds".into());
    }
    let list = area.room(room * 12)?;
    let timeout = match number {
        libc::SYS_epoll_pwait2 => f.timespec("timeout", area)?,
        _ => f.number_or("timeout", u64::MAX)?,
    };
    let mask = sigmask(f, area)?;
    let plan = Plan::new(number, &[f.number("epfd")?, list, most, timeout, mask, SET_BYTES]);
    Ok(plan.replying(move |count, answer| {
        let event = |index: u64| {
            let (bits, data) = (get::<u32>(list + 12 * index), get::<u64>(list + 12 * index + 4));
            json!({ "events": names::join(names::EPOLL, u64::from(bits)), "data": data })
        };
        answer.insert("events".into(), (0..count as u64).map(event).collect());
    }))
}

fn eventfd2(f: &Fields<'_>) -> Planned {
    let flags = f.flags_or_0("flags", names::EVENTFD)?;
    Ok(Plan::new(libc::SYS_eventfd2, &[f.number_or("initval", 0)?, flags]))
}

/// `{"interval":{"sec":…,FINE:…},"value":{…}}` as four numbers.
fn timer_value(name: &str, fine: &str, f: &Fields<'_>) -> Result<[u64; 4], String> {
    let timer = f.object(name)?;
    let mut words = [0; 4];
    for (index, part) in ["interval", "value"].iter().enumerate() {
        if timer.has(part) {
            let time = timer.object(part)?;
            words[2 * index] = time.number_or("sec", 0)?;
            words[2 * index + 1] = time.number_or(fine, 0)?;
        }
    }
    Ok(words)
}

fn shown_timer(fine: &str, at: u64) -> Value {
    let words = get::<[i64; 4]>(at);
    let time = |sec: i64, rest: i64| -> Map<String, Value> {
        [("sec".to_owned(), sec.into()), (fine.to_owned(), rest.into())].into_iter().collect()
    };
    json!({ "interval": time(words[0], words[1]), "value": time(words[2], words[3]) })
}

fn itimer(set: bool, f: &Fields<'_>, area: &mut Area) -> Planned {
    let which = f.flags("which", names::ITIMERS)?;
    let old = area.room(32)?;
    if !set {
        return Ok(Plan::new(libc::SYS_getitimer, &[which, old]).replying(move |_, answer| {
            answer.insert("curr_value".into(), shown_timer("usec", old));
        }));
    }
    let new = area.put(&timer_value("new_value", "usec", f)?)?;
    Ok(Plan::new(libc::SYS_setitimer, &[which, new, old]).replying(move |_, answer| {
        answer.insert("old_value".into(), shown_timer("usec", old));
    }))
}

fn nanosleep(f: &Fields<'_>, area: &mut Area) -> Planned {
    Ok(Plan::new(libc::SYS_nanosleep, &[f.timespec("request", area)?, 0]))
}

fn clock_nanosleep(f: &Fields<'_>, area: &mut Area) -> Planned {
    let clock = f.flags_or_0("clockid", names::CLOCKS)?;
    let flags = f.flags_or_0("flags", names::TIMER)?;
    let request = f.timespec("request", area)?;
    Ok(Plan::new(libc::SYS_clock_nanosleep, &[clock, flags, request, 0]))
}

/// Only timers that send SIGALRM to the process: without a `struct sigevent`.
fn timer_create(f: &Fields<'_>, area: &mut Area) -> Planned {
    let id = area.room(4)?;
    let plan = Plan::new(libc::SYS_timer_create, &[f.flags("clockid", names::CLOCKS)?, 0, id]);
    Ok(plan.replying(move |_, answer| {
        answer.insert("timerid".into(), get::<i32>(id).into());
    }))
}

fn timer_settime(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::TIMER)?;
    let new = area.put(&timer_value("new_value", "nsec", f)?)?;
    let old = area.room(32)?;
    let plan = Plan::new(libc::SYS_timer_settime, &[f.number("timerid")?, flags, new, old]);
    Ok(plan.replying(move |_, answer| {
        answer.insert("old_value".into(), shown_timer("nsec", old));
    }))
}

fn timerfd_create(f: &Fields<'_>) -> Planned {
    let flags = f.flags_or_0("flags", names::TIMERFD)?;
    Ok(Plan::new(libc::SYS_timerfd_create, &[f.flags("clockid", names::CLOCKS)?, flags]))
}

fn timerfd_settime(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags_or_0("flags", names::TIMERFD)?;
    let new = area.put(&timer_value("new_value", "nsec", f)?)?;
    let old = area.room(32)?;
    let plan = Plan::new(libc::SYS_timerfd_settime, &[f.number("fd")?, flags, new, old]);
    Ok(plan.replying(move |_, answer| {
        answer.insert("old_value".into(), shown_timer("nsec", old));
    }))
}

fn timerfd_gettime(f: &Fields<'_>, area: &mut Area) -> Planned {
    let value = area.room(32)?;
    let plan = Plan::new(libc::SYS_timerfd_gettime, &[f.number("fd")?, value]);
    Ok(plan.replying(move |_, answer| {
        answer.insert("curr_value".into(), shown_timer("nsec", value));
    }))
}

fn signalfd4(f: &Fields<'_>, area: &mut Area) -> Planned {
    let name = if f.has("mask") { "mask" } else { "set" };
    let set = area.put(&f.signal_set(name)?)?;
    let flags = f.flags_or_0("flags", names::SIGNALFD)?;
    let fd = f.number_or("fd", u64::MAX)?;
    Ok(Plan::new(libc::SYS_signalfd4, &[fd, set, SET_BYTES, flags]))
}

fn pidfd_open(f: &Fields<'_>) -> Planned {
    let flags = f.flags_or_0("flags", names::PIDFD)?;
    Ok(Plan::new(libc::SYS_pidfd_open, &[f.number("target")?, flags]))
}

fn pidfd_send_signal(f: &Fields<'_>) -> Planned {
    let arguments = [f.number("pidfd")?, f.signal("sig")?, 0, f.number_or("flags", 0)?];
    Ok(Plan::new(libc::SYS_pidfd_send_signal, &arguments).of_kind(Kind::SendsSignal))
}

fn pidfd_getfd(f: &Fields<'_>) -> Planned {
    let arguments = [f.number("pidfd")?, f.number("targetfd")?, f.number_or("flags", 0)?];
    Ok(Plan::new(libc::SYS_pidfd_getfd, &arguments))
}

fn inotify_add_watch(f: &Fields<'_>, area: &mut Area) -> Planned {
    let path = if f.has_bytes("pathname") { "pathname" } else { "path" };
    let arguments = [f.number("fd")?, f.path(path, area)?, f.flags("mask", names::INOTIFY)?];
    Ok(Plan::new(libc::SYS_inotify_add_watch, &arguments))
}

fn inotify_rm_watch(f: &Fields<'_>) -> Planned {
    Ok(Plan::new(libc::SYS_inotify_rm_watch, &[f.number("fd")?, f.number("wd")?]))
}
