//! Calls on sockets, pseudo-terminals and names of hosts.

use super::{Generator, Known};
use crate::program::*;

impl Generator {
    fn recent(&mut self) -> Recent {
        self.random.below(7).min(self.random.below(7))
    }

    pub(super) fn on_sockets(&mut self) -> Op {
        match self.random.below(100) {
            0..18 => {
                let family = self.random.of(&[
                    Family::Inet,
                    Family::Inet,
                    Family::Inet,
                    Family::Inet6,
                    Family::Unix,
                ]);
                let datagrams = self.random.percent(35);
                Op::Of(self.who(), self.proc(), ProcOp::Socket(family, datagrams))
            }
            18..28 => {
                let at = self.proc();
                let count = 1 + self.random.below(4);
                let fds = (0..self.random.below(2)).map(|_| (self.fd(at), 5)).collect();
                let sockets =
                    (0..count).map(|_| (self.recent(), self.random.of(&[0, 1, 4, 5, 5]))).collect();
                Op::Of(self.who(), at, ProcOp::PollTargets(fds, sockets))
            }
            28 => {
                let names = ["127.0.0.1", " ::1 ", "over.test", "OVER.test.", "", " . "];
                let name = self.random.of(&names);
                // What a resolver would be asked about is the host's affair.
                Op::Resolve(name, self.random.percent(60))
            }
            29 => self.birth(),
            30 => self.ending(),
            _ => {
                let other = self.random.percent(5).then(|| self.proc());
                let recent = self.recent();
                Op::OnSocket(self.who(), other, recent, self.socket_op())
            }
        }
    }

    fn socket_op(&mut self) -> SocketOp {
        let hosts = [
            "127.0.0.1",
            "127.0.0.1",
            "localhost",
            "LocalHost",
            "0.0.0.0",
            "::1",
            "::",
            "10.0.0.1",
            "name",
        ];
        let host = self.random.of(&hosts);
        let port = self.random.of(&[80, 80, 80, 81, 65_535]);
        let path = self.random.of(&["/s", "/s", "/d/../s", "/t", "rel", "/", ""]);
        let length = self.random.of(&[0, 1, 3, 10, 200]);
        match self.random.below(44) {
            0..6 => SocketOp::BindInet(host, port),
            6 | 7 => SocketOp::BindUnix(path),
            8..12 => SocketOp::Listen(self.random.of(&[0, 1, 1, 2, 5])),
            12 => SocketOp::Incoming(host, port),
            13..16 => SocketOp::Accept,
            16 | 17 => SocketOp::ConnectPair(self.recent()),
            18 => SocketOp::ConnectUnix(path),
            19..24 => SocketOp::ConnectInet(host, port),
            24..27 => SocketOp::SendTo(host, port, Data(b'd', length)),
            27..29 => SocketOp::Recv(length),
            29 => SocketOp::Option(self.random.below(3) as u8, self.random.percent(80)),
            30 => {
                let group = self.random.of(&["224.0.0.1", "239.1.2.3", "10.0.0.1", "ff02::1", "x"]);
                let interface = self.random.of(&[None, Some("lo"), Some(" LO "), Some(" ")]);
                if self.random.percent(60) {
                    SocketOp::Join(group, interface)
                } else {
                    SocketOp::Leave(group, interface)
                }
            }
            31 => SocketOp::State(self.random.below(4) as u8),
            32..36 => SocketOp::Write(Data(b'w', length)),
            36..40 => SocketOp::Read(length),
            40 | 41 => SocketOp::Shutdown(self.random.below(3) as u8),
            _ => SocketOp::Close,
        }
    }

    pub(super) fn on_terminals(&mut self) -> Op {
        let at = self.proc();
        match self.random.below(100) {
            0..10 => Op::Of(self.who(), at, ProcOp::Pty(self.slot(at), self.slot(at))),
            10 => {
                let at = self.processes.len();
                self.processes.push(Known { at, fds: vec![0, 1, 2, 3, 4] });
                Op::Shell(at, self.random.of(&["", "sh", "job", "none"]))
            }
            11 => self.birth(),
            12 => self.ending(),
            13..20 => {
                let fds = (0..3).map(|_| (self.fd(at), 5)).collect();
                Op::Of(self.who(), at, ProcOp::Poll(fds))
            }
            _ => {
                let fd = self.fd(at);
                let op = self.terminal_op(at, fd);
                Op::OnFd(self.who(), at, fd, op)
            }
        }
    }

    fn terminal_op(&mut self, at: Proc, fd: Fd) -> FdOp {
        let bytes = [b'a', b'b', b'\n', b'\r', 3, 4, 0x1c, 0x7f, 8, 1, 0xff];
        match self.random.below(30) {
            0..10 => {
                let byte = self.random.of(&bytes);
                // Of a signal that is sent again while it is pending one is told.
                let count = match byte {
                    3 | 0x1c => 1,
                    _ => self.random.of(&[1, 1, 1, 2, 3, 100]),
                };
                FdOp::Write(Data(byte, count))
            }
            10..18 => FdOp::ReadTimeout(self.random.of(&[0, 1, 2, 3, 100, 70_000])),
            18 => FdOp::Tcgetattr,
            19..21 => {
                let characters =
                    if self.random.percent(20) { 1 << self.random.below(5) } else { 0 };
                let (given, on) = (self.random.below(64) as u32, self.random.below(64) as u32);
                FdOp::Tcsetattr(given, on, characters, self.random.of(&bytes))
            }
            21 => FdOp::Tcgetpgrp,
            22 | 23 => FdOp::Foreground(self.random.below(5) as u32),
            24 => FdOp::Resize(self.random.of(&[80, 100]), self.random.of(&[24, 30])),
            25 => match fd {
                Fd::Slot(0..3) => FdOp::Stat,
                Fd::Slot(_) | Fd::Number(_) => FdOp::Close,
            },
            26 => FdOp::Dup(self.slot(at)),
            27 => self.random.of(&[FdOp::Isatty, FdOp::Stat, FdOp::Path, FdOp::DevStat]),
            28 => FdOp::Reopen(self.slot(at), 0),
            _ => self.random.of(&[
                FdOp::Seek(0, 0),
                FdOp::Pread(1, 0),
                FdOp::Pwrite(Data(b'x', 1), 0),
                FdOp::Flock(1),
                FdOp::Fcntl(3, 0, 0),
            ]),
        }
    }
}
