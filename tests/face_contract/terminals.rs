//! Section 5: pseudo-terminals and shells.

use crate::support::{DRIVER, Vm, code, process, process_of, refused, says, vm, vm_with};
use std::time::Duration;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::FILETYPE_CHARACTER_DEVICE;
use tickernel::kernel::OpenShellOptions;
use tickernel::poll::{POLLHUP, POLLIN, POLLOUT, PollEvents, PollFd};
use tickernel::pty::{
    LineDisciplineConfig, PartialTermios, PartialTermiosControlChars, PtyWindowSize, Termios,
};

const MASTER: u32 = 3;
const SLAVE: u32 = 4;

/// A machine with process 1 and a pseudo-terminal at 3 and 4.
fn with_pty() -> Vm {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(vm.open_pty(DRIVER, 1).unwrap(), (MASTER, SLAVE, "/dev/pts/0".to_owned()));
    vm
}

fn type_in(vm: &mut Vm, bytes: &[u8]) {
    assert_eq!(vm.fd_write(DRIVER, 1, MASTER, bytes).unwrap(), bytes.len());
}

/// What there is to read at an end, as text; "" if nothing is.
fn read(vm: &mut Vm, fd: u32) -> String {
    let read = vm.fd_read_with_timeout_result(DRIVER, 1, fd, 1 << 20, Some(Duration::ZERO));
    match read {
        Ok(Some(bytes)) => String::from_utf8(bytes).unwrap(),
        Ok(None) => "(end)".to_owned(),
        Err(error) if error.code() == "EAGAIN" => String::new(),
        Err(error) => panic!("{error}"),
    }
}

fn discipline(vm: &Vm, canonical: bool, echo: bool, isig: bool) {
    let config =
        LineDisciplineConfig { canonical: Some(canonical), echo: Some(echo), isig: Some(isig) };
    vm.pty_set_discipline(DRIVER, 1, SLAVE, config).unwrap();
}

fn poll(vm: &Vm, fd: u32) -> PollEvents {
    let asked = vec![PollFd::new(fd, POLLIN | POLLOUT)];
    vm.poll_fds(DRIVER, 1, asked, 0).unwrap().fds[0].revents
}

#[test]
fn its_ends_are_descriptors_and_the_slave_is_a_terminal() {
    let mut vm = with_pty();
    for (fd, path, tty) in [(MASTER, "pty:0:master", false), (SLAVE, "/dev/pts/0", true)] {
        assert_eq!(vm.fd_path(DRIVER, 1, fd).unwrap(), path);
        assert_eq!(vm.isatty(DRIVER, 1, fd).unwrap(), tty);
        let stat = vm.fd_stat(DRIVER, 1, fd).unwrap();
        assert_eq!((stat.filetype, stat.flags), (FILETYPE_CHARACTER_DEVICE, 2));
        let stat = vm.dev_fd_stat(DRIVER, 1, fd).unwrap();
        assert_eq!((stat.mode, stat.size, stat.dev), (0o666, 0, 2));
        assert_eq!(code(vm.fd_seek(DRIVER, 1, fd, 0, 0)), "ESPIPE");
        assert_eq!(code(vm.fd_pread(DRIVER, 1, fd, 1, 0)), "ESPIPE");
        assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"x", 0)), "ESPIPE");
        assert_eq!(code(vm.fd_flock(DRIVER, 1, fd, 1)), "EBADF");
    }
    assert!(!vm.isatty(DRIVER, 1, 0).unwrap());
    assert_eq!(code(vm.isatty(DRIVER, 1, 99)), "EBADF");
    let counts = vm.resource_snapshot();
    assert_eq!((counts.ptys, counts.open_fds), (1, 5));
}

#[test]
fn numbers_are_not_given_again() {
    let mut vm = with_pty();
    vm.fd_close(DRIVER, 1, MASTER).unwrap();
    vm.fd_close(DRIVER, 1, SLAVE).unwrap();
    assert_eq!(vm.resource_snapshot().ptys, 0);
    assert_eq!(vm.open_pty(DRIVER, 1).unwrap().2, "/dev/pts/1");
}

#[test]
fn lines_arrive_whole_and_are_shown() {
    let mut vm = with_pty();
    type_in(&mut vm, b"ab");
    assert_eq!(read(&mut vm, SLAVE), "");
    assert_eq!(read(&mut vm, MASTER), "ab");
    type_in(&mut vm, b"c\nde\r");
    assert_eq!(read(&mut vm, SLAVE), "abc\nde\n", "a carriage return is a newline");
    assert_eq!(read(&mut vm, MASTER), "c\r\nde\r\n");
    type_in(&mut vm, b"hello\n");
    assert_eq!(vm.fd_read(DRIVER, 1, SLAVE, 2).unwrap(), b"he", "as much as is asked for");
    assert_eq!(read(&mut vm, SLAVE), "llo\n");
}

