//! A timer that is read: timerfd_create(2).
//!
//! Owns its arithmetic: a timer that has gone off stands still until it is looked at, and then all
//! the times that have come since are counted at once. Deadlines and waiters are
//! `calls/timerfd.rs`'s.

use crate::abi::Itimer;
use crate::components::WaitQueue;
use crate::wire::{Wire, WireError, WireReader};
use alloc::vec::Vec;

/// A timer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timerfd {
    /// `CLOCK_*`.
    pub clock: u32,
    /// `TFD_TIMER_*` that it was last set with (proc_pid_fdinfo(5)).
    pub set_flags: u32,
    /// When it goes off, or went off, in ns of the kernel's clock; 0 = it is not set.
    pub at_ns: u64,
    /// Its period; 0 = once.
    pub interval_ns: u64,
    /// How often it went off since it was read.
    pub ticks: u64,
    /// It has gone off, and is not armed again before it is looked at.
    pub expired: bool,
    /// Calls and items that wait for it.
    pub waiters: WaitQueue,
}

/// The flags stand above the number of the clock.
const FLAGS_SHIFT: u32 = 16;

impl<'a> Wire<'a> for Timerfd {
    fn put(&self, out: &mut Vec<u8>) {
        (self.clock | self.set_flags << FLAGS_SHIFT).put(out);
        [self.at_ns, self.interval_ns, self.ticks].put(out);
        self.expired.put(out);
        self.waiters.put(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let word = u32::get(from)?;
        let (clock, set_flags) = (word & 0xffff, word >> FLAGS_SHIFT);
        let [at_ns, interval_ns, ticks] = Wire::get(from)?;
        let (expired, waiters) = (Wire::get(from)?, Wire::get(from)?);
        Ok(Self { clock, set_flags, at_ns, interval_ns, ticks, expired, waiters })
    }
}

impl Timerfd {
    /// When it next goes off by itself.
    pub const fn deadline_ns(&self) -> Option<u64> {
        if self.at_ns != 0 && !self.expired { Some(self.at_ns) } else { None }
    }

    /// The next time that it goes off, or would if it were looked at.
    pub fn next_ns(&self, now_ns: u64) -> Option<u64> {
        let mut timer = self.clone();
        timer.go_on(now_ns);
        timer.deadline_ns()
    }

    /// Its time has come.
    pub fn go_off(&mut self) {
        self.expired = true;
        self.ticks = self.ticks.saturating_add(1);
    }

    /// One with a period that has gone off goes on: the times that have come since it did are
    /// counted, and it is armed for the next.
    pub fn go_on(&mut self, now_ns: u64) {
        if !self.expired || self.interval_ns == 0 {
            return;
        }
        self.ticks = self.ticks.saturating_add(self.forward(now_ns).saturating_sub(1));
        self.expired = false;
    }

    /// Moves the time to the first that lies in the future: how many have come.
    fn forward(&mut self, now_ns: u64) -> u64 {
        let Some(late) = now_ns.checked_sub(self.at_ns) else { return 0 };
        let Some(missed) = late.checked_div(self.interval_ns) else { return 0 };
        let times = missed.saturating_add(1);
        let step = self.interval_ns.saturating_mul(times);
        self.at_ns = self.at_ns.saturating_add(step);
        times
    }

    /// What read(2) takes; `None` if it has not gone off.
    pub fn take(&mut self, now_ns: u64) -> Option<u64> {
        if self.ticks == 0 {
            return None;
        }
        self.go_on(now_ns);
        if self.expired {
            // It went off for good.
            (self.at_ns, self.expired) = (0, false);
        }
        Some(core::mem::take(&mut self.ticks))
    }

    /// What is left of it, and its period.
    pub fn left(&self, now_ns: u64) -> Itimer {
        Itimer { value_ns: self.at_ns.saturating_sub(now_ns), interval_ns: self.interval_ns }
    }

    /// What was left of it before it is set anew: as [`Timerfd::left`], but of one that has gone
    /// off until its next time.
    pub fn left_before_change(&mut self, now_ns: u64) -> Itimer {
        if self.expired && self.interval_ns != 0 {
            self.forward(now_ns);
        }
        self.left(now_ns)
    }
}
