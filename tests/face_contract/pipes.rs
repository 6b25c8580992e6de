//! Section 4: pipes, and who waits for them.

use crate::support::{DRIVER, Vm, code, config, process, refused, vm, vm_with, watched};
use std::time::Duration;
use tickernel::fd_table::{F_SETFL, O_NONBLOCK};
use tickernel::kernel::KernelVm;
use tickernel::pipe_manager::{MAX_PIPE_BUFFER_BYTES, PIPE_BUF_BYTES};
use tickernel::process_table::ProcessStatus;
use tickernel::vfs::MemoryFileSystem;

/// A machine with process 1 and a pipe at 3 and 4.
fn with_pipe() -> Vm {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(vm.open_pipe(DRIVER, 1).unwrap(), (3, 4));
    vm
}

fn nonblocking(vm: &mut Vm, fd: u32) {
    vm.fd_fcntl(DRIVER, 1, fd, F_SETFL, O_NONBLOCK).unwrap();
}

fn write(vm: &mut Vm, data: &[u8]) -> usize {
    vm.fd_write(DRIVER, 1, 4, data).unwrap()
}

fn read(vm: &mut Vm, length: usize) -> Vec<u8> {
    vm.fd_read(DRIVER, 1, 3, length).unwrap()
}

#[test]
fn a_read_takes_what_is_there_and_joins_writes() {
    let mut vm = with_pipe();
    for part in ["ab", "cd", "ef"] {
        write(&mut vm, part.as_bytes());
    }
    assert_eq!(vm.resource_snapshot().pipe_buffered_bytes, 6);
    assert_eq!(read(&mut vm, 3), b"abc");
    assert_eq!(read(&mut vm, 99), b"def");
    assert_eq!(vm.resource_snapshot().pipe_buffered_bytes, 0);
}

#[test]
fn what_is_buffered_is_read_after_the_last_writer_has_gone() {
    let mut vm = with_pipe();
    write(&mut vm, b"left");
    vm.fd_close(DRIVER, 1, 4).unwrap();
    assert_eq!(vm.fd_read_with_timeout_result(DRIVER, 1, 3, 9, None).unwrap().unwrap(), b"left");
    assert_eq!(vm.fd_read_with_timeout_result(DRIVER, 1, 3, 9, None).unwrap(), None);
    assert_eq!(read(&mut vm, 9), b"");
    assert_eq!(vm.resource_snapshot().pipes, 1);
    vm.fd_close(DRIVER, 1, 3).unwrap();
    assert_eq!(vm.resource_snapshot().pipes, 0);
}

#[test]
fn an_empty_pipe_is_eagain_at_once_or_after_the_limit() {
    let mut vm = with_pipe();
    refused(&mut vm, "EAGAIN", |vm| {
        vm.fd_read_with_timeout_result(DRIVER, 1, 3, 1, Some(Duration::ZERO))
    });
    // Virtual time jumps over the five seconds of the default.
    refused(&mut vm, "EAGAIN", |vm| vm.fd_read(DRIVER, 1, 3, 1));
    nonblocking(&mut vm, 3);
    refused(&mut vm, "EAGAIN", |vm| {
        vm.fd_read_with_timeout_result(DRIVER, 1, 3, 1, Some(Duration::MAX))
    });
}

#[test]
fn a_short_write_is_all_or_nothing() {
    let mut vm = with_pipe();
    nonblocking(&mut vm, 4);
    let room = PIPE_BUF_BYTES - 1;
    assert_eq!(write(&mut vm, &vec![1; MAX_PIPE_BUFFER_BYTES - room]), 65_536 - room);
    refused(&mut vm, "EAGAIN", |vm| vm.fd_write(DRIVER, 1, 4, &[2; PIPE_BUF_BYTES]));
    assert_eq!(write(&mut vm, &[2; PIPE_BUF_BYTES + 1]), room, "a long one writes what fits");
    refused(&mut vm, "EAGAIN", |vm| vm.fd_write(DRIVER, 1, 4, &[3; PIPE_BUF_BYTES + 1]));
    refused(&mut vm, "EAGAIN", |vm| vm.fd_write(DRIVER, 1, 4, b"x"));
    assert_eq!(vm.resource_snapshot().pipe_buffered_bytes, MAX_PIPE_BUFFER_BYTES);
    assert_eq!(read(&mut vm, 1), [1]);
    assert_eq!(write(&mut vm, b"x"), 1);
}

#[test]
fn a_blocking_write_writes_all() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    process(&mut vm, None);
    vm.open_pipe(DRIVER, 1).unwrap();
    let data: Vec<u8> = (0..200_000_u32).map(|at| at as u8).collect();
    let (wanted, vm) = (data.clone(), vm.into_shared());
    let (mut writer, mut reader) = (vm.clone(), vm);
    let writer = std::thread::spawn(move || {
        let written = writer.fd_write(DRIVER, 1, 4, &data).unwrap();
        writer.fd_close(DRIVER, 1, 4).unwrap();
        written
    });
    let mut reader = move || {
        let mut all = Vec::new();
        loop {
            let timeout = Some(Duration::MAX);
            match reader.fd_read_with_timeout_result(DRIVER, 1, 3, 7_777, timeout).unwrap() {
                Some(part) => all.extend(part),
                None => return all,
            }
        }
    };
    let (read, written) = watched("a pipe between threads", move || {
        let read = reader();
        (read, writer.join().unwrap())
    });
    assert_eq!((read.len(), written), (200_000, 200_000));
    assert_eq!(read, wanted);
}

