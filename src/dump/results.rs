//! What stands behind ` = `: the value in the form that strace gives it for its call, the errno
//! with its text, what poll(2) and select(2) found; and the restarts of calls that a signal
//! interrupted (signal(7), "Interruption of system calls").

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{Errno, PollFd, SelectSets, Signal};
use tickernel_systems::event::{Answer, Call, Payload};

use super::args::Look;
use super::structs;
use super::values::{flags, hex, names_of_bits, octal};
use crate::replay::{CUT, Expected, IGNORE_PAYLOAD, IGNORE_VALUE, Recorded};

/// `= 3</etc/motd>` without its `= `.
pub(super) fn result(call: &Call<'_>, result: &Result<Answer, Errno>, look: Look<'_>) -> String {
    let answer = match result {
        Ok(answer) => answer,
        Err(errno) => return failed(*errno),
    };
    let value = answer.value;
    match call {
        Call::ExitGroup { .. } | Call::Exit { .. } => "?".to_owned(),
        Call::Umask { .. } => octal(value as u32),
        Call::Poll { .. } => polled(value, &answer.payload, None),
        Call::Ppoll { timeout, .. } => polled(value, &answer.payload, timeout.map(|_| ())),
        Call::Select { timeout, .. } => {
            let left =
                timeout.map(|_| structs::timeval(tickernel_systems::abi::Timespec::default()));
            selected(call, value, &answer.payload, left)
        }
        Call::Pselect6 { timeout, .. } => {
            selected(call, value, &answer.payload, timeout.map(|_| left()))
        }
        Call::RtSigtimedwait { .. } => match i32::try_from(value).ok().and_then(Signal::new) {
            Some(signal) => format!("{value} ({})", signal.name()),
            None => value.to_string(),
        },
        Call::Fcntl { cmd, .. } => of_fcntl(*cmd, value, look),
        other if makes_descriptor(other) => match i32::try_from(value) {
            Ok(fd) => look.fd(fd),
            Err(_) => value.to_string(),
        },
        _ => value.to_string(),
    }
}

/// `-1 ENOENT (No such file or directory)`
pub(super) fn failed(errno: Errno) -> String {
    format!("-1 {} ({})", errno.name(), errno.text())
}

/// What the recording says of a call, where the kernel answered otherwise: a dump tells the
/// session, and not what a replay makes of it. `None` where both say the same, as far as it is
/// compared.
pub(super) fn as_recorded(
    told: &Expected,
    end: &Result<Answer, Errno>,
) -> Option<Result<Answer, Errno>> {
    let value = match (told.recorded, end) {
        (Recorded::Never, _) => return None,
        (Recorded::Errno(errno), end) => {
            return (*end != Err(errno)).then_some(Err(errno));
        }
        (Recorded::Value(value), _) => value,
    };
    let same_value = match end {
        Ok(answer) => answer.value == value || told.flags & IGNORE_VALUE != 0,
        Err(_) => false,
    };
    let known = told.flags & (IGNORE_PAYLOAD | CUT) == 0;
    let payload = end.as_ref().map(|answer| &answer.payload);
    let same_bytes = match (&told.payload, payload) {
        (Payload::Data(_) | Payload::Status(_) | Payload::Received(_), Ok(payload)) => {
            *payload == told.payload
        }
        (_, _) => true,
    };
    if same_value && (same_bytes || !known) {
        return None;
    }
    let payload = match (&told.payload, payload) {
        (Payload::None, Ok(payload)) => payload.clone(),
        (told, _) => told.clone(),
    };
    Some(Ok(Answer { value, payload }))
}

fn makes_descriptor(call: &Call<'_>) -> bool {
    matches!(
        call,
        Call::Open { .. }
            | Call::Openat { .. }
            | Call::Openat2 { .. }
            | Call::Creat { .. }
            | Call::Dup { .. }
            | Call::Dup2 { .. }
            | Call::Dup3 { .. }
            | Call::Socket { .. }
            | Call::Accept { .. }
            | Call::Accept4 { .. }
            | Call::Eventfd { .. }
            | Call::Eventfd2 { .. }
            | Call::EpollCreate { .. }
            | Call::EpollCreate1 { .. }
            | Call::TimerfdCreate { .. }
            | Call::Signalfd { .. }
            | Call::Signalfd4 { .. }
            | Call::InotifyInit {}
            | Call::InotifyInit1 { .. }
            | Call::MemfdCreate { .. }
            | Call::PidfdOpen { .. }
            | Call::PidfdGetfd { .. }
    )
}

