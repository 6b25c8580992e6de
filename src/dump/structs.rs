//! Structures as strace prints them with `-v -X verbose`: their fields by the names of the man
//! pages' structs, in the order of strace. The way back is `import/numbers.rs`.

use std::net::{Ipv4Addr, Ipv6Addr};

use tickernel_systems::abi::flags::{
    ADDRESS_FAMILIES, AF_INET, AF_INET6, AF_UNIX, DIRENT_TYPES, EPOLL_EVENTS, INTERFACE_FLAGS,
    LOCK_KINDS, OWNER_KINDS, POLL_EVENTS, SA_FLAGS, SIGEV_NOTIFY, SIGEV_THREAD_ID, SS_FLAGS,
    STATX_MASKS, UTIME_SPECIALS, WHENCES, major, minor, name_of,
};
use tickernel_systems::abi::signal::{
    CHILD_CODES, CLD_EXITED, POLL_CODES, SI_CODES, SI_KERNEL, SI_QUEUE, SI_TIMER, SIG_DFL, SIG_IGN,
};
use tickernel_systems::abi::socket::{ExtendedError, OptionValue, Ucred};
use tickernel_systems::abi::{
    Address, AltStack, Dirent, EpollEvent, FileOwner, Flock, Interface, InterfaceValue, Itimer,
    Rlimit, SigAction, SigEvent, SigInfo, Signal, Stat, Statfs, Termios, Termios2, Timespec,
    WaitStatus, Winsize,
};

use super::values::{choice, flags, hex, list, mode, raw, signal, sigset, text};

/// `{tv_sec=1, tv_nsec=5}`
pub(super) fn timespec(time: Timespec) -> String {
    format!("{{tv_sec={}, tv_nsec={}}}", time.sec, time.nsec)
}

/// `{tv_sec=1, tv_usec=5}`. The kernel's own times are finer than the struct: one that does not fit
/// keeps its nanoseconds.
pub(super) fn timeval(time: Timespec) -> String {
    if time.nsec % 1000 != 0 {
        return timespec(time);
    }
    format!("{{tv_sec={}, tv_usec={}}}", time.sec, time.nsec / 1000)
}

/// A time of utimensat(2).
pub(super) fn file_time(time: Timespec) -> String {
    let special = u64::try_from(time.nsec).ok().and_then(|nsec| name_of(UTIME_SPECIALS, nsec));
    let note = special.map_or(String::new(), |name| format!(" /* {name} */"));
    timespec(time) + &note
}

/// `{it_interval={…}, it_value={…}}` of setitimer(2), and with `fine` of timer_settime(2).
pub(super) fn itimer(timer: Itimer, fine: bool) -> String {
    let one = |ns: u64| {
        let time = Itimer::time_of(ns);
        if fine { timespec(time) } else { timeval(time) }
    };
    format!("{{it_interval={}, it_value={}}}", one(timer.interval_ns), one(timer.value_ns))
}

/// `{rlim_cur=…, rlim_max=…}`
pub(super) fn rlimit(limit: Rlimit) -> String {
    let one = |value: u64| match value {
        u64::MAX => format!("{value} /* RLIM64_INFINITY */"),
        value => value.to_string(),
    };
    format!("{{rlim_cur={}, rlim_max={}}}", one(limit.cur), one(limit.max))
}

/// `{sa_handler=…, sa_mask=[…], sa_flags=…}`
pub(super) fn sigaction(action: &SigAction) -> String {
    let handler = match action.handler {
        SIG_DFL => "0 /* SIG_DFL */".to_owned(),
        SIG_IGN => "0x1 /* SIG_IGN */".to_owned(),
        address => hex(address),
    };
    let (mask, flags) = (sigset(action.mask), flags(action.flags, SA_FLAGS));
    format!("{{sa_handler={handler}, sa_mask={mask}, sa_flags={flags}}}")
}

