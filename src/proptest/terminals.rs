//! What the choices of actions on terminals choose among: keys and output, settings around what
//! programs use, requests, whose terminal it is.
//!
//! VTIME is long where it is not 0: no program may depend on how fast a machine is.

use super::lower::Lowering;
use super::player::Kind;
use super::{Action, Step};
use serde_json::{Value, json};

/// What is typed: lines, editing, signals, flow control, bytes that only some settings mean.
const KEYS: [&str; 32] = [
    "a",
    "abc\n",
    "ls -l\r",
    "\u{3}",
    "\u{4}",
    "ab\u{7f}c\u{7f}\u{7f}",
    "one two\u{17}three\u{17}",
    "gone\u{15}kept\n",
    "a\tb\t\u{7f}\u{7f}",
    "\u{16}\u{3}\u{16}\u{16}x",
    "typed\u{12}",
    "\u{13}",
    "\u{11}",
    "\u{1a}",
    "\u{1c}",
    "x\u{4}y\u{4}\u{4}",
    "\u{1b}[A\u{1}\u{2}",
    "üé\u{7f}ö\n",
    "\u{7f}\u{17}\u{15}",
    "é\u{7f}\u{7f}\t\u{7f}",
    "A/_b c-d\u{17}\u{17}",
    "\n\n",
    "\0\u{0}b",
    "q;\u{3}after\n",
    "$EOL!",
    "tab\t\u{1}\t\u{7f}\u{7f}\u{7f}",
    "\r\n",
    "MiXed ÄÖ\n",
    "no newline",
    "\u{13}stopped\u{11}\n",
    "ab\u{16}\ncd\n",
    "1234567\t8\u{15}",
];
/// What programs write.
const OUTPUT: [&str; 14] = [
    "hello\n",
    "a",
    "\tb\n",
    "1234\r",
    "x\u{8}y",
    "a\r\nb\n",
    "",
    "ÄÖü é\n",
    "12345678\t9\t\n",
    "low Up\n",
    "\r\r\n",
    "\u{1b}[1m$ ",
    "\u{7}",
    "end",
];
const INPUT_MODES: [&str; 22] = [
    "ICRNL|IXON",
    "0",
    "ICRNL",
    "INLCR",
    "IGNCR",
    "IXON|IXANY",
    "ISTRIP",
    "IUCLC|ICRNL",
    "ICRNL|IUTF8|IXON",
    "PARMRK",
    "IXOFF|IXON|ICRNL",
    "IGNBRK|INPCK",
    "BRKINT|ICRNL|IMAXBEL",
    "IUTF8",
    "ICRNL|IXON",
    "ICRNL|IXON|IUTF8",
    "IGNCR|INLCR",
    "PARMRK|ISTRIP",
    "ICRNL|INLCR",
    "IGNPAR|ICRNL",
    "ICRNL|IXON",
    "0",
];
const OUTPUT_MODES: [&str; 16] = [
    "OPOST|ONLCR",
    "0",
    "OPOST",
    "OPOST|OCRNL",
    "OPOST|ONLCR|TAB3",
    "OPOST|ONOCR",
    "OPOST|ONLRET",
    "OPOST|OLCUC|ONLCR",
    "OPOST|ONLCR|ONLRET",
    "OPOST|OCRNL|ONOCR",
    "ONLCR",
    "OPOST|ONLCR",
    "OPOST|OCRNL|ONLRET",
    "OPOST|ONLCR|ONOCR|TAB3",
    "OPOST|ONLCR",
    "OPOST|TAB3|OCRNL",
];
const LOCAL_MODES: [&str; 22] = [
    "ISIG|ICANON|ECHO|ECHOE|ECHOK|ECHOCTL|ECHOKE|IEXTEN",
    "0",
    "ISIG|ICANON|IEXTEN",
    "ICANON|ECHO",
    "ISIG|ECHO",
    "ISIG|ICANON|ECHO|ECHOE|ECHOK|IEXTEN",
    "ICANON|ECHO|ECHOPRT|ECHOE|ECHOCTL|IEXTEN",
    "ICANON|ECHONL|IEXTEN",
    "ISIG|ICANON|ECHO|ECHOE|ECHOK|ECHOCTL|ECHOKE|IEXTEN|TOSTOP",
    "ISIG|ICANON|ECHO|NOFLSH|ECHOCTL|IEXTEN",
    "ICANON|ECHO|ECHOE|ECHOKE|ECHOK|IEXTEN",
    "EXTPROC|ICANON|ECHO|ISIG",
    "EXTPROC",
    "ECHO|ECHOCTL",
    "ISIG|ICANON|ECHO|ECHOE|ECHOK|ECHOCTL|ECHOKE|IEXTEN",
    "ISIG",
    "ICANON|ECHO|ECHOE|ECHOK|ECHOCTL|ECHOKE|IEXTEN|PENDIN|XCASE",
    "ICANON|ECHO|ECHOK|ECHOCTL|ECHOPRT|IEXTEN",
    "ISIG|ICANON|TOSTOP",
    "IEXTEN|ECHO|ISIG|NOFLSH",
    "ISIG|ICANON|ECHO|ECHOE|ECHOK|ECHOCTL|ECHOKE|IEXTEN",
    "ICANON",
];
/// Control characters that differ from the usual ones, and VMIN and VTIME.
const CHARACTERS: [&[(&str, u8)]; 14] = [
    &[],
    &[("VMIN", 0)],
    &[("VMIN", 3)],
    &[("VEOL", b'!'), ("VEOL2", b';')],
    &[("VINTR", b'q'), ("VERASE", b'x')],
    &[("VMIN", 100)],
    &[("VERASE", 3), ("VKILL", 3)],
    &[("VINTR", 0), ("VEOF", 0), ("VSTOP", 0)],
    &[("VMIN", 2), ("VTIME", 250)],
    &[("VMIN", 0), ("VTIME", 250)],
    &[("VWERASE", 21)],
    &[("VSTART", b'a'), ("VSTOP", b'a')],
    &[("VMIN", 64)],
    &[("VEOF", b'\n'), ("VLNEXT", b'\r'), ("VREPRINT", b'b')],
];
const COUNTS: [i64; 14] = [100, 1, 4096, 3, 2, 64, 65, 0, 5, 1000, 4, 63, 128, 10];
const USUAL: [(&str, u8); 17] = [
    ("VINTR", 3),
    ("VQUIT", 28),
    ("VERASE", 127),
    ("VKILL", 21),
    ("VEOF", 4),
    ("VTIME", 0),
    ("VMIN", 1),
    ("VSWTC", 0),
    ("VSTART", 17),
    ("VSTOP", 19),
    ("VSUSP", 26),
    ("VEOL", 0),
    ("VREPRINT", 18),
    ("VDISCARD", 15),
    ("VWERASE", 23),
    ("VLNEXT", 22),
    ("VEOL2", 0),
];

