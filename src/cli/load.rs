//! `tickernel load`: a synthetic process load, measured.

use super::{Failure, Verdict, print_line};
use crate::load::{DEFAULT_TURN, Figures, Plan, Scenario, run as run_load};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the processes do
    #[arg(long, value_enum)]
    scenario: Scenario,
    /// How many there are
    #[arg(long)]
    processes: u64,
    /// How many events run among them; without it 20 a process, and a million at least
    #[arg(long)]
    events: Option<u64>,
    /// How many lines go through a pipeline before another has its turn; 1: the caches help least
    #[arg(long, default_value_t = DEFAULT_TURN)]
    turn: u64,
    /// What order the events come in
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Over how many kernels the processes are spread, each on a thread if the machine has them
    #[arg(long, default_value_t = 1)]
    kernels: u64,
    /// Record all events in this file, the making of the processes too (one kernel only)
    #[arg(long)]
    record: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let Arguments { scenario, processes, events, turn, seed, kernels, .. } = *arguments;
    let record = arguments.record.clone();
    let figures = run_load(&Plan { scenario, processes, events, turn, seed, kernels, record });
    let figures = figures.map_err(Failure::new)?;
    if arguments.json {
        print_line(&serde_json::to_string(&figures).map_err(Failure::new)?)?;
    } else {
        print_line(&text(&figures))?;
    }
    Ok(Verdict::Agrees)
}

fn text(figures: &Figures) -> String {
    let recorded = figures.recording.as_ref().map_or_else(String::new, |recorded| {
        let seconds = recorded.wall_ns as f64 / 1e9;
        format!(
            "\nrecorded {:.1} MB, whole after {seconds:.3} s: {:.0} events/s, {:.1} MB/s; \
             waited {} times, {:.3} s",
            recorded.trace_bytes as f64 / 1e6,
            figures.events as f64 / seconds,
            recorded.trace_bytes as f64 / 1e6 / seconds,
            recorded.waits,
            recorded.waited_ns as f64 / 1e9
        )
    });
    format!(
        "{}: {} processes, {} events in {:.3} s: {} events/s, {:.1} ns each\n\
         {} bytes a process, {} MiB in all\ndigest {}{recorded}",
        figures.scenario,
        figures.processes,
        figures.events,
        figures.wall_ns as f64 / 1e9,
        figures.events_per_second,
        figures.ns_per_event,
        figures.bytes_per_process,
        figures.rss_bytes >> 20,
        figures.digest
    )
}
