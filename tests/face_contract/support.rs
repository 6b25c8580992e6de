//! What all modules here use: machines, processes, what can be seen of a machine, a watchdog.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickernel::bridge::LifecycleState;
use tickernel::kernel::{
    FaceClock, KernelProcessHandle, KernelResult, KernelVm, KernelVmConfig, Profile,
    VirtualProcessOptions,
};
use tickernel::permissions::Permissions;
use tickernel::process_table::ProcessInfo;
use tickernel::resource_accounting::ResourceSnapshot;
use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem};

pub type Vm = KernelVm<MemoryFileSystem>;

/// The driver that plays the processes of [`process`].
pub const DRIVER: &str = "d";
/// A generous limit for anything that could hang: reaching it is a failure, never a measurement.
const WATCHDOG: Duration = Duration::from_secs(60);

/// All is permitted, time is virtual, random bytes are the same each time.
pub fn config() -> KernelVmConfig {
    let mut config = KernelVmConfig::new("contract");
    config.permissions = Permissions::allow_all();
    config.clock = FaceClock::Virtual;
    config.seed = Some(1);
    config
}

pub fn vm() -> Vm {
    vm_with(|_| {})
}

pub fn vm_with(change: impl FnOnce(&mut KernelVmConfig)) -> Vm {
    let mut config = config();
    change(&mut config);
    KernelVm::new(MemoryFileSystem::new(), config)
}

/// The same machine by the contract's rules and by Linux's.
pub fn both_profiles() -> [(Profile, Vm); 2] {
    [Profile::SecureExec, Profile::Linux]
        .map(|profile| (profile, vm_with(|config| config.profile = profile)))
}

/// A process of [`DRIVER`]'s.
pub fn process(vm: &mut Vm, parent: Option<u32>) -> KernelProcessHandle {
    process_of(vm, DRIVER, parent)
}

/// A process of a driver's.
pub fn process_of(vm: &mut Vm, driver: &str, parent: Option<u32>) -> KernelProcessHandle {
    let options = VirtualProcessOptions { parent_pid: parent, ..VirtualProcessOptions::default() };
    vm.create_virtual_process(driver, driver, "job", Vec::new(), options).unwrap()
}

/// The code of an error.
#[track_caller]
pub fn code<T: Debug>(result: KernelResult<T>) -> &'static str {
    result.unwrap_err().code()
}

/// An error's text has the contract's words and its code once, in front.
#[track_caller]
pub fn says<T: Debug>(result: KernelResult<T>, code: &str, words: &str) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.code(), code, "{text}");
    assert!(text.starts_with(&format!("{code}: ")) && text.matches(code).count() == 1, "{text}");
    assert!(text.contains(words), "{text} says nothing of: {words}");
}

/// All that can be seen of a machine without changing it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub state: LifecycleState,
    pub counts: ResourceSnapshot,
    pub processes: BTreeMap<u32, ProcessInfo>,
    pub commands: BTreeMap<String, String>,
    /// Of every table. What counts events is left out: a refused call is one.
    pub digests: Vec<(&'static str, u64)>,
}

pub fn seen<F: VirtualFileSystem>(vm: &KernelVm<F>) -> Seen {
    Seen {
        state: vm.state(),
        counts: vm.resource_snapshot(),
        processes: vm.list_processes(),
        commands: vm.commands(),
        digests: vm.digests().into_iter().filter(|(part, _)| *part != "kernel").collect(),
    }
}

/// A call that must be refused: the code is the contract's and nothing has changed.
#[track_caller]
pub fn refused<T: Debug>(vm: &mut Vm, wanted: &str, call: impl FnOnce(&mut Vm) -> KernelResult<T>) {
    let before = seen(vm);
    let result = call(vm);
    let told = result.as_ref().err().map(|error| error.code());
    assert_eq!(told, Some(wanted), "{result:?}");
    assert_eq!(seen(vm), before, "{result:?} has changed something");
}

/// What a thread that is watched does at the moment.
#[derive(Clone, Default)]
pub struct Doing(Arc<Mutex<String>>);

impl Doing {
    pub fn now(&self, what: &str) {
        what.clone_into(&mut self.0.lock().unwrap());
    }
}

/// Runs what could hang in a thread of its own: a deadlock is a failure with a name.
#[track_caller]
pub fn watched<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    watched_doing(what, |_| run())
}

/// The same for what says what it does.
#[track_caller]
pub fn watched_doing<T: Send + 'static>(
    what: &str,
    run: impl FnOnce(&Doing) -> T + Send + 'static,
) -> T {
    let (done, wait) = channel();
    let doing = Doing::default();
    let own = doing.clone();
    let thread = std::thread::spawn(move || {
        let value = run(&own);
        // Whoever waited may have given up.
        let _ = done.send(());
        value
    });
    match wait.recv_timeout(WATCHDOG) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        },
        Err(RecvTimeoutError::Timeout) => {
            let last = doing.0.lock().unwrap();
            panic!("{what} hangs in `{last}`: no answer after {WATCHDOG:?} (a deadlock?)")
        }
    }
}
