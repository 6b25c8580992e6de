//! System calls made of bytes: every call of the kernel's table, its fields from small pools by
//! their names, so that what one call makes the next one finds.

use arbitrary::Unstructured;
use std::borrow::Cow;
use tickernel_systems::abi::socket::{Message, OptionValue, SOCKET_OPTIONS, Ucred};
use tickernel_systems::abi::*;
use tickernel_systems::event::{Call, FieldSource, FieldValue, Incoming, Style};
use tickernel_systems::wire::Bytes;

const FDS: [i32; 16] = [3, 4, 5, 6, 0, 7, 8, 1, 9, 10, 2, 11, -1, 63, 1000, i32::MAX];
const SIZES: [i128; 18] = [
    1,
    8,
    0,
    5,
    100,
    4096,
    65_536,
    4095,
    4097,
    70_000,
    8192,
    131_072,
    1 << 20,
    1 << 31,
    1 << 63,
    u64::MAX as i128,
    -1,
    20,
];
const OFFSETS: [i128; 14] = [
    0,
    1,
    5,
    4096,
    100,
    4095,
    65_536,
    -1,
    1 << 20,
    1 << 44,
    i64::MAX as i128,
    i64::MIN as i128,
    -4096,
    70_000,
];
const MODES: [i128; 12] =
    [0o644, 0o755, 0o600, 0o777, 0, 0o10644, 0o4755, 0o1777, 0o20600, 0o200, 0o140600, 0o7777];
const IDS: [i128; 7] = [0, 1000, -1, 1, 65_534, 1001, u32::MAX as i128 - 1];
const EDGES: [i128; 12] =
    [0, 1, 2, -1, 9, 17, 0x1f, 100, u32::MAX as i128, i32::MIN as i128, u64::MAX as i128, 4096];
const SIGNALS: [i32; 20] =
    [10, 15, 18, 19, 9, 17, 13, 12, 20, 2, 14, 0, 28, 34, 64, 21, 11, 65, -1, 1];
/// Sets of signals: few, so that what one holds back the others wait for.
const SETS: [u64; 8] =
    [0, 1 << 9, 1 << 16, 1 << 9 | 1 << 11, u64::MAX, 1 << 33 | 1 << 63, 1 << 13, 0xff];
const TIMES: [(i64, i64); 12] = [
    (0, 0),
    (0, 1),
    (1, 0),
    (0, 5_000),
    (10, 0),
    (0, 0x3fff_ffff),
    (0, 0x3fff_fffe),
    (1_000_000_001, 0),
    (-1, 0),
    (0, 1_000_000_000),
    (i64::MAX, 999_999_999),
    (0, -1),
];
/// Spans in nanoseconds.
pub(super) const SPANS: [u64; 8] =
    [0, 1, 1_000, 1_000_000_000, 3_600_000_000_000, u64::MAX, 5_000, 1 << 62];
const PATHS: [&[u8]; 34] = [
    b"/tmp/a",
    b"/tmp/b",
    b"/tmp/d",
    b"/tmp/d/a",
    b"/tmp/p",
    b"/tmp/l",
    b"/tmp/x",
    b"/tmp/d/e",
    b"a",
    b"d",
    b"../tmp/a",
    b"/tmp",
    b".",
    b"/",
    b"",
    b"..",
    b"/tmp/a/",
    b"/tmp/l/a",
    b"/none/a",
    b"/dev/null",
    b"/dev/zero",
    b"/dev/full",
    b"/dev/urandom",
    b"/dev/tty",
    b"/dev/fd/3",
    b"/dev",
    b"/proc/self/fd/3",
    b"/proc/self/status",
    b"/proc/self",
    b"/proc/2/stat",
    b"/proc/self/fd",
    b"/proc/sys/fs/file-max",
    b"/proc/self/fdinfo/4",
    b"/proc/sys/vm/other",
];
/// Names of attributes, files of memory, drivers, commands.
const NAMES: [&[u8]; 10] = [
    b"user.a",
    b"user.b",
    b"m",
    b"",
    b"trusted.c",
    b"security.capability",
    b"sh",
    b"x",
    b"d",
    b"system.posix_acl_access",
];
static ZEROS: [u8; 70_000] = [0; 70_000];

