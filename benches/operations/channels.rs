//! Sockets and terminals: what a connected pair carries, what a connection costs, and a line that a
//! terminal echoes. Parts of the list in `mod.rs`, with a process of their own.

use super::done;
use tickernel_systems::Kernel;
use tickernel_systems::abi::Address;
use tickernel_systems::abi::flags::{
    AF_INET, AF_UNIX, O_NOCTTY, O_RDWR, SOCK_DGRAM, SOCK_STREAM, TIOCGPTN, TIOCSPTLCK,
};
use tickernel_systems::event::{Answer, Call, IoctlArg, Outcome, Payload};
use tickernel_systems::wire::Bytes;

/// What is written to a terminal, and what its slave writes back of itself.
pub(crate) const LINE: &[u8; 32] = b"cc -O2 -c kernel.c -o kernel.o;\n";
/// The end of a line becomes two bytes.
pub(crate) const ECHO_BYTES: usize = LINE.len() + 1;
/// The length of what goes through a connection.
pub(crate) const KIB: usize = 1024;
/// The length of a datagram.
pub(crate) const DATAGRAM: usize = 512;
/// Where connections are accepted.
const PORT: u16 = 8080;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// write(2) and read(2) of 1 KiB through a pair of unix sockets.
    Unix,
    /// The same through a connection of tcp(7) over the loopback device.
    Tcp,
    /// send(2) and recv(2) of 512 bytes between two sockets of udp(7) that are connected.
    Udp,
    /// socket(2), connect(2) to a unix socket, accept(2), close(2) of both ends.
    UnixConnect,
    /// The same of tcp(7).
    TcpConnect,
    /// write(2) of a line to a master, read(2) of it from the slave, read(2) of its echo.
    Line,
}

impl Channel {
    /// All, in the order of the reports.
    pub(crate) const ALL: [Channel; 6] = [
        Channel::Unix,
        Channel::Tcp,
        Channel::Udp,
        Channel::UnixConnect,
        Channel::TcpConnect,
        Channel::Line,
    ];

    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Channel::Unix => "unix stream write + read 1 KiB",
            Channel::Tcp => "TCP write + read 1 KiB",
            Channel::Udp => "UDP send + recv 512 B",
            Channel::UnixConnect => "unix socket + connect + accept + 2 close",
            Channel::TcpConnect => "TCP socket + connect + accept + 2 close",
            Channel::Line => "terminal line + echo",
        }
    }
}

/// The process with all of it.
pub(crate) struct Channels {
    process: u32,
    data: Vec<u8>,
    unix: [i32; 2],
    tcp: [i32; 2],
    udp: [i32; 2],
    /// The listeners and where they are found.
    unix_listener: (i32, Address),
    tcp_listener: (i32, Address),
    /// Master and slave.
    terminal: [i32; 2],
}

