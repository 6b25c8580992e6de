//! What processes are started with, and what waiting for them gives (SEMANTICS.md section 2).

use super::process_table::ProcessWaitEvent;
use std::collections::BTreeMap;

/// How to spawn a registered command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpawnOptions {
    /// The driver that asks; it becomes an owner beside the command's own driver.
    pub requester_driver: Option<String>,
    /// The parent, whose descriptors, group and session are taken over.
    pub parent_pid: Option<u32>,
    /// Laid over the virtual machine's environment.
    pub env: BTreeMap<String, String>,
    /// The working directory; without it the virtual machine's.
    pub cwd: Option<String>,
}

/// How to create a process that no registered command stands behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualProcessOptions {
    /// The parent, whose descriptors, group and session are taken over.
    pub parent_pid: Option<u32>,
    /// Laid over the virtual machine's environment.
    pub env: BTreeMap<String, String>,
    /// The working directory; without it the virtual machine's.
    pub cwd: Option<String>,
}

/// How to run a line through `sh -c`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOptions {
    /// The driver that asks; it becomes an owner beside the shell's own driver.
    pub requester_driver: Option<String>,
    /// The parent, whose descriptors, group and session are taken over.
    pub parent_pid: Option<u32>,
    /// Laid over the virtual machine's environment.
    pub env: BTreeMap<String, String>,
    /// The working directory; without it the virtual machine's.
    pub cwd: Option<String>,
}

/// How to open an interactive shell on a pseudo-terminal of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenShellOptions {
    /// The driver that asks; it becomes an owner beside the shell's own driver.
    pub requester_driver: Option<String>,
    /// The command; without it `sh`.
    pub command: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Laid over the virtual machine's environment.
    pub env: BTreeMap<String, String>,
    /// The working directory; without it the virtual machine's.
    pub cwd: Option<String>,
}

/// A process that ended and has been reaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitPidResult {
    /// Its pid.
    pub pid: u32,
    /// Its plain exit code, 128 + signal when it was killed (not a status word of wait(2)).
    pub status: i32,
}

/// What happened to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitPidEventResult {
    /// Its pid.
    pub pid: u32,
    /// The exit code, or the signal that stopped or continued it.
    pub status: i32,
    /// What happened.
    pub event: ProcessWaitEvent,
}
