//! Sockets in a snapshot: what one holds, and to whom its parts lead, tied when all rows are there.
//!
//! Who sends to a socket that has another peer follows from the peers, who has which name from the
//! names: neither is written.

use super::decode::DANGLING;
use super::{Refs, RestoreError};
use crate::abi::flags::AF_UNIX;
use crate::abi::socket::SOL_TCP;
use crate::components::Waiting;
use crate::components::inet::{Endpoint, Host};
use crate::components::message::{Manner, Receiving};
use crate::components::socket::{
    Attached, Corked, More, Packet, Peer, QueuedError, Socket, SocketRef, State,
};
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::{Encode, RowKind, Rows, SocketRow};
use crate::wire::{Bytes, Wire, WireError, WireReader, put_varint};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bit of a socket's encoded type that says that what it has had to do with others follows.
const IS_USED: u32 = 1 << 8;
/// Bit of a socket's encoded state that says that its groups follow.
const HAS_GROUPS: u8 = 8;
/// The same of an urgent byte.
const HAS_URGENT: u8 = 16;
/// The same: its other end is outside.
const IS_OUTSIDE: u8 = 32;
/// The same: a connection left something.
const HAS_LEFT: u8 = 64;
/// The same of a datagram that is gathered.
const HAS_CORKED: u8 = 128;
/// Datagrams came back to it.
const HAS_ERRORS: u8 = 4;
/// What stands among the options of a connection that was accepted: no option has this number.
const ACCEPTED: [u32; 2] = [SOL_TCP, 1 << 16];
/// Bit of a packet's that says that it is urgent.
const IS_URGENT: u8 = 2;

impl Encode for Socket {
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        let used = !self.is_fresh();
        let kind = self.kind | if used { IS_USED } else { 0 };
        [self.domain, kind, self.protocol, self.uid, self.gid].put(out);
        if !used {
            return;
        }
        match self.peer {
            Peer::None => out.push(0),
            Peer::Gone => out.push(1),
            Peer::At(other) => (2u8, other.own_id(rows)).put(out),
            Peer::Outside => out.push(3),
        }
        put_varint(out, self.queue.len() as u64);
        for packet in &self.queue {
            put_packet(packet, rows, out);
        }
        (self.error, [self.shut, self.mode]).put(out);
        self.waiters.put(out);
        ([self.sent_bytes, self.received_bytes], self.sndbuf_bytes).put(out);
        (self.passes_cred, self.peer_cred).put(out);
        self.more.is_some().put(out);
        if let Some(more) = &self.more {
            put_more(more, rows, out);
        }
    }
}

fn put_packet(packet: &Packet, rows: &Rows, out: &mut Vec<u8>) {
    packet.bytes.as_slice().put(out);
    [packet.read, packet.cost_bytes].put(out);
    packet.sender.id.put(out);
    out.push(u8::from(packet.with.is_some()) | if packet.is_urgent { IS_URGENT } else { 0 });
    if let Some(with) = &packet.with {
        (with.from.clone(), with.cred).put(out);
        let rights = with.rights.iter().map(|row| row.own_id(rows));
        rights.collect::<Vec<u64>>().put(out);
    }
}

