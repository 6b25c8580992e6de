//! Section 2, "Signals": default actions, masks, groups, sessions, orphans.

use crate::support::{DRIVER, Vm, code, process, process_of, refused, vm};
use std::time::Duration;
use tickernel::kernel::VirtualProcessOptions;
use tickernel::process_table::{ProcessStatus, SigmaskHow, SignalSet};

/// What a signal's default action is, signal(7): what is neither ends the process.
const IGNORED: [i32; 4] = [17, 18, 23, 28];
const STOPPING: [i32; 4] = [19, 20, 21, 22];

fn set(signals: &[i32]) -> SignalSet {
    SignalSet::from_signals(signals.iter().copied()).unwrap()
}

fn block(vm: &mut Vm, pid: u32, signals: &[i32]) -> SignalSet {
    vm.sigprocmask(DRIVER, pid, SigmaskHow::Block, set(signals)).unwrap()
}

#[test]
fn every_signal_has_its_default_action() {
    for signal in 1..=64 {
        let mut vm = vm();
        let handle = process(&mut vm, None);
        vm.kill_process(DRIVER, 1, signal).unwrap();
        let info = &vm.list_processes()[&1];
        let (status, exit) = if IGNORED.contains(&signal) {
            (ProcessStatus::Running, None)
        } else if STOPPING.contains(&signal) {
            (ProcessStatus::Stopped, None)
        } else {
            (ProcessStatus::Exited, Some(128 + signal))
        };
        assert_eq!((info.status, info.exit_code), (status, exit), "signal {signal}");
        assert_eq!(handle.wait(Duration::ZERO), exit, "signal {signal}");
        assert_eq!(handle.kill_signals(), [signal]);
    }
}

#[test]
fn a_handles_signal_has_it_too_but_does_not_stop() {
    for signal in 1..=64 {
        let mut vm = vm();
        let handle = process(&mut vm, None);
        handle.kill(signal);
        let survives = IGNORED.contains(&signal) || STOPPING.contains(&signal);
        let exit = (!survives).then_some(128 + signal);
        assert_eq!(handle.wait(Duration::ZERO), exit, "signal {signal}");
        let status = if survives { ProcessStatus::Running } else { ProcessStatus::Exited };
        assert_eq!(vm.list_processes()[&1].status, status, "signal {signal}");
    }
}

#[test]
fn numbers_that_are_no_signals_are_refused() {
    let mut vm = vm();
    process(&mut vm, None);
    vm.kill_process(DRIVER, 1, 0).unwrap();
    for signal in [-1, 65, i32::MIN, i32::MAX] {
        refused(&mut vm, "EINVAL", |vm| vm.kill_process(DRIVER, 1, signal));
        refused(&mut vm, "EINVAL", |vm| vm.signal_process(DRIVER, -1, signal));
        assert_eq!(SignalSet::from_signal(signal).unwrap_err().code(), "EINVAL");
    }
    refused(&mut vm, "EINVAL", |vm| vm.kill_process(DRIVER, i32::MAX as u32 + 1, 0));
    refused(&mut vm, "EINVAL", |vm| vm.kill_process(DRIVER, u32::MAX, 15));
    refused(&mut vm, "ESRCH", |vm| vm.kill_process(DRIVER, 2, 0));
    refused(&mut vm, "ESRCH", |vm| vm.kill_process(DRIVER, 0, 0));
    refused(&mut vm, "ESRCH", |vm| vm.signal_process(DRIVER, i32::MAX, 0));
    refused(&mut vm, "EPERM", |vm| vm.kill_process("e", 1, 0));
}

#[test]
fn a_stop_and_a_continuation_tell_the_parent() {
    let mut vm = vm();
    let parent = process(&mut vm, None);
    let child = process(&mut vm, Some(1));
    vm.kill_process(DRIVER, 2, 20).unwrap();
    assert_eq!(vm.list_processes()[&2].status, ProcessStatus::Stopped);
    assert_eq!(parent.kill_signals(), [17]);
    vm.kill_process(DRIVER, 2, 18).unwrap();
    assert_eq!(vm.list_processes()[&2].status, ProcessStatus::Running);
    assert_eq!(parent.kill_signals(), [17, 17]);
    assert_eq!(child.kill_signals(), [20, 18]);
    vm.kill_process(DRIVER, 2, 18).unwrap();
    assert_eq!(parent.kill_signals(), [17, 17], "it ran already");
}

