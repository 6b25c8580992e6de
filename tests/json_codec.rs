//! The JSON codec: every call, answer and event comes back as it was; bad lines name what is wrong.

use proptest::prelude::*;
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use tickernel::json::{self, Form, Object, Request};
use tickernel_systems::abi::socket::{Got, Message, OptionValue, Received, Ucred};
use tickernel_systems::abi::*;
use tickernel_systems::event::*;
use tickernel_systems::wire::{Bytes, Wire, WireReader};

/// Bytes that a call of any kind is made of, in the order in which its fields ask.
struct Entropy<'a> {
    bytes: std::slice::Iter<'a, u8>,
    pool: &'a [Vec<u8>],
    /// For a call of the face.
    face: bool,
}

impl<'a> Entropy<'a> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    fn wide(&mut self) -> u64 {
        (0..8).fold(0, |wide, _| wide << 8 | u64::from(self.byte()))
    }

    /// Numbers of all widths, edges more often than others.
    fn number(&mut self) -> i128 {
        match self.byte() % 8 {
            0 => 0,
            1 => -1,
            2 => i128::from(self.byte()),
            3 => -100,
            4 => i128::from(u32::MAX),
            5 => i128::from(self.wide() as u32),
            6 => 1 << (self.byte() % 31),
            _ => i128::from(self.wide() as i32),
        }
    }

    fn string(&mut self, nul: bool) -> &'a [u8] {
        let string = &self.pool[usize::from(self.byte()) % self.pool.len()];
        if nul { string } else { string.split(|&byte| byte == 0).next().unwrap_or(string) }
    }

    fn address(&mut self) -> Address {
        match self.byte() % 6 {
            0 => Address::Unnamed,
            1 => Address::Unix(Bytes(self.string(false).to_vec())),
            2 => Address::Abstract(Bytes(self.string(true).to_vec())),
            3 => Address::Inet(std::array::from_fn(|_| self.byte()), self.wide() as u16),
            4 => Address::Inet6(std::array::from_fn(|_| self.byte()), self.wide() as u16),
            _ => Address::Other(1000 + u16::from(self.byte())),
        }
    }

    fn termios(&mut self) -> Termios {
        Termios {
            iflag: self.wide() as u32,
            oflag: self.wide() as u32,
            cflag: self.wide() as u32,
            lflag: self.wide() as u32,
            line: self.byte(),
            cc: std::array::from_fn(|_| self.byte()),
        }
    }

    fn interface(&mut self) -> Interface {
        let mut name = [0; 16];
        name[0] = self.byte();
        Interface { name, value: InterfaceValue::Index(i32::from(self.byte())) }
    }

    fn termios2(&mut self) -> Termios2 {
        Termios2 { termios: self.termios(), ispeed: self.wide() as u32, ospeed: self.wide() as u32 }
    }

    fn sig_event(&mut self) -> SigEvent {
        SigEvent {
            notify: self.wide() as u32,
            signo: self.wide() as i32,
            value: self.wide(),
            thread: self.wide() as i32,
        }
    }

    fn option_value(&mut self) -> OptionValue {
        match self.byte() % 6 {
            5 => {
                let group = match self.byte() % 2 {
                    0 => Ipv4Addr::new(224, 0, 0, self.byte()).to_ipv6_mapped(),
                    _ => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, self.byte().into()),
                };
                let interface = [127, 0, 0, self.byte()];
                OptionValue::Group(group.octets(), interface, self.wide() as i64)
            }
            0 => OptionValue::Number(self.wide() as i64),
            1 => OptionValue::Linger(self.wide() as i32, self.wide() as i32),
            2 => OptionValue::Time(self.wide() as i64, self.wide() as i64),
            3 => OptionValue::Cred(self.wired(3)),
            _ => OptionValue::Text(Bytes(self.string(true).to_vec())),
        }
    }

    fn wired<T: for<'w> Wire<'w> + Default>(&mut self, fields: usize) -> T {
        let mut bytes = Vec::new();
        for _ in 0..fields {
            bytes.push(self.byte() & 0x7f);
        }
        T::get(&mut WireReader::new(&bytes)).unwrap_or_default()
    }

    fn messages(&mut self) -> Vec<Message> {
        let message = |from: &mut Self| Message {
            data: Bytes(from.string(true).to_vec()),
            addr: from.byte().is_multiple_of(2).then(|| from.address()),
            fds: from.byte().is_multiple_of(2).then(|| vec![from.wide() as i64]),
            cred: from.byte().is_multiple_of(2).then(|| from.wired(3)),
        };
        (0..self.byte() % 3).map(|_| message(self)).collect()
    }
}

