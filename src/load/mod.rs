//! Synthetic process loads: what no real machine would bear, measured (CLI.md, `load`).
//!
//! A scenario makes its processes by system calls, then runs a seeded order of calls among them;
//! the digest at the end follows from scenario, processes, events and seed alone. More than one
//! kernel is a fleet: each takes its share of the processes and its own seed.

mod pipeline;

use crate::fleet;
use crate::record::{Recording, header_of};
use crate::trace::{Background, BackgroundWriter, TraceError};
use serde::Serialize;
use std::fs::File;
use std::path::PathBuf;
use tickernel_systems::digest::hash_number;
use tickernel_systems::event::{Answer, Call, Outcome};
use tickernel_systems::{Config, Kernel};

/// Most processes of one kernel: the numbers that Linux has.
pub const MAX_PROCESSES: u64 = 4_000_000;
/// Lines a turn of a load that names none.
pub const DEFAULT_TURN: u64 = 16;
/// Most lines a turn: what a pipe holds.
const MAX_TURN: u64 = 1024;
/// Events of a load that names none, a process.
const EVENTS_A_PROCESS: u64 = 20;
/// What a process of a load takes, about.
const BYTES_A_PROCESS: u64 = 2700;
/// The least that a load that names no events runs.
const LEAST_EVENTS: u64 = 1_000_000;

/// What the processes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Scenario {
    /// Pipelines of three: one writes 64 bytes, one passes them on, one reads them
    Pipeline,
}

impl Scenario {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Scenario::Pipeline => "pipeline",
        }
    }
}

/// A load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the processes do.
    pub scenario: Scenario,
    /// How many there are, over all kernels.
    pub processes: u64,
    /// How many events run among them once they are there; `None` = 20 a process, a million at
    /// least.
    pub events: Option<u64>,
    /// How many lines go through a pipeline before another has its turn.
    pub turn: u64,
    /// What order they come in.
    pub seed: u64,
    /// Over how many kernels the processes are spread.
    pub kernels: u64,
    /// Where the events of the one kernel are recorded, the making of its processes included.
    pub record: Option<PathBuf>,
}

/// What a load came to: CLI.md's object.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The scenario's name.
    pub scenario: &'static str,
    /// Processes alive.
    pub processes: u64,
    /// Events taken while time was measured: the making of the processes is not among them.
    pub events: u64,
    /// How long they took, in ns.
    pub wall_ns: u64,
    /// Events a second.
    pub events_per_second: u64,
    /// Nanoseconds an event.
    pub ns_per_event: f64,
    /// Memory that the making of a process added, in bytes; 0 where the host does not tell.
    pub bytes_per_process: u64,
    /// Memory of the whole program at the end, in bytes; 0 where the host does not tell.
    pub rss_bytes: u64,
    /// The digest of all kernels, in order.
    pub digest: String,
    /// What was recorded, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<Recorded>,
}

/// What a recording of a load came to.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Bytes of the trace, its first image included.
    pub trace_bytes: u64,
    /// Until the trace was whole in its file, in ns: the sustained time.
    pub wall_ns: u64,
    /// How often the kernel's thread waited for the writing one.
    pub waits: u64,
    /// How long, in ns.
    pub waited_ns: u64,
}

/// A kernel of a load, and its recording.
struct Machine {
    kernel: Kernel,
    load: pipeline::Pipelines,
    recording: Option<Recording<Background<File>>>,
}

/// Why a load cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A number outside its bounds.
    #[error("{what} must be {least} to {most}, not {given}")]
    Bounds {
        /// Which number.
        what: &'static str,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
        /// What was given.
        given: u64,
    },
    /// The machine has not the memory for so many processes.
    #[error(
        "--processes {processes} takes about {} MiB of memory, and the machine has {} MiB left: ask for fewer",
        needed_bytes >> 20,
        available_bytes >> 20
    )]
    Memory {
        /// How many were asked for.
        processes: u64,
        /// What they take.
        needed_bytes: u64,
        /// What there is.
        available_bytes: u64,
    },
    /// A call of the load failed: a defect, or a limit of the kernel.
    #[error("a call of the load did not succeed: {0}")]
    Failed(String),
    /// The recording cannot be written.
    #[error("the recording: {0}")]
    Recording(#[from] TraceError),
    /// Its file cannot be made.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
}

