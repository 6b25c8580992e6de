//! A whole trace to its text twin and back: `tickernel dump` and `tickernel import`.
//!
//! Both go item by item; nothing but an image or a snapshot is held in memory. What stands before a
//! damage is converted, and the damage is told with its place.

use super::twin::{
    EventLine, Line, TwinReader, Waiting, show_completions, show_event_line, show_header,
    show_snapshot, show_trace_digests,
};
use super::{JsonError, Object};
use crate::completions::Completions;
use crate::trace::{Damage, Header, Item, Record, TraceError, TraceReader, TraceWriter};
use std::io::{self, BufRead, Read, Write};
use tickernel_systems::event::Event;
use tickernel_systems::wire::{Wire, WireReader};
use tickernel_systems::{Config, Kernel, WakeMode};

/// Bytes of an image or a snapshot at most.
/// (With the kernel that it becomes it is held below 1 GiB.)
pub const IMAGE_MAX_BYTES: u64 = 128 << 20;
/// Bytes of a line at most: an image of that length in base64.
const LINE_MAX_BYTES: u64 = IMAGE_MAX_BYTES / 3 * 4 + (1 << 20);

/// Why a conversion ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The trace's container.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// Reading or writing text.
    #[error("reading or writing text: {0}")]
    Io(#[from] io::Error),
    /// A line that is not one of a twin; what stands before it was converted.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        why: JsonError,
    },
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
}

/// Writes the twin of a trace; the damage at which the trace ended, if there was one.
///
/// # Errors
/// The trace or the output failed.
pub fn to_twin<R: Read>(
    reader: &mut TraceReader<R>,
    mut out: impl Write,
) -> Result<Option<Damage>, ConvertError> {
    let header = reader.header().clone();
    let image = reader.read_image(IMAGE_MAX_BYTES)?;
    put(&mut out, show_header(&header, &image)?)?;
    drop(image);
    let mut waiting = Waiting::new(&header);
    let mut snapshot = Vec::new();
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Image(_) => {}
            Item::Event(event) => put(&mut out, show_event_line(&mut waiting, &event))?,
            Item::Completions { next_sequence, hash } => {
                put(&mut out, show_completions(next_sequence, hash))?;
            }
            Item::Digests(digests) => put(&mut out, show_trace_digests(&digests))?,
            Item::Snapshot { next_sequence, completions, chunk } => {
                if chunk.total_bytes > IMAGE_MAX_BYTES {
                    let (bytes, limit) = (chunk.total_bytes, IMAGE_MAX_BYTES);
                    return Err(TraceError::ImageTooLarge { bytes, limit }.into());
                }
                snapshot.extend_from_slice(chunk.bytes);
                if chunk.is_last() {
                    put(&mut out, show_snapshot(next_sequence, completions, &snapshot)?)?;
                    snapshot.clear();
                }
            }
            Item::Damage(damage) => {
                out.flush()?;
                return Ok(Some(damage));
            }
        }
    }
    out.flush()?;
    Ok(None)
}

fn put(out: &mut impl Write, line: Object) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// What a twin was made into.
#[derive(Debug)]
pub struct Converted<W> {
    /// The output, with a whole trace.
    pub out: W,
    /// Events in it.
    pub events: u64,
    /// The line at which the text stopped making sense; nothing from there on was converted.
    pub damage: Option<(u64, JsonError)>,
}

/// Writes the trace whose twin this is. A twin without a header has the default one; one without an
/// image begins as `drive` does; sums that are left out (hashes, digests) are those of this kernel.
///
/// # Errors
/// The input is empty, its first line is not one of a twin, or reading or writing failed.
pub fn to_trace<W: Write>(mut input: impl BufRead, out: W) -> Result<Converted<W>, ConvertError> {
    let mut reader = TwinReader::new(IMAGE_MAX_BYTES);
    let mut lines = Lines { number: 0, bytes: Vec::new() };
    let first = match lines.next(&mut input, &mut reader) {
        None => return Err(ConvertError::Empty),
        Some(Err(LineError::Io(error))) => return Err(error.into()),
        Some(Err(LineError::Text(why))) => {
            return Err(ConvertError::Line { line: lines.number, why });
        }
        Some(Ok(line)) => line,
    };
    let (header, image, mut pending) = match first {
        Line::Header(header, image) => (header, image, None),
        other => (Header { completions_whole: true, ..Header::default() }, None, Some(other)),
    };
    let mut builder = Building::begin(header, image, out)?;
    let mut damage = None;
    loop {
        let line = match pending.take() {
            Some(line) => line,
            None => match lines.next(&mut input, &mut reader) {
                None => break,
                Some(Err(LineError::Io(error))) => return Err(error.into()),
                Some(Err(LineError::Text(why))) => {
                    damage = Some((lines.number, why));
                    break;
                }
                Some(Ok(line)) => line,
            },
        };
        if let Err(why) = builder.line(line)? {
            damage = Some((lines.number, why));
            break;
        }
    }
    builder.finish(damage)
}

enum LineError {
    Io(io::Error),
    Text(JsonError),
}

struct Lines {
    number: u64,
    bytes: Vec<u8>,
}

impl Lines {
    /// The next line that is not empty.
    fn next(
        &mut self,
        input: &mut impl BufRead,
        reader: &mut TwinReader,
    ) -> Option<Result<Line, LineError>> {
        loop {
            self.bytes.clear();
            let taken = input.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut self.bytes);
            match taken {
                Err(error) => return Some(Err(LineError::Io(error))),
                Ok(0) => return None,
                Ok(_) => self.number += 1,
            }
            if self.bytes.len() as u64 == LINE_MAX_BYTES {
                let why = JsonError(format!("it is longer than {LINE_MAX_BYTES} bytes"));
                return Some(Err(LineError::Text(why)));
            }
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                return Some(reader.line(&self.bytes).map_err(LineError::Text));
            }
        }
    }
}

