//! What is waited with: epoll(7), timerfd_create(2), signalfd(2), beside what the programs of
//! tests/lockstep.rs can show: time that passes, ten thousand items, limits, snapshots. What the
//! calls answer is Linux's.

use serde_json::{Value, json};
use tickernel::drive::Drive;
use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{EpollEvent, Errno, Itimer, SigSet};
use tickernel_systems::event::{Answer, Call, CallId, Event, Outcome, Payload};
use tickernel_systems::{Config, Kernel, WakeMode};

const SECOND_NS: u64 = 1_000_000_000;
/// Nothing is ready.
const NONE: [u64; 0] = [];

fn value(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Done(Answer { value, .. }) => value as i32,
        other => panic!("{other:?}"),
    }
}

fn kernel() -> Kernel {
    Kernel::new(Config::default())
}

fn epoll(kernel: &mut Kernel) -> i32 {
    value(kernel.call(1, Call::EpollCreate1 { flags: 0 }))
}

fn counter(kernel: &mut Kernel) -> i32 {
    value(kernel.call(1, Call::Eventfd2 { initval: 0, flags: EFD_NONBLOCK }))
}

fn add(kernel: &mut Kernel, epfd: i32, fd: i32, events: u32) -> Outcome {
    let (op, data) = (EPOLL_CTL_ADD, fd as u64);
    kernel.call(1, Call::EpollCtl { epfd, op, fd, events: Some(events), data })
}

fn bump(kernel: &mut Kernel, fd: i32) {
    assert_eq!(value(kernel.call(1, Call::Write { fd, data: &1u64.to_le_bytes() })), 8);
}

fn ready(kernel: &mut Kernel, epfd: i32) -> Vec<u64> {
    let call = Call::EpollWait { epfd, maxevents: 100_000, timeout: 0 };
    let Outcome::Done(Answer { payload: Payload::Epoll(events), value }) = kernel.call(1, call)
    else {
        panic!("no events")
    };
    assert_eq!(value, events.len() as i64);
    events.into_iter().map(|event| event.data).collect()
}

/// Another kernel with the same state, which is whole.
fn copied(kernel: &mut Kernel) -> Kernel {
    kernel.audit().expect("balanced books");
    let mut copy = Kernel::restore(&kernel.snapshot()).expect("an own snapshot");
    assert_eq!(copy.digest_all(), kernel.digest_all());
    assert_eq!(copy.snapshot(), kernel.snapshot());
    copy
}

/// The lines that requests bring about.
fn drive(requests: &[Value]) -> Vec<Vec<Value>> {
    let mut drive = Drive::new(Default::default());
    let ask = |request: &Value| {
        let lines = drive.answer(request.to_string().as_bytes());
        lines.into_iter().map(Value::Object).collect()
    };
    requests.iter().map(ask).collect()
}

#[test]
fn one_ready_of_ten_thousand_is_told_alone_and_in_the_order_of_becoming_ready() {
    let mut kernel = kernel();
    let unlimited = Some(tickernel_systems::abi::Rlimit { cur: 20_000, max: 20_000 });
    let resource = RLIMIT_NOFILE;
    value(kernel.call(1, Call::Prlimit64 { target: 0, resource, new_limit: unlimited }));
    let before = kernel.memory_bytes();
    let epfd = epoll(&mut kernel);
    let counters: Vec<i32> = (0..10_000).map(|_| counter(&mut kernel)).collect();
    for fd in &counters {
        assert_eq!(value(add(&mut kernel, epfd, *fd, EPOLLIN | EPOLLET)), 0);
    }
    assert_eq!(ready(&mut kernel, epfd), NONE);
    for fd in [counters[9_000], counters[5], counters[700]] {
        bump(&mut kernel, fd);
    }
    let mut copy = copied(&mut kernel);
    let told = [counters[9_000], counters[5], counters[700]].map(|fd| fd as u64);
    assert_eq!(ready(&mut kernel, epfd), told);
    assert_eq!(ready(&mut copy, epfd), told);
    assert_eq!(ready(&mut kernel, epfd), NONE);
    value(kernel.call(1, Call::CloseRange { first: 3, last: u32::MAX, flags: 0 }));
    kernel.audit().expect("balanced books");
    // The table of descriptors stays as long as it was.
    assert_eq!(kernel.memory_bytes() - before, 16 * (10_004 - 3));
}