impl<'a> FieldSource<'a> for Entropy<'a> {
    type Error = &'static str;

    fn field(
        &mut self,
        name: &'static str,
        style: Style,
        kind: &FieldValue<'_>,
    ) -> Result<FieldValue<'a>, &'static str> {
        let optional = matches!(style, Style::Optional) && !matches!(kind, FieldValue::Number(_));
        let path = matches!(kind, FieldValue::Bytes(_)) && !matches!(name, "data" | "value");
        // The face's paths are strings of Rust's: never NULL.
        let may_lack = optional || path && !self.face;
        if may_lack && self.byte().is_multiple_of(4) {
            return Ok(FieldValue::Null);
        }
        Ok(match kind {
            FieldValue::Null => FieldValue::Null,
            FieldValue::Number(_) => FieldValue::Number(self.number()),
            FieldValue::Bytes(_) => FieldValue::Bytes(Cow::Borrowed(self.string(!path))),
            FieldValue::List(_) => FieldValue::List(
                (0..self.byte() % 4).map(|_| Cow::Borrowed(self.string(false))).collect(),
            ),
            FieldValue::Numbers(_) => {
                FieldValue::Numbers((0..self.byte() % 4).map(|_| self.wide() as i64).collect())
            }
            FieldValue::Set(_) => FieldValue::Set(SigSet(self.wide())),
            FieldValue::Time(_) => {
                FieldValue::Time(Timespec { sec: self.wide() as i64, nsec: self.wide() as i64 })
            }
            FieldValue::Action(_) => FieldValue::Action(SigAction {
                handler: self.wide() % 4,
                mask: SigSet(self.wide()),
                flags: self.wide() as u32,
            }),
            FieldValue::Info(_) => FieldValue::Info(self.wired(6)),
            FieldValue::SigEvent(_) => FieldValue::SigEvent(self.sig_event()),
            FieldValue::Poll(_) => FieldValue::Poll(
                (0..self.byte() % 3)
                    .map(|_| PollFd {
                        fd: self.wide() as i32,
                        events: self.wide() as u16,
                        revents: 0,
                    })
                    .collect(),
            ),
            FieldValue::Limit(_) => FieldValue::Limit(self.wired(2)),
            FieldValue::Timer(_) => {
                FieldValue::Timer(Itimer { value_ns: self.wide(), interval_ns: self.wide() })
            }
            FieldValue::Owner(_) => FieldValue::Owner(self.wired(2)),
            FieldValue::Lock(_) => match self.byte() % 3 {
                2 => FieldValue::Owner(self.wired(2)),
                0 => FieldValue::Number(i128::from(self.wide() as i64)),
                _ => FieldValue::Lock(self.wired(5)),
            },
            FieldValue::Winsize(_) => FieldValue::Winsize(self.wired(4)),
            FieldValue::Interface(_) => FieldValue::Interface(self.interface()),
            FieldValue::AltStack(_) => FieldValue::AltStack(self.wired(3)),
            FieldValue::Cred(_) => FieldValue::Cred(self.wired(3)),
            FieldValue::OptionValue(_) => FieldValue::OptionValue(self.option_value()),
            FieldValue::Messages(_) => FieldValue::Messages(self.messages()),
            FieldValue::Address(_) => FieldValue::Address(self.address()),
            FieldValue::Termios2(_) => FieldValue::Termios2(self.termios2()),
            FieldValue::Termios(_) => match self.byte() % 5 {
                4 => FieldValue::Interface(self.interface()),
                3 => FieldValue::Termios2(self.termios2()),
                0 => FieldValue::Number(i128::from(self.wide() as i64)),
                1 => FieldValue::Winsize(self.wired(4)),
                _ => FieldValue::Termios(self.termios()),
            },
        })
    }

    fn misfit(&self, name: &'static str) -> &'static str {
        name
    }
}