/// Runs a load.
///
/// # Errors
/// Bounds, or a call that failed.
pub fn run(plan: &Plan) -> Result<Figures, LoadError> {
    check("--processes", plan.processes, 1, MAX_PROCESSES * 64)?;
    check("--turn", plan.turn, 1, MAX_TURN)?;
    check("--kernels", plan.kernels, 1, 64.min(plan.processes))?;
    check("--processes for each kernel", plan.processes / plan.kernels, 1, MAX_PROCESSES)?;
    if plan.record.is_some() {
        check("--kernels with --record", plan.kernels, 1, 1)?;
    }
    fits(plan.processes, available_bytes())?;
    let wanted = EVENTS_A_PROCESS.saturating_mul(plan.processes).max(LEAST_EVENTS);
    let events = plan.events.unwrap_or(wanted);
    let before_bytes = rss_bytes();
    let mut machines = build(plan)?;
    let built_bytes = rss_bytes().saturating_sub(before_bytes);
    let before = machines.first().map(Machine::waited).unwrap_or_default();
    let begin = crate::clock::now();
    let ran =
        fleet::for_each(&mut machines, |at, machine| machine.run(share(events, plan.kernels, at)));
    let wall_ns = passed_ns(begin);
    ran.into_iter().collect::<Result<Vec<()>, _>>()?;
    let mut recording = None;
    if let (Some(path), [machine]) = (&plan.record, machines.as_mut_slice()) {
        recording = machine.finish(path, begin, before)?;
    }
    let digests = fleet::for_each(&mut machines, |_, machine| machine.kernel.digest_all());
    let digest = digests.into_iter().reduce(hash_number).unwrap_or(0);
    let per_second = u128::from(events) * 1_000_000_000 / u128::from(wall_ns);
    Ok(Figures {
        scenario: plan.scenario.name(),
        processes: plan.processes,
        events,
        wall_ns,
        events_per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
        ns_per_event: if events == 0 { 0.0 } else { wall_ns as f64 / events as f64 },
        bytes_per_process: built_bytes / plan.processes,
        rss_bytes: rss_bytes(),
        digest: format!("{digest:016x}"),
        recording,
    })
}

/// Whether so many processes fit into what is left of the machine's memory, if that is known.
fn fits(processes: u64, available_bytes: Option<u64>) -> Result<(), LoadError> {
    let needed_bytes = processes.saturating_mul(BYTES_A_PROCESS);
    match available_bytes {
        Some(available_bytes) if needed_bytes > available_bytes => {
            Err(LoadError::Memory { processes, needed_bytes, available_bytes })
        }
        Some(_) | None => Ok(()),
    }
}

/// The kernels with their processes.
fn build(plan: &Plan) -> Result<Vec<Machine>, LoadError> {
    // A load is as large as it is asked to be: the host's memory is its limit.
    let config =
        Config { max_memory_bytes: u64::MAX, max_pipe_pages: u64::MAX, ..Config::default() };
    let mut machines: Vec<Machine> = (0..plan.kernels as usize)
        .map(|at| {
            let seed = hash_number(plan.seed, at as u64);
            let load = match plan.scenario {
                Scenario::Pipeline => {
                    let processes = share(plan.processes, plan.kernels, at);
                    pipeline::Pipelines::new(processes, plan.turn, seed)
                }
            };
            Machine { kernel: Kernel::new(config.clone()), load, recording: None }
        })
        .collect();
    // The making of the processes is recorded too: so a trace of a million begins as small as any.
    if let (Some(path), [machine]) = (&plan.record, machines.as_mut_slice()) {
        machine.record_to(path)?;
    }
    let built = fleet::for_each(&mut machines, |_, machine| machine.build());
    built.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(machines)
}

/// The part of a total that one of so many kernels has.
fn share(total: u64, kernels: u64, at: usize) -> u64 {
    total / kernels + u64::from((at as u64) < total % kernels)
}

fn passed_ns(begin: std::time::Instant) -> u64 {
    u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
}

