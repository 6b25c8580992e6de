//! What a step can do, how often, and which part of `lower.rs` makes its request.

/// Actions that are lowered by one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Process,
    Signal,
    Descriptor,
    Bytes,
    Tree,
    Look,
}

macro_rules! actions {
    ($($family:ident { $($weight:literal $name:ident),* $(,)? })*) => {
        /// What a step does; the system calls of the man pages, some in common variants.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // the names are the calls' own
        pub enum Action {
            $($($name),*),*
        }

        impl Action {
            /// Every action with its weight among the others.
            pub const WEIGHTED: &'static [(u32, Action)] =
                &[$($(($weight, Action::$name)),*),*];

            pub(super) const fn family(self) -> Family {
                match self {
                    $($(Action::$name)|* => Family::$family,)*
                }
            }
        }
    };
}

actions! {
    Process {
        2 GetIds, 14 Fork, 3 Vfork, 4 Clone, 4 Execve, 5 ExitGroup, 1 Exit, 12 Wait4, 5 Waitid,
        4 Setpgid, 2 Getpgid, 2 Setsid, 2 Getsid, 2 Umask, 3 SetIds, 1 GetGroups, 1 Setgroups,
        2 Prlimit,
    }
    Signal {
        10 Kill, 2 Tgkill, 10 Sigaction, 6 Sigprocmask, 2 Sigpending, 3 Pause, 3 Sigsuspend,
        3 Sigtimedwait, 8 Sigreturn,
    }
    Descriptor {
        24 Open, 4 Openat, 2 Creat, 12 Close, 2 CloseRange, 6 Dup, 5 Dup2, 4 Dup3, 12 Fcntl,
        3 Flock, 10 Pipe, 5 Pipe2, 6 Fstat, 1 Fsync, 2 Ioctl, 8 Poll, 4 Select,
    }
    Bytes {
        22 Read, 22 Write, 3 Pread, 3 Pwrite, 2 Readv, 2 Writev, 5 Lseek, 3 Ftruncate, 2 Fallocate,
    }
    Tree {
        7 Mkdir, 4 Rmdir, 6 Mkfifo, 1 Mknod, 5 Link, 5 Symlink, 6 Unlink, 2 Unlinkat, 6 Rename,
        2 Renameat2, 4 Chmod, 2 Fchmod, 3 Chown, 3 Truncate, 2 Utimensat,
    }
    Look {
        3 Readlink, 5 Stat, 3 Lstat, 2 Newfstatat, 4 Access, 2 Faccessat2, 4 Chdir, 2 Fchdir,
        3 Getcwd, 3 Getdents,
    }
}
