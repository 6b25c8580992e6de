//! Between the program's own types and those of one kernel, and its answers as text.

use super::api;
use super::run::{Log, Told};
use crate::program::{Limit, Policy, Time};
use crate::seen::data_text;
use api::kernel::KernelError;
use api::permissions::{
    CommandAccessRequest, FsAccessRequest, NetworkAccessRequest, PermissionDecision, Permissions,
};
use api::process_table::ProcessInfo;
use api::resource_accounting::ResourceLimits;
use api::vfs::{VirtualStat, VirtualTimeSpec, VirtualUtimeSpec};
use std::sync::Arc;

/// Fixed parts of messages that SEMANTICS.md quotes.
const QUOTED: [&str; 4] =
    ["kernel VM is disposed", "does not own PID", "invalid command name", "pread length"];

pub(super) fn permissions(policy: &Policy, log: &Log) -> Permissions {
    let (paths, command) = match policy {
        Policy::AllowAll => return Permissions::allow_all(),
        Policy::None => return Permissions::default(),
        Policy::Ask { paths, command } => (paths.clone(), *command),
    };
    let mut permissions = Permissions::allow_all();
    let own = Arc::clone(log);
    permissions.filesystem = Some(Arc::new(move |request: &FsAccessRequest| {
        let op = format!("{:?}", request.op);
        own.lock().unwrap().push(format!("{} {op} {}", request.vm_id, request.path));
        let denied = |(name, top): &(&str, &str)| {
            (*name == "*" || *name == op) && request.path.starts_with(top)
        };
        decision(!paths.iter().any(denied))
    }));
    let own = Arc::clone(log);
    permissions.network = Some(Arc::new(move |request: &NetworkAccessRequest| {
        own.lock().unwrap().push(format!("{:?} {}", request.op, request.resource));
        decision(!request.resource.contains("denied"))
    }));
    let own = Arc::clone(log);
    permissions.child_process = Some(Arc::new(move |request: &CommandAccessRequest| {
        own.lock().unwrap().push(format!(
            "spawn {} {:?} in {:?} with {:?}",
            request.command, request.args, request.cwd, request.env
        ));
        decision(command != Some(request.command.as_str()))
    }));
    permissions
}

pub(super) fn decision(allow: bool) -> PermissionDecision {
    PermissionDecision { allow, reason: (!allow).then(|| "the program says so".to_owned()) }
}

pub(super) fn limits(chosen: &[(Limit, usize)]) -> ResourceLimits {
    let mut limits = ResourceLimits { max_blocking_read_ms: Some(1), ..ResourceLimits::default() };
    for (limit, most) in chosen {
        let most = Some(*most);
        match limit {
            Limit::Processes => limits.max_processes = most,
            Limit::OpenFds => limits.max_open_fds = most,
            Limit::Pipes => limits.max_pipes = most,
            Limit::Ptys => limits.max_ptys = most,
            Limit::Sockets => limits.max_sockets = most,
            Limit::Connections => limits.max_connections = most,
            Limit::SocketBytes => limits.max_socket_buffered_bytes = most,
            Limit::Datagrams => limits.max_socket_datagram_queue_len = most,
            Limit::Inodes => limits.max_inode_count = most,
            Limit::FilesystemBytes => limits.max_filesystem_bytes = most.map(|most| most as u64),
            Limit::PreadBytes => limits.max_pread_bytes = most,
            Limit::WriteBytes => limits.max_fd_write_bytes = most,
            Limit::ArgvBytes => limits.max_process_argv_bytes = most,
            Limit::EnvBytes => limits.max_process_env_bytes = most,
            Limit::ReaddirEntries => limits.max_readdir_entries = most,
        }
    }
    limits
}

pub(super) fn time(time: Time) -> VirtualUtimeSpec {
    match time {
        Time::Set(sec, nsec) => VirtualUtimeSpec::Set(VirtualTimeSpec { sec, nsec }),
        Time::Now => VirtualUtimeSpec::Now,
        Time::Omit => VirtualUtimeSpec::Omit,
    }
}

pub(super) fn error_text(error: &KernelError) -> String {
    let message = error.to_string();
    let quoted = QUOTED.iter().find(|part| message.contains(**part));
    let reason = if message.contains("the program says so") { " with the reason" } else { "" };
    let quoted = quoted.map(|part| format!(" \"{part}\"")).unwrap_or_default();
    format!("Err {}{quoted}{reason}", error.code())
}

pub(super) fn told<T: std::fmt::Debug>(result: Told<T>) -> String {
    match result {
        Ok(value) => format!("Ok {value:?}"),
        Err(error) => error_text(&error),
    }
}

pub(super) fn told_data(result: Told<Option<Vec<u8>>>) -> String {
    match result {
        Ok(None) => "Ok end".to_owned(),
        Ok(Some(data)) => format!("Ok {}", data_text(&data)),
        Err(error) => error_text(&error),
    }
}

pub(super) fn told_stat(result: Told<VirtualStat>) -> String {
    match result {
        Ok(stat) => format!("Ok {}", stat_text(&stat, false)),
        Err(error) => error_text(&error),
    }
}

pub(super) fn process_text(info: &ProcessInfo) -> String {
    let code = info.exit_code.map_or_else(String::new, |code| format!(" {code}"));
    format!(
        "{} of {} {} {} {} {:?}{code} {} {:?} {:?}",
        info.pid,
        info.ppid,
        info.pgid,
        info.sid,
        info.driver,
        info.status,
        info.command,
        (info.identity.uid, info.identity.gid, info.identity.euid, info.identity.egid),
        info.identity.supplementary_gids,
    )
}

/// Times that the program did not set are "now"; those and the links of directories are Linux's.
pub(super) fn stat_text(stat: &VirtualStat, pipe: bool) -> String {
    let time = |ms: u64, nsec: u32| {
        if ms > 10_000_000_000 { "now".to_owned() } else { format!("{ms}+{nsec}") }
    };
    let (atime, mtime) =
        (time(stat.atime_ms, stat.atime_nsec), time(stat.mtime_ms, stat.mtime_nsec));
    let native = stat.dev >= 256;
    // The origin reads the file that it writes to: its access time is that of the write.
    let atime = if mtime == "now" { mtime.clone() } else { atime };
    let times =
        if stat.is_directory && native { String::new() } else { format!(" {atime} {mtime}") };
    let nlink = if stat.is_directory && native { 0 } else { stat.nlink };
    let dev = if native { "tree".to_owned() } else { stat.dev.to_string() };
    // Numbers are given again by us, never by the origin: only the root's is one to compare.
    let ino = if pipe || (native && stat.ino != 1) { 0 } else { stat.ino };
    format!(
        "{:o} size {} blocks {} dev {dev} rdev {:x} {}{} ino {ino} nlink {nlink} {}:{}{times}",
        stat.mode,
        stat.size,
        stat.blocks,
        stat.rdev,
        if stat.is_directory { "d" } else { "" },
        if stat.is_symbolic_link { "l" } else { "" },
        stat.uid,
        stat.gid,
    )
}
