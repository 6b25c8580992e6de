//! Absurd arguments for every public method: an error of the contract or an answer, never a panic
//! or a hang, and an error changes nothing.

use crate::methods::{Args, free, look, owned};
use crate::support::{
    DRIVER, Doing, Seen, Vm, config, process, seen, vm_with, watched, watched_doing,
};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickernel::bridge::LifecycleState;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{F_SETFL, O_CREAT, O_NONBLOCK, O_RDWR};
use tickernel::kernel::{
    FaceClock, KernelResult, KernelVm, Locked, Profile, SharedKernelVm, SpawnOptions,
};
use tickernel::permissions::{FsAccessRequest, PermissionDecision, Permissions};
use tickernel::vfs::{MemoryFileSystem, VirtualTimeSpec, VirtualUtimeSpec};
use tickernel_systems::abi::Errno;

/// Errors after which something is there that was not: the contract makes the file before it looks
/// for a descriptor (section 3), a write that nobody reads ends the writer (section 4), and a
/// command stays registered whose file cannot be made; a script that is none has been read (section
/// 14).
fn may_change(method: &str, code: &str) -> bool {
    match method {
        "fd_open" => matches!(code, "ENFILE" | "EMFILE"),
        "spawn_process" => matches!(code, "ENOEXEC" | "ENOENT"),
        "register_driver" => code != "EINVAL",
        "fd_write" | "write_process_stdout" | "write_process_stderr" => code == "EPIPE",
        _ => false,
    }
}

/// Two processes, files, pipes; zombies stay, whatever virtual time it becomes.
fn machine(profile: Profile) -> Vm {
    machine_on(profile, FaceClock::Virtual)
}

fn machine_on(profile: Profile, clock: FaceClock) -> Vm {
    let mut vm = vm_with(|config| {
        (config.profile, config.clock) = (profile, clock);
        config.zombie_ttl = Duration::ZERO;
        config.resources.max_pread_bytes = Some(1 << 20);
        config.resources.max_blocking_read_ms = Some(1);
    });
    vm.register_driver(CommandDriver::new("shell", ["sh"])).unwrap();
    vm.mkdir("/d", false).unwrap();
    vm.write_file("/d/f", "0123456789").unwrap();
    vm.symlink("/d", "/l").unwrap();
    vm.symlink("/loop", "/loop").unwrap();
    process(&mut vm, None);
    process(&mut vm, Some(1));
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    for end in [read, write] {
        vm.fd_fcntl(DRIVER, 1, end, F_SETFL, O_NONBLOCK).unwrap();
    }
    vm.fd_open(DRIVER, 1, "/d/f", O_RDWR | O_CREAT, None).unwrap();
    vm.fd_open(DRIVER, 1, "/d", 0, None).unwrap();
    process(&mut vm, Some(1));
    vm.exit_process(DRIVER, 3, 0).unwrap();
    vm
}

fn text() -> impl Strategy<Value = String> {
    let enormous = "x".repeat(50_000);
    let deep = "a/".repeat(3_000);
    let fixed = [
        "",
        "/",
        ".",
        "..",
        "/..",
        "//",
        "\0",
        "/a\0b",
        "a\nb",
        "/d/f",
        "/d",
        "/l/f",
        "/loop",
        "/loop/x",
        "/d/f/x",
        "/none/x",
        "/dev",
        "/dev/null",
        "/dev/fd/3",
        "/dev/fd/99999999999999999999",
        "/proc/self",
        "/etc/agentos/x",
        "sh",
        "/bin/sh",
        "=",
        "ü\u{202e}\u{7f}",
    ];
    prop_oneof![
        8 => prop::sample::select(fixed.to_vec()).prop_map(str::to_owned),
        1 => Just(enormous),
        1 => Just(deep),
        1 => Just(format!("/{}", "n".repeat(256))),
        1 => ".*",
    ]
}

fn number() -> impl Strategy<Value = u32> {
    let fixed = [0, 1, 2, 3, 4, 5, 6, 7, 255, 256, 65_535, i32::MAX as u32, 1 << 31, u32::MAX];
    prop_oneof![prop::sample::select(fixed.to_vec()), any::<u32>()]
}

fn signed() -> impl Strategy<Value = i32> {
    let fixed = [i32::MIN, i32::MIN + 1, -65, -2, -1, 0, 1, 9, 18, 19, 64, 65, i32::MAX];
    prop_oneof![prop::sample::select(fixed.to_vec()), any::<i32>()]
}

