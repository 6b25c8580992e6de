//! `tickernel dump --strace`: the events of a trace in strace's form.
//!
//! A native trace holds inputs only, so its events run through a kernel, as in a replay, and what
//! comes of them is printed as `strace -f -ttt -T -yy -v -X verbose -s 1048576
//! --strings-in-hex=non-ascii-chars` would have printed it, with nanoseconds: a form that the
//! importer reads. The time is the kernel's own. Where a trace does not say something that strace
//! would have shown, the nearest true thing stands there: addresses of memory are all one address;
//! what is left of a time-out is 0; vectors are joined to one piece; lines of signals that a
//! process ignores are missing in native traces; a call that an import only counts is printed with
//! its name and result alone, for the task that spoke last; one that it answers as recorded says
//! `(INJECTED)`, or `(UNSUPPORTED)` if the kernel does not know it. The calls of the face are no
//! system calls: they are printed with the names of their fields, for pid 0.
//!
//! What strace never prints (the working directory, limits, ids, open descriptors, the tree before
//! the first line) goes to a side file of its own: [`side_file`].

mod args;
mod effects;
mod files;
mod io;
mod late;
mod lines;
mod process;
mod results;
mod session;
mod side;
mod signals;
mod sockets;
mod structs;
#[cfg(test)]
mod tests;
mod values;
mod waiting;

use std::io::{Read, Write};

use tickernel_systems::event::Event;
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Config, Kernel, RestoreError};

use crate::json::convert::IMAGE_MAX_BYTES;
use crate::replay::Step;
use crate::trace::{Item, TraceError, TraceReader};
use session::{Session, SessionError};

pub use side::side_file;

/// Why nothing, or not all, can be printed.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The trace's container.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The first state.
    #[error("the first image: {0}")]
    Image(#[from] RestoreError),
    /// The output failed.
    #[error("writing text: {0}")]
    Io(#[from] std::io::Error),
}

/// The first state of a trace.
fn first_state<R: Read>(reader: &mut TraceReader<R>) -> Result<Kernel, DumpError> {
    let image = reader.read_image(IMAGE_MAX_BYTES)?;
    let mut kernel = Kernel::restore(&image)?;
    // What a file from elsewhere says of limits is not to be believed.
    kernel.cap_limits(&Config::default());
    Ok(kernel)
}

/// The side file that goes with the text of a trace.
///
/// # Errors
/// The trace has no image that is one, or cannot be read.
pub fn side_file_of(trace: &[u8]) -> Result<serde_json::Value, DumpError> {
    side_file_from(trace, trace)
}

/// The same of a trace that is read as it goes, twice.
///
/// # Errors
/// The trace has no image that is one, or cannot be read.
pub fn side_file_from<R: Read>(trace: R, again: R) -> Result<serde_json::Value, DumpError> {
    let root = late::known(&mut TraceReader::new(trace)?)?.root.unwrap_or(1);
    let mut reader = TraceReader::new(again)?;
    let mut first = first_state(&mut reader)?;
    if reader.header().imported {
        pass_prelude(&mut reader, &mut first)?;
    }
    Ok(side_file(first, root))
}

/// What an import has happen before the first line: who stands at the other side of terminals
/// comes, and the descriptors that are open on them.
fn pass_prelude<R: Read>(
    reader: &mut TraceReader<R>,
    kernel: &mut Kernel,
) -> Result<(), DumpError> {
    while let Some(item) = reader.next_item()? {
        let Item::Event(event) = item else { continue };
        let parsed = Event::get(&mut WireReader::new(event.record.event));
        let (None, Ok(event)) = (event.record.lines, parsed) else { break };
        kernel.take(event);
        while kernel.poll_output().is_some() {}
    }
    Ok(())
}

/// Prints the events of a trace, from its first state on; why the trace makes no sense from some
/// place on, if it does not.
///
/// # Errors
/// The trace cannot be read, or the output failed.
pub fn to_strace(trace: &[u8], out: impl Write) -> Result<Option<String>, DumpError> {
    to_strace_from(trace, trace, out)
}

/// The same of a trace that is read as it goes, twice.
///
/// # Errors
/// The trace cannot be read, or the output failed.
pub fn to_strace_from<R: Read>(
    trace: R,
    again: R,
    out: impl Write,
) -> Result<Option<String>, DumpError> {
    let known = late::known(&mut TraceReader::new(trace)?)?;
    let mut reader = TraceReader::new(again)?;
    let first = first_state(&mut reader)?;
    let imported = reader.header().imported;
    let mut session = Session::new(first, imported, known, out);
    let mut damage = None;
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Event(event) => {
                let (sequence, record) = (event.sequence, event.record);
                let step =
                    Step { event: record.event, expected: record.expected, lines: record.lines };
                match session.step(step) {
                    Ok(()) => {}
                    Err(SessionError::Io(error)) => return Err(error.into()),
                    Err(SessionError::Wire(why)) => {
                        damage = Some(format!("event {sequence} cannot be read: {why}"));
                        break;
                    }
                }
            }
            Item::Damage(found) => {
                damage = Some(found.to_string());
                break;
            }
            Item::Image(_) | Item::Completions { .. } => {}
            Item::Digests(_) | Item::Snapshot { .. } => {}
        }
    }
    session.finish()?;
    Ok(damage)
}
