//! The shell's one reading of the host's clocks. What it gives is told to people (how long
//! something took) or is the time of a file system that stands alone; it never reaches the kernel,
//! whose time comes by events.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Now, for measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "the one place: see above")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The host's time in ms since the epoch, 0 before it: for a file system without a kernel's clock.
#[expect(clippy::disallowed_methods, reason = "the one place: see above")]
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
