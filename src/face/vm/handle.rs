//! `KernelProcessHandle`: what a driver holds of a process. It outlives the virtual machine.

use crate::face::machine::{HandleState, Machine, Queued};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tickernel_systems::abi::Signal;

/// A driver's hold on a process. Clones show the same process; any thread may use one, also a
/// callback of the virtual machine, where what it asks for happens after the call.
#[derive(Clone)]
pub struct KernelProcessHandle {
    pid: u32,
    driver: Arc<str>,
    state: Arc<HandleState>,
    machine: Arc<Machine>,
}

impl fmt::Debug for KernelProcessHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelProcessHandle")
            .field("pid", &self.pid)
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

impl KernelProcessHandle {
    pub(crate) fn new(
        pid: u32,
        driver: Arc<str>,
        state: Arc<HandleState>,
        machine: Arc<Machine>,
    ) -> Self {
        Self { pid, driver, state, machine }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The driver that plays it.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Says that the process has ended. The first call counts.
    pub fn finish(&self, exit_code: i32) {
        if self.state.finish(exit_code) {
            self.machine.later(Queued::Exit(self.pid, exit_code));
        }
    }

    /// Sends a signal to the process as its driver. In the origin's profile that is the driver's
    /// own affair: it reaches the process past its mask, after its end too, whatever its number;
    /// what does not end it does nothing, not even stop it (SEMANTICS.md, section 2).
    pub fn kill(&self, signal: i32) {
        if self.machine.look().kernel.face_bends().handles_pass_masks {
            self.state.told(signal);
            let code = 128_i32.wrapping_add(signal);
            if ends(signal) && self.state.finish(code) {
                self.machine.later(Queued::Exit(self.pid, code));
            }
        } else if !self.state.is_over() && (1..=64).contains(&signal) {
            self.machine.later(Queued::Signal(self.pid, signal));
        }
    }

    /// The code given to [`finish`](Self::finish), or 128 and the signal that ended the process;
    /// `None` after the time-out. That is the host's time, with a virtual clock too: whoever holds
    /// a handle stands outside the machine, whose time only its own calls let pass, such as
    /// [`KernelVm::waitpid`](crate::kernel::KernelVm::waitpid).
    pub fn wait(&self, timeout: Duration) -> Option<i32> {
        self.state.wait(timeout)
    }

    /// The signals that reached the process, oldest first; the last 64.
    pub fn kill_signals(&self) -> Vec<i32> {
        self.state.signals()
    }
}

/// Whether a signal ends a process that has no handlers: signal(7), "Ign", "Stop" and "Cont" do
/// not.
fn ends(signal: i32) -> bool {
    !Signal::new(signal).is_some_and(|signal| {
        matches!(
            signal,
            Signal::SIGCHLD
                | Signal::SIGCONT
                | Signal::SIGSTOP
                | Signal::SIGTSTP
                | Signal::SIGTTIN
                | Signal::SIGTTOU
                | Signal::SIGURG
                | Signal::SIGWINCH
        )
    })
}

/// A shell on a pseudo-terminal of its own.
#[derive(Debug, Clone)]
pub struct OpenShellHandle {
    pub(super) process: KernelProcessHandle,
    pub(super) master_fd: u32,
    pub(super) slave_fd: u32,
    pub(super) pty_path: String,
}

impl OpenShellHandle {
    /// The shell's process.
    pub fn process(&self) -> &KernelProcessHandle {
        &self.process
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The descriptor by which one types, in the shell's own table.
    pub fn master_fd(&self) -> u32 {
        self.master_fd
    }

    /// The descriptor that the shell reads.
    pub fn slave_fd(&self) -> u32 {
        self.slave_fd
    }

    /// The slave's path.
    pub fn pty_path(&self) -> &str {
        &self.pty_path
    }
}
