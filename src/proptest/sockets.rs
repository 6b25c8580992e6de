//! What the choices of actions on unix sockets choose among.

use super::Action;
use super::lower::Lowering;
use super::player::Kind;
use serde_json::{Value, json};

/// Lengths around what Linux takes another buffer or another page for (`components/socket.rs`).
const LENGTHS: [usize; 16] =
    [1, 5, 100, 192, 193, 705, 1729, 3776, 3777, 4096, 8192, 40_000, 100_000, 220_000, 0, 64];

/// Names: few, so that they meet.
const PATHS: [&str; 6] = ["/tmp/s", "/tmp/t", "/tmp/d/s", "/tmp/a", "s", "/none/s"];
const ABSTRACT: [&str; 3] = ["x", "y", ""];
const FLAGS: [&str; 9] = [
    "",
    "MSG_DONTWAIT",
    "MSG_PEEK",
    "MSG_TRUNC",
    "MSG_WAITALL",
    "MSG_NOSIGNAL",
    "MSG_CMSG_CLOEXEC",
    "MSG_EOR",
    "MSG_OOB",
];
/// Options that Linux keeps, tells of or refuses in the same way everywhere.
const OPTIONS: [&str; 17] = [
    "SO_ERROR",
    "SO_PASSCRED",
    "SO_PEERCRED",
    "SO_ACCEPTCONN",
    "SO_TYPE",
    "SO_SNDBUF",
    "SO_RCVBUF",
    "SO_DOMAIN",
    "SO_PROTOCOL",
    "SO_LINGER",
    "SO_RCVTIMEO",
    "SO_REUSEADDR",
    "SO_KEEPALIVE",
    "SO_RCVLOWAT",
    "SO_REUSEPORT",
    "SO_PRIORITY",
    "SO_OOBINLINE",
];

