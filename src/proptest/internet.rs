//! What the choices of actions on internet sockets choose among.
//!
//! Few hosts and ports, so that they meet. Sizes are small: how much a connection holds before its
//! sender waits is the host's own (`TCP_ROOM_BYTES`).

use super::Action;
use super::lower::Lowering;
use super::player::Kind;
use serde_json::{Value, json};

const LENGTHS: [usize; 8] = [1, 5, 100, 1000, 4096, 0, 20_000, 64];
const PORTS: [u16; 6] = [5001, 5002, 5003, 5001, 80, 0];
const HOSTS: [&str; 8] = [
    "127.0.0.1",
    "127.0.0.1",
    "127.0.0.1",
    "0.0.0.0",
    "127.0.0.2",
    "127.255.255.255",
    "10.1.2.3",
    "224.1.1.1",
];
const HOSTS6: [&str; 5] = ["::1", "::", "::ffff:127.0.0.1", "::1", "2001:db8::1"];
const FLAGS: [&str; 9] = [
    "",
    "MSG_DONTWAIT",
    "MSG_PEEK",
    "MSG_TRUNC",
    "MSG_WAITALL",
    "MSG_NOSIGNAL",
    "",
    "MSG_DONTWAIT",
    "MSG_OOB",
];
/// Level and option, and values that are set.
const OPTIONS: [(&str, &str); 14] = [
    ("SOL_SOCKET", "SO_REUSEADDR"),
    ("SOL_SOCKET", "SO_REUSEADDR"),
    ("SOL_SOCKET", "SO_REUSEPORT"),
    ("SOL_SOCKET", "SO_BROADCAST"),
    ("SOL_SOCKET", "SO_KEEPALIVE"),
    ("SOL_SOCKET", "SO_ERROR"),
    ("SOL_SOCKET", "SO_TYPE"),
    ("SOL_SOCKET", "SO_PROTOCOL"),
    ("SOL_SOCKET", "SO_ACCEPTCONN"),
    ("SOL_SOCKET", "SO_PASSCRED"),
    ("IPPROTO_TCP", "TCP_NODELAY"),
    ("IPPROTO_TCP", "TCP_KEEPIDLE"),
    ("IPPROTO_TCP", "TCP_KEEPCNT"),
    ("SOL_SOCKET", "SO_DOMAIN"),
];

