//! Would a call give its recorded result if it were run now? And if not, what is it waiting for?
//! (IMPORT.md section 1, rule "lazy with demand".) Looks only; runs nothing.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{EpollEvent, Errno, PollFd};
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::fs::{InodeId, Pages, Place};
use tickernel_systems::{ChildView, CounterView, Kernel, WaitsView};

use super::{ends, paths, polls};
use crate::replay::{CUT, Expected, Recorded, stat_bits};

/// Bytes of a page of a pipe (pipe(7)).
const PAGE_BYTES: u64 = 4096;

/// What a look at a call finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It would give the recorded result.
    Right,
    /// It would not: something is missing.
    Wants(Want),
    /// A look cannot tell.
    Unknown,
}

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// So many bytes more in a pipe, and no more if the last is true.
    Bytes(u64, u64, bool),
    /// Room in a pipe.
    Room(u64),
    /// Another value of a counter of eventfd(2).
    Counter(u64),
    /// A later time: a timer goes off then.
    Time(u64),
    /// Signals that are read: their descriptor, and what they were.
    Signals(i32),
    /// The last writer of a pipe gone.
    NoWriter(u64),
    /// The last reader of a pipe gone.
    NoReader(u64),
    /// Another state of what is polled.
    Ready(Vec<u64>),
    /// A change of a child.
    Child,
    /// Another size of a file: its inode.
    File(InodeId),
    /// A change of a name: its last component.
    Name(Vec<u8>),
    /// A continuation of the caller's process.
    Continue,
}

/// Looks at a call of a task.
pub fn probe(kernel: &mut Kernel, tid: u32, call: &Call<'_>, expected: &Expected) -> Probe {
    if kernel.is_stopped(tid) {
        return Probe::Wants(Want::Continue);
    }
    match *call {
        Call::Read { fd, count } | Call::Readv { fd, count } => {
            read(kernel, tid, fd, count, expected)
        }
        Call::Recvfrom { .. }
        | Call::Recvmsg { .. }
        | Call::Accept { .. }
        | Call::Accept4 { .. }
        | Call::Ioctl { request: FIONREAD, .. } => ends::probe(kernel, tid, call, expected),
        // Room is needed too, of which this says nothing.
        Call::Splice { fd_in, len, .. } | Call::Tee { fd_in, len, .. }
            if kernel.fd_view(tid, fd_in).is_some_and(|view| view.pipe.is_some()) =>
        {
            match read(kernel, tid, fd_in, len, expected) {
                wants @ Probe::Wants(_) => wants,
                Probe::Right | Probe::Unknown => Probe::Unknown,
            }
        }
        Call::Write { fd, data } | Call::Writev { fd, data } => {
            write(kernel, tid, fd, data.len() as u64, expected)
        }
        Call::Poll { ref fds, .. } | Call::Ppoll { ref fds, .. } => {
            polls::poll(kernel, tid, fds, expected)
        }
        Call::EpollWait { epfd, maxevents, .. }
        | Call::EpollPwait { epfd, maxevents, .. }
        | Call::EpollPwait2 { epfd, maxevents, .. } => {
            epoll(kernel, tid, epfd, maxevents, expected)
        }
        Call::Select { .. } | Call::Pselect6 { .. } => polls::select(kernel, tid, call, expected),
        Call::Wait4 { wpid, options } => child(kernel, tid, wpid, options | WEXITED, expected),
        Call::Waitid { idtype, id, options } => {
            let wpid = match idtype {
                P_ALL => -1,
                P_PID => id as i32,
                P_PGID if id == 0 => 0,
                P_PGID => -(id as i32),
                P_PIDFD => match kernel.fd_view(tid, id as i32).and_then(|view| view.process) {
                    Some((_, Some(pid))) => pid as i32,
                    _ => return Probe::Unknown,
                },
                _ => return Probe::Unknown,
            };
            child(kernel, tid, wpid, options, expected)
        }
        _ => match names(kernel, tid, call, expected) {
            wants @ Probe::Wants(_) => wants,
            found => match stat(kernel, tid, call, expected) {
                Probe::Unknown => found,
                better => better,
            },
        },
    }
}

