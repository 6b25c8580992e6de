//! `HickoryDnsResolver`: names by way of hickory-resolver, over UDP and TCP (feature `dns`).
//!
//! The calls are synchronous and may come from a thread that runs an executor of its own, where
//! another may not be entered. So each look-up has a thread and a runtime for itself, gone
//! afterwards; nothing global is kept, no answer either.

use super::{
    DnsLookupRequest, DnsRecordLookupRequest, DnsResolver, DnsResolverError, RData, Record,
    RecordType,
};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr;
use hickory_resolver::{Resolver, ResolverBuilder, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How often a server is asked, as hickory-resolver has it: once, and twice again.
const TRIES: u32 = 3;

/// Asks the name servers of the request, or without any those of the system's configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HickoryDnsResolver;

impl HickoryDnsResolver {
    /// The same that gives up when there is no answer after so long: three tries to a server have
    /// room in it. Without it a look-up takes what resolv.conf(5) says, by default 5 s a try.
    pub const fn within(self, limit: Duration) -> TimedDnsResolver {
        TimedDnsResolver { limit }
    }
}

/// [`HickoryDnsResolver::within`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedDnsResolver {
    limit: Duration,
}

impl DnsResolver for HickoryDnsResolver {
    fn lookup_ip(&self, request: &DnsLookupRequest) -> Result<Vec<IpAddr>, DnsResolverError> {
        addresses(request, None)
    }

    fn lookup_records(
        &self,
        request: &DnsRecordLookupRequest,
    ) -> Result<Vec<Record>, DnsResolverError> {
        records(request, None)
    }
}

impl DnsResolver for TimedDnsResolver {
    fn lookup_ip(&self, request: &DnsLookupRequest) -> Result<Vec<IpAddr>, DnsResolverError> {
        addresses(request, Some(self.limit))
    }

    fn lookup_records(
        &self,
        request: &DnsRecordLookupRequest,
    ) -> Result<Vec<Record>, DnsResolverError> {
        records(request, Some(self.limit))
    }
}

fn addresses(
    request: &DnsLookupRequest,
    limit: Option<Duration>,
) -> Result<Vec<IpAddr>, DnsResolverError> {
    let what = format!("address {}", request.hostname());
    look_up(&what, request.name_servers(), limit, async |resolver| {
        Ok(resolver.lookup_ip(request.hostname()).await?.iter().collect())
    })
}

fn records(
    request: &DnsRecordLookupRequest,
    limit: Option<Duration>,
) -> Result<Vec<Record>, DnsResolverError> {
    let record_type = request.record_type();
    let what = format!("{record_type} record {}", request.hostname());
    look_up(&what, request.name_servers(), limit, async |resolver| {
        let asked = rr::RecordType::from(record_type.number());
        let answer = resolver.lookup(request.hostname(), asked).await?;
        Ok(answer.answers().iter().map(record).collect())
    })
}

/// Runs one look-up to its end on a thread of its own.
fn look_up<T: Send>(
    what: &str,
    name_servers: &[SocketAddr],
    limit: Option<Duration>,
    ask: impl AsyncFnOnce(TokioResolver) -> Result<T, NetError> + Send,
) -> Result<T, DnsResolverError> {
    let failed = |why: String| {
        DnsResolverError::lookup_failed(format!("failed to resolve DNS {what}: {why}"))
    };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let asked = async {
            let answer = ask(resolver(name_servers, limit)?);
            match limit {
                None => answer.await,
                Some(limit) => {
                    tokio::time::timeout(limit, answer).await.unwrap_or(Err(NetError::Timeout))
                }
            }
        };
        runtime.block_on(asked).map_err(|error| failed(error.to_string()))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("tickernel-dns".to_owned())
            .spawn_scoped(scope, run)
            .map_err(|error| failed(error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(failed("the resolver panicked".to_owned())))
    })
}

/// The system's resolver, or one of these servers; each try of it has its share of the limit.
fn resolver(
    name_servers: &[SocketAddr],
    limit: Option<Duration>,
) -> Result<TokioResolver, NetError> {
    let mut builder =
        if name_servers.is_empty() { Resolver::builder_tokio()? } else { builder_of(name_servers) };
    if let Some(limit) = limit {
        let options = builder.options_mut();
        options.timeout = options.timeout.min(limit / TRIES);
    }
    builder.build()
}

fn builder_of(name_servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let servers = name_servers.iter().map(|server| {
        let connections =
            [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
        NameServerConfig::new(server.ip(), true, connections.to_vec())
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    // The named servers answer, not this machine's files.
    builder.options_mut().use_hosts_file = ResolveHosts::Never;
    builder
}

fn record(record: &rr::Record) -> Record {
    Record::from_rdata(name(&record.name), record.ttl, data(&record.data))
}

/// A name without the dot at its end, as our names are.
fn name(name: &rr::Name) -> String {
    let text = name.to_string();
    match text.strip_suffix('.') {
        Some(bare) if !bare.is_empty() => bare.to_owned(),
        _ => text,
    }
}

fn data(data: &rr::RData) -> RData {
    match data {
        rr::RData::A(address) => RData::A(address.0),
        rr::RData::AAAA(address) => RData::AAAA(address.0),
        rr::RData::CNAME(other) => RData::CNAME(name(&other.0)),
        rr::RData::NS(server) => RData::NS(name(&server.0)),
        rr::RData::PTR(host) => RData::PTR(name(&host.0)),
        rr::RData::MX(mail) => {
            RData::MX { preference: mail.preference, exchange: name(&mail.exchange) }
        }
        rr::RData::SRV(service) => RData::SRV {
            priority: service.priority,
            weight: service.weight,
            port: service.port,
            target: name(&service.target),
        },
        rr::RData::SOA(zone) => RData::SOA {
            mname: name(&zone.mname),
            rname: name(&zone.rname),
            serial: zone.serial,
            refresh: zone.refresh,
            retry: zone.retry,
            expire: zone.expire,
            minimum: zone.minimum,
        },
        rr::RData::TXT(text) => {
            RData::TXT(text.txt_data.iter().map(|piece| piece.to_vec()).collect())
        }
        other => RData::Other {
            record_type: RecordType::from(u16::from(other.record_type())),
            text: other.to_string(),
        },
    }
}
