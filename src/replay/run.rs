//! Runs a whole replay: from a recording's events or from a trace file, to a report.

use std::time::Instant;

use tickernel_systems::{Kernel, RestoreError};

use super::engine::{Engine, Step};
use super::report::{Damage, Report};
use crate::import::{Imported, Source};
use crate::trace::{Item, TraceError, TraceReader};

/// Largest first image that is read.
const MAX_IMAGE_BYTES: u64 = 512 << 20;
/// Events between two calls of the progress callback.
const PROGRESS_EVENTS: u64 = 4096;

/// How to replay.
#[derive(Default)]
pub struct Options<'a> {
    /// The last event taken; `None` = all.
    pub until: Option<u64>,
    /// Go on after a mismatch (the recording's state is kept).
    pub force: bool,
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
    let start = Instant::now();
    let mut run = match source.source {
        Source::Recording(recording) => {
            let damage = recording.damage.clone();
            let kernel = recording.kernel()?;
            let mut engine = Engine::new(kernel, false);
            let total = recording.items.len() as u64;
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
            Run { engine, damage }
        }
        Source::Trace(bytes) => replay_trace(&bytes, options)?,
        Source::Twin(text) => {
            let converted = crate::json::convert::to_trace(text.as_slice(), Vec::new())?;
            let mut run = replay_trace(&converted.out, options)?;
            if let Some((line, why)) = converted.damage {
                run.damage = Some(Damage { line: Some(line), offset: None, why: why.0 });
            }
            run
        }
    };
    let cut = run.damage.is_some() || options.until.is_some() || !options.force;
    run.engine.finish(cut);
    let digests = run.engine.kernel().digests();
    let digests = digests.into_iter().map(|(name, digest)| (name.to_owned(), digest)).collect();
    let completions = run.engine.completions();
    let mut report = std::mem::take(&mut run.engine.report);
    report.file = source.file;
    report.format = source.format.name().to_owned();
    report.damage = run.damage.clone();
    report.wall_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let per_second = u128::from(report.events) * 1_000_000_000 / u128::from(report.wall_ns.max(1));
    report.events_per_second = u64::try_from(per_second).unwrap_or(u64::MAX);
    Ok(Replayed { report, damage: run.damage, digests, completions })
}

struct Run {
    engine: Engine,
    damage: Option<Damage>,
}

fn is_over(engine: &Engine, options: &Options<'_>) -> bool {
    let stopped = !options.force && engine.report.first_mismatch.is_some();
    stopped || options.until.is_some_and(|until| engine.report.events > until)
}

fn tell(engine: &Engine, options: &mut Options<'_>, total: Option<u64>) {
    let events = engine.report.events;
    if events % PROGRESS_EVENTS == 0 {
        if let Some(progress) = &mut options.progress {
            progress(events, total);
        }
    }
}

fn replay_trace(bytes: &[u8], options: &mut Options<'_>) -> Result<Run, ReplayError> {
    let mut reader = TraceReader::new(bytes)?;
    let image = reader.read_image(MAX_IMAGE_BYTES)?;
    let imported = reader.header().imported;
    let kernel = Kernel::restore(&image)?;
    let mut engine = Engine::new(kernel, !imported);
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
                        wrong_state(&mut engine, why);
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
        wrong_state(engine, format!("the hash of the {what} of a batch is another one"));
    }
}

/// A trace's own sums differ: the first mismatch, if there was none.
fn wrong_state(engine: &mut Engine, why: String) {
    if engine.report.first_mismatch.is_some() {
        return;
    }
    engine.report.clean_prefix = engine.report.calls;
    engine.report.first_mismatch = Some(super::report::FirstMismatch {
        line: None,
        seq: engine.report.events.saturating_sub(1),
        pid: 0,
        call: String::new(),
        recorded: String::new(),
        simulated: String::new(),
        why,
        context: Vec::new(),
    });
}
