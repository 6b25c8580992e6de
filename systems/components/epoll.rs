//! An instance of epoll(7): its items, the list of those that are ready, and who watches what.
//!
//! Owns the order of the ready list, which is Linux's: an item enters at the end, when what it
//! watches wakes it or when epoll_ctl(2) finds it ready, and stands in the list once. Items have
//! places that never move, the list runs through them, so that ten thousand items of which one is
//! ready cost what one costs. What an item's object is ready for, and who is told, is
//! `watchers.rs`'s; the calls are `calls/epoll.rs`'s.

use crate::abi::flags::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP};
use crate::components::{TextDefault, WaitQueue};
use crate::rows::{DescriptionRow, EpollRow, HandlersRow};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Bits of an item's events that name no event of poll(2): without any other the item sleeps, as
/// after `EPOLLONESHOT`.
pub const PRIVATE_BITS: u32 = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
/// Most items of all instances of a user (`/proc/sys/fs/epoll/max_user_watches`).
pub const WATCHES_MAX: u64 = 1 << 19;
/// The end of a list of places.
const NONE: u32 = u32::MAX;

/// What an item watches: a description by its own id, and the number that it was added under.
pub type Key = (u64, i32);

/// What is watched, for what, and what is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The description. The item goes with it.
    pub description: DescriptionRow,
    /// The number that it was added under.
    pub fd: i32,
    /// `EPOLL*` bits.
    pub events: u32,
    /// What epoll_wait(2) tells with it.
    pub data: u64,
    /// Its place in the order of waiting.
    pub since: u64,
    /// Of a signalfd: the dispositions of who added it. Their signals wake it, whoever waits.
    pub handlers: Option<HandlersRow>,
}

impl Item {
    /// Whether it is one of `EPOLLEXCLUSIVE`.
    pub const fn is_exclusive(&self) -> bool {
        self.events & EPOLLEXCLUSIVE != 0
    }
}

/// An item at its place, with its neighbours in the ready list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    item: Item,
    before: u32,
    after: u32,
    ready: bool,
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Epoll {
    /// The real user who made it.
    pub uid: u32,
    /// Its description.
    pub own: Option<DescriptionRow>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    index: BTreeMap<Key, u32>,
    first: u32,
    last: u32,
    ready: u32,
    /// Calls of epoll_wait(2), the one to wake first last.
    pub waiters: WaitQueue,
    /// Who polls it, and items of other instances that watch it.
    pub pollers: WaitQueue,
}

impl Epoll {
    /// One without items.
    pub fn new(uid: u32) -> Self {
        Self {
            uid,
            own: None,
            slots: Vec::new(),
            free: Vec::new(),
            index: BTreeMap::new(),
            first: NONE,
            last: NONE,
            ready: 0,
            waiters: WaitQueue::default(),
            pollers: WaitQueue::default(),
        }
    }

    /// How many items it has.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The place of an item.
    pub fn find(&self, key: Key) -> Option<u32> {
        self.index.get(&key).copied()
    }

    /// All items with their keys and places, in the order of the keys.
    pub fn items(&self) -> impl Iterator<Item = (Key, u32, &Item)> {
        self.index.iter().filter_map(|(key, at)| Some((*key, *at, self.item(*at)?)))
    }

    /// The item at a place.
    #[inline]
    pub fn item(&self, at: u32) -> Option<&Item> {
        Some(&self.slot(at)?.item)
    }

    /// The same to change it.
    #[inline]
    pub fn item_mut(&mut self, at: u32) -> Option<&mut Item> {
        Some(&mut self.slot_mut(at)?.item)
    }

