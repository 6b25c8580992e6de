//! Section 2: births, what a process starts with, handles, ends, zombies.

use crate::support::{DRIVER, Vm, code, config, process, process_of, refused, says, vm, vm_with};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{F_SETFD, FD_CLOEXEC, O_CREAT, O_RDWR};
use tickernel::kernel::{ExecOptions, KernelVm, SpawnOptions, VirtualProcessOptions, WaitPidFlags};
use tickernel::permissions::{CommandAccessRequest, PermissionDecision, Permissions};
use tickernel::process_table::{ProcessStatus, SigmaskHow, SignalSet};
use tickernel::resource_accounting::ResourceSnapshot;
use tickernel::vfs::MemoryFileSystem;

type Requests = Arc<Mutex<Vec<CommandAccessRequest>>>;

/// A machine with `sh` and `cat` that notes what its policy is asked about commands.
fn asking() -> (Vm, Requests) {
    let log = Requests::default();
    let own = Arc::clone(&log);
    let mut config = config();
    config.env = env(&[("HOME", "/h"), ("LANG", "C")]);
    config.permissions = Permissions {
        child_process: Some(Arc::new(move |request: &CommandAccessRequest| {
            own.lock().unwrap().push(request.clone());
            PermissionDecision::allow()
        })),
        ..Permissions::allow_all()
    };
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
    vm.register_driver(CommandDriver::new("shell", ["sh", "cat"])).unwrap();
    (vm, log)
}

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn pids_ascend_from_one_and_a_process_is_listed() {
    let mut vm = vm();
    let pids: Vec<u32> = (0..4).map(|_| process(&mut vm, None).pid()).collect();
    assert_eq!(pids, [1, 2, 3, 4]);
    vm.exit_process(DRIVER, 4, 0).unwrap();
    vm.waitpid(4).unwrap();
    assert_eq!(process(&mut vm, None).pid(), 5, "no number comes again at once");
    let info = &vm.list_processes()[&5];
    assert_eq!((info.pid, info.ppid, info.pgid, info.sid), (5, 0, 5, 5));
    assert_eq!((info.driver.as_str(), info.command.as_str()), (DRIVER, "job"));
    assert_eq!((info.status, info.exit_code), (ProcessStatus::Running, None));
    assert_eq!(info.identity, vm.process_identity(DRIVER, 5).unwrap());
}

#[test]
fn the_environment_is_the_machines_overlaid_and_not_the_parents() {
    let (mut vm, log) = asking();
    let own = env(&[("LANG", "de"), ("X", "1")]);
    let options = SpawnOptions { env: own, cwd: Some("/tmp".into()), ..SpawnOptions::default() };
    vm.spawn_process("sh", vec!["a b".into(), String::new()], options).unwrap();
    let child = SpawnOptions { parent_pid: Some(1), ..SpawnOptions::default() };
    vm.spawn_process("cat", Vec::new(), child).unwrap();
    let log = log.lock().unwrap();
    assert_eq!(log[0].vm_id, "contract");
    assert_eq!(log[0].command, "sh");
    assert_eq!(log[0].cwd.as_deref(), Some("/tmp"));
    assert_eq!(log[0].env, env(&[("HOME", "/h"), ("LANG", "de"), ("X", "1")]));
    assert_eq!(log[1].env, env(&[("HOME", "/h"), ("LANG", "C")]));
    assert_eq!(log[1].cwd.as_deref(), Some("/workspace"));
}

#[test]
fn arguments_reach_the_policy_as_they_are() {
    let (mut vm, log) = asking();
    let args = vec!["a b".to_owned(), "x=y".to_owned(), "ü".to_owned()];
    vm.spawn_process("sh", args.clone(), SpawnOptions::default()).unwrap();
    assert_eq!(log.lock().unwrap()[0].args, args);
}

#[test]
fn an_empty_argument_is_an_argument() {
    let (mut vm, log) = asking();
    let args = vec![String::new(), "a".to_owned(), String::new()];
    vm.spawn_process("sh", args.clone(), SpawnOptions::default()).unwrap();
    let log = log.lock().unwrap();
    assert_eq!(log[0].args, args);
    assert_eq!(log[0].env, env(&[("HOME", "/h"), ("LANG", "C")]));
}

