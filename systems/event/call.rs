//! The table of system calls: number on x86-64, name, fields. From it come [`Call`], its encoding,
//! and the way in which the JSON twin names its fields (CLI.md; `pid` is always the speaker, so a
//! parameter of that name is called `target`).
//!
//! iovecs are joined to one `data` or `count`: their borders show nowhere but in limits of the
//! caller.

use super::field::{FcntlArg, Field, FieldSink, FieldSource, FieldValue, IoctlArg, Path, Style};
use crate::abi::flags::*;
use crate::abi::socket::{MESSAGE_FLAGS, Message, OPTION_LEVELS, OptionValue, Ucred};
use crate::abi::{
    Address, AltStack, Itimer, PollFd, Rlimit, SigAction, SigEvent, SigInfo, SigSet, Timespec,
};
use crate::wire::{Short, Wire, WireError, WireReader};
use alloc::vec::Vec;

macro_rules! calls {
    ($($number:literal $name:ident $variant:ident {
        $($field:ident: $kind:ty [$style:expr]),* $(,)?
    })*) => {
        /// A system call and its arguments. Variants are named as the calls of syscalls(2).
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)] // the names are syscalls(2)'s and its pages' own
        pub enum Call<'a> {
            $($variant { $($field: $kind),* },)*
            /// A call that the kernel does not model: its number; the host answers it.
            Unmodelled { number: u32 },
        }

        impl<'a> Call<'a> {
            /// Numbers and names of all modelled calls, in the order of the table.
            pub const NAMES: &'static [(u32, &'static str)] = &[$(($number, stringify!($name))),*];

            /// The number on x86-64.
            pub fn number(&self) -> u32 {
                match self {
                    $(Call::$variant { .. } => $number,)*
                    Call::Unmodelled { number } => *number,
                }
            }

            /// The name in syscalls(2); `"unmodelled"` for a call without a row in the table.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Call::$variant { .. } => stringify!($name),)*
                    Call::Unmodelled { .. } => "unmodelled",
                }
            }

            /// Describes all modelled calls in the order of the table: number, name, and of each
            /// field its name, its style, and a value of the variant that it takes.
            pub fn describe(mut each: impl FnMut(u32, &'static str, &[FieldForm])) {
                $(each($number, stringify!($name), &[
                    $((field_name(stringify!($field)), $style, <$kind as Field<'_>>::kind())),*
                ]);)*
            }

            /// Shows the fields in order.
            pub fn show(&self, sink: &mut impl FieldSink) {
                match self {
                    $(Call::$variant { $($field),* } => {
                        $(sink.field(field_name(stringify!($field)), $style, Field::show($field));)*
                    })*
                    Call::Unmodelled { number } => {
                        sink.field("number", Style::Plain, FieldValue::Number(i128::from(*number)));
                    }
                }
            }

            /// Builds the call with this name; `None` if the table has no such name.
            pub fn read<S: FieldSource<'a>>(
                name: &str,
                source: &mut S,
            ) -> Option<Result<Call<'a>, S::Error>> {
                match name {
                    $(stringify!($name) => {
                        $(let $field: $kind =
                            match read_field(source, field_name(stringify!($field)), $style) {
                                Ok(value) => value,
                                Err(error) => return Some(Err(error)),
                            };)*
                        Some(Ok(Call::$variant { $($field),* }))
                    })*
                    "unmodelled" => Some(
                        read_field(source, "number", Style::Plain)
                            .map(|number| Call::Unmodelled { number }),
                    ),
                    _ => None,
                }
            }
        }

        impl<'a> Wire<'a> for Call<'a> {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Call::$variant { $($field),* } => {
                        ($number as u32).put(out);
                        $(Wire::put($field, out);)*
                    })*
                    Call::Unmodelled { number } => {
                        UNMODELLED.put(out);
                        number.put(out);
                    }
                }
            }
            #[inline(always)]
            fn short<'s>(&'s self, before: Short<'s>) -> Short<'s> {
                match self {
                    $(Call::$variant { $($field),* } => {
                        let before = before.varint($number);
                        $(let before = Wire::short($field, before);)*
                        before
                    })*
                    Call::Unmodelled { .. } => before.too_long(),
                }
            }
            fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
                let error = from.error("the number of a system call");
                Ok(match u32::get(from)? {
                    $($number => Call::$variant { $($field: Wire::get(from)?),* },)*
                    UNMODELLED => Call::Unmodelled { number: u32::get(from)? },
                    _ => return Err(error),
                })
            }
        }
    };
}

/// The man page's name of a field: `type` is a word of Rust's.
fn field_name(written: &'static str) -> &'static str {
    written.strip_prefix("r#").unwrap_or(written)
}

/// A field's name, its style, and a value of the variant that it takes.
pub type FieldForm = (&'static str, Style, FieldValue<'static>);

impl Call<'_> {
    /// Where the numbers of the face's calls begin: beyond all of Linux's.
    pub const FIRST_FACE: u32 = 1 << 16;

    /// Whether it belongs to the face: no task speaks it.
    pub fn is_face(&self) -> bool {
        !matches!(self, Call::Unmodelled { .. }) && self.number() >= Self::FIRST_FACE
    }
}