fn length() -> impl Strategy<Value = usize> {
    let fixed = [0, 1, 4_096, 65_536, 1 << 20, (1 << 20) + 1, usize::MAX / 2, usize::MAX];
    prop::sample::select(fixed.to_vec())
}

fn offset() -> impl Strategy<Value = u64> {
    let fixed = [0, 1, 4_096, 1 << 40, i64::MAX as u64, (1 << 63) + 1, u64::MAX - 1, u64::MAX];
    prop_oneof![prop::sample::select(fixed.to_vec()), any::<u64>()]
}

fn time() -> impl Strategy<Value = VirtualUtimeSpec> {
    let set = |sec, nsec| VirtualUtimeSpec::Set(VirtualTimeSpec { sec, nsec });
    let all = [
        VirtualUtimeSpec::Now,
        VirtualUtimeSpec::Omit,
        set(0, 0),
        set(-1, 0),
        set(i64::MAX, 999_999_999),
        set(i64::MIN, 0),
        set(1, 1_000_000_000),
        set(1, u32::MAX),
        // UTIME_NOW and UTIME_OMIT, were they taken as they are.
        set(1, (1 << 30) - 1),
        set(1, (1 << 30) - 2),
    ];
    prop::sample::select(all.to_vec())
}

prop_compose! {
    fn args()(
        text in text(),
        other in text(),
        number in number(),
        second in number(),
        length in length(),
        offset in offset(),
        signed in signed(),
        bytes in prop::sample::select(vec![0_usize, 1, 4_097, 70_000]),
        time in time(),
    ) -> Args {
        Args { text, other, number, second, length, offset, signed, data: vec![b'x'; bytes], time }
    }
}

/// A code is a name of errno(3), and the text begins with it.
fn check(method: &str, told: &KernelResult<()>) -> Result<(), TestCaseError> {
    let Err(error) = told else { return Ok(()) };
    let named = Errno::from_name(error.code()).is_some() || error.code() == "EWOULDBLOCK";
    prop_assert!(named, "{method}: {error:?}");
    prop_assert!(error.to_string().starts_with(&format!("{}: ", error.code())), "{error}");
    // Defects of the core's shell have this errno; a machine over its own tree never has it.
    prop_assert!(error.code() != "EIO" && error.code() != "ENOSYS", "{method}: {error}");
    Ok(())
}

/// One method with arguments: what it says, and that an error has changed nothing of what was
/// `last` seen.
fn attempt(
    vm: &mut Vm,
    last: &mut Seen,
    method: &'static str,
    call: impl FnOnce(&mut Vm) -> KernelResult<()>,
) -> Result<(), TestCaseError> {
    let told = call(vm);
    check(method, &told)?;
    let before = std::mem::replace(last, seen(vm));
    if let Err(error) = told
        && !may_change(method, error.code())
    {
        let text: String = error.to_string().chars().take(200).collect();
        prop_assert_eq!(&last.digests, &before.digests, "{} has changed: {}", method, text);
        prop_assert!(*last == before, "{method} shows a change: {text}");
    }
    Ok(())
}

/// A machine that has been maltreated still works.
fn still_works(vm: &mut Vm) {
    look(vm);
    let handle = process(vm, None);
    let (read, write) = vm.open_pipe(DRIVER, handle.pid()).unwrap();
    vm.fd_write(DRIVER, handle.pid(), write, b"works").unwrap();
    assert_eq!(vm.fd_read(DRIVER, handle.pid(), read, 9).unwrap(), b"works");
    handle.finish(3);
    assert_eq!(vm.waitpid(handle.pid()).unwrap().status, 3);
    vm.dispose().unwrap();
}

fn every_method(
    args: &Args,
    pid: u32,
    profile: Profile,
    doing: &Doing,
) -> Result<(), TestCaseError> {
    let mut vm = machine(profile);
    for disposed in [false, true] {
        let last = &mut seen(&vm);
        for (name, call) in owned::<MemoryFileSystem>() {
            doing.now(&format!("{name}: {args:?}, {pid}, {profile:?}"));
            attempt(&mut vm, last, name, |vm| call(vm, DRIVER, pid, args))?;
            attempt(&mut vm, last, name, |vm| call(vm, &args.other, pid, args))?;
        }
        for (name, call) in free::<MemoryFileSystem>() {
            doing.now(&format!("{name}: {args:?}, {pid}, {profile:?}"));
            attempt(&mut vm, last, name, |vm| call(vm, args))?;
        }
        if !disposed {
            doing.now(&format!("still_works: {args:?}, {pid}, {profile:?}"));
            still_works(&mut vm);
        }
    }
    Ok(())
}

