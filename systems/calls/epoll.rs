//! epoll_create(2), epoll_ctl(2), epoll_wait(2), epoll_pwait(2), epoll_pwait2(2).
//!
//! What the calls answer, and in which order they check, was found by experiment on Linux 6.18.
//! `EPOLLWAKEUP` has no effect: there is nothing that sleeps. Who is told of what is
//! `watchers.rs`'s. Not here: busy polling of network devices (ioctl(2)).

use crate::abi::flags::*;
use crate::abi::{EpollEvent, Errno, SigSet, Timespec};
use crate::components::epoll::{Item, PRIVATE_BITS, WATCHES_MAX};
use crate::components::{Epoll, Object, Restart, Target, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::memory::{EPOLL_BYTES, ITEM_BYTES};
use crate::rows::{DescriptionRow, EpollRow, HandlersRow, RowKind, TaskRow};
use crate::watchers::ALWAYS;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Most events that epoll_wait(2) can be asked for: what fits into an `int` of bytes.
const EVENTS_MAX: i32 = i32::MAX / 12;
/// How deep instances may watch each other.
const NESTS_MAX: usize = 4;
/// How many ways may lead up from a description to instances that nobody watches, by their length
/// less one; any number of the shortest.
const PATHS_MAX: [u32; 5] = [u32::MAX, 500, 100, 50, 10];
/// What may stand beside `EPOLLEXCLUSIVE`.
const EXCLUSIVE_TAKES: u32 =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

/// What epoll_ctl(2) is asked: the operation, the number, and what its pointer leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ctl {
    pub(super) op: u32,
    pub(super) fd: i32,
    /// `None` is a NULL pointer.
    pub(super) events: Option<u32>,
    pub(super) data: u64,
}

impl Kernel {
    /// epoll_create(2): the size only must not be negative or 0.
    pub(crate) fn epoll_create(&mut self, task: TaskRow, size: i32) -> CallResult {
        if size <= 0 {
            return Err(Errno::EINVAL.into());
        }
        self.epoll_create1(task, 0)
    }

    /// epoll_create1(2).
    pub(crate) fn epoll_create1(&mut self, task: TaskRow, flags: u32) -> CallResult {
        if flags & !EPOLL_CLOEXEC != 0 {
            return Err(Errno::EINVAL.into());
        }
        let fd = self.free_fd(task, 0)?;
        self.room_for_descriptions(1, EPOLL_BYTES)?;
        let uid = self.rows[task].credentials.uid;
        // It has the id that its description is about to get.
        let id = self.counters.next_id + 1;
        let epoll = EpollRow::spawn(&mut self.rows, id, Epoll::new(uid));
        let row = self.new_description(Target::Object(Object::Epoll(epoll)), O_RDWR);
        self.rows[epoll].own = Some(row);
        self.install(task, fd, row, flags & EPOLL_CLOEXEC != 0);
        Ok(Answer::value(i64::from(fd)))
    }

    /// epoll_ctl(2).
    pub(super) fn epoll_ctl(&mut self, task: TaskRow, epfd: i32, ctl: Ctl) -> CallResult {
        let has_event = ctl.op != EPOLL_CTL_DEL;
        let events = match ctl.events {
            None if has_event => return Err(Errno::EFAULT.into()),
            events => events.unwrap_or(0),
        };
        let own = self.open_fd(task, epfd)?;
        let other = self.open_fd(task, ctl.fd)?;
        if !self.can_be_watched(other) {
            return Err(Errno::EPERM.into());
        }
        let Target::Object(Object::Epoll(epoll)) = self.rows[own].target else {
            return Err(Errno::EINVAL.into());
        };
        if own == other {
            return Err(Errno::EINVAL.into());
        }
        let nested = match self.rows[other].target {
            Target::Object(Object::Epoll(nested)) => Some(nested),
            _ => None,
        };
        if has_event && events & EPOLLEXCLUSIVE != 0 {
            let wrong = nested.is_some() || events & !EXCLUSIVE_TAKES != 0;
            if ctl.op == EPOLL_CTL_MOD || ctl.op == EPOLL_CTL_ADD && wrong {
                return Err(Errno::EINVAL.into());
            }
        }
        if ctl.op == EPOLL_CTL_ADD
            && let Some(nested) = nested
        {
            self.check_nesting(epoll, own, nested)?;
        }
        let key = (other.own_id(&self.rows), ctl.fd);
        let known = self.rows[epoll].find(key);
        let events = events | ALWAYS;
        match (ctl.op, known) {
            (EPOLL_CTL_ADD, None) => {
                let item = Item {
                    description: other,
                    fd: ctl.fd,
                    events,
                    data: ctl.data,
                    since: 0,
                    handlers: self.handlers_watched(task, other),
                };
                self.add_item(task, (epoll, own), item)?;
            }
            (EPOLL_CTL_ADD, Some(_)) => return Err(Errno::EEXIST.into()),
            (EPOLL_CTL_DEL, Some(_)) => self.drop_item(epoll, other, ctl.fd),
            (EPOLL_CTL_MOD, Some(at)) => self.change_item(task, epoll, at, (events, ctl.data))?,
            (EPOLL_CTL_DEL | EPOLL_CTL_MOD, None) => return Err(Errno::ENOENT.into()),
            _ => return Err(Errno::EINVAL.into()),
        }
        Ok(Answer::default())
    }

