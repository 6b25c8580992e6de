//! The text twin gives back every trace as it was, whatever its events and answers are.

use proptest::prelude::*;
use tickernel::import::{Format, Imported, Source};
use tickernel::json::convert::{self, ConvertError};
use tickernel::json::twin::{self, EventLine, Line, TwinReader, Waiting};
use tickernel::json::{Object, parse_object};
use tickernel::record::Recording;
use tickernel::replay::{Expected, Options, Recorded, Role, replay};
use tickernel::trace::{Digests, Event as TraceEvent, Header, Record, TraceReader, TraceWriter};
use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::*;
use tickernel_systems::event::*;
use tickernel_systems::wire::{Bytes, Wire};
use tickernel_systems::{Config, Kernel};

const LIMIT_BYTES: u64 = 1 << 20;

fn wire(value: &impl for<'a> Wire<'a>) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.put(&mut bytes);
    bytes
}

fn event_bytes(event: &Event<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    event.put(&mut bytes);
    bytes
}

/// Calls on the objects of anonymous inodes, on timers, and from pipe to pipe.
fn object_call(kind: u8, fd: i32) -> Call<'static> {
    match kind {
        8 => Call::Eventfd2 { initval: 3, flags: EFD_CLOEXEC | EFD_SEMAPHORE },
        9 => Call::PidfdSendSignal { pidfd: fd, sig: 10, info: Some(SigInfo::default()), flags: 1 },
        10 => Call::TimerCreate { clockid: CLOCK_MONOTONIC, sevp: Some(SigEvent::default()) },
        11 => Call::TimerSettime {
            timerid: fd,
            flags: TIMER_ABSTIME,
            new_value: Some(Itimer { value_ns: 5, interval_ns: 7 }),
        },
        12 => Call::MemfdCreate { name: Some(b"m"), flags: MFD_ALLOW_SEALING },
        13 => Call::Splice {
            fd_in: fd,
            off_in: Some(-1),
            fd_out: 4,
            off_out: None,
            len: 9,
            flags: SPLICE_F_MORE,
        },
        14 => Call::Tee { fd_in: fd, fd_out: 4, len: u64::MAX, flags: 0 },
        _ => Call::PidfdGetfd { pidfd: fd, targetfd: 2, flags: 0 },
    }
}

/// Answers of the host, of every kind.
fn host_answer() -> impl Strategy<Value = HostAnswer> {
    prop_oneof![
        any::<Vec<u8>>().prop_map(|bytes| HostAnswer::Bytes(Bytes(bytes))),
        any::<i64>().prop_map(HostAnswer::Result),
        (1..130u16).prop_map(|errno| HostAnswer::Error(Errno(errno))),
        Just(HostAnswer::Absent),
        any::<i64>().prop_map(|value| HostAnswer::Answer(Answer::value(value))),
    ]
}

/// Events that bring calls with all kinds of answers, and those that are no calls.
fn event() -> impl Strategy<Value = Vec<u8>> {
    let call =
        (0..16u8, 1..4u32, any::<i32>(), any::<Vec<u8>>()).prop_map(|(kind, task, fd, data)| {
            let call = match kind {
                0 => Call::Read { fd, count: 10 },
                1 => Call::Write { fd, data: &data },
                2 => Call::Poll { fds: vec![PollFd { fd, events: 1, revents: 0 }], timeout: -1 },
                3 => Call::Select {
                    nfds: 3,
                    readfds: Some(vec![2]),
                    writefds: None,
                    exceptfds: None,
                    timeout: None,
                },
                4 => Call::Sendfile { out_fd: fd, in_fd: 3, offset: Some(0), count: 2 },
                5 => Call::Fcntl { fd, cmd: 5, arg: FcntlArg::Lock(Flock::default()) },
                6 => Call::Exit { status: fd },
                7 => Call::Wait4 { wpid: fd, options: 0 },
                _ => object_call(kind, fd),
            };
            match task {
                3 => event_bytes(&Event::Park { task, call }),
                task => event_bytes(&Event::Call { task, call }),
            }
        });
    prop_oneof![
        6 => call,
        1 => (0..30u64).prop_map(|id| {
            event_bytes(&Event::Resume { call: CallId(id), max_bytes: 7 })
        }),
        1 => any::<u64>().prop_map(|delta_ns| event_bytes(&Event::Clock { delta_ns })),
        1 => host_answer().prop_map(|answer| event_bytes(&Event::Answer(answer))),
        1 => (1..9u32, 1..65i32).prop_map(|(task, number)| {
            let signal = Signal::new(number).expect("1 to 64");
            event_bytes(&Event::Deliver { task, signal })
        }),
        1 => (1..9u32, 1..65i32, any::<u64>()).prop_map(|(target, signo, value)| {
            let info = SigInfo { signo, code: -1, pid: 3, uid: 4, status: 0, value };
            event_bytes(&Event::Signal { target, info })
        }),
        1 => any::<Vec<u8>>(),
    ]
}

