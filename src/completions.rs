//! The rolling hash of what comes of events (traces/README.md, "Hash"): of outcomes, completions
//! and effects in the order in which they happen.
//!
//! Whoever records, replays or makes a trace of its text holds one. Not here: the hash's steps
//! (`systems/digest.rs`).

use crate::trace::FORMAT_VERSION;
use tickernel_systems::digest::{hash64, hash64_short, spread64};
use tickernel_systems::event::Outcome;
use tickernel_systems::wire::Wire;

/// The sum of all that was noted.
#[derive(Clone, Debug)]
pub struct Completions {
    hash: u64,
    format_version: u16,
    scratch: Vec<u8>,
}

impl Default for Completions {
    fn default() -> Self {
        Self::of_format(FORMAT_VERSION)
    }
}

impl Completions {
    /// Nothing yet, for a trace of this format version.
    pub const fn of_format(format_version: u16) -> Self {
        Self { hash: 0, format_version, scratch: Vec::new() }
    }

    /// The sum.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// A sum that stands in a text.
    pub const fn set(&mut self, hash: u64) {
        self.hash = hash;
    }

    /// One more.
    pub fn note(&mut self, value: &impl for<'a> Wire<'a>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        value.put(&mut scratch);
        self.note_encoded(&scratch);
        self.scratch = scratch;
    }

    /// [`Completions::note`] of an outcome. Most are made in registers: what is written byte by
    /// byte is waited for.
    #[inline]
    pub fn note_outcome(&mut self, outcome: &Outcome) {
        let short = outcome.short();
        // Eight bytes alone are one whole word: only in front of others are they these and a rest.
        let fits = short.word_bytes() < 8 || short.is_whole() && !short.tail().is_empty();
        if fits && self.format_version > 1 {
            self.add(short.word(), short.word_bytes(), short.tail());
        } else {
            self.note(outcome);
        }
    }

    /// One more whose encoding is there.
    pub fn note_encoded(&mut self, encoding: &[u8]) {
        if self.format_version == 1 {
            self.hash = hash64(self.hash, encoding);
        } else {
            self.add(0, 0, encoding);
        }
    }

    /// An encoding whose first bytes are a number: up to seven, or eight before others.
    #[inline]
    fn add(&mut self, head: u64, head_bytes: u32, tail: &[u8]) {
        let bytes = u64::from(head_bytes) + tail.len() as u64;
        let word = match (bytes, tail) {
            (_, []) => head,
            (0..8, tail) => {
                let joined = tail.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
                head | joined << (8 * head_bytes)
            }
            (_, tail) => spread64(head, head_bytes, tail),
        };
        self.hash = hash64_short(self.hash, word, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickernel_systems::event::{Answer, Payload};

    #[test]
    fn an_outcome_in_registers_is_the_one_written_out() {
        let values = [0, 1, 63, 64, 127, 128, 4096, 8191, 8192, 1 << 20, 1 << 21, i64::MAX, -1];
        let lengths = (0..200).chain([255, 4096, 8191, 8192, 70_000, (1 << 21) + 5]);
        let data = |length: usize| (0..length).map(|at| at as u8 ^ 0x5a).collect::<Vec<u8>>();
        let with_data = lengths.map(|length| Answer::data(data(length)));
        let fds = Answer { value: 0, payload: Payload::Fds([3, 4]) };
        for format_version in [1, FORMAT_VERSION] {
            let mut short = Completions::of_format(format_version);
            let mut whole = short.clone();
            for answer in
                values.map(Answer::value).into_iter().chain(with_data.clone()).chain([fds.clone()])
            {
                let outcome = Outcome::Done(answer);
                short.note_outcome(&outcome);
                whole.note(&outcome);
                assert_eq!(short.hash(), whole.hash(), "{outcome:?}");
            }
        }
    }
}
