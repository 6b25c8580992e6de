//! What the choices of actions that wait choose among: poll(2), select(2), epoll(7), timers and
//! signals that are read, and small reads and writes of what is waited for.
//!
//! A timer is set to what is past, and goes off at once, or to what no test lives to see: what is
//! left of it is compared roughly (tests/lockstep/compare.rs).

use super::Action;
use super::lower::Lowering;
use super::objects::counter_bytes;
use super::player::Kind;
use serde_json::{Value, json};

const EVENTS: [&str; 5] = ["POLLIN", "POLLOUT", "POLLIN|POLLOUT", "POLLPRI", ""];

/// Events of an item.
const EPOLL_EVENTS: [&str; 14] = [
    "EPOLLIN",
    "EPOLLIN|EPOLLET",
    "EPOLLIN|EPOLLOUT",
    "EPOLLIN|EPOLLONESHOT",
    "EPOLLOUT|EPOLLET",
    "EPOLLIN|EPOLLOUT|EPOLLET",
    "EPOLLIN|EPOLLEXCLUSIVE",
    "EPOLLRDHUP|EPOLLIN",
    "EPOLLIN|EPOLLOUT|EPOLLET|EPOLLONESHOT",
    "EPOLLRDNORM",
    "EPOLLIN|EPOLLEXCLUSIVE|EPOLLET",
    "0",
    "EPOLLPRI|EPOLLWAKEUP",
    "EPOLLIN|EPOLLRDHUP|EPOLLEXCLUSIVE",
];
/// More seconds than any test, or machine, has run.
const FAR_SEC: u64 = 1_000_000_000;
/// What an instance is told of: nothing that has a cookie.
const NOTICES: [&str; 3] = ["IN_CREATE", "IN_CREATE|IN_DELETE", "IN_DELETE"];

