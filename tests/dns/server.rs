//! A real DNS server on loopback: hickory-server with one zone, over UDP and TCP.

use hickory_server::Server;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::Name;
use hickory_server::proto::serialize::txt::Parser;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneType};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tickernel::dns::{
    DnsConfig, DnsResolver, DnsResolverError, HickoryDnsResolver, Record, RecordType, resolve_dns,
    resolve_dns_records,
};

/// The zone, as a master file has it (RFC 1035 section 5); `big` is added to it.
const ZONE: &str = "\
$ORIGIN test.
$TTL 300
@ IN SOA ns.test. admin.test. 7 3600 600 86400 60
@ IN NS ns.test.
ns IN A 127.0.0.1
four IN A 10.1.2.3
four IN A 10.1.2.4
six IN AAAA 2001:db8::6
both IN A 10.9.9.9
both IN AAAA 2001:db8::9
alias IN CNAME chain.test.
chain IN CNAME link.test.
link IN CNAME four.test.
nowhere IN CNAME missing.test.
round IN CNAME about.test.
about IN CNAME round.test.
words IN TXT \"first piece\" \"second\"
post IN MX 10 mail.test.
post IN MX 20 backup.test.
_echo._tcp IN SRV 1 2 7007 four.test.
";

/// Pieces of text of 200 bytes at `big`: more than a datagram takes.
pub const BIG: usize = 60;

/// Hickory's catalogue, but for `broken.test`, which it cannot answer.
struct Handler {
    catalog: Catalog,
    asked: Arc<Mutex<Vec<Protocol>>>,
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut handle: R,
    ) -> ResponseInfo {
        self.asked.lock().expect("nobody panics").push(request.protocol());
        let name = request.request_info().map(|info| info.query.name().to_string());
        if name.is_ok_and(|name| name == "broken.test.") {
            let answer = MessageResponseBuilder::from_message_request(request)
                .error_msg(&request.metadata, ResponseCode::ServFail);
            return handle.send_response(answer).await.expect("it is sent");
        }
        self.catalog.handle_request::<R, T>(request, handle).await
    }
}

/// The server; it ends with its owner.
pub struct Zone {
    pub at: SocketAddr,
    asked: Arc<Mutex<Vec<Protocol>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A UDP and a TCP socket with one port.
pub fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("its address")) {
            udp.set_nonblocking(true).expect("a flag");
            tcp.set_nonblocking(true).expect("a flag");
            return (udp, tcp);
        }
    }
    panic!("no port is free for both");
}

fn catalog() -> Catalog {
    let piece = "x".repeat(200);
    let big: String = (0..BIG).map(|at| format!("big IN TXT \"{at:03} {piece}\"\n")).collect();
    let origin = Name::from_ascii("test.").expect("a name");
    let parser = Parser::new(format!("{ZONE}{big}"), None, Some(origin.clone()));
    let (_, records) = parser.parse().expect("a zone");
    let (kind, policy) = (ZoneType::Primary, AxfrPolicy::Deny);
    let zone = InMemoryZoneHandler::<TokioRuntimeProvider>::new(origin, records, kind, policy);
    let mut catalog = Catalog::new();
    let origin = Name::from_ascii("test.").expect("a name");
    catalog.upsert(origin.into(), vec![Arc::new(zone.expect("with its SOA"))]);
    catalog
}

impl Zone {
    pub fn start() -> Self {
        let (udp, tcp) = sockets();
        let at = udp.local_addr().expect("its address");
        let asked = Arc::<Mutex<Vec<Protocol>>>::default();
        let handler = Handler { catalog: catalog(), asked: Arc::clone(&asked) };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut server = Server::new(handler);
                server.register_socket(udp.try_into().expect("a socket"));
                let tcp = tcp.try_into().expect("a listener");
                server.register_listener(tcp, Duration::from_secs(60), 32);
                // Its owner is gone either way.
                let _ = stopped.await;
                server.shutdown_gracefully().await.expect("it ends");
            });
        });
        Self { at, asked, stop: Some(stop), thread: Some(thread) }
    }

    /// Whether a request came that way.
    pub fn was_asked_over(&self, protocol: Protocol) -> bool {
        self.asked.lock().expect("nobody panics").contains(&protocol)
    }

    pub fn config(&self) -> DnsConfig {
        config(self.at)
    }

    /// The addresses of a name, as text.
    pub fn addresses(&self, name: &str) -> Result<Vec<String>, DnsResolverError> {
        addresses(&self.config(), &HickoryDnsResolver, name)
    }

    pub fn records(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, DnsResolverError> {
        let found = resolve_dns_records(&self.config(), &HickoryDnsResolver, name, kind)?;
        Ok(found.records().to_vec())
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        // A thread that has ended hears nothing.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let joined = self.thread.take().map(JoinHandle::join);
        assert!(joined.is_none_or(|joined| joined.is_ok()) || std::thread::panicking());
    }
}

/// One name server.
pub fn config(at: SocketAddr) -> DnsConfig {
    DnsConfig { name_servers: vec![at], ..DnsConfig::default() }
}

/// The addresses of a name, as text, in order.
pub fn addresses(
    config: &DnsConfig,
    resolver: &dyn DnsResolver,
    name: &str,
) -> Result<Vec<String>, DnsResolverError> {
    let found = resolve_dns(config, resolver, name)?;
    let mut all: Vec<String> = found.addresses().iter().map(ToString::to_string).collect();
    // Servers and resolvers turn them round.
    all.sort();
    Ok(all)
}
