//! The texts of /proc/PID: the formats of proc_pid_stat(5), proc_pid_status(5) and the other pages
//! of proc(5) that tell of one process.
//!
//! Owns the formats; the values come from [`ProcView`] and, for the mounts, from the tree. What the
//! kernel does not model (memory, CPU time, input and output in numbers, namespaces, control
//! groups, sessions of audit) is shown as nothing, zero or as what a system starts with.

use super::mount_text::shown_mount;
use super::procfs::{ProcDescriptor, ProcId, ProcLies, ProcTask};
use super::{Caller, Fs, PAGE_BYTES, ProcNode, ProcView};
use crate::abi::{Errno, Rlimit};
use crate::components::Limits;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

/// Clock ticks a second of proc_pid_stat(5) (`_SC_CLK_TCK`).
const TICKS_PER_SEC: u64 = 100;

/// proc_pid_io(5): nothing is counted.
const IO: &str = "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n\
                  cancelled_write_bytes: 0\n";

impl Fs {
    /// proc_pid_fdinfo(5), what all have.
    fn fdinfo(&self, caller: &Caller<'_>, open: &ProcDescriptor) -> String {
        let ProcDescriptor { flags, pos, lies } = open;
        let (mount, ino) = match *lies {
            ProcLies::At(place) => (shown_mount(place.mount), self.stat(caller, place).ino),
            ProcLies::Outside { mount, ino } => (mount, ino),
        };
        format!("pos:\t{pos}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{ino}\n")
    }

    pub(super) fn task_text(&self, caller: &Caller<'_>, node: ProcNode) -> Result<Vec<u8>, Errno> {
        let view: &dyn ProcView = caller.proc;
        let (pid, tid) = (node.pid, node.task_id());
        let task = view.task(pid, tid).ok_or(Errno::ESRCH)?;
        let inspected = || if view.may_inspect(pid, tid) { Ok(()) } else { Err(Errno::EACCES) };
        Ok(match node.id {
            ProcId::TaskStat => stat(tid, &task),
            ProcId::Status => status(pid, tid, &task),
            ProcId::Comm => [&task.comm, &b"\n"[..]].concat(),
            ProcId::Cmdline => view.cmdline(pid),
            ProcId::Environ => {
                inspected()?;
                view.environ(pid)
            }
            ProcId::Statm => b"0 0 0 0 0 0 0\n".to_vec(),
            ProcId::Maps | ProcId::Smaps => Vec::new(),
            ProcId::SmapsRollup => smaps_rollup().into_bytes(),
            ProcId::TaskMounts => self.mounts_text(caller),
            ProcId::Mountinfo => self.mountinfo_text(caller),
            ProcId::FdinfoNumber => {
                let open = view.descriptor(pid, tid, node.fd).ok_or(Errno::ENOENT)?;
                let more = view.descriptor_lines(self, pid, tid, node.fd);
                [self.fdinfo(caller, &open).into_bytes(), more].concat()
            }
            ProcId::Mountstats => self.mountstats_text(caller),
            ProcId::Auxv => {
                inspected()?;
                if task.state == b'Z' { Vec::new() } else { auxv(&task) }
            }
            ProcId::Personality => {
                // Linux asks as ptrace(2) does.
                inspected().map_err(|_| Errno::EPERM)?;
                b"00000000\n".to_vec()
            }
            ProcId::Limits => limits(&view.limits(pid)).into_bytes(),
            ProcId::Io => {
                inspected()?;
                IO.as_bytes().to_vec()
            }
            ProcId::Wchan => b"0".to_vec(),
            ProcId::Schedstat => b"0 0 0\n".to_vec(),
            ProcId::Cpuset => b"/\n".to_vec(),
            ProcId::Cgroup => b"0::/\n".to_vec(),
            ProcId::OomScore => format!("{}\n", oom_score(pid, &task)).into_bytes(),
            ProcId::OomAdj => format!("{}\n", oom_adj(task.oom_score_adj)).into_bytes(),
            ProcId::OomScoreAdj => format!("{}\n", task.oom_score_adj).into_bytes(),
            // (uid_t) -1: not set.
            ProcId::Loginuid | ProcId::Sessionid => format!("{}", u32::MAX).into_bytes(),
            ProcId::CoredumpFilter => b"00000033\n".to_vec(),
            ProcId::UidMap | ProcId::GidMap | ProcId::ProjidMap => {
                format!("{:10} {:10} {:10}\n", 0, 0, u32::MAX).into_bytes()
            }
            ProcId::Setgroups => b"allow\n".to_vec(),
            ProcId::TimerslackNs => b"50000\n".to_vec(),
            // No security module tells: `attr` is EINVAL, as without one.
            _ => return Err(Errno::EINVAL),
        })
    }
}

/// proc_pid_stat(5).
fn stat(tid: u32, task: &ProcTask) -> Vec<u8> {
    let mut out = format!("{tid} (").into_bytes();
    out.extend_from_slice(&task.comm);
    let start = task.start_ns / (1_000_000_000 / TICKS_PER_SEC);
    let tail = format!(
        ") {} {} {} {} {} {} 0 0 0 0 0 0 0 0 0 20 0 {} 0 {start} 0 0 18446744073709551615 \
         0 0 0 0 0 {} {} {} {} 0 0 0 {} 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        char::from(task.state),
        task.ppid,
        task.pgrp,
        task.session,
        task.tty,
        task.tpgid,
        task.threads,
        task.pending.0 & 0x7fff_ffff,
        task.blocked.0 & 0x7fff_ffff,
        task.ignored.0 & 0x7fff_ffff,
        task.caught.0 & 0x7fff_ffff,
        task.exit_signal,
    );
    out.extend_from_slice(tail.as_bytes());
    out
}

