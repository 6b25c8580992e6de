//! Groups of udp(7): who is a member, which interface a datagram to a group takes, who gets it
//! (ip(7), ipv6(7), "multicast").
//!
//! `lo` is the only interface, index 1. To a group of IPv4 a way leads over it for who says so:
//! with `IP_MULTICAST_IF`, by the host that it is bound to, or bound to the device; to one of IPv6
//! none does (both found by experiment on Linux 6.18). Over `lo` `IP_MULTICAST_LOOP` and
//! `IP_MULTICAST_TTL` change nothing. Not here: sources (`MCAST_JOIN_SOURCE_GROUP`).

use crate::abi::Errno;
use crate::abi::flags::AF_INET6;
use crate::abi::socket::*;
use crate::components::inet::{Endpoint, Host, Reach, as_ipv4, mapped, reach};
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::{RowKind, SocketRow};
use crate::tables::sockets::Ports;
use alloc::vec::Vec;

/// The index of `lo`.
const LOOPBACK_INDEX: i64 = 1;
/// `net.ipv4.igmp_max_memberships`.
const MEMBERSHIPS_MAX: usize = 20;
/// Memberships of IPv6 that a socket's buffer for options has room for (`net.core.optmem_max`).
const MEMBERSHIPS6_MAX: usize = 4096;
/// `224.0.0.1`: every host is a member.
const ALL_HOSTS: Host = mapped([224, 0, 0, 1]);
/// `struct group_req`.
const GROUP_REQUEST_BYTES: i64 = 136;
/// `struct ipv6_mreq`.
const IPV6_REQUEST_BYTES: i64 = 20;

impl Kernel {
    /// Options of groups that are structures: whether this is one, and what comes of it.
    pub(super) fn set_group_option(
        &mut self,
        socket: SocketRow,
        (level, name): (u32, u32),
        value: Option<&OptionValue>,
        length: Option<i64>,
    ) -> Option<Result<(), Errno>> {
        let is_ipv6 = self.rows[socket].domain == AF_INET6;
        let is_stream = self.rows[socket].is_stream();
        match (level, name) {
            (SOL_IP, IP_MULTICAST_IF) => Some(self.set_group_interface(socket, value, length)),
            (SOL_IP, IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP) if is_stream => {
                Some(Err(Errno::EPROTO))
            }
            (SOL_IPV6, IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP) if is_ipv6 && is_stream => {
                let is_short = length.is_some_and(|length| length < IPV6_REQUEST_BYTES);
                Some(Err(if is_short { Errno::EINVAL } else { Errno::EPROTO }))
            }
            (
                SOL_IP,
                IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP | MCAST_JOIN_GROUP | MCAST_LEAVE_GROUP,
            )
            | (
                SOL_IPV6,
                IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP | MCAST_JOIN_GROUP | MCAST_LEAVE_GROUP,
            ) if level == SOL_IP || is_ipv6 => {
                let asked = asked((level, name), value, length);
                let joins = matches!(name, IP_ADD_MEMBERSHIP | MCAST_JOIN_GROUP)
                    || (level, name) == (SOL_IPV6, IPV6_ADD_MEMBERSHIP);
                Some(asked.and_then(|asked| match joins {
                    true => self.join_group(socket, asked),
                    false => self.leave_group(socket, asked),
                }))
            }
            _ => None,
        }
    }

    fn join_group(&mut self, socket: SocketRow, asked: Membership) -> Result<(), Errno> {
        let is_ipv4 = as_ipv4(asked.group).is_some();
        if reach(asked.group) != Reach::Group {
            return Err(Errno::EINVAL);
        }
        let groups = self.rows[socket].more.as_deref().map(|more| &more.groups);
        let is_member = groups.is_some_and(|groups| groups.contains(&asked.group));
        // IPv6 looks at the memberships before it looks for the interface.
        if !is_ipv4 && is_member && matches!(asked.index, 0 | LOOPBACK_INDEX) {
            return Err(Errno::EADDRINUSE);
        }
        if !asked.has_interface() {
            return Err(Errno::ENODEV);
        }
        if is_member {
            return Err(Errno::EADDRINUSE);
        }
        let of_family = |group: &&Host| as_ipv4(**group).is_some() == is_ipv4;
        let count = groups.map_or(0, |groups| groups.iter().filter(of_family).count());
        let most = if is_ipv4 { MEMBERSHIPS_MAX } else { MEMBERSHIPS6_MAX };
        if count >= most || !self.has_memory(memory::OPTION_BYTES) {
            return Err(Errno::ENOBUFS);
        }
        self.hold_bytes(memory::OPTION_BYTES);
        self.rows[socket].more_mut().groups.insert(asked.group);
        self.sockets.members.insert((asked.group, socket.own_id(&self.rows)));
        Ok(())
    }

