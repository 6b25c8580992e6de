//! `tickernel import` and the first half of `replay`: a real strace recording becomes a trace.
//!
//! The phases: `source.rs` opens and parses, `start.rs` makes the first state, `order.rs` walks the
//! lines with a scratch kernel and finds the order in which the calls took effect, completing the
//! first tree as it goes (`facts.rs`, `initial.rs`). What comes out is a first image and events
//! with what is expected of them; `replay/` takes it from there. Treatments: IMPORT.md.

mod arrivals;
mod attended;
mod attributes;
mod before;
mod borders;
mod climb;
mod connecting;
mod copies;
mod created;
mod cut_links;
mod decode;
mod demand;
mod descriptors;
mod dotted;
mod drained;
mod ends;
mod facts;
mod fates;
mod flow;
mod force;
mod ghosts;
mod hidden;
mod hints;
mod hold;
mod identity;
mod inherited;
mod initial;
mod items;
mod left_out;
mod lineage;
mod made;
mod mapped;
mod meta;
mod modes;
mod names;
mod numbers;
mod openings;
mod order;
mod passing;
mod paths;
mod peers;
mod polls;
mod probe;
mod programs;
mod races;
mod ranges;
mod refusals;
mod rights;
mod rivals;
mod scope;
mod signals;
mod silent;
mod source;
mod stand_in;
mod start;
mod start_fds;
mod step;
mod task;
mod terminals;
mod typed;
mod unknown;
mod untold;
mod wander;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tickernel_systems::abi::{Errno, SigInfo, Timespec};
use tickernel_systems::fs::Fs;
use tickernel_systems::{Boot, Config, Entropy, Kernel, RestoreError, WakeMode};

pub(crate) use decode::{asked_lock, has_characters};
pub use items::{Encoded, ItemIter, Items};
pub use meta::{Defect, SideFile};
pub use scope::is_out_of_scope;

use crate::replay::{Damage, Expected, ReplayError};
use crate::strace::{EventKind, Notice, Recording as Text};
use initial::Initial;
pub(crate) use left_out::LeftOut;
use order::Order;
use source::Opened;

/// How an input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// strace text.
    Strace,
    /// A trace.
    Trace,
    /// The JSON twin.
    Twin,
}

impl Format {
    /// CLI.md's name.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Strace => "strace",
            Format::Trace => "trace",
            Format::Twin => "jsonl",
        }
    }
}

/// How to read an input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Chooses among the orders that the recording allows; `None` for the one in which each call
    /// takes effect as late as can be.
    pub order_seed: Option<u64>,
}

/// Why an input cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{}: {why}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// There is nothing in it.
    #[error("{}: the file is empty; record one with traces/record.py", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// It is larger than what is read, and is nothing of which a part can be used.
    #[error("{}: larger than the {limit_bytes} bytes that are read", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// It is text of two bytes a character.
    #[error(
        "{}: text in UTF-16; make it UTF-8 first (iconv -f UTF-16 -t UTF-8)", path.display()
    )]
    Utf16 {
        /// Which.
        path: PathBuf,
    },
    /// It is packed in a way that is not undone here.
    #[error(
        "{}: packed by {by}; unpack it first (gzip and zstd are unpacked here)", path.display()
    )]
    Packed {
        /// Which.
        path: PathBuf,
        /// What packs so.
        by: &'static str,
    },
    /// It is neither a trace nor a recording.
    #[error(
        "{}: neither a trace nor its JSON twin nor strace text; record one with traces/record.py",
        path.display()
    )]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// Not a line could be read.
    #[error("{}: {why}", path.display())]
    Strace {
        /// Of which input.
        path: PathBuf,
        /// Why.
        why: Box<crate::strace::Error>,
    },
    /// strace counted the calls and did not print them.
    #[error("{}: holds no calls, only strace's summary (-c): record without -c", path.display())]
    Summary {
        /// Which.
        path: PathBuf,
    },
    /// The first state cannot be made.
    #[error("the first state cannot be made: {}", .0.name())]
    Start(Errno),
    /// Arguments are printed as numbers only.
    #[error(
        "line {line}: no argument is printed as text (strace -e raw=all): what the calls name \
         cannot be known; record again without -e raw"
    )]
    Raw {
        /// The first line with an address for a path.
        line: u64,
    },
    /// No process of Linux has such a number.
    #[error(
        "{}pid {pid} is beyond Linux's limit ({}); strace -f writes the pid before each call",
        line.map_or(String::new(), |line| format!("line {line}: ")), meta::MAX_PID
    )]
    Pid {
        /// The number.
        pid: u32,
        /// Where the recording tells it.
        line: Option<u64>,
    },
}