/// What is written.
fn texts(pick: u8) -> &'static [u8] {
    match pick % 10 {
        0 => b"hello\n",
        1 => b"\x7fELF",
        2 => &ZEROS[..8],
        3 => b"\x01\0\0\0\0\0\0\0",
        4 => b"\xff\xff\xff\xff\xff\xff\xff\xff",
        5 => b"",
        6 => &ZEROS[..4096],
        7 => &ZEROS,
        8 => b"#!/tmp/x y\n",
        _ => &ZEROS[..4097],
    }
}

/// Chooses the fields of a call.
pub(super) struct Chooser<'u, 'k> {
    bytes: Unstructured<'u>,
    /// Tasks that there are or were.
    pids: &'k [u32],
}

impl<'u, 'k> Chooser<'u, 'k> {
    pub(super) fn new(bytes: &'u [u8], pids: &'k [u32]) -> Self {
        Self { bytes: Unstructured::new(bytes), pids }
    }

    /// The next byte; 0 behind the last one.
    pub(super) fn byte(&mut self) -> u8 {
        self.bytes.arbitrary().unwrap_or_default()
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    /// A call of any kind that is spoken by a task, or by the face.
    pub(super) fn call(&mut self, face: bool) -> Option<Call<'static>> {
        let own = Call::NAMES.iter().filter(|(number, _)| (*number >= 1 << 16) == face);
        let own: Vec<&str> = own.map(|(_, name)| *name).collect();
        let name = self.pick(&own);
        // A field may be too narrow for its number.
        Call::read(name, self).and_then(Result::ok)
    }

    /// A task: mostly one of the youngest.
    pub(super) fn pid(&mut self) -> u32 {
        let byte = self.byte();
        match byte {
            250..=255 => [0, 9999, 77, u32::MAX, 1 << 22, 300][usize::from(byte) - 250],
            _ if self.pids.is_empty() => 1,
            _ => self.pids[self.pids.len() - 1 - usize::from(byte) % self.pids.len()],
        }
    }

    pub(super) fn signal(&mut self) -> i32 {
        self.pick(&SIGNALS)
    }

    pub(super) fn info(&mut self) -> SigInfo {
        SigInfo {
            signo: self.signal(),
            code: self.pick(&[0, -1, -2, 0x80, 1, -6]),
            pid: self.pid(),
            uid: self.pick(&[0, 1000]),
            status: self.pick(&[0, 1, 9]),
            value: u64::from(self.byte()),
        }
    }

    fn time(&mut self) -> Timespec {
        let (sec, nsec) = self.pick(&TIMES);
        Timespec { sec, nsec }
    }

    /// A number by the name of its field.
    fn number(&mut self, name: &str) -> i128 {
        match name {
            "fd" | "oldfd" | "newfd" | "in_fd" | "out_fd" | "fd_in" | "fd_out" | "pidfd"
            | "targetfd" | "sockfd" | "dirfd" | "olddirfd" | "newdirfd" | "first" | "last" => {
                self.pick(&FDS).into()
            }
            "target" | "tid" | "tgid" | "pgid" | "wpid" | "id" | "parent" | "set_tid" => {
                let pid = i128::from(self.pid());
                match self.byte() {
                    0..=127 => pid,
                    128..=159 => 0,
                    160..=191 => -1,
                    192..=223 => -pid,
                    // Waiting for what a pidfd names.
                    _ => self.pick(&FDS).into(),
                }
            }
            "sig" | "signum" => self.signal().into(),
            "mode" | "mask" => self.pick(&MODES),
            "uid" | "gid" | "ruid" | "euid" | "suid" | "rgid" | "egid" | "sgid" => self.pick(&IDS),
            "offset" | "length" => self.pick(&OFFSETS),
            "count" | "size" | "len" | "bufsiz" | "initval" | "max" => self.pick(&SIZES),
            "timeout" => self.pick(&[0, -1, 1, 1000, i32::MIN.into(), i32::MAX.into()]),
            "seconds" => self.pick(&[0, 1, 100, u32::MAX.into()]),
            "timerid" => self.pick(&[0, 1, 2, -1, 3, i32::MAX.into()]),
            "nfds" => self.pick(&[8, 64, 0, -1, 4, 1024]),
            "raw" | "follow" => self.pick(&[0, 1]),
            _ => self.pick(&EDGES),
        }
    }

