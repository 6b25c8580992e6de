//! The table of /proc (proc(5)): one row defines each entry. Look-up, listing, stat, walk and text
//! all come from it (`procfs.rs`, `proc_text.rs`).
//!
//! Not here: /proc/net, /proc/PID/{mem,sched,stack,syscall,timers} and what else tells of
//! hardware, memory or scheduling, which are not modelled.

use crate::abi::flags::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};

/// How a row is named.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    /// As itself.
    Fixed(&'static str),
    /// By the number of a process, a thread or a descriptor.
    Number,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Dir,
    Text,
    Link,
    Magic,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) id: ProcId,
    pub(super) parent: ProcId,
    pub(super) label: Label,
    pub(super) shape: Shape,
    pub(super) mode: u32,
}

macro_rules! proc_table {
    ($($tag:literal $id:ident in $parent:ident, $label:expr, $shape:ident $mode:literal;)*) => {
        /// A row of the table of /proc.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table beside it says what each is")]
        pub enum ProcId { $($id),* }
        crate::wire_enum!(ProcId { $($tag $id),* });
        /// Rows in the order of the enum, which is that of listing: as Linux lists them.
        pub(super) const TABLE: &[Row] = &[$(Row {
            id: ProcId::$id,
            parent: ProcId::$parent,
            label: $label,
            shape: Shape::$shape,
            mode: $mode,
        }),*];
    };
}

const fn fixed(name: &'static str) -> Label {
    Label::Fixed(name)
}

