//! Calls of an imported trace that were entered before others whose events come first: an import
//! puts a call where it took effect, which is where it returned as a rule. What is known of them
//! beforehand is printed where they were entered.

use std::collections::BTreeMap;
use std::io::Read;

use tickernel_systems::event::{Call, Event};
use tickernel_systems::wire::{Wire, WireReader};

use super::{DumpError, process, session};
use crate::replay::{Expected, Role};
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
}

/// Looks through a trace.
pub(super) fn known<R: Read>(reader: &mut TraceReader<R>) -> Result<Known, DumpError> {
    let mut known = Known::default();
    let (mut reached, mut bytes) = (0, 0);
    while let Some(item) = reader.next_item()? {
        let event = match item {
            Item::Event(event) => event,
            Item::Damage(_) => break,
            Item::Image(_) | Item::Completions { .. } => continue,
            Item::Digests(_) | Item::Snapshot { .. } => continue,
        };
        let parsed = Event::get(&mut WireReader::new(event.record.event));
        if let Ok(Event::Call { task, .. } | Event::Park { task, .. }) = parsed {
            known.root.get_or_insert(task);
        }
        let Some((entry, _)) = event.record.lines else { continue };
        if entry >= reached {
            reached = entry;
            continue;
        }
        let told = event.record.expected.and_then(|bytes| Expected::from_bytes(bytes).ok());
        let Some(told) = told.filter(|told| told.role != Role::Force) else { continue };
        let Ok(Event::Call { task, call } | Event::Park { task, call }) = parsed else { continue };
        let late = Late::new(task, &call, &told);
        bytes += late.bytes.len() + size_of::<Late>();
        if bytes > MAX_BYTES {
            break;
        }
        known.late.insert(entry, late);
    }
    Ok(known)
}

impl Late {
    fn new(task: u32, call: &Call<'_>, told: &Expected) -> Self {
        let name = session::name_of(call, Some(told));
        let mut bytes = Vec::new();
        process::as_made(call, &name).put(&mut bytes);
        Self { task, name, bytes }
    }
}