#[test]
fn the_end_of_input_is_told_once_and_ends_a_line() {
    let mut vm = with_pty();
    type_in(&mut vm, b"ab\x04");
    assert_eq!(read(&mut vm, SLAVE), "ab");
    type_in(&mut vm, b"\x04");
    assert_eq!(poll(&vm, SLAVE), POLLIN | POLLOUT);
    let nothing = vm.fd_read_with_timeout_result(DRIVER, 1, SLAVE, 9, Some(Duration::ZERO));
    assert_eq!(nothing.unwrap(), Some(Vec::new()));
    assert_eq!(read(&mut vm, SLAVE), "");
    type_in(&mut vm, b"\x04x\n");
    assert_eq!(read(&mut vm, SLAVE), "x\n", "what comes behind it is read with it");
}

#[test]
fn bytes_are_erased_and_shown_to_be() {
    let mut vm = with_pty();
    type_in(&mut vm, b"abc\x7f\x08\x7f\x7fz\x15\x17\n");
    assert_eq!(read(&mut vm, SLAVE), "z\x15\x17\n", "VKILL and VWERASE are none in the origin");
    let erased = "\x08 \x08".repeat(3);
    assert_eq!(read(&mut vm, MASTER), format!("abc{erased}z\x15\x17\r\n"));
}

#[test]
fn a_line_has_4096_bytes_at_most() {
    let mut vm = with_pty();
    type_in(&mut vm, &[b'x'; 5_000]);
    type_in(&mut vm, b"\n");
    assert_eq!(read(&mut vm, SLAVE).len(), 4_097);
    assert_eq!(read(&mut vm, MASTER).len(), 4_098, "what is dropped is not shown");
}

#[test]
fn without_lines_each_byte_arrives() {
    let mut vm = with_pty();
    discipline(&vm, false, false, false);
    type_in(&mut vm, b"a\rb\n\x03\x04\x7f");
    assert_eq!(read(&mut vm, SLAVE), "a\nb\n\x03\x04\x7f");
    assert_eq!(read(&mut vm, MASTER), "");
    discipline(&vm, false, true, false);
    type_in(&mut vm, b"a\r\x03");
    assert_eq!(read(&mut vm, SLAVE), "a\n\x03");
    assert_eq!(read(&mut vm, MASTER), "a\n\x03");
}

#[test]
fn what_has_no_room_is_refused_whole() {
    let mut vm = with_pty();
    discipline(&vm, false, false, false);
    refused(&mut vm, "EAGAIN", |vm| vm.fd_write(DRIVER, 1, MASTER, &[b'x'; 65_537]));
    type_in(&mut vm, &[b'x'; 65_536]);
    assert_eq!(poll(&vm, MASTER), PollEvents::empty());
    refused(&mut vm, "EAGAIN", |vm| vm.fd_write(DRIVER, 1, MASTER, b"y"));
    assert_eq!(vm.resource_snapshot().pty_buffered_input_bytes, 65_536);
    assert_eq!(read(&mut vm, SLAVE).len(), 65_536);
    // The output grows on its way.
    refused(&mut vm, "EAGAIN", |vm| vm.fd_write(DRIVER, 1, SLAVE, &[b'\n'; 32_769]));
    vm.fd_write(DRIVER, 1, SLAVE, &[b'\n'; 32_768]).unwrap();
    assert_eq!(vm.resource_snapshot().pty_buffered_output_bytes, 65_536);
    // Nor is a line taken whose echo has no room.
    discipline(&vm, true, true, true);
    refused(&mut vm, "EAGAIN", |vm| vm.fd_write(DRIVER, 1, MASTER, b"line\n"));
    assert_eq!(read(&mut vm, MASTER).len(), 65_536);
    type_in(&mut vm, b"line\n");
    assert_eq!(read(&mut vm, SLAVE), "line\n");
}