fn pool() -> Vec<Vec<u8>> {
    let strings: [&[u8]; 8] = [
        b"",
        b"/",
        b"a/b",
        "/tmp/\u{e9}\u{1f600}".as_bytes(),
        b"\xff\x00\xfe",
        b"x\0y",
        b"\"\\\n",
        b"..",
    ];
    strings.iter().map(|string| string.to_vec()).collect()
}

/// Puts the call into a line and reads it back.
fn round_trip(pid: u32, call: &Call<'_>) -> (String, Result<(), TestCaseError>) {
    let line = serde_json::Value::Object(json::show_call(pid, call)).to_string();
    let request = Request::parse(line.as_bytes());
    let check = || {
        let request = request.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(request.number::<u32>("pid"), Ok(pid));
        let back = request.call();
        prop_assert_eq!(back.as_ref(), Ok(call));
        Ok(())
    };
    let result = check();
    (line, result)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_call_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let pool = pool();
        for (_, name) in Call::NAMES.iter().chain(&[(0, "unmodelled")]) {
            let face = name.starts_with("face_") || name.starts_with("fs_");
            let mut entropy = Entropy { bytes: bytes.iter(), pool: &pool, face };
            let call = Call::read(name, &mut entropy).expect("the table has its own names");
            let call = call.map_err(TestCaseError::fail)?;
            let (line, result) = round_trip(7, &call);
            result.map_err(|error| TestCaseError::fail(format!("{line}: {error}")))?;
        }
    }

    #[test]
    fn no_line_panics(line in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        for line in [line.as_bytes(), &bytes] {
            if let Ok(request) = Request::parse(line) {
                let _ = request.call();
                let _ = json::read_event(&request);
            }
        }
    }

    #[test]
    fn fields_of_a_wrong_kind_are_named(pick in any::<prop::sample::Index>(), kind in 0..6u8) {
        let name = Call::NAMES[pick.index(Call::NAMES.len())].1;
        let pool = pool();
        let mut entropy = Entropy { bytes: [9u8; 64].iter(), pool: &pool, face: false };
        let call = Call::read(name, &mut entropy).expect("a name of the table").expect("a call");
        let right = json::show_call(1, &call);
        for field in right.keys().filter(|field| !matches!(field.as_str(), "pid" | "call")) {
            let mut wrong = right.clone();
            let value = match kind {
                0 => serde_json::Value::Bool(true),
                1 => serde_json::json!([[]]),
                2 => serde_json::json!({"none": "x"}),
                3 => serde_json::json!([true]),
                _ => serde_json::Value::Null,
            };
            wrong.insert(field.clone(), value);
            if let Err(error) = Request::new(wrong).call() {
                let field = field.trim_end_matches("_b64");
                let named = error.to_string().contains(field) || kind == 2;
                prop_assert!(named, "{name} {field}: {error}");
            }
        }
    }
}

fn signal() -> impl Strategy<Value = Signal> {
    (1..=64i32).prop_filter_map("a signal", Signal::new)
}

fn status() -> impl Strategy<Value = WaitStatus> {
    prop_oneof![
        any::<u8>().prop_map(WaitStatus::Exited),
        (signal(), any::<bool>()).prop_map(|(signal, core)| WaitStatus::Signaled(signal, core)),
        signal().prop_map(WaitStatus::Stopped),
        Just(WaitStatus::Continued),
    ]
}