    /// Of a table's names one or some; seldom any number.
    fn named(&mut self, table: &[(&str, u64)], several: bool) -> i128 {
        let byte = self.byte();
        if table.is_empty() || byte >= 250 {
            return self.pick(&EDGES);
        }
        let one = |byte: u8| table[usize::from(byte) % table.len()].1;
        let mut number = one(byte);
        if several {
            number = if byte < 60 { 0 } else { number };
            for _ in 0..self.byte() % 4 {
                number |= one(self.byte());
            }
        }
        number.into()
    }

    /// A number as its field wants it: flags, one of a choice, a descriptor, any.
    fn styled(&mut self, name: &str, style: Style) -> i128 {
        match style {
            Style::Flags(table) | Style::OptionalFlags(table) => self.named(table, true),
            Style::Choice(table) | Style::OptionalChoice(table) => self.named(table, false),
            Style::Dirfd if self.byte() < 128 => -100,
            Style::Signal => self.signal().into(),
            Style::SocketOption => self.named(SOCKET_OPTIONS, false),
            Style::Dirfd | Style::Plain | Style::Octal | Style::Optional => self.number(name),
        }
    }

    fn action(&mut self) -> SigAction {
        SigAction {
            handler: self.pick(&[2, 0, 1, 77]),
            mask: SigSet(self.pick(&SETS)),
            flags: self.named(flags::SA_FLAGS, true) as u32,
        }
    }

    fn sig_event(&mut self) -> SigEvent {
        SigEvent {
            notify: self.pick(&[0, 1, 4, 2, 9]),
            signo: self.signal(),
            value: u64::from(self.byte()),
            thread: self.pid() as i32,
        }
    }

    /// Settings of random bits, with characters that collide.
    fn termios(&mut self) -> Termios {
        let mut word = || u32::from(self.byte()) | u32::from(self.byte()) << 8;
        let (iflag, oflag, cflag, lflag) = (word(), word(), word(), word());
        let cc = std::array::from_fn(|at| match at % 3 {
            0 => self.byte(),
            _ => at as u8,
        });
        Termios { iflag, oflag, cflag, lflag, line: 0, cc }
    }

    fn alt_stack(&mut self) -> AltStack {
        AltStack {
            sp: 0x7000,
            flags: self.pick(&[0, 1, 2, 1 << 31, 4]),
            size: self.pick(&[8192, 0, 2047]),
        }
    }

    fn poll(&mut self) -> Vec<PollFd> {
        let one = |chooser: &mut Self| PollFd {
            fd: chooser.pick(&FDS),
            events: chooser.pick(&[1, 4, 5, 0, 0xffff, 2]),
            revents: 0,
        };
        (0..self.byte() % 4).map(|_| one(self)).collect()
    }