impl Channels {
    pub(crate) fn new(kernel: &mut Kernel) -> Self {
        let process = done(kernel, 1, Call::Fork {}) as u32;
        let at = Address::Abstract(Bytes(b"bench".to_vec()));
        let unix_listener = (listener(kernel, process, AF_UNIX, &at), at);
        let at = Address::Inet([127, 0, 0, 1], PORT);
        let tcp_listener = (listener(kernel, process, AF_INET, &at), at);
        let tcp = connection(kernel, process, AF_INET, &tcp_listener);
        let pair = Call::Socketpair { domain: AF_UNIX, r#type: SOCK_STREAM, protocol: 0 };
        let outcome = kernel.call(process, pair);
        let Outcome::Done(Answer { payload: Payload::Fds(unix), .. }) = outcome else {
            unreachable!("a pair: {outcome:?}");
        };
        let (udp, terminal) = (datagrams(kernel, process), terminal(kernel, process));
        let data = vec![7; KIB];
        Self { process, data, unix, tcp, udp, unix_listener, tcp_listener, terminal }
    }

    #[inline]
    pub(crate) fn run(&self, kernel: &mut Kernel, channel: Channel) {
        match channel {
            Channel::Unix => self.through(kernel, self.unix),
            Channel::Tcp => self.through(kernel, self.tcp),
            Channel::Udp => {
                let data = &self.data[..DATAGRAM];
                let send = Call::Sendto { sockfd: self.udp[0], data, flags: 0, addr: None };
                done(kernel, self.process, send);
                let (sockfd, count) = (self.udp[1], DATAGRAM as u64);
                let recv = Call::Recvfrom { sockfd, count, flags: 0 };
                assert_eq!(done(kernel, self.process, recv), DATAGRAM as i64);
            }
            Channel::UnixConnect => self.connect(kernel, AF_UNIX, &self.unix_listener),
            Channel::TcpConnect => self.connect(kernel, AF_INET, &self.tcp_listener),
            Channel::Line => {
                let [master, slave] = self.terminal;
                done(kernel, self.process, Call::Write { fd: master, data: LINE });
                for (fd, length) in [(slave, LINE.len()), (master, ECHO_BYTES)] {
                    let read = done(kernel, self.process, Call::Read { fd, count: 4096 });
                    assert_eq!(read, length as i64);
                }
            }
        }
    }

    fn through(&self, kernel: &mut Kernel, [from, to]: [i32; 2]) {
        done(kernel, self.process, Call::Write { fd: from, data: &self.data });
        let read = done(kernel, self.process, Call::Read { fd: to, count: KIB as u64 });
        assert_eq!(read, KIB as i64);
    }

    fn connect(&self, kernel: &mut Kernel, domain: u32, listener: &(i32, Address)) {
        for fd in connection(kernel, self.process, domain, listener) {
            done(kernel, self.process, Call::Close { fd });
        }
    }
}

fn socket(kernel: &mut Kernel, task: u32, domain: u32, r#type: u32) -> i32 {
    done(kernel, task, Call::Socket { domain, r#type, protocol: 0 }) as i32
}

fn listener(kernel: &mut Kernel, task: u32, domain: u32, at: &Address) -> i32 {
    let sockfd = socket(kernel, task, domain, SOCK_STREAM);
    done(kernel, task, Call::Bind { sockfd, addr: at.clone() });
    done(kernel, task, Call::Listen { sockfd, backlog: 16 });
    sockfd
}

/// Both ends of a new connection.
fn connection(
    kernel: &mut Kernel,
    task: u32,
    domain: u32,
    (sockfd, at): &(i32, Address),
) -> [i32; 2] {
    let near = socket(kernel, task, domain, SOCK_STREAM);
    done(kernel, task, Call::Connect { sockfd: near, addr: at.clone() });
    [near, done(kernel, task, Call::Accept { sockfd: *sockfd }) as i32]
}

/// Two sockets that send to each other.
fn datagrams(kernel: &mut Kernel, task: u32) -> [i32; 2] {
    let ends = [PORT, PORT + 1].map(|port| {
        let sockfd = socket(kernel, task, AF_INET, SOCK_DGRAM);
        let addr = Address::Inet([127, 0, 0, 1], port);
        done(kernel, task, Call::Bind { sockfd, addr: addr.clone() });
        (sockfd, addr)
    });
    for (one, other) in [(0, 1), (1, 0)] {
        let (sockfd, addr) = (ends[one].0, ends[other].1.clone());
        done(kernel, task, Call::Connect { sockfd, addr });
    }
    ends.map(|end| end.0)
}

/// A new terminal with the settings that it begins with: lines, and their echo.
fn terminal(kernel: &mut Kernel, task: u32) -> [i32; 2] {
    let flags = O_RDWR | O_NOCTTY;
    let open = Call::Open { path: Some(b"/dev/ptmx"), flags, mode: 0 };
    let master = done(kernel, task, open) as i32;
    let unlock = Call::Ioctl { fd: master, request: TIOCSPTLCK, arg: IoctlArg::Number(0) };
    done(kernel, task, unlock);
    let ask = Call::Ioctl { fd: master, request: TIOCGPTN, arg: IoctlArg::Number(0) };
    let outcome = kernel.call(task, ask);
    let Outcome::Done(Answer { payload: Payload::Number(number), .. }) = outcome else {
        unreachable!("a number: {outcome:?}");
    };
    let path = format!("/dev/pts/{number}");
    let open = Call::Open { path: Some(path.as_bytes()), flags, mode: 0 };
    [master, done(kernel, task, open) as i32]
}
