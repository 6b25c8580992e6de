//! Sockets and terminals as an importer looks at them (`peek.rs`): what lies in them, and whom a
//! call on one reaches. Looks only.

use crate::abi::flags::{AF_NETLINK, AF_UNIX, AT_FDCWD};
use crate::abi::{Address, Errno, Termios, Winsize};
use crate::components::Target;
use crate::components::inet::Endpoint;
use crate::components::socket::{Packet, Peer, RCV_SHUTDOWN};
use crate::components::terminal::{End, Side};
use crate::kernel::Kernel;
use crate::rows::{RowKind, SocketRow, TerminalRow};
use alloc::vec::Vec;

/// An end of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalView {
    /// Own id of the pair.
    pub id: u64,
    /// The number of its slave.
    pub number: u32,
    /// Which end.
    pub end: End,
    /// What a writer finds room for, in bytes.
    pub room_bytes: u64,
    /// Bytes that have been written to this end and have not arrived at it.
    pub coming_bytes: u64,
    /// What FIONREAD says, in bytes.
    pub readable_bytes: u64,
    /// The settings.
    pub termios: Termios,
    /// The size.
    pub winsize: Winsize,
}

/// The state of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketView {
    /// What who waits for it waits for: the own id of that end of its connection which has the
    /// lower one, its own without one.
    pub id: u64,
    /// Its own id.
    pub own: u64,
    /// The own id of who gets what it sends, if it is connected.
    pub peer: Option<u64>,
    /// Bytes in it: of packets those of the next.
    pub bytes: u64,
    /// Whether there is a packet, perhaps an empty one.
    pub has_packet: bool,
    /// Bytes come one by one and not in packets.
    pub is_stream: bool,
    /// Nothing more comes.
    pub is_over: bool,
    /// An error waits to be told.
    pub has_error: bool,
    /// Connections that wait to be accepted, if it listens.
    pub pending: Option<u64>,
    /// What of the next write there is room for, of tcp(7).
    pub room_bytes: u64,
    /// It has a name: an address, or a port.
    pub is_named: bool,
    /// Whether somebody outside of the kernel may reach it: it is of tcp(7) or udp(7).
    pub is_inet: bool,
    /// Whether what it says is answered by the machine (netlink(7)).
    pub is_netlink: bool,
}

impl Kernel {
    pub(crate) fn terminal_view(&self, side: Side) -> TerminalView {
        let state = &self.rows[side.terminal];
        let chunks = state.ports[side.end.at()].chunks.iter();
        TerminalView {
            id: side.terminal.own_id(&self.rows),
            number: state.number,
            end: side.end,
            room_bytes: state.room(side.end),
            coming_bytes: chunks.map(|chunk| chunk.bytes.len() as u64 - chunk.read).sum(),
            readable_bytes: state.readable_bytes(side.end),
            termios: state.termios,
            winsize: state.winsize,
        }
    }

    /// What a read of a terminal would give now: `Some(Ok(None))` if it would wait, `None` if the
    /// descriptor is no terminal's.
    pub fn terminal_read(
        &self,
        tid: u32,
        fd: i32,
        count: u64,
    ) -> Option<Result<Option<Vec<u8>>, Errno>> {
        let task = self.pids.task(tid)?;
        let row = self.rows[self.rows[task].files].get(fd)?.description;
        Some(self.terminal_read_view(row, self.rows[row].terminal?, count))
    }

    /// Whether anybody has the slave with this number open, or as controlling terminal.
    pub fn terminal_in_use(&self, number: u32) -> bool {
        let state = self.terminals.get(&number).map(|row| &self.rows[*row]);
        state.is_some_and(|state| state.slaves > 0 || state.session != 0)
    }

    /// Own id of the terminal with this number.
    pub fn terminal_id(&self, number: u32) -> Option<u64> {
        Some(self.terminals.get(&number)?.own_id(&self.rows))
    }

    /// The number of a task's controlling terminal.
    pub fn controlling_terminal(&self, tid: u32) -> Option<u32> {
        let task = self.pids.task(tid)?;
        let terminal = self.terminal_of_device(self.rows[self.rows[task].process].tty)?;
        Some(self.rows[terminal].number)
    }

