//! What poll(2) and select(2) show, beside what the kernel would say now. They look at one
//! descriptor after the other: what becomes ready meanwhile behind them they do not tell, so that a
//! result may be less than was ready at any one time. That counts as fed.

use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::{PollFd, SelectSets};
use tickernel_systems::event::{Call, Payload};
use tickernel_systems::{Kernel, WaitsView};

use super::order::Order;
use super::probe::{Probe, Want};
use crate::replay::{Expected, FED, IGNORE_PAYLOAD, IGNORE_VALUE};

fn ready(list: &[PollFd]) -> Vec<(i32, u16)> {
    let mut ready: Vec<_> = list
        .iter()
        .filter(|entry| entry.revents != 0)
        .map(|entry| (entry.fd, entry.revents))
        .collect();
    ready.sort_unstable();
    ready
}

fn objects(kernel: &Kernel, tid: u32, fds: impl Iterator<Item = i32>) -> Want {
    let ids = fds.filter_map(|fd| kernel.fd_view(tid, fd)?.object());
    Want::Ready(ids.collect())
}

pub(super) fn poll(kernel: &Kernel, tid: u32, fds: &[PollFd], expected: &Expected) -> Probe {
    let Payload::Poll(recorded) = &expected.payload else { return Probe::Unknown };
    let now = ready(&kernel.poll_view(tid, fds));
    let told = ready(recorded);
    if now == told {
        return Probe::Right;
    }
    let timers =
        recorded.iter().filter(|entry| entry.revents != 0).filter_map(|entry| {
            match kernel.fd_view(tid, entry.fd)?.waits? {
                WaitsView::Timer { deadline_ns, count: 0, .. } => deadline_ns,
                WaitsView::Timer { .. } | WaitsView::Epoll | WaitsView::Signals => None,
            }
        });
    match timers.min() {
        Some(at) => Probe::Wants(Want::Time(at)),
        None => {
            let missing = told.iter().filter(|entry| !now.contains(entry));
            let missing: Vec<i32> = missing.map(|entry| entry.0).collect();
            let all = fds.iter().map(|entry| entry.fd);
            let wanted = all.filter(|fd| missing.is_empty() || missing.contains(fd));
            Probe::Wants(objects(kernel, tid, wanted))
        }
    }
}

/// The descriptors that a call polls.
pub(super) fn polled(call: &Call<'_>) -> Vec<i32> {
    match call {
        Call::Poll { fds, .. } | Call::Ppoll { fds, .. } => fds.iter().map(|it| it.fd).collect(),
        Call::Select { readfds, writefds, exceptfds, .. }
        | Call::Pselect6 { readfds, writefds, exceptfds, .. } => {
            let sets = [readfds, writefds, exceptfds].into_iter().flatten().flatten();
            sets.filter_map(|fd| i32::try_from(*fd).ok()).collect()
        }
        Call::EpollWait { epfd, .. }
        | Call::EpollPwait { epfd, .. }
        | Call::EpollPwait2 { epfd, .. } => Vec::from([*epfd]),
        _ => Vec::new(),
    }
}

pub(super) fn select(kernel: &Kernel, tid: u32, call: &Call<'_>, expected: &Expected) -> Probe {
    let Payload::Select(recorded) = &expected.payload else { return Probe::Unknown };
    let Some(now) = selected(kernel, tid, call) else { return Probe::Unknown };
    if now == **recorded {
        Probe::Right
    } else {
        Probe::Wants(objects(kernel, tid, polled(call).into_iter()))
    }
}

/// What a select would find now.
fn selected(kernel: &Kernel, tid: u32, call: &Call<'_>) -> Option<SelectSets> {
    let (Call::Select { readfds, writefds, exceptfds, .. }
    | Call::Pselect6 { readfds, writefds, exceptfds, .. }) = call
    else {
        return None;
    };
    // What select(2) counts as readable, writable, exceptional: poll(2) says the same.
    const IN: u32 = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
    const OUT: u32 = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
    let pick = |list: &Option<Vec<i64>>, events: u32| {
        list.as_ref().map(|list| {
            let fds: Vec<PollFd> = list
                .iter()
                .filter_map(|fd| i32::try_from(*fd).ok())
                .map(|fd| PollFd { fd, events: events as u16, revents: 0 })
                .collect();
            let seen = kernel.poll_view(tid, &fds);
            let seen = seen.into_iter().filter(|entry| u32::from(entry.revents) & events != 0);
            let mut seen: Vec<i32> = seen.map(|entry| entry.fd).collect();
            seen.sort_unstable();
            seen
        })
    };
    Some(SelectSets {
        read: pick(readfds, IN),
        write: pick(writefds, OUT),
        except: pick(exceptfds, POLLPRI),
    })
}

impl Order<'_> {
    /// A poll that others ran beside shows a part of what is ready now.
    pub(super) fn treat_poll(&self, tid: u32, call: &Call<'_>, expected: &mut Expected) {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let alone = pending.is_none_or(|it| it.exit_line.is_none_or(|line| line == it.entry_line));
        let is_part = match (&expected.payload, call) {
            (Payload::Poll(told), Call::Poll { fds, .. } | Call::Ppoll { fds, .. }) => {
                is_part_of_poll(&ready(told), &ready(&self.kernel.poll_view(tid, fds)))
            }
            (Payload::Select(told), call) => selected(&self.kernel, tid, call)
                .is_some_and(|now| now != **told && is_part_of_sets(told, &now)),
            (
                Payload::Epoll(told),
                Call::EpollWait { epfd, maxevents, .. }
                | Call::EpollPwait { epfd, maxevents, .. }
                | Call::EpollPwait2 { epfd, maxevents, .. },
            ) => {
                let most = usize::try_from(*maxevents).unwrap_or(0);
                let now = self.kernel.epoll_view(tid, *epfd, usize::MAX).unwrap_or_default();
                let is_part = !told.is_empty() && told.len() < now.len().min(most);
                is_part && told.iter().all(|event| now.contains(event))
            }
            _ => false,
        };
        if is_part && !alone {
            expected.flags |= FED | IGNORE_VALUE | IGNORE_PAYLOAD;
        }
    }
}

/// Whether what was told is ready, and more is.
fn is_part_of_poll(told: &[(i32, u16)], now: &[(i32, u16)]) -> bool {
    let holds =
        |(fd, told): &(i32, u16)| now.iter().any(|(other, now)| other == fd && told & now == *told);
    !told.is_empty() && told != now && told.iter().all(holds)
}

fn is_part_of_sets(told: &SelectSets, now: &SelectSets) -> bool {
    let sets = [(&told.read, &now.read), (&told.write, &now.write), (&told.except, &now.except)];
    let any = sets.iter().any(|(told, _)| told.iter().flatten().next().is_some());
    any && sets.iter().all(|(told, now)| {
        told.iter().flatten().all(|fd| now.iter().flatten().any(|other| other == fd))
    })
}