fn time() -> impl Strategy<Value = Timespec> {
    (any::<i64>(), any::<i64>()).prop_map(|(sec, nsec)| Timespec { sec, nsec })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        any::<String>().prop_map(|text| Bytes(text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes)
    ]
}

fn interface() -> impl Strategy<Value = Interface> {
    let value = prop_oneof![
        Just(InterfaceValue::Nothing),
        any::<i32>().prop_map(InterfaceValue::Index),
        any::<i64>().prop_map(InterfaceValue::Number),
        any::<u32>().prop_map(InterfaceValue::Flags),
        any::<[u8; 4]>().prop_map(InterfaceValue::Address),
        any::<u16>().prop_map(InterfaceValue::Hardware),
    ];
    (any::<[u8; 16]>(), value).prop_map(|(name, value)| Interface { name, value })
}

fn info() -> impl Strategy<Value = SigInfo> {
    (
        any::<i32>(),
        prop_oneof![any::<i32>(), -6..9],
        any::<u32>(),
        any::<u32>(),
        any::<i32>(),
        any::<u64>(),
    )
        .prop_map(|(signo, code, pid, uid, status, value)| SigInfo {
            signo,
            code,
            pid,
            uid,
            status,
            value,
        })
}

fn stat() -> impl Strategy<Value = Stat> {
    let numbers = prop::array::uniform7(any::<u64>());
    (numbers, prop::array::uniform4(any::<u32>()), prop::array::uniform4(time()), 0..8u32).prop_map(
        |([dev, ino, rdev, size, blocks, ..], [mode, nlink, uid, gid], times, _)| Stat {
            dev,
            ino,
            mode: mode & 0o177777,
            nlink,
            uid,
            gid,
            rdev,
            size,
            blksize: mode,
            blocks,
            atime: times[0],
            mtime: times[1],
            ctime: times[2],
            btime: times[3],
        },
    )
}

fn fd_list() -> impl Strategy<Value = Option<Vec<i32>>> {
    prop::option::of(prop::collection::vec(any::<i32>(), 0..3))
}

/// A payload with a call that gives it.
/// What fcntl(2) and ioctl(2) write that is no lock and no terminal's.
fn requested() -> impl Strategy<Value = (&'static str, Payload)> {
    prop_oneof![
        interface().prop_map(|one| ("ioctl", Payload::Interface(one))),
        (any::<i64>(), prop::collection::vec(interface(), 0..3))
            .prop_map(|(bytes, all)| ("ioctl", Payload::Interfaces(bytes, all))),
        (0..4u32, any::<i32>())
            .prop_map(|(kind, pid)| ("fcntl", Payload::Owner(FileOwner { kind, pid }))),
    ]
}

