//! A whole recording, kept packed (`packed.rs`): memory does not grow with its length. Events are
//! read in order or from any place on, calls by number; what was read last stays unpacked.
//!
//! Filled by `join.rs` and `folder.rs`. A call is written when it has returned; one that returns
//! long after those that were entered after it lies apart.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use super::event::{Call, Event, EventKind};
use super::line::Notice;
use super::pack::{NameTable, get_call, get_value, put_call, put_value};
use crate::packed::{Packed, Reader};
use crate::trace::varint::{Cursor, put_bytes, put_varint, zigzag_apply, zigzag_step};

/// Events that are packed and unpacked together.
const BATCH: u64 = 2048;
/// Batches that stay unpacked.
const CACHED_BATCHES: usize = 4;
/// Calls that stay unpacked, and the size of a record beyond which only the last one does.
const CACHED_CALLS: u64 = 256;
const MAX_CACHED_BYTES: usize = 16 << 10;
/// Room for a record that is kept for the next ones.
const MAX_KEPT_BYTES: usize = 64 << 10;
/// Calls, and their bytes, that wait for one that was entered before them.
const MAX_WAITING: usize = 1 << 16;
const MAX_WAITING_BYTES: usize = 8 << 20;

/// The calls of a recording by number, in the order in which they were entered.
#[derive(Debug, Default)]
pub struct CallList {
    names: NameTable,
    packed: Packed,
    /// Where those are that returned late.
    late: BTreeMap<u64, u64>,
    late_packed: Packed,
    count: u64,
    cache: RefCell<CallCache>,
}

#[derive(Debug, Default)]
struct CallCache {
    reader: Reader,
    late_reader: Reader,
    recent: Vec<Option<(u64, Arc<Call>)>>,
    /// The last one of many bytes: its entry and its exit stand together.
    large: Option<(u64, Arc<Call>)>,
}

impl CallList {
    /// The call of that number.
    pub fn get(&self, index: u64) -> Option<Arc<Call>> {
        let mut cache = self.cache.borrow_mut();
        let CallCache { reader, late_reader, recent, large } = &mut *cache;
        let slot = usize::try_from(index % CACHED_CALLS).ok()?;
        let cached = recent.get(slot).into_iter().flatten().chain(&*large);
        if let Some((_, call)) = cached.into_iter().find(|(cached, _)| *cached == index) {
            return Some(Arc::clone(call));
        }
        if index >= self.count {
            return None;
        }
        *large = None;
        let mut record = reader.get(&self.packed, index)?;
        if record.is_empty() {
            record = late_reader.get(&self.late_packed, *self.late.get(&index)?)?;
        }
        let call = Arc::new(get_call(record, &self.names)?);
        let kept = Some((index, Arc::clone(&call)));
        if record.len() > MAX_CACHED_BYTES {
            *large = kept;
            return Some(call);
        }
        recent.resize(CACHED_CALLS as usize, None);
        if let Some(slot) = recent.get_mut(slot) {
            *slot = kept;
        }
        Some(call)
    }

    /// How many calls there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether something that was kept could not be read back.
    pub fn is_broken(&self) -> bool {
        self.packed.is_broken() || self.late_packed.is_broken()
    }
}

/// What happened, in order.
#[derive(Debug, Default)]
pub struct EventList {
    names: NameTable,
    packed: Packed,
    count: u64,
    cache: RefCell<EventCache>,
}

type Batch = Arc<Vec<Event>>;

#[derive(Debug, Default)]
struct EventCache {
    reader: Reader,
    /// The batches used last, the last one at the end.
    batches: VecDeque<(u64, Batch)>,
}

impl EventList {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether something that was kept could not be read back.
    pub fn is_broken(&self) -> bool {
        self.packed.is_broken()
    }

    /// The event at a place.
    pub fn get(&self, at: u64) -> Option<Event> {
        self.batch(at / BATCH)?.get((at % BATCH) as usize).cloned()
    }

    /// All of them.
    pub fn iter(&self) -> EventIter<'_> {
        self.iter_from(0)
    }

    /// Those from a place on.
    pub fn iter_from(&self, at: u64) -> EventIter<'_> {
        EventIter { list: self, batch: None, at }
    }

    fn batch(&self, number: u64) -> Option<Batch> {
        let mut cache = self.cache.borrow_mut();
        let EventCache { reader, batches } = &mut *cache;
        if let Some(at) = batches.iter().position(|(cached, _)| *cached == number) {
            let found = batches.remove(at)?;
            let batch = Arc::clone(&found.1);
            batches.push_back(found);
            return Some(batch);
        }
        let batch = Arc::new(get_batch(reader.get(&self.packed, number)?, &self.names)?);
        if batches.len() >= CACHED_BATCHES {
            batches.pop_front();
        }
        batches.push_back((number, Arc::clone(&batch)));
        Some(batch)
    }
}

