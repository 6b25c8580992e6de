//! TCP_INFO beside Linux, number by number: those that are alike on every machine.

use super::internet::stream_to;
use super::words::*;
use crate::beside::Program;
use crate::host::Host;
use crate::ours::our_kernel;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

/// A number of `struct tcp_info`: its name, its place and its size.
type Number = (&'static str, usize, usize);

/// Those that are always compared. Not among them, each with the reason:
/// - `snd_wscale`, `rcv_wscale`: `net.ipv4.tcp_rmem` of the machine decides;
/// - `delivery_rate_app_limited`, `rto`, `ato`, `rtt`, `rttvar`, `rcv_rtt`, `last_*`: how long
///   something took.
const ALWAYS: [Number; 15] = [
    ("state", 0, 1),
    ("ca_state", 1, 1),
    ("retransmits", 2, 1),
    ("probes", 3, 1),
    ("backoff", 4, 1),
    ("options", 5, 1),
    ("unacked", 24, 4),
    ("sacked", 28, 4),
    ("lost", 32, 4),
    ("retrans", 36, 4),
    ("pmtu", 60, 4),
    ("snd_ssthresh", 76, 4),
    ("advmss", 84, 4),
    ("reordering", 88, 4),
    ("total_retrans", 100, 4),
];
/// Those that change with every byte in ways that are not modelled: compared before the first.
const BEFORE_DATA: [Number; 5] = [
    ("snd_mss", 16, 4),
    ("rcv_mss", 20, 4),
    ("rcv_ssthresh", 64, 4),
    ("snd_cwnd", 80, 4),
    ("rcv_space", 96, 4),
];
/// Milliseconds that pass before a look at Linux: it acknowledges the end of a stream up to 40 ms
/// later.
const WAITS_MS: [u64; 4] = [0, 10, 50, 100];

fn ask(fd: i64) -> Value {
    let fields = json!({"sockfd": fd, "level": "SOL_TCP", "optname": "TCP_INFO", "optlen": 104});
    call("getsockopt", fields).remove(0)
}

fn bytes(lines: &[Value]) -> Vec<u8> {
    let Some(value) = lines.first().and_then(|line| line.get("optval")) else {
        panic!("no TCP_INFO: {lines:?}");
    };
    match value.get("text_b64").and_then(Value::as_str) {
        Some(text) => BASE64_STANDARD.decode(text).expect("base64"),
        None => value["text"].as_str().expect("a text").as_bytes().to_vec(),
    }
}

fn differences(ours: &[u8], linux: &[u8], numbers: &[Number]) -> Vec<String> {
    let number = |bytes: &[u8], at: usize, size: usize| {
        bytes[at..at + size].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let differs = |(name, at, size): &Number| {
        let (left, right) = (number(ours, *at, *size), number(linux, *at, *size));
        (left != right).then(|| format!("{name}: tickernel {left}, Linux {right}"))
    };
    numbers.iter().filter_map(differs).collect()
}

/// Requests that succeed, and the sockets that are looked at then; whether bytes have gone.
fn steps(family: &str, at: u16) -> Vec<(Program, Vec<i64>, bool)> {
    let to = || stream_to(family, at);
    vec![
        (socket(family, "SOCK_STREAM"), vec![3], false),
        (all([bind(3, to()), listen(3, 5)]), vec![3], false),
        (all([socket(family, "SOCK_STREAM"), connect(4, to())]), vec![3, 4], false),
        (accept(3), vec![3, 4, 5], false),
        (write(4, "x"), vec![4, 5], true),
        (shutdown(4, "SHUT_WR"), vec![4, 5], true),
        (shutdown(5, "SHUT_WR"), vec![5], true),
    ]
}

fn compare(family: &str, at: u16, host: &mut Host) {
    let mut drive = our_kernel();
    host.ask(r#"{"op":"reset"}"#);
    for (program, sockets, has_data) in steps(family, at) {
        for request in &program {
            let line = drive.answer(request.to_string().as_bytes()).remove(0);
            assert!(line.contains_key("ok"), "{request}: {line:?}");
            host.ask(&request.to_string());
        }
        for fd in sockets {
            let request = ask(fd).to_string();
            let lines = drive.answer(request.as_bytes());
            let ours = bytes(&lines.into_iter().map(Value::Object).collect::<Vec<_>>());
            let mut numbers = ALWAYS.to_vec();
            numbers.extend(BEFORE_DATA.iter().filter(|_| !has_data));
            let mut found = Vec::new();
            for ms in WAITS_MS {
                host.ask(&json!({"op": "advance", "ns": ms * 1_000_000}).to_string());
                found = differences(&ours, &bytes(&host.ask(&request)), &numbers);
                if found.is_empty() {
                    break;
                }
            }
            assert!(found.is_empty(), "{family} {fd} after {program:?}: {found:?}");
        }
    }
}

pub(crate) fn play() {
    let Some(mut host) = Host::start() else { return };
    compare("AF_INET", 4020, &mut host);
    compare("AF_INET6", 4021, &mut host);
}
