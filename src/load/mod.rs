//! Synthetic process loads: what no real machine would bear, measured (CLI.md, `load`).
//!
//! A scenario makes its processes by system calls, then runs a seeded order of calls among them;
//! the digest at the end follows from scenario, processes, events and seed alone. More than one
//! kernel is a fleet: each takes its share of the processes and its own seed.

mod pipeline;

use crate::fleet;
use serde::Serialize;
use tickernel_systems::digest::hash_number;
use tickernel_systems::event::{Answer, Call, Outcome};
use tickernel_systems::{Config, Kernel};

/// Most processes of one kernel: the numbers that Linux has.
pub const MAX_PROCESSES: u64 = 4_000_000;
/// Events of a load that names none, a process.
const EVENTS_A_PROCESS: u64 = 20;
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
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What the processes do.
    pub scenario: Scenario,
    /// How many there are, over all kernels.
    pub processes: u64,
    /// How many events run among them once they are there; `None` = 20 a process, a million at
    /// least.
    pub events: Option<u64>,
    /// What order they come in.
    pub seed: u64,
    /// Over how many kernels the processes are spread.
    pub kernels: u64,
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
    /// A call of the load failed: a defect, or a limit of the kernel.
    #[error("a call of the load did not succeed: {0}")]
    Failed(String),
}

/// A load on one kernel.
pub(crate) trait Load {
    /// Makes the processes.
    fn build(&mut self, kernel: &mut Kernel) -> Result<(), LoadError>;
    /// Takes so many events.
    fn run(&mut self, kernel: &mut Kernel, events: u64) -> Result<(), LoadError>;
}

/// Runs a load.
///
/// # Errors
/// Bounds, or a call that failed.
pub fn run(plan: &Plan) -> Result<Figures, LoadError> {
    check("--processes", plan.processes, 1, MAX_PROCESSES * 64)?;
    check("--kernels", plan.kernels, 1, 64.min(plan.processes))?;
    check("--processes for each kernel", plan.processes / plan.kernels, 1, MAX_PROCESSES)?;
    let wanted = EVENTS_A_PROCESS.saturating_mul(plan.processes).max(LEAST_EVENTS);
    let events = plan.events.unwrap_or(wanted);
    let before_bytes = rss_bytes();
    // A load is as large as it is asked to be: the host's memory is its limit.
    let config =
        Config { max_memory_bytes: u64::MAX, max_pipe_pages: u64::MAX, ..Config::default() };
    let mut kernels: Vec<Kernel> = (0..plan.kernels).map(|_| Kernel::new(config.clone())).collect();
    let share = |total: u64, at: usize| {
        let at = at as u64;
        total / plan.kernels + u64::from(at < total % plan.kernels)
    };
    let loads = fleet::for_each(&mut kernels, |at, kernel| {
        let seed = hash_number(plan.seed, at as u64);
        let mut load = match plan.scenario {
            Scenario::Pipeline => pipeline::Pipelines::new(share(plan.processes, at), seed),
        };
        load.build(kernel).map(|()| load)
    });
    let loads: Vec<pipeline::Pipelines> = loads.into_iter().collect::<Result<_, _>>()?;
    let built_bytes = rss_bytes().saturating_sub(before_bytes);
    let loads: Vec<std::sync::Mutex<pipeline::Pipelines>> =
        loads.into_iter().map(std::sync::Mutex::new).collect();
    let begin = crate::clock::now();
    let ran = fleet::for_each(&mut kernels, |at, kernel| match loads.get(at) {
        Some(load) => {
            let mut load = load.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            load.run(kernel, share(events, at))
        }
        None => Ok(()),
    });
    let wall_ns = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
    ran.into_iter().collect::<Result<Vec<()>, _>>()?;
    let digests = fleet::for_each(&mut kernels, |_, kernel| kernel.digest_all());
    let digest = digests.into_iter().reduce(hash_number).unwrap_or(0);
    let per_second = u128::from(events) * 1_000_000_000 / u128::from(wall_ns);
    Ok(Figures {
        scenario: plan.scenario.name(),
        processes: plan.processes,
        events,
        wall_ns,
        events_per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
        ns_per_event: wall_ns as f64 / events.max(1) as f64,
        bytes_per_process: built_bytes / plan.processes,
        rss_bytes: rss_bytes(),
        digest: format!("{digest:016x}"),
    })
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

/// A call that must succeed.
pub(crate) fn done(kernel: &mut Kernel, task: u32, call: Call<'_>) -> Result<Answer, LoadError> {
    let name = call.name();
    match kernel.call(task, call) {
        Outcome::Done(answer) => Ok(answer),
        other => Err(LoadError::Failed(format!("{name} of process {task}: {other:?}"))),
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