    fn fcntl_argument(&mut self) -> FieldValue<'static> {
        match self.byte() % 3 {
            0 => FieldValue::Number(self.argument().into()),
            1 => FieldValue::Lock(self.lock()),
            _ => FieldValue::Owner(FileOwner {
                kind: u32::from(self.byte() % 4),
                pid: self.pid() as i32,
            }),
        }
    }

    fn lock(&mut self) -> Flock {
        Flock {
            kind: self.pick(&[0, 1, 2, 7]),
            whence: self.pick(&[0, 1, 2, 9]),
            start: self.pick(&OFFSETS) as i64,
            len: self.pick(&OFFSETS) as i64,
            pid: self.pick(&[0, 0, 0, 1]),
        }
    }

    /// Few numbers mean something to a command, so all kinds of them.
    fn argument(&mut self) -> i64 {
        match self.byte() % 5 {
            0 => self.pick(&FDS).into(),
            1 => self.pick(&SIZES) as i64,
            2 => self.pick(&[0o4000, 0o2000, 0o6000, 0, 0o40000, 0o20000]),
            3 => i64::from(self.byte() & 0x3f),
            _ => self.pid().into(),
        }
    }

    fn option_value(&mut self) -> OptionValue {
        match self.byte() % 8 {
            0 => OptionValue::Linger(self.pick(&[0, 1]), self.pick(&[0, 1, -1])),
            1 => OptionValue::Time(self.pick(&[0, 1, -1]), self.pick(&[0, 1000, 1_000_000])),
            2 => OptionValue::Text(Bytes(self.pick(&NAMES).to_vec())),
            3 => OptionValue::Cred(Ucred::NOBODY),
            _ => OptionValue::Number(self.argument()),
        }
    }

    fn address(&mut self) -> Address {
        match self.byte() % 6 {
            0 => Address::Unix(Bytes(self.pick(&PATHS).to_vec())),
            1 => Address::Abstract(Bytes(self.pick(&NAMES).to_vec())),
            2 => {
                let host = self.pick(&[[127, 0, 0, 1], [0, 0, 0, 0], [127, 255, 255, 255]]);
                Address::Inet(host, self.pick(&[80, 0, 5001]))
            }
            3 => Address::Inet6([0; 16], self.pick(&[80, 0, 5001])),
            4 if self.byte().is_multiple_of(2) => Address::Inet([192, 0, 2, 9], 80),
            4 => Address::Other(self.pick(&[0, 99])),
            _ => Address::Unnamed,
        }
    }

    /// Something from the network outside: to ports that sockets have, of sockets by early ids.
    pub(super) fn incoming(&mut self) -> Incoming {
        let far = Address::Inet([192, 0, 2, 9], self.pick(&[80, 5001, 0]));
        let own = Address::Inet(
            self.pick(&[[127, 0, 0, 1], [10, 0, 0, 2], [127, 255, 255, 255], [224, 0, 0, 1]]),
            self.pick(&[5001, 80, 0]),
        );
        let socket = u64::from(self.byte() % 48);
        let data = Bytes(vec![b'i'; usize::from(self.byte())]);
        let errno = self.pick(&[Errno::ECONNREFUSED, Errno::ECONNRESET, Errno::ETIMEDOUT]);
        let is_there = !self.byte().is_multiple_of(4);
        match self.byte() % 12 {
            0 | 1 => Incoming::Host { host: Address::Inet([10, 0, 0, 2], 0), is_there },
            2 => Incoming::Listener { kind: self.pick(&[1, 2, 3]), at: own, is_there },
            3 | 4 => Incoming::Connect { from: far, to: own },
            5 | 6 => Incoming::Accepted { socket },
            7 => Incoming::Failed { socket, errno },
            8 => Incoming::Bytes { socket, data },
            9 => Incoming::End { socket },
            10 => Incoming::Taken { socket, count: self.pick(&[1, 64, u64::MAX]) },
            _ => Incoming::Datagram { from: far, to: own, data },
        }
    }

    fn messages(&mut self) -> Vec<Message> {
        let message = |of: &mut Self| Message {
            data: Bytes(vec![b'm'; usize::from(of.byte())]),
            addr: of.byte().is_multiple_of(4).then(|| of.address()),
            fds: of.byte().is_multiple_of(4).then(|| vec![of.byte().into()]),
            cred: None,
        };
        (0..self.byte() % 4).map(|_| message(self)).collect()
    }
}

