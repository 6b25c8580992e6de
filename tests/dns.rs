//! Names of hosts by way of `HickoryDnsResolver` (SEMANTICS.md section 8), asked of servers on this
//! machine: hickory-server with a zone, a server that never answers, and one whose answers have
//! every wrong shape. Nothing is asserted about durations: where an answer is expected the
//! time-outs are the system's, where none is the test waits for the error.

#[path = "dns/hostile.rs"]
mod hostile;
#[path = "dns/recorded.rs"]
mod recorded;
#[path = "dns/server.rs"]
mod server;
#[path = "dns/silent.rs"]
mod silent;
#[path = "dns/zone.rs"]
mod zone;
