//! The public face on the core: what SEMANTICS.md says of processes, descriptors, pipes and files.

#[path = "face/out.rs"]
mod out;

use out::{Out, replayed_digest};
use std::time::Duration;
use tickernel::bridge::LifecycleState;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{O_CREAT, O_NONBLOCK, O_RDWR};
use tickernel::kernel::{
    FaceClock, KernelVm, KernelVmConfig, SpawnOptions, VirtualProcessOptions, WaitPidFlags,
};
use tickernel::permissions::Permissions;
use tickernel::vfs::MemoryFileSystem;

fn vm() -> KernelVm<MemoryFileSystem> {
    let mut config = KernelVmConfig::new("test");
    config.permissions = Permissions::allow_all();
    config.clock = FaceClock::Virtual;
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
    vm.register_driver(CommandDriver::new("shell", ["sh", "cat"])).unwrap();
    vm
}

#[test]
fn a_process_lives_and_is_waited_for() {
    let mut vm = vm();
    assert_eq!(vm.state(), LifecycleState::Ready);
    let process = vm.spawn_process("sh", vec!["-c".into()], SpawnOptions::default()).unwrap();
    assert_eq!((process.pid(), process.driver()), (1, "shell"));
    assert_eq!(vm.state(), LifecycleState::Busy);
    assert_eq!(vm.resource_snapshot().open_fds, 3);
    process.finish(7);
    process.finish(8);
    assert_eq!(process.wait(Duration::ZERO), Some(7));
    assert_eq!(vm.resource_snapshot().open_fds, 0);
    assert_eq!(vm.getpid("shell", 1).unwrap_err().code(), "ESRCH");
    assert_eq!(vm.list_processes()[&1].exit_code, Some(7));
    let result = vm.waitpid(1).unwrap();
    assert_eq!((result.pid, result.status), (1, 7));
    assert_eq!(vm.waitpid(1).unwrap_err().code(), "ESRCH");
}

#[test]
fn a_child_is_waited_for_by_its_parent() {
    let mut vm = vm();
    let parent = vm.spawn_process("sh", vec![], SpawnOptions::default()).unwrap();
    let options = SpawnOptions { parent_pid: Some(1), ..SpawnOptions::default() };
    let child = vm.spawn_process("cat", vec![], options).unwrap();
    assert_eq!(vm.getppid("shell", child.pid()).unwrap(), parent.pid());
    let none = vm.waitpid_with_options("shell", 1, -1, WaitPidFlags::WNOHANG).unwrap();
    assert_eq!(none, None);
    child.kill(15);
    assert_eq!(child.wait(Duration::ZERO), Some(143));
    assert_eq!(child.kill_signals(), [15]);
    assert_eq!(parent.kill_signals(), [17]);
    let ended = vm.waitpid_with_options("shell", 1, -1, WaitPidFlags::empty()).unwrap().unwrap();
    assert_eq!((ended.pid, ended.status), (2, 143));
    assert_eq!(
        vm.waitpid_with_options("shell", 1, -1, WaitPidFlags::empty()).unwrap_err().code(),
        "ECHILD"
    );
}

#[test]
fn a_pipe_times_out_and_ends() {
    let mut vm = vm();
    vm.spawn_process("sh", vec![], SpawnOptions::default()).unwrap();
    let (read, write) = vm.open_pipe("shell", 1).unwrap();
    assert_eq!((read, write), (3, 4));
    assert_eq!(vm.fd_write("shell", 1, write, b"hello").unwrap(), 5);
    assert_eq!(vm.fd_read("shell", 1, read, 64).unwrap(), b"hello");
    let error = vm.fd_read_with_timeout_result("shell", 1, read, 1, Some(Duration::from_secs(9)));
    assert_eq!(error.unwrap_err().code(), "EAGAIN");
    assert_eq!(vm.fd_read("shell", 1, read, 1).unwrap_err().code(), "EAGAIN");
    vm.fd_close("shell", 1, write).unwrap();
    assert_eq!(vm.fd_read_with_timeout_result("shell", 1, read, 1, None).unwrap(), None);
    assert_eq!(vm.fd_write("shell", 1, read, b"x").unwrap_err().code(), "EBADF");
}

#[test]
fn files_by_path_and_by_descriptor_are_the_same() {
    let mut vm = vm();
    vm.spawn_process("sh", vec![], SpawnOptions::default()).unwrap();
    vm.write_file("/a/b/c", "content").unwrap();
    assert_eq!(vm.read_file("/a/b/../b/c").unwrap(), b"content");
    let fd = vm.fd_open("shell", 1, "/a/b/c", O_RDWR, None).unwrap();
    assert_eq!(vm.fd_read("shell", 1, fd, 3).unwrap(), b"con");
    vm.fd_write("shell", 1, fd, b"TENT").unwrap();
    assert_eq!(vm.read_file("/a/b/c").unwrap(), b"conTENT");
    vm.remove_file("/a/b/c").unwrap();
    assert_eq!(vm.fd_pread("shell", 1, fd, 64, 0).unwrap(), b"conTENT");
    assert_eq!(vm.stat("/a/b/c").unwrap_err().code(), "ENOENT");
    let new = vm.fd_open("shell", 1, "/new", O_CREAT | O_RDWR | O_NONBLOCK, Some(0o640)).unwrap();
    assert_eq!(vm.stat("/new").unwrap().mode, 0o100640);
    assert_eq!(vm.fd_stat("shell", 1, new).unwrap().flags, O_RDWR | O_NONBLOCK);
    assert_eq!(vm.read_dir("/").unwrap(), ["a", "bin", "new"]);
}

#[test]
fn a_thread_that_waits_is_woken() {
    let mut config = KernelVmConfig::new("threads");
    config.permissions = Permissions::allow_all();
    let vm = KernelVm::new(MemoryFileSystem::new(), config);
    let mut vm = vm.into_shared();
    let options = VirtualProcessOptions::default();
    vm.create_virtual_process("d", "d", "job", vec![], options).unwrap();
    let (read, write) = vm.open_pipe("d", 1).unwrap();
    let mut other = vm.clone();
    let reader = std::thread::spawn(move || other.fd_read("d", 1, read, 64).unwrap());
    vm.fd_write("d", 1, write, b"wake").unwrap();
    assert_eq!(reader.join().unwrap(), b"wake");
    let mut other = vm.clone();
    let waiter = std::thread::spawn(move || other.waitpid(1).unwrap().status);
    vm.exit_process("d", 1, 300).unwrap();
    assert_eq!(waiter.join().unwrap(), 300);
}

#[test]
fn a_recording_replays_to_the_same_digest() {
    let out = Out::default();
    let mut vm = vm();
    vm.record_to(out.clone()).unwrap();
    let process = vm.spawn_process("sh", vec![], SpawnOptions::default()).unwrap();
    let (read, write) = vm.open_pipe("shell", 1).unwrap();
    vm.fd_write("shell", 1, write, b"hello").unwrap();
    vm.fd_read("shell", 1, read, 2).unwrap();
    vm.write_file("/x", "y").unwrap();
    assert_eq!(vm.fd_read("shell", 1, 0, 2).unwrap_err().code(), "ENOENT");
    process.kill(9);
    vm.finish_recording().unwrap();
    let digest = vm.digest();
    assert_eq!(replayed_digest(&out.bytes()), digest);
}