/// Each case calls some two hundred methods; texts of a megabyte are slow to shrink.
fn few() -> ProptestConfig {
    let cases = 24;
    ProptestConfig { cases, max_shrink_iters: 200, failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn every_method_bears_absurd_arguments(
        args in args(),
        pid in number(),
        linux in any::<bool>(),
    ) {
        let profile = if linux { Profile::Linux } else { Profile::SecureExec };
        watched_doing("a method with absurd arguments", move |doing| {
            every_method(&args, pid, profile, doing)
        })?;
    }

    #[test]
    fn a_handle_bears_absurd_arguments(
        signals in prop::collection::vec(signed(), 0..80),
        exit in signed(),
    ) {
        for profile in [Profile::SecureExec, Profile::Linux] {
            let mut vm = machine(profile);
            let handle = process(&mut vm, None);
            for signal in &signals {
                handle.kill(*signal);
            }
            handle.finish(exit);
            handle.finish(!exit);
            prop_assert!(handle.wait(Duration::ZERO).is_some());
            prop_assert!(handle.kill_signals().len() <= 64);
            still_works(&mut vm);
            handle.kill(9);
            handle.finish(exit);
        }
    }
}

#[test]
fn every_method_bears_enormous_texts() {
    let args = Args {
        text: "x/".repeat(1 << 20),
        other: "x".repeat(1 << 21),
        number: 1,
        second: 0,
        length: 0,
        offset: 0,
        signed: 0,
        data: vec![0; 1 << 20],
        time: VirtualUtimeSpec::Omit,
    };
    let run = move |doing: &Doing| every_method(&args, 1, Profile::SecureExec, doing);
    watched_doing("a method with enormous texts", run).unwrap();
}

#[test]
fn a_machine_of_absurd_configuration_is_a_machine() {
    for limit in [0, 1, usize::MAX] {
        let mut vm = vm_with(|config| {
            config.vm_id = String::new();
            config.cwd = "\0".repeat(9_999);
            config.env.insert(String::new(), "x".repeat(1 << 20));
            config.user.uid = Some(u32::MAX);
            config.user.supplementary_gids = (0..1_000).collect();
            config.zombie_ttl = Duration::MAX;
            let limits = &mut config.resources;
            limits.max_processes = Some(limit);
            limits.max_open_fds = Some(limit);
            limits.max_pipes = Some(limit);
            limits.max_filesystem_bytes = Some(limit as u64);
            limits.max_inode_count = Some(limit);
            limits.max_blocking_read_ms = Some(limit as u64);
            limits.max_process_env_bytes = None;
            limits.max_readdir_entries = Some(limit);
        });
        let options = tickernel::kernel::VirtualProcessOptions::default();
        if let Ok(handle) = vm.create_virtual_process(DRIVER, DRIVER, "j", Vec::new(), options) {
            let _ = vm.open_pipe(DRIVER, handle.pid());
            handle.finish(0);
            vm.waitpid(handle.pid()).unwrap();
        }
        let _ = vm.write_file("/f", "x");
        let _ = vm.read_dir("/dev");
        vm.dispose().unwrap();
    }
}

type Slot = Arc<Mutex<Option<SharedKernelVm<MemoryFileSystem>>>>;

/// The clone in the slot is for the callback; it is taken out meanwhile, so that a callback in a
/// callback finds none.
fn call_everything_back(slot: &Slot, told: &Mutex<Vec<(&'static str, &'static str)>>) {
    let Some(mut vm) = slot.lock().unwrap().take() else { return };
    let args = Args {
        text: "/d/f".to_owned(),
        other: "/d/g".to_owned(),
        number: 9,
        second: 2,
        length: 1,
        offset: 1,
        signed: 0,
        data: b"x".to_vec(),
        time: VirtualUtimeSpec::Now,
    };
    let code = |result: KernelResult<()>| result.err().map_or("Ok", |error| error.code());
    for (name, call) in owned::<Locked<MemoryFileSystem>>() {
        let result = call(&mut vm, DRIVER, 1, &args);
        told.lock().unwrap().push((name, code(result)));
    }
    for (name, call) in free::<Locked<MemoryFileSystem>>() {
        let result = call(&mut vm, &args);
        told.lock().unwrap().push((name, code(result)));
    }
    *slot.lock().unwrap() = Some(vm);
}

#[test]
fn a_callback_may_call_any_method_back_and_is_refused_or_answered_at_once() {
    let told = watched("a callback that calls back in", || {
        let (slot, told) = (Slot::default(), Arc::new(Mutex::new(Vec::new())));
        let (inside, log) = (Arc::clone(&slot), Arc::clone(&told));
        let mut config = config();
        config.permissions.filesystem = Some(Arc::new(move |_: &FsAccessRequest| {
            call_everything_back(&inside, &log);
            PermissionDecision::allow()
        }));
        let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
        process(&mut vm, None);
        let mut vm = vm.into_shared();
        *slot.lock().unwrap() = Some(vm.clone());
        vm.write_file("/d/f", "from outside").unwrap();
        slot.lock().unwrap().take();
        assert_eq!(vm.read_file("/d/f").unwrap(), b"from outside");
        assert_eq!(vm.list_processes().len(), 1, "nothing came of what was called");
        let told = told.lock().unwrap();
        told.clone()
    });
    assert!(told.len() > 80, "{}", told.len());
    // What needs no kernel answers: the one user, and looks.
    let free = ["getpwuid", "getgrgid", "look", "waitpid", "wait_and_reap"];
    for (name, code) in told {
        assert!(code == "EDEADLK" || free.contains(&name), "{name}: {code}");
    }
}

#[test]
fn a_callback_that_disposes_or_drops_is_no_deadlock() {
    watched("a callback that disposes", || {
        let slot = Slot::default();
        let inside = Arc::clone(&slot);
        let mut config = config();
        config.permissions.filesystem = Some(Arc::new(move |_: &FsAccessRequest| {
            if let Some(mut vm) = inside.lock().unwrap().take() {
                vm.dispose().unwrap();
                vm.set_permissions(Permissions::default());
            }
            PermissionDecision::allow()
        }));
        let mut vm = KernelVm::new(MemoryFileSystem::new(), config).into_shared();
        *slot.lock().unwrap() = Some(vm.clone());
        let _ = vm.write_file("/f", "x");
        assert_eq!(vm.read_file("/f").unwrap_err().code(), "EINVAL", "it ended with that call");
        assert_eq!(vm.state(), LifecycleState::Terminated);
        vm.dispose().unwrap();
    });
}

#[test]
fn threads_that_do_everything_at_once_end() {
    watched("threads", || {
        // In real time: a thread here waits for the others outside the machine.
        let vm = machine_on(Profile::SecureExec, FaceClock::Real).into_shared();
        let threads: Vec<_> = (0..4_u32)
            .map(|seed| {
                let mut vm = vm.clone();
                std::thread::spawn(move || {
                    let args = Args {
                        text: format!("/t{seed}"),
                        other: "/t9".to_owned(),
                        number: seed + 3,
                        second: seed,
                        length: 3,
                        offset: u64::from(seed),
                        signed: 0,
                        data: vec![b'x'; 9],
                        time: VirtualUtimeSpec::Now,
                    };
                    for (name, call) in owned::<Locked<MemoryFileSystem>>() {
                        // A process that has ended has nothing left to do.
                        if !["exit_process", "waitpid_with_options"].contains(&name) {
                            let _ = call(&mut vm, DRIVER, 1 + seed % 2, &args);
                        }
                    }
                    for (_, call) in free::<Locked<MemoryFileSystem>>() {
                        let _ = call(&mut vm, &args);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut vm = vm;
        vm.dispose().unwrap();
    });
}

/// A number may be given as a parent's that is nobody's yet: its own, or one in a circle.
#[test]
fn processes_may_be_parents_in_a_circle() {
    for profile in [Profile::SecureExec, Profile::Linux] {
        watched("parents in a circle", move || {
            let mut vm = machine(profile);
            let first = process(&mut vm, None).pid();
            // The first is its own parent, the two others are each other's.
            for (pid, parent) in [(1, 1), (2, 3), (3, 2)] {
                let options =
                    SpawnOptions { parent_pid: Some(first + parent), ..SpawnOptions::default() };
                let spawned = vm.spawn_process("sh", Vec::new(), options).unwrap();
                assert_eq!(spawned.pid(), first + pid);
                assert_eq!(vm.list_processes()[&spawned.pid()].ppid, first + parent);
            }
            for pid in [1, 2, 3] {
                vm.kill_process("shell", first + pid, 15).unwrap();
            }
            vm.spawn_process(
                "sh",
                Vec::new(),
                SpawnOptions { parent_pid: Some(first + 4), ..SpawnOptions::default() },
            )
            .unwrap();
            still_works(&mut vm);
        });
    }
}