fn put_more(more: &More, rows: &Rows, out: &mut Vec<u8>) {
    (more.name.clone(), more.remote.clone()).put(out);
    more.place.put(out);
    [more.is_borrowed, more.listener.is_some()].put(out);
    let is_urgent = more.urgent.is_some() || more.has_urgent || more.passed_bytes > 0;
    let groups = if more.groups.is_empty() { 0 } else { HAS_GROUPS };
    let groups = groups | if is_urgent { HAS_URGENT } else { 0 };
    let groups = groups | if more.is_outside { IS_OUTSIDE } else { 0 };
    let groups = groups | if more.left_bytes > 0 { HAS_LEFT } else { 0 };
    let groups = groups | if more.corked.is_some() { HAS_CORKED } else { 0 };
    let groups = groups | if more.errors.is_empty() { 0 } else { HAS_ERRORS };
    match more.state {
        State::Idle => out.push(groups),
        State::Listening { backlog } => (1 | groups, backlog).put(out),
        State::Connecting { gives_up_ns } => (3 | groups, gives_up_ns).put(out),
    }
    more.link.put(out);
    [more.is_host_chosen, more.is_port_chosen, more.has_port].put(out);
    more.knocking.iter().map(|socket| socket.id).collect::<Vec<u64>>().put(out);
    let pending = more.pending.iter().map(|row| row.own_id(rows));
    pending.collect::<Vec<u64>>().put(out);
    more.room_waiters.put(out);
    let mut options: Vec<([u32; 2], i64)> =
        more.options.iter().map(|((level, name), value)| ([*level, *name], *value)).collect();
    if more.is_accepted {
        options.push((ACCEPTED, 1));
        options.sort_unstable();
    }
    options.put(out);
    if !more.groups.is_empty() {
        more.groups.iter().copied().collect::<Vec<_>>().put(out);
    }
    if is_urgent {
        (more.urgent, more.has_urgent).put(out);
        more.passed_bytes.put(out);
    }
    if more.left_bytes > 0 {
        more.left_bytes.put(out);
    }
    if let Some(corked) = &more.corked {
        corked.bytes.as_slice().put(out);
        ([corked.to.host, corked.own], corked.to.port).put(out);
    }
    if !more.errors.is_empty() {
        (more.errors.len() as u64).put(out);
        for error in &more.errors {
            error.bytes.as_slice().put(out);
            ((error.to.host, error.to.port), error.cost_bytes).put(out);
        }
    }
}

/// A snapshot that is wrong about who waits to be accepted.
const STRANGE_LISTENER: &str = "a connection waits for no listener, or for two";

/// To whom a socket's parts lead, by own ids.
pub(super) struct Links {
    pub(super) row: SocketRow,
    peer: Option<u64>,
    /// Nobody has accepted it.
    is_pending: bool,
    pending: Vec<u64>,
    /// Of each packet: its descriptions.
    rights: Vec<Vec<u64>>,
}

impl Kernel {
    pub(super) fn get_socket(
        &mut self,
        id: u64,
        from: &mut WireReader<'_>,
    ) -> Result<Links, WireError> {
        let [domain, kind, protocol, uid, gid] = Wire::get(from)?;
        let mut socket = Socket::unconnected(id, [domain, kind & !IS_USED, protocol], [uid, gid]);
        let (mut peer, mut pending, mut rights) = (None, Vec::new(), Vec::new());
        let mut is_pending = false;
        if kind & IS_USED != 0 {
            let error = from.error("who a socket is connected to");
            match from.byte()? {
                0 => {}
                1 => socket.peer = Peer::Gone,
                2 => peer = Some(u64::get(from)?),
                3 => socket.peer = Peer::Outside,
                _ => return Err(error),
            }
            for _ in 0..from.count()? {
                let (packet, with) = get_packet(from)?;
                socket.queue.push_back(packet);
                rights.push(with);
            }
            (socket.error, [socket.shut, socket.mode]) = Wire::get(from)?;
            socket.waiters = Wire::get(from)?;
            ([socket.sent_bytes, socket.received_bytes], socket.sndbuf_bytes) = Wire::get(from)?;
            (socket.passes_cred, socket.peer_cred) = Wire::get(from)?;
            if bool::get(from)? {
                let (more, embryos);
                (more, is_pending, embryos) = get_more(from)?;
                (socket.more, pending) = (Some(Box::new(more)), embryos);
            }
        }
        let row = SocketRow::spawn(&mut self.rows, id, socket);
        Ok(Links { row, peer, is_pending, pending, rights })
    }