/// What was read: ready to be replayed or written.
#[derive(Debug)]
pub struct Imported {
    /// The input's name.
    pub file: String,
    /// How it was written.
    pub format: Format,
    /// What is in it.
    pub source: Source,
}

impl Imported {
    /// A trace that is in memory.
    pub fn of_trace(bytes: Vec<u8>) -> Self {
        Self { file: "memory".to_owned(), format: Format::Trace, source: Source::Trace(bytes) }
    }
}

/// Events from a recording, or a trace as it is.
#[derive(Debug)]
pub enum Source {
    /// An imported recording.
    Recording(Recording),
    /// The bytes of a trace.
    Trace(Vec<u8>),
    /// A file that is a trace, which is read as it goes.
    Stored(PathBuf),
    /// A JSON twin.
    Twin(Twin),
}

/// The text of a JSON twin.
#[derive(Debug)]
pub struct Twin {
    /// Its whole lines.
    pub text: Vec<u8>,
    /// Where a packed file stopped before its end.
    pub cut: Option<Damage>,
}

/// A recording as first image and events.
#[derive(Debug)]
pub struct Recording {
    /// The snapshot of the first state.
    pub image: Vec<u8>,
    /// The events in the order that was found.
    pub items: Items,
    /// Where the text stops making sense.
    pub damage: Option<Damage>,
}

impl Recording {
    /// The first state.
    ///
    /// # Errors
    /// If the image is none.
    pub fn kernel(&self) -> Result<Kernel, RestoreError> {
        Kernel::restore(&self.image)
    }

    /// Writes the trace.
    ///
    /// # Errors
    /// If the output fails, or an event is larger than a trace holds.
    pub fn write<W: std::io::Write>(&self, out: W) -> Result<W, ReplayError> {
        crate::replay::write(self, String::new(), out).map(|written| written.0)
    }
}

/// Reads an input: a trace, a JSON twin, or a recording, which is imported.
///
/// # Errors
/// If nothing of it can be used. A recording that is damaged farther on is read up to there.
pub fn read(path: &Path, options: &Options) -> Result<Imported, ImportError> {
    let (format, opened) = source::open(path)?;
    let source = match opened {
        Opened::Trace(bytes) => Source::Trace(bytes),
        Opened::Stored => Source::Stored(path.to_owned()),
        Opened::Twin(twin) => Source::Twin(twin),
        Opened::Recording(both) => {
            let (text, side) = *both;
            if text.events.is_empty() {
                if let Some(error) = text.error {
                    return Err(ImportError::Strace {
                        path: path.to_owned(),
                        why: Box::new(error),
                    });
                }
                return Err(ImportError::Empty { path: path.to_owned() });
            }
            if is_summary(&text) {
                return Err(ImportError::Summary { path: path.to_owned() });
            }
            Source::Recording(import_with(&text, &side, options)?)
        }
    };
    Ok(Imported { file: path.display().to_string(), format, source })
}

/// Reads the text of a recording; `None` for an input of another kind.
///
/// # Errors
/// If nothing of it can be used.
pub fn read_text(path: &Path) -> Result<Option<Text>, ImportError> {
    Ok(match source::open(path)?.1 {
        Opened::Recording(both) => Some(both.0),
        Opened::Trace(_) | Opened::Stored | Opened::Twin(_) => None,
    })
}

/// What the text says of a call's answer.
pub fn decode_answer(call: &crate::strace::Call) -> Expected {
    decode::decode(call).expected
}

/// Whether strace cut an argument of the call, or left it an address.
pub(crate) fn is_cut(call: &crate::strace::Call) -> bool {
    decode::known_in_part(call) || decode::is_raw(call)
}

/// The siginfo of a signal's line.
pub fn signal_info(value: &crate::strace::Value) -> Option<SigInfo> {
    numbers::siginfo(value)
}

