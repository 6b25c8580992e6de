//! The two clocks of a face: the host's, and a virtual one that jumps (DESIGN section 8).

use std::time::Instant;

/// Which clock a virtual machine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaceClock {
    /// The host's: time-outs last as long as they say.
    #[default]
    Real,
    /// A clock that stands still while anything runs, and jumps to the next deadline when a call
    /// waits: time-outs take no time, and two runs agree to the nanosecond.
    Virtual,
}

/// A clock in ns since 1970.
#[derive(Debug)]
pub(crate) enum Clock {
    Real { base: Instant, base_ns: u64 },
    Virtual { now_ns: u64 },
}

impl Clock {
    /// A clock that now shows `start_ns`.
    pub(crate) fn new(kind: FaceClock, start_ns: u64) -> Self {
        match kind {
            FaceClock::Real => Clock::Real { base: crate::clock::now(), base_ns: start_ns },
            FaceClock::Virtual => Clock::Virtual { now_ns: start_ns },
        }
    }

    pub(crate) fn now_ns(&self) -> u64 {
        match self {
            Clock::Real { base, base_ns } => {
                let passed = crate::clock::now().saturating_duration_since(*base);
                base_ns.saturating_add(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX))
            }
            Clock::Virtual { now_ns } => *now_ns,
        }
    }

    pub(crate) const fn is_virtual(&self) -> bool {
        match self {
            Clock::Real { .. } => false,
            Clock::Virtual { .. } => true,
        }
    }

    /// A virtual clock goes on to this time; a real one does so by itself.
    pub(crate) fn jump_to(&mut self, to_ns: u64) {
        match self {
            Clock::Real { .. } => {}
            Clock::Virtual { now_ns } => *now_ns = to_ns.max(*now_ns),
        }
    }
}