    /// Tells connections that nobody has accepted who has them.
    fn tie_pending(
        &mut self,
        listener: SocketRow,
        pending: &VecDeque<SocketRow>,
    ) -> Result<(), RestoreError> {
        for embryo in pending {
            let more = self.rows[*embryo].more.as_mut();
            if more.map(|more| more.listener.replace(listener)) != Some(None) {
                return Err(RestoreError::Inconsistent(STRANGE_LISTENER));
            }
        }
        Ok(())
    }

    /// Ties what leads to other rows, and enters names.
    pub(super) fn tie_sockets(&mut self, all: Vec<Links>, refs: &Refs) -> Result<(), RestoreError> {
        let socket = |id: &u64| refs.sockets.get(id).copied().ok_or(DANGLING);
        for links in &all {
            if let Some(peer) = &links.peer {
                self.rows[links.row].peer = Peer::At(socket(peer)?);
            }
            let pending: VecDeque<SocketRow> =
                links.pending.iter().map(socket).collect::<Result<_, _>>()?;
            self.tie_pending(links.row, &pending)?;
            if let Some(more) = &mut self.rows[links.row].more {
                more.pending = pending;
                for waiting in &mut more.knocking {
                    waiting.row = refs.sockets.get(&waiting.id).copied();
                }
            }
            for (packet, rights) in self.rows[links.row].queue.iter_mut().zip(&links.rights) {
                packet.sender.row = refs.sockets.get(&packet.sender.id).copied();
                let rights = rights.iter().map(|id| refs.descriptions.get(id).copied());
                if let Some(with) = &mut packet.with {
                    with.rights = rights.collect::<Option<_>>().ok_or(DANGLING)?;
                }
            }
        }
        for links in &all {
            let more = self.rows[links.row].more.as_deref();
            if more.is_some_and(|more| more.listener.is_some()) != links.is_pending {
                return Err(RestoreError::Inconsistent(STRANGE_LISTENER));
            }
            if let Some(place) = self.rows[links.row].more.as_deref().and_then(|more| more.place) {
                self.check_place(place)?;
            }
            if (self.has_corked(links.row) || self.has_errors(links.row)) && !self.is_udp(links.row)
            {
                return Err(RestoreError::Inconsistent("a socket keeps what is no datagram"));
            }
            let state = &self.rows[links.row];
            let may_go_out = self.is_outside(links.row) && state.domain != AF_UNIX;
            if !may_go_out && (self.is_outside(links.row) || state.peer == Peer::Outside) {
                return Err(RestoreError::Inconsistent("an end outside that is not known"));
            }
            if self.rows[links.row].domain != AF_UNIX {
                self.index_port(links.row);
                self.index_asking(links.row);
                self.index_groups(links.row);
                if self.is_outside(links.row) {
                    self.enter_outside(links.row);
                }
                continue;
            }
            if !self.index_name(links.row) {
                return Err(RestoreError::Inconsistent("two sockets have one name"));
            }
            let state = &self.rows[links.row];
            if let Peer::At(other) = state.peer
                && !state.is_connection()
                && other != links.row
                && self.rows[other].peer != Peer::At(links.row)
            {
                self.list_sender(other, links.row);
            }
        }
        // The owner is written with the description.
        for row in refs.descriptions.values() {
            self.set_socket_owner(*row);
        }
        self.count_flights();
        Ok(())
    }
}

/// A packet, and the ids of the descriptions that travel with it.
fn get_packet(from: &mut WireReader<'_>) -> Result<(Packet, Vec<u64>), WireError> {
    from.charge(memory::packet_bytes(&Packet::default()))?;
    let bytes = Bytes::get(from)?.0;
    let [read, cost_bytes] = Wire::get(from)?;
    let sender = SocketRef { row: None, id: Wire::get(from)? };
    let (mut with, mut rights) = (None, Vec::new());
    let error = from.error("what travels with a packet");
    let bits = from.byte()?;
    let is_urgent = bits & IS_URGENT != 0;
    if bits & !(IS_URGENT | 1) != 0 {
        return Err(error);
    }
    if bits & 1 != 0 {
        let (name, cred) = Wire::get(from)?;
        rights = Wire::get(from)?;
        from.charge(memory::rights_bytes(rights.len()))?;
        with = Some(Box::new(Attached { from: name, cred, rights: Vec::new() }));
    }
    Ok((Packet { bytes, read, cost_bytes, sender, with, is_urgent }, rights))
}

