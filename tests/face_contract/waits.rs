//! Section 2, "waitpid": ends, stops and continuations as waits tell them.

use crate::support::{DRIVER, Vm, code, config, process, vm, watched};
use std::time::Duration;
use tickernel::kernel::{KernelVm, WaitPidEvent, WaitPidEventResult, WaitPidFlags, WaitPidResult};
use tickernel::vfs::MemoryFileSystem;

const NOHANG: WaitPidFlags = WaitPidFlags::WNOHANG;

fn poll(vm: &mut Vm, waiter: u32, select: i32, flags: WaitPidFlags) -> Option<(u32, i32)> {
    let result = vm.waitpid_with_options(DRIVER, waiter, select, NOHANG | flags).unwrap();
    result.map(|result| (result.pid, result.status))
}

fn told(vm: &mut Vm, flags: WaitPidFlags) -> Option<WaitPidEventResult> {
    vm.waitpid_with_options(DRIVER, 1, -1, NOHANG | flags).unwrap()
}

#[test]
fn waitpid_asks_for_no_parent_and_gives_the_plain_code() {
    let mut vm = vm();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    vm.kill_process(DRIVER, 2, 11).unwrap();
    assert_eq!(vm.waitpid(2).unwrap(), WaitPidResult { pid: 2, status: 139 });
    assert_eq!(code(vm.waitpid(2)), "ESRCH");
    assert_eq!(code(vm.waitpid(0)), "ESRCH");
    assert_eq!(code(vm.wait_and_reap(u32::MAX)), "ESRCH");
    assert_eq!(code(vm.waitpid_with_options(DRIVER, 1, 2, NOHANG)), "ECHILD");
}

#[test]
fn a_wait_selects_children() {
    let mut vm = vm();
    process(&mut vm, None);
    for _ in 0..3 {
        process(&mut vm, Some(1));
    }
    process(&mut vm, None);
    vm.setpgid(DRIVER, 3, 0).unwrap();
    vm.setpgid(DRIVER, 4, 3).unwrap();
    for select in [-1, 0, -3, 2, 3, 4] {
        assert_eq!(poll(&mut vm, 1, select, NOHANG), None, "{select}");
    }
    for select in [1, 5, 9, -2, -5, i32::MAX, i32::MIN + 1] {
        assert_eq!(code(vm.waitpid_with_options(DRIVER, 1, select, NOHANG)), "ECHILD", "{select}");
    }
    for (pid, status) in [(4, 14), (3, 13), (2, 12)] {
        vm.exit_process(DRIVER, pid, status).unwrap();
    }
    assert_eq!(poll(&mut vm, 1, -3, NOHANG), Some((3, 13)), "in the order of pids");
    assert_eq!(poll(&mut vm, 1, 0, NOHANG), Some((2, 12)), "the waiter's own group");
    assert_eq!(code(vm.waitpid_with_options(DRIVER, 1, 0, NOHANG)), "ECHILD");
    assert_eq!(poll(&mut vm, 1, 4, NOHANG), Some((4, 14)));
    assert_eq!(code(vm.waitpid_with_options(DRIVER, 1, -1, NOHANG)), "ECHILD");
}

#[test]
fn the_waiter_must_be_there_and_the_requesters() {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(code(vm.waitpid_with_options(DRIVER, 9, -1, NOHANG)), "ESRCH");
    assert_eq!(code(vm.waitpid_with_options("e", 1, -1, NOHANG)), "EPERM");
    assert_eq!(code(vm.waitpid_with_options(DRIVER, 1, -1, WaitPidFlags::empty())), "ECHILD");
}

#[test]
fn stops_and_continuations_are_told_once_to_who_asks() {
    let (stops, goes) = (WaitPidFlags::WUNTRACED, WaitPidFlags::WCONTINUED);
    let mut vm = vm();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    let event = |status, event| Some(WaitPidEventResult { pid: 2, status, event });
    for signal in [19, 20, 21, 22] {
        vm.kill_process(DRIVER, 2, signal).unwrap();
        assert_eq!(told(&mut vm, WaitPidFlags::empty()), None);
        assert_eq!(told(&mut vm, goes), None, "not asked for: it stays");
        assert_eq!(told(&mut vm, stops), event(signal, WaitPidEvent::Stopped));
        assert_eq!(told(&mut vm, stops | goes), None, "once");
        vm.kill_process(DRIVER, 2, 18).unwrap();
        assert_eq!(told(&mut vm, stops), None);
        assert_eq!(told(&mut vm, goes | stops), event(18, WaitPidEvent::Continued));
        assert_eq!(told(&mut vm, goes), None);
    }
    vm.exit_process(DRIVER, 2, 6).unwrap();
    assert_eq!(told(&mut vm, stops | goes), event(6, WaitPidEvent::Exited));
}

#[test]
fn a_wait_for_a_child_lasts_until_its_handle_is_finished_elsewhere() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    process(&mut vm, None);
    let child = process(&mut vm, Some(1));
    let stopped = process(&mut vm, Some(1));
    // A group of its own: the end of the other would hang it up as an orphan.
    vm.setpgid(DRIVER, 3, 0).unwrap();
    let vm = vm.into_shared();
    let waiters: Vec<_> = [2, 3]
        .map(|pid| {
            let mut vm = vm.clone();
            std::thread::spawn(move || {
                let flags = WaitPidFlags::WUNTRACED;
                vm.waitpid_with_options(DRIVER, 1, pid, flags).unwrap().unwrap()
            })
        })
        .into_iter()
        .collect();
    vm.kill_process(DRIVER, stopped.pid(), 19).unwrap();
    std::thread::spawn(move || child.finish(44)).join().unwrap();
    let results = watched("waits for children", move || {
        waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!((results[0].status, results[0].event), (44, WaitPidEvent::Exited));
    assert_eq!((results[1].status, results[1].event), (19, WaitPidEvent::Stopped));
}

#[test]
fn several_may_wait_for_one_end_and_one_reaps() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    let handle = process(&mut vm, None);
    let vm = vm.into_shared();
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let mut vm = vm.clone();
            std::thread::spawn(move || vm.waitpid(1).map_err(|error| error.code()))
        })
        .collect();
    let watcher = handle.clone();
    let watcher = std::thread::spawn(move || watcher.wait(Duration::MAX));
    handle.finish(9);
    let (results, code) = watched("waits for one end", move || {
        let results = waiters.into_iter().map(|waiter| waiter.join().unwrap());
        (results.collect::<Vec<_>>(), watcher.join().unwrap())
    });
    assert_eq!(code, Some(9));
    let reaped = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(reaped, 1, "{results:?}");
    let gone = |result: &&Result<WaitPidResult, &str>| **result == Err("ESRCH");
    assert_eq!(results.iter().filter(gone).count(), 3, "{results:?}");
}
