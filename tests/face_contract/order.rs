//! Section 0: which check comes first; codes and messages.

use crate::support::{DRIVER, Vm, code, process, process_of, says, vm, vm_with};
use tickernel::fd_table::{O_CREAT, O_RDONLY, O_RDWR};
use tickernel::kernel::{
    ExecOptions, KernelError, KernelResult, SpawnOptions, VirtualProcessOptions, WaitPidFlags,
};
use tickernel::poll::{POLLIN, PollFd};
use tickernel::process_table::{SigmaskHow, SignalSet};
use tickernel::vfs::{VfsError, VirtualFileSystem, VirtualUtimeSpec};

const DISPOSED: &str = "kernel VM is disposed";

fn done<T>(result: KernelResult<T>) -> KernelResult<()> {
    result.map(drop)
}

fn virtual_process(vm: &mut Vm) -> KernelResult<()> {
    let options = VirtualProcessOptions::default();
    done(vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options))
}

/// The methods that look first whether the machine has been disposed of.
fn those_that_test_disposed() -> Vec<fn(&mut Vm) -> KernelResult<()>> {
    vec![
        |vm| done(vm.read_file("/f")),
        |vm| done(vm.pread_file("/f", 0, 1)),
        |vm| done(vm.read_file_for_process("nobody", 9, "/f")),
        |vm| vm.write_file("/f", "x"),
        |vm| vm.pwrite_file("/f", 0, "x"),
        |vm| vm.write_file_for_process("nobody", 9, "/f", "x", None),
        |vm| vm.create_dir("/d"),
        |vm| vm.create_dir_for_process("nobody", 9, "/d", None),
        |vm| vm.mkdir("/d", true),
        |vm| vm.mkdir_for_process("nobody", 9, "/d", true, None),
        |vm| done(vm.exists("/f")),
        |vm| done(vm.exists_for_process("nobody", 9, "/f")),
        |vm| done(vm.stat("/f")),
        |vm| done(vm.stat_for_process("nobody", 9, "/f")),
        |vm| done(vm.lstat("/f")),
        |vm| done(vm.lstat_for_process("nobody", 9, "/f")),
        |vm| done(vm.read_link("/f")),
        |vm| done(vm.read_link_for_process("nobody", 9, "/f")),
        |vm| done(vm.read_dir("/")),
        |vm| done(vm.read_dir_for_process("nobody", 9, "/")),
        |vm| done(vm.read_dir_with_types("/")),
        |vm| done(vm.read_dir_with_types_for_process("nobody", 9, "/")),
        |vm| vm.remove_file("/f"),
        |vm| vm.remove_dir("/d"),
        |vm| vm.rename("/f", "/g"),
        |vm| done(vm.realpath("/f")),
        |vm| done(vm.realpath_for_process("nobody", 9, "/f")),
        |vm| vm.symlink("/f", "/l"),
        |vm| vm.chmod("/f", 0),
        |vm| vm.link("/f", "/l"),
        |vm| vm.chown("/f", 0, 0),
        |vm| vm.utimes("/f", 0, 0),
        |vm| vm.utimes_spec("/f", VirtualUtimeSpec::Now, VirtualUtimeSpec::Now),
        |vm| vm.lutimes("/f", VirtualUtimeSpec::Now, VirtualUtimeSpec::Now),
        |vm| vm.truncate("/f", 0),
        |vm| done(vm.exec("true", ExecOptions::default())),
        |vm| done(vm.spawn_process("sh", Vec::new(), SpawnOptions::default())),
        virtual_process,
        |vm| done(vm.fd_open("nobody", 9, "/f", O_RDONLY, None)),
        |vm| done(vm.open_pipe("nobody", 9)),
        |vm| vm.futimes("nobody", 9, 9, VirtualUtimeSpec::Now, VirtualUtimeSpec::Now),
        |vm| vm.register_driver(tickernel::command_registry::CommandDriver::new("e", ["x", ".."])),
    ]
}

