//! Flags and small constants of the man pages: each group is a set of constants and, beside them,
//! the table of its names (what the JSON twin and the reading of strace's abbreviated style use).

/// A table of names and numbers; for flags in the order in which they are printed.
pub type Names = &'static [(&'static str, u64)];

macro_rules! constants {
    ($(#[$doc:meta])* $table:ident: $kind:ty { $($name:ident = $value:expr),* $(,)? }) => {
        $(#[doc = concat!("`", stringify!($name), "` of ", stringify!($table), "")]
        pub const $name: $kind = $value;)*
        $(#[$doc])*
        pub const $table: Names = &[$((stringify!($name), $name as u64)),*];
    };
}
pub(crate) use constants;

constants! {
    /// Flags of open(2); the access mode is the two lowest bits.
    OPEN_FLAGS: u32 {
        O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0o100, O_EXCL = 0o200, O_NOCTTY = 0o400,
        O_TRUNC = 0o1000, O_APPEND = 0o2000, O_NONBLOCK = 0o4000, O_SYNC = 0o4010000,
        O_DSYNC = 0o10000, O_ASYNC = 0o20000, O_DIRECT = 0o40000, O_LARGEFILE = 0o100000,
        O_TMPFILE = 0o20200000, O_DIRECTORY = 0o200000, O_NOFOLLOW = 0o400000,
        O_NOATIME = 0o1000000, O_CLOEXEC = 0o2000000, O_PATH = 0o10000000,
    }
}
/// The bits of the access mode in open(2)'s flags.
pub const O_ACCMODE: u32 = 3;

constants! {
    /// How openat2(2) resolves a path.
    RESOLVE_FLAGS: u32 {
        RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4,
        RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 0x10, RESOLVE_CACHED = 0x20,
    }
}

constants! {
    /// Flags of mount(2).
    MOUNT_FLAGS: u32 {
        MS_RDONLY = 1, MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_SYNCHRONOUS = 0x10,
        MS_REMOUNT = 0x20, MS_MANDLOCK = 0x40, MS_DIRSYNC = 0x80, MS_NOSYMFOLLOW = 0x100,
        MS_NOATIME = 0x400, MS_NODIRATIME = 0x800, MS_BIND = 0x1000, MS_MOVE = 0x2000,
        MS_REC = 0x4000, MS_SILENT = 0x8000, MS_POSIXACL = 0x1_0000, MS_UNBINDABLE = 0x2_0000,
        MS_PRIVATE = 0x4_0000, MS_SLAVE = 0x8_0000, MS_SHARED = 0x10_0000, MS_RELATIME = 0x20_0000,
        MS_KERNMOUNT = 0x40_0000, MS_I_VERSION = 0x80_0000, MS_STRICTATIME = 0x100_0000,
        MS_LAZYTIME = 0x200_0000, MS_ACTIVE = 0x4000_0000, MS_NOUSER = 0x8000_0000,
    }
}
constants! {
    /// Flags of umount2(2).
    UMOUNT_FLAGS: u32 { MNT_FORCE = 1, MNT_DETACH = 2, MNT_EXPIRE = 4, UMOUNT_NOFOLLOW = 8 }
}
constants! {
    /// Flags that statfs(2) tells of a mount.
    STATFS_FLAGS: u32 {
        ST_RDONLY = 1, ST_NOSUID = 2, ST_NODEV = 4, ST_NOEXEC = 8, ST_SYNCHRONOUS = 0x10,
        ST_VALID = 0x20, ST_MANDLOCK = 0x40, ST_NOATIME = 0x400, ST_NODIRATIME = 0x800,
        ST_RELATIME = 0x1000, ST_NOSYMFOLLOW = 0x2000,
    }
}

constants! {
    /// File types of inode(7).
    FILE_TYPES: u32 {
        S_IFSOCK = 0o140000, S_IFLNK = 0o120000, S_IFREG = 0o100000, S_IFBLK = 0o060000,
        S_IFDIR = 0o040000, S_IFCHR = 0o020000, S_IFIFO = 0o010000,
    }
}
/// The type bits of a mode.
pub const S_IFMT: u32 = 0o170000;
constants! {
    /// Mode bits of inode(7).
    MODE_BITS: u32 {
        S_ISUID = 0o4000, S_ISGID = 0o2000, S_ISVTX = 0o1000,
        S_IRUSR = 0o400, S_IWUSR = 0o200, S_IXUSR = 0o100,
        S_IRGRP = 0o40, S_IWGRP = 0o20, S_IXGRP = 0o10, S_IROTH = 4, S_IWOTH = 2, S_IXOTH = 1,
    }
}

constants! {
    /// Flags of the `*at` calls.
    AT_FLAGS: u32 {
        AT_SYMLINK_NOFOLLOW = 0x100, AT_EACCESS = 0x200, AT_REMOVEDIR = 0x200,
        AT_SYMLINK_FOLLOW = 0x400, AT_NO_AUTOMOUNT = 0x800, AT_EMPTY_PATH = 0x1000,
        AT_STATX_FORCE_SYNC = 0x2000, AT_STATX_DONT_SYNC = 0x4000,
    }
}
/// `dirfd` that means the working directory.
pub const AT_FDCWD: i32 = -100;

constants! {
    /// Modes of access(2).
    ACCESS_MODES: u32 { F_OK = 0, R_OK = 4, W_OK = 2, X_OK = 1 }
}
constants! {
    /// Whence of lseek(2).
    WHENCES: u32 { SEEK_SET = 0, SEEK_CUR = 1, SEEK_END = 2, SEEK_DATA = 3, SEEK_HOLE = 4 }
}
constants! {
    /// Commands of fcntl(2).
    FCNTL_COMMANDS: u32 {
        F_DUPFD = 0, F_GETFD = 1, F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_GETLK = 5, F_SETLK = 6,
        F_SETLKW = 7, F_SETOWN = 8, F_GETOWN = 9, F_SETSIG = 10, F_GETSIG = 11, F_SETOWN_EX = 15,
        F_GETOWN_EX = 16, F_OFD_GETLK = 36, F_OFD_SETLK = 37, F_OFD_SETLKW = 38, F_SETLEASE = 1024,
        F_GETLEASE = 1025, F_NOTIFY = 1026,
        F_DUPFD_QUERY = 1027, F_DUPFD_CLOEXEC = 1030, F_SETPIPE_SZ = 1031,
        F_GETPIPE_SZ = 1032, F_ADD_SEALS = 1033, F_GET_SEALS = 1034,
    }
}
constants! {
    /// Kinds of owner of F_SETOWN_EX.
    OWNER_KINDS: u32 { F_OWNER_TID = 0, F_OWNER_PID = 1, F_OWNER_PGRP = 2 }
}
constants! {
    /// Descriptor flags of fcntl(2).
    FD_FLAGS: u32 { FD_CLOEXEC = 1 }
}
constants! {
    /// Kinds of record locks of fcntl(2).
    LOCK_KINDS: u32 { F_RDLCK = 0, F_WRLCK = 1, F_UNLCK = 2 }
}
constants! {
    /// Operations of flock(2).
    FLOCK_OPERATIONS: u32 {
        LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8, LOCK_MAND = 32,
    }
}
constants! {
    /// Flags of clone(2) above the exit signal in the low byte.
    CLONE_FLAGS: u64 {
        CLONE_VM = 0x100, CLONE_FS = 0x200, CLONE_FILES = 0x400, CLONE_SIGHAND = 0x800,
        CLONE_PIDFD = 0x1000, CLONE_PTRACE = 0x2000, CLONE_VFORK = 0x4000, CLONE_PARENT = 0x8000,
        CLONE_THREAD = 0x10000, CLONE_NEWNS = 0x20000, CLONE_SYSVSEM = 0x40000,
        CLONE_SETTLS = 0x80000, CLONE_PARENT_SETTID = 0x100000, CLONE_CHILD_CLEARTID = 0x200000,
        CLONE_DETACHED = 0x400000, CLONE_UNTRACED = 0x800000, CLONE_CHILD_SETTID = 0x1000000,
        CLONE_NEWCGROUP = 0x2000000, CLONE_NEWUTS = 0x4000000, CLONE_NEWIPC = 0x8000000,
        CLONE_NEWUSER = 0x10000000, CLONE_NEWPID = 0x20000000, CLONE_NEWNET = 0x40000000,
        CLONE_IO = 0x80000000, CLONE_CLEAR_SIGHAND = 0x100000000,
    }
}
constants! {
    /// Options of wait4(2) and waitid(2).
    WAIT_OPTIONS: u32 {
        WNOHANG = 1, WUNTRACED = 2, WSTOPPED = 2, WEXITED = 4, WCONTINUED = 8,
        WNOWAIT = 0x1000000, __WNOTHREAD = 0x20000000, __WALL = 0x40000000, __WCLONE = 0x80000000,
    }
}
constants! {
    /// Kinds of id of waitid(2).
    WAITID_TYPES: u32 { P_ALL = 0, P_PID = 1, P_PGID = 2, P_PIDFD = 3 }
}
constants! {
    /// `how` of sigprocmask(2).
    SIGPROCMASK_HOWS: u32 { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2 }
}
constants! {
    /// `sa_flags` of sigaction(2).
    SA_FLAGS: u32 {
        SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2, SA_SIGINFO = 4, SA_ONSTACK = 0x08000000,
        SA_RESTART = 0x10000000, SA_NODEFER = 0x40000000, SA_RESETHAND = 0x80000000,
        SA_RESTORER = 0x04000000, SA_EXPOSE_TAGBITS = 0x800, SA_INTERRUPT = 0x20000000,
        SA_UNSUPPORTED = 0x400,
    }
}
constants! {
    /// Events of poll(2).
    POLL_EVENTS: u32 {
        POLLIN = 1, POLLPRI = 2, POLLOUT = 4, POLLERR = 8, POLLHUP = 0x10, POLLNVAL = 0x20,
        POLLRDNORM = 0x40, POLLRDBAND = 0x80, POLLWRNORM = 0x100, POLLWRBAND = 0x200,
        POLLMSG = 0x400, POLLRDHUP = 0x2000,
    }
}
constants! {
    /// Directory entry types of readdir(3).
    DIRENT_TYPES: u32 {
        DT_UNKNOWN = 0, DT_FIFO = 1, DT_CHR = 2, DT_DIR = 4, DT_BLK = 6, DT_REG = 8, DT_LNK = 10,
        DT_SOCK = 12, DT_WHT = 14,
    }
}
constants! {
    /// Flags of rename(2)'s renameat2.
    RENAME_FLAGS: u32 { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2, RENAME_WHITEOUT = 4 }
}
constants! {
    /// Special nanoseconds of utimensat(2).
    UTIME_SPECIALS: i64 { UTIME_NOW = 0x3fff_ffff, UTIME_OMIT = 0x3fff_fffe }
}
constants! {
    /// Resources of getrlimit(2).
    RESOURCES: u32 {
        RLIMIT_CPU = 0, RLIMIT_FSIZE = 1, RLIMIT_DATA = 2, RLIMIT_STACK = 3, RLIMIT_CORE = 4,
        RLIMIT_RSS = 5, RLIMIT_NPROC = 6, RLIMIT_NOFILE = 7, RLIMIT_MEMLOCK = 8, RLIMIT_AS = 9,
        RLIMIT_LOCKS = 10, RLIMIT_SIGPENDING = 11, RLIMIT_MSGQUEUE = 12, RLIMIT_NICE = 13,
        RLIMIT_RTPRIO = 14, RLIMIT_RTTIME = 15,
    }
}
constants! {
    /// Requests of ioctl(2) that the kernel knows.
    IOCTL_REQUESTS: u64 {
        TCGETS = 0x5401, TCSETS = 0x5402, TCSETSW = 0x5403, TCSETSF = 0x5404, TCGETA = 0x5405,
        TCSETA = 0x5406, TCSETAW = 0x5407, TCSETAF = 0x5408, TCSBRK = 0x5409,
        TCXONC = 0x540A, TCFLSH = 0x540B, TIOCEXCL = 0x540C, TIOCNXCL = 0x540D, TIOCSCTTY = 0x540E,
        TIOCGPGRP = 0x540F, TIOCSPGRP = 0x5410, TIOCOUTQ = 0x5411, TIOCSTI = 0x5412,
        TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414, FIONREAD = 0x541B, TIOCPKT = 0x5420,
        FIONBIO = 0x5421, TIOCNOTTY = 0x5422, TIOCGSID = 0x5429, TCSBRKP = 0x5425,
        TIOCGETD = 0x5424, TIOCSETD = 0x5423, TIOCSBRK = 0x5427, TIOCCBRK = 0x5428,
        TIOCVHANGUP = 0x5437, TCGETS2 = 0x802c_542a, TCSETS2 = 0x402c_542b,
        TCSETSW2 = 0x402c_542c, TCSETSF2 = 0x402c_542d, TIOCGDEV = 0x8004_5432,
        TIOCSIG = 0x4004_5436, TIOCGPKT = 0x8004_5438, TIOCGPTLCK = 0x8004_5439,
        TIOCGEXCL = 0x8004_5440,
        TIOCGPTN = 0x8004_5430, TIOCSPTLCK = 0x4004_5431,
        TIOCGPTPEER = 0x5441, FIONCLEX = 0x5450,
        SIOCATMARK = 0x8905, SIOCGIFNAME = 0x8910, SIOCGIFCONF = 0x8912, SIOCGIFFLAGS = 0x8913,
        SIOCGIFADDR = 0x8915, SIOCGIFDSTADDR = 0x8917, SIOCGIFBRDADDR = 0x8919,
        SIOCGIFNETMASK = 0x891b, SIOCGIFMETRIC = 0x891d, SIOCGIFMTU = 0x8921,
        SIOCGIFHWADDR = 0x8927, SIOCGIFINDEX = 0x8933, SIOCGIFTXQLEN = 0x8942,
        TFD_IOC_SET_TICKS = 0x4008_5400,
        FIOCLEX = 0x5451, FIOASYNC = 0x5452, FIOQSIZE = 0x5460, FICLONE = 0x4004_9409,
    }
}
constants! {
    /// Flags of an interface (netdevice(7)).
    INTERFACE_FLAGS: u32 {
        IFF_UP = 1, IFF_BROADCAST = 2, IFF_DEBUG = 4, IFF_LOOPBACK = 8, IFF_POINTOPOINT = 0x10,
        IFF_NOTRAILERS = 0x20, IFF_RUNNING = 0x40, IFF_NOARP = 0x80, IFF_PROMISC = 0x100,
        IFF_ALLMULTI = 0x200, IFF_MASTER = 0x400, IFF_SLAVE = 0x800, IFF_MULTICAST = 0x1000,
        IFF_PORTSEL = 0x2000, IFF_AUTOMEDIA = 0x4000, IFF_DYNAMIC = 0x8000,
    }
}
/// Whether a request of ioctl(2) is netdevice(7)'s.
pub const fn is_of_interface(request: u64) -> bool {
    matches!(
        request,
        SIOCGIFNAME
            | SIOCGIFCONF
            | SIOCGIFFLAGS
            | SIOCGIFADDR
            | SIOCGIFDSTADDR
            | SIOCGIFBRDADDR
            | SIOCGIFNETMASK
            | SIOCGIFMETRIC
            | SIOCGIFMTU
            | SIOCGIFHWADDR
            | SIOCGIFINDEX
            | SIOCGIFTXQLEN
    )
}

constants! {
    /// What PR_SET_DUMPABLE of prctl(2) is given.
    DUMPABLE: u32 { SUID_DUMP_DISABLE = 0, SUID_DUMP_USER = 1 }
}
constants! {
    /// Operations of prctl(2) that change or tell what the kernel models.
    PRCTL_OPTIONS: u32 {
        PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG = 2, PR_GET_DUMPABLE = 3, PR_SET_DUMPABLE = 4,
        PR_GET_KEEPCAPS = 7,
        PR_SET_KEEPCAPS = 8, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP = 24, PR_GET_SECUREBITS = 27,
        PR_SET_SECUREBITS = 28, PR_SET_CHILD_SUBREAPER = 36, PR_GET_CHILD_SUBREAPER = 37,
        PR_SET_NO_NEW_PRIVS = 38, PR_GET_NO_NEW_PRIVS = 39, PR_CAP_AMBIENT = 47,
    }
}
constants! {
    /// Operations of prctl(2) PR_CAP_AMBIENT.
    AMBIENT_OPERATIONS: u64 {
        PR_CAP_AMBIENT_IS_SET = 1, PR_CAP_AMBIENT_RAISE = 2, PR_CAP_AMBIENT_LOWER = 3,
        PR_CAP_AMBIENT_CLEAR_ALL = 4,
    }
}
constants! {
    /// Flags of close_range(2).
    CLOSE_RANGE_FLAGS: u32 { CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4 }
}
constants! {
    /// Address families of socket(2).
    ADDRESS_FAMILIES: u32 {
        AF_UNSPEC = 0, AF_UNIX = 1, AF_LOCAL = 1, AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16,
        AF_PACKET = 17, AF_VSOCK = 40,
    }
}
constants! {
    /// Types and flags of socket(2); a type is a number, not bits.
    SOCKET_TYPES: u32 {
        SOCK_NONBLOCK = 0o4000, SOCK_CLOEXEC = 0o2000000, SOCK_SEQPACKET = 5, SOCK_RDM = 4,
        SOCK_RAW = 3, SOCK_DGRAM = 2, SOCK_STREAM = 1,
    }
}
constants! {
    /// `how` of shutdown(2).
    SHUTDOWNS: u32 { SHUT_RD = 0, SHUT_WR = 1, SHUT_RDWR = 2 }
}
constants! {
    /// Flags of setxattr(2).
    XATTR_FLAGS: u32 { XATTR_CREATE = 1, XATTR_REPLACE = 2 }
}
constants! {
    /// Flags of sigaltstack(2).
    SS_FLAGS: u32 { SS_ONSTACK = 1, SS_DISABLE = 2, SS_AUTODISARM = 0x80000000 }
}
constants! {
    /// Clocks of clock_gettime(2).
    CLOCKS: u32 {
        CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_PROCESS_CPUTIME_ID = 2,
        CLOCK_THREAD_CPUTIME_ID = 3, CLOCK_MONOTONIC_RAW = 4, CLOCK_REALTIME_COARSE = 5,
        CLOCK_MONOTONIC_COARSE = 6, CLOCK_BOOTTIME = 7, CLOCK_REALTIME_ALARM = 8,
        CLOCK_BOOTTIME_ALARM = 9, CLOCK_TAI = 11,
    }
}
constants! {
    /// Flags of clock_nanosleep(2).
    TIMER_FLAGS: u32 { TIMER_ABSTIME = 1 }
}
constants! {
    /// Flags of memfd_create(2).
    MEMFD_FLAGS: u32 {
        MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_HUGETLB = 4, MFD_NOEXEC_SEAL = 8,
        MFD_EXEC = 0x10,
    }
}
constants! {
    /// Seals of a file of memory (fcntl(2)).
    SEALS: u32 {
        F_SEAL_SEAL = 1, F_SEAL_SHRINK = 2, F_SEAL_GROW = 4, F_SEAL_WRITE = 8,
        F_SEAL_FUTURE_WRITE = 0x10, F_SEAL_EXEC = 0x20,
    }
}
constants! {
    /// Flags of splice(2), tee(2), vmsplice(2).
    SPLICE_FLAGS: u32 {
        SPLICE_F_MOVE = 1, SPLICE_F_NONBLOCK = 2, SPLICE_F_MORE = 4, SPLICE_F_GIFT = 8,
    }
}
constants! {
    /// Flags of preadv2(2) and pwritev2(2).
    RWF_FLAGS: u32 {
        RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 0x10,
        RWF_NOAPPEND = 0x20, RWF_ATOMIC = 0x40, RWF_DONTCACHE = 0x80, RWF_NOSIGNAL = 0x100,
    }
}
constants! {
    /// Advice of posix_fadvise(2).
    ADVICES: u32 {
        POSIX_FADV_NORMAL = 0, POSIX_FADV_RANDOM = 1, POSIX_FADV_SEQUENTIAL = 2,
        POSIX_FADV_WILLNEED = 3, POSIX_FADV_DONTNEED = 4, POSIX_FADV_NOREUSE = 5,
    }
}
constants! {
    /// Flags of sync_file_range(2).
    SYNC_FILE_RANGE_FLAGS: u32 {
        SYNC_FILE_RANGE_WAIT_BEFORE = 1, SYNC_FILE_RANGE_WRITE = 2, SYNC_FILE_RANGE_WAIT_AFTER = 4,
    }
}
constants! {
    /// How a timer tells that its time has come (sigevent(3type)).
    SIGEV_NOTIFY: u32 { SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD = 2, SIGEV_THREAD_ID = 4 }
}
constants! {
    /// Flags of eventfd2(2).
    EVENTFD_FLAGS: u32 { EFD_SEMAPHORE = 1, EFD_CLOEXEC = 0o2000000, EFD_NONBLOCK = 0o4000 }
}
constants! {
    /// Flags of epoll_create1(2).
    EPOLL_CREATE_FLAGS: u32 { EPOLL_CLOEXEC = 0o2000000 }
}
constants! {
    /// Operations of epoll_ctl(2).
    EPOLL_OPS: u32 { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3 }
}
constants! {
    /// Events of epoll_ctl(2): those of poll(2), and how they are told.
    EPOLL_EVENTS: u32 {
        EPOLLIN = 1, EPOLLPRI = 2, EPOLLOUT = 4, EPOLLRDNORM = 0x40, EPOLLRDBAND = 0x80,
        EPOLLWRNORM = 0x100, EPOLLWRBAND = 0x200, EPOLLMSG = 0x400, EPOLLERR = 8, EPOLLHUP = 0x10,
        EPOLLRDHUP = 0x2000, EPOLLEXCLUSIVE = 0x10000000, EPOLLWAKEUP = 0x20000000,
        EPOLLONESHOT = 0x40000000, EPOLLET = 0x80000000,
    }
}
constants! {
    /// Flags of timerfd_create(2) and timerfd_settime(2).
    TIMERFD_FLAGS: u32 {
        TFD_TIMER_ABSTIME = 1, TFD_TIMER_CANCEL_ON_SET = 2, TFD_CLOEXEC = 0o2000000,
        TFD_NONBLOCK = 0o4000,
    }
}
constants! {
    /// Flags of signalfd4(2).
    SIGNALFD_FLAGS: u32 { SFD_CLOEXEC = 0o2000000, SFD_NONBLOCK = 0o4000 }
}
constants! {
    /// Flags of inotify_init1(2).
    INOTIFY_INIT_FLAGS: u32 { IN_CLOEXEC = 0o2000000, IN_NONBLOCK = 0o4000 }
}
constants! {
    /// Events and flags of inotify_add_watch(2), and what inotify(7) tells beside them.
    INOTIFY_FLAGS: u32 {
        IN_ALL_EVENTS = 0xfff, IN_CLOSE = 0x18, IN_MOVE = 0xc0,
        IN_ACCESS = 1, IN_MODIFY = 2, IN_ATTRIB = 4, IN_CLOSE_WRITE = 8, IN_CLOSE_NOWRITE = 0x10,
        IN_OPEN = 0x20, IN_MOVED_FROM = 0x40, IN_MOVED_TO = 0x80, IN_CREATE = 0x100,
        IN_DELETE = 0x200, IN_DELETE_SELF = 0x400, IN_MOVE_SELF = 0x800, IN_UNMOUNT = 0x2000,
        IN_Q_OVERFLOW = 0x4000, IN_IGNORED = 0x8000, IN_ONLYDIR = 0x100_0000,
        IN_DONT_FOLLOW = 0x200_0000, IN_EXCL_UNLINK = 0x400_0000, IN_MASK_CREATE = 0x1000_0000,
        IN_MASK_ADD = 0x2000_0000, IN_ISDIR = 0x4000_0000, IN_ONESHOT = 0x8000_0000,
    }
}
constants! {
    /// Flags of pidfd_open(2).
    PIDFD_FLAGS: u32 { PIDFD_NONBLOCK = 0o4000, PIDFD_THREAD = 0o200 }
}
constants! {
    /// Whom pidfd_send_signal(2) reaches.
    PIDFD_SIGNAL_FLAGS: u32 {
        PIDFD_SIGNAL_THREAD = 1, PIDFD_SIGNAL_THREAD_GROUP = 2, PIDFD_SIGNAL_PROCESS_GROUP = 4,
    }
}
constants! {
    /// Modes of fallocate(2).
    FALLOCATE_MODES: u32 {
        FALLOC_FL_KEEP_SIZE = 1, FALLOC_FL_PUNCH_HOLE = 2, FALLOC_FL_COLLAPSE_RANGE = 8,
        FALLOC_FL_ZERO_RANGE = 0x10, FALLOC_FL_INSERT_RANGE = 0x20, FALLOC_FL_UNSHARE_RANGE = 0x40,
        FALLOC_FL_WRITE_ZEROES = 0x80,
    }
}
constants! {
    /// What statx(2) is asked for.
    STATX_MASKS: u32 {
        STATX_BASIC_STATS = 0x7ff, STATX_ALL = 0xfff, STATX_TYPE = 1, STATX_MODE = 2,
        STATX_NLINK = 4, STATX_UID = 8, STATX_GID = 0x10, STATX_ATIME = 0x20, STATX_MTIME = 0x40,
        STATX_CTIME = 0x80, STATX_INO = 0x100, STATX_SIZE = 0x200, STATX_BLOCKS = 0x400,
        STATX_BTIME = 0x800, STATX_MNT_ID = 0x1000,
    }
}
constants! {
    /// Timers of setitimer(2).
    ITIMERS: u32 { ITIMER_REAL = 0, ITIMER_VIRTUAL = 1, ITIMER_PROF = 2 }
}
constants! {
    /// Names of pathconf(3).
    PATHCONF_NAMES: u32 {
        _PC_LINK_MAX = 0, _PC_MAX_CANON = 1, _PC_MAX_INPUT = 2, _PC_NAME_MAX = 3, _PC_PATH_MAX = 4,
        _PC_PIPE_BUF = 5, _PC_CHOWN_RESTRICTED = 6, _PC_NO_TRUNC = 7, _PC_VDISABLE = 8,
        _PC_SYNC_IO = 9, _PC_ASYNC_IO = 10, _PC_PRIO_IO = 11, _PC_SOCK_MAXBUF = 12,
        _PC_FILESIZEBITS = 13, _PC_REC_INCR_XFER_SIZE = 14, _PC_REC_MAX_XFER_SIZE = 15,
        _PC_REC_MIN_XFER_SIZE = 16, _PC_REC_XFER_ALIGN = 17, _PC_ALLOC_SIZE_MIN = 18,
        _PC_SYMLINK_MAX = 19, _PC_2_SYMLINKS = 20,
    }
}

/// The number with this name in the table.
pub fn number_of(table: Names, name: &str) -> Option<u64> {
    table.iter().find(|entry| entry.0 == name).map(|entry| entry.1)
}

/// The first name of exactly this number in the table.
pub fn name_of(table: Names, number: u64) -> Option<&'static str> {
    table.iter().find(|entry| entry.1 == number).map(|entry| entry.0)
}

/// `makedev(3)`: the device number of a major and a minor one.
pub const fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    (major & 0xfff) << 8 | (major & !0xfff) << 32 | minor & 0xff | (minor & !0xff) << 12
}

/// `major(3)`.
pub const fn major(device: u64) -> u32 {
    ((device >> 8) & 0xfff) as u32 | ((device >> 32) & !0xfff) as u32
}

/// `minor(3)`.
pub const fn minor(device: u64) -> u32 {
    (device & 0xff) as u32 | ((device >> 12) & !0xff) as u32
}