impl FieldSource<'static> for Chooser<'_, '_> {
    type Error = ();

    fn field(
        &mut self,
        name: &'static str,
        style: Style,
        kind: &FieldValue<'_>,
    ) -> Result<FieldValue<'static>, ()> {
        let optional = matches!(style, Style::Optional) && !matches!(kind, FieldValue::Number(_));
        if optional && self.byte() < 80 {
            return Ok(FieldValue::Null);
        }
        Ok(match (kind, style) {
            (FieldValue::Null, _) => FieldValue::Null,
            (FieldValue::Number(_), _) => FieldValue::Number(self.styled(name, style)),
            (FieldValue::Bytes(_), _) => FieldValue::Bytes(Cow::Borrowed(match name {
                "data" | "value" => texts(self.byte()),
                "name" | "driver" | "requester" | "command" => self.pick(&NAMES),
                _ => self.pick(&PATHS),
            })),
            (FieldValue::List(_), _) => {
                let words = (0..self.byte() % 3).map(|_| Cow::Borrowed(self.pick(&NAMES)));
                FieldValue::List(words.collect())
            }
            (FieldValue::Numbers(_), _) => {
                let fds = name != "groups";
                let one = |chooser: &mut Self| {
                    if fds { chooser.pick(&FDS).into() } else { chooser.pick(&IDS) as i64 }
                };
                FieldValue::Numbers((0..self.byte() % 4).map(|_| one(self)).collect())
            }
            (FieldValue::Set(_), _) => FieldValue::Set(SigSet(self.pick(&SETS))),
            (FieldValue::Time(_), _) => FieldValue::Time(self.time()),
            (FieldValue::Action(_), _) => FieldValue::Action(self.action()),
            (FieldValue::Info(_), _) => FieldValue::Info(self.info()),
            (FieldValue::SigEvent(_), _) => FieldValue::SigEvent(self.sig_event()),
            (FieldValue::Poll(_), _) => FieldValue::Poll(self.poll()),
            (FieldValue::Limit(_), _) => {
                let limits = [0, 3, 8, 1024, 4096, u64::MAX, 5];
                FieldValue::Limit(Rlimit { cur: self.pick(&limits), max: self.pick(&limits) })
            }
            (FieldValue::Timer(_), _) => FieldValue::Timer(Itimer {
                value_ns: self.pick(&SPANS),
                interval_ns: self.pick(&SPANS),
            }),
            (FieldValue::Lock(_), _) => self.fcntl_argument(),
            (FieldValue::Owner(_), _) => FieldValue::Owner(Default::default()),
            (FieldValue::AltStack(_), _) => FieldValue::AltStack(self.alt_stack()),
            (FieldValue::Cred(_), _) => FieldValue::Cred(Ucred {
                pid: self.pid(),
                uid: self.pick(&[0, 1000]),
                gid: self.pick(&[0, 1000]),
            }),
            (FieldValue::OptionValue(_), _) => FieldValue::OptionValue(self.option_value()),
            (FieldValue::Messages(_), _) => FieldValue::Messages(self.messages()),
            (FieldValue::Address(_), _) => FieldValue::Address(self.address()),
            (FieldValue::Interface(_), _) => FieldValue::Interface(Default::default()),
            (FieldValue::Termios(_) | FieldValue::Termios2(_) | FieldValue::Winsize(_), _) => {
                match self.byte() % 4 {
                    0 => FieldValue::Number(self.argument().into()),
                    1 => FieldValue::Winsize(Winsize::default()),
                    2 => FieldValue::Termios(self.termios()),
                    _ => {
                        let termios = self.termios();
                        FieldValue::Termios2(Termios2 { termios, ispeed: 0, ospeed: 38_400 })
                    }
                }
            }
        })
    }

    fn misfit(&self, _: &'static str) {}
}