#[test]
fn newlines_go_out_with_a_carriage_return() {
    let mut vm = with_pty();
    vm.fd_write(DRIVER, 1, SLAVE, b"a\nb\r\nc\r").unwrap();
    vm.fd_write(DRIVER, 1, SLAVE, b"\n").unwrap();
    assert_eq!(read(&mut vm, MASTER), "a\r\nb\r\nc\r\r\n");
    for off in [
        PartialTermios { onlcr: Some(false), ..PartialTermios::default() },
        PartialTermios { onlcr: Some(true), opost: Some(false), ..PartialTermios::default() },
    ] {
        vm.tcsetattr(DRIVER, 1, MASTER, off).unwrap();
        vm.fd_write(DRIVER, 1, SLAVE, b"a\n").unwrap();
        assert_eq!(read(&mut vm, MASTER), "a\n");
    }
}

#[test]
fn signals_go_to_the_foreground() {
    let mut vm = with_pty();
    let child = process(&mut vm, Some(1));
    vm.setpgid(DRIVER, child.pid(), 0).unwrap();
    assert_eq!(vm.tcgetpgrp(DRIVER, 1, SLAVE).unwrap(), 0);
    type_in(&mut vm, b"gone\x03kept\n");
    assert_eq!(read(&mut vm, SLAVE), "kept\n", "the line is dropped, and nobody is told");
    assert_eq!(read(&mut vm, MASTER), "gonekept\r\n");
    vm.pty_set_foreground_pgid(DRIVER, 1, MASTER, child.pid()).unwrap();
    assert_eq!(vm.tcgetpgrp(DRIVER, 1, SLAVE).unwrap(), child.pid());
    vm.pty_resize(DRIVER, 1, MASTER, 80, 24).unwrap();
    assert_eq!(child.kill_signals(), [0; 0], "it is the size that it had");
    vm.pty_resize(DRIVER, 1, MASTER, 100, 30).unwrap();
    assert_eq!(child.kill_signals(), [28]);
    let size = vm.pty_window_size(DRIVER, 1, SLAVE).unwrap();
    assert_eq!(size, PtyWindowSize { cols: 100, rows: 30 });
    type_in(&mut vm, b"\x1c");
    assert_eq!(child.kill_signals(), [28, 3]);
    assert_eq!(child.wait(Duration::ZERO), Some(131));
    // A group that is gone gets nothing.
    type_in(&mut vm, b"\x03");
    vm.pty_resize(DRIVER, 1, MASTER, 1, 1).unwrap();
}

#[test]
fn the_foreground_is_a_living_group_of_the_session() {
    let mut vm = with_pty();
    let other = process_of(&mut vm, DRIVER, None).pid();
    refused(&mut vm, "ESRCH", |vm| vm.pty_set_foreground_pgid(DRIVER, 1, SLAVE, 77));
    refused(&mut vm, "ESRCH", |vm| vm.pty_set_foreground_pgid(DRIVER, 1, SLAVE, 0));
    says(vm.pty_set_foreground_pgid(DRIVER, 1, SLAVE, other), "EPERM", "different session");
}

#[test]
fn what_is_no_pseudo_terminal_is_none() {
    let mut vm = with_pty();
    for fd in [0, 99, u32::MAX] {
        assert_eq!(code(vm.tcgetattr(DRIVER, 1, fd)), "EBADF");
        assert_eq!(code(vm.tcgetpgrp(DRIVER, 1, fd)), "EBADF");
        assert_eq!(code(vm.pty_window_size(DRIVER, 1, fd)), "EBADF");
        refused(&mut vm, "EBADF", |vm| vm.tcsetattr(DRIVER, 1, fd, PartialTermios::default()));
        refused(&mut vm, "EBADF", |vm| vm.pty_resize(DRIVER, 1, fd, 1, 1));
        refused(&mut vm, "EBADF", |vm| vm.pty_set_foreground_pgid(DRIVER, 1, fd, 1));
    }
}

#[test]
fn settings_are_merged_and_shared_by_both_ends() {
    let vm = with_pty();
    let mut wanted = Termios::default();
    assert_eq!(vm.tcgetattr(DRIVER, 1, MASTER).unwrap(), wanted);
    let cc = PartialTermiosControlChars { veof: Some(1), ..PartialTermiosControlChars::default() };
    let change = PartialTermios { icrnl: Some(false), cc: Some(cc), ..PartialTermios::default() };
    vm.tcsetattr(DRIVER, 1, SLAVE, change).unwrap();
    (wanted.icrnl, wanted.cc.veof) = (false, 1);
    assert_eq!(vm.tcgetattr(DRIVER, 1, MASTER).unwrap(), wanted);
}

