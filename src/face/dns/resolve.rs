//! The order of answers: the name itself, the overrides, the resolver.

use super::{
    DnsConfig, DnsLookupRequest, DnsRecordLookupRequest, DnsRecordResolution, DnsResolution,
    DnsResolutionSource, DnsResolver, DnsResolverError, RData, Record, RecordType,
};
use std::net::IpAddr;

/// How long records of literals and overrides may be kept, in seconds.
const OWN_TTL_S: u32 = 60;

/// A name without spaces around it and dots at its end, in lower case. `InvalidInput` when nothing
/// is left.
pub fn normalize_dns_hostname(hostname: &str) -> Result<String, DnsResolverError> {
    let name = hostname.trim().trim_end_matches('.').to_ascii_lowercase();
    if name.is_empty() {
        return Err(DnsResolverError::invalid_input("DNS hostname must not be empty"));
    }
    Ok(name)
}

/// What policies are asked about: `dns://NAME`, an address in its canonical form.
pub fn format_dns_resource(hostname: &str) -> Result<String, DnsResolverError> {
    Ok(format!("dns://{}", known(None, hostname)?.0))
}

/// A name, normalised, and the addresses that are known without asking.
type Known = (String, Option<(DnsResolutionSource, Vec<IpAddr>)>);

fn known(config: Option<&DnsConfig>, hostname: &str) -> Result<Known, DnsResolverError> {
    // Before the dots are gone: `127.0.0.1.` is a name, not an address.
    if let Ok(address) = hostname.trim().parse::<IpAddr>() {
        let own = (DnsResolutionSource::Literal, vec![address]);
        return Ok((address.to_string(), Some(own)));
    }
    let name = normalize_dns_hostname(hostname)?;
    let listed = config.and_then(|config| config.overrides.get(&name));
    let own = listed.map(|addresses| (DnsResolutionSource::Override, addresses.clone()));
    Ok((name, own))
}

/// The addresses of a name. The resolver is asked about what is neither an address nor overridden;
/// its answer loses doubles and keeps its order. `LookupFailed` when it is empty.
pub fn resolve_dns(
    config: &DnsConfig,
    resolver: &dyn DnsResolver,
    hostname: &str,
) -> Result<DnsResolution, DnsResolverError> {
    let (name, own) = known(Some(config), hostname)?;
    if let Some((source, addresses)) = own {
        return Ok(DnsResolution::new(name, source, addresses));
    }
    let request = DnsLookupRequest::new(name.as_str(), config.name_servers.clone());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in resolver.lookup_ip(&request)? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let message = format!("failed to resolve DNS address {name}");
        return Err(DnsResolverError::lookup_failed(message));
    }
    Ok(DnsResolution::new(name, DnsResolutionSource::Resolver, addresses))
}

/// The records of a name. An address or an override answers for A, AAAA and ANY; when it has none
/// of the type, and for all other types, the resolver is asked. `LookupFailed` when there is none.
pub fn resolve_dns_records(
    config: &DnsConfig,
    resolver: &dyn DnsResolver,
    hostname: &str,
    record_type: RecordType,
) -> Result<DnsRecordResolution, DnsResolverError> {
    let (name, own) = known(Some(config), hostname)?;
    if let Some((source, addresses)) = own {
        let records: Vec<Record> = addresses
            .into_iter()
            .map(|address| Record::from_rdata(name.as_str(), OWN_TTL_S, RData::from(address)))
            .filter(|record| record_type == RecordType::ANY || record.record_type() == record_type)
            .collect();
        if !records.is_empty() {
            return Ok(DnsRecordResolution::new(name, source, records));
        }
    }
    let servers = config.name_servers.clone();
    let request = DnsRecordLookupRequest::new(name.as_str(), servers, record_type);
    let records = resolver.lookup_records(&request)?;
    if records.is_empty() {
        let message = format!("failed to resolve DNS {record_type} record {name}");
        return Err(DnsResolverError::lookup_failed(message));
    }
    Ok(DnsRecordResolution::new(name, DnsResolutionSource::Resolver, records))
}
