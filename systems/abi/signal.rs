//! Signals of signal(7): numbers, names, sets, default actions, siginfo of sigaction(2).
//!
//! Owns the numbers and the pure questions about them. Delivery lies in `deliver.rs`.

use core::fmt;

/// A signal number, 1 to 64 (kernel numbering: real-time signals start at 32).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

macro_rules! signals {
    ($($number:literal $name:ident $action:ident,)*) => {
        impl Signal {
            $(#[doc = concat!(stringify!($name), " of signal(7)")]
            pub const $name: Signal = Signal($number);)*
        }
        const STANDARD: &[(u8, &str, DefaultAction)] =
            &[$(($number, stringify!($name), DefaultAction::$action),)*];
    };
}

/// What a signal does when its disposition is `SIG_DFL` (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// Ends the process.
    Terminate,
    /// Ends the process and would write a core file.
    Core,
    /// Does nothing.
    Ignore,
    /// Stops the process.
    Stop,
    /// Continues a stopped process.
    Continue,
}

signals! {
    1 SIGHUP Terminate, 2 SIGINT Terminate, 3 SIGQUIT Core, 4 SIGILL Core, 5 SIGTRAP Core,
    6 SIGABRT Core, 7 SIGBUS Core, 8 SIGFPE Core, 9 SIGKILL Terminate, 10 SIGUSR1 Terminate,
    11 SIGSEGV Core, 12 SIGUSR2 Terminate, 13 SIGPIPE Terminate, 14 SIGALRM Terminate,
    15 SIGTERM Terminate, 16 SIGSTKFLT Terminate, 17 SIGCHLD Ignore, 18 SIGCONT Continue,
    19 SIGSTOP Stop, 20 SIGTSTP Stop, 21 SIGTTIN Stop, 22 SIGTTOU Stop, 23 SIGURG Ignore,
    24 SIGXCPU Core, 25 SIGXFSZ Core, 26 SIGVTALRM Terminate, 27 SIGPROF Terminate,
    28 SIGWINCH Ignore, 29 SIGIO Terminate, 30 SIGPWR Terminate, 31 SIGSYS Core,
}

const REAL_TIME_NAMES: [&str; 33] = [
    "SIGRT_0", "SIGRT_1", "SIGRT_2", "SIGRT_3", "SIGRT_4", "SIGRT_5", "SIGRT_6", "SIGRT_7",
    "SIGRT_8", "SIGRT_9", "SIGRT_10", "SIGRT_11", "SIGRT_12", "SIGRT_13", "SIGRT_14", "SIGRT_15",
    "SIGRT_16", "SIGRT_17", "SIGRT_18", "SIGRT_19", "SIGRT_20", "SIGRT_21", "SIGRT_22", "SIGRT_23",
    "SIGRT_24", "SIGRT_25", "SIGRT_26", "SIGRT_27", "SIGRT_28", "SIGRT_29", "SIGRT_30", "SIGRT_31",
    "SIGRT_32",
];

/// The first real-time signal in the kernel's numbering.
pub const SIGRTMIN: u8 = 32;
/// The last signal.
pub const SIGRTMAX: u8 = 64;

impl Signal {
    /// The signal with this number; `None` outside 1 to 64.
    pub const fn new(number: i32) -> Option<Signal> {
        if number >= 1 && number <= SIGRTMAX as i32 { Some(Signal(number as u8)) } else { None }
    }