impl<'a> IntoIterator for &'a EventList {
    type Item = Event;
    type IntoIter = EventIter<'a>;

    fn into_iter(self) -> EventIter<'a> {
        self.iter()
    }
}

/// Walks over events.
#[derive(Debug)]
pub struct EventIter<'a> {
    list: &'a EventList,
    batch: Option<Batch>,
    at: u64,
}

impl Iterator for EventIter<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.batch.is_none() || self.at.is_multiple_of(BATCH) {
            self.batch = self.list.batch(self.at / BATCH);
        }
        let event = self.batch.as_ref()?.get((self.at % BATCH) as usize)?.clone();
        self.at += 1;
        Some(event)
    }
}

/// Fills a list of events.
#[derive(Debug, Default)]
pub(super) struct EventKeeper {
    list: EventList,
    batch: Vec<u8>,
    last: Last,
}

impl EventKeeper {
    pub(super) fn push(&mut self, event: &Event) {
        put_event(&mut self.batch, &mut self.list.names, &mut self.last, event);
        self.list.count += 1;
        if self.list.count.is_multiple_of(BATCH) {
            self.seal();
        }
    }

    fn seal(&mut self) {
        self.list.packed.push(&self.batch);
        self.batch.clear();
        self.last = Last::default();
    }

    /// Why there is no room for more, once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.list.packed.take_failure()
    }

    pub(super) fn finish(mut self) -> EventList {
        if !self.batch.is_empty() {
            self.seal();
        }
        self.list.packed.seal();
        self.list
    }
}

/// Fills a list of calls.
#[derive(Debug, Default)]
pub(super) struct CallKeeper {
    list: CallList,
    /// Records of the calls from `next` on that have returned.
    waiting: VecDeque<Option<Vec<u8>>>,
    waiting_bytes: usize,
    next: u64,
    record: Vec<u8>,
}

impl CallKeeper {
    /// Keeps a call as it is now.
    pub(super) fn put(&mut self, index: u64, call: &Call) {
        self.list.count = self.list.count.max(index + 1);
        self.record.clear();
        self.record.shrink_to(MAX_KEPT_BYTES);
        put_call(&mut self.record, &mut self.list.names, call);
        let Some(ahead) = index.checked_sub(self.next) else {
            self.list.late.insert(index, self.list.late_packed.count());
            self.list.late_packed.push(&self.record);
            return;
        };
        if ahead == 0 && self.waiting.is_empty() {
            self.next += 1;
            self.list.packed.push(&self.record);
            return;
        }
        let ahead = usize::try_from(ahead).unwrap_or(usize::MAX);
        if self.waiting.len() <= ahead {
            self.waiting.resize(ahead + 1, None);
        }
        self.waiting_bytes += self.record.len();
        if let Some(slot) = self.waiting.get_mut(ahead) {
            *slot = Some(self.record.clone());
        }
        self.write();
    }

    /// Writes what waits for nothing, and what has waited too long.
    fn write(&mut self) {
        while let Some(front) = self.waiting.front() {
            let crowded =
                self.waiting_bytes > MAX_WAITING_BYTES || self.waiting.len() > MAX_WAITING;
            if front.is_none() && !crowded {
                break;
            }
            let record = self.waiting.pop_front().flatten().unwrap_or_default();
            self.waiting_bytes -= record.len();
            self.next += 1;
            self.list.packed.push(&record);
        }
    }

    /// Why there is no room for more, once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        let CallList { packed, late_packed, .. } = &mut self.list;
        packed.take_failure().or_else(|| late_packed.take_failure())
    }

    /// All calls were put.
    pub(super) fn finish(mut self) -> CallList {
        self.write();
        self.list.packed.seal();
        self.list.late_packed.seal();
        self.list
    }
}

/// What the event before was: the next one differs little.
#[derive(Debug, Default)]
struct Last {
    line: u64,
    tid: Option<u32>,
    time_ns: u64,
    call: u64,
}

const ENTRY: u8 = 0;
const EXIT: u8 = 1;
const SIGNAL: u8 = 2;
const STOPPED: u8 = 3;
const EXITED: u8 = 4;
const KILLED: u8 = 5;
const SUPERSEDED: u8 = 6;
const DETACHED: u8 = 7;
const NOTICE: u8 = 8;
/// Bits beside the kind: the task is the one before, and there is a time.
const SAME_TASK: u8 = 1 << 4;
const TIMED: u8 = 1 << 5;

