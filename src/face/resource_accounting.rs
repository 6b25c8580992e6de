//! Limits and counts of a virtual machine (SEMANTICS.md section 10).
//!
//! The counting is the kernel's. `None` as a limit means none.

use super::error::coded_error;
use super::usage::RootFilesystemResourceLimits;
pub use super::usage::{DEFAULT_MAX_FILESYSTEM_BYTES, DEFAULT_MAX_INODE_COUNT};

/// CPUs that `/proc/cpuinfo` shows.
pub const DEFAULT_VIRTUAL_CPU_COUNT: usize = 1;
/// Processes, ended ones that nobody reaped included.
pub const DEFAULT_MAX_PROCESSES: usize = 256;
/// Descriptors, of a process and of the whole virtual machine.
pub const DEFAULT_MAX_OPEN_FDS: usize = 256;
/// Pipes.
pub const DEFAULT_MAX_PIPES: usize = 128;
/// Pseudo-terminals.
pub const DEFAULT_MAX_PTYS: usize = 128;
/// Sockets.
pub const DEFAULT_MAX_SOCKETS: usize = 256;
/// Connected sockets.
pub const DEFAULT_MAX_CONNECTIONS: usize = 256;
/// Bytes that all sockets together hold.
pub const DEFAULT_MAX_SOCKET_BUFFERED_BYTES: usize = 4 * 1024 * 1024;
/// Datagrams that all sockets together hold.
pub const DEFAULT_MAX_SOCKET_DATAGRAM_QUEUE_LEN: usize = 1_024;
/// How long a read of a pipe or terminal blocks, in ms.
pub const DEFAULT_BLOCKING_READ_TIMEOUT_MS: u64 = 5_000;
/// Bytes of one read of a file.
pub const DEFAULT_MAX_PREAD_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of one write to a descriptor.
pub const DEFAULT_MAX_FD_WRITE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a process's arguments, each with its terminator.
pub const DEFAULT_MAX_PROCESS_ARGV_BYTES: usize = 1024 * 1024;
/// Bytes of a process's environment, each variable with `=` and terminator.
pub const DEFAULT_MAX_PROCESS_ENV_BYTES: usize = 1024 * 1024;
/// Entries of one listing.
pub const DEFAULT_MAX_READDIR_ENTRIES: usize = 4_096;
/// Bytes that `/proc/meminfo` shows as the memory.
pub const DEFAULT_MAX_WASM_MEMORY_BYTES: u64 = 128 * 1024 * 1024;

coded_error! {
    /// Which limit a call would have exceeded.
    ResourceError, pub(crate)
}

/// What a virtual machine holds at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceSnapshot {
    /// Processes that run.
    pub running_processes: usize,
    /// Processes that ended and have not been reaped.
    pub exited_processes: usize,
    /// Processes with descriptors.
    pub fd_tables: usize,
    /// Descriptors of all processes.
    pub open_fds: usize,
    /// Pipes.
    pub pipes: usize,
    /// Bytes in pipes.
    pub pipe_buffered_bytes: usize,
    /// Pseudo-terminals.
    pub ptys: usize,
    /// Bytes on their way to the slaves' readers.
    pub pty_buffered_input_bytes: usize,
    /// Bytes on their way to the masters' readers.
    pub pty_buffered_output_bytes: usize,
    /// Sockets.
    pub sockets: usize,
    /// Sockets that listen.
    pub socket_listeners: usize,
    /// Sockets that are connected.
    pub socket_connections: usize,
    /// Bytes in sockets.
    pub socket_buffered_bytes: usize,
    /// Datagrams in sockets.
    pub socket_datagram_queue_len: usize,
}