    fn add_item(
        &mut self,
        task: TaskRow,
        (epoll, own): (EpollRow, DescriptionRow),
        item: Item,
    ) -> Result<(), Errno> {
        let uid = self.rows[epoll].uid;
        if self.user_watches.count(uid) >= WATCHES_MAX {
            return Err(Errno::ENOSPC);
        }
        if !self.has_memory(ITEM_BYTES) {
            return Err(Errno::ENOMEM);
        }
        self.counters.next_since += 1;
        let item = Item { since: self.counters.next_since, ..item };
        let at = self.enter_item(epoll, item);
        self.hold_bytes(ITEM_BYTES);
        let is_epoll =
            matches!(self.rows[item.description].target, Target::Object(Object::Epoll(_)));
        let is_nested = is_epoll || !self.rows[own].watched_by.is_empty();
        if is_nested && !self.paths_are_few(item.description) {
            self.drop_item(epoll, item.description, item.fd);
            return Err(Errno::EINVAL);
        }
        self.look_at_item(task, epoll, at);
        Ok(())
    }

    /// Puts an item where it is found: into its instance, at what it watches, at its description.
    pub(crate) fn enter_item(&mut self, epoll: EpollRow, item: Item) -> u32 {
        let key = (item.description.own_id(&self.rows), item.fd);
        let at = self.rows[epoll].insert(key, item);
        self.user_watches.enter(self.rows[epoll].uid);
        self.rows[item.description].watched_by.add(item.since, epoll, item.fd);
        self.hook(epoll, at, &item);
        at
    }

    /// An item goes.
    pub(crate) fn drop_item(&mut self, epoll: EpollRow, description: DescriptionRow, fd: i32) {
        let key = (description.own_id(&self.rows), fd);
        let Some((_, item)) = self.rows[epoll].remove(key) else { return };
        self.unhook(&item);
        self.rows[description].watched_by.remove(item.since);
        self.user_watches.leave(self.rows[epoll].uid);
        self.unhold_bytes(ITEM_BYTES);
    }

    fn change_item(
        &mut self,
        task: TaskRow,
        epoll: EpollRow,
        at: u32,
        (events, data): (u32, u64),
    ) -> Result<(), Errno> {
        let item = self.rows[epoll].item_mut(at).filter(|item| !item.is_exclusive());
        let item = item.ok_or(Errno::EINVAL)?;
        (item.events, item.data) = (events, data);
        self.look_at_item(task, epoll, at);
        Ok(())
    }

    /// One that is ready already enters the ready list.
    fn look_at_item(&mut self, task: TaskRow, epoll: EpollRow, at: u32) {
        if self.item_events(task, epoll, at) != 0 && self.rows[epoll].make_ready(at) {
            self.tell_epoll(epoll);
        }
    }

    /// Of a signalfd: whose signals an item that a task adds will hear of.
    fn handlers_watched(&self, task: TaskRow, row: DescriptionRow) -> Option<HandlersRow> {
        let signals = matches!(self.rows[row].target, Target::Object(Object::Signals(_)));
        signals.then_some(self.rows[task].handlers)
    }

