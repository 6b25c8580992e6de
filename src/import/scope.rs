//! Which calls are out of scope (CLI.md, "Out of scope"): counted there and nowhere else.
//!
//! Data and one question. What such a call does to the kernel is still carried out where the kernel
//! models it (`chroot`, sleeps).

/// Names.
const OUT_OF_SCOPE: &[&str] = &[
    // memory
    "mmap",
    "munmap",
    "mprotect",
    "brk",
    "madvise",
    "mremap",
    "mlock",
    "munlock",
    "mlock2",
    "mincore",
    "msync",
    "pkey_alloc",
    "pkey_mprotect",
    "pkey_free",
    "membarrier",
    "mbind",
    "get_mempolicy",
    "set_mempolicy",
    "process_madvise",
    "arch_prctl",
    // threads' own
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "gettid",
    // scheduling
    "getcpu",
    "ioprio_get",
    "ioprio_set",
    "getpriority",
    "setpriority",
    // time
    "gettimeofday",
    "settimeofday",
    "time",
    "times",
    "adjtimex",
    "nanosleep",
    // host
    "uname",
    "sysinfo",
    "getrandom",
    "getrusage",
    "prctl",
    "seccomp",
    "bpf",
    "perf_event_open",
    "ptrace",
    "syslog",
    "personality",
    "capget",
    "capset",
    "keyctl",
    "add_key",
    "request_key",
    "reboot",
    "sethostname",
    "mount",
    "umount2",
    "unshare",
    "setns",
    "chroot",
    "pivot_root",
    "kcmp",
];

/// How further ones begin.
const BEGINNINGS: &[&str] =
    &["sched_", "clock_", "timer_", "io_uring_", "landlock_", "process_vm_", "shm", "sem", "msg"];

/// Whether the call of this name is out of scope.
pub fn is_out_of_scope(name: &str) -> bool {
    OUT_OF_SCOPE.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Calls that are out of scope and change what the kernel models: they are carried out.
pub(super) fn is_carried_out(name: &str) -> bool {
    matches!(
        name,
        "chroot"
            | "nanosleep"
            | "clock_nanosleep"
            | "timer_create"
            | "timer_settime"
            | "timer_delete"
            | "capset"
            | "prctl"
            | "mount"
            | "umount2"
            | "umount"
    )
}