fn payload() -> impl Strategy<Value = (&'static str, Payload)> {
    let lists = (fd_list(), fd_list(), fd_list())
        .prop_filter("a set", |sets| sets.0.is_some() || sets.1.is_some() || sets.2.is_some());
    let dirent = (any::<u64>(), any::<i64>(), any::<u8>(), bytes())
        .prop_map(|(ino, off, kind, name)| Dirent { ino, off, kind, name });
    let poll = (any::<i32>(), any::<u16>(), any::<u16>())
        .prop_map(|(fd, events, revents)| PollFd { fd, events, revents });
    let lock = (any::<i16>(), any::<i16>(), any::<i64>(), any::<i64>(), any::<i32>())
        .prop_map(|(kind, whence, start, len, pid)| Flock { kind, whence, start, len, pid });
    let first = prop_oneof![
        Just(("exit_group", Payload::None)),
        bytes().prop_map(|bytes| ("read", Payload::Data(bytes))),
        stat().prop_map(|stat| ("stat", Payload::Stat(Box::new(stat)))),
        prop::array::uniform9(any::<u64>()).prop_map(
            |[kind, bsize, blocks, bfree, bavail, files, ffree, namelen, flags]| {
                (
                    "statfs",
                    Payload::Statfs(Box::new(Statfs {
                        kind,
                        bsize,
                        blocks,
                        bfree,
                        bavail,
                        files,
                        ffree,
                        namelen,
                        flags,
                    })),
                )
            }
        ),
        status().prop_map(|status| ("wait4", Payload::Status(status))),
        info().prop_map(|info| ("waitid", Payload::Info(Box::new(info)))),
        (0..4u64, any::<u64>(), any::<u32>()).prop_map(|(handler, mask, flags)| {
            (
                "rt_sigaction",
                Payload::Action(Box::new(SigAction { handler, mask: SigSet(mask), flags })),
            )
        }),
        any::<u64>().prop_map(|set| ("rt_sigprocmask", Payload::Set(SigSet(set)))),
        any::<u64>().prop_map(|set| ("rt_sigpending", Payload::Set(SigSet(set)))),
        any::<[i32; 2]>().prop_map(|fds| ("pipe", Payload::Fds(fds))),
    ];
    let second = prop_oneof![
        prop::collection::vec(poll, 0..3).prop_map(|fds| ("ppoll", Payload::Poll(fds))),
        prop::collection::vec(any::<(u32, u64)>(), 0..3).prop_map(|list| {
            let event = |(events, data)| EpollEvent { events, data };
            ("epoll_wait", Payload::Epoll(list.into_iter().map(event).collect()))
        }),
        lists.prop_map(|(read, write, except)| {
            ("select", Payload::Select(Box::new(SelectSets { read, write, except })))
        }),
        any::<Vec<u32>>().prop_map(|groups| ("getgroups", Payload::Groups(groups))),
        any::<[u32; 3]>().prop_map(|ids| ("getresuid", Payload::Ids(ids))),
        any::<(u64, u64)>()
            .prop_map(|(cur, max)| ("prlimit64", Payload::Limit(Rlimit { cur, max }))),
        prop::collection::vec(dirent, 0..3).prop_map(|list| ("getdents64", Payload::Dirents(list))),
        lock.prop_map(|lock| ("fcntl", Payload::Lock(lock))),
        requested(),
        time().prop_map(|time| ("nanosleep", Payload::Time(time))),
        any::<(u64, u64)>().prop_map(|(value_ns, interval_ns)| {
            ("getitimer", Payload::Timer(Itimer { value_ns, interval_ns }))
        }),
        any::<([u32; 4], u8, [u8; 19])>().prop_map(|([iflag, oflag, cflag, lflag], line, cc)| {
            ("ioctl", Payload::Termios(Box::new(Termios { iflag, oflag, cflag, lflag, line, cc })))
        }),
    ];
    prop_oneof![first, second, small_payload()]
}

/// A payload of a number or two, with a call that gives it.
fn small_payload() -> impl Strategy<Value = (&'static str, Payload)> {
    prop_oneof![
        any::<[u16; 4]>().prop_map(|[row, col, xpixel, ypixel]| {
            ("ioctl", Payload::Winsize(Winsize { row, col, xpixel, ypixel }))
        }),
        any::<i64>().prop_map(|number| ("ioctl", Payload::Number(number))),
        bytes().prop_map(|name| {
            ("getsockname", Payload::Address(Box::new(Address::Abstract(name))))
        }),
        any::<(u64, u32, u64)>().prop_map(|(sp, flags, size)| {
            ("sigaltstack", Payload::AltStack(AltStack { sp, flags, size }))
        }),
        received().prop_map(|told| ("recvfrom", Payload::Received(Box::new(told)))),
        (received(), any::<u32>()).prop_map(|(mut told, flags)| {
            told.flags = Some(flags);
            ("recvmsg", Payload::Received(Box::new(told)))
        }),
        any::<Vec<u32>>().prop_map(|lengths| ("sendmmsg", Payload::Lengths(lengths))),
        prop::collection::vec((any::<u32>(), received(), any::<u32>()), 0..3).prop_map(|list| {
            let got = list.into_iter().map(|(length, mut received, flags)| {
                received.flags = Some(flags);
                Got { length, received }
            });
            ("recvmmsg", Payload::Messages(got.collect()))
        }),
        any::<(i32, i32)>().prop_map(|(on, seconds)| {
            ("getsockopt", Payload::OptionValue(Box::new(OptionValue::Linger(on, seconds))))
        }),
        any::<i64>().prop_map(|number| {
            ("getsockopt", Payload::OptionValue(Box::new(OptionValue::Number(number))))
        }),
        any::<(Option<i64>, Option<i64>)>()
            .prop_map(|(a, b)| ("copy_file_range", Payload::Offsets(a, b))),
        any::<(Option<i64>, Option<i64>)>().prop_map(|(a, b)| ("sendfile", Payload::Offsets(a, b))),
    ]
}

