//! The structures of calls as JSON, both ways: times, dispositions, siginfo, poll's list, limits,
//! locks, terminals, wait statuses. (stat, statfs and directory entries: `answer.rs`.)

use super::names::{self, show_flags, show_number};
use super::{CAUGHT, JsonError, Object};
use serde_json::{Value, json};
use tickernel_systems::abi::flags::{
    EPOLL_EVENTS, LOCK_KINDS, Names, OWNER_KINDS, POLL_EVENTS, SA_FLAGS, SIGEV_NOTIFY, UTIME_NOW,
    UTIME_OMIT, UTIME_SPECIALS, WHENCES, name_of, number_of,
};
use tickernel_systems::abi::signal::{SI_QUEUE, SI_TIMER, SI_TKILL, SI_USER, SIG_DFL, SIG_IGN};
use tickernel_systems::abi::termios::{
    TERMIOS_CC, TERMIOS_CFLAGS, TERMIOS_IFLAGS, TERMIOS_LFLAGS, TERMIOS_OFLAGS,
};
use tickernel_systems::abi::{
    EpollEvent, FileOwner, Flock, Itimer, PollFd, Rlimit, SigAction, SigEvent, SigInfo, Signal,
    Termios, Termios2, Timespec, WaitStatus, Winsize,
};

/// The fields of one object, asked for by name; errors name the field and what it belongs to.
pub(super) struct Fields<'o> {
    object: &'o Object,
    of: &'o str,
}

impl<'o> Fields<'o> {
    pub(super) fn new(value: &'o Value, of: &'o str) -> Result<Self, JsonError> {
        let object = value
            .as_object()
            .ok_or_else(|| JsonError(format!("the field \"{of}\" must be an object")))?;
        Ok(Self { object, of })
    }

    pub(super) fn over(object: &'o Object, of: &'o str) -> Self {
        Self { object, of }
    }

    pub(super) fn get(&self, name: &str) -> Result<&'o Value, JsonError> {
        self.object.get(name).ok_or_else(|| JsonError::missing(name, self.of))
    }

    /// A number of this type, read by `by`.
    pub(super) fn by<N: TryFrom<i128>>(
        &self,
        name: &str,
        by: impl Fn(&Value) -> Option<i128>,
    ) -> Result<N, JsonError> {
        self.fit(name, by(self.get(name)?))
    }

    /// A number of this type; 0 if it is left out.
    pub(super) fn or_zero<N: TryFrom<i128> + Default>(&self, name: &str) -> Result<N, JsonError> {
        match self.object.get(name) {
            None => Ok(N::default()),
            Some(value) => self.fit(name, names::plain(value)),
        }
    }

    pub(super) fn number<N: TryFrom<i128>>(&self, name: &str) -> Result<N, JsonError> {
        self.by(name, names::plain)
    }

    fn fit<N: TryFrom<i128>>(&self, name: &str, number: Option<i128>) -> Result<N, JsonError> {
        number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| {
            JsonError::wrong(name, self.of, "a number (or the name of one) that fits it")
        })
    }
}

/// `{"sec":…,"nsec":…}`, or one of utimensat(2)'s special values.
pub(super) fn show_time(time: Timespec) -> Value {
    match u64::try_from(time.nsec).ok().and_then(|nsec| name_of(UTIME_SPECIALS, nsec)) {
        Some(name) if time.sec == 0 => name.into(),
        _ => json!({"sec": time.sec, "nsec": time.nsec}),
    }
}

/// Reads [`show_time`]'s form; `usec` may stand in the place of `nsec` (a timeval).
pub(super) fn read_time(value: &Value, of: &str) -> Result<Timespec, JsonError> {
    match value.as_str() {
        Some("UTIME_NOW") => return Ok(Timespec { sec: 0, nsec: UTIME_NOW }),
        Some("UTIME_OMIT") => return Ok(Timespec { sec: 0, nsec: UTIME_OMIT }),
        _ => {}
    }
    let fields = Fields::new(value, of)?;
    let sec = fields.number("sec")?;
    if fields.object.contains_key("usec") {
        return Ok(Timespec { sec, nsec: fields.number::<i64>("usec")?.saturating_mul(1000) });
    }
    Ok(Timespec { sec, nsec: fields.number("nsec")? })
}

