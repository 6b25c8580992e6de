//! Datagrams that are gathered before they go (udp(7), `UDP_CORK`; send(2), `MSG_MORE`).
//!
//! The first part says to whom, whatever the others say; the first without `MSG_MORE`, or the end
//! of `UDP_CORK`, sends all. What becomes too long is thrown away. Over IPv4 a connect(2) meanwhile
//! turns it to the new address (`cork.fl` of Linux 6.18 is what that looks up). The same of tcp(7)
//! is not here: there a part of a segment is held back for 200 ms at most (`TCP_CORK`, found by
//! experiment: a reader on the same host sees that), and whoever does not look at the clock gets
//! the same bytes.

use crate::abi::flags::{AF_INET, AF_UNSPEC};
use crate::abi::socket::{IPV6_V6ONLY, MSG_MORE, SOL_IPV6, SOL_UDP, UDP_CORK};
use crate::abi::{Address, Errno};
use crate::components::inet::{Endpoint, Host, as_ipv4};
use crate::components::socket::{Corked, More};
use crate::kernel::Kernel;
use crate::rows::SocketRow;
use alloc::boxed::Box;

impl Kernel {
    /// Whether what a socket sends waits for more.
    pub(super) fn gathers(&self, socket: SocketRow, flags: u32) -> bool {
        flags & MSG_MORE != 0 || self.rows[socket].more.as_deref().is_some_and(More::is_corked)
    }

    pub(crate) fn has_corked(&self, socket: SocketRow) -> bool {
        self.rows[socket].more.as_deref().is_some_and(|more| more.corked.is_some())
    }

    /// The first part of a datagram.
    pub(super) fn begin_corked(
        &mut self,
        socket: SocketRow,
        data: &[u8],
        (to, own): (Endpoint, Host),
    ) -> Result<(), Errno> {
        let corked = Corked { bytes: data.to_vec(), to, own };
        if !self.has_memory(corked.held_bytes()) {
            return Err(Errno::ENOBUFS);
        }
        self.hold_bytes(corked.held_bytes());
        self.rows[socket].more_mut().corked = Some(Box::new(corked));
        Ok(())
    }

    /// What is wrong with another part. To whom it goes is said already; only that it is of IPv4
    /// while the datagram is not is looked at.
    pub(super) fn check_corked(
        &self,
        socket: SocketRow,
        data: &[u8],
        flags: u32,
        to: Option<&Address>,
    ) -> Result<(), Errno> {
        if self.rows[socket].domain == AF_INET {
            return Ok(());
        }
        let more = self.rows[socket].more.as_deref();
        let corked = more.and_then(|more| more.corked.as_deref());
        let is_ipv4 = corked.is_some_and(|corked| as_ipv4(corked.to.host).is_some());
        let says_ipv4 = match to {
            Some(Address::Inet(..)) => true,
            Some(Address::Inet6(host, _)) => as_ipv4(*host).is_some(),
            Some(Address::Other(family)) if u32::from(*family) != AF_UNSPEC => {
                return Err(Errno::EINVAL);
            }
            Some(Address::Unnamed | Address::Unix(_) | Address::Abstract(_)) => {
                return Err(Errno::EINVAL);
            }
            None | Some(Address::Other(_)) => false,
        };
        if says_ipv4 && self.rows[socket].option(SOL_IPV6, IPV6_V6ONLY) == Some(1) {
            return Err(Errno::ENETUNREACH);
        }
        if says_ipv4 || is_ipv4 {
            super::udp::check_ipv4(data, flags)?;
        }
        if says_ipv4 && !is_ipv4 { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// connect(2) while a datagram is gathered.
    pub(super) fn turn_corked(&mut self, socket: SocketRow, (to, own): (Endpoint, Host)) {
        let more = self.rows[socket].more.as_deref_mut();
        if let Some(corked) = more.and_then(|more| more.corked.as_deref_mut())
            && as_ipv4(corked.to.host).is_some()
            && as_ipv4(to.host).is_some()
        {
            (corked.to, corked.own) = (to, own);
        }
    }

    /// Another part; the datagram goes if that was the last.
    pub(super) fn add_corked(
        &mut self,
        socket: SocketRow,
        data: &[u8],
        flags: u32,
    ) -> Result<(), Errno> {
        let more = self.rows[socket].more.as_deref();
        let Some(corked) = more.and_then(|more| more.corked.as_deref()) else { return Ok(()) };
        let headers = super::udp::headers_of(as_ipv4(corked.to.host).is_some());
        let is_too_long = corked.bytes.len() + data.len() > super::udp::LENGTH_MAX - headers;
        if is_too_long || !self.has_memory(data.len() as u64) {
            self.take_corked(socket);
            return Err(if is_too_long { Errno::EMSGSIZE } else { Errno::ENOBUFS });
        }
        self.hold_bytes(data.len() as u64);
        if let Some(corked) = &mut self.rows[socket].more_mut().corked {
            corked.bytes.extend_from_slice(data);
        }
        if !self.gathers(socket, flags) {
            self.push_corked(socket);
        }
        Ok(())
    }

    /// What was gathered goes.
    pub(super) fn push_corked(&mut self, socket: SocketRow) {
        if let Some(corked) = self.take_corked(socket) {
            self.send_datagram(socket, &corked.bytes, (corked.to, corked.own));
        }
    }

    /// What was gathered does not go.
    pub(super) fn take_corked(&mut self, socket: SocketRow) -> Option<Box<Corked>> {
        let corked = self.rows[socket].more.as_deref_mut()?.corked.take()?;
        self.unhold_bytes(corked.held_bytes());
        Some(corked)
    }
}

impl More {
    /// `UDP_CORK`.
    pub(super) fn is_corked(&self) -> bool {
        !self.options.is_empty() && self.options.get(&(SOL_UDP, UDP_CORK)) == Some(&1)
    }
}
