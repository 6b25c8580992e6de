//! Plugins that open file systems for mounting, by name (0.3.4's).

use super::error::coded_error;
use super::mount_table::MountedFileSystem;
use super::vfs::VfsError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tickernel_systems::abi::Errno;

coded_error! {
    /// Why a plugin could not be registered, or did not open a file system.
    PluginError, pub
}

impl PluginError {
    /// `ENOSYS`: there is no such plugin, or it cannot do this.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Errno::ENOSYS.name(), message)
    }

    /// `EINVAL`: its configuration does not fit.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(Errno::EINVAL.name(), message)
    }

    /// `EEXIST`: the name is taken.
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(Errno::EEXIST.name(), message)
    }
}

impl From<VfsError> for PluginError {
    fn from(error: VfsError) -> Self {
        Self::new(error.code(), error.message())
    }
}

/// What a plugin is asked to open.
#[derive(Debug)]
pub struct OpenFileSystemPluginRequest<'a, Context> {
    /// The virtual machine.
    pub vm_id: &'a str,
    /// Where it will be mounted.
    pub guest_path: &'a str,
    /// Whether it will be mounted read-only.
    pub read_only: bool,
    /// The plugin's own configuration.
    pub config: &'a Value,
    /// What the host hands to its plugins.
    pub context: &'a Context,
}

/// Opens file systems of one kind.
pub trait FileSystemPluginFactory<Context>: Send + Sync {
    /// Its name.
    fn plugin_id(&self) -> &'static str;
    /// Opens a file system.
    fn open(
        &self,
        request: OpenFileSystemPluginRequest<'_, Context>,
    ) -> Result<Box<dyn MountedFileSystem>, PluginError>;
}

/// Plugins by name.
pub struct FileSystemPluginRegistry<Context> {
    factories: BTreeMap<&'static str, Arc<dyn FileSystemPluginFactory<Context>>>,
}

impl<Context> Default for FileSystemPluginRegistry<Context> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Context> fmt::Debug for FileSystemPluginRegistry<Context> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

impl<Context> FileSystemPluginRegistry<Context> {
    /// No plugin.
    pub fn new() -> Self {
        Self { factories: BTreeMap::new() }
    }

    /// Adds a plugin. `EINVAL` without a name, `EEXIST` when the name is taken.
    pub fn register(
        &mut self,
        factory: impl FileSystemPluginFactory<Context> + 'static,
    ) -> Result<(), PluginError> {
        let id = factory.plugin_id();
        if id.trim().is_empty() {
            return Err(PluginError::invalid_input("a file system plugin needs a name"));
        }
        if self.factories.contains_key(id) {
            let message = format!("file system plugin is already registered: {id}");
            return Err(PluginError::already_exists(message));
        }
        self.factories.insert(id, Arc::new(factory));
        Ok(())
    }

    /// Opens a file system with a plugin. `ENOSYS` when there is no such plugin.
    pub fn open(
        &self,
        plugin_id: &str,
        request: OpenFileSystemPluginRequest<'_, Context>,
    ) -> Result<Box<dyn MountedFileSystem>, PluginError> {
        let Some(factory) = self.factories.get(plugin_id) else {
            let message = format!("no such file system plugin: {plugin_id}");
            return Err(PluginError::unsupported(message));
        };
        factory.open(request)
    }

    /// The names, ascending.
    pub fn plugin_ids(&self) -> Vec<String> {
        self.factories.keys().map(|id| (*id).to_owned()).collect()
    }
}