impl Lowering<'_> {
    pub(super) fn wait(&self, action: Action) -> Value {
        match action {
            Action::Select => self.select(),
            Action::EpollCreate => {
                json!({"call": "epoll_create1", "flags": self.pick(0, &["0", "EPOLL_CLOEXEC", "0"])})
            }
            Action::EpollCtl => self.epoll_ctl(),
            Action::EpollWait => self.epoll_wait(),
            Action::TimerfdCreate => {
                let clocks = ["CLOCK_MONOTONIC", "CLOCK_BOOTTIME", "CLOCK_REALTIME", "CLOCK_TAI"];
                let flags = self.pick(1, &["TFD_NONBLOCK", "0", "TFD_CLOEXEC|TFD_NONBLOCK", "8"]);
                json!({"call": "timerfd_create", "clockid": self.pick(0, &clocks), "flags": flags})
            }
            Action::TimerfdSettime => self.timerfd_settime(),
            Action::TimerfdGettime => {
                json!({"call": "timerfd_gettime", "fd": self.fd(0, &[Kind::Timer])})
            }
            Action::Signalfd => self.signalfd(),
            Action::InotifyInit => {
                let flags = self.pick(0, &["IN_NONBLOCK", "IN_NONBLOCK|IN_CLOEXEC", "0"]);
                json!({"call": "inotify_init1", "flags": flags})
            }
            Action::InotifyAddWatch => {
                json!({"call": "inotify_add_watch", "fd": self.fd(0, &[Kind::Notices]),
                    "pathname": self.pick(1, &["/tmp", "/tmp", "/tmp/d"]),
                    "mask": self.pick(2, &NOTICES)})
            }
            Action::Feed => self.feed(),
            Action::Drain => self.drain(),
            _ => self.poll(),
        }
    }

    fn epoll(&self, choice: usize) -> i64 {
        self.fd(choice, &[Kind::Epoll])
    }

    fn epoll_ctl(&self) -> Value {
        let op = match self.choices[2] {
            0..=149 => "EPOLL_CTL_ADD",
            150..=209 => "EPOLL_CTL_MOD",
            210..=251 => "EPOLL_CTL_DEL",
            _ => "7",
        };
        let mut request = json!({"call": "epoll_ctl", "epfd": self.epoll(0), "op": op,
            "fd": self.any_fd(1), "events": self.pick(3, &EPOLL_EVENTS)});
        if self.choices[3] == 255 {
            request["events"] = Value::Null;
        }
        if self.choices[3] % 3 == 1 {
            request["data"] = self.pick(2, &[7, 0, u64::MAX, 1 << 40]).into();
        }
        request
    }

    /// Without a time-out, or with one that nobody waits for, where somebody else can speak.
    fn epoll_wait(&self) -> Value {
        let most = self.pick(1, &[8, 8, 1, 2, 8, 3, 0, -1]);
        let waits = !self.alone && !self.choices[2].is_multiple_of(3);
        let timeout = if waits { self.pick(2, &[-1, 100_000_000]) } else { 0 };
        let (call, epfd) =
            (self.pick(3, &["epoll_wait", "epoll_pwait", "epoll_pwait2"]), self.epoll(0));
        let mut request = json!({"call": call, "epfd": epfd, "maxevents": most});
        if call == "epoll_pwait2" {
            request["timeout"] = match timeout {
                -1 => Value::Null,
                _ => json!({"sec": timeout / 1000, "nsec": 0}),
            };
        } else {
            request["timeout"] = timeout.into();
        }
        if call != "epoll_wait" && self.choices[3] > 127 {
            request["sigmask"] = self.sigmask();
        }
        request
    }

    /// What is held back while a call waits.
    fn sigmask(&self) -> Value {
        json!(self.pick(3, &[&["SIGUSR1"][..], &[], &["SIGCHLD", "SIGUSR2"]]))
    }

    fn timerfd_settime(&self) -> Value {
        let (far, past) = (json!({"sec": FAR_SEC, "nsec": 0}), json!({"sec": 0, "nsec": 1}));
        let none = json!({"sec": 0, "nsec": 0});
        let (flags, value, interval) = match self.choices[1] % 7 {
            0 | 1 => ("TFD_TIMER_ABSTIME", past, none),
            2 => ("TFD_TIMER_ABSTIME|TFD_TIMER_CANCEL_ON_SET", past, none),
            3 => ("0", far.clone(), far),
            4 => ("0", none.clone(), none),
            5 => ("0", far, none),
            _ => ("4", json!({"sec": 0, "nsec": 1_000_000_000}), none),
        };
        json!({"call": "timerfd_settime", "fd": self.fd(0, &[Kind::Timer]), "flags": flags,
            "new_value": {"interval": interval, "value": value}})
    }

    fn signalfd(&self) -> Value {
        let sets: [&[&str]; 5] = [
            &["SIGUSR1"],
            &["SIGCHLD"],
            &["SIGUSR1", "SIGTERM", "SIGCHLD"],
            &["SIGUSR2", "SIGPIPE", "SIGKILL"],
            &[],
        ];
        let fd = if self.choices[0] < 180 { -1 } else { self.fd(0, &[Kind::Signals]) };
        let flags = self.pick(2, &["SFD_NONBLOCK", "0", "SFD_CLOEXEC|SFD_NONBLOCK", "1"]);
        json!({"call": "signalfd4", "fd": fd, "mask": self.pick(1, &sets), "flags": flags})
    }

    /// A little for whoever waits: a byte, a count, a name.
    fn feed(&self) -> Value {
        let kinds = [Kind::Writer, Kind::Socket, Kind::Counter];
        let fd = self.fd(0, &kinds[usize::from(self.choices[1]) % 3..][..1]);
        match self.kind_of(fd) {
            Some(Kind::Counter) => json!({"call": "write", "fd": fd,
                "data_b64": counter_bytes(self.pick(2, &[1, 0, 1, u64::MAX - 2]))}),
            Some(Kind::Writer | Kind::Socket) => {
                let length = self.pick(2, &[1, 1, 5, 4096, 65_536]);
                json!({"call": "write", "fd": fd, "data": "f".repeat(length)})
            }
            _ => json!({"call": "mkdir", "path": "/tmp/d", "mode": "0755"}),
        }
    }

    /// Takes what there is, or a part of it.
    fn drain(&self) -> Value {
        let kinds =
            [Kind::Reader, Kind::Socket, Kind::Counter, Kind::Signals, Kind::Timer, Kind::Notices];
        let fd = self.fd(0, &kinds[usize::from(self.choices[1]) % kinds.len()..][..1]);
        let count = match self.kind_of(fd) {
            Some(Kind::Signals) => self.pick(2, &[128, 1000, 300, 127]),
            Some(Kind::Timer | Kind::Counter) => self.pick(2, &[8, 8, 100, 7]),
            Some(Kind::Notices) => 4096,
            _ => self.pick(2, &[1, 100, 4096, 65_536, 200_000]),
        };
        json!({"call": "read", "fd": fd, "count": count})
    }

    fn poll(&self) -> Value {
        let item = |fd: i64, choice| json!({"fd": fd, "events": self.pick(choice, &EVENTS)});
        let mut fds = vec![item(self.any_fd(0), 1)];
        if self.choices[2] > 100 {
            fds.push(item(self.any_fd(2), 3));
        }
        if self.choices[2] > 220 {
            fds.push(item(self.pick(2, &[-1, 77]), 1));
        }
        let waits = !self.alone && !self.choices[3].is_multiple_of(2);
        if self.choices[1].is_multiple_of(3) {
            let time = json!({"sec": 0, "nsec": 0});
            let timeout = if waits { Value::Null } else { time };
            let sigmask = self.sigmask();
            return json!({"call": "ppoll", "fds": fds, "timeout": timeout, "sigmask": sigmask});
        }
        json!({"call": "poll", "fds": fds, "timeout": if waits { -1 } else { 0 }})
    }

    fn select(&self) -> Value {
        // Beside a descriptor now and then what lies in the last word, and beyond it.
        let list = |choice: usize| {
            let mut list = match self.any_fd(choice) {
                fd @ 0..=63 => vec![fd],
                _ => vec![],
            };
            match self.choices[choice] % 16 {
                11 => list.push(64),
                12 => list.extend([200, 5]),
                13 => list.push(63),
                14 => list.extend([64, 128]),
                15 => list.clear(),
                _ => {}
            }
            list
        };
        let nfds = self.pick(3, &[64, 64, 64, 4, -1, 0, 64, 1, 65, 1000, 6]);
        let mut request = json!({"call": "select", "nfds": nfds, "readfds": list(0),
            "writefds": list(1)});
        if self.choices[3] % 4 == 1 {
            request["exceptfds"] = list(2).into();
        }
        if self.choices[1] > 240 {
            request["writefds"] = Value::Null;
        }
        let waits = !self.alone && !self.choices[2].is_multiple_of(2);
        if self.choices[2] % 3 == 1 {
            request["call"] = "pselect6".into();
            request["sigmask"] = self.sigmask();
        }
        if !waits {
            request["timeout"] = json!({"sec": 0, "nsec": 0});
        }
        request
    }
}
