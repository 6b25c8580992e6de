//! Names of hosts: literals, overrides, then a resolver of the host's (SEMANTICS.md section 8).
//!
//! Record types are our own and small, the same with and without the feature `dns`; with it there
//! is `HickoryDnsResolver`, which asks the system's or the configured name servers.

#[cfg(feature = "dns")]
mod hickory;
mod record;
mod resolve;

#[cfg(feature = "dns")]
pub use hickory::{HickoryDnsResolver, TimedDnsResolver};
pub use record::{RData, Record, RecordType};
pub use resolve::{format_dns_resource, normalize_dns_hostname, resolve_dns, resolve_dns_records};

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// How a virtual machine resolves names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// The servers to ask; without any the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Addresses by name, which no resolver is asked about. Names as [`normalize_dns_hostname`]
    /// gives them.
    pub overrides: BTreeMap<String, Vec<IpAddr>>,
}

/// Whether the policy is asked about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsLookupPolicy {
    /// It is, before anything else.
    CheckPermissions,
    /// It is not.
    SkipPermissions,
}

/// A question for addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsLookupRequest {
    hostname: String,
    name_servers: Vec<SocketAddr>,
}

impl DnsLookupRequest {
    /// A question to these servers, or with none to the system's.
    pub fn new(hostname: impl Into<String>, name_servers: Vec<SocketAddr>) -> Self {
        Self { hostname: hostname.into(), name_servers }
    }

    /// The name, normalised.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The servers to ask.
    pub fn name_servers(&self) -> &[SocketAddr] {
        &self.name_servers
    }
}

/// A question for records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecordLookupRequest {
    hostname: String,
    name_servers: Vec<SocketAddr>,
    record_type: RecordType,
}

impl DnsRecordLookupRequest {
    /// A question to these servers, or with none to the system's.
    pub fn new(
        hostname: impl Into<String>,
        name_servers: Vec<SocketAddr>,
        record_type: RecordType,
    ) -> Self {
        Self { hostname: hostname.into(), name_servers, record_type }
    }

    /// The name, normalised.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The servers to ask.
    pub fn name_servers(&self) -> &[SocketAddr] {
        &self.name_servers
    }

    /// Which records.
    pub const fn record_type(&self) -> RecordType {
        self.record_type
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsResolutionSource {
    /// The name is an address.
    Literal,
    /// The configuration.
    Override,
    /// The resolver.
    Resolver,
}

impl DnsResolutionSource {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Override => "override",
            Self::Resolver => "resolver",
        }
    }
}

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsResolution {
    hostname: String,
    source: DnsResolutionSource,
    addresses: Vec<IpAddr>,
}

impl DnsResolution {
    /// An answer.
    pub fn new(
        hostname: impl Into<String>,
        source: DnsResolutionSource,
        addresses: Vec<IpAddr>,
    ) -> Self {
        Self { hostname: hostname.into(), source, addresses }
    }

    /// The name, normalised; of a literal its canonical form.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Who answered.
    pub const fn source(&self) -> DnsResolutionSource {
        self.source
    }

    /// The addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

/// The records of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecordResolution {
    hostname: String,
    source: DnsResolutionSource,
    records: Vec<Record>,
}

impl DnsRecordResolution {
    /// An answer.
    pub fn new(
        hostname: impl Into<String>,
        source: DnsResolutionSource,
        records: Vec<Record>,
    ) -> Self {
        Self { hostname: hostname.into(), source, records }
    }

    /// The name, normalised; of a literal its canonical form.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Who answered.
    pub const fn source(&self) -> DnsResolutionSource {
        self.source
    }

    /// The records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsResolverErrorKind {
    /// The name is none; the kernel says `EINVAL`.
    InvalidInput,
    /// Nobody knows it, or nobody answered; the kernel says `EHOSTUNREACH`.
    LookupFailed,
}

/// Why there is no answer, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsResolverError {
    kind: DnsResolverErrorKind,
    message: String,
}

impl DnsResolverError {
    /// The name is none.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self { kind: DnsResolverErrorKind::InvalidInput, message: message.into() }
    }

    /// Nobody knows it, or nobody answered.
    pub fn lookup_failed(message: impl Into<String>) -> Self {
        Self { kind: DnsResolverErrorKind::LookupFailed, message: message.into() }
    }

    /// Which of the two.
    pub const fn kind(&self) -> DnsResolverErrorKind {
        self.kind
    }
}

impl fmt::Display for DnsResolverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for DnsResolverError {}

/// Asks the world about names.
pub trait DnsResolver {
    /// The addresses of a name.
    fn lookup_ip(&self, request: &DnsLookupRequest) -> Result<Vec<IpAddr>, DnsResolverError>;

    /// The records of a name.
    fn lookup_records(
        &self,
        request: &DnsRecordLookupRequest,
    ) -> Result<Vec<Record>, DnsResolverError>;
}

/// A resolver for many.
pub type SharedDnsResolver = Arc<dyn DnsResolver + Send + Sync>;

/// The resolver that a virtual machine has when none is named: the system's, or without the feature
/// `dns` none.
pub(crate) fn system_resolver() -> SharedDnsResolver {
    #[cfg(feature = "dns")]
    return Arc::new(HickoryDnsResolver);
    #[cfg(not(feature = "dns"))]
    return Arc::new(NoResolver);
}

/// Answers nothing; literals and overrides never reach it.
#[cfg(not(feature = "dns"))]
#[derive(Debug)]
struct NoResolver;

#[cfg(not(feature = "dns"))]
impl NoResolver {
    fn refuse<T>(hostname: &str) -> Result<T, DnsResolverError> {
        Err(DnsResolverError::lookup_failed(format!(
            "failed to resolve DNS address {hostname}: built without the feature `dns`; name a \
             resolver or an override"
        )))
    }
}

#[cfg(not(feature = "dns"))]
impl DnsResolver for NoResolver {
    fn lookup_ip(&self, request: &DnsLookupRequest) -> Result<Vec<IpAddr>, DnsResolverError> {
        Self::refuse(request.hostname())
    }

    fn lookup_records(
        &self,
        request: &DnsRecordLookupRequest,
    ) -> Result<Vec<Record>, DnsResolverError> {
        Self::refuse(request.hostname())
    }
}
