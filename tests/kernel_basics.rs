//! The core by itself: the simplest sessions, call by call.

use tickernel_systems::abi::flags::{O_CREAT, O_RDWR};
use tickernel_systems::abi::{Errno, Itimer, Signal, WaitStatus};
use tickernel_systems::event::{Answer, Call, Completed, Event, Outcome, Output, Payload};
use tickernel_systems::{Config, Kernel};

fn value(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Done(answer) => answer.value,
        other => panic!("not done: {other:?}"),
    }
}

fn outputs(kernel: &mut Kernel) -> Vec<Output> {
    std::iter::from_fn(|| kernel.poll_output()).collect()
}

#[test]
fn a_pipe_carries_bytes_and_blocks() {
    let mut kernel = Kernel::new(Config::default());
    let fds = kernel.call(1, Call::Pipe {});
    assert_eq!(fds, Outcome::Done(Answer::with(Payload::Fds([3, 4]))));
    let child = value(kernel.call(1, Call::Fork {})) as u32;
    assert_eq!(child, 2);
    let blocked = kernel.call(1, Call::Read { fd: 3, count: 10 });
    assert!(matches!(blocked, Outcome::Blocked(_)), "{blocked:?}");
    assert_eq!(value(kernel.call(2, Call::Write { fd: 4, data: b"hello" })), 5);
    let out = outputs(&mut kernel);
    let Some(Output::Completion(done)) = out.first() else { panic!("{out:?}") };
    assert_eq!(done.result, Completed::Done(Answer::data(b"hello".to_vec())));
    kernel.audit().unwrap();
    value(kernel.call(2, Call::ExitGroup { status: 3 }));
    let status = kernel.call(1, Call::Wait4 { wpid: -1, options: 0 });
    let wanted = Answer { value: 2, payload: Payload::Status(WaitStatus::Exited(3)) };
    assert_eq!(status, Outcome::Done(wanted));
    kernel.audit().unwrap();
    kernel.digests();
}

#[test]
fn a_file_keeps_what_is_written_and_a_snapshot_restores_it() {
    let mut kernel = Kernel::new(Config::default());
    let path = Some(b"/tmp/f".as_slice());
    let open = Call::Open { path, flags: 0o102, mode: 0o644 };
    assert_eq!(value(kernel.call(1, open.clone())), 3);
    assert_eq!(value(kernel.call(1, Call::Write { fd: 3, data: b"abc" })), 3);
    assert_eq!(value(kernel.call(1, Call::Lseek { fd: 3, offset: 0, whence: 0 })), 0);
    let digest = kernel.digest_all();
    let mut other = Kernel::restore(&kernel.snapshot()).unwrap();
    assert_eq!(other.digest_all(), digest);
    let read = other.call(1, Call::Read { fd: 3, count: 10 });
    assert_eq!(read, Outcome::Done(Answer::data(b"abc".to_vec())));
    assert_ne!(other.digest_all(), digest);
    assert_eq!(
        kernel.take(Event::Call { task: 9, call: open }),
        Outcome::Refused(tickernel_systems::event::Refusal::Gone)
    );
    assert_eq!(kernel.call(1, Call::Close { fd: 9 }), Outcome::Failed(Errno::EBADF));
}

/// Absurd counts over a hole of 2^40 bytes: a part is given, not the memory for all of it taken. A
/// copy goes as far as there is room, as Linux's does, but its zeros take no bytes.
#[test]
fn an_absurd_count_over_a_hole_gives_a_part() {
    let part = 1..=256 << 20;
    let mut kernel = Kernel::new(Config::default());
    for path in [&b"/tmp/hole"[..], b"/tmp/copy"] {
        value(
            kernel.call(1, Call::Open { path: Some(path), flags: O_RDWR | O_CREAT, mode: 0o600 }),
        );
    }
    assert_eq!(value(kernel.call(1, Call::Ftruncate { fd: 3, length: 1 << 40 })), 0);
    assert!(part.contains(&value(kernel.call(1, Call::Read { fd: 3, count: 1 << 40 }))));
    let copy = Call::CopyFileRange {
        fd_in: 3,
        off_in: None,
        fd_out: 4,
        off_out: None,
        len: 1 << 40,
        flags: 0,
    };
    let copied = value(kernel.call(1, copy));
    assert!((1..=0x7fff_f000).contains(&copied));
    let encoded = kernel.snapshot().len() as i64;
    assert!(encoded < copied / 100, "{encoded} bytes for {copied} zeros");
}