fn put_event(out: &mut Vec<u8>, names: &mut NameTable, last: &mut Last, event: &Event) {
    let kind = match &event.kind {
        EventKind::Entry { .. } => ENTRY,
        EventKind::Exit { .. } => EXIT,
        EventKind::Signal { .. } => SIGNAL,
        EventKind::Stopped { .. } => STOPPED,
        EventKind::Exited { .. } => EXITED,
        EventKind::Killed { .. } => KILLED,
        EventKind::Superseded { .. } => SUPERSEDED,
        EventKind::Detached => DETACHED,
        EventKind::Notice(_) => NOTICE,
    };
    let same = if event.tid == last.tid { SAME_TASK } else { 0 };
    out.push(kind | same | if event.time_ns.is_some() { TIMED } else { 0 });
    if event.tid != last.tid {
        put_varint(out, event.tid.map_or(0, |tid| u64::from(tid) + 1));
        last.tid = event.tid;
    }
    put_varint(out, zigzag_step(last.line, event.line));
    last.line = event.line;
    if let Some(time) = event.time_ns {
        put_varint(out, zigzag_step(last.time_ns, time));
        last.time_ns = time;
    }
    match &event.kind {
        EventKind::Entry { call } | EventKind::Exit { call } => {
            put_varint(out, zigzag_step(last.call, *call));
            last.call = *call;
        }
        EventKind::Signal { name, info } => {
            names.put(out, name);
            put_value(out, names, info);
        }
        EventKind::Stopped { signal } => names.put(out, signal),
        EventKind::Exited { status } => put_varint(out, u64::from(*status)),
        EventKind::Killed { signal, core } => {
            names.put(out, signal);
            out.push(u8::from(*core));
        }
        EventKind::Superseded { by } => put_varint(out, u64::from(*by)),
        EventKind::Detached => {}
        EventKind::Notice(notice) => put_notice(out, names, notice),
    }
}

fn put_notice(out: &mut Vec<u8>, names: &mut NameTable, notice: &Notice) {
    match notice {
        Notice::Attached(pid) => {
            out.push(0);
            put_varint(out, u64::from(*pid));
        }
        Notice::Detached(pid) => {
            out.push(1);
            put_varint(out, u64::from(*pid));
        }
        Notice::Personality { pid, mode } => {
            out.push(2);
            put_varint(out, u64::from(*pid));
            names.put(out, mode);
        }
        Notice::Other(text) => {
            out.push(3);
            put_bytes(out, text);
        }
    }
}

fn get_batch(record: &[u8], names: &NameTable) -> Option<Vec<Event>> {
    let mut cursor = Cursor::new(record, 0);
    let mut last = Last::default();
    let mut events = Vec::with_capacity(BATCH as usize);
    while !cursor.is_empty() {
        events.push(get_event(&mut cursor, names, &mut last)?);
    }
    Some(events)
}

fn small(cursor: &mut Cursor<'_>) -> Option<u32> {
    cursor.varint().and_then(|value| u32::try_from(value).ok())
}

fn get_event(cursor: &mut Cursor<'_>, names: &NameTable, last: &mut Last) -> Option<Event> {
    let head = cursor.u8()?;
    if head & SAME_TASK == 0 {
        last.tid = match cursor.varint()? {
            0 => None,
            tid => Some(u32::try_from(tid - 1).ok()?),
        };
    }
    last.line = zigzag_apply(last.line, cursor.varint()?);
    let mut time_ns = None;
    if head & TIMED != 0 {
        last.time_ns = zigzag_apply(last.time_ns, cursor.varint()?);
        time_ns = Some(last.time_ns);
    }
    let mut call = |cursor: &mut Cursor<'_>| {
        last.call = zigzag_apply(last.call, cursor.varint()?);
        Some(last.call)
    };
    let kind = match head & 0xf {
        ENTRY => EventKind::Entry { call: call(cursor)? },
        EXIT => EventKind::Exit { call: call(cursor)? },
        SIGNAL => EventKind::Signal { name: names.get(cursor)?, info: get_value(cursor, names)? },
        STOPPED => EventKind::Stopped { signal: names.get(cursor)? },
        EXITED => EventKind::Exited { status: small(cursor)? },
        KILLED => EventKind::Killed { signal: names.get(cursor)?, core: cursor.u8()? == 1 },
        SUPERSEDED => EventKind::Superseded { by: small(cursor)? },
        DETACHED => EventKind::Detached,
        _ => EventKind::Notice(get_notice(cursor, names)?),
    };
    Some(Event { line: last.line, tid: last.tid, time_ns, kind })
}

fn get_notice(cursor: &mut Cursor<'_>, names: &NameTable) -> Option<Notice> {
    Some(match cursor.u8()? {
        0 => Notice::Attached(small(cursor)?),
        1 => Notice::Detached(small(cursor)?),
        2 => Notice::Personality { pid: small(cursor)?, mode: names.get(cursor)? },
        _ => {
            let len = cursor.varint()?;
            Notice::Other(cursor.take(len)?.to_vec())
        }
    })
}
