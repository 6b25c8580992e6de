//! Would a call on a socket or a terminal give its recorded result (`probe.rs`)? What another end
//! sent is there or not; how much of it had come by then follows from the machine.

use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::FIONREAD;
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::{Kernel, SocketView};

use super::probe::{Probe, Want};
use crate::replay::{CUT, Expected, Recorded};

/// Looks at a call that only such an end takes.
pub(super) fn probe(kernel: &Kernel, tid: u32, call: &Call<'_>, expected: &Expected) -> Probe {
    let socket = |fd: i32| kernel.fd_view(tid, fd).and_then(|view| view.socket);
    let found = match *call {
        Call::Recvfrom { sockfd, count, .. } | Call::Recvmsg { sockfd, count, .. } => {
            let asked = (tid, sockfd, count);
            socket(sockfd).map(|socket| read_socket(kernel, asked, &socket, expected))
        }
        Call::Accept { sockfd } | Call::Accept4 { sockfd, .. } => {
            socket(sockfd).map(|socket| accept(&socket, expected.recorded))
        }
        Call::Ioctl { fd, request: FIONREAD, .. } => readable(kernel, tid, fd, expected),
        _ => None,
    };
    found.unwrap_or(Probe::Unknown)
}

/// How many bytes a terminal has to read.
fn readable(kernel: &Kernel, tid: u32, fd: i32, expected: &Expected) -> Option<Probe> {
    let view = kernel.fd_view(tid, fd)?.terminal?;
    let Payload::Number(told) = expected.payload else { return None };
    let differs = i64::try_from(view.readable_bytes) != Ok(told);
    differs.then(|| Probe::Wants(Want::Ready(Vec::from([view.id]))))
}

/// Whether an accept(2) finds what it found.
fn accept(socket: &SocketView, recorded: Recorded) -> Probe {
    match (recorded, socket.pending) {
        (Recorded::Value(_), Some(1..)) => Probe::Right,
        (Recorded::Value(_), Some(0)) => Probe::Wants(Want::Ready(Vec::from([socket.id]))),
        (Recorded::Errno(Errno::EAGAIN), Some(0)) => Probe::Right,
        (Recorded::Value(_) | Recorded::Errno(_) | Recorded::Never, _) => Probe::Unknown,
    }
}

/// Whether a read of a socket gives what it gave.
pub(super) fn read_socket(
    kernel: &Kernel,
    (tid, fd, count): (u32, i32, u64),
    socket: &SocketView,
    expected: &Expected,
) -> Probe {
    let wants = || Probe::Wants(Want::Ready(Vec::from([socket.id])));
    let is_quiet = !socket.has_packet && !socket.has_error && !socket.is_over;
    let value = match expected.recorded {
        Recorded::Value(value) => u64::try_from(value).unwrap_or(0),
        Recorded::Errno(Errno::EAGAIN) if is_quiet => return Probe::Right,
        Recorded::Errno(Errno::ECONNRESET | Errno::ECONNREFUSED) if !socket.has_error => {
            return wants();
        }
        Recorded::Errno(_) | Recorded::Never => return Probe::Unknown,
    };
    match value {
        _ if !socket.is_stream && socket.has_packet => Probe::Unknown,
        0 if count == 0 || socket.is_over => Probe::Right,
        0 => wants(),
        wanted if socket.bytes < wanted => wants(),
        wanted => match (kernel.socket_bytes(tid, fd, wanted), &expected.payload) {
            (Some(here), Payload::Data(data)) if expected.flags & CUT == 0 && data.0 == here => {
                Probe::Right
            }
            (Some(here), Payload::Received(told))
                if expected.flags & CUT == 0 && told.data.0 == here =>
            {
                Probe::Right
            }
            _ => Probe::Unknown,
        },
    }
}

/// A read of a terminal: the bytes that it got, and perhaps not yet those behind them.
pub(super) fn read_terminal(
    kernel: &Kernel,
    (tid, fd, count): (u32, i32, u64),
    id: u64,
    expected: &Expected,
) -> Probe {
    let wants = || Probe::Wants(Want::Ready(Vec::from([id])));
    let Some(now) = kernel.terminal_read(tid, fd, count) else { return Probe::Unknown };
    match (expected.recorded, now) {
        (Recorded::Value(0), Ok(Some(data))) if data.is_empty() => Probe::Right,
        (Recorded::Value(0), Ok(None)) => wants(),
        // There is more, or an error.
        (Recorded::Value(0), _) => Probe::Unknown,
        (Recorded::Value(value), now) => {
            let now = now.ok().flatten().unwrap_or_default();
            let read = usize::try_from(value).unwrap_or(0);
            match (now.get(..read), &expected.payload) {
                (None, _) => wants(),
                (Some(now), Payload::Data(data)) if expected.flags & CUT == 0 && data.0 != now => {
                    Probe::Unknown
                }
                (Some(_), _) => Probe::Right,
            }
        }
        (Recorded::Errno(Errno::EAGAIN), Ok(None)) => Probe::Right,
        (Recorded::Errno(Errno::EIO), Err(Errno::EIO)) => Probe::Right,
        (Recorded::Errno(Errno::EIO), Ok(_)) => wants(),
        (Recorded::Errno(_) | Recorded::Never, _) => Probe::Unknown,
    }
}
