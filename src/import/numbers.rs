//! Printed values to numbers and structures, in every print style (FORMAT.md sections 2 and 3).
//!
//! Names without numbers (strace's abbreviated style) are looked up in the tables of
//! `tickernel_systems::abi`: there is no second copy of a number here.

use tickernel_systems::abi::credentials::CAPABILITIES;
use tickernel_systems::abi::flags::{
    CLONE_FLAGS, CLONE_PIDFD, DIRENT_TYPES, FILE_TYPES, MODE_BITS, Names, POLL_EVENTS, SA_FLAGS,
    SIGEV_NOTIFY, makedev, number_of,
};
use tickernel_systems::abi::signal::{SI_QUEUE, SI_TIMER};
use tickernel_systems::abi::{
    Errno, Itimer, PollFd, Rlimit, SigAction, SigEvent, SigInfo, SigSet, Signal, Stat, Timespec,
    WaitStatus,
};

use crate::replay::stat_bits;
use crate::strace::{Call, Operator, Value, WaitStatus as Printed};

/// A number whose names stand in `table`.
pub fn number(value: &Value, table: Names) -> Option<i128> {
    value.resolve(&|name| number_of(table, name).map(i128::from))
}

/// The same as a 32-bit pattern.
pub fn bits32(value: &Value, table: Names) -> Option<u32> {
    let number = number(value, table)?;
    u32::try_from(number).ok().or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
}

/// A mode: `0100644`, `S_IFREG|0644`.
pub fn mode(value: &Value) -> Option<u32> {
    let number = value.resolve(&|name| {
        number_of(FILE_TYPES, name).or_else(|| number_of(MODE_BITS, name)).map(i128::from)
    })?;
    u32::try_from(number).ok()
}

/// A device number: `0xfe00`, `makedev(0xfe, 0)`.
pub fn device(value: &Value) -> Option<u64> {
    let (major, minor) = value.as_device()?;
    Some(makedev(major, minor))
}

/// A signal: `17 /* SIGCHLD */`, `SIGCHLD`, in sets `CHLD` and `RT_4`.
pub fn signal(value: &Value) -> Option<Signal> {
    let number =
        value.resolve(&|name| Signal::from_name(name).map(|it| i128::from(it.number())))?;
    Signal::new(i32::try_from(number).ok()?)
}

/// A signal number that may be 0 or absurd.
pub fn signal_number(value: &Value) -> Option<i32> {
    let number =
        value.resolve(&|name| Signal::from_name(name).map(|it| i128::from(it.number())))?;
    i32::try_from(number).ok()
}

/// A set of signals: `[CHLD USR1]`, `~[]`.
pub fn sigset(value: &Value) -> Option<SigSet> {
    let (complement, items) = value.as_set()?;
    let mut set = SigSet::EMPTY;
    for item in items {
        set.insert(signal(item)?);
    }
    Some(if complement { SigSet::ALL.without(set) } else { set })
}

/// `{sa_handler=…, sa_mask=[…], sa_flags=…}`
pub fn sigaction(value: &Value) -> Option<SigAction> {
    let handler = value.field("sa_handler").or_else(|| value.field("sa_sigaction"))?;
    let handler = handler.resolve(&|name| match name {
        "SIG_DFL" => Some(0),
        "SIG_IGN" => Some(1),
        "SIG_HOLD" => Some(2),
        // -1 as an address, which the kernel takes like any other.
        "SIG_ERR" => Some(i128::from(u64::MAX)),
        _ => None,
    })?;
    // A word of 64 bits, of which the kernel knows the lower half only.
    let flags = value.field("sa_flags").and_then(|flags| number(flags, SA_FLAGS)).unwrap_or(0);
    let flags = flags as u64 as u32;
    Some(SigAction {
        handler: u64::try_from(handler).ok()?,
        mask: value.field("sa_mask").and_then(sigset).unwrap_or(SigSet::EMPTY),
        flags,
    })
}

