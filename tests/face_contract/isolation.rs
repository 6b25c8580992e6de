//! One driver never reaches another's processes or descriptors: generated attempts by all methods.

use crate::methods::{Args, owned};
use crate::support::{Vm, process_of, says, seen, vm};
use proptest::prelude::*;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{O_CREAT, O_RDWR};
use tickernel::kernel::{KernelProcessHandle, VirtualProcessOptions, WaitPidFlags};
use tickernel::vfs::{MemoryFileSystem, VirtualTimeSpec, VirtualUtimeSpec};

const DRIVERS: [&str; 2] = ["one", "two"];

/// What a driver does to its own before anybody attempts anything.
#[derive(Clone, Copy, Debug)]
enum Step {
    Birth { driver: usize, child: bool },
    Pipe { of: usize },
    File { of: usize },
    Signal { of: usize, signal: i32 },
    Group { of: usize },
    End { of: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let signal = prop_oneof![Just(19), Just(20), Just(18), Just(28), Just(17)];
    prop_oneof![
        3 => (0..2_usize, any::<bool>()).prop_map(|(driver, child)| Step::Birth { driver, child }),
        2 => (0..8_usize).prop_map(|of| Step::Pipe { of }),
        1 => (0..8_usize).prop_map(|of| Step::File { of }),
        2 => (0..8_usize, signal).prop_map(|(of, signal)| Step::Signal { of, signal }),
        1 => (0..8_usize).prop_map(|of| Step::Group { of }),
        1 => (0..8_usize).prop_map(|of| Step::End { of }),
    ]
}

prop_compose! {
    /// Arguments that would do something, were they the owner's.
    fn args()(
        path in prop_oneof![Just("/shared"), Just("/new"), Just("/"), Just("/dev/fd/0")],
        number in 0..8_u32,
        second in prop_oneof![0..8_u32, Just(0o102), Just(0o1102)],
        length in 0..32_usize,
        signed in -4..65_i32,
        bits in any::<u64>(),
    ) -> Args {
        let time = VirtualUtimeSpec::Set(VirtualTimeSpec { sec: 5, nsec: 6 });
        Args {
            text: path.to_owned(),
            other: "/other".to_owned(),
            number,
            second,
            length,
            offset: bits % 64,
            signed,
            data: vec![b'x'; length],
            time,
        }
    }
}

/// A machine after the steps, and the handles of its processes with their drivers.
fn build(steps: &[Step]) -> (Vm, Vec<(usize, KernelProcessHandle)>) {
    let mut vm = vm();
    vm.register_driver(CommandDriver::new("shell", ["sh"])).unwrap();
    vm.write_file("/shared", "0123456789").unwrap();
    let mut born: Vec<(usize, KernelProcessHandle)> = Vec::new();
    for (driver, name) in DRIVERS.iter().enumerate() {
        born.push((driver, process_of(&mut vm, name, None)));
    }
    for step in steps {
        perform(&mut vm, *step, &mut born);
    }
    (vm, born)
}

/// Its own driver's errors are none of this test's.
fn perform(vm: &mut Vm, step: Step, born: &mut Vec<(usize, KernelProcessHandle)>) {
    let chosen = |of: usize| {
        let (driver, handle) = &born[of % born.len()];
        (*driver, DRIVERS[*driver], handle.pid())
    };
    match step {
        Step::Birth { driver, child } => {
            let own = born.iter().find(|(of, _)| *of == driver && child);
            let parent_pid = own.map(|(_, handle)| handle.pid());
            let options = VirtualProcessOptions { parent_pid, ..Default::default() };
            let name = DRIVERS[driver];
            if let Ok(handle) = vm.create_virtual_process(name, name, "job", Vec::new(), options) {
                born.push((driver, handle));
            }
        }
        Step::Pipe { of } => {
            let (_, driver, pid) = chosen(of);
            if let Ok((_, write)) = vm.open_pipe(driver, pid) {
                vm.fd_write(driver, pid, write, b"private").unwrap();
            }
        }
        Step::File { of } => {
            let (_, driver, pid) = chosen(of);
            let _ = vm.fd_open(driver, pid, "/shared", O_RDWR | O_CREAT, None);
        }
        Step::Signal { of, signal } => {
            let (_, driver, pid) = chosen(of);
            let _ = vm.kill_process(driver, pid, signal);
        }
        Step::Group { of } => {
            let (_, driver, pid) = chosen(of);
            let _ = vm.setpgid(driver, pid, 0);
        }
        Step::End { of } => {
            let (_, driver, pid) = chosen(of);
            let _ = vm.exit_process(driver, pid, 3);
        }
    }
}

fn logs(born: &[(usize, KernelProcessHandle)]) -> Vec<Vec<i32>> {
    born.iter().map(|(_, handle)| handle.kill_signals()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Every method, for every process of the other's: EPERM, or ESRCH for one that has ended; and
    /// nothing has changed.
    #[test]
    fn no_method_reaches_another_drivers_process(
        steps in prop::collection::vec(step(), 0..24),
        args in args(),
    ) {
        let (mut vm, born) = build(&steps);
        let (before, signals) = (seen(&vm), logs(&born));
        let strangers = [DRIVERS[0], DRIVERS[1], "", "shell", "one\0", "ONE"];
        for (driver, handle) in &born {
            let alive = before.processes[&handle.pid()].exit_code.is_none();
            let wanted = if alive { "EPERM" } else { "ESRCH" };
            for stranger in strangers.iter().filter(|name| **name != DRIVERS[*driver]) {
                for (name, call) in owned::<MemoryFileSystem>() {
                    let told = call(&mut vm, stranger, handle.pid(), &args);
                    let code = told.as_ref().err().map(|error| error.code());
                    prop_assert_eq!(code, Some(wanted), "{} by {:?}: {:?}", name, stranger, told);
                }
            }
        }
        prop_assert_eq!(seen(&vm), before);
        prop_assert_eq!(logs(&born), signals);
    }

    /// Nor do groups, waits and selectors by way of an own process.
    #[test]
    fn no_own_process_reaches_another_drivers_group_or_children(
        steps in prop::collection::vec(step(), 0..24),
        signal in 1..65_i32,
    ) {
        let (mut vm, born) = build(&steps);
        let (before, signals) = (seen(&vm), logs(&born));
        let flags = WaitPidFlags::WNOHANG | WaitPidFlags::WUNTRACED;
        let living = |pid: u32| before.processes[&pid].exit_code.is_none();
        for (own, handle) in born.iter().filter(|(_, handle)| living(handle.pid())) {
            let (driver, pid) = (DRIVERS[*own], handle.pid());
            for (_, other) in born.iter().filter(|(of, _)| of != own) {
                let (target, group) = (other.pid() as i32, before.processes[&other.pid()].pgid);
                // Process 1 adopts orphans, whoever played them (section 2, "Exit").
                if before.processes[&other.pid()].ppid != pid {
                    let waited = vm.waitpid_with_options(driver, pid, target, flags);
                    prop_assert_eq!(waited.unwrap_err().code(), "ECHILD");
                }
                // With one driver a session, a group is one driver's.
                let joined = vm.setpgid(driver, pid, group);
                prop_assert_eq!(joined.unwrap_err().code(), "EPERM");
                if living(other.pid()) && group > 1 {
                    let sent = vm.signal_process(driver, -(group as i32), signal);
                    prop_assert_eq!(sent.unwrap_err().code(), "EPERM");
                }
            }
        }
        let after = seen(&vm);
        prop_assert_eq!(after.processes, before.processes);
        prop_assert_eq!(logs(&born), signals);
    }
}

#[test]
fn the_owner_is_never_told_that_he_does_not_own() {
    // The counterpart: the same attempts by the owner fail, if at all, for other reasons.
    let text = "/shared".to_owned();
    let args = Args {
        text: text.clone(),
        other: text,
        number: 3,
        second: 2,
        length: 1,
        offset: 0,
        signed: 0,
        data: b"x".to_vec(),
        time: VirtualUtimeSpec::Now,
    };
    for (name, call) in owned::<MemoryFileSystem>() {
        let (mut vm, _) = build(&[Step::File { of: 0 }]);
        if let Err(error) = call(&mut vm, "one", 1, &args) {
            assert!(!error.to_string().contains("does not own"), "{name}: {error}");
        }
        let (mut vm, _) = build(&[Step::File { of: 0 }]);
        says(call(&mut vm, "two", 1, &args), "EPERM", "does not own PID 1");
    }
}

#[test]
fn descriptors_are_a_processs_own() {
    let (mut vm, _) = build(&[]);
    let (read, write) = vm.open_pipe("one", 1).unwrap();
    assert_eq!(vm.fd_dup("two", 2, 0).unwrap(), read, "the same number");
    assert_eq!(vm.fd_write("two", 2, read, b"x").unwrap_err().code(), "EBADF");
    assert_eq!(vm.fd_write("two", 2, write, b"x").unwrap_err().code(), "EBADF");
    assert_eq!(
        vm.fd_open("two", 2, &format!("/dev/fd/{write}"), 0, None).unwrap_err().code(),
        "EBADF"
    );
    vm.fd_write("one", 1, write, b"private").unwrap();
    assert_eq!(vm.fd_read("one", 1, read, 99).unwrap(), b"private");
}
