//! Section 1: the defaults of a machine, its states, its end.

use crate::support::{DRIVER, code, config, process, vm, watched};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tickernel::bridge::LifecycleState::{Busy, Ready, Terminated};
use tickernel::fd_table::{LOCK_EX, O_CREAT, O_RDWR};
use tickernel::kernel::{
    FaceClock, KernelVm, KernelVmConfig, Profile, SpawnOptions, VirtualProcessOptions,
};
use tickernel::resource_accounting::{ResourceLimits, ResourceSnapshot};
use tickernel::vfs::MemoryFileSystem;

#[test]
fn a_machine_is_configured_with_the_contracts_defaults() {
    let config = KernelVmConfig::new("m");
    assert_eq!((config.vm_id.as_str(), config.cwd.as_str()), ("m", "/workspace"));
    assert!(config.env.is_empty() && config.loopback_exempt_ports.is_empty());
    assert_eq!(config.user, tickernel::user::UserConfig::default());
    assert_eq!(config.dns, tickernel::dns::DnsConfig::default());
    assert_eq!(config.resources, ResourceLimits::default());
    assert_eq!(config.zombie_ttl, Duration::from_secs(60));
    assert_eq!((config.profile, config.clock), (Profile::SecureExec, FaceClock::Real));
    let permissions = &config.permissions;
    assert!(permissions.filesystem.is_none() && permissions.network.is_none());
    assert!(permissions.child_process.is_none() && permissions.environment.is_none());
    assert!(permissions.rules.is_empty());
}

#[test]
fn by_default_everything_is_denied() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), KernelVmConfig::new("m"));
    assert_eq!(code(vm.write_file("/f", "x")), "EACCES");
    assert_eq!(code(vm.read_dir("/")), "EACCES");
    assert!(!vm.exists("/").unwrap());
    let options = VirtualProcessOptions::default();
    let refused = vm.create_virtual_process("d", "d", "job", Vec::new(), options);
    assert_eq!(code(refused), "EACCES");
    assert_eq!(vm.resource_snapshot(), ResourceSnapshot::default());
    assert_eq!(vm.state(), Ready);
}

#[test]
fn busy_is_a_machine_with_a_running_process() {
    let mut vm = vm();
    assert_eq!(vm.state(), Ready);
    process(&mut vm, None);
    assert_eq!(vm.state(), Busy);
    vm.kill_process(DRIVER, 1, 19).unwrap();
    assert_eq!(vm.state(), Ready, "stopped only");
    process(&mut vm, None);
    assert_eq!(vm.state(), Busy);
    vm.exit_process(DRIVER, 2, 0).unwrap();
    assert_eq!(vm.state(), Ready, "a zombie and a stopped one");
    vm.kill_process(DRIVER, 1, 18).unwrap();
    assert_eq!(vm.state(), Busy);
    vm.dispose().unwrap();
    assert_eq!(vm.state(), Terminated);
}

#[test]
fn disposing_ends_all_by_sigterm_and_frees_all() {
    let mut vm = vm();
    let parent = process(&mut vm, None);
    let child = process(&mut vm, Some(1));
    let (_, write) = vm.open_pipe(DRIVER, 2).unwrap();
    vm.fd_write(DRIVER, 2, write, b"left").unwrap();
    let fd = vm.fd_open(DRIVER, 1, "/f", O_RDWR | O_CREAT, None).unwrap();
    vm.fd_flock(DRIVER, 1, fd, LOCK_EX).unwrap();
    vm.dispose().unwrap();
    vm.dispose().unwrap();
    for handle in [&parent, &child] {
        // No SIGCHLD meanwhile.
        assert_eq!(handle.kill_signals(), [15]);
        assert_eq!(handle.wait(Duration::ZERO), Some(143));
    }
    assert_eq!(vm.zombie_timer_count(), 0);
    let counts = ResourceSnapshot { exited_processes: 2, ..ResourceSnapshot::default() };
    assert_eq!(vm.resource_snapshot(), counts);
    assert_eq!((vm.list_processes()[&1].exit_code, vm.list_processes().len()), (Some(143), 2));
}

#[test]
fn a_process_that_sigterm_cannot_end_gets_sigkill() {
    use tickernel::process_table::{SigmaskHow, SignalSet};
    let mut vm = vm();
    let handle = process(&mut vm, None);
    let term = SignalSet::from_signal(15).unwrap();
    vm.sigprocmask(DRIVER, 1, SigmaskHow::Block, term).unwrap();
    let stopped = process(&mut vm, None);
    vm.kill_process(DRIVER, 2, 19).unwrap();
    vm.dispose().unwrap();
    assert_eq!(vm.resource_snapshot().open_fds, 0);
    assert_eq!(vm.list_processes()[&1].exit_code, Some(137));
    assert_eq!(handle.kill_signals().last(), Some(&9));
    // Stopped ones are disposed of too, in both profiles.
    assert_eq!(vm.list_processes()[&2].exit_code, Some(137));
    assert_eq!(stopped.kill_signals(), [19, 9]);
}