#[test]
fn a_disposed_machine_says_so_before_all_else() {
    let mut vm = vm();
    process(&mut vm, None);
    vm.dispose().unwrap();
    for call in those_that_test_disposed() {
        says(call(&mut vm), "EINVAL", DISPOSED);
    }
}

#[test]
fn the_rest_of_a_disposed_machine_answers_as_if_its_processes_had_ended() {
    let mut vm = vm();
    process(&mut vm, None);
    vm.dispose().unwrap();
    let calls: Vec<fn(&mut Vm) -> KernelResult<()>> = vec![
        |vm| done(vm.process_identity(DRIVER, 1)),
        |vm| done(vm.getuid(DRIVER, 1)),
        |vm| done(vm.getgroups(DRIVER, 1)),
        |vm| done(vm.umask(DRIVER, 1, Some(0))),
        |vm| done(vm.waitpid_with_options(DRIVER, 1, -1, WaitPidFlags::WNOHANG)),
        |vm| vm.exit_process(DRIVER, 1, 0),
        |vm| done(vm.fd_read(DRIVER, 1, 0, 1)),
        |vm| done(vm.fd_write(DRIVER, 1, 1, b"x")),
        |vm| done(vm.fd_seek(DRIVER, 1, 0, 0, 0)),
        |vm| done(vm.fd_pread(DRIVER, 1, 0, 1, 0)),
        |vm| done(vm.fd_pwrite(DRIVER, 1, 1, b"x", 0)),
        |vm| done(vm.fd_dup(DRIVER, 1, 0)),
        |vm| vm.fd_dup2(DRIVER, 1, 0, 1),
        |vm| vm.fd_close(DRIVER, 1, 0),
        |vm| done(vm.fd_fcntl(DRIVER, 1, 0, 3, 0)),
        |vm| vm.fd_flock(DRIVER, 1, 0, 8),
        |vm| done(vm.fd_stat(DRIVER, 1, 0)),
        |vm| done(vm.isatty(DRIVER, 1, 0)),
        |vm| done(vm.dev_fd_read_dir(DRIVER, 1)),
        |vm| done(vm.dev_fd_stat(DRIVER, 1, 0)),
        |vm| done(vm.poll_fds(DRIVER, 1, vec![PollFd::new(0, POLLIN)], 0)),
        |vm| vm.kill_process(DRIVER, 1, 15),
        |vm| vm.setpgid(DRIVER, 1, 0),
        |vm| done(vm.getpgid(DRIVER, 1)),
        |vm| done(vm.setsid(DRIVER, 1)),
        |vm| done(vm.sigprocmask(DRIVER, 1, SigmaskHow::Block, SignalSet::empty())),
        |vm| done(vm.sigpending(DRIVER, 1)),
    ];
    for (at, call) in calls.into_iter().enumerate() {
        assert_eq!(code(call(&mut vm)), "ESRCH", "call {at}");
    }
    // A look asks nobody.
    assert_eq!(vm.resource_snapshot().running_processes, 0);
    assert!(vm.getpwuid(1000).is_ok());
    assert_eq!(vm.waitpid(1).unwrap().status, 143);
    assert!(vm.list_processes().is_empty());
}

#[test]
fn a_pid_that_nobody_owns_is_esrch_and_anothers_is_eperm() {
    let mut vm = vm();
    process_of(&mut vm, "one", None);
    let words = "driver \"two\" does not own PID 1";
    says(vm.getpid("two", 1), "EPERM", words);
    says(vm.fd_write("two", 1, 99, b"x"), "EPERM", words);
    says(vm.getpid("", 1), "EPERM", "does not own PID 1");
    says(vm.getpid("one", 2), "ESRCH", "2");
    vm.exit_process("one", 1, 0).unwrap();
    says(vm.getpid("one", 1), "ESRCH", "1");
    says(vm.getpid("two", 1), "ESRCH", "1");
}