pub(super) fn show_timer(timer: Itimer) -> Value {
    let show = |ns| show_time(Itimer::time_of(ns));
    json!({"interval": show(timer.interval_ns), "value": show(timer.value_ns)})
}

/// As setitimer(2) and getitimer(2) have it: in microseconds.
pub(super) fn show_coarse_timer(timer: Itimer) -> Value {
    if ![timer.value_ns, timer.interval_ns].iter().all(|ns| ns.is_multiple_of(1000)) {
        return show_timer(timer);
    }
    let show = |ns| {
        let time = Itimer::time_of(ns);
        json!({"sec": time.sec, "usec": time.nsec / 1000})
    };
    json!({"interval": show(timer.interval_ns), "value": show(timer.value_ns)})
}

pub(super) fn read_timer(value: &Value, of: &str) -> Result<Itimer, JsonError> {
    let fields = Fields::new(value, of)?;
    let time = |name| read_time(fields.get(name)?, name);
    Ok(Itimer::of_times(time("value")?, time("interval")?))
}

/// `struct sigevent`.
pub(super) fn show_sigevent(event: SigEvent) -> Value {
    let mut object = Object::new();
    let notify = names::show_choice(event.notify.into(), SIGEV_NOTIFY);
    object.insert("sigev_notify".into(), notify);
    object.insert("sigev_signo".into(), names::show_signal(event.signo.into()));
    object.insert("sigev_value".into(), event.value.into());
    if event.thread != 0 {
        object.insert("sigev_notify_thread_id".into(), event.thread.into());
    }
    Value::Object(object)
}

pub(super) fn read_sigevent(value: &Value, of: &str) -> Result<SigEvent, JsonError> {
    let fields = Fields::new(value, of)?;
    let signo = match fields.object.get("sigev_signo") {
        None => 0,
        Some(_) => fields.by("sigev_signo", names::signal_number)?,
    };
    Ok(SigEvent {
        notify: fields.by("sigev_notify", |value| names::choice(value, SIGEV_NOTIFY))?,
        signo,
        value: fields.or_zero("sigev_value")?,
        thread: fields.or_zero("sigev_notify_thread_id")?,
    })
}

/// A disposition; a handler's cookie other than [`CAUGHT`] is a number.
pub(super) fn show_action(action: &SigAction) -> Value {
    let handler = match action.handler {
        SIG_DFL => "SIG_DFL".into(),
        SIG_IGN => "SIG_IGN".into(),
        CAUGHT => "caught".into(),
        cookie => Value::from(cookie),
    };
    let flags = show_flags(action.flags.into(), SA_FLAGS, "");
    json!({"handler": handler, "mask": names::show_set(action.mask), "flags": flags})
}

pub(super) fn read_action(value: &Value, of: &str) -> Result<SigAction, JsonError> {
    let fields = Fields::new(value, of)?;
    let handler = match fields.get("handler")?.as_str() {
        Some("SIG_DFL") => SIG_DFL,
        Some("SIG_IGN") => SIG_IGN,
        Some("caught") => CAUGHT,
        _ => fields.number("handler")?,
    };
    let mask = match fields.object.get("mask") {
        None => Default::default(),
        Some(list) => names::set(list)
            .ok_or_else(|| JsonError::wrong("mask", of, "a list of names of signals"))?,
    };
    let flags = match fields.object.get("flags") {
        None => 0,
        Some(_) => fields.by("flags", |flags| names::table_flags(flags, SA_FLAGS))?,
    };
    Ok(SigAction { handler, mask, flags })
}

