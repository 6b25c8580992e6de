//! What a step can do, how often, and about which subject.

/// What programs can be about; each action belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Birth, programs, end and waiting for it, groups and sessions.
    Processes,
    /// Ids, groups, limits, the mask of modes.
    Credentials,
    /// Sending, catching, holding back.
    Signals,
    /// Opening, duplicating, closing, flags, locks.
    Descriptors,
    /// Making pipes and FIFOs.
    Pipes,
    /// Waiting for several descriptors.
    Waiting,
    /// Reading and writing.
    Bytes,
    /// The tree of names.
    Names,
    /// What is kept of a file beside its bytes and names.
    Attributes,
    /// File systems on directories.
    Mounts,
    /// Counters, pidfds, files of memory, pages from pipe to pipe.
    Objects,
    /// Sockets of unix(7).
    Sockets,
    /// Sockets of tcp(7) and udp(7) over the loopback device.
    Internet,
    /// Pseudo-terminals, their settings, job control.
    Terminals,
}

macro_rules! actions {
    ($($subject:ident { $($weight:literal $name:ident),* $(,)? })*) => {
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

            /// What it belongs to.
            pub const fn subject(self) -> Subject {
                match self {
                    $($(Action::$name)|* => Subject::$subject,)*
                }
            }
        }
    };
}

actions! {
    Processes {
        14 Fork, 3 Vfork, 4 Clone, 4 Execve, 5 ExitGroup, 1 Exit, 12 Wait4, 5 Waitid, 4 Setpgid,
        2 Getpgid, 2 Setsid, 2 Getsid,
    }
    Credentials {
        2 GetIds, 2 Umask, 3 SetIds, 1 GetGroups, 1 Setgroups, 2 Prlimit,
    }
    Signals {
        10 Kill, 2 Tgkill, 10 Sigaction, 6 Sigprocmask, 2 Sigpending, 3 Pause, 3 Sigsuspend,
        3 Sigtimedwait, 8 Sigreturn,
    }
    Descriptors {
        24 Open, 4 Openat, 6 Openat2, 2 Creat, 12 Close, 2 CloseRange, 6 Dup, 5 Dup2, 4 Dup3,
        12 Fcntl, 3 Flock, 2 Ioctl, 4 RecordLock,
    }
    Pipes {
        10 Pipe, 5 Pipe2, 6 Mkfifo,
    }
    Waiting {
        8 Poll, 4 Select, 5 EpollCreate, 14 EpollCtl, 12 EpollWait, 3 TimerfdCreate,
        4 TimerfdSettime, 1 TimerfdGettime, 4 Signalfd, 2 InotifyInit, 3 InotifyAddWatch, 8 Feed,
        6 Drain,
    }
    Bytes {
        22 Read, 22 Write, 3 Pread, 3 Pwrite, 2 Readv, 2 Writev, 2 Preadv2, 2 Pwritev2,
        5 Lseek, 3 Ftruncate, 3 Truncate,
        2 Fallocate, 1 Fsync, 4 Sendfile, 3 CopyFileRange,
    }
    Names {
        7 Mkdir, 4 Rmdir, 1 Mknod, 5 Link, 5 Symlink, 6 Unlink, 2 Unlinkat, 6 Rename, 2 Renameat2,
        3 Readlink, 4 Chdir, 2 Fchdir, 3 Getcwd, 3 Getdents, 2 Rewind,
    }
    Mounts {
        3 Mount, 2 Umount,
    }
    Attributes {
        5 Stat, 3 Lstat, 6 Fstat, 2 Newfstatat, 4 Access, 2 Faccessat2, 4 Chmod, 2 Fchmod, 3 Chown,
        2 Utimensat,
    }
    Objects {
        3 Eventfd, 4 EventWrite, 3 EventRead, 4 PidfdOpen, 3 PidfdSendSignal, 2 PidfdGetfd,
        3 PidfdWait, 3 Memfd, 3 Seal, 6 Splice, 3 Tee,
    }
    Sockets {
        4 Socketpair, 5 Socket, 6 Bind, 5 Listen, 7 Connect, 7 Accept, 7 SocketWrite, 7 SocketRead,
        6 Sendto, 5 Recvfrom, 7 Sendmsg, 7 Recvmsg, 4 Sendmmsg, 4 Recvmmsg,
        3 Shutdown, 2 SocketName, 2 SocketQueue, 4 SocketSplice, 2 SocketSendfile,
        3 Getsockopt, 4 Setsockopt,
    }
    Internet {
        6 NetSocket, 6 NetBind, 8 NetConnect, 6 NetListen, 8 NetAccept, 8 NetSend, 8 NetReceive,
        3 NetSendMany, 3 NetReceiveMany, 3 NetSplice, 1 NetSendfile, 4 NetGroup,
        4 NetShutdown, 3 NetName, 3 NetQueue, 2 NetGetOption, 3 NetSetOption, 3 NetPoll,
    }
    Terminals {
        4 Ptmx, 4 Unlock, 5 OpenSlave, 10 Type, 4 Print, 9 TerminalRead, 4 Settings, 4 Foreground,
        4 TerminalAsk, 4 TerminalControl,
    }
}
