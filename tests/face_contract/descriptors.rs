//! Section 3: descriptor numbers, flags, duplicates, `/dev/fd`.

use crate::support::{DRIVER, Vm, code, process, refused, vm, vm_with};
use tickernel::fd_table::{
    F_DUPFD, F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, FdStat, O_APPEND, O_CREAT, O_EXCL,
    O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY,
};

/// A machine with process 1 and a file /f of ten bytes.
fn with_file() -> Vm {
    let mut vm = vm();
    process(&mut vm, None);
    vm.write_file("/f", "0123456789").unwrap();
    vm
}

fn open(vm: &mut Vm, flags: u32) -> u32 {
    vm.fd_open(DRIVER, 1, "/f", flags, None).unwrap()
}

fn fcntl(vm: &mut Vm, fd: u32, command: u32, arg: u32) -> u32 {
    vm.fd_fcntl(DRIVER, 1, fd, command, arg).unwrap()
}

#[test]
fn the_lowest_free_number_is_given() {
    let mut vm = with_file();
    assert_eq!([0; 4].map(|_| open(&mut vm, O_RDONLY)), [3, 4, 5, 6]);
    for fd in [5, 0, 3] {
        vm.fd_close(DRIVER, 1, fd).unwrap();
    }
    assert_eq!(open(&mut vm, O_RDONLY), 0);
    assert_eq!(vm.fd_dup(DRIVER, 1, 4).unwrap(), 3);
    assert_eq!(vm.open_pipe(DRIVER, 1).unwrap(), (5, 7), "the reader's is the lower");
}

#[test]
fn f_dupfd_gives_the_lowest_from_a_number_on() {
    let mut vm = with_file();
    assert_eq!(fcntl(&mut vm, 0, F_DUPFD, 0), 3);
    assert_eq!(fcntl(&mut vm, 0, F_DUPFD, 200), 200);
    assert_eq!(fcntl(&mut vm, 0, F_DUPFD, 200), 201);
    assert_eq!(fcntl(&mut vm, 0, F_DUPFD, 255), 255);
    refused(&mut vm, "EMFILE", |vm| vm.fd_fcntl(DRIVER, 1, 0, F_DUPFD, 255));
    for beyond in [256, i32::MAX as u32, u32::MAX] {
        refused(&mut vm, "EINVAL", |vm| vm.fd_fcntl(DRIVER, 1, 0, F_DUPFD, beyond));
    }
}

#[test]
fn dup2_replaces_and_closes() {
    let mut vm = with_file();
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_dup2(DRIVER, 1, write, write).unwrap();
    refused(&mut vm, "EBADF", |vm| vm.fd_dup2(DRIVER, 1, 99, 99));
    refused(&mut vm, "EBADF", |vm| vm.fd_dup2(DRIVER, 1, write, 256));
    refused(&mut vm, "EBADF", |vm| vm.fd_dup2(DRIVER, 1, write, u32::MAX));
    vm.fd_dup2(DRIVER, 1, 0, write).unwrap();
    assert_eq!(vm.fd_read(DRIVER, 1, read, 1).unwrap(), b"", "no writer is left");
    vm.fd_dup2(DRIVER, 1, 0, 255).unwrap();
    assert_eq!(vm.dev_fd_read_dir(DRIVER, 1).unwrap(), ["0", "1", "2", "3", "4", "255"]);
}

