//! `tickernel verify`: an imported trace is a certificate of the order that the importer chose
//! (DESIGN section 11); this checks it against the recording's text. Nothing here runs a kernel or
//! searches: it reads both files side by side.
//!
//! What is checked: every call of the recording stands in the trace just once, with its own lines,
//! task and result (`calls.rs`); effects can have happened in the trace's order, each between its
//! call's entry and exit line (`order.rs`); what is compared is what the text says, and what was
//! fed is of a kind that may be (`values.rs`). Not checked: the first image, which replay compares.

mod calls;
mod order;
mod values;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::Serialize;
use tickernel_systems::event::Event;
use tickernel_systems::wire::{Wire, WireReader};

use crate::import::{ImportError, damage_of_text};
use crate::replay::{Damage, Expected};
use crate::strace::Recording;
use crate::trace::{Item, TraceError, TraceReader};
use calls::Texts;
use order::Order;
use values::MachineFds;

/// Why a certificate is not valid: the first thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The line of the recording, if there is one.
    pub line: Option<u64>,
    /// The trace's event, if there is one.
    pub seq: Option<u64>,
    /// What is wrong.
    pub why: String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Whether all of it holds.
    pub valid: bool,
    /// Calls of the recording.
    pub calls: u64,
    /// Events of the trace.
    pub events: u64,
    /// Effects whose place in the order was checked.
    pub ordered: u64,
    /// Calls whose recorded answer was held against the text.
    pub compared: u64,
    /// Calls of which something was fed, each of a kind that may be.
    pub fed: u64,
    /// Not all could be read: of the trace, which then is the fault, or of the recording.
    pub damaged: bool,
    /// Where the recording stops making sense: what stands before was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
    /// The first thing that does not hold.
    pub fault: Option<Fault>,
}

/// Why nothing can be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] ImportError),
    /// The first file is no recording.
    #[error("{0}: not an strace recording; give the recording first, then the trace made of it")]
    NotText(String),
    /// The trace cannot be read.
    #[error("{file}: {why}")]
    Trace {
        /// Which.
        file: String,
        /// Why.
        why: TraceError,
    },
    /// The second file was not imported from a recording.
    #[error("{0}: not a trace that `tickernel import` made of a recording")]
    NotImported(String),
    /// The file cannot be opened.
    #[error("{file}: {why}")]
    Io {
        /// Which.
        file: String,
        /// Why.
        why: std::io::Error,
    },
}

/// An event of the trace, taken apart.
struct Seen<'a> {
    seq: u64,
    event: Event<'a>,
    expected: Option<Expected>,
    lines: Option<(u64, u64)>,
}

/// Checks the trace that was imported from a recording.
///
/// # Errors
/// If one of the two is not what it should be. A certificate that does not hold is no error.
pub fn verify(recording: &Path, trace: &Path) -> Result<Certificate, VerifyError> {
    let text = crate::import::read_text(recording)?
        .ok_or_else(|| VerifyError::NotText(recording.display().to_string()))?;
    let file = trace.display().to_string();
    let opened = File::open(trace).map_err(|why| VerifyError::Io { file: file.clone(), why })?;
    check_from(&text, BufReader::new(opened)).map_err(|why| match why {
        Some(why) => VerifyError::Trace { file: file.clone(), why },
        None => VerifyError::NotImported(file.clone()),
    })
}

/// The same of a parsed recording and the bytes of a trace; an error without a reason means that
/// the trace was not imported.
///
/// # Errors
/// If the bytes are no imported trace.
pub fn check(text: &Recording, trace: &[u8]) -> Result<Certificate, Option<TraceError>> {
    check_from(text, trace)
}

fn check_from<R: Read>(text: &Recording, trace: R) -> Result<Certificate, Option<TraceError>> {
    let mut reader = TraceReader::new(trace)?;
    if !reader.header().imported {
        return Err(None);
    }
    let damage = damage_of_text(text);
    let mut certificate = Certificate {
        calls: text.calls.count(),
        damaged: damage.is_some(),
        damage,
        ..Certificate::default()
    };
    let machine = MachineFds::default();
    let mut checks = Checks { texts: Texts::new(text), order: Order::default(), machine };
    let mut fault = None;
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Event(event) => {
                certificate.events += 1;
                let seen = take_apart(event.sequence, &event.record);
                let found = seen.and_then(|seen| checks.event(&seen, &mut certificate));
                if let Err(found) = found {
                    fault = Some(found);
                    break;
                }
            }
            Item::Damage(damage) => {
                certificate.damaged = true;
                fault = Some(Fault { line: None, seq: None, why: damage.to_string() });
                break;
            }
            Item::Image(_)
            | Item::Completions { .. }
            | Item::Digests(_)
            | Item::Snapshot { .. } => {}
        }
    }
    certificate.fault = fault.or_else(|| checks.texts.missing());
    certificate.valid = certificate.fault.is_none();
    Ok(certificate)
}

fn take_apart<'a>(seq: u64, record: &crate::trace::Record<'a>) -> Result<Seen<'a>, Fault> {
    let unreadable = |what: &str| Fault { line: None, seq: Some(seq), why: what.to_owned() };
    let event = Event::get(&mut WireReader::new(record.event))
        .map_err(|why| unreadable(&format!("the event cannot be read: {why}")))?;
    let expected = record.expected.map(Expected::from_bytes).transpose();
    let expected =
        expected.map_err(|why| unreadable(&format!("its answer cannot be read: {why}")))?;
    Ok(Seen { seq, event, expected, lines: record.lines })
}

struct Checks<'a> {
    texts: Texts<'a>,
    order: Order,
    machine: MachineFds,
}

impl Checks<'_> {
    fn event(&mut self, seen: &Seen<'_>, certificate: &mut Certificate) -> Result<(), Fault> {
        let found = self.texts.find(seen)?;
        if self.order.event(seen, found.as_ref())? {
            certificate.ordered += 1;
        }
        if let (Some(found), Some(expected)) = (&found, &seen.expected) {
            let machine = &mut self.machine;
            values::check(seen, expected, found, machine, &mut self.texts, certificate)?;
        }
        Ok(())
    }
}