impl Machine {
    fn build(&mut self) -> Result<(), LoadError> {
        let Machine { kernel, load, recording } = self;
        match recording {
            None => load.build(|task: u32, call: &Call<'_>| Ok(kernel.call_kept(task, call))),
            Some(recording) => load.build(recorded(kernel, recording)),
        }
    }

    fn run(&mut self, events: u64) -> Result<(), LoadError> {
        let Machine { kernel, load, recording } = self;
        match recording {
            None => load.run(events, |task: u32, call: &Call<'_>| Ok(kernel.call_kept(task, call))),
            Some(recording) => load.run(events, recorded(kernel, recording)),
        }
    }

    /// How often the recording waited for its writer until now, and how long in ns.
    fn waited(&self) -> (u64, u64) {
        let writer = self.recording.as_ref().map(Recording::writer);
        writer.map_or((0, 0), |writer| (writer.waits(), writer.waited_ns()))
    }

    fn record_to(&mut self, path: &PathBuf) -> Result<(), LoadError> {
        let out = File::create(path).map_err(|why| LoadError::File { path: path.clone(), why })?;
        let (header, image) = (header_of(&self.kernel), self.kernel.snapshot());
        let queue_bytes = BackgroundWriter::<File>::DEFAULT_QUEUE_BYTES;
        let writer = BackgroundWriter::spawn(out, &header, &image, queue_bytes)?;
        self.recording = Some(Recording::over(writer));
        Ok(())
    }

    fn finish(
        &mut self,
        path: &PathBuf,
        begin: std::time::Instant,
        before: (u64, u64),
    ) -> Result<Option<Recorded>, LoadError> {
        let (waits, waited_ns) = self.waited();
        let (waits, waited_ns) = (waits - before.0, waited_ns - before.1);
        let Some(recording) = self.recording.take() else { return Ok(None) };
        recording.finish(&mut self.kernel)?;
        let wall_ns = passed_ns(begin);
        let length = std::fs::metadata(path).map(|metadata| metadata.len());
        let trace_bytes = length.map_err(|why| LoadError::File { path: path.clone(), why })?;
        Ok(Some(Recorded { trace_bytes, wall_ns, waits, waited_ns }))
    }
}

fn check(what: &'static str, given: u64, least: u64, most: u64) -> Result<(), LoadError> {
    if (least..=most).contains(&given) {
        Ok(())
    } else {
        Err(LoadError::Bounds { what, least, most, given })
    }
}

/// Memory of this program that lies in the machine (proc_pid_statm(5)); 0 if the host does not
/// say.
fn rss_bytes() -> u64 {
    /// What Linux on x86-64 and most others have.
    const PAGE_BYTES: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}

/// Memory of the machine that a new program can have (proc_meminfo(5), MemAvailable).
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// What takes a load's calls.
trait Take: FnMut(u32, &Call<'_>) -> Result<Outcome, LoadError> {}

impl<F: FnMut(u32, &Call<'_>) -> Result<Outcome, LoadError>> Take for F {}

/// A kernel takes them, and a recording what it says.
fn recorded(kernel: &mut Kernel, recording: &mut Recording<Background<File>>) -> impl Take {
    move |task: u32, call: &Call<'_>| {
        recording.begin_call(kernel, task, call)?;
        let outcome = kernel.call_kept(task, call);
        recording.note_outcome(&outcome);
        while let Some(output) = kernel.poll_output() {
            recording.note(&output);
        }
        Ok(outcome)
    }
}

/// The answer of a call that must succeed.
fn done(take: &mut impl Take, task: u32, call: &Call<'_>) -> Result<Answer, LoadError> {
    match take(task, call)? {
        Outcome::Done(answer) => Ok(answer),
        other => Err(LoadError::Failed(format!("{} of process {task}: {other:?}", call.name()))),
    }
}

/// Numbers that follow from a seed: good enough to choose by, the same everywhere.
pub(crate) struct Chooser(u64);

impl Chooser {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = hash_number(self.0, 1);
        // The high bits of a product: even enough, and no division.
        ((u128::from(self.0) * u128::from(limit)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_memory_does_not_hold_is_refused() {
        assert!(fits(1000, Some(1000 * BYTES_A_PROCESS)).is_ok());
        assert!(fits(u64::MAX, None).is_ok());
        for processes in [1001, u64::MAX] {
            let why = fits(processes, Some(1000 * BYTES_A_PROCESS)).expect_err("too many");
            assert!(why.to_string().starts_with(&format!("--processes {processes} ")), "{why}");
        }
    }
}
