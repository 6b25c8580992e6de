//! Answers of a real server stand in a recording, which is replayed when the server is gone.

use crate::server::Zone;
use tickernel::dns::{DnsLookupPolicy, DnsResolutionSource, RecordType};
use tickernel::import::Imported;
use tickernel::json::convert::to_twin;
use tickernel::kernel::{KernelVm, KernelVmConfig};
use tickernel::permissions::Permissions;
use tickernel::record::TraceBuffer;
use tickernel::replay::{Options, replay};
use tickernel::trace::TraceReader;
use tickernel::vfs::MemoryFileSystem;

#[test]
fn answers_are_recorded_and_replayed_without_the_server() {
    let (zone, trace) = (Zone::start(), TraceBuffer::default());
    let mut config = KernelVmConfig::new("dns");
    config.permissions = Permissions::allow_all();
    config.dns = zone.config();
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
    vm.record_to(trace.clone()).expect("in memory");
    let check = DnsLookupPolicy::CheckPermissions;
    let found = vm.resolve_dns("alias.test", check).expect("two addresses");
    assert_eq!((found.source(), found.addresses().len()), (DnsResolutionSource::Resolver, 2));
    for (name, kind) in [
        ("post.test", RecordType::MX),
        ("words.test", RecordType::TXT),
        ("big.test", RecordType::TXT),
        ("_echo._tcp.test", RecordType::SRV),
    ] {
        vm.resolve_dns_records(name, kind, check).expect("it is in the zone");
    }
    let error = vm.resolve_dns("missing.test", check).expect_err("it is not");
    assert_eq!(error.code(), "EHOSTUNREACH");
    vm.finish_recording().expect("in memory");
    let digest = format!("{:016x}", vm.digest());
    drop((vm, zone));

    let mut twin = Vec::new();
    let bytes = trace.bytes();
    let mut reader = TraceReader::new(bytes.as_slice()).expect("a trace");
    to_twin(&mut reader, &mut twin).expect("a whole one");
    let text = String::from_utf8(twin).expect("text");
    for wanted in ["alias.test", "10.1.2.3", "10.1.2.4", "mail.test", "first piece", "7007"] {
        assert!(text.contains(wanted), "nothing of {wanted}");
    }
    let replayed = replay(Imported::of_trace(bytes), &mut Options::default()).expect("a trace");
    assert!(replayed.report.first_mismatch.is_none());
    assert_eq!(replayed.report.digest, digest);
}
