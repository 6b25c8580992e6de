//! What the choices of actions on connected sockets choose among.

use super::Action;
use super::lower::Lowering;
use super::player::Kind;
use serde_json::{Value, json};

/// Lengths around what Linux takes another buffer or another page for (`components/socket.rs`).
const LENGTHS: [usize; 16] =
    [1, 5, 100, 192, 193, 705, 1729, 3776, 3777, 4096, 8192, 40_000, 100_000, 220_000, 0, 64];

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
            _ => json!({"call": "ioctl", "fd": fd,
                "request": self.pick(1, &["FIONREAD", "TIOCOUTQ"])}),
        }
    }
}