/// siginfo_t: signal and code by name, and the rest as far as it applies; nothing if there is none
/// (waitid(2) with WNOHANG).
pub fn show_info(info: &SigInfo) -> Value {
    let child = info.signo == i32::from(Signal::SIGCHLD.number()) && (1..=6).contains(&info.code);
    let sent = matches!(info.code, SI_USER | SI_TKILL | SI_QUEUE);
    let mut object = Object::new();
    if *info == SigInfo::default() {
        return Value::Object(object);
    }
    object.insert("si_signo".into(), names::show_signal(info.signo.into()));
    object.insert("si_code".into(), names::show_code(info.signo, info.code));
    if info.is_of_io() {
        object.insert("si_band".into(), info.band().into());
        object.insert("si_fd".into(), info.status.into());
    } else if info.code == SI_TIMER {
        object.insert("si_timerid".into(), info.pid.into());
        object.insert("si_overrun".into(), info.uid.into());
    } else if child || sent || info.pid != 0 || info.uid != 0 {
        object.insert("si_pid".into(), info.pid.into());
        object.insert("si_uid".into(), info.uid.into());
    }
    if child || info.status != 0 && !info.is_of_io() {
        object.insert("si_status".into(), info.status.into());
    }
    if matches!(info.code, SI_QUEUE | SI_TIMER) || info.value != 0 {
        object.insert("si_value".into(), info.value.into());
    }
    Value::Object(object)
}

/// Reads [`show_info`]'s form; what is left out is 0.
///
/// # Errors
/// Not an object, or a field that is no number.
pub fn read_info(value: &Value, of: &str) -> Result<SigInfo, JsonError> {
    let fields = Fields::new(value, of)?;
    let signo = match fields.object.get("si_signo") {
        None => 0,
        Some(_) => fields.by("si_signo", names::signal_number)?,
    };
    let code = match fields.object.get("si_code") {
        None => 0,
        Some(_) => fields.by("si_code", names::code)?,
    };
    let value_of = fields.or_zero("si_value")?;
    if fields.object.contains_key("si_band") {
        let (band, fd) = (fields.or_zero("si_band")?, fields.or_zero("si_fd")?);
        return Ok(SigInfo { value: value_of, ..SigInfo::of_io(signo, code, band, fd) });
    }
    Ok(SigInfo {
        signo,
        code,
        pid: fields.or_zero(if code == SI_TIMER { "si_timerid" } else { "si_pid" })?,
        uid: fields.or_zero(if code == SI_TIMER { "si_overrun" } else { "si_uid" })?,
        status: fields.or_zero("si_status")?,
        value: value_of,
    })
}

/// poll(2)'s list, with `revents` in an answer.
pub(super) fn show_poll(fds: &[PollFd], answer: bool) -> Value {
    let events = |bits: u16| show_flags(bits.into(), POLL_EVENTS, "");
    let show = |item: &PollFd| {
        let mut object = Object::new();
        object.insert("fd".into(), item.fd.into());
        object.insert("events".into(), events(item.events));
        if answer || item.revents != 0 {
            object.insert("revents".into(), events(item.revents));
        }
        Value::Object(object)
    };
    fds.iter().map(show).collect::<Vec<_>>().into()
}

pub(super) fn read_poll(value: &Value, of: &str) -> Result<Vec<PollFd>, JsonError> {
    let items = value.as_array().ok_or_else(|| {
        JsonError(format!("the field \"{of}\" must be a list of {{\"fd\":…,\"events\":…}}"))
    })?;
    let bits = |value: &Value| names::table_flags(value, POLL_EVENTS);
    let read = |item| {
        let fields = Fields::new(item, of)?;
        let revents = match fields.object.get("revents") {
            None => 0,
            Some(_) => fields.by("revents", bits)?,
        };
        Ok(PollFd { fd: fields.number("fd")?, events: fields.by("events", bits)?, revents })
    };
    items.iter().map(read).collect()
}

/// epoll_wait(2)'s list.
pub(super) fn show_epoll(events: &[EpollEvent]) -> Value {
    let show = |event: &EpollEvent| {
        let events = show_flags(event.events.into(), EPOLL_EVENTS, "");
        json!({"events": events, "data": event.data})
    };
    events.iter().map(show).collect::<Vec<_>>().into()
}