fn get_more(from: &mut WireReader<'_>) -> Result<(More, bool, Vec<u64>), WireError> {
    let mut more = More::default();
    (more.name, more.remote) = Wire::get(from)?;
    more.place = Wire::get(from)?;
    let is_pending;
    [more.is_borrowed, is_pending] = Wire::get(from)?;
    let error = from.error("whether a socket listens");
    let state = from.byte()?;
    more.is_outside = state & IS_OUTSIDE != 0;
    let others = HAS_GROUPS | HAS_URGENT | IS_OUTSIDE | HAS_LEFT | HAS_CORKED | HAS_ERRORS;
    more.state = match state & !others {
        0 => State::Idle,
        1 => State::Listening { backlog: Wire::get(from)? },
        3 => State::Connecting { gives_up_ns: Wire::get(from)? },
        _ => return Err(error),
    };
    more.link = Wire::get(from)?;
    [more.is_host_chosen, more.is_port_chosen, more.has_port] = Wire::get(from)?;
    let knocking: Vec<u64> = Wire::get(from)?;
    more.knocking = knocking.into_iter().map(|id| SocketRef { row: None, id }).collect();
    let pending = Wire::get(from)?;
    more.room_waiters = Wire::get(from)?;
    let options: Vec<([u32; 2], i64)> = Wire::get(from)?;
    from.charge(memory::OPTION_BYTES * options.len() as u64)?;
    more.is_accepted = options.contains(&(ACCEPTED, 1));
    let options = options.into_iter().filter(|(option, _)| *option != ACCEPTED);
    more.options = options.map(|([level, name], value)| ((level, name), value)).collect();
    if state & HAS_GROUPS != 0 {
        let groups: Vec<Host> = Wire::get(from)?;
        from.charge(memory::OPTION_BYTES * groups.len() as u64)?;
        more.groups = groups.into_iter().collect();
    }
    if state & HAS_URGENT != 0 {
        (more.urgent, more.has_urgent) = Wire::get(from)?;
        more.passed_bytes = Wire::get(from)?;
    }
    if state & HAS_LEFT != 0 {
        more.left_bytes = Wire::get(from)?;
    }
    if state & HAS_CORKED != 0 {
        let bytes = Bytes::get(from)?.0;
        let ([host, own], port) = Wire::get(from)?;
        let corked = Corked { bytes, to: Endpoint { host, port }, own };
        from.charge(corked.held_bytes())?;
        more.corked = Some(Box::new(corked));
    }
    if state & HAS_ERRORS != 0 {
        for _ in 0..from.count()? {
            let bytes = Bytes::get(from)?.0;
            let ((host, port), cost_bytes) = Wire::get(from)?;
            let error = QueuedError { bytes, to: Endpoint { host, port }, cost_bytes };
            from.charge(error.held_bytes())?;
            more.errors.push_back(error);
        }
    }
    Ok((more, is_pending, pending))
}

