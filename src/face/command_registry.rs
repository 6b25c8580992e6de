//! Drivers: who runs which commands (SEMANTICS.md section 14).
//!
//! The registry itself, with its rules for names, is the kernel's.

/// A driver and the commands that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandDriver {
    name: String,
    commands: Vec<String>,
}

impl CommandDriver {
    /// A driver of this name for these commands. Nothing is checked before it is registered.
    pub fn new<N, I, C>(name: N, commands: I) -> Self
    where
        N: Into<String>,
        I: IntoIterator<Item = C>,
        C: Into<String>,
    {
        Self { name: name.into(), commands: commands.into_iter().map(Into::into).collect() }
    }

    /// Its name, under which it later asks.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its commands, in the order given, doubles included.
    pub fn commands(&self) -> &[String] {
        &self.commands
    }
}
