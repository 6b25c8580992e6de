//! `tickernel load`: a synthetic process load, measured.

use super::{Failure, Verdict, print_line};
use crate::load::{Figures, Plan, Scenario, run as run_load};
use clap::Args;

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
    /// What order the events come in
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Over how many kernels the processes are spread, each on a thread if the machine has them
    #[arg(long, default_value_t = 1)]
    kernels: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let Arguments { scenario, processes, events, seed, kernels, json } = *arguments;
    let figures = run_load(&Plan { scenario, processes, events, seed, kernels });
    let figures = figures.map_err(Failure::new)?;
    if json {
        print_line(&serde_json::to_string(&figures).map_err(Failure::new)?)?;
    } else {
        print_line(&text(&figures))?;
    }
    Ok(Verdict::Agrees)
}

fn text(figures: &Figures) -> String {
    format!(
        "{}: {} processes, {} events in {:.3} s: {} events/s, {:.1} ns each\n\
         {} bytes a process, {} MiB in all\ndigest {}",
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