    fn leave_group(&mut self, socket: SocketRow, asked: Membership) -> Result<(), Errno> {
        let is_ipv4 = as_ipv4(asked.group).is_some();
        if is_ipv4 && asked.index == 0 && asked.interface == [0; 4] {
            return Err(Errno::ENODEV);
        }
        if !is_ipv4 && reach(asked.group) != Reach::Group {
            return Err(Errno::EINVAL);
        }
        let is_there = asked.has_interface() || !is_ipv4 && asked.index == 0;
        let more = self.rows[socket].more.as_deref_mut();
        if !is_there || !more.is_some_and(|more| more.groups.remove(&asked.group)) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        self.unhold_bytes(memory::OPTION_BYTES);
        self.sockets.members.remove(&(asked.group, socket.own_id(&self.rows)));
        Ok(())
    }

    /// Puts the memberships of a socket that was restored into the table.
    pub(crate) fn index_groups(&mut self, socket: SocketRow) {
        let id = socket.own_id(&self.rows);
        let more = self.rows[socket].more.as_deref();
        for group in more.iter().flat_map(|more| &more.groups) {
            self.sockets.members.insert((*group, id));
        }
    }

    /// A socket is gone, and a member of nothing.
    pub(super) fn forget_groups(&mut self, socket: SocketRow) {
        let more = self.rows[socket].more.as_deref_mut().filter(|more| !more.groups.is_empty());
        let Some(more) = more else { return };
        let groups = core::mem::take(&mut more.groups);
        let id = socket.own_id(&self.rows);
        for group in groups {
            self.unhold_bytes(memory::OPTION_BYTES);
            self.sockets.members.remove(&(group, id));
        }
    }

    /// `IP_MULTICAST_IF`: a host of the interface, or its index and a host.
    fn set_group_interface(
        &mut self,
        socket: SocketRow,
        value: Option<&OptionValue>,
        length: Option<i64>,
    ) -> Result<(), Errno> {
        if self.rows[socket].is_stream() || length.is_some_and(|length| length < 4) {
            return Err(Errno::EINVAL);
        }
        let (interface, index) = match value {
            Some(OptionValue::Number(number)) => ((*number as u32).to_le_bytes(), 0),
            Some(OptionValue::Group(_, interface, index)) => (*interface, *index),
            Some(OptionValue::Text(text)) => match *text.0.as_slice() {
                [_, _, _, _, a, b, c, d, n, 0, 0, 0] => ([a, b, c, d], n.into()),
                [_, _, _, _, a, b, c, d] => ([a, b, c, d], 0),
                [a, b, c, d] => ([a, b, c, d], 0),
                _ => return Err(Errno::EINVAL),
            },
            Some(_) => return Err(Errno::EINVAL),
            None => return Err(Errno::EFAULT),
        };
        let is_own = reach(mapped(interface)) == Reach::Local;
        let index = match (index, interface) {
            (0, [0, 0, 0, 0]) => 0,
            (0, _) if is_own => LOOPBACK_INDEX,
            (LOOPBACK_INDEX, _) => LOOPBACK_INDEX,
            _ => return Err(Errno::EADDRNOTAVAIL),
        };
        let packed = index << 32 | i64::from(u32::from_le_bytes(interface));
        self.keep_option(socket, SOL_IP, IP_MULTICAST_IF, packed);
        Ok(())
    }

    /// The host of `IP_MULTICAST_IF` as getsockopt(2) gives it.
    pub(super) fn group_interface(&self, socket: SocketRow) -> i64 {
        let packed = self.rows[socket].option(SOL_IP, IP_MULTICAST_IF).unwrap_or(0);
        i64::from(packed as u32 as i32)
    }

