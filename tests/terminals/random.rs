//! Random bytes, settings and requests of one process that has both ends open and never waits.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Some of the names, the likely ones mostly.
    fn flags(&mut self, likely: &[&str], seldom: &[&str]) -> String {
        let mut names: Vec<&str> = Vec::new();
        names.extend(likely.iter().filter(|_| !self.one_in(4)));
        names.extend(seldom.iter().filter(|_| self.one_in(6)));
        if names.is_empty() { "0".into() } else { names.join("|") }
    }
}

const CHARACTERS: [(&str, u8); 16] = [
    ("VINTR", 3),
    ("VQUIT", 28),
    ("VERASE", 127),
    ("VKILL", 21),
    ("VEOF", 4),
    ("VTIME", 0),
    ("VMIN", 1),
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
/// Bytes that mean something, and some that do not.
const KEYS: [u8; 48] = [
    3, 28, 127, 21, 4, 17, 19, 26, 18, 15, 23, 22, b'\n', b'\r', b'\t', 8, 0, 255, 27, 7, 0xc3,
    0xa4, 0x80, 0xbf, b'a', b'b', b'C', b'D', b' ', b'_', b'1', b';', b'!', 0xe4, 0xc4, 0xdf, 0xf7,
    0xd7, 1, 127, 127, 23, b'\n', b'x', b'y', b'\t', 0xff, b'z',
];

fn settings(random: &mut Random, fd: i64) -> Value {
    let iflag = random.flags(
        &["ICRNL", "IXON"],
        &[
            "INLCR", "IGNCR", "ISTRIP", "IUCLC", "IXANY", "IXOFF", "IUTF8", "PARMRK", "IGNPAR",
            "INPCK", "BRKINT", "IGNBRK", "IMAXBEL",
        ],
    );
    let oflag =
        random.flags(&["OPOST", "ONLCR"], &["OCRNL", "ONOCR", "ONLRET", "TAB3", "OLCUC", "OFILL"]);
    let lflag = random.flags(
        &["ISIG", "ICANON", "ECHO", "ECHOE", "ECHOK", "ECHOCTL", "ECHOKE", "IEXTEN"],
        &["ECHONL", "NOFLSH", "TOSTOP", "ECHOPRT", "EXTPROC", "PENDIN", "XCASE"],
    );
    let mut cc = serde_json::Map::new();
    for (name, usual) in CHARACTERS {
        let byte = match random.below(12) {
            0 => random.of(&KEYS),
            1 if usual == 1 => random.of(&[0, 2, 5, 70, 255]),
            _ => usual,
        };
        cc.insert(name.into(), byte.into());
    }
    let request = random.of(&["TCSETS", "TCSETS", "TCSETSW", "TCSETSF"]);
    let cflag = random.of(&["B38400|CS8|CREAD", "B38400|CS7|PARENB"]);
    json!({"pid": 1, "call": "ioctl", "fd": fd, "request": request, "arg": {
        "iflag": iflag, "oflag": oflag, "cflag": cflag,
        "lflag": lflag, "cc": cc,
    }})
}

fn typed(random: &mut Random, long: &mut bool) -> Vec<u8> {
    if *long {
        return vec![random.of(b"\n\x04x\r")];
    }
    match random.below(40) {
        // A whole line more than there is room for: plain bytes only, so that it does not matter in
        // which pieces they are handed over; and little behind it (no erasing of all of it), since
        // what Linux still has room for depends on how many buffers there were at a time.
        0 if !core::mem::replace(long, true) => vec![b'k'; 4000 + random.below(300) as usize],
        1 => (0..random.below(300)).map(|_| random.of(&KEYS)).collect(),
        2 => b"word another\tlast".to_vec(),
        _ => (0..=random.below(14)).map(|_| random.of(&KEYS)).collect(),
    }
}

/// One program.
pub(crate) fn program(seed: u64) -> Vec<Value> {
    let random = &mut Random(seed);
    let (master, slave) = (3, 4);
    let ioctl = |fd: i64, request: &str, arg: Value| {
        json!({"pid": 1, "call": "ioctl", "fd": fd, "request": request,
            "arg": arg})
    };
    let mut all = vec![
        json!({"pid": 1, "call": "open", "path": "/dev/ptmx",
            "flags": "O_RDWR|O_NOCTTY|O_NONBLOCK"}),
        ioctl(master, "TIOCSPTLCK", 0.into()),
        ioctl(master, "TIOCGPTPEER", (0o402 | 0o4000).into()),
        settings(random, slave),
    ];
    let mut long = false;
    for _ in 0..10 + random.below(14) {
        let fd = random.of(&[master, slave]);
        all.push(match random.below(18) {
            0..=5 => json!({"pid": 1, "call": "write", "fd": master,
                "data_b64": BASE64_STANDARD.encode(typed(random, &mut long))}),
            6 | 7 => {
                let bytes: Vec<u8> = (0..random.below(20)).map(|_| random.of(&KEYS)).collect();
                json!({"pid": 1, "call": "write", "fd": slave,
                    "data_b64": BASE64_STANDARD.encode(bytes)})
            }
            8..=11 => json!({"pid": 1, "call": "read", "fd": fd,
                "count": random.of(&[1, 2, 5, 63, 64, 65, 100, 4096, 8192, 0])}),
            12 => settings(random, fd),
            13 => ioctl(fd, "FIONREAD", 0.into()),
            14 => ioctl(fd, random.of(&["TCFLSH", "TCXONC"]), random.below(5).into()),
            15 => ioctl(master, "TIOCPKT", random.below(2).into()),
            16 => ioctl(fd, "TCGETS", 0.into()),
            _ => json!({"pid": 1, "call": "poll", "timeout": 0, "fds": [
                {"fd": master, "events": "POLLIN|POLLOUT|POLLPRI"},
                {"fd": slave, "events": "POLLIN|POLLOUT|POLLPRI"}]}),
        });
    }
    all.push(json!({"pid": 1, "call": "read", "fd": master, "count": 8192}));
    all.push(json!({"pid": 1, "call": "read", "fd": slave, "count": 8192}));
    all
}