#[test]
fn the_last_close_of_an_end_ends_the_other() {
    let mut vm = with_pty();
    let copy = vm.fd_dup(DRIVER, 1, SLAVE).unwrap();
    vm.fd_write(DRIVER, 1, SLAVE, b"bye").unwrap();
    vm.fd_close(DRIVER, 1, SLAVE).unwrap();
    assert_eq!(poll(&vm, MASTER), POLLIN | POLLOUT);
    vm.fd_close(DRIVER, 1, copy).unwrap();
    assert_eq!(poll(&vm, MASTER), POLLIN | POLLHUP);
    assert_eq!(read(&mut vm, MASTER), "bye");
    assert_eq!(read(&mut vm, MASTER), "(end)");
    refused(&mut vm, "EIO", |vm| vm.fd_write(DRIVER, 1, MASTER, b"x"));
}

#[test]
fn the_slave_can_be_opened_by_its_path() {
    let mut vm = with_pty();
    let again = vm.fd_open(DRIVER, 1, "/dev/pts/0", 2, None).unwrap();
    assert!(vm.isatty(DRIVER, 1, again).unwrap());
    type_in(&mut vm, b"x\n");
    assert_eq!(read(&mut vm, again), "x\n");
    assert_eq!(vm.stat("/dev/pts/0").unwrap().mode & 0o777, 0o666);
    assert_eq!(code(vm.fd_open(DRIVER, 1, "/dev/pts/9", 2, None)), "ENOENT");
    let nonblocking = vm.fd_open(DRIVER, 1, "/dev/fd/4", 0o4000, None).unwrap();
    assert_eq!(code(vm.fd_read(DRIVER, 1, nonblocking, 9)), "EAGAIN");
    vm.fd_close(DRIVER, 1, SLAVE).unwrap();
    vm.fd_close(DRIVER, 1, again).unwrap();
    assert_eq!(poll(&vm, MASTER), POLLIN | POLLOUT, "one is open still");
    vm.fd_close(DRIVER, 1, nonblocking).unwrap();
    assert_eq!(poll(&vm, MASTER), POLLIN | POLLHUP);
}

#[test]
fn a_read_waits_for_the_machine_s_time_and_no_longer() {
    let mut vm = with_pty();
    assert_eq!(code(vm.fd_read(DRIVER, 1, SLAVE, 9)), "EAGAIN");
    let late = vm.fd_read_with_timeout_result(DRIVER, 1, SLAVE, 9, Some(Duration::from_secs(9)));
    assert_eq!(code(late), "EAGAIN");
}

#[test]
fn a_shell_leads_the_foreground_of_its_terminal() {
    let mut vm = vm();
    vm.register_driver(CommandDriver::new(DRIVER, ["sh"])).unwrap();
    let shell = vm.open_shell(OpenShellOptions::default()).unwrap();
    let (pid, slave) = (shell.pid(), shell.slave_fd());
    assert_eq!((shell.master_fd(), slave, shell.pty_path()), (3, 4, "/dev/pts/0"));
    assert_eq!(vm.tcgetpgrp(DRIVER, pid, slave).unwrap(), pid);
    assert_eq!(vm.getpgid(DRIVER, pid).unwrap(), pid);
    assert_eq!(vm.list_processes()[&pid].command, "sh");
    vm.fd_write(DRIVER, pid, shell.master_fd(), b"\x03").unwrap();
    assert_eq!(shell.process().wait(Duration::ZERO), Some(130));
    assert_eq!(vm.resource_snapshot().ptys, 0, "gone with its process");
}

#[test]
fn a_shell_that_cannot_be_had_leaves_nothing() {
    let mut vm = vm_with(|config| config.resources.max_ptys = Some(0));
    vm.register_driver(CommandDriver::new(DRIVER, ["sh"])).unwrap();
    let wrong = OpenShellOptions { command: Some("nope".to_owned()), ..Default::default() };
    assert_eq!(code(vm.open_shell(wrong)), "ENOENT");
    assert_eq!(code(vm.open_shell(OpenShellOptions::default())), "EAGAIN");
    assert!(vm.list_processes().is_empty());
}

#[test]
fn limits_hold() {
    let mut vm = vm_with(|config| config.resources.max_ptys = Some(1));
    process(&mut vm, None);
    vm.open_pty(DRIVER, 1).unwrap();
    refused(&mut vm, "EAGAIN", |vm| vm.open_pty(DRIVER, 1));
    let mut vm = vm_with(|config| config.resources.max_open_fds = Some(4));
    process(&mut vm, None);
    refused(&mut vm, "ENFILE", |vm| vm.open_pty(DRIVER, 1));
}
