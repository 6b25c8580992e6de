//! The texts of /proc that are the whole system's: the formats of proc_meminfo(5), proc_stat(5) and
//! the other pages of proc(5).
//!
//! Owns the formats; the values come from [`ProcView`](super::ProcView) and the tree. What the
//! kernel does not model (CPU time, disks, swap) is shown as nothing or zero. Texts of a process
//! are `proc_task_text.rs`, those below /proc/sys `sysctl.rs`.

use super::procfs::{self, ProcId, ProcSystem};
use super::{Caller, Fs, PAGE_BYTES, ProcNode, VolumeKind};
use crate::abi::Errno;
use crate::abi::flags::S_IFDIR;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

/// proc_swaps(5): there is none.
const SWAPS: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
/// proc_cgroups(5): no controller.
const CGROUPS: &str = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n";
/// proc_devices(5): what has nodes in /dev, and the disk.
const DEVICES: &str = "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\n\
                       Block devices:\n  8 sd\n";
/// The disk and its partition, with their minor numbers.
const DISKS: [(u32, &str); 2] = [(0, "sda"), (1, "sda1")];

impl Fs {
    /// What reading a file of /proc gives, as a whole.
    ///
    /// # Errors
    /// `ESRCH` if the process is gone, `EACCES` if it may not be inspected, `EISDIR`, `EINVAL`.
    pub fn proc_text(&self, caller: &Caller<'_>, node: ProcNode) -> Result<Vec<u8>, Errno> {
        if procfs::type_bits(node) == S_IFDIR {
            return Err(Errno::EISDIR);
        }
        if node.pid != 0 {
            return self.task_text(caller, node);
        }
        let system = caller.proc.system();
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
            ProcId::BootCmdline => b"root=/dev/sda1 rw\n".to_vec(),
            ProcId::Locks => caller.proc.locks(self),
            ProcId::Swaps => SWAPS.as_bytes().to_vec(),
            ProcId::Cgroups => CGROUPS.as_bytes().to_vec(),
            ProcId::Devices => DEVICES.as_bytes().to_vec(),
            ProcId::Vmstat => vmstat(&system).into_bytes(),
            ProcId::Diskstats => diskstats().into_bytes(),
            ProcId::Partitions => self.partitions().into_bytes(),
            id if node.is_sys() => self.sysctl(id, &system).ok_or(Errno::EINVAL)?,
            _ => return Err(Errno::EINVAL),
        })
    }
}

impl Fs {
    /// proc_partitions(5): one that is as large as the root.
    fn partitions(&self) -> String {
        let kib = self.statfs(self.root()).blocks * (PAGE_BYTES / 1024);
        let head = String::from("major minor  #blocks  name\n\n");
        DISKS.iter().fold(head, |mut out, (minor, name)| {
            let _ = writeln!(out, "{:4}  {minor:7} {kib:10} {name}", 8);
            out
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

/// proc_vmstat(5): what vmstat(8) reads of it.
fn vmstat(system: &ProcSystem) -> String {
    let free = system.free_bytes / PAGE_BYTES;
    let zeros = ["pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault", "oom_kill"];
    zeros.iter().fold(format!("nr_free_pages {free}\n"), |mut out, name| {
        let _ = writeln!(out, "{name} 0");
        out
    })
}

/// Linux's Documentation/admin-guide/iostats.rst: 17 counters a disk.
fn diskstats() -> String {
    DISKS.iter().fold(String::new(), |mut out, (minor, name)| {
        let _ = writeln!(out, "{:4} {minor:7} {name}{}", 8, " 0".repeat(17));
        out
    })
}
