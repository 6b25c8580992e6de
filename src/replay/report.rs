//! What a replay found: counts by call, the first mismatch, damage. The JSON form is CLI.md's.

use std::collections::BTreeMap;

use serde::Serialize;

use super::compare::Verdict;

/// Mismatches after the first that the text lists.
const MAX_MORE_LINES: usize = 5;

/// Counts of one call's name.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Counts {
    /// Calls in scope of this name.
    pub calls: u64,
    /// Compared.
    pub compared: u64,
    /// Bound.
    pub bound: u64,
    /// Fed.
    pub fed: u64,
    /// Not the same.
    pub mismatched: u64,
    /// Answered as recorded because the kernel does not know them.
    pub unsupported: u64,
}

impl Counts {
    /// Adds those of another name.
    pub(super) fn add(&mut self, other: &Counts) {
        self.calls += other.calls;
        self.compared += other.compared;
        self.bound += other.bound;
        self.fed += other.fed;
        self.mismatched += other.mismatched;
        self.unsupported += other.unsupported;
    }
}

/// The first call whose answer was not the same.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct FirstMismatch {
    /// Line of the recording where the call returned; left out for a native trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The event.
    pub seq: u64,
    /// Who called.
    pub pid: u32,
    /// The call as text.
    pub call: String,
    /// What Linux answered.
    pub recorded: String,
    /// What the kernel answered.
    pub simulated: String,
    /// What differs.
    pub why: String,
    /// Events before it, oldest first, and what the kernel knew of the process: for people.
    #[serde(skip)]
    pub context: Vec<String>,
}

/// Where an input stops making sense.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Damage {
    /// Line, for text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Byte offset, for a trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What is wrong.
    pub why: String,
}

/// The report of a replay.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Report {
    /// The input's name.
    pub file: String,
    /// `strace`, `trace` or `jsonl`.
    pub format: String,
    /// Events taken.
    pub events: u64,
    /// Call entries.
    pub calls: u64,
    /// Calls in scope.
    pub in_scope: u64,
    /// Calls out of scope.
    pub out_of_scope: u64,
    /// Compared and equal.
    pub compared: u64,
    /// Equal up to bound names.
    pub bound: u64,
    /// Taken from the recording.
    pub fed: u64,
    /// The part of fed that reads /proc or /sys.
    pub fed_proc: u64,
    /// Not the same.
    pub mismatched: u64,
    /// Calls that the kernel does not know.
    pub unsupported: u64,
    /// Calls before the first mismatch.
    pub clean_prefix: u64,
    /// The first mismatch.
    pub first_mismatch: Option<FirstMismatch>,
    /// Those after it, the first twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_mismatches: Vec<FirstMismatch>,
    /// Counts by name, calls in scope only; filled at the end.
    pub by_call: BTreeMap<String, Counts>,
    /// Digest of the last state.
    pub digest: String,
    /// Time that the replay took.
    pub wall_ns: u64,
    /// Events by the second.
    pub events_per_second: u64,
    /// Where the input stops making sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
}

impl Report {
    /// Counts a call in scope in the sums and in the counts of its name.
    pub(super) fn count(&mut self, counts: &mut Counts, verdict: &Verdict, unsupported: bool) {
        self.in_scope += 1;
        counts.calls += 1;
        let [own, all] = self.places(counts, verdict, unsupported);
        *own += 1;
        *all += 1;
        if !unsupported && *verdict == Verdict::Fed(true) {
            self.fed_proc += 1;
        }
    }

    /// Takes a count back.
    pub(super) fn uncount(&mut self, counts: &mut Counts, verdict: &Verdict, unsupported: bool) {
        self.in_scope -= 1;
        counts.calls -= 1;
        let [own, all] = self.places(counts, verdict, unsupported);
        *own -= 1;
        *all -= 1;
        if !unsupported && *verdict == Verdict::Fed(true) {
            self.fed_proc -= 1;
        }
    }