fn payload() -> impl Strategy<Value = Payload> {
    let poll = PollFd { fd: 1, events: 1, revents: 4 };
    prop_oneof![
        Just(Payload::None),
        any::<Vec<u8>>().prop_map(|bytes| Payload::Data(Bytes(bytes))),
        Just(Payload::Poll(vec![poll])),
        Just(Payload::Fds([3, 4])),
        Just(Payload::Select(Box::new(SelectSets {
            read: Some(vec![2]),
            write: None,
            except: None
        }))),
        any::<(Option<i64>, Option<i64>)>()
            .prop_map(|(input, output)| Payload::Offsets(input, output)),
        Just(Payload::Lock(Flock::default())),
        any::<i64>().prop_map(Payload::Number),
        Just(Payload::Status(WaitStatus::Signaled(Signal::SIGSEGV, true))),
        any::<u64>().prop_map(|set| Payload::Set(SigSet(set))),
    ]
}

fn output(tick: u64) -> impl Strategy<Value = Output> {
    let answer =
        (any::<i64>(), payload()).prop_map(|(value, payload)| Answer { value, payload }).boxed();
    let outcome = prop_oneof![
        3 => answer.clone().prop_map(Outcome::Done),
        1 => (1..600u16).prop_map(|errno| Outcome::Failed(Errno(errno))),
        1 => Just(Outcome::Blocked(CallId(tick))),
        1 => Just(Outcome::Asking),
        1 => Just(Outcome::Refused(Refusal::Stopped)),
    ];
    let result = prop_oneof![
        answer.prop_map(Completed::Done),
        Just(Completed::Failed(Errno::EINTR)),
        Just(Completed::Gone(WaitStatus::Exited(3))),
    ];
    prop_oneof![
        (0..tick + 1, result).prop_map(|(id, result)| Output::Completion(Completion {
            call: CallId(id),
            task: 2,
            result
        })),
        Just(Output::Effect(Effect::Continued { process: 3 })),
        (tick.saturating_sub(1)..tick + 1, outcome)
            .prop_map(|(tick, outcome)| Output::Outcome(tick, outcome)),
    ]
}

fn expected(tick: u64) -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        1 => Just(None),
        1 => any::<Vec<u8>>().prop_map(Some),
        6 => prop::collection::vec(output(tick), 0..4).prop_map(|outputs| Some(wire(&outputs))),
    ]
}

fn events() -> impl Strategy<Value = Vec<EventLine>> {
    (0..12u64).prop_flat_map(|count| {
        (0..count)
            .map(|number| {
                let tick = number * 2;
                (event(), expected(tick), any::<Option<(u64, u64)>>(), 0..16u8).prop_map(
                    move |(event, expected, lines, flags)| EventLine {
                        sequence: number + 5,
                        tick,
                        event,
                        expected,
                        lines,
                        flags,
                    },
                )
            })
            .collect::<Vec<_>>()
    })
}