#[test]
fn exec_is_the_shell_with_a_line() {
    let (mut vm, log) = asking();
    let options = ExecOptions { requester_driver: Some("r".into()), ..ExecOptions::default() };
    let handle = vm.exec("echo a | cat", options).unwrap();
    assert_eq!(handle.driver(), "shell");
    assert_eq!(vm.getpid("r", 1).unwrap(), 1);
    assert_eq!(vm.getpid("shell", 1).unwrap(), 1);
    assert_eq!(vm.list_processes()[&1].command, "sh");
    assert_eq!(log.lock().unwrap()[0].args, ["-c", "echo a | cat"]);
    let mut vm = crate::support::vm();
    assert_eq!(code(vm.exec("true", ExecOptions::default())), "ENOENT");
}

#[test]
fn a_virtual_process_needs_no_driver_and_no_command() {
    let mut vm = vm();
    let options = VirtualProcessOptions::default();
    vm.create_virtual_process("r", "p", "any/thing", vec!["x".into()], options).unwrap();
    assert_eq!(vm.list_processes()[&1].command, "any/thing");
    assert!(vm.commands().is_empty());
}

#[test]
fn umask_and_mask_are_never_inherited() {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(vm.umask(DRIVER, 1, None).unwrap(), 0o022);
    assert_eq!(vm.umask(DRIVER, 1, Some(0o7077)).unwrap(), 0o022);
    assert_eq!(vm.umask(DRIVER, 1, None).unwrap(), 0o077, "only the bits of a mode");
    let usr1 = SignalSet::from_signal(10).unwrap();
    vm.sigprocmask(DRIVER, 1, SigmaskHow::SetMask, usr1).unwrap();
    process(&mut vm, Some(1));
    assert_eq!(vm.umask(DRIVER, 2, None).unwrap(), 0o022);
    let mask = vm.sigprocmask(DRIVER, 2, SigmaskHow::Block, SignalSet::empty()).unwrap();
    assert_eq!(mask, SignalSet::empty());
}

#[test]
fn a_child_has_its_parents_descriptions_but_close_on_exec_ones() {
    let mut vm = vm();
    process(&mut vm, None);
    let fd = vm.fd_open(DRIVER, 1, "/f", O_RDWR | O_CREAT, None).unwrap();
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_close(DRIVER, 1, 2).unwrap();
    vm.fd_fcntl(DRIVER, 1, read, F_SETFD, FD_CLOEXEC).unwrap();
    process(&mut vm, Some(1));
    assert_eq!(vm.dev_fd_read_dir(DRIVER, 1).unwrap(), ["0", "1", "3", "4", "5"]);
    assert_eq!(vm.dev_fd_read_dir(DRIVER, 2).unwrap(), ["0", "1", "3", "5"]);
    vm.fd_write(DRIVER, 1, fd, b"abc").unwrap();
    assert_eq!(vm.fd_seek(DRIVER, 2, fd, 0, 1).unwrap(), 3, "one offset for both");
    vm.fd_write(DRIVER, 2, write, b"x").unwrap();
    assert_eq!(vm.fd_read(DRIVER, 1, read, 9).unwrap(), b"x");
}

#[test]
fn a_process_without_a_parent_has_the_three_streams() {
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(vm.dev_fd_read_dir(DRIVER, 1).unwrap(), ["0", "1", "2"]);
    for (fd, path) in [(0, "/dev/stdin"), (1, "/dev/stdout"), (2, "/dev/stderr")] {
        assert_eq!(vm.fd_path(DRIVER, 1, fd).unwrap(), path);
        assert_eq!(vm.fd_stat(DRIVER, 1, fd).unwrap().filetype, 2);
        assert!(!vm.isatty(DRIVER, 1, fd).unwrap());
    }
    assert_eq!(code(vm.fd_read(DRIVER, 1, 0, 1)), "ENOENT");
    assert_eq!(code(vm.read_process_stdin(DRIVER, 1, 1, None)), "ENOENT");
    assert_eq!(vm.write_process_stdout(DRIVER, 1, b"gone").unwrap(), 4);
    assert_eq!(vm.write_process_stderr(DRIVER, 1, b"gone too").unwrap(), 8);
}

#[test]
fn standard_input_is_what_descriptor_0_is() {
    let mut vm = vm();
    process(&mut vm, None);
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_dup2(DRIVER, 1, read, 0).unwrap();
    vm.fd_dup2(DRIVER, 1, write, 1).unwrap();
    vm.write_process_stdout(DRIVER, 1, b"line").unwrap();
    assert_eq!(vm.read_process_stdin(DRIVER, 1, 99, None).unwrap().unwrap(), b"line");
    let timeout = Some(Duration::from_millis(5));
    assert_eq!(code(vm.read_process_stdin(DRIVER, 1, 99, timeout)), "EAGAIN");
    vm.fd_close(DRIVER, 1, write).unwrap();
    vm.fd_close(DRIVER, 1, 1).unwrap();
    assert_eq!(vm.read_process_stdin(DRIVER, 1, 99, timeout).unwrap(), None);
}