/// Whether an ioctl opens another descriptor.
pub(super) const PEER: &str = "TIOCGPTPEER";

/// What programs about terminals begin with: a pair, and a process that leads a session and has the
/// slave for its terminal. Each step may be missing.
pub(super) fn beginning(bits: u8) -> Vec<Step> {
    let step = |actor, action, choices| Step { actor, action, choices };
    let all = [
        step(0, Action::Ptmx, [1, 0, 0, bits & 64]),
        step(0, Action::Unlock, [0; 4]),
        step(0, Action::Fork, [0; 4]),
        step(1, Action::Foreground, [0, 255, 0, 0]),
        step(1, Action::OpenSlave, [0; 4]),
        step(1, Action::Fork, [0; 4]),
        step(2, Action::Setpgid, [0; 4]),
    ];
    let wanted = |at: usize| at < 2 || bits & 1 << at != 0;
    all.into_iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, step)| step).collect()
}

impl Lowering<'_> {
    pub(super) fn terminal(&self, action: Action) -> Value {
        match action {
            Action::Ptmx => {
                let flags = self.pick(0, &["O_RDWR|O_NOCTTY", "O_RDWR", "O_RDWR|O_NONBLOCK"]);
                let nonblock = self.alone && self.choices[3] > 100;
                let flags = if nonblock { "O_RDWR|O_NONBLOCK" } else { flags };
                json!({"call": "open", "path": "/dev/ptmx", "flags": flags})
            }
            Action::Unlock => {
                let locked = i32::from(self.choices[1] > 235);
                json!({"call": "ioctl", "fd": self.master(0), "request": "TIOCSPTLCK",
                    "arg": locked})
            }
            Action::OpenSlave => self.open_slave(),
            Action::Type => {
                let keys = KEYS[usize::from(self.choices[1]) % KEYS.len()];
                let keys = match self.choices[2] {
                    250.. => keys.repeat(900).chars().take(800).collect(),
                    240..=249 => "k".repeat(usize::from(self.choices[3]) + 4000),
                    _ => keys.to_owned(),
                };
                json!({"call": "write", "fd": self.master(0), "data": keys})
            }
            Action::Print => {
                if self.choices[3] > 200 {
                    return self.splice_terminal(&[Kind::Reader], &[Kind::Slave, Kind::Master]);
                }
                let output = OUTPUT[usize::from(self.choices[1]) % OUTPUT.len()];
                json!({"call": self.pick(2, &["write", "writev"]), "fd": self.slave(0),
                    "data": output})
            }
            Action::TerminalRead => {
                let fd = if self.choices[2] > 100 { self.slave(0) } else { self.master(0) };
                if self.alone && self.choices[3] > 100 {
                    let events = self.pick(1, &["POLLIN|POLLOUT|POLLPRI", "POLLIN", "POLLOUT"]);
                    return json!({"call": "poll", "fds": [{"fd": fd, "events": events}],
                        "timeout": 0});
                }
                if self.choices[3] > 200 {
                    return self.splice_terminal(&[Kind::Slave, Kind::Master], &[Kind::Writer]);
                }
                json!({"call": "read", "fd": fd, "count": self.pick(1, &COUNTS)})
            }
            Action::Settings => self.settings(),
            Action::Foreground => self.foreground(),
            Action::TerminalAsk => {
                let requests = [
                    "TCGETS",
                    "FIONREAD",
                    "TIOCGPGRP",
                    "TIOCGWINSZ",
                    "TIOCGSID",
                    "TIOCOUTQ",
                    "TIOCGPTN",
                    "TIOCGPKT",
                    "TIOCGPTLCK",
                    "TIOCGEXCL",
                    "TCGETS2",
                    "TIOCGETD",
                    "TIOCGDEV",
                    "TCGETA",
                ];
                json!({"call": "ioctl", "fd": self.end(0), "request": self.pick(1, &requests)})
            }
            _ => self.control(),
        }
    }

    /// Between a pipe and a terminal.
    fn splice_terminal(&self, from: &[Kind], to: &[Kind]) -> Value {
        let (input, output) = (self.fd(0, from), self.fd(1, to));
        // What lies in a pipe would change with the file that it came from.
        let input = match self.kind_of(input) {
            Some(Kind::File | Kind::Memory) => -1,
            _ => input,
        };
        let len = self.pick(2, &COUNTS);
        if self.choices[3] > 240 {
            return json!({"call": "sendfile", "out_fd": output, "in_fd": input, "count": len});
        }
        json!({"call": "splice", "fd_in": input, "fd_out": output, "len": len,
            "flags": self.splice_flags()})
    }

    fn master(&self, choice: usize) -> i64 {
        self.fd(choice, &[Kind::Master])
    }

    fn slave(&self, choice: usize) -> i64 {
        self.fd(choice, &[Kind::Slave])
    }

    fn end(&self, choice: usize) -> i64 {
        self.fd(choice, &[Kind::Slave, Kind::Master])
    }

    fn open_slave(&self) -> Value {
        let flags = self.pick(1, &["O_RDWR", "O_RDWR|O_NOCTTY", "O_RDONLY", "O_WRONLY", "O_RDWR"]);
        let nonblock = self.alone || self.choices[1] > 150;
        let flags = format!("{flags}{}", if nonblock { "|O_NONBLOCK" } else { "" });
        match self.choices[2] {
            0..=139 => {
                let access = self.pick(1, &[2, 0o402, 0, 1, 2]);
                let flags = access | if nonblock { 0o4000 } else { 0 };
                json!({"call": "ioctl", "fd": self.master(0), "request": PEER, "arg": flags})
            }
            140..=199 => json!({"call": "open", "path": "/dev/pts/0", "flags": flags}),
            200..=219 => json!({"call": "open", "path": "/dev/pts/1", "flags": flags}),
            _ => json!({"call": "open", "path": "/dev/tty", "flags": flags}),
        }
    }

    fn settings(&self) -> Value {
        let mut cc: serde_json::Map<String, Value> =
            USUAL.iter().map(|(name, byte)| ((*name).to_owned(), (*byte).into())).collect();
        for (name, byte) in CHARACTERS[usize::from(self.choices[0]) % CHARACTERS.len()] {
            cc.insert((*name).to_owned(), (*byte).into());
        }
        let [a, b, c] = [self.choices[1], self.choices[2], self.choices[3]].map(usize::from);
        // Linux turns round and round in a TCSETSW that waits for a writer and gets a signal, and
        // nothing can end it (6.18).
        let request = match (a + c) % 4 {
            2 if !self.anybody_waits() => "TCSETSW",
            3 if !self.anybody_waits() => "TCSETSF",
            _ => "TCSETS",
        };
        json!({"call": "ioctl", "fd": self.end(1), "request": request, "arg": {
            "iflag": INPUT_MODES[(a + b) % INPUT_MODES.len()],
            "oflag": OUTPUT_MODES[b % OUTPUT_MODES.len()],
            "cflag": "B38400|CS8|CREAD",
            "lflag": LOCAL_MODES[c % LOCAL_MODES.len()],
            "cc": cc,
        }})
    }

    /// Who has the terminal.
    fn foreground(&self) -> Value {
        let fd = self.end(0);
        match self.choices[1] {
            0..=109 => json!({"call": "ioctl", "fd": fd, "request": "TIOCSCTTY",
                "arg": self.pick(2, &[0, 0, 1])}),
            110..=219 => json!({"call": "ioctl", "fd": fd, "request": "TIOCSPGRP",
                "arg": self.pick(3, &[self.process_id(2), self.process_id(2), -1, 0])}),
            220..=235 => json!({"call": "ioctl", "fd": fd, "request": "TIOCNOTTY"}),
            _ => json!({"call": "setsid"}),
        }
    }

    fn control(&self) -> Value {
        let fd = self.end(0);
        let request = |name: &str, arg: Value| json!({"call": "ioctl", "fd": fd, "request": name, "arg": arg});
        let small = self.pick(2, &[0, 1, 2, 3, 7]);
        match self.choices[1] % 16 {
            0..=2 => request("TIOCSWINSZ", json!({"ws_row": small, "ws_col": 80})),
            3..=5 => request("TCFLSH", small.into()),
            6..=8 => request("TCXONC", small.into()),
            9 | 10 => request("TIOCPKT", i32::from(small != 0).into()),
            11 => request(["TIOCEXCL", "TIOCNXCL"][(small % 2) as usize], 0.into()),
            12 => request("TCSBRK", small.into()),
            13 => request("FIONBIO", i32::from(small != 0).into()),
            14 => request("TIOCSIG", self.pick(3, &[2, 3, 20, 15, 0, 300]).into()),
            // Who else may type is a setting of the machine (`dev.tty.legacy_tiocsti`, proc(5)):
            // with 1 whoever has the terminal for his own, and others get EPERM instead of EIO.
            _ if self.is_other_user() => json!({"call": "ioctl", "fd": fd, "request": "TIOCOUTQ"}),
            _ => request("TIOCSTI", self.pick(3, &[b'a', 3, b'\n', 4]).into()),
        }
    }
}