    /// Numbers of the slaves that there are.
    pub fn terminal_numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.terminals.keys().copied()
    }

    /// Terminals and which of their ends bytes are on their way to.
    pub fn terminals_with_mail(&self) -> Vec<(u32, End)> {
        let mail = |terminal: &TerminalRow, end: End| {
            let mut chunks = self.rows[*terminal].ports[end.at()].chunks.iter();
            chunks.any(|chunk| chunk.read < chunk.bytes.len() as u64)
        };
        let ends = [End::Slave, End::Master];
        let all = self.terminals.iter().flat_map(|it| ends.map(|end| (it, end)));
        all.filter(|((_, row), end)| mail(row, *end)).map(|((n, _), end)| (*n, end)).collect()
    }

    pub(crate) fn socket_view(&self, socket: SocketRow) -> SocketView {
        let state = &self.rows[socket];
        let id = match state.peer {
            Peer::At(other) if state.is_stream() || state.domain == AF_UNIX => {
                state.id.min(self.rows[other].id)
            }
            Peer::At(_) | Peer::None | Peer::Gone | Peer::Outside => state.id,
        };
        let bytes = match state.is_stream() {
            true => state.queued_bytes(),
            false => state.queue.front().map_or(0, Packet::left),
        };
        let peer = match state.peer {
            Peer::At(other) => Some(self.rows[other].id),
            Peer::None | Peer::Gone | Peer::Outside => None,
        };
        SocketView {
            id,
            own: state.id,
            peer,
            bytes,
            has_packet: !state.queue.is_empty(),
            is_stream: state.is_stream(),
            is_over: state.queue.is_empty() && state.shut & RCV_SHUTDOWN != 0,
            has_error: state.error.is_some(),
            pending: state.backlog().map(|_| state.pending() as u64),
            room_bytes: state.packet_bytes(u64::MAX >> 1),
            // Of a connection that was taken back an address is left, and no port (ip(7)).
            is_named: match state.domain {
                AF_UNIX => state.is_named(),
                _ => self.has_port(socket),
            },
            is_inet: state.domain != AF_UNIX,
            is_netlink: state.domain == AF_NETLINK,
        }
    }

    /// The first bytes that a read of a stream would give, at most `count`.
    pub fn socket_bytes(&self, tid: u32, fd: i32, count: u64) -> Option<Vec<u8>> {
        let task = self.pids.task(tid)?;
        let row = self.rows[self.rows[task].files].get(fd)?.description;
        let Target::Socket(socket) = self.rows[row].target else { return None };
        let mut out = Vec::new();
        for packet in &self.rows[socket].queue {
            let left = count.saturating_sub(out.len() as u64).min(packet.left()) as usize;
            let start = packet.read as usize;
            out.extend_from_slice(packet.bytes.get(start..start + left)?);
        }
        Some(out)
    }

    /// What a connect(2) to an address reaches, or a message that is sent there: the listener, the
    /// receiver; without an address who is connected.
    pub fn reached_by(&self, tid: u32, fd: i32, to: Option<&Address>) -> Option<SocketView> {
        let task = self.pids.task(tid)?;
        let row = self.rows[self.rows[task].files].get(fd)?.description;
        let Target::Socket(socket) = self.rows[row].target else { return None };
        let state = &self.rows[socket];
        let reached = match to {
            Some(Address::Unix(path)) if !path.0.is_empty() => {
                let place = self.resolve(tid, AT_FDCWD, &path.0, true).ok()??;
                *self.sockets.paths.get(&self.fs.inode_id(place)?)?
            }
            Some(Address::Abstract(name)) => {
                *self.sockets.abstracts.get(&(state.kind, name.0.clone()))?
            }
            Some(address) => self.reached_inet(socket, Endpoint::of(address)?)?,
            None if state.domain != AF_UNIX && !state.is_stream() => {
                self.reached_inet(socket, self.remote_endpoint(socket)?)?
            }
            None => match state.peer {
                Peer::At(other) => other,
                Peer::None | Peer::Gone | Peer::Outside => return None,
            },
        };
        Some(self.socket_view(reached))
    }
}
