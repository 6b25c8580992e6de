//! What is due when: blocked calls with a time-out and alarms, by time and then by arming order.

use super::headed::HeadedSet;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The blocked call of this task gives up.
    Call(u32),
    /// SIGALRM of this process.
    Alarm(u32),
    /// A zombie of the face goes, unless its parent lives.
    Zombie(u32),
    /// A timer of timer_create(2): its process and number.
    Timer(u32, u32),
    /// A timer of timerfd_create(2): the id of its description.
    Timerfd(u64),
    /// A socket gives up a connection: its id.
    Connection(u64),
}

/// All deadlines: (ns, what).
#[derive(Clone, Debug, Default)]
pub struct Deadlines(HeadedSet<(u64, Due)>);

impl Deadlines {
    /// Arms a deadline.
    pub fn add(&mut self, at_ns: u64, due: Due) {
        self.0.insert((at_ns, due));
    }

    /// Disarms it.
    pub fn remove(&mut self, at_ns: u64, due: Due) {
        self.0.remove((at_ns, due));
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Due)> {
        self.0.iter()
    }

    /// The next one.
    #[inline]
    pub fn first(&self) -> Option<(u64, Due)> {
        self.0.first()
    }
}
