//! Connections that nobody answers, and what the machine's one interface is.

use super::words::*;
use crate::beside::Program;
use serde_json::json;

fn advance(ms: u64) -> Program {
    vec![json!({"op": "advance", "ns": ms * 1_000_000})]
}

fn set(fd: i64, level: &str, optname: &str, optval: i64) -> Program {
    let fields = json!({"sockfd": fd, "level": level, "optname": optname, "optval": optval});
    call("setsockopt", fields)
}

fn poll(fd: i64) -> Program {
    let fds = json!([{"fd": fd, "events": "POLLIN|POLLOUT|POLLPRI|POLLRDHUP"}]);
    call("poll", json!({"fds": fds, "timeout": 0}))
}

/// 3 listens and its list is full; 5 has asked for nothing yet.
fn full_list(at: u16) -> Program {
    let stream = || socket("AF_INET", "SOCK_STREAM");
    let listener = all([stream(), bind(3, port(at)), listen(3, 0)]);
    all([listener, stream(), connect(4, port(at)), stream()])
}

pub(crate) fn connections() -> Vec<Scene> {
    let error =
        || call("getsockopt", json!({"sockfd": 5, "level": "SOL_SOCKET", "optname": "SO_ERROR"}));
    let again = |at| connect(5, port(at));
    let nonblock = fcntl(5, "F_SETFL", "O_NONBLOCK");
    let second = json!({"sockfd": 5, "level": "SOL_SOCKET", "optname": "SO_SNDTIMEO",
        "optval": {"sec": 1, "usec": 0}});
    vec![
        (
            "nobody answers who waits",
            all([
                all([full_list(4010), set(5, "SOL_TCP", "TCP_USER_TIMEOUT", 1000), fork()]),
                all([by(2, again(4010)), advance(700), advance(1300), error(), poll(5)]),
            ]),
        ),
        (
            "nobody answers who looks again",
            all([
                all([full_list(4011), set(5, "SOL_TCP", "TCP_SYNCNT", 1), nonblock, again(4011)]),
                all([again(4011), poll(5), advance(2500), poll(5), advance(2000), poll(5)]),
                all([poll(5), error(), error(), poll(5), again(4011), poll(5), close(5)]),
            ]),
        ),
        (
            "who asks for a second only",
            all([
                all([full_list(4012), call("setsockopt", second), fork(), by(2, again(4012))]),
                all([advance(1500), poll(5), by(2, close(5))]),
            ]),
        ),
    ]
}

/// Process 2 asks for a connection that nobody answers.
pub(crate) fn asking(tries: i64, user_ms: i64) -> Program {
    let set_if = |name, value| if value == 0 { Vec::new() } else { set(5, "SOL_TCP", name, value) };
    let options = all([set_if("TCP_SYNCNT", tries), set_if("TCP_USER_TIMEOUT", user_ms)]);
    all([full_list(4000), options, fork(), by(2, connect(5, port(4000)))])
}
