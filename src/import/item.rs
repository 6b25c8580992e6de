//! One event of an imported recording, as it goes into a trace.

use crate::replay::Expected;

/// An event with what is expected of it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The encoded event.
    pub event: Vec<u8>,
    /// What the recording says.
    pub expected: Option<Expected>,
    /// Entry and exit line.
    pub lines: Option<(u64, u64)>,
}
