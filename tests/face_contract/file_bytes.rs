//! Section 3: opening files; their bytes, offsets and locks by descriptor.

use crate::support::{DRIVER, Vm, code, config, process, refused, says, vm, vm_with, watched};
use tickernel::fd_table::{
    LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC,
    O_WRONLY,
};
use tickernel::kernel::{KernelVm, SEEK_CUR, SEEK_END, SEEK_SET};
use tickernel::vfs::{MemoryFileSystem, VirtualTimeSpec, VirtualUtimeSpec};

fn with_file() -> Vm {
    let mut vm = vm();
    process(&mut vm, None);
    vm.write_file("/f", "0123456789").unwrap();
    vm
}

fn open(vm: &mut Vm, path: &str, flags: u32) -> u32 {
    vm.fd_open(DRIVER, 1, path, flags, None).unwrap()
}

#[test]
fn a_file_is_made_with_its_parents_and_less_the_umask() {
    let mut vm = with_file();
    open(&mut vm, "/a/b/c", O_CREAT);
    assert_eq!(vm.stat("/a/b/c").unwrap().mode, 0o100_644);
    assert_eq!(vm.stat("/a/b").unwrap().mode, 0o040_755);
    vm.umask(DRIVER, 1, Some(0o027)).unwrap();
    vm.fd_open(DRIVER, 1, "/m", O_CREAT | O_WRONLY, Some(0o777)).unwrap();
    assert_eq!(vm.stat("/m").unwrap().mode, 0o100_750);
    vm.fd_open(DRIVER, 1, "/m", O_CREAT | O_RDWR, Some(0o600)).unwrap();
    assert_eq!(vm.stat("/m").unwrap().mode, 0o100_750, "what is there keeps its mode");
    refused(&mut vm, "ENOENT", |vm| vm.fd_open(DRIVER, 1, "/none", O_RDWR, None));
    refused(&mut vm, "ENOTDIR", |vm| vm.fd_open(DRIVER, 1, "/f/x", O_CREAT, None));
}

#[test]
fn a_path_is_taken_from_the_root_whatever_the_directory() {
    let mut vm = with_file();
    open(&mut vm, "f", O_RDONLY);
    open(&mut vm, "./d/../f", O_RDONLY);
    open(&mut vm, "", O_RDONLY);
    assert_eq!(vm.fd_path(DRIVER, 1, 5).unwrap(), "/");
}

#[test]
fn an_exclusive_open_makes_or_refuses() {
    let mut vm = with_file();
    let exclusive = O_CREAT | O_EXCL | O_RDWR;
    open(&mut vm, "/new", exclusive);
    refused(&mut vm, "EEXIST", |vm| vm.fd_open(DRIVER, 1, "/new", exclusive, None));
    refused(&mut vm, "EEXIST", |vm| vm.fd_open(DRIVER, 1, "/dev/null", exclusive, None));
    open(&mut vm, "/f", O_EXCL | O_RDWR);
}

#[test]
fn truncation_needs_no_writing() {
    let mut vm = with_file();
    open(&mut vm, "/f", O_RDONLY | O_TRUNC);
    assert_eq!(vm.read_file("/f").unwrap(), b"");
}

#[test]
fn an_open_file_outlives_its_name() {
    let mut vm = with_file();
    let fd = open(&mut vm, "/f", O_RDWR);
    vm.rename("/f", "/g").unwrap();
    vm.write_file("/f", "other").unwrap();
    vm.fd_pwrite(DRIVER, 1, fd, b"X", 0).unwrap();
    assert_eq!(vm.read_file("/g").unwrap(), b"X123456789");
    vm.remove_file("/g").unwrap();
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 99).unwrap(), b"X123456789");
    assert_eq!(vm.fd_write(DRIVER, 1, fd, b"!").unwrap(), 1);
    assert_eq!(vm.dev_fd_stat(DRIVER, 1, fd).unwrap().nlink, 0);
    assert_eq!(vm.read_file("/f").unwrap(), b"other");
}

#[test]
fn reads_and_writes_move_the_offset_and_fill_gaps() {
    let mut vm = with_file();
    let fd = open(&mut vm, "/f", O_RDWR);
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 3).unwrap(), b"012");
    assert_eq!(vm.fd_write(DRIVER, 1, fd, b"abc").unwrap(), 3);
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 99).unwrap(), b"6789");
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 99).unwrap(), b"");
    let end = vm.fd_read_with_timeout_result(DRIVER, 1, fd, 99, None).unwrap();
    assert_eq!(end.unwrap_or_default(), b"", "the end of a file");
    assert_eq!(vm.fd_seek(DRIVER, 1, fd, 2, SEEK_END).unwrap(), 12);
    vm.fd_write(DRIVER, 1, fd, b"z").unwrap();
    assert_eq!(vm.read_file("/f").unwrap(), b"012abc6789\0\0z");
    assert_eq!(vm.fd_pwrite(DRIVER, 1, fd, b"P", 1).unwrap(), 1);
    assert_eq!(vm.fd_pread(DRIVER, 1, fd, 3, 0).unwrap(), b"0P2");
    assert_eq!(vm.fd_pread(DRIVER, 1, fd, 3, 99).unwrap(), b"");
    assert_eq!(vm.fd_seek(DRIVER, 1, fd, 0, SEEK_CUR).unwrap(), 13, "neither moved it");
}