fn read(kernel: &Kernel, tid: u32, fd: i32, count: u64, expected: &Expected) -> Probe {
    let Some(view) = kernel.fd_view(tid, fd) else { return Probe::Unknown };
    if let Some(counter) = view.counter {
        return read_counter(&counter, expected);
    }
    match view.waits {
        Some(WaitsView::Timer { deadline_ns, count, interval_ns }) => {
            return read_timer((deadline_ns, count, interval_ns), expected);
        }
        Some(WaitsView::Signals) => return read_signals(kernel, tid, fd, expected),
        Some(WaitsView::Epoll) | None => {}
    }
    if let Some(socket) = view.socket {
        return ends::read_socket(kernel, (tid, fd, count), &socket, expected);
    }
    if let Some(terminal) = view.terminal {
        return ends::read_terminal(kernel, (tid, fd, count), terminal.id, expected);
    }
    let Some(pipe) = view.pipe else {
        let (Some(place), Recorded::Value(value)) = (view.place, expected.recorded) else {
            return Probe::Unknown;
        };
        let end = view.offset.saturating_add(u64::try_from(value).unwrap_or(0));
        return sized(kernel, place, |size| end <= size);
    };
    match expected.recorded {
        Recorded::Value(0) if count > 0 => {
            if pipe.bytes == 0 && pipe.writers == 0 {
                Probe::Right
            } else {
                Probe::Wants(Want::NoWriter(pipe.id))
            }
        }
        Recorded::Value(value) => {
            let wanted = u64::try_from(value).unwrap_or(0);
            if pipe.bytes < wanted {
                let exact = wanted < count;
                return Probe::Wants(Want::Bytes(
                    pipe.id,
                    wanted.saturating_sub(pipe.bytes),
                    exact,
                ));
            }
            if pipe.bytes > wanted && wanted < count {
                return Probe::Unknown;
            }
            // Two readers of one pipe: the bytes tell whose turn it is.
            if let Payload::Data(data) = &expected.payload {
                let here = kernel.pipe_bytes(tid, fd, wanted);
                if expected.flags & CUT == 0 && data.0 != here {
                    return Probe::Unknown;
                }
            }
            Probe::Right
        }
        Recorded::Errno(Errno::EAGAIN) if pipe.bytes == 0 && pipe.writers > 0 => Probe::Right,
        Recorded::Errno(_) | Recorded::Never => Probe::Unknown,
    }
}

/// A read of a timer: how often it went off tells how late it is.
fn read_timer(
    (deadline_ns, count, interval_ns): (Option<u64>, u64, u64),
    expected: &Expected,
) -> Probe {
    let (Payload::Data(data), Recorded::Value(_)) = (&expected.payload, expected.recorded) else {
        return Probe::Unknown;
    };
    let Ok(read) = <[u8; 8]>::try_from(data.0.as_slice()).map(u64::from_le_bytes) else {
        return Probe::Unknown;
    };
    let missing = read.saturating_sub(count);
    match deadline_ns {
        _ if missing == 0 => Probe::Right,
        Some(at) => {
            let rest = interval_ns.saturating_mul(missing - 1);
            Probe::Wants(Want::Time(at.saturating_add(rest)))
        }
        None => Probe::Unknown,
    }
}

/// A read of signalfd(2): whether anything is pending that it takes.
fn read_signals(kernel: &Kernel, tid: u32, fd: i32, expected: &Expected) -> Probe {
    let asked = PollFd { fd, events: POLLIN as u16, revents: 0 };
    let ready = kernel.poll_view(tid, &[asked]).iter().any(|entry| entry.revents != 0);
    match expected.recorded {
        Recorded::Value(_) if !ready => Probe::Wants(Want::Signals(fd)),
        Recorded::Errno(Errno::EAGAIN) if !ready => Probe::Right,
        Recorded::Value(_) | Recorded::Errno(_) | Recorded::Never => Probe::Unknown,
    }
}