    /// Its number, 1 to 64.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its name: `SIGTERM`, or `SIGRT_n` (n = number - 32) for real-time signals, as strace.
    pub fn name(self) -> &'static str {
        if self.0 >= SIGRTMIN {
            return REAL_TIME_NAMES[(self.0 - SIGRTMIN) as usize];
        }
        STANDARD[(self.0 - 1) as usize].1
    }

    /// The signal with this name, with or without `SIG`; `SIGRTMIN`, `SIGRT_n`, `SIGPOLL`,
    /// `SIGIOT`, `SIGCLD` too.
    pub fn from_name(name: &str) -> Option<Signal> {
        let bare = name.strip_prefix("SIG").unwrap_or(name);
        let bare = match bare {
            "POLL" => "IO",
            "IOT" => "ABRT",
            "CLD" => "CHLD",
            "RTMIN" => "RT_0",
            "RTMAX" => "RT_32",
            other => other,
        };
        if let Some(number) = bare.strip_prefix("RT_").and_then(|text| text.parse::<i32>().ok()) {
            return Signal::new(number.checked_add(SIGRTMIN as i32)?)
                .filter(|signal| signal.0 >= SIGRTMIN);
        }
        STANDARD.iter().find(|entry| &entry.1[3..] == bare).map(|entry| Signal(entry.0))
    }

    /// Its default action; real-time signals terminate.
    pub fn default_action(self) -> DefaultAction {
        if self.0 >= SIGRTMIN {
            return DefaultAction::Terminate;
        }
        STANDARD[(self.0 - 1) as usize].2
    }

    /// SIGKILL and SIGSTOP can be neither caught, blocked nor ignored.
    pub const fn is_unstoppable(self) -> bool {
        self.0 == 9 || self.0 == 19
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of signals: bit `n - 1` stands for signal n, as in the kernel's sigset_t.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// Every signal.
    pub const ALL: SigSet = SigSet(u64::MAX);
    /// The signals that stop a process by default.
    pub const STOPS: SigSet = SigSet(0b1111 << 18);
    /// SIGKILL and SIGSTOP.
    pub const UNSTOPPABLE: SigSet = SigSet(1 << 8 | 1 << 18);

    /// The set of one signal.
    pub const fn of(signal: Signal) -> SigSet {
        SigSet(1 << (signal.0 - 1))
    }
    /// Whether the signal is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & SigSet::of(signal).0 != 0
    }
    /// Whether no signal is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Adds a signal.
    pub fn insert(&mut self, signal: Signal) {
        self.0 |= SigSet::of(signal).0;
    }
    /// Removes a signal.
    pub fn remove(&mut self, signal: Signal) {
        self.0 &= !SigSet::of(signal).0;
    }
    /// The signals that are in this set and not in `other`.
    pub const fn without(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }
    /// The signals that are in either.
    pub const fn union(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }
    /// The signals that are in both.
    pub const fn intersection(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }
    /// The lowest signal.
    pub const fn first(self) -> Option<Signal> {
        if self.0 == 0 { None } else { Some(Signal(self.0.trailing_zeros() as u8 + 1)) }
    }
    /// The signals in ascending order.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let signal = rest.first()?;
            rest.remove(signal);
            Some(signal)
        })
    }
}

impl fmt::Debug for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Handler value `SIG_DFL` of sigaction(2).
pub const SIG_DFL: u64 = 0;
/// Handler value `SIG_IGN` of sigaction(2).
pub const SIG_IGN: u64 = 1;

/// `struct sigaction` of sigaction(2). `handler` above 1 is an address of the guest: a cookie here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SigAction {
    /// `SIG_DFL`, `SIG_IGN` or a cookie for the guest's handler.
    pub handler: u64,
    /// `sa_mask`.
    pub mask: SigSet,
    /// `sa_flags`.
    pub flags: u32,
}

/// `siginfo_t` of sigaction(2), with the fields that the model fills; others are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SigInfo {
    /// `si_signo`.
    pub signo: i32,
    /// `si_code`: `SI_USER` 0, `SI_KERNEL` 0x80, `SI_TKILL` -6, `SI_QUEUE` -1, `CLD_*` 1 to 6.
    pub code: i32,
    /// `si_pid`, the sender or the child.
    pub pid: u32,
    /// `si_uid`, real user of the sender or the child.
    pub uid: u32,
    /// `si_status` of SIGCHLD: exit code or signal.
    pub status: i32,
    /// `si_value` of sigqueue(3) and timers.
    pub value: u64,
}