fn recorded() -> impl Strategy<Value = Expected> {
    let role = prop_oneof![
        Just(Role::Call),
        Just(Role::OutOfScope),
        Just(Role::Unsupported),
        Just(Role::Taken),
        Just(Role::Signal),
        Just(Role::Force),
    ];
    let result = prop_oneof![
        3 => any::<i64>().prop_map(Recorded::Value),
        1 => (1..600u16).prop_map(|errno| Recorded::Errno(Errno(errno))),
        1 => Just(Recorded::Never),
    ];
    let name = prop_oneof![Just(b"read".to_vec()), any::<Vec<u8>>()].prop_map(Bytes);
    (role, name, result, payload(), 0..9u32, 0..64u32).prop_map(
        |(role, name, recorded, payload, members, flags)| Expected {
            role,
            name,
            recorded,
            payload,
            members,
            flags,
        },
    )
}

fn text(object: Object) -> String {
    serde_json::Value::Object(object).to_string()
}

fn show(waiting: &mut Waiting, line: &EventLine) -> String {
    let record = Record {
        event: &line.event,
        expected: line.expected.as_deref(),
        lines: line.lines,
        flags: line.flags,
    };
    let event = TraceEvent { sequence: line.sequence, tick: line.tick, record };
    text(twin::show_event_line(waiting, &event))
}

/// A trace of these events, with digests, a snapshot and batches in between.
fn trace_of(events: &[EventLine], image: &[u8]) -> Result<Vec<u8>, TestCaseError> {
    let header = Header { first_sequence: 5, ..Header::default() };
    let fail = |error: tickernel::trace::TraceError| TestCaseError::fail(error.to_string());
    let mut writer = TraceWriter::new(Vec::new(), &header, image).map_err(fail)?;
    for line in events {
        let record = Record {
            event: &line.event,
            expected: line.expected.as_deref(),
            lines: line.lines,
            flags: line.flags,
        };
        writer.append(line.tick, &record, line.sequence << 8).map_err(fail)?;
        let hash = (line.sequence + 1) << 8;
        match line.sequence % 5 {
            0 => writer.flush(hash).map_err(fail)?,
            1 => writer.digests(&[("tasks", hash)], hash).map_err(fail)?,
            2 => writer.snapshot(b"a snapshot", hash).map_err(fail)?,
            _ => {}
        }
    }
    let hash = events.last().map_or(0, |line| (line.sequence + 1) << 8);
    Ok(writer.finish(&[("tasks", 1), ("pipes", 2)], hash).map_err(fail)?.out)
}