    /// Where calls are counted, by name and in all.
    fn places<'a>(
        &'a mut self,
        counts: &'a mut Counts,
        verdict: &Verdict,
        unsupported: bool,
    ) -> [&'a mut u64; 2] {
        match verdict {
            Verdict::Mismatched(_) => [&mut counts.mismatched, &mut self.mismatched],
            _ if unsupported => [&mut counts.unsupported, &mut self.unsupported],
            Verdict::Fed(_) => [&mut counts.fed, &mut self.fed],
            Verdict::Bound => [&mut counts.bound, &mut self.bound],
            Verdict::Compared => [&mut counts.compared, &mut self.compared],
        }
    }

    /// Whether everything agrees; with `allow_unsupported` calls that the kernel does not know do
    /// not count against it.
    pub fn agrees(&self, allow_unsupported: bool) -> bool {
        self.mismatched == 0
            && self.first_mismatch.is_none()
            && (allow_unsupported || self.unsupported == 0)
    }

    /// A line for each of the first mismatches after the first.
    fn more_text(&self, out: &mut String) {
        for one in self.more_mismatches.iter().take(MAX_MORE_LINES) {
            let line = one.line.map_or(String::new(), |line| format!("line {line}, "));
            let FirstMismatch { seq, pid, call, recorded, simulated, why, .. } = one;
            *out += &format!(
                "  then {line}event {seq}, pid {pid}: {call} {recorded}, simulated {simulated}: \
                 {why}\n"
            );
        }
        let told = 1 + self.more_mismatches.len().min(MAX_MORE_LINES) as u64;
        if self.mismatched > told {
            *out += &format!("  and {} more\n", self.mismatched - told);
        }
    }

    /// The report for people.
    pub fn to_text(&self) -> String {
        let mut out = format!(
            "{}: {} events, {} calls: {} in scope, {} out of scope\n",
            self.file, self.events, self.calls, self.in_scope, self.out_of_scope
        );
        let share = |part: u64| 100.0 * part as f64 / self.in_scope.max(1) as f64;
        for (name, number) in [
            ("compared", self.compared),
            ("bound", self.bound),
            ("fed", self.fed),
            ("mismatched", self.mismatched),
            ("unsupported", self.unsupported),
        ] {
            out += &format!("  {name:12}{number:>10}  {:6.2} %\n", share(number));
        }
        if self.fed > 0 {
            out += &format!("  of fed, {} read /proc or /sys\n", self.fed_proc);
        }
        let not_clean = |counts: &&Counts| counts.fed + counts.mismatched + counts.unsupported > 0;
        let mut listed = self.by_call.iter().filter(|(_, counts)| not_clean(counts)).peekable();
        if listed.peek().is_some() {
            out += "  calls that are not all compared or bound:\n";
        }
        for (name, counts) in listed {
            out += &format!(
                "    {name}: {} calls, {} fed, {} mismatched, {} unsupported\n",
                counts.calls, counts.fed, counts.mismatched, counts.unsupported
            );
        }
        if let Some(first) = &self.first_mismatch {
            let line = first.line.map_or(String::new(), |line| format!("line {line}, "));
            out += &format!("first mismatch: {line}event {}, pid {}\n", first.seq, first.pid);
            for line in &first.context {
                out += &format!("    {line}\n");
            }
            if !first.call.is_empty() {
                out += &format!("    {}\n", first.call);
                out += &format!("      recorded  {}\n", first.recorded);
                out += &format!("      simulated {}\n", first.simulated);
            }
            out += &format!("      {}\n", first.why);
            out += &format!("  {} calls before it are clean\n", self.clean_prefix);
            self.more_text(&mut out);
        } else if self.unsupported > 0 {
            out += &format!(
                "no mismatch, but {} calls that the kernel does not know (--allow-unsupported)\n",
                self.unsupported
            );
        } else {
            out += "no mismatch\n";
        }
        if let Some(damage) = &self.damage {
            out += &format!("the input is damaged: {}\n", damage.why);
        }
        out += &format!("digest {}\n", self.digest);
        out
    }
}