/// `{tv_sec=…, tv_nsec=…}`, also with `tv_usec`.
pub fn timespec(value: &Value) -> Option<Timespec> {
    let sec = value.field("tv_sec")?.as_i64()?;
    let special =
        |name: &str| number_of(tickernel_systems::abi::flags::UTIME_SPECIALS, name).map(i128::from);
    let nsec = match (value.field("tv_nsec"), value.field("tv_usec")) {
        (Some(nsec), _) => i64::try_from(nsec.resolve(&special)?).ok()?,
        (None, Some(usec)) => usec.as_i64()?.saturating_mul(1000),
        (None, None) => 0,
    };
    Some(Timespec { sec, nsec })
}

/// One time of utimensat's list; strace prints its special values bare.
pub fn file_time(value: &Value) -> Option<Timespec> {
    match value.bare() {
        Value::Name(name) => {
            let table = tickernel_systems::abi::flags::UTIME_SPECIALS;
            let nsec = i64::try_from(number_of(table, name)?).ok()?;
            Some(Timespec { sec: 0, nsec })
        }
        other => timespec(other),
    }
}

/// `{rlim_cur=…, rlim_max=…}`
pub fn rlimit(value: &Value) -> Option<Rlimit> {
    let one = |name: &str| {
        let number = value.field(name)?.resolve(&|name| {
            matches!(name, "RLIM64_INFINITY" | "RLIM_INFINITY").then_some(i128::from(u64::MAX))
        })?;
        u64::try_from(number).ok()
    };
    Some(Rlimit { cur: one("rlim_cur")?, max: one("rlim_max")? })
}

/// A set of capabilities: `1<<CAP_CHOWN|1<<CAP_KILL`; as numbers its two halves are printed one
/// after the other, `0xfeffffff|0x1ff`, an empty low half not at all.
pub fn capabilities(value: &Value) -> Option<u64> {
    let bit = |name: &str| number_of(CAPABILITIES, name).map(i128::from);
    let half = |value: &Value| u64::try_from(value.number()?).ok();
    let is_high = |value: &Value| {
        let words = value.comment()?.split(|byte: char| !(byte.is_alphanumeric() || byte == '_'));
        words.filter_map(bit).next().map(|bit| bit >= 32)
    };
    match value.bare() {
        Value::Operation(Operator::Or, halves) => match halves.as_slice() {
            [low, high] if half(low).is_some() && half(high).is_some() => {
                Some(half(low)? | half(high)? << 32)
            }
            _ => u64::try_from(value.resolve(&bit)?).ok(),
        },
        _ => match half(value) {
            Some(only) if is_high(value) == Some(true) => Some(only << 32),
            Some(only) => Some(only),
            None => u64::try_from(value.resolve(&bit)?).ok(),
        },
    }
}

/// `[{fd=3, events=…}, …]`; of a result `revents`.
pub fn pollfds(value: &Value) -> Option<Vec<PollFd>> {
    let one = |item: &Value| {
        let bits = |name: &str| {
            let bits = item.field(name).map_or(Some(0), |value| bits32(value, POLL_EVENTS));
            bits.map(|bits| bits as u16)
        };
        Some(PollFd {
            fd: item.field("fd")?.as_i32()?,
            events: bits("events")?,
            revents: bits("revents")?,
        })
    };
    value.items()?.iter().map(one).collect()
}

/// `[3 5]`: a set of descriptors.
pub fn fd_list(value: &Value) -> Option<Vec<i64>> {
    value.items()?.iter().map(Value::as_i64).collect()
}

/// A status of wait4.
pub fn wait_status(value: &Value) -> Option<WaitStatus> {
    Some(match value.as_wait_status()? {
        Printed::Exited(code) => WaitStatus::Exited(code as u8),
        Printed::Signaled { signal: by, core } => WaitStatus::Signaled(signal(by)?, core),
        Printed::Stopped(by) => WaitStatus::Stopped(signal(by)?),
        Printed::Continued => WaitStatus::Continued,
    })
}