/// What epoll_wait(2) told, in any order: which of two was ready first shows nowhere.
fn epoll(kernel: &Kernel, tid: u32, epfd: i32, most: i32, expected: &Expected) -> Probe {
    let Payload::Epoll(recorded) = &expected.payload else { return Probe::Unknown };
    let most = usize::try_from(most).unwrap_or(0);
    let Some(now) = kernel.epoll_view(tid, epfd, most) else { return Probe::Unknown };
    let sorted = |list: &[EpollEvent]| {
        let mut list: Vec<(u64, u32)> = list.iter().map(|it| (it.data, it.events)).collect();
        list.sort_unstable();
        list
    };
    if sorted(&now) == sorted(recorded) {
        return Probe::Right;
    }
    let missing = recorded.iter().filter(|event| !now.contains(event));
    let missing: Vec<u64> = missing.map(|event| event.data).collect();
    let items = kernel.epoll_items(tid, epfd);
    let wanted = || items.iter().filter(|item| missing.contains(&item.data));
    if let Some(at) = wanted().filter_map(|item| item.deadline_ns).min() {
        return Probe::Wants(Want::Time(at));
    }
    let objects: Vec<u64> = wanted().flat_map(|item| item.objects.iter().copied()).collect();
    if objects.is_empty() { Probe::Unknown } else { Probe::Wants(Want::Ready(objects)) }
}

/// A read of eventfd(2): its value tells what was written before.
fn read_counter(counter: &CounterView, expected: &Expected) -> Probe {
    let read = match (&expected.payload, expected.recorded) {
        (_, Recorded::Errno(Errno::EAGAIN)) if counter.count == 0 => return Probe::Right,
        (Payload::Data(data), Recorded::Value(_)) => <[u8; 8]>::try_from(data.0.as_slice()).ok(),
        _ => None,
    };
    let Some(read) = read.map(u64::from_le_bytes) else { return Probe::Unknown };
    let now = if counter.semaphore { counter.count.min(1) } else { counter.count };
    match now.cmp(&read) {
        std::cmp::Ordering::Less => Probe::Wants(Want::Counter(counter.id)),
        std::cmp::Ordering::Equal => Probe::Right,
        std::cmp::Ordering::Greater => Probe::Unknown,
    }
}

/// Whether a regular file has a size that the recorded result needs.
fn sized(kernel: &Kernel, place: Place, fits: impl FnOnce(u64) -> bool) -> Probe {
    let fs = kernel.fs();
    let (Some(pages), Some(inode)) = (fs.pages(place), fs.inode_id(place)) else {
        return Probe::Unknown;
    };
    if fits(Pages::size(pages)) { Probe::Right } else { Probe::Wants(Want::File(inode)) }
}

/// The size that a stat shows.
fn stat(kernel: &Kernel, tid: u32, call: &Call<'_>, expected: &Expected) -> Probe {
    let Payload::Stat(stat) = &expected.payload else { return Probe::Unknown };
    if expected.members & stat_bits::SIZE == 0 {
        return Probe::Unknown;
    }
    let place = match call {
        Call::Fstat { fd } => kernel.fd_view(tid, *fd).and_then(|view| view.place),
        _ => paths::uses(call).first().and_then(|one| match one.path {
            [] => kernel.fd_view(tid, one.dirfd)?.place,
            path => kernel.resolve(tid, one.dirfd, path, one.follow).ok()?,
        }),
    };
    place.map_or(Probe::Unknown, |place| sized(kernel, place, |size| size == stat.size))
}