#[test]
fn an_append_goes_to_the_end_and_the_offset_with_it() {
    let mut vm = with_file();
    let fd = open(&mut vm, "/f", O_RDWR | O_APPEND);
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 2).unwrap(), b"01");
    vm.write_file("/f", "longer than it was").unwrap();
    vm.fd_write(DRIVER, 1, fd, b"!").unwrap();
    assert_eq!(vm.fd_seek(DRIVER, 1, fd, 0, SEEK_CUR).unwrap(), 19);
    assert_eq!(vm.read_file("/f").unwrap(), b"longer than it was!");
}

#[test]
fn a_seek_may_go_beyond_the_end_but_not_before_the_start() {
    let mut vm = with_file();
    let fd = open(&mut vm, "/f", O_RDWR);
    assert_eq!(vm.fd_seek(DRIVER, 1, fd, 1 << 40, SEEK_SET).unwrap(), 1 << 40);
    assert_eq!(vm.fd_seek(DRIVER, 1, fd, -1, SEEK_CUR).unwrap(), (1 << 40) - 1);
    assert_eq!(vm.fd_seek(DRIVER, 1, fd, -10, SEEK_END).unwrap(), 0);
    for (offset, whence) in [(-1, SEEK_SET), (-1, SEEK_CUR), (-11, SEEK_END), (i64::MIN, SEEK_END)]
    {
        refused(&mut vm, "EINVAL", |vm| vm.fd_seek(DRIVER, 1, fd, offset, whence));
    }
    for whence in [3, 4, 5, 255] {
        refused(&mut vm, "EINVAL", |vm| vm.fd_seek(DRIVER, 1, fd, 0, whence));
    }
    vm.fd_seek(DRIVER, 1, fd, i64::MAX, SEEK_SET).unwrap();
    refused(&mut vm, "EINVAL", |vm| vm.fd_seek(DRIVER, 1, fd, 1, SEEK_CUR));
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    for end in [read, write] {
        refused(&mut vm, "ESPIPE", |vm| vm.fd_seek(DRIVER, 1, end, 0, SEEK_CUR));
        refused(&mut vm, "ESPIPE", |vm| vm.fd_pwrite(DRIVER, 1, end, b"x", 0));
        refused(&mut vm, "ESPIPE", |vm| vm.fd_pread(DRIVER, 1, end, 1, 0));
    }
}

#[test]
fn long_reads_and_writes_are_refused_with_their_length() {
    let mut vm = vm_with(|config| {
        config.resources.max_pread_bytes = Some(8);
        config.resources.max_fd_write_bytes = Some(8);
    });
    process(&mut vm, None);
    vm.write_file("/f", "0123456789").unwrap();
    let fd = open(&mut vm, "/f", O_RDWR);
    says(vm.fd_read(DRIVER, 1, fd, 9), "EINVAL", "pread length 9 ");
    says(vm.fd_pread(DRIVER, 1, fd, 9, 0), "EINVAL", "pread length 9 ");
    says(vm.pread_file("/f", 0, 9), "EINVAL", "pread length 9 ");
    says(vm.fd_write(DRIVER, 1, fd, &[0; 9]), "EINVAL", "9");
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 8).unwrap(), b"01234567");
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_write(DRIVER, 1, write, b"12345678").unwrap();
    vm.fd_write(DRIVER, 1, write, b"9").unwrap();
    assert_eq!(vm.fd_read(DRIVER, 1, read, 99).unwrap(), b"123456789", "not of pipes");
}

#[test]
fn absurd_offsets_change_nothing() {
    let mut vm = vm_with(|config| {
        config.resources.max_filesystem_bytes = None;
        config.resources.max_inode_count = None;
    });
    process(&mut vm, None);
    vm.write_file("/f", "x").unwrap();
    let fd = open(&mut vm, "/f", O_RDWR);
    refused(&mut vm, "EINVAL", |vm| vm.fd_pwrite(DRIVER, 1, fd, b"xy", u64::MAX));
    for offset in [1 << 62, i64::MAX as u64, u64::MAX - 2] {
        let told = code(vm.fd_pwrite(DRIVER, 1, fd, b"xy", offset));
        assert!(["ENOMEM", "EFBIG", "EINVAL"].contains(&told), "{offset}: {told}");
    }
    for offset in [1 << 62, u64::MAX] {
        let told = code(vm.truncate("/f", offset));
        assert!(["ENOMEM", "EFBIG", "EINVAL"].contains(&told), "{offset}: {told}");
        let told = code(vm.pwrite_file("/f", offset, "xy"));
        assert!(["ENOMEM", "EFBIG", "EINVAL"].contains(&told), "{offset}: {told}");
    }
    assert_eq!(vm.read_file("/f").unwrap(), b"x");
    assert_eq!(vm.fd_pread(DRIVER, 1, fd, 9, u64::MAX).unwrap(), b"");
    assert_eq!(vm.pread_file("/f", u64::MAX, 9).unwrap(), b"");
}

