//! Calls of an imported trace that were entered before others whose events come first: an import
//! puts a call where it took effect, which is where it returned as a rule. What is known of them
//! beforehand is printed where they were entered.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use tickernel_systems::abi::flags::O_CLOEXEC;
use tickernel_systems::event::{Call, Event};
use tickernel_systems::wire::{Wire, WireReader};

use super::{DumpError, process, session};
use crate::replay::{Expected, Recorded, Role};
use crate::trace::{Item, TraceReader};

/// Most bytes of calls that are kept; what comes after that is printed where its event stands.
const MAX_BYTES: usize = 64 << 20;

/// A call that was entered before its event.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) task: u32,
    /// Its name in the text.
    pub(super) name: String,
    /// The call, encoded, as it is printed.
    pub(super) bytes: Vec<u8>,
}

/// What is known of a trace before it runs.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The late calls by the line on which they were entered.
    pub(super) late: BTreeMap<u64, Late>,
    /// Who makes the first call.
    pub(super) root: Option<u32>,
    /// Calls that are answered as recorded and made a descriptor that closes on exec, by the line
    /// on which they were entered: something stands there that an event right behind opens.
    pub(super) closing: BTreeSet<u64>,
    /// Lines tell where calls returned, and nothing where they were entered (`strace -z`): then the
    /// events' own order is all that is known.
    pub(super) no_entries: bool,
}

/// Looks through a trace.
pub(super) fn known<R: Read>(reader: &mut TraceReader<R>) -> Result<Known, DumpError> {
    let mut known = Known::default();
    let (mut reached, mut bytes, mut answered) = (0, 0, None);
    let (imported, mut outside) = (reader.header().imported, None);
    let (mut is_split, mut goes_back) = (false, false);
    while let Some(item) = reader.next_item()? {
        let event = match item {
            Item::Event(event) => event,
            Item::Damage(_) => break,
            Item::Image(_) | Item::Completions { .. } => continue,
            Item::Digests(_) | Item::Snapshot { .. } => continue,
        };
        let parsed = Event::get(&mut WireReader::new(event.record.event));
        if let Ok(Event::Call { task, .. } | Event::Park { task, .. }) = parsed {
            // Who speaks before the first line of a recording stands outside of it.
            if event.record.lines.is_some() || !imported {
                known.root.get_or_insert(task);
            } else {
                outside.get_or_insert(task);
            }
        }
        match &parsed {
            Ok(Event::Call { task, call: Call::Unmodelled { .. } }) => {
                answered = event.record.lines.map(|lines| (*task, lines.0));
            }
            Ok(Event::Call { task, call }) => {
                let made = answered.take().filter(|(by, _)| by == task && closes_on_exec(call));
                known.closing.extend(made.map(|(_, line)| line));
            }
            _ => {}
        }
        let Some((entry, exit)) = event.record.lines else { continue };
        // What ends a task has two lines in any style.
        let ends = matches!(
            parsed,
            Ok(Event::Call { call: Call::Exit { .. } | Call::ExitGroup { .. }, .. })
        );
        // With `-z` a second half stands right below its first, if anywhere.
        is_split |= exit > entry.saturating_add(1) && !ends;
        if entry >= reached {
            reached = entry;
            continue;
        }
        let told = event.record.expected.and_then(|bytes| Expected::from_bytes(bytes).ok());
        let Some(told) = told.filter(|told| told.role != Role::Force) else { continue };
        let Ok(Event::Call { task, call } | Event::Park { task, call }) = parsed else { continue };
        // Of one that never returned the second line is the first.
        goes_back |= told.recorded != Recorded::Never;
        let late = Late::new(task, &call, &told);
        bytes += late.bytes.len() + size_of::<Late>();
        if bytes > MAX_BYTES {
            break;
        }
        known.late.insert(entry, late);
    }
    known.root = known.root.or(outside);
    known.no_entries = goes_back && !is_split;
    if known.no_entries {
        known.late.clear();
    }
    Ok(known)
}

/// What an import opens in the place of a descriptor that is not modelled.
fn closes_on_exec(call: &Call<'_>) -> bool {
    matches!(call, Call::Openat { path: Some(b"/dev/null"), flags, .. } if flags & O_CLOEXEC != 0)
}

impl Late {
    fn new(task: u32, call: &Call<'_>, told: &Expected) -> Self {
        let name = session::name_of(call, Some(told));
        let mut bytes = Vec::new();
        process::as_made(call, &name).put(&mut bytes);
        Self { task, name, bytes }
    }
}