impl Lowering<'_> {
    pub(super) fn internet(&self, action: Action) -> Value {
        let fd = self.fd(0, &[Kind::Net, Kind::Net6]);
        match action {
            Action::NetSocket => {
                let kinds = ["SOCK_STREAM", "SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"];
                let flags = self.pick(1, &["|SOCK_NONBLOCK", "", "|SOCK_CLOEXEC", ""]);
                let flags = if self.alone { "|SOCK_NONBLOCK" } else { flags };
                let domain = self.pick(2, &["AF_INET", "AF_INET", "AF_INET", "AF_INET6"]);
                let protocol = self.pick(3, &[0, 0, 0, 0, 0, 0, 6, 17]);
                json!({"call": "socket", "domain": domain,
                    "type": format!("{}{flags}", self.pick(0, &kinds)), "protocol": protocol})
            }
            Action::NetBind => {
                json!({"call": "bind", "sockfd": fd, "addr": self.net_address(fd, 1, 2)})
            }
            Action::NetConnect => {
                json!({"call": "connect", "sockfd": fd, "addr": self.net_address(fd, 1, 2)})
            }
            Action::NetListen => {
                json!({"call": "listen", "sockfd": fd, "backlog": self.pick(1, &[5, 1, 3, -1])})
            }
            Action::NetAccept => {
                let flags = self.pick(1, &["SOCK_NONBLOCK", "", "SOCK_CLOEXEC", ""]);
                let flags = if self.alone { "SOCK_NONBLOCK" } else { flags };
                json!({"call": "accept4", "sockfd": fd, "flags": flags})
            }
            Action::NetSend => self.net_send(fd),
            Action::NetSendMany => {
                let mut one = self.net_send(fd);
                let data = one["data"].take();
                let message = |_| match one.get("addr") {
                    Some(addr) => json!({"data": data, "addr": addr}),
                    None => json!({"data": data}),
                };
                let messages = (0..self.choices[2] % 4).map(message).collect::<Vec<_>>();
                json!({"call": "sendmmsg", "sockfd": fd, "messages": messages,
                    "flags": self.net_flags(2)})
            }
            Action::NetSplice => self.splice_socket(&[Kind::Net, Kind::Net6]),
            Action::NetSendfile => self.sendfile_socket(&[Kind::Net, Kind::Net6]),
            Action::NetGroup => self.net_group(fd),
            Action::NetReceiveMany => self.receive_many(fd),
            Action::NetReceive => self.net_receive(fd),
            Action::NetShutdown => {
                let how = ["SHUT_WR", "SHUT_RD", "SHUT_RDWR", "3"];
                json!({"call": "shutdown", "sockfd": fd, "how": self.pick(1, &how)})
            }
            Action::NetName => {
                json!({"call": self.pick(1, &["getsockname", "getpeername"]), "sockfd": fd})
            }
            Action::NetQueue => json!({"call": "ioctl", "fd": fd,
                "request": self.pick(1, &["FIONREAD", "SIOCATMARK"])}),
            Action::NetGetOption => {
                let (level, option) = self.pick(1, &OPTIONS);
                json!({"call": "getsockopt", "sockfd": fd, "level": level, "optname": option})
            }
            Action::NetPoll => {
                let all = "POLLIN|POLLOUT|POLLRDHUP|POLLPRI";
                json!({"call": "poll", "fds": [{"fd": fd, "events": all}], "timeout": 0})
            }
            _ => self.net_set_option(fd),
        }
    }

    /// Who is a member of a group, and over what its datagrams go.
    fn net_group(&self, fd: i64) -> Value {
        let group = self.pick(1, &["224.1.1.1", "224.1.1.1", "224.1.1.2", "10.1.1.1"]);
        let interface = self.pick(2, &["127.0.0.1", "127.0.0.1", "0.0.0.0", "127.0.0.2"]);
        let member = json!({"group": group, "interface": interface, "ifindex": 0});
        let one = json!({"group": group, "interface": "0.0.0.0", "ifindex": 1});
        let (option, value) = match self.choices[3] % 10 {
            0..=2 => ("IP_ADD_MEMBERSHIP", member),
            3 => ("IP_DROP_MEMBERSHIP", member),
            4 => ("MCAST_JOIN_GROUP", one),
            5 => ("MCAST_LEAVE_GROUP", one),
            6 => ("IP_MULTICAST_IF", json!(self.pick(2, &[0x0100_007f, 0, 10]))),
            7 => ("IP_MULTICAST_ALL", json!(self.pick(2, &[0, 1, 2]))),
            8 => ("IP_MULTICAST_TTL", json!(self.pick(2, &[-1, 0, 5, 256]))),
            _ => ("IP_MULTICAST_LOOP", json!(self.pick(2, &[0, 1]))),
        };
        json!({"call": "setsockopt", "sockfd": fd, "level": "IPPROTO_IP", "optname": option,
            "optval": value})
    }

    /// What datagrams have of their own.
    fn datagram_option(&self, fd: i64) -> Value {
        let (level, option) = self.pick(
            1,
            &[
                ("IPPROTO_IP", "IP_RECVERR"),
                ("IPPROTO_IPV6", "IPV6_RECVERR"),
                ("IPPROTO_UDP", "UDP_CORK"),
                ("SOL_SOCKET", "SO_PEEK_OFF"),
            ],
        );
        json!({"call": "setsockopt", "sockfd": fd, "level": level, "optname": option,
            "optval": self.pick(2, &[1, 0, 1, 5])})
    }

    fn net_set_option(&self, fd: i64) -> Value {
        if self.choices[3] % 6 == 1 {
            return self.datagram_option(fd);
        }
        if self.choices[3].is_multiple_of(6) {
            return json!({"call": "setsockopt", "sockfd": fd, "level": "SOL_SOCKET",
                "optname": "SO_LINGER", "optval": {"onoff": self.pick(1, &[1, 0]), "linger": 0}});
        }
        let (level, option) = self.pick(1, &OPTIONS);
        json!({"call": "setsockopt", "sockfd": fd, "level": level, "optname": option,
            "optval": self.pick(2, &[1, 0, 5, -1, 100])})
    }

    fn net_receive(&self, fd: i64) -> Value {
        let call = self.pick(3, &["recvfrom", "recvmsg", "read", "recvfrom"]);
        if call == "read" {
            return json!({"call": "read", "fd": fd, "count": self.pick(1, &LENGTHS)});
        }
        let flags = self.net_flags(2);
        let flags = if self.choices[0] % 4 == 3 { "MSG_ERRQUEUE" } else { flags };
        json!({"call": call, "sockfd": fd, "count": self.pick(1, &LENGTHS), "flags": flags})
    }

    fn net_send(&self, fd: i64) -> Value {
        let letter = char::from(b'a' + self.choices[3] % 26);
        let data = letter.to_string().repeat(self.pick(1, &LENGTHS));
        if self.choices[3] % 4 == 3 {
            return json!({"call": "write", "fd": fd, "data": data});
        }
        let flags = self.net_flags(2);
        let mut request = json!({"call": "sendto", "sockfd": fd, "data": data, "flags": flags});
        if self.choices[3].is_multiple_of(3) {
            request["addr"] = self.net_address(fd, 1, 3);
        }
        request
    }

    fn net_flags(&self, choice: usize) -> &'static str {
        let flags = self.pick(choice, &FLAGS);
        if self.alone && flags.is_empty() { "MSG_DONTWAIT" } else { flags }
    }

    /// Mostly of the socket's own family. To a host of IPv4 from a socket of IPv6 that is bound to
    /// one of its own Linux knows no way or a strange one.
    fn net_address(&self, fd: i64, choice: usize, kind: usize) -> Value {
        let port = self.pick(choice, &PORTS);
        let host = usize::from(self.choices[kind]);
        let is_ipv6 = self.kind_of(fd) == Some(Kind::Net6);
        match self.choices[kind] % 16 {
            13 if !is_ipv6 => json!({"family": "AF_INET6", "addr": "::1", "port": port}),
            14 => json!({"family": "AF_UNIX", "path": "/tmp/s"}),
            15 => json!({"family": "AF_UNSPEC"}),
            _ if is_ipv6 => {
                json!({"family": "AF_INET6", "addr": HOSTS6[host % HOSTS6.len()], "port": port})
            }
            _ => json!({"family": "AF_INET", "addr": HOSTS[host % HOSTS.len()], "port": port}),
        }
    }
}
