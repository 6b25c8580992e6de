//! Pages of a file that do not exist and for which room is kept (fallocate(2)): ranges that neither
//! touch nor overlap.

use super::{PAGE_BYTES, Shift};
use crate::wire::{Wire, WireError, WireReader};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Ranges of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reserved {
    /// The page behind each range by its first one.
    ranges: BTreeMap<u64, u64>,
    pages: u64,
}

impl Reserved {
    /// Pages in all ranges.
    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    /// First page of each range and the page behind its last.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(first, end)| (*first, *end))
    }

    /// Those that share a page with another, or touch it.
    fn near(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        let before = self.ranges.range(..first).next_back().filter(|range| *range.1 >= first);
        let inside = self.ranges.range(first..=end.max(first));
        before.into_iter().chain(inside).map(|(first, end)| (*first, *end)).collect()
    }

    /// Adds a range; what it shares with others counts once.
    pub(super) fn add(&mut self, first: u64, end: u64) {
        if first >= end {
            return;
        }
        let (mut first, mut end) = (first, end);
        for (other_first, other_end) in self.near(first, end) {
            self.ranges.remove(&other_first);
            self.pages -= other_end - other_first;
            (first, end) = (first.min(other_first), end.max(other_end));
        }
        self.ranges.insert(first, end);
        self.pages += end - first;
    }

    /// Takes a range out.
    pub(super) fn remove(&mut self, first: u64, end: u64) {
        if first >= end {
            return;
        }
        for (other_first, other_end) in self.near(first, end) {
            self.ranges.remove(&other_first);
            self.pages -= other_end - other_first;
            for (first, end) in
                [(other_first, other_end.min(first)), (other_first.max(end), other_end)]
            {
                if first < end {
                    self.ranges.insert(first, end);
                    self.pages += end - first;
                }
            }
        }
    }

    /// Takes `count` pages from `first` on out, or puts as many in between: those behind move.
    pub(super) fn shift(&mut self, shift: Shift, first: u64, count: u64) {
        let behind = match shift {
            Shift::Out => first.saturating_add(count),
            Shift::In => first,
        };
        let moves = self.within(behind, u64::MAX);
        self.remove(first, u64::MAX);
        for (from, end) in moves {
            let moved = |page: u64| match shift {
                Shift::Out => page - count,
                Shift::In => page.saturating_add(count),
            };
            self.add(moved(from), moved(end));
        }
    }

    /// What a range shares with these.
    pub(super) fn within(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        let near = self.near(first, end).into_iter();
        let shared = near.map(|(from, to)| (from.max(first), to.min(end)));
        shared.filter(|(from, to)| from < to).collect()
    }

    /// How many pages of a range are in these.
    pub(super) fn count(&self, first: u64, end: u64) -> u64 {
        self.within(first, end).into_iter().map(|(first, end)| end - first).sum()
    }
}

impl<'a> Wire<'a> for Reserved {
    fn put(&self, out: &mut Vec<u8>) {
        self.ranges().collect::<Vec<_>>().put(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let mut reserved = Self::default();
        let mut next = 0;
        for (first, end) in Vec::<(u64, u64)>::get(from)? {
            if first < next || first >= end {
                return Err(from.error("ranges of pages in their order, apart from each other"));
            }
            // It counts as if it were there.
            from.charge((end - first).saturating_mul(PAGE_BYTES))?;
            reserved.add(first, end);
            next = end.saturating_add(1);
        }
        Ok(reserved)
    }
}
