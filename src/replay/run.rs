//! Runs a whole replay: from a recording's events or from a trace file, to a report.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::time::Instant;

use tickernel_systems::{Config, Kernel, RestoreError};

use super::engine::{Engine, Step};
use super::report::{Damage, Report};
use crate::import::{Format, Imported, Items, Recording, Source};
use crate::json::convert::IMAGE_MAX_BYTES;
use crate::record::header_of;
use crate::trace::{Header, Item, Record, TraceError, TraceReader, TraceWriter};

/// Events between two calls of the progress callback.
const PROGRESS_EVENTS: u64 = 4096;

/// How to replay.
#[derive(Default)]
pub struct Options<'a> {
    /// The last event taken; `None` = all.
    pub until: Option<u64>,
    /// Go on after a mismatch (the recording's state is kept).
    pub force: bool,
    /// The limits that the trace names hold even where they are above the default: for a trace of
    /// one's own, which may then take as much memory as its kernel took.
    pub own_limits: bool,
    /// Called now and then with the events taken and, if it is known, how many there are.
    pub progress: Option<&'a mut dyn FnMut(u64, Option<u64>)>,
}

/// Why nothing can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The trace's header or first image.
    #[error("{0}")]
    Trace(#[from] TraceError),
    /// The first state.
    #[error("the first image: {0}")]
    Image(#[from] RestoreError),
    /// The JSON twin's text.
    #[error("{0}")]
    Twin(#[from] crate::json::convert::ConvertError),
}

/// What a replay gives.
#[derive(Debug)]
pub struct Replayed {
    /// The report.
    pub report: Report,
    /// Where the input stops making sense, the same as in the report.
    pub damage: Option<Damage>,
    /// Digests of the last state by subsystem.
    pub digests: Vec<(String, u64)>,
    /// Rolling hash of all completions.
    pub completions: u64,
}

/// Replays what `import::read` gave.
///
/// # Errors
/// If a trace's first image cannot be read: then nothing can be replayed.
pub fn replay(source: Imported, options: &mut Options<'_>) -> Result<Replayed, ReplayError> {
    #[expect(clippy::disallowed_methods, reason = "the report says how long it took")]
    let start = Instant::now();
    let run = match source.source {
        Source::Recording(recording) => {
            let damage = recording.damage.clone();
            let kernel = recording.kernel()?;
            let mut engine = Engine::new(kernel, false);
            let total = recording.items.len();
            for item in &recording.items {
                if is_over(&engine, options) {
                    break;
                }
                // Its own events can be read.
                if engine.step(item.step()).is_err() {
                    break;
                }
                tell(&engine, options, Some(total));
            }
            let damage = damage.or_else(|| unreadable(&recording));
            Run { engine, damage }
        }
        Source::Trace(bytes) => replay_trace(bytes.as_slice(), options)?,
        Source::Stored(path) => {
            let file = File::open(path).map_err(TraceError::from)?;
            replay_trace(BufReader::new(file), options)?
        }
        Source::Twin(twin) => {
            let converted = crate::json::convert::to_trace(twin.text.as_slice(), Vec::new())?;
            let mut run = replay_trace(converted.out.as_slice(), options)?;
            if let Some(damage) = twin_damage(converted.damage, twin.cut) {
                run.damage = Some(damage);
            }
            run
        }
    };
    let cut = options.until.is_some() || !options.force;
    Ok(run.conclude(source.file, source.format, start, cut))
}

/// The lines on which calls were entered whose answers differ. An image that is none has none, and
/// where the replay cannot go on there are no more: the one that is reported says why.
pub(crate) fn wrong_lines(image: &[u8], items: &Items) -> BTreeSet<u64> {
    let Ok(kernel) = Kernel::restore(image) else { return BTreeSet::new() };
    let mut engine = Engine::new(kernel, false);
    engine.keep_wrong_lines();
    for item in items {
        if engine.step(item.step()).is_err() {
            break;
        }
    }
    engine.finish(false);
    engine.take_wrong_lines()
}

/// Where a twin stops making sense: a line of it, or where its packed file ends.
pub fn twin_damage(
    line: Option<(u64, crate::json::JsonError)>,
    cut: Option<Damage>,
) -> Option<Damage> {
    let line = line.map(|(line, why)| {
        let why = format!("line {line}: {}", why.0);
        Damage { line: Some(line), offset: None, why }
    });
    line.or(cut)
}

/// Writes an imported recording as a trace and replays it on the way: `tickernel import`.
///
/// # Errors
/// If the output fails, or an event is larger than a trace holds.
pub fn write<W: Write>(
    recording: &Recording,
    file: String,
    out: W,
) -> Result<(W, Replayed), ReplayError> {
    #[expect(clippy::disallowed_methods, reason = "the report says how long it took")]
    let start = Instant::now();
    let kernel = recording.kernel()?;
    let header = Header { imported: true, ..header_of(&kernel) };
    let mut writer = TraceWriter::new(out, &header, &recording.image)?;
    let mut engine = Engine::new(kernel, false);
    for (tick, item) in (0..).zip(&recording.items) {
        if writer.is_digest_due() {
            let digests = engine.kernel().digests();
            writer.digests(&digests, engine.completions())?;
        }
        let step = item.step();
        let record =
            Record { event: step.event, expected: step.expected, lines: step.lines, flags: 0 };
        writer.append(tick, &record, engine.completions())?;
        // Its own events can be read.
        if engine.step(step).is_err() {
            break;
        }
    }
    let digests = engine.kernel().digests();
    let out = writer.finish(&digests, engine.completions())?.out;
    let damage = recording.damage.clone().or_else(|| unreadable(recording));
    let run = Run { engine, damage };
    Ok((out, run.conclude(file, Format::Strace, start, false)))
}

/// Events that were kept in a temporary file and are not there any more.
fn unreadable(recording: &Recording) -> Option<Damage> {
    let why = || "a temporary file cannot be read back; import again".to_owned();
    recording.items.is_broken().then(|| Damage { line: None, offset: None, why: why() })
}

struct Run {
    engine: Engine,
    damage: Option<Damage>,
}

impl Run {
    /// Ends the replay. `cut` = it was stopped early, so that calls may be open that would have
    /// ended.
    fn conclude(mut self, file: String, format: Format, start: Instant, cut: bool) -> Replayed {
        self.engine.finish(cut || self.damage.is_some());
        let digests = self.engine.kernel().digests();
        let digests = digests.into_iter().map(|(name, digest)| (name.to_owned(), digest)).collect();
        let completions = self.engine.completions();
        let mut report = std::mem::take(&mut self.engine.report);
        report.file = file;
        report.format = format.name().to_owned();
        report.damage = self.damage.clone();
        report.wall_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let events = u128::from(report.events) * 1_000_000_000;
        let per_second = events / u128::from(report.wall_ns.max(1));
        report.events_per_second = u64::try_from(per_second).unwrap_or(u64::MAX);
        Replayed { report, damage: self.damage, digests, completions }
    }
}

fn is_over(engine: &Engine, options: &Options<'_>) -> bool {
    let stopped = !options.force && engine.report.first_mismatch.is_some();
    stopped || options.until.is_some_and(|until| engine.report.events > until)
}

fn tell(engine: &Engine, options: &mut Options<'_>, total: Option<u64>) {
    let events = engine.report.events;
    if events.is_multiple_of(PROGRESS_EVENTS)
        && let Some(progress) = &mut options.progress
    {
        progress(events, total);
    }
}

fn replay_trace<R: Read>(trace: R, options: &mut Options<'_>) -> Result<Run, ReplayError> {
    let mut reader = TraceReader::new(trace)?;
    let image = reader.read_image(IMAGE_MAX_BYTES)?;
    let imported = reader.header().imported;
    let kernel = if options.own_limits {
        Kernel::restore_within(&image, u64::MAX)?
    } else {
        let mut kernel = Kernel::restore(&image)?;
        // What a file from elsewhere says of limits is not to be believed.
        kernel.cap_limits(&Config::default());
        kernel
    };
    drop(image);
    let format_version = reader.header().format_version;
    let mut engine = Engine::new(kernel, !imported).with_format(format_version);
    let mut damage = None;
    while !is_over(&engine, options) {
        let Some(item) = reader.next_item()? else { break };
        match item {
            Item::Event(event) => {
                let record = event.record;
                let step =
                    Step { event: record.event, expected: record.expected, lines: record.lines };
                if let Err(why) = engine.step(step) {
                    damage = Some(Damage { line: None, offset: None, why: why.to_string() });
                    break;
                }
            }
            Item::Completions { hash, .. } => differs(&mut engine, "completions", hash),
            Item::Digests(digests) => {
                let own = engine.kernel().digests();
                for (name, digest) in &digests.entries {
                    let found = own.iter().find(|entry| entry.0 == name);
                    if found.is_none_or(|entry| entry.1 != *digest) {
                        let why = format!("the digest of {name} is another one");
                        engine.wrong_state(why);
                    }
                }
            }
            Item::Image(_) | Item::Snapshot { .. } => {}
            Item::Damage(found) => {
                let why = found.to_string();
                damage = Some(Damage { line: None, offset: Some(found.offset), why });
                break;
            }
        }
        tell(&engine, options, None);
    }
    Ok(Run { engine, damage })
}

fn differs(engine: &mut Engine, what: &str, hash: u64) {
    if engine.completions() != hash {
        engine.wrong_state(format!(
            "the hash of the {what} of a batch is another one: the kernel does not answer as when \
             this was recorded; in a twin that was edited leave out the lines with sums \
             (traces/README.md)"
        ));
    }
}
