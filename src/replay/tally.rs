//! Counts of calls by name while a replay runs: one look-up a call, no text made. `Report::by_call`
//! is filled from it at the end.

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;

use super::compare::Verdict;
use super::report::{Counts, Report};

#[expect(clippy::disallowed_types, reason = "looked up only: what is listed is the vector")]
type Places = std::collections::HashMap<Box<[u8]>, usize, BuildHasherDefault<ahash::AHasher>>;

/// Counts by name.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Where the counts of a name stand.
    places: Places,
    counts: Vec<(String, Counts)>,
}

impl Tally {
    /// Counts a call in scope, here and in the report's sums.
    pub(super) fn count(
        &mut self,
        report: &mut Report,
        name: &[u8],
        verdict: &Verdict,
        unsupported: bool,
    ) {
        let at = match self.places.get(name) {
            Some(at) => *at,
            None => {
                self.places.insert(name.into(), self.counts.len());
                let text = String::from_utf8_lossy(name).into_owned();
                self.counts.push((text, Counts::default()));
                self.counts.len() - 1
            }
        };
        if let Some((_, counts)) = self.counts.get_mut(at) {
            report.count(counts, verdict, unsupported);
        }
    }

    /// A call that was counted was not the same after all.
    pub(super) fn recount(
        &mut self,
        report: &mut Report,
        name: &[u8],
        (before, unsupported): (&Verdict, bool),
        verdict: &Verdict,
    ) {
        let at = self.places.get(name).and_then(|at| self.counts.get_mut(*at));
        if let Some((_, counts)) = at {
            report.uncount(counts, before, unsupported);
            report.count(counts, verdict, unsupported);
        }
    }

    /// The counts by name as text; names that are no UTF-8 may fall together.
    pub(super) fn by_call(&self) -> BTreeMap<String, Counts> {
        let mut all: BTreeMap<String, Counts> = BTreeMap::new();
        for (name, counts) in &self.counts {
            all.entry(name.clone()).or_default().add(counts);
        }
        all
    }
}
