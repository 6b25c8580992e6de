//! The part of a snapshot that holds what is waited with: timers of timerfd_create(2), instances of
//! epoll(7) with their items and ready lists. It has a number of its own, and is there only where
//! there is any of it.
//!
//! Items stand in queues by their places in the order of waiting, so the queues are built anew; so
//! are those of calls that wait for signals and instances, and for what the face alone has.

use super::extras::WAITING_PART;
use super::{Refs, RestoreError};
use crate::components::epoll::Item;
use crate::components::{Epoll, Object, Target, Waiting};
use crate::kernel::{Changed, Kernel};
use crate::memory;
use crate::rows::{DescriptionRow, Encode, EpollRow, RowKind, Rows, TaskRow};
use crate::wire::{Wire, WireReader, put_varint};
use alloc::vec::Vec;

impl Encode for Epoll {
    /// Nothing where there are no items: who made it, and that it is there, shows elsewhere.
    fn encode(&self, rows: &Rows, out: &mut Vec<u8>) {
        if !self.is_empty() {
            put_items(self, rows, out);
        }
    }
}

fn put_items(epoll: &Epoll, rows: &Rows, out: &mut Vec<u8>) {
    put_varint(out, epoll.len() as u64);
    for ((id, fd), _, item) in epoll.items() {
        (id, fd).put(out);
        item.events.put(out);
        let handlers = item.handlers.filter(|handlers| handlers.is_live(rows));
        [item.data, item.since, handlers.map_or(0, |handlers| handlers.own_id(rows))].put(out);
    }
    put_varint(out, u64::from(epoll.ready_count()));
    for at in epoll.ready_places() {
        if let Some(item) = epoll.item(at) {
            (item.description.own_id(rows), item.fd).put(out);
        }
    }
}

impl Kernel {
    pub(super) fn has_waiting_part(&self) -> bool {
        !self.timerfds.is_empty() || EpollRow::live(&self.rows) > 0
    }

    pub(super) fn put_waiting_part(&self, out: &mut Vec<u8>) {
        out.push(WAITING_PART);
        self.timerfds.put(out);
        let epolls = EpollRow::all(&self.rows);
        put_varint(out, epolls.len() as u64);
        for (id, row) in epolls {
            let epoll = &self.rows[row];
            (id, epoll.uid).put(out);
            put_items(epoll, &self.rows, out);
        }
    }

    pub(super) fn get_waiting_part(
        &mut self,
        from: &mut WireReader<'_>,
        refs: &Refs,
    ) -> Result<(), RestoreError> {
        self.timerfds = Wire::get(from)?;
        from.charge(self.timerfds.len() as u64 * memory::TIMERFD_BYTES)?;
        let armed: Vec<u64> = self.timerfds.keys().copied().collect();
        armed.into_iter().for_each(|id| self.arm_timerfd(id));
        for _ in 0..from.count()? {
            let (id, uid) = Wire::get(from)?;
            let epoll = *refs.epolls.get(&id).ok_or(NO_INSTANCE)?;
            self.rows[epoll].uid = uid;
            self.get_items(epoll, from, refs)?;
        }
        Ok(())
    }

    fn get_items(
        &mut self,
        epoll: EpollRow,
        from: &mut WireReader<'_>,
        refs: &Refs,
    ) -> Result<(), RestoreError> {
        for _ in 0..from.count()? {
            from.charge(memory::ITEM_BYTES)?;
            let (id, fd): (u64, i32) = Wire::get(from)?;
            let events = u32::get(from)?;
            let [data, since, handlers]: [u64; 3] = Wire::get(from)?;
            let description = refs.descriptions.get(&id).copied().ok_or(NO_ITEM)?;
            if self.rows[epoll].find((id, fd)).is_some() {
                return Err(RestoreError::Inconsistent("an item of epoll stands twice"));
            }
            let handlers = refs.handlers.get(&handlers).copied();
            self.enter_item(epoll, Item { description, fd, events, data, since, handlers });
        }
        for _ in 0..from.count()? {
            let key = Wire::get(from)?;
            let at = self.rows[epoll].find(key).ok_or(NO_ITEM)?;
            if !self.rows[epoll].make_ready(at) {
                return Err(RestoreError::Inconsistent("an item stands twice in a ready list"));
            }
        }
        Ok(())
    }

    /// Calls that wait for an instance of epoll(7), for signals by signalfd(2), or for the face's
    /// pseudo-terminals and sockets enter their queues: only they know of it.
    pub(super) fn stand_again(&mut self) {
        for (_, row) in DescriptionRow::all(&self.rows) {
            if let Target::Object(Object::Epoll(epoll)) = self.rows[row].target {
                self.rows[epoll].own = Some(row);
            }
        }
        for (_, row) in TaskRow::all(&self.rows) {
            let (tid, handlers) = (self.rows[row].tid, self.rows[row].handlers);
            let Some(wait) = &self.rows[row].wait else { continue };
            let since = wait.since;
            let mut polled = None;
            let held: Vec<DescriptionRow> = match &wait.on {
                Waiting::Epoll { description, .. } => {
                    if let Target::Object(Object::Epoll(epoll)) = self.rows[*description].target {
                        self.rows[epoll].waiters.add(since, tid);
                    }
                    continue;
                }
                Waiting::FacePoll { held, sockets, .. } => {
                    polled = Some(sockets.clone());
                    held.iter().flatten().copied().collect()
                }
                Waiting::Poll { held, .. } | Waiting::Select { held, .. } => {
                    held.iter().flatten().copied().collect()
                }
                Waiting::PipeRead { description, .. } => Vec::from([*description]),
                _ => continue,
            };
            if let Some(sockets) = polled {
                self.watch_face_sockets(&sockets, (since, tid), true);
            }
            for description in held {
                let object = self.watched(description, Some(handlers));
                let object = object.filter(|object| {
                    matches!(object, Changed::Epoll(_) | Changed::Signals(_) | Changed::Pty(..))
                });
                if let Some(object) = object {
                    self.stand(object, (since, tid), true);
                }
            }
        }
    }
}

impl Refs {
    /// The instance of the description that is read, to be filled later.
    pub(super) fn epoll(
        &mut self,
        kernel: &mut Kernel,
        from: &mut WireReader<'_>,
    ) -> Result<EpollRow, RestoreError> {
        from.charge(memory::EPOLL_BYTES)?;
        let id = self.description;
        let epoll = EpollRow::spawn(&mut kernel.rows, id, Epoll::new(0));
        self.epolls.insert(id, epoll);
        Ok(epoll)
    }
}

/// A call of epoll_wait(2).
pub(super) fn get_epoll_wait(
    from: &mut WireReader<'_>,
    refs: &Refs,
) -> Result<Waiting, RestoreError> {
    let id = u64::get(from)?;
    let description = refs.descriptions.get(&id).copied().ok_or(NO_INSTANCE)?;
    Ok(Waiting::Epoll { description, max_events: Wire::get(from)? })
}

const NO_INSTANCE: RestoreError = RestoreError::Inconsistent("an instance of epoll is nobody's");
const NO_ITEM: RestoreError = RestoreError::Inconsistent("an item of epoll that watches nothing");
