//! Names of hosts (SEMANTICS.md, section 8): who may ask is asked here, what is found is
//! `face/dns`'s. The resolver is the user's or the host's, so that nothing of it is the kernel's;
//! its answers stand in the recording for who reads that.

use super::{KernelVm, open};
use crate::face::dns::{
    self, DnsLookupPolicy, DnsRecordResolution, DnsResolution, DnsResolutionSource, RecordType,
};
use crate::face::error::KernelResult;
use crate::face::permissions::{NetworkOperation, check_network_access};
use crate::face::vfs::VirtualFileSystem;
use tickernel_systems::event::Call;

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// The addresses of a name: its own, the overrides', the resolver's.
    ///
    /// # Errors
    /// `EACCES` if the policy refuses `dns://NAME`; `EINVAL` for no name; `EHOSTUNREACH` without an
    /// answer.
    pub fn resolve_dns(
        &self,
        hostname: &str,
        policy: DnsLookupPolicy,
    ) -> KernelResult<DnsResolution> {
        self.may_resolve(hostname, policy)?;
        let config = &self.config;
        let found = dns::resolve_dns(&config.dns, config.dns_resolver.as_ref(), hostname)?;
        let answers = found.addresses().iter().map(ToString::to_string).collect();
        self.note_resolved(found.hostname(), "address", found.source(), answers)?;
        Ok(found)
    }

    /// The records of a name.
    ///
    /// # Errors
    /// Those of [`KernelVm::resolve_dns`].
    pub fn resolve_dns_records(
        &self,
        hostname: &str,
        record_type: RecordType,
        policy: DnsLookupPolicy,
    ) -> KernelResult<DnsRecordResolution> {
        self.may_resolve(hostname, policy)?;
        let config = &self.config;
        let resolver = config.dns_resolver.as_ref();
        let found = dns::resolve_dns_records(&config.dns, resolver, hostname, record_type)?;
        let answers = found.records().iter().map(ToString::to_string).collect();
        let kind = record_type.to_string();
        self.note_resolved(found.hostname(), &kind, found.source(), answers)?;
        Ok(found)
    }

    fn may_resolve(&self, hostname: &str, policy: DnsLookupPolicy) -> KernelResult<()> {
        drop(open(&self.machine)?);
        match policy {
            DnsLookupPolicy::SkipPermissions => Ok(()),
            DnsLookupPolicy::CheckPermissions => {
                let resource = dns::format_dns_resource(hostname)?;
                let permissions = self.machine.permissions();
                let (vm_id, operation) = (&self.config.vm_id, NetworkOperation::Dns);
                Ok(check_network_access(vm_id, &permissions, operation, &resource)?)
            }
        }
    }

    fn note_resolved(
        &self,
        name: &str,
        kind: &str,
        source: DnsResolutionSource,
        answers: Vec<String>,
    ) -> KernelResult<()> {
        let mut core = open(&self.machine)?;
        core.catch_up();
        core.call(
            0,
            &Call::FaceResolved {
                name: name.as_bytes(),
                kind: kind.as_bytes(),
                source: source.as_str().as_bytes(),
                answers: answers.iter().map(|answer| answer.as_bytes()).collect(),
            },
        );
        Ok(())
    }
}
