//! Section 8, through a machine: who may ask for a name, and who is asked.

use crate::support::{code, says, vm_with};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tickernel::dns::{
    DnsLookupPolicy, DnsLookupRequest, DnsRecordLookupRequest, DnsResolutionSource, DnsResolver,
    DnsResolverError, RData, Record, RecordType,
};
use tickernel::kernel::KernelVmConfig;
use tickernel::permissions::{NetworkAccessRequest, PermissionDecision};

/// A resolver that knows one name and counts how often it is asked.
#[derive(Default)]
struct Known(AtomicUsize);

impl DnsResolver for Known {
    fn lookup_ip(&self, request: &DnsLookupRequest) -> Result<Vec<IpAddr>, DnsResolverError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match request.hostname() {
            "known.test" => Ok(vec!["192.0.2.1".parse().unwrap(); 2]),
            "empty.test" => Ok(Vec::new()),
            name => Err(DnsResolverError::lookup_failed(name)),
        }
    }

    fn lookup_records(
        &self,
        request: &DnsRecordLookupRequest,
    ) -> Result<Vec<Record>, DnsResolverError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let text = RData::TXT(vec![b"hello".to_vec()]);
        Ok(vec![Record::from_rdata(request.hostname(), 5, text)])
    }
}

fn with_resolver(config: &mut KernelVmConfig) -> Arc<Known> {
    let known = Arc::new(Known::default());
    let shared = Arc::clone(&known);
    config.dns_resolver = shared;
    config.dns.overrides.insert("over.test".to_owned(), vec!["10.0.0.7".parse().unwrap()]);
    known
}

#[test]
fn names_are_looked_up_in_the_contract_s_order() {
    let mut known = None;
    let vm = vm_with(|config| known = Some(with_resolver(config)));
    let asked = || known.as_ref().unwrap().0.load(Ordering::Relaxed);
    let skip = DnsLookupPolicy::SkipPermissions;
    for (name, source, address) in [
        (" 127.0.0.1 ", DnsResolutionSource::Literal, "127.0.0.1"),
        ("OVER.test.", DnsResolutionSource::Override, "10.0.0.7"),
    ] {
        let found = vm.resolve_dns(name, skip).unwrap();
        assert_eq!((found.source(), found.addresses()), (source, &[address.parse().unwrap()][..]));
    }
    assert_eq!(asked(), 0);
    let found = vm.resolve_dns("known.test", skip).unwrap();
    assert_eq!(found.addresses().len(), 1, "each address once");
    assert_eq!(asked(), 1);
    assert_eq!(code(vm.resolve_dns("empty.test", skip)), "EHOSTUNREACH");
    assert_eq!(code(vm.resolve_dns("unknown.test", skip)), "EHOSTUNREACH");
    assert_eq!(code(vm.resolve_dns(" . ", skip)), "EINVAL");
    let records = vm.resolve_dns_records("over.test", RecordType::A, skip).unwrap();
    assert_eq!(records.source(), DnsResolutionSource::Override);
    let records = vm.resolve_dns_records("over.test", RecordType::TXT, skip).unwrap();
    assert_eq!((records.source(), records.records().len()), (DnsResolutionSource::Resolver, 1));
}

#[test]
fn the_policy_is_asked_first() {
    let resources: Arc<Mutex<Vec<String>>> = Arc::default();
    let own = Arc::clone(&resources);
    let mut known = None;
    let vm = vm_with(|config| {
        known = Some(with_resolver(config));
        config.permissions.network = Some(Arc::new(move |request: &NetworkAccessRequest| {
            own.lock().unwrap().push(format!("{:?} {}", request.op, request.resource));
            match request.resource.contains("known") {
                true => PermissionDecision::deny("not this one"),
                false => PermissionDecision::allow(),
            }
        }));
    });
    let check = DnsLookupPolicy::CheckPermissions;
    says(vm.resolve_dns("Known.Test.", check), "EACCES", "dns://known.test");
    says(vm.resolve_dns("Known.Test.", check), "EACCES", "not this one");
    assert_eq!(known.unwrap().0.load(Ordering::Relaxed), 0, "the resolver is untouched");
    vm.resolve_dns("0:0::1", check).unwrap();
    assert_eq!(resources.lock().unwrap().last().unwrap(), "Dns dns://::1", "canonical");
    let asked = resources.lock().unwrap().len();
    vm.resolve_dns("known.test", DnsLookupPolicy::SkipPermissions).unwrap();
    assert_eq!(resources.lock().unwrap().len(), asked);
}

#[test]
fn nobody_asks_a_machine_without_a_policy_or_without_life() {
    let mut vm = vm_with(|config| {
        with_resolver(config);
        config.permissions.network = None;
    });
    let check = DnsLookupPolicy::CheckPermissions;
    assert_eq!(code(vm.resolve_dns("known.test", check)), "EACCES");
    vm.dispose().unwrap();
    assert_eq!(code(vm.resolve_dns("127.0.0.1", DnsLookupPolicy::SkipPermissions)), "EINVAL");
}
