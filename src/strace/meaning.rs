//! Values whose print says more than a number: ports and addresses, device numbers, wait status,
//! signal sets. Each accepts both print styles (FORMAT.md section 3).

use super::value::{Array, Operator, Value};

/// A status as wait4 and waitid store it, in strace's macros. Signals stay values: a name in
/// every print style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitStatus<'a> {
    /// `WIFEXITED(s) && WEXITSTATUS(s) == 3`
    Exited(i64),
    /// `WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL`
    Signaled {
        /// The signal.
        signal: &'a Value,
        /// `&& WCOREDUMP(s)`
        core: bool,
    },
    /// `WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP`
    Stopped(&'a Value),
    /// `WIFCONTINUED(s)`
    Continued,
}

impl Value {
    /// A port in host order: `htons(80)`, or two bytes in network order.
    pub fn as_port(&self) -> Option<u16> {
        match self.bare() {
            Value::Macro(name, args) if &**name == "htons" => match args.as_slice() {
                [port] => port.number().and_then(|port| u16::try_from(port).ok()),
                _ => None,
            },
            Value::Str(text) if !text.cut => {
                <[u8; 2]>::try_from(text.bytes.as_slice()).ok().map(u16::from_be_bytes)
            }
            _ => None,
        }
    }

    /// An IPv4 address: `inet_addr("127.0.0.1")`, or four bytes.
    pub fn as_ipv4(&self) -> Option<[u8; 4]> {
        match self.bare() {
            Value::Macro(name, args) if &**name == "inet_addr" => {
                let text = args.first()?.as_bytes()?;
                let text = std::str::from_utf8(text).ok()?;
                text.parse().ok().map(|address: std::net::Ipv4Addr| address.octets())
            }
            Value::Str(text) if !text.cut => text.bytes.as_slice().try_into().ok(),
            _ => None,
        }
    }

    /// An IPv6 address: `inet_pton(AF_INET6, "::1", ...)`, or sixteen bytes.
    pub fn as_ipv6(&self) -> Option<[u8; 16]> {
        match self.bare() {
            Value::Macro(name, args) if &**name == "inet_pton" => {
                let text = args.get(1)?.as_bytes()?;
                let text = std::str::from_utf8(text).ok()?;
                text.parse().ok().map(|address: std::net::Ipv6Addr| address.octets())
            }
            Value::Str(text) if !text.cut => text.bytes.as_slice().try_into().ok(),
            _ => None,
        }
    }

    /// Major and minor device number: `makedev(0xfe, 0)`, or the number that stat gives
    /// (makedev(3): twelve low bits of the major from bit 8, eight low bits of the minor from 0,
    /// the minor's others from bit 20).
    pub fn as_device(&self) -> Option<(u32, u32)> {
        if let Value::Macro(name, args) = self.bare() {
            return match args.as_slice() {
                [major, minor] if &**name == "makedev" => {
                    let (major, minor) = (major.number()?, minor.number()?);
                    Some((u32::try_from(major).ok()?, u32::try_from(minor).ok()?))
                }
                _ => None,
            };
        }
        let number = u64::try_from(self.number()?).ok()?;
        let major = (number >> 8 & 0xfff) | (number >> 32 & 0xffff_f000);
        let minor = (number & 0xff) | (number >> 12 & 0xffff_ff00);
        Some((u32::try_from(major).ok()?, u32::try_from(minor).ok()?))
    }

    /// The status that wait4 stored: `[{WIFEXITED(s) && ...}]`, older versions `[WIFEXITED(s)
    /// ...]`.
    pub fn as_wait_status(&self) -> Option<WaitStatus<'_>> {
        match self.bare() {
            Value::Array(array) => array.items.first()?.as_wait_status(),
            Value::Struct(structure) => structure.members.first()?.value.as_wait_status(),
            Value::Macro(name, _) if &**name == "WIFCONTINUED" => Some(WaitStatus::Continued),
            Value::Operation(Operator::And, terms) => wait_status(terms),
            _ => None,
        }
    }

    /// Signals (or other members) of a set, and whether the set is the complement of these.
    /// NULL and addresses are no set.
    pub fn as_set(&self) -> Option<(bool, &[Value])> {
        match self.bare() {
            Value::Array(Array { items, complement, more: false, .. }) => {
                Some((*complement, items))
            }
            _ => None,
        }
    }
}

fn wait_status(terms: &[Value]) -> Option<WaitStatus<'_>> {
    let operand = match terms.get(1)? {
        Value::Operation(Operator::Equals, sides) => sides.get(1)?,
        _ => return None,
    };
    let Value::Macro(kind, _) = terms.first()? else { return None };
    match &**kind {
        "WIFEXITED" => operand.as_i64().map(WaitStatus::Exited),
        "WIFSIGNALED" => {
            let core =
                matches!(terms.get(2), Some(Value::Macro(name, _)) if &**name == "WCOREDUMP");
            Some(WaitStatus::Signaled { signal: operand, core })
        }
        "WIFSTOPPED" => Some(WaitStatus::Stopped(operand)),
        _ => None,
    }
}
