//! Makes one time line of the time columns: nanoseconds since the first line, never backwards.
//!
//! Wall clocks step back (NTP) and times of day wrap at midnight; relative times (-r) add up.

use super::prefix::Stamp;

const DAY_NS: u64 = 86_400_000_000_000;

/// The state of the time line.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// The first line's time, not yet normalised.
    first: Option<u64>,
    /// The last line's time, not yet normalised.
    last: u64,
    /// Midnights passed.
    days: u64,
    /// The last time given out.
    now_ns: u64,
}

impl Clock {
    /// A time line whose zero is `first`, not its first line.
    pub(crate) fn starting_at(first: u64) -> Self {
        Self { first: Some(first), last: first, ..Self::default() }
    }

    /// Nanoseconds since the first line.
    pub(crate) fn at(&mut self, stamp: Stamp) -> u64 {
        let raw = match stamp {
            Stamp::Epoch(ns) => ns,
            Stamp::Delta(ns) => self.last.saturating_add(ns),
            Stamp::Day(ns) => self.of_day(ns),
        };
        let first = *self.first.get_or_insert(raw);
        self.last = raw;
        self.now_ns = self.now_ns.max(raw.saturating_sub(first));
        self.now_ns
    }

    /// A time of day half a day or more before the last one is one of the next day.
    fn of_day(&mut self, ns: u64) -> u64 {
        let today = self.days.saturating_mul(DAY_NS).saturating_add(ns);
        if self.first.is_some() && today.saturating_add(DAY_NS / 2) < self.last {
            self.days += 1;
            return today.saturating_add(DAY_NS);
        }
        today
    }
}
