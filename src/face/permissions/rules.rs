//! Rules as data: allow or deny, an operation, a pattern. Our addition to the contract: they ask
//! nothing, so they can be printed, stored and recorded. A machine hands those about files and
//! processes to the core, which decides by them.
//!
//! A rule as text is `EFFECT OPERATION PATTERN`, as in `allow fs:read /workspace/**`.

use super::glob::permission_glob_matches;
use super::requests::{EnvironmentOperation, FsOperation, NetworkOperation, PermissionDecision};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a rule does with what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleEffect {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
}

/// What a rule is about. As text `fs:read`, `fs:*`, `network:dns`, `command`, `env:read`, `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RuleOperation {
    /// Anything.
    Any,
    /// This operation on a path, or with `None` any; the pattern is for the path.
    Fs(Option<FsOperation>),
    /// This operation on the network, or with `None` any; the pattern is for the resource.
    Network(Option<NetworkOperation>),
    /// Starting a process; the pattern is for the command.
    Command,
    /// This operation on a variable, or with `None` any; the pattern is for its name.
    Environment(Option<EnvironmentOperation>),
}

/// What a rule is asked about: never one of those that stand for several.
pub(crate) type RuleQuestion<'a> = (RuleOperation, &'a str);

impl RuleOperation {
    /// Every one that a rule can name.
    fn all() -> impl Iterator<Item = Self> {
        [Self::Any, Self::Command, Self::Fs(None), Self::Network(None), Self::Environment(None)]
            .into_iter()
            .chain(FsOperation::ALL.map(|op| Self::Fs(Some(op))))
            .chain(NetworkOperation::ALL.map(|op| Self::Network(Some(op))))
            .chain(EnvironmentOperation::ALL.map(|op| Self::Environment(Some(op))))
    }

    fn covers(self, asked: Self) -> bool {
        match self {
            Self::Any => true,
            Self::Fs(None) => matches!(asked, Self::Fs(_)),
            Self::Network(None) => matches!(asked, Self::Network(_)),
            Self::Environment(None) => matches!(asked, Self::Environment(_)),
            Self::Fs(Some(_))
            | Self::Network(Some(_))
            | Self::Command
            | Self::Environment(Some(_)) => self == asked,
        }
    }
}

impl fmt::Display for RuleOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, word) = match self {
            Self::Any => return f.write_str("*"),
            Self::Command => return f.write_str("command"),
            Self::Fs(op) => ("fs", op.map(FsOperation::word)),
            Self::Network(op) => ("network", op.map(NetworkOperation::word)),
            Self::Environment(op) => ("env", op.map(EnvironmentOperation::word)),
        };
        write!(f, "{family}:{}", word.unwrap_or("*"))
    }
}

/// A text that is no rule or no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a permission rule: {text:?}; expected {expected}")]
pub struct RuleError {
    text: String,
    expected: String,
}

impl RuleError {
    fn new(text: &str, expected: impl Into<String>) -> Self {
        Self { text: text.chars().take(80).collect(), expected: expected.into() }
    }
}

impl FromStr for RuleOperation {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::all().find(|operation| operation.to_string() == text).ok_or_else(|| {
            let all: Vec<String> = Self::all().map(|operation| operation.to_string()).collect();
            RuleError::new(text, format!("an operation: one of {}", all.join(", ")))
        })
    }
}

impl TryFrom<String> for RuleOperation {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<RuleOperation> for String {
    fn from(operation: RuleOperation) -> Self {
        operation.to_string()
    }
}

/// Allows or denies an operation on whatever matches a pattern of [`permission_glob_matches`].
///
/// Of a list, **the first rule that matches decides**; what none matches is asked of the callback,
/// and denied where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRule {
    /// What it does.
    pub effect: RuleEffect,
    /// What it is about.
    pub operation: RuleOperation,
    /// Which paths, resources, commands or variables.
    pub pattern: String,
}

impl PermissionRule {
    /// A rule that allows.
    pub fn allow(operation: RuleOperation, pattern: impl Into<String>) -> Self {
        Self { effect: RuleEffect::Allow, operation, pattern: pattern.into() }
    }

    /// A rule that denies.
    pub fn deny(operation: RuleOperation, pattern: impl Into<String>) -> Self {
        Self { effect: RuleEffect::Deny, operation, pattern: pattern.into() }
    }

    /// Whether it decides the question.
    fn matches(&self, (operation, subject): RuleQuestion<'_>) -> bool {
        self.operation.covers(operation) && permission_glob_matches(&self.pattern, subject)
    }

    /// What it decides; a refusal names the rule.
    fn decision(&self) -> PermissionDecision {
        match self.effect {
            RuleEffect::Allow => PermissionDecision::allow(),
            RuleEffect::Deny => PermissionDecision::deny(format!("rule `{self}`")),
        }
    }
}

/// What a list of rules says: the first that matches; `None` when none does.
pub(crate) fn decide(
    rules: &[PermissionRule],
    question: RuleQuestion<'_>,
) -> Option<PermissionDecision> {
    rules.iter().find(|rule| rule.matches(question)).map(PermissionRule::decision)
}

impl fmt::Display for PermissionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            RuleEffect::Allow => "allow",
            RuleEffect::Deny => "deny",
        };
        write!(f, "{effect} {} {}", self.operation, self.pattern)
    }
}

impl FromStr for PermissionRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        fn word(text: &str) -> Option<(&str, &str)> {
            text.trim_start().split_once(char::is_whitespace)
        }
        let form = "EFFECT OPERATION PATTERN, such as allow fs:read /workspace/**";
        let (effect, rest) = word(text).ok_or_else(|| RuleError::new(text, form))?;
        let effect = match effect {
            "allow" => RuleEffect::Allow,
            "deny" => RuleEffect::Deny,
            _ => return Err(RuleError::new(text, "allow or deny as the first word")),
        };
        // What follows the white space behind the operation is the pattern, whole.
        let (operation, pattern) = word(rest).ok_or_else(|| RuleError::new(text, form))?;
        let operation =
            operation.parse().map_err(|why: RuleError| RuleError::new(text, why.expected))?;
        Ok(Self { effect, operation, pattern: pattern.to_owned() })
    }
}