/// `{si_signo=…, si_code=…, …}` with the members that go with the signal.
pub(super) fn siginfo(info: &SigInfo) -> String {
    let sent = SI_CODES.iter().find(|entry| entry.1 == info.code);
    let child = CHILD_CODES.iter().find(|entry| entry.1 == info.code);
    let polled = POLL_CODES.iter().find(|entry| entry.1 == info.code);
    if info.is_of_io() {
        let name =
            polled.or(sent).map_or_else(|| info.code.to_string(), |entry| entry.0.to_owned());
        return format!(
            "{{si_signo={}, si_code={name}, si_band={}, si_fd={}}}",
            signal(info.signo),
            info.band(),
            info.status
        );
    }
    let is_child = info.signo == i32::from(Signal::SIGCHLD.number()) && info.code >= CLD_EXITED;
    let named = if is_child { child.or(sent) } else { sent };
    let note = named.map_or(String::new(), |entry| format!(" /* {} */", entry.0));
    let code = hex(u64::from(info.code.cast_unsigned()));
    let mut out = format!("{{si_signo={}, si_code={code}{note}", signal(info.signo));
    let pointer = if info.value == 0 { "NULL".to_owned() } else { hex(info.value) };
    let value = format!(", si_int={}, si_ptr={pointer}", info.value as i32);
    match info.code {
        SI_TIMER => {
            out += &format!(", si_timerid={}, si_overrun={}{value}", info.pid, info.uid);
        }
        SI_KERNEL if info.pid == 0 && info.uid == 0 => {}
        code => {
            out += &format!(", si_pid={}, si_uid={}", info.pid, info.uid);
            if is_child {
                let status =
                    if code == CLD_EXITED { info.status.to_string() } else { signal(info.status) };
                out += &format!(", si_status={status}, si_utime=0, si_stime=0");
            } else if code == SI_QUEUE || info.value != 0 {
                out += &value;
            }
        }
    }
    out + "}"
}

/// `[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]`
pub(super) fn wait_status(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(code) => format!("[{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}]"),
        WaitStatus::Signaled(signal, core) => {
            let core = if core { " && WCOREDUMP(s)" } else { "" };
            format!("[{{WIFSIGNALED(s) && WTERMSIG(s) == {}{core}}}]", signal.name())
        }
        WaitStatus::Stopped(signal) => {
            format!("[{{WIFSTOPPED(s) && WSTOPSIG(s) == {}}}]", signal.name())
        }
        WaitStatus::Continued => "[{WIFCONTINUED(s)}]".to_owned(),
    }
}

/// `0x103 /* makedev(0x1, 0x3) */`
pub(super) fn device(number: u64) -> String {
    let (major, minor) = (u64::from(major(number)), u64::from(minor(number)));
    format!("{} /* makedev({}, {}) */", hex(number), hex(major), hex(minor))
}

/// `struct stat`, whole.
pub(super) fn stat(stat: &Stat) -> String {
    let mut out = format!(
        "{{st_dev={}, st_ino={}, st_mode={}, st_nlink={}, st_uid={}, st_gid={}, st_blksize={}, st_blocks={}, ",
        device(stat.dev),
        stat.ino,
        mode(stat.mode),
        stat.nlink,
        stat.uid,
        stat.gid,
        stat.blksize,
        stat.blocks
    );
    out += &match stat.mode & tickernel_systems::abi::flags::S_IFMT {
        tickernel_systems::abi::flags::S_IFCHR | tickernel_systems::abi::flags::S_IFBLK => {
            format!("st_rdev={}", device(stat.rdev))
        }
        _ => format!("st_size={}", stat.size),
    };
    for (name, time) in [("atime", stat.atime), ("mtime", stat.mtime), ("ctime", stat.ctime)] {
        out += &format!(", st_{name}={}, st_{name}_nsec={}", time.sec, time.nsec);
    }
    out + "}"
}

/// `struct statx`; `mask` is what was asked for.
pub(super) fn statx(stat: &Stat, mask: u32) -> String {
    const BASIC: u32 = 0x7ff;
    const BTIME: u32 = 0x800;
    let filled = flags(BASIC | mask & BTIME, STATX_MASKS);
    let mut out = format!(
        "{{stx_mask={filled}, stx_blksize={}, stx_attributes=0, stx_nlink={}, stx_uid={}, stx_gid={}, stx_mode={}, stx_ino={}, stx_size={}, stx_blocks={}, stx_attributes_mask=0",
        stat.blksize,
        stat.nlink,
        stat.uid,
        stat.gid,
        mode_text(stat.mode),
        stat.ino,
        stat.size,
        stat.blocks
    );
    let times = [("atime", stat.atime), ("btime", stat.btime), ("ctime", stat.ctime)];
    let times = times.into_iter().filter(|(name, _)| *name != "btime" || mask & BTIME != 0);
    for (name, time) in times.chain([("mtime", stat.mtime)]) {
        out += &format!(", stx_{name}={}", timespec(time));
    }
    for (name, number) in [("rdev", stat.rdev), ("dev", stat.dev)] {
        out += &format!(", stx_{name}_major={}, stx_{name}_minor={}", major(number), minor(number));
    }
    out + "}"
}

fn mode_text(bits: u32) -> String {
    mode(bits)
}

