//! `MountedFileSystem`: a file system of any type in a box.

use crate::face::vfs::{
    VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
};
use std::any::Any;

/// Declares the object-safe twin, and gives it to every file system and to a box of it.
macro_rules! mounted_file_system {
    (
        as_they_are {
            $(fn $name:ident(&$($mut:ident)?; $($arg:ident: $type:ty),*) -> $result:ty;)*
        }
        with_content {
            $(fn $write:ident($($rest:ident: $rest_type:ty),*) -> $written:ty;)*
        }
    ) => {
        /// The object-safe twin of [`VirtualFileSystem`]: the same methods with bytes in place of
        /// what becomes bytes. Every `VirtualFileSystem + 'static` has it.
        pub trait MountedFileSystem {
            $(
                #[doc = concat!("As [`VirtualFileSystem::", stringify!($name), "`].")]
                fn $name(&$($mut)? self, $($arg: $type),*) -> $result;
            )*
            $(
                #[doc = concat!("As [`VirtualFileSystem::", stringify!($write), "`].")]
                fn $write(
                    &mut self, path: &str, content: Vec<u8>, $($rest: $rest_type),*
                ) -> $written;
            )*
            /// The file system itself, to look for its own type.
            fn as_any(&self) -> &dyn Any;
            /// The file system itself, to look for its own type.
            fn as_any_mut(&mut self) -> &mut dyn Any;
            /// Called once, when it is unmounted or the table goes. By default nothing is done.
            fn shutdown(&mut self) -> VfsResult<()> {
                Ok(())
            }
        }

        impl<T: VirtualFileSystem + 'static> MountedFileSystem for T {
            $(
                fn $name(&$($mut)? self, $($arg: $type),*) -> $result {
                    VirtualFileSystem::$name(self, $($arg),*)
                }
            )*
            $(
                fn $write(
                    &mut self, path: &str, content: Vec<u8>, $($rest: $rest_type),*
                ) -> $written {
                    VirtualFileSystem::$write(self, path, content, $($rest),*)
                }
            )*
            fn as_any(&self) -> &dyn Any {
                self
            }
            fn as_any_mut(&mut self) -> &mut dyn Any {
                self
            }
        }

        impl MountedFileSystem for Box<dyn MountedFileSystem> {
            $(
                fn $name(&$($mut)? self, $($arg: $type),*) -> $result {
                    (**self).$name($($arg),*)
                }
            )*
            $(
                fn $write(
                    &mut self, path: &str, content: Vec<u8>, $($rest: $rest_type),*
                ) -> $written {
                    (**self).$write(path, content, $($rest),*)
                }
            )*
            fn as_any(&self) -> &dyn Any {
                (**self).as_any()
            }
            fn as_any_mut(&mut self) -> &mut dyn Any {
                (**self).as_any_mut()
            }
            fn shutdown(&mut self) -> VfsResult<()> {
                (**self).shutdown()
            }
        }
    };
}

mounted_file_system! {
    as_they_are {
        fn read_file(&mut; path: &str) -> VfsResult<Vec<u8>>;
        fn read_text_file(&mut; path: &str) -> VfsResult<String>;
        fn read_dir(&mut; path: &str) -> VfsResult<Vec<String>>;
        fn read_dir_limited(&mut; path: &str, max_entries: usize) -> VfsResult<Vec<String>>;
        fn read_dir_with_types(&mut; path: &str) -> VfsResult<Vec<VirtualDirEntry>>;
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
    }
    with_content {
        fn write_file() -> VfsResult<()>;
        fn write_file_with_mode(mode: Option<u32>) -> VfsResult<()>;
        fn create_file_exclusive() -> VfsResult<()>;
        fn create_file_exclusive_with_mode(mode: Option<u32>) -> VfsResult<()>;
        fn append_file() -> VfsResult<u64>;
        fn pwrite(offset: u64) -> VfsResult<()>;
    }
}