struct Building<W: Write> {
    writer: TraceWriter<W>,
    /// Takes the events along, for the sums that the text leaves out; none if its image is none.
    kernel: Option<Kernel>,
    next_sequence: u64,
    events: u64,
    completions: Completions,
    last_digests: Option<crate::trace::Digests>,
}

/// The kernel of a header that came without an image: `drive`'s start, with this configuration.
fn boot(header: &Header) -> Option<Kernel> {
    if header.configuration.is_empty() {
        let wake = match header.wake_mode {
            0 => WakeMode::Auto,
            _ => WakeMode::OnDemand,
        };
        return Some(Kernel::new(Config { wake, seed: header.seed, ..Config::default() }));
    }
    Config::get(&mut WireReader::new(&header.configuration)).ok().map(Kernel::new)
}

/// What a text from elsewhere says of limits is not to be believed.
fn capped(mut kernel: Kernel) -> Kernel {
    kernel.cap_limits(&Config::default());
    kernel
}

impl<W: Write> Building<W> {
    fn begin(mut header: Header, image: Option<Vec<u8>>, out: W) -> Result<Self, ConvertError> {
        let (kernel, image) = match image {
            Some(image) => (Kernel::restore(&image).ok().map(capped), image),
            None => {
                let kernel = boot(&header);
                let image = kernel.as_ref().map(Kernel::snapshot).unwrap_or_default();
                if let Some(kernel) = &kernel {
                    header.configuration.clear();
                    kernel.config().put(&mut header.configuration);
                }
                (kernel.map(capped), image)
            }
        };
        Ok(Self {
            writer: TraceWriter::new(out, &header, &image)?,
            kernel,
            next_sequence: header.first_sequence,
            events: 0,
            completions: Completions::of_format(header.format_version),
            last_digests: None,
        })
    }

    /// The kernel takes the event; what comes of it enters the hash.
    fn run(&mut self, event: &[u8]) {
        let Some(kernel) = &mut self.kernel else { return };
        let Ok(event) = Event::get(&mut WireReader::new(event)) else {
            self.kernel = None;
            return;
        };
        let outcome = kernel.take(event);
        self.completions.note_outcome(&outcome);
        while let Some(output) = kernel.poll_output() {
            self.completions.note(&output);
        }
    }

    /// Takes a line; the inner error says what is wrong with it.
    fn line(&mut self, line: Line) -> Result<Result<(), JsonError>, ConvertError> {
        let wrong = |why: &str| Ok(Err(JsonError(why.to_owned())));
        match line {
            Line::Header(..) => return wrong("the header stands on the first line only"),
            Line::Event(event) => return self.event(&event),
            Line::Completions(next, hash) => {
                if next != self.next_sequence {
                    return wrong("\"next\" is not the event that comes next");
                }
                self.completions.set(hash);
                self.writer.flush(hash)?;
            }
            Line::Digests(digests) => {
                if digests.next_sequence != self.next_sequence {
                    return wrong("\"next\" is not the event that comes next");
                }
                let entries: Vec<(&str, u64)> =
                    digests.entries.iter().map(|(name, digest)| (name.as_str(), *digest)).collect();
                self.writer.digests(&entries, self.completions.hash())?;
                self.last_digests = Some(digests);
            }
            Line::Snapshot(next, hash, bytes) => {
                if next != self.next_sequence || bytes.is_empty() {
                    return wrong(
                        "an empty snapshot, or \"next\" is not the event that comes next",
                    );
                }
                self.completions.set(hash);
                self.writer.snapshot(&bytes, hash)?;
            }
        }
        Ok(Ok(()))
    }

    fn event(&mut self, line: &EventLine) -> Result<Result<(), JsonError>, ConvertError> {
        if line.sequence != self.next_sequence {
            let next = self.next_sequence;
            return Ok(Err(JsonError(format!(
                "\"seq\" is {}, but {next} comes next: number the lines without a gap",
                line.sequence
            ))));
        }
        let record = Record {
            event: &line.event,
            expected: line.expected.as_deref(),
            lines: line.lines,
            flags: line.flags,
        };
        match self.writer.append(line.tick, &record, self.completions.hash()) {
            Ok(_) => {}
            Err(error @ (TraceError::Io(_) | TraceError::SequenceExhausted)) => {
                return Err(error.into());
            }
            Err(error) => return Ok(Err(JsonError(error.to_string()))),
        }
        self.run(&line.event);
        self.next_sequence += 1;
        self.events += 1;
        Ok(Ok(()))
    }

    fn finish(mut self, damage: Option<(u64, JsonError)>) -> Result<Converted<W>, ConvertError> {
        let last = self.last_digests.filter(|last| last.next_sequence == self.next_sequence);
        let entries: Vec<(&str, u64)> = match (&last, &mut self.kernel) {
            (Some(last), _) => {
                last.entries.iter().map(|(name, digest)| (name.as_str(), *digest)).collect()
            }
            (None, Some(kernel)) => kernel.digests(),
            (None, None) => Vec::new(),
        };
        let out = self.writer.finish(&entries, self.completions.hash())?.out;
        Ok(Converted { out, events: self.events, damage })
    }
}