    /// The host from which a datagram to a group, or to all, comes: an error if no way leads there.
    pub(super) fn group_source(&self, socket: SocketRow, to: Host) -> Result<Host, Errno> {
        let (Some(_), bound) = (as_ipv4(to), self.endpoint(socket).host) else {
            return Err(Errno::ENETUNREACH);
        };
        if reach(bound) == Reach::Local && as_ipv4(bound).is_some() {
            return Ok(bound);
        }
        let packed = self.rows[socket].option(SOL_IP, IP_MULTICAST_IF).unwrap_or(0);
        if packed != 0 && reach(to) == Reach::Group {
            return Ok(mapped((packed as u32).to_le_bytes()));
        }
        let is_bound = self.rows[socket].option(SOL_SOCKET, SO_BINDTODEVICE).unwrap_or(0) != 0;
        // The hosts of `lo` are for itself alone: none is chosen.
        if is_bound { Ok(mapped([0; 4])) } else { Err(Errno::ENETUNREACH) }
    }

    /// Who gets a datagram to a group, or to all hosts.
    pub(super) fn receivers(&self, to: Endpoint, from: Endpoint) -> Vec<SocketRow> {
        let is_group = reach(to.host) == Reach::Group;
        let first = (to.host, 0)..=(to.host, u64::MAX);
        if is_group && to.host != ALL_HOSTS && self.sockets.members.range(first).next().is_none() {
            return Vec::new();
        }
        let takes = |other: &SocketRow| {
            let bound = self.endpoint(*other);
            let is_meant = bound.host == to.host || bound.is_any() && !self.is_ipv6_alone(*other);
            let is_peer = self.remote_endpoint(*other).is_none_or(|remote| remote == from);
            let state = &self.rows[*other];
            let more = state.more.as_deref();
            let is_member = more.is_some_and(|more| more.groups.contains(&to.host));
            let takes_all = state.option(SOL_IP, IP_MULTICAST_ALL).unwrap_or(1) != 0;
            is_meant && is_peer && (!is_group || is_member || takes_all)
        };
        self.sockets.at(Ports::Udp, to.port).filter(takes).collect()
    }
}

/// What an option of membership asks for.
struct Membership {
    group: Host,
    interface: [u8; 4],
    index: i64,
}

impl Membership {
    /// Whether it names `lo`.
    fn has_interface(&self) -> bool {
        match self.index {
            0 => reach(mapped(self.interface)) == Reach::Local && as_ipv4(self.group).is_some(),
            index => index == LOOPBACK_INDEX,
        }
    }
}

fn asked(
    (level, name): (u32, u32),
    value: Option<&OptionValue>,
    length: Option<i64>,
) -> Result<Membership, Errno> {
    let is_request = matches!(name, MCAST_JOIN_GROUP | MCAST_LEAVE_GROUP);
    let least_bytes = match level {
        _ if is_request => GROUP_REQUEST_BYTES,
        SOL_IP => 8,
        _ => IPV6_REQUEST_BYTES,
    };
    let Some(value) = value else {
        let is_short = length.is_none_or(|length| length < least_bytes);
        return Err(if is_short { Errno::EINVAL } else { Errno::EFAULT });
    };
    let OptionValue::Group(group, interface, index) = value else { return Err(Errno::EINVAL) };
    if length.is_some_and(|length| length < least_bytes) {
        return Err(Errno::EINVAL);
    }
    let is_ipv4 = as_ipv4(*group).is_some();
    match (level, is_request) {
        (SOL_IP, _) if !is_ipv4 => return Err(Errno::EINVAL),
        (SOL_IPV6, true) if is_ipv4 => return Err(Errno::EADDRNOTAVAIL),
        // A host of IPv4 is no group of IPv6.
        (SOL_IPV6, false) if is_ipv4 => return Err(Errno::EINVAL),
        _ => {}
    }
    let interface = if is_request { [0; 4] } else { *interface };
    // The index is there only in the longer structure (`struct ip_mreqn`).
    let is_long = level != SOL_IP || is_request || length.is_none_or(|length| length >= 12);
    Ok(Membership { group: *group, interface, index: if is_long { *index } else { 0 } })
}