proptest! {
    #[test]
    fn a_trace_comes_back_to_the_byte(events in events(), image in any::<Vec<u8>>()) {
        let trace = trace_of(&events, &image)?;
        let mut text = Vec::new();
        let mut reader = TraceReader::new(trace.as_slice()).expect("a trace");
        prop_assert_eq!(convert::to_twin(&mut reader, &mut text).expect("a twin"), None);
        let back = convert::to_trace(text.as_slice(), Vec::new()).expect("a trace");
        prop_assert_eq!(back.damage, None);
        prop_assert_eq!(back.events, events.len() as u64);
        prop_assert!(back.out == trace, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn what_stands_before_a_damage_is_converted(
        events in events(), cut in any::<prop::sample::Index>(),
    ) {
        let trace = trace_of(&events, b"")?;
        let mut text = Vec::new();
        let mut reader = TraceReader::new(trace.as_slice()).expect("a trace");
        convert::to_twin(&mut reader, &mut text).expect("a twin");
        let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        let at = 1 + cut.index(lines.len());
        let mut damaged = lines[..at].concat();
        damaged.extend(b"{\"pid\":1,\"call\":\"nope\"}\n");
        damaged.extend(lines[at..].concat());
        let back = convert::to_trace(damaged.as_slice(), Vec::new()).expect("a trace");
        let (line, why) = back.damage.expect("the damage is told");
        prop_assert_eq!(line, at as u64 + 1);
        prop_assert!(why.to_string().contains("nope"), "{}", why);
        let head = text.split(|&byte| byte == b'\n').take(at);
        let before = head.filter(|line| line.starts_with(b"{\"seq\"")).count();
        prop_assert_eq!(back.events, before as u64);

        let cut_short = &trace[..trace.len() - 1 - cut.index(trace.len() - 1)];
        if let Ok(mut reader) = TraceReader::new(cut_short) {
            let mut part = Vec::new();
            if convert::to_twin(&mut reader, &mut part).is_ok() {
                prop_assert!(text.starts_with(&part));
            }
        }
    }

    #[test]
    fn events_come_back(events in events()) {
        let (mut waiting, mut reader) = (Waiting::default(), TwinReader::new(LIMIT_BYTES));
        for event in events {
            let line = show(&mut waiting, &event);
            let back = reader.line(line.as_bytes());
            prop_assert_eq!(back, Ok(Line::Event(event)), "{}", line);
        }
    }

    #[test]
    fn what_a_recording_says_comes_back(
        events in events(), said in prop::collection::vec(recorded(), 12),
    ) {
        let header = Header { imported: true, ..Header::default() };
        let (mut waiting, mut reader) = (Waiting::new(&header), TwinReader::new(LIMIT_BYTES));
        let line = text(twin::show_header(&header, b"")?);
        prop_assert_eq!(reader.line(line.as_bytes()), Ok(Line::Header(header, Some(Vec::new()))));
        for (event, said) in events.into_iter().zip(said) {
            let event = EventLine { expected: event.expected.map(|_| said.to_bytes()), ..event };
            let line = show(&mut waiting, &event);
            let back = reader.line(line.as_bytes());
            prop_assert_eq!(back, Ok(Line::Event(event)), "{}", line);
        }
    }

    #[test]
    fn the_rest_comes_back(
        image in any::<Vec<u8>>(), configuration in any::<Vec<u8>>(), numbers in any::<[u64; 4]>(),
        small in any::<(u8, u8, u32, bool, bool)>(),
    ) {
        let header = Header {
            format_version: 1 + u16::from(small.0) % 2,
            profile: small.0,
            wake_mode: small.1,
            kernel_version: small.2,
            imported: small.3,
            completions_whole: small.4,
            seed: numbers[0],
            first_sequence: numbers[1],
            digest_cadence: numbers[2],
            configuration,
        };
        let mut reader = TwinReader::new(LIMIT_BYTES);
        let line = text(twin::show_header(&header, &image)?);
        let read = Line::Header(header, Some(image.clone()));
        prop_assert_eq!(reader.line(line.as_bytes()), Ok(read));
        let line = text(twin::show_completions(numbers[0], numbers[1]));
        let read = Line::Completions(numbers[0], numbers[1]);
        prop_assert_eq!(reader.line(line.as_bytes()), Ok(read));
        let entries = vec![("tasks".to_owned(), numbers[2]), ("all".to_owned(), numbers[3])];
        let digests = Digests { next_sequence: numbers[0], entries };
        let line = text(twin::show_trace_digests(&digests));
        prop_assert_eq!(reader.line(line.as_bytes()), Ok(Line::Digests(digests)));
        let line = text(twin::show_snapshot(numbers[0], numbers[1], &image)?);
        prop_assert_eq!(
            reader.line(line.as_bytes()),
            Ok(Line::Snapshot(numbers[0], numbers[1], image))
        );
    }

    #[test]
    fn no_line_panics(line in ".{0,300}") {
        let _ = TwinReader::new(LIMIT_BYTES).line(line.as_bytes());
    }
}

#[test]
fn a_person_can_write_one() {
    let mut reader = TwinReader::new(LIMIT_BYTES);
    let header = reader.line(br#"{"twin":1}"#);
    let default = Header { completions_whole: true, ..Header::default() };
    assert_eq!(header, Ok(Line::Header(default, None)));
    let lines = [
        r#"{"pid":1,"call":"pipe","ok":0,"fds":[3,4]}"#,
        r#"{"pid":1,"call":"read","fd":3,"count":5,"blocked":1}"#,
        r#"{"event":"clock","ns":5}"#,
        concat!(
            r#"{"pid":2,"call":"write","fd":4,"data":"hi","#,
            r#""then":[{"done":1,"task":1,"ok":2,"data":"hi"}],"ok":2}"#
        ),
    ];
    let pipe = Answer::with(Payload::Fds([3, 4]));
    let outputs = [
        Some(vec![Output::Outcome(0, Outcome::Done(pipe))]),
        Some(vec![Output::Outcome(1, Outcome::Blocked(CallId(1)))]),
        None,
        Some(vec![
            Output::Completion(Completion {
                call: CallId(1),
                task: 1,
                result: Completed::Done(Answer::data(b"hi".to_vec())),
            }),
            Output::Outcome(3, Outcome::Done(Answer::value(2))),
        ]),
    ];
    for (tick, (line, outputs)) in lines.iter().zip(outputs).enumerate() {
        let Ok(Line::Event(event)) = reader.line(line.as_bytes()) else { panic!("{line}") };
        assert_eq!((event.sequence, event.tick), (tick as u64, tick as u64));
        assert_eq!(event.expected, outputs.map(|outputs| wire(&outputs)), "{line}");
    }
    assert!(parse_object(b"{}").is_ok());
}

/// A person changes what is written in a dumped trace: the rest follows, and what the lines still
/// tell of the old run is found.
#[test]
fn a_line_can_be_edited() {
    let mut kernel = Kernel::new(Config::default());
    let mut recording = Recording::begin(&kernel, Vec::new()).expect("begun");
    for call in
        [Call::Pipe {}, Call::Write { fd: 4, data: b"hello" }, Call::Read { fd: 3, count: 2 }]
    {
        recording.take(&mut kernel, Event::Call { task: 1, call }).expect("taken");
    }
    let trace = recording.finish(&mut kernel).expect("finished").out;
    let mut text = Vec::new();
    let mut reader = TraceReader::new(trace.as_slice()).expect("a trace");
    assert_eq!(convert::to_twin(&mut reader, &mut text).expect("a twin"), None);
    let text = String::from_utf8(text).expect("JSON");
    assert!(text.contains(r#""data":"hello""#), "{text}");
    // The sums are left out, as traces/README.md says: they are made anew.
    let sums = |line: &&str| !line.contains("\"completions\"") && !line.contains("\"digests\"");
    let edited: Vec<String> =
        text.lines().filter(sums).map(|line| line.replace("hello", "bye")).collect();
    let back = convert::to_trace(edited.join("\n").as_bytes(), Vec::new()).expect("a trace");
    assert_eq!((back.damage, back.events), (None, 3));
    let imported = Imported {
        file: "edited".to_owned(),
        format: Format::Trace,
        source: Source::Trace(back.out),
    };
    let replayed = replay(imported, &mut Options { force: true, ..Options::default() });
    let report = replayed.expect("replayed").report;
    assert_eq!((report.events, report.first_mismatch), (3, None));
    assert_ne!(report.digest, format!("{:016x}", kernel.digest_all()));
}

#[test]
fn an_image_has_a_limit() {
    let object = twin::show_header(&Header::default(), &vec![0; 2 << 20]).expect("compressed");
    let error = TwinReader::new(LIMIT_BYTES).line(text(object).as_bytes()).expect_err("too large");
    assert!(error.to_string().contains("image_zstd_b64"), "{error}");
}

#[test]
fn what_is_no_twin_is_told() {
    let error = |text: &str| match convert::to_trace(text.as_bytes(), Vec::new()) {
        Ok(_) => panic!("{text:?} was taken"),
        Err(error) => error,
    };
    assert!(matches!(error(""), ConvertError::Empty));
    assert!(matches!(error("\n \n"), ConvertError::Empty));
    assert!(matches!(error("\nx"), ConvertError::Line { line: 2, .. }));
    let version = error(r#"{"twin":2}"#).to_string();
    assert!(version.contains("line 1") && version.contains("version 1"), "{version}");
}
