//! Permissions: four callbacks and a list of rules, deny by default (SEMANTICS.md section 9).
//!
//! A question goes to the rules first; what none of them matches goes to the callback of its kind;
//! without one it is denied.

mod filesystem;
mod glob;
mod requests;
mod rules;
mod subject;

pub use filesystem::PermissionedFileSystem;
pub use glob::permission_glob_matches;
pub use requests::{
    CommandAccessRequest, CommandPermissionCheck, EnvAccessRequest, EnvironmentOperation,
    EnvironmentPermissionCheck, FsAccessRequest, FsOperation, FsPermissionCheck,
    NetworkAccessRequest, NetworkOperation, NetworkPermissionCheck, PermissionDecision,
};
pub use rules::{PermissionRule, RuleEffect, RuleError, RuleOperation};
#[allow(unused_imports, reason = "for KernelVm, which comes next")]
pub(crate) use subject::{Question, Subject};

use super::error::coded_error;
use rules::RuleQuestion;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tickernel_systems::Policy;
use tickernel_systems::abi::Errno;

coded_error! {
    /// What was denied, and why if a reason was given.
    PermissionError, pub(crate)
}

impl PermissionError {
    /// `EACCES` about a subject.
    fn denied(subject: &str, decision: PermissionDecision) -> Self {
        let mut message = format!("permission denied, {subject}");
        if let Some(reason) = decision.reason {
            message.push_str(": ");
            message.push_str(&reason);
        }
        Self::new(Errno::EACCES.name(), message)
    }
}

/// What a virtual machine may do. The default is nothing.
#[derive(Clone, Default)]
pub struct Permissions {
    /// Asked about paths.
    pub filesystem: Option<FsPermissionCheck>,
    /// Asked about the network.
    pub network: Option<NetworkPermissionCheck>,
    /// Asked about processes to be started.
    pub child_process: Option<CommandPermissionCheck>,
    /// Asked about variables of the environment.
    pub environment: Option<EnvironmentPermissionCheck>,
    /// Looked at before any callback is asked: the first that matches decides.
    pub rules: Vec<PermissionRule>,
}

impl fmt::Debug for Permissions {
    /// Which callbacks there are, and the rules.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permissions")
            .field("filesystem", &self.filesystem.is_some())
            .field("network", &self.network.is_some())
            .field("child_process", &self.child_process.is_some())
            .field("environment", &self.environment.is_some())
            .field("rules", &self.rules)
            .finish()
    }
}

impl Permissions {
    /// Callbacks that allow everything. A machine knows them, and asks nothing.
    pub fn allow_all() -> Self {
        let allow = AllowAll::get();
        Self {
            filesystem: Some(Arc::clone(&allow.filesystem)),
            network: Some(Arc::new(|_| PermissionDecision::allow())),
            child_process: Some(Arc::clone(&allow.child_process)),
            environment: Some(Arc::new(|_| PermissionDecision::allow())),
            rules: Vec::new(),
        }
    }

    /// Whether a file may be refused.
    pub(crate) fn asks_about_files(&self) -> bool {
        self.policies().0 != Policy::Allow || !self.core_rules().is_empty()
    }

    /// The rules that the core decides by, as text, in their order: those about files and
    /// processes.
    pub(crate) fn core_rules(&self) -> Vec<String> {
        let core = |rule: &&PermissionRule| match rule.operation {
            RuleOperation::Any | RuleOperation::Fs(_) | RuleOperation::Command => true,
            RuleOperation::Network(_) | RuleOperation::Environment(_) => false,
        };
        self.rules.iter().filter(core).map(ToString::to_string).collect()
    }

    /// Who answers for files and for processes, as the core's configuration has it.
    pub(crate) fn policies(&self) -> (Policy, Policy) {
        let allow = AllowAll::get();
        let policy = |callback: Option<bool>| match callback {
            None => Policy::Deny,
            Some(true) => Policy::Allow,
            Some(false) => Policy::Ask,
        };
        let files = self.filesystem.as_ref().map(|check| Arc::ptr_eq(check, &allow.filesystem));
        let commands =
            self.child_process.as_ref().map(|check| Arc::ptr_eq(check, &allow.child_process));
        (policy(files), policy(commands))
    }

