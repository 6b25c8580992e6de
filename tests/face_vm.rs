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

/// What a pseudo-terminal, sockets of each kind and a name come to: part of it before the recording
/// begins, so that its first image holds some of each.
#[test]
fn terminals_sockets_and_names_replay_to_the_same_state() {
    use tickernel::dns::DnsLookupPolicy;
    use tickernel::kernel::OpenShellOptions;
    use tickernel::poll::{POLLIN, POLLOUT, PollTargetEntry};
    use tickernel::socket_table::{InetSocketAddress, SocketSpec};
    let mut vm = vm();
    let shell = vm.open_shell(OpenShellOptions::default()).unwrap();
    let (pid, master, slave) = (shell.pid(), shell.master_fd(), shell.slave_fd());
    vm.fd_write("shell", pid, master, b"half a li").unwrap();
    let server = vm.socket_create("shell", pid, SocketSpec::tcp()).unwrap();
    let at = InetSocketAddress::new("localhost", 80);
    vm.socket_bind_inet("shell", pid, server, at.clone()).unwrap();
    vm.socket_listen("shell", pid, server, 4).unwrap();
    let client = vm.socket_create("shell", pid, SocketSpec::tcp()).unwrap();
    vm.socket_connect_inet_loopback("shell", pid, client, at.clone()).unwrap();
    vm.socket_write("shell", pid, client, b"before").unwrap();
    let datagrams = vm.socket_create("shell", pid, SocketSpec::udp()).unwrap();
    vm.socket_bind_inet("shell", pid, datagrams, at.clone()).unwrap();
    vm.socket_send_to_inet_loopback("shell", pid, datagrams, at.clone(), b"one").unwrap();

    let out = Out::default();
    vm.record_to(out.clone()).unwrap();
    vm.fd_write("shell", pid, master, b"ne\n").unwrap();
    assert_eq!(vm.fd_read("shell", pid, slave, 99).unwrap(), b"half a line\n");
    let accepted = vm.socket_accept("shell", pid, server).unwrap();
    assert_eq!(vm.socket_read("shell", pid, accepted, 99).unwrap(), Some(b"before".to_vec()));
    vm.socket_send_to_inet_loopback("shell", pid, datagrams, at.clone(), b"two").unwrap();
    vm.socket_recv_datagram("shell", pid, datagrams, 99).unwrap();
    let late = vm.socket_create("shell", pid, SocketSpec::tcp()).unwrap();
    vm.socket_connect_inet_loopback("shell", pid, late, at).unwrap();
    let asked = vec![
        PollTargetEntry::socket(accepted, POLLIN | POLLOUT),
        PollTargetEntry::fd(slave, POLLIN),
    ];
    assert_eq!(vm.poll_targets("shell", pid, asked.clone(), 7).unwrap().ready_count, 1);
    let idle = vec![asked[1]];
    assert_eq!(vm.poll_targets("shell", pid, idle, 7).unwrap().ready_count, 0, "in vain");
    vm.resolve_dns("127.0.0.1", DnsLookupPolicy::SkipPermissions).unwrap();
    vm.pty_resize("shell", pid, slave, 100, 40).unwrap();
    let (digest, snapshot) = (vm.digest(), vm.resource_snapshot());
    assert_eq!((snapshot.ptys, snapshot.sockets, snapshot.socket_connections), (1, 6, 4));
    vm.finish_recording().unwrap();
    assert_eq!(replayed_digest(&out.bytes()), digest);
}