/// The word beside a state letter in proc_pid_status(5).
fn state_word(state: u8) -> &'static str {
    match state {
        b'R' => "running",
        b'S' => "sleeping",
        b'D' => "disk sleep",
        b'T' => "stopped",
        b't' => "tracing stop",
        b'Z' => "zombie",
        _ => "dead",
    }
}

/// proc_pid_status(5), the lines that do not speak of memory or CPUs.
fn status(pid: u32, tid: u32, task: &ProcTask) -> Vec<u8> {
    let mut out = b"Name:\t".to_vec();
    for byte in &task.comm {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(*byte),
        }
    }
    let cred = &task.cred;
    let mut text = String::new();
    let mut line = |arguments: core::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = text.write_fmt(arguments);
    };
    line(format_args!("\nUmask:\t{:04o}\n", task.umask));
    line(format_args!("State:\t{} ({})\n", char::from(task.state), state_word(task.state)));
    line(format_args!(
        "Tgid:\t{pid}\nNgid:\t0\nPid:\t{tid}\nPPid:\t{}\nTracerPid:\t0\n",
        task.ppid
    ));
    line(format_args!("Uid:\t{}\t{}\t{}\t{}\n", cred.uid, cred.euid, cred.suid, cred.fsuid));
    line(format_args!("Gid:\t{}\t{}\t{}\t{}\n", cred.gid, cred.egid, cred.sgid, cred.fsgid));
    line(format_args!("FDSize:\t{}\nGroups:\t", task.fd_slots));
    for group in &cred.groups {
        line(format_args!("{group} "));
    }
    line(format_args!("\nThreads:\t{}\nSigQ:\t0/0\n", task.threads));
    let sets = [
        ("SigPnd", task.pending.0),
        ("ShdPnd", task.shared_pending.0),
        ("SigBlk", task.blocked.0),
        ("SigIgn", task.ignored.0),
        ("SigCgt", task.caught.0),
        ("CapInh", cred.inheritable),
        ("CapPrm", cred.permitted),
        ("CapEff", cred.effective),
        ("CapBnd", cred.bounding),
        ("CapAmb", cred.ambient),
    ];
    for (name, set) in sets {
        line(format_args!("{name}:\t{set:016x}\n"));
    }
    line(format_args!("NoNewPrivs:\t{}\nSeccomp:\t0\n", u8::from(cred.no_new_privs)));
    out.extend_from_slice(text.as_bytes());
    out
}

/// Names and units of limits in proc_pid_limits(5), by `RLIMIT_*`.
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

/// proc_pid_limits(5).
fn limits(limits: &Limits) -> String {
    let row = |name: &str, soft: &str, hard: &str| format!("{name:<25} {soft:<20} {hard:<20} ");
    let number = |limit| match limit {
        u64::MAX => String::from("unlimited"),
        limit => format!("{limit}"),
    };
    let mut out = row("Limit", "Soft Limit", "Hard Limit");
    let _ = writeln!(out, "{:<10}", "Units");
    for ((name, unit), Rlimit { cur, max }) in LIMITS.iter().zip(&limits.0) {
        out.push_str(&row(name, &number(*cur), &number(*max)));
        if !unit.is_empty() {
            let _ = write!(out, "{unit:<10}");
        }
        out.push('\n');
    }
    out
}

/// The score of a process that has no memory: Linux's formula (`proc_oom_score`). The first process
/// and who asked for it are never ended.
fn oom_score(pid: u32, task: &ProcTask) -> i32 {
    let spared = pid == 1 || task.state == b'Z' || task.oom_score_adj == -1000;
    if spared { 0 } else { (1000 + i32::from(task.oom_score_adj)) * 2 / 3 }
}

/// What the older file says of it, -17 to 15.
fn oom_adj(score_adj: i16) -> i32 {
    if score_adj == 1000 { 15 } else { i32::from(score_adj) * 17 / 1000 }
}

/// What a program finds in its auxiliary vector that is not of its memory (getauxval(3)).
fn auxv(task: &ProcTask) -> Vec<u8> {
    let cred = &task.cred;
    let entries: [(u64, u64); 7] = [
        (6, PAGE_BYTES),
        (17, TICKS_PER_SEC),
        (11, cred.uid.into()),
        (12, cred.euid.into()),
        (13, cred.gid.into()),
        (14, cred.egid.into()),
        (0, 0),
    ];
    entries.iter().flat_map(|(kind, value)| [*kind, *value]).flat_map(u64::to_le_bytes).collect()
}

/// The sum over no mapping at all.
fn smaps_rollup() -> String {
    let names = [
        "Rss",
        "Pss",
        "Pss_Dirty",
        "Pss_Anon",
        "Pss_File",
        "Pss_Shmem",
        "Shared_Clean",
        "Shared_Dirty",
        "Private_Clean",
        "Private_Dirty",
        "Referenced",
        "Anonymous",
        "KSM",
        "LazyFree",
        "AnonHugePages",
        "ShmemPmdMapped",
        "FilePmdMapped",
        "Shared_Hugetlb",
        "Private_Hugetlb",
        "Swap",
        "SwapPss",
        "Locked",
    ];
    let head = format!("00000000-00000000 ---p 00000000 00:00 0 {:33}[rollup]\n", "");
    names.iter().fold(head, |mut out, name| {
        let label = format!("{name}:");
        let _ = writeln!(out, "{label:<16}{:>8} kB", 0);
        out
    })
}
