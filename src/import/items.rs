//! The events of an imported recording, as they go into a trace. While the recording is walked,
//! what is expected of those that came last still changes; the others are packed (`packed.rs`), and
//! what becomes known of them later is packed beside.

use std::collections::VecDeque;
use std::io;

use tickernel_systems::event::{Call, Event};
use tickernel_systems::wire::{Wire, WireReader};

use crate::packed::{Packed, Reader};
use crate::replay::{Expected, Step};
use crate::trace::varint::{Cursor, put_bytes, put_varint};

/// Events that are not packed yet, and their bytes.
const MAX_RECENT: usize = 1 << 14;
const MAX_RECENT_BYTES: usize = 8 << 20;
/// Most facts that become known of packed events.
const MAX_LATER: usize = 1 << 22;

/// An event, encoded, with what the recording says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    event: Vec<u8>,
    expected: Option<Vec<u8>>,
    /// Entry and exit line.
    lines: Option<(u64, u64)>,
}

impl Encoded {
    /// As a replay takes it.
    pub fn step(&self) -> Step<'_> {
        Step { event: &self.event, expected: self.expected.as_deref(), lines: self.lines }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.expected.is_some()) | u8::from(self.lines.is_some()) << 1);
        put_bytes(out, &self.event);
        if let Some(expected) = &self.expected {
            put_bytes(out, expected);
        }
        if let Some((entry, exit)) = self.lines {
            put_varint(out, entry);
            put_varint(out, exit);
        }
    }

    fn get(record: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(record, 0);
        let has = cursor.u8()?;
        let mut bytes = || {
            let len = cursor.varint()?;
            cursor.take(len).map(<[u8]>::to_vec)
        };
        let event = bytes()?;
        let expected = if has & 1 == 0 { None } else { Some(bytes()?) };
        let lines = if has & 2 == 0 { None } else { Some((cursor.varint()?, cursor.varint()?)) };
        Some(Self { event, expected, lines })
    }

    /// Puts bytes into the data of a writing call.
    fn write(&mut self, at: u64, bytes: &[u8]) {
        let Some(data) = data_place(&self.event) else { return };
        let from = usize::try_from(at).ok().and_then(|at| data.checked_add(at));
        let to = from.and_then(|from| from.checked_add(bytes.len()));
        let (Some(from), Some(to)) = (from, to) else { return };
        if let Some(place) = self.event.get_mut(from..to) {
            place.copy_from_slice(bytes);
        }
    }
}

/// What became known of an event.
#[derive(Debug)]
enum Later<'a> {
    Expected(&'a [u8]),
    Lines((u64, u64)),
    Data(u64, &'a [u8]),
}

const EXPECTED: u8 = 0;
const LINES: u8 = 1;
const DATA: u8 = 2;

impl<'a> Later<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        match *self {
            Later::Expected(bytes) => {
                out.push(EXPECTED);
                put_bytes(out, bytes);
            }
            Later::Lines((entry, exit)) => {
                out.push(LINES);
                put_varint(out, entry);
                put_varint(out, exit);
            }
            Later::Data(at, bytes) => {
                out.push(DATA);
                put_varint(out, at);
                put_bytes(out, bytes);
            }
        }
    }

    fn get(record: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(record, 0);
        let kind = cursor.u8()?;
        if kind == LINES {
            return Some(Later::Lines((cursor.varint()?, cursor.varint()?)));
        }
        let at = if kind == DATA { cursor.varint()? } else { 0 };
        let len = cursor.varint()?;
        let bytes = cursor.take(len)?;
        Some(if kind == DATA { Later::Data(at, bytes) } else { Later::Expected(bytes) })
    }

    fn apply(&self, item: &mut Encoded) {
        match *self {
            Later::Expected(expected) => item.expected = Some(expected.to_vec()),
            Later::Lines(lines) => item.lines = Some(lines),
            Later::Data(at, bytes) => item.write(at, bytes),
        }
    }
}

/// Events in order.
#[derive(Debug, Default)]
pub struct Items {
    packed: Packed,
    recent: VecDeque<Encoded>,
    recent_bytes: usize,
    later: Box<LaterList>,
    record: Vec<u8>,
}

/// What became known of packed events.
#[derive(Debug, Default)]
struct LaterList {
    packed: Packed,
    /// Of which event each of these is, with its number; by the event at the end.
    places: Vec<(u64, u64)>,
    /// There were more.
    has_too_many: bool,
}

