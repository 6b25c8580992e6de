//! What a virtual machine is made of.

use crate::face::dns::{DnsConfig, SharedDnsResolver, system_resolver};
use crate::face::machine::FaceClock;
use crate::face::permissions::Permissions;
use crate::face::resource_accounting::ResourceLimits;
use crate::face::user::{UserConfig, UserManager};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use tickernel_systems::{Config, FaceConfig, FaceLimits, Profile};

/// How long a zombie without a living parent stays.
const DEFAULT_ZOMBIE_TTL: Duration = Duration::from_secs(60);
/// The working directory of processes that name none.
const DEFAULT_CWD: &str = "/workspace";
/// Where a virtual clock starts, in ns since 1970.
const VIRTUAL_START_NS: u64 = 1_000_000_000_000_000_000;

/// What a virtual machine is made of.
#[derive(Clone)]
pub struct KernelVmConfig {
    /// Its name, as the callbacks see it.
    pub vm_id: String,
    /// The environment of every process, under what it is given itself.
    pub env: BTreeMap<String, String>,
    /// The working directory of processes that name none.
    pub cwd: String,
    /// The one user.
    pub user: UserConfig,
    /// What may be done; nothing at first.
    pub permissions: Permissions,
    /// Ports that may be connected to without being bound inside.
    pub loopback_exempt_ports: BTreeSet<u16>,
    /// Name servers and overrides.
    pub dns: DnsConfig,
    /// Who resolves names.
    pub dns_resolver: SharedDnsResolver,
    /// Limits.
    pub resources: ResourceLimits,
    /// How long a zombie without a living parent stays.
    pub zombie_ttl: Duration,
    /// Whose rules hold where Linux and the contract differ.
    pub profile: Profile,
    /// The host's clock, or one that jumps.
    pub clock: FaceClock,
    /// The seed of random bytes; without it one is drawn from the host's entropy, and stands in the
    /// header of a recording. With it (and a virtual clock) the same calls give the same trace;
    /// files that were there before the machine keep the host's times.
    pub seed: Option<u64>,
}

impl fmt::Debug for KernelVmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelVmConfig")
            .field("vm_id", &self.vm_id)
            .field("permissions", &self.permissions)
            .field("resources", &self.resources)
            .field("profile", &self.profile)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl KernelVmConfig {
    /// The defaults of the contract: everything is denied until permissions are given.
    pub fn new(vm_id: impl Into<String>) -> Self {
        Self {
            vm_id: vm_id.into(),
            env: BTreeMap::new(),
            cwd: DEFAULT_CWD.to_owned(),
            user: UserConfig::default(),
            permissions: Permissions::default(),
            loopback_exempt_ports: BTreeSet::new(),
            dns: DnsConfig::default(),
            dns_resolver: system_resolver(),
            resources: ResourceLimits::default(),
            zombie_ttl: DEFAULT_ZOMBIE_TTL,
            profile: Profile::SecureExec,
            clock: FaceClock::Real,
            seed: None,
        }
    }

    /// Where the clock starts.
    pub(super) fn start_ns(&self) -> u64 {
        match self.clock {
            FaceClock::Real => crate::clock::wall_ms().saturating_mul(1_000_000),
            FaceClock::Virtual => VIRTUAL_START_NS,
        }
    }

    /// The same with a seed for sure.
    pub(super) fn seeded(mut self) -> Self {
        // A host without entropy has no random bytes to give: then they follow from the clock.
        self.seed
            .get_or_insert_with(|| getrandom::u64().unwrap_or_else(|_| crate::clock::wall_ms()));
        self
    }

    /// The core's configuration.
    pub(crate) fn core_config(&self, foreign_root: bool, start_ns: u64) -> Config {
        let user = UserManager::from_config(self.user.clone());
        let (file_policy, command_policy) = self.permissions.policies();
        Config {
            profile: self.profile,
            seed: self.seed.unwrap_or(0),
            start_ns,
            face: FaceConfig {
                present: true,
                ids: [user.uid, user.euid, user.gid, user.egid],
                groups: user.supplementary_gids,
                limits: limits(&self.resources),
                zombie_ttl_ns: u64::try_from(self.zombie_ttl.as_nanos()).unwrap_or(u64::MAX),
                foreign_root,
                file_policy,
                command_policy,
            },
            ..Config::default()
        }
    }
}

fn limits(resources: &ResourceLimits) -> FaceLimits {
    let count = |limit: Option<usize>| limit.map_or(u64::MAX, |limit| limit as u64);
    FaceLimits {
        max_processes: count(resources.max_processes),
        max_open_fds: count(resources.max_open_fds),
        max_pipes: count(resources.max_pipes),
        max_filesystem_bytes: resources.max_filesystem_bytes.unwrap_or(u64::MAX),
        max_inode_count: count(resources.max_inode_count),
        max_blocking_read_ms: resources.max_blocking_read_ms.unwrap_or(u64::MAX),
        max_pread_bytes: count(resources.max_pread_bytes),
        max_fd_write_bytes: count(resources.max_fd_write_bytes),
        max_process_argv_bytes: count(resources.max_process_argv_bytes),
        max_process_env_bytes: count(resources.max_process_env_bytes),
        max_readdir_entries: count(resources.max_readdir_entries),
        max_ptys: count(resources.max_ptys),
        max_sockets: count(resources.max_sockets),
        max_connections: count(resources.max_connections),
        max_socket_buffered_bytes: count(resources.max_socket_buffered_bytes),
        max_socket_datagram_queue_len: count(resources.max_socket_datagram_queue_len),
        virtual_cpu_count: count(resources.virtual_cpu_count),
        max_wasm_memory_bytes: resources.max_wasm_memory_bytes.unwrap_or(u64::MAX),
    }
}
