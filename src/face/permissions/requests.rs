//! What policies are asked about, and what they answer.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Asked about a path.
pub type FsPermissionCheck = Arc<dyn Fn(&FsAccessRequest) -> PermissionDecision + Send + Sync>;
/// Asked about the network.
pub type NetworkPermissionCheck =
    Arc<dyn Fn(&NetworkAccessRequest) -> PermissionDecision + Send + Sync>;
/// Asked about a process to be started.
pub type CommandPermissionCheck =
    Arc<dyn Fn(&CommandAccessRequest) -> PermissionDecision + Send + Sync>;
/// Asked about a variable of the environment.
pub type EnvironmentPermissionCheck =
    Arc<dyn Fn(&EnvAccessRequest) -> PermissionDecision + Send + Sync>;

/// What a policy answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionDecision {
    /// Whether it may be done.
    pub allow: bool,
    /// Why not; it goes into the error's message.
    pub reason: Option<String>,
}

impl PermissionDecision {
    /// It may be done.
    pub fn allow() -> Self {
        Self { allow: true, reason: None }
    }

    /// It may not, for this reason.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self { allow: false, reason: Some(reason.into()) }
    }

    /// Nobody allowed it.
    pub(crate) fn unanswered() -> Self {
        Self { allow: false, reason: None }
    }
}

/// What is to be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsOperation {
    /// Read a file, or resolve a path.
    Read,
    /// Write, create or append to a file.
    Write,
    /// Make a directory, its parents too.
    Mkdir,
    /// Make a directory.
    CreateDir,
    /// List a directory.
    ReadDir,
    /// Look at an inode.
    Stat,
    /// Remove a name.
    Remove,
    /// Give another name.
    Rename,
    /// Ask whether something is there.
    Exists,
    /// Make a symbolic link.
    Symlink,
    /// Read a symbolic link.
    ReadLink,
    /// Make a hard link.
    Link,
    /// Set permission bits.
    Chmod,
    /// Set the owner.
    Chown,
    /// Set times.
    Utimes,
    /// Set the length.
    Truncate,
    /// Mount or unmount where the system lives.
    MountSensitive,
}

impl FsOperation {
    /// Every operation.
    pub(crate) const ALL: [Self; 17] = [
        Self::Read,
        Self::Write,
        Self::Mkdir,
        Self::CreateDir,
        Self::ReadDir,
        Self::Stat,
        Self::Remove,
        Self::Rename,
        Self::Exists,
        Self::Symlink,
        Self::ReadLink,
        Self::Link,
        Self::Chmod,
        Self::Chown,
        Self::Utimes,
        Self::Truncate,
        Self::MountSensitive,
    ];

    /// The word for it in errors and rules.
    pub(crate) const fn word(self) -> &'static str {
        tickernel_systems::FILE_OPERATIONS[self as usize]
    }
}

/// What is to be done with a path, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsAccessRequest {
    /// The virtual machine.
    pub vm_id: String,
    /// What is to be done.
    pub op: FsOperation,
    /// The path, resolved as the operation has it.
    pub path: String,
}

/// What is to be done on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkOperation {
    /// Fetch a resource.
    Fetch,
    /// Connect, or send a datagram.
    Http,
    /// Resolve a name.
    Dns,
    /// Bind, or listen.
    Listen,
}

impl NetworkOperation {
    /// Every operation.
    pub(crate) const ALL: [Self; 4] = [Self::Fetch, Self::Http, Self::Dns, Self::Listen];

    /// The word for it in rules.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::Listen => "listen",
        }
    }
}

/// What is to be done on the network, and with whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAccessRequest {
    /// The virtual machine.
    pub vm_id: String,
    /// What is to be done.
    pub op: NetworkOperation,
    /// With whom: `tcp://HOST:PORT`, `dns://NAME`.
    pub resource: String,
}

/// A process to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandAccessRequest {
    /// The virtual machine.
    pub vm_id: String,
    /// The command, resolved.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its working directory.
    pub cwd: Option<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
}

/// What is to be done with a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvironmentOperation {
    /// See it.
    Read,
    /// Set it.
    Write,
}

impl EnvironmentOperation {
    /// Every operation.
    pub(crate) const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// The word for it in rules.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvAccessRequest {
    /// The virtual machine.
    pub vm_id: String,
    /// What is to be done.
    pub op: EnvironmentOperation,
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: Option<String>,
}
