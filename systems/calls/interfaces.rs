//! Requests of network interfaces (netdevice(7)): the machine has `lo` and no other.
//!
//! Any socket answers what is the interface's; addresses are told by sockets of ip(7). A name with
//! a colon is an alias: of the interface itself it says the same, an address it has not. Found by
//! experiment on Linux 6.18.

use crate::abi::flags::*;
use crate::abi::{Errno, Interface, InterfaceValue};
use crate::event::{Answer, IoctlArg, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::rows::SocketRow;

const LOOPBACK_INDEX: i32 = 1;
const LOOPBACK_FLAGS: u32 = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
const LOOPBACK_MTU: i64 = 65_536;
const LOOPBACK_QUEUE: i64 = 1000;
/// `ARPHRD_LOOPBACK`.
const LOOPBACK_HARDWARE: u16 = 772;
const LOOPBACK_ADDRESS: [u8; 4] = [127, 0, 0, 1];
const LOOPBACK_MASK: [u8; 4] = [255, 0, 0, 0];
const NAME: &[u8] = b"lo";
/// `struct ifreq`.
const REQUEST_BYTES: i64 = 40;

impl Kernel {
    /// What a socket answers to a request that is none of its own.
    pub(super) fn interface_ioctl(
        &self,
        socket: SocketRow,
        request: u64,
        arg: IoctlArg,
    ) -> CallResult {
        if request == SIOCGIFCONF {
            return Ok(Answer::with(configured(arg)));
        }
        let is_inet = self.rows[socket].domain == AF_INET;
        let IoctlArg::Interface(asked) = arg else { return Err(Errno::EFAULT.into()) };
        if request == SIOCGIFNAME {
            return match asked.value {
                InterfaceValue::Index(LOOPBACK_INDEX) => {
                    Ok(Answer::with(Payload::Interface(Interface { name: named(NAME), ..asked })))
                }
                _ => Err(Errno::ENODEV.into()),
            };
        }
        let of_address =
            matches!(request, SIOCGIFADDR | SIOCGIFNETMASK | SIOCGIFBRDADDR | SIOCGIFDSTADDR);
        if of_address && !is_inet {
            return Err(Errno::ENOTTY.into());
        }
        let end = asked.name.iter().position(|byte| *byte == 0).unwrap_or(15).min(15);
        let name = &asked.name[..end];
        let device = name.split(|byte| *byte == b':').next().unwrap_or(name);
        if device != NAME {
            return Err(Errno::ENODEV.into());
        }
        if of_address && device.len() != name.len() {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        let value = match request {
            SIOCGIFINDEX => InterfaceValue::Index(LOOPBACK_INDEX),
            SIOCGIFFLAGS => InterfaceValue::Flags(LOOPBACK_FLAGS),
            SIOCGIFADDR | SIOCGIFDSTADDR => InterfaceValue::Address(LOOPBACK_ADDRESS),
            SIOCGIFNETMASK => InterfaceValue::Address(LOOPBACK_MASK),
            SIOCGIFBRDADDR => InterfaceValue::Address([0; 4]),
            SIOCGIFMTU => InterfaceValue::Number(LOOPBACK_MTU),
            SIOCGIFTXQLEN => InterfaceValue::Number(LOOPBACK_QUEUE),
            SIOCGIFMETRIC => InterfaceValue::Number(0),
            _ => InterfaceValue::Hardware(LOOPBACK_HARDWARE),
        };
        Ok(Answer::with(Payload::Interface(Interface { value, ..asked })))
    }
}

/// SIOCGIFCONF: all that have an address of ip(7), as far as there is room; without a buffer how
/// much room they want.
fn configured(arg: IoctlArg) -> Payload {
    let room = match arg {
        IoctlArg::Number(room) => room,
        _ => 0,
    };
    let fits = room >= REQUEST_BYTES;
    let all = fits
        .then(|| Interface { name: named(NAME), value: InterfaceValue::Address(LOOPBACK_ADDRESS) });
    let bytes = if fits || room == 0 { REQUEST_BYTES } else { 0 };
    Payload::Interfaces(bytes, all.into_iter().collect())
}

fn named(name: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name);
    bytes
}