/// What a message brought, of a call that tells no flags.
fn received() -> impl Strategy<Value = Received> {
    let cred = prop::option::of(any::<[u32; 3]>());
    (bytes(), prop::option::of(bytes()), any::<Vec<i32>>(), cred).prop_map(
        |(data, name, fds, cred)| Received {
            data,
            addr: name.map(Address::Abstract),
            flags: None,
            fds,
            cred: cred.map(|[pid, uid, gid]| Ucred { pid, uid, gid }),
            error: None,
        },
    )
}

fn outcome(answer: Answer) -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Done(answer)),
        1 => (1..600u16).prop_map(|errno| Outcome::Failed(Errno(errno))),
        1 => any::<u64>().prop_map(|tick| Outcome::Blocked(CallId(tick))),
        1 => Just(Outcome::Asking),
        1 => prop_oneof![
            Just(Refusal::Gone), Just(Refusal::Stopped), Just(Refusal::Misplaced),
            any::<u64>().prop_map(|tick| Refusal::Blocked(CallId(tick))),
        ].prop_map(Outcome::Refused),
    ]
}

fn reparse(object: Object) -> Result<Object, TestCaseError> {
    let line = serde_json::Value::Object(object).to_string();
    json::parse_object(line.as_bytes()).map_err(|error| TestCaseError::fail(error.to_string()))
}

fn cases() -> impl Strategy<Value = (&'static str, Outcome, Answer)> {
    (payload(), any::<i64>()).prop_flat_map(|((call, payload), value)| {
        let answer = Answer { value, payload };
        (Just(call), outcome(answer.clone()), Just(answer))
    })
}

