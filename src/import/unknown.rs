//! Bytes that strace cut (`-s`, IMPORT.md section 15): where they are while the calls run, and what
//! later reads tell of them. A cut write is run with zeros; a read that shows the bytes puts them
//! into its event, so that a replay has them from the start.
//!
//! Followed through pipes, sockets, files, and copies inside the kernel (sendfile(2),
//! copy_file_range(2), splice(2), tee(2)). Not here: extended attributes; terminals, whose line
//! discipline changes what goes through (`terminals.rs`); large writes of several writers to one
//! pipe, whose parts interleave (pipe(7)).

use std::collections::BTreeMap;

use tickernel_systems::fs::InodeId;

/// Most gaps that are kept: what is beyond stays zeros.
const MAX_GAPS: usize = 1 << 20;

/// What holds bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    /// A pipe, or the socket that receives: positions count all bytes that ever went through.
    Pipe(u64),
    /// A file.
    File(InodeId),
}

/// Unknown bytes from a position on, and where they stand in an event's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    start: u64,
    end: u64,
    item: u64,
    at: u64,
}

impl Gap {
    /// The part of it in a range.
    fn within(&self, start: u64, end: u64) -> Option<Gap> {
        let (from, to) = (self.start.max(start), self.end.min(end));
        let at = self.at + (from - self.start.min(from));
        (from < to).then_some(Gap { start: from, end: to, at, ..*self })
    }
}

/// Bytes that belong into an event's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt<'a> {
    /// The event.
    pub item: u64,
    /// The place in its data.
    pub at: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// All unknown bytes: of each home by their first position, none over another, so that a look at
/// a range costs what lies in it (a file written in small blocks has a gap for each).
#[derive(Debug, Default)]
pub struct Unknown {
    gaps: BTreeMap<Home, BTreeMap<u64, Gap>>,
    count: usize,
}

impl Unknown {
    /// Whether nothing is unknown.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is unknown of a range, in order.
    fn parts(&self, home: Home, start: u64, end: u64) -> impl Iterator<Item = Gap> + '_ {
        let gaps = self.gaps.get(&home);
        let before = gaps.and_then(|gaps| gaps.range(..start).next_back());
        let after = gaps.into_iter().flat_map(move |gaps| gaps.range(start..end.max(start)));
        before.into_iter().chain(after).filter_map(move |(_, gap)| gap.within(start, end))
    }

    /// Whether a range holds unknown bytes.
    pub fn touches(&self, home: Home, start: u64, end: u64) -> bool {
        self.parts(home, start, end).next().is_some()
    }

    /// The first unknown bytes.
    pub fn first(&self, home: Home) -> Option<(u64, u64)> {
        let (_, gap) = self.gaps.get(&home)?.first_key_value()?;
        Some((gap.start, gap.end))
    }

    fn put(&mut self, home: Home, gap: Gap) {
        if self.count < MAX_GAPS && gap.start < gap.end {
            let old = self.gaps.entry(home).or_default().insert(gap.start, gap);
            self.count += usize::from(old.is_none());
        }
    }

    /// Something is written over a range: what was unknown there is gone.
    pub fn clear(&mut self, home: Home, start: u64, end: u64) {
        let Some(gaps) = self.gaps.get_mut(&home) else { return };
        let before = gaps.range(..start).next_back().filter(|(_, gap)| gap.end > start);
        let from = before.map_or(start, |(&first, _)| first);
        let touched: Vec<u64> = gaps.range(from..end.max(from)).map(|(&first, _)| first).collect();
        for first in touched {
            let Some(gap) = gaps.remove(&first) else { continue };
            self.count -= 1;
            for part in [gap.within(0, start), gap.within(end, u64::MAX)].into_iter().flatten() {
                gaps.insert(part.start, part);
                self.count += 1;
            }
        }
        if gaps.is_empty() {
            self.gaps.remove(&home);
        }
    }

    /// An event's data were written at a position; `parts` of them are unknown.
    pub fn wrote(&mut self, home: Home, start: u64, len: u64, item: u64, parts: &[(u64, u64)]) {
        self.clear(home, start, start.saturating_add(len));
        for &(from, to) in parts {
            let (from, to) = (from.min(len), to.min(len));
            let gap = Gap {
                start: start.saturating_add(from),
                end: start.saturating_add(to),
                item,
                at: from,
            };
            self.put(home, gap);
        }
    }

    /// Bytes were copied.
    pub fn copied(&mut self, from: (Home, u64), to: (Home, u64), len: u64) {
        let parts: Vec<Gap> = self.parts(from.0, from.1, from.1.saturating_add(len)).collect();
        self.clear(to.0, to.1, to.1.saturating_add(len));
        for part in parts {
            let start = to.1.saturating_add(part.start - from.1);
            let end = to.1.saturating_add(part.end - from.1);
            self.put(to.0, Gap { start, end, ..part });
        }
    }

    /// A read showed bytes: what they tell of unknown ones.
    pub fn read<'a>(&mut self, home: Home, start: u64, data: &'a [u8]) -> Vec<Learnt<'a>> {
        let end = start.saturating_add(data.len() as u64);
        let parts: Vec<Gap> = self.parts(home, start, end).collect();
        if parts.is_empty() {
            return Vec::new();
        }
        self.clear(home, start, end);
        let learnt = parts.into_iter().filter_map(|gap| {
            let bytes = data.get((gap.start - start) as usize..(gap.end - start) as usize)?;
            Some(Learnt { item: gap.item, at: gap.at, bytes })
        });
        learnt.collect()
    }
}
