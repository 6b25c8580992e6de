//! File systems in boxes, and the plugins that open them. Only the object-safe trait is in scope
//! here: with both, a call on a type that has both would be ambiguous.

use crate::small::{Log, Small};
use serde_json::Value;
use std::cell::Cell;
use std::rc::Rc;
use tickernel::mount_plugin::{
    FileSystemPluginFactory, FileSystemPluginRegistry, OpenFileSystemPluginRequest, PluginError,
};
use tickernel::mount_table::{MountOptions, MountTable, MountedFileSystem};
use tickernel::vfs::{VfsResult, VirtualDirEntry, VirtualStat, VirtualUtimeSpec};

/// Counts how often it is shut down; all else is a table's with nothing special.
struct Closing(MountTable, Rc<Cell<u32>>);

macro_rules! closing {
    ($(fn $name:ident(&$($mut:ident)?; $($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        impl MountedFileSystem for Closing {
            $(fn $name(&$($mut)? self, $($arg: $type),*) -> $result {
                self.0.$name($($arg),*)
            })*
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
            fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
                self
            }
            fn shutdown(&mut self) -> VfsResult<()> {
                self.1.set(self.1.get() + 1);
                Ok(())
            }
        }
    };
}

closing! {
    fn read_file(&mut; path: &str) -> VfsResult<Vec<u8>>;
    fn read_text_file(&mut; path: &str) -> VfsResult<String>;
    fn read_dir(&mut; path: &str) -> VfsResult<Vec<String>>;
    fn read_dir_limited(&mut; path: &str, n: usize) -> VfsResult<Vec<String>>;
    fn read_dir_with_types(&mut; path: &str) -> VfsResult<Vec<VirtualDirEntry>>;
    fn write_file(&mut; path: &str, content: Vec<u8>) -> VfsResult<()>;
    fn write_file_with_mode(&mut; path: &str, content: Vec<u8>, mode: Option<u32>) -> VfsResult<()>;
    fn create_file_exclusive(&mut; path: &str, content: Vec<u8>) -> VfsResult<()>;
    fn create_file_exclusive_with_mode(
        &mut; path: &str, content: Vec<u8>, mode: Option<u32>
    ) -> VfsResult<()>;
    fn append_file(&mut; path: &str, content: Vec<u8>) -> VfsResult<u64>;
    fn create_dir(&mut; path: &str) -> VfsResult<()>;
    fn create_dir_with_mode(&mut; path: &str, mode: Option<u32>) -> VfsResult<()>;
    fn mkdir(&mut; path: &str, recursive: bool) -> VfsResult<()>;
    fn mkdir_with_mode(&mut; path: &str, recursive: bool, mode: Option<u32>) -> VfsResult<()>;
    fn exists(&; path: &str) -> bool;
    fn stat(&mut; path: &str) -> VfsResult<VirtualStat>;
    fn remove_file(&mut; path: &str) -> VfsResult<()>;
    fn remove_dir(&mut; path: &str) -> VfsResult<()>;
    fn rename(&mut; old_path: &str, new_path: &str) -> VfsResult<()>;
    fn realpath(&; path: &str) -> VfsResult<String>;
    fn symlink(&mut; target: &str, link_path: &str) -> VfsResult<()>;
    fn read_link(&; path: &str) -> VfsResult<String>;
    fn lstat(&; path: &str) -> VfsResult<VirtualStat>;
    fn link(&mut; old_path: &str, new_path: &str) -> VfsResult<()>;
    fn chmod(&mut; path: &str, mode: u32) -> VfsResult<()>;
    fn chown(&mut; path: &str, uid: u32, gid: u32) -> VfsResult<()>;
    fn utimes(&mut; path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()>;
    fn utimes_spec(
        &mut; path: &str, atime: VirtualUtimeSpec, mtime: VirtualUtimeSpec, follow: bool
    ) -> VfsResult<()>;
    fn truncate(&mut; path: &str, length: u64) -> VfsResult<()>;
    fn pread(&mut; path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>>;
    fn pwrite(&mut; path: &str, content: Vec<u8>, offset: u64) -> VfsResult<()>;
}

#[test]
fn a_file_system_in_a_box_is_shut_down_once() {
    let log = Log::default();
    let mut f = MountTable::new(Small::new("", &log));
    let (first, second) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let boxed = |count: &Rc<Cell<u32>>| -> Box<dyn MountedFileSystem> {
        Box::new(Closing(MountTable::new(Small::new("", &log)), count.clone()))
    };
    f.mount_boxed("/one", boxed(&first), MountOptions::new("p")).unwrap();
    f.mount_boxed("/two", Box::new(boxed(&second)), MountOptions::new("p")).unwrap();
    assert_eq!(f.read_file("/two/d/f").unwrap(), b"hi");
    f.unmount("/one").unwrap();
    assert_eq!((first.get(), second.get()), (1, 0));
    drop(f);
    assert_eq!((first.get(), second.get()), (1, 1));
}

/// Opens small file systems; its configuration must be an object.
struct SmallPlugin;

impl FileSystemPluginFactory<Log> for SmallPlugin {
    fn plugin_id(&self) -> &'static str {
        "small"
    }

    fn open(
        &self,
        request: OpenFileSystemPluginRequest<'_, Log>,
    ) -> Result<Box<dyn MountedFileSystem>, PluginError> {
        if !request.config.is_object() {
            return Err(PluginError::invalid_input("an object, please"));
        }
        Ok(Box::new(Small::new("P:", request.context)))
    }
}

#[test]
fn plugins_open_file_systems_by_name() {
    let log = Log::default();
    let mut plugins = FileSystemPluginRegistry::new();
    plugins.register(SmallPlugin).unwrap();
    assert_eq!(plugins.plugin_ids(), ["small"]);
    assert_eq!(plugins.register(SmallPlugin).unwrap_err().code(), "EEXIST");
    let (object, null) = (serde_json::json!({}), Value::Null);
    let request = |config| OpenFileSystemPluginRequest {
        vm_id: "vm",
        guest_path: "/p",
        read_only: false,
        config,
        context: &log,
    };
    let mut opened = plugins.open("small", request(&object)).unwrap();
    assert_eq!(opened.read_file("/d/f").unwrap(), b"hi");
    assert_eq!(plugins.open("small", request(&null)).map(drop).unwrap_err().code(), "EINVAL");
    assert_eq!(plugins.open("none", request(&object)).map(drop).unwrap_err().code(), "ENOSYS");
}

#[test]
fn with_all_of_vfs_in_scope_a_call_on_our_types_is_not_ambiguous() {
    #[allow(unused_imports, reason = "that is the point")]
    use tickernel::vfs::*;
    let log = Log::default();
    let mut table = MountTable::new(Small::new("", &log));
    assert_eq!(table.read_file("/d/f").unwrap(), b"hi");
    assert!(table.exists("/d"));
    let mut devices = tickernel::device_layer::create_device_layer(table);
    devices.write_file("/d/f", "ho").unwrap();
    let boxed: Box<dyn MountedFileSystem> = Box::new(devices);
    assert!(boxed.exists("/dev/null"));
}