proptest! {
    #[test]
    fn every_outcome_comes_back_alone_and_beside_its_request(
        (call, outcome, answer) in cases(), bytes in prop::collection::vec(any::<u8>(), 0..100),
        status in status(),
    ) {
        let mut alone = Object::new();
        json::show_outcome(&mut alone, call, &outcome, Form::Twin);
        prop_assert_eq!(json::read_outcome(&reparse(alone)?, call), Ok(Some(outcome.clone())));

        let pool = pool();
        let mut entropy = Entropy { bytes: bytes.iter(), pool: &pool, face: true };
        let request = Call::read(call, &mut entropy).expect("in the table");
        let request = request.map_err(TestCaseError::fail)?;
        let mut line = json::show_call(3, &request);
        json::show_outcome(&mut line, call, &outcome, Form::Twin);
        let line = reparse(line)?;
        prop_assert_eq!(json::read_outcome(&line, call), Ok(Some(outcome)));
        let line = Request::new(line);
        prop_assert_eq!(line.call(), Ok(request));

        for result in [Completed::Done(answer), Completed::Gone(status)] {
            let mut object = Object::new();
            json::show_completed(&mut object, call, &result, Form::Twin);
            prop_assert_eq!(json::read_completed(&reparse(object)?, call), Ok(result));
        }
    }

    #[test]
    fn every_other_event_and_effect_comes_back(
        tick in any::<u64>(), task in any::<u32>(), max in any::<u64>(), signal in signal(),
        bytes in bytes(), errno in 1..600u16, result in any::<i64>(), info in info(),
        status in status(),
    ) {
        let call = Call::Read { fd: 3, count: max };
        let (near, far) = (Address::Inet([10, 0, 0, 2], 80), Address::Inet6([9; 16], 0));
        let data = bytes.clone();
        let events = [
            Event::Call { task, call: call.clone() },
            Event::Park { task, call: call.clone() },
            Event::Inject { task, errno: Errno(errno), call },
            Event::Resume { call: CallId(tick), max_bytes: max },
            Event::Resume { call: CallId(tick), max_bytes: u64::MAX },
            Event::Deliver { task, signal },
            Event::Clock { delta_ns: tick },
            Event::Answer(HostAnswer::Bytes(bytes)),
            Event::Answer(HostAnswer::Result(result)),
            Event::Answer(HostAnswer::Error(Errno(errno))),
            Event::Answer(HostAnswer::Absent),
            Event::Signal { target: task, info },
            Event::Incoming(Incoming::Host { host: near.clone(), is_there: task % 2 == 0 }),
            Event::Incoming(Incoming::Listener { kind: 2, at: near.clone(), is_there: true }),
            Event::Incoming(Incoming::Connect { from: far.clone(), to: near.clone() }),
            Event::Incoming(Incoming::Accepted { socket: tick }),
            Event::Incoming(Incoming::Failed { socket: tick, errno: Errno(errno) }),
            Event::Incoming(Incoming::Bytes { socket: tick, data: data.clone() }),
            Event::Incoming(Incoming::End { socket: tick }),
            Event::Incoming(Incoming::Taken { socket: tick, count: max }),
            Event::Incoming(Incoming::Datagram {
                from: far.clone(),
                to: near.clone(),
                data: data.clone(),
            }),
        ];
        for event in events {
            let line = Request::new(reparse(json::show_event(&event))?);
            prop_assert_eq!(json::read_event(&line), Ok(event));
        }
        let effects = [
            Effect::Handler { task, handler: tick, info },
            Effect::Handler { task, handler: json::CAUGHT, info },
            Effect::Stopped { process: task, signal },
            Effect::Continued { process: task },
            Effect::Exited { process: task, status },
            Effect::Outgoing(Outgoing::Connect {
                socket: tick,
                from: near.clone(),
                to: far.clone(),
            }),
            Effect::Outgoing(Outgoing::Bytes {
                socket: tick,
                data: data.clone(),
                is_urgent: task % 3 == 0,
            }),
            Effect::Outgoing(Outgoing::End { socket: tick }),
            Effect::Outgoing(Outgoing::Reset { socket: tick }),
            Effect::Outgoing(Outgoing::Datagram { socket: tick, from: near, to: far, data }),
        ];
        for effect in effects {
            prop_assert_eq!(json::read_effect(&reparse(json::show_effect(&effect))?), Ok(effect));
        }
    }
}

fn call(line: &str) -> String {
    match Request::parse(line.as_bytes()) {
        Err(error) => error.to_string(),
        Ok(request) => match request.call() {
            Ok(call) => format!("{call:?}"),
            Err(error) => error.to_string(),
        },
    }
}