    /// Whether a description can be an item: what has a way to say that it is ready.
    fn can_be_watched(&self, row: DescriptionRow) -> bool {
        match self.rows[row].target {
            Target::File(place) => self.poll_file(place).is_some(),
            Target::Object(Object::Device(_) | Object::Foreign(_)) => false,
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => true,
        }
    }

    /// ELOOP where an instance that is added leads back, or the ways through it become too long.
    fn check_nesting(
        &self,
        into: EpollRow,
        own: DescriptionRow,
        nested: EpollRow,
    ) -> Result<(), Errno> {
        let below = self.depth_below(into, nested, 0, &mut BTreeMap::new());
        let above = self.depth_above(own, &mut BTreeMap::new());
        let too_deep = below > NESTS_MAX || below + 1 + above > NESTS_MAX;
        if too_deep { Err(Errno::ELOOP) } else { Ok(()) }
    }

    /// How long the longest way down from an instance is; too long if it leads to `into`. Each
    /// instance is visited once.
    fn depth_below(
        &self,
        into: EpollRow,
        from: EpollRow,
        depth: usize,
        known: &mut BTreeMap<u64, usize>,
    ) -> usize {
        let id = from.own_id(&self.rows);
        if let Some(length) = known.get(&id) {
            return *length;
        }
        let mut most = 0;
        for (_, _, item) in self.rows[from].items() {
            let Target::Object(Object::Epoll(next)) = self.rows[item.description].target else {
                continue;
            };
            let length = match next == into || depth > NESTS_MAX {
                true => NESTS_MAX + 1,
                false => self.depth_below(into, next, depth + 1, known) + 1,
            };
            most = most.max(length);
            if most > NESTS_MAX {
                break;
            }
        }
        known.insert(id, most);
        most
    }

    /// How long the longest way up from an instance is.
    fn depth_above(&self, row: DescriptionRow, known: &mut BTreeMap<u64, usize>) -> usize {
        let id = row.own_id(&self.rows);
        if let Some(length) = known.get(&id) {
            return *length;
        }
        let above = self.rows[row].watched_by.all();
        let above: Vec<DescriptionRow> =
            above.filter_map(|(epoll, _)| self.rows[epoll].own).collect();
        let lengths = above.into_iter().map(|own| self.depth_above(own, known) + 1);
        let most = lengths.max().unwrap_or(0);
        known.insert(id, most);
        most
    }

    /// Whether not too many ways lead up from a description and all that it watches.
    fn paths_are_few(&self, row: DescriptionRow) -> bool {
        let mut below = Vec::from([row]);
        let mut seen = BTreeSet::new();
        while let Some(row) = below.pop() {
            if !seen.insert(row.own_id(&self.rows)) {
                continue;
            }
            match self.rows[row].target {
                Target::Object(Object::Epoll(epoll)) => {
                    below.extend(self.rows[epoll].items().map(|(_, _, item)| item.description));
                }
                _ if !self.count_paths(row, 0, &mut [0; PATHS_MAX.len()]) => return false,
                _ => {}
            }
        }
        true
    }

    fn count_paths(
        &self,
        row: DescriptionRow,
        length: usize,
        counts: &mut [u32; PATHS_MAX.len()],
    ) -> bool {
        self.rows[row].watched_by.all().all(|(epoll, _)| {
            let own = self.rows[epoll].own;
            match own.filter(|own| !self.rows[*own].watched_by.is_empty()) {
                Some(own) => {
                    length + 1 < PATHS_MAX.len() && self.count_paths(own, length + 1, counts)
                }
                None => {
                    counts[length] += 1;
                    counts[length] <= PATHS_MAX[length]
                }
            }
        })
    }

    /// epoll_wait(2): a negative time-out waits for ever.
    pub(crate) fn epoll_wait(
        &mut self,
        task: TaskRow,
        epfd: i32,
        max_events: i32,
        timeout_ms: i32,
    ) -> CallResult {
        let timeout_ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
        self.epoll_wait_for(task, epfd, max_events, timeout_ns)
    }