#[test]
fn signals_to_a_stopped_process_stay_pending() {
    let mut vm = vm();
    let handle = process(&mut vm, None);
    vm.kill_process(DRIVER, 1, 19).unwrap();
    vm.kill_process(DRIVER, 1, 15).unwrap();
    assert_eq!(handle.wait(Duration::ZERO), None);
    vm.kill_process(DRIVER, 1, 18).unwrap();
    assert_eq!(handle.wait(Duration::ZERO), Some(143));
    let mut vm = crate::support::vm();
    let handle = process(&mut vm, None);
    vm.kill_process(DRIVER, 1, 19).unwrap();
    vm.kill_process(DRIVER, 1, 9).unwrap();
    assert_eq!(handle.wait(Duration::ZERO), Some(137), "save SIGKILL");
}

#[test]
fn stops_and_continuations_that_are_pending_cancel_each_other() {
    let mut vm = vm();
    let handle = process(&mut vm, None);
    block(&mut vm, 1, &[20, 21]);
    vm.kill_process(DRIVER, 1, 20).unwrap();
    vm.kill_process(DRIVER, 1, 21).unwrap();
    assert_eq!(vm.sigpending(DRIVER, 1).unwrap(), set(&[20, 21]));
    vm.kill_process(DRIVER, 1, 18).unwrap();
    assert_eq!(vm.sigpending(DRIVER, 1).unwrap(), SignalSet::empty());
    vm.sigprocmask(DRIVER, 1, SigmaskHow::SetMask, SignalSet::empty()).unwrap();
    assert_eq!(vm.list_processes()[&1].status, ProcessStatus::Running);
    assert_eq!(handle.kill_signals(), [18]);
}

#[test]
fn a_mask_is_changed_three_ways_and_gives_the_old_one() {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(block(&mut vm, 1, &[10, 12]), SignalSet::empty());
    assert_eq!(block(&mut vm, 1, &[64]), set(&[10, 12]));
    let old = vm.sigprocmask(DRIVER, 1, SigmaskHow::Unblock, set(&[12, 1])).unwrap();
    assert_eq!(old, set(&[10, 12, 64]));
    let old = vm.sigprocmask(DRIVER, 1, SigmaskHow::SetMask, set(&[3])).unwrap();
    assert_eq!(old, set(&[10, 64]));
    assert_eq!(block(&mut vm, 1, &[]), set(&[3]));
}

#[test]
fn blocked_signals_are_pending_once_and_come_in_order() {
    let mut vm = vm();
    let handle = process(&mut vm, None);
    block(&mut vm, 1, &[17, 23, 28, 12]);
    for signal in [28, 23, 28, 17, 23] {
        vm.kill_process(DRIVER, 1, signal).unwrap();
    }
    assert_eq!(vm.sigpending(DRIVER, 1).unwrap(), set(&[17, 23, 28]));
    assert!(handle.kill_signals().is_empty());
    vm.kill_process(DRIVER, 1, 12).unwrap();
    assert_eq!(handle.wait(Duration::ZERO), None);
    vm.sigprocmask(DRIVER, 1, SigmaskHow::Unblock, set(&[17, 23, 28])).unwrap();
    assert_eq!(handle.kill_signals(), [17, 23, 28]);
    assert_eq!(vm.sigpending(DRIVER, 1).unwrap(), set(&[12]));
    vm.sigprocmask(DRIVER, 1, SigmaskHow::SetMask, SignalSet::empty()).unwrap();
    assert_eq!(handle.wait(Duration::ZERO), Some(140));
}

#[test]
fn sigchld_obeys_the_mask() {
    let mut vm = vm();
    let parent = process(&mut vm, None);
    block(&mut vm, 1, &[17]);
    process(&mut vm, Some(1));
    vm.exit_process(DRIVER, 2, 0).unwrap();
    assert!(parent.kill_signals().is_empty());
    assert_eq!(vm.sigpending(DRIVER, 1).unwrap(), set(&[17]));
}

#[test]
fn sigkill_and_sigstop_cannot_be_blocked() {
    let mut vm = vm();
    let handle = process(&mut vm, None);
    block(&mut vm, 1, &[9, 19]);
    vm.kill_process(DRIVER, 1, 19).unwrap();
    assert_eq!(vm.list_processes()[&1].status, ProcessStatus::Stopped);
    vm.kill_process(DRIVER, 1, 9).unwrap();
    assert_eq!(handle.wait(Duration::ZERO), Some(137));
}