/// A call of a socket that waits.
pub(super) fn put_socket_waiting(on: &Waiting, rows: &Rows, out: &mut Vec<u8>) {
    match on {
        Waiting::SocketRead { description, receiving } => {
            let batch = receiving.batch.as_deref();
            (if batch.is_some() { 66u8 } else { 61 }, description.own_id(rows)).put(out);
            (receiving.count, receiving.flags).put(out);
            (receiving.form, receiving.taken.clone()).put(out);
            if let Some(batch) = batch {
                batch.put(out);
            }
        }
        Waiting::SocketWrite { description, data, written, with } => {
            let batch = with.as_deref().and_then(|with| with.batch.as_deref());
            let tag = if batch.is_some() { 65u8 } else { 62 };
            (tag, [description.own_id(rows), *written]).put(out);
            data.put(out);
            with.is_some().put(out);
            if let Some(with) = with {
                put_manner(with, rows, out);
            }
            if let Some(batch) = batch {
                batch.put(out);
            }
        }
        Waiting::Connect { description, address, at } => {
            (63u8, [description.own_id(rows), at.id]).put(out);
            address.put(out);
        }
        Waiting::Accept { description, fd, flags, over, again } => {
            (64u8, description.own_id(rows)).put(out);
            ([*fd, *flags], *over).put(out);
            again.put(out);
        }
        _ => {}
    }
}

/// How a blocked call sends, beside its bytes.
fn put_manner(manner: &Manner, rows: &Rows, out: &mut Vec<u8>) {
    (manner.flags, manner.to.clone()).put(out);
    let rights = manner.rights.iter().map(|row| row.own_id(rows));
    rights.collect::<Vec<u64>>().put(out);
    (manner.cred, manner.at.map(|at| at.id)).put(out);
}

fn get_manner(from: &mut WireReader<'_>, refs: &Refs) -> Result<Manner, RestoreError> {
    let (flags, to) = Wire::get(from)?;
    let rights: Vec<u64> = Wire::get(from)?;
    let rights = rights.iter().map(|id| refs.descriptions.get(id).copied());
    let rights = rights.collect::<Option<_>>().ok_or(DANGLING)?;
    let (cred, at): (_, Option<u64>) = Wire::get(from)?;
    let at = at.map(|id| refs.socket(id));
    Ok(Manner { flags, to, rights, cred, at, batch: None, is_pages: false, is_urgent: false })
}

fn get_receiving(from: &mut WireReader<'_>) -> Result<Receiving, RestoreError> {
    let (count, flags) = Wire::get(from)?;
    let (form, taken) = Wire::get(from)?;
    Ok(Receiving { taken, ..Receiving::one(count, flags, form) })
}

/// A call of a socket that waits.
pub(super) fn get_socket_waiting(
    tag: u8,
    from: &mut WireReader<'_>,
    refs: &Refs,
) -> Result<Waiting, RestoreError> {
    let description = refs.descriptions.get(&u64::get(from)?).copied().ok_or(DANGLING)?;
    Ok(match tag {
        61 | 66 => {
            let mut receiving = get_receiving(from)?;
            if tag == 66 {
                receiving.batch = Some(Box::new(Wire::get(from)?));
            }
            Waiting::SocketRead { description, receiving }
        }
        62 | 65 => {
            let error = from.error("a write that is not beyond its end");
            let written = u64::get(from)?;
            let data = Bytes::get(from)?;
            if written > data.0.len() as u64 {
                return Err(error.into());
            }
            let has_more = bool::get(from)?;
            let mut with = has_more.then(|| get_manner(from, refs).map(Box::new)).transpose()?;
            if tag == 65 {
                with.get_or_insert_default().batch = Some(Box::new(Wire::get(from)?));
            }
            Waiting::SocketWrite { description, data, written, with }
        }
        63 => {
            let at = refs.socket(Wire::get(from)?);
            Waiting::Connect { description, address: Box::new(Wire::get(from)?), at }
        }
        _ => {
            let ([fd, flags], over) = Wire::get(from)?;
            Waiting::Accept { description, fd, flags, over, again: Wire::get(from)? }
        }
    })
}

impl Refs {
    /// A socket that may be gone.
    pub(super) fn socket(&self, id: u64) -> SocketRef {
        SocketRef { row: self.sockets.get(&id).copied(), id }
    }
}