#[test]
fn the_child_of_a_zombie_has_a_fresh_table_and_its_group() {
    let mut vm = vm();
    vm.register_driver(CommandDriver::new("shell", ["sh"])).unwrap();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    vm.fd_close(DRIVER, 2, 2).unwrap();
    vm.exit_process(DRIVER, 2, 0).unwrap();
    let options = SpawnOptions { parent_pid: Some(2), ..SpawnOptions::default() };
    let pid = vm.spawn_process("sh", Vec::new(), options).unwrap().pid();
    assert_eq!(vm.dev_fd_read_dir("shell", pid).unwrap(), ["0", "1", "2"]);
    assert_eq!((vm.getpgid("shell", pid).unwrap(), vm.getsid("shell", pid).unwrap()), (1, 1));
}

#[test]
fn a_parent_must_be_the_requesters() {
    let mut vm = vm();
    vm.register_driver(CommandDriver::new("shell", ["sh"])).unwrap();
    process_of(&mut vm, "other", None);
    let child = |requester: Option<&str>, parent| SpawnOptions {
        requester_driver: requester.map(str::to_owned),
        parent_pid: Some(parent),
        ..SpawnOptions::default()
    };
    says(vm.spawn_process("sh", Vec::new(), child(Some("r"), 1)), "EPERM", "does not own PID 1");
    refused(&mut vm, "EPERM", |vm| vm.spawn_process("sh", Vec::new(), child(Some("r"), 1)));
    refused(&mut vm, "ESRCH", |vm| vm.spawn_process("sh", Vec::new(), child(Some("r"), 9)));
    let options = VirtualProcessOptions { parent_pid: Some(1), ..Default::default() };
    refused(&mut vm, "EPERM", |vm| vm.create_virtual_process("r", "r", "job", Vec::new(), options));
    // Without a requester nobody's ownership counts.
    let handle = vm.spawn_process("sh", Vec::new(), child(None, 1)).unwrap();
    assert_eq!(vm.getppid("shell", handle.pid()).unwrap(), 1);
}

#[test]
fn the_first_finish_counts_and_any_code_is_kept() {
    for exit in [0, 7, 255, 256, -1, i32::MIN, i32::MAX] {
        let mut vm = vm();
        let handle = process(&mut vm, None);
        assert_eq!(handle.wait(Duration::ZERO), None);
        let clone = handle.clone();
        clone.finish(exit);
        handle.finish(99);
        handle.kill(9);
        assert_eq!(handle.wait(Duration::MAX), Some(exit));
        assert_eq!(vm.list_processes()[&1].exit_code, Some(exit));
        assert_eq!(vm.waitpid(1).unwrap().status, exit);
    }
}

#[test]
fn the_signal_log_of_a_handle_keeps_the_last_64() {
    let mut vm = vm();
    let handle = process(&mut vm, None);
    handle.kill(17);
    for _ in 0..40 {
        handle.kill(28);
        vm.kill_process(DRIVER, 1, 23).unwrap();
    }
    let log = handle.kill_signals();
    assert_eq!(log.len(), 64);
    assert!(!log.contains(&17) && log.ends_with(&[28, 23]));
}

