//! The walk of `account.rs` over what is waited with: items of epoll(7), their queues and ready
//! lists, timers of timerfd_create(2). Run as the rest of it is, never by a tick.

use crate::account::{Defect, must};
use crate::components::epoll::{Item, PRIVATE_BITS};
use crate::components::terminal::End;
use crate::components::{Epoll, Object, Target};
use crate::kernel::{Changed, Kernel};
use crate::memory::{ITEM_BYTES, OWNER_BYTES, TIMERFD_BYTES};
use crate::rows::{
    DescriptionRow, EpollRow, EventRow, HandlersRow, PidfdRow, PipeRow, RowKind, SocketRow,
    TerminalRow,
};
use crate::watchers::ALWAYS;
use alloc::collections::{BTreeMap, BTreeSet};

impl Kernel {
    /// Every item with its instance.
    pub(crate) fn all_items(&self) -> impl Iterator<Item = (EpollRow, &Item)> {
        let epolls = EpollRow::all(&self.rows).into_iter().map(|(_, row)| row);
        epolls.flat_map(|row| self.rows[row].items().map(move |(_, _, item)| (row, item)))
    }

    pub(crate) fn audit_waiting(&self, held_bytes: &mut u64) -> Result<(), Defect> {
        self.audit_owners()?;
        must(self.hearers == self.all_hearers(), "who is told by signals is listed wrongly")?;
        let all = DescriptionRow::all(&self.rows).into_iter();
        let owned = all.filter(|(_, row)| self.rows[*row].notices.is_some()).count();
        *held_bytes += owned as u64 * OWNER_BYTES;
        *held_bytes += self.timerfds.len() as u64 * TIMERFD_BYTES;
        let mut by_user: BTreeMap<u32, u64> = BTreeMap::new();
        let (mut watched, mut hooked) = (0, 0);
        for (epoll, item) in self.all_items() {
            *held_bytes += ITEM_BYTES;
            *by_user.entry(self.rows[epoll].uid).or_default() += 1;
            must(item.description.is_live(&self.rows), "an item watches what is gone")?;
            let known = self.rows[item.description].watched_by.all();
            let known = known.filter(|by| *by == (epoll, item.fd)).count() == 1;
            must(known, "a description does not know who watches it")?;
            watched += 1;
            // After `EPOLLONESHOT` no event is left.
            let events = item.events & !PRIVATE_BITS;
            must(events == 0 || events & ALWAYS == ALWAYS, "an item has no such events")?;
            let Some(object) = self.watched(item.description, item.handlers) else { continue };
            let queue = self.queue(object).map_or(&[][..], |queue| queue.1.all());
            let stands = queue.iter().any(|watcher| {
                (watcher.since, watcher.epoll) == (item.since, epoll)
                    && self.rows[epoll].item(watcher.at) == Some(item)
            });
            must(stands, "an item does not stand in the queue of what it watches")?;
            hooked += 1;
        }
        must(by_user == self.user_watches.all(), "items of a user are counted wrongly")?;
        let all = DescriptionRow::all(&self.rows).into_iter();
        let by: usize = all.map(|(_, row)| self.rows[row].watched_by.all().count()).sum();
        must(by == watched, "a description is watched by nobody's item")?;
        must(self.count_watchers() == hooked, "a queue holds items that are not there")?;
        self.audit_ready_lists()
    }

    /// Instances and timers are each one description's.
    fn audit_owners(&self) -> Result<(), Defect> {
        let (mut timers, mut epolls) = (BTreeSet::new(), BTreeSet::new());
        for (id, row) in DescriptionRow::all(&self.rows) {
            match self.rows[row].target {
                Target::Object(Object::Timer) => drop(timers.insert(id)),
                Target::Object(Object::Epoll(epoll)) => {
                    must(epoll.is_live(&self.rows), "a description's instance of epoll is gone")?;
                    must(self.rows[epoll].own == Some(row), "an instance is another's")?;
                    must(epoll.own_id(&self.rows) == id, "an instance has another id")?;
                    epolls.insert(id);
                }
                Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {}
            }
        }
        must(timers.iter().eq(self.timerfds.keys()), "a timer is nobody's")?;
        let count = epolls.len() as u64 == EpollRow::live(&self.rows);
        must(count, "an instance of epoll is nobody's")
    }

    fn audit_ready_lists(&self) -> Result<(), Defect> {
        for (_, row) in EpollRow::all(&self.rows) {
            let epoll: &Epoll = &self.rows[row];
            let places = epoll.ready_places();
            let whole = places.len() == epoll.ready_count() as usize;
            let known = places.iter().all(|at| epoll.item(*at).is_some());
            must(whole && known, "a ready list is broken")?;
        }
        Ok(())
    }

    /// The items in all queues.
    fn count_watchers(&self) -> usize {
        let rows = &self.rows;
        let ids = |all: &mut dyn Iterator<Item = Changed>| {
            let queues = all.filter_map(|object| self.queue(object));
            queues.map(|queue| queue.1.all().len()).sum::<usize>()
        };
        ids(&mut PipeRow::all(rows).into_iter().map(|(_, row)| Changed::Pipe(row)))
            + ids(&mut SocketRow::all(rows).into_iter().map(|(_, row)| Changed::Socket(row)))
            + ids(&mut EventRow::all(rows).into_iter().map(|(_, row)| Changed::Event(row)))
            + ids(&mut PidfdRow::all(rows).into_iter().map(|(_, row)| Changed::Pidfd(row)))
            + ids(&mut EpollRow::all(rows).into_iter().map(|(_, row)| Changed::Epoll(row)))
            + ids(&mut HandlersRow::all(rows).into_iter().map(|(_, row)| Changed::Signals(row)))
            + ids(&mut TerminalRow::all(rows).into_iter().flat_map(|(_, terminal)| {
                [End::Master, End::Slave].map(|end| Changed::Terminal {
                    terminal,
                    end,
                    input: true,
                })
            }))
            + ids(&mut self.inotify.instances.keys().map(|id| Changed::Inotify(*id)))
            + ids(&mut self.timerfds.keys().map(|id| Changed::Timer(*id)))
    }
}
