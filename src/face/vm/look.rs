//! What there is to see of a machine: processes, counts, limits.

use super::KernelVm;
use crate::face::permissions::Permissions;
use crate::face::process_table::{ProcessInfo, ProcessStatus};
use crate::face::resource_accounting::{ResourceLimits, ResourceSnapshot};
use crate::face::vfs::VirtualFileSystem;
use std::collections::{BTreeMap, BTreeSet};
use tickernel_systems::ProcessState;

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// Every process, zombies too.
    pub fn list_processes(&self) -> BTreeMap<u32, ProcessInfo> {
        let core = self.machine.look();
        let identity = self.user.identity();
        let info = |row: tickernel_systems::FaceProcess| ProcessInfo {
            pid: row.pid,
            ppid: row.ppid,
            pgid: row.pgid,
            sid: row.sid,
            driver: row.driver,
            command: row.command,
            status: match row.state {
                ProcessState::Zombie => ProcessStatus::Exited,
                ProcessState::Stopped => ProcessStatus::Stopped,
                ProcessState::Running | ProcessState::Blocked => ProcessStatus::Running,
            },
            exit_code: row.exit_code,
            identity: identity.clone(),
        };
        core.kernel.face_processes().into_iter().map(|row| (row.pid, info(row))).collect()
    }

    /// What the machine holds, counted as it changes.
    pub fn resource_snapshot(&self) -> ResourceSnapshot {
        let counts = self.machine.look().kernel.face_counts();
        ResourceSnapshot {
            running_processes: counts.running as usize,
            exited_processes: counts.exited as usize,
            fd_tables: counts.fd_tables as usize,
            open_fds: counts.open_fds as usize,
            pipes: counts.pipes as usize,
            pipe_buffered_bytes: counts.pipe_bytes as usize,
            ptys: counts.ptys as usize,
            pty_buffered_input_bytes: counts.pty_bytes[0] as usize,
            pty_buffered_output_bytes: counts.pty_bytes[1] as usize,
            sockets: counts.sockets as usize,
            socket_listeners: counts.of_sockets.listeners as usize,
            socket_connections: counts.of_sockets.connections as usize,
            socket_buffered_bytes: counts.of_sockets.buffered_bytes as usize,
            socket_datagram_queue_len: counts.of_sockets.datagrams as usize,
        }
    }

    /// The machine's limits.
    pub fn resource_limits(&self) -> &ResourceLimits {
        &self.config.resources
    }

    /// Other permissions from now on, for every clone of the machine. Called by a callback they
    /// hold from its next question on. What another clone's [`KernelVm::filesystem`] asks stays as
    /// it was.
    pub fn set_permissions(&mut self, permissions: Permissions) {
        self.machine.set_permissions(permissions.clone());
        self.filesystem.set_permissions(permissions.clone());
        self.config.permissions = permissions;
    }

    /// Ports that may be connected to without being bound inside, from now on.
    pub fn set_loopback_exempt_ports(&mut self, ports: BTreeSet<u16>) {
        self.config.loopback_exempt_ports = ports;
    }

    /// More of them.
    pub fn extend_loopback_exempt_ports(&mut self, ports: impl IntoIterator<Item = u16>) {
        self.config.loopback_exempt_ports.extend(ports);
    }
}
