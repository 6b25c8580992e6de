//! Drivers and commands, processes and their ends (SEMANTICS.md, sections 1, 2 and 14).

use super::convert::error_about;
use super::handle::KernelProcessHandle;
use super::hosts::{Asked, Files};
use super::{KernelVm, check_owner, conclude, host_of, open, owned, run};
use crate::face::bridge::LifecycleState;
use crate::face::command_registry::CommandDriver;
use crate::face::error::KernelResult;
use crate::face::kernel::{
    ExecOptions, SpawnOptions, VirtualProcessOptions, WaitPidEventResult, WaitPidFlags,
    WaitPidResult,
};
use crate::face::machine::{Core, Machine};
use crate::face::process_table::ProcessWaitEvent;
use crate::face::vfs::VirtualFileSystem;
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};
use tickernel_systems::abi::Errno;
use tickernel_systems::event::{Answer, Call, Outcome, Payload};

/// Shell of [`KernelVm::exec`].
const SHELL: &str = "sh";

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// What the machine is doing (section 1).
    pub fn state(&self) -> LifecycleState {
        let core = self.machine.look();
        if core.kernel.face_is_disposed() {
            LifecycleState::Terminated
        } else if core.kernel.face_counts().running > 0 {
            LifecycleState::Busy
        } else {
            LifecycleState::Ready
        }
    }

    /// The machine's name.
    pub fn vm_id(&self) -> &str {
        &self.config.vm_id
    }

    /// The environment under that of every process.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.config.env
    }

    /// Every registered command and its driver.
    pub fn commands(&self) -> BTreeMap<String, String> {
        self.machine.look().kernel.face_commands()
    }

    /// Registers a driver and its commands, and writes a file in /bin for each that has none.
    ///
    /// # Errors
    /// `EINVAL` for a name that cannot be a command's: then nothing is registered. Those of the
    /// files in /bin.
    pub fn register_driver(&mut self, driver: CommandDriver) -> KernelResult<()> {
        let core = open(&self.machine)?;
        let commands = driver.commands().iter().map(|name| name.as_bytes()).collect();
        let call = Call::FaceRegisterDriver { driver: driver.name().as_bytes(), commands };
        let bad = driver.commands().iter().find(|name| is_invalid_command(name));
        let what = match bad {
            Some(name) => format!("invalid command name \"{name}\""),
            None => format!("register driver \"{}\"", driver.name()),
        };
        run(&self.machine, core, host_of!(self), (0, call), what)?;
        Ok(())
    }

    /// Runs a line through the shell: `sh -c`.
    ///
    /// # Errors
    /// Those of [`KernelVm::spawn_process`].
    pub fn exec(
        &mut self,
        command: &str,
        options: ExecOptions,
    ) -> KernelResult<KernelProcessHandle> {
        let args = vec!["-c".to_owned(), command.to_owned()];
        let ExecOptions { requester_driver, parent_pid, env, cwd } = options;
        self.spawn_process(SHELL, args, SpawnOptions { requester_driver, parent_pid, env, cwd })
    }

    /// Starts a registered command, or a file that stands for one.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`, `ENOEXEC` of the command; `EINVAL` for too long arguments; `EACCES` if
    /// it is not permitted; `EAGAIN`, `ENFILE` at a limit; `ESRCH`, `EPERM` for the parent.
    pub fn spawn_process(
        &mut self,
        command: &str,
        args: Vec<String>,
        options: SpawnOptions,
    ) -> KernelResult<KernelProcessHandle> {
        let SpawnOptions { requester_driver, parent_pid, env, cwd } = options;
        let envp = self.full_env(&env);
        let core = open(&self.machine)?;
        if let (Some(requester), Some(parent)) = (&requester_driver, parent_pid) {
            check_owner(&core, requester, parent)?;
        }
        let call = Call::FaceSpawn {
            requester: requester_driver.as_deref().map(str::as_bytes),
            command: command.as_bytes(),
            args: args.iter().map(|arg| arg.as_bytes()).collect(),
            envp: envp.iter().map(|word| word.as_bytes()).collect(),
            cwd: cwd.as_deref().unwrap_or(&self.config.cwd).as_bytes(),
            parent: parent_pid.unwrap_or(0),
        };
        born(&self.machine, core, host_of!(self), &call, command)
    }

    /// Makes a process that a driver plays, whatever commands are registered.
    ///
    /// # Errors
    /// Those of [`KernelVm::spawn_process`] but the command's.
    pub fn create_virtual_process(
        &mut self,
        requester_driver: &str,
        driver: &str,
        command: &str,
        args: Vec<String>,
        options: VirtualProcessOptions,
    ) -> KernelResult<KernelProcessHandle> {
        let VirtualProcessOptions { parent_pid, env, cwd } = options;
        let envp = self.full_env(&env);
        let core = open(&self.machine)?;
        if let Some(parent) = parent_pid {
            check_owner(&core, requester_driver, parent)?;
        }
        let call = Call::FaceCreateProcess {
            requester: requester_driver.as_bytes(),
            driver: driver.as_bytes(),
            command: command.as_bytes(),
            args: args.iter().map(|arg| arg.as_bytes()).collect(),
            envp: envp.iter().map(|word| word.as_bytes()).collect(),
            cwd: cwd.as_deref().unwrap_or(&self.config.cwd).as_bytes(),
            parent: parent_pid.unwrap_or(0),
        };
        born(&self.machine, core, host_of!(self), &call, command)
    }

    /// The machine's environment, and over it the process's own.
    fn full_env(&self, own: &BTreeMap<String, String>) -> Vec<String> {
        let under = self.config.env.iter().filter(|(key, _)| !own.contains_key(*key));
        under.chain(own).map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// Ends a process with a code; its handle's `wait` does not see it.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn exit_process(
        &mut self,
        requester_driver: &str,
        pid: u32,
        exit_code: i32,
    ) -> KernelResult<()> {
        let mut core = owned(&self.machine, requester_driver, pid)?;
        core.catch_up();
        core.call(0, &Call::FaceExit { target: pid, status: exit_code });
        Ok(())
    }

    /// Waits for the end of any process and reaps it.
    ///
    /// # Errors
    /// `ESRCH`: there is none, or it has been reaped.
    pub fn waitpid(&mut self, pid: u32) -> KernelResult<WaitPidResult> {
        loop {
            let mut core = self.machine.lock()?;
            let outcome = core.call(0, &Call::FaceWaitpid { target: pid });
            match self.machine.finish(core, outcome, &mut crate::face::machine::NoHost) {
                Ok(Answer { payload: Payload::Change(_, status), .. }) => {
                    return Ok(WaitPidResult { pid, status });
                }
                Ok(_) => return Err(error_about(Errno::EIO, "waitpid")),
                Err(Errno::EAGAIN) => self.machine.wait_for_end(pid)?,
                Err(errno) => {
                    return Err(error_about(errno, format_args!("waitpid {pid}")));
                }
            }
        }
    }

    /// [`KernelVm::waitpid`], as a pair.
    ///
    /// # Errors
    /// Those of `waitpid`.
    pub fn wait_and_reap(&mut self, pid: u32) -> KernelResult<(u32, i32)> {
        self.waitpid(pid).map(|result| (result.pid, result.status))
    }

    /// Waits for a child's end, stop or continuation, as waitpid(2) selects it.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM` for the waiter; `ECHILD` without a matching child.
    pub fn waitpid_with_options(
        &mut self,
        requester_driver: &str,
        waiter_pid: u32,
        pid: i32,
        flags: WaitPidFlags,
    ) -> KernelResult<Option<WaitPidEventResult>> {
        let options = u32::from(flags.contains(WaitPidFlags::WNOHANG))
            | if flags.contains(WaitPidFlags::WUNTRACED) { 2 } else { 0 }
            | if flags.contains(WaitPidFlags::WCONTINUED) { 8 } else { 0 };
        let mut core = owned(&self.machine, requester_driver, waiter_pid)?;
        let outcome = core.call(waiter_pid, &Call::Wait4 { wpid: pid, options });
        let answer = self
            .machine
            .finish(core, outcome, &mut crate::face::machine::NoHost)
            .map_err(|errno| error_about(errno, format_args!("waitpid {pid}")))?;
        let Payload::Change(event, status) = answer.payload else { return Ok(None) };
        let event = match event {
            0 => ProcessWaitEvent::Exited,
            1 => ProcessWaitEvent::Stopped,
            _ => ProcessWaitEvent::Continued,
        };
        let pid = u32::try_from(answer.value).unwrap_or(0);
        Ok(Some(WaitPidEventResult { pid, status, event }))
    }

    /// How many zombies have a deadline.
    pub fn zombie_timer_count(&self) -> usize {
        self.machine.look().kernel.face_counts().zombie_timers as usize
    }

    /// Ends every process and frees everything; a second time does nothing.
    ///
    /// # Errors
    /// None so far.
    pub fn dispose(&mut self) -> KernelResult<()> {
        self.machine.dispose();
        Ok(())
    }
}

/// Has a process made, and its handle.
fn born(
    machine: &Arc<Machine>,
    mut core: MutexGuard<'_, Core>,
    host: Asked<'_, impl Files>,
    call: &Call<'_>,
    command: &str,
) -> KernelResult<KernelProcessHandle> {
    let (answer, mut core) = match core.call(0, call) {
        Outcome::Done(answer) => (answer, core),
        outcome => {
            let what = format_args!("spawn '{command}'");
            (conclude(machine, core, host, outcome, what)?, machine.look())
        }
    };
    let pid = u32::try_from(answer.value).map_err(|_| error_about(Errno::EIO, "a pid"))?;
    let driver = core.driver_of(pid);
    let state = core.add_handle(pid);
    // Another thread may have ended it while a question was answered.
    if !core.kernel.face_is_alive(pid) {
        core.drop_handle(pid);
    }
    Ok(KernelProcessHandle::new(pid, driver, state, Arc::clone(machine)))
}

/// Whether a name cannot be a command's.
fn is_invalid_command(name: &str) -> bool {
    name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0'])
}
