//! What the peer twin (`benches/peer`) showed of the origin, a fact each, by the section of
//! SEMANTICS.md that it belongs to.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use tickernel::kernel::{
    FaceClock, KernelVm, KernelVmConfig, SpawnOptions, VirtualProcessOptions, WaitPidFlags,
};
use tickernel::permissions::{FsAccessRequest, PermissionDecision, Permissions};
use tickernel::poll::{POLLERR, POLLOUT, PollFd};
use tickernel::process_table::ProcessStatus;
use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem};

type Vm = KernelVm<MemoryFileSystem>;
type Log = Arc<Mutex<Vec<String>>>;

fn config() -> KernelVmConfig {
    let mut config = KernelVmConfig::new("peer");
    config.permissions = Permissions::allow_all();
    config.clock = FaceClock::Virtual;
    config
}

fn vm() -> Vm {
    KernelVm::new(MemoryFileSystem::new(), config())
}

/// A machine whose policy denies an operation on a path, and the log of what it was asked.
fn asking(denied: &'static str) -> (Vm, Log) {
    let log = Log::default();
    let own = Arc::clone(&log);
    let mut config = config();
    config.permissions.filesystem = Some(Arc::new(move |request: &FsAccessRequest| {
        let asked = format!("{:?} {}", request.op, request.path);
        let allow = asked != denied;
        own.lock().unwrap().push(asked);
        PermissionDecision { allow, reason: None }
    }));
    let mut files = MemoryFileSystem::new();
    files.mkdir("/d", false).unwrap();
    files.write_file("/f", "x").unwrap();
    files.symlink("/d", "/l").unwrap();
    (KernelVm::new(files, config), log)
}

fn process(vm: &mut Vm, parent: Option<u32>) -> u32 {
    let options = VirtualProcessOptions { parent_pid: parent, ..VirtualProcessOptions::default() };
    vm.create_virtual_process("d", "d", "job", Vec::new(), options).unwrap().pid()
}

fn code<T: std::fmt::Debug>(result: Result<T, tickernel::kernel::KernelError>) -> &'static str {
    result.unwrap_err().code()
}