#[test]
fn dropping_a_machine_disposes_of_it() {
    let mut vm = vm();
    let handle = process(&mut vm, None);
    drop(vm);
    assert_eq!(handle.kill_signals(), [15]);
    assert_eq!(handle.wait(Duration::ZERO), Some(143));
    // A handle outlives its machine.
    handle.kill(9);
    handle.finish(1);
    assert_eq!(handle.wait(Duration::ZERO), Some(143));
    assert_eq!((handle.pid(), handle.driver()), (1, DRIVER));
}

#[test]
fn a_machine_is_disposed_of_while_panicking_too() {
    let (handle, panic) = watched("a drop while panicking", || {
        let mut vm = vm();
        let handle = process(&mut vm, None);
        let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
        let panic = catch_unwind(AssertUnwindSafe(move || {
            assert_eq!(vm.fd_read(DRIVER, 1, read, 0).unwrap(), b"");
            panic!("the embedder's own");
        }));
        (handle, panic)
    });
    let panic = panic.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the embedder's own"));
    assert_eq!(handle.kill_signals(), [15]);
    assert_eq!(handle.wait(Duration::ZERO), Some(143));
}

#[test]
fn the_last_clone_of_a_shared_machine_disposes_of_it() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config()).into_shared();
    let options = VirtualProcessOptions::default();
    let handle = vm.create_virtual_process("d", "d", "job", Vec::new(), options).unwrap();
    let clone = vm.clone();
    drop(vm);
    assert_eq!(clone.state(), Busy);
    assert_eq!(handle.wait(Duration::ZERO), None);
    drop(clone);
    assert_eq!(handle.wait(Duration::ZERO), Some(143));
}

#[test]
fn disposing_wakes_who_waits_with_esrch() {
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config());
    process(&mut vm, None);
    let (read, _write) = vm.open_pipe(DRIVER, 1).unwrap();
    let vm = vm.into_shared();
    let (mut reader, mut ender) = (vm.clone(), vm.clone());
    let reader = std::thread::spawn(move || {
        reader.fd_read_with_timeout_result(DRIVER, 1, read, 1, Some(Duration::MAX))
    });
    // Whether the reader waits already or is late, the machine is gone for it.
    ender.dispose().unwrap();
    let result = watched("a reader of a disposed machine", move || reader.join().unwrap());
    assert_eq!(code(result), "ESRCH");
    assert_eq!(ender.state(), Terminated);
}

#[test]
fn a_machine_keeps_its_name_and_environment() {
    let vm = crate::support::vm_with(|config| {
        config.env.insert("KEY".into(), "value".into());
    });
    assert_eq!(vm.vm_id(), "contract");
    assert_eq!(vm.environment()["KEY"], "value");
    assert_eq!(vm.resource_limits(), &ResourceLimits::default());
    assert_eq!(format!("{vm:?}"), "KernelVm { vm_id: \"contract\", .. }");
    assert_eq!(SpawnOptions::default().parent_pid, None);
}

#[test]
fn with_a_seed_and_a_virtual_clock_machines_are_equal_to_the_last_digest() {
    let run = |seed| {
        let mut vm = crate::support::vm_with(|config| config.seed = Some(seed));
        process(&mut vm, None);
        vm.write_file("/d/f", "x").unwrap();
        let fd = vm.fd_open(DRIVER, 1, "/dev/urandom", 0, None).unwrap();
        let random = vm.fd_read(DRIVER, 1, fd, 16).unwrap();
        (random, vm.digests(), vm.digest())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn disposing_while_a_callback_runs_is_disposing() {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};
    use tickernel::permissions::PermissionDecision;
    watched("disposing while a callback runs", || {
        let (ask, asked) = channel::<()>();
        let (go, gone) = channel::<()>();
        let (ask, gone) = (Mutex::new(ask), Mutex::new(gone));
        let mut config = config();
        config.permissions.filesystem = Some(Arc::new(move |_| {
            let _ = ask.lock().unwrap().send(());
            let _ = gone.lock().unwrap().recv();
            PermissionDecision::allow()
        }));
        let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
        let handle = process(&mut vm, None);
        let mut vm = vm.into_shared();
        let mut slow = vm.clone();
        let slow = std::thread::spawn(move || slow.create_dir("/d"));
        asked.recv().unwrap();
        let disposer = std::thread::spawn(move || {
            vm.dispose().unwrap();
            vm.state()
        });
        // The callback, and any after it, go on: whoever asked first ends, and then the machine.
        drop(go);
        let _ = slow.join().unwrap();
        assert_eq!(disposer.join().unwrap(), Terminated);
        assert_eq!(handle.wait(Duration::ZERO), Some(143));
    });
}