/// Imports a parsed recording.
///
/// # Errors
/// If the first state cannot be made.
pub fn import(text: &Text, side: &SideFile) -> Result<Recording, ImportError> {
    import_with(text, side, &Options::default())
}

/// The same with options.
///
/// # Errors
/// If the first state cannot be made.
pub fn import_with(
    text: &Text,
    side: &SideFile,
    options: &Options,
) -> Result<Recording, ImportError> {
    if let Some(line) = raw_line(text) {
        return Err(ImportError::Raw { line });
    }
    let side = &*side.fitting(text);
    let begun = start::start(text, side);
    if begun.boot.pid > meta::MAX_PID {
        let pid = begun.boot.pid;
        return Err(ImportError::Pid { pid, line: inherited::line_of_pid(text, pid) });
    }
    let config = Config {
        wake: WakeMode::OnDemand,
        entropy: Entropy::Host,
        ask_unmodelled: true,
        start_ns: begun.start_ns,
        ..Config::default()
    };
    let boot = begun.outermost();
    let mut how = Walk {
        choices: options.order_seed.map(wander::Choices::new),
        left_out: LeftOut::of(text),
        ..Walk::default()
    };
    let mut walked = walk(text, begun, config.clone(), &how)?;
    if walked.disorder > 0 {
        // Reads found other bytes than those recorded: writers overlapped. What was read tells in
        // which order they wrote.
        how.streams = std::mem::take(&mut walked.streams);
        let again = walk(text, start::start(text, side), config.clone(), &how)?;
        if again.disorder < walked.disorder {
            walked = again;
        } else {
            how.streams.clear();
        }
    }
    let again = |how: &Walk| walk(text, start::start(text, side), config.clone(), how);
    walked = mend_turns(walked, &mut how, again)?;
    let mut image = first_image(&mut walked.initial, config.clone(), &boot)?;
    for _ in 0..untold::MAX_WALKS {
        if !how.left_out.any() || walked.no_room.is_some() {
            break;
        }
        let wrong = crate::replay::wrong_lines(&image, &walked.items);
        let known = how.untold.len();
        how.untold.extend(untold::calls_at(text, &wrong));
        if how.untold.len() == known {
            break;
        }
        walked = walk(text, start::start(text, side), config.clone(), &how)?;
        image = first_image(&mut walked.initial, config.clone(), &boot)?;
    }
    let side = side.against(boot.credentials.uid, boot.credentials.gid);
    let damage = damage(text, &side, walked.no_room);
    Ok(Recording { image, items: walked.items, damage })
}

/// Walks again while writes to pipes find no room that the recording says had it.
fn mend_turns(
    mut walked: Walked,
    how: &mut Walk,
    again: impl Fn(&Walk) -> Result<Walked, ImportError>,
) -> Result<Walked, ImportError> {
    if walked.drained.without_room > 0 && how.choices.is_some() {
        // No legal order, then: where pipes run dry is not a choice in this recording.
        how.pipes_wait = true;
        walked = again(how)?;
    }
    let mut orders = std::mem::take(&mut walked.drained.found).into_iter();
    for _ in 0..drained::MAX_WALKS {
        let Some(turns) = orders.next() else { break };
        how.turns.extend(turns);
        let mut next = again(how)?;
        if next.drained.without_room < walked.drained.without_room {
            orders = std::mem::take(&mut next.drained.found).into_iter();
            walked = next;
        } else {
            how.turns.clone_from(&walked.drained.told);
        }
    }
    Ok(walked)
}

/// What could not be read or kept, and from where on.
fn damage(text: &Text, side: &SideFile, no_room: Option<(u64, std::io::Error)>) -> Option<Damage> {
    if let (Some((line, why)), false) = (no_room, is_broken(text)) {
        let error = crate::strace::Error::no_room(line, why);
        return Some(Damage { line: Some(line), offset: None, why: error.to_string() });
    }
    if let Some(damage) = damage_of_text(text) {
        return Some(damage);
    }
    let defects = side.defects();
    let line = defects.first()?.line;
    let said = defects.iter().map(|defect| match defect.line {
        Some(line) => format!("line {line}: {}", defect.what),
        None => defect.what.clone(),
    });
    let why = format!("the side file: {}", said.collect::<Vec<_>>().join("; "));
    Some(Damage { line, offset: None, why })
}