#[test]
fn the_requester_and_the_driver_own_a_process() {
    let mut vm = vm();
    let options = VirtualProcessOptions::default();
    let handle = vm.create_virtual_process("asks", "plays", "job", Vec::new(), options).unwrap();
    assert_eq!((handle.driver(), handle.pid()), ("plays", 1));
    assert_eq!(vm.getpid("asks", 1).unwrap(), 1);
    assert_eq!(vm.getpid("plays", 1).unwrap(), 1);
    assert_eq!(code(vm.getpid("job", 1)), "EPERM");
    assert_eq!(vm.list_processes()[&1].driver, "plays");
}

#[test]
fn path_methods_and_waitpid_need_no_owner() {
    let mut vm = vm();
    process_of(&mut vm, "one", None);
    vm.write_file("/f", "x").unwrap();
    assert_eq!(vm.list_processes().len(), 1);
    vm.exit_process("one", 1, 7).unwrap();
    assert_eq!(vm.wait_and_reap(1).unwrap(), (1, 7));
}

#[test]
fn ownership_comes_before_the_descriptor_and_the_descriptor_before_the_operation() {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(code(vm.fd_seek("e", 1, 99, -1, 9)), "EPERM");
    assert_eq!(code(vm.fd_seek(DRIVER, 1, 99, -1, 9)), "EBADF");
    assert_eq!(code(vm.fd_flock(DRIVER, 1, 99, 77)), "EBADF");
    assert_eq!(code(vm.fd_dup2(DRIVER, 1, 99, 1_000)), "EBADF");
    assert_eq!(code(vm.dev_fd_stat(DRIVER, 1, 99)), "EBADF");
}

#[test]
fn limits_come_before_the_access_mode() {
    let mut vm = vm_with(|config| config.resources.max_filesystem_bytes = Some(64));
    process(&mut vm, None);
    vm.write_file("/f", "x").unwrap();
    let fd = vm.fd_open(DRIVER, 1, "/f", O_RDONLY, None).unwrap();
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"x", 100)), "ENOSPC");
    assert_eq!(code(vm.fd_write(DRIVER, 1, fd, &[0; 100])), "ENOSPC");
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"x", 0)), "EBADF");
    let mut vm = vm_with(|config| config.resources.max_fd_write_bytes = Some(4));
    process(&mut vm, None);
    vm.write_file("/f", "x").unwrap();
    let fd = vm.fd_open(DRIVER, 1, "/f", O_RDONLY, None).unwrap();
    assert_eq!(code(vm.fd_write(DRIVER, 1, fd, b"12345")), "EINVAL");
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"12345", 0)), "EINVAL");
    assert_eq!(code(vm.fd_write(DRIVER, 1, fd, b"1234")), "EBADF");
}

#[test]
fn the_guard_comes_before_the_access_mode_too() {
    let mut files = tickernel::vfs::MemoryFileSystem::new();
    files.write_file("/etc/agentos/f", "x").unwrap();
    let mut vm = tickernel::kernel::KernelVm::new(files, crate::support::config());
    process(&mut vm, None);
    let fd = vm.fd_open(DRIVER, 1, "/etc/agentos/f", O_RDONLY, None).unwrap();
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"x", 0)), "EROFS");
    assert_eq!(code(vm.fd_write(DRIVER, 1, fd, b"x")), "EROFS");
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 9).unwrap(), b"x");
}

#[test]
fn a_code_stands_once_in_the_text() {
    let error = KernelError::from(VfsError::new("EIO", "EIO: twice"));
    assert_eq!(error.to_string(), "EIO: twice");
    let mut vm = vm();
    process(&mut vm, None);
    says(vm.read_file("/none"), "ENOENT", "/none");
    says(vm.fd_close(DRIVER, 1, 77), "EBADF", "77");
    says(vm.fd_open(DRIVER, 1, "/d/none", O_RDWR, None), "ENOENT", "/d/none");
    vm.write_file("/file", "x").unwrap();
    says(vm.fd_open(DRIVER, 1, "/file/x", O_CREAT, None), "ENOTDIR", "/file/x");
    says(vm.spawn_process("none", Vec::new(), SpawnOptions::default()), "ENOENT", "none");
}