fn si_code(value: &Value) -> Option<i32> {
    use tickernel_systems::abi::signal::*;
    let number = value.resolve(&|name| {
        Some(i128::from(match name {
            "SI_USER" => SI_USER,
            "SI_KERNEL" => SI_KERNEL,
            "SI_QUEUE" => SI_QUEUE,
            "SI_TIMER" => SI_TIMER,
            "SI_TKILL" => SI_TKILL,
            "CLD_EXITED" => CLD_EXITED,
            "CLD_KILLED" => CLD_KILLED,
            "CLD_DUMPED" => CLD_DUMPED,
            "CLD_TRAPPED" => 4,
            "CLD_STOPPED" => CLD_STOPPED,
            "CLD_CONTINUED" => CLD_CONTINUED,
            _ => return None,
        }))
    })?;
    i32::try_from(number).ok().or_else(|| u32::try_from(number).ok().map(u32::cast_signed))
}

/// `{si_signo=…, si_code=…, si_pid=…}`
pub fn siginfo(value: &Value) -> Option<SigInfo> {
    let signo = signal_number(value.field("si_signo")?)?;
    let small = |name: &str| {
        value.field(name).and_then(Value::number).and_then(|number| u32::try_from(number).ok())
    };
    let code = value.field("si_code").and_then(si_code).unwrap_or(0);
    // A timer's signal has its number and overrun in the words of the sender.
    let (pid, uid) = match code {
        SI_TIMER => ("si_timerid", "si_overrun"),
        _ => ("si_pid", "si_uid"),
    };
    let status = match value.field("si_status") {
        Some(status) => signal_number(status)?,
        None => 0,
    };
    // Of sigqueue(3): the pointer is the whole word, the number its lower half.
    let value = match code {
        SI_QUEUE => value.field("si_ptr").and_then(|word| word.as_u64().or(word.as_pointer())),
        _ => None,
    };
    Some(SigInfo {
        signo,
        code,
        pid: small(pid).unwrap_or(0),
        uid: small(uid).unwrap_or(0),
        status,
        value: value.unwrap_or(0),
    })
}

/// An errno's name.
pub fn errno(name: &str) -> Option<Errno> {
    Errno::from_name(name)
}

/// `DT_REG` or its number.
pub fn dirent_type(value: &Value) -> Option<u8> {
    u8::try_from(number(value, DIRENT_TYPES)?).ok()
}

/// A `struct stat` and which members of it were printed.
pub fn stat(value: &Value) -> Option<(Stat, u32)> {
    use stat_bits::*;
    value.as_struct()?;
    let mut stat = Stat::default();
    let mut seen = 0;
    let number = |name: &str| value.field(name).and_then(Value::as_u64);
    let small = |name: &str| number(name).and_then(|number| u32::try_from(number).ok());
    let mut set = |bit: u32, found: bool| seen |= if found { bit } else { 0 };
    let field = |name: &str| value.field(name);
    if let Some(dev) = field("st_dev").and_then(device) {
        stat.dev = dev;
        set(DEV, true);
    }
    if let Some(ino) = number("st_ino") {
        stat.ino = ino;
        set(INO, true);
    }
    if let Some(bits) = field("st_mode").and_then(mode) {
        stat.mode = bits;
        set(MODE, true);
    }
    if let Some(rdev) = field("st_rdev").and_then(device) {
        stat.rdev = rdev;
        set(RDEV, true);
    }
    if let Some(size) = number("st_size") {
        stat.size = size;
        set(SIZE, true);
    }
    for (name, bit, slot) in [
        ("st_nlink", NLINK, &mut stat.nlink),
        ("st_uid", UID, &mut stat.uid),
        ("st_gid", GID, &mut stat.gid),
    ] {
        if let Some(found) = small(name) {
            *slot = found;
            set(bit, true);
        }
    }
    for (name, bit, slot) in [
        ("st_mtime", MTIME, &mut stat.mtime),
        ("st_atime", ATIME, &mut stat.atime),
        ("st_ctime", CTIME, &mut stat.ctime),
    ] {
        if let Some(sec) = field(name).and_then(Value::as_i64) {
            let nsec = field(&format!("{name}_nsec")).and_then(Value::as_i64).unwrap_or(0);
            *slot = Timespec { sec, nsec };
            set(bit, true);
        }
    }
    Some((stat, seen))
}

