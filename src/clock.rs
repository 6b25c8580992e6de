//! The shell's one reading of the host's clock. What it gives is told to people (how long something
//! took); it never reaches the kernel, whose time comes by events.

use std::time::Instant;

/// Now, for measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "the one place: see above")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