#[test]
fn duplicates_share_offset_and_flags_but_not_close_on_exec() {
    let mut vm = with_file();
    let fd = open(&mut vm, O_RDWR | O_NONBLOCK);
    assert_eq!(fcntl(&mut vm, fd, F_SETFD, FD_CLOEXEC), 0);
    vm.fd_dup2(DRIVER, 1, fd, 50).unwrap();
    let twins = [vm.fd_dup(DRIVER, 1, fd).unwrap(), 50, fcntl(&mut vm, fd, F_DUPFD, 60)];
    for twin in twins {
        assert_eq!(fcntl(&mut vm, twin, F_GETFD, 0), 0, "cleared in {twin}");
        assert_eq!(fcntl(&mut vm, twin, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    }
    assert_eq!(fcntl(&mut vm, fd, F_GETFD, 0), FD_CLOEXEC);
    assert_eq!(vm.fd_read(DRIVER, 1, twins[0], 4).unwrap(), b"0123");
    assert_eq!(vm.fd_read(DRIVER, 1, twins[1], 4).unwrap(), b"4567");
    // O_NONBLOCK is the description's.
    fcntl(&mut vm, twins[2], F_SETFL, O_APPEND);
    assert_eq!(fcntl(&mut vm, fd, F_GETFL, 0), O_RDWR | O_APPEND);
}

#[test]
fn fcntl_shows_and_changes_only_what_the_contract_names() {
    let mut vm = with_file();
    let made = O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
    let fd = open(&mut vm, made);
    assert_eq!(fcntl(&mut vm, fd, F_GETFL, 0), O_RDWR | O_APPEND, "no flags of the making");
    assert_eq!(fcntl(&mut vm, fd, F_SETFL, u32::MAX), 0);
    assert_eq!(fcntl(&mut vm, fd, F_GETFL, 0), O_RDWR | O_APPEND | O_NONBLOCK);
    assert_eq!(fcntl(&mut vm, fd, F_SETFL, O_WRONLY | O_EXCL), 0);
    assert_eq!(fcntl(&mut vm, fd, F_GETFL, 0), O_RDWR);
    fcntl(&mut vm, fd, F_SETFD, u32::MAX);
    assert_eq!(fcntl(&mut vm, fd, F_GETFD, 0), FD_CLOEXEC);
    fcntl(&mut vm, fd, F_SETFD, u32::MAX - 1);
    assert_eq!(fcntl(&mut vm, fd, F_GETFD, 0), 0);
    for command in [5, 6, 7, 8, 9, 1024, 1030, 1031, u32::MAX] {
        refused(&mut vm, "EINVAL", |vm| vm.fd_fcntl(DRIVER, 1, fd, command, 0));
    }
    for command in [F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL] {
        refused(&mut vm, "EBADF", |vm| vm.fd_fcntl(DRIVER, 1, 99, command, 0));
    }
}

#[test]
fn a_descriptor_shows_its_type_flags_and_path() {
    let mut vm = with_file();
    vm.mkdir("/d", false).unwrap();
    vm.symlink("/f", "/l").unwrap();
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    let file = vm.fd_open(DRIVER, 1, "/l", O_WRONLY | O_APPEND, None).unwrap();
    let directory = vm.fd_open(DRIVER, 1, "/d/", O_RDONLY, None).unwrap();
    let null = vm.fd_open(DRIVER, 1, "/dev/null", O_RDWR, None).unwrap();
    let stat = |filetype, flags| FdStat { filetype, flags, rights: 0 };
    let wanted = [
        (0, stat(2, O_RDONLY), "/dev/stdin"),
        (read, stat(6, 0), ":read"),
        (write, stat(6, O_WRONLY), ":write"),
        (file, stat(4, O_WRONLY | O_APPEND), "/f"),
        (directory, stat(3, O_RDONLY), "/d"),
        (null, stat(2, O_RDWR), "/dev/null"),
    ];
    for (fd, stat, path) in wanted {
        assert_eq!(vm.fd_stat(DRIVER, 1, fd).unwrap(), stat, "{path}");
        let told = vm.fd_path(DRIVER, 1, fd).unwrap();
        assert!(told.ends_with(path), "{told} is not {path}");
    }
    let ends = [read, write].map(|fd| vm.fd_path(DRIVER, 1, fd).unwrap());
    let number = |path: &str| path.split(':').nth(1).unwrap().parse::<u64>().unwrap();
    assert!(ends.iter().all(|path| path.starts_with("pipe:")));
    assert_eq!(number(&ends[0]), number(&ends[1]));
}

#[test]
fn dev_fd_lists_and_stats_what_is_open() {
    let mut vm = with_file();
    let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
    let file = open(&mut vm, O_RDONLY);
    vm.fd_dup2(DRIVER, 1, file, 10).unwrap();
    assert_eq!(vm.dev_fd_read_dir(DRIVER, 1).unwrap(), ["0", "1", "2", "3", "4", "5", "10"]);
    let stat = vm.dev_fd_stat(DRIVER, 1, read).unwrap();
    assert_eq!((stat.mode, stat.size, stat.blocks, stat.dev), (0o666, 0, 0, 2));
    let stat = vm.dev_fd_stat(DRIVER, 1, file).unwrap();
    assert_eq!(stat, vm.stat("/f").unwrap());
    assert_eq!(vm.dev_fd_stat(DRIVER, 1, 0).unwrap().mode & 0o777, 0o666);
    let mut vm = vm_with(|config| config.resources.max_readdir_entries = Some(2));
    process(&mut vm, None);
    refused(&mut vm, "ENOMEM", |vm| vm.dev_fd_read_dir(DRIVER, 1));
}

#[test]
fn dev_fd_opens_what_a_descriptor_is_open_on() {
    let mut vm = with_file();
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    let path = format!("/dev/fd/{read}");
    let own = vm.fd_open(DRIVER, 1, &path, O_RDONLY | O_NONBLOCK, None).unwrap();
    assert_eq!(fcntl(&mut vm, own, F_GETFL, 0), O_NONBLOCK, "on the new descriptor only");
    assert_eq!(fcntl(&mut vm, read, F_GETFL, 0), 0);
    vm.fd_write(DRIVER, 1, write, b"ab").unwrap();
    assert_eq!(vm.fd_read(DRIVER, 1, own, 1).unwrap(), b"a");
    assert_eq!(vm.fd_read(DRIVER, 1, read, 9).unwrap(), b"b");
    refused(&mut vm, "EAGAIN", |vm| vm.fd_read(DRIVER, 1, own, 1));
    let file = open(&mut vm, O_RDONLY);
    let twin = vm.fd_open(DRIVER, 1, &format!("/dev/fd/{file}"), O_RDONLY, None).unwrap();
    assert_eq!(vm.fd_read(DRIVER, 1, file, 2).unwrap(), b"01");
    assert_eq!(vm.fd_read(DRIVER, 1, twin, 2).unwrap(), b"23", "one offset");
    for bad in ["99", "-1", "x", "", "4294967296", "3/x"] {
        let path = format!("/dev/fd/{bad}");
        let result = vm.fd_open(DRIVER, 1, &path, O_RDONLY, None);
        if !bad.is_empty() {
            assert_eq!(code(result), "EBADF", "{path}");
        }
    }
}

#[test]
fn the_access_mode_counts_when_bytes_are_moved() {
    let mut vm = with_file();
    let (reads, writes) = (open(&mut vm, O_RDONLY), open(&mut vm, O_WRONLY));
    refused(&mut vm, "EBADF", |vm| vm.fd_write(DRIVER, 1, reads, b"x"));
    refused(&mut vm, "EBADF", |vm| vm.fd_pwrite(DRIVER, 1, reads, b"x", 0));
    refused(&mut vm, "EBADF", |vm| vm.fd_read(DRIVER, 1, writes, 1));
    refused(&mut vm, "EBADF", |vm| vm.fd_pread(DRIVER, 1, writes, 1, 0));
    assert_eq!(vm.read_file("/f").unwrap(), b"0123456789");
}

#[test]
fn a_closed_descriptor_is_closed() {
    let mut vm = with_file();
    let fd = open(&mut vm, O_RDWR);
    vm.fd_close(DRIVER, 1, fd).unwrap();
    refused(&mut vm, "EBADF", |vm| vm.fd_close(DRIVER, 1, fd));
    refused(&mut vm, "EBADF", |vm| vm.fd_read(DRIVER, 1, fd, 1));
    refused(&mut vm, "EBADF", |vm| vm.fd_dup(DRIVER, 1, fd));
    refused(&mut vm, "EBADF", |vm| vm.fd_stat(DRIVER, 1, fd));
    refused(&mut vm, "EBADF", |vm| vm.fd_path(DRIVER, 1, fd));
    refused(&mut vm, "EBADF", |vm| vm.isatty(DRIVER, 1, fd));
}

#[test]
fn a_descriptor_limit_is_a_processs_and_the_machines() {
    let mut vm = vm_with(|config| config.resources.max_open_fds = Some(8));
    process(&mut vm, None);
    for fd in 3..8 {
        assert_eq!(vm.fd_dup(DRIVER, 1, 0).unwrap(), fd);
    }
    let before = vm.dev_fd_read_dir(DRIVER, 1).unwrap();
    let full = code(vm.fd_dup(DRIVER, 1, 0));
    assert!(["EMFILE", "ENFILE"].contains(&full), "{full}");
    assert_eq!(code(vm.open_pipe(DRIVER, 1)), full);
    assert_eq!(code(vm.fd_open(DRIVER, 1, "/dev/null", O_RDONLY, None)), full);
    assert_eq!(vm.dev_fd_read_dir(DRIVER, 1).unwrap(), before);
    assert_eq!(vm.resource_snapshot().pipes, 0);
    vm.fd_dup2(DRIVER, 1, 0, 7).unwrap();
    assert_eq!(code(vm.fd_dup2(DRIVER, 1, 0, 8)), "EBADF");
}