#[test]
fn a_group_is_signalled_by_the_driver_of_all_who_live_there() {
    let mut vm = vm();
    let handles = [process(&mut vm, None), process(&mut vm, Some(1)), process(&mut vm, Some(1))];
    vm.exit_process(DRIVER, 3, 0).unwrap();
    vm.signal_process(DRIVER, -1, 28).unwrap();
    assert_eq!(handles[0].kill_signals(), [17, 28]);
    assert_eq!(handles[1].kill_signals(), [28]);
    refused(&mut vm, "ESRCH", |vm| vm.signal_process(DRIVER, -2, 15));
    refused(&mut vm, "ESRCH", |vm| vm.signal_process(DRIVER, i32::MIN, 15));
    refused(&mut vm, "ESRCH", |vm| vm.signal_process(DRIVER, 0, 15));
    refused(&mut vm, "EPERM", |vm| vm.signal_process("e", -1, 15));
    // A mere requester is not enough.
    let options = VirtualProcessOptions { parent_pid: Some(1), ..Default::default() };
    vm.create_virtual_process(DRIVER, "e", "job", Vec::new(), options).unwrap();
    refused(&mut vm, "EPERM", |vm| vm.signal_process(DRIVER, -1, 15));
    vm.exit_process("e", 4, 0).unwrap();
    vm.signal_process(DRIVER, -1, 15).unwrap();
    assert_eq!(vm.resource_snapshot().running_processes, 0);
    // A group of zombies is a group.
    vm.signal_process(DRIVER, -1, 15).unwrap();
}

#[test]
fn a_process_joins_a_group_of_its_session() {
    let mut vm = vm();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    process(&mut vm, Some(1));
    process(&mut vm, None);
    vm.setpgid(DRIVER, 2, 0).unwrap();
    assert_eq!(vm.getpgid(DRIVER, 2).unwrap(), 2);
    vm.setpgid(DRIVER, 3, 2).unwrap();
    vm.setpgid(DRIVER, 3, 2).unwrap();
    assert_eq!(vm.list_processes()[&3].pgid, 2);
    refused(&mut vm, "EPERM", |vm| vm.setpgid(DRIVER, 3, 4));
    refused(&mut vm, "EPERM", |vm| vm.setpgid(DRIVER, 3, 99));
    refused(&mut vm, "EPERM", |vm| vm.setpgid(DRIVER, 3, u32::MAX));
    refused(&mut vm, "ESRCH", |vm| vm.setpgid(DRIVER, 99, 0));
    let options = VirtualProcessOptions { parent_pid: Some(1), ..Default::default() };
    vm.create_virtual_process(DRIVER, "e", "job", Vec::new(), options).unwrap();
    vm.setpgid("e", 5, 0).unwrap();
    refused(&mut vm, "EPERM", |vm| vm.setpgid(DRIVER, 3, 5));
    vm.exit_process(DRIVER, 2, 0).unwrap();
    vm.exit_process(DRIVER, 3, 0).unwrap();
    process(&mut vm, Some(1));
    refused(&mut vm, "EPERM", |vm| vm.setpgid(DRIVER, 6, 2));
}

#[test]
fn a_session_begins_with_who_leads_no_group() {
    let mut vm = vm();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    refused(&mut vm, "EPERM", |vm| vm.setsid(DRIVER, 1));
    assert_eq!(vm.getsid(DRIVER, 2).unwrap(), 1);
    assert_eq!(vm.setsid(DRIVER, 2).unwrap(), 2);
    assert_eq!((vm.getsid(DRIVER, 2).unwrap(), vm.getpgid(DRIVER, 2).unwrap()), (2, 2));
    refused(&mut vm, "EPERM", |vm| vm.setsid(DRIVER, 2));
    assert_eq!((vm.getpid(DRIVER, 2).unwrap(), vm.getppid(DRIVER, 2).unwrap()), (2, 1));
}

#[test]
fn an_orphaned_group_with_a_stopped_member_is_hung_up() {
    let mut vm = vm();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    let (stopped, running) = (process(&mut vm, Some(2)), process(&mut vm, Some(2)));
    vm.setpgid(DRIVER, 3, 0).unwrap();
    vm.setpgid(DRIVER, 4, 3).unwrap();
    let other = process_of(&mut vm, DRIVER, Some(1));
    block(&mut vm, 3, &[1]);
    block(&mut vm, 4, &[1]);
    vm.kill_process(DRIVER, 3, 19).unwrap();
    vm.exit_process(DRIVER, 2, 0).unwrap();
    assert_eq!(stopped.kill_signals(), [19, 18]);
    assert_eq!(running.kill_signals(), [18]);
    for pid in [3, 4] {
        assert_eq!(vm.list_processes()[&pid].status, ProcessStatus::Running);
        assert_eq!(vm.sigpending(DRIVER, pid).unwrap(), set(&[1]), "SIGHUP too");
    }
    assert!(other.kill_signals().is_empty(), "of a group that has a parent");
}

#[test]
fn a_signal_needs_the_owner_and_a_zombie_has_none() {
    let mut vm = vm();
    process(&mut vm, None);
    vm.exit_process(DRIVER, 1, 0).unwrap();
    assert_eq!(code(vm.kill_process(DRIVER, 1, 15)), "ESRCH");
}
