//! The timers of timer_create(2), by process and number: they belong to no row, for few processes
//! have any.

use crate::wire::{Wire, WireError, WireReader};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What the end of a timer's time does (`SIGEV_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Nothing.
    Nobody,
    /// A signal to the process.
    Process,
    /// A signal to one of its threads.
    Thread(u32),
}

/// A timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// `CLOCK_*`.
    pub clock: u32,
    /// Whom it tells.
    pub notify: Notify,
    /// The number of the signal.
    pub signal: u8,
    /// `si_value`.
    pub value: u64,
    /// When it is next due, in ns of the kernel's clock; 0 = never. What is left of a clock of CPU
    /// time, which does not pass.
    pub at_ns: u64,
    /// Its period; 0 = once.
    pub interval_ns: u64,
    /// Its signal is pending; how often its time came since.
    pub queued: Option<u64>,
    /// How often its time came between the signal delivered last and its delivery.
    pub overrun: i32,
}

crate::wire_enum!(Notify { 0 Nobody, 1 Process, 2 Thread(tid) });
crate::wire_struct!(Timer { clock, notify, signal, value, at_ns, interval_ns, queued, overrun });

/// All timers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    /// By process and number.
    pub by_number: BTreeMap<(u32, u32), Timer>,
    /// The next number of a process that has had any.
    pub next: BTreeMap<u32, u32>,
    /// Whose places in the queue of signals they keep, where that is not user 0: the real user
    /// that made each. Encoded after all else, where there are any.
    pub owners: BTreeMap<(u32, u32), u32>,
}

/// But for the owners.
impl<'a> Wire<'a> for Timers {
    fn put(&self, out: &mut Vec<u8>) {
        self.by_number.put(out);
        self.next.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let (by_number, next) = (Wire::get(from)?, Wire::get(from)?);
        Ok(Timers { by_number, next, owners: BTreeMap::new() })
    }
}

impl Timers {
    /// A process's next number: numbers are never given twice.
    pub fn number(&mut self, pid: u32) -> u32 {
        let next = self.next.entry(pid).or_default();
        let number = *next;
        // Linux begins anew beyond the largest int.
        *next = (number + 1) & i32::MAX as u32;
        number
    }

    /// Whose place in the queue of signals a timer keeps.
    pub fn owner(&self, key: (u32, u32)) -> u32 {
        self.owners.get(&key).copied().unwrap_or(0)
    }

    /// The numbers of a process's timers.
    pub fn of(&self, pid: u32) -> impl Iterator<Item = u32> {
        self.by_number.range((pid, 0)..=(pid, u32::MAX)).map(|(key, _)| key.1)
    }
}