proc_table! {
    0 Root in Root, fixed(""), Dir 0o555;
    // Linux goes by the length of names, then by their bytes.
    7 Sys in Root, fixed("sys"), Dir 0o555;
    6 Stat in Root, fixed("stat"), Text 0o444;
    47 Locks in Root, fixed("locks"), Text 0o444;
    48 Swaps in Root, fixed("swaps"), Text 0o444;
    5 Mounts in Root, fixed("mounts"), Link 0o777;
    8 Uptime in Root, fixed("uptime"), Text 0o444;
    49 Vmstat in Root, fixed("vmstat"), Text 0o444;
    50 Cgroups in Root, fixed("cgroups"), Text 0o444;
    51 BootCmdline in Root, fixed("cmdline"), Text 0o444;
    1 Cpuinfo in Root, fixed("cpuinfo"), Text 0o444;
    52 Devices in Root, fixed("devices"), Text 0o444;
    3 Loadavg in Root, fixed("loadavg"), Text 0o444;
    4 Meminfo in Root, fixed("meminfo"), Text 0o444;
    9 Version in Root, fixed("version"), Text 0o444;
    53 Diskstats in Root, fixed("diskstats"), Text 0o444;
    54 Partitions in Root, fixed("partitions"), Text 0o444;
    2 Filesystems in Root, fixed("filesystems"), Text 0o444;
    10 SelfLink in Root, fixed("self"), Link 0o777;
    11 ThreadSelf in Root, fixed("thread-self"), Link 0o777;
    12 Pid in Root, Label::Number, Dir 0o555;
    13 Task in Pid, fixed("task"), Dir 0o555;
    14 Tid in Task, Label::Number, Dir 0o555;
    15 Fd in Pid, fixed("fd"), Dir 0o500;
    16 FdNumber in Fd, Label::Number, Magic 0o500;
    111 MapFiles in Pid, fixed("map_files"), Dir 0o500;
    17 Fdinfo in Pid, fixed("fdinfo"), Dir 0o555;
    18 FdinfoNumber in Fdinfo, Label::Number, Text 0o444;
    55 Ns in Pid, fixed("ns"), Dir 0o511;
    56 NsNet in Ns, fixed("net"), Magic 0o777;
    57 NsUts in Ns, fixed("uts"), Magic 0o777;
    58 NsIpc in Ns, fixed("ipc"), Magic 0o777;
    59 NsPid in Ns, fixed("pid"), Magic 0o777;
    60 NsPidForChildren in Ns, fixed("pid_for_children"), Magic 0o777;
    61 NsUser in Ns, fixed("user"), Magic 0o777;
    62 NsMnt in Ns, fixed("mnt"), Magic 0o777;
    63 NsCgroup in Ns, fixed("cgroup"), Magic 0o777;
    64 NsTime in Ns, fixed("time"), Magic 0o777;
    65 NsTimeForChildren in Ns, fixed("time_for_children"), Magic 0o777;
    19 Environ in Pid, fixed("environ"), Text 0o400;
    66 Auxv in Pid, fixed("auxv"), Text 0o400;
    20 Status in Pid, fixed("status"), Text 0o444;
    67 Personality in Pid, fixed("personality"), Text 0o400;
    68 Limits in Pid, fixed("limits"), Text 0o444;
    21 Comm in Pid, fixed("comm"), Text 0o644;
    22 Cmdline in Pid, fixed("cmdline"), Text 0o444;
    23 TaskStat in Pid, fixed("stat"), Text 0o444;
    24 Statm in Pid, fixed("statm"), Text 0o444;
    25 Maps in Pid, fixed("maps"), Text 0o444;
    26 Cwd in Pid, fixed("cwd"), Magic 0o777;
    27 RootLink in Pid, fixed("root"), Magic 0o777;
    28 Exe in Pid, fixed("exe"), Magic 0o777;
    29 TaskMounts in Pid, fixed("mounts"), Text 0o444;
    30 Mountinfo in Pid, fixed("mountinfo"), Text 0o444;
    69 Mountstats in Pid, fixed("mountstats"), Text 0o400;
    70 Smaps in Pid, fixed("smaps"), Text 0o444;
    71 SmapsRollup in Pid, fixed("smaps_rollup"), Text 0o444;
    72 Attr in Pid, fixed("attr"), Dir 0o555;
    73 AttrCurrent in Attr, fixed("current"), Text 0o666;
    74 AttrPrev in Attr, fixed("prev"), Text 0o444;
    75 AttrExec in Attr, fixed("exec"), Text 0o666;
    76 AttrFscreate in Attr, fixed("fscreate"), Text 0o666;
    77 AttrKeycreate in Attr, fixed("keycreate"), Text 0o666;
    78 AttrSockcreate in Attr, fixed("sockcreate"), Text 0o666;
    79 Wchan in Pid, fixed("wchan"), Text 0o444;
    80 Schedstat in Pid, fixed("schedstat"), Text 0o444;
    81 Cpuset in Pid, fixed("cpuset"), Text 0o444;
    82 Cgroup in Pid, fixed("cgroup"), Text 0o444;
    83 OomScore in Pid, fixed("oom_score"), Text 0o444;
    84 OomAdj in Pid, fixed("oom_adj"), Text 0o644;
    85 OomScoreAdj in Pid, fixed("oom_score_adj"), Text 0o644;
    86 Loginuid in Pid, fixed("loginuid"), Text 0o644;
    87 Sessionid in Pid, fixed("sessionid"), Text 0o444;
    88 CoredumpFilter in Pid, fixed("coredump_filter"), Text 0o644;
    89 Io in Pid, fixed("io"), Text 0o400;
    90 UidMap in Pid, fixed("uid_map"), Text 0o644;
    91 GidMap in Pid, fixed("gid_map"), Text 0o644;
    92 ProjidMap in Pid, fixed("projid_map"), Text 0o644;
    93 Setgroups in Pid, fixed("setgroups"), Text 0o644;
    94 TimerslackNs in Pid, fixed("timerslack_ns"), Text 0o666;
    39 SysFs in Sys, fixed("fs"), Dir 0o555;
    95 FileMax in SysFs, fixed("file-max"), Text 0o644;
    96 FileNr in SysFs, fixed("file-nr"), Text 0o444;
    43 SysInotify in SysFs, fixed("inotify"), Dir 0o555;
    44 MaxQueuedEvents in SysInotify, fixed("max_queued_events"), Text 0o644;
    45 MaxUserInstances in SysInotify, fixed("max_user_instances"), Text 0o644;
    46 MaxUserWatches in SysInotify, fixed("max_user_watches"), Text 0o644;
    42 MountMax in SysFs, fixed("mount-max"), Text 0o644;
    41 NrOpen in SysFs, fixed("nr_open"), Text 0o644;
    97 FsOverflowgid in SysFs, fixed("overflowgid"), Text 0o644;
    98 FsOverflowuid in SysFs, fixed("overflowuid"), Text 0o644;
    40 PipeMaxSize in SysFs, fixed("pipe-max-size"), Text 0o644;
    99 ProtectedFifos in SysFs, fixed("protected_fifos"), Text 0o644;
    100 ProtectedHardlinks in SysFs, fixed("protected_hardlinks"), Text 0o644;
    101 ProtectedRegular in SysFs, fixed("protected_regular"), Text 0o644;
    102 ProtectedSymlinks in SysFs, fixed("protected_symlinks"), Text 0o644;
    103 SuidDumpable in SysFs, fixed("suid_dumpable"), Text 0o644;
    31 SysKernel in Sys, fixed("kernel"), Dir 0o555;
    34 CapLastCap in SysKernel, fixed("cap_last_cap"), Text 0o444;
    112 CorePattern in SysKernel, fixed("core_pattern"), Text 0o644;
    32 Domainname in SysKernel, fixed("domainname"), Text 0o644;
    33 Hostname in SysKernel, fixed("hostname"), Text 0o644;
    35 NgroupsMax in SysKernel, fixed("ngroups_max"), Text 0o444;
    36 Osrelease in SysKernel, fixed("osrelease"), Text 0o444;
    37 Ostype in SysKernel, fixed("ostype"), Text 0o444;
    104 Overflowgid in SysKernel, fixed("overflowgid"), Text 0o644;
    105 Overflowuid in SysKernel, fixed("overflowuid"), Text 0o644;
    38 PidMax in SysKernel, fixed("pid_max"), Text 0o644;
    106 ThreadsMax in SysKernel, fixed("threads-max"), Text 0o644;
    107 SysVersion in SysKernel, fixed("version"), Text 0o444;
    108 SysVm in Sys, fixed("vm"), Dir 0o555;
    109 MaxMapCount in SysVm, fixed("max_map_count"), Text 0o644;
    110 OvercommitMemory in SysVm, fixed("overcommit_memory"), Text 0o644;
}

