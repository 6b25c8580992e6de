//! Shares the names of one reading: a recording repeats some hundred names millions of times.
//!
//! The table is bounded; a name that finds it full gets an allocation of its own.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::value::Name;

/// Names kept for sharing.
const MAX_NAMES: usize = 1 << 14;
/// Longer names (comments mostly) are not worth sharing.
pub(super) const MAX_SHARED_BYTES: usize = 120;

/// The names seen so far.
#[derive(Debug, Default)]
#[expect(clippy::disallowed_types, reason = "looked up and filled, never walked: no order shows")]
pub(crate) struct Names(std::collections::HashSet<Name, BuildHasherDefault<ahash::AHasher>>);

impl Names {
    /// The shared form of `text`.
    pub(crate) fn share(&mut self, text: &str) -> Name {
        if text.len() > MAX_SHARED_BYTES {
            return Arc::from(text);
        }
        if let Some(name) = self.0.get(text) {
            return Arc::clone(name);
        }
        let name: Name = Arc::from(text);
        if self.0.len() < MAX_NAMES {
            self.0.insert(Arc::clone(&name));
        }
        name
    }
}