pub(super) fn read_epoll(value: &Value, of: &str) -> Result<Vec<EpollEvent>, JsonError> {
    let items = value.as_array().ok_or_else(|| {
        JsonError(format!("the field \"{of}\" must be a list of {{\"events\":…,\"data\":…}}"))
    })?;
    let read = |item| {
        let fields = Fields::new(item, of)?;
        let events = fields.by("events", |value| names::table_flags(value, EPOLL_EVENTS))?;
        Ok(EpollEvent { events, data: fields.number("data")? })
    };
    items.iter().map(read).collect()
}

pub(super) fn show_limit(limit: Rlimit) -> Value {
    json!({"cur": limit.cur, "max": limit.max})
}

pub(super) fn read_limit(value: &Value, of: &str) -> Result<Rlimit, JsonError> {
    let bound = |value: &Value| match value.as_str() {
        Some("RLIM_INFINITY") => Some(i128::from(u64::MAX)),
        _ => names::plain(value).map(|number| if number == -1 { u64::MAX.into() } else { number }),
    };
    let fields = Fields::new(value, of)?;
    Ok(Rlimit { cur: fields.by("cur", bound)?, max: fields.by("max", bound)? })
}

pub(super) fn show_owner(owner: FileOwner) -> Value {
    json!({ "type": names::show_choice(owner.kind.into(), OWNER_KINDS), "pid": owner.pid })
}

pub(super) fn read_owner(value: &Value, of: &str) -> Result<FileOwner, JsonError> {
    let fields = Fields::new(value, of)?;
    Ok(FileOwner {
        kind: fields.by("type", |value| names::choice(value, OWNER_KINDS))?,
        pid: fields.number("pid")?,
    })
}

pub(super) fn show_lock(lock: &Flock) -> Value {
    let (kind, whence) = (lock.kind.into(), lock.whence.into());
    json!({
        "type": names::show_choice(kind, LOCK_KINDS),
        "whence": names::show_choice(whence, WHENCES),
        "start": lock.start,
        "len": lock.len,
        "pid": lock.pid,
    })
}

pub(super) fn read_lock(value: &Value, of: &str) -> Result<Flock, JsonError> {
    let fields = Fields::new(value, of)?;
    Ok(Flock {
        kind: fields.by("type", |value| names::choice(value, LOCK_KINDS))?,
        whence: fields.by("whence", |value| names::choice(value, WHENCES))?,
        start: fields.number("start")?,
        len: fields.number("len")?,
        pid: fields.or_zero("pid")?,
    })
}

/// The four words of flags, the line discipline if it is not 0, the control characters by name.
pub(super) fn show_termios(termios: &Termios) -> Value {
    let flags = |bits: u32, table: Names| show_flags(bits.into(), table, "");
    let mut object = Object::new();
    object.insert("iflag".into(), flags(termios.iflag, TERMIOS_IFLAGS));
    object.insert("oflag".into(), flags(termios.oflag, TERMIOS_OFLAGS));
    object.insert("cflag".into(), flags(termios.cflag, TERMIOS_CFLAGS));
    object.insert("lflag".into(), flags(termios.lflag, TERMIOS_LFLAGS));
    if termios.line != 0 {
        object.insert("line".into(), termios.line.into());
    }
    let mut cc = Object::new();
    for (place, &byte) in termios.cc.iter().enumerate() {
        match name_of(TERMIOS_CC, place as u64) {
            Some(name) => cc.insert(name.into(), byte.into()),
            None if byte != 0 => cc.insert(place.to_string(), byte.into()),
            None => None,
        };
    }
    object.insert("cc".into(), cc.into());
    Value::Object(object)
}