/// `struct statfs`
pub(super) fn statfs(statfs: &Statfs) -> String {
    let Statfs { kind, bsize, blocks, bfree, bavail, files, ffree, namelen, flags } = *statfs;
    format!(
        "{{f_type={}, f_bsize={bsize}, f_blocks={blocks}, f_bfree={bfree}, f_bavail={bavail}, f_files={files}, f_ffree={ffree}, f_fsid={{val=[0, 0]}}, f_namelen={namelen}, f_frsize={bsize}, f_flags={}}}",
        hex(kind),
        hex(flags)
    )
}

/// The list of getdents64(2).
pub(super) fn dirents(entries: &[Dirent]) -> String {
    list(entries.iter().map(|entry| {
        format!(
            "{{d_ino={}, d_off={}, d_reclen={}, d_type={}, d_name={}}}",
            entry.ino,
            entry.off,
            Dirent::record_bytes(entry.name.0.len() as u64),
            choice(entry.kind, DIRENT_TYPES),
            text(&entry.name.0)
        )
    }))
}

/// `{type=F_OWNER_PID, pid=7}`
pub(super) fn owner(owner: FileOwner) -> String {
    let kind = choice(owner.kind, OWNER_KINDS);
    format!("{{type={kind}, pid={}}}", owner.pid)
}

/// `{l_type=…, l_whence=…, l_start=…, l_len=…}`; with the holder where the call tells it.
pub(super) fn lock(lock: &Flock, with_holder: bool) -> String {
    let bits = |number: i16| u64::from(number.cast_unsigned());
    let holder = if with_holder { format!(", l_pid={}", lock.pid) } else { String::new() };
    format!(
        "{{l_type={}, l_whence={}, l_start={}, l_len={}{holder}}}",
        choice(bits(lock.kind), LOCK_KINDS),
        choice(bits(lock.whence), WHENCES),
        lock.start,
        lock.len
    )
}

/// `0x1 /* POLLIN */`
pub(super) fn poll_events(events: u16) -> String {
    flags(events, POLL_EVENTS)
}

/// `{events=…, data={u32=…, u64=…}}`
pub(super) fn epoll_event(event: EpollEvent) -> String {
    let EpollEvent { events, data } = event;
    format!("{{events={}, data={{u32={}, u64={data}}}}}", flags(events, EPOLL_EVENTS), data as u32)
}

/// `{ifr_name=…, ifr_ifindex=…}`
pub(super) fn interface(interface: &Interface) -> String {
    let end = interface.name.iter().position(|byte| *byte == 0).unwrap_or(interface.name.len());
    let name = text(&interface.name[..end]);
    let value = match interface.value {
        InterfaceValue::Nothing => return format!("{{ifr_name={name}}}"),
        InterfaceValue::Index(index) => format!("ifr_ifindex={index}"),
        InterfaceValue::Number(number) => format!("ifr_mtu={number}"),
        InterfaceValue::Flags(bits) => format!("ifr_flags={}", flags(bits, INTERFACE_FLAGS)),
        InterfaceValue::Address(host) => {
            let host = Ipv4Addr::from(host);
            format!(
                "ifr_addr={{sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr(\"{host}\")}}"
            )
        }
        InterfaceValue::Hardware(kind) => format!("ifr_hwaddr={{sa_family={kind}}}"),
    };
    format!("{{ifr_name={name}, {value}}}")
}

/// `{ws_row=…, …}`
pub(super) fn winsize(size: Winsize) -> String {
    let Winsize { row, col, xpixel, ypixel } = size;
    format!("{{ws_row={row}, ws_col={col}, ws_xpixel={xpixel}, ws_ypixel={ypixel}}}")
}

/// `{c_iflag=…, …}`
pub(super) fn termios(termios: &Termios) -> String {
    let bits = |number: u32| hex(u64::from(number));
    let cc = list(termios.cc.iter().map(|byte| hex(u64::from(*byte))));
    format!(
        "{{c_iflag={}, c_oflag={}, c_cflag={}, c_lflag={}, c_line={}, c_cc={cc}}}",
        bits(termios.iflag),
        bits(termios.oflag),
        bits(termios.cflag),
        bits(termios.lflag),
        termios.line
    )
}

/// The same with the speeds behind.
pub(super) fn termios2(termios: &Termios2) -> String {
    let mut text = self::termios(&termios.termios);
    text.pop();
    format!("{text}, c_ispeed={}, c_ospeed={}}}", termios.ispeed, termios.ospeed)
}

