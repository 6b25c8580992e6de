//! The accepted differences: data (`differences.json`), read at the start. An entry is either
//! recognised where it shows, or says what the runner keeps programs away from.

use crate::program::Op;
use crate::seen::{PARTS, Seen};
use serde::Deserialize;

const TEXT: &str = include_str!("../differences.json");

/// What is done about an accepted difference.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Both kernels are in the same state after it.
    GoOn,
    /// Their states differ from here: the program ends.
    Stop,
    /// The runner and the generator make no such program; `where` says which of them.
    Avoided,
}

/// One difference that is right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    pub id: String,
    /// What differs.
    pub what: String,
    /// Why that is right.
    pub reason: String,
    /// The place in SEMANTICS.md.
    pub section: String,
    pub how: How,
    /// The operations, as `Op::name` tells them; a `*` at the end stands for any rest.
    #[serde(default)]
    pub ops: Vec<String>,
    /// Result, log, snapshot, state, processes, signals.
    #[serde(default)]
    pub part: String,
    /// Beginnings of what each told; empty is any.
    #[serde(default)]
    pub ours: String,
    #[serde(default)]
    pub theirs: String,
    /// A fact that the runner knows of the step.
    #[serde(default)]
    pub tag: String,
}

/// The list, or what is wrong with it.
pub fn list() -> Result<Vec<Accepted>, String> {
    let list: Vec<Accepted> =
        serde_json::from_str(TEXT).map_err(|error| format!("differences.json: {error}"))?;
    for entry in &list {
        let known = entry.how == How::Avoided || PARTS.contains(&entry.part.as_str());
        if !known || entry.section.is_empty() || entry.reason.is_empty() || entry.what.is_empty() {
            return Err(format!(
                "differences.json: {} lacks a part, a section or a reason",
                entry.id
            ));
        }
    }
    Ok(list)
}

impl Accepted {
    /// Whether it is this difference.
    pub fn is(&self, op: &str, part: usize, ours: &Seen, theirs: &Seen) -> bool {
        self.how != How::Avoided
            && self.part == PARTS[part]
            && self.ops.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => op.starts_with(start),
                None => op == pattern,
            })
            && ours.part(part).starts_with(&self.ours)
            && theirs.part(part).starts_with(&self.theirs)
            && (self.tag.is_empty() || ours.tags.contains(&self.tag.as_str()))
    }
}

/// A difference that nobody accepted.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The step: 0 is before the first.
    pub step: usize,
    pub op: String,
    pub part: usize,
    pub ours: String,
    pub theirs: String,
}

impl Difference {
    /// What stays the same while a program is made smaller.
    pub fn kind(&self) -> (String, usize, String, String) {
        let start = |text: &str| text.chars().take(9).collect::<String>();
        let shown = if self.part == 0 {
            (start(&self.ours), start(&self.theirs))
        } else {
            (String::new(), String::new())
        };
        (self.op.clone(), self.part, shown.0, shown.1)
    }
}

/// The first difference that is not accepted; `matched` counts the entries that were met.
pub fn first_difference(
    ops: &[Op],
    (ours, theirs): (&[Seen], &[Seen]),
    list: &[Accepted],
    matched: &mut [u64],
) -> Option<Difference> {
    for (step, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let op = match step {
            0 => "start".to_owned(),
            step => ops.get(step - 1).map_or_else(|| "tree".to_owned(), Op::name),
        };
        let mut stop = false;
        for part in 0..PARTS.len() {
            let (own, other) = (our.part(part), their.part(part));
            if own == other {
                continue;
            }
            let Some(at) = list.iter().position(|entry| entry.is(&op, part, our, their)) else {
                return Some(Difference { step, op, part, ours: own, theirs: other });
            };
            matched[at] += 1;
            stop |= list[at].how == How::Stop;
            if stop {
                return None;
            }
        }
    }
    None
}