fn write(kernel: &Kernel, tid: u32, fd: i32, len: u64, expected: &Expected) -> Probe {
    let Some(view) = kernel.fd_view(tid, fd) else { return Probe::Unknown };
    if let Some(socket) = view.socket {
        let broken = matches!(expected.recorded, Recorded::Errno(Errno::EPIPE | Errno::ECONNRESET));
        let waits = broken && !socket.is_over && !socket.has_error;
        return if waits {
            Probe::Wants(Want::Ready(Vec::from([socket.id])))
        } else {
            Probe::Unknown
        };
    }
    let Some(pipe) = view.pipe else { return Probe::Unknown };
    match expected.recorded {
        Recorded::Value(value) if is_part_of(view.flags, len, value) && pipe.readers > 0 => {
            // All that there was room for, the rest of the last page with it.
            let value = value.cast_unsigned();
            match value.checked_sub(pipe.free_bytes) {
                None => Probe::Unknown,
                Some(0..PAGE_BYTES) => Probe::Right,
                Some(PAGE_BYTES..) => Probe::Wants(Want::Room(pipe.id)),
            }
        }
        Recorded::Value(value) if pipe.readers > 0 => {
            let fits = len <= pipe.free_bytes || value.cast_unsigned() < len;
            if fits { Probe::Right } else { Probe::Wants(Want::Room(pipe.id)) }
        }
        Recorded::Errno(Errno::EPIPE) if pipe.readers == 0 => Probe::Right,
        Recorded::Errno(Errno::EPIPE) => Probe::Wants(Want::NoReader(pipe.id)),
        Recorded::Errno(Errno::EAGAIN) if !pipe.has_room => Probe::Right,
        Recorded::Value(_) | Recorded::Errno(_) | Recorded::Never => Probe::Unknown,
    }
}

/// Whether a write that does not wait put only a part of its data.
pub(super) fn is_part_of(flags: u32, len: u64, value: i64) -> bool {
    flags & O_NONBLOCK != 0 && u64::try_from(value).is_ok_and(|value| value < len)
}

fn child(kernel: &mut Kernel, tid: u32, wpid: i32, options: u32, expected: &Expected) -> Probe {
    let Some(view) = kernel.child_view(tid, wpid, options) else { return Probe::Unknown };
    let wanted = match (expected.recorded, &expected.payload) {
        (Recorded::Value(0), Payload::Info(info)) => i64::from(info.pid),
        (Recorded::Value(value), _) => value,
        (Recorded::Errno(Errno::ECHILD), _) => {
            return match view {
                ChildView::NoChild => Probe::Right,
                ChildView::Ready(_) | ChildView::Waiting => Probe::Unknown,
            };
        }
        (Recorded::Errno(_) | Recorded::Never, _) => return Probe::Unknown,
    };
    match view {
        ChildView::Ready(pid) if i64::from(pid) == wanted => Probe::Right,
        ChildView::Waiting if wanted == 0 => Probe::Right,
        ChildView::Waiting => Probe::Wants(Want::Child),
        ChildView::Ready(_) | ChildView::NoChild => Probe::Unknown,
    }
}

/// Calls that name a file: only whether the name is there.
fn names(kernel: &Kernel, tid: u32, call: &Call<'_>, expected: &Expected) -> Probe {
    let uses = paths::uses(call);
    let Some(one) = uses.first().filter(|one| !one.path.is_empty()) else { return Probe::Unknown };
    let there = match kernel.resolve(tid, one.dirfd, one.path, one.follow) {
        Ok(_) => true,
        Err(Errno::ENOENT) => false,
        Err(_) => return Probe::Unknown,
    };
    let right = match expected.recorded {
        Recorded::Value(_) if one.creates && one.may_exist => return Probe::Unknown,
        Recorded::Value(_) if one.creates => !there,
        Recorded::Value(_) => there,
        Recorded::Errno(Errno::ENOENT) if !one.creates => !there,
        Recorded::Errno(Errno::EEXIST) => there,
        Recorded::Errno(_) | Recorded::Never => return Probe::Unknown,
    };
    if right { Probe::Right } else { Probe::Wants(Want::Name(paths::last(one.path).to_vec())) }
}