#[test]
fn what_stays_ready_goes_to_the_end_of_the_list() {
    let mut kernel = kernel();
    let epfd = epoll(&mut kernel);
    let fds: Vec<i32> = (0..3).map(|_| counter(&mut kernel)).collect();
    for fd in &fds {
        add(&mut kernel, epfd, *fd, EPOLLIN);
        bump(&mut kernel, *fd);
    }
    let two = |kernel: &mut Kernel| {
        let call = Call::EpollWait { epfd, maxevents: 2, timeout: 0 };
        match kernel.call(1, call) {
            Outcome::Done(Answer { payload: Payload::Epoll(events), .. }) => {
                events.iter().map(|event| event.data as i32).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(two(&mut kernel), [fds[0], fds[1]]);
    assert_eq!(two(&mut kernel), [fds[2], fds[0]]);
    assert_eq!(two(&mut kernel), [fds[1], fds[2]]);
}

#[test]
fn an_item_lives_as_long_as_its_description() {
    let mut kernel = kernel();
    let epfd = epoll(&mut kernel);
    let fd = counter(&mut kernel);
    let copy = value(kernel.call(1, Call::Dup { oldfd: fd }));
    add(&mut kernel, epfd, fd, EPOLLOUT);
    value(kernel.call(1, Call::Close { fd }));
    assert_eq!(ready(&mut kernel, epfd), [fd as u64]);
    // By its old number it is found no more.
    let call = Call::EpollCtl { epfd, op: EPOLL_CTL_DEL, fd, events: None, data: 0 };
    assert_eq!(kernel.call(1, call), Outcome::Failed(Errno::EBADF));
    value(kernel.call(1, Call::Close { fd: copy }));
    assert_eq!(ready(&mut kernel, epfd), NONE);
    kernel.audit().expect("balanced books");
}

/// Of two instances that watch exclusively the older takes an event; one that watches otherwise
/// hears of all.
#[test]
fn an_exclusive_item_takes_an_event_alone() {
    let lines = drive(&[
        json!({"pid": 1, "call": "eventfd2", "initval": 0}),
        json!({"pid": 1, "call": "epoll_create1", "flags": 0}),
        json!({"pid": 1, "call": "epoll_create1", "flags": 0}),
        json!({"pid": 1, "call": "epoll_ctl", "epfd": 4, "op": "EPOLL_CTL_ADD", "fd": 3,
            "events": "EPOLLIN|EPOLLEXCLUSIVE"}),
        json!({"pid": 1, "call": "epoll_ctl", "epfd": 5, "op": "EPOLL_CTL_ADD", "fd": 3,
            "events": "EPOLLIN|EPOLLEXCLUSIVE"}),
        json!({"pid": 1, "call": "fork"}),
        json!({"pid": 1, "call": "fork"}),
        json!({"pid": 2, "call": "epoll_wait", "epfd": 4, "maxevents": 1, "timeout": -1}),
        json!({"pid": 3, "call": "epoll_wait", "epfd": 5, "maxevents": 1, "timeout": -1}),
        json!({"pid": 1, "call": "write", "fd": 3, "data_b64": "AQAAAAAAAAA="}),
        json!({"pid": 1, "call": "write", "fd": 3, "data_b64": "AQAAAAAAAAA="}),
    ]);
    let told = json!([{"events": "EPOLLIN", "data": 3}]);
    let (first, second) = (&lines[9], &lines[10]);
    assert_eq!((first.len(), &first[0]["done"]), (2, &lines[7][0]["blocked"]), "{first:?}");
    assert_eq!(first[0]["events"], told);
    // Who took the first is not there any more.
    assert_eq!((second.len(), &second[0]["done"]), (2, &lines[8][0]["blocked"]), "{second:?}");
}

/// Who waits youngest is woken first, and alone where the event is told by its edge.
#[test]
fn one_call_is_woken_for_one_edge_the_youngest_first() {
    let mut requests = vec![
        json!({"pid": 1, "call": "eventfd2", "initval": 0}),
        json!({"pid": 1, "call": "epoll_create1", "flags": 0}),
        json!({"pid": 1, "call": "epoll_ctl", "epfd": 4, "op": "EPOLL_CTL_ADD", "fd": 3,
            "events": "EPOLLIN|EPOLLET"}),
    ];
    for pid in 2..=4 {
        requests.push(json!({"pid": 1, "call": "fork"}));
        let wait = json!({"pid": pid, "call": "epoll_wait", "epfd": 4, "maxevents": 1,
            "timeout": -1});
        requests.push(wait);
    }
    let write = json!({"pid": 1, "call": "write", "fd": 3, "data_b64": "AQAAAAAAAAA="});
    requests.extend([write.clone(), write.clone(), write]);
    let lines = drive(&requests);
    for (at, waiter) in [(9, 8), (10, 6), (11, 4)] {
        assert_eq!(lines[at].len(), 2, "{:?}", lines[at]);
        assert_eq!(lines[at][0]["done"], lines[waiter][0]["blocked"]);
    }
}

fn timer(kernel: &mut Kernel, value_ns: u64, interval_ns: u64) -> i32 {
    let flags = TFD_NONBLOCK;
    let fd = value(kernel.call(1, Call::TimerfdCreate { clockid: CLOCK_MONOTONIC, flags }));
    let new_value = Some(Itimer { value_ns, interval_ns });
    value(kernel.call(1, Call::TimerfdSettime { fd, flags: 0, new_value }));
    fd
}

fn pass(kernel: &mut Kernel, delta_ns: u64) {
    kernel.take(Event::Clock { delta_ns });
}

fn count(kernel: &mut Kernel, fd: i32) -> Option<u64> {
    match kernel.call(1, Call::Read { fd, count: 8 }) {
        Outcome::Done(Answer { payload: Payload::Data(data), .. }) => {
            Some(u64::from_le_bytes(data.0.try_into().expect("eight bytes")))
        }
        Outcome::Failed(Errno::EAGAIN) => None,
        other => panic!("{other:?}"),
    }
}

fn left(kernel: &mut Kernel, fd: i32) -> (u64, u64) {
    match kernel.call(1, Call::TimerfdGettime { fd }) {
        Outcome::Done(Answer { payload: Payload::Timer(timer), .. }) => {
            (timer.value_ns, timer.interval_ns)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_timer_counts_how_often_it_went_off() {
    let mut kernel = kernel();
    let once = timer(&mut kernel, SECOND_NS, 0);
    let often = timer(&mut kernel, SECOND_NS, 10);
    assert_eq!((count(&mut kernel, once), count(&mut kernel, often)), (None, None));
    pass(&mut kernel, SECOND_NS - 1);
    assert_eq!((count(&mut kernel, often), left(&mut kernel, often)), (None, (1, 10)));
    pass(&mut kernel, 1);
    assert_eq!((count(&mut kernel, once), count(&mut kernel, once)), (Some(1), None));
    assert_eq!((count(&mut kernel, often), left(&mut kernel, often)), (Some(1), (10, 10)));
    // A hundred million at once, without a step for each.
    pass(&mut kernel, SECOND_NS + 5);
    let mut copy = copied(&mut kernel);
    assert_eq!(left(&mut kernel, often), (5, 10));
    assert_eq!(count(&mut kernel, often), Some(100_000_000));
    assert_eq!(count(&mut copy, often), Some(100_000_000));
    assert_eq!(left(&mut kernel, once), (0, 0));
    value(kernel.call(1, Call::CloseRange { first: 3, last: u32::MAX, flags: 0 }));
    assert_eq!(kernel.next_deadline(), None);
    kernel.audit().expect("balanced books");
}

/// A timer that is not looked at goes off once: one edge, until it is read.
#[test]
fn a_period_is_one_edge_until_it_is_read() {
    let mut kernel = kernel();
    let epfd = epoll(&mut kernel);
    let fd = timer(&mut kernel, SECOND_NS, SECOND_NS);
    add(&mut kernel, epfd, fd, EPOLLIN | EPOLLET);
    pass(&mut kernel, SECOND_NS);
    assert_eq!(ready(&mut kernel, epfd), [fd as u64]);
    pass(&mut kernel, 3 * SECOND_NS);
    assert_eq!(ready(&mut kernel, epfd), NONE);
    assert_eq!(count(&mut kernel, fd), Some(4));
    pass(&mut kernel, SECOND_NS);
    assert_eq!(ready(&mut kernel, epfd), [fd as u64]);
}

#[test]
fn calls_that_wait_for_a_timer_end_with_it() {
    let lines = drive(&[
        json!({"pid": 1, "call": "timerfd_create", "clockid": "CLOCK_REALTIME", "flags": 0}),
        json!({"pid": 1, "call": "timerfd_settime", "fd": 3, "flags": "TFD_TIMER_ABSTIME",
            "new_value": {"interval": {"sec": 0, "nsec": 0},
                "value": {"sec": 1_000_000_002, "nsec": 0}}}),
        json!({"pid": 1, "call": "epoll_create1", "flags": 0}),
        json!({"pid": 1, "call": "epoll_ctl", "epfd": 4, "op": "EPOLL_CTL_ADD", "fd": 3,
            "events": "EPOLLIN"}),
        json!({"pid": 1, "call": "fork"}),
        json!({"pid": 1, "call": "fork"}),
        json!({"pid": 2, "call": "epoll_wait", "epfd": 4, "maxevents": 1, "timeout": 1999}),
        json!({"pid": 3, "call": "epoll_wait", "epfd": 4, "maxevents": 1, "timeout": -1}),
        json!({"pid": 1, "call": "read", "fd": 3, "count": 8}),
        json!({"op": "advance", "ns": 1_999_000_000}),
        json!({"op": "advance", "ns": 1_000_000}),
    ]);
    assert_eq!(lines[9][0], json!({"done": lines[6][0]["blocked"], "ok": 0, "events": []}));
    // The call of the instance, and the read: both stood in the timer's queue.
    let done: Vec<&Value> = lines[10].iter().filter(|line| line.get("done").is_some()).collect();
    assert_eq!(done.len(), 2, "{:?}", lines[10]);
    let data = "\u{1}\0\0\0\0\0\0\0";
    assert!(done.contains(&&json!({"done": lines[8][0]["blocked"], "ok": 8, "data": data})));
}

/// signalfd(2): what is pending belongs to who reads, and an item hears of the signals of who added
/// it, whoever waits.
#[test]
fn signals_are_those_of_who_reads() {
    let mut kernel = kernel();
    let usr1 = SigSet(1 << 9);
    let block = Call::RtSigprocmask { how: SIG_BLOCK, set: Some(usr1) };
    value(kernel.call(1, block));
    let call = Call::Signalfd4 { fd: -1, mask: Some(usr1), flags: SFD_NONBLOCK };
    let fd = value(kernel.call(1, call));
    let epfd = epoll(&mut kernel);
    add(&mut kernel, epfd, fd, EPOLLIN);
    let child = value(kernel.call(1, Call::Fork {})) as u32;
    let wait = Call::EpollWait { epfd, maxevents: 1, timeout: 0 };
    value(kernel.call(1, Call::Kill { target: child as i32, sig: 10 }));
    assert_eq!(value(kernel.call(1, wait.clone())), 0);
    // It is pending there, and the instance was not told.
    assert_eq!(value(kernel.call(child, wait.clone())), 0);
    assert_eq!(value(kernel.call(child, Call::Read { fd, count: 1000 })), 128);
    value(kernel.call(1, Call::Kill { target: 1, sig: 10 }));
    let mut copy = copied(&mut kernel);
    for kernel in [&mut kernel, &mut copy] {
        // The child finds nothing, and what it looked at has left the list.
        assert_eq!(value(kernel.call(child, wait.clone())), 0);
        assert_eq!(value(kernel.call(1, wait.clone())), 0);
        assert_eq!(value(kernel.call(1, Call::Read { fd, count: 1000 })), 128);
        value(kernel.call(1, Call::Kill { target: 1, sig: 10 }));
        assert_eq!(value(kernel.call(1, wait.clone())), 1);
    }
}

#[test]
fn instances_do_not_watch_each_other_in_circles_or_too_deep() {
    let mut kernel = kernel();
    let chain: Vec<i32> = (0..7).map(|_| epoll(&mut kernel)).collect();
    for pair in chain[..5].windows(2) {
        assert_eq!(value(add(&mut kernel, pair[1], pair[0], EPOLLIN)), 0);
    }
    let deep = add(&mut kernel, chain[5], chain[4], EPOLLIN);
    assert_eq!(deep, Outcome::Failed(Errno::ELOOP));
    let deep = add(&mut kernel, chain[0], chain[6], EPOLLIN);
    assert_eq!(deep, Outcome::Failed(Errno::ELOOP));
    let circle = add(&mut kernel, chain[0], chain[4], EPOLLIN);
    assert_eq!(circle, Outcome::Failed(Errno::ELOOP));
    assert_eq!(add(&mut kernel, chain[0], chain[0], EPOLLIN), Outcome::Failed(Errno::EINVAL));
    let fd = counter(&mut kernel);
    assert_eq!(value(add(&mut kernel, chain[0], fd, EPOLLIN)), 0);
    bump(&mut kernel, fd);
    // The event comes up through all of them.
    let mut copy = copied(&mut kernel);
    assert_eq!(ready(&mut kernel, chain[4]), [chain[3] as u64]);
    assert_eq!(ready(&mut copy, chain[4]), [chain[3] as u64]);
    value(kernel.call(1, Call::Read { fd, count: 8 }));
    assert_eq!(ready(&mut kernel, chain[4]), NONE);
}

/// Layers of instances that all watch each other have more ways than can be walked: each is
/// visited once, and what would be told along more than Linux allows is refused.
#[test]
fn many_ways_to_one_descriptor_are_refused() {
    let mut kernel = kernel();
    let layers: Vec<Vec<i32>> =
        (0..4).map(|_| (0..30).map(|_| epoll(&mut kernel)).collect()).collect();
    for pair in layers.windows(2) {
        for above in &pair[1] {
            for below in &pair[0] {
                assert_eq!(value(add(&mut kernel, *above, *below, EPOLLIN)), 0);
            }
        }
    }
    let fd = counter(&mut kernel);
    let refused = add(&mut kernel, layers[0][0], fd, EPOLLIN);
    assert_eq!(refused, Outcome::Failed(Errno::EINVAL));
    assert_eq!(value(add(&mut kernel, layers[3][0], fd, EPOLLIN)), 0);
    copied(&mut kernel);
    value(kernel.call(1, Call::CloseRange { first: 3, last: u32::MAX, flags: 0 }));
    kernel.audit().expect("balanced books");
}

#[test]
fn memory_for_items_ends() {
    let config = Config { max_memory_bytes: 1 << 20, ..Config::default() };
    let mut kernel = Kernel::new(config);
    let fd = counter(&mut kernel);
    let instances: Vec<i32> = (0..200).map(|_| epoll(&mut kernel)).collect();
    let copies: Vec<i32> =
        (0..50).map(|_| value(kernel.call(1, Call::Dup { oldfd: fd }))).collect();
    let mut refused = 0;
    for (epfd, fd) in instances.iter().flat_map(|epfd| copies.iter().map(move |fd| (epfd, fd))) {
        match add(&mut kernel, *epfd, *fd, EPOLLIN) {
            Outcome::Done(_) => assert_eq!(refused, 0, "there is no more memory"),
            Outcome::Failed(Errno::ENOMEM) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0);
    assert!(kernel.memory_bytes() <= 1 << 20);
    kernel.audit().expect("balanced books");
    value(kernel.call(1, Call::CloseRange { first: 3, last: u32::MAX, flags: 0 }));
    kernel.audit().expect("balanced books");
}

/// On demand: items hear of their objects at once, and a call goes on when it is told to.
#[test]
fn a_replay_wakes_nobody_by_itself() {
    let mut kernel = Kernel::new(Config { wake: WakeMode::OnDemand, ..Config::default() });
    let epfd = epoll(&mut kernel);
    let fd = counter(&mut kernel);
    add(&mut kernel, epfd, fd, EPOLLIN | EPOLLET);
    let child = value(kernel.call(1, Call::Fork {})) as u32;
    let wait = Call::EpollWait { epfd, maxevents: 1, timeout: 5 };
    let Outcome::Blocked(CallId(call)) = kernel.call(child, wait) else { panic!("no wait") };
    let resume = Event::Resume { call: CallId(call), max_bytes: u64::MAX };
    assert_eq!(kernel.take(resume.clone()), Outcome::Blocked(CallId(call)));
    bump(&mut kernel, fd);
    let mut copy = copied(&mut kernel);
    let events = vec![EpollEvent { events: EPOLLIN, data: fd as u64 }];
    let told = Outcome::Done(Answer { value: 1, payload: Payload::Epoll(events) });
    assert_eq!(kernel.take(resume.clone()), told);
    // It gives up only when it is told to, too.
    pass(&mut copy, SECOND_NS);
    assert_eq!(copy.take(resume), told);
}