impl SigInfo {
    /// One of input or output: `si_band` and `si_fd` lie where others have `si_pid`, `si_uid` and
    /// `si_status`.
    pub const fn of_io(signo: i32, code: i32, band: u64, fd: i32) -> Self {
        let [pid, uid] = [band as u32, (band >> 32) as u32];
        Self { signo, code, pid, uid, status: fd, value: 0 }
    }

    /// Whether it has `si_band` and `si_fd`: which of a union's members apply is the signal's and
    /// its code's business.
    pub const fn is_of_io(&self) -> bool {
        match self.code {
            SI_SIGIO => true,
            1..=6 => !has_own_codes(self.signo) || self.signo == SIGIO,
            _ => false,
        }
    }

    /// `si_band`.
    pub const fn band(&self) -> u64 {
        (self.uid as u64) << 32 | self.pid as u64
    }
}

const SIGIO: i32 = 29;

/// Whether the codes of a signal say what happened: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV,
/// SIGCHLD, SIGIO, SIGSYS.
pub const fn has_own_codes(signo: i32) -> bool {
    matches!(signo, 4 | 5 | 7 | 8 | 11 | 17 | 29 | 31)
}

/// `si_code` of kill(2).
pub const SI_USER: i32 = 0;
/// `si_code` of signals that the kernel sends.
pub const SI_KERNEL: i32 = 0x80;
/// `si_code` of sigqueue(3).
pub const SI_QUEUE: i32 = -1;
/// `si_code` of tkill(2) and tgkill(2).
pub const SI_TKILL: i32 = -6;
/// `si_code` of timers (timer_create(2)).
pub const SI_TIMER: i32 = -2;
/// `si_code` of a signal for input or output where those of the signal itself mean other things.
pub const SI_SIGIO: i32 = -5;
/// `si_code` of SIGCHLD: the child exited.
pub const CLD_EXITED: i32 = 1;
/// `si_code` of SIGCHLD: a signal ended the child.
pub const CLD_KILLED: i32 = 2;
/// `si_code` of SIGCHLD: a signal ended the child, with a core file.
pub const CLD_DUMPED: i32 = 3;
/// `si_code` of SIGCHLD: a traced child stopped at a trap.
pub const CLD_TRAPPED: i32 = 4;
/// `si_code` of SIGCHLD: the child stopped.
pub const CLD_STOPPED: i32 = 5;
/// `si_code` of SIGCHLD: the child continued.
pub const CLD_CONTINUED: i32 = 6;

/// Names of `si_code` for signals that someone sent (sigaction(2)).
pub const SI_CODES: &[(&str, i32)] = &[
    ("SI_USER", SI_USER),
    ("SI_KERNEL", SI_KERNEL),
    ("SI_QUEUE", SI_QUEUE),
    ("SI_TIMER", SI_TIMER),
    ("SI_SIGIO", SI_SIGIO),
    ("SI_TKILL", SI_TKILL),
];
/// Names of `si_code` for signals of input and output (sigaction(2)): the number is the place.
pub const POLL_CODES: &[(&str, i32)] = &[
    ("POLL_IN", 1),
    ("POLL_OUT", 2),
    ("POLL_MSG", 3),
    ("POLL_ERR", 4),
    ("POLL_PRI", 5),
    ("POLL_HUP", 6),
];
/// Names of `si_code` for SIGCHLD (sigaction(2)).
pub const CHILD_CODES: &[(&str, i32)] = &[
    ("CLD_EXITED", CLD_EXITED),
    ("CLD_KILLED", CLD_KILLED),
    ("CLD_DUMPED", CLD_DUMPED),
    ("CLD_TRAPPED", CLD_TRAPPED),
    ("CLD_STOPPED", CLD_STOPPED),
    ("CLD_CONTINUED", CLD_CONTINUED),
];