#[test]
fn futimes_sets_the_times_of_what_is_open() {
    let mut vm = with_file();
    let fd = open(&mut vm, "/f", O_RDONLY);
    let time = |sec, nsec| VirtualUtimeSpec::Set(VirtualTimeSpec { sec, nsec });
    vm.futimes(DRIVER, 1, fd, time(5, 7_000_001), VirtualUtimeSpec::Omit).unwrap();
    let stat = vm.stat("/f").unwrap();
    assert_eq!((stat.atime_ms, stat.atime_nsec), (5_007, 7_000_001));
    assert!(stat.mtime_ms > 5_007);
    let omit = VirtualUtimeSpec::Omit;
    refused(&mut vm, "EBADF", |vm| vm.futimes(DRIVER, 1, 99, omit, omit));
    refused(&mut vm, "EINVAL", |vm| vm.futimes(DRIVER, 1, fd, time(-1, 0), omit));
    refused(&mut vm, "EINVAL", |vm| vm.futimes(DRIVER, 1, fd, omit, time(0, u32::MAX)));
}

#[test]
fn a_lock_belongs_to_the_description() {
    let mut vm = with_file();
    let one = open(&mut vm, "/f", O_RDONLY);
    let twin = vm.fd_dup(DRIVER, 1, one).unwrap();
    let other = open(&mut vm, "/f", O_WRONLY);
    let lock = |vm: &mut Vm, fd, how| vm.fd_flock(DRIVER, 1, fd, how | LOCK_NB);
    lock(&mut vm, one, LOCK_EX).unwrap();
    lock(&mut vm, twin, LOCK_EX).unwrap();
    says(lock(&mut vm, other, LOCK_SH), "EWOULDBLOCK", &other.to_string());
    refused(&mut vm, "EWOULDBLOCK", |vm| vm.fd_flock(DRIVER, 1, other, LOCK_EX | LOCK_NB));
    lock(&mut vm, one, LOCK_SH).unwrap();
    lock(&mut vm, other, LOCK_SH).unwrap();
    refused(&mut vm, "EWOULDBLOCK", |vm| vm.fd_flock(DRIVER, 1, one, LOCK_EX | LOCK_NB));
    vm.fd_close(DRIVER, 1, one).unwrap();
    assert_eq!(code(lock(&mut vm, other, LOCK_EX)), "EWOULDBLOCK", "the twin still holds it");
    vm.fd_close(DRIVER, 1, twin).unwrap();
    lock(&mut vm, other, LOCK_EX).unwrap();
    lock(&mut vm, other, LOCK_UN).unwrap();
    lock(&mut vm, other, LOCK_UN).unwrap();
    // An exit gives it back; a child shares it until then.
    lock(&mut vm, other, LOCK_EX).unwrap();
    process(&mut vm, Some(1));
    process(&mut vm, None);
    vm.exit_process(DRIVER, 1, 0).unwrap();
    let third = vm.fd_open(DRIVER, 3, "/f", O_RDONLY, None).unwrap();
    assert_eq!(code(vm.fd_flock(DRIVER, 3, third, LOCK_EX | LOCK_NB)), "EWOULDBLOCK");
    vm.exit_process(DRIVER, 2, 0).unwrap();
    vm.fd_flock(DRIVER, 3, third, LOCK_EX | LOCK_NB).unwrap();
}

#[test]
fn a_lock_has_one_operation() {
    let mut vm = with_file();
    let fd = open(&mut vm, "/f", O_RDONLY);
    for bad in [0, LOCK_SH | LOCK_EX, LOCK_EX | LOCK_UN, LOCK_NB, 16, u32::MAX] {
        refused(&mut vm, "EINVAL", |vm| vm.fd_flock(DRIVER, 1, fd, bad));
    }
    refused(&mut vm, "EBADF", |vm| vm.fd_flock(DRIVER, 1, 99, LOCK_EX));
}

#[test]
fn a_lock_is_waited_for() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    process(&mut vm, None);
    process(&mut vm, None);
    vm.write_file("/f", "x").unwrap();
    let [one, two] = [1, 2].map(|pid| vm.fd_open(DRIVER, pid, "/f", O_RDONLY, None).unwrap());
    vm.fd_flock(DRIVER, 1, one, LOCK_EX).unwrap();
    let vm = vm.into_shared();
    let waiting = vm.clone();
    let waiter = std::thread::spawn(move || waiting.fd_flock(DRIVER, 2, two, LOCK_EX));
    vm.fd_flock(DRIVER, 1, one, LOCK_UN).unwrap();
    watched("a wait for a lock", move || waiter.join().unwrap()).unwrap();
    assert_eq!(code(vm.fd_flock(DRIVER, 1, one, LOCK_SH | LOCK_NB)), "EWOULDBLOCK");
}
