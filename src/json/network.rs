//! What comes from the network outside and what goes out to it, as JSON, both ways: `what` says
//! what it is, as `{"what":"bytes","socket":5,"data":"hello"}`.

use super::names::{self, show_errno};
use super::socket::{read_address, show_address};
use super::structs::Fields;
use super::text::{put_bytes, take_bytes};
use super::{JsonError, Object, Request};
use serde_json::Value;
use tickernel_systems::abi::flags::SOCKET_TYPES;
use tickernel_systems::abi::{Address, Errno};
use tickernel_systems::event::{Incoming, Outgoing};
use tickernel_systems::wire::Bytes;

/// Sets the fields of what comes in.
pub(super) fn show_incoming(object: &mut Object, what: &Incoming) {
    let mut put = |name: &str, value: Value| object.insert(name.into(), value);
    match what {
        Incoming::Host { host, is_there } => {
            put("what", "host".into());
            put("host", show_address(host));
            put("is_there", (*is_there).into());
        }
        Incoming::Listener { kind, at, is_there } => {
            put("what", "listener".into());
            put("type", names::show_choice((*kind).into(), SOCKET_TYPES));
            put("at", show_address(at));
            put("is_there", (*is_there).into());
        }
        Incoming::Connect { from, to } => {
            put("what", "connect".into());
            put("from", show_address(from));
            put("to", show_address(to));
        }
        Incoming::Accepted { socket } => {
            put("what", "accepted".into());
            put("socket", (*socket).into());
        }
        Incoming::Failed { socket, errno } => {
            put("what", "failed".into());
            put("socket", (*socket).into());
            put("errno", show_errno(*errno));
        }
        Incoming::Bytes { socket, data } => {
            put("what", "bytes".into());
            put("socket", (*socket).into());
            put_bytes(object, "data", &data.0);
        }
        Incoming::End { socket } => {
            put("what", "end".into());
            put("socket", (*socket).into());
        }
        Incoming::Taken { socket, count } => {
            put("what", "taken".into());
            put("socket", (*socket).into());
            put("count", (*count).into());
        }
        Incoming::Datagram { from, to, data } => {
            put("what", "datagram".into());
            put("from", show_address(from));
            put("to", show_address(to));
            put_bytes(object, "data", &data.0);
        }
    }
}

/// The fields of an object that says with `what` what it is.
struct Line<'o> {
    fields: Fields<'o>,
    object: &'o Object,
    of: &'o str,
}

impl<'o> Line<'o> {
    fn new(object: &'o Object, of: &'o str) -> Self {
        Self { fields: Fields::over(object, of), object, of }
    }

    fn what(&self) -> Result<&'o str, JsonError> {
        let wrong = || JsonError::wrong("what", self.of, "a string");
        self.fields.get("what")?.as_str().ok_or_else(wrong)
    }

    fn socket(&self) -> Result<u64, JsonError> {
        self.fields.number("socket")
    }

    fn address(&self, name: &str) -> Result<Address, JsonError> {
        read_address(self.fields.get(name)?, name)
    }

    /// True if it is left out.
    fn flag(&self, name: &str) -> Result<bool, JsonError> {
        let value = self.object.get(name).map_or(Some(true), Value::as_bool);
        value.ok_or_else(|| JsonError::wrong(name, self.of, "true or false"))
    }

    fn errno(&self) -> Result<Errno, JsonError> {
        let errno = names::errno(self.fields.get("errno")?);
        errno.ok_or_else(|| JsonError::wrong("errno", self.of, "the name of an errno"))
    }

    fn data(&self) -> Result<Bytes, JsonError> {
        let data = take_bytes(self.object, "data", self.of)?;
        data.map(Bytes).ok_or_else(|| JsonError::missing("data", self.of))
    }

    fn none(&self, what: &str) -> JsonError {
        JsonError(format!("{}: there is no \"{what}\" of the network", self.of))
    }
}

/// Reads what comes in: of a line of the twin, or of a request to `drive`.
///
/// # Errors
/// There is nothing so called; a field is missing or of the wrong kind.
pub fn read_incoming(line: &Request) -> Result<Incoming, JsonError> {
    let line = Line::new(line.object(), "incoming");
    Ok(match line.what()? {
        "host" => Incoming::Host { host: line.address("host")?, is_there: line.flag("is_there")? },
        "listener" => Incoming::Listener {
            kind: line.fields.by("type", |value| names::choice(value, SOCKET_TYPES))?,
            at: line.address("at")?,
            is_there: line.flag("is_there")?,
        },
        "connect" => Incoming::Connect { from: line.address("from")?, to: line.address("to")? },
        "accepted" => Incoming::Accepted { socket: line.socket()? },
        "failed" => Incoming::Failed { socket: line.socket()?, errno: line.errno()? },
        "bytes" => Incoming::Bytes { socket: line.socket()?, data: line.data()? },
        "end" => Incoming::End { socket: line.socket()? },
        "taken" => Incoming::Taken { socket: line.socket()?, count: line.fields.number("count")? },
        "datagram" => Incoming::Datagram {
            from: line.address("from")?,
            to: line.address("to")?,
            data: line.data()?,
        },
        other => return Err(line.none(other)),
    })
}

/// Sets the fields of what goes out.
pub(super) fn show_outgoing(object: &mut Object, what: &Outgoing) {
    let (name, socket) = match what {
        Outgoing::Connect { socket, .. } => ("connect", socket),
        Outgoing::Bytes { socket, .. } => ("bytes", socket),
        Outgoing::End { socket } => ("end", socket),
        Outgoing::Reset { socket } => ("reset", socket),
        Outgoing::Datagram { socket, .. } => ("datagram", socket),
    };
    object.insert("what".into(), name.into());
    object.insert("socket".into(), (*socket).into());
    match what {
        Outgoing::Connect { from, to, .. } | Outgoing::Datagram { from, to, .. } => {
            object.insert("from".into(), show_address(from));
            object.insert("to".into(), show_address(to));
        }
        Outgoing::Bytes { .. } | Outgoing::End { .. } | Outgoing::Reset { .. } => {}
    }
    match what {
        Outgoing::Bytes { data, is_urgent, .. } => {
            put_bytes(object, "data", &data.0);
            if *is_urgent {
                object.insert("is_urgent".into(), true.into());
            }
        }
        Outgoing::Datagram { data, .. } => put_bytes(object, "data", &data.0),
        Outgoing::Connect { .. } | Outgoing::End { .. } | Outgoing::Reset { .. } => {}
    }
}

/// Reads [`show_outgoing`]'s form.
pub(super) fn read_outgoing(value: &Value) -> Result<Outgoing, JsonError> {
    let wrong = || JsonError("the field \"outgoing\" must be an object".to_owned());
    let line = Line::new(value.as_object().ok_or_else(wrong)?, "outgoing");
    let socket = line.socket()?;
    Ok(match line.what()? {
        "connect" => {
            Outgoing::Connect { socket, from: line.address("from")?, to: line.address("to")? }
        }
        "bytes" => Outgoing::Bytes {
            socket,
            data: line.data()?,
            is_urgent: line.object.contains_key("is_urgent") && line.flag("is_urgent")?,
        },
        "end" => Outgoing::End { socket },
        "reset" => Outgoing::Reset { socket },
        "datagram" => Outgoing::Datagram {
            socket,
            from: line.address("from")?,
            to: line.address("to")?,
            data: line.data()?,
        },
        other => return Err(line.none(other)),
    })
}