/// `{sigev_value={…}, sigev_signo=…, sigev_notify=…}`
pub(super) fn sigevent(event: &SigEvent) -> String {
    let pointer = if event.value == 0 { "NULL".to_owned() } else { hex(event.value) };
    let thread = if event.notify == SIGEV_THREAD_ID {
        format!(", sigev_notify_thread_id={}", event.thread)
    } else {
        String::new()
    };
    format!(
        "{{sigev_value={{sival_int={}, sival_ptr={pointer}}}, sigev_signo={}, sigev_notify={}{thread}}}",
        event.value as i32,
        signal(event.signo),
        choice(event.notify, SIGEV_NOTIFY)
    )
}

/// `{ss_sp=…, ss_flags=…, ss_size=…}`
pub(super) fn alt_stack(stack: AltStack) -> String {
    let sp = if stack.sp == 0 { "NULL".to_owned() } else { hex(stack.sp) };
    let flags = flags(stack.flags, SS_FLAGS);
    format!("{{ss_sp={sp}, ss_flags={flags}, ss_size={}}}", stack.size)
}

/// `struct sock_extended_err` (ip(7)) with its offender, and how long it is.
pub(super) fn extended_error(error: &ExtendedError) -> (String, usize) {
    let ExtendedError { errno, origin, kind, code, info, data, offender } = error;
    let (offender, length) = address(offender);
    let text = format!(
        "{{ee_errno={errno}, ee_origin={origin}, ee_type={kind}, ee_code={code}, ee_info={info}, \
         ee_data={data}, offender={offender}}}"
    );
    (text, 16 + length as usize)
}

/// An address of a socket, and its length in memory.
pub(super) fn address(address: &Address) -> (String, u64) {
    let family = |number: u32| format!("{{sa_family={}", choice(number, ADDRESS_FAMILIES));
    let port = |port: u16| format!("{} /* htons({port}) */", raw(&port.to_be_bytes()));
    match address {
        Address::Unnamed => (family(AF_UNIX) + "}", 2),
        Address::Unix(path) => {
            (format!("{}, sun_path={}}}", family(AF_UNIX), text(&path.0)), 3 + path.0.len() as u64)
        }
        Address::Abstract(name) => {
            let length = 3 + name.0.len() as u64;
            (format!("{}, sun_path=@{}}}", family(AF_UNIX), text(&name.0)), length)
        }
        Address::Inet(host, number) => {
            let (host, port) = (raw(host), port(*number));
            (format!("{}, sin_port={port}, sin_addr={host}}}", family(AF_INET)), 16)
        }
        Address::Inet6(host, number) => {
            let (host, port) = (raw(host), port(*number));
            let flow = raw(&[0; 4]);
            let head = family(AF_INET6);
            let tail = format!("sin6_flowinfo={flow}, sin6_addr={host}, sin6_scope_id=0}}");
            (format!("{head}, sin6_port={port}, {tail}"), 28)
        }
        Address::Other(number) => {
            (format!("{}, sa_data={}}}", family(u32::from(*number)), raw(&[0; 14])), 16)
        }
    }
}

/// `{pid=…, uid=…, gid=…}`
pub(super) fn cred(cred: Ucred) -> String {
    format!("{{pid={}, uid={}, gid={}}}", cred.pid, cred.uid, cred.gid)
}

/// The value of a socket's option.
pub(super) fn option_value(value: &OptionValue) -> String {
    match value {
        OptionValue::Number(number) => format!("[{number}]"),
        OptionValue::Linger(on, seconds) => format!("{{l_onoff={on}, l_linger={seconds}}}"),
        OptionValue::Time(seconds, microseconds) => {
            format!("{{tv_sec={seconds}, tv_usec={microseconds}}}")
        }
        OptionValue::Cred(who) => cred(*who),
        OptionValue::Text(bytes) => text(&bytes.0),
        OptionValue::Group(host, interface, index) => group(*host, *interface, *index),
    }
}

/// `struct ip_mreq` or `struct ipv6_mreq`; strace does not print the index of `struct ip_mreqn`.
fn group(host: [u8; 16], interface: [u8; 4], index: i64) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let host6 = Ipv6Addr::from(host);
    let Some(host) = host6.to_ipv4_mapped() else {
        let text = format!("\"{}\" /* inet_pton(AF_INET6, \"{host6}\") */", hex(&host));
        return format!("{{ipv6mr_multiaddr={text}, ipv6mr_interface={index}}}");
    };
    let show = |host: Ipv4Addr| format!("\"{}\" /* inet_addr(\"{host}\") */", hex(&host.octets()));
    let (group, interface) = (show(host), show(Ipv4Addr::from(interface)));
    format!("{{imr_multiaddr={group}, imr_interface={interface}}}")
}
