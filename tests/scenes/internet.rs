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

/// What each request of netdevice(7) says of each name, to each family's sockets.
pub(crate) fn interfaces() -> Vec<Scene> {
    let requests = [
        "SIOCGIFFLAGS",
        "SIOCGIFADDR",
        "SIOCGIFDSTADDR",
        "SIOCGIFBRDADDR",
        "SIOCGIFNETMASK",
        "SIOCGIFMETRIC",
        "SIOCGIFMTU",
        "SIOCGIFHWADDR",
        "SIOCGIFINDEX",
        "SIOCGIFTXQLEN",
    ];
    let ask = |fd: i64| {
        let names = ["lo", "eth0", "", "lo:1", "lo0123456789abcd"];
        let named = requests.iter().flat_map(|request| {
            names.iter().flat_map(|name| ioctl(fd, request, json!({"ifr_name": name})))
        });
        let numbered = [1, 0, 2, -1].into_iter().flat_map(|index| {
            ioctl(fd, "SIOCGIFNAME", json!({"ifr_name": "", "ifr_ifindex": index}))
        });
        let listed =
            [200, 0, 39, 40, 41].into_iter().flat_map(|length| ioctl(fd, "SIOCGIFCONF", length));
        named.chain(numbered).chain(listed).collect::<Program>()
    };
    let sockets = [
        ("AF_INET", "SOCK_DGRAM"),
        ("AF_INET", "SOCK_STREAM"),
        ("AF_INET6", "SOCK_DGRAM"),
        ("AF_UNIX", "SOCK_STREAM"),
    ];
    let of_socket = |(family, kind): (&str, &str)| all([socket(family, kind), ask(3), close(3)]);
    vec![
        ("interfaces", sockets.into_iter().flat_map(of_socket).collect()),
        ("a pipe has no interface", all([pipe(), ask(3)])),
        ("who may send to all", all([broadcasts(false), broadcasts(true)])),
    ]
}

/// Datagrams and connections to hosts of every kind.
fn broadcasts(allowed: bool) -> Program {
    let hosts = [
        "255.255.255.255",
        "127.255.255.255",
        "127.0.0.0",
        "127.1.255.255",
        "10.0.0.255",
        "240.0.0.1",
        "224.0.0.1",
    ];
    let to = |host: &str| {
        let addr = json!({"family": "AF_INET", "addr": host, "port": 9});
        let option = set(3, "SOL_SOCKET", "SO_BROADCAST", allowed.into());
        all([
            all([socket("AF_INET", "SOCK_DGRAM"), option]),
            call("sendto", json!({"sockfd": 3, "data": "x", "addr": addr})),
            all([connect(3, addr.clone()), write(3, "x"), close(3)]),
            all([socket("AF_INET", "SOCK_STREAM"), connect(3, addr), close(3)]),
        ])
    };
    hosts.into_iter().flat_map(to).collect()
}

/// TFD_IOC_SET_TICKS.
pub(crate) fn ticks() -> Vec<Scene> {
    let make = json!({"clockid": "CLOCK_MONOTONIC", "flags": "TFD_NONBLOCK"});
    let arm = json!({"fd": 3, "flags": "0",
        "new_value": {"interval": {"sec": 0, "nsec": 0}, "value": {"sec": 100, "nsec": 0}}});
    let ticks = |count: i64| ioctl(3, "TFD_IOC_SET_TICKS", count);
    vec![(
        "ticks",
        all([
            all([call("timerfd_create", make), poll(3), ticks(5), poll(3), read(3, 8)]),
            all([read(3, 8), ticks(0), call("timerfd_settime", arm.clone()), ticks(7), ticks(9)]),
            all([read(3, 8), ticks(3), call("timerfd_settime", arm), read(3, 8), fork()]),
            all([fcntl(3, "F_SETFL", "0"), by(2, read(3, 8)), ticks(-1), ticks(1)]),
            all([pipe(), ioctl(4, "TFD_IOC_SET_TICKS", 1)]),
        ]),
    )]
}

/// MCAST_JOIN_GROUP and MCAST_LEAVE_GROUP of both levels, by each family's sockets.
pub(crate) fn groups() -> Vec<Scene> {
    let groups = ["ff02::1", "ff05::7", "ff01::3", "224.0.0.9", "::1", "10.0.0.1"];
    let ask = |level: &'static str| {
        let request = move |name: &str, group: &str, index: i64| {
            let value = json!({"group": group, "interface": "0.0.0.0", "ifindex": index});
            let fields = json!({"sockfd": 3, "level": level, "optname": name, "optval": value});
            call("setsockopt", fields)
        };
        let indexes = [0, 1, 2];
        let pairs = groups.iter().flat_map(move |group| indexes.map(|index| (*group, index)));
        let one = move |(group, index)| {
            let (join, leave) = ("MCAST_JOIN_GROUP", "MCAST_LEAVE_GROUP");
            let twice = all([request(join, group, index), request(join, group, index)]);
            all([twice, request(leave, group, index), request(leave, group, index)])
        };
        pairs.flat_map(one).collect::<Program>()
    };
    let of_socket = |(family, level)| all([socket(family, "SOCK_DGRAM"), ask(level), close(3)]);
    vec![
        ("groups of IPv6", of_socket(("AF_INET6", "IPPROTO_IPV6"))),
        ("groups of IPv4", of_socket(("AF_INET", "IPPROTO_IP"))),
        ("groups of IPv4 by a socket of IPv6", of_socket(("AF_INET6", "IPPROTO_IP"))),
        ("groups of IPv6 by a socket of IPv4", of_socket(("AF_INET", "IPPROTO_IPV6"))),
    ]
}

/// A port of the family's own host.
pub(crate) fn stream_to(family: &str, port: u16) -> serde_json::Value {
    let addr = if family == "AF_INET" { "127.0.0.1" } else { "::1" };
    json!({"family": family, "addr": addr, "port": port})
}