    /// Adds an item; its place.
    pub fn insert(&mut self, key: Key, item: Item) -> u32 {
        let slot = Some(Slot { item, before: NONE, after: NONE, ready: false });
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
        };
        if let Some(place) = self.slots.get_mut(at as usize) {
            *place = slot;
        }
        self.index.insert(key, at);
        at
    }

    /// Takes an item out.
    pub fn remove(&mut self, key: Key) -> Option<(u32, Item)> {
        let at = self.index.remove(&key)?;
        self.unready(at);
        let slot = self.slots.get_mut(at as usize)?.take()?;
        self.free.push(at);
        if self.index.is_empty() {
            (self.slots, self.free) = (Vec::new(), Vec::new());
        }
        Some((at, slot.item))
    }

    /// How many stand in the ready list.
    #[inline]
    pub fn ready_count(&self) -> u32 {
        self.ready
    }

    /// The ready list's places, in order.
    pub fn ready_places(&self) -> Vec<u32> {
        let mut places = Vec::new();
        let mut at = self.first;
        while let Some(slot) = self.slot(at) {
            places.push(at);
            at = slot.after;
        }
        places
    }

    /// The first of the ready list.
    #[inline]
    pub fn first_ready(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// An item enters the ready list at its end; false if it stands there already.
    #[inline]
    pub fn make_ready(&mut self, at: u32) -> bool {
        let last = self.last;
        let Some(slot) = self.slot_mut(at).filter(|slot| !slot.ready) else { return false };
        (slot.ready, slot.before, slot.after) = (true, last, NONE);
        match self.slot_mut(last) {
            Some(before) => before.after = at,
            None => self.first = at,
        }
        self.last = at;
        self.ready += 1;
        true
    }

    /// An item leaves the ready list.
    #[inline]
    pub fn unready(&mut self, at: u32) {
        let Some(slot) = self.slot_mut(at).filter(|slot| slot.ready) else { return };
        slot.ready = false;
        let (before, after) = (slot.before, slot.after);
        match self.slot_mut(before) {
            Some(slot) => slot.after = after,
            None => self.first = after,
        }
        match self.slot_mut(after) {
            Some(slot) => slot.before = before,
            None => self.last = before,
        }
        self.ready -= 1;
    }

    #[inline]
    fn slot(&self, at: u32) -> Option<&Slot> {
        self.slots.get(at as usize)?.as_ref()
    }

    #[inline]
    fn slot_mut(&mut self, at: u32) -> Option<&mut Slot> {
        self.slots.get_mut(at as usize)?.as_mut()
    }
}

impl TextDefault for Epoll {
    type Cold = ();
}

/// An item in the queue of what it watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// Its place in the order of waiting.
    pub since: u64,
    /// Whose item.
    pub epoll: EpollRow,
    /// The item's place.
    pub at: u32,
    /// It is one of `EPOLLEXCLUSIVE`.
    pub exclusive: bool,
    /// Which of the object's queues it stands in.
    pub sides: u8,
}

/// The items that watch one object, in the order in which they were added. Nothing is taken where
/// there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::box_collection, reason = "one word in every row, most of which have none")]
pub struct Watchers(Option<Box<Vec<Watcher>>>);

impl Watchers {
    /// None.
    pub const NONE: Self = Self(None);

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All, in order.
    #[inline]
    pub fn all(&self) -> &[Watcher] {
        self.0.as_ref().map_or(&[], |list| list.as_slice())
    }

    /// Adds one; `since` is higher than all before it, or it is put in order.
    pub fn add(&mut self, watcher: Watcher) {
        let list = self.0.get_or_insert_with(|| Box::new(Vec::with_capacity(1)));
        let at = list.partition_point(|other| other.since <= watcher.since);
        list.insert(at, watcher);
    }

    /// Removes one.
    pub fn remove(&mut self, since: u64) {
        let Some(list) = &mut self.0 else { return };
        let at = list.partition_point(|other| other.since < since);
        if list.get(at).is_some_and(|other| other.since == since) {
            list.remove(at);
        }
        if list.is_empty() {
            self.0 = None;
        }
    }
}

/// The items that watch a description, in the order in which they were added: they go with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::box_collection, reason = "one word in every row, most of which have none")]
pub struct WatchedBy(Option<Box<Vec<Watching>>>);

/// An item that watches a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watching {
    /// Its place in the order of waiting.
    since: u64,
    /// Whose item.
    epoll: EpollRow,
    /// The number that it was added under.
    fd: i32,
}

impl WatchedBy {
    /// Nobody.
    pub const NOBODY: Self = Self(None);

    /// Whether nobody does.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds the item with this place in the order of waiting, which was added under a number.
    pub fn add(&mut self, since: u64, epoll: EpollRow, fd: i32) {
        let list = self.0.get_or_insert_with(|| Box::new(Vec::with_capacity(1)));
        let at = list.partition_point(|other| other.since <= since);
        list.insert(at, Watching { since, epoll, fd });
    }

    /// Removes it.
    pub fn remove(&mut self, since: u64) {
        let Some(list) = &mut self.0 else { return };
        let at = list.partition_point(|other| other.since < since);
        if list.get(at).is_some_and(|other| other.since == since) {
            list.remove(at);
        }
        if list.is_empty() {
            self.0 = None;
        }
    }

    /// All, each its instance and the number that it was added under.
    pub fn all(&self) -> impl Iterator<Item = (EpollRow, i32)> {
        self.0.iter().flat_map(|list| list.iter().map(|one| (one.epoll, one.fd)))
    }

    /// Takes all.
    pub fn take(&mut self) -> Vec<(EpollRow, i32)> {
        let list = self.0.take().unwrap_or_default();
        list.into_iter().map(|one| (one.epoll, one.fd)).collect()
    }
}