#[test]
fn the_forms_of_cli_md() {
    let open =
        call(r#"{"pid":1,"call":"open","path":"/tmp/f","flags":"O_RDWR|O_CREAT","mode":"0644"}"#);
    assert_eq!(
        open,
        format!("{:?}", Call::Open { path: Some(b"/tmp/f"), flags: 0o102, mode: 0o644 })
    );
    let none = call(r#"{"pid":1,"call":"open","path":"/none","flags":"O_RDONLY"}"#);
    assert_eq!(none, format!("{:?}", Call::Open { path: Some(b"/none"), flags: 0, mode: 0 }));
    let nul = call(r#"{"call":"write","fd":"0x3","data":"a\u0000b"}"#);
    assert_eq!(nul, format!("{:?}", Call::Write { fd: 3, data: b"a\0b" }));
    let cut = call(r#"{"call":"chdir","path":"a\u0000b"}"#);
    assert_eq!(cut, format!("{:?}", Call::Chdir { path: Some(b"a") }));
    let face = call(r#"{"call":"face_register_driver","driver":"d","commands":["x\u0000y","z"]}"#);
    assert!(face.contains(r#""x\0y""#) || face.contains("120, 0, 121"), "{face}");
    let null = call(r#"{"call":"chdir","path":null}"#);
    assert_eq!(null, format!("{:?}", Call::Chdir { path: None }));
    let coded = call(r#"{"call":"chdir","path_b64":"/wD+"}"#);
    assert_eq!(coded, format!("{:?}", Call::Chdir { path: Some(b"\xff") }));
    let fifo = call(r#"{"call":"mknod","path":"p","mode":"S_IFIFO|0600"}"#);
    let expected = Call::Mknod { path: Some(b"p"), mode: 0o10600, major: 0, minor: 0 };
    assert_eq!(fifo, format!("{expected:?}"));
    let clone = call(r#"{"call":"clone","flags":"CLONE_VM|SIGCHLD"}"#);
    assert_eq!(clone, format!("{:?}", Call::Clone { flags: 0x111, set_tid: 0 }));
    let times =
        call(r#"{"call":"utimensat","path":"f","atime":"UTIME_NOW","mtime":{"sec":1,"nsec":2}}"#);
    let expected = Call::Utimensat {
        dirfd: -100,
        path: Some(b"f"),
        atime: Some(Timespec { sec: 0, nsec: 0x3fff_ffff }),
        mtime: Some(Timespec { sec: 1, nsec: 2 }),
        flags: 0,
    };
    assert_eq!(times, format!("{expected:?}"));
}

#[test]
fn errors_name_what_is_wrong() {
    let cases = [
        (r#"{"call":"opne"}"#, "there is no call \"opne\""),
        (r#"{"pid":1}"#, "\"call\" is missing"),
        (r#"{"call":"close"}"#, "close: the field \"fd\" is missing"),
        (r#"{"call":"close","fd":"x"}"#, "close: the field \"fd\" must be an integer"),
        (r#"{"call":"close","fd":true}"#, "\"fd\" must be"),
        (r#"{"call":"close","fd":1.5}"#, "1.5 is not an integer"),
        (r#"{"call":"close","fd":99999999999}"#, "\"fd\" does not fit"),
        (r#"{"call":"close","fd":"08"}"#, "\"fd\" must be"),
        (r#"{"call":"open","path":"f","flags":"O_CREAT"}"#, "\"mode\" is missing"),
        (r#"{"call":"open","path":"f","flags":"O_CRAET","mode":0}"#, "\"flags\" must be"),
        (r#"{"call":"open","path":3,"flags":0}"#, "\"path\" must be a string"),
        (r#"{"call":"chdir","path_b64":"!"}"#, "\"path_b64\" must be a string in base64"),
        (r#"{"call":"kill","target":1,"sig":"SIGNOPE"}"#, "\"sig\" must be the name of a signal"),
        (r#"{"call":"close","fd":1,"fd":2}"#, "\"fd\" stands twice"),
        ("[1]", "must hold a JSON object"),
        ("{", "broken JSON"),
        ("{} x", "broken JSON"),
        ("\u{1}", "broken JSON"),
    ];
    for (line, wanted) in cases {
        assert!(call(line).contains(wanted), "{line}: {}", call(line));
    }
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    assert!(call(&format!("{{\"call\":{deep}}}")).contains("broken JSON"));
    let wide = format!("{{\"call\":[{}1]}}", "1,".repeat(2_000_000));
    assert!(call(&wide).contains("values in a line"), "{}", call(&wide));
}