    /// These rules and no callback: nobody is ever asked.
    pub fn from_rules(rules: impl IntoIterator<Item = PermissionRule>) -> Self {
        Self { rules: rules.into_iter().collect(), ..Self::default() }
    }

    /// The same with these rules after those that it has.
    pub fn with_rules(mut self, rules: impl IntoIterator<Item = PermissionRule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// What the rules say about a question; `None` leaves it to the callback.
    pub(crate) fn by_rules(&self, question: RuleQuestion<'_>) -> Option<PermissionDecision> {
        rules::decide(&self.rules, question)
    }

    /// What is decided about a path.
    pub(crate) fn decide_fs(&self, request: &FsAccessRequest) -> PermissionDecision {
        self.by_rules((RuleOperation::Fs(Some(request.op)), &request.path))
            .or_else(|| self.filesystem.as_ref().map(|check| check(request)))
            .unwrap_or_else(PermissionDecision::unanswered)
    }

    /// What is decided about the network.
    pub(crate) fn decide_network(&self, request: &NetworkAccessRequest) -> PermissionDecision {
        self.by_rules((RuleOperation::Network(Some(request.op)), &request.resource))
            .or_else(|| self.network.as_ref().map(|check| check(request)))
            .unwrap_or_else(PermissionDecision::unanswered)
    }

    /// What is decided about a process to be started.
    pub(crate) fn decide_command(&self, request: &CommandAccessRequest) -> PermissionDecision {
        self.by_rules((RuleOperation::Command, &request.command))
            .or_else(|| self.child_process.as_ref().map(|check| check(request)))
            .unwrap_or_else(PermissionDecision::unanswered)
    }

    /// What is decided about a variable.
    pub(crate) fn decide_environment(&self, request: &EnvAccessRequest) -> PermissionDecision {
        self.by_rules((RuleOperation::Environment(Some(request.op)), &request.key))
            .or_else(|| self.environment.as_ref().map(|check| check(request)))
            .unwrap_or_else(PermissionDecision::unanswered)
    }
}

/// The callbacks of [`Permissions::allow_all`], the same for all.
struct AllowAll {
    filesystem: FsPermissionCheck,
    child_process: CommandPermissionCheck,
}

impl AllowAll {
    fn get() -> &'static Self {
        static ALLOW: OnceLock<AllowAll> = OnceLock::new();
        ALLOW.get_or_init(|| AllowAll {
            filesystem: Arc::new(|_| PermissionDecision::allow()),
            child_process: Arc::new(|_| PermissionDecision::allow()),
        })
    }
}

/// The variables that may be read.
pub fn filter_env(
    vm_id: &str,
    env: &BTreeMap<String, String>,
    permissions: &Permissions,
) -> BTreeMap<String, String> {
    let allowed = |key: &String, value: &String| {
        let request = EnvAccessRequest {
            vm_id: vm_id.to_owned(),
            op: EnvironmentOperation::Read,
            key: key.clone(),
            value: Some(value.clone()),
        };
        permissions.decide_environment(&request).allow
    };
    env.iter()
        .filter(|(key, value)| allowed(key, value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Whether a process may be started. `EACCES` with `spawn 'CMD'` and the reason.
pub fn check_command_execution(
    vm_id: &str,
    permissions: &Permissions,
    command: &str,
    args: &[String],
    cwd: Option<&str>,
    env: &BTreeMap<String, String>,
) -> Result<(), PermissionError> {
    let decision = permissions.decide_command(&CommandAccessRequest {
        vm_id: vm_id.to_owned(),
        command: command.to_owned(),
        args: args.to_vec(),
        cwd: cwd.map(str::to_owned),
        env: env.clone(),
    });
    if decision.allow {
        return Ok(());
    }
    Err(PermissionError::denied(&format!("spawn '{command}'"), decision))
}

/// Whether the network may be used so. `EACCES` with the resource and the reason.
pub fn check_network_access(
    vm_id: &str,
    permissions: &Permissions,
    op: NetworkOperation,
    resource: &str,
) -> Result<(), PermissionError> {
    let decision = permissions.decide_network(&NetworkAccessRequest {
        vm_id: vm_id.to_owned(),
        op,
        resource: resource.to_owned(),
    });
    if decision.allow { Ok(()) } else { Err(PermissionError::denied(resource, decision)) }
}