impl Items {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.packed.count() + self.recent.len() as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them.
    pub fn iter(&self) -> ItemIter<'_> {
        let (reader, later_reader) = (Reader::default(), Reader::default());
        ItemIter { items: self, reader, later_reader, at: 0, later_at: 0 }
    }

    /// Why there is no room for more, once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        if std::mem::take(&mut self.later.has_too_many) {
            let why = format!("more than {MAX_LATER} facts came late");
            return Some(io::Error::other(why));
        }
        self.packed.take_failure().or_else(|| self.later.packed.take_failure())
    }

    /// Whether something could not be read back.
    pub fn is_broken(&self) -> bool {
        self.packed.is_broken() || self.later.packed.is_broken()
    }

    pub(super) fn push(
        &mut self,
        event: Vec<u8>,
        expected: Option<Vec<u8>>,
        lines: Option<(u64, u64)>,
    ) {
        self.recent_bytes += event.len() + expected.as_ref().map_or(0, Vec::len);
        self.recent.push_back(Encoded { event, expected, lines });
        while self.recent.len() > MAX_RECENT || self.recent_bytes > MAX_RECENT_BYTES {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let Some(item) = self.recent.pop_front() else { return };
        self.recent_bytes = self
            .recent_bytes
            .saturating_sub(item.event.len() + item.expected.as_ref().map_or(0, Vec::len));
        self.record.clear();
        item.put(&mut self.record);
        self.packed.push(&self.record);
        self.record.shrink_to(MAX_RECENT_BYTES);
    }

    /// What is expected of an event, as it is known now.
    pub(super) fn expect(&mut self, at: u64, expected: &Expected) {
        self.learn(at, &Later::Expected(&expected.to_bytes()));
    }

    /// The lines of an event.
    pub(super) fn stands_at(&mut self, at: u64, lines: (u64, u64)) {
        self.learn(at, &Later::Lines(lines));
    }

    /// Bytes of what an event writes.
    pub(super) fn write(&mut self, at: u64, place: u64, bytes: &[u8]) {
        self.learn(at, &Later::Data(place, bytes));
    }

    fn learn(&mut self, at: u64, later: &Later<'_>) {
        let place = at.checked_sub(self.packed.count()).and_then(|at| usize::try_from(at).ok());
        if let Some(place) = place {
            if let Some(item) = self.recent.get_mut(place) {
                later.apply(item);
            }
            return;
        }
        if self.later.places.len() >= MAX_LATER {
            self.later.has_too_many = true;
            return;
        }
        self.later.places.push((at, self.later.packed.count()));
        self.record.clear();
        later.put(&mut self.record);
        self.later.packed.push(&self.record);
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) {
        while !self.recent.is_empty() {
            self.pack();
        }
        self.packed.seal();
        self.later.packed.seal();
        self.later.places.sort_unstable();
        self.recent = VecDeque::new();
        self.record = Vec::new();
    }
}

impl<'a> IntoIterator for &'a Items {
    type Item = Encoded;
    type IntoIter = ItemIter<'a>;

    fn into_iter(self) -> ItemIter<'a> {
        self.iter()
    }
}

/// Walks over events.
#[derive(Debug)]
pub struct ItemIter<'a> {
    items: &'a Items,
    reader: Reader,
    later_reader: Reader,
    at: u64,
    later_at: usize,
}

impl Iterator for ItemIter<'_> {
    type Item = Encoded;

    fn next(&mut self) -> Option<Encoded> {
        let record = self.reader.get(&self.items.packed, self.at);
        let mut item = Encoded::get(record?)?;
        while let Some((at, number)) = self.items.later.places.get(self.later_at)
            && *at == self.at
        {
            let record = self.later_reader.get(&self.items.later.packed, *number)?;
            Later::get(record)?.apply(&mut item);
            self.later_at += 1;
        }
        self.at += 1;
        Some(item)
    }
}

/// Where the data of a writing call stand in its event.
fn data_place(event: &[u8]) -> Option<usize> {
    let parsed = Event::get(&mut WireReader::new(event)).ok()?;
    let (Event::Call { call, .. } | Event::Park { call, .. }) = parsed else { return None };
    let (Call::Write { data, .. }
    | Call::Writev { data, .. }
    | Call::Pwrite64 { data, .. }
    | Call::Pwritev { data, .. }
    | Call::Pwritev2 { data, .. }
    | Call::Sendto { data, .. }
    | Call::Sendmsg { data, .. }) = call
    else {
        return None;
    };
    // The data are a part of the event's bytes.
    (data.as_ptr() as usize).checked_sub(event.as_ptr() as usize)
}
