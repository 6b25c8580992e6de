//! Section 6: polls of pipes, files, devices.

use crate::support::{DRIVER, Vm, config, process, refused, vm, watched};
use std::time::Duration;
use tickernel::fd_table::{O_RDONLY, O_RDWR, O_WRONLY};
use tickernel::kernel::KernelVm;
use tickernel::poll::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, PollEvents, PollFd};
use tickernel::vfs::MemoryFileSystem;

/// A machine with process 1 and a pipe at 3 and 4.
fn with_pipe() -> Vm {
    let mut vm = vm();
    process(&mut vm, None);
    vm.open_pipe(DRIVER, 1).unwrap();
    vm
}

fn poll(vm: &Vm, fd: u32, events: PollEvents) -> PollEvents {
    let result = vm.poll_fds(DRIVER, 1, vec![PollFd::new(fd, events)], 0).unwrap();
    let revents = result.fds[0].revents;
    assert_eq!(result.ready_count, usize::from(!revents.is_empty()));
    assert_eq!((result.fds[0].fd, result.fds[0].events), (fd, events));
    revents
}

#[test]
fn a_pipe_is_ready_when_there_is_data_or_room() {
    let mut vm = with_pipe();
    let both = POLLIN | POLLOUT;
    assert_eq!(poll(&vm, 3, both), PollEvents::empty());
    assert_eq!(poll(&vm, 4, both), POLLOUT);
    vm.fd_write(DRIVER, 1, 4, &[0; 65_535]).unwrap();
    assert_eq!(poll(&vm, 3, both), POLLIN);
    assert_eq!(poll(&vm, 3, POLLOUT), PollEvents::empty(), "only what is asked");
    vm.fd_write(DRIVER, 1, 4, b"x").unwrap();
    assert_eq!(poll(&vm, 4, both), PollEvents::empty());
    vm.fd_close(DRIVER, 1, 4).unwrap();
    assert_eq!(poll(&vm, 3, POLLIN), POLLIN | POLLHUP);
    vm.fd_read(DRIVER, 1, 3, 65_536).unwrap();
    assert_eq!(poll(&vm, 3, PollEvents::empty()), POLLHUP, "unasked");
}

#[test]
fn a_write_end_without_readers_has_an_error_and_no_room() {
    let mut vm = with_pipe();
    vm.fd_close(DRIVER, 1, 3).unwrap();
    assert_eq!(poll(&vm, 4, POLLOUT), POLLERR);
    assert_eq!(poll(&vm, 4, PollEvents::empty()), POLLERR);
}

#[test]
fn what_is_not_open_is_told_as_such() {
    let vm = with_pipe();
    for fd in [99, i32::MAX as u32, i32::MAX as u32 + 1, u32::MAX] {
        assert_eq!(poll(&vm, fd, POLLIN), POLLNVAL, "{fd}");
    }
}

#[test]
fn files_are_ready_as_they_are_open() {
    let mut vm = with_pipe();
    vm.write_file("/f", "").unwrap();
    vm.mkdir("/d", false).unwrap();
    let both = POLLIN | POLLOUT;
    let wanted = [
        ("/f", O_RDONLY, POLLIN),
        ("/f", O_WRONLY, POLLOUT),
        ("/f", O_RDWR, both),
        ("/dev/null", O_RDWR, both),
        ("/dev/zero", O_RDONLY, POLLIN),
        ("/d", O_RDONLY, POLLIN | POLLERR),
    ];
    for (path, flags, ready) in wanted {
        let fd = vm.fd_open(DRIVER, 1, path, flags, None).unwrap();
        assert_eq!(poll(&vm, fd, both), ready, "{path} {flags}");
    }
    let directory = vm.fd_open(DRIVER, 1, "/d", O_RDONLY, None).unwrap();
    assert_eq!(poll(&vm, directory, POLLIN), POLLIN);
    assert_eq!(poll(&vm, 0, both), POLLIN);
    assert_eq!(poll(&vm, 1, both), POLLOUT);
}

#[test]
fn the_count_is_of_entries_and_their_order_stays() {
    let mut vm = with_pipe();
    vm.fd_write(DRIVER, 1, 4, b"x").unwrap();
    let asked = [(3, POLLIN), (99, POLLIN), (3, POLLOUT), (4, POLLOUT), (3, POLLIN)];
    let fds = asked.map(|(fd, events)| PollFd::new(fd, events)).to_vec();
    let result = vm.poll_fds(DRIVER, 1, fds, -1).unwrap();
    let revents: Vec<u16> = result.fds.iter().map(|entry| entry.revents.bits()).collect();
    assert_eq!(revents, [1, 0x20, 0, 4, 1]);
    assert_eq!(result.ready_count, 4);
    let none = vm.poll_fds(DRIVER, 1, Vec::new(), 0).unwrap();
    assert_eq!((none.ready_count, none.fds.len()), (0, 0));
}

#[test]
fn what_an_entry_brings_along_is_not_kept() {
    let vm = with_pipe();
    let stale = PollFd { revents: POLLNVAL | POLLIN, ..PollFd::new(3, POLLIN) };
    let result = vm.poll_fds(DRIVER, 1, vec![stale], 0).unwrap();
    assert_eq!((result.ready_count, result.fds[0].revents), (0, PollEvents::empty()));
}

#[test]
fn a_time_out_passes_and_one_below_minus_one_is_refused() {
    let mut vm = with_pipe();
    let fds = || vec![PollFd::new(3, POLLIN)];
    let result = vm.poll_fds(DRIVER, 1, fds(), i32::MAX).unwrap();
    assert_eq!(result.ready_count, 0);
    for timeout in [-2, i32::MIN] {
        refused(&mut vm, "EINVAL", |vm| vm.poll_fds(DRIVER, 1, fds(), timeout));
    }
    refused(&mut vm, "EPERM", |vm| vm.poll_fds("e", 1, fds(), -2));
}

#[test]
fn a_poll_that_waits_is_woken_by_data_and_by_ends() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    process(&mut vm, None);
    vm.open_pipe(DRIVER, 1).unwrap();
    vm.open_pipe(DRIVER, 1).unwrap();
    let mut vm = vm.into_shared();
    let poller = |fd| {
        let vm = vm.clone();
        std::thread::spawn(move || {
            vm.poll_fds(DRIVER, 1, vec![PollFd::new(fd, POLLIN)], -1).unwrap().fds[0].revents
        })
    };
    let pollers = [poller(3), poller(5)];
    vm.fd_write(DRIVER, 1, 4, b"x").unwrap();
    vm.fd_close(DRIVER, 1, 6).unwrap();
    let told = watched("polls", move || pollers.map(|poller| poller.join().unwrap()));
    assert_eq!(told, [POLLIN, POLLHUP]);
}

#[test]
fn a_wait_handle_is_told_of_changes() {
    let mut vm = with_pipe();
    let handle = vm.poll_wait_handle();
    let before = handle.snapshot();
    assert!(!handle.wait_for_change(before, Some(Duration::ZERO)));
    vm.fd_write(DRIVER, 1, 4, b"x").unwrap();
    assert!(handle.wait_for_change(before, None));
    assert!(handle.snapshot() > before);
}
