//! Files and objects that the kernel does not model, but that the session has open: a file of the
//! host's /proc or /sys (IMPORT.md section 13), an object of a call that is unknown. `/dev/null`
//! stands in its place, and what is asked of it is answered as recorded.

use tickernel_systems::abi::Errno;
use tickernel_systems::event::Call;
use tickernel_systems::fs::Node;
use tickernel_systems::wire::{Wire, WireReader};

use super::decode::{Decoded, unmodelled};
use super::order::Order;
use super::paths;
use crate::replay::{FED, FED_PROC, Recorded, Role};
use crate::strace::{self, Value};

/// Whether a path is one of the host's own files.
fn is_host_path(path: &[u8]) -> bool {
    [&b"/proc/"[..], b"/sys/"].iter().any(|top| path.starts_with(top)) || path == b"/proc"
}

/// Whether a descriptor's text is that of a socket beyond unix(7).
fn is_network(text: &[u8]) -> bool {
    [&b"NETLINK:"[..], b"TCP:", b"TCPv6:", b"UDP:", b"UDPv6:", b"PACKET:", b"PING:"]
        .iter()
        .any(|kind| text.starts_with(kind))
}

impl Order<'_> {
    /// Makes a call on what is not modelled one that is answered as recorded.
    pub(super) fn substitute(&self, tid: u32, call: &strace::Call, decoded: &mut Decoded) {
        let Some(bytes) = &decoded.call else { return };
        let Ok(parsed) = Call::get(&mut WireReader::new(bytes)) else { return };
        if decoded.expected.role != Role::Call {
            return;
        }
        if self.names_host_file(tid, &parsed, decoded.expected.recorded) {
            decoded.call = Some(unmodelled(&call.name));
            decoded.expected.flags |= FED | FED_PROC;
            return;
        }
        let Some(text) = self.stands_in(tid, call, &parsed) else { return };
        decoded.call = Some(unmodelled(&call.name));
        if is_host_path(&text) {
            decoded.expected.flags |= FED | FED_PROC;
        } else if is_network(&text) {
            // What comes from a peer that was not recorded is an input (IMPORT.md section 12).
            decoded.expected.flags |= FED;
        } else {
            decoded.expected.role = Role::Unsupported;
        }
    }

    /// A name below /proc that is there in the recording and not in the kernel, or the list of
    /// /proc, which shows the host's processes.
    fn names_host_file(&self, tid: u32, call: &Call<'_>, recorded: Recorded) -> bool {
        let ok = matches!(recorded, Recorded::Value(_));
        // Of a process that is not the session's: what it refuses is the host's to know.
        let refused = matches!(recorded, Recorded::Errno(errno) if errno != Errno::ENOENT);
        if !ok && !refused {
            return false;
        }
        if let Call::Getdents64 { fd, .. } = call {
            let place = self.kernel.fd_view(tid, *fd).and_then(|view| view.place);
            return place.is_some_and(|place| {
                matches!(place.node, Node::Proc(_)) && self.kernel.path_of(tid, place) == b"/proc"
            });
        }
        paths::uses(call).iter().filter(|one| !one.path.is_empty()).any(|one| {
            let path = self.whole_path(tid, one.dirfd, one.path);
            let opens = matches!(call, Call::Open { .. } | Call::Openat { .. });
            path.starts_with(b"/proc/")
                && self.kernel.resolve(tid, one.dirfd, one.path, one.follow) == Err(Errno::ENOENT)
                || ok && opens && path.starts_with(b"/sys/")
        })
    }

    fn whole_path(&self, tid: u32, dirfd: i32, path: &[u8]) -> Vec<u8> {
        if path.first() == Some(&b'/') {
            return path.to_vec();
        }
        let start = self.kernel.start_place(tid, dirfd);
        let mut whole = start.map_or_else(Vec::new, |place| self.kernel.path_of(tid, place));
        whole.push(b'/');
        whole.extend_from_slice(path);
        whole
    }

    /// What the recording says that a descriptor is, if the kernel has a stand-in there.
    fn stands_in(&self, tid: u32, call: &strace::Call, parsed: &Call<'_>) -> Option<Vec<u8>> {
        let keeps = matches!(
            parsed,
            Call::Close { .. }
                | Call::Dup { .. }
                | Call::Dup2 { .. }
                | Call::Dup3 { .. }
                | Call::CloseRange { .. }
                | Call::Fcntl { .. }
        );
        if keeps {
            return None;
        }
        if matches!(parsed, Call::Poll { .. } | Call::Ppoll { .. }) {
            let fds = call.arg(0).and_then(Value::items).unwrap_or_default();
            let fds = fds.iter().filter_map(|item| item.field("fd")?.as_fd());
            return fds.filter_map(|fd| self.stand_in_at(tid, fd)).next();
        }
        self.stand_in_at(tid, call.arg(0).and_then(Value::as_fd)?)
    }

    fn stand_in_at(&self, tid: u32, fd: &strace::Fd) -> Option<Vec<u8>> {
        let number = fd.number.as_i32()?;
        let foreign = is_host_path(&fd.text) || fd.text.first() != Some(&b'/');
        if !foreign || fd.text.starts_with(b"pipe:") {
            return None;
        }
        let view = self.kernel.fd_view(tid, number)?;
        if is_network(&fd.text) && view.place.is_none() && view.pipe.is_none() {
            return Some(fd.text.clone());
        }
        let place = view.place.filter(|_| view.pipe.is_none())?;
        let null = self.kernel.fs().at_path(b"/dev/null").ok()?;
        (place == null).then(|| fd.text.clone())
    }
}
