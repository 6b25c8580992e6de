//! The texts of /proc: the formats of proc_pid_stat(5), proc_pid_status(5), proc_meminfo(5) and the
//! other pages of proc(5).
//!
//! Owns the formats; the values come from [`ProcView`] and, for the mounts, from the tree. What the
//! kernel does not model (memory maps, CPU time) is shown as nothing or zero.

use super::procfs::{ProcDescriptor, ProcId, ProcSystem, ProcTask};
use super::{Caller, Fs, ProcNode, ProcView, VolumeKind};
use crate::abi::Errno;
use crate::abi::credentials::CAP_FULL;
use crate::components::inotify::{INSTANCES_MAX, QUEUED_MAX, WATCHES_MAX};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

/// Clock ticks a second of proc_pid_stat(5) (`_SC_CLK_TCK`).
const TICKS_PER_SEC: u64 = 100;

impl Fs {
    /// What reading a file of /proc gives, as a whole.
    ///
    /// # Errors
    /// `ESRCH` if the process is gone, `EACCES` if it may not be inspected, `EISDIR`, `EINVAL`.
    pub fn proc_text(&self, caller: &Caller<'_>, node: ProcNode) -> Result<Vec<u8>, Errno> {
        if node.pid != 0 {
            return self.task_text(caller, node);
        }
        let system = caller.proc.system();
        let line = |text: &[u8]| [text, b"\n"].concat();
        Ok(match node.id {
            ProcId::Cpuinfo => cpuinfo(&system).into_bytes(),
            ProcId::Filesystems => filesystems().into_bytes(),
            ProcId::Loadavg => loadavg(&system).into_bytes(),
            ProcId::Meminfo => meminfo(&system).into_bytes(),
            ProcId::Stat => system_stat(&system).into_bytes(),
            ProcId::Uptime => uptime(&system).into_bytes(),
            ProcId::Version => {
                let [sysname, release, version, ..] = &system.uname;
                [sysname, &b" version "[..], release, b" ", version, b"\n"].concat()
            }
            ProcId::Ostype => line(&system.uname[0]),
            ProcId::Osrelease => line(&system.uname[1]),
            ProcId::Hostname => line(&system.uname[3]),
            ProcId::Domainname => line(&system.uname[4]),
            ProcId::CapLastCap => format!("{}\n", CAP_FULL.count_ones() - 1).into_bytes(),
            ProcId::NgroupsMax => b"65536\n".to_vec(),
            ProcId::PidMax => b"4194304\n".to_vec(),
            ProcId::PipeMaxSize => b"1048576\n".to_vec(),
            ProcId::MountMax => format!("{}\n", super::MOUNTS_MAX).into_bytes(),
            ProcId::MaxQueuedEvents => format!("{QUEUED_MAX}\n").into_bytes(),
            ProcId::MaxUserInstances => format!("{INSTANCES_MAX}\n").into_bytes(),
            ProcId::MaxUserWatches => format!("{WATCHES_MAX}\n").into_bytes(),
            ProcId::NrOpen => b"1048576\n".to_vec(),
            ProcId::Root | ProcId::Sys | ProcId::SysKernel | ProcId::SysFs => {
                return Err(Errno::EISDIR);
            }
            _ => return Err(Errno::EINVAL),
        })
    }

    fn task_text(&self, caller: &Caller<'_>, node: ProcNode) -> Result<Vec<u8>, Errno> {
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
            ProcId::Maps => Vec::new(),
            ProcId::TaskMounts => self.mounts_text(caller),
            ProcId::Mountinfo => self.mountinfo_text(caller),
            ProcId::FdinfoNumber => {
                let open = view.descriptor(pid, tid, node.fd).ok_or(Errno::ENOENT)?;
                let more = view.descriptor_lines(pid, tid, node.fd);
                [fdinfo(&open).into_bytes(), more].concat()
            }
            ProcId::Pid | ProcId::Task | ProcId::Tid | ProcId::Fd | ProcId::Fdinfo => {
                return Err(Errno::EISDIR);
            }
            _ => return Err(Errno::EINVAL),
        })
    }
}

/// Blanks and backslashes as mounts(5) writes them.
pub(super) fn escaped(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => {
                out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
            }
            _ => out.push(*byte),
        }
    }
    out
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

/// proc_pid_fdinfo(5).
fn fdinfo(open: &ProcDescriptor) -> String {
    format!("pos:\t{}\nflags:\t0{:o}\nmnt_id:\t21\nino:\t{}\n", open.pos, open.flags, open.ino)
}

/// proc_meminfo(5), its first lines.
fn meminfo(system: &ProcSystem) -> String {
    let rows = [
        ("MemTotal", system.memory_bytes),
        ("MemFree", system.free_bytes),
        ("MemAvailable", system.free_bytes),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
    ];
    rows.iter().fold(String::new(), |mut out, (name, bytes)| {
        let label = format!("{name}:");
        let _ = writeln!(out, "{label:<16}{:>8} kB", bytes / 1024);
        out
    })
}

/// proc_cpuinfo(5): a paragraph a CPU.
fn cpuinfo(system: &ProcSystem) -> String {
    (0..system.cpus).fold(String::new(), |mut out, cpu| {
        let _ = write!(
            out,
            "processor\t: {cpu}\nvendor_id\t: tickernel\nmodel name\t: virtual\n\
             cpu cores\t: {}\n\n",
            system.cpus
        );
        out
    })
}

/// proc_uptime(5): hundredths of seconds.
fn uptime(system: &ProcSystem) -> String {
    let hundredths = |ns: u64| (ns / 1_000_000_000, ns / 10_000_000 % 100);
    let (up, up_part) = hundredths(system.uptime_ns);
    let idle_ns = system.uptime_ns.saturating_mul(u64::from(system.cpus));
    let (idle, idle_part) = hundredths(idle_ns);
    format!("{up}.{up_part:02} {idle}.{idle_part:02}\n")
}

/// proc_loadavg(5).
fn loadavg(system: &ProcSystem) -> String {
    let (running, tasks) = (system.running, system.tasks);
    format!("0.00 0.00 0.00 {running}/{tasks} {}\n", system.last_pid)
}

/// proc_filesystems(5).
fn filesystems() -> String {
    VolumeKind::ALL.iter().fold(String::new(), |mut out, kind| {
        let facts = kind.facts();
        let _ = writeln!(out, "{}\t{}", if facts.nodev { "nodev" } else { "" }, facts.name);
        out
    })
}

/// proc_stat(5).
fn system_stat(system: &ProcSystem) -> String {
    let zeros = "0 0 0 0 0 0 0 0 0 0";
    let mut out = format!("cpu  {zeros}\n");
    for cpu in 0..system.cpus {
        let _ = writeln!(out, "cpu{cpu} {zeros}");
    }
    let _ = write!(
        out,
        "intr 0\nctxt 0\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n",
        system.boot_sec, system.forks, system.running
    );
    out
}