fn told(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[test]
fn section_0_limits_on_lengths_come_before_the_descriptor() {
    let mut config = config();
    config.resources.max_fd_write_bytes = Some(2);
    config.resources.max_pread_bytes = Some(2);
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
    process(&mut vm, None);
    assert_eq!(code(vm.fd_write("d", 1, 99, b"abc")), "EINVAL");
    let (read, _) = vm.open_pipe("d", 1).unwrap();
    let error = vm.fd_pread("d", 1, read, 3, 0).unwrap_err();
    assert_eq!(error.code(), "EINVAL");
    assert!(error.to_string().contains("pread length 3"), "{error}");
    assert_eq!(code(vm.fd_pread("d", 1, read, 2, 0)), "ESPIPE");
}

#[test]
fn section_0_a_disposed_machine_still_answers_some_calls() {
    let mut vm = vm();
    process(&mut vm, None);
    vm.write_file("/kept", "x").unwrap();
    vm.dispose().unwrap();
    assert_eq!(vm.zombie_timer_count(), 0);
    assert_eq!(code(vm.waitpid(9)), "ESRCH");
    assert_eq!(code(vm.read_file("/kept")), "EINVAL");
    let files = vm.filesystem_mut().inner_mut().inner_mut();
    assert_eq!(VirtualFileSystem::read_file(files, "/kept").unwrap(), b"x");
}

#[test]
fn section_2_a_handle_signals_past_the_mask_and_stops_nothing() {
    let mut vm = vm();
    let options = VirtualProcessOptions::default;
    let handle = vm.create_virtual_process("d", "d", "job", Vec::new(), options()).unwrap();
    handle.kill(19);
    assert_eq!(vm.list_processes()[&1].status, ProcessStatus::Running);
    handle.kill(65);
    assert_eq!(handle.wait(Duration::ZERO), Some(193));
    handle.kill(10);
    assert_eq!(handle.kill_signals(), [19, 65, 10]);
}

#[test]
fn section_2_finish_counts_after_exit_process() {
    let mut vm = vm();
    let options = VirtualProcessOptions::default();
    let handle = vm.create_virtual_process("d", "d", "job", Vec::new(), options).unwrap();
    vm.exit_process("d", 1, 3).unwrap();
    assert_eq!(handle.wait(Duration::ZERO), None);
    handle.finish(1);
    assert_eq!(handle.wait(Duration::ZERO), Some(1));
    assert_eq!(vm.waitpid(1).unwrap().status, 3);
}

#[test]
fn section_2_a_parent_that_nobody_claims_need_not_live() {
    let mut vm = vm();
    vm.register_driver(CommandDriver::new("d", ["sh"])).unwrap();
    process(&mut vm, None);
    vm.exit_process("d", 1, 0).unwrap();
    let child = |parent| SpawnOptions { parent_pid: Some(parent), ..SpawnOptions::default() };
    let of_zombie = vm.spawn_process("sh", Vec::new(), child(1)).unwrap().pid();
    let of_nobody = vm.spawn_process("sh", Vec::new(), child(99)).unwrap().pid();
    let processes = vm.list_processes();
    assert_eq!((processes[&of_zombie].ppid, processes[&of_zombie].pgid), (1, 1));
    assert_eq!(processes[&of_nobody].pgid, of_nobody);
}

#[test]
fn section_2_an_end_wakes_the_stopped_of_an_orphaned_group() {
    let mut vm = vm();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    vm.kill_process("d", 2, 19).unwrap();
    vm.exit_process("d", 1, 0).unwrap();
    assert_eq!(vm.list_processes()[&2].exit_code, Some(129));
}

#[test]
fn section_2_a_stopped_parent_is_not_told_and_zombies_are_handed_on_silently() {
    let mut vm = vm();
    let options = VirtualProcessOptions::default;
    let first = vm.create_virtual_process("d", "d", "job", Vec::new(), options()).unwrap();
    process(&mut vm, Some(1));
    process(&mut vm, Some(2));
    vm.exit_process("d", 3, 0).unwrap();
    // Only the end of its own child is told, not that of the zombie that comes with it.
    vm.exit_process("d", 2, 0).unwrap();
    assert_eq!(first.kill_signals(), [17]);
    let ended = vm.waitpid_with_options("d", 1, 3, WaitPidFlags::WNOHANG).unwrap();
    assert_eq!(ended.map(|ended| ended.pid), Some(3));
    process(&mut vm, Some(1));
    vm.kill_process("d", 1, 19).unwrap();
    vm.kill_process("d", 4, 19).unwrap();
    assert_eq!(first.kill_signals(), [17, 19]);
}

#[test]
fn section_3_pwrite_goes_to_its_offset_and_offsets_may_be_anywhere() {
    let mut vm = vm();
    process(&mut vm, None);
    let fd = vm.fd_open("d", 1, "/f", O_RDWR | O_CREAT | O_APPEND, None).unwrap();
    vm.fd_pwrite("d", 1, fd, b"x", 3).unwrap();
    assert_eq!(vm.read_file("/f").unwrap(), b"\0\0\0x");
    assert_eq!(vm.fd_seek("d", 1, fd, i64::MAX, 0).unwrap(), i64::MAX as u64);
    assert_eq!(vm.fd_pread("d", 1, fd, 4, u64::MAX).unwrap(), b"");
    assert_eq!(code(vm.fd_pwrite("d", 1, fd, b"xy", u64::MAX)), "EINVAL");
    vm.mkdir("/d", false).unwrap();
    let directory = vm.fd_open("d", 1, "/d", O_RDONLY, None).unwrap();
    assert_eq!(vm.fd_seek("d", 1, directory, 0, 2).unwrap(), 4096);
}

#[test]
fn section_3_streams_are_open_one_way_and_flock_looks_at_the_file_first() {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(vm.fd_stat("d", 1, 0).unwrap().flags, O_RDONLY);
    assert_eq!(vm.fd_stat("d", 1, 2).unwrap().flags, O_WRONLY);
    assert_eq!(code(vm.fd_flock("d", 1, 2, 3)), "EBADF");
    assert_eq!(code(vm.fd_fcntl("d", 1, 99, 5, 0)), "EINVAL");
    assert_eq!(code(vm.fd_open("d", 1, "/x\u{1}y", O_CREAT, None)), "EINVAL");
    assert_eq!(code(vm.fd_open("d", 1, "/", O_TRUNC | O_WRONLY, None)), "EISDIR");
}

#[test]
fn section_6_a_pipe_that_nobody_reads_has_no_room() {
    let mut vm = vm();
    process(&mut vm, None);
    let (read, write) = vm.open_pipe("d", 1).unwrap();
    vm.fd_close("d", 1, read).unwrap();
    let polled = vm.poll_fds("d", 1, vec![PollFd::new(write, POLLOUT)], 0).unwrap();
    assert_eq!(polled.fds[0].revents, POLLERR);
}

#[test]
fn section_9_a_write_asks_the_guard_s_question_first() {
    let (mut vm, log) = asking("");
    vm.write_file("/f", "y").unwrap();
    assert_eq!(told(&log), ["Read /f", "Write /f"]);
    vm.write_file("/l/new", "y").unwrap();
    assert_eq!(told(&log), ["Read /d", "Write /d/new"]);
    process(&mut vm, None);
    vm.write_file_for_process("d", 1, "/g", "y", None).unwrap();
    assert_eq!(told(&log), ["Exists /g", "Write /g", "Chmod /g"]);
    vm.mkdir_for_process("d", 1, "/a/b", true, None).unwrap();
    assert_eq!(told(&log), ["Mkdir /a/b", "Chmod /a", "Chmod /a/b"]);
}

#[test]
fn section_9_an_open_asks_in_the_origin_s_order_and_each_use_asks_again() {
    let (mut vm, log) = asking("");
    process(&mut vm, None);
    let flags = [O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_WRONLY | O_TRUNC];
    let fds = flags.map(|flags| vm.fd_open("d", 1, "/f", flags, None).unwrap());
    let rounds = [
        &["Exists /f", "Stat /f"][..],
        &["Read /f", "Read /f", "Exists /f", "Stat /f"],
        &["Read /f", "Exists /f", "Read /f", "Exists /f", "Stat /f"],
        &["Read /f", "Read /f", "Exists /f", "Truncate /f", "Stat /f"],
    ];
    assert_eq!(told(&log), rounds.concat());
    vm.fd_open("d", 1, "/new", O_WRONLY | O_CREAT | O_EXCL, None).unwrap();
    assert_eq!(told(&log), ["Exists /new", "Write /new", "Stat /new", "Chmod /new"]);
    vm.fd_read("d", 1, fds[0], 1).unwrap();
    vm.fd_write("d", 1, fds[1], b"z").unwrap();
    vm.fd_seek("d", 1, fds[1], 0, 2).unwrap();
    assert_eq!(told(&log), ["Read /f", "Read /f", "Read /f", "Write /f", "Stat /f"]);
}

#[test]
fn section_9_what_is_refused_after_the_making_leaves_the_file() {
    let (mut vm, _) = asking("Chmod /new");
    process(&mut vm, None);
    assert_eq!(code(vm.fd_open("d", 1, "/new", O_RDWR | O_CREAT, Some(0o600))), "EACCES");
    assert_eq!(vm.stat("/new").unwrap().mode, 0o100644);
    let (mut vm, _) = asking("Read /f");
    assert_eq!(code(vm.write_file("/f", "y")), "EACCES");
}

#[test]
fn section_12_devices_show_no_type_and_streams_are_files_below() {
    let mut vm = vm();
    let stat = vm.stat("/dev/null").unwrap();
    assert_eq!((stat.mode, stat.ino, stat.rdev), (0o666, 0xffff_0001, 0x103));
    let stat = vm.stat("/dev").unwrap();
    assert_eq!((stat.mode, stat.is_directory, stat.nlink), (0o755, true, 2));
    let devices = ["null", "zero", "stdin", "stdout", "stderr", "urandom", "fd"];
    assert_eq!(vm.read_dir("/dev").unwrap(), devices);
    vm.write_file("/dev/stdin", "in").unwrap();
    assert_eq!(vm.read_file("/dev/stdin").unwrap(), b"in");
    vm.write_file("/dev/stdout", "out").unwrap();
    assert_eq!(code(vm.read_file("/dev/stdout")), "ENOENT");
}

#[test]
fn section_13_links_to_nothing_and_the_order_of_errors() {
    let mut vm = vm();
    vm.symlink("/made", "/l").unwrap();
    vm.write_file("/l/z", "x").unwrap();
    assert_eq!(vm.read_file("/made/z").unwrap(), b"x");
    assert_eq!(code(vm.mkdir("/l", true)), "ENOTDIR");
    assert_eq!(code(vm.create_dir("/l")), "EEXIST");
    assert_eq!(code(vm.link("/made", "/missing/x")), "EPERM");
    vm.rename("/nowhere", "/nowhere").unwrap();
    assert_eq!(code(vm.remove_file("/")), "EISDIR");
    assert_eq!(vm.stat("/").unwrap().ino, 1);
}

#[test]
fn section_14_commands_stay_registered_when_their_files_are_refused() {
    let (mut vm, log) = asking("Write /bin/sh");
    assert_eq!(code(vm.register_driver(CommandDriver::new("d", ["sh"]))), "EACCES");
    assert_eq!(told(&log), ["Exists /bin", "Mkdir /bin", "Exists /bin/sh", "Write /bin/sh"]);
    assert_eq!(vm.commands()["sh"], "d");
    assert!(vm.exists("/bin").unwrap());
    assert_eq!(vm.spawn_process("sh", Vec::new(), SpawnOptions::default()).unwrap().pid(), 1);
}

#[test]
fn section_15_what_would_be_made_behind_a_link_is_guarded() {
    let mut files = MemoryFileSystem::new();
    files.mkdir("/etc/agentos", true).unwrap();
    files.symlink("/etc/agentos", "/l").unwrap();
    files.symlink("/etc/agentos/new", "/n").unwrap();
    let mut vm = KernelVm::new(files, config());
    process(&mut vm, None);
    assert_eq!(code(vm.write_file("/l/a/b", "x")), "EROFS");
    assert_eq!(code(vm.mkdir("/l/a/b", true)), "EROFS");
    assert_eq!(code(vm.write_file("/n", "x")), "EROFS");
    assert_eq!(code(vm.fd_open("d", 1, "/n", O_CREAT | O_WRONLY, None)), "EROFS");
    assert!(vm.read_dir("/etc/agentos").unwrap().is_empty());
}