/// What a virtual machine may hold at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceLimits {
    /// CPUs that `/proc/cpuinfo` shows.
    pub virtual_cpu_count: Option<usize>,
    /// Processes; beyond it `EAGAIN`.
    pub max_processes: Option<usize>,
    /// Descriptors; beyond it `EMFILE` for a process, `ENFILE` for the virtual machine.
    pub max_open_fds: Option<usize>,
    /// Pipes; beyond it `EAGAIN`.
    pub max_pipes: Option<usize>,
    /// Pseudo-terminals; beyond it `EAGAIN`.
    pub max_ptys: Option<usize>,
    /// Sockets; beyond it `EAGAIN`.
    pub max_sockets: Option<usize>,
    /// Connected sockets; beyond it `EAGAIN`.
    pub max_connections: Option<usize>,
    /// Bytes that all sockets hold; beyond it `EAGAIN`.
    pub max_socket_buffered_bytes: Option<usize>,
    /// Datagrams that all sockets hold; beyond it `EAGAIN`.
    pub max_socket_datagram_queue_len: Option<usize>,
    /// Bytes in the root file system; beyond it `ENOSPC`.
    pub max_filesystem_bytes: Option<u64>,
    /// Inodes in the root file system, the root included; beyond it `ENOSPC`.
    pub max_inode_count: Option<usize>,
    /// How long a read of a pipe or terminal blocks, in ms; after it `EAGAIN`.
    pub max_blocking_read_ms: Option<u64>,
    /// Bytes of one read of a file; beyond it `EINVAL`.
    pub max_pread_bytes: Option<usize>,
    /// Bytes of one write; beyond it `EINVAL`.
    pub max_fd_write_bytes: Option<usize>,
    /// Bytes of arguments; beyond it `EINVAL`.
    pub max_process_argv_bytes: Option<usize>,
    /// Bytes of environment; beyond it `EINVAL`.
    pub max_process_env_bytes: Option<usize>,
    /// Entries of one listing; beyond it `ENOMEM`.
    pub max_readdir_entries: Option<usize>,
    /// Carried for the host, never read.
    pub max_wasm_fuel: Option<u64>,
    /// Bytes that `/proc/meminfo` shows as the memory.
    pub max_wasm_memory_bytes: Option<u64>,
    /// Carried for the host, never read.
    pub max_wasm_stack_bytes: Option<usize>,
}

impl Default for ResourceLimits {
    fn default() -> Self {
        Self {
            virtual_cpu_count: Some(DEFAULT_VIRTUAL_CPU_COUNT),
            max_processes: Some(DEFAULT_MAX_PROCESSES),
            max_open_fds: Some(DEFAULT_MAX_OPEN_FDS),
            max_pipes: Some(DEFAULT_MAX_PIPES),
            max_ptys: Some(DEFAULT_MAX_PTYS),
            max_sockets: Some(DEFAULT_MAX_SOCKETS),
            max_connections: Some(DEFAULT_MAX_CONNECTIONS),
            max_socket_buffered_bytes: Some(DEFAULT_MAX_SOCKET_BUFFERED_BYTES),
            max_socket_datagram_queue_len: Some(DEFAULT_MAX_SOCKET_DATAGRAM_QUEUE_LEN),
            max_filesystem_bytes: Some(DEFAULT_MAX_FILESYSTEM_BYTES),
            max_inode_count: Some(DEFAULT_MAX_INODE_COUNT),
            max_blocking_read_ms: Some(DEFAULT_BLOCKING_READ_TIMEOUT_MS),
            max_pread_bytes: Some(DEFAULT_MAX_PREAD_BYTES),
            max_fd_write_bytes: Some(DEFAULT_MAX_FD_WRITE_BYTES),
            max_process_argv_bytes: Some(DEFAULT_MAX_PROCESS_ARGV_BYTES),
            max_process_env_bytes: Some(DEFAULT_MAX_PROCESS_ENV_BYTES),
            max_readdir_entries: Some(DEFAULT_MAX_READDIR_ENTRIES),
            max_wasm_fuel: None,
            max_wasm_memory_bytes: Some(DEFAULT_MAX_WASM_MEMORY_BYTES),
            max_wasm_stack_bytes: None,
        }
    }
}

impl RootFilesystemResourceLimits for ResourceLimits {
    fn max_filesystem_bytes(&self) -> Option<u64> {
        self.max_filesystem_bytes
    }

    fn max_inode_count(&self) -> Option<usize> {
        self.max_inode_count
    }
}
