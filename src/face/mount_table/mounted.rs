//! `MountedFileSystem`: a file system of any type in a box.

use crate::face::vfs::{
    VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
};
use std::any::Any;

/// Hands the methods of a file system, but for `exists`, to another macro, after what else it is
/// told: those that can be passed on as they are, and those with a path and content in front.
macro_rules! file_system_methods {
    ($callback:ident $($told:tt)*) => {
        $callback! {
            [$($told)*]
            as_they_are {
                fn read_file(&mut; path: &str) -> VfsResult<Vec<u8>>;
                fn read_text_file(&mut; path: &str) -> VfsResult<String>;
                fn read_dir(&mut; path: &str) -> VfsResult<Vec<String>>;
                fn read_dir_limited(&mut; path: &str, max_entries: usize) -> VfsResult<Vec<String>>;
                fn read_dir_with_types(&mut; path: &str) -> VfsResult<Vec<VirtualDirEntry>>;
                fn create_dir(&mut; path: &str) -> VfsResult<()>;
                fn create_dir_with_mode(&mut; path: &str, mode: Option<u32>) -> VfsResult<()>;
                fn mkdir(&mut; path: &str, recursive: bool) -> VfsResult<()>;
                fn mkdir_with_mode(
                    &mut; path: &str, recursive: bool, mode: Option<u32>
                ) -> VfsResult<()>;
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
    };
}
pub(crate) use file_system_methods;

/// Declares the object-safe twin, and gives it to every file system and to a box of it.
macro_rules! mounted_file_system {
    (
        []
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
            /// As [`VirtualFileSystem::exists`].
            fn exists(&self, path: &str) -> bool;
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
            fn exists(&self, path: &str) -> bool {
                VirtualFileSystem::exists(self, path)
            }
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
            fn exists(&self, path: &str) -> bool {
                (**self).exists(path)
            }
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

file_system_methods!(mounted_file_system);

/// Gives a type of ours the methods of a file system as its own (all but `exists`), so that a call
/// on it is not ambiguous where both traits are in scope (`use tickernel::vfs::*`).
macro_rules! inherent_methods {
    (
        [[$($generics:tt)*] $own:ty]
        as_they_are {
            $(fn $name:ident(&$($mut:ident)?; $($arg:ident: $type:ty),*) -> $result:ty;)*
        }
        with_content {
            $(fn $write:ident($($rest:ident: $rest_type:ty),*) -> $written:ty;)*
        }
    ) => {
        impl<$($generics)*> $own {
            $(
                #[doc(hidden)]
                pub fn $name(&$($mut)? self, $($arg: $type),*) -> $result {
                    $crate::face::vfs::VirtualFileSystem::$name(self, $($arg),*)
                }
            )*
            $(
                #[doc(hidden)]
                pub fn $write(
                    &mut self, path: &str, content: impl Into<Vec<u8>>, $($rest: $rest_type),*
                ) -> $written {
                    $crate::face::vfs::VirtualFileSystem::$write(self, path, content, $($rest),*)
                }
            )*
        }
    };
}
pub(crate) use inherent_methods;

/// Makes a type of ours a file system by a field of its that is one.
macro_rules! delegated_methods {
    (
        [$own:ty, $field:ident]
        as_they_are {
            $(fn $name:ident(&$($mut:ident)?; $($arg:ident: $type:ty),*) -> $result:ty;)*
        }
        with_content {
            $(fn $write:ident($($rest:ident: $rest_type:ty),*) -> $written:ty;)*
        }
    ) => {
        impl $crate::face::vfs::VirtualFileSystem for $own {
            $(
                fn $name(&$($mut)? self, $($arg: $type),*) -> $result {
                    $crate::face::vfs::VirtualFileSystem::$name(&$($mut)? self.$field, $($arg),*)
                }
            )*
            $(
                fn $write(
                    &mut self, path: &str, content: impl Into<Vec<u8>>, $($rest: $rest_type),*
                ) -> $written {
                    $crate::face::vfs::VirtualFileSystem::$write(
                        &mut self.$field, path, content, $($rest),*
                    )
                }
            )*
            fn exists(&self, path: &str) -> bool {
                $crate::face::vfs::VirtualFileSystem::exists(&self.$field, path)
            }
        }
    };
}
pub(crate) use delegated_methods;