pub(super) fn read_termios(value: &Value, of: &str) -> Result<Termios, JsonError> {
    let fields = Fields::new(value, of)?;
    let flags = |name, table| fields.by(name, |value| names::table_flags(value, table));
    let mut termios = Termios {
        iflag: flags("iflag", TERMIOS_IFLAGS)?,
        oflag: flags("oflag", TERMIOS_OFLAGS)?,
        cflag: flags("cflag", TERMIOS_CFLAGS)?,
        lflag: flags("lflag", TERMIOS_LFLAGS)?,
        line: fields.or_zero("line")?,
        ..Termios::default()
    };
    let characters = Fields::new(fields.get("cc")?, "cc")?;
    for name in characters.object.keys() {
        let place = number_of(TERMIOS_CC, name).or_else(|| name.parse().ok());
        let slot = place.and_then(|place| termios.cc.get_mut(usize::try_from(place).ok()?));
        match slot {
            Some(slot) => *slot = characters.number(name)?,
            None => return Err(JsonError(format!("cc: there is no \"{name}\""))),
        }
    }
    Ok(termios)
}

/// The same with the speeds, which tell that they are meant.
pub(super) fn show_termios2(termios: &Termios2) -> Value {
    let mut shown = show_termios(&termios.termios);
    shown["ispeed"] = termios.ispeed.into();
    shown["ospeed"] = termios.ospeed.into();
    shown
}

pub(super) fn read_termios2(value: &Value, of: &str) -> Result<Termios2, JsonError> {
    let fields = Fields::new(value, of)?;
    let (ispeed, ospeed) = (fields.number("ispeed")?, fields.number("ospeed")?);
    Ok(Termios2 { termios: read_termios(value, of)?, ispeed, ospeed })
}

pub(super) fn show_winsize(size: Winsize) -> Value {
    json!({
        "ws_row": size.row, "ws_col": size.col, "ws_xpixel": size.xpixel, "ws_ypixel": size.ypixel
    })
}

pub(super) fn read_winsize(value: &Value, of: &str) -> Result<Winsize, JsonError> {
    let fields = Fields::new(value, of)?;
    Ok(Winsize {
        row: fields.or_zero("ws_row")?,
        col: fields.or_zero("ws_col")?,
        xpixel: fields.or_zero("ws_xpixel")?,
        ypixel: fields.or_zero("ws_ypixel")?,
    })
}

/// `{"exited":N}`, `{"signaled":…}`, `{"stopped":…}` or `"continued"`; `core` only where
/// `lossless`.
pub fn show_status(status: WaitStatus, lossless: bool) -> Value {
    match status {
        WaitStatus::Exited(code) => json!({"exited": code}),
        WaitStatus::Signaled(signal, true) if lossless => {
            json!({"signaled": signal.name(), "core": true})
        }
        WaitStatus::Signaled(signal, _) => json!({"signaled": signal.name()}),
        WaitStatus::Stopped(signal) => json!({"stopped": signal.name()}),
        WaitStatus::Continued => "continued".into(),
    }
}

pub(super) fn read_status(value: &Value, of: &str) -> Result<WaitStatus, JsonError> {
    if value.as_str() == Some("continued") {
        return Ok(WaitStatus::Continued);
    }
    let fields = Fields::new(value, of)?;
    let signal = |name: &str| {
        names::signal(fields.get(name)?)
            .ok_or_else(|| JsonError::wrong(name, of, "the name of a signal"))
    };
    if fields.object.contains_key("exited") {
        return Ok(WaitStatus::Exited(fields.number("exited")?));
    }
    if fields.object.contains_key("signaled") {
        let core = fields.object.get("core").and_then(Value::as_bool).unwrap_or(false);
        return Ok(WaitStatus::Signaled(signal("signaled")?, core));
    }
    Ok(WaitStatus::Stopped(signal("stopped")?))
}

/// A list of numbers.
pub(super) fn read_numbers<N: TryFrom<i128>>(value: &Value, of: &str) -> Result<Vec<N>, JsonError> {
    let number = |item| names::plain(item).and_then(|number| N::try_from(number).ok());
    let items = value.as_array().and_then(|items| items.iter().map(number).collect());
    items.ok_or_else(|| JsonError(format!("the field \"{of}\" must be a list of numbers")))
}

/// A list of numbers as JSON.
pub(super) fn show_numbers(numbers: impl IntoIterator<Item = i128>) -> Value {
    numbers.into_iter().map(show_number).collect::<Vec<_>>().into()
}