/// In the place of a number: the call's own number follows.
const UNMODELLED: u32 = u32::MAX;

fn read_field<'a, T: Field<'a>, S: FieldSource<'a>>(
    source: &mut S,
    name: &'static str,
    style: Style,
) -> Result<T, S::Error> {
    let value = source.field(name, style, &T::kind())?;
    T::read(value).ok_or_else(|| source.misfit(name))
}

use Style::{
    Choice, Dirfd, Flags, Octal, Optional, OptionalChoice, OptionalFlags, Plain, Signal as Sig,
    SocketOption,
};

calls! {
    0 read Read { fd: i32 [Plain], count: u64 [Plain] }
    1 write Write { fd: i32 [Plain], data: &'a [u8] [Plain] }
    2 open Open { path: Path<'a> [Plain], flags: u32 [Flags(OPEN_FLAGS)], mode: u32 [Octal] }
    3 close Close { fd: i32 [Plain] }
    4 stat Stat { path: Path<'a> [Plain] }
    5 fstat Fstat { fd: i32 [Plain] }
    6 lstat Lstat { path: Path<'a> [Plain] }
    7 poll Poll { fds: Vec<PollFd> [Plain], timeout: i32 [Plain] }
    8 lseek Lseek { fd: i32 [Plain], offset: i64 [Plain], whence: u32 [Choice(WHENCES)] }
    13 rt_sigaction RtSigaction { signum: i32 [Sig], act: Option<SigAction> [Optional] }
    14 rt_sigprocmask RtSigprocmask {
        how: u32 [Choice(SIGPROCMASK_HOWS)], set: Option<SigSet> [Optional] }
    15 rt_sigreturn RtSigreturn {}
    16 ioctl Ioctl { fd: i32 [Plain], request: u64 [Choice(IOCTL_REQUESTS)],
        arg: IoctlArg [Optional] }
    17 pread64 Pread64 { fd: i32 [Plain], count: u64 [Plain], offset: i64 [Plain] }
    18 pwrite64 Pwrite64 { fd: i32 [Plain], data: &'a [u8] [Plain], offset: i64 [Plain] }
    19 readv Readv { fd: i32 [Plain], count: u64 [Plain] }
    20 writev Writev { fd: i32 [Plain], data: &'a [u8] [Plain] }
    21 access Access { path: Path<'a> [Plain], mode: u32 [Flags(ACCESS_MODES)] }
    22 pipe Pipe {}
    23 select Select { nfds: i32 [Plain], readfds: Option<Vec<i64>> [Optional],
        writefds: Option<Vec<i64>> [Optional], exceptfds: Option<Vec<i64>> [Optional],
        timeout: Option<Timespec> [Optional] }
    32 dup Dup { oldfd: i32 [Plain] }
    33 dup2 Dup2 { oldfd: i32 [Plain], newfd: i32 [Plain] }
    34 pause Pause {}
    35 nanosleep Nanosleep { request: Timespec [Plain] }
    37 alarm Alarm { seconds: u32 [Plain] }
    38 setitimer Setitimer { which: u32 [Choice(ITIMERS)], new_value: Option<Itimer> [Optional] }
    36 getitimer Getitimer { which: u32 [Choice(ITIMERS)] }
    39 getpid Getpid {}
    40 sendfile Sendfile { out_fd: i32 [Plain], in_fd: i32 [Plain], offset: Option<i64> [Optional],
        count: u64 [Plain] }
    41 socket Socket { domain: u32 [Choice(ADDRESS_FAMILIES)], r#type: u32 [Flags(SOCKET_TYPES)],
        protocol: u32 [Optional] }
    42 connect Connect { sockfd: i32 [Plain], addr: Address [Plain] }
    43 accept Accept { sockfd: i32 [Plain] }
    44 sendto Sendto { sockfd: i32 [Plain], data: &'a [u8] [Plain],
        flags: u32 [OptionalFlags(MESSAGE_FLAGS)], addr: Option<Address> [Optional] }
    45 recvfrom Recvfrom { sockfd: i32 [Plain], count: u64 [Plain],
        flags: u32 [OptionalFlags(MESSAGE_FLAGS)] }
    46 sendmsg Sendmsg { sockfd: i32 [Plain], data: &'a [u8] [Plain],
        flags: u32 [OptionalFlags(MESSAGE_FLAGS)], addr: Option<Address> [Optional],
        fds: Option<Vec<i64>> [Optional], cred: Option<Ucred> [Optional] }
    47 recvmsg Recvmsg { sockfd: i32 [Plain], count: u64 [Plain],
        flags: u32 [OptionalFlags(MESSAGE_FLAGS)] }
    48 shutdown Shutdown { sockfd: i32 [Plain], how: u32 [Choice(SHUTDOWNS)] }
    49 bind Bind { sockfd: i32 [Plain], addr: Address [Plain] }
    50 listen Listen { sockfd: i32 [Plain], backlog: i32 [Plain] }
    51 getsockname Getsockname { sockfd: i32 [Plain] }
    52 getpeername Getpeername { sockfd: i32 [Plain] }
    53 socketpair Socketpair { domain: u32 [Choice(ADDRESS_FAMILIES)],
        r#type: u32 [Flags(SOCKET_TYPES)], protocol: u32 [Optional] }
    54 setsockopt Setsockopt { sockfd: i32 [Plain], level: u32 [Choice(OPTION_LEVELS)],
        optname: u32 [SocketOption], optval: Option<OptionValue> [Optional],
        optlen: Option<i64> [Optional] }
    55 getsockopt Getsockopt { sockfd: i32 [Plain], level: u32 [Choice(OPTION_LEVELS)],
        optname: u32 [SocketOption], optlen: Option<i64> [Optional] }
    288 accept4 Accept4 { sockfd: i32 [Plain], flags: u32 [OptionalFlags(SOCKET_TYPES)] }
    299 recvmmsg Recvmmsg { sockfd: i32 [Plain], counts: Vec<i64> [Plain],
        flags: u32 [OptionalFlags(MESSAGE_FLAGS)], timeout: Option<Timespec> [Optional] }
    307 sendmmsg Sendmmsg { sockfd: i32 [Plain], messages: Vec<Message> [Plain],
        flags: u32 [OptionalFlags(MESSAGE_FLAGS)] }
    56 clone Clone { flags: u64 [Flags(CLONE_FLAGS)], set_tid: u32 [Optional] }
    57 fork Fork {}
    58 vfork Vfork {}
    59 execve Execve { path: Path<'a> [Plain], argv: Vec<&'a [u8]> [Plain],
        envp: Vec<&'a [u8]> [Plain] }
    60 exit Exit { status: i32 [Plain] }
    61 wait4 Wait4 { wpid: i32 [Plain], options: u32 [OptionalFlags(WAIT_OPTIONS)] }
    62 kill Kill { target: i32 [Plain], sig: i32 [Sig] }
    72 fcntl Fcntl { fd: i32 [Plain], cmd: u32 [Choice(FCNTL_COMMANDS)], arg: FcntlArg [Optional] }
    73 flock Flock { fd: i32 [Plain], operation: u32 [Flags(FLOCK_OPERATIONS)] }
    74 fsync Fsync { fd: i32 [Plain] }
    75 fdatasync Fdatasync { fd: i32 [Plain] }
    76 truncate Truncate { path: Path<'a> [Plain], length: i64 [Plain] }
    77 ftruncate Ftruncate { fd: i32 [Plain], length: i64 [Plain] }
    79 getcwd Getcwd { size: u64 [Optional] }
    80 chdir Chdir { path: Path<'a> [Plain] }
    81 fchdir Fchdir { fd: i32 [Plain] }
    82 rename Rename { oldpath: Path<'a> [Plain], newpath: Path<'a> [Plain] }
    83 mkdir Mkdir { path: Path<'a> [Plain], mode: u32 [Octal] }
    84 rmdir Rmdir { path: Path<'a> [Plain] }
    85 creat Creat { path: Path<'a> [Plain], mode: u32 [Octal] }
    86 link Link { oldpath: Path<'a> [Plain], newpath: Path<'a> [Plain] }
    87 unlink Unlink { path: Path<'a> [Plain] }
    88 symlink Symlink { target: Path<'a> [Plain], linkpath: Path<'a> [Plain] }
    89 readlink Readlink { path: Path<'a> [Plain], bufsiz: i32 [Plain] }
    90 chmod Chmod { path: Path<'a> [Plain], mode: u32 [Octal] }
    91 fchmod Fchmod { fd: i32 [Plain], mode: u32 [Octal] }
    92 chown Chown { path: Path<'a> [Plain], uid: i64 [Plain], gid: i64 [Plain] }
    93 fchown Fchown { fd: i32 [Plain], uid: i64 [Plain], gid: i64 [Plain] }
    94 lchown Lchown { path: Path<'a> [Plain], uid: i64 [Plain], gid: i64 [Plain] }
    95 umask Umask { mask: u32 [Octal] }
    97 getrlimit Getrlimit { resource: u32 [Choice(RESOURCES)] }
    102 getuid Getuid {}
    104 getgid Getgid {}
    105 setuid Setuid { uid: i64 [Plain] }
    106 setgid Setgid { gid: i64 [Plain] }
    107 geteuid Geteuid {}
    108 getegid Getegid {}
    109 setpgid Setpgid { target: i32 [Plain], pgid: i32 [Plain] }
    110 getppid Getppid {}
    111 getpgrp Getpgrp {}
    112 setsid Setsid {}
    113 setreuid Setreuid { ruid: i64 [Plain], euid: i64 [Plain] }
    114 setregid Setregid { rgid: i64 [Plain], egid: i64 [Plain] }
    115 getgroups Getgroups { size: i32 [Optional] }
    116 setgroups Setgroups { groups: Vec<i64> [Plain] }
    117 setresuid Setresuid { ruid: i64 [Plain], euid: i64 [Plain], suid: i64 [Plain] }
    118 getresuid Getresuid {}
    119 setresgid Setresgid { rgid: i64 [Plain], egid: i64 [Plain], sgid: i64 [Plain] }
    120 getresgid Getresgid {}
    121 getpgid Getpgid { target: i32 [Plain] }
    124 getsid Getsid { target: i32 [Plain] }
    127 rt_sigpending RtSigpending {}
    128 rt_sigtimedwait RtSigtimedwait { set: SigSet [Plain], timeout: Option<Timespec> [Optional] }
    129 rt_sigqueueinfo RtSigqueueinfo { target: i32 [Plain], sig: i32 [Sig],
        info: SigInfo [Plain] }
    297 rt_tgsigqueueinfo RtTgsigqueueinfo { tgid: i32 [Plain], tid: i32 [Plain], sig: i32 [Sig],
        info: SigInfo [Plain] }
    130 rt_sigsuspend RtSigsuspend { set: SigSet [Plain] }
    131 sigaltstack Sigaltstack { ss: Option<AltStack> [Optional] }
    133 mknod Mknod { path: Path<'a> [Plain], mode: u32 [Octal], major: u32 [Optional],
        minor: u32 [Optional] }
    137 statfs Statfs { path: Path<'a> [Plain] }
    138 fstatfs Fstatfs { fd: i32 [Plain] }
    160 setrlimit Setrlimit { resource: u32 [Choice(RESOURCES)], new_limit: Rlimit [Plain] }
    126 capset Capset { target: i32 [Optional], effective: u64 [Plain], permitted: u64 [Plain],
        inheritable: u64 [Plain] }
    157 prctl Prctl { option: u32 [Choice(PRCTL_OPTIONS)], arg2: u64 [Optional],
        arg3: u64 [Optional], arg4: u64 [Optional], arg5: u64 [Optional] }
    165 mount Mount { source: Path<'a> [Optional], target: Path<'a> [Plain],
        filesystemtype: Path<'a> [Optional], mountflags: u64 [OptionalFlags(MOUNT_FLAGS)],
        data: Path<'a> [Optional] }
    166 umount2 Umount2 { target: Path<'a> [Plain], flags: u32 [OptionalFlags(UMOUNT_FLAGS)] }
    161 chroot Chroot { path: Path<'a> [Plain] }
    162 sync Sync {}
    153 vhangup Vhangup {}
    186 gettid Gettid {}
    200 tkill Tkill { tid: i32 [Plain], sig: i32 [Sig] }
    217 getdents64 Getdents64 { fd: i32 [Plain], count: u64 [Plain] }
    213 epoll_create EpollCreate { size: i32 [Plain] }
    233 epoll_ctl EpollCtl { epfd: i32 [Plain], op: u32 [Choice(EPOLL_OPS)], fd: i32 [Plain],
        events: Option<u32> [OptionalFlags(EPOLL_EVENTS)], data: u64 [Optional] }
    232 epoll_wait EpollWait { epfd: i32 [Plain], maxevents: i32 [Plain], timeout: i32 [Plain] }
    281 epoll_pwait EpollPwait { epfd: i32 [Plain], maxevents: i32 [Plain], timeout: i32 [Plain],
        sigmask: Option<SigSet> [Optional] }
    441 epoll_pwait2 EpollPwait2 { epfd: i32 [Plain], maxevents: i32 [Plain],
        timeout: Option<Timespec> [Optional], sigmask: Option<SigSet> [Optional] }
    283 timerfd_create TimerfdCreate { clockid: u32 [Choice(CLOCKS)],
        flags: u32 [OptionalFlags(TIMERFD_FLAGS)] }
    286 timerfd_settime TimerfdSettime { fd: i32 [Plain], flags: u32 [OptionalFlags(TIMERFD_FLAGS)],
        new_value: Option<Itimer> [Optional] }
    287 timerfd_gettime TimerfdGettime { fd: i32 [Plain] }
    282 signalfd Signalfd { fd: i32 [Plain], mask: Option<SigSet> [Optional] }
    289 signalfd4 Signalfd4 { fd: i32 [Plain], mask: Option<SigSet> [Optional],
        flags: u32 [OptionalFlags(SIGNALFD_FLAGS)] }
    253 inotify_init InotifyInit {}
    319 memfd_create MemfdCreate { name: Path<'a> [Plain], flags: u32 [OptionalFlags(MEMFD_FLAGS)] }
    284 eventfd Eventfd { initval: u32 [Optional] }
    290 eventfd2 Eventfd2 { initval: u32 [Optional], flags: u32 [OptionalFlags(EVENTFD_FLAGS)] }
    434 pidfd_open PidfdOpen { target: i32 [Plain], flags: u32 [OptionalFlags(PIDFD_FLAGS)] }
    424 pidfd_send_signal PidfdSendSignal { pidfd: i32 [Plain], sig: i32 [Sig],
        info: Option<SigInfo> [Optional], flags: u32 [OptionalFlags(PIDFD_SIGNAL_FLAGS)] }
    438 pidfd_getfd PidfdGetfd { pidfd: i32 [Plain], targetfd: i32 [Plain],
        flags: u32 [Optional] }
    291 epoll_create1 EpollCreate1 { flags: u32 [OptionalFlags(EPOLL_CREATE_FLAGS)] }
    294 inotify_init1 InotifyInit1 { flags: u32 [OptionalFlags(INOTIFY_INIT_FLAGS)] }
    254 inotify_add_watch InotifyAddWatch { fd: i32 [Plain], pathname: Path<'a> [Plain],
        mask: u32 [Flags(INOTIFY_FLAGS)] }
    255 inotify_rm_watch InotifyRmWatch { fd: i32 [Plain], wd: i32 [Plain] }
    221 fadvise64 Fadvise64 { fd: i32 [Plain], offset: i64 [Plain], len: i64 [Plain],
        advice: u32 [Choice(ADVICES)] }
    222 timer_create TimerCreate { clockid: u32 [Choice(CLOCKS)],
        sevp: Option<SigEvent> [Optional] }
    223 timer_settime TimerSettime { timerid: i32 [Plain], flags: u32 [OptionalFlags(TIMER_FLAGS)],
        new_value: Option<Itimer> [Optional] }
    224 timer_gettime TimerGettime { timerid: i32 [Plain] }
    225 timer_getoverrun TimerGetoverrun { timerid: i32 [Plain] }
    226 timer_delete TimerDelete { timerid: i32 [Plain] }
    230 clock_nanosleep ClockNanosleep { clockid: u32 [OptionalChoice(CLOCKS)],
        flags: u32 [OptionalFlags(TIMER_FLAGS)],
        request: Timespec [Plain] }
    231 exit_group ExitGroup { status: i32 [Plain] }
    234 tgkill Tgkill { tgid: i32 [Plain], tid: i32 [Plain], sig: i32 [Sig] }
    247 waitid Waitid { idtype: u32 [Choice(WAITID_TYPES)], id: u32 [Plain],
        options: u32 [Flags(WAIT_OPTIONS)] }
    257 openat Openat { dirfd: i32 [Dirfd], path: Path<'a> [Plain], flags: u32 [Flags(OPEN_FLAGS)],
        mode: u32 [Octal] }
    258 mkdirat Mkdirat { dirfd: i32 [Dirfd], path: Path<'a> [Plain], mode: u32 [Octal] }
    259 mknodat Mknodat { dirfd: i32 [Dirfd], path: Path<'a> [Plain], mode: u32 [Octal],
        major: u32 [Optional], minor: u32 [Optional] }
    260 fchownat Fchownat { dirfd: i32 [Dirfd], path: Path<'a> [Plain], uid: i64 [Plain],
        gid: i64 [Plain], flags: u32 [OptionalFlags(AT_FLAGS)] }
    262 newfstatat Newfstatat { dirfd: i32 [Dirfd], path: Path<'a> [Plain],
        flags: u32 [OptionalFlags(AT_FLAGS)] }
    263 unlinkat Unlinkat { dirfd: i32 [Dirfd], path: Path<'a> [Plain],
        flags: u32 [OptionalFlags(AT_FLAGS)] }
    264 renameat Renameat { olddirfd: i32 [Dirfd], oldpath: Path<'a> [Plain],
        newdirfd: i32 [Dirfd], newpath: Path<'a> [Plain] }
    265 linkat Linkat { olddirfd: i32 [Dirfd], oldpath: Path<'a> [Plain], newdirfd: i32 [Dirfd],
        newpath: Path<'a> [Plain], flags: u32 [OptionalFlags(AT_FLAGS)] }
    266 symlinkat Symlinkat { target: Path<'a> [Plain], newdirfd: i32 [Dirfd],
        linkpath: Path<'a> [Plain] }
    267 readlinkat Readlinkat { dirfd: i32 [Dirfd], path: Path<'a> [Plain], bufsiz: i32 [Plain] }
    268 fchmodat Fchmodat { dirfd: i32 [Dirfd], path: Path<'a> [Plain], mode: u32 [Octal] }
    269 faccessat Faccessat { dirfd: i32 [Dirfd], path: Path<'a> [Plain],
        mode: u32 [Flags(ACCESS_MODES)] }
    270 pselect6 Pselect6 { nfds: i32 [Plain], readfds: Option<Vec<i64>> [Optional],
        writefds: Option<Vec<i64>> [Optional], exceptfds: Option<Vec<i64>> [Optional],
        timeout: Option<Timespec> [Optional], sigmask: Option<SigSet> [Optional] }
    271 ppoll Ppoll { fds: Vec<PollFd> [Plain], timeout: Option<Timespec> [Optional],
        sigmask: Option<SigSet> [Optional] }
    275 splice Splice { fd_in: i32 [Plain], off_in: Option<i64> [Optional], fd_out: i32 [Plain],
        off_out: Option<i64> [Optional], len: u64 [Plain],
        flags: u32 [OptionalFlags(SPLICE_FLAGS)] }
    276 tee Tee { fd_in: i32 [Plain], fd_out: i32 [Plain], len: u64 [Plain],
        flags: u32 [OptionalFlags(SPLICE_FLAGS)] }
    280 utimensat Utimensat { dirfd: i32 [Dirfd], path: Path<'a> [Plain],
        atime: Option<Timespec> [Optional], mtime: Option<Timespec> [Optional],
        flags: u32 [OptionalFlags(AT_FLAGS)] }
    285 fallocate Fallocate { fd: i32 [Plain], mode: u32 [Flags(FALLOCATE_MODES)],
        offset: i64 [Plain],
        len: i64 [Plain] }
    292 dup3 Dup3 { oldfd: i32 [Plain], newfd: i32 [Plain], flags: u32 [Flags(OPEN_FLAGS)] }
    293 pipe2 Pipe2 { flags: u32 [OptionalFlags(OPEN_FLAGS)] }
    295 preadv Preadv { fd: i32 [Plain], count: u64 [Plain], offset: i64 [Plain] }
    296 pwritev Pwritev { fd: i32 [Plain], data: &'a [u8] [Plain], offset: i64 [Plain] }
    302 prlimit64 Prlimit64 { target: i32 [Plain], resource: u32 [Choice(RESOURCES)],
        new_limit: Option<Rlimit> [Optional] }
    316 renameat2 Renameat2 { olddirfd: i32 [Dirfd], oldpath: Path<'a> [Plain],
        newdirfd: i32 [Dirfd], newpath: Path<'a> [Plain], flags: u32 [OptionalFlags(RENAME_FLAGS)] }
    327 preadv2 Preadv2 { fd: i32 [Plain], count: u64 [Plain], offset: i64 [Optional],
        flags: u32 [OptionalFlags(RWF_FLAGS)] }
    328 pwritev2 Pwritev2 { fd: i32 [Plain], data: &'a [u8] [Plain], offset: i64 [Optional],
        flags: u32 [OptionalFlags(RWF_FLAGS)] }
    306 syncfs Syncfs { fd: i32 [Plain] }
    277 sync_file_range SyncFileRange { fd: i32 [Plain], offset: i64 [Plain], nbytes: i64 [Plain],
        flags: u32 [OptionalFlags(SYNC_FILE_RANGE_FLAGS)] }
    187 readahead Readahead { fd: i32 [Plain], offset: i64 [Plain], count: u64 [Plain] }
    326 copy_file_range CopyFileRange { fd_in: i32 [Plain], off_in: Option<i64> [Optional],
        fd_out: i32 [Plain], off_out: Option<i64> [Optional], len: u64 [Plain],
        flags: u32 [Optional] }
    332 statx Statx { dirfd: i32 [Dirfd], path: Path<'a> [Plain],
        flags: u32 [OptionalFlags(AT_FLAGS)], mask: u32 [OptionalFlags(STATX_MASKS)] }
    436 close_range CloseRange { first: u32 [Plain], last: u32 [Plain],
        flags: u32 [OptionalFlags(CLOSE_RANGE_FLAGS)] }
    437 openat2 Openat2 { dirfd: i32 [Dirfd], path: Path<'a> [Plain],
        flags: u32 [Flags(OPEN_FLAGS)], mode: u32 [Octal],
        resolve: u32 [OptionalFlags(RESOLVE_FLAGS)] }
    439 faccessat2 Faccessat2 { dirfd: i32 [Dirfd], path: Path<'a> [Plain],
        mode: u32 [Flags(ACCESS_MODES)], flags: u32 [OptionalFlags(AT_FLAGS)] }
    452 fchmodat2 Fchmodat2 { dirfd: i32 [Dirfd], path: Path<'a> [Plain], mode: u32 [Octal],
        flags: u32 [OptionalFlags(AT_FLAGS)] }
    188 setxattr Setxattr { path: Path<'a> [Plain], name: Path<'a> [Plain], value: &'a [u8] [Plain],
        flags: u32 [OptionalFlags(XATTR_FLAGS)] }
    189 lsetxattr Lsetxattr { path: Path<'a> [Plain], name: Path<'a> [Plain],
        value: &'a [u8] [Plain],
        flags: u32 [OptionalFlags(XATTR_FLAGS)] }
    190 fsetxattr Fsetxattr { fd: i32 [Plain], name: Path<'a> [Plain], value: &'a [u8] [Plain],
        flags: u32 [OptionalFlags(XATTR_FLAGS)] }
    197 removexattr Removexattr { path: Path<'a> [Plain], name: Path<'a> [Plain] }
    198 lremovexattr Lremovexattr { path: Path<'a> [Plain], name: Path<'a> [Plain] }
    199 fremovexattr Fremovexattr { fd: i32 [Plain], name: Path<'a> [Plain] }
    191 getxattr Getxattr { path: Path<'a> [Plain], name: Path<'a> [Plain], size: u64 [Optional] }
    192 lgetxattr Lgetxattr { path: Path<'a> [Plain], name: Path<'a> [Plain], size: u64 [Optional] }
    193 fgetxattr Fgetxattr { fd: i32 [Plain], name: Path<'a> [Plain], size: u64 [Optional] }
    194 listxattr Listxattr { path: Path<'a> [Plain], size: u64 [Optional] }
    195 llistxattr Llistxattr { path: Path<'a> [Plain], size: u64 [Optional] }
    196 flistxattr Flistxattr { fd: i32 [Plain], size: u64 [Optional] }
    // No system calls, and numbers that no system call has: pathconf(3).
    65534 pathconf Pathconf { path: Path<'a> [Plain], name: u32 [Choice(PATHCONF_NAMES)] }
    65535 fpathconf Fpathconf { fd: i32 [Plain], name: u32 [Choice(PATHCONF_NAMES)] }
    // The face (DESIGN section 8): families of the origin's contract, spoken by nobody (task 0).
    // Numbers beyond all of Linux's. `raw`: straight at the tree, past permissions, limits, guard;
    // fs_chown with 2: of a link itself.
    65536 face_register_driver FaceRegisterDriver { driver: &'a [u8] [Plain],
        commands: Vec<&'a [u8]> [Plain] }
    65537 face_spawn FaceSpawn { requester: Path<'a> [Optional], command: &'a [u8] [Plain],
        args: Vec<&'a [u8]> [Plain], envp: Vec<&'a [u8]> [Plain], cwd: &'a [u8] [Plain],
        parent: u32 [Optional] }
    65538 face_create_process FaceCreateProcess { requester: &'a [u8] [Plain],
        driver: &'a [u8] [Plain], command: &'a [u8] [Plain], args: Vec<&'a [u8]> [Plain],
        envp: Vec<&'a [u8]> [Plain], cwd: &'a [u8] [Plain], parent: u32 [Optional] }
    65539 face_exit FaceExit { target: u32 [Plain], status: i32 [Plain] }
    65540 face_signal FaceSignal { driver: Path<'a> [Optional], target: i32 [Plain],
        sig: i32 [Plain] }
    65541 face_waitpid FaceWaitpid { target: u32 [Plain] }
    65542 face_setpgid FaceSetpgid { driver: &'a [u8] [Plain], target: u32 [Plain],
        pgid: u32 [Plain] }
    65543 face_open FaceOpen { target: u32 [Plain], path: &'a [u8] [Plain],
        flags: u32 [Flags(OPEN_FLAGS)], mode: Option<u32> [Optional] }
    65544 face_dispose FaceDispose {}
    65545 fs_read FsRead { raw: u32 [Optional], path: &'a [u8] [Plain] }
    65546 fs_pread FsPread { raw: u32 [Optional], path: &'a [u8] [Plain], count: u64 [Plain],
        offset: u64 [Plain] }
    65547 fs_readdir FsReaddir { raw: u32 [Optional], path: &'a [u8] [Plain], max: u64 [Plain] }
    65548 fs_write FsWrite { raw: u32 [Optional], target: u32 [Optional], path: &'a [u8] [Plain],
        data: &'a [u8] [Plain], mode: Option<u32> [Optional],
        how: u32 [OptionalFlags(OPEN_FLAGS)] }
    65549 fs_pwrite FsPwrite { raw: u32 [Optional], path: &'a [u8] [Plain], data: &'a [u8] [Plain],
        offset: u64 [Plain] }
    65550 fs_mkdir FsMkdir { raw: u32 [Optional], target: u32 [Optional], path: &'a [u8] [Plain],
        mode: Option<u32> [Optional], how: u32 [Optional] }
    65551 fs_exists FsExists { raw: u32 [Optional], path: &'a [u8] [Plain] }
    65552 fs_stat FsStat { raw: u32 [Optional], path: &'a [u8] [Plain], follow: u32 [Plain] }
    65553 fs_unlink FsUnlink { raw: u32 [Optional], path: &'a [u8] [Plain] }
    65554 fs_rmdir FsRmdir { raw: u32 [Optional], path: &'a [u8] [Plain] }
    65555 fs_rename FsRename { raw: u32 [Optional], oldpath: &'a [u8] [Plain],
        newpath: &'a [u8] [Plain] }
    65556 fs_realpath FsRealpath { raw: u32 [Optional], path: &'a [u8] [Plain] }
    65557 fs_symlink FsSymlink { raw: u32 [Optional], content: &'a [u8] [Plain],
        linkpath: &'a [u8] [Plain] }
    65558 fs_readlink FsReadlink { raw: u32 [Optional], path: &'a [u8] [Plain] }
    65559 fs_link FsLink { raw: u32 [Optional], oldpath: &'a [u8] [Plain],
        newpath: &'a [u8] [Plain] }
    65560 fs_chmod FsChmod { raw: u32 [Optional], path: &'a [u8] [Plain], mode: u32 [Octal] }
    65561 fs_chown FsChown { raw: u32 [Optional], path: &'a [u8] [Plain], uid: u32 [Plain],
        gid: u32 [Plain] }
    65562 fs_utimes FsUtimes { raw: u32 [Optional], path: &'a [u8] [Plain],
        atime: Timespec [Plain], mtime: Timespec [Plain], follow: u32 [Plain] }
    65563 fs_truncate FsTruncate { raw: u32 [Optional], path: &'a [u8] [Plain],
        length: u64 [Plain] }
    65564 fs_usage FsUsage {}
    65565 face_policy FacePolicy { files: u32 [Plain], commands: u32 [Plain],
        rules: Vec<&'a [u8]> [Plain] }
    65566 face_read FaceRead { fd: i32 [Plain], count: u64 [Plain], timeout: i64 [Plain] }
    // Pseudo-terminals and sockets by number (SEMANTICS.md, sections 5 to 7): `fd` is an end of
    // one, `socket` a number. `given` says which of `flags` (bits 0 to 5) and of `characters` (from
    // bit 6) are changed. A socket stands in a descriptor's place in face_poll's `sockets`.
    65567 face_open_pty FaceOpenPty { target: u32 [Plain] }
    65568 face_pty_set FacePtySet { target: u32 [Plain], fd: i32 [Plain], given: u32 [Plain],
        flags: u32 [Plain], characters: &'a [u8] [Plain] }
    65569 face_pty_foreground FacePtyForeground { target: u32 [Plain], fd: i32 [Plain],
        pgid: u32 [Plain] }
    65570 face_pty_resize FacePtyResize { target: u32 [Plain], fd: i32 [Plain],
        columns: u32 [Plain], rows: u32 [Plain] }
    65571 face_socket FaceSocket { target: u32 [Plain], domain: u32 [Plain], kind: u32 [Plain] }
    65572 face_bind FaceBind { target: u32 [Plain], socket: u64 [Plain], host: &'a [u8] [Plain],
        port: u32 [Plain] }
    65573 face_bind_unix FaceBindUnix { target: u32 [Plain], socket: u64 [Plain],
        path: &'a [u8] [Plain] }
    65574 face_listen FaceListen { target: u32 [Plain], socket: u64 [Plain],
        backlog: u64 [Plain] }
    65575 face_incoming FaceIncoming { target: u32 [Plain], socket: u64 [Plain],
        host: &'a [u8] [Plain], port: u32 [Plain] }
    65576 face_accept FaceAccept { target: u32 [Plain], socket: u64 [Plain] }
    65577 face_connect FaceConnect { target: u32 [Plain], socket: u64 [Plain],
        host: &'a [u8] [Plain], port: u32 [Plain] }
    65578 face_connect_unix FaceConnectUnix { target: u32 [Plain], socket: u64 [Plain],
        path: &'a [u8] [Plain] }
    65579 face_connect_pair FaceConnectPair { target: u32 [Plain], socket: u64 [Plain],
        peer: u64 [Plain] }
    65580 face_socket_state FaceSocketState { target: u32 [Plain], socket: u64 [Plain],
        state: u32 [Plain] }
    65581 face_socket_close FaceSocketClose { target: u32 [Plain], socket: u64 [Plain] }
    65582 face_send FaceSend { target: u32 [Plain], socket: u64 [Plain], data: &'a [u8] [Plain] }
    65583 face_receive FaceReceive { target: u32 [Plain], socket: u64 [Plain],
        count: u64 [Plain] }
    65584 face_shutdown FaceShutdown { target: u32 [Plain], socket: u64 [Plain],
        how: u32 [Plain] }
    65585 face_send_to FaceSendTo { target: u32 [Plain], socket: u64 [Plain],
        host: &'a [u8] [Plain], port: u32 [Plain], data: &'a [u8] [Plain] }
    65586 face_recv_from FaceRecvFrom { target: u32 [Plain], socket: u64 [Plain],
        count: u64 [Plain] }
    65587 face_datagram_option FaceDatagramOption { target: u32 [Plain], socket: u64 [Plain],
        option: u32 [Plain], enabled: u32 [Plain] }
    65588 face_membership FaceMembership { target: u32 [Plain], socket: u64 [Plain],
        group: &'a [u8] [Plain], interface: Path<'a> [Optional], join: u32 [Plain] }
    65589 face_tell FaceTell { on: u32 [Plain] }
    // What a name was resolved to, for who looks at the recording: nothing in the kernel follows.
    65591 face_resolved FaceResolved { name: &'a [u8] [Plain], kind: &'a [u8] [Plain],
        source: &'a [u8] [Plain], answers: Vec<&'a [u8]> [Plain] }
    65590 face_poll FacePoll { fds: Vec<PollFd> [Plain], sockets: Vec<PollFd> [Plain],
        timeout: i32 [Plain] }
}