    /// epoll_pwait(2).
    pub(crate) fn epoll_pwait(
        &mut self,
        task: TaskRow,
        (epfd, max_events): (i32, i32),
        timeout_ms: i32,
        sigmask: Option<SigSet>,
    ) -> CallResult {
        self.with_mask(task, sigmask, |kernel| {
            kernel.epoll_wait(task, epfd, max_events, timeout_ms)
        })
    }

    /// epoll_pwait2(2).
    pub(crate) fn epoll_pwait2(
        &mut self,
        task: TaskRow,
        (epfd, max_events): (i32, i32),
        timeout: Option<Timespec>,
        sigmask: Option<SigSet>,
    ) -> CallResult {
        let timeout_ns = super::poll::interval(timeout)?;
        self.with_mask(task, sigmask, |kernel| {
            kernel.epoll_wait_for(task, epfd, max_events, timeout_ns)
        })
    }

    fn epoll_wait_for(
        &mut self,
        task: TaskRow,
        epfd: i32,
        max_events: i32,
        timeout_ns: Option<u64>,
    ) -> CallResult {
        let description = self.open_fd(task, epfd)?;
        if !(1..=EVENTS_MAX).contains(&max_events) {
            return Err(Errno::EINVAL.into());
        }
        let Target::Object(Object::Epoll(epoll)) = self.rows[description].target else {
            return Err(Errno::EINVAL.into());
        };
        let max_events = max_events as u32;
        let events = self.take_events(task, epoll, max_events);
        if !events.is_empty() || timeout_ns == Some(0) {
            return Ok(answer_of(events));
        }
        self.rows[description].refs += 1;
        Err(Stop::block(
            Waiting::Epoll { description, max_events },
            timeout_ns.map(|ns| self.now_ns.saturating_add(ns)),
            Restart::NeverAtAll,
        ))
    }

    /// A call that waits looks again.
    pub(crate) fn try_epoll_wait(
        &mut self,
        task: TaskRow,
        description: DescriptionRow,
        max_events: u32,
    ) -> Option<Answer> {
        let Target::Object(Object::Epoll(epoll)) = self.rows[description].target else {
            return None;
        };
        let events = self.take_events(task, epoll, max_events);
        (!events.is_empty()).then(|| answer_of(events))
    }

    /// Visits each of the ready list once, until there are enough events: what is told by its level
    /// goes to the end of the list again, and all else leaves it. Where some is left, the next who
    /// waits is woken.
    fn take_events(&mut self, task: TaskRow, epoll: EpollRow, max_events: u32) -> Vec<EpollEvent> {
        let mut events = Vec::new();
        for _ in 0..self.rows[epoll].ready_count() {
            if events.len() as u32 >= max_events {
                break;
            }
            let Some(at) = self.rows[epoll].first_ready() else { break };
            self.rows[epoll].unready(at);
            let found = self.item_events(task, epoll, at);
            let Some(item) = self.rows[epoll].item_mut(at).filter(|_| found != 0) else { continue };
            events.push(EpollEvent { events: found, data: item.data });
            if item.events & EPOLLONESHOT != 0 {
                item.events &= PRIVATE_BITS;
            } else if item.events & EPOLLET == 0 {
                self.rows[epoll].make_ready(at);
            }
        }
        let state = &self.rows[epoll];
        if state.ready_count() > 0 && !state.waiters.is_empty() {
            self.wake_waiter(epoll);
        }
        events
    }

    /// The last descriptor of an instance is closed: who polls it looks once more, and its items
    /// go.
    pub(crate) fn drop_epoll(&mut self, epoll: EpollRow) {
        let items: Vec<(DescriptionRow, i32)> =
            self.rows[epoll].items().map(|(_, _, item)| (item.description, item.fd)).collect();
        for (description, fd) in items {
            self.drop_item(epoll, description, fd);
        }
        epoll.remove(&mut self.rows);
    }

    /// The last descriptor of something is closed: items that watch it go.
    #[cold]
    pub(crate) fn drop_watching_items(&mut self, row: DescriptionRow) {
        let items = self.rows[row].watched_by.take();
        for (epoll, fd) in items {
            self.drop_item(epoll, row, fd);
        }
    }
}

fn answer_of(events: Vec<EpollEvent>) -> Answer {
    Answer { value: events.len() as i64, payload: Payload::Epoll(events) }
}