#[test]
fn a_reader_that_waits_is_given_the_data() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    process(&mut vm, None);
    vm.open_pipe(DRIVER, 1).unwrap();
    let mut vm = vm.into_shared();
    let mut reader = vm.clone();
    let timeout = Some(Duration::MAX);
    let reader = std::thread::spawn(move || {
        reader.fd_read_with_timeout_result(DRIVER, 1, 3, 99, timeout).unwrap()
    });
    assert_eq!(vm.fd_write(DRIVER, 1, 4, b"hello").unwrap(), 5);
    let read = watched("a read of a pipe", move || reader.join().unwrap());
    assert_eq!(read.unwrap(), b"hello");
}

#[test]
fn without_a_limit_a_read_waits_until_somebody_writes() {
    let mut vm = vm_with(|config| config.resources.max_blocking_read_ms = None);
    process(&mut vm, None);
    vm.open_pipe(DRIVER, 1).unwrap();
    let mut vm = vm.into_shared();
    let mut reader = vm.clone();
    let reader = std::thread::spawn(move || reader.fd_read(DRIVER, 1, 3, 99).unwrap());
    vm.fd_write(DRIVER, 1, 4, b"x").unwrap();
    assert_eq!(watched("a read without a limit", move || reader.join().unwrap()), b"x");
}

#[test]
fn a_write_that_nobody_reads_kills_the_writer() {
    let mut vm = vm();
    let handle = process(&mut vm, None);
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_close(DRIVER, 1, read).unwrap();
    assert_eq!(code(vm.fd_write(DRIVER, 1, write, b"x")), "EPIPE");
    assert_eq!(handle.kill_signals(), [13]);
    assert_eq!(handle.wait(Duration::ZERO), Some(141));
    assert_eq!(vm.list_processes()[&1].exit_code, Some(141));
}

#[test]
fn a_write_that_waits_is_told_that_nobody_reads_any_more() {
    // Nobody can see that a write waits: in most rounds it does, in the others it finds no reader
    // and is told the same.
    for _ in 0..10 {
        let mut vm = with_pipe().into_shared();
        assert_eq!(vm.fd_write(DRIVER, 1, 4, &[b'x'; MAX_PIPE_BUFFER_BYTES]).unwrap(), 65_536);
        let mut writer = vm.clone();
        let writer = std::thread::spawn(move || code(writer.fd_write(DRIVER, 1, 4, b"more")));
        (0..2000).for_each(|_| std::thread::yield_now());
        vm.fd_close(DRIVER, 1, 3).unwrap();
        assert_eq!(watched("a write without a reader", move || writer.join().unwrap()), "EPIPE");
        assert_eq!(vm.list_processes()[&1].exit_code, Some(141));
    }
}

#[test]
fn a_writer_that_blocks_sigpipe_gets_the_error_alone() {
    use tickernel::process_table::{SigmaskHow, SignalSet};
    let mut vm = vm();
    let handle = process(&mut vm, None);
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_close(DRIVER, 1, read).unwrap();
    let pipe = SignalSet::from_signal(13).unwrap();
    vm.sigprocmask(DRIVER, 1, SigmaskHow::Block, pipe).unwrap();
    assert_eq!(code(vm.fd_write(DRIVER, 1, write, b"x")), "EPIPE");
    assert_eq!(handle.wait(Duration::ZERO), None);
    assert_eq!(vm.sigpending(DRIVER, 1).unwrap(), pipe);
}

#[test]
fn the_exit_of_its_last_holder_closes_an_end() {
    let mut vm = with_pipe();
    process(&mut vm, Some(1));
    vm.fd_close(DRIVER, 1, 4).unwrap();
    refused(&mut vm, "EAGAIN", |vm| vm.fd_read(DRIVER, 1, 3, 1));
    vm.exit_process(DRIVER, 2, 0).unwrap();
    assert_eq!(vm.fd_read_with_timeout_result(DRIVER, 1, 3, 1, None).unwrap(), None);
}

#[test]
fn a_reader_is_woken_by_the_exit_of_the_writer() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    process(&mut vm, None);
    vm.open_pipe(DRIVER, 1).unwrap();
    let writer = process(&mut vm, Some(1));
    vm.fd_close(DRIVER, 1, 4).unwrap();
    // A second clone does not wait: virtual time stands.
    let vm = vm.into_shared();
    let mut reader = vm.clone();
    let timeout = Some(Duration::MAX);
    let reader = std::thread::spawn(move || {
        reader.fd_read_with_timeout_result(DRIVER, 1, 3, 1, timeout).unwrap()
    });
    writer.kill(9);
    assert_eq!(watched("a read of a pipe", move || reader.join().unwrap()), None);
}

#[test]
fn ends_are_one_way() {
    let mut vm = with_pipe();
    refused(&mut vm, "EBADF", |vm| vm.fd_write(DRIVER, 1, 3, b"x"));
    refused(&mut vm, "EBADF", |vm| vm.fd_read(DRIVER, 1, 4, 1));
}

#[test]
fn nothing_written_is_nothing() {
    let mut vm = with_pipe();
    assert_eq!(write(&mut vm, b""), 0);
    refused(&mut vm, "EAGAIN", |vm| vm.fd_read(DRIVER, 1, 3, 1));
    assert_eq!(read(&mut vm, 0), b"");
}

#[test]
fn a_stopped_process_is_still_spoken_for() {
    let mut vm = with_pipe();
    vm.kill_process(DRIVER, 1, 19).unwrap();
    write(&mut vm, b"x");
    assert_eq!(read(&mut vm, 9), b"x");
    assert_eq!(vm.list_processes()[&1].status, ProcessStatus::Stopped);
}