fn of_fcntl(cmd: u32, value: i64, look: Look<'_>) -> String {
    let bits = value.cast_unsigned();
    let named = |what: &str, table: Names| match bits {
        0 => "0".to_owned(),
        bits => format!("{} ({what} {})", hex(bits), flags(bits, table)),
    };
    match cmd {
        F_DUPFD | F_DUPFD_CLOEXEC => match i32::try_from(value) {
            Ok(fd) => look.fd(fd),
            Err(_) => value.to_string(),
        },
        F_GETFL => {
            let names = names_of_bits(bits, OPEN_FLAGS.iter().copied());
            format!("{} (flags {names})", hex(bits))
        }
        F_GETFD => named("flags", FD_FLAGS),
        F_GET_SEALS => named("seals", SEALS),
        _ => value.to_string(),
    }
}

/// `{tv_sec=0, tv_nsec=0}`: what is left of a time-out. The kernel does not tell how much.
fn left() -> String {
    structs::timespec(tickernel_systems::abi::Timespec::default())
}

fn polled(value: i64, payload: &Payload, timed: Option<()>) -> String {
    let Payload::Poll(fds) = payload else { return value.to_string() };
    if value == 0 {
        return "0 (Timeout)".to_owned();
    }
    let ready = fds.iter().filter(|entry| entry.revents != 0);
    let one = |entry: &PollFd| {
        format!("{{fd={}, revents={}}}", entry.fd, structs::poll_events(entry.revents))
    };
    let list = super::values::list(ready.map(one));
    let left = timed.map_or(String::new(), |()| format!(", left {}", left()));
    format!("{value} ({list}{left})")
}

fn selected(call: &Call<'_>, value: i64, payload: &Payload, left: Option<String>) -> String {
    let (Call::Select { nfds, .. } | Call::Pselect6 { nfds, .. }) = call else {
        return value.to_string();
    };
    let Payload::Select(sets) = payload else { return value.to_string() };
    if value == 0 {
        return "0 (Timeout)".to_owned();
    }
    let SelectSets { read, write, except } = &**sets;
    let mut notes = Vec::new();
    for (word, set) in [("in", read), ("out", write), ("except", except)] {
        let fds = set.iter().flatten().filter(|fd| (0..*nfds).contains(*fd));
        let fds: Vec<String> = fds.map(i32::to_string).collect();
        if !fds.is_empty() {
            notes.push(format!("{word} [{}]", fds.join(" ")));
        }
    }
    notes.extend(left.map(|left| format!("left {left}")));
    format!("{value} ({})", notes.join(", "))
}

/// How a call shows that a signal interrupted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It fails at once: it is never made again.
    AtOnce,
    /// One of the kernel's own codes, which says when it is made again.
    Again(&'static str),
}

/// How the call breaks off when a signal comes.
pub(super) fn broken(call: &Call<'_>) -> Broken {
    match call {
        Call::RtSigtimedwait { .. }
        | Call::EpollWait { .. }
        | Call::EpollPwait { .. }
        | Call::EpollPwait2 { .. } => Broken::AtOnce,
        Call::Pause {}
        | Call::RtSigsuspend { .. }
        | Call::Select { .. }
        | Call::Pselect6 { .. }
        | Call::Ppoll { .. } => Broken::Again("ERESTARTNOHAND (To be restarted if no handler)"),
        Call::ClockNanosleep { flags: TIMER_ABSTIME, .. } => {
            Broken::Again("ERESTARTNOHAND (To be restarted if no handler)")
        }
        Call::Poll { .. } | Call::Nanosleep { .. } | Call::ClockNanosleep { .. } => {
            Broken::Again("ERESTART_RESTARTBLOCK (Interrupted by signal)")
        }
        _ => Broken::Again("ERESTARTSYS (To be restarted if SA_RESTART is set)"),
    }
}

impl Broken {
    /// The result.
    pub(super) fn result(self) -> String {
        match self {
            Broken::AtOnce => failed(Errno::EINTR),
            Broken::Again(code) => format!("? {code}"),
        }
    }
}