#[test]
fn an_exit_frees_all_before_anybody_reaps() {
    let mut vm = vm();
    process(&mut vm, None);
    let (_, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_write(DRIVER, 1, write, b"abc").unwrap();
    let counts = vm.resource_snapshot();
    let held = (counts.fd_tables, counts.open_fds, counts.pipes, counts.pipe_buffered_bytes);
    assert_eq!(held, (1, 5, 1, 3));
    vm.exit_process(DRIVER, 1, 3).unwrap();
    let zombie = ResourceSnapshot { exited_processes: 1, ..ResourceSnapshot::default() };
    assert_eq!(vm.resource_snapshot(), zombie);
    assert_eq!(vm.list_processes()[&1].status, ProcessStatus::Exited);
    assert_eq!(code(vm.exit_process(DRIVER, 1, 4)), "ESRCH");
    assert_eq!(code(vm.fd_write(DRIVER, 1, write, b"x")), "ESRCH");
    vm.waitpid(1).unwrap();
    assert_eq!(vm.resource_snapshot(), ResourceSnapshot::default());
    assert!(vm.list_processes().is_empty());
}

#[test]
fn orphans_go_to_process_1_while_it_lives() {
    let mut vm = vm();
    let first = process(&mut vm, None);
    process(&mut vm, Some(1));
    process(&mut vm, Some(2));
    vm.exit_process(DRIVER, 2, 0).unwrap();
    assert_eq!(vm.getppid(DRIVER, 3).unwrap(), 1);
    assert_eq!(first.kill_signals(), [17]);
    vm.exit_process(DRIVER, 1, 0).unwrap();
    assert_eq!(vm.getppid(DRIVER, 3).unwrap(), 0);
    process(&mut vm, Some(3));
    vm.exit_process(DRIVER, 3, 0).unwrap();
    assert_eq!(vm.getppid(DRIVER, 4).unwrap(), 0, "1 is dead");
}

/// Lets the virtual clock of a machine go on: a read of an empty pipe waits so long.
fn pass(vm: &mut Vm, time: Duration) {
    let pid = process_of(vm, "clock", None).pid();
    let (read, _) = vm.open_pipe("clock", pid).unwrap();
    let read = vm.fd_read_with_timeout_result("clock", pid, read, 1, Some(time));
    assert_eq!(code(read), "EAGAIN");
    vm.exit_process("clock", pid, 0).unwrap();
    vm.waitpid(pid).unwrap();
}

#[test]
fn a_zombie_nobody_waits_for_goes_after_its_time() {
    let mut vm = vm();
    process(&mut vm, None);
    process(&mut vm, None);
    vm.exit_process(DRIVER, 2, 5).unwrap();
    assert_eq!(vm.zombie_timer_count(), 1);
    pass(&mut vm, Duration::from_millis(59_999));
    assert!(vm.list_processes().contains_key(&2));
    pass(&mut vm, Duration::from_millis(1));
    assert!(!vm.list_processes().contains_key(&2));
    assert_eq!(vm.zombie_timer_count(), 0);
    assert_eq!(code(vm.waitpid(2)), "ESRCH");
}

#[test]
fn a_living_parent_never_loses_a_childs_status() {
    let mut vm = vm_with(|config| config.zombie_ttl = Duration::from_secs(1));
    process(&mut vm, None);
    process(&mut vm, None);
    process(&mut vm, Some(2));
    vm.exit_process(DRIVER, 3, 42).unwrap();
    pass(&mut vm, Duration::from_secs(3));
    assert_eq!(vm.zombie_timer_count(), 1);
    let ended = vm.waitpid_with_options(DRIVER, 2, 3, WaitPidFlags::WNOHANG).unwrap().unwrap();
    assert_eq!(ended.status, 42);
    assert_eq!(vm.zombie_timer_count(), 0, "reaping ends the timer");
    process(&mut vm, Some(2));
    vm.exit_process(DRIVER, 2, 0).unwrap();
    let orphan = vm.list_processes().keys().copied().max().unwrap();
    vm.exit_process(DRIVER, orphan, 0).unwrap();
    pass(&mut vm, Duration::from_secs(1));
    // The orphan is a child of 1, which lives; 2 had nobody.
    let left: Vec<u32> = vm.list_processes().into_keys().collect();
    assert_eq!(left, [1, orphan]);
}

#[test]
fn a_machine_without_a_time_for_zombies_keeps_none_waiting() {
    let mut vm = vm_with(|config| config.zombie_ttl = Duration::MAX);
    process(&mut vm, None);
    vm.exit_process(DRIVER, 1, 0).unwrap();
    pass(&mut vm, Duration::from_secs(1_000_000));
    assert_eq!(vm.waitpid(1).unwrap().status, 0);
}

#[test]
fn at_the_end_of_time_a_zombie_stays_and_nothing_hangs() {
    let left = crate::support::watched("the end of time", || {
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        let mut vm = vm_with(|config| config.zombie_ttl = century);
        process(&mut vm, None);
        process(&mut vm, Some(1));
        vm.exit_process(DRIVER, 2, 0).unwrap();
        let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
        for _ in 0..4 {
            let ever = Some(Duration::MAX);
            let told = vm.fd_read_with_timeout_result(DRIVER, 1, read, 1, ever);
            assert_eq!(code(told), "EAGAIN");
        }
        vm.waitpid(2).unwrap().status
    });
    assert_eq!(left, 0);
}