impl Lowering<'_> {
    pub(super) fn socket(&self, action: Action) -> Value {
        let fd = self.fd(0, &[Kind::Socket]);
        match action {
            Action::Socketpair => {
                let types = ["SOCK_STREAM", "SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM"];
                let flags = self.pick(1, &["|SOCK_NONBLOCK", "", "|SOCK_CLOEXEC", ""]);
                let nonblock = if self.alone { "|SOCK_NONBLOCK" } else { flags };
                json!({"call": "socketpair", "domain": "AF_UNIX",
                    "type": format!("{}{nonblock}", self.pick(0, &types)),
                    "protocol": self.pick(3, &[0, 0, 0, 1, 2])})
            }
            Action::SocketWrite => {
                let letter = char::from(b'a' + self.choices[3] % 26);
                let data = letter.to_string().repeat(self.pick(1, &LENGTHS));
                json!({"call": self.pick(2, &["write", "writev"]), "fd": fd, "data": data})
            }
            Action::SocketRead => {
                json!({"call": self.pick(2, &["read", "readv"]), "fd": fd,
                    "count": self.pick(1, &LENGTHS)})
            }
            Action::Shutdown => {
                let how = ["SHUT_WR", "SHUT_RD", "SHUT_RDWR", "3"];
                json!({"call": "shutdown", "sockfd": fd, "how": self.pick(1, &how)})
            }
            Action::SocketName => {
                json!({"call": self.pick(1, &["getsockname", "getpeername"]), "sockfd": fd})
            }
            Action::SocketQueue => json!({"call": "ioctl", "fd": fd,
                "request": self.pick(1, &["FIONREAD", "TIOCOUTQ", "SIOCATMARK"])}),
            Action::Getsockopt => {
                let level = self.pick(2, &["SOL_SOCKET", "SOL_SOCKET", "SOL_SOCKET", "IPPROTO_IP"]);
                json!({"call": "getsockopt", "sockfd": fd, "level": level,
                    "optname": if level == "SOL_SOCKET" { json!(self.pick(1, &OPTIONS)) } else { 1.into() }})
            }
            Action::Setsockopt => self.setsockopt(fd),
            _ => self.named_socket(action, fd),
        }
    }

    fn setsockopt(&self, fd: i64) -> Value {
        let number = self.pick(2, &[1, 0, 5, 4608, -1, 100_000]);
        let (option, value) = match self.choices[1] % 10 {
            0..=3 => ("SO_PASSCRED", json!(number)),
            4 => ("SO_SNDBUF", json!(number)),
            5 => ("SO_LINGER", json!({"onoff": number, "linger": 3})),
            6 => ("SO_RCVLOWAT", json!(number)),
            7 => ("SO_TYPE", json!(1)),
            8 => ("SO_OOBINLINE", json!(number)),
            _ => ("SO_REUSEADDR", json!(number)),
        };
        json!({"call": "setsockopt", "sockfd": fd, "level": "SOL_SOCKET", "optname": option,
            "optval": value})
    }

    fn named_socket(&self, action: Action, fd: i64) -> Value {
        match action {
            Action::Socket => {
                let types = ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET", "SOCK_DGRAM"];
                let flags = self.pick(1, &["|SOCK_NONBLOCK", "", "|SOCK_CLOEXEC", ""]);
                let flags = if self.alone { "|SOCK_NONBLOCK" } else { flags };
                json!({"call": "socket", "domain": "AF_UNIX",
                    "type": format!("{}{flags}", self.pick(0, &types)), "protocol": 0})
            }
            Action::Bind => {
                json!({"call": "bind", "sockfd": fd, "addr": self.unix_address(1, 2)})
            }
            Action::Connect => {
                json!({"call": "connect", "sockfd": fd, "addr": self.unix_address(1, 2)})
            }
            Action::Listen => {
                json!({"call": "listen", "sockfd": fd, "backlog": self.pick(1, &[1, 0, 5, -1])})
            }
            Action::Accept => {
                let flags = self.pick(1, &["SOCK_NONBLOCK", "", "SOCK_CLOEXEC", "1"]);
                let flags = if self.alone { "SOCK_NONBLOCK" } else { flags };
                json!({"call": "accept4", "sockfd": fd, "flags": flags})
            }
            Action::Recvfrom | Action::Recvmsg => {
                let call = if action == Action::Recvmsg { "recvmsg" } else { "recvfrom" };
                json!({"call": call, "sockfd": fd, "count": self.pick(1, &LENGTHS),
                    "flags": self.message_flags(2)})
            }
            Action::SocketSplice => self.splice_socket(&[Kind::Socket]),
            Action::SocketSendfile => self.sendfile_socket(&[Kind::Socket]),
            Action::Sendmmsg => self.send_many(fd),
            Action::Recvmmsg => self.receive_many(fd),
            _ => self.send(action, fd),
        }
    }

    /// splice(2) between a pipe and a socket.
    pub(super) fn splice_socket(&self, kinds: &[Kind]) -> Value {
        let (input, output) = match self.choices[3] % 2 {
            0 => (self.fd(0, kinds), self.fd(1, &[Kind::Writer])),
            _ => (self.fd(0, &[Kind::Reader]), self.fd(1, kinds)),
        };
        let is_file = |fd: i64| matches!(self.kind_of(fd), Some(Kind::File | Kind::Memory));
        let input = if is_file(input) { -1 } else { input };
        json!({"call": "splice", "fd_in": input, "fd_out": output,
            "len": self.pick(2, &LENGTHS), "flags": self.splice_flags()})
    }

    /// sendfile(2) to a socket, of bytes that never change, or from one.
    pub(super) fn sendfile_socket(&self, kinds: &[Kind]) -> Value {
        let (output, input) = match self.choices[3] % 4 {
            0 => (self.fd(0, &[Kind::Writer]), self.fd(1, kinds)),
            _ => (self.fd(0, kinds), self.fd(1, &[Kind::Zeros])),
        };
        let is_file = |fd: i64| matches!(self.kind_of(fd), Some(Kind::File | Kind::Memory));
        let input = if is_file(input) { 0 } else { input };
        json!({"call": "sendfile", "out_fd": output, "in_fd": input,
            "count": self.pick(2, &LENGTHS)})
    }

    /// sendmmsg(2): what one message is, and others of other lengths.
    fn send_many(&self, fd: i64) -> Value {
        let first = self.send(Action::Sendmsg, fd);
        let one = |at: usize| {
            let mut message = json!({"data": "m".repeat(self.pick(at, &LENGTHS))});
            for name in ["data", "addr", "fds", "cred"] {
                let taken = usize::from(self.choices[3]) % 3 == at || name == "addr";
                if let Some(value) = first.get(name).filter(|_| taken) {
                    message[name] = value.clone();
                }
            }
            message
        };
        let count = usize::from(self.choices[2]) % 4;
        json!({"call": "sendmmsg", "sockfd": fd, "messages": (0..count).map(one).collect::<Vec<_>>(),
            "flags": self.message_flags(1)})
    }

    /// recvmmsg(2). What is left of a time-out is not compared: no time, or too much.
    pub(super) fn receive_many(&self, fd: i64) -> Value {
        let count = usize::from(self.choices[3]) % 4;
        let counts: Vec<usize> = (0..count).map(|at| self.pick(at, &LENGTHS)).collect();
        let flags = match self.message_flags(2) {
            "MSG_EOR" | "MSG_WAITALL" => "MSG_WAITFORONE",
            flags => flags,
        };
        let flags = if self.alone { "MSG_DONTWAIT|MSG_WAITFORONE" } else { flags };
        let mut request =
            json!({"call": "recvmmsg", "sockfd": fd, "counts": counts, "flags": flags});
        match self.choices[1] % 8 {
            0 => request["timeout"] = json!({"sec": 0, "nsec": 0}),
            1 => request["timeout"] = json!({"sec": 100_000, "nsec": 0}),
            2 => request["timeout"] = json!({"sec": -1, "nsec": 0}),
            _ => {}
        }
        request
    }

    fn send(&self, action: Action, fd: i64) -> Value {
        let letter = char::from(b'a' + self.choices[3] % 26);
        let data = letter.to_string().repeat(self.pick(1, &LENGTHS));
        let flags = self.message_flags(2);
        let mut request = json!({"call": "sendto", "sockfd": fd, "data": data, "flags": flags});
        if self.choices[3].is_multiple_of(3) {
            request["addr"] = self.unix_address(1, 3);
        }
        if action == Action::Sendto {
            return request;
        }
        request["call"] = "sendmsg".into();
        match self.choices[2] % 6 {
            0..=2 => request["fds"] = json!([self.any_fd(1)]),
            3 => request["fds"] = json!([self.fd(1, &[Kind::Socket]), self.fd(3, &[Kind::Socket])]),
            4 => request["cred"] = self.credentials_of(self.choices[1]),
            _ => {}
        }
        request
    }

    fn credentials_of(&self, choice: u8) -> Value {
        let pid = if choice % 4 == 3 { 1 } else { self.pid };
        json!({"pid": pid, "uid": if choice % 3 == 2 { 1000 } else { 0 }, "gid": 0})
    }

    fn message_flags(&self, choice: usize) -> &'static str {
        let flags = self.pick(choice, &FLAGS);
        if self.alone && flags.is_empty() { "MSG_DONTWAIT" } else { flags }
    }

    fn unix_address(&self, choice: usize, kind: usize) -> Value {
        match self.choices[kind] % 16 {
            0..=9 => json!({"family": "AF_UNIX", "path": self.pick(choice, &PATHS)}),
            10..=13 => json!({"family": "AF_UNIX", "abstract": self.pick(choice, &ABSTRACT)}),
            14 => json!({"family": "AF_UNIX"}),
            _ if self.choices[choice].is_multiple_of(2) => json!({"family": "AF_UNSPEC"}),
            _ => json!({"family": "AF_INET", "addr": "127.0.0.1", "port": 80}),
        }
    }
}
