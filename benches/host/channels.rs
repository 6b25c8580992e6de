//! Sockets and terminals of the Linux underneath, as `operations/channels.rs` has them.

use crate::operations::channels::{Channel, DATAGRAM, ECHO_BYTES, KIB, LINE};
use rustix::io::{read, write};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept, bind,
    connect, getsockname, listen, recv, send, socket, socketpair,
};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

/// A client's port rests for a while after its connection to one address: clients call at more of
/// the loopback's than have ports to rest.
const ADDRESSES: u32 = 250;

/// What the operations need.
pub(super) struct Channels {
    data: Vec<u8>,
    buffer: Vec<u8>,
    unix: (OwnedFd, OwnedFd),
    tcp: (OwnedFd, OwnedFd),
    udp: (OwnedFd, OwnedFd),
    unix_listener: (OwnedFd, SocketAddrUnix),
    tcp_listener: (OwnedFd, u16),
    /// Connections that there have been.
    connections: u32,
    /// Master and slave.
    terminal: (OwnedFd, OwnedFd),
}

impl Channels {
    pub(super) fn new() -> Self {
        let name = format!("tickernel bench {}", std::process::id());
        let at = SocketAddrUnix::new_abstract_name(name.as_bytes()).expect("a short name");
        let unix_listener = (listener(AddressFamily::UNIX, &at), at);
        let (tcp, port) = bound(SocketType::STREAM, Ipv4Addr::UNSPECIFIED);
        listen(&tcp, 16).expect("a socket that is bound");
        let tcp_listener = (tcp, port);
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = openpt(flags).expect("a terminal");
        unlockpt(&master).expect("a terminal of ours");
        let slave = ioctl_tiocgptpeer(&master, flags).expect("the other end");
        let pair = (AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty());
        Self {
            data: vec![7; KIB],
            buffer: vec![0; 4096],
            unix: socketpair(pair.0, pair.1, pair.2, None).expect("a pair"),
            tcp: connection(AddressFamily::INET, &tcp_listener.0, &at),
            udp: datagrams(),
            unix_listener,
            tcp_listener,
            connections: 0,
            terminal: (master, slave),
        }
    }

    /// Performs an operation once.
    pub(super) fn run(&mut self, channel: Channel) {
        let buffer = &mut self.buffer[..];
        match channel {
            Channel::Unix => through(&self.unix, &self.data, buffer),
            Channel::Tcp => through(&self.tcp, &self.data, buffer),
            Channel::Udp => {
                let data = &self.data[..DATAGRAM];
                send(&self.udp.0, data, SendFlags::empty()).expect("somebody who receives");
                let (count, _) = recv(&self.udp.1, buffer, RecvFlags::empty()).expect("a datagram");
                assert_eq!(count, DATAGRAM);
            }
            Channel::UnixConnect => {
                let (listener, at) = &self.unix_listener;
                drop(connection(AddressFamily::UNIX, listener, at));
            }
            Channel::TcpConnect => {
                self.connections += 1;
                let host = u32::from(Ipv4Addr::LOCALHOST) + self.connections % ADDRESSES;
                let at = SocketAddrV4::new(Ipv4Addr::from(host), self.tcp_listener.1);
                drop(connection(AddressFamily::INET, &self.tcp_listener.0, &at));
            }
            Channel::Line => {
                let (master, slave) = &self.terminal;
                write(master, LINE).expect("room");
                assert_eq!(read(slave, &mut *buffer).expect("a line"), LINE.len());
                // It may come in parts.
                let mut echo = 0;
                while echo < ECHO_BYTES {
                    echo += read(master, &mut *buffer).expect("an echo");
                }
                assert_eq!(echo, ECHO_BYTES);
            }
        }
    }
}

fn through((from, to): &(OwnedFd, OwnedFd), data: &[u8], buffer: &mut [u8]) {
    write(from, data).expect("room");
    assert_eq!(read(to, &mut buffer[..KIB]).expect("bytes"), KIB);
}

fn listener(family: AddressFamily, at: &impl SocketAddrArg) -> OwnedFd {
    let made = socket(family, SocketType::STREAM, None).expect("a socket");
    bind(&made, at).expect("a free name");
    listen(&made, 16).expect("a socket that is bound");
    made
}

/// Both ends of a new connection.
fn connection(
    family: AddressFamily,
    listener: &OwnedFd,
    at: &impl SocketAddrArg,
) -> (OwnedFd, OwnedFd) {
    let near = socket(family, SocketType::STREAM, None).expect("a socket");
    connect(&near, at).expect("somebody who listens");
    (near, accept(listener).expect("a connection"))
}

/// A socket with a port that Linux chose.
fn bound(kind: SocketType, host: Ipv4Addr) -> (OwnedFd, u16) {
    let made = socket(AddressFamily::INET, kind, None).expect("a socket");
    bind(&made, &SocketAddrV4::new(host, 0)).expect("a free port");
    let at: SocketAddrV4 =
        getsockname(&made).expect("its name").try_into().expect("of its own family");
    (made, at.port())
}

/// Two sockets that send to each other.
fn datagrams() -> (OwnedFd, OwnedFd) {
    let [one, other] = [(); 2].map(|()| bound(SocketType::DGRAM, Ipv4Addr::LOCALHOST));
    for (from, to) in [(&one, &other), (&other, &one)] {
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, to.1);
        connect(&from.0, &at).expect("a socket of ours");
    }
    (one.0, other.0)
}