/// A `struct statx` and which members of it were printed and filled (its `stx_mask`).
pub fn statx(value: &Value) -> Option<(Stat, u32)> {
    use stat_bits::*;
    value.as_struct()?;
    let number = |name: &str| value.field(name).and_then(Value::as_u64);
    let small = |name: &str| number(name).and_then(|number| u32::try_from(number).ok());
    let filled = number("stx_mask").unwrap_or(0x7ff);
    let mut stat = Stat::default();
    let mut seen = 0;
    let mut take = |bit: u32, stx: u64, found: Option<u64>, slot: &mut u64| {
        if let Some(found) = found.filter(|_| filled & stx != 0) {
            *slot = found;
            seen |= bit;
        }
    };
    let device = |major: &str, minor: &str| Some(makedev(small(major)?, small(minor)?));
    let (mut nlink, mut uid, mut gid, mut bits) = (0, 0, 0, 0);
    take(DEV, u64::MAX, device("stx_dev_major", "stx_dev_minor"), &mut stat.dev);
    take(RDEV, u64::MAX, device("stx_rdev_major", "stx_rdev_minor"), &mut stat.rdev);
    take(MODE, 3, value.field("stx_mode").and_then(mode).map(u64::from), &mut bits);
    take(NLINK, 4, number("stx_nlink"), &mut nlink);
    take(UID, 8, number("stx_uid"), &mut uid);
    take(GID, 0x10, number("stx_gid"), &mut gid);
    take(INO, 0x100, number("stx_ino"), &mut stat.ino);
    take(SIZE, 0x200, number("stx_size"), &mut stat.size);
    (stat.mode, stat.nlink) = (bits as u32, nlink as u32);
    (stat.uid, stat.gid) = (uid as u32, gid as u32);
    for (name, bit, stx, slot) in [
        ("stx_atime", ATIME, 0x20, &mut stat.atime),
        ("stx_mtime", MTIME, 0x40, &mut stat.mtime),
        ("stx_ctime", CTIME, 0x80, &mut stat.ctime),
    ] {
        if let Some(time) = value.field(name).and_then(timespec).filter(|_| filled & stx != 0) {
            *slot = time;
            seen |= bit;
        }
    }
    Some((stat, seen))
}

/// `{sigev_value={sival_int=…, sival_ptr=…}, sigev_signo=…, sigev_notify=…}`
pub fn sigevent(value: &Value) -> Option<SigEvent> {
    let signo = value.field("sigev_signo").map_or(Some(0), signal_number)?;
    // A value of zero is not printed.
    let given = |name: &str| value.field("sigev_value")?.field(name);
    let word = given("sival_ptr").and_then(|word| word.as_pointer().or(word.as_u64()));
    let notify = number(value.field("sigev_notify")?, SIGEV_NOTIFY)?;
    let thread = value.field("sigev_notify_thread_id").and_then(Value::as_i32).unwrap_or(0);
    let value = word.or_else(|| given("sival_int")?.as_u64()).unwrap_or(0);
    Some(SigEvent { notify: u32::try_from(notify).ok()?, signo, value, thread })
}

/// `{it_interval={…}, it_value={…}}`
pub fn itimer(value: &Value) -> Option<Itimer> {
    let time = |name: &str| timespec(value.field(name)?);
    Some(Itimer::of_times(time("it_value")?, time("it_interval")?))
}

/// The descriptor of the child that clone(2) gave with CLONE_PIDFD: it stands where the thread's
/// number would; clone3(2) has a place of its own for it.
pub fn pidfd_of_clone(call: &Call) -> Option<i32> {
    let argument = call.arg(0)?;
    let (flags, told) = match &*call.name {
        "clone3" => (argument.field("flags")?, argument.after().field("pidfd")),
        "clone" => (call.named_arg("flags")?, call.named_arg("parent_tid")),
        _ => return None,
    };
    let constant = |name: &str| number_of(CLONE_FLAGS, name).or(Some(0)).map(i128::from);
    let bits = flags.resolve(&constant).and_then(|bits| u64::try_from(bits).ok())?;
    let told = told?.items().filter(|_| bits & CLONE_PIDFD != 0)?;
    told.first()?.as_i32()
}
