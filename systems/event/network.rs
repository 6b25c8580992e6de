//! What comes from the network outside the kernel, and what goes out to it: other machines, or
//! programs of this one that are not the kernel's. Who plays them decides what they say; the kernel
//! keeps its own ends (tcp(7), udp(7)) as if Linux had received it.
//!
//! Not here: what is urgent (MSG_OOB) in what comes, and groups and broadcasts that go out.

use crate::abi::{Address, Errno};
use crate::wire::Bytes;

/// What comes in. A socket of the kernel's is named by its own id, as [`Outgoing`] and the answer
/// to [`Incoming::Connect`] say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The machine has an address on a network, or has it no more (its port means nothing). While
    /// it has one of a family, a way leads from it to every foreign host of that family.
    Host {
        /// Which.
        host: Address,
        /// Whether it is there from now on.
        is_there: bool,
    },
    /// Somebody outside listens at an address, or receives datagrams there, or does so no more.
    /// Sockets of the kernel's own at that address come first. (Foreign hosts need not say so.)
    Listener {
        /// `SOCK_STREAM` or `SOCK_DGRAM`.
        kind: u32,
        /// Where.
        at: Address,
        /// Whether from now on.
        is_there: bool,
    },
    /// Somebody outside asks for a connection. The answer is the id of the new socket, which waits
    /// to be accepted; ECONNREFUSED if nobody listens, EAGAIN if the listener's list is full.
    Connect {
        /// Who.
        from: Address,
        /// Where to.
        to: Address,
    },
    /// A connection that [`Outgoing::Connect`] asked for is there.
    Accepted {
        /// Which socket's.
        socket: u64,
    },
    /// It will never be there (ECONNREFUSED, EHOSTUNREACH …); a connection that there is ends with
    /// an error (ECONNRESET); a datagram of a connected socket was refused.
    Failed {
        /// Which socket's.
        socket: u64,
        /// What its owner is told.
        errno: Errno,
    },
    /// Bytes of a connection. The answer says how many there was room for; EAGAIN if none.
    Bytes {
        /// Which socket's.
        socket: u64,
        /// The bytes.
        data: Bytes,
    },
    /// No more bytes come.
    End {
        /// Which socket's.
        socket: u64,
    },
    /// So many bytes of [`Outgoing::Bytes`] were received: there is room for others.
    Taken {
        /// Which socket's.
        socket: u64,
        /// How many; more than are on the way are all.
        count: u64,
    },
    /// A datagram. The answer is how many sockets it was for; ECONNREFUSED if for none.
    Datagram {
        /// Who sends it.
        from: Address,
        /// Where to.
        to: Address,
        /// Its bytes.
        data: Bytes,
    },
}

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A socket asks for a connection: [`Incoming::Accepted`] or [`Incoming::Failed`] answers.
    Connect {
        /// The socket's own id.
        socket: u64,
        /// Its name.
        from: Address,
        /// Where to.
        to: Address,
    },
    /// Bytes of a connection.
    Bytes {
        /// The socket's own id.
        socket: u64,
        /// The bytes.
        data: Bytes,
        /// The last of them is urgent (MSG_OOB).
        is_urgent: bool,
    },
    /// The socket sends no more.
    End {
        /// The socket's own id.
        socket: u64,
    },
    /// The connection is thrown away, or is asked for no more.
    Reset {
        /// The socket's own id.
        socket: u64,
    },
    /// A datagram.
    Datagram {
        /// The socket's own id.
        socket: u64,
        /// Its name.
        from: Address,
        /// Where to.
        to: Address,
        /// Its bytes.
        data: Bytes,
    },
}

crate::wire_enum!(Incoming {
    0 Host { host, is_there },
    1 Listener { kind, at, is_there },
    2 Connect { from, to },
    3 Accepted { socket },
    4 Failed { socket, errno },
    5 Bytes { socket, data },
    6 End { socket },
    7 Taken { socket, count },
    8 Datagram { from, to, data }
});
crate::wire_enum!(Outgoing {
    0 Connect { socket, from, to },
    1 Bytes { socket, data, is_urgent },
    2 End { socket },
    3 Reset { socket },
    4 Datagram { socket, from, to, data }
});