impl ProcId {
    pub(super) fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Whether it belongs to a process.
    fn is_of_a_process(self) -> bool {
        let mut row = self.row();
        while row.id != ProcId::Root && row.id != ProcId::Pid {
            row = row.parent.row();
        }
        row.id == ProcId::Pid
    }

    /// What it is ready for to poll(2), if it has a way to say so: files of the whole system have,
    /// and of a process the lists of mounts.
    pub(crate) fn poll_events(self) -> Option<u32> {
        match self {
            ProcId::TaskMounts | ProcId::Mountinfo => Some(POLLIN | POLLRDNORM),
            id if id.row().shape != Shape::Text || id.is_of_a_process() => None,
            _ => Some(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM),
        }
    }

    /// Whether threads have none of it, only their process (proc_pid_task(5)).
    pub(super) fn is_of_the_process_only(self) -> bool {
        matches!(
            self,
            ProcId::Task
                | ProcId::MapFiles
                | ProcId::Mountstats
                | ProcId::CoredumpFilter
                | ProcId::TimerslackNs
        )
    }

    /// Whether it shows memory, which only those may open who may inspect the task.
    pub(super) fn shows_memory(self) -> bool {
        matches!(self, ProcId::Maps | ProcId::Smaps | ProcId::SmapsRollup)
    }

    /// The name and number of a namespace: those that a system starts with (linux/nsfs.h).
    pub(super) fn namespace(self) -> Option<(&'static str, u32)> {
        Some(match self {
            ProcId::NsIpc => ("ipc", 0xefff_ffff),
            ProcId::NsUts => ("uts", 0xefff_fffe),
            ProcId::NsUser => ("user", 0xefff_fffd),
            ProcId::NsPid | ProcId::NsPidForChildren => ("pid", 0xefff_fffc),
            ProcId::NsCgroup => ("cgroup", 0xefff_fffb),
            ProcId::NsTime | ProcId::NsTimeForChildren => ("time", 0xefff_fffa),
            ProcId::NsNet => ("net", 0xefff_fff9),
            ProcId::NsMnt => ("mnt", 0xefff_fff8),
            _ => return None,
        })
    }
}