#[test]
fn a_periodic_timer_ends_with_the_clock() {
    let mut kernel = Kernel::new(Config::default());
    let timer = Itimer { value_ns: 5000, interval_ns: 1000 };
    let arm = Call::Setitimer { which: 0, new_value: Some(timer) };
    assert!(matches!(kernel.call(1, arm), Outcome::Done(_)));
    // Both return: a period that never passes now would ring for ever.
    kernel.take(Event::Clock { delta_ns: u64::MAX });
    kernel.take(Event::Clock { delta_ns: 1_000_000_000 });
    assert_eq!(kernel.next_deadline(), None);
}

/// setitimer(2): those of CPU time keep what was set over fork's and execve's rules, and the image.
#[test]
fn a_timer_of_cpu_time_is_given_back_and_never_due() {
    let mut kernel = Kernel::new(Config::default());
    let set = Itimer { value_ns: 5_000_000_000, interval_ns: 1_000_000_000 };
    let once = Itimer { value_ns: 0, interval_ns: 3_000_000_000 };
    let timer = |outcome| match outcome {
        Outcome::Done(Answer { payload: Payload::Timer(timer), .. }) => timer,
        other => panic!("{other:?}"),
    };
    for which in [1, 2] {
        let arm = |value| Call::Setitimer { which, new_value: Some(value) };
        assert_eq!(timer(kernel.call(1, arm(set))), Itimer::default());
        assert_eq!(timer(kernel.call(1, arm(once))), set);
    }
    let prof = Call::Setitimer { which: 2, new_value: Some(set) };
    assert_eq!(timer(kernel.call(1, prof)), once);
    assert_eq!(kernel.next_deadline(), None);
    let mut again = Kernel::restore(&kernel.snapshot()).expect("its own image");
    assert_eq!(again.digest_all(), kernel.digest_all());
    assert_eq!(timer(again.call(1, Call::Getitimer { which: 1 })), once);
    assert_eq!(timer(again.call(1, Call::Getitimer { which: 2 })), set);
    let fork = Call::Clone { flags: 17, set_tid: 0 };
    assert!(matches!(again.call(1, fork), Outcome::Done(_)));
    assert_eq!(timer(again.call(2, Call::Getitimer { which: 2 })), Itimer::default());
    // A real one that is disarmed has no period either.
    let disarm = Call::Setitimer { which: 0, new_value: Some(once) };
    assert_eq!(timer(again.call(1, disarm)), Itimer::default());
    assert_eq!(timer(again.call(1, Call::Getitimer { which: 0 })), Itimer::default());
}

/// A write that a stop cut short ends with SIGCONT; a signal that came meanwhile ends the process
/// then, and the group that it leaves behind goes on all the same.
#[test]
fn a_process_that_goes_on_to_its_end_is_over_once() {
    let mut kernel = Kernel::new(Config::default());
    value(kernel.call(1, Call::Pipe {}));
    let child = value(kernel.call(1, Call::Fork {})) as u32;
    let data = vec![b'x'; 100_000];
    let blocked = kernel.call(child, Call::Write { fd: 4, data: &data });
    assert!(matches!(blocked, Outcome::Blocked(_)), "{blocked:?}");
    for signal in [Signal::SIGSTOP, Signal::SIGTERM, Signal::SIGCONT] {
        let sig = i32::from(signal.number());
        value(kernel.call(1, Call::Kill { target: child as i32, sig }));
        kernel.audit().unwrap();
    }
    let status = kernel.call(1, Call::Wait4 { wpid: -1, options: 0 });
    let payload = Payload::Status(WaitStatus::Signaled(Signal::SIGTERM, false));
    assert_eq!(status, Outcome::Done(Answer { value: child.into(), payload }));
    let ends = outputs(&mut kernel)
        .into_iter()
        .filter(|output| matches!(output, Output::Completion(done) if done.task == child));
    assert_eq!(ends.count(), 1);
    kernel.audit().unwrap();
}

/// A tree whose paths would have 1.3 GB together, each directory one name deeper than the last.
#[test]
fn a_tree_that_is_too_deep_to_tell_is_told_in_parts() {
    let mut kernel = Kernel::new(Config::default());
    let name = [b'n'; 255];
    for _ in 0..3200 {
        value(kernel.call(1, Call::Mkdir { path: Some(&name), mode: 0o755 }));
        value(kernel.call(1, Call::Chdir { path: Some(&name) }));
    }
    assert_eq!(kernel.tree(b"/"), Err(Errno::ENOMEM));
    assert!(kernel.tree(b"/dev").is_ok_and(|rows| !rows.is_empty()));
}