/// Where the text of a recording stops making sense.
pub(crate) fn damage_of_text(text: &Text) -> Option<Damage> {
    if is_broken(text) {
        let why = "a temporary file cannot be read back; import again".to_owned();
        return Some(Damage { line: None, offset: None, why });
    }
    let error = text.error.as_ref()?;
    let line = Some(error.line).filter(|line| *line > 0);
    Some(Damage { line, offset: None, why: error.to_string() })
}

fn is_broken(text: &Text) -> bool {
    text.events.is_broken() || text.calls.is_broken()
}

/// Whether there is nothing but the table of `strace -c`, which begins with its heads and a rule
/// (`-U` chooses the columns).
fn is_summary(text: &Text) -> bool {
    let mut lines = text.events.iter().filter_map(|event| match event.kind {
        EventKind::Notice(Notice::Other(line)) => Some(line),
        _ => None,
    });
    text.calls.count() == 0 && lines.any(|line| line.starts_with(b"% time") || is_rule(&line))
}

fn is_rule(line: &[u8]) -> bool {
    line.starts_with(b"----") && line.iter().all(|byte| matches!(byte, b'-' | b' '))
}

/// Where a program is executed by the address of its path, in a recording without any text.
fn raw_line(text: &Text) -> Option<u64> {
    let calls = || (0..text.calls.count()).filter_map(|index| text.calls.get(index));
    let is_raw = |call: &Arc<crate::strace::Call>| {
        &*call.name == "execve"
            && call.arg(0).and_then(crate::strace::Value::as_pointer).is_some_and(|at| at > 0)
            && call.result.as_ref().is_some_and(|result| result.number() == Some(0))
    };
    let first = calls().next().filter(is_raw)?;
    let has_text = |call: Arc<crate::strace::Call>| {
        call.args.iter().any(|arg| arg.as_text().is_some() || arg.as_array().is_some())
    };
    if calls().any(has_text) { None } else { first.entry_line }
}

/// How to walk.
#[derive(Default)]
struct Walk {
    /// Which of the legal orders.
    choices: Option<wander::Choices>,
    /// Reads and writes of pipes run in the order of the lines even so.
    pipes_wait: bool,
    /// What a walk before found in pipes.
    streams: BTreeMap<u64, flow::Stream>,
    /// Where pipes ran dry although the lines do not say so, or not although they do.
    turns: BTreeSet<drained::Turn>,
    /// What the recording leaves out.
    left_out: LeftOut,
    /// Calls whose answers rest on that.
    untold: BTreeSet<u64>,
}

/// What a walk found; its kernel is gone.
struct Walked {
    items: Items,
    initial: Initial,
    /// What was found in pipes.
    streams: BTreeMap<u64, flow::Stream>,
    disorder: u64,
    drained: drained::Drained,
    no_room: Option<(u64, std::io::Error)>,
}

/// Walks the recording.
fn walk(
    text: &Text,
    begun: start::Start,
    config: Config,
    how: &Walk,
) -> Result<Walked, ImportError> {
    let outermost = begun.outermost();
    let boot = begun.boot;
    let kernel = Kernel::boot(config, begun.fs, &outermost).map_err(ImportError::Start)?;
    let mut order = Order::new(kernel, (begun.initial, begun.hints), text, &boot, begun.start_ns);
    order.known_streams = how.streams.clone();
    order.drained.told.clone_from(&how.turns);
    order.left_out = how.left_out;
    order.untold = how.untold.clone();
    order.choices = how.choices;
    order.pipes_wait = how.pipes_wait;
    order.earlier = begun.earlier;
    order.begin_terminals(&begun.terminals, &boot, outermost.pid);
    order.note_inherited(&boot);
    order.begin(&begun.prelude, begun.shown);
    order.run();
    order.items.finish();
    let Order { items, initial, streams, disorder, drained, no_room, .. } = order;
    Ok(Walked { items, initial, streams, disorder, drained, no_room })
}

/// The first state with everything that the recording told about it.
fn first_image(initial: &mut Initial, config: Config, boot: &Boot) -> Result<Vec<u8>, ImportError> {
    let mut fs = Fs::new(Timespec::from_ns(config.start_ns));
    initial.build(&mut fs).map_err(ImportError::Start)?;
    let kernel = Kernel::boot(config, fs, boot).map_err(ImportError::Start)?;
    Ok(kernel.snapshot())
}
